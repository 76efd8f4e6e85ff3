// SPDX-License-Identifier: Apache-2.0
// What fails below: the n-th allocation, for every n of a load and of some runs; the n-th read of a
// file; reads that bring a few bytes at a time. Each time there is a clean error, nothing is left
// behind, and the module answers as before afterwards.
//
//     sconce_failures [--seconds S] FILE.pt...      each with its FILE.io.pt; 0: every n, however
//     long it takes
//
// Linked with --wrap for aligned_alloc and read.
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <new>

#include "sconce/sconce.h"
#include "compare.h"

namespace {

// Which one fails, counted down while it is armed; and what is held now.
std::atomic<int64_t> countdown{-1}, held{0}, failed{0};

bool fails() {
  if (countdown.load(std::memory_order_relaxed) < 0) return false;
  if (countdown.fetch_sub(1, std::memory_order_relaxed) != 0) return false;
  failed.fetch_add(1, std::memory_order_relaxed);
  return true;
}
void* counted(void* p) {
  if (p) held.fetch_add(static_cast<int64_t>(malloc_usable_size(p)), std::memory_order_relaxed);
  return p;
}
void uncount(void* p) {
  if (p) held.fetch_sub(static_cast<int64_t>(malloc_usable_size(p)), std::memory_order_relaxed);
}
void* allocate(size_t n) {
  void* p = fails() ? nullptr : counted(std::malloc(n ? n : 1));
  if (!p) throw std::bad_alloc();
  return p;
}

enum class Reads { Whole, Short } reads = Reads::Whole;
int64_t failing_read = -1;

}  // namespace

void* operator new(size_t n) { return allocate(n); }
void* operator new[](size_t n) { return allocate(n); }
void* operator new(size_t n, const std::nothrow_t&) noexcept {
  return fails() ? nullptr : counted(std::malloc(n ? n : 1));
}
void* operator new[](size_t n, const std::nothrow_t&) noexcept {
  return fails() ? nullptr : counted(std::malloc(n ? n : 1));
}
void operator delete(void* p) noexcept {
  uncount(p);
  std::free(p);
}
void operator delete[](void* p) noexcept { operator delete(p); }
void operator delete(void* p, size_t) noexcept { operator delete(p); }
void operator delete[](void* p, size_t) noexcept { operator delete(p); }

extern "C" {
void* __real_aligned_alloc(size_t alignment, size_t n);
// Memory of tensors and of kernels; it is freed with free, so it isn't counted.
void* __wrap_aligned_alloc(size_t alignment, size_t n) {
  if (!fails()) return __real_aligned_alloc(alignment, n);
  errno = ENOMEM;
  return nullptr;
}
ssize_t __real_read(int fd, void* to, size_t n);
ssize_t __wrap_read(int fd, void* to, size_t n) {
  if (failing_read >= 0 && failing_read-- == 0) {
    errno = EIO;
    return -1;
  }
  return __real_read(fd, to, reads == Reads::Short && n > 1 ? std::min<size_t>(n, 1 + n % 997) : n);
}
}

namespace {

using namespace sconce;
using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point t) {
  return std::chrono::duration<double>(Clock::now() - t).count();
}

struct Tested {
  std::string file;
  std::vector<tool::Case> cases;
  std::vector<IValue> expected;
};

// Made before anything fails: the test itself allocates too.
struct Calls {
  explicit Calls(const Tested& t, int times) : tested(t) {
    for (auto& c : t.cases)
      for (int i = 0; i < times; ++i) inputs.push_back(tool::copy_values(c.inputs));
  }
  IValue next(Module& m) {
    const size_t i = at++;
    return m.run_method(tested.cases[i * tested.cases.size() / inputs.size()].method,
                        std::move(inputs[i]));
  }
  bool more() const { return at < inputs.size(); }
  const Tested& tested;
  std::vector<std::vector<IValue>> inputs;
  size_t at = 0;
};
// Empty: the answers are as expected.
std::string compare(const Tested& t, Module& m) {
  Calls calls(t, 1);
  for (size_t i = 0; i < t.cases.size(); ++i)
    if (auto d = tool::difference(calls.next(m), t.expected[i], {"exact", 0, 0}, "answer"))
      return *d;
  return "";
}

