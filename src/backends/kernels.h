// SPDX-License-Identifier: Apache-2.0
// The kernel tables, and the one way from an operator to elements.
#pragma once
#include "backends/slots.h"
#include "core/context.h"
#include "core/recorder.h"

namespace sconce {

// Every slot as plain loops.
const Kernels& ref_kernels();
// The best for this machine; SCONCE_ISA=ref|base|avx2 in the environment overrides.
const Kernels& cpu_kernels();

namespace detail {
template <class A>
struct SlotOf;
#define X(slot, Args)                                                                         \
  template <>                                                                                 \
  struct SlotOf<Args> {                                                                       \
    static void run(const void* a) { context().kernels->slot(*static_cast<const Args*>(a)); } \
    static constexpr const char* kName = #slot;                                               \
  };
SCONCE_SLOTS(X)
#undef X
}  // namespace detail

// Calls the slot that takes A: the only way from an operator to elements.
template <class A>
void call_slot(const A& args) {
  static_assert(std::is_trivially_copyable<A>::value, "slot arguments are plain data");
  if (Recorder* r = context().recorder)
    r->called({detail::SlotOf<A>::run, &args, sizeof(A), A::kViews, A::kOutputs,
               detail::SlotOf<A>::kName});
  else
    detail::SlotOf<A>::run(&args);
}

}  // namespace sconce
