// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <malloc.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>

// Bytes that the process has in memory.
inline int64_t resident() {
  malloc_trim(0);
  std::ifstream in("/proc/self/statm");
  int64_t size = 0, pages = 0;
  in >> size >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}
