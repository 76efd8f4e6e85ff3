// SPDX-License-Identifier: Apache-2.0
// Operators as PyTorch's fusers want them:
//
//   %c : Tensor = prim::Constant[value={2.5}]()    =>   %s : float = prim::Constant[value=2.5]()
//   %y = aten::mul(%x, %c)                              %y = aten::mul(%x, %s)
//
// when %c has no dimension and the operator is add, sub, mul or div of two tensors, and
//
//   %l : Tensor[] = aten::chunk(%x, %two, %one)    =>   %a, %b = prim::ConstantChunk[chunks=2,
//   %a, %b = prim::ListUnpack(%l)                                              dim=1](%x)
//
// when the numbers are constants and the list is only unpacked. Then dead code. PyTorch's
// _jit_pass_canonicalize_graph_fuser_ops; scalar_rewrite is the part of it that changes answers,
// as the runtime has it. Order: after inlining.
#include "ir/cleanup.h"
#include "passes/node_query.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

// The element of a constant tensor without dimensions.
std::optional<IValue> scalar_of(const Value* v) {
  auto c = constant_value(v);
  if (!c || !c->isTensor() || !c->box()) return std::nullopt;
  const Tensor& t = c->toTensorRef();
  if (!t.defined() || t.dim() != 0 || is_quantized(t.dtype())) return std::nullopt;
  if (t.dtype() == kComplexDouble || t.dtype() == kComplexFloat) return std::nullopt;
  if (is_floating(t.dtype())) return IValue(t.item<double>());
  if (t.dtype() == kBool) return IValue(t.item<int64_t>() != 0);
  return IValue(t.item<int64_t>());
}

bool takes_tensors(const Node* n) {
  return is_overload(n, "aten::add.Tensor") || is_overload(n, "aten::sub.Tensor") ||
         is_overload(n, "aten::mul.Tensor") || is_overload(n, "aten::div.Tensor");
}

bool scalar_operand(Node* n, PassContext& c) {
  auto scalar = scalar_of(n->inputs[1]);
  if (!scalar) {
    c.missed(n, "scalar", "the second operand is no constant without dimensions");
    return false;
  }
  c.applied(n, "scalar");
  InsertPoint at(*n->graph, n);
  std::vector<Value*> in = n->inputs;
  in[1] = n->graph->insert_constant(*scalar);
  Node* made = n->graph->insert_node(n->graph->create(n->kind, in));
  made->range = n->range;
  made->scope = n->scope;
  made->op = resolve_operator(made, *c.ops);
  made->output()->type = n->output()->type;
  if (!n->output()->name.empty()) made->output()->set_name(n->output()->name);
  n->output()->replace_all_uses_with(made->output());
  return true;
}

struct Chunk {
  Value* value;
  size_t at;
};
// The values that a chunked list is unpacked to; nothing when the list has another use.
std::optional<std::vector<Chunk>> chunks_of(const Node* n, int64_t count) {
  std::vector<Chunk> r;
  for (const Use& u : n->output()->uses) {
    if (u.user->kind != prim::ListUnpack || static_cast<int64_t>(u.user->outputs.size()) != count)
      return std::nullopt;
    for (Value* v : u.user->outputs) r.push_back({v, v->offset});
  }
  return r;
}

bool unpacked_chunk(Node* n, PassContext& c) {
  auto count = constant_int(n->inputs[1]), dim = constant_int(n->inputs[2]);
  constexpr int64_t kMost = 1 << 16;
  if (!count || !dim || *count < 0 || *count > kMost) {
    c.missed(n, "chunk", "the number of chunks or the dimension is no constant");
    return false;
  }
  auto unpacked = chunks_of(n, *count);
  if (!unpacked) {
    c.missed(n, "chunk", "the list is used otherwise than unpacked into as many values");
    return false;
  }
  c.applied(n, "chunk");
  InsertPoint at(*n->graph, n);
  Node* made = n->graph->insert_node(
      n->graph->create(Symbol("prim::ConstantChunk"), {n->inputs[0]}, static_cast<size_t>(*count)));
  made->set_i(Symbol("chunks"), *count)->set_i(Symbol("dim"), *dim);
  made->range = n->range;
  made->scope = n->scope;
  for (const Chunk& k : *unpacked) {
    k.value->replace_all_uses_with(made->outputs[k.at]);
    made->outputs[k.at]->type = k.value->type;
  }
  return true;
}

bool canonicalize_block(Block* b, PassContext& c) {
  check_stack();
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= canonicalize_block(inner, c);
    if (takes_tensors(n))
      changed |= scalar_operand(n, c);
    else if (is_overload(n, "aten::chunk"))
      changed |= unpacked_chunk(n, c);
  }
  return changed;
}

}  // namespace

bool canonicalize_graph_fuser_ops(Graph& g, PassContext& c) {
  bool changed = canonicalize_block(g.block(), c);
  return eliminate_dead_code_as_torch(g) || changed;
}

}  // namespace sconce
