// SPDX-License-Identifier: Apache-2.0
// libFuzzer's entry points for the target that SCONCE_FUZZ_TARGET names.
#include <cstdio>
#include <cstdlib>

#include "mutators.h"
#include "targets.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {
const sconce::fuzz::Target& target() {
  static const sconce::fuzz::Target* t = [] {
    sconce::fuzz::prepare();
    return sconce::fuzz::find_target(SCONCE_FUZZ_TARGET);
  }();
  return *t;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)target().run(data, size);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  return sconce::fuzz::mutate(target().shape, data, size, max_size, seed, LLVMFuzzerMutate);
}
