// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <iostream>

#include "api/runtime.h"
#include "commands.h"
#include "sconce/sconce.h"

namespace sconce::tool {

namespace {
struct Options {
  std::string model, method = "forward", passes, out;
  bool inlined = false, optimized = false, plan = false;
};

std::string text_of(const Options& o) {
  Module m = load(o.model);
  if (o.plan) return m.plan_text(o.method);
  if (o.inlined) return m.inlined_graph_text(o.method);
  if (o.optimized)
    return m.graph_text(o.method,
                        "inline,scalar_rewrite,freeze,constant_propagation,fold_frozen_conv_bn,"
                        "constant_pooling,dce");
  return m.graph_text(o.method, o.passes);
}
}  // namespace

Command add_graph(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* c = app.add_subcommand("graph", "print the graph of a method as PyTorch does");
  c->add_option("model", o->model, "archive")->required();
  c->add_option("--method", o->method, "method")->capture_default_str();
  auto* inlined = c->add_flag("--inlined", o->inlined, "with calls replaced by bodies");
  auto* optimized =
      c->add_flag("--optimized", o->optimized, "after the passes that run before execution")
          ->excludes(inlined);
  c->add_flag("--plan", o->plan, "instructions of the interpreter")
      ->excludes(inlined)
      ->excludes(optimized);
  c->add_option("--passes", o->passes, "pipeline to run first, e.g. inline,dce");
  c->add_option("-o", o->out, "file to write");
  return [o] {
    std::string text = text_of(*o);
    if (o->out.empty()) {
      std::cout << text;
      return kDone;
    }
    std::ofstream f(o->out);
    f << text;
    if (!f.flush()) raise<Error>(o->out, ": can't be written");
    return kDone;
  };
}

}  // namespace sconce::tool
