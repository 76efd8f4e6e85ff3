// SPDX-License-Identifier: Apache-2.0
// c10::List and c10::Dict: handles of an IValue's list or dict, whose elements they share; and how
// C++ types are held in IValues.
#pragma once
#include "sconce/torch/ivalue.h"

namespace c10 {

namespace impl {
// An element of a list: reads as a T, and is written by assignment.
template <class T>
class ListElementReference {
 public:
  ListElementReference(sconce::ListBox& l, size_t i) : list_(l), i_(i) {}
  operator T() const { return get(); }
  T get() const { return detail::Held<T>::to(static_cast<const IValue&>(list_.items[i_])); }
  ListElementReference& operator=(T v) && {
    list_.items[i_] = detail::Held<T>::from(v);
    return *this;
  }
  ListElementReference& operator=(ListElementReference&& o) && {
    list_.items[i_] = o.list_.items[o.i_];
    return *this;
  }
  ListElementReference(const ListElementReference&) = default;
  friend std::ostream& operator<<(std::ostream& os, const ListElementReference& r) {
    return os << r.get();
  }
  friend bool operator==(const ListElementReference& a, const T& b) { return a.get() == b; }
  friend bool operator==(const T& a, const ListElementReference& b) { return b.get() == a; }

 private:
  sconce::ListBox& list_;
  size_t i_;
};

template <class T>
class ListIterator {
 public:
  using iterator_category = std::random_access_iterator_tag;
  using value_type = T;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = ListElementReference<T>;
  ListIterator(sconce::ListBox* l, size_t i) : list_(l), i_(i) {}
  reference operator*() const { return {*list_, i_}; }
  reference operator[](difference_type n) const { return {*list_, i_ + static_cast<size_t>(n)}; }
  ListIterator& operator++() { return ++i_, *this; }
  ListIterator operator++(int) { return {list_, i_++}; }
  ListIterator& operator--() { return --i_, *this; }
  ListIterator& operator+=(difference_type n) { return i_ += static_cast<size_t>(n), *this; }
  ListIterator operator+(difference_type n) const { return {list_, i_ + static_cast<size_t>(n)}; }
  ListIterator operator-(difference_type n) const { return {list_, i_ - static_cast<size_t>(n)}; }
  difference_type operator-(const ListIterator& o) const {
    return static_cast<difference_type>(i_) - static_cast<difference_type>(o.i_);
  }
  bool operator==(const ListIterator& o) const { return i_ == o.i_; }
  bool operator!=(const ListIterator& o) const { return i_ != o.i_; }
  bool operator<(const ListIterator& o) const { return i_ < o.i_; }
  size_t position() const { return i_; }

 private:
  sconce::ListBox* list_;
  size_t i_;
};
}  // namespace impl

// Copies share the elements. get() and the like throw std::out_of_range.
template <class T>
class List {
 public:
  using value_type = T;
  using size_type = size_t;
  using iterator = impl::ListIterator<T>;
  using const_iterator = iterator;

  List() : List(detail::type_of<T>()) {}
  explicit List(TypePtr element) : box_(sconce::make_ref<sconce::ListBox>(element.raw())) {}
  List(std::initializer_list<T> v) : List() {
    for (const T& e : v) push_back(e);
  }
  explicit List(ArrayRef<T> v) : List() {
    for (const T& e : v) push_back(e);
  }
  explicit List(sconce::Ref<sconce::ListBox> box) : box_(std::move(box)) {}

  T get(size_t i) const {
    return detail::Held<T>::to(static_cast<const IValue&>(box_->items.at(i)));
  }
  T extract(size_t i) const {
    T r = get(i);
    box_->items[i] = sconce::IValue();
    return r;
  }
  impl::ListElementReference<T> operator[](size_t i) const {
    box_->items.at(i);
    return {*box_, i};
  }
  void set(size_t i, T v) const { box_->items.at(i) = detail::Held<T>::from(v); }
  iterator begin() const { return {box_.get(), 0}; }
  iterator end() const { return {box_.get(), size()}; }
  bool empty() const { return size() == 0; }
  size_t size() const { return box_->items.size(); }
  void reserve(size_t n) const { box_->items.reserve(n); }
  void clear() const { box_->items.clear(); }
  void push_back(T v) const { box_->items.push_back(detail::Held<T>::from(v)); }
  template <class... A>
  void emplace_back(A&&... a) const {
    push_back(T(std::forward<A>(a)...));
  }
  void append(List other) const {
    for (size_t i = 0, n = other.size(); i < n; ++i) box_->items.push_back(other.box_->items[i]);
  }
  iterator insert(iterator at, T v) const {
    box_->items.insert(box_->items.begin() + static_cast<std::ptrdiff_t>(at.position()),
                       detail::Held<T>::from(v));
    return at;
  }
  iterator erase(iterator at) const {
    box_->items.erase(box_->items.begin() + static_cast<std::ptrdiff_t>(at.position()));
    return at;
  }
  void pop_back() const { box_->items.pop_back(); }
  void resize(size_t n) const { resize(n, T()); }
  void resize(size_t n, const T& v) const { box_->items.resize(n, detail::Held<T>::from(v)); }
  std::vector<T> vec() const {
    std::vector<T> r;
    r.reserve(size());
    for (size_t i = 0; i < size(); ++i) r.push_back(get(i));
    return r;
  }
  List copy() const {
    List r{TypePtr(box_->elem_type)};
    r.box_->items = box_->items;
    return r;
  }
  bool is(const List& o) const { return box_ == o.box_; }
  size_t use_count() const { return box_->use_count(); }
  TypePtr elementType() const { return TypePtr(box_->elem_type); }
  friend bool operator==(const List& a, const List& b) {
    return sconce::ivalue_equal(sconce::IValue(a.box_), sconce::IValue(b.box_));
  }
  friend bool operator!=(const List& a, const List& b) { return !(a == b); }
  const sconce::Ref<sconce::ListBox>& sconce_box() const { return box_; }

