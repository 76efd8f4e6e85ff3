// SPDX-License-Identifier: Apache-2.0
#include "runtime/attribute_reads.h"

#include <algorithm>
#include <unordered_map>

#include "core/assumptions.h"
#include "core/op_table.h"
#include "support/stack.h"

namespace sconce {

namespace {

using Path = std::vector<size_t>;

class Finder {
 public:
  explicit Finder(const Graph& g) {
    if (!g.inputs().empty()) objects_.emplace(g.inputs()[0], Path{});
  }
  bool block(Block* b) {
    check_stack();
    for (const Node* n : b->nodes()) {
      if (n->kind == prim::SetAttr) return false;
      if (n->kind == prim::GetAttr && !read(n)) return false;
      for (Block* inner : n->blocks)
        if (!block(inner)) return false;
    }
    return true;
  }
  // An object is asked for attributes and nothing else.
  bool objects_stay() const {
    return std::all_of(objects_.begin(), objects_.end(), [](auto& o) {
      return std::all_of(o.first->uses.begin(), o.first->uses.end(),
                         [](const Use& u) { return u.user->kind == prim::GetAttr; });
    });
  }
  std::vector<Path> paths;

 private:
  bool read(const Node* n) {
    const Value* from = n->inputs[0];
    auto object = objects_.find(from);
    if (object == objects_.end() || from->type->kind != TypeKind::Class) return false;
    const int slot =
        static_cast<const ClassType*>(from->type)->find_attribute(n->s(Symbol("name")));
    if (slot < 0) return false;
    Path path = object->second;
    path.push_back(static_cast<size_t>(slot));
    const Value* out = n->outputs[0];
    if (out->type->kind == TypeKind::Class &&
        !static_cast<const ClassType*>(out->type)->is_native) {
      objects_.emplace(out, std::move(path));
      return true;
    }
    const bool list =
        out->type->kind == TypeKind::List && out->type->elem()->kind == TypeKind::Tensor;
    if ((!list && out->type->kind != TypeKind::Class) || !only_read(out)) return false;
    paths.push_back(std::move(path));
    return true;
  }
  // Operators take the value, none writes it or answers it.
  static bool only_read(const Value* v) {
    for (const Use& u : v->uses) {
      if (!u.user->op) return false;
      const auto& arguments = u.user->op->schema().arguments;
      if (u.offset >= arguments.size() || arguments[u.offset].alias.is_write) return false;
      for (const Value* out : u.user->outputs)
        if (out->type->kind != TypeKind::Tensor && out->type->kind != TypeKind::Int) return false;
    }
    return true;
  }
  std::unordered_map<const Value*, Path> objects_;
};

}  // namespace

std::optional<AttributeReads> AttributeReads::of(const Graph& g) {
  Finder f(g);
  if (!f.block(const_cast<Graph&>(g).block()) || !f.objects_stay()) return std::nullopt;
  AttributeReads r;
  r.paths_ = std::move(f.paths);
  std::sort(r.paths_.begin(), r.paths_.end());
  r.paths_.erase(std::unique(r.paths_.begin(), r.paths_.end()), r.paths_.end());
  return r;
}

std::vector<IValue> AttributeReads::values(const IValue& self) const {
  std::vector<IValue> all;
  for (const Path& path : paths_) {
    IValue v = self;
    for (size_t slot : path) v = v.toObjectRef().slot(slot);
    all.push_back(std::move(v));
  }
  return all;
}

namespace {
// What packed parameters hold; None of another value.
IValue packed_state(const IValue& v) {
  if (!v.isObject() || !v.toObjectRef().size()) return {};
  IValue state = v.toObjectRef().slot(0);
  return state.isTuple() ? state : IValue();
}
}  // namespace

AttributeForm::AttributeForm(const IValue& v) {
  if (!v.isList()) {
    object_ = v, state_ = packed_state(v);
    return;
  }
  for (const IValue& e : v.toListRef().items) {
    if (!e.isTensor() || !e.box()) continue;  // such a list is never what it was
    const TensorImpl& i = *e.toTensorRef().impl();
    tensors_.push_back({e, i.storage.get(), i.dtype, i.sizes, i.strides, i.offset});
  }
}

bool AttributeForm::Form::same(const IValue& v) const {
  if (!v.isTensor() || v.box() != tensor.box()) return false;
  const TensorImpl& i = *v.toTensorRef().impl();
  return i.storage.get() == storage && i.dtype == dtype && i.sizes == sizes &&
         i.strides == strides && i.offset == offset && !i.quantizer;
}

bool AttributeForm::matches(const IValue& v) const {
  if (!object_.isNone())
    return !state_.isNone() && v.isObject() && v.box() == object_.box() &&
           packed_state(v).box() == state_.box();
  if (!v.isList()) return false;
  const auto& items = v.toListRef().items;
  if (items.size() != tensors_.size()) return false;
  for (size_t i = 0; i < items.size(); ++i)
    if (!tensors_[i].same(items[i])) return false;
  return true;
}

}  // namespace sconce
