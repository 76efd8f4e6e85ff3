// SPDX-License-Identifier: Apache-2.0
// Module: a loaded archive's root object. One module may be called from many threads at once.
#pragma once
#include <istream>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sconce/ivalue.h"
#include "sconce/options.h"
#include "sconce/save.h"

namespace sconce {

struct ModuleImpl;

template <class T>
struct Named {
  std::string name;
  T value;
};

// Arguments by name.
using Kwargs = std::unordered_map<std::string, IValue>;

namespace detail {
// A pointer to what a Module holds. Following an empty one throws Error.
class SCONCE_API ModulePointer {
 public:
  ModulePointer() = default;
  ModulePointer(std::shared_ptr<ModuleImpl> p) : p_(std::move(p)) {}
  ModuleImpl* operator->() const {
    if (!p_) refuse_empty();
    return p_.get();
  }
  const std::shared_ptr<ModuleImpl>& pointer() const { return p_; }

 private:
  [[noreturn]] static void refuse_empty();
  std::shared_ptr<ModuleImpl> p_;
};
}  // namespace detail

// A method of a module. Arguments are checked as PyTorch's C++ boundary does it: each must be of
// the declared type, nothing is converted (an int is no float), and what is missing must have a
// default. A list or dict that carries no types, or Any, gets the declared ones when its elements
// fit; unless only missing types were filled in, the method works on a copy. Throws OpError
// otherwise.
class SCONCE_API Method {
 public:
  IValue operator()(std::vector<IValue> inputs) const;
  IValue operator()(std::vector<IValue> inputs, const Kwargs& kwargs) const;
  // Under limits of its own (sconce/limits.h) in place of those of LoadOptions.
  IValue operator()(std::vector<IValue> inputs, const Kwargs& kwargs, const Limits& limits) const;
  const std::string& name() const { return name_; }

 private:
  friend class Module;
  Method(detail::ModulePointer impl, std::string name)
      : impl_(std::move(impl)), name_(std::move(name)) {}
  detail::ModulePointer impl_;
  std::string name_;
};

// Every call but defined() and impl() throws Error on an empty module.
class SCONCE_API Module {
 public:
  Module() = default;
  explicit Module(std::shared_ptr<ModuleImpl> impl) : impl_(std::move(impl)) {}
  bool defined() const { return impl_.pointer() != nullptr; }

  // Runs the method; arguments as for Method. Throws OpError, RaisedError, MissingOp, ScriptError,
  // LimitError.
  IValue forward(std::vector<IValue> inputs) const {
    return run_method("forward", std::move(inputs));
  }
  IValue forward(std::vector<IValue> inputs, const Kwargs& kwargs) const {
    return run_method("forward", std::move(inputs), kwargs);
  }
  IValue run_method(const std::string& name, std::vector<IValue> inputs) const;
  IValue run_method(const std::string& name, std::vector<IValue> inputs,
                    const Kwargs& kwargs) const;
  // Under limits of its own (sconce/limits.h) in place of those of LoadOptions.
  IValue run_method(const std::string& name, std::vector<IValue> inputs, const Kwargs& kwargs,
                    const Limits& limits) const;
  // The module call: forward with its hooks around it.
  IValue operator()(std::vector<IValue> inputs) const;
  Method get_method(const std::string& name) const;
  bool has_method(const std::string& name) const;
  std::vector<std::string> method_names() const;
  // Names of the functions of a module that compile() made.
  std::vector<std::string> function_names() const;
  // Adds methods, given as TorchScript source, to the class of this module; exclusive use. Throws
  // ScriptError.
  void define(const std::string& source_text);
  // Names of the parameters without self.
  std::vector<std::string> argument_names(const std::string& method) const;

  // Sets training of this module and all below; exclusive use.
  void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const;
  // Copies parameters, buffers and other tensors to the device; tensors and devices that are
  // constants of the code follow. Throws OpError when the device isn't there. Exclusive use.
  void to(Device device);
  // Parameters and buffers with fractions become this dtype (float16, bfloat16, float32, float64,
  // or complex ones); each stays the tensor that it is, with other memory. Exclusive use.
  void to(ScalarType dtype);

