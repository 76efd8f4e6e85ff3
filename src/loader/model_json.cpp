// SPDX-License-Identifier: Apache-2.0
// Archives of torch 1.0 to 1.2: model.json tells the tree of modules and the table of tensors; each
// module has a record of methods as bare functions with self (archive-format section 10). Entry:
// load_model_json.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "core/sizes.h"
#include "ir/source.h"
#include "loader/archive.h"
#include "loader/fit_types.h"
#include "support/stack.h"

namespace sconce {

namespace {

using Json = nlohmann::json;
constexpr int kMaxProtoVersion = 5;

class OldLoader {
 public:
  OldLoader(LoadedArchive& a, const OpTable& ops, const RunFunction& run)
      : a_(a), ops_(ops), run_(run), file_(a.zip->file_name()) {}

  void load() {
    // Values of Json are copied, which is a recursion over what they hold.
    constexpr int kMaxLevels = 500;
    bool too_deep = false;
    Json model = Json::parse(
        a_.zip->read_text("model.json"),
        [&](int level, Json::parse_event_t, Json&) {
          too_deep |= level > kMaxLevels;
          return level <= kMaxLevels;
        },
        false);
    if (too_deep) fail("model.json is nested too deeply");
    if (!model.is_object()) fail("model.json is broken");
    int64_t proto = integer(model, "protoVersion", 1);
    if (proto > kMaxProtoVersion) fail("protoVersion ", proto, " is newer than ", kMaxProtoVersion);
    a_.version = version_of_sources(model);
    auto zip = a_.zip;
    std::string file = file_;
    a_.cu = std::make_shared<script::CompilationUnit>(
        ops_,
        [zip, file](const std::string& qualifier) -> std::shared_ptr<const Source> {
          std::string record = "libs/" + qualifier + ".py";
          std::replace(record.begin() + 5, record.end() - 3, '.', '/');
          if (!zip->has(record)) return nullptr;
          auto s = std::make_shared<Source>();
          s->text = zip->read_text(record);
          s->name = file + ":" + record;
          return s;
        },
        a_.version);
    a_.cu->policy = a_.policy;
    for (auto& t : list(model, "tensors")) a_.cu->constants.push_back(tensor(t));
    if (a_.zip->has("attributes.pkl")) read_attributes();
    if (!model.contains("mainModule")) fail("model.json has no mainModule");
    a_.root = module(model["mainModule"], "__torch__", 0);
  }

 private:
  template <class... P>
  [[noreturn]] void fail(const P&... parts) const {
    raise<FormatError>(file_, ": ", parts...);
  }
  // 64-bit integers are strings in this JSON.
  int64_t integer(const Json& v) const {
    if (v.is_number_integer()) return v.get<int64_t>();
    if (v.is_string()) {
      const std::string& s = v.get_ref<const std::string&>();
      char* end = nullptr;
      errno = 0;
      long long n = std::strtoll(s.c_str(), &end, 10);
      if (!s.empty() && !*end && errno == 0) return n;
    }
    fail("model.json: an integer is expected, found ", v.type_name());
  }
  int64_t integer(const Json& o, const char* key, int64_t fallback) const {
    return o.contains(key) ? integer(o[key]) : fallback;
  }
  std::string text(const Json& o, const char* key) const {
    if (!o.contains(key)) return "";
    if (!o[key].is_string()) fail("model.json: ", key, " is no string");
    return o[key].get<std::string>();
  }
  bool truth(const Json& o, const char* key) const {
    return o.contains(key) && o[key].is_boolean() && o[key].get<bool>();
  }
  std::vector<Json> list(const Json& o, const char* key) const {
    if (!o.contains(key)) return {};
    if (!o[key].is_array()) fail("model.json: ", key, " is no list");
    return o[key].get<std::vector<Json>>();
  }

