// SPDX-License-Identifier: Apache-2.0
// Where the CPU's memory of tensors comes from: malloc, or what a program puts in its place.
#pragma once
#include <cstddef>

namespace sconce {

struct Heap {
  void* (*allocate)(void* user, size_t size, size_t alignment);  // null: there is none left
  void (*release)(void* user, void* p, size_t size);
  void* user;
};
// From any thread. False once the first bytes were given out: each heap gets back what it gave.
bool set_heap(const Heap& h);

}  // namespace sconce
