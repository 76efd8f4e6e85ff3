// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "api/runtime.h"
#include "commands.h"
#include "sconce/sconce.h"

namespace sconce::tool {

namespace {

using Json = nlohmann::ordered_json;

Json tensor_json(const Tensor& t) {
  return {{"dtype", t.defined() ? dtype_name(t.dtype()) : "undefined"},
          {"shape", t.defined() ? t.sizes().vec() : std::vector<int64_t>{}}};
}

void count_operators(Block* b, std::map<std::string, int64_t>& counts) {
  for (Node* n : b->nodes()) {
    if (n->op && n->op->name().substr(0, 6) == "aten::") ++counts[std::string(n->op->full_name())];
    for (Block* inner : n->blocks) count_operators(inner, counts);
  }
}

Json describe(const Module& m) {
  Json j;
  j["class"] = m.class_name();
  j["modules"] = Json::array();
  for (auto& a : m.named_attributes())
    if (a.value.isObject() && a.value.toObjectRef().type->is_module)
      j["modules"].push_back({{"name", a.name}, {"class", a.value.toObjectRef().type->name}});
  j["methods"] = Json::array();
  auto missing = m.missing_operators();
  for (auto& name : m.method_names())
    j["methods"].push_back({{"name", name}, {"schema", m.impl()->method(name).schema.str()}});
  auto list = [&](const char* key, const std::vector<Named<Tensor>>& tensors) {
    j[key] = Json::array();
    for (auto& p : tensors) {
      Json e = tensor_json(p.value);
      e["name"] = p.name;
      j[key].push_back(e);
    }
  };
  list("parameters", m.named_parameters());
  list("buffers", m.named_buffers());
  std::map<std::string, int64_t> counts;
  for (auto& f : m.impl()->archive.cu->functions())
    if (f->graph) count_operators(f->graph->block(), counts);
  j["operators"] = Json::object();
  for (auto& kv : counts) j["operators"][kv.first] = kv.second;
  j["missing"] = Json::array();
  for (auto& p : missing) j["missing"].push_back({{"operator", p.first}, {"at", p.second}});
  return j;
}

void print_text(const Json& j) {
  std::cout << j["class"].get<std::string>() << "\n";
  for (auto& e : j["modules"])
    std::cout << "  module     " << e["name"].get<std::string>() << ": "
              << e["class"].get<std::string>() << "\n";
  for (auto& e : j["methods"])
    std::cout << "  method     " << e["schema"].get<std::string>() << "\n";
  for (const char* kind : {"parameters", "buffers"})
    for (auto& e : j[kind])
      std::cout << (kind[0] == 'p' ? "  parameter  " : "  buffer     ")
                << e["name"].get<std::string>() << " " << e["dtype"].get<std::string>() << " "
                << e["shape"].dump() << "\n";
  for (auto& kv : j["operators"].items())
    std::cout << "  operator   " << kv.key() << " x" << kv.value() << "\n";
  for (auto& e : j["missing"])
    std::cout << "  missing    " << e["operator"].get<std::string>() << " ("
              << e["at"].get<std::string>() << ")\n";
}

}  // namespace

Command add_inspect(CLI::App& app) {
  struct Options {
    std::string model;
    bool json = false;
  };
  auto o = std::make_shared<Options>();
  auto* c =
      app.add_subcommand("inspect", "modules, methods, parameters, operators used and missing");
  c->add_option("model", o->model, "archive")->required();
  c->add_flag("--json", o->json, "as JSON");
  return [o] {
    Json j = describe(load(o->model));
    if (o->json)
      std::cout << j.dump(1) << "\n";
    else
      print_text(j);
    return kDone;
  };
}

Command add_ops(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  auto* c = app.add_subcommand("ops", "the operator table: schemas and backends");
  c->add_flag("--json", *json, "as JSON");
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
