// SPDX-License-Identifier: Apache-2.0
// TORCH_LIBRARY and torch::RegisterOperators: operators that a program has in itself, for the
// models that call them. They are registered as sconce/op.h does it, and stay until the process
// ends. An operator's kernel is the one for the device of its first tensor, else the one for every
// device, else the one of Autograd.
#pragma once
#include "sconce/torch/jit.h"

namespace c10 {
enum class DispatchKey : uint16_t {
  Undefined = 0,
  CPU,
  CUDA,
  Autograd,
  CompositeImplicitAutograd,
  CatchAll = CompositeImplicitAutograd,
  CompositeExplicitAutograd,
  AutogradCPU,
  AutogradCUDA,
  Meta,
  MPS,
  XPU,
  QuantizedCPU,
  QuantizedCUDA,
  Autocast,
  AutocastCPU,
  AutocastCUDA,
  BackendSelect,
  ADInplaceOrView,
  PrivateUse1
};

namespace detail {
// None for keys that never come: no tensor is there, or nothing is traced.
inline std::optional<sconce::libtorch::KernelPlace> place_of(DispatchKey k) {
  using sconce::libtorch::KernelPlace;
  switch (k) {
    case DispatchKey::CPU:
    case DispatchKey::QuantizedCPU: return KernelPlace::Cpu;
    case DispatchKey::CUDA:
    case DispatchKey::QuantizedCUDA: return KernelPlace::Cuda;
    case DispatchKey::CompositeExplicitAutograd: return KernelPlace::Explicit;
    case DispatchKey::CompositeImplicitAutograd: return KernelPlace::Implicit;
    case DispatchKey::Autograd:
    case DispatchKey::AutogradCPU:
    case DispatchKey::AutogradCUDA: return KernelPlace::Autograd;
    default: return std::nullopt;
  }
}
// A parameter of type A: what holds it during the call, its type, and how it is given on.
template <class A>
struct Parameter {
  using Stored = std::decay_t<A>;
  static_assert(!std::is_same<Stored, int32_t>::value && !std::is_same<Stored, float>::value,
                "an operator's numbers are int64_t and double");
  static TypePtr type() { return type_of<Stored>(); }
};
template <class T>
struct Parameter<ArrayRef<T>> {
  using Stored = std::vector<T>;
  static TypePtr type() { return type_of<Stored>(); }
};
template <class A, class Stored>
decltype(auto) give(Stored& s) {
  if constexpr (std::is_lvalue_reference<A>::value)
    return (s);
  else if constexpr (std::is_same<std::decay_t<A>, Stored>::value)
    return std::move(s);
  else
    return A(s);
}
// "Tensor(a!)" for one that the function may assign to.
template <class A>
std::string spelled(char set) {
  std::string t = Parameter<A>::type()->str();
  if (std::is_same<A, at::Tensor&>::value) t += std::string("(") + set + "!)";
  return t;
}
template <class R>
struct Results {
  static std::string text() {
    return Parameter<R>::type()->str() + (std::is_same<R, at::Tensor&>::value ? "(a!) _0" : " _0");
  }
  static void put(sconce::Call& c, R r) { c.out(0, Held<std::decay_t<R>>::from(r)); }
};
template <class... T>
struct Results<std::tuple<T...>> {
  static std::string text() {
    std::string s;
    size_t k = 0;
    ((s += (k ? ", " : "") + Parameter<T>::type()->str() + " _" + std::to_string(k), ++k), ...);
    return "(" + s + ")";
  }
  static void put(sconce::Call& c, const std::tuple<T...>& r) {
    put(c, r, std::index_sequence_for<T...>());
  }
  template <size_t... I>
  static void put(sconce::Call& c, const std::tuple<T...>& r, std::index_sequence<I...>) {
    (c.out(static_cast<uint32_t>(I), Held<std::decay_t<T>>::from(std::get<I>(r))), ...);
  }
};

template <class F>
struct Signature : Signature<decltype(&F::operator())> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...) const> : Signature<R(A...)> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...)> : Signature<R(A...)> {};
template <class R, class... A>
struct Signature<R (*)(A...)> : Signature<R(A...)> {};
template <class R, class... A>
struct Signature<R(A...)> {
  // "(Tensor _0, int _1) -> Tensor _0"
  static std::string text() {
    std::string s;
    int k = 0;
    ((s += (k ? ", " : "") + spelled<A>(static_cast<char>('a' + k)) + " _" + std::to_string(k),
      ++k),
     ...);
    std::string r = "()";
    if constexpr (!std::is_void<R>::value) r = Results<R>::text();
    return "(" + s + ") -> " + r;
  }
  template <class F>
  static void call(F& f, sconce::Call& c) {
    call(f, c, std::index_sequence_for<A...>());
  }
  template <class F, size_t... I>
  static void call(F& f, [[maybe_unused]] sconce::Call& c, std::index_sequence<I...>) {
    if (c.n_in() != sizeof...(A))
      throw Error("the operator's function takes another number of arguments than its schema says");
    std::tuple<typename Parameter<A>::Stored...> held{
        static_cast<const IValue&>(c.in(static_cast<uint32_t>(I)))
            .to<typename Parameter<A>::Stored>()...};
    if constexpr (std::is_void<R>::value)
      f(give<A>(std::get<I>(held))...);
    else
      Results<R>::put(c, f(give<A>(std::get<I>(held))...));
  }
};
}  // namespace detail
}  // namespace c10

