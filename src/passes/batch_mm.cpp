// SPDX-License-Identifier: Apache-2.0
// Many small matrix products become one large one:
//
//   %p = aten::mm(%a, %b); %q = aten::mm(%c, %d); ...      %s = prim::MMTreeReduce(%a, %c, ...,
//   %s = aten::add(aten::add(%p, %q, 1), ..., 1)      =>                           %b, %d, ...)
//
//   %p = aten::mm(%x, %a); %q = aten::mm(%x, %b); ...  =>  %p, %q, ... =
//                                              prim::MMBatchSide[side=0](%x, %a, %b, ...)
//
// when a sum has at least four products that nothing else uses, or a matrix is a factor of at
// least eight products of which none needs another, and nothing writes what they read or make.
// Then, in a graph with products, dead code and peephole. PyTorch's _jit_pass_batch_mm. Order:
// late; after it, the graph is for PyTorch's executor.
#include <algorithm>
#include <unordered_map>

#include "ir/cleanup.h"
#include "ir/torch_alias.h"
#include "passes/node_query.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

constexpr size_t kLeastInSum = 4, kLeastOnSide = 8;

bool is_mm(const Node* n) { return is_overload(n, "aten::mm"); }
bool is_transpose(const Node* n) { return is_overload(n, "aten::t"); }
bool is_sum(const Node* n) { return is_overload(n, "aten::add.Tensor"); }

bool has_mm(Block* b) {
  check_stack();
  for (Node* n : b->nodes()) {
    if (is_mm(n)) return true;
    for (Block* inner : n->blocks)
      if (has_mm(inner)) return true;
  }
  return false;
}

// ---- sums of products ----

class Sums {
 public:
  Sums(Graph& g, PassContext& c, TorchAliasDb& alias) : graph_(g), context_(c), alias_(alias) {}
  bool run(Block* b) {
    check_stack();
    std::unordered_map<Node*, Tree> trees;
    std::vector<Node*> order;
    bool changed = false;
    auto put = [&](Node* n, size_t size) {
      trees[n] = {size, true};
      order.push_back(n);
    };
    for (Node* n : b->nodes()) {
      if ((is_mm(n) || is_transpose(n) || is_sum(n)) && alias_.has_writers(n)) {
        context_.missed(n, "sum", "an operand or the result may be written");
      } else if (is_mm(n)) {
        put(n, 1);
      } else if (is_transpose(n)) {
        auto in = trees.find(n->inputs[0]->node);
        if (in == trees.end() || !is_mm(in->first)) continue;
        in->second.root = false;
        put(n, 1);
      } else if (is_sum(n)) {
        Node *l = n->inputs[0]->node, *r = n->inputs[1]->node;
        auto left = trees.find(l), right = trees.find(r);
        // With one use each, no operand can depend on another.
        if (left == trees.end() || right == trees.end() || l == r ||
            l->output()->uses.size() != 1 || r->output()->uses.size() != 1 || !left->second.root ||
            !right->second.root)
          continue;
        left->second.root = right->second.root = false;
        put(n, left->second.size + right->second.size);
      } else {
        for (Block* inner : n->blocks) changed |= run(inner);
      }
    }
    for (Node* n : order) {
      const Tree& t = trees[n];
      if (!t.root) continue;
      if (t.size >= kLeastInSum) {
        reduce(n);
        changed = true;
      } else if (t.size > 1) {
        context_.missed(n, "sum", "it has fewer than four products");
      }
    }
    return changed;
  }

