// SPDX-License-Identifier: Apache-2.0
// The graph itself stands among the public headers, for the authors of passes.
#pragma once
#include "sconce/ir.h"
