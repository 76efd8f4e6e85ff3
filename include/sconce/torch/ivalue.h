// SPDX-License-Identifier: Apache-2.0
// c10::IValue with its containers List and Dict, and c10::ivalue::Tuple.
#pragma once
#include <unordered_map>

#include "sconce/torch/type.h"

namespace torch::jit {
struct Module;
}

namespace c10 {

struct IValue;
template <class T>
class List;
template <class K, class V>
class Dict;
namespace impl {
using GenericList = List<IValue>;
using GenericDict = Dict<IValue, IValue>;
}  // namespace impl

// ---- counted pointers ----
// Base of what a program counts by intrusive_ptr.
class intrusive_ptr_target : public sconce::RefCounted {};

// To a T that derives of intrusive_ptr_target, or to one of c10::ivalue.
template <class T>
class intrusive_ptr {
 public:
  using element_type = T;
  intrusive_ptr() = default;
  intrusive_ptr(std::nullptr_t) {}
  explicit intrusive_ptr(sconce::Ref<sconce::RefCounted> r) : r_(std::move(r)) {}
  template <class U, class = std::enable_if_t<std::is_base_of<T, U>::value>>
  intrusive_ptr(const intrusive_ptr<U>& o) : r_(o.ref()) {}
  template <class... A>
  static intrusive_ptr make(A&&... a) {
    return intrusive_ptr(sconce::Ref<sconce::RefCounted>(
        static_cast<sconce::RefCounted*>(new T(std::forward<A>(a)...))));
  }
  T* get() const {
    if constexpr (std::is_base_of<sconce::RefCounted, T>::value)
      return static_cast<T*>(r_.get());
    else
      return reinterpret_cast<T*>(r_.get());
  }
  T* operator->() const { return get(); }
  T& operator*() const { return *get(); }
  explicit operator bool() const { return static_cast<bool>(r_); }
  bool defined() const { return static_cast<bool>(r_); }
  void reset() { r_ = nullptr; }
  size_t use_count() const { return r_ ? r_->use_count() : 0; }
  bool unique() const { return use_count() == 1; }
  const sconce::Ref<sconce::RefCounted>& ref() const { return r_; }
  friend bool operator==(const intrusive_ptr& a, const intrusive_ptr& b) { return a.r_ == b.r_; }
  friend bool operator!=(const intrusive_ptr& a, const intrusive_ptr& b) { return a.r_ != b.r_; }
  friend bool operator==(const intrusive_ptr& a, std::nullptr_t) { return !a.r_; }
  friend bool operator!=(const intrusive_ptr& a, std::nullptr_t) { return a.defined(); }

 private:
  sconce::Ref<sconce::RefCounted> r_;
};
template <class T, class... A>
intrusive_ptr<T> make_intrusive(A&&... a) {
  return intrusive_ptr<T>::make(std::forward<A>(a)...);
}

// ---- conversions ----
namespace detail {
// How a T is held in an IValue: its type, from(), to(). No member for a T that can't be.
template <class T, class = void>
struct Held;
template <class T>
TypePtr type_of() {
  return TypePtr(Held<T>::type());
}
}  // namespace detail
template <class T>
TypePtr getTypePtr() {
  return detail::type_of<T>();
}
template <class T>
TypePtr getTypePtrCopy() {
  return detail::type_of<T>();
}

namespace ivalue {
struct Tuple;
struct ConstantString;
struct Object;
struct Future;
struct EnumHolder;
}  // namespace ivalue

struct IValue : sconce::IValue {
  IValue() noexcept = default;
  IValue(const IValue&) = default;
  IValue(IValue&&) noexcept = default;
  IValue& operator=(const IValue&) & noexcept = default;
  IValue& operator=(IValue&&) & noexcept = default;
  IValue(const sconce::IValue& v) : sconce::IValue(v) {}
  IValue(sconce::IValue&& v) noexcept : sconce::IValue(std::move(v)) {}

