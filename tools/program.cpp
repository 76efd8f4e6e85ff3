// SPDX-License-Identifier: Apache-2.0
#include "program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "sconce/error.h"

namespace sconce::tool {

#ifdef __EMSCRIPTEN__  // where there are no processes, no program is found
ProgramAnswer ask_program(const std::vector<std::string>&, const std::string&, int, size_t) {
  return {};
}
#else

namespace {
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {
    if (fd < 0) raise<Error>("a program can't be started: ", std::strerror(errno));
  }
  Descriptor(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  operator int() const { return fd_; }

 private:
  int fd_;
};
}  // namespace

ProgramAnswer ask_program(const std::vector<std::string>& command, const std::string& input,
                          int seconds, size_t most_output) {
  // The text lies in memory that reads like a file: nobody waits for anybody's pipe.
  Descriptor in(memfd_create("input", MFD_CLOEXEC));
  for (size_t done = 0; done < input.size();) {
    const ssize_t n = write(in, input.data() + done, input.size() - done);
    if (n <= 0) raise<Error>("a program's input: ", std::strerror(errno));
    done += static_cast<size_t>(n);
  }
  lseek(in, 0, SEEK_SET);
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) raise<Error>("pipe: ", std::strerror(errno));
  Descriptor out(fds[0]), written(fds[1]);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, 0);
  posix_spawn_file_actions_adddup2(&actions, written, 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  std::vector<char*> arguments;
  for (auto& a : command) arguments.push_back(const_cast<char*>(a.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = 0;
  ProgramAnswer answer;
  answer.found =
      posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ) == 0;
  posix_spawn_file_actions_destroy(&actions);
  if (!answer.found) return answer;
  written.close();

  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  bool complete = false;
  while (answer.output.size() <= most_output) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    pollfd p{out, POLLIN, 0};
    if (left.count() <= 0 || poll(&p, 1, static_cast<int>(left.count())) == 0) break;
    char buffer[65536];
    const ssize_t n = read(out, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    complete = n == 0;
    if (n <= 0) break;
    answer.output.append(buffer, static_cast<size_t>(n));
  }
  if (!complete) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  answer.finished = complete && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return answer;
}
#endif

}  // namespace sconce::tool