  // A module of its own: objects, containers and tensors are copied, and what was shared among them
  // is shared among the copies. The bytes of tensors are copied when either module first writes
  // them. The code is shared: a method that is defined in one is there in both. No call may be
  // running that writes this module.
  Module clone() const;
  // A module of its own, with classes and graphs of its own, whose methods were put through a
  // pipeline of passes ("inline,cse,dce"); `freeze` in it works on the whole module, "default" is
  // the list that gives the same answers within rounding. This module and its classes stay as they
  // are. Throws Error for a pass that isn't there or whose result isn't TorchScript.
  Module optimize(const std::string& pipeline = "default") const;
  // The frozen module, as torch.jit.freeze makes it: what no code writes is constant, and of the
  // rest only forward and what is preserved ("version", "sub.method") is left. numerics: batch
  // norms and arithmetic are folded into weights too, which changes rounding. Throws Error for a
  // module that is training, and for a name that it doesn't have.
  Module freeze(const std::vector<std::string>& preserved = {}, bool numerics = true) const;
  // Parameters and buffers by name, each where it is held first, as state_dict() of PyTorch has
  // them (buffers that aren't persistent are not marked in archives, so they are here too).
  std::vector<Named<Tensor>> state_dict() const;
  // Copies values into the parameters and buffers of these names; dtypes are converted. Throws
  // Error, having written nothing, for a size that differs and, when strict, for names that are
  // missing or not known. Exclusive use.
  void load_state_dict(const std::vector<Named<Tensor>>& state, bool strict = true);

  // Writes an archive that PyTorch loads and runs, and that load() reads to the same graphs. It is
  // written beside path and takes its place when all is on the disk; after an error what was there
  // before is still there. Throws Error for what such a file can't hold: a graph with a node that
  // has no source text, a future, a class without pickled form; and when writing fails.
  // __getstate__ of objects runs. No call may be running that writes this module.
  void save(const std::string& path, const SaveOptions& options = {}) const;
  void save(std::ostream& out, const SaveOptions& options = {}) const;

  // Makes a method ready before its first call. It is also the caller's promise that no pointer
  // that data_ptr() handed out writes this module from now on: weights that were filled through
  // pointers are then folded as others are. Call it again after writing through a pointer.
  void prepare(const std::string& method = "forward");
  // Besides: for arguments of the example's shapes, dtypes and plain values. Memory is placed and
  // weights are packed, so that the first such call costs what later ones do. A method that can't
  // be planned (docs/lowering.md says which) may run instead, in part or whole. Throws what a call
  // with these arguments does.
  void prepare(const std::string& method, std::vector<IValue> example);

  IValue attr(const std::string& name) const;
  IValue attr(const std::string& name, IValue fallback) const;
  bool hasattr(const std::string& name) const;
  // The value must be of the attribute's type, as for arguments. Throws OpError.
  void setattr(const std::string& name, IValue value);
  std::vector<Named<Tensor>> named_parameters(bool recurse = true) const;
  std::vector<Named<Tensor>> named_buffers(bool recurse = true) const;
  std::vector<Named<IValue>> named_attributes(bool recurse = true) const;
  std::vector<Tensor> parameters() const;
  std::string class_name() const;

  // str(graph) of a method, as PyTorch prints it. passes: a pipeline to run first ("inline,dce");
  // may be empty.
  std::string graph_text(const std::string& method = "forward",
                         const std::string& passes = "") const;
  // str(inlined_graph).
  std::string inlined_graph_text(const std::string& method = "forward") const;
  // Instructions of the plan that runs.
  std::string plan_text(const std::string& method = "forward") const;
  // Compiles every method; throws the first ScriptError.
  void compile_all() const;
  // Operators that the archive uses and sconce lacks, with the place of their first use.
  std::vector<std::pair<std::string, std::string>> missing_operators() const;

  std::shared_ptr<ModuleImpl> impl() const { return impl_.pointer(); }

 private:
  detail::ModulePointer impl_;
};

// Throws FormatError for a broken archive, ScriptError for source that PyTorch would refuse.
SCONCE_API Module load(const std::string& path, const LoadOptions& options = {});
SCONCE_API Module load(std::istream& in, const LoadOptions& options = {});
// Functions from TorchScript source text, with no archive; run_method calls them by name. Throws
// ScriptError.
SCONCE_API Module compile(const std::string& source_text, const LoadOptions& options = {});
SCONCE_API Module load(const void* data, size_t size, const LoadOptions& options = {});
// What torch.save wrote, as a zip file or as the stream of torch before 1.6: tensors, numbers,
// texts, containers, numpy's numbers and arrays. A set is a list, bytes are a text, a dtype or
// layout is its number, a namespace a dict. Nothing is executed; what else a file holds is refused
// by name. Throws FormatError.
SCONCE_API IValue load_pickle(const std::string& path);

}  // namespace sconce
