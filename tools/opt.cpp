// SPDX-License-Identifier: Apache-2.0
// sconce opt: a pipeline of passes on a method's graph or on graph text, and what each of them did.
#include <fstream>
#include <iomanip>
#include <iostream>

#include "commands.h"
#include "differences.h"
#include "graph_file.h"
#include "positions.h"
#include "progress.h"
#include "sconce/sconce.h"

namespace sconce::tool {

namespace {
struct Options {
  std::string model, method = "forward", passes, out;
  bool print_after_all = false, diff = false, time = false, verify_each = false, list = false;
};

int opt(const Options& o) {
  if (o.list) {
    for (auto& p : all_passes())
      std::cout << std::left << std::setw(22) << p.name << " " << p.summary
                << (p.portable ? "" : " (lowering)") << "\n";
    return kDone;
  }
  if (o.model.empty()) throw CLI::RequiredError("model");
  GraphFile g = open_graph(o.model, o.method);
  std::string last = o.diff ? graph_text(*g.graph) : "";
  Progress progress("passes", 0);
  g.context.after_pass = [&](const Pass& p, Graph& graph, bool changed, double seconds) {
    if (o.print_after_all || o.diff || o.time)
      progress.clear();
    else
      progress.advance(1, p.name);
    if (o.print_after_all)
      std::cerr << "-- after " << p.name << (changed ? "" : " (nothing changed)") << "\n"
                << graph_text(graph);
    if (o.diff) {
      std::string now = graph_text(graph);
      std::cerr << "-- " << p.name << "\n" << text_diff(last, now);
      last = std::move(now);
    }
    if (o.time)
      std::cerr << "-- " << std::left << std::setw(24) << p.name << std::fixed
                << std::setprecision(3) << seconds * 1e3 << " ms\n";
  };
  run_passes(g, o.passes);
  progress.clear();
  std::string text = graph_text(*g.graph);
  if (o.out.empty()) {
    std::cout << text;
    return kDone;
  }
  std::ofstream f(o.out);
  f << text;
  if (!f.flush()) raise<Error>(o.out, ": can't be written");
  return kDone;
}
}  // namespace

Command add_opt(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* c = app.add_subcommand("opt", "run passes on the graph of a method, or on graph text");
  c->add_option("model", o->model, "archive, or a file with graph text");
  c->add_option("--passes", o->passes, "pipeline, e.g. inline,fixpoint(constant_propagation,dce)");
  c->add_option("--method", o->method, "method of the archive")->capture_default_str();
  c->add_flag("--print-after-all", o->print_after_all, "the graph after every pass, on stderr");
  c->add_flag("--diff", o->diff, "the lines that every pass changed, on stderr");
  c->add_flag("--time-passes", o->time, "the time of every pass, on stderr");
  c->add_flag("--verify-each", o->verify_each, "check the graph after every pass (always done)");
  c->add_flag("--list", o->list, "the passes that there are");
  c->add_option("-o", o->out, "file to write the text to");
  c->footer(
      "Example:\n  sconce opt model.pt --passes "
      "'inline,freeze_attributes,fixpoint(constant_propagation,dce)' "
      "--diff");
  return [o] { return opt(*o); };
}

}  // namespace sconce::tool
