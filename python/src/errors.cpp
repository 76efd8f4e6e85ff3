// SPDX-License-Identifier: Apache-2.0
// Exceptions of the library as those of sconce/_errors.py.

#include "module.h"

namespace sconce::python {

namespace {
void raise_python(const char* kind, const std::string& what, const std::string& message = "",
                  const std::string& class_name = "") {
  try {
    nb::object text = nb::steal(
        PyUnicode_DecodeUTF8(what.data(), static_cast<Py_ssize_t>(what.size()), "replace"));
    nb::object told = nb::steal(
        PyUnicode_DecodeUTF8(message.data(), static_cast<Py_ssize_t>(message.size()), "replace"));
    nb::object error =
        nb::module_::import_("sconce._errors").attr("make")(kind, text, told, class_name);
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
  } catch (nb::python_error& e) {
    e.restore();
  }
}
}  // namespace

void bind_errors(nb::module_&) {
  nb::register_exception_translator([](const std::exception_ptr& p, void*) {
    try {
      std::rethrow_exception(p);
    } catch (const ArgumentError& e) {
      raise_python("ArgumentError", e.what());
    } catch (const FormatError& e) {
      raise_python("FormatError", e.what());
    } catch (const ScriptError& e) {
      raise_python("ScriptError", e.what());
    } catch (const MissingOp& e) {
      raise_python("MissingOp", e.what());
    } catch (const OpError& e) {
      raise_python("OpError", e.what());
    } catch (const RaisedError& e) {
      raise_python("RaisedError", e.what(), e.message(), e.class_name());
    } catch (const LimitError& e) {
      raise_python("LimitError", e.what());
    } catch (const PolicyError& e) {
      raise_python("PolicyError", e.what());
    } catch (const OutOfMemory& e) {
      raise_python("OutOfMemory", e.what());
    } catch (const Error& e) {
      raise_python("Error", e.what());
    }
  });
}

}  // namespace sconce::python
