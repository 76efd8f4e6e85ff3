// SPDX-License-Identifier: Apache-2.0
// What the CUDA kernels stand on. A kernel is a struct that is called for an index (for_each), or
// that reduces the rows of something (reduce_rows). The same structs compile for the CPU, where
// plain loops call them (emulated.cpp's memory): all index arithmetic is tested without a GPU, and
// what only a GPU has stands in this file, launch.h, gpu.cu and blas.cu.
#pragma once
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>

#include "backends/device_plugin.h"
#include "backends/loops.h"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#define SCONCE_GPU __device__ __forceinline__
#define SCONCE_BOTH __host__ __device__
#define SCONCE_UNROLL _Pragma("unroll")
#else
#define SCONCE_GPU inline
#define SCONCE_BOTH
#define SCONCE_UNROLL
#endif
#define SCONCE_MATH SCONCE_GPU
#define SCONCE_DEVICE_MATH
#include "backends/to_integer.h"

namespace sconce::cuda {

// What went wrong for this thread; the first is remembered until it is told.
struct Failure {
  DeviceProblem kind = DeviceProblem::None;
  char text[256] = "";
};
inline Failure& failure() {
  static thread_local Failure f;
  return f;
}

// One device: its stream, on which the work of all threads goes, and the faults that kernels found.
class Gpu {
 public:
  // Errors of the values that kernels find; told when the host next waits for the device.
  enum Fault : int { None, IndexRange, ZeroDivision };
  int index = 0;
#ifdef __CUDACC__
  // The device's own, or while this thread captures a graph the one that is captured.
  struct Stream {
    cudaStream_t own = nullptr;
    operator cudaStream_t() const;
  };
  Stream stream;
  int* host_faults = nullptr;  // pinned
#endif
  int* faults = nullptr;  // in device memory: a word for each thread, shared beyond kFaultWords
  static constexpr int kFaultWords = 1024;
  // This thread's word, or that of the graph that it captures.
  int* fault() const;
  static int next_fault_word() {
    static std::atomic<int> taken{0};
    return (taken.fetch_add(1) & 0x7fffffff) % kFaultWords;
  }
  static int fault_word_of_thread() {
    static thread_local int mine = next_fault_word();
    return mine;
  }
  void* allocate(size_t nbytes);
  void release(void* p, size_t nbytes);
  static void failed(DeviceProblem kind, const char* what) {
    Failure& f = failure();
    if (f.kind != DeviceProblem::None) return;
    f.kind = kind;
    std::snprintf(f.text, sizeof f.text, "%s", what);
  }
  static void failed(const char* what) { failed(DeviceProblem::Device, what); }
  static void fault_found(int fault) {
    if (fault == IndexRange) failed(DeviceProblem::Values, "index out of range");
    if (fault == ZeroDivision) failed(DeviceProblem::Values, "ZeroDivisionError");
  }
};
// The device with this number, for work that this thread is about to give it. Null members where it
// couldn't be opened: failure() says why.
Gpu& gpu(int index);

// Memory of the device until the end of the scope.
template <class T>
class Temporary {
 public:
  Temporary(Gpu& g, int64_t n)
      : gpu_(g), n_(n), data_(static_cast<T*>(g.allocate(static_cast<size_t>(n) * sizeof(T)))) {
    if (!data_) {
      char text[80];
      std::snprintf(text, sizeof text, "cannot allocate %lld bytes",
                    static_cast<long long>(n) * static_cast<long long>(sizeof(T)));
      Gpu::failed(DeviceProblem::Memory, text);
    }
  }
  ~Temporary() {
    if (data_) gpu_.release(data_, static_cast<size_t>(n_) * sizeof(T));
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  T* get() const { return data_; }
  explicit operator bool() const { return data_; }

 private:
  Gpu& gpu_;
  int64_t n_;
  T* data_;
};

// The address at which a kernel reaches what the host knows by p: itself on a GPU.
#ifdef __CUDACC__
template <class T>
T* reachable(T* p) {
  return p;
}
#else
char* reachable_address(const void* p);
template <class T>
T* reachable(T* p) {
  return reinterpret_cast<T*>(reachable_address(p));
}
#endif

// ---- launching ----

#ifdef __CUDACC__
constexpr int kThreads = 256;

template <class F>
__global__ void each_kernel(int64_t n, F f) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step)
    f(i);
}
// f(i) for each i below n.
template <class F>
void for_each(Gpu& g, int64_t n, const F& f) {
  if (n <= 0) return;
  const int64_t blocks = (n + kThreads - 1) / kThreads;
  each_kernel<<<static_cast<unsigned>(blocks < 8192 ? blocks : 8192), kThreads, 0, g.stream>>>(n,
                                                                                               f);
  if (cudaError_t e = cudaGetLastError()) g.failed(cudaGetErrorString(e));
}

