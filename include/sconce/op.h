// SPDX-License-Identifier: Apache-2.0
// Custom operators: a C++ function and the schema by which archives call it.
//
//     sconce::Tensor add_n(const sconce::Tensor& x, int64_t n);
//     sconce::register_operators({sconce::op<add_n>("my_ops::add_n(Tensor x, int n) -> Tensor")});
//
// An archive that says torch.ops.my_ops.add_n(x, 3) then runs it. Register before the archive is
// loaded. A schema whose types don't fit the function's parameters doesn't compile. A shared
// library registers by SCONCE_PLUGIN.
#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "sconce/error.h"
#include "sconce/ivalue.h"
#include "sconce/tensor.h"

namespace sconce {

struct Operator;

// One call of an operator: in(i) reads an input, take(i) moves it when this is its last use, out(i)
// sets a result.
class Call {
 public:
  Call(const Operator* op, IValue* const* inputs, const uint8_t* last_use, uint32_t n_in,
       IValue* const* outputs, uint32_t n_out)
      : op_(op), in_(inputs), last_(last_use), out_(outputs), n_in_(n_in), n_out_(n_out) {}
  uint32_t n_in() const { return n_in_; }
  uint32_t n_out() const { return n_out_; }
  const IValue& in(uint32_t i) const { return *in_[i]; }
  IValue take(uint32_t i) const { return last_ && last_[i] ? std::move(*in_[i]) : *in_[i]; }
  void out(uint32_t i, IValue v) const {
    if (i < n_out_) *out_[i] = std::move(v);
  }
  const IValue& result(uint32_t i) const { return *out_[i]; }
  const Operator* op() const { return op_; }

