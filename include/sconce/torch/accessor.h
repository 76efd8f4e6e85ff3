// SPDX-License-Identifier: Apache-2.0
// Raw access to the elements of a tensor of known rank: a[i][j].
#pragma once
#include "sconce/torch/base.h"

namespace at {

template <class T>
struct DefaultPtrTraits {
  using PtrType = T*;
};
template <class T>
struct RestrictPtrTraits {
  using PtrType = T* __restrict__;
};

// Borrows the sizes and strides of the tensor.
template <class T, size_t N, template <class> class Traits = DefaultPtrTraits,
          class index_t = int64_t>
class TensorAccessor {
 public:
  using PtrType = typename Traits<T>::PtrType;
  TensorAccessor(PtrType data, const index_t* sizes, const index_t* strides)
      : data_(data), sizes_(sizes), strides_(strides) {}
  c10::ArrayRef<index_t> sizes() const { return {sizes_, N}; }
  c10::ArrayRef<index_t> strides() const { return {strides_, N}; }
  index_t size(index_t d) const { return sizes_[d]; }
  index_t stride(index_t d) const { return strides_[d]; }
  PtrType data() const { return data_; }
  decltype(auto) operator[](index_t i) const {
    if constexpr (N == 1)
      return static_cast<T&>(data_[i * strides_[0]]);
    else
      return TensorAccessor<T, N - 1, Traits, index_t>(data_ + i * strides_[0], sizes_ + 1,
                                                       strides_ + 1);
  }

 private:
  PtrType data_;
  const index_t *sizes_, *strides_;
};

// Holds the sizes and strides itself.
template <class T, size_t N, template <class> class Traits = DefaultPtrTraits,
          class index_t = int64_t>
class GenericPackedTensorAccessor {
 public:
  using PtrType = typename Traits<T>::PtrType;
  template <class I>
  GenericPackedTensorAccessor(PtrType data, const I* sizes, const I* strides) : data_(data) {
    for (size_t d = 0; d < N; ++d) {
      sizes_[d] = static_cast<index_t>(sizes[d]);
      strides_[d] = static_cast<index_t>(strides[d]);
    }
  }
  index_t size(index_t d) const { return sizes_[d]; }
  index_t stride(index_t d) const { return strides_[d]; }
  PtrType data() const { return data_; }
  decltype(auto) operator[](index_t i) const {
    return TensorAccessor<T, N, Traits, index_t>(data_, sizes_, strides_)[i];
  }

 private:
  PtrType data_;
  index_t sizes_[N], strides_[N];
};
template <class T, size_t N, template <class> class Traits = DefaultPtrTraits>
using PackedTensorAccessor32 = GenericPackedTensorAccessor<T, N, Traits, int32_t>;
template <class T, size_t N, template <class> class Traits = DefaultPtrTraits>
using PackedTensorAccessor64 = GenericPackedTensorAccessor<T, N, Traits, int64_t>;

}  // namespace at
