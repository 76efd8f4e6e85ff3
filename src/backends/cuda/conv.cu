// SPDX-License-Identifier: Apache-2.0
// Convolutions: products with the input itself where the window is one element, else with its
// columns (im2col); kernels of their own for few channels a group and transposed ones.
#include <type_traits>

#include "backends/cuda/blas.h"
#include "backends/cuda/fast_division.h"
#include "backends/cuda/gpu.h"
#include "backends/cuda/products.h"

namespace sconce::cuda {
namespace {

// Spatial dims are three; missing ones come first and are 1.
struct Conv {
  View out, in, weight, bias;
  int64_t in_size[3], out_size[3], taps[3], stride[3], pad[3], dilation[3];
  int64_t in_step[3], out_step[3], weight_step[3];  // in bytes
  int64_t groups, in_group, out_group;              // channels of a group
  int64_t outputs() const { return out_size[0] * out_size[1] * out_size[2]; }
  int64_t window() const { return taps[0] * taps[1] * taps[2]; }
  int64_t inner() const { return in_group * window(); }
  int64_t in_channels() const { return groups * in_group; }
  int64_t out_channels() const { return groups * out_group; }
};
bool conv_of(const ConvArgs& a, Conv& c) {
  const int nd = a.in.ndim - 2;
  if (nd < 1 || nd > 3 || !view(a.out, c.out) || !view(a.in, c.in) || !view(a.weight, c.weight) ||
      !view(a.bias, c.bias))
    return false;
  for (int e = 0; e < 3; ++e) {
    const int d = e + nd - 3;
    const bool has = d >= 0;
    c.in_size[e] = has ? a.in.sizes[d + 2] : 1;
    c.out_size[e] = has ? a.out.sizes[d + 2] : 1;
    c.taps[e] = has ? a.weight.sizes[d + 2] : 1;
    c.stride[e] = has ? a.stride[d] : 1;
    c.pad[e] = has ? a.padding[d] : 0;
    c.dilation[e] = has ? a.dilation[d] : 1;
    c.in_step[e] = has ? c.in.strides[d + 2] : 0;
    c.out_step[e] = has ? c.out.strides[d + 2] : 0;
    c.weight_step[e] = has ? c.weight.strides[d + 2] : 0;
  }
  c.groups = a.groups;
  c.in_group = a.in.sizes[1] / a.groups;
  c.out_group = a.out.sizes[1] / a.groups;
  return true;
}

// Whether places in the input and its strides are numbers of 32 bits, as long as the indices are.
bool has_short_places(const Conv& c, int64_t images) {
  constexpr int64_t kMost = 0x7fffffff;
  bool fits = images < kMost && c.in.strides[0] <= kMost && c.in.strides[1] <= kMost;
  for (int d = 0; d < 3; ++d)
    fits = fits && c.in_step[d] <= kMost && c.out_size[d] < kMost && c.taps[d] < kMost &&
           c.in_size[d] + 2 * c.pad[d] + c.stride[d] + c.dilation[d] * c.taps[d] <= kMost;
  return fits;
}

// One output a thread: for few channels a group and transposed ones.
template <class C, bool Transposed>
struct DirectConv {
  Conv c;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t o[3];
    for (int d = 2; d >= 0; --d) {
      o[d] = i % c.out_size[d];
      i /= c.out_size[d];
    }
    const int64_t channels = c.groups * c.out_group, channel = i % channels, n = i / channels;
    const int64_t group = channel / c.out_group, in_group = channel % c.out_group;
    C s = c.bias ? c.bias.template get<C>(channel * c.bias.strides[0]) : C(0);
    for (int64_t k = 0; k < c.in_group; ++k) {
      const int64_t from = n * c.in.strides[0] + (group * c.in_group + k) * c.in.strides[1];
      const int64_t w = Transposed ? (group * c.in_group + k) * c.weight.strides[0] +
                                         in_group * c.weight.strides[1]
                                   : channel * c.weight.strides[0] + k * c.weight.strides[1];
      for (int64_t x = 0; x < c.taps[0]; ++x) {
        int64_t ix;
        if (!source(0, o[0], x, ix)) continue;
        for (int64_t y = 0; y < c.taps[1]; ++y) {
          int64_t iy;
          if (!source(1, o[1], y, iy)) continue;
          for (int64_t z = 0; z < c.taps[2]; ++z) {
            int64_t iz;
            if (!source(2, o[2], z, iz)) continue;
            s += c.in.template get<C>(from + ix * c.in_step[0] + iy * c.in_step[1] +
                                      iz * c.in_step[2]) *
                 c.weight.template get<C>(w + x * c.weight_step[0] + y * c.weight_step[1] +
                                          z * c.weight_step[2]);
          }
        }
      }
    }
    c.out.template set<C>(n * c.out.strides[0] + channel * c.out.strides[1] + o[0] * c.out_step[0] +
                              o[1] * c.out_step[1] + o[2] * c.out_step[2],
                          s);
  }
  // The input that output o meets at a tap.
  SCONCE_GPU bool source(int d, int64_t o, int64_t tap, int64_t& i) const {
    if (Transposed) {
      const int64_t at = o + c.pad[d] - tap * c.dilation[d];
      i = at / c.stride[d];
      return at >= 0 && at % c.stride[d] == 0 && i < c.in_size[d];
    }
    i = o * c.stride[d] - c.pad[d] + tap * c.dilation[d];
    return i >= 0 && i < c.in_size[d];
  }
};

// One channel in a group and a window of two dims: four outputs of a row a thread. Out and weight
// are dense; K is the window's width, 0: any.
template <ScalarType t, int K>
struct Depthwise {
  using C = std::conditional_t<t == kDouble, double, float>;
  static constexpr int kRow = 4, kBytes = t == kDouble ? 8 : t == kFloat ? 4 : 2;
  const char *in, *weight, *bias;
  char* out;
  Divisor<uint32_t> quads, rows, channels, multiplier;  // multiplier: outputs of a channel
  int32_t height, width, out_width, taps[2], stride[2], pad[2], dilation[2];
  int64_t image_step, channel_step, row_step, step, bias_step;  // in bytes
  bool whole;  // rows are of whole quads that may be stored at once
  SCONCE_GPU void operator()(int64_t i) const {
    auto rest = static_cast<uint32_t>(i);
    const auto x = static_cast<int32_t>(quads.split(rest)) * kRow;
    const int64_t row = rest;  // of all rows of the output
    const auto y = static_cast<int32_t>(rows.split(rest));
    const uint32_t channel = channels.split(rest);
    const char* from = in + rest * image_step + multiplier.divide(channel) * channel_step;
    const int32_t wide = K ? K : taps[1];
    const char* w = weight + static_cast<int64_t>(channel) * taps[0] * wide * kBytes;
    const C start = bias ? load<C>(t, bias + channel * bias_step) : C(0);
    C sum[kRow] = {start, start, start, start};
    for (int32_t a = 0; a < taps[0]; ++a, w += wide * kBytes) {
      const int32_t sy = y * stride[0] - pad[0] + a * dilation[0];
      if (static_cast<uint32_t>(sy) >= static_cast<uint32_t>(height)) continue;
      const char* line = from + sy * row_step;
      if constexpr (K > 0) {
        SCONCE_UNROLL
        for (int b = 0; b < K; ++b) add(sum, line, w, x, b);
      } else {
        for (int32_t b = 0; b < wide; ++b) add(sum, line, w, x, b);
      }
    }
    char* to = out + (row * out_width + x) * kBytes;
    if (whole) {
      Pack<std::conditional_t<kBytes == 2, uint16_t, C>, kRow> pack;
      SCONCE_UNROLL
      for (int e = 0; e < kRow; ++e) store<C>(t, &pack.v[e], sum[e]);
      *reinterpret_cast<decltype(pack)*>(to) = pack;
    } else {
      SCONCE_UNROLL
      for (int e = 0; e < kRow; ++e)
        if (x + e < out_width) store<C>(t, to + e * kBytes, sum[e]);
    }
  }
  SCONCE_GPU void add(C (&sum)[kRow], const char* line, const char* w, int32_t x, int32_t b) const {
    const C by = load<C>(t, w + b * kBytes);
    const int32_t first = x * stride[1] - pad[1] + b * dilation[1];
    SCONCE_UNROLL
    for (int e = 0; e < kRow; ++e) {
      const int32_t sx = first + e * stride[1];
      if (static_cast<uint32_t>(sx) < static_cast<uint32_t>(width))
        sum[e] += load<C>(t, line + sx * step) * by;
    }
  }
};
template <ScalarType t>
bool depthwise_as(Gpu& g, const Conv& c, int64_t images) {
  const int64_t quads = (c.out_size[2] + 3) / 4;
  const int64_t n = images * c.out_channels() * c.out_size[1] * quads;
  auto run = [&](auto width) {
    using Kernel = Depthwise<t, decltype(width)::value>;
    Kernel k{};
    k.in = c.in.data;
    k.weight = c.weight.data;
    k.bias = c.bias.data;
    k.out = c.out.data;
    k.quads = Divisor<uint32_t>(quads);
    k.rows = Divisor<uint32_t>(c.out_size[1]);
    k.channels = Divisor<uint32_t>(c.out_channels());
    k.multiplier = Divisor<uint32_t>(c.out_group);
    k.height = static_cast<int32_t>(c.in_size[1]);
    k.width = static_cast<int32_t>(c.in_size[2]);
    k.out_width = static_cast<int32_t>(c.out_size[2]);
    for (int d = 0; d < 2; ++d) {
      k.taps[d] = static_cast<int32_t>(c.taps[d + 1]);
      k.stride[d] = static_cast<int32_t>(c.stride[d + 1]);
      k.pad[d] = static_cast<int32_t>(c.pad[d + 1]);
      k.dilation[d] = static_cast<int32_t>(c.dilation[d + 1]);
    }
    k.image_step = c.in.strides[0];
    k.channel_step = c.in.strides[1];
    k.row_step = c.in_step[1];
    k.step = c.in_step[2];
    k.bias_step = c.bias ? c.bias.strides[0] : 0;
    k.whole = c.out_size[2] % 4 == 0 && is_aligned(c.out.data, 4 * Kernel::kBytes);
    for_each(g, n, k);
    return true;
  };
  if (c.taps[2] == 3) return run(std::integral_constant<int, 3>{});
  if (c.taps[2] == 5) return run(std::integral_constant<int, 5>{});
  return run(std::integral_constant<int, 0>{});
}
// False where the form is another. Out and weight are dense.
bool depthwise(Gpu& g, const Conv& c, ScalarType t, int64_t images) {
  constexpr int64_t kMost = int64_t{1} << 31;
  // Places beside the end of a row, of up to three outputs more, are still numbers of 32 bits.
  if (c.in_group != 1 || c.taps[0] != 1 || c.in_size[0] != 1 || c.out_size[0] != 1 ||
      !has_short_places(c, images) ||
      c.in_size[2] + 2 * c.pad[2] + 4 * c.stride[2] + c.dilation[2] * c.taps[2] >= kMost ||
      images * c.out_channels() * c.outputs() >= kMost / 4)
    return false;
  switch (t) {
    case kFloat: return depthwise_as<kFloat>(g, c, images);
    case kDouble: return depthwise_as<kDouble>(g, c, images);
    case kHalf: return depthwise_as<kHalf>(g, c, images);
    default: return depthwise_as<kBFloat16>(g, c, images);
  }
}

// ---- convolutions as products ----

// How the columns of some images lie. Apart: [images, groups * inner, outputs], a matrix for each
// image, whose product lies as the output does. Joined: [groups * inner, images * outputs], one
// matrix for each group, whose product is [channels, images * outputs]. Rows are padded to `row`.
struct Layout {
  int64_t images, outputs, row;
  bool joined;
  int64_t blocks() const { return joined ? 1 : images; }
  int64_t positions() const { return joined ? images * outputs : outputs; }
};

// The columns of images from `in` on, as numbers of T's size. A thread writes 16 bytes of the rows
// of one channel and one place in the window's outer two dims.
template <class T, class I>
struct Im2Col {
  using S = std::make_signed_t<I>;
  static constexpr int V = static_cast<int>(16 / sizeof(T));
  const char* in;
  T* columns;
  int64_t row;
  I positions;
  Divisor<I> packs, outer_taps, channels, taps1, out[3];
  S in_size[3], stride[3], pad[3], dilation[3], taps2;
  S in_step[3], image_step, channel_step;  // in bytes
  Im2Col(const Conv& c, const char* from, T* to, const Layout& l)
      : in(from),
        columns(to),
        row(l.row),
        positions(static_cast<I>(l.positions())),
        packs(l.row / V),
        outer_taps(c.taps[0] * c.taps[1]),
        channels(c.in_channels()),
        taps1(c.taps[1]),
        taps2(static_cast<S>(c.taps[2])),
        image_step(static_cast<S>(c.in.strides[0])),
        channel_step(static_cast<S>(c.in.strides[1])) {
    for (int d = 0; d < 3; ++d) {
      out[d] = Divisor<I>(c.out_size[d]);
      in_size[d] = static_cast<S>(c.in_size[d]);
      stride[d] = static_cast<S>(c.stride[d]);
      pad[d] = static_cast<S>(c.pad[d]);
      dilation[d] = static_cast<S>(c.dilation[d]);
      in_step[d] = static_cast<S>(c.in_step[d]);
    }
  }
  static int64_t threads(const Conv& c, const Layout& l) {
    return l.blocks() * c.in_channels() * c.taps[0] * c.taps[1] * (l.row / V);
  }
  SCONCE_GPU void operator()(int64_t i) const {
    auto rest = static_cast<I>(i);
    const I first = packs.split(rest) * V;
    T* to = columns + static_cast<int64_t>(rest) * taps2 * row + first;
    I tap0 = outer_taps.split(rest);
    const I tap1 = taps1.split(tap0), channel = channels.split(rest);
    // The place of the first position, then of those that follow it.
    I image = first;
    I o2 = out[2].split(image), o1 = out[1].split(image), o0 = out[0].split(image);
    image += rest;
    const S offset0 = static_cast<S>(tap0) * dilation[0] - pad[0],
            offset1 = static_cast<S>(tap1) * dilation[1] - pad[1];
    const char* from = in + static_cast<int64_t>(channel) * channel_step;
    const char* lines[V];
    S places[V];
    bool inside[V];
    SCONCE_UNROLL
    for (int e = 0; e < V; ++e) {
      const S y0 = static_cast<S>(o0) * stride[0] + offset0,
              y1 = static_cast<S>(o1) * stride[1] + offset1;
      inside[e] = first + e < positions && within(y0, 0) && within(y1, 1);
      lines[e] = from + static_cast<int64_t>(image) * image_step +
                 static_cast<int64_t>(y0) * in_step[0] + static_cast<int64_t>(y1) * in_step[1];
      places[e] = static_cast<S>(o2) * stride[2] - pad[2];
      if (++o2 == out[2].n) {
        o2 = 0;
        if (++o1 == out[1].n) {
          o1 = 0;
          if (++o0 == out[0].n) o0 = 0, ++image;
        }
      }
    }
    for (S tap2 = 0; tap2 < taps2; ++tap2, to += row) {
      Pack<T, V> pack;
      SCONCE_UNROLL
      for (int e = 0; e < V; ++e) {
        const S x = places[e] + tap2 * dilation[2];
        pack.v[e] =
            inside[e] && within(x, 2)
                ? *reinterpret_cast<const T*>(lines[e] + static_cast<int64_t>(x) * in_step[2])
                : T(0);
      }
      *reinterpret_cast<Pack<T, V>*>(to) = pack;
    }
  }
  SCONCE_GPU bool within(S at, int d) const {
    return static_cast<I>(at) < static_cast<I>(in_size[d]);
  }
};

// out[r, :] = bias[r % channels]; the rows of out follow one another.
template <class T, class I, int V>
struct FillRows {
  T* out;
  const T* bias;
  int64_t bias_step, total;
  Divisor<I> row, channels;
  SCONCE_GPU void operator()(int64_t i) const {
    const int64_t first = i * V;
    auto r = static_cast<I>(first);
    I place = row.split(r);
    T value = of(r);
    Pack<T, V> pack;
    SCONCE_UNROLL
    for (int e = 0; e < V; ++e) {
      if (place == row.n) {
        place = 0;
        value = of(++r);
      }
      pack.v[e] = value;
      ++place;
    }
    if (first + V <= total) {
      *reinterpret_cast<Pack<T, V>*>(out + first) = pack;
    } else {
      SCONCE_UNROLL
      for (int e = 0; e < V; ++e)
        if (first + e < total) out[first + e] = pack.v[e];
    }
  }
  SCONCE_GPU T of(I r) const { return bias[static_cast<int64_t>(channels.split(r)) * bias_step]; }
};

// out[image, channel, :] = product[channel, image, :] + bias[channel]; out's elements follow one
// another. Halves have no bias here.
template <class T, class I, int V>
struct Scatter {
  T* out;
  const T *product, *bias;
  int64_t bias_step, row;
  Divisor<I> packs, channels;  // packs of an image's outputs
  SCONCE_GPU void operator()(int64_t i) const {
    auto image = static_cast<I>(i);
    const I place = packs.split(image), channel = channels.split(image);
    const T* from = product + static_cast<int64_t>(channel) * row +
                    (static_cast<int64_t>(image) * packs.n + place) * V;
    auto pack = *reinterpret_cast<const Pack<T, V>*>(from);
    if constexpr (std::is_floating_point_v<T>) {
      if (bias) {
        const T b = bias[static_cast<int64_t>(channel) * bias_step];
        SCONCE_UNROLL
        for (int e = 0; e < V; ++e) pack.v[e] += b;
      }
    }
    *reinterpret_cast<Pack<T, V>*>(out + i * V) = pack;
  }
};

// A convolution as products of elements of T; halves are uint16_t. Out and weight are dense.
template <class T>
class Product {
 public:
  Product(Gpu& g, const ConvArgs& a, const Conv& c)
      : g_(g), a_(a), c_(c), outputs_(c.outputs()), images_(a.in.sizes[0]) {
    short_ = has_short_places(c, images_);
  }
  void run() {
    const bool itself = is_matrix(), joined = joins(itself);
    if (itself && !joined) {
      if (c_.bias) fill(output(0), images_ * c_.out_channels(), outputs_);
      return multiply_each({images_, outputs_, c_.in.strides[1] / kSize, false}, a_.in.data,
                           c_.in.strides[0] / kSize, 0);
    }
    // As many images at a time as some memory holds.
    constexpr int64_t kColumnBytes = int64_t{256} << 20;
    const int64_t one = c_.groups * c_.inner() * padded(outputs_) * kSize;
    int64_t at_once = kColumnBytes / one;
    at_once = at_once < 1 || (c_.groups > 1 && !joined) ? 1 : at_once < images_ ? at_once : images_;
    const int64_t row = padded(joined ? at_once * outputs_ : outputs_);
    const int64_t rows = c_.groups * c_.inner() * (joined ? 1 : at_once);
    Temporary<T> columns(g_, rows * row), sums(g_, joined ? c_.out_channels() * row : 1);
    if (!columns || !sums) return;
    for (int64_t first = 0; first < images_; first += at_once) {
      const int64_t count = first + at_once < images_ ? at_once : images_ - first;
      const Layout l{count, outputs_, row, joined};
      if (!joined) {
        unfold(columns.get(), first, l, output(first), c_.bias ? count * c_.out_channels() : 0,
               outputs_);
        multiply_each(l, columns.get(), c_.groups * c_.inner() * row, first);
        continue;
      }
      // Sums of halves are rounded once, with the bias in them.
      const bool before = kHalves && c_.bias;
      unfold(columns.get(), first, l, sums.get(), before ? c_.out_channels() : 0, row);
      multiply(g_, a_.out.dtype, l.positions(), c_.out_group, c_.inner(), 1,
               {columns.get(), false, row, c_.inner() * row}, weights(), before ? 1 : 0,
               {sums.get(), false, row, c_.out_group * row}, c_.groups);
      scatter(sums.get(), first, l);
    }
  }

