// SPDX-License-Identifier: Apache-2.0
// The table of this machine: plain slots first, then what the instruction set offers.
#include "backends/kernels.h"

#include <cstdlib>
#include <string_view>

#include "backends/ref/ref.h"
#include "support/lasting.h"

namespace sconce {

#define SCONCE_DECLARE(isa)         \
  namespace isa {                   \
  void add_elementwise(Kernels&);   \
  void add_reduce(Kernels&);        \
  void add_gemm(Kernels&);          \
  void add_conv(Kernels&);          \
  void add_nn(Kernels&);            \
  void add_pointwise(Kernels&);     \
  void add_linear(Kernels&);        \
  void add_prepared_conv(Kernels&); \
  inline void add_all(Kernels& k) { \
    add_elementwise(k);             \
    add_reduce(k);                  \
    add_gemm(k);                    \
    add_conv(k);                    \
    add_nn(k);                      \
    add_pointwise(k);               \
    add_linear(k);                  \
    add_prepared_conv(k);           \
  }                                 \
  }
// A build has some or all of them (CMake: SCONCE_INSTRUCTION_SETS).
#ifdef SCONCE_HAVE_BASE
SCONCE_DECLARE(base)
#endif
#ifdef SCONCE_HAVE_AVX2
SCONCE_DECLARE(avx2)
#endif
#ifdef SCONCE_HAVE_AVX512
SCONCE_DECLARE(avx512)
#endif

namespace {

#if defined(SCONCE_HAVE_AVX2) || defined(SCONCE_HAVE_AVX512)
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c");
}
#endif
#ifdef SCONCE_HAVE_AVX512
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

// The plainest kernels of this build.
#if defined(SCONCE_HAVE_BASE)
constexpr const char* kPlainest = "cpu-base";
void add_plainest(Kernels& k) { base::add_all(k); }
#elif defined(SCONCE_HAVE_AVX2)
constexpr const char* kPlainest = "cpu-avx2";
void add_plainest(Kernels& k) {
  if (!has_avx2()) raise<Error>("this build of sconce needs a processor with AVX2");
  avx2::add_all(k);
}
#else
constexpr const char* kPlainest = "cpu-avx512";
void add_plainest(Kernels& k) {
  if (!has_avx512()) raise<Error>("this build of sconce needs a processor with AVX-512");
  avx512::add_all(k);
}
#endif

}  // namespace

bool detail::check_views(const TensorView* views, uint32_t n) {
  bool deferred = false;
  for (const TensorView *v = views, *end = views + n; v != end; ++v) {
    if (!v->storage || !v->data) continue;
    deferred |= v->storage->deferred();
    int64_t low = 0, high = 1;
    bool none = false, fits = true;
    for (int32_t i = 0; i < v->ndim; ++i) {
      int64_t step;
      none |= v->sizes[i] == 0;
      fits &= v->sizes[i] >= 0 && !__builtin_mul_overflow(v->sizes[i] - 1, v->strides[i], &step) &&
              !__builtin_add_overflow(step < 0 ? low : high, step, step < 0 ? &low : &high);
    }
    if (none) continue;
    const int64_t start =
        static_cast<const char*>(v->data) - static_cast<const char*>(v->storage->base());
    const auto size = static_cast<int64_t>(element_size(v->dtype));
    fits = fits && !__builtin_mul_overflow(low, size, &low) &&
           !__builtin_mul_overflow(high, size, &high) &&
           !__builtin_add_overflow(start, low, &low) && !__builtin_add_overflow(start, high, &high);
    if (!fits || low < 0 || high > static_cast<int64_t>(v->storage->nbytes()))
      raise<OpError>("a tensor of sizes ", IntArrayRef(v->sizes, static_cast<size_t>(v->ndim)),
                     " and strides ", IntArrayRef(v->strides, static_cast<size_t>(v->ndim)),
                     " lies outside of its storage of ", v->storage->nbytes(), " bytes");
  }
  return deferred;
}

void detail::own_written(TensorView* views, uint32_t n, uint32_t written) {
  for (uint32_t i = 0; i < n; ++i) {
    if (!(written >> i & 1) || !views[i].storage || !views[i].storage->shared()) continue;
    auto* storage = const_cast<Storage*>(views[i].storage);
    const char* before = static_cast<const char*>(storage->data());
    storage->make_unique();
    for (uint32_t k = 0; k < n; ++k)
      if (views[k].storage == storage && views[k].data)
        views[k].data = static_cast<char*>(storage->address()) +
                        (static_cast<const char*>(views[k].data) - before);
  }
}

const Kernels& ref_kernels() {
  static const Lasting<const Kernels> table([] {
    auto* k = new Kernels;
    k->name = "ref";
    add_plainest(*k);
    ref::add_index(*k);
    ref::add_sort(*k);
    ref::add_random(*k);
    ref::add_image(*k);
    ref::add_misc(*k);
    ref::add_linalg(*k);
    return k;
  }());
  return *table;
}

const Kernels& cpu_kernels() {
  static const Lasting<const Kernels> table([] {
    auto* k = new Kernels(ref_kernels());
    k->name = kPlainest;
    // SCONCE_ISA only lowers what the machine has.
    const char* variable = std::getenv("SCONCE_ISA");
    const std::string_view wanted = variable ? variable : "";
    if (wanted == "base" || wanted == "ref") return k;
#ifdef SCONCE_HAVE_AVX512
    if (has_avx512() && wanted != "avx2") {
      k->name = "cpu-avx512";
      avx512::add_all(*k);
      return k;
    }
#endif
#ifdef SCONCE_HAVE_AVX2
    if (has_avx2()) {
      k->name = "cpu-avx2";
      avx2::add_all(*k);
    }
#endif
    return k;
  }());
  return *table;
}

}  // namespace sconce
