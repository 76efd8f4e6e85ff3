// SPDX-License-Identifier: Apache-2.0
// Devices other than the CPU: where memory comes from and which kernels an operator calls. An
// operator runs on the device of its tensors; operands that are elsewhere are copied there.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/context.h"

namespace sconce {

class Call;

// One device: its memory, ordered with its kernels, and its kernel table. Never destroyed.
class DeviceRuntime {
 public:
  enum class Copy { ToDevice, ToHost, Within };
  Device device;
  const Kernels* kernels = nullptr;
  // 64-byte aligned bytes, not initialised; throws OutOfMemory.
  virtual void* allocate(size_t nbytes) const = 0;
  virtual void release(void* p, size_t nbytes) const noexcept = 0;
  // After everything that was started before. ToHost returns when the bytes are there.
  virtual void copy(void* to, const void* from, size_t nbytes, Copy kind) const = 0;
  // Waits for all that was started.
  virtual void synchronize() const = 0;
  // Its name and the versions it works with; free and total bytes.
  virtual std::string description() const = 0;
  virtual std::pair<size_t, size_t> memory() const = 0;
  // True after an error that leaves the device useless to this process.
  virtual bool lost() const = 0;
  // A point in the device's work; elapsed_ms waits for the second.
  using Mark = std::shared_ptr<void>;
  virtual Mark mark() const = 0;
  virtual double elapsed_ms(const Mark& from, const Mark& to) const = 0;
  // What f gives the device, kept to be done again over the same memory; null where that can't be.
  using Graph = std::shared_ptr<void>;
  virtual Graph capture(const std::function<void()>& f) const = 0;
  virtual void launch(const Graph& graph) const = 0;

 protected:
  ~DeviceRuntime() = default;
};

// Null for the CPU. Throws OpError when the device can't be had.
const DeviceRuntime* find_device(Device d);
// The elements between a view's first and last in memory, counted from its first element.
struct Extent {
  int64_t begin, end;
};
Extent extent_of(const int64_t* sizes, const int64_t* strides, int64_t ndim);
// The tensor's form over another storage, on whose device it then is.
Tensor with_storage(const Tensor& t, Ref<Storage> storage, int64_t offset);
// The tensor with its strides, in memory of another device (null: the CPU); itself where it is
// there already.
Tensor copy_extent(const Tensor& t, const DeviceRuntime* device);
// How find_device opens a device that isn't the CPU; the backends' part of it.
void set_device_opener(const DeviceRuntime* (*open)(Device d));

// Until it ends, memory comes from the device (null: the CPU) and slots are its.
class DeviceScope {
 public:
  explicit DeviceScope(const DeviceRuntime* device);

 private:
  std::optional<Context> changed_;
  std::optional<ContextScope> scope_;
};

// The device of the tensors among a call's inputs, those in lists too; null: the CPU.
const DeviceRuntime* device_of(const Call& c);
// Calls an operator's kernel on the device of its inputs.
void run_kernel(void (*kernel)(Call&), Call& c);
// The same under limits: looks at the clock, and charges the results.
void run_kernel(Budget& b, void (*kernel)(Call&), Call& c);

}  // namespace sconce
