// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>

#include "api/runtime.h"
#include "commands.h"
#include "graph_file.h"
#include "graph_page.h"
#include "positions.h"
#include "sconce/sconce.h"

namespace sconce::tool {

namespace {
struct GraphOptions {
  std::string model, method = "forward", passes, after, out, format = "text";
  bool inlined = false, optimized = false, calls = false, plan = false;
  std::string pipeline() const {
    return optimized
               ? "inline,scalar_rewrite,freeze_attributes,constant_propagation,fold_frozen_conv_bn,"
                 "constant_pooling,dce"
               : passes;
  }
};

void inline_all(GraphFile& g) {
  if (!inline_as_pytorch(*g.graph, g.context)) verify_graph(*g.graph);
}

// What happens in pass pipelines is shown beside what was there before. Where they begin with
// inlining, before is the inlined graph: that calls are replaced by bodies is no news of any node.
std::string page_of(const GraphOptions& o) {
  GraphFile g = open_graph(o.model, o.method);
  const std::string title =
      without_folders("/" + o.model) + (g.module.defined() ? " " + o.method : "");
  std::string pipeline = o.pipeline();
  std::vector<PageGraph> graphs;
  if (!o.after.empty()) {
    GraphFile after = open_graph(o.after, o.method);
    graphs.push_back(
        {"before: " + without_folders("/" + o.model), picture_of(*g.graph, g.context.module)});
    graphs.push_back({"after: " + without_folders("/" + o.after),
                      picture_of(*after.graph, after.context.module)});
  } else if (!pipeline.empty()) {
    const bool inlined = pipeline.rfind("inline,", 0) == 0;
    if (inlined) {
      run_passes(g, "inline");
      pipeline.erase(0, 7);
    }
    graphs.push_back({inlined ? "before: inlined" : "before: as compiled",
                      picture_of(*g.graph, g.context.module)});
    run_passes(g, pipeline);
    graphs.push_back({"after " + pipeline, picture_of(*g.graph, g.context.module)});
  } else {
    if (!o.calls) inline_all(g);
    graphs.push_back({"", picture_of(*g.graph, g.context.module)});
  }
  return graph_page(title, graphs);
}

std::string text_of(const GraphOptions& o) {
  if (o.plan) return load(o.model).plan_text(o.method);
  if (o.format == "html") return page_of(o);
  GraphFile g = open_graph(o.model, o.method);
  if (o.inlined)
    inline_all(g);
  else
    run_passes(g, o.pipeline());
  if (o.format == "dot") return graph_dot(*g.graph);
  if (o.format == "json") return graph_json(*g.graph);
  return graph_text(*g.graph);
}
}  // namespace

Command add_graph(CLI::App& app) {
  auto o = std::make_shared<GraphOptions>();
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
  c->add_option("--passes", o->passes,
                "pipeline to run first, e.g. inline,dce; html shows what it changed");
  c->add_option("--after", o->after, "html: a second graph to show beside this one")
      ->excludes(inlined);
  c->add_flag("--calls", o->calls, "html: calls aren't replaced by bodies");
  c->add_option("-o", o->out, "file to write");
  c->footer(
      "Examples:\n  sconce graph model.pt --inlined\n"
      "  sconce graph model.pt --method encode --format dot -o encode.dot\n"
      "  sconce graph model.pt --format html -o page.html\n"
      "  sconce graph model.pt --passes inline,freeze,dce --format html -o changes.html");
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
