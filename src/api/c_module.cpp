// SPDX-License-Identifier: Apache-2.0
// The C API: modules, their methods and attributes.
#include <algorithm>
#include <cstdlib>
#include <map>

#include "api/c_api.h"
#include "api/convert.h"
#include "api/runtime.h"
#include "support/stack.h"

namespace sconce::c {

namespace {

// Gives what is written to a callback.
class CallbackBuffer final : public std::streambuf {
 public:
  CallbackBuffer(sconce_text_callback f, void* user) : f_(f), user_(user) {}

 protected:
  int_type overflow(int_type c) override {
    if (c == traits_type::eof()) return 0;
    char one = static_cast<char>(c);
    f_(user_, &one, 1);
    return c;
  }
  std::streamsize xsputn(const char* s, std::streamsize n) override {
    if (n > 0) f_(user_, s, static_cast<size_t>(n));
    return n;
  }

 private:
  sconce_text_callback f_;
  void* user_;
};
class CallbackStream final : public std::ostream {
 public:
  CallbackStream(sconce_text_callback f, void* user) : std::ostream(nullptr), buffer_(f, user) {
    rdbuf(&buffer_);
  }

 private:
  CallbackBuffer buffer_;
};

// Gives what is written to a callback that may refuse it.
class WriterBuffer final : public std::streambuf {
 public:
  WriterBuffer(sconce_write_callback f, void* user) : f_(f), user_(user) {}

 protected:
  int_type overflow(int_type c) override {
    const char one = static_cast<char>(c);
    return c != traits_type::eof() && xsputn(&one, 1) == 1 ? c : traits_type::eof();
  }
  std::streamsize xsputn(const char* s, std::streamsize n) override {
    if (refused_) return 0;
    refused_ = n > 0 && f_(user_, s, static_cast<size_t>(n)) != 0;
    return refused_ ? 0 : n;
  }

