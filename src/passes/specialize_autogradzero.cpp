// SPDX-License-Identifier: Apache-2.0
// Gradients that a profile has never seen undefined are added plainly, under a check:
//
//   %p = prim::profile[profiled_type=...](%a)         %c = prim::AutogradAllNonZero(%a, %b)
//   %q = prim::profile[profiled_type=...](%b)         %ok = aten::all([%c, ...])
//   %s = prim::AutogradAdd(%p, %q)               =>   %s = prim::If(%ok)
//                                                       block0(): ... aten::add(%p, %q, 1)
//                                                       block1(): prim::FallbackGraph(%a, %b)
//
// PyTorch's _jit_pass_specialize_autogradzero under its profiling executor: a backward graph (one
// with AutogradAdd, AutogradAnyNonZero or _grad_sum_to_size) without profiles only gets the None
// that its checks would use. Order: after profiling.
#include <algorithm>

#include "passes/node_query.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

bool is_backward(Graph& g) {
  for (Node* n : g.block()->nodes())
    if (is_kind(n, "prim::AutogradAnyNonZero") || is_kind(n, "prim::AutogradAdd") ||
        is_kind(n, "aten::_grad_sum_to_size"))
      return true;
  return false;
}

class Specializer {
 public:
  Specializer(Graph& g, PassContext& c) : graph_(g), context_(c) {}
  bool run() {
    if (!is_backward(graph_)) return false;
    InsertPoint at(graph_, graph_.block()->first());
    Node* first = graph_.block()->first();
    graph_.insert_constant(IValue());
    std::vector<Value*> defined;
    for (Value* v : graph_.inputs())
      if (v->type->kind == TypeKind::Tensor && is_profiled(v)) defined.push_back(v);
    if (defined.empty()) {
      context_.missed(first, "autograd zero", "no input has a profile");
      return true;
    }
    context_.applied(first, "autograd zero");
    guard(first, defined);
    return true;
  }

 private:
  enum class State { Nonzero, Zero, Unknown };

  static bool is_profiled(const Value* v) {
    return std::any_of(v->uses.begin(), v->uses.end(),
                       [](const Use& u) { return is_kind(u.user, "prim::profile"); });
  }
  Value* make(const char* kind, const std::vector<Value*>& in, TypePtr t) {
    Node* n = graph_.insert_node(graph_.create(Symbol(kind), in));
    n->op = resolve(n);
    return n->output()->set_type(t);
  }
  const Operator* resolve(const Node* n) const {
    auto range = context_.ops->find(n->kind.view());
    return range.empty() ? nullptr : range.begin();
  }

