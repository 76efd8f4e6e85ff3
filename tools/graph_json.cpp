// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "graph_file.h"
#include "positions.h"
#include "support/stack.h"

namespace sconce::tool {

namespace {
using Json = nlohmann::ordered_json;

Json json_of(const Graph& g);
Json definitions(const std::vector<Value*>& vs) {
  Json j = Json::array();
  for (const Value* v : vs) j.push_back({{"name", value_name(v)}, {"type", v->type->str()}});
  return j;
}
Json references(const std::vector<Value*>& vs) {
  Json j = Json::array();
  for (const Value* v : vs) j.push_back(value_name(v));
  return j;
}
Json block_json(const Block* b) {
  check_stack();
  Json nodes = Json::array();
  for (const Node* n = b->first(); n != b->ret; n = n->next) {
    Json attributes = Json::object(), blocks = Json::array();
    for (auto& a : n->attributes)
      attributes[a.name.str()] =
          a.kind == Attribute::Kind::Graph ? json_of(*a.graph) : Json(attribute_text(a, n));
    for (const Block* inner : n->blocks) blocks.push_back(block_json(inner));
    nodes.push_back({{"kind", n->kind.str()},
                     {"schema", n->op ? Json(std::string(n->op->full_name())) : Json()},
                     {"inputs", references(n->inputs)},
                     {"outputs", definitions(n->outputs)},
                     {"attributes", std::move(attributes)},
                     {"blocks", std::move(blocks)},
                     {"source", n->range.source ? Json(short_position(n->range)) : Json()}});
  }
  return {{"inputs", definitions(b->inputs())},
          {"nodes", std::move(nodes)},
          {"outputs", references(b->outputs())}};
}
Json json_of(const Graph& g) { return block_json(g.block()); }
}  // namespace

std::string graph_json(const Graph& g) {
  return json_of(g).dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace sconce::tool
