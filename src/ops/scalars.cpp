// SPDX-License-Identifier: Apache-2.0
// Operators on numbers without tensors (compat.md section 4). One row serves every overload of int,
// float, bool and complex: the values carry their kinds.
#include <cfenv>
#include <chrono>
#include <cmath>
#include <numeric>

#include "backends/scalar_math.h"
#include "ops/op.h"

namespace sconce::ops {

Scalar::Scalar(const IValue& v) {
  switch (v.tag()) {
    case Tag::Int: *this = Scalar(v.toInt()); break;
    case Tag::Bool: *this = Scalar(v.toBool()); break;
    case Tag::Double: *this = Scalar(v.toDouble()); break;
    case Tag::ComplexDouble: {
      auto c = v.toComplexDouble();
      kind = Kind::Complex;
      d = c.real();
      im = c.imag();
      i = Scalar(d).i;
      break;
    }
    case Tag::Tensor: {
      const Tensor& t = tensor_of(v);
      *this = sconce::is_floating(t.dtype()) ? Scalar(t.item<double>()) : Scalar(t.item<int64_t>());
      break;
    }
    default: raise<OpError>("expected a number but found ", v.tag_name());
  }
}
IValue Scalar::to_ivalue() const {
  switch (kind) {
    case Kind::Int: return i;
    case Kind::Double: return d;
    case Kind::Bool: return i != 0;
    case Kind::Complex: return std::complex<double>(d, im);
  }
  return IValue();
}

namespace {

using Cd = std::complex<double>;

bool any_complex(Call& c) {
  for (uint32_t i = 0; i < c.n_in(); ++i)
    if (c.in(i).isComplexDouble()) return true;
  return false;
}
bool both_int(Call& c) { return !c.in(0).isDouble() && !c.in(1).isDouble() && !any_complex(c); }
bool both_bool(Call& c) { return c.in(0).isBool() && c.in(1).isBool(); }
double num(const IValue& v) {
  if (v.isBool()) return v.toBool();
  return v.toDouble();
}
uint64_t u(const IValue& v) { return static_cast<uint64_t>(v.toInt()); }

void add(Call& c) {
  if (any_complex(c)) return c.out(0, c.in(0).toComplexDouble() + c.in(1).toComplexDouble());
  if (both_int(c)) return c.out(0, static_cast<int64_t>(u(c.in(0)) + u(c.in(1))));
  c.out(0, num(c.in(0)) + num(c.in(1)));
}
void sub(Call& c) {
  if (any_complex(c)) return c.out(0, c.in(0).toComplexDouble() - c.in(1).toComplexDouble());
  if (both_int(c)) return c.out(0, static_cast<int64_t>(u(c.in(0)) - u(c.in(1))));
  c.out(0, num(c.in(0)) - num(c.in(1)));
}
void mul(Call& c) {
  if (any_complex(c)) return c.out(0, c.in(0).toComplexDouble() * c.in(1).toComplexDouble());
  if (both_int(c)) return c.out(0, static_cast<int64_t>(u(c.in(0)) * u(c.in(1))));
  c.out(0, num(c.in(0)) * num(c.in(1)));
}
void div(Call& c) {
  if (any_complex(c)) return c.out(0, c.in(0).toComplexDouble() / c.in(1).toComplexDouble());
  c.out(0, num(c.in(0)) / num(c.in(1)));
}
int64_t floordiv_int(int64_t a, int64_t b) {
  if (b == 0) raise<OpError>("division by 0");
  if (b == -1) return static_cast<int64_t>(-static_cast<uint64_t>(a));
  int64_t q = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
}
int64_t mod_int(int64_t a, int64_t b) {
  if (b == 0) raise<OpError>("ZeroDivisionError: integer division or modulo by zero");
  if (b == -1) return 0;
  int64_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
double mod_float(double a, double b) {
  double r = std::fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
void floordiv(Call& c) {
  if (both_int(c)) return c.out(0, floordiv_int(c.in(0).toInt(), c.in(1).toInt()));
  c.out(0, std::floor(num(c.in(0)) / num(c.in(1))));
}
void round_to_zero_floordiv(Call& c) {
  const int64_t a = c.in(0).toInt(), b = c.in(1).toInt();
  if (b == 0) raise<OpError>("division by 0");
  c.out(0, b == -1 ? floordiv_int(a, b) : a / b);
}
void remainder(Call& c) {
  if (both_int(c)) return c.out(0, mod_int(c.in(0).toInt(), c.in(1).toInt()));
  c.out(0, mod_float(num(c.in(0)), num(c.in(1))));
}
void fmod_op(Call& c) { c.out(0, std::fmod(num(c.in(0)), num(c.in(1)))); }
void mathremainder(Call& c) { c.out(0, std::remainder(num(c.in(0)), num(c.in(1)))); }
void divmod(Call& c) {
  if (both_int(c)) {
    int64_t a = c.in(0).toInt(), b = c.in(1).toInt();
    if (b == 0) raise<OpError>("ZeroDivisionError: integer division or modulo by zero");
    c.out(0, floordiv_int(a, b));
    c.out(1, mod_int(a, b));
    return;
  }
  double a = num(c.in(0)), b = num(c.in(1));
  if (b == 0) raise<OpError>("ZeroDivisionError: float divmod()");
  double r = mod_float(a, b);
  c.out(0, (a - r) / b);
  c.out(1, r);
}
void pow_op(Call& c) {
  if (any_complex(c))
    return c.out(0, std::pow(c.in(0).toComplexDouble(), c.in(1).toComplexDouble()));
  double a = num(c.in(0)), b = num(c.in(1));
  if (a == 0 && b < 0) raise<OpError>("0.0 cannot be raised to a negative power");
  if (c.op() && c.op()->full_name() == "aten::pow.int_to_int") {
    // Only this overload stays an integer.
    int64_t e = c.in(1).toInt();
    uint64_t r = 1, x = u(c.in(0));
    for (uint64_t k = static_cast<uint64_t>(e); k; k >>= 1, x *= x)
      if (k & 1) r *= x;
    return c.out(0, static_cast<int64_t>(r));
  }
  c.out(0, std::pow(a, b));
}

template <class F>
void compare(Call& c, F f) {
  const IValue &a = c.in(0), &b = c.in(1);
  if (a.isString()) return c.out(0, f(a.toStringRef().compare(b.toStringRef()), 0));
  if (!a.isDouble() && !b.isDouble()) return c.out(0, f(a.toInt(), b.toInt()));
  c.out(0, f(num(a), num(b)));
}
void lt(Call& c) {
  compare(c, [](auto a, auto b) { return a < b; });
}
void le(Call& c) {
  compare(c, [](auto a, auto b) { return a <= b; });
}
void gt(Call& c) {
  compare(c, [](auto a, auto b) { return a > b; });
}
void ge(Call& c) {
  compare(c, [](auto a, auto b) { return a >= b; });
}

void bit_and(Call& c) {
  both_bool(c) ? c.out(0, c.in(0).toBool() && c.in(1).toBool())
               : c.out(0, c.in(0).toInt() & c.in(1).toInt());
}
void bit_or(Call& c) {
  both_bool(c) ? c.out(0, c.in(0).toBool() || c.in(1).toBool())
               : c.out(0, c.in(0).toInt() | c.in(1).toInt());
}
void bit_xor(Call& c) {
  both_bool(c) ? c.out(0, c.in(0).toBool() != c.in(1).toBool())
               : c.out(0, c.in(0).toInt() ^ c.in(1).toInt());
}
void lshift(Call& c) { c.out(0, static_cast<int64_t>(u(c.in(0)) << (u(c.in(1)) & 63))); }
void rshift(Call& c) { c.out(0, c.in(0).toInt() >> (u(c.in(1)) & 63)); }

// Functions of one number: ints give floats, complex where it is defined.
template <double (*F)(double)>
void real_fn(Call& c) {
  c.out(0, F(num(c.in(0))));
}
#define SCONCE_COMPLEX_FN(name)                                                           \
  void name##_op(Call& c) {                                                               \
    if (c.in(0).isComplexDouble()) return c.out(0, std::name(c.in(0).toComplexDouble())); \
    c.out(0, std::name(num(c.in(0))));                                                    \
  }
SCONCE_COMPLEX_FN(sqrt)
SCONCE_COMPLEX_FN(exp)
SCONCE_COMPLEX_FN(sin)
SCONCE_COMPLEX_FN(cos)
SCONCE_COMPLEX_FN(tan)
SCONCE_COMPLEX_FN(asin)
SCONCE_COMPLEX_FN(acos)
SCONCE_COMPLEX_FN(atan)
SCONCE_COMPLEX_FN(sinh)
SCONCE_COMPLEX_FN(cosh)
SCONCE_COMPLEX_FN(tanh)
SCONCE_COMPLEX_FN(asinh)
SCONCE_COMPLEX_FN(acosh)
SCONCE_COMPLEX_FN(atanh)
SCONCE_COMPLEX_FN(log10)
#undef SCONCE_COMPLEX_FN
void log_op(Call& c) {
  if (c.n_in() == 2) {
    if (any_complex(c))
      return c.out(0, std::log(c.in(0).toComplexDouble()) / std::log(c.in(1).toComplexDouble()));
    return c.out(0, std::log(num(c.in(0))) / std::log(num(c.in(1))));
  }
  if (any_complex(c)) return c.out(0, std::log(c.in(0).toComplexDouble()));
  c.out(0, std::log(num(c.in(0))));
}
double degrees_fn(double v) { return v * 180.0 / M_PI; }
double radians_fn(double v) { return v * M_PI / 180.0; }
double erf_fn(double v) { return std::erf(v); }
double erfc_fn(double v) { return std::erfc(v); }
double expm1_fn(double v) { return std::expm1(v); }
double log1p_fn(double v) { return std::log1p(v); }
double gamma_fn(double v) { return std::tgamma(v); }
double lgamma_fn(double v) { return std::lgamma(v); }
double fabs_fn(double v) { return std::fabs(v); }
double round_fn(double v) { return std::nearbyint(v); }

void neg(Call& c) {
  const IValue& v = c.in(0);
  if (v.isComplexDouble()) return c.out(0, -v.toComplexDouble());
  if (v.isDouble()) return c.out(0, -v.toDouble());
  c.out(0, static_cast<int64_t>(-u(v)));
}
void abs_op(Call& c) {
  const IValue& v = c.in(0);
  if (v.isComplexDouble()) return c.out(0, std::abs(v.toComplexDouble()));
  if (v.isDouble()) return c.out(0, std::fabs(v.toDouble()));
  c.out(0, v.toInt() < 0 ? static_cast<int64_t>(-u(v)) : v.toInt());
}
int64_t checked_integer(double v, const char* what) {
  if (!(v >= -9223372036854775808.0 && v < 9223372036854775808.0))
    raise<OpError>("Cannot convert float ", float_str(v), " to integer (", what, ")");
  return static_cast<int64_t>(v);
}
void floor_op(Call& c) {
  c.in(0).isDouble() ? c.out(0, checked_integer(std::floor(c.in(0).toDouble()), "floor"))
                     : c.out(0, c.in(0).toInt());
}
void ceil_op(Call& c) {
  c.in(0).isDouble() ? c.out(0, checked_integer(std::ceil(c.in(0).toDouble()), "ceil"))
                     : c.out(0, c.in(0).toInt());
}
void angle(Call& c) {
  if (c.in(0).isComplexDouble()) return c.out(0, std::arg(c.in(0).toComplexDouble()));
  double v = num(c.in(0));
  c.out(0, v != v ? v : v < 0 ? M_PI : 0.0);
}
// std::polar takes no negative length.
void polar(Call& c) {
  const double length = num(c.in(0)), angle = num(c.in(1));
  c.out(0, std::complex<double>(length * std::cos(angle), length * std::sin(angle)));
}
void atan2_op(Call& c) { c.out(0, std::atan2(num(c.in(0)), num(c.in(1)))); }
void copysign_op(Call& c) { c.out(0, std::copysign(num(c.in(0)), num(c.in(1)))); }
void isnan_op(Call& c) {
  Cd z = c.in(0).toComplexDouble();
  c.out(0, std::isnan(z.real()) || std::isnan(z.imag()));
}
void isinf_op(Call& c) {
  Cd z = c.in(0).toComplexDouble();
  c.out(0, std::isinf(z.real()) || std::isinf(z.imag()));
}
void isfinite_op(Call& c) {
  Cd z = c.in(0).toComplexDouble();
  c.out(0, std::isfinite(z.real()) && std::isfinite(z.imag()));
}
void factorial(Call& c) {
  int64_t n = c.in(0).toInt();
  if (n < 0) raise<OpError>("factorial() not defined for negative values");
  uint64_t r = 1;
  for (int64_t i = 2; i <= n && i < 100; ++i) r *= static_cast<uint64_t>(i);
  c.out(0, static_cast<int64_t>(n >= 66 ? 0 : r));
}
void frexp_op(Call& c) {
  int e;
  double m = std::frexp(num(c.in(0)), &e);
  c.out(0, m);
  c.out(1, static_cast<int64_t>(e));
}
void modf_op(Call& c) {
  double whole, f = std::modf(num(c.in(0)), &whole);
  c.out(0, f);
  c.out(1, whole);
}
void ldexp_op(Call& c) { c.out(0, std::ldexp(num(c.in(0)), static_cast<int>(c.in(1).toInt()))); }
void gcd_op(Call& c) { c.out(0, gcd_value(c.in(0).toInt(), c.in(1).toInt())); }

// Conversions.
void to_int(Call& c) {
  const IValue& v = c.in(0);
  if (v.isString()) {
    const std::string& s = v.toStringRef();
    size_t used = 0;
    int64_t r = 0;
    try {
      r = std::stoll(s, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used == 0 || used != s.size())
      raise<OpError>("invalid literal for int() with base 10: '", s, "'");
    return c.out(0, r);
  }
  if (v.isDouble()) return c.out(0, to_integer<int64_t>(v.toDouble()));
  if (v.isComplexDouble()) raise<OpError>("a complex number cannot be converted to int");
  c.out(0, v.toInt());
}
void to_float(Call& c) {
  const IValue& v = c.in(0);
  if (v.isString()) {
    const std::string& s = v.toStringRef();
    char* end;
    double d = std::strtod(s.c_str(), &end);
    if (s.empty() || *end) raise<OpError>("could not convert string to float: '", s, "'");
    return c.out(0, d);
  }
  if (v.isComplexDouble()) raise<OpError>("a complex number cannot be converted to float");
  c.out(0, num(v));
}
void to_complex(Call& c) {
  auto part = [](const IValue& v) { return Scalar(v).d; };  // numbers and one-element tensors
  if (c.n_in() == 2) return c.out(0, Cd(part(c.in(0)), part(c.in(1))));
  c.out(0, c.in(0).toComplexDouble());
}
void to_bool(Call& c) {
  const IValue& v = c.in(0);
  if (v.isDouble()) return c.out(0, v.toDouble() != 0);
  if (v.isComplexDouble()) return c.out(0, v.toComplexDouble() != Cd(0));
  c.out(0, v.toInt() != 0);
}

// min and max of two numbers or of a list.
template <bool kMax>
void extreme(Call& c) {
  auto less = [](const IValue& a, const IValue& b) {
    return !a.isDouble() && !b.isDouble() ? a.toInt() < b.toInt() : num(a) < num(b);
  };
  if (c.n_in() == 1) {
    auto& items = c.in(0).toListRef().items;
    if (items.empty())
      raise<OpError>("ValueError: ", kMax ? "max" : "min", "() arg is an empty sequence");
    const IValue* best = &items[0];
    for (auto& v : items)
      if (kMax ? less(*best, v) : less(v, *best)) best = &v;
    return c.out(0, *best);
  }
  if (c.in(0).isList()) {  // two lists compare element by element
    auto &a = c.in(0).toListRef().items, &b = c.in(1).toListRef().items;
    bool a_less = std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), less);
    return c.out(0, kMax == a_less ? c.in(1) : c.in(0));
  }
  const IValue &a = c.in(0), &b = c.in(1);
  // The second unless the first is beyond it: so where one is a NaN, and of two zeros.
  const IValue& r = (kMax ? less(b, a) : less(a, b)) ? a : b;
  if (r.isDouble() || (!a.isDouble() && !b.isDouble())) return c.out(0, r);
  c.out(0, num(r));  // an int beside a float
}

void range_length(Call& c) {
  int64_t lo = c.in(0).toInt(), hi = c.in(1).toInt(), step = c.in(2).toInt();
  if (step == 0) raise<OpError>("range() arg 3 must not be zero");
  // Unsigned, which all distances and steps fit into.
  const auto a = static_cast<uint64_t>(lo), b = static_cast<uint64_t>(hi),
             s = static_cast<uint64_t>(step);
  const uint64_t n = step > 0 && lo < hi   ? 1 + (b - 1 - a) / s
                     : step < 0 && lo > hi ? 1 + (a - 1 - b) / (0 - s)
                                           : 0;
  c.out(0, static_cast<int64_t>(n));
}
void derive_index(Call& c) {
  const auto i = static_cast<uint64_t>(c.in(0).toInt()),
             from = static_cast<uint64_t>(c.in(1).toInt()),
             step = static_cast<uint64_t>(c.in(2).toInt());
  c.out(0, static_cast<int64_t>(from + i * step));
}

// Counters and profiling leave no trace here.
void no_effect(Call&) {}
void time_point(Call& c) {
  auto now = std::chrono::steady_clock::now().time_since_epoch();
  c.out(0, IValue(static_cast<int64_t>(
               std::chrono::duration_cast<std::chrono::nanoseconds>(now).count())));
}
// A handle that only record_exit sees; the older operator's is a tensor.
void record_enter(Call& c) { c.out(0, IValue("record")); }
void record_enter_tensor(Call& c) { c.out(0, empty({0}, kByte)); }
void make_generator(Call& c) {
  auto g = make_ref<Generator>();
  if (!c.in(1).isNone()) g->manual_seed(static_cast<uint64_t>(c.in(1).toInt()));
  c.out(0, IValue(g));
}

void seed_generator(Call& c) {
  c.in(0).toGeneratorRef().manual_seed(static_cast<uint64_t>(c.in(1).toInt()));
  c.out(0, c.in(0));
}

constexpr OpDef kOps[] = {
    // clang-format off
    raw("aten::add.*", add), raw("aten::sub.*", sub), raw("aten::mul.*", mul), raw("aten::div.*", div),
    raw("aten::floordiv.*", floordiv), raw("aten::remainder.*", remainder), raw("aten::fmod.*", fmod_op),
    raw("aten::mathremainder.*", mathremainder), raw("aten::divmod.*", divmod), raw("aten::pow.*", pow_op),
    raw("aten::__round_to_zero_floordiv.*", round_to_zero_floordiv),
    raw("aten::lt.*", lt), raw("aten::le.*", le), raw("aten::gt.*", gt), raw("aten::ge.*", ge),
    raw("aten::__and__.*", bit_and), raw("aten::__or__.*", bit_or), raw("aten::__xor__.*", bit_xor),
    raw("aten::__lshift__.*", lshift), raw("aten::__rshift__.*", rshift),
    raw("aten::sqrt.*", sqrt_op), raw("aten::exp.*", exp_op), raw("aten::log.*", log_op), raw("aten::log10.*", log10_op),
    raw("aten::log1p.*", real_fn<log1p_fn>), raw("aten::expm1.*", real_fn<expm1_fn>),
    raw("aten::sin.*", sin_op), raw("aten::cos.*", cos_op), raw("aten::tan.*", tan_op),
    raw("aten::asin.*", asin_op), raw("aten::acos.*", acos_op), raw("aten::atan.*", atan_op),
    raw("aten::sinh.*", sinh_op), raw("aten::cosh.*", cosh_op), raw("aten::tanh.*", tanh_op),
    raw("aten::asinh.*", asinh_op), raw("aten::acosh.*", acosh_op), raw("aten::atanh.*", atanh_op),
    raw("aten::atan2.*", atan2_op), raw("aten::copysign.*", copysign_op), raw("aten::degrees.*", real_fn<degrees_fn>),
    raw("aten::radians.*", real_fn<radians_fn>), raw("aten::erf.*", real_fn<erf_fn>), raw("aten::erfc.*", real_fn<erfc_fn>),
    raw("aten::gamma.*", real_fn<gamma_fn>), raw("aten::lgamma.*", real_fn<lgamma_fn>), raw("aten::fabs.*", real_fn<fabs_fn>),
    raw("aten::round.*", real_fn<round_fn>), raw("aten::neg.*", neg), raw("prim::abs.*", abs_op), raw("aten::floor.*", floor_op),
    raw("aten::ceil.*", ceil_op), raw("aten::angle.*", angle), raw("aten::polar.*", polar), raw("aten::isnan.*", isnan_op),
    raw("aten::isinf.*", isinf_op), raw("aten::isfinite.*", isfinite_op), raw("aten::factorial.*", factorial),
    raw("aten::frexp.*", frexp_op), raw("aten::modf.*", modf_op), raw("aten::ldexp.*", ldexp_op), raw("aten::gcd.*", gcd_op),
    raw("aten::Complex.Tensor_Tensor", to_complex), raw("aten::Complex.Tensor_float", to_complex), raw("aten::Complex.float_Tensor", to_complex), raw("aten::Complex.Tensor_int", to_complex), raw("aten::Complex.int_Tensor", to_complex), raw("aten::Complex.Tensor_bool", to_complex), raw("aten::Complex.bool_Tensor", to_complex),
    raw("prim::AddStatValue", no_effect), raw("prim::TimePoint", time_point), raw("profiler::_record_function_exit", no_effect), raw("profiler::_record_function_exit._RecordFunction", no_effect), raw("profiler::_record_function_enter", record_enter_tensor), raw("profiler::_record_function_enter_new", record_enter), raw("aten::Generator", make_generator), raw("aten::manual_seed.generator", seed_generator),
    raw("aten::Int.*", to_int), raw("aten::Float.*", to_float), raw("aten::Complex.*", to_complex), raw("aten::Bool.*", to_bool),
    raw("prim::min.*", extreme<false>), raw("prim::max.*", extreme<true>),
    raw("aten::__range_length", range_length), raw("aten::__derive_index", derive_index),
    // clang-format on
};

}  // namespace

extern const OpTable::RowList kScalarOps;
const OpTable::RowList kScalarOps = rows_in_build<kOps>();

}  // namespace sconce::ops
