// SPDX-License-Identifier: Apache-2.0
// at::Tensor: a sconce::Tensor with LibTorch's methods. Methods and functions that are operators
// are generated of the operator table (methods.inc, functions.inc).
#pragma once
#include <tuple>

#include "sconce/torch/accessor.h"
#include "sconce/torch/options.h"

namespace c10 {
template <class T>
class List;
}  // namespace c10

namespace torch::autograd {
struct Node;
}

namespace at {
class Tensor;
class CPUGeneratorImpl;
using TensorList = c10::ArrayRef<Tensor>;
using ITensorListRef = TensorList;
namespace indexing {
class TensorIndex;
}

// PyTorch's CPU random number generator.
class Generator {
 public:
  Generator() = default;
  explicit Generator(sconce::IValue v) : value_(std::move(v)) {}
  bool defined() const { return !value_.isNone(); }
  void set_current_seed(uint64_t seed) { get().manual_seed(seed); }
  uint64_t current_seed() const { return get().seed(); }
  Device device() const { return c10::kCPU; }
  const sconce::IValue& value() const { return value_; }

 private:
  sconce::Generator& get() const {
    if (!defined()) throw c10::Error("the Generator is not defined");
    return value_.toGeneratorRef();
  }
  sconce::IValue value_;
};
namespace detail {
inline Generator createCPUGenerator(uint64_t seed = 67280421310721ull) {
  return Generator(sconce::IValue(sconce::make_ref<sconce::Generator>(seed)));
}
}  // namespace detail
template <class Impl, class... A>
Generator make_generator(A&&... a) {
  static_assert(std::is_same<Impl, CPUGeneratorImpl>::value, "there are CPU generators only");
  return detail::createCPUGenerator(std::forward<A>(a)...);
}

// A tensor's memory.
class DataPtr {
 public:
  explicit DataPtr(void* p = nullptr, Device d = c10::kCPU, std::shared_ptr<const void> owner = {})
      : p_(p), device_(d), owner_(std::move(owner)) {}
  void* get() const { return p_; }
  explicit operator bool() const { return p_ != nullptr; }
  Device device() const { return device_; }

 private:
  void* p_;
  Device device_;
  std::shared_ptr<const void> owner_;
};
class Storage {
 public:
  explicit Storage(const sconce::Tensor& t) : tensor_(t), data_ptr_(nullptr) {
    data_ptr_ = DataPtr(t.impl()->storage->mutable_data(), t.device());
  }
  size_t nbytes() const { return tensor_.impl()->storage->nbytes(); }
  const void* data() const { return data_ptr_.get(); }
  void* mutable_data() const { return data_ptr_.get(); }
  const DataPtr& data_ptr() const { return data_ptr_; }
  Device device() const { return data_ptr_.device(); }
  size_t use_count() const { return tensor_.impl()->storage->use_count(); }
  bool is_alias_of(const Storage& o) const {
    return tensor_.impl()->storage == o.tensor_.impl()->storage;
  }

 private:
  sconce::Tensor tensor_;
  DataPtr data_ptr_;
};

// What Tensor::type() gives: it compares and prints.
class DeprecatedTypeProperties {
 public:
  explicit DeprecatedTypeProperties(const sconce::Tensor& t)
      : text_(sconce::libtorch::type_text(t)), dtype_(t.dtype()), device_(t.device()) {}
  std::string toString() const { return text_; }
  ScalarType scalarType() const { return dtype_; }
  caffe2::TypeMeta typeMeta() const { return caffe2::TypeMeta(dtype_); }
  DeviceType device_type() const { return device_.type(); }
  bool is_cuda() const { return device_.is_cuda(); }
  c10::TensorOptions options() const { return c10::TensorOptions(dtype_).device(device_); }
  bool operator==(const DeprecatedTypeProperties& o) const { return text_ == o.text_; }
  bool operator!=(const DeprecatedTypeProperties& o) const { return !(*this == o); }
  friend std::ostream& operator<<(std::ostream& os, const DeprecatedTypeProperties& t) {
    return os << t.text_;
  }

