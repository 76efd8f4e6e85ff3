// SPDX-License-Identifier: Apache-2.0
// Operators in place become those that make a new tensor, whether or not that is the same:
//
//   %b = aten::add_(%a, %x, %one)           %b = aten::add(%a, %x, %one)
//   %c = aten::mul(%a, %y)              =>  %c = aten::mul(%b, %y)
//
// for add_, sub_, mul_, div_, zero_ (zeros_like) and fill_ (full_like). A result in place has the
// dtype of what is written: where that is known, the other operand is cast to it first (type_as).
// Uses of the written value behind the write become uses of the new one, as far as they are in its
// block (PyTorch makes a graph that can't run of those outside); other names of its memory keep the
// old contents, so the graph may mean something else. PyTorch's name and PyTorch's hole: for
// exporters, whose targets have no writes. remove_mutation is the pass that proves what it does.
#include "ir/cleanup.h"
#include "passes/mutation.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

struct Form {
  const char *in_place, *made;
  size_t inputs;  // of the new node: None for those that the old one lacks; 0: as many
};
constexpr Form kForms[] = {
    {"aten::add_", "aten::add", 0},         {"aten::sub_", "aten::sub", 0},
    {"aten::div_", "aten::div", 0},         {"aten::mul_", "aten::mul", 0},
    {"aten::zero_", "aten::zeros_like", 6}, {"aten::fill_", "aten::full_like", 7}};

const Form* form_of(const Node* n) {
  for (const Form& f : kForms)
    if (n->kind.view() == f.in_place) return &f;
  return nullptr;
}

bool cast_operands(Block* b, PassContext& c) {
  check_stack();
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= cast_operands(inner, c);
    const Form* f = form_of(n);
    if (!f || f->inputs || n->inputs.size() < 2 || n->inputs[0] == n->inputs[1]) continue;
    TypePtr written = n->inputs[0]->type, other = n->inputs[1]->type;
    if (written->kind != TypeKind::Tensor || other->kind != TypeKind::Tensor || !written->tensor ||
        !written->tensor->has_dtype)
      continue;
    static const Symbol type_as("aten::type_as");
    Node* cast = n->graph->create(type_as, {n->inputs[1], n->inputs[0]})->insert_before(n);
    cast->op = resolve_operator(cast, *c.ops);
    n->replace_input(1, cast->output());
    changed = true;
  }
  return changed;
}

bool rewrite(Block* b, PassContext& c) {
  check_stack();
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= rewrite(inner, c);
    const Form* f = form_of(n);
    if (!f || n->inputs.empty() || n->outputs.size() != 1) continue;
    c.applied(n, f->in_place);
    Graph& g = *n->graph;
    Node* made = g.create(Symbol(f->made), n->inputs)->insert_before(n);
    made->scope = n->scope;
    while (made->inputs.size() < f->inputs)
      made->add_input(g.create_constant(IValue())->insert_before(made)->output());
    made->op = resolve_operator(made, *c.ops);
    made->output()->set_type(n->output()->type);
    n->output()->replace_all_uses_with(made->output());
    replace_uses_after(made, n->inputs[0], made->output());
    const std::string name = n->output()->name;
    n->destroy();
    made->output()->set_name(name);
    changed = true;
  }
  return changed;
}

}  // namespace

bool remove_inplace_ops(Graph& g, PassContext& c) {
  const bool changed = cast_operands(g.block(), c);
  return rewrite(g.block(), c) || changed;
}

}  // namespace sconce
