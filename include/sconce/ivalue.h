// SPDX-License-Identifier: Apache-2.0
// IValue: the 16-byte tagged value of the interpreter. Kinds and accessor names are PyTorch's.
#pragma once
#include <complex>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sconce/limits.h"
#include "sconce/numbered_items.h"
#include "sconce/tensor.h"
#include "sconce/type.h"

namespace sconce {

class IValue;
struct StringBox;
struct ComplexBox;
struct ListBox;
struct DictBox;
struct TupleBox;
class Object;
struct EnumBox;
struct FutureBox;
struct FunctionBox;
class Generator;
struct ClassType;

enum class Tag : uint8_t {
  None,
  Tensor,
  Double,
  Int,
  Bool,
  Device,
  // counted boxes from here on (Tensor too)
  ComplexDouble,
  String,
  List,
  Dict,
  Tuple,
  Object,
  Enum,
  Future,
  Function,
  Generator
};

class SCONCE_API IValue {
 public:
  IValue() noexcept : tag_(Tag::None) { u_.i = 0; }
  IValue(const IValue& o) noexcept : u_(o.u_), tag_(o.tag_) {
    if (counted()) u_.p->retain();
  }
  IValue(IValue&& o) noexcept : u_(o.u_), tag_(o.tag_) { o.tag_ = Tag::None, o.u_.i = 0; }
  IValue& operator=(const IValue& o) noexcept {
    IValue copy(o);
    swap(copy);
    return *this;
  }
  IValue& operator=(IValue&& o) noexcept {
    IValue moved(std::move(o));
    swap(moved);
    return *this;
  }
  ~IValue() {
    if (counted()) u_.p->release();
  }
  void swap(IValue& o) noexcept {
    std::swap(u_, o.u_);
    std::swap(tag_, o.tag_);
  }

  IValue(int64_t v) noexcept : tag_(Tag::Int) { u_.i = v; }
  IValue(int v) noexcept : IValue(static_cast<int64_t>(v)) {}
  IValue(double v) noexcept : tag_(Tag::Double) { u_.d = v; }
  IValue(bool v) noexcept : tag_(Tag::Bool) { u_.i = v; }
  IValue(const Tensor& t) noexcept : IValue(Tensor(t)) {}
  IValue(Tensor&& t) noexcept : tag_(Tag::Tensor) {
    u_.p = t.defined() ? Ref<TensorImpl>(t.ref()).detach() : nullptr;
  }
  IValue(Device d) noexcept : tag_(Tag::Device) {
    u_.i = 0;
    u_.dev = d;
  }
  IValue(std::string s);
  IValue(const char* s) : IValue(std::string(s)) {}
  IValue(std::complex<double> c);
  IValue(std::vector<Tensor> v);
  IValue(std::vector<int64_t> v);
  template <class B>
  IValue(Ref<B> box) noexcept : tag_(B::kTag) {
    u_.p = box.detach();
  }

  Tag tag() const { return tag_; }
  bool isNone() const { return tag_ == Tag::None; }
  bool isTensor() const { return tag_ == Tag::Tensor; }
  bool isDouble() const { return tag_ == Tag::Double; }
  bool isInt() const { return tag_ == Tag::Int; }
  bool isBool() const { return tag_ == Tag::Bool; }
  bool isComplexDouble() const { return tag_ == Tag::ComplexDouble; }
  bool isScalar() const { return isDouble() || isInt() || isBool() || isComplexDouble(); }
  bool isString() const { return tag_ == Tag::String; }
  bool isList() const { return tag_ == Tag::List; }
  bool isGenericDict() const { return tag_ == Tag::Dict; }
  bool isDict() const { return tag_ == Tag::Dict; }
  bool isTuple() const { return tag_ == Tag::Tuple; }
  bool isObject() const { return tag_ == Tag::Object; }
  bool isModule() const { return tag_ == Tag::Object; }
  bool isEnum() const { return tag_ == Tag::Enum; }
  bool isFuture() const { return tag_ == Tag::Future; }
  bool isDevice() const { return tag_ == Tag::Device; }
  bool isFunction() const { return tag_ == Tag::Function; }
  bool isGenerator() const { return tag_ == Tag::Generator; }

