// SPDX-License-Identifier: Apache-2.0
// Reductions, scans, sorting (compat.md section 6).
#include <algorithm>
#include <cmath>

#include "backends/median.h"
#include "ops/host_memory.h"
#include "ops/tensor_ops.h"

namespace sconce::ops {

namespace {

size_t z(int64_t i) { return static_cast<size_t>(i); }

// Permutes t to [kept..., reduced...].
struct Split {
  Tensor in;
  IntVec out_sizes;   // of the kept dims
  IntVec keep_sizes;  // with 1 in the reduced ones
};
Split split_dims(const Tensor& t, const IntVec& dims) {
  Split s;
  IntVec order, last;
  for (int64_t i = 0; i < t.dim(); ++i) {
    bool r = std::find(dims.begin(), dims.end(), i) != dims.end();
    if (r) {
      last.push_back(i);
      s.keep_sizes.push_back(1);
    } else {
      order.push_back(i);
      s.out_sizes.push_back(t.size(i));
      s.keep_sizes.push_back(t.size(i));
    }
  }
  for (int64_t d : last) order.push_back(d);
  s.in = permute(t, order);
  return s;
}
Tensor shaped(const Tensor& r, const Split& s, bool keepdim) {
  return keepdim ? make_view(r, s.keep_sizes, contiguous_strides(s.keep_sizes), 0) : r;
}
IntVec all_dims(int64_t n) {
  IntVec d;
  for (int64_t i = 0; i < n; ++i) d.push_back(i);
  return d;
}
void check_not_empty(const Tensor& t, const IntVec& dims, const char* op) {
  for (int64_t d : dims)
    if (t.dim() && t.size(d) == 0)
      raise<OpError>(op, "(): Expected reduction dim ", d, " to have non-zero size.");
  if (t.dim() && t.numel() == 0 && static_cast<int64_t>(dims.size()) == t.dim())
    raise<OpError>(op, "(): Expected reduction over a tensor with elements.");
}
ScalarType sum_type(const Tensor& t, const OptInt& d) {
  return d ? to_scalar_type(*d) : is_integral(t.dtype(), true) ? kLong : t.dtype();
}

Tensor sum(const Tensor& t, OptInt dtype) { return sum_dim(t, OptInts(), false, dtype); }
Tensor nansum(const Tensor& t, OptInts dims, bool keep, OptInt dtype) {
  ScalarType o = sum_type(t, dtype);
  return reduce(Reduce::nansum, cast(t, o), reduce_dims(dims, t.dim()), keep, o, o);
}
Tensor prod_dim(const Tensor& t, int64_t d, bool keep, OptInt dtype) {
  ScalarType o = sum_type(t, dtype);
  return reduce(Reduce::prod, cast(t, o), {wrap_dim(d, t.dim())}, keep, o, o);
}
Tensor prod(const Tensor& t, OptInt dtype) {
  ScalarType o = sum_type(t, dtype);
  return reduce(Reduce::prod, cast(t, o), all_dims(t.dim()), false, o, o);
}
Tensor mean(const Tensor& t, OptInt dtype) { return mean_dim(t, OptInts(), false, dtype); }
Tensor nanmean(const Tensor& t, OptInts dims, bool keep, OptInt dtype) {
  Tensor n = reduce(Reduce::sum, unary(Unary::logical_not, unary(Unary::isnan, t, kBool), kBool),
                    reduce_dims(dims, t.dim()), keep, kLong, kLong);
  return div(nansum(t, dims, keep, dtype), n);
}
Tensor amax(const Tensor& t, IntVec dims, bool keep) {
  IntVec d = reduce_dims(OptInts(dims), t.dim());
  check_not_empty(t, d, "amax");
  return reduce(Reduce::max, t, d, keep, t.dtype(), t.dtype());
}
Tensor amin(const Tensor& t, IntVec dims, bool keep) {
  IntVec d = reduce_dims(OptInts(dims), t.dim());
  check_not_empty(t, d, "amin");
  return reduce(Reduce::min, t, d, keep, t.dtype(), t.dtype());
}
std::tuple<Tensor, Tensor> aminmax(const Tensor& t, OptInt dim, bool keep) {
  IntVec d = dim ? IntVec{wrap_dim(*dim, t.dim())} : IntVec();
  return {amin(t, d, keep), amax(t, d, keep)};
}
Tensor max_all(const Tensor& t) { return amax(t, {}, false); }
Tensor min_all(const Tensor& t) { return amin(t, {}, false); }

std::tuple<Tensor, Tensor> arg_dim(const Tensor& t, int64_t dim, bool keep, bool max, bool values) {
  int64_t d = wrap_dim(dim, t.dim());
  if (is_complex(t.dtype()))
    raise<OpError>(max ? "max" : "min", " is not implemented for complex tensors");
  if (t.dim() == 0) {
    Tensor i = empty({}, kLong);
    fill(i, Scalar(0));
    return {clone(t), i};
  }
  check_not_empty(t, {d}, max ? "max" : "min");
  Split s = split_dims(t, {d});
  Tensor idx = empty(s.out_sizes, kLong), val = values ? empty(s.out_sizes, t.dtype()) : Tensor();
  if (idx.numel()) call_slot(ArgReduceArgs{view_of(val), view_of(idx), view_of(s.in), max});
  return {values ? shaped(val, s, keep) : Tensor(), shaped(idx, s, keep)};
}
std::tuple<Tensor, Tensor> max_dim(const Tensor& t, int64_t d, bool k) {
  return arg_dim(t, d, k, true, true);
}
std::tuple<Tensor, Tensor> min_dim(const Tensor& t, int64_t d, bool k) {
  return arg_dim(t, d, k, false, true);
}
Tensor arg_op(const Tensor& t, OptInt dim, bool keep, bool max) {
  if (t.dtype() == kBool)
    raise<OpError>(max ? "argmax" : "argmin", "(): does not support bool input");
  if (dim) return std::get<1>(arg_dim(t, *dim, keep, max, false));
  if (t.numel() == 0)
    raise<OpError>(max ? "argmax" : "argmin",
                   "(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
                   "reduction dim with the 'dim' argument.");
  Tensor r = std::get<1>(arg_dim(reshape(t, {-1}), 0, false, max, false));
  if (keep) return reshape(r, IntVec(z(t.dim()), 1));
  return r;
}
}  // namespace
Tensor argmax(const Tensor& t, OptInt d, bool k) { return arg_op(t, d, k, true); }
namespace {
Tensor argmin_op(const Tensor& t, OptInt d, bool k) { return arg_op(t, d, k, false); }

template <Reduce R>
Tensor truth(const Tensor& t) {
  return reduce(R, t, all_dims(t.dim()), false, t.dtype(), t.dtype() == kByte ? kByte : kBool);
}
template <Reduce R>
Tensor truth_dim(const Tensor& t, int64_t d, bool k) {
  return reduce(R, t, {wrap_dim(d, t.dim())}, k, t.dtype(), t.dtype() == kByte ? kByte : kBool);
}
template <Reduce R>
Tensor truth_dims(const Tensor& t, OptInts d, bool k) {
  if (d && d->empty()) {
    Tensor r =
        binary_scalar(Binary::ne, t, Scalar(0), t.dtype(), kBool);  // no dim: element by element
    return t.dtype() == kByte ? cast(r, kByte) : r;
  }
  return reduce(R, t, d ? reduce_dims(d, t.dim()) : all_dims(t.dim()), k, t.dtype(),
                t.dtype() == kByte ? kByte : kBool);
}
Tensor count_nonzero_dims(const Tensor& t, IntVec d) {
  return reduce(Reduce::count_nonzero, t, reduce_dims(OptInts(d), t.dim()), false, t.dtype(),
                kLong);
}
Tensor count_nonzero(const Tensor& t, OptInt d) {
  return reduce(Reduce::count_nonzero, t, d ? IntVec{wrap_dim(*d, t.dim())} : all_dims(t.dim()),
                false, t.dtype(), kLong);
}

Tensor norm_impl(const Tensor& t0, const OptScalar& p, const IntVec& dims, bool keep,
                 OptInt dtype) {
  if (is_integral(t0.dtype(), true))
    raise<OpError>("norm: the input must be a floating point or complex tensor, but got ",
                   scalar_type_name(t0.dtype()));
  if (dtype) {
    ScalarType d = to_scalar_type(*dtype);
    if (is_integral(d, true) || is_complex(d) != is_complex(t0.dtype()) ||
        promote_types(d, t0.dtype()) != d)
      raise<OpError>("norm: the dtype of the input (", scalar_type_name(t0.dtype()),
                     ") should be convertible without narrowing to the specified dtype (",
                     scalar_type_name(d), ")");
  }
  Tensor t = dtype ? cast(t0, to_scalar_type(*dtype)) : t0;
  double v = p ? p->d : 2;
  Reduce r = v == 2          ? Reduce::norm2
             : v == 1        ? Reduce::norm1
             : v == 0        ? Reduce::norm0
             : std::isinf(v) ? (v > 0 ? Reduce::norminf : Reduce::normneginf)
                             : Reduce::normp;
  return reduce(r, t, dims, keep, t.dtype(), real_of(t.dtype()), v);
}
Tensor norm_scalar(const Tensor& t, Scalar p) {
  return norm_impl(t, p, all_dims(t.dim()), false, {});
}
Tensor norm_dim(const Tensor& t, OptScalar p, IntVec d, bool k) {
  return norm_impl(t, p, reduce_dims(OptInts(d), t.dim()), k, {});
}
Tensor norm_dim_dtype(const Tensor& t, OptScalar p, IntVec d, bool k, int64_t dt) {
  return norm_impl(t, p, reduce_dims(OptInts(d), t.dim()), k, dt);
}
Tensor norm_dtype(const Tensor& t, OptScalar p, int64_t dt) {
  return norm_impl(t, p, all_dims(t.dim()), false, dt);
}
Tensor vector_norm(const Tensor& t, Scalar p, OptInts d, bool k, OptInt dt) {
  return norm_impl(t, p, d ? reduce_dims(d, t.dim()) : all_dims(t.dim()), k, dt);
}
Tensor frobenius(const Tensor& t, IntVec d, bool k) {
  return norm_impl(t, Scalar(2.0), reduce_dims(OptInts(d), t.dim()), k, {});
}
Tensor dist(const Tensor& a, const Tensor& b, Scalar p) {
  return norm_scalar(sub(a, b, Scalar(1)), p);
}
Tensor logsumexp(const Tensor& t, IntVec d, bool k) {
  Tensor x = is_integral(t.dtype(), true) ? cast(t, kFloat) : t;
  if (is_complex(x.dtype()))
    return unary(Unary::log, sum_dim(unary(Unary::exp, x, x.dtype()), OptInts(d), k, {}),
                 x.dtype());
  return reduce(Reduce::logsumexp, x, reduce_dims(OptInts(d), t.dim()), k, x.dtype(), x.dtype());
}

// ---- variance ----

Tensor var_impl(const Tensor& t, const OptInts& dims, double correction, bool keep, bool root,
                Tensor* mean) {
  if (is_integral(t.dtype(), true))
    raise<OpError>("std and var only support floating point and complex dtypes");
  Split s = split_dims(t, reduce_dims(dims, t.dim()));
  Tensor v = empty(s.out_sizes, real_of(t.dtype()));
  if (mean) *mean = empty(s.out_sizes, t.dtype());
  if (v.numel())
    call_slot(
        VarArgs{view_of(v), mean ? view_of(*mean) : TensorView{}, view_of(s.in), correction, root});
  if (mean) *mean = shaped(*mean, s, keep);
  return shaped(v, s, keep);
}
double correction_of(const OptScalar& c) { return c ? c->d : 1; }
template <bool Root>
Tensor var(const Tensor& t, bool unbiased) {
  return var_impl(t, {}, unbiased, false, Root, nullptr);
}
template <bool Root>
Tensor var_dim(const Tensor& t, OptInts d, bool unbiased, bool k) {
  return var_impl(t, d, unbiased, k, Root, nullptr);
}
template <bool Root>
Tensor var_correction(const Tensor& t, OptInts d, OptScalar c, bool k) {
  return var_impl(t, d, correction_of(c), k, Root, nullptr);
}
template <bool Root>
std::tuple<Tensor, Tensor> var_mean(const Tensor& t, bool unbiased) {
  Tensor m, v = var_impl(t, {}, unbiased, false, Root, &m);
  return {v, m};
}
template <bool Root>
std::tuple<Tensor, Tensor> var_mean_dim(const Tensor& t, OptInts d, bool unbiased, bool k) {
  Tensor m, v = var_impl(t, d, unbiased, k, Root, &m);
  return {v, m};
}
template <bool Root>
std::tuple<Tensor, Tensor> var_mean_correction(const Tensor& t, OptInts d, OptScalar c, bool k) {
  Tensor m, v = var_impl(t, d, correction_of(c), k, Root, &m);
  return {v, m};
}

// ---- scans ----

std::tuple<Tensor, Tensor> scan_impl(const Tensor& t, int64_t dim, Scan op, ScalarType out,
                                     bool indices) {
  int64_t d = wrap_dim(dim, t.dim());
  Tensor r = empty(t.sizes(), out), idx = indices ? empty(t.sizes(), kLong) : Tensor();
  if (r.numel() == 0) return {r, idx};
  auto last = [&](const Tensor& x) { return x.dim() == 0 ? reshape(x, {1}) : transpose(x, d, -1); };
  Tensor rv = last(r), iv = indices ? last(idx) : Tensor(), in = last(t);
  call_slot(ScanArgs{view_of(rv), view_of(iv), view_of(in), op,
                     compute_for(op == Scan::max || op == Scan::min ? t.dtype() : out)});
  return {r, idx};
}
Tensor cumsum(const Tensor& t, int64_t d, OptInt dt) {
  ScalarType o = sum_type(t, dt);
  if (o == kBool) raise<OpError>("\"cumsum_out_cpu\" not implemented for 'Bool'");
  return std::get<0>(scan_impl(cast(t, o), d, Scan::sum, o, false));
}
Tensor cumprod(const Tensor& t, int64_t d, OptInt dt) {
  ScalarType o = sum_type(t, dt);
  if (o == kBool) raise<OpError>("\"cumprod_out_cpu\" not implemented for 'Bool'");
  return std::get<0>(scan_impl(cast(t, o), d, Scan::prod, o, false));
}
Tensor logcumsumexp(const Tensor& t, int64_t d) {
  return std::get<0>(scan_impl(t, d, Scan::logsumexp, t.dtype(), false));
}
std::tuple<Tensor, Tensor> cummax(const Tensor& t, int64_t d) {
  return scan_impl(t, d, Scan::max, t.dtype(), true);
}
std::tuple<Tensor, Tensor> cummin(const Tensor& t, int64_t d) {
  return scan_impl(t, d, Scan::min, t.dtype(), true);
}
Tensor diff(const Tensor& t, int64_t n, int64_t dim, const Tensor* pre, const Tensor* post) {
  TensorList l;
  if (pre) l.push_back(*pre);
  l.push_back(t);
  if (post) l.push_back(*post);
  if (n < 0) raise<OpError>("order must be non-negative but got ", n);
  if (n == 0) return clone(t);
  Tensor x = l.size() > 1 ? cat(l, dim) : t;
  // Nothing is left after as many steps as there are elements.
  Interrupt interrupt;
  for (int64_t i = 0, steps = std::min(n, x.size(dim)); i < steps; ++i) {
    interrupt.passed(64);
    int64_t s = x.size(dim);
    Tensor a = narrow(x, dim, std::min<int64_t>(1, s), std::max<int64_t>(s - 1, 0)),
           b = narrow(x, dim, 0, std::max<int64_t>(s - 1, 0));
    x = x.dtype() == kBool ? binary(Binary::logical_xor, a, b, kBool, kBool) : sub(a, b, Scalar(1));
  }
  return x;
}

// ---- order ----

// k: how many, -1 for all; only_kth: the k-th from 0, or a median, alone; stable: equal elements
// keep their order.
std::tuple<Tensor, Tensor> order(const Tensor& t, int64_t dim, bool desc, int64_t k, bool sorted,
                                 bool only_kth = false, bool stable = true) {
  int64_t d = wrap_dim(dim, t.dim());
  if (is_complex(t.dtype())) raise<OpError>("Sort does not support complex dtypes on CPU");
  if (t.dim() == 0) {
    Tensor i = empty({}, kLong);
    fill(i, Scalar(0));
    return {clone(t), i};
  }
  IntVec s(t.sizes());
  if (k >= 0 && k > s[z(d)]) raise<OpError>("selected index k out of range");
  if (k >= 0 || only_kth) s[z(d)] = only_kth ? 1 : k;
  Tensor v = empty(s, t.dtype()), i = empty(s, kLong);
  if (v.numel()) {
    Tensor vv = transpose(v, d, -1), iv = transpose(i, d, -1), in = transpose(t, d, -1);
    call_slot(SortArgs{view_of(vv), view_of(iv), view_of(in), desc, stable, k, sorted, only_kth});
  }
  return {v, i};
}
std::tuple<Tensor, Tensor> sort_stable(const Tensor& t, OptBool stable, int64_t d, bool desc) {
  return order(t, d, desc, -1, true, false, stable.value_or(false));
}
std::tuple<Tensor, Tensor> sort(const Tensor& t, int64_t d, bool desc) {
  return sort_stable(t, false, d, desc);
}
Tensor argsort_stable(const Tensor& t, bool stable, int64_t d, bool desc) {
  return std::get<1>(sort_stable(t, stable, d, desc));
}
Tensor argsort(const Tensor& t, int64_t d, bool desc) { return argsort_stable(t, false, d, desc); }
Tensor msort(const Tensor& t) { return std::get<0>(sort(t, 0, false)); }
std::tuple<Tensor, Tensor> topk(const Tensor& t, int64_t k, int64_t d, bool largest, bool sorted) {
  if (k < 0) raise<OpError>("selected index k out of range");
  if (t.dim() == 0 && k > 1) raise<OpError>("selected index k out of range");
  if (t.dtype() == kBool) raise<OpError>("topk does not support bool dtypes on CPU");
  return order(t, d, largest, k, sorted);
}
std::tuple<Tensor, Tensor> kthvalue(const Tensor& t, int64_t k, int64_t dim, bool keep) {
  int64_t d = wrap_dim(dim, t.dim());
  if (t.dim() == 0) {
    if (k != 1) raise<OpError>("kthvalue(): selected number k out of range for dimension 0");
    return order(t, 0, false, -1, true);
  }
  if (k < 1 || k > t.size(d))
    raise<OpError>("kthvalue(): selected number k out of range for dimension ", d);
  if (is_complex(t.dtype())) raise<OpError>("kthvalue() does not support complex dtypes on CPU");
  auto [v, i] = order(t, d, false, k - 1, false, true);
  return keep ? std::tuple<Tensor, Tensor>{v, i}
              : std::tuple<Tensor, Tensor>{squeeze_dim(v, d), squeeze_dim(i, d)};
}
std::tuple<Tensor, Tensor> median_dim_impl(const Tensor& t, int64_t dim, bool keep,
                                           bool ignore_nan) {
  int64_t d = wrap_dim(dim, t.dim());
  if (t.dim() == 0) return order(t, 0, false, -1, true);
  int64_t n = t.size(d);
  if (n == 0) raise<OpError>("median(): Expected reduction dim ", d, " to have non-zero size.");
  auto [v, i] = order(t, d, false, ignore_nan ? kNanMedian : kMedian, false, true);
  return keep ? std::tuple<Tensor, Tensor>{v, i}
              : std::tuple<Tensor, Tensor>{squeeze_dim(v, d), squeeze_dim(i, d)};
}
std::tuple<Tensor, Tensor> median_dim(const Tensor& t, int64_t d, bool k) {
  return median_dim_impl(t, d, k, false);
}
std::tuple<Tensor, Tensor> nanmedian_dim(const Tensor& t, int64_t d, bool k) {
  return median_dim_impl(t, d, k, true);
}
Tensor median_all(const Tensor& t, bool ignore) {
  if (t.numel() == 0) {
    Tensor r = empty({}, t.dtype());
    fill(r, is_floating(t.dtype()) ? Scalar(std::nan("")) : Scalar(INT64_MIN));
    return r;
  }
  return std::get<0>(median_dim_impl(reshape(t, {-1}), 0, false, ignore));
}
Tensor median(const Tensor& t) { return median_all(t, false); }
Tensor nanmedian(const Tensor& t) { return median_all(t, true); }
std::tuple<Tensor, Tensor> mode(const Tensor& t, int64_t dim, bool keep) {
  int64_t d = wrap_dim(dim, t.dim());
  if (t.dim() == 0) return order(t, 0, false, -1, true);
  auto [v, i] = sort(contiguous(transpose(t, d, -1)), -1, false);
  IntVec s(v.sizes());
  int64_t n = s[s.size() - 1], rows = n ? v.numel() / n : 0;
  auto vals = host_doubles(v);
  auto idx = host_ints(i);
  auto pick = host_vector<int64_t>(rows);
  Interrupt interrupt;
  for (int64_t r = 0; r < rows; ++r) {
    interrupt.passed(n + 16);
    int64_t best = 0, best_end = 0;
    for (int64_t a = 0; a < n;) {
      int64_t b = a;
      while (b + 1 < n && vals[z(r * n + b + 1)] == vals[z(r * n + a)]) ++b;
      if (b - a + 1 > best) {
        best = b - a + 1;
        best_end = b;
      }
      a = b + 1;
    }
    pick[z(r)] = best_end;
  }
  s[s.size() - 1] = 1;
  Tensor p = empty(s, kLong);
  for (int64_t r = 0; r < rows; ++r) fill(make_view(p, {}, {}, r), Scalar(pick[z(r)]));
  Tensor a = transpose(gather(v, -1, p, false), d, -1),
         b = transpose(gather(i, -1, p, false), d, -1);
  return keep ? std::tuple<Tensor, Tensor>{a, b}
              : std::tuple<Tensor, Tensor>{squeeze_dim(a, d), squeeze_dim(b, d)};
}
Tensor equal_all(const Tensor& a, const Tensor& b) { return truth<Reduce::all>(eq_tensor(a, b)); }
bool equal(const Tensor& a, const Tensor& b) {
  if (a.sizes() != b.sizes()) return false;
  return a.numel() == 0 || bool_of(equal_all(a, b));
}

}  // namespace

IntVec reduce_dims(const OptInts& dims, int64_t n) {
  if (!dims || dims->empty()) return all_dims(n);
  IntVec r;
  for (int64_t d : *dims) {
    int64_t w = wrap_dim(d, n);
    if (std::find(r.begin(), r.end(), w) != r.end())
      raise<OpError>("dim ", w, " appears multiple times in the list of dims");
    r.push_back(w);
  }
  return r;
}
Tensor reduce(Reduce op, const Tensor& t, const IntVec& dims, bool keepdim, ScalarType compute,
              ScalarType out, double p) {
  if (is_complex(t.dtype()) && (op == Reduce::max || op == Reduce::min))
    raise<OpError>("max and min are not implemented for complex tensors");
  Split s = split_dims(t, dims);
  Tensor r = empty(s.out_sizes, out);
  if (r.numel()) call_slot(ReduceArgs{view_of(r), view_of(s.in), op, compute_for(compute), p});
  return shaped(r, s, keepdim);
}
Tensor sum_dim(const Tensor& t, OptInts dims, bool keepdim, OptInt dtype) {
  ScalarType o = sum_type(t, dtype);
  return reduce(Reduce::sum, cast(t, o), reduce_dims(dims, t.dim()), keepdim, o, o);
}
Tensor mean_dim(const Tensor& t, OptInts dims, bool keepdim, OptInt dtype) {
  ScalarType o = dtype_or(dtype, t.dtype());
  if (is_integral(o, true))
    raise<OpError>(
        "mean(): could not infer output dtype. Input dtype must be either a floating point or "
        "complex dtype. Got: ",
        scalar_type_name(t.dtype()));
  return reduce(Reduce::mean, cast(t, o), reduce_dims(dims, t.dim()), keepdim, o, o);
}
std::tuple<Tensor, Tensor> sort_impl(const Tensor& t, int64_t dim, bool descending) {
  return sort(t, dim, descending);
}

namespace {

constexpr OpDef kOps[] = {
    // clang-format off
    op<sum>("aten::sum"), op<sum_dim>("aten::sum.dim_IntList"), op<nansum>("aten::nansum"), op<prod>("aten::prod"), op<prod_dim>("aten::prod.dim_int"), op<mean>("aten::mean"), op<mean_dim>("aten::mean.dim"), op<nanmean>("aten::nanmean"),
    op<amax>("aten::amax"), op<amin>("aten::amin"), op<aminmax>("aten::aminmax"), op<max_all>("aten::max"), op<min_all>("aten::min"), op<max_dim>("aten::max.dim"), op<min_dim>("aten::min.dim"), op<argmax>("aten::argmax"), op<argmin_op>("aten::argmin"),
    op<truth<Reduce::any>>("aten::any"), op<truth<Reduce::all>>("aten::all"), op<truth_dim<Reduce::any>>("aten::any.dim"), op<truth_dim<Reduce::all>>("aten::all.dim"), op<truth_dims<Reduce::any>>("aten::any.dims"), op<truth_dims<Reduce::all>>("aten::all.dims"),
    op<count_nonzero>("aten::count_nonzero"), op<count_nonzero_dims>("aten::count_nonzero.dim_IntList"), op<norm_scalar>("aten::norm.Scalar"), op<norm_dim>("aten::norm.ScalarOpt_dim"), op<norm_dim_dtype>("aten::norm.ScalarOpt_dim_dtype"), op<norm_dtype>("aten::norm.ScalarOpt_dtype"),
    op<vector_norm>("aten::linalg_vector_norm"), op<frobenius>("aten::frobenius_norm.dim"), op<dist>("aten::dist"), op<logsumexp>("aten::logsumexp"),
    op<var<false>>("aten::var"), op<var<true>>("aten::std"), op<var_dim<false>>("aten::var.dim"), op<var_dim<true>>("aten::std.dim"), op<var_correction<false>>("aten::var.correction"), op<var_correction<true>>("aten::std.correction"),
    op<var_mean<false>>("aten::var_mean"), op<var_mean<true>>("aten::std_mean"), op<var_mean_dim<false>>("aten::var_mean.dim"), op<var_mean_dim<true>>("aten::std_mean.dim"), op<var_mean_correction<false>>("aten::var_mean.correction"), op<var_mean_correction<true>>("aten::std_mean.correction"),
    op<cumsum>("aten::cumsum"), op<cumprod>("aten::cumprod"), op<logcumsumexp>("aten::logcumsumexp"), op<cummax>("aten::cummax"), op<cummin>("aten::cummin"), op<diff>("aten::diff"),
    op<sort>("aten::sort"), op<sort_stable>("aten::sort.stable"), op<argsort>("aten::argsort"), op<argsort_stable>("aten::argsort.stable"), op<msort>("aten::msort"), op<topk>("aten::topk"), op<kthvalue>("aten::kthvalue"),
    op<median>("aten::median"), op<nanmedian>("aten::nanmedian"), op<median_dim>("aten::median.dim"), op<nanmedian_dim>("aten::nanmedian.dim"), op<mode>("aten::mode"), op<equal>("aten::equal"),
    // clang-format on
};

}  // namespace

extern const OpTable::RowList kReduceOps;
const OpTable::RowList kReduceOps = rows_in_build<kOps>();

}  // namespace sconce::ops
