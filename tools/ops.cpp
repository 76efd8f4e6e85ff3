// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "api/runtime.h"
#include "commands.h"

namespace sconce::tool {

namespace {
using Json = nlohmann::ordered_json;
}

Command add_ops(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  auto* c = app.add_subcommand("ops", "the operator table: schemas and backends");
  c->add_flag("--json", *json, "as JSON");
  c->footer("Example:\n  sconce ops | grep conv2d");
  return [json] {
    const OpTable& table = op_table();
    Json j = Json::array();
    std::vector<const Operator*> all = table.custom();
    for (size_t i = 0; i < table.size(); ++i) all.push_back(&table.at(i));
    for (const Operator* p : all) {
      const Operator& op = *p;
      if (*json)
        j.push_back(
            {{"schema", op.text}, {"backends", op.kernel ? Json::array({"cpu"}) : Json::array()}});
      else
        std::cout << (op.kernel ? "cpu  " : "-    ") << op.text << "\n";
    }
    if (*json) std::cout << j.dump(1) << "\n";
    return kDone;
  };
}

}  // namespace sconce::tool