  int64_t toInt() const {
    if (tag_ != Tag::Int && tag_ != Tag::Bool) wrong("int");
    return u_.i;
  }
  double toDouble() const {
    if (tag_ != Tag::Double) {
      if (tag_ == Tag::Int) return static_cast<double>(u_.i);
      wrong("float");
    }
    return u_.d;
  }
  bool toBool() const {
    if (tag_ != Tag::Bool && tag_ != Tag::Int) wrong("bool");
    return u_.i != 0;
  }
  Tensor toTensor() const {
    if (tag_ != Tag::Tensor) wrong("Tensor");
    return Tensor(Ref<TensorImpl>(static_cast<TensorImpl*>(u_.p)));
  }
  // Borrowed: valid while this IValue holds the tensor.
  const Tensor& toTensorRef() const {
    if (tag_ != Tag::Tensor) wrong("Tensor");
    const void* at = &u_.p;
#if defined(__GNUC__) && !defined(SCONCE_NO_STRICT_ALIASING)
    __asm__("" : "+r"(at) : : "memory");  // stored as a pointer to the base, read as a Tensor
#endif
    return *static_cast<const Tensor*>(at);
  }
  Device toDevice() const {
    if (tag_ != Tag::Device) wrong("Device");
    return u_.dev;
  }
  std::complex<double> toComplexDouble() const;
  const std::string& toStringRef() const;
  std::string toString() const { return toStringRef(); }
  ListBox& toListRef() const {
    if (tag_ != Tag::List) wrong("list");
    return *reinterpret_cast<ListBox*>(u_.p);
  }
  DictBox& toDictRef() const {
    if (tag_ != Tag::Dict) wrong("dict");
    return *reinterpret_cast<DictBox*>(u_.p);
  }
  TupleBox& toTupleRef() const {
    if (tag_ != Tag::Tuple) wrong("tuple");
    return *reinterpret_cast<TupleBox*>(u_.p);
  }
  Object& toObjectRef() const {
    if (tag_ != Tag::Object) wrong("object");
    return *reinterpret_cast<Object*>(u_.p);
  }
  EnumBox& toEnumRef() const {
    if (tag_ != Tag::Enum) wrong("enum");
    return *reinterpret_cast<EnumBox*>(u_.p);
  }
  FutureBox& toFutureRef() const {
    if (tag_ != Tag::Future) wrong("Future");
    return *reinterpret_cast<FutureBox*>(u_.p);
  }
  FunctionBox& toFunctionRef() const {
    if (tag_ != Tag::Function) wrong("Function");
    return *reinterpret_cast<FunctionBox*>(u_.p);
  }
  Generator& toGeneratorRef() const {
    if (tag_ != Tag::Generator) wrong("Generator");
    return *reinterpret_cast<Generator*>(u_.p);
  }
  // LibTorch's forms.
  Ref<TupleBox> toTuple() const;
  std::vector<IValue> toListVector() const;
  std::vector<Tensor> toTensorVector() const;
  std::vector<int64_t> toIntVector() const;
  // Counted box or null; for identity.
  RefCounted* box() const { return counted_tag() ? u_.p : nullptr; }
  // "Tensor", "int", "List", ...
  const char* tag_name() const;

  // Unchecked, for the interpreter.
  int64_t int_unchecked() const { return u_.i; }
  double double_unchecked() const { return u_.d; }
  // The old value must not be counted.
  void set_int_unchecked(int64_t v) { tag_ = Tag::Int, u_.i = v; }
  // Neither value is counted.
  void set_plain_unchecked(const IValue& v) { tag_ = v.tag_, u_ = v.u_; }
  void set_bool_unchecked(bool v) { tag_ = Tag::Bool, u_.i = v; }
  void set_double_unchecked(double v) { tag_ = Tag::Double, u_.d = v; }

