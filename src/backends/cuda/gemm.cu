// SPDX-License-Identifier: Apache-2.0
// Products, convolutions as products over im2col, attention as two products around a softmax.
#include "backends/cuda/blas.h"
#include "backends/cuda/gpu.h"

namespace sconce::cuda {

// Of nn.cu and elementwise.cu, through the table that they fill.
namespace {

const DevicePlugin& slots() {
  static const DevicePlugin* p = [] {
    auto* fresh = new DevicePlugin;
    add_elementwise(*fresh);
    add_nn(*fresh);
    return fresh;
  }();
  return *p;
}

bool multiplies(ScalarType t) {
  return t == kFloat || t == kDouble || t == kHalf || t == kBFloat16;
}

// A dense tensor of the device until the end of the scope.
class Dense {
 public:
  Dense(Gpu& g, std::initializer_list<int64_t> sizes, ScalarType t)
      : memory_(g, bytes(sizes, t)), n_(0) {
    for (int64_t s : sizes) sizes_[n_++] = s;
    int64_t run = 1;
    for (int d = n_ - 1; d >= 0; --d) strides_[d] = run, run *= sizes_[d];
    view_.data = memory_.get();
    view_.sizes = sizes_;
    view_.strides = strides_;
    view_.ndim = n_;
    view_.dtype = t;
  }
  const TensorView& view() const { return view_; }
  explicit operator bool() const { return static_cast<bool>(memory_); }

