// SPDX-License-Identifier: Apache-2.0
#include "core/device.h"

#include <atomic>

#include "core/budget.h"
#include "core/op_table.h"

namespace sconce {

namespace {
std::atomic<const DeviceRuntime* (*)(Device)> g_open{nullptr};
// Whether there can be a tensor that isn't the CPU's: calls look at their inputs only then.
std::atomic<bool> g_in_use{false};

const DeviceRuntime* device_of(const IValue& v) {
  if (v.isTensor()) {
    const Tensor& t = v.toTensorRef();
    return t.defined() && t.impl()->storage ? t.impl()->storage->device() : nullptr;
  }
  if (v.isList())
    for (const IValue& e : v.toListRef().items) {
      if (!e.isTensor() && !e.isNone()) break;
      if (const DeviceRuntime* d = device_of(e)) return d;
    }
  return nullptr;
}
}  // namespace

void set_device_opener(const DeviceRuntime* (*open)(Device d)) { g_open.store(open); }

const DeviceRuntime* find_device(Device d) {
  if (d.type == DeviceType::CPU) return nullptr;
  auto open = g_open.load();
  if (!open) raise<OpError>("device ", d.str(), " is not available");
  const DeviceRuntime* found = open(d);
  g_in_use.store(true);
  return found;
}

DeviceScope::DeviceScope(const DeviceRuntime* device) {
  const Context& now = context();
  if (now.device == device) return;
  changed_ = now;
  changed_->device = device;
  if (!now.device) changed_->host_kernels = now.kernels;
  changed_->kernels = device ? device->kernels : changed_->host_kernels;
  scope_.emplace(&*changed_);
}

const DeviceRuntime* device_of(const Call& c) {
  for (uint32_t i = 0; i < c.n_in(); ++i)
    if (const DeviceRuntime* d = device_of(c.in(i))) return d;
  return nullptr;
}

void run_kernel(Budget& b, void (*kernel)(Call&), Call& c) {
  b.pass();
  run_kernel(kernel, c);
  MemoryAccount* account = b.memory();
  if (!account) return;
  for (uint32_t i = 0; i < c.n_out(); ++i) charge_value(*account, c.result(i));
  // What it wrote into, or read: lists and dicts whose charge is out of date.
  for (uint32_t i = 0; i < c.n_in(); ++i)
    if (c.in(i).isList() || c.in(i).isDict()) charge_value(*account, c.in(i));
}

void run_kernel(void (*kernel)(Call&), Call& c) {
  if (!g_in_use.load(std::memory_order_relaxed)) return kernel(c);
  const DeviceRuntime* device = device_of(c);
  if (device && c.op() && c.op()->custom)  // it would read the memory itself
    raise<OpError>("operator ", c.op()->full_name(), " was registered for the CPU; a tensor is on ",
                   device->device.str());
  DeviceScope scope(device);
  kernel(c);
}

}  // namespace sconce
