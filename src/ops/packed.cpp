// SPDX-License-Identifier: Apache-2.0
#include "ops/packed.h"
#include "support/lasting.h"

#include <memory>
#include <mutex>
#include <unordered_map>

namespace sconce::ops {

const ClassType* packed_class(const std::string& name) {
  static std::mutex mutex;
  static const Lasting made(new std::unordered_map<std::string, std::unique_ptr<ClassType>>);
  std::lock_guard<std::mutex> lock(mutex);
  std::unique_ptr<ClassType>& c = (*made)[name];
  if (!c) {
    c = std::make_unique<ClassType>("__torch__.torch.classes." + name, false);
    c->is_native = true;
    c->add_attribute({"state", types::any(), false, false, false});
  }
  return c.get();
}
IValue packed(const std::string& cls, std::vector<IValue> state) {
  auto o = make_ref<Object>(packed_class(cls), nullptr);
  o->set_slot(0, make_ref<TupleBox>(std::move(state), nullptr));
  return o;
}
std::vector<IValue> state_of(const IValue& v) {
  IValue state = v.isObject() && v.toObjectRef().size() ? v.toObjectRef().slot(0) : IValue();
  if (!state.isTuple()) raise<OpError>("expected packed parameters but got a ", v.tag_name());
  auto& items = state.toTupleRef().items;
  // __getstate__'s own value may stand in a tuple of (state, class name).
  if (items.size() == 2 && items[0].isTuple() && items[1].isString())
    return items[0].toTupleRef().items;
  return items;
}

}  // namespace sconce::ops