 private:
  std::string text_;
  ScalarType dtype_;
  Device device_;
};

// Every method but defined(), is_same(), reset(), use_count(), toString() and print() throws Error
// on an undefined tensor.
class TensorBase : public sconce::Tensor {
 public:
  TensorBase() = default;
  TensorBase(const TensorBase&) = default;
  TensorBase(TensorBase&&) noexcept = default;
  explicit TensorBase(sconce::Tensor t) : sconce::Tensor(std::move(t)) {}
  TensorBase& operator=(const TensorBase&) & = default;
  TensorBase& operator=(TensorBase&&) & noexcept = default;

  void reset() { static_cast<sconce::Tensor&>(*this) = sconce::Tensor(); }
  size_t use_count() const { return defined() ? impl()->use_count() : 0; }
  std::string toString() const {
    return defined() ? sconce::libtorch::type_text(*this) : "UndefinedType";
  }
  void print() const {
    if (defined())
      std::cerr << "[" << toString() << " " << sizes() << "]" << '\n';
    else
      std::cerr << "[UndefinedTensor]" << '\n';
  }
  int64_t dim() const { return static_cast<int64_t>(need().impl()->sizes.size()); }
  int64_t ndimension() const { return dim(); }
  c10::IntArrayRef sizes() const { return {need().impl()->sizes.data(), impl()->sizes.size()}; }
  c10::IntArrayRef strides() const {
    return {need().impl()->strides.data(), impl()->strides.size()};
  }
  c10::IntArrayRef sym_sizes() const { return sizes(); }
  c10::IntArrayRef sym_strides() const { return strides(); }
  int64_t size(int64_t d) const {
    return c10::detail::guarded([&] { return need().size(d); });
  }
  int64_t stride(int64_t d) const {
    return c10::detail::guarded([&] { return need().stride(d); });
  }
  int64_t numel() const { return need().numel(); }
  int64_t storage_offset() const { return need().storage_offset(); }
  size_t itemsize() const { return sconce::element_size(scalar_type()); }
  int64_t element_size() const { return static_cast<int64_t>(itemsize()); }
  size_t nbytes() const { return static_cast<size_t>(numel()) * itemsize(); }
  bool has_storage() const { return defined() && impl()->storage; }
  at::Storage storage() const { return at::Storage(need()); }
  bool is_alias_of(const TensorBase& o) const {
    return need().impl()->storage == o.need().impl()->storage;
  }
  ScalarType scalar_type() const { return need().dtype(); }
  caffe2::TypeMeta dtype() const { return caffe2::TypeMeta(scalar_type()); }
  Layout layout() const { return need(), c10::kStrided; }
  Device device() const { return need().device(); }
  c10::DeviceIndex get_device() const { return device().index(); }
  bool is_cpu() const { return device().is_cpu(); }
  bool is_cuda() const { return device().is_cuda(); }
  bool is_meta() const { return device().is_meta(); }
  bool is_mps() const { return device().is_mps(); }
  bool is_xpu() const { return device().is_xpu(); }
  bool is_hip() const { return device().is_hip(); }
  bool is_xla() const { return device().is_xla(); }
  bool is_ipu() const { return device().is_ipu(); }
  bool is_hpu() const { return device().is_hpu(); }
  bool is_lazy() const { return device().is_lazy(); }
  bool is_mtia() const { return device().is_mtia(); }
  bool is_vulkan() const { return device().is_vulkan(); }
  bool is_metal() const { return device().is_metal(); }
  bool is_privateuseone() const { return device().is_privateuseone(); }
  bool is_sparse() const { return layout() == c10::kSparse; }
  bool is_sparse_csr() const { return need(), false; }
  bool is_mkldnn() const { return need(), false; }
  bool is_nested() const { return static_cast<bool>(need().impl()->nested_rows); }
  bool is_quantized() const { return need().quantizer() != nullptr; }
  bool is_complex() const { return c10::isComplexType(scalar_type()); }
  bool is_floating_point() const { return c10::isFloatingType(scalar_type()); }
  bool is_signed() const { return c10::isSignedType(scalar_type()); }
  bool is_conj() const { return need(), false; }
  bool is_neg() const { return need(), false; }
  bool is_contiguous(MemoryFormat f = MemoryFormat::Contiguous) const {
    return sconce::libtorch::is_contiguous(need(), static_cast<int>(f));
  }
  bool is_non_overlapping_and_dense() const { return sconce::libtorch::is_dense(need()); }
  MemoryFormat suggest_memory_format(bool = false) const {
    for (MemoryFormat f : {MemoryFormat::ChannelsLast, MemoryFormat::ChannelsLast3d})
      if (sconce::libtorch::is_strides_like(need(), static_cast<int>(f))) return f;
    return MemoryFormat::Contiguous;
  }
  c10::TensorOptions options() const {
    return c10::TensorOptions().dtype(scalar_type()).device(device()).layout(layout());
  }
  bool requires_grad() const { return need().requires_grad(); }

