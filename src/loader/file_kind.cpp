// SPDX-License-Identifier: Apache-2.0
#include "loader/file_kind.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "sconce/error.h"

namespace sconce {

namespace {

using std::string_view;

// ---- by the first bytes ----

constexpr const char kSaveAgain[] =
    "; it has values (weights), but no program. Rebuild the model in Python, "
    "torch.jit.script or torch.jit.trace it, and torch.jit.save it; load_pickle() reads the values";
constexpr const char kExportInstead[] =
    "; export the model from PyTorch with torch.jit.script or torch.jit.trace, and torch.jit.save";

struct Magic {
  size_t at;
  string_view bytes;
  const char *what, *then;
};
using namespace std::string_view_literals;
constexpr Magic kMagic[] = {
    // clang-format off
    {0, "version https://git-lfs.github.com/spec/"sv, "a Git LFS pointer, not the file that it stands for", "; run `git lfs pull` where it comes from"},
    {0, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv, "written by torch.save in its old form (before PyTorch 1.6)", kSaveAgain},
    {0, "PYTORCH1"sv, "the unreleased PYTORCH1 preview format, which is not supported", ""},
    {4, "PTMF"sv, "a mobile FlatBuffer module (_save_for_lite_interpreter with flatbuffers): bytecode without source", "; save the model with torch.jit.save"},
    {4, "ET12"sv, "an ExecuTorch program", kExportInstead},
    {4, "TFL3"sv, "a TensorFlow Lite model", kExportInstead},
    {0, "GGUF"sv, "a GGUF file (llama.cpp): weights without a PyTorch program", kExportInstead},
    {0, "lmgg"sv, "a GGML file (llama.cpp): weights without a PyTorch program", kExportInstead},
    {0, "tjgg"sv, "a GGML file (llama.cpp): weights without a PyTorch program", kExportInstead},
    {0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file (weights of Keras, or MATLAB data)", kExportInstead},
    {0, "\x93NUMPY"sv, "a NumPy array (.npy), not a model", ""},
    {0, "\x1f\x8b"sv, "compressed with gzip", "; unpack it first (gunzip, or tar -xzf)"},
    {0, "BZh"sv, "compressed with bzip2", "; unpack it first"},
    {0, "\xfd" "7zXZ\0"sv, "compressed with xz", "; unpack it first"},
    {0, "\x28\xb5\x2f\xfd"sv, "compressed with zstd", "; unpack it first"},
    {0, "7z\xbc\xaf\x27\x1c"sv, "a 7-Zip file", "; unpack it first"},
    {0, "Rar!\x1a\x07"sv, "a RAR file", "; unpack it first"},
    {0, "\x7f" "ELF"sv, "a compiled library or program (ELF), not an archive", ""},
    {0, "MZ"sv, "a compiled library or program (Windows), not an archive", ""},
    {0, "%PDF-"sv, "a PDF document", ""},
    {0, "\x89PNG\r\n\x1a\n"sv, "a PNG image", ""},
    {0, "\xff\xd8\xff"sv, "a JPEG image", ""},
    {0, "PK\x05\x06"sv, "an empty zip file", ""},
    // clang-format on
};

bool starts(string_view text, string_view with) { return text.substr(0, with.size()) == with; }
bool ends(string_view text, string_view with) {
  return text.size() >= with.size() && text.substr(text.size() - with.size()) == with;
}
bool has(string_view text, string_view part) { return text.find(part) != string_view::npos; }

std::string lower(string_view s) {
  std::string r(s);
  for (char& c : r)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return r;
}
bool printable(string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char ch) {
    const auto c = static_cast<unsigned char>(ch);
    return c >= 32 || c == '\t' || c == '\n' || c == '\r';
  });
}

// A tar file, by the checked magic of its first header; old torch.save wrote one too.
std::string tar(string_view s) {
  if (s.size() < 512 || s.substr(257, 5) != "ustar") return "";
  const string_view name = s.substr(0, s.substr(0, 100).find('\0'));
  for (string_view member : {"sys_info", "pickle", "storages", "tensors"})
    if (name == member)
      return "written by torch.save of PyTorch 0.1 (a tar file), which can't be read; load it in "
             "PyTorch and save it again";
  return "a tar file; unpack it first (its first file is " + std::string(name) + ")";
}

// 8 bytes of length, then that much JSON.
bool is_safetensors(string_view s) {
  uint64_t n = 0;
  if (s.size() < 10) return false;
  std::memcpy(&n, s.data(), sizeof n);
  return s[8] == '{' && n >= 2 && n <= s.size() - 8 && (s[9] == '"' || s[9] == '}' || s[9] == ' ');
}

// Protocol buffers have no magic number: field 1 is a version, then a text (ONNX) or a message.
std::string protobuf(string_view s) {
  if (s.size() < 8 || s[0] != 0x08 || s[1] < 1 || s[1] > 32 || s[2] != 0x12) return "";
  const auto n = static_cast<unsigned char>(s[3]);
  if (n > 0 && n < 64 && s.size() > size_t{4} + n && printable(s.substr(4, n)))
    return std::string("an ONNX model") + kExportInstead;
  if (s[1] == 1 && (has(s.substr(0, 4096), "serve") || has(s.substr(0, 4096), "tensorflow")))
    return std::string("a TensorFlow SavedModel") + kExportInstead;
  return "";
}

std::string text_file(string_view s) {
  const string_view head = s.substr(0, 512);
  if (!printable(head)) return "";
  string_view trimmed = head.substr(std::min(head.find_first_not_of(" \t\r\n"), head.size()));
  if (starts(trimmed, "\xef\xbb\xbf")) trimmed.remove_prefix(3);
  const std::string low = lower(trimmed.substr(0, 64));
  if (starts(low, "<!doctype html") || starts(low, "<html") || starts(low, "<head"))
    return "an HTML page, not a model (did a download fail, or need a login?)";
  if (starts(low, "<?xml") || starts(low, "<error"))
    return "an XML text, not a model (did a download fail?)";
  if (starts(trimmed, "{") || starts(trimmed, "["))
    return "a JSON text, not a model (did a download fail?)";
  const string_view line = trimmed.substr(0, std::min(trimmed.find('\n'), size_t{40}));
  return "a text, not a model; it begins with \"" + std::string(line) + "\"";
}

// ---- by the names in a zip file ----

// Without the top folder, if all names share one.
std::vector<std::string> inside(const std::vector<std::string>& names) {
  const size_t slash = names.empty() ? std::string::npos : names[0].find('/');
  if (slash == std::string::npos) return names;
  const std::string folder = names[0].substr(0, slash + 1);
  std::vector<std::string> r;
  for (auto& n : names) {
    if (!starts(n, folder)) return names;
    r.push_back(n.substr(folder.size()));
  }
  return r;
}

}  // namespace

