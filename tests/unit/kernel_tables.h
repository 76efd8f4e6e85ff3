// SPDX-License-Identifier: Apache-2.0
// The kernel tables of every instruction set that this machine has, and tensors to call them with.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "backends/isa.h"
#include "backends/kernels.h"
#include "core/thread_pool.h"

namespace sconce {

// Absent where the library was built without them.
#define SCONCE_DECLARE(slot) __attribute__((weak)) void set_##slot(Kernels&);
#define SCONCE_FILL(slot) set_##slot(k);
#define SCONCE_TABLE(isa)                                                                       \
  namespace isa {                                                                               \
  SCONCE_CPU_SLOTS(SCONCE_DECLARE)                                                              \
  SCONCE_DECLARE(linear)                                                                        \
  SCONCE_DECLARE(fft)                                                                           \
  SCONCE_DECLARE(grid_sample)                                                                   \
  SCONCE_DECLARE(prepared_conv) SCONCE_DECLARE(pointwise) inline void fill(Kernels& k) {        \
    SCONCE_CPU_SLOTS(SCONCE_FILL)                                                               \
    SCONCE_FILL(linear)                                                                         \
    SCONCE_FILL(prepared_conv) SCONCE_FILL(pointwise) SCONCE_FILL(fft) SCONCE_FILL(grid_sample) \
  }                                                                                             \
  }
SCONCE_TABLE(base)
SCONCE_TABLE(avx2)
SCONCE_TABLE(avx512)
SCONCE_TABLE(neon)
#undef SCONCE_TABLE
#undef SCONCE_FILL
#undef SCONCE_DECLARE

namespace test {

inline std::vector<Kernels> all_tables() {
  std::vector<Kernels> r;
  auto add = [&](const char* name, void (*fill)(Kernels&)) {
    r.push_back(ref_kernels());
    r.back().name = name;
    fill(r.back());
  };
  if (base::set_gemm) add("base", base::fill);
  if (neon::set_gemm) add("neon", neon::fill);
  if (avx2::set_gemm && machine_has(Isa::Avx2)) add("avx2", avx2::fill);
  if (avx512::set_gemm && machine_has(Isa::Avx512)) add("avx512", avx512::fill);
  return r;
}

// The same, for tests that keep what they point to.
inline const std::vector<const Kernels*>& tables() {
  static const std::vector<Kernels> all = all_tables();
  static const std::vector<const Kernels*> pointers = [] {
    std::vector<const Kernels*> p;
    for (const Kernels& k : all) p.push_back(&k);
    return p;
  }();
  return pointers;
}

// A number's bits as a half or bfloat16, and back.
inline uint16_t half_bits(ScalarType t, float v) {
  return t == kHalf ? Half(v).bits : BFloat16(v).bits;
}
inline float half_value(ScalarType t, uint16_t bits) {
  Half h;
  BFloat16 b;
  h.bits = b.bits = bits;
  return t == kHalf ? static_cast<float>(h) : static_cast<float>(b);
}

// What a prepared call makes of a sum x, in double.
inline double epilogue(const Epilogue& e, double x, double residual) {
  if (!e.residual_last) x += residual;
  switch (e.act) {
    case Activation::none: break;
    case Activation::relu: x = x < 0 ? 0 : x; break;
    case Activation::clamp: x = x < e.p ? e.p : x > e.q ? e.q : x; break;
    case Activation::leaky_relu: x = x > 0 ? x : x * e.p; break;
    case Activation::sigmoid: x = 1 / (1 + std::exp(-x)); break;
    case Activation::silu: x = x / (1 + std::exp(-x)); break;
    case Activation::tanh: x = std::tanh(x); break;
    case Activation::gelu: x = x * 0.5 * (1 + std::erf(x * std::sqrt(0.5))); break;
    case Activation::gelu_tanh:
      x = 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
      break;
    case Activation::hardswish: x = x * std::min(std::max(x + 3, 0.0), 6.0) / 6; break;
    case Activation::hardsigmoid: x = std::min(std::max(x + 3, 0.0), 6.0) / 6; break;
  }
  return e.residual_last ? x + residual : x;
}

// Numbers from -1 to 1, the same ones in every run.
class Numbers {
 public:
  float operator()() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<float>(static_cast<int32_t>(state_ >> 33) - (1 << 30)) /
           static_cast<float>(1 << 30);
  }