 private:
  bool counted_tag() const { return tag_ >= Tag::ComplexDouble || tag_ == Tag::Tensor; }
  bool counted() const { return counted_tag() && u_.p; }
  [[noreturn]] void wrong(const char* wanted) const;
  union Payload {
    int64_t i;
    double d;
    RefCounted* p;
    Device dev;
    Payload() : i(0) {}
  } u_;
  Tag tag_;
};

struct StringBox final : RefCounted {
  static constexpr Tag kTag = Tag::String;
  explicit StringBox(std::string v) : value(std::move(v)) {}
  std::string value;
  Charge charge;
};
struct ComplexBox final : RefCounted {
  static constexpr Tag kTag = Tag::ComplexDouble;
  explicit ComplexBox(std::complex<double> v) : value(v) {}
  std::complex<double> value;
};
struct ListBox final : RefCounted {
  static constexpr Tag kTag = Tag::List;
  explicit ListBox(TypePtr e) : RefCounted(Nests()), elem_type(e) {}
  ListBox(TypePtr e, std::vector<IValue> v)
      : RefCounted(Nests()), elem_type(e), items(std::move(v)) {}
  TypePtr elem_type;
  std::vector<IValue> items;
  Charge charge;
};
struct TupleBox final : RefCounted {
  static constexpr Tag kTag = Tag::Tuple;
  explicit TupleBox(std::vector<IValue> v, TypePtr t = nullptr)
      : RefCounted(Nests()), items(std::move(v)), type(t) {}
  std::vector<IValue> items;
  TypePtr type;  // the NamedTuple, or null
  Charge charge;
  const std::vector<IValue>& elements() const { return items; }
};
// Insertion-ordered hash map; its hashes are secret, so that no file can choose keys that collide.
// Keys: int, float, bool, complex, str, Tensor (by identity), Device.
struct SCONCE_API DictBox final : RefCounted {
  static constexpr Tag kTag = Tag::Dict;
  DictBox(TypePtr k, TypePtr v) : RefCounted(Nests()), key_type(k), value_type(v) {}
  TypePtr key_type, value_type;
  NumberedItems<std::pair<IValue, IValue>> items;
  Charge charge;
  // Null when absent.
  IValue* find(const IValue& key);
  void set(IValue key, IValue value);
  // False when absent.
  bool erase(const IValue& key);
  void clear();

 private:
  using Index = std::unordered_multimap<size_t, uint64_t>;
  Index::iterator locate(const IValue& key);
  Index index_;  // hash of the key -> the number of its item
};
// An instance of a script class or module; slots follow the class's attributes. Slots are read and
// set under the object's lock: a reader sees the old value or the new one.
class SCONCE_API Object final : public RefCounted {
 public:
  static constexpr Tag kTag = Tag::Object;
  Object(const ClassType* t, std::shared_ptr<const void> keep);
  const ClassType* const type;
  const std::shared_ptr<const void> owner;  // keeps the archive's types alive

  size_t size() const;
  // Throws OpError when the slot isn't there.
  IValue slot(size_t i) const;
  void set_slot(size_t i, IValue v);
  // A copy of all.
  std::vector<IValue> slots() const;
  void set_slots(std::vector<IValue> v);
  // Throw Error when the class has no such attribute.
  IValue getattr(const std::string& name) const;
  void setattr(const std::string& name, IValue v);  // Throws OpError unless v is of its type.
  // The value; from now on setting this or another slot moves the epoch (sconce/tensor.h).
  IValue observe(size_t i) const;
  Charge charge;

