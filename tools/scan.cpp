// SPDX-License-Identifier: Apache-2.0
#include "scan.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstring>
#include <iostream>
#include <memory>
#include <unordered_set>

#include "api/runtime.h"
#include "backends/kernels.h"
#include "commands.h"
#include "loader/file_kind.h"
#include "numpy.h"
#include "text.h"

namespace sconce::tool {

const std::vector<ScanRule> kScanRules = {
    {"zip-directory", "The directory of the zip file is broken or contradicts itself."},
    {"zip-duplicate-name", "Two records share a name; readers differ in which one they take."},
    {"zip-path", "A record's name would lead out of the folder that it is unpacked in."},
    {"zip-local-header", "A record's local header says something else than the directory."},
    {"zip-out-of-range", "A record's bytes aren't where or what the directory says."},
    {"zip-overlap", "Records share bytes of the file."},
    {"zip-extra-data", "The file holds bytes that belong to no record."},
    {"zip-crc", "A record's checksum is wrong."},
    {"zip-method", "A record is encrypted, or compressed in a way that torch doesn't use."},
    {"zip-bomb", "A record inflates to far more than it takes in the file."},
    {"zip-foreign-record",
     "A record stands outside of the archive's folder, where nothing finds it."},
    {"pickle-opcode", "A pickle is broken or has an opcode that its reader doesn't know."},
    {"pickle-global", "A pickle names a class or function that isn't known."},
    {"pickle-code", "A pickle names a function that would run code where Python reads it."},
    {"pickle-trailing", "Bytes follow the pickle's end."},
    {"code-syntax", "A source can't be parsed."},
    {"code-at-load", "An operator would run when the file is loaded."},
    {"tensor-oversized", "A tensor has far more elements than the file has bytes for."},
    {"load-refused", "The loader, which runs nothing here, refuses the file."},
};

const std::vector<ScanRule> kScanNotes = {
    {"unknown-operator", "The code calls an operator that is not known here."},
    {"unknown-class", "An object is of a native class that is not known here."},
};

namespace {

bool starts(const std::string& s, const std::string& with) { return s.rfind(with, 0) == 0; }
bool ends(const std::string& s, const std::string& with) {
  return s.size() >= with.size() && s.compare(s.size() - with.size(), with.size(), with) == 0;
}

// A value's tensors, each once. Nothing recurses by the file's will.
void count_tensors(const IValue& root, ScanReport& report) {
  std::vector<IValue> stack{root};
  std::unordered_set<const void*> seen, storages;
  while (!stack.empty()) {
    const IValue v = std::move(stack.back());
    stack.pop_back();
    if (v.isTensor()) {
      const Tensor& t = v.toTensorRef();
      if (!t.defined() || !seen.insert(t.impl()).second) continue;
      ++report.tensors;
      if (t.device().type == DeviceType::Meta) continue;
      const auto bytes = static_cast<uint64_t>(t.numel()) * element_size(t.dtype());
      if (storages.insert(t.impl()->storage.get()).second)
        report.tensor_bytes += t.impl()->storage->nbytes();
      if (bytes > uint64_t{64} << 20 && bytes / 64 > report.bytes)
        report.find("tensor-oversized", "",
                    detail::concat("a tensor of sizes ", t.sizes(), " and type ",
                                   dtype_name(t.dtype()), " has ", bytes, " bytes of elements"));
      continue;
    }
    if (!v.isTuple() && !v.isList() && !v.isDict() && !v.isObject()) continue;
    if (!seen.insert(v.box()).second) continue;
    if (v.isTuple())
      for (auto& x : v.toTupleRef().items) stack.push_back(x);
    else if (v.isList())
      for (auto& x : v.toListRef().items) stack.push_back(x);
    else if (v.isDict())
      for (auto& kv : v.toDictRef().items) stack.push_back(kv.second);
    else
      for (size_t i = 0; i < v.toObjectRef().size(); ++i) stack.push_back(v.toObjectRef().slot(i));
  }
}

// What the loader says when it may run nothing.
template <class F>
void try_to_load(ScanReport& report, const F& load) {
  Context c = default_context();
  c.kernels = &cpu_kernels();
  ContextScope scope(&c);
  std::string why;
  try {
    load();
    return;
  } catch (const PolicyError&) {
    return;  // told by scan_code
  } catch (const Error& e) {
    why = e.what();
  } catch (const std::bad_alloc&) {
    why = "reading it takes more memory than there is";
  }
  if (starts(why, report.file + ":")) why.erase(0, report.file.size() + 1);
  why = why.substr(0, why.find('\n'));
  report.find("load-refused", "", why.substr(why.find_first_not_of(' ')));
}

void load_script(const Bytes& bytes, ScanReport& report) {
  auto policy = std::make_shared<script::Policy>();
  policy->run_at_load = false;
  // No function to run code with: objects with a __setstate__ stay empty.
  LoadedArchive a = load_archive(bytes, report.file, op_table(), nullptr, policy);
  count_tensors(a.root, report);
  for (auto& v : a.cu->constants) count_tensors(v, report);
}

struct Zip {
  const Bytes& bytes;
  ScanReport& report;
  std::string folder;  // with its slash

