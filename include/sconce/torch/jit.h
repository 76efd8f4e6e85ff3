// SPDX-License-Identifier: Apache-2.0
// torch::jit: loading and calling modules.
#pragma once
#include <atomic>
#include <fstream>
#include <unordered_set>

#include "sconce/torch/graph.h"
#include "sconce/torch/indexing.h"

namespace caffe2::serialize {
// Where an archive's bytes come from.
class ReadAdapterInterface {
 public:
  virtual size_t size() const = 0;
  virtual size_t read(uint64_t pos, void* buf, size_t n, const char* what = "") const = 0;
  virtual ~ReadAdapterInterface() = default;
};
inline std::string all_of(const ReadAdapterInterface& r) {
  std::string bytes(r.size(), '\0');
  size_t got = 0;
  while (got < bytes.size()) {
    const size_t n = r.read(got, &bytes[got], bytes.size() - got, "archive");
    if (n == 0) throw c10::Error("the archive's reader gave fewer bytes than its size");
    got += n;
  }
  return bytes;
}
// The records of an archive, whatever is in it.
class PyTorchStreamReader {
 public:
  explicit PyTorchStreamReader(const std::string& path)
      : r_(c10::detail::guarded([&] { return sconce::libtorch::open_records(path); })) {}
  explicit PyTorchStreamReader(std::istream* in)
      : r_(c10::detail::guarded([&] {
          return sconce::libtorch::records_of(
              std::string(std::istreambuf_iterator<char>(*in), std::istreambuf_iterator<char>()));
        })) {}
  explicit PyTorchStreamReader(std::shared_ptr<ReadAdapterInterface> in)
      : r_(c10::detail::guarded([&] { return sconce::libtorch::records_of(all_of(*in)); })) {}
  bool hasRecord(const std::string& name) const { return sconce::libtorch::has_record(*r_, name); }
  std::vector<std::string> getAllRecords() const { return sconce::libtorch::record_names(*r_); }
  std::tuple<at::DataPtr, size_t> getRecord(const std::string& name) const {
    return c10::detail::guarded([&] {
      auto [bytes, size] = sconce::libtorch::read_record(*r_, name);
      return std::tuple<at::DataPtr, size_t>(
          at::DataPtr(const_cast<void*>(bytes.get()), c10::kCPU, bytes), size);
    });
  }

 private:
  std::shared_ptr<const sconce::libtorch::Records> r_;
};
}  // namespace caffe2::serialize

namespace c10 {
struct Argument {
  const std::string& name() const { return p_.name; }
  TypePtr type() const { return TypePtr(p_.type); }
  TypePtr real_type() const { return type(); }
  std::optional<int32_t> N() const { return p_.n ? std::optional<int32_t>(p_.n) : std::nullopt; }
  std::optional<IValue> default_value() const {
    return p_.has_default ? std::optional<IValue>(IValue(p_.default_value)) : std::nullopt;
  }
  bool kwarg_only() const { return p_.kwarg_only; }
  explicit Argument(sconce::libtorch::Parameter p) : p_(std::move(p)) {}

 private:
  sconce::libtorch::Parameter p_;
};
struct FunctionSchema {
  const std::string& name() const { return name_; }
  const std::string& overload_name() const { return overload_; }
  const std::vector<Argument>& arguments() const { return arguments_; }
  const std::vector<Argument>& returns() const { return returns_; }
  bool is_vararg() const { return false; }
  std::optional<int> argumentIndexWithName(c10::string_view n) const {
    for (size_t i = 0; i < arguments_.size(); ++i)
      if (arguments_[i].name() == n) return static_cast<int>(i);
    return std::nullopt;
  }
  explicit FunctionSchema(const sconce::libtorch::Signature& s) : name_(s.name), text_(s.text) {
    for (const auto& p : s.arguments) arguments_.emplace_back(p);
    for (const auto& p : s.returns) returns_.emplace_back(p);
  }
  friend std::ostream& operator<<(std::ostream& os, const FunctionSchema& s) {
    return os << s.text_;
  }

 private:
  std::string name_, overload_, text_;
  std::vector<Argument> arguments_, returns_;
};
}  // namespace c10

