// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>

#include "call_profile.h"
#include "classes.h"
#include "commands.h"
#include "compare.h"
#include "inputs.h"
#include "numpy.h"
#include "print_value.h"
#include "progress.h"
#include "sconce/sconce.h"

namespace sconce::tool {

namespace {

struct RunOptions {
  std::string model, method = "forward", out, trace, device = "cpu", io, mode = "optimized";
  Numerics numerics = Numerics::Fast;
  InputOptions inputs;
  ClassOptions classes;
  int threads = 1;
  int64_t seed = -1;
  bool profile = false, plan = false, strict = false, full = false, tf32 = false;
};

// The call, with what it spent its time on told on stderr as far as that is asked for.
IValue call(const Module& m, const std::string& method, std::vector<IValue> inputs,
            const RunOptions& o) {
  std::vector<TimedCall> calls;
  IValue out;
  if (o.plan || (!o.trace.empty() && !o.profile)) {
    PlanWatch watch;
    out = m.run_method(method, inputs);
    calls = watch.calls(m, method, inputs, 10);
    if (calls.empty()) std::fprintf(stderr, "the call can't be replayed\n");
    if (o.plan && !calls.empty()) print_calls(stderr, calls);
  } else if (o.profile) {
    Profile profile;
    double seconds = 0;
    out = profile_operators(m, method, std::move(inputs), profile, seconds);
    print_operators(stderr, profile, seconds, o.device != "cpu");
    calls = calls_of(profile);
  } else {
    return m.run_method(method, std::move(inputs));
  }
  if (!o.trace.empty()) write_trace(o.trace, calls);
  return out;
}

void save(const std::string& path, const IValue& v) {
  const Tensor* t = v.isTensor() ? &v.toTensorRef() : nullptr;
  if (!t) raise<Error>("--out writes one tensor as .npy; the method returned ", v.tag_name());
  write_npy(path, t->cpu());
}

int run(const RunOptions& o) {
  set_allow_tf32(o.tf32);
  if (o.seed >= 0) manual_seed(static_cast<uint64_t>(o.seed));
  LoadOptions load_options;
  load_options.out = &std::cout;
  load_options.warnings = &std::cerr;
  load_options.num_threads = o.threads;
  load_options.strict_device = o.strict;
  if (o.device != "cpu") load_options.device = Device::parse(o.device);
  load_options.numerics = o.numerics;
  load_options.mode = o.mode == "interpret" ? Mode::Interpret : Mode::Optimized;
  std::map<std::string, std::string> extra;
  if (o.classes.wanted() && o.classes.labels.empty()) {
    extra[kLabelRecord];
    load_options.extra_files = &extra;
  }
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
    IValue out = call(m, c.method, convert_inputs(m, c.method, given), o);
    print_value(std::cout, out, o.full);
    auto d = difference(out, *c.output, c.tolerance, "output");
    std::cout << (d ? "differs from PyTorch's answer: " + *d : "the same as PyTorch's answer")
              << "\n";
    return d ? kAnswerIsNo : kDone;
  }
  std::vector<IValue> inputs = parse_inputs(o.inputs);
  move_values(inputs, o.device);
  inputs = method_inputs(m, o.method, inputs);
  IValue out = call(m, o.method, std::move(inputs), o);
  if (!o.out.empty()) save(o.out, out);
  if (o.classes.wanted())
    print_classes(std::cout, out, o.classes, extra[kLabelRecord]);
  else if (o.out.empty())
    print_value(std::cout, out, o.full);
  return kDone;
}

}  // namespace

Command add_run(CLI::App& app) {
  auto o = std::make_shared<RunOptions>();
  auto* c = app.add_subcommand("run", "run a method of an archive");
  c->add_option("model", o->model, "archive that torch.jit.save wrote")
      ->required()
      ->type_name("FILE");
  c->add_option("--method", o->method, "method to call")->capture_default_str();
  add_input_options(*c, o->inputs);
  add_class_options(*c, o->classes);
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
  c->add_flag("--plan", o->plan, "the kernel calls of a replayed call and their times, on stderr");
  c->add_option("--trace", o->trace,
                "write the kernel calls, or with --profile the operators, for chrome://tracing")
      ->type_name("FILE.json");
  c->add_option("--seed", o->seed, "seed of the generator");
  c->add_option("--mode", o->mode, "interpret or optimized")
      ->check(CLI::IsMember({"interpret", "optimized"}))
      ->capture_default_str();
  add_numerics_option(*c, o->numerics);
  c->footer(std::string(kInputHelp) +
            "\n\nExamples:\n"
            "  sconce run resnet.pt --input cat.jpg --imagenet --labels names.txt\n"
            "  sconce run bert.pt --input 'tensor([[101, 7592, 102]])' --input None --out y.npy\n"
            "  sconce run detector.pt --input '{\"image\": photo.png, \"scale\": 0.5}'");
  return [o] { return run(*o); };
}

}  // namespace sconce::tool
