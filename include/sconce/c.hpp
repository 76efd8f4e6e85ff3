// SPDX-License-Identifier: Apache-2.0
// The C API for C++17: handles that free themselves, statuses as exceptions. It uses nothing but
// sconce/c.h, so that a program built with another compiler or standard library than the shared
// library's may use it.
//
//   sconce::c::Module m = sconce::c::Module::load("model.pt");
//   sconce::c::Value y = m.call("forward", {sconce::c::Value::tensor(x.data(), {1, 3, 224, 224})});
//   std::vector<float> scores = y.elements<float>();
#pragma once
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "sconce/c.h"

namespace sconce::c {

// What a function of the C API refused; status() says which kind.
class Failure : public std::runtime_error {
 public:
  explicit Failure(sconce_status status)
      : std::runtime_error(sconce_error_message()),
        status_(status),
        location_(sconce_error_location()),
        raised_class_(sconce_error_class()) {}
  sconce_status status() const { return status_; }
  // "model.py:12"; may be empty.
  const std::string& location() const { return location_; }
  // "builtins.ValueError", when the model raised; may be empty.
  const std::string& raised_class() const { return raised_class_; }

 private:
  sconce_status status_;
  std::string location_, raised_class_;
};

inline void check(sconce_status s) {
  if (s != SCONCE_OK) throw Failure(s);
}
// A text that the API gave.
inline std::string take_string(char* s) {
  std::unique_ptr<char, void (*)(char*)> owned(s, sconce_string_free);
  return std::string(owned.get());
}

template <class T>
constexpr int32_t dtype_of() {
  if constexpr (std::is_same_v<T, float>)
    return SCONCE_FLOAT32;
  else if constexpr (std::is_same_v<T, double>)
    return SCONCE_FLOAT64;
  else if constexpr (std::is_same_v<T, int64_t>)
    return SCONCE_INT64;
  else if constexpr (std::is_same_v<T, int32_t>)
    return SCONCE_INT32;
  else if constexpr (std::is_same_v<T, int16_t>)
    return SCONCE_INT16;
  else if constexpr (std::is_same_v<T, int8_t>)
    return SCONCE_INT8;
  else if constexpr (std::is_same_v<T, uint8_t>)
    return SCONCE_UINT8;
  else if constexpr (std::is_same_v<T, bool>)
    return SCONCE_BOOL8;
  else
    static_assert(sizeof(T) == 0, "no tensor has elements of this type");
}

class Value {
 public:
  Value() { check(sconce_none_new(&p_)); }
  explicit Value(sconce_value* taken) : p_(taken) {}
  Value(int64_t x) { check(sconce_int_new(x, &p_)); }
  Value(int x) : Value(static_cast<int64_t>(x)) {}
  Value(double x) { check(sconce_double_new(x, &p_)); }
  Value(bool x) { check(sconce_bool_new(x, &p_)); }
  Value(const std::string& s) { check(sconce_string_new(s.data(), s.size(), &p_)); }
  Value(const char* s) : Value(std::string(s)) {}
  Value(const Value& o) { check(sconce_value_retain(o.p_, &p_)); }
  Value(Value&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  Value& operator=(Value o) noexcept {
    std::swap(p_, o.p_);
    return *this;
  }
  ~Value() { sconce_value_free(p_); }

  // A copy of the elements, C-contiguous.
  template <class T>
  static Value tensor(const T* data, const std::vector<int64_t>& sizes) {
    sconce_value* p = nullptr;
    check(sconce_tensor_copy_from(data, dtype_of<T>(), sizes.data(), sizes.size(), &p));
    return Value(p);
  }
  static Value list(const std::vector<Value>& items, const char* type = nullptr) {
    sconce_value* p = nullptr;
    auto raw = handles(items);
    check(sconce_list_new(type, raw.data(), raw.size(), &p));
    return Value(p);
  }
  static Value tuple(const std::vector<Value>& items) {
    sconce_value* p = nullptr;
    auto raw = handles(items);
    check(sconce_tuple_new(raw.data(), raw.size(), &p));
    return Value(p);
  }

  sconce_kind kind() const { return sconce_value_kind(p_); }
  std::string text() const {
    char* s = nullptr;
    check(sconce_value_text(p_, &s));
    return take_string(s);
  }
  int64_t to_int() const { return get<int64_t>(sconce_value_int); }
  double to_double() const { return get<double>(sconce_value_double); }
  bool to_bool() const { return get<int32_t>(sconce_value_bool) != 0; }
  std::string to_string() const {
    const char* s = nullptr;
    size_t n = 0;
    check(sconce_value_string(p_, &s, &n));
    return std::string(s, n);
  }
  // Of lists, tuples and dicts.
  size_t size() const { return get<size_t>(sconce_value_length); }
  Value operator[](size_t i) const {
    sconce_value* p = nullptr;
    check(sconce_value_item(p_, i, &p));
    return Value(p);
  }
  std::vector<int64_t> sizes() const {
    const int64_t* s = get<const int64_t*>(sconce_tensor_sizes);
    return {s, s + get<size_t>(sconce_tensor_dim)};
  }
  // A copy of a tensor's elements; T must be its dtype.
  template <class T>
  std::vector<T> elements() const {
    if (get<int32_t>(sconce_tensor_dtype) != dtype_of<T>())
      throw std::invalid_argument("the tensor has another dtype");
    static_assert(!std::is_same_v<T, bool>, "std::vector<bool> has no bytes; use uint8_t buffers");
    std::vector<T> r(static_cast<size_t>(get<int64_t>(sconce_tensor_numel)));
    check(sconce_tensor_copy_to(p_, r.data(), r.size() * sizeof(T)));
    return r;
  }
  sconce_value* handle() const { return p_; }
  static std::vector<sconce_value*> handles(const std::vector<Value>& values) {
    std::vector<sconce_value*> r;
    for (const Value& v : values) r.push_back(v.p_);
    return r;
  }

 private:
  template <class T>
  T get(sconce_status (*f)(const sconce_value*, T*)) const {
    T r{};
    check(f(p_, &r));
    return r;
  }
  sconce_value* p_ = nullptr;
};

class Module {
 public:
  explicit Module(sconce_module* taken) : p_(taken) {}
  Module(Module&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  Module& operator=(Module&& o) noexcept {
    std::swap(p_, o.p_);
    return *this;
  }
  ~Module() { sconce_module_free(p_); }

  static Module load(const std::string& path, const sconce_load_options* options = nullptr) {
    sconce_module* p = nullptr;
    check(sconce_load(path.c_str(), options, &p));
    return Module(p);
  }
  static Module load(const void* data, size_t size, const sconce_load_options* options = nullptr) {
    sconce_module* p = nullptr;
    check(sconce_load_memory(data, size, options, &p));
    return Module(p);
  }
  Module clone() const {
    sconce_module* p = nullptr;
    check(sconce_module_clone(p_, &p));
    return Module(p);
  }
  Value call(const std::string& method, const std::vector<Value>& args,
             const sconce_call_options* options = nullptr) const {
    auto raw = Value::handles(args);
    sconce_value* p = nullptr;
    check(sconce_module_call(p_, method.c_str(), raw.data(), raw.size(), options, &p));
    return Value(p);
  }
  Value operator()(const std::vector<Value>& args) const { return call("forward", args); }
  Value attribute(const std::string& name) const {
    sconce_value* p = nullptr;
    check(sconce_module_attribute(p_, name.c_str(), &p));
    return Value(p);
  }
  void set_attribute(const std::string& name, const Value& v) {
    check(sconce_module_set_attribute(p_, name.c_str(), v.handle()));
  }
  std::string schema(const std::string& method = "forward") const {
    char* s = nullptr;
    check(sconce_method_schema(p_, method.c_str(), &s));
    return take_string(s);
  }
  sconce_module* handle() const { return p_; }

 private:
  sconce_module* p_;
};

}  // namespace sconce::c
