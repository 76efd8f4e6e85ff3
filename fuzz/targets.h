// SPDX-License-Identifier: Apache-2.0
// Entry points that take bytes from anywhere. A target either returns or fails as itself: it
// catches sconce::Error and std::bad_alloc, which are answers; everything else is a finding.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sconce::fuzz {

enum class Shape { Zip, Pickle, Source, Graph, Json, Bytes };  // what mutators know of the input

struct Target {
  const char *name, *what;
  Shape shape;
  // The error's message, "" for an answer.
  std::string (*run)(const uint8_t* data, size_t size);
};

const std::vector<Target>& targets();
// Null when there is no such target.
const Target* find_target(const std::string& name);
// Before the first run: a bound on the memory of tensors.
void prepare();

}  // namespace sconce::fuzz
