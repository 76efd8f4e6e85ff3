// SPDX-License-Identifier: Apache-2.0
// --max-memory, --max-seconds and --max-steps, which every command takes. They hold for all that
// the command does from the files that it is given: reading, compiling, passes, calls.
#pragma once
#include <cstdint>
#include <memory>

namespace CLI {
class App;
}

namespace sconce::tool {

struct LimitOptions {
  uint64_t megabytes = 0, steps = 0;
  double seconds = 0;
};
void add_limit_options(CLI::App& app, LimitOptions& o);
// For the help of each command.
constexpr const char* kLimitHelp =
    "\n\nOf a file of unknown origin: --max-memory MB, --max-seconds S, --max-steps N bound what "
    "the\ncommand takes.";

// Until it ends, the limits hold for this thread as Limits do (sconce/limits.h), and two more nets
// are spread for what the library doesn't count: the process gets no more memory than that from the
// system, and it exits when the time is over and nothing has noticed for half a second.
class LimitScope {
 public:
  explicit LimitScope(const LimitOptions& o);
  ~LimitScope();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sconce::tool