  // "op_version_set = 1" at the front of the sources; 0 where there is none.
  uint64_t version_of_sources(const Json& model) const {
    uint64_t found = 0;
    std::function<void(const Json&, int)> walk = [&](const Json& m, int depth) {
      if (depth > 200) fail("model.json: modules are nested too deeply");
      if (!m.is_object()) return;
      if (m.contains("torchscriptArena")) {
        std::string source = a_.zip->read_text(text(m["torchscriptArena"], "key"));
        size_t at = source.find("op_version_set");
        if (at != std::string::npos && at < source.find("def "))
          if (size_t eq = source.find('=', at); eq != std::string::npos)
            found = std::max<uint64_t>(found, std::strtoull(source.c_str() + eq + 1, nullptr, 10));
      }
      for (auto& sub : list(m, "submodules")) walk(sub, depth + 1);
    };
    if (model.contains("mainModule")) walk(model["mainModule"], 0);
    return found;
  }

  ScalarType dtype_of(const std::string& name) const {
    static const std::pair<const char*, ScalarType> kNames[] = {
        {"FLOAT", kFloat},   {"INT32", kInt},        {"BOOL", kBool},  {"UINT8", kByte},
        {"INT8", kChar},     {"INT16", kShort},      {"INT64", kLong}, {"FLOAT16", kHalf},
        {"DOUBLE", kDouble}, {"BFLOAT16", kBFloat16}};
    for (auto& n : kNames)
      if (name == n.first) return n.second;
    fail("model.json: dataType ", name, " is not known");
  }

  IValue tensor(const Json& t) {
    if (!t.is_object() || !t.contains("data")) fail("model.json: a tensor has no data");
    auto impl = make_ref<TensorImpl>();
    impl->dtype = dtype_of(text(t, "dataType"));
    std::string key = text(t["data"], "key");
    Ref<Storage>& storage = storages_[key];
    if (!storage) {
      Bytes bytes = a_.zip->read(key);
      storage = Storage::allocate(bytes.size);
      if (bytes.size) std::memcpy(storage->address(), bytes.data, bytes.size);
    }
    impl->storage = storage;
    std::vector<Json> dims = list(t, "dims"), strides = list(t, "strides");
    if (!strides.empty() && strides.size() != dims.size())
      fail("model.json: strides don't fit dims");
    if (dims.size() > 64) fail("model.json: a tensor has more than 64 dims");
    for (auto& d : dims) impl->sizes.push_back(integer(d));
    impl->offset = integer(t, "offset", 0);
    try {
      impl->strides = contiguous_strides(impl->sizes);
      for (size_t i = 0; i < strides.size(); ++i) impl->strides[i] = integer(strides[i]);
      if (check_form(impl->sizes, impl->strides, impl->offset, impl->dtype) >
          static_cast<int64_t>(storage->nbytes()))
        fail("model.json: a tensor exceeds its storage");
    } catch (const OpError& e) {
      fail("model.json: ", e.what());
    }
    impl->requires_grad = truth(t, "requiresGrad");
    if (truth(t, "isQuantized")) quantise(*impl, t);
    return IValue(Tensor(impl));
  }

  // The dataType is that of the stored numbers.
  void quantise(TensorImpl& impl, const Json& t) const {
    impl.dtype = impl.dtype == kByte   ? ScalarType::QUInt8
                 : impl.dtype == kChar ? ScalarType::QInt8
                 : impl.dtype == kInt  ? ScalarType::QInt32
                                       : ScalarType::Undefined;
    if (impl.dtype == ScalarType::Undefined)
      fail("model.json: a quantised tensor's type is not known");
    auto q = std::make_shared<Quantizer>();
    if (t.contains("scale") && t["scale"].is_number()) q->scale = t["scale"].get<double>();
    q->zero_point = integer(t, "zeroPoint", 0);
    impl.quantizer = std::move(q);
    impl.requires_grad = false;
  }

  void read_attributes() {
    PickleOptions o;
    o.what = file_ + ":attributes.pkl";
    auto cu = a_.cu;
    // Tensors are named by their place in the table.
    o.read_storage = [this](const std::string& key, uint64_t) {
      return a_.zip->read("tensors/" + key);
    };
    o.resolve_type = [cu](const std::string& n) { return cu->find_type(n); };
    o.parse_type = [cu](const std::string& t) { return cu->parse_type_text(t); };
    o.build_object = [this](const ClassType* t, IValue) -> IValue {
      fail("attributes.pkl holds an object of ", t->name);
    };
    o.types = &cu->types();
    o.file_size = a_.zip->size();
    o.tensor_table = &cu->constants;
    IValue v = unpickle(a_.zip->read("attributes.pkl"), o);
    if (v.isTuple())
      attributes_ = v.toTupleRef().items;
    else if (v.isList())
      attributes_ = v.toListRef().items;
    else
      fail("attributes.pkl holds no list");
  }
  const IValue& attribute(int64_t id) const {
    if (id < 0 || id >= static_cast<int64_t>(attributes_.size()))
      fail("model.json: attribute ", id, " is not in attributes.pkl");
    return attributes_[static_cast<size_t>(id)];
  }

