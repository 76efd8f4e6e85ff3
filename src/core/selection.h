// SPDX-License-Identifier: Apache-2.0
// Which operators are in this build: all, or in a reduced build (CMake: SCONCE_OPERATORS_FROM)
// those of a list, sconce_selected.inc. Tables of rows keep what is in the build; nothing refers to
// the functions of the other rows then, and the linker drops these and what only they need.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace sconce {

#ifdef SCONCE_REDUCED
inline constexpr bool kReduced = true;
namespace detail {
inline constexpr std::string_view kSelected[] = {
#include "sconce_selected.inc"
};
static_assert(std::is_sorted(std::begin(kSelected), std::end(kSelected)));
}  // namespace detail

// Of "aten::add.Tensor"; of "aten::add.*": of any overload.
constexpr bool in_build(std::string_view name) {
  const bool any = name.size() > 2 && name.substr(name.size() - 2) == ".*";
  if (any) name.remove_suffix(2);
  const auto* found =
      std::lower_bound(std::begin(detail::kSelected), std::end(detail::kSelected), name);
  if (found == std::end(detail::kSelected)) return false;
  return *found == name ||
         (any && found->substr(0, name.size()) == name && (*found)[name.size()] == '.');
}
// Some operator's name begins so.
constexpr bool family_in_build(std::string_view prefix) {
  const auto* found =
      std::lower_bound(std::begin(detail::kSelected), std::end(detail::kSelected), prefix);
  return found != std::end(detail::kSelected) && found->substr(0, prefix.size()) == prefix;
}
#else
inline constexpr bool kReduced = false;
constexpr bool in_build(std::string_view) { return true; }
constexpr bool family_in_build(std::string_view) { return true; }
#endif

namespace detail {
template <class Row>
constexpr bool row_in_build(const Row& row) {
  return in_build(row.name);
}
// A schema, or a name: other overloads of a name stay known, since they decide which one is meant.
constexpr bool row_in_build(const char* schema) {
#ifdef SCONCE_REDUCED
  size_t end = 0;
  while (schema[end] && schema[end] != '.' && schema[end] != '(') ++end;
  const std::string_view name(schema, end);
  const auto* found = std::lower_bound(std::begin(kSelected), std::end(kSelected), name);
  return found != std::end(kSelected) &&
         (*found == name ||
          (found->substr(0, name.size()) == name && (*found)[name.size()] == '.'));
#else
  return schema != nullptr;
#endif
}
template <const auto& kRows>
constexpr auto keep_rows() {
  using Row = std::remove_cv_t<std::remove_reference_t<decltype(kRows[0])>>;
  constexpr size_t kCount = std::size(kRows);
  constexpr auto kKept = [] {
    std::array<bool, kCount> kept{};
    for (size_t i = 0; i < kCount; ++i) kept[i] = row_in_build(kRows[i]);
    return kept;
  }();
  std::array<Row, static_cast<size_t>(std::count(kKept.begin(), kKept.end(), true))> rows{};
  for (size_t i = 0, n = 0; i < kCount; ++i)
    if (kKept[i]) rows[n++] = kRows[i];
  return rows;
}
}  // namespace detail

// The rows of a constexpr array that are in the build. A row has a name, or is a schema.
template <const auto& kRows>
inline constexpr auto kRowsInBuild = detail::keep_rows<kRows>();

// "operator aten::foo is not implemented in sconce", or that it isn't in this build.
std::string missing_operator_text(std::string_view name);

}  // namespace sconce