namespace torch {
using c10::DispatchKey;

// A function that becomes an operator's kernel: a pointer or a lambda.
class CppFunction {
 public:
  template <class F,
            class = std::enable_if_t<!std::is_base_of<CppFunction, std::decay_t<F>>::value>>
  CppFunction(F&& f)
      : text_(c10::detail::Signature<std::decay_t<F>>::text()),
        kernel_([f = std::decay_t<F>(std::forward<F>(f))](sconce::Call& c) mutable {
          c10::detail::Signature<std::decay_t<F>>::call(f, c);
        }) {}
  static CppFunction makeFallthrough() { return CppFunction(); }
  CppFunction& set_key(c10::DispatchKey k) {
    key_ = k;
    return *this;
  }
  const std::string& text() const { return text_; }
  std::optional<c10::DispatchKey> key() const { return key_; }
  const sconce::libtorch::OwnKernel& kernel() const { return kernel_; }

 private:
  CppFunction() = default;
  std::string text_;
  sconce::libtorch::OwnKernel kernel_;
  std::optional<c10::DispatchKey> key_;
};
template <class F>
CppFunction dispatch(c10::DispatchKey k, F&& f) {
  CppFunction r(std::forward<F>(f));
  return r.set_key(k);
}
template <class F>
CppFunction dispatch(c10::DeviceType t, F&& f) {
  if (t != c10::kCPU && t != c10::kCUDA)
    throw c10::Error("an operator's kernel is for the CPU or CUDA");
  return dispatch(t == c10::kCPU ? c10::DispatchKey::CPU : c10::DispatchKey::CUDA,
                  std::forward<F>(f));
}
inline std::string schema(std::string text) { return text; }

class Library final {
 public:
  enum Kind { DEF, IMPL, FRAGMENT };
  Library(Kind, std::string ns, std::optional<c10::DispatchKey> key, const char* = nullptr,
          uint32_t = 0)
      : ns_(std::move(ns)), key_(key) {}
  Library(const Library&) = delete;
  Library(Library&&) = default;

  Library& def(const std::string& schema) & {
    defined_.push_back(qualified(schema));
    return *this;
  }
  // A name, whose schema is the function's, or a schema.
  template <class F>
  Library& def(const std::string& name_or_schema, F&& f) & {
    CppFunction function(std::forward<F>(f));
    const size_t open = name_or_schema.find('(');
    def(open == std::string::npos ? name_or_schema + function.text() : name_or_schema);
    std::string name = name_or_schema.substr(0, open);
    while (!name.empty() && name.back() == ' ') name.pop_back();
    return implement(name, function, c10::DispatchKey::CompositeImplicitAutograd);
  }
  template <class F>
  Library& impl(const std::string& name, F&& f) & {
    return implement(name, CppFunction(std::forward<F>(f)),
                     key_.value_or(c10::DispatchKey::CompositeImplicitAutograd));
  }
  template <class F>
  Library& impl(const std::string& name, c10::DispatchKey k, F&& f) & {
    return implement(name, CppFunction(std::forward<F>(f)), k);
  }
  // For every operator of the namespace: there is nothing to fall through to.
  template <class F>
  Library& fallback(F&&) & {
    return *this;
  }
  void set_python_module(const char*, const char* = "") {}
  // Makes known what def() collected; overloads of a name come together so.
  void finish() {
    if (!defined_.empty())
      c10::detail::guarded([&] { sconce::libtorch::define_operators(defined_); });
    defined_.clear();
  }

