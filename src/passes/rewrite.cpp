// SPDX-License-Identifier: Apache-2.0
// The subgraph rewriter. Rules are text; "mul+sigmoid" for instance:
//
//   graph(%x):                          graph(%x):
//     %s = aten::sigmoid(%x)              %y = aten::silu(%x)
//     %y = aten::mul(%x, %s)      =>      return (%y)
//     return (%y)
//
// As PyTorch's SubgraphRewriter has it, all matches of a rule are found first, matches that share a
// node with an earlier one are left, and the replacement stands right after the last of its inputs.
// Beyond that a match is left when the program would notice:
//   - a value inside of it that the pattern doesn't return is used elsewhere;
//   - something between its nodes writes what they read, or reads what they write. Then the
//     replacement may still stand where the match's last node stands; else the match is left;
//   - a result shares memory with an input on one side only, and somebody writes that memory, or
//     both are seen from outside;
//   - one side only writes an input that others see.
// What an operator that nobody has registered does, in a rule, is the rule's word.
// Entry: rewrite_subgraphs(). Order: any; after inlining it sees more.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "ir/alias.h"
#include "ir/cleanup.h"
#include "passes/rewrite.h"
#include "support/stack.h"

namespace sconce {

namespace {

// Nodes that are looked at for one match, and pairs of values for all of a rule: what is beyond
// is not rewritten.
constexpr size_t kMaxBetween = 4096, kMaxPairs = 4'000'000;

bool is_random(const Node* n) {
  check_stack();
  if (is_nondeterministic(n)) return true;
  for (Block* b : n->blocks)
    for (const Node* inner : b->nodes())
      if (is_random(inner)) return true;
  return false;
}

template <class F>
void each_node(Block* b, F f) {
  check_stack();
  for (Node* n : b->nodes()) {
    f(n);
    for (Block* inner : n->blocks) each_node(inner, f);
  }
}

std::string place_of(const Node* n) {
  return n->outputs.empty() ? std::string(n->kind.str())
                            : pattern_name(n->outputs[0]) + " = " + n->kind.str();
}

// What is known of a graph until it changes.
struct Analysis {
  explicit Analysis(const Graph& g) : alias(g) {
    each_node(g.block(), [&](Node* n) {
      order[n] = order.size();
      if (!alias.written(n).empty()) writers.push_back(n);
    });
  }
  AliasDb alias;
  std::unordered_map<const Node*, size_t> order;
  std::vector<const Node*> writers;
  std::unordered_map<Block*, std::vector<Node*>> noticeable;
};

class Rewriter {
 public:
  // known: made when it is first needed, for the rules that follow too.
  Rewriter(Graph& g, PassContext& c, const CompiledRule& rule, std::unique_ptr<Analysis>& known)
      : g_(g), c_(c), rule_(rule), known_(known) {}

  bool run() {
    sweep(g_.block());
    for (Plan& p : plans_) insert(p);
    for (Plan& p : plans_)
      for (size_t i = 0; i < p.outputs.size(); ++i)
        result(p.match, i)->replace_all_uses_with(p.outputs[i]);
    for (Plan& p : plans_) c_.applied(p.match.anchor, rule_.rule.name.c_str());
    if (!plans_.empty()) known_.reset();
    for (Node* n : taken_) n->remove_all_inputs();
    for (Node* n : taken_) n->destroy();
    for (Node* n : constants_)
      if (!n->has_uses()) n->destroy();
    return !plans_.empty();
  }

 private:
  struct Plan {
    PatternMatch match;
    Node* before;  // where the replacement goes
    std::vector<Value*> outputs;
  };
  // Of two nodes of one block; the graph doesn't change while matches are looked for. The end of a
  // block is behind all.
  bool is_before(const Node* a, const Node* b) const { return at(a) < at(b); }
  size_t at(const Node* n) const {
    auto it = known().order.find(n);
    return it == known().order.end() ? SIZE_MAX : it->second;
  }
  struct Span {
    Node *first, *last;  // of the match, in the order of the block
  };

  Analysis& known() const {
    if (!known_) known_ = std::make_unique<Analysis>(g_);
    return *known_;
  }

