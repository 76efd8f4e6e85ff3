// SPDX-License-Identifier: Apache-2.0
// c10::Type and TypePtr: TorchScript types as LibTorch's users ask about them. The type of an
// archive's class lives as long as its module.
#pragma once
#include "sconce/torch/tensor.h"

namespace c10 {

enum class TypeKind {
  AnyType,
  EnumType,
  AnyEnumType,
  TensorType,
  StorageType,
  TupleType,
  ListType,
  DictType,
  NumberType,
  FloatType,
  ComplexType,
  FutureType,
  AwaitType,
  RRefType,
  IntType,
  NoneType,
  StringType,
  GeneratorType,
  QuantizerType,
  BoolType,
  OptionalType,
  VarType,
  DeviceObjType,
  StreamObjType,
  FunctionType,
  ClassType,
  PyObjectType,
  CapsuleType,
  InterfaceType,
  SymIntType,
  SymFloatType,
  SymBoolType,
  UnionType,
  DynamicType,
  AnyListType,
  AnyTupleType,
  AnyClassType
};
inline const char* typeKindToString(TypeKind k) {
  static const char* const names[] = {
      "AnyType",      "EnumType",     "AnyEnumType",   "TensorType",    "StorageType",
      "TupleType",    "ListType",     "DictType",      "NumberType",    "FloatType",
      "ComplexType",  "FutureType",   "AwaitType",     "RRefType",      "IntType",
      "NoneType",     "StringType",   "GeneratorType", "QuantizerType", "BoolType",
      "OptionalType", "VarType",      "DeviceObjType", "StreamObjType", "FunctionType",
      "ClassType",    "PyObjectType", "CapsuleType",   "InterfaceType", "SymIntType",
      "SymFloatType", "SymBoolType",  "UnionType",     "DynamicType",   "AnyListType",
      "AnyTupleType", "AnyClassType"};
  return names[static_cast<int>(k)];
}

class Type;
// A pointer to a type; T is Type or one of its kinds below. It may be null.
template <class T>
class TypePointer {
 public:
  TypePointer() = default;
  TypePointer(std::nullptr_t) {}
  explicit TypePointer(sconce::TypePtr t) { set(t); }
  template <class U, class = std::enable_if_t<std::is_base_of<T, U>::value>>
  TypePointer(const TypePointer<U>& o) {
    set(o.raw());
  }
  T* operator->() const { return get(); }
  T& operator*() const { return *get(); }
  T* get() const { return raw() ? const_cast<T*>(&type_) : nullptr; }
  explicit operator bool() const { return raw() != nullptr; }
  sconce::TypePtr raw() const { return type_.raw(); }
  friend bool operator==(const TypePointer& a, const TypePointer& b) { return a.raw() == b.raw(); }
  friend bool operator!=(const TypePointer& a, const TypePointer& b) { return a.raw() != b.raw(); }
  friend bool operator==(const TypePointer& a, std::nullptr_t) { return !a.raw(); }
  friend bool operator!=(const TypePointer& a, std::nullptr_t) { return a.raw(); }

 private:
  void set(sconce::TypePtr t) { type_.set(t); }
  T type_;
};
using TypePtr = TypePointer<Type>;
using ConstTypePtr = TypePtr;

class Type {
 public:
  TypeKind kind() const;
  std::string str() const { return t_->str(); }
  std::string annotation_str() const { return t_->annotation_str(); }
  std::string repr_str() const { return t_->annotation_str(); }
  // Of what was declared with a qualified name.
  std::optional<std::string> name() const {
    if (t_->name.empty()) return std::nullopt;
    const size_t dot = t_->name.rfind('.');
    return dot == std::string::npos ? t_->name : t_->name.substr(dot + 1);
  }
  size_t containedTypeSize() const { return t_->elems.size(); }
  TypePtr containedType(size_t i) const { return TypePtr(t_->elems.at(i)); }
  // LibTorch gives a list of pointers.
  std::vector<TypePtr> containedTypes() const {
    std::vector<TypePtr> r;
    for (sconce::TypePtr e : t_->elems) r.emplace_back(e);
    return r;
  }
  bool isSubtypeOf(const Type& o) const { return t_->is_subtype_of(o.t_); }
  bool isSubtypeOf(const TypePtr& o) const { return t_->is_subtype_of(o.raw()); }
  bool equals(const Type& o) const { return t_ == o.t_; }
  bool is_module() const;
  // Null when it is of another kind.
  template <class T>
  TypePointer<T> cast() const {
    return T::Kind == kind() ? TypePointer<T>(t_) : TypePointer<T>();
  }
  template <class T>
  TypePointer<T> expect() const {
    if (T::Kind != kind())
      throw Error(std::string("expected ") + typeKindToString(T::Kind) + " but found " + str());
    return TypePointer<T>(t_);
  }
  template <class T>
  const T* castRaw() const {
    return T::Kind == kind() ? static_cast<const T*>(this) : nullptr;
  }
  sconce::TypePtr raw() const { return t_; }
  friend bool operator==(const Type& a, const Type& b) { return a.t_ == b.t_; }
  friend bool operator!=(const Type& a, const Type& b) { return a.t_ != b.t_; }
  friend std::ostream& operator<<(std::ostream& os, const Type& t) { return os << t.str(); }

