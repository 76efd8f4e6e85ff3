// SPDX-License-Identifier: Apache-2.0
// An integer that was compared with a constant is that constant where the comparison holds:
//
//   %c = aten::eq(%x, %three)                  %c = aten::eq(%x, %three)
//   prim::If(%c)                               prim::If(%c)
//     block0():                          =>      block0():
//       %y = aten::add(%x, %one)                   %k : int = prim::Constant[value=3]()
//                                                  %y = aten::add(%k, %one)
//
// and an If that gives %three where %x is 3 and %x elsewhere gives %x. PyTorch's
// _jit_pass_refine_integer_values. Order: before constant propagation.
#include "passes/node_query.h"
#include "passes/passes.h"
#include "passes/refinement.h"
#include "support/stack.h"

namespace sconce {

namespace {

bool compares_integers(const Node* n) {
  return is_overload(n, "aten::eq.int") || is_overload(n, "aten::ne.int");
}
bool is_int(const Value* v) { return v->type->kind == TypeKind::Int; }

// Some integer that is compared with a constant has another use.
bool worth_it(Block* b) {
  check_stack();
  for (Node* n : b->nodes()) {
    if (compares_integers(n))
      for (size_t i : {size_t{0}, size_t{1}})
        if (n->inputs[i]->node->is_constant() && n->inputs[1 - i]->uses.size() > 1) return true;
    for (Block* inner : n->blocks)
      if (worth_it(inner)) return true;
  }
  return false;
}

// v is defined where n stands.
bool dominates(const Value* v, Node* n) {
  for (Node* at = n; at; at = at->owner->owning_node)
    if (at->owner == v->node->owner) return is_before(v->node, at);
  return false;
}

class Integers {
 public:
  Integers(Graph& g, PassContext& c) : graph_(g), context_(c) {}
  bool run() {
    if (!worth_it(graph_.block())) return false;
    block(graph_.block(), {});
    return changed_;
  }

 private:
  std::optional<int64_t> find(const Value* v) const {
    for (const Refinement* r : active_)
      if (auto it = r->find(v); it != r->end()) return it->second;
    return std::nullopt;
  }
  Value* constant(int64_t k) {
    changed_ = true;
    return graph_.insert_constant(IValue(k));
  }
  void compared(Node* n) {
    for (size_t i : {size_t{0}, size_t{1}})
      if (auto k = constant_int(n->inputs[i])) {
        BoolRefinement r;
        (is_kind(n, "aten::eq") ? r.if_true : r.if_false)[n->inputs[1 - i]] = *k;
        bools_.of(n->output()) = std::move(r);
      }
  }
  void inputs(Node* n) {
    for (size_t i = 0; i < n->inputs.size(); ++i) {
      Value* v = n->inputs[i];
      auto k = is_int(v) ? find(v) : std::nullopt;
      if (!k) continue;
      context_.applied(n, "integer");
      InsertPoint at(graph_, n);
      Value* c = constant(*k);
      for (size_t j = i; j < n->inputs.size(); ++j)
        if (n->inputs[j] == v) n->replace_input(j, c);
    }
  }
  Refinement block(Block* b, Refinement here) {
    check_stack();
    active_.push_back(&here);
    for (Node* n : b->nodes()) {
      if (compares_integers(n)) compared(n);
      inputs(n);
      if (n->kind != prim::If) {
        bools_.common(n);
        continue;
      }
      const Value* condition = n->inputs[0];
      const bool known = bools_.known(condition);
      Refinement then = block(n->blocks[0], known ? bools_.of(condition).if_true : Refinement());
      Refinement otherwise =
          block(n->blocks[1], known ? bools_.of(condition).if_false : Refinement());
      outputs(n, then, otherwise);
      bools_.join(n, here, then, otherwise);
    }
    for (size_t i = 0; i < b->outputs().size(); ++i) {
      Value* v = b->outputs()[i];
      auto k = is_int(v) ? find(v) : std::nullopt;
      if (!k) continue;
      InsertPoint at(graph_, b);
      b->ret->replace_input(i, constant(*k));
    }
    active_.pop_back();
    return here;
  }
  // The If gives a value in one branch, and in the other the constant that it is there.
  void outputs(Node* n, const Refinement& then, const Refinement& otherwise) {
    for (size_t which : {size_t{0}, size_t{1}})
      for (size_t i = 0; i < n->outputs.size(); ++i) {
        Value* v = n->blocks[which]->outputs()[i];
        if (!is_int(v) || !dominates(v, n)) continue;
        const Value* other = n->blocks[1 - which]->outputs()[i];
        auto k = is_int(other) ? constant_int(other) : std::nullopt;
        if (!k || v->node->is_constant()) continue;
        const Refinement& there = which == 0 ? otherwise : then;
        auto it = there.find(v);
        if (it == there.end() || it->second != *k) continue;
        context_.applied(n, "if");
        n->outputs[i]->replace_all_uses_with(v);
        changed_ = true;
      }
  }

  Graph& graph_;
  PassContext& context_;
  std::vector<const Refinement*> active_;
  Refinements bools_;
  bool changed_ = false;
};

}  // namespace

bool refine_integer_values(Graph& g, PassContext& c) { return Integers(g, c).run(); }

}  // namespace sconce
