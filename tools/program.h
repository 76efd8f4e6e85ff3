// SPDX-License-Identifier: Apache-2.0
// Another program of this machine, asked once.
#pragma once
#include <string>
#include <vector>

namespace sconce::tool {

struct ProgramAnswer {
  bool found = false;     // PATH has such a program, and it could be started
  bool finished = false;  // by itself, in time and with code 0
  std::string output;     // what it wrote to stdout, also when it didn't finish
};
// Runs it with the text as stdin; what it writes to stderr is lost. It is killed after the seconds,
// or when it has written more than most_output bytes. Throws Error when the system can't.
ProgramAnswer ask_program(const std::vector<std::string>& command, const std::string& input,
                          int seconds, size_t most_output);

}  // namespace sconce::tool
