// SPDX-License-Identifier: Apache-2.0
// What Module::save() writes besides the module, and how.
#pragma once
#include <optional>
#include <string>
#include <unordered_map>

#include "sconce/scalar_type.h"

namespace sconce {

struct SaveOptions {
  // Without the records that name the lines of the original Python in messages.
  bool strip_debug = false;
  // Storages with the same bytes are written once; what shared no memory before does afterwards.
  bool dedupe = false;
  // Where the tensors are when the file is loaded; devices that are constants of the code follow.
  // Unset: where the module is.
  std::optional<Device> device;
  // The version that the file claims. 0: the lowest that gives the operators used their meaning, as
  // PyTorch writes it. Throws Error for one that is lower, or that PyTorch doesn't read.
  int file_version = 0;
  // Records under extra/, by name.
  std::unordered_map<std::string, std::string> extra_files;
};

}  // namespace sconce
