// SPDX-License-Identifier: Apache-2.0
// Limits: what loading and running may take. Exceeding one is LimitError; nothing leaks, and the
// module serves its next call as if the failed one had never been made, but for what the model's
// code had written until then.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>

#include "sconce/export.h"
#include "sconce/ref.h"

namespace sconce {

// 0 (or null) anywhere: no limit. Those in LoadOptions hold for loading, and for each call that is
// given none of its own. What a call calls in turn (methods, hooks, forks, interfaces, operators
// that call modules) counts as the call.
struct SCONCE_API Limits {
  // Bytes that tensors, lists, dicts, tuples, strings, objects and frames may hold at a time. Those
  // of LoadOptions are one account of the module, all its calls and its state; those of a call are
  // the call's own. A mapped file isn't counted, what is read or inflated from it is.
  uint64_t memory = 0;
  // Jumps back, calls, hooks, forks and awaitables, __setstate__ and class constants.
  uint64_t steps = 0;
  // Elements that one call of one kernel may go over, times the passes that it makes over them. It
  // is checked before the kernel starts.
  uint64_t operator_work = 0;
  // Calls within calls. 0: 5000.
  uint64_t depth = 0;
  // Of the clock on the wall. Looked at between operators and now and then in loops, so that a call
  // may outlive it by an operator's time.
  double seconds = 0;
  // Set to true, on any thread, it ends what runs under these limits.
  std::shared_ptr<std::atomic<bool>> cancel;
  // Calls of the module run one after another, whatever they do. Without it that holds for calls
  // that write what the module reaches; others run beside each other.
  bool exclusive = false;

  bool any() const {
    return memory || steps || operator_work || depth || seconds > 0 || cancel || exclusive;
  }
  // For files of unknown origin: 1 GiB, 100 million steps, 10^11 of work in an operator, 1000 calls
  // deep, 30 seconds.
  static Limits untrusted();
};

// Counted bytes and the most that there may be. From any thread.
class SCONCE_API MemoryAccount final : public RefCounted {
 public:
  explicit MemoryAccount(uint64_t most) : most_(most) {}
  // Both throw LimitError, having added nothing, when n more would be too many.
  void add(uint64_t n);
  void expect(uint64_t n) const;
  void remove(uint64_t n) noexcept { held_.fetch_sub(n, std::memory_order_relaxed); }
  uint64_t held() const { return held_.load(std::memory_order_relaxed); }
  uint64_t most() const { return most_; }

 private:
  [[noreturn]] void refuse(uint64_t n) const;
  const uint64_t most_;
  std::atomic<uint64_t> held_{0};
};

// What its owner has taken of an account; given back with the owner, on whichever thread. Threads
// may set it at once: what counts is the last. A copied owner has taken nothing.
class SCONCE_API Charge {
 public:
  Charge() = default;
  Charge(const Charge&) noexcept {}
  Charge& operator=(const Charge&) noexcept { return *this; }
  ~Charge() {
    if (MemoryAccount* a = account_.load(std::memory_order_relaxed)) release(*a);
  }
  // The owner holds n bytes now. The account that was charged first stays charged. Throws
  // LimitError, with the charge as before.
  void set(MemoryAccount& account, uint64_t n);
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  void release(MemoryAccount& a) noexcept;
  std::atomic<MemoryAccount*> account_{nullptr};  // counted; set once
  std::atomic<uint64_t> bytes_{0};
};

}  // namespace sconce
