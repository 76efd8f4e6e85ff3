// SPDX-License-Identifier: Apache-2.0
#include "api/device_copy.h"

namespace sconce {

Tensor DeviceCopy::moved(const Tensor& t) {
  if (!t.defined() || t.device().type == DeviceType::Meta) return t;
  const TensorImpl& from = *t.impl();
  if (from.storage->device() == device_) return t;
  Tensor& known = tensors_[&from];
  if (known.defined()) return known;
  Ref<Storage>& storage = storages_[from.storage.get()];
  if (!storage) storage = from.storage->copy_to(device_);
  keep_.push_back(IValue(t));
  return known = with_storage(t, storage, from.offset);
}

void DeviceCopy::move(IValue& v) {
  if (v.isTensor()) {
    v = IValue(moved(v.toTensor()));
    return;
  }
  if (!v.box() || !seen_.insert(v.box()).second) return;
  if (v.isList())
    for (IValue& e : v.toListRef().items) move(e);
  else if (v.isTuple())
    for (IValue& e : v.toTupleRef().items) move(e);
  else if (v.isDict())
    for (auto& e : v.toDictRef().items) move(e.second);
  else if (v.isObject())
    for (IValue& e : v.toObjectRef().slots) move(e);
  else
    return;
  keep_.push_back(v);
}

namespace {
void remap_block(Block* b, const DeviceRuntime* device) {
  static const Symbol value("value");
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) remap_block(inner, device);
    if (n->kind != prim::Constant) continue;
    for (Attribute& a : n->attributes) {
      if (a.name != value) continue;
      if (a.value.isDevice() && a.value.toDevice().type != DeviceType::Meta)
        a.value = IValue(device ? device->device : Device{});
      else if (a.value.isTensor() && a.value.toTensorRef().defined() &&
               a.value.toTensorRef().device().type != DeviceType::Meta)
        a.value = IValue(copy_extent(a.value.toTensorRef(), device));
    }
  }
}
}  // namespace

void remap_devices(Graph& g, const DeviceRuntime* device) { remap_block(g.block(), device); }

}  // namespace sconce
