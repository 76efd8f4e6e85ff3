// SPDX-License-Identifier: Apache-2.0
// Pickles, opcode by opcode: which of them no reader of ours knows, and which globals they name. No
// value is made but the texts that STACK_GLOBAL takes its names from.
#include <algorithm>
#include <cstdio>
#include <string_view>
#include <unordered_map>

#include "loader/script/native_classes.h"
#include "pickle_opcodes.h"
#include "scan.h"
#include "sconce/sconce.h"
#include "support/byte_reader.h"

namespace sconce::tool {

namespace {

using std::string_view;

bool is_one_of(string_view s, std::initializer_list<string_view> list) {
  return std::find(list.begin(), list.end(), s) != list.end();
}
bool ends_with(string_view s, string_view tail) {
  return s.size() >= tail.size() && s.substr(s.size() - tail.size()) == tail;
}
bool is_builtin(string_view module) { return is_one_of(module, {"builtins", "__builtin__"}); }

// Modules whose functions do things: in Python, reading such a pickle runs them.
bool is_dangerous(string_view module, string_view name) {
  const string_view top = module.substr(0, module.find('.'));
  if (is_one_of(top, {"os",          "posix",      "nt",       "subprocess", "sys",
                      "shutil",      "socket",     "pty",      "runpy",      "importlib",
                      "ctypes",      "commands",   "code",     "webbrowser", "multiprocessing",
                      "asyncio",     "http",       "urllib",   "requests",   "pickle",
                      "_pickle",     "marshal",    "operator", "_operator",  "functools",
                      "types",       "inspect",    "signal",   "tempfile",   "builtins",
                      "__builtin__", "timeit",     "pdb",      "bdb",        "cProfile",
                      "distutils",   "setuptools", "pip",      "smtplib",    "ftplib",
                      "sqlite3",     "codecs",     "pydoc"})) {
    if (is_builtin(top))
      return is_one_of(name, {"eval", "exec", "execfile", "compile", "open", "getattr", "setattr",
                              "delattr", "__import__", "input", "globals", "locals", "vars",
                              "breakpoint", "apply", "map", "filter"});
    return module != "types" || name != "SimpleNamespace";
  }
  return (module == "torch" && is_one_of(name, {"load", "save"})) || module == "torch.serialization"
             ? name == "load" || name == "save"
             : false;
}

bool is_torch_value(string_view name) {
  return ends_with(name, "Storage") || ends_with(name, "_affine") ||
         is_one_of(name, {"device", "per_channel_affine_float_qparams", "per_tensor_symmetric",
                          "per_channel_symmetric"});
}

// What archives of torch.jit.save call, classes of their own aside.
bool script_knows(string_view module, string_view name) {
  if (module == "torch.jit._pickle")
    return is_one_of(name, {"build_intlist", "build_doublelist", "build_boollist",
                            "build_tensorlist", "build_tensor_from_id", "restore_type_tag"});
  if (module == "__main__")
    return is_one_of(name, {"IntList", "DoubleList", "BoolList", "TensorList", "TensorID"});
  if (module == "torch") return is_torch_value(name);
  if (module == "torch._utils")
    return is_one_of(name, {"_rebuild_tensor_v2", "_rebuild_qtensor", "_rebuild_parameter",
                            "_rebuild_sparse_tensor"});
  return (module == "builtins" && name == "complex") ||
         (module == "collections" && name == "OrderedDict") ||
         (module == "torch._tensor" && name == "_rebuild_from_type_v2");
}

bool torch_save_knows(string_view module, string_view name) {
  if (script_knows(module, name)) return module != "__main__";
  if (module == "torch") {
    if (is_one_of(name, {"Size", "Tensor"})) return true;
    for (int t = 0; t < 46; ++t)
      if (name == dtype_name(static_cast<ScalarType>(t))) return name != "undefined";
    return false;
  }
  if (module == "torch._utils") return name.substr(0, 9) == "_rebuild_";
  if (module == "torch.storage") return name == "UntypedStorage";
  if (module == "torch.nn.parameter") return is_one_of(name, {"Parameter", "Buffer"});
  if (module == "torch.serialization") return name == "_get_layout";
  if (module == "torch.torch_version") return name == "TorchVersion";
  if (module == "_codecs") return name == "encode";
  if (module == "collections") return is_one_of(name, {"Counter", "defaultdict", "deque"});
  if (is_builtin(module))
    return is_one_of(name, {"complex", "set", "frozenset", "bytes", "bytearray", "list", "dict",
                            "int", "float", "str", "tuple", "bool"});
  if (module == "pathlib") return ends_with(name, "Path");
  if (module == "numpy") return is_one_of(name, {"dtype", "ndarray"});
  if (is_one_of(module, {"numpy.core.multiarray", "numpy._core.multiarray"}))
    return is_one_of(name, {"scalar", "_reconstruct"});
  if (is_one_of(module, {"numpy.core.numeric", "numpy._core.numeric"}))
    return name == "_frombuffer";
  return (module == "argparse" && name == "Namespace") ||
         (module == "types" && name == "SimpleNamespace");
}

// What is on top of the unpickler's stack, as far as names are made of it.
class Walk {
 public:
  Walk(const std::string& text, const std::string& place, PickleKind kind, ScanReport& report)
      : r_(reinterpret_cast<const unsigned char*>(text.data()), text.size(), place.c_str()),
        place_(place),
        kind_(kind),
        report_(report) {}