namespace torch::jit {

using c10::FunctionSchema;
using c10::IValue;
using c10::TypePtr;
using Stack = std::vector<IValue>;
using Kwargs = std::unordered_map<std::string, IValue>;
using ExtraFilesMap = std::unordered_map<std::string, std::string>;
using ObjectPtr = c10::intrusive_ptr<c10::ivalue::Object>;
using ModulePtr = ObjectPtr;
// Models that a program makes itself of Python classes are not here: this is only a name.
using ResolverPtr = std::nullptr_t;
struct Module;

// ---- stacks: the last N of the values are an operation's ----
inline IValue& peek(Stack& s, size_t i, size_t n) { return s[s.size() - n + i]; }
inline const IValue& peek(const Stack& s, size_t i, size_t n) { return s[s.size() - n + i]; }
inline c10::ArrayRef<IValue> peekSlice(const Stack& s, size_t i, size_t length, size_t n) {
  return c10::ArrayRef<IValue>(s).slice(s.size() - n + i, length);
}
inline c10::ArrayRef<IValue> last(const Stack& s, size_t n) { return peekSlice(s, 0, n, n); }
inline void drop(Stack& s, size_t n) { s.erase(s.end() - static_cast<std::ptrdiff_t>(n), s.end()); }
inline IValue pop(Stack& s) {
  TORCH_CHECK(!s.empty(), "pop() called on empty stack");
  IValue r = std::move(s.back());
  s.pop_back();
  return r;
}
inline std::vector<IValue> pop(Stack& s, size_t n) {
  std::vector<IValue> r(s.end() - static_cast<std::ptrdiff_t>(n), s.end());
  drop(s, n);
  return r;
}
// The last of the arguments is the last of the values.
template <class... T>
void pop(Stack& s, T&... to) {
  size_t i = 0;
  ((to = peek(s, i++, sizeof...(T)).template to<T>()), ...);
  drop(s, sizeof...(T));
}
template <class... T>
void push(Stack& s, T&&... v) {
  (s.emplace_back(std::forward<T>(v)), ...);
}
template <class T>
void pack(Stack& s, T&& v) {
  s.emplace_back(std::forward<T>(v));
}

namespace detail {
using c10::detail::guarded;
inline std::vector<sconce::IValue> plain(std::vector<IValue> v) {
  std::vector<sconce::IValue> r;
  r.reserve(v.size());
  for (IValue& e : v) r.push_back(std::move(e));
  return r;
}
inline IValue call(const sconce::Module& m, const std::string& method, std::vector<IValue> inputs,
                   const Kwargs& kwargs) {
  return guarded([&] {
    if (kwargs.empty()) return IValue(m.run_method(method, plain(std::move(inputs))));
    sconce::Kwargs k;
    for (const auto& kv : kwargs) k.emplace(kv.first, kv.second);
    return IValue(m.run_method(method, plain(std::move(inputs)), k));
  });
}
}  // namespace detail

// A method's or function's code.
struct Function {
  Function(const sconce::Module& m, std::string name)
      : module_(m.impl()), name_(std::move(name)), qualname_(m.class_name() + "." + name_) {}
  const std::string& name() const { return name_; }
  const c10::QualifiedName& qualname() const { return qualname_; }
  const FunctionSchema& getSchema() const {
    if (!schema_)
      schema_ = std::make_shared<FunctionSchema>(
          detail::guarded([&] { return sconce::libtorch::signature(module(), name_); }));
    return *schema_;
  }
  size_t num_inputs() const { return getSchema().arguments().size(); }
  bool isGraphFunction() const { return true; }
  std::shared_ptr<Graph> graph() const { return graph_of(module(), name_, false); }
  std::shared_ptr<Graph> optimized_graph() const { return graph_of(module(), name_, true); }
  // Of a method the first argument is the object.
  IValue operator()(Stack stack, const Kwargs& kwargs = Kwargs()) {
    const auto& wanted = getSchema().arguments();
    if (wanted.empty() || wanted[0].name() != "self" || stack.empty() || !stack[0].isObject())
      return detail::call(module(), name_, std::move(stack), kwargs);
    const sconce::Module of =
        detail::guarded([&] { return sconce::libtorch::module_of(module(), stack[0]); });
    stack.erase(stack.begin());
    return detail::call(of, name_, std::move(stack), kwargs);
  }
  void run(Stack& stack) {
    IValue r = (*this)(std::move(stack));
    stack.clear();
    stack.push_back(std::move(r));
  }

