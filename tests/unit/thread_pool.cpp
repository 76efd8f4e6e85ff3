// SPDX-License-Identifier: Apache-2.0
#include "core/thread_pool.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <stdexcept>
#include <string>

#include "support/platform.h"

using sconce::ThreadPool;

namespace {

// Each part once, and what it wrote is seen here.
bool each_once(ThreadPool& pool, int64_t count) {
  std::vector<int> times(static_cast<size_t>(count), 0);
  pool.run(count, [&](int64_t i) { ++times[static_cast<size_t>(i)]; });
  return std::count(times.begin(), times.end(), 1) == count;
}

void wait_ms(int n) { std::this_thread::sleep_for(std::chrono::milliseconds(n)); }

}  // namespace

TEST_CASE("a pool runs every part once", "[threads]") {
  for (int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    CHECK(pool.size() == threads);
    bool all = true;
    for (int64_t round = 0; round < 300; ++round) all &= each_once(pool, round % 40);
    CHECK(all);
    wait_ms(2);  // the workers sleep
    CHECK(each_once(pool, 11));
  }
}

TEST_CASE("parts run on several threads", "[threads]") {
  ThreadPool pool(2);
  for (int round = 0; round < 3; ++round) {
    // Neither part ends before the other has begun.
    std::atomic<int> begun{0};
    std::thread::id ids[2];
    pool.run(2, [&](int64_t i) {
      ids[i] = std::this_thread::get_id();
      ++begun;
      while (begun < 2) std::this_thread::yield();
    });
    CHECK(ids[0] != ids[1]);
    wait_ms(round);
  }
}

TEST_CASE("a thread gets the parts that it had before", "[threads]") {
  ThreadPool pool(2);
  const auto here = std::this_thread::get_id();
  int same = 0;
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> begun{0};
    std::thread::id ids[6];
    pool.run(6, [&](int64_t i) {
      ids[i] = std::this_thread::get_id();
      // Step by step: neither thread is through with its own while the other has some left.
      ++begun;
      while (begun < 2 * (i % 3 + 1)) std::this_thread::yield();
    });
    same += ids[0] == here && ids[5] != here;
  }
  CHECK(same >= 45);  // a worker that looks around while parts are dealt may take another's
}

TEST_CASE("a part's exception reaches the caller when all are done", "[threads]") {
  ThreadPool pool(3);
  for (int64_t bad : {0, 4, 9}) {
    std::atomic<int> ran{0};
    auto part = [&](int64_t i) {
      ++ran;
      if (i == bad) throw std::runtime_error(std::to_string(i));
    };
    CHECK_THROWS_WITH(pool.run(10, part), std::to_string(bad));
    CHECK(ran == 10);
    CHECK(each_once(pool, 10));  // nothing of it is left
  }
  CHECK_THROWS_WITH(pool.run(1, [](int64_t) { throw std::runtime_error("alone"); }), "alone");
  CHECK_THROWS_AS(pool.run(20, [](int64_t) { throw std::runtime_error("all"); }),
                  std::runtime_error);
  CHECK(each_once(pool, 10));
}

TEST_CASE("a part may run parts", "[threads]") {
  ThreadPool pool(3);
  std::atomic<int> ran{0};
  pool.run(5, [&](int64_t) {
    const auto here = std::this_thread::get_id();
    pool.run(4, [&](int64_t) { ran += std::this_thread::get_id() == here; });
  });
  CHECK(ran == 20);
  auto nested = [&](int64_t i) {
    pool.run(3, [&](int64_t k) {
      if (i == 2 && k == 1) throw std::runtime_error("inner");
    });
  };
  CHECK_THROWS_WITH(pool.run(5, nested), "inner");
  CHECK(each_once(pool, 10));
}

TEST_CASE("two callers share a pool", "[threads]") {
  ThreadPool pool(2);
  std::atomic<bool> fine{true};
  auto caller = [&] {
    for (int64_t round = 0; round < 2000; ++round)
      if (!each_once(pool, 2 + round % 7)) fine = false;
  };
  std::thread other(caller);
  caller();
  other.join();
  CHECK(fine);
}

TEST_CASE("more threads than processors", "[threads]") {
  ThreadPool pool(sconce::usable_processors() + 5);
  bool all = true;
  for (int round = 0; round < 200; ++round) all &= each_once(pool, 30);
  CHECK(all);
}

#if !defined(__SANITIZE_THREAD__)
TEST_CASE("a forked process has the pool, without its threads", "[threads]") {
  for (int rest : {0, 2}) {  // the worker spins; it sleeps
    ThreadPool pool(2);
    REQUIRE(each_once(pool, 10));
    wait_ms(rest);
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);
      _exit(each_once(pool, 10) && each_once(pool, 3) ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(each_once(pool, 10));
  }
}
#endif

TEST_CASE("processors that the process may use", "[threads]") {
  const int n = sconce::usable_processors();
  CHECK(n >= 1);
  CHECK(n <= static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
}
