// SPDX-License-Identifier: Apache-2.0
// Slots of numbers made from nothing, in the forms that have vectors: normal numbers, and numbers
// at equal distances. The plain slots have the rest.
#include <algorithm>
#include <cmath>

#include "backends/cpu/cpu.h"
#include "backends/linspace.h"
#include "backends/normal_floats.h"

namespace sconce::SCONCE_ISA {

namespace {

void random(const RandomArgs& a) {
  if (a.op == Random::normal) {
    std::lock_guard<std::mutex> lock(a.generator->mutex);
    Interrupt interrupt;
    if (fill_normal_floats(a, interrupt)) return;
  }
  ref::any_random(a);
}

void sequence(const SequenceArgs& a) {
  if (!linspace(a)) ref::any_sequence(a);
}

}  // namespace

SCONCE_KERNEL(random)
SCONCE_KERNEL(sequence)

}  // namespace sconce::SCONCE_ISA
