// SPDX-License-Identifier: Apache-2.0
// The C API: values other than tensors.
#include "api/c_api.h"
#include "api/clone_copy.h"
#include "api/runtime.h"
#include "core/schema.h"
#include "core/value_check.h"

namespace sconce::c {

namespace {

TypePtr type_argument(const char* text) {
  if (!text) return nullptr;
  try {
    return parse_schema_type(text);
  } catch (const Error& e) {
    raise<InvalidArgument>("no type: ", e.what());
  }
}
// The element of a container fits the type that it says; a type that isn't given takes all.
IValue element(const IValue& v, TypePtr type, const char* what) {
  IValue r = v;
  if (type) check_attribute(r, ClassType::Attribute{what, type});
  return r;
}

sconce_kind kind_of(const IValue& v) {
  switch (v.tag()) {
    case Tag::None: return SCONCE_NONE;
    case Tag::Tensor: return SCONCE_TENSOR;
    case Tag::Int: return SCONCE_INT;
    case Tag::Double: return SCONCE_DOUBLE;
    case Tag::Bool: return SCONCE_BOOL;
    case Tag::ComplexDouble: return SCONCE_COMPLEX;
    case Tag::String: return SCONCE_STRING;
    case Tag::Device: return SCONCE_DEVICE;
    case Tag::List: return SCONCE_LIST;
    case Tag::Dict: return SCONCE_DICT;
    case Tag::Tuple: return SCONCE_TUPLE;
    case Tag::Object: return SCONCE_OBJECT;
    case Tag::Enum: return SCONCE_ENUM;
    case Tag::Future: return SCONCE_FUTURE;
    case Tag::Function: return SCONCE_FUNCTION;
    case Tag::Generator: return SCONCE_GENERATOR;
  }
  return SCONCE_NONE;
}

const std::vector<IValue>& items_of(const sconce_value* v) {
  const IValue& x = value_of(v);
  if (x.isTuple()) return x.toTupleRef().items;
  if (x.isList()) return x.toListRef().items;
  raise<InvalidArgument>("value is a ", x.tag_name(), ", neither list nor tuple");
}
const IValue& item_at(const std::vector<IValue>& items, size_t i) {
  if (i >= items.size())
    raise<InvalidArgument>("index ", i, " of what has ", items.size(), " items");
  return items[i];
}
// Of a list whose type is known, else what fits anything.
TypePtr known(TypePtr t) { return t && t->kind != TypeKind::Var ? t : nullptr; }

template <class Make>
sconce_status make(sconce_value** out, Make f) noexcept {
  return guarded([&] {
    required(out, "out");
    *out = new_value(f());
  });
}

}  // namespace

const IValue& value_of(const sconce_value* v, const char* name) { return required(v, name).value; }
const IValue& value_of(const sconce_value* v, Tag tag, const char* kind) {
  const IValue& x = value_of(v);
  if (x.tag() != tag) raise<InvalidArgument>("value is a ", x.tag_name(), ", not ", kind);
  return x;
}
const Tensor& tensor_of(const sconce_value* v, const char* name) {
  const IValue& x = value_of(v, name);
  if (!x.isTensor()) raise<InvalidArgument>(name, " is a ", x.tag_name(), ", not a tensor");
  const Tensor& t = x.toTensorRef();
  if (!t.defined()) raise<InvalidArgument>(name, " is an undefined tensor");
  return t;
}
std::vector<IValue> values_of(sconce_value* const* values, size_t n, const char* name) {
  if (n && !values) raise<InvalidArgument>(name, " is NULL");
  std::vector<IValue> r;
  r.reserve(n);
  for (size_t i = 0; i < n; ++i) r.push_back(value_of(values[i], name));
  return r;
}

}  // namespace sconce::c

using namespace sconce;
using namespace sconce::c;

