// SPDX-License-Identifier: Apache-2.0
// The table of this machine: plain slots first, then what the instruction set offers.
#include "backends/kernels.h"

#include <cstdlib>
#include <cstring>

#include "backends/ref/ref.h"

namespace sconce {

#define SCONCE_DECLARE(isa)       \
  namespace isa {                 \
  void add_elementwise(Kernels&); \
  void add_reduce(Kernels&);      \
  void add_gemm(Kernels&);        \
  void add_conv(Kernels&);        \
  void add_nn(Kernels&);          \
  }
SCONCE_DECLARE(base)
#ifdef SCONCE_HAVE_AVX2
SCONCE_DECLARE(avx2)
#endif

const Kernels& ref_kernels() {
  static const Kernels* table = [] {
    auto* k = new Kernels;
    k->name = "ref";
    base::add_elementwise(*k);
    base::add_reduce(*k);
    base::add_gemm(*k);
    base::add_conv(*k);
    base::add_nn(*k);
    ref::add_index(*k);
    ref::add_sort(*k);
    ref::add_random(*k);
    ref::add_image(*k);
    ref::add_misc(*k);
    ref::add_linalg(*k);
    return k;
  }();
  return *table;
}

const Kernels& cpu_kernels() {
  static const Kernels* table = [] {
    auto* k = new Kernels(ref_kernels());
    k->name = "cpu-base";
#ifdef SCONCE_HAVE_AVX2
    const char* wanted = std::getenv("SCONCE_ISA");
    bool have = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                __builtin_cpu_supports("f16c");
    bool plain = wanted && (!std::strcmp(wanted, "base") || !std::strcmp(wanted, "ref"));
    if (have && !plain) {
      k->name = "cpu-avx2";
      avx2::add_elementwise(*k);
      avx2::add_reduce(*k);
      avx2::add_gemm(*k);
      avx2::add_conv(*k);
      avx2::add_nn(*k);
    }
#endif
    return k;
  }();
  return *table;
}

}  // namespace sconce