// One thread a row: for short rows.
template <class F>
__global__ void short_rows_kernel(int64_t rows, int64_t n, F f) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t r = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; r < rows;
       r += step) {
    typename F::State s = f.start();
    for (int64_t i = 0; i < n; ++i) f.add(s, r, i);
    f.finish(r, s);
  }
}
// One block a row: each thread takes every blockDim-th element, then the states are merged in
// shared memory, halving.
template <class F>
__global__ void rows_kernel(int64_t rows, int64_t n, F f) {
  using State = typename F::State;
  __shared__ alignas(16) unsigned char memory[kThreads * sizeof(State)];
  State* states = reinterpret_cast<State*>(memory);
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    State s = f.start();
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) f.add(s, r, i);
    states[threadIdx.x] = s;
    for (int half = kThreads / 2; half > 0; half /= 2) {
      __syncthreads();
      if (threadIdx.x < half) f.merge(states[threadIdx.x], states[threadIdx.x + half]);
    }
    if (threadIdx.x == 0) f.finish(r, states[0]);
    __syncthreads();
  }
}
#else
template <class F>
void for_each(Gpu&, int64_t n, const F& f) {
  for (int64_t i = 0; i < n; ++i) f(i);
}
#endif

// A long row in pieces: each piece is a row of its own that leaves its state.
template <class F>
struct Pieces {
  using State = typename F::State;
  F f;
  int64_t n, pieces, length;
  State* out;  // [rows, pieces]
  SCONCE_GPU State start() const { return f.start(); }
  SCONCE_GPU void add(State& s, int64_t row, int64_t i) const {
    const int64_t at = row % pieces * length + i;
    if (at < n) f.add(s, row / pieces, at);
  }
  SCONCE_GPU void merge(State& s, const State& o) const { f.merge(s, o); }
  SCONCE_GPU void finish(int64_t row, const State& s) const { out[row] = s; }
};
template <class F>
struct MergePieces {
  using State = typename F::State;
  F f;
  int64_t pieces;
  const State* states;
  SCONCE_GPU State start() const { return f.start(); }
  SCONCE_GPU void add(State& s, int64_t row, int64_t i) const {
    f.merge(s, states[row * pieces + i]);
  }
  SCONCE_GPU void merge(State& s, const State& o) const { f.merge(s, o); }
  SCONCE_GPU void finish(int64_t row, const State& s) const { f.finish(row, s); }
};

template <class F>
void launch_rows(Gpu& g, int64_t rows, int64_t n, const F& f) {
#ifdef __CUDACC__
  if (n <= 32) {
    const int64_t blocks = (rows + kThreads - 1) / kThreads;
    short_rows_kernel<<<static_cast<unsigned>(blocks < 8192 ? blocks : 8192), kThreads, 0,
                        g.stream>>>(rows, n, f);
  } else {
    rows_kernel<<<static_cast<unsigned>(rows < 65535 ? rows : 65535), kThreads, 0, g.stream>>>(
        rows, n, f);
  }
  if (cudaError_t e = cudaGetLastError()) g.failed(cudaGetErrorString(e));
#else
  // As if by three threads, so that merge is used.
  (void)g;
  for (int64_t r = 0; r < rows; ++r) {
    typename F::State s[3] = {f.start(), f.start(), f.start()};
    for (int64_t i = 0; i < n; ++i) f.add(s[i % 3], r, i);
    f.merge(s[0], s[1]);
    f.merge(s[0], s[2]);
    f.finish(r, s[0]);
  }
#endif
}
// For each row: a state that starts with f.start() takes in n elements by f.add(state, row, i),
// states of parts are merged by f.merge(into, other), and f.finish(row, state) writes the result.
// merge must be associative and commutative up to rounding.
template <class F>
void reduce_rows(Gpu& g, int64_t rows, int64_t n, const F& f) {
  if (rows <= 0) return;
  constexpr int64_t kLong = 1 << 15, kPieces = 512;
  if (n <= kLong || rows >= 64) return launch_rows(g, rows, n, f);
  const int64_t wanted = n / 4096, pieces = wanted < kPieces ? wanted : kPieces;
  Temporary<typename F::State> states(g, rows * pieces);
  if (!states) return;
  const int64_t length = (n + pieces - 1) / pieces;
  auto* at = reachable(states.get());
  launch_rows(g, rows * pieces, length, Pieces<F>{f, n, pieces, length, at});
  launch_rows(g, rows, pieces, MergePieces<F>{f, pieces, at});
}

