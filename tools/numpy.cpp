// SPDX-License-Identifier: Apache-2.0
#include "numpy.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

#include "loader/zip.h"
#include "support/byte_reader.h"
#include "support/platform.h"

namespace sconce::tool {

namespace {

struct NumpyType {
  const char* descr;  // without the byte order
  ScalarType dtype;
};
constexpr NumpyType kNumpyTypes[] = {
    {"f4", kFloat},
    {"f8", kDouble},
    {"f2", kHalf},
    {"i8", kLong},
    {"i4", kInt},
    {"i2", kShort},
    {"i1", kChar},
    {"u1", kByte},
    {"b1", kBool},
    {"c8", kComplexFloat},
    {"u2", ScalarType::UInt16},
    {"u4", ScalarType::UInt32},
    {"u8", ScalarType::UInt64},
    {"c16", kComplexDouble},
};

// Swaps the bytes of every number.
void swap_bytes(const Tensor& t) {
  size_t number = element_size(t.dtype()) / (is_complex(t.dtype()) ? 2 : 1);
  char* p = static_cast<char*>(t.raw_data());
  char* end = p + static_cast<size_t>(t.numel()) * element_size(t.dtype());
  for (; p < end; p += number) std::reverse(p, p + number);
}

constexpr size_t kMaxHeader = 1 << 16;

// The text behind 'key': in the header; empty when it isn't there.
std::string_view entry(std::string_view header, const std::string& key) {
  const std::string name = "'" + key + "':";
  size_t at = header.find(name);
  if (at == std::string_view::npos) return {};
  at = header.find_first_not_of(" \t", at + name.size());
  return at == std::string_view::npos ? std::string_view() : header.substr(at);
}
std::string quoted(std::string_view text) {
  if (text.empty() || text[0] != '\'') return "";
  const size_t end = text.find('\'', 1);
  return end == std::string_view::npos ? "" : std::string(text.substr(1, end - 1));
}

Tensor read_member(const zip::Archive& z, const std::string& record) {
  Bytes b = z.read(record);
  return parse_npy(b.data, b.size, z.file_name() + ":" + record);
}

}  // namespace

Tensor parse_npy(const unsigned char* data, size_t size, const std::string& what) {
  auto bad = [&](const auto&... why) { raise<FormatError>(what, ": ", why...); };
  if (size < 10 || std::memcmp(data, "\x93NUMPY", 6) != 0) bad("not a .npy file");
  ByteReader r(data, size, what.c_str());
  r.seek(6);
  uint8_t version = r.u8();
  r.u8();
  size_t header = version >= 2 ? r.little<uint32_t>() : r.little<uint16_t>();
  if (header > kMaxHeader) bad("the header is too long");
  const std::string text(reinterpret_cast<const char*>(r.take(header)), header);
  std::string descr = quoted(entry(text, "descr"));
  if (descr.empty()) bad("its elements are no plain numbers");
  char order = '=';
  if (std::strchr("<>|=", descr[0])) order = descr[0], descr.erase(0, 1);
  ScalarType dtype = ScalarType::Undefined;
  for (auto& n : kNumpyTypes)
    if (descr == n.descr) dtype = n.dtype;
  if (dtype == ScalarType::Undefined) bad("tensors have no form of its dtype ", descr);
  const bool fortran = entry(text, "fortran_order").substr(0, 4) == "True";
  std::string_view shape = entry(text, "shape");
  const size_t close = shape.find(')');
  if (shape.empty() || shape[0] != '(' || close == std::string_view::npos ||
      shape.find_first_not_of("0123456789, ", 1) < close)
    bad("no shape in the header");
  std::vector<int64_t> sizes;
  std::stringstream in(std::string(shape.substr(1, close - 1)));
  uint64_t numel = 1, room = r.left() / element_size(dtype);
  for (std::string part; std::getline(in, part, ',');) {
    if (part.find_first_not_of(' ') == std::string::npos) continue;
    sizes.push_back(static_cast<int64_t>(std::strtoull(part.c_str(), nullptr, 10)));
    if (sizes.size() > 64 || sizes.back() < 0 || sizes.back() > int64_t{1} << 40 ||
        __builtin_mul_overflow(numel, static_cast<uint64_t>(sizes.back()), &numel))
      bad("the shape is too large");
  }
  if (numel > room) bad("the data is cut off");
  if (fortran) std::reverse(sizes.begin(), sizes.end());
  Tensor t = empty(sizes, dtype);
  if (numel)
    std::memcpy(t.raw_data(), r.take(numel * element_size(dtype)), numel * element_size(dtype));
  if (order == '>') swap_bytes(t);
  if (!fortran) return t;
  std::vector<int64_t> dims(sizes.size());
  for (size_t i = 0; i < dims.size(); ++i) dims[i] = static_cast<int64_t>(dims.size() - 1 - i);
  return t.permute(dims).contiguous();
}

Tensor read_npy(const std::string& path) {
  Bytes file = map_file(path);
  return parse_npy(file.data, file.size, path);
}

IValue read_npz(const std::string& path) {
  zip::Archive z(map_file(path), path, true);
  auto d = make_ref<DictBox>(types::string(), types::tensor());
  for (const std::string& record : z.records()) {
    std::string key = record;
    if (key.size() > 4 && key.compare(key.size() - 4, 4, ".npy") == 0) key.resize(key.size() - 4);
    d->set(IValue(key), IValue(read_member(z, record)));
  }
  return IValue(d);
}

IValue read_npz(const std::string& path, const std::string& key) {
  zip::Archive z(map_file(path), path, true);
  for (const std::string& record : {key + ".npy", key})
    if (z.has(record)) return IValue(read_member(z, record));
  std::string there;
  for (const std::string& record : z.records())
    there += (there.empty() ? "" : ", ") + record.substr(0, record.rfind(".npy"));
  raise<FormatError>(path, ": no array is called '", key, "'; there are ", there);
}

void write_npy(const std::string& path, const Tensor& tensor) {
  const char* descr = nullptr;
  for (auto& n : kNumpyTypes)
    if (n.dtype == tensor.dtype()) descr = n.descr;
  if (!descr) raise<FormatError>(path, ": numpy has no form of ", dtype_name(tensor.dtype()));
  Tensor t = tensor.contiguous();
  std::string shape;
  for (int64_t s : t.sizes()) shape += std::to_string(s) + ", ";
  std::string order = element_size(t.dtype()) == 1 ? "|" : "<";
  std::string header =
      "{'descr': '" + order + descr + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.resize((header.size() + 11 + 63) / 64 * 64 - 11, ' ');
  header += '\n';
  std::ofstream out(path, std::ios::binary);
  out.write("\x93NUMPY\x01\x00", 8);
  out.put(static_cast<char>(header.size() & 255)).put(static_cast<char>(header.size() >> 8));
  out << header;
  out.write(static_cast<const char*>(t.const_raw_data()),
            t.numel() * static_cast<int64_t>(element_size(t.dtype())));
  if (!out.flush()) raise<FormatError>(path, ": can't be written");
}

}  // namespace sconce::tool
