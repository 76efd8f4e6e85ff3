// SPDX-License-Identifier: Apache-2.0
// Threads that share the work of one operator. An engine owns its pool; kernels reach it through
// the context.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
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
  // Runs part(0) to part(count - 1), some of them on other threads, and returns when all are done.
  // When the pool is at work for another caller, all run on this thread. Throws the first exception
  // that a part threw.
  void run(int64_t count, const std::function<void(int64_t)>& part);

 private:
  void work();
  void take_parts();

  std::vector<std::thread> workers_;
  std::mutex mutex_, callers_;
  std::condition_variable start_, done_;
  const std::function<void(int64_t)>* part_ = nullptr;
  std::atomic<int64_t> next_{0};
  int64_t count_ = 0;
  uint64_t round_ = 0;
  size_t busy_ = 0;
  bool stop_ = false;
  std::exception_ptr error_;
};

}  // namespace sconce
