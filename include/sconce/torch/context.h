// SPDX-License-Identifier: Apache-2.0
// Threads, random seeds, gradient modes, CUDA's state, and settings of LibTorch's back ends.
#pragma once
#include "sconce/device.h"
#include "sconce/torch/jit.h"

namespace c10 {

// The library of quantized operators: there is one, and the choice is only remembered.
enum class QEngine : uint8_t { NoQEngine, FBGEMM, QNNPACK, ONEDNN, X86 };
constexpr QEngine kNoQEngine = QEngine::NoQEngine, kFBGEMM = QEngine::FBGEMM,
                  kQNNPACK = QEngine::QNNPACK, kONEDNN = QEngine::ONEDNN, kX86 = QEngine::X86;
inline std::string toString(QEngine e) {
  static const char* const names[] = {"NoQEngine", "FBGEMM", "QNNPACK", "ONEDNN", "X86"};
  return names[static_cast<int>(e)];
}

// ---- gradients are never recorded; the modes are only remembered ----
namespace detail {
inline bool& grad_mode() {
  thread_local bool enabled = true;
  return enabled;
}
inline bool& inference_mode() {
  thread_local bool enabled = false;
  return enabled;
}
}  // namespace detail
struct GradMode {
  static bool is_enabled() { return detail::grad_mode(); }
  static void set_enabled(bool v) { detail::grad_mode() = v; }
};
struct AutoGradMode {
  AutoGradMode(bool v) : old_(GradMode::is_enabled()) { GradMode::set_enabled(v); }
  AutoGradMode(const AutoGradMode&) = delete;
  ~AutoGradMode() { GradMode::set_enabled(old_); }

 private:
  bool old_;
};
struct NoGradGuard : AutoGradMode {
  NoGradGuard() : AutoGradMode(false) {}
};
struct InferenceMode {
  InferenceMode(bool v = true)
      : grad_(!v && GradMode::is_enabled()), old_(detail::inference_mode()) {
    detail::inference_mode() = v;
  }
  InferenceMode(const InferenceMode&) = delete;
  ~InferenceMode() { detail::inference_mode() = old_; }
  static bool is_enabled() { return detail::inference_mode(); }

 private:
  AutoGradMode grad_;
  bool old_;
};

// ---- CUDA ----
namespace cuda {
inline DeviceIndex device_count() noexcept {
  return static_cast<DeviceIndex>(sconce::cuda_device_count());
}
inline void device_synchronize() {
  c10::detail::guarded([] { sconce::libtorch::synchronize(-1); });
}
// All of a device's work is in one order, so that every stream is the same.
class CUDAStream {
 public:
  explicit CUDAStream(DeviceIndex i) : index_(i) {}
  void synchronize() const {
    c10::detail::guarded([&] { sconce::libtorch::synchronize(index_); });
  }
  DeviceIndex device_index() const { return index_; }
  Device device() const { return Device(kCUDA, index_); }
  friend bool operator==(CUDAStream a, CUDAStream b) { return a.index_ == b.index_; }
  friend bool operator!=(CUDAStream a, CUDAStream b) { return a.index_ != b.index_; }

 private:
  DeviceIndex index_;
};
inline CUDAStream getCurrentCUDAStream(DeviceIndex i = -1) {
  return CUDAStream(i < 0 ? DeviceIndex(0) : i);
}
inline CUDAStream getDefaultCUDAStream(DeviceIndex i = -1) { return getCurrentCUDAStream(i); }
inline CUDAStream getStreamFromPool(bool = false, DeviceIndex i = -1) {
  return getCurrentCUDAStream(i);
}
inline void setCurrentCUDAStream(CUDAStream) {}
// "cuda" without a number is the first device always: a guard of another one is refused, and
// devices are named where they are used.
class CUDAGuard {
 public:
  explicit CUDAGuard(DeviceIndex i) { expect_first(i); }
  explicit CUDAGuard(Device d) { expect_first(d.has_index() ? d.index() : DeviceIndex(0)); }
  CUDAGuard(const CUDAGuard&) = delete;
  void set_device(Device d) { expect_first(d.has_index() ? d.index() : DeviceIndex(0)); }
  void set_index(DeviceIndex i) { expect_first(i); }
  Device original_device() const { return Device(kCUDA, 0); }
  Device current_device() const { return Device(kCUDA, 0); }

