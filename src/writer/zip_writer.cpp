// SPDX-License-Identifier: Apache-2.0
#include "writer/zip_writer.h"

#include <zlib.h>

#include <algorithm>
#include <cstdio>

namespace sconce::writer {

namespace {

constexpr uint64_t kAlignment = 64;
constexpr uint64_t kMax32 = 0xFFFFFFFFu;
// Bit 3: sizes and checksum follow the bytes. Bit 11: names are UTF-8.
constexpr uint16_t kFollows = 0x0008, kUtf8 = 0x0800;

template <class T>
void little(std::string& s, T v) {
  for (size_t i = 0; i < sizeof(T); ++i)
    s += static_cast<char>(static_cast<uint64_t>(v) >> (8 * i) & 0xFF);
}
uint32_t low(uint64_t v) { return static_cast<uint32_t>(std::min(v, kMax32)); }

uint32_t checksum(const void* data, uint64_t size) {
  uLong crc = ::crc32(0, nullptr, 0);
  const auto* p = static_cast<const Bytef*>(data);
  while (size) {
    const auto n = static_cast<uInt>(std::min<uint64_t>(size, 1u << 30));
    crc = ::crc32(crc, p, n);
    p += n;
    size -= n;
  }
  return static_cast<uint32_t>(crc);
}

uint64_t combine(uint64_t seed, uint64_t value) {
  return seed ^ (value + 0x9e3779b9 + (seed << 6) + (seed >> 2));
}
// The same on every machine (FNV-1a).
uint64_t hash_of(const std::string& s) {
  uint64_t h = 14695981039346656037ull;
  for (unsigned char c : s) h = (h ^ c) * 1099511628211ull;
  return h;
}

}  // namespace

void ZipWriter::put(const std::string& bytes) {
  out_.write(bytes.data(), bytes.size());
  at_ += bytes.size();
}

void ZipWriter::add(const std::string& record, const void* data, uint64_t size) {
  Entry e{folder_ + "/" + record, at_, size, checksum(data, size)};
  const bool big = size >= kMax32;
  std::string extra;
  if (big) {
    little<uint16_t>(extra, 1);
    little<uint16_t>(extra, 16);
    little<uint64_t>(extra, size);
    little<uint64_t>(extra, size);
  }
  constexpr uint64_t kHeader = 30, kFillerHeader = 4;
  const uint64_t before = at_ + kHeader + e.name.size() + extra.size() + kFillerHeader;
  const uint64_t filler = (kAlignment - before % kAlignment) % kAlignment;
  extra += "FB";
  little<uint16_t>(extra, static_cast<uint16_t>(filler));
  extra.append(filler, 'Z');

  std::string h = "PK\3\4";
  little<uint16_t>(h, big ? 45 : 0);
  little<uint16_t>(h, size ? kFollows | kUtf8 : kUtf8);
  little<uint16_t>(h, 0);  // stored
  little<uint32_t>(h, 0);  // time and date
  little<uint32_t>(h, 0);  // checksum and sizes: below
  little<uint32_t>(h, big ? kMax32 : 0);
  little<uint32_t>(h, big ? kMax32 : 0);
  little<uint16_t>(h, e.name.size());
  little<uint16_t>(h, extra.size());
  put(h + e.name + extra);
  if (size) {
    out_.write(data, size);
    at_ += size;
    std::string after = "PK\7\10";
    little<uint32_t>(after, e.crc);
    if (big) {
      little<uint64_t>(after, size);
      little<uint64_t>(after, size);
    } else {
      little<uint32_t>(after, size);
      little<uint32_t>(after, size);
    }
    put(after);
  }
  entries_.push_back(std::move(e));
}

void ZipWriter::finish() {
  uint64_t names = 0, sums = 0;
  for (const Entry& e : entries_) {
    names = combine(names, hash_of(e.name.substr(folder_.size() + 1)));
    sums = combine(sums, e.crc);
  }
  char id[64];
  std::snprintf(id, sizeof id, "%020llu%020llu", static_cast<unsigned long long>(names),
                static_cast<unsigned long long>(sums));
  add(".data/serialization_id", id);

  const uint64_t start = at_;
  for (const Entry& e : entries_) {
    std::string extra;
    const bool big = e.size >= kMax32, far = e.offset >= kMax32;
    if (big || far) {
      little<uint16_t>(extra, 1);
      little<uint16_t>(extra, (big ? 16 : 0) + (far ? 8 : 0));
      if (big) {
        little<uint64_t>(extra, e.size);
        little<uint64_t>(extra, e.size);
      }
      if (far) little<uint64_t>(extra, e.offset);
    }
    std::string h = "PK\1\2";
    little<uint16_t>(h, 0);
    little<uint16_t>(h, big || far ? 45 : 0);
    little<uint16_t>(h, e.size ? kFollows | kUtf8 : kUtf8);
    little<uint16_t>(h, 0);
    little<uint32_t>(h, 0);
    little<uint32_t>(h, e.crc);
    little<uint32_t>(h, low(e.size));
    little<uint32_t>(h, low(e.size));
    little<uint16_t>(h, e.name.size());
    little<uint16_t>(h, extra.size());
    little<uint16_t>(h, 0);  // comment
    little<uint16_t>(h, 0);  // disk
    little<uint16_t>(h, 0);
    little<uint32_t>(h, 0);
    little<uint32_t>(h, low(e.offset));
    put(h + e.name + extra);
  }
  const uint64_t length = at_ - start, count = entries_.size();
  std::string end = "PK\6\6";
  little<uint64_t>(end, 44);
  little<uint16_t>(end, 45);
  little<uint16_t>(end, 45);
  little<uint32_t>(end, 0);
  little<uint32_t>(end, 0);
  little<uint64_t>(end, count);
  little<uint64_t>(end, count);
  little<uint64_t>(end, length);
  little<uint64_t>(end, start);
  end += "PK\6\7";
  little<uint32_t>(end, 0);
  little<uint64_t>(end, at_);
  little<uint32_t>(end, 1);
  end += "PK\5\6";
  little<uint32_t>(end, 0);
  little<uint16_t>(end, std::min<uint64_t>(count, 0xFFFF));
  little<uint16_t>(end, std::min<uint64_t>(count, 0xFFFF));
  little<uint32_t>(end, low(length));
  little<uint32_t>(end, low(start));
  little<uint16_t>(end, 0);
  put(end);
}

}  // namespace sconce::writer
