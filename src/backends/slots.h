// SPDX-License-Identifier: Apache-2.0
// The kernel slots of a backend: plain data in, nothing known of graphs or IValues, nor of the rest
// of sconce, so that a plug-in library is compiled against this file alone. Every args struct
// begins with its TensorViews, outputs first, so that a recorder can copy and relocate a call
// without knowing the slot.
#pragma once
#include <complex>
#include <cstdint>

#include "core/tensor_view.h"

namespace sconce {

class Generator;

enum class Unary : uint8_t {
#define SCONCE_UNARY_ALL(n, e) n,
#define SCONCE_UNARY_REAL(n, e) n,
#define SCONCE_UNARY_INT(n, e) n,
#include "backends/unary.def"
#undef SCONCE_UNARY_ALL
#undef SCONCE_UNARY_REAL
#undef SCONCE_UNARY_INT
  // complex only, or with a result of another kind
  conj,
  real,
  imag,
  angle,
  complex_abs,
  pow_scalar
};
enum class Binary : uint8_t {
#define SCONCE_BINARY_ALL(n, e) n,
#define SCONCE_BINARY_ORD(n, e) n,
#define SCONCE_BINARY_REAL(n, e) n,
#define SCONCE_BINARY_INT(n, e) n,
#include "backends/binary.def"
#undef SCONCE_BINARY_ALL
#undef SCONCE_BINARY_ORD
#undef SCONCE_BINARY_REAL
#undef SCONCE_BINARY_INT
  pow,
  complex_of
};
enum class Ternary : uint8_t { where, addcmul, addcdiv, lerp, clamp };
enum class Reduce : uint8_t {
  sum,
  prod,
  max,
  min,
  any,
  all,
  norm1,
  norm2,
  normp,
  norm0,
  norminf,
  normneginf,
  sum_squares,
  logsumexp,
  nansum,
  count_nonzero,
  mean
};
enum class Scan : uint8_t { sum, prod, max, min, logsumexp };
enum class Pool : uint8_t { max, avg };
// What numbers are computed in, whatever they are stored as.
enum class Compute : uint8_t { F32, F64, I64, C64, C128 };

struct Number {
  double d = 0;
  int64_t i = 0;
  double im = 0;  // imaginary part; the real one is d
};

#define SCONCE_VIEWS(n_out, n_in) \
  static constexpr uint16_t kOutputs = n_out, kViews = (n_out) + (n_in)

struct FillArgs {
  TensorView out;
  SCONCE_VIEWS(1, 0);
  Number value;
};
struct CopyArgs {  // casts; in broadcasts to out
  TensorView out, in;
  SCONCE_VIEWS(1, 1);
};
struct UnaryArgs {
  TensorView out, in;
  SCONCE_VIEWS(1, 1);
  Unary op;
  Compute compute;
  double p, q, r;
};
struct BinaryArgs {
  TensorView out, a, b;  // a.data or b.data null: scalar instead
  SCONCE_VIEWS(1, 2);
  Binary op;
  Compute compute;
  Number scalar, scale;  // scale: alpha
};
struct TernaryArgs {
  TensorView out, a, b, c;  // null data of b or c: scalar_b, scalar_c
  SCONCE_VIEWS(1, 3);
  Ternary op;
  Compute compute;
  Number value, scalar_b, scalar_c;
};
// in: [out dims..., reduced dims...]; out has the leading dims.
struct ReduceArgs {
  TensorView out, in;
  SCONCE_VIEWS(1, 1);
  Reduce op;
  Compute compute;
  double p;
};
// Reduces in's last dim. Variance, arg-extremes and medians.
struct ArgReduceArgs {
  TensorView values, indices, in;  // values.data may be null
  SCONCE_VIEWS(2, 1);
  bool max;
};
struct VarArgs {
  TensorView var, mean, in;  // either output may be null; in: [out dims..., reduced dims...]
  SCONCE_VIEWS(2, 1);
  double correction;
  bool take_sqrt;
};
// Along in's last dim.
struct ScanArgs {
  TensorView out, indices, in;
  SCONCE_VIEWS(2, 1);
  Scan op;
  Compute compute;
};
struct SortArgs {  // along the last dim
  TensorView values, indices, in;
  SCONCE_VIEWS(2, 1);
  bool descending, stable;
  int64_t k;      // topk: number of values; -1: all
  bool sorted;    // topk
  bool only_kth;  // one element of each row instead: the k-th from 0
};
// out[b] = alpha * a[b] @ b[b] + beta * out[b]; 3-d views.
struct GemmArgs {
  TensorView out, a, b, bias;  // bias: [N] or null, added to each row
  SCONCE_VIEWS(1, 3);
  double alpha, beta;
};
// in: [N, C, spatial...], weight: [O, C/g, K...] (transposed: [C, O/g, K...]), 1 to 3 spatial dims.
struct ConvArgs {
  TensorView out, in, weight, bias;
  SCONCE_VIEWS(1, 3);
  int64_t stride[3], padding[3], dilation[3];
  int64_t groups;
  bool transposed;
};
struct PoolArgs {
  TensorView out, indices, in;  // indices may be null; [N, C, spatial...]
  SCONCE_VIEWS(2, 1);
  Pool op;
  int64_t kernel[3], stride[3], padding[3], dilation[3];
  bool count_include_pad;
  int64_t divisor;  // 0: the window
  bool adaptive;
};
struct SoftmaxArgs {  // last dim
  TensorView out, in;
  SCONCE_VIEWS(1, 1);
  bool log;
};
// Rows of the last dim: (x - mean) / sqrt(var + eps) * weight + bias.
struct LayerNormArgs {
  TensorView out, mean, rstd, in, weight, bias;  // mean, rstd, weight, bias may be null
  SCONCE_VIEWS(3, 3);
  double eps;
  bool rms;  // no mean subtraction, no bias
};
// in: [N, C, ...]: (x - mean[c]) * invstd[c] * weight[c] + bias[c]
struct BatchNormArgs {
  TensorView out, in, mean, var, weight, bias;
  SCONCE_VIEWS(1, 5);
  double eps;
};
// out[i...] = in[..., index, ...]: gather along dim with an index of out's shape.
struct GatherArgs {
  TensorView out, in, index;
  SCONCE_VIEWS(1, 2);
  int64_t dim;
};
enum class ScatterMode : uint8_t { set, add, prod, amax, amin };
struct ScatterArgs {
  TensorView out, index, src;  // src.data null: value
  SCONCE_VIEWS(1, 2);
  int64_t dim;
  ScatterMode mode;
  Number value;
};
// Advanced indexing: position of element k is sum over j of index[j][k] * step[j]; the rest are
// plain dims.
struct IndexArgs {
  TensorView out, in, index[6];
  SCONCE_VIEWS(1, 7);
  int32_t n_index;
  int64_t size[6], step[6];  // of in's indexed dims, steps in elements
  // in's remaining dims as out's trailing dims (strides given by in view); out: [index dims...,
  // rest dims...]
  int32_t index_ndim;
  bool put, accumulate;  // put: in is written from out
  bool no_negative;      // negative indices are errors
};
enum class Random : uint8_t {
  uniform,
  normal,
  bernoulli,
  exponential,
  geometric,
  cauchy,
  log_normal,
  randint,      // from lo to hi, both included
  random_full,  // as many bits as the dtype tells apart
  random_bits,  // 64 bits
  randperm,
  // of parameters in tensors, one for each element
  bernoulli_tensor,  // in: probability
  standard_gamma,    // in: shape
  poisson,           // in: rate
  binomial           // in: count, in2: probability
};
struct RandomArgs {
  TensorView out, in, in2;
  SCONCE_VIEWS(1, 2);
  Random op;
  double p, q;
  int64_t lo, hi;
  Generator* generator;
};
enum class Sequence : uint8_t { arange, linspace, logspace, eye, tril, triu, iota };
struct SequenceArgs {
  TensorView out, in;  // in: tril, triu
  SCONCE_VIEWS(1, 1);
  Sequence op;
  Number start, end, step;
};
enum class Resize : uint8_t { nearest, nearest_exact, linear, cubic, lanczos };
struct ResizeArgs {
  TensorView out, in;  // [N, C, spatial...]
  SCONCE_VIEWS(1, 1);
  Resize op;
  bool align_corners, antialias;
  double scale[3];  // 0: from the sizes
};
struct GridSampleArgs {
  TensorView out, in, grid;
  SCONCE_VIEWS(1, 2);
  int64_t mode, padding;
  bool align_corners;
};
struct PadArgs {
  TensorView out, in;
  SCONCE_VIEWS(1, 1);
  int64_t before[8];
  int32_t mode;  // 1 reflect, 2 replicate, 3 circular
};
// softmax(q k^T * scale + mask) v; q: [B, L, E], k: [B, S, E], v: [B, S, D], mask: [B, L, S] float
// or null
struct AttentionArgs {
  TensorView out, q, k, v, mask;
  SCONCE_VIEWS(1, 4);
  double scale;
  bool causal;
  bool plain_softmax;  // a row that sees nothing is NaN, as of a softmax; else it is zeros
};
// One step of an LSTM or GRU: gates [B, 4H or 3H] hold x W^T + b, hidden_gates h U^T + b, or for an
// LSTM gates hold both.
struct RnnCellArgs {
  TensorView h, c, gates, hidden_gates, h_prev,
      c_prev;  // GRU: c, c_prev null; LSTM: h_prev null
  SCONCE_VIEWS(2, 4);
  bool gru;
};
struct FftArgs {  // along the last dim; out complex, in complex or real
  TensorView out, in;
  SCONCE_VIEWS(1, 1);
  bool inverse;
  double scale;
};
// Batches of matrices [b, m, n] and vectors [b, n]; backends/ref/linalg.cpp says what each
// operation reads and writes.
enum class Linalg : uint8_t {
  lu,
  lu_solve,
  cholesky,
  geqrf,
  householder,
  svd,
  eigh,
  eig,
  ldl,
  ldl_solve,
  triangular,
  lstsq,
  permutation
};
struct LinalgArgs {
  TensorView out[4], in[3];
  SCONCE_VIEWS(4, 3);
  Linalg op;
  int32_t flag;
  double value;
};
struct QuantizeArgs {
  TensorView out, in, scales, zero_points;  // per channel when scales is given
  SCONCE_VIEWS(1, 3);
  double scale;
  int64_t zero_point, axis;
  bool dequantize;
};
// A convolution of 8-bit numbers, or a product of matrices (no dims after the channels). in [N, C,
// ...] and weight [O, C / groups, ...] of QUInt8 or QInt8, out [N, O, ...]. With exact sums, at
// most 2^15 products each, rounded to float once:
//   y = bias[o] + in_scale * scale[o] * sum of (in - in_zero) * (weight - zero[o]), relu: 0 at
//   least
// A quantised out gets y / out_scale rounded, plus out_zero. bias, scales and zeros (double, [O])
// may be absent: 0, weight_scale, weight_zero. Zero points are numbers of their dtypes; those of
// weights are 0 where a group is one channel with one output. packed: the weights, as
// pack_quantized made them; may be absent.
struct QuantizedConvArgs {
  TensorView out, in, weight, bias, scales, zeros, packed;
  SCONCE_VIEWS(1, 6);
  double in_scale, weight_scale, out_scale;
  int64_t in_zero, weight_zero, out_zero;
  int64_t stride[3], padding[3], dilation[3], groups;
  bool relu;
};
// Places of values [rows of bounds or 1, m] in bounds [rows, n]: before the first that isn't less,
// or, right, that is greater.
struct SearchArgs {
  TensorView out, bounds, values;
  SCONCE_VIEWS(1, 2);
  bool right;
};
// out [n, m]: intersection over union of rotated boxes (x, y, w, h, degrees) [n, 5] and [m, 5].
struct RotatedIouArgs {
  TensorView out, a, b;
  SCONCE_VIEWS(1, 2);
};
// A recursive filter of rows: out[r, i + order - 1] = in[r, i] - sum over j of weight[c, j] *
// out[r, i + j], where c is r mod the number of channels. The first order - 1 elements of a row are
// what came before.
struct RecurArgs {
  TensorView out, in, weight;  // [rows, n + order - 1], [rows, n], [channels, order]
  SCONCE_VIEWS(1, 2);
};
struct NonzeroArgs {  // out: [n, dims] int64; in: any
  TensorView out, in;
  SCONCE_VIEWS(1, 1);
};

// ---- prepared calls ----
// What a shape plan makes of the slots above (runtime/lowering): no operator calls them, so they
// see floats on the CPU only, in the forms that are said here. A table may lack them (null); then
// plans are left as they were recorded.

enum class Activation : uint8_t {
  none,
  relu,
  clamp,       // to [p, q]; NaN stays
  leaky_relu,  // slope p
  sigmoid,
  silu,
  tanh,
  gelu,  // by erf
  gelu_tanh,
  hardswish,
  hardsigmoid
};
// y = act(x + residual), or act(x) + residual; x has its bias already.
struct Epilogue {
  Activation act = Activation::none;
  bool residual_last = false;
  double p = 0, q = 0;
};
// out = epilogue(a @ weight + bias). out, a, residual: [M, N], [M, K], [M, N] with dense rows;
// residual may be out itself. weight: sizes [K, N], data: what pack_linear made. bias: dense [N].
// residual and bias may be null.
struct LinearArgs {
  TensorView out, a, residual, bias, weight;
  SCONCE_VIEWS(1, 4);
  Epilogue then;
};
// Rows of an embedding that are a product's packed weights: out[i] = column index[i] of weight.
// out: float [n, K], dense; index: [n], int32 or int64. weight: sizes [K, N], data: what
// pack_linear made.
struct PackedEmbeddingArgs {
  TensorView out, index, weight;
  SCONCE_VIEWS(1, 2);
};
// A convolution, not transposed, of [N, C, H, W] (one spatial dim: H = 1). out and residual are
// dense with channels last; in is too, or dense in the order of its dims where choose_conv allows
// it. weight: sizes [O, C/g, kh, kw], data: what pack_conv made.
struct PreparedConvArgs {
  TensorView out, in, residual, bias, weight;
  SCONCE_VIEWS(1, 4);
  int64_t stride[2], padding[2], dilation[2];
  int64_t groups;
  int32_t algorithm;  // what choose_conv said
  Epilogue then;
};
// How a convolution is best done: `algorithm` decides what the packed weights are, -1: not at all.
struct ConvChoice {
  int32_t algorithm = -1;
  bool plain_input = false;  // in may be dense in the order of its dims (a picture's few channels)
  size_t packed_bytes = 0;
};
// One step of a chain of elementwise operators over float registers.
struct PointwiseStep {
  enum Kind : uint8_t { unary, binary, ternary };
  static constexpr uint8_t kNumber = 255, kMostSteps = 64;
  uint8_t kind;
  uint8_t op;           // Unary, Binary or Ternary
  uint8_t to, a, b, c;  // registers; kNumber (not of unaries, nor a of ternaries): a number below
  // Of a unary: p, q, r. Of a binary: the number in place of an operand, alpha. Of a ternary: value
  // and the numbers in place of b and c.
  float x, y, z;
};
// The chain over all elements of out[0]. in[i], broadcast by strides of 0, floats or bools (0 or
// 1), fills register i; out[k] gets register result[k]. out[1] to in[7] may be null at a row's end.
struct PointwiseArgs {
  TensorView out[4], in[8];
  SCONCE_VIEWS(4, 8);
  const PointwiseStep* steps;
  int32_t n_steps;
  uint8_t n_registers, result[4];
};

// clang-format off
#define SCONCE_SLOTS(X)                                                                            \
  X(fill, FillArgs)                                                                                \
  X(copy, CopyArgs)                                                                                \
  X(unary, UnaryArgs)                                                                              \
  X(binary, BinaryArgs) X(ternary, TernaryArgs) X(reduce, ReduceArgs) X(arg_reduce, ArgReduceArgs) \
      X(var, VarArgs) X(scan, ScanArgs) X(sort, SortArgs) X(gemm, GemmArgs) X(conv, ConvArgs)      \
          X(pool, PoolArgs) X(softmax, SoftmaxArgs) X(layer_norm, LayerNormArgs)                   \
              X(batch_norm, BatchNormArgs) X(gather, GatherArgs) X(scatter, ScatterArgs)           \
                  X(index, IndexArgs) X(random, RandomArgs) X(sequence, SequenceArgs)              \
                      X(resize, ResizeArgs) X(grid_sample, GridSampleArgs) X(pad, PadArgs)         \
                          X(attention, AttentionArgs) X(rnn_cell, RnnCellArgs) X(fft, FftArgs)     \
                              X(quantize, QuantizeArgs) X(quantized_conv, QuantizedConvArgs) X(nonzero, NonzeroArgs) X(search, SearchArgs) X(rotated_iou, RotatedIouArgs) X(recur, RecurArgs) \
                                  X(linalg, LinalgArgs)
// clang-format on

// Bit i: the call writes view i.
template <class A>
constexpr uint32_t written_views(const A&) {
  return (1u << A::kOutputs) - 1;
}
inline uint32_t written_views(const IndexArgs& a) { return a.put ? 2 : 1; }

struct Kernels {
  uint32_t size = sizeof(Kernels), version = 1;
  const char* name = "";
#define X(slot, Args) void (*slot)(const Args&) = nullptr;
  SCONCE_SLOTS(X)
#undef X
  // Prepared calls, and what makes their weights. b: float [K, N] of any strides; to: 64-byte
  // aligned.
  void (*linear)(const LinearArgs&) = nullptr;
  size_t (*packed_linear_bytes)(int64_t k, int64_t n) = nullptr;
  void (*pack_linear)(const TensorView& b, void* to) = nullptr;
  void (*packed_embedding)(const PackedEmbeddingArgs&) = nullptr;
  // args: with the plain weight; sizes and layouts of in and out as they will be.
  void (*prepared_conv)(const PreparedConvArgs&) = nullptr;
  ConvChoice (*choose_conv)(const PreparedConvArgs&) = nullptr;
  void (*pack_conv)(const PreparedConvArgs&, void* to) = nullptr;
  void (*pointwise)(const PointwiseArgs&) = nullptr;
  // The sizes of in and out don't matter here; of weight, sizes only for the bytes.
  size_t (*packed_quantized_bytes)(const QuantizedConvArgs&) = nullptr;
  void (*pack_quantized)(const QuantizedConvArgs&, void* to) = nullptr;
};

}  // namespace sconce
