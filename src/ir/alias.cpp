// SPDX-License-Identifier: Apache-2.0
#include "ir/alias.h"

#include <algorithm>

#include "core/op_table.h"
#include "support/stack.h"
#include "support/lasting.h"

namespace sconce {

bool writes_statistics(const Node* n) {
  static const Symbol kinds[] = {Symbol("aten::batch_norm"), Symbol("aten::instance_norm"),
                                 Symbol("aten::native_batch_norm"),
                                 Symbol("aten::_batch_norm_impl_index")};
  if (n->inputs.size() < 6 ||
      std::find(std::begin(kinds), std::end(kinds), n->kind) == std::end(kinds))
    return false;
  auto training = constant_value(n->inputs[5]);
  return !training || !training->isBool() || training->toBool();
}

namespace {
// Nodes that run code which the graph doesn't show: it may write whatever it reaches.
bool runs_other_code(const Node* n) {
  static const Symbol wait("aten::wait");
  Symbol k = n->kind;
  return k == prim::CallMethod || k == prim::CallFunction || k == prim::fork ||
         k == prim::awaitable || k == prim::Enter || k == prim::Exit || k == wait ||
         k == prim::awaitable_wait;
}
}  // namespace

bool is_unknown_operator(const Node* n) {
  return !n->op && !n->kind.is_prim() && !n->kind.is_aten();
}

bool AliasDb::is_mutable_type(TypePtr t) {
  check_stack();
  switch (t->kind) {
    case TypeKind::Tensor:
    case TypeKind::List:
    case TypeKind::Dict:
    case TypeKind::Class:
    case TypeKind::Interface:
    case TypeKind::Any:
    case TypeKind::AnyList:
    case TypeKind::AnyTuple:
    case TypeKind::AnyClass:
    case TypeKind::Future:
    case TypeKind::Await:
    case TypeKind::RRef:
    case TypeKind::Var: return true;
    case TypeKind::Optional:
    case TypeKind::Union:
    case TypeKind::Tuple:
      for (TypePtr e : t->elems)
        if (is_mutable_type(e)) return true;
      return false;
    default: return false;
  }
}

AliasDb::AliasDb(const Graph& g, bool apart) : apart_(apart) {
  for (Value* v : g.inputs())
    if (is_mutable_type(v->type)) add(v, wildcard_of(v->type));
  do {
    changed_ = false;
    analyze(g.block());
    spread_wildcard();
    first_pass_ = false;
  } while (changed_);
  for (const Value* v : g.block()->outputs())
    for (uint32_t l : closure(v)) returned_.insert(l);
}

uint32_t AliasDb::new_loc() {
  locs_.emplace_back();
  return static_cast<uint32_t>(locs_.size() - 1);
}
uint32_t AliasDb::wildcard_of(TypePtr t) {
  check_stack();
  auto it = wildcards_.find(t);
  if (it != wildcards_.end()) return it->second;
  uint32_t l = new_loc();
  locs_[l].wildcard = true;
  wildcards_[t] = l;
  if (t->kind != TypeKind::Class)
    for (TypePtr e : t->elems)
      if (is_mutable_type(e)) {
        uint32_t inner = wildcard_of(e);
        locs_[l].contains.insert(inner);
      }
  return l;
}
const AliasDb::LocSet& AliasDb::of(const Value* v) const {
  static const Lasting<const LocSet> none(new LocSet);
  auto it = points_.find(v);
  return it == points_.end() ? *none : it->second;
}
bool AliasDb::add(const Value* v, uint32_t loc) {
  bool fresh = points_[v].insert(loc).second;
  changed_ |= fresh;
  return fresh;
}
bool AliasDb::add_all(const Value* v, const LocSet& locs) {
  bool any = false;
  LocSet copy = locs;
  for (uint32_t l : copy) any |= add(v, l);
  return any;
}
void AliasDb::fresh(const Value* v) {
  if (!is_mutable_type(v->type)) return;
  auto it = fresh_.find(v);
  if (it == fresh_.end()) it = fresh_.emplace(v, new_loc()).first;
  add(v, it->second);
}
void AliasDb::constant(const Value* v) {
  if (!is_mutable_type(v->type)) return;
  auto known = constant_value(v);
  if (const uint32_t l = known ? constant_loc(*known) : kNone; l != kNone)
    add(v, l);
  else
    fresh(v);
}
// Memory that constants share is one: a tensor by its storage, a container with what it holds. What
// an object holds is reached through its attributes, which are wildcards.
uint32_t AliasDb::constant_loc(const IValue& v) {
  check_stack();
  const void* id = v.box();
  if (v.isTensor())
    id = v.toTensorRef().defined() ? v.toTensorRef().impl()->storage.get() : nullptr;
  if (!id || !(v.isTensor() || v.isList() || v.isTuple() || v.isDict() || v.isObject()))
    return kNone;
  auto known = constants_.find(id);
  if (known != constants_.end()) return known->second;
  const uint32_t l = constants_[id] = new_loc();
  locs_[l].constant = true;
  locs_[l].wildcard = v.isObject();
  auto hold = [&](const IValue& x) {
    if (const uint32_t inner = constant_loc(x); inner != kNone) locs_[l].contains.insert(inner);
  };
  if (v.isList())
    for (auto& x : v.toListRef().items) hold(x);
  if (v.isTuple())
    for (auto& x : v.toTupleRef().items) hold(x);
  if (v.isObject())
    for (auto& x : v.toObjectRef().slots()) hold(x);
  if (v.isDict())
    for (auto& kv : v.toDictRef().items) {
      hold(kv.first);
      hold(kv.second);
    }
  return l;
}
void AliasDb::contain(const Value* container, const LocSet& locs) {
  LocSet copy = locs;
  for (uint32_t c : LocSet(of(container)))
    for (uint32_t l : copy) changed_ |= locs_[c].contains.insert(l).second;
}
void AliasDb::make_wildcard(const Value* v) {
  if (!is_mutable_type(v->type)) return;
  for (uint32_t l : of(v))
    if (!locs_[l].wildcard) {
      locs_[l].wildcard = true;
      changed_ = true;
    }
}
void AliasDb::spread_wildcard() {
  for (bool more = true; more;) {
    more = false;
    for (auto& l : locs_)
      if (l.wildcard)
        for (uint32_t c : l.contains)
          if (!locs_[c].wildcard) locs_[c].wildcard = more = changed_ = true;
  }
}

void AliasDb::analyze(const Block* b) {
  check_stack();
  for (const Node* n = b->first(); n != b->ret; n = n->next) analyze(n);
}

void AliasDb::analyze(const Node* n) {
  auto contents = [&](const Value* v) {
    LocSet r;
    for (uint32_t l : of(v))
      for (uint32_t c : locs_[l].contains) r.insert(c);
    return r;
  };
  auto wild_outputs = [&] {
    for (const Value* o : n->outputs)
      if (is_mutable_type(o->type)) add(o, wildcard_of(o->type));
  };
  Symbol k = n->kind;
  if (k == prim::If) {
    for (Block* b : n->blocks) analyze(b);
    for (size_t i = 0; i < n->outputs.size(); ++i)
      for (Block* b : n->blocks) add_all(n->outputs[i], of(b->outputs()[i]));
    return;
  }
  if (k == prim::Loop) {
    Block* b = n->blocks[0];
    for (size_t i = 0; i < n->outputs.size(); ++i) {
      add_all(b->inputs()[i + 1], of(n->inputs[i + 2]));
      add_all(b->inputs()[i + 1], of(b->outputs()[i + 1]));
    }
    analyze(b);
    for (size_t i = 0; i < n->outputs.size(); ++i) {
      add_all(n->outputs[i], of(n->inputs[i + 2]));
      add_all(n->outputs[i], of(b->outputs()[i + 1]));
    }
    return;
  }
  if (k == prim::Constant) return constant(n->outputs[0]);
  if (k == prim::Uninitialized) {
    fresh(n->outputs[0]);
    return;
  }
  if (k == prim::ListConstruct || k == prim::TupleConstruct || k == prim::DictConstruct) {
    fresh(n->outputs[0]);
    for (const Value* i : n->inputs) contain(n->outputs[0], of(i));
    return;
  }
  if (k == prim::TupleUnpack || k == prim::ListUnpack || k == prim::TupleIndex ||
      k == prim::TupleSlice) {
    LocSet c = contents(n->inputs[0]);
    for (const Value* o : n->outputs)
      if (is_mutable_type(o->type)) add_all(o, c);
    return;
  }
  if (k == prim::unchecked_cast || k == prim::unchecked_unwrap_optional) {
    if (is_mutable_type(n->outputs[0]->type)) add_all(n->outputs[0], of(n->inputs[0]));
    return;
  }
  if (apart_ && k == prim::GetAttr && n->inputs[0]->type->kind == TypeKind::Class &&
      static_cast<const ClassType*>(n->inputs[0]->type)->is_module)
    return fresh(n->outputs[0]);
  if (k == prim::GetAttr || k == prim::ModuleContainerIndex) {
    wild_outputs();
    return;
  }
  if (k == prim::SetAttr) {
    make_wildcard(n->inputs[1]);
    if (first_pass_) writers_.push_back(n);
    return;
  }
  if (k == prim::CreateObject) {
    fresh(n->outputs[0]);
    return;
  }
  bool call = runs_other_code(n) || k == prim::awaitable_nowait || k == prim::Closure ||
              k == prim::forkClosure || k == prim::With;
  if (call || (!n->op && !n->outputs.empty() && k != prim::isinstance && k != prim::tolist &&
               k != prim::EnumName && k != prim::EnumValue)) {
    for (Block* b : n->blocks) analyze(b);
    for (const Value* i : n->inputs) make_wildcard(i);
    wild_outputs();
    if (first_pass_) writers_.push_back(n);
    return;
  }
  if (!n->op) {
    for (const Value* o : n->outputs) fresh(o);
    return;
  }
  const FunctionSchema& s = n->op->schema();
  // The written tensor takes the other's memory, which no schema says.
  static const Symbol set("aten::set_"), set_data("aten::set_data");
  if ((k == set || k == set_data) && n->inputs.size() > 1) {
    make_wildcard(n->inputs[0]);
    make_wildcard(n->inputs[1]);
  }
  if ((s.is_mutable() || writes_statistics(n)) && first_pass_) writers_.push_back(n);
  for (size_t i = 0; i < s.arguments.size() && i < n->inputs.size(); ++i)
    if (s.arguments[i].alias.after == "*") make_wildcard(n->inputs[i]);
  for (size_t o = 0; o < n->outputs.size(); ++o) {
    const Value* out = n->outputs[o];
    if (!is_mutable_type(out->type)) continue;
    if (o >= s.returns.size()) {
      fresh(out);
      continue;
    }
    const AliasInfo &a = s.returns[o].alias, &e = s.returns[o].element_alias;
    if (a.before == "*") {
      // Something out of a container: what it holds, or anything.
      LocSet c = n->inputs.empty() ? LocSet{} : contents(n->inputs[0]);
      if (c.empty())
        add(out, wildcard_of(out->type));
      else
        add_all(out, c);
      continue;
    }
    bool found = false;
    if (a && !e) {
      for (size_t i = 0; i < s.arguments.size() && i < n->inputs.size(); ++i)
        if (s.arguments[i].alias.before == a.before) {
          add_all(out, of(n->inputs[i]));
          found = true;
        }
    }
    if (!found) {
      fresh(out);
      for (size_t i = 0; i < s.arguments.size() && i < n->inputs.size(); ++i) {
        if (e && s.arguments[i].alias.before == e.before) contain(out, of(n->inputs[i]));
        // Copies of containers hold the same elements.
        if (out->type->kind == TypeKind::List || out->type->kind == TypeKind::Dict)
          if (n->inputs[i]->type->kind == TypeKind::List ||
              n->inputs[i]->type->kind == TypeKind::Dict)
            contain(out, contents(n->inputs[i]));
      }
    }
  }
}

std::vector<Value*> AliasDb::written(const Node* n) const {
  std::vector<Value*> r;
  if (n->kind == prim::SetAttr) return {n->inputs[0]};
  if (runs_other_code(n) || is_unknown_operator(n)) return n->inputs;
  if (!n->op) return r;
  const FunctionSchema& s = n->op->schema();
  for (size_t i = 0; i < s.arguments.size() && i < n->inputs.size(); ++i)
    if (s.arguments[i].alias.is_write || s.arguments[i].element_alias.is_write)
      r.push_back(n->inputs[i]);
  if (writes_statistics(n)) r.insert(r.end(), {n->inputs[3], n->inputs[4]});
  return r;
}

AliasDb::LocSet AliasDb::closure(const Value* v) const {
  LocSet r = of(v);
  std::vector<uint32_t> work(r.begin(), r.end());
  while (!work.empty()) {
    uint32_t l = work.back();
    work.pop_back();
    for (uint32_t c : locs_[l].contains)
      if (r.insert(c).second) work.push_back(c);
  }
  return r;
}
bool AliasDb::touches(const LocSet& a, const LocSet& b) const {
  bool wa = false, wb = false;
  for (uint32_t l : a) {
    if (b.count(l)) return true;
    wa |= locs_[l].wildcard;
  }
  for (uint32_t l : b) wb |= locs_[l].wildcard;
  return wa && wb;
}

bool AliasDb::written_by_some(const LocSet& locs) const {
  if (locs.empty()) return false;
  for (const Node* n : writers_)
    for (const Value* w : written(n))
      if (touches(of(w), locs)) return true;
  return false;
}
bool AliasDb::has_writers(const Value* v) const { return written_by_some(closure(v)); }
bool AliasDb::has_writers_itself(const Value* v) const { return written_by_some(of(v)); }
bool AliasDb::may_escape(const Value* v) const {
  for (uint32_t l : closure(v))
    if (locs_[l].wildcard || returned_.count(l)) return true;
  return false;
}
bool AliasDb::writes_to_wildcard(const Node* n) const {
  for (const Value* w : written(n))
    for (uint32_t l : of(w))
      if (locs_[l].wildcard || locs_[l].constant) return true;
  return false;
}
bool AliasDb::writes_to_alias(const Node* n, const std::unordered_set<const Value*>& values) const {
  auto ws = written(n);
  if (ws.empty()) return false;
  LocSet target;
  for (const Value* w : ws) target.insert(of(w).begin(), of(w).end());
  for (const Value* v : values)
    if (touches(target, closure(v))) return true;
  return false;
}
bool AliasDb::may_alias(const Value* a, const Value* b) const { return touches(of(a), of(b)); }
bool AliasDb::may_contain_alias(const Value* a, const Value* b) const {
  return touches(closure(a), closure(b));
}

}  // namespace sconce
