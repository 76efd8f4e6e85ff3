// SPDX-License-Identifier: Apache-2.0
// A zip file's records, and a zip file of records: stored, with right checksums.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sconce::fuzz {

using Records = std::vector<std::pair<std::string, std::string>>;

// What can be read of it; empty when nothing can.
Records read_zip(const uint8_t* data, size_t size);
std::string write_zip(const Records& records);

}  // namespace sconce::fuzz
