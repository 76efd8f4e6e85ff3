// SPDX-License-Identifier: Apache-2.0
// Kernels whose threads work together. The CPU's counterparts run the same steps of all threads in
// loops; what only a GPU has is the exchange between threads, which is in this file.
#pragma once
#include <vector>

#include "backends/cuda/gpu.h"

namespace sconce::cuda {
namespace {

constexpr int kWarp = 32, kBlock = 256;

enum class Join { sum, max };
template <Join how>
SCONCE_GPU float join(float a, float b) {
  return how == Join::sum ? a + b : a > b ? a : b;
}

// f.add(s, line, i) for every step-th i; where a line's elements are one step apart, in bytes
// f.apart(), by f.add_at(s, address).
template <class F>
SCONCE_GPU void add_all(const F& f, typename F::State& s, const char* line, int64_t from,
                        int64_t end, int step) {
  if (const int64_t apart = f.apart()) {
#ifdef __CUDACC__
#pragma unroll 4
#endif
    for (int64_t i = from; i < end; i += step) f.add_at(s, line + i * apart);
  } else {
#ifdef __CUDACC__
#pragma unroll 1
#endif
    for (int64_t i = from; i < end; i += step) f.add(s, line, i);
  }
}

#ifdef __CUDACC__
// Of all threads of a warp or a block, to all of them; every thread of the block calls it.
template <int kTeam, Join how>
__device__ __forceinline__ float joined(float v) {
  for (int step = kWarp / 2; step > 0; step /= 2)
    v = join<how>(v, __shfl_xor_sync(0xffffffffu, v, step));
  if constexpr (kTeam > kWarp) {
    __shared__ float parts[kTeam / kWarp];
    __syncthreads();  // what was there has been read
    if (threadIdx.x % kWarp == 0) parts[threadIdx.x / kWarp] = v;
    __syncthreads();
    v = parts[0];
    for (int i = 1; i < kTeam / kWarp; ++i) v = join<how>(v, parts[i]);
  }
  return v;
}
template <class F>
__global__ void __launch_bounds__(kBlock) team_kernel(int64_t rows, F f) {
  constexpr int kTeams = kBlock / F::kTeam;
  const int team = threadIdx.x / F::kTeam, rank = threadIdx.x % F::kTeam;
  const int64_t step = static_cast<int64_t>(gridDim.x) * kTeams;
  // A team's threads have one row, and a team is a warp or the block: they all go round alike.
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * kTeams + team; row < rows; row += step) {
    typename F::Own own;
    const float a = joined<F::kTeam, F::kFirst>(f.first(own, row, rank));
    const float b = joined<F::kTeam, Join::sum>(f.second(own, rank, a));
    f.finish(own, row, rank, a, b);
  }
}
template <class F>
__global__ void __launch_bounds__(kBlock) phases_kernel(int64_t blocks, F f) {
  __shared__ typename F::Shared shared;
  for (int64_t b = blockIdx.x; b < blocks; b += gridDim.x) {
    f.first(shared, b, static_cast<int>(threadIdx.x));
    __syncthreads();
    f.second(shared, b, static_cast<int>(threadIdx.x));
    __syncthreads();
  }
}
// Another thread's state, moved word by word.
template <class State>
__device__ __forceinline__ State state_below(const State& s, int step) {
  static_assert(sizeof(State) % 4 == 0, "");
  constexpr int kWords = sizeof(State) / 4;
  int words[kWords];
  memcpy(words, &s, sizeof s);
  SCONCE_UNROLL
  for (int i = 0; i < kWords; ++i) words[i] = __shfl_down_sync(0xffffffffu, words[i], step);
  State r;
  memcpy(&r, words, sizeof r);
  return r;
}
template <int kTeam, class F>
__global__ void __launch_bounds__(kBlock) lines_kernel(int64_t rows, int64_t n, F f) {
  using State = typename F::State;
  constexpr int kTeams = kBlock / kTeam;
  const int team = threadIdx.x / kTeam, rank = threadIdx.x % kTeam;
  const int64_t step = static_cast<int64_t>(gridDim.x) * kTeams;
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * kTeams + team; row < rows; row += step) {
    const auto line = f.line(row);
    State s = f.start();
    add_all(f, s, line, rank, n, kTeam);
    for (int below = kWarp / 2; below > 0; below /= 2) f.merge(s, state_below(s, below));
    if constexpr (kTeam > kWarp) {
      __shared__ alignas(16) unsigned char memory[kTeam / kWarp * sizeof(State)];
      State* states = reinterpret_cast<State*>(memory);
      __syncthreads();  // what was there has been read
      if (threadIdx.x % kWarp == 0) states[threadIdx.x / kWarp] = s;
      __syncthreads();
      if (threadIdx.x == 0)
        for (int i = 1; i < kTeam / kWarp; ++i) f.merge(s, states[i]);
    }
    if (rank == 0) f.finish(row, s);
  }
}
inline unsigned grid_of(int64_t blocks) {
  return static_cast<unsigned>(blocks < (1 << 20) ? blocks : 1 << 20);
}
#endif

