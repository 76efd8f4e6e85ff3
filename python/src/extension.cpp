// SPDX-License-Identifier: Apache-2.0
// sconce._sconce: the library for Python. The package's own files give it its face.
#include <sconce/version.h>

#include "module.h"

NB_MODULE(_sconce, m) {
  using namespace sconce::python;
  m.doc() = "sconce's library for Python.";
  // A module that is alive when the interpreter ends is no error, and its memory is the system's.
  nb::set_leak_warnings(false);
  remember_main_thread();
  bind_errors(m);
  bind_tensor(m);
  bind_values(m);
  bind_module(m);
  bind_graph(m);
  m.attr("__version__") = SCONCE_VERSION;
}
