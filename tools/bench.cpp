// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "call_profile.h"
#include "commands.h"
#include "compare.h"
#include "core/device.h"
#include "inputs.h"
#include "progress.h"
#include "sconce/sconce.h"

namespace sconce::tool {

namespace {

struct BenchOptions {
  std::string model, io, trace, method = "forward", mode = "optimized", device = "cpu";
  Numerics numerics = Numerics::Fast;
  InputOptions inputs;
  int threads = 1;
  double min_time = 1;
  bool json = false, profile = false, tf32 = false;
};

using Clock = std::chrono::steady_clock;
double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// The most memory that the process has had, in bytes. (What getrusage says includes the memory of
// the process that started this one.)
double peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0) return 1024 * std::strtod(line.c_str() + 6, nullptr);
  return 0;
}

// One more call: its time by kernel slot, and on the CPU, where it can be replayed, by kernel call.
void add_profile(nlohmann::ordered_json& j, const BenchOptions& o, const Module& m,
                 const std::string& method, std::vector<IValue> inputs, const PlanWatch& watch,
                 bool may_repeat) {
  std::vector<TimedCall> calls;
  if (o.device == "cpu") calls = watch.calls(m, method, inputs, may_repeat ? 10 : 1);
  const bool replayed = !calls.empty();
  Profile profile;
  double seconds = 0;
  if (!replayed) {
    profile_operators(m, method, std::move(inputs), profile, seconds);
    calls = calls_of(profile);
  }
  if (!o.trace.empty()) write_trace(o.trace, calls);
  if (!o.profile) return;
  if (o.json) {
    j["profile"] = replayed ? by_slot(calls) : by_slot(profile);
    if (replayed) j["calls"] = to_json(calls);
  } else if (replayed) {
    print_calls(stdout, calls);
  } else {
    print_operators(stdout, profile, seconds, o.device != "cpu");
  }
}

int bench(const BenchOptions& o) {
  set_allow_tf32(o.tf32);
  read_ahead(o.model);
  auto start = Clock::now();
  LoadOptions load_options;
  load_options.mode = o.mode == "interpret" ? Mode::Interpret : Mode::Optimized;
  load_options.numerics = o.numerics;
  load_options.num_threads = o.threads;
  if (o.device != "cpu") load_options.device = Device::parse(o.device);
  Module m = load(o.model, load_options);
  double load_ms = ms_since(start);
  std::vector<IValue> given;
  std::string method = o.method;
  if (!o.io.empty()) {
    auto cases = read_cases(o.io);
    if (cases.empty()) raise<Error>(o.io, " has no cases");
    given = cases[0].inputs;
    method = cases[0].method;
  }
  for (IValue& v : parse_inputs(o.inputs)) given.push_back(std::move(v));
  given = method_inputs(m, method, given);
  const DeviceRuntime* device = find_device(Device::parse(o.device));
  // Inputs that the method writes are copied before each call; the others stay as warm as a
  // caller's own.
  bool writes = false;
  std::vector<double> device_times;
  auto once = [&] {
    auto inputs = writes ? copy_values(given) : given;
    if (writes) move_values(inputs, o.device);
    auto t = Clock::now();
    DeviceRuntime::Mark from = device ? device->mark() : nullptr;
    IValue out = m.run_method(method, std::move(inputs));
    DeviceRuntime::Mark to = device ? device->mark() : nullptr;
    if (device) device->synchronize();
    double ms = ms_since(t);
    if (device) device_times.push_back(device->elapsed_ms(from, to));
    return ms;
  };
  std::optional<PlanWatch> watch;
  if (o.profile || !o.trace.empty()) watch.emplace();
  auto before = copy_values(given);
  move_values(given, o.device);
  double first = once();
  Tolerance exact{"exact", 0, 0};
  for (size_t i = 0; i < given.size(); ++i)
    writes |= difference(given[i], before[i], exact, "").has_value();
  if (writes) given = before;  // copied and moved before each call
  std::vector<double> times;
  device_times.clear();
  auto begin = Clock::now();
  {
    // Drawn between calls, so that none is slower for it.
    Progress progress("bench", static_cast<uint64_t>(o.min_time * 1e3), Progress::Unit::Share);
    uint64_t shown = 0;
    // At least ten calls in all, unless they are long.
    while (times.size() < 3 || ms_since(begin) < o.min_time * (times.size() < 9 ? 10000 : 1000)) {
      times.push_back(once());
      auto now = static_cast<uint64_t>(ms_since(begin));
      progress.advance(now - shown, std::to_string(times.size()) + " calls");
      shown = now;
    }
  }
  const double tenth = times.size() > 8 ? times[8] : 0;
  std::sort(times.begin(), times.end());
  auto quantile = [&](double q) {
    return times[static_cast<size_t>(q * static_cast<double>(times.size() - 1))];
  };
  nlohmann::ordered_json j{{"load_ms", load_ms},
                           {"first_ms", first},
                           {"median_ms", quantile(0.5)},
                           {"min_ms", times.front()},
                           {"p90_ms", quantile(0.9)},
                           {"runs", times.size()},
                           {"peak_rss_mb", peak_memory() / 1048576},
                           {"threads", o.threads}};
  if (tenth > 0) j["tenth_ms"] = tenth;
  if (device) {
    std::sort(device_times.begin(), device_times.end());
    j["device_median_ms"] = device_times[device_times.size() / 2];
  }
  if (!o.json)
    for (auto& kv : j.items()) std::cout << kv.key() << " " << kv.value() << std::endl;
  if (watch) {
    auto inputs = writes ? copy_values(given) : given;
    if (writes) move_values(inputs, o.device);
    add_profile(j, o, m, method, std::move(inputs), *watch, !writes);
  }
  if (o.json) std::cout << j.dump() << "\n";
  return kDone;
}

}  // namespace

Command add_bench(CLI::App& app) {
  auto o = std::make_shared<BenchOptions>();
  auto* c = app.add_subcommand("bench", "time a method");
  c->add_option("model", o->model, "archive that torch.jit.save wrote")
      ->required()
      ->type_name("FILE");
  c->add_option("--io", o->io, "recorded cases: the first one's inputs are used")
      ->type_name("FILE");
  add_input_options(*c, o->inputs);
  c->add_option("--method", o->method, "method")->capture_default_str();
  c->add_option("--threads", o->threads, "threads of one operator")->check(CLI::Range(1, 1024));
  c->add_option("--mode", o->mode, "interpret or optimized")
      ->check(CLI::IsMember({"interpret", "optimized"}))
      ->capture_default_str();
  add_numerics_option(*c, o->numerics);
  c->add_option("--device", o->device, "cpu or cuda[:N]")->capture_default_str();
  c->add_option("--min-time", o->min_time, "seconds to measure for")->capture_default_str();
  c->add_flag("--tf32", o->tf32, "on a CUDA device: products of floats may round to TF32");
  c->add_flag("--profile", o->profile, "one more call, its time by kernel call or slot");
  c->add_option("--trace", o->trace, "write that call for chrome://tracing")
      ->type_name("FILE.json");
  c->add_flag("--json", o->json, "as JSON");
  c->footer(std::string(kInputHelp) +
            "\n\nExamples:\n"
            "  sconce bench resnet.pt --input 'randn(1,3,224,224)' --threads 2\n"
            "  sconce bench model.pt --io model.io.pt --json");
  return [o] { return bench(*o); };
}

}  // namespace sconce::tool
