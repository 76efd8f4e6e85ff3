// SPDX-License-Identifier: Apache-2.0
#include "api/clone_copy.h"

#include "core/device.h"
#include "support/stack.h"

namespace sconce {

IValue CloneCopy::copy(const IValue& v) {
  if (!v.box()) return v;
  auto known = boxes_.find(v.box());
  if (known != boxes_.end()) return known->second;
  return fresh(v);
}

IValue CloneCopy::tensor(const Tensor& t) {
  const TensorImpl& from = *t.impl();
  Ref<Storage>& storage = storages_[from.storage.get()];
  if (!storage) storage = from.storage->share();
  const Tensor to = with_storage(t, storage, from.offset);
  to.mutable_impl()->device = from.device;
  return boxes_[t.impl()] = IValue(to);
}

// A container is known before its elements are copied: it may hold itself.
IValue CloneCopy::fresh(const IValue& v) {
  check_stack();
  switch (v.tag()) {
    case Tag::Tensor: return tensor(v.toTensorRef());
    case Tag::List: {
      const ListBox& from = v.toListRef();
      auto to = make_ref<ListBox>(from.elem_type);
      boxes_[v.box()] = IValue(to);
      for (auto& e : from.items) to->items.push_back(copy(e));
      return IValue(to);
    }
    case Tag::Tuple: {
      const TupleBox& from = v.toTupleRef();
      std::vector<IValue> items;
      for (auto& e : from.items) items.push_back(copy(e));
      return boxes_[v.box()] = IValue(make_ref<TupleBox>(std::move(items), from.type));
    }
    case Tag::Dict: {
      const DictBox& from = v.toDictRef();
      auto to = make_ref<DictBox>(from.key_type, from.value_type);
      boxes_[v.box()] = IValue(to);
      for (auto& e : from.items) to->set(copy(e.first), copy(e.second));
      return IValue(to);
    }
    case Tag::Object: {
      const Object& from = v.toObjectRef();
      auto to = class_of_ ? make_ref<Object>(class_of_(from).first, class_of_(from).second)
                          : make_ref<Object>(from.type, from.owner);
      boxes_[v.box()] = IValue(to);
      std::vector<IValue> slots = from.slots();
      for (auto& s : slots) s = copy(s);
      to->set_slots(std::move(slots));
      return IValue(to);
    }
    default: return v;  // nothing that can be written
  }
}

}  // namespace sconce
