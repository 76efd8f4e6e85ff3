// SPDX-License-Identifier: Apache-2.0
// Changes that keep an input readable, so that a fuzzer gets past checksums and parsers: records
// inside of zip files, opcodes of pickles, tokens of sources and graphs, values of JSON.
#pragma once
#include <cstddef>
#include <cstdint>

#include "targets.h"

namespace sconce::fuzz {

// Bytes changed without regard to what they mean; libFuzzer's own.
using MutateBytes = size_t (*)(uint8_t* data, size_t size, size_t max_size);

// As LLVMFuzzerCustomMutator: changes data in place, returns its new size.
size_t mutate(Shape shape, uint8_t* data, size_t size, size_t max_size, unsigned seed,
              MutateBytes bytes);

}  // namespace sconce::fuzz
