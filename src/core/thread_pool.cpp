// SPDX-License-Identifier: Apache-2.0
#include "core/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/context.h"
#include "support/platform.h"

namespace sconce {

namespace {

// Some times what waking a sleeper takes on a virtual machine (50), so that threads whose parts
// took unequal time find each other awake.
constexpr std::chrono::microseconds kSpin{200};

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

// A part, and the context of the thread that shares it: its limits hold on every thread.
struct Shared {
  void (*part)(const void* f, int64_t i);
  const void* f;
  const Context* caller;
};
void run_shared(const void* f, int64_t i) {
  const Shared& s = *static_cast<const Shared*>(f);
  if (&context() == s.caller) return s.part(s.f, i);
  Context mine = *s.caller;
  mine.pool = nullptr;
  mine.recorder = nullptr;
  ContextScope scope(&mine);
  s.part(s.f, i);
}

}  // namespace

#ifdef __EMSCRIPTEN__  // without threads: the caller does all
ThreadPool::ThreadPool(int) : hands_(1) {}
#else
ThreadPool::ThreadPool(int threads)
    : spins_(usable_processors() >= threads), hands_(static_cast<size_t>(threads)) {
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
}
#endif

ThreadPool::~ThreadPool() {
  stop_.store(true, std::memory_order_relaxed);
  round_.fetch_add(1);
  round_.notify_all();
  for (auto& t : workers_) t.join();
}

bool ThreadPool::spin(const std::atomic<uint32_t>& word, uint32_t was) const {
  if (word.load(std::memory_order_acquire) != was) return true;
  if (!spins_) return false;
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      relax();
      if (word.load(std::memory_order_acquire) != was) return true;
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

void ThreadPool::call(int64_t i) {
  try {
    job_.part(job_.f, i);
  } catch (...) {
    std::lock_guard<std::mutex> lock(error_mutex_);
    if (!error_) error_ = std::current_exception();
  }
}

// True when the last part of the run was among them.
bool ThreadPool::take_parts(int64_t thread) {
  const auto hands = static_cast<int64_t>(hands_.size());
  int64_t taken = 0;
  for (int64_t k = 0; k < hands; ++k) {
    Hand& hand = hands_[static_cast<size_t>((thread + k) % hands)];
    for (int64_t left = hand.remaining.load(std::memory_order_relaxed); left > 0;) {
      if (!hand.remaining.compare_exchange_weak(left, left - 1, std::memory_order_acquire,
                                                std::memory_order_relaxed))  // 1
        continue;
      call(hand.end - left);
      ++taken;
      left = hand.remaining.load(std::memory_order_relaxed);
    }
  }
  return taken > 0 && unfinished_.fetch_sub(taken, std::memory_order_acq_rel) == taken;  // 2
}

void ThreadPool::work(int64_t thread) {
  for (;;) {
    const uint32_t seen = round_.load(std::memory_order_acquire);
    if (stop_.load(std::memory_order_relaxed)) return;
    if (take_parts(thread)) {
      done_.store(job_round_);  // 3; the caller, who reads it, may be about to sleep
      done_.notify_all();
    }
    if (spin(round_, seen)) continue;
    sleeping_.fetch_add(1);  // 4
    round_.wait(seen);
    sleeping_.fetch_sub(1);
  }
}

void ThreadPool::share(const Job& job) {
  job_ = job;
  const uint32_t round = job_round_ = round_.load(std::memory_order_relaxed) + 1;
  unfinished_.store(job.count, std::memory_order_relaxed);
  const auto hands = std::min(job.count, static_cast<int64_t>(hands_.size()));
  for (int64_t k = hands; k-- > 0;) {
    Hand& hand = hands_[static_cast<size_t>(k)];
    hand.end = job.count * (k + 1) / hands;
    hand.remaining.store(hand.end - job.count * k / hands, std::memory_order_release);  // 1
  }
  round_.store(round);  // 4
  if (sleeping_.load() > 0) round_.notify_all();
  if (take_parts(0)) return;
  for (uint32_t done; (done = done_.load(std::memory_order_acquire)) != round;)
    if (!spin(done_, done)) done_.wait(done);
}

void ThreadPool::run_job(const Job& job) {
  if (workers_.empty() || job.count < 2 || in_use_.exchange(true, std::memory_order_acquire)) {
    for (int64_t i = 0; i < job.count; ++i) job.part(job.f, i);
    return;
  }
  const Shared shared{job.part, job.f, &context()};
  share({run_shared, &shared, job.count});
  std::exception_ptr error = std::exchange(error_, nullptr);
  in_use_.store(false, std::memory_order_release);
  if (error) std::rethrow_exception(error);
}

}  // namespace sconce
