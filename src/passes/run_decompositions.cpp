// SPDX-License-Identifier: Apache-2.0
// Operators for which PyTorch has a decomposition become the nodes of it:
//
//   %v = aten::var(%x, %unbiased)    =>    mean, sub, mul, sum, div and the count of elements
//
// Those are the two forms of var that take no names. Then, twice, peephole and constant
// propagation, since a decomposition asks of its arguments what a graph mostly knows. PyTorch's
// name.
#include "ir/cleanup.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

struct Decomposition {
  const char *op, *graph;
};

// The nodes are PyTorch's, one by one and in their order, since graphs are compared by text.
constexpr Decomposition kDecompositions[] = {{"aten::var", R"(
graph(%x : Tensor,
      %unbiased : bool):
  %false : bool = prim::Constant[value=0]()
  %none : NoneType = prim::Constant()
  %true : bool = prim::Constant[value=1]()
  %one : int = prim::Constant[value=1]()
  %zero : int = prim::Constant[value=0]()
  %correction : int = prim::If(%unbiased)
    block0():
      -> (%one)
    block1():
      -> (%zero)
  %n : int = aten::numel(%x)
  %all : int[] = prim::ListConstruct()
  %mean : Tensor = aten::mean(%x, %all, %true, %none)
  %centred : Tensor = aten::sub(%x, %mean, %one)
  %squares : Tensor = aten::mul(%centred, %centred)
  %all2 : int[] = prim::ListConstruct()
  %sum : Tensor = aten::sum(%squares, %all2, %false, %none)
  %freedom : int = aten::sub(%n, %correction)
  %divisor : float = aten::Float(%freedom)
  %positive : float = prim::max(%zero, %divisor)
  %var : Tensor = aten::div(%sum, %positive)
  return (%var)
)"},
                                             {"aten::var.correction", R"(
graph(%x : Tensor,
      %dim : int[]?,
      %correction : Union(float, int, NoneType, bool),
      %keepdim : bool):
  %error : str = prim::Constant[value="builtins.RuntimeError"]()
  %message : str = prim::Constant[value="correction must be int or float"]()
  %true : bool = prim::Constant[value=1]()
  %none : NoneType = prim::Constant()
  %zero : int = prim::Constant[value=0]()
  %one : int = prim::Constant[value=1]()
  %never : float = prim::Uninitialized()
  %no_dim : bool = aten::__is__(%dim, %none)
  %dims : int[] = prim::If(%no_dim)
    block0():
      %all : int[] = prim::ListConstruct()
      -> (%all)
    block1():
      %given : int[] = prim::unchecked_cast(%dim)
      -> (%given)
  %n_dims : int = aten::len(%dims)
  %is_all : bool = aten::eq(%n_dims, %zero)
  %n : int = prim::If(%is_all)
    block0():
      %numel : int = aten::numel(%x)
      -> (%numel)
    block1():
      %rounds : int = aten::len(%dims)
      %product : int = prim::Loop(%rounds, %true, %one)
        block0(%i : int, %so_far : int):
          %d : int = aten::__getitem__(%dims, %i)
          %sizes : int[] = aten::size(%x)
          %size : int = aten::__getitem__(%sizes, %d)
          %next : int = aten::mul(%so_far, %size)
          -> (%true, %next)
      -> (%product)
  %mean : Tensor = aten::mean(%x, %dims, %true, %none)
  %centred : Tensor = aten::sub(%x, %mean, %one)
  %squares : Tensor = aten::mul(%centred, %centred)
  %sum : Tensor = aten::sum(%squares, %dims, %keepdim, %none)
  %no_correction : bool = aten::__is__(%correction, %none)
  %divisor : float = prim::If(%no_correction)
    block0():
      %less_one : int = aten::sub(%n, %one)
      %less_one_f : float = aten::Float(%less_one)
      -> (%less_one_f)
    block1():
      %number : Union(float, int, bool) = prim::unchecked_cast(%correction)
      %is_int : bool = prim::isinstance[types=[int]](%number)
      %by_kind : float = prim::If(%is_int)
        block0():
          %int : int = prim::unchecked_cast(%number)
          %less_int : int = aten::sub(%n, %int)
          %less_int_f : float = aten::Float(%less_int)
          -> (%less_int_f)
        block1():
          %other : Union(float, bool) = prim::unchecked_cast(%number)
          %is_float : bool = prim::isinstance[types=[float]](%other)
          %by_float : float = prim::If(%is_float)
            block0():
              %float : float = prim::unchecked_cast(%other)
              %n_f : float = aten::Float(%n)
              %less_float : float = aten::sub(%n_f, %float)
              -> (%less_float)
            block1():
               = prim::RaiseException(%message, %error)
              -> (%never)
          -> (%by_float)
      -> (%by_kind)
  %positive : float = prim::max(%zero, %divisor)
  %var : Tensor = aten::div(%sum, %positive)
  return (%var)
)"}};

bool decompose(Block* b, PassContext& c) {
  check_stack();
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= decompose(inner, c);
    if (!n->op) continue;
    for (const Decomposition& d : kDecompositions) {
      if (n->op->full_name() != d.op) continue;
      c.applied(n, d.op);
      InsertPoint at(*n->graph, n);
      auto graph = parse_graph(d.graph, c.ops, d.op);
      Value* now = insert_graph(*n->graph, *graph, n->inputs)[0];
      n->output()->replace_all_uses_with(now);
      n->destroy();
      changed = true;
      break;
    }
  }
  return changed;
}

}  // namespace

bool run_decompositions(Graph& g, PassContext& c) {
  bool changed = decompose(g.block(), c);
  PassContext inner = c;
  inner.arguments = {};
  inner.arguments.set("disable_shape_peepholes", {"true"});
  for (int i = 0; i < 2; ++i) {
    changed |= peephole(g, inner);
    changed |= constant_propagation(g, *c.ops);
  }
  return changed;
}

}  // namespace sconce
