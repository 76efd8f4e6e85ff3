// SPDX-License-Identifier: Apache-2.0
#include "limit_options.h"

#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>
#include <thread>

#include "api/runtime.h"
#include "commands.h"
#include "core/budget.h"
#include "support/platform.h"

namespace sconce::tool {

struct LimitScope::State {
  std::optional<Budget> budget;
  Context context;
  std::optional<ContextScope> scope;
  std::mutex mutex;
  std::condition_variable over;
  bool done = false;
  std::thread watch;
};

namespace {
Limits limits_of(const LimitOptions& o) {
  Limits l;
  l.memory = o.megabytes << 20;
  l.seconds = o.seconds;
  l.steps = o.steps;
  return l;
}
}  // namespace

LimitScope::LimitScope(const LimitOptions& o) {
  const Limits limits = limits_of(o);
  if (!limits.any()) return;
  state_ = std::make_unique<State>();
  State& s = *state_;
  op_table();  // made without limits, for it stays
  s.context = default_context();
  s.budget.emplace(limits, limits.memory ? make_ref<MemoryAccount>(limits.memory) : nullptr);
  s.context.budget = &*s.budget;
  s.scope.emplace(&s.context);
  if (limits.seconds > 0)
    s.watch = std::thread([&s, seconds = limits.seconds] {
      std::unique_lock<std::mutex> lock(s.mutex);
      const auto time = std::chrono::duration<double>(seconds + 0.5);
      if (s.over.wait_for(lock, time, [&] { return s.done; })) return;
      std::fprintf(stderr, "sconce: the limit of %g seconds is reached\n", seconds);
      std::_Exit(kBadFile);
    });
  if (limits.memory) limit_process_memory(limits.memory);
}
LimitScope::~LimitScope() {
  if (!state_) return;
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->done = true;
  }
  state_->over.notify_all();
  if (state_->watch.joinable()) state_->watch.join();
}

}  // namespace sconce::tool
