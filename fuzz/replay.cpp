// SPDX-License-Identifier: Apache-2.0
// Runs fuzz targets on files, in any build.
//
//     sconce_fuzz_replay TARGET FILE...      prints what each file's answer is
//     sconce_fuzz_replay --check FOLDER      FOLDER/TARGET/FILE against FOLDER/TARGET/FILE.expected
//     sconce_fuzz_replay --update FOLDER     writes those
//     sconce_fuzz_replay --mutate TARGET RUNS SEED LAST FILE...
//                                            runs on random changes of the files, without looking
//                                            at what is covered; the input at hand stands in the
//                                            file LAST, so that a crash leaves it
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>

#include "mutators.h"
#include "targets.h"

namespace fs = std::filesystem;
using namespace sconce::fuzz;

namespace {

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

std::string answer(const Target& t, const fs::path& path) {
  const std::string data = read(path);
  const std::string message = t.run(reinterpret_cast<const uint8_t*>(data.data()), data.size());
  return message.empty() ? "no error" : message;
}

int check(const fs::path& folder, bool update) {
  int files = 0, different = 0;
  for (auto& t : targets()) {
    if (!fs::is_directory(folder / t.name)) continue;
    std::vector<fs::path> paths;
    for (auto& entry : fs::directory_iterator(folder / t.name))
      if (entry.path().extension() != ".expected") paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    for (auto& path : paths) {
      ++files;
      const fs::path expected = path.string() + ".expected";
      const std::string got = answer(t, path) + "\n";
      if (update) {
        std::ofstream(expected, std::ios::binary) << got;
      } else if (const std::string wanted = read(expected); got != wanted) {
        ++different;
        std::cout << path.string() << ": expected\n" << wanted << "but got\n" << got;
      }
    }
  }
  std::cout << files << " files, " << different << " with another answer\n";
  return files && !different ? 0 : 1;
}

// A few bytes or bits changed, taken out, doubled.
size_t mutate_bytes(uint8_t* data, size_t size, size_t max_size) {
  static std::mt19937_64 rng(1);
  auto below = [&](size_t n) { return n ? static_cast<size_t>(rng() % n) : 0; };
  for (size_t n = 1 + below(4); n > 0; --n) {
    const size_t at = below(size), part = 1 + below(std::min<size_t>(size - at, 16));
    switch (size ? below(5) : 4) {
      case 0: data[at] ^= static_cast<uint8_t>(1u << below(8)); break;
      case 1: data[at] = static_cast<uint8_t>(rng()); break;
      case 2: std::fill_n(data + at, std::min(part, size - at), below(2) ? 0xff : 0); break;
      case 3:
        if (part >= size) break;
        std::copy(data + at + part, data + size, data + at);
        size -= part;
        break;
      default:
        if (size + 1 > max_size) break;
        std::copy_backward(data + at, data + size, data + size + 1);
        data[at] = static_cast<uint8_t>(rng());
        ++size;
    }
  }
  return size;
}

int mutate_files(const Target& t, uint64_t runs, unsigned seed, const fs::path& last,
                 const std::vector<fs::path>& paths) {
  constexpr size_t kLargest = 16384;
  std::vector<std::string> inputs;
  for (auto& p : paths)
    if (fs::file_size(p) <= kLargest) inputs.push_back(read(p));
  if (inputs.empty()) return 2;
  std::mt19937_64 rng(seed);
  uint64_t answers = 0;
  for (uint64_t i = 0; i < runs; ++i) {
    std::string data = inputs[rng() % inputs.size()];
    size_t n = data.size();
    data.resize(2 * kLargest);
    auto* p = reinterpret_cast<uint8_t*>(data.data());
    for (uint64_t k = 1 + rng() % 4; k > 0; --k)
      n = mutate(t.shape, p, n, data.size(), static_cast<unsigned>(rng()), mutate_bytes);
    std::ofstream(last, std::ios::binary).write(data.data(), static_cast<std::streamsize>(n));
    answers += t.run(p, n).empty();
  }
  std::cout << t.name << ": " << runs << " runs, " << answers << " without an error\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string first = argc > 1 ? argv[1] : "";
  if (argc < 3) {
    std::cerr << "usage: sconce_fuzz_replay TARGET FILE... | --check FOLDER | --update FOLDER\n";
    for (auto& t : targets()) std::cerr << "  " << t.name << ": " << t.what << "\n";
    return 2;
  }
  prepare();
  if (first == "--check" || first == "--update") return check(argv[2], first == "--update");
  const bool changes = first == "--mutate" && argc > 6;
  const Target* t = find_target(changes ? argv[2] : first);
  if (!t) {
    std::cerr << "there is no target " << first << "\n";
    return 2;
  }
  if (changes)
    return mutate_files(*t, std::stoull(argv[3]), static_cast<unsigned>(std::stoul(argv[4])),
                        argv[5], {argv + 6, argv + argc});
  for (int i = 2; i < argc; ++i) std::cout << argv[i] << ": " << answer(*t, argv[i]) << std::endl;
  return 0;
}
