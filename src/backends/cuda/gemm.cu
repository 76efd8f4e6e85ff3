// SPDX-License-Identifier: Apache-2.0
// Products, and attention as two products around a softmax.
#include <optional>
#include <type_traits>

#include "backends/cuda/blas.h"
#include "backends/cuda/gpu.h"
#include "backends/cuda/products.h"
#include "backends/cuda/rows.h"

namespace sconce::cuda {

namespace {

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

// out[b] = alpha a[b] b[b] + beta out[b]; copies operands whose strides no library takes. Of halves
// out may be float.
bool product(int index, const TensorView& out, const TensorView& a, const TensorView& b,
             double alpha, double beta) {
  Gpu& g = gpu(index);
  const ScalarType t = a.dtype;
  const int64_t batch = out.sizes[0], m = out.sizes[1], n = out.sizes[2], k = a.sizes[2];
  auto dense = [&](const TensorView& v) {
    return Dense(g, {v.sizes[0], v.sizes[1], v.sizes[2]}, v.dtype);
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
  multiply(g, t, n, m, k, alpha, y, x, beta, z, batch, out.dtype);
  return true;
}

// ---- products of few rows ----

// out[r, j] = alpha * (a[r, :] . b[j, :]) + beta * out[r, j] + bias[j], a sum a warp; both rows are
// dense. N elements at once. Sums with the same j are neighbours, which read b from near.
template <ScalarType t, int N>
struct DotRows {
  using C = std::conditional_t<t == kDouble, double, float>;
  using E =
      std::conditional_t<t == kDouble, double, std::conditional_t<t == kFloat, float, uint16_t>>;
  using State = C;
  const E *a, *b, *bias;
  E* out;
  int64_t rows, a_row, b_row, out_row, out_step, bias_step;
  C alpha, beta;
  SCONCE_GPU State start() const { return C(0); }
  SCONCE_GPU void add(State& s, int64_t row, int64_t i) const {
    const auto x = *reinterpret_cast<const Pack<E, N>*>(a + row % rows * a_row + i * N);
    const auto y = *reinterpret_cast<const Pack<E, N>*>(b + row / rows * b_row + i * N);
    SCONCE_UNROLL
    for (int e = 0; e < N; ++e) s += load<C>(t, &x.v[e]) * load<C>(t, &y.v[e]);
  }
  SCONCE_GPU void merge(State& s, const State& o) const { s += o; }
  SCONCE_GPU void finish(int64_t row, const State& s) const {
    const int64_t r = row % rows, j = row / rows;
    E* to = out + r * out_row + j * out_step;
    C v = alpha * s;
    if (beta != C(0)) v += beta * load<C>(t, to);
    if (bias) v += load<C>(t, bias + j * bias_step);
    store<C>(t, to, v);
  }
};
#ifdef __CUDACC__
template <class F>
__global__ void warps_kernel(int64_t rows, int64_t n, F f) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * (blockDim.x / 32);
  for (int64_t r = static_cast<int64_t>(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
       r < rows; r += step) {
    typename F::State s = f.start();
#pragma unroll 4
    for (int64_t i = threadIdx.x % 32; i < n; i += 32) f.add(s, r, i);
    for (int half = 16; half > 0; half /= 2) f.merge(s, __shfl_xor_sync(0xffffffffu, s, half));
    if (threadIdx.x % 32 == 0) f.finish(r, s);
  }
}
#endif
// As reduce_rows, a warp a row; the state is a number.
template <class F>
void reduce_in_warps(Gpu& g, int64_t rows, int64_t n, const F& f) {
#ifdef __CUDACC__
  constexpr int64_t kWarps = 4, kBlocks = 1 << 20;
  const int64_t blocks = (rows + kWarps - 1) / kWarps;
  warps_kernel<<<static_cast<unsigned>(blocks < kBlocks ? blocks : kBlocks), kWarps * 32, 0,
                 g.stream>>>(rows, n, f);
  if (cudaError_t e = cudaGetLastError()) g.failed(cudaGetErrorString(e));
#else
  launch_rows(g, rows, n, f);
#endif
}
template <ScalarType t>
void few_rows_as(Gpu& g, const GemmArgs& x) {
  auto run = [&](auto width) {
    constexpr int N = decltype(width)::value;
    using Kernel = DotRows<t, N>;
    using E = typename Kernel::E;
    Kernel k{};
    k.a = reachable(static_cast<const E*>(x.a.data));
    k.b = reachable(static_cast<const E*>(x.b.data));
    if (x.bias.data) {
      k.bias = reachable(static_cast<const E*>(x.bias.data));
      k.bias_step = x.bias.strides[0];
    }
    k.out = reachable(static_cast<E*>(x.out.data));
    k.rows = x.out.sizes[1];
    k.a_row = x.a.strides[1];
    k.b_row = x.b.strides[2];
    k.out_row = x.out.strides[1];
    k.out_step = x.out.strides[2];
    k.alpha = static_cast<typename Kernel::C>(x.alpha);
    k.beta = static_cast<typename Kernel::C>(x.beta);
    reduce_in_warps(g, x.out.sizes[1] * x.out.sizes[2], x.a.sizes[2] / N, k);
  };
  constexpr int kPack = t == kDouble ? 2 : t == kFloat ? 4 : 8;
  const int64_t rows = x.a.sizes[1], columns = x.b.sizes[2];
  if (x.a.sizes[2] % kPack == 0 && (rows == 1 || x.a.strides[1] % kPack == 0) &&
      (columns == 1 || x.b.strides[2] % kPack == 0) && is_aligned(x.a.data, 16) &&
      is_aligned(x.b.data, 16))
    run(std::integral_constant<int, kPack>{});
  else
    run(std::integral_constant<int, 1>{});
}
// Products of a few rows with a matrix whose columns are dense, a linear layer's: each is read
// once, as fast as memory gives it. False where the form is another.
bool few_rows(Gpu& g, const GemmArgs& x) {
  constexpr int64_t kRows = 4;
  const int64_t k = x.a.sizes[2];
  if (k > 4096 && x.out.sizes[1] * x.out.sizes[2] < 1024) return false;
  if (x.out.sizes[0] != 1 || x.out.sizes[1] > kRows || k == 0 ||
      (k != 1 && (x.a.strides[2] != 1 || x.b.strides[1] != 1)))
    return false;
  switch (x.out.dtype) {
    case kFloat: few_rows_as<kFloat>(g, x); break;
    case kDouble: few_rows_as<kDouble>(g, x); break;
    case kHalf: few_rows_as<kHalf>(g, x); break;
    default: few_rows_as<kBFloat16>(g, x); break;
  }
  return true;
}

// ---- the slot ----

// out = alpha a b + bias by the library's own product of that kind; false where it has none.
bool product_with_bias(Gpu& g, const GemmArgs& x) {
  Matrix a, b, out;
  if (x.out.sizes[0] != 1 || x.a.sizes[2] == 0 || !matrix(x.a, a) || !matrix(x.b, b) ||
      !matrix(x.out, out) || out.transposed || (x.bias.sizes[0] != 1 && x.bias.strides[0] != 1))
    return false;
  // Row-major out = a b is column-major out' = b' a', the bias along its rows.
  return multiply_with_bias(g, x.out.dtype, x.out.sizes[2], x.out.sizes[1], x.a.sizes[2], x.alpha,
                            b, a, x.bias.data, out);
}

bool gemm(int index, const GemmArgs& args) {
  const ScalarType t = args.out.dtype;
  if (!multiplies(t) || args.a.dtype != t || args.b.dtype != t ||
      (args.bias.data && args.bias.dtype != t))
    return false;
  if (args.out.numel() == 0) return true;
  double beta = args.beta;
  if (args.bias.data && beta != 0) return false;
  Gpu& g = gpu(index);
  if (few_rows(g, args)) return true;
  if (args.bias.data) {
    if (product_with_bias(g, args)) return true;
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

// ---- attention ----

// The weights of a row of scores: their softmax with the mask added and what is later hidden. A row
// that sees nothing gives zeros, where softmax gives nan. Weights may lie where the scores do.
template <class C>
struct AttentionWeights {
  const C* scores;  // [B, L, S]
  char* weights;    // of dtype t
  ScalarType t;
  View mask;
  int64_t size, L, S;  // size of a weight
  bool causal;
  struct Row {
    const C* from;
    char* to;
    int64_t mask, seen;  // how many are not later
  };
  SCONCE_GPU Row row(int64_t r) const {
    const int64_t b = r / L, l = r % L;
    return {scores + r * S, weights + r * S * size,
            mask ? b * mask.strides[0] + l * mask.strides[1] : 0, causal ? l + 1 : S};
  }
  SCONCE_GPU C value(const Row& r, int64_t i) const {
    C v = r.from[i];
    if (mask) v += mask.template get<C>(r.mask + i * mask.strides[2]);
    return i < r.seen ? v : -std::numeric_limits<C>::infinity();
  }
  SCONCE_GPU void add(ExpSum<C>& s, const Row& r, int64_t i) const { s.merge({value(r, i), C(1)}); }
  SCONCE_GPU void finish(const ExpSum<C>& s, const Row& r, int64_t i) const {
    const bool blind = (mask || causal) && s.max == -std::numeric_limits<C>::infinity() &&
                       s.sum == s.sum;  // nan sees
    store<C>(t, r.to + i * size, blind ? C(0) : std::exp(value(r, i) - s.max) / s.sum);
  }
};
#ifdef __CUDACC__
// A row by a team of threads: a warp or the block.
template <class C, int kTeam>
__global__ void weights_kernel(int64_t rows, AttentionWeights<C> f) {
  const int teams = blockDim.x / kTeam, rank = threadIdx.x % kTeam;
  const int64_t step = static_cast<int64_t>(gridDim.x) * teams;
  // The threads of a block have one row where they meet: they all go round alike.
  for (int64_t r = static_cast<int64_t>(blockIdx.x) * teams + threadIdx.x / kTeam; r < rows;
       r += step) {
    const auto row = f.row(r);
    ExpSum<C> s;
#pragma unroll 4
    for (int64_t i = rank; i < f.S; i += kTeam) f.add(s, row, i);
    for (int half = 16; half > 0; half /= 2) {
      ExpSum<C> other;
      other.max = __shfl_xor_sync(0xffffffffu, s.max, half);
      other.sum = __shfl_xor_sync(0xffffffffu, s.sum, half);
      s.merge(other);
    }
    if constexpr (kTeam > 32) {
      __shared__ C largest[kTeam / 32], sums[kTeam / 32];
      __syncthreads();  // what was there has been read
      if (threadIdx.x % 32 == 0) {
        largest[threadIdx.x / 32] = s.max;
        sums[threadIdx.x / 32] = s.sum;
      }
      __syncthreads();
      s = ExpSum<C>{};
      for (int w = 0; w < kTeam / 32; ++w) {
        ExpSum<C> other;
        other.max = largest[w];
        other.sum = sums[w];
        s.merge(other);
      }
    }
    for (int64_t i = rank; i < f.S; i += kTeam) f.finish(s, row, i);
  }
}
#endif
template <class C>
void weigh(Gpu& g, int64_t rows, const AttentionWeights<C>& f) {
#ifdef __CUDACC__
  constexpr int64_t kBlocks = 1 << 20;
  auto grid = [&](int64_t teams) {
    const int64_t blocks = (rows + teams - 1) / teams;
    return static_cast<unsigned>(blocks < kBlocks ? blocks : kBlocks);
  };
  if (f.S <= 1024)
    weights_kernel<C, 32><<<grid(4), 128, 0, g.stream>>>(rows, f);
  else
    weights_kernel<C, 256><<<grid(1), 256, 0, g.stream>>>(rows, f);
  if (cudaError_t e = cudaGetLastError()) g.failed(cudaGetErrorString(e));
#else
  (void)g;
  for (int64_t r = 0; r < rows; ++r) {
    const auto row = f.row(r);
    ExpSum<C> s[2];
    for (int64_t i = 0; i < f.S; ++i) f.add(s[i % 2], row, i);
    s[0].merge(s[1]);
    for (int64_t i = 0; i < f.S; ++i) f.finish(s[0], row, i);
  }
#endif
}

// Scores are floats also of halves; their weights are rounded, as PyTorch's.
bool attention(int index, const AttentionArgs& a) {
  const ScalarType t = a.q.dtype;
  if (!multiplies(t) || a.k.dtype != t || a.v.dtype != t || a.out.dtype != t) return false;
  View mask;
  if (!view(a.mask, mask)) return false;
  if (a.out.numel() == 0) return true;
  Gpu& g = gpu(index);
  const int64_t B = a.q.sizes[0], L = a.q.sizes[1], S = a.k.sizes[1];
  if (S == 0 || a.q.sizes[2] == 0) return false;
  const ScalarType wide = t == kDouble ? kDouble : kFloat;
  Dense scores(g, {B, L, S}, wide);
  std::optional<Dense> halves;
  if (wide != t) halves.emplace(g, std::initializer_list<int64_t>{B, L, S}, t);
  if (!scores || (halves && !*halves)) return true;
  const int64_t sizes[3] = {B, a.k.sizes[2], S},
                strides[3] = {a.k.strides[0], a.k.strides[2], a.k.strides[1]};
  TensorView keys = a.k;
  keys.sizes = sizes;
  keys.strides = strides;
  if (!product(index, scores.view(), a.q, keys, a.scale, 0)) return false;
  const TensorView& weights = halves ? halves->view() : scores.view();
  auto run = [&](auto tag) {
    using C = decltype(tag);
    weigh(g, B * L,
          AttentionWeights<C>{reachable(scores.view().template ptr<C>()),
                              reachable(static_cast<char*>(weights.data)), t, mask,
                              static_cast<int64_t>(element_size(t)), L, S, a.causal});
  };
  t == kDouble ? run(double{}) : run(float{});
  return product(index, a.out, weights, a.v, 1, 0);
}

}  // namespace

void add_gemm(DevicePlugin& p) {
  p.gemm = gemm;
  p.attention = attention;
  add_conv(p);
}

}  // namespace sconce::cuda
