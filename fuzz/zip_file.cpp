// SPDX-License-Identifier: Apache-2.0
#include "zip_file.h"

#include <zlib.h>

#include "scan.h"

namespace sconce::fuzz {

Records read_zip(const uint8_t* data, size_t size) {
  Bytes bytes;
  bytes.data = data;
  bytes.size = size;
  tool::ScanReport report;
  tool::scan_zip(bytes, report);
  Records records;
  for (auto& r : report.records) {
    std::string text;
    if (tool::record_bytes(bytes, r, text)) records.emplace_back(r.name, std::move(text));
  }
  return records;
}

namespace {
struct Writer {
  std::string out;
  void u16(size_t v) {
    out += static_cast<char>(v & 255);
    out += static_cast<char>(v >> 8 & 255);
  }
  void u32(size_t v) {
    u16(v & 0xffff);
    u16(v >> 16 & 0xffff);
  }
  // What the two headers of a record share.
  void facts(const std::string& name, const std::string& text) {
    u16(0);  // flags
    u16(0);  // stored
    u32(0);  // time
    u32(crc32_z(0, reinterpret_cast<const unsigned char*>(text.data()), text.size()));
    u32(text.size());
    u32(text.size());
    u16(name.size());
    u16(0);
  }
};
}  // namespace

std::string write_zip(const Records& records) {
  Writer w, directory;
  for (auto& [name, text] : records) {
    directory.u32(0x02014b50);
    directory.u16(0);
    directory.u16(0);
    directory.facts(name, text);
    directory.u16(0);
    directory.u16(0);
    directory.u16(0);
    directory.u32(0);
    directory.u32(w.out.size());
    directory.out += name;
    w.u32(0x04034b50);
    w.u16(0);
    w.facts(name, text);
    w.out += name + text;
  }
  const size_t at = w.out.size();
  w.out += directory.out;
  w.u32(0x06054b50);
  w.u32(0);
  w.u16(records.size());
  w.u16(records.size());
  w.u32(directory.out.size());
  w.u32(at);
  w.u16(0);
  return w.out;
}

}  // namespace sconce::fuzz
