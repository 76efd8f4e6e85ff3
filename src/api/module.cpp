// SPDX-License-Identifier: Apache-2.0
#include "sconce/module.h"

#include <cstring>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "api/clone_copy.h"
#include "api/device_copy.h"
#include "api/module_passes.h"
#include "api/own_module.h"
#include "api/runtime.h"
#include "backends/kernels.h"
#include "ir/cleanup.h"
#include "ir/source.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

std::shared_ptr<ModuleImpl> new_impl(const std::string& name, const LoadOptions& options) {
  auto impl = std::make_shared<ModuleImpl>();
  impl->options = options;
  Limits& limits = impl->options.limits;
  if (uint64_t steps = options.max_loop_steps; steps && (!limits.steps || steps < limits.steps))
    limits.steps = steps;
  if (limits.memory) impl->memory = make_ref<MemoryAccount>(limits.memory);
  impl->name = name;
  impl->engine.ops = &op_table();
  if (options.num_threads > 1)
    impl->engine.pool = std::make_shared<ThreadPool>(std::min(options.num_threads, 256));
  ModuleImpl* raw = impl.get();
  impl->engine.state = &impl->state();
  impl->engine.plan_of = [raw](Function& f) { return raw->plan_of(f); };
  return impl;
}

std::shared_ptr<const script::Policy> policy_of(const LoadOptions& o) {
  if (o.allowed_ops.empty() && o.denied_ops.empty() && o.allow_setstate) return nullptr;
  auto p = std::make_shared<script::Policy>();
  p->allowed_ops = o.allowed_ops;
  p->denied_ops = o.denied_ops;
  p->run_at_load = o.allow_setstate;
  return p;
}

// Compiles what has been met, so that code outside of the policy is refused early. What doesn't
// compile for another reason says so when it is called.
void enforce_policy(script::CompilationUnit& cu) {
  if (!cu.policy || !cu.policy->limits_operators()) return;
  for (size_t i = 0; i < cu.functions().size(); ++i) {
    try {
      cu.functions()[i]->ensure_graph();
    } catch (const PolicyError&) {
      throw;
    } catch (const Error&) {
    }
  }
}

// load: makes the archive, of a function that runs __setstate__ and of the policy.
template <class Load>
Module load_with(std::shared_ptr<ModuleImpl> impl, const Load& load) {
  const LoadOptions& options = impl->options;
  ModuleImpl* raw = impl.get();
  CallScope scope(*impl);
  // __setstate__ runs while the archive is still being read.
  impl->archive = load(
      [raw](Function& f, std::vector<IValue> in) {
        auto plan = make_plan(interpreted_graph(f), op_table(), f.qualified_name);
        return run_plan(*plan, std::move(in), raw->engine).at(0);
      },
      policy_of(options));
  enforce_policy(*impl->archive.cu);
  impl->object = Ref<Object>(&impl->archive.root.toObjectRef());
  if (options.extra_files)
    for (auto& kv : *options.extra_files)
      if (impl->archive.zip->has("extra/" + kv.first))
        kv.second = impl->archive.zip->read_text("extra/" + kv.first);
  Module m(std::move(impl));
  if (options.device) {
    m.to(*options.device);
  } else if (auto saved_on = m.impl()->archive.saved_on) {
    // There again, or on the CPU with the devices that the code names.
    Device there;
    try {
      find_device(*saved_on);
      there = *saved_on;
    } catch (const OpError&) {
    }
    m.to(there);
    m.impl()->stands_in = there != *saved_on;
  }
  return m;
}

Module load_bytes(std::shared_ptr<ModuleImpl> impl, Bytes bytes) {
  const std::string name = impl->name;
  return load_with(std::move(impl), [&](const RunFunction& run, auto policy) {
    return load_archive(std::move(bytes), name, op_table(), run, std::move(policy));
  });
}

// The file, when it is a zip file that is worth being read piece by piece; else null.
std::shared_ptr<const RandomAccessFile> open_large(const std::string& path) {
  constexpr uint64_t kLarge = uint64_t{32} << 20;
  if (regular_file_size(path) < kLarge) return nullptr;
  auto file = std::make_shared<const RandomAccessFile>(path);
  char magic[4];
  if (file->size() < sizeof magic) return nullptr;
  file->read(0, sizeof magic, magic);
  return std::memcmp(magic, "PK\3\4", sizeof magic) == 0 ? file : nullptr;
}

