// SPDX-License-Identifier: Apache-2.0
#include "targets.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <set>

#include "api/runtime.h"
#include "core/budget.h"
#include "backends/kernels.h"
#include "hostile_values.h"
#include "ir/cleanup.h"
#include "ir/verify.h"
#include "loader/archive.h"
#include "numpy.h"
#include "passes/passes.h"
#include "scan.h"
#include "sconce/sconce.h"
#include "zip_file.h"

namespace sconce::fuzz {

namespace {

constexpr uint64_t kSteps = 500;
constexpr size_t kMemory = size_t{256} << 20;

// ---- memory of tensors ----

std::atomic<size_t> in_use{0};

void* allocate(void*, size_t n) {
  if (n > kMemory || in_use.fetch_add(n) > kMemory) {
    if (n <= kMemory) in_use -= n;
    raise<OutOfMemory>("a fuzzed input takes more than ", kMemory, " bytes");
  }
  void* p = nullptr;
  if (posix_memalign(&p, 64, n ? n : 1)) {
    in_use -= n;
    raise<OutOfMemory>("no memory");
  }
  return p;
}
void deallocate(void*, void* p, size_t n) {
  in_use -= n;
  std::free(p);
}

// ---- helpers ----

Bytes bytes_of(const uint8_t* data, size_t size) {
  auto copy = std::make_shared<std::string>(reinterpret_cast<const char*>(data), size);
  Bytes b;
  b.data = reinterpret_cast<const unsigned char*>(copy->data());
  b.size = size;
  b.owner = copy;
  b.writable = true;
  return b;
}
std::string text_of(const uint8_t* data, size_t size) {
  return std::string(reinterpret_cast<const char*>(data), size);
}

// The message of what is an answer.
template <class F>
std::string attempt(const F& f) {
  try {
    f();
    return "";
  } catch (const Error& e) {
    return e.what();
  } catch (const std::bad_alloc&) {
    return "out of memory";
  }
}

Limits limits() {
  Limits l = Limits::untrusted();
  l.steps = kSteps;
  return l;
}
LoadOptions limited(Mode mode) {
  LoadOptions o;
  o.limits = limits();
  o.mode = mode;
  return o;
}

struct Scope {
  Context c = default_context();
  Budget budget{limits(), make_ref<MemoryAccount>(kMemory)};
  ContextScope scope{&c};
  Scope() {
    (void)op_table();
    c.kernels = &cpu_kernels();
    c.budget = &budget;
  }
};

// Calls every method or function with values of the declared types; plans are recorded and
// replayed. The first message.
std::string call_all(const Module& m, const std::vector<std::string>& names, uint64_t seed) {
  std::string first;
  for (auto& name : names) {
    for (int again = 0; again < 3; ++again) {
      std::string why = attempt([&] {
        Function& f = m.impl()->method(name);
        m.impl()->archive.cu->ensure_schema(f);
        std::vector<IValue> in;
        Draw draw(seed);
        for (size_t i = f.self ? 1 : 0; i < f.schema.arguments.size(); ++i)
          in.push_back(plausible_value(f.schema.arguments[i].type, draw));
        m.run_method(name, std::move(in));
      });
      if (first.empty()) first = why;
      if (!why.empty()) break;
    }
  }
  return first;
}

// ---- targets ----

std::string archive(const uint8_t* data, size_t size) {
  return attempt([&] {
    Module m = load(data, size, limited(Mode::Interpret));
    (void)m.state_dict();
    (void)m.named_attributes();
    (void)m.missing_operators();
    for (auto& name : m.method_names()) (void)attempt([&] { (void)m.inlined_graph_text(name); });
    (void)m.clone();
  });
}

std::string run(const uint8_t* data, size_t size) {
  std::string first;
  for (Mode mode : {Mode::Optimized, Mode::Interpret}) {
    std::string why = attempt([&] {
      Module m = load(data, size, limited(mode));
      std::string call = call_all(m, m.method_names(), size);
      if (!call.empty()) throw Error(call);
    });
    if (first.empty()) first = why;
  }
  return first;
}

std::string script(const uint8_t* data, size_t size) {
  return attempt([&] {
    Module m = compile(text_of(data, size), limited(Mode::Optimized));
    std::string call = call_all(m, m.function_names(), size);
    if (!call.empty()) throw Error(call);
  });
}

std::string graph(const uint8_t* data, size_t size) {
  Scope scope;
  return attempt([&] {
    auto g = parse_graph(text_of(data, size), &op_table(), "graph");
    (void)print_graph(*g);
    verify_graph(*g);
    verify_types(*g);
    PassContext c{&op_table(), nullptr};
    run_pipeline(*g, c, "inline,peephole,constant_propagation,constant_pooling,dce");
    (void)print_graph(*g);
  });
}

std::string torch_save(const uint8_t* data, size_t size) {
  return attempt([&] { (void)ivalue_str(load_torch_save(bytes_of(data, size), "file")); });
}

// Two tensors and one class, whatever the pickle says.
std::string pickle(const uint8_t* data, size_t size) {
  Scope scope;
  return attempt([&] {
    auto cu = std::make_shared<script::CompilationUnit>(
        op_table(),
        [](const std::string& qualifier) -> std::shared_ptr<const Source> {
          if (qualifier != "__torch__") return nullptr;
          auto s = std::make_shared<Source>();
          s->name = "code/__torch__.py";
          s->text =
              "class M(Module):\n  __parameters__ = [\"w\"]\n  w : Tensor\n  n : int\n"
              "  l : List[Dict[str, int]]\n  t : Tuple[int, Optional[Tensor]]\n"
              "class E(Enum):\n  a = 1\n  b = 2\n"
              "class P(NamedTuple):\n  x : int\n  y : List[float]\n";
          return s;
        },
        3);
    PickleOptions o;
    o.what = "data.pkl";
    o.read_storage = [](const std::string& key, uint64_t) {
      static const std::string zeros(1024, '\0');
      if (key.size() > 2) raise<FormatError>("no storage ", key);
      return bytes_of(reinterpret_cast<const uint8_t*>(zeros.data()), zeros.size());
    };
    o.resolve_type = [&](const std::string& name) { return cu->find_type(name); };
    o.parse_type = [&](const std::string& text) { return cu->parse_type_text(text); };
    o.build_object = [&](const ClassType* t, IValue state) -> IValue {
      auto object = make_ref<Object>(t, cu);
      if (!t->attributes.empty()) object->set_slot(0, std::move(state));
      return object;
    };
    o.types = &cu->types();
    IValue v = unpickle(bytes_of(data, size), o);
    (void)ivalue_str(v);
    (void)ivalue_equal(v, v);
  });
}

// A model of torch 1.0: the text is its model.json; the records of tensors and sources that it
// names are there.
std::string model_json(const uint8_t* data, size_t size) {
  const std::string text = text_of(data, size);
  const std::string source =
      "op_version_set = 1\ndef forward(self, x: Tensor) -> Tensor:\n  return x\n"
      "def __setstate__(self, state: int) -> None:\n  pass\n";
  Records records{{"m/model.json", text}};
  std::set<std::string> named;
  for (const char* folder : {"\"code/", "\"tensors/"})
    for (size_t at = text.find(folder); at != std::string::npos; at = text.find(folder, at + 1)) {
      const std::string name = text.substr(at + 1, text.find('"', at + 1) - at - 1);
      if (name.size() > 40 || named.size() > 100 || !named.insert(name).second) continue;
      const std::string numbers((name.back() & 7) * 1024, '\1');
      records.emplace_back("m/" + name, folder[1] == 'c' ? source : numbers);
    }
  records.emplace_back("m/attributes.pkl", std::string("\x80\x02]q\0(K\1K\2X\1\0\0\0a]e.", 17));
  const std::string zip = write_zip(records);
  return run(reinterpret_cast<const uint8_t*>(zip.data()), zip.size());
}

std::string npy(const uint8_t* data, size_t size) {
  Scope scope;
  return attempt([&] { (void)tool::parse_npy(data, size, "file"); });
}

std::string scan(const uint8_t* data, size_t size) {
  tool::ScanReport r = tool::scan_bytes(bytes_of(data, size), "file");
  (void)tool::scan_text(r);
  (void)tool::scan_json({r});
  (void)tool::scan_sarif({r});
  std::string all = r.unreadable;
  r.findings.insert(r.findings.end(), r.notes.begin(), r.notes.end());
  for (auto& f : r.findings)
    all += (all.empty() ? "" : "\n") + f.rule + ": " + f.place + (f.place.empty() ? "" : ": ") +
           f.message;
  return all;
}

// The first two bytes name an operator; the others choose its arguments.
std::string operators(const uint8_t* data, size_t size) {
  Scope scope;
  if (size < 3) return "too short";
  const OpTable& table = op_table();
  uint16_t n;
  std::memcpy(&n, data, 2);
  const Operator& op = table.at(n % table.size());
  return attempt([&] {
    if (!op.kernel) raise<MissingOp>(op.full_name());
    Draw draw(data + 2, size - 2);
    std::vector<IValue> in;
    for (auto& a : op.schema().arguments) in.push_back(hostile_value(a.type, draw));
    try {
      (void)run_operator(op, std::move(in));
    } catch (const std::exception& e) {  // as the interpreter takes them
      raise<OpError>(op.full_name(), ": ", e.what());
    }
  });
}

}  // namespace

const std::vector<Target>& targets() {
  static const std::vector<Target> all{
      {"archive", "load, graphs of every method, clone", Shape::Zip, archive},
      {"run", "load and call every method in both modes", Shape::Zip, run},
      {"script", "compile a source and call its functions", Shape::Source, script},
      {"graph", "parse graph text, run passes, print", Shape::Graph, graph},
      {"torch_save", "load_pickle", Shape::Zip, torch_save},
      {"pickle", "data.pkl by itself", Shape::Pickle, pickle},
      {"model_json", "archives of torch 1.0 to 1.2", Shape::Json, model_json},
      {"npy", "numpy's files", Shape::Bytes, npy},
      {"scan", "sconce scan", Shape::Zip, scan},
      {"operators", "operators with hostile arguments", Shape::Bytes, operators},
  };
  return all;
}

const Target* find_target(const std::string& name) {
  for (auto& t : targets())
    if (t.name == name) return &t;
  return nullptr;
}

void prepare() {
  (void)op_table();
  default_context().allocator = {allocate, deallocate, nullptr};
}

}  // namespace sconce::fuzz