 private:
  sconce::Module module() const { return sconce::Module(module_.lock()); }
  std::weak_ptr<sconce::ModuleImpl> module_;
  std::string name_;
  c10::QualifiedName qualname_;
  mutable std::shared_ptr<FunctionSchema> schema_;
};
using GraphFunction = Function;

struct Method {
  Method(sconce::Module m, std::string name) : module_(std::move(m)), name_(std::move(name)) {}
  IValue operator()(std::vector<IValue> inputs, const Kwargs& kwargs = Kwargs()) const {
    return detail::call(module_, name_, std::move(inputs), kwargs);
  }
  void run(Stack& stack) const {
    IValue r = (*this)(std::move(stack));
    stack.clear();
    stack.push_back(std::move(r));
  }
  const std::string& name() const { return name_; }
  size_t num_inputs() const { return function().num_inputs(); }
  // It lives as long as the module.
  Function& function() const {
    return *static_cast<Function*>(sconce::libtorch::attached(
        module_, "function " + name_, [&] { return std::make_shared<Function>(module_, name_); }));
  }
  std::shared_ptr<Graph> graph() const { return graph_of(module_, name_, false); }
  Module owner() const;

 private:
  sconce::Module module_;
  std::string name_;
};

template <class T>
struct Named {
  std::string name;
  T value;
};

using NameTensor = Named<at::Tensor>;
using NameValue = Named<IValue>;
using NameModule = Named<Module>;

// An object of a script class. Every call throws Error on an empty one.
struct Object {
  Object() = default;
  Object(ObjectPtr p) : Object(IValue(p)) {}
  explicit Object(const IValue& v)
      : m_(detail::guarded([&] { return sconce::libtorch::module_of({}, v); })) {}
  ObjectPtr _ivalue() const {
    return detail::guarded([&] { return IValue(sconce::libtorch::object_of(m_)).toObject(); });
  }
  c10::ClassTypePtr type() const { return _ivalue()->type(); }
  void setattr(const std::string& name, IValue v) {
    detail::guarded([&] { m_.setattr(name, std::move(v)); });
  }
  IValue attr(const std::string& name) const {
    return detail::guarded([&] { return IValue(sconce::libtorch::attribute(m_, name)); });
  }
  IValue attr(const std::string& name, IValue or_else) const {
    return hasattr(name) ? attr(name) : or_else;
  }
  bool hasattr(const std::string& name) const {
    return detail::guarded([&] { return m_.hasattr(name); });
  }
  Method get_method(const std::string& name) const {
    if (auto m = find_method(name)) return *m;
    throw c10::Error("Method '" + name + "' is not defined.");
  }
  std::optional<Method> find_method(const std::string& name) const {
    return detail::guarded([&]() -> std::optional<Method> {
      if (!m_.has_method(name)) return std::nullopt;
      return Method(m_, name);
    });
  }
  std::vector<Method> get_methods() const {
    return detail::guarded([&] {
      std::vector<Method> r;
      for (const std::string& n : m_.method_names()) r.emplace_back(m_, n);
      return r;
    });
  }
  template <class... A>
  IValue run_method(const std::string& name, A&&... args) {
    return get_method(name)({IValue(std::forward<A>(args))...});
  }
  void define(const std::string& source, const ResolverPtr& = nullptr) {
    detail::guarded([&] { m_.define(source); });
  }
  size_t num_slots() const { return _ivalue()->slots().size(); }
  const sconce::Module& sconce_module() const { return m_; }

