// SPDX-License-Identifier: Apache-2.0
// sconce.Module and sconce.Method; load() and compile().
#include "module.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <sstream>
#include <thread>

#include "gil.h"

namespace sconce::python {

const std::shared_ptr<const MethodInfo>& PyModule::method(const std::string& name) {
  auto known = methods.find(name);
  if (known != methods.end()) return known->second;
  auto info = std::make_shared<MethodInfo>();
  info->name = name;
  {
    Released released;
    info->signature = libtorch::signature(module, name);
  }
  // Of a function there is no self; a method's may have any name.
  info->first = module.has_method(name) ? 1 : 0;
  return methods[name] = std::move(info);
}

namespace {

// ---- what load() is told ----

Returns returns_of(const std::string& s) {
  if (s == "auto") return Returns::Auto;
  if (s == "numpy") return Returns::Numpy;
  if (s == "torch") return Returns::Torch;
  if (s == "tensor") return Returns::Tensor;
  raise<ArgumentError>("returns must be 'auto', 'numpy', 'torch' or 'tensor', not '", s, "'");
}

struct Settings {
  std::optional<std::string> device;
  std::string mode, numerics;
  int num_threads;
  std::optional<Limits> limits;
  std::vector<std::string> allowed_ops, denied_ops;
  bool allow_setstate, map_file, read_all, strict_device;
  std::string returns;
};

std::shared_ptr<Loaded> new_loaded(const Settings& s, nb::object out) {
  auto l = std::make_shared<Loaded>(std::move(out));
  LoadOptions& o = l->options;
  if (s.device) o.device = Device::parse(*s.device);
  if (s.mode != "optimized" && s.mode != "interpret")
    raise<ArgumentError>("mode must be 'optimized' or 'interpret', not '", s.mode, "'");
  o.mode = s.mode == "interpret" ? Mode::Interpret : Mode::Optimized;
  if (s.numerics != "fast" && s.numerics != "strict")
    raise<ArgumentError>("numerics must be 'fast' or 'strict', not '", s.numerics, "'");
  o.numerics = s.numerics == "strict" ? Numerics::Strict : Numerics::Fast;
  if (s.num_threads < 1) raise<ArgumentError>("num_threads must be at least 1");
  o.num_threads = s.num_threads;
  if (s.limits) o.limits = *s.limits;
  o.allowed_ops = s.allowed_ops;
  o.denied_ops = s.denied_ops;
  o.allow_setstate = s.allow_setstate;
  o.map_file = s.map_file;
  o.read_all = s.read_all;
  o.strict_device = s.strict_device;
  o.out = &l->out;
  o.warnings = &l->warnings;
  l->returns = returns_of(s.returns);
  return l;
}

template <class F>
PyModule loaded_with(const std::shared_ptr<Loaded>& l, F load) {
  PyModule m;
  m.loaded = l;
  const Limits limits = l->options.limits;
  if (limits.any()) {
    InterruptScope interrupt(l->options.limits);
    try {
      Released released;
      m.module = load();
    } catch (const LimitError&) {
      if (interrupt.pressed()) interrupt.raise_python();
      throw;
    }
    l->options.limits = limits;
  } else {
    Released released;
    m.module = load();
  }
  return m;
}

PyModule derived(const PyModule& from, Module m) {
  PyModule r;
  r.module = std::move(m);
  r.loaded = from.loaded;
  r.changed = true;
  return r;
}

// ---- calls ----

nb::object call_forward(PyModule& self, nb::args args, nb::kwargs kwargs) {
  if (!self.call) {
    auto info = std::make_shared<MethodInfo>(*self.method("forward"));
    const ClassType* t = libtorch::object_of(self.module).toObjectRef().type;
    info->hooks = !t->forward_hooks.empty() || !t->forward_pre_hooks.empty();
    self.call = std::move(info);
  }
  const auto info = self.call;
  return call_method(self.module, self.loaded, *info, nullptr, args, kwargs);
}

bool is_callable(const Module& m, const std::string& name) {
  if (m.has_method(name)) return true;
  for (const std::string& f : m.function_names())
    if (f == name) return true;
  return false;
}

PyMethod method_of(PyModule& self, const std::string& name, const std::optional<Limits>& limits) {
  if (!is_callable(self.module, name))
    raise<Error>(self.module.class_name(), " has no method '", name, "'");
  std::shared_ptr<const Limits> own;
  if (limits) own = std::make_shared<Limits>(*limits);
  return {self.module, self.loaded, self.method(name), std::move(own)};
}

// ---- attributes ----

Outgoing read_only(const PyModule& self) {
  // Read-only, since memory that others may write costs the module its prepared weights.
  Outgoing out{self.loaded, &self.module, self.loaded->returns, false};
  if (out.returns == Returns::Auto) out.returns = Returns::Numpy;
  return out;
}

nb::object attribute(PyModule& self, const std::string& name) {
  IValue v;
  {
    Released released;
    v = self.module.attr(name);
  }
  return to_python(v, read_only(self));
}

nb::object get(PyModule& self, const std::string& name) {
  if (self.module.hasattr(name)) return attribute(self, name);
  if (is_callable(self.module, name)) return nb::cast(method_of(self, name, {}));
  throw nb::attribute_error(
      (self.module.class_name() + " has no attribute or method '" + name + "'").c_str());
}

void set_attribute(PyModule& self, const std::string& name, nb::handle value) {
  if (!self.module.hasattr(name))
    throw nb::attribute_error(
        (self.module.class_name() + " has no attribute '" + name + "': attributes can't be added")
            .c_str());
  TypePtr type = nullptr;
  const ClassType* t = libtorch::object_of(self.module).toObjectRef().type;
  if (const int i = t->find_attribute(name); i >= 0)
    type = t->attributes[static_cast<size_t>(i)].type;
  HoldsLock holds;
  Incoming in;
  in.lasting = true;
  IValue v;
  try {
    v = from_python(value, type, in);
  } catch (const ArgumentError& e) {
    raise<ArgumentError>("attribute '", name, "' ", e.what());
  }
  self.changed = true;
  Released released;
  self.module.setattr(name, std::move(v));
}

// m.name = value: properties of this class come first.
void set(nb::handle self, const std::string& name, nb::handle value) {
  if (!nb::hasattr(nb::type<PyModule>(), name.c_str()))
    set_attribute(nb::cast<PyModule&>(self), name, value);
  else if (PyObject_GenericSetAttr(self.ptr(), nb::str(name.c_str()).ptr(), value.ptr()) < 0)
    throw nb::python_error();
}

nb::dict named(const PyModule& self, const std::vector<Named<Tensor>>& tensors) {
  nb::dict d;
  for (const auto& t : tensors)
    d[nb::str(t.name.c_str())] = tensor_to_python(t.value, read_only(self));
  return d;
}

template <class F>
auto without_lock(F f) {
  Released released;
  return f();
}

SaveOptions save_options(const std::optional<std::map<std::string, nb::bytes>>& extra,
                         bool strip_debug, bool dedupe, const std::optional<std::string>& device) {
  SaveOptions o;
  o.strip_debug = strip_debug;
  o.dedupe = dedupe;
  if (device) o.device = Device::parse(*device);
  if (extra)
    for (auto& [name, bytes] : *extra)
      o.extra_files[name] = std::string(bytes.c_str(), bytes.size());
  return o;
}

// A function of sconce/_module.py.
nb::object python_part(const char* name) {
  return nb::module_::import_("sconce._module").attr(name);
}

std::vector<IValue> positional(PyModule& self, const std::string& method, nb::args args,
                               Incoming& in) {
  const auto info = self.method(method);
  if (args.size() + info->first > info->signature.arguments.size())
    raise<Error>(method, " takes ", info->signature.arguments.size() - info->first,
                 " arguments, not ", args.size());
  std::vector<IValue> inputs;
  for (size_t i = 0; i < args.size(); ++i)
    inputs.push_back(from_python(args[i], info->signature.arguments[i + info->first].type, in));
  return inputs;
}

// The time of calls by the library alone, on as many threads, for comparisons with calls by Python.
double time_calls(PyModule& self, const std::string& method, nb::args args, int calls,
                  int threads) {
  HoldsLock holds;
  Incoming in;
  const std::vector<IValue> inputs = positional(self, method, args, in);
  Released released;
  auto run = [&] {
    for (int i = 0; i < calls; ++i) (void)self.module.run_method(method, inputs);
  };
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(run);
  run();
  for (std::thread& t : others) t.join();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::string summary(PyModule& self) {
  std::string s = "<sconce.Module " + self.module.class_name();
  std::vector<std::string> names = self.module.method_names();
  for (const std::string& f : self.module.function_names()) names.push_back(f);
  for (const std::string& name : names) {
    if (name.rfind("__", 0) == 0) continue;
    s += "\n  ";
    try {
      s += self.method(name)->text();
    } catch (const Error&) {
      s += name + "(...)";  // what it calls isn't there
    }
  }
  return s + ">";
}

void bind_limits(nb::module_& m) {
  struct Flag {
    std::shared_ptr<std::atomic<bool>> flag = std::make_shared<std::atomic<bool>>(false);
  };
  nb::class_<Flag>(m, "Cancel",
                   "Given in Limits(cancel=...): set() ends what runs under them, from any thread.")
      .def(nb::init<>())
      .def("set", [](Flag& f) { f.flag->store(true); })
      .def("clear", [](Flag& f) { f.flag->store(false); })
      .def("is_set", [](const Flag& f) { return f.flag->load(); });
  nb::class_<Limits>(m, "Limits",
                     "What loading and running may take; 0 is no limit. Exceeding one raises "
                     "LimitError, and the module serves its next call.")
      .def(
          "__init__",
          [](Limits* l, uint64_t memory, uint64_t steps, uint64_t operator_work, uint64_t depth,
             double seconds, bool exclusive, nb::object cancel) {
            if (!(seconds >= 0)) raise<ArgumentError>("seconds must be 0 or more");
            new (l) Limits;
            l->memory = memory, l->steps = steps, l->operator_work = operator_work;
            l->depth = depth, l->seconds = seconds, l->exclusive = exclusive;
            if (!cancel.is_none()) l->cancel = nb::cast<Flag&>(cancel).flag;
          },
          nb::kw_only(), nb::arg("memory") = 0, nb::arg("steps") = 0, nb::arg("operator_work") = 0,
          nb::arg("depth") = 0, nb::arg("seconds") = 0.0, nb::arg("exclusive") = false,
          nb::arg("cancel") = nb::none(),
          nb::sig("def __init__(self, *, memory: int = 0, steps: int = 0, operator_work: int = 0, "
                  "depth: int = 0, seconds: float = 0.0, exclusive: bool = False, "
                  "cancel: Cancel | None = None) -> None"))
      .def_static("untrusted", &Limits::untrusted,
                  "For files of unknown origin: 1 GiB, 100 million steps, 10^11 of work in an "
                  "operator, 1000 calls deep, 30 seconds.")
      .def_rw("memory", &Limits::memory, "Bytes that tensors and containers may hold at a time.")
      .def_rw("steps", &Limits::steps, "Jumps back, calls, hooks, forks.")
      .def_rw("operator_work", &Limits::operator_work, "Elements that one operator may go over.")
      .def_rw("depth", &Limits::depth, "Calls within calls.")
      .def_rw("seconds", &Limits::seconds, "Of the clock on the wall.")
      .def_rw("exclusive", &Limits::exclusive, "Calls run one after another.")
      .def("__getstate__",
           [](const Limits& l) {
             return nb::make_tuple(l.memory, l.steps, l.operator_work, l.depth, l.seconds,
                                   l.exclusive);
           })
      .def("__setstate__",
           [](Limits& l, nb::tuple s) {
             new (&l) Limits;
             l.memory = nb::cast<uint64_t>(s[0]), l.steps = nb::cast<uint64_t>(s[1]);
             l.operator_work = nb::cast<uint64_t>(s[2]), l.depth = nb::cast<uint64_t>(s[3]);
             l.seconds = nb::cast<double>(s[4]), l.exclusive = nb::cast<bool>(s[5]);
           })
      .def("__repr__", [](const Limits& l) {
        std::ostringstream os;
        os << "Limits(memory=" << l.memory << ", steps=" << l.steps
           << ", operator_work=" << l.operator_work << ", depth=" << l.depth
           << ", seconds=" << l.seconds << ", exclusive=" << (l.exclusive ? "True" : "False")
           << ")";
        return os.str();
      });
}

void bind_load(nb::module_& m) {
  m.def(
      "_load",
      [](nb::object source, nb::object recipe, std::optional<std::string> device, std::string mode,
         std::string numerics, int num_threads, std::optional<Limits> limits,
         std::vector<std::string> allowed_ops, std::vector<std::string> denied_ops,
         bool allow_setstate, bool map_file, bool read_all, bool strict_device, std::string returns,
         nb::object out, nb::object extra, bool is_text) {
        auto l = new_loaded({std::move(device), std::move(mode), std::move(numerics), num_threads,
                             std::move(limits), std::move(allowed_ops), std::move(denied_ops),
                             allow_setstate, map_file, read_all, strict_device, std::move(returns)},
                            std::move(out));
        l->recipe = std::move(recipe);
        std::map<std::string, std::string> files;
        if (!extra.is_none()) {
          for (nb::handle name : extra) files[nb::cast<std::string>(name)];
          l->options.extra_files = &files;
        }
        PyModule r;
        if (PyUnicode_Check(source.ptr())) {
          const std::string text = nb::cast<std::string>(source);
          r = loaded_with(
              l, [&] { return is_text ? compile(text, l->options) : load(text, l->options); });
        } else {
          // The module may keep what it lies in.
          char* data = nullptr;
          Py_ssize_t size = 0;
          if (PyBytes_AsStringAndSize(source.ptr(), &data, &size) < 0) throw nb::python_error();
          r = loaded_with(l, [&] {
            return load(static_cast<const void*>(data), static_cast<size_t>(size), l->options);
          });
        }
        l->options.extra_files = nullptr;
        for (auto& [name, content] : files)
          extra[nb::str(name.c_str())] = nb::bytes(content.data(), content.size());
        if (std::string text = l->warn_buffer.take(); !text.empty())
          nb::module_::import_("sconce._values").attr("warn")(text, 4);
        l->out_buffer.rethrow();
        return r;
      },
      nb::arg("source"), nb::arg("recipe").none(), nb::arg("device").none(), nb::arg("mode"),
      nb::arg("numerics"), nb::arg("num_threads"), nb::arg("limits").none(), nb::arg("allowed_ops"),
      nb::arg("denied_ops"), nb::arg("allow_setstate"), nb::arg("map_file"), nb::arg("read_all"),
      nb::arg("strict_device"), nb::arg("returns"), nb::arg("out").none(), nb::arg("extra").none(),
      nb::arg("is_text"));
  m.def(
      "load_values",
      [](nb::object of) {
        nb::object os = nb::module_::import_("os");
        const auto path = nb::cast<std::string>(os.attr("fsdecode")(of));
        IValue v = without_lock([&] { return load_pickle(path); });
        Outgoing out;
        out.returns = Returns::Tensor;
        return to_python(v, out);
      },
      nb::arg("path"), nb::sig("def load_values(path: str | os.PathLike) -> typing.Any"),
      "What torch.save wrote: tensors (as sconce.Tensor), numbers, texts, containers. Nothing is "
      "executed; what else a file holds is refused by name.");
}

}  // namespace

void bind_module(nb::module_& m) {
  bind_limits(m);
  nb::class_<PyMethod>(m, "Method", "A method of a module.")
      .def(
          "__call__",
          [](const PyMethod& self, nb::args args, nb::kwargs kwargs) {
            return call_method(self.module, self.loaded, *self.info, self.limits.get(), args,
                               kwargs);
          },
          nb::sig("def __call__(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any"))
      .def_prop_ro("name", [](const PyMethod& s) { return s.info->name; })
      .def_prop_ro(
          "schema", [](const PyMethod& s) { return s.info->signature.text; },
          "As TorchScript writes it.")
      .def_prop_ro("argument_names",
                   [](const PyMethod& s) {
                     std::vector<std::string> names;
                     for (size_t i = s.info->first; i < s.info->signature.arguments.size(); ++i)
                       names.push_back(s.info->signature.arguments[i].name);
                     return names;
                   })
      .def("__repr__", [](const PyMethod& s) { return "<sconce.Method " + s.info->text() + ">"; });

  nb::class_<PyModule>(
      m, "Module", nb::is_weak_referenceable(),
      "A loaded module. m(x) runs forward with its hooks; m.name is the method or attribute of "
      "that name (attr() and method() where a name of this class is in the way). Any thread may "
      "call it, and calls run side by side.")
      .def("__call__", &call_forward,
           nb::sig("def __call__(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any"))
      .def("__getattr__", &get, nb::sig("def __getattr__(self, name: str) -> typing.Any"))
      .def("__setattr__", &set,
           nb::sig("def __setattr__(self, name: str, value: typing.Any) -> None"))
      .def("__repr__", &summary)
      .def("__dir__",
           [](PyModule& self) {
             nb::list all = nb::borrow<nb::list>(
                 nb::module_::import_("builtins").attr("dir")(nb::type<PyModule>()));
             for (const std::string& n : self.module.method_names()) all.append(n);
             for (const std::string& n : self.module.function_names()) all.append(n);
             for (const auto& s : libtorch::slots(self.module)) all.append(s.name);
             return all;
           })
      .def("attr", &attribute, nb::arg("name"), nb::sig("def attr(self, name: str) -> typing.Any"),
           "An attribute: tensors as read-only arrays over the module's memory.")
      .def("setattr", &set_attribute, nb::arg("name"), nb::arg("value").none(),
           nb::sig("def setattr(self, name: str, value: typing.Any) -> None"),
           "Sets an attribute, as m.name = value does.")
      .def(
          "hasattr", [](const PyModule& s, const std::string& n) { return s.module.hasattr(n); },
          nb::arg("name"))
      .def("method", &method_of, nb::arg("name"), nb::kw_only(),
           nb::arg("limits").none() = nb::none(),
           "A method; limits: for its calls, in place of those given to load().")
      .def("method_names", [](const PyModule& s) { return s.module.method_names(); })
      .def(
          "function_names", [](const PyModule& s) { return s.module.function_names(); },
          "Of what compile() made.")
      .def_prop_ro("class_name", [](const PyModule& s) { return s.module.class_name(); })
      .def_prop_ro("training", [](const PyModule& s) { return s.module.is_training(); })
      .def(
          "train",
          [](PyModule& s, bool on) {
            s.changed = true;
            without_lock([&] { return s.module.train(on), 0; });
          },
          nb::arg("on") = true)
      .def("eval",
           [](PyModule& s) {
             s.changed = true;
             without_lock([&] { return s.module.eval(), 0; });
           })
      .def(
          "to",
          [](PyModule& s, nb::handle target) {
            ScalarType dtype;
            const bool is_dtype = dtype_from(target, dtype);
            Device device;
            if (!is_dtype) device = device_argument(target);
            s.changed = true;
            without_lock([&] {
              if (is_dtype)
                s.module.to(dtype);
              else
                s.module.to(device);
              return 0;
            });
          },
          nb::arg("target"), nb::sig("def to(self, target: typing.Any) -> None"),
          "Moves the module to a device ('cuda:0'), or its fractions to a dtype ('float16'), in "
          "place.")
      .def(
          "clone",
          [](PyModule& s) { return derived(s, without_lock([&] { return s.module.clone(); })); },
          "A module of its own; memory is copied when one of the two writes it.")
      .def(
          "optimize",
          [](PyModule& s, const std::string& passes) {
            return derived(s, without_lock([&] { return s.module.optimize(passes); }));
          },
          nb::arg("passes") = "default",
          "A module of its own whose methods were put through a pipeline of passes.")
      .def(
          "freeze",
          [](PyModule& s, const std::vector<std::string>& preserved, bool numerics) {
            return derived(s, without_lock([&] { return s.module.freeze(preserved, numerics); }));
          },
          nb::arg("preserved") = std::vector<std::string>(), nb::kw_only(),
          nb::arg("numerics") = true, "The frozen module, as torch.jit.freeze makes it.")
      .def(
          "define",
          [](PyModule& s, const std::string& source) {
            s.changed = true;
            without_lock([&] { return s.module.define(source), 0; });
          },
          nb::arg("source"), "Adds methods, given as TorchScript source.")
      .def(
          "prepare",
          [](PyModule& s, const std::string& method, nb::args example) {
            if (!example.size()) {
              without_lock([&] { return s.module.prepare(method), 0; });
              return;
            }
            Incoming in;
            std::vector<IValue> inputs = positional(s, method, example, in);
            without_lock([&] { return s.module.prepare(method, std::move(inputs)), 0; });
          },
          nb::arg("method") = "forward", nb::arg("example"),
          "Makes a method ready before its first call; with example arguments, for calls with "
          "arguments of their shapes: these cost from the first one what later ones do.")
      .def(
          "compile_all",
          [](PyModule& s) { without_lock([&] { return s.module.compile_all(), 0; }); },
          "Compiles every method; raises the first ScriptError.")
      .def("_unregistered_operators",
           [](PyModule& s) {
             return without_lock([&] { return libtorch::unregistered_operators(s.module); });
           })
      .def(
          "missing_operators",
          [](PyModule& s) {
            nb::dict d;
            for (auto& [op, place] : without_lock([&] { return s.module.missing_operators(); }))
              d[nb::str(op.c_str())] = place;
            return d;
          },
          nb::sig("def missing_operators(self) -> dict[str, str]"),
          "Operators that the archive uses and sconce lacks, with the place of their first use.")
      .def(
          "parameters", [](PyModule& s) { return named(s, s.module.named_parameters()); },
          nb::sig("def parameters(self) -> dict[str, typing.Any]"),
          "By name; as read-only arrays over the module's memory.")
      .def(
          "buffers", [](PyModule& s) { return named(s, s.module.named_buffers()); },
          nb::sig("def buffers(self) -> dict[str, typing.Any]"))
      .def(
          "state_dict", [](PyModule& s) { return named(s, s.module.state_dict()); },
          nb::sig("def state_dict(self) -> dict[str, typing.Any]"),
          "Parameters and buffers by name.")
      .def(
          "load_state_dict",
          [](PyModule& s, nb::object state, bool strict) {
            HoldsLock holds;
            Incoming in;
            std::vector<Named<Tensor>> values;
            nb::object items = nb::steal(PyMapping_Items(state.ptr()));
            if (!items.is_valid()) throw nb::python_error();
            for (nb::handle item : items) {
              nb::object key = item[0], value = item[1];
              Tensor t;
              if (!tensor_from(value, t, in))
                raise<ArgumentError>("the state's ", nb::repr(key).c_str(),
                                     " must be an array, not ", kind_of(value));
              values.push_back({nb::cast<std::string>(key), t});
            }
            s.changed = true;
            without_lock([&] { return s.module.load_state_dict(values, strict), 0; });
          },
          nb::arg("state"), nb::kw_only(), nb::arg("strict") = true,
          nb::sig("def load_state_dict(self, state: typing.Mapping[str, typing.Any], *, strict: "
                  "bool = True) -> None"),
          "Copies arrays into the parameters and buffers of these names.")
      .def(
          "submodules",
          [](PyModule& s) {
            nb::dict d;
            for (const auto& slot : libtorch::slots(s.module))
              if (slot.is_module)
                d[nb::str(slot.name.c_str())] = to_python(slot.value, read_only(s));
            return d;
          },
          nb::sig("def submodules(self) -> dict[str, Module]"))
      .def(
          "attributes",
          [](PyModule& s) {
            nb::dict d;
            for (const auto& slot : libtorch::slots(s.module))
              d[nb::str(slot.name.c_str())] = to_python(slot.value, read_only(s));
            return d;
          },
          nb::sig("def attributes(self) -> dict[str, typing.Any]"))
      .def(
          "save",
          [](nb::handle self, nb::args args, nb::kwargs kwargs) {
            return python_part("save")(self, *args, **kwargs);
          },
          nb::sig("def save(self, path: str | os.PathLike | None = None, *, extra_files: "
                  "typing.Mapping[str, bytes | str] | None = None, strip_debug: bool = False, "
                  "dedupe: bool = False, device: str | None = None) -> bytes | None"),
          "Writes an archive that PyTorch loads and runs; without a path returns its bytes. "
          "extra_files: for records under extra/.")
      .def_prop_ro(
          "graph", [](nb::handle self) { return python_part("graph_for")(self); },
          nb::sig("def graph(self) -> sconce.passes.Graph"),
          "The graph of forward; str() of it is what PyTorch prints.")
      .def_prop_ro(
          "inlined_graph",
          [](nb::handle self) { return python_part("graph_for")(self, nb::arg("inlined") = true); },
          nb::sig("def inlined_graph(self) -> sconce.passes.Graph"),
          "The graph of forward with all calls inlined.")
      .def(
          "graph_for",
          [](nb::handle self, nb::args args, nb::kwargs kwargs) {
            return python_part("graph_for")(self, *args, **kwargs);
          },
          nb::sig("def graph_for(self, method: str = 'forward', *, inlined: bool = False, passes: "
                  "str = '') -> sconce.passes.Graph"),
          "The graph of a method; passes: a pipeline that is run on it first ('inline,dce').")
      .def(
          "__reduce__", [](nb::handle self) { return python_part("reduce")(self); },
          nb::sig("def __reduce__(self) -> tuple"))
      .def(
          "_save",
          [](PyModule& s, nb::object path,
             const std::optional<std::map<std::string, nb::bytes>>& extra, bool strip_debug,
             bool dedupe, const std::optional<std::string>& device) -> nb::object {
            const SaveOptions o = save_options(extra, strip_debug, dedupe, device);
            if (!path.is_none()) {
              const std::string file = nb::cast<std::string>(path);
              without_lock([&] { return s.module.save(file, o), 0; });
              return nb::none();
            }
            std::string bytes = without_lock([&] {
              std::ostringstream os;
              s.module.save(os, o);
              return std::move(os).str();
            });
            return nb::bytes(bytes.data(), bytes.size());
          },
          nb::arg("path").none(), nb::arg("extra").none(), nb::arg("strip_debug"),
          nb::arg("dedupe"), nb::arg("device").none())
      .def("_graph_text",
           [](PyModule& s, const std::string& method, bool inlined, const std::string& passes) {
             return without_lock([&] {
               return inlined ? s.module.inlined_graph_text(method)
                              : s.module.graph_text(method, passes);
             });
           })
      .def("_time_calls",
           [](PyModule& s, const std::string& method, nb::args args, nb::kwargs o) {
             return time_calls(s, method, args, nb::cast<int>(o["calls"]),
                               nb::cast<int>(o["threads"]));
           })
      .def(
          "plan_text",
          [](PyModule& s, const std::string& method) {
            return without_lock([&] { return s.module.plan_text(method); });
          },
          nb::arg("method") = "forward", "Instructions of the plan that runs.")
      .def_prop_ro("_recipe",
                   [](const PyModule& s) -> nb::object {
                     if (s.changed || !s.root || !s.loaded->recipe.is_valid()) return nb::none();
                     return s.loaded->recipe;
                   })
      .def_prop_ro("_last_recipe",
                   [](const PyModule& s) -> nb::object {
                     return s.loaded->recipe.is_valid() ? s.loaded->recipe : nb::none();
                   })
      .def_prop_rw(
          "returns",
          [](const PyModule& s) {
            static constexpr const char* names[] = {"auto", "numpy", "torch", "tensor"};
            return std::string(names[static_cast<int>(s.loaded->returns)]);
          },
          [](PyModule& s, const std::string& r) { s.loaded->returns = returns_of(r); },
          "What tensors of answers become: 'auto' (torch's where an argument was torch's, else "
          "NumPy's), 'numpy', 'torch' or 'tensor' (sconce.Tensor).");
  bind_load(m);
}

}  // namespace sconce::python