extern "C" {

void sconce_value_free(sconce_value* value) { delete value; }
sconce_status sconce_value_retain(const sconce_value* value, sconce_value** out) {
  return make(out, [&] { return value_of(value); });
}
sconce_status sconce_value_clone(const sconce_value* value, sconce_value** out) {
  return make(out, [&] { return CloneCopy().copy(value_of(value)); });
}
sconce_kind sconce_value_kind(const sconce_value* value) {
  return value ? kind_of(value->value) : -1;
}
sconce_status sconce_value_type(const sconce_value* value, char** out) {
  return guarded([&] { required(out, "out") = new_string(value_type_str(value_of(value))); });
}
sconce_status sconce_value_text(const sconce_value* value, char** out) {
  return guarded([&] {
    required(out, "out") = new_string(run_named("aten::str", {value_of(value)}).toStringRef());
  });
}
int32_t sconce_value_same(const sconce_value* a, const sconce_value* b) {
  if (!a || !b) return a == b;
  const IValue &x = a->value, &y = b->value;
  if (x.tag() != y.tag()) return 0;
  if (x.isString()) return x.toStringRef() == y.toStringRef();
  if (x.isComplexDouble()) return x.toComplexDouble() == y.toComplexDouble();
  if (x.isDevice()) return x.toDevice() == y.toDevice();
  if (x.isDouble()) return x.toDouble() == y.toDouble();
  if (x.isInt()) return x.toInt() == y.toInt();
  if (x.isBool()) return x.toBool() == y.toBool();
  return x.box() == y.box();
}
sconce_status sconce_value_load(const char* path, sconce_value** out) {
  return make(out, [&] { return load_pickle(text_argument(path, "path")); });
}

sconce_status sconce_none_new(sconce_value** out) {
  return make(out, [] { return IValue(); });
}
sconce_status sconce_int_new(int64_t x, sconce_value** out) {
  return make(out, [&] { return IValue(x); });
}
sconce_status sconce_double_new(double x, sconce_value** out) {
  return make(out, [&] { return IValue(x); });
}
sconce_status sconce_bool_new(int32_t x, sconce_value** out) {
  return make(out, [&] { return IValue(x != 0); });
}
sconce_status sconce_complex_new(double re, double im, sconce_value** out) {
  return make(out, [&] { return IValue(std::complex<double>(re, im)); });
}
sconce_status sconce_string_new(const char* text, size_t length, sconce_value** out) {
  return make(out, [&] {
    if (length) required(text, "text");
    return IValue(length ? std::string(text, length) : std::string());
  });
}
sconce_status sconce_device_new(const char* device, sconce_value** out) {
  return make(out, [&] { return IValue(Device::parse(text_argument(device, "device"))); });
}
sconce_status sconce_list_new(const char* type, sconce_value* const* items, size_t n,
                              sconce_value** out) {
  return make(out, [&] {
    TypePtr t = type_argument(type);
    std::vector<IValue> list = values_of(items, n, "items");
    for (IValue& v : list) v = element(v, t, "item");
    return IValue(make_ref<ListBox>(t, std::move(list)));
  });
}
sconce_status sconce_tuple_new(sconce_value* const* items, size_t n, sconce_value** out) {
  return make(out, [&] { return IValue(make_ref<TupleBox>(values_of(items, n, "items"))); });
}
sconce_status sconce_dict_new(const char* key_type, const char* value_type,
                              sconce_value* const* keys, sconce_value* const* values, size_t n,
                              sconce_value** out) {
  return make(out, [&] {
    TypePtr k = type_argument(key_type), v = type_argument(value_type);
    std::vector<IValue> ks = values_of(keys, n, "keys"), vs = values_of(values, n, "values");
    auto d = make_ref<DictBox>(k, v);
    for (size_t i = 0; i < n; ++i) d->set(element(ks[i], k, "key"), element(vs[i], v, "value"));
    return IValue(std::move(d));
  });
}

sconce_status sconce_value_int(const sconce_value* value, int64_t* out) {
  return guarded([&] { required(out, "out") = value_of(value, Tag::Int, "an int").toInt(); });
}
sconce_status sconce_value_double(const sconce_value* value, double* out) {
  return guarded(
      [&] { required(out, "out") = value_of(value, Tag::Double, "a float").toDouble(); });
}
sconce_status sconce_value_bool(const sconce_value* value, int32_t* out) {
  return guarded([&] { required(out, "out") = value_of(value, Tag::Bool, "a bool").toBool(); });
}
sconce_status sconce_value_complex(const sconce_value* value, double* re, double* im) {
  return guarded([&] {
    auto z = value_of(value, Tag::ComplexDouble, "complex").toComplexDouble();
    required(re, "re"), required(im, "im");
    *re = z.real(), *im = z.imag();
  });
}
sconce_status sconce_value_string(const sconce_value* value, const char** text, size_t* length) {
  return guarded([&] {
    const std::string& s = value_of(value, Tag::String, "a string").toStringRef();
    required(text, "text") = s.c_str();
    if (length) *length = s.size();
  });
}
sconce_status sconce_value_device(const sconce_value* value, char** out) {
  return guarded([&] {
    required(out, "out") = new_string(value_of(value, Tag::Device, "a device").toDevice().str());
  });
}

sconce_status sconce_value_length(const sconce_value* value, size_t* out) {
  return guarded([&] {
    const IValue& x = value_of(value);
    required(out, "out") = x.isDict() ? x.toDictRef().items.size() : items_of(value).size();
  });
}
sconce_status sconce_value_item(const sconce_value* value, size_t i, sconce_value** out) {
  return make(out, [&] { return item_at(items_of(value), i); });
}
sconce_status sconce_tuple_field(const sconce_value* value, size_t i, char** out) {
  return guarded([&] {
    const TupleBox& t = value_of(value, Tag::Tuple, "a tuple").toTupleRef();
    item_at(t.items, i);
    bool named = t.type && i < t.type->fields.size();
    required(out, "out") = new_string(named ? t.type->fields[i] : "");
  });
}
sconce_status sconce_list_set(sconce_value* list, size_t i, const sconce_value* item) {
  return guarded([&] {
    ListBox& l = value_of(list, Tag::List, "a list").toListRef();
    item_at(l.items, i);
    l.items[i] = element(value_of(item, "item"), known(l.elem_type), "item");
  });
}
sconce_status sconce_list_append(sconce_value* list, const sconce_value* item) {
  return guarded([&] {
    ListBox& l = value_of(list, Tag::List, "a list").toListRef();
    l.items.push_back(element(value_of(item, "item"), known(l.elem_type), "item"));
  });
}
sconce_status sconce_dict_entry(const sconce_value* dict, size_t i, sconce_value** key,
                                sconce_value** value) {
  return guarded([&] {
    auto& items = value_of(dict, Tag::Dict, "a dict").toDictRef().items;
    if (i >= items.size()) raise<InvalidArgument>("entry ", i, " of a dict with ", items.size());
    required(key, "key"), required(value, "value");
    std::unique_ptr<sconce_value> k(new_value(items[i].first));
    *value = new_value(items[i].second);
    *key = k.release();
  });
}
sconce_status sconce_dict_find(const sconce_value* dict, const sconce_value* key,
                               sconce_value** out) {
  return guarded([&] {
    required(out, "out");
    const IValue* found =
        value_of(dict, Tag::Dict, "a dict").toDictRef().find(value_of(key, "key"));
    *out = found ? new_value(*found) : nullptr;
  });
}
sconce_status sconce_dict_set(sconce_value* dict, const sconce_value* key,
                              const sconce_value* value) {
  return guarded([&] {
    DictBox& d = value_of(dict, Tag::Dict, "a dict").toDictRef();
    d.set(element(value_of(key, "key"), known(d.key_type), "key"),
          element(value_of(value), known(d.value_type), "value"));
  });
}

sconce_status sconce_object_class(const sconce_value* object, char** out) {
  return guarded([&] {
    const IValue& x = value_of(object);
    std::string name = x.isEnum()
                           ? x.toEnumRef().type->name
                           : value_of(object, Tag::Object, "an object").toObjectRef().type->name;
    required(out, "out") = new_string(name);
  });
}
sconce_status sconce_object_num_attributes(const sconce_value* object, size_t* out) {
  return guarded([&] {
    required(out, "out") =
        value_of(object).isEnum()
            ? 2
            : value_of(object, Tag::Object, "an object").toObjectRef().type->attributes.size();
  });
}
sconce_status sconce_object_attribute_name(const sconce_value* object, size_t i, char** out) {
  return guarded([&] {
    required(out, "out");
    if (value_of(object).isEnum()) {
      if (i > 1) raise<InvalidArgument>("an enum has a name and a value");
      *out = new_string(i ? "value" : "name");
      return;
    }
    auto& a = value_of(object, Tag::Object, "an object").toObjectRef().type->attributes;
    if (i >= a.size()) raise<InvalidArgument>("attribute ", i, " of ", a.size());
    *out = new_string(a[i].name);
  });
}
sconce_status sconce_object_attribute(const sconce_value* object, const char* name,
                                      sconce_value** out) {
  return make(out, [&] {
    std::string n = text_argument(name, "name");
    const IValue& x = value_of(object);
    if (!x.isEnum()) return value_of(object, Tag::Object, "an object").toObjectRef().getattr(n);
    if (n == "name") return IValue(x.toEnumRef().name);
    if (n == "value") return x.toEnumRef().value;
    raise<InvalidArgument>("an enum has a name and a value, no '", n, "'");
  });
}

sconce_status sconce_object_set_attribute(sconce_value* object, const char* name,
                                          const sconce_value* value) {
  return guarded([&] {
    value_of(object, Tag::Object, "an object")
        .toObjectRef()
        .setattr(text_argument(name, "name"), value_of(value));
  });
}
sconce_status sconce_future_wait(const sconce_value* future, sconce_value** out) {
  return make(out,
              [&] { return wait_future(value_of(future, Tag::Future, "a future").toFutureRef()); });
}
sconce_status sconce_generator_new(uint64_t seed, sconce_value** out) {
  return make(out, [&] { return IValue(make_ref<Generator>(seed)); });
}

}  // extern "C"