// ---- elements ----

// N elements that are loaded or stored at once, from an address that divides by their size.
template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
  T v[N];
};
// Whether packs of this many bytes may lie at p.
inline bool is_aligned(const void* p, int64_t bytes) {
  return reinterpret_cast<uintptr_t>(p) % static_cast<uintptr_t>(bytes) == 0;
}

SCONCE_GPU float half_value(uint16_t bits) {
#ifdef __CUDACC__
  return __half2float(__ushort_as_half(bits));
#else
  return Half::to_float(bits);
#endif
}
SCONCE_GPU uint16_t half_bits(float v) {
#ifdef __CUDACC__
  return __half_as_ushort(__float2half_rn(v));
#else
  return Half(v).bits;
#endif
}
SCONCE_GPU float bfloat_value(uint16_t bits) {
#ifdef __CUDACC__
  return __uint_as_float(static_cast<unsigned>(bits) << 16);
#else
  BFloat16 b;
  b.bits = bits;
  return b;
#endif
}
SCONCE_GPU uint16_t bfloat_bits(float v) {
#ifdef __CUDACC__
  return __bfloat16_as_ushort(__float2bfloat16_rn(v));
#else
  return BFloat16(v).bits;
#endif
}

// Real dtypes whose elements load and store convert.
inline bool is_plain(ScalarType t) {
  switch (t) {
    case ScalarType::Byte:
    case ScalarType::Char:
    case ScalarType::Short:
    case ScalarType::Int:
    case ScalarType::Long:
    case ScalarType::Half:
    case ScalarType::Float:
    case ScalarType::Double:
    case ScalarType::Bool:
    case ScalarType::BFloat16: return true;
    default: return false;
  }
}
// An element of dtype t as a C (float, double or int64_t).
template <class C>
SCONCE_GPU C load(ScalarType t, const void* p) {
  switch (t) {
    case ScalarType::Float: return static_cast<C>(*static_cast<const float*>(p));
    case ScalarType::Half: return static_cast<C>(half_value(*static_cast<const uint16_t*>(p)));
    case ScalarType::BFloat16:
      return static_cast<C>(bfloat_value(*static_cast<const uint16_t*>(p)));
    case ScalarType::Double: return static_cast<C>(*static_cast<const double*>(p));
    case ScalarType::Long: return static_cast<C>(*static_cast<const int64_t*>(p));
    case ScalarType::Int: return static_cast<C>(*static_cast<const int32_t*>(p));
    case ScalarType::Short: return static_cast<C>(*static_cast<const int16_t*>(p));
    case ScalarType::Char: return static_cast<C>(*static_cast<const int8_t*>(p));
    case ScalarType::Bool: return static_cast<C>(*static_cast<const uint8_t*>(p) != 0);
    default: return static_cast<C>(*static_cast<const uint8_t*>(p));
  }
}
template <class C>
SCONCE_GPU void store(ScalarType t, void* p, C v) {
  switch (t) {
    case ScalarType::Float: *static_cast<float*>(p) = static_cast<float>(v); break;
    case ScalarType::Half: *static_cast<uint16_t*>(p) = half_bits(static_cast<float>(v)); break;
    case ScalarType::BFloat16:
      *static_cast<uint16_t*>(p) = bfloat_bits(static_cast<float>(v));
      break;
    case ScalarType::Double: *static_cast<double*>(p) = static_cast<double>(v); break;
    case ScalarType::Long: *static_cast<int64_t*>(p) = to_integer<int64_t>(v); break;
    case ScalarType::Int: *static_cast<int32_t*>(p) = to_integer<int32_t>(v); break;
    case ScalarType::Short: *static_cast<int16_t*>(p) = to_integer<int16_t>(v); break;
    case ScalarType::Char: *static_cast<int8_t*>(p) = to_integer<int8_t>(v); break;
    case ScalarType::Bool: *static_cast<uint8_t*>(p) = v != C(0); break;
    default: *static_cast<uint8_t*>(p) = to_integer<uint8_t>(v); break;
  }
}

