// SPDX-License-Identifier: Apache-2.0
// Reductions: a row of what is reduced for each output; scans run a row in one thread.
#include "backends/cuda/rows.h"

#include "backends/cuda/launch.h"
#include "backends/cuda/walk.h"

namespace sconce::cuda {

namespace {

// What a reduction walks over: outputs with the start of their inputs, and the inputs of one.
struct Rows {
  Walk<2> outer;  // out, in
  Walk<1> inner;
  bool wide;  // more than 32 bits number: these instead
  Strided<2> wide_outer;
  Strided<1> wide_inner;
  ScalarType to, from;
  // Of one output.
  SCONCE_GPU const char* line(int64_t row) const {
    int64_t o[2];
    wide ? wide_outer.offsets(row, o) : outer.offsets(row, o);
    return outer.base[1] + o[1];
  }
  template <class C, class Element = AnyElement<C>>
  SCONCE_GPU C get(const char* line, int64_t i) const {
    int64_t p[1];
    wide ? wide_inner.offsets(i, p) : inner.offsets(i, p);
    return Element::get(from, line + p[0]);
  }
  // Bytes between the inputs of an output where that is one number, else 0.
  SCONCE_GPU int64_t apart() const { return !wide && inner.nd == 1 ? inner.steps[0][0] : 0; }
  template <class C>
  SCONCE_GPU void put(int64_t row, C v) const {
    int64_t o[2];
    wide ? wide_outer.offsets(row, o) : outer.offsets(row, o);
    store<C>(to, outer.base[0] + o[0], v);
  }
  // Whether rows rather than what a row consists of lie beside each other.
  bool beside() const {
    const auto size = static_cast<int64_t>(element_size(from));
    return outer.total >= 16 && outer.steps[1][0] == size && inner.steps[0][0] != size;
  }
};
// in: [out dims..., reduced dims...]; the first lead dims are out's.
bool rows_of(const TensorView& out, const TensorView& in, Rows& r) {
  if (!is_plain(in.dtype) || !is_plain(out.dtype)) return false;
  TensorView lead = in, rest = in;
  lead.ndim = out.ndim;
  rest.ndim = in.ndim - out.ndim;
  rest.sizes += out.ndim;
  rest.strides += out.ndim;
  r.to = out.dtype;
  r.from = in.dtype;
  const TensorView *outer[] = {&out, &lead}, *inner[] = {&rest};
  if (!strided<2>(outer, r.wide_outer) || !strided<1>(inner, r.wide_inner)) return false;
  const Loops<2> outer_loops(outer);
  const Loops<1> inner_loops(inner);
  r.outer = walk_of(outer_loops, 1);
  r.inner = walk_of(inner_loops, 1);
  r.wide = r.outer.total >= kMostIndexed || r.inner.total >= kMostIndexed;
  return true;
}
// f reduces rows r.
template <class F>
void reduce_by(Gpu& g, const Rows& r, const F& f) {
  if (r.beside())
    reduce_columns(g, r.outer.total, r.inner.total, f);
  else
    reduce_lines(g, r.outer.total, r.inner.total, f);
}

template <class C>
SCONCE_GPU bool is_nan(C v) {
  return v != v;
}

// Which function: known to the compiler, or not.
template <Reduce known>
struct FixedReduce {
  SCONCE_GPU operator Reduce() const { return known; }
};
struct AnyReduce {
  Reduce op;
  SCONCE_GPU operator Reduce() const { return op; }
};
// One number as the state.
template <class C, class Element = AnyElement<C>, class Op = AnyReduce>
struct Fold {
  using State = C;
  Rows rows;
  Op op;
  int64_t count;
  double p;
  SCONCE_GPU const char* line(int64_t row) const { return rows.line(row); }
  SCONCE_GPU C start() const {
    switch (static_cast<Reduce>(op)) {
      case Reduce::prod:
      case Reduce::all: return C(1);
      case Reduce::max:
        if constexpr (std::is_integral_v<C>) return std::numeric_limits<C>::min();
        return -std::numeric_limits<C>::infinity();
      case Reduce::min:
        if constexpr (std::is_integral_v<C>) return std::numeric_limits<C>::max();
        return std::numeric_limits<C>::infinity();
      case Reduce::normneginf: return std::numeric_limits<C>::infinity();
      default: return C(0);
    }
  }
  SCONCE_GPU int64_t apart() const { return rows.apart(); }
  SCONCE_GPU void add(C& s, const char* line, int64_t i) const {
    take(s, rows.template get<C, Element>(line, i));
  }
  SCONCE_GPU void add_at(C& s, const char* p) const { take(s, Element::get(rows.from, p)); }
  SCONCE_GPU void take(C& s, C v) const {
    const C m = v < C(0) ? -v : v;
    switch (static_cast<Reduce>(op)) {
      case Reduce::any:
      case Reduce::all:
      case Reduce::norm0:
      case Reduce::count_nonzero: v = C(v != C(0)); break;
      case Reduce::nansum:
        if (is_nan(v)) v = C(0);
        break;
      case Reduce::norm1:
      case Reduce::norminf:
      case Reduce::normneginf: v = m; break;
      case Reduce::norm2:
      case Reduce::sum_squares: v = v * v; break;
      case Reduce::normp:
        if constexpr (std::is_floating_point_v<C>) v = std::pow(m, static_cast<C>(p));
        break;
      default: break;
    }
    merge(s, v);
  }
  SCONCE_GPU void merge(C& s, C v) const {
    switch (static_cast<Reduce>(op)) {
      case Reduce::prod: s = s * v; break;
      case Reduce::all: s = s < v ? s : v; break;
      case Reduce::any:
      case Reduce::max:
      case Reduce::norminf: s = is_nan(s) || s > v ? s : v; break;
      case Reduce::min:
      case Reduce::normneginf: s = is_nan(s) || s < v ? s : v; break;
      default: s = s + v;
    }
  }
  SCONCE_GPU void finish(int64_t row, C s) const {
    if (op == Reduce::mean)
      return rows.put(row, static_cast<double>(s) / static_cast<double>(count));
    if constexpr (std::is_floating_point_v<C>) {
      if (op == Reduce::norm2) s = std::sqrt(s);
      if (op == Reduce::normp) s = std::pow(s, C(1) / static_cast<C>(p));
    }
    rows.put(row, s);
  }
};
template <class C>
struct LogSumExp {
  using State = ExpSum<C>;
  Rows rows;
  SCONCE_GPU State start() const { return {}; }
  SCONCE_GPU const char* line(int64_t row) const { return rows.line(row); }
  SCONCE_GPU int64_t apart() const { return rows.apart(); }
  SCONCE_GPU void add(State& s, const char* line, int64_t i) const {
    s.merge({rows.get<C>(line, i), C(1)});
  }
  SCONCE_GPU void add_at(State& s, const char* p) const { s.merge({load<C>(rows.from, p), C(1)}); }
  SCONCE_GPU void merge(State& s, const State& o) const { s.merge(o); }
  SCONCE_GPU void finish(int64_t row, const State& s) const {
    rows.put(row, std::log(s.sum) + s.max);
  }
};

// The most used functions of a floating dtype; false for others.
template <class E>
bool reduce_fixed(Gpu& g, const Rows& r, Reduce op) {
  auto run = [&](auto known) {
    reduce_by(g, r, Fold<float, FloatElement<E>, decltype(known)>{r, known, r.inner.total, 0});
    return true;
  };
  switch (op) {
    case Reduce::sum: return run(FixedReduce<Reduce::sum>{});
    case Reduce::mean: return run(FixedReduce<Reduce::mean>{});
    case Reduce::max: return run(FixedReduce<Reduce::max>{});
    case Reduce::min: return run(FixedReduce<Reduce::min>{});
    default: return false;
  }
}

}  // namespace

bool reduce(int index, const ReduceArgs& a) {
  Rows r;
  if (!rows_of(a.out, a.in, r)) return false;
  Gpu& g = gpu(index);
  const int64_t n = r.inner.total;
  if (a.compute == Compute::F32 &&
      visit_floats(a.in.dtype, [&](auto e) { return reduce_fixed<decltype(e)>(g, r, a.op); }))
    return true;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    if (std::is_integral_v<C> && (a.op == Reduce::norm2 || a.op == Reduce::normp)) return false;
    if constexpr (std::is_floating_point_v<C>)
      if (a.op == Reduce::logsumexp) {
        reduce_by(g, r, LogSumExp<C>{r});
        return true;
      }
    if (a.op == Reduce::logsumexp) return false;
    reduce_by(g, r, Fold<C>{r, {a.op}, n, a.p});
    return true;
  };
  switch (a.compute) {
    case Compute::F32: return run(float{});
    case Compute::F64: return run(double{});
    case Compute::I64: return run(int64_t{});
    default: return false;
  }
}