 private:
  static constexpr auto kSize = static_cast<int64_t>(sizeof(T));
  static constexpr int V = static_cast<int>(16 / sizeof(T));
  static constexpr int64_t kMost = int64_t{1} << 31;
  static constexpr bool kHalves = std::is_same_v<T, uint16_t>;

  static int64_t padded(int64_t n) { return (n + V - 1) / V * V; }
  T* output(int64_t image) const {
    return static_cast<T*>(a_.out.data) + image * c_.out_channels() * outputs_;
  }
  Matrix weights() const {
    return {a_.weight.data, false, c_.inner(), c_.groups > 1 ? c_.out_group * c_.inner() : 0};
  }
  // Whether the input is the matrix of its columns.
  bool is_matrix() const {
    int64_t run = kSize;
    for (int d = 2; d >= 0; --d) {
      if (c_.taps[d] != 1 || c_.stride[d] != 1 || c_.pad[d] != 0) return false;
      if (c_.in_size[d] != 1 && c_.in_step[d] != run) return false;
      run *= c_.in_size[d];
    }
    return c_.in.strides[1] >= run;
  }
  // Whether images make one product. It takes a pass over the output behind it, and saves the parts
  // of tiles that a small image leaves empty; of several groups there is one product, not one an
  // image.
  bool joins(bool itself) const {
    if (images_ == 1) return false;
    if (c_.groups > 1) return true;
    if (itself) return outputs_ < 64;
    constexpr int64_t kTile = 128;
    const int64_t tiles = (outputs_ + kTile - 1) / kTile * kTile;
    return tiles * 7 > outputs_ * 8;
  }
  // The products of images whose columns lie apart, or of one image's groups.
  void multiply_each(const Layout& l, void* columns, int64_t image_step, int64_t first) const {
    const bool grouped = c_.groups > 1;
    multiply(g_, a_.out.dtype, outputs_, c_.out_group, c_.inner(), 1,
             {columns, false, l.row, grouped ? c_.inner() * l.row : image_step}, weights(),
             c_.bias ? 1 : 0, {output(first), false, outputs_, c_.out_group * outputs_},
             grouped ? c_.groups : l.images);
  }
  template <class I, int W>
  FillRows<T, I, W> filling(T* out, int64_t rows, int64_t length) const {
    return {reachable(out),
            reinterpret_cast<const T*>(c_.bias.data),
            c_.bias ? c_.bias.strides[0] / kSize : 0,
            rows * length,
            Divisor<I>(length),
            Divisor<I>(c_.out_channels())};
  }
  // The bias in rows: it is there before the products are added.
  void fill(T* out, int64_t rows, int64_t length) const {
    const int64_t total = rows * length;
    if (total + V >= kMost)
      for_each(g_, total, filling<uint64_t, 1>(out, rows, length));
    else if (is_aligned(out, 16))
      for_each(g_, (total + V - 1) / V, filling<uint32_t, V>(out, rows, length));
    else
      for_each(g_, total, filling<uint32_t, 1>(out, rows, length));
  }
  // The columns of images from `first` on, and the bias in so many rows of `out`.
  void unfold(T* columns, int64_t first, const Layout& l, T* out, int64_t rows,
              int64_t length) const {
    const char* from = c_.in.data + first * c_.in.strides[0];
    const int64_t n = Im2Col<T, uint32_t>::threads(c_, l), total = rows * length;
    const bool narrow = short_ && n < kMost && l.positions() + V < kMost;
    if (!narrow || total + V >= kMost || !is_aligned(out, 16)) {
      if (rows) fill(out, rows, length);
      if (narrow)
        for_each(g_, n, Im2Col<T, uint32_t>(c_, from, reachable(columns), l));
      else
        for_each(g_, n, Im2Col<T, uint64_t>(c_, from, reachable(columns), l));
      return;
    }
    const Im2Col<T, uint32_t> unfolds(c_, from, reachable(columns), l);
    if (!rows) return for_each(g_, n, unfolds);
    using Fill = FillRows<T, uint32_t, V>;
    for_each(g_, n + (total + V - 1) / V,
             Both<Im2Col<T, uint32_t>, Fill>{n, unfolds, filling<uint32_t, V>(out, rows, length)});
  }
  void scatter(T* sums, int64_t first, const Layout& l) const {
    const int64_t total = l.images * c_.out_channels() * outputs_;
    auto of = [&](auto index, auto width) {
      using I = decltype(index);
      constexpr int W = decltype(width)::value;
      for_each(g_, total / W,
               Scatter<T, I, W>{reachable(output(first)), reachable(sums),
                                kHalves ? nullptr : reinterpret_cast<const T*>(c_.bias.data),
                                c_.bias ? c_.bias.strides[0] / kSize : 0, l.row,
                                Divisor<I>(outputs_ / W), Divisor<I>(c_.out_channels())});
    };
    if (total >= kMost)
      of(uint64_t{}, std::integral_constant<int, 1>{});
    else if (outputs_ % V == 0 && is_aligned(output(first), 16))
      of(uint32_t{}, std::integral_constant<int, V>{});
    else
      of(uint32_t{}, std::integral_constant<int, 1>{});
  }

