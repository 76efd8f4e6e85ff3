// SPDX-License-Identifier: Apache-2.0
// What rewrites ask of nodes and values, and the small steps that they share.
#pragma once
#include <optional>
#include <string_view>

#include "core/op_table.h"
#include "ir/graph.h"

namespace sconce {

inline bool is_kind(const Node* n, std::string_view kind) { return n->kind.view() == kind; }
// n runs this overload: "aten::add.Tensor".
inline bool is_overload(const Node* n, std::string_view full_name) {
  return n->op && n->op->full_name() == full_name;
}
inline std::optional<int64_t> constant_int(const Value* v) {
  auto c = constant_value(v);
  return c && c->isInt() ? std::optional<int64_t>(c->toInt()) : std::nullopt;
}
inline std::optional<bool> constant_bool(const Value* v) {
  auto c = constant_value(v);
  return c && c->isBool() ? std::optional<bool>(c->toBool()) : std::nullopt;
}
// Of an int, float or bool constant.
inline std::optional<double> constant_number(const Value* v) {
  auto c = constant_value(v);
  if (c && c->isInt()) return static_cast<double>(c->toInt());
  if (c && c->isDouble()) return c->toDouble();
  if (c && c->isBool()) return c->toBool() ? 1.0 : 0.0;
  return std::nullopt;
}
inline bool must_be_none(const Value* v) {
  if (v->type->kind == TypeKind::None) return true;
  auto c = constant_value(v);
  return c && c->isNone();
}
// What is known of a tensor; null of what is none, or of which nothing is known.
inline const TensorInfo* tensor_info(const Value* v) {
  return v->type->kind == TypeKind::Tensor ? v->type->tensor.get() : nullptr;
}
inline const TensorInfo* info_with_dtype(const Value* v) {
  const TensorInfo* t = tensor_info(v);
  return t && t->has_dtype ? t : nullptr;
}
// A constant in front of at takes old's uses over.
inline void replace_by_constant(Node* at, Value* old, IValue v) {
  InsertPoint point(*at->graph, at);
  old->replace_all_uses_with(at->graph->insert_constant(std::move(v)));
}

}  // namespace sconce
