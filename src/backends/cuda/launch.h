// SPDX-License-Identifier: Apache-2.0
// Kernels whose threads work together. The CPU's counterparts run the same steps of all threads in
// loops; what only a GPU has is the exchange between threads, which is in this file.
#pragma once
#include <vector>

#include "backends/cuda/gpu.h"

#ifdef __CUDACC__
#define SCONCE_UNROLL _Pragma("unroll")
#else
#define SCONCE_UNROLL
#endif

namespace sconce::cuda {
namespace {

constexpr int kWarp = 32, kBlock = 256;

enum class Join { sum, max };
template <Join how>
SCONCE_GPU float join(float a, float b) {
  return how == Join::sum ? a + b : a > b ? a : b;
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

}  // namespace
}  // namespace sconce::cuda
