// SPDX-License-Identifier: Apache-2.0
// Moves values and graphs to a device.
#pragma once
#include <unordered_map>
#include <unordered_set>

#include "core/device.h"
#include "ir/graph.h"

namespace sconce {

// Replaces tensors by their copies on a device (null: the CPU), in place in containers and objects.
// What shared a storage or was one tensor before still does and is.
class DeviceCopy {
 public:
  explicit DeviceCopy(const DeviceRuntime* device) : device_(device) {}
  void move(IValue& v);
  const DeviceRuntime* device() const { return device_; }

 private:
  Tensor moved(const Tensor& t);
  void move_slots(Object& o);
  const DeviceRuntime* device_;
  std::unordered_map<const Storage*, Ref<Storage>> storages_;
  std::unordered_map<const TensorImpl*, Tensor> tensors_;
  std::unordered_set<const void*> seen_;
  std::vector<IValue> keep_;  // what was replaced: addresses above stay taken
};

// Constants of a graph: tensors are copied to the device, and a device that a trace has baked in
// becomes this one.
void remap_devices(Graph& g, DeviceCopy& copy);

}  // namespace sconce
