// SPDX-License-Identifier: Apache-2.0
// The whole public API.
#pragma once
#include "sconce/device.h"
#include "sconce/error.h"
#include "sconce/ivalue.h"
#include "sconce/limits.h"
#include "sconce/module.h"
#include "sconce/op.h"
#include "sconce/options.h"
#include "sconce/tensor.h"
#include "sconce/type.h"
#include "sconce/version.h"