  IValue(at::Tensor t) : sconce::IValue(static_cast<sconce::Tensor&&>(t)) {}
  IValue(at::TensorBase t) : sconce::IValue(static_cast<sconce::Tensor&&>(t)) {}
  IValue(const sconce::Tensor& t) : sconce::IValue(t) {}
  IValue(double v) : sconce::IValue(v) {}
  IValue(int32_t v) : sconce::IValue(static_cast<int64_t>(v)) {}
  IValue(int64_t v) : sconce::IValue(v) {}
  IValue(bool v) : sconce::IValue(v) {}
  IValue(const char* s) : sconce::IValue(s) {}
  IValue(std::string s) : sconce::IValue(std::move(s)) {}
  IValue(c10::string_view s) : sconce::IValue(std::string(s)) {}
  IValue(Device d) : sconce::IValue(static_cast<sconce::Device>(d)) {}
  IValue(ScalarType t) : IValue(static_cast<int64_t>(t)) {}
  IValue(Layout l) : IValue(static_cast<int64_t>(l)) {}
  IValue(MemoryFormat f) : IValue(static_cast<int64_t>(f)) {}
  IValue(complex<double> c) : sconce::IValue(std::complex<double>(c)) {}
  IValue(std::complex<double> c) : sconce::IValue(c) {}
  IValue(const Scalar& s);
  IValue(const at::Generator& g) : sconce::IValue(g.value()) {}
  IValue(std::nullopt_t) {}
  template <class T>
  IValue(std::optional<T> v) {
    if (v) *this = IValue(std::move(*v));
  }
  template <class T>
  IValue(intrusive_ptr<T> p);
  template <class T>
  IValue(List<T> l);
  template <class K, class V>
  IValue(Dict<K, V> d);
  template <class T>
  IValue(const std::vector<T>& v) : sconce::IValue(detail::Held<std::vector<T>>::from(v)) {}
  template <class T>
  IValue(ArrayRef<T> v) : sconce::IValue(detail::Held<std::vector<T>>::from(v.vec())) {}
  template <class T, size_t N>
  IValue(const std::array<T, N>& v)
      : sconce::IValue(detail::Held<std::vector<T>>::from(std::vector<T>(v.begin(), v.end()))) {}
  template <class K, class V>
  IValue(const std::unordered_map<K, V>& v)
      : sconce::IValue(detail::Held<std::unordered_map<K, V>>::from(v)) {}
  template <class... T>
  IValue(const std::tuple<T...>& v) : sconce::IValue(detail::Held<std::tuple<T...>>::from(v)) {}

  bool isPtrType() const { return box() != nullptr; }
  bool isTensorList() const { return is_list_of(sconce::TypeKind::Tensor); }
  bool isIntList() const { return is_list_of(sconce::TypeKind::Int); }
  bool isDoubleList() const { return is_list_of(sconce::TypeKind::Float); }
  bool isBoolList() const { return is_list_of(sconce::TypeKind::Bool); }
  bool isModule() const { return isObject() && sconce::IValue::toObjectRef().type->is_module; }
  bool isCustomClass() const { return false; }
  bool isCapsule() const { return false; }
  bool isStorage() const { return false; }
  bool isScalar() const { return isDouble() || isInt() || isBool() || isComplexDouble(); }
  std::string tagKind() const;
  TypePtr type() const { return TypePtr(sconce::ivalue_type(*this)); }
  bool isAliasOf(const IValue& o) const {
    return isTensor() && o.isTensor() ? toTensor().is_alias_of(o.toTensor())
                                      : isPtrType() && box() == o.box();
  }
  bool is(const IValue& o) const { return sconce::ivalue_is(*this, o); }
  friend bool operator==(const IValue& a, const IValue& b) {
    return a.tag() == b.tag() && sconce::ivalue_equal(a, b);
  }
  friend bool operator!=(const IValue& a, const IValue& b) { return !(a == b); }
  friend std::ostream& operator<<(std::ostream& os, const IValue& v) {
    return os << sconce::ivalue_str(v);
  }
  IValue deepcopy() const { return sconce::libtorch::deep_copy(*this); }

