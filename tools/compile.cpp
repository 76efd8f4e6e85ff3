// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <iostream>
#include <iterator>

#include "commands.h"
#include "inputs.h"
#include "sconce/sconce.h"

namespace sconce::tool {

namespace {
struct Options {
  std::string file, run;
  std::vector<std::string> inputs;
  bool graph = false;
};

int compile_file(const Options& o) {
  std::ifstream in(o.file);
  if (!in) raise<FormatError>(o.file, ": can't be read");
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  LoadOptions load_options;
  load_options.out = &std::cout;
  load_options.warnings = &std::cerr;
  Module m = compile(text, load_options);
  if (!o.run.empty()) {
    std::vector<IValue> inputs;
    for (auto& t : o.inputs) inputs.push_back(parse_input(t));
    IValue out = m.run_method(o.run, method_inputs(m, o.run, inputs));
    if (out.isTensor() && out.toTensorRef().defined())
      std::cout << out.toTensorRef() << "\n";
    else
      std::cout << ivalue_str(out) << "\n";
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
  auto o = std::make_shared<Options>();
  auto* c = app.add_subcommand("compile", "compile plain TorchScript source, with no archive");
  c->add_option("file", o->file, "functions in TorchScript")->required();
  auto* graph = c->add_flag("--graph", o->graph, "print the graph of every function");
  c->add_option("--run", o->run, "function to call")->excludes(graph);
  c->add_option("--input", o->inputs, "as for run; once for each argument");
  return [o] { return compile_file(*o); };
}

}  // namespace sconce::tool
