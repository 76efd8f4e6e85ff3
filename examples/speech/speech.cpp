// SPDX-License-Identifier: Apache-2.0
// Where in a recording somebody speaks: a line with the beginning and the end of each stretch.
// usage: speech MODEL.pt SOUND.wav     16 bits, one channel, 8000 samples a second
#include <sconce/sconce.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

namespace {

// A number of the file, lowest byte first.
uint32_t number(const std::string& file, size_t at, int bytes) {
  if (at + static_cast<size_t>(bytes) > file.size())
    throw std::runtime_error("the file is cut off");
  uint32_t v = 0;
  for (int i = bytes - 1; i >= 0; --i)
    v = v << 8 | static_cast<unsigned char>(file[at + static_cast<size_t>(i)]);
  return v;
}

// [1, T], from -1 to 1.
sconce::Tensor read_wav(const char* path) {
  std::ifstream in(path, std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(in), {}};
  if (file.compare(0, 4, "RIFF") != 0 || file.compare(8, 4, "WAVE") != 0)
    throw std::runtime_error(std::string(path) + ": no WAV file");
  bool known = false;
  for (size_t at = 12; at + 8 <= file.size();) {
    const size_t size = number(file, at + 4, 4), body = at + 8;
    if (file.compare(at, 4, "fmt ") == 0)
      known = number(file, body, 2) == 1 && number(file, body + 2, 2) == 1 &&
              number(file, body + 4, 4) == 8000 && number(file, body + 14, 2) == 16;
    if (file.compare(at, 4, "data") == 0) {
      if (!known) throw std::runtime_error("only 16 bits, one channel, 8000 samples a second");
      const auto n = static_cast<int64_t>(std::min(size, file.size() - body) / 2);
      auto samples = sconce::empty({1, n});
      for (int64_t i = 0; i < n; ++i)
        samples.data_ptr<float>()[i] = static_cast<float>(static_cast<int16_t>(
                                           number(file, body + 2 * static_cast<size_t>(i), 2))) /
                                       32768;
      return samples;
    }
    at = body + size + size % 2;
  }
  throw std::runtime_error("a WAV file without samples");
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: speech MODEL.pt SOUND.wav\n";
    return 2;
  }
  auto model = sconce::load(argv[1]);
  const auto likely = model.forward({read_wav(argv[2])}).toTensor().contiguous();  // [1, frames]
  const float* p = likely.const_data_ptr<float>();
  const int64_t frames = likely.size(1);

  // Begins above 0.6, ends below 0.4; pauses of less than 150 ms belong to it, and what is shorter
  // than 100 ms is no speech.
  struct Stretch {
    int64_t from, to;
  };
  std::vector<Stretch> found;
  bool speaking = false;
  for (int64_t i = 0; i < frames; ++i) {
    if (speaking ? p[i] < 0.4f : p[i] > 0.6f) {
      speaking = !speaking;
      if (speaking && !found.empty() && i - found.back().to < 15)
        found.back().to = frames;
      else if (speaking)
        found.push_back({i, frames});
      else
        found.back().to = i;
    }
  }
  for (auto& s : found)
    if (s.to - s.from >= 10)
      std::printf("%.2f s to %.2f s\n", static_cast<double>(s.from) / 100,
                  static_cast<double>(s.to) / 100);
} catch (const std::exception& e) {  // sconce::Error is one
  std::cerr << e.what() << "\n";
  return 3;
}
