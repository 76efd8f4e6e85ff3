// SPDX-License-Identifier: Apache-2.0
// What a loop computes anew in every iteration, though nothing of it changes there, is computed
// before it:
//
//   %r = prim::Loop(%n, %true, %x)
//     block0(%i, %y):
//       %c = aten::mul(%a, %b)                 ints: can't raise
//       %w = aten::matmul(%p, %q)
//       %z = aten::add(%y, %w, %one)
//       -> (%true, %z)
//   =>
//   %c = aten::mul(%a, %b)
//   %may = aten::gt(%n, %zero)
//   %w = prim::If(%may)
//     block0(): %w.1 = aten::matmul(%p, %q)  -> (%w.1)
//     block1(): %u = prim::Uninitialized()   -> (%u)
//   %r = prim::Loop(%n, %true, %x)
//     block0(%i, %y): %z = aten::add(%y, %w, %one)  -> (%true, %z)
//
// A node may go when all its inputs are made outside, it has no effects, draws no random numbers,
// nothing in the loop writes what it reads, and what it makes is never written and doesn't leave
// the graph (each iteration made one of its own). A node that can raise goes only where it would
// surely have run first: it stands in the body itself, before everything that has effects, that can
// raise and stays, or that ends the iteration; and it goes under an If that asks whether there is
// an iteration at all, unless that is certain. Inner loops come first, so that a node may leave
// several. Order: after inlining and constant propagation; cse and dce clean up after it.
#include <algorithm>
#include <limits>

#include "ir/alias.h"
#include "ir/cleanup.h"
#include "passes/passes.h"
#include "support/lasting.h"
#include "support/stack.h"

namespace sconce {

namespace {

constexpr const char* kHoist = "hoist";

bool is_plain_number(const Value* v) {
  const TypeKind k = v->type->kind;
  return k == TypeKind::Int || k == TypeKind::Float || k == TypeKind::Bool;
}
// It answers whatever its inputs are.
bool never_raises(const Node* n) {
  static const Lasting kinds(new std::unordered_set<std::string_view>{
      "prim::Constant", "prim::ListConstruct", "prim::TupleConstruct", "prim::TupleUnpack",
      "prim::Uninitialized", "prim::isinstance", "prim::dtype", "prim::device", "aten::dim",
      "aten::numel", "aten::__is__", "aten::__isnot__", "aten::__not__", "prim::is_cuda",
      "aten::is_floating_point"});
  if (kinds->count(n->kind.view())) return true;
  if (n->kind == prim::TupleIndex) {
    auto i = constant_value(n->input(1));
    const auto size = static_cast<int64_t>(n->input()->type->elems.size());
    return i && i->isInt() && i->toInt() >= -size && i->toInt() < size;
  }
  // All sizes; one of them may not be there.
  if (n->kind == Symbol("aten::size")) return n->inputs.size() == 1;
  if (n->kind == Symbol("aten::len")) return true;
  static const Lasting arithmetic(new std::unordered_set<std::string_view>{
      "aten::add", "aten::sub", "aten::mul", "aten::neg", "aten::lt", "aten::le", "aten::gt",
      "aten::ge", "aten::eq", "aten::ne", "aten::__and__", "aten::__or__", "aten::Bool"});
  return n->op && arithmetic->count(n->kind.view()) &&
         std::all_of(n->inputs.begin(), n->inputs.end(), is_plain_number) &&
         std::all_of(n->outputs.begin(), n->outputs.end(), is_plain_number);
}

class Motion {
 public:
  Motion(Graph& g, PassContext& c) : graph_(g), context_(c), alias_(g) {}
  bool run() {
    loops(graph_.block());
    return changed_;
  }

 private:
  void loops(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) loops(inner);
      if (n->kind == prim::Loop) hoist(n);
    }
  }

  // ---- one loop ----

  void inside(Block* b, std::vector<const Node*>& writers) {
    check_stack();
    for (Value* v : b->inputs()) inside_.insert(v);
    for (Node* n : b->nodes()) {
      if (!alias_.written(n).empty()) writers.push_back(n);
      inside_.insert(n->outputs.begin(), n->outputs.end());
      for (Block* inner : n->blocks) inside(inner, writers);
    }
  }

  // Why n can't leave; null: it can, if what it may raise may be raised first.
  const char* obstacle(const Node* n, const std::vector<const Node*>& writers) {
    if (!n->blocks.empty() || n->inputs.empty()) return "";  // constants belong to constant pooling
    for (const Value* v : n->inputs)
      if (inside_.count(v)) return "";
    static const Lasting kinds(new std::unordered_set<std::string_view>{
        "prim::ListConstruct", "prim::TupleConstruct", "prim::TupleUnpack", "prim::TupleIndex",
        "prim::ListUnpack", "prim::GetAttr", "prim::isinstance"});
    if (!n->op && !kinds->count(n->kind.view())) return "";
    if (n->kind == prim::unchecked_cast || n->kind == prim::unchecked_unwrap_optional)
      return "";  // what it says may hold on this path only
    if (has_side_effects(n) || is_nondeterministic(n) || is_unknown_operator(n) ||
        (n->op && (n->op->custom || n->op->schema().is_mutable())) || writes_statistics(n))
      return "it has effects or draws random numbers";
    for (const Node* w : writers) {
      // An attribute is whatever a write to an object says.
      if (n->kind == prim::GetAttr) return "the loop may write attributes";
      if (alias_.writes_to_alias(w, {n->inputs.begin(), n->inputs.end()}))
        return "the loop may write what it reads";
    }
    if (n->kind != prim::GetAttr && n->kind != prim::TupleUnpack && n->kind != prim::TupleIndex &&
        n->kind != prim::ListUnpack)
      for (const Value* o : n->outputs)
        if (AliasDb::is_mutable_type(o->type)) {
          if (alias_.has_writers(o)) return "its result is written";
          if (alias_.may_escape(o)) return "its result may leave the graph";
        }
    return nullptr;
  }

