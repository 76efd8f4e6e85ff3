// SPDX-License-Identifier: Apache-2.0
// The error hierarchy. Everything that sconce throws derives from sconce::Error; what() is a
// sentence for people.
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

#include "sconce/export.h"

namespace sconce {

class SCONCE_API Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what) : std::runtime_error(what) {}
  // LibTorch's name for the message without a trace.
  const char* what_without_backtrace() const noexcept { return what(); }
};
// The archive or a pickle in it is broken.
class SCONCE_API FormatError : public Error {
 public:
  using Error::Error;
};
// The TorchScript source is refused; the text names file:line:col and shows the line with a caret.
class SCONCE_API ScriptError : public Error {
 public:
  using Error::Error;
};
// An operator that sconce does not have was reached.
class SCONCE_API MissingOp : public Error {
 public:
  using Error::Error;
};
// An operator refuses its arguments.
class SCONCE_API OpError : public Error {
 public:
  using Error::Error;
};
// What a model's own raise or assert threw.
class SCONCE_API RaisedError : public Error {
 public:
  RaisedError(const std::string& what, std::string message, std::string class_name)
      : Error(what), message_(std::move(message)), class_name_(std::move(class_name)) {}
  const std::string& message() const { return message_; }
  // Qualified Python class such as "builtins.ValueError"; may be empty.
  const std::string& class_name() const { return class_name_; }

 private:
  std::string message_, class_name_;
};
// A limit given by the host (steps, memory, depth) is exceeded.
class SCONCE_API LimitError : public Error {
 public:
  using Error::Error;
};
// The file wants what the host's policy refuses (LoadOptions::allowed_ops, denied_ops,
// allow_setstate).
class SCONCE_API PolicyError : public Error {
 public:
  using Error::Error;
};
class SCONCE_API OutOfMemory : public Error {
 public:
  using Error::Error;
};

namespace detail {
template <class... A>
std::string concat(const A&... a) {
  std::ostringstream os;
  (void)(os << ... << a);
  return os.str();
}
}  // namespace detail

// Throws E with the parts written one after another.
template <class E, class... A>
[[noreturn]] void raise(const A&... a) {
  throw E(detail::concat(a...));
}

}  // namespace sconce