 private:
  sconce::Ref<sconce::ListBox> box_;
};

namespace impl {
template <class K, class V>
class DictEntryRef {
 public:
  DictEntryRef(sconce::DictBox* d, size_t place) : dict_(d), place_(place) {}
  K key() const { return detail::Held<K>::to(static_cast<const IValue&>(item().first)); }
  V value() const { return detail::Held<V>::to(static_cast<const IValue&>(item().second)); }
  template <class T>
  void setValue(T&& v) const {
    item().second = detail::Held<V>::from(V(std::forward<T>(v)));
  }

 private:
  template <class, class>
  friend class DictIterator;
  std::pair<sconce::IValue, sconce::IValue>& item() const { return dict_->items.at_place(place_); }
  sconce::DictBox* dict_;
  size_t place_;
};
template <class K, class V>
class DictIterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = DictEntryRef<K, V>;
  using difference_type = std::ptrdiff_t;
  using pointer = const value_type*;
  using reference = const value_type&;
  DictIterator(sconce::DictBox* d, size_t place) : entry_(d, place) {}
  reference operator*() const { return entry_; }
  pointer operator->() const { return &entry_; }
  DictIterator& operator++() {
    entry_.place_ = entry_.dict_->items.next_place(entry_.place_);
    return *this;
  }
  DictIterator operator++(int) {
    DictIterator old = *this;
    ++*this;
    return old;
  }
  bool operator==(const DictIterator& o) const { return entry_.place_ == o.entry_.place_; }
  bool operator!=(const DictIterator& o) const { return !(*this == o); }

 private:
  value_type entry_;
};
}  // namespace impl

// Copies share the entries, which keep the order in which they came.
template <class K, class V>
class Dict {
 public:
  using key_type = K;
  using mapped_type = V;
  using size_type = size_t;
  using iterator = impl::DictIterator<K, V>;

  Dict() : Dict(detail::type_of<K>(), detail::type_of<V>()) {}
  explicit Dict(TypePtr key, TypePtr value)
      : box_(sconce::make_ref<sconce::DictBox>(key.raw(), value.raw())) {}
  explicit Dict(sconce::Ref<sconce::DictBox> box) : box_(std::move(box)) {}

  iterator begin() const { return {box_.get(), box_->items.first_place()}; }
  iterator end() const { return {box_.get(), box_->items.places()}; }
  bool empty() const { return size() == 0; }
  size_t size() const { return box_->items.size(); }
  void clear() const { box_->clear(); }
  void reserve(size_t n) const { box_->items.reserve(n); }
  // Leaves an entry that is there as it is.
  template <class T, class U>
  std::pair<iterator, bool> insert(T&& key, U&& value) const {
    return put(K(std::forward<T>(key)), V(std::forward<U>(value)), false);
  }
  template <class T, class U>
  std::pair<iterator, bool> insert_or_assign(T&& key, U&& value) const {
    return put(K(std::forward<T>(key)), V(std::forward<U>(value)), true);
  }
  size_t erase(const K& key) const { return box_->erase(detail::Held<K>::from(key)) ? 1 : 0; }
  void erase(iterator at) const { erase(at->key()); }
  // Throws std::out_of_range.
  V at(const K& key) const {
    const sconce::IValue* v = box_->find(detail::Held<K>::from(key));
    if (!v) throw std::out_of_range("Argument passed to at() was not in the map.");
    return detail::Held<V>::to(static_cast<const IValue&>(*v));
  }
  iterator find(const K& key) const {
    const sconce::IValue* v = box_->find(detail::Held<K>::from(key));
    auto& items = box_->items;
    for (size_t p = items.first_place(); v && p < items.places(); p = items.next_place(p))
      if (&items.at_place(p).second == v) return {box_.get(), p};
    return end();
  }
  bool contains(const K& key) const { return box_->find(detail::Held<K>::from(key)) != nullptr; }
  Dict copy() const {
    Dict r(keyType(), valueType());
    for (auto& kv : box_->items) r.box_->set(kv.first, kv.second);
    return r;
  }
  bool is(const Dict& o) const { return box_ == o.box_; }
  TypePtr keyType() const { return TypePtr(box_->key_type); }
  TypePtr valueType() const { return TypePtr(box_->value_type); }
  friend bool operator==(const Dict& a, const Dict& b) {
    return sconce::ivalue_equal(sconce::IValue(a.box_), sconce::IValue(b.box_));
  }
  friend bool operator!=(const Dict& a, const Dict& b) { return !(a == b); }
  const sconce::Ref<sconce::DictBox>& sconce_box() const { return box_; }