  // The size of the pickle.
  size_t run() {
    for (;;) {
      const size_t at = r_.position();
      const uint8_t code = r_.u8();
      const PickleOpcode* op = find_pickle_opcode(code);
      if (!op) {
        char hex[8];
        std::snprintf(hex, sizeof hex, "0x%02x", code);
        odd(at, std::string("byte ") + hex + " is no opcode");
        return 0;
      }
      if (at == 0 && code != 0x80) odd(at, "the pickle does not begin with PROTO");
      const bool known = kind_ == PickleKind::Script      ? op->script
                         : kind_ == PickleKind::TorchSave ? op->torch_save
                                                          : op->torch_save;
      if (!known) odd(at, std::string("opcode ") + op->name + " is not among those that are read");
      step(*op, at);
      if (code == '.') return r_.position();
    }
  }

 private:
  void odd(size_t at, const std::string& what) {
    if (++odd_ <= 8) report_.find("pickle-opcode", where(at), what);
  }
  std::string where(size_t at) const {
    return place_ + (place_.empty() ? "byte " : ", byte ") + std::to_string(at);
  }
  std::string counted(uint64_t n, bool keep) {
    const unsigned char* p = r_.take(n);
    if (!keep || n > 4096) return "";
    return std::string(reinterpret_cast<const char*>(p), static_cast<size_t>(n));
  }
  void push(std::string text) {
    before_ = std::move(top_);
    top_ = std::move(text);
  }
  void put(uint64_t at) {
    if (!top_.empty()) memo_[at] = top_;
  }
  void get(uint64_t at) {
    auto it = memo_.find(at);
    push(it == memo_.end() ? "" : it->second);
  }

  void step(const PickleOpcode& op, size_t at) {
    std::string text;
    uint64_t number = 0;
    const bool name = is_one_of(
        op.name, {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINSTRING", "BINSTRING"});
    switch (op.argument) {
      case PickleArgument::None: break;
      case PickleArgument::Byte: number = r_.u8(); break;
      case PickleArgument::Two: number = r_.little<uint16_t>(); break;
      case PickleArgument::Four: number = r_.little<uint32_t>(); break;
      case PickleArgument::Eight: r_.take(8); break;
      case PickleArgument::Line: text = r_.line(); break;
      case PickleArgument::TwoLines: {
        const std::string module = r_.line();
        global(at, module, r_.line());
        return push("");
      }
      case PickleArgument::Counted1: text = counted(r_.u8(), name); break;
      case PickleArgument::Counted4: text = counted(r_.little<uint32_t>(), name); break;
      case PickleArgument::Counted8: text = counted(r_.little<uint64_t>(), name); break;
    }
    if (op.code == 'q' || op.code == 'r') return put(number);
    if (op.code == 0x94) return put(memoized_++);
    if (op.code == 'h' || op.code == 'j') return get(number);
    if (op.code == 0x95 || op.code == 0x80) return;
    if (op.code == 0x93) {
      if (before_.empty() || top_.empty())
        report_.find("pickle-global", where(at), "a global whose name is computed");
      else
        global(at, before_, top_);
      return push("");
    }
    push(name ? std::move(text) : "");
  }

  void global(size_t at, const std::string& module, const std::string& name) {
    const std::string full = module + "." + name;
    auto [it, fresh] = report_.globals.try_emplace(full);
    if (!it->second.insert(place_).second) return;
    if (is_dangerous(module, name) && !torch_save_knows(module, name)) {
      report_.find("pickle-code", where(at),
                   full + " is named; where Python reads this pickle, code runs");
      return;
    }
    if (kind_ == PickleKind::Script) {
      // What may be a class of the archive is looked up when all sources have been read.
    } else if (!torch_save_knows(module, name)) {
      report_.find("pickle-global", where(at),
                   "the global " + full + " is not known; a class of Python code, or a function");
    }
  }

  ByteReader r_;
  const std::string& place_;
  PickleKind kind_;
  ScanReport& report_;
  std::string top_, before_;
  std::unordered_map<uint64_t, std::string> memo_;
  uint64_t memoized_ = 0;
  int odd_ = 0;
};

}  // namespace

size_t scan_pickle(const std::string& text, const std::string& place, PickleKind kind,
                   bool more_follows, ScanReport& report) {
  size_t size = 0;
  try {
    size = Walk(text, place, kind, report).run();
  } catch (const Error&) {
    report.find("pickle-opcode", place, "the pickle has no end");
    return 0;
  }
  if (size && size < text.size() && !more_follows)
    report.find("pickle-trailing", place,
                detail::concat(text.size() - size, " bytes follow the pickle"));
  return size;
}

void scan_links(ScanReport& report) {
  std::map<std::string, const ScannedClass*> by_name;
  for (auto& c : report.classes) by_name[c.name] = &c;
  auto has = [](const ScannedClass& c, const char* method) {
    return std::find(c.methods.begin(), c.methods.end(), method) != c.methods.end();
  };
  for (auto& [name, records] : report.globals) {
    const size_t dot = name.rfind('.');
    if (dot == std::string::npos) continue;
    const std::string module = name.substr(0, dot), last = name.substr(dot + 1);
    if (script_knows(module, last) || is_dangerous(module, last)) continue;
    auto it = by_name.find(name);
    if (it != by_name.end()) {
      if (has(*it->second, "__setstate__"))
        report.at_load.push_back(name + ".__setstate__ (" + it->second->place + ")");
      continue;
    }
    if (name.rfind("__torch__.torch.classes.", 0) == 0) {
      if (!script::find_native_class(name))
        report.note("unknown-class", *records.begin(),
                    "the class " + name + " is of a library that isn't here");
      continue;
    }
    report.find("pickle-global", *records.begin(),
                "the global " + name + " is not known, and no class of the archive");
  }
}

}  // namespace sconce::tool
