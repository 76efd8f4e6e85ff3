// SPDX-License-Identifier: Apache-2.0
#include "api/device_copy.h"
#include "support/stack.h"

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

void DeviceCopy::move_slots(Object& o) {
  std::vector<IValue> slots = o.slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    const RefCounted* before = slots[i].box();
    move(slots[i]);
    if (slots[i].box() != before) o.set_slot(i, slots[i]);
  }
}
void DeviceCopy::move(IValue& v) {
  check_stack();
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
    move_slots(v.toObjectRef());
  else
    return;
  keep_.push_back(v);
}

namespace {
void remap_block(Block* b, DeviceCopy& copy) {
  check_stack();
  const DeviceRuntime* device = copy.device();
  static const Symbol value("value");
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) remap_block(inner, copy);
    if (n->kind != prim::Constant) continue;
    for (Attribute& a : n->attributes) {
      if (a.name != value) continue;
      if (a.value.isDevice() && a.value.toDevice().type != DeviceType::Meta)
        a.value = IValue(device ? device->device : Device{});
      else if (a.value.isTensor())
        copy.move(a.value);
    }
  }
}
}  // namespace

void remap_devices(Graph& g, DeviceCopy& copy) { remap_block(g.block(), copy); }

}  // namespace sconce
