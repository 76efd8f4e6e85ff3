// SPDX-License-Identifier: Apache-2.0
// The table of this machine: plain slots first, then what the instruction set offers.
#include "backends/kernels.h"

#include <cstdlib>
#include <string_view>

#include "backends/isa.h"
#include "backends/ref/ref.h"
#include "core/selection.h"
#include "support/lasting.h"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace sconce {

#define X(slot) void set_##slot(Kernels&);
#define SCONCE_DECLARE(isa)         \
  namespace isa {                   \
  SCONCE_CPU_SLOTS(X)               \
  void set_linear(Kernels&);        \
  void set_prepared_conv(Kernels&); \
  void set_pointwise(Kernels&);     \
  void set_fft(Kernels&);           \
  void set_grid_sample(Kernels&);   \
  void set_random(Kernels&);        \
  void set_sequence(Kernels&);      \
  }
SCONCE_DECLARE(base)
SCONCE_DECLARE(avx2)
SCONCE_DECLARE(avx512)
SCONCE_DECLARE(neon)
#undef X

namespace {
// Calls set_slot of an instruction set; of the lowest there is for one that isn't in the library.
#ifdef SCONCE_HAVE_AVX512
#define SCONCE_SET_AVX512(slot) \
  if (isa == Isa::Avx512) return avx512::set_##slot(k);
#else
#define SCONCE_SET_AVX512(slot)
#endif
#ifdef SCONCE_HAVE_AVX2
#define SCONCE_SET_AVX2(slot) \
  if (isa == Isa::Avx2) return avx2::set_##slot(k);
#else
#define SCONCE_SET_AVX2(slot)
#endif
#if defined(SCONCE_HAVE_NEON)
#define SCONCE_LOWEST neon
#elif defined(SCONCE_HAVE_BASE)
#define SCONCE_LOWEST base
#elif defined(SCONCE_HAVE_AVX2)
#define SCONCE_LOWEST avx2
#else
#define SCONCE_LOWEST avx512
#endif
#define SCONCE_SET(slot)                                  \
  void set_##slot(Kernels& k, [[maybe_unused]] Isa isa) { \
    SCONCE_SET_AVX512(slot)                               \
    SCONCE_SET_AVX2(slot)                                 \
    SCONCE_LOWEST::set_##slot(k);                         \
  }
SCONCE_CPU_SLOTS(SCONCE_SET)
SCONCE_SET(linear)
SCONCE_SET(prepared_conv)
SCONCE_SET(pointwise)
// Of the plain slots, the instruction sets have these too.
namespace better {
SCONCE_SET(fft)
SCONCE_SET(grid_sample)
SCONCE_SET(random)
SCONCE_SET(sequence)
}  // namespace better
template <class Slot>
void improve(Kernels& k, [[maybe_unused]] Isa isa, Slot) {
  if constexpr (std::is_same_v<Slot, void (*)(const FftArgs&)>) better::set_fft(k, isa);
  if constexpr (std::is_same_v<Slot, void (*)(const GridSampleArgs&)>)
    better::set_grid_sample(k, isa);
  if constexpr (std::is_same_v<Slot, void (*)(const RandomArgs&)>) better::set_random(k, isa);
  if constexpr (std::is_same_v<Slot, void (*)(const SequenceArgs&)>) better::set_sequence(k, isa);
}
#define X(slot)                          \
  void set_##slot(Kernels& k, Isa isa) { \
    ref::set_##slot(k);                  \
    improve(k, isa, k.slot);             \
  }
SCONCE_REF_SLOTS(X)
#undef X

// What lowering puts in the place of operators' calls; no operator calls it itself.
void set_lowered(Kernels& k, Isa isa) {
  set_linear(k, isa);
  set_pointwise(k, isa);
  if constexpr (family_in_build("aten::conv") || family_in_build("aten::_conv"))
    set_prepared_conv(k, isa);
  if constexpr (in_build("aten::softmax.*") || in_build("aten::_softmax.*") ||
                family_in_build("aten::scaled_dot_product") || family_in_build("aten::_scaled_dot"))
    set_attention(k, isa);
}
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

namespace {
[[maybe_unused]] void set_all(Kernels& k, Isa isa) {
#define X(slot) set_##slot(k, isa);
  SCONCE_CPU_SLOTS(X)
  SCONCE_REF_SLOTS(X)
#undef X
  set_lowered(k, isa);
}

// The best for this machine that the library has. SCONCE_ISA only lowers it.
Isa machine_isa() {
  const char* variable = std::getenv("SCONCE_ISA");
  const std::string_view wanted = variable ? variable : "";
  [[maybe_unused]] const bool lower = wanted == "base" || wanted == "ref";
#ifdef SCONCE_HAVE_AVX512
  if (machine_has(Isa::Avx512) && !lower && wanted != "avx2") return Isa::Avx512;
#endif
#ifdef SCONCE_HAVE_AVX2
  if (machine_has(Isa::Avx2) && !lower) return Isa::Avx2;
#endif
#if defined(SCONCE_HAVE_BASE) || defined(SCONCE_HAVE_NEON)
  return Isa::Base;
#else
  raise<Error>("this build of sconce has no kernels for this machine's instruction set",
               lower ? " and SCONCE_ISA" : "");
#endif
}
const char* name_of(Isa isa) {
#ifdef SCONCE_HAVE_NEON
  if (isa == Isa::Base) return "cpu-neon";
#endif
  return isa == Isa::Avx512 ? "cpu-avx512" : isa == Isa::Avx2 ? "cpu-avx2" : "cpu-base";
}

struct Machine {
  Isa isa = machine_isa();
  Kernels kernels;
  Machine() {
    kernels.name = name_of(isa);
#ifdef SCONCE_REDUCED
    set_copy(kernels, isa);  // layouts are changed by it
    set_lowered(kernels, isa);
#else
    set_all(kernels, isa);
#endif
  }
};
Machine& machine() {
  static const Lasting<Machine> made(new Machine);
  return *made;
}
}  // namespace

#ifdef SCONCE_REDUCED
// What is there from the beginning isn't written again: others read it.
#define X(slot, Args)                                    \
  void detail::SlotOf<Args>::need() {                    \
    static const bool set = [] {                         \
      Machine& m = machine();                            \
      if (!m.kernels.slot) set_##slot(m.kernels, m.isa); \
      return true;                                       \
    }();                                                 \
    (void)set;                                           \
  }
SCONCE_SLOTS(X)
#undef X
#else
const Kernels& ref_kernels() {
  static const Lasting<const Kernels> table([] {
    auto* k = new Kernels;
    set_all(*k, Isa::Base);
    k->name = "ref";
    return k;
  }());
  return *table;
}
#endif

const Kernels& cpu_kernels() { return machine().kernels; }

bool machine_has(Isa isa) {
#if defined(__x86_64__)
  // Not every compiler knows f16c by name.
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool halves = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
  const bool avx2 = halves && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == Isa::Avx2) return avx2;
  if (isa == Isa::Avx512)
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
  return isa == Isa::Base;
}

}  // namespace sconce
