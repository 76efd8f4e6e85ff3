// SPDX-License-Identifier: Apache-2.0
// Python objects that the library's storages keep alive. A storage may end on any thread, with or
// without the interpreter's lock, and even while a lock of the library is held; so what it kept is
// let go at once only where the lock is known to be held, and else put on a list that the next
// call, or the interpreter itself, empties. Nothing here ever waits for the interpreter's lock.
#pragma once
#include <nanobind/nanobind.h>

namespace sconce::python {

namespace nb = nanobind;

// While one exists, this thread holds the interpreter's lock. Nested in a Released it is wrong.
class HoldsLock {
 public:
  HoldsLock() : before_(held) { held = true; }
  ~HoldsLock() { held = before_; }
  HoldsLock(const HoldsLock&) = delete;
  static bool known() { return held; }

 private:
  friend class Released;
  static thread_local bool held;
  const bool before_;
};

// Both for the time that they exist. While the interpreter ends, Python before 3.14 ends a daemon's
// thread where it waits for the lock, by unwinding its stack; that would end the process, so such a
// thread stops there instead.

// The interpreter's lock is given away.
class Released {
 public:
  Released() : before_(HoldsLock::held), state_(PyEval_SaveThread()) { HoldsLock::held = false; }
  ~Released();
  Released(const Released&) = delete;

 private:
  const bool before_;
  PyThreadState* const state_;
};

// The interpreter's lock is held, on any thread.
class Acquired {
 public:
  Acquired();
  ~Acquired() { PyGILState_Release(state_); }
  Acquired(const Acquired&) = delete;

 private:
  PyGILState_STATE state_;
};

// Something that is to be let go under the interpreter's lock.
struct Kept {
  void (*let_go)(Kept&);
  void* object;
};
// Now where the lock is known to be held, else later.
void let_go(Kept k) noexcept;
// Empties the list; the lock is held.
void let_go_all() noexcept;

}  // namespace sconce::python
