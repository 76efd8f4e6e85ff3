// SPDX-License-Identifier: Apache-2.0
// The rules are those of torch/csrc/jit/ir/alias_analysis.cpp and its memory graph.
#include "ir/pytorch_alias.h"

#include <algorithm>

#include "core/op_table.h"
#include "ir/cleanup.h"
#include "support/stack.h"

namespace sconce {

namespace {

bool is(const Node* n, const char* kind) { return n->kind.view() == kind; }

bool intersects(const std::unordered_set<uint32_t>& a, const std::unordered_set<uint32_t>& b) {
  const auto& small = a.size() < b.size() ? a : b;
  const auto& large = a.size() < b.size() ? b : a;
  return std::any_of(small.begin(), small.end(), [&](uint32_t l) { return large.count(l) != 0; });
}
template <class Set>
bool intersects(const std::vector<uint32_t>& a, const Set& b) {
  return std::any_of(a.begin(), a.end(), [&](uint32_t l) { return b.count(l) != 0; });
}

// Its elements can't get anywhere else: one use, which keeps none of them.
bool keeps_its_elements(const Value* container, const Graph& g) {
  if (container->uses.size() != 1) return false;
  const Node* user = container->uses[0].user;
  const TypeKind kind = container->type->kind;
  if (user->kind == prim::Return)
    return user->owner == g.block() && (kind == TypeKind::List || kind == TypeKind::Tuple);
  static constexpr const char* kKinds[] = {"aten::cat",    "aten::broadcast_tensors",
                                           "aten::stack",  "aten::vstack",
                                           "aten::hstack", "aten::dstack"};
  return kind == TypeKind::List && std::any_of(std::begin(kKinds), std::end(kKinds),
                                               [&](const char* k) { return is(user, k); });
}

// These have no memory of their own where a value may be one of several.
bool aliases_nothing(const Value* v) {
  return v->node->must_be_none() || v->node->kind == prim::Uninitialized;
}

}  // namespace

// ---- types ----

const std::vector<TypePtr>& PyTorchAliasDb::mutable_types(TypePtr t) {
  check_stack();
  auto it = mutable_types_.find(t);
  if (it != mutable_types_.end()) return it->second;
  std::vector<TypePtr> r;
  auto add_all = [&](const std::vector<TypePtr>& elems) {
    for (TypePtr e : elems) {
      const auto& more = mutable_types(e);
      r.insert(r.end(), more.begin(), more.end());
    }
  };
  TypeTable& table = *graph_.types;
  switch (t->kind) {
    case TypeKind::Tensor:
    case TypeKind::List:
    case TypeKind::Dict: r = {unshaped(t, table)}; break;
    case TypeKind::Class:
    case TypeKind::Any: r = {t}; break;
    case TypeKind::Optional:
    case TypeKind::Union: add_all(t->elems); break;
    case TypeKind::Future:
    case TypeKind::Await:
      if (TypePtr e = one_type(t->elems[0])) r = {table.make(t->kind, {e})};
      break;
    case TypeKind::Tuple:
      add_all(t->elems);
      if (!r.empty()) r = {table.tuple(r)};
      break;
    default: break;
  }
  return mutable_types_.emplace(t, std::move(r)).first->second;
}
TypePtr PyTorchAliasDb::one_type(TypePtr t) {
  const auto& types = mutable_types(t);
  if (types.empty()) return nullptr;
  return types.size() == 1 ? types[0] : graph_.types->union_of(types);
}
bool PyTorchAliasDb::is_mutable(const Value* v) { return !mutable_types(v->type).empty(); }

// ---- elements ----

uint32_t PyTorchAliasDb::make(const Value* v) {
  elements_.emplace_back();
  elements_.back().value = v;
  return static_cast<uint32_t>(elements_.size() - 1);
}
uint32_t PyTorchAliasDb::element_of(const Value* v) {
  if (!of_.count(v)) fresh(v);
  auto it = of_.find(v);
  return it == of_.end() ? kNone : it->second;
}
void PyTorchAliasDb::fresh(const Value* v, bool wildcards_in_it) {
  const std::vector<TypePtr> types = mutable_types(v->type);
  if (types.empty() || of_.count(v)) return;
  const uint32_t e = of_[v] = make(v);
  if (wildcards_in_it) contain_wildcards(e, types);
}
void PyTorchAliasDb::contain_wildcards(uint32_t element, const std::vector<TypePtr>& types) {
  if (types.size() > 1) {
    // One of several: it may be each of them.
    for (TypePtr t : types) {
      const uint32_t w = wildcard(t);
      elements_[element].points_to.push_back(w);
    }
    return;
  }
  auto contain = [&](TypePtr part) {
    const uint32_t w = wildcard(part);
    if (w != kNone) elements_[element].contains.push_back(w);
  };
  if (types[0]->kind == TypeKind::Class)
    for (auto& a : static_cast<const ClassType*>(types[0])->attributes) contain(a.type);
  else
    for (TypePtr e : types[0]->elems) contain(e);
}
uint32_t PyTorchAliasDb::wildcard(TypePtr t) {
  check_stack();
  TypePtr one = one_type(t);
  if (!one) return kNone;
  auto [it, added] = wildcards_.emplace(one, 0);
  if (!added) return it->second;
  const uint32_t w = it->second = make(nullptr);
  wildcard_elements_.insert(w);
  contain_wildcards(w, std::vector<TypePtr>(mutable_types(t)));
  return w;
}
uint32_t PyTorchAliasDb::known_wildcard(TypePtr t) {
  TypePtr one = one_type(t);
  auto it = one ? wildcards_.find(one) : wildcards_.end();
  return it == wildcards_.end() ? kNone : it->second;
}
uint32_t PyTorchAliasDb::set_wildcard(const Value* v) {
  const uint32_t w = wildcard(v->type);
  if (w == kNone) return kNone;
  element_of(v);
  made_wildcard_.push_back(v);
  return w;
}
void PyTorchAliasDb::point(const Value* from, const Value* to) {
  if (aliases_nothing(from) || aliases_nothing(to)) {
    fresh(from);
    fresh(to);
    return;
  }
  if (from == to || !is_mutable(from) || !is_mutable(to)) return;
  const uint32_t f = element_of(from), t = element_of(to);
  auto& targets = elements_[f].points_to;
  if (std::find(targets.begin(), targets.end(), t) == targets.end()) targets.push_back(t);
}
void PyTorchAliasDb::point_all(const std::vector<Value*>& from, size_t skip_from,
                               const std::vector<Value*>& to, size_t skip_to) {
  for (size_t i = 0; i + skip_from < from.size() && i + skip_to < to.size(); ++i)
    point(from[i + skip_from], to[i + skip_to]);
}
void PyTorchAliasDb::register_write(const Value* v, const Node* n, bool contents) {
  if (is_mutable(v)) registered_[n].push_back({v, contents});
}

// ---- nodes ----

PyTorchAliasDb::PyTorchAliasDb(Graph& g) : graph_(g) {
  for (Value* v : g.inputs()) set_wildcard(v);
  analyze(g.block());
  settle();
}

void PyTorchAliasDb::analyze(Block* b) {
  check_stack();
  for (Node* n : b->nodes()) analyze(n);
}

void PyTorchAliasDb::analyze(Node* n) {
  const Symbol k = n->kind;
  if (k == prim::If) {
    for (Block* b : n->blocks) analyze(b);
    for (size_t i = 0; i < n->outputs.size(); ++i)
      for (Block* b : n->blocks) point(n->outputs[i], b->outputs()[i]);
  } else if (k == prim::Loop) {
    Block* b = n->blocks[0];
    point_all(b->inputs(), 1, n->inputs, 2);
    analyze(b);
    point_all(n->outputs, 0, b->outputs(), 1);
  } else if (k == prim::Constant || k == prim::Uninitialized || k == prim::CreateObject ||
             k == prim::tolist || k == prim::EmptyListLiteral || k == prim::Closure ||
             is(n, "prim::AutogradZero") || is(n, "prim::AutogradAdd") ||
             is(n, "prim::FusedConcat") || is(n, "prim::MMTreeReduce") ||
             is(n, "prim::MMBatchSide") || is(n, "prim::BroadcastSizes") ||
             is(n, "prim::ChunkSizes") || is(n, "prim::TensorExprGroup") ||
             is(n, "prim::StaticSubgraph")) {
    for (Value* v : n->outputs) fresh(v);
  } else if (k == prim::ListConstruct || k == prim::TupleConstruct || k == prim::DictConstruct) {
    analyze_container(n);
  } else if (k == prim::TupleUnpack || k == prim::TupleIndex || k == prim::TupleSlice ||
             k == prim::ListUnpack || k == prim::GetAttr || k.view().substr(0, 1) == "^") {
    for (Value* v : n->outputs) set_wildcard(v);
  } else if (k == prim::unchecked_cast || k == prim::unchecked_unwrap_optional ||
             is(n, "prim::profile") || is(n, "prim::profile_ivalue") || is(n, "prim::Guard")) {
    if (!n->outputs.empty() && !n->inputs.empty()) point(n->outputs[0], n->inputs[0]);
  } else if (is(n, "prim::ConstantChunk")) {
    for (Value* v : n->outputs) point(v, n->inputs[0]);
  } else if (is(n, "prim::TypeCheck") || is(n, "prim::RequiresGradCheck") ||
             is(n, "prim::BroadcastMKLDNNTensors")) {
    point_all(n->outputs, 0, n->inputs, 0);
  } else if (is(n, "prim::GradOf") && n->blocks.size() == 1) {
    analyze(n->blocks[0]);
    point_all(n->outputs, 0, n->blocks[0]->outputs(), 0);
  } else if (k == prim::SetAttr) {
    register_write(n->inputs[0], n);
    set_wildcard(n->inputs[1]);
  } else if (k == prim::fork || k == prim::awaitable) {
    for (Value* v : n->inputs) set_wildcard(v);
    for (Value* v : n->outputs) fresh(v);
  } else if (is(n, "aten::wait") || k == prim::awaitable_wait) {
    for (Value* v : n->outputs) set_wildcard(v);
    waits_.push_back(n);
  } else if (is(n, "aten::batch_norm") || is(n, "aten::instance_norm")) {
    for (Value* v : n->outputs) fresh(v);
    if (n->inputs.size() < 6) return;
    auto training = constant_value(n->inputs[5]);
    if (training && training->isBool() && !training->toBool()) return;
    register_write(n->inputs[3], n);
    register_write(n->inputs[4], n);
  } else if (k == prim::Print || k == prim::isinstance) {
    // Nothing: their outputs, where there are any, are immutable.
  } else if (n->find(Symbol("Subgraph"))) {
    analyze_subgraph(n);
  } else if (n->op && !has_side_effects(n)) {
    analyze_schema(n);
  } else {
    unknown_effects(n);
  }
}

void PyTorchAliasDb::analyze_container(Node* n) {
  Value* container = n->output();
  if (!is_mutable(container)) return;
  if (keeps_its_elements(container, graph_)) {
    fresh(container, false);
    const uint32_t c = element_of(container);
    for (Value* v : n->inputs) {
      if (!is_mutable(v)) continue;
      const uint32_t e = element_of(v);
      elements_[c].contains.push_back(e);
    }
    return;
  }
  fresh(container);
  const uint32_t c = element_of(container);
  for (Value* v : n->inputs) {
    const uint32_t w = set_wildcard(v);
    if (w == kNone) continue;
    auto& in = elements_[c].contains;
    if (std::find(in.begin(), in.end(), w) == in.end()) in.push_back(w);
  }
}

void PyTorchAliasDb::analyze_subgraph(Node* n) {
  Block* b = n->find(Symbol("Subgraph"))->graph->block();
  point_all(b->inputs(), 0, n->inputs, 0);
  analyze(b);
  point_all(n->outputs, 0, b->outputs(), 0);
}

void PyTorchAliasDb::unknown_effects(Node* n) {
  for (Value* v : n->inputs) {
    register_write(v, n, true);
    set_wildcard(v);
  }
  for (Value* v : n->outputs) set_wildcard(v);
  for (Block* b : n->blocks) analyze(b);
}

void PyTorchAliasDb::analyze_schema(Node* n) {
  const FunctionSchema& s = n->op->schema();
  std::vector<std::pair<std::string_view, Value*>> bound;
  auto find = [&](std::string_view set) {
    auto it = std::find_if(bound.begin(), bound.end(), [&](auto& b) { return b.first == set; });
    return it == bound.end() ? nullptr : it->second;
  };
  for (size_t i = 0; i < s.arguments.size() && i < n->inputs.size(); ++i) {
    const AliasInfo& a = s.arguments[i].alias;
    Value* v = n->inputs[i];
    if (!a || !is_mutable(v) || find(a.before)) continue;
    bound.emplace_back(a.before, v);
    if (a.is_write) register_write(v, n);
    if (a.after == "*") set_wildcard(v);
  }
  for (size_t i = 0; i < n->outputs.size(); ++i) {
    Value* v = n->outputs[i];
    const AliasInfo none, &a = i < s.returns.size() ? s.returns[i].alias : none;
    if (!a) {
      fresh(v);
      continue;
    }
    if (!is_mutable(v)) continue;
    if (a.before == "*") {
      set_wildcard(v);
      continue;
    }
    bool found = false;
    for (std::string_view rest = a.before; !rest.empty();) {
      const size_t bar = rest.find('|');
      if (Value* to = find(rest.substr(0, bar))) {
        point(v, to);
        found = true;
      }
      rest = bar == std::string_view::npos ? "" : rest.substr(bar + 1);
    }
    if (!found) fresh(v);
    if (a.is_write) register_write(v, n);
  }
}

// Wildcards are set when all pointers are known: the ends of a value's pointers come to point to
// the wildcard of the value's type, and so does every value of that type that shares an end.
void PyTorchAliasDb::settle() {
  std::unordered_map<uint32_t, std::unordered_set<uint32_t>> edited;
  for (uint32_t e = 0; e < elements_.size(); ++e) locations(e);
  for (const Value* v : made_wildcard_) {
    const uint32_t w = known_wildcard(v->type);
    const Locations& ends = locations(of_.at(v));
    edited[w].insert(ends.begin(), ends.end());
  }
  for (Element& e : elements_) {
    if (!e.value) continue;
    const uint32_t w = known_wildcard(e.value->type);
    auto it = edited.find(w);
    if (w == kNone || it == edited.end() || !intersects(e.locations, it->second)) continue;
    auto at = std::lower_bound(e.locations.begin(), e.locations.end(), w);
    if (at == e.locations.end() || *at != w) e.locations.insert(at, w);
  }
  for (auto& [n, writes] : registered_)
    for (const Write& w : writes) {
      auto& to = writes_[n];
      if (w.contents) {
        collect(of_.at(w.value), to);
      } else {
        const Locations& ends = locations(of_.at(w.value));
        to.insert(ends.begin(), ends.end());
      }
    }
  for (const Node* n : waits_)
    writes_[n].insert(wildcard_elements_.begin(), wildcard_elements_.end());
  for (auto& [n, locs] : writes_)
    for (uint32_t l : locs) ++writers_[l];
  registered_.clear();
}

// ---- questions ----

const PyTorchAliasDb::Locations& PyTorchAliasDb::locations(uint32_t element) {
  Element& e = elements_[element];
  if (e.known) return e.locations;
  std::unordered_set<uint32_t> seen{element};
  std::vector<uint32_t> work{element};
  while (!work.empty()) {
    const uint32_t at = work.back();
    work.pop_back();
    if (elements_[at].points_to.empty()) e.locations.push_back(at);
    for (uint32_t to : elements_[at].points_to)
      if (seen.insert(to).second) work.push_back(to);
  }
  std::sort(e.locations.begin(), e.locations.end());
  e.known = true;
  return e.locations;
}
void PyTorchAliasDb::collect(uint32_t element, std::unordered_set<uint32_t>& into) {
  std::vector<uint32_t> work{element};
  while (!work.empty()) {
    const uint32_t at = work.back();
    work.pop_back();
    if (!into.insert(at).second) continue;
    const Locations& ends = locations(at);
    work.insert(work.end(), ends.begin(), ends.end());
    work.insert(work.end(), elements_[at].contains.begin(), elements_[at].contains.end());
  }
}
bool PyTorchAliasDb::may_alias(const Value* a, const Value* b) {
  if (!is_mutable(a) || !is_mutable(b)) return false;
  const Locations& x = locations(element_of(a));
  std::unordered_set<uint32_t> y(x.begin(), x.end());
  return intersects(locations(element_of(b)), y);
}
bool PyTorchAliasDb::may_contain_alias(const std::vector<Value*>& values, const Value* b) {
  if (!is_mutable(b)) return false;
  std::unordered_set<uint32_t> x, y;
  collect(element_of(b), y);
  for (const Value* v : values)
    if (is_mutable(v)) collect(element_of(v), x);
  return intersects(x, y);
}
bool PyTorchAliasDb::has_writers(const Value* v) {
  auto it = of_.find(v);
  return !v->node->must_be_none() && it != of_.end() && intersects(locations(it->second), writers_);
}
void PyTorchAliasDb::add_writes(const Node* n, std::unordered_set<uint32_t>& into) const {
  check_stack();
  auto it = writes_.find(n);
  if (it != writes_.end()) into.insert(it->second.begin(), it->second.end());
  for (Block* b : n->blocks)
    for (Node* m : b->nodes()) add_writes(m, into);
}
void PyTorchAliasDb::add_reads(const Node* n, std::unordered_set<uint32_t>& into) {
  check_stack();
  for (const Value* v : n->inputs) {
    auto it = of_.find(v);
    if (it != of_.end()) collect(it->second, into);
  }
  for (Block* b : n->blocks)
    for (Node* m : b->nodes()) add_reads(m, into);
}
bool PyTorchAliasDb::writes_to_alias(const Node* n, const std::vector<Value*>& values) {
  std::unordered_set<uint32_t> written;
  add_writes(n, written);
  if (written.empty()) return false;
  return std::any_of(values.begin(), values.end(), [&](const Value* v) {
    auto it = of_.find(v);
    return it != of_.end() && intersects(locations(it->second), written);
  });
}
bool PyTorchAliasDb::writes_to_wildcard(const Node* n) const {
  auto it = writes_.find(n);
  return it != writes_.end() && intersects(it->second, wildcard_elements_);
}

// ---- moves ----

struct PyTorchAliasDb::Effects {
  std::unordered_set<uint32_t> reads, writes;
  bool conflicts(const Effects& o) const {
    return intersects(reads, o.writes) || intersects(writes, o.reads);
  }
  void add(const Effects& o) {
    reads.insert(o.reads.begin(), o.reads.end());
    writes.insert(o.writes.begin(), o.writes.end());
  }
};

PyTorchAliasDb::Effects PyTorchAliasDb::effects(const Node* n) {
  Effects e;
  add_reads(n, e.reads);
  add_writes(n, e.writes);
  return e;
}

// The node that moves, and those after it that have to stay behind it.
class PyTorchAliasDb::Moving {
 public:
  Moving(PyTorchAliasDb& db, Node* n) : db_(db), effects_(db.effects(n)) { add_users(n, users_); }
  bool depends(Node* n) {
    const Effects e = db_.effects(n);
    return (with_mover_ && (users_.count(n) || effects_.conflicts(e))) || behind_users_.count(n) ||
           behind_effects_.conflicts(e);
  }
  void add(Node* n) {
    behind.push_back(n);
    add_users(n, behind_users_);
    behind_effects_.add(db_.effects(n));
  }
  void leave_out_mover() { with_mover_ = false; }
  std::vector<Node*> behind;

