// SPDX-License-Identifier: Apache-2.0
#include "backends/ref/lapack.h"

#ifdef SCONCE_HAVE_BLAS
#include <dlfcn.h>
#endif

#include <cstdint>

#include "sconce/error.h"

namespace sconce::lapack {

void* routine(const char* name) {
#ifdef SCONCE_HAVE_BLAS
  static void* library = [] {
    void* h = nullptr;
    for (const char* file : {"libopenblas.so.0", "libopenblas.so", "liblapack.so.3"}) {
      h = dlopen(file, RTLD_NOW | RTLD_LOCAL);
      if (h) break;
    }
    // Small matrices are not worth OpenBLAS' threads, and sconce has its own.
    if (h)
      if (void* f = dlsym(h, "openblas_set_num_threads")) reinterpret_cast<void (*)(int)>(f)(1);
    return h;
  }();
  // Names are literals: those of the last calls are known by their addresses.
  static thread_local struct {
    const char* name;
    void* routine;
  } known[8];
  auto& last = known[reinterpret_cast<uintptr_t>(name) / 8 % 8];
  if (last.name == name) return last.routine;
  void* f = library ? dlsym(library, name) : nullptr;
  if (f) {
    last = {name, f};
    return f;
  }
  raise<OpError>(
      "linear algebra needs OpenBLAS with LAPACK (libopenblas.so.0), which was not "
      "found on this machine");
#else
  raise<OpError>("linear algebra (", name, ") needs a library built with SCONCE_BLAS=ON");
#endif
}

}  // namespace sconce::lapack