  IValue module(const Json& def, const std::string& prefix, int depth) {
    check_stack();
    if (!def.is_object()) fail("model.json: a module is no object");
    if (depth > 200) fail("model.json: modules are nested too deeply");
    // The name may have dots; atoms of digits alone get a '_'.
    std::string path = prefix, name = text(def, "name");
    for (size_t b = 0; b <= name.size();) {
      size_t e = std::min(name.find('.', b), name.size());
      std::string atom = name.substr(b, e - b);
      if (!atom.empty() && atom.find_first_not_of("0123456789") == std::string::npos)
        atom = "_" + atom;
      if (!atom.empty()) path += "." + atom;
      b = e + 1;
    }
    if (path == "__torch__") path += ".Module";
    while (!names_.insert(path).second) path += "_";
    ClassType* cls = a_.cu->create_class(path, true);
    std::vector<IValue> slots;
    auto add = [&](const std::string& n, TypePtr t, IValue v, bool parameter, bool buffer) {
      if (cls->find_attribute(n) >= 0) return;
      cls->add_attribute({n, t, parameter, buffer, false, false});
      slots.push_back(std::move(v));
    };
    for (auto& sub : list(def, "submodules")) {
      IValue child = module(sub, path, depth + 1);
      TypePtr type = child.toObjectRef().type;
      add(text(sub, "name"), type, std::move(child), false, false);
    }
    for (auto& p : list(def, "parameters")) {
      int64_t id = integer(p, "tensorId", 0);
      if (id < 0 || id >= static_cast<int64_t>(a_.cu->constants.size()))
        fail("model.json: tensor ", id, " is not in the table");
      bool buffer = truth(p, "isBuffer");
      add(text(p, "name"), types::tensor(), a_.cu->constants[static_cast<size_t>(id)], !buffer,
          buffer);
    }
    for (auto& at : list(def, "attributes")) {
      TypePtr type = a_.cu->parse_type_text(text(at, "type"));
      IValue v;
      if (at.contains("id") && integer(at["id"]) >= 0) v = attribute(integer(at["id"]));
      if (!fit_types(v, type, fitted_) && !v.isNone())
        fail("model.json: attribute ", text(at, "name"), " is no ", type->annotation_str());
      add(text(at, "name"), type, std::move(v), false, false);
    }
    auto object = make_ref<Object>(cls, a_.cu);
    object->set_slots(std::move(slots));
    if (def.contains("torchscriptArena")) {
      std::string record = text(def["torchscriptArena"], "key");
      a_.cu->define_text(a_.zip->read_text(record), file_ + ":" + record, path, cls);
    }
    if (def.contains("getStateAttributeId")) {
      int64_t id = integer(def["getStateAttributeId"]);
      Function* setstate = cls->find_method("__setstate__");
      if (id >= 0 && setstate && run_) {
        check_setstate(a_, *setstate);
        IValue state = attribute(id);
        a_.cu->ensure_schema(*setstate);
        if (setstate->schema.arguments.size() == 2 &&
            !fit_types(state, setstate->schema.arguments[1].type, fitted_))
          fail("model.json: the state of ", path, " is no ",
               setstate->schema.arguments[1].type->annotation_str());
        run_(*setstate, {IValue(object), state});
      }
    }
    return IValue(object);
  }

  LoadedArchive& a_;
  const OpTable& ops_;
  const RunFunction& run_;
  std::string file_;
  std::unordered_map<std::string, Ref<Storage>> storages_;
  std::vector<IValue> attributes_;
  std::unordered_set<std::string> names_;
  FittedValues fitted_;
};

}  // namespace

void load_model_json(LoadedArchive& a, const OpTable& ops, const RunFunction& run) {
  OldLoader(a, ops, run).load();
}

}  // namespace sconce