 private:
  static void expect_first(DeviceIndex i) {
    if (i > 0)
      throw NotImplementedError(
          "a CUDAGuard of another device than the first has no effect: name the device instead");
  }
};
class OptionalCUDAGuard {
 public:
  OptionalCUDAGuard() = default;
  explicit OptionalCUDAGuard(std::optional<Device> d) {
    if (d) CUDAGuard guard(*d);
  }
  explicit OptionalCUDAGuard(std::optional<DeviceIndex> i) {
    if (i) CUDAGuard guard(*i);
  }
  void set_device(Device d) { CUDAGuard guard(d); }
};
class CUDAStreamGuard {
 public:
  explicit CUDAStreamGuard(CUDAStream) {}
  CUDAStreamGuard(const CUDAStreamGuard&) = delete;
};
class OptionalCUDAStreamGuard {
 public:
  OptionalCUDAStreamGuard() = default;
  explicit OptionalCUDAStreamGuard(std::optional<CUDAStream>) {}
};
// A point in the device's work, which has one order: what is asked of it waits for all that was
// begun.
class CUDAEvent {
 public:
  CUDAEvent() = default;
  explicit CUDAEvent(unsigned) {}
  CUDAEvent(const CUDAEvent&) = delete;
  CUDAEvent(CUDAEvent&&) = default;
  CUDAEvent& operator=(CUDAEvent&&) = default;
  bool isCreated() const { return recorded_; }
  void record() { recorded_ = true; }
  void record(const CUDAStream&) { record(); }
  void recordOnce(const CUDAStream&) { record(); }
  void block(const CUDAStream&) {}
  bool query() const {
    synchronize();
    return true;
  }
  void synchronize() const {
    if (recorded_) getCurrentCUDAStream().synchronize();
  }

 private:
  bool recorded_ = false;
};
namespace CUDACachingAllocator {
inline void emptyCache() {}
}  // namespace CUDACachingAllocator
}  // namespace cuda

}  // namespace c10

namespace c10 {
// Of another CUDA device than the first they are refused, as CUDAGuard's.
class DeviceGuard {
 public:
  explicit DeviceGuard(Device d) : device_(d) { set_device(d); }
  DeviceGuard(const DeviceGuard&) = delete;
  void reset_device(Device d) { set_device(d); }
  void set_index(DeviceIndex i) { set_device(Device(device_.type(), i)); }
  Device original_device() const { return Device(device_.type(), device_.is_cuda() ? 0 : -1); }
  Device current_device() const { return device_; }

 private:
  void set_device(Device d) {
    if (d.is_cuda()) cuda::CUDAGuard guard(d);
    device_ = d;
  }
  Device device_;
};
class OptionalDeviceGuard {
 public:
  OptionalDeviceGuard() = default;
  explicit OptionalDeviceGuard(std::optional<Device> d) {
    if (d) reset_device(*d);
  }
  OptionalDeviceGuard(const OptionalDeviceGuard&) = delete;
  void reset_device(Device d) {
    DeviceGuard guard(d);
    device_ = d;
  }
  std::optional<Device> original_device() const { return device_; }
  std::optional<Device> current_device() const { return device_; }

 private:
  std::optional<Device> device_;
};
}  // namespace c10

