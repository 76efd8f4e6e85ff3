// SPDX-License-Identifier: Apache-2.0
// Instruction sets that kernels are built for (CMake: SCONCE_INSTRUCTION_SETS).
#pragma once
#include <cstdint>

namespace sconce {

// Base: what every machine of the architecture has, NEON on ARM.
enum class Isa : uint8_t { Base, Avx2, Avx512 };
// Whether this machine has all that kernels of that set use.
bool machine_has(Isa isa);

}  // namespace sconce
