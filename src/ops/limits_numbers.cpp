// SPDX-License-Identifier: Apache-2.0
// Numbers beside tensors: PyTorch converts them to the dtype that it computes with, and refuses
// those that this dtype can't hold.
#include <cmath>

#include "ops/refusals.h"

namespace sconce::ops {

namespace {

// Halves are computed with as float.
ScalarType wide(ScalarType t) { return t == kHalf || t == kBFloat16 ? kFloat : t; }

// Whether every dtype holds the argument: no need to ask which one it is.
bool fits_all(const Arguments& a, const char* name) {
  const IValue* v = a.find(name);
  return !v || (v->isInt() && v->toInt() >= -128 && v->toInt() <= 127);
}
void check_number(const Arguments& a, const char* name, ScalarType t) {
  if (const IValue* v = a.find(name); v && !v->isTensor()) check_fits(Scalar(*v), t);
}
// Of the tensors, and a number that takes part.
ScalarType computed(const Arguments& a, std::initializer_list<const char*> names) {
  TensorList tensors;
  for (const char* name : names)
    if (const Tensor* t = a.tensor(name)) tensors.push_back(*t);
  if (tensors.empty()) return kDouble;
  const ScalarType t = result_type(tensors);
  const IValue* other = a.find("other");
  if (!other || other->isTensor()) return t;
  return tensors.size() == 1 ? result_type(tensors[0], Scalar(*other)) : t;
}

void check_floating_only(const Call& c, ScalarType t) {
  if (is_floating(t) || is_quantized(t)) return;
  std::string_view name = c.op()->name();
  raise<OpError>("\"", name.substr(name.find(':') + 2), "_cpu\" not implemented for '",
                 scalar_type_name(t), "'");
}
// Also of tensors without elements.
void floating_limits(const Call& c) {
  Arguments a(c);
  check_floating_only(c, computed(a, {"self", "target"}));
}
void no_complex_limits(const Call& c) {
  Arguments a(c);
  const ScalarType t = computed(a, {"self", "other"});
  if (t == kBool || is_complex(t))
    raise<OpError>("\"fmod_cpu\" not implemented for '", scalar_type_name(t), "'");
}
void complex_limits(const Call& c) {
  Arguments a(c);
  if (const ScalarType t = computed(a, {"self", "other"}); is_complex(t))
    raise<OpError>("\"atan2_cpu\" not implemented for '", scalar_type_name(t), "'");
}
void add_limits(const Call& c) {
  Arguments a(c);
  if (fits_all(a, "alpha")) return;
  check_number(a, "alpha", computed(a, {"self", "other"}));
}
void addcmul_limits(const Call& c) {
  Arguments a(c);
  if (computed(a, {"self", "tensor1", "tensor2"}) == kBool)
    raise<OpError>("\"addcmul_cpu_out\" not implemented for 'Bool'");
  check_number(a, "value", wide(computed(a, {"self", "tensor1", "tensor2"})));
}
void product_limits(const Call& c) {
  Arguments a(c);
  if (fits_all(a, "beta") && fits_all(a, "alpha")) return;
  const ScalarType t = wide(computed(a, {"self"}));
  for (const char* name : {"beta", "alpha"}) check_number(a, name, t);
}
void vector_product_limits(const Call& c) {
  Arguments a(c);
  const ScalarType t = computed(a, {"self"});
  for (const char* name : {"beta", "alpha"}) check_number(a, name, t);
}
void activation_limits(const Call& c) {
  Arguments a(c);
  check_floating_only(c, computed(a, {"self"}));
  const ScalarType t = wide(computed(a, {"self"}));
  for (const char* name : {"alpha", "scale", "input_scale", "negative_slope", "beta", "threshold"})
    check_number(a, name, t);
}
void silu_limits(const Call& c) {
  Arguments a(c);
  const ScalarType t = computed(a, {"self"});
  if (!is_complex(t)) check_floating_only(c, t);
}
void celu_limits(const Call& c) {
  Arguments a(c);
  if (a.number("alpha") == 0.0) raise<OpError>("ZeroDivisionError: alpha cannot be 0 for CELU");
  activation_limits(c);
}
void threshold_limits(const Call& c) {
  Arguments a(c);
  const ScalarType t = computed(a, {"self"});
  if (t == kBool) raise<OpError>("\"threshold_cpu\" not implemented for 'Bool'");
  check_number(a, "threshold", wide(t));
  check_number(a, "value", t);
}
void hardtanh_limits(const Call& c) {
  Arguments a(c);
  const ScalarType t = computed(a, {"self"});
  if (t == kBool) raise<OpError>("Bool inputs not supported for hardtanh");
  auto whole = [&](const char* name) { return std::trunc(a.number(name).value_or(0)); };
  if (t == kByte && (whole("min_val") < 0 || whole("max_val") < 0))
    raise<OpError>("cannot do hardtanh on an unsigned type with negative limits");
  // Whole numbers are cut before they are converted.
  for (const char* name : {"min_val", "max_val"})
    if (auto x = a.number(name); x && (!is_integral(t) || std::fabs(*x) >= 1))
      check_fits(Scalar(is_integral(t) ? std::trunc(*x) : *x), t);
}
void lerp_limits(const Call& c) {
  Arguments a(c);
  check_number(a, "weight", wide(computed(a, {"self"})));
}
void power_limits(const Call& c) {
  Arguments a(c);
  const IValue* e = a.find("exponent");
  const Tensor* self = a.tensor("self");
  if (!e || e->isTensor() || !self) return;
  const ScalarType t = result_type(*self, Scalar(*e));
  if (t == kHalf || t == kBFloat16 || is_integral(t)) check_fits(Scalar(*e), t);
}
void index_add_limits(const Call& c) {
  Arguments a(c);
  check_number(a, "alpha", computed(a, {"self"}));
}
void where_limits(const Call& c) {
  Arguments a(c);
  const Tensor* t = a.tensor("self");
  if (!t) t = a.tensor("other");
  for (const char* name : {"self", "other"}) {
    const IValue* v = a.find(name);
    if (!v || v->isTensor()) continue;
    const Scalar s(*v);
    check_fits(s, t                 ? result_type(*t, s)
                  : s.is_complex()  ? kComplexFloat
                  : s.is_floating() ? kFloat
                                    : kLong);
  }
}
void spaced_numbers(const Call& c) {
  Arguments a(c);
  const char* name = a.name() == "aten::linspace" ? "linspace" : "logspace";
  for (const char* which : {"start", "end"})
    if (const Tensor* t = a.tensor(which); t && t->dim() != 0)
      raise<OpError>(name, " only supports 0-dimensional start and end tensors, but got ", which,
                     " with ", t->dim(), " dimension(s).");
  const int64_t steps = a.integer("steps").value_or(0);
  if (steps < 0) raise<OpError>("number of steps must be non-negative");
  ScalarType t = kFloat;
  if (const Tensor* out = a.tensor("out"))
    t = out->dtype();
  else if (auto given = a.integer("dtype"))
    t = to_scalar_type(*given);
  if (steps <= 1) return;
  // A complex end makes the numbers complex where no dtype is asked for.
  if (!a.tensor("out") && !a.integer("dtype"))
    for (const char* which : {"start", "end"})
      if (const IValue* v = a.find(which); v && v->isComplexDouble()) return;
  if (t == kBool) raise<OpError>("\"", name, "_cpu\" not implemented for 'Bool'");
  if (is_complex(t)) return;
  for (const char* which : {"start", "end"}) {
    if (is_integral(t)) {
      if (auto x = a.number(which); x) check_fits(Scalar(std::trunc(*x)), t);
    } else {
      check_number(a, which, t);
    }
  }
}
void renorm_limits(const Call& c) {
  Arguments a(c);
  const double p = a.number("p").value_or(2), most = a.number("maxnorm").value_or(1);
  if (!(p > 0)) raise<OpError>("renorm: non-positive-norm not supported");
  if (!(most >= 0)) raise<OpError>("renorm: expected maxnorm to be >= 0 but got ", most);
  if (const Tensor* self = a.tensor("self"); self) {
    if (self->dim() < 2)
      raise<OpError>("renorm: input needs at least 2 dimensions, got ", self->dim(), " dimensions");
    wrap_dim(a.integer("dim").value_or(0), self->dim());
  }
}
void histc_limits(const Call& c) {
  Arguments a(c);
  const Tensor* self = a.tensor("self");
  if (!self) return;
  const int64_t bins = a.integer("bins").value_or(100);
  const double low = a.number("min").value_or(0), high = a.number("max").value_or(0);
  if (!is_floating(self->dtype()) || self->dtype() == kHalf || self->dtype() == kBFloat16) {
    if (self->dtype() != kHalf && self->dtype() != kBFloat16)
      raise<OpError>("\"histogram_cpu\" not implemented for '", scalar_type_name(self->dtype()),
                     "'");
  }
  if (bins <= 0)
    raise<OpError>("torch.histogram(): bins must be > 0, but got ", bins, " for dimension 0");
  check_number(a, "min", self->dtype());
  check_number(a, "max", self->dtype());
  if (low != high || !std::isfinite(low) || !std::isfinite(high)) {
    if (!std::isfinite(low) || !std::isfinite(high))
      raise<OpError>("torch.histc: range of [", low, ", ", high, "] is not finite");
    if (low > high) raise<OpError>("torch.histc: max must be larger than min");
  }
}
void cdist_limits(const Call& c) {
  Arguments a(c);
  const Tensor *x = a.tensor("x1"), *y = a.tensor("x2");
  if (!x || !y) return;
  for (const Tensor* t : {x, y}) {
    const char* name = t == x ? "X1" : "X2";
    if (t->dim() < 2)
      raise<OpError>("cdist only supports at least 2D tensors, ", name, " got: ", t->dim(), "D");
  }
  if (x->size(-1) != y->size(-1))
    raise<OpError>("X1 and X2 must have the same number of columns. X1: ", x->size(-1),
                   " X2: ", y->size(-1));
  for (const Tensor* t : {x, y})
    if (!is_floating(t->dtype()))
      raise<OpError>("cdist only supports floating-point dtypes, ", t == x ? "X1" : "X2",
                     " got: ", scalar_type_name(t->dtype()));
  if (!(a.number("p").value_or(2) >= 0))
    raise<OpError>("cdist only supports non-negative p values");
  if (auto mode = a.integer("compute_mode"); mode && (*mode < 0 || *mode > 2))
    raise<OpError>(*mode, " is not a valid value for compute_mode");
  if (x->dtype() != y->dtype() && x->numel() && y->numel())
    raise<OpError>("expected scalar type ", scalar_type_name(x->dtype()), " but found ",
                   scalar_type_name(y->dtype()));
}
void flag_limits(const Call& c) {
  Arguments a(c);
  if (!a.flag("requires_grad").value_or(false)) return;
  const IValue* data = a.find("data");
  if (!data) data = a.find("t");
  ScalarType t = data && data->isDouble() ? kFloat
                 : data && data->isInt()  ? kLong
                 : data && data->isBool() ? kBool
                                          : kFloat;
  if (auto given = a.integer("dtype")) t = to_scalar_type(*given);
  if (is_integral(t, true))
    raise<OpError>("Only Tensors of floating point and complex dtype can require gradients");
}
void as_tensor_limits(const Call& c) { check_number(Arguments(c), "t", kFloat); }
void tensor_limits(const Call& c) {
  flag_limits(c);
  Arguments a(c);
  const IValue* data = a.find("t");
  if (!data || !data->isDouble()) return;
  ScalarType t = kFloat;
  if (auto given = a.integer("dtype")) t = to_scalar_type(*given);
  check_fits(Scalar(*data), t);
}

constexpr Limit kRows[] = {
    {"aten::add.*", add_limits},
    {"aten::sub.*", add_limits},
    {"aten::rsub.*", add_limits},
    {"aten::addcmul", addcmul_limits},
    {"aten::addcdiv", addcmul_limits},
    {"aten::addmm", product_limits},
    {"aten::baddbmm", product_limits},
    {"aten::addbmm", product_limits},
    {"aten::addmv", vector_product_limits},
    {"aten::addr", vector_product_limits},
    {"aten::elu", activation_limits},
    {"aten::leaky_relu", activation_limits},
    {"aten::softplus", activation_limits},
    {"aten::selu", floating_limits},
    {"aten::silu", silu_limits},
    {"aten::silu_", silu_limits},
    {"aten::glu", floating_limits},
    {"aten::hardsigmoid", floating_limits},
    {"aten::hardswish", floating_limits},
    {"aten::hardswish_", floating_limits},
    {"aten::mish", floating_limits},
    {"aten::gelu", floating_limits},
    {"aten::softshrink", floating_limits},
    {"aten::hardshrink", floating_limits},
    {"aten::log_sigmoid", floating_limits},
    {"aten::mse_loss", floating_limits},
    {"aten::fmod.Scalar", no_complex_limits},
    {"aten::atan2", complex_limits},
    {"aten::fmod.Tensor", no_complex_limits},
    {"aten::celu", celu_limits},
    {"aten::celu_", celu_limits},
    {"aten::threshold", threshold_limits},
    {"aten::hardtanh", hardtanh_limits},
    {"aten::lerp.Scalar", lerp_limits},
    {"aten::pow.Tensor_Scalar", power_limits},
    {"aten::index_add", index_add_limits},
    {"aten::index_add_", index_add_limits},
    {"aten::where.Scalar", where_limits},
    {"aten::where.ScalarSelf", where_limits},
    {"aten::where.ScalarOther", where_limits},
    {"aten::linspace.*", spaced_numbers},
    {"aten::logspace.*", spaced_numbers},
    {"aten::renorm", renorm_limits},
    {"aten::renorm_", renorm_limits},
    {"aten::histc", histc_limits},
    {"aten::cdist", cdist_limits},
    {"aten::tensor.int", flag_limits},
    {"aten::tensor.bool", flag_limits},
    {"aten::tensor.float", tensor_limits},
    {"aten::as_tensor.float", as_tensor_limits},
};

}  // namespace

extern const LimitList kNumberLimits;
const LimitList kNumberLimits = rows_in_build<kRows, LimitList>();

}  // namespace sconce::ops