 private:
  const Operator* op_;
  IValue* const* in_;
  const uint8_t* last_;
  IValue* const* out_;
  uint32_t n_in_, n_out_;
};

using Kernel = void (*)(Call&);

namespace detail {

// How a parameter of type T is taken out of an IValue, and how schemas spell its type.
template <class T>
struct Arg;
#define SCONCE_ARG(Type, spelled, expr)                                 \
  template <>                                                           \
  struct Arg<Type> {                                                    \
    static constexpr const char* spelling = spelled;                    \
    static Type from([[maybe_unused]] const IValue& v) { return expr; } \
  };
SCONCE_API std::vector<double> to_doubles(const IValue& v);
SCONCE_API std::vector<Tensor> to_tensors(const IValue& v);
SCONCE_ARG(int64_t, "int", v.toInt())
SCONCE_ARG(double, "float", v.toDouble())
SCONCE_ARG(bool, "bool", v.toBool())
SCONCE_ARG(const std::string&, "str", v.toStringRef())
SCONCE_ARG(std::vector<int64_t>, "int[]", v.toIntVector())
SCONCE_ARG(std::vector<double>, "float[]", to_doubles(v))
SCONCE_ARG(std::vector<Tensor>, "Tensor[]", to_tensors(v))
SCONCE_ARG(Device, "Device", v.toDevice())
SCONCE_ARG(std::optional<int64_t>, "int?",
           v.isNone() ? std::optional<int64_t>() : std::optional<int64_t>(v.toInt()))
SCONCE_ARG(std::optional<double>, "float?",
           v.isNone() ? std::optional<double>() : std::optional<double>(v.toDouble()))
SCONCE_ARG(std::optional<bool>, "bool?",
           v.isNone() ? std::optional<bool>() : std::optional<bool>(v.toBool()))
SCONCE_ARG(std::optional<std::string>, "str?",
           v.isNone() ? std::optional<std::string>() : std::optional<std::string>(v.toStringRef()))
SCONCE_ARG(const IValue&, "any", v)
#undef SCONCE_ARG
template <>
struct Arg<const Tensor&> {
  static constexpr const char* spelling = "Tensor";
  static const Tensor& from(const IValue& v) {
    const Tensor& t = v.toTensorRef();
    if (!t.defined()) raise<OpError>("expected a tensor but found an undefined one");
    return t;
  }
};
// A null pointer is None (or an undefined tensor).
template <>
struct Arg<const Tensor*> {
  static constexpr const char* spelling = "Tensor?";
  static const Tensor* from(const IValue& v) {
    if (v.isNone()) return nullptr;
    const Tensor& t = v.toTensorRef();
    return t.defined() ? &t : nullptr;
  }
};

inline IValue box(Tensor t) { return IValue(std::move(t)); }
inline IValue box(int64_t v) { return v; }
inline IValue box(double v) { return v; }
inline IValue box(bool v) { return v; }
inline IValue box(std::string v) { return IValue(std::move(v)); }
inline IValue box(IValue v) { return v; }
inline IValue box(std::vector<Tensor> v) { return IValue(std::move(v)); }
inline IValue box(std::vector<int64_t> v) { return IValue(std::move(v)); }
inline IValue box(Device v) { return v; }
template <size_t N>
IValue box(const SmallVec<int64_t, N>& v) {
  return IValue(v.vec());
}

// "int[2](a)? dim=1, Tensor x" -> "int[]?": the type that stands first, without its size and alias
// mark; text becomes what follows the parameter. Long enough for the spellings above.
struct Spelled {
  char text[32] = {};
  size_t size = 0;
  constexpr bool is(const char* s) const {
    size_t i = 0;
    for (; s[i]; ++i)
      if (i >= size || s[i] != text[i]) return false;
    return i == size;
  }
};
constexpr Spelled next_type(std::string_view& text) {
  Spelled r;
  while (!text.empty() && (text[0] == ' ' || text[0] == ',' || text[0] == '*'))
    text.remove_prefix(1);
  size_t i = 0;
  bool list = false, alias = false;
  for (; i < text.size() && (list || alias || (text[i] != ' ' && text[i] != ',')); ++i) {
    char c = text[i];
    if (c == '(') alias = true;
    bool digit = list && c >= '0' && c <= '9';
    if (c == '[') list = true;
    if (c == ']') list = false;
    if (!alias && !digit && r.size < sizeof r.text) r.text[r.size++] = c;
    if (c == ')') {
      if (!alias) break;
      alias = false;
    }
  }
  // The name and the default value.
  int depth = 0;
  for (; i < text.size() && (depth || (text[i] != ',' && text[i] != ')')); ++i) {
    if (text[i] == '(' || text[i] == '[') ++depth;
    if (text[i] == ')' || text[i] == ']') --depth;
  }
  text.remove_prefix(i);
  return r;
}

template <auto F>
struct Unbox;
template <class R, class... A, R (*F)(A...)>
struct Unbox<F> {
  static void call(Call& c) { invoke(c, std::index_sequence_for<A...>{}); }
  template <size_t... I>
  static void invoke([[maybe_unused]] Call& c, std::index_sequence<I...>) {
    if constexpr (std::is_void_v<R>) {
      F(Arg<A>::from(c.in(I))...);
    } else {
      put(c, F(Arg<A>::from(c.in(I))...));
    }
  }
  template <class T>
  static void put(Call& c, T&& v) {
    c.out(0, box(std::forward<T>(v)));
  }
  template <class... T>
  static void put(Call& c, std::tuple<T...>&& v) {
    put_each(c, v, std::index_sequence_for<T...>{});
  }
  template <class Tuple, size_t... I>
  static void put_each(Call& c, Tuple& v, std::index_sequence<I...>) {
    (c.out(I, box(std::move(std::get<I>(v)))), ...);
  }
  // The C++ parameters in schema spelling: "Tensor, int?".
  static std::string signature() {
    std::string s;
    ((s += (s.empty() ? "" : ", ") + std::string(Arg<A>::spelling)), ...);
    return s;
  }
  static constexpr bool fits(const char* spelling, std::string_view& text) {
    Spelled t = next_type(text);
    return t.size != 0 && (std::string_view(spelling) == "any" || t.is(spelling));
  }
  static constexpr bool matches(std::string_view schema) {
    size_t open = schema.find('(');
    if (open == std::string_view::npos) return false;
    schema.remove_prefix(open + 1);
    bool all = (fits(Arg<A>::spelling, schema) && ...);
    return all && schema.substr(0, 5) == ") -> ";
  }
};

}  // namespace detail

// A row for register_operators.
struct CustomOp {
  const char*
      schema;  // "my_ops::add_n(Tensor x, int n=1) -> Tensor"; must live as long as the process
  Kernel kernel;
};
// F: a function of const Tensor& (Tensor), const Tensor* (Tensor?), int64_t, double, bool, const
// std::string&, Device, std::vector of int64_t, double or Tensor, std::optional of them, or const
// IValue& (anything); it returns one of these, a std::tuple of them, or nothing.
template <auto F>
constexpr CustomOp op(const char* schema) {
  if (!detail::Unbox<F>::matches(schema)) throw "the schema and the function disagree";
  return {schema, detail::Unbox<F>::call};
}

// Makes operators known to archives that are loaded from now on. Overloads of one name must come in
// one call. Throws ScriptError for a broken schema, Error for a name that is known already. Any
// thread may call it.
SCONCE_API void register_operators(const CustomOp* rows, size_t count);
inline void register_operators(std::initializer_list<CustomOp> rows) {
  register_operators(rows.begin(), rows.size());
}

// What a plug-in's sconce_plugin() returns.
struct Plugin {
  uint32_t abi;  // kPluginAbi of the headers that it was built with
  const CustomOp* rows;
  size_t count;
};
constexpr uint32_t kPluginAbi = 1;
// Registers the operators of a shared library. Throws Error when it can't be loaded or isn't a
// plug-in for this version. The library stays loaded.
SCONCE_API void load_plugin(const std::string& path);

}  // namespace sconce

// At file scope of a plug-in: constexpr sconce::CustomOp kOps[] = {...}; SCONCE_PLUGIN(kOps)
#define SCONCE_PLUGIN(rows_)                                                                  \
  extern "C" __attribute__((visibility("default"))) const ::sconce::Plugin* sconce_plugin() { \
    static const ::sconce::Plugin plugin{::sconce::kPluginAbi, rows_,                         \
                                         sizeof(rows_) / sizeof(rows_[0])};                   \
    return &plugin;                                                                           \
  }
