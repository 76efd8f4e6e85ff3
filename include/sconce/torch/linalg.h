// SPDX-License-Identifier: Apache-2.0
// torch::fft, torch::linalg and torch::special: other names of at::fft_*, at::linalg_* and
// at::special_*; sequences padded.
#pragma once
#include "sconce/torch/ops.h"

namespace torch {

namespace fft {
using Norm = std::optional<c10::string_view>;
#define SCONCE_TORCH_FFT(name)                                                                   \
  inline Tensor name(const Tensor& t, std::optional<int64_t> n = std::nullopt, int64_t dim = -1, \
                     Norm norm = std::nullopt) {                                                 \
    return at::fft_##name(t, n, dim, norm);                                                      \
  }
SCONCE_TORCH_FFT(fft)
SCONCE_TORCH_FFT(ifft)
SCONCE_TORCH_FFT(rfft)
SCONCE_TORCH_FFT(irfft)
SCONCE_TORCH_FFT(hfft)
SCONCE_TORCH_FFT(ihfft)
#undef SCONCE_TORCH_FFT
#define SCONCE_TORCH_FFT(name, initial)                                                  \
  inline Tensor name(const Tensor& t, at::OptionalIntArrayRef s = std::nullopt, initial, \
                     Norm norm = std::nullopt) {                                         \
    return at::fft_##name(t, s, dim, norm);                                              \
  }
SCONCE_TORCH_FFT(fft2, at::IntArrayRef dim = (at::IntArrayRef({-2, -1})))
SCONCE_TORCH_FFT(ifft2, at::IntArrayRef dim = (at::IntArrayRef({-2, -1})))
SCONCE_TORCH_FFT(rfft2, at::IntArrayRef dim = (at::IntArrayRef({-2, -1})))
SCONCE_TORCH_FFT(irfft2, at::IntArrayRef dim = (at::IntArrayRef({-2, -1})))
SCONCE_TORCH_FFT(fftn, at::OptionalIntArrayRef dim = std::nullopt)
SCONCE_TORCH_FFT(ifftn, at::OptionalIntArrayRef dim = std::nullopt)
SCONCE_TORCH_FFT(rfftn, at::OptionalIntArrayRef dim = std::nullopt)
SCONCE_TORCH_FFT(irfftn, at::OptionalIntArrayRef dim = std::nullopt)
#undef SCONCE_TORCH_FFT
inline Tensor fftfreq(int64_t n, double d = 1, const at::TensorOptions& o = {}) {
  return at::fft_fftfreq(n, d, o);
}
inline Tensor rfftfreq(int64_t n, double d = 1, const at::TensorOptions& o = {}) {
  return at::fft_rfftfreq(n, d, o);
}
inline Tensor fftshift(const Tensor& t, at::OptionalIntArrayRef dim = std::nullopt) {
  return at::fft_fftshift(t, dim);
}
inline Tensor ifftshift(const Tensor& t, at::OptionalIntArrayRef dim = std::nullopt) {
  return at::fft_ifftshift(t, dim);
}
}  // namespace fft

namespace linalg {
#define SCONCE_TORCH_LINALG(name)                                                               \
  template <class... A>                                                                         \
  auto name(const Tensor& t, A&&... a)->decltype(at::linalg_##name(t, std::forward<A>(a)...)) { \
    return at::linalg_##name(t, std::forward<A>(a)...);                                         \
  }
SCONCE_TORCH_LINALG(cholesky)
SCONCE_TORCH_LINALG(det)
SCONCE_TORCH_LINALG(eig)
SCONCE_TORCH_LINALG(eigh)
SCONCE_TORCH_LINALG(eigvals)
SCONCE_TORCH_LINALG(eigvalsh)
SCONCE_TORCH_LINALG(inv)
SCONCE_TORCH_LINALG(lstsq)
SCONCE_TORCH_LINALG(lu)
SCONCE_TORCH_LINALG(matrix_exp)
SCONCE_TORCH_LINALG(matrix_norm)
SCONCE_TORCH_LINALG(matrix_power)
SCONCE_TORCH_LINALG(matrix_rank)
SCONCE_TORCH_LINALG(pinv)
SCONCE_TORCH_LINALG(qr)
SCONCE_TORCH_LINALG(slogdet)
SCONCE_TORCH_LINALG(solve)
SCONCE_TORCH_LINALG(svd)
SCONCE_TORCH_LINALG(svdvals)
#undef SCONCE_TORCH_LINALG
inline Tensor norm(const Tensor& t, const std::optional<at::Scalar>& ord = std::nullopt,
                   at::OptionalIntArrayRef dim = std::nullopt, bool keepdim = false,
                   std::optional<at::ScalarType> dtype = std::nullopt) {
  return at::linalg_norm(t, ord, dim, keepdim, dtype);
}
inline Tensor vector_norm(const Tensor& t, const at::Scalar& ord = 2,
                          at::OptionalIntArrayRef dim = std::nullopt, bool keepdim = false,
                          std::optional<at::ScalarType> dtype = std::nullopt) {
  return at::linalg_vector_norm(t, ord, dim, keepdim, dtype);
}
}  // namespace linalg

namespace special {
#define SCONCE_TORCH_SPECIAL(name)                                           \
  template <class... A>                                                      \
  auto name(A&&... a)->decltype(at::special_##name(std::forward<A>(a)...)) { \
    return at::special_##name(std::forward<A>(a)...);                        \
  }
SCONCE_TORCH_SPECIAL(digamma)
SCONCE_TORCH_SPECIAL(entr)
SCONCE_TORCH_SPECIAL(erf)
SCONCE_TORCH_SPECIAL(erfc)
SCONCE_TORCH_SPECIAL(erfcx)
SCONCE_TORCH_SPECIAL(erfinv)
SCONCE_TORCH_SPECIAL(exp2)
SCONCE_TORCH_SPECIAL(expit)
SCONCE_TORCH_SPECIAL(expm1)
SCONCE_TORCH_SPECIAL(gammainc)
SCONCE_TORCH_SPECIAL(gammaincc)
SCONCE_TORCH_SPECIAL(gammaln)
SCONCE_TORCH_SPECIAL(i0)
SCONCE_TORCH_SPECIAL(i0e)
SCONCE_TORCH_SPECIAL(i1)
SCONCE_TORCH_SPECIAL(i1e)
SCONCE_TORCH_SPECIAL(log1p)
SCONCE_TORCH_SPECIAL(log_ndtr)
SCONCE_TORCH_SPECIAL(logit)
SCONCE_TORCH_SPECIAL(multigammaln)
SCONCE_TORCH_SPECIAL(ndtr)
SCONCE_TORCH_SPECIAL(ndtri)
SCONCE_TORCH_SPECIAL(polygamma)
SCONCE_TORCH_SPECIAL(psi)
SCONCE_TORCH_SPECIAL(round)
SCONCE_TORCH_SPECIAL(sinc)
SCONCE_TORCH_SPECIAL(xlog1py)
SCONCE_TORCH_SPECIAL(xlogy)
SCONCE_TORCH_SPECIAL(zeta)
#undef SCONCE_TORCH_SPECIAL
inline Tensor logsumexp(const Tensor& t, at::IntArrayRef dims, bool keepdim) {
  return at::special_logsumexp(t, dims, keepdim);
}
inline Tensor softmax(const Tensor& t, int64_t dim, std::optional<at::ScalarType> dtype) {
  return at::special_softmax(t, dim, dtype);
}
inline Tensor log_softmax(const Tensor& t, int64_t dim, std::optional<at::ScalarType> dtype) {
  return at::special_log_softmax(t, dim, dtype);
}
}  // namespace special

namespace nn::utils::rnn {
inline Tensor pad_sequence(at::ArrayRef<Tensor> sequences, bool batch_first = false,
                           double padding_value = 0) {
  return at::pad_sequence(sequences, batch_first, padding_value);
}
}  // namespace nn::utils::rnn

}  // namespace torch
