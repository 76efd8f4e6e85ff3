// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <iostream>

#include "api/runtime.h"
#include "commands.h"
#include "graph_file.h"
#include "sconce/sconce.h"

namespace sconce::tool {

namespace {
struct Options {
  std::string model, method = "forward", passes, out, format = "text";
  bool inlined = false, optimized = false, plan = false;
};

std::string text_of(const Options& o) {
  if (o.plan) return load(o.model).plan_text(o.method);
  GraphFile g = open_graph(o.model, o.method);
  if (o.inlined) {
    if (!inline_as_pytorch(*g.graph, g.context)) verify_graph(*g.graph);
  } else {
    run_passes(g, o.optimized
                      ? "inline,scalar_rewrite,freeze_attributes,constant_propagation,fold_frozen_conv_bn,"
                        "constant_pooling,dce"
                      : o.passes);
  }
  if (o.format == "dot") return graph_dot(*g.graph);
  if (o.format == "html") return graph_html(*g.graph, o.model + " " + o.method);
  if (o.format == "json") return graph_json(*g.graph);
  return print_graph(*g.graph);
}
}  // namespace

Command add_graph(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* c = app.add_subcommand("graph", "print the graph of a method as PyTorch does");
  c->add_option("model", o->model, "archive, or a file with graph text")->required();
  c->add_option("--method", o->method, "method")->capture_default_str();
  auto* inlined = c->add_flag("--inlined", o->inlined, "with calls replaced by bodies");
  auto* optimized =
      c->add_flag("--optimized", o->optimized, "after the passes that run before execution")
          ->excludes(inlined);
  auto* format = c->add_option("--format", o->format, "text, dot (Graphviz), html or json")
                     ->check(CLI::IsMember({"text", "dot", "html", "json"}))
                     ->capture_default_str();
  c->add_flag("--plan", o->plan, "instructions of the interpreter")
      ->excludes(inlined)
      ->excludes(optimized)
      ->excludes(format);
  c->add_option("--passes", o->passes, "pipeline to run first, e.g. inline,dce");
  c->add_option("-o", o->out, "file to write");
  c->footer(
      "Examples:\n  sconce graph model.pt --inlined\n"
      "  sconce graph model.pt --method encode --format dot -o encode.dot");
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