 private:
  std::pair<iterator, bool> put(const K& key, const V& value, bool assign) const {
    sconce::IValue k = detail::Held<K>::from(key);
    const bool there = box_->find(k) != nullptr;
    if (!there || assign) box_->set(std::move(k), detail::Held<V>::from(value));
    return {there ? find(key) : iterator(box_.get(), box_->items.places() - 1), !there};
  }
  sconce::Ref<sconce::DictBox> box_;
};

template <class T>
IValue::IValue(List<T> l) : sconce::IValue(l.sconce_box()) {}
template <class K, class V>
IValue::IValue(Dict<K, V> d) : sconce::IValue(d.sconce_box()) {}

namespace detail {
#define SCONCE_TORCH_HELD(T, type_, to_)                             \
  template <>                                                        \
  struct Held<T> {                                                   \
    static sconce::TypePtr type() { return sconce::types::type_(); } \
    static sconce::IValue from(const T& v) { return IValue(v); }     \
    static T to(const IValue& v) { return to_; }                     \
  };
SCONCE_TORCH_HELD(at::Tensor, tensor, v.toTensor())
SCONCE_TORCH_HELD(int64_t, integer, v.toInt())
SCONCE_TORCH_HELD(double, floating, v.toDouble())
SCONCE_TORCH_HELD(bool, boolean, v.toBool())
SCONCE_TORCH_HELD(std::string, string, v.toStringRef())
SCONCE_TORCH_HELD(c10::string_view, string, v.toStringView())
SCONCE_TORCH_HELD(Device, device, v.toDevice())
SCONCE_TORCH_HELD(Scalar, number, v.toScalar())
SCONCE_TORCH_HELD(complex<double>, complex, v.toComplexDouble())
SCONCE_TORCH_HELD(IValue, any, v)
SCONCE_TORCH_HELD(ScalarType, integer, v.toScalarType())
#undef SCONCE_TORCH_HELD
// Of the numbers that TorchScript lacks, only reading.
#define SCONCE_TORCH_READ(T, expression)                \
  template <>                                           \
  struct Held<T> {                                      \
    static T to(const IValue& v) { return expression; } \
  };
SCONCE_TORCH_READ(int32_t, static_cast<int32_t>(v.toInt()))
SCONCE_TORCH_READ(float, static_cast<float>(v.toDouble()))
SCONCE_TORCH_READ(intrusive_ptr<ivalue::Tuple>, v.toTuple())
SCONCE_TORCH_READ(intrusive_ptr<ivalue::ConstantString>, v.toString())
SCONCE_TORCH_READ(intrusive_ptr<ivalue::Object>, v.toObject())
#undef SCONCE_TORCH_READ
template <class T>
struct Held<std::optional<T>> {
  static sconce::TypePtr type() { return sconce::TypeTable::global().optional(Held<T>::type()); }
  static sconce::IValue from(const std::optional<T>& v) {
    return v ? Held<T>::from(*v) : sconce::IValue();
  }
  static std::optional<T> to(const IValue& v) { return v.toOptional<T>(); }
};
template <class T>
struct Held<List<T>> {
  static sconce::TypePtr type() { return sconce::types::list(Held<T>::type()); }
  static sconce::IValue from(const List<T>& v) { return IValue(v); }
  static List<T> to(const IValue& v) {
    if (!v.isList()) v.wrong_kind("GenericList");
    auto& box = static_cast<const sconce::IValue&>(v).toListRef();
    const sconce::TypePtr wanted = Held<T>::type();
    if (wanted->kind != sconce::TypeKind::Any && box.elem_type && box.elem_type != wanted &&
        !(box.items.empty() && box.elem_type->kind == sconce::TypeKind::Any))
      guarded([&] { sconce::libtorch::check_elements(box, wanted); });
    return List<T>(sconce::Ref<sconce::ListBox>(&box));
  }
};
template <class T>
struct Held<std::vector<T>> {
  static sconce::TypePtr type() { return sconce::types::list(Held<T>::type()); }
  static sconce::IValue from(const std::vector<T>& v) {
    auto box = sconce::make_ref<sconce::ListBox>(Held<T>::type());
    for (const T& e : v) box->items.push_back(Held<T>::from(e));
    return sconce::IValue(std::move(box));
  }
  static std::vector<T> to(const IValue& v) {
    if (!v.isList()) v.wrong_kind("GenericList");
    std::vector<T> r;
    for (const IValue& e : v.toListRef()) r.push_back(Held<T>::to(e));
    return r;
  }
};
template <class T, size_t N>
struct Held<std::array<T, N>> {
  static sconce::TypePtr type() { return sconce::types::list(Held<T>::type()); }
  static sconce::IValue from(const std::array<T, N>& v) { return IValue(v); }
  static std::array<T, N> to(const IValue& v) {
    std::vector<T> all = v.to<std::vector<T>>();
    if (all.size() != N) throw Error("Tried to convert a List to a std::array of another size");
    std::array<T, N> r;
    std::copy(all.begin(), all.end(), r.begin());
    return r;
  }
};
template <class K, class V>
struct Held<Dict<K, V>> {
  static sconce::TypePtr type() {
    return sconce::TypeTable::global().dict(Held<K>::type(), Held<V>::type());
  }
  static sconce::IValue from(const Dict<K, V>& v) { return IValue(v); }
  static Dict<K, V> to(const IValue& v) {
    if (!v.isDict()) v.wrong_kind("GenericDict");
    return Dict<K, V>(sconce::Ref<sconce::DictBox>(&v.toDictRef()));
  }
};
template <class K, class V>
struct Held<std::unordered_map<K, V>> {
  static sconce::TypePtr type() { return Held<Dict<K, V>>::type(); }
  static sconce::IValue from(const std::unordered_map<K, V>& v) {
    Dict<K, V> d;
    for (auto& kv : v) d.insert(kv.first, kv.second);
    return IValue(d);
  }
  static std::unordered_map<K, V> to(const IValue& v) {
    std::unordered_map<K, V> r;
    for (const auto& e : v.to<Dict<K, V>>()) r.emplace(e.key(), e.value());
    return r;
  }
};
template <class... T>
struct Held<std::tuple<T...>> {
  static sconce::TypePtr type() { return sconce::TypeTable::global().tuple({Held<T>::type()...}); }
  static sconce::IValue from(const std::tuple<T...>& v) {
    return std::apply([](const T&... e) { return IValue(ivalue::Tuple::create(IValue(e)...)); }, v);
  }
  static std::tuple<T...> to(const IValue& v) { return to(v, std::index_sequence_for<T...>()); }
  template <size_t... I>
  static std::tuple<T...> to(const IValue& v, std::index_sequence<I...>) {
    const auto& e = v.toTupleRef().elements();
    if (e.size() != sizeof...(T)) throw Error("a tuple of another size was expected");
    return std::tuple<T...>(Held<T>::to(e[I])...);
  }
};
}  // namespace detail