std::string kind_of_bytes(const Bytes& bytes) {
  const string_view s(reinterpret_cast<const char*>(bytes.data), bytes.size);
  if (s.empty()) return "the file is empty";
  if (starts(s, "PK\x03\x04")) return "";
  for (const Magic& m : kMagic)
    if (s.size() >= m.at + m.bytes.size() && s.substr(m.at, m.bytes.size()) == m.bytes)
      return std::string(m.what) + m.then;
  if (starts(s, "\x80") && s.size() > 2 && s[1] >= 2 && s[1] <= 5)
    return "a Python pickle that torch.save didn't write; it can't be read";
  if (auto k = tar(s); !k.empty()) return k;
  if (is_safetensors(s))
    return std::string("a safetensors file: weights without a program") + kExportInstead;
  if (auto k = protobuf(s); !k.empty()) return k;
  if (s.substr(0, 4096).find_first_not_of('\0') == string_view::npos)
    return "the file begins with zeros alone (was a copy cut?)";
  return text_file(s);
}

std::string kind_of_zip(const std::vector<std::string>& names) {
  const std::vector<std::string> records = inside(names);
  auto any = [&](auto test) { return std::any_of(records.begin(), records.end(), test); };
  auto record = [&](string_view name) {
    return any([&](const std::string& r) { return r == name; });
  };
  auto under = [&](string_view prefix) {
    return any([&](const std::string& r) { return starts(r, prefix); });
  };
  if (under("data/aotinductor/"))
    return std::string(
               "an AOTInductor package: compiled for one machine, without a TorchScript "
               "program") +
           kExportInstead;
  if (record("archive_format") || under("models/") || record("serialized_exported_program.json"))
    return std::string("a torch.export archive (.pt2), not TorchScript") + kExportInstead;
  if (record(".data/extern_modules") || under(".data/ts_code/"))
    return "a torch.package archive: Python modules, not one TorchScript program; load it in "
           "Python "
           "and torch.jit.save the model";
  if (record("constants.pkl") || record("data.pkl")) {
    if (names == records)
      return "an archive without its top folder (was it unpacked and zipped again?); zip the "
             "folder, "
             "not its inside";
    if (record("bytecode.pkl") && !under("code/"))
      return "a mobile archive with bytecode alone; save the model with torch.jit.save";
    return std::string("written by torch.save, not by torch.jit.save") + kSaveAgain;
  }
  if (record("bytecode.pkl"))
    return "a mobile archive with bytecode alone; save the model with torch.jit.save";
  if (record("model.weights.h5") || record("saved_model.pb"))
    return std::string("a Keras or TensorFlow model") + kExportInstead;
  if (under("MAR-INF/"))
    return "a TorchServe archive (.mar); unpack it: the model is one of its files";
  if (!records.empty() && !any([](const std::string& r) { return !ends(r, ".npy"); }))
    return "NumPy arrays (.npz), not a model";
  for (auto& n : names)
    if (ends(n, "/constants.pkl"))
      return "a zip file with an unpacked archive in its folder " + n.substr(0, n.rfind('/')) +
             "; zip that folder alone";
  for (auto& n : names)
    for (string_view model : {".pt", ".pth", ".ptl", ".pt2", ".onnx", ".safetensors"})
      if (ends(n, model)) return "a zip file that holds " + n + "; unpack it first";
  if (names == records) return "the archive has no top folder";
  return "";
}

void refuse_other_files(const Bytes& bytes, const std::string& name) {
  const std::string kind = kind_of_bytes(bytes);
  if (!kind.empty()) raise<FormatError>(name, ": ", kind);
}

}  // namespace sconce
