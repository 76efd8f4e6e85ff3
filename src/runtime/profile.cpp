// SPDX-License-Identifier: Apache-2.0
#include "runtime/profile.h"

#include <algorithm>

#include "core/op_table.h"
#include "ir/source.h"

namespace sconce {

namespace {
constexpr size_t kMostEvents = 1 << 20;  // a loop may have any number
}

void Profile::allocated(const Ref<Storage>& s) {
  ++allocations_;
  allocated_bytes_ += static_cast<int64_t>(s->nbytes());
}

void Profile::called(const SlotCall& call) {
  const DeviceRuntime* device = context().device;
  DeviceRuntime::Mark from = device ? device->mark() : nullptr;
  Clock::time_point start = Clock::now();
  run_slot(call);
  std::chrono::duration<double> taken = Clock::now() - start;
  if (open_.empty()) return;
  Sum& s = entries_[open_.back().op].slots[call.name];
  ++s.calls;
  s.seconds += taken.count();
  const CallCost cost = cost_of(call.run, call.args);
  s.flops += cost.flops;
  s.bytes += cost.bytes;
  ended(call.name, start, taken.count(), cost);
  if (device) spans_.push_back({device, &s, std::move(from), device->mark()});
}

void Profile::ended(std::string name, Clock::time_point start, double seconds, CallCost cost) {
  if (events_.size() >= kMostEvents) return;
  events_.push_back({std::move(name), std::chrono::duration<double>(start - begin_).count(),
                     seconds, cost, place()});
}

std::string Profile::place() const {
  const Node* n = open_.empty() ? nullptr : open_.back().node;
  return n ? place_of(n->range) : "";
}

void Profile::operator_begins(const Operator& op, const Node* node) {
  if (begin_ == Clock::time_point()) begin_ = Clock::now();
  open_.push_back({node, &op, Clock::now()});
}

void Profile::operator_ends() {
  std::chrono::duration<double> taken = Clock::now() - open_.back().start;
  Sum& s = entries_[open_.back().op].all;
  ++s.calls;
  s.seconds += taken.count();
  ended(std::string(open_.back().op->full_name()), open_.back().start, taken.count(), {});
  open_.pop_back();
}

std::vector<Profile::Row> Profile::rows() {
  for (Span& s : spans_) s.sum->device_seconds += s.device->elapsed_ms(s.from, s.to) / 1e3;
  spans_.clear();
  auto longest_first = [](std::vector<Row>& rows) {
    std::stable_sort(rows.begin(), rows.end(),
                     [](const Row& a, const Row& b) { return a.seconds > b.seconds; });
  };
  std::vector<Row> out;
  for (auto& [op, e] : entries_) {
    Row r{std::string(op->full_name()), e.all.calls, e.all.seconds, 0, 0, 0, {}};
    for (auto& [name, s] : e.slots) {
      r.slots.push_back({name, s.calls, s.seconds, s.device_seconds, s.flops, s.bytes, {}});
      r.device_seconds += s.device_seconds;
    }
    longest_first(r.slots);
    out.push_back(std::move(r));
  }
  longest_first(out);
  return out;
}

}  // namespace sconce