 private:
  // Users in the block of n: of a use in a nested block, the node there that holds it.
  static void add_users(const Node* n, std::unordered_set<const Node*>& users) {
    for (const Value* v : n->outputs)
      for (const Use& u : v->uses) {
        const Node* at = u.user;
        while (at && at->owner != n->owner) at = at->owner ? at->owner->owning_node : nullptr;
        if (at) users.insert(at);
      }
  }
  PyTorchAliasDb& db_;
  Effects effects_, behind_effects_;
  std::unordered_set<const Node*> users_, behind_users_;
  bool with_mover_ = true;
};

bool PyTorchAliasDb::move_before(Node* n, Node* at) {
  if (n->owner != at->owner) return false;
  if (n == at || n->next == at) return true;
  if (has_side_effects(n)) return false;
  Moving set(*this, n);
  for (Node* x = n->next; x != at; x = x->next) {
    if (x == n->owner->ret || has_side_effects(x)) return false;
    if (set.depends(x)) set.add(x);
  }
  set.leave_out_mover();
  if (set.depends(at)) return false;
  n->move_before(at);
  for (Node* x : set.behind) {
    x->move_after(at);
    at = x;
  }
  return true;
}

void PyTorchAliasDb::replace(const Value* old, const Value* now) {
  auto it = of_.find(old);
  if (it == of_.end()) return;
  const uint32_t e = it->second;
  of_[now] = e;
  elements_[e].value = now;
  of_[old] = make(old);
}
void PyTorchAliasDb::forget_writes(const Node* n) {
  auto it = writes_.find(n);
  if (it == writes_.end()) return;
  for (uint32_t l : it->second)
    if (--writers_[l] == 0) writers_.erase(l);
  writes_.erase(it);
}

}  // namespace sconce
