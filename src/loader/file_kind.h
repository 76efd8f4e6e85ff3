// SPDX-License-Identifier: Apache-2.0
// What a file is when it isn't the archive that was hoped for, and what to do about it: by its
// first bytes, and by the names in a zip file.
#pragma once
#include <string>
#include <vector>

#include "support/platform.h"

namespace sconce {

// "a safetensors file: ..."; "" when the bytes begin a zip file or aren't known.
std::string kind_of_bytes(const Bytes& bytes);
// The same of a zip file without TorchScript's constants.pkl, by its names; "" when it isn't known.
std::string kind_of_zip(const std::vector<std::string>& names);
// Throws FormatError with what bytes are when they begin no zip file. name: the file, for the
// message.
void refuse_other_files(const Bytes& bytes, const std::string& name);

}  // namespace sconce
