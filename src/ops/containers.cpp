// SPDX-License-Identifier: Apache-2.0
// Lists and dicts (compat.md section 10), equality, and what the language itself asks for.
#include <algorithm>
#include <cmath>

#include "core/budget.h"
#include "core/identity.h"
#include "core/method_call.h"
#include "ops/op.h"
#include "ops/tensor_ops.h"

namespace sconce::ops {

namespace {

std::vector<IValue>& items(const IValue& v) { return v.toListRef().items; }

size_t at_index(const IValue& list, int64_t i) {
  auto n = static_cast<int64_t>(items(list).size());
  if (i < 0) i += n;
  if (i < 0 || i >= n) raise<OpError>("list index out of range");
  return static_cast<size_t>(i);
}
// Equality of elements; tensors compare by their truth value.
bool same(const IValue& a, const IValue& b) {
  if (a.isTensor() && b.isTensor()) return bool_of(eq_tensor(tensor_of(a), tensor_of(b)));
  return ivalue_equal(a, b);
}
IValue* need_key(const IValue& dict, const IValue& key) {
  IValue* v = dict.toDictRef().find(key);
  if (!v) raise<OpError>("KeyError: ", ivalue_str(key));
  return v;
}

// What a container is given must be of the type that it holds, since compiled code reads it as such
// without a look: where a schema has a type variable, a value of type Any may be given.
void check_element(TypePtr declared, const IValue& v) {
  if (!declared || declared->kind == TypeKind::Any || ivalue_matches(v, declared) ||
      (declared->kind == TypeKind::Int && v.isBool()))
    return;
  raise<OpError>("a container of ", declared->annotation_str(), " can't hold a value of type ",
                 v.tag_name());
}
void check_elements(TypePtr declared, const IValue& list) {
  if (list.toListRef().elem_type == declared) return;
  for (const IValue& v : items(list)) check_element(declared, v);
}
void set_value(DictBox& d, const IValue& key, const IValue& value) {
  check_element(d.key_type, key);
  check_element(d.value_type, value);
  d.set(key, value);
}

void append(Call& c) {
  check_element(c.in(0).toListRef().elem_type, c.in(1));
  items(c.in(0)).push_back(c.in(1));
  c.out(0, c.in(0));
}
void getitem(Call& c) {
  const IValue& v = c.in(0);
  if (v.isDict()) return c.out(0, *need_key(v, c.in(1)));
  if (v.isString()) {
    const std::string& s = v.toStringRef();
    int64_t i = c.in(1).toInt(), n = static_cast<int64_t>(s.size());
    if (i < 0) i += n;
    if (i < 0 || i >= n) raise<OpError>("string index out of range");
    return c.out(0, std::string(1, s[static_cast<size_t>(i)]));
  }
  c.out(0, items(v)[at_index(v, c.in(1).toInt())]);
}
void set_item(Call& c) {
  if (c.in(0).isDict()) return set_value(c.in(0).toDictRef(), c.in(1), c.in(2));
  check_element(c.in(0).toListRef().elem_type, c.in(2));
  items(c.in(0))[at_index(c.in(0), c.in(1).toInt())] = c.in(2);
  c.out(0, c.in(0));
}
void delete_item(Call& c) {
  if (c.in(0).isDict()) {
    need_key(c.in(0), c.in(1));
    c.in(0).toDictRef().erase(c.in(1));
    return;
  }
  auto& v = items(c.in(0));
  v.erase(v.begin() + static_cast<ptrdiff_t>(at_index(c.in(0), c.in(1).toInt())));
}
void contains(Call& c) {
  if (c.in(0).isDict()) return c.out(0, c.in(0).toDictRef().find(c.in(1)) != nullptr);
  bool found = false;
  for (auto& v : items(c.in(0))) found = found || same(v, c.in(1));
  c.out(0, found);
}
void len(Call& c) {
  const IValue& v = c.in(0);
  if (v.isString()) return c.out(0, static_cast<int64_t>(v.toStringRef().size()));
  if (v.isDict()) return c.out(0, static_cast<int64_t>(v.toDictRef().items.size()));
  c.out(0, static_cast<int64_t>(items(v).size()));
}
IValue list_copy(const IValue& v) { return make_ref<ListBox>(v.toListRef().elem_type, items(v)); }
IValue dict_copy(const IValue& v) {
  auto& d = v.toDictRef();
  auto r = make_ref<DictBox>(d.key_type, d.value_type);
  for (auto& kv : d.items) r->set(kv.first, kv.second);
  return r;
}
void copy(Call& c) { c.out(0, c.in(0).isDict() ? dict_copy(c.in(0)) : list_copy(c.in(0))); }
void list(Call& c) {
  if (c.in(0).isString()) {
    auto r = make_ref<ListBox>(types::string());
    constexpr double kEach = sizeof(IValue) + sizeof(StringBox) + 16;
    expect_memory(static_cast<double>(c.in(0).toStringRef().size()) * kEach);
    for (char ch : c.in(0).toStringRef()) r->items.emplace_back(std::string(1, ch));
    return c.out(0, IValue(r));
  }
  c.out(0, list_copy(c.in(0)));
}
void clear(Call& c) {
  if (c.in(0).isDict()) return c.in(0).toDictRef().clear();
  items(c.in(0)).clear();
}
void list_add(Call& c) {
  IValue r = list_copy(c.in(0));
  auto& b = items(c.in(1));
  TypePtr& element = r.toListRef().elem_type;
  if (element != c.in(1).toListRef().elem_type &&
      !std::all_of(b.begin(), b.end(), [&](const IValue& v) { return ivalue_matches(v, element); }))
    element = types::any();
  items(r).insert(items(r).end(), b.begin(), b.end());
  c.out(0, std::move(r));
}
void list_add_(Call& c) {
  check_elements(c.in(0).toListRef().elem_type, c.in(1));
  std::vector<IValue> b = items(c.in(1));
  auto& a = items(c.in(0));
  a.insert(a.end(), b.begin(), b.end());
  c.out(0, c.in(0));
}
std::vector<IValue> repeated(const std::vector<IValue>& v, int64_t n) {
  if (n < 0) raise<OpError>("cannot repeat a list a negative number of times");
  std::vector<IValue> r;
  if (v.empty()) return r;
  const double items = static_cast<double>(v.size()) * static_cast<double>(n);
  expect_memory(items * sizeof(IValue));
  if (items > static_cast<double>(r.max_size())) raise<OutOfMemory>("a list of ", items, " items");
  r.reserve(static_cast<size_t>(items));
  for (int64_t i = 0; i < n; ++i) r.insert(r.end(), v.begin(), v.end());
  return r;
}
void list_mul(Call& c) {
  bool left = c.in(0).isList();
  const IValue& l = c.in(left ? 0 : 1);
  c.out(0,
        make_ref<ListBox>(l.toListRef().elem_type, repeated(items(l), c.in(left ? 1 : 0).toInt())));
}
void list_mul_(Call& c) {
  // PyTorch empties the list for a negative number, where the product that isn't in place is
  // refused.
  items(c.in(0)) =
      repeated(std::vector<IValue>(items(c.in(0))), std::max<int64_t>(c.in(1).toInt(), 0));
  c.out(0, c.in(0));
}
void extend(Call& c) {
  check_elements(c.in(0).toListRef().elem_type, c.in(1));
  std::vector<IValue> b = items(c.in(1));
  items(c.in(0)).insert(items(c.in(0)).end(), b.begin(), b.end());
}
void insert(Call& c) {
  check_element(c.in(0).toListRef().elem_type, c.in(2));
  auto& v = items(c.in(0));
  auto n = static_cast<int64_t>(v.size());
  int64_t i = c.in(1).toInt();
  if (i < 0) i += n;
  i = std::clamp<int64_t>(i, 0, n);
  v.insert(v.begin() + static_cast<ptrdiff_t>(i), c.in(2));
}
void pop(Call& c) {
  if (c.in(0).isDict()) {
    auto& d = c.in(0).toDictRef();
    IValue* v = c.n_in() == 3 ? d.find(c.in(1)) : need_key(c.in(0), c.in(1));
    IValue r = v ? *v : c.in(2);
    if (v) d.erase(c.in(1));
    return c.out(0, std::move(r));
  }
  auto& v = items(c.in(0));
  if (v.empty()) raise<OpError>("pop from empty list");
  size_t i = at_index(c.in(0), c.n_in() > 1 ? c.in(1).toInt() : -1);
  IValue r = v[i];
  v.erase(v.begin() + static_cast<ptrdiff_t>(i));
  c.out(0, std::move(r));
}
void reverse(Call& c) { std::reverse(items(c.in(0)).begin(), items(c.in(0)).end()); }
void remove(Call& c) {
  auto& v = items(c.in(0));
  for (size_t i = 0; i < v.size(); ++i)
    if (same(v[i], c.in(1))) {
      v.erase(v.begin() + static_cast<ptrdiff_t>(i));
      return;
    }
  raise<OpError>("ValueError: list.remove(x): '", ivalue_str(c.in(1)), "' is not in list");
}
void index(Call& c) {
  auto& v = items(c.in(0));
  for (size_t i = 0; i < v.size(); ++i)
    if (same(v[i], c.in(1))) return c.out(0, static_cast<int64_t>(i));
  raise<OpError>("ValueError: '", ivalue_str(c.in(1)), "' is not in list");
}
void count(Call& c) {
  int64_t n = 0;
  for (auto& v : items(c.in(0))) n += same(v, c.in(1));
  c.out(0, n);
}
bool less(const IValue& a, const IValue& b) {
  if (a.isTensor()) return bool_of(lt_tensor(tensor_of(a), tensor_of(b)));
  if (a.isString()) return a.toStringRef() < b.toStringRef();
  if (a.isDouble() || b.isDouble()) return a.toDouble() < b.toDouble();
  if (a.isTuple()) {
    auto &x = a.toTupleRef().items, &y = b.toTupleRef().items;
    return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end(), less);
  }
  if (a.isObject()) {
    const MethodCaller& model = method_caller();
    if (!model.call) raise<OpError>("objects are sorted while a model runs only");
    return model.call(model.engine, a, "__lt__", {a, b}).toBool();
  }
  return a.toInt() < b.toInt();
}
bool holds_object(const IValue& v) {
  if (v.isTuple()) {
    auto& parts = v.toTupleRef().items;
    return std::any_of(parts.begin(), parts.end(), holds_object);
  }
  return v.isObject();
}
// As libstdc++'s std::sort leaves equal elements. A model's __lt__ may contradict itself and lead
// the sort past an end: a null element stands there, at which it stops.
void sort_objects(std::vector<IValue>& v, bool reverse) {
  std::vector<const IValue*> order(v.size() + 2, nullptr);
  for (size_t i = 0; i < v.size(); ++i) order[i + 1] = &v[i];
  std::sort(order.begin() + 1, order.end() - 1, [&](const IValue* a, const IValue* b) {
    if (!a || !b) raise<OpError>("__lt__ contradicts itself");
    return reverse ? less(*b, *a) : less(*a, *b);
  });
  std::vector<IValue> sorted;
  for (size_t i = 1; i + 1 < order.size(); ++i) sorted.push_back(*order[i]);
  v = std::move(sorted);
}
void sort_values(std::vector<IValue>& v, bool reverse) {
  if (!v.empty() && holds_object(v[0])) return sort_objects(v, reverse);
  std::stable_sort(v.begin(), v.end(), [&](const IValue& a, const IValue& b) {
    return reverse ? less(b, a) : less(a, b);
  });
}
// A list whose element type orders nothing by itself: its values must be of one type.
void check_sortable(const Call& c) {
  if (c.op()->full_name().substr(c.op()->name().size()) != ".any") return;
  TypePtr first = nullptr;
  for (const IValue& v : items(c.in(0))) {
    TypePtr t = unshaped(ivalue_type(v), TypeTable::global());
    if (!first) first = t;
    if (t != first && t->str() != first->str())
      raise<OpError>("Only values of same type can be compared. Found ", first->annotation_str(),
                     " and ", t->annotation_str());
  }
  if (first && first->kind != TypeKind::Tuple && first->kind != TypeKind::Class)
    raise<OpError>("Only objects with __lt__ and tuples can be sorted in a list of ",
                   first->annotation_str());
}
void sort(Call& c) {
  check_sortable(c);
  auto& v = items(c.in(0));
  std::vector<IValue> copy = v;  // __lt__ may write the list
  sort_values(copy, c.n_in() > 1 && c.in(1).toBool());
  v = std::move(copy);
}
void sorted(Call& c) {
  check_sortable(c);
  IValue r = list_copy(c.in(0));
  sort_values(items(r), false);
  c.out(0, std::move(r));
}
void slice(Call& c) {
  auto n = static_cast<int64_t>(c.in(0).isString() ? c.in(0).toStringRef().size()
                                                   : items(c.in(0)).size());
  int64_t step = c.n_in() > 3 ? c.in(3).toInt() : 1;
  if (step == 0) raise<OpError>("slice step cannot be zero");
  int64_t lo = c.in(1).isNone() ? (step > 0 ? 0 : n - 1) : c.in(1).toInt(),
          hi = c.in(2).isNone() ? (step > 0 ? n : -1) : c.in(2).toInt();
  if (!c.in(1).isNone() && lo < 0) lo += n;
  if (!c.in(2).isNone() && hi < 0) hi += n;
  if (step > 0) {
    lo = std::clamp<int64_t>(lo, 0, n);
    hi = std::clamp<int64_t>(hi, 0, n);
  } else {
    lo = std::clamp<int64_t>(lo, -1, n - 1);
    hi = std::clamp<int64_t>(hi, -1, n - 1);
  }
  // How many elements, so that no index passes an end by a step that is far larger than the list.
  const auto by = step > 0 ? static_cast<uint64_t>(step) : -static_cast<uint64_t>(step);
  const int64_t span = step > 0 ? hi - lo : lo - hi;
  const uint64_t many = span > 0 ? (static_cast<uint64_t>(span) - 1) / by + 1 : 0;
  auto at = [&](uint64_t k) {
    const auto away = static_cast<int64_t>(k * by);
    return static_cast<size_t>(step > 0 ? lo + away : lo - away);
  };
  if (c.in(0).isString()) {
    std::string r;
    for (uint64_t k = 0; k < many; ++k) r += c.in(0).toStringRef()[at(k)];
    return c.out(0, std::move(r));
  }
  auto r = make_ref<ListBox>(c.in(0).toListRef().elem_type);
  for (uint64_t k = 0; k < many; ++k) r->items.push_back(items(c.in(0))[at(k)]);
  c.out(0, IValue(r));
}
void list_select(Call& c) { c.out(0, items(c.in(0))[at_index(c.in(0), c.in(1).toInt())]); }

// dicts
void keys(Call& c) {
  auto& d = c.in(0).toDictRef();
  auto r = make_ref<ListBox>(d.key_type);
  for (auto& kv : d.items) r->items.push_back(kv.first);
  c.out(0, IValue(r));
}
void values(Call& c) {
  auto& d = c.in(0).toDictRef();
  auto r = make_ref<ListBox>(d.value_type);
  for (auto& kv : d.items) r->items.push_back(kv.second);
  c.out(0, IValue(r));
}
void dict_items(Call& c) {
  auto& d = c.in(0).toDictRef();
  auto r = make_ref<ListBox>(TypeTable::global().tuple({d.key_type, d.value_type}));
  expect_memory(static_cast<double>(d.items.size()) * 2 * (sizeof(TupleBox) + sizeof(IValue)));
  for (auto& kv : d.items)
    r->items.push_back(make_ref<TupleBox>(std::vector<IValue>{kv.first, kv.second}));
  c.out(0, IValue(r));
}
void get(Call& c) {
  IValue* v = c.in(0).toDictRef().find(c.in(1));
  c.out(0, v ? *v : c.n_in() > 2 ? c.in(2) : IValue());
}
void setdefault(Call& c) {
  auto& d = c.in(0).toDictRef();
  // A NaN is never found again.
  IValue* found = d.find(c.in(1));
  IValue value = found ? *found : c.in(2);
  if (!found) set_value(d, c.in(1), value);
  c.out(0, std::move(value));
}
void update(Call& c) {
  auto from = c.in(1).toDictRef().items;
  for (auto& kv : from) set_value(c.in(0).toDictRef(), kv.first, kv.second);
}
void popitem(Call& c) {
  auto& d = c.in(0).toDictRef();
  if (d.items.empty()) raise<OpError>("popitem(): dictionary is empty");
  auto kv = d.items.front();
  d.erase(kv.first);
  c.out(0, make_ref<TupleBox>(std::vector<IValue>{kv.first, kv.second}));
}
void dict(Call& c) {
  if (c.n_in() == 0) return c.out(0, make_ref<DictBox>(types::string(), types::tensor()));
  if (c.in(0).isDict()) return c.out(0, dict_copy(c.in(0)));
  auto& l = c.in(0).toListRef();
  TypePtr t = l.elem_type;
  bool typed = t->kind == TypeKind::Tuple && t->elems.size() == 2;
  auto r =
      make_ref<DictBox>(typed ? t->elems[0] : types::any(), typed ? t->elems[1] : types::any());
  for (auto& kv : l.items) r->set(kv.toTupleRef().items.at(0), kv.toTupleRef().items.at(1));
  c.out(0, IValue(r));
}

// equality and identity
bool equal(const IValue& a, const IValue& b) {
  if (a.isList() && b.isList()) {
    auto &x = items(a), &y = items(b);
    if (x.size() != y.size()) return false;
    for (size_t i = 0; i < x.size(); ++i)
      if (!same(x[i], y[i])) return false;
    return true;
  }
  return ivalue_equal(a, b);
}
void eq(Call& c) { c.out(0, equal(c.in(0), c.in(1))); }
void ne(Call& c) { c.out(0, !equal(c.in(0), c.in(1))); }
void is(Call& c) { c.out(0, ivalue_is(c.in(0), c.in(1))); }
void is_not(Call& c) { c.out(0, !ivalue_is(c.in(0), c.in(1))); }
void logical_not(Call& c) { c.out(0, !c.in(0).toBool()); }
void hash(Call& c) { c.out(0, static_cast<int64_t>(hash_number(c.in(0)))); }
void id(Call& c) { c.out(0, c.in(0).isNone() ? int64_t{0} : identity_number(c.in(0).box())); }

bool truth(const IValue& v) {
  if (v.isDouble()) return v.toDouble() != 0;
  if (v.isString()) return !v.toStringRef().empty();
  return v.toInt() != 0;
}
void any(Call& c) {
  bool r = false;
  for (auto& v : items(c.in(0))) r = r || truth(v);
  c.out(0, r);
}
void all(Call& c) {
  bool r = true;
  for (auto& v : items(c.in(0))) r = r && truth(v);
  c.out(0, r);
}
void sum(Call& c) {
  auto& v = items(c.in(0));
  TypeKind k = c.in(0).toListRef().elem_type->kind;
  if (k == TypeKind::Float) {
    double s = 0;
    for (auto& x : v) s += x.toDouble();
    return c.out(0, s);
  }
  if (k == TypeKind::Complex) {
    std::complex<double> s = 0;
    for (auto& x : v) s += x.toComplexDouble();
    return c.out(0, s);
  }
  uint64_t s = 0;  // wraps
  for (auto& x : v) s += static_cast<uint64_t>(x.toInt());
  c.out(0, static_cast<int64_t>(s));
}
void unwrap_optional(Call& c) {
  if (c.in(0).isNone()) raise<OpError>("Unwrapping null optional");
  c.out(0, c.take(0));
}
void rangelist(Call& c) {
  const int64_t n = c.in(0).toInt();
  expect_memory(static_cast<double>(std::max<int64_t>(n, 0)) * sizeof(IValue));
  auto r = make_ref<ListBox>(types::integer());
  for (int64_t i = 0; i < n; ++i) r->items.emplace_back(i);
  c.out(0, IValue(r));
}
template <bool kValue>
void constant_bool(Call& c) {
  c.out(0, kValue);
}
void nothing(Call&) {}
void identity(Call& c) { c.out(0, c.take(0)); }
void device(Call& c) {
  std::string text = c.in(0).toString();
  if (c.n_in() > 1 && c.in(1).isInt()) text += ":" + std::to_string(c.in(1).toInt());
  c.out(0, Device::parse(text));
}
void device_type(Call& c) {
  std::string s = c.in(0).toDevice().str();
  c.out(0, s.substr(0, s.find(':')));
}
void device_index(Call& c) {
  Device d = c.in(0).toDevice();
  if (d.index < 0)
    c.out(0, IValue());
  else
    c.out(0, static_cast<int64_t>(d.index));
}
void assert_scalar(Call& c) {
  if (Scalar(c.in(0)).d == 0) raise<OpError>(c.in(1).toStringRef());
}

constexpr OpDef kOps[] = {
    // clang-format off
    raw("aten::append.t", append), raw("aten::__getitem__.*", getitem), raw("aten::__getitem__.Dict_Tensor", getitem),
    raw("aten::_set_item.*", set_item), raw("aten::_set_item.Tensor", set_item), raw("aten::Delete.*", delete_item), raw("aten::Delete.Dict_Tensor", delete_item),
    raw("aten::__contains__.*", contains), raw("aten::__contains__.Tensor", contains), raw("aten::len.*", len), raw("aten::len.Dict_Tensor", len), raw("aten::copy.*", copy), raw("aten::list.*", list), raw("aten::clear.*", clear),
    raw("aten::add.t", list_add), raw("aten::add_.t", list_add_), raw("aten::mul.left_t", list_mul), raw("aten::mul.right_", list_mul), raw("aten::mul_.t", list_mul_),
    raw("aten::extend.*", extend), raw("aten::insert.*", insert), raw("aten::pop.*", pop), raw("aten::pop.Dict_Tensor", pop), raw("aten::pop.Dict_default_Tensor", pop),
    raw("aten::reverse.*", reverse), raw("aten::remove.*", remove), raw("aten::remove.Tensor", remove), raw("aten::index.list_int", index), raw("aten::index.list_float", index), raw("aten::index.list_bool", index),
    raw("aten::index.list_str", index), raw("aten::index.list_Tensor", index), raw("aten::count.int", count), raw("aten::count.float", count), raw("aten::count.bool", count), raw("aten::count.str", count),
    raw("aten::count.Tensor", count), raw("aten::sort.int", sort), raw("aten::sort.float", sort), raw("aten::sort.bool", sort), raw("aten::sort.str", sort), raw("aten::sort.Tensor", sort), raw("aten::sort.any", sort),
    raw("aten::sorted.*", sorted), raw("aten::sorted.Tensor", sorted), raw("aten::slice.t", slice), raw("aten::slice.str", slice), raw("aten::select.t", list_select),
    raw("aten::keys.*", keys), raw("aten::keys.Tensor", keys), raw("aten::values.*", values), raw("aten::values.Tensor", values), raw("aten::items.*", dict_items), raw("aten::items.Tensor", dict_items), raw("aten::get.*", get), raw("aten::get.Tensor", get), raw("aten::get.default_Tensor", get),
    raw("aten::setdefault.*", setdefault), raw("aten::setdefault.Tensor", setdefault), raw("aten::update.*", update), raw("aten::popitem.*", popitem), raw("aten::dict.*", dict),
    raw("aten::eq.*", eq), raw("aten::ne.*", ne), raw("aten::eq.Tensor_list", eq), raw("aten::ne.Tensor_list", ne), raw("aten::__is__", is), raw("aten::__isnot__", is_not), raw("aten::__not__", logical_not),
    raw("aten::hash.generic", hash), raw("prim::id", id), raw("aten::any.*", any), raw("aten::all.*", all), raw("aten::sum.int", sum), raw("aten::sum.float", sum), raw("aten::sum.bool", sum), raw("aten::sum.complex", sum),
    raw("aten::_unwrap_optional", unwrap_optional), raw("prim::unchecked_unwrap_optional", identity), raw("prim::rangelist", rangelist), raw("aten::is_scripting", constant_bool<true>),
    raw("aten::has_torch_function", constant_bool<false>), raw("aten::is_grad_enabled", constant_bool<false>), raw("aten::is_autocast_enabled", constant_bool<false>), raw("aten::is_autocast_cpu_enabled", constant_bool<false>),
    raw("aten::_get_tracing_state", constant_bool<false>), raw("aten::is_vulkan_available", constant_bool<false>), raw("aten::set_grad_enabled", nothing), raw("aten::device", device), raw("aten::device.with_index", device),
    raw("prim::type", device_type), raw("prim::index", device_index), raw("aten::_assert_scalar", assert_scalar), raw("aten::Size", identity),
    // clang-format on
};

}  // namespace

extern const OpTable::RowList kContainerOps;
const OpTable::RowList kContainerOps = rows_in_build<kOps>();

}  // namespace sconce::ops
