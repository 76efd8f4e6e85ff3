// SPDX-License-Identifier: Apache-2.0
// What the pickles of TorchScript archives call: archive-format.md sections 5 and 6.
#include <cstring>

#include "core/sizes.h"
#include "loader/fit_types.h"
#include "loader/unpickler.h"

namespace sconce {

void Unpickler::need(const Items& a, size_t at_least, size_t at_most, const Item& g) const {
  if (a.size() < at_least || a.size() > at_most)
    fail(g.global->full() + ": wrong number of arguments");
}
IValue& Unpickler::arg(Items& a, size_t i) const {
  if (!a[i].is_value()) fail("an argument is no value");
  return a[i].value;
}
int64_t Unpickler::integer(Items& a, size_t i) const {
  if (!arg(a, i).isInt()) fail("a number is expected");
  return arg(a, i).toInt();
}

// "build_intlist" of torch.jit._pickle, "IntList" of __main__.
IValue Unpickler::list_of_kind(const Item& g, IValue v) {
  struct Row {
    const char *name, *old_name;
    TypePtr type;
    bool (IValue::*fits)() const;
  };
  static const Row kRows[] = {
      {"build_intlist", "IntList", types::integer(), &IValue::isInt},
      {"build_doublelist", "DoubleList", types::floating(), &IValue::isDouble},
      {"build_boollist", "BoolList", types::boolean(), &IValue::isBool},
      {"build_tensorlist", "TensorList", types::tensor(), &IValue::isTensor}};
  for (auto& r : kRows) {
    if (!g.is("torch.jit._pickle", r.name) && !g.is("__main__", r.old_name)) continue;
    if (!v.isList()) fail(g.global->name + ": not a list");
    visit(v.toListRef().items.size());
    for (auto& x : v.toListRef().items)
      if (!(x.*r.fits)()) fail(g.global->name + ": an element has the wrong kind");
    v.toListRef().elem_type = r.type;
    seal(v);
    return v;
  }
  return IValue();
}

// Torch 1.1 wrote lists and tensors as objects of classes of __main__ that BUILD fills.
IValue Unpickler::old_class(const Item& object, const IValue& state) {
  Item g;
  g.kind = Item::Kind::Global;
  g.global = object.global;
  Items a{state};
  Item made = call(g, a, 0);
  return value_of(made);
}

PickleItem Unpickler::call(const Item& g, Items& a, int depth) {
  const Item::Name& name = *g.global;
  if (name.module == "torch.jit._pickle" || name.module == "__main__") {
    if (a.size() == 1 && a[0].is_value())
      if (IValue list = list_of_kind(g, a[0].value); !list.isNone()) return list;
    if ((name.name == "build_tensor_from_id" || name.name == "TensorID") && o_.tensor_table) {
      need(a, 1, 1, g);
      const IValue& id = arg(a, 0);
      if (!id.isInt() || id.toInt() < 0 ||
          id.toInt() >= static_cast<int64_t>(o_.tensor_table->size()))
        fail(name.name + ": no such tensor");
      return (*o_.tensor_table)[static_cast<size_t>(id.toInt())];
    }
    if (name.name == "restore_type_tag") {
      need(a, 2, 2, g);
      if (!arg(a, 1).isString() || !o_.parse_type) fail("restore_type_tag: no type");
      visit_all(arg(a, 0));
      TypePtr& t = tags_[arg(a, 1).box()];
      if (!t) {
        keep_.push_back(arg(a, 1));
        t = o_.parse_type(arg(a, 1).toStringRef());
      }
      tag_type(arg(a, 0), t);
      return a[0];
    }
  }
  if (g.is("builtins", "complex") || (o_.torch_save && g.is("__builtin__", "complex"))) {
    need(a, 2, 2, g);
    if (!arg(a, 0).isDouble() || !arg(a, 1).isDouble()) fail("complex: parts must be floats");
    return IValue(std::complex<double>(arg(a, 0).toDouble(), arg(a, 1).toDouble()));
  }
  if (g.is("torch", "device")) {
    need(a, 1, 2, g);
    return device(a);
  }
  if (g.is("collections", "OrderedDict")) {
    IValue d(make_ref<DictBox>(types::any(), types::any()));
    if (a.size() == 1 && arg(a, 0).isList()) {
      spend(a[0].value.toListRef().items.size());
      for (auto& kv : a[0].value.toListRef().items) {
        auto* pair = kv.isTuple()                                          ? &kv.toTupleRef().items
                     : kv.isList() /* Python 2 wrote the pairs as lists */ ? &kv.toListRef().items
                                                                           : nullptr;
        if (!pair || pair->size() != 2) fail("collections.OrderedDict: no list of pairs");
        set_items(d, {(*pair)[0], (*pair)[1]});
      }
    }
    return d;
  }
  if (name.module == "torch._utils") {
    if (name.name == "_rebuild_tensor_v2" || name.name == "_rebuild_qtensor" ||
        (o_.torch_save && (name.name == "_rebuild_tensor_v3" || name.name == "_rebuild_tensor")))
      return rebuild_tensor(g, a);
    if (name.name == "_rebuild_parameter") {
      need(a, 2, 3, g);
      if (!arg(a, 0).isTensor() || !arg(a, 1).isBool()) fail(name.name + ": wrong arguments");
      a[0].value.toTensor().mutable_impl()->requires_grad = a[1].value.toBool();
      return a[0];
    }
  }
  if (g.is("torch._tensor", "_rebuild_from_type_v2")) {
    need(a, 4, 4, g);
    if (a[0].kind != Item::Kind::Global) fail("_rebuild_from_type_v2: no function");
    if (depth > 0) fail("_rebuild_from_type_v2 calls itself");
    if (a[1].kind != Item::Kind::Global) fail("_rebuild_from_type_v2: no type");
    if (o_.torch_save && !a[1].is("torch", "Tensor") &&
        !a[1].is("torch.nn.parameter", "Parameter") && !a[1].is("torch.nn.parameter", "Buffer"))
      refuse(a[1], true);
    auto inner = elements(a[2], 64);
    if (!inner) fail("_rebuild_from_type_v2: no arguments");
    return call(a[0], *inner, depth + 1);
  }
  if (o_.torch_save) {
    if (auto made = torch_save_call(g, a)) return std::move(*made);
    refuse(g, false);
  }
  TypePtr t = o_.resolve_type ? o_.resolve_type(name.full()) : nullptr;
  if (t && t->kind == TypeKind::Enum) {
    need(a, 1, 1, g);
    return enum_member(*static_cast<const EnumType*>(t), arg(a, 0));
  }
  fail("the global " + name.full() + " is not known");
}

IValue Unpickler::enum_member(const EnumType& t, const IValue& value) {
  for (auto& m : t.members)
    if (ivalue_equal(m.toEnumRef().value, value)) return m;
  fail("enum " + t.name + " has no member of this value");
}

IValue Unpickler::device(Items& a) {
  if (!arg(a, 0).isString()) fail("device: no text");
  try {
    std::string text = arg(a, 0).toString();
    if (a.size() == 2 && arg(a, 1).isInt()) text += ":" + std::to_string(arg(a, 1).toInt());
    return Device::parse(text);
  } catch (const Error& e) {
    fail(e.what());
  }
}

void Unpickler::tag_type(IValue& v, TypePtr t) {
  FittedValues seen;
  if ((!v.isList() && !v.isDict()) || !fit_types(v, t, seen))
    fail("restore_type_tag: the value is no " + t->annotation_str());
  seal(v);
}

// ---- tensors ----

DimVector Unpickler::dims(const IValue& v) const {
  if (!v.isTuple() && !v.isList()) fail("a size or stride is no tuple");
  DimVector d;
  for (auto& x : v.isTuple() ? v.toTupleRef().items : v.toListRef().items) {
    if (!x.isInt() || x.toInt() < 0) fail("a size or stride is negative or no number");
    d.push_back(x.toInt());
  }
  if (d.size() > 128) fail("a tensor has more than 128 dims");
  return d;
}

// {"conj": True}, {"neg": True}: the storage holds the conjugated or negated numbers. The tensor
// gets a storage of its own with what it means.
void Unpickler::apply_math_bits(Item& item, TensorImpl& t) {
  if (item.kind != Item::Kind::Value || !item.value.isDict()) return;
  auto set = [&](const char* key) {
    IValue* v = item.value.toDictRef().find(IValue(std::string(key)));
    return v && v->isBool() && v->toBool();
  };
  bool conj = set("conj") && is_complex(t.dtype), neg = set("neg");
  if (!conj && !neg) return;
  // Tensors that share the storage and the bits share the copy.
  Ref<Storage>& own = flipped_[{t.storage.get(), conj, neg, t.dtype}];
  if (!own) {
    own = Storage::allocate(t.storage->nbytes());
    std::memcpy(own->address(), t.storage->data(), t.storage->nbytes());
    auto flip = [&](auto* p, size_t n) {
      for (size_t i = 0; i < n; ++i) {
        bool imaginary = is_complex(t.dtype) && i % 2 == 1;
        if (neg != (conj && imaginary)) p[i] = -p[i];
      }
    };
    if (t.dtype == ScalarType::Float || t.dtype == ScalarType::ComplexFloat)
      flip(static_cast<float*>(own->address()), own->nbytes() / sizeof(float));
    else if (t.dtype == ScalarType::Double || t.dtype == ScalarType::ComplexDouble)
      flip(static_cast<double*>(own->address()), own->nbytes() / sizeof(double));
    else
      fail("a conjugated or negated tensor has an unexpected type");
    keep_storages_.push_back(t.storage);
  }
  t.storage = own;
}

// From the storage's start to the end of the last element.
int64_t Unpickler::bytes_of(const TensorImpl& t) const {
  try {
    return check_form(t.sizes, t.strides, t.offset, t.dtype);
  } catch (const OpError& e) {
    fail(e.what());
  }
}

IValue Unpickler::rebuild_tensor(const Item& g, Items& a) {
  bool q = g.global->name == "_rebuild_qtensor", v3 = g.global->name == "_rebuild_tensor_v3",
       v1 = g.global->name == "_rebuild_tensor";
  need(a, q ? 6 : v3 ? 7 : v1 ? 4 : 5, 8, g);
  if (a[0].kind != Item::Kind::Storage) fail(g.global->name + ": no storage");
  Item& st = a[0];
  auto impl = make_ref<TensorImpl>();
  impl->storage = st.storage;
  impl->dtype = st.dtype;
  impl->device = st.device;
  impl->offset = integer(a, 1);
  impl->sizes = dims(arg(a, 2));
  impl->strides = dims(arg(a, 3));
  if (impl->sizes.size() != impl->strides.size()) fail("sizes and strides differ in length");
  if (v3) {
    auto t = a[6].kind == Item::Kind::Global ? number_of_global(*a[6].global) : std::nullopt;
    if (!t || a[6].global->name.find("affine") != std::string::npos)
      fail(g.global->name + ": no dtype");
    impl->dtype = static_cast<ScalarType>(*t);
  }
  if (q && !is_quantized(impl->dtype))
    fail(g.global->name + ": the storage's type is not quantised");
  if (st.untyped && !v3) fail("an untyped storage needs a dtype");
  const int64_t bytes = bytes_of(*impl);
  if (impl->device.type != DeviceType::Meta && !o_.allow_short_storage &&
      static_cast<uint64_t>(bytes) > impl->storage->nbytes())
    fail("a tensor of sizes " + detail::concat(IntArrayRef(impl->sizes)) +
         " lies outside of its storage");
  if (impl->device.type == DeviceType::Meta ||
      (o_.allow_short_storage && static_cast<uint64_t>(bytes) > impl->storage->nbytes())) {
    // The numbers are not in the file: shape only, no memory.
    impl->device.type = DeviceType::Meta;
  } else {
    impl->device = Device{};
  }
  if (!q && !v1 && !v3 && a.size() > 6 && impl->device.type == DeviceType::CPU)
    apply_math_bits(a[6], *impl);
  if (q) {
    impl->quantizer = quantizer(a);
    const Quantizer& z = *impl->quantizer;
    if (z.per_channel &&
        (z.axis < 0 || z.axis >= static_cast<int64_t>(impl->sizes.size()) ||
         static_cast<int64_t>(z.scales.size()) != impl->sizes[static_cast<size_t>(z.axis)]))
      fail("a quantiser's axis and scales don't fit the tensor");
  } else if (!v1) {
    if (!arg(a, 4).isBool()) fail("requires_grad is no bool");
    impl->requires_grad = arg(a, 4).toBool();
    if (impl->requires_grad && !is_floating(impl->dtype) && !is_complex(impl->dtype))
      fail("only floating point tensors can require gradients");
  }
  return Tensor(std::move(impl));
}

// Of _rebuild_qtensor's arguments the fifth: (scheme, ...).
std::shared_ptr<const Quantizer> Unpickler::quantizer(Items& a) {
  Item& item = a[4];
  if (item.is_value() && item.value.isDouble()) {  // torch 1.2: scale and zero point are arguments
    auto q = std::make_shared<Quantizer>();
    q->scale = item.value.toDouble();
    q->zero_point = integer(a, 5);
    return q;
  }
  auto tuple = elements(item, 4);
  if (!tuple || tuple->size() < 3 || (*tuple)[0].kind != Item::Kind::Global)
    fail("a quantiser is malformed");
  Items& parts = *tuple;
  const std::string& scheme = parts[0].global->name;
  auto q = std::make_shared<Quantizer>();
  if (scheme == "per_tensor_affine") {
    if (!arg(parts, 1).isDouble() || !arg(parts, 2).isInt()) fail("a quantiser is malformed");
    q->scale = arg(parts, 1).toDouble();
    q->zero_point = arg(parts, 2).toInt();
    return q;
  }
  if ((scheme != "per_channel_affine" && scheme != "per_channel_affine_float_qparams") ||
      parts.size() != 4)
    fail("quantiser " + scheme + " is not known");
  q->per_channel = true;
  q->float_qparams = scheme == "per_channel_affine_float_qparams";
  // Torch 1.3 wrote lists, the axis as a list of one number.
  const IValue& axis = arg(parts, 3);
  if (axis.isList() && axis.toListRef().items.size() == 1 && axis.toListRef().items[0].isInt())
    q->axis = axis.toListRef().items[0].toInt();
  else
    q->axis = integer(parts, 3);
  auto numbers = [&](const IValue& v) {
    std::vector<double> r;
    if (v.isList()) {
      spend(v.toListRef().items.size());
      for (auto& x : v.toListRef().items) {
        if (!x.isInt() && !x.isDouble()) fail("a quantiser's scales are no numbers");
        r.push_back(x.isInt() ? static_cast<double>(x.toInt()) : x.toDouble());
      }
      return r;
    }
    if (!v.isTensor() || !v.toTensorRef().is_contiguous())
      fail("a quantiser's scales are no tensor");
    const Tensor& t = v.toTensorRef();
    if (t.device().type == DeviceType::Meta) return r;
    for (int64_t i = 0; i < t.numel(); ++i) {
      if (t.dtype() == kDouble)
        r.push_back(t.data_ptr<double>()[i]);
      else if (t.dtype() == kFloat)
        r.push_back(static_cast<double>(t.data_ptr<float>()[i]));
      else if (t.dtype() == kLong)
        r.push_back(static_cast<double>(t.data_ptr<int64_t>()[i]));
      else
        fail("a quantiser's scales have the wrong type");
    }
    return r;
  };
  q->scales = numbers(arg(parts, 1));
  q->zero_points = numbers(arg(parts, 2));
  if (q->scales.size() != q->zero_points.size())
    fail("a quantiser's scales and zero points differ in number");
  return q;
}

// BINPERSID: ('storage', class, key, location, numel[, view])
void Unpickler::storage() {
  Item t = pop();
  auto tuple = elements(t, 6);
  if (!tuple || tuple->size() < 4 || !(*tuple)[0].is_value() || !(*tuple)[0].value.isString())
    fail("a persistent id is malformed");
  Items& p = *tuple;
  if (o_.torch_save && p[0].value.toStringRef() == "module" && p[1].kind == Item::Kind::Global)
    refuse(p[1], true);
  if (p[0].value.toStringRef() != "storage" || p.size() < 5 || p[1].kind != Item::Kind::Global ||
      !arg(p, 2).isString() || !arg(p, 3).isString() || !arg(p, 4).isInt() || arg(p, 4).toInt() < 0)
    fail("a persistent id is malformed");
  Item s;
  s.kind = Item::Kind::Storage;
  const std::string& cls = p[1].global->name;
  if (cls == "UntypedStorage" && o_.torch_save) {
    s.untyped = true;
    s.dtype = ScalarType::Byte;
  } else if (cls.size() < 8 || cls.compare(cls.size() - 7, 7, "Storage") != 0 ||
             !scalar_type_from_name(cls.substr(0, cls.size() - 7), &s.dtype)) {
    fail("storage class " + p[1].global->full() + " is not known");
  }
  try {
    s.device = Device::parse(arg(p, 3).toStringRef());
  } catch (const Error& e) {
    fail(e.what());
  }
  if (s.device.type != DeviceType::Meta) {
    if (s.device.type != DeviceType::CPU && o_.saved_on) *o_.saved_on = s.device;
    s.device = Device{};
  }
  const int64_t numel = arg(p, 4).toInt();
  const std::string& key = arg(p, 2).toStringRef();
  int64_t bytes;
  if (__builtin_mul_overflow(numel, static_cast<int64_t>(element_size(s.dtype)), &bytes))
    fail("a storage's size overflows");
  if (p.size() == 6 && !(p[5].is_value() && p[5].value.isNone()))
    fail("a storage is a view of another; only torch before 0.4 wrote such");
  // A key is read once, however often it is named.
  auto known = storages_.find(key);
  if (known != storages_.end() && s.device.type != DeviceType::Meta &&
      (o_.torch_save || o_.allow_short_storage ||
       known->second->nbytes() >= static_cast<uint64_t>(bytes))) {
    // PyTorch makes a storage each time that a module's pickle names one anew: writing one of them
    // doesn't change the other. The same bytes as numbers of another type are the same, though:
    // what is saved of such views can't say it otherwise.
    const bool own = !o_.torch_save && storage_types_[key] == s.dtype;
    s.storage = own ? known->second->share() : known->second;
    push(std::move(s));
    return;
  }
  if (bytes == 0 || s.device.type == DeviceType::Meta) {
    s.storage = Storage::borrow(nullptr, 0, nullptr, false);
  } else {
    if (known != storages_.end()) fail("storage " + key + " has two sizes");
    if (o_.defer_storage) s.storage = o_.defer_storage(key, static_cast<uint64_t>(bytes));
  }
  if (!s.storage) {
    if (!o_.read_storage) fail("a storage where none is expected");
    Bytes b = o_.read_storage(key, static_cast<uint64_t>(bytes));
    if (b.size < static_cast<uint64_t>(bytes) && !o_.allow_short_storage)
      fail("storage " + key + " has " + std::to_string(b.size) + " bytes where " +
           std::to_string(bytes) + " are needed");
    size_t n = std::min(b.size, static_cast<size_t>(bytes));
    if (!b.writable || reinterpret_cast<uintptr_t>(b.data) % 16 != 0) {
      s.storage = Storage::allocate(n);
      if (n) std::memcpy(s.storage->address(), b.data, n);
    } else {
      s.storage = Storage::borrow(const_cast<unsigned char*>(b.data), n, b.owner, false);
    }
  }
  if (o_.torch_save || (bytes != 0 && s.device.type != DeviceType::Meta))
    storages_[key] = s.storage, storage_types_[key] = s.dtype;
  push(std::move(s));
}

}  // namespace sconce
