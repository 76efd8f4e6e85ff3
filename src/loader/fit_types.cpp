// SPDX-License-Identifier: Apache-2.0
#include "loader/fit_types.h"

#include <algorithm>

namespace sconce {

namespace {

bool fit_list(ListBox& l, TypePtr t, FittedValues& seen) {
  l.elem_type = t->elems[0];
  return std::all_of(l.items.begin(), l.items.end(),
                     [&](IValue& x) { return fit_types(x, t->elems[0], seen); });
}
bool fit_dict(DictBox& d, TypePtr t, FittedValues& seen) {
  d.key_type = t->elems[0];
  d.value_type = t->elems[1];
  for (auto& kv : d.items) {
    IValue key = kv.first;  // never changes: a key is no container
    if (!fit_types(key, t->elems[0], seen) || !fit_types(kv.second, t->elems[1], seen))
      return false;
  }
  return true;
}
bool fit_tuple(TupleBox& b, TypePtr t, FittedValues& seen) {
  if (b.items.size() != t->elems.size()) return false;
  if (t->is_named_tuple()) b.type = t;
  for (size_t i = 0; i < b.items.size(); ++i)
    if (!fit_types(b.items[i], t->elems[i], seen)) return false;
  return true;
}
bool fits_class(const IValue& v, const ClassType& t) {
  // Packed parameters that nobody has packed yet are None.
  if (v.isNone()) return t.is_native;
  if (!v.isObject()) return false;
  const ClassType* own = v.toObjectRef().type;
  return own == &t || (own->is_native && t.is_native && own->name == t.name);
}

bool fit(IValue& v, TypePtr t, FittedValues& seen) {
  switch (t->kind) {
    case TypeKind::Any: return true;
    case TypeKind::Optional: return v.isNone() || fit_types(v, t->elems[0], seen);
    case TypeKind::Union:
      return std::any_of(t->elems.begin(), t->elems.end(),
                         [&](TypePtr e) { return fit_types(v, e, seen); });
    case TypeKind::List: return v.isList() && fit_list(v.toListRef(), t, seen);
    case TypeKind::Dict: return v.isDict() && fit_dict(v.toDictRef(), t, seen);
    case TypeKind::Tuple: return v.isTuple() && fit_tuple(v.toTupleRef(), t, seen);
    case TypeKind::Class: return fits_class(v, *static_cast<const ClassType*>(t));
    case TypeKind::Interface: return v.isObject() && v.toObjectRef().type->is_subtype_of(t);
    case TypeKind::AnyClass: return v.isObject();
    case TypeKind::Stream:
    case TypeKind::Capsule:
    case TypeKind::RRef:
    case TypeKind::Var: return v.isNone() || v.isObject();
    case TypeKind::Float:
      if (v.isInt()) v = static_cast<double>(v.toInt());
      return v.isDouble();
    default: return ivalue_matches(v, t);
  }
}

}  // namespace

bool fit_types(IValue& v, TypePtr t, FittedValues& seen) {
  if (!v.isList() && !v.isDict() && !v.isTuple()) return fit(v, t, seen);
  auto [at, fresh] = seen.known.emplace(std::make_pair(v.box(), t), true);
  if (!fresh) return at->second;
  seen.keep.push_back(v);
  bool& fits = at->second;
  // A list or dict is of one type: what code writes into it through another name must be of that.
  TypePtr* own = nullptr;
  if ((t->kind == TypeKind::List && v.isList()) || (t->kind == TypeKind::Dict && v.isDict())) {
    own = &seen.types[v.box()];
    if (*own && *own != t) return fits = false;
  }
  fits = fit(v, t, seen);
  if (own && fits) *own = t;
  return fits;
}

}  // namespace sconce
