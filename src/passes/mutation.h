// SPDX-License-Identifier: Apache-2.0
// What the passes that take writes out of a graph, and put them back, have in common.
#pragma once
#include "ir/torch_alias.h"

namespace sconce {

// An elementwise activation that has a form in place, and whether its result may have another
// dtype than its input.
struct Activation {
  Symbol kind, in_place;
  bool may_promote;
};
// Null: n is none.
const Activation* activation(Symbol kind);
const Activation* in_place_activation(Symbol kind);

// v isn't memory of its own: an input, of a node with blocks or effects, or an alias of what its
// node got.
bool has_effect_or_alias(Value* v, const TorchAliasDb& db);
// Uses of old by nodes behind n, in its block or inside those, become uses of now.
void replace_uses_after(Node* n, Value* old, Value* now);

}  // namespace sconce
