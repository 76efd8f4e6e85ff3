// SPDX-License-Identifier: Apache-2.0
// Views, joins, and what changes a tensor's form (compat.md sections 7 and 8).
#include <algorithm>

#include "ops/channels_last.h"
#include "ops/host_memory.h"

namespace sconce::ops {

namespace {

size_t z(int64_t i) { return static_cast<size_t>(i); }

// A stride times a step. Where that overflows the dim has one element at most, whose stride nobody
// follows.
int64_t stepped(int64_t stride, int64_t step) {
  int64_t r;
  return __builtin_mul_overflow(stride, step, &r) ? stride : r;
}
int64_t magnitude(int64_t v) { return v < 0 ? checked_sub(0, v) : v; }

IntVec infer_size(IntVec size, int64_t numel) {
  int64_t known = 1, free = -1;
  for (size_t i = 0; i < size.size(); ++i) {
    if (size[i] == -1) {
      if (free >= 0) raise<OpError>("only one dimension can be inferred");
      free = static_cast<int64_t>(i);
    } else if (size[i] < 0) {
      raise<OpError>("invalid shape dimension ", size[i]);
    } else {
      known = checked_mul(known, size[i]);
    }
  }
  if (free >= 0 && known != 0 && numel % known == 0) {
    size[z(free)] = numel / known;
    return size;
  }
  if (free >= 0 && known == 0)
    raise<OpError>("cannot reshape tensor of 0 elements into shape ", IntArrayRef(size),
                   " because the unspecified dimension size -1 can be any value and is ambiguous");
  if (free >= 0 || known != numel)
    raise<OpError>("shape '", IntArrayRef(size), "' is invalid for input of size ", numel);
  return size;
}

// Strides of a view with the new sizes, or nothing when it would need a copy.
std::optional<IntVec> view_strides(const Tensor& t, const IntVec& size) {
  IntVec st(size.size());
  if (t.numel() == 0) return IntVec(contiguous_strides(size));
  int64_t vd = static_cast<int64_t>(size.size()) - 1,
          chunk_base = t.dim() ? t.strides()[z(t.dim() - 1)] : 1, tn = 1, vn = 1;
  if (t.dim() == 0) {
    for (auto& s : st) s = 1;
    return st;
  }
  for (int64_t d = t.dim() - 1; d >= 0; --d) {
    tn *= t.sizes()[z(d)];
    if (d == 0 || (t.sizes()[z(d - 1)] != 1 && t.strides()[z(d - 1)] != tn * chunk_base)) {
      while (vd >= 0 && (vn < tn || size[z(vd)] == 1)) {
        st[z(vd)] = vn * chunk_base;
        vn *= size[z(vd)];
        --vd;
      }
      if (vn != tn) return std::nullopt;
      if (d > 0) {
        chunk_base = t.strides()[z(d - 1)];
        tn = 1;
        vn = 1;
      }
    }
  }
  if (vd != -1) return std::nullopt;
  return st;
}

int64_t numel_(const Tensor& t) { return t.numel(); }
int64_t dim_(const Tensor& t) { return t.dim(); }
void size(Call& c) { c.out(0, IValue(tensor_in(c, 0).sizes().vec())); }
int64_t size_int(const Tensor& t, int64_t d) {
  if (t.dim() == 0) raise<OpError>("Dimension specified as ", d, " but tensor has no dimensions");
  return t.size(d);
}
void stride(Call& c) { c.out(0, IValue(tensor_in(c, 0).strides().vec())); }
int64_t stride_int(const Tensor& t, int64_t d) { return t.stride(d); }
int64_t storage_offset(const Tensor& t) { return t.storage_offset(); }
Tensor view_as(const Tensor& t, const Tensor& o) { return view(t, IntVec(o.sizes())); }
Tensor reshape_as(const Tensor& t, const Tensor& o) { return reshape(t, IntVec(o.sizes())); }
Tensor view_dtype(const Tensor& t, int64_t dtype) {
  ScalarType to = to_scalar_type(dtype);
  size_t from_size = element_size(t.dtype()), to_size = element_size(to);
  IntVec sizes(t.sizes()), strides(t.strides());
  int64_t offset = t.storage_offset();
  if (from_size == to_size) return make_view_as(t, to, sizes, strides, offset);
  if (t.dim() == 0)
    raise<OpError>("self.dim() cannot be 0 to view ", scalar_type_name(t.dtype()), " as ",
                   scalar_type_name(to), " (different element sizes)");
  size_t last = z(t.dim() - 1);
  if (t.strides()[last] != 1)
    raise<OpError>("self.stride(-1) must be 1 to view with a different element size");
  if (from_size > to_size) {
    auto f = static_cast<int64_t>(from_size / to_size);
    sizes[last] = checked_mul(sizes[last], f);
    for (size_t i = 0; i < last; ++i) strides[i] = checked_mul(strides[i], f);
    offset = checked_mul(offset, f);
  } else {
    auto f = static_cast<int64_t>(to_size / from_size);
    if (sizes[last] % f || offset % f)
      raise<OpError>("self.size(-1) must be divisible by ", f,
                     " to view with a larger element size");
    sizes[last] /= f;
    for (size_t i = 0; i < last; ++i) {
      if (strides[i] % f) raise<OpError>("self.stride must be divisible by ", f);
      strides[i] /= f;
    }
    offset /= f;
  }
  return make_view_as(t, to, sizes, strides, offset);
}
Tensor view_as_real(const Tensor& t) {
  if (!is_complex(t.dtype())) raise<OpError>("view_as_real is only supported for complex tensors");
  IntVec sizes(t.sizes()), strides(t.strides());
  for (auto& s : strides) s = checked_mul(s, 2);
  sizes.push_back(2);
  strides.push_back(1);
  return make_view_as(t, real_of(t.dtype()), sizes, strides, checked_mul(t.storage_offset(), 2));
}
Tensor view_as_complex(const Tensor& t) {
  if (t.dim() == 0 || t.size(-1) != 2 || t.stride(-1) != 1 ||
      (t.dtype() != kFloat && t.dtype() != kDouble && t.dtype() != kHalf))
    raise<OpError>("view_as_complex: the last dimension must have size 2 and stride 1");
  IntVec sizes(t.sizes()), strides(t.strides());
  sizes.pop_back();
  strides.pop_back();
  if (t.storage_offset() % 2) raise<OpError>("Tensor must have a storage_offset divisible by 2");
  for (auto& s : strides) {
    if (s % 2)
      raise<OpError>("Tensor must have a stride divisible by 2 for all but last dimension");
    s /= 2;
  }
  const ScalarType to = t.dtype() == kDouble  ? kComplexDouble
                        : t.dtype() == kFloat ? kComplexFloat
                                              : ScalarType::ComplexHalf;
  return make_view_as(t, to, sizes, strides, t.storage_offset() / 2);
}
Tensor real(const Tensor& t) { return is_complex(t.dtype()) ? select(view_as_real(t), -1, 0) : t; }
Tensor imag(const Tensor& t) {
  if (!is_complex(t.dtype()))
    raise<OpError>("imag is not implemented for tensors with non-complex dtypes.");
  return select(view_as_real(t), -1, 1);
}
Tensor expand_as(const Tensor& t, const Tensor& o) { return expand_to(t, o.sizes()); }
Tensor broadcast_to(const Tensor& t, IntVec s) { return expand(t, s, false); }
TensorList broadcast_tensors(TensorList list) {
  IntVec s;
  for (auto& t : list) s = broadcast(s, t.sizes());
  for (auto& t : list) t = expand_to(t, s);
  return list;
}
Tensor squeeze(const Tensor& t) {
  IntVec sz, st;
  for (size_t i = 0; i < t.sizes().size(); ++i)
    if (t.sizes()[i] != 1) {
      sz.push_back(t.sizes()[i]);
      st.push_back(t.strides()[i]);
    }
  return make_view(t, sz, st, t.storage_offset());
}
Tensor squeeze_dims(const Tensor& t, IntVec dims) {
  std::vector<bool> drop(z(std::max<int64_t>(t.dim(), 1)), false);
  for (int64_t d : dims) {
    size_t i = z(wrap_dim(d, t.dim()));
    if (drop[i]) raise<OpError>("dim ", i, " appears multiple times in the list of dims");
    drop[i] = true;
  }
  IntVec sz, st;
  for (size_t i = 0; i < t.sizes().size(); ++i)
    if (!(drop[i] && t.sizes()[i] == 1)) {
      sz.push_back(t.sizes()[i]);
      st.push_back(t.strides()[i]);
    }
  return make_view(t, sz, st, t.storage_offset());
}
// In-place forms change the tensor object itself.
Tensor take_form(const Tensor& self, const Tensor& r) {
  self.mutable_impl()->sizes = r.impl()->sizes;
  self.mutable_impl()->strides = r.impl()->strides;
  self.mutable_impl()->offset = r.impl()->offset;
  self.impl()->form_changed();
  return self;
}
Tensor squeeze_(const Tensor& t) { return take_form(t, squeeze(t)); }
Tensor squeeze_dim_(const Tensor& t, int64_t d) { return take_form(t, squeeze_dim(t, d)); }
Tensor squeeze_dims_(const Tensor& t, IntVec d) { return take_form(t, squeeze_dims(t, d)); }
Tensor unsqueeze_(const Tensor& t, int64_t d) { return take_form(t, unsqueeze(t, d)); }
Tensor transpose_(const Tensor& t, int64_t a, int64_t b) {
  return take_form(t, transpose(t, a, b));
}
Tensor t_op(const Tensor& t) {
  if (t.dim() > 2)
    raise<OpError>("t() expects a tensor with <= 2 dimensions, but self is ", t.dim(), "D");
  return t.dim() < 2 ? make_view(t, t.impl()->sizes, t.impl()->strides, t.storage_offset())
                     : transpose(t, 0, 1);
}
Tensor t_(const Tensor& t) { return take_form(t, t_op(t)); }
Tensor numpy_T(const Tensor& t) {
  IntVec d;
  for (int64_t i = t.dim(); i-- > 0;) d.push_back(i);
  return permute(t, d);
}
Tensor mT(const Tensor& t) {
  if (t.dim() == 0) return make_view(t, {}, {}, t.storage_offset());  // deprecated, but so it is
  if (t.dim() < 2)
    raise<OpError>("tensor.mT is only supported on matrices or batches of matrices. Got ", t.dim(),
                   "-D tensor.");
  return transpose(t, -2, -1);
}
Tensor conj_of(const Tensor& t) {
  return is_complex(t.dtype()) ? unary(Unary::conj, t, t.dtype()) : t;
}
Tensor mH(const Tensor& t) { return conj_of(mT(t)); }
Tensor matrix_H(const Tensor& t) {
  if (t.dim() != 0 && t.dim() != 2)
    raise<OpError>("tensor.H is only supported on matrices (2-D tensors). Got ", t.dim(),
                   "-D tensor.");
  return t.dim() == 0 ? conj_of(t) : mH(t);
}
Tensor movedim(const Tensor& t, IntVec src, IntVec dst) {
  if (src.size() != dst.size()) raise<OpError>("movedim: Invalid source or destination dims");
  if (t.dim() == 0) {
    for (size_t i = 0; i < src.size(); ++i) {
      wrap_dim(src[i], 0);
      wrap_dim(dst[i], 0);
    }
    return make_view(t, t.impl()->sizes, t.impl()->strides, t.storage_offset());
  }
  IntVec order(z(t.dim()), -1);
  std::vector<bool> used(z(t.dim()), false);
  for (size_t i = 0; i < src.size(); ++i) {
    int64_t s = wrap_dim(src[i], t.dim()), d = wrap_dim(dst[i], t.dim());
    if (used[z(s)] || order[z(d)] != -1) raise<OpError>("movedim: repeated dim");
    order[z(d)] = s;
    used[z(s)] = true;
  }
  size_t next = 0;
  for (auto& o : order)
    if (o == -1) {
      while (used[next]) ++next;
      o = static_cast<int64_t>(next++);
    }
  return permute(t, order);
}
Tensor movedim_int(const Tensor& t, int64_t s, int64_t d) { return movedim(t, {s}, {d}); }
TensorList split(const Tensor& t, int64_t n, int64_t dim) {
  int64_t d = wrap_dim(dim, t.dim()), s = t.size(d);
  if (t.dim() == 0) raise<OpError>("split expects at least a 1-dimensional tensor");
  if (n < 0 || (n == 0 && s != 0))
    raise<OpError>("split expects split_size be non-negative, but got split_size=", n);
  TensorList r;
  if (n == 0 || s == 0) return {narrow(t, d, 0, s)};
  ExpectViews views(s / n);
  for (int64_t at = 0;; at += n) {
    r.push_back(narrow(t, d, at, std::min(n, s - at)));
    if (n >= s - at) return r;
    views.passed();
  }
}
TensorList split_with_sizes(const Tensor& t, IntVec sizes, int64_t dim) {
  int64_t d = wrap_dim(dim, t.dim()), at = 0, sum = 0;
  for (int64_t n : sizes) {
    if (n < 0)
      raise<OpError>(
          "split_with_sizes expects split_sizes have only non-negative entries, but got "
          "split_sizes=",
          IntArrayRef(sizes));
    sum = checked_add(sum, n);
  }
  if (sum != t.size(d))
    raise<OpError>("split_with_sizes expects split_sizes to sum exactly to ", t.size(d),
                   " (input tensor's size at dimension ", d,
                   "), but got split_sizes=", IntArrayRef(sizes));
  TensorList r;
  for (int64_t n : sizes) {
    r.push_back(narrow(t, d, at, n));
    at += n;
  }
  return r;
}
// Parts of a dim without elements may be as many as a number says.
void check_parts(int64_t n) {
  constexpr int64_t kMost = 1 << 20;
  if (n > kMost) raise<OpError>("a tensor can't be split into ", n, " parts");
}
TensorList chunk(const Tensor& t, int64_t n, int64_t dim) {
  if (t.dim() == 0) raise<OpError>("chunk expects at least a 1-dimensional tensor");
  if (n <= 0) raise<OpError>("chunk expects `chunks` to be greater than 0, got: ", n);
  int64_t d = wrap_dim(dim, t.dim()), s = t.size(d), each = s / n + (s % n != 0);
  if (each == 0) {
    check_parts(n);
    TensorList r;
    for (int64_t i = 0; i < n; ++i) r.push_back(narrow(t, d, 0, 0));
    return r;
  }
  return split(t, each, d);
}
TensorList tensor_split_sections(const Tensor& t, int64_t n, int64_t dim) {
  int64_t d = wrap_dim(dim, t.dim()), s = t.size(d), at = 0;
  if (t.dim() == 0 || n <= 0)
    raise<OpError>("tensor_split: number of sections must be larger than 0, got ", n);
  check_parts(n);
  TensorList r;
  for (int64_t i = 0; i < n; ++i) {
    int64_t k = s / n + (i < s % n);
    r.push_back(narrow(t, d, at, k));
    at += k;
  }
  return r;
}
TensorList tensor_split_indices(const Tensor& t, IntVec idx, int64_t dim) {
  int64_t d = wrap_dim(dim, t.dim()), at = 0;
  TensorList r;
  for (int64_t i : idx) {
    r.push_back(slice(t, d, at, i, 1));
    at = i;
  }
  r.push_back(slice(t, d, at, t.size(d), 1));
  return r;
}
// hsplit, vsplit, dsplit: along dim 1, 0, 2; a vector has only one.
template <int64_t Dim>
int64_t split_dim(const Tensor& t) {
  constexpr const char* name = Dim == 1 ? "hsplit" : Dim == 0 ? "vsplit" : "dsplit";
  const int64_t least = Dim == 1 ? 1 : Dim == 0 ? 2 : 3;
  if (t.dim() < least)
    raise<OpError>("torch.", name, " requires a tensor with at least ", least,
                   " dimension, but got a tensor with ", t.dim(), " dimensions!");
  return t.dim() == 1 ? 0 : Dim;
}
template <int64_t Dim>
TensorList split_int(const Tensor& t, int64_t n) {
  const int64_t d = split_dim<Dim>(t);
  if (n <= 0 || t.size(d) % n)
    raise<OpError>("torch.",
                   Dim == 1   ? "hsplit"
                   : Dim == 0 ? "vsplit"
                              : "dsplit",
                   " attempted to split along dimension ", d, ", but the size of the dimension ",
                   t.size(d), " is not divisible by the split_size ", n, "!");
  return tensor_split_sections(t, n, d);
}
template <int64_t Dim>
TensorList split_array(const Tensor& t, IntVec n) {
  return tensor_split_indices(t, n, split_dim<Dim>(t));
}
TensorList unbind(const Tensor& t, int64_t dim) {
  int64_t d = wrap_dim(dim, t.dim());
  if (t.dim() == 0)
    raise<OpError>("unbind: dimension specified as ", dim, " but tensor has no dimensions");
  TensorList r;
  ExpectViews views(t.size(d));
  for (int64_t i = 0; i < t.size(d); ++i) {
    views.passed();
    r.push_back(select(t, d, i));
  }
  return r;
}
Tensor diagonal(const Tensor& t, int64_t offset, int64_t d1, int64_t d2) {
  int64_t a = wrap_dim(d1, t.dim()), b = wrap_dim(d2, t.dim());
  if (a == b || t.dim() < 2)
    raise<OpError>("diagonal dimensions cannot be identical ", d1, ", ", d2);
  int64_t n = offset >= 0 ? std::min(t.size(a), t.size(b) - offset)
                          : std::min(t.size(a) + offset, t.size(b));
  n = std::max<int64_t>(n, 0);
  int64_t off = t.storage_offset() + (n == 0        ? 0
                                      : offset >= 0 ? offset * t.stride(b)
                                                    : -offset * t.stride(a));
  IntVec sz, st;
  for (int64_t i = 0; i < t.dim(); ++i)
    if (i != a && i != b) {
      sz.push_back(t.size(i));
      st.push_back(t.stride(i));
    }
  sz.push_back(n);
  st.push_back(t.stride(a) + t.stride(b));
  return make_view(t, sz, st, off);
}
Tensor unfold(const Tensor& t, int64_t dim, int64_t n, int64_t step) {
  int64_t d = wrap_dim(dim, t.dim()), s = t.dim() ? t.size(d) : 1;
  if (n < 0 || n > s)
    raise<OpError>("maximum size for tensor at dimension ", d, " is ", s, " but size is ", n);
  if (step <= 0) raise<OpError>("step is ", step, " but must be > 0");
  IntVec sz(t.sizes()), st(t.strides());
  if (t.dim() == 0) return make_view(t, {n}, {1}, t.storage_offset());
  st.push_back(st[z(d)]);
  sz.push_back(n);
  sz[z(d)] = (s - n) / step + 1;
  st[z(d)] = stepped(st[z(d)], step);
  return make_view(t, sz, st, t.storage_offset());
}
void check_in_storage(const Storage& s, int64_t bytes, const IntVec& size, const IntVec& stride,
                      int64_t offset) {
  if (bytes > static_cast<int64_t>(s.nbytes()))
    raise<OpError>("setStorage: sizes ", IntArrayRef(size), ", strides ", IntArrayRef(stride),
                   ", storage offset ", offset, " are out of bounds for storage of size ",
                   s.nbytes());
}
Tensor as_strided(const Tensor& t, IntVec size, IntVec stride, OptInt offset) {
  int64_t at = offset.value_or(t.storage_offset());
  return make_view(t, size, stride, at);
}
Tensor as_strided_in_place(const Tensor& t, IntVec size, IntVec stride, OptInt offset) {
  return take_form(t, as_strided(t, size, stride, offset));
}
// The tensor takes another's storage; its dtype stays. A storage that is too short grows, but not
// for the sizes and strides that the tensor has already: PyTorch takes that for a mistake.
Tensor set_storage(const Tensor& t, const Tensor& source, int64_t offset, IntVec size,
                   IntVec stride) {
  const bool same =
      t.sizes() == IntArrayRef(size) && (stride.size() == 0 || t.strides() == IntArrayRef(stride));
  if (stride.size() == 0) stride = IntVec(contiguous_strides(size));
  const int64_t bytes = check_form(size, stride, offset, t.dtype());
  if (same) check_in_storage(*source.impl()->storage, bytes, size, stride, offset);
  host_read(t);
  // May throw: the tensor is as it was then.
  source.impl()->storage->resize(static_cast<size_t>(bytes));
  bump_memory_epoch();
  TensorImpl& impl = *t.mutable_impl();
  impl.storage = source.impl()->storage;
  impl.device = source.device();
  impl.sizes = size;
  impl.strides = stride;
  impl.offset = offset;
  impl.form_changed();
  return t;
}
Tensor set_tensor_view(const Tensor& t, const Tensor& source, int64_t offset, IntVec size,
                       IntVec stride) {
  if (!source.is_contiguous())
    raise<OpError>("passed in tensor to be used as storage must be contiguous");
  return set_storage(t, source, offset, size, stride);
}
Tensor set_tensor(const Tensor& t, const Tensor& source) {
  return set_storage(t, source, source.storage_offset(), IntVec(source.sizes()),
                     IntVec(source.strides()));
}
Tensor set_nothing(const Tensor& t) { return set_tensor(t, empty({0}, t.dtype())); }
Tensor unflatten(const Tensor& t, int64_t dim, IntVec sizes) {
  if (sizes.empty()) raise<OpError>("unflatten: sizes must be non-empty");
  int64_t d = wrap_dim(dim, t.dim());
  IntVec s = infer_size(sizes, t.size(d)), r;
  for (int64_t i = 0; i < t.dim(); ++i) {
    if (i != d)
      r.push_back(t.size(i));
    else
      for (int64_t k : s) r.push_back(k);
  }
  return view(t, r);
}
Tensor ravel(const Tensor& t) { return reshape(t, {-1}); }

Tensor alias(const Tensor& t) {
  return make_view(t, t.impl()->sizes, t.impl()->strides, t.storage_offset());
}
Tensor itself(const Tensor& t) { return t; }

Tensor cat_common(TensorList& list, int64_t dim) {
  if (list.empty()) raise<OpError>("torch.cat(): expected a non-empty list of Tensors");
  ScalarType t = result_type(list);
  // One-dimensional empty tensors are skipped, as PyTorch does for history's sake.
  TensorList used;
  for (auto& x : list) {
    if (x.dim() == 0)
      raise<OpError>("zero-dimensional tensor (at position ", &x - list.data(),
                     ") cannot be concatenated");
    if (!(x.dim() == 1 && x.size(0) == 0)) used.push_back(x);
  }
  if (used.empty()) return empty({0}, t);
  int64_t d = wrap_dim(dim, used[0].dim()), total = 0;
  for (auto& x : used) {
    if (x.dim() != used[0].dim())
      raise<OpError>("Tensors must have same number of dimensions: got ", used[0].dim(), " and ",
                     x.dim());
    for (int64_t i = 0; i < x.dim(); ++i)
      if (i != d && x.size(i) != used[0].size(i))
        raise<OpError>("Sizes of tensors must match except in dimension ", d, ". Expected size ",
                       used[0].size(i), " but got size ", x.size(i), " for tensor number ",
                       &x - used.data(), " in the list.");
    total = checked_add(total, x.size(d));
  }
  IntVec sz(used[0].sizes());
  sz[z(d)] = total;
  bool cl = std::all_of(used.begin(), used.end(),
                        [](const Tensor& x) { return x.is_channels_last() && !x.is_contiguous(); });
  Tensor r = cl ? empty_strided(sz, channels_last_strides(sz), t) : empty(sz, t);
  if (is_quantized(used[0].dtype())) r.mutable_impl()->quantizer = used[0].impl()->quantizer;
  int64_t at = 0;
  for (auto& x : used) {
    if (x.numel()) copy_to(narrow(r, d, at, x.size(d)), x);
    at += x.size(d);
  }
  return r;
}
Tensor at_least(const Tensor& t, int64_t n) {
  if (n == 1) return t.dim() == 0 ? reshape(t, {1}) : t;
  if (n == 2) return t.dim() == 0 ? reshape(t, {1, 1}) : t.dim() == 1 ? unsqueeze(t, 0) : t;
  if (t.dim() == 0) return reshape(t, {1, 1, 1});
  if (t.dim() == 1) return unsqueeze(unsqueeze(t, 0), -1);
  return t.dim() == 2 ? unsqueeze(t, -1) : t;
}
template <int N>
Tensor atleast(const Tensor& t) {
  return at_least(t, N);
}
template <int N>
TensorList atleast_list(TensorList l) {
  for (auto& t : l) t = at_least(t, N);
  return l;
}
Tensor hstack(TensorList l) {
  for (auto& t : l) t = at_least(t, 1);
  return cat(l, !l.empty() && l[0].dim() == 1 ? 0 : 1);
}
Tensor vstack(TensorList l) { return cat(atleast_list<2>(l), 0); }
Tensor dstack(TensorList l) { return cat(atleast_list<3>(l), 2); }
Tensor column_stack(TensorList l) {
  for (auto& t : l)
    if (t.dim() <= 1) t = reshape(t, {t.numel(), 1});
  return cat(l, 1);
}
Tensor repeat(const Tensor& t, IntVec reps) {
  if (static_cast<int64_t>(reps.size()) < t.dim())
    raise<OpError>(
        "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
        "tensor");
  IntVec padded(reps.size(), 1), out(reps.size());
  size_t off = reps.size() - t.sizes().size();
  for (size_t i = 0; i < t.sizes().size(); ++i) padded[i + off] = t.sizes()[i];
  // [r0, s0, r1, s1, ...]: one broadcasting copy.
  IntVec big, shape;
  for (size_t i = 0; i < reps.size(); ++i) {
    if (reps[i] < 0) raise<OpError>("Trying to create tensor with negative dimension ", reps[i]);
    big.push_back(reps[i]);
    big.push_back(padded[i]);
    shape.push_back(1);
    shape.push_back(padded[i]);
    out[i] = checked_mul(reps[i], padded[i]);
  }
  Tensor r = empty(out, t.dtype());
  if (r.numel()) copy_to(view(r, big), reshape(t, shape));
  return r;
}
Tensor tile(const Tensor& t, IntVec reps) {
  while (static_cast<int64_t>(reps.size()) < t.dim()) reps.insert(0, 1);
  return repeat(t, reps);
}
Tensor flip(const Tensor& t, IntVec dims) {
  IntVec strides(t.strides());
  TensorView in = view_of(t);
  int64_t start = 0;
  std::vector<bool> seen(z(t.dim()), false);
  for (int64_t d0 : dims) {
    int64_t d = wrap_dim(d0, t.dim());
    if (t.dim() == 0) continue;
    if (seen[z(d)]) raise<OpError>("dim ", d, " appears multiple times in the list of dims");
    seen[z(d)] = true;
    start += (t.size(d) - 1) * strides[z(d)];
    strides[z(d)] = -strides[z(d)];
  }
  Tensor r = empty_like(t);
  r.mutable_impl()->quantizer = t.impl()->quantizer;
  if (r.numel() == 0) return r;
  // The same memory, walked backwards.
  in.data = static_cast<char*>(in.data) + start * static_cast<int64_t>(element_size(t.dtype()));
  in.strides = strides.data();
  call_slot(CopyArgs{view_of(r), in});
  return r;
}
Tensor fliplr(const Tensor& t) { return flip(t, {1}); }
Tensor flipud(const Tensor& t) {
  if (t.dim() < 1) raise<OpError>("Input must be >= 1-d.");
  return flip(t, {0});
}
Tensor roll(const Tensor& t, IntVec shifts, IntVec dims) {
  if (dims.empty()) {
    if (shifts.size() != 1) raise<OpError>("`shifts` required");
    return view(roll(reshape(t, {-1}), shifts, {0}), IntVec(t.sizes()));
  }
  if (shifts.size() != dims.size())
    raise<OpError>("shifts and dimensions must align. shifts: ", shifts.size(),
                   ", dims:", dims.size());
  Tensor r = contiguous(t);
  for (size_t i = 0; i < dims.size(); ++i) {
    int64_t d = wrap_dim(dims[i], t.dim()), n = t.size(d);
    if (n == 0) continue;
    int64_t s = ((shifts[i] % n) + n) % n;
    r = cat({narrow(r, d, n - s, s), narrow(r, d, 0, n - s)}, d);
  }
  return r.is_same(t) ? clone(t) : r;
}
Tensor rot90(const Tensor& t, int64_t k, IntVec dims) {
  if (dims.size() != 2)
    raise<OpError>("expected total rotation dims == 2, but got dims = ", dims.size());
  if (t.dim() < 2) raise<OpError>("expected total dims >= 2, but got total dims = ", t.dim());
  if (wrap_dim(dims[0], t.dim()) == wrap_dim(dims[1], t.dim()))
    raise<OpError>("expected rotation dims to be different, but got dim0 = ", dims[0],
                   " and dim1 = ", dims[1]);
  k = ((k % 4) + 4) % 4;
  if (k == 1) return transpose(flip(t, {dims[1]}), dims[0], dims[1]);
  if (k == 2) return flip(t, dims);
  if (k == 3) return transpose(flip(t, {dims[0]}), dims[0], dims[1]);
  return clone(t);
}
Tensor tril(const Tensor& t, int64_t d) { return triangle(t, d, false); }
Tensor triu(const Tensor& t, int64_t d) { return triangle(t, d, true); }
Tensor diag(const Tensor& t, int64_t d) {
  if (t.dim() == 2) return clone(diagonal(t, d, 0, 1));
  if (t.dim() != 1) raise<OpError>("diag(): Supports 1D or 2D tensors. Got ", t.dim(), "D");
  int64_t n = checked_add(t.size(0), magnitude(d));
  Tensor r = empty({n, n}, t.dtype());
  fill(r, Scalar(0));
  copy_to(diagonal(r, d, 0, 1), t);
  return r;
}
Tensor diag_embed(const Tensor& t, int64_t offset, int64_t d1, int64_t d2) {
  int64_t nd = t.dim() + 1, a = wrap_dim(d1, nd), b = wrap_dim(d2, nd),
          n = checked_add(t.size(-1), magnitude(offset));
  if (a == b) raise<OpError>("diagonal dimensions cannot be identical ", d1, ", ", d2);
  IntVec s;
  size_t next = 0;
  for (int64_t i = 0; i < nd; ++i) s.push_back(i == a || i == b ? n : t.sizes()[next++]);
  Tensor r = empty(s, t.dtype());
  fill(r, Scalar(0));
  copy_to(diagonal(r, offset, a, b), t);
  return r;
}
Tensor diagflat(const Tensor& t, int64_t d) { return diag(reshape(t, {-1}), d); }
Tensor block_diag(TensorList l) {
  if (l.empty()) return empty({1, 0}, kFloat);
  int64_t rows = 0, cols = 0;
  for (auto& t : l) {
    if (t.dim() > 2)
      raise<OpError>("torch.block_diag: Input tensors must have 2 or fewer dimensions");
    t = at_least(t, 2);
    rows += t.size(0);
    cols += t.size(1);
  }
  Tensor r = empty({rows, cols}, result_type(l));
  fill(r, Scalar(0));
  int64_t y = 0, x = 0;
  for (auto& t : l) {
    copy_to(narrow(narrow(r, 0, y, t.size(0)), 1, x, t.size(1)), t);
    y += t.size(0);
    x += t.size(1);
  }
  return r;
}
Tensor narrow_tensor(const Tensor& t, int64_t d, const Tensor& start, int64_t n) {
  return narrow(t, d, item(start).i, n);
}
template <auto F, class A = IntVec>
Tensor copied(const Tensor& t, A a) {
  return clone(F(t, a));
}
Tensor pixel_shuffle(const Tensor& t, int64_t r) {
  constexpr int64_t kMost = int64_t{1} << 31;  // its square fits
  if (t.dim() < 3 || r <= 0 || r >= kMost || t.size(-3) % (r * r))
    raise<OpError>(
        "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of "
        "upscale_factor");
  int64_t c = t.size(-3) / (r * r), h = t.size(-2), w = t.size(-1),
          n = t.numel() / std::max<int64_t>(1, t.size(-3) * h * w);
  IntVec out(t.sizes());
  out[z(t.dim() - 3)] = c;
  out[z(t.dim() - 2)] = h * r;
  out[z(t.dim() - 1)] = w * r;
  return view(clone_format(permute(reshape(t, {n, c, r, r, h, w}), {0, 1, 4, 2, 5, 3}), 0), out);
}
Tensor pixel_unshuffle(const Tensor& t, int64_t r) {
  if (t.dim() < 3 || r <= 0 || t.size(-2) % r || t.size(-1) % r)
    raise<OpError>("pixel_unshuffle expects height and width to be divisible by downscale_factor");
  int64_t c = t.size(-3), h = t.size(-2) / r, w = t.size(-1) / r,
          n = t.numel() / std::max<int64_t>(1, c * t.size(-2) * t.size(-1));
  IntVec out(t.sizes());
  out[z(t.dim() - 3)] = c * r * r;
  out[z(t.dim() - 2)] = h;
  out[z(t.dim() - 1)] = w;
  return view(clone_format(permute(reshape(t, {n, c, h, r, w, r}), {0, 1, 3, 5, 2, 4}), 0), out);
}
Tensor channel_shuffle(const Tensor& t, int64_t g) {
  if (t.dim() < 3 || g <= 0 || t.size(1) % g)
    raise<OpError>("Number of channels must be divisible by groups");
  if (t.numel() == 0) return alias(t);
  IntVec s(t.sizes());
  IntVec split_sizes{s[0], g, s[1] / g, -1};
  return view(clone_format(transpose(reshape(t, split_sizes), 1, 2), 0), s);
}

}  // namespace

Tensor view(const Tensor& t, IntVec size) {
  IntVec s = infer_size(size, t.numel());
  auto st = view_strides(t, s);
  if (!st)
    raise<OpError>(
        "view size is not compatible with input tensor's size and stride (at least one dimension "
        "spans across two contiguous subspaces). Use .reshape(...) instead.");
  return make_view(t, s, *st, t.storage_offset());
}
Tensor reshape(const Tensor& t, IntVec size) {
  IntVec s = infer_size(size, t.numel());
  auto st = view_strides(t, s);
  if (st) return make_view(t, s, *st, t.storage_offset());
  return make_view(contiguous(t), s, contiguous_strides(s), 0);
}
Tensor select(const Tensor& t, int64_t dim, int64_t index) {
  if (t.dim() == 0) raise<OpError>("select() cannot be applied to a 0-dim tensor.");
  int64_t d = wrap_dim(dim, t.dim()), n = t.size(d);
  if (index < -n || index >= n)
    raise<OpError>("select(): index ", index, " out of range for tensor of size ", t.sizes(),
                   " at dimension ", d);
  if (index < 0) index += n;
  IntVec sz(t.sizes()), st(t.strides());
  int64_t off = t.storage_offset() + index * st[z(d)];
  sz.erase(z(d));
  st.erase(z(d));
  return make_view(t, sz, st, off);
}
Tensor slice(const Tensor& t, int64_t dim, OptInt start, OptInt end, int64_t step) {
  if (t.dim() == 0) raise<OpError>("slice() cannot be applied to a 0-dim tensor.");
  if (step <= 0) raise<OpError>("slice step must be positive");
  int64_t d = wrap_dim(dim, t.dim()), n = t.size(d), b = start.value_or(0),
          e = end.value_or(INT64_MAX);
  if (b < 0) b += n;
  if (e < 0) e += n;
  b = std::clamp<int64_t>(b, 0, n);
  e = std::clamp<int64_t>(e, b, n);
  IntVec sz(t.sizes()), st(t.strides());
  int64_t off = t.storage_offset() + b * st[z(d)];
  sz[z(d)] = e > b ? (e - b - 1) / step + 1 : 0;
  st[z(d)] = stepped(st[z(d)], step);
  return make_view(t, sz, st, off);
}
Tensor narrow(const Tensor& t, int64_t dim, int64_t start, int64_t length) {
  if (t.dim() == 0) raise<OpError>("narrow() cannot be applied to a 0-dim tensor.");
  int64_t d = wrap_dim(dim, t.dim()), n = t.size(d);
  if (length < 0) raise<OpError>("narrow(): length must be non-negative.");
  if (start < -n || start > n)
    raise<OpError>("start out of range (expected to be in range of [", -n, ", ", n, "], but got ",
                   start, ")");
  if (start < 0) start += n;
  if (length > n - start)
    raise<OpError>("start (", start, ") + length (", length, ") exceeds dimension size (", n, ").");
  return slice(t, d, start, start + length, 1);
}
Tensor permute(const Tensor& t, IntVec dims) {
  if (static_cast<int64_t>(dims.size()) != t.dim())
    raise<OpError>(
        "permute(sparse_coo): number of dimensions in the tensor input does not match the length "
        "of the desired ordering of dimensions i.e. input.dim() = ",
        t.dim(), " is not equal to len(dims) = ", dims.size());
  IntVec sz(dims.size()), st(dims.size());
  std::vector<bool> seen(dims.size(), false);
  for (size_t i = 0; i < dims.size(); ++i) {
    size_t d = z(wrap_dim(dims[i], t.dim()));
    if (seen[d]) raise<OpError>("permute(): duplicate dims are not allowed.");
    seen[d] = true;
    sz[i] = t.sizes()[d];
    st[i] = t.strides()[d];
  }
  return make_view(t, sz, st, t.storage_offset());
}
Tensor transpose(const Tensor& t, int64_t a, int64_t b) {
  int64_t x = wrap_dim(a, t.dim()), y = wrap_dim(b, t.dim());
  IntVec sz(t.sizes()), st(t.strides());
  if (t.dim() > 0) {
    std::swap(sz[z(x)], sz[z(y)]);
    std::swap(st[z(x)], st[z(y)]);
  }
  return make_view(t, sz, st, t.storage_offset());
}
Tensor unsqueeze(const Tensor& t, int64_t dim) {
  int64_t d = wrap_dim(dim, t.dim() + 1);
  IntVec sz(t.sizes()), st(t.strides());
  int64_t s = d < t.dim() ? sz[z(d)] * st[z(d)] : 1;
  sz.insert(z(d), 1);
  st.insert(z(d), s);
  return make_view(t, sz, st, t.storage_offset());
}
Tensor squeeze_dim(const Tensor& t, int64_t dim) {
  int64_t d = wrap_dim(dim, t.dim());
  IntVec sz(t.sizes()), st(t.strides());
  if (t.dim() > 0 && sz[z(d)] == 1) {
    sz.erase(z(d));
    st.erase(z(d));
  }
  return make_view(t, sz, st, t.storage_offset());
}
Tensor flatten(const Tensor& t, int64_t start, int64_t end) {
  int64_t a = wrap_dim(start, t.dim()), b = wrap_dim(end, t.dim());
  if (a > b) raise<OpError>("flatten() has invalid args: start_dim cannot come after end_dim");
  if (t.dim() == 0) return reshape(t, {1});
  if (a == b) return t;
  IntVec s;
  int64_t run = 1;
  for (int64_t i = 0; i < t.dim(); ++i) {
    if (i < a || i > b) {
      s.push_back(t.size(i));
    } else {
      run *= t.size(i);
      if (i == b) s.push_back(run);
    }
  }
  return reshape(t, s);
}
Tensor expand(const Tensor& t, IntVec size, bool) {
  size_t off = size.size() >= t.sizes().size() ? size.size() - t.sizes().size() : 0;
  for (size_t i = 0; i < size.size(); ++i)
    if (size[i] == -1) {
      if (i < off)
        raise<OpError>(
            "The expanded size of the tensor (-1) isn't allowed in a leading, non-existing "
            "dimension ",
            i);
      size[i] = t.sizes()[i - off];
    } else if (size[i] < 0) {
      raise<OpError>("expand: a size is negative");
    }
  return expand_to(t, size);
}
Tensor cat(TensorList list, int64_t dim) { return cat_common(list, dim); }
Tensor stack(TensorList list, int64_t dim) {
  if (list.empty()) raise<OpError>("stack expects a non-empty TensorList");
  for (auto& t : list)
    if (t.sizes() != list[0].sizes())
      raise<OpError>("stack expects each tensor to be equal size, but got ", list[0].sizes(),
                     " at entry 0 and ", t.sizes(), " at entry ", &t - list.data());
  int64_t d = wrap_dim(dim, list[0].dim() + 1);
  for (auto& t : list) t = unsqueeze(t, d);
  return cat(std::move(list), d);
}
Tensor triangle(const Tensor& t, int64_t diagonal, bool upper) {
  if (t.dim() < 2)
    raise<OpError>(upper ? "triu" : "tril", ": input tensor must have at least 2 dimensions");
  Tensor r = empty(t.sizes(), t.dtype());
  if (r.numel())
    call_slot(SequenceArgs{view_of(r),
                           view_of(t),
                           upper ? Sequence::triu : Sequence::tril,
                           number(Scalar(diagonal)),
                           {},
                           {}});
  return r;
}

namespace {

constexpr OpDef kOps[] = {
    // clang-format off
    op<numel_>("aten::numel"), op<dim_>("aten::dim"), raw("aten::size", size), op<size_int>("aten::size.int"), raw("aten::stride", stride), op<stride_int>("aten::stride.int"), op<storage_offset>("aten::storage_offset"),
    op<view>("aten::view"), op<view>("aten::_unsafe_view"), op<view_as>("aten::view_as"), op<view_dtype>("aten::view.dtype"), op<reshape>("aten::reshape"), op<reshape>("aten::_reshape_alias_copy"), op<reshape_as>("aten::reshape_as"), op<view_as_real>("aten::view_as_real"), op<view_as_complex>("aten::view_as_complex"),
    op<real>("aten::real"), op<imag>("aten::imag"), op<expand>("aten::expand"), op<expand_as>("aten::expand_as"), op<broadcast_to>("aten::broadcast_to"), op<broadcast_tensors>("aten::broadcast_tensors"),
    op<squeeze>("aten::squeeze"), op<squeeze_dim>("aten::squeeze.dim"), op<squeeze_dims>("aten::squeeze.dims"), op<unsqueeze>("aten::unsqueeze"), op<squeeze_>("aten::squeeze_"), op<squeeze_dim_>("aten::squeeze_.dim"), op<squeeze_dims_>("aten::squeeze_.dims"), op<as_strided_in_place>("aten::as_strided_"), op<set_tensor>("aten::set_.source_Tensor"), op<set_nothing>("aten::set_"), op<set_tensor_view>("aten::set_.source_Tensor_storage_offset"), op<unsqueeze_>("aten::unsqueeze_"), op<transpose_>("aten::transpose_"),
    op<transpose>("aten::transpose.int"), op<t_op>("aten::t"), op<t_>("aten::t_"), op<numpy_T>("aten::numpy_T"), op<mT>("aten::mT"), op<mH>("aten::mH"), op<matrix_H>("aten::matrix_H"), op<permute>("aten::permute"), op<movedim>("aten::movedim.intlist"), op<movedim_int>("aten::movedim.int"),
    op<select>("aten::select.int"), op<slice>("aten::slice.Tensor"), op<narrow>("aten::narrow"), op<narrow_tensor>("aten::narrow.Tensor"), op<split>("aten::split.Tensor"), op<split_with_sizes>("aten::split.sizes"), op<split_with_sizes>("aten::split_with_sizes"), op<chunk>("aten::chunk"),
    op<tensor_split_sections>("aten::tensor_split.sections"), op<tensor_split_indices>("aten::tensor_split.indices"), op<split_int<1>>("aten::hsplit.int"), op<split_int<0>>("aten::vsplit.int"), op<split_int<2>>("aten::dsplit.int"), op<split_array<1>>("aten::hsplit.array"), op<split_array<0>>("aten::vsplit.array"), op<split_array<2>>("aten::dsplit.array"),
    op<unbind>("aten::unbind.int"), op<diagonal>("aten::diagonal"), op<unfold>("aten::unfold"), op<as_strided>("aten::as_strided"), op<unflatten>("aten::unflatten.int"), op<flatten>("aten::flatten.using_ints"), op<ravel>("aten::ravel"),
    op<alias>("aten::alias"), op<alias>("aten::detach"), op<alias>("prim::data"), op<clone>("aten::detach_copy"), op<alias>("aten::lift_fresh"), op<itself>("aten::detach_"),
    op<cat>("aten::cat"), op<stack>("aten::stack"), op<hstack>("aten::hstack"), op<vstack>("aten::vstack"), op<dstack>("aten::dstack"), op<column_stack>("aten::column_stack"), op<atleast<1>>("aten::atleast_1d"), op<atleast<2>>("aten::atleast_2d"), op<atleast<3>>("aten::atleast_3d"),
    op<atleast_list<1>>("aten::atleast_1d.Sequence"), op<atleast_list<2>>("aten::atleast_2d.Sequence"), op<atleast_list<3>>("aten::atleast_3d.Sequence"), op<repeat>("aten::repeat"), op<tile>("aten::tile"), op<flip>("aten::flip"), op<fliplr>("aten::fliplr"), op<flipud>("aten::flipud"), op<roll>("aten::roll"), op<rot90>("aten::rot90"),
    op<tril>("aten::tril"), op<triu>("aten::triu"), op<diag>("aten::diag"), op<diag_embed>("aten::diag_embed"), op<diagflat>("aten::diagflat"), op<block_diag>("aten::block_diag"),
    op<copied<view>>("aten::view_copy"), op<copied<view_dtype, int64_t>>("aten::view_copy.dtype"), op<copied<permute>>("aten::permute_copy"), op<pixel_shuffle>("aten::pixel_shuffle"), op<pixel_unshuffle>("aten::pixel_unshuffle"), op<channel_shuffle>("aten::channel_shuffle"),
    // clang-format on
};

}  // namespace

extern const OpTable::RowList kShapeOps;
const OpTable::RowList kShapeOps = rows_in_build<kOps>();

}  // namespace sconce::ops
