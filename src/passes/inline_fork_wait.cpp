// SPDX-License-Identifier: Apache-2.0
// Tasks run where they are forked, and nobody waits for them:
//
//   %f : Future[Tensor] = prim::fork_0(%x)          %y : Tensor = aten::relu(%x)
//   %y : Tensor = aten::wait(%f)                =>
//   with prim::fork_0 = graph(%a): ... relu
//
// A future that something else than a wait takes stays one, and so does its task: a list of futures
// would hold values. A wait for anything but a fork of the same block or one around it stays.
// PyTorch's name; it leaves waits in inner blocks and forks in forks, for which its result can't
// run. Order: after inlining, when all forks are in sight.
#include <algorithm>
#include <unordered_map>

#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

class ForkInliner {
 public:
  explicit ForkInliner(PassContext& c) : c_(c) {}
  bool run(Block* b) {
    check_stack();
    bool changed = false;
    copy_tasks(b);
    for (Node* n : b->nodes())
      for (Block* inner : n->blocks) changed |= run(inner);
    for (Node* n : b->nodes()) changed |= replace_wait(n);
    for (Node* n : b->nodes()) changed |= replace_fork(n);
    return changed;
  }

 private:
  void copy_tasks(Block* b) {
    for (Node* n = b->first(); n != b->ret;) {
      Node *before = n->prev, *after = n->next;
      if (n->kind != prim::fork || values_.count(n->output())) {
        n = after;
        continue;
      }
      Graph& task = *subgraph(n);
      if (task.outputs().size() != 1 || task.inputs().size() != n->inputs.size()) {
        c_.missed(n, "fork", "its task takes or returns another number of values");
        n = after;
        continue;
      }
      const auto& uses = n->output()->uses;
      if (!std::all_of(uses.begin(), uses.end(), [](const Use& u) { return is_wait(u.user); })) {
        c_.missed(n, "fork", "something else than a wait takes its future");
        n = after;
        continue;
      }
      InsertPoint at(*n->graph, n);
      values_[n->output()] = insert_graph(*n->graph, task, n->inputs)[0];
      n = before->next;  // the task may fork itself
    }
  }
  static bool is_wait(const Node* n) {
    static const Symbol wait("aten::wait");
    return n->kind == wait && n->inputs.size() == 1;
  }
  bool replace_wait(Node* n) {
    if (!is_wait(n)) return false;
    auto it = values_.find(n->inputs[0]);
    if (it == values_.end()) {
      c_.missed(n, "wait", "its future isn't that of a fork in sight");
      return false;
    }
    c_.applied(n, "wait");
    Value* value = now(it->second);
    n->output()->replace_all_uses_with(value);
    waited_[n->output()] = value;
    n->destroy();
    return true;
  }
  bool replace_fork(Node* n) {
    if (n->kind != prim::fork) return false;
    auto it = values_.find(n->output());
    if (it == values_.end()) return false;
    c_.applied(n, "fork");
    n->output()->replace_all_uses_with(now(it->second));
    values_.erase(it);
    n->destroy();
    return true;
  }

  // A task may return what a wait inside it returned.
  Value* now(Value* v) const {
    for (auto it = waited_.find(v); it != waited_.end(); it = waited_.find(v)) v = it->second;
    return v;
  }

  PassContext& c_;
  std::unordered_map<Value*, Value*> values_;  // of futures: what their tasks return
  std::unordered_map<Value*, Value*> waited_;  // what took the place of a wait's value
};

}  // namespace

bool inline_fork_wait(Graph& g, PassContext& c) { return ForkInliner(c).run(g.block()); }

}  // namespace sconce