 private:
  sconce_write_callback f_;
  void* user_;
  bool refused_ = false;
};

std::vector<std::string> names(const char* const* list, size_t n, const char* what) {
  std::vector<std::string> r;
  if (n && !list) raise<InvalidArgument>(what, " is NULL");
  for (size_t i = 0; i < n; ++i) r.push_back(text_argument(list[i], what));
  return r;
}

// A handle with the streams that the options ask for; o then has everything else.
std::unique_ptr<sconce_module> new_module(const sconce_load_options* given, LoadOptions& o) {
  const sconce_load_options c = options_of(given, "sconce_load_options");
  auto m = std::make_unique<sconce_module>();
  if (c.interpret) o.mode = Mode::Interpret;
  if (c.strict_numerics) o.numerics = Numerics::Strict;
  if (c.num_threads < 0) raise<InvalidArgument>("num_threads is negative");
  if (c.num_threads) o.num_threads = c.num_threads;
  if (c.device) o.device = Device::parse(c.device);
  o.strict_device = c.strict_device != 0;
  o.allow_setstate = !c.refuse_setstate;
  o.read_all = c.read_all != 0;
  o.map_file = c.map_file != 0;
  if (c.limits) o.limits = limits_of(c.limits);
  o.allowed_ops = names(c.allowed_ops, c.num_allowed_ops, "allowed_ops");
  o.denied_ops = names(c.denied_ops, c.num_denied_ops, "denied_ops");
  if (c.print) o.out = (m->print = std::make_shared<CallbackStream>(c.print, c.print_user)).get();
  if (c.warn) o.warnings = (m->warn = std::make_shared<CallbackStream>(c.warn, c.warn_user)).get();
  return m;
}

template <class F>
sconce_status load_with(const sconce_load_options* options, sconce_module** out, F f) noexcept {
  return guarded([&] {
    required(out, "out");
    LoadOptions o;
    auto m = new_module(options, o);
    const sconce_load_options c = options_of(options, "sconce_load_options");
    std::map<std::string, std::string> extra;
    for (std::string& n : names(c.extra_names, c.num_extra, "extra_names")) extra[std::move(n)];
    if (!extra.empty()) o.extra_files = &extra, required(c.extra, "extra");
    m->module = f(o);
    // What isn't there stays empty, as an empty record is.
    for (auto& [name, data] : extra)
      if (!data.empty()) c.extra(c.extra_user, name.c_str(), data.data(), data.size());
    *out = m.release();
  });
}

SaveOptions save_options(const sconce_save_options* given) {
  const sconce_save_options c = options_of(given, "sconce_save_options");
  SaveOptions o;
  o.strip_debug = c.strip_debug != 0;
  o.dedupe = c.dedupe != 0;
  if (c.device) o.device = Device::parse(c.device);
  o.file_version = c.file_version;
  const std::vector<std::string> extra = names(c.extra_names, c.num_extra, "extra_names");
  if (!extra.empty()) required(c.extra_data, "extra_data"), required(c.extra_sizes, "extra_sizes");
  for (size_t i = 0; i < extra.size(); ++i) {
    if (!c.extra_data[i] && c.extra_sizes[i]) raise<InvalidArgument>("extra_data is NULL");
    o.extra_files[extra[i]] =
        c.extra_sizes[i] ? std::string(static_cast<const char*>(c.extra_data[i]), c.extra_sizes[i])
                         : std::string();
  }
  return o;
}

const Module& module_of(const sconce_module* m) { return required(m, "module").module; }
// The object that "a.b" of "a.b.c" leads to, and "c".
std::pair<Ref<Object>, std::string> resolve(const sconce_module* m, const char* name) {
  std::string path = text_argument(name, "name");
  Ref<Object> at = module_of(m).impl()->object;
  for (size_t dot; (dot = path.find('.')) != std::string::npos; path = path.substr(dot + 1)) {
    IValue next = at->getattr(path.substr(0, dot));
    if (!next.isObject()) raise<OpError>("attribute '", path.substr(0, dot), "' is no module");
    at = Ref<Object>(&next.toObjectRef());
  }
  return {at, path};
}
// f with its schema, while the types that it names can't change.
template <class F>
void with_method(const sconce_module* m, const char* name, F f) {
  const Module& module = module_of(m);
  ModuleImpl& impl = *module.impl();
  std::string method = text_argument(name, "method");
  CallScope scope(impl);
  std::lock_guard<std::recursive_mutex> lock(impl.archive.cu->mutex());
  Function& function = impl.method(method);
  impl.archive.cu->ensure_schema(function);
  f(function);
}

// The i-th parameter, self left out.
const Argument& parameter(const Function& f, size_t i) {
  const size_t self = f.self ? 1 : 0, n = f.schema.arguments.size();
  if (n < self || i >= n - self) raise<InvalidArgument>("argument ", i, " is not there");
  return f.schema.arguments[i + self];
}

std::vector<std::string> method_list(const sconce_module* m) {
  const Module& module = module_of(m);
  std::vector<std::string> r = module.method_names();
  for (std::string& f : module.function_names()) r.push_back(std::move(f));
  return r;
}

// The tensors of an answer in the order in which it holds them.
void collect_tensors(const IValue& v, std::vector<Tensor>& out) {
  check_stack();
  switch (v.tag()) {
    case Tag::Tensor: out.push_back(v.toTensor()); break;
    case Tag::List:
      for (auto& e : v.toListRef().items) collect_tensors(e, out);
      break;
    case Tag::Tuple:
      for (auto& e : v.toTupleRef().items) collect_tensors(e, out);
      break;
    case Tag::Dict:
      for (auto& e : v.toDictRef().items) collect_tensors(e.second, out);
      break;
    default: break;
  }
}

void copy_outputs(const IValue& answer, const sconce_call_options& o) {
  std::vector<Tensor> from;
  collect_tensors(answer, from);
  if (from.size() != o.num_outputs)
    raise<InvalidArgument>("the answer holds ", from.size(), " tensors, and outputs ",
                           o.num_outputs);
  required(o.outputs, "outputs");
  // All are looked at before one is written.
  for (size_t i = 0; i < from.size(); ++i) {
    const Tensor& to = tensor_of(o.outputs[i], "an output");
    if (!from[i].defined()) raise<InvalidArgument>("answer ", i, " is an undefined tensor");
    if (to.dtype() != from[i].dtype() || to.sizes() != from[i].sizes())
      raise<InvalidArgument>("output ", i,
                             " has another form than the answer: ", dtype_name(from[i].dtype()),
                             " of ", from[i].dim(), " dims");
  }
  for (size_t i = 0; i < from.size(); ++i)
    run_named("aten::copy_", {IValue(tensor_of(o.outputs[i])), IValue(from[i]), IValue(false)});
}

}  // namespace
}  // namespace sconce::c

