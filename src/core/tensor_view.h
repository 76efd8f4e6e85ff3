// SPDX-License-Identifier: Apache-2.0
// TensorView: what a kernel slot sees of a tensor. SlotCall: one call of a slot as plain data.
#pragma once
#include <cstddef>
#include <cstdint>

#include "sconce/scalar_type.h"

namespace sconce {

class Storage;

struct TensorView {
  void* data = nullptr;              // first element; null: absent operand
  const int64_t* sizes = nullptr;    // borrowed for the call
  const int64_t* strides = nullptr;  // in elements
  int32_t ndim = 0;
  ScalarType dtype = ScalarType::Undefined;
  const Storage* storage = nullptr;  // for what calls slots; kernels don't look at it
  int64_t numel() const {
    int64_t n = 1;
    for (int32_t i = 0; i < ndim; ++i) n *= sizes[i];
    return n;
  }
  template <class T>
  T* ptr() const {
    return static_cast<T*>(data);
  }
};

// args points to a trivially copyable struct that begins with n_views TensorViews.
struct SlotCall {
  void (*run)(const void* args);
  const void* args;
  uint32_t args_size;
  uint16_t n_views;
  uint32_t written;  // bit i: view i is written
  const char* name;
};

}  // namespace sconce