  void sweep(Block* b) {
    check_stack();
    static const Symbol module("match::module");
    for (Node* n : b->nodes())
      if (n->kind == rule_.anchor()->kind || rule_.anchor()->kind == module) attempt(n);
    for (Node* n : b->nodes())
      for (Block* inner : n->blocks) sweep(inner);
  }

  void attempt(Node* anchor) {
    PatternMatch m;
    if (!match_pattern(rule_, anchor, m)) return;
    for (auto& [p, n] : m.nodes)
      if (taken_.count(n)) return missed(anchor, "it overlaps a match that was taken");
    std::string why = used_elsewhere(m);
    for (auto& condition : rule_.conditions)
      if (why.empty()) why = condition.broken_by(m.values.at(condition.subject()));
    if (why.empty() && rule_.rule.refuse) why = rule_.rule.refuse(m);
    if (why.empty()) why = changes_types(m);
    if (why.empty()) why = changes_sharing(m);
    Node* before = nullptr;
    if (why.empty()) before = place(m, &why);
    if (!before) return missed(anchor, why);
    for (auto& [p, n] : m.nodes) taken_.insert(n);
    for (auto& [p, v] : m.values)
      if (p->node->kind == prim::Constant) constants_.insert(v->node);
    for (size_t i = 0; i < rule_.pattern->outputs().size(); ++i) planned_[result(m, i)] = before;
    plans_.push_back({std::move(m), before, {}});
  }
  void missed(const Node* anchor, const std::string& why) const {
    c_.missed(anchor, rule_.rule.name.c_str(), why);
  }
  Value* result(const PatternMatch& m, size_t i) const {
    return m.values.at(rule_.pattern->outputs()[i]);
  }
  bool is_matched(const PatternMatch& m, const Node* n) const {
    return std::any_of(m.nodes.begin(), m.nodes.end(), [&](auto& x) { return x.second == n; });
  }

  // ---- why a match is left ----

  std::string used_elsewhere(const PatternMatch& m) const {
    const auto& results = rule_.pattern->outputs();
    for (auto& [p, v] : m.values) {
      if (p->node->kind == prim::Constant || p->node == rule_.pattern->block()->param ||
          std::find(results.begin(), results.end(), p) != results.end())
        continue;
      for (const Use& u : v->uses)
        if (!is_matched(m, u.user))
          return pattern_name(v) + " (" + pattern_name(p) + " of the pattern) is used by " +
                 u.user->kind.str() + " too";
    }
    return "";
  }

  // The types that the text says must suit the uses of the old results.
  std::string changes_types(const PatternMatch& m) const {
    for (size_t i = 0; i < rule_.replacement->outputs().size(); ++i) {
      const Value* fresh = rule_.replacement->outputs()[i];
      TypePtr was = result(m, i)->type, is = fresh->type;
      if (fresh->node == rule_.replacement->block()->param)
        is = m.values.at(rule_.pattern->inputs()[fresh->offset])->type;
      else if (!rule_.typed.count(fresh))
        continue;
      if (is->str() != was->str() && !is->is_subtype_of(was) && !was->is_subtype_of(is))
        return "its result would be " + is->str() + " instead of " + was->str();
    }
    return "";
  }