 protected:
  explicit Object(sconce::Module m) : m_(std::move(m)) {}
  sconce::Module m_;
};

// What a module's lists hold; iterated like LibTorch's, and counted.
template <class T>
class slot_list {
 public:
  using value_type = T;
  // It keeps the items: *module.children().begin() is good.
  class iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = T*;
    using reference = T&;
    iterator() = default;
    iterator(std::shared_ptr<std::vector<T>> items, size_t i) : items_(std::move(items)), i_(i) {}
    T& operator*() const { return (*items_)[i_]; }
    T* operator->() const { return &(*items_)[i_]; }
    iterator& operator++() { return ++i_, *this; }
    iterator operator++(int) { return iterator(items_, i_++); }
    friend bool operator==(const iterator& a, const iterator& b) { return a.i_ == b.i_; }
    friend bool operator!=(const iterator& a, const iterator& b) { return a.i_ != b.i_; }

   private:
    std::shared_ptr<std::vector<T>> items_;
    size_t i_ = 0;
  };
  explicit slot_list(std::vector<T> v) : items_(std::make_shared<std::vector<T>>(std::move(v))) {}
  iterator begin() const { return iterator(items_, 0); }
  iterator end() const { return iterator(items_, items_->size()); }
  size_t size() const { return items_->size(); }

 private:
  std::shared_ptr<std::vector<T>> items_;
};

struct Module : Object {
  Module() = default;
  // An empty module class, to which attributes and methods can be added.
  explicit Module(const std::string& class_name)
      : Object(detail::guarded([&] { return sconce::libtorch::new_module(class_name); })) {}
  explicit Module(const char* class_name) : Module(std::string(class_name)) {}
  explicit Module(const c10::QualifiedName& n) : Module(n.qualifiedName()) {}
  Module(ModulePtr p) : Object(std::move(p)) {}
  explicit Module(sconce::Module m) : Object(std::move(m)) {}

  IValue forward(std::vector<IValue> inputs, const Kwargs& kwargs = Kwargs()) {
    return get_method("forward")(std::move(inputs), kwargs);
  }
  IValue operator()(std::vector<IValue> inputs) {
    return detail::guarded([&] { return IValue(m_(detail::plain(std::move(inputs)))); });
  }

  void train(bool on = true) {
    detail::guarded([&] { m_.train(on); });
  }
  void eval() { train(false); }
  bool is_training() const { return attr("training", true).toBool(); }
  void to(at::Device device, at::ScalarType dtype, bool non_blocking = false) {
    to(device, non_blocking);
    to(dtype, non_blocking);
  }
  void to(at::ScalarType dtype, bool = false) {
    detail::guarded([&] { m_.to(dtype); });
  }
  void to(at::Device device, bool = false) {
    detail::guarded([&] { m_.to(static_cast<sconce::Device>(device)); });
  }

  slot_list<at::Tensor> parameters(bool recurse = true) const {
    return values(named_parameters(recurse));
  }
  slot_list<Named<at::Tensor>> named_parameters(bool recurse = true) const {
    return tensors(recurse, [](const sconce::libtorch::Slot& s) { return s.is_parameter; });
  }
  slot_list<at::Tensor> buffers(bool recurse = true) const {
    return values(named_buffers(recurse));
  }
  slot_list<Named<at::Tensor>> named_buffers(bool recurse = true) const {
    return tensors(recurse, [](const sconce::libtorch::Slot& s) { return s.is_buffer; });
  }
  slot_list<IValue> attributes(bool recurse = true) const {
    return values(named_attributes(recurse));
  }
  slot_list<Named<IValue>> named_attributes(bool recurse = true) const {
    std::vector<Named<IValue>> r;
    walk(m_, "", recurse, [&](const std::string& name, const sconce::libtorch::Slot& s) {
      r.push_back({name, s.value});
    });
    return slot_list<Named<IValue>>(std::move(r));
  }
  slot_list<Module> children() const { return values(named_children()); }
  slot_list<Named<Module>> named_children() const { return submodules(false); }
  slot_list<Module> modules() const { return values(named_modules()); }
  slot_list<Named<Module>> named_modules() const { return submodules(true); }
  void apply(const std::function<void(Module&)>& f) {
    for (Module m : modules()) f(m);
  }