// ---- views ----

constexpr int kDims = 10;

// A view by value, for kernels that know their dims.
struct View {
  char* data = nullptr;
  ScalarType dtype = ScalarType::Undefined;
  int nd = 0;
  int64_t sizes[kDims], strides[kDims];  // in bytes
  SCONCE_BOTH explicit operator bool() const { return data; }
  template <class C>
  SCONCE_GPU C get(int64_t offset) const {
    return load<C>(dtype, data + offset);
  }
  template <class C>
  SCONCE_GPU void set(int64_t offset, C v) const {
    store<C>(dtype, data + offset, v);
  }
  // f(dim, place along it) for the element with this row-major number.
  template <class F>
  SCONCE_GPU void coordinates(int64_t i, F f) const {
    for (int d = nd - 1; d >= 0; --d) {
      f(d, i % sizes[d]);
      i /= sizes[d];
    }
  }
  // Byte offset of the element with this row-major number.
  SCONCE_GPU int64_t at(int64_t i) const {
    int64_t o = 0;
    coordinates(i, [&](int d, int64_t c) { o += c * strides[d]; });
    return o;
  }
};
// False when it has too many dims or a dtype that load and store don't know.
inline bool view(const TensorView& v, View& out) {
  if (!v.data) {
    out = View{};
    return true;
  }
  if (v.ndim > kDims || !is_plain(v.dtype)) return false;
  out.data = reachable(static_cast<char*>(v.data));
  out.dtype = v.dtype;
  out.nd = v.ndim;
  auto es = static_cast<int64_t>(element_size(v.dtype));
  for (int d = 0; d < v.ndim; ++d) {
    out.sizes[d] = v.sizes[d];
    out.strides[d] = v.strides[d] * es;
  }
  return true;
}

// N views of equal sizes with their dims merged (backends/loops.h).
template <int N>
struct Strided {
  int nd;
  bool dense;  // every view's elements follow one another
  int64_t total;
  int64_t sizes[kDims], strides[N][kDims];  // in bytes
  char* base[N];
  int64_t element[N];
  // Offsets of element i in all views.
  SCONCE_GPU void offsets(int64_t i, int64_t (&o)[N]) const {
    if (dense) {
      for (int k = 0; k < N; ++k) o[k] = i * element[k];
      return;
    }
    for (int k = 0; k < N; ++k) o[k] = 0;
    for (int d = nd - 1; d >= 0; --d) {
      const int64_t at = i % sizes[d];
      i /= sizes[d];
      for (int k = 0; k < N; ++k) o[k] += at * strides[k][d];
    }
  }
};
template <int N>
bool strided(const TensorView* const* v, Strided<N>& out) {
  Loops<N> loops(v);
  if (loops.nd > kDims) return false;
  out.nd = loops.nd;
  out.total = 1;
  for (int d = 0; d < loops.nd; ++d) {
    out.sizes[d] = loops.sizes[d];
    out.total *= loops.sizes[d];
    for (int k = 0; k < N; ++k) out.strides[k][d] = loops.strides[k][d];
  }
  out.dense = loops.nd == 1;
  for (int k = 0; k < N; ++k) {
    out.base[k] = reachable(loops.base[k]);
    out.element[k] = static_cast<int64_t>(element_size(v[k]->dtype));
    out.dense = out.dense && out.strides[k][0] == out.element[k];
  }
  return true;
}

// Each file puts its slots into the table.
void add_elementwise(DevicePlugin& p);
void add_reduce(DevicePlugin& p);
void add_index(DevicePlugin& p);
void add_nn(DevicePlugin& p);
void add_gemm(DevicePlugin& p);
void add_sort(DevicePlugin& p);
void add_image(DevicePlugin& p);

}  // namespace sconce::cuda
