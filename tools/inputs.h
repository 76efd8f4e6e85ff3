// SPDX-License-Identifier: Apache-2.0
// Inputs given on the command line.
#pragma once
#include <string>

#include "sconce/sconce.h"

namespace sconce::tool {

// FILE.npy, FILE.pt (torch.save), a literal (3, 2.5, true, "text", [1,2]) or
// zeros/ones/randn/arange(sizes)[:dtype]. Throws FormatError for a bad file, CLI::ValidationError
// for anything else that is none of these.
IValue parse_input(const std::string& text);
// As .npy, little endian. Throws FormatError when the file can't be written or the dtype has no
// numpy form.
void write_npy(const std::string& path, const Tensor& t);
Tensor read_npy(const std::string& path);

}  // namespace sconce::tool