  void register_parameter(const std::string& name, at::Tensor v, bool is_buffer) {
    add(name, sconce::types::tensor(), v,
        is_buffer ? sconce::libtorch::SlotKind::Buffer : sconce::libtorch::SlotKind::Parameter);
  }
  void register_buffer(const std::string& name, at::Tensor v) { register_parameter(name, v, true); }
  void register_attribute(const std::string& name, const TypePtr& t, IValue v,
                          bool is_param = false, bool is_buffer = false) {
    using K = sconce::libtorch::SlotKind;
    add(name, t.raw(), std::move(v),
        is_param    ? K::Parameter
        : is_buffer ? K::Buffer
                    : K::Attribute);
  }
  void register_module(const std::string& name, const Module& m) {
    add(name, m.type().raw(), IValue(m._ivalue()), sconce::libtorch::SlotKind::Attribute);
  }

  // Another object with the same attributes, whose tensors it shares.
  Module copy() const {
    return Module(detail::guarded([&] { return sconce::libtorch::shallow_copy(m_); }));
  }
  Module deepcopy(std::optional<at::Device> device = std::nullopt) const {
    Module r = clone();
    if (device) r.to(*device);
    return r;
  }
  Module clone(bool inplace = false) const {
    return inplace ? copy() : Module(detail::guarded([&] { return m_.clone(); }));
  }

  void save(const std::string& path, const ExtraFilesMap& extra_files = ExtraFilesMap()) const {
    detail::guarded([&] { m_.save(path, save_options(extra_files)); });
  }
  void save(std::ostream& out, const ExtraFilesMap& extra_files = ExtraFilesMap()) const {
    detail::guarded([&] { m_.save(out, save_options(extra_files)); });
  }
  bool operator==(const Module& o) const { return _ivalue() == o._ivalue(); }
  bool operator!=(const Module& o) const { return !(*this == o); }
  void set_optimized(bool) {}
  bool is_optimized() const { return true; }
  void dump(bool bodies, bool attributes, bool parameters) const {
    std::cout << dump_to_str(bodies, attributes, parameters) << std::endl;
  }
  std::string dump_to_str(bool bodies, bool attributes, bool parameters) const {
    return detail::guarded(
        [&] { return sconce::libtorch::dump(m_, bodies, attributes, parameters); });
  }

 private:
  static sconce::SaveOptions save_options(const ExtraFilesMap& extra_files) {
    sconce::SaveOptions o;
    o.extra_files = extra_files;
    return o;
  }
  void add(const std::string& name, sconce::TypePtr t, IValue v, sconce::libtorch::SlotKind kind) {
    detail::guarded([&] { sconce::libtorch::add_slot(m_, name, t, std::move(v), kind); });
  }
  // f(name, slot) for the attributes of m, each before those of the module in it.
  template <class F>
  static void walk(const sconce::Module& m, const std::string& prefix, bool recurse, const F& f) {
    detail::guarded([&] {
      for (const sconce::libtorch::Slot& s : sconce::libtorch::slots(m)) {
        f(prefix + s.name, s);
        if (recurse && s.is_module)
          walk(sconce::libtorch::module_of(m, s.value), prefix + s.name + ".", true, f);
      }
    });
  }
  template <class F>
  slot_list<Named<at::Tensor>> tensors(bool recurse, F wanted) const {
    std::vector<Named<at::Tensor>> r;
    walk(m_, "", recurse, [&](const std::string& name, const sconce::libtorch::Slot& s) {
      if (wanted(s) && s.value.isTensor()) r.push_back({name, at::Tensor(s.value.toTensor())});
    });
    return slot_list<Named<at::Tensor>>(std::move(r));
  }
  slot_list<Named<Module>> submodules(bool all) const {
    std::vector<Named<Module>> r;
    if (all) r.push_back({"", *this});
    collect(m_, "", all, r);
    return slot_list<Named<Module>>(std::move(r));
  }
  static void collect(const sconce::Module& m, const std::string& prefix, bool recurse,
                      std::vector<Named<Module>>& r) {
    detail::guarded([&] {
      for (const sconce::libtorch::Slot& s : sconce::libtorch::slots(m)) {
        if (!s.is_module) continue;
        const sconce::Module sub = sconce::libtorch::module_of(m, s.value);
        r.push_back({prefix + s.name, Module(sub)});
        if (recurse) collect(sub, prefix + s.name + ".", true, r);
      }
    });
  }
  template <class T>
  static slot_list<T> values(const slot_list<Named<T>>& named) {
    std::vector<T> r;
    for (const Named<T>& n : named) r.push_back(n.value);
    return slot_list<T>(std::move(r));
  }
};
inline Module Method::owner() const { return Module(module_); }
using module_list = slot_list<Module>;
using named_module_list = slot_list<Named<Module>>;
using parameter_list = slot_list<at::Tensor>;
using named_parameter_list = slot_list<Named<at::Tensor>>;
using buffer_list = slot_list<at::Tensor>;
using named_buffer_list = slot_list<Named<at::Tensor>>;
using attribute_list = slot_list<IValue>;
using named_attribute_list = slot_list<Named<IValue>>;

