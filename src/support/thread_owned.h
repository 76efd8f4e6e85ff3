// SPDX-License-Identifier: Apache-2.0
// Memory of one thread that its destructor-less thread_local pointers point to. A thread_local with
// a destructor would keep the library in memory for as long as the thread lives.
#pragma once

namespace sconce {

// Calls destroy(p) when this thread ends, or when the library is unloaded. Returns p.
void* thread_owned(void* p, void (*destroy)(void*));

}  // namespace sconce
