// SPDX-License-Identifier: Apache-2.0
// t.index({Slice(1, None), "...", 0, mask}) and index_put_, as Python's t[1:, ..., 0, mask].
#pragma once
#include "sconce/torch/factories.h"

namespace at::indexing {

constexpr std::nullopt_t None = std::nullopt;
struct EllipsisIndexType final {};
static const EllipsisIndexType Ellipsis{};

struct Slice final {
  // LibTorch's bounds of what is left out.
  static constexpr int64_t kMost = (int64_t{1} << 62) - 1;

  Slice(std::optional<int64_t> start = std::nullopt, std::optional<int64_t> stop = std::nullopt,
        std::optional<int64_t> step = std::nullopt)
      : step_(step.value_or(1)) {
    if (step_ == 0) throw c10::ValueError("slice step cannot be zero");
    start_ = start.value_or(step_ < 0 ? kMost : 0);
    stop_ = stop.value_or(step_ < 0 ? -kMost - 1 : kMost);
  }
  int64_t start() const { return start_; }
  int64_t stop() const { return stop_; }
  int64_t step() const { return step_; }
  friend std::ostream& operator<<(std::ostream& os, const Slice& s) {
    return os << s.start_ << ":" << s.stop_ << ":" << s.step_;
  }

 private:
  int64_t start_, stop_, step_;
};

class TensorIndex final {
 public:
  TensorIndex(std::nullopt_t) : kind_(Kind::None) {}
  TensorIndex(EllipsisIndexType) : kind_(Kind::Ellipsis) {}
  TensorIndex(const char* s) : kind_(Kind::Ellipsis) {
    if (c10::string_view(s) != "...")
      throw c10::ValueError("Expected \"...\" to represent an ellipsis index, but got \"" +
                            std::string(s) + "\"");
  }
  TensorIndex(int64_t i) : kind_(Kind::Integer), integer_(i) {}
  TensorIndex(int i) : TensorIndex(static_cast<int64_t>(i)) {}
  template <class T, std::enable_if_t<std::is_same<T, bool>::value, bool>* = nullptr>
  TensorIndex(T b) : kind_(Kind::Boolean), integer_(b) {}
  TensorIndex(Slice s) : kind_(Kind::Slice), slice_(s) {}
  TensorIndex(Tensor t) : kind_(Kind::Tensor), tensor_(std::move(t)) {}

  bool is_none() const { return kind_ == Kind::None; }
  bool is_ellipsis() const { return kind_ == Kind::Ellipsis; }
  bool is_integer() const { return kind_ == Kind::Integer; }
  bool is_boolean() const { return kind_ == Kind::Boolean; }
  bool is_slice() const { return kind_ == Kind::Slice; }
  bool is_tensor() const { return kind_ == Kind::Tensor; }
  int64_t integer() const { return integer_; }
  bool boolean() const { return integer_ != 0; }
  const Slice& slice() const { return slice_; }
  const Tensor& tensor() const { return tensor_; }

