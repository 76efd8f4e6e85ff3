// SPDX-License-Identifier: Apache-2.0
#include "support/stack.h"

#ifdef __EMSCRIPTEN__
#include <emscripten/stack.h>
#else
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <cstdint>

#include "sconce/error.h"

namespace sconce {

namespace {

struct Stack {
  uintptr_t low = 0, high = 0;  // both 0: not known
  size_t reserve = 0;
#ifdef __EMSCRIPTEN__
  Stack()
      : low(emscripten_stack_get_end()),
        high(emscripten_stack_get_base()),
        reserve(std::min<size_t>(128 << 10, (high - low) / 4)) {}
#else
  Stack() {
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes)) return;
    void* address = nullptr;
    size_t size = 0, guard = 0;
    if (!pthread_attr_getstack(&attributes, &address, &size)) {
      pthread_attr_getguardsize(&attributes, &guard);
      guard = std::min(guard, size);
      low = reinterpret_cast<uintptr_t>(address) + guard;
      high = reinterpret_cast<uintptr_t>(address) + size;
#ifndef __GLIBC__
      // musl tells what the first thread's stack is by now; the system lets it grow.
      struct rlimit most;
      if (gettid() == getpid() && !getrlimit(RLIMIT_STACK, &most)) {
        size = std::min<rlim_t>(most.rlim_cur, size_t{8} << 20);
        guard = std::min<size_t>(size / 8, 64 << 10);
        low = high - std::min<uintptr_t>(high, size) + guard;
      }
#endif
      reserve = std::min<size_t>(128 << 10, (size - guard) / 4);
    }
    pthread_attr_destroy(&attributes);
  }
#endif
};
const Stack& stack() {
  thread_local const Stack own;
  return own;
}

}  // namespace

size_t stack_left() {
  const Stack& s = stack();
  const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  return here > s.low && here <= s.high ? here - s.low : SIZE_MAX;
}
void check_stack() {
  if (stack_left() < stack().reserve)
    throw LimitError("nested too deeply: the stack of this thread is used up");
}

}  // namespace sconce
