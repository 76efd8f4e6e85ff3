// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <iterator>

#include "commands.h"
#include "compare.h"
#include "inputs.h"
#include "print_value.h"
#include "sconce/sconce.h"

namespace sconce::tool {

namespace {
struct CompileOptions {
  std::string file, run;
  InputOptions inputs;
  bool graph = false, full = false;
};

int compile_file(const CompileOptions& o) {
  std::ifstream in(o.file);
  if (!in) raise<FormatError>(o.file, ": can't be read");
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  LoadOptions load_options;
  load_options.out = &std::cout;
  load_options.warnings = &std::cerr;
  Module m = compile(text, load_options);
  if (!o.run.empty()) {
    std::vector<IValue> inputs = method_inputs(m, o.run, parse_inputs(o.inputs));
    print_value(std::cout, m.run_method(o.run, std::move(inputs)), o.full);
    return kDone;
  }
  for (auto& name : m.function_names()) {
    if (o.graph)
      std::cout << name << ":\n" << m.graph_text(name);
    else
      std::cout << name << "\n";
  }
  return kDone;
}
}  // namespace

Command add_compile(CLI::App& app) {
  auto o = std::make_shared<CompileOptions>();
  auto* c = app.add_subcommand("compile", "compile plain TorchScript source, with no archive");
  c->add_option("file", o->file, "functions in TorchScript")->required()->type_name("FILE");
  auto* graph = c->add_flag("--graph", o->graph, "print the graph of every function");
  c->add_option("--run", o->run, "function to call")->excludes(graph);
  add_input_options(*c, o->inputs);
  c->add_flag("--full", o->full, "print large tensors whole");
  c->footer(std::string(kInputHelp) +
            "\n\nExample:\n  sconce compile functions.py --run f --input 3 --input 'ones(2,2)'");
  return [o] { return compile_file(*o); };
}

}  // namespace sconce::tool