// ---- loading ----
namespace detail {
template <class Source>
Module load(Source&& source, std::optional<c10::Device> device, ExtraFilesMap* extra) {
  return guarded([&] {
    sconce::LoadOptions o;
    o.out = &std::cout;
    o.warnings = &std::cerr;
    if (device) o.device = static_cast<sconce::Device>(*device);
    std::map<std::string, std::string> files;
    if (extra) files.insert(extra->begin(), extra->end());
    if (extra) o.extra_files = &files;
    Module m(sconce::libtorch::load(source, o));
    if (extra)
      for (const auto& kv : files) (*extra)[kv.first] = kv.second;
    return m;
  });
}
}  // namespace detail

// The files that extra_files has names of are read into it.
inline Module load(const std::string& path, std::optional<c10::Device> device = std::nullopt,
                   bool = true) {
  return detail::load(path, device, nullptr);
}
inline Module load(const std::string& path, std::optional<c10::Device> device,
                   ExtraFilesMap& extra_files, bool = true) {
  return detail::load(path, device, &extra_files);
}
inline Module load(std::istream& in, std::optional<c10::Device> device = std::nullopt,
                   bool = true) {
  return detail::load(in, device, nullptr);
}
inline Module load(std::istream& in, std::optional<c10::Device> device, ExtraFilesMap& extra_files,
                   bool = true) {
  return detail::load(in, device, &extra_files);
}
inline Module load(std::shared_ptr<caffe2::serialize::ReadAdapterInterface> reader,
                   std::optional<c10::Device> device = std::nullopt, bool = true) {
  std::istringstream in(caffe2::serialize::all_of(*reader));
  return detail::load(static_cast<std::istream&>(in), device, nullptr);
}
inline Module load(std::shared_ptr<caffe2::serialize::ReadAdapterInterface> reader,
                   std::optional<c10::Device> device, ExtraFilesMap& extra_files, bool = true) {
  std::istringstream in(caffe2::serialize::all_of(*reader));
  return detail::load(static_cast<std::istream&>(in), device, &extra_files);
}
inline void save(const Module& m, const std::string& path,
                 const ExtraFilesMap& extra_files = ExtraFilesMap()) {
  m.save(path, extra_files);
}
inline Module freeze(const Module& m,
                     const std::optional<std::vector<std::string>>& preserved = std::nullopt,
                     bool optimize_numerics = true) {
  return Module(detail::guarded([&] {
    return m.sconce_module().freeze(preserved.value_or(std::vector<std::string>()),
                                    optimize_numerics);
  }));
}
inline Module freeze_module(const Module& m, std::vector<std::string> preserved = {}, bool = true,
                            bool = false) {
  return freeze(m, std::move(preserved));
}
inline Module optimize_for_inference(Module& m,
                                     const std::vector<std::string>& other_methods = {}) {
  return m.is_training() || m.hasattr("training")
             ? freeze(m, other_methods.empty()
                             ? std::optional<std::vector<std::string>>()
                             : std::optional<std::vector<std::string>>(other_methods))
             : m;
}