// Loads and runs with the n-th allocation failing from here. Sets done when there were fewer.
std::string one_allocation(const Tested& t, int64_t n, bool* done) {
  Module m;
  Calls calls(t, 3);
  const int64_t before = failed;
  countdown = n;
  std::string wrong;
  try {
    m = load(t.file);
    while (calls.more()) calls.next(m);
  } catch (const Error&) {
  } catch (const std::exception& e) {
    wrong = std::string("not an error of sconce: ") + e.what();
  }
  countdown = -1;
  *done = failed == before;
  try {
    if (wrong.empty() && m.defined()) wrong = compare(t, m);
  } catch (const std::exception& e) {
    wrong = std::string("afterwards: ") + e.what();
  }
  return wrong;
}

int allocations(const Tested& t, double limit) {
  // Twice, so that what is made once is there.
  bool done = false;
  for (int i = 0; i < 2; ++i) one_allocation(t, int64_t{1} << 60, &done);
  const auto began = Clock::now();
  int64_t total = 0;
  {
    Calls calls(t, 3);
    countdown = int64_t{1} << 60;
    Module m = load(t.file);
    while (calls.more()) calls.next(m);
    total = (int64_t{1} << 60) - countdown;
    countdown = -1;
  }
  const double each = 2 * seconds_since(began) + 1e-5;
  const int64_t step =
      limit > 0
          ? std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(total) * each / limit))
          : 1;
  int problems = 0;
  int64_t runs = 0, last = held;
  // The first three hundred always: what begins.
  for (int64_t n = 0; n < total + 1 && problems < 10; n += n < 300 ? 1 : step, ++runs) {
    const int64_t before = held;
    const std::string wrong = one_allocation(t, n, &done);
    if (!wrong.empty())
      std::cout << t.file << ": allocation " << n << ": " << wrong << "\n", ++problems;
    // What is kept for the next time shows once; what leaks shows again.
    if (held > before) {
      const int64_t first = held - before, again = held;
      one_allocation(t, n, &done);
      if (held > again)
        std::cout << t.file << ": allocation " << n << ": " << first << " and " << held - again
                  << " bytes are left\n",
            ++problems;
    }
  }
  std::cout << t.file << ": " << runs << " of " << total << " allocations failed, " << held - last
            << " bytes more held\n";
  return problems;
}

int file_reads(const Tested& t) {
  int problems = 0;
  auto say = [&](const std::string& what) {
    std::cout << t.file << ": " << what << "\n";
    ++problems;
  };
  reads = Reads::Short;
  try {
    Module m = load(t.file);
    if (auto wrong = compare(t, m); !wrong.empty()) say("short reads: " + wrong);
  } catch (const std::exception& e) {
    say(std::string("short reads: ") + e.what());
  }
  for (int64_t n = 0; n < 5; ++n) {
    failing_read = n;
    try {
      Module m = load(t.file);
      if (failing_read < 0) say("a read that failed went unseen");
    } catch (const FormatError&) {
    } catch (const std::exception& e) {
      say(std::string("a failed read: ") + e.what());
    }
  }
  failing_read = -1;
  reads = Reads::Whole;
  return problems;
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 20;
  int problems = 0;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--seconds") && i + 1 < argc) {
      seconds = std::atof(argv[++i]);
      continue;
    }
    try {
      Tested t;
      t.file = argv[i];
      Module m = load(t.file);
      for (auto& c : tool::read_cases(t.file.substr(0, t.file.size() - 3) + ".io.pt")) {
        if (c.raises || c.skip) continue;
        c.inputs = tool::convert_inputs(m, c.method, c.inputs);
        t.cases.push_back(std::move(c));
      }
      Calls calls(t, 1);
      while (calls.more()) t.expected.push_back(calls.next(m));
      problems += file_reads(t);
      problems += allocations(t, seconds);
    } catch (const std::exception& e) {
      std::cout << argv[i] << ": " << e.what() << "\n";
      ++problems;
    }
  }
  return problems ? 1 : 0;
}
