// SPDX-License-Identifier: Apache-2.0
#include "gil.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

namespace sconce::python {

thread_local bool HoldsLock::held = false;

namespace {
template <class F>
void take_lock(F take) {
  try {
    take();
  } catch (...) {  // of the thread's end; it may not be caught and left
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }
}

struct Waiting {
  std::mutex mutex;
  std::vector<Kept> list;
  std::atomic<bool> any{false};
};
// Never destroyed: threads may end storages after the end of main.
Waiting& waiting() {
  static Waiting* w = new Waiting;
  return *w;
}
int empty_list(void*) {
  let_go_all();
  return 0;
}
}  // namespace

Released::~Released() {
  take_lock([this] { PyEval_RestoreThread(state_); });
  HoldsLock::held = before_;
}

Acquired::Acquired() {
  take_lock([this] { state_ = PyGILState_Ensure(); });
}

void let_go(Kept k) noexcept {
  if (HoldsLock::known()) {
    k.let_go(k);
    return;
  }
  if (!Py_IsInitialized()) return;  // the process ends
  Waiting& w = waiting();
  bool first = false;
  {
    std::lock_guard<std::mutex> lock(w.mutex);
    first = w.list.empty();
    w.list.push_back(k);
    w.any.store(true, std::memory_order_release);
  }
  // That there is no room is no harm: the next call empties the list.
  if (first) (void)Py_AddPendingCall(empty_list, nullptr);
}

void let_go_all() noexcept {
  Waiting& w = waiting();
  if (!w.any.load(std::memory_order_acquire)) return;
  std::vector<Kept> list;
  {
    std::lock_guard<std::mutex> lock(w.mutex);
    list.swap(w.list);
    w.any.store(false, std::memory_order_release);
  }
  HoldsLock holds;
  for (Kept& k : list) k.let_go(k);
}

}  // namespace sconce::python
