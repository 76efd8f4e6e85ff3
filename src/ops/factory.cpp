// SPDX-License-Identifier: Apache-2.0
// Tensors from nothing: factories, *_like, new_*, random numbers, and tensors from Python values.
#include <cmath>

#include "core/interrupt.h"
#include "ops/channels_last.h"
#include "ops/host_memory.h"
#include "ops/random_bounds.h"
#include "ops/tensor_ops.h"
#include "support/stack.h"

namespace sconce::ops {

namespace {

// Arguments by their names: factories share their keyword arguments.
class Named {
 public:
  explicit Named(Call& c) : c_(c), s_(c.op()->schema()) {
    if (const IValue* d = find("device")) scope_.emplace(find_device(d->toDevice()));
  }
  const IValue* find(const char* name) const {
    int i = s_.argument_index(name);
    return i < 0 || c_.in(static_cast<uint32_t>(i)).isNone() ? nullptr
                                                             : &c_.in(static_cast<uint32_t>(i));
  }
  const IValue& get(const char* name) const {
    const IValue* v = find(name);
    if (!v) raise<OpError>(s_.name, ": argument ", name, " is missing");
    return *v;
  }
  Scalar scalar(const char* name, Scalar fallback = Scalar(0)) const {
    const IValue* v = find(name);
    return v ? (v->isTensor() ? item(tensor_of(*v)) : Scalar(*v)) : fallback;
  }
  int64_t integer(const char* name, int64_t fallback = 0) const {
    const IValue* v = find(name);
    return v ? (v->isTensor() ? item(tensor_of(*v)).i : v->toInt()) : fallback;
  }
  ScalarType dtype(ScalarType fallback) const {
    const IValue* v = find("dtype");
    return v ? to_scalar_type(v->toInt()) : fallback;
  }
  Generator* generator() const {
    const IValue* v = find("generator");
    return v ? &v->toGeneratorRef() : nullptr;
  }

