// SPDX-License-Identifier: Apache-2.0
// Replaces calls of known functions and methods by their bodies, innermost first.
// Interface calls stay: their target is known at run time only.
#include "ir/cleanup.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

// What happens to a callee's own copy before it is copied in.
enum class Callee { AsIs, Optimized };

bool inline_block(Block* b, PassContext& c, Callee how, int depth) {
  check_stack();
  if (depth > 500) raise<LimitError>("calls are nested too deeply to be inlined");
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= inline_block(inner, c, how, depth);
    const Attribute* sub = n->find(Symbol("Subgraph"));
    if (sub && how == Callee::AsIs) {
      // Subgraphs are shared with the function's own graph: work on a copy.
      auto copy = sub->graph->copy();
      changed |= inline_block(copy->block(), c, how, depth);
      n->set(Symbol("Subgraph"), Attribute::Kind::Graph).graph = copy;
    }
    Function* callee = nullptr;
    if (n->kind == prim::CallFunction) {
      callee = n->inputs[0]->node->function;
    } else if (n->kind == prim::CallMethod && n->inputs[0]->type->kind == TypeKind::Class) {
      callee = static_cast<const ClassType*>(n->inputs[0]->type)->find_method(n->s(Symbol("name")));
    }
    if (!callee) continue;
    // PyTorch has these methods in C++ and keeps the calls.
    if (how == Callee::Optimized && callee->self && callee->self->is_native) continue;
    if (callee->compiling) raise<ScriptError>("function ", callee->name, " is called recursively");
    // All callers copy the same two forms.
    auto& body = how == Callee::Optimized ? callee->optimized : callee->inlined;
    if (!body) {
      auto made = callee->ensure_graph().copy();
      inline_block(made->block(), c, how, depth + 1);
      if (how == Callee::Optimized) {
        peephole(*made, c);
        constant_propagation_immutable(*made, *c.ops);
        constant_pooling(*made);
      } else {
        // A call whose result is unused must not double what its callers copy.
        eliminate_dead_code(*made);
      }
      body = made;
    }
    std::vector<Value*> in(n->inputs.begin() + (n->kind == prim::CallFunction ? 1 : 0),
                           n->inputs.end());
    InsertPoint at(*n->graph, n);
    auto out = insert_graph(*n->graph, *body, in);
    for (size_t i = 0; i < out.size(); ++i) {
      if (!n->outputs[i]->name.empty()) {
        std::string name = n->outputs[i]->name;
        n->outputs[i]->set_name("");
        out[i]->set_name(name);
      }
      n->outputs[i]->replace_all_uses_with(out[i]);
    }
    Node* constant = n->kind == prim::CallFunction ? n->inputs[0]->node : nullptr;
    n->destroy();
    if (how == Callee::AsIs && constant && !constant->has_uses()) constant->destroy();
    changed = true;
  }
  return changed;
}

}  // namespace

bool inline_calls(Graph& g, PassContext& c) { return inline_block(g.block(), c, Callee::AsIs, 0); }
bool inline_as_pytorch(Graph& g, PassContext& c) {
  return inline_block(g.block(), c, Callee::Optimized, 0);
}

}  // namespace sconce
