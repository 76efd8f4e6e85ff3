// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "core/op_versions.h"
#include "support/stack.h"
#include "writer/printer.h"

namespace sconce::writer {

void Needs::add(TypePtr t) {
  check_stack();
  if (!t || !seen_.insert(t).second) return;
  const bool named = t->kind == TypeKind::Class || t->kind == TypeKind::Enum ||
                     t->kind == TypeKind::Interface || (t->is_named_tuple() && !t->name.empty());
  if (named) {
    TypePtr one = names.identity(t);
    if (one == t || seen_.insert(one).second) items.push_back({one, nullptr});
  }
  for (TypePtr e : t->elems) add(e);
}
void Needs::add(Function* f) {
  if (seen_.insert(f).second) items.push_back({nullptr, f});
}

void Needs::uses(const Operator& op) {
  const uint64_t since = changed_in_version(op.full_name());
  if (since <= version) return;
  version = since;
  version_operator = std::string(op.full_name());
}

// Bytes that tell whether two tensors are the same constant. Empty: only it is.
std::string Needs::form_of(const Tensor& t) {
  const TensorImpl& i = *t.impl();
  if (i.storage->device() || i.quantizer || i.nested_rows || i.device.type != DeviceType::CPU ||
      !t.is_contiguous() || i.requires_grad)
    return "";
  std::string s = scalar_type_name(i.dtype);
  for (int64_t d : i.sizes) s += "," + std::to_string(d);
  return s;
}

std::string Needs::constant(const IValue& v) {
  auto number = [](size_t i) { return "CONSTANTS.c" + std::to_string(i); };
  const size_t fresh = constants.size();
  if (v.isString()) {
    auto [at, is_new] = texts_.emplace(v.toStringRef(), fresh);
    if (is_new) constants.push_back(v);
    return number(at->second);
  }
  auto [at, is_new] = known_.emplace(v.box(), fresh);
  if (!is_new) return number(at->second);
  if (v.isTensor()) {
    const Tensor& t = v.toTensorRef();
    if (std::string form = form_of(t); !form.empty()) {
      const size_t bytes = static_cast<size_t>(t.numel()) * element_size(t.dtype());
      form.append(static_cast<const char*>(t.const_raw_data()), std::min<size_t>(bytes, 64));
      auto [first, last] = tensors_.equal_range(form);
      for (auto it = first; it != last; ++it) {
        const Tensor& o = constants[it->second].toTensorRef();
        if (std::memcmp(o.const_raw_data(), t.const_raw_data(), bytes) != 0) continue;
        keep_.push_back(v);
        return number(at->second = it->second);
      }
      // Many that begin alike are compared one by one.
      if (tensors_.count(form) < 64) tensors_.emplace(std::move(form), fresh);
    }
  }
  constants.push_back(v);
  return number(fresh);
}

}  // namespace sconce::writer
