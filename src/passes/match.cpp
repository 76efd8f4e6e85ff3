// SPDX-License-Identifier: Apache-2.0
// Where a pattern fits: from the node that makes its first result backwards along the inputs, as
// PyTorch's subgraph matcher goes. Inputs of the pattern fit every value; constants fit equal ones,
// wherever they stand; attributes that are strings are regular expressions.
#include <algorithm>
#include <regex>

#include "passes/rewrite.h"
#include "support/stack.h"

namespace sconce {

namespace {

// Trials of one anchor: operands that may be swapped are tried in both orders.
constexpr int kMaxSteps = 100'000;

bool same_value(const IValue& a, TypePtr at, const IValue& b, TypePtr bt) {
  if (a.tag() != b.tag()) return false;
  if (a.isTensor()) {
    const Tensor &x = a.toTensorRef(), &y = b.toTensorRef();
    if (!x.defined() || !y.defined()) return x.defined() == y.defined();
    if (x.dtype() != y.dtype() || x.sizes().vec() != y.sizes().vec() || x.numel() > 64)
      return false;
  }
  return print_constant(a, at) == print_constant(b, bt);
}

bool string_fits(const std::string& pattern, const std::string& text) {
  if (pattern == text) return true;
  // std::regex recurses, along the pattern and along the text.
  constexpr size_t kLongest = 1000;
  if (pattern.find_first_of("*+?[]()|\\^${}") == std::string::npos || text.size() > kLongest)
    return false;
  if (pattern.size() > kLongest)
    raise<Error>("pattern: a regular expression of ", pattern.size(), " characters is too long");
  auto flags = std::regex::ECMAScript;
#ifdef __GLIBCXX__
  flags |= std::regex_constants::__polynomial;  // "(a*)*b" ends
#endif
  try {
    return std::regex_match(text, std::regex(pattern, flags));
  } catch (const std::regex_error& e) {
    raise<Error>("pattern: '", pattern, "' is no regular expression: ", e.what());
  }
}

bool same_attribute(const Attribute& a, const Node* an, const Attribute& b, const Node* bn) {
  using Kind = Attribute::Kind;
  if (a.kind != b.kind) return false;
  auto type_of = [](const Node* n) {
    return n->kind == prim::Constant ? n->output()->type : nullptr;
  };
  switch (a.kind) {
    case Kind::String: return string_fits(a.value.toStringRef(), b.value.toStringRef());
    case Kind::Graph: return false;
    case Kind::Text: return a.value.toStringRef() == b.value.toStringRef();
    case Kind::Type:
    case Kind::Types:
      return std::equal(a.types.begin(), a.types.end(), b.types.begin(), b.types.end(),
                        [](TypePtr x, TypePtr y) { return x->str() == y->str(); });
    default: return same_value(a.value, type_of(an), b.value, type_of(bn));
  }
}

bool attributes_match(const Node* a, const Node* b) {
  if (a->attributes.size() != b->attributes.size()) return false;
  return std::all_of(a->attributes.begin(), a->attributes.end(), [&](const Attribute& x) {
    const Attribute* y = b->find(x.name);
    return y && same_attribute(x, a, *y, b);
  });
}

// A plain value or a tensor: what `+` joins in one order only is a list or a string.
bool joins_in_any_order(const Value* v) {
  switch (v->type->kind) {
    case TypeKind::Tensor:
    case TypeKind::Int:
    case TypeKind::Float:
    case TypeKind::Bool:
    case TypeKind::Complex:
    case TypeKind::Number: return true;
    default: return false;
  }
}
bool commutes(const Node* n) {
  static constexpr std::string_view kNames[] = {
      "mul",        "eq",          "ne",          "logical_and", "logical_or", "logical_xor",
      "bitwise_or", "bitwise_and", "bitwise_xor", "maximum",     "minimum"};
  if (!n->kind.is_aten() || n->inputs.size() < 2 || !joins_in_any_order(n->inputs[0]) ||
      !joins_in_any_order(n->inputs[1]))
    return false;
  const std::string_view name = n->kind.unqualified();
  if (name == "add") {
    if (n->inputs.size() == 2) return true;
    auto alpha = constant_value(n->inputs[2]);
    return alpha && alpha->isInt() && alpha->toInt() == 1;
  }
  return n->inputs.size() == 2 &&
         std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

class Matcher {
 public:
  Matcher(const CompiledRule& rule, Node* anchor, PatternMatch& m)
      : rule_(rule), anchor_(anchor), m_(m) {}
  bool node(const Node* p, Node* n) {
    check_stack();
    if (++steps_ > kMaxSteps) return false;
    auto it = m_.nodes.find(p);
    if (it != m_.nodes.end()) return it->second == n;
    if (n->owner != anchor_->owner || !same_node(p, n)) return false;
    for (auto& [other, matched] : m_.nodes)
      if (matched == n) return false;
    m_.nodes[p] = n;
    for (size_t i = 0; i < p->outputs.size(); ++i)
      if (!value(p->outputs[i], n->outputs[i])) return false;
    if (!rule_.rule.commutative || !commutes(n)) return inputs(p, n, false);
    PatternMatch before = m_;
    if (inputs(p, n, false)) return true;
    m_ = std::move(before);
    return inputs(p, n, true);
  }

 private:
  bool same_node(const Node* p, const Node* n) const {
    static const Symbol module("match::module"), name("name");
    // PyTorch's: a submodule whose class's name ends so.
    if (p->kind == module) {
      if (n->kind != prim::GetAttr || n->output()->type->kind != TypeKind::Class ||
          p->outputs.size() != 1 || p->inputs.size() != 1 || !p->find(name))
        return false;
      const std::string &end = p->s(name), &whole = n->output()->type->name;
      return whole.size() >= end.size() &&
             whole.compare(whole.size() - end.size(), end.size(), end) == 0;
    }
    return p->kind == n->kind && p->inputs.size() == n->inputs.size() &&
           p->outputs.size() == n->outputs.size() && n->blocks.empty() && attributes_match(p, n);
  }
  bool inputs(const Node* p, Node* n, bool swapped) {
    for (size_t i = 0; i < p->inputs.size(); ++i)
      if (!value(p->inputs[i], n->inputs[swapped && i < 2 ? 1 - i : i])) return false;
    return true;
  }
  bool value(const Value* p, Value* v) {
    auto it = m_.values.find(p);
    if (it != m_.values.end()) return it->second == v || same_constants(p, v);
    if (rule_.typed.count(p) && !has_type(v, p->type)) return false;
    if (p->node->kind == prim::Constant) {
      if (!same_constants(p, v)) return false;
      m_.values[p] = v;
      return true;
    }
    m_.values[p] = v;
    if (p->node == rule_.pattern->block()->param) return true;
    return p->offset == v->offset && node(p->node, v->node);
  }
  static bool same_constants(const Value* p, const Value* v) {
    return p->node->kind == prim::Constant && v->node->kind == prim::Constant &&
           p->type->kind == v->type->kind && attributes_match(p->node, v->node);
  }
  // Classes of a text are known by their names.
  static bool has_type(const Value* v, TypePtr t) {
    return v->type->is_subtype_of(t) || v->type->str() == t->str();
  }

  const CompiledRule& rule_;
  Node* anchor_;
  PatternMatch& m_;
  int steps_ = 0;
};

}  // namespace

bool match_pattern(const CompiledRule& rule, Node* anchor, PatternMatch& m) {
  m = PatternMatch();
  m.pattern = rule.pattern.get();
  m.anchor = anchor;
  return Matcher(rule, anchor, m).node(rule.anchor(), anchor);
}

}  // namespace sconce
