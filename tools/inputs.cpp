// SPDX-License-Identifier: Apache-2.0
#include "inputs.h"

#include <CLI/CLI.hpp>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "api/runtime.h"
#include "compare.h"
#include "support/platform.h"

namespace sconce::tool {

namespace {

struct NumpyType {
  const char* descr;
  ScalarType dtype;
};
constexpr NumpyType kNumpyTypes[] = {
    {"<f4", kFloat}, {"<f8", kDouble},       {"<f2", kHalf},           {"<i8", kLong},
    {"<i4", kInt},   {"<i2", kShort},        {"|i1", kChar},           {"|u1", kByte},
    {"|b1", kBool},  {"<c8", kComplexFloat}, {"<c16", kComplexDouble},
};

bool ends_with(const std::string& s, const std::string& tail) {
  return s.size() >= tail.size() && s.compare(s.size() - tail.size(), tail.size(), tail) == 0;
}

ScalarType dtype_of(const std::string& name) {
  for (int i = 0; i < 45; ++i)
    if (auto t = static_cast<ScalarType>(i);
        name == dtype_name(t) || "torch." + name == dtype_name(t))
      return t;
  throw CLI::ValidationError("--input", "'" + name + "' is no dtype");
}

IValue from_json(const nlohmann::json& j, int depth = 0) {
  if (depth > 100) throw CLI::ValidationError("--input", "the literal is nested too deeply");
  if (j.is_null()) return IValue();
  if (j.is_boolean()) return IValue(j.get<bool>());
  if (j.is_number_integer()) return IValue(j.get<int64_t>());
  if (j.is_number()) return IValue(j.get<double>());
  if (j.is_string()) return IValue(j.get<std::string>());
  if (j.is_array()) {
    auto l = make_ref<ListBox>(types::any());
    for (auto& e : j) l->items.push_back(from_json(e, depth + 1));
    return IValue(l);
  }
  auto d = make_ref<DictBox>(types::any(), types::any());
  for (auto& kv : j.items()) d->set(IValue(kv.key()), from_json(kv.value(), depth + 1));
  return IValue(d);
}

IValue generated(const std::string& maker, const std::string& sizes_text,
                 const std::string& dtype) {
  std::vector<int64_t> sizes;
  std::stringstream in(sizes_text);
  for (std::string part; std::getline(in, part, ',');) {
    if (part.find_first_not_of(" \t") == std::string::npos) continue;
    sizes.push_back(std::stoll(part));
  }
  Tensor t;
  if (maker == "zeros") t = zeros(sizes);
  if (maker == "ones") t = ones(sizes);
  if (maker == "randn") t = randn(sizes);
  if (maker == "arange") {
    if (sizes.size() != 1 || sizes[0] < 0)
      throw CLI::ValidationError("--input", "arange takes one length");
    t = empty(sizes, kLong);
    for (int64_t i = 0; i < sizes[0]; ++i) t.data_ptr<int64_t>()[i] = i;
  }
  return IValue(dtype.empty() ? t : t.to(dtype_of(dtype)));
}

}  // namespace

Tensor read_npy(const std::string& path) {
  Bytes file = map_file(path);
  auto bad = [&](const char* why) { raise<FormatError>(path, ": ", why); };
  if (file.size < 10 || std::memcmp(file.data, "\x93NUMPY", 6) != 0) bad("not a .npy file");
  size_t header = file.data[8] | static_cast<size_t>(file.data[9]) << 8, at = 10;
  if (file.data[6] >= 2) {
    if (file.size < 12) bad("the header is cut off");
    header |= static_cast<size_t>(file.data[10]) << 16 | static_cast<size_t>(file.data[11]) << 24;
    at = 12;
  }
  if (header > file.size - at) bad("the header is cut off");
  std::string text(reinterpret_cast<const char*>(file.data) + at, header);
  std::smatch m;
  if (!std::regex_search(text, m, std::regex(R"('descr':\s*'([^']+)')")))
    bad("no dtype in the header");
  std::string descr = m[1];
  ScalarType dtype = ScalarType::Undefined;
  for (auto& n : kNumpyTypes)
    if (descr == n.descr) dtype = n.dtype;
  if (dtype == ScalarType::Undefined) bad("its dtype is not known");
  if (text.find("'fortran_order': True") != std::string::npos)
    bad("Fortran order is not supported");
  if (!std::regex_search(text, m, std::regex(R"('shape':\s*\(([0-9, ]*)\))")))
    bad("no shape in the header");
  std::vector<int64_t> sizes;
  std::stringstream in(m[1]);
  uint64_t numel = 1;
  for (std::string part; std::getline(in, part, ',');) {
    if (part.find_first_not_of(' ') == std::string::npos) continue;
    sizes.push_back(std::stoll(part));
    if (__builtin_mul_overflow(numel, static_cast<uint64_t>(sizes.back()), &numel))
      bad("the shape is too large");
  }
  size_t room = (file.size - at - header) / element_size(dtype);
  if (numel > room) bad("the data is cut off");
  Tensor t = empty(sizes, dtype);
  if (numel) std::memcpy(t.raw_data(), file.data + at + header, numel * element_size(dtype));
  return t;
}

void write_npy(const std::string& path, const Tensor& tensor) {
  const char* descr = nullptr;
  for (auto& n : kNumpyTypes)
    if (n.dtype == tensor.dtype()) descr = n.descr;
  if (!descr) raise<FormatError>(path, ": numpy has no form of ", dtype_name(tensor.dtype()));
  Tensor t = tensor.contiguous();
  std::string shape;
  for (int64_t s : t.sizes()) shape += std::to_string(s) + ", ";
  std::string header =
      "{'descr': '" + std::string(descr) + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.resize((header.size() + 11 + 63) / 64 * 64 - 11, ' ');
  header += '\n';
  std::ofstream out(path, std::ios::binary);
  out.write("\x93NUMPY\x01\x00", 8);
  out.put(static_cast<char>(header.size() & 255)).put(static_cast<char>(header.size() >> 8));
  out << header;
  out.write(static_cast<const char*>(t.raw_data()),
            t.numel() * static_cast<int64_t>(element_size(t.dtype())));
  if (!out) raise<FormatError>(path, ": can't be written");
}

IValue parse_input(const std::string& text) {
  if (ends_with(text, ".npy")) return IValue(read_npy(text));
  if (ends_with(text, ".pt")) return load_pickle(text);
  std::smatch m;
  if (std::regex_match(text, m,
                       std::regex(R"((zeros|ones|randn|arange)\(([-0-9, ]*)\)(?::([a-z0-9_]+))?)")))
    return generated(m[1], m[2], m[3]);
  nlohmann::json j = nlohmann::json::parse(text, nullptr, false);
  if (j.is_discarded())
    throw CLI::ValidationError("--input", "'" + text + "' is no file, literal or generator");
  return from_json(j);
}

std::vector<IValue> method_inputs(const Module& m, const std::string& method,
                                  const std::vector<IValue>& given) {
  std::vector<IValue> inputs = convert_inputs(m, method, given);
  try {
    admit_arguments(m.impl()->method(method), inputs, nullptr);
  } catch (const OpError& e) {
    throw CLI::ValidationError("--input", e.what());
  }
  return inputs;
}

}  // namespace sconce::tool