// Each row by a team of F::kTeam threads, a warp or a block, which keep what they load in
// F::Own: a = first(own, row, rank) of all threads joined by F::kFirst, b = the sum of
// second(own, rank, a), finish(own, row, rank, a, b).
template <class F>
void team_rows(Gpu& g, int64_t rows, const F& f) {
  if (rows <= 0) return;
#ifdef __CUDACC__
  constexpr int kTeams = kBlock / F::kTeam;
  team_kernel<<<grid_of((rows + kTeams - 1) / kTeams), kBlock, 0, g.stream>>>(rows, f);
  if (cudaError_t e = cudaGetLastError()) g.failed(cudaGetErrorString(e));
#else
  (void)g;
  std::vector<typename F::Own> own(F::kTeam);
  for (int64_t row = 0; row < rows; ++row) {
    float a = f.first(own[0], row, 0);
    for (int t = 1; t < F::kTeam; ++t) a = join<F::kFirst>(a, f.first(own[t], row, t));
    float b = 0;
    for (int t = 0; t < F::kTeam; ++t) b += f.second(own[t], t, a);
    for (int t = 0; t < F::kTeam; ++t) f.finish(own[t], row, t, a, b);
  }
#endif
}

// As reduce_rows() does it, where f.line(row) is where a row begins (add_all()).
template <class F>
struct ByRow {
  using State = typename F::State;
  F f;
  SCONCE_GPU State start() const { return f.start(); }
  SCONCE_GPU void add(State& s, int64_t row, int64_t i) const { f.add(s, f.line(row), i); }
  SCONCE_GPU void merge(State& s, const State& o) const { f.merge(s, o); }
  SCONCE_GPU void finish(int64_t row, const State& s) const { f.finish(row, s); }
};
template <int kTeam, class F>
void launch_lines(Gpu& g, int64_t rows, int64_t n, const F& f) {
#ifdef __CUDACC__
  constexpr int kTeams = kBlock / kTeam;
  lines_kernel<kTeam><<<grid_of((rows + kTeams - 1) / kTeams), kBlock, 0, g.stream>>>(rows, n, f);
  if (cudaError_t e = cudaGetLastError()) g.failed(cudaGetErrorString(e));
#else
  (void)g;
  using State = typename F::State;
  for (int64_t row = 0; row < rows; ++row) {
    std::vector<State> s(kTeam, f.start());
    const auto line = f.line(row);
    for (int t = 0; t < kTeam; ++t) add_all(f, s[t], line, t, n, kTeam);
    // Within warps, then the warps.
    for (int below = kWarp / 2; below > 0; below /= 2)
      for (int t = 0; t < kTeam; ++t)
        if (t % kWarp < below) f.merge(s[t], s[t + below]);
    for (int t = kWarp; t < kTeam; t += kWarp) f.merge(s[0], s[t]);
    f.finish(row, s[0]);
  }
#endif
}
template <class F>
void reduce_lines(Gpu& g, int64_t rows, int64_t n, const F& f) {
  constexpr int64_t kShort = 8, kOfWarp = 1024, kLong = 1 << 15, kMany = 1024;
  if (n <= kShort || (n > kLong && rows < 64))
    reduce_rows(g, rows, n, ByRow<F>{f});
  else if (rows > 0 && n <= kOfWarp && (rows >= kMany || n <= 8 * kWarp))
    launch_lines<kWarp>(g, rows, n, f);
  else if (rows > 0)
    launch_lines<kBlock>(g, rows, n, f);
}

