// SPDX-License-Identifier: Apache-2.0
// What one call of a method spends its time on, as `run` and `bench` tell it: the kernel calls of
// its plan, or, where it can't be replayed, operators and the slots that they call. Entries:
// PlanWatch, profile_operators().
#pragma once
#include <cstdio>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "runtime/call_cost.h"
#include "runtime/profile.h"
#include "sconce/sconce.h"

namespace sconce::tool {

struct TimedCall {
  std::string text;               // a plan's line, or an operator's or a slot's name
  double start = 0, seconds = 0;  // from the begin of the call
  CallCost cost;
  std::string place;  // "file:line:column" in the model's Python; "": not known
};

// Made before the first call of a module: it keeps the text of the plan that is recorded.
class PlanWatch {
 public:
  PlanWatch();
  PlanWatch(const PlanWatch&) = delete;
  ~PlanWatch();
  // The kernel calls of a replayed call, in their order; times are means of `runs`. Empty: the call
  // can't be replayed.
  std::vector<TimedCall> calls(const Module& m, const std::string& method,
                               const std::vector<IValue>& inputs, int runs) const;

 private:
  std::string text_;
  std::vector<std::string> places_;
};

// Runs the method under a profile of operators. seconds: of the call.
IValue profile_operators(const Module& m, const std::string& method, std::vector<IValue> inputs,
                         Profile& profile, double& seconds);
std::vector<TimedCall> calls_of(const Profile& p);

void print_calls(std::FILE* to, const std::vector<TimedCall>& calls);
void print_operators(std::FILE* to, Profile& p, double seconds, bool on_device);
// [{"name", "calls", "ms"}] by slot, the longest first.
nlohmann::ordered_json by_slot(const std::vector<TimedCall>& calls);
nlohmann::ordered_json by_slot(Profile& p);
// [{"call", "ms", "place", "share", "gflops", "gbs"}]
nlohmann::ordered_json to_json(const std::vector<TimedCall>& calls);
// A file for chrome://tracing and Perfetto.
void write_trace(const std::string& path, const std::vector<TimedCall>& calls);

}  // namespace sconce::tool
