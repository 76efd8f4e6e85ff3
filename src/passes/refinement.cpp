// SPDX-License-Identifier: Apache-2.0
#include "passes/refinement.h"

#include "passes/node_query.h"

namespace sconce {

namespace {

// More than a program says in one condition; bounds what a chain of conditions can copy.
constexpr size_t kMostRefined = 1024;

void add(Refinement& to, const Refinement& more) {
  for (auto& [v, k] : more) {
    if (to.size() >= kMostRefined) return;
    to.emplace(v, k);
  }
}
Refinement united(Refinement a, const Refinement& b) {
  add(a, b);
  return a;
}
Refinement common_part(const Refinement& a, const Refinement& b) {
  Refinement r;
  for (auto& [v, k] : a)
    if (auto it = b.find(v); it != b.end() && it->second == k) r.emplace(v, k);
  return r;
}

}  // namespace

void Refinements::join(Node* n, Refinement& current, const Refinement& then,
                       const Refinement& otherwise) {
  Block *t = n->blocks[0], *f = n->blocks[1];
  const bool then_raises = raising_.count(t) != 0, else_raises = raising_.count(f) != 0;
  if (then_raises && else_raises) {
    raising_.insert(n->owner);
    return;
  }
  if (then_raises || else_raises) {
    add(current, then_raises ? otherwise : then);
    Block* passes = then_raises ? f : t;
    for (size_t i = 0; i < n->outputs.size(); ++i)
      if (known(passes->outputs()[i]))
        of_bool_[n->outputs[i]] = BoolRefinement(of(passes->outputs()[i]));
    return;
  }
  for (size_t i = 0; i < n->outputs.size(); ++i) {
    if (n->outputs[i]->type->kind != TypeKind::Bool) return;
    const Value *x = t->outputs()[i], *y = f->outputs()[i];
    auto of_true = constant_bool(x), of_false = constant_bool(y);
    if (!known(x) && !known(y) && !of_true && !of_false) return;
    // A constant in one branch: the other value of the bool can only come from the other branch.
    BoolRefinement out;
    auto from = [&](bool constant, const Value* other, const Refinement& there) {
      if (constant)
        out.if_false = united(of(other).if_false, there);
      else
        out.if_true = united(of(other).if_true, there);
    };
    if (of_true) {
      from(*of_true, y, otherwise);
    } else if (of_false) {
      from(*of_false, x, then);
    } else if (known(x) && known(y)) {
      out.if_true = common_part(of(x).if_true, of(y).if_true);
      out.if_false = common_part(of(x).if_false, of(y).if_false);
    }
    of_bool_[n->outputs[i]] = std::move(out);
  }
}

void Refinements::common(Node* n) {
  auto carry = [&](const Value* from, bool negated) {
    if (!known(from)) return;
    BoolRefinement r = of(from);
    if (negated) std::swap(r.if_true, r.if_false);
    of_bool_[n->output()] = std::move(r);
  };
  if (n->kind == prim::RaiseException) {
    raising_.insert(n->owner);
  } else if (is_kind(n, "aten::__not__") && n->inputs[0]->type->kind == TypeKind::Bool) {
    carry(n->inputs[0], true);
  } else if (is_overload(n, "aten::eq.bool") || is_overload(n, "aten::ne.bool")) {
    for (size_t i : {size_t{0}, size_t{1}})
      if (auto c = constant_bool(n->inputs[i]))
        carry(n->inputs[1 - i], *c != is_kind(n, "aten::eq"));
  }
}

}  // namespace sconce
