// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "api/runtime.h"
#include "commands.h"
#include "compare.h"
#include "core/device.h"
#include "inputs.h"
#include "progress.h"
#include "runtime/profile.h"
#include "sconce/sconce.h"

namespace sconce::tool {

namespace {

struct Options {
  std::string model, io, method = "forward", mode = "optimized", device = "cpu";
  InputOptions inputs;
  int threads = 1;
  double min_time = 1;
  bool json = false, profile = false, tf32 = false;
};

using Clock = std::chrono::steady_clock;
double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// What the device works on in one call, by kernel slot, the longest first.
nlohmann::ordered_json profile_of(const Module& m, const std::string& method,
                                  std::vector<IValue> inputs) {
  Profile profile;
  m.impl()->recorder = &profile;
  m.run_method(method, std::move(inputs));
  m.impl()->recorder = nullptr;
  std::map<std::string, std::pair<int64_t, double>> slots;
  for (auto& op : profile.rows())
    for (auto& s : op.slots) {
      slots[s.name].first += s.calls;
      slots[s.name].second += s.device_seconds > 0 ? s.device_seconds : s.seconds;
    }
  std::vector<std::pair<std::string, std::pair<int64_t, double>>> rows(slots.begin(), slots.end());
  std::sort(rows.begin(), rows.end(),
            [](auto& a, auto& b) { return a.second.second > b.second.second; });
  auto j = nlohmann::ordered_json::array();
  for (auto& [name, s] : rows)
    j.push_back({{"name", name}, {"calls", s.first}, {"ms", s.second * 1e3}});
  return j;
}

int bench(const Options& o) {
  set_allow_tf32(o.tf32);
  read_ahead(o.model);
  auto start = Clock::now();
  LoadOptions load_options;
  load_options.mode = o.mode == "interpret" ? Mode::Interpret : Mode::Optimized;
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
    while (times.size() < 3 || ms_since(begin) < o.min_time * 1000) {
      times.push_back(once());
      auto now = static_cast<uint64_t>(ms_since(begin));
      progress.advance(now - shown, std::to_string(times.size()) + " calls");
      shown = now;
    }
  }
  std::sort(times.begin(), times.end());
  auto quantile = [&](double q) {
    return times[static_cast<size_t>(q * static_cast<double>(times.size() - 1))];
  };
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  nlohmann::ordered_json j{{"load_ms", load_ms},
                           {"first_ms", first},
                           {"median_ms", quantile(0.5)},
                           {"min_ms", times.front()},
                           {"p90_ms", quantile(0.9)},
                           {"runs", times.size()},
                           {"peak_rss_mb", static_cast<double>(usage.ru_maxrss) / 1024},
                           {"threads", o.threads}};
  if (device) {
    std::sort(device_times.begin(), device_times.end());
    j["device_median_ms"] = device_times[device_times.size() / 2];
  }
  if (o.profile) {
    auto inputs = writes ? copy_values(given) : given;
    if (writes) move_values(inputs, o.device);
    j["profile"] = profile_of(m, method, std::move(inputs));
  }
  if (o.json)
    std::cout << j.dump() << "\n";
  else
    for (auto& kv : j.items()) std::cout << kv.key() << " " << kv.value() << "\n";
  return kDone;
}

}  // namespace

Command add_bench(CLI::App& app) {
  auto o = std::make_shared<Options>();
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
  c->add_option("--device", o->device, "cpu or cuda[:N]")->capture_default_str();
  c->add_option("--min-time", o->min_time, "seconds to measure for")->capture_default_str();
  c->add_flag("--tf32", o->tf32, "on a CUDA device: products of floats may round to TF32");
  c->add_flag("--profile", o->profile, "one more call, its time by kernel slot");
  c->add_flag("--json", o->json, "as JSON");
  c->footer(std::string(kInputHelp) +
            "\n\nExamples:\n"
            "  sconce bench resnet.pt --input 'randn(1,3,224,224)' --threads 2\n"
            "  sconce bench model.pt --io model.io.pt --json");
  return [o] { return bench(*o); };
}

}  // namespace sconce::tool