  // What the graph was becomes the else branch, without profiles; a copy is specialised.
  void guard(Node* first, const std::vector<Value*>& defined) {
    std::shared_ptr<Graph> fallback = graph_.copy();
    drop_profiles(fallback->block());
    Value* checks[] = {make("prim::AutogradAllNonZero", defined, types::boolean()),
                       make("prim::AutogradAllZero", {}, types::boolean())};
    Value* list = graph_
                      .insert_node(graph_.create_list(types::boolean(),
                                                      {std::begin(checks), std::end(checks)}))
                      ->output();
    Value* all = make("aten::all", {list}, types::boolean());
    all->node->op = context_.ops->find_overload("aten::all.bool");
    Node* decided = graph_.insert_node(graph_.create(prim::If, {all}, graph_.outputs().size()));
    Block* then = decided->add_block();
    Block* otherwise = decided->add_block();
    for (Value* v : graph_.outputs()) then->register_output(v);
    for (Node* n = first; n != graph_.block()->ret;) {
      Node* next = n->next;
      n->move_before(then->ret);
      n = next;
    }
    Node* other =
        graph_.create(Symbol("prim::FallbackGraph"), graph_.inputs(), graph_.outputs().size());
    other->insert_before(otherwise->ret);
    fallback->set_insert_point(fallback->block());
    Attribute& sub = other->set(Symbol("Subgraph"), Attribute::Kind::Graph);
    // The None that stands in front is no part of it.
    fallback->block()->first()->destroy();
    sub.graph = std::move(fallback);
    for (size_t i = 0; i < decided->outputs.size(); ++i) {
      TypePtr t = graph_.outputs()[i]->type;
      decided->outputs[i]->type = other->outputs[i]->type = t;
      otherwise->register_output(other->outputs[i]);
      graph_.block()->ret->replace_input(i, decided->outputs[i]);
    }
    for (Value* v : defined) state_[v] = State::Nonzero;
    specialize(then);
  }
  static void drop_profiles(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) drop_profiles(inner);
      if (!is_kind(n, "prim::profile") || n->inputs.empty()) continue;
      if (!n->outputs.empty()) n->output()->replace_all_uses_with(n->inputs[0]);
      n->destroy();
    }
  }

  State of(const Value* v) const {
    auto it = state_.find(v);
    return it == state_.end() ? State::Nonzero : it->second;
  }
  void replace(Node* n, Value* v) {
    n->output()->replace_all_uses_with(v);
    n->destroy();
  }
  void specialize(Block* b) {
    for (Node* n : b->nodes()) {
      if (is_kind(n, "prim::AutogradAdd") && n->inputs.size() == 2) {
        add(n);
      } else if (is_kind(n, "prim::AutogradZero")) {
        state_[n->output()] = State::Zero;
      } else if (is_kind(n, "prim::profile")) {
        if (!n->inputs.empty() && !n->outputs.empty())
          state_[n->output()] = state_.count(n->inputs[0]) ? of(n->inputs[0]) : State::Unknown;
      } else if (n->kind == prim::If && is_kind(n->inputs[0]->node, "prim::AutogradAnyNonZero") &&
                 decide(n)) {
        continue;
      } else {
        for (Value* v : n->outputs) state_[v] = State::Unknown;
      }
    }
  }
  void add(Node* n) {
    Value *a = n->inputs[0], *b = n->inputs[1];
    if (of(a) == State::Zero) return replace(n, b);
    if (of(b) == State::Zero) return replace(n, a);
    if (of(a) != State::Nonzero || of(b) != State::Nonzero) {
      state_[n->output()] = State::Unknown;
      return;
    }
    InsertPoint at(graph_, n);
    Value* one = graph_.insert_constant(IValue(int64_t{1}));
    Value* sum = make("aten::add", {a, b, one}, n->output()->type);
    sum->node->op = context_.ops->find_overload("aten::add.Tensor");
    state_[sum] = State::Nonzero;
    replace(n, sum);
  }
  // If n's inputs are all zero or all not: true when n is gone.
  bool decide(Node* n) {
    const auto& tested = n->inputs[0]->node->inputs;
    auto are = [&](State s) {
      return std::all_of(tested.begin(), tested.end(), [&](const Value* v) { return of(v) == s; });
    };
    if (are(State::Zero)) {
      Node* zero = graph_.create(Symbol("prim::AutogradZero"));
      zero->insert_after(n);
      state_[zero->output()] = State::Zero;
      for (Value* v : n->outputs) v->replace_all_uses_with(zero->output());
      n->destroy();
      return true;
    }
    Block* body = n->blocks[0];
    for (Node* m : body->nodes())
      if (is_kind(m, "aten::_grad_sum_to_size") && must_be_none(m->inputs[1]))
        replace(m, m->inputs[0]);
    if (!are(State::Nonzero)) return false;
    for (Node* m : body->nodes()) m->move_before(n);
    for (size_t i = 0; i < n->outputs.size(); ++i) {
      n->outputs[i]->replace_all_uses_with(body->outputs()[i]);
      state_[body->outputs()[i]] = State::Nonzero;
    }
    n->destroy();
    return true;
  }

  Graph& graph_;
  PassContext& context_;
  std::unordered_map<const Value*, State> state_;
};

}  // namespace

bool specialize_autogradzero(Graph& g, PassContext& c) { return Specializer(g, c).run(); }

}  // namespace sconce
