// SPDX-License-Identifier: Apache-2.0
// AT_DISPATCH_*: a lambda that is called with scalar_t, the C++ type of a dtype. NAME is told in
// the error for a dtype that is not among those of the macro.
#pragma once
#include "sconce/torch/base.h"

namespace c10::impl {
template <ScalarType>
struct ScalarTypeToCPPType;
#define SCONCE_TORCH_CPP_TYPE(T, Name)           \
  template <>                                    \
  struct ScalarTypeToCPPType<ScalarType::Name> { \
    using type = T;                              \
  };
SCONCE_TORCH_DTYPES(SCONCE_TORCH_CPP_TYPE)
#undef SCONCE_TORCH_CPP_TYPE
template <ScalarType N>
using ScalarTypeToCPPTypeT = typename ScalarTypeToCPPType<N>::type;
}  // namespace c10::impl

namespace at::detail {
inline c10::ScalarType scalar_type(c10::ScalarType t) { return t; }
inline c10::ScalarType scalar_type(caffe2::TypeMeta t) { return t.toScalarType(); }
}  // namespace at::detail

#define AT_DISPATCH_CASE(enum_type, ...)                                          \
  case enum_type: {                                                               \
    using scalar_t [[maybe_unused]] = c10::impl::ScalarTypeToCPPTypeT<enum_type>; \
    return __VA_ARGS__();                                                         \
  }
#define AT_DISPATCH_SWITCH(TYPE, NAME, ...)                                              \
  [&] {                                                                                  \
    const c10::ScalarType sconce_dispatched = ::at::detail::scalar_type(TYPE);           \
    switch (sconce_dispatched) {                                                         \
      __VA_ARGS__                                                                        \
      default:                                                                           \
        throw c10::NotImplementedError(c10::str('"', NAME, "\" not implemented for '",   \
                                                c10::toString(sconce_dispatched), "'")); \
    }                                                                                    \
  }()

// clang-format off
#define AT_DISPATCH_CASE_FLOATING_TYPES(...) \
  AT_DISPATCH_CASE(at::ScalarType::Double, __VA_ARGS__) AT_DISPATCH_CASE(at::ScalarType::Float, __VA_ARGS__)
#define AT_DISPATCH_CASE_COMPLEX_TYPES(...) \
  AT_DISPATCH_CASE(at::ScalarType::ComplexDouble, __VA_ARGS__) AT_DISPATCH_CASE(at::ScalarType::ComplexFloat, __VA_ARGS__)
#define AT_DISPATCH_CASE_INTEGRAL_TYPES(...) \
  AT_DISPATCH_CASE(at::ScalarType::Byte, __VA_ARGS__) AT_DISPATCH_CASE(at::ScalarType::Char, __VA_ARGS__) \
  AT_DISPATCH_CASE(at::ScalarType::Int, __VA_ARGS__) AT_DISPATCH_CASE(at::ScalarType::Long, __VA_ARGS__) \
  AT_DISPATCH_CASE(at::ScalarType::Short, __VA_ARGS__)
#define AT_DISPATCH_CASE_ALL_TYPES(...) \
  AT_DISPATCH_CASE_INTEGRAL_TYPES(__VA_ARGS__) AT_DISPATCH_CASE_FLOATING_TYPES(__VA_ARGS__)
#define AT_DISPATCH_CASE_ALL_TYPES_AND_COMPLEX(...) \
  AT_DISPATCH_CASE_ALL_TYPES(__VA_ARGS__) AT_DISPATCH_CASE_COMPLEX_TYPES(__VA_ARGS__)
#define AT_DISPATCH_CASE_FLOATING_AND_COMPLEX_TYPES(...) \
  AT_DISPATCH_CASE_FLOATING_TYPES(__VA_ARGS__) AT_DISPATCH_CASE_COMPLEX_TYPES(__VA_ARGS__)

#define SCONCE_TORCH_CASES1(A, KIND, ...) KIND(__VA_ARGS__) AT_DISPATCH_CASE(A, __VA_ARGS__)
#define SCONCE_TORCH_CASES2(A, B, KIND, ...) SCONCE_TORCH_CASES1(A, KIND, __VA_ARGS__) AT_DISPATCH_CASE(B, __VA_ARGS__)
#define SCONCE_TORCH_CASES3(A, B, C, KIND, ...) SCONCE_TORCH_CASES2(A, B, KIND, __VA_ARGS__) AT_DISPATCH_CASE(C, __VA_ARGS__)

#define AT_DISPATCH_FLOATING_TYPES(TYPE, NAME, ...) \
  AT_DISPATCH_SWITCH(TYPE, NAME, AT_DISPATCH_CASE_FLOATING_TYPES(__VA_ARGS__))
#define AT_DISPATCH_FLOATING_TYPES_AND_HALF(TYPE, NAME, ...) \
  AT_DISPATCH_SWITCH(TYPE, NAME, SCONCE_TORCH_CASES1(at::ScalarType::Half, AT_DISPATCH_CASE_FLOATING_TYPES, __VA_ARGS__))
#define AT_DISPATCH_FLOATING_TYPES_AND(A, TYPE, NAME, ...) \
  AT_DISPATCH_SWITCH(TYPE, NAME, SCONCE_TORCH_CASES1(A, AT_DISPATCH_CASE_FLOATING_TYPES, __VA_ARGS__))
#define AT_DISPATCH_FLOATING_TYPES_AND2(A, B, TYPE, NAME, ...) \
  AT_DISPATCH_SWITCH(TYPE, NAME, SCONCE_TORCH_CASES2(A, B, AT_DISPATCH_CASE_FLOATING_TYPES, __VA_ARGS__))
#define AT_DISPATCH_FLOATING_AND_COMPLEX_TYPES(TYPE, NAME, ...) \
  AT_DISPATCH_SWITCH(TYPE, NAME, AT_DISPATCH_CASE_FLOATING_AND_COMPLEX_TYPES(__VA_ARGS__))
#define AT_DISPATCH_INTEGRAL_TYPES(TYPE, NAME, ...) \
  AT_DISPATCH_SWITCH(TYPE, NAME, AT_DISPATCH_CASE_INTEGRAL_TYPES(__VA_ARGS__))
#define AT_DISPATCH_ALL_TYPES(TYPE, NAME, ...) \
  AT_DISPATCH_SWITCH(TYPE, NAME, AT_DISPATCH_CASE_ALL_TYPES(__VA_ARGS__))
#define AT_DISPATCH_ALL_TYPES_AND(A, TYPE, NAME, ...) \
  AT_DISPATCH_SWITCH(TYPE, NAME, SCONCE_TORCH_CASES1(A, AT_DISPATCH_CASE_ALL_TYPES, __VA_ARGS__))
#define AT_DISPATCH_ALL_TYPES_AND2(A, B, TYPE, NAME, ...) \
  AT_DISPATCH_SWITCH(TYPE, NAME, SCONCE_TORCH_CASES2(A, B, AT_DISPATCH_CASE_ALL_TYPES, __VA_ARGS__))
#define AT_DISPATCH_ALL_TYPES_AND3(A, B, C, TYPE, NAME, ...) \
  AT_DISPATCH_SWITCH(TYPE, NAME, SCONCE_TORCH_CASES3(A, B, C, AT_DISPATCH_CASE_ALL_TYPES, __VA_ARGS__))
#define AT_DISPATCH_ALL_TYPES_AND_COMPLEX(TYPE, NAME, ...) \
  AT_DISPATCH_SWITCH(TYPE, NAME, AT_DISPATCH_CASE_ALL_TYPES_AND_COMPLEX(__VA_ARGS__))
// clang-format on