  // Pointers to the elements, of exactly the tensor's dtype. After a write through one a prepared
  // module reads the elements anew.
  void* data_ptr() const { return need().raw_data(); }
  void* mutable_data_ptr() const { return data_ptr(); }
  const void* const_data_ptr() const { return need().const_raw_data(); }
  template <class T>
  T* data_ptr() const {
    if constexpr (std::is_const<T>::value)
      return const_data_ptr<T>();
    else
      return mutable_data_ptr<T>();
  }
  template <class T>
  T* mutable_data_ptr() const {
    check_type<T>();
    return static_cast<T*>(need().raw_data());
  }
  template <class T>
  const std::remove_const_t<T>* const_data_ptr() const {
    check_type<std::remove_const_t<T>>();
    return static_cast<const std::remove_const_t<T>*>(need().const_raw_data());
  }
  template <class T, size_t N>
  TensorAccessor<T, N> accessor() const& {
    static_assert(N > 0, "for scalars use *data_ptr<T>()");
    check_rank(N);
    return TensorAccessor<T, N>(data_ptr<T>(), sizes().data(), strides().data());
  }
  template <class T, size_t N>
  TensorAccessor<T, N> accessor() && = delete;
  template <class T, size_t N, template <class> class Traits = DefaultPtrTraits,
            class index_t = int64_t>
  GenericPackedTensorAccessor<T, N, Traits, index_t> generic_packed_accessor() const& {
    check_rank(N);
    return GenericPackedTensorAccessor<T, N, Traits, index_t>(data_ptr<T>(), sizes().data(),
                                                              strides().data());
  }
  template <class T, size_t N, template <class> class Traits = DefaultPtrTraits>
  PackedTensorAccessor32<T, N, Traits> packed_accessor32() const& {
    if (numel() > std::numeric_limits<int32_t>::max())
      throw c10::Error(
          "numel needs to be smaller than int32_t max; otherwise, please use packed_accessor64");
    return generic_packed_accessor<T, N, Traits, int32_t>();
  }
  template <class T, size_t N, template <class> class Traits = DefaultPtrTraits>
  PackedTensorAccessor32<T, N, Traits> packed_accessor32() && = delete;
  template <class T, size_t N, template <class> class Traits = DefaultPtrTraits>
  PackedTensorAccessor64<T, N, Traits> packed_accessor64() const& {
    return generic_packed_accessor<T, N, Traits, int64_t>();
  }
  template <class T, size_t N, template <class> class Traits = DefaultPtrTraits>
  PackedTensorAccessor64<T, N, Traits> packed_accessor64() && = delete;