  explicit Zip(const Bytes& b, ScanReport& r) : bytes(b), report(r) {
    const std::string first = r.records.empty() ? "" : r.records[0].name;
    folder = first.find('/') == std::string::npos ? "" : first.substr(0, first.find('/') + 1);
  }
  bool has(const std::string& record) const {
    return std::any_of(report.records.begin(), report.records.end(),
                       [&](const ZipRecord& e) { return e.name == folder + record; });
  }
  bool has_under(const std::string& prefix) const {
    return std::any_of(report.records.begin(), report.records.end(),
                       [&](const ZipRecord& e) { return starts(e.name, folder + prefix); });
  }
  void each(const std::function<void(const std::string& record, const std::string& text)>& use,
            const std::string& ending) const {
    for (auto& e : report.records) {
      if (!ends(e.name, ending) || !starts(e.name, folder)) continue;
      std::string text;
      if (record_bytes(bytes, e, text)) use(e.name.substr(folder.size()), text);
    }
  }
  void pickles(PickleKind kind) const {
    for (bool debug : {false, true})
      each(
          [&](const std::string& record, const std::string& text) {
            if (!starts(record, "extra/"))
              scan_pickle(text, record, debug ? PickleKind::Script : kind, false, report);
          },
          debug ? ".debug_pkl" : ".pkl");
  }
  void sources(const std::string& prefix) const {
    each(
        [&](const std::string& record, const std::string& text) {
          if (!starts(record, prefix)) return;
          std::string qualifier = record.substr(prefix.size(), record.size() - prefix.size() - 3);
          std::replace(qualifier.begin(), qualifier.end(), '/', '.');
          scan_code(text, record, qualifier, false, report);
        },
        ".py");
  }
  void foreign_records() const {
    for (auto& e : report.records)
      if (!starts(e.name, folder))
        report.find("zip-foreign-record", e.name,
                    "it stands outside of the folder " + folder + ", where nothing finds it");
  }
};

void scan_zip_file(const Bytes& bytes, ScanReport& report) {
  scan_zip(bytes, report);
  Zip z(bytes, report);
  auto names = [&] {
    std::vector<std::string> r;
    for (auto& e : report.records) r.push_back(e.name);
    return r;
  };
  if (z.has("constants.pkl")) {
    report.kind = z.has("bytecode.pkl") ? "TorchScript archive for mobile" : "TorchScript archive";
    z.foreign_records();
    z.pickles(PickleKind::Script);
    z.sources("code/");
    scan_links(report);
    return try_to_load(report, [&] { load_script(bytes, report); });
  }
  if (z.has("model.json")) {
    report.kind = "TorchScript archive of torch before 1.3";
    z.foreign_records();
    z.pickles(PickleKind::Script);
    z.sources("libs/");
    z.each(
        [&](const std::string& record, const std::string& text) {
          if (starts(record, "code/"))
            scan_code(text, record, record.substr(5, record.size() - 8), true, report);
        },
        ".py");
    scan_links(report);
    return try_to_load(report, [&] { load_script(bytes, report); });
  }
  const bool package = z.has(".data/extern_modules") || z.has_under(".data/ts_code/");
  if (z.has("data.pkl") && !package && !z.has("archive_format")) {
    report.kind = "torch.save file";
    z.foreign_records();
    z.pickles(PickleKind::TorchSave);
    return try_to_load(report, [&] { count_tensors(load_torch_save(bytes, report.file), report); });
  }
  const auto records = names();
  if (!records.empty() &&
      std::all_of(records.begin(), records.end(), [](auto& n) { return ends(n, ".npy"); })) {
    report.kind = "NumPy arrays (.npz)";
    return try_to_load(report, [&] {
      for (auto& e : report.records) {
        std::string text;
        if (record_bytes(bytes, e, text))
          count_tensors(parse_npy(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                                  report.file + ": " + e.name),
                        report);
      }
    });
  }
  // Not for this loader: the container and the pickles in it.
  report.kind = package ? "torch.package archive" : kind_of_zip(records);
  if (report.kind.empty()) report.kind = "zip file of no known kind";
  if (records.empty()) report.kind = "broken zip file";
  report.kind = report.kind.substr(0, report.kind.find_first_of(":;,("));
  z.pickles(package ? PickleKind::Other : PickleKind::TorchSave);
}

// Five pickles and the storages.
void scan_stream(const Bytes& bytes, ScanReport& report) {
  report.kind = "torch.save file of torch before 1.6";
  const std::string all(reinterpret_cast<const char*>(bytes.data), bytes.size);
  size_t at = 0;
  for (const char* part : {"magic number", "protocol", "system", "value", "keys"}) {
    const size_t n = scan_pickle(all.substr(at), part, PickleKind::TorchSave, true, report);
    if (!n) break;
    at += n;
  }
  try_to_load(report, [&] { count_tensors(load_torch_save(bytes, report.file), report); });
}

// A zip file whose first bytes are something else.
bool ends_as_zip(const Bytes& b) {
  if (b.size < 22) return false;
  const size_t lowest = b.size > 22 + 65535 ? b.size - 22 - 65535 : 0;
  for (size_t end = b.size - 22;; --end) {
    if (std::memcmp(b.data + end, "PK\5\6", 4) == 0) {
      uint32_t directory;
      std::memcpy(&directory, b.data + end + 16, 4);
      return directory < b.size - 4 && std::memcmp(b.data + directory, "PK\1\2", 4) == 0;
    }
    if (end == lowest) return false;
  }
}

}  // namespace

ScanReport scan_bytes(const Bytes& bytes, const std::string& name) {
  ScanReport report;
  report.file = name;
  report.bytes = bytes.size;
  auto begins = [&](std::string_view magic) {
    return bytes.size >= magic.size() && std::memcmp(bytes.data, magic.data(), magic.size()) == 0;
  };
  const bool pickle = bytes.size > 2 && bytes.data[0] == 0x80 && bytes.data[1] <= 5;
  if (begins("PK\3\4") || ends_as_zip(bytes)) {
    scan_zip_file(bytes, report);
  } else if (begins("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19")) {
    scan_stream(bytes, report);
  } else if (begins("\x93NUMPY")) {
    report.kind = "NumPy array (.npy)";
    try_to_load(report,
                [&] { count_tensors(parse_npy(bytes.data, bytes.size, report.file), report); });
  } else if (pickle) {
    report.kind = "Python pickle";
    scan_pickle(std::string(reinterpret_cast<const char*>(bytes.data), bytes.size), "",
                PickleKind::Other, false, report);
  } else {
    report.unreadable = kind_of_bytes(bytes);
    if (report.unreadable.empty()) report.unreadable = "a file of no known kind";
  }
  return report;
}

namespace {

struct ScanOptions {
  std::vector<std::string> files;
  bool json = false, sarif = false;
};

int scan(const ScanOptions& o) {
  if (o.json && o.sarif) throw CLI::ValidationError("--json and --sarif", "one of the two");
  std::vector<ScanReport> reports;
  bool odd = false, all_read = true;
  for (auto& file : o.files) {
    ScanReport r;
    try {
      r = scan_bytes(map_file(file), file);
    } catch (const Error& e) {
      r.file = file;
      r.unreadable = e.what();
    }
    odd |= !r.findings.empty();
    if (!r.unreadable.empty()) {
      all_read = false;
      std::cout.flush();
      const bool named = starts(r.unreadable, file) || starts(r.unreadable, "cannot ");
      std::cerr << "sconce: " << printable((named ? "" : file + ": ") + r.unreadable) << "\n";
    } else if (!o.json && !o.sarif) {
      std::cout << scan_text(r);
    }
    if (o.json || o.sarif) reports.push_back(std::move(r));
  }
  if (o.json) std::cout << scan_json(reports);
  if (o.sarif) std::cout << scan_sarif(reports);
  return !all_read ? kBadFile : odd ? kAnswerIsNo : kDone;
}

}  // namespace

Command add_scan(CLI::App& app) {
  auto o = std::make_shared<ScanOptions>();
  auto* c = app.add_subcommand(
      "scan", "what files contain and what is odd about them; runs nothing of them");
  c->add_option("file", o->files, "archives, torch.save files, pickles, .npy and .npz files")
      ->required()
      ->type_name("FILE");
  c->add_flag("--json", o->json, "as JSON: an array of reports");
  c->add_flag("--sarif", o->sarif, "as SARIF 2.1.0, which code hosts show");
  std::string rules = "Findings:\n";
  for (auto& r : kScanRules)
    rules += "  " + (std::string(r.name) + std::string(23, ' ')).substr(0, 23) + r.text + "\n";
  rules += "\nNotes, which are no findings:\n";
  for (auto& r : kScanNotes)
    rules += "  " + (std::string(r.name) + std::string(23, ' ')).substr(0, 23) + r.text + "\n";
  c->footer(rules +
            "\nExit codes: 0 no finding, 1 findings, 2 wrong usage, 3 a file that can't be "
            "read.\n\nExamples:\n  sconce scan model.pt\n  sconce scan --sarif *.pt > scan.sarif");
  return [o] { return scan(*o); };
}

}  // namespace sconce::tool