 protected:
  template <class T>
  friend class TypePointer;
  void set(sconce::TypePtr t) { t_ = t; }
  sconce::TypePtr t_ = nullptr;
};

inline TypeKind Type::kind() const {
  using K = sconce::TypeKind;
  switch (t_->kind) {
    case K::Any: return TypeKind::AnyType;
    case K::Tensor: return TypeKind::TensorType;
    case K::None: return TypeKind::NoneType;
    case K::Int: return TypeKind::IntType;
    case K::Float: return TypeKind::FloatType;
    case K::Bool: return TypeKind::BoolType;
    case K::Complex: return TypeKind::ComplexType;
    case K::Number: return TypeKind::NumberType;
    case K::String: return TypeKind::StringType;
    case K::Device: return TypeKind::DeviceObjType;
    case K::Stream: return TypeKind::StreamObjType;
    case K::Generator: return TypeKind::GeneratorType;
    case K::Capsule: return TypeKind::CapsuleType;
    case K::AnyList: return TypeKind::AnyListType;
    case K::AnyTuple: return TypeKind::AnyTupleType;
    case K::AnyClass: return TypeKind::AnyClassType;
    case K::AnyEnum: return TypeKind::AnyEnumType;
    case K::Function: return TypeKind::FunctionType;
    case K::Var: return TypeKind::VarType;
    case K::List: return TypeKind::ListType;
    case K::Dict: return TypeKind::DictType;
    case K::Tuple: return TypeKind::TupleType;
    case K::Optional: return TypeKind::OptionalType;
    case K::Union: return TypeKind::UnionType;
    case K::Future: return TypeKind::FutureType;
    case K::Await: return TypeKind::AwaitType;
    case K::RRef: return TypeKind::RRefType;
    case K::Class: return TypeKind::ClassType;
    case K::Interface: return TypeKind::InterfaceType;
    case K::Enum: return TypeKind::EnumType;
  }
  return TypeKind::AnyType;
}
inline bool Type::is_module() const {
  return t_->kind == sconce::TypeKind::Class &&
         static_cast<const sconce::ClassType*>(t_)->is_module;
}

#define SCONCE_TORCH_SINGLE_TYPE(Name, SconceKind)                                \
  struct Name : Type {                                                            \
    static constexpr TypeKind Kind = TypeKind::Name;                              \
    static TypePointer<Name> get() {                                              \
      return TypePointer<Name>(sconce::types::get(sconce::TypeKind::SconceKind)); \
    }                                                                             \
  };                                                                              \
  using Name##Ptr = TypePointer<Name>;
SCONCE_TORCH_SINGLE_TYPE(AnyType, Any)
SCONCE_TORCH_SINGLE_TYPE(TensorType, Tensor)
SCONCE_TORCH_SINGLE_TYPE(NoneType, None)
SCONCE_TORCH_SINGLE_TYPE(IntType, Int)
SCONCE_TORCH_SINGLE_TYPE(FloatType, Float)
SCONCE_TORCH_SINGLE_TYPE(BoolType, Bool)
SCONCE_TORCH_SINGLE_TYPE(ComplexType, Complex)
SCONCE_TORCH_SINGLE_TYPE(NumberType, Number)
SCONCE_TORCH_SINGLE_TYPE(StringType, String)
SCONCE_TORCH_SINGLE_TYPE(DeviceObjType, Device)
#undef SCONCE_TORCH_SINGLE_TYPE

template <TypeKind K>
struct ElementType : Type {
  static constexpr TypeKind Kind = K;
  TypePtr getElementType() const { return containedType(0); }
};
struct ListType : ElementType<TypeKind::ListType> {
  static TypePointer<ListType> create(const TypePtr& e) {
    return TypePointer<ListType>(sconce::types::list(e.raw()));
  }
  static TypePointer<ListType> ofTensors() { return create(TensorType::get()); }
  static TypePointer<ListType> ofInts() { return create(IntType::get()); }
  static TypePointer<ListType> ofFloats() { return create(FloatType::get()); }
  static TypePointer<ListType> ofBools() { return create(BoolType::get()); }
  static TypePointer<ListType> ofStrings() { return create(StringType::get()); }
};
struct OptionalType : ElementType<TypeKind::OptionalType> {
  static TypePointer<OptionalType> create(const TypePtr& e) {
    return TypePointer<OptionalType>(sconce::TypeTable::global().optional(e.raw()));
  }
  static TypePointer<OptionalType> ofTensor() { return create(TensorType::get()); }
};
struct FutureType : ElementType<TypeKind::FutureType> {};
struct DictType : Type {
  static constexpr TypeKind Kind = TypeKind::DictType;
  static TypePointer<DictType> create(const TypePtr& k, const TypePtr& v) {
    return TypePointer<DictType>(sconce::TypeTable::global().dict(k.raw(), v.raw()));
  }
  TypePtr getKeyType() const { return containedType(0); }
  TypePtr getValueType() const { return containedType(1); }
};
struct TupleType : Type {
  static constexpr TypeKind Kind = TypeKind::TupleType;
  static TypePointer<TupleType> create(const std::vector<TypePtr>& elements) {
    std::vector<sconce::TypePtr> e;
    for (const TypePtr& t : elements) e.push_back(t.raw());
    return TypePointer<TupleType>(sconce::TypeTable::global().tuple(std::move(e)));
  }
  std::vector<TypePtr> elements() const { return containedTypes(); }
};
struct UnionType : Type {
  static constexpr TypeKind Kind = TypeKind::UnionType;
};
struct InterfaceType : Type {
  static constexpr TypeKind Kind = TypeKind::InterfaceType;
};
struct EnumType : Type {
  static constexpr TypeKind Kind = TypeKind::EnumType;
};
struct QualifiedName {
  explicit QualifiedName(std::string n) : name_(std::move(n)) {}
  const std::string& qualifiedName() const { return name_; }
  std::string name() const { return name_.substr(name_.rfind('.') + 1); }
  std::string prefix() const {
    const size_t dot = name_.rfind('.');
    return dot == std::string::npos ? "" : name_.substr(0, dot);
  }

