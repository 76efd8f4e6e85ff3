// SPDX-License-Identifier: Apache-2.0
// Special functions, compiled once; in double but for those whose values PyTorch's floats tell
// apart (bessel.cpp). Values at poles and outside the domain are PyTorch's.
#pragma once

namespace sconce::special {

double airy_ai(double x);
float airy_ai(float x);
// x >= -2.09.
double airy_ai_right(double x);
double bessel_i0e(double x), bessel_i1(double x), bessel_i1e(double x);
double bessel_j0(double x), bessel_j1(double x), bessel_y0(double x), bessel_y1(double x);
float bessel_j0(float x), bessel_j1(float x), bessel_y0(float x), bessel_y1(float x);
double bessel_k0(double x), bessel_k1(double x), bessel_k0e(double x), bessel_k1e(double x);
double modified_i0(double x);
double spherical_j0(double x);
double erfcx(double x);
double ndtri(double p);
double log_ndtr(double x);
double trigamma(double x);
// Hurwitz zeta: the sum of (k + q)^-x.
double zeta(double x, double q);
double polygamma(double n, double x);
// Regularised incomplete gamma functions, lower and upper.
double igamma(double a, double x), igammac(double a, double x);
// Polynomials of degree n, truncated to an integer.
double chebyshev_t(double x, double n), chebyshev_u(double x, double n),
    chebyshev_v(double x, double n), chebyshev_w(double x, double n);
double shifted_chebyshev_t(double x, double n), shifted_chebyshev_u(double x, double n),
    shifted_chebyshev_v(double x, double n), shifted_chebyshev_w(double x, double n);
double hermite_h(double x, double n), hermite_he(double x, double n),
    laguerre_l(double x, double n), legendre_p(double x, double n);
double frexp_mantissa(double x), frexp_exponent(double x);

}  // namespace sconce::special
