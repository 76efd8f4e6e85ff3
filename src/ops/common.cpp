// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <cstring>

#include "core/unrecorded.h"
#include "ops/host_memory.h"
#include "ops/refusals.h"
#include "ops/tensor_ops.h"

#include <algorithm>
#include <utility>

namespace sconce::ops {

IntVec to_ints(const IValue& v) {
  IntVec r;
  if (v.isInt()) return {v.toInt()};
  for (auto& x : v.toListRef().items)
    r.push_back(x.isTensor() ? tensor_of(x).item<int64_t>() : x.toInt());
  return r;
}
OptTensorList to_opt_tensors(const IValue& v) {
  OptTensorList r;
  for (auto& x : v.toListRef().items) r.push_back(x.isNone() ? Tensor() : x.toTensor());
  return r;
}

namespace {
void check_readable(const Tensor& t) {
  if (t.device().type == DeviceType::Meta) raise<OpError>("a meta tensor has no elements");
  if (!context().device)
    raise<OpError>("a tensor is on ", t.device().str(), ", the operator runs on the CPU");
}
}  // namespace

TensorView view_of(const Tensor& t) {
  if (!t.defined()) return {};
  if (t.device().type != DeviceType::CPU) check_readable(t);
  constexpr int64_t kMostDims = 64;
  if (t.dim() > kMostDims) raise<OpError>("only tensors with up to 64 dims are supported");
  TensorView v;
  // The address alone: whoever runs the slot sees to it that the bytes are there.
  const TensorImpl& impl = *t.impl();
  v.data = static_cast<char*>(impl.storage->base()) +
           impl.offset * static_cast<int64_t>(element_size(impl.dtype));
  // An empty tensor has an address too: null stands for an absent operand.
  static char nowhere[64];
  if (!v.data) v.data = nowhere;
  v.sizes = t.sizes().data();
  v.strides = t.strides().data();
  v.ndim = static_cast<int32_t>(t.dim());
  v.dtype = t.dtype();
  v.storage = impl.storage.get();
  return v;
}
Number number(const Scalar& s) {
  Number n;
  n.d = s.d;
  n.i = s.i;
  n.im = s.im;
  return n;
}
Compute compute_for(ScalarType t) {
  switch (t) {
    case kDouble: return Compute::F64;
    case kComplexFloat:
    case ScalarType::ComplexHalf: return Compute::C64;
    case kComplexDouble: return Compute::C128;
    default: return is_integral(t, true) ? Compute::I64 : Compute::F32;
  }
}

int64_t wrap_dim(int64_t d, int64_t n) {
  int64_t range = n == 0 ? 1 : n;
  if (d < -range || d >= range)
    raise<OpError>("Dimension out of range (expected to be in range of [", -range, ", ", range - 1,
                   "], but got ", d, ")");
  return d < 0 ? d + range : d;
}
IntVec broadcast(IntArrayRef a, IntArrayRef b) {
  size_t n = std::max(a.size(), b.size());
  IntVec r(n, 1);
  for (size_t i = 0; i < n; ++i) {
    int64_t x = i + a.size() >= n ? a[i + a.size() - n] : 1,
            y = i + b.size() >= n ? b[i + b.size() - n] : 1;
    if (x != y && x != 1 && y != 1)
      raise<OpError>("The size of tensor a (", x, ") must match the size of tensor b (", y,
                     ") at non-singleton dimension ", i);
    r[i] = x == 1 ? y : x;
  }
  return r;
}
Tensor expand_to(const Tensor& t, IntArrayRef sizes) {
  if (t.sizes() == sizes) return t;
  if (t.sizes().size() > sizes.size())
    raise<OpError>("expand(", t.sizes(), ", size=", sizes,
                   "): the number of sizes provided must be at least the number of dimensions");
  IntVec st(sizes.size(), 0);
  size_t off = sizes.size() - t.sizes().size();
  for (size_t i = 0; i < t.sizes().size(); ++i) {
    if (t.sizes()[i] == sizes[i + off])
      st[i + off] = t.strides()[i];
    else if (t.sizes()[i] != 1)
      raise<OpError>("The expanded size of the tensor (", sizes[i + off],
                     ") must match the existing size (", t.sizes()[i],
                     ") at non-singleton dimension ", i + off, ".  Target sizes: ", sizes,
                     ".  Tensor sizes: ", t.sizes());
  }
  return make_view(t, IntVec(sizes), st, t.storage_offset());
}

namespace {
// Dims ordered by stride, largest first; size-1 dims keep their place among equals.
IntVec stride_order(const Tensor& t) {
  IntVec d;
  for (int64_t i = 0; i < t.dim(); ++i) d.push_back(i);
  auto st = t.strides();
  auto sz = t.sizes();
  for (size_t i = 1; i < d.size(); ++i)
    for (size_t k = i; k > 0; --k) {
      auto a = static_cast<size_t>(d[k - 1]), b = static_cast<size_t>(d[k]);
      if (sz[a] == 1 || sz[b] == 1 ? st[a] < st[b] : st[a] < st[b])
        std::swap(d[k - 1], d[k]);
      else
        break;
    }
  return d;
}
}  // namespace

bool is_dense(const Tensor& t) {
  int64_t run = 1;
  IntVec order = stride_order(t);
  for (size_t i = order.size(); i-- > 0;) {
    auto d = static_cast<size_t>(order[i]);
    if (t.sizes()[d] == 1) continue;
    if (t.strides()[d] != run) return false;
    run *= t.sizes()[d];
  }
  return true;
}

namespace {
// The order of dims, fastest first, in which PyTorch's TensorIterator walks the operands; its
// result is dense in that order. Source: reorder_dimensions of ATen's TensorIterator.
std::vector<size_t> iteration_order(IntArrayRef sizes,
                                    std::initializer_list<const Tensor*> operands) {
  size_t n = sizes.size();
  std::vector<IntVec> strides;  // of the operands as they are broadcast
  for (const Tensor* t : operands) {
    if (!t || !t->defined()) continue;
    IntVec s(n, 0);
    size_t skipped = n - std::min(n, t->sizes().size());
    for (size_t i = skipped; i < n; ++i)
      if (t->sizes()[i - skipped] != 1 || sizes[i] == 1) s[i] = t->strides()[i - skipped];
    strides.push_back(s);
  }
  // Positive: b stands before a; zero: the operands don't tell.
  auto compare = [&](size_t a, size_t b) {
    for (const IntVec& s : strides) {
      if (s[a] == 0 || s[b] == 0) continue;
      if (s[a] != s[b]) return s[a] < s[b] ? -1 : 1;
      if (sizes[a] > sizes[b]) return 1;
    }
    return 0;
  };
  std::vector<size_t> order(n);
  for (size_t i = 0; i < n; ++i) order[i] = n - 1 - i;
  for (size_t i = 1; i < n; ++i) {
    size_t at = i;
    for (size_t k = i; k-- > 0;) {
      int c = compare(order[k], order[at]);
      if (c < 0) break;
      if (c == 0) continue;
      std::swap(order[k], order[at]);
      at = k;
    }
  }
  return order;
}
}  // namespace

namespace {
// Where the result of the elementwise operator that runs belongs; taken by its first allocation.
thread_local const Tensor* in_place_target = nullptr;
}  // namespace

Tensor empty_elementwise(IntArrayRef sizes, ScalarType dtype,
                         std::initializer_list<const Tensor*> operands) {
  if (const Tensor* target = std::exchange(in_place_target, nullptr))
    if (target->sizes() == sizes && target->dtype() == dtype) return *target;
  bool contiguous = true;
  for (const Tensor* t : operands)
    contiguous &= !t || !t->defined() || t->dim() < 2 || t->is_contiguous();
  if (contiguous || sizes.size() < 2) return empty(sizes, dtype);
  IntVec strides(sizes.size(), 1);
  int64_t step = 1;
  for (size_t d : iteration_order(sizes, operands)) {
    strides[d] = step;
    step *= std::max<int64_t>(sizes[d], 1);
  }
  return empty_strided(sizes, strides, dtype);
}
Tensor empty_like(const Tensor& t, ScalarType dtype) {
  if (t.dim() >= 2 && !t.is_contiguous() && t.numel() > 0 && is_dense(t))
    return empty_strided(t.sizes(), t.strides(), dtype);
  return empty_elementwise(t.sizes(), dtype, {&t});
}

// ---- promotion ----

namespace {
struct TypeState {
  ScalarType dims = ScalarType::Undefined, zero = ScalarType::Undefined,
             wrapped = ScalarType::Undefined;
  void add(const Tensor& t) {
    ScalarType& s = t.dim() > 0 ? dims : zero;
    s = promote_types(s, t.dtype());
  }
  void add(const Scalar& v) {
    ScalarType t = v.is_complex()                 ? kComplexFloat
                   : v.is_floating()              ? kFloat
                   : v.kind == Scalar::Kind::Bool ? kBool
                                                  : kLong;
    wrapped = promote_types(wrapped, t);
  }
  static int category(ScalarType t) {
    return t == ScalarType::Undefined ? -1
           : t == kBool               ? 0
           : is_integral(t)           ? 1
           : is_complex(t)            ? 3
                                      : 2;
  }
  static ScalarType combine(ScalarType higher, ScalarType lower) {
    if (higher == ScalarType::Undefined) return lower;
    if (lower == ScalarType::Undefined) return higher;
    int h = category(higher), l = category(lower);
    if (l <= h) return higher;
    // A complex number beside floats: their precision stays.
    if (l == 3 && h == 2)
      return higher == kDouble ? kComplexDouble
             : higher == kHalf ? ScalarType::ComplexHalf
                               : kComplexFloat;
    return lower;
  }
  ScalarType result() const { return combine(combine(dims, zero), wrapped); }
};
}  // namespace

ScalarType result_type(const Tensor& a, const Tensor& b) {
  TypeState s;
  s.add(a);
  s.add(b);
  return s.result();
}
ScalarType result_type(const Tensor& a, const Scalar& b) {
  TypeState s;
  s.add(a);
  s.add(b);
  return s.result();
}
ScalarType result_type(const TensorList& list) {
  TypeState s;
  for (auto& t : list) s.add(t);
  return s.result();
}
ScalarType real_of(ScalarType t) {
  return t == kComplexDouble            ? kDouble
         : t == kComplexFloat           ? kFloat
         : t == ScalarType::ComplexHalf ? kHalf
                                        : t;
}

void check_castable(ScalarType from, ScalarType to) {
  bool ok = true;
  if (is_complex(from) && !is_complex(to)) ok = false;
  if ((is_floating(from) || is_complex(from)) && is_integral(to, true)) ok = false;
  if (from != kBool && to == kBool) ok = false;
  if (!ok)
    raise<OpError>("result type ", scalar_type_name(from),
                   " can't be cast to the desired output type ", scalar_type_name(to));
}
ScalarType to_scalar_type(int64_t v) {
  if (v < 0 || element_size(static_cast<ScalarType>(v)) == 0 || v > 29)
    raise<OpError>("dtype number ", v, " is not supported");
  return static_cast<ScalarType>(v);
}

// ---- slots ----

void copy_to(const Tensor& out, const Tensor& in) {
  Tensor src = expand_to(in, out.sizes());
  if (out.numel() == 0) return;
  if (out.impl() != in.impl() && out.impl()->storage == in.impl()->storage && out.numel() > 1 &&
      !(out.storage_offset() == src.storage_offset() && out.strides() == src.strides()))
    src = clone(src);  // overlapping views
  call_slot(CopyArgs{view_of(out), view_of(src)});
}
Tensor cast(const Tensor& t, ScalarType dtype) {
  if (t.dtype() == dtype) return t;
  if (is_quantized(t.dtype()) && t.quantizer()) return cast(dequantize(t), dtype);
  Tensor r = empty_like(t, dtype);
  copy_to(r, t);
  return r;
}
Tensor contiguous(const Tensor& t) {
  if (t.is_contiguous()) return t;
  Tensor r = empty(t.sizes(), t.dtype());
  r.mutable_impl()->quantizer = t.impl()->quantizer;
  copy_to(r, t);
  return r;
}
Tensor clone(const Tensor& t) {
  Tensor r = empty_like(t);
  r.mutable_impl()->quantizer = t.impl()->quantizer;
  if (t.numel()) call_slot(CopyArgs{view_of(r), view_of(t)});
  return r;
}
void check_fits(const Scalar& v, ScalarType t) {
  if (is_complex(t) || t == kBool || is_quantized(t)) return;
  bool fits = !v.is_complex() || v.im == 0;
  if (is_integral(t)) {
    // Negative integers wrap to uint8, fractions don't.
    const bool fraction = v.is_floating() || v.is_complex();
    const double power =
        t == kByte ? 256 : std::ldexp(1.0, static_cast<int>(8 * element_size(t)) - 1);
    const double low = t != kByte ? -power : v.is_floating() ? 0 : -255;
    const double x = fraction ? v.d : static_cast<double>(v.i);
    // As a double, the largest int64 is the power itself.
    fits = fits && x >= low && (t != kLong ? x <= power - 1 : !fraction || x < power);
  } else if (std::isfinite(v.d)) {
    const double most = t == kHalf       ? 65504
                        : t == kBFloat16 ? 0x1.fep127
                        : t == kFloat    ? 0x1.fffffep127
                                         : std::numeric_limits<double>::max();
    fits = fits && std::fabs(v.d) <= most;
  }
  if (!fits)
    raise<OpError>("value cannot be converted to type ", scalar_type_name(t), " without overflow");
}
void fill(const Tensor& out, const Scalar& v) {
  if (out.numel() == 0) return;
  if (v.is_complex() && !is_complex(out.dtype()))
    raise<OpError>("value cannot be converted to type ", scalar_type_name(out.dtype()),
                   " without overflow");
  call_slot(FillArgs{view_of(out), number(v)});
}
Tensor scalar_tensor(const Scalar& v, ScalarType dtype) {
  Tensor t = empty({}, dtype);
  fill(t, v);
  return t;
}
Tensor unary(Unary op, const Tensor& x, ScalarType out, double p, double q, double r) {
  Tensor o = empty_elementwise(x.sizes(), out, {&x});
  Compute c = compute_for(x.dtype());
  if (is_floating(out) && c == Compute::I64) c = compute_for(out);
  if (out == kDouble && c == Compute::F32) c = Compute::F64;
  if (is_complex(out) && c < Compute::C64) c = compute_for(out);
  if (o.numel()) call_slot(UnaryArgs{view_of(o), view_of(x), op, c, p, q, r});
  return o;
}
Tensor unary_float(Unary op, const Tensor& x, double p, double q, double r) {
  return unary(op, x, to_floating(x.dtype()), p, q, r);
}

namespace {

// Beside halves a number is rounded to theirs, but for the functions that PyTorch computes with the
// number itself.
bool rounds_number(Binary op, ScalarType compute) {
  return (compute == kHalf || compute == kBFloat16) && op != Binary::mul && op != Binary::div &&
         op != Binary::floor_div && op != Binary::trunc_div;
}

}  // namespace

Tensor binary(Binary op, const Tensor& a, const Tensor& b, ScalarType compute, ScalarType out,
              const Scalar& scale) {
  IntVec sizes = broadcast(a.sizes(), b.sizes());
  Tensor o = empty_elementwise(sizes, out, {&a, &b});
  if (o.numel() == 0) return o;
  // A 0-dim integer takes part as an element would: -3 is 253 beside uint8.
  auto operand = [&](const Tensor& t) {
    bool wraps = t.dim() == 0 && t.dtype() != compute &&
                 ((is_integral(compute) && is_integral(t.dtype())) || rounds_number(op, compute));
    return expand_to(wraps ? cast(t, compute) : t, sizes);
  };
  Tensor x = operand(a), y = operand(b);
  if (op == Binary::floor_div && b.numel() != 1 && (compute == kHalf || compute == kBFloat16))
    op = compute == kHalf ? Binary::floor_div_half : Binary::floor_div_bfloat16;
  call_slot(
      BinaryArgs{view_of(o), view_of(x), view_of(y), op, compute_for(compute), {}, number(scale)});
  return o;
}
Tensor binary_scalar(Binary op, const Tensor& a, const Scalar& b, ScalarType compute,
                     ScalarType out, const Scalar& scale, bool swapped) {
  Tensor o = empty_elementwise(a.sizes(), out, {&a});
  if (o.numel() == 0) return o;
  TensorView v = view_of(a);
  Number s = number(b);
  // A number takes part as an element would: -1 is 255 beside uint8.
  s.i = compute == kByte    ? static_cast<uint8_t>(s.i)
        : compute == kChar  ? static_cast<int8_t>(s.i)
        : compute == kShort ? static_cast<int16_t>(s.i)
        : compute == kInt   ? static_cast<int32_t>(s.i)
                            : s.i;
  if (compute == kFloat || compute == kHalf || compute == kBFloat16)
    s.d = static_cast<double>(static_cast<float>(s.d));
  if (rounds_number(op, compute))
    s.d = compute == kHalf
              ? static_cast<double>(static_cast<float>(Half(static_cast<float>(s.d))))
              : static_cast<double>(static_cast<float>(BFloat16(static_cast<float>(s.d))));
  call_slot(BinaryArgs{view_of(o), swapped ? TensorView{} : v, swapped ? v : TensorView{}, op,
                       compute_for(compute), s, number(scale)});
  return o;
}

void host_read(const Tensor& t) {
  if (Recorder* r = context().recorder) r->host_read(t.impl()->storage.get());
}
Scalar item(const Tensor& t) {
  if (t.numel() != 1)
    raise<OpError>("a Tensor with ", t.numel(), " elements cannot be converted to Scalar");
  if (t.device().type == DeviceType::Meta)
    raise<OpError>("Tensor.item() cannot be called on meta tensors");
  host_read(t);
  const Tensor here = copy_extent(t, nullptr);
  const void* p = here.const_raw_data();
  auto read = [&](auto v) {
    std::memcpy(&v, p, sizeof v);
    return v;
  };
  switch (t.dtype()) {
    case kBool: return Scalar(read(uint8_t{}) != 0);
    case kDouble: return Scalar(read(double{}));
    case kFloat: return Scalar(static_cast<double>(read(float{})));
    case kHalf: return Scalar(static_cast<double>(static_cast<float>(read(Half{}))));
    case kBFloat16: return Scalar(static_cast<double>(static_cast<float>(read(BFloat16{}))));
    case kComplexFloat: {
      auto c = read(std::complex<float>{});
      return Scalar(IValue(std::complex<double>(c)));
    }
    case kComplexDouble: return Scalar(IValue(read(std::complex<double>{})));
    case kLong: return Scalar(read(int64_t{}));
    case kInt: return Scalar(static_cast<int64_t>(read(int32_t{})));
    case kShort: return Scalar(static_cast<int64_t>(read(int16_t{})));
    case kChar: return Scalar(static_cast<int64_t>(read(int8_t{})));
    case kByte: return Scalar(static_cast<int64_t>(read(uint8_t{})));
    case ScalarType::UInt16: return Scalar(static_cast<int64_t>(read(uint16_t{})));
    case ScalarType::UInt32: return Scalar(static_cast<int64_t>(read(uint32_t{})));
    case ScalarType::UInt64: return Scalar(static_cast<int64_t>(read(uint64_t{})));
    default: return item(dequantize(t));
  }
}
bool bool_of(const Tensor& t) {
  if (t.numel() == 0) raise<OpError>("Boolean value of Tensor with no values is ambiguous");
  if (t.numel() > 1)
    raise<OpError>("Boolean value of Tensor with more than one value is ambiguous");
  Scalar s = item(t);
  return s.d != 0 || s.im != 0;
}
namespace {
template <class T>
std::vector<T> host_values(const Tensor& t, ScalarType dtype) {
  Tensor x = contiguous(cast(t, dtype));
  host_read(x);
  x = copy_extent(x, nullptr);
  auto r = host_vector<T>(x.numel());
  if (!r.empty()) std::memcpy(r.data(), x.const_raw_data(), r.size() * sizeof(T));
  return r;
}
}  // namespace
std::vector<int64_t> host_ints(const Tensor& t) { return host_values<int64_t>(t, kLong); }
std::vector<int64_t> host_ints_of_state(const Tensor& t) {
  Recorder* r = context().recorder;
  if (!r || r->awaited(t.impl()->storage.get())) return host_ints(t);
  Unrecorded unrecorded;
  return host_ints(t);
}
std::vector<double> host_doubles(const Tensor& t) { return host_values<double>(t, kDouble); }

void check_writable(const Tensor& self) {
  if (self.numel() == 0) return;
  for (size_t i = 0; i < self.sizes().size(); ++i)
    if (self.strides()[i] == 0 && self.sizes()[i] > 1)
      raise<OpError>(
          "unsupported operation: more than one element of the written-to tensor refers to a "
          "single memory location. Please clone() the tensor before performing the operation.");
}

Tensor copy_result(const Tensor& self, const Tensor& result) {
  if (self.is_same(result)) return self;
  if (result.sizes() != self.sizes())
    raise<OpError>("output with shape ", self.sizes(), " doesn't match the broadcast shape ",
                   result.sizes());
  check_castable(result.dtype(), self.dtype());
  check_writable(self);
  copy_to(self, result);
  return self;
}

namespace {
// Gives out the sizes of r, as PyTorch resizes outputs.
void resize_output(const Tensor& out, const Tensor& r) {
  if (out.sizes() == r.sizes()) return;
  TensorImpl* i = out.mutable_impl();
  const DimVector strides = contiguous_strides(r.sizes());
  i->storage->resize(static_cast<size_t>(check_form(r.sizes(), strides, i->offset, i->dtype)));
  i->sizes = r.sizes();
  i->strides = strides;
  i->form_changed();
}
}  // namespace
}  // namespace sconce::ops