namespace {

template <class C>
struct Place {
  C value;
  int64_t at;  // -1: none yet
};
template <class C>
struct ArgExtreme {
  using State = Place<C>;
  RowView in;
  View values, indices;
  bool max;
  SCONCE_GPU State start() const { return {C(0), -1}; }
  SCONCE_GPU void add(State& s, int64_t row, int64_t i) const {
    merge(s, State{in.get<C>(row, i), i});
  }
  // Nan is more than all; of equals the first.
  SCONCE_GPU void merge(State& s, const State& o) const {
    if (o.at < 0) return;
    bool better = s.at < 0;
    if (!better && is_nan(s.value) != is_nan(o.value))
      better = is_nan(o.value);
    else if (!better)
      better = (max ? o.value > s.value : o.value < s.value) ||
               ((o.value == s.value || is_nan(o.value)) && o.at < s.at);
    if (better) s = o;
  }
  SCONCE_GPU void finish(int64_t row, const State& s) const {
    if (indices) indices.set<int64_t>(indices.at(row), s.at < 0 ? 0 : s.at);
    if (values) values.set<C>(values.at(row), s.value);
  }
};
bool arg_reduce(int index, const ArgReduceArgs& a) {
  const int lead = a.in.ndim - 1;
  if (lead < 0) return false;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    ArgExtreme<C> f;
    if (!rows_of(a.in, f.in) || !view(a.values, f.values) || !view(a.indices, f.indices))
      return false;
    f.max = a.max;
    reduce_rows(gpu(index), row_count(a.in), a.in.sizes[lead], f);
    return true;
  };
  if (is_integral(a.in.dtype, true)) return run(int64_t{});
  return a.in.dtype == kDouble ? run(double{}) : run(float{});
}

