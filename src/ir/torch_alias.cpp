// SPDX-License-Identifier: Apache-2.0
// Order: the graph is walked once, which gives elements, pointers and writes; then what is a
// wildcard joins its type's; then the places that each node writes are collected. PyTorch's
// ir/alias_analysis.cpp and utils/memory_dag.cpp have the same steps.
#include "ir/torch_alias.h"

#include <algorithm>

#include "core/op_table.h"
#include "ir/alias.h"
#include "ir/cleanup.h"
#include "support/stack.h"

namespace sconce {

namespace {

bool meet(const std::set<uint32_t>& a, const std::set<uint32_t>& b) {
  const auto& few = a.size() < b.size() ? a : b;
  const auto& many = a.size() < b.size() ? b : a;
  return std::any_of(few.begin(), few.end(), [&](uint32_t x) { return many.count(x) != 0; });
}

// Kinds that PyTorch's Node::hasSideEffects names, or that change nothing whatever their operator
// says: the others with effects are operators whose schema doesn't tell what they do.
bool tells_its_effects(const Node* n) {
  static const auto* kinds = new std::unordered_set<std::string_view>{
      "prim::Print",       "prim::RaiseException", "aten::warn",     "aten::save",
      "aten::manual_seed", "prim::AddStatValue",   "prim::TimePoint"};
  return kinds->count(n->kind.view()) != 0;
}

bool creates(const Node* n) {
  static const auto* kinds = new std::unordered_set<std::string_view>{
      "prim::TensorExprGroup", "prim::TensorExprDynamicGroup",
      "prim::MKLDNNGroup",     "prim::ConstantMKLDNNTensor",
      "prim::StaticSubgraph",  "prim::Constant",
      "prim::AutogradZero",    "prim::AutogradAdd",
      "prim::FusedConcat",     "prim::MMTreeReduce",
      "prim::MMBatchSide",     "prim::BroadcastSizes",
      "prim::ChunkSizes",      "prim::EmptyListLiteral",
      "prim::Closure",         "prim::CreateObject",
      "prim::tolist",          "prim::Uninitialized"};
  return kinds->count(n->kind.view()) != 0;
}

bool extracts(const Node* n) {
  return n->kind == prim::TupleUnpack || n->kind == prim::TupleIndex ||
         n->kind == prim::TupleSlice || n->kind == prim::ListUnpack || n->kind == prim::GetAttr ||
         n->kind.view() == "prim::PythonOp";
}

bool runs_subgraph(const Node* n) {
  static const auto* kinds = new std::unordered_set<std::string_view>{
      "prim::FusionGroup",     "prim::CudaFusionGroup",     "prim::oneDNNFusionGroup",
      "prim::FunctionalGraph", "prim::DifferentiableGraph", "prim::FallbackGraph"};
  return kinds->count(n->kind.view()) != 0;
}

}  // namespace

bool torch_side_effects(const Node* n) {
  static const Symbol grad("aten::grad");
  return n->kind == prim::SetAttr || (has_side_effects(n) && n->kind != grad);
}

bool torch_nondeterministic(const Node* n) {
  static const auto* kinds = new std::unordered_set<std::string_view>{
      "dropout", "_fused_dropout", "_standard_gamma", "bernoulli",        "multinomial",
      "normal",  "native_dropout", "poisson",         "binomial",         "rrelu",
      "rand",    "rand_like",      "randint",         "rrelu_with_noise", "randint_like",
      "randn",   "randn_like",     "randperm"};
  if (!n->kind.is_aten() || !kinds->count(n->kind.unqualified())) return false;
  if (n->kind.unqualified() != "dropout" || n->inputs.size() < 3) return true;
  auto train = constant_value(n->inputs[2]);
  return !train || !train->isBool() || train->toBool();
}

// ---- types ----

TypePtr TorchAliasDb::single(const std::vector<TypePtr>& types) const {
  return types.size() == 1 ? types[0] : graph_.types->make(TypeKind::Union, types);
}

std::vector<TypePtr> TorchAliasDb::compute_alias_types(TypePtr t) const {
  check_stack();
  switch (t->kind) {
    case TypeKind::Tensor:
    case TypeKind::List:
    case TypeKind::Dict:
    case TypeKind::Class: return {unshaped(t, *graph_.types)};
    case TypeKind::Any: return {t};
    case TypeKind::Optional: return alias_types(t->elems[0]);
    case TypeKind::Future:
    case TypeKind::Await: {
      const auto& inner = alias_types(t->elems[0]);
      if (inner.empty()) return {};
      return {graph_.types->make(t->kind, {single(inner)})};
    }
    case TypeKind::Union:
    case TypeKind::Tuple: {
      std::vector<TypePtr> all;
      for (TypePtr e : t->elems) {
        const auto& inner = alias_types(e);
        all.insert(all.end(), inner.begin(), inner.end());
      }
      if (t->kind == TypeKind::Union || all.empty()) return all;
      return {graph_.types->tuple(all)};
    }
    default: return {};
  }
}

const std::vector<TypePtr>& TorchAliasDb::alias_types(TypePtr t) const {
  auto it = alias_types_.find(t);
  if (it == alias_types_.end()) {
    std::vector<TypePtr> types = compute_alias_types(t);
    it = alias_types_.emplace(t, std::move(types)).first;
  }
  return it->second;
}

bool TorchAliasDb::is_mutable_type(TypePtr t) {
  check_stack();
  switch (t->kind) {
    case TypeKind::Tensor:
    case TypeKind::List:
    case TypeKind::Dict:
    case TypeKind::Class:
    case TypeKind::Any: return true;
    case TypeKind::Optional:
    case TypeKind::Future:
    case TypeKind::Await:
    case TypeKind::Union:
    case TypeKind::Tuple: return std::any_of(t->elems.begin(), t->elems.end(), is_mutable_type);
    default: return false;
  }
}

// ---- elements ----

uint32_t TorchAliasDb::new_element(const Value* v) {
  elements_.emplace_back();
  elements_.back().value = v;
  return static_cast<uint32_t>(elements_.size() - 1);
}
uint32_t TorchAliasDb::element(const Value* v) {
  fresh(v);
  return element_of_.at(v);
}
void TorchAliasDb::fresh(const Value* v, bool with_contents) {
  const auto& types = alias_types(v->type);
  if (types.empty() || element_of_.count(v)) return;
  uint32_t e = new_element(v);
  element_of_[v] = e;
  if (with_contents) fill(e, types);
}
// A new element of a union points to its members' wildcards, one of a container contains its
// elements'.
void TorchAliasDb::fill(uint32_t e, const std::vector<TypePtr>& types) {
  check_stack();
  if (types.size() > 1) {
    for (TypePtr t : types)
      if (int64_t w = make_wildcard(t); w >= 0)
        elements_[e].points_to.insert(static_cast<uint32_t>(w));
    return;
  }
  std::vector<TypePtr> parts = types[0]->elems;
  if (types[0]->kind == TypeKind::Class)
    for (auto& a : static_cast<const ClassType*>(types[0])->attributes) parts.push_back(a.type);
  for (TypePtr t : parts)
    if (int64_t w = t ? make_wildcard(t) : -1; w >= 0)
      elements_[e].contains.insert(static_cast<uint32_t>(w));
}
int64_t TorchAliasDb::find_wildcard(TypePtr t) const {
  const auto& types = alias_types(t);
  if (types.empty()) return -1;
  auto it = wildcards_.find(single(types));
  return it == wildcards_.end() ? -1 : static_cast<int64_t>(it->second);
}
int64_t TorchAliasDb::make_wildcard(TypePtr t) {
  const auto& types = alias_types(t);
  if (types.empty()) return -1;
  if (int64_t known = find_wildcard(t); known >= 0) return known;
  uint32_t e = new_element(nullptr);
  wildcards_.emplace(single(types), e);
  fill(e, types);
  return e;
}
int64_t TorchAliasDb::set_wildcard(const Value* v) {
  int64_t w = make_wildcard(v->type);
  if (w < 0) return w;
  element(v);
  if (wild_seen_.insert(v).second) wild_values_.push_back(v);
  return w;
}
void TorchAliasDb::point(const Value* from, const Value* to) {
  // None and what is never read may stand for a mutable value, and never are the same as one.
  auto alone = [](const Value* v) {
    return v->type->kind == TypeKind::None || v->node->must_be_none() ||
           v->node->kind == prim::Uninitialized;
  };
  if (alone(from) || alone(to)) {
    fresh(from);
    fresh(to);
    return;
  }
  if (!is_mutable(from) || !is_mutable(to) || from == to) return;
  uint32_t f = element(from), t = element(to);
  elements_[f].points_to.insert(t);
}
void TorchAliasDb::points(const std::vector<Value*>& from, const std::vector<Value*>& to,
                          size_t skip_from, size_t skip_to) {
  for (size_t i = 0; i + skip_from < from.size() && i + skip_to < to.size(); ++i)
    point(from[i + skip_from], to[i + skip_to]);
}
void TorchAliasDb::write(const Value* v, const Node* n) {
  if (is_mutable(v)) writes_[n].push_back(v);
}

// ---- nodes ----

TorchAliasDb::TorchAliasDb(Graph& g) : graph_(g) {
  for (Value* v : g.inputs()) set_wildcard(v);
  analyze(g.block());
  join_wildcards();
  for (auto& [n, values] : writes_)
    for (const Value* v : values) {
      fresh(v);
      const Places& p = places(element_of_.at(v));
      written_by_[n].insert(p.begin(), p.end());
    }
  for (auto& [n, values] : writes_contained_)
    for (const Value* v : values) contained(element_of_.at(v), written_by_[n]);
  for (const Node* n : writes_all_wildcards_)
    for (auto& [type, e] : wildcards_) written_by_[n].insert(e);
  for (auto& [n, p] : written_by_) written_.insert(p.begin(), p.end());
}

void TorchAliasDb::analyze(const Block* b) {
  check_stack();
  for (const Node* n = b->first(); n != b->ret; n = n->next) analyze(n);
}

void TorchAliasDb::analyze(const Node* n) {
  const Symbol k = n->kind;
  const std::string_view name = k.view();
  if (k == prim::If) {
    for (Block* b : n->blocks) analyze(b);
    for (size_t i = 0; i < n->outputs.size(); ++i)
      for (Block* b : n->blocks) point(n->outputs[i], b->outputs()[i]);
  } else if (k == prim::Loop) {
    Block* b = n->blocks[0];
    points(b->inputs(), n->inputs, 1, 2);
    analyze(b);
    points(n->outputs, b->outputs(), 0, 1);
  } else if (name == "prim::GradOf") {
    for (Block* b : n->blocks) analyze(b);
    if (!n->blocks.empty()) points(n->outputs, n->blocks[0]->outputs(), 0, 0);
  } else if (runs_subgraph(n) && subgraph(n)) {
    Block* b = subgraph(n)->block();
    points(b->inputs(), n->inputs, 0, 0);
    analyze(b);
    points(n->outputs, b->outputs(), 0, 0);
  } else if (k == prim::fork || k == prim::awaitable || name == "prim::rpc_async" ||
             name == "prim::rpc_sync" || name == "prim::rpc_remote") {
    for (Value* v : n->inputs) set_wildcard(v);
    for (Value* v : n->outputs) fresh(v);
  } else if (name == "aten::wait" || k == prim::awaitable_wait) {
    for (Value* v : n->outputs) set_wildcard(v);
    writes_all_wildcards_.insert(n);
  } else if (name == "aten::batch_norm" || name == "aten::instance_norm") {
    for (Value* v : n->outputs) fresh(v);
    if (writes_statistics(n))
      for (size_t i : {size_t{3}, size_t{4}}) write(n->inputs[i], n);
  } else if (creates(n)) {
    for (Value* v : n->outputs) fresh(v);
  } else if (k == prim::TupleConstruct || k == prim::DictConstruct || k == prim::ListConstruct) {
    container(n);
  } else if (extracts(n)) {
    for (Value* v : n->outputs) set_wildcard(v);
  } else if (k == prim::unchecked_cast || name == "prim::profile_ivalue" ||
             name == "prim::profile" || name == "prim::Guard" || name == "prim::TypeCheck" ||
             name == "prim::RequiresGradCheck" || name == "prim::BroadcastMKLDNNTensors") {
    points(n->outputs, n->inputs, 0, 0);
  } else if (name == "prim::ConstantChunk") {
    for (Value* v : n->outputs) point(v, n->inputs[0]);
  } else if (k == prim::SetAttr) {
    write(n->inputs[0], n);
    set_wildcard(n->inputs[1]);
  } else if (k == prim::CallFunction || k == prim::CallMethod || k == prim::Enter ||
             k == prim::Exit) {
    conservative(n);
  } else if (k == prim::Print || k == prim::isinstance) {
    return;
  } else if (!n->op || (has_side_effects(n) && !tells_its_effects(n))) {
    conservative(n);
  } else {
    by_schema(n);
  }
}

// May write whatever it can reach; what it returns may be anything.
void TorchAliasDb::conservative(const Node* n) {
  for (Block* b : n->blocks) analyze(b);
  for (Value* v : n->inputs) {
    if (!is_mutable(v)) continue;
    set_wildcard(v);
    writes_contained_[n].push_back(v);
  }
  for (Value* v : n->outputs) set_wildcard(v);
}

bool TorchAliasDb::escapes_with_container(const Value* c) const {
  if (c->uses.size() != 1) return true;
  const Node* user = c->uses[0].user;
  if (user->kind == prim::Return)
    return user->owner != graph_.block() ||
           (c->type->kind != TypeKind::List && c->type->kind != TypeKind::Tuple);
  static const auto* kinds = new std::unordered_set<std::string_view>{
      "aten::cat",   "aten::broadcast_tensors", "aten::stack", "aten::vstack", "aten::hstack",
      "aten::dstack"};
  return c->type->kind != TypeKind::List || !kinds->count(user->kind.view());
}

void TorchAliasDb::container(const Node* n) {
  Value* out = n->output();
  if (!is_mutable(out)) return;
  if (!escapes_with_container(out)) {
    fresh(out, false);
    for (Value* v : n->inputs) {
      if (!is_mutable(v)) continue;
      uint32_t inner = element(v);
      elements_[element(out)].contains.insert(inner);
    }
    return;
  }
  fresh(out);
  for (Value* v : n->inputs)
    if (int64_t w = set_wildcard(v); w >= 0)
      elements_[element(out)].contains.insert(static_cast<uint32_t>(w));
}

void TorchAliasDb::by_schema(const Node* n) {
  const FunctionSchema& s = n->op->schema();
  std::unordered_map<std::string, const Value*> actual;
  for (size_t i = 0; i < s.arguments.size() && i < n->inputs.size(); ++i) {
    const Value* v = n->inputs[i];
    const AliasInfo& a = s.arguments[i].alias ? s.arguments[i].alias : s.arguments[i].element_alias;
    if (!a || !is_mutable(v) || !actual.emplace(a.before, v).second) continue;
    if (a.is_write) write(v, n);
    if (a.after == "*") set_wildcard(v);
  }
  for (size_t i = 0; i < n->outputs.size(); ++i) {
    const Value* v = n->outputs[i];
    if (i >= s.returns.size()) {
      fresh(v);
      continue;
    }
    const AliasInfo& a = s.returns[i].alias ? s.returns[i].alias : s.returns[i].element_alias;
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
    for (size_t at = 0; at <= a.before.size();) {
      size_t bar = std::min(a.before.find('|', at), a.before.size());
      auto it = actual.find(a.before.substr(at, bar - at));
      if (it != actual.end()) {
        point(v, it->second);
        found = true;
      }
      at = bar + 1;
    }
    if (!found) fresh(v);
    if (a.is_write) write(v, n);
  }
}

// ---- places ----

const TorchAliasDb::Places& TorchAliasDb::places(uint32_t i) const {
  check_stack();
  const Element& e = elements_[i];
  if (e.known) return e.places;
  e.known = true;  // a cycle of pointers ends here
  Places p;
  if (e.points_to.empty()) p.insert(i);
  for (uint32_t to : e.points_to)
    if (to != i) {
      const Places& more = places(to);
      p.insert(more.begin(), more.end());
    }
  e.places = std::move(p);
  return e.places;
}

// Each place of a wild value points to its type's wildcard. Places are known by then, so what
// pointed to such a place is told afterwards.
void TorchAliasDb::join_wildcards() {
  std::unordered_map<uint32_t, Places> joined;
  std::vector<std::pair<uint32_t, uint32_t>> pointers;
  for (const Value* v : wild_values_) {
    auto w = static_cast<uint32_t>(find_wildcard(v->type));
    const Places& all = places(element_of_.at(v));
    for (uint32_t p : all)
      if (p != w) {
        places(p);
        pointers.emplace_back(p, w);
      }
    joined[w].insert(all.begin(), all.end());
  }
  for (auto& [from, to] : pointers) elements_[from].points_to.insert(to);
  for (size_t i = 0; i < elements_.size(); ++i) {
    const Element& e = elements_[i];
    if (!e.value) continue;
    int64_t w = find_wildcard(e.value->type);
    auto it = w < 0 ? joined.end() : joined.find(static_cast<uint32_t>(w));
    if (it != joined.end() && meet(places(static_cast<uint32_t>(i)), it->second))
      e.places.insert(static_cast<uint32_t>(w));
  }
}

void TorchAliasDb::contained(uint32_t i, Places& all) const {
  check_stack();
  if (!all.insert(i).second) return;
  for (uint32_t p : places(i)) contained(p, all);
  for (uint32_t p : elements_[i].contains) contained(p, all);
}
TorchAliasDb::Places TorchAliasDb::contained(const std::vector<Value*>& values) const {
  Places all;
  for (const Value* v : values)
    if (auto it = element_of_.find(v); it != element_of_.end()) contained(it->second, all);
  return all;
}

// ---- questions ----

bool TorchAliasDb::has_writers(const Value* v) const {
  if (written_.empty() || v->type->kind == TypeKind::None || v->node->must_be_none()) return false;
  auto it = element_of_.find(v);
  return it != element_of_.end() && meet(written_, places(it->second));
}
bool TorchAliasDb::has_writers(const std::vector<Value*>& values) const {
  return std::any_of(values.begin(), values.end(), [&](const Value* v) { return has_writers(v); });
}
bool TorchAliasDb::has_writers(const Node* n) const {
  return has_writers(n->inputs) || has_writers(n->outputs);
}
void TorchAliasDb::add_writes(const Node* n, Places& all) const {
  check_stack();
  if (auto it = written_by_.find(n); it != written_by_.end())
    all.insert(it->second.begin(), it->second.end());
  for (Block* b : n->blocks)
    for (Node* m : b->nodes()) add_writes(m, all);
}
void TorchAliasDb::add_reads(const Node* n, Places& all) const {
  check_stack();
  for (const Value* v : n->inputs)
    if (auto it = element_of_.find(v); it != element_of_.end()) contained(it->second, all);
  for (Block* b : n->blocks)
    for (Node* m : b->nodes()) add_reads(m, all);
}
bool TorchAliasDb::writes_to_alias(const Node* n,
                                   const std::unordered_set<const Value*>& values) const {
  if (written_.empty()) return false;
  Places all;
  add_writes(n, all);
  if (all.empty()) return false;
  for (const Value* v : values)
    if (auto it = element_of_.find(v); it != element_of_.end() && meet(all, places(it->second)))
      return true;
  return false;
}
bool TorchAliasDb::writes_to_wildcard(const Node* n) const {
  auto it = written_by_.find(n);
  if (it == written_by_.end()) return false;
  return std::any_of(wildcards_.begin(), wildcards_.end(),
                     [&](auto& w) { return it->second.count(w.second) != 0; });
}
bool TorchAliasDb::may_alias(const std::unordered_set<const Value*>& a,
                             const std::unordered_set<const Value*>& b) const {
  Places all;
  for (const Value* v : a)
    if (auto it = element_of_.find(v); it != element_of_.end())
      all.insert(places(it->second).begin(), places(it->second).end());
  return std::any_of(b.begin(), b.end(), [&](const Value* v) {
    auto it = element_of_.find(v);
    return it != element_of_.end() && meet(all, places(it->second));
  });
}
bool TorchAliasDb::may_contain_alias(const std::vector<Value*>& a,
                                     const std::vector<Value*>& b) const {
  return meet(contained(a), contained(b));
}
void TorchAliasDb::replace(const Value* old, const Value* now) {
  auto it = element_of_.find(old);
  if (it == element_of_.end()) return;
  const uint32_t e = it->second;
  elements_[e].value = now;
  element_of_[now] = e;
  element_of_[old] = new_element(old);
}
bool TorchAliasDb::escapes(const std::vector<Value*>& values) const {
  Places all = contained(values);
  if (meet(all, contained(graph_.inputs())) || meet(all, contained(graph_.outputs()))) return true;
  return std::any_of(values.begin(), values.end(), [&](const Value* v) {
    int64_t w = find_wildcard(v->type);
    auto it = element_of_.find(v);
    return w >= 0 && it != element_of_.end() &&
           meet(places(it->second), places(static_cast<uint32_t>(w)));
  });
}
bool TorchAliasDb::may_unite(const std::vector<Value*>& a, const std::vector<Value*>& b) const {
  if (has_writers(a) || has_writers(b)) return false;
  return !(escapes(a) && escapes(b));
}

// ---- moving ----

// Nodes that have to be moved along: the first, and whatever stands between it and its goal that
// needs one of them or that one of them needs.
class TorchAliasDb::Moving {
 public:
  Moving(Node* n, const TorchAliasDb& db) : db_(db), mover_(n) {
    users(n, mover_users_);
    db.add_writes(n, mover_writes_);
    db.add_reads(n, mover_reads_);
  }
  void add(Node* n) {
    nodes_.push_back(n);
    members_.insert(n);
    users(n, users_);
    db_.add_writes(n, writes_);
    db_.add_reads(n, reads_);
  }
  void drop_mover() {
    mover_ = nullptr;
    mover_users_.clear();
    mover_writes_.clear();
    mover_reads_.clear();
  }
  const std::vector<Node*>& nodes() const { return nodes_; }
  bool depends_on(Node* n) const {
    if (!mover_ && nodes_.empty()) return false;
    if (is_before(mover_ ? mover_ : nodes_.front(), n) ? mover_users_.count(n) || users_.count(n)
                                                       : consumes(n))
      return true;
    Places writes, reads;
    db_.add_writes(n, writes);
    if (meet(reads_, writes) || meet(mover_reads_, writes)) return true;
    if (writes_.empty() && mover_writes_.empty()) return false;
    db_.add_reads(n, reads);
    return meet(writes_, reads) || meet(mover_writes_, reads);
  }

