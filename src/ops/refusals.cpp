// SPDX-License-Identifier: Apache-2.0
// Checks in front of kernels: dtypes that PyTorch's CPU kernels don't take, tensors that it does
// not write into, and values beyond an operator's limits. Entry: refuse(), which puts them into the
// table. What is learnt by asking PyTorch stands in the .inc files, the rest in limits_*.cpp.
#include "ops/refusals.h"

#include <cstring>

#include "ops/all_ops.h"

namespace sconce::ops {

extern const LimitList kFactoryLimits, kLayerLimits, kNumberLimits, kTensorLimits;

namespace {

struct Refused {
  const char* name;
  uint32_t dtypes;  // bit n: the dtype with PyTorch's number n
};
constexpr Refused kRefused[] = {
#include "ops/refused_dtypes.inc"
};
constexpr const char* kEarlyChecks[] = {
#include "ops/early_checks.inc"
};
constexpr WriteCheck kWriteChecks[] = {
#include "ops/write_checks.inc"
};

bool is_choice(const std::string& argument) {
  return argument == "mask" || argument == "condition" || argument == "index" ||
         argument == "indices";
}

// In a row of refused dtypes: numbers among the arguments don't make the dtype a floating one.
constexpr uint32_t kTensorsAlone = 1u << 31;

// Of the tensors, and unless these alone decide the numbers, that are computed with.
ScalarType common_dtype(const Call& c, bool tensors_alone) {
  const FunctionSchema& s = c.op()->schema();
  TensorList tensors;
  bool floating = false, complex = false;
  for (uint32_t i = 0; i < c.n_in() && i < s.arguments.size(); ++i) {
    const IValue& v = c.in(i);
    if (is_choice(s.arguments[i].name)) continue;
    if (v.isTensor() && v.box() && v.toTensorRef().defined()) {
      if (is_quantized(v.toTensorRef().dtype())) return ScalarType::Undefined;
      tensors.push_back(v.toTensor());
    }
    if (tensors_alone || s.arguments[i].type->kind != TypeKind::Number) continue;
    floating |= v.isDouble();
    complex |= v.tag() == Tag::ComplexDouble;
  }
  if (tensors.empty()) return ScalarType::Undefined;
  ScalarType t = tensors.size() == 1 ? tensors[0].dtype() : result_type(tensors);
  if (complex && !is_complex(t)) return kComplexFloat;
  return floating ? to_floating(t) : t;
}

// ---- memory ----

enum class Overlap { No, Full, Partial, Unknown };

// PyTorch's get_overlap_status: only dense tensors are judged.
Overlap overlap(const Tensor& a, const Tensor& b) {
  if (a.impl() == b.impl()) return Overlap::Full;
  if (a.impl()->storage != b.impl()->storage || a.numel() == 0 || b.numel() == 0)
    return Overlap::No;
  if (!is_dense(a) || !is_dense(b)) return Overlap::Unknown;
  auto range = [](const Tensor& t) {
    const int64_t size = static_cast<int64_t>(element_size(t.dtype()));
    return std::pair(t.storage_offset() * size, (t.storage_offset() + t.numel()) * size);
  };
  const auto [a0, a1] = range(a);
  const auto [b0, b1] = range(b);
  if (a0 == b0 && a1 == b1) return a.strides() == b.strides() ? Overlap::Full : Overlap::Partial;
  return a0 < b1 && b0 < a1 ? Overlap::Partial : Overlap::No;
}

[[noreturn]] void refuse_overlap() {
  raise<OpError>(
      "unsupported operation: some elements of the input tensor and the written-to tensor refer to "
      "a single memory location. Please clone() the tensor before performing the operation.");
}

template <class F>
void for_each_tensor(const IValue& v, F f) {
  if (v.isTensor()) {
    if (v.toTensorRef().defined()) f(v.toTensorRef());
  } else if (v.isList()) {
    for (const IValue& e : v.toListRef().items)
      if (e.isTensor() && e.toTensorRef().defined()) f(e.toTensorRef());
  }
}

}  // namespace

void check_writes(const Call& c, const WriteCheck& row) {
  const IValue& written = c.in(row.argument);
  if (!written.isTensor() || !written.toTensorRef().defined()) return;
  const Tensor& out = written.toTensorRef();
  if (out.numel() == 0) return;
  if (row.internal) check_writable(out);
  for (uint32_t i = 0, bits = row.partial | row.full; bits && i < c.n_in(); ++i) {
    if (!(bits >> i & 1)) continue;
    for_each_tensor(c.in(i), [&](const Tensor& t) {
      const Overlap o = overlap(out, t);
      if (o == Overlap::Partial || (o == Overlap::Full && (row.full >> i & 1))) refuse_overlap();
    });
  }
}

namespace {

template <bool Early>
void checked(Call& c) {
  const Operator& op = *c.op();
  const Checks& checks = op.checks;
  if (checks.refused_dtypes) {
    const ScalarType t = common_dtype(c, checks.refused_dtypes & kTensorsAlone);
    if (t != ScalarType::Undefined && (checks.refused_dtypes >> static_cast<uint32_t>(t) & 1))
      raise<OpError>("\"", op.full_name(), "\" not implemented for '", scalar_type_name(t), "'");
  }
  if (checks.limits) checks.limits(c);
  // Most derived out= forms judge their targets when these have the result's sizes.
  if (Early || op.unchecked != derived_out)
    for (uint32_t i = 0; i < checks.n_writes; ++i) check_writes(c, checks.writes[i]);
  op.unchecked(c);
}

void add_limits(OpTable& table, const LimitList& list) {
  for (size_t i = 0; i < list.count; ++i) {
    const std::string_view name = list.rows[i].name;
    if (name.size() > 2 && name.substr(name.size() - 2) == ".*") {
      for (const Operator& op : table.find(name.substr(0, name.size() - 2)))
        if (Checks* checks = table.check(op.full_name(), checked<false>))
          checks->limits = list.rows[i].check;
    } else if (Checks* checks = table.check(name, checked<false>)) {
      checks->limits = list.rows[i].check;
    }
  }
}

}  // namespace

void refuse(OpTable& table) {
  for (const char* name : kRowsInBuild<kEarlyChecks>) table.check(name, checked<true>);
  for (const Refused& r : kRowsInBuild<kRefused>)
    if (Checks* checks = table.check(r.name, checked<false>)) checks->refused_dtypes = r.dtypes;
  for (const WriteCheck& w : kRowsInBuild<kWriteChecks>)
    if (Checks* checks = table.check(w.name, checked<false>)) {
      // The rows of an operator follow each other.
      if (checks->n_writes++ == 0) checks->writes = &w;
    }
  for (const LimitList* list : {&kFactoryLimits, &kLayerLimits, &kNumberLimits, &kTensorLimits})
    add_limits(table, *list);
}

}  // namespace sconce::ops
