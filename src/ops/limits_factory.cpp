// SPDX-License-Identifier: Apache-2.0
// Limits of factories, windows and random operators.
#include <cmath>
#include <limits>

#include "ops/refusals.h"

namespace sconce::ops {

namespace {

// ---- random ----

// What a dtype holds exactly enough for random integers: [low, high].
std::pair<double, double> range_of(ScalarType t) {
  switch (t) {
    case kBool: return {0, 1};
    case kByte: return {0, 255};
    case kHalf: return {-65504, 65504};
    case kBFloat16: return {-0x1.fep127, 0x1.fep127};
    case kFloat: return {-0x1.fffffep127, 0x1.fffffep127};
    case kDouble: return {-std::numeric_limits<double>::max(), std::numeric_limits<double>::max()};
    default: {
      const double half = std::ldexp(1.0, static_cast<int>(8 * element_size(t)) - 1);
      return {-half, half - 1};
    }
  }
}

void check_random_range(ScalarType t, int64_t from, int64_t to) {
  if (from >= to)
    raise<OpError>("random_ expects 'from' to be less than 'to', but got from=", from,
                   " >= to=", to);
  if (is_complex(t))
    raise<OpError>("check_random_bounds handles only integral, floating-point and boolean types");
  if (t == kLong) return;
  const auto [low, high] = range_of(t);
  auto check = [&, lo = low, hi = high](double x, const char* what) {
    if (x < lo || x > hi) raise<OpError>(what, " is out of bounds for ", scalar_type_name(t));
  };
  check(static_cast<double>(from), "from");
  check(static_cast<double>(to - 1), "to - 1");
}

ScalarType target_dtype(const Arguments& a, ScalarType fallback) {
  if (const Tensor* out = a.tensor("out")) return out->dtype();
  if (auto t = a.integer("dtype")) return to_scalar_type(*t);
  if (const Tensor* self = a.tensor("self")) return self->dtype();
  return fallback;
}

void random_limits(const Call& c) {
  Arguments a(c);
  const Tensor* self = a.tensor("self");
  if (self && is_complex(self->dtype()))
    raise<OpError>("\"random_kernel_cpu\" not implemented for '", scalar_type_name(self->dtype()),
                   "'");
  if (!self) return;
  if (!a.find("to")) {
    const double from = static_cast<double>(a.integer("from").value_or(0));
    if (const auto [low, high] = range_of(self->dtype());
        self->dtype() != kLong && (from < low || from > high))
      raise<OpError>("from is out of bounds for ", scalar_type_name(self->dtype()));
    return;
  }
  check_random_range(self->dtype(), a.integer("from").value_or(0), *a.integer("to"));
}
void randint_limits(const Call& c) {
  Arguments a(c);
  check_random_range(target_dtype(a, kFloat), a.integer("low").value_or(0),
                     a.integer("high").value_or(1));
}

void check_continuous(ScalarType t, const char* what) {
  if (!is_floating(t))
    raise<OpError>(what,
                   " distribution is a continuous probability distribution. dtype must be a "
                   "floating point but you specified ",
                   scalar_type_name(t));
}
void exponential_limits(const Call& c) {
  Arguments a(c);
  const double lambda = a.number("lambd").value_or(1);
  if (!(lambda > 0)) raise<OpError>("exponential_ expects lambda > 0.0, but found lambda=", lambda);
  if (const Tensor* t = a.tensor("self")) check_continuous(t->dtype(), "Exponential");
}
void geometric_limits(const Call& c) {
  Arguments a(c);
  const double p = a.number("p").value_or(0.5);
  if (!(p > 0 && p < 1)) raise<OpError>("geometric_ expects p to be in (0, 1), but got p=", p);
}
void cauchy_limits(const Call& c) {
  Arguments a(c);
  const double sigma = a.number("sigma").value_or(1);
  if (!(sigma > 0)) raise<OpError>("cauchy_ expects sigma > 0.0, but found sigma=", sigma);
  if (const Tensor* t = a.tensor("self")) check_continuous(t->dtype(), "Cauchy");
}
void log_normal_limits(const Call& c) {
  Arguments a(c);
  const double std = a.number("std").value_or(2);
  if (!(std > 0)) raise<OpError>("log_normal_ expects std > 0.0, but found std=", std);
  if (const Tensor* t = a.tensor("self"); t && !is_floating(t->dtype()))
    raise<OpError>("\"log_normal_cpu\" not implemented for '", scalar_type_name(t->dtype()), "'");
}
// Uniform and normal values: integers have none.
void check_uniform_dtype(ScalarType t) {
  if (is_integral(t, true))
    raise<OpError>("\"check_uniform_bounds\" not implemented for '", scalar_type_name(t), "'");
}
void check_normal_dtype(ScalarType t) {
  if (is_integral(t, true))
    raise<OpError>("\"normal_kernel_cpu\" not implemented for '", scalar_type_name(t), "'");
}
void uniform_limits(const Call& c) {
  Arguments a(c);
  const Tensor* t = a.tensor("self");
  if (!t) return;
  check_uniform_dtype(t->dtype());
  const double from = a.number("from").value_or(0), to = a.number("to").value_or(1);
  const auto [low, high] = range_of(is_complex(t->dtype()) ? real_of(t->dtype()) : t->dtype());
  auto check = [&, lo = low, hi = high](double x, const char* what) {
    if (!(x >= lo && x <= hi))
      raise<OpError>(what, " is out of bounds for ", scalar_type_name(t->dtype()));
  };
  check(from, "from");
  check(to, "to");
  if (from > to)
    raise<OpError>("uniform_ expects to return a [from, to) range, but found from=", from,
                   " > to=", to);
  if (!(to - from <= high))
    raise<OpError>("uniform_ expects to-from <= std::numeric_limits<", scalar_type_name(t->dtype()),
                   ">::max(), but found to=", to, " and from=", from,
                   " which result in to-from to exceed the limit");
}
void rand_limits(const Call& c) { check_uniform_dtype(target_dtype(Arguments(c), kFloat)); }
void randn_limits(const Call& c) { check_normal_dtype(target_dtype(Arguments(c), kFloat)); }
void normal_limits(const Call& c) {
  Arguments a(c);
  const Tensor *mean = a.tensor("mean"), *std = a.tensor("std");
  const Tensor* target = a.tensor("out");
  if (!target) target = a.tensor("self");
  if (std && is_complex(std->dtype()))
    raise<OpError>("normal expects standard deviation to be non-complex");
  if (auto s = a.number("std"); s && !(*s >= 0))
    raise<OpError>("normal expects std >= 0.0, but found std ", *s);
  if (std && std->numel()) {
    for (double x : host_doubles(*std))
      if (!(x >= 0)) raise<OpError>("normal expects all elements of std >= 0.0");
  }
  if (target)
    check_normal_dtype(target->dtype());
  else if (mean || std)
    check_normal_dtype(mean ? mean->dtype() : std->dtype());
  else
    check_normal_dtype(target_dtype(a, kFloat));
}
void bernoulli_limits(const Call& c) {
  Arguments a(c);
  const Tensor* self = a.tensor("self");
  const Tensor* p = a.tensor("p");
  if (auto one = a.number("p"); one && !(*one >= 0 && *one <= 1))
    raise<OpError>("bernoulli_ expects p to be in [0, 1], but got p=", *one);
  if (self && is_complex(self->dtype()))
    raise<OpError>("\"bernoulli_scalar_cpu_\" not implemented for '",
                   scalar_type_name(self->dtype()), "'");
  if (!p && !a.find("p") && (a.name() == "aten::bernoulli")) p = self;
  if (!p) return;
  if (!is_floating(p->dtype()))
    raise<OpError>("\"bernoulli_tensor_cpu_p_\" not implemented for '",
                   scalar_type_name(p->dtype()), "'");
  for (double x : host_doubles(*p))
    if (!(x >= 0 && x <= 1))
      raise<OpError>("Expected p_in >= 0 && p_in <= 1 to be true, but got false.");
}
void multinomial_limits(const Call& c) {
  Arguments a(c);
  const Tensor* p = a.tensor("self");
  if (!p) return;
  const int64_t n = a.integer("num_samples").value_or(1);
  const bool replacement = a.flag("replacement").value_or(false);
  if (const Tensor* out = a.tensor("out"); out && out->dtype() != kLong)
    raise<OpError>("multinomial expects Long tensor out, got: ", scalar_type_name(out->dtype()));
  if (p->dim() < 1 || p->dim() > 2) raise<OpError>("prob_dist must be 1 or 2 dim");
  if (!is_floating(p->dtype()))
    raise<OpError>("multinomial only supports floating-point dtypes for input, got: ",
                   scalar_type_name(p->dtype()));
  if (n <= 0) raise<OpError>("cannot sample n_sample <= 0 samples");
  const int64_t categories = p->size(-1);
  if (!replacement && n > categories)
    raise<OpError>("cannot sample n_sample > prob_dist.size(-1) samples without replacement");
  if (categories > int64_t{1} << 24) raise<OpError>("number of categories cannot exceed 2^24");
  if (categories == 0)
    raise<OpError>("invalid multinomial distribution (sum of probabilities <= 0)");
  if (p->numel() == 0 || (replacement && n > 1)) return;  // judged row by row where it is sampled
  const std::vector<double> values = host_doubles(*p);
  for (size_t at = 0; at < values.size(); at += static_cast<size_t>(categories)) {
    double sum = 0;
    for (size_t i = 0; i < static_cast<size_t>(categories); ++i) {
      const double x = values[at + i];
      if (!(x >= 0) || std::isinf(x))
        raise<OpError>("probability tensor contains either `inf`, `nan` or element < 0");
      sum += x;
    }
    if (sum == 0) raise<OpError>("invalid multinomial distribution (sum of probabilities <= 0)");
  }
}
void randperm_limits(const Call& c) {
  Arguments a(c);
  const int64_t n = a.integer("n").value_or(0);
  const ScalarType t = target_dtype(a, kLong);
  if (n < 0) raise<OpError>("n must be non-negative, got ", n);
  if (t == kHalf || t == kFloat || t == kDouble || t == kBFloat16) {
    const int digits = t == kHalf ? 11 : t == kFloat ? 24 : t == kDouble ? 53 : 8;
    if (n > (int64_t{1} << digits) + 1)
      raise<OpError>("n cannot be greater than ", (int64_t{1} << digits) + 1, " for ",
                     scalar_type_name(t), " type.");
  } else if (n > 0) {
    if (!is_integral(t))
      raise<OpError>("\"randperm\" not implemented for '", scalar_type_name(t), "'");
    check_fits(Scalar(n), t);
  }
}

// ---- sequences ----

void arange_limits(const Call& c) {
  Arguments a(c);
  ScalarType t = kLong;
  for (const char* name : {"start", "end", "step"})
    if (const IValue* v = a.find(name); v && v->isDouble()) t = kFloat;
  t = target_dtype(a, t);
  if ((a.find("dtype") || a.tensor("out")) && (t == kBool || is_complex(t)))
    raise<OpError>("\"arange_cpu\" not implemented for '", scalar_type_name(t), "'");
  for (const char* name : {"start", "end", "step"}) {
    auto x = a.number(name);
    if (x && is_integral(t))
      check_fits(
          Scalar(*a.find(name)).is_floating() ? Scalar(std::trunc(*x)) : Scalar(*a.find(name)),
          kLong);
    if (x && !std::isfinite(*x))
      raise<OpError>("unsupported range: ", a.number("start").value_or(0), " -> ",
                     a.number("end").value_or(0));
  }
}
void range_limits(const Call& c) {
  Arguments a(c);
  const double start = a.number("start").value_or(0), end = a.number("end").value_or(0),
               step = a.number("step").value_or(1);
  if (step == 0) raise<OpError>("step must be nonzero");
  if (!std::isfinite(start) || !std::isfinite(end))
    raise<OpError>("unsupported range: ", start, " -> ", end);
  if ((step > 0) != (end >= start) && end != start)
    raise<OpError>("upper bound and lower bound inconsistent with step sign");
  const ScalarType t = target_dtype(a, kFloat);
  if (t == kBool || is_complex(t) || t == kHalf)
    raise<OpError>("\"range_cpu\" not implemented for '", scalar_type_name(t), "'");
}
// Of each kind of window.
void window_limits(const Call& c) {
  Arguments a(c);
  std::string_view name = a.name();
  name.remove_prefix(6);
  const ScalarType t = target_dtype(a, kFloat);
  const int64_t n = a.integer("window_length").value_or(0);
  if (is_integral(t, true))
    raise<OpError>(name, " expects floating point dtypes, got: ", scalar_type_name(t));
  if (n < 0) raise<OpError>(name, " requires non-negative window_length, got window_length=", n);
  if (n > 1 && is_complex(t))
    raise<OpError>("\"arange_cpu\" not implemented for '", scalar_type_name(t), "'");
}
void eye_limits(const Call& c) {
  Arguments a(c);
  for (const char* name : {"n", "m"})
    if (auto k = a.integer(name); k && *k < 0)
      raise<OpError>(name, " must be greater or equal to 0, got ", *k);
}
void tri_indices_limits(const Call& c) {
  Arguments a(c);
  for (const char* name : {"row", "col"})
    if (auto k = a.integer(name); k && *k < 0)
      raise<OpError>(name, " must be non-negative, got", *k);
  if (auto t = a.integer("dtype")) {
    const ScalarType dtype = to_scalar_type(*t);
    if (!is_integral(dtype) || dtype == kByte || dtype == kChar)
      if (is_complex(dtype) || dtype == kBool)
        raise<OpError>("\"tril_indices\" not implemented for '", scalar_type_name(dtype), "'");
  }
}
// Numbers of another tensor's dims that the format can't order.
void format_limits(const Call& c) {
  Arguments a(c);
  const auto format = a.integer("memory_format");
  if (!format || (*format != 2 && *format != 3)) return;
  const int64_t wanted = *format == 2 ? 4 : 5;
  int64_t rank = -1;
  if (auto size = a.integers("size"))
    rank = static_cast<int64_t>(size->size());
  else if (const Tensor* self = a.tensor("self"))
    rank = self->dim();
  if (rank >= 0 && rank != wanted)
    raise<OpError>("required rank ", wanted, " tensor to use channels_last",
                   wanted == 5 ? "_3d" : "", " format");
}
void like_limits(const Call& c) { format_limits(c); }
void rand_like_limits(const Call& c) {
  format_limits(c);
  rand_limits(c);
}
void randn_like_limits(const Call& c) {
  format_limits(c);
  randn_limits(c);
}
void randint_like_limits(const Call& c) {
  format_limits(c);
  randint_limits(c);
}

constexpr Limit kRows[] = {
    {"aten::random_.*", random_limits},
    {"aten::random.*", random_limits},
    {"aten::randint.*", randint_limits},
    {"aten::randint_like.*", randint_like_limits},
    {"aten::exponential_", exponential_limits},
    {"aten::exponential.*", exponential_limits},
    {"aten::geometric_", geometric_limits},
    {"aten::geometric.*", geometric_limits},
    {"aten::cauchy_", cauchy_limits},
    {"aten::cauchy.*", cauchy_limits},
    {"aten::log_normal_", log_normal_limits},
    {"aten::log_normal.*", log_normal_limits},
    {"aten::uniform_", uniform_limits},
    {"aten::uniform.*", uniform_limits},
    {"aten::rand.*", rand_limits},
    {"aten::randn.*", randn_limits},
    {"aten::rand_like.*", rand_like_limits},
    {"aten::randn_like.*", randn_like_limits},
    {"aten::normal_", normal_limits},
    {"aten::normal.*", normal_limits},
    {"aten::normal_functional", normal_limits},
    {"aten::bernoulli.*", bernoulli_limits},
    {"aten::bernoulli_.*", bernoulli_limits},
    {"aten::multinomial.*", multinomial_limits},
    {"aten::randperm.*", randperm_limits},
    {"aten::arange.*", arange_limits},
    {"aten::range.*", range_limits},
    {"aten::hann_window.*", window_limits},
    {"aten::hamming_window.*", window_limits},
    {"aten::blackman_window.*", window_limits},
    {"aten::bartlett_window.*", window_limits},
    {"aten::kaiser_window.*", window_limits},
    {"aten::eye.*", eye_limits},
    {"aten::tril_indices", tri_indices_limits},
    {"aten::triu_indices", tri_indices_limits},
    {"aten::zeros_like", like_limits},
    {"aten::ones_like", like_limits},
    {"aten::full_like", like_limits},
    {"aten::empty_like", like_limits},
    {"aten::empty.memory_format", like_limits},
};

}  // namespace

extern const LimitList kFactoryLimits;
const LimitList kFactoryLimits = rows_in_build<kRows, LimitList>();

}  // namespace sconce::ops
