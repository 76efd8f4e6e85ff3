// SPDX-License-Identifier: Apache-2.0
// A module to an archive: what load_archive() and PyTorch read.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/op_table.h"
#include "ir/function.h"
#include "support/byte_sink.h"

namespace sconce::writer {

struct ArchiveContents {
  IValue root;                       // the module
  std::vector<Function*> functions;  // written as methods of its class
  const OpTable* ops = nullptr;
  // Runs __getstate__.
  std::function<IValue(Function&, std::vector<IValue>)> run;
  std::string folder = "archive";
  std::optional<Device> device;    // where tensors are, and devices in the code
  std::optional<Device> saved_on;  // only where tensors are; device wins
  bool strip_debug = false, dedupe = false;
  uint64_t version = 0;  // 0: the lowest that does
  std::map<std::string, std::string> extra_files;
};

// Throws Error for what has no form in an archive, having written nothing; and what the sink
// throws.
void write_archive(const ArchiveContents& contents, ByteSink& out);

}  // namespace sconce::writer
