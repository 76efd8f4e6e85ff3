// SPDX-License-Identifier: Apache-2.0
// The device that the kernels run on where there is no GPU: for tests. Its addresses can't be read
// or written, only what reachable() makes of them, so a test fails when anything but a kernel or
// copy_bytes() touches a device's memory.
#include <sys/mman.h>

#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "backends/cuda/blas.h"

namespace sconce::cuda {

namespace {

constexpr size_t kBytes = size_t{1} << 30;

struct Memory {
  char *hidden, *open;  // the device's addresses, and where their bytes are
  size_t used = 0;
  std::map<size_t, std::vector<void*>> free;  // by size, a power of two
  std::mutex mutex;
  Memory()
      : hidden(static_cast<char*>(
            mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))),
        open(static_cast<char*>(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {}
};
Memory& memory() {
  static auto* m = new Memory;
  return *m;
}
size_t rounded(size_t n) {
  size_t r = 256;
  while (r < n) r *= 2;
  return r;
}

}  // namespace

void* Gpu::allocate(size_t nbytes) {
  Memory& m = memory();
  if (m.hidden == MAP_FAILED || m.open == MAP_FAILED || nbytes > kBytes) return nullptr;
  const size_t n = rounded(nbytes);
  std::lock_guard<std::mutex> lock(m.mutex);
  auto& list = m.free[n];
  if (!list.empty()) {
    void* p = list.back();
    list.pop_back();
    return p;
  }
  if (n > kBytes - m.used) return nullptr;
  m.used += n;
  return m.hidden + m.used - n;
}
void Gpu::release(void* p, size_t nbytes) {
  Memory& m = memory();
  std::lock_guard<std::mutex> lock(m.mutex);
  m.free[rounded(nbytes)].push_back(p);
}

char* reachable_address(const void* p) {
  Memory& m = memory();
  auto* at = static_cast<char*>(const_cast<void*>(p));
  return at < m.hidden || at >= m.hidden + kBytes ? at : m.open + (at - m.hidden);
}

Gpu& gpu(int) {
  static Gpu* g = [] {
    auto* fresh = new Gpu;
    fresh->fault = static_cast<int*>(fresh->allocate(sizeof(int)));
    return fresh;
  }();
  return *g;
}

void multiply(Gpu&, ScalarType t, int64_t m, int64_t n, int64_t k, double alpha, const Matrix& a,
              const Matrix& b, double beta, const Matrix& c, int64_t batch) {
  const auto es = static_cast<int64_t>(element_size(t));
  auto run = [&](auto tag) {
    using C = decltype(tag);
    auto at = [&](const Matrix& x, int64_t p, int64_t i, int64_t j) {
      const int64_t e = x.transposed ? j + i * x.ld : i + j * x.ld;
      return reachable(static_cast<char*>(x.data)) + (p * x.stride + e) * es;
    };
    for (int64_t p = 0; p < batch; ++p)
      for (int64_t j = 0; j < n; ++j)
        for (int64_t i = 0; i < m; ++i) {
          C s = 0;
          for (int64_t q = 0; q < k; ++q)
            s += load<C>(t, at(a, p, i, q)) * load<C>(t, at(b, p, q, j));
          s *= static_cast<C>(alpha);
          char* out = at(c, p, i, j);
          if (beta != 0) s += static_cast<C>(beta) * load<C>(t, out);
          store<C>(t, out, s);
        }
  };
  t == kDouble ? run(double{}) : run(float{});
}

int device_count() { return 1; }
void copy_bytes(int, void* to, const void* from, size_t nbytes, int) {
  std::memcpy(reachable_address(to), reachable_address(from), nbytes);
}
void synchronize(int) {}
const char* plugin_name() { return "cuda-emulated"; }

}  // namespace sconce::cuda
