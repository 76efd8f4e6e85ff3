// SPDX-License-Identifier: Apache-2.0
// Tensors of the program's own data: from_blob and tensor. (The other factories are operators.)
#pragma once
#include "sconce/torch/ops.h"

namespace at {

using Deleter = std::function<void(void*)>;
namespace detail {
inline Tensor borrowed(void* data, c10::IntArrayRef sizes, const int64_t* strides, Deleter deleter,
                       const TensorOptions& o) {
  return c10::detail::guarded([&] {
    return with_options(Tensor(sconce::libtorch::from_blob(data, sizes.data(), sizes.size(),
                                                           strides, std::move(deleter),
                                                           o.dtype().toScalarType(), o.device())),
                        o);
  });
}
}  // namespace detail
// The memory is borrowed: it must outlive the tensor, or until the deleter is called.
inline Tensor from_blob(void* data, c10::IntArrayRef sizes, const TensorOptions& options = {}) {
  return detail::borrowed(data, sizes, nullptr, nullptr, options);
}
inline Tensor from_blob(void* data, c10::IntArrayRef sizes, c10::IntArrayRef strides,
                        const TensorOptions& options = {}) {
  if (strides.size() != sizes.size())
    throw c10::Error("from_blob: sizes and strides differ in length");
  return detail::borrowed(data, sizes, strides.data(), nullptr, options);
}
template <class D, class = std::enable_if_t<std::is_constructible<Deleter, D>::value &&
                                            !std::is_convertible<D, c10::IntArrayRef>::value>>
Tensor from_blob(void* data, c10::IntArrayRef sizes, const D& deleter,
                 const TensorOptions& options = {}) {
  return detail::borrowed(data, sizes, nullptr, deleter, options);
}
template <class D, class = std::enable_if_t<std::is_constructible<Deleter, D>::value>>
Tensor from_blob(void* data, c10::IntArrayRef sizes, c10::IntArrayRef strides, const D& deleter,
                 const TensorOptions& options = {}) {
  if (strides.size() != sizes.size())
    throw c10::Error("from_blob: sizes and strides differ in length");
  return detail::borrowed(data, sizes, strides.data(), deleter, options);
}

}  // namespace at

namespace torch {
namespace detail {

// Numbers in nested braces, or a range of numbers.
class TensorDataContainer {
 public:
  TensorDataContainer() : sizes_({0}), dtype_(c10::get_default_dtype_as_scalartype()) {}
#define SCONCE_TORCH_ONE(T, Name) \
  TensorDataContainer(T v) : dtype_(c10::ScalarType::Name), numbers_{at::Scalar(v)} {}
  SCONCE_TORCH_ONE(uint8_t, Byte)
  SCONCE_TORCH_ONE(int8_t, Char)
  SCONCE_TORCH_ONE(int16_t, Short)
  SCONCE_TORCH_ONE(int, Int)
  SCONCE_TORCH_ONE(int64_t, Long)
  SCONCE_TORCH_ONE(float, Float)
  SCONCE_TORCH_ONE(double, Double)
  SCONCE_TORCH_ONE(bool, Bool)
  SCONCE_TORCH_ONE(c10::Half, Half)
  SCONCE_TORCH_ONE(c10::BFloat16, BFloat16)
  SCONCE_TORCH_ONE(c10::complex<float>, ComplexFloat)
  SCONCE_TORCH_ONE(c10::complex<double>, ComplexDouble)
#undef SCONCE_TORCH_ONE
  TensorDataContainer(std::initializer_list<TensorDataContainer> list)
      : dtype_(list.begin()->dtype_) {
    sizes_.push_back(static_cast<int64_t>(list.size()));
    sizes_.insert(sizes_.end(), list.begin()->sizes_.begin(), list.begin()->sizes_.end());
    for (const TensorDataContainer& e : list) {
      if (e.sizes_ != list.begin()->sizes_)
        throw c10::Error(c10::str(
            "Expected all sub-lists to have sizes: ", c10::IntArrayRef(list.begin()->sizes_),
            ", but got sub-list with sizes: ", c10::IntArrayRef(e.sizes_)));
      if (e.dtype_ != list.begin()->dtype_)
        throw c10::Error(
            c10::str("Expected all elements of the tensor to have the same scalar type: ",
                     c10::toString(list.begin()->dtype_),
                     ", but got element of scalar type: ", c10::toString(e.dtype_)));
      numbers_.insert(numbers_.end(), e.numbers_.begin(), e.numbers_.end());
    }
  }
  template <class T>
  TensorDataContainer(at::ArrayRef<T> v) : dtype_(c10::CppTypeToScalarType<T>::value) {
    fill(v.begin(), v.end());
  }
  template <class T>
  TensorDataContainer(const std::vector<T>& v) : dtype_(c10::CppTypeToScalarType<T>::value) {
    fill(v.begin(), v.end());
  }

