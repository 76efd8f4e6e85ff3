// SPDX-License-Identifier: Apache-2.0
// What watches a program: c10's warnings with their handler; LibTorch's profiler, whose names are
// there and throw when they are used
// (`sconce run --profile` measures); marks for it, which mark nothing.
#pragma once
#include <iostream>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <variant>

#include "sconce/torch/base.h"

namespace c10 {

class Warning {
 public:
  class UserWarning {};
  class DeprecationWarning {};
  using warning_variant_t = std::variant<UserWarning, DeprecationWarning>;
  Warning(warning_variant_t type, const SourceLocation& at, std::string msg, bool verbatim)
      : type_(type), at_(at), msg_(std::move(msg)), verbatim_(verbatim) {}
  warning_variant_t type() const { return type_; }
  const SourceLocation& source_location() const { return at_; }
  const std::string& msg() const { return msg_; }
  bool verbatim() const { return verbatim_; }

 private:
  warning_variant_t type_;
  SourceLocation at_;
  std::string msg_;
  bool verbatim_;
};
using UserWarning = Warning::UserWarning;
using DeprecationWarning = Warning::DeprecationWarning;

class WarningHandler {
 public:
  virtual ~WarningHandler() = default;
  virtual void process(const Warning& w) {
    std::cerr << "Warning: " << w.msg() << " (" << w.source_location().file << ":"
              << w.source_location().line << ")" << std::endl;
  }
};

namespace WarningUtils {
namespace detail {
inline WarningHandler*& handler() {
  static WarningHandler plain;
  static WarningHandler* current = &plain;
  return current;
}
inline bool& always() {
  static bool on = false;
  return on;
}
}  // namespace detail
// Of the program's own warnings: the library gives none.
inline void set_warning_handler(WarningHandler* h) noexcept { detail::handler() = h; }
inline WarningHandler* get_warning_handler() noexcept { return detail::handler(); }
class WarningHandlerGuard {
 public:
  explicit WarningHandlerGuard(WarningHandler* h) : before_(get_warning_handler()) {
    set_warning_handler(h);
  }
  WarningHandlerGuard(const WarningHandlerGuard&) = delete;
  ~WarningHandlerGuard() { set_warning_handler(before_); }

 private:
  WarningHandler* before_;
};
inline void set_warnAlways(bool on) noexcept { detail::always() = on; }
inline bool get_warnAlways() noexcept { return detail::always(); }
struct WarnAlways {
  explicit WarnAlways(bool on = true) : before_(get_warnAlways()) { set_warnAlways(on); }
  WarnAlways(const WarnAlways&) = delete;
  ~WarnAlways() { set_warnAlways(before_); }

 private:
  bool before_;
};
}  // namespace WarningUtils
inline void warn(const Warning& w) { WarningUtils::get_warning_handler()->process(w); }

}  // namespace c10

#define SCONCE_TORCH_WARN(Kind, ...)                                                               \
  ::c10::warn(::c10::Warning(::c10::Kind(), {__func__, __FILE__, static_cast<uint32_t>(__LINE__)}, \
                             ::c10::str(__VA_ARGS__), false))
#define SCONCE_TORCH_WARN_ONCE(Kind, ...)                 \
  do {                                                    \
    static bool told = false;                             \
    if (!told || ::c10::WarningUtils::get_warnAlways()) { \
      told = true;                                        \
      SCONCE_TORCH_WARN(Kind, __VA_ARGS__);               \
    }                                                     \
  } while (false)
#define TORCH_WARN(...) SCONCE_TORCH_WARN(UserWarning, __VA_ARGS__)
#define TORCH_WARN_ONCE(...) SCONCE_TORCH_WARN_ONCE(UserWarning, __VA_ARGS__)
#define TORCH_WARN_DEPRECATION(...) SCONCE_TORCH_WARN(DeprecationWarning, __VA_ARGS__)

namespace at {
enum class RecordScope : uint8_t {
  FUNCTION,
  BACKWARD_FUNCTION,
  TORCHSCRIPT_FUNCTION,
  KERNEL_FUNCTION_DTYPE,
  CUSTOM_CLASS,
  BUILD_FEATURE,
  LITE_INTERPRETER,
  USER_SCOPE,
  STATIC_RUNTIME_OP,
  STATIC_RUNTIME_MODEL,
  NUM_SCOPES
};
}  // namespace at
#define RECORD_FUNCTION(name, ...) static_cast<void>(name)
#define RECORD_USER_SCOPE(name) static_cast<void>(name)

namespace torch {
namespace profiler::impl {
enum class ActivityType { CPU, XPU, CUDA, HPU, MTIA, PrivateUse1, NUM_KINETO_ACTIVITIES };
enum class ProfilerState {
  Disabled,
  CPU,
  CUDA,
  NVTX,
  ITT,
  PRIVATEUSE1,
  KINETO,
  KINETO_GPU_FALLBACK,
  KINETO_PRIVATEUSE1_FALLBACK,
  KINETO_PRIVATEUSE1,
  KINETO_ONDEMAND,
  NUM_PROFILER_STATES
};
struct ExperimentalConfig {
  ExperimentalConfig(std::vector<std::string> metrics = {}, bool measure_per_kernel = false,
                     bool be_verbose = false)
      : profiler_metrics(std::move(metrics)),
        profiler_measure_per_kernel(measure_per_kernel),
        verbose(be_verbose) {}
  std::vector<std::string> profiler_metrics;
  bool profiler_measure_per_kernel, verbose;
};
struct ProfilerConfig {
  explicit ProfilerConfig(ProfilerState s, bool input_shapes = false, bool memory = false,
                          bool stack = false, bool flops = false, bool modules = false,
                          ExperimentalConfig more = {}, std::string id = "")
      : state(s),
        experimental_config(std::move(more)),
        report_input_shapes(input_shapes),
        profile_memory(memory),
        with_stack(stack),
        with_flops(flops),
        with_modules(modules),
        trace_id(std::move(id)) {}
  bool disabled() const { return state == ProfilerState::Disabled; }
  ProfilerState state;
  ExperimentalConfig experimental_config;
  bool report_input_shapes, profile_memory, with_stack, with_flops, with_modules;
  std::string trace_id;
};
}  // namespace profiler::impl

namespace autograd::profiler {
using torch::profiler::impl::ActivityType;
using torch::profiler::impl::ProfilerConfig;
using torch::profiler::impl::ProfilerState;
namespace detail {
[[noreturn]] inline void no_profiler() {
  throw c10::NotImplementedError(
      "sconce hasn't LibTorch's profiler: sconce run --profile measures");
}
}  // namespace detail
using ActivityFilter = std::unordered_map<ActivityType, std::unordered_set<std::string>>;
struct ProfilerResult {
  [[noreturn]] void save(const std::string&) { detail::no_profiler(); }
};
[[noreturn]] inline void prepareProfiler(const ProfilerConfig&, const std::set<ActivityType>&,
                                         const ActivityFilter& = {}) {
  detail::no_profiler();
}
[[noreturn]] inline void enableProfiler(const ProfilerConfig&, const std::set<ActivityType>&,
                                        const std::unordered_set<at::RecordScope>& = {}) {
  detail::no_profiler();
}
[[noreturn]] inline std::unique_ptr<ProfilerResult> disableProfiler() { detail::no_profiler(); }
struct RecordProfile {
  [[noreturn]] explicit RecordProfile(std::ostream&) { detail::no_profiler(); }
  [[noreturn]] explicit RecordProfile(const std::string&) { detail::no_profiler(); }
};
}  // namespace autograd::profiler
}  // namespace torch
