// SPDX-License-Identifier: Apache-2.0
// Containers that are built before the eyes of the pass are taken apart there:
//
//   %l = prim::ListConstruct()                  %l = prim::ListConstruct(%x, %y)
//   %1 = aten::append(%l, %x)             =>    %y' is %y, %n is 2
//   %2 = aten::append(%l, %y)
//   %y' = aten::__getitem__(%l, %one)           the same of dicts and aten::_set_item, of extend
//   and += %n = aten::len(%l)
//
// and so for indices, slices and unpacking of tuples; len, `in`, keys, values and get of dicts
// whose keys are constants; `in` for lists of constants. Writes that come before every other use
// are part of the construction, whatever comes later. A container that is written after that is
// left alone; what stays of it goes with dce, unless it leaves the graph. PyTorch does part of it
// in peephole (list and dict idioms) and lower_tuples. Order: after inlining and constant
// propagation.
#include <algorithm>

#include "ir/alias.h"
#include "ir/cleanup.h"
#include "passes/node_query.h"
#include "passes/passes.h"
#include "support/lasting.h"
#include "support/stack.h"

namespace sconce {

namespace {

constexpr size_t kMost = 256;  // elements that are compared or copied by one read

bool is_container(const Node* n) {
  return n->kind == prim::ListConstruct || n->kind == prim::DictConstruct;
}
bool is_key(const IValue& v) { return v.isInt() || v.isString() || v.isBool(); }
std::optional<IValue> constant_key(const Value* v) {
  auto c = constant_value(v);
  return c && is_key(*c) ? c : std::nullopt;
}
bool same_key(const IValue& a, const IValue& b) { return a.tag() == b.tag() && ivalue_equal(a, b); }

// ---- writes that belong to the construction ----

class Construction {
 public:
  explicit Construction(PassContext& c) : context_(c) {}
  bool run(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) run(inner);
      // What they answer is the list itself.
      if (n->outputs.size() == 1 && !n->inputs.empty() &&
          n->inputs[0]->type->kind == TypeKind::List && n->op && !n->op->custom &&
          (is_kind(n, "aten::append") || is_kind(n, "aten::add_")))
        n->output()->replace_all_uses_with(n->inputs[0]);
    }
    // Inner blocks have done with theirs.
    order_.clear();
    size_t position = 0;
    for (Node* n : b->nodes()) order_[n] = ++position;
    order_[b->ret] = ++position;
    for (Node* n : b->nodes())
      if (is_container(n)) extend(n);
    return changed_;
  }

 private:
  // Elements that w adds to the list or dict v; false: it does something else.
  static bool added(const Node* w, const Value* v, std::vector<Value*>& items) {
    if (!w->op || w->op->custom || w->inputs[0] != v) return false;
    const bool list = v->type->kind == TypeKind::List;
    if (list && is_kind(w, "aten::append") && w->inputs.size() == 2 && w->inputs[1] != v) {
      items.push_back(w->inputs[1]);
      return true;
    }
    if (list && (is_kind(w, "aten::extend") || is_kind(w, "aten::add_")) && w->inputs.size() == 2 &&
        w->inputs[1]->node->kind == prim::ListConstruct && w->inputs[1] != v &&
        w->inputs[1]->uses.size() == 1) {
      items.insert(items.end(), w->inputs[1]->node->inputs.begin(),
                   w->inputs[1]->node->inputs.end());
      return true;
    }
    if (!list && is_kind(w, "aten::_set_item") && w->inputs.size() == 3 && w->inputs[1] != v &&
        w->inputs[2] != v) {
      items.push_back(w->inputs[1]);
      items.push_back(w->inputs[2]);
      return true;
    }
    return false;
  }
  static bool writes(const Node* u, const Value* v) {
    return u->op && u->op->schema().is_mutable() && !u->inputs.empty() && u->inputs[0] == v;
  }
  // The uses of n's value by nodes of its own block, in order; a use further inside counts as its
  // node's.
  std::vector<Node*> users_in_order(Node* n) {
    std::vector<Node*> r;
    for (const Use& u : n->output()->uses) {
      Node* at = u.user;
      while (at && at->owner != n->owner) at = at->owner ? at->owner->owning_node : nullptr;
      if (at) r.push_back(at);
    }
    std::sort(r.begin(), r.end(), [&](Node* a, Node* b) { return order_[a] < order_[b]; });
    r.erase(std::unique(r.begin(), r.end()), r.end());
    return r;
  }
  void extend(Node* n) {
    Value* v = n->output();
    if (std::none_of(v->uses.begin(), v->uses.end(),
                     [&](const Use& u) { return writes(u.user, v); }))
      return;
    std::vector<Value*> items = n->inputs;
    std::vector<Node*> building;
    bool read = false;
    for (Node* u : users_in_order(n)) {
      if (!read && added(u, v, items)) {
        building.push_back(u);
      } else {
        read = true;
        if (writes(u, v))
          context_.missed(u, "construct",
                          "the container is used before this write, or otherwise written");
      }
    }
    if (building.empty()) return;
    // What is added may be made after the literal.
    Node* last = building.back();
    order_[n] = order_[last];
    n->remove_all_inputs();
    n->move_after(last);
    for (Value* i : items) n->add_input(i);
    for (Node* w : building) {
      context_.applied(w, "construct");
      w->destroy();
    }
    changed_ = true;
  }
  PassContext& context_;
  std::unordered_map<Node*, size_t> order_;  // of the block that is looked at
  bool changed_ = false;
};

