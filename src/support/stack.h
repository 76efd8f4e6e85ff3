// SPDX-License-Identifier: Apache-2.0
// Recursion whose depth is the input's ends in an error while there is stack for it. Whatever calls
// itself over values, types, trees, blocks or calls that a file or a program may nest begins with
// check_stack(); counts of levels would fit neither a thread with little stack nor one with much.
#pragma once
#include <cstddef>

namespace sconce {

// Bytes between this frame and the end of the thread's stack; SIZE_MAX where that isn't known (a
// host that runs code on a stack of its own making).
size_t stack_left();
// Throws LimitError when what is left is needed for what runs below: 128 KB, or a quarter of a
// stack that is small.
void check_stack();

}  // namespace sconce
