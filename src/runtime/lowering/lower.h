// SPDX-License-Identifier: Apache-2.0
// The lowering of a recorded run: passes that put several kernel calls into one, weights into the
// form that kernels want, and pictures into the layout that convolutions want. None is seen from
// outside: the answer has the form that was recorded.
#pragma once
#include <span>

#include "runtime/lowering/packed_weights.h"
#include "runtime/lowering/planned.h"
#include "sconce/options.h"

namespace sconce {

// Sees the text of each recorded run before and after its lowering, from any thread, one at a time;
// empty: nobody looks.
// places: of after's calls (PlannedProgram::places).
using PlanObserver = std::function<void(const std::string& before, const std::string& after,
                                        const std::vector<std::string>& places)>;
void observe_plans(PlanObserver observer);

struct Lowering {
  const char* name;
  void (*run)(PlannedProgram&, PackedWeights&);
  // The answers' last bits may be others than those of the recorded calls: not for
  // Numerics::Strict.
  bool changes_bits;
};
// In their order.
std::span<const Lowering> lowerings();
// All of them that `numerics` allows. On the CPU alone.
void lower(PlannedProgram& p, PackedWeights& weights, Numerics numerics);

// What nobody reads isn't computed.
void remove_dead_calls(PlannedProgram& p, PackedWeights&);
// Products, scale, mask and softmax become attention.
void fuse_attention(PlannedProgram& p, PackedWeights&);
// After it: attention writes where its result is wanted.
void place_attention(PlannedProgram& p, PackedWeights&);
// After it: rows that nobody reads aren't computed.
void narrow_to_reads(PlannedProgram& p, PackedWeights&);
// Matrix products and convolutions with constant weights -> packed weights; what follows them
// element by element (a residual's sum, an activation) becomes their epilogue.
void fuse_products(PlannedProgram& p, PackedWeights& weights);
// Quantised products and convolutions with constant weights -> packed weights.
void pack_quantized(PlannedProgram& p, PackedWeights& weights);
// After fuse_products: storages between convolutions get their channels last.
void channels_last(PlannedProgram& p, PackedWeights&);
// Last: chains of elementwise calls become one.
void fuse_pointwise(PlannedProgram& p, PackedWeights&);

}  // namespace sconce