Module load_file(const std::string& path, const LoadOptions& options) {
  auto impl = new_impl(path, options);
  if (options.map_file) return load_bytes(std::move(impl), map_file(path));
  CallScope scope(*impl);
  // The scope needs impl until it ends, also when loading fails.
  if (!options.read_all)
    if (auto file = open_large(path))
      return load_with(impl, [&](const RunFunction& run, auto policy) {
        return load_archive(std::make_shared<zip::Archive>(file), op_table(), run,
                            std::move(policy));
      });
  // Counted as long as a tensor lies in it.
  Bytes bytes = read_file(path, [](size_t n) { expect_memory(static_cast<double>(n)); });
  if (MemoryAccount* m = memory_account()) {
    struct Counted {
      std::shared_ptr<const void> pages;
      Charge charge;
    };
    auto counted = std::make_shared<Counted>();
    counted->charge.set(*m, bytes.size);
    counted->pages = std::move(bytes.owner);
    bytes.owner = std::move(counted);
  }
  return load_bytes(impl, std::move(bytes));
}

Module compile_text(const std::string& source_text, const LoadOptions& options) {
  auto impl = new_impl("<source>", options);
  CallScope scope(*impl);
  impl->archive.compiled = true;
  // Operators mean what they mean today: no upgraders.
  impl->archive.cu = std::make_shared<script::CompilationUnit>(op_table(), nullptr, ~uint64_t{0});
  auto& cu = *impl->archive.cu;
  cu.policy = policy_of(options);
  impl->object = make_ref<Object>(cu.create_class("__torch__.Source", true), impl->archive.cu);
  impl->archive.root = IValue(impl->object);
  cu.define_text(source_text, impl->name);
  // By index: compiling a function may define others.
  for (size_t i = 0; i < cu.functions().size(); ++i) cu.functions()[i]->ensure_graph();
  return Module(std::move(impl));
}

Module load_text(std::shared_ptr<std::string> text, const char* name, const LoadOptions& options) {
  Bytes b;
  b.data = reinterpret_cast<const unsigned char*>(text->data());
  b.size = text->size();
  b.owner = std::move(text);
  return load_bytes(new_impl(name, options), std::move(b));
}

}  // namespace

Module load(const std::string& path, const LoadOptions& options) {
  return out_of_memory_told([&] { return load_file(path, options); });
}
Module compile(const std::string& source_text, const LoadOptions& options) {
  return out_of_memory_told([&] { return compile_text(source_text, options); });
}
Module load(std::istream& in, const LoadOptions& options) {
  return out_of_memory_told([&] {
    return load_text(std::make_shared<std::string>(std::istreambuf_iterator<char>(in),
                                                   std::istreambuf_iterator<char>()),
                     "<stream>", options);
  });
}
Module load(const void* data, size_t size, const LoadOptions& options) {
  // A copy: the caller's memory may go away, tensors may be written.
  return out_of_memory_told([&] {
    return load_text(std::make_shared<std::string>(static_cast<const char*>(data), size),
                     "<memory>", options);
  });
}
IValue load_pickle(const std::string& path) {
  return out_of_memory_told([&] { return load_torch_save(read_file(path), path); });
}

IValue Method::operator()(std::vector<IValue> inputs) const {
  return impl_->run(name_, std::move(inputs));
}

IValue Method::operator()(std::vector<IValue> inputs, const Kwargs& kwargs) const {
  return impl_->run(name_, std::move(inputs), &kwargs);
}
IValue Method::operator()(std::vector<IValue> inputs, const Kwargs& kwargs,
                          const Limits& limits) const {
  return impl_->run(name_, std::move(inputs), &kwargs, &limits);
}

IValue Module::run_method(const std::string& name, std::vector<IValue> inputs) const {
  return impl_->run(name, std::move(inputs));
}
IValue Module::run_method(const std::string& name, std::vector<IValue> inputs,
                          const Kwargs& kwargs) const {
  return impl_->run(name, std::move(inputs), &kwargs);
}
IValue Module::run_method(const std::string& name, std::vector<IValue> inputs, const Kwargs& kwargs,
                          const Limits& limits) const {
  return impl_->run(name, std::move(inputs), &kwargs, &limits);
}