inline impl::GenericList IValue::toList() const { return to<impl::GenericList>(); }
inline List<at::Tensor> IValue::toTensorList() const { return to<List<at::Tensor>>(); }
inline List<int64_t> IValue::toIntList() const { return to<List<int64_t>>(); }
inline List<double> IValue::toDoubleList() const { return to<List<double>>(); }
inline List<bool> IValue::toBoolList() const { return to<List<bool>>(); }
inline impl::GenericDict IValue::toGenericDict() const { return to<impl::GenericDict>(); }

namespace impl {
template <class T>
List<T> toTypedList(GenericList l) {
  return IValue(l).to<List<T>>();
}
template <class T>
GenericList toList(List<T> l) {
  return IValue(l).toList();
}
template <class K, class V>
Dict<K, V> toTypedDict(GenericDict d) {
  if (d.keyType().raw() != detail::Held<K>::type() ||
      d.valueType().raw() != detail::Held<V>::type())
    throw Error("Tried to cast a Dict<" + d.keyType()->str() + ", " + d.valueType()->str() +
                "> to a Dict<" + detail::Held<K>::type()->str() + ", " +
                detail::Held<V>::type()->str() + ">. Types mismatch.");
  return IValue(d).to<Dict<K, V>>();
}
template <class K, class V>
GenericDict toGenericDict(Dict<K, V> d) {
  return IValue(d).toGenericDict();
}
}  // namespace impl

}  // namespace c10

namespace torch {
template <class T>
using List = c10::List<T>;
template <class K, class V>
using Dict = c10::Dict<K, V>;
using c10::IValue;
}  // namespace torch
