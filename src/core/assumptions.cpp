// SPDX-License-Identifier: Apache-2.0
#include "core/assumptions.h"

#include <cstring>

#include "support/stack.h"

namespace sconce {

bool identical(const IValue& a, const IValue& b) {
  if (!a.isDouble() || !b.isDouble()) return ivalue_is(a, b);
  const double x = a.toDouble(), y = b.toDouble();
  return std::memcmp(&x, &y, sizeof x) == 0;
}

namespace {
Ref<Storage> counted(const Storage& s) { return Ref<Storage>(const_cast<Storage*>(&s)); }
}  // namespace

bool Assumptions::slot(Object& o, size_t i, IValue* value) {
  if (unstable_.slot(o, i)) return false;
  auto known = slots_.find({&o, i});
  if (known == slots_.end())
    known =
        slots_.emplace(std::pair<const Object*, size_t>{&o, i}, Slot{Ref<Object>(&o), o.observe(i)})
            .first;
  *value = known->second.value;
  return true;
}

bool Assumptions::form(const IValue& v) {
  check_stack();
  if (v.isList() || v.isTuple()) {
    for (auto& e : v.isList() ? v.toListRef().items : v.toTupleRef().items)
      if (!form(e)) return false;
    return true;
  }
  if (!v.isTensor() || !v.toTensorRef().defined()) return true;
  const Tensor& t = v.toTensorRef();
  const TensorImpl& i = *t.impl();
  if (unstable_.form(i)) return false;
  if (forms_.count(&i)) return true;
  i.observe();
  forms_.emplace(&i, Form{t.ref(), i.storage, i.sizes, i.strides, i.offset, i.dtype,
                          i.requires_grad, i.quantizer});
  return true;
}

bool Assumptions::contents(const Storage& s) {
  if (contents_.count(&s) || made_.count(&s)) return true;
  if (!trusted_ && (s.exposed() || never_.count(&s) || unstable_.contents(s))) return false;
  uint64_t version = s.observe();
  contents_.emplace(&s, Contents{counted(s), version});
  // Handed out meanwhile, by another thread.
  return trusted_ || !s.exposed();
}

bool Assumptions::Form::same() const {
  const TensorImpl& i = *tensor;
  return i.storage == storage && i.sizes == sizes && i.strides == strides && i.offset == offset &&
         i.dtype == dtype && i.requires_grad == requires_grad && i.quantizer == quantizer;
}

bool Assumptions::hold() const {
  for (auto& [key, s] : slots_)
    if (!identical(s.object->observe(key.second), s.value)) return false;
  for (auto& [key, f] : forms_)
    if (!f.same()) return false;
  for (auto& [key, c] : contents_)
    if (key->version() != c.version || (!trusted_ && key->exposed())) return false;
  return true;
}

void Folding::called(const SlotCall& c) {
  auto* views = static_cast<const TensorView*>(c.args);
  for (uint16_t i = 0; i < c.n_views; ++i) read(views[i].storage);
  run_slot(c);
}

void Assumptions::blame(Unstable& unstable) const {
  for (auto& [key, s] : slots_) {
    // A program switches between training and evaluation now and then, not in every step.
    bool mode = s.object->type->attributes[key.second].name == "training";
    if (!mode && !identical(s.object->observe(key.second), s.value))
      unstable.slot_changed(s.object, key.second);
  }
  for (auto& [key, f] : forms_)
    if (!f.same()) unstable.form_changed(f.tensor);
  for (auto& [key, c] : contents_)
    if (key->version() != c.version) unstable.contents_changed(c.storage);
}

}  // namespace sconce