using namespace sconce;
using namespace sconce::c;

extern "C" {

sconce_status sconce_load(const char* path, const sconce_load_options* options,
                          sconce_module** out) {
  return load_with(options, out,
                   [&](const LoadOptions& o) { return load(text_argument(path, "path"), o); });
}
sconce_status sconce_load_memory(const void* data, size_t size, const sconce_load_options* options,
                                 sconce_module** out) {
  return load_with(options, out, [&](const LoadOptions& o) {
    if (!data) raise<InvalidArgument>("data is NULL");
    return load(data, size, o);
  });
}
sconce_status sconce_load_callback(sconce_read_callback read, void* user,
                                   const sconce_load_options* options, sconce_module** out) {
  return load_with(options, out, [&](const LoadOptions& o) {
    if (!read) raise<InvalidArgument>("read is NULL");
    std::string bytes;
    std::vector<char> part(1 << 20);
    for (;;) {
      int64_t n = read(user, part.data(), part.size());
      if (n < 0) raise<FormatError>("the callback that reads the archive failed");
      if (n == 0) break;
      if (static_cast<uint64_t>(n) > part.size())
        raise<InvalidArgument>("the callback that reads says that it gave more than was asked for");
      if (o.limits.memory && bytes.size() + static_cast<size_t>(n) > o.limits.memory)
        raise<LimitError>("the archive is larger than the memory that may be used");
      bytes.append(part.data(), static_cast<size_t>(n));
    }
    return load(bytes.data(), bytes.size(), o);
  });
}
sconce_status sconce_compile(const char* source, const sconce_load_options* options,
                             sconce_module** out) {
  return load_with(options, out, [&](const LoadOptions& o) {
    return compile(text_argument(source, "source"), o);
  });
}
void sconce_module_free(sconce_module* module) { delete module; }

sconce_status sconce_module_save(const sconce_module* module, const char* path,
                                 const sconce_save_options* options) {
  return guarded([&] {
    const Module& m = module_of(module);
    m.save(text_argument(path, "path"), save_options(options));
  });
}
sconce_status sconce_module_save_callback(const sconce_module* module, sconce_write_callback write,
                                          void* user, const sconce_save_options* options) {
  return guarded([&] {
    const Module& m = module_of(module);
    if (!write) raise<InvalidArgument>("write is NULL");
    WriterBuffer buffer(write, user);
    std::ostream out(&buffer);
    m.save(out, save_options(options));
  });
}

sconce_status sconce_module_clone(const sconce_module* module, sconce_module** out) {
  return guarded([&] {
    required(out, "out");
    auto m = std::make_unique<sconce_module>(required(module, "module"));
    m->module = module->module.clone();
    *out = m.release();
  });
}
sconce_status sconce_module_train(sconce_module* module, int32_t on) {
  return guarded([&] { required(module, "module").module.train(on != 0); });
}
sconce_status sconce_module_is_training(const sconce_module* module, int32_t* out) {
  return guarded([&] { required(out, "out") = module_of(module).is_training(); });
}
sconce_status sconce_module_to_device(sconce_module* module, const char* device) {
  return guarded([&] {
    required(module, "module").module.to(Device::parse(text_argument(device, "device")));
  });
}
sconce_status sconce_module_to_dtype(sconce_module* module, int32_t dtype) {
  return guarded([&] {
    if (dtype < 0 || dtype > 127 || !element_size(static_cast<ScalarType>(dtype)))
      raise<InvalidArgument>("dtype ", dtype, " is not known");
    required(module, "module").module.to(static_cast<ScalarType>(dtype));
  });
}
sconce_status sconce_module_prepare(sconce_module* module, const char* method) {
  return guarded(
      [&] { required(module, "module").module.prepare(text_argument(method, "method")); });
}
sconce_status sconce_module_define(sconce_module* module, const char* source) {
  return guarded(
      [&] { required(module, "module").module.define(text_argument(source, "source")); });
}
sconce_status sconce_module_class_name(const sconce_module* module, char** out) {
  return guarded([&] { required(out, "out") = new_string(module_of(module).class_name()); });
}

sconce_status sconce_module_num_methods(const sconce_module* module, size_t* out) {
  return guarded([&] { required(out, "out") = method_list(module).size(); });
}
sconce_status sconce_module_method_name(const sconce_module* module, size_t i, char** out) {
  return guarded([&] {
    auto list = method_list(module);
    if (i >= list.size()) raise<InvalidArgument>("there are ", list.size(), " methods");
    required(out, "out") = new_string(list[i]);
  });
}
sconce_status sconce_module_has_method(const sconce_module* module, const char* method,
                                       int32_t* out) {
  return guarded([&] {
    std::string name = text_argument(method, "method");
    auto list = method_list(module);
    required(out, "out") = std::find(list.begin(), list.end(), name) != list.end();
  });
}
sconce_status sconce_method_schema(const sconce_module* module, const char* method, char** out) {
  return guarded([&] {
    required(out, "out");
    with_method(module, method, [&](Function& f) {
      f.ensure_graph();  // what it returns may be known only then
      FunctionSchema s = f.schema;
      s.name = f.name;
      if (f.self && !s.arguments.empty()) s.arguments.erase(s.arguments.begin());
      *out = new_string(s.str());
    });
  });
}
sconce_status sconce_method_num_arguments(const sconce_module* module, const char* method,
                                          size_t* out) {
  return guarded([&] {
    required(out, "out");
    with_method(module, method,
                [&](Function& f) { *out = f.schema.arguments.size() - (f.self ? 1 : 0); });
  });
}
sconce_status sconce_method_argument(const sconce_module* module, const char* method, size_t i,
                                     char** name, char** type, int32_t* has_default) {
  return guarded([&] {
    required(name, "name");
    with_method(module, method, [&](Function& f) {
      const Argument& a = parameter(f, i);
      std::unique_ptr<char, decltype(&std::free)> text(new_string(a.name), std::free);
      if (type) *type = new_string(a.type->annotation_str());
      if (has_default) *has_default = a.default_value.has_value();
      *name = text.release();
    });
  });
}
sconce_status sconce_method_return_type(const sconce_module* module, const char* method,
                                        char** out) {
  return guarded([&] {
    required(out, "out");
    with_method(module, method, [&](Function& f) {
      f.ensure_graph();  // what it returns may be known only then
      const auto& r = f.schema.returns;
      *out = new_string(r.empty() ? "None" : r[0].type->annotation_str());
    });
  });
}
sconce_status sconce_method_convert_argument(const sconce_module* module, const char* method,
                                             size_t i, const sconce_value* value,
                                             sconce_value** out) {
  return guarded([&] {
    required(out, "out");
    with_method(module, method, [&](Function& f) {
      *out = new_value(convert_argument(value_of(value), parameter(f, i).type));
    });
  });
}
sconce_status sconce_method_graph(const sconce_module* module, const char* method,
                                  const char* passes, char** out) {
  return guarded([&] {
    required(out, "out") = new_string(
        module_of(module).graph_text(text_argument(method, "method"), passes ? passes : ""));
  });
}
sconce_status sconce_module_missing_operators(const sconce_module* module, sconce_value** out) {
  return guarded([&] {
    std::vector<IValue> names;
    for (auto& m : module_of(module).missing_operators()) names.emplace_back(m.first);
    required(out, "out") = new_value(IValue(make_ref<ListBox>(types::string(), std::move(names))));
  });
}

sconce_status sconce_module_prepare_for(sconce_module* module, const char* method,
                                        sconce_value* const* args, size_t num_args) {
  return guarded([&] {
    Module& m = required(module, "module").module;
    m.prepare(text_argument(method, "method"), values_of(args, num_args, "args"));
  });
}

sconce_status sconce_module_call(const sconce_module* module, const char* method,
                                 sconce_value* const* args, size_t num_args,
                                 const sconce_call_options* options, sconce_value** out) {
  return guarded([&] {
    const Module& m = module_of(module);
    const sconce_call_options o = options_of(options, "sconce_call_options");
    std::string name = text_argument(method, "method");
    if (!out && !o.outputs) raise<InvalidArgument>("out is NULL");
    std::vector<IValue> inputs = values_of(args, num_args, "args");
    std::vector<IValue> kwarg_values = values_of(o.kwarg_values, o.num_kwargs, "kwarg_values");
    std::vector<std::string> kwarg_names = names(o.kwarg_names, o.num_kwargs, "kwarg_names");
    Kwargs kwargs;
    for (size_t i = 0; i < kwarg_names.size(); ++i)
      if (!kwargs.emplace(kwarg_names[i], kwarg_values[i]).second)
        raise<InvalidArgument>("argument '", kwarg_names[i], "' is given twice");
    const Limits limits = o.limits ? limits_of(o.limits) : Limits();
    const Limits* own = o.limits ? &limits : nullptr;
    IValue answer;
    if (name == "__call__") {
      if (!kwargs.empty()) raise<InvalidArgument>("__call__ takes no arguments by name");
      CallScope scope(*m.impl(), own);
      answer = m(std::move(inputs));
    } else {
      answer = m.impl()->run(name, std::move(inputs), kwargs.empty() ? nullptr : &kwargs, own);
    }
    if (o.outputs) copy_outputs(answer, o);
    if (out) *out = new_value(std::move(answer));
  });
}

sconce_status sconce_module_has_attribute(const sconce_module* module, const char* name,
                                          int32_t* out) {
  return guarded([&] {
    required(out, "out");
    try {
      auto [object, attribute] = resolve(module, name);
      *out = object->type->find_attribute(attribute) >= 0;
    } catch (const InvalidArgument&) {
      throw;
    } catch (const Error&) {  // the way there isn't
      *out = 0;
    }
  });
}
sconce_status sconce_module_attribute(const sconce_module* module, const char* name,
                                      sconce_value** out) {
  return guarded([&] {
    auto [object, attribute] = resolve(module, name);
    required(out, "out") = new_value(object->getattr(attribute));
  });
}
sconce_status sconce_module_set_attribute(sconce_module* module, const char* name,
                                          const sconce_value* value) {
  return guarded([&] {
    auto [object, attribute] = resolve(module, name);
    object->setattr(attribute, value_of(value));
  });
}
sconce_status sconce_module_state(const sconce_module* module, int32_t which, sconce_value** out) {
  return guarded([&] {
    const Module& m = module_of(module);
    required(out, "out");
    if (which < 0 || which > 2) raise<InvalidArgument>("which is 0, 1 or 2");
    auto d = make_ref<DictBox>(types::string(), types::tensor());
    for (auto& s : which == 0   ? m.state_dict()
                   : which == 1 ? m.named_parameters()
                                : m.named_buffers())
      d->set(IValue(s.name), IValue(s.value));
    *out = new_value(IValue(std::move(d)));
  });
}
sconce_status sconce_module_load_state(sconce_module* module, const sconce_value* state,
                                       int32_t strict) {
  return guarded([&] {
    std::vector<Named<Tensor>> list;
    for (auto& [k, v] : value_of(state, Tag::Dict, "a dict").toDictRef().items)
      list.push_back({k.toStringRef(), v.toTensor()});
    required(module, "module").module.load_state_dict(list, strict != 0);
  });
}

}  // extern "C"
