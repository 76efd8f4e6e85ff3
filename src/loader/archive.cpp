// SPDX-License-Identifier: Apache-2.0
#include "loader/archive.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "loader/file_kind.h"
#include "loader/fit_types.h"

namespace sconce {

namespace {

constexpr uint64_t kMinVersion = 1, kMaxVersion = 10;

uint64_t read_version(const zip::Archive& z) {
  std::string record = z.has(".data/version") ? ".data/version" : "version";
  std::string text = z.read_text(record);
  size_t at = text.find_first_not_of(" \t\r\n");
  if (at == std::string::npos || text[at] < '0' || text[at] > '9')
    raise<FormatError>(z.file_name(), ": the version record holds no number");
  uint64_t v = std::strtoull(text.c_str() + at, nullptr, 10);
  if (v < kMinVersion)
    raise<FormatError>(z.file_name(), ": file version ", v, " is too old; versions ", kMinVersion,
                       " to ", kMaxVersion, " are supported");
  if (v > kMaxVersion)
    raise<FormatError>(z.file_name(), ": file version ", v, " is too new; versions ", kMinVersion,
                       " to ", kMaxVersion, " are supported");
  return v;
}

// Source ranges of generated code. Only for messages: anything odd is ignored.
std::vector<OriginalRange> read_debug(const zip::Archive& z, const std::string& record) {
  std::vector<OriginalRange> ranges;
  if (!z.has(record)) return ranges;
  try {
    PickleOptions o;
    o.what = record;
    o.file_size = z.size();
    // Texts are put together from pieces that may be named again and again.
    uint64_t worth = (uint64_t{1} << 20) + 16 * z.size();
    auto spend = [&](uint64_t n) {
      if (n > worth) raise<FormatError>(record, ": unfolds to far more than the file holds");
      worth -= n;
    };
    using Text = std::shared_ptr<const std::string>;
    IValue v = unpickle(z.read(record), o);
    auto& top = v.toTupleRef().items;
    bool table = !top.empty() && top[0].isString();
    std::vector<Text> strings;
    std::unordered_map<RefCounted*, Text> texts, names;
    std::vector<IValue> entries;
    if (table) {
      for (auto& x : top.at(1).toTupleRef().items) {
        spend(x.toStringRef().size());
        strings.push_back(std::make_shared<const std::string>(x.toStringRef()));
      }
      // The entries follow, either directly or as one tuple.
      for (size_t i = 2; i < top.size(); ++i) {
        if (top[i].isTuple() && !top[i].toTupleRef().items.empty() &&
            top[i].toTupleRef().items[0].isTuple())
          for (auto& e : top[i].toTupleRef().items) {
            spend(sizeof(OriginalRange));
            entries.push_back(e);
          }
        else
          entries.push_back(top[i]);
      }
    } else {
      entries = top;
    }
    auto own = [&](const IValue& v) {
      Text& t = names[v.box()];
      if (!t) {
        spend(v.toStringRef().size());
        t = std::make_shared<const std::string>(v.toStringRef());
      }
      return t;
    };
    for (auto& e : entries) {
      auto& parts = e.toTupleRef().items;
      OriginalRange r;
      r.offset = static_cast<uint32_t>(parts.at(0).toInt());
      auto& src = parts.at(1).toTupleRef().items;
      auto& where = src.at(0).toTupleRef().items;
      if (table) {
        Text& text = texts[where.at(0).box()];
        if (!text) {
          std::string whole;
          const IValue& pieces = where.at(0);  // a list of int, or in older archives a tuple
          for (auto& i : pieces.isList() ? pieces.toListRef().items : pieces.toTupleRef().items) {
            const Text& piece = strings.at(static_cast<size_t>(i.toInt()));
            spend(piece->size() + 1);
            whole += *piece;
          }
          text = std::make_shared<const std::string>(std::move(whole));
        }
        r.text = text;
        r.file = strings.at(static_cast<size_t>(where.at(1).toInt()));
      } else {
        r.text = own(where.at(0));
        if (where.at(1).isString()) r.file = own(where.at(1));
      }
      r.line = static_cast<uint32_t>(where.at(2).toInt());
      r.start = static_cast<uint32_t>(src.at(1).toInt());
      r.end = static_cast<uint32_t>(src.at(2).toInt());
      ranges.push_back(std::move(r));
    }
    std::stable_sort(
        ranges.begin(), ranges.end(),
        [](const OriginalRange& a, const OriginalRange& b) { return a.offset < b.offset; });
  } catch (const LimitError&) {
    throw;
  } catch (const std::exception&) {
    ranges.clear();
  }
  return ranges;
}

}  // namespace

namespace {

class Loader {
 public:
  Loader(LoadedArchive& a, const OpTable& ops, const RunFunction& run)
      : a_(a), ops_(ops), run_(run) {}

