// SPDX-License-Identifier: Apache-2.0
// A loaded module in Python, its methods, and what both share.
#pragma once
#include <nanobind/nanobind.h>
#include <sconce/libtorch.h>
#include <sconce/sconce.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <unordered_map>

#include "values.h"

namespace sconce::python {

// Gives whole lines to a Python file's write(), or keeps them until they are taken.
class LineBuffer final : public std::streambuf {
 public:
  // file: an object with write(); None: lines are kept; unset: sys.stdout of that moment.
  explicit LineBuffer(nb::object file) : file_(std::move(file)) {}
  std::string take();
  // What write() raised; called under the interpreter's lock.
  void rethrow();
  nb::object& file() { return file_; }

 protected:
  int_type overflow(int_type c) override;
  std::streamsize xsputn(const char* s, std::streamsize n) override;

 private:
  void write(std::string lines);
  std::mutex mutex_;
  std::string text_;
  nb::object file_;
  PyObject* error_ = nullptr;
  std::atomic<bool> failed_{false};
};

// What a module and everything that came of it share: lives as long as any of them.
struct Loaded {
  explicit Loaded(nb::object file) : out_buffer(std::move(file)), warn_buffer(nb::none()) {}
  LineBuffer out_buffer, warn_buffer;
  std::ostream out{&out_buffer}, warnings{&warn_buffer};
  LoadOptions options;
  Returns returns = Returns::Auto;
  nb::object recipe;  // how a worker loads it again: (path, options), or None
};

struct MethodInfo {
  std::string name;
  libtorch::Signature signature;
  size_t first = 0;          // 1: after self
  bool hooks = false;        // the module call, with hooks around it
  std::string text() const;  // "forward(Tensor x, bool flag=False) -> Tensor"
};

struct PyModule {
  Module module;
  std::shared_ptr<Loaded> loaded;
  bool root = true;      // not a part of another module
  bool changed = false;  // by Python, since it was loaded
  std::unordered_map<std::string, std::shared_ptr<const MethodInfo>> methods;
  std::shared_ptr<const MethodInfo> call;  // of __call__

  const std::shared_ptr<const MethodInfo>& method(const std::string& name);
};

struct PyMethod {
  Module module;
  std::shared_ptr<Loaded> loaded;
  std::shared_ptr<const MethodInfo> info;
  std::shared_ptr<const Limits> limits;  // null: those of the module
};

nb::object call_method(const Module& m, const std::shared_ptr<Loaded>& loaded,
                       const MethodInfo& info, const Limits* limits, nb::args args,
                       nb::kwargs kwargs);

// Ends what runs under the limits when Ctrl-C is pressed; only on the main thread.
class InterruptScope {
 public:
  explicit InterruptScope(Limits& limits);
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  bool pressed() const;
  // What Python's handler of the signal raises, if it raises.
  void raise_python();

 private:
  bool active_ = false;
  std::shared_ptr<std::atomic<bool>> flag_;
  std::atomic<bool>* before_ = nullptr;
};
void remember_main_thread();

// Of "cuda:0" or PyTorch's torch.device.
Device device_argument(nb::handle o);
void bind_tensor(nb::module_& m);
void bind_values(nb::module_& m);
void bind_module(nb::module_& m);
void bind_graph(nb::module_& m);
void bind_errors(nb::module_& m);

}  // namespace sconce::python