 protected:
  const sconce::Tensor& need() const {
    if (!defined())
      throw c10::Error(
          "Expected a proper Tensor but got an undefined Tensor (a method was called on it)");
    return *this;
  }
  template <class T>
  void check_type() const {
    constexpr ScalarType wanted = c10::CppTypeToScalarType<T>::value;
    const ScalarType has = scalar_type();
    if (has != wanted && !(sconce::is_quantized(has) && sizeof(T) == sconce::element_size(has) &&
                           quantized_as<T>(has)))
      throw c10::Error(std::string("expected scalar type ") + c10::toString(wanted) +
                       " but found " + c10::toString(has));
  }
  // The integers of a quantised tensor.
  template <class T>
  static bool quantized_as(ScalarType t) {
    return (t == c10::kQInt8 && std::is_same<T, int8_t>::value) ||
           (t == c10::kQUInt8 && std::is_same<T, uint8_t>::value) ||
           (t == c10::kQInt32 && std::is_same<T, int32_t>::value);
  }
  void check_rank(size_t n) const {
    if (dim() != static_cast<int64_t>(n))
      throw c10::Error("TensorAccessor expected " + std::to_string(n) + " dims but tensor has " +
                       std::to_string(dim()));
  }
};

class Tensor : public TensorBase {
 public:
  Tensor() = default;
  Tensor(const Tensor&) = default;
  Tensor(Tensor&&) noexcept = default;
  explicit Tensor(const TensorBase& t) : TensorBase(t) {}
  Tensor(TensorBase&& t) : TensorBase(std::move(t)) {}
  Tensor(const sconce::Tensor& t) : TensorBase(t) {}

  Tensor& operator=(const TensorBase& x) & {
    TensorBase::operator=(x);
    return *this;
  }
  Tensor& operator=(TensorBase&& x) & noexcept {
    TensorBase::operator=(std::move(x));
    return *this;
  }
  Tensor& operator=(const Tensor& x) & = default;
  Tensor& operator=(Tensor&& x) & noexcept = default;
  // t[0] = x writes into t.
  Tensor& operator=(const Scalar& v) && { return fill_(v); }
  Tensor& operator=(const Tensor& x) && { return copy_(x); }
  Tensor& operator=(Tensor&& x) && { return copy_(x); }

  Tensor contiguous(MemoryFormat f = MemoryFormat::Contiguous) const;
  Tensor conj() const;
  DeprecatedTypeProperties type() const { return DeprecatedTypeProperties(need()); }
  Tensor toType(ScalarType t) const { return to(t); }
  Tensor cpu() const { return to(c10::TensorOptions(c10::kCPU)); }
  Tensor cuda() const { return to(c10::TensorOptions(c10::kCUDA)); }
  Tensor data() const { return detach(); }
  template <class T>
  T* data() const {
    return data_ptr<T>();
  }
  // By hand in LibTorch: a plain int is a dimension, not a bool.
  Tensor var(int dim) const { return var(c10::IntArrayRef{dim}); }
  Tensor std(int dim) const { return std(c10::IntArrayRef{dim}); }
  Tensor variable_data() const { return detach(); }
  Tensor tensor_data() const { return detach(); }
  template <class T>
  T item() const {
    return item().to<T>();
  }

  Tensor operator[](const Scalar& i) const {
    if (!i.isIntegral(false)) throw c10::IndexError("Can only index tensors with integral scalars");
    return select(0, i.toLong());
  }
  Tensor operator[](const Tensor& i) const {
    if (!i.defined()) throw c10::IndexError("Can only index with tensors that are defined");
    if (i.dim() != 0)
      throw c10::IndexError("Can only index with tensors that are scalars (zero-dim)");
    return (*this)[i.item()];
  }
  Tensor operator[](int64_t i) const { return select(0, i); }
  Tensor index(c10::ArrayRef<indexing::TensorIndex> indices) const;
  Tensor index(std::initializer_list<indexing::TensorIndex> indices) const;
  Tensor& index_put_(c10::ArrayRef<indexing::TensorIndex> indices, const Tensor& v);
  Tensor& index_put_(c10::ArrayRef<indexing::TensorIndex> indices, const Scalar& v);
  Tensor& index_put_(std::initializer_list<indexing::TensorIndex> indices, const Tensor& v);
  Tensor& index_put_(std::initializer_list<indexing::TensorIndex> indices, const Scalar& v);

