// SPDX-License-Identifier: Apache-2.0
// Bounds-checked reading of untrusted bytes. Every read past the end throws FormatError.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>

#include "sconce/error.h"

namespace sconce {

class ByteReader {
 public:
  ByteReader(const unsigned char* data, size_t size, const char* what)
      : data_(data), size_(size), what_(what) {}
  size_t position() const { return at_; }
  size_t size() const { return size_; }
  size_t left() const { return size_ - at_; }
  void seek(uint64_t at) {
    if (at > size_) fail(at);
    at_ = static_cast<size_t>(at);
  }
  const unsigned char* take(uint64_t n) {
    if (n > left()) fail(at_ + n);
    const unsigned char* p = data_ + at_;
    at_ += static_cast<size_t>(n);
    return p;
  }
  template <class T>
  T little() {
    T v;
    std::memcpy(&v, take(sizeof(T)), sizeof(T));
    return v;
  }
  uint8_t u8() { return *take(1); }
  // Up to and without the newline, which is consumed.
  std::string line() {
    const void* nl = std::memchr(data_ + at_, '\n', left());
    if (!nl) fail(size_);
    size_t n = static_cast<size_t>(static_cast<const unsigned char*>(nl) - (data_ + at_));
    std::string s(reinterpret_cast<const char*>(data_ + at_), n);
    at_ += n + 1;
    return s;
  }

 private:
  [[noreturn]] void fail(uint64_t wanted) const {
    raise<FormatError>(what_, ": truncated (byte ", wanted, " wanted, ", size_, " there)");
  }
  const unsigned char* data_;
  size_t size_, at_ = 0;
  const char* what_;
};

}  // namespace sconce