  // Each throws Error when the value is of another kind; nothing is converted.
  at::Tensor toTensor() const {
    want(isTensor(), "Tensor");
    return at::Tensor(sconce::IValue::toTensor());
  }
  int64_t toInt() const { return want(isInt(), "Int"), int_unchecked(); }
  double toDouble() const { return want(isDouble(), "Double"), double_unchecked(); }
  bool toBool() const { return want(isBool(), "Bool"), int_unchecked() != 0; }
  complex<double> toComplexDouble() const {
    return want(isComplexDouble(), "ComplexDouble"), sconce::IValue::toComplexDouble();
  }
  Scalar toScalar() const;
  Device toDevice() const { return want(isDevice(), "Device"), sconce::IValue::toDevice(); }
  ScalarType toScalarType() const { return static_cast<ScalarType>(toInt()); }
  Layout toLayout() const { return static_cast<Layout>(toInt()); }
  MemoryFormat toMemoryFormat() const { return static_cast<MemoryFormat>(toInt()); }
  at::Generator toGenerator() const {
    return want(isGenerator(), "Generator"), at::Generator(*this);
  }
  std::string toNone() const { return want(isNone(), "None"), std::string(); }
  const std::string& toStringRef() const {
    return want(isString(), "String"), sconce::IValue::toStringRef();
  }
  c10::string_view toStringView() const { return toStringRef(); }
  std::optional<std::reference_wrapper<const std::string>> toOptionalStringRef() const {
    if (isNone()) return std::nullopt;
    return std::reference_wrapper<const std::string>(toStringRef());
  }
  intrusive_ptr<ivalue::ConstantString> toString() const {
    return want(isString(), "String"), pointer<ivalue::ConstantString>();
  }
  intrusive_ptr<ivalue::Tuple> toTuple() const {
    return want(isTuple(), "Tuple"), pointer<ivalue::Tuple>();
  }
  ivalue::Tuple& toTupleRef() const {
    return want(isTuple(), "Tuple"), *reinterpret_cast<ivalue::Tuple*>(box());
  }
  intrusive_ptr<ivalue::Object> toObject() const {
    return want(isObject(), "Object"), pointer<ivalue::Object>();
  }
  const ivalue::Object& toObjectRef() const {
    return want(isObject(), "Object"), *reinterpret_cast<ivalue::Object*>(box());
  }
  intrusive_ptr<ivalue::Future> toFuture() const {
    return want(isFuture(), "Future"), pointer<ivalue::Future>();
  }
  intrusive_ptr<ivalue::EnumHolder> toEnumHolder() const {
    return want(isEnum(), "Enum"), pointer<ivalue::EnumHolder>();
  }
  torch::jit::Module toModule() const;
  impl::GenericList toList() const;
  List<at::Tensor> toTensorList() const;
  List<int64_t> toIntList() const;
  List<double> toDoubleList() const;
  List<bool> toBoolList() const;
  impl::GenericDict toGenericDict() const;
  // Borrowed: valid as long as the list is not changed.
  ArrayRef<IValue> toListRef() const {
    want(isList(), "GenericList");
    const auto& items = sconce::IValue::toListRef().items;
    return ArrayRef<IValue>(static_cast<const IValue*>(items.data()), items.size());
  }
  std::vector<at::Tensor> toTensorVector() const { return to<std::vector<at::Tensor>>(); }
  std::vector<int64_t> toIntVector() const { return to<std::vector<int64_t>>(); }
  std::vector<int64_t> toDimVector() const { return toIntVector(); }
  std::vector<double> toDoubleVector() const { return to<std::vector<double>>(); }
  template <class T>
  T to() const {
    if constexpr (std::is_same<T, IValue>::value)
      return *this;
    else
      return detail::Held<T>::to(*this);
  }
  template <class T>
  std::optional<T> toOptional() const {
    if (isNone()) return std::nullopt;
    return to<T>();
  }
  [[noreturn]] void wrong_kind(const char* wanted) const {
    throw Error(std::string("Expected ") + wanted + " but got " + tagKind());
  }

