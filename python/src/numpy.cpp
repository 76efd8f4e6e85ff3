// SPDX-License-Identifier: Apache-2.0
#include "numpy.h"

#include <memory>

namespace sconce::python {

namespace {
// Of the object behind every array, what NumPy's ABI fixes as its first fields.
struct ArrayHead {
  PyObject head;
  char* data;
  int dims;
  Py_ssize_t* sizes;
  Py_ssize_t* strides;
};

bool is_imported() {
  static bool known = false;
  if (!known) {
    nb::object modules = nb::module_::import_("sys").attr("modules");
    known = PyDict_GetItemString(modules.ptr(), "numpy") != nullptr;
  }
  return known;
}
}  // namespace

const Numpy& numpy() {
  static const Numpy* known = nullptr;
  if (known) return *known;
  nb::module_::import_("numpy");
  nb::object core;
  try {
    core = nb::module_::import_("numpy._core._multiarray_umath");
  } catch (nb::python_error&) {
    core = nb::module_::import_("numpy.core._multiarray_umath");  // before NumPy 2
  }
  nb::object api = core.attr("_ARRAY_API");
  void** table = static_cast<void**>(PyCapsule_GetPointer(api.ptr(), nullptr));
  if (!table) throw nb::python_error();
  auto n = std::make_unique<Numpy>();
  n->array_type = table[2];
  n->descr_from_type = reinterpret_cast<decltype(n->descr_from_type)>(table[45]);
  n->new_from_descr = reinterpret_cast<decltype(n->new_from_descr)>(table[94]);
  n->set_base = reinterpret_cast<decltype(n->set_base)>(table[282]);
  const auto version = nb::cast<std::string>(nb::module_::import_("numpy").attr("__version__"));
  n->most_dims = version.substr(0, 2) == "1." ? 32 : 64;  // NPY_MAXDIMS
  return *(known = n.release());
}

const Py_ssize_t* numpy_strides(PyObject* o, int dims) {
  if (!o || !is_imported() ||
      !PyObject_TypeCheck(o, static_cast<PyTypeObject*>(numpy().array_type)))
    return nullptr;
  const auto* array = reinterpret_cast<const ArrayHead*>(o);
  return array->dims == dims ? array->strides : nullptr;
}

int numpy_type(ScalarType t) {
  switch (t) {
    case ScalarType::Bool: return 0;
    case ScalarType::Char: return 1;
    case ScalarType::Byte: return 2;
    case ScalarType::Short: return 3;
    case ScalarType::UInt16: return 4;
    case ScalarType::Int: return 5;
    case ScalarType::UInt32: return 6;
    case ScalarType::Long: return sizeof(long) == 8 ? 7 : 9;
    case ScalarType::UInt64: return sizeof(long) == 8 ? 8 : 10;
    case ScalarType::Float: return 11;
    case ScalarType::Double: return 12;
    case ScalarType::ComplexFloat: return 14;
    case ScalarType::ComplexDouble: return 15;
    case ScalarType::Half: return 23;
    default: return -1;
  }
}

}  // namespace sconce::python