 private:
  std::string qualified(const std::string& name) const {
    const size_t colon = name.find("::");
    return colon < name.find('(') ? name : ns_ + "::" + name;
  }
  Library& implement(const std::string& name, const CppFunction& f, c10::DispatchKey otherwise) {
    const auto place = c10::detail::place_of(f.key().value_or(otherwise));
    if (place && f.kernel())
      c10::detail::guarded(
          [&] { sconce::libtorch::implement_operator(qualified(name), *place, f.kernel()); });
    return *this;
  }
  std::string ns_;
  std::optional<c10::DispatchKey> key_;
  std::vector<std::string> defined_;
};

namespace detail {
struct TorchLibraryInit {
  TorchLibraryInit(Library::Kind kind, void (*fill)(Library&), const char* ns,
                   std::optional<c10::DispatchKey> key) {
    Library l(kind, ns, key);
    fill(l);
    l.finish();
  }
};
}  // namespace detail

// The older way: torch::RegisterOperators().op("ns::f", &f).
class RegisterOperators {
 public:
  class Options {
   public:
    Options&& schema(std::string text) && {
      schema_ = std::move(text);
      return std::move(*this);
    }
    template <class F, F* f>
    Options&& kernel(c10::DispatchKey key) && {
      kernels_.push_back(dispatch(key, f));
      return std::move(*this);
    }
    template <class F, F* f>
    Options&& catchAllKernel() && {
      kernels_.emplace_back(f);
      return std::move(*this);
    }
    template <class F>
    Options&& kernel(c10::DispatchKey key, F&& f) && {
      kernels_.push_back(dispatch(key, std::forward<F>(f)));
      return std::move(*this);
    }
    template <class F>
    Options&& catchAllKernel(F&& f) && {
      kernels_.emplace_back(std::forward<F>(f));
      return std::move(*this);
    }

   private:
    friend class RegisterOperators;
    std::string schema_;
    std::vector<CppFunction> kernels_;
  };
  static Options options() { return {}; }

  RegisterOperators() = default;
  template <class F>
  RegisterOperators(const std::string& name_or_schema, F&& f) {
    add(name_or_schema, {CppFunction(std::forward<F>(f))});
  }
  RegisterOperators&& op(const std::string& name_or_schema, Options&& o) && {
    add(o.schema_.empty() ? name_or_schema : o.schema_, o.kernels_);
    return std::move(*this);
  }
  RegisterOperators&& op(Options&& o) && { return std::move(*this).op("", std::move(o)); }
  template <class F, class = std::enable_if_t<!std::is_same<std::decay_t<F>, Options>::value>>
  RegisterOperators&& op(const std::string& name_or_schema, F&& f, Options&& = {}) && {
    add(name_or_schema, {CppFunction(std::forward<F>(f))});
    return std::move(*this);
  }

 private:
  void add(const std::string& name_or_schema, const std::vector<CppFunction>& kernels) {
    Library l(Library::FRAGMENT, "", std::nullopt);
    const size_t open = name_or_schema.find('(');
    const std::string name = name_or_schema.substr(0, open);
    if (open == std::string::npos && kernels.empty())
      throw c10::Error("an operator without a schema and a kernel: " + name);
    l.def(open == std::string::npos ? name + kernels[0].text() : name_or_schema);
    for (const CppFunction& k : kernels) l.impl(name, k);
    l.finish();
  }
};
namespace jit {
using torch::RegisterOperators;
}
}  // namespace torch

#define TORCH_FN(function) function
#define TORCH_SELECTIVE_NAME(name) name
#define TORCH_SELECTIVE_SCHEMA(schema) schema
#define SCONCE_TORCH_JOIN_(a, b) a##b
#define SCONCE_TORCH_JOIN(a, b) SCONCE_TORCH_JOIN_(a, b)
#define SCONCE_TORCH_LIBRARY(kind, ns, key, m, id)                                               \
  static void SCONCE_TORCH_JOIN(torch_library_init_##ns##_, id)(::torch::Library&);              \
  static const ::torch::detail::TorchLibraryInit SCONCE_TORCH_JOIN(torch_library_static_##ns##_, \
                                                                   id)(                          \
      ::torch::Library::kind, &SCONCE_TORCH_JOIN(torch_library_init_##ns##_, id), #ns, key);     \
  void SCONCE_TORCH_JOIN(torch_library_init_##ns##_, id)([[maybe_unused]] ::torch::Library & m)
#define TORCH_LIBRARY(ns, m) SCONCE_TORCH_LIBRARY(DEF, ns, std::nullopt, m, __COUNTER__)
#define TORCH_LIBRARY_FRAGMENT(ns, m) \
  SCONCE_TORCH_LIBRARY(FRAGMENT, ns, std::nullopt, m, __COUNTER__)
#define TORCH_LIBRARY_IMPL(ns, k, m) \
  SCONCE_TORCH_LIBRARY(IMPL, ns, std::make_optional(::c10::DispatchKey::k), m, __COUNTER__)
