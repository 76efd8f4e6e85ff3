// SPDX-License-Identifier: Apache-2.0
#include "loader/zip.h"

#include <zlib.h>

#include <algorithm>

#include "core/budget.h"
#include "support/byte_reader.h"

namespace sconce::zip {

namespace {

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50,
                   kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
// No deflated record may claim more than this many times its compressed size (deflate's limit is
// 1032).
constexpr uint64_t kMaxRatio = 1040;
// torch stores its records; only crafted ones are large and shrink a hundredfold.
constexpr uint64_t kLarge = uint64_t{64} << 20, kSuspicious = 200;

std::string lower(std::string s) {
  for (char& c : s)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return s;
}

// Takes the 64-bit values of the zip64 extra in the order in which their 32-bit fields overflowed.
void read_zip64_extra(ByteReader& r, size_t extra_size, Entry& e) {
  size_t end = r.position() + extra_size;
  while (r.position() + 4 <= end) {
    uint16_t id = r.little<uint16_t>(), n = r.little<uint16_t>();
    size_t next = r.position() + n;
    if (id == 1) {
      auto field = [&](uint64_t& v) {
        if (v == 0xffffffffu) v = r.little<uint64_t>();
      };
      field(e.size);
      field(e.compressed_size);
      field(e.header_offset);
    }
    r.seek(next);
  }
  r.seek(end);
}

}  // namespace

Archive::Archive(Bytes bytes, std::string name, bool flat)
    : bytes_(std::move(bytes)), name_(std::move(name)), flat_(flat) {
  auto fail = [&](const char* what) { raise<FormatError>(name_, ": ", what); };
  ByteReader r(bytes_.data, bytes_.size, name_.c_str());
  if (bytes_.size < 22)
    fail(bytes_.size < 4 ? "the file is empty or far too short for an archive"
                         : "the file is too short for a zip archive (is it truncated?)");
  if (std::memcmp(bytes_.data, "PYTORCH1", 8) == 0)
    fail("this is the unreleased PYTORCH1 preview format, which is not supported");
  if (r.little<uint32_t>() != kLocal) fail("not a zip archive (no local header at the start)");
  // The end record: within the last 64 KiB; bytes may follow it.
  size_t end = bytes_.size - 22;
  size_t lowest = bytes_.size > 22 + 65535 ? bytes_.size - 22 - 65535 : 0;
  for (;; --end) {
    r.seek(end);
    if (r.little<uint32_t>() == kEnd) break;
    if (end == lowest) fail("no end of the zip directory (is the file truncated?)");
  }
  uint16_t disk = r.little<uint16_t>(), cd_disk = r.little<uint16_t>(),
           on_disk = r.little<uint16_t>();
  uint64_t count = r.little<uint16_t>();
  uint64_t cd_size = r.little<uint32_t>(), cd_offset = r.little<uint32_t>();
  if (disk != 0 || cd_disk != 0 || on_disk != count)
    fail("archives in several parts are not supported");
  if (count == 0xffff || cd_size == 0xffffffffu || cd_offset == 0xffffffffu) {
    if (end < 20) fail("broken zip64 locator");
    r.seek(end - 20);
    if (r.little<uint32_t>() != kLocator64) fail("broken zip64 locator");
    r.take(4);
    r.seek(r.little<uint64_t>());
    if (r.little<uint32_t>() != kEnd64) fail("broken zip64 end record");
    r.take(8 + 2 + 2 + 4 + 4 + 8);
    count = r.little<uint64_t>();
    cd_size = r.little<uint64_t>();
    cd_offset = r.little<uint64_t>();
  }
  if (cd_offset > bytes_.size || cd_size > bytes_.size - cd_offset)
    fail("the zip directory lies outside of the file");
  if (count > cd_size / 46) fail("the zip directory counts more records than it has room for");
  r.seek(cd_offset);
  for (uint64_t i = 0; i < count; ++i) {
    if (r.little<uint32_t>() != kCentral) fail("the zip directory is broken");
    Entry e;
    r.take(4);
    e.flags = r.little<uint16_t>();
    e.method = r.little<uint16_t>();
    r.take(8);
    e.compressed_size = r.little<uint32_t>();
    e.size = r.little<uint32_t>();
    uint16_t name_size = r.little<uint16_t>(), extra = r.little<uint16_t>(),
             comment = r.little<uint16_t>();
    r.take(8);
    e.header_offset = r.little<uint32_t>();
    e.name.assign(reinterpret_cast<const char*>(r.take(name_size)), name_size);
    read_zip64_extra(r, extra, e);
    r.take(comment);
    index_.emplace(flat ? e.name : lower(e.name),
                   entries_.size());  // the first of equal names wins
    entries_.push_back(std::move(e));
  }
  if (entries_.empty()) fail("the archive is empty");
  // Records have bytes of their own.
  uint64_t taken = 0;
  for (auto& e : entries_) {
    if (e.compressed_size > bytes_.size - taken)
      fail("records overlap, or lie outside of the file");
    taken += e.compressed_size;
  }
  if (flat) return;
  // Without a folder nothing is found: no name begins with '/'.
  size_t slash = entries_[0].name.find('/');
  folder_ = (slash == std::string::npos ? "" : entries_[0].name.substr(0, slash)) + "/";
}

const Entry* Archive::find(const std::string& record) const {
  auto it = index_.find(flat_ ? record : lower(folder_ + record));
  return it == index_.end() ? nullptr : &entries_[it->second];
}

std::vector<std::string> Archive::names() const {
  std::vector<std::string> r;
  for (auto& e : entries_) r.push_back(e.name);
  return r;
}

std::vector<std::string> Archive::records() const {
  std::vector<std::string> r;
  for (auto& e : entries_)
    if (e.name.compare(0, folder_.size(), folder_) == 0) r.push_back(e.name.substr(folder_.size()));
  return r;
}

Bytes Archive::payload(const Entry& e) const {
  ByteReader r(bytes_.data, bytes_.size, e.name.c_str());
  if (e.flags & 1) raise<FormatError>(name_, ": record ", e.name, " is encrypted");
  r.seek(e.header_offset);
  if (r.little<uint32_t>() != kLocal)
    raise<FormatError>(name_, ": record ", e.name, " has no local header");
  r.take(22);
  uint16_t name_size = r.little<uint16_t>(), extra = r.little<uint16_t>();
  r.take(uint64_t{name_size} + extra);
  Bytes b;
  b.data = r.take(e.compressed_size);
  b.size = static_cast<size_t>(e.compressed_size);
  b.owner = bytes_.owner;
  b.writable = bytes_.writable;
  return b;
}

// All that is read is worth what the file is, a record that is read again counted again.
void Archive::count_inflated(const Entry& e) const {
  std::lock_guard<std::mutex> lock(mutex_);
  inflated_ += e.size;
  if (inflated_ > 4 * kLarge && inflated_ / kSuspicious > bytes_.size)
    raise<FormatError>(name_, ": the records inflate from ", bytes_.size, " to ", inflated_,
                       " bytes, more than any real archive");
}

Bytes Archive::read(const std::string& record) const {
  const Entry* e = find(record);
  if (!e) raise<FormatError>(name_, ": the archive has no record '", record, "'");
  Bytes raw = payload(*e);
  if (e->method == 0) {
    if (e->size != e->compressed_size)
      raise<FormatError>(name_, ": sizes of the stored record ", record, " disagree");
    return raw;
  }
  if (e->method != 8)
    raise<FormatError>(name_, ": record ", record, " uses compression method ", e->method,
                       "; only stored and deflate are known");
  if (e->size / kMaxRatio > e->compressed_size)
    raise<FormatError>(name_, ": record ", record, " claims an impossible size");
  if (e->size > kLarge && e->size / kSuspicious > e->compressed_size)
    raise<FormatError>(name_, ": record ", record, " inflates from ", e->compressed_size, " to ",
                       e->size, " bytes, more than any real archive");
  count_inflated(*e);
  struct Inflated {
    Charge charge;
    std::vector<unsigned char> bytes;
  };
  auto holder = std::make_shared<Inflated>();
  if (MemoryAccount* m = memory_account()) holder->charge.set(*m, e->size);
  holder->bytes.resize(static_cast<size_t>(e->size));
  std::shared_ptr<std::vector<unsigned char>> out(holder, &holder->bytes);
  z_stream z{};
  if (inflateInit2(&z, -MAX_WBITS) != Z_OK) raise<OutOfMemory>("zlib cannot start");
  z.next_in = const_cast<unsigned char*>(raw.data);
  z.avail_in = static_cast<uInt>(raw.size);
  unsigned char spare;
  z.next_out = out->empty() ? &spare : out->data();
  z.avail_out = static_cast<uInt>(out->size());
  int rc = inflate(&z, Z_FINISH);
  bool ok = rc == Z_STREAM_END && z.total_out == e->size;
  inflateEnd(&z);
  if (!ok) raise<FormatError>(name_, ": record ", record, " does not inflate to its size");
  Bytes b;
  b.data = out->data();
  b.size = out->size();
  b.owner = out;
  b.writable = true;
  return b;
}

std::string Archive::read_text(const std::string& record) const {
  Bytes b = read(record);
  return std::string(reinterpret_cast<const char*>(b.data), b.size);
}

}  // namespace sconce::zip
