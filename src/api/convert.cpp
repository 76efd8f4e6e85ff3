// SPDX-License-Identifier: Apache-2.0
#include "api/convert.h"

namespace sconce {

namespace {
IValue convert_union(const IValue& v, TypePtr t) {
  for (TypePtr e : t->elems)
    if (ivalue_matches(v, e)) return convert_argument(v, e);
  for (TypePtr e : t->elems) {
    try {
      return convert_argument(v, e);
    } catch (const OpError&) {
      continue;  // the next member may fit
    }
  }
  raise<OpError>("a value of kind ", v.tag_name(), " is none of ", t->str());
}
}  // namespace

IValue convert_argument(const IValue& v, TypePtr t) {
  switch (t->kind) {
    case TypeKind::Optional: return v.isNone() ? v : convert_argument(v, t->elem());
    case TypeKind::Union: return convert_union(v, t);
    case TypeKind::Float:
      if (v.isInt()) return IValue(static_cast<double>(v.toInt()));
      break;
    case TypeKind::Complex:
      if (v.isInt() || v.isDouble()) return IValue(std::complex<double>(v.toDouble(), 0));
      break;
    case TypeKind::Enum:
      if (!v.isEnum())
        for (auto& m : static_cast<const EnumType*>(t)->members)
          if (ivalue_equal(m.toEnumRef().value, v)) return m;
      break;
    case TypeKind::List: {
      if (!v.isList() && !v.isTuple()) break;
      auto out = make_ref<ListBox>(t->elem());
      const auto& items = v.isList() ? v.toListRef().items : v.toTupleRef().items;
      for (auto& e : items) out->items.push_back(convert_argument(e, t->elem()));
      return IValue(out);
    }
    case TypeKind::Dict: {
      if (!v.isDict()) break;
      auto out = make_ref<DictBox>(t->elem(0), t->elem(1));
      for (auto& kv : v.toDictRef().items)
        out->set(convert_argument(kv.first, t->elem(0)), convert_argument(kv.second, t->elem(1)));
      return IValue(out);
    }
    case TypeKind::Tuple: {
      if (!v.isTuple() || v.toTupleRef().items.size() != t->elems.size()) break;
      std::vector<IValue> items;
      for (size_t i = 0; i < t->elems.size(); ++i)
        items.push_back(convert_argument(v.toTupleRef().items[i], t->elems[i]));
      return IValue(make_ref<TupleBox>(std::move(items), t->is_named_tuple() ? t : nullptr));
    }
    case TypeKind::Tensor:
    case TypeKind::Any:
    case TypeKind::Class:
    case TypeKind::Interface:
    case TypeKind::Number: return v;
    default: break;
  }
  if (!ivalue_matches(v, t))
    raise<OpError>("expected a value of type ", t->str(), " but got ", v.tag_name());
  return v;
}

}  // namespace sconce