  void load() {
    zip::Archive& z = *a_.zip;
    if (!z.has("constants.pkl")) {
      if (z.has("model.json")) return load_model_json(a_, ops_, run_);
      std::string kind = kind_of_zip(z.names());
      if (kind.empty()) kind = "no TorchScript archive (constants.pkl is missing)";
      raise<FormatError>(z.file_name(), ": ", kind);
    }
    if (z.has("bytecode.pkl")) refuse_bytecode_alone(z);
    a_.version = read_version(z);
    auto zip = a_.zip;
    std::string file = z.file_name();
    a_.cu = std::make_shared<script::CompilationUnit>(
        ops_,
        [zip, file](const std::string& qualifier) -> std::shared_ptr<const Source> {
          std::string record = "code/" + qualifier + ".py";
          std::replace(record.begin() + 5, record.end() - 3, '.', '/');
          if (!zip->has(record)) return nullptr;
          auto s = std::make_shared<Source>();
          s->text = zip->read_text(record);
          s->name = file + ":" + record;
          s->set_originals([zip, record] { return read_debug(*zip, record + ".debug_pkl"); });
          return s;
        },
        a_.version);
    a_.cu->policy = a_.policy;
    IValue constants = read("constants", true);
    if (!constants.isTuple()) raise<FormatError>(z.file_name(), ": constants.pkl holds no tuple");
    a_.cu->constants = constants.toTupleRef().items;
    a_.root = read("data", false);
    if (!a_.root.isObject()) raise<FormatError>(z.file_name(), ": data.pkl holds no module");
  }

 private:
  // Mobile archives have their sources too, unless someone stripped them.
  static void refuse_bytecode_alone(const zip::Archive& z) {
    for (auto& r : z.records())
      if (r.rfind("code/", 0) == 0) return;
    raise<FormatError>(z.file_name(), ": ", kind_of_zip(z.names()));
  }
  IValue read(const std::string& name, bool constants) {
    zip::Archive& z = *a_.zip;
    PickleOptions o;
    o.what = z.file_name() + ":" + name + ".pkl";
    std::string folder = constants ? "constants/" : "data/";
    o.read_storage = [&z, folder](const std::string& key, uint64_t) {
      return z.read(folder + key);
    };
    o.defer_storage = [&z, folder](const std::string& key, uint64_t size) {
      return z.defer(folder + key, size);
    };
    auto cu = a_.cu;
    o.resolve_type = [cu](const std::string& n) { return cu->find_type(n); };
    o.parse_type = [cu](const std::string& text) { return cu->parse_type_text(text); };
    o.build_object = [this](const ClassType* t, IValue state) {
      return build(t, std::move(state));
    };
    o.types = &cu->types();
    o.saved_on = &a_.saved_on;
    o.file_size = z.size();
    return unpickle(z.read(name + ".pkl"), o);
  }

  IValue build(const ClassType* t, IValue state) {
    auto obj = make_ref<Object>(t, a_.cu);
    if (t->is_native) {
      obj->set_slot(0, std::move(state));
      return obj;
    }
    Function* setstate = t->find_method("__setstate__");
    if (setstate) {
      a_.cu->ensure_schema(*setstate);
      if (setstate->schema.arguments.size() == 2) {
        TypePtr wanted = setstate->schema.arguments[1].type;
        if (!fit_types(state, wanted, fitted_))
          raise<FormatError>(a_.zip->file_name(), ": the state of ", t->name, " is no ",
                             wanted->annotation_str());
      }
      if (!run_) return obj;
      check_setstate(a_, *setstate);
      run_(*setstate, {IValue(obj), std::move(state)});
      for (size_t i = 0; i < t->attributes.size(); ++i)
        if ((i >= obj->size() || obj->slot(i).isNone()) && !can_hold_none(t->attributes[i].type))
          raise<FormatError>(a_.zip->file_name(), ": __setstate__ of ", t->name,
                             " leaves attribute ", t->attributes[i].name, " unset");
      return obj;
    }
    if (!state.isDict())
      raise<FormatError>(a_.zip->file_name(), ": the state of ", t->name, " is no dict");
    for (size_t i = 0; i < t->attributes.size(); ++i) {
      auto& a = t->attributes[i];
      IValue* v = state.toDictRef().find(a.name);
      if (!v)
        raise<FormatError>(a_.zip->file_name(), ": attribute ", a.name, " of ", t->name,
                           " is not in the pickle");
      if (!fit_types(*v, a.type, fitted_))
        raise<FormatError>(a_.zip->file_name(), ": attribute ", a.name, " of ", t->name,
                           " is declared ", a.type->annotation_str(), " but the file holds a ",
                           v->tag_name(),
                           v->isList() || v->isDict() || v->isTuple() ? " of other elements" : "");
      obj->set_slot(i, *v);
    }
    return obj;
  }

  LoadedArchive& a_;
  const OpTable& ops_;
  const RunFunction& run_;
  FittedValues fitted_;
};

}  // namespace

void check_setstate(const LoadedArchive& a, const Function& f) {
  if (a.policy && !a.policy->run_at_load)
    raise<PolicyError>(a.zip->file_name(), ": ", f.qualified_name,
                       " would run when the file is loaded, which the host refuses "
                       "(allow_setstate is false)");
}

LoadedArchive load_archive(Bytes bytes, const std::string& name, const OpTable& ops,
                           const RunFunction& run, std::shared_ptr<const script::Policy> policy) {
  refuse_other_files(bytes, name);
  return load_archive(std::make_shared<zip::Archive>(std::move(bytes), name), ops, run,
                      std::move(policy));
}

LoadedArchive load_archive(std::shared_ptr<zip::Archive> zip, const OpTable& ops,
                           const RunFunction& run, std::shared_ptr<const script::Policy> policy) {
  LoadedArchive a;
  a.policy = std::move(policy);
  a.zip = std::move(zip);
  Loader(a, ops, run).load();
  return a;
}

}  // namespace sconce