  bool is_scalar() const { return sizes_.empty(); }
  const std::vector<int64_t>& sizes() const { return sizes_; }
  c10::ScalarType scalar_type() const { return dtype_; }
  at::Tensor convert_to_tensor(at::TensorOptions options) const {
    // As Python's torch.tensor: whole numbers are long, others of the default dtype.
    if (!options.has_dtype())
      options = options.dtype(dtype_ == c10::kInt || dtype_ == c10::kLong ? c10::kLong
                              : dtype_ == c10::kFloat || dtype_ == c10::kDouble
                                  ? c10::get_default_dtype_as_scalartype()
                                  : dtype_);
    const c10::ScalarType exact = c10::isComplexType(dtype_)    ? c10::kComplexDouble
                                  : c10::isFloatingType(dtype_) ? c10::kDouble
                                                                : c10::kLong;
    at::Tensor t = at::empty(sizes_, exact);
    for (size_t i = 0; i < numbers_.size(); ++i)
      if (exact == c10::kComplexDouble)
        t.data_ptr<c10::complex<double>>()[i] = numbers_[i].toComplexDouble();
      else if (exact == c10::kDouble)
        t.data_ptr<double>()[i] = numbers_[i].toDouble();
      else
        t.data_ptr<int64_t>()[i] = numbers_[i].toLong();
    return at::detail::with_options(t.to(options), options);
  }

 private:
  template <class It>
  void fill(It b, It e) {
    sizes_ = {static_cast<int64_t>(e - b)};
    for (; b != e; ++b) numbers_.emplace_back(static_cast<at::Scalar>(*b));
  }
  std::vector<int64_t> sizes_;
  c10::ScalarType dtype_;
  std::vector<at::Scalar> numbers_;
};

}  // namespace detail

inline at::Tensor tensor(detail::TensorDataContainer data, const at::TensorOptions& options = {}) {
  return data.convert_to_tensor(options);
}
using at::from_blob;

}  // namespace torch

namespace at {
template <class T>
Tensor tensor(c10::ArrayRef<T> v, const TensorOptions& options = {}) {
  return torch::tensor(v, options.has_dtype()
                              ? options
                              : options.dtype(c10::ScalarType(c10::CppTypeToScalarType<T>::value)));
}
template <class T, class = std::enable_if_t<std::is_arithmetic<T>::value>>
Tensor tensor(T v, const TensorOptions& options = {}) {
  return at::tensor(c10::ArrayRef<T>(v), options);
}
template <class T>
Tensor tensor(std::initializer_list<T> v, const TensorOptions& options = {}) {
  return at::tensor(c10::ArrayRef<T>(v), options);
}
template <class T>
Tensor tensor(const std::vector<T>& v, const TensorOptions& options = {}) {
  return at::tensor(c10::ArrayRef<T>(v), options);
}
inline Tensor scalar_to_tensor(const Scalar& s, const Device& device = c10::kCPU) {
  return at::scalar_tensor(s, TensorOptions(device).dtype(s.type()));
}
}  // namespace at