// Blocks of kBlock threads with a F::Shared: first(shared, block, thread) of all threads, then
// second.
template <class F>
void in_phases(Gpu& g, int64_t blocks, const F& f) {
  if (blocks <= 0) return;
#ifdef __CUDACC__
  phases_kernel<<<grid_of(blocks), kBlock, 0, g.stream>>>(blocks, f);
  if (cudaError_t e = cudaGetLastError()) g.failed(cudaGetErrorString(e));
#else
  (void)g;
  std::vector<typename F::Shared> shared(1);
  for (int64_t b = 0; b < blocks; ++b) {
    for (int t = 0; t < kBlock; ++t) f.first(shared[0], b, t);
    for (int t = 0; t < kBlock; ++t) f.second(shared[0], b, t);
  }
#endif
}

// A warp's width of rows whose elements lie beside each other, by a block: its warps take every
// kStrips-th element, then their states are merged. Long ones in pieces, which leave their states.
template <class F>
struct Columns {
  using State = typename F::State;
  static constexpr int kStrips = kBlock / kWarp;
  struct Shared {
    alignas(16) unsigned char memory[kBlock * sizeof(State)];
    SCONCE_GPU State* states() { return reinterpret_cast<State*>(memory); }
  };
  F f;
  int64_t rows, n, tiles, length;
  State* out;  // [pieces, rows], or null: the only piece
  SCONCE_GPU void first(Shared& shared, int64_t block, int thread) const {
    const int64_t row = block % tiles * kWarp + thread % kWarp, from = block / tiles * length,
                  end = from + length < n ? from + length : n;
    State s = f.start();
    if (row < rows) {
      const auto line = f.line(row);
      add_all(f, s, line, from + thread / kWarp, end, kStrips);
    }
    shared.states()[thread] = s;
  }
  SCONCE_GPU void second(Shared& shared, int64_t block, int thread) const {
    const int64_t row = block % tiles * kWarp + thread;
    if (thread >= kWarp || row >= rows) return;
    State s = shared.states()[thread];
    for (int k = 1; k < kStrips; ++k) f.merge(s, shared.states()[k * kWarp + thread]);
    if (out)
      out[block / tiles * rows + row] = s;
    else
      f.finish(row, s);
  }
};
template <class F>
struct MergeColumns {
  F f;
  int64_t rows, pieces;
  const typename F::State* states;
  SCONCE_GPU void operator()(int64_t row) const {
    typename F::State s = states[row];
    for (int64_t k = 1; k < pieces; ++k) f.merge(s, states[k * rows + row]);
    f.finish(row, s);
  }
};
// As reduce_lines(), for rows that begin beside each other.
template <class F>
void reduce_columns(Gpu& g, int64_t rows, int64_t n, const F& f) {
  constexpr int64_t kBusy = 512, kPiece = 64, kPieces = 128;
  const int64_t tiles = (rows + kWarp - 1) / kWarp;
  int64_t pieces = tiles >= kBusy ? 1 : kBusy / tiles;
  if (pieces > n / kPiece) pieces = n / kPiece;
  if (pieces > kPieces) pieces = kPieces;
  if (pieces <= 1) return in_phases(g, tiles, Columns<F>{f, rows, n, tiles, n, nullptr});
  const int64_t length = (n + pieces - 1) / pieces;
  Temporary<typename F::State> states(g, rows * pieces);
  if (!states) return;
  auto* at = reachable(states.get());
  in_phases(g, tiles * pieces, Columns<F>{f, rows, n, tiles, length, at});
  for_each(g, rows, MergeColumns<F>{f, rows, pieces, at});
}

}  // namespace
}  // namespace sconce::cuda
