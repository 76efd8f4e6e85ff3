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
#include <functional>
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
  // Borrows data, which must outlive every use of the tensor unless release frees it. strides, in
  // elements, may be empty: C-contiguous.
  template <class T>
  static Value borrow(T* data, const std::vector<int64_t>& sizes,
                      const std::vector<int64_t>& strides = {},
                      std::function<void()> release = nullptr) {
    if (!strides.empty() && strides.size() != sizes.size())
      throw std::invalid_argument("sizes and strides differ in number");
    auto held = release ? std::make_unique<std::function<void()>>(std::move(release)) : nullptr;
    sconce_value* p = nullptr;
    check(sconce_tensor_borrow(data, dtype_of<T>(), sizes.data(),
                               strides.empty() ? nullptr : strides.data(), sizes.size(),
                               held ? run_release : nullptr, held.get(), &p));
    held.release();
    return Value(p);
  }
  static Value zeros(int32_t dtype, const std::vector<int64_t>& sizes) {
    sconce_value* p = nullptr;
    check(sconce_tensor_new(dtype, sizes.data(), sizes.size(), &p));
    return Value(p);
  }
  static Value complex(double re, double im) {
    sconce_value* p = nullptr;
    check(sconce_complex_new(re, im, &p));
    return Value(p);
  }
  static Value device(const std::string& name) {
    sconce_value* p = nullptr;
    check(sconce_device_new(name.c_str(), &p));
    return Value(p);
  }
  // What torch.save wrote; nothing of the file is executed.
  static Value load(const std::string& path) {
    sconce_value* p = nullptr;
    check(sconce_value_load(path.c_str(), &p));
    return Value(p);
  }
  static Value dict(const std::vector<std::pair<Value, Value>>& entries,
                    const char* key_type = nullptr, const char* value_type = nullptr) {
    std::vector<sconce_value*> keys, values;
    for (const auto& e : entries) {
      keys.push_back(e.first.p_);
      values.push_back(e.second.p_);
    }
    sconce_value* p = nullptr;
    check(sconce_dict_new(key_type, value_type, keys.data(), values.data(), keys.size(), &p));
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
  bool is_none() const { return kind() == SCONCE_NONE; }
  bool is_tensor() const { return kind() == SCONCE_TENSOR; }
  // As graphs print it: "List[int]".
  std::string type() const {
    char* s = nullptr;
    check(sconce_value_type(p_, &s));
    return take_string(s);
  }
  Value clone() const { return made(sconce_value_clone); }
  bool same(const Value& o) const { return sconce_value_same(p_, o.p_) != 0; }
  // Of lists, tuples and dicts.
  size_t size() const { return get<size_t>(sconce_value_length); }
  Value operator[](size_t i) const {
    sconce_value* p = nullptr;
    check(sconce_value_item(p_, i, &p));
    return Value(p);
  }
  void set(size_t i, const Value& v) { check(sconce_list_set(p_, i, v.p_)); }
  void append(const Value& v) { check(sconce_list_append(p_, v.p_)); }
  // Of dicts: entries in the order of insertion.
  std::pair<Value, Value> entry(size_t i) const {
    sconce_value *k = nullptr, *v = nullptr;
    check(sconce_dict_entry(p_, i, &k, &v));
    Value key(k);
    return {std::move(key), Value(v)};
  }
  bool contains(const Value& key) const { return found(key) != nullptr; }
  // Throws std::out_of_range.
  Value at(const Value& key) const {
    if (auto v = found(key)) return std::move(*v);
    throw std::out_of_range("the dict has no such key");
  }
  void insert(const Value& key, const Value& v) { check(sconce_dict_set(p_, key.p_, v.p_)); }
  // Of objects.
  Value attribute(const std::string& name) const {
    sconce_value* p = nullptr;
    check(sconce_object_attribute(p_, name.c_str(), &p));
    return Value(p);
  }
  void set_attribute(const std::string& name, const Value& v) {
    check(sconce_object_set_attribute(p_, name.c_str(), v.p_));
  }
  Value wait() const { return made(sconce_future_wait); }
  // Of tensors.
  int32_t dtype() const { return get<int32_t>(sconce_tensor_dtype); }
  int64_t numel() const { return get<int64_t>(sconce_tensor_numel); }
  std::vector<int64_t> strides() const {
    const int64_t* s = get<const int64_t*>(sconce_tensor_strides);
    return {s, s + get<size_t>(sconce_tensor_dim)};
  }
  // The first element, on the CPU; T must be the tensor's dtype.
  template <class T>
  const T* data() const {
    expect_dtype<T>();
    return static_cast<const T*>(get<const void*>(sconce_tensor_data));
  }
  template <class T>
  T* mutable_data() {
    expect_dtype<T>();
    void* p = nullptr;
    check(sconce_tensor_mutable_data(p_, &p));
    return static_cast<T*>(p);
  }
  // Another dtype (-1: as it is) or device ("": as it is), C-contiguous.
  Value to(int32_t dtype, const std::string& device = "") const {
    sconce_value* p = nullptr;
    check(sconce_tensor_to(p_, dtype, device.empty() ? nullptr : device.c_str(), &p));
    return Value(p);
  }
  std::vector<int64_t> sizes() const {
    const int64_t* s = get<const int64_t*>(sconce_tensor_sizes);
    return {s, s + get<size_t>(sconce_tensor_dim)};
  }
  // A copy of a tensor's elements; T must be its dtype.
  template <class T>
  std::vector<T> elements() const {
    expect_dtype<T>();
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
  Value made(sconce_status (*f)(const sconce_value*, sconce_value**)) const {
    return Value(get<sconce_value*>(f));
  }
  template <class T>
  void expect_dtype() const {
    if (dtype() != dtype_of<T>()) throw std::invalid_argument("the tensor has another dtype");
  }
  std::unique_ptr<Value> found(const Value& key) const {
    sconce_value* p = nullptr;
    check(sconce_dict_find(p_, key.p_, &p));
    return p ? std::make_unique<Value>(p) : nullptr;
  }
  static void run_release(void* user) {
    std::unique_ptr<std::function<void()>> f(static_cast<std::function<void()>*>(user));
    (*f)();
  }
  sconce_value* p_ = nullptr;
};

// Set from any thread, it ends the calls whose limits name it.
class Cancel {
 public:
  Cancel() { check(sconce_cancel_new(&p_)); }
  Cancel(const Cancel&) = delete;
  ~Cancel() { sconce_cancel_free(p_); }
  void set(bool on = true) { sconce_cancel_set(p_, on); }
  sconce_cancel* handle() const { return p_; }

 private:
  sconce_cancel* p_ = nullptr;
};

struct Argument {
  std::string name, type;
  bool has_default;
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
  // read(buffer, size) gives up to size bytes; 0 at the end, negative on an error.
  static Module load(const std::function<int64_t(void*, size_t)>& read,
                     const sconce_load_options* options = nullptr) {
    sconce_module* p = nullptr;
    check(sconce_load_callback(
        [](void* user, void* to, size_t n) -> int64_t {
          try {
            return (*static_cast<const std::function<int64_t(void*, size_t)>*>(user))(to, n);
          } catch (...) {
            return -1;
          }
        },
        const_cast<void*>(static_cast<const void*>(&read)), options, &p));
    return Module(p);
  }
  static Module compile(const std::string& source, const sconce_load_options* options = nullptr) {
    sconce_module* p = nullptr;
    check(sconce_compile(source.c_str(), options, &p));
    return Module(p);
  }
  void save(const std::string& path, const sconce_save_options* options = nullptr) const {
    check(sconce_module_save(p_, path.c_str(), options));
  }
  // write(data, size) is true when it took all.
  void save(const std::function<bool(const void*, size_t)>& write,
            const sconce_save_options* options = nullptr) const {
    check(sconce_module_save_callback(
        p_,
        [](void* user, const void* data, size_t n) -> int32_t {
          try {
            return (*static_cast<const std::function<bool(const void*, size_t)>*>(user))(data, n)
                       ? 0
                       : 1;
          } catch (...) {
            return 1;
          }
        },
        const_cast<void*>(static_cast<const void*>(&write)), options));
  }
  void train(bool on = true) { check(sconce_module_train(p_, on)); }
  void eval() { train(false); }
  bool is_training() const {
    int32_t on = 0;
    check(sconce_module_is_training(p_, &on));
    return on != 0;
  }
  void to(const std::string& device) { check(sconce_module_to_device(p_, device.c_str())); }
  void to(int32_t dtype) { check(sconce_module_to_dtype(p_, dtype)); }
  void prepare(const std::string& method = "forward") {
    check(sconce_module_prepare(p_, method.c_str()));
  }
  void prepare(const std::string& method, const std::vector<Value>& example) {
    auto raw = Value::handles(example);
    check(sconce_module_prepare_for(p_, method.c_str(), raw.data(), raw.size()));
  }
  void define(const std::string& source) { check(sconce_module_define(p_, source.c_str())); }
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
  // Arguments by name too. The tensors of the answer are copied into outputs when there are any.
  Value call(const std::string& method, const std::vector<Value>& args,
             const std::vector<std::pair<std::string, Value>>& kwargs,
             const sconce_limits* limits = nullptr, const std::vector<Value>& outputs = {}) const {
    std::vector<const char*> names;
    std::vector<sconce_value*> values;
    for (const auto& k : kwargs) {
      names.push_back(k.first.c_str());
      values.push_back(k.second.handle());
    }
    auto to = Value::handles(outputs);
    sconce_call_options o = SCONCE_CALL_OPTIONS_INIT;
    o.limits = limits;
    o.kwarg_names = names.data();
    o.kwarg_values = values.data();
    o.num_kwargs = names.size();
    o.outputs = to.empty() ? nullptr : to.data();
    o.num_outputs = to.size();
    return call(method, args, &o);
  }
  bool has_attribute(const std::string& name) const {
    int32_t has = 0;
    check(sconce_module_has_attribute(p_, name.c_str(), &has));
    return has != 0;
  }
  bool has_method(const std::string& name) const {
    int32_t has = 0;
    check(sconce_module_has_method(p_, name.c_str(), &has));
    return has != 0;
  }
  std::vector<std::string> methods() const {
    size_t n = 0;
    check(sconce_module_num_methods(p_, &n));
    std::vector<std::string> r;
    for (size_t i = 0; i < n; ++i) {
      char* s = nullptr;
      check(sconce_module_method_name(p_, i, &s));
      r.push_back(take_string(s));
    }
    return r;
  }
  // Without self.
  std::vector<Argument> arguments(const std::string& method = "forward") const {
    size_t n = 0;
    check(sconce_method_num_arguments(p_, method.c_str(), &n));
    std::vector<Argument> r;
    for (size_t i = 0; i < n; ++i) {
      char *name = nullptr, *type = nullptr;
      int32_t has_default = 0;
      check(sconce_method_argument(p_, method.c_str(), i, &name, &type, &has_default));
      std::string owned = take_string(name);
      r.push_back({std::move(owned), take_string(type), has_default != 0});
    }
    return r;
  }
  std::string return_type(const std::string& method = "forward") const {
    char* s = nullptr;
    check(sconce_method_return_type(p_, method.c_str(), &s));
    return take_string(s);
  }
  std::string graph(const std::string& method = "forward", const std::string& passes = "") const {
    char* s = nullptr;
    check(sconce_method_graph(p_, method.c_str(), passes.c_str(), &s));
    return take_string(s);
  }
  // A dict of tensors by name: 0 parameters and buffers, 1 parameters, 2 buffers.
  Value state(int32_t which = 0) const {
    sconce_value* p = nullptr;
    check(sconce_module_state(p_, which, &p));
    return Value(p);
  }
  void load_state(const Value& state, bool strict = true) {
    check(sconce_module_load_state(p_, state.handle(), strict));
  }
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