 private:
  enum class Kind { None, Ellipsis, Integer, Boolean, Slice, Tensor } kind_;
  int64_t integer_ = 0;
  Slice slice_;
  Tensor tensor_;
};

namespace impl {
// The view that integers, slices, None and "..." select; what tensors are left for aten::index, one
// entry a dimension.
struct Selected {
  Tensor view;
  std::vector<std::optional<Tensor>> tensors;
  c10::List<std::optional<Tensor>> list() const {
    c10::List<std::optional<Tensor>> l;
    for (const auto& t : tensors) l.push_back(t);
    return l;
  }
};
inline Tensor at_index(const Tensor& t, int64_t dim, int64_t i, int64_t real_dim) {
  if (i == 0 && dim == 0 && t.dim() == 0)
    throw c10::IndexError(
        "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in "
        "C++ "
        "to convert a 0-dim tensor to a number");
  const int64_t size = t.size(dim);
  if (i < -size || i >= size)
    throw c10::IndexError(
        c10::str("index ", i, " is out of bounds for dimension ", real_dim, " with size ", size));
  return t.select(dim, i);
}
inline Tensor slice_of(const Tensor& t, int64_t dim, const Slice& s) {
  if (s.step() < 0) throw c10::ValueError("step must be greater than zero");
  return t.slice(dim, s.start(), s.stop(), s.step());
}
inline Tensor mask_of(bool b) {
  return b ? at::zeros({1}, c10::kLong) : at::empty({0}, c10::kLong);
}
inline Selected select(const Tensor& self, c10::ArrayRef<TensorIndex> indices) {
  auto is_mask = [](const Tensor& t) {
    return t.scalar_type() == kByte || t.scalar_type() == kBool;
  };
  int64_t specified = 0;
  for (const TensorIndex& i : indices)
    specified += i.is_tensor() ? (is_mask(i.tensor()) ? i.tensor().dim() : 1)
                               : i.is_integer() || i.is_slice();
  if (specified > self.dim())
    throw c10::IndexError(c10::str("too many indices for tensor of dimension ", self.dim()));
  Selected s{self, {}};
  int64_t dim = 0, real_dim = 0;
  auto skip = [&](int64_t n) {
    dim += n;
    if (!s.tensors.empty()) s.tensors.resize(s.tensors.size() + static_cast<size_t>(n));
  };
  auto take = [&](const Tensor& t) {
    s.tensors.resize(static_cast<size_t>(dim) + 1);
    s.tensors[static_cast<size_t>(dim++)] = t;
  };
  for (const TensorIndex& i : indices) {
    if (i.is_integer()) {
      s.view = at_index(s.view, dim, i.integer(), real_dim);
    } else if (i.is_slice()) {
      s.view = slice_of(s.view, dim, i.slice());
      skip(1);
    } else if (i.is_ellipsis()) {
      skip(self.dim() - specified);
    } else if (i.is_none()) {
      s.view = s.view.unsqueeze(dim);
      skip(1);
    } else if (i.is_boolean()) {
      s.view = s.view.unsqueeze(dim);
      take(mask_of(i.boolean()));
    } else if (const Tensor& t = i.tensor();
               t.dim() == 0 && c10::isIntegralType(t.scalar_type(), true)) {
      if (is_mask(t)) {
        s.view = s.view.unsqueeze(dim);
        take(mask_of(t.item().toBool()));
      } else {
        s.view = at_index(s.view, dim, t.item<int64_t>(), real_dim);
      }
    } else {
      take(t);
    }
    ++real_dim;
  }
  return s;
}
// Without the sizes of 1 at the front.
inline Tensor without_leading_ones(const Tensor& t) {
  c10::IntArrayRef sizes = t.sizes();
  size_t i = 0;
  while (i < sizes.size() && sizes[i] == 1) ++i;
  return i ? t.view(sizes.slice(i)) : t;
}
inline void write(const Tensor& to, const Tensor& from) {
  to.copy_(to.sizes() == from.sizes() ? from : without_leading_ones(from));
}
}  // namespace impl

}  // namespace at::indexing

namespace at {
inline Tensor Tensor::index(c10::ArrayRef<indexing::TensorIndex> indices) const {
  indexing::impl::Selected s = indexing::impl::select(*this, indices);
  if (!s.tensors.empty()) return s.view.index(s.list());
  return s.view.is_same(*this) ? alias() : s.view;
}
inline Tensor Tensor::index(std::initializer_list<indexing::TensorIndex> indices) const {
  return index(c10::ArrayRef<indexing::TensorIndex>(indices));
}
inline Tensor& Tensor::index_put_(c10::ArrayRef<indexing::TensorIndex> indices, const Tensor& v) {
  if (indices.size() == 1 && indices[0].is_boolean()) {
    if (indices[0].boolean()) indexing::impl::write(unsqueeze(0), v);
    return *this;
  }
  indexing::impl::Selected s = indexing::impl::select(*this, indices);
  if (s.tensors.empty())
    indexing::impl::write(s.view, v);
  else
    s.view.index_put_(s.list(), indexing::impl::without_leading_ones(v));
  return *this;
}
inline Tensor& Tensor::index_put_(c10::ArrayRef<indexing::TensorIndex> indices, const Scalar& v) {
  return index_put_(indices, at::scalar_tensor(v, options()));
}
inline Tensor& Tensor::index_put_(std::initializer_list<indexing::TensorIndex> indices,
                                  const Tensor& v) {
  return index_put_(c10::ArrayRef<indexing::TensorIndex>(indices), v);
}
inline Tensor& Tensor::index_put_(std::initializer_list<indexing::TensorIndex> indices,
                                  const Scalar& v) {
  return index_put_(c10::ArrayRef<indexing::TensorIndex>(indices), v);
}
}  // namespace at

namespace torch {
namespace indexing {
using namespace at::indexing;
}
using at::indexing::TensorIndex;
}  // namespace torch
