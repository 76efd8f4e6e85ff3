// SPDX-License-Identifier: Apache-2.0
// From C++ arguments to a call of an operator, and back.
#pragma once
#include "sconce/torch/containers.h"

namespace at::detail {

// An argument: it refers to what it is made of, for the full expression.
struct Arg : sconce::libtorch::Arg {
  Arg(const Tensor& t) {
    kind = Kind::Tensor;
    p = static_cast<const sconce::Tensor*>(&t);
  }
  Arg(const std::optional<Tensor>& t) {
    if (t && t->defined()) *this = Arg(*t);
  }
  Arg(TensorList l) {
    kind = Kind::Tensors;
    p = static_cast<const sconce::Tensor*>(l.data());
    n = l.size();
  }
  Arg(const c10::List<std::optional<Tensor>>& l) {
    kind = Kind::List;
    p = l.sconce_box().get();
  }
  Arg(const Scalar& s) {
    if (s.isFloatingPoint()) {
      *this = Arg(s.toDouble());
    } else if (s.isComplex()) {
      kind = Kind::Complex;
      d = s.toComplexDouble().real();
      imag = s.toComplexDouble().imag();
    } else if (s.isBoolean()) {
      *this = Arg(s.toBool());
    } else {
      *this = Arg(s.toLong());
    }
  }
  Arg(const std::optional<Scalar>& s) {
    if (s) *this = Arg(*s);
  }
  Arg(c10::ArrayRef<Scalar> v) {
    kind = Kind::Numbers;
    p = v.data();
    n = v.size();
  }
  Arg(int64_t v) {
    kind = Kind::Int;
    i = v;
  }
  Arg(std::optional<int64_t> v) {
    if (v) *this = Arg(*v);
  }
  Arg(double v) {
    kind = Kind::Double;
    d = v;
  }
  Arg(std::optional<double> v) {
    if (v) *this = Arg(*v);
  }
  Arg(bool v) {
    kind = Kind::Bool;
    i = v;
  }
  Arg(std::optional<bool> v) {
    if (v) *this = Arg(*v);
  }
  Arg(c10::IntArrayRef v) {
    kind = Kind::Ints;
    p = v.data();
    n = v.size();
  }
  Arg(const c10::OptionalIntArrayRef& v) {
    if (v.has_value()) *this = Arg(*v);
  }
  Arg(c10::ArrayRef<double> v) {
    kind = Kind::Doubles;
    p = v.data();
    n = v.size();
  }
  Arg(const std::optional<c10::ArrayRef<double>>& v) {
    if (v) *this = Arg(*v);
  }
  template <size_t N>
  Arg(const std::array<bool, N>& v) {
    kind = Kind::Bools;
    p = v.data();
    n = N;
  }
  Arg(c10::string_view s) {
    kind = Kind::Text;
    p = s.data();
    n = s.size();
  }
  Arg(const std::optional<c10::string_view>& s) {
    if (s) *this = Arg(*s);
  }
  Arg(ScalarType t) : Arg(static_cast<int64_t>(t)) {}
  Arg(std::optional<ScalarType> t) {
    if (t) *this = Arg(*t);
  }
  Arg(std::optional<caffe2::TypeMeta> t) {
    if (t) *this = Arg(t->toScalarType());
  }
  Arg(c10::Layout v) : Arg(static_cast<int64_t>(v)) {}
  Arg(std::optional<c10::Layout> v) {
    if (v) *this = Arg(*v);
  }
  Arg(c10::MemoryFormat v) : Arg(static_cast<int64_t>(v)) {}
  Arg(std::optional<c10::MemoryFormat> v) {
    if (v) *this = Arg(*v);
  }
  Arg(Device v) {
    kind = Kind::Device;
    i = static_cast<int64_t>(v.type()) * 256 + v.index() + 1;
  }
  Arg(std::optional<Device> v) {
    if (v) *this = Arg(*v);
  }
  Arg(const std::optional<Generator>& g) {
    if (g && g->defined()) {
      kind = Kind::Value;
      p = &g->value();
    }
  }
};
static_assert(sizeof(Arg) == sizeof(sconce::libtorch::Arg), "passed as an array of the other");

using Args = std::initializer_list<Arg>;
inline void several(const char* op, Args a, sconce::IValue* out, size_t n) {
  c10::detail::guarded([&] { sconce::libtorch::call(op, a.begin(), a.size(), out, n); });
}
inline Tensor as_tensor(const sconce::IValue& v) { return Tensor(v.toTensor()); }
inline std::vector<Tensor> as_tensors(const sconce::IValue& v) {
  std::vector<Tensor> r;
  for (const sconce::IValue& e : v.toListRef().items) r.emplace_back(Tensor(e.toTensor()));
  return r;
}
inline int64_t as_integer(const sconce::IValue& v) { return v.toInt(); }
inline double as_real(const sconce::IValue& v) { return v.toDouble(); }
inline bool as_boolean(const sconce::IValue& v) { return v.toBool(); }
inline Scalar as_number(const sconce::IValue& v) {
  return static_cast<const IValue&>(v).toScalar();
}
inline ScalarType as_dtype(const sconce::IValue& v) { return static_cast<ScalarType>(v.toInt()); }

inline sconce::IValue one(const char* op, Args a) {
  sconce::IValue r;
  several(op, a, &r, 1);
  return r;
}
inline Tensor tensor(const char* op, Args a) { return as_tensor(one(op, a)); }
inline std::vector<Tensor> tensors(const char* op, Args a) { return as_tensors(one(op, a)); }
inline int64_t integer(const char* op, Args a) { return as_integer(one(op, a)); }
inline double real(const char* op, Args a) { return as_real(one(op, a)); }
inline bool boolean(const char* op, Args a) { return as_boolean(one(op, a)); }
inline Scalar number(const char* op, Args a) { return as_number(one(op, a)); }
inline ScalarType dtype(const char* op, Args a) { return as_dtype(one(op, a)); }
inline void nothing(const char* op, Args a, size_t n = 1) {
  sconce::IValue r[8];
  several(op, a, r, n);
}
inline std::tuple<Tensor, Tensor> tensors2(const char* op, Args a) {
  sconce::IValue r[2];
  several(op, a, r, 2);
  return {as_tensor(r[0]), as_tensor(r[1])};
}
inline std::tuple<Tensor, Tensor, Tensor> tensors3(const char* op, Args a) {
  sconce::IValue r[3];
  several(op, a, r, 3);
  return {as_tensor(r[0]), as_tensor(r[1]), as_tensor(r[2])};
}
inline std::tuple<Tensor, Tensor, Tensor, Tensor> tensors4(const char* op, Args a) {
  sconce::IValue r[4];
  several(op, a, r, 4);
  return {as_tensor(r[0]), as_tensor(r[1]), as_tensor(r[2]), as_tensor(r[3])};
}
inline std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> tensors5(const char* op, Args a) {
  sconce::IValue r[5];
  several(op, a, r, 5);
  return {as_tensor(r[0]), as_tensor(r[1]), as_tensor(r[2]), as_tensor(r[3]), as_tensor(r[4])};
}
// The parts of options that operators don't take.
inline Tensor with_options(Tensor t, const c10::TensorOptions& options) {
  if (options.requires_grad()) t.set_requires_grad(true);
  return t;
}
inline std::optional<c10::MemoryFormat> merged_format(const c10::TensorOptions& options,
                                                      std::optional<c10::MemoryFormat> given) {
  if (options.has_memory_format() && given)
    throw c10::Error(
        "Cannot set memory_format both in TensorOptions and explicit argument; please "
        "delete the redundant setter.");
  return given ? given : options.memory_format_opt();
}

}  // namespace at::detail