 private:
  static int64_t bytes(std::initializer_list<int64_t> sizes, ScalarType t) {
    auto n = static_cast<int64_t>(element_size(t));
    for (int64_t s : sizes) n *= s;
    return n;
  }
  Temporary<char> memory_;
  int n_;
  int64_t sizes_[4], strides_[4];
  TensorView view_;
};

// Row-major rows and columns as a column-major matrix: transposed when its rows are dense. False
// when neither dim is.
bool matrix(const TensorView& v, Matrix& m) {
  const int64_t rows = v.sizes[1], columns = v.sizes[2];
  int64_t row = v.strides[1], column = v.strides[2];
  // The stride of a dim of one element is free.
  if (columns == 1) column = 1;
  if (rows == 1) row = column == 1 ? columns : 1;
  m.data = v.data;
  m.stride = v.strides[0];
  if (column == 1 && row >= columns) {
    m.transposed = false;  // row-major is the transpose in column-major
    m.ld = row;
    return true;
  }
  if (row == 1 && column >= rows) {
    m.transposed = true;
    m.ld = column;
    return true;
  }
  return false;
}

// out[b] = alpha a[b] b[b] + beta out[b]; copies operands whose strides no library takes.
bool product(int index, const TensorView& out, const TensorView& a, const TensorView& b,
             double alpha, double beta) {
  Gpu& g = gpu(index);
  const ScalarType t = out.dtype;
  const int64_t batch = out.sizes[0], m = out.sizes[1], n = out.sizes[2], k = a.sizes[2];
  auto dense = [&](const TensorView& v) {
    return Dense(g, {v.sizes[0], v.sizes[1], v.sizes[2]}, t);
  };
  Matrix x, y, z;
  if (!matrix(a, x)) {
    Dense copy = dense(a);
    return copy && slots().copy(index, {copy.view(), a}) &&
           product(index, out, copy.view(), b, alpha, beta);
  }
  if (!matrix(b, y)) {
    Dense copy = dense(b);
    return copy && slots().copy(index, {copy.view(), b}) &&
           product(index, out, a, copy.view(), alpha, beta);
  }
  if (!matrix(out, z) || z.transposed) {
    Dense copy = dense(out);
    return copy && (beta == 0 || slots().copy(index, {copy.view(), out})) &&
           product(index, copy.view(), a, b, alpha, beta) &&
           slots().copy(index, {out, copy.view()});
  }
  // Row-major out = a b is column-major out' = b' a'.
  multiply(g, t, n, m, k, alpha, y, x, beta, z, batch);
  return true;
}

bool gemm(int index, const GemmArgs& args) {
  const ScalarType t = args.out.dtype;
  if (!multiplies(t) || args.a.dtype != t || args.b.dtype != t ||
      (args.bias.data && args.bias.dtype != t))
    return false;
  if (args.out.numel() == 0) return true;
  double beta = args.beta;
  if (args.bias.data) {
    if (beta != 0) return false;
    // The bias is there before the product is added, so halves are rounded once.
    const int64_t strides[3] = {0, 0, args.bias.strides[0]};
    TensorView rows = args.bias;
    rows.sizes = args.out.sizes;
    rows.strides = strides;
    rows.ndim = 3;
    if (!slots().copy(index, {args.out, rows})) return false;
    beta = 1;
  }
  if (args.a.sizes[2] == 0) {  // a sum of nothing
    if (beta == 0) return slots().fill(index, {args.out, {}});
    return args.bias.data != nullptr;
  }
  return product(index, args.out, args.a, args.b, args.alpha, beta);
}

// ---- convolution ----

// Spatial dims are three; missing ones come first and are 1.
struct Conv {
  View out, in, weight, bias;
  int64_t in_size[3], out_size[3], taps[3], stride[3], pad[3], dilation[3];
  int64_t in_step[3], out_step[3], weight_step[3];  // in bytes
  int64_t groups, in_group, out_group;              // channels of a group
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

// The columns of images [first, first + images) : [images, groups * in_group * taps, outputs].
template <class T>
struct Im2Col {
  Conv c;
  T* columns;
  int64_t first, outputs, taps;
  SCONCE_GPU void operator()(int64_t i) const {
    const int64_t position = i % outputs;
    int64_t rest = i / outputs;
    const int64_t tap = rest % taps;
    rest /= taps;
    const int64_t channels = c.groups * c.in_group, channel = rest % channels;
    int64_t from = (first + rest / channels) * c.in.strides[0] + channel * c.in.strides[1];
    int64_t o = position, k = tap;
    bool inside = true;
    for (int d = 2; d >= 0; --d) {
      const int64_t at = o % c.out_size[d] * c.stride[d] - c.pad[d] + k % c.taps[d] * c.dilation[d];
      o /= c.out_size[d];
      k /= c.taps[d];
      inside = inside && at >= 0 && at < c.in_size[d];
      from += at * c.in_step[d];
    }
    columns[i] = inside ? *reinterpret_cast<const T*>(c.in.data + from) : T(0);
  }
};

bool is_dense(const TensorView& v) {
  int64_t run = 1;
  for (int d = v.ndim - 1; d >= 0; --d) {
    if (v.sizes[d] != 1 && v.strides[d] != run) return false;
    run *= v.sizes[d];
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
  const int64_t images = a.in.sizes[0], taps = c.taps[0] * c.taps[1] * c.taps[2];
  const int64_t outputs = c.out_size[0] * c.out_size[1] * c.out_size[2];
  const int64_t inner = c.in_group * taps;
  if (a.out.numel() == 0) return true;
  if (a.transposed || inner < 16 || c.out_group < 4 || !is_dense(a.out) || !is_dense(a.weight)) {
    auto direct = [&](auto tag) {
      using C = decltype(tag);
      if (a.transposed)
        for_each(g, a.out.numel(), DirectConv<C, true>{c});
      else
        for_each(g, a.out.numel(), DirectConv<C, false>{c});
      return true;
    };
    return t == kDouble ? direct(double{}) : direct(float{});
  }
  // The bias is there before the product is added.
  double beta = 0;
  if (a.bias.data) {
    int64_t strides[5] = {0};
    strides[1] = a.bias.strides[0];
    TensorView channels = a.bias;
    channels.sizes = a.out.sizes;
    channels.strides = strides;
    channels.ndim = a.out.ndim;
    if (!slots().copy(index, {a.out, channels})) return false;
    beta = 1;
  }
  // As many images at a time as some memory holds.
  constexpr int64_t kColumnBytes = int64_t{256} << 20;
  const auto es = static_cast<int64_t>(element_size(t));
  const int64_t one = c.groups * inner * outputs;
  int64_t at_once = kColumnBytes / (one * es);
  at_once = at_once < 1 || c.groups > 1 ? 1 : at_once < images ? at_once : images;
  Temporary<char> columns(g, at_once * one * es);
  if (!columns) return true;
  for (int64_t first = 0; first < images; first += at_once) {
    const int64_t count = first + at_once < images ? at_once : images - first;
    auto unfold = [&](auto tag) {
      using T = decltype(tag);
      for_each(g, count * one,
               Im2Col<T>{c, reinterpret_cast<T*>(reachable(columns.get())), first, outputs, taps});
    };
    if (es == 2)
      unfold(uint16_t{});
    else if (es == 4)
      unfold(uint32_t{});
    else
      unfold(uint64_t{});
    // Of one image its groups, or of several their one group.
    const int64_t batch = c.groups > 1 ? c.groups : count;
    const Matrix y{columns.get(), false, outputs, inner * outputs};
    const Matrix w{a.weight.data, false, inner, c.groups > 1 ? c.out_group * inner : 0};
    const Matrix z{static_cast<char*>(a.out.data) + first * c.groups * c.out_group * outputs * es,
                   false, outputs, c.out_group * outputs};
    multiply(g, t, outputs, c.out_group, inner, 1, y, w, beta, z, batch);
  }
  return true;
}

// ---- attention ----

// Adds the mask to scores and hides what is later.
template <class C>
struct MaskScores {
  C* scores;  // [B, L, S]
  View mask;
  int64_t L, S;
  bool causal;
  SCONCE_GPU void operator()(int64_t i) const {
    const int64_t s = i % S, l = i / S % L, b = i / S / L;
    C v = scores[i];
    if (mask) v += mask.get<C>(b * mask.strides[0] + l * mask.strides[1] + s * mask.strides[2]);
    if (causal && s > l) v = -std::numeric_limits<C>::infinity();
    scores[i] = v;
  }
};
// Whether a row sees anything; one that doesn't gives zeros, where softmax gives nan.
template <class C>
struct SeesAny {
  using State = int;
  const C* scores;
  int64_t S;
  uint8_t* sees;
  SCONCE_GPU int start() const { return 0; }
  SCONCE_GPU void add(int& s, int64_t row, int64_t i) const {
    s |= scores[row * S + i] != -std::numeric_limits<C>::infinity();
  }
  SCONCE_GPU void merge(int& s, int o) const { s |= o; }
  SCONCE_GPU void finish(int64_t row, int s) const { sees[row] = s != 0; }
};
template <class C>
struct ZeroBlind {
  C* weights;
  int64_t S;
  const uint8_t* sees;
  SCONCE_GPU void operator()(int64_t i) const {
    if (!sees[i / S]) weights[i] = C(0);
  }
};
bool attention(int index, const AttentionArgs& a);
// In floats, as on the CPU: scores and weights are not rounded.
bool attention_of_halves(int index, const AttentionArgs& a) {
  Gpu& g = gpu(index);
  auto wide = [&](const TensorView& v) {
    return Dense(g, {v.sizes[0], v.sizes[1], v.sizes[2]}, kFloat);
  };
  Dense q = wide(a.q), k = wide(a.k), v = wide(a.v), out = wide(a.out);
  if (!q || !k || !v || !out) return true;
  AttentionArgs f = a;
  f.out = out.view();
  f.q = q.view();
  f.k = k.view();
  f.v = v.view();
  return slots().copy(index, {f.q, a.q}) && slots().copy(index, {f.k, a.k}) &&
         slots().copy(index, {f.v, a.v}) && attention(index, f) &&
         slots().copy(index, {a.out, f.out});
}
bool attention(int index, const AttentionArgs& a) {
  const ScalarType t = a.q.dtype;
  if (!multiplies(t) || a.k.dtype != t || a.v.dtype != t || a.out.dtype != t) return false;
  if (t == kHalf || t == kBFloat16) return attention_of_halves(index, a);
  View mask;
  if (!view(a.mask, mask)) return false;
  if (a.out.numel() == 0) return true;
  Gpu& g = gpu(index);
  const int64_t B = a.q.sizes[0], L = a.q.sizes[1], S = a.k.sizes[1];
  if (S == 0 || a.q.sizes[2] == 0) return false;
  Dense scores(g, {B, L, S}, t);
  if (!scores) return true;
  const int64_t sizes[3] = {B, a.k.sizes[2], S},
                strides[3] = {a.k.strides[0], a.k.strides[2], a.k.strides[1]};
  TensorView keys = a.k;
  keys.sizes = sizes;
  keys.strides = strides;
  if (!product(index, scores.view(), a.q, keys, a.scale, 0)) return false;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    C* at = reachable(scores.view().template ptr<C>());
    const bool hides = a.mask.data || a.causal;
    Temporary<uint8_t> memory(g, B * L);
    if (!memory) return true;
    uint8_t* sees = reachable(memory.get());
    if (hides) {
      for_each(g, B * L * S, MaskScores<C>{at, mask, L, S, a.causal});
      reduce_rows(g, B * L, S, SeesAny<C>{at, S, sees});
    }
    if (!slots().softmax(index, {scores.view(), scores.view(), false})) return false;
    if (hides) for_each(g, B * L * S, ZeroBlind<C>{at, S, sees});
    return product(index, a.out, scores.view(), a.v, 1, 0);
  };
  return t == kDouble ? run(double{}) : run(float{});
}

}  // namespace

void add_gemm(DevicePlugin& p) {
  p.gemm = gemm;
  p.conv = conv;
  p.attention = attention;
}

}  // namespace sconce::cuda
