// SPDX-License-Identifier: Apache-2.0
// c10::Error and its kinds. What the library throws is given on as one of them, or as
// torch::jit::JITException when a model raised it itself.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sconce/error.h"

namespace sconce::libtorch {
// Which of c10's errors LibTorch throws where sconce's says this text.
enum class ErrorKind { Plain, Index, Value, NotImplemented };
SCONCE_API ErrorKind error_kind(const std::string& text);
}  // namespace sconce::libtorch

namespace c10 {

struct SourceLocation {
  const char* function;
  const char* file;
  uint32_t line;
};

class SCONCE_API Error : public sconce::Error {
 public:
  explicit Error(std::string text) : sconce::Error(text), msg_(std::move(text)) {}
  Error(SourceLocation, std::string text) : Error(std::move(text)) {}
  const std::string& msg() const { return msg_; }
  // There are no backtraces, and nothing adds to the text.
  const std::vector<std::string>& context() const {
    static const std::vector<std::string> none;
    return none;
  }
  const char* what_without_backtrace() const noexcept { return what(); }
  const std::string& backtrace() const {
    static const std::string none;
    return none;
  }

 private:
  std::string msg_;
};
#define SCONCE_TORCH_ERROR(Name)         \
  class SCONCE_API Name : public Error { \
   public:                               \
    using Error::Error;                  \
  };
SCONCE_TORCH_ERROR(IndexError)
SCONCE_TORCH_ERROR(ValueError)
SCONCE_TORCH_ERROR(TypeError)
SCONCE_TORCH_ERROR(NotImplementedError)
SCONCE_TORCH_ERROR(EnforceFiniteError)
SCONCE_TORCH_ERROR(OutOfMemoryError)
#undef SCONCE_TORCH_ERROR

}  // namespace c10

namespace torch::jit {
struct SCONCE_API JITException : sconce::RaisedError {
  using sconce::RaisedError::RaisedError;
  std::string getPythonClassName() const { return class_name(); }
  std::string getOriginalMsg() const { return message(); }
};
}  // namespace torch::jit

namespace c10::detail {
// Throws the exception that is being handled, as one of the above.
[[noreturn]] inline void rethrow() {
  try {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const torch::jit::JITException&) {
    throw;
  } catch (const sconce::RaisedError& e) {
    throw torch::jit::JITException(e.what(), e.message(), e.class_name());
  } catch (const sconce::MissingOp& e) {
    throw NotImplementedError(std::string(e.what()));
  } catch (const sconce::OutOfMemory& e) {
    throw OutOfMemoryError(std::string(e.what()));
  } catch (const sconce::Error& e) {
    const std::string text = e.what();
    switch (sconce::libtorch::error_kind(text)) {
      case sconce::libtorch::ErrorKind::Index: throw IndexError(text);
      case sconce::libtorch::ErrorKind::Value: throw ValueError(text);
      case sconce::libtorch::ErrorKind::NotImplemented: throw NotImplementedError(text);
      default: throw Error(text);
    }
  }
}
template <class F>
decltype(auto) guarded(F&& f) {
  try {
    return f();
  } catch (const sconce::Error&) {
    rethrow();
  }
}
}  // namespace c10::detail
