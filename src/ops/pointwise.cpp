// SPDX-License-Identifier: Apache-2.0
// Elementwise operators. Most are one row: a slot function and how the result's dtype comes about.
#include <cmath>

#include "ops/tensor_ops.h"

namespace sconce::ops {

namespace {

template <Unary U>
Tensor same(const Tensor& x) {
  if (U == Unary::sign && is_complex(x.dtype()))
    raise<OpError>(
        "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use torch.sgn "
        "instead.");
  if (x.dtype() == kBool && (U == Unary::neg))
    raise<OpError>(
        "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
        "invert a mask, use the `~` or `logical_not()` operator instead.");
  return unary(U, x, x.dtype());
}
// Rounding leaves integers alone.
template <Unary U>
Tensor rounding(const Tensor& x) {
  if (is_complex(x.dtype())) raise<OpError>("rounding is not supported for complex inputs");
  return is_integral(x.dtype(), true) ? clone(x) : unary(U, x, x.dtype());
}
template <Unary U>
Tensor predicate(const Tensor& x) {
  if (is_integral(x.dtype(), true)) {
    if (U == Unary::logical_not) return unary(U, x, kBool);
    Tensor r = empty(x.sizes(), kBool);
    fill(r, Scalar(U == Unary::isfinite));
    return r;
  }
  return unary(U, x, kBool);
}
Tensor abs(const Tensor& x) {
  return is_complex(x.dtype()) ? unary(Unary::complex_abs, x, real_of(x.dtype()))
         : x.dtype() == kBool  ? clone(x)
                               : unary(Unary::abs, x, x.dtype());
}
Tensor angle(const Tensor& x) {
  return is_complex(x.dtype()) ? unary(Unary::angle, x, real_of(x.dtype()))
                               : unary_float(Unary::angle, x);
}
Tensor conj(const Tensor& x) {
  return is_complex(x.dtype()) ? unary(Unary::conj, x, x.dtype()) : x;
}
Tensor identity(const Tensor& x) { return x; }
Tensor bitwise_not(const Tensor& x) {
  if (x.dtype() == kBool) return unary(Unary::logical_not, x, kBool);
  if (!is_integral(x.dtype()))
    raise<OpError>("bitwise_not: only integer and bool tensors are supported, not ",
                   scalar_type_name(x.dtype()));
  return unary(Unary::bitwise_not, x, x.dtype());
}
Tensor square(const Tensor& x) {
  return unary(Unary::square, x.dtype() == kBool ? cast(x, kLong) : x,
               x.dtype() == kBool ? kLong : x.dtype());
}
Tensor sgn(const Tensor& x) { return unary(Unary::sign, x, x.dtype()); }
Tensor round_decimals(const Tensor& x, int64_t d) {
  return is_integral(x.dtype(), true)
             ? clone(x)
             : unary(Unary::round_decimals, x, x.dtype(), static_cast<double>(d),
                     std::pow(10.0, std::abs(static_cast<double>(d))));
}
Tensor relu(const Tensor& x) {
  if (x.dtype() == kBool) raise<OpError>("Boolean inputs not supported for relu");
  return unary(Unary::relu, x, x.dtype());
}
Tensor relu6(const Tensor& x) {
  if (x.dtype() == kBool) raise<OpError>("Bool inputs not supported for hardtanh");
  return unary(Unary::clamp, x, x.dtype(), 0, 6);
}
Tensor deg2rad(const Tensor& x) {
  if (is_complex(x.dtype())) raise<OpError>("deg2rad is not supported for complex tensors.");
  return binary_scalar(Binary::mul, x, Scalar(M_PI / 180), to_floating(x.dtype()),
                       to_floating(x.dtype()));
}
Tensor rad2deg(const Tensor& x) {
  if (is_complex(x.dtype())) raise<OpError>("rad2deg is not supported for complex tensors.");
  return binary_scalar(Binary::mul, x, Scalar(180 / M_PI), to_floating(x.dtype()),
                       to_floating(x.dtype()));
}
Tensor gelu(const Tensor& x, const std::string& how) {
  if (how != "none" && how != "tanh")
    raise<OpError>("approximate argument must be either none or tanh.");
  return unary(how == "tanh" ? Unary::gelu_tanh : Unary::gelu, x, x.dtype());
}
Tensor softplus(const Tensor& x, Scalar beta, Scalar t) {
  return unary(Unary::softplus, x, x.dtype(), beta.d, t.d);
}
Tensor elu(const Tensor& x, Scalar alpha, Scalar scale, Scalar in) {
  return unary(Unary::elu, x, x.dtype(), alpha.d, scale.d, in.d);
}
Tensor selu(const Tensor& x) {
  return unary(Unary::elu, x, x.dtype(), 1.6732632423543772, 1.0507009873554805, 1);
}
Tensor celu(const Tensor& x, Scalar a) {
  if (a.d == 0) raise<OpError>("ZeroDivisionError: alpha cannot be 0 for CELU");
  return unary(Unary::elu, x, x.dtype(), a.d, 1, 1 / a.d);
}
Tensor leaky_relu(const Tensor& x, Scalar s) { return unary(Unary::leaky_relu, x, x.dtype(), s.d); }
Tensor threshold(const Tensor& x, Scalar t, Scalar v) {
  return unary(Unary::threshold, x, x.dtype(), t.d, v.d);
}
Tensor hardtanh(const Tensor& x, Scalar lo, Scalar hi) {
  return unary(Unary::clamp, x, x.dtype(), lo.d, hi.d);
}
Tensor hardshrink(const Tensor& x, Scalar l) { return unary(Unary::hardshrink, x, x.dtype(), l.d); }
Tensor softshrink(const Tensor& x, Scalar l) {
  if (!(l.d >= 0)) raise<OpError>("lambda must be in range [0, inf) but found ", l.d);
  return unary(Unary::softshrink, x, x.dtype(), l.d);
}
Tensor logit(const Tensor& x, OptDouble eps) {
  return unary_float(Unary::logit, x, eps.value_or(-1));
}
Tensor glu(const Tensor& x, int64_t dim) {
  int64_t d = wrap_dim(dim, x.dim()), n = x.size(d);
  if (x.dim() == 0 || n % 2)
    raise<OpError>("Halving dimension must be even, but dimension ", d, " is size ", n);
  return mul(narrow(x, d, 0, n / 2), unary(Unary::sigmoid, narrow(x, d, n / 2, n / 2), x.dtype()));
}
Tensor nan_to_num(const Tensor& x, OptDouble nan, OptDouble pos, OptDouble neg) {
  if (is_integral(x.dtype(), true)) return clone(x);
  if (is_complex(x.dtype())) {  // each part by itself
    const Tensor flat = contiguous(x);
    IntVec sizes(flat.sizes()), strides(flat.strides());
    for (auto& stride : strides) stride *= 2;
    sizes.push_back(2);
    strides.push_back(1);
    const Tensor parts = nan_to_num(
        make_view_as(flat, real_of(x.dtype()), sizes, strides, 2 * flat.storage_offset()), nan, pos,
        neg);
    return make_view_as(parts, x.dtype(), flat.sizes(), flat.strides(), 0);
  }
  double max = x.dtype() == kHalf       ? 65504.0
               : x.dtype() == kDouble   ? 1.7976931348623157e308
               : x.dtype() == kBFloat16 ? 3.3895313892515355e38
                                        : 3.4028234663852886e38;
  return unary(Unary::nan_to_num, x, x.dtype(), nan.value_or(0), pos.value_or(max),
               neg.value_or(-max));
}

// ---- clamp ----

Tensor clamp_values(const Tensor& x, OptScalar lo, OptScalar hi) {
  if (!lo && !hi) raise<OpError>("torch.clamp: At least one of 'min' or 'max' must not be None");
  ScalarType t = x.dtype();
  if (lo) t = promote_types(t, result_type(x, *lo));
  if (hi) t = promote_types(t, result_type(x, *hi));
  Tensor y = cast(x, t);
  // A number takes part as an element would: -1 is 255 beside uint8.
  for (OptScalar* b : {&lo, &hi})
    if (t == kByte && *b && (*b)->i < 0) *b = Scalar((*b)->i & 255);
  if ((lo && lo->d != lo->d) || (hi && hi->d != hi->d)) {
    Tensor r = empty_like(y);
    fill(r, Scalar(std::nan("")));
    return r;
  }
  if (lo && hi) return unary(Unary::clamp, y, t, lo->d, hi->d);
  return lo ? unary(Unary::clamp_min, y, t, lo->d) : unary(Unary::clamp_max, y, t, hi->d);
}
Tensor clamp_min(const Tensor& x, Scalar v) { return clamp_values(x, v, {}); }
Tensor clamp_max(const Tensor& x, Scalar v) { return clamp_values(x, {}, v); }
Tensor maximum(const Tensor& a, const Tensor& b) {
  ScalarType t = result_type(a, b);
  if (is_complex(t)) raise<OpError>("maximum not implemented for complex tensors.");
  return binary(Binary::maximum, a, b, t, t);
}
Tensor minimum(const Tensor& a, const Tensor& b) {
  ScalarType t = result_type(a, b);
  if (is_complex(t)) raise<OpError>("minimum not implemented for complex tensors.");
  return binary(Binary::minimum, a, b, t, t);
}
Tensor clamp_tensor(const Tensor& x, const Tensor* lo, const Tensor* hi) {
  if (!lo && !hi) raise<OpError>("torch.clamp: At least one of 'min' or 'max' must not be None");
  Tensor r = x;
  if (lo) r = maximum(r, *lo);
  if (hi) r = minimum(r, *hi);
  return r;
}

// ---- arithmetic ----

void check_alpha(ScalarType t, const Scalar& alpha) {
  if (alpha.is_floating() && is_integral(t, true))
    raise<OpError>(
        "For integral input tensors, argument alpha must not be a floating point number.");
  if (alpha.kind == Scalar::Kind::Bool && t != kBool)
    raise<OpError>("Boolean alpha only supported for Boolean results.");
  if (alpha.is_complex() && !is_complex(t))
    raise<OpError>("For non-complex input tensors, argument alpha must not be a complex number.");
}
Tensor rsub_scalar(const Tensor& a, Scalar b, Scalar alpha) {
  if (a.dtype() == kBool || b.kind == Scalar::Kind::Bool)
    raise<OpError>(
        "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to "
        "invert a mask, use the `~` or `logical_not()` operator instead.");
  ScalarType t = result_type(a, b);
  check_alpha(t, alpha);
  Tensor scaled = alpha.d == 1 && !alpha.is_complex() ? a : mul_scalar(a, alpha);
  return binary_scalar(Binary::sub, scaled, b, t, t, Scalar(1), true);
}
Tensor rsub_tensor(const Tensor& a, const Tensor& b, Scalar alpha) { return sub(b, a, alpha); }
Tensor sub_scalar(const Tensor& a, Scalar b, Scalar alpha) {
  ScalarType t = result_type(a, b);
  if (a.dtype() == kBool || b.kind == Scalar::Kind::Bool)
    raise<OpError>(
        "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to "
        "invert a mask, use the `~` or `logical_not()` operator instead.");
  check_alpha(t, alpha);
  return binary_scalar(Binary::sub, a, b, t, t, alpha);
}
enum class Rounding { None, Floor, Trunc };
Rounding rounding_of(const std::optional<std::string>& mode) {
  if (!mode) return Rounding::None;
  if (*mode == "floor") return Rounding::Floor;
  if (*mode == "trunc") return Rounding::Trunc;
  raise<OpError>("div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '",
                 *mode, "'");
}
Tensor div_mode(const Tensor& a, const Tensor& b, std::optional<std::string> mode) {
  Rounding r = rounding_of(mode);
  if (r == Rounding::None) return div(a, b);
  ScalarType t = result_type(a, b);
  // Of halves the quotient is rounded before it is cut.
  if (r == Rounding::Trunc && (t == kHalf || t == kBFloat16) && a.dim() && b.dim())
    return unary(Unary::trunc, div(a, b), t);
  return binary(r == Rounding::Floor ? Binary::floor_div : Binary::trunc_div, a, b, t, t);
}
Tensor div_scalar_mode(const Tensor& a, Scalar b, std::optional<std::string> mode) {
  Rounding r = rounding_of(mode);
  if (r == Rounding::None) return div_scalar(a, b);
  ScalarType t = result_type(a, b);
  return binary_scalar(r == Rounding::Floor ? Binary::floor_div : Binary::trunc_div, a, b, t, t);
}
// Result in the promoted type.
template <Binary B>
Tensor promoted(const Tensor& a, const Tensor& b) {
  ScalarType t = result_type(a, b);
  return binary(B, a, b, t, t);
}
template <Binary B>
Tensor promoted_scalar(const Tensor& a, Scalar b) {
  ScalarType t = result_type(a, b);
  return binary_scalar(B, a, b, t, t);
}
template <Binary B>
Tensor promoted_rscalar(Scalar a, const Tensor& b) {
  ScalarType t = result_type(b, a);
  return binary_scalar(B, b, a, t, t, Scalar(1), true);
}
template <Binary B>
Tensor compare(const Tensor& a, const Tensor& b) {
  return binary(B, a, b, result_type(a, b), kBool);
}
template <Binary B>
Tensor compare_scalar(const Tensor& a, Scalar b) {
  return binary_scalar(B, a, b, result_type(a, b), kBool);
}
template <Binary B>
Tensor logical(const Tensor& a, const Tensor& b) {
  return binary(B, a, b, result_type(a, b), kBool);
}
template <Binary B>
Tensor bitwise(const Tensor& a, const Tensor& b) {
  ScalarType t = result_type(a, b);
  if (!is_integral(t, true))
    raise<OpError>("bitwise operators are not implemented for '", scalar_type_name(t), "'");
  return binary(B, a, b, t, t);
}
template <Binary B>
Tensor bitwise_scalar(const Tensor& a, Scalar b) {
  ScalarType t = result_type(a, b);
  if (!is_integral(t, true))
    raise<OpError>("bitwise operators are not implemented for '", scalar_type_name(t), "'");
  return binary_scalar(B, a, b, t, t);
}
template <Binary B>
Tensor bitwise_rscalar(Scalar a, const Tensor& b) {
  ScalarType t = result_type(b, a);
  return binary_scalar(B, b, a, t, t, Scalar(1), true);
}
// Forms like __iand__: write back.
template <Binary B>
Tensor bitwise_in_place(const Tensor& a, const Tensor& b) {
  return copy_result(a, bitwise<B>(a, b));
}
template <Binary B>
Tensor bitwise_in_place_scalar(const Tensor& a, Scalar b) {
  return copy_result(a, bitwise_scalar<B>(a, b));
}
// Floats shift by powers of two.
template <Binary B>
Tensor shift(const Tensor& a, const Tensor& b) {
  ScalarType t = result_type(a, b);
  if (is_integral(t, true)) return binary(B, a, b, t, t);
  Tensor two = binary_scalar(Binary::pow, b, Scalar(2.0), t, t, Scalar(1), true);
  return B == Binary::lshift ? mul(a, two) : div(a, two);
}
template <Binary B>
Tensor shift_scalar(const Tensor& a, Scalar b) {
  ScalarType t = result_type(a, b);
  if (is_integral(t, true)) return binary_scalar(B, a, b, t, t);
  double f = std::pow(2.0, b.d);
  return B == Binary::lshift ? mul_scalar(a, Scalar(f)) : div_scalar(a, Scalar(f));
}
template <Binary B>
Tensor shift_in_place(const Tensor& a, const Tensor& b) {
  return copy_result(a, shift<B>(a, b));
}
template <Binary B>
Tensor shift_in_place_scalar(const Tensor& a, Scalar b) {
  return copy_result(a, shift_scalar<B>(a, b));
}

// ---- powers ----

Tensor pow_tensor_scalar(const Tensor& x, Scalar e) {
  ScalarType t = result_type(x, e);
  if (is_integral(t, true)) {
    if (e.i < 0) raise<OpError>("Integers to negative integer powers are not allowed.");
    return binary_scalar(Binary::pow, x, e, t, t);
  }
  if (!e.is_complex()) {
    if (e.d == 1) return clone(cast(x, t));
    if (e.d == 2) return unary(Unary::square, cast(x, t), t);
    if (e.d == 0.5) return unary(Unary::sqrt, cast(x, t), t);
    if (e.d == -0.5) return unary(Unary::rsqrt, cast(x, t), t);
    if (e.d == -1) return unary(Unary::reciprocal, cast(x, t), t);
    if (e.d == 3 && !is_complex(t)) {
      Tensor y = cast(x, t);
      return mul(mul(y, y), y);
    }
  }
  if (is_complex(t)) return unary(Unary::pow_scalar, cast(x, t), t, e.d, e.im);
  return binary_scalar(Binary::pow, x, e, t, t);
}
Tensor pow_tensor_tensor(const Tensor& x, const Tensor& e) { return promoted<Binary::pow>(x, e); }
Tensor pow_scalar_tensor(Scalar x, const Tensor& e) {
  return promoted_rscalar<Binary::pow>(x, contiguous(e));  // so is the result
}
Tensor float_power_scalar(const Tensor& x, Scalar e) {
  return pow_tensor_scalar(
      cast(x, is_complex(x.dtype()) || e.is_complex() ? kComplexDouble : kDouble), e);
}
template <class E>
Tensor float_power_in_place(const Tensor& x, E e) {
  ScalarType t;
  if constexpr (std::is_same_v<E, Scalar>)
    t = is_complex(x.dtype()) || e.is_complex() ? kComplexDouble : kDouble;
  else
    t = is_complex(x.dtype()) || is_complex(e.dtype()) ? kComplexDouble : kDouble;
  if (x.dtype() != t)
    raise<OpError>("the base given to float_power_ has dtype ", scalar_type_name(x.dtype()),
                   " but the operation's result requires dtype ", scalar_type_name(t));
  if constexpr (std::is_same_v<E, Scalar>)
    return copy_result(x, pow_tensor_scalar(x, e));
  else
    return copy_result(x, pow_tensor_tensor(x, cast(e, t)));
}
Tensor float_power_tensor(const Tensor& x, const Tensor& e) {
  ScalarType t = is_complex(x.dtype()) || is_complex(e.dtype()) ? kComplexDouble : kDouble;
  return pow_tensor_tensor(cast(x, t), cast(e, t));
}
Tensor float_power_rscalar(Scalar x, const Tensor& e) {
  return pow_scalar_tensor(x, cast(e, is_complex(e.dtype()) ? kComplexDouble : kDouble));
}

// ---- three operands ----

Tensor ternary(Ternary op, const Tensor& a, const Tensor& b, const Tensor& c, ScalarType t,
               const Scalar& value) {
  IntVec sizes = broadcast(broadcast(a.sizes(), b.sizes()), c.sizes());
  Tensor o = empty_elementwise(sizes, t, {&a, &b, &c});
  if (o.numel() == 0) return o;
  Tensor x = expand_to(a, sizes), y = expand_to(b, sizes), z = expand_to(c, sizes);
  call_slot(TernaryArgs{
      view_of(o), view_of(x), view_of(y), view_of(z), op, compute_for(t), number(value), {}, {}});
  return o;
}
Tensor addcmul(const Tensor& a, const Tensor& b, const Tensor& c, Scalar v) {
  ScalarType t = promote_types(result_type(a, b), result_type(a, c));
  return ternary(Ternary::addcmul, a, b, c, t, v);
}
Tensor addcdiv(const Tensor& a, const Tensor& b, const Tensor& c, Scalar v) {
  ScalarType t = promote_types(result_type(a, b), result_type(a, c));
  if (is_integral(t, true)) raise<OpError>("Integer division with addcdiv is no longer supported");
  return ternary(Ternary::addcdiv, a, b, c, t, v);
}
Tensor lerp_tensor(const Tensor& a, const Tensor& b, const Tensor& w) {
  if (a.dtype() != b.dtype() || (w.dim() != 0 && a.dtype() != w.dtype()))
    raise<OpError>("expected dtype ", scalar_type_name(a.dtype()), " for `end` and `weight`");
  // A weight without dims takes part in the promotion.
  ScalarType t = promote_types(a.dtype(), result_type(b, w));
  return ternary(Ternary::lerp, a, b, w, t, Scalar(0));
}
Tensor lerp_scalar(const Tensor& a, const Tensor& b, Scalar w) {
  if (a.dtype() != b.dtype())
    raise<OpError>("expected dtype ", scalar_type_name(a.dtype()), " for `end` but got dtype ",
                   scalar_type_name(b.dtype()));
  // The weight is not rounded to a half type.
  ScalarType wt = a.dtype() == kHalf || a.dtype() == kBFloat16 ? kFloat : a.dtype();
  return ternary(Ternary::lerp, a, b, scalar_tensor(w, wt), a.dtype(), Scalar(0));
}
ScalarType category_default(const Scalar& s) {
  return s.is_complex()                 ? kComplexFloat
         : s.is_floating()              ? kFloat
         : s.kind == Scalar::Kind::Bool ? kBool
                                        : kLong;
}
Tensor where_scalar_self(const Tensor& c, Scalar a, const Tensor& b) {
  ScalarType t = result_type(b, a);
  return where(c, scalar_tensor(a, t), cast(b, t));
}
Tensor where_scalar_other(const Tensor& c, const Tensor& a, Scalar b) {
  ScalarType t = result_type(a, b);
  return where(c, cast(a, t), scalar_tensor(b, t));
}
Tensor where_scalars(const Tensor& c, Scalar a, Scalar b) {
  ScalarType t = promote_types(category_default(a), category_default(b));
  return where(c, scalar_tensor(a, t), scalar_tensor(b, t));
}
Tensor complex(const Tensor& re, const Tensor& im) {
  for (ScalarType t : {re.dtype(), im.dtype()})
    if (t != kHalf && t != kFloat && t != kDouble)
      raise<OpError>("Expected both inputs to be Half, Float or Double tensors but got ",
                     scalar_type_name(re.dtype()), " and ", scalar_type_name(im.dtype()));
  if (re.dtype() != im.dtype())
    raise<OpError>("Expected object of scalar type ", scalar_type_name(re.dtype()),
                   " but got scalar type ", scalar_type_name(im.dtype()), " for second argument");
  ScalarType t = re.dtype() == kDouble ? kComplexDouble
                 : re.dtype() == kHalf ? ScalarType::ComplexHalf
                                       : kComplexFloat;
  return binary(Binary::complex_of, re, im, t, t);
}
Tensor polar(const Tensor& r, const Tensor& a) {
  return complex(mul(r, unary(Unary::cos, a, a.dtype())), mul(r, unary(Unary::sin, a, a.dtype())));
}
Tensor isclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  if (a.dtype() != b.dtype())
    raise<OpError>(scalar_type_name(a.dtype()), " did not match ", scalar_type_name(b.dtype()));
  if (!(rtol >= 0)) raise<OpError>("rtol must be greater than or equal to zero, but got ", rtol);
  if (!(atol >= 0)) raise<OpError>("atol must be greater than or equal to zero, but got ", atol);
  Tensor close = eq_tensor(a, b);
  if (is_integral(a.dtype(), true) && rtol == 0 && atol == 0) return close;
  ScalarType t = is_integral(a.dtype(), true) ? kDouble : a.dtype();
  Tensor x = cast(a, t), y = cast(b, t);
  Tensor diff = abs(sub(x, y, Scalar(1)));
  Tensor allowed = add_scalar(mul_scalar(abs(y), Scalar(rtol)), Scalar(atol), Scalar(1));
  Tensor finite = unary(Unary::isfinite, diff, kBool);
  Tensor near = binary(Binary::logical_and, finite,
                       binary(Binary::le, diff, allowed, real_of(t), kBool), kBool, kBool);
  close = binary(Binary::logical_or, close, near, kBool, kBool);
  if (equal_nan && !is_integral(a.dtype(), true))
    close = binary(Binary::logical_or, close,
                   binary(Binary::logical_and, unary(Unary::isnan, x, kBool),
                          unary(Unary::isnan, y, kBool), kBool, kBool),
                   kBool, kBool);
  return close;
}
Tensor prelu(const Tensor& x, const Tensor& w) {
  if (w.dim() > 1)
    raise<OpError>("prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = ",
                   w.dim());
  if (w.numel() > 1 && (x.dim() == 0 || x.size(x.dim() > 1 ? 1 : 0) != w.numel()))
    raise<OpError>(
        "Mismatch of parameter numbers and input channel size. Found parameter "
        "numbers = ",
        w.numel());
  IntVec shape(static_cast<size_t>(std::max<int64_t>(x.dim(), 1)), 1);
  if (w.numel() > 1 && x.dim() > 1) shape[1] = w.numel();
  if (w.numel() > 1 && x.dim() == 1) shape[0] = w.numel();
  Tensor wv = x.dim() == 0 ? reshape(w, {}) : reshape(w, shape);
  return binary(Binary::prelu, x, wv, x.dtype(), x.dtype());
}

// In-place fills and copies.
Tensor fill_scalar_(const Tensor& x, Scalar v) {
  check_fits(v, x.dtype());
  fill(x, v);
  return x;
}
Tensor fill_tensor_(const Tensor& x, const Tensor& v) {
  if (v.dim() != 0)
    raise<OpError>("fill_ only supports 0-dimension value tensor but got tensor with ", v.dim(),
                   " dimensions.");
  copy_to(x, v);
  return x;
}
Tensor fill_scalar(const Tensor& x, Scalar v) { return fill_scalar_(empty_like(x), v); }
Tensor fill_tensor(const Tensor& x, const Tensor& v) { return fill_tensor_(empty_like(x), v); }
Tensor zero_(const Tensor& x) { return fill_scalar_(x, Scalar(0)); }
Tensor copy_(const Tensor& x, const Tensor& src, bool) {
  if (is_quantized(x.dtype()) && !is_quantized(src.dtype()))
    raise<OpError>("copying into a quantised tensor is not supported");
  if (!x.is_same(src)) check_writable(x);
  copy_to(x, src);
  return x;
}
Tensor copy_number(const Tensor& x, Scalar v) { return fill_scalar_(x, v); }
Tensor masked_fill_(const Tensor& x, const Tensor& mask, Scalar v) {
  check_fits(v, x.dtype());
  if (mask.dtype() != kBool && mask.dtype() != kByte)
    raise<OpError>("masked_fill_ only supports boolean masks, but got mask with dtype ",
                   dtype_name(mask.dtype()));
  Tensor m = cast(expand_to(mask, x.sizes()), kBool);
  for (size_t i = 0; i < x.sizes().size(); ++i)
    if (x.strides()[i] == 0 && x.sizes()[i] > 1) {
      // Elements that share memory are filled when the mask has one of them.
      int64_t d = static_cast<int64_t>(i);
      masked_fill_(narrow(x, d, 0, 1), reduce(Reduce::any, m, {d}, true, kBool, kBool), v);
      return x;
    }
  copy_to(x, where(m, scalar_tensor(v, x.dtype()), x));
  return x;
}
// The value of a masked fill: looked at only where the dtype might not hold it.
void check_value(const Tensor& v, const Tensor& x, const char* op) {
  if (v.dim() != 0)
    raise<OpError>(op, " only supports a 0-dimensional value tensor, but got tensor with ", v.dim(),
                   " dimension(s).");
  bool narrower = (is_complex(v.dtype()) && !is_complex(x.dtype())) ||
                  (is_floating(v.dtype()) && is_integral(x.dtype()));
  if (narrower) check_fits(item(v), x.dtype());
}
Tensor masked_fill_tensor(const Tensor& x, const Tensor& mask, const Tensor& v) {
  check_value(v, x, "masked_fill");
  return where(cast(mask, kBool), cast(v, x.dtype()), x);
}
Tensor masked_fill_tensor_(const Tensor& x, const Tensor& mask, const Tensor& v) {
  check_value(v, x, "masked_fill_");
  for (size_t i = 0; i < x.sizes().size(); ++i)
    if (x.strides()[i] == 0 && x.sizes()[i] > 1) return masked_fill_(x, mask, item(v));
  copy_to(x, where(cast(expand_to(mask, x.sizes()), kBool), cast(v, x.dtype()), x));
  return x;
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b, Scalar alpha) {
  ScalarType t = result_type(a, b);
  check_alpha(t, alpha);
  if (t == kBool) alpha = Scalar(int64_t{alpha.d != 0});  // truth values are or-ed
  return binary(Binary::add, a, b, t, t, alpha);
}
Tensor sub(const Tensor& a, const Tensor& b, Scalar alpha) {
  ScalarType t = result_type(a, b);
  if (a.dtype() == kBool || b.dtype() == kBool)
    if (a.dtype() == b.dtype())
      raise<OpError>(
          "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
          "`logical_xor()` operator instead.");
  if (a.dtype() == kBool || b.dtype() == kBool)
    raise<OpError>(
        "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to "
        "invert a mask, use the `~` or `logical_not()` operator instead.");
  check_alpha(t, alpha);
  return binary(Binary::sub, a, b, t, t, alpha);
}
Tensor mul(const Tensor& a, const Tensor& b) { return promoted<Binary::mul>(a, b); }
Tensor div(const Tensor& a, const Tensor& b) { return promoted_float<Binary::div>(a, b); }
Tensor add_scalar(const Tensor& a, Scalar b, Scalar alpha) {
  ScalarType t = result_type(a, b);
  check_alpha(t, alpha);
  return binary_scalar(Binary::add, a, b, t, t, alpha);
}
Tensor mul_scalar(const Tensor& a, Scalar b) { return promoted_scalar<Binary::mul>(a, b); }
Tensor div_scalar(const Tensor& a, Scalar b) { return promoted_float_scalar<Binary::div>(a, b); }
Tensor eq_tensor(const Tensor& a, const Tensor& b) { return compare<Binary::eq>(a, b); }
Tensor lt_tensor(const Tensor& a, const Tensor& b) { return compare<Binary::lt>(a, b); }
Tensor where(const Tensor& c, const Tensor& a, const Tensor& b) {
  if (c.dtype() != kBool && c.dtype() != kByte)
    raise<OpError>("where expected condition to be a boolean tensor, but got a tensor with dtype ",
                   scalar_type_name(c.dtype()));
  ScalarType t = result_type(a, b);
  return ternary(Ternary::where, c, a, b, t, Scalar(0));
}
Tensor masked_fill(const Tensor& t, const Tensor& mask, Scalar v) {
  if (mask.dtype() != kBool && mask.dtype() != kByte)
    raise<OpError>("masked_fill only supports boolean masks, but got mask with dtype ",
                   dtype_name(mask.dtype()));
  check_fits(v, t.dtype());
  IntVec sizes = broadcast(t.sizes(), mask.sizes());
  Tensor out = contiguous(expand_to(t, sizes));
  return where(cast(expand_to(mask, sizes), kBool), scalar_tensor(v, t.dtype()), out);
}

namespace {

constexpr OpDef kOps[] = {
    // clang-format off
    // functions of one tensor; in-place and out= forms follow from these rows
    op<abs>("aten::abs"), op<abs>("prim::abs"), op<same<Unary::neg>>("aten::neg"), op<same<Unary::sign>>("aten::sign"), op<sgn>("aten::sgn"), op<square>("aten::square"),
    op<relu>("aten::relu"), op<relu6>("aten::relu6"), op<identity>("aten::positive"), op<conj>("aten::conj"), op<conj>("aten::_conj"), op<conj>("aten::_conj_physical"), op<conj>("aten::conj_physical"), op<identity>("aten::resolve_conj"), op<identity>("aten::resolve_neg"),
    op<angle>("aten::angle"), op<bitwise_not>("aten::bitwise_not"),
    op<floating<Unary::exp>>("aten::exp"), op<floating<Unary::exp2>>("aten::exp2"), op<floating<Unary::expm1>>("aten::expm1"), op<floating<Unary::log>>("aten::log"), op<floating<Unary::log2>>("aten::log2"),
    op<floating<Unary::log10>>("aten::log10"), op<floating<Unary::log1p>>("aten::log1p"), op<floating<Unary::sqrt>>("aten::sqrt"), op<floating<Unary::rsqrt>>("aten::rsqrt"), op<floating<Unary::reciprocal>>("aten::reciprocal"),
    op<floating<Unary::sin>>("aten::sin"), op<floating<Unary::cos>>("aten::cos"), op<floating<Unary::tan>>("aten::tan"), op<floating<Unary::asin>>("aten::asin"), op<floating<Unary::acos>>("aten::acos"), op<floating<Unary::atan>>("aten::atan"),
    op<floating<Unary::sinh>>("aten::sinh"), op<floating<Unary::cosh>>("aten::cosh"), op<floating<Unary::tanh>>("aten::tanh"), op<floating<Unary::asinh>>("aten::asinh"), op<floating<Unary::acosh>>("aten::acosh"), op<floating<Unary::atanh>>("aten::atanh"),
    op<floating<Unary::erf>>("aten::erf"), op<floating<Unary::erfc>>("aten::erfc"), op<floating<Unary::erfinv>>("aten::erfinv"), op<floating<Unary::sigmoid>>("aten::sigmoid"), op<floating<Unary::lgamma>>("aten::lgamma"),
    op<floating<Unary::digamma>>("aten::digamma"), op<floating<Unary::i0>>("aten::i0"), op<floating<Unary::sinc>>("aten::sinc"), op<floating<Unary::ndtr>>("aten::special_ndtr"), op<floating<Unary::entr>>("aten::special_entr"), op<floating<Unary::log1p>>("aten::special_log1p"),
    op<same<Unary::silu>>("aten::silu"), op<same<Unary::mish>>("aten::mish"), op<same<Unary::hardswish>>("aten::hardswish"), op<same<Unary::hardsigmoid>>("aten::hardsigmoid"), op<same<Unary::logsigmoid>>("aten::log_sigmoid"),
    op<rounding<Unary::floor>>("aten::floor"), op<rounding<Unary::ceil>>("aten::ceil"), op<rounding<Unary::round>>("aten::round"), op<rounding<Unary::trunc>>("aten::trunc"), op<same<Unary::frac>>("aten::frac"), op<round_decimals>("aten::round.decimals"),
    op<predicate<Unary::isnan>>("aten::isnan"), op<predicate<Unary::isinf>>("aten::isinf"), op<predicate<Unary::isfinite>>("aten::isfinite"), op<predicate<Unary::isposinf>>("aten::isposinf"), op<predicate<Unary::isneginf>>("aten::isneginf"),
    op<predicate<Unary::logical_not>>("aten::logical_not"), op<deg2rad>("aten::deg2rad"), op<rad2deg>("aten::rad2deg"),
    op<gelu>("aten::gelu"), op<softplus>("aten::softplus"), op<elu>("aten::elu"), op<selu>("aten::selu"), op<celu>("aten::celu"), op<leaky_relu>("aten::leaky_relu"), op<threshold>("aten::threshold"), op<hardtanh>("aten::hardtanh"),
    op<hardshrink>("aten::hardshrink"), op<softshrink>("aten::softshrink"), op<logit>("aten::logit"), op<glu>("aten::glu"), op<nan_to_num>("aten::nan_to_num"), op<prelu>("aten::prelu"),
    op<clamp_values>("aten::clamp"), op<clamp_tensor>("aten::clamp.Tensor"), op<clamp_min>("aten::clamp_min"), op<clamp_max>("aten::clamp_max"), op<maximum>("aten::clamp_min.Tensor"), op<minimum>("aten::clamp_max.Tensor"),
    // of two
    op<add>("aten::add.Tensor"), op<add_scalar>("aten::add.Scalar"), op<sub>("aten::sub.Tensor"), op<sub_scalar>("aten::sub.Scalar"), op<mul>("aten::mul.Tensor"), op<mul_scalar>("aten::mul.Scalar"),
    op<div>("aten::div.Tensor"), op<div_scalar>("aten::div.Scalar"), op<div_mode>("aten::div.Tensor_mode"), op<div_scalar_mode>("aten::div.Scalar_mode"), op<rsub_scalar>("aten::rsub.Scalar"), op<rsub_tensor>("aten::rsub.Tensor"),
    op<promoted<Binary::floor_div>>("aten::floor_divide"), op<promoted_scalar<Binary::floor_div>>("aten::floor_divide.Scalar"),
    op<promoted<Binary::remainder>>("aten::remainder.Tensor"), op<promoted_scalar<Binary::remainder>>("aten::remainder.Scalar"), op<promoted_rscalar<Binary::remainder>>("aten::remainder.Scalar_Tensor"),
    op<promoted<Binary::fmod>>("aten::fmod.Tensor"), op<promoted_scalar<Binary::fmod>>("aten::fmod.Scalar"),
    op<maximum>("aten::maximum"), op<minimum>("aten::minimum"), op<maximum>("aten::max.other"), op<minimum>("aten::min.other"), op<promoted<Binary::fmax>>("aten::fmax"), op<promoted<Binary::fmin>>("aten::fmin"),
    op<promoted_float<Binary::atan2>>("aten::atan2"), op<promoted<Binary::hypot>>("aten::hypot"), op<promoted_float<Binary::copysign>>("aten::copysign.Tensor"), op<promoted_float_scalar<Binary::copysign>>("aten::copysign.Scalar"),
    op<promoted<Binary::nextafter>>("aten::nextafter"), op<promoted_float<Binary::xlogy>>("aten::xlogy.Tensor"), op<promoted_float_scalar<Binary::xlogy>>("aten::xlogy.Scalar_Other"), op<promoted_float_rscalar<Binary::xlogy>>("aten::xlogy.Scalar_Self"),
    op<promoted_float<Binary::xlog1py>>("aten::special_xlog1py"), op<promoted_float_scalar<Binary::xlog1py>>("aten::special_xlog1py.other_scalar"), op<promoted_float_rscalar<Binary::xlog1py>>("aten::special_xlog1py.self_scalar"), op<promoted_float<Binary::xlogy>>("aten::special_xlogy"), op<promoted_float_scalar<Binary::xlogy>>("aten::special_xlogy.other_scalar"), op<promoted_float_rscalar<Binary::xlogy>>("aten::special_xlogy.self_scalar"),
    op<promoted_float<Binary::logaddexp>>("aten::logaddexp"), op<promoted_float<Binary::logaddexp2>>("aten::logaddexp2"), op<promoted<Binary::heaviside>>("aten::heaviside"), op<promoted<Binary::gcd>>("aten::gcd"), op<promoted<Binary::lcm>>("aten::lcm"),
    op<compare<Binary::eq>>("aten::eq.Tensor"), op<compare_scalar<Binary::eq>>("aten::eq.Scalar"), op<compare<Binary::ne>>("aten::ne.Tensor"), op<compare_scalar<Binary::ne>>("aten::ne.Scalar"),
    op<compare<Binary::lt>>("aten::lt.Tensor"), op<compare_scalar<Binary::lt>>("aten::lt.Scalar"), op<compare<Binary::le>>("aten::le.Tensor"), op<compare_scalar<Binary::le>>("aten::le.Scalar"),
    op<compare<Binary::gt>>("aten::gt.Tensor"), op<compare_scalar<Binary::gt>>("aten::gt.Scalar"), op<compare<Binary::ge>>("aten::ge.Tensor"), op<compare_scalar<Binary::ge>>("aten::ge.Scalar"),
    op<logical<Binary::logical_and>>("aten::logical_and"), op<logical<Binary::logical_or>>("aten::logical_or"), op<logical<Binary::logical_xor>>("aten::logical_xor"),
    op<bitwise<Binary::bitwise_and>>("aten::bitwise_and.Tensor"), op<bitwise_scalar<Binary::bitwise_and>>("aten::bitwise_and.Scalar"), op<bitwise_rscalar<Binary::bitwise_and>>("aten::bitwise_and.Scalar_Tensor"), op<bitwise<Binary::bitwise_and>>("aten::__and__.Tensor"), op<bitwise_scalar<Binary::bitwise_and>>("aten::__and__.Scalar"),
    op<bitwise<Binary::bitwise_or>>("aten::bitwise_or.Tensor"), op<bitwise_scalar<Binary::bitwise_or>>("aten::bitwise_or.Scalar"), op<bitwise_rscalar<Binary::bitwise_or>>("aten::bitwise_or.Scalar_Tensor"), op<bitwise<Binary::bitwise_or>>("aten::__or__.Tensor"), op<bitwise_scalar<Binary::bitwise_or>>("aten::__or__.Scalar"),
    op<bitwise<Binary::bitwise_xor>>("aten::bitwise_xor.Tensor"), op<bitwise_scalar<Binary::bitwise_xor>>("aten::bitwise_xor.Scalar"), op<bitwise_rscalar<Binary::bitwise_xor>>("aten::bitwise_xor.Scalar_Tensor"), op<bitwise<Binary::bitwise_xor>>("aten::__xor__.Tensor"), op<bitwise_scalar<Binary::bitwise_xor>>("aten::__xor__.Scalar"),
    op<bitwise_in_place<Binary::bitwise_and>>("aten::__iand__.Tensor"), op<bitwise_in_place_scalar<Binary::bitwise_and>>("aten::__iand__.Scalar"), op<bitwise_in_place<Binary::bitwise_or>>("aten::__ior__.Tensor"), op<bitwise_in_place_scalar<Binary::bitwise_or>>("aten::__ior__.Scalar"), op<bitwise_in_place<Binary::bitwise_xor>>("aten::__ixor__.Tensor"), op<bitwise_in_place_scalar<Binary::bitwise_xor>>("aten::__ixor__.Scalar"),
    op<shift<Binary::lshift>>("aten::bitwise_left_shift.Tensor"), op<shift_scalar<Binary::lshift>>("aten::bitwise_left_shift.Tensor_Scalar"), op<shift<Binary::rshift>>("aten::bitwise_right_shift.Tensor"), op<shift_scalar<Binary::rshift>>("aten::bitwise_right_shift.Tensor_Scalar"),
    op<bitwise_rscalar<Binary::lshift>>("aten::bitwise_left_shift.Scalar_Tensor"), op<bitwise_rscalar<Binary::rshift>>("aten::bitwise_right_shift.Scalar_Tensor"),
    op<shift<Binary::lshift>>("aten::__lshift__.Tensor"), op<shift_scalar<Binary::lshift>>("aten::__lshift__.Scalar"), op<shift<Binary::rshift>>("aten::__rshift__.Tensor"), op<shift_scalar<Binary::rshift>>("aten::__rshift__.Scalar"),
    op<shift_in_place<Binary::lshift>>("aten::__ilshift__.Tensor"), op<shift_in_place_scalar<Binary::lshift>>("aten::__ilshift__.Scalar"), op<shift_in_place<Binary::rshift>>("aten::__irshift__.Tensor"), op<shift_in_place_scalar<Binary::rshift>>("aten::__irshift__.Scalar"),
    op<pow_tensor_scalar>("aten::pow.Tensor_Scalar"), op<pow_tensor_tensor>("aten::pow.Tensor_Tensor"), op<pow_scalar_tensor>("aten::pow.Scalar"), op<float_power_in_place<Scalar>>("aten::float_power_.Scalar"), op<float_power_in_place<const Tensor&>>("aten::float_power_.Tensor"), op<float_power_scalar>("aten::float_power.Tensor_Scalar"), op<float_power_tensor>("aten::float_power.Tensor_Tensor"), op<float_power_rscalar>("aten::float_power.Scalar"),
    // of three
    op<addcmul>("aten::addcmul"), op<addcdiv>("aten::addcdiv"), op<lerp_tensor>("aten::lerp.Tensor"), op<lerp_scalar>("aten::lerp.Scalar"), op<where>("aten::where.self"), op<where_scalar_self>("aten::where.ScalarSelf"), op<where_scalar_other>("aten::where.ScalarOther"), op<where_scalars>("aten::where.Scalar"),
    op<complex>("aten::complex"), op<polar>("aten::polar"), op<isclose>("aten::isclose"),
    op<masked_fill>("aten::masked_fill.Scalar"), op<masked_fill_tensor>("aten::masked_fill.Tensor"), op<masked_fill_>("aten::masked_fill_.Scalar"), op<masked_fill_tensor_>("aten::masked_fill_.Tensor"),
    // writes
    op<fill_scalar>("aten::fill.Scalar"), op<fill_tensor>("aten::fill.Tensor"), op<fill_scalar_>("aten::fill_.Scalar"), op<fill_tensor_>("aten::fill_.Tensor"), op<zero_>("aten::zero_"), op<copy_>("aten::copy_"), op<copy_number>("aten::copy_.int"), op<copy_number>("aten::copy_.float"),
    // clang-format on
};

}  // namespace

extern const OpTable::RowList kPointwiseOps;
const OpTable::RowList kPointwiseOps = rows_in_build<kOps>();

}  // namespace sconce::ops
