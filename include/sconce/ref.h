// SPDX-License-Identifier: Apache-2.0
// Intrusive reference counting: RefCounted is the base of everything that an IValue or a Tensor
// shares.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "sconce/export.h"

namespace sconce {

class SCONCE_API RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;
  void retain() const noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
  void release() const noexcept {
    if (count_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    if (nests_)
      destroy_nested();
    else
      delete this;
  }
  uint32_t use_count() const noexcept { return count_.load(std::memory_order_acquire); }

 protected:
  // Of what holds other counted things: they may nest as deeply as a program likes, so that the end
  // of one must not be a recursion over all.
  struct Nests {};
  explicit RefCounted(Nests) : nests_(true) {}
  virtual ~RefCounted() = default;

 private:
  void destroy_nested() const noexcept;
  mutable std::atomic<uint32_t> count_{0};
  const bool nests_ = false;
};

// A counted pointer; null is allowed.
template <class T>
class Ref {
 public:
  Ref() noexcept = default;
  Ref(std::nullptr_t) noexcept {}
  explicit Ref(T* p) noexcept : p_(p) {
    if (p_) p_->retain();
  }
  Ref(const Ref& o) noexcept : Ref(o.p_) {}
  Ref(Ref&& o) noexcept : p_(o.p_) { o.p_ = nullptr; }
  template <class U>
  Ref(const Ref<U>& o) noexcept : Ref(static_cast<T*>(o.get())) {}
  Ref& operator=(Ref o) noexcept {
    std::swap(p_, o.p_);
    return *this;
  }
  ~Ref() {
    if (p_) p_->release();
  }
  // Takes over a count that the caller owns.
  static Ref adopt(T* p) noexcept {
    Ref r;
    r.p_ = p;
    return r;
  }
  T* detach() noexcept { return std::exchange(p_, nullptr); }
  T* get() const noexcept { return p_; }
  T* operator->() const noexcept { return p_; }
  T& operator*() const noexcept { return *p_; }
  explicit operator bool() const noexcept { return p_ != nullptr; }
  bool operator==(const Ref& o) const noexcept { return p_ == o.p_; }
  bool operator!=(const Ref& o) const noexcept { return p_ != o.p_; }

 private:
  T* p_ = nullptr;
};

template <class T, class... A>
Ref<T> make_ref(A&&... a) {
  return Ref<T>(new T(std::forward<A>(a)...));
}

}  // namespace sconce
