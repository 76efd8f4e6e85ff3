// SPDX-License-Identifier: Apache-2.0
// The device that the kernels run on where there is no GPU: for tests. Its addresses can't be read
// or written, only what reachable() makes of them, so a test fails when anything but a kernel or
// copy_bytes() touches a device's memory, or a kernel that of another device.
#include <sys/mman.h>

#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "backends/cuda/blas.h"

namespace sconce::cuda {

namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kBytes = size_t{1} << 30;

constexpr int kDevices = 2;
// The device that this thread's kernels run on.
thread_local int g_current = 0;

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
Memory& memory_of(int index) {
  static auto* m = new Memory[kDevices];
  return m[index];
}
bool holds(const Memory& m, const char* at) { return at >= m.hidden && at < m.hidden + kBytes; }
size_t rounded(size_t n) {
  size_t r = 256;
  while (r < n) r *= 2;
  return r;
}

}  // namespace

void* Gpu::allocate(size_t nbytes) {
  Memory& m = memory_of(index);
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
  Memory& m = memory_of(index);
  std::lock_guard<std::mutex> lock(m.mutex);
  m.free[rounded(nbytes)].push_back(p);
}

char* reachable_address(const void* p) {
  auto* at = static_cast<char*>(const_cast<void*>(p));
  const Memory& m = memory_of(g_current);
  if (holds(m, at)) return m.open + (at - m.hidden);
  return at;  // the host's, or hidden memory of another device, where the kernel crashes
}

Gpu& gpu(int index) {
  static Gpu* opened = [] {
    auto* fresh = new Gpu[kDevices];
    for (int i = 0; i < kDevices; ++i) {
      g_current = fresh[i].index = i;
      constexpr size_t bytes = Gpu::kFaultWords * sizeof(int);
      fresh[i].faults = static_cast<int*>(fresh[i].allocate(bytes));
      std::memset(reachable(fresh[i].faults), 0, bytes);
    }
    return fresh;
  }();
  g_current = index;
  return opened[index];
}

namespace {
// c = alpha * a b + beta * c + bias by rows of c; bias may be null.
void product(ScalarType t, int64_t m, int64_t n, int64_t k, double alpha, const Matrix& a,
             const Matrix& b, double beta, const void* bias, const Matrix& c, int64_t batch,
             ScalarType c_type) {
  const auto es = static_cast<int64_t>(element_size(t)),
             c_size = static_cast<int64_t>(element_size(c_type));
  auto run = [&](auto tag) {
    using C = decltype(tag);
    auto at = [&](const Matrix& x, int64_t p, int64_t i, int64_t j) {
      const int64_t size = &x == &c ? c_size : es;
      const int64_t e = x.transposed ? j + i * x.ld : i + j * x.ld;
      return reachable(static_cast<char*>(x.data)) + (p * x.stride + e) * size;
    };
    for (int64_t p = 0; p < batch; ++p)
      for (int64_t j = 0; j < n; ++j)
        for (int64_t i = 0; i < m; ++i) {
          C s = 0;
          for (int64_t q = 0; q < k; ++q)
            s += load<C>(t, at(a, p, i, q)) * load<C>(t, at(b, p, q, j));
          s *= static_cast<C>(alpha);
          char* out = at(c, p, i, j);
          if (beta != 0) s += static_cast<C>(beta) * load<C>(c_type, out);
          if (bias) s += load<C>(t, reachable(static_cast<const char*>(bias)) + i * es);
          store<C>(c_type, out, s);
        }
  };
  t == kDouble ? run(double{}) : run(float{});
}
}  // namespace

void multiply(Gpu&, ScalarType t, int64_t m, int64_t n, int64_t k, double alpha, const Matrix& a,
              const Matrix& b, double beta, const Matrix& c, int64_t batch, ScalarType c_type) {
  product(t, m, n, k, alpha, a, b, beta, nullptr, c, batch,
          c_type == ScalarType::Undefined ? t : c_type);
}
bool multiply_with_bias(Gpu&, ScalarType t, int64_t m, int64_t n, int64_t k, double alpha,
                        const Matrix& a, const Matrix& b, const void* bias, const Matrix& c) {
  if (t == kDouble) return false;  // as cuBLASLt
  product(t, m, n, k, alpha, a, b, 0, bias, c, 1, t);
  return true;
}

int* Gpu::fault() const { return faults + fault_word_of_thread(); }
void allow_tf32(bool) {}

int device_count() { return kDevices; }
const char* unavailable() { return "there is always one"; }
void describe(int, char* text, size_t size) { std::snprintf(text, size, "emulated on the CPU"); }
void memory(int index, size_t* free, size_t* total) {
  Memory& m = memory_of(index);
  std::lock_guard<std::mutex> lock(m.mutex);
  *free = kBytes - m.used;
  *total = kBytes;
}
void synchronize(int index) {
  int& fault = *reachable(gpu(index).fault());
  Gpu::fault_found(fault);
  fault = Gpu::None;
}
void copy_bytes(int index, void* to, const void* from, size_t nbytes, int kind) {
  gpu(index);
  std::memcpy(reachable_address(to), reachable_address(from), nbytes);
  if (kind == 1) synchronize(index);
}
void* mark(int) { return new Clock::time_point(Clock::now()); }
double elapsed_ms(int, void* from, void* to) {
  return std::chrono::duration<double, std::milli>(*static_cast<Clock::time_point*>(to) -
                                                   *static_cast<Clock::time_point*>(from))
      .count();
}
void forget_mark(int, void* m) { delete static_cast<Clock::time_point*>(m); }
// Loops can't be kept.
bool begin_capture(int) { return false; }
void* end_capture(int) { return nullptr; }
void launch(int, void*) {}
void forget_graph(int, void*) {}
const char* plugin_name() { return "cuda-emulated"; }

}  // namespace sconce::cuda
