// SPDX-License-Identifier: Apache-2.0
// Runs fuzz targets on files, in any build.
//
//     sconce_fuzz_replay TARGET FILE...      prints what each file's answer is
//     sconce_fuzz_replay --check FOLDER      FOLDER/TARGET/FILE against FOLDER/TARGET/FILE.expected
//     sconce_fuzz_replay --update FOLDER     writes those
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

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
  const Target* t = find_target(first);
  if (!t) {
    std::cerr << "there is no target " << first << "\n";
    return 2;
  }
  for (int i = 2; i < argc; ++i) std::cout << argv[i] << ": " << answer(*t, argv[i]) << std::endl;
  return 0;
}