template <class C>
struct Variance {
  using State = Moments<C>;
  Rows rows;  // to the variance, or to the mean alone
  View mean;  // dense when both are asked for
  bool wants_var, take_sqrt;
  double correction;
  SCONCE_GPU State start() const { return {}; }
  SCONCE_GPU const char* line(int64_t row) const { return rows.line(row); }
  SCONCE_GPU int64_t apart() const { return rows.apart(); }
  SCONCE_GPU void add(State& s, const char* line, int64_t i) const { s.add(rows.get<C>(line, i)); }
  SCONCE_GPU void add_at(State& s, const char* p) const { s.add(load<C>(rows.from, p)); }
  SCONCE_GPU void merge(State& s, const State& o) const { s.merge(o); }
  SCONCE_GPU void finish(int64_t row, const State& s) const {
    const double dof = static_cast<double>(s.count) - correction;
    double v = static_cast<double>(s.m2) / (dof < 0 ? 0 : dof);
    if (take_sqrt) v = std::sqrt(v);
    const double m =
        s.count == C(0) ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(s.mean);
    if (!wants_var) return rows.put(row, m);
    rows.put(row, v);
    if (mean) mean.set<double>(mean.at(row), m);
  }
};
bool var(int index, const VarArgs& a) {
  Rows r;
  const bool both = a.var.data && a.mean.data;
  if (!rows_of(a.var.data ? a.var : a.mean, a.in, r)) return false;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    Variance<C> f{r, {}, a.var.data != nullptr, a.take_sqrt, a.correction};
    if (both) {
      // Both outputs are walked by row number, in the order of the dims.
      for (int d = 0; d + 1 < a.var.ndim; ++d)
        if (a.var.strides[d] < a.var.strides[d + 1]) return false;
      if (!view(a.mean, f.mean)) return false;
    }
    reduce_by(gpu(index), r, f);
    return true;
  };
  return a.in.dtype == kDouble ? run(double{}) : run(float{});
}

// Along a row: one thread.
template <class C>
struct Scanned {
  RowView out, indices, in;
  int64_t n;
  Scan op;
  SCONCE_GPU void operator()(int64_t row) const {
    C s = op == Scan::prod ? C(1) : C(0);
    int64_t best = 0;
    for (int64_t i = 0; i < n; ++i) {
      const C v = in.get<C>(row, i);
      if (op == Scan::sum) {
        s = s + v;
      } else if (op == Scan::prod) {
        s = s * v;
      } else if (i == 0 || is_nan(v) || (!is_nan(s) && (op == Scan::max ? v >= s : v <= s))) {
        s = v;
        best = i;
      }
      out.set<C>(row, i, s);
      if (indices) indices.set<int64_t>(row, i, best);
    }
  }
};
bool scan(int index, const ScanArgs& a) {
  const int lead = a.in.ndim - 1;
  if (lead < 0 || a.op == Scan::logsumexp) return false;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    Scanned<C> f;
    if (!rows_of(a.out, f.out) || !rows_of(a.indices, f.indices) || !rows_of(a.in, f.in))
      return false;
    f.n = a.in.sizes[lead];
    f.op = a.op;
    for_each(gpu(index), row_count(a.in), f);
    return true;
  };
  switch (a.compute) {
    case Compute::F32:
    case Compute::F64: return run(double{});  // one thread: long chains
    case Compute::I64: return run(int64_t{});
    default: return false;
  }
}

}  // namespace

void add_reduce(DevicePlugin& p) {
  p.reduce = reduce;
  p.arg_reduce = arg_reduce;
  p.var = var;
  p.scan = scan;
}

}  // namespace sconce::cuda