  void hoist(Node* loop) {
    Block* body = loop->blocks[0];
    std::vector<const Node*> writers;
    inside_.clear();
    inside(body, writers);
    // Of nodes that may raise: nothing before this one could end the iteration or be seen.
    bool first = true;
    std::vector<Node*> guarded;
    std::unordered_set<const Node*> in_guarded;
    // Each candidate is held against each write.
    constexpr size_t kMostWrites = 1000;
    if (writers.size() > kMostWrites)
      return context_.missed(loop, kHoist, "the loop writes too often");
    for (Node* n : body->nodes()) {
      const char* why = obstacle(n, writers);
      const bool raises = n->kind != prim::GetAttr && !never_raises(n);
      if (!why && raises && !first) why = "something that is seen or may raise comes before it";
      // What a guarded node makes is there in an iteration only.
      if (!why && !raises && uses(n, in_guarded))
        why = "it reads what is computed under a condition";
      if (!why) {
        if (raises) {
          guarded.push_back(n);
          in_guarded.insert(n);
        } else {
          context_.applied(n, kHoist);
          n->move_before(loop);
          changed_ = true;
        }
        for (Value* o : n->outputs) inside_.erase(o);
        continue;
      }
      if (*why) context_.missed(n, kHoist, why);
      if (!harmless(n)) first = false;
    }
    if (!guarded.empty()) move_guarded(loop, guarded, in_guarded);
  }
  static bool uses(const Node* n, const std::unordered_set<const Node*>& guarded) {
    return std::any_of(n->inputs.begin(), n->inputs.end(),
                       [&](const Value* v) { return guarded.count(v->node) != 0; });
  }
  // Nobody can tell whether it runs.
  bool harmless(const Node* n) const {
    return n->blocks.empty() && (never_raises(n) || n->kind == prim::GetAttr) &&
           !has_side_effects(n) && alias_.written(n).empty();
  }

  void move_guarded(Node* loop, const std::vector<Node*>& nodes,
                    const std::unordered_set<const Node*>& among) {
    for (Node* n : nodes) context_.applied(n, kHoist);
    changed_ = true;
    Value* runs = iteration_happens(loop);
    if (!runs) {
      for (Node* n : nodes) n->move_before(loop);
      return;
    }
    InsertPoint at(graph_, loop);
    Node* branch = graph_.insert_node(graph_.create(prim::If, {runs}, 0));
    Block *yes = branch->add_block(), *no = branch->add_block();
    for (Node* n : nodes) {
      n->move_before(yes->ret);
      for (Value* o : n->outputs) {
        if (std::all_of(o->uses.begin(), o->uses.end(),
                        [&](const Use& u) { return among.count(u.user) != 0; }))
          continue;
        Value* outer = branch->add_output(o->type);
        std::vector<Use> all = o->uses;
        for (const Use& u : all)
          if (!among.count(u.user)) u.user->replace_input(u.offset, outer);
        yes->register_output(o);
        InsertPoint end(graph_, no);
        no->register_output(graph_.insert_node(graph_.create_uninitialized(o->type))->output());
      }
    }
  }
  // A value that says whether the loop's body runs once; null where it surely does.
  Value* iteration_happens(Node* loop) {
    auto trips = constant_value(loop->input(0)), start = constant_value(loop->input(1));
    const bool counted = !(trips && trips->isInt() && trips->toInt() > 0);
    const bool asked = !(start && start->isBool() && start->toBool());
    InsertPoint at(graph_, loop);
    Value* count = nullptr;
    if (counted) {
      Value* zero = graph_.insert_constant(IValue(int64_t{0}));
      count = insert(loop, "aten::gt", {loop->input(0), zero});
    }
    if (!count) return asked ? loop->input(1) : nullptr;
    return asked ? insert(loop, "aten::__and__", {loop->input(1), count}) : count;
  }
  Value* insert(Node* loop, const char* kind, const std::vector<Value*>& in) {
    Node* n = graph_.insert_node(graph_.create(Symbol(kind), in, 1));
    n->range = loop->range;
    n->output()->type = types::boolean();
    n->op = resolve_operator(n, *context_.ops);
    return n->output();
  }

  Graph& graph_;
  PassContext& context_;
  AliasDb alias_;
  std::unordered_set<const Value*> inside_;
  bool changed_ = false;
};

}  // namespace

bool loop_invariant_code_motion(Graph& g, PassContext& c) { return Motion(g, c).run(); }

}  // namespace sconce
