// SPDX-License-Identifier: Apache-2.0
// LibTorch's names for sconce: at::, c10::, torch:: and torch::jit::, so that ordinary inference
// code compiles with only its include line changed (<torch/script.h> or <torch/torch.h> to this
// one) and means the same. What is not here: docs/porting.md.
#pragma once
// Of the LibTorch whose declarations these are.
#define TORCH_VERSION_MAJOR 2
#define TORCH_VERSION_MINOR 13
#define TORCH_VERSION_PATCH 0
#define TORCH_VERSION "2.13.0"

#include "sconce/sconce.h"
#include "sconce/torch/dispatch.h"
#include "sconce/torch/layers.h"
#include "sconce/torch/library.h"
#include "sconce/torch/logging.h"
#include "sconce/torch/observers.h"
#include "sconce/torch/serialize.h"