 private:
  bool consumes(Node* n) const {
    std::unordered_set<Node*> of_n;
    users(n, of_n);
    return (mover_ && of_n.count(mover_)) ||
           std::any_of(of_n.begin(), of_n.end(), [&](Node* u) { return members_.count(u) != 0; });
  }
  // Of n's outputs, in its own block: the node that has the use somewhere in it.
  static void users(Node* n, std::unordered_set<Node*>& all) {
    for (Value* v : n->outputs)
      for (const Use& u : v->uses) {
        Node* at = u.user;
        while (at && at->owner != n->owner) at = at->owner->owning_node;
        if (at) all.insert(at);
      }
  }

  const TorchAliasDb& db_;
  Node* mover_;
  std::vector<Node*> nodes_;
  std::unordered_set<Node*> members_, users_, mover_users_;
  Places writes_, reads_, mover_writes_, mover_reads_;
};

bool TorchAliasDb::try_move(Node* n, Node* point, bool before, bool only_ask) {
  if (n->owner != point->owner) return false;
  if (n == point) return true;
  const bool forward = is_before(n, point);
  auto step = [&](Node* at) { return forward ? at->next : at->prev; };
  const bool split = before == forward;  // n stays on its side; what needs it goes to the other
  Node* at = step(n);
  if (split && at == point) return true;
  if (torch_side_effects(n) || (!split && torch_side_effects(point))) return false;
  Moving set(n, *this);
  for (; at != point; at = step(at)) {
    if (torch_side_effects(at)) return false;
    if (set.depends_on(at)) set.add(at);
  }
  if (split) set.drop_mover();
  if (set.depends_on(point)) return false;
  if (only_ask) return true;
  auto move = [](Node* what, Node* where, bool in_front) {
    in_front ? what->move_before(where) : what->move_after(where);
  };
  move(n, point, before);
  if (!split) at = n;
  for (Node* m : set.nodes()) {
    move(m, at, split ? !before : before);
    at = m;
  }
  return true;
}

}  // namespace sconce
