// SPDX-License-Identifier: Apache-2.0
#include "ops/packed.h"

#include <mutex>
#include <unordered_map>

namespace sconce::ops {

const ClassType* packed_class(const std::string& name) {
  static std::mutex mutex;
  static auto* made = new std::unordered_map<std::string, ClassType*>;
  std::lock_guard<std::mutex> lock(mutex);
  ClassType*& c = (*made)[name];
  if (!c) {
    c = new ClassType("__torch__.torch.classes." + name, false);
    c->is_native = true;
    c->add_attribute({"state", types::any(), false, false, false});
  }
  return c;
}
IValue packed(const std::string& cls, std::vector<IValue> state) {
  auto o = make_ref<Object>(packed_class(cls), nullptr);
  o->slots[0] = make_ref<TupleBox>(std::move(state), nullptr);
  return o;
}
const std::vector<IValue>& state_of(const IValue& v) {
  if (!v.isObject() || v.toObjectRef().slots.empty() || !v.toObjectRef().slots[0].isTuple())
    raise<OpError>("expected packed parameters but got a ", v.tag_name());
  const IValue* s = &v.toObjectRef().slots[0];
  // __getstate__'s own value may stand in a tuple of (state, class name).
  if (s->toTupleRef().items.size() == 2 && s->toTupleRef().items[0].isTuple() &&
      s->toTupleRef().items[1].isString())
    s = &s->toTupleRef().items[0];
  return s->toTupleRef().items;
}

}  // namespace sconce::ops
