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

// The stored record that was just read is what it was when the file was opened.
void check_unchanged(const RandomAccessFile& file, const Entry& e, const void* bytes) {
  if (!file.changed()) return;
  const uLong crc = crc32_z(0, static_cast<const Bytef*>(bytes), static_cast<size_t>(e.size));
  if (crc != e.crc)
    raise<FormatError>(file.path(), ": the file was written since it was loaded, and record ",
                       e.name,
                       " is needed now and another (LoadOptions::read_all reads all that "
                       "a file holds when it is loaded)");
}

}  // namespace

Archive::Archive(Bytes bytes, std::string name, bool flat)
    : bytes_(std::move(bytes)), name_(std::move(name)), flat_(flat) {
  read_directory();
}
Archive::Archive(std::shared_ptr<const RandomAccessFile> file)
    : file_(std::move(file)), name_(file_->path()) {
  read_directory();
}

namespace {
// Memory for n bytes of a file, counted as long as it lives.
Bytes make_room(uint64_t n, unsigned char** to) {
  struct Room {
    Charge charge;
    std::vector<unsigned char> bytes;
  };
  if (n >= static_cast<uint64_t>(PTRDIFF_MAX)) raise<OutOfMemory>("no memory for ", n, " bytes");
  auto room = std::make_shared<Room>();
  if (MemoryAccount* m = memory_account()) room->charge.set(*m, n);
  room->bytes.resize(static_cast<size_t>(n) + 1);  // an address in any case
  *to = room->bytes.data();
  Bytes b;
  b.data = *to;
  b.size = static_cast<size_t>(n);
  b.owner = room;
  b.writable = true;
  return b;
}
}  // namespace

Archive::Window Archive::window(uint64_t offset, uint64_t n) const {
  Window w;
  if (!file_) {
    w.bytes = bytes_;
    return w;
  }
  w.begin = std::min(offset, size());
  unsigned char* to;
  w.bytes = make_room(std::min(n, size() - w.begin), &to);
  file_->read(w.begin, w.bytes.size, to);
  return w;
}

