// SPDX-License-Identifier: Apache-2.0
// What blocks and subgraphs hand on though nobody needs it:
//
//   %a, %b = prim::Loop(%n, %true, %x, %c)        %a = prim::Loop(%n, %true, %x)
//     block0(%i, %y, %k):                           block0(%i, %y):
//       %z = aten::relu(%y)                    =>     %z = aten::relu(%y)
//       %d = aten::add(%k, %one)                      -> (%true, %z)
//       -> (%true, %z, %d)
//   return (%a)
//
// - a carried value that only makes its own next one, with the nodes between (dce keeps such a
// circle);
// - one that the loop leaves alone: the value before the loop stands for it;
// - an output of If that nobody reads, that both branches give alike, or that is another output
// once more;
// - an input of a Subgraph (fork, awaitable) that it doesn't read, or that is another one once
// more. A node that is dropped has no effects; in a graph that is made to run it can't raise
// either. Order: after inlining; before constant propagation, which then sees what is constant.
#include <algorithm>
#include <map>

#include "ir/alias.h"
#include "ir/cleanup.h"
#include "passes/passes.h"
#include "passes/reshaping.h"
#include "support/lasting.h"
#include "support/stack.h"

namespace sconce {

namespace {

// Which values something needs: the graph's results, effects, conditions. Of carried values none is
// needed to begin with.
class Needed {
 public:
  Needed(Graph& g, bool keep_what_raises) : keep_(keep_what_raises) {
    for (Value* v : g.outputs()) need(v);
    roots(g.block());
    while (!work_.empty()) {
      const Value* v = work_.back();
      work_.pop_back();
      visit(v);
    }
  }
  bool count(const Value* v) const { return values_.count(v) != 0; }
  // n has effects or something needs its results.
  bool runs(const Node* n) const { return nodes_.count(n) != 0; }

 private:
  void need(const Value* v) {
    if (values_.insert(v).second) work_.push_back(v);
  }
  bool has_effects(const Node* n) {
    if (n->kind == prim::If || n->kind == prim::Loop) return false;  // what is in them
    if (!n->blocks.empty() || has_side_effects(n) || n->kind == prim::SetAttr ||
        writes_statistics(n) || (n->op && n->op->schema().is_mutable()))
      return true;
    if (!n->op) {
      static const Lasting pure(new std::unordered_set<std::string_view>{
          "prim::Constant", "prim::GetAttr", "prim::ListConstruct", "prim::TupleConstruct",
          "prim::DictConstruct", "prim::Uninitialized", "prim::unchecked_cast", "prim::isinstance",
          "prim::TupleUnpack", "prim::TupleIndex", "prim::TupleSlice"});
      return !pure->count(n->kind.view());
    }
    return keep_ && !cannot_raise(n);
  }
  // Arithmetic of ints that wraps around, and what asks a tensor for its form.
  static bool cannot_raise(const Node* n) {
    static const Lasting kinds(new std::unordered_set<std::string_view>{
        "aten::add", "aten::sub", "aten::mul", "aten::neg", "aten::lt", "aten::le", "aten::gt",
        "aten::ge", "aten::eq", "aten::ne", "aten::dim", "prim::dtype", "aten::len", "aten::__is__",
        "aten::__isnot__", "aten::__not__"});
    return kinds->count(n->kind.view()) &&
           std::all_of(n->inputs.begin(), n->inputs.end(), [&](const Value* v) {
             const TypeKind k = v->type->kind;
             return k == TypeKind::Int || k == TypeKind::Bool || k == TypeKind::Float ||
                    n->inputs.size() == 1 || n->kind == Symbol("aten::__is__") ||
                    n->kind == Symbol("aten::__isnot__");
           });
  }
  void roots(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) roots(inner);
      if (has_effects(n)) run(n);
      // A loop may never end.
      if (n->kind == prim::Loop && keep_) run(n);
    }
  }
  // n runs, and so what decides that it does.
  void run(const Node* n) {
    if (!nodes_.insert(n).second) return;
    if (n->kind == prim::If || n->kind == prim::Loop) {
      need(n->inputs[0]);
      if (n->kind == prim::Loop) {
        need(n->inputs[1]);
        need(n->blocks[0]->outputs()[0]);
      }
    } else {
      for (const Value* v : n->inputs) need(v);
      for (const Block* b : n->blocks)
        for (const Value* v : b->outputs()) need(v);
    }
    if (const Node* around = n->owner->owning_node) run(around);
  }
  void visit(const Value* v) {
    const Node* n = v->node;
    if (n->kind == prim::Param) {
      const Node* around = n->owner->owning_node;
      if (!around) return;
      run(around);
      if (around->kind == prim::Loop && v->offset > 0) {
        need(around->inputs[v->offset + 1]);
        need(around->blocks[0]->outputs()[v->offset]);
      }
      return;
    }
    run(n);
    if (n->kind == prim::If)
      for (const Block* b : n->blocks) need(b->outputs()[v->offset]);
    if (n->kind == prim::Loop) {
      need(n->inputs[v->offset + 2]);
      need(n->blocks[0]->outputs()[v->offset + 1]);
    }
  }
  bool keep_;
  std::unordered_set<const Value*> values_;
  std::unordered_set<const Node*> nodes_;
  std::vector<const Value*> work_;
};

class DeadArguments {
 public:
  DeadArguments(Graph& g, PassContext& c) : graph_(g), context_(c) {}
  bool run() {
    forward(graph_.block());
    const Needed needed(graph_, context_.assumptions != nullptr);
    drop(graph_.block(), needed, false);
    return changed_;
  }