// Functions from source text.
struct CompilationUnit {
  CompilationUnit() = default;
  explicit CompilationUnit(const std::string& source)
      : m_(detail::guarded([&] { return sconce::compile(source, options()); })) {}
  template <class... A>
  IValue run_method(const std::string& name, A&&... args) {
    return detail::call(m_, name, {IValue(std::forward<A>(args))...}, {});
  }
  Function* find_function(const c10::QualifiedName& n) const {
    for (const std::string& f : detail::guarded([&] { return m_.function_names(); }))
      if (f == n.name())
        return static_cast<Function*>(sconce::libtorch::attached(
            m_, "function " + f, [&] { return std::make_shared<Function>(m_, f); }));
    return nullptr;
  }
  Function* find_function(const std::string& n) const {
    return find_function(c10::QualifiedName(n));
  }
  Function* find_function(const char* n) const { return find_function(c10::QualifiedName(n)); }
  template <class N>
  Function& get_function(const N& n) const {
    if (Function* f = find_function(n)) return *f;
    throw c10::Error("attempted to get undefined function");
  }
  std::vector<Function*> get_functions() const {
    std::vector<Function*> r;
    for (const std::string& f : detail::guarded([&] { return m_.function_names(); }))
      r.push_back(find_function(f));
    return r;
  }

 private:
  static sconce::LoadOptions options() {
    sconce::LoadOptions o;
    o.out = &std::cout;
    return o;
  }
  sconce::Module m_;
};
inline std::shared_ptr<CompilationUnit> compile(const std::string& source) {
  return std::make_shared<CompilationUnit>(source);
}

// ---- switches of LibTorch's executor: there is none of them here ----
enum class FusionBehavior { STATIC, DYNAMIC };
using FusionStrategy = std::vector<std::pair<FusionBehavior, size_t>>;
namespace detail {
template <int Which>
bool& flag(bool initial) {
  static bool value = initial;
  return value;
}
inline FusionStrategy& fusion_strategy() {
  static FusionStrategy s{{FusionBehavior::STATIC, 2}, {FusionBehavior::DYNAMIC, 10}};
  return s;
}
}  // namespace detail
// As many specialisations as the strategy allows.
inline std::atomic<size_t>& getBailoutDepth() {
  static std::atomic<size_t> n{12};
  return n;
}
inline FusionStrategy getFusionStrategy() { return detail::fusion_strategy(); }
inline FusionStrategy setFusionStrategy(FusionStrategy& s) {
  FusionStrategy old = detail::fusion_strategy();
  detail::fusion_strategy() = s;
  getBailoutDepth() = 0;
  for (const auto& behavior : s) getBailoutDepth() += behavior.second;
  return old;
}
inline void setGraphExecutorOptimize(bool v) { detail::flag<0>(true) = v; }
inline bool getGraphExecutorOptimize() { return detail::flag<0>(true); }
inline bool& getExecutorMode() { return detail::flag<1>(true); }
inline bool& getProfilingMode() { return detail::flag<1>(true); }
inline std::atomic<size_t>& getNumProfiledRuns() {
  static std::atomic<size_t> n{1};
  return n;
}
inline bool setTensorExprFuserEnabled(bool v) { return std::exchange(detail::flag<2>(true), v); }
inline bool tensorExprFuserEnabled() { return detail::flag<2>(true); }
inline void set_jit_logging_levels(std::string) {}
inline void overrideCanFuseOnCPU(bool) {}
inline void overrideCanFuseOnGPU(bool) {}
inline bool canFuseOnCPU() { return false; }
inline bool canFuseOnGPU() { return false; }
struct GraphOptimizerEnabledGuard {
  explicit GraphOptimizerEnabledGuard(bool v) : old_(getGraphExecutorOptimize()) {
    setGraphExecutorOptimize(v);
  }
  ~GraphOptimizerEnabledGuard() { setGraphExecutorOptimize(old_); }

 private:
  bool old_;
};
// Values to bytes and back.
inline std::vector<char> pickle_save(const IValue& v) {
  return detail::guarded([&] { return sconce::libtorch::pickle(v); });
}
inline IValue pickle_load(const std::vector<char>& d) {
  return detail::guarded([&] { return IValue(sconce::libtorch::unpickle(d.data(), d.size())); });
}

namespace script {
using namespace torch::jit;
using torch::jit::load;
}  // namespace script

}  // namespace torch::jit

namespace c10 {
inline torch::jit::Module IValue::toModule() const {
  want(isModule(), "Object of a module");
  return torch::jit::Module(toObject());
}
}  // namespace c10
