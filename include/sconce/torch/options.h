// SPDX-License-Identifier: Apache-2.0
// TensorOptions: the dtype, device, layout, ... of a tensor that is to be made; what is unset is
// the default.
#pragma once
#include "sconce/torch/base.h"

namespace c10 {

struct TensorOptions {
  TensorOptions() = default;
  TensorOptions(Layout layout) { layout_ = layout; }
  template <class T, std::enable_if_t<std::is_same<std::decay_t<T>, Device>::value, int> = 0>
  TensorOptions(T&& device) {
    device_ = device;
  }
  // From whatever a Device is made of.
  template <class... A, class = std::enable_if_t<std::is_constructible<Device, A&&...>::value>>
  TensorOptions(A&&... a) : TensorOptions(Device(std::forward<A>(a)...)) {}
  TensorOptions(caffe2::TypeMeta dtype) { dtype_ = dtype.toScalarType(); }
  TensorOptions(ScalarType dtype) { dtype_ = dtype; }
  TensorOptions(MemoryFormat format) { format_ = format; }

  [[nodiscard]] TensorOptions device(std::optional<Device> d) const {
    TensorOptions r = *this;
    r.device_ = d;
    return r;
  }
  template <class... A>
  [[nodiscard]] TensorOptions device(A&&... a) const {
    return device(std::optional<Device>(std::in_place, std::forward<A>(a)...));
  }
  [[nodiscard]] TensorOptions device_index(DeviceIndex i) const {
    return device(DeviceType::CUDA, i);
  }
  [[nodiscard]] TensorOptions dtype(std::optional<caffe2::TypeMeta> t) const {
    TensorOptions r = *this;
    r.dtype_.reset();
    if (t) r.dtype_ = t->toScalarType();
    return r;
  }
  [[nodiscard]] TensorOptions dtype(std::optional<ScalarType> t) const {
    TensorOptions r = *this;
    r.dtype_ = t;
    return r;
  }
  template <class T>
  TensorOptions& dtype() {
    dtype_ = CppTypeToScalarType<T>::value;
    return *this;
  }
  [[nodiscard]] TensorOptions layout(std::optional<Layout> l) const {
    TensorOptions r = *this;
    r.layout_ = l;
    return r;
  }
  [[nodiscard]] TensorOptions requires_grad(std::optional<bool> v) const {
    TensorOptions r = *this;
    r.requires_grad_ = v;
    return r;
  }
  [[nodiscard]] TensorOptions pinned_memory(std::optional<bool> v) const {
    TensorOptions r = *this;
    r.pinned_ = v;
    return r;
  }
  [[nodiscard]] TensorOptions memory_format(std::optional<MemoryFormat> f) const {
    TensorOptions r = *this;
    r.format_ = f;
    return r;
  }

  Device device() const { return device_.value_or(Device(kCPU)); }
  bool has_device() const { return device_.has_value(); }
  std::optional<Device> device_opt() const { return device_; }
  DeviceIndex device_index() const { return device().index(); }
  caffe2::TypeMeta dtype() const {
    return caffe2::TypeMeta(dtype_.value_or(get_default_dtype_as_scalartype()));
  }
  bool has_dtype() const { return dtype_.has_value(); }
  std::optional<caffe2::TypeMeta> dtype_opt() const {
    return dtype_ ? std::optional<caffe2::TypeMeta>(caffe2::TypeMeta(*dtype_)) : std::nullopt;
  }
  Layout layout() const { return layout_.value_or(kStrided); }
  bool has_layout() const { return layout_.has_value(); }
  std::optional<Layout> layout_opt() const { return layout_; }
  bool requires_grad() const { return requires_grad_.value_or(false); }
  bool has_requires_grad() const { return requires_grad_.has_value(); }
  bool pinned_memory() const { return pinned_.value_or(false); }
  bool has_pinned_memory() const { return pinned_.has_value(); }
  std::optional<bool> pinned_memory_opt() const { return pinned_; }
  bool has_memory_format() const { return format_.has_value(); }
  std::optional<MemoryFormat> memory_format_opt() const { return format_; }
  bool is_sparse() const { return layout() == kSparse; }
  // What o sets, and of the rest what this sets.
  [[nodiscard]] TensorOptions merge_in(TensorOptions o) const {
    TensorOptions r = o;
    if (!r.device_) r.device_ = device_;
    if (!r.dtype_) r.dtype_ = dtype_;
    if (!r.layout_) r.layout_ = layout_;
    if (!r.requires_grad_) r.requires_grad_ = requires_grad_;
    if (!r.pinned_) r.pinned_ = pinned_;
    if (!r.format_) r.format_ = format_;
    return r;
  }

 private:
  std::optional<Device> device_;
  std::optional<ScalarType> dtype_;
  std::optional<Layout> layout_;
  std::optional<MemoryFormat> format_;
  std::optional<bool> requires_grad_, pinned_;
};
inline std::ostream& operator<<(std::ostream& os, const TensorOptions& o) {
  auto mark = [](bool given) { return given ? "" : " (default)"; };
  // LibTorch leaves the stream so.
  os << std::boolalpha << "TensorOptions(dtype=" << o.dtype() << mark(o.has_dtype())
     << ", device=" << o.device() << mark(o.has_device()) << ", layout=" << o.layout()
     << mark(o.has_layout()) << ", requires_grad=" << o.requires_grad()
     << mark(o.has_requires_grad()) << ", pinned_memory=" << o.pinned_memory()
     << mark(o.has_pinned_memory()) << ", memory_format=";
  if (o.has_memory_format())
    os << *o.memory_format_opt();
  else
    os << "(nullopt)";
  return os << ")";
}

inline TensorOptions dtype(caffe2::TypeMeta t) { return TensorOptions().dtype(t); }
inline TensorOptions dtype(ScalarType t) { return TensorOptions().dtype(t); }
template <class T>
TensorOptions dtype() {
  return dtype(ScalarType(CppTypeToScalarType<T>::value));
}
inline TensorOptions layout(Layout l) { return TensorOptions().layout(l); }
inline TensorOptions device(Device d) { return TensorOptions().device(d); }
inline TensorOptions device_index(DeviceIndex i) { return TensorOptions().device_index(i); }
inline TensorOptions requires_grad(bool v = true) { return TensorOptions().requires_grad(v); }
inline TensorOptions memory_format(MemoryFormat f) { return TensorOptions().memory_format(f); }

}  // namespace c10

namespace at {
using c10::TensorOptions;
}
