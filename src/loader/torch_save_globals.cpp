// SPDX-License-Identifier: Apache-2.0
// What the pickles of torch.save files call besides: plain containers, numpy's numbers and arrays,
// PyTorch's own small types. What has no counterpart becomes what holds the same: a set a list,
// bytes a text, a dtype its number, a namespace a dict. Everything else is refused by name.
#include <algorithm>
#include <cstring>

#include "loader/unpickler.h"

namespace sconce {

namespace {

bool is_builtin(const std::string& module) {
  return module == "builtins" || module == "__builtin__";
}
// Objects whose state is their dict of attributes.
bool is_record(const PickleItem& g) {
  return g.is("argparse", "Namespace") || g.is("types", "SimpleNamespace");
}

// The number of "torch.sparse_coo".
int64_t layout_number(const std::string& name) {
  static constexpr const char* kLayouts[] = {"strided",    "sparse_coo", "sparse_csr", "_mkldnn",
                                             "sparse_csc", "sparse_bsr", "sparse_bsc", "jagged"};
  for (size_t i = 0; i < std::size(kLayouts); ++i)
    if (name == std::string("torch.") + kLayouts[i]) return static_cast<int64_t>(i);
  return -1;
}

struct Code {
  const char* text;
  ScalarType type;
};
constexpr Code kNumpyTypes[] = {{"b1", kBool},          {"?", kBool},
                                {"i1", kChar},          {"u1", kByte},
                                {"i2", kShort},         {"u2", ScalarType::UInt16},
                                {"i4", kInt},           {"u4", ScalarType::UInt32},
                                {"i8", kLong},          {"u8", ScalarType::UInt64},
                                {"f2", kHalf},          {"f4", kFloat},
                                {"f8", kDouble},        {"c8", kComplexFloat},
                                {"c16", kComplexDouble}};

// Of elements in the file's byte order; parts of complex numbers are swapped one by one.
void swap_bytes(unsigned char* p, size_t n, ScalarType t) {
  const size_t width = is_complex(t) ? element_size(t) / 2 : element_size(t);
  for (size_t at = 0; at + width <= n; at += width) std::reverse(p + at, p + at + width);
}

}  // namespace

// Dtypes and quantisation schemes are ints.
std::optional<int64_t> Unpickler::number_of_global(const Item::Name& g) const {
  if (g.module != "torch") return std::nullopt;
  for (int t = 0; t < 46; ++t)
    if (g.name == dtype_name(static_cast<ScalarType>(t)) && g.name != "undefined") return t;
  static constexpr const char* kSchemes[] = {"per_tensor_affine", "per_channel_affine",
                                             "per_tensor_symmetric", "per_channel_symmetric",
                                             "per_channel_affine_float_qparams"};
  for (size_t i = 0; i < std::size(kSchemes); ++i)
    if (g.name == kSchemes[i]) return static_cast<int64_t>(i);
  return std::nullopt;
}

void Unpickler::refuse(const Item& g, bool is_class) const {
  if (is_class)
    fail("the file holds an object of the Python class " + g.global->full() +
         ", which only its Python code can rebuild; save tensors, numbers, texts and containers of "
         "them (a state_dict)");
  fail("the global " + g.global->full() +
       " is not known; tensors, numbers, texts and containers of them are read, and nothing is "
       "executed");
}

std::optional<PickleItem> Unpickler::torch_save_new(const Item& g, Items& a) {
  if (g.is("torch.torch_version", "TorchVersion") && !a.empty() && arg(a, 0).isString())
    return a[0];
  if (is_record(g) || g.is("collections", "OrderedDict") || g.is("collections", "Counter")) {
    need(a, 0, 0, g);
    IValue d(make_ref<DictBox>(types::any(), types::any()));
    if (is_record(g)) {
      records_.insert(d.box());
      keep_.push_back(d);
    }
    return Item(d);
  }
  if (g.is("torch", "Size") || (is_builtin(g.global->module) && g.global->name == "complex"))
    return call(g, a, 0);
  return std::nullopt;
}

bool Unpickler::torch_save_build(Item& target, Item& state) {
  if (target.kind == Item::Kind::NumpyType) {
    // (version, byte order, ...)
    auto a = elements(state, 16);
    if (!a || a->size() < 2 || !arg(*a, 1).isString()) fail("numpy.dtype: malformed state");
    target.numpy->swapped = a->at(1).value.toStringRef() == ">";
    return true;
  }
  if (!target.is_value()) return false;
  if (target.value.isTensor() && arrays_.erase(target.value.box())) {
    auto a = elements(state, 16);
    if (!a) fail("numpy.ndarray: malformed state");
    build_array(*target.value.toTensorRef().mutable_impl(), *a);
    return true;
  }
  if (target.value.isDict()) {
    IValue v = value_of(state);
    if (!records_.count(target.value.box())) return true;  // OrderedDict's _metadata
    if (!v.isDict()) fail("the state of an object is no dict");
    for (auto& kv : v.toDictRef().items) set_items(target.value, {kv.first, kv.second});
    return true;
  }
  // Attributes that a user gave to a tensor or a version.
  return target.value.isTensor() || target.value.isString();
}

std::optional<PickleItem> Unpickler::torch_save_call(const Item& g, Items& a) {
  const std::string &module = g.global->module, &name = g.global->name;
  auto dict = [] { return IValue(make_ref<DictBox>(types::any(), types::any())); };
  if (is_record(g)) return torch_save_new(g, a);
  if (g.is("torch", "Size")) {
    need(a, 1, 1, g);
    IValue sizes = value_of(a[0]);
    if (!sizes.isTuple()) fail("torch.Size: no tuple");
    auto l = make_ref<ListBox>(types::integer());
    spend(sizes.toTupleRef().items.size());
    for (auto& x : sizes.toTupleRef().items) {
      if (!x.isInt()) fail("torch.Size: no number");
      l->items.push_back(x);
    }
    return Item(IValue(l));
  }
  if (g.is("_codecs", "encode")) {
    need(a, 1, 2, g);
    if (!arg(a, 0).isString()) fail("_codecs.encode: no text");
    const std::string& text = a[0].value.toStringRef();
    spend(text.size());
    if (a.size() == 1) return a[0];
    if (!arg(a, 1).isString() ||
        (a[1].value.toStringRef() != "latin1" && a[1].value.toStringRef() != "latin-1"))
      fail("_codecs.encode: only latin1 is known");
    return Item(IValue(latin1(text)));
  }
  if (g.is("torch.serialization", "_get_layout")) {
    need(a, 1, 1, g);
    const int64_t n = arg(a, 0).isString() ? layout_number(a[0].value.toStringRef()) : -1;
    if (n < 0) fail("torch.serialization._get_layout: no layout");
    return Item(IValue(n));
  }
  if (g.is("torch.torch_version", "TorchVersion")) return torch_save_new(g, a);
  if (module == "collections") {
    if (name == "Counter") {
      need(a, 0, 1, g);
      if (a.empty()) return Item(dict());
      if (!arg(a, 0).isDict()) fail("collections.Counter: no dict");
      return a[0];
    }
    if (name == "defaultdict") {
      need(a, 0, 1, g);
      if (!a.empty() && a[0].kind == Item::Kind::Global && !is_builtin(a[0].global->module))
        refuse(a[0], false);
      return Item(dict());
    }
    if (name == "deque") {
      need(a, 0, 2, g);
      if (a.empty()) return Item(list_of({}));
      if (!arg(a, 0).isList()) fail("collections.deque: no list");
      return a[0];
    }
  }
  if (is_builtin(module)) {
    if (name == "set" || name == "frozenset") {
      need(a, 0, 1, g);
      if (a.empty()) return Item(list_of({}));
      if (!arg(a, 0).isList()) fail(name + ": no list");
      return a[0];
    }
    if (name == "bytes" || name == "bytearray") {
      need(a, 0, 2, g);
      if (a.empty()) return Item(IValue(std::string()));
      if (!arg(a, 0).isString()) fail(name + ": no bytes");
      if (a.size() == 1) return a[0];
      spend(a[0].value.toStringRef().size());
      return Item(IValue(latin1(a[0].value.toStringRef())));
    }
  }
  if (module == "pathlib" && name.size() > 4 && name.compare(name.size() - 4, 4, "Path") == 0) {
    std::string path;
    for (size_t i = 0; i < a.size(); ++i) {
      if (!arg(a, i).isString()) fail("pathlib." + name + ": no text");
      if (!path.empty() && path.back() != '/') path += '/';
      path += a[i].value.toStringRef();
    }
    spend(path.size());
    return Item(IValue(path));
  }
  if (g.is("numpy", "dtype")) return numpy_type(a);
  if (module == "numpy.core.multiarray" || module == "numpy._core.multiarray") {
    if (name == "scalar") return Item(numpy_scalar(a));
    if (name == "_reconstruct") {
      need(a, 3, 3, g);
      if (!a[0].is("numpy", "ndarray")) fail("numpy: only plain arrays are known");
      auto t = make_ref<TensorImpl>();
      t->storage = Storage::borrow(nullptr, 0, nullptr, false);
      t->dtype = kByte;
      t->sizes.push_back(0);
      t->strides.push_back(1);
      arrays_.insert(t.get());
      Item array{IValue(Tensor(std::move(t)))};
      keep_.push_back(array.value);
      return array;
    }
  }
  if (name == "_frombuffer" &&
      (module == "numpy.core.numeric" || module == "numpy._core.numeric")) {
    // Protocol 5: (bytes, dtype, shape, order)
    need(a, 4, 4, g);
    if (!arg(a, 3).isString()) fail("numpy: an array's order is no text");
    Items state{IValue(int64_t{1}), a[2], a[1], IValue(a[3].value.toStringRef() == "F"), a[0]};
    auto t = make_ref<TensorImpl>();
    build_array(*t, state);
    return Item(IValue(Tensor(std::move(t))));
  }
  if (module == "torch._utils") {
    if (name == "_rebuild_parameter_with_state") {
      need(a, 4, 4, g);
      if (!arg(a, 0).isTensor() || !arg(a, 1).isBool()) fail(name + ": wrong arguments");
      a[0].value.toTensor().mutable_impl()->requires_grad = a[1].value.toBool();
      return a[0];
    }
    if (name == "_rebuild_meta_tensor_no_storage") return Item(meta_tensor(a));
    if (name == "_rebuild_device_tensor_from_numpy") {
      // (array, dtype, device, requires_grad)
      need(a, 4, 4, g);
      if (!arg(a, 0).isTensor()) fail(name + ": no array");
      return a[0];
    }
    if (name == "_rebuild_device_tensor_from_cpu_tensor") {
      need(a, 4, 4, g);
      if (!arg(a, 0).isTensor()) fail(name + ": no tensor");
      return a[0];
    }
    if (name == "_rebuild_sparse_tensor" || name == "_rebuild_sparse_csr_tensor")
      fail("the file holds a sparse tensor; only dense ones can be read");
    if (name == "_rebuild_nested_tensor")
      fail("the file holds a nested tensor; only dense ones can be read");
    if (name == "_rebuild_wrapper_subclass")
      fail("the file holds a tensor subclass; only plain tensors can be read");
  }
  return std::nullopt;
}

// Text whose code points are bytes.
std::string Unpickler::latin1(const std::string& utf8) const {
  std::string out;
  out.reserve(utf8.size());
  for (size_t i = 0; i < utf8.size(); ++i) {
    const auto c = static_cast<unsigned char>(utf8[i]);
    if (c < 0x80) {
      out += utf8[i];
      continue;
    }
    const unsigned char next = i + 1 < utf8.size() ? static_cast<unsigned char>(utf8[i + 1]) : 0;
    if ((c != 0xc2 && c != 0xc3) || (next & 0xc0) != 0x80) fail("a text holds more than bytes");
    out += static_cast<char>((c & 3) << 6 | (next & 0x3f));
    ++i;
  }
  return out;
}

// ---- numpy ----

// dtype("f4", align, copy)
PickleItem Unpickler::numpy_type(Items& a) {
  if (a.empty() || a.size() > 3 || !arg(a, 0).isString()) fail("numpy.dtype: no text");
  std::string code = a[0].value.toStringRef();
  Item t;
  t.kind = Item::Kind::NumpyType;
  t.numpy = std::make_shared<NumpyType>();
  if (!code.empty() && std::strchr("<>|=", code[0])) {
    t.numpy->swapped = code[0] == '>';
    code.erase(0, 1);
  }
  for (auto& row : kNumpyTypes)
    if (code == row.text) t.numpy->type = row.type;
  if (t.numpy->type == ScalarType::Undefined)
    fail("numpy.dtype " + code.substr(0, 40) + " is not known; only plain numbers are");
  return t;
}

// scalar(dtype, bytes)
IValue Unpickler::numpy_scalar(Items& a) {
  if (a.size() != 2 || a[0].kind != Item::Kind::NumpyType || !arg(a, 1).isString())
    fail("numpy: a number is malformed");
  const ScalarType t = a[0].numpy->type;
  std::string bytes = a[1].value.toString();
  if (bytes.size() != element_size(t)) fail("numpy: a number has the wrong size");
  auto* p = reinterpret_cast<unsigned char*>(bytes.data());
  if (a[0].numpy->swapped) swap_bytes(p, bytes.size(), t);
  auto read = [&](auto v) {
    std::memcpy(&v, p, sizeof v);
    return v;
  };
  switch (t) {
    case kBool: return p[0] != 0;
    case kChar: return static_cast<int64_t>(read(int8_t{}));
    case kByte: return static_cast<int64_t>(p[0]);
    case kShort: return static_cast<int64_t>(read(int16_t{}));
    case ScalarType::UInt16: return static_cast<int64_t>(read(uint16_t{}));
    case kInt: return static_cast<int64_t>(read(int32_t{}));
    case ScalarType::UInt32: return static_cast<int64_t>(read(uint32_t{}));
    case kLong:
    case ScalarType::UInt64: return read(int64_t{});
    case kHalf: return static_cast<double>(static_cast<float>(read(Half{})));
    case kFloat: return static_cast<double>(read(float{}));
    case kDouble: return read(double{});
    case kComplexFloat: {
      auto c = read(std::complex<float>{});
      return std::complex<double>(static_cast<double>(c.real()), static_cast<double>(c.imag()));
    }
    case kComplexDouble: return read(std::complex<double>{});
    default: fail("numpy: a number's type is not known");
  }
}

// State of an array: (version, shape, dtype, Fortran order, bytes)
void Unpickler::build_array(TensorImpl& t, Items& a) {
  if (a.size() != 5 || a[2].kind != Item::Kind::NumpyType || !arg(a, 3).isBool())
    fail("numpy.ndarray: malformed state");
  if (!arg(a, 4).isString()) fail("numpy.ndarray: only arrays of plain numbers are known");
  const std::string& bytes = a[4].value.toStringRef();
  spend(bytes.size());
  t.dtype = a[2].numpy->type;
  t.sizes = dims(arg(a, 1));
  int64_t want = static_cast<int64_t>(element_size(t.dtype));
  for (int64_t n : t.sizes)
    if (__builtin_mul_overflow(want, n, &want)) fail("numpy.ndarray: the size overflows");
  if (static_cast<uint64_t>(want) != bytes.size())
    fail("numpy.ndarray: " + std::to_string(bytes.size()) + " bytes where " + std::to_string(want) +
         " are needed");
  t.strides = t.sizes;
  bytes_of(t);  // else the product of sizes beside a 0 may overflow
  t.strides = contiguous_strides(t.sizes);
  if (a[3].value.toBool()) {
    int64_t step = 1;
    for (size_t i = 0; i < t.sizes.size(); ++i) {
      t.strides[i] = step;
      step *= std::max<int64_t>(t.sizes[i], 1);
    }
  }
  t.storage = Storage::allocate(bytes.size());
  if (bytes.empty()) return;
  auto* p = static_cast<unsigned char*>(t.storage->address());
  std::memcpy(p, bytes.data(), bytes.size());
  if (a[2].numpy->swapped) swap_bytes(p, bytes.size(), t.dtype);
  if (t.dtype == kBool)
    for (size_t i = 0; i < bytes.size(); ++i) p[i] = p[i] != 0;
}

// (dtype, size, stride, requires_grad): no memory.
IValue Unpickler::meta_tensor(Items& a) {
  auto type = a.size() == 4 && a[0].kind == Item::Kind::Global ? number_of_global(*a[0].global)
                                                               : std::nullopt;
  if (!type || !arg(a, 3).isBool()) fail("_rebuild_meta_tensor_no_storage: wrong arguments");
  auto t = make_ref<TensorImpl>();
  t->storage = Storage::borrow(nullptr, 0, nullptr, false);
  t->dtype = static_cast<ScalarType>(*type);
  t->device.type = DeviceType::Meta;
  t->sizes = dims(arg(a, 1));
  t->strides = dims(arg(a, 2));
  bytes_of(*t);
  t->requires_grad = a[3].value.toBool();
  return Tensor(std::move(t));
}

}  // namespace sconce
