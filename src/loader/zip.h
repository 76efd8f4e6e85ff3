// SPDX-License-Identifier: Apache-2.0
// Reads zip archives as PyTorch writes them: stored and deflated records, zip64; everything from
// the central directory.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "sconce/tensor.h"
#include "support/platform.h"

namespace sconce::zip {

struct Entry {
  std::string name;  // with the folder
  uint64_t header_offset = 0, compressed_size = 0, size = 0;
  uint32_t crc = 0;
  uint16_t method = 0, flags = 0;
};

class Archive {
 public:
  // Throws FormatError when the bytes are no zip archive that PyTorch would read. Without a top
  // folder it has names but no records, unless it is flat: records that stand in no folder (a
  // .npz).
  explicit Archive(Bytes bytes, std::string name, bool flat = false);
  // Reads the directory, and each record when it is asked for.
  explicit Archive(std::shared_ptr<const RandomAccessFile> file);

  const std::string& file_name() const { return name_; }
  uint64_t size() const { return file_ ? file_->size() : bytes_.size; }  // of the file
  bool has(const std::string& record) const { return find(record) != nullptr; }
  // Record without the folder; throws FormatError when it is missing or broken.
  Bytes read(const std::string& record) const;
  // The record as a storage whose bytes are read when somebody looks at them; null where that isn't
  // worth it: they are in memory, packed, few, or not nbytes.
  Ref<Storage> defer(const std::string& record, uint64_t nbytes) const;
  std::string read_text(const std::string& record) const;
  // All names as the directory has them.
  std::vector<std::string> names() const;
  // Names without the folder, in the directory's order.
  std::vector<std::string> records() const;

 private:
  // Some of the file, and where in it they begin.
  struct Window {
    Bytes bytes;
    uint64_t begin = 0;
  };
  // At least n bytes from offset on; fewer where the file ends.
  Window window(uint64_t offset, uint64_t n) const;
  void read_directory();
  const Entry* find(const std::string& record) const;
  uint64_t payload_offset(const Entry& e) const;
  Bytes payload(const Entry& e) const;
  void count_inflated(const Entry& e) const;
  Bytes bytes_;  // unless it is read piece by piece
  std::shared_ptr<const RandomAccessFile> file_;
  std::string name_, folder_;  // the folder with its slash
  bool flat_ = false;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, size_t> index_;  // full name, lower-case unless flat
  mutable std::mutex mutex_;
  mutable uint64_t inflated_ = 0;  // bytes of the deflated records that were read
};

}  // namespace sconce::zip
