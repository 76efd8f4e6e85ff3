// SPDX-License-Identifier: Apache-2.0
#pragma once

// Before a loop: no iteration reads what an earlier one has written, so the compiler need not look.
// Others than g++ look.
#if defined(__GNUC__) && !defined(__clang__)
#define SCONCE_IVDEP _Pragma("GCC ivdep")
#else
#define SCONCE_IVDEP
#endif