 private:
  std::string name_;
};
struct ClassType : Type {
  static constexpr TypeKind Kind = TypeKind::ClassType;
  std::optional<QualifiedName> name() const { return QualifiedName(t_->name); }
  size_t numAttributes() const { return cls().attributes.size(); }
  std::string getAttributeName(size_t i) const { return cls().attributes.at(i).name; }
  TypePtr getAttribute(size_t i) const { return TypePtr(cls().attributes.at(i).type); }
  TypePtr getAttribute(const std::string& n) const {
    const int i = cls().find_attribute(n);
    if (i < 0) throw Error(t_->name + " has no attribute " + n);
    return getAttribute(static_cast<size_t>(i));
  }
  bool hasAttribute(const std::string& n) const { return cls().find_attribute(n) >= 0; }
  bool hasMethod(const std::string& n) const { return cls().find_method(n) != nullptr; }

 private:
  const sconce::ClassType& cls() const { return *static_cast<const sconce::ClassType*>(t_); }
};
using ListTypePtr = TypePointer<ListType>;
using DictTypePtr = TypePointer<DictType>;
using TupleTypePtr = TypePointer<TupleType>;
using OptionalTypePtr = TypePointer<OptionalType>;
using ClassTypePtr = TypePointer<ClassType>;

}  // namespace c10
