// SPDX-License-Identifier: Apache-2.0
// Attributes of the module that no code assigns become constants:
//
//   %w = prim::GetAttr[name="weight"](%self)   =>   %w = prim::Constant[value=<Tensor>]()
//
// Order: after inlining, so that every submodule is reached by GetAttr chains from self. A tensor
// that the graph may write in place stays an attribute: a constant could be folded into what it was
// before the write.
//
// In a graph that is made to run, each slot that is read here is assumed to stay as it is, and so
// is the form of the tensor in it; its bytes only where a later pass reads them. What another
// method writes, what a call that isn't inlined may write, and what containers hold becomes a
// constant too, but one whose bytes are never assumed: it is read where it stands, in every run.
#include <map>
#include <unordered_set>
#include <vector>

#include "ir/alias.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

const Symbol& name_attr() {
  static const Symbol s("name");
  return s;
}

// The attributes that some node of the graph assigns, by class and name.
void collect_writes(Block* b, std::unordered_set<std::string>& written) {
  check_stack();
  for (Node* n : b->nodes()) {
    if (n->kind == prim::SetAttr)
      written.insert(n->inputs[0]->type->name + "." + n->s(name_attr()));
    for (Block* inner : n->blocks) collect_writes(inner, written);
    if (Graph* sub = subgraph(n)) collect_writes(sub->block(), written);
  }
}

bool freezable(const IValue& v) {
  switch (v.tag()) {
    case Tag::Int:
    case Tag::Double:
    case Tag::Bool:
    case Tag::String:
    case Tag::None:
    case Tag::Device: return true;
    case Tag::Tensor: return v.box() != nullptr;
    case Tag::Object: return v.toObjectRef().type->is_native;
    default: return false;
  }
}

using Storages = std::unordered_set<const Storage*>;

// Reads attributes for one graph.
class Reader {
 public:
  explicit Reader(PassContext& c) : c_(c) {}
  // Whose slots may change while the graph runs.
  std::unordered_set<const Object*> open;

  // The value of a slot that may be taken for constant. noted: it is assumed from now on; else it
  // is only looked at, and later the same value is noted or none.
  bool read(Object& o, const std::string& name, bool noted, IValue* v) {
    int at = o.type->find_attribute(name);
    if (at < 0 || static_cast<size_t>(at) >= o.size()) return false;
    auto i = static_cast<size_t>(at);
    if (o.type->attributes[i].written || open.count(&o)) return false;
    auto seen = seen_.find({&o, i});
    if (!noted || !c_.assumptions) {
      *v = seen == seen_.end() ? seen_.emplace(Key{&o, i}, o.slot(i)).first->second : seen->second;
      return true;
    }
    if (!c_.assumptions->slot(o, i, v)) return false;
    return seen == seen_.end() || identical(seen->second, *v);
  }
  // The object that v stands for, when it is self or a chain of constant attributes from it.
  Object* object_of(const Value* v, const Value* self, bool noted) {
    check_stack();
    if (v == self) return c_.module;
    if (v->node->kind != prim::GetAttr) return nullptr;
    Object* o = object_of(v->node->inputs[0], self, noted);
    IValue x;
    if (!o || !read(*o, v->node->s(name_attr()), noted, &x)) return nullptr;
    return x.isObject() ? &x.toObjectRef() : nullptr;
  }

 private:
  using Key = std::pair<const Object*, size_t>;
  PassContext& c_;
  std::map<Key, IValue> seen_;
};

