// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <sstream>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "api/runtime.h"
#include "backends/kernels.h"
#include "commands.h"
#include "compare.h"
#include "inputs.h"
#include "numpy.h"
#include "print_value.h"
#include "progress.h"
#include "runtime/lowering/lower.h"
#include "runtime/profile.h"
#include "runtime/shape_plan_replay.h"
#include "sconce/sconce.h"

namespace sconce::tool {

namespace {

struct Options {
  std::string model, method = "forward", out, device = "cpu", io, mode = "optimized";
  InputOptions inputs;
  int threads = 1;
  int64_t seed = -1;
  bool profile = false, plan = false, strict = false, full = false, tf32 = false;
};

void print_profile(Profile& p, double seconds, bool on_device) {
  std::fprintf(stderr, "%-44s %8s %12s %7s%s\n", "operator, its kernel slots", "calls", "ms",
               "share", on_device ? "   device ms" : "");
  auto line = [&](const char* indent, const Profile::Row& r) {
    std::fprintf(stderr, "%s%-*s %8lld %12.3f %6.1f%%", indent, *indent ? 42 : 44, r.name.c_str(),
                 static_cast<long long>(r.calls), r.seconds * 1e3, 100 * r.seconds / seconds);
    if (on_device) std::fprintf(stderr, " %11.3f", r.device_seconds * 1e3);
    std::fprintf(stderr, "\n");
  };
  for (auto& r : p.rows()) {
    line("", r);
    for (auto& s : r.slots) line("  ", s);
  }
  for (auto& [slot, n] : p.on_host())
    std::fprintf(stderr, "%s ran on the CPU %lld times: the device has no kernel for it\n",
                 slot.c_str(), static_cast<long long>(n));
  std::fprintf(stderr, "the call: %.3f ms; kernels: %s; %lld allocations, %.1f MiB\n",
               seconds * 1e3, cpu_kernels().name, static_cast<long long>(p.allocations()),
               static_cast<double>(p.allocated_bytes()) / (1 << 20));
}

// The call, with what it spent its time on told on stderr.
IValue run_profiled(const Module& m, const std::string& method, std::vector<IValue> inputs,
                    bool on_device) {
  m.impl()->prepared(method);  // compiling is no part of it
  Profile profile;
  m.impl()->recorder = &profile;
  auto start = std::chrono::steady_clock::now();
  IValue out = m.run_method(method, std::move(inputs));
  std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  m.impl()->recorder = nullptr;
  print_profile(profile, taken.count(), on_device);
  return out;
}

// The call, recorded and replayed, with the kernel calls of the replay and their times on stderr.
IValue run_planned(const Module& m, const std::string& method, const std::vector<IValue>& inputs) {
  std::string text;
  observe_plans([&](const std::string&, const std::string& after) { text = after; });
  IValue out = m.run_method(method, inputs);
  observe_plans({});
  PlanTimer timer;
  plan_timer = &timer;
  for (int i = 0; i < 10; ++i) (void)m.run_method(method, inputs);
  plan_timer = nullptr;
  if (!timer.runs) std::fprintf(stderr, "the call can't be replayed\n");
  std::istringstream lines(text);
  std::string line;
  for (double s : timer.seconds) {
    std::getline(lines, line);
    std::fprintf(stderr, "%9.4f ms  %s\n", s * 1e3 / timer.runs, line.c_str());
  }
  return out;
}

void save(const std::string& path, const IValue& v) {
  const Tensor* t = v.isTensor() ? &v.toTensorRef() : nullptr;
  if (!t) raise<Error>("--out writes one tensor as .npy; the method returned ", v.tag_name());
  write_npy(path, t->cpu());
}

int run(const Options& o) {
  set_allow_tf32(o.tf32);
  if (o.seed >= 0) manual_seed(static_cast<uint64_t>(o.seed));
  LoadOptions load_options;
  load_options.out = &std::cout;
  load_options.warnings = &std::cerr;
  load_options.num_threads = o.threads;
  load_options.strict_device = o.strict;
  if (o.device != "cpu") load_options.device = Device::parse(o.device);
  load_options.mode = o.mode == "interpret" ? Mode::Interpret : Mode::Optimized;
  read_ahead(o.model);
  Module m = load(o.model, load_options);
  if (!o.io.empty()) {
    // A recorded case: show the answer and whether it is PyTorch's.
    auto cases = read_cases(o.io);
    auto first = std::find_if(cases.begin(), cases.end(), [](const Case& c) { return !!c.output; });
    if (first == cases.end()) raise<Error>(o.io, " has no case with an output");
    const Case& c = *first;
    if (c.seed) manual_seed(static_cast<uint64_t>(*c.seed));
    std::vector<IValue> given = copy_values(c.inputs);
    move_values(given, o.device);
    given = convert_inputs(m, c.method, given);
    IValue out = o.plan ? run_planned(m, c.method, given) : m.run_method(c.method, given);
    print_value(std::cout, out, o.full);
    auto d = difference(out, *c.output, c.tolerance, "output");
    std::cout << (d ? "differs from PyTorch's answer: " + *d : "the same as PyTorch's answer")
              << "\n";
    return d ? kAnswerIsNo : kDone;
  }
  std::vector<IValue> inputs = parse_inputs(o.inputs);
  move_values(inputs, o.device);
  inputs = method_inputs(m, o.method, inputs);
  IValue out = o.profile ? run_profiled(m, o.method, std::move(inputs), o.device != "cpu")
               : o.plan  ? run_planned(m, o.method, inputs)
                         : m.run_method(o.method, std::move(inputs));
  if (o.out.empty())
    print_value(std::cout, out, o.full);
  else
    save(o.out, out);
  return kDone;
}

}  // namespace

Command add_run(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* c = app.add_subcommand("run", "run a method of an archive");
  c->add_option("model", o->model, "archive that torch.jit.save wrote")
      ->required()
      ->type_name("FILE");
  c->add_option("--method", o->method, "method to call")->capture_default_str();
  add_input_options(*c, o->inputs);
  c->add_option("--io", o->io, "recorded cases: run the first and check the answer")
      ->type_name("FILE");
  c->add_option("--out", o->out, "write the answer, one tensor, as .npy")->type_name("FILE");
  c->add_flag("--full", o->full, "print large tensors whole");
  c->add_option("--device", o->device, "cpu or cuda[:N]")->capture_default_str();
  c->add_flag("--strict", o->strict, "a kernel that the device lacks is an error");
  c->add_flag("--tf32", o->tf32, "on a CUDA device: products of floats may round to TF32");
  c->add_option("--threads", o->threads, "threads of one operator")->check(CLI::Range(1, 1024));
  c->add_flag("--profile", o->profile,
              "what the time goes to, by operator and kernel slot, on stderr");
  c->add_flag("--plan", o->plan, "also print the kernel calls of a replayed call, and their times");
  c->add_option("--seed", o->seed, "seed of the generator");
  c->add_option("--mode", o->mode, "interpret or optimized")
      ->check(CLI::IsMember({"interpret", "optimized"}))
      ->capture_default_str();
  c->footer(std::string(kInputHelp) +
            "\n\nExamples:\n"
            "  sconce run resnet.pt --input cat.jpg --imagenet\n"
            "  sconce run bert.pt --input 'tensor([[101, 7592, 102]])' --input None --out y.npy\n"
            "  sconce run detector.pt --input '{\"image\": photo.png, \"scale\": 0.5}'");
  return [o] { return run(*o); };
}

}  // namespace sconce::tool
