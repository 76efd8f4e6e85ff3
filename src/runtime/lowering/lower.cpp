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

void lower(PlannedProgram& p, PackedWeights& weights) {
  const bool look = observed.load(std::memory_order_relaxed);
  const std::string before = look ? p.text() : std::string();
  remove_dead_calls(p);
  fuse_attention(p);
  fuse_products(p, weights);
  weights.rest();
  channels_last(p);
  fuse_pointwise(p);
  if (!look) return;
  const std::string after = p.text();
  std::lock_guard<std::mutex> lock(observing);
  if (observer()) observer()(before, after, p.places());
}

}  // namespace sconce
