// SPDX-License-Identifier: Apache-2.0
#include "api/convert.h"
#include "support/stack.h"
#include "support/lasting.h"

#include <functional>
#include <mutex>

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
// For Any: containers get the element type that all elements share.
IValue infer(const IValue& v) {
  if (!v.isList() && !v.isDict() && !v.isTuple()) return v;
  static const Lasting table(new TypeTable);
  auto join = [](TypePtr sum, const IValue& x) -> TypePtr {
    TypePtr t = ivalue_type(x);
    t = t->kind == TypeKind::Tensor ? types::tensor() : t;
    if (!sum || sum == t) return t;
    TypePtr u = unify_types(sum, t, *table);
    return u ? u : types::any();
  };
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  // A pickle may hold a list that contains itself.
  constexpr int kMaxDepth = 100, kMaxValues = 10 << 20;
  int depth = 0, values = 0;
  struct Level {
    int& depth;
    explicit Level(int& d) : depth(d) { ++depth; }
    ~Level() { --depth; }
  };
  std::function<IValue(const IValue&)> walk = [&](const IValue& x) -> IValue {
    Level level(depth);
    if (depth > kMaxDepth || ++values > kMaxValues)
      raise<OpError>("a value is too deep or too large to find its type");
    if (x.isList() && !x.toListRef().items.empty()) {
      std::vector<IValue> items;
      TypePtr t = nullptr;
      for (auto& e : x.toListRef().items) {
        items.push_back(walk(e));
        t = join(t, items.back());
      }
      return IValue(make_ref<ListBox>(t, std::move(items)));
    }
    if (x.isDict() && !x.toDictRef().items.empty()) {
      TypePtr k = nullptr, e = nullptr;
      std::vector<std::pair<IValue, IValue>> items;
      for (auto& kv : x.toDictRef().items) {
        items.emplace_back(kv.first, walk(kv.second));
        k = join(k, items.back().first);
        e = join(e, items.back().second);
      }
      auto d = make_ref<DictBox>(k, e);
      for (auto& kv : items) d->set(kv.first, kv.second);
      return IValue(d);
    }
    if (x.isTuple()) {
      std::vector<IValue> items;
      for (auto& e : x.toTupleRef().items) items.push_back(walk(e));
      return IValue(make_ref<TupleBox>(std::move(items), x.toTupleRef().type));
    }
    return x;
  };
  return walk(v);
}
// A tensor of one element serves where a number is declared.
IValue number_of(const IValue& v, TypeKind kind) {
  const Tensor& t = v.toTensorRef();
  if (!t.defined() || t.numel() != 1) return v;
  switch (kind) {
    case TypeKind::Int: return is_integral(t.dtype(), true) ? IValue(t.item<int64_t>()) : v;
    case TypeKind::Float: return is_complex(t.dtype()) ? v : IValue(t.item<double>());
    case TypeKind::Bool: return t.dtype() == kBool ? IValue(t.item<bool>()) : v;
    default: return v;
  }
}
}  // namespace

IValue convert_argument(const IValue& v, TypePtr t) {
  check_stack();
  switch (t->kind) {
    case TypeKind::Optional: return v.isNone() ? v : convert_argument(v, t->elem());
    case TypeKind::Union: return convert_union(v, t);
    case TypeKind::Float:
      if (v.isInt() || v.isBool()) return IValue(static_cast<double>(v.toInt()));
      if (v.isTensor()) return number_of(v, TypeKind::Float);
      break;
    case TypeKind::Int:
      if (v.isBool()) return IValue(v.toInt());
      if (v.isTensor()) return number_of(v, TypeKind::Int);
      break;
    case TypeKind::Bool:
      if (v.isInt()) return IValue(v.toBool());
      if (v.isTensor()) return number_of(v, TypeKind::Bool);
      break;
    case TypeKind::Device:
      if (v.isString()) return IValue(Device::parse(v.toStringRef()));
      break;
    case TypeKind::Complex:
      if (v.isBool()) return IValue(std::complex<double>(v.toBool(), 0));
      if (v.isInt() || v.isDouble()) return IValue(std::complex<double>(v.toDouble(), 0));
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
    case TypeKind::Any: return infer(v);
    case TypeKind::Tensor:
      if (v.isString() || v.isList() || v.isDict() || v.isTuple()) break;
      return v;
    case TypeKind::Class:
    case TypeKind::Interface: return v;
    case TypeKind::Number: return v.isBool() ? IValue(v.toInt()) : v;
    default: break;
  }
  if (!ivalue_matches(v, t))
    raise<OpError>("expected a value of type ", t->str(), " but got ", v.tag_name());
  return v;
}

}  // namespace sconce
