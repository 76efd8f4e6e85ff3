// SPDX-License-Identifier: Apache-2.0
// Tensors of the library over the memory of Python's arrays, and Python's arrays over tensors.
// Entries: tensor_from(), to_numpy(), to_dlpack(), to_torch().
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <sconce/sconce.h>

#include <string>
#include <vector>

namespace sconce::python {

namespace nb = nanobind;

// A handle of a tensor in Python.
struct PyTensor {
  Tensor tensor;
  bool writable = true;  // whether arrays over it may be written
  // Always under the interpreter's lock: what the tensor borrows from is let go at once.
  ~PyTensor();
};

// An array that a tensor was lent, and the form of that tensor then: a model may give its argument
// another form in place, an array can't take it.
struct LentArray {
  nb::object array;
  Tensor tensor;  // keeps it past the call
  DimVector sizes, strides;
  int64_t offset;
  const Storage* storage;
  LentArray(nb::handle array, const Tensor& t);
  bool has_other_form() const;
};

// What is known of the arrays of one call.
struct Incoming {
  std::vector<LentArray> lent;
  bool torch = false;  // one of them was PyTorch's
  // What is read-only is copied, for values that outlive the call; else it is lent, and copied
  // when the model first writes it.
  bool lasting = false;
};

// Whether the elements of t are all of its memory, so that an array is as good as the tensor.
bool is_whole_memory(const Tensor& t);

// The tensor over o's memory: of a sconce.Tensor, what has a buffer, and what has __dlpack__. False
// when o is no array. Memory that must not be written, or that lies as no tensor can (negative
// strides, odd addresses, another byte order), is the model's own as soon as it writes it. Throws
// Error for a dtype or device that tensors can't have.
bool tensor_from(nb::handle o, Tensor& out, Incoming& in);

// Null where NumPy has no such dtype or not so many dimensions, and for tensors of other devices or
// without strides.
nb::object to_numpy(const Tensor& t, bool writable);
int64_t numpy_most_dims();
// A capsule "dltensor", or "dltensor_versioned".
nb::object to_dlpack(const Tensor& t, bool writable, bool versioned);
std::pair<int, int> dlpack_device(const Tensor& t);
nb::object to_torch(const Tensor& t);

// Of "float32", of dtypes of NumPy and PyTorch, and of what has a dtype for a number. False when o
// names none.
bool dtype_from(nb::handle o, ScalarType& out);

}  // namespace sconce::python