// noted is false for a trial.
bool freeze_block(Block* b, Value* self, PassContext& c, Reader& reader,
                  const std::unordered_set<std::string>& written, const Storages& kept,
                  bool noted) {
  check_stack();
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks)
      changed |= freeze_block(inner, self, c, reader, written, kept, noted);
    if (n->kind != prim::GetAttr) continue;
    Object* o = reader.object_of(n->inputs[0], self, noted);
    const std::string& name = n->s(name_attr());
    IValue v;
    if (!o || written.count(o->type->name + "." + name)) continue;
    // Looked at first: what is kept is not noted.
    if (!reader.read(*o, name, false, &v) || !freezable(v)) continue;
    if (v.isTensor() && kept.count(v.toTensorRef().impl()->storage.get())) continue;
    if (noted && c.assumptions) {
      IValue same;
      if (!reader.read(*o, name, true, &same) || !c.assumptions->form(v)) continue;
      if (v.isObject() && v.toObjectRef().size()) {
        IValue state;
        if (!c.assumptions->slot(v.toObjectRef(), 0, &state) || !c.assumptions->form(state))
          continue;
      }
    }
    InsertPoint at(*n->graph, n);
    Value* k = n->graph->insert_constant(v, n->output()->type);
    n->output()->replace_all_uses_with(k);
    changed = true;
  }
  return changed;
}

// May move its running statistics, though no schema says so.
bool is_norm(const Node* n) {
  static const Symbol batch("aten::batch_norm"), instance("aten::instance_norm");
  return n->kind == batch || n->kind == instance;
}
bool any_write(Block* b) {
  check_stack();
  for (Node* n : b->nodes()) {
    if (is_norm(n) || is_unknown_operator(n)) return true;
    if (n->op)
      for (auto& a : n->op->schema().arguments)
        if (a.alias.is_write) return true;
    if (n->kind == prim::CallMethod || n->kind == prim::CallFunction || n->kind == prim::fork ||
        is_unknown_operator(n))
      return true;
    for (Block* inner : n->blocks)
      if (any_write(inner)) return true;
  }
  return false;
}
void collect_written(Block* b, const AliasDb& db, Storages& out) {
  check_stack();
  auto add = [&](const Value* v) {
    if (auto k = constant_value(v); k && k->isTensor() && k->toTensorRef().defined())
      out.insert(k->toTensorRef().impl()->storage.get());
  };
  for (Node* n : b->nodes()) {
    if (n->kind == prim::Constant && db.has_writers(n->output())) add(n->output());
    for (Block* inner : n->blocks) collect_written(inner, db, out);
  }
}

bool writes_unknown(Block* b, const AliasDb& db) {
  check_stack();
  for (Node* n : b->nodes()) {
    if (db.writes_to_wildcard(n)) return true;
    for (Block* inner : n->blocks)
      if (writes_unknown(inner, db)) return true;
  }
  return false;
}
// The storages of tensors inside lists, dicts and tuples that attributes hold.
void collect_contained(const IValue& v, bool inside, std::unordered_set<const void*>& seen,
                       Storages& out) {
  check_stack();
  switch (v.tag()) {
    case Tag::Tensor:
      if (inside && v.toTensorRef().defined()) out.insert(v.toTensorRef().impl()->storage.get());
      return;
    case Tag::List:
      for (auto& x : v.toListRef().items) collect_contained(x, true, seen, out);
      return;
    case Tag::Tuple:
      for (auto& x : v.toTupleRef().items) collect_contained(x, true, seen, out);
      return;
    case Tag::Dict:
      for (auto& kv : v.toDictRef().items) collect_contained(kv.second, true, seen, out);
      return;
    case Tag::Object:
      if (!seen.insert(v.box()).second) return;
      for (auto& x : v.toObjectRef().slots()) collect_contained(x, inside, seen, out);
      return;
    default: return;
  }
}

// The storages that methods of the object, or of what it holds, write in place.
void collect_mutated(Object& o, std::unordered_set<const void*>& seen, Storages& out) {
  check_stack();
  if (!seen.insert(&o).second) return;
  std::vector<IValue> slots = o.slots();
  for (size_t i = 0; i < slots.size() && i < o.type->attributes.size(); ++i) {
    const IValue& v = slots[i];
    if (v.isObject()) collect_mutated(v.toObjectRef(), seen, out);
    if (o.type->attributes[i].mutated && v.isTensor() && v.toTensorRef().defined())
      out.insert(v.toTensorRef().impl()->storage.get());
  }
}