 private:
  Call& c_;
  const FunctionSchema& s_;
  std::optional<DeviceScope> scope_;  // of the argument device
};

Tensor shaped(const Named& n, ScalarType fallback) {
  IntVec size = to_ints(n.get("size"));
  const IValue* format = n.find("memory_format");
  ScalarType t = n.dtype(fallback);
  if (format && format->toInt() == 2 && size.size() == 4)
    return empty_strided(size, channels_last_strides(size), t);
  return empty(size, t);
}
Tensor like(const Named& n) {
  const Tensor& self = tensor_of(n.get("self"));
  const IValue* format = n.find("memory_format");
  ScalarType t = n.dtype(self.dtype());
  if (format && format->toInt() == 0) return empty(self.sizes(), t);
  if (format && format->toInt() == 2 && self.dim() == 4) {
    auto s = self.sizes();
    return empty_strided(s, channels_last_strides(s), t);
  }
  return empty_like(self, t);
}
Tensor filled(Tensor t, const Scalar& v) {
  check_fits(v, t.dtype());
  fill(t, v);
  return t;
}
ScalarType type_of(const Scalar& s) {
  return s.is_complex()                 ? kComplexFloat
         : s.is_floating()              ? kFloat
         : s.kind == Scalar::Kind::Bool ? kBool
                                        : kLong;
}

void zeros_op(Call& c) { c.out(0, filled(shaped(Named(c), kFloat), Scalar(0))); }
void ones_op(Call& c) { c.out(0, filled(shaped(Named(c), kFloat), Scalar(1))); }
void full_op(Call& c) {
  Named n(c);
  Scalar v = n.scalar("fill_value");
  c.out(0, filled(shaped(n, type_of(v)), v));
}
// Fresh memory of torch.empty is uninitialised; zeros are as good as any and the same in every run.
void empty_like_op(Call& c) { c.out(0, filled(like(Named(c)), Scalar(0))); }
void zeros_like_op(Call& c) { c.out(0, filled(like(Named(c)), Scalar(0))); }
void ones_like_op(Call& c) { c.out(0, filled(like(Named(c)), Scalar(1))); }
void full_like_op(Call& c) {
  Named n(c);
  c.out(0, filled(like(n), n.scalar("fill_value")));
}
ScalarType self_type(const Named& n) { return tensor_of(n.get("self")).dtype(); }
void new_empty(Call& c) {
  Named n(c);
  c.out(0, filled(shaped(n, self_type(n)), Scalar(0)));
}
void new_zeros(Call& c) { new_empty(c); }
void new_ones(Call& c) {
  Named n(c);
  c.out(0, filled(shaped(n, self_type(n)), Scalar(1)));
}
void new_full(Call& c) {
  Named n(c);
  c.out(0, filled(shaped(n, self_type(n)), n.scalar("fill_value")));
}
void empty_strided_op(Call& c) {
  Named n(c);
  const IValue* self = n.find("self");
  c.out(0, filled(empty_strided(to_ints(n.get("size")), to_ints(n.get("stride")),
                                n.dtype(self ? tensor_of(*self).dtype() : kFloat)),
                  Scalar(0)));
}
void scalar_tensor_op(Call& c) {
  Named n(c);
  c.out(0, ops::scalar_tensor(n.scalar("s"), n.dtype(kFloat)));
}
void eye(Call& c) {
  Named n(c);
  int64_t rows = n.integer("n"), cols = n.find("m") ? n.integer("m") : rows;
  Tensor t = empty({rows, cols}, n.dtype(kFloat));
  if (t.numel()) call_slot(SequenceArgs{view_of(t), {}, Sequence::eye, {}, {}, {}});
  c.out(0, t);
}
void arange(Call& c) {
  Named n(c);
  Scalar start = n.scalar("start", Scalar(0)), end = n.scalar("end"),
         step = n.scalar("step", Scalar(1));
  bool real = start.is_floating() || end.is_floating() || step.is_floating();
  ScalarType t = n.dtype(real ? kFloat : kLong);
  if (step.d == 0) raise<OpError>("step must be nonzero");
  if ((step.d > 0) != (end.d >= start.d) && end.d != start.d)
    raise<OpError>("upper bound and larger bound inconsistent with step sign");
  double size;
  if (t == kLong) {  // between whole numbers, whatever was given
    for (Scalar* v : {&start, &end, &step})
      if (v->is_floating()) *v = Scalar(v->i);
    if (step.i == 0) raise<OpError>("step must be nonzero");
    const long double span = static_cast<long double>(end.i) - static_cast<long double>(start.i);
    size = std::ceil(static_cast<double>(span / static_cast<long double>(step.i)));
  } else {
    size = std::ceil((end.d - start.d) / step.d);
  }
  if (!(size >= 0 && size < 9e15)) raise<OpError>("arange: invalid size ", size);
  Tensor r = empty({static_cast<int64_t>(size)}, t);
  if (r.numel())
    call_slot(
        SequenceArgs{view_of(r), {}, Sequence::arange, number(start), number(end), number(step)});
  c.out(0, r);
}
void range_op(Call& c) {
  Named n(c);
  Scalar start = n.scalar("start"), end = n.scalar("end"), step = n.scalar("step", Scalar(1));
  Tensor r = empty({Scalar((end.d - start.d) / step.d + 1).i}, n.dtype(kFloat));
  if (r.numel())
    call_slot(
        SequenceArgs{view_of(r), {}, Sequence::arange, number(start), number(end), number(step)});
  c.out(0, r);
}
template <Sequence S>
void spaced(Call& c) {
  Named n(c);
  int64_t steps = n.integer("steps", 100);
  if (steps < 0) raise<OpError>("number of steps must be non-negative");
  const Scalar start = n.scalar("start"), end = n.scalar("end");
  if (start.is_complex() || end.is_complex()) {
    // From both ends to the middle, in steps of the result's dtype.
    const ScalarType t = n.dtype(kComplexFloat);
    Tensor first = scalar_tensor(start, t), last = scalar_tensor(end, t);
    Tensor step = div_scalar(sub(last, first, Scalar(1)),
                             Scalar(static_cast<double>(std::max<int64_t>(steps - 1, 1))));
    Tensor up = arange_ints(steps / 2, t), down = arange_ints(steps - steps / 2, t);
    // down: how far from the last one, the farthest first
    down = binary_scalar(Binary::sub, down, Scalar(static_cast<double>(steps - steps / 2 - 1)), t,
                         t, Scalar(1), true);
    Tensor z =
        cat({add(mul(up, step), first, Scalar(1)), sub(last, mul(down, step), Scalar(1))}, 0);
    if (S == Sequence::logspace)
      z = binary_scalar(Binary::pow, z, n.scalar("base", Scalar(10.0)), t, t, Scalar(1), true);
    return c.out(0, z);
  }
  Tensor r = empty({steps}, n.dtype(kFloat));
  Scalar base(S == Sequence::logspace ? n.scalar("base", Scalar(10.0)) : Scalar(0));
  if (r.numel())
    call_slot(SequenceArgs{view_of(r), {}, S, number(start), number(end), number(base)});
  c.out(0, r);
}
template <bool Upper>
void tri_indices(Call& c) {
  Named n(c);
  int64_t rows = n.integer("row"), cols = n.integer("col"), off = n.integer("offset");
  Tensor ones = filled(empty({rows, cols}, kBool), Scalar(1));
  c.out(0, cast(contiguous(transpose(nonzero(triangle(ones, off, Upper)), 0, 1)), n.dtype(kLong)));
}
// 0.5 - 0.5 cos(2 pi n / N) and its relatives.
Tensor window(const Named& n, double a, double b, double d) {
  int64_t len = n.integer("window_length");
  bool periodic = !n.find("periodic") || n.get("periodic").toBool();
  ScalarType t = n.dtype(kFloat);
  if (len == 0) return empty({0}, t);
  if (len == 1) return filled(empty({1}, t), Scalar(1));
  Tensor x = empty({len}, kDouble);
  call_slot(SequenceArgs{view_of(x),
                         {},
                         Sequence::arange,
                         number(Scalar(0.0)),
                         {},
                         number(Scalar(2 * M_PI / static_cast<double>(periodic ? len : len - 1)))});
  Tensor w =
      add_scalar(mul_scalar(unary(Unary::cos, x, kDouble), Scalar(-b)), Scalar(a), Scalar(1));
  if (d != 0)
    w = add(w, mul_scalar(unary(Unary::cos, mul_scalar(x, Scalar(2.0)), kDouble), Scalar(d)),
            Scalar(1));
  return cast(w, t);
}
void hann_window(Call& c) { c.out(0, window(Named(c), 0.5, 0.5, 0)); }
void hamming_window(Call& c) {
  Named n(c);
  c.out(0, window(n, n.scalar("alpha", Scalar(0.54)).d, n.scalar("beta", Scalar(0.46)).d, 0));
}
void blackman_window(Call& c) { c.out(0, window(Named(c), 0.42, 0.5, 0.08)); }

// ---- random ----

Tensor normal_(const Tensor& t, double mean, double std, Generator* g);
Tensor uniform_(const Tensor& t, double lo, double hi, Generator* g);

void rand_op(Call& c) {
  Named n(c);
  Tensor t = n.find("size") ? shaped(n, kFloat) : like(n);
  c.out(0, uniform_(t, 0, 1, n.generator()));
}
void randn_op(Call& c) {
  Named n(c);
  Tensor t = n.find("size") ? shaped(n, kFloat) : like(n);
  c.out(0, normal_(t, 0, 1, n.generator()));
}
Tensor random_from_(const Tensor& t, int64_t lo, OptInt to, Generator* g) {
  const WholeRange r = whole_range(t.dtype());
  const bool real = is_floating(t.dtype());
  if (!to && lo == INT64_MIN) {
    if (t.dtype() != kLong && !(real && t.dtype() != kHalf))
      raise<OpError>("random_ of all 64 bits handles only int64, double, float and bfloat16");
    random_fill(t, Random::random_bits, 0, 0, 0, 0, g);
    return t;
  }
  int64_t last;  // the greatest number that may come
  if (to) {
    if (lo >= *to)
      raise<OpError>("random_ expects 'from' to be less than 'to', but got from=", lo,
                     " >= to=", *to);
    int64_t hi = *to;
    if (real) {
      lo = move_bound(t.dtype(), lo, true, r.digits);
      hi = move_bound(t.dtype(), hi, false, r.digits);
      if (lo >= hi)
        raise<OpError>(
            "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, "
            "but got from=",
            lo, " >= to=", hi);
    }
    last = hi - 1;
  } else if (real) {
    last = int64_t{1} << r.digits;
    lo = move_bound(t.dtype(), lo, true, r.digits);
    if (lo >= last)
      raise<OpError>(
          "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' "
          "casted to dtype, but got from=",
          lo, " > to_inc=", last);
  } else {
    last = t.dtype() == kLong ? INT64_MAX : static_cast<int64_t>(r.greatest);
  }
  for (int64_t v : {lo, last})
    if (static_cast<double>(v) < r.least || static_cast<double>(v) > r.greatest)
      raise<OpError>(v == lo ? "from" : "to - 1", " is out of bounds for ",
                     scalar_type_name(t.dtype()));
  random_fill(t, Random::randint, 0, 0, lo, last, g);
  return t;
}
void randint_op(Call& c) {
  Named n(c);
  // The schema's dtype is long; None is the default dtype.
  Tensor t = n.find("size") ? shaped(n, kFloat) : like(n);
  c.out(0, random_from_(t, n.integer("low", 0), n.integer("high"), n.generator()));
}
void randperm(Call& c) {
  Named n(c);
  int64_t k = n.integer("n");
  if (k < 0) raise<OpError>("n must be non-negative, got ", k);
  Tensor t = empty({k}, n.dtype(kLong));
  random_fill(t, Random::randperm, 0, 0, 0, 0, n.generator());
  c.out(0, t);
}
void normal_floats(Call& c) {
  Named n(c);
  Tensor t = shaped(n, kFloat);
  c.out(0, normal_(t, n.scalar("mean").d, n.scalar("std").d, n.generator()));
}
void normal_tensors(Call& c) {
  Named n(c);
  const IValue &m = n.get("mean"), &s = n.get("std");
  IntVec size;
  ScalarType t = kFloat;
  for (const IValue* v : {&m, &s})
    if (v->isTensor()) {
      size = broadcast(size, tensor_of(*v).sizes());
      if (v == &m || !m.isTensor()) t = tensor_of(*v).dtype();
    }
  if (s.isTensor() && is_complex(tensor_of(s).dtype()))
    raise<OpError>("normal expects standard deviation to be non-complex");
  Tensor r = normal_(empty(size, t), 0, 1, n.generator());
  r = s.isTensor() ? mul(r, tensor_of(s)) : mul_scalar(r, Scalar(s));
  r = m.isTensor() ? add(r, tensor_of(m), Scalar(1)) : add_scalar(r, Scalar(m), Scalar(1));
  c.out(0, cast(r, t));
}
// Distributions of real numbers draw no others.
void check_real(const Tensor& t, const char* name, bool complex) {
  if (!is_floating(t.dtype()) && !(complex && is_complex(t.dtype())))
    raise<OpError>("\"", name, "\" not implemented for '", scalar_type_name(t.dtype()), "'");
}
Tensor normal_(const Tensor& t, double mean, double std, Generator* g) {
  if (!(std >= 0)) raise<OpError>("normal expects std >= 0.0, but found std ", std);
  if (t.numel() == 0) return t;
  check_real(t, "normal_kernel_cpu", true);
  random_fill(t, Random::normal, mean, std, 0, 0, g);
  return t;
}
Tensor uniform_(const Tensor& t, double lo, double hi, Generator* g) {
  check_real(t, "check_uniform_bounds", true);
  if (lo > hi)
    raise<OpError>("uniform_ expects to return a [from, to) range, but found from=", lo,
                   " > to=", hi);
  random_fill(t, Random::uniform, lo, hi, 0, 0, g);
  return t;
}
Tensor bernoulli_float_(const Tensor& t, double p, Generator* g) {
  if (!(p >= 0 && p <= 1)) raise<OpError>("bernoulli_ expects p to be in [0, 1], but got p=", p);
  if (is_complex(t.dtype())) check_real(t, "bernoulli_scalar_cpu_", false);
  random_fill(t, Random::bernoulli, p, 0, 0, 0, g);
  return t;
}
Tensor bernoulli_tensor_(const Tensor& t, const Tensor& p, Generator* g) {
  if (is_complex(t.dtype())) check_real(t, "bernoulli_tensor_cpu_self_", false);
  Tensor q = expand_to(p, t.sizes());
  random_fill(t, Random::bernoulli_tensor, 0, 0, 0, 0, g, &q);
  return t;
}
Tensor bernoulli(const Tensor& p, Generator* g) {
  return bernoulli_tensor_(empty(p.sizes(), p.dtype()), p, g);
}
Tensor bernoulli_tensor(const Tensor& t, const Tensor& p, Generator* g) {
  return bernoulli_tensor_(empty(t.sizes(), t.dtype()), p, g);
}
Tensor bernoulli_p(const Tensor& t, double p, Generator* g) {
  return bernoulli_float_(empty(t.sizes(), t.dtype()), p, g);
}
void check_floating(const Tensor& t, const char* name, bool halves = false) {
  if (t.dtype() != kFloat && t.dtype() != kDouble && !(halves && is_floating(t.dtype())))
    raise<OpError>("\"", name, "\" not implemented for '", scalar_type_name(t.dtype()), "'");
}
Tensor standard_gamma(const Tensor& alpha, Generator* g) {
  check_floating(alpha, "_standard_gamma");
  Tensor r = empty(alpha.sizes(), alpha.dtype());
  if (r.numel()) random_fill(r, Random::standard_gamma, 0, 0, 0, 0, g, &alpha);
  return r;
}
Tensor poisson(const Tensor& rate, Generator* g) {
  check_floating(rate, "poisson", true);
  Tensor r = empty(rate.sizes(), rate.dtype());
  if (r.numel()) random_fill(r, Random::poisson, 0, 0, 0, 0, g, &rate);
  return r;
}
Tensor binomial(const Tensor& count, const Tensor& prob, Generator* g) {
  check_floating(count, "binomial");
  if (count.dtype() != prob.dtype())
    raise<OpError>("Found dtype ", scalar_type_name(prob.dtype()), " but expected ",
                   scalar_type_name(count.dtype()));
  IntVec s = broadcast(count.sizes(), prob.sizes());
  Tensor n = expand_to(count, s), p = expand_to(prob, s), r = empty(s, count.dtype());
  if (r.numel()) random_fill(r, Random::binomial, 0, 0, 0, 0, g, &n, &p);
  return r;
}
// Gammas, divided by their sum.
Tensor sample_dirichlet(const Tensor& alpha, Generator* g) {
  check_floating(alpha, "dirichlet");
  Tensor x = standard_gamma(cast(alpha, kDouble), g);
  Tensor sum = reduce(Reduce::sum, x, {x.dim() - 1}, true, kDouble, kDouble);
  const double least = alpha.dtype() == kDouble
                           ? std::numeric_limits<double>::min()
                           : static_cast<double>(std::numeric_limits<float>::min());
  return cast(unary(Unary::clamp, div(x, sum), kDouble, least, std::nextafter(1.0, 0.0)),
              alpha.dtype());
}
Tensor exponential_(const Tensor& t, double l, Generator* g) {
  check_real(t, "exponential_cpu", false);
  if (!(l > 0)) raise<OpError>("exponential_ expects lambda > 0.0, but found lambda=", l);
  random_fill(t, Random::exponential, l, 0, 0, 0, g);
  return t;
}
Tensor geometric_(const Tensor& t, double p, Generator* g) {
  if (!(p > 0 && p < 1)) raise<OpError>("geometric_ expects p to be in (0, 1), but got p=", p);
  if (t.numel() == 0) return t;
  if (t.dtype() == kBool || is_complex(t.dtype())) check_real(t, "geometric_cpu", false);
  random_fill(t, Random::geometric, p, 0, 0, 0, g);
  return t;
}
Tensor cauchy_(const Tensor& t, double m, double s, Generator* g) {
  if (!(s > 0)) raise<OpError>("cauchy_ expects sigma > 0.0, but found sigma=", s);
  check_real(t, "cauchy_cpu", false);
  random_fill(t, Random::cauchy, m, s, 0, 0, g);
  return t;
}
Tensor log_normal_(const Tensor& t, double m, double s, Generator* g) {
  if (!(s > 0)) raise<OpError>("log_normal_ expects std > 0.0, but found std=", s);
  if (t.numel() == 0) return t;
  check_real(t, "log_normal_cpu", false);
  random_fill(t, Random::log_normal, m, s, 0, 0, g);
  return t;
}
Tensor random_(const Tensor& t, Generator* g) {
  random_fill(t, Random::random_full, 0, 0, 0, 0, g);
  return t;
}
Tensor random_to_(const Tensor& t, int64_t hi, Generator* g) { return random_from_(t, 0, hi, g); }
Tensor multinomial(const Tensor& p, int64_t n, bool replacement, Generator* g) {
  if (!is_floating(p.dtype()) || p.dim() < 1 || p.dim() > 2)
    raise<OpError>(
        "multinomial only supports floating-point probability distributions with 1 or 2 dims");
  if (n <= 0) raise<OpError>("cannot sample n_sample <= 0 samples");
  if (!replacement && n > p.size(-1))
    raise<OpError>("cannot sample n_sample > prob_dist.size(-1) samples without replacement");
  auto v = host_doubles(p);
  for (double x : v)
    if (!(x >= 0) || std::isinf(x))
      raise<OpError>("probability tensor contains either `inf`, `nan` or element < 0");
  if (!replacement || n == 1) {
    Tensor q = empty_like(p);
    random_fill(q, Random::exponential, 1, 0, 0, 0, g);
    Tensor r = div(p, q);
    if (n == 1) {
      Tensor am = empty(r.dim() == 2 ? IntVec{r.size(0)} : IntVec{}, kLong);
      call_slot(ArgReduceArgs{{}, view_of(am), view_of(r), true});
      return unsqueeze(am, -1);
    }
    IntVec s(p.sizes());
    s[s.size() - 1] = n;
    Tensor vals = empty(s, p.dtype()), idx = empty(s, kLong);
    call_slot(SortArgs{view_of(vals), view_of(idx), view_of(r), true, true, n, true, false});
    return idx;
  }
  int64_t cols = p.size(-1), rows = p.numel() / cols;
  IntVec s(p.sizes());
  s[s.size() - 1] = n;
  Tensor out = empty(s, kLong);
  Generator& gen = generator_or_default(g);
  std::lock_guard<std::mutex> lock(gen.mutex);
  Interrupt interrupt;
  for (int64_t r = 0; r < rows; ++r) {
    auto cum = host_vector<double>(cols);
    double sum = 0;
    for (int64_t k = 0; k < cols; ++k)
      cum[static_cast<size_t>(k)] = sum =
          p.dtype() == kDouble
              ? sum + v[static_cast<size_t>(r * cols + k)]
              : static_cast<double>(static_cast<float>(sum) +
                                    static_cast<float>(v[static_cast<size_t>(r * cols + k)]));
    if (sum <= 0) raise<OpError>("invalid multinomial distribution (sum of probabilities <= 0)");
    for (auto& x : cum)
      x = p.dtype() == kDouble
              ? x / sum
              : static_cast<double>(static_cast<float>(x) / static_cast<float>(sum));
    cum.back() = 1;
    interrupt.passed(2 * cols);
    for (int64_t i = 0; i < n; ++i) {
      interrupt.passed(16);
      double u =
          static_cast<double>(gen.random64() & ((uint64_t{1} << 53) - 1)) * 1.1102230246251565e-16;
      const auto k =
          static_cast<int64_t>(std::lower_bound(cum.begin(), cum.end() - 1, u) - cum.begin());
      fill(make_view(out, {}, {}, r * n + i), Scalar(k));
    }
  }
  return out;
}
void manual_seed_op(Call& c) {
  if (c.n_in() == 1) context().generator->manual_seed(static_cast<uint64_t>(c.in(0).toInt()));
}
void check_probability(double p) {
  if (!(p >= 0 && p <= 1))
    raise<OpError>("dropout probability has to be between 0 and 1, but got ", p);
}
Tensor feature_dropout(const Tensor& x, double p, bool train) {
  check_probability(p);
  if (!train || p == 0 || x.numel() == 0) return x;
  if (is_integral(x.dtype(), true) && p != 1) check_castable(kFloat, x.dtype());
  if (p == 1) return is_integral(x.dtype(), true) ? zeros_like_of(x) : mul_scalar(x, Scalar(0.0));
  if (x.dim() < 2) raise<OpError>("Feature dropout requires at least 2 dimensions in the input");
  IntVec s(x.sizes());
  for (size_t i = 2; i < s.size(); ++i) s[i] = 1;
  Tensor m = empty(s, x.dtype());
  bernoulli_float_(m, 1 - p, nullptr);
  return mul(x, div_scalar(m, Scalar(1 - p)));
}
Tensor alpha_dropout(const Tensor& x, double p, bool train) {
  check_probability(p);
  if (!train || p == 0 || x.numel() == 0) return x;
  if (is_integral(x.dtype(), true) && p != 1) check_castable(kFloat, x.dtype());
  if (p == 1) return mul_scalar(x, Scalar(0.0));
  constexpr double alpha = 1.7580993408473766;
  double a = 1 / std::sqrt((alpha * alpha * p + 1) * (1 - p));
  Tensor m = empty_like(x);
  bernoulli_float_(m, 1 - p, nullptr);
  Tensor b = add_scalar(mul_scalar(add_scalar(m, Scalar(-1), Scalar(1)), Scalar(alpha * a)),
                        Scalar(alpha * a * p), Scalar(1));
  return add(mul_scalar(mul(x, m), Scalar(a)), b, Scalar(1));
}
std::tuple<Tensor, Tensor> native_dropout(const Tensor& x, double p, OptBool train) {
  Tensor m = empty_like(x, kBool);
  if (!train.value_or(true) || p == 0) {
    fill(m, Scalar(1));
    return {clone(x), m};
  }
  bernoulli_float_(m, 1 - p, nullptr);
  return {mul_scalar(mul(x, cast(m, x.dtype())), Scalar(1 / (1 - p))), m};
}

// ---- tensors from values ----

void collect(const IValue& v, size_t depth, IntVec& shape, std::vector<Scalar>& out) {
  check_stack();
  if (!v.isList()) {
    out.emplace_back(v);
    return;
  }
  auto& items = v.toListRef().items;
  auto n = static_cast<int64_t>(items.size());
  if (shape.size() <= depth)
    shape.push_back(n);
  else if (shape[depth] != n)
    raise<OpError>("Expected sequence of length ", shape[depth], " at dim ", depth, " (got ", n,
                   ")");
  for (auto& x : items) collect(x, depth + 1, shape, out);
}
Tensor from_value(const IValue& v, std::optional<ScalarType> dtype) {
  if (v.isTensor()) return dtype ? cast(tensor_of(v), *dtype) : tensor_of(v);
  TypePtr element = v.isList() ? v.toListRef().elem_type : types::floating();
  while (element->kind == TypeKind::List) element = element->elems[0];
  if (element->kind == TypeKind::Tensor)
    raise<OpError>("Input must be of ints, floats, or bools, got Tensor",
                   v.toListRef().items.empty()
                       ? "\nEmpty lists default to List[Tensor]. Add a variable annotation to the "
                         "assignment to create an empty list of another type"
                       : "");
  IntVec shape;
  std::vector<Scalar> values;
  collect(v, 0, shape, values);
  ScalarType t = kBool;
  for (auto& s : values) t = promote_types(t, type_of(s));
  if (values.empty())
    t = element->kind == TypeKind::Int       ? kLong
        : element->kind == TypeKind::Bool    ? kBool
        : element->kind == TypeKind::Complex ? kComplexFloat
                                             : kFloat;
  Tensor r = empty(shape, dtype.value_or(t));
  for (size_t i = 0; i < values.size(); ++i)
    fill(make_view(r, {}, {}, static_cast<int64_t>(i)), values[i]);
  return r;
}
void tensor_op(Call& c) {
  Named n(c);
  const IValue* d = n.find("dtype");
  const IValue& value = c.in(0);
  const DeviceRuntime* home =
      value.isTensor() ? tensor_of(value).impl()->storage->device() : nullptr;
  const DeviceRuntime* device = n.find("device") || !value.isTensor() ? context().device : home;
  Tensor r;
  {
    DeviceScope scope(home);  // made where its elements are
    r = from_value(value, d ? std::optional<ScalarType>(to_scalar_type(d->toInt())) : std::nullopt);
    r = copy_extent(r, device);
  }
  c.out(0, c.in(0).isTensor() && std::string_view(c.op()->name()) == "aten::tensor" ? clone(r) : r);
}
Tensor num_to_tensor(Scalar s) {
  return ops::scalar_tensor(s, s.is_complex()                 ? kComplexDouble
                               : s.is_floating()              ? kDouble
                               : s.kind == Scalar::Kind::Bool ? kBool
                                                              : kLong);
}

void tolist(Call& c) {
  if (c.n_in() != 3) raise<OpError>("tolist: 3 arguments are expected but got ", c.n_in());
  const Tensor& t = tensor_in(c, 0);
  int64_t depth = c.in(1).toInt(), kind = c.in(2).toInt();
  bool fits = kind == 0   ? t.dtype() == kLong
              : kind == 1 ? t.dtype() == kFloat || t.dtype() == kDouble
              : kind == 2 ? t.dtype() == kBool
                          : is_complex(t.dtype());
  if (t.dim() != depth)
    raise<OpError>(
        "Output annotation list dimension and runtime tensor dimension must match for tolist(), "
        "got ",
        depth, " and ", t.dim());
  if (!fits)
    raise<OpError>(
        "Output annotation element type and runtime tensor element type must match for tolist()");
  TypePtr elem = kind == 0   ? types::integer()
                 : kind == 1 ? types::floating()
                 : kind == 2 ? types::boolean()
                             : types::complex();
  expect_memory(static_cast<double>(t.numel()) * sizeof(IValue));
  Tensor x = contiguous(t);
  expect_lists(x.sizes());
  Interrupt interrupt;
  std::function<IValue(const Tensor&, int64_t)> build = [&](const Tensor& y, int64_t d) -> IValue {
    if (d == 0) {
      Scalar s = item(y);
      return s.to_ivalue();
    }
    TypePtr e = elem;
    for (int64_t i = 1; i < d; ++i) e = types::list(e);
    auto l = make_ref<ListBox>(e);
    interrupt.passed(64);
    for (int64_t i = 0; i < y.size(0); ++i) l->items.push_back(build(select(y, 0, i), d - 1));
    return l;
  };
  c.out(0, build(x, depth));
}

// ---- queries ----

IValue item_op(const Tensor& t) { return item(t).to_ivalue(); }
const Tensor& check_implicit(const Tensor& t) {
  if (t.dim() != 0)
    raise<OpError>("Cannot input a tensor of dimension other than 0 as a scalar argument");
  if (t.requires_grad())
    raise<OpError>("Cannot input a tensor that requires grad as a scalar argument");
  return t;
}
int64_t int_implicit(const Tensor& t) {
  check_implicit(t);
  if (!is_integral(t.dtype()))
    raise<OpError>("Cannot input a tensor of type ", scalar_type_name(t.dtype()),
                   " as an integral argument");
  return item(t).i;
}
double float_implicit(const Tensor& t) {
  check_implicit(t);
  if (t.dtype() != kDouble && !is_floating(t.dtype()) && !is_integral(t.dtype(), true))
    raise<OpError>("Cannot input a tensor of type ", scalar_type_name(t.dtype()),
                   " as a float argument");
  return item(t).d;
}
IValue scalar_implicit(const Tensor& t) { return item(check_implicit(t)).to_ivalue(); }
IValue complex_implicit(const Tensor& t) {
  const Scalar s = item(check_implicit(t));
  return std::complex<double>(s.d, s.im);
}
int64_t int_of(const Tensor& t) {
  Scalar s = item(t);
  if (s.is_complex()) raise<OpError>("value cannot be converted to type int64_t without overflow");
  return s.i;
}
double float_of(const Tensor& t) { return item(t).d; }
int64_t dtype_of(const Tensor& t) { return static_cast<int64_t>(t.dtype()); }
Device device_of(const Tensor& t) { return t.device(); }
int64_t layout_of(const Tensor&) { return 0; }
bool requires_grad(const Tensor& t) { return t.requires_grad(); }
IValue none(const Tensor&) { return IValue(); }
IValue grad_of(const Tensor&) { return IValue(Tensor()); }
template <bool V>
bool constant_of(const Tensor&) {
  return V;
}
bool is_nested_of(const Tensor& t) { return t.impl()->nested_rows != nullptr; }
bool is_quantized_of(const Tensor& t) { return is_quantized(t.dtype()); }
template <DeviceType D>
bool is_on(const Tensor& t) {
  return t.device().type == D;
}
bool is_floating_point(const Tensor& t) { return is_floating(t.dtype()); }
bool is_complex_of(const Tensor& t) { return is_complex(t.dtype()); }
bool is_signed(const Tensor& t) {
  return t.dtype() != kByte && t.dtype() != kBool &&
         !(t.dtype() >= ScalarType::UInt16 && t.dtype() <= ScalarType::UInt64);
}
bool is_nonzero(const Tensor& t) { return bool_of(t); }
int64_t len_of(const Tensor& t) {
  if (t.dim() == 0) raise<OpError>("len() of a 0-d tensor");
  return t.size(0);
}
int64_t itemsize(const Tensor& t) { return static_cast<int64_t>(element_size(t.dtype())); }
int64_t nbytes(const Tensor& t) { return t.numel() * itemsize(t); }
int64_t result_type_tt(const Tensor& a, const Tensor& b) {
  return static_cast<int64_t>(result_type(a, b));
}
int64_t result_type_ts(const Tensor& a, Scalar b) {
  return static_cast<int64_t>(result_type(a, b));
}
int64_t result_type_st(Scalar a, const Tensor& b) {
  return static_cast<int64_t>(result_type(b, a));
}
int64_t result_type_ss(Scalar a, Scalar b) {
  return static_cast<int64_t>(promote_types(type_of(a), type_of(b)));
}
int64_t promote_types_op(int64_t a, int64_t b) {
  return static_cast<int64_t>(promote_types(to_scalar_type(a), to_scalar_type(b)));
}
bool can_cast(int64_t a, int64_t b) {
  try {
    check_castable(to_scalar_type(a), to_scalar_type(b));
    return true;
  } catch (const OpError&) {
    return false;
  }
}
bool is_same_size(const Tensor& a, const Tensor& b) { return a.sizes() == b.sizes(); }
bool is_set_to(const Tensor& a, const Tensor& b) {
  return a.impl()->storage == b.impl()->storage && a.sizes() == b.sizes() &&
         a.strides() == b.strides() && a.storage_offset() == b.storage_offset();
}
void assert_async(Call& c) {
  if (!bool_of(tensor_in(c, 0)))
    raise<OpError>(c.n_in() > 1
                       ? c.in(1).toStringRef()
                       : std::string("Expected Tensor with single nonzero value, but got zero"));
}
Tensor resize_(const Tensor& t, IntVec size, OptInt format) {
  const bool last = format && *format == 2;
  if (last && size.size() != 4)
    raise<OpError>("required rank 4 tensor to use channels_last format");
  if (!format && t.sizes() == IntArrayRef(size)) return t;  // strides stay as well
  IntVec strides(contiguous_strides(size));
  if (last) strides = channels_last_strides(size);
  t.impl()->storage->resize(
      static_cast<size_t>(check_form(size, strides, t.storage_offset(), t.dtype())));
  t.mutable_impl()->sizes = size;
  t.mutable_impl()->strides = strides;
  t.impl()->form_changed();
  return t;
}
Tensor requires_grad_(const Tensor& t, bool on) {
  t.mutable_impl()->requires_grad = on;
  t.impl()->form_changed();
  return t;
}

}  // namespace

Generator& generator_or_default(Generator* g) { return g ? *g : *context().generator; }
void random_fill(const Tensor& t, Random op, double p, double q, int64_t lo, int64_t hi,
                 Generator* g, const Tensor* in, const Tensor* in2) {
  if (is_complex(t.dtype()) && (op == Random::normal || op == Random::uniform)) {
    // Real and imaginary parts are drawn as numbers of their own, of half the variance each.
    IntVec sizes(t.sizes()), strides(t.strides());
    for (auto& s : strides) s = checked_mul(s, 2);
    sizes.push_back(2);
    strides.push_back(1);
    const Tensor parts =
        make_view_as(t, real_of(t.dtype()), sizes, strides, checked_mul(t.storage_offset(), 2));
    return random_fill(parts, op, p, op == Random::normal ? q / std::sqrt(2.0) : q, lo, hi, g, in,
                       in2);
  }
  call_slot(RandomArgs{view_of(t), in ? view_of(*in) : TensorView{},
                       in2 ? view_of(*in2) : TensorView{}, op, p, q, lo, hi,
                       &generator_or_default(g)});
}
Tensor dropout(const Tensor& x, double p, bool train) {
  if (p < 0 || p > 1) raise<OpError>("dropout probability has to be between 0 and 1, but got ", p);
  if (!train || p == 0 || x.numel() == 0) return x;
  if (is_integral(x.dtype(), true) && p != 1) check_castable(kFloat, x.dtype());
  if (p == 1) return is_integral(x.dtype(), true) ? zeros_like_of(x) : mul_scalar(x, Scalar(0.0));
  Tensor m = empty_like(x);
  bernoulli_float_(m, 1 - p, nullptr);
  return mul(x, div_scalar(m, Scalar(1 - p)));
}
Tensor zeros_like_of(const Tensor& t) { return filled(empty_like(t), Scalar(0)); }
Tensor arange_ints(int64_t n, ScalarType dtype) {
  Tensor r = empty({n}, dtype);
  if (n)
    call_slot(
        SequenceArgs{view_of(r), {}, Sequence::arange, number(Scalar(0)), {}, number(Scalar(1))});
  return r;
}

namespace {
std::vector<Tensor> meshgrid_impl(TensorList l, bool xy) {
  IntVec shape;
  for (auto& t : l) {
    if (t.dim() > 1) raise<OpError>("torch.meshgrid: Expected 0D or 1D tensor in the tensor list");
    if (t.dtype() != l[0].dtype())
      raise<OpError>("torch.meshgrid expects all tensors to have the same dtype");
  }
  if (xy && l.size() >= 2) std::swap(l[0], l[1]);
  for (auto& t : l) shape.push_back(t.numel());
  TensorList r;
  for (size_t i = 0; i < l.size(); ++i) {
    IntVec s(l.size(), 1);
    s[i] = l[i].numel();
    r.push_back(expand_to(reshape(l[i], s), shape));
  }
  if (xy && r.size() >= 2) std::swap(r[0], r[1]);
  return r;
}
TensorList meshgrid(TensorList l) { return meshgrid_impl(l, false); }
TensorList meshgrid_indexing(TensorList l, const std::string& how) {
  if (how != "ij" && how != "xy")
    raise<OpError>("torch.meshgrid: indexing must be one of \"xy\" or \"ij\", but received: ", how);
  return meshgrid_impl(l, how == "xy");
}

constexpr OpDef kOps[] = {
    // clang-format off
    raw("aten::empty.memory_format", zeros_op), raw("aten::zeros", zeros_op), raw("aten::ones", ones_op), raw("aten::full", full_op), raw("aten::empty_like", empty_like_op), raw("aten::zeros_like", zeros_like_op), raw("aten::ones_like", ones_like_op), raw("aten::full_like", full_like_op),
    raw("aten::new_empty", new_empty), raw("aten::new_zeros", new_zeros), raw("aten::new_ones", new_ones), raw("aten::new_full", new_full), raw("aten::empty_strided", empty_strided_op), raw("aten::new_empty_strided", empty_strided_op), raw("aten::scalar_tensor", scalar_tensor_op),
    raw("aten::eye", eye), raw("aten::eye.m", eye), raw("aten::arange", arange), raw("aten::arange.start", arange), raw("aten::arange.start_step", arange), raw("aten::range", range_op), raw("aten::range.step", range_op),
    raw("aten::linspace", spaced<Sequence::linspace>), raw("aten::linspace.Tensor_Tensor", spaced<Sequence::linspace>), raw("aten::linspace.Tensor_Scalar", spaced<Sequence::linspace>), raw("aten::linspace.Scalar_Tensor", spaced<Sequence::linspace>),
    raw("aten::logspace", spaced<Sequence::logspace>), raw("aten::logspace.Tensor_Tensor", spaced<Sequence::logspace>), raw("aten::logspace.Tensor_Scalar", spaced<Sequence::logspace>), raw("aten::logspace.Scalar_Tensor", spaced<Sequence::logspace>),
    raw("aten::tril_indices", tri_indices<false>), raw("aten::triu_indices", tri_indices<true>), raw("aten::hann_window", hann_window), raw("aten::hann_window.periodic", hann_window), raw("aten::hamming_window.*", hamming_window), raw("aten::blackman_window.*", blackman_window),
    raw("aten::rand", rand_op), raw("aten::rand.generator", rand_op), raw("aten::rand_like", rand_op), raw("aten::rand_like.generator", rand_op), raw("aten::randn", randn_op), raw("aten::randn.generator", randn_op), raw("aten::randn_like", randn_op), raw("aten::randn_like.generator", randn_op),
    raw("aten::randint", randint_op), raw("aten::randint.low", randint_op), raw("aten::randint.generator", randint_op), raw("aten::randint.low_generator", randint_op), raw("aten::randint_like", randint_op), raw("aten::randint_like.low_dtype", randint_op), raw("aten::randint_like.Tensor", randint_op), raw("aten::randint_like.generator", randint_op),
    raw("aten::randperm", randperm), raw("aten::randperm.generator", randperm), raw("aten::normal.float_float", normal_floats), raw("aten::normal.Tensor_float", normal_tensors), raw("aten::normal.float_Tensor", normal_tensors), raw("aten::normal.Tensor_Tensor", normal_tensors),
    op<normal_>("aten::normal_"), op<uniform_>("aten::uniform_"), op<bernoulli_float_>("aten::bernoulli_.float"), op<bernoulli_tensor_>("aten::bernoulli_.Tensor"), op<bernoulli>("aten::bernoulli"), op<bernoulli_p>("aten::bernoulli.p"), op<bernoulli_tensor>("aten::bernoulli.Tensor"), op<exponential_>("aten::exponential_"), op<geometric_>("aten::geometric_"),
    op<cauchy_>("aten::cauchy_"), op<log_normal_>("aten::log_normal_"), op<random_>("aten::random_"), op<random_to_>("aten::random_.to"), op<random_from_>("aten::random_.from"), op<multinomial>("aten::multinomial"), op<standard_gamma>("aten::_standard_gamma"), op<poisson>("aten::poisson"), op<binomial>("aten::binomial"), op<sample_dirichlet>("aten::_sample_dirichlet"), raw("aten::manual_seed", manual_seed_op),
    op<dropout>("aten::dropout"), op<feature_dropout>("aten::feature_dropout"), op<alpha_dropout>("aten::alpha_dropout"), op<native_dropout>("aten::native_dropout"),
    raw("aten::tensor", tensor_op), raw("aten::tensor.int", tensor_op), raw("aten::tensor.float", tensor_op), raw("aten::tensor.bool", tensor_op), raw("aten::tensor.complex", tensor_op), raw("aten::as_tensor", tensor_op), raw("aten::as_tensor.int", tensor_op), raw("aten::as_tensor.float", tensor_op),
    raw("aten::as_tensor.bool", tensor_op), raw("aten::as_tensor.complex", tensor_op), raw("aten::as_tensor.list", tensor_op), op<num_to_tensor>("prim::NumToTensor.Scalar"), op<num_to_tensor>("prim::NumToTensor.bool"), raw("prim::tolist", tolist),
    op<item_op>("aten::item"), op<item_op>("aten::_local_scalar_dense"), op<int_implicit>("aten::IntImplicit"), op<float_implicit>("aten::FloatImplicit"), op<scalar_implicit>("aten::ScalarImplicit"), op<complex_implicit>("aten::ComplexImplicit"),
    op<int_of>("aten::Int.Tensor"), op<float_of>("aten::Float.Tensor"), op<bool_of>("aten::Bool.Tensor"), op<is_nonzero>("aten::is_nonzero"),
    op<dtype_of>("prim::dtype"), op<device_of>("prim::device"), op<layout_of>("prim::layout"), op<requires_grad>("prim::requires_grad"), op<grad_of>("prim::grad"), op<none>("prim::name"), op<is_on<DeviceType::CPU>>("prim::is_cpu"), op<is_on<DeviceType::CUDA>>("prim::is_cuda"), op<constant_of<false>>("prim::is_xpu"),
    op<constant_of<false>>("prim::is_sparse"), op<constant_of<false>>("prim::is_sparse_csr"), op<constant_of<false>>("prim::is_mkldnn"), op<constant_of<false>>("prim::is_mps"), op<is_nested_of>("prim::is_nested"), op<constant_of<false>>("prim::is_vulkan"), op<constant_of<false>>("prim::is_xla"), op<constant_of<false>>("prim::is_ipu"),
    op<constant_of<false>>("prim::is_maia"), op<is_quantized_of>("prim::is_quantized"), op<is_on<DeviceType::Meta>>("prim::is_meta"), op<is_floating_point>("aten::is_floating_point"), op<is_complex_of>("aten::is_complex"), op<is_signed>("aten::is_signed"), op<constant_of<true>>("aten::is_leaf"), op<constant_of<false>>("aten::retains_grad"),
    op<constant_of<false>>("aten::is_conj"), op<constant_of<false>>("aten::is_neg"), op<constant_of<false>>("aten::is_inference"), op<meshgrid>("aten::meshgrid"), op<meshgrid_indexing>("aten::meshgrid.indexing"), op<len_of>("aten::len.Tensor"), op<itemsize>("prim::itemsize"), op<nbytes>("prim::nbytes"), op<itemsize>("aten::element_size"),
    op<result_type_tt>("aten::result_type.Tensor"), op<result_type_ts>("aten::result_type.Scalar"), op<result_type_st>("aten::result_type.Scalar_Tensor"), op<result_type_ss>("aten::result_type.Scalar_Scalar"), op<promote_types_op>("aten::promote_types"), op<can_cast>("aten::can_cast"),
    op<is_same_size>("aten::is_same_size"), op<is_set_to>("aten::is_set_to"), raw("aten::_assert_async", assert_async), raw("aten::_assert_async.msg", assert_async), op<resize_>("aten::resize_"), op<requires_grad_>("aten::requires_grad_"),
    // clang-format on
};

}  // namespace

extern const OpTable::RowList kFactoryOps;
const OpTable::RowList kFactoryOps = rows_in_build<kOps>();

}  // namespace sconce::ops
