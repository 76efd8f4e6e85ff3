// SPDX-License-Identifier: Apache-2.0
// TorchScript types. Types without class names are interned for the whole process, those that
// mention a class are interned per TypeTable (one per loaded archive); so equality is a pointer
// comparison.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "sconce/array_ref.h"
#include "sconce/export.h"
#include "sconce/scalar_type.h"

namespace sconce {

enum class TypeKind : uint8_t {
  Any,
  Tensor,
  None,
  Int,
  Float,
  Bool,
  Complex,
  Number,
  String,
  Device,
  Stream,
  Generator,
  Capsule,
  AnyList,
  AnyTuple,
  AnyClass,
  AnyEnum,
  Function,
  Var,
  List,
  Dict,
  Tuple,
  Optional,
  Union,
  Future,
  Await,
  RRef,
  Class,
  Interface,
  Enum
};

struct Type;
using TypePtr = const Type*;

// What is known of a tensor beyond "Tensor": traced, frozen and profiled graphs carry it.
struct TensorInfo {
  bool has_dtype = false;
  ScalarType dtype = ScalarType::Undefined;
  bool has_rank = false;
  std::vector<int64_t> sizes;    // -1: unknown; -1 - k: symbol k, printed SS(-k)
  std::vector<int64_t> strides;  // empty: unknown
  bool has_requires_grad = false, requires_grad = false;
  bool has_device = false;
  Device device;
  bool undefined = false;
};

struct SCONCE_API Type {
  TypeKind kind;
  std::vector<TypePtr> elems;  // element types of containers
  std::string name;            // qualified name of class, interface, enum, NamedTuple; Var's name
  std::vector<std::string> fields;     // NamedTuple: field names
  std::unique_ptr<TensorInfo> tensor;  // null for a plain Tensor
  bool mentions_class = false;
  // Of the parts in each other and of the text that shows them: bounded, since types are walked
  // recursively (TypeTable).
  uint32_t depth = 1, size = 1;

  explicit Type(TypeKind k) : kind(k) {}
  virtual ~Type() = default;
  Type(const Type&) = delete;

  TypePtr elem(size_t i = 0) const { return elems[i]; }
  // As in graph text: "Tensor", "int[]", "Dict(str, int)".
  std::string str() const;
  // As in source: "List[int]", "Optional[Tensor]".
  std::string annotation_str() const;
  bool is_named_tuple() const { return kind == TypeKind::Tuple && !fields.empty(); }
  bool is_subtype_of(TypePtr other) const;
};

// Interns structural types. The process-wide one is TypeTable::global(). What makes a type throws
// LimitError when it nests more than kMaxDepth deep or has more than kMaxSize parts.
class SCONCE_API TypeTable {
 public:
  static constexpr uint32_t kMaxDepth = 128, kMaxSize = 1 << 16;
  TypePtr list(TypePtr e) { return make(TypeKind::List, {e}); }
  TypePtr optional(TypePtr e);
  TypePtr dict(TypePtr k, TypePtr v) { return make(TypeKind::Dict, {k, v}); }
  TypePtr tuple(std::vector<TypePtr> e) { return make(TypeKind::Tuple, std::move(e)); }
  TypePtr named_tuple(const std::string& name, std::vector<std::string> fields,
                      std::vector<TypePtr> e);
  TypePtr future(TypePtr e) { return make(TypeKind::Future, {e}); }
  TypePtr await(TypePtr e) { return make(TypeKind::Await, {e}); }
  TypePtr rref(TypePtr e) { return make(TypeKind::RRef, {e}); }
  // Union of members after flattening and dropping subtypes; Optional or the only member where that
  // is what it means.
  TypePtr union_of(std::vector<TypePtr> members);
  TypePtr var(const std::string& name);
  TypePtr make(TypeKind kind, std::vector<TypePtr> elems);
  TypePtr tensor_with(TensorInfo info);

  static TypeTable& global();

 private:
  TypePtr make_local(TypeKind kind, std::vector<TypePtr> elems, const std::string& name,
                     std::vector<std::string> fields);
  std::mutex mutex_;
  std::unordered_map<std::string, std::unique_ptr<Type>> types_;
};

// The types without parts.
namespace types {
SCONCE_API TypePtr get(TypeKind kind);
inline TypePtr any() { return get(TypeKind::Any); }
inline TypePtr tensor() { return get(TypeKind::Tensor); }
inline TypePtr none() { return get(TypeKind::None); }
inline TypePtr integer() { return get(TypeKind::Int); }
inline TypePtr floating() { return get(TypeKind::Float); }
inline TypePtr boolean() { return get(TypeKind::Bool); }
inline TypePtr complex() { return get(TypeKind::Complex); }
inline TypePtr number() { return get(TypeKind::Number); }
inline TypePtr string() { return get(TypeKind::String); }
inline TypePtr device() { return get(TypeKind::Device); }
inline TypePtr list(TypePtr e) { return TypeTable::global().list(e); }
}  // namespace types

inline bool is_optional(TypePtr t) { return t->kind == TypeKind::Optional; }
// Optional[T] -> T, others unchanged.
inline TypePtr unwrap_optional(TypePtr t) { return is_optional(t) ? t->elems[0] : t; }
// Tensor types without shape information, also inside containers.
SCONCE_API TypePtr unshaped(TypePtr t, TypeTable& table);
// The smallest common supertype that PyTorch's compiler finds, or null.
SCONCE_API TypePtr unify_types(TypePtr a, TypePtr b, TypeTable& table,
                               bool default_to_union = false, TypePtr hint = nullptr);
SCONCE_API TypePtr unify_type_list(const std::vector<TypePtr>& list, TypeTable& table,
                                   bool default_to_union = false, TypePtr hint = nullptr);
// True when a value that is None may have type t.
SCONCE_API bool can_hold_none(TypePtr t);

}  // namespace sconce
