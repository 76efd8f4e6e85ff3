// SPDX-License-Identifier: Apache-2.0
// What sconce/pass.h offers to the authors of passes, by means of ir.
#include "ir/alias.h"
#include "ir/cleanup.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

Aliasing::Aliasing(const Graph& g) : db_(std::make_unique<AliasDb>(g)) {}
Aliasing::~Aliasing() = default;
bool Aliasing::may_alias(const Value* a, const Value* b) const {
  return db_->may_contain_alias(a, b);
}
bool Aliasing::has_writers(const Value* v) const { return db_->has_writers(v); }
bool Aliasing::writes(const Node* n, const Value* v) const {
  check_stack();
  if (db_->writes_to_alias(n, {v})) return true;
  for (Block* b : n->blocks)
    for (const Node* inner : b->nodes())
      if (writes(inner, v)) return true;
  return false;
}
bool Aliasing::may_escape(const Value* v) const { return db_->may_escape(v); }
bool Aliasing::may_replace(const Value* y, const Value* x) const {
  if (!AliasDb::is_mutable_type(y->type)) return true;
  return !has_writers(y) && !has_writers(x) && !(may_escape(y) && may_escape(x));
}

Node* PassContext::insert_operator(Node* before, const std::string& kind,
                                   const std::vector<Value*>& inputs) const {
  Graph& g = *before->graph;
  Node* n = g.create(Symbol(kind), inputs, 0);
  n->range = before->range;
  n->op = resolve_operator(n, *ops);
  if (!n->op) {
    std::string given;
    for (Value* v : inputs) given += (given.empty() ? "" : ", ") + v->type->str();
    n->destroy();
    raise<Error>("no overload of ", kind, " takes (", given, ")");
  }
  const FunctionSchema& s = n->op->schema();
  TypeEnv env;
  for (size_t i = 0; i < s.arguments.size() && i < inputs.size(); ++i)
    match_type_variables(s.arguments[i].type, inputs[i]->type, env, *g.types, nullptr);
  for (auto& r : s.returns) {
    TypePtr t = eval_type_variables(r.type, env, *g.types);
    n->add_output(t ? t : types::any());
  }
  return n->insert_before(before);
}

bool PassContext::remove_dead_code(Graph& g) const {
  return assumptions ? remove_unused(g) : eliminate_dead_code(g, false);
}

}  // namespace sconce
