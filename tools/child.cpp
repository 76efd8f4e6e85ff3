// SPDX-License-Identifier: Apache-2.0
#include "child.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstring>

#include "sconce/error.h"
#include "verify.h"

namespace sconce::tool {

using Difference = std::optional<std::string>;

Difference in_child(int seconds, const std::function<Difference()>& f) {
  int fds[2];
  if (pipe(fds) != 0) raise<Error>("pipe: ", std::strerror(errno));
  pid_t pid = fork();
  if (pid < 0) raise<Error>("fork: ", std::strerror(errno));
  if (pid == 0) {
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    close(fds[0]);
    std::string text = "=";
    try {
      if (Difference d = f()) text = "!" + one_line(*d);
    } catch (const std::exception& e) {
      text = "!" + one_line(e.what());
    }
    _exit(write(fds[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 9);
  }
  close(fds[1]);
  std::string text;
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  bool late = false;
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    pollfd p{fds[0], POLLIN, 0};
    if (poll(&p, 1, static_cast<int>(std::max<int64_t>(0, left.count()))) == 0) {
      late = true;
      kill(pid, SIGKILL);
      break;
    }
    char buffer[4096];
    ssize_t n = read(fds[0], buffer, sizeof buffer);
    if (n <= 0) break;
    text.append(buffer, static_cast<size_t>(n));
  }
  close(fds[0]);
  int status = 0;
  waitpid(pid, &status, 0);
  if (late) return "takes too long";
  if (WIFSIGNALED(status)) return std::string("crashed: ") + strsignal(WTERMSIG(status));
  if (text.empty()) return "ended with code " + std::to_string(WEXITSTATUS(status));
  return text[0] == '=' ? Difference{} : Difference{text.substr(1)};
}

}  // namespace sconce::tool
