// SPDX-License-Identifier: Apache-2.0
#include "passes/pattern.h"

#include <unordered_set>

#include "ir/cleanup.h"
#include "support/stack.h"

namespace sconce {

namespace {

struct Match {
  Node* last = nullptr;
  std::unordered_map<const Node*, Node*> nodes;
  std::unordered_map<const Value*, Value*> values;
};

class GraphMatcher {
 public:
  explicit GraphMatcher(const Graph& pattern)
      : result_(pattern.outputs()[0]), last_(result_->node) {}
  bool find(Node* at, Match& m) {
    m = {};
    m.last = at;
    return fits(last_, at, m);
  }

 private:
  bool fits(const Value* p, Value* v, Match& m) {
    auto [it, added] = m.values.emplace(p, v);
    if (!added) return it->second == v;
    if (p != result_ && p->node->kind != prim::Param && p->uses.size() != v->uses.size())
      return false;
    return fits(p->node, v->node, m);
  }
  bool fits(const Node* p, Node* n, Match& m) {
    check_stack();
    auto it = m.nodes.find(p);
    if (it != m.nodes.end()) return it->second == n;
    if (p->kind == prim::Param) return true;
    if (n->owner != m.last->owner || p->kind != n->kind || p->inputs.size() != n->inputs.size() ||
        p->outputs.size() != n->outputs.size() || !n->attributes.empty())
      return false;
    m.nodes.emplace(p, n);
    for (size_t i = 0; i < p->outputs.size(); ++i)
      if (!fits(p->outputs[i], n->outputs[i], m)) return false;
    for (size_t i = 0; i < p->inputs.size(); ++i)
      if (!fits(p->inputs[i], n->inputs[i], m)) return false;
    return true;
  }
  const Value* result_;
  const Node* last_;
};

std::vector<Match> matches_of(const Graph& pattern, Graph& g) {
  GraphMatcher matcher(pattern);
  std::vector<Match> found;
  std::vector<Block*> blocks{g.block()};
  while (!blocks.empty()) {
    Block* b = blocks.back();
    blocks.pop_back();
    for (Node* n : b->nodes()) {
      Match m;
      if (matcher.find(n, m)) found.push_back(std::move(m));
      blocks.insert(blocks.end(), n->blocks.begin(), n->blocks.end());
    }
  }
  return found;
}

void resolve_new(Node* from, const Node* to, const OpTable& ops) {
  for (Node* n = from; n != to; n = n->next)
    if (!n->is_constant()) n->op = resolve_operator(n, ops);
}

class Replacer {
 public:
  Replacer(Graph& g, PassContext& c, const Pattern& p)
      : g_(g),
        c_(c),
        p_(p),
        before_(parse_graph(p.before, c.ops, p.name)),
        after_(parse_graph(p.after, c.ops, p.name)) {}
  bool run() {
    for (const Match& m : matches_of(*before_, g_)) replace(m);
    for (auto& [old, now] : results_) {
      old->replace_all_uses_with(now);
      take_name(old, now);
    }
    for (Node* n : dead_) n->remove_all_inputs();
    for (Node* n : dead_) n->destroy();
    return !results_.empty();
  }

 private:
  void replace(const Match& m) {
    for (auto& [p, n] : m.nodes)
      if (seen_.count(n)) return;  // part of what is replaced already
    if (p_.refuse) {
      PatternValues values;
      for (auto& [p, v] : m.values)
        if (!p->name.empty()) values[p->name] = v;
      if (const char* reason = p_.refuse(values)) return c_.missed(m.last, p_.name, reason);
    }
    std::vector<Value*> inputs;
    Node* behind = nullptr;
    for (Value* p : before_->inputs()) {
      Value* v = m.values.at(p);
      if (!behind || is_before(behind, v->node)) behind = v->node;
      inputs.push_back(v);
    }
    Value* old = m.values.at(before_->outputs()[0]);
    for (const Use& u : old->uses)
      if (is_before(u.user, behind))
        return c_.missed(m.last, p_.name, "an input is made after the result is used");
    c_.applied(m.last, p_.name);
    Node* next = behind->next;
    Node* first_before = behind;
    InsertPoint at(g_, next);
    SourceRange range = m.last->range;
    Value* now = insert_graph(g_, *after_, inputs)[0]->set_type(old->type);
    for (Node* n = first_before->next; n != next; n = n->next) n->range = range;
    resolve_new(first_before->next, next, *c_.ops);
    results_.emplace_back(old, now);
    for (auto& [p, n] : m.nodes)
      if (seen_.insert(n).second) dead_.push_back(n);
  }
  static void take_name(Value* old, Value* now) {
    if (old->name.empty()) return;
    const std::string name = old->name;
    old->set_name("");
    now->set_name(name);
  }

  Graph& g_;
  PassContext& c_;
  const Pattern& p_;
  std::shared_ptr<Graph> before_, after_;
  std::vector<std::pair<Value*, Value*>> results_;
  std::vector<Node*> dead_;
  std::unordered_set<const Node*> seen_;
};

}  // namespace

bool replace_pattern(Graph& g, PassContext& c, const Pattern& p) { return Replacer(g, c, p).run(); }

}  // namespace sconce
