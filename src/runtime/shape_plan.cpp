// SPDX-License-Identifier: Apache-2.0
#include "runtime/shape_plan.h"

#include "ir/cleanup.h"

namespace sconce {

struct ShapePlanCache::State {};

ShapePlanCache::ShapePlanCache(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)), state_(std::make_unique<State>()) {}
ShapePlanCache::~ShapePlanCache() = default;

std::vector<IValue> ShapePlanCache::run(std::vector<IValue> inputs, const Engine& engine) { return run_plan(*plan_, std::move(inputs), engine); }

bool ShapePlanCache::suits(const Graph&) { return false; }

}  // namespace sconce
