// SPDX-License-Identifier: Apache-2.0
// Zip files of stored records, for tests of what reads them.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// The n low bytes of v, the lowest first.
inline std::string little_endian(uint64_t v, int n) {
  std::string r;
  for (int i = 0; i < n; ++i, v >>= 8) r += static_cast<char>(v & 0xff);
  return r;
}

// records: names and bytes. The checksums are right.
inline std::string zip_of(const std::vector<std::pair<std::string, std::string>>& records) {
  auto crc = [](const std::string& s) {
    uint32_t c = ~0u;
    for (unsigned char b : s) {
      c ^= b;
      for (int i = 0; i < 8; ++i) c = c >> 1 ^ (0xedb88320u & -(c & 1));
    }
    return ~c;
  };
  std::string out, directory;
  for (auto& [name, bytes] : records) {
    const std::string common = little_endian(0, 10) + little_endian(crc(bytes), 4) +
                               little_endian(bytes.size(), 4) + little_endian(bytes.size(), 4) +
                               little_endian(name.size(), 2) + little_endian(0, 2);
    directory += "PK\x01\x02" + little_endian(0, 2) + common + little_endian(0, 10) +
                 little_endian(out.size(), 4) + name;
    out += "PK\x03\x04" + common + name + bytes;
  }
  return out + directory + "PK\x05\x06" + little_endian(0, 4) + little_endian(records.size(), 2) +
         little_endian(records.size(), 2) + little_endian(directory.size(), 4) +
         little_endian(out.size(), 4) + little_endian(0, 2);
}
