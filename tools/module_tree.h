// SPDX-License-Identifier: Apache-2.0
// What the modules of an archive, or the dotted names of a torch.save file, hold: a tree with
// counts.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "sconce/sconce.h"

namespace sconce::tool {

struct TensorCount {
  int64_t tensors = 0, elements = 0;
  uint64_t bytes = 0;
};

struct ModuleNode {
  struct Own {
    std::string name, kind;  // "parameter", "buffer", "tensor"
    Tensor value;
  };
  std::string name;        // in the parent; of several merged ones "0-11"
  std::string class_name;  // without folders and mangling: "BertLayer"
  int64_t copies = 1;      // merged ones
  // Of this module and all below; what is shared counts once.
  TensorCount parameters, buffers, others;
  std::vector<Own> tensors;
  std::vector<ModuleNode> children;
  // Equal for modules that are built alike: class, names, shapes, dtypes.
  std::string shape;

  uint64_t bytes() const { return parameters.bytes + buffers.bytes + others.bytes; }
};

ModuleNode module_tree(const Object& root);
// Nested dicts and dots in names are levels.
ModuleNode state_tree(const IValue& state);

// Lines of "name (Class)", parameters, bytes. Unless all is asked for: as deep as about 40 lines
// reach, and neighbours that are numbered and of one class as one line.
std::string tree_text(const ModuleNode& root, bool all);
nlohmann::ordered_json tree_json(const ModuleNode& root);

// "__torch__.torch.nn.modules.linear.___torch_mangle_0.Linear" is a "Linear".
std::string short_class_name(const std::string& qualified);
// "float32 [2, 3]", "(float32 [2], int)": what kind of value it is.
std::string value_outline(const IValue& v);

}  // namespace sconce::tool
