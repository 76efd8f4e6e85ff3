// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "api/needed_operators.h"
#include "api/runtime.h"
#include "commands.h"

namespace sconce::tool {

namespace {
using Json = nlohmann::ordered_json;

// What cmake/reduced.cmake reads.
void print_needed(const std::vector<std::string>& files) {
  const NeededOperators needed = needed_operators(files);
  std::cout << "# operators of";
  for (const std::string& file : files)
    std::cout << " " << std::filesystem::path(file).filename().string();
  std::cout << "\n";
  if (needed.composites) std::cout << "# some are written in TorchScript\n";
  for (const std::string& name : needed.names) std::cout << name << "\n";
}

}  // namespace

Command add_ops(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  auto* c = app.add_subcommand("ops", "the operator table: schemas and backends");
  c->add_flag("--json", *json, "as JSON");
  auto files = std::make_shared<std::vector<std::string>>();
  c->add_option("archive", *files, "list what a build needs to load and run these instead")
      ->excludes("--json");
  c->footer(
      "Examples:\n  sconce ops | grep conv2d\n  sconce ops model.pt > model.operators   "
      "(for -DSCONCE_OPERATORS_FROM)");
  return [json, files] {
    if (!files->empty()) {
      print_needed(*files);
      return kDone;
    }
    const OpTable& table = op_table();
    Json j = Json::array();
    std::vector<const Operator*> all = table.custom();
    for (size_t i = 0; i < table.size(); ++i) all.push_back(&table.at(i));
    for (const Operator* p : all) {
      const Operator& op = *p;
      if (*json)
        j.push_back({{"schema", op.text()},
                     {"backends", op.kernel ? Json::array({"cpu"}) : Json::array()}});
      else
        std::cout << (op.kernel ? "cpu  " : "-    ") << op.text() << "\n";
    }
    if (*json) std::cout << j.dump(1) << "\n";
    return kDone;
  };
}

}  // namespace sconce::tool
