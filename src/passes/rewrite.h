// SPDX-License-Identifier: Apache-2.0
// Rules as they are matched: what sconce/pass.h's RewriteRule says in text, read once.
#pragma once
#include <map>
#include <unordered_set>

#include "passes/passes.h"

namespace sconce {

// One condition of a rule on what a value of its pattern stands for:
//   %w is constant          %w is not constant      %w is None      %w is not None
//   %x : Tensor             the value has this type, or a narrower one
//   %s has 1 use            %d == 0.5               ==, !=, <, <=, >, >= with a constant's value
class RewriteCondition {
 public:
  // Throws Error for a text that says none of these, or names no value of the pattern.
  RewriteCondition(const std::string& text, const Graph& pattern);
  // Why v, which subject() stands for, doesn't hold it; empty when it does.
  std::string broken_by(const Value* v) const;
  const Value* subject() const { return subject_; }

 private:
  enum class Kind { Constant, None, Type, Uses, Compare };
  bool holds(const Value* v) const;
  bool compare(const IValue& v, TypePtr type) const;
  std::string text_, operand_, literal_;  // of Compare: "<=", "0.5"
  std::shared_ptr<Graph> typed_;          // of Type: its one input has the type
  const Value* subject_ = nullptr;
  Kind kind_ = Kind::Constant;
  bool negated_ = false;
  size_t uses_ = 0;
};

// What the two sides of a rule do to memory, where its inputs have certain types.
struct RuleEffects {
  // Of each result: it may be the memory of an input.
  std::vector<bool> aliased_before, aliased_after;
  bool writes_before = false, writes_after = false;  // memory of an input
  bool effects_after = false;
  bool unknown = false;  // an operator that nobody has registered: what it does is the rule's word
};

struct CompiledRule {
  // Throws ScriptError, Error: see rewrite_subgraphs().
  CompiledRule(const RewriteRule& rule, const OpTable* ops);
  const RewriteRule& rule;
  std::shared_ptr<Graph> pattern, replacement;
  // Values whose type the texts say.
  std::unordered_set<const Value*> typed;
  std::vector<RewriteCondition> conditions;
  std::vector<const Node*> nodes;  // the pattern's, without its constants
  const RuleEffects& effects(const PatternMatch& m) const;
  // The node that makes the first result.
  const Node* anchor() const { return pattern->outputs()[0]->node; }

 private:
  const OpTable* ops_;
  mutable std::map<std::vector<TypePtr>, RuleEffects> effects_;  // by the types of the inputs
};

// Whether the pattern's nodes stand at anchor, with equal attributes and constants and the types
// that the text says, all in anchor's block. Uses and conditions are not looked at.
bool match_pattern(const CompiledRule& rule, Node* anchor, PatternMatch& m);

// "%x" of a pattern's text.
std::string pattern_name(const Value* v);

}  // namespace sconce
