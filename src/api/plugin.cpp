// SPDX-License-Identifier: Apache-2.0
// Operators and passes of the host: given as rows, or by a shared library.
#include "api/runtime.h"
#include "sconce/op.h"
#include "sconce/pass.h"
#include "support/platform.h"

namespace sconce {

void register_operators(const CustomOp* rows, size_t count) {
  // The one table of the process; its own lock makes adding safe.
  const_cast<OpTable&>(op_table()).add(rows, count);
}

void load_plugin(const std::string& path) {
  void* library = open_library(path.c_str());
  if (!library) raise<Error>(path, ": can't be loaded: ", library_error());
  auto operators = reinterpret_cast<const Plugin* (*)()>(library_symbol(library, "sconce_plugin"));
  auto passes = reinterpret_cast<const PassPlugin* (*)()>(library_symbol(library, "sconce_passes"));
  if (!operators && !passes)
    raise<Error>(path, ": is no plug-in of sconce (it has no sconce_plugin and no sconce_passes)");
  if (operators) {
    const Plugin* p = operators();
    if (p->abi != kPluginAbi)
      raise<Error>(path, ": was built for plug-in version ", p->abi, ", this is version ",
                   kPluginAbi);
    register_operators(p->rows, p->count);
  }
  if (passes) {
    const PassPlugin* p = passes();
    if (p->abi != kPassAbi)
      raise<Error>(path, ": its passes were built with the headers of another version of sconce");
    for (size_t i = 0; i < p->count; ++i) register_pass(p->passes[i]);
  }
}

}  // namespace sconce
