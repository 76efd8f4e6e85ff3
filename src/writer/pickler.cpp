// SPDX-License-Identifier: Apache-2.0
#include "writer/pickler.h"

#include <cstring>
#include <limits>

#include "core/device.h"
#include "core/sizes.h"
#include "support/stack.h"

namespace sconce::writer {

// ---- opcodes ----

void PickleText::number(uint64_t v, int bytes) {
  for (int i = 0; i < bytes; ++i) out_ += static_cast<char>(v >> (8 * i) & 0xFF);
}
void PickleText::integer(int64_t v) {
  if (v >= 0 && v <= 0xFF) {
    op('K');
    number(static_cast<uint64_t>(v), 1);
  } else if (v >= 0 && v <= 0xFFFF) {
    op('M');
    number(static_cast<uint64_t>(v), 2);
  } else if (v >= std::numeric_limits<int32_t>::min() && v <= std::numeric_limits<int32_t>::max()) {
    op('J');
    number(static_cast<uint64_t>(v), 4);
  } else {
    op('\x8a');
    number(8, 1);
    number(static_cast<uint64_t>(v), 8);
  }
}
void PickleText::real(double v) {
  uint64_t bits;
  std::memcpy(&bits, &v, 8);
  op('G');
  for (int i = 7; i >= 0; --i) out_ += static_cast<char>(bits >> (8 * i) & 0xFF);
}
void PickleText::text(const std::string& s) {
  auto [at, fresh] = texts_.emplace(s, 0);
  if (!fresh) return get(at->second);
  if (s.size() <= 0xFFFFFFFFu) {
    op('X');
    number(s.size(), 4);
  } else {
    op('\x8d');
    number(s.size(), 8);
  }
  out_ += s;
  at->second = put();
}
void PickleText::global(std::string_view module, std::string_view name) {
  std::string key = std::string(module) + "\n" + std::string(name) + "\n";
  auto [at, fresh] = globals_.emplace(key, 0);
  if (!fresh) return get(at->second);
  op('c');
  out_ += key;
  at->second = put();
}
void PickleText::tuple(int n) { op(n == 0 ? ')' : static_cast<char>('\x84' + n)); }
uint32_t PickleText::put() {
  if (next_ == std::numeric_limits<int32_t>::max())
    raise<Error>("the module has too many values for a pickle");
  if (next_ <= 0xFF) {
    op('q');
    number(next_, 1);
  } else {
    op('r');
    number(next_, 4);
  }
  return next_++;
}
void PickleText::get(uint32_t memo) {
  if (memo <= 0xFF) {
    op('h');
    number(memo, 1);
  } else {
    op('j');
    number(memo, 4);
  }
}

// ---- values ----

namespace {

uint64_t hash_bytes(const void* data, uint64_t size) {
  const auto* p = static_cast<const unsigned char*>(data);
  uint64_t h = 14695981039346656037ull ^ size;
  for (; size >= 8; size -= 8, p += 8) {
    uint64_t w;
    std::memcpy(&w, p, 8);
    h = (h ^ w) * 0x9E3779B97F4A7C15ull;
    h ^= h >> 29;
  }
  for (; size; --size) h = (h ^ *p++) * 1099511628211ull;
  return h;
}

// Bytes from a storage's start to the end of the tensor's last element.
uint64_t extent_bytes(const TensorImpl& t) {
  return static_cast<uint64_t>(check_form(t.sizes, t.strides, t.offset, t.dtype));
}

}  // namespace

void Pickler::refuse(const std::string& why) const {
  std::string where;
  for (const std::string& p : path_) where += (where.empty() || p[0] == '[' ? "" : ".") + p;
  throw Error((where.empty() ? "the module" : where.substr(0, 300)) + " can't be saved: " + why);
}

std::string Pickler::pickle(const IValue& v) {
  value(v);
  return out_.finish();
}

void Pickler::within(std::string part, const IValue& v) {
  path_.push_back(std::move(part));
  value(v);
  path_.pop_back();
}

void Pickler::value(const IValue& v) {
  check_stack();
  const RefCounted* box = v.isString() || v.isComplexDouble() ? nullptr : v.box();
  if (!box) return plain(v);
  if (auto known = memo_.find(box); known != memo_.end()) return out_.get(known->second);
  if (!open_.insert(box).second) refuse("it contains itself");
  keep_.push_back(v);
  plain(v);
  open_.erase(box);
  memo_[box] = out_.put();
}

void Pickler::plain(const IValue& v) {
  switch (v.tag()) {
    case Tag::None: return out_.op('N');
    case Tag::Int: return out_.integer(v.toInt());
    case Tag::Bool: return out_.boolean(v.toBool());
    case Tag::Double: return out_.real(v.toDouble());
    case Tag::String: return out_.text(v.toStringRef());
    case Tag::Device: return device(v.toDevice());
    case Tag::ComplexDouble:
      out_.global("builtins", "complex");
      out_.real(v.toComplexDouble().real());
      out_.real(v.toComplexDouble().imag());
      out_.tuple(2);
      return out_.op('R');
    case Tag::Tensor:
      if (!v.box()) return out_.op('N');
      return tensor(v.toTensorRef());
    case Tag::Tuple: {
      auto& items = v.toTupleRef().items;
      if (items.size() > 3) out_.mark();
      for (size_t i = 0; i < items.size(); ++i) within("[" + std::to_string(i) + "]", items[i]);
      if (items.size() > 3) return out_.tuple_of_mark();
      return out_.tuple(static_cast<int>(items.size()));
    }
    case Tag::List: return list(v.toListRef());
    case Tag::Dict: return dict(v.toDictRef());
    case Tag::Object: return object(v);
    case Tag::Enum: {
      const EnumBox& e = v.toEnumRef();
      if (met_.insert(e.type).second) types_.push_back(e.type);
      const std::string& name = names_.of(e.type);
      out_.global(prefix_of(name), last_of(name));
      value(e.value);
      return out_.op('R');
    }
    default: refuse(std::string("a ") + v.tag_name() + " has no form in a file");
  }
}

void Pickler::meet(TypePtr t) {
  check_stack();
  if (!t->mentions_class && t->name.empty() && t->elems.empty()) return;
  if (!t->name.empty() && met_.insert(t).second) types_.push_back(t);
  for (TypePtr e : t->elems) meet(e);
}

// What ends a list or dict that restore_type_tag makes.
void Pickler::tagged(const std::string& type) {
  out_.text(type);
  out_.tuple(2);
  out_.op('R');
}

void Pickler::list(const ListBox& l) {
  TypePtr e = l.elem_type ? l.elem_type : types::any();
  const char* kind = e->kind == TypeKind::Int      ? "build_intlist"
                     : e->kind == TypeKind::Float  ? "build_doublelist"
                     : e->kind == TypeKind::Bool   ? "build_boollist"
                     : e->kind == TypeKind::Tensor ? "build_tensorlist"
                                                   : nullptr;
  out_.global("torch.jit._pickle", kind ? kind : "restore_type_tag");
  if (kind) out_.mark();
  out_.op(']');
  out_.mark();
  for (size_t i = 0; i < l.items.size(); ++i) {
    const IValue& v = l.items[i];
    if (e->kind == TypeKind::Int)
      out_.integer(v.toInt());
    else if (e->kind == TypeKind::Float)
      out_.real(v.toDouble());
    else
      within("[" + std::to_string(i) + "]", v);
  }
  out_.op('e');
  if (!kind) {
    meet(e);
    return tagged("List[" + names_.annotation(e) + "]");
  }
  out_.tuple_of_mark();
  out_.op('R');
}

void Pickler::dict(const DictBox& d) {
  out_.global("torch.jit._pickle", "restore_type_tag");
  out_.op('}');
  if (!d.items.empty()) {
    out_.mark();
    for (auto& [key, v] : d.items) {
      value(key);
      within(key.isString() ? "[" + quoted(key.toStringRef().substr(0, 40)) + "]" : "[...]", v);
    }
    out_.op('u');
  }
  TypePtr k = d.key_type ? d.key_type : types::any();
  TypePtr v = d.value_type ? d.value_type : types::any();
  meet(v);
  tagged("Dict[" + names_.annotation(k) + ", " + names_.annotation(v) + "]");
}

void Pickler::object(const IValue& v) {
  const Object& o = v.toObjectRef();
  const ClassType& t = *o.type;
  if (met_.insert(&t).second) types_.push_back(&t);
  const std::string& name = names_.of(&t);
  out_.global(prefix_of(name), last_of(name));
  out_.tuple(0);
  out_.op('\x81');
  Function* getstate = t.find_method("__getstate__");
  if (t.is_native) {
    IValue state = o.slot(0);
    if (state.isNone()) refuse("an object of " + t.name + " has no form in a file");
    value(state);
  } else if (getstate && t.find_method("__setstate__")) {
    if (!options_.run) refuse("its __getstate__ can't run");
    value(options_.run(*getstate, {v}));
  } else {
    if (t.find_method("__setstate__")) refuse("its class has a __setstate__ but no __getstate__");
    const std::vector<IValue> slots = o.slots();
    out_.op('}');
    out_.mark();
    for (size_t i = 0; i < t.attributes.size() && i < slots.size(); ++i) {
      out_.text(t.attributes[i].name);
      within(t.attributes[i].name, slots[i]);
    }
    out_.op('u');
  }
  out_.op('b');
}

void Pickler::device(Device d) {
  auto [at, fresh] = devices_.emplace(d.str(), 0);
  if (!fresh) return out_.get(at->second);
  out_.global("torch", "device");
  out_.text(d.str());
  out_.tuple(1);
  out_.op('R');
  at->second = out_.put();
}

void Pickler::tensor(const Tensor& t) {
  const TensorImpl& form = *t.impl();
  if (form.nested_rows) refuse("a nested tensor has no form in a file");
  if (!element_size(form.dtype)) refuse("a tensor has no dtype");
  const Quantizer* q = form.quantizer.get();
  if (q == nullptr && is_quantized(form.dtype)) refuse("a quantised tensor has no quantiser");
  out_.global("torch._utils", q ? "_rebuild_qtensor" : "_rebuild_tensor_v2");
  out_.mark();
  storage(form);
  out_.integer(form.offset);
  for (const DimVector* dims : {&form.sizes, &form.strides}) {
    out_.mark();
    for (int64_t d : *dims) out_.integer(d);
    out_.tuple_of_mark();
  }
  if (q) quantizer(*q);
  out_.boolean(form.requires_grad);
  out_.global("collections", "OrderedDict");
  out_.tuple(0);
  out_.op('R');
  out_.tuple_of_mark();
  out_.op('R');
}

void Pickler::quantizer(const Quantizer& q) {
  out_.mark();
  if (!q.per_channel) {
    out_.global("torch", "per_tensor_affine");
    out_.real(q.scale);
    out_.integer(q.zero_point);
    return out_.tuple_of_mark();
  }
  out_.global("torch", q.float_qparams ? "per_channel_affine_float_qparams" : "per_channel_affine");
  const DimVector n{static_cast<int64_t>(q.scales.size())};
  DeviceScope on_cpu(nullptr);
  Tensor scales = empty(n, q.float_qparams ? kFloat : kDouble);
  Tensor points = empty(n, q.float_qparams ? kFloat : kLong);
  for (size_t i = 0; i < q.scales.size(); ++i) {
    if (q.float_qparams) {
      scales.data_ptr<float>()[i] = static_cast<float>(q.scales[i]);
      points.data_ptr<float>()[i] = static_cast<float>(q.zero_points.at(i));
    } else {
      scales.data_ptr<double>()[i] = q.scales[i];
      points.data_ptr<int64_t>()[i] = static_cast<int64_t>(q.zero_points.at(i));
    }
  }
  for (const Tensor& t : {scales, points}) {
    keep_.push_back(IValue(t));
    tensor(t);
  }
  out_.integer(q.axis);
  out_.tuple_of_mark();
}

std::string Pickler::place(const TensorImpl& t) const {
  if (t.device.type == DeviceType::Meta || !options_.device) return t.device.str();
  return options_.device->str();
}

// A storage is named by its key and, for readers take its element type from there, by that: tensors
// of other types over the same bytes name it again.
void Pickler::storage(const TensorImpl& t) {
  const Storage& bytes = *t.storage;
  const bool meta = t.device.type == DeviceType::Meta;
  const size_t one = element_size(t.dtype);
  const uint64_t size = meta ? 0 : bytes.nbytes() / one * one;
  if (!meta && extent_bytes(t) > bytes.nbytes()) refuse("a tensor lies outside of its storage");
  std::string& key = keys_[&bytes];
  if (key.empty()) {
    Ref<Storage> host = bytes.device() ? bytes.copy_to(nullptr) : t.storage;
    key = key_of(host, meta ? 0 : bytes.nbytes());
  }
  // By the storage, not by the key: storages that only have the same bytes stay two.
  const std::string name =
      std::to_string(reinterpret_cast<uintptr_t>(&bytes)) + scalar_type_name(t.dtype) + place(t);
  auto [at, fresh] = storages_.emplace(name, 0);
  if (!fresh) return out_.get(at->second);
  out_.mark();
  out_.text("storage");
  out_.global("torch", std::string(scalar_type_name(t.dtype)) + "Storage");
  out_.text(key);
  out_.text(place(t));
  out_.integer(static_cast<int64_t>((meta ? extent_bytes(t) : size) / one));
  out_.tuple_of_mark();
  out_.op('Q');
  at->second = out_.put();
}

std::string Pickler::key_of(const Ref<Storage>& host, uint64_t size) {
  uint64_t hash = 0;
  if (options_.dedupe && size) {
    hash = hash_bytes(host->data(), size);
    auto [first, last] = equal_.equal_range(hash);
    for (auto it = first; it != last; ++it) {
      const Record& r = records_[it->second];
      if (r.size == size && std::memcmp(r.storage->data(), host->data(), size) == 0) return r.key;
    }
    equal_.emplace(hash, records_.size());
  }
  records_.push_back({std::to_string(records_.size()), host, size});
  return records_.back().key;
}

}  // namespace sconce::writer