 private:
  void want(bool ok, const char* wanted) const {
    if (!ok) wrong_kind(wanted);
  }
  bool is_list_of(sconce::TypeKind k) const {
    if (!isList()) return false;
    sconce::TypePtr e = sconce::IValue::toListRef().elem_type;
    return e && e->kind == k;
  }
  template <class T>
  intrusive_ptr<T> pointer() const {
    return intrusive_ptr<T>(sconce::Ref<sconce::RefCounted>(box()));
  }
};
static_assert(sizeof(IValue) == sizeof(sconce::IValue),
              "lists of one are read as lists of the other");

namespace ivalue {
template <class T>
IValue from(T&& v) {
  return IValue(std::forward<T>(v));
}
// These are never made: a pointer to one is a pointer to sconce's.
struct TupleElements {
  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  const IValue& operator[](size_t i) const { return static_cast<const IValue&>(items_[i]); }
  const IValue& at(size_t i) const { return static_cast<const IValue&>(items_.at(i)); }
  const IValue* begin() const { return static_cast<const IValue*>(items_.data()); }
  const IValue* end() const { return begin() + size(); }
  const IValue& front() const { return at(0); }
  const IValue& back() const { return at(size() - 1); }
  std::vector<IValue> vec() const { return std::vector<IValue>(begin(), end()); }
  operator std::vector<IValue>() const { return vec(); }
  operator ArrayRef<IValue>() const { return ArrayRef<IValue>(begin(), size()); }

 private:
  std::vector<sconce::IValue> items_;
};
struct Tuple {
  Tuple() = delete;
  static intrusive_ptr<Tuple> create(std::vector<IValue> elements) {
    std::vector<sconce::IValue> items;
    for (IValue& e : elements) items.push_back(std::move(e));
    return wrap(std::move(items));
  }
  static intrusive_ptr<Tuple> create(std::initializer_list<IValue> elements) {
    return create(std::vector<IValue>(elements));
  }
  static intrusive_ptr<Tuple> create(ArrayRef<IValue> elements) { return create(elements.vec()); }
  template <class... T,
            class = std::enable_if_t<(std::is_constructible<IValue, T&&>::value && ...)>>
  static intrusive_ptr<Tuple> create(T&&... elements) {
    std::vector<sconce::IValue> items;
    (items.push_back(IValue(std::forward<T>(elements))), ...);
    return wrap(std::move(items));
  }
  const TupleElements& elements() const {
    return reinterpret_cast<const TupleElements&>(self().items);
  }
  size_t size() const { return self().items.size(); }
  void setElements(std::vector<IValue> v) {
    auto& items = const_cast<sconce::TupleBox&>(self()).items;
    items.assign(v.begin(), v.end());
  }
  TypePtr type() const {
    return TypePtr(sconce::ivalue_type(IValue(intrusive_ptr<Tuple>(
        sconce::Ref<sconce::RefCounted>(const_cast<sconce::TupleBox*>(&self()))))));
  }

 private:
  static intrusive_ptr<Tuple> wrap(std::vector<sconce::IValue> items) {
    return intrusive_ptr<Tuple>(sconce::Ref<sconce::RefCounted>(
        static_cast<sconce::RefCounted*>(new sconce::TupleBox(std::move(items)))));
  }
  const sconce::TupleBox& self() const { return *reinterpret_cast<const sconce::TupleBox*>(this); }
};
static_assert(sizeof(TupleElements) == sizeof(std::vector<sconce::IValue>), "read as one another");
struct ConstantString {
  ConstantString() = delete;
  static intrusive_ptr<ConstantString> create(std::string s) {
    return intrusive_ptr<ConstantString>(sconce::Ref<sconce::RefCounted>(
        static_cast<sconce::RefCounted*>(new sconce::StringBox(std::move(s)))));
  }
  const std::string& string() const { return self().value; }
  c10::string_view string_view() const { return string(); }
  operator const std::string&() const { return string(); }

