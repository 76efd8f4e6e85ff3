// SPDX-License-Identifier: Apache-2.0
// Opens and closes a library that uses libsconce, again and again: each time libsconce must leave
// the process, its threads have ended, and the heap is what it was.
//
//     sconce_unload LIBRARY FIXTURE [ROUNDS]
#include <dlfcn.h>
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace {
bool mapped() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.find("libsconce.so") != std::string::npos) return true;
  return false;
}
int threads() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("Threads:", 0) == 0) return std::atoi(line.c_str() + 8);
  return 0;
}
int fail(int round, const std::string& what) {
  std::fprintf(stderr, "round %d: %s\n", round, what.c_str());
  return 1;
}
}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 100;
  size_t before = 0;
  for (int i = 0; i < rounds; ++i) {
    void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!library) return fail(i, dlerror());
    if (!mapped()) return fail(i, "libsconce isn't there");
    using Use = const char* (*)(const char*);
    auto use = reinterpret_cast<Use>(dlsym(library, "use_sconce"));
    const std::string wrong = use ? use(argv[2]) : "no use_sconce";
    if (!wrong.empty()) return fail(i, wrong);
    if (dlclose(library)) return fail(i, dlerror());
    if (mapped()) return fail(i, "libsconce is still mapped");
    if (threads() != 1) return fail(i, "threads are left");
    if (i == rounds / 2) before = mallinfo2().uordblks;
  }
  const size_t after = mallinfo2().uordblks;
  std::printf("%d rounds; heap half-way: %zu bytes, at the end: %zu\n", rounds, before, after);
  // Freed blocks that malloc keeps for its threads count as used.
  if (after > before + 16384 + 100 * static_cast<size_t>(rounds / 2))
    return fail(rounds, "the heap grows");
}
