// SPDX-License-Identifier: Apache-2.0
// Where the time of a call goes: operators as the interpreter reaches them, and under each the
// kernel slots that it calls. A Recorder, so plans that were recorded before don't run meanwhile.
#pragma once
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/recorder.h"
#include "runtime/call_cost.h"

namespace sconce {

class Profile final : public Recorder {
 public:
  struct Row {
    std::string name;  // "aten::conv2d", or a slot's
    int64_t calls = 0;
    double seconds = 0;  // an operator's include those of its slots and of operators that it calls
    double device_seconds = 0;    // of a slot: what a device that isn't the CPU worked on it
    double flops = 0, bytes = 0;  // of a slot: CallCost
    std::vector<Row> slots;
  };
  // The longest first. Waits for the device.
  std::vector<Row> rows();
  int64_t allocations() const { return allocations_; }
  int64_t allocated_bytes() const { return allocated_bytes_; }

  // One call of an operator or, within it, of a slot; in the order in which they ended.
  struct Event {
    std::string name;
    double start = 0, seconds = 0;  // from the first one's begin
    CallCost cost;
    std::string place;  // "file:line:column" in the model's Python; "": not known
  };
  const std::vector<Event>& events() const { return events_; }

  // Slots that a device lacks, with the times that they ran on the CPU.
  const std::map<std::string, int64_t>& on_host() const { return on_host_; }

  void allocated(const Ref<Storage>& s) override;
  void called(const SlotCall& call) override;
  void host_read(const Storage*) override {}
  void ran_on_host(const char* slot) override { ++on_host_[slot]; }
  void operator_begins(const Operator& op, const Node* node) override;
  void operator_ends() override;

 private:
  using Clock = std::chrono::steady_clock;
  void ended(std::string name, Clock::time_point start, double seconds, CallCost cost);
  std::string place() const;  // of the operator that runs
  struct Sum {
    int64_t calls = 0;
    double seconds = 0, device_seconds = 0, flops = 0, bytes = 0;
  };
  // Work of a device, timed by itself.
  struct Span {
    const DeviceRuntime* device;
    Sum* sum;
    DeviceRuntime::Mark from, to;
  };
  struct Entry {
    Sum all;
    std::map<std::string, Sum> slots;
  };
  struct Open {
    const Node* node;
    const Operator* op;
    Clock::time_point start;
  };
  std::map<const Operator*, Entry> entries_;
  std::vector<Open> open_;
  std::vector<Span> spans_;
  std::map<std::string, int64_t> on_host_;
  std::vector<Event> events_;
  Clock::time_point begin_{};
  int64_t allocations_ = 0, allocated_bytes_ = 0;
};

}  // namespace sconce
