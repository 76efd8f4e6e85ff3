// SPDX-License-Identifier: Apache-2.0
#include "runtime/lowering/lower.h"

#include <atomic>

#include "support/lasting.h"

namespace sconce {

namespace {
std::mutex observing;
std::atomic<bool> observed{false};
PlanObserver& observer() {
  static const Lasting<PlanObserver> made(new PlanObserver);
  return *made;
}
}  // namespace

void observe_plans(PlanObserver o) {
  std::lock_guard<std::mutex> lock(observing);
  observed = static_cast<bool>(o);
  observer() = std::move(o);
}

std::span<const Lowering> lowerings() {
  constexpr bool kKeepsBits = false, kChangesBits = true;
  static constexpr Lowering kTable[] = {
      // clang-format off
      {"remove_dead_calls", remove_dead_calls, kKeepsBits},
      {"fuse_attention",    fuse_attention,    kChangesBits},  // other sums, a factor for quotients
      {"place_attention",   place_attention,   kKeepsBits},    // a row is computed as it is, wherever it goes
      {"narrow_to_reads",   narrow_to_reads,   kChangesBits},  // products of few rows add up in another order
      {"fuse_products",     fuse_products,     kChangesBits},  // other sums, Winograd's convolutions
      {"pack_quantized",    pack_quantized,    kKeepsBits},    // sums of integers
      {"channels_last",     channels_last,     kChangesBits},  // kernels sum in the order of memory
      {"fuse_pointwise",    fuse_pointwise,    kKeepsBits},    // each step rounds (backends/cpu/pointwise.cpp)
      // clang-format on
  };
  return kTable;
}

void lower(PlannedProgram& p, PackedWeights& weights, Numerics numerics) {
  const bool look = observed.load(std::memory_order_relaxed);
  const std::string before = look ? p.text() : std::string();
  for (const Lowering& l : lowerings())
    if (!l.changes_bits || numerics != Numerics::Strict) l.run(p, weights);
  weights.rest();
  if (!look) return;
  const std::string after = p.text();
  std::lock_guard<std::mutex> lock(observing);
  if (observer()) observer()(before, after, p.places());
}

}  // namespace sconce
