// SPDX-License-Identifier: Apache-2.0
// LAPACK in double precision, found in OpenBLAS when it is first needed, so that a program that
// uses no linear algebra neither links nor starts it.
#pragma once
#include <complex>
#include <cstddef>

namespace sconce::lapack {

using Cd = std::complex<double>;

// The address of a Fortran routine such as "dgetrf_". Throws OpError when OpenBLAS is not there.
void* routine(const char* name);

// Calls d... for double, z... for complex numbers. All arguments are pointers, as in Fortran;
// lengths of character arguments follow.
template <class... A>
void call(const char* name, A... args) {
  reinterpret_cast<void (*)(A...)>(routine(name))(args...);
}

}  // namespace sconce::lapack
