// SPDX-License-Identifier: Apache-2.0
// The operators as methods of at::Tensor and as functions of at, and what LibTorch writes by hand
// beside them.
#pragma once
#include "sconce/torch/call.h"

namespace at {
#include "sconce/torch/functions.inc"

inline Tensor Tensor::contiguous(MemoryFormat f) const {
  return detail::tensor("aten::contiguous", {*this, f});
}
inline Tensor Tensor::conj() const {
  return is_complex() ? detail::tensor("aten::conj", {*this}) : (need(), *this);
}
inline Tensor conj(const Tensor& t) { return t.conj(); }
inline Tensor var(const Tensor& t, int dim) { return at::var(t, c10::IntArrayRef{dim}); }
inline Tensor std(const Tensor& t, int dim) { return at::std(t, c10::IntArrayRef{dim}); }
inline std::tuple<Tensor, Tensor> var_mean(const Tensor& t, int dim) {
  return at::var_mean(t, c10::IntArrayRef{dim});
}
inline std::tuple<Tensor, Tensor> std_mean(const Tensor& t, int dim) {
  return at::std_mean(t, c10::IntArrayRef{dim});
}
inline int64_t numel(const Tensor& t) { return t.numel(); }
inline int64_t size(const Tensor& t, int64_t dim) { return t.size(dim); }
inline int64_t stride(const Tensor& t, int64_t dim) { return t.stride(dim); }
inline bool is_complex(const Tensor& t) { return t.is_complex(); }
inline bool is_floating_point(const Tensor& t) { return t.is_floating_point(); }
inline bool is_signed(const Tensor& t) { return t.is_signed(); }

inline std::ostream& operator<<(std::ostream& os, const Tensor& t) {
  return os << static_cast<const sconce::Tensor&>(t);
}
inline void print(const Tensor& t, int64_t = 80) { std::cout << t; }

#define SCONCE_TORCH_OPERATOR(op, body, reverse)                               \
  inline Tensor operator op(const Tensor& x, const Tensor& y) { return body; } \
  inline Tensor operator op(const Tensor& x, const Scalar& y) { return body; } \
  inline Tensor operator op(const Scalar& x, const Tensor& y) { return reverse; }
SCONCE_TORCH_OPERATOR(+, x.add(y), y.add(x))
SCONCE_TORCH_OPERATOR(*, x.mul(y), y.mul(x))
SCONCE_TORCH_OPERATOR(-, x.sub(y), at::empty_like(y).fill_(x).sub_(y))
SCONCE_TORCH_OPERATOR(/, x.div(y), at::empty_like(y).fill_(x).div_(y))
SCONCE_TORCH_OPERATOR(%, x.remainder(y), at::empty_like(y).fill_(x).remainder_(y))
SCONCE_TORCH_OPERATOR(&, x.bitwise_and(y), y.bitwise_and(x))
SCONCE_TORCH_OPERATOR(|, x.bitwise_or(y), y.bitwise_or(x))
SCONCE_TORCH_OPERATOR(^, x.bitwise_xor(y), y.bitwise_xor(x))
SCONCE_TORCH_OPERATOR(<, x.lt(y), y.gt(x))
SCONCE_TORCH_OPERATOR(<=, x.le(y), y.ge(x))
SCONCE_TORCH_OPERATOR(>, x.gt(y), y.lt(x))
SCONCE_TORCH_OPERATOR(>=, x.ge(y), y.le(x))
SCONCE_TORCH_OPERATOR(==, x.eq(y), y.eq(x))
SCONCE_TORCH_OPERATOR(!=, x.ne(y), y.ne(x))
#undef SCONCE_TORCH_OPERATOR

}  // namespace at