  bool written_by_others(const PatternMatch& m, const Value* v) {
    for (const Node* w : known().writers) {
      if (++pairs_ > kMaxPairs) return true;
      if (!is_matched(m, w) && known().alias.writes_to_alias(w, {v})) return true;
    }
    return false;
  }
  // Nobody but the match can see the memory of the input v, apart from what becomes of its results.
  bool is_private(const PatternMatch& m, const Value* v) {
    std::unordered_set<const Value*> own;
    for (auto& [p, x] : m.values) own.insert(x);
    bool seen = false;
    auto look = [&](const Value* u, bool lasting) {
      if (seen || !AliasDb::is_mutable_type(u->type)) return;
      if (++pairs_ > kMaxPairs) {
        seen = true;
        return;
      }
      const bool used = std::any_of(u->uses.begin(), u->uses.end(),
                                    [&](const Use& use) { return !is_matched(m, use.user); });
      const bool of_match = own.count(u) && is_matched(m, u->node);
      if (!of_match && (used || lasting)) seen = known().alias.may_contain_alias(u, v);
    };
    for (const Value* u : g_.inputs()) look(u, true);
    each_node(g_.block(), [&](Node* n) {
      const bool lasting = n->kind == prim::GetAttr || n->kind == prim::Constant;
      for (const Value* u : n->outputs) look(u, lasting);
      for (Block* b : n->blocks)
        for (const Value* u : b->inputs()) look(u, false);
    });
    return !seen;
  }
  std::string changes_sharing(const PatternMatch& m) {
    const RuleEffects& rule = rule_.effects(m);
    if (rule.unknown) return "";
    const bool writes = rule.writes_before != rule.writes_after;
    const bool aliases = rule.aliased_before != rule.aliased_after;
    if (!writes && !aliases) return "";
    for (const Value* p : rule_.pattern->inputs()) {
      const Value* x = m.values.at(p);
      if (!AliasDb::is_mutable_type(x->type) || is_private(m, x)) continue;
      if (writes)
        return "one side only writes " + pattern_name(p) + ", and others may see " +
               pattern_name(x);
      for (size_t i = 0; i < rule.aliased_before.size(); ++i) {
        if (rule.aliased_before[i] == rule.aliased_after[i]) continue;
        const Value* y = result(m, i);
        if (!AliasDb::is_mutable_type(y->type)) continue;
        for (const Value* v : {x, y})
          if (written_by_others(m, v))
            return pattern_name(x) + " and " + pattern_name(y) +
                   " share memory on one side only, and " + pattern_name(v) + " may be written";
        if (known().alias.may_escape(x) && known().alias.may_escape(y))
          return pattern_name(x) + " and " + pattern_name(y) +
                 " share memory on one side only, and both are seen from outside";
      }
    }
    return "";
  }

  // ---- where the replacement may stand ----

  Span span_of(const PatternMatch& m) const {
    Span s{m.anchor, m.anchor};
    for (auto& [p, n] : m.nodes) {
      if (is_before(n, s.first)) s.first = n;
      if (is_before(s.last, n)) s.last = n;
    }
    return s;
  }
  // After the last of the inputs, or at the start of the block.
  Node* after_inputs(const PatternMatch& m, const Span& s) const {
    Block* b = m.anchor->owner;
    Node* at = rule_.pattern->inputs().empty() ? s.first : b->first();
    for (const Value* p : rule_.pattern->inputs()) {
      const Value* v = m.values.at(p);
      // What an earlier match makes will stand before that match's place.
      auto planned = planned_.find(v);
      Node* next = planned != planned_.end() ? planned->second : v->node->next;
      if (v->node->owner == b && v->node != b->param && is_before(at, next)) at = next;
    }
    return at;
  }
  Node* place(const PatternMatch& m, std::string* why) {
    const Span s = span_of(m);
    for (Node* at : {after_inputs(m, s), s.last}) {
      const Node* first = is_before(at, s.first) ? at : s.first;
      if (commutes(m, first, s.last, why) && in_time(m, at, why)) return at;
    }
    return nullptr;
  }
  // Nothing before at uses the results.
  bool in_time(const PatternMatch& m, const Node* at, std::string* why) const {
    for (const Value* p : rule_.pattern->outputs())
      for (const Use& u : m.values.at(p)->uses) {
        Node* user = u.user;
        while (user->owner != at->owner) user = user->owner->owning_node;
        if (is_matched(m, user) || !is_before(user, at)) continue;
        *why = user->kind.str() + std::string(" uses ") + pattern_name(m.values.at(p)) +
               " before the replacement could make it";
        return false;
      }
    return true;
  }

