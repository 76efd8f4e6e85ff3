// SPDX-License-Identifier: Apache-2.0
// What a kernel call does, as profiles tell it.
#pragma once

namespace sconce {

struct CallCost {
  const char* name = "";  // the slot's
  double flops = 0;       // of products and convolutions, as if done directly; else 0
  double bytes = 0;       // of the elements that its views show, each view's once
};
// run and args as a SlotCall or a plan has them.
CallCost cost_of(void (*run)(const void* args), const void* args);

}  // namespace sconce