 private:
  uint64_t state_ = 1;
};

// A tensor of floats at an address that no vector is aligned to, with poison before and after it.
class Floats {
 public:
  // Dense unless strides are given, which must be positive or 0.
  explicit Floats(std::vector<int64_t> sizes, std::vector<int64_t> strides = {})
      : sizes_(std::move(sizes)), strides_(std::move(strides)) {
    if (strides_.empty()) {
      strides_.resize(sizes_.size());
      int64_t n = 1;
      for (size_t d = sizes_.size(); d-- > 0; n *= sizes_[d]) strides_[d] = n;
    }
    int64_t most = 1;
    for (size_t d = 0; d < sizes_.size(); ++d) most += (sizes_[d] - 1) * strides_[d];
    data_.assign(static_cast<size_t>(most) + 2 * kMargin, kPoison);
  }
  Floats& random(Numbers& next, float scale = 1) {
    each([&](float& x) { x = next() * scale; });
    return *this;
  }
  template <class F>
  void each(F f) {
    for (int64_t i = 0; i < numel(); ++i) f(at(i));
  }
  int64_t numel() const {
    int64_t n = 1;
    for (int64_t s : sizes_) n *= s;
    return n;
  }
  // The i-th element in the order of the dims.
  float& at(int64_t i) {
    int64_t place = 0;
    for (size_t d = sizes_.size(); d-- > 0; i /= sizes_[d]) place += i % sizes_[d] * strides_[d];
    return data_[static_cast<size_t>(place) + kMargin];
  }
  TensorView view() {
    TensorView v;
    v.data = data_.data() + kMargin;
    v.sizes = sizes_.data();
    v.strides = strides_.data();
    v.ndim = static_cast<int32_t>(sizes_.size());
    v.dtype = kFloat;
    return v;
  }
  // Nothing beyond the elements was written.
  bool intact() {
    std::vector<float> rest = data_;
    for (int64_t i = 0; i < numel(); ++i)
      rest[static_cast<size_t>(&at(i) - data_.data())] = kPoison;
    for (float x : rest)
      if (x != kPoison) return false;
    return true;
  }
  bool same_bits(Floats& other) {
    for (int64_t i = 0; i < numel(); ++i)
      if (std::memcmp(&at(i), &other.at(i), sizeof(float)) != 0) return false;
    return true;
  }

 private:
  static constexpr size_t kMargin = 33;
  static constexpr float kPoison = 1.5e30f;
  std::vector<int64_t> sizes_, strides_;
  std::vector<float> data_;
};

// A tensor of any dtype, of zeros; dense unless strides are given.
template <class T>
struct Of {
  std::vector<int64_t> sizes, strides;
  std::vector<T> data;
  ScalarType dtype;
  Of(ScalarType t, std::vector<int64_t> s, std::vector<int64_t> st = {})
      : sizes(std::move(s)), strides(std::move(st)), dtype(t) {
    int64_t n = 1, most = 1;
    if (strides.empty()) {
      strides.resize(sizes.size());
      for (size_t d = sizes.size(); d-- > 0; n *= sizes[d]) strides[d] = n;
    }
    for (size_t d = 0; d < sizes.size(); ++d) most += (sizes[d] - 1) * strides[d];
    data.resize(static_cast<size_t>(most));
  }
  T& operator[](int64_t i) { return data[static_cast<size_t>(i)]; }
  TensorView view() {
    TensorView v;
    v.data = data.data();
    v.sizes = sizes.data();
    v.strides = strides.data();
    v.ndim = static_cast<int32_t>(sizes.size());
    v.dtype = dtype;
    return v;
  }
};

// f() with a pool of so many threads.
template <class F>
void with_threads(int threads, F f) {
  ThreadPool pool(threads);
  Context c = context();
  c.pool = &pool;
  ContextScope scope(&c);
  f();
}

}  // namespace test
}  // namespace sconce
