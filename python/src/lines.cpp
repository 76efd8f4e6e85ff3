// SPDX-License-Identifier: Apache-2.0
// What models print and warn of. The library writes lines, on whichever thread runs, without the
// interpreter's lock.
#include "gil.h"
#include "module.h"

namespace sconce::python {

LineBuffer::int_type LineBuffer::overflow(int_type c) {
  if (c == traits_type::eof()) return 0;
  const char one = static_cast<char>(c);
  xsputn(&one, 1);
  return c;
}

std::streamsize LineBuffer::xsputn(const char* s, std::streamsize n) {
  std::string lines;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    text_.append(s, static_cast<size_t>(n));
    if (file_.is_none()) return n;
    const size_t end = text_.rfind('\n');
    if (end == std::string::npos) return n;
    lines = text_.substr(0, end + 1);
    text_.erase(0, end + 1);
  }
  write(std::move(lines));
  return n;
}

void LineBuffer::write(std::string lines) {
  Acquired lock;
  if (failed_.load()) return;
  try {
    nb::object file = file_.is_valid() ? file_ : nb::module_::import_("sys").attr("stdout");
    if (file.is_none()) return;
    nb::object text = nb::steal(
        PyUnicode_DecodeUTF8(lines.data(), static_cast<Py_ssize_t>(lines.size()), "replace"));
    file.attr("write")(text);
  } catch (nb::python_error& e) {
    // Raised when the call is over: the model runs on.
    e.restore();
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    std::lock_guard<std::mutex> guard(mutex_);
    error_ = value;
    failed_.store(true);
  }
}

std::string LineBuffer::take() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(text_, {});
}

void LineBuffer::rethrow() {
  if (!failed_.load(std::memory_order_relaxed)) return;
  PyObject* error;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    error = std::exchange(error_, nullptr);
    failed_.store(false);
  }
  if (!error) return;
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
  Py_DECREF(error);
  throw nb::python_error();
}

}  // namespace sconce::python
