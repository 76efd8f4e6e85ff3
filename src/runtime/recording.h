// SPDX-License-Identifier: Apache-2.0
// Recording: a run with a Recorder sees every allocation and every slot call. The calls over
// storages are the program of a plan. What can't be replayed gives up the recording, never the
// answer: a host read of elements, a random slot, memory that was written by no slot, a storage
// that is resized.
//
// On the CPU the calls are not made while they are recorded, since nobody looks at what they would
// write: the plan makes them, lowered, and its answer is the call's. So the first call costs no
// more than a later one but for the recording, and its answer is the same to the bit. When the
// recording gives up, the calls so far are made, in their order.
#pragma once
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/recorder.h"
#include "runtime/shape_plan_replay.h"

namespace sconce {

class Recording final : public Recorder {
 public:
  // layout: the graph asks for the layout of storages.
  Recording(const std::vector<IValue>& inputs, bool layout);

  void allocated(const Ref<Storage>& s) override;
  void host_read(const Storage* s) override;
  bool awaited(const Storage* s) const override;
  void ran_on_host(const char*) override { give_up(); }
  void operator_begins(const Operator& op, const Node* node) override;
  void called(const SlotCall& c) override;
  bool given_up() const { return given_up_; }

  // The plan without its calls, which are program's; or null, and then all calls were made.
  // constants: storages of the code's own constants.
  std::unique_ptr<ShapePlan> finish(const IValue& out,
                                    const std::unordered_set<const Storage*>& constants,
                                    PlannedProgram* program);
  // Makes the calls that were put off. After finish() too, instead of running the plan.
  void make_calls();

 private:
  struct Life {
    Ref<Storage> storage;  // kept alive, so that no address is used twice
    bool written = false;
    // Its elements follow from the key alone, as those of NumToTensor(size) do: the host may look.
    bool plain = true;
    bool passed_by = false;  // written by calls that are no part of the plan
    int64_t output = -1;     // escapes as this output
  };

  void give_up() {
    given_up_ = true;
    make_calls();
  }
  bool layout() const { return plan_->layout; }
  // The bytes that a view of input k spans, whose first element lies at `at` from k's.
  static void widen(Key& k, Extent e, int64_t at, ScalarType dtype) {
    const auto bytes = static_cast<int64_t>(element_size(dtype));
    k.low = std::min(k.low, at + e.begin * bytes);
    k.high = std::max(k.high, at + e.end * bytes);
  }

  Place locate(const void* data, const Storage* s);
  bool reads_plain(const SlotCall& c);
  void pass_by(const SlotCall& c);
  // False: it gave up, before this call.
  bool record(const SlotCall& c);
  bool describe(const IValue& v, Result& r);

  std::unique_ptr<ShapePlan> plan_;
  PlannedProgram program_;
  size_t made_ = 0;  // calls before this one were made
  std::vector<IValue> kept_;
  bool given_up_ = false;
  const Node* node_ = nullptr;  // whose operator runs
  std::vector<Life> storages_;
  std::unordered_map<const Storage*, uint32_t> index_, inputs_, foreign_;
  std::unordered_map<const Storage*, int64_t> input_bytes_;
  std::vector<Ref<Storage>> input_storages_;                  // of each input, or null
  std::unordered_map<const TensorImpl*, int64_t> described_;  // tensors of the result
};

}  // namespace sconce