 private:
  void say(const Node* n, const char* what) {
    context_.applied(n, what);
    changed_ = true;
  }

  // ---- values that stand for others ----

  void forward(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) forward(inner);
      if (n->kind == prim::Loop) loop_constants(n);
      if (n->kind == prim::If) equal_outputs(n);
      if (n->kind == prim::fork || n->kind == prim::awaitable) subgraph(n);
    }
  }
  void loop_constants(Node* n) {
    Block* b = n->blocks[0];
    for (size_t i = n->outputs.size(); i-- > 0;) {
      if (b->inputs()[i + 1] != b->outputs()[i + 1]) continue;
      say(n, "carried value that never changes");
      Value* in = n->inputs[i + 2];
      n->outputs[i]->replace_all_uses_with(in);
      b->inputs()[i + 1]->replace_all_uses_with(in);
      erase_carried(n, i);
    }
  }
  void equal_outputs(Node* n) {
    std::map<std::pair<Value*, Value*>, size_t> seen;
    for (size_t i = 0; i < n->outputs.size();) {
      Value *yes = n->blocks[0]->outputs()[i], *no = n->blocks[1]->outputs()[i];
      auto [known, added] = seen.emplace(std::pair(yes, no), i);
      const bool again = !added && n->outputs[known->second]->type == n->outputs[i]->type;
      if (yes != no && !again) {
        ++i;
        continue;
      }
      say(n, yes == no ? "output that both branches give" : "output given twice");
      n->outputs[i]->replace_all_uses_with(yes == no ? yes : n->outputs[known->second]);
      erase_output(n, i);
      if (added) seen.erase(known);
    }
  }
  void subgraph(Node* n) {
    Graph* own = own_subgraph(n);
    if (!own) return;
    Graph& sub = *own;
    DeadArguments inner(sub, context_);
    changed_ |= inner.run();
    if (sub.inputs().size() != n->inputs.size()) return;
    std::unordered_map<Value*, Value*> seen;
    for (size_t i = 0; i < sub.inputs().size();) {
      auto [known, added] = seen.emplace(n->inputs[i], sub.inputs()[i]);
      const bool again = !added && known->second->type == sub.inputs()[i]->type;
      if (again && sub.inputs()[i]->has_uses())
        sub.inputs()[i]->replace_all_uses_with(known->second);
      if (sub.inputs()[i]->has_uses()) {
        ++i;
        continue;
      }
      say(n, again ? "input given twice" : "unused input");
      if (added) seen.erase(known);
      sub.block()->erase_input(i);
      n->remove_input(i);
    }
  }

  // ---- values that nobody needs ----

  static void erase_output(Node* n, size_t i) {
    n->erase_output(i);
    for (Block* b : n->blocks) b->erase_output(i);
  }
  static void erase_carried(Node* n, size_t i) {
    n->erase_output(i);
    n->remove_input(i + 2);
    n->blocks[0]->erase_output(i + 1);
    n->blocks[0]->erase_input(i + 1);
  }
  // From the last node to the first, so that users go before what they use. in_circle: somewhere
  // around b a circle was cut, and what made its next value isn't read any more.
  void drop(Block* b, const Needed& needed, bool in_circle) {
    check_stack();
    for (Node* n = b->last(); n != b->param;) {
      Node* before = n->prev;
      if (needed.runs(n))
        node(n, needed, in_circle);
      else if (in_circle && !n->has_uses())
        n->destroy();
      n = before;
    }
  }
  void node(Node* n, const Needed& needed, bool in_circle) {
    if (n->kind == prim::If)
      for (size_t i = n->outputs.size(); i-- > 0;)
        if (!n->outputs[i]->has_uses()) {
          say(n, "unused output");
          erase_output(n, i);
        }
    if (n->kind == prim::Loop) in_circle |= cut_circles(n, needed);
    for (Block* inner : n->blocks) drop(inner, needed, in_circle);
    if (n->kind == prim::Loop) erase_unused(n);
  }
  // What is carried in a circle is its own next value from now on.
  bool cut_circles(Node* n, const Needed& needed) {
    Block* b = n->blocks[0];
    bool any = false;
    for (size_t i = 0; i < n->outputs.size(); ++i) {
      Value* in = b->inputs()[i + 1];
      if (needed.count(in)) continue;
      if (n->outputs[i]->has_uses()) {
        context_.missed(n, "carried value", "it is read after the loop, though for nothing");
      } else if (in->has_uses()) {
        any = true;
        b->ret->replace_input(i + 1, in);
      }
    }
    return any;
  }
  void erase_unused(Node* n) {
    Block* b = n->blocks[0];
    for (size_t i = n->outputs.size(); i-- > 0;) {
      Value* in = b->inputs()[i + 1];
      const bool own =
          in->uses.size() == 1 && in->uses[0].user == b->ret && in->uses[0].offset == i + 1;
      if (n->outputs[i]->has_uses() || (in->has_uses() && !own)) continue;
      say(n, "carried value that nobody needs");
      b->ret->replace_input(i + 1, n->inputs[i + 2]);
      erase_carried(n, i);
    }
  }

  Graph& graph_;
  PassContext& context_;
  bool changed_ = false;
};

}  // namespace

bool dead_arguments(Graph& g, PassContext& c) { return DeadArguments(g, c).run(); }

}  // namespace sconce
