// SPDX-License-Identifier: Apache-2.0
// What the types of tensors tell, a part of the peephole pass:
//
//   %d : int = aten::dim(%x)          =>   4, when %x : Float(2, 3, *, *)
//   %n : int = aten::size(%x, %0)     =>   2
//   %t : int = prim::dtype(%x)        =>   6
//   %y = aten::type_as(%x, %z)        =>   %x, when both have that dtype and device
//   %y = aten::expand(%x, %size, ...) =>   %x, when it has that size
//
// Types are trusted: a graph whose tensors may be others wants disable_shape_peepholes=true.
#include <algorithm>

#include "passes/node_query.h"
#include "passes/peephole_parts.h"

namespace sconce {

namespace {

const TensorInfo* with_device(const Value* v) {
  const TensorInfo* t = tensor_info(v);
  return t && t->has_device ? t : nullptr;
}
const TensorInfo* with_rank(const Value* v) {
  const TensorInfo* t = tensor_info(v);
  return t && t->has_rank ? t : nullptr;
}
const TensorInfo* with_sizes(const Value* v) {
  const TensorInfo* t = with_rank(v);
  return t && std::all_of(t->sizes.begin(), t->sizes.end(), [](int64_t s) { return s >= 0; })
             ? t
             : nullptr;
}
IValue int_list(const std::vector<int64_t>& values) {
  std::vector<IValue> items(values.begin(), values.end());
  return IValue(make_ref<ListBox>(types::integer(), std::move(items)));
}

// The constant that n is; nothing when its input's type doesn't tell.
std::optional<IValue> told(const Node* n) {
  const Value* x = n->inputs[0];
  if (is_overload(n, "aten::size")) {
    if (auto* t = with_sizes(x)) return int_list(t->sizes);
  } else if (is_overload(n, "aten::len.t")) {
    if (!is_overload(x->node, "aten::size") || x->uses.size() != 1) return std::nullopt;
    if (auto* t = with_rank(x->node->inputs[0])) return static_cast<int64_t>(t->sizes.size());
  } else if (is_overload(n, "aten::size.int")) {
    auto* t = with_rank(x);
    auto i = constant_int(n->inputs[1]);
    if (!t || !i) return std::nullopt;
    auto rank = static_cast<int64_t>(t->sizes.size());
    int64_t at = *i < 0 ? *i + rank : *i;
    if (at >= 0 && at < rank && t->sizes[static_cast<size_t>(at)] >= 0)
      return t->sizes[static_cast<size_t>(at)];
  } else if (is_overload(n, "aten::is_floating_point")) {
    if (auto* t = info_with_dtype(x)) return is_floating(t->dtype);
  } else if (is_overload(n, "aten::is_complex")) {
    if (auto* t = info_with_dtype(x)) return is_complex(t->dtype);
  } else if (is_overload(n, "prim::dtype")) {
    if (auto* t = info_with_dtype(x)) return static_cast<int64_t>(t->dtype);
  } else if (is_overload(n, "prim::device")) {
    if (auto* t = with_device(x)) return IValue(t->device);
  } else if (is_overload(n, "aten::dim")) {
    if (auto* t = with_rank(x)) return static_cast<int64_t>(t->sizes.size());
  } else if (is_overload(n, "prim::is_cuda")) {
    if (auto* t = with_device(x)) return t->device.type == DeviceType::CUDA;
  } else if (is_overload(n, "aten::device.with_index")) {
    auto type = constant_value(x);
    if (!type || !type->isString()) return std::nullopt;
    const int64_t index = constant_int(n->inputs[1]).value_or(0);
    return IValue(Device::parse(type->toStringRef() + ":" + std::to_string(index)));
  }
  return std::nullopt;
}

// The input that n gives unchanged.
Value* unchanged(const Node* n) {
  if (is_overload(n, "aten::expand")) {
    auto size = constant_value(n->inputs[1]);
    auto* t = with_sizes(n->inputs[0]);
    if (!t || !size || !size->isList()) return nullptr;
    auto& items = size->toListRef().items;
    return items.size() == t->sizes.size() &&
                   std::equal(
                       items.begin(), items.end(), t->sizes.begin(),
                       [](const IValue& a, int64_t b) { return a.isInt() && a.toInt() == b; })
               ? n->inputs[0]
               : nullptr;
  }
  if (!is_overload(n, "aten::type_as")) return nullptr;
  auto *a = info_with_dtype(n->inputs[0]), *b = info_with_dtype(n->inputs[1]);
  return a && b && a->dtype == b->dtype && a->has_device && b->has_device && a->device == b->device
             ? n->inputs[0]
             : nullptr;
}

}  // namespace

bool shape_idiom(Node* n, PassContext& c) {
  if (n->inputs.empty() || n->outputs.size() != 1) return false;
  if (Value* same = unchanged(n)) {
    c.applied(n, "shape");
    n->output()->replace_all_uses_with(same);
    return true;
  }
  auto v = told(n);
  if (!v) return false;
  c.applied(n, "shape");
  replace_by_constant(n, n->output(), std::move(*v));
  return true;
}

}  // namespace sconce
