// SPDX-License-Identifier: Apache-2.0
// Prepared convolutions: the list of ways to do one.
#include "backends/cpu/prepared.h"

namespace sconce::SCONCE_ISA {

namespace {

constexpr const PreparedConvAlgorithm* kAlgorithms[] = {&depthwise, &winograd, &implicit_gemm};

// The list's, for a number that choose_conv said.
const PreparedConvAlgorithm& algorithm_of(const PreparedConvArgs& a) {
  return *kAlgorithms[a.algorithm / kConvVariants];
}

ConvChoice choose_conv(const PreparedConvArgs& a) {
  int32_t first = 0;
  for (const PreparedConvAlgorithm* way : kAlgorithms) {
    ConvChoice c = way->choose(a);
    if (c.algorithm >= 0) {
      c.algorithm += first;
      return c;
    }
    first += kConvVariants;
  }
  return {};
}
void pack_conv(const PreparedConvArgs& a, void* to) { algorithm_of(a).pack(a, to); }
void prepared_conv(const PreparedConvArgs& a) { algorithm_of(a).run(a); }

}  // namespace

void set_prepared_conv(Kernels& k) {
  k.choose_conv = choose_conv;
  k.pack_conv = pack_conv;
  k.prepared_conv = prepared_conv;
}

}  // namespace sconce::SCONCE_ISA
