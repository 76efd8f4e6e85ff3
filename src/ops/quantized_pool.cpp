// SPDX-License-Identifier: Apache-2.0
// Means of quantised tensors. The integers of a window are summed exactly; then each of PyTorch's
// kernels rounds in a way of its own, which shows where a mean lies in the middle between two
// integers:
//   contiguous       round(sum * (1 / n) + zero point)      adaptive: round(sum of the raw numbers
//   * (1 / n)) channels last    the first channels, a multiple of 16:  round(sum * (1 / n)) + zero
//   point
//                    adaptive, a multiple of 8:             the same with one rounding of product
//                    and sum
//   mean             round(sum / n + zero point)
// where sum is of the numbers less their zero point, and all is in float.
#include <algorithm>
#include <cmath>

#include "ops/host_memory.h"
#include "ops/quantized.h"

namespace sconce::ops {

namespace {

bool is_channels_last(const Tensor& t) {
  const int64_t n = t.dim();
  if (n < 4 || n > 5) return false;
  int64_t expected = 1;
  for (int64_t k = 0; k < n; ++k) {
    const int64_t d = k == 0 ? 1 : k == n - 1 ? 0 : n - k;
    if (t.size(d) != 1 && t.stride(d) != expected) return false;
    expected *= t.size(d);
  }
  return true;
}
// The stored numbers less the zero point; double.
Tensor centred_numbers(const Tensor& q) {
  return dequantize(with_parameters(q, 1, q.quantizer()->zero_point));
}
Tensor numbers_of(const std::vector<float>& v, int64_t dims, int64_t dim) {
  Tensor r = empty({static_cast<int64_t>(v.size())}, kFloat);
  ExpectViews views(r.numel());
  for (size_t i = 0; i < v.size(); views.passed(), ++i)
    fill(make_view(r, {}, {}, static_cast<int64_t>(i)), Scalar(static_cast<double>(v[i])));
  IntVec s(static_cast<size_t>(dims), 1);
  s[static_cast<size_t>(dim)] = r.numel();
  return view(r, s);
}
Tensor rounded(const Tensor& steps, const Tensor& like) {
  const auto& q = *like.quantizer();
  return with_parameters(quantize_per_tensor(steps, 1, 0, static_cast<int64_t>(like.dtype())),
                         q.scale, q.zero_point);
}
Tensor plus(const Tensor& x, int64_t zero_point) {
  return add_scalar(x, Scalar(static_cast<double>(zero_point)), Scalar(1));
}
// The rounding of a channels-last kernel, whose first channels go several at a time.
Tensor rounded_by_channels(const Tensor& sum, const Tensor& factor, const Tensor& like, int64_t dim,
                           int64_t lanes, bool fused) {
  const int64_t zp = like.quantizer()->zero_point, channels = sum.size(dim),
                together = channels / lanes * lanes;
  Tensor one_by_one = plus(mul(sum, factor), zp);
  if (together == 0) return rounded(one_by_one, like);
  Tensor first = narrow(sum, dim, 0, together);
  // In double the product is exact.
  Tensor several = fused ? cast(plus(mul(cast(first, kDouble), cast(factor, kDouble)), zp), kFloat)
                         : plus(unary(Unary::round, mul(first, factor), kFloat), zp);
  copy_to(narrow(one_by_one, dim, 0, together), several);
  return rounded(one_by_one, like);
}
// Sums of windows: means that the plain operator made, times what it divided by.
Tensor sums_of(const Tensor& means, const Tensor& counts) {
  return cast(unary(Unary::round, mul(cast(means, kDouble), cast(counts, kDouble)), kDouble),
              kFloat);
}
Tensor reciprocal(const Tensor& counts) {
  return cast(binary_scalar(Binary::div, cast(counts, kDouble), Scalar(1.0), kDouble, kDouble,
                            Scalar(1), true),
              kFloat);
}

void avg_pool(Call& c, int64_t nd) {
  const Tensor x = tensor_in(c, 0);
  const IntVec kernel = spread(to_ints(c.in(1)), nd), padding = spread(to_ints(c.in(3)), nd);
  IntVec stride = to_ints(c.in(2));
  stride = stride.empty() ? kernel : spread(stride, nd);
  const bool with_padding = c.in(5).toBool();
  Tensor means = run_plain(c, cast(centred_numbers(x), kDouble));
  if (means.numel() == 0) return c.out(0, rounded(cast(means, kFloat), x));  // sides of any length
  Tensor counts;
  if (c.n_in() > 6 && !c.in(6).isNone()) {
    counts = numbers_of({static_cast<float>(c.in(6).toInt())}, x.dim(), 0);
  } else {
    for (int64_t k = 0; k < nd; ++k) {
      const auto i = static_cast<size_t>(k);
      const int64_t d = x.dim() - nd + k, n = x.size(d);
      auto lengths = host_vector<float>(means.size(d));
      for (int64_t o = 0; o < means.size(d); ++o) {
        const int64_t begin = o * stride[i] - padding[i],
                      end = std::min(begin + kernel[i], n + padding[i]);
        lengths[static_cast<size_t>(o)] = static_cast<float>(
            with_padding ? end - begin : std::min(end, n) - std::max(begin, int64_t{0}));
      }
      Tensor v = numbers_of(lengths, x.dim(), d);
      counts = counts.defined() ? mul(counts, v) : v;
    }
  }
  Tensor sum = sums_of(means, counts), factor = reciprocal(counts);
  const Tensor& seen = nd == 1 ? unsqueeze(x, -2) : x;
  if (nd == 3 || is_channels_last(seen))  // in three dims the kernel makes it so
    c.out(0, rounded_by_channels(sum, factor, x, x.dim() - nd - 1, 16, false));
  else
    c.out(0, rounded(plus(mul(sum, factor), x.quantizer()->zero_point), x));
}

void adaptive_avg_pool(Call& c, int64_t nd) {
  const Tensor x = tensor_in(c, 0);
  const int64_t zp = x.quantizer()->zero_point;
  Tensor means = run_plain(c, cast(centred_numbers(x), kDouble));
  if (means.numel() == 0) return c.out(0, rounded(cast(means, kFloat), x));
  Tensor counts = numbers_of({1}, x.dim(), 0), factor = counts;
  for (int64_t d = x.dim() - nd; d < x.dim(); ++d) {
    const auto in = static_cast<float>(x.size(d)), out = static_cast<float>(means.size(d));
    auto lengths = host_vector<float>(means.size(d));
    for (int64_t o = 0; o < means.size(d); ++o) {
      const auto i = static_cast<float>(o);
      lengths[static_cast<size_t>(o)] = std::ceil((i + 1) * in / out) - std::floor(i * in / out);
    }
    Tensor v = numbers_of(lengths, x.dim(), d);
    counts = mul(counts, v);
    factor = div(factor, v);
  }
  Tensor sum = sums_of(means, counts);
  const Tensor& seen = nd == 1 ? unsqueeze(x, -2) : x;
  if (is_channels_last(seen)) {
    c.out(0, rounded_by_channels(sum, reciprocal(counts), x, x.dim() - nd - 1, 8, true));
    return;
  }
  Tensor raw = add(sum, mul_scalar(counts, Scalar(static_cast<double>(zp))), Scalar(1));
  c.out(0, rounded(mul(raw, factor), x));
}

bool mean(Call& c) {
  const Tensor x = tensor_in(c, 0);
  // (self, dtype) and (self, dim, keepdim, dtype); not those with a place for the answer.
  if (c.n_in() != 2 && c.n_in() != 4) return false;
  const bool some = c.n_in() == 4;
  if (!x.is_contiguous() || x.numel() == 0 || !c.in(some ? 3 : 1).isNone()) return false;
  int64_t n = x.numel();
  if (some && !c.in(1).isNone()) {
    IntVec dims = to_ints(c.in(1));
    if (!dims.empty()) {
      for (auto& d : dims) d = wrap_dim(d, x.dim());
      std::sort(dims.begin(), dims.end());
      n = 1;
      for (size_t i = 0; i < dims.size(); ++i) {
        if (dims[i] != x.dim() - static_cast<int64_t>(dims.size() - i)) return false;
        n *= x.size(dims[i]);
      }
    }
  }
  Tensor means = run_plain(c, cast(centred_numbers(x), kDouble));
  Tensor count = numbers_of({static_cast<float>(n)}, 1, 0);
  if (means.dim() == 0) count = view(count, {});
  Tensor sum = sums_of(means, count);
  c.out(0, rounded(plus(div(sum, count), x.quantizer()->zero_point), x));
  return true;
}

}  // namespace

bool mean_of_stored_numbers(Call& c) {
  const std::string_view name = c.op()->name();
  if (name == "aten::mean") return mean(c);
  for (int64_t nd = 1; nd <= 3; ++nd) {
    const std::string dims = std::to_string(nd) + "d";
    if (name == "aten::avg_pool" + dims) {
      avg_pool(c, nd);
      return true;
    }
    if (name == "aten::adaptive_avg_pool" + dims) {
      adaptive_avg_pool(c, nd);
      return true;
    }
  }
  return false;
}

}  // namespace sconce::ops
