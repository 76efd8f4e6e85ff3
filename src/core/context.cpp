// SPDX-License-Identifier: Apache-2.0
#include "core/context.h"
#include "support/lasting.h"

#include <cstdlib>

namespace sconce {

namespace {
thread_local Context* current = nullptr;

void* heap_allocate(void*, size_t n) {
  void* p = nullptr;
  if (n > (size_t{1} << 46) || posix_memalign(&p, 64, n ? n : 64) != 0)
    raise<OutOfMemory>("cannot allocate ", n, " bytes");
  return p;
}
void heap_deallocate(void*, void* p, size_t) { std::free(p); }
}  // namespace

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