namespace at {
using c10::DeviceGuard;
using c10::OptionalDeviceGuard;
inline std::optional<Device> device_of(const Tensor& t) {
  return t.defined() ? std::optional<Device>(t.device()) : std::nullopt;
}
using c10::AutoGradMode;
using c10::GradMode;
using c10::InferenceMode;
using c10::NoGradGuard;
struct AutoNonVariableTypeMode : NoGradGuard {
  AutoNonVariableTypeMode(bool = true) {}
};
struct AutoDispatchBelowADInplaceOrView : NoGradGuard {};
using AutoDispatchBelowAutograd = AutoDispatchBelowADInplaceOrView;

// ---- threads: shared by all modules and operators; answers don't depend on their number ----
inline void set_num_threads(int n) {
  c10::detail::guarded([&] { sconce::libtorch::set_num_threads(n); });
}
inline int get_num_threads() { return sconce::libtorch::get_num_threads(); }
inline void init_num_threads() {}
namespace detail {
inline int& interop_threads() {
  static int n = sconce::libtorch::get_num_threads();
  return n;
}
}  // namespace detail
// Forked tasks run on the thread that forks.
inline void set_num_interop_threads(int n) {
  if (n < 1) throw c10::Error("Expected positive number of threads");
  detail::interop_threads() = n;
}
inline int get_num_interop_threads() { return detail::interop_threads(); }
inline bool in_parallel_region() { return false; }
inline int get_thread_num() { return 0; }
inline std::string get_parallel_info() {
  return c10::str("ATen/Parallel:\n\tat::get_num_threads() : ", get_num_threads(),
                  "\n\tat::get_num_interop_threads() : ", get_num_interop_threads(), "\n");
}
// In the calling thread.
template <class F>
void parallel_for(int64_t begin, int64_t end, int64_t, const F& f) {
  if (begin < end) f(begin, end);
}
template <class T, class F, class S>
T parallel_reduce(int64_t begin, int64_t end, int64_t, T identity, const F& f, const S&) {
  return begin < end ? f(begin, end, identity) : identity;
}
inline int64_t divup(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline std::string show_config() { return "sconce, with the declarations of PyTorch 2.13.0\n"; }
inline std::string get_cxx_flags() { return "-std=c++20"; }

// ---- random numbers ----
inline void manual_seed(uint64_t seed) { sconce::manual_seed(seed); }

// ---- settings ----
inline bool hasCUDA() { return sconce::cuda_device_count() > 0; }
inline bool hasMPS() { return false; }
inline bool hasXPU() { return false; }
namespace detail {
// There is none: asking for it throws.
struct XPUHooksInterface {
  bool hasXPU() const { return false; }
  void init() const { throw c10::Error("Cannot initialize XPU: there is none"); }
  int getNumGPUs() const { return 0; }
};
inline const XPUHooksInterface& getXPUHooks() {
  static const XPUHooksInterface none;
  return none;
}
}  // namespace detail
inline bool hasHIP() { return false; }
inline bool hasXLA() { return false; }
inline bool hasMKL() { return false; }
inline bool hasMKLDNN() { return false; }
inline bool hasLAPACK() { return true; }
// LibTorch's switches. TF32 is allowed as it says; the others choose among libraries that are not
// here, and are only remembered.
class Context {
 public:
#define SCONCE_TORCH_SETTING(Get, Set, initial) \
  bool Get() const { return Get##_; }           \
  void Set(bool v) { Get##_ = v; }              \
                                                \
 private:                                       \
  bool Get##_ = initial;                        \
                                                \
 public:
  SCONCE_TORCH_SETTING(benchmarkCuDNN, setBenchmarkCuDNN, false)
  SCONCE_TORCH_SETTING(deterministicCuDNN, setDeterministicCuDNN, false)
  SCONCE_TORCH_SETTING(userEnabledCuDNN, setUserEnabledCuDNN, true)
  SCONCE_TORCH_SETTING(userEnabledMkldnn, setUserEnabledMkldnn, true)
  SCONCE_TORCH_SETTING(allowTF32CuDNN, setAllowTF32CuDNN, true)
#undef SCONCE_TORCH_SETTING
  bool allowTF32CuBLAS() const { return sconce::allow_tf32(); }
  void setAllowTF32CuBLAS(bool v) { sconce::set_allow_tf32(v); }
  std::string float32MatmulPrecision() const { return allowTF32CuBLAS() ? "high" : "highest"; }
  // "highest", "high" or "medium"; what is below the highest may use TF32.
  void setFloat32MatmulPrecision(const std::string& s) { setAllowTF32CuBLAS(s != "highest"); }
  QEngine qEngine() const { return qengine_; }
  void setQEngine(QEngine e) { qengine_ = e; }
  static const std::vector<QEngine>& supportedQEngines() {
    static const std::vector<QEngine> all{QEngine::FBGEMM, QEngine::X86};
    return all;
  }
  void setAllowFP16ReductionCuBLAS(bool, bool = true) {}
  void setAllowBF16ReductionCuBLAS(bool, bool = true) {}
  bool deterministicAlgorithms() const { return deterministic_; }
  void setDeterministicAlgorithms(bool v, bool) { deterministic_ = v; }
  // Subnormal numbers are always kept.
  bool setFlushDenormal(bool on) { return !on; }
  void lazyInitCUDA() {}
  static bool hasCUDA() { return at::hasCUDA(); }
  static bool hasCuDNN() { return false; }
  static bool hasMPS() { return false; }
  static bool hasXPU() { return false; }
  static bool hasMKL() { return false; }
  static bool hasMKLDNN() { return false; }

 private:
  bool deterministic_ = false;
  QEngine qengine_ = QEngine::X86;
};
inline Context& globalContext() {
  static Context c;
  return c;
}
namespace cuda {
using namespace c10::cuda;
inline bool is_available() { return sconce::cuda_device_count() > 0; }
}  // namespace cuda
}  // namespace at

namespace torch {
using at::AutoGradMode;
using at::get_num_interop_threads;
using at::get_num_threads;
using at::GradMode;
using at::InferenceMode;
using at::init_num_threads;
using at::manual_seed;
using at::NoGradGuard;
using at::set_num_interop_threads;
using at::set_num_threads;
inline void set_default_dtype(caffe2::TypeMeta t) {
  c10::detail::guarded([&] { sconce::libtorch::set_default_dtype(t.toScalarType()); });
}
using c10::get_default_dtype;

namespace cuda {
inline c10::DeviceIndex device_count() { return c10::cuda::device_count(); }
inline bool is_available() { return device_count() > 0; }
// Convolutions have kernels of their own.
inline bool cudnn_is_available() { return is_available(); }
inline void manual_seed(uint64_t seed) { at::manual_seed(seed); }
inline void manual_seed_all(uint64_t seed) { at::manual_seed(seed); }
inline void synchronize(int64_t index = -1) {
  c10::detail::guarded([&] { sconce::libtorch::synchronize(static_cast<int>(index)); });
}
}  // namespace cuda
namespace mps {
inline bool is_available() { return false; }
inline size_t device_count() { return 0; }
}  // namespace mps
namespace xpu {
inline bool is_available() { return false; }
inline size_t device_count() { return 0; }
}  // namespace xpu

namespace autograd {
using at::AutoGradMode;
using at::GradMode;
inline variable_list grad(const variable_list&, const variable_list&, const variable_list& = {},
                          std::optional<bool> = std::nullopt, bool = false, bool = false) {
  throw c10::Error("sconce computes no gradients: torch::autograd::grad can't be had");
}
inline void backward(const variable_list&, const variable_list& = {},
                     std::optional<bool> = std::nullopt, bool = false, const variable_list& = {}) {
  throw c10::Error("sconce computes no gradients: torch::autograd::backward can't be had");
}
}  // namespace autograd
}  // namespace torch
