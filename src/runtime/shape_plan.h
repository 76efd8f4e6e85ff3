// SPDX-License-Identifier: Apache-2.0
// Tier 2, the plainest form: one run of a straight-line graph is recorded as kernel slot calls;
// later runs with the same shapes replay them over one arena, with no shape arithmetic, no
// reference counts and no allocation but the outputs. An operator function touches no element
// itself, so the recorded slot calls are the whole computation.
#pragma once
#include <memory>
#include <vector>

#include "core/recorder.h"
#include "runtime/interpreter.h"

namespace sconce {

class ShapePlan;

class ShapePlanCache {
 public:
  explicit ShapePlanCache(std::shared_ptr<const Plan> plan);
  ~ShapePlanCache();
  // Replays, or records and runs. The result is what the interpreter would give.
  // again (may be null) gets the inputs when a small plan without effects was made: a call of
  // microseconds feels its cold caches, so the caller may call again before it returns.
  std::vector<IValue> run(std::vector<IValue> inputs, const Engine& engine,
                          std::vector<IValue>* again = nullptr);
  // True when the graph has the form that can be recorded: no control flow, no effects, no
  // randomness.
  static bool suits(const Graph& g);

 private:
  std::shared_ptr<const Plan> plan_;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sconce
