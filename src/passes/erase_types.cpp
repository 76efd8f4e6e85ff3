// SPDX-License-Identifier: Apache-2.0
// Two passes that forget types.
//
// erase_number_types, as exporting to ONNX wants it, where all values are tensors:
//   %1 : int = prim::Constant[value=1]()           =>   %1 : Long(device=cpu) =
//                                                              prim::Constant[value={1}]()
//   %s : int = aten::Int(%t)                       =>   %t
//   %n : int = aten::size(%x, %1)                  =>   %n : Long(device=cpu) = aten::size(...)
// What is left needn't run: operators of numbers take tensors now.
//
// erase_shape_information:
//   %x : Float(2, 3, strides=[3, 1], ...)          =>   %x : Tensor
//
// PyTorch's passes of the same names. Order: last.
#include <algorithm>
#include <cstring>

#include "passes/node_query.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

bool is_number(TypePtr t) { return t->is_subtype_of(types::number()); }
bool is_bool(TypePtr t) { return t->is_subtype_of(types::boolean()); }

// The tensor type that stands for a number's.
TypePtr tensor_for(TypePtr t) {
  TensorInfo info;
  info.has_device = true;
  if (t->kind == TypeKind::Number) return TypeTable::global().tensor_with(std::move(info));
  info.has_dtype = info.has_rank = true;
  if (is_bool(t))
    info.dtype = kBool;
  else if (t->kind == TypeKind::Int)
    info.dtype = kLong;
  else if (t->kind == TypeKind::Float)
    info.dtype = kDouble;
  else
    raise<Error>("erase_number_types: unknown number type ", t->str());
  return TypeTable::global().tensor_with(std::move(info));
}

void to_tensor_type(Value* v) {
  if (is_number(v->type) || is_bool(v->type)) v->type = tensor_for(v->type);
}

bool is_conversion(const Node* n) {
  static const auto* kinds = new std::vector<Symbol>{Symbol("aten::Bool"),
                                                     Symbol("aten::Float"),
                                                     Symbol("aten::Int"),
                                                     Symbol("aten::FloatImplicit"),
                                                     Symbol("aten::IntImplicit"),
                                                     Symbol("aten::ScalarImplicit"),
                                                     prim::NumToTensor};
  return std::find(kinds->begin(), kinds->end(), n->kind) != kinds->end() && !n->inputs.empty();
}

Tensor scalar_tensor(const IValue& v) {
  if (v.isDouble()) {
    Tensor t = empty({}, kDouble);
    double d = v.toDouble();
    std::memcpy(t.element_address(), &d, sizeof d);
    return t;
  }
  if (v.isBool()) {
    Tensor t = empty({}, kBool);
    uint8_t b = v.toBool();
    std::memcpy(t.element_address(), &b, sizeof b);
    return t;
  }
  if (!v.isInt()) raise<Error>("erase_number_types: a constant is no number");
  Tensor t = empty({}, kLong);
  int64_t i = v.toInt();
  std::memcpy(t.element_address(), &i, sizeof i);
  return t;
}

class NumberTypes {
 public:
  NumberTypes(Graph& g, PassContext& c) : graph_(g), context_(c) {}
  void run() {
    for (Value* v : graph_.inputs()) to_tensor_type(v);
    block(graph_.block());
  }

 private:
  void block(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      for (Value* v : n->inputs) to_tensor_type(v);
      for (Block* inner : n->blocks) block(inner);
      if (n->is_constant()) {
        if (is_number(n->output()->type) || is_bool(n->output()->type)) constant(n);
      } else if (is_conversion(n)) {
        context_.applied(n, "conversion");
        n->output()->replace_all_uses_with(n->inputs[0]);
        n->destroy();
      } else {
        for (Value* v : n->outputs) to_tensor_type(v);
      }
    }
  }
  void constant(Node* n) {
    auto v = constant_value(n->output());
    if (!v) raise<Error>("erase_number_types: a constant has no value");
    context_.applied(n, "constant");
    InsertPoint at(graph_, n);
    Value* made = graph_.insert_constant(scalar_tensor(*v), n->output()->type);
    made->node->scope = n->scope;
    made->node->range = n->range;
    const std::string name = n->output()->name;
    n->output()->replace_all_uses_with(made);
    n->destroy();
    if (!name.empty()) made->set_name(name);
  }

  Graph& graph_;
  PassContext& context_;
};

bool unshape(const std::vector<Value*>& values, TypeTable& table) {
  bool changed = false;
  for (Value* v : values) {
    TypePtr t = unshaped(v->type, table);
    changed |= t != v->type;
    v->type = t;
  }
  return changed;
}
bool unshape(Block* b, TypeTable& table) {
  check_stack();
  bool changed = unshape(b->inputs(), table);
  changed |= unshape(b->outputs(), table);
  for (Node* n : b->nodes()) {
    changed |= unshape(n->outputs, table);
    for (Block* inner : n->blocks) changed |= unshape(inner, table);
  }
  return changed;
}

}  // namespace

bool erase_number_types(Graph& g, PassContext& c) {
  NumberTypes(g, c).run();
  return true;
}

bool erase_shape_information(Graph& g, PassContext&) { return unshape(g.block(), *g.types); }

}  // namespace sconce