// Every parameter at and below o; with a class and a name, those of that attribute alone.
void collect_parameters(Object& o, const Type* cls, const std::string& name,
                        std::unordered_set<const void*>& seen, Storages& out) {
  check_stack();
  if (!seen.insert(&o).second) return;
  std::vector<IValue> slots = o.slots();
  for (size_t i = 0; i < slots.size() && i < o.type->attributes.size(); ++i) {
    auto& a = o.type->attributes[i];
    if (slots[i].isObject()) collect_parameters(slots[i].toObjectRef(), cls, name, seen, out);
    if (a.is_parameter && slots[i].isTensor() && slots[i].toTensorRef().defined() &&
        (!cls || (o.type == cls && a.name == name)))
      out.insert(slots[i].toTensorRef().impl()->storage.get());
  }
}
void collect_not_frozen(Block* b, Value* self, Object& module, Reader& reader, Storages& out) {
  check_stack();
  std::unordered_set<const void*> seen;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) collect_not_frozen(inner, self, module, reader, out);
    seen.clear();
    if (n->kind == prim::GetAttr && n->output()->type->kind == TypeKind::Tensor) {
      Object* o = reader.object_of(n->inputs[0], self, false);
      collect_parameters(o ? *o : module, n->inputs[0]->type, n->s(name_attr()), seen, out);
    } else if (n->kind == prim::CallMethod || subgraph(n)) {
      // What is called through an interface, or runs as a task, reads its own attributes.
      for (Value* v : n->inputs)
        if (v->type->kind == TypeKind::Class || v->type->kind == TypeKind::Interface) {
          Object* o = reader.object_of(v, self, false);
          collect_parameters(o ? *o : module, nullptr, "", seen, out);
        }
    }
  }
}

// Calls whose code the graph doesn't hold: what they are given, they may write. Functions of the
// frontend, not operators.
bool is_call(const Node* n) {
  return n->kind == prim::CallMethod || n->kind == prim::CallFunction || n->kind == prim::Enter ||
         n->kind == prim::Exit;
}
bool holds_objects(TypePtr t) {
  check_stack();
  if (t->kind == TypeKind::Class || t->kind == TypeKind::Interface || t->kind == TypeKind::Any ||
      t->kind == TypeKind::AnyClass)
    return true;
  if (t->kind == TypeKind::List || t->kind == TypeKind::Dict || t->kind == TypeKind::Tuple ||
      t->kind == TypeKind::Optional || t->kind == TypeKind::Union)
    for (TypePtr e : t->elems)
      if (holds_objects(e)) return true;
  return false;
}
void collect_objects(Object& o, std::unordered_set<const Object*>& out) {
  check_stack();
  if (!out.insert(&o).second) return;
  for (auto& v : o.slots())
    if (v.isObject()) collect_objects(v.toObjectRef(), out);
}
// The objects that such calls, and tasks that write, may reach.
void collect_open(Block* b, const Value* self, Object& module, Reader& reader,
                  std::unordered_set<const Object*>& out) {
  check_stack();
  auto reach = [&](const Value* v) {
    if (!holds_objects(v->type) || v->node->kind == prim::CreateObject) return;
    if (v->node->kind == prim::ModuleContainerIndex) v = v->node->inputs[0];
    Object* o = reader.object_of(v, self, false);
    collect_objects(o ? *o : module, out);
  };
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) collect_open(inner, self, module, reader, out);
    Graph* sub = subgraph(n);
    if (is_call(n) || (sub && any_write(sub->block())))
      for (const Value* v : n->inputs) reach(v);
  }
}

// The tensors in v, and in what it leads to, satisfy f.
template <class F>
bool any_tensor(const IValue& v, std::unordered_set<const void*>& seen, F f) {
  check_stack();
  if (v.isTensor()) return v.toTensorRef().defined() && f(v.toTensorRef());
  if (!v.box() || v.isString() || !seen.insert(v.box()).second) return false;
  auto any = [&](const std::vector<IValue>& items) {
    for (auto& x : items)
      if (any_tensor(x, seen, f)) return true;
    return false;
  };
  if (v.isList()) return any(v.toListRef().items);
  if (v.isTuple()) return any(v.toTupleRef().items);
  if (v.isObject()) return any(v.toObjectRef().slots());
  if (v.isDict())
    for (auto& kv : v.toDictRef().items)
      if (any_tensor(kv.first, seen, f) || any_tensor(kv.second, seen, f)) return true;
  return false;
}

