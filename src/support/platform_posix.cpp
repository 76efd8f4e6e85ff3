// SPDX-License-Identifier: Apache-2.0
#ifndef SCONCE_STATIC
#include <dlfcn.h>
#endif
#include <fcntl.h>
#if defined(__linux__)
#include <sched.h>
#endif
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "sconce/error.h"
#include "support/platform.h"

namespace sconce {

namespace {

class OpenFile {
 public:
  explicit OpenFile(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) raise<FormatError>("cannot open ", path, ": ", std::strerror(errno));
  }
  OpenFile(const OpenFile&) = delete;
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  int number() const { return fd_; }
  // Whoever asks closes it.
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// What the system says of a file that may hold a model.
struct stat look(const OpenFile& file, const std::string& path) {
  struct stat st;
  if (fstat(file.number(), &st) != 0)
    raise<FormatError>("cannot read ", path, ": not a regular file");
  if (S_ISDIR(st.st_mode))
    raise<FormatError>(path, ": a directory; a model is one file",
                       ::access((path + "/saved_model.pb").c_str(), F_OK) == 0
                           ? " (this one is a TensorFlow SavedModel)"
                       : ::access((path + "/constants.pkl").c_str(), F_OK) == 0
                           ? " (this one is an unpacked archive: zip it)"
                           : "");
  return st;
}

// Pages of the process, which go back to the system at once.
struct Pages {
  explicit Pages(size_t n) : size(n) {
    if (!n) return;
    void* p = mmap(nullptr, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) raise<OutOfMemory>("no memory for ", n, " bytes");
    data = static_cast<unsigned char*>(p);
    // Fewer pages, less time; where the system has none, nothing happens.
    if (n >= size_t{4} << 20) madvise(p, n, MADV_HUGEPAGE);
  }
  Pages(const Pages&) = delete;
  ~Pages() {
    if (data) munmap(data, size);
  }
  unsigned char* data = nullptr;
  const size_t size;
};

}  // namespace

std::shared_ptr<unsigned char> allocate_pages(size_t n) {
  auto pages = std::make_shared<Pages>(n);
  return {pages, pages->data};
}

Bytes read_file(const std::string& path, const std::function<void(size_t)>& expect) {
  OpenFile file(path);
  const struct stat st = look(file, path);
  // One byte more than the file has, to see its end.
  size_t room = (S_ISREG(st.st_mode) ? static_cast<size_t>(st.st_size) : 0) + 1, size = 0;
  std::shared_ptr<Pages> pages;
  for (;;) {
    if (!pages || size == pages->size) {  // it has grown, or is no file that says its size
      if (pages) room = size * 2 + 65536;
      if (expect) expect(room);
      auto larger = std::make_shared<Pages>(room);
      if (size) std::memcpy(larger->data, pages->data, size);
      pages = std::move(larger);
    }
    const ssize_t n = ::read(file.number(), pages->data + size, pages->size - size);
    if (n == 0) break;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) raise<FormatError>("cannot read ", path, ": ", std::strerror(errno));
    size += static_cast<size_t>(n);
  }
  Bytes b;
  b.data = pages->data;
  b.size = size;
  b.owner = pages;
  b.writable = true;
  return b;
}

Bytes map_file(const std::string& path) {
  OpenFile file(path);
  const struct stat st = look(file, path);
  Bytes b;
  b.size = static_cast<size_t>(st.st_size);
  if (!b.size || !S_ISREG(st.st_mode)) return read_file(path);
  void* p = mmap(nullptr, b.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.number(), 0);
  if (p == MAP_FAILED) return read_file(path);
  size_t n = b.size;
  b.data = static_cast<const unsigned char*>(p);
  b.owner = std::shared_ptr<const void>(p, [n](const void* q) { munmap(const_cast<void*>(q), n); });
  b.writable = true;
  return b;
}

