// SPDX-License-Identifier: Apache-2.0
// NumPy, which is imported when it is first needed.
#pragma once
#include <nanobind/nanobind.h>
#include <sconce/sconce.h>

namespace sconce::python {

namespace nb = nanobind;

// A few functions of NumPy's C interface, by their places in its table, which its ABI fixes. No
// header of NumPy is needed to build, and calling them costs less than its Python functions.
struct Numpy {
  void* array_type;
  void* (*descr_from_type)(int);
  PyObject* (*new_from_descr)(void* type, void* descr, int nd, const Py_ssize_t* sizes,
                              const Py_ssize_t* strides, void* data, int flags, PyObject* like);
  int (*set_base)(PyObject* array, PyObject* base);
  int64_t most_dims;
};
const Numpy& numpy();

// The strides in bytes that an array of NumPy has itself. Null when o is none.
const Py_ssize_t* numpy_strides(PyObject* o, int dims);

// Of NPY_TYPES; -1: NumPy has no such dtype.
int numpy_type(ScalarType t);

}  // namespace sconce::python