 private:
  struct Tree {
    size_t size;  // products in it
    bool root;    // of no larger one
  };
  // The products of a sum, the last first; transposed ones are made of transposed factors.
  std::vector<Node*> products(Node* root) {
    std::vector<Node*> found, work{root};
    while (!work.empty()) {
      Node* n = work.back();
      work.pop_back();
      if (is_mm(n)) {
        found.push_back(n);
      } else if (is_transpose(n)) {
        found.push_back(transposed(n));
      } else {
        work.push_back(n->inputs[0]->node);
        work.push_back(n->inputs[1]->node);
      }
    }
    return found;
  }
  // (AB)^T is B^T A^T.
  Node* transposed(Node* n) {
    Node* mm = n->inputs[0]->node;
    InsertPoint at(graph_, mm);
    auto make = [&](const char* kind, const std::vector<Value*>& in) {
      Node* m = graph_.insert_node(graph_.create(Symbol(kind), in));
      m->op = resolve_operator(m, *context_.ops);
      return m->output();
    };
    Value* a = make("aten::t", {mm->inputs[0]});
    Value* b = make("aten::t", {mm->inputs[1]});
    Value* product = make("aten::mm", {b, a});
    n->output()->replace_all_uses_with(product);
    return product->node;
  }
  void reduce(Node* root) {
    context_.applied(root, "sum");
    std::vector<Node*> mms = products(root);
    InsertPoint at(graph_, root);
    Node* made = graph_.insert_node(graph_.create(Symbol("prim::MMTreeReduce")));
    made->op = resolve_operator(made, *context_.ops);
    for (Node* mm : mms) made->add_input(mm->inputs[0]);
    for (Node* mm : mms) made->add_input(mm->inputs[1]);
    root->output()->replace_all_uses_with(made->output());
  }

  Graph& graph_;
  PassContext& context_;
  TorchAliasDb& alias_;
};

// ---- products with one matrix ----

class Sides {
 public:
  Sides(Graph& g, PassContext& c, TorchAliasDb& alias) : graph_(g), context_(c), alias_(alias) {}
  bool run(Block* b) {
    check_stack();
    bool changed = false;
    std::unordered_set<Value*> seen;
    for (Node* n = b->first(); n != b->ret; n = n->next) {
      if (!is_mm(n) || alias_.has_writers(n)) {
        for (Block* inner : n->blocks) changed |= run(inner);
        continue;
      }
      for (Value* v : std::vector<Value*>(n->inputs))
        if (seen.insert(v).second)
          for (size_t side : {size_t{0}, size_t{1}}) changed |= batch(v, side);
    }
    return changed;
  }

 private:
  // Products in v's block that have v on this side, without those that need an earlier one.
  std::vector<Node*> independent(Value* v, size_t side) {
    std::vector<Node*> mms;
    for (const Use& u : v->uses)
      if (u.offset == side && u.user->owner == v->node->owner && is_mm(u.user) &&
          u.user->inputs[1 - side] != v && !alias_.has_writers(u.user))
        mms.push_back(u.user);
    if (mms.size() < kLeastOnSide) return {};
    std::sort(mms.begin(), mms.end(), [](Node* a, Node* b) { return is_before(a, b); });
    for (size_t i = 0; i < mms.size(); ++i)
      for (size_t k = i + 1; mms[i] && k < mms.size(); ++k)
        if (mms[k] && !alias_.could_move_before(mms[k], mms[i])) mms[k] = nullptr;
    mms.erase(std::remove(mms.begin(), mms.end(), nullptr), mms.end());
    return mms;
  }
  bool batch(Value* v, size_t side) {
    std::vector<Node*> mms = independent(v, side);
    if (mms.size() < kLeastOnSide) return false;
    for (size_t i = mms.size() - 1; i-- > 0;) alias_.move_before(mms[i], mms[i + 1]);
    context_.applied(mms[0], "side");
    InsertPoint at(graph_, mms[0]);
    Node* made = graph_.insert_node(
        graph_.create(Symbol("prim::MMBatchSide"), std::vector<Value*>{v}, mms.size()));
    made->set_i(Symbol("side"), static_cast<int64_t>(side));
    made->op = resolve_operator(made, *context_.ops);
    for (size_t i = 0; i < mms.size(); ++i) {
      made->add_input(mms[i]->inputs[1 - side]);
      mms[i]->output()->replace_all_uses_with(made->outputs[i]);
    }
    return true;
  }

  Graph& graph_;
  PassContext& context_;
  TorchAliasDb& alias_;
};

}  // namespace

bool batch_mm(Graph& g, PassContext& c) {
  if (!has_mm(g.block())) return false;
  TorchAliasDb alias(g);
  bool changed = Sums(g, c, alias).run(g.block());
  changed |= Sides(g, c, alias).run(g.block());
  changed |= eliminate_dead_code_as_torch(g);
  return peephole_without_shapes(g, c) || changed;
}

}  // namespace sconce
