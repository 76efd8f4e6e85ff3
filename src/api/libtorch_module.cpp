// SPDX-License-Identifier: Apache-2.0
// The library's side of sconce/torch.h: modules within modules, attributes that the host adds,
// signatures and graphs, values.
#include <algorithm>
#include <sstream>

#include "api/clone_copy.h"
#include "api/libtorch_threads.h"
#include "api/module_passes.h"
#include "api/runtime.h"
#include "core/value_check.h"
#include "ir/graph.h"
#include "ir/source.h"
#include "passes/passes.h"
#include "sconce/libtorch.h"
#include "writer/pickler.h"
#include "writer/zip_writer.h"

namespace sconce::libtorch {

struct Records {
  zip::Archive zip;
};

namespace {

// Which module an object was reached from, so that the object alone leads to its code.
struct Origins {
  std::mutex mutex;
  std::unordered_map<const Object*, std::weak_ptr<ModuleImpl>> of;
  size_t purge_at = 64;

  void remember(const Object* o, const std::shared_ptr<ModuleImpl>& m) {
    std::lock_guard<std::mutex> lock(mutex);
    of[o] = m;
    if (of.size() < purge_at) return;
    for (auto it = of.begin(); it != of.end();)
      it = it->second.expired() ? of.erase(it) : std::next(it);
    purge_at = 2 * of.size() + 64;
  }
  std::shared_ptr<ModuleImpl> find(const Object* o) {
    std::lock_guard<std::mutex> lock(mutex);
    auto it = of.find(o);
    return it == of.end() ? nullptr : it->second.lock();
  }
};
Origins& origins() {
  static const Lasting made(new Origins);
  return *made;
}
bool is_module_object(const IValue& v) { return v.isObject() && v.toObjectRef().type->is_module; }

Module with_shared_threads(Module m) {
  m.impl()->engine.pool = shared_pool();
  return m;
}

}  // namespace

Module load(const std::string& path, const LoadOptions& options) {
  return with_shared_threads(sconce::load(path, options));
}
Module load(std::istream& in, const LoadOptions& options) {
  return with_shared_threads(sconce::load(in, options));
}
Module new_module(const std::string& class_name) {
  LoadOptions options;
  Module m = with_shared_threads(sconce::compile("", options));
  ModuleImpl& impl = *m.impl();
  impl.archive.compiled = false;
  auto& cu = *impl.archive.cu;
  const bool qualified = class_name.find('.') != std::string::npos;
  ClassType* cls = cu.create_class(qualified ? class_name : "__torch__." + class_name, true);
  impl.object = make_ref<Object>(cls, impl.archive.cu);
  impl.archive.root = IValue(impl.object);
  return m;
}

Module module_of(const Module& parent, const IValue& v) {
  if (!v.isObject()) raise<Error>("Expected an object but got ", v.tag_name());
  Ref<Object> o(&v.toObjectRef());
  std::shared_ptr<ModuleImpl> from = parent.impl();
  if (!from) from = origins().find(o.get());
  if (!from)
    raise<Error>("The module ", o->type->name, " was not reached from a module that still exists");
  if (from->object == o) return Module(from);
  std::lock_guard<std::mutex> lock(from->below_mutex);
  std::shared_ptr<ModuleImpl>& m = from->below[o.get()];
  if (!m) m = with_object(*from, o, from->code).impl();
  return Module(m);
}
IValue object_of(const Module& m) {
  if (!m.defined()) raise<Error>("the module is empty");
  origins().remember(m.impl()->object.get(), m.impl());
  return IValue(m.impl()->object);
}
IValue attribute(const Module& m, const std::string& name) {
  IValue v = m.attr(name);
  if (is_module_object(v)) origins().remember(&v.toObjectRef(), m.impl());
  return v;
}

std::vector<Slot> slots(const Module& m) {
  if (!m.defined()) raise<Error>("the module is empty");
  const ModuleImpl& impl = *m.impl();
  const std::vector<IValue> values = impl.object->slots();
  std::vector<Slot> r;
  const auto& attributes = impl.object->type->attributes;
  for (size_t i = 0; i < attributes.size() && i < values.size(); ++i) {
    const bool module = is_module_object(values[i]);
    if (module) origins().remember(&values[i].toObjectRef(), m.impl());
    r.push_back({attributes[i].name, values[i], attributes[i].is_parameter, attributes[i].is_buffer,
                 module});
  }
  return r;
}

Module shallow_copy(const Module& m) {
  if (!m.defined()) raise<Error>("the module is empty");
  const ModuleImpl& impl = *m.impl();
  auto copy = make_ref<Object>(impl.object->type, impl.object->owner);
  copy->set_slots(impl.object->slots());
  return with_object(impl, std::move(copy), impl.code);
}

void* attached(const Module& m, const std::string& key,
               const std::function<std::shared_ptr<void>()>& make) {
  if (!m.defined()) raise<Error>("the module is empty");
  std::lock_guard<std::mutex> lock(m.impl()->below_mutex);
  std::shared_ptr<void>& kept = m.impl()->attached[key];
  if (!kept) kept = make();
  return kept.get();
}

namespace {
std::string indented(const std::string& prefix, const std::string& text) {
  std::string r;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    r += prefix + text.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return r;
}
}  // namespace

std::string dump(const Module& m, bool bodies, bool attributes, bool parameters) {
  std::ostringstream parameter_text, attribute_text, method_text, r;
  std::string below;
  for (const Slot& s : slots(m)) {
    if (s.is_parameter && s.value.isTensor()) {
      parameter_text << s.name << " = ";
      if (parameters)
        parameter_text << s.value.toTensorRef() << "\n";
      else
        parameter_text << "...\n";
    }
    attribute_text << s.name << " = ";
    if (!s.value.isTensor() || attributes)
      attribute_text << ivalue_str(s.value) << "\n";
    else
      attribute_text << "...\n";
    if (s.is_module)
      below += indented("    ", dump(module_of(m, s.value), bodies, attributes, parameters));
  }
  for (const std::string& name : m.method_names()) {
    method_text << "  method " << name << " {\n";
    if (bodies) method_text << indented("    ", m.graph_text(name)) << "\n";
    method_text << "  }\n";
  }
  r << "module " << m.class_name() << " {\n  parameters {\n"
    << indented("    ", parameter_text.str()) << "  }\n  attributes {\n"
    << indented("    ", attribute_text.str()) << "  }\n  methods {\n"
    << indented("  ", method_text.str()) << "  }\n  submodules {\n"
    << below << "  }\n}\n";
  return r.str();
}

void add_slot(const Module& m, const std::string& name, TypePtr type, IValue value, SlotKind kind) {
  if (!m.defined()) raise<Error>("the module is empty");
  Object& o = *m.impl()->object;
  if (o.type->find_attribute(name) >= 0) {
    m.impl()->object->setattr(name, std::move(value));
    return;
  }
  ClassType::Attribute a;
  a.name = name;
  a.type = type;
  a.is_parameter = kind == SlotKind::Parameter;
  a.is_buffer = kind == SlotKind::Buffer;
  check_attribute(value, a);
  CallScope scope(*m.impl());
  scope.alone();
  std::lock_guard<std::recursive_mutex> lock(m.impl()->archive.cu->mutex());
  const_cast<ClassType*>(o.type)->add_attribute(std::move(a));
  std::vector<IValue> values = o.slots();
  values.push_back(std::move(value));
  o.set_slots(std::move(values));
  m.impl()->invalidate();
}

namespace {
Parameter parameter_of(const Argument& a) {
  return {a.name,       a.type,
          a.n,          a.default_value.has_value(),
          a.kwarg_only, a.default_value ? *a.default_value : IValue()};
}
}  // namespace

std::vector<std::string> unregistered_operators(const Module& m) {
  std::lock_guard<std::recursive_mutex> lock(m.impl()->archive.cu->mutex());
  std::vector<std::string> names;
  for (const auto& unknown : m.impl()->archive.cu->unknown_operators)
    names.push_back(unknown.first);
  return names;
}

Signature signature(const Module& m, const std::string& method) {
  if (!m.defined()) raise<Error>("the module is empty");
  ModuleImpl& impl = *m.impl();
  Function& f = impl.method(method);
  CallScope scope(impl);
  std::lock_guard<std::recursive_mutex> lock(impl.archive.cu->mutex());
  f.ensure_graph();
  impl.archive.cu->ensure_schema(f);
  Signature s;
  s.name = f.name;
  s.text = f.schema.str();
  for (const Argument& a : f.schema.arguments) s.arguments.push_back(parameter_of(a));
  for (const Argument& a : f.schema.returns) s.returns.push_back(parameter_of(a));
  return s;
}

std::shared_ptr<Graph> graph(const Module& m, const std::string& method, bool inlined) {
  if (!m.defined()) raise<Error>("the module is empty");
  ModuleImpl& impl = *m.impl();
  CallScope scope(impl);
  std::lock_guard<std::recursive_mutex> lock(impl.archive.cu->mutex());
  std::shared_ptr<Graph> g = impl.method(method).ensure_graph().copy();
  if (inlined) {
    PassContext c{&op_table(), nullptr};
    inline_as_pytorch(*g, c);
  }
  g->owner = impl.archive.cu;
  return g;
}
std::string graph_text(const Graph& g) { return print_graph(const_cast<Graph&>(g)); }

// ---- values ----
IValue deep_copy(const IValue& v) { return CloneCopy().copy(v); }
IValue wait(FutureBox& f) { return wait_future(f); }
void check_elements(const ListBox& list, TypePtr wanted) {
  for (const IValue& e : list.items)
    if (!ivalue_matches(e, wanted))
      raise<Error>("Expected a list of ", wanted->str(), " but one element is ", value_type_str(e));
}

namespace {
Bytes copy_of(std::string text) {
  auto copy = std::make_shared<std::string>(std::move(text));
  Bytes b;
  b.data = reinterpret_cast<const unsigned char*>(copy->data());
  b.size = copy->size();
  b.owner = std::move(copy);
  return b;
}
}  // namespace

IValue unpickle(const char* data, size_t size) {
  return out_of_memory_told([&] {
    zip::Archive z(copy_of(std::string(data, size)), "<memory>");
    // Of types without classes, which live as long as the library.
    auto cu = std::make_shared<script::CompilationUnit>(op_table(), nullptr, ~uint64_t{0});
    PickleOptions o;
    o.what = "<memory>:data.pkl";
    o.read_storage = [&z](const std::string& key, uint64_t) { return z.read("data/" + key); };
    o.parse_type = [&](const std::string& text) { return cu->parse_type_text(text); };
    o.file_size = z.size();
    return unpickle(z.read("data.pkl"), o);
  });
}

std::shared_ptr<const Records> open_records(const std::string& path) {
  return out_of_memory_told([&] {
    return std::shared_ptr<const Records>(new Records{zip::Archive(read_file(path), path)});
  });
}
std::shared_ptr<const Records> records_of(std::string bytes) {
  return out_of_memory_told([&] {
    return std::shared_ptr<const Records>(
        new Records{zip::Archive(copy_of(std::move(bytes)), "<stream>")});
  });
}
bool has_record(const Records& r, const std::string& name) { return r.zip.has(name); }
std::vector<std::string> record_names(const Records& r) { return r.zip.records(); }
std::pair<std::shared_ptr<const void>, size_t> read_record(const Records& r,
                                                           const std::string& name) {
  return out_of_memory_told([&] {
    const Bytes b = r.zip.read(name);
    auto copy = std::make_shared<std::string>(reinterpret_cast<const char*>(b.data), b.size);
    return std::make_pair(std::shared_ptr<const void>(copy, copy->data()), b.size);
  });
}

namespace {
class VectorSink final : public ByteSink {
 public:
  void write(const void* data, size_t size) override {
    const char* p = static_cast<const char*>(data);
    bytes.insert(bytes.end(), p, p + size);
  }
  std::vector<char> bytes;
};
}  // namespace

std::vector<char> pickle(const IValue& v) {
  return out_of_memory_told([&] {
    writer::Names names;
    writer::Pickler::Options options;
    writer::Pickler pickler(names, options);
    const std::string text = pickler.pickle(v);
    VectorSink sink;
    writer::ZipWriter zip(sink, "archive");
    zip.add("data.pkl", text);
    zip.add(".format_version", "1");
    zip.add("byteorder", "little");
    for (const auto& r : pickler.records()) zip.add("data/" + r.key, r.storage->data(), r.size);
    zip.add("version", "3\n");
    zip.finish();
    return std::move(sink.bytes);
  });
}

}  // namespace sconce::libtorch
