// SPDX-License-Identifier: Apache-2.0
// Tables that are made once and live as long as the library. When it is unloaded they are freed;
// at the end of a process too, unless a module is still there, which may use them.
#pragma once
#include <atomic>

namespace sconce {

inline std::atomic<int64_t> living_modules{0};
// A member of what needs the tables.
struct Living {
  Living() { living_modules.fetch_add(1, std::memory_order_relaxed); }
  Living(const Living&) : Living() {}
  ~Living() { living_modules.fetch_sub(1, std::memory_order_relaxed); }
};

template <class T>
class Lasting {
 public:
  explicit Lasting(T* made) : made_(made) {}
  Lasting(const Lasting&) = delete;
  ~Lasting() {
    if (!living_modules.load(std::memory_order_relaxed)) delete made_;
  }
  T& operator*() const { return *made_; }
  T* operator->() const { return made_; }

 private:
  T* const made_;
};

}  // namespace sconce
