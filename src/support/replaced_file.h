// SPDX-License-Identifier: Apache-2.0
// A file that is written beside the one it replaces, and takes its place when all of it is on the
// disk: whatever goes wrong before, the old one is still there and nothing else is. What isn't a
// regular file (a pipe, /dev/null) is written as it comes.
#pragma once
#include <string>

#include "support/byte_sink.h"

namespace sconce {

class ReplacedFile final : public ByteSink {
 public:
  // Throws Error when nothing can be written there.
  explicit ReplacedFile(const std::string& path);
  ReplacedFile(const ReplacedFile&) = delete;
  // Removes what was written, unless commit() was called.
  ~ReplacedFile() override;
  // Throws Error: no space left, the limit of a file's size, ...
  void write(const void* data, size_t size) override;
  // From here on the path names the new file. Throws Error.
  void commit();

 private:
  [[noreturn]] void fail() const;
  void drain();
  std::string path_, target_, written_;  // as given; without links; where it is written meanwhile
  int fd_ = -1;
  bool replaces_ = true;
  std::string buffer_;
};

}  // namespace sconce
