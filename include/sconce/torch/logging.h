// SPDX-License-Identifier: Apache-2.0
// LibTorch's logging and checks: LOG(INFO) << ..., CHECK(...), TORCH_CHECK_EQ(a, b). They write to
// std::cerr; a CHECK that fails and LOG(FATAL) end the process, as LibTorch's do. What another
// library (glog) has defined before is left as it is.
#pragma once
#include <cstdlib>

#include "sconce/torch/base.h"

namespace c10 {

constexpr int GLOG_INFO = 0, GLOG_WARNING = 1, GLOG_ERROR = 2, GLOG_FATAL = 3;

// One message, written when it ends.
class MessageLogger {
 public:
  MessageLogger(const char* file, int line, int severity, bool exit_on_fatal = true)
      : severity_(severity), exit_on_fatal_(exit_on_fatal) {
    stream_ << "["
            << "IWEF"[severity < 0 ? 0 : severity] << " " << file << ":" << line << "] ";
  }
  ~MessageLogger() noexcept(false) {
    if (severity_ >= GLOG_WARNING) std::cerr << stream_.str() << std::endl;
    if (severity_ < GLOG_FATAL) return;
    if (exit_on_fatal_) std::abort();
    throw Error(stream_.str());
  }
  std::ostream& stream() { return stream_; }

 private:
  std::ostringstream stream_;
  int severity_;
  bool exit_on_fatal_;
};
// Makes a message void, for the other side of `?:`.
struct LoggerVoidify {
  void operator&(const std::ostream&) {}
};

}  // namespace c10

#define SCONCE_TORCH_FATAL_IF(condition, exits) \
  (condition) ? (void)0                         \
              : ::c10::LoggerVoidify() &        \
                    ::c10::MessageLogger(__FILE__, __LINE__, ::c10::GLOG_FATAL, exits).stream()
#ifndef LOG
#define LOG(n) ::c10::MessageLogger(__FILE__, __LINE__, ::c10::GLOG_##n).stream()
#endif
#ifndef LOG_IF
#define LOG_IF(n, condition) \
  if (condition) LOG(n)
#endif
// Below the level that is written.
#ifndef VLOG
#define VLOG(n) \
  if (false) ::c10::MessageLogger(__FILE__, __LINE__, -(n)).stream()
#endif
#ifndef CHECK
#define CHECK(condition) SCONCE_TORCH_FATAL_IF(condition, true) << "Check failed: " #condition " "
#endif
#ifndef DCHECK
#ifdef NDEBUG
#define DCHECK(condition) \
  while (false) CHECK(condition)
#else
#define DCHECK(condition) CHECK(condition)
#endif
#endif

#define TORCH_CHECK_OP(a, b, op)         \
  SCONCE_TORCH_FATAL_IF((a)op(b), false) \
      << "Check failed: " #a " " #op " " #b " (" << (a) << " vs. " << (b) << "). "
#define TORCH_CHECK_EQ(a, b) TORCH_CHECK_OP(a, b, ==)
#define TORCH_CHECK_NE(a, b) TORCH_CHECK_OP(a, b, !=)
#define TORCH_CHECK_LE(a, b) TORCH_CHECK_OP(a, b, <=)
#define TORCH_CHECK_LT(a, b) TORCH_CHECK_OP(a, b, <)
#define TORCH_CHECK_GE(a, b) TORCH_CHECK_OP(a, b, >=)
#define TORCH_CHECK_GT(a, b) TORCH_CHECK_OP(a, b, >)
