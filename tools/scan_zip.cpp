// SPDX-License-Identifier: Apache-2.0
// The container: its directory, each record's local header, and every byte of the file accounted
// for. It is read more leniently than the loader does, so that there is more to say than the first
// error.
#include <zlib.h>

#include <algorithm>
#include <unordered_map>

#include "scan.h"
#include "support/byte_reader.h"

namespace sconce::tool {

namespace {

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50,
                   kEnd64 = 0x06064b50, kLocator64 = 0x07064b50, kDescriptor = 0x08074b50;
constexpr uint64_t kMiB = uint64_t{1} << 20;
// A record that shrinks so much is made to; torch's own reach about 60.
constexpr uint64_t kBombRatio = 200, kBombSize = kMiB;
// No more than this is inflated of one record.
constexpr uint64_t kMostInflated = 256 * kMiB;

std::string lower(std::string s) {
  for (char& c : s)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return s;
}

uint32_t at32(const Bytes& b, uint64_t at) {
  uint32_t v = 0;
  if (at + 4 <= b.size) std::memcpy(&v, b.data + at, 4);
  return v;
}

struct Directory {
  uint64_t offset = 0, size = 0, count = 0, end_record = 0;
  uint64_t after = 0;  // of the directory: where the zip64 records or the end record begin
};

bool read_directory(const Bytes& b, Directory& d, ScanReport& report) {
  auto broken = [&](const std::string& why) {
    report.find("zip-directory", "", why);
    return false;
  };
  if (b.size < 22) return broken("the file is too short for a zip archive");
  uint64_t end = b.size - 22;
  const uint64_t lowest = b.size > 22 + 65535 ? b.size - 22 - 65535 : 0;
  while (at32(b, end) != kEnd) {
    if (end == lowest) return broken("there is no end of the zip directory; is the file cut?");
    --end;
  }
  d.end_record = end;
  ByteReader r(b.data, b.size, "zip");
  r.seek(end + 4);
  const uint16_t disk = r.little<uint16_t>(), directory_disk = r.little<uint16_t>(),
                 on_disk = r.little<uint16_t>();
  d.count = r.little<uint16_t>();
  d.size = r.little<uint32_t>();
  d.offset = r.little<uint32_t>();
  const uint64_t comment = r.little<uint16_t>();
  if (disk || directory_disk || on_disk != d.count)
    report.find("zip-directory", "", "the archive says that it has several parts");
  if (comment)
    report.find("zip-extra-data", "", detail::concat("a comment of ", comment, " bytes"));
  if (end + 22 + comment < b.size)
    report.find("zip-extra-data", "",
                detail::concat(b.size - end - 22 - comment, " bytes follow the archive's end"));
  d.after = end;
  if (end >= 20 && at32(b, end - 20) == kLocator64) {
    r.seek(end - 20 + 8);
    const uint64_t at = r.little<uint64_t>();
    d.after = at;
    if (at > b.size || b.size - at < 56 || at32(b, at) != kEnd64)
      return broken("the zip64 end record is broken");
    r.seek(at + 32);
    const uint64_t count = r.little<uint64_t>(), size = r.little<uint64_t>(),
                   offset = r.little<uint64_t>();
    if ((d.count != 0xffff && d.count != count) || (d.size != 0xffffffff && d.size != size) ||
        (d.offset != 0xffffffff && d.offset != offset))
      report.find("zip-directory", "", "the two end records of the archive disagree");
    if (d.count == 0xffff || d.size == 0xffffffff || d.offset == 0xffffffff)
      d.count = count, d.size = size, d.offset = offset;
  }
  if (d.offset > b.size || d.size > b.size - d.offset)
    return broken("the zip directory lies outside of the file");
  if (d.offset + d.size < d.after)
    report.find("zip-extra-data", "",
                detail::concat(d.after - d.offset - d.size, " bytes follow the directory"));
  if (d.count > d.size / 46)
    return broken("the directory counts more records than it has room for");
  return true;
}

void read_records(const Bytes& b, const Directory& d, ScanReport& report) {
  ByteReader r(b.data, b.size, "the zip directory");
  r.seek(d.offset);
  for (uint64_t i = 0; i < d.count; ++i) {
    if (r.little<uint32_t>() != kCentral) {
      report.find("zip-directory", "", detail::concat("entry ", i, " of the directory is broken"));
      return;
    }
    ZipRecord e;
    r.take(4);
    e.flags = r.little<uint16_t>();
    e.method = r.little<uint16_t>();
    r.take(4);
    e.crc = r.little<uint32_t>();
    e.compressed = r.little<uint32_t>();
    e.size = r.little<uint32_t>();
    const uint16_t name = r.little<uint16_t>(), extra = r.little<uint16_t>(),
                   comment = r.little<uint16_t>();
    r.take(4);
    e.attributes = r.little<uint32_t>();
    e.header = r.little<uint32_t>();
    e.name.assign(reinterpret_cast<const char*>(r.take(name)), name);
    const size_t extra_end = r.position() + extra;
    while (r.position() + 4 <= extra_end) {
      const uint16_t id = r.little<uint16_t>(), n = r.little<uint16_t>();
      const size_t next = r.position() + n;
      if (id == 1)
        for (uint64_t* v : {&e.size, &e.compressed, &e.header})
          if (*v == 0xffffffff) *v = r.little<uint64_t>();
      r.seek(std::min(next, extra_end));
    }
    r.seek(extra_end);
    r.take(comment);
    if (comment)
      report.find("zip-extra-data", e.name,
                  detail::concat("the directory has a comment of ", comment, " bytes on it"));
    report.records.push_back(std::move(e));
  }
}

void check_names(ScanReport& report) {
  std::unordered_map<std::string, std::string> seen;
  for (auto& e : report.records) {
    auto [it, fresh] = seen.emplace(lower(e.name), e.name);
    if (!fresh)
      report.find("zip-duplicate-name", e.name,
                  it->second == e.name ? "two records have this name"
                                       : "another record is called " + it->second +
                                             "; names are looked up without regard to case");
    const std::string& n = e.name;
    const bool control = std::any_of(
        n.begin(), n.end(), [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
    const std::string parts = "/" + n + "/";
    if (n.empty() || n[0] == '/' || (n.size() > 1 && n[1] == ':') || control ||
        n.find('\\') != std::string::npos || parts.find("/../") != std::string::npos ||
        parts.find("/./") != std::string::npos)
      report.find("zip-path", n, "the name would lead elsewhere when the archive is unpacked");
    if ((e.attributes >> 28) == 10) report.find("zip-path", n, "the record is a symbolic link");
  }
}

// The local header: it must say what the directory says.
void check_local(const Bytes& b, ZipRecord& e, ScanReport& report) {
  if (e.header > b.size || b.size - e.header < 30 || at32(b, e.header) != kLocal) {
    report.find("zip-out-of-range", e.name, "there is no local header where the directory says");
    return;
  }
  ByteReader r(b.data, b.size, "zip");
  r.seek(e.header + 6);
  const uint16_t flags = r.little<uint16_t>(), method = r.little<uint16_t>();
  r.take(4);
  const uint32_t crc = r.little<uint32_t>(), compressed = r.little<uint32_t>(),
                 size = r.little<uint32_t>();
  const uint16_t name = r.little<uint16_t>(), extra = r.little<uint16_t>();
  if (uint64_t{name} + extra > r.left() || e.compressed > r.left() - name - extra) {
    report.find("zip-out-of-range", e.name, "its bytes lie outside of the file");
    return;
  }
  const std::string local(reinterpret_cast<const char*>(r.take(name)), name);
  e.payload = r.position() + extra;
  e.readable = true;
  if (local != e.name)
    report.find("zip-local-header", e.name, "its local header calls it " + local);
  if (method != e.method || ((flags ^ e.flags) & 1))
    report.find("zip-local-header", e.name, "its local header says another method");
  // Zeros where a data descriptor follows.
  const bool later = flags & 8;
  auto differs = [&](uint32_t here, uint64_t there) {
    return here != 0xffffffff && here != there && !(later && here == 0);
  };
  if (differs(crc, e.crc) || differs(compressed, e.compressed) || differs(size, e.size))
    report.find("zip-local-header", e.name, "its local header has another checksum or other sizes");
}

bool is_bomb(const ZipRecord& e) {
  return e.size > kBombSize && e.size / kBombRatio > e.compressed;
}

void check_content(const Bytes& b, const ZipRecord& e, ScanReport& report) {
  if (!e.readable) return;
  if (e.flags & 1) return report.find("zip-method", e.name, "the record is encrypted");
  if (e.method != 0 && e.method != 8)
    return report.find(
        "zip-method", e.name,
        detail::concat("compression method ", e.method, "; torch stores and deflates only"));
  if (e.method == 0 && e.size != e.compressed)
    return report.find("zip-out-of-range", e.name, "a stored record has two sizes");
  if (is_bomb(e))
    return report.find("zip-bomb", e.name,
                       detail::concat("inflates from ", e.compressed, " to ", e.size, " bytes"));
  std::string text;
  if (e.method == 8 && !record_bytes(b, e, text)) {
    if (e.size <= kMostInflated)
      report.find("zip-out-of-range", e.name, "does not inflate to its size");
    return;
  }
  const auto* data =
      e.method == 8 ? reinterpret_cast<const unsigned char*>(text.data()) : b.data + e.payload;
  if (crc32_z(0, data, static_cast<size_t>(e.size)) != e.crc)
    report.find("zip-crc", e.name, "its bytes don't have the checksum that the directory says");
}

// Every byte before the directory is of one record.
void check_layout(const Bytes& b, const Directory& d, ScanReport& report) {
  std::vector<const ZipRecord*> by_place;
  for (auto& e : report.records)
    if (e.readable) by_place.push_back(&e);
  std::sort(by_place.begin(), by_place.end(),
            [](auto* x, auto* y) { return x->header < y->header; });
  uint64_t at = 0;
  auto gap = [&](uint64_t to, const std::string& place) {
    if (to <= at) return;
    report.find("zip-extra-data", place,
                at == 0 ? detail::concat(to, " bytes stand before the first record")
                        : detail::concat(to - at, " bytes before it belong to no record"));
  };
  for (const ZipRecord* e : by_place) {
    if (e->header < at)
      report.find("zip-overlap", e->name, "its bytes are those of another record too");
    else
      gap(e->header, e->name);
    uint64_t end = e->payload + e->compressed;
    // A data descriptor: 32-bit fields, or 64-bit ones.
    if (at32(b, end) == kDescriptor) {
      const bool wide = at32(b, end + 8) == static_cast<uint32_t>(e->compressed) &&
                        at32(b, end + 12) == e->compressed >> 32 &&
                        at32(b, end + 16) == static_cast<uint32_t>(e->size) && e->compressed &&
                        at32(b, end + 20) == e->size >> 32;
      end += wide ? 24 : 16;
    }
    at = std::max(at, end);
  }
  if (at > d.offset)
    report.find("zip-overlap", "", "records reach into the directory");
  else
    gap(d.offset, "the directory");
}

}  // namespace

bool record_bytes(const Bytes& file, const ZipRecord& e, std::string& out) {
  if (!e.readable || (e.flags & 1)) return false;
  const unsigned char* from = file.data + e.payload;
  if (e.method == 0) {
    if (e.size != e.compressed) return false;
    out.assign(reinterpret_cast<const char*>(from), static_cast<size_t>(e.size));
    return true;
  }
  if (e.method != 8 || is_bomb(e) || e.size > kMostInflated || e.compressed > kMostInflated)
    return false;
  out.resize(static_cast<size_t>(e.size) + 1);  // one more: too long is seen
  z_stream z{};
  if (inflateInit2(&z, -MAX_WBITS) != Z_OK) return false;
  z.next_in = const_cast<unsigned char*>(from);
  z.avail_in = static_cast<uInt>(e.compressed);
  z.next_out = reinterpret_cast<unsigned char*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  const int rc = inflate(&z, Z_FINISH);
  const bool ok = rc == Z_STREAM_END && z.total_out == e.size;
  inflateEnd(&z);
  out.resize(ok ? static_cast<size_t>(e.size) : 0);
  return ok;
}

void scan_zip(const Bytes& bytes, ScanReport& report) {
  Directory d;
  try {
    if (!read_directory(bytes, d, report)) return;
    read_records(bytes, d, report);
  } catch (const Error& e) {
    report.find("zip-directory", "", e.what());
    return;
  }
  if (report.records.empty()) report.find("zip-directory", "", "the archive is empty");
  check_names(report);
  uint64_t inflated = 0;
  for (auto& e : report.records) {
    check_local(bytes, e, report);
    check_content(bytes, e, report);
    if (e.method == 8) inflated += std::min(e.size, uint64_t{1} << 40);
  }
  if (inflated > 4 * 64 * kMiB && inflated / kBombRatio > bytes.size)
    report.find(
        "zip-bomb", "",
        detail::concat("all records inflate from ", bytes.size, " to ", inflated, " bytes"));
  check_layout(bytes, d, report);
}

}  // namespace sconce::tool