namespace {
IValue call_with_hooks(ModuleImpl* impl, std::vector<IValue> inputs) {
  const ClassType* t = impl->object->type;
  CallScope scope(*impl);
  auto call = [&](Function& f, std::vector<IValue> in) {
    auto plan = impl->plan_of(f);
    admit_arguments(f, in, nullptr);
    in.insert(in.begin(), IValue(impl->object));
    return run_plan(*plan, std::move(in), impl->engine).at(0);
  };
  for (Function* h : t->forward_pre_hooks) {
    IValue r = call(*h, {IValue(make_ref<TupleBox>(inputs))});
    if (r.isNone()) continue;
    if (r.isTuple())
      inputs = r.toTupleRef().items;
    else
      inputs = {r};
  }
  IValue out = impl->run("forward", inputs);
  for (Function* h : t->forward_hooks) {
    IValue r = call(*h, {IValue(make_ref<TupleBox>(inputs)), out});
    if (!r.isNone()) out = r;
  }
  return out;
}
}  // namespace

IValue Module::operator()(std::vector<IValue> inputs) const {
  return out_of_memory_told([&] { return call_with_hooks(impl_.operator->(), std::move(inputs)); });
}

Method Module::get_method(const std::string& name) const {
  impl_->method(name);
  return Method(impl_, name);
}
bool Module::has_method(const std::string& name) const {
  return impl_->object->type->find_method(name) != nullptr;
}
std::vector<std::string> Module::method_names() const {
  std::vector<std::string> r;
  for (auto& m : impl_->object->type->methods) r.push_back(m.first);
  return r;
}
std::vector<std::string> Module::function_names() const {
  std::vector<std::string> r;
  if (impl_->archive.compiled)
    for (auto& f : impl_->archive.cu->functions())
      if (!f->self) r.push_back(f->name);
  return r;
}
void Module::define(const std::string& source_text) {
  CallScope scope(*impl_.operator->());
  scope.alone();
  auto& cu = *impl_->archive.cu;
  std::lock_guard<std::recursive_mutex> lock(cu.mutex());
  auto source = std::make_shared<Source>();
  source->text = source_text;
  source->name = "<source>";
  auto* cls = const_cast<ClassType*>(impl_->object->type);
  auto defs = script::Parser(source).parse_defs();
  for (auto& d : defs)
    if (cls->find_method(d->text))
      raise<ScriptError>("method '", d->text, "' is already defined in ", cls->name);
  cu.define(defs, cls->name, cls);
}
std::vector<std::string> Module::argument_names(const std::string& name) const {
  Function& f = impl_->method(name);
  CallScope scope(*impl_.operator->());
  impl_->archive.cu->ensure_schema(f);
  std::vector<std::string> r;
  for (size_t i = f.self ? 1 : 0; i < f.schema.arguments.size(); ++i)
    r.push_back(f.schema.arguments[i].name);
  return r;
}

namespace {
// f(name, attribute, object, slot, value) for the slots of o and of the modules below it.
template <class F>
void walk(Object& o, const std::string& prefix, bool recurse, std::set<const void*>& seen, F f) {
  check_stack();
  if (!seen.insert(&o).second) return;
  const std::vector<IValue> slots = o.slots();
  for (size_t i = 0; i < o.type->attributes.size() && i < slots.size(); ++i) {
    auto& a = o.type->attributes[i];
    f(prefix + a.name, a, o, i, slots[i]);
    if (recurse && slots[i].isObject() && slots[i].toObjectRef().type->is_module)
      walk(slots[i].toObjectRef(), prefix + a.name + ".", true, seen, f);
  }
}
}  // namespace

std::vector<Named<Tensor>> Module::named_parameters(bool recurse) const {
  std::vector<Named<Tensor>> r;
  std::set<const void*> seen;
  walk(*impl_->object, "", recurse, seen,
       [&](const std::string& n, const ClassType::Attribute& a, Object&, size_t, const IValue& v) {
         if (a.is_parameter && v.isTensor()) r.push_back({n, v.toTensor()});
       });
  return r;
}
std::vector<Named<Tensor>> Module::named_buffers(bool recurse) const {
  std::vector<Named<Tensor>> r;
  std::set<const void*> seen;
  walk(*impl_->object, "", recurse, seen,
       [&](const std::string& n, const ClassType::Attribute& a, Object&, size_t, const IValue& v) {
         if (a.is_buffer && v.isTensor()) r.push_back({n, v.toTensor()});
       });
  return r;
}
std::vector<Named<IValue>> Module::named_attributes(bool recurse) const {
  std::vector<Named<IValue>> r;
  std::set<const void*> seen;
  walk(*impl_->object, "", recurse, seen,
       [&](const std::string& n, const ClassType::Attribute&, Object&, size_t, const IValue& v) {
         r.push_back({n, v});
       });
  return r;
}
std::vector<Tensor> Module::parameters() const {
  std::vector<Tensor> r;
  for (auto& p : named_parameters()) r.push_back(p.value);
  return r;
}
std::string Module::class_name() const { return impl_->object->type->name; }

