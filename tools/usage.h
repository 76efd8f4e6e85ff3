// SPDX-License-Identifier: Apache-2.0
// The command line was used wrongly, which is found where a value is understood. Here, and not with
// the parser of options: its header takes seconds to compile.
#pragma once
#include <stdexcept>
#include <string>

namespace sconce::tool {

class UsageError : public std::runtime_error {
 public:
  UsageError(const std::string& option, const std::string& what)
      : std::runtime_error(option + ": " + what) {}
};

}  // namespace sconce::tool
