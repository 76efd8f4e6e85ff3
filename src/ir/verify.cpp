// SPDX-License-Identifier: Apache-2.0
#include "ir/verify.h"

#include "core/op_table.h"
#include "core/schema.h"
#include "support/stack.h"

namespace sconce {

namespace {

[[noreturn]] void fail(const Node* n, const std::string& what) {
  raise<Error>("graph verifier: ", what, " at node ", n->kind.str());
}

// A text knows classes and named tuples by their names alone.
bool is_named(TypePtr t) { return t->kind == TypeKind::Class || t->is_named_tuple(); }

// A text may say less of a value than its operator does, or more of a tensor's sizes and of what
// the operator leaves open.
bool may_be(TypePtr declared, TypePtr made) {
  check_stack();
  if ((is_named(declared) && is_named(made)) ||
      (!made->name.empty() && declared->name == made->name))
    return true;
  if (made->is_subtype_of(declared) || declared->is_subtype_of(made)) return true;
  if (declared->kind != made->kind || declared->elems.size() != made->elems.size()) return false;
  for (size_t i = 0; i < declared->elems.size(); ++i)
    if (!may_be(declared->elems[i], made->elems[i])) return false;
  return !declared->elems.empty();
}

void check_operator(const Node* n) {
  const FunctionSchema& s = n->op->schema();
  const size_t in = n->inputs.size(), out = n->outputs.size();
  if (s.is_vararg ? in < s.arguments.size() : in != s.arguments.size())
    fail(n, "the operator takes another number of inputs");
  if (s.is_varret) return;
  if (out != s.returns.size()) fail(n, "the operator has another number of outputs");
  TypeEnv env;
  for (size_t i = 0; i < s.arguments.size(); ++i)
    match_type_variables(s.arguments[i].type, n->inputs[i]->type, env, *n->graph->types, nullptr);
  for (size_t i = 0; i < out; ++i) {
    TypePtr made = eval_type_variables(s.returns[i].type, env, *n->graph->types);
    if (made && !may_be(n->outputs[i]->type, made))
      fail(n, "the operator makes " + made->str() + ", not " + n->outputs[i]->type->str() + ",");
  }
}

void check_containers(const Node* n) {
  auto element = [&](const Value* v, TypePtr wanted) {
    if (!may_be(v->type, wanted))
      fail(n, "an element is " + v->type->str() + " where " + wanted->str() + " is declared,");
  };
  const TypeKind made = n->kind == prim::ListConstruct    ? TypeKind::List
                        : n->kind == prim::DictConstruct  ? TypeKind::Dict
                        : n->kind == prim::TupleConstruct ? TypeKind::Tuple
                                                          : TypeKind::Any;
  if (made != TypeKind::Any && (n->outputs.size() != 1 || n->output()->type->kind != made))
    fail(n, "the node makes one container of its kind");
  if ((n->kind == prim::TupleUnpack || n->kind == prim::ListUnpack) && n->inputs.size() != 1)
    fail(n, "the node takes one container");
  if (n->kind == prim::ListConstruct)
    for (const Value* v : n->inputs) element(v, n->output()->type->elems.at(0));
  if (n->kind == prim::DictConstruct) {
    if (n->inputs.size() % 2) fail(n, "a key without its value");
    for (size_t i = 0; i < n->inputs.size(); ++i)
      element(n->inputs[i], n->output()->type->elems.at(i % 2));
  }
  if (n->kind == prim::TupleConstruct) {
    auto& elems = n->output()->type->elems;
    if (elems.size() != n->inputs.size()) fail(n, "the tuple has another number of elements");
    for (size_t i = 0; i < elems.size(); ++i) element(n->inputs[i], elems[i]);
  }
  if (n->kind == prim::TupleUnpack && n->inputs[0]->type->kind == TypeKind::Tuple) {
    auto& elems = n->inputs[0]->type->elems;
    if (elems.size() != n->outputs.size()) fail(n, "the tuple has another number of elements");
    for (size_t i = 0; i < elems.size(); ++i) element(n->outputs[i], elems[i]);
  }
  if (n->kind == prim::ListUnpack && n->inputs[0]->type->kind == TypeKind::List)
    for (const Value* v : n->outputs) element(v, n->inputs[0]->type->elems.at(0));
}

void check_block(const Block* b) {
  check_stack();
  for (const Node* n = b->first(); n != b->ret; n = n->next) {
    for (const Block* inner : n->blocks) check_block(inner);
    for (auto& a : n->attributes)
      if (a.kind == Attribute::Kind::Graph) check_block(a.graph->block());
    // Many of prim's own kinds share a schema that says little.
    if (n->op && !n->kind.is_prim()) check_operator(n);
    check_containers(n);
  }
}

}  // namespace

void verify_types(const Graph& g) { check_block(g.block()); }

}  // namespace sconce
