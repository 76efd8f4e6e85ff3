// SPDX-License-Identifier: Apache-2.0
// Tiles: conversions between stored elements and compute types.
#include "backends/convert_tiles.h"
