// SPDX-License-Identifier: Apache-2.0
// Module: a loaded archive's root object. One module may be called from many threads at once.
#pragma once
#include <istream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sconce/ivalue.h"
#include "sconce/options.h"

namespace sconce {

struct ModuleImpl;

template <class T>
struct Named {
  std::string name;
  T value;
};

class SCONCE_API Method {
 public:
  IValue operator()(std::vector<IValue> inputs) const;
  const std::string& name() const { return name_; }

 private:
  friend class Module;
  Method(std::shared_ptr<ModuleImpl> impl, std::string name)
      : impl_(std::move(impl)), name_(std::move(name)) {}
  std::shared_ptr<ModuleImpl> impl_;
  std::string name_;
};

class SCONCE_API Module {
 public:
  Module() = default;
  explicit Module(std::shared_ptr<ModuleImpl> impl) : impl_(std::move(impl)) {}
  bool defined() const { return impl_ != nullptr; }

  // Runs the method. Throws OpError, RaisedError, MissingOp, ScriptError.
  IValue forward(std::vector<IValue> inputs) const {
    return run_method("forward", std::move(inputs));
  }
  IValue run_method(const std::string& name, std::vector<IValue> inputs) const;
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
  // constants of the code follow. Throws OpError when the device isn't there.
  void to(Device device);

  IValue attr(const std::string& name) const;
  IValue attr(const std::string& name, IValue fallback) const;
  bool hasattr(const std::string& name) const;
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

  std::shared_ptr<ModuleImpl> impl() const { return impl_; }

 private:
  std::shared_ptr<ModuleImpl> impl_;
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
