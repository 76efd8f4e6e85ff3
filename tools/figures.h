// SPDX-License-Identifier: Apache-2.0
// How far an answer is from the expected one, output by output: what verify tells beside the first
// difference. Entry: figures_of().
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "compare.h"

namespace sconce::tool {

// Of one leaf of a value: a tensor, a number, a string.
struct Figures {
  std::string where;              // "output[0][\"boxes\"]"
  std::string what;               // "float32 [2, 3]", "int"
  int64_t elements = 0, out = 0;  // all, and those out of tolerance
  // Over pairs of finite elements. max_rel: of |actual - expected| / |expected| where that isn't 0.
  // max_ulp: numbers of the dtype from one to the other; only where the dtype is floating.
  double max_abs = 0, max_rel = 0;
  std::optional<uint64_t> max_ulp;
  struct Pair {
    int64_t actual = 0, expected = 0;
  };
  Pair nan, inf;
  std::string difference;  // the first, with its place; empty: none
  bool compared = true;  // false: there are no figures, as the two are of different kinds or sizes
};

// One for each leaf of the expected value; of containers that don't fit each other, one that says
// so.
std::vector<Figures> figures_of(const IValue& actual, const IValue& expected, const Tolerance& tol,
                                const std::string& where);
// "output[0]: float32 [2, 3]: max abs 1e-06, rel 2e-05, 12 ulp; NaN 0, expected 0; ...". One line.
std::string figures_text(const Figures& f);
nlohmann::ordered_json to_json(const Figures& f);
Figures figures_from_json(const nlohmann::ordered_json& j);

}  // namespace sconce::tool
