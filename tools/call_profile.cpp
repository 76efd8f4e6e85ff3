// SPDX-License-Identifier: Apache-2.0
#include "call_profile.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "api/runtime.h"
#include "backends/kernels.h"
#include "runtime/lowering/lower.h"
#include "runtime/shape_plan_replay.h"

namespace sconce::tool {

namespace {

double total(const std::vector<TimedCall>& calls) {
  double seconds = 0;
  for (auto& c : calls) seconds += c.seconds;
  return seconds;
}
// Thousand millions a second.
double rate(double amount, double seconds) { return seconds > 0 ? amount / seconds * 1e-9 : 0; }

struct Sum {
  int64_t calls = 0;
  double seconds = 0;
};
nlohmann::ordered_json longest_first(const std::map<std::string, Sum>& slots) {
  std::vector<std::pair<std::string, Sum>> rows(slots.begin(), slots.end());
  std::stable_sort(rows.begin(), rows.end(),
                   [](auto& a, auto& b) { return a.second.seconds > b.second.seconds; });
  auto j = nlohmann::ordered_json::array();
  for (auto& [name, s] : rows)
    j.push_back({{"name", name}, {"calls", s.calls}, {"ms", s.seconds * 1e3}});
  return j;
}

}  // namespace

PlanWatch::PlanWatch() {
  observe_plans(
      [this](const std::string&, const std::string& after, const std::vector<std::string>& places) {
        text_ = after, places_ = places;
      });
}
PlanWatch::~PlanWatch() { observe_plans({}); }

std::vector<TimedCall> PlanWatch::calls(const Module& m, const std::string& method,
                                        const std::vector<IValue>& inputs, int runs) const {
  PlanTimer timer;
  plan_timer = &timer;
  try {
    for (int i = 0; i < runs; ++i) (void)m.run_method(method, inputs);
  } catch (...) {
    plan_timer = nullptr;
    throw;
  }
  plan_timer = nullptr;
  std::vector<TimedCall> calls;
  if (!timer.runs) return calls;
  std::vector<std::string> lines;
  std::istringstream text(text_);
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  const size_t n = timer.seconds.size();
  const bool known = lines.size() == n && places_.size() == n;
  for (size_t i = 0; i < n; ++i)
    calls.push_back({known ? lines[i] : timer.costs[i].name, timer.starts[i],
                     timer.seconds[i] / timer.runs, timer.costs[i], known ? places_[i] : ""});
  return calls;
}

IValue profile_operators(const Module& m, const std::string& method, std::vector<IValue> inputs,
                         Profile& profile, double& seconds) {
  m.impl()->prepared(method);  // compiling is no part of it
  struct Watching {
    ModuleImpl& impl;
    ~Watching() { impl.recorder = nullptr; }
  } watching{*m.impl()};
  m.impl()->recorder = &profile;
  auto start = std::chrono::steady_clock::now();
  IValue out = m.run_method(method, std::move(inputs));
  seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return out;
}

std::vector<TimedCall> calls_of(const Profile& p) {
  std::vector<TimedCall> calls;
  for (auto& e : p.events()) calls.push_back({e.name, e.start, e.seconds, e.cost, e.place});
  return calls;
}

void print_calls(std::FILE* to, const std::vector<TimedCall>& calls) {
  const double all = total(calls);
  std::fprintf(to, "%10s %6s %8s %7s  %s\n", "ms", "share", "GFLOP/s", "GB/s", "call");
  for (auto& c : calls) {
    std::fprintf(to, "%10.4f %5.1f%% ", c.seconds * 1e3, all > 0 ? 100 * c.seconds / all : 0);
    if (c.cost.flops > 0)
      std::fprintf(to, "%8.1f", rate(c.cost.flops, c.seconds));
    else
      std::fprintf(to, "%8s", "");
    std::fprintf(to, " %7.1f  %s%s%s\n", rate(c.cost.bytes, c.seconds), c.text.c_str(),
                 c.place.empty() ? "" : "  # ", c.place.c_str());
  }
  double flops = 0;
  for (auto& c : calls) flops += c.cost.flops;
  std::fprintf(to, "%zu kernel calls: %.4f ms, %.1f GFLOP/s; kernels: %s\n", calls.size(),
               all * 1e3, rate(flops, all), cpu_kernels().name);
}

void print_operators(std::FILE* to, Profile& p, double seconds, bool on_device) {
  std::fprintf(to, "%-44s %8s %12s %7s %9s %7s%s\n", "operator, its kernel slots", "calls", "ms",
               "share", "GFLOP/s", "GB/s", on_device ? "   device ms" : "");
  auto line = [&](const char* indent, const Profile::Row& r) {
    std::fprintf(to, "%s%-*s %8lld %12.3f %6.1f%%", indent, *indent ? 42 : 44, r.name.c_str(),
                 static_cast<long long>(r.calls), r.seconds * 1e3, 100 * r.seconds / seconds);
    const double busy = r.device_seconds > 0 ? r.device_seconds : r.seconds;
    auto number = [&](int width, double amount) {
      if (amount > 0)
        std::fprintf(to, " %*.1f", width, rate(amount, busy));
      else
        std::fprintf(to, " %*s", width, "");
    };
    number(9, r.flops);
    number(7, r.bytes);
    if (on_device) std::fprintf(to, " %11.3f", r.device_seconds * 1e3);
    std::fprintf(to, "\n");
  };
  for (auto& r : p.rows()) {
    line("", r);
    for (auto& s : r.slots) line("  ", s);
  }
  for (auto& [slot, n] : p.on_host())
    std::fprintf(to, "%s ran on the CPU %lld times: the device has no kernel for it\n",
                 slot.c_str(), static_cast<long long>(n));
  std::fprintf(to, "the call: %.3f ms; kernels: %s; %lld allocations, %.1f MiB\n", seconds * 1e3,
               cpu_kernels().name, static_cast<long long>(p.allocations()),
               static_cast<double>(p.allocated_bytes()) / (1 << 20));
}

nlohmann::ordered_json by_slot(const std::vector<TimedCall>& calls) {
  std::map<std::string, Sum> slots;
  for (auto& c : calls) {
    Sum& s = slots[c.cost.name];
    ++s.calls;
    s.seconds += c.seconds;
  }
  return longest_first(slots);
}

nlohmann::ordered_json by_slot(Profile& p) {
  std::map<std::string, Sum> slots;
  for (auto& op : p.rows())
    for (auto& row : op.slots) {
      Sum& s = slots[row.name];
      s.calls += row.calls;
      s.seconds += row.device_seconds > 0 ? row.device_seconds : row.seconds;
    }
  return longest_first(slots);
}

nlohmann::ordered_json to_json(const std::vector<TimedCall>& calls) {
  const double all = total(calls);
  auto j = nlohmann::ordered_json::array();
  for (auto& c : calls)
    j.push_back({{"call", c.text},
                 {"ms", c.seconds * 1e3},
                 {"place", c.place},
                 {"share", all > 0 ? c.seconds / all : 0},
                 {"gflops", rate(c.cost.flops, c.seconds)},
                 {"gbs", rate(c.cost.bytes, c.seconds)}});
  return j;
}

void write_trace(const std::string& path, const std::vector<TimedCall>& calls) {
  auto events = nlohmann::ordered_json::array();
  for (auto& c : calls)
    events.push_back({{"name", *c.cost.name ? c.cost.name : c.text},
                      {"ph", "X"},  // begin and length, in microseconds
                      {"ts", c.start * 1e6},
                      {"dur", c.seconds * 1e6},
                      {"pid", 1},
                      {"tid", 1},
                      {"args",
                       {{"call", c.text},
                        {"place", c.place},
                        {"GFLOP/s", rate(c.cost.flops, c.seconds)},
                        {"GB/s", rate(c.cost.bytes, c.seconds)}}}});
  std::ofstream file(path);
  file << nlohmann::ordered_json{{"traceEvents", events}}.dump() << "\n";
  if (!file) raise<Error>("cannot write ", path);
}

}  // namespace sconce::tool
