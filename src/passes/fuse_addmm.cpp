// SPDX-License-Identifier: Apache-2.0
// A product of matrices and a sum become one operator:
//
//   %p = aten::mm(%a, %b)                          %c1 = prim::Constant[value=1]()
//   %y = aten::add(%p, %z, %one)      =>           %y = aten::addmm(%z, %a, %b, %c1, %c1)
//
// when alpha is the constant 1, the rank of %z is known, and the dtype of %a or %b. A %z without
// dimensions whose dtype isn't known to be theirs is cast: add takes it, addmm doesn't. What was
// there is left for dead code elimination. PyTorch's name; for exporters, for whom one node is
// cheaper than two.
#include "ir/cleanup.h"
#include "passes/node_query.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

bool has_dtype(const Value* v) { return info_with_dtype(v); }

class Fuser {
 public:
  Fuser(Graph& g, PassContext& c) : g_(g), c_(c) {}
  bool run(Block* b) {
    check_stack();
    bool changed = false;
    for (Node* n : b->nodes()) {
      if (is_overload(n, "aten::add.Tensor")) changed |= fuse(n);
      for (Block* inner : n->blocks) changed |= run(inner);
    }
    return changed;
  }

 private:
  static bool is_one(const Value* v) {
    auto c = constant_value(v);
    return c && ((c->isInt() && c->toInt() == 1) || (c->isDouble() && c->toDouble() == 1));
  }
  bool fuse(Node* add) {
    bool changed = false;
    for (size_t side = 0; side < 2; ++side) {
      Node* mm = add->inputs[side]->node;
      Value* other = add->inputs[1 - side];
      if (!is_overload(mm, "aten::mm")) continue;
      if (const char* reason = why_not(add, mm, other)) {
        c_.missed(add, "mm+add", reason);
        continue;
      }
      c_.applied(add, "mm+add");
      put_addmm(add, mm, other);
      changed = true;
    }
    return changed;
  }
  const char* why_not(const Node* add, const Node* mm, const Value* other) const {
    if (!is_one(add->inputs[2])) return "alpha isn't the constant 1";
    if (!tensor_info(other) || !tensor_info(other)->has_rank)
      return "the rank of what is added isn't known";
    if (!has_dtype(mm->inputs[0]) && !has_dtype(mm->inputs[1]))
      return "the dtype of the matrices isn't known";
    return nullptr;
  }
  Node* insert(const char* kind, const std::vector<Value*>& inputs) {
    Node* n = g_.insert_node(g_.create(Symbol(kind), inputs));
    n->op = resolve_operator(n, *c_.ops);
    return n;
  }
  void put_addmm(Node* add, Node* mm, Value* other) {
    InsertPoint at(g_, add);
    Value* typed = mm->inputs[has_dtype(mm->inputs[0]) ? 0 : 1];
    const TensorInfo& t = *tensor_info(other);
    if (t.sizes.empty() && !(t.has_dtype && t.dtype == tensor_info(typed)->dtype)) {
      Value* cast = insert("aten::type_as", {other, typed})->output();
      // All but the dtype stays known where all was.
      if (t.has_dtype && t.has_device) {
        TensorInfo known = t;
        known.dtype = tensor_info(typed)->dtype;
        cast->set_type(g_.types->tensor_with(std::move(known)));
      }
      other = cast;
    }
    Value* one = g_.insert_constant(int64_t{1});
    Node* addmm = insert("aten::addmm", {other, mm->inputs[0], mm->inputs[1], one, one});
    Value *old = add->output(), *now = addmm->output()->set_type(old->type);
    if (!old->name.empty()) now->set_name(std::string(old->name));
    old->replace_all_uses_with(now);
  }

  Graph& g_;
  PassContext& c_;
};

}  // namespace

bool fuse_addmm(Graph& g, PassContext& c) { return Fuser(g, c).run(g.block()); }

}  // namespace sconce
