// SPDX-License-Identifier: Apache-2.0
// Calls whose results nobody reads are dropped: tensors of sizes that a trace has computed, results
// of which only the form was asked. Calls that may raise stay.
//
//   fill(out: a); gemm(out: b, ...)  ->  gemm(out: b, ...)      nobody reads a
#include "runtime/lowering/lower.h"

namespace sconce {

void remove_dead_calls(PlannedProgram& p, PackedWeights&) {
  std::vector<bool> needed(p.storages.size());
  for (size_t s = 0; s < needed.size(); ++s) needed[s] = p.storages[s].output >= 0;
  for (size_t i = p.calls.size(); i-- > 0;) {
    PlannedCall& c = p.calls[i];
    bool used = !never_raises(c);
    for (size_t k = 0; k < c.views.size(); ++k)
      if (c.writes(k) && !c.views[k].absent())
        used |= c.views[k].place.kind != Place::Arena || needed[c.views[k].place.index];
    if (!used) {
      c = PlannedCall{};
      continue;
    }
    for (size_t k = 0; k < c.views.size(); ++k)
      if (c.views[k].place.kind == Place::Arena && !c.writes(k))
        needed[c.views[k].place.index] = true;
  }
  p.drop_removed_calls();
}

}  // namespace sconce