  Gpu& g_;
  const ConvArgs& a_;
  const Conv& c_;
  int64_t outputs_, images_;
  bool short_ = false;
};

// ---- transposed ones as products ----

// The sums over the window of what each place of the input gives to each place in the window:
// columns [images, channels * window, row]. Sums are of C.
template <ScalarType t, class I>
struct Col2Im {
  using C = std::conditional_t<t == kDouble, double, float>;
  using S = std::make_signed_t<I>;
  static constexpr int64_t kSize = t == kDouble ? 8 : t == kFloat ? 4 : 2;
  const C* columns;
  const char* bias;
  char* out;
  int64_t bias_step, row;
  Divisor<I> size[3], channels, stride[3];
  S in_size[3], taps[3], pad[3], dilation[3];
  Col2Im(const Conv& c, const C* from, char* to, int64_t padded)
      : columns(from),
        bias(c.bias.data),
        out(to),
        bias_step(c.bias ? c.bias.strides[0] : 0),
        row(padded),
        channels(c.out_channels()) {
    for (int d = 0; d < 3; ++d) {
      size[d] = Divisor<I>(c.out_size[d]);
      stride[d] = Divisor<I>(c.stride[d]);
      in_size[d] = static_cast<S>(c.in_size[d]);
      taps[d] = static_cast<S>(c.taps[d]);
      pad[d] = static_cast<S>(c.pad[d]);
      dilation[d] = static_cast<S>(c.dilation[d]);
    }
  }
  SCONCE_GPU void operator()(int64_t i) const {
    auto rest = static_cast<I>(i);
    const auto o2 = static_cast<S>(size[2].split(rest)), o1 = static_cast<S>(size[1].split(rest)),
               o0 = static_cast<S>(size[0].split(rest));
    const int64_t plane = rest;  // image * channels + channel
    const I channel = channels.split(rest);
    C s = bias ? load<C>(t, bias + static_cast<int64_t>(channel) * bias_step) : C(0);
    const C* line = columns + plane * taps[0] * taps[1] * taps[2] * row;
    for (S a = 0; a < taps[0]; ++a)
      for (S b = 0; b < taps[1]; ++b) {
        S x0, x1;
        if (!source(0, o0, a, x0) || !source(1, o1, b, x1)) continue;
        const int64_t before = (static_cast<int64_t>(x0) * in_size[1] + x1) * in_size[2];
        const C* from = line + (static_cast<int64_t>(a) * taps[1] + b) * taps[2] * row + before;
        for (S e = 0; e < taps[2]; ++e, from += row) {
          S x2;
          if (source(2, o2, e, x2)) s += from[x2];
        }
      }
    store<C>(t, out + i * kSize, s);
  }
  // The input that output o meets at a tap.
  SCONCE_GPU bool source(int d, S o, S tap, S& x) const {
    const S at = o + pad[d] - tap * dilation[d];
    if (at < 0) return false;
    auto quotient = static_cast<I>(at);
    const I rest = stride[d].split(quotient);
    x = static_cast<S>(quotient);
    return rest == 0 && x < in_size[d];
  }
};
// Out and weight are dense, and the input's spatial dims.
template <ScalarType t>
void transposed_as(Gpu& g, const ConvArgs& a, const Conv& c) {
  using C = typename Col2Im<t, uint32_t>::C;
  constexpr int64_t kSize = Col2Im<t, uint32_t>::kSize, kMost = int64_t{1} << 31;
  constexpr int64_t kPack = 4, kColumnBytes = int64_t{256} << 20;
  const int64_t images = a.in.sizes[0], inputs = c.in_size[0] * c.in_size[1] * c.in_size[2];
  const int64_t row = (inputs + kPack - 1) / kPack * kPack, wide = c.out_group * c.window();
  const int64_t one = c.groups * wide * row, outputs = c.out_channels() * c.outputs();
  int64_t at_once = kColumnBytes / (one * static_cast<int64_t>(sizeof(C)));
  at_once = at_once < 1 || c.groups > 1 ? 1 : at_once < images ? at_once : images;
  Temporary<C> columns(g, at_once * one);
  if (!columns) return;
  const int64_t channel = c.in.strides[1] / kSize, image = c.in.strides[0] / kSize;
  const bool grouped = c.groups > 1;
  for (int64_t first = 0; first < images; first += at_once) {
    const int64_t count = first + at_once < images ? at_once : images - first;
    const Matrix x{static_cast<char*>(a.in.data) + first * image * kSize, false, channel,
                   grouped ? c.in_group * channel : image};
    const Matrix w{a.weight.data, true, wide, grouped ? c.in_group * wide : 0};
    const Matrix z{columns.get(), false, row, wide * row};
    multiply(g, t, inputs, wide, c.in_group, 1, x, w, 0, z, grouped ? c.groups : count,
             t == kDouble ? kDouble : kFloat);
    char* out = c.out.data + first * outputs * kSize;
    const C* from = reachable(columns.get());
    bool narrow = count * outputs < kMost;
    for (int d = 0; d < 3; ++d)
      narrow = narrow && c.out_size[d] + c.pad[d] < kMost && c.stride[d] < kMost &&
               c.taps[d] * c.dilation[d] < kMost && c.in_size[d] < kMost;
    if (narrow)
      for_each(g, count * outputs, Col2Im<t, uint32_t>(c, from, out, row));
    else
      for_each(g, count * outputs, Col2Im<t, uint64_t>(c, from, out, row));
  }
}
// False where the form is another.
bool transposed(Gpu& g, const ConvArgs& a, const Conv& c) {
  const auto es = static_cast<int64_t>(element_size(a.out.dtype));
  int64_t run = es;
  for (int d = 2; d >= 0; --d) {
    if (c.in_size[d] != 1 && c.in_step[d] != run) return false;
    run *= c.in_size[d];
  }
  if (c.in_group < 8 || c.in.strides[1] < run || !is_dense(a.out) || !is_dense(a.weight))
    return false;
  switch (a.out.dtype) {
    case kFloat: transposed_as<kFloat>(g, a, c); break;
    case kDouble: transposed_as<kDouble>(g, a, c); break;
    case kHalf: transposed_as<kHalf>(g, a, c); break;
    default: transposed_as<kBFloat16>(g, a, c); break;
  }
  return true;
}

bool conv(int index, const ConvArgs& a) {
  const ScalarType t = a.out.dtype;
  Conv c;
  if (!multiplies(t) || a.in.dtype != t || a.weight.dtype != t ||
      (a.bias.data && a.bias.dtype != t) || !conv_of(a, c))
    return false;
  Gpu& g = gpu(index);
  if (a.out.numel() == 0) return true;
  auto direct = [&](auto transposed) {
    constexpr bool kTransposed = decltype(transposed)::value;
    if (t == kDouble)
      for_each(g, a.out.numel(), DirectConv<double, kTransposed>{c});
    else
      for_each(g, a.out.numel(), DirectConv<float, kTransposed>{c});
    return true;
  };
  if (a.transposed) return transposed(g, a, c) || direct(std::true_type{});
  const bool dense = is_dense(a.out) && is_dense(a.weight);
  if (dense && depthwise(g, c, t, a.in.sizes[0])) return true;
  if (c.inner() < 16 || (c.groups > 1 && c.out_group < 4)) return direct(std::false_type{});
  if (!dense) {
    ConvArgs packed = a;
    Dense weight(g, a.weight), out(g, a.out);
    if (!weight || !out) return true;
    packed.weight = weight.view();
    packed.out = out.view();
    return slots().copy(index, {packed.weight, a.weight}) && conv(index, packed) &&
           slots().copy(index, {a.out, packed.out});
  }
  switch (element_size(t)) {
    case 2: Product<uint16_t>(g, a, c).run(); break;
    case 4: Product<float>(g, a, c).run(); break;
    default: Product<double>(g, a, c).run(); break;
  }
  return true;
}

}  // namespace

void add_conv(DevicePlugin& p) { p.conv = conv; }

}  // namespace sconce::cuda
