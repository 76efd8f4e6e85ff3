// SPDX-License-Identifier: Apache-2.0
// Indexing: gather and scatter, advanced indices, masks, embeddings, unique, search (compat.md
// section 7).
#include <algorithm>
#include <cmath>
#include <map>

#include "ops/host_memory.h"
#include "ops/tensor_ops.h"

namespace sconce::ops {

namespace {

size_t z(int64_t i) { return static_cast<size_t>(i); }

// Masks become index tensors; the rest stays.
OptTensorList expand_masks(const Tensor& t, const OptTensorList& in) {
  OptTensorList r;
  int64_t d = 0;
  for (auto& x : in) {
    if (!x.defined()) {
      r.emplace_back();
      ++d;
      continue;
    }
    if (x.dtype() == kBool || x.dtype() == kByte) {
      for (int64_t i = 0; i < x.dim(); ++i)
        if (d + i >= t.dim() || t.size(d + i) != x.size(i))
          raise<OpError>("The shape of the mask ", x.sizes(), " at index ", i,
                         " does not match the shape of the indexed tensor ", t.sizes(),
                         " at index ", d + i);
      Tensor nz = nonzero(x);
      for (int64_t i = 0; i < x.dim(); ++i) r.push_back(select(nz, 1, i));
      if (x.dim() == 0) {  // a 0-dim mask adds a dim of size 0 or 1
        r.push_back(squeeze_dim(nz, 1).dim() == 1 ? cast(empty({nz.size(0)}, kLong), kLong) : nz);
        fill(r.back(), Scalar(0));
      }
      d += x.dim();
    } else {
      if (x.dtype() != kLong && x.dtype() != kInt)
        raise<OpError>("tensors used as indices must be long, int, byte or bool tensors");
      r.push_back(x);
      ++d;
    }
  }
  return r;
}

struct Plan {
  IndexArgs args{};
  IntVec index_sizes, rest_sizes, rest_strides;
  std::vector<Tensor> indices;
  bool front = true;   // index dims come first in the result
  int64_t before = 0;  // rest dims before the index dims otherwise
};
Plan plan_index(const Tensor& t0, const OptTensorList& given, Tensor* base) {
  OptTensorList in = expand_masks(t0, given);
  Tensor t = t0;
  // 0-dim masks index a new leading dim.
  if (t.dim() == 0 && !in.empty()) t = reshape(t, {1});
  *base = t;
  if (static_cast<int64_t>(in.size()) > t.dim())
    raise<OpError>("too many indices for tensor of dimension ", t.dim());
  Plan p;
  std::vector<int64_t> dims;
  for (size_t i = 0; i < in.size(); ++i)
    if (in[i].defined()) {
      dims.push_back(static_cast<int64_t>(i));
      p.index_sizes = broadcast(p.index_sizes, in[i].sizes());
    }
  if (dims.size() > 6) raise<OpError>("more than 6 index tensors are not supported");
  bool adjacent = true;
  for (size_t i = 1; i < dims.size(); ++i) adjacent = adjacent && dims[i] == dims[i - 1] + 1;
  p.front = !adjacent || dims.empty() || dims[0] == 0;
  p.before = adjacent && !dims.empty() ? dims[0] : 0;
  for (int64_t d = 0; d < t.dim(); ++d)
    if (std::find(dims.begin(), dims.end(), d) == dims.end()) {
      p.rest_sizes.push_back(t.size(d));
      p.rest_strides.push_back(t.stride(d));
    }
  p.args.n_index = static_cast<int32_t>(dims.size());
  p.args.index_ndim = static_cast<int32_t>(p.index_sizes.size());
  for (size_t i = 0; i < dims.size(); ++i) {
    p.indices.push_back(expand_to(in[z(dims[i])], p.index_sizes));
    p.args.size[i] = t.size(dims[i]);
    p.args.step[i] = t.stride(dims[i]);
  }
  for (size_t i = 0; i < p.indices.size(); ++i) p.args.index[i] = view_of(p.indices[i]);
  return p;
}
// [index..., rest...] to the result's order and back.
Tensor place(const Tensor& r, const Plan& p, bool back) {
  if (p.front) return r;
  auto k = static_cast<int64_t>(p.index_sizes.size());
  IntVec order;
  if (!back) {
    for (int64_t i = 0; i < p.before; ++i) order.push_back(k + i);
    for (int64_t i = 0; i < k; ++i) order.push_back(i);
  } else {
    for (int64_t i = 0; i < k; ++i) order.push_back(p.before + i);
    for (int64_t i = 0; i < p.before; ++i) order.push_back(i);
  }
  for (int64_t i = static_cast<int64_t>(order.size()); i < r.dim(); ++i) order.push_back(i);
  return permute(r, order);
}
IntVec join(const IntVec& a, const IntVec& b) {
  IntVec r = a;
  for (int64_t x : b) r.push_back(x);
  return r;
}

void index_op(Call& c) { c.out(0, index(tensor_in(c, 0), to_opt_tensors(c.in(1)))); }
void index_put_op(Call& c) {
  c.out(0, index_put_(tensor_in(c, 0), to_opt_tensors(c.in(1)), tensor_in(c, 2),
                      c.n_in() > 3 && c.in(3).toBool()));
}
void index_put_copy(Call& c) {
  c.out(0, index_put_(clone(tensor_in(c, 0)), to_opt_tensors(c.in(1)), tensor_in(c, 2),
                      c.n_in() > 3 && c.in(3).toBool()));
}

// Scatter into out; a 0-dim tensor counts as one of size 1.
Tensor scatter_into(const Tensor& out, int64_t dim, const Tensor& index, const Tensor* src,
                    Scalar value, ScatterMode mode, bool may_overlap = false) {
  int64_t d = wrap_dim(dim, out.dim());
  if (index.dtype() != kLong && index.dtype() != kInt)
    raise<OpError>("scatter(): Expected dtype int32/int64 for index");
  if (!may_overlap) check_writable(out);
  if (index.numel() == 0) return out;
  auto at1 = [](const Tensor& x) { return x.dim() == 0 ? reshape(x, {1}) : x; };
  Tensor o = at1(out), i = at1(index), s = src ? at1(*src) : Tensor();
  if (o.dim() != i.dim() || (src && s.dim() != i.dim()))
    raise<OpError>("Index tensor must have the same number of dimensions as self tensor");
  if (src && src->dtype() != out.dtype())
    raise<OpError>("scatter(): Expected self.dtype to be equal to src.dtype");
  for (int64_t k = 0; k < i.dim(); ++k) {
    if (k != d && i.size(k) > o.size(k))
      raise<OpError>("Expected index ", index.sizes(), " to be no larger than self ", out.sizes(),
                     " apart from dimension ", d);
    if (src && i.size(k) > s.size(k))
      raise<OpError>("Expected index ", index.sizes(), " to be no larger than src ", src->sizes());
  }
  if (!src) check_fits(value, out.dtype());
  if (out.dtype() == kBool) value = Scalar(value.d != 0 || value.im != 0);
  call_slot(ScatterArgs{view_of(o), view_of(i), view_of(s), d, mode, number(value)});
  return out;
}
Tensor scatter_src_(const Tensor& t, int64_t d, const Tensor& i, const Tensor& s) {
  return scatter_into(t, d, i, &s, Scalar(0), ScatterMode::set);
}
Tensor scatter_value_(const Tensor& t, int64_t d, const Tensor& i, Scalar v) {
  return scatter_into(t, d, i, nullptr, v, ScatterMode::set);
}
Tensor scatter_add_(const Tensor& t, int64_t d, const Tensor& i, const Tensor& s) {
  return scatter_into(t, d, i, &s, Scalar(0), ScatterMode::add);
}
Tensor scatter_src(const Tensor& t, int64_t d, const Tensor& i, const Tensor& s) {
  return scatter_src_(clone(t), d, i, s);
}
Tensor scatter_value(const Tensor& t, int64_t d, const Tensor& i, Scalar v) {
  return scatter_value_(clone(t), d, i, v);
}
Tensor scatter_add(const Tensor& t, int64_t d, const Tensor& i, const Tensor& s) {
  return scatter_add_(clone(t), d, i, s);
}
ScatterMode old_mode(const std::string& r) {
  if (r == "add") return ScatterMode::add;
  if (r == "multiply") return ScatterMode::prod;
  raise<OpError>("reduce argument must be either add or multiply.");
}
Tensor scatter_reduce_old_(const Tensor& t, int64_t d, const Tensor& i, const Tensor& s,
                           const std::string& r) {
  return scatter_into(t, d, i, &s, Scalar(0), old_mode(r));
}
Tensor scatter_value_reduce_(const Tensor& t, int64_t d, const Tensor& i, Scalar v,
                             const std::string& r) {
  return scatter_into(t, d, i, nullptr, v, old_mode(r));
}
Tensor scatter_reduce_old(const Tensor& t, int64_t d, const Tensor& i, const Tensor& s,
                          const std::string& r) {
  return scatter_reduce_old_(clone(t), d, i, s, r);
}
Tensor scatter_value_reduce(const Tensor& t, int64_t d, const Tensor& i, Scalar v,
                            const std::string& r) {
  return scatter_value_reduce_(clone(t), d, i, v, r);
}
Scalar integer_limit(ScalarType t, bool max) {
  switch (t) {
    case kBool: return Scalar(max ? 1 : 0);
    case kByte: return Scalar(max ? 255 : 0);
    case ScalarType::Char: return Scalar(max ? 127 : -128);
    case ScalarType::Short: return Scalar(max ? 32767 : -32768);
    case kInt: return Scalar(max ? int64_t{INT32_MAX} : int64_t{INT32_MIN});
    default: return Scalar(max ? INT64_MAX : INT64_MIN);
  }
}
Tensor scatter_reduce_(const Tensor& t, int64_t dim, const Tensor& i, const Tensor& s,
                       const std::string& r, bool include_self) {
  bool mean = r == "mean";
  ScatterMode m = r == "sum" || mean ? ScatterMode::add
                  : r == "prod"      ? ScatterMode::prod
                  : r == "amax"      ? ScatterMode::amax
                  : r == "amin"      ? ScatterMode::amin
                                     : ScatterMode::set;
  if (m == ScatterMode::set)
    raise<OpError>("reduce argument must be either sum, prod, mean, amax or amin, got ", r);
  if (!include_self) {
    double inf = INFINITY;
    Scalar init = m == ScatterMode::add          ? Scalar(0)
                  : m == ScatterMode::prod       ? Scalar(1)
                  : is_integral(t.dtype(), true) ? integer_limit(t.dtype(), m == ScatterMode::amin)
                                                 : Scalar(m == ScatterMode::amax ? -inf : inf);
    scatter_into(t, dim, i, nullptr, init, ScatterMode::set);
  }
  scatter_into(t, dim, i, &s, Scalar(0), m);
  if (mean) {
    Tensor count = empty(t.sizes(), t.dtype());
    fill(count, Scalar(include_self ? 1 : 0));
    Tensor one = empty(i.sizes(), t.dtype());
    fill(one, Scalar(1));
    scatter_into(count, dim, i, &one, Scalar(0), ScatterMode::add);
    count = masked_fill(count, binary_scalar(Binary::eq, count, Scalar(0), count.dtype(), kBool),
                        Scalar(1));
    copy_to(t, is_integral(t.dtype()) ? binary(Binary::floor_div, t, count, t.dtype(), t.dtype())
                                      : div(t, count));
  }
  return t;
}
Tensor scatter_reduce(const Tensor& t, int64_t d, const Tensor& i, const Tensor& s,
                      const std::string& r, bool inc) {
  return scatter_reduce_(clone(t), d, i, s, r, inc);
}

// A 1-d index as one of the source's shape.
Tensor broadcast_index(const Tensor& index, const IntVec& sizes, int64_t d) {
  IntVec s(sizes.size(), 1);
  if (!s.empty()) s[z(d)] = index.numel();
  return expand_to(reshape(index, s), sizes);
}
Tensor index_add_(const Tensor& t, int64_t dim, const Tensor& index, const Tensor& src,
                  Scalar alpha) {
  int64_t d = wrap_dim(dim, t.dim());
  if (index.dim() > 1)
    raise<OpError>("index_add_(): Index is supposed to be a vector, but got dim: ", index.dim());
  if (src.dtype() != t.dtype())
    raise<OpError>("index_add_(): self and source expected to have the same dtype");
  if (index.dim() > 0 && src.dim() > 0 && index.numel() != src.size(d))
    raise<OpError>("index_add_(): Number of indices (", index.numel(),
                   ") should be equal to source.size(dim): (", src.size(d), ")");
  for (int64_t i = 0; i < t.dim() && t.dim() == src.dim(); ++i)
    if (i != d && t.size(i) != src.size(i))
      raise<OpError>(
          "source tensor shape must match self tensor shape, excluding the specified "
          "dimension. Got self.shape = ",
          t.sizes(), " source.shape = ", src.sizes());
  if (is_integral(t.dtype(), true)) alpha = Scalar(alpha.i);
  Tensor s = alpha.d == 1 ? src : cast(mul_scalar(src, alpha), src.dtype());
  return scatter_into(t, d, broadcast_index(index, IntVec(s.sizes()), d), &s, Scalar(0),
                      ScatterMode::add);
}
Tensor index_add(const Tensor& t, int64_t d, const Tensor& i, const Tensor& s, Scalar a) {
  return index_add_(clone(t), d, i, s, a);
}
Tensor index_copy_(const Tensor& t, int64_t dim, const Tensor& index, const Tensor& src) {
  int64_t d = wrap_dim(dim, t.dim());
  return scatter_into(t, d, broadcast_index(index, IntVec(src.sizes()), d), &src, Scalar(0),
                      ScatterMode::set);
}
Tensor index_copy(const Tensor& t, int64_t d, const Tensor& i, const Tensor& s) {
  return index_copy_(clone(t), d, i, s);
}
Tensor index_fill_(const Tensor& t, int64_t dim, const Tensor& index, Scalar v) {
  int64_t d = wrap_dim(dim, t.dim());
  if (t.dim() == 0) {
    index_fill_(make_view(t, {1}, {1}, t.storage_offset()), 0, index, v);
    return t;
  }
  IntVec s(t.sizes());
  s[z(d)] = index.numel();
  Tensor idx = index;
  if (index.numel()) {
    Tensor neg = binary_scalar(Binary::lt, idx, Scalar(0), kLong, kBool);
    idx = where(neg, add_scalar(idx, Scalar(t.size(d)), Scalar(1)), idx);
  }
  // One number for all: elements that share memory get the same.
  return scatter_into(t, d, broadcast_index(idx, s, d), nullptr, v, ScatterMode::set, true);
}
Tensor index_fill(const Tensor& t, int64_t d, const Tensor& i, Scalar v) {
  return index_fill_(clone(t), d, i, v);
}
Tensor index_fill_tensor_(const Tensor& t, int64_t d, const Tensor& i, const Tensor& v) {
  if (v.dim() != 0)
    raise<OpError>("index_fill_ only supports a 0-dimensional value tensor, but got tensor with ",
                   v.dim(), " dimension(s).");
  return index_fill_(t, d, i, item(v));
}
Tensor index_fill_tensor(const Tensor& t, int64_t d, const Tensor& i, const Tensor& v) {
  return index_fill_tensor_(clone(t), d, i, v);
}

Tensor masked_select(const Tensor& t, const Tensor& mask) {
  if (mask.dtype() != kBool) raise<OpError>("masked_select: expected BoolTensor for mask");
  IntVec s = broadcast(t.sizes(), mask.sizes());
  Tensor x = expand_to(t, s), m = expand_to(mask, s);
  return s.empty() ? index(reshape(x, {1}), {reshape(m, {1})}) : index(x, {m});
}
Tensor masked_scatter_(const Tensor& t, const Tensor& mask, const Tensor& src) {
  check_writable(t);
  if (mask.dtype() != kBool)
    raise<OpError>("masked_scatter_ only supports boolean masks, but got mask with dtype ",
                   scalar_type_name(mask.dtype()));
  if (t.dim() == 0) {
    masked_scatter_(view(t, {1}), view(expand_to(mask, t.sizes()), {1}), src);
    return t;
  }
  Tensor m = expand_to(mask, t.sizes());
  const int64_t n =
      item(reduce(Reduce::count_nonzero, m, reduce_dims({}, m.dim()), false, kBool, kLong)).i;
  if (src.numel() < n)
    raise<OpError>("masked_scatter: expected self and source to have enough elements");
  return index_put_(t, {m}, narrow(reshape(src, {-1}), 0, 0, n), false);
}
Tensor masked_scatter(const Tensor& t, const Tensor& mask, const Tensor& src) {
  return masked_scatter_(clone(expand_to(t, broadcast(t.sizes(), mask.sizes()))), mask, src);
}
Tensor take(const Tensor& t, const Tensor& i) {
  if (i.dtype() != kLong) raise<OpError>("take(): Expected a long tensor for index");
  return index(reshape(t, {-1}), {i});
}
Tensor put_(const Tensor& t, const Tensor& i, const Tensor& src, bool acc) {
  if (i.numel() != src.numel())
    raise<OpError>(
        "put_(): Expected source and index to have the same number of elements, but got "
        "source.numel() = ",
        src.numel(), ", index.numel() = ", i.numel());
  Tensor flat = reshape(t, {-1});
  index_put_(flat, {reshape(i, {-1})}, reshape(src, {-1}), acc);
  if (flat.impl()->storage != t.impl()->storage) copy_to(t, reshape(flat, IntVec(t.sizes())));
  return t;
}
Tensor put(const Tensor& t, const Tensor& i, const Tensor& s, bool acc) {
  return put_(clone(t), i, s, acc);
}
Tensor take_along_dim(const Tensor& t, const Tensor& i, OptInt dim) {
  if (i.dtype() != kLong)
    raise<OpError>("torch.take_along_dim(): dtype of indices should be Long but got ",
                   scalar_type_name(i.dtype()));
  // Negative indices count from the end.
  auto wrapped = [&](int64_t n) {
    Tensor below = binary_scalar(Binary::lt, i, Scalar(0), kLong, kBool);
    return where(below, add_scalar(i, Scalar(n), Scalar(1)), i);
  };
  if (!dim) return gather(reshape(t, {-1}), 0, reshape(i, {-1}), false);
  int64_t d = wrap_dim(*dim, t.dim());
  if (t.dim() != i.dim())
    raise<OpError>(
        "torch.take_along_dim(): input and indices should have the same number of "
        "dimensions, but got ",
        t.dim(), " dimensions for input, and ", i.dim(), " dimensions for indices");
  if (t.dim() == 0)
    raise<OpError>("Dimension specified as ", *dim, " but tensor has no dimensions");
  IntVec a(t.sizes()), b(i.sizes());
  a[z(d)] = b[z(d)] = 1;
  IntVec s = broadcast(a, b), ts = s, is = s;
  ts[z(d)] = t.size(d);
  is[z(d)] = i.size(d);
  return gather(expand_to(t, ts), d, expand_to(wrapped(t.size(d)), is), false);
}
TensorList nonzero_numpy(const Tensor& t) {
  Tensor nz = nonzero(t.dim() == 0 ? reshape(t, {1}) : t);
  TensorList r;
  for (int64_t i = 0; i < nz.size(1); ++i) r.push_back(select(nz, 1, i));
  return r;
}
Tensor argwhere(const Tensor& t) { return nonzero(t); }
TensorList where_indices(const Tensor& t) { return nonzero_numpy(t); }

Tensor embedding(const Tensor& w, const Tensor& i, int64_t, bool, bool) {
  if (w.dim() != 2) raise<OpError>("'weight' must be 2-D");
  if (i.dtype() != kLong && i.dtype() != kInt)
    raise<OpError>(
        "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
        "Long, Int; but got ",
        scalar_type_name(i.dtype()), " instead");
  Tensor r = index_select(w, 0, reshape(i, {-1}));
  IntVec s(i.sizes());
  s.push_back(w.size(1));
  return view(r, s);
}
Tensor one_hot(const Tensor& t, int64_t n) {
  if (t.dtype() != kLong)
    raise<OpError>("one_hot is only applicable to index tensor of type LongTensor.");
  if (n < 0) {
    if (t.numel() == 0) raise<OpError>("Can not infer total number of classes from empty tensor.");
    n = checked_add(item(reduce(Reduce::max, t, reduce_dims({}, t.dim()), false, kLong, kLong)).i,
                    1);
  }
  IntVec s(t.sizes());
  s.push_back(n);
  Tensor r = empty(s, kLong);
  fill(r, Scalar(0));
  return scatter_into(r, -1, unsqueeze(t, -1), nullptr, Scalar(1), ScatterMode::set);
}
Tensor bincount(const Tensor& t, const Tensor* w, int64_t min) {
  if (t.dim() != 1 || !is_integral(t.dtype()))
    raise<OpError>("bincount only supports 1-d non-negative integral inputs.");
  int64_t n = min;
  if (t.numel()) {
    n = std::max(n, checked_add(item(reduce(Reduce::max, t, {0}, false, kLong, kLong)).i, 1));
    if (item(reduce(Reduce::min, t, {0}, false, kLong, kLong)).i < 0)
      raise<OpError>("bincount only supports 1-d non-negative integral inputs.");
  }
  ScalarType out = w && t.numel() ? (w->dtype() == kFloat ? kFloat : kDouble) : kLong;
  Tensor r = empty({n}, out);
  fill(r, Scalar(0));
  if (t.numel() == 0) return r;
  Tensor src = w ? cast(*w, out) : Tensor();
  return scatter_into(r, 0, cast(t, kLong), w ? &src : nullptr, Scalar(1), ScatterMode::add);
}
Tensor histc(const Tensor& t, int64_t bins, Scalar lo, Scalar hi) {
  if (bins <= 0) raise<OpError>("torch.histc(): bins must be > 0, but got ", bins);
  if (!(std::isfinite(lo.d) && std::isfinite(hi.d)) || lo.d > hi.d)
    raise<OpError>("torch.histc(): max must be larger than min, both finite; got ", lo.d, " and ",
                   hi.d);
  auto v = host_doubles(t);
  double a = lo.d, b = hi.d;
  if (a == b && !v.empty()) {
    a = b = v[0];
    for (double x : v) {
      a = x < a ? x : a;
      b = x > b ? x : b;
    }
  }
  if (a == b) a -= 1, b += 1;
  Tensor r = empty({bins}, t.dtype());
  Interrupt interrupt;
  auto count = host_vector<int64_t>(bins);
  for (double x : v)
    if (x >= a && x <= b) {
      // Between bounds whose difference is infinite it may be none.
      const double at = (x - a) * static_cast<double>(bins) / (b - a);
      ++count[z(static_cast<int64_t>(std::fmin(std::fmax(at, 0), static_cast<double>(bins - 1))))];
    }
  for (int64_t i = 0; i < bins; ++i) {
    interrupt.passed(64);
    fill(make_view(r, {}, {}, i), Scalar(count[z(i)]));
  }
  return r;
}
// Each row of values in the row of bounds beside it, or all of them in the only one.
Tensor searchsorted_impl(const Tensor& bounds, const Tensor& values, bool int32, bool right) {
  const ScalarType t = result_type(bounds, values);
  if (t == kBool || is_complex(t))
    raise<OpError>("\"searchsorted\" not implemented for '", scalar_type_name(t), "'");
  Tensor out = empty(values.sizes(), int32 ? kInt : kLong);
  if (out.numel() == 0) return out;
  const int64_t n = bounds.dim() ? bounds.size(-1) : 1;
  if (n == 0) {
    fill(out, Scalar(0));
    return out;
  }
  Tensor b = reshape(cast(bounds, t), {-1, n}),
         v = reshape(cast(values, t), {bounds.dim() > 1 ? b.size(0) : 1, -1}),
         o = reshape(out, IntVec(v.sizes()));
  call_slot(SearchArgs{view_of(o), view_of(b), view_of(v), right});
  return out;
}
bool right_of(bool right, const std::optional<std::string>& side) {
  if (side && *side != "left" && *side != "right")
    raise<OpError>("torch.searchsorted(): side can only be 'left' or 'right' but got ", *side);
  if (side && *side == "left" && right)
    raise<OpError>(
        "torch.searchsorted(): side and right can't be set to opposites, got side of left while "
        "right was True");
  return side ? *side == "right" : right;
}
Tensor searchsorted(const Tensor& seq, const Tensor& v, bool i32, bool right,
                    std::optional<std::string> side, const Tensor* sorter) {
  const bool r = right_of(right, side);
  if (v.dim() == 0 && seq.dim() != 1)
    raise<OpError>(
        "torch.searchsorted(): input value can be a scalar only when boundaries tensor dimension "
        "is 1, but we got boundaries tensor dim(",
        seq.dim(), ") and input value's dim(0) numel(1)");
  bool fits = seq.dim() == 1 || seq.dim() == v.dim();
  for (int64_t d = 0; fits && seq.dim() > 1 && d + 1 < seq.dim(); ++d)
    fits = seq.size(d) == v.size(d);
  if (seq.dim() == 0 || !fits)
    raise<OpError>(
        "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions "
        "of boundaries tensor and input value tensor must match, but we got boundaries tensor ",
        seq.sizes(), " and input value tensor ", v.sizes());
  if (sorter && sorter->sizes() != seq.sizes())
    raise<OpError>("torch.searchsorted(): boundary and sorter must have the same size, but got ",
                   seq.sizes(), " and ", sorter->sizes());
  if (sorter && sorter->dtype() != kLong)
    raise<OpError>("torch.searchsorted(): sorter must be a tensor of long dtype but got dtype ",
                   scalar_type_name(sorter->dtype()));
  return searchsorted_impl(sorter ? gather(seq, -1, *sorter, false) : seq, v, i32, r);
}
Tensor searchsorted_scalar(const Tensor& seq, Scalar v, bool i32, bool right,
                           std::optional<std::string> side, const Tensor* sorter) {
  return searchsorted(seq, scalar_tensor(v, result_type(seq, v)), i32, right, side, sorter);
}
Tensor bucketize(const Tensor& v, const Tensor& b, bool i32, bool right) {
  if (b.dim() != 1)
    raise<OpError>("boundaries tensor must be 1 dimension, but got dim(", b.dim(), ")");
  return searchsorted_impl(b, v, i32, right);
}
Tensor bucketize_scalar(Scalar v, const Tensor& b, bool i32, bool right) {
  return bucketize(scalar_tensor(v, result_type(b, v)), b, i32, right);
}
void check_isin(ScalarType t) {
  if (t == kBool || is_complex(t))
    raise<OpError>("Unsupported input type encountered for isin(): ", scalar_type_name(t));
}
Tensor isin(const Tensor& e, const Tensor& t, bool, bool invert) {
  check_isin(e.dtype());
  check_isin(t.dtype());
  Tensor eq = binary(Binary::eq, unsqueeze(e, e.dim()), reshape(t, {-1}), result_type(e, t), kBool);
  Tensor r = reduce(Reduce::any, eq, {eq.dim() - 1}, false, kBool, kBool);
  return invert ? unary(Unary::logical_not, r, kBool) : r;
}
Tensor isin_scalar(const Tensor& e, Scalar t, bool, bool invert) {
  check_isin(e.dtype());
  return binary_scalar(invert ? Binary::ne : Binary::eq, e, t, result_type(e, t), kBool);
}
Tensor isin_scalar_tensor(Scalar e, const Tensor& t, bool u, bool invert) {
  return isin(scalar_tensor(e, result_type(t, e)), t, u, invert);
}

// Distinct integers of a small range: those that a count of each finds. Without values when the
// range is large.
std::tuple<Tensor, Tensor, Tensor> unique_counted(const Tensor& flat, bool inverse, bool counts) {
  constexpr uint64_t kLargest = uint64_t{1} << 18;
  auto extreme = [&](Reduce r) { return item(reduce(r, flat, {0}, false, kLong, kLong)).i; };
  const int64_t least = extreme(Reduce::min), n = flat.numel();
  const uint64_t range = static_cast<uint64_t>(extreme(Reduce::max)) - static_cast<uint64_t>(least);
  if (range >= std::min(kLargest, static_cast<uint64_t>(n))) return {};
  Tensor x = cast(flat, kLong), none;
  if (least != 0) x = binary_scalar(Binary::sub, x, Scalar(least), kLong, kLong);
  Tensor count = empty({static_cast<int64_t>(range) + 1}, kLong);
  fill(count, Scalar(0));
  scatter_into(count, 0, x, nullptr, Scalar(1), ScatterMode::add);
  Tensor seen = binary_scalar(Binary::ne, count, Scalar(0), kLong, kBool),
         at = select(nonzero(seen), 1, 0), inv = empty({0}, kLong);
  if (inverse) {
    Tensor rank = empty(count.sizes(), kLong), one = cast(seen, kLong);
    call_slot(ScanArgs{view_of(rank), view_of(none), view_of(one), Scan::sum, Compute::I64});
    inv = index_select(add_scalar(rank, Scalar(-1), Scalar(1)), 0, x);
  }
  return {cast(add_scalar(at, Scalar(least), Scalar(1)), flat.dtype()), inv,
          counts ? index_select(count, 0, at) : empty({0}, kLong)};
}
std::tuple<Tensor, Tensor, Tensor> unique_flat(const Tensor& t, bool inverse, bool counts,
                                               bool consecutive) {
  Tensor flat = reshape(t, {-1});
  int64_t n = flat.numel();
  if (n == 0)
    return {empty({0}, t.dtype()), empty(inverse ? IntVec(t.sizes()) : IntVec{0}, kLong),
            empty({0}, kLong)};
  if (!consecutive && is_integral(t.dtype(), true)) {
    auto [values, inv, cnt] = unique_counted(flat, inverse, counts);
    if (values.defined()) return {values, inverse ? reshape(inv, IntVec(t.sizes())) : inv, cnt};
  }
  Tensor order, sorted = flat;
  if (is_complex(t.dtype()) && !consecutive) {
    std::tie(sorted, order) = sort_impl(flat, 0, false);
  } else if (!consecutive) {  // any order of equals will do: the one of a radix sort
    sorted = empty({n}, t.dtype());
    if (inverse) order = empty({n}, kLong);
    call_slot(
        SortArgs{view_of(sorted), view_of(order), view_of(flat), false, true, -1, true, false});
  }
  // A group starts where a value differs from the one before.
  Tensor starts = empty({n}, kBool);
  fill(narrow(starts, 0, 0, 1), Scalar(1));
  if (n > 1) {
    Tensor a = narrow(sorted, 0, 1, n - 1), b = narrow(sorted, 0, 0, n - 1),
           differ = narrow(starts, 0, 1, n - 1);
    call_slot(BinaryArgs{
        view_of(differ), view_of(a), view_of(b), Binary::ne, compute_for(t.dtype()), {}, {1, 1}});
  }
  Tensor at = select(nonzero(starts), 1, 0);
  Tensor values = index_select(sorted, 0, at);
  Tensor inv = empty({0}, kLong), cnt = empty({0}, kLong);
  if (inverse) {
    Tensor group = empty({n}, kLong);
    Tensor ones = cast(starts, kLong);
    Tensor none;
    call_slot(ScanArgs{view_of(group), view_of(none), view_of(ones), Scan::sum, Compute::I64});
    inv = add_scalar(group, Scalar(-1), Scalar(1));
    if (order.defined()) inv = scatter_src_(empty({n}, kLong), 0, order, inv);
    inv = reshape(inv, IntVec(t.sizes()));
  }
  if (counts) {
    Tensor end = empty({1}, kLong);
    fill(end, Scalar(n));
    Tensor next = cat({narrow(at, 0, 1, at.numel() - 1), end}, 0);
    cnt = sub(next, at, Scalar(1));
  }
  return {values, inv, cnt};
}
std::tuple<Tensor, Tensor, Tensor> unique2(const Tensor& t, bool, bool inv, bool cnt) {
  return unique_flat(t, inv, cnt, false);
}
std::tuple<Tensor, Tensor> unique1(const Tensor& t, bool, bool inv) {
  auto [v, i, c] = unique_flat(t, inv, false, false);
  return {v, i};
}
std::tuple<Tensor, Tensor, Tensor> unique_dim_impl(const Tensor& t, int64_t dim, bool inverse,
                                                   bool counts, bool consecutive) {
  int64_t d = wrap_dim(dim, t.dim()), n = t.size(d);
  for (int64_t i = 0; i < t.dim(); ++i)
    if (t.size(i) == 0 && i != d)
      raise<OpError>(
          "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied");
  IntVec first_dim{d};  // d goes first, the others keep their order
  for (int64_t i = 0; i < t.dim(); ++i)
    if (i != d) first_dim.push_back(i);
  Tensor rows = contiguous(permute(t, first_dim));
  int64_t w = n ? rows.numel() / n : 0;
  auto v = host_doubles(rows);
  auto order = host_vector<int64_t>(n), group = host_vector<int64_t>(n);
  for (int64_t i = 0; i < n; ++i) order[z(i)] = i;
  Interrupt interrupt;
  auto row_less = [&](int64_t a, int64_t b) {
    interrupt.passed(w + 16);
    return std::lexicographical_compare(v.begin() + a * w, v.begin() + (a + 1) * w,
                                        v.begin() + b * w, v.begin() + (b + 1) * w);
  };
  if (!consecutive) std::stable_sort(order.begin(), order.end(), row_less);
  std::vector<int64_t> first, count;
  for (int64_t i = 0; i < n; ++i) {
    interrupt.passed(w + 16);
    bool fresh =
        i == 0 || !std::equal(v.begin() + order[z(i)] * w, v.begin() + (order[z(i)] + 1) * w,
                              v.begin() + order[z(i - 1)] * w);
    if (fresh) {
      first.push_back(order[z(i)]);
      count.push_back(0);
    }
    ++count.back();
    group[z(order[z(i)])] = static_cast<int64_t>(first.size()) - 1;
  }
  auto make = [](const std::vector<int64_t>& x) {
    Tensor r = empty({static_cast<int64_t>(x.size())}, kLong);
    for (size_t i = 0; i < x.size(); ++i)
      fill(make_view(r, {}, {}, static_cast<int64_t>(i)), Scalar(x[i]));
    return r;
  };
  return {index_select(t, d, make(first)), inverse ? make(group) : empty({0}, kLong),
          counts ? make(count) : empty({0}, kLong)};
}
std::tuple<Tensor, Tensor, Tensor> unique_dim(const Tensor& t, int64_t d, bool, bool, bool) {
  return unique_dim_impl(t, d, true, true, false);  // PyTorch gives all three
}
std::tuple<Tensor, Tensor, Tensor> unique_consecutive(const Tensor& t, bool inv, bool cnt,
                                                      OptInt dim) {
  return dim && !(*dim == 0 && t.dim() == 1) ? unique_dim_impl(t, *dim, true, true, true)
                                             : unique_flat(t, inv, cnt, true);
}

void check_output_size(OptInt given, int64_t n) {
  if (given && *given != n)
    raise<OpError>("repeat_interleave: Invalid output_size, expected ", n, " but got ", *given);
}
Tensor repeat_interleave_self_tensor(const Tensor& t, const Tensor& reps, OptInt dim,
                                     OptInt output_size) {
  if (reps.dim() > 1) raise<OpError>("repeats must be 0-dim or 1-dim tensor");
  if (reps.dtype() != kLong && reps.dtype() != kInt)
    raise<OpError>("repeats has to be Long or Int tensor");
  Tensor x = dim ? t : reshape(t, {-1});
  int64_t d = dim ? wrap_dim(*dim, t.dim()) : 0;
  auto r = host_ints(reps);
  int64_t n = x.dim() ? x.size(d) : 1;
  if (r.size() == 1) r = host_vector<int64_t>(n, r[0]);
  if (static_cast<int64_t>(r.size()) != n)
    raise<OpError>("repeats must have the same size as input along dim");
  TensorList parts;
  ExpectViews views(n);
  int64_t total = 0;
  for (int64_t k : r) total = checked_add(total, std::max<int64_t>(k, 0));
  check_output_size(output_size, total);
  for (int64_t i = 0; i < n; ++i) {
    views.passed();
    if (r[z(i)] < 0) raise<OpError>("repeats can not be negative");
    IntVec s(x.sizes());
    s[z(d)] = r[z(i)];
    if (r[z(i)]) parts.push_back(expand_to(narrow(x, d, i, 1), s));
  }
  if (parts.empty()) {
    IntVec s(x.sizes());
    s[z(d)] = 0;
    return empty(s, x.dtype());
  }
  return cat(parts, d);
}
Tensor repeat_interleave_self_int(const Tensor& t, int64_t n, OptInt dim, OptInt output_size) {
  if (n < 0) raise<OpError>("Repeats must be non-negative");
  Tensor x = dim ? t : reshape(t, {-1});
  int64_t d = dim ? wrap_dim(*dim, t.dim()) : 0;
  if (x.dim() == 0) wrap_dim(1, 0);  // there is no dim behind it: an error
  IntVec s(x.sizes()), out(x.sizes());
  s.insert(z(d) + 1, n);
  out[z(d)] = checked_mul(out[z(d)], n);
  check_output_size(output_size, out[z(d)]);
  return reshape(clone(expand_to(unsqueeze(x, d + 1), s)), out);
}
Tensor repeat_interleave_tensor(const Tensor& reps, OptInt output_size) {
  if (reps.dim() != 1) raise<OpError>("repeat_interleave only accept 1D vector as repeat");
  return repeat_interleave_self_tensor(arange_ints(reps.numel(), kLong), reps, 0, output_size);
}

Tensor select_scatter(const Tensor& t, const Tensor& src, int64_t d, int64_t i) {
  Tensor r = clone(t), part = select(r, d, i);
  if (part.sizes() != src.sizes())
    raise<OpError>("expected src to have a size equal to the slice of self. src size = ",
                   src.sizes(), ", slice size = ", part.sizes());
  copy_to(part, src);
  return r;
}
Tensor slice_scatter(const Tensor& t, const Tensor& src, int64_t d, OptInt a, OptInt b,
                     int64_t step) {
  Tensor r = clone(t), part = slice(r, d, a, b, step);
  if (part.sizes() != src.sizes())
    raise<OpError>("expected src to have a size equal to the slice of self. src size = ",
                   src.sizes(), ", slice size = ", part.sizes());
  copy_to(part, src);
  return r;
}

}  // namespace

Tensor index(const Tensor& t, const OptTensorList& given) {
  if (given.empty()) raise<OpError>("at least one index must be provided");
  Tensor base;
  Plan p = plan_index(t, given, &base);
  if (p.indices.empty())
    return make_view(base, base.impl()->sizes, base.impl()->strides, base.storage_offset());
  Tensor r = empty(join(p.index_sizes, p.rest_sizes), t.dtype());
  if (r.numel()) {
    for (int32_t i = 0; i < p.args.n_index; ++i)
      if (p.args.size[i] == 0) raise<OpError>("index is out of bounds for dimension with size 0");
    Tensor rest = make_view(base, p.rest_sizes, p.rest_strides, base.storage_offset());
    p.args.out = view_of(r);
    p.args.in = view_of(rest);
    call_slot(p.args);
  }
  Tensor placed = place(r, p, false);
  return placed.is_contiguous() ? placed : contiguous(placed);
}
namespace {

// Where the only index is a mask: as one that broadcasts to t. One number put there is a fill.
Tensor only_mask(const Tensor& t, const OptTensorList& given) {
  Tensor mask;
  IntVec shape;
  for (const Tensor& i : given) {
    if (!i.defined()) {
      shape.push_back(1);
      continue;
    }
    if (mask.defined() || (i.dtype() != kBool && i.dtype() != kByte)) return {};
    mask = i;
    for (int64_t n : i.sizes()) {
      if (static_cast<int64_t>(shape.size()) >= t.dim() ||
          n != t.size(static_cast<int64_t>(shape.size())))
        return {};
      shape.push_back(n);
    }
  }
  if (!mask.defined() || static_cast<int64_t>(shape.size()) > t.dim()) return {};
  shape.resize(z(t.dim()), 1);
  return reshape(mask, shape);
}

}  // namespace

Tensor index_put_(const Tensor& t, const OptTensorList& given, const Tensor& values,
                  bool accumulate) {
  if (values.numel() == 1 && !accumulate) {
    if (Tensor mask = only_mask(t, given); mask.defined()) {
      if (mask.dtype() != kBool)
        raise<OpError>("masked_fill_ only supports boolean masks, but got mask with dtype ",
                       dtype_name(mask.dtype()));
      copy_to(t, masked_fill(t, mask, item(values)));
      return t;
    }
  }
  if (values.dtype() != t.dtype())
    raise<OpError>("Index put requires the source and destination dtypes match, got ",
                   scalar_type_name(t.dtype()), " for the destination and ",
                   scalar_type_name(values.dtype()), " for the source.");
  Tensor base;
  Plan p = plan_index(t, given, &base);
  if (p.indices.empty()) {
    copy_to(t, values);
    return t;
  }
  IntVec full = join(p.index_sizes, p.rest_sizes);
  // The values have the result's order of dims.
  Tensor shape = place(make_view(values, full, IntVec(full.size(), 0), 0), p, false);
  Tensor v = place(expand_to(values, shape.sizes()), p, true);
  if (v.numel() == 0) return t;
  Tensor rest = make_view(base, p.rest_sizes, p.rest_strides, base.storage_offset());
  // The slot writes `in` from `out`: swapped so that a recorder sees the written operand first.
  p.args.out = view_of(v);
  p.args.in = view_of(rest);
  p.args.put = true;
  p.args.accumulate = accumulate;
  call_slot(p.args);
  return t;
}
Tensor index_select(const Tensor& t, int64_t dim, const Tensor& index_) {
  int64_t d = wrap_dim(dim, t.dim());
  if (index_.dim() > 1) raise<OpError>("index_select(): Index is supposed to be a vector");
  if (index_.dtype() != kLong && index_.dtype() != kInt)
    raise<OpError>("index_select(): Expected dtype int32 or int64 for index");
  Tensor idx = reshape(index_, {-1});
  if (t.dim() == 0)
    return idx.numel() == 1 ? clone(t) : reshape(index(reshape(t, {1}), {idx}), {idx.numel()});
  IntVec s(t.sizes());
  s[z(d)] = idx.numel();
  Tensor r = empty(s, t.dtype());
  r.mutable_impl()->quantizer = t.impl()->quantizer;
  if (r.numel() == 0) return r;
  // Rows of the leading dim: [index, rest] through the index slot.
  Tensor out = d == 0 ? r : transpose(r, 0, d), in = d == 0 ? t : transpose(t, 0, d);
  IntVec rs, rst;
  for (int64_t i = 1; i < in.dim(); ++i) {
    rs.push_back(in.size(i));
    rst.push_back(in.stride(i));
  }
  Tensor rest = make_view(in, rs, rst, in.storage_offset());
  IndexArgs a{};
  a.out = view_of(out);
  a.in = view_of(rest);
  a.index[0] = view_of(idx);
  a.n_index = 1;
  a.size[0] = in.size(0);
  a.step[0] = in.stride(0);
  a.index_ndim = 1;
  a.no_negative = true;
  call_slot(a);
  return r;
}
Tensor gather(const Tensor& t, int64_t dim, const Tensor& i, bool) {
  int64_t d = wrap_dim(dim, t.dim());
  if (i.numel() == 0) return empty(i.sizes(), t.dtype());
  if (i.dtype() != kLong && i.dtype() != kInt)
    raise<OpError>("gather(): Expected dtype int64 for index");
  Tensor x = t.dim() == 0 ? reshape(t, {1}) : t, idx = i.dim() == 0 ? reshape(i, {1}) : i;
  if (i.numel() && x.dim() != idx.dim())
    raise<OpError>("Index tensor must have the same number of dimensions as input tensor");
  for (int64_t k = 0; k < idx.dim() && i.numel(); ++k)
    if (k != d && idx.size(k) > x.size(k))
      raise<OpError>("Size does not match at dimension ", k, " expected index ", i.sizes(),
                     " to be no larger than self ", t.sizes(), " apart from dimension ", d);
  Tensor r = empty(i.sizes(), t.dtype());
  if (r.numel()) {
    Tensor rv = r.dim() == 0 ? reshape(r, {1}) : r;
    call_slot(GatherArgs{view_of(rv), view_of(x), view_of(idx), d});
  }
  return r;
}
Tensor nonzero(const Tensor& given) {
  // As bools once, which are counted and walked fast.
  const Tensor t = given.dtype() == kBool || given.dtype() == kByte
                       ? given
                       : binary_scalar(Binary::ne, given, Scalar(0), given.dtype(), kBool);
  int64_t n = t.numel() ? item(reduce(Reduce::count_nonzero, t, reduce_dims({}, t.dim()), false,
                                      t.dtype(), kLong))
                              .i
                        : 0;
  Tensor r = empty({n, t.dim()}, kLong);
  if (r.numel()) call_slot(NonzeroArgs{view_of(r), view_of(t)});
  return r;
}

namespace {

constexpr OpDef kOps[] = {
    // clang-format off
    raw("aten::index.Tensor", index_op), raw("aten::index.Tensor_hacked_twin", index_op), raw("aten::index_put_", index_put_op), raw("aten::index_put_.hacked_twin", index_put_op), raw("aten::_index_put_impl_", index_put_op), raw("aten::index_put", index_put_copy), raw("aten::index_put.hacked_twin", index_put_copy),
    op<index_select>("aten::index_select"), op<gather>("aten::gather"), op<scatter_src>("aten::scatter.src"), op<scatter_value>("aten::scatter.value"), op<scatter_src_>("aten::scatter_.src"), op<scatter_value_>("aten::scatter_.value"), op<scatter_add>("aten::scatter_add"), op<scatter_add_>("aten::scatter_add_"),
    op<scatter_reduce_old>("aten::scatter.reduce"), op<scatter_value_reduce>("aten::scatter.value_reduce"), op<scatter_reduce_old_>("aten::scatter_.reduce"), op<scatter_value_reduce_>("aten::scatter_.value_reduce"), op<scatter_reduce>("aten::scatter_reduce.two"), op<scatter_reduce_>("aten::scatter_reduce_.two"),
    op<index_add>("aten::index_add"), op<index_add_>("aten::index_add_"), op<index_copy>("aten::index_copy"), op<index_copy_>("aten::index_copy_"), op<index_fill>("aten::index_fill.int_Scalar"), op<index_fill_>("aten::index_fill_.int_Scalar"), op<index_fill_tensor>("aten::index_fill.int_Tensor"), op<index_fill_tensor_>("aten::index_fill_.int_Tensor"),
    op<masked_select>("aten::masked_select"), op<masked_scatter>("aten::masked_scatter"), op<masked_scatter_>("aten::masked_scatter_"), op<take>("aten::take"), op<put>("aten::put"), op<put_>("aten::put_"), op<take_along_dim>("aten::take_along_dim"), op<nonzero>("aten::nonzero"), op<nonzero_numpy>("aten::nonzero_numpy"), op<argwhere>("aten::argwhere"), op<where_indices>("aten::where"),
    op<embedding>("aten::embedding"), op<one_hot>("aten::one_hot"), op<bincount>("aten::bincount"), op<histc>("aten::histc"), op<searchsorted>("aten::searchsorted.Tensor"), op<searchsorted_scalar>("aten::searchsorted.Scalar"), op<bucketize>("aten::bucketize.Tensor"), op<bucketize_scalar>("aten::bucketize.Scalar"),
    op<isin>("aten::isin.Tensor_Tensor"), op<isin_scalar>("aten::isin.Tensor_Scalar"), op<isin_scalar_tensor>("aten::isin.Scalar_Tensor"), op<unique2>("aten::_unique2"), op<unique1>("aten::_unique"), op<unique_dim>("aten::unique_dim"), op<unique_consecutive>("aten::unique_consecutive"),
    op<repeat_interleave_self_tensor>("aten::repeat_interleave.self_Tensor"), op<repeat_interleave_self_int>("aten::repeat_interleave.self_int"), op<repeat_interleave_tensor>("aten::repeat_interleave.Tensor"), op<select_scatter>("aten::select_scatter"), op<slice_scatter>("aten::slice_scatter"),
    // clang-format on
};

}  // namespace

extern const OpTable::RowList kIndexOps;
const OpTable::RowList kIndexOps = rows_in_build<kOps>();

}  // namespace sconce::ops
