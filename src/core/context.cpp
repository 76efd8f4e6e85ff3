// SPDX-License-Identifier: Apache-2.0
#include "core/context.h"

#include <atomic>
#include <cstdlib>
#include <mutex>

#include "core/heap.h"
#include "support/lasting.h"

namespace sconce {

namespace {
thread_local Context* current = nullptr;

void* from_malloc(void*, size_t n, size_t alignment) {
  void* p = nullptr;
  return posix_memalign(&p, alignment, n) == 0 ? p : nullptr;
}
void to_malloc(void*, void* p, size_t) { std::free(p); }

// Written only before heap_used, under the mutex.
Heap heap{from_malloc, to_malloc, nullptr};
std::atomic<bool> heap_used{false};
std::mutex heap_mutex;

void* heap_allocate(void*, size_t n) {
  if (!heap_used.load(std::memory_order_acquire)) {
    std::lock_guard<std::mutex> lock(heap_mutex);
    heap_used.store(true, std::memory_order_release);
  }
  void* p = static_cast<uint64_t>(n) > (uint64_t{1} << 46)
                ? nullptr
                : heap.allocate(heap.user, n ? n : 64, 64);
  if (!p) raise<OutOfMemory>("cannot allocate ", n, " bytes");
  return p;
}
void heap_deallocate(void*, void* p, size_t n) { heap.release(heap.user, p, n ? n : 64); }
}  // namespace

bool set_heap(const Heap& h) {
  std::lock_guard<std::mutex> lock(heap_mutex);
  if (heap_used.load(std::memory_order_relaxed)) return false;
  heap = h;
  return true;
}

Context& default_context() {
  static const Lasting generator(new Ref<Generator>(new Generator));
  // Never destroyed.
  static Context c = [] {
    Context fresh;
    fresh.allocator = {heap_allocate, heap_deallocate, nullptr};
    fresh.generator = generator->get();
    return fresh;
  }();
  return c;
}
Context& context() { return current ? *current : default_context(); }

ContextScope::ContextScope(Context* c) : saved_(current) { current = c; }
ContextScope::~ContextScope() { current = saved_; }

}  // namespace sconce
