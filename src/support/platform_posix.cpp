// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <vector>

#include "sconce/error.h"
#include "support/platform.h"

namespace sconce {

Bytes map_file(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) raise<FormatError>("cannot open ", path, ": ", std::strerror(errno));
  struct stat st;
  const bool known = fstat(fd, &st) == 0;
  if (!known || S_ISDIR(st.st_mode)) {
    ::close(fd);
    if (!known) raise<FormatError>("cannot read ", path, ": not a regular file");
    raise<FormatError>(path, ": a directory; a model is one file",
                       ::access((path + "/saved_model.pb").c_str(), F_OK) == 0
                           ? " (this one is a TensorFlow SavedModel)"
                       : ::access((path + "/constants.pkl").c_str(), F_OK) == 0
                           ? " (this one is an unpacked archive: zip it)"
                           : "");
  }
  Bytes b;
  b.size = static_cast<size_t>(st.st_size);
  if (b.size && S_ISREG(st.st_mode)) {
    void* p = mmap(nullptr, b.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (p != MAP_FAILED) {
      ::close(fd);
      size_t n = b.size;
      b.data = static_cast<const unsigned char*>(p);
      b.owner =
          std::shared_ptr<const void>(p, [n](const void* q) { munmap(const_cast<void*>(q), n); });
      b.writable = true;
      return b;
    }
  }
  auto buf = std::make_shared<std::vector<unsigned char>>();
  unsigned char chunk[65536];
  for (ssize_t n; (n = ::read(fd, chunk, sizeof chunk)) > 0;)
    buf->insert(buf->end(), chunk, chunk + n);
  ::close(fd);
  b.data = buf->data();
  b.size = buf->size();
  b.owner = buf;
  return b;
}

void* reserve_addresses(size_t n) {
  void* p =
      mmap(nullptr, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? nullptr : p;
}
void release_addresses(void* p, size_t n) { munmap(p, n); }
void* open_library(const char* name) { return dlopen(name, RTLD_NOW | RTLD_LOCAL); }
std::string library_error() {
  const char* why = dlerror();
  return why ? why : "";
}
std::string program_folder() {
  char path[4096];
  ssize_t n = ::readlink("/proc/self/exe", path, sizeof path);
  std::string s(path, n > 0 ? static_cast<size_t>(n) : 0);
  size_t slash = s.rfind('/');
  return slash == std::string::npos ? "." : s.substr(0, slash);
}
void* library_symbol(void* library, const char* symbol) { return dlsym(library, symbol); }

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
void limit_process_memory(size_t) {}
#else
void limit_process_memory(size_t more) {
  // Pages that may be written and belong to this process alone.
  size_t now = 0;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmData:", 0) == 0) now = std::strtoull(line.c_str() + 7, nullptr, 10) << 10;
  struct rlimit limit;
  if (getrlimit(RLIMIT_DATA, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, now + more);
  setrlimit(RLIMIT_DATA, &limit);
}
#endif

}  // namespace sconce