void collect_guarded(Block* b, const Value* self, Reader& reader, WriteGuard& out) {
  check_stack();
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) collect_guarded(inner, self, reader, out);
    const bool element = n->kind == prim::ModuleContainerIndex;
    if ((n->kind != prim::GetAttr && !element) || !AliasDb::is_mutable_type(n->output()->type))
      continue;
    Object* o = reader.object_of(n->inputs[0], self, true);
    if (!o || reader.object_of(n->output(), self, true)) continue;
    int i = element ? -1 : o->type->find_attribute(n->s(name_attr()));
    out.values.push_back({Ref<Object>(o), i});
  }
}
bool writes_bytes(Block* b, const AliasDb& db) {
  check_stack();
  for (Node* n : b->nodes()) {
    Graph* sub = subgraph(n);
    if (n->kind != prim::SetAttr && (db.writes_to_wildcard(n) || (sub && any_write(sub->block()))))
      return true;
    for (Block* inner : n->blocks)
      if (writes_bytes(inner, db)) return true;
  }
  return false;
}

}  // namespace

Storages parameters_not_frozen(Graph& frozen, Object& module) {
  Storages out;
  PassContext c;
  c.module = &module;
  Reader reader(c);
  if (!frozen.inputs().empty())
    collect_not_frozen(frozen.block(), frozen.inputs()[0], module, reader, out);
  return out;
}

bool freeze_attributes(Graph& g, PassContext& c) {
  if (!c.module || g.inputs().empty()) return false;
  std::unordered_set<std::string> written;
  collect_writes(g.block(), written);
  Reader reader(c);
  Storages kept, others;
  std::unordered_set<const void*> seen;
  collect_mutated(*c.module, seen, c.assumptions ? others : kept);
  if (c.assumptions) {
    collect_open(g.block(), g.inputs()[0], *c.module, reader, reader.open);
    seen.clear();
    for (const Object* o : reader.open)
      for (auto& v : o->slots()) {
        if (v.isTensor() && v.toTensorRef().defined())
          others.insert(v.toTensorRef().impl()->storage.get());
        collect_contained(v, false, seen, others);
      }
  }
  if (any_write(g.block())) {
    // Tried on a copy: what the analysis finds written there is not made a constant here.
    auto trial = g.copy();
    if (!freeze_block(trial->block(), trial->inputs()[0], c, reader, written, kept, false))
      return false;
    AliasDb db(*trial);
    collect_written(trial->block(), db, kept);
    // What is written through a container may be an attribute as well.
    if (writes_unknown(trial->block(), db)) {
      seen.clear();
      for (auto& x : c.module->slots())
        collect_contained(x, false, seen, c.assumptions ? others : kept);
    }
  }
  for (const Storage* s : others) c.assumptions->never_contents(*s);
  return freeze_block(g.block(), g.inputs()[0], c, reader, written, kept, true);
}

WriteGuard write_guard(Graph& g, PassContext& c) {
  WriteGuard out;
  if (!c.module || g.inputs().empty()) return out;
  AliasDb db(g);
  out.needed = writes_bytes(g.block(), db);
  if (!out.needed) return out;
  Reader reader(c);
  collect_open(g.block(), g.inputs()[0], *c.module, reader, reader.open);
  collect_guarded(g.block(), g.inputs()[0], reader, out);
  return out;
}

bool WriteGuard::may_break(const Assumptions& a, const std::vector<IValue>& inputs) const {
  if (!needed) return false;
  std::unordered_set<const void*> seen;
  auto relied = [&](const Tensor& t) { return a.relies_on(t); };
  for (size_t i = 1; i < inputs.size(); ++i)
    if (any_tensor(inputs[i], seen, relied)) return true;
  for (auto& v : values) {
    if (v.attribute >= 0) {
      if (static_cast<size_t>(v.attribute) < v.object->size() &&
          any_tensor(v.object->slot(static_cast<size_t>(v.attribute)), seen, relied))
        return true;
    } else if (any_tensor(IValue(v.object), seen, relied)) {
      return true;
    }
  }
  return false;
}

}  // namespace sconce