 private:
  mutable std::mutex mutex_;
  mutable bool observed_ = false;  // guarded by mutex_
  std::vector<IValue> slots_;
};
struct EnumBox final : RefCounted {
  static constexpr Tag kTag = Tag::Enum;
  EnumBox(TypePtr t, std::string n, IValue v)
      : RefCounted(Nests()), type(t), name(std::move(n)), value(std::move(v)) {}
  TypePtr type;
  std::string name;
  IValue value;
};
struct SCONCE_API FutureBox final : RefCounted {
  static constexpr Tag kTag = Tag::Future;
  explicit FutureBox(TypePtr t) : RefCounted(Nests()), elem_type(t) {}
  TypePtr elem_type;
  std::mutex mutex;
  std::condition_variable ready;
  bool done = false;
  IValue value;
  std::exception_ptr error;
  std::function<void()> deferred;  // Await: runs at the first wait
  void complete(IValue v);
  void fail(std::exception_ptr e);
};
struct Function;
struct FunctionBox final : RefCounted {
  static constexpr Tag kTag = Tag::Function;
  explicit FunctionBox(Function* f) : function(f) {}
  Function* function;
};

// PyTorch's CPU generator (mt19937).
class SCONCE_API Generator final : public RefCounted {
 public:
  static constexpr Tag kTag = Tag::Generator;
  explicit Generator(uint64_t seed = 67280421310721ull) { manual_seed(seed); }
  void manual_seed(uint64_t seed);
  uint64_t seed() const { return seed_; }
  uint32_t random();
  uint64_t random64() {
    uint64_t hi = random();
    return (hi << 32) | random();
  }
  // Cached second normal sample.
  bool has_next_normal = false;
  double next_normal = 0;
  bool has_next_float_normal = false;
  float next_float_normal = 0;
  std::mutex mutex;

 private:
  void next_state();
  uint64_t seed_ = 0;
  int left_ = 1;
  uint32_t next_ = 0;
  uint32_t state_[624];
};

// A script class or module class. Methods are filled by the frontend.
struct SCONCE_API ClassType final : Type {
  struct Attribute {
    std::string name;
    TypePtr type;
    bool is_parameter = false, is_buffer = false;
    // Some compiled method outside __init__ assigns it.
    bool written = false;
    // Some method writes the tensor in it in place.
    bool mutated = false;
  };
  ClassType(std::string qualified_name, bool module) : Type(TypeKind::Class), is_module(module) {
    name = std::move(qualified_name);
    mentions_class = true;
  }
  bool is_module;
  bool is_native = false;  // __torch__.torch.classes.*
  bool is_absent = false;  // such a class of a library that isn't here: only held, never used
  std::vector<Attribute> attributes;
  std::unordered_map<std::string, size_t> attribute_index;
  std::vector<std::pair<std::string, Function*>> methods;
  std::vector<Function*> forward_hooks, forward_pre_hooks;
  std::vector<std::pair<std::string, IValue>> constants;
  // -1 when absent.
  int find_attribute(const std::string& n) const;
  Function* find_method(const std::string& n) const;
  void add_attribute(Attribute a);
};
struct EnumType final : Type {
  explicit EnumType(std::string qualified_name) : Type(TypeKind::Enum) {
    name = std::move(qualified_name);
    mentions_class = true;
  }
  TypePtr value_type = nullptr;
  std::vector<IValue> members;  // EnumBox
};
struct FunctionSchema;
struct InterfaceType final : Type {
  InterfaceType(std::string qualified_name, bool module)
      : Type(TypeKind::Interface), is_module(module) {
    name = std::move(qualified_name);
    mentions_class = true;
  }
  bool is_module;
  std::vector<std::shared_ptr<FunctionSchema>> methods;
};

// Value equality as PyTorch's == on IValues (tensors by identity unless compared element-wise by an
// operator).
SCONCE_API bool ivalue_equal(const IValue& a, const IValue& b);
// Same object (boxes) or same plain value.
SCONCE_API bool ivalue_is(const IValue& a, const IValue& b);
SCONCE_API size_t ivalue_hash(const IValue& v);
// str(v) as TorchScript's print shows it.
SCONCE_API std::string ivalue_str(const IValue& v);
// str of a float: "1.", "0.10000000000000001", "inf".
SCONCE_API std::string float_str(double v);
SCONCE_API std::string complex_str(std::complex<double> v);
// The TorchScript type of a value as far as the value tells.
SCONCE_API TypePtr ivalue_type(const IValue& v);
// True when the run-time value v may be used as t (isinstance; and the check of loaded attributes).
SCONCE_API bool ivalue_matches(const IValue& v, TypePtr t);

}  // namespace sconce
