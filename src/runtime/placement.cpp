// SPDX-License-Identifier: Apache-2.0
#include "runtime/shape_plan_replay.h"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace sconce {

namespace {
struct Life {
  size_t first = SIZE_MAX, last = 0;
  int64_t size = 0, offset = 0;
};

std::vector<Life> lives_of(const PlannedProgram& p) {
  std::vector<Life> lives(p.storages.size());
  for (size_t i = 0; i < lives.size(); ++i)
    lives[i].size = static_cast<int64_t>((p.storages[i].nbytes + 63) / 64 * 64);
  for (size_t i = 0; i < p.calls.size(); ++i)
    for (const PlannedView& v : p.calls[i].views)
      if (v.place.kind == Place::Arena) {
        Life& l = lives[v.place.index];
        l.first = std::min(l.first, i);
        l.last = std::max(l.last, i);
      }
  return lives;
}
}  // namespace

std::atomic<PlanTimer*> plan_timer{nullptr};

void PlanTimer::run(const std::vector<RecordedCall>& calls, const unsigned char* args) {
  using Clock = std::chrono::steady_clock;
  if (seconds.size() != calls.size()) {
    runs = 0;
    seconds.assign(calls.size(), 0);
    starts.resize(calls.size());
    costs.clear();
    for (const RecordedCall& c : calls) costs.push_back(cost_of(c.run, args + c.args));
  }
  ++runs;
  const auto begin = Clock::now();
  for (size_t i = 0; i < calls.size(); ++i) {
    const auto start = Clock::now();
    calls[i].run(args + calls[i].args);
    seconds[i] += std::chrono::duration<double>(Clock::now() - start).count();
    starts[i] = std::chrono::duration<double>(start - begin).count();
  }
}

void place_calls(PlannedProgram& p, ShapePlan& plan) {
  std::vector<Life> lives = lives_of(p);
  std::vector<Life*> order, placed;
  for (size_t i = 0; i < lives.size(); ++i)
    if (p.storages[i].output < 0 && lives[i].first != SIZE_MAX) order.push_back(&lives[i]);
  std::stable_sort(order.begin(), order.end(),
                   [](const Life* a, const Life* b) { return a->size > b->size; });
  for (Life* l : order) {
    for (const Life* other : placed) {  // sorted by offset
      if (other->last < l->first || other->first > l->last) continue;
      if (l->offset + l->size <= other->offset) break;
      l->offset = std::max(l->offset, other->offset + other->size);
    }
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), l,
                         [](const Life* a, const Life* b) { return a->offset < b->offset; }),
        l);
    plan.arena_bytes = std::max(plan.arena_bytes, static_cast<size_t>(l->offset + l->size));
  }
  for (const PlannedCall& c : p.calls) {
    plan.args.resize((plan.args.size() + 15) / 16 * 16);
    const size_t at = plan.args.size();
    plan.args.insert(plan.args.end(), c.args.begin(), c.args.end());
    for (size_t i = 0; i < c.views.size(); ++i) {
      const PlannedView& view = c.views[i];
      const size_t where = at + i * sizeof(TensorView);
      TensorView v;
      if (!view.absent()) {
        const size_t n = view.sizes.size();
        auto dims = std::make_unique<int64_t[]>(2 * n + 1);
        std::copy(view.sizes.begin(), view.sizes.end(), dims.get());
        std::copy(view.strides.begin(), view.strides.end(), dims.get() + n);
        v.sizes = dims.get(), v.strides = dims.get() + n;
        v.ndim = static_cast<int32_t>(n);
        v.dtype = view.dtype;
        plan.dims.push_back(std::move(dims));
      }
      const Place& place = view.place;
      switch (place.kind) {
        case Place::Absent: break;
        case Place::Constant:
          v.data = static_cast<char*>(p.constants[place.index]->address()) + place.offset;
          break;
        case Place::Packed: v.data = p.packed[place.index]->bytes.get() + place.offset; break;
        case Place::Input:
          plan.run_fixups.push_back({Fixup::Input, place.index, place.offset, where});
          break;
        case Place::Arena:
          if (const int64_t output = p.storages[place.index].output; output >= 0)
            plan.run_fixups.push_back(
                {Fixup::Output, static_cast<uint32_t>(output), place.offset, where});
          else
            plan.instance_fixups.push_back(
                {Fixup::Arena, 0, lives[place.index].offset + place.offset, where});
      }
      std::memcpy(plan.args.data() + where, &v, sizeof v);
    }
    plan.calls.push_back({c.run, at});
  }
  plan.packed = std::move(p.packed);
  plan.tables = std::move(p.tables);
}

}  // namespace sconce