// ---- reads ----

class Reads {
 public:
  Reads(Graph& g, PassContext& c) : graph_(g), context_(c), alias_(g) {}
  bool run() {
    block(graph_.block());
    return changed_;
  }

 private:
  void block(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) block(inner);
      if (n->inputs.empty()) continue;
      const Symbol made = n->inputs[0]->node->kind;
      if (made == prim::TupleConstruct)
        tuple(n);
      else if (made == prim::ListConstruct && n->inputs[0]->type->kind == TypeKind::List)
        unwritten(n) && list(n);
      else if (made == prim::DictConstruct)
        unwritten(n) && dict(n);
    }
  }
  static bool reads(const Node* n) {
    static const Lasting kinds(new std::unordered_set<std::string_view>{
        "aten::__getitem__", "aten::len", "prim::ListUnpack", "aten::slice", "aten::__contains__",
        "aten::keys", "aten::values", "aten::get"});
    return kinds->count(n->kind.view()) != 0;
  }
  bool unwritten(Node* n) {
    if (!reads(n)) return false;
    const Value* v = n->inputs[0];
    const bool written = made_.count(v) ? false : alias_.has_writers_itself(v);
    if (written) context_.missed(n, "read", "the container is written");
    return !written;
  }
  bool replace(Node* n, Value* old, Value* v) {
    context_.applied(n, "read");
    old->replace_all_uses_with(v);
    return changed_ = true;
  }
  bool replace(Node* n, IValue v) {
    InsertPoint at(graph_, n);
    return replace(n, n->output(), graph_.insert_constant(std::move(v)));
  }
  static std::optional<size_t> index(const Value* v, size_t size) {
    auto c = constant_value(v);
    if (!c || !c->isInt()) return std::nullopt;
    const auto n = static_cast<int64_t>(size);
    const int64_t i = c->toInt() < 0 ? c->toInt() + n : c->toInt();
    return i >= 0 && i < n ? std::optional(static_cast<size_t>(i)) : std::nullopt;
  }

  bool tuple(Node* n) {
    const std::vector<Value*>& parts = n->inputs[0]->node->inputs;
    if (n->kind == prim::TupleUnpack && n->outputs.size() == parts.size()) {
      if (!n->has_uses()) return false;
      for (size_t i = 0; i < parts.size(); ++i) replace(n, n->outputs[i], parts[i]);
      return true;
    }
    if (n->kind == prim::TupleIndex && n->has_uses()) {
      auto i = index(n->inputs[1], parts.size());
      if (!i) context_.missed(n, "read", "the index isn't a constant in range");
      return i && replace(n, n->output(), parts[*i]);
    }
    if (n->kind == prim::TupleSlice && n->has_uses()) {
      static const Symbol beg("beg"), end("end");
      const Attribute *b = n->find(beg), *e = n->find(end);
      if (!b || !e || !b->value.isInt() || !e->value.isInt()) return false;
      const int64_t from = b->value.toInt(), to = e->value.toInt();
      if (from < 0 || to < from || to > static_cast<int64_t>(parts.size())) return false;
      InsertPoint at(graph_, n);
      Node* t = graph_.create_tuple({parts.begin() + from, parts.begin() + to});
      t->output()->type = n->output()->type;
      return replace(n, n->output(), graph_.insert_node(t)->output());
    }
    return false;
  }

  Value* new_list(Node* n, const std::vector<Value*>& items) {
    InsertPoint at(graph_, n);
    Node* made = graph_.create_list(n->output()->type->elem(), items);
    made->output()->type = n->output()->type;
    made->range = n->range;
    if (!alias_.has_writers_itself(n->output())) made_.insert(made->output());
    return graph_.insert_node(made)->output();
  }

  bool list(Node* n) {
    const std::vector<Value*>& items = n->inputs[0]->node->inputs;
    const auto size = static_cast<int64_t>(items.size());
    if (n->kind == prim::ListUnpack) {
      if (items.size() != n->outputs.size() || !n->has_uses()) return false;
      for (size_t i = 0; i < items.size(); ++i) replace(n, n->outputs[i], items[i]);
      return true;
    }
    if (!n->op || !n->has_uses()) return false;
    if (is_kind(n, "aten::len")) return replace(n, IValue(size));
    if (is_kind(n, "aten::__getitem__")) {
      auto i = index(n->inputs[1], items.size());
      if (!i) context_.missed(n, "read", "the index isn't a constant in range");
      return i && replace(n, n->output(), items[*i]);
    }
    if (items.size() > kMost) return false;
    if (is_kind(n, "aten::__contains__")) {
      auto wanted = constant_key(n->inputs[1]);
      bool found = false;
      for (const Value* v : items) {
        auto k = constant_key(v);
        if (!wanted || !k || k->tag() != wanted->tag()) return false;
        found |= same_key(*k, *wanted);
      }
      return wanted && replace(n, IValue(found));
    }
    if (is_kind(n, "aten::slice") && n->inputs.size() == 4) {
      auto a = constant_value(n->inputs[1]), e = constant_value(n->inputs[2]),
           s = constant_value(n->inputs[3]);
      if (!a || !e || !s || !s->isInt() || s->toInt() != 1) return false;
      auto clip = [&](const IValue& v, int64_t none) {
        if (!v.isInt()) return none;
        const int64_t i = v.toInt() < 0 ? std::max<int64_t>(v.toInt(), -size) + size : v.toInt();
        return std::min(i, size);
      };
      const int64_t from = clip(*a, 0), to = std::max(from, clip(*e, size));
      return replace(n, n->output(), new_list(n, {items.begin() + from, items.begin() + to}));
    }
    return false;
  }

  // The last value of each key, in the order in which keys came first. False: a key isn't a
  // constant.
  static bool entries(const Node* made, std::vector<std::pair<IValue, size_t>>& r) {
    if (made->inputs.size() > 2 * kMost) return false;
    for (size_t i = 0; i + 1 < made->inputs.size(); i += 2) {
      auto k = constant_key(made->inputs[i]);
      if (!k) return false;
      auto known = std::find_if(r.begin(), r.end(), [&](auto& e) { return same_key(e.first, *k); });
      if (known == r.end())
        r.emplace_back(*k, i);
      else
        known->second = i;
    }
    return true;
  }
  bool dict(Node* n) {
    if (!n->op || !n->has_uses()) return false;
    const Node* made = n->inputs[0]->node;
    std::vector<std::pair<IValue, size_t>> all;
    if (!entries(made, all)) {
      context_.missed(n, "read", "a key isn't a constant");
      return false;
    }
    if (is_kind(n, "aten::len")) return replace(n, IValue(static_cast<int64_t>(all.size())));
    if (is_kind(n, "aten::keys") || is_kind(n, "aten::values")) {
      std::vector<Value*> items;
      for (auto& e : all)
        items.push_back(made->inputs[e.second + (is_kind(n, "aten::values") ? 1 : 0)]);
      return replace(n, n->output(), new_list(n, items));
    }
    if (!is_kind(n, "aten::__getitem__") && !is_kind(n, "aten::__contains__") &&
        !is_kind(n, "aten::get"))
      return false;
    auto wanted = constant_key(n->inputs[1]);
    if (!wanted) {
      context_.missed(n, "read", "the key isn't a constant");
      return false;
    }
    auto found =
        std::find_if(all.begin(), all.end(), [&](auto& e) { return same_key(e.first, *wanted); });
    if (is_kind(n, "aten::__contains__")) return replace(n, IValue(found != all.end()));
    if (found != all.end()) return replace(n, n->output(), made->inputs[found->second + 1]);
    if (is_kind(n, "aten::get") && n->inputs.size() == 3)
      return replace(n, n->output(), n->inputs[2]);
    if (is_kind(n, "aten::get")) return replace(n, IValue());
    return false;
  }

  Graph& graph_;
  PassContext& context_;
  AliasDb alias_;
  std::unordered_set<const Value*> made_;  // here, of values that nothing writes
  bool changed_ = false;
};

}  // namespace

bool list_dict_simplification(Graph& g, PassContext& c) {
  bool changed = Construction(c).run(g.block());
  changed |= Reads(g, c).run();
  if (changed && !c.assumptions) eliminate_dead_code(g);
  return changed;
}

}  // namespace sconce
