// SPDX-License-Identifier: Apache-2.0
// LibTorch's names for sconce: at::, c10::, torch:: and torch::jit::, so that ordinary inference
// code compiles with only its include line changed (<torch/script.h> or <torch/torch.h> to this
// one) and means the same. What is not here: docs/porting.md.
#pragma once
#include "sconce/sconce.h"
#include "sconce/torch/context.h"
#include "sconce/torch/dispatch.h"
#include "sconce/torch/functional_loss.h"