uint64_t regular_file_size(const std::string& path) {
  struct stat st;
  return ::stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) ? static_cast<uint64_t>(st.st_size)
                                                               : 0;
}
RandomAccessFile::RandomAccessFile(const std::string& path) : path_(path) {
  OpenFile file(path);
  const struct stat st = look(file, path);
  size_ = static_cast<uint64_t>(st.st_size);
  seconds_ = st.st_mtim.tv_sec, nanoseconds_ = st.st_mtim.tv_nsec;
  number_ = file.release();
}
RandomAccessFile::~RandomAccessFile() { ::close(number_); }
void RandomAccessFile::read(uint64_t offset, size_t n, void* to) const {
  for (auto* at = static_cast<char*>(to); n;) {
    const ssize_t got = ::pread(number_, at, n, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) raise<FormatError>("cannot read ", path_, ": ", std::strerror(errno));
    if (!got) raise<FormatError>(path_, ": the file has become shorter since it was opened");
    at += got, offset += static_cast<uint64_t>(got), n -= static_cast<size_t>(got);
  }
}
bool RandomAccessFile::changed() const {
  struct stat st;
  return fstat(number_, &st) != 0 || static_cast<uint64_t>(st.st_size) != size_ ||
         st.st_mtim.tv_sec != seconds_ || st.st_mtim.tv_nsec != nanoseconds_;
}

void* reserve_addresses(size_t n) {
  void* p =
      mmap(nullptr, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? nullptr : p;
}
void release_addresses(void* p, size_t n) { munmap(p, n); }
#ifdef SCONCE_STATIC
void* open_library(const char*) { return nullptr; }
std::string library_error() {
  return "this build of sconce is one static program, which opens no shared libraries";
}
void* library_symbol(void*, const char*) { return nullptr; }
#else
void* open_library(const char* name) { return dlopen(name, RTLD_NOW | RTLD_LOCAL); }
std::string library_error() {
  const char* why = dlerror();
  return why ? why : "";
}
void* library_symbol(void* library, const char* symbol) { return dlsym(library, symbol); }
#endif
std::string program_folder() {
  char path[4096];
  ssize_t n = ::readlink("/proc/self/exe", path, sizeof path);
  std::string s(path, n > 0 ? static_cast<size_t>(n) : 0);
  size_t slash = s.rfind('/');
  return slash == std::string::npos ? "." : s.substr(0, slash);
}

#if defined(__linux__)
namespace {

// What a control group's file grants: "max 100000", "150000 100000" or, in two files, the numbers
// of version 1. No limit: infinity.
double processors_of(const std::string& limit, const std::string& period) {
  const double all = std::numeric_limits<double>::infinity();
  std::ifstream file(limit);
  std::string quota;
  double per = 100000;
  if (!(file >> quota) || quota == "max" || quota[0] == '-') return all;
  if (!(file >> per)) std::ifstream(period) >> per;
  return per > 0 ? std::strtod(quota.c_str(), nullptr) / per : all;
}

// The least that the group in /proc/self/cgroup and those around it grant.
double granted_processors() {
  double least = std::numeric_limits<double>::infinity();
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "0::/a/b", "4:cpu,cpuacct:/a/b"
    const size_t names = line.find(':'), path = line.find(':', names + 1);
    if (path == std::string::npos) continue;
    const std::string kinds = "," + line.substr(names + 1, path - names - 1) + ",";
    const bool second = kinds == ",,";
    if (!second && kinds.find(",cpu,") == std::string::npos) continue;
    for (std::string group = line.substr(path + 1);; group.resize(group.rfind('/'))) {
      if (!group.empty() && group.back() == '/') group.pop_back();
      const std::string folder = (second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu") + group;
      least = std::min(least, second ? processors_of(folder + "/cpu.max", "")
                                     : processors_of(folder + "/cpu.cfs_quota_us",
                                                     folder + "/cpu.cfs_period_us"));
      if (group.rfind('/') == std::string::npos) break;
    }
  }
  return least;
}

}  // namespace
#endif

uint64_t unforeseen() {
  uint64_t r = 0;
  if (getentropy(&r, sizeof r) == 0) return r;
  std::random_device random;  // an old system
  return uint64_t{random()} << 32 | random();
}

int usable_processors() {
  double n = std::max(1u, std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t set;  // of at most 1024; where there are more, the call fails
  if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
  n = std::max(1.0, std::min(n, granted_processors()));
#endif
  return static_cast<int>(n);
}

// WebAssembly's own limit is all there is.
#if defined(__EMSCRIPTEN__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
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
