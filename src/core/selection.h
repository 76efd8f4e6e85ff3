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
constexpr const std::string_view* first_from(std::string_view name) {
  return std::lower_bound(std::begin(kSelected), std::end(kSelected), name);
}
}  // namespace detail

// Some operator's name begins so.
constexpr bool family_in_build(std::string_view prefix) {
  const auto* found = detail::first_from(prefix);
  return found != std::end(detail::kSelected) && found->substr(0, prefix.size()) == prefix;
}
// Some overload of "aten::add".
constexpr bool any_overload_in_build(std::string_view name) {
  const auto* found = detail::first_from(name);
  return found != std::end(detail::kSelected) && found->substr(0, name.size()) == name &&
         (found->size() == name.size() || (*found)[name.size()] == '.');
}
// Of "aten::add.Tensor"; of "aten::add.*": of any overload.
constexpr bool in_build(std::string_view name) {
  if (name.size() > 2 && name.substr(name.size() - 2) == ".*")
    return any_overload_in_build(name.substr(0, name.size() - 2));
  const auto* found = detail::first_from(name);
  return found != std::end(detail::kSelected) && *found == name;
}
#else
inline constexpr bool kReduced = false;
constexpr bool family_in_build(std::string_view) { return true; }
constexpr bool any_overload_in_build(std::string_view) { return true; }
constexpr bool in_build(std::string_view) { return true; }
#endif

namespace detail {
template <class Row>
constexpr bool row_in_build(const Row& row) {
  return in_build(row.name);
}
// A schema, or a name: other overloads of a name stay known, since they decide which one is meant.
constexpr bool row_in_build(const char* schema) {
  size_t end = 0;
  while (schema[end] && schema[end] != '.' && schema[end] != '(') ++end;
  return any_overload_in_build({schema, end});
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

// "operator aten::foo is not implemented in sconce"; of a reduced build, that it isn't in this
// build.
std::string missing_operator_text(std::string_view name,
                                  std::string_view why = " is not implemented in sconce");

}  // namespace sconce
