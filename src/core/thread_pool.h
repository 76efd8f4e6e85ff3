// SPDX-License-Identifier: Apache-2.0
// Threads that share the work of one operator. An engine owns its pool; kernels reach it through
// the context.
//
// The parts are dealt to the threads as runs of neighbours, the same part to the same thread
// whenever there are as many: what a kernel wrote is in the cache of the thread that reads it in
// the next kernel. A thread that has done its own parts takes those of others, so that a worker
// which wakes late delays nobody: only claimed parts are waited for. Between runs a worker watches
// for the next one for some microseconds, then sleeps until it is woken; where the process has
// fewer processors than threads, it sleeps at once.
//
// What is ordered by what (thread_pool.cpp names the four steps):
//   1. run() fills the job, then stores what remains of each hand (release). Whoever takes 1 from
//      that (acquire) sees the job, and the job stays until that part is counted in unfinished_.
//   2. unfinished_ is counted down (acq_rel) after parts: whoever counts the last one has seen what
//      all parts wrote. Only then may run() return.
//   3. If that is a worker, it stores the run's number in done_, which run() waits for.
//   4. A sleeper says so in sleeping_ before it looks at round_ a last time; run() raises round_
//      before it looks at sleeping_. All four are sequentially consistent, so one sees the other.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace sconce {

class ThreadPool {
 public:
  // threads: including the one that calls; at least 1.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  int size() const { return static_cast<int>(workers_.size()) + 1; }
  // No worker sleeps: a run costs a microsecond, not the waking of a thread.
  bool watches() const { return spins_ && sleeping_.load(std::memory_order_relaxed) == 0; }
  // Runs part(0) to part(count - 1), some of them on other threads, and returns when all are done.
  // When the pool is at work for another caller, or when this is called from a part, all run on
  // this thread. Throws the first exception that a part threw. In a process that was forked the
  // parts run on this thread.
  template <class F>
  void run(int64_t count, const F& part) {
    run_job({[](const void* f, int64_t i) { (*static_cast<const F*>(f))(i); }, &part, count});
  }

 private:
  struct Job {
    void (*part)(const void* f, int64_t i) = nullptr;
    const void* f = nullptr;
    int64_t count = 0;
  };
  // The parts that were dealt to one thread: those before `end` that remain.
  struct alignas(64) Hand {
    std::atomic<int64_t> remaining{0};
    int64_t end = 0;
  };
  void run_job(const Job& job);
  void share(const Job& job);
  void work(int64_t thread);
  bool take_parts(int64_t thread);
  void call(int64_t i);
  // Until word is no longer what it was. False: it still is, after the time that spinning is worth.
  bool spin(const std::atomic<uint32_t>& word, uint32_t was) const;

  std::vector<std::thread> workers_;
  bool spins_ = false;
  std::atomic<bool> stop_{false};
  // A line of the cache for each thing that threads wait for.
  alignas(64) std::atomic<bool> in_use_{false};
  std::mutex error_mutex_;
  std::exception_ptr error_;
  alignas(64) std::atomic<uint32_t> round_{0};
  std::atomic<int32_t> sleeping_{0};
  alignas(64) std::atomic<uint32_t> done_{0};
  alignas(64) std::atomic<int64_t> unfinished_{0};
  std::vector<Hand> hands_;  // of the caller and the workers
  Job job_;
  uint32_t job_round_ = 0;
};

}  // namespace sconce