namespace sconce {

namespace {
// Operators that are one elementwise slot: each element is read before it is written.
bool is_one_slot(std::string_view name) {
  static constexpr std::string_view kNames[] = {
      "aten::relu",       "aten::sigmoid",    "aten::tanh",       "aten::neg",
      "aten::exp",        "aten::add.Tensor", "aten::add.Scalar", "aten::sub.Tensor",
      "aten::sub.Scalar", "aten::mul.Tensor", "aten::mul.Scalar", "aten::div.Tensor",
      "aten::div.Scalar", "aten::sqrt",       "aten::abs"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}
// Nothing that the operator reads overlaps self in another way than element by element.
bool may_write_directly(const Call& c) {
  const Tensor& self = c.in(0).toTensorRef();
  if (!self.defined() || self.quantizer() || self.numel() == 0 || !ops::is_dense(self) ||
      !is_one_slot(c.op()->base->full_name()))
    return false;
  for (uint32_t i = 1; i < c.n_in(); ++i) {
    if (!c.in(i).isTensor() || !c.in(i).box()) continue;
    const Tensor& t = c.in(i).toTensorRef();
    if (!t.defined()) return false;
    bool same = t.storage_offset() == self.storage_offset() && t.sizes() == self.sizes() &&
                t.strides() == self.strides() && t.dtype() == self.dtype();
    if (t.impl()->storage == self.impl()->storage && !same) return false;
  }
  return true;
}
}  // namespace

void derived_in_place(Call& c) {
  if (may_write_directly(c)) {
    struct Target {
      explicit Target(const Tensor* t) { ops::in_place_target = t; }
      ~Target() { ops::in_place_target = nullptr; }
    };
    std::vector<IValue> in;
    for (uint32_t i = 0; i < c.n_in(); ++i) in.push_back(c.in(i));
    Tensor self = c.in(0).toTensor(), result;
    {
      Target target(&self);
      result = run_operator(*c.op()->base, std::move(in)).at(0).toTensor();
    }
    if (!self.is_same(result)) ops::copy_result(self, result);
    c.out(0, self);
    return;
  }
  IValue result;
  std::vector<IValue> in;
  for (uint32_t i = 0; i < c.n_in(); ++i) in.push_back(c.in(i));
  auto out = run_operator(*c.op()->base, std::move(in));
  Tensor self = c.in(0).toTensor();
  c.out(0, ops::copy_result(self, out.at(0).toTensor()));
}

void derived_out(Call& c) {
  const Operator& op = *c.op();
  const FunctionSchema& s = op.schema();
  std::vector<IValue> in;
  std::vector<Tensor> targets;
  std::vector<const WriteCheck*> checks;
  for (uint32_t i = 0; i < c.n_in(); ++i) {
    if (!s.arguments[i].alias.is_write) {
      in.push_back(c.in(i));
      continue;
    }
    targets.push_back(ops::tensor_of(c.in(i)));
    checks.push_back(nullptr);
    for (uint32_t k = 0; k < op.checks.n_writes; ++k)
      if (op.checks.writes[k].argument == i) checks.back() = &op.checks.writes[k];
  }
  // A factory: what its out= form lacks comes from the tensor.
  const auto& wanted = op.base->schema().arguments;
  for (size_t i = 0; i < wanted.size() && in.size() < wanted.size(); ++i) {
    const std::string& name = wanted[i].name;
    if (name == "dtype")
      in.insert(in.begin() + static_cast<long>(i),
                IValue(static_cast<int64_t>(targets.at(0).dtype())));
    else if (name == "layout" || name == "device" || name == "pin_memory")
      in.insert(in.begin() + static_cast<long>(i), IValue());
  }
  auto out = run_operator(*op.base, std::move(in));
  const std::string_view name = op.name();
  const bool sequence = name == "aten::linspace" || name == "aten::logspace" ||
                        name == "aten::arange" || name == "aten::range";
  for (size_t i = 0; i < targets.size() && i < out.size(); ++i) {
    Tensor r = ops::tensor_of(out[i]);
    // A sequence keeps the sizes of a target with as many elements.
    if (sequence && r.numel() == targets[i].numel())
      r = ops::reshape(r, ops::IntVec(targets[i].sizes()));
    // Truth values go into bytes too.
    const bool truth = r.dtype() == kBool && targets[i].dtype() == kByte;
    if (checks[i] && checks[i]->exact_dtype && !truth && r.dtype() != targets[i].dtype())
      raise<OpError>("Expected out tensor to have dtype ", scalar_type_name(r.dtype()),
                     ", but got ", scalar_type_name(targets[i].dtype()), " instead");
    ops::check_castable(r.dtype(), targets[i].dtype());
    ops::resize_output(targets[i], r);
    if (checks[i]) ops::check_writes(c, *checks[i]);
    ops::copy_to(targets[i], r);
    c.out(static_cast<uint32_t>(i), targets[i]);
  }
}

}  // namespace sconce
