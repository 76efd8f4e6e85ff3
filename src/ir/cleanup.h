// SPDX-License-Identifier: Apache-2.0
// The rewrites that PyTorch runs after compiling; the passes of the same names wrap them.
#pragma once
#include "core/assumptions.h"
#include "core/op_table.h"
#include "ir/graph.h"

namespace sconce {

// Hears of single nodes, before they are destroyed: that n goes, or (why_not isn't null) why it
// stays. May be empty.
using NodeLog = std::function<void(const Node* n, const char* why_not)>;

// Inverse mark and sweep from the returned values and from nodes with effects. analyze: a write
// that nothing live can see is no effect; else every write is one, as PyTorch's pass of that name
// has it.
bool eliminate_dead_code(Graph& g, bool analyze = true, const NodeLog& log = nullptr);
// The same with PyTorch's own alias analysis, as its passes end.
bool eliminate_dead_code_as_torch(Graph& g);
// Nothing is an effect: only what the graph returns keeps nodes.
bool eliminate_dead_code_and_effects(Graph& g);
// Of b alone, not of the blocks in it; every write is an effect.
bool eliminate_dead_code_of(Block& b);
// Removes unused nodes that can't raise: what is left when a graph that is made to run was folded.
// An operator whose result nobody needs any more is left: the program has asked for its error.
bool remove_unused(Graph& g);
// Removes unpack-after-construct pairs. Then dead code.
void lower_simple_tuples(Graph& g);
// Folds nodes whose inputs are constants and whose values are immutable; inlines decided Ifs.
bool constant_propagation_immutable(Graph& g, const OpTable& ops);
// The same for any type that the alias analysis proves unwritten. assumptions (may be null): of a
// graph that is made to run; what is read is noted there, and a value that may leave the graph is
// not folded, since every run owes its caller one of its own.
bool constant_propagation(Graph& g, const OpTable& ops, Assumptions* assumptions = nullptr,
                          const NodeLog& log = nullptr);
// Equal constants once, at the front. to_run: two tensors, lists or dicts stay two, as they may
// leave the graph or change. True when one went; the order of
// those that stay changes too.
bool constant_pooling(Graph& g, bool to_run = false, const NodeLog& log = nullptr);
// Outputs of If and Loop in the order of their first use.
void canonicalize_outputs(Graph& g);
// Aliases of operators become the plain ones; rsub.Tensor becomes sub.
void normalize_ops(Graph& g, const OpTable& ops);
// The values of n, or nothing when an input is no constant or running it fails.
std::optional<std::vector<IValue>> fold_node(Node* n);

// The type that PyTorch gives a constant of this value: of tensors, in tuples too, all that is
// known.
TypePtr constant_type(const IValue& v, TypeTable& table);
// A constant whose type tells all of a tensor: "Float(2, 3, strides=[3, 1], requires_grad=0,
// device=cpu)". declared: the type that a container or an enum gets.
Value* insert_plain_constant(Graph& g, IValue v, TypePtr declared);

bool has_side_effects(const Node* n);
bool is_nondeterministic(const Node* n);
// The operator that a node without one means: the first whose types accept the inputs (ir-format.md
// section 6).
const Operator* resolve_operator(const Node* n, const OpTable& ops);
// Moves the nodes of b before n.
void inline_block_before(Node* n, Block* b);

}  // namespace sconce
