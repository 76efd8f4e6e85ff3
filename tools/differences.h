// SPDX-License-Identifier: Apache-2.0
// What two sequences have in common, in order; the differences of two texts.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sconce::tool {

// Pairs of places with equal elements, rising in both: what stands once in each is taken first, the
// longest common subsequence between such places then. Never quadratic in time or memory: stretches
// too long for the subsequence stay without pairs.
using Pairs = std::vector<std::pair<size_t, size_t>>;
Pairs align(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b);

// Lines that differ, as diff -U1 shows them; empty when there are none.
std::string text_diff(const std::string& before, const std::string& after);

}  // namespace sconce::tool
