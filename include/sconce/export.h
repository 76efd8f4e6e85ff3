// SPDX-License-Identifier: Apache-2.0
// Symbol visibility: everything is hidden except what carries SCONCE_API.
#pragma once
#if defined(_WIN32)
#define SCONCE_API
#else
#define SCONCE_API __attribute__((visibility("default")))
#endif
