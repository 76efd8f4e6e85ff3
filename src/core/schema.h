// SPDX-License-Identifier: Apache-2.0
// Function schemas and their text form: "aten::add.Tensor(Tensor self, Tensor other, *, Scalar
// alpha=1) -> Tensor".
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sconce/ivalue.h"

namespace sconce {

struct AliasInfo {
  std::string before, after;  // alias sets: "a", "*"; empty: none
  bool is_write = false;
  explicit operator bool() const { return !before.empty(); }
};

struct Argument {
  std::string name;
  TypePtr type = nullptr;
  int32_t n = 0;  // int[N]: N, else 0
  std::optional<IValue> default_value;
  bool kwarg_only = false;
  AliasInfo alias, element_alias;
};

struct FunctionSchema {
  std::string name, overload;  // "aten::add", "Tensor"
  std::vector<Argument> arguments, returns;
  bool is_vararg = false, is_varret = false;
  int argument_index(std::string_view arg) const;
  bool is_mutable() const;
  std::string str() const;
};

// Throws ScriptError when the text is no schema.
FunctionSchema parse_schema(std::string_view text);
// A type in schema syntax: "Tensor?", "int[]", "Dict(str, t)". resolve finds class names (may be
// null).
TypePtr parse_schema_type(std::string_view text,
                          const std::function<TypePtr(const std::string&)>& resolve = nullptr);
// Gives the class, enum or interface that a graph text names.
using DeclareType = std::function<TypePtr(TypeKind kind, const std::string& name)>;
// The type that stands first in text, as graphs print it ("Float(2, *, device=cpu)", "Enum<E>");
// used becomes its length. Types that mention a class live in table.
TypePtr parse_graph_type(std::string_view text, size_t* used, TypeTable& table,
                         const DeclareType& declare);

// Type variables bound so far.
using TypeEnv = std::vector<std::pair<std::string, TypePtr>>;
// Binds the variables of formal so that it accepts actual. False, with a reason in *why, when that
// fails.
bool match_type_variables(TypePtr formal, TypePtr actual, TypeEnv& env, TypeTable& table,
                          std::string* why);
// formal with its variables replaced, or null when one is unbound.
TypePtr eval_type_variables(TypePtr formal, const TypeEnv& env, TypeTable& table);

}  // namespace sconce
