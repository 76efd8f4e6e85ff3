// SPDX-License-Identifier: Apache-2.0
// The kernel tables, and the one way from an operator to elements.
#pragma once
#include "backends/slots.h"
#include "backends/work.h"
#include "core/budget.h"
#include "core/context.h"
#include "core/recorder.h"

namespace sconce {

// Every slot as plain loops.
const Kernels& ref_kernels();
// The best for this machine; SCONCE_ISA=ref|base|avx2 in the environment overrides.
const Kernels& cpu_kernels();

// The slots that backends/cpu fills for every instruction set, and those of backends/ref.
// clang-format off
#define SCONCE_CPU_SLOTS(X)                                                                     \
  X(fill) X(copy) X(unary) X(binary) X(ternary) X(reduce) X(arg_reduce) X(var) X(scan)          \
  X(gemm) X(conv) X(pool) X(batch_norm) X(softmax) X(layer_norm) X(attention) X(rnn_cell) \
  X(quantize) X(quantized_conv)
#define SCONCE_REF_SLOTS(X)                                                                     \
  X(gather) X(scatter) X(index) X(nonzero) X(sort) X(search) X(random) X(resize) X(grid_sample) \
  X(pad) X(sequence) X(fft) X(rotated_iou) X(recur) X(linalg)
// clang-format on
// At the end of the file that has a slot's function, called as the slot is: one function for each,
// so that a reduced build can have some alone.
#define SCONCE_KERNEL(slot) \
  void set_##slot(Kernels& k) { k.slot = slot; }

namespace detail {
// need(): of a reduced build, whose table has a slot from when an operator first calls it. So the
// linker finds nothing that refers to the other kernels.
template <class A>
struct SlotOf;
#define X(slot, Args)                                                                         \
  template <>                                                                                 \
  struct SlotOf<Args> {                                                                       \
    static void run(const void* a) { context().kernels->slot(*static_cast<const Args*>(a)); } \
    static void need();                                                                       \
    static constexpr const char* kName = #slot;                                               \
  };
SCONCE_SLOTS(X)
#undef X
}  // namespace detail

namespace detail {
// Written views whose storage shares its bytes get bytes of their own; all views follow.
void own_written(TensorView* views, uint32_t n, uint32_t written);
inline bool any_shared(const TensorView* views, uint32_t written) {
  for (; written; written >>= 1, ++views)
    if ((written & 1) && views->storage && views->storage->shared()) return true;
  return false;
}
// Throws OpError unless each view lies within its storage: whatever an operator has computed, no
// slot is given other memory. True when bytes of one are deferred.
bool check_views(const TensorView* views, uint32_t n);
// Tells the storages of written views, also when the slot throws half-way.
struct NoteWrites {
  const TensorView* views;
  uint32_t written;
  ~NoteWrites() {
    for (uint32_t w = written, i = 0; w; w >>= 1, ++i)
      if ((w & 1) && views[i].storage) views[i].storage->note_write();
  }
};
}  // namespace detail

// Calls the slot that takes A: the only way from an operator to elements.
template <class A>
void call_slot(const A& given) {
  static_assert(std::is_trivially_copyable<A>::value, "slot arguments are plain data");
#ifdef SCONCE_REDUCED
  detail::SlotOf<A>::need();
#endif
  const uint32_t written = written_views(given);
  auto* views = reinterpret_cast<const TensorView*>(&given);
  if (detail::any_shared(views, written)) {
    A own = given;
    detail::own_written(reinterpret_cast<TensorView*>(&own), A::kViews, written);
    return call_slot(own);
  }
  Context& c = context();
  if (c.budget) c.budget->work(slot_work(given), detail::SlotOf<A>::kName);
  const bool deferred = detail::check_views(views, A::kViews);
  detail::NoteWrites after{views, written};
  if (Recorder* r = c.recorder) {
    r->called(
        {detail::SlotOf<A>::run, &given, sizeof(A), A::kViews, written, detail::SlotOf<A>::kName});
  } else {
    if (deferred) fetch_bytes(views, A::kViews);
    detail::SlotOf<A>::run(&given);
  }
}

}  // namespace sconce
