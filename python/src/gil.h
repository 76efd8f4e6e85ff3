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

// The interpreter's lock is given away while one exists.
class Released {
 public:
  Released() : before_(HoldsLock::held) { HoldsLock::held = false; }
  ~Released() { HoldsLock::held = before_; }
  Released(const Released&) = delete;

 private:
  const bool before_;
  nb::gil_scoped_release release_;
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
