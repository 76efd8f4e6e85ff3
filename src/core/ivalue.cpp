// SPDX-License-Identifier: Apache-2.0
// IValue boxes, equality, hashing and text.
#include "sconce/ivalue.h"
#include "sconce/op.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "core/budget.h"
#include "core/identity.h"
#include "core/schema.h"
#include "core/value_check.h"
#include "support/platform.h"
#include "support/stack.h"

namespace sconce {

namespace {
// What waits to be destroyed, in the outermost destroy_nested() of the thread.
thread_local std::vector<const RefCounted*>* waiting = nullptr;
thread_local int destroying = 0;
}  // namespace
// The first levels recurse; what lies deeper is put on a list that the outermost call works off.
void RefCounted::destroy_nested() const noexcept {
  constexpr int kLevels = 32;
  if (destroying >= kLevels) {
    try {
      waiting->push_back(this);
      return;
    } catch (const std::bad_alloc&) {  // then deeper after all
    }
  }
  if (destroying) {
    ++destroying;
    delete this;
    --destroying;
    return;
  }
  std::vector<const RefCounted*> list;
  waiting = &list;
  destroying = 1;
  delete this;
  while (!list.empty()) {
    const RefCounted* next = list.back();
    list.pop_back();
    delete next;
  }
  destroying = 0;
  waiting = nullptr;
}

IValue::IValue(std::string s) : IValue(make_ref<StringBox>(std::move(s))) {}
IValue::IValue(std::complex<double> c) : IValue(make_ref<ComplexBox>(c)) {}
IValue::IValue(std::vector<Tensor> v) : IValue() {
  auto box = make_ref<ListBox>(types::tensor());
  for (auto& t : v) box->items.emplace_back(std::move(t));
  *this = IValue(box);
}
IValue::IValue(std::vector<int64_t> v) : IValue() {
  auto box = make_ref<ListBox>(types::integer());
  for (int64_t i : v) box->items.emplace_back(i);
  *this = IValue(box);
}

const char* IValue::tag_name() const {
  static constexpr const char* kNames[] = {
      "None", "Tensor", "float", "int",    "bool", "Device", "complex",  "str",
      "List", "Dict",   "Tuple", "Object", "Enum", "Future", "Function", "Generator"};
  return kNames[static_cast<int>(tag_)];
}
void IValue::wrong(const char* wanted) const {
  raise<OpError>("expected a value of type ", wanted, " but found ", tag_name());
}

std::complex<double> IValue::toComplexDouble() const {
  if (tag_ == Tag::Double) return u_.d;
  if (tag_ == Tag::Int || tag_ == Tag::Bool) return static_cast<double>(u_.i);
  if (tag_ != Tag::ComplexDouble) wrong("complex");
  return static_cast<ComplexBox*>(u_.p)->value;
}
const std::string& IValue::toStringRef() const {
  if (tag_ != Tag::String) wrong("str");
  return static_cast<StringBox*>(u_.p)->value;
}
Ref<TupleBox> IValue::toTuple() const { return Ref<TupleBox>(&toTupleRef()); }
std::vector<IValue> IValue::toListVector() const { return toListRef().items; }
std::vector<Tensor> IValue::toTensorVector() const {
  std::vector<Tensor> r;
  for (auto& v : toListRef().items) r.push_back(v.toTensor());
  return r;
}
std::vector<int64_t> IValue::toIntVector() const {
  std::vector<int64_t> r;
  for (auto& v : toListRef().items) r.push_back(v.toInt());
  return r;
}

namespace {
struct Secret {
  uint64_t a, b;
  Secret() {
    a = unforeseen();
    b = unforeseen() | 1;
  }
};
const Secret& secret() {
  static const Secret s;
  return s;
}
uint64_t fold(uint64_t x, uint64_t y) {
  const auto p = static_cast<unsigned __int128>(x) * y;
  return static_cast<uint64_t>(p) ^ static_cast<uint64_t>(p >> 64);
}
size_t secret_mix(uint64_t x) { return fold(x ^ secret().a, secret().b); }
// Eight bytes at a time, each step keyed (after Yi's wyhash).
size_t secret_hash(std::string_view s) {
  uint64_t h = secret().a ^ s.size();
  for (; s.size() >= 8; s.remove_prefix(8)) {
    uint64_t w;
    std::memcpy(&w, s.data(), 8);
    h = fold(h ^ w, secret().b) + secret().a;
  }
  uint64_t w = 0;
  if (!s.empty()) std::memcpy(&w, s.data(), s.size());
  return fold(h ^ w, secret().b ^ 0x9e3779b97f4a7c15u);
}
// What a dict finds its keys by. left: parts of a tuple that are still looked at; equal keys have
// equal hashes all the same.
size_t key_hash(const IValue& v, int& left) {
  if (v.isString()) return secret_hash(v.toStringRef());
  if (v.isTuple()) {
    uint64_t h = secret().a;
    for (auto& e : v.toTupleRef().items) {
      if (--left < 0) break;
      h = fold(h ^ key_hash(e, left), secret().b) + 1;
    }
    return h;
  }
  return secret_mix(ivalue_hash(v));
}
size_t key_hash(const IValue& v) {
  int left = 1000;
  return key_hash(v, left);
}
}  // namespace
int64_t identity_number(const void* p) {
  // One-to-one: rotations, odd factors and exclusive or.
  uint64_t x = reinterpret_cast<uintptr_t>(p) ^ secret().a;
  x *= secret().b;
  x ^= x >> 32;
  x *= 0x9e3779b97f4a7c15ull;
  return static_cast<int64_t>(x ^ x >> 29);
}

namespace {
// The hash of a string of PyTorch on Linux, which a program may have stored: MurmurHash64A (Austin
// Appleby) with libstdc++'s seed.
uint64_t hash_of(std::string_view s) {
  constexpr uint64_t kFactor = 0xc6a4a7935bd1e995ull;
  auto mixed = [](uint64_t x) { return x ^ (x >> 47); };
  uint64_t h = 0xc70f6907ull ^ (s.size() * kFactor);
  for (; s.size() >= 8; s.remove_prefix(8)) {
    uint64_t word;
    std::memcpy(&word, s.data(), 8);
    h = (h ^ (mixed(word * kFactor) * kFactor)) * kFactor;
  }
  if (!s.empty()) {
    uint64_t word = 0;
    std::memcpy(&word, s.data(), s.size());
    h = (h ^ word) * kFactor;
  }
  return mixed(mixed(h) * kFactor);
}
uint64_t hash_of(double x) {
  if (x == 0) return 0;  // both zeros
  return hash_of({reinterpret_cast<const char*>(&x), sizeof x});
}
}  // namespace

size_t ivalue_hash(const IValue& v) { return static_cast<size_t>(hash_number(v)); }
uint64_t hash_number(const IValue& v) {
  check_stack();
  switch (v.tag()) {
    case Tag::Int:
    case Tag::Bool: return static_cast<uint64_t>(v.int_unchecked());
    case Tag::Double: return hash_of(v.double_unchecked());
    case Tag::String: return hash_of(v.toStringRef());
    case Tag::ComplexDouble: {
      auto c = v.toComplexDouble();
      return hash_of(c.real()) * 31 + hash_of(c.imag());
    }
    case Tag::Device: return hash_of(v.toDevice().str());
    case Tag::Tuple: {
      uint64_t h = 17;
      for (auto& e : v.toTupleRef().items) h = h * 31 + hash_number(e);
      return h;
    }
    case Tag::Enum: return hash_of(v.toEnumRef().name);
    // The address, which is nobody's to know.
    case Tag::Tensor:
    case Tag::Object: return static_cast<uint64_t>(identity_number(v.box()));
    default: raise<OpError>("unhashable type: '", v.tag_name(), "'");
  }
}

bool ivalue_is(const IValue& a, const IValue& b) {
  if (a.tag() != b.tag()) return false;
  if (a.isNone()) return true;
  if (a.isString() || a.isComplexDouble()) return a.box() == b.box() || ivalue_equal(a, b);
  if (a.isDevice()) return a.toDevice() == b.toDevice();
  if (a.isDouble()) return a.double_unchecked() == b.double_unchecked();
  if (a.isInt() || a.isBool()) return a.int_unchecked() == b.int_unchecked();
  return a.box() == b.box();
}

bool ivalue_equal(const IValue& a, const IValue& b) {
  check_stack();
  if (a.tag() != b.tag()) {
    if (a.isScalar() && b.isScalar()) return a.toComplexDouble() == b.toComplexDouble();
    return false;
  }
  switch (a.tag()) {
    case Tag::None: return true;
    case Tag::Int:
    case Tag::Bool: return a.int_unchecked() == b.int_unchecked();
    case Tag::Double: return a.double_unchecked() == b.double_unchecked();
    case Tag::ComplexDouble: return a.toComplexDouble() == b.toComplexDouble();
    case Tag::String: return a.toStringRef() == b.toStringRef();
    case Tag::Device: return a.toDevice() == b.toDevice();
    case Tag::List:
    case Tag::Tuple: {
      const auto& x = a.isList() ? a.toListRef().items : a.toTupleRef().items;
      const auto& y = b.isList() ? b.toListRef().items : b.toTupleRef().items;
      if (x.size() != y.size()) return false;
      expect_items(static_cast<double>(x.size()));
      for (size_t i = 0; i < x.size(); ++i)
        if (!ivalue_equal(x[i], y[i])) return false;
      return true;
    }
    case Tag::Dict: {
      auto &x = a.toDictRef(), &y = b.toDictRef();
      if (x.items.size() != y.items.size()) return false;
      for (auto& kv : x.items) {
        IValue* other = y.find(kv.first);
        if (!other || !ivalue_equal(kv.second, *other)) return false;
      }
      return true;
    }
    case Tag::Enum:
      return a.toEnumRef().type == b.toEnumRef().type && a.toEnumRef().name == b.toEnumRef().name &&
             ivalue_equal(a.toEnumRef().value, b.toEnumRef().value);
    default: return a.box() == b.box();
  }
}

// ---- dict ----

DictBox::Index::iterator DictBox::locate(const IValue& key) {
  auto range = index_.equal_range(key_hash(key));
  for (auto it = range.first; it != range.second; ++it)
    if (ivalue_equal(items.with_number(it->second).first, key)) return it;
  return index_.end();
}
IValue* DictBox::find(const IValue& key) {
  auto found = locate(key);
  return found == index_.end() ? nullptr : &items.with_number(found->second).second;
}
void DictBox::set(IValue key, IValue value) {
  if (IValue* v = find(key)) {
    *v = std::move(value);
    return;
  }
  const size_t hash = key_hash(key);
  const uint64_t number = items.push_back({std::move(key), std::move(value)});
  try {
    index_.emplace(hash, number);
  } catch (...) {
    items.erase(number);
    throw;
  }
}
bool DictBox::erase(const IValue& key) {
  auto found = locate(key);
  if (found == index_.end()) return false;
  const uint64_t number = found->second;
  index_.erase(found);
  auto removed = items.erase(number);  // the key may be the item's own
  return true;
}
void DictBox::clear() {
  items.clear();
  index_.clear();
}

// ---- objects ----

Object::Object(const ClassType* t, std::shared_ptr<const void> keep)
    : RefCounted(Nests()), type(t), owner(std::move(keep)), slots_(t->attributes.size()) {}
size_t Object::size() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return slots_.size();
}
IValue Object::slot(size_t i) const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (i >= slots_.size()) raise<OpError>("attribute is not set");
  return slots_[i];
}
IValue Object::observe(size_t i) const {
  std::lock_guard<std::mutex> lock(mutex_);
  observed_ = true;
  return i < slots_.size() ? slots_[i] : IValue();
}
void Object::set_slot(size_t i, IValue v) {
  bool observed;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (i >= slots_.size()) slots_.resize(i + 1);
    slots_[i].swap(v);
    observed = observed_;
  }
  if (observed) move_observed_epoch();
}
std::vector<IValue> Object::slots() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return slots_;
}
void Object::set_slots(std::vector<IValue> v) {
  bool observed;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    slots_.swap(v);
    observed = observed_;
  }
  if (observed) move_observed_epoch();
}
IValue Object::getattr(const std::string& name) const {
  int i = type->find_attribute(name);
  if (i < 0 || static_cast<size_t>(i) >= size())
    raise<Error>("'", type->name, "' has no attribute '", name, "'");
  return slot(static_cast<size_t>(i));
}
void Object::setattr(const std::string& name, IValue v) {
  int i = type->find_attribute(name);
  if (i < 0) {
    for (auto& c : type->constants)
      if (c.first == name) raise<OpError>("Can't set constant '", name, "' of ", type->name);
    raise<OpError>("'", type->name, "' has no attribute '", name, "'");
  }
  check_attribute(v, type->attributes[static_cast<size_t>(i)]);
  set_slot(static_cast<size_t>(i), std::move(v));
}
int ClassType::find_attribute(const std::string& n) const {
  auto it = attribute_index.find(n);
  return it == attribute_index.end() ? -1 : static_cast<int>(it->second);
}
void ClassType::add_attribute(Attribute a) {
  attribute_index[a.name] = attributes.size();
  attributes.push_back(std::move(a));
}

