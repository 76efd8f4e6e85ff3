// SPDX-License-Identifier: Apache-2.0
// Operators of the host: given as rows, or by a shared library.
#include "api/runtime.h"
#include "sconce/op.h"
#include "support/platform.h"

namespace sconce {

void register_operators(const CustomOp* rows, size_t count) {
  // The one table of the process; its own lock makes adding safe.
  const_cast<OpTable&>(op_table()).add(rows, count);
}

void load_plugin(const std::string& path) {
  void* library = open_library(path.c_str());
  if (!library) raise<Error>(path, ": can't be loaded: ", library_error());
  auto entry = reinterpret_cast<const Plugin* (*)()>(library_symbol(library, "sconce_plugin"));
  if (!entry) raise<Error>(path, ": is no plug-in of sconce (it has no sconce_plugin)");
  const Plugin* p = entry();
  if (p->abi != kPluginAbi)
    raise<Error>(path, ": was built for plug-in version ", p->abi, ", this is version ",
                 kPluginAbi);
  register_operators(p->rows, p->count);
}

}  // namespace sconce