  Tensor operator~() const { return bitwise_not(); }
  Tensor operator-() const { return neg(); }
  Tensor& operator+=(const Tensor& o) { return add_(o); }
  Tensor& operator+=(const Scalar& o) { return add_(o); }
  Tensor& operator-=(const Tensor& o) { return sub_(o); }
  Tensor& operator-=(const Scalar& o) { return sub_(o); }
  Tensor& operator*=(const Tensor& o) { return mul_(o); }
  Tensor& operator*=(const Scalar& o) { return mul_(o); }
  Tensor& operator/=(const Tensor& o) { return div_(o); }
  Tensor& operator/=(const Scalar& o) { return div_(o); }
  Tensor& operator&=(const Tensor& o) { return bitwise_and_(o); }
  Tensor& operator|=(const Tensor& o) { return bitwise_or_(o); }
  Tensor& operator^=(const Tensor& o) { return bitwise_xor_(o); }

  QScheme qscheme() const {
    const sconce::Quantizer* q = need().quantizer();
    if (!q) throw c10::Error("qscheme() is of quantized tensors");
    return !q->per_channel    ? c10::kPerTensorAffine
           : q->float_qparams ? c10::kPerChannelAffineFloatQParams
                              : c10::kPerChannelAffine;
  }

  // Gradients: none is ever recorded, so that asking for one is an error.
  bool is_leaf() const { return need(), true; }
  int64_t output_nr() const { return 0; }
  int64_t _version() const { return static_cast<int64_t>(need().impl()->storage->version()); }
  const Tensor& requires_grad_(bool v = true) const { return set_requires_grad(v); }
  const Tensor& set_requires_grad(bool v) const {
    if (v && !is_floating_point() && !is_complex())
      throw c10::Error("only Tensors of floating point dtype can require gradients");
    need().mutable_impl()->requires_grad = v;
    return *this;
  }
  // Undefined, as of a tensor for which no gradient was computed.
  const Tensor& grad() const {
    static const Tensor none;
    return need(), none;
  }
  const std::shared_ptr<torch::autograd::Node>& grad_fn() const {
    static const std::shared_ptr<torch::autograd::Node> none;
    return need(), none;
  }
  const std::string& name() const {
    static const std::string none;
    return need(), none;
  }
  bool has_names() const { return need(), false; }
  void retain_grad() const { need(); }
  bool retains_grad() const { return need(), false; }
  void backward(const Tensor& = {}, std::optional<bool> = std::nullopt, bool = false,
                std::optional<TensorList> = std::nullopt) const {
    throw c10::Error("sconce computes no gradients: backward() can't be had");
  }

#include "sconce/torch/methods.inc"
};
static_assert(sizeof(Tensor) == sizeof(sconce::Tensor),
              "lists of one are read as lists of the other");

}  // namespace at

namespace torch {
using at::Generator;
using at::Tensor;
using at::TensorBase;
using at::TensorList;
namespace autograd {
using Variable = at::Tensor;
using variable_list = std::vector<at::Tensor>;
inline Variable make_variable(const at::Tensor& data, bool requires_grad = false, bool = true) {
  Variable v = data.detach();
  if (requires_grad) v.set_requires_grad(true);
  return v;
}
}  // namespace autograd
using at::PackedTensorAccessor32;
using at::PackedTensorAccessor64;
using at::TensorAccessor;
}  // namespace torch
