// SPDX-License-Identifier: Apache-2.0
// Interpolation, grid sampling, non-constant padding.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "backends/any_grid_sample.h"
#include "backends/ref/ref.h"
#include "backends/resize_taps.h"
#include "backends/ivdep.h"
#include "backends/tiles.h"

namespace sconce::ref {

namespace {

char* address(const TensorView& v, int64_t at) {
  return static_cast<char*>(v.data) + at * static_cast<int64_t>(element_size(v.dtype));
}

// The taps of all outputs of a dim, one after the other.
template <class W>
struct Line {
  std::vector<int64_t> begin{0}, at;
  std::vector<W> weight;
  bool pairs = true;  // each has two
  explicit Line(const std::vector<std::vector<Tap>>& taps) {
    for (auto& t : taps) {
      for (const Tap& tap : t) {
        at.push_back(tap.at);
        weight.push_back(static_cast<W>(tap.weight));
      }
      begin.push_back(static_cast<int64_t>(at.size()));
      pairs = pairs && t.size() == 2;
    }
  }
  int64_t outputs() const { return static_cast<int64_t>(begin.size()) - 1; }
};

// R rows, `step` apart, along the line: sums of weight * input over the taps in their order, and
// an input itself where there is one. Rows together, as each sum waits for what came before.
template <int R, class C>
void mix_rows_along(const Line<C>& line, const C* from, int64_t step, C* to, int64_t to_step) {
  const int64_t *at = line.at.data(), *begin = line.begin.data();
  const C* weight = line.weight.data();
  for (int64_t o = 0, n = line.outputs(); o < n; ++o) {
    const int64_t first = begin[o], end = begin[o + 1];
    if (end - first == 1) {
      for (int r = 0; r < R; ++r) to[r * to_step + o] = from[r * step + at[first]];
      continue;
    }
    C sum[R] = {};
    for (int64_t k = first; k < end; ++k)
      for (int r = 0; r < R; ++r) sum[r] += weight[k] * from[r * step + at[k]];
    for (int r = 0; r < R; ++r) to[r * to_step + o] = sum[r];
  }
}
template <class C>
void mix_along(const Line<C>& line, int64_t rows, const C* from, int64_t step, C* to,
               int64_t to_step) {
  int64_t r = 0;
  if (line.pairs) {
    const int64_t* at = line.at.data();
    const C* w = line.weight.data();
    for (; r < rows; ++r, from += step, to += to_step)
      for (int64_t o = 0, n = line.outputs(); o < n; ++o)
        to[o] = (C(0) + w[2 * o] * from[at[2 * o]]) + w[2 * o + 1] * from[at[2 * o + 1]];
    return;
  }
  for (; r + 4 <= rows; r += 4)
    mix_rows_along<4>(line, from + r * step, step, to + r * to_step, to_step);
  for (; r < rows; ++r) mix_rows_along<1>(line, from + r * step, step, to + r * to_step, to_step);
}

// Bytes are mixed in fixed point: weights of 16 bits, as many of them behind the point as the
// largest allows. Source: the uint8 path of ATen's UpSampleKernel, which is Pillow's.
struct FixedWeights : Line<int32_t> {
  int precision = 0;
  explicit FixedWeights(const std::vector<std::vector<Tap>>& taps) : Line<int32_t>(taps) {
    double largest = 0;
    for (auto& t : taps)
      for (auto& tap : t) largest = std::max(largest, tap.weight);
    while (precision < 22 &&
           static_cast<int64_t>(
               0.5 + largest * static_cast<double>(int64_t{1} << (precision + 1))) < (1 << 15))
      ++precision;
    const double one = static_cast<double>(int64_t{1} << precision);
    size_t k = 0;
    for (auto& t : taps)
      for (auto& tap : t)
        weight[k++] = static_cast<int32_t>((tap.weight < 0 ? -0.5 : 0.5) + tap.weight * one);
  }
  int32_t half() const { return int32_t{1} << (precision - 1); }
  uint8_t byte(int32_t sum) const {
    return static_cast<uint8_t>(std::min(std::max(sum >> precision, 0), 255));
  }
};

// Taps beyond an edge fall on it: one weight for each input, rounded once.
void merge(std::vector<Tap>& taps) {
  std::vector<Tap> one;
  for (const Tap& t : taps) {
    if (!one.empty() && one.back().at == t.at)
      one.back().weight += t.weight;
    else
      one.push_back(t);
  }
  taps = std::move(one);
}

// The nearest input of each output: elements are moved, a row that repeats the one before is
// copied.
void resize_nearest(const ResizeArgs& a, const std::vector<std::vector<Tap>>* t, const int64_t* out,
                    const int64_t* is, const int64_t* os) {
  std::vector<int64_t> column;
  for (auto& taps_ : t[2]) column.push_back(taps_[0].at * is[2]);
  visit_element_size(element_size(a.out.dtype), [&](auto tag) {
    using T = decltype(tag);
    const int64_t n2 = out[2], step = os[2], *at = column.data();
    Interrupt interrupt;
    const int64_t channels = a.in.sizes[1];
    if (channels > 1 && a.in.strides[1] == 1 && a.out.strides[1] == 1) {  // channels last
      for (int64_t n = 0; n < a.in.sizes[0]; ++n)
        for (int64_t o0 = 0; o0 < out[0]; ++o0)
          for (int64_t o1 = 0; o1 < out[1]; ++o1) {
            const T* from = static_cast<const T*>(a.in.data) + n * a.in.strides[0] +
                            t[0][static_cast<size_t>(o0)][0].at * is[0] +
                            t[1][static_cast<size_t>(o1)][0].at * is[1];
            T* to = static_cast<T*>(a.out.data) + n * a.out.strides[0] + o0 * os[0] + o1 * os[1];
            interrupt.passed(n2 * channels);
            for (int64_t i = 0; i < n2; ++i)
              std::memcpy(to + i * step, from + at[i], static_cast<size_t>(channels) * sizeof(T));
          }
      return;
    }
    for (int64_t n = 0; n < a.in.sizes[0]; ++n)
      for (int64_t c = 0; c < a.in.sizes[1]; ++c)
        for (int64_t o0 = 0; o0 < out[0]; ++o0) {
          const T* before = nullptr;
          T* row_before = nullptr;
          for (int64_t o1 = 0; o1 < out[1]; ++o1) {
            const T* from = static_cast<const T*>(a.in.data) + n * a.in.strides[0] +
                            c * a.in.strides[1] + t[0][static_cast<size_t>(o0)][0].at * is[0] +
                            t[1][static_cast<size_t>(o1)][0].at * is[1];
            T* to = static_cast<T*>(a.out.data) + n * a.out.strides[0] + c * a.out.strides[1] +
                    o0 * os[0] + o1 * os[1];
            interrupt.passed(n2);
            if (from == before && step == 1)
              std::memcpy(to, row_before, static_cast<size_t>(n2) * sizeof(T));
            else
              for (int64_t i = 0; i < n2; ++i) to[i * step] = from[at[i]];
            before = from;
            row_before = to;
          }
        }
  });
}

// to[i] = sum of weight * base[at step + i] over the taps, in their order.
template <class C>
void mix_runs(const std::vector<Tap>& taps, const C* base, int64_t step, int64_t n, C* to) {
  if (taps.size() == 1) {
    std::memcpy(to, base + taps[0].at * step, static_cast<size_t>(n) * sizeof(C));
    return;
  }
  if (taps.size() == 2) {
    const C *x = base + taps[0].at * step, *y = base + taps[1].at * step;
    const C u = static_cast<C>(taps[0].weight), v = static_cast<C>(taps[1].weight);
    SCONCE_IVDEP  // the result is none of the inputs
    for (int64_t i = 0; i < n; ++i) to[i] = (C(0) + u * x[i]) + v * y[i];
    return;
  }
  std::fill_n(to, n, C(0));
  for (const Tap& p : taps) {
    const C *x = base + p.at * step, w = static_cast<C>(p.weight);
    SCONCE_IVDEP
    for (int64_t i = 0; i < n; ++i) to[i] += w * x[i];
  }
}

// Planes of bytes: along the rows, then along the columns, each rounded.
void resize_bytes(const ResizeArgs& a, std::vector<std::vector<Tap>>* t, const int64_t* in,
                  const int64_t* out, const int64_t* is, const int64_t* os) {
  for (int e = 1; e < 3; ++e)
    for (auto& taps : t[e]) merge(taps);
  const FixedWeights across(t[2]), down(t[1]);
  expect_memory(static_cast<double>(in[1]) * static_cast<double>(out[2]) +
                static_cast<double>(in[2] + out[2]) * sizeof(int32_t));
  Interrupt interrupt;
  std::vector<uint8_t> row(static_cast<size_t>(in[2])), y(static_cast<size_t>(in[1] * out[2]));
  std::vector<int32_t> sum(static_cast<size_t>(out[2]));
  for (int64_t n = 0; n < a.in.sizes[0]; ++n)
    for (int64_t c = 0; c < a.in.sizes[1]; ++c) {
      const uint8_t* plane = a.in.ptr<uint8_t>() + n * a.in.strides[0] + c * a.in.strides[1];
      for (int64_t i = 0; i < in[1]; ++i) {
        interrupt.passed(in[2] + out[2]);
        const uint8_t* from = plane + i * is[1];
        if (is[2] != 1) {
          for (int64_t k = 0; k < in[2]; ++k) row[static_cast<size_t>(k)] = from[k * is[2]];
          from = row.data();
        }
        uint8_t* to = y.data() + i * out[2];
        for (int64_t o = 0; o < out[2]; ++o) {
          const int64_t first = across.begin[static_cast<size_t>(o)],
                        end = across.begin[static_cast<size_t>(o) + 1];
          const int64_t* at = across.at.data();
          if (end - first == 1) {
            to[o] = from[at[first]];
            continue;
          }
          int32_t s = across.half();
          for (int64_t k = first; k < end; ++k)
            s += across.weight[static_cast<size_t>(k)] * from[at[k]];
          to[o] = across.byte(s);
        }
      }
      for (int64_t o1 = 0; o1 < out[1]; ++o1) {
        interrupt.passed(2 * out[2]);
        const auto first = static_cast<size_t>(down.begin[static_cast<size_t>(o1)]),
                   end = static_cast<size_t>(down.begin[static_cast<size_t>(o1) + 1]);
        uint8_t* to =
            a.out.ptr<uint8_t>() + n * a.out.strides[0] + c * a.out.strides[1] + o1 * os[1];
        const uint8_t* only = y.data() + down.at[first] * out[2];
        if (end - first > 1) {
          std::fill(sum.begin(), sum.end(), down.half());
          for (size_t k = first; k < end; ++k) {
            const uint8_t* from = y.data() + down.at[k] * out[2];
            const int32_t w = down.weight[k];
            int32_t* s = sum.data();
            for (int64_t o = 0; o < out[2]; ++o) s[o] += w * from[o];
          }
        }
        for (int64_t o = 0; o < out[2]; ++o)
          to[o * os[2]] = end - first > 1 ? down.byte(sum[static_cast<size_t>(o)]) : only[o];
      }
    }
}

// Images of floats with channels last. Rows of the input are mixed along the row when an output
// needs them first, and kept until another takes their place.
bool resize_channels_last(const ResizeArgs& a, const std::vector<std::vector<Tap>>* t,
                          const int64_t* in, const int64_t* out, const int64_t* is,
                          const int64_t* os) {
  const int64_t C = a.in.sizes[1];
  if (a.in.dtype != kFloat || a.out.dtype != kFloat || in[0] != 1 || out[0] != 1 || C < 2 ||
      a.in.strides[1] != 1 || a.out.strides[1] != 1)
    return false;
  size_t most = 1;
  for (auto& taps : t[1]) most = std::max(most, taps.size());
  const auto kept = static_cast<int64_t>(most);
  const int64_t length = out[2] * C;
  const bool dense = out[2] == 1 || os[2] == C;
  expect_memory((static_cast<double>(kept) + 1) * static_cast<double>(length) * sizeof(float));
  std::vector<float> rows(static_cast<size_t>(kept * length)),
      row(static_cast<size_t>(dense ? 0 : length));
  std::vector<int64_t> held;
  std::vector<Tap> local;
  Interrupt interrupt;
  for (int64_t n = 0; n < a.in.sizes[0]; ++n) {
    held.assign(most, -1);
    for (int64_t o1 = 0; o1 < out[1]; ++o1) {
      // The inputs' rows follow each other, so that `kept` places are enough.
      local = t[1][static_cast<size_t>(o1)];
      for (Tap& p : local) {
        const int64_t place = p.at % kept;
        if (std::exchange(held[static_cast<size_t>(place)], p.at) != p.at) {
          const float* from = a.in.ptr<float>() + n * a.in.strides[0] + p.at * is[1];
          for (int64_t o = 0; o < out[2]; ++o)
            mix_runs(t[2][static_cast<size_t>(o)], from, is[2], C,
                     rows.data() + place * length + o * C);
        }
        p.at = place;
      }
      interrupt.passed(2 * length);
      float* to = a.out.ptr<float>() + n * a.out.strides[0] + o1 * os[1];
      mix_runs(local, rows.data(), length, length, dense ? to : row.data());
      for (int64_t o = 0; !dense && o < out[2]; ++o)
        std::copy_n(row.data() + o * C, C, to + o * os[2]);
    }
  }
  return true;
}

void resize(const ResizeArgs& a) {
  int nd = a.in.ndim - 2;
  std::vector<std::vector<Tap>> t[3];
  int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, is[3] = {0, 0, 0}, os[3] = {0, 0, 0};
  for (int d = 0; d < nd; ++d) {
    int e = d + 3 - nd;
    in[e] = a.in.sizes[d + 2];
    out[e] = a.out.sizes[d + 2];
    is[e] = a.in.strides[d + 2];
    os[e] = a.out.strides[d + 2];
    t[e] = resize_taps(a, in[e], out[e], a.scale[d]);
  }
  for (int e = 0; e < 3 - nd; ++e) t[e] = {{{0, 1.0}}};
  if (a.out.numel() == 0) return;
  if (a.op == Resize::nearest || a.op == Resize::nearest_exact)
    return resize_nearest(a, t, out, is, os);
  if (resize_channels_last(a, t, in, out, is, os)) return;
  if (a.in.dtype == kByte && a.out.dtype == kByte && nd == 2)
    return resize_bytes(a, t, in, out, is, os);
  auto run = [&](auto tag) {
    using C = decltype(tag);
    // Of a plane: as given, with its rows resized, with its columns too.
    const double plane = static_cast<double>(in[0]) * static_cast<double>(in[1]) *
                         static_cast<double>(in[2] + out[2]),
                 resized = static_cast<double>(in[0]) * static_cast<double>(out[1]) *
                           static_cast<double>(out[2]);
    expect_memory((plane + resized) * sizeof(C));
    Interrupt interrupt;
    const auto es = static_cast<int64_t>(element_size(a.in.dtype)),
               oes = static_cast<int64_t>(element_size(a.out.dtype));
    const bool in_place = std::is_floating_point_v<C> && a.in.dtype == own_dtype<C>() &&
                          (in[2] == 1 || is[2] == 1) && (in[0] == 1 || is[0] == in[1] * is[1]);
    std::vector<C> x(static_cast<size_t>(in_place ? 0 : in[0] * in[1] * in[2])),
        y(static_cast<size_t>(in[0] * in[1] * out[2])),
        z(static_cast<size_t>(in[0] * out[1] * out[2])), row(static_cast<size_t>(out[2]));
    const Line<std::conditional_t<std::is_floating_point_v<C>, C, double>> line(t[2]);
    for (int64_t n = 0; n < a.in.sizes[0]; ++n)
      for (int64_t c = 0; c < a.in.sizes[1]; ++c) {
        interrupt.passed(out[0] * out[1] * out[2]);
        const int64_t first = n * a.in.strides[0] + c * a.in.strides[1];
        for (int64_t i0 = 0; i0 < in[0]; ++i0)
          for (int64_t i1 = 0; i1 < in[1]; ++i1) {
            interrupt.passed(in[2] + out[2]);
            if (!in_place)
              load_tile(a.in.dtype, address(a.in, first + i0 * is[0] + i1 * is[1]), is[2] * es,
                        in[2], x.data() + (i0 * in[1] + i1) * in[2]);
          }
        auto put = [&](int64_t o0, int64_t o1, const C* values) {
          store_tile(
              a.out.dtype,
              address(a.out, n * a.out.strides[0] + c * a.out.strides[1] + o0 * os[0] + o1 * os[1]),
              os[2] * oes, out[2], values);
        };
        if constexpr (std::is_floating_point_v<C>) {
          if (in[0] * in[1] == 1 && out[0] * out[1] == 1 && in_place && a.out.dtype == a.in.dtype &&
              (out[2] == 1 || os[2] == 1)) {  // lines
            mix_along(line, 1, a.in.ptr<C>() + first, 0,
                      a.out.ptr<C>() + n * a.out.strides[0] + c * a.out.strides[1], 0);
            continue;
          }
          // Along the rows, then whole rows are mixed.
          mix_along(line, in[0] * in[1], in_place ? a.in.ptr<C>() + first : x.data(),
                    in_place && in[0] * in[1] > 1 ? is[1] : in[2], y.data(), out[2]);
          for (int64_t i0 = 0; i0 < in[0]; ++i0)
            for (int64_t o1 = 0; o1 < out[1]; ++o1)
              mix_runs(t[1][static_cast<size_t>(o1)], y.data() + i0 * in[1] * out[2], out[2],
                       out[2], z.data() + (i0 * out[1] + o1) * out[2]);
          for (int64_t o0 = 0; o0 < out[0]; ++o0)
            for (int64_t o1 = 0; o1 < out[1]; ++o1) {
              const std::vector<Tap>& taps = t[0][static_cast<size_t>(o0)];
              const C* only = z.data() + (taps[0].at * out[1] + o1) * out[2];
              if (taps.size() > 1)
                mix_runs(taps, z.data() + o1 * out[2], out[1] * out[2], out[2], row.data());
              put(o0, o1, taps.size() > 1 ? row.data() : only);
            }
          continue;
        }
        auto mix = [&](const std::vector<Tap>& taps_, auto get) {
          if (taps_.size() == 1) return get(taps_[0].at);
          double s = 0;
          for (auto& p : taps_) s += p.weight * static_cast<double>(get(p.at));
          return convert<C>(std::nearbyint(s));
        };
        for (int64_t r = 0; r < in[0] * in[1]; ++r)
          for (int64_t o = 0; o < out[2]; ++o)
            y[static_cast<size_t>(r * out[2] + o)] =
                mix(t[2][static_cast<size_t>(o)],
                    [&](int64_t i) { return x[static_cast<size_t>(r * in[2] + i)]; });
        for (int64_t i0 = 0; i0 < in[0]; ++i0)
          for (int64_t o1 = 0; o1 < out[1]; ++o1)
            for (int64_t o = 0; o < out[2]; ++o)
              z[static_cast<size_t>((i0 * out[1] + o1) * out[2] + o)] = mix(
                  t[1][static_cast<size_t>(o1)],
                  [&](int64_t i) { return y[static_cast<size_t>((i0 * in[1] + i) * out[2] + o)]; });
        for (int64_t o0 = 0; o0 < out[0]; ++o0)
          for (int64_t o1 = 0; o1 < out[1]; ++o1) {
            for (int64_t o = 0; o < out[2]; ++o) {
              C v = mix(t[0][static_cast<size_t>(o0)], [&](int64_t i) {
                return z[static_cast<size_t>((i * out[1] + o1) * out[2] + o)];
              });
              if constexpr (std::is_integral_v<C>) v = std::min<C>(std::max<C>(v, 0), 255);
              row[static_cast<size_t>(o)] = v;
            }
            put(o0, o1, row.data());
          }
      }
  };
  if (a.in.dtype == kDouble)
    run(double{});
  else if (is_integral(a.in.dtype, true) || is_quantized(a.in.dtype))
    run(int64_t{});
  else
    run(float{});
}

double reflect(double x, double lo2, double hi2) {
  if (lo2 == hi2) return 0;
  double min = lo2 / 2, span = (hi2 - lo2) / 2;
  x = std::fabs(x - min);
  double extra = std::fmod(x, span), flips = std::floor(x / span);
  return std::fmod(flips, 2) == 0 ? extra + min : span - extra + min;
}

// A number that every operation rounds to a half type H.
template <class H>
struct Rounded {
  float v = 0;
  Rounded() = default;
  explicit Rounded(float x) : v(static_cast<float>(H(x))) {}
  explicit Rounded(double x) : Rounded(static_cast<float>(x)) {}
  friend Rounded operator+(Rounded a, Rounded b) { return Rounded(a.v + b.v); }
  friend Rounded operator-(Rounded a, Rounded b) { return Rounded(a.v - b.v); }
  friend Rounded operator*(Rounded a, Rounded b) { return Rounded(a.v * b.v); }
  friend Rounded operator/(Rounded a, Rounded b) { return Rounded(a.v / b.v); }
};

// Images of halves: PyTorch computes even the places in halves, so the order of its operations
// tells what is sampled. Source: ATen's GridSamplerKernel.
template <class H>
void grid_sample_halves(const GridSampleArgs& a) {
  using R = Rounded<H>;
  auto place = [&](float g, int64_t size) {
    const R scale = R(static_cast<float>(a.align_corners ? size - 1 : size)) / R(2.0f);
    R x = (R(g) + R(1.0f)) * scale;
    return a.align_corners ? x : x - R(0.5f);
  };
  // Back into the image, as the padding says.
  auto fold = [&](R x, int64_t size) {
    if (a.padding == 2) {
      const R low(-0.5f);
      const int64_t span = a.align_corners ? size - 1 : size;
      if (span <= 0) {
        x = R(0.0f);
      } else {
        const R twice(static_cast<float>(2 * span));
        const R from = a.align_corners ? x : x - low;
        const R distance(std::fabs(from.v));
        const R flips(std::trunc((distance / twice).v)), extra = distance - flips * twice,
                                                         back = twice - extra;
        x = extra.v < back.v ? extra : back;
        if (!a.align_corners) x = x + low;
      }
    }
    if (a.padding != 0) x = R(std::min(static_cast<float>(size - 1), std::max(x.v, 0.0f)));
    return x;
  };
  auto cubic_weights = [](R t, R* w) {
    const R A(-0.75f), one(1.0f), two(2.0f);
    auto outer = [&](R x) { return ((A * x - R(5.0f) * A) * x + R(8.0f) * A) * x - R(4.0f) * A; };
    auto inner = [&](R x) { return ((A + two) * x - (A + R(3.0f))) * x * x + one; };
    w[0] = outer(t + one);
    w[1] = inner(t);
    w[2] = inner(one - t);
    w[3] = outer(two - t);
  };
  const int64_t height = a.in.sizes[2], width = a.in.sizes[3];
  Interrupt interrupt;
  for (int64_t n = 0; n < a.out.sizes[0]; ++n)
    for (int64_t i = 0; i < a.out.sizes[2]; ++i)
      for (int64_t j = 0; j < a.out.sizes[3]; ++j) {
        interrupt.passed(8 * a.out.sizes[1] + 1);
        float g[2];
        load_tile(
            a.grid.dtype,
            address(a.grid, n * a.grid.strides[0] + i * a.grid.strides[1] + j * a.grid.strides[2]),
            a.grid.strides[3] * static_cast<int64_t>(sizeof(H)), 2, g);
        R x = place(g[0], width), y = place(g[1], height);
        if (a.mode != 2) {
          x = fold(x, width);
          y = fold(y, height);
        }
        const R west(std::floor(x.v)), north(std::floor(y.v));
        const R w = x - west, t = y - north;
        for (int64_t c = 0; c < a.out.sizes[1]; ++c) {
          auto at = [&](float px, float py) {
            if (!(px >= 0 && px < static_cast<float>(width) && py >= 0 &&
                  py < static_cast<float>(height)))
              return R(0.0f);
            return R(static_cast<float>(a.in.ptr<H>()[n * a.in.strides[0] + c * a.in.strides[1] +
                                                      static_cast<int64_t>(py) * a.in.strides[2] +
                                                      static_cast<int64_t>(px) * a.in.strides[3]]));
          };
          R sum;
          if (a.mode == 1) {
            sum = at(std::nearbyint(x.v), std::nearbyint(y.v));
          } else if (a.mode == 0) {
            const R e = R(1.0f) - w, s = R(1.0f) - t;
            sum = at(west.v, north.v) * (e * s) + at(west.v + 1, north.v) * (w * s) +
                  at(west.v, north.v + 1) * (e * t) + at(west.v + 1, north.v + 1) * (w * t);
          } else {
            R wx[4], wy[4];
            cubic_weights(w, wx);
            cubic_weights(t, wy);
            for (int r = 0; r < 4; ++r) {
              const R py = fold(north + R(static_cast<float>(r - 1)), height);
              R row;
              for (int k = 0; k < 4; ++k) {
                const R v = at(fold(west + R(static_cast<float>(k - 1)), width).v, py.v) * wx[k];
                row = k ? row + v : v;
              }
              sum = r ? sum + row * wy[r] : row * wy[r];
            }
          }
          a.out.ptr<H>()[n * a.out.strides[0] + c * a.out.strides[1] + i * a.out.strides[2] +
                         j * a.out.strides[3]] = H(sum.v);
        }
      }
}

void grid_sample(const GridSampleArgs& a) {
  int nd = a.in.ndim - 2;
  const bool same = a.in.dtype == a.grid.dtype && a.out.dtype == a.in.dtype;
  if (nd == 2 && same && a.in.dtype == kBFloat16) return grid_sample_halves<BFloat16>(a);
  if (nd == 2 && same && a.in.dtype == kHalf) return grid_sample_halves<Half>(a);
  auto source = [&](double x, int64_t size) {
    double s = static_cast<double>(size);
    return a.align_corners ? (x + 1) / 2 * (s - 1) : ((x + 1) * s - 1) / 2;
  };
  auto fold = [&](double x, int64_t size) {
    double s = static_cast<double>(size);
    if (a.padding == 1) x = std::min(std::max(x, 0.0), s - 1);
    if (a.padding == 2) {
      x = a.align_corners ? reflect(x, 0, 2 * (s - 1)) : reflect(x, -1, 2 * s - 1);
      x = std::min(std::max(x, 0.0), s - 1);
    }
    return x;
  };
  int64_t total = 1;
  for (int d = 0; d < nd; ++d) total *= a.out.sizes[d + 2];
  Interrupt interrupt;
  for (int64_t n = 0; n < a.out.sizes[0]; ++n) {
    int64_t idx[3] = {0, 0, 0};
    for (int64_t p = 0; p < total; ++p) {
      interrupt.passed(8 * a.out.sizes[1] + 1);
      double pos[3];
      for (int d = 0; d < nd; ++d) {
        int64_t at = n * a.grid.strides[0] + (nd - 1 - d) * a.grid.strides[nd + 1];
        for (int e = 0; e < nd; ++e) at += idx[e] * a.grid.strides[e + 1];
        double g;
        load_tile(a.grid.dtype, address(a.grid, at), 0, 1, &g);
        pos[d] = source(g, a.in.sizes[d + 2]);
        if (a.mode != 2) pos[d] = fold(pos[d], a.in.sizes[d + 2]);
      }
      for (int64_t c = 0; c < a.out.sizes[1]; ++c) {
        auto at_point = [&](const int64_t* q) {
          int64_t at = n * a.in.strides[0] + c * a.in.strides[1];
          for (int d = 0; d < nd; ++d) {
            int64_t i = q[d];
            if (a.mode == 2)
              i = static_cast<int64_t>(fold(static_cast<double>(i), a.in.sizes[d + 2]));
            if (i < 0 || i >= a.in.sizes[d + 2]) return 0.0;
            at += i * a.in.strides[d + 2];
          }
          double v;
          load_tile(a.in.dtype, address(a.in, at), 0, 1, &v);
          return v;
        };
        double v = 0;
        if (a.mode == 1) {
          int64_t q[3];
          for (int d = 0; d < nd; ++d)
            q[d] = std::isfinite(pos[d]) ? static_cast<int64_t>(std::nearbyint(pos[d])) : -1;
          v = at_point(q);
        } else if (a.mode == 0) {
          for (int corner = 0; corner < (1 << nd); ++corner) {
            int64_t q[3];
            double w = 1;
            for (int d = 0; d < nd; ++d) {
              double fl = std::floor(pos[d]);
              bool up = corner >> d & 1;
              q[d] = std::isfinite(fl) && std::fabs(fl) < 1e15 ? static_cast<int64_t>(fl) + up : -1;
              w *= up ? pos[d] - fl : 1 - (pos[d] - fl);
            }
            double x = at_point(q);
            if (x != 0 || w != w) v += w == w ? w * x : 0;
          }
        } else {
          constexpr double A = -0.75;
          double fy = std::floor(pos[0]), fx = std::floor(pos[1]), ty = pos[0] - fy,
                 tx = pos[1] - fx;
          auto weights = [&](double t, double* w) {
            w[0] = cubic2(t + 1, A);
            w[1] = cubic1(t, A);
            w[2] = cubic1(1 - t, A);
            w[3] = cubic2(2 - t, A);
          };
          auto whole = [](double f) {  // far outside: what isn't finite has no weight either
            return std::fabs(f) < 1e15 ? static_cast<int64_t>(f) : -(int64_t{1} << 50);
          };
          double wy[4], wx[4];
          weights(ty, wy);
          weights(tx, wx);
          for (int i = 0; i < 4; ++i)
            for (int j = 0; j < 4; ++j) {
              int64_t q[3] = {whole(fy) - 1 + i, whole(fx) - 1 + j, 0};
              v += wy[i] * wx[j] * at_point(q);
            }
        }
        int64_t o = n * a.out.strides[0] + c * a.out.strides[1];
        for (int d = 0; d < nd; ++d) o += idx[d] * a.out.strides[d + 2];
        store_tile(a.out.dtype, address(a.out, o), 0, 1, &v);
      }
      for (int d = nd - 1; d >= 0; --d) {
        if (++idx[d] < a.out.sizes[d + 2]) break;
        idx[d] = 0;
      }
    }
  }
}

// Row by row of the last dim, whose inputs are the same in every row. The dim that is dense in the
// output, be it the channels, is made the last.
void pad(const PadArgs& given) {
  PadArgs a = given;
  int64_t sizes[2][kMaxDims], strides[2][kMaxDims];
  int dense_dim = a.out.ndim - 1;
  while (dense_dim > 0 && (a.out.strides[dense_dim] != 1 || a.out.sizes[dense_dim] == 1))
    --dense_dim;
  if (dense_dim > 0 && dense_dim < a.out.ndim - 1) {
    TensorView* v[] = {&a.out, &a.in};
    for (int k = 0; k < 2; ++k) {
      std::copy_n(v[k]->sizes, v[k]->ndim, sizes[k]);
      std::copy_n(v[k]->strides, v[k]->ndim, strides[k]);
      std::swap(sizes[k][dense_dim], sizes[k][v[k]->ndim - 1]);
      std::swap(strides[k][dense_dim], strides[k][v[k]->ndim - 1]);
      v[k]->sizes = sizes[k];
      v[k]->strides = strides[k];
    }
    std::swap(a.before[dense_dim], a.before[a.out.ndim - 1]);
  }
  const int last = a.out.ndim - 1;
  auto source = [&](int d, int64_t i) {
    const int64_t k = i - a.before[d], s = a.in.sizes[d];
    if (a.mode == 1) return k < 0 ? -k : k >= s ? 2 * (s - 1) - k : k;
    if (a.mode == 2) return std::min(std::max<int64_t>(k, 0), s - 1);
    return ((k % s) + s) % s;
  };
  const int64_t n = a.out.numel(), length = last < 0 ? 1 : a.out.sizes[last];
  if (n == 0) return;
  expect_memory(static_cast<double>(length) * sizeof(int64_t));
  Interrupt interrupt;
  // The inputs themselves, where both are dense.
  const bool dense = last >= 0 && a.out.strides[last] == 1 && a.in.strides[last] == 1;
  const int64_t begin = dense ? std::min(std::max<int64_t>(a.before[last], 0), length) : 0,
                inner = dense ? std::max<int64_t>(
                                    0, std::min(length, a.before[last] + a.in.sizes[last]) - begin)
                              : 0;
  std::vector<int64_t> columns(static_cast<size_t>(length));
  for (int64_t i = 0; i < length; ++i) {
    if (i == begin + 1 && inner > 1) i += inner - 1;  // copied from the first on
    if (i < length)
      columns[static_cast<size_t>(i)] = last < 0 ? 0 : source(last, i) * a.in.strides[last];
  }
  visit_element_size(element_size(a.out.dtype), [&](auto tag) {
    using T = decltype(tag);
    const int64_t step = last < 0 ? 1 : a.out.strides[last], *column = columns.data();
    int64_t idx[kMaxDims] = {0}, o = 0;
    for (int64_t done = 0; done < n; done += length) {
      interrupt.passed(length);
      const T* from = static_cast<const T*>(a.in.data);
      for (int d = 0; d < last; ++d) from += source(d, idx[d]) * a.in.strides[d];
      T* to = static_cast<T*>(a.out.data) + o;
      if (inner > 0)
        std::memcpy(to + begin, from + column[begin], static_cast<size_t>(inner) * sizeof(T));
      for (int64_t i = 0; i < length; ++i) {
        if (i == begin) i += inner;  // copied
        if (i < length) to[i * step] = from[column[i]];
      }
      for (int d = last - 1; d >= 0; --d) {
        o += a.out.strides[d];
        if (++idx[d] < a.out.sizes[d]) break;
        o -= a.out.strides[d] * a.out.sizes[d];
        idx[d] = 0;
      }
    }
  });
}

}  // namespace

SCONCE_KERNEL(resize)
SCONCE_KERNEL(grid_sample)
void any_grid_sample(const GridSampleArgs& a) { grid_sample(a); }
SCONCE_KERNEL(pad)

}  // namespace sconce::ref
