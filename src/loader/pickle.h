// SPDX-License-Identifier: Apache-2.0
// A pickle reader that executes nothing: a closed list of globals, checked lengths, no recursion.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sconce/ivalue.h"
#include "support/platform.h"

namespace sconce {

struct PickleOptions {
  std::string what;  // the record's name, for messages
  // Bytes of the storage `key`, of which `size` are wanted.
  std::function<Bytes(const std::string& key, uint64_t size)> read_storage;
  // The same as a storage whose bytes are read later; may be absent, or answer null.
  std::function<Ref<Storage>(const std::string& key, uint64_t size)> defer_storage;
  // Class, enum or interface `qualified_name`; null when unknown.
  std::function<TypePtr(const std::string& qualified_name)> resolve_type;
  // Annotation text of restore_type_tag.
  std::function<TypePtr(const std::string& text)> parse_type;
  // Makes an object from its class and pickled state.
  std::function<IValue(const ClassType* type, IValue state)> build_object;
  // Bytes of the file that the pickle comes from, which bound what is made of it; 0: those of the
  // pickle.
  uint64_t file_size = 0;
  // torch.save: Python's pickler wrote it; storages are shared by key, unknown globals are refused.
  bool torch_save = false;
  // Storage records may be shorter than needed (traced_inputs).
  bool allow_short_storage = false;
  TypeTable* types = nullptr;
  // Told the device of storages that were not in the CPU's memory; they are read into it.
  std::optional<Device>* saved_on = nullptr;
  // model.json archives: what build_tensor_from_id names.
  const std::vector<IValue>* tensor_table = nullptr;
};

// Throws FormatError for anything that is not a well-formed pickle of the dialect.
IValue unpickle(const Bytes& bytes, const PickleOptions& options);

// How many bytes the pickle at the front of bytes has; nothing is made of it. Throws FormatError
// when it has no end.
size_t pickle_size(const Bytes& bytes, const std::string& what);

}  // namespace sconce
