// SPDX-License-Identifier: Apache-2.0
// The only place that knows the operating system: mapped files, shared libraries,
// processors.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace sconce {

struct Bytes {
  const unsigned char* data = nullptr;
  size_t size = 0;
  std::shared_ptr<const void> owner;  // keeps data alive
  bool writable = false;              // a private copy-on-write mapping
};

// The whole file, in memory of the process's own. expect is told how many bytes it will take before
// they are taken; it may throw. Throws FormatError.
Bytes read_file(const std::string& path, const std::function<void(size_t)>& expect = {});
// The whole file, mapped privately (copy on write) where that works, else read. Whoever cuts the
// file afterwards ends the process. Throws FormatError.
Bytes map_file(const std::string& path);
// Bytes of a regular file; 0 when it is none or isn't there. Opens nothing: a pipe has one reader.
uint64_t regular_file_size(const std::string& path);
// A regular file that is read piece by piece, through one descriptor: removing it, or putting
// another in its place, changes nothing. Any number of threads.
class RandomAccessFile {
 public:
  // Throws FormatError.
  explicit RandomAccessFile(const std::string& path);
  RandomAccessFile(const RandomAccessFile&) = delete;
  ~RandomAccessFile();
  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }  // when it was opened
  // Throws FormatError when it can't be read or has fewer bytes.
  void read(uint64_t offset, size_t n, void* to) const;
  // It may have been written, or cut, since it was opened.
  bool changed() const;

 private:
  std::string path_;
  int number_;
  uint64_t size_;
  int64_t seconds_, nanoseconds_;  // when it was written last
};
// Addresses of n bytes that read as zero and take memory where they are written only, so that n may
// be far more than the machine has; null when they can't be had. release_addresses gives them back.
void* reserve_addresses(size_t n);
void release_addresses(void* p, size_t n);
// n bytes of pages of the process's own, large ones where the system has them; zero, at an address
// that is a multiple of 4096. Throws OutOfMemory.
std::shared_ptr<unsigned char> allocate_pages(size_t n);
// A shared library opened lazily; null when it can't be had.
void* open_library(const char* name);
// Why the last open_library of this thread failed.
std::string library_error();
// The folder of the running program; "." when it isn't known.
std::string program_folder();
void* library_symbol(void* library, const char* symbol);
// How many processors this thread may run on at once: its affinity, cut to what its control group
// grants (rounded down, but at least 1).
int usable_processors();
// Nobody foresees it; by a call of the system, so that no file (/dev/urandom) need be there.
uint64_t unforeseen();
// The process gets at most this many bytes more from the system, for as long as it runs; asking for
// more fails as if there were none. Does nothing where a sanitizer keeps its own memory.
void limit_process_memory(size_t more);

}  // namespace sconce
