// SPDX-License-Identifier: Apache-2.0
// A graph without tuples:
//
//   %t = prim::TupleConstruct(%a, %b)
//   %x, %y = prim::TupleUnpack(%t)          =>   uses of %x and %y are uses of %a and %b
//   graph(%t : (Tensor, int))               =>   graph(%0 : Tensor, %1 : int)
//   return (%t)                             =>   return (%a, %b)
//
// Inputs and outputs of the graph, of loops and of conditions become as many as their tuples have
// elements; constant tuples are taken apart. Then dead code. Throws Error where a tuple is left.
// PyTorch's _jit_pass_lower_all_tuples. Order: after inlining.
#include "ir/cleanup.h"
#include "passes/node_query.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

class Tuples {
 public:
  Tuples(Graph& g, PassContext& c) : graph_(g), context_(c) {}
  void run() {
    block(graph_.block());
    eliminate_dead_code(graph_, false);
    check(graph_.block());
  }

 private:
  static bool forwards(const Node* n) {
    return n->kind == prim::If || n->kind == prim::Loop || n->kind == prim::TupleUnpack ||
           n->kind == prim::TupleConstruct || n->kind == prim::TupleIndex ||
           n->kind == prim::TupleSlice || n->kind == prim::Param || n->kind == prim::Return ||
           n->kind == prim::Uninitialized || is_kind(n, "prim::PythonOp") ||
           is_kind(n, "aten::format") || is_kind(n, "aten::__getitem__");
  }
  static bool is_tuple(const Value* v) { return v->type->kind == TypeKind::Tuple; }

  void block(Block* b) {
    check_stack();
    visit(b->param, b->first());
    for (Node* n = b->first(); n != b->ret;) {
      Node* next = n->next;
      constant(n);
      visit(n, next);
      n = next;
    }
    visit(b->ret, nullptr);
  }

  // A constant tuple becomes one that is made of constants.
  void constant(Node* n) {
    check_stack();
    if (!n->is_constant() || !is_tuple(n->output())) return;
    auto v = constant_value(n->output());
    if (!v || !v->isTuple()) return;
    context_.applied(n, "constant");
    InsertPoint at(graph_, n);
    std::vector<Value*> parts;
    for (const IValue& e : v->toTupleRef().items)
      parts.push_back(graph_.insert_constant(e, constant_type(e, *graph_.types)));
    TypePtr named = n->output()->type->is_named_tuple() ? n->output()->type : nullptr;
    Node* made = graph_.insert_node(graph_.create_tuple(parts, named));
    for (Value* p : parts) constant(p->node);
    n->replace_all_uses_with(made);
  }

  void visit(Node* n, Node* before) {
    if (n->kind == prim::TupleConstruct) return;
    if (n->kind == prim::TupleUnpack || n->kind == prim::TupleIndex || n->kind == prim::TupleSlice)
      return take_apart(n);
    flatten_inputs(n);
    for (Block* inner : n->blocks) block(inner);
    flatten_outputs(n, before);
  }

  void take_apart(Node* n) {
    Node* made = n->inputs[0]->node;
    if (made->kind != prim::TupleConstruct)
      raise<Error>("lower_all_tuples: ", n->kind.str(), " of something that no node constructs");
    auto& parts = made->inputs;
    auto size = static_cast<int64_t>(parts.size());
    if (n->kind == prim::TupleUnpack) {
      if (n->outputs.size() > parts.size())
        raise<Error>("lower_all_tuples: a tuple has fewer elements than are unpacked");
      for (size_t i = 0; i < n->outputs.size(); ++i) n->outputs[i]->replace_all_uses_with(parts[i]);
    } else if (n->kind == prim::TupleIndex) {
      auto i = constant_int(n->inputs[1]);
      if (!i) raise<Error>("lower_all_tuples: the index of a tuple is no constant");
      int64_t at = *i < 0 ? *i + size : *i;
      if (at < 0 || at >= size) return;
      n->output()->replace_all_uses_with(parts[static_cast<size_t>(at)]);
    } else {
      slice(n, parts);
    }
    context_.applied(n, "tuple");
  }
  void slice(Node* n, const std::vector<Value*>& parts) {
    const Attribute *beg = n->find(Symbol("beg")), *end = n->find(Symbol("end"));
    auto size = static_cast<int64_t>(parts.size());
    if (!beg || !end || !beg->value.isInt() || !end->value.isInt() || beg->value.toInt() < 0 ||
        end->value.toInt() > size)
      raise<Error>("lower_all_tuples: a slice of a tuple has no such bounds");
    std::vector<Value*> kept;
    for (int64_t i = beg->value.toInt(); i < end->value.toInt(); ++i)
      kept.push_back(parts[static_cast<size_t>(i)]);
    InsertPoint at(graph_, n);
    n->output()->replace_all_uses_with(graph_.insert_node(graph_.create_tuple(kept))->output());
  }

  // op(%a, %tuple, %b) => op(%a, %t0, %t1, %b); an element may be a tuple again.
  void flatten_inputs(Node* n) {
    for (size_t i = 0; i < n->inputs.size();) {
      Value* in = n->inputs[i];
      if (!is_tuple(in) || !forwards(n)) {
        if (is_tuple(in)) context_.missed(n, "input", "the operator takes the tuple as one");
        ++i;
        continue;
      }
      if (in->node->kind != prim::TupleConstruct)
        raise<Error>("lower_all_tuples: a tuple is used that no node constructs");
      if (in->node->inputs.size() > Graph::kMaxNodes / 2 || n->inputs.size() > Graph::kMaxNodes / 2)
        raise<LimitError>("lower_all_tuples: too many elements");
      for (size_t k = 0; k < in->node->inputs.size(); ++k)
        n->insert_input(i + 1 + k, in->node->inputs[k]);
      n->remove_input(i);
      context_.applied(n, "input");
    }
  }
  // (%a, %tuple) => (%a, %t0, %t1), and a tuple of them for its users. An unused one stays.
  void flatten_outputs(Node* n, Node* before) {
    for (size_t i = 0; i < n->outputs.size();) {
      Value* out = n->outputs[i];
      if (!out->has_uses() || !is_tuple(out) || !forwards(n)) {
        ++i;
        continue;
      }
      std::vector<Value*> parts;
      for (size_t k = 0; k < out->type->elems.size(); ++k)
        parts.push_back(n->insert_output(i + 1 + k, out->type->elems[k]));
      Node* made = graph_.create_tuple(parts);
      made->insert_before(before);
      before = made;
      out->replace_all_uses_with(made->output());
      n->erase_output(i);
      context_.applied(n, "output");
    }
  }

  static void check(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) check(inner);
      for (Value* v : n->outputs)
        if (is_tuple(v)) raise<Error>("lower_all_tuples: not all tuples could be lowered");
    }
  }

  Graph& graph_;
  PassContext& context_;
};

}  // namespace

bool lower_all_tuples(Graph& g, PassContext& c) {
  Tuples(g, c).run();
  return true;
}

}  // namespace sconce
