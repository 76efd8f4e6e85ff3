// SPDX-License-Identifier: Apache-2.0
// A TorchScript archive: records, constants, sources, the object tree.
#pragma once
#include <memory>
#include <string>

#include "core/op_table.h"
#include "loader/pickle.h"
#include "loader/script/compilation_unit.h"
#include "loader/zip.h"

namespace sconce {

struct LoadedArchive {
  std::shared_ptr<zip::Archive> zip;
  std::shared_ptr<script::CompilationUnit> cu;
  uint64_t version = 0;
  std::optional<Device> saved_on;  // where its tensors were when that wasn't the CPU
  IValue root;                     // the module object
  bool compiled = false;           // made by compile(): its functions can be called by name
  std::shared_ptr<const script::Policy> policy;  // null: everything is permitted
};

// run: executes a compiled function (__setstate__ needs it). Null: objects that need one are made
// without attributes, and nothing of the file runs.
using RunFunction = std::function<IValue(Function&, std::vector<IValue>)>;

LoadedArchive load_archive(Bytes bytes, const std::string& name, const OpTable& ops,
                           const RunFunction& run,
                           std::shared_ptr<const script::Policy> policy = nullptr);
LoadedArchive load_archive(std::shared_ptr<zip::Archive> zip, const OpTable& ops,
                           const RunFunction& run,
                           std::shared_ptr<const script::Policy> policy = nullptr);
// Throws PolicyError when the policy refuses to run f, a __setstate__.
void check_setstate(const LoadedArchive& a, const Function& f);
// The value of a torch.save file, of its zip form or the stream that torch before 1.6 wrote.
IValue load_torch_save(Bytes bytes, const std::string& name);

// Archives of torch 1.0 to 1.2 (model.json instead of constants.pkl and data.pkl).
void load_model_json(LoadedArchive& a, const OpTable& ops, const RunFunction& run);

}  // namespace sconce
