// SPDX-License-Identifier: Apache-2.0
// What PyTorch refuses, said in front of kernels: rows name an operator and the check that its
// arguments must pass before its kernel runs.
#pragma once
#include <optional>

#include "ops/tensor_ops.h"

namespace sconce::ops {

// A check throws OpError. "aten::random_.*" stands for all overloads.
struct Limit {
  const char* name;
  void (*check)(const Call& c);
};
struct LimitList {
  const Limit* rows;
  size_t count;
};

// The arguments of a call by their names; None and arguments that the schema lacks are absent.
class Arguments {
 public:
  explicit Arguments(const Call& c) : c_(c), schema_(c.op()->schema()) {}
  const IValue* find(const char* name) const {
    const int i = schema_.argument_index(name);
    if (i < 0 || static_cast<uint32_t>(i) >= c_.n_in()) return nullptr;
    const IValue& v = c_.in(static_cast<uint32_t>(i));
    return v.isNone() ? nullptr : &v;
  }
  const Tensor* tensor(const char* name) const {
    const IValue* v = find(name);
    return v && v->isTensor() && v->toTensorRef().defined() ? &v->toTensorRef() : nullptr;
  }
  std::optional<int64_t> integer(const char* name) const {
    const IValue* v = find(name);
    return v && (v->isInt() || v->isBool()) ? std::optional<int64_t>(v->toInt()) : std::nullopt;
  }
  std::optional<double> number(const char* name) const {
    const IValue* v = find(name);
    if (!v || !(v->isInt() || v->isDouble() || v->isBool())) return std::nullopt;
    return Scalar(*v).d;
  }
  std::optional<IntVec> integers(const char* name) const {
    const IValue* v = find(name);
    return v && (v->isInt() || v->isList()) ? std::optional<IntVec>(to_ints(*v)) : std::nullopt;
  }
  std::optional<bool> flag(const char* name) const {
    const IValue* v = find(name);
    return v && v->isBool() ? std::optional<bool>(v->toBool()) : std::nullopt;
  }
  std::string_view name() const { return c_.op()->name(); }

 private:
  const Call& c_;
  const FunctionSchema& schema_;
};

// Throws OpError where the written argument lies over what it may not.
void check_writes(const Call& c, const WriteCheck& row);

}  // namespace sconce::ops