 private:
  const sconce::StringBox& self() const {
    return *reinterpret_cast<const sconce::StringBox*>(this);
  }
};
struct Object {
  Object() = delete;
  IValue getAttr(const std::string& n) const {
    return detail::guarded([&] { return IValue(self().getattr(n)); });
  }
  void setAttr(const std::string& n, IValue v) {
    detail::guarded([&] { const_cast<sconce::Object&>(self()).setattr(n, std::move(v)); });
  }
  IValue getSlot(size_t i) const {
    return detail::guarded([&] { return IValue(self().slot(i)); });
  }
  void setSlot(size_t i, IValue v) {
    detail::guarded([&] { const_cast<sconce::Object&>(self()).set_slot(i, std::move(v)); });
  }
  std::vector<IValue> slots() const {
    auto s = self().slots();
    return std::vector<IValue>(s.begin(), s.end());
  }
  ClassTypePtr type() const { return ClassTypePtr(self().type); }
  std::string name() const { return self().type->name; }

 private:
  const sconce::Object& self() const { return *reinterpret_cast<const sconce::Object*>(this); }
};
struct Future {
  Future() = delete;
  void wait() { value(); }
  bool completed() const { return self().done; }
  IValue value() {
    return detail::guarded([&] {
      return IValue(sconce::libtorch::wait(*reinterpret_cast<sconce::FutureBox*>(this)));
    });
  }

 private:
  const sconce::FutureBox& self() const {
    return *reinterpret_cast<const sconce::FutureBox*>(this);
  }
};
struct EnumHolder {
  EnumHolder() = delete;
  const std::string& name() const { return self().name; }
  const IValue& value() const { return static_cast<const IValue&>(self().value); }
  std::string qualifiedClassName() const { return self().type->name; }

 private:
  const sconce::EnumBox& self() const { return *reinterpret_cast<const sconce::EnumBox*>(this); }
};
template <class T>
struct BoxOf;
template <>
struct BoxOf<Tuple> {
  using type = sconce::TupleBox;
};
template <>
struct BoxOf<ConstantString> {
  using type = sconce::StringBox;
};
template <>
struct BoxOf<Object> {
  using type = sconce::Object;
};
template <>
struct BoxOf<Future> {
  using type = sconce::FutureBox;
};
template <>
struct BoxOf<EnumHolder> {
  using type = sconce::EnumBox;
};
}  // namespace ivalue

template <class T>
IValue::IValue(intrusive_ptr<T> p) {
  using Box = typename ivalue::BoxOf<T>::type;
  if (p)
    static_cast<sconce::IValue&>(*this) =
        sconce::IValue(sconce::Ref<Box>(static_cast<Box*>(p.ref().get())));
}
inline IValue::IValue(const Scalar& s) {
  if (s.isFloatingPoint())
    *this = IValue(s.toDouble());
  else if (s.isComplex())
    *this = IValue(s.toComplexDouble());
  else if (s.isBoolean())
    *this = IValue(s.toBool());
  else
    *this = IValue(s.toLong());
}
inline Scalar IValue::toScalar() const {
  if (isDouble()) return toDouble();
  if (isInt()) return toInt();
  if (isBool()) return toBool();
  if (isComplexDouble()) return toComplexDouble();
  throw Error("IValue is not a Scalar");
}
inline std::string IValue::tagKind() const {
  switch (tag()) {
    case sconce::Tag::List: return "GenericList";
    case sconce::Tag::Dict: return "GenericDict";
    default: return sconce::libtorch::tag_text(tag());
  }
}

}  // namespace c10

namespace at {
using c10::IValue;
}