void FutureBox::complete(IValue v) {
  std::lock_guard<std::mutex> lock(mutex);
  value = std::move(v);
  done = true;
  ready.notify_all();
}
void FutureBox::fail(std::exception_ptr e) {
  std::lock_guard<std::mutex> lock(mutex);
  error = std::move(e);
  done = true;
  ready.notify_all();
}

// ---- text ----

std::string float_str(double v) {
  if (std::isnan(v)) return std::signbit(v) ? "-nan" : "nan";
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  char buf[40];
  // A zero prints without its sign.
  std::snprintf(buf, sizeof buf, "%.17g", v == 0 ? 0.0 : v);
  std::string s = buf;
  if (s.find_first_of(".e") == std::string::npos) s += ".";
  return s;
}
std::string complex_str(std::complex<double> v) {
  // The imaginary part carries its own minus.
  std::string im = float_str(v.imag());
  return float_str(v.real()) + (im[0] == '-' ? "" : "+") + im + "j";
}

std::string ivalue_str(const IValue& v) {
  check_stack();
  auto seq = [](const std::vector<IValue>& items) {
    std::string s;
    // What is shared is printed each time that it is met.
    expect_items(static_cast<double>(items.size()));
    for (size_t i = 0; i < items.size(); ++i) {
      s += (i ? ", " : "") + ivalue_str(items[i]);
      expect_memory(static_cast<double>(s.size()));
    }
    return s;
  };
  switch (v.tag()) {
    case Tag::None: return "None";
    case Tag::Tensor: {
      std::ostringstream os;
      if (v.box())
        os << v.toTensorRef();
      else
        os << "[ Tensor (undefined) ]";
      return os.str();
    }
    case Tag::Double: return float_str(v.double_unchecked());
    case Tag::Int: return std::to_string(v.int_unchecked());
    case Tag::Bool: return v.int_unchecked() ? "True" : "False";
    case Tag::Device: return v.toDevice().str();
    case Tag::ComplexDouble: return complex_str(v.toComplexDouble());
    case Tag::String: return v.toStringRef();
    case Tag::List: return "[" + seq(v.toListRef().items) + "]";
    case Tag::Tuple:
      return "(" + seq(v.toTupleRef().items) + (v.toTupleRef().items.size() == 1 ? ",)" : ")");
    case Tag::Dict: {
      std::string s = "{";
      auto& items = v.toDictRef().items;
      for (size_t i = 0; i < items.size(); ++i)
        s += (i ? ", " : "") + ivalue_str(items[i].first) + ": " + ivalue_str(items[i].second);
      return s + "}";
    }
    case Tag::Object: return "<" + v.toObjectRef().type->name + " object>";
    case Tag::Enum: return "Enum<" + v.toEnumRef().type->name + "." + v.toEnumRef().name + ">";
    case Tag::Future: return "Future";
    case Tag::Function: return "Function";
    case Tag::Generator: return "Generator";
  }
  return "";
}

