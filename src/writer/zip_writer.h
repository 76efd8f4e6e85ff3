// SPDX-License-Identifier: Apache-2.0
// Writes zip archives as PyTorch's writer does: stored records whose bytes begin at multiples of
// 64, so that a reader may map them; zip64 where 32 bits don't do.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "support/byte_sink.h"

namespace sconce::writer {

class ZipWriter {
 public:
  // folder: the top folder of all records, without a slash.
  ZipWriter(ByteSink& out, std::string folder) : out_(out), folder_(std::move(folder)) {}
  void add(const std::string& record, const void* data, uint64_t size);
  void add(const std::string& record, const std::string& bytes) {
    add(record, bytes.data(), bytes.size());
  }
  // ".data/serialization_id" and the directory. Nothing may be added after it.
  void finish();

 private:
  struct Entry {
    std::string name;
    uint64_t offset, size;
    uint32_t crc;
  };
  void put(const std::string& bytes);
  ByteSink& out_;
  std::string folder_;
  uint64_t at_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace sconce::writer
