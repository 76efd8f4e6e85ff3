// SPDX-License-Identifier: Apache-2.0
// detach, where nobody can tell its result from its argument:
//
//   %y = aten::detach(%x)          %y is %x
//
// Both share memory, so writes are the same through either. They differ in three ways, of which
// none may be seen: the result requires no gradient (so %x surely doesn't either; or no_grad=true
// says that the host computes none), it keeps its form when the other is resized in place (so the
// graph has nothing of the kind), and it is another tensor (so only operators read it, that hand no
// tensor on). Order: after freezing, since constants surely require no gradient.
#include <unordered_map>

#include "ir/alias.h"
#include "passes/passes.h"
#include "passes/reshaping.h"
#include "support/stack.h"

namespace sconce {

namespace {

class Detach {
 public:
  Detach(Graph& g, PassContext& c)
      : graph_(g), context_(c), no_grad_(c.arguments.flag("no_grad", false)) {}
  bool run() {
    resized_ = any_changes_form(graph_.block());
    return block(graph_.block());
  }

 private:
  bool block(Block* b) {
    check_stack();
    bool changed = false;
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) changed |= block(inner);
      learn(n);
      if (n->kind != Symbol("aten::detach")) continue;
      if (!no_grad_ && !gradless_.count(n->input()) && !told(n->input())) {
        context_.missed(n, "detach", "its argument may require a gradient");
      } else if (!no_grad_ && written(n->input())) {
        context_.missed(n, "detach", "what is written to its argument may require a gradient");
      } else if (resized_) {
        context_.missed(n, "detach", "the graph changes the sizes of tensors in place");
      } else if (!elements_only(n->output())) {
        context_.missed(n, "detach", "its result is handed on");
      } else {
        context_.applied(n, "detach");
        n->output()->replace_all_uses_with(n->input());
        n->destroy();
        changed = true;
      }
    }
    return changed;
  }
  // The type or the value says that it requires no gradient.
  static bool told(const Value* v) {
    const TypeKind k = v->type->kind;
    if (k != TypeKind::Tensor) return !AliasDb::is_mutable_type(v->type);
    if (const TensorInfo* t = v->type->tensor.get()) {
      if (t->has_requires_grad && !t->requires_grad) return true;
      if (t->has_dtype && !is_floating(t->dtype) && !is_complex(t->dtype)) return true;
    }
    auto c = constant_value(v);
    return c && c->isTensor() && c->toTensorRef().defined() && !c->toTensorRef().requires_grad();
  }
  // Results of operators that nothing with a gradient went into.
  void learn(const Node* n) {
    if (n->kind != prim::ListConstruct && (!n->op || n->op->custom || !n->kind.is_aten())) return;
    if (n->op && (n->op->schema().is_mutable() || n->kind == Symbol("aten::requires_grad_")))
      return;
    if (n->op)
      if (const int asked = n->op->schema().argument_index("requires_grad"); asked >= 0) {
        auto c = constant_value(n->inputs[static_cast<size_t>(asked)]);
        if (!c || !c->isBool() || c->toBool()) return;
      }
    for (const Value* v : n->inputs)
      if (!gradless_.count(v) && !told(v)) return;
    gradless_.insert(n->outputs.begin(), n->outputs.end());
  }

  bool written(const Value* v) {
    if (!alias_) alias_.emplace(graph_);
    return alias_->has_writers(v);
  }

  Graph& graph_;
  PassContext& context_;
  const bool no_grad_;
  std::optional<AliasDb> alias_;
  bool resized_ = false;
  std::unordered_set<const Value*> gradless_;
};

}  // namespace

bool remove_detach(Graph& g, PassContext& c) { return Detach(g, c).run(); }

}  // namespace sconce
