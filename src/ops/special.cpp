// SPDX-License-Identifier: Apache-2.0
// Special functions and orthogonal polynomials.
#include <algorithm>

#include "ops/tensor_ops.h"

namespace sconce::ops {

namespace {

Tensor polygamma(int64_t n, const Tensor& x) {
  if (n < 0) raise<OpError>("polygamma(n, x) does not support negative n.");
  return n == 0   ? unary_float(Unary::digamma, x)
         : n == 1 ? unary_float(Unary::trigamma, x)
                  : unary_float(Unary::polygamma, x, static_cast<double>(n));
}
Tensor polygamma_in_place(const Tensor& x, int64_t n) { return copy_result(x, polygamma(n, x)); }

// Integers are refused.
template <Binary B>
Tensor incomplete_gamma(const Tensor& a, const Tensor& b) {
  ScalarType t = result_type(a, b);
  if (!is_floating(t))
    raise<OpError>("the incomplete gamma functions are not implemented for '", scalar_type_name(t),
                   "'");
  return binary(B, a, b, t, t);
}

Tensor signbit(const Tensor& x) {
  if (is_complex(x.dtype())) raise<OpError>("signbit is not implemented for complex tensors.");
  if (x.dtype() == kBool) {
    Tensor r = empty(x.sizes(), kBool);
    fill(r, Scalar(false));
    return r;
  }
  return unary(Unary::signbit, x, kBool);
}
std::tuple<Tensor, Tensor> frexp(const Tensor& x) {
  if (!is_floating(x.dtype())) raise<OpError>("torch.frexp() only supports floating-point dtypes");
  return {unary(Unary::frexp_mantissa, x, x.dtype()), unary(Unary::frexp_exponent, x, kInt)};
}

// The exclusive or of all elements' bits: floats as doubles, the others as 64-bit integers.
Tensor hash_tensor(const Tensor& x, IntVec dims, bool keepdim, int64_t mode) {
  if (mode != 0) raise<OpError>("Unknown hash_tensor mode: ", mode);
  if (is_complex(x.dtype())) raise<OpError>("hash_tensor is not implemented for complex tensors");
  IntVec over = reduce_dims(OptInts(dims), x.dim());
  for (int64_t d : over)
    if (x.dim() && x.size(d) == 0)
      raise<OpError>("hash_tensor: Expected reduction dim ", d, " to have non-zero size.");
  Tensor bits;
  if (is_floating(x.dtype())) {
    Tensor wide = contiguous(cast(x, kDouble));
    bits =
        make_view_as(wide, kLong, wide.impl()->sizes, wide.impl()->strides, wide.storage_offset());
  } else {
    bits = cast(x, kLong);
  }
  if (x.dim() > 0)
    for (int64_t d : over)
      while (bits.size(d) > 1) {
        int64_t n = bits.size(d), half = n / 2;
        Tensor folded = binary(Binary::bitwise_xor, narrow(bits, d, 0, half),
                               narrow(bits, d, half, half), kLong, kLong);
        bits = n % 2 ? cat({folded, narrow(bits, d, n - 1, 1)}, d) : folded;
      }
  Tensor r = contiguous(bits);
  IntVec sizes;
  for (int64_t i = 0; i < x.dim(); ++i) {
    bool gone = std::find(over.begin(), over.end(), i) != over.end();
    if (!gone || keepdim) sizes.push_back(gone ? 1 : x.size(i));
  }
  r = make_view(r, sizes, contiguous_strides(sizes), r.storage_offset());
  r.mutable_impl()->dtype = ScalarType::UInt64;
  return r;
}

// clang-format off
#define SCONCE_POLYNOMIAL(name, text)                                         \
  op<promoted_float<Binary::name>>("aten::special_" text),                                  \
  op<promoted_float_rscalar<Binary::name>>("aten::special_" text ".x_scalar"),                \
  op<promoted_float_scalar<Binary::name>>("aten::special_" text ".n_scalar")

constexpr OpDef kOps[] = {
    op<floating<Unary::airy_ai>>("aten::special_airy_ai"), op<floating<Unary::bessel_j0>>("aten::special_bessel_j0"), op<floating<Unary::bessel_j1>>("aten::special_bessel_j1"), op<floating<Unary::bessel_y0>>("aten::special_bessel_y0"), op<floating<Unary::bessel_y1>>("aten::special_bessel_y1"),
    op<floating<Unary::modified_i0>>("aten::special_modified_bessel_i0"), op<floating<Unary::bessel_i1>>("aten::special_modified_bessel_i1"), op<floating<Unary::bessel_k0>>("aten::special_modified_bessel_k0"), op<floating<Unary::bessel_k1>>("aten::special_modified_bessel_k1"),
    op<floating<Unary::bessel_k0e>>("aten::special_scaled_modified_bessel_k0"), op<floating<Unary::bessel_k1e>>("aten::special_scaled_modified_bessel_k1"), op<floating<Unary::spherical_j0>>("aten::special_spherical_bessel_j0"),
    op<floating<Unary::bessel_i0e>>("aten::special_i0e"), op<floating<Unary::bessel_i1>>("aten::special_i1"), op<floating<Unary::bessel_i1e>>("aten::special_i1e"), op<floating<Unary::erfcx>>("aten::special_erfcx"), op<floating<Unary::ndtri>>("aten::special_ndtri"), op<floating<Unary::log_ndtr>>("aten::special_log_ndtr"),
    op<polygamma>("aten::polygamma"), op<polygamma>("aten::special_polygamma"), op<polygamma_in_place>("aten::polygamma_"),
    op<promoted_float<Binary::zeta>>("aten::special_zeta"), op<promoted_float_rscalar<Binary::zeta>>("aten::special_zeta.self_scalar"), op<promoted_float_scalar<Binary::zeta>>("aten::special_zeta.other_scalar"),
    op<incomplete_gamma<Binary::igamma>>("aten::igamma"), op<incomplete_gamma<Binary::igammac>>("aten::igammac"), op<incomplete_gamma<Binary::igamma>>("aten::special_gammainc"), op<incomplete_gamma<Binary::igammac>>("aten::special_gammaincc"),
    SCONCE_POLYNOMIAL(chebyshev_t, "chebyshev_polynomial_t"), SCONCE_POLYNOMIAL(chebyshev_u, "chebyshev_polynomial_u"), SCONCE_POLYNOMIAL(chebyshev_v, "chebyshev_polynomial_v"), SCONCE_POLYNOMIAL(chebyshev_w, "chebyshev_polynomial_w"),
    SCONCE_POLYNOMIAL(shifted_chebyshev_t, "shifted_chebyshev_polynomial_t"), SCONCE_POLYNOMIAL(shifted_chebyshev_u, "shifted_chebyshev_polynomial_u"), SCONCE_POLYNOMIAL(shifted_chebyshev_v, "shifted_chebyshev_polynomial_v"), SCONCE_POLYNOMIAL(shifted_chebyshev_w, "shifted_chebyshev_polynomial_w"),
    SCONCE_POLYNOMIAL(hermite_h, "hermite_polynomial_h"), SCONCE_POLYNOMIAL(hermite_he, "hermite_polynomial_he"), SCONCE_POLYNOMIAL(laguerre_l, "laguerre_polynomial_l"), SCONCE_POLYNOMIAL(legendre_p, "legendre_polynomial_p"),
    op<signbit>("aten::signbit"), op<frexp>("aten::frexp.Tensor"), op<hash_tensor>("aten::hash_tensor"),
};
// clang-format on

}  // namespace

extern const OpTable::RowList kSpecialOps;
const OpTable::RowList kSpecialOps = rows_in_build<kOps>();

}  // namespace sconce::ops
