// SPDX-License-Identifier: Apache-2.0
#include "writer/archive_writer.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <memory>
#include <set>

#include "writer/pickler.h"
#include "writer/printer.h"
#include "writer/zip_writer.h"

namespace sconce::writer {

namespace {

constexpr uint64_t kMinVersion = 3, kMaxVersion = 10, kVersionInData = 6;

struct Record {
  std::string name, bytes;
  Ref<Storage> storage;  // instead of bytes
  uint64_t size = 0;
};

class Writer {
 public:
  explicit Writer(const ArchiveContents& c)
      : c_(c), needs_(names_, *c.ops, [](Function& f) -> Graph& { return f.ensure_graph(); }) {
    needs_.device = c.device;
  }

  std::vector<Record> records() {
    for (auto& [name, bytes] : c_.extra_files) add_extra(name, bytes);
    std::vector<Record> data = pickled(c_.root, "data");
    std::move(data.begin(), data.end(), std::back_inserter(records_));
    const ClassType* root = c_.root.toObjectRef().type;
    needs_.add(root);
    define_needed();
    // Constants may be objects, whose classes may need more constants.
    std::vector<Record> constants;
    for (size_t known = ~size_t{0}; known != needs_.constants.size();) {
      known = needs_.constants.size();
      constants = pickled(IValue(make_ref<TupleBox>(needs_.constants)), "constants");
      define_needed();
    }
    for (auto& name : files_in_order_) {
      const SourceFile& f = *files_.at(name);
      add(code_path(name), f.text().str());
      if (!c_.strip_debug) add(code_path(name) + ".debug_pkl", pickle_places(f.text()));
    }
    std::move(constants.begin(), constants.end(), std::back_inserter(records_));
    add_version();
    add("byteorder", "little");
    check_names();
    return std::move(records_);
  }

 private:
  void add(std::string name, std::string bytes) {
    records_.push_back({std::move(name), std::move(bytes), nullptr, 0});
  }

  void add_extra(const std::string& name, const std::string& bytes) {
    bool fine = !name.empty() && name.front() != '/' && name.size() < 1000;
    for (unsigned char c : name) fine = fine && c >= 0x20 && c != '\\' && c != 0x7f;
    for (size_t at = 0; at <= name.size();) {
      const size_t slash = std::min(name.find('/', at), name.size());
      const std::string part = name.substr(at, slash - at);
      fine = fine && !part.empty() && part != "." && part != "..";
      at = slash + 1;
    }
    if (!fine)
      raise<Error>("the extra file ", quoted(name.substr(0, 200)), " can't have this name");
    add("extra/" + name, bytes);
  }

  std::vector<Record> pickled(const IValue& v, const std::string& what) {
    Pickler::Options options{c_.run, c_.device ? c_.device : c_.saved_on, c_.dedupe};
    Pickler pickler(names_, options);
    std::string bytes = pickler.pickle(v);
    std::vector<Record> made;
    for (auto& r : pickler.records()) made.push_back({what + "/" + r.key, "", r.storage, r.size});
    made.push_back({what + ".pkl", std::move(bytes), nullptr, 0});
    for (TypePtr t : pickler.types()) needs_.add(t);
    return made;
  }

  static std::string code_path(std::string qualifier) {
    std::replace(qualifier.begin(), qualifier.end(), '.', '/');
    return "code/" + qualifier + ".py";
  }

  // The list grows meanwhile.
  void define_needed() {
    for (; defined_ < needs_.items.size(); ++defined_) {
      const Needs::Item item = needs_.items[defined_];
      const std::string qualifier(
          prefix_of(item.function ? names_.of(*item.function) : names_.of(item.type)));
      auto& file = files_[qualifier];
      if (!file) {
        file = std::make_unique<SourceFile>(needs_);
        files_in_order_.push_back(qualifier);
      }
      if (item.type == c_.root.toObjectRef().type)
        file->add_class(static_cast<const ClassType&>(*item.type), c_.functions);
      else
        file->add(item);
    }
  }

  void add_version() {
    uint64_t v = c_.version ? c_.version : std::max(kMinVersion, needs_.version);
    if (v < kMinVersion || v > kMaxVersion)
      raise<Error>("file version ", v, " can't be written; versions ", kMinVersion, " to ",
                   kMaxVersion, " can");
    if (v < needs_.version)
      raise<Error>("file version ", v, " can't be written: ", needs_.version_operator,
                   " has its meaning since version ", needs_.version);
    add(v < kVersionInData ? "version" : ".data/version", std::to_string(v) + "\n");
  }

  // Readers don't tell names apart by the case of letters.
  void check_names() const {
    std::set<std::string> lower;
    for (auto& r : records_) {
      std::string s = r.name;
      for (char& c : s) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      if (r.name.size() + c_.folder.size() > 60000)
        raise<Error>("the name ", quoted(r.name.substr(0, 200)), " is too long for an archive");
      if (!lower.insert(std::move(s)).second)
        raise<Error>("an archive can't have two records ", quoted(r.name),
                     " (the case of letters doesn't count)");
    }
  }

  const ArchiveContents& c_;
  Names names_;
  Needs needs_;
  size_t defined_ = 0;
  std::unordered_map<std::string, std::unique_ptr<SourceFile>> files_;
  std::vector<std::string> files_in_order_;
  std::vector<Record> records_;
};

}  // namespace

void write_archive(const ArchiveContents& contents, ByteSink& out) {
  const std::vector<Record> records = Writer(contents).records();
  ZipWriter zip(out, contents.folder);
  for (const Record& r : records) {
    if (r.storage)
      zip.add(r.name, r.storage->data(), r.size);
    else
      zip.add(r.name, r.bytes);
  }
  zip.finish();
}

}  // namespace sconce::writer
