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
// The inputs of a call, as Python would give them for the method's parameters. Throws
// CLI::ValidationError when one is of a wrong kind, or too few or too many are given.
std::vector<IValue> method_inputs(const Module& m, const std::string& method,
                                  const std::vector<IValue>& given);
// As .npy, little endian. Throws FormatError when the file can't be written or the dtype has no
// numpy form.
void write_npy(const std::string& path, const Tensor& t);
Tensor read_npy(const std::string& path);

}  // namespace sconce::tool
