// SPDX-License-Identifier: Apache-2.0
// Ctrl-C while a model runs under limits. Python's own handler of the signal only notes it, and
// Python looks at the note when the call is over; so for the time of a call on the main thread a
// handler stands before it that ends the call too.
#include <signal.h>

#include <thread>

#include "module.h"

namespace sconce::python {

namespace {
std::thread::id g_main;
// Of the innermost call on the main thread.
std::atomic<std::atomic<bool>*> g_flag{nullptr};
struct sigaction g_before;  // the handler that stood there; set while g_flag is

std::atomic<bool> g_pressed{false};

extern "C" void end_call(int signal) {
  g_pressed.store(true);
  if (std::atomic<bool>* flag = g_flag.load()) flag->store(true);
  if (!(g_before.sa_flags & SA_SIGINFO) && g_before.sa_handler != SIG_DFL &&
      g_before.sa_handler != SIG_IGN)
    g_before.sa_handler(signal);
}
}  // namespace

void remember_main_thread() { g_main = std::this_thread::get_id(); }

InterruptScope::InterruptScope(Limits& limits) {
  if (std::this_thread::get_id() != g_main) return;
  if (!limits.cancel) {
    static const auto* ours =
        new std::shared_ptr<std::atomic<bool>>(std::make_shared<std::atomic<bool>>(false));
    limits.cancel = *ours;
    if (!g_flag.load()) (*ours)->store(false);
  }
  flag_ = limits.cancel;
  before_ = g_flag.load();
  if (!before_) {
    struct sigaction mine {};
    mine.sa_handler = end_call;
    sigemptyset(&mine.sa_mask);
    if (sigaction(SIGINT, &mine, &g_before) != 0) return;
    // What Python doesn't handle is not ours to handle.
    if ((g_before.sa_flags & SA_SIGINFO) || g_before.sa_handler == SIG_DFL ||
        g_before.sa_handler == SIG_IGN) {
      sigaction(SIGINT, &g_before, nullptr);
      return;
    }
  }
  active_ = true;
  g_pressed.store(false);
  g_flag.store(flag_.get());
}

InterruptScope::~InterruptScope() {
  if (!active_) return;
  g_flag.store(before_);
  if (!before_) sigaction(SIGINT, &g_before, nullptr);
}

bool InterruptScope::pressed() const { return active_ && g_pressed.load(); }
void InterruptScope::raise_python() {
  flag_->store(false);
  if (PyErr_CheckSignals() != 0) throw nb::python_error();
}

}  // namespace sconce::python