void Module::train(bool on) {
  CallScope scope(*impl_.operator->());
  scope.alone();
  std::set<const void*> seen;
  walk(
      *impl_->object, "", true, seen,
      [&](const std::string&, const ClassType::Attribute& a, Object& o, size_t i, const IValue& v) {
        if (a.name == "training" && v.isBool() && v.toBool() != on) o.set_slot(i, on);
      });
}
bool Module::is_training() const { return attr("training", true).toBool(); }
void Module::to(Device device) {
  op_table();
  CallScope scope(*impl_.operator->());
  scope.alone();
  DeviceCopy copy(find_device(device));
  IValue root(impl_->object);
  copy.move(root);
  impl_->device = device;
  impl_->stands_in = false;
  impl_->invalidate();
}
void Module::to(ScalarType dtype) {
  if (!is_floating(dtype) && !is_complex(dtype))
    raise<OpError>("a module can be converted to a floating point or complex dtype, but not to ",
                   scalar_type_name(dtype));
  std::set<const void*> seen, converted;
  CallScope scope(*impl_.operator->());
  scope.alone();
  walk(*impl_->object, "", true, seen,
       [&](const std::string&, const ClassType::Attribute& a, Object&, size_t, const IValue& v) {
         if (!(a.is_parameter || a.is_buffer) || !v.isTensor() || !v.toTensorRef().defined())
           return;
         const Tensor& t = v.toTensorRef();
         if (!(is_floating(t.dtype()) || is_complex(t.dtype())) || t.dtype() == dtype ||
             !converted.insert(t.impl()).second)
           return;
         const Tensor fresh = t.to(dtype);
         TensorImpl& form = *t.mutable_impl();
         form.storage = fresh.impl()->storage;
         form.sizes = fresh.impl()->sizes;
         form.strides = fresh.impl()->strides;
         form.offset = fresh.impl()->offset;
         form.dtype = fresh.impl()->dtype;
         form.form_changed();
       });
}

Module with_object(const ModuleImpl& from, Ref<Object> root, std::shared_ptr<OwnCode> code) {
  auto impl = new_impl(from.name, from.options);
  if (from.engine.pool) impl->engine.pool = from.engine.pool;
  impl->archive = from.archive;
  impl->archive.root = IValue(root);
  impl->object = std::move(root);
  impl->code = std::move(code);
  impl->device = from.device;
  impl->stands_in = from.stands_in;
  impl->trusted = from.trusted;
  return Module(std::move(impl));
}
Module Module::clone() const {
  CallScope scope(*impl_.operator->());
  const IValue root = CloneCopy().copy(impl_->archive.root);
  return with_object(*impl_.operator->(), Ref<Object>(&root.toObjectRef()), impl_->code);
}

std::vector<Named<Tensor>> Module::state_dict() const {
  std::vector<Named<Tensor>> r;
  std::set<const void*> seen;
  walk(*impl_->object, "", true, seen,
       [&](const std::string& n, const ClassType::Attribute& a, Object&, size_t, const IValue& v) {
         if ((a.is_parameter || a.is_buffer) && v.isTensor() && v.toTensorRef().defined())
           r.push_back({n, v.toTensor()});
       });
  return r;
}

void Module::load_state_dict(const std::vector<Named<Tensor>>& state, bool strict) {
  std::map<std::string, Tensor> own;
  for (auto& p : state_dict()) own.emplace(p.name, p.value);
  std::vector<std::pair<Tensor, Tensor>> copies;
  std::string unknown, wrong;
  std::set<std::string> given;
  for (auto& s : state) {
    auto it = own.find(s.name);
    if (it == own.end()) {
      unknown += (unknown.empty() ? "" : ", ") + s.name;
      continue;
    }
    given.insert(s.name);
    if (!s.value.defined() || s.value.sizes() != it->second.sizes()) {
      std::ostringstream text;
      text << (wrong.empty() ? "" : ", ") << s.name << " (is " << it->second.sizes() << ", given ";
      if (s.value.defined())
        text << s.value.sizes() << ")";
      else
        text << "no tensor)";
      wrong += text.str();
      continue;
    }
    copies.emplace_back(it->second, s.value);
  }
  std::string missing;
  for (auto& o : own)
    if (!given.count(o.first)) missing += (missing.empty() ? "" : ", ") + o.first;
  if (!wrong.empty()) raise<Error>("load_state_dict: sizes differ: ", wrong);
  if (strict && !unknown.empty()) raise<Error>("load_state_dict: not in the module: ", unknown);
  if (strict && !missing.empty()) raise<Error>("load_state_dict: not given: ", missing);
  const Operator& copy = op_table().require("aten::copy_");
  CallScope scope(*impl_.operator->());
  scope.alone();
  for (auto& [to, from] : copies) run_operator(copy, {to, from, false});
}

