// SPDX-License-Identifier: Apache-2.0
// Every file of this folder is compiled once per instruction set, into the namespace
// sconce::SCONCE_ISA.
#pragma once
#include <cstdlib>
#include <memory>
#include <new>

#include "backends/kernels.h"
#include "support/thread_owned.h"

#ifndef SCONCE_ISA
#error "compile with -DSCONCE_ISA=base, avx2, neon, ..."
#endif

namespace sconce::SCONCE_ISA {

// Registers of this instruction set (SSE2 takes two for each), and whether there are 32 of them.
#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
constexpr bool kManyRegisters = true;
#elif defined(__aarch64__)
constexpr int kVectorBytes = 16;
constexpr bool kManyRegisters = true;
#else
constexpr int kVectorBytes = 32;
constexpr bool kManyRegisters = false;
#endif
template <class T>
struct Vec;
template <>
struct Vec<float> {
  typedef float type __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));
  static constexpr int64_t lanes = kVectorBytes / 4;
};
template <>
struct Vec<double> {
  typedef double type __attribute__((vector_size(kVectorBytes), aligned(8), may_alias));
  static constexpr int64_t lanes = kVectorBytes / 8;
};
template <>
struct Vec<uint64_t> {
  typedef uint64_t type __attribute__((vector_size(kVectorBytes), aligned(8), may_alias));
  static constexpr int64_t lanes = kVectorBytes / 8;
};
// Rows of a register tile that is two vectors wide: all registers but those of the operands.
constexpr int64_t kTileRows = kManyRegisters ? 12 : 6;

// A factor of a whole vector. On ARM it stays a scalar register, of which products take it; loading
// it to all lanes would take the time of a unit that multiplies.
template <class T>
inline __attribute__((always_inline)) T in_register(T x) {
#ifdef __aarch64__
  asm("" : "+w"(x));
#endif
  return x;
}

// Aligned memory that grows and is kept; not initialised.
template <class T>
struct Scratch {
  T* get(size_t n) {
    if (n > size) {
      size = 0;
      data.reset(static_cast<T*>(std::aligned_alloc(64, (n * sizeof(T) + 63) / 64 * 64)));
      if (!data) throw std::bad_alloc();
      size = n;
    }
    return data.get();
  }
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::unique_ptr<T, Free> data;
  size_t size = 0;
};
// This thread's, one for each number; freed when the thread ends or the library is unloaded.
template <class T, int number>
Scratch<T>& thread_scratch() {
  thread_local Scratch<T>* mine = nullptr;
  if (!mine)
    mine = static_cast<Scratch<T>*>(
        thread_owned(new Scratch<T>, [](void* p) { delete static_cast<Scratch<T>*>(p); }));
  return *mine;
}

// With channels last, vectors of them (channels_last.cpp). False for other forms.
bool pool_channels_last(const PoolArgs& a);
bool batch_norm_channels_last(const BatchNormArgs& a);

// C[M x N] = alpha * A[M x K] B[K x N] + beta * C, row strides in elements, any strides within
// rows.
void gemm_f32(int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t as0,
              int64_t as1, const float* b, int64_t bs0, int64_t bs1, float beta, float* c,
              int64_t cs0);

}  // namespace sconce::SCONCE_ISA