TypePtr ivalue_type(const IValue& v) {
  check_stack();
  TypeTable& g = TypeTable::global();
  switch (v.tag()) {
    case Tag::None: return types::none();
    case Tag::Tensor: return types::tensor();
    case Tag::Double: return types::floating();
    case Tag::Int: return types::integer();
    case Tag::Bool: return types::boolean();
    case Tag::Device: return types::device();
    case Tag::ComplexDouble: return types::complex();
    case Tag::String: return types::string();
    case Tag::List: return g.list(v.toListRef().elem_type);
    case Tag::Dict: return g.dict(v.toDictRef().key_type, v.toDictRef().value_type);
    case Tag::Tuple: {
      if (v.toTupleRef().type) return v.toTupleRef().type;
      std::vector<TypePtr> e;
      for (auto& x : v.toTupleRef().items) e.push_back(ivalue_type(x));
      return g.tuple(std::move(e));
    }
    case Tag::Object: return v.toObjectRef().type;
    case Tag::Enum: return v.toEnumRef().type;
    case Tag::Future: return g.future(v.toFutureRef().elem_type);
    case Tag::Function: return types::get(TypeKind::Function);
    case Tag::Generator: return types::get(TypeKind::Generator);
  }
  return types::any();
}

bool ivalue_matches(const IValue& v, TypePtr t) {
  switch (t->kind) {
    case TypeKind::Any: return true;
    case TypeKind::Optional: return v.isNone() || ivalue_matches(v, t->elems[0]);
    case TypeKind::Union:
      for (TypePtr e : t->elems)
        if (ivalue_matches(v, e)) return true;
      return false;
    case TypeKind::None: return v.isNone();
    case TypeKind::Tensor: return v.isTensor();
    case TypeKind::Int: return v.isInt();
    case TypeKind::Float: return v.isDouble();
    case TypeKind::Bool: return v.isBool();
    case TypeKind::Complex: return v.isComplexDouble();
    case TypeKind::Number: return v.isScalar();
    case TypeKind::String: return v.isString();
    case TypeKind::Device: return v.isDevice();
    case TypeKind::AnyList: return v.isList();
    case TypeKind::AnyTuple: return v.isTuple();
    case TypeKind::List:
      return v.isList() && (v.toListRef().elem_type == t->elems[0] ||
                            (t->elems[0]->kind == TypeKind::Tensor &&
                             v.toListRef().elem_type->kind == TypeKind::Tensor));
    case TypeKind::Dict:
      return v.isDict() && v.toDictRef().key_type == t->elems[0] &&
             v.toDictRef().value_type == t->elems[1];
    case TypeKind::Tuple: {
      if (!v.isTuple() || v.toTupleRef().items.size() != t->elems.size()) return false;
      for (size_t i = 0; i < t->elems.size(); ++i)
        if (!ivalue_matches(v.toTupleRef().items[i], t->elems[i])) return false;
      return true;
    }
    case TypeKind::Class:
    case TypeKind::Interface: return v.isObject() && v.toObjectRef().type->is_subtype_of(t);
    case TypeKind::Enum: return v.isEnum() && v.toEnumRef().type == t;
    case TypeKind::AnyEnum: return v.isEnum();
    case TypeKind::Future:
    case TypeKind::Await: return v.isFuture();
    case TypeKind::Function: return v.isFunction();
    case TypeKind::Generator: return v.isGenerator();
    default: return true;
  }
}

namespace detail {
std::vector<double> to_doubles(const IValue& v) {
  std::vector<double> r;
  for (auto& x : v.toListRef().items) r.push_back(x.toDouble());
  return r;
}
std::vector<Tensor> to_tensors(const IValue& v) {
  std::vector<Tensor> r;
  for (auto& x : v.toListRef().items) r.push_back(Arg<const Tensor&>::from(x));
  return r;
}
}  // namespace detail

}  // namespace sconce