  // Nodes of b that write, print, draw numbers or run other code.
  const std::vector<Node*>& noticeable(Block* b) {
    auto [it, fresh] = known().noticeable.try_emplace(b);
    if (fresh)
      for (Node* n : b->nodes())
        if (n->has_effects() || is_random(n)) it->second.push_back(n);
    return it->second;
  }
  // The match's nodes may all run at one place between first and last: no other node there
  // interferes.
  bool commutes(const PatternMatch& m, const Node* first, const Node* last, std::string* why) {
    std::unordered_set<const Value*> touched, written;
    bool effects = rule_.effects(m).effects_after;
    for (auto& [p, n] : m.nodes) {
      touched.insert(n->inputs.begin(), n->inputs.end());
      touched.insert(n->outputs.begin(), n->outputs.end());
      for (Value* v : known().alias.written(n)) written.insert(v);
      effects |= has_side_effects(n) || is_random(n);
    }
    if (rule_.effects(m).writes_after)
      for (const Value* p : rule_.pattern->inputs()) written.insert(m.values.at(p));
    size_t looked_at = 0;
    auto too_many = [&] {
      *why = "too much stands between its nodes";
      return ++looked_at > kMaxBetween;
    };
    auto interferes = [&](const Node* n) {
      if (is_matched(m, n)) return false;
      bool bad = effects && (n->has_effects() || is_random(n));
      auto look = [&](const Node* x) {
        bad = bad || known().alias.writes_to_alias(x, touched);
        if (written.empty()) return;
        for (const auto& values : {x->inputs, x->outputs})
          for (const Value* v : values)
            for (const Value* w : written) bad = bad || known().alias.may_contain_alias(v, w);
      };
      look(n);
      for (Block* b : n->blocks) each_node(b, look);
      if (bad)
        *why = place_of(n) +
               " stands between its nodes and may write what they read or read what "
               "they write";
      return bad;
    };
    if (written.empty() && !effects) {
      const auto& nodes = noticeable(m.anchor->owner);
      auto from = std::lower_bound(nodes.begin(), nodes.end(), first,
                                   [&](const Node* a, const Node* b) { return is_before(a, b); });
      for (; from != nodes.end() && is_before(*from, last); ++from)
        if (too_many() || interferes(*from)) return false;
    } else {
      for (const Node* n = first; n != last; n = n->next)
        if (too_many() || interferes(n)) return false;
    }
    why->clear();
    return true;
  }

  // ---- the rewrite ----

  void insert(Plan& p) {
    std::vector<Value*> inputs;
    for (const Value* v : rule_.pattern->inputs()) {
      Value* given = p.match.values.at(v);
      auto made = made_.find(given);
      inputs.push_back(made == made_.end() ? given : made->second);
    }
    Node* before = p.before->prev;
    InsertPoint at(g_, p.before);
    p.outputs = insert_graph(g_, *rule_.replacement, inputs);
    for (Node* n = before->next; n != p.before; n = n->next) adopt(n, p.match.anchor);
    for (size_t i = 0; i < p.outputs.size(); ++i) {
      // Where neither the text nor an operator tells its type, it is that of the old result.
      const Value* fresh = rule_.replacement->outputs()[i];
      const bool known = rule_.typed.count(fresh) || p.outputs[i]->node->op ||
                         p.outputs[i]->node->kind == prim::Constant ||
                         fresh->node == rule_.replacement->block()->param;
      if (!known) p.outputs[i]->type = result(p.match, i)->type;
      made_[result(p.match, i)] = p.outputs[i];
    }
  }
  // A node of the replacement stands for the match: it has its place in the model's source, and the
  // overload that takes what it is given.
  void adopt(Node* n, const Node* anchor) {
    n->range = anchor->range;
    n->scope = anchor->scope;
    if (n->kind.is_prim()) return;
    if (const Operator* op = resolve_operator(n, *c_.ops)) n->op = op;
  }

  Graph& g_;
  PassContext& c_;
  const CompiledRule& rule_;
  std::unique_ptr<Analysis>& known_;
  std::vector<Plan> plans_;
  std::unordered_set<Node*> taken_, constants_;
  std::unordered_map<const Value*, Node*> planned_;  // results of matches: where they will be made
  std::unordered_map<const Value*, Value*> made_;    // what stands for them then
  size_t pairs_ = 0;
};

}  // namespace

bool rewrite_subgraphs(Graph& g, PassContext& c, const std::vector<RewriteRule>& rules) {
  bool changed = false;
  std::unique_ptr<Analysis> known;
  for (const RewriteRule& r : rules) changed |= Rewriter(g, c, CompiledRule(r, c.ops), known).run();
  return changed;
}

}  // namespace sconce
