// SPDX-License-Identifier: Apache-2.0
// Types: interning, text forms, subtyping, unification.
#include "sconce/type.h"

#include <algorithm>

#include "core/schema.h"
#include "sconce/ivalue.h"
#include "support/stack.h"
#include "support/lasting.h"

namespace sconce {

namespace {

const char* plain_name(TypeKind k) {
  switch (k) {
    case TypeKind::Any: return "Any";
    case TypeKind::Tensor: return "Tensor";
    case TypeKind::None: return "NoneType";
    case TypeKind::Int: return "int";
    case TypeKind::Float: return "float";
    case TypeKind::Bool: return "bool";
    case TypeKind::Complex: return "complex";
    case TypeKind::Number: return "Scalar";
    case TypeKind::String: return "str";
    case TypeKind::Device: return "Device";
    case TypeKind::Stream: return "Stream";
    case TypeKind::Generator: return "Generator";
    case TypeKind::Capsule: return "Capsule";
    case TypeKind::AnyList: return "list";
    case TypeKind::AnyTuple: return "tuple";
    case TypeKind::AnyClass: return "AnyClassType";
    case TypeKind::AnyEnum: return "AnyEnumType";
    case TypeKind::Function: return "Function";
    default: return "?";
  }
}

std::string tensor_str(const TensorInfo& t) {
  std::string s = t.has_dtype ? scalar_type_name(t.dtype) : "Tensor";
  std::string inside;
  auto add = [&](const std::string& x) { inside += (inside.empty() ? "" : ", ") + x; };
  if (t.has_rank) {
    for (int64_t d : t.sizes)
      add(d == -1 ? "*" : d < -1 ? "SS(" + std::to_string(d + 1) + ")" : std::to_string(d));
    if (!t.strides.empty()) {
      std::string st;
      for (int64_t d : t.strides) st += (st.empty() ? "" : ", ") + std::to_string(d);
      add("strides=[" + st + "]");
    }
  } else if (t.has_dtype) {
    s += "Tensor";
  }
  if (t.has_requires_grad) add(t.requires_grad ? "requires_grad=1" : "requires_grad=0");
  if (t.has_device) add("device=" + t.device.str());
  if (t.has_rank || !inside.empty()) s += "(" + inside + ")";
  if (t.undefined) s += "[Undefined]";
  return s;
}

std::string join(const std::vector<TypePtr>& ts, std::string (Type::*f)() const) {
  std::string s;
  for (TypePtr t : ts) s += (s.empty() ? "" : ", ") + (t->*f)();
  return s;
}

}  // namespace

std::string Type::str() const {
  switch (kind) {
    case TypeKind::Tensor: return tensor ? tensor_str(*tensor) : "Tensor";
    case TypeKind::Var: return name;
    case TypeKind::List: return elems[0]->str() + "[]";
    case TypeKind::Optional: return elems[0]->str() + "?";
    case TypeKind::Dict: {
      auto inner = [](TypePtr t) {
        if (t->kind == TypeKind::Future) return "Future(" + t->elems[0]->str() + ")";
        return t->is_named_tuple() && !t->name.empty() ? t->name : t->str();
      };
      return "Dict(" + inner(elems[0]) + ", " + inner(elems[1]) + ")";
    }
    case TypeKind::Tuple: {
      if (!is_named_tuple()) return "(" + join(elems, &Type::str) + ")";
      std::string s = "NamedTuple(";
      for (size_t i = 0; i < fields.size(); ++i)
        s += (i ? ", " : "") + fields[i] + " : " + elems[i]->str();
      return s + ")";
    }
    case TypeKind::Union: {
      std::string s;
      for (TypePtr t : elems)
        s += (s.empty() ? "" : ", ") +
             (t->is_named_tuple() && !t->name.empty() ? t->name : t->str());
      return "Union(" + s + ")";
    }
    case TypeKind::Future: return "Future[" + elems[0]->str() + "]";
    case TypeKind::Await: return "Await(" + elems[0]->str() + ")";
    case TypeKind::RRef: return "RRef[" + elems[0]->str() + "]";
    case TypeKind::Class: return name;
    case TypeKind::Interface: {
      size_t dot = name.rfind('.');
      return "InterfaceType<" + (dot == std::string::npos ? name : name.substr(dot + 1)) + ">";
    }
    case TypeKind::Enum: return "Enum<" + name + ">";
    default: return plain_name(kind);
  }
}

std::string Type::annotation_str() const {
  switch (kind) {
    case TypeKind::Number: return "number";
    case TypeKind::Var: return name;
    case TypeKind::List: return "List[" + elems[0]->annotation_str() + "]";
    case TypeKind::Optional: return "Optional[" + elems[0]->annotation_str() + "]";
    case TypeKind::Dict:
      return "Dict[" + elems[0]->annotation_str() + ", " + elems[1]->annotation_str() + "]";
    case TypeKind::Tuple:
      if (is_named_tuple() && !name.empty()) return name;
      return elems.empty() ? "Tuple[()]" : "Tuple[" + join(elems, &Type::annotation_str) + "]";
    case TypeKind::Union: return "Union[" + join(elems, &Type::annotation_str) + "]";
    case TypeKind::Future: return "Future[" + elems[0]->annotation_str() + "]";
    case TypeKind::Await: return "Await[" + elems[0]->annotation_str() + "]";
    case TypeKind::RRef: return "RRef[" + elems[0]->annotation_str() + "]";
    case TypeKind::Class:
    case TypeKind::Interface:
    case TypeKind::Enum: return name;
    case TypeKind::Tensor: return "Tensor";
    default: return plain_name(kind);
  }
}

bool can_hold_none(TypePtr t) {
  if (t->kind == TypeKind::Optional || t->kind == TypeKind::None || t->kind == TypeKind::Any)
    return true;
  if (t->kind == TypeKind::Union)
    for (TypePtr e : t->elems)
      if (can_hold_none(e)) return true;
  return false;
}

namespace {
bool interface_accepts(const InterfaceType* iface, TypePtr self);
}

bool Type::is_subtype_of(TypePtr o) const {
  if (this == o || o->kind == TypeKind::Any) return true;
  if (kind == TypeKind::Union) {
    for (TypePtr e : elems)
      if (!e->is_subtype_of(o)) return false;
    return true;
  }
  if (kind == TypeKind::Optional && (o->kind == TypeKind::Union || o->kind == TypeKind::Optional))
    return types::none()->is_subtype_of(o) && elems[0]->is_subtype_of(o);
  switch (o->kind) {
    case TypeKind::Optional: return kind == TypeKind::None || is_subtype_of(o->elems[0]);
    case TypeKind::Union:
      for (TypePtr e : o->elems)
        if (is_subtype_of(e)) return true;
      return kind == TypeKind::Number &&
             std::all_of(std::begin({TypeKind::Int, TypeKind::Float, TypeKind::Complex}),
                         std::end({TypeKind::Int, TypeKind::Float, TypeKind::Complex}),
                         [&](TypeKind k) {
                           return std::find(o->elems.begin(), o->elems.end(), types::get(k)) !=
                                  o->elems.end();
                         });
    case TypeKind::Tensor: return kind == TypeKind::Tensor && (!o->tensor || o == this);
    case TypeKind::Number:
      return kind == TypeKind::Int || kind == TypeKind::Float || kind == TypeKind::Bool ||
             kind == TypeKind::Complex;
    case TypeKind::Int: return kind == TypeKind::Bool;
    case TypeKind::AnyList: return kind == TypeKind::List;
    case TypeKind::AnyTuple: return kind == TypeKind::Tuple;
    case TypeKind::AnyClass: return kind == TypeKind::Class;
    case TypeKind::AnyEnum: return kind == TypeKind::Enum;
    case TypeKind::Tuple:
      if (kind != TypeKind::Tuple || elems.size() != o->elems.size()) return false;
      if (o->is_named_tuple() && (!is_named_tuple() || name != o->name || fields != o->fields))
        return false;
      for (size_t i = 0; i < elems.size(); ++i)
        if (!elems[i]->is_subtype_of(o->elems[i])) return false;
      return true;
    case TypeKind::List:
      // Shapes inside lists do not matter.
      return kind == TypeKind::List && elems[0]->kind == TypeKind::Tensor &&
             o->elems[0]->kind == TypeKind::Tensor && elems[0]->is_subtype_of(o->elems[0]);
    case TypeKind::Future:
    case TypeKind::Await: return kind == o->kind && elems[0]->is_subtype_of(o->elems[0]);
    case TypeKind::Interface: return interface_accepts(static_cast<const InterfaceType*>(o), this);
    default: return false;
  }
}

namespace {

bool schema_fits(const FunctionSchema& impl, const FunctionSchema& wanted) {
  if (impl.arguments.size() != wanted.arguments.size()) return false;
  for (size_t i = 1; i < impl.arguments.size(); ++i) {
    if (impl.arguments[i].name != wanted.arguments[i].name) return false;
    if (!wanted.arguments[i].type->is_subtype_of(impl.arguments[i].type)) return false;
  }
  if (impl.returns.size() != wanted.returns.size()) return false;
  for (size_t i = 0; i < impl.returns.size(); ++i)
    if (!impl.returns[i].type->is_subtype_of(wanted.returns[i].type)) return false;
  return true;
}

}  // namespace

// Set by the frontend: the declared schema of a method.
const FunctionSchema* function_schema(const Function* f);

namespace {
// Subtyping that is being decided: a pair that comes up again in its own decision is taken to hold.
struct Decision;
thread_local const Decision* deciding = nullptr;
struct Decision {
  Decision(const InterfaceType* i, TypePtr t) : iface(i), self(t), outer(deciding) {
    deciding = this;
  }
  ~Decision() { deciding = outer; }
  Decision(const Decision&) = delete;
  const InterfaceType* const iface;
  const TypePtr self;
  const Decision* const outer;
};
bool methods_fit(const InterfaceType* iface, TypePtr self);

bool interface_accepts(const InterfaceType* iface, TypePtr self) {
  for (const Decision* d = deciding; d; d = d->outer)
    if (d->iface == iface && d->self == self) return true;
  check_stack();
  Decision decision(iface, self);
  return methods_fit(iface, self);
}
bool methods_fit(const InterfaceType* iface, TypePtr self) {
  if (self->kind == TypeKind::Interface) {
    auto* other = static_cast<const InterfaceType*>(self);
    if (other->is_module != iface->is_module) return false;
    for (auto& m : iface->methods) {
      bool found = false;
      for (auto& x : other->methods) found |= x->name == m->name && schema_fits(*x, *m);
      if (!found) return false;
    }
    return true;
  }
  if (self->kind != TypeKind::Class) return false;
  auto* cls = static_cast<const ClassType*>(self);
  if (cls->is_module != iface->is_module) return false;
  for (auto& m : iface->methods) {
    Function* f = cls->find_method(m->name);
    if (!f || !schema_fits(*function_schema(f), *m)) return false;
  }
  return true;
}
}  // namespace

// ---- interning ----

namespace types {
TypePtr get(TypeKind kind) {
  struct Plain {
    std::unique_ptr<Type> t[32];
    Plain() {
      for (int i = 0; i <= static_cast<int>(TypeKind::Function); ++i)
        t[i] = std::make_unique<Type>(static_cast<TypeKind>(i));
    }
  };
  static const Lasting<const Plain> plain(new Plain);
  return plain->t[static_cast<int>(kind)].get();
}
}  // namespace types

TypeTable& TypeTable::global() {
  static const Lasting table(new TypeTable);
  return *table;
}

namespace {
// The parts of a type as its text has them: what is shared is counted each time. Stops at the first
// beyond the limits.
constexpr int kMaxParts = 1 << 16, kMaxDepth = 200;
int count_parts(const std::vector<TypePtr>& elems, int counted, int depth) {
  if (depth > kMaxDepth) raise<LimitError>("a type is nested more than ", kMaxDepth, " deep");
  for (TypePtr e : elems) {
    if (++counted > kMaxParts) raise<LimitError>("a type has more than ", kMaxParts, " parts");
    counted = count_parts(e->elems, counted, depth + 1);
  }
  return counted;
}
}  // namespace

TypePtr TypeTable::make_local(TypeKind kind, std::vector<TypePtr> elems, const std::string& name,
                              std::vector<std::string> fields) {
  uint64_t depth = 1, size = 1;
  for (TypePtr e : elems) {
    depth = std::max<uint64_t>(depth, e->depth + 1);
    size += e->size;
  }
  if (depth > kMaxDepth) raise<LimitError>("a type is nested more than ", kMaxDepth, " deep");
  if (size > kMaxSize) raise<LimitError>("a type has more than ", kMaxSize, " parts");
  std::string key(1, static_cast<char>(kind));
  for (TypePtr e : elems) key.append(reinterpret_cast<const char*>(&e), sizeof e);
  key += '|' + name;
  for (auto& f : fields) key += '|' + f;
  std::lock_guard<std::mutex> lock(mutex_);
  if (auto known = types_.find(key); known != types_.end()) return known->second.get();
  count_parts(elems, 0, 1);
  auto& slot = types_[key];
  if (!slot) {
    slot = std::make_unique<Type>(kind);
    for (TypePtr e : elems) slot->mentions_class |= e->mentions_class;
    slot->elems = std::move(elems);
    slot->depth = static_cast<uint32_t>(depth);
    slot->size = static_cast<uint32_t>(size);
    slot->name = name;
    slot->fields = std::move(fields);
  }
  return slot.get();
}

TypePtr TypeTable::make(TypeKind kind, std::vector<TypePtr> elems) {
  bool local = false;
  for (TypePtr e : elems) local |= e->mentions_class;
  return (local ? *this : global()).make_local(kind, std::move(elems), "", {});
}

TypePtr TypeTable::named_tuple(const std::string& name, std::vector<std::string> fields,
                               std::vector<TypePtr> e) {
  bool local = !name.empty();
  for (TypePtr t : e) local |= t->mentions_class;
  return (local ? *this : global())
      .make_local(TypeKind::Tuple, std::move(e), name, std::move(fields));
}

TypePtr TypeTable::var(const std::string& name) {
  return global().make_local(TypeKind::Var, {}, name, {});
}

TypePtr TypeTable::tensor_with(TensorInfo info) {
  if (!info.has_dtype && !info.has_rank && !info.has_requires_grad && !info.has_device &&
      !info.undefined)
    return types::tensor();
  std::string key = "T" + tensor_str(info);
  TypeTable& g = global();
  std::lock_guard<std::mutex> lock(g.mutex_);
  auto& slot = g.types_[key];
  if (!slot) {
    slot = std::make_unique<Type>(TypeKind::Tensor);
    slot->tensor = std::make_unique<TensorInfo>(std::move(info));
  }
  return slot.get();
}

TypePtr TypeTable::optional(TypePtr e) {
  if (e->kind == TypeKind::Optional || e->kind == TypeKind::None) return e;
  if (e->kind == TypeKind::Union) {
    auto members = e->elems;
    members.push_back(types::none());
    return union_of(std::move(members));
  }
  return make(TypeKind::Optional, {e});
}

namespace {
// PyTorch sorts the members of a Union by the order of its kinds.
int union_order(TypePtr t) {
  switch (t->kind) {
    case TypeKind::Any: return 0;
    case TypeKind::Enum: return 1;
    case TypeKind::AnyEnum: return 2;
    case TypeKind::Tensor: return 3;
    case TypeKind::Tuple: return 5;
    case TypeKind::List: return 6;
    case TypeKind::Dict: return 7;
    case TypeKind::Number: return 8;
    case TypeKind::Float: return 9;
    case TypeKind::Complex: return 10;
    case TypeKind::Future: return 11;
    case TypeKind::Await: return 12;
    case TypeKind::RRef: return 13;
    case TypeKind::Int: return 14;
    case TypeKind::None: return 15;
    case TypeKind::String: return 16;
    case TypeKind::Generator: return 17;
    case TypeKind::Bool: return 19;
    case TypeKind::Optional: return 20;
    case TypeKind::Var: return 21;
    case TypeKind::Device: return 22;
    case TypeKind::Stream: return 23;
    case TypeKind::Function: return 24;
    case TypeKind::Class: return 25;
    case TypeKind::Capsule: return 27;
    case TypeKind::Interface: return 28;
    default: return 40;
  }
}
}  // namespace

TypePtr TypeTable::union_of(std::vector<TypePtr> members) {
  std::vector<TypePtr> flat;
  std::function<void(TypePtr)> flatten = [&](TypePtr t) {
    if (t->kind == TypeKind::Union) {
      for (TypePtr e : t->elems) flatten(e);
    } else if (t->kind == TypeKind::Optional) {
      flatten(t->elems[0]);
      flatten(types::none());
    } else {
      flat.push_back(t);
    }
  };
  for (TypePtr t : members) flatten(t);
  std::vector<TypePtr> kept;
  for (size_t i = 0; i < flat.size(); ++i) {
    bool covered = false;
    for (size_t j = 0; j < flat.size() && !covered; ++j) {
      if (i == j || flat[i] == flat[j]) {
        covered = j < i && flat[i] == flat[j];
        continue;
      }
      // A bool goes where an int is wanted, yet stays a member of its own.
      covered = flat[i]->is_subtype_of(flat[j]) && flat[j]->kind != TypeKind::Any &&
                flat[j]->kind != TypeKind::Int;
      if (flat[j]->kind == TypeKind::Any) covered = true;
    }
    if (!covered) kept.push_back(flat[i]);
  }
  auto has = [&](TypePtr t) { return std::find(kept.begin(), kept.end(), t) != kept.end(); };
  if (has(types::integer()) && has(types::floating()) && has(types::complex())) {
    kept.erase(std::remove_if(kept.begin(), kept.end(),
                              [](TypePtr t) {
                                return t->kind == TypeKind::Int || t->kind == TypeKind::Float ||
                                       t->kind == TypeKind::Complex || t->kind == TypeKind::Bool;
                              }),
               kept.end());
    kept.push_back(types::number());
  }
  if (kept.size() == 1) return kept[0];
  std::stable_sort(kept.begin(), kept.end(),
                   [](TypePtr a, TypePtr b) { return union_order(a) < union_order(b); });
  if (kept.size() == 2 && has(types::none()))
    return make(TypeKind::Optional, {kept[0]->kind == TypeKind::None ? kept[1] : kept[0]});
  return make(TypeKind::Union, std::move(kept));
}

TypePtr unshaped(TypePtr t, TypeTable& table) {
  if (t->kind == TypeKind::Tensor) return types::tensor();
  if (t->elems.empty() || t->kind == TypeKind::Class) return t;
  std::vector<TypePtr> e;
  bool changed = false;
  for (TypePtr x : t->elems) {
    e.push_back(unshaped(x, table));
    changed |= e.back() != x;
  }
  if (!changed) return t;
  if (t->is_named_tuple()) return table.named_tuple(t->name, t->fields, e);
  return table.make(t->kind, e);
}

namespace {
TypePtr unify_impl(TypePtr a, TypePtr b, TypeTable& table, bool default_to_union, TypePtr hint) {
  if (a->is_subtype_of(b)) return b;
  if (b->is_subtype_of(a)) return a;
  if (a->kind == TypeKind::Tensor && b->kind == TypeKind::Tensor) return types::tensor();
  if (a->kind == TypeKind::None && b->kind != TypeKind::None) return table.optional(b);
  if (b->kind == TypeKind::None && a->kind != TypeKind::None) return table.optional(a);
  if (a->kind == TypeKind::Optional || b->kind == TypeKind::Optional) {
    TypePtr x = unwrap_optional(a), y = unwrap_optional(b);
    if (TypePtr u = unify_impl(x, y, table, false, nullptr)) return table.optional(u);
  }
  if (a->kind == TypeKind::Tuple && b->kind == TypeKind::Tuple &&
      a->elems.size() == b->elems.size()) {
    std::vector<TypePtr> e;
    for (size_t i = 0; i < a->elems.size(); ++i) {
      TypePtr u = unify_impl(a->elems[i], b->elems[i], table, default_to_union, nullptr);
      if (!u) break;
      e.push_back(u);
    }
    if (e.size() == a->elems.size()) return table.tuple(e);
  }
  if (a->kind == TypeKind::Future && b->kind == TypeKind::Future)
    if (TypePtr u = unify_impl(a->elems[0], b->elems[0], table, false, nullptr))
      return table.future(u);
  if (a->kind == TypeKind::List && b->kind == TypeKind::List &&
      a->elems[0]->kind == TypeKind::Tensor && b->elems[0]->kind == TypeKind::Tensor)
    return table.list(types::tensor());
  (void)hint;
  return nullptr;
}
}  // namespace

TypePtr unify_types(TypePtr a, TypePtr b, TypeTable& table, bool default_to_union, TypePtr hint) {
  if (TypePtr u = unify_impl(a, b, table, default_to_union, hint)) return u;
  if (default_to_union) {
    if (hint && a->is_subtype_of(hint) && b->is_subtype_of(hint)) return hint;
    return table.union_of({a, b});
  }
  return nullptr;
}

TypePtr unify_type_list(const std::vector<TypePtr>& list, TypeTable& table, bool default_to_union,
                        TypePtr hint) {
  if (list.empty()) return nullptr;
  TypePtr u = list[0];
  for (size_t i = 1; i < list.size(); ++i) {
    u = unify_types(u, list[i], table, default_to_union, hint);
    if (!u) return nullptr;
  }
  return u;
}

}  // namespace sconce
