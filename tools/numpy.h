// SPDX-License-Identifier: Apache-2.0
// numpy's files: one tensor as .npy, several with names as .npz.
#pragma once
#include <string>

#include "sconce/sconce.h"

namespace sconce::tool {

// Either byte order, C and Fortran order. Throws FormatError.
Tensor read_npy(const std::string& path);
// The same from memory; what: the file, and the member of an .npz.
Tensor parse_npy(const unsigned char* data, size_t size, const std::string& what);
// All arrays as a dict from names, or the array called key. Throws FormatError.
IValue read_npz(const std::string& path);
IValue read_npz(const std::string& path, const std::string& key);
// As .npy, little endian. Throws FormatError when the file can't be written or the dtype has no
// numpy form.
void write_npy(const std::string& path, const Tensor& t);

}  // namespace sconce::tool