void Module::prepare(const std::string& method) {
  impl_->trusted = true;
  impl_->invalidate();
  CallScope scope(*impl_.operator->());
  impl_->prepared(method);
}
void Module::prepare(const std::string& method, std::vector<IValue> example) {
  prepare(method);
  out_of_memory_told([&] { impl_->prepare_for(method, std::move(example)); });
}

IValue Module::attr(const std::string& name) const { return impl_->object->getattr(name); }
IValue Module::attr(const std::string& name, IValue fallback) const {
  return hasattr(name) ? attr(name) : fallback;
}
bool Module::hasattr(const std::string& name) const {
  return impl_->object->type->find_attribute(name) >= 0;
}
void Module::setattr(const std::string& name, IValue value) {
  impl_->object->setattr(name, std::move(value));
}

std::string Module::graph_text(const std::string& method, const std::string& passes) const {
  CallScope scope(*impl_.operator->());
  std::lock_guard<std::recursive_mutex> lock(impl_->archive.cu->mutex());
  Graph& g = impl_->method(method).ensure_graph();
  if (passes.empty()) return print_graph(g);
  auto copy = g.copy();
  PassContext c{&op_table(), impl_->object.get()};
  offer_own_module(c, *impl_.operator->(), method);
  run_pipeline(*copy, c, passes);
  return print_graph(*copy);
}
std::string Module::inlined_graph_text(const std::string& method) const {
  CallScope scope(*impl_.operator->());
  std::lock_guard<std::recursive_mutex> lock(impl_->archive.cu->mutex());
  auto g = impl_->method(method).ensure_graph().copy();
  PassContext c{&op_table(), nullptr};
  inline_as_pytorch(*g, c);
  return print_graph(*g);
}
std::string Module::plan_text(const std::string& method) const {
  CallScope scope(*impl_.operator->());
  return print_plan(*impl_->prepared(method)->plan);
}

void Module::compile_all() const {
  CallScope scope(*impl_.operator->());
  std::lock_guard<std::recursive_mutex> lock(impl_->archive.cu->mutex());
  auto& list = impl_->functions();
  for (size_t i = 0; i < list.size(); ++i) list[i]->ensure_graph();  // the list may grow meanwhile
}

namespace {
void find_missing(Block* b, std::vector<std::pair<std::string, std::string>>& out,
                  std::set<std::string>& seen) {
  check_stack();
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) find_missing(inner, out, seen);
    if (Graph* sub = subgraph(n)) find_missing(sub->block(), out, seen);
    bool own = !n->op && !n->kind.is_prim() &&
               !n->kind.is_aten();  // of a namespace that nobody registered
    bool handled = n->kind.is_prim() && (!n->op || n->op->kernel);
    if (!own && (handled || !n->op || n->op->kernel || n->kind == prim::RaiseException ||
                 n->kind == Symbol("aten::warn") || n->kind == Symbol("aten::wait")))
      continue;
    std::string name(own ? n->kind.view() : n->op->full_name());
    if (name.substr(0, 6) == "prim::") continue;
    if (seen.insert(name).second)
      out.emplace_back(name, n->range.source ? n->range.source->position(n->range.start) : "");
  }
}
}  // namespace

std::vector<std::pair<std::string, std::string>> Module::missing_operators() const {
  std::vector<std::pair<std::string, std::string>> out;
  std::set<std::string> seen;
  CallScope scope(*impl_.operator->());
  std::lock_guard<std::recursive_mutex> lock(impl_->archive.cu->mutex());
  auto& list = impl_->functions();
  for (size_t i = 0; i < list.size(); ++i) {
    try {
      find_missing(list[i]->ensure_graph().block(), out, seen);
    } catch (const Error&) {
      // An unknown operator whose result doesn't fit is listed below; other errors are the call's.
    }
  }
  for (auto& [name, range] : impl_->archive.cu->unknown_operators)
    if (seen.insert(name).second)
      out.emplace_back(name, range.source ? range.source->position(range.start) : "");
  return out;
}

}  // namespace sconce
