// SPDX-License-Identifier: Apache-2.0
#include "passes/reshaping.h"

#include <algorithm>
#include <unordered_set>

#include "core/op_table.h"
#include "support/lasting.h"
#include "support/stack.h"

namespace sconce {

Graph* own_subgraph(Node* n) {
  static const Symbol name("Subgraph");
  const Attribute* a = n->find(name);
  if (!a || a->kind != Attribute::Kind::Graph || !a->graph) return nullptr;
  auto& graph = n->set(name, Attribute::Kind::Graph).graph;
  if (graph.use_count() > 1) graph = graph->copy();
  return graph.get();
}

bool changes_form(const Node* n) {
  if (!n->op) return false;
  static const Lasting names(new std::unordered_set<std::string_view>{
      "resize_", "resize_as_", "resize_as_sparse_", "_resize_output_", "set_", "set_data", "t_",
      "transpose_", "swapaxes_", "swapdims_", "squeeze_", "unsqueeze_", "as_strided_", "rename_",
      "movedim_", "moveaxis_", "detach_", "requires_grad_", "swap_data"});
  if (n->kind.is_aten() && names->count(n->kind.unqualified())) return true;
  // out= forms give their outputs the result's sizes.
  const auto& arguments = n->op->schema().arguments;
  return std::any_of(arguments.begin(), arguments.end(), [](const Argument& a) {
    return a.kwarg_only && (a.alias.is_write || a.element_alias.is_write);
  });
}

bool any_changes_form(const Block* b) {
  check_stack();
  for (const Node* n = b->first(); n != b->ret; n = n->next) {
    if (changes_form(n)) return true;
    for (const Block* inner : n->blocks)
      if (any_changes_form(inner)) return true;
  }
  return false;
}

bool uses_elements_only(const Node* n) {
  if (!n->op || n->op->custom || !n->kind.is_aten() || changes_form(n)) return false;
  static const Lasting asks(new std::unordered_set<std::string_view>{
      "requires_grad", "is_leaf",    "grad",       "backward",     "data_ptr",       "retain_grad",
      "is_contiguous", "stride",     "_version",   "is_set_to",    "storage_offset", "output_nr",
      "register_hook", "append",     "insert",     "_set_item",    "extend",         "__is__",
      "__isnot__",     "wait",       "sym_stride", "is_inference", "_is_view",       "is_shared",
      "is_pinned",     "pin_memory", "list",       "dict"});
  if (asks->count(n->kind.unqualified())) return false;
  // What writes a tensor answers that tensor.
  const FunctionSchema& s = n->op->schema();
  if (s.is_mutable() && n->has_uses()) return false;
  return std::all_of(s.returns.begin(), s.returns.end(), [](const Argument& r) {
    return r.type->kind != TypeKind::Var && r.alias.before != "*";
  });
}

bool elements_only(const Value* v) {
  return std::all_of(v->uses.begin(), v->uses.end(),
                     [](const Use& u) { return uses_elements_only(u.user); });
}

}  // namespace sconce
