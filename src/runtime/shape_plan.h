// SPDX-License-Identifier: Apache-2.0
// Tier 2, the plainest form: one run of a straight-line graph is recorded as kernel slot calls;
// later runs with the same shapes replay them over one arena, with no shape arithmetic, no
// reference counts and no allocation but the outputs.
//
// Why that is sound: an operator function touches no element itself, so the recorded slot calls are
// the whole computation; what operators decide, they decide by the forms and plain values of their
// arguments, which are the key of a plan (where the graph asks for a storage's layout, offset and
// length belong to the form). An operator that looks at an element (host_read), draws a random
// number or changes another tensor's memory ends the recording; but elements that follow from the
// key alone, as those of NumToTensor(size) do, may be looked at. Constants are read where they
// stand, at every replay; their forms are what the prepared method assumes (core/assumptions.h),
// and their addresses what memory_epoch() counts changes of. Inputs may be anywhere and may
// overlap, unless the plan writes one.
//
// A plan's work is on one device. On a GPU its calls become one graph of the device
// (DeviceRuntime::capture), from the second replay on, over copies of the inputs.
#pragma once
#include <memory>
#include <vector>

#include "core/recorder.h"
#include "runtime/interpreter.h"
#include "sconce/options.h"

namespace sconce {

class ShapePlan;

// The plans of one method, the least recently used dropped first. Any number of threads may run.
class ShapePlanCache {
 public:
  // trusted: nobody writes weights through pointers (Module::prepare).
  ShapePlanCache(std::shared_ptr<const Plan> plan, bool trusted, Numerics numerics);
  ~ShapePlanCache();
  // Replays, or records and runs. The result is what the interpreter would give.
  // again (may be null) gets the inputs when a small plan without effects was made: a call of
  // microseconds feels its cold caches, so the caller may call again before it returns.
  std::vector<IValue> run(std::vector<IValue> inputs, const Engine& engine,
                          std::vector<IValue>* again = nullptr);
  // Records for inputs of these forms, as the first call with them would, and runs nothing of it:
  // that call is a replay then. What can't be recorded runs, or a part of it.
  void prepare(std::vector<IValue> inputs, const Engine& engine);
  // True when the graph has the form that can be recorded: no control flow, no effects, no
  // randomness.
  static bool suits(const Graph& g);

 private:
  // Of a call: the plan, or what the call answers because it can't have one.
  struct Recorded {
    std::shared_ptr<ShapePlan> plan = nullptr;
    std::vector<IValue> out = {};
    std::vector<IValue> inputs = {};  // of a plan
    bool fresh = false;
  };
  Recorded find_or_record(std::vector<IValue> inputs, const Engine& engine);
  std::vector<IValue> replay(ShapePlan& plan, const std::vector<IValue>& inputs,
                             const Engine& engine) const;
  std::shared_ptr<const Plan> plan_;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sconce