void Archive::read_directory() {
  auto fail = [&](const char* what) { raise<FormatError>(name_, ": ", what); };
  const uint64_t length = size();
  if (length < 22)
    fail(length < 4 ? "the file is empty or far too short for an archive"
                    : "the file is too short for a zip archive (is it truncated?)");
  const Window head = window(0, 8);
  if (std::memcmp(head.bytes.data, "PYTORCH1", 8) == 0)
    fail("this is the unreleased PYTORCH1 preview format, which is not supported");
  if (ByteReader(head.bytes.data, 8, name_.c_str()).little<uint32_t>() != kLocal)
    fail("not a zip archive (no local header at the start)");
  // The end record: within the last 64 KiB; bytes may follow it.
  constexpr uint64_t kLocatorSize = 20;
  uint64_t end = length - 22;
  const uint64_t lowest = length > 22 + 65535 ? length - 22 - 65535 : 0;
  const Window tail = window(lowest > kLocatorSize ? lowest - kLocatorSize : 0, length);
  ByteReader r(tail.bytes.data, tail.bytes.size, name_.c_str());
  for (;; --end) {
    r.seek(end - tail.begin);
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
    if (end < kLocatorSize) fail("broken zip64 locator");
    r.seek(end - kLocatorSize - tail.begin);
    if (r.little<uint32_t>() != kLocator64) fail("broken zip64 locator");
    r.take(4);
    const auto at = r.little<uint64_t>();
    const Window w = window(at, 56);
    ByteReader end64(w.bytes.data, w.bytes.size, name_.c_str());
    end64.seek(at - w.begin);
    if (end64.little<uint32_t>() != kEnd64) fail("broken zip64 end record");
    end64.take(8 + 2 + 2 + 4 + 4 + 8);
    count = end64.little<uint64_t>();
    cd_size = end64.little<uint64_t>();
    cd_offset = end64.little<uint64_t>();
  }
  if (cd_offset > length || cd_size > length - cd_offset)
    fail("the zip directory lies outside of the file");
  if (count > cd_size / 46) fail("the zip directory counts more records than it has room for");
  const Window directory = window(cd_offset, cd_size);
  r = ByteReader(directory.bytes.data, directory.bytes.size, name_.c_str());
  r.seek(cd_offset - directory.begin);
  for (uint64_t i = 0; i < count; ++i) {
    if (r.little<uint32_t>() != kCentral) fail("the zip directory is broken");
    Entry e;
    r.take(4);
    e.flags = r.little<uint16_t>();
    e.method = r.little<uint16_t>();
    r.take(4);
    e.crc = r.little<uint32_t>();
    e.compressed_size = r.little<uint32_t>();
    e.size = r.little<uint32_t>();
    uint16_t name_size = r.little<uint16_t>(), extra = r.little<uint16_t>(),
             comment = r.little<uint16_t>();
    r.take(8);
    e.header_offset = r.little<uint32_t>();
    e.name.assign(reinterpret_cast<const char*>(r.take(name_size)), name_size);
    read_zip64_extra(r, extra, e);
    r.take(comment);
    index_.emplace(flat_ ? e.name : lower(e.name),
                   entries_.size());  // the first of equal names wins
    entries_.push_back(std::move(e));
  }
  if (entries_.empty()) fail("the archive is empty");
  // Records have bytes of their own.
  uint64_t taken = 0;
  for (auto& e : entries_) {
    if (e.compressed_size > length - taken) fail("records overlap, or lie outside of the file");
    taken += e.compressed_size;
  }
  if (flat_) return;
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

uint64_t Archive::payload_offset(const Entry& e) const {
  if (e.flags & 1) raise<FormatError>(name_, ": record ", e.name, " is encrypted");
  const Window w = window(e.header_offset, 30);
  ByteReader r(w.bytes.data, w.bytes.size, e.name.c_str());
  r.seek(e.header_offset - w.begin);
  if (r.little<uint32_t>() != kLocal)
    raise<FormatError>(name_, ": record ", e.name, " has no local header");
  r.take(22);
  uint16_t name_size = r.little<uint16_t>(), extra = r.little<uint16_t>();
  return w.begin + r.position() + name_size + extra;
}

Bytes Archive::payload(const Entry& e) const {
  const uint64_t at = payload_offset(e), n = e.compressed_size;
  if (at > size() || n > size() - at)
    raise<FormatError>(e.name, ": truncated (byte ", at + n, " wanted, ", size(), " there)");
  if (file_) {
    unsigned char* to;
    Bytes b = make_room(n, &to);
    file_->read(at, b.size, to);
    if (e.method == 0) check_unchanged(*file_, e, to);
    return b;
  }
  Bytes b;
  b.data = bytes_.data + at;
  b.size = static_cast<size_t>(n);
  b.owner = bytes_.owner;
  b.writable = bytes_.writable;
  return b;
}

namespace {
class RecordBytes final : public BytesSource {
 public:
  RecordBytes(std::shared_ptr<const RandomAccessFile> file, uint64_t at, const Entry& e)
      : file_(std::move(file)), at_(at), entry_(e) {}
  void produce(void* to) const override {
    file_->read(at_, static_cast<size_t>(entry_.size), to);
    check_unchanged(*file_, entry_, to);
  }

 private:
  const std::shared_ptr<const RandomAccessFile> file_;
  const uint64_t at_;
  const Entry entry_;
};
}  // namespace

Ref<Storage> Archive::defer(const std::string& record, uint64_t nbytes) const {
  constexpr uint64_t kFew = 64 << 10;
  if (!file_ || nbytes < kFew) return nullptr;
  const Entry* e = find(record);
  if (!e || e->method != 0 || e->size != e->compressed_size || e->size != nbytes) return nullptr;
  const uint64_t at = payload_offset(*e);
  if (at > size() || nbytes > size() - at) return nullptr;
  return Storage::defer(static_cast<size_t>(nbytes),
                        std::make_shared<const RecordBytes>(file_, at, *e));
}

// All that is read is worth what the file is, a record that is read again counted again.
void Archive::count_inflated(const Entry& e) const {
  std::lock_guard<std::mutex> lock(mutex_);
  inflated_ += e.size;
  if (inflated_ > 4 * kLarge && inflated_ / kSuspicious > size())
    raise<FormatError>(name_, ": the records inflate from ", size(), " to ", inflated_,
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
  unsigned char* to;
  Bytes b = make_room(e->size, &to);
  z_stream z{};
  if (inflateInit2(&z, -MAX_WBITS) != Z_OK) raise<OutOfMemory>("zlib cannot start");
  z.next_in = const_cast<unsigned char*>(raw.data);
  z.avail_in = static_cast<uInt>(raw.size);
  z.next_out = to;
  z.avail_out = static_cast<uInt>(b.size);
  int rc = inflate(&z, Z_FINISH);
  bool ok = rc == Z_STREAM_END && z.total_out == e->size;
  inflateEnd(&z);
  if (!ok) raise<FormatError>(name_, ": record ", record, " does not inflate to its size");
  return b;
}

std::string Archive::read_text(const std::string& record) const {
  Bytes b = read(record);
  return std::string(reinterpret_cast<const char*>(b.data), b.size);
}

}  // namespace sconce::zip
