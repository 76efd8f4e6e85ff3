// SPDX-License-Identifier: Apache-2.0
// Tensors in files (torch::save, torch::load, torch::serialize's archives), and values in bytes.
#pragma once
#include "sconce/torch/context.h"

namespace torch {

namespace serialize {
// Named tensors, values and archives, which a file holds as a module's.
class OutputArchive final {
 public:
  OutputArchive() : OutputArchive(std::make_shared<jit::CompilationUnit>()) {}
  explicit OutputArchive(std::shared_ptr<jit::CompilationUnit> unit)
      : unit_(std::move(unit)), module_("__torch__.Module") {}
  OutputArchive(OutputArchive&&) = default;
  OutputArchive& operator=(OutputArchive&&) = default;
  std::shared_ptr<jit::CompilationUnit> compilation_unit() const { return unit_; }
  void write(const std::string& key, const c10::IValue& v) {
    module_.register_attribute(key, v.type(), v);
  }
  void write(const std::string& key, const at::Tensor& t, bool is_buffer = false) {
    module_.register_parameter(key, t, is_buffer);
  }
  void write(const std::string& key, OutputArchive& in) {
    module_.register_module(key, in.module_);
  }
  void save_to(const std::string& path) { module_.save(path); }
  void save_to(std::ostream& out) { module_.save(out); }
  void save_to(const std::function<size_t(const void*, size_t)>& write) {
    std::ostringstream out;
    save_to(out);
    const std::string bytes = out.str();
    write(bytes.data(), bytes.size());
  }
  template <class... A>
  void operator()(A&&... a) {
    write(std::forward<A>(a)...);
  }

 private:
  std::shared_ptr<jit::CompilationUnit> unit_;
  jit::Module module_;
};

// read() throws Error when there is nothing of that name and kind.
class InputArchive final {
 public:
  InputArchive() = default;
  InputArchive(InputArchive&&) = default;
  InputArchive& operator=(InputArchive&&) = default;
  bool try_read(const std::string& key, c10::IValue& v) {
    if (!module_.hasattr(key)) return false;
    v = module_.attr(key);
    return true;
  }
  void read(const std::string& key, c10::IValue& v) { v = module_.attr(key); }
  // A tensor that is defined takes the memory of the file's: its other handles see it.
  bool try_read(const std::string& key, at::Tensor& t, bool = false) {
    if (!module_.hasattr(key)) return false;
    const c10::IValue v = module_.attr(key);
    if (!v.isTensor()) return false;
    if (t.defined() && t.device() == v.toTensor().device())
      t.set_(v.toTensor());
    else
      t = v.toTensor();
    return true;
  }
  void read(const std::string& key, at::Tensor& t, bool is_buffer = false) {
    TORCH_CHECK(try_read(key, t, is_buffer), "No such serialized tensor '", prefix_, key, "'");
  }
  bool try_read(const std::string& key, InputArchive& in) {
    if (!module_.hasattr(key)) return false;
    const c10::IValue v = module_.attr(key);
    if (!v.isModule()) return false;
    in.module_ = v.toModule();
    in.prefix_ = prefix_ + key + ".";
    return true;
  }
  void read(const std::string& key, InputArchive& in) {
    TORCH_CHECK(try_read(key, in), "No such serialized submodule: '", prefix_, key, "'");
  }
  void load_from(const std::string& path, std::optional<at::Device> device = std::nullopt) {
    module_ = jit::load(path, device);
  }
  void load_from(std::istream& in, std::optional<at::Device> device = std::nullopt) {
    module_ = jit::load(in, device);
  }
  void load_from(const char* data, size_t size, std::optional<at::Device> device = std::nullopt) {
    std::istringstream in(std::string(data, size));
    load_from(in, device);
  }
  std::vector<std::string> keys() {
    std::vector<std::string> r;
    for (const auto& a : module_.named_attributes(false)) r.push_back(a.name);
    return r;
  }
  template <class... A>
  void operator()(A&&... a) {
    read(std::forward<A>(a)...);
  }

 private:
  jit::Module module_;
  std::string prefix_;
};
inline OutputArchive& operator<<(OutputArchive& a, const at::Tensor& t) {
  return a.write("0", t), a;
}
inline InputArchive& operator>>(InputArchive& a, at::Tensor& t) { return a.read("0", t), a; }
}  // namespace serialize

// A tensor, or tensors, to a path, a stream, or a function that takes bytes.
template <class... To>
void save(const at::Tensor& t, To&&... to) {
  serialize::OutputArchive a;
  a << t;
  a.save_to(std::forward<To>(to)...);
}
template <class... To>
void save(const std::vector<at::Tensor>& tensors, To&&... to) {
  serialize::OutputArchive a;
  for (size_t i = 0; i < tensors.size(); ++i) a.write(std::to_string(i), tensors[i]);
  a.save_to(std::forward<To>(to)...);
}
// From where, and optionally the device to load to.
template <class... From>
void load(at::Tensor& t, From&&... from) {
  serialize::InputArchive a;
  a.load_from(std::forward<From>(from)...);
  a >> t;
}
// Adds to the tensors that are there.
template <class... From>
void load(std::vector<at::Tensor>& tensors, From&&... from) {
  serialize::InputArchive a;
  a.load_from(std::forward<From>(from)...);
  at::Tensor t;
  for (size_t i = 0; a.try_read(std::to_string(i), t); ++i) {
    tensors.push_back(std::move(t));
    t = at::Tensor();
  }
}

using jit::pickle_load;
using jit::pickle_save;

}  // namespace torch
