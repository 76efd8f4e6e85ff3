// SPDX-License-Identifier: Apache-2.0
#include "core/value_check.h"

#include <algorithm>
#include <mutex>

namespace sconce {

namespace {

constexpr uint32_t bit(Tag tag) { return 1u << static_cast<int>(tag); }

// One type for LibTorch, whose types are compared by structure and not by address.
bool same_type(TypePtr a, TypePtr b) {
  if (a == b) return true;
  if (!a || !b || a->kind != b->kind || a->elems.size() != b->elems.size()) return false;
  switch (a->kind) {
    case TypeKind::Tensor: return true;  // what is known of its form does not matter
    case TypeKind::Class:
    case TypeKind::Interface:
    case TypeKind::Enum: return false;
    case TypeKind::Tuple:
      if (a->fields != b->fields || a->name != b->name) return false;
      break;
    default:
      if (a->elems.empty()) return false;
  }
  for (size_t i = 0; i < a->elems.size(); ++i)
    if (!same_type(a->elems[i], b->elems[i])) return false;
  return true;
}

// True when the type lives as long as the process, not only as long as an archive.
bool lives_on(TypePtr t) {
  if (t->mentions_class || (t->kind == TypeKind::Tuple && !t->name.empty())) return false;
  return std::all_of(t->elems.begin(), t->elems.end(), lives_on);
}

// The types of a container of the host may be filled in by several calls at once.
TypePtr read_type(TypePtr& slot) { return __atomic_load_n(&slot, __ATOMIC_ACQUIRE); }
// Written once, under a lock: who has seen a type may read it plainly from then on.
bool fill_type(TypePtr& slot, TypePtr t) {
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  if (!slot) __atomic_store_n(&slot, t, __ATOMIC_RELEASE);
  return slot == t;
}

bool missing_or_any(TypePtr t) { return !t || t->kind == TypeKind::Any; }

bool can_be_key(const IValue& v) {
  return v.isInt() || v.isDouble() || v.isBool() || v.isDevice() ||
         ((v.isComplexDouble() || v.isString() || v.isTensor()) && v.box());
}

bool is_member(const EnumBox& e, TypePtr t) {
  if (e.type != t) return false;
  auto& members = static_cast<const EnumType*>(t)->members;
  return members.empty() || std::any_of(members.begin(), members.end(), [&](const IValue& m) {
           return m.toEnumRef().name == e.name && ivalue_equal(m.toEnumRef().value, e.value);
         });
}

// Value of a member for the time of a block.
template <class T>
struct Restored {
  T& place;
  T old;
  Restored(T& p, T now) : place(p), old(p) { place = now; }
  ~Restored() { place = old; }
};

std::string type_str(const IValue& v, int depth) {
  auto element = [](TypePtr t) { return t ? t->annotation_str() : std::string("?"); };
  switch (v.tag()) {
    case Tag::Tensor: return v.box() ? "Tensor" : "Tensor (undefined)";
    case Tag::None: return "NoneType";
    case Tag::Double:
    case Tag::Int:
    case Tag::Bool:
    case Tag::Device: return v.tag_name();
    default: break;
  }
  if (!v.box()) return std::string(v.tag_name()) + " (null)";
  switch (v.tag()) {
    case Tag::List: return "List[" + element(v.toListRef().elem_type) + "]";
    case Tag::Dict:
      return "Dict[" + element(v.toDictRef().key_type) + ", " + element(v.toDictRef().value_type) +
             "]";
    case Tag::Tuple: {
      const TupleBox& t = v.toTupleRef();
      if (t.type) return t.type->annotation_str();
      if (t.items.empty()) return "Tuple[()]";
      if (depth > 8) return "Tuple[...]";
      std::string s = "Tuple[";
      for (size_t i = 0; i < t.items.size(); ++i)
        s += (i ? ", " : "") + type_str(t.items[i], depth + 1);
      return s + "]";
    }
    case Tag::Object: return v.toObjectRef().type->name;
    case Tag::Enum: return v.toEnumRef().type ? v.toEnumRef().type->str() : "Enum<?>";
    case Tag::Future: return "Future[" + element(v.toFutureRef().elem_type) + "]";
    default: return v.tag_name();
  }
}

std::string quoted(const IValue& key) {
  std::string s = ivalue_str(key);
  if (s.size() > 40) s = s.substr(0, 40) + "...";
  return key.isString() ? "\"" + s + "\"" : s;
}

}  // namespace

uint32_t plain_tags(TypePtr t) {
  switch (t->kind) {
    case TypeKind::Int: return bit(Tag::Int);
    case TypeKind::Float: return bit(Tag::Double);
    case TypeKind::Bool: return bit(Tag::Bool);
    case TypeKind::None: return bit(Tag::None);
    case TypeKind::Device: return bit(Tag::Device);
    case TypeKind::Number: return bit(Tag::Int) | bit(Tag::Double);
    case TypeKind::Any:
      return bit(Tag::Int) | bit(Tag::Double) | bit(Tag::Bool) | bit(Tag::None) | bit(Tag::Device);
    case TypeKind::Optional:
    case TypeKind::Union: {
      uint32_t all = t->kind == TypeKind::Optional ? bit(Tag::None) : 0;
      for (TypePtr e : t->elems) all |= plain_tags(e);
      return all;
    }
    default: return 0;
  }
}

std::string repr_str(TypePtr t) {
  return t->kind == TypeKind::Enum || t->kind == TypeKind::Tensor ? t->str() : t->annotation_str();
}
std::string value_type_str(const IValue& v) { return type_str(v, 0); }

bool ValueCheck::fits(IValue& v, TypePtr t) {
  misfit_type_.clear();
  misfit_path_.clear();
  depth_ = 0;
  undefined_ok_ = undefined_tensors;
  IValue replacement;
  switch (fit(v, t, &replacement)) {
    case Fit::No: return false;
    case Fit::AsIs: return true;
    case Fit::Replaced: v = std::move(replacement); return true;
  }
  return false;
}

std::string ValueCheck::found(const IValue& v) const {
  std::string s = "'" + value_type_str(v) + "'";
  if (!misfit_path_.empty()) s += " with a value of type '" + misfit_type_ + "' at " + misfit_path_;
  return s;
}

ValueCheck::Fit ValueCheck::misfit(const IValue& v) {
  misfit_type_ = value_type_str(v);
  misfit_path_.clear();
  return Fit::No;
}

ValueCheck::Fit ValueCheck::fit(const IValue& v, TypePtr t, IValue* out) {
  auto when = [&](bool yes) { return yes ? Fit::AsIs : misfit(v); };
  // Of these the tag says all but whether there is something.
  auto boxed = [&](Tag tag) { return when(v.tag() == tag && v.box()); };
  switch (t->kind) {
    case TypeKind::Tensor: return when(v.isTensor() && (v.box() || undefined_ok_));
    case TypeKind::Int:
    case TypeKind::Float:
    case TypeKind::Bool:
    case TypeKind::None:
    case TypeKind::Device: return when(plain_tags(t) & bit(v.tag()));
    case TypeKind::Complex: return boxed(Tag::ComplexDouble);
    case TypeKind::Number:
      return v.isComplexDouble() ? boxed(Tag::ComplexDouble) : when(v.isInt() || v.isDouble());
    case TypeKind::String: return boxed(Tag::String);
    case TypeKind::Generator: return boxed(Tag::Generator);
    case TypeKind::Function: return boxed(Tag::Function);
    case TypeKind::Class: return when(v.isObject() && v.box() && v.toObjectRef().type == t);
    case TypeKind::Interface:
      return when(v.isObject() && v.box() && v.toObjectRef().type->is_subtype_of(t));
    case TypeKind::AnyClass: return boxed(Tag::Object);
    case TypeKind::Enum: return when(v.isEnum() && v.box() && is_member(v.toEnumRef(), t));
    case TypeKind::Optional:
    case TypeKind::Union: return fit_member(v, t, out);
    case TypeKind::Any: return fit_any(v, out);
    case TypeKind::AnyEnum: return v.isEnum() ? fit_any(v, out) : misfit(v);
    case TypeKind::AnyTuple: return v.isTuple() ? fit_any(v, out) : misfit(v);
    case TypeKind::AnyList: return v.isList() ? fit_any(v, out) : misfit(v);
    case TypeKind::List:
    case TypeKind::Dict:
    case TypeKind::Tuple: return fit_container(v, t, out);
    case TypeKind::Future:
    case TypeKind::Await: {
      if (!v.isFuture() || !v.box()) return misfit(v);
      TypePtr carried = v.toFutureRef().elem_type;
      return when(carried && (same_type(carried, t->elem()) || carried->is_subtype_of(t->elem())));
    }
    default: return misfit(v);  // no value has such a type
  }
}

ValueCheck::Fit ValueCheck::fit_member(const IValue& v, TypePtr t, IValue* out) {
  Restored<bool> strict(undefined_ok_, false);
  if (v.isNone() && t->kind == TypeKind::Optional) return Fit::AsIs;
  // A member that takes the value as it is comes before one that takes a copy.
  Fit best = Fit::No;
  for (TypePtr e : t->elems) {
    IValue replacement;
    Fit f = fit(v, e, &replacement);
    if (f == Fit::AsIs) return f;
    if (f == Fit::Replaced && best == Fit::No) {
      best = f;
      *out = std::move(replacement);
    }
  }
  if (best == Fit::No && t->kind == TypeKind::Union) return misfit(v);
  return best;
}

ValueCheck::Fit ValueCheck::fit_container(const IValue& v, TypePtr t, IValue* out) {
  Tag wanted = t->kind == TypeKind::List   ? Tag::List
               : t->kind == TypeKind::Dict ? Tag::Dict
                                           : Tag::Tuple;
  if (v.tag() != wanted && t->kind != TypeKind::Any) return misfit(v);
  if (!v.box()) return misfit(v);
  std::pair<const void*, TypePtr> key(v.box(), t);
  if (!known_.empty()) {
    auto it = known_.find(key);
    if (it != known_.end()) {
      *out = it->second.value;
      return it->second.fit == Fit::No ? misfit(v) : it->second.fit;
    }
  }
  if (depth_ >= kMaxDepth)
    raise<OpError>("a value is nested more than ", kMaxDepth,
                   " levels deep; does a container contain itself?");
  Fit f;
  {
    Restored<int> deeper(depth_, depth_ + 1);
    f = v.isList()   ? fit_list(v.toListRef(), t, out)
        : v.isDict() ? fit_dict(v.toDictRef(), t, out)
                     : fit_tuple(v.toTupleRef(), t, out);
    if (f == Fit::No && misfit_path_.empty()) misfit(v);
  }
  visited_ += 1 + (v.isList()   ? v.toListRef().items.size()
                   : v.isDict() ? v.toDictRef().items.size()
                                : v.toTupleRef().items.size());
  if (f == Fit::Replaced || visited_ > kUnremembered)
    known_[key] = {f, f == Fit::Replaced ? *out : IValue()};
  return f;
}

// Any: the value is used by the type that it carries.
ValueCheck::Fit ValueCheck::fit_any(const IValue& v, IValue* out) {
  Restored<bool> strict(undefined_ok_, false);
  switch (v.tag()) {
    case Tag::List:
    case Tag::Dict:
    case Tag::Tuple: return fit_container(v, types::any(), out);
    case Tag::Tensor:
    case Tag::ComplexDouble:
    case Tag::String:
    case Tag::Object:
    case Tag::Function:
    case Tag::Generator: return v.box() ? Fit::AsIs : misfit(v);
    case Tag::Enum:
      return v.box() && v.toEnumRef().type && is_member(v.toEnumRef(), v.toEnumRef().type)
                 ? Fit::AsIs
                 : misfit(v);
    case Tag::Future: return v.box() && v.toFutureRef().elem_type ? Fit::AsIs : misfit(v);
    default: return Fit::AsIs;
  }
}

// Items as values of one type. changed stays empty when none is replaced.
ValueCheck::Fit ValueCheck::fit_items(const std::vector<IValue>& items, TypePtr t,
                                      std::vector<IValue>* changed) {
  Restored<bool> lax(undefined_ok_, true);
  uint32_t plain = t->kind == TypeKind::Tensor ? bit(Tag::Tensor) : plain_tags(t);
  for (size_t i = 0; i < items.size(); ++i) {
    if (plain & bit(items[i].tag())) continue;
    IValue replacement;
    Fit f = fit(items[i], t, &replacement);
    if (f == Fit::AsIs) continue;
    if (f == Fit::No) {
      misfit_path_ = "[" + std::to_string(i) + "]" + misfit_path_;
      return f;
    }
    if (changed->empty()) *changed = items;
    (*changed)[i] = std::move(replacement);
  }
  return changed->empty() ? Fit::AsIs : Fit::Replaced;
}

// The type of items that carry none: theirs when it is one plain type, else Any.
TypePtr ValueCheck::common_type(const std::vector<IValue>& items) {
  if (items.empty()) return types::any();
  for (auto& v : items)
    if (v.tag() != items[0].tag()) return types::any();
  switch (items[0].tag()) {
    case Tag::Tensor:
    case Tag::Double:
    case Tag::Int:
    case Tag::Bool:
    case Tag::Device:
    case Tag::ComplexDouble:
    case Tag::String: return ivalue_type(items[0]);
    default: return types::any();
  }
}

ValueCheck::Fit ValueCheck::fit_list(ListBox& box, TypePtr t, IValue* out) {
  TypePtr carried = read_type(box.elem_type);
  TypePtr wanted = t->kind == TypeKind::Any ? carried : t->elem();
  std::vector<IValue> changed;
  if (t->kind == TypeKind::Any) {
    // Its own type if that is true.
    if (!carried || fit_items(box.items, carried, &changed) == Fit::No) {
      changed.clear();
      wanted = common_type(box.items);
      if (fit_items(box.items, wanted, &changed) == Fit::No) return Fit::No;
    }
  } else {
    // A list that truly is of another type is refused, also when it is empty.
    if (!missing_or_any(carried) && !same_type(carried, wanted)) {
      std::vector<IValue> ignored;
      if (fit_items(box.items, carried, &ignored) != Fit::No) {
        misfit_path_.clear();
        return Fit::No;
      }
    }
    if (fit_items(box.items, wanted, &changed) == Fit::No) return Fit::No;
  }
  if (changed.empty()) {
    if (carried && same_type(carried, wanted)) return Fit::AsIs;
    if (!carried && depth_ == 1 && lives_on(wanted) && fill_type(box.elem_type, wanted))
      return Fit::AsIs;
    changed = box.items;
  }
  *out = IValue(make_ref<ListBox>(wanted, std::move(changed)));
  return Fit::Replaced;
}

// Keys and values as values of two types. Empty changed: none is replaced.
ValueCheck::Fit ValueCheck::fit_entries(const DictBox& box, TypePtr key, TypePtr value,
                                        std::vector<IValue>* changed) {
  Restored<bool> lax(undefined_ok_, true);
  for (size_t i = 0; i < box.items.size(); ++i) {
    const auto& [k, v] = box.items[i];
    IValue replacement;
    if (!can_be_key(k) || fit(k, key, &replacement) != Fit::AsIs) {
      misfit(k);
      misfit_path_ = "key " + std::to_string(i);
      return Fit::No;
    }
    Fit f = fit(v, value, &replacement);
    if (f == Fit::AsIs) continue;
    if (f == Fit::No) {
      misfit_path_ = "[" + quoted(k) + "]" + misfit_path_;
      return f;
    }
    if (changed->empty())
      for (auto& kv : box.items) changed->push_back(kv.second);
    (*changed)[i] = std::move(replacement);
  }
  return changed->empty() ? Fit::AsIs : Fit::Replaced;
}

ValueCheck::Fit ValueCheck::fit_dict(DictBox& box, TypePtr t, IValue* out) {
  TypePtr carried_key = read_type(box.key_type), carried = read_type(box.value_type);
  TypePtr key = t->kind == TypeKind::Any ? carried_key : t->elem(0);
  TypePtr value = t->kind == TypeKind::Any ? carried : t->elem(1);
  std::vector<IValue> changed;
  if (t->kind == TypeKind::Any) {
    if (!carried || !carried_key || fit_entries(box, carried_key, carried, &changed) == Fit::No) {
      changed.clear();
      std::vector<IValue> keys, values;
      for (auto& kv : box.items) keys.push_back(kv.first), values.push_back(kv.second);
      key = common_type(keys);
      value = common_type(values);
      if (fit_entries(box, key, value, &changed) == Fit::No) return Fit::No;
    }
  } else {
    bool other = (!missing_or_any(carried_key) && !same_type(carried_key, key)) ||
                 (!missing_or_any(carried) && !same_type(carried, value));
    if (other && !box.items.empty()) {
      std::vector<IValue> ignored;
      if (fit_entries(box, carried_key ? carried_key : types::any(),
                      carried ? carried : types::any(), &ignored) != Fit::No) {
        misfit_path_.clear();
        return Fit::No;
      }
    }
    if (fit_entries(box, key, value, &changed) == Fit::No) return Fit::No;
  }
  if (changed.empty()) {
    if (carried && carried_key && same_type(carried_key, key) && same_type(carried, value))
      return Fit::AsIs;
    if (!carried_key && !carried && depth_ == 1 && lives_on(key) && lives_on(value) &&
        fill_type(box.key_type, key) && fill_type(box.value_type, value))
      return Fit::AsIs;
  }
  auto copy = make_ref<DictBox>(key, value);
  for (size_t i = 0; i < box.items.size(); ++i)
    copy->set(box.items[i].first, changed.empty() ? box.items[i].second : std::move(changed[i]));
  *out = IValue(std::move(copy));
  return Fit::Replaced;
}

ValueCheck::Fit ValueCheck::fit_tuple(TupleBox& box, TypePtr t, IValue* out) {
  Restored<bool> strict(undefined_ok_, false);
  TypePtr wanted = t->kind == TypeKind::Any ? box.type : t;
  if (wanted) {
    misfit_path_.clear();
    if (wanted->kind != TypeKind::Tuple || wanted->elems.size() != box.items.size()) return Fit::No;
    // The names of the fields count, the name of the class does not.
    if (wanted->is_named_tuple() && (!box.type || box.type->fields != wanted->fields))
      return Fit::No;
  }
  std::vector<IValue> changed;
  for (size_t i = 0; i < box.items.size(); ++i) {
    IValue replacement;
    Fit f = fit(box.items[i], wanted ? wanted->elems[i] : types::any(), &replacement);
    if (f == Fit::No) {
      // Of an element itself the tuple's type tells.
      if (!misfit_path_.empty()) misfit_path_ = "[" + std::to_string(i) + "]" + misfit_path_;
      return f;
    }
    if (f == Fit::AsIs) continue;
    if (changed.empty()) changed = box.items;
    changed[i] = std::move(replacement);
  }
  if (changed.empty()) return Fit::AsIs;
  *out = IValue(make_ref<TupleBox>(std::move(changed), box.type));
  return Fit::Replaced;
}

void check_attribute(IValue& v, const ClassType::Attribute& attribute) {
  if (attribute.type->kind != TypeKind::Tensor && (plain_tags(attribute.type) & bit(v.tag())))
    return;
  ValueCheck check;
  check.undefined_tensors = false;
  if (!check.fits(v, attribute.type))
    raise<OpError>("Expected a value of type '", repr_str(attribute.type), "' for field '",
                   attribute.name, "', but found ", check.found(v));
}

}  // namespace sconce
