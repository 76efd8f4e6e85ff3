// SPDX-License-Identifier: Apache-2.0
// What products and convolutions share: temporary tensors, other files' slots.
#pragma once
#include "backends/cuda/gpu.h"

namespace sconce::cuda {
namespace {

// Slots of elementwise.cu and nn.cu, through the table that they fill.
inline const DevicePlugin& slots() {
  static const DevicePlugin* p = [] {
    auto* fresh = new DevicePlugin;
    add_elementwise(*fresh);
    add_nn(*fresh);
    return fresh;
  }();
  return *p;
}

// dtypes of which the library has products.
inline bool multiplies(ScalarType t) {
  return t == kFloat || t == kDouble || t == kHalf || t == kBFloat16;
}

// A dense tensor of the device until the end of the scope.
class Dense {
 public:
  Dense(Gpu& g, int nd, const int64_t* sizes, ScalarType t)
      : memory_(g, bytes(nd, sizes, t)), n_(nd) {
    int64_t run = 1;
    for (int d = n_ - 1; d >= 0; --d) {
      sizes_[d] = sizes[d];
      strides_[d] = run;
      run *= sizes[d];
    }
    view_.data = memory_.get();
    view_.sizes = sizes_;
    view_.strides = strides_;
    view_.ndim = n_;
    view_.dtype = t;
  }
  Dense(Gpu& g, std::initializer_list<int64_t> sizes, ScalarType t)
      : Dense(g, static_cast<int>(sizes.size()), sizes.begin(), t) {}
  Dense(Gpu& g, const TensorView& like) : Dense(g, like.ndim, like.sizes, like.dtype) {}
  const TensorView& view() const { return view_; }
  explicit operator bool() const { return static_cast<bool>(memory_); }

 private:
  static int64_t bytes(int nd, const int64_t* sizes, ScalarType t) {
    auto n = static_cast<int64_t>(element_size(t));
    for (int d = 0; d < nd; ++d) n *= sizes[d];
    return n;
  }
  Temporary<char> memory_;
  int n_;
  int64_t sizes_[5], strides_[5];
  TensorView view_;
};

// Two kernels as one: their work is independent.
template <class A, class B>
struct Both {
  int64_t of_a;
  A a;
  B b;
  SCONCE_GPU void operator()(int64_t i) const {
    if (i < of_a)
      a(i);
    else
      b(i - of_a);
  }
};

}  // namespace

void add_conv(DevicePlugin& p);

}  // namespace sconce::cuda
