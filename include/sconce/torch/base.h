// SPDX-License-Identifier: Apache-2.0
// Devices, dtypes, layouts, Scalar, errors and macros of c10, at and torch.
#pragma once
#include <cmath>
#include <complex>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <limits>

#include "sconce/libtorch.h"
#include "sconce/scalar_type.h"
#include "sconce/torch/array_ref.h"
#include "sconce/torch/util.h"

namespace c10 {}
namespace at {
using namespace c10;
}
namespace caffe2 {
using namespace c10;
}
namespace torch {
using namespace at;
}

namespace c10 {

// ---- devices ----
enum class DeviceType : int8_t {
  CPU = 0,
  CUDA,
  MKLDNN,
  OPENGL,
  OPENCL,
  IDEEP,
  HIP,
  FPGA,
  MAIA,
  XLA,
  Vulkan,
  Metal,
  XPU,
  MPS,
  Meta,
  HPU,
  VE,
  Lazy,
  IPU,
  MTIA,
  PrivateUse1,
  COMPILE_TIME_MAX_DEVICE_TYPES
};
constexpr DeviceType kCPU = DeviceType::CPU, kCUDA = DeviceType::CUDA, kHIP = DeviceType::HIP,
                     kFPGA = DeviceType::FPGA, kMAIA = DeviceType::MAIA, kXLA = DeviceType::XLA,
                     kMPS = DeviceType::MPS, kMeta = DeviceType::Meta, kVulkan = DeviceType::Vulkan,
                     kMetal = DeviceType::Metal, kXPU = DeviceType::XPU, kHPU = DeviceType::HPU,
                     kVE = DeviceType::VE, kLazy = DeviceType::Lazy, kIPU = DeviceType::IPU,
                     kMTIA = DeviceType::MTIA, kPrivateUse1 = DeviceType::PrivateUse1;
using DeviceIndex = int8_t;

inline std::string DeviceTypeName(DeviceType t, bool lower_case = false) {
  return sconce::libtorch::device_type_name(static_cast<int>(t), lower_case);
}
inline std::ostream& operator<<(std::ostream& os, DeviceType t) {
  return os << DeviceTypeName(t, true);
}

struct Device final {
  using Type = DeviceType;
  Device(DeviceType type, DeviceIndex index = -1) : type_(type), index_(index) {
    if (index < -1)
      sconce::raise<Error>("Device index must be -1 or non-negative, got ", int(index));
    if (is_cpu() && index > 0)
      sconce::raise<Error>("CPU device index must be -1 or zero, got ", int(index));
  }
  // "cuda", "cuda:1". Throws Error for a text that names no device.
  Device(const std::string& text) : Device(DeviceType::CPU) {
    int type = 0, index = 0;
    detail::guarded([&] { sconce::libtorch::parse_device(text, &type, &index); });
    type_ = static_cast<DeviceType>(type);
    index_ = static_cast<DeviceIndex>(index);
  }
  Device(sconce::Device d) : type_(static_cast<DeviceType>(d.type)), index_(d.index) {}
  operator sconce::Device() const { return {static_cast<sconce::DeviceType>(type_), index_}; }

  bool operator==(const Device& o) const { return type_ == o.type_ && index_ == o.index_; }
  bool operator!=(const Device& o) const { return !(*this == o); }
  void set_index(DeviceIndex i) { index_ = i; }
  DeviceType type() const noexcept { return type_; }
  DeviceIndex index() const noexcept { return index_; }
  bool has_index() const noexcept { return index_ != -1; }
  bool is_cuda() const noexcept { return type_ == DeviceType::CUDA; }
  bool is_cpu() const noexcept { return type_ == DeviceType::CPU; }
  bool is_mps() const noexcept { return type_ == DeviceType::MPS; }
  bool is_hip() const noexcept { return type_ == DeviceType::HIP; }
  bool is_xpu() const noexcept { return type_ == DeviceType::XPU; }
  bool is_ipu() const noexcept { return type_ == DeviceType::IPU; }
  bool is_xla() const noexcept { return type_ == DeviceType::XLA; }
  bool is_hpu() const noexcept { return type_ == DeviceType::HPU; }
  bool is_ve() const noexcept { return type_ == DeviceType::VE; }
  bool is_lazy() const noexcept { return type_ == DeviceType::Lazy; }
  bool is_vulkan() const noexcept { return type_ == DeviceType::Vulkan; }
  bool is_metal() const noexcept { return type_ == DeviceType::Metal; }
  bool is_mtia() const noexcept { return type_ == DeviceType::MTIA; }
  bool is_meta() const noexcept { return type_ == DeviceType::Meta; }
  bool is_privateuseone() const noexcept { return type_ == DeviceType::PrivateUse1; }
  bool supports_as_strided() const noexcept { return !is_ipu() && !is_xla() && !is_lazy(); }
  std::string str() const {
    std::string s = DeviceTypeName(type_, true);
    if (has_index()) s += ":" + std::to_string(int(index_));
    return s;
  }

 private:
  DeviceType type_;
  DeviceIndex index_ = -1;
};
inline std::ostream& operator<<(std::ostream& os, const Device& d) { return os << d.str(); }

// ---- layouts and memory formats ----
enum class Layout : int8_t {
  Strided,
  Sparse,
  SparseCsr,
  Mkldnn,
  SparseCsc,
  SparseBsr,
  SparseBsc,
  Jagged,
  NumOptions
};
constexpr Layout kStrided = Layout::Strided, kSparse = Layout::Sparse,
                 kSparseCsr = Layout::SparseCsr, kMkldnn = Layout::Mkldnn,
                 kSparseCsc = Layout::SparseCsc, kSparseBsr = Layout::SparseBsr,
                 kSparseBsc = Layout::SparseBsc, kJagged = Layout::Jagged;
inline std::ostream& operator<<(std::ostream& os, Layout l) {
  static const char* const names[] = {"Strided",   "Sparse",    "SparseCsr", "Mkldnn",
                                      "SparseCsc", "SparseBsr", "SparseBsc", "Jagged"};
  return os << names[static_cast<int>(l)];
}
enum class MemoryFormat : int8_t { Contiguous, Preserve, ChannelsLast, ChannelsLast3d, NumOptions };
inline std::ostream& operator<<(std::ostream& os, MemoryFormat f) {
  static const char* const names[] = {"Contiguous", "Preserve", "ChannelsLast", "ChannelsLast3d"};
  return os << names[static_cast<int>(f)];
}
enum class QScheme : uint8_t {
  PER_TENSOR_AFFINE,
  PER_CHANNEL_AFFINE,
  PER_TENSOR_SYMMETRIC,
  PER_CHANNEL_SYMMETRIC,
  PER_CHANNEL_AFFINE_FLOAT_QPARAMS
};
constexpr QScheme kPerTensorAffine = QScheme::PER_TENSOR_AFFINE,
                  kPerChannelAffine = QScheme::PER_CHANNEL_AFFINE,
                  kPerTensorSymmetric = QScheme::PER_TENSOR_SYMMETRIC,
                  kPerChannelSymmetric = QScheme::PER_CHANNEL_SYMMETRIC,
                  kPerChannelAffineFloatQParams = QScheme::PER_CHANNEL_AFFINE_FLOAT_QPARAMS;

inline std::string toString(QScheme q) {
  static const char* const names[] = {"per_tensor_affine", "per_channel_affine",
                                      "per_tensor_symmetric", "per_channel_symmetric",
                                      "per_channel_affine_float_qparams"};
  return names[static_cast<int>(q)];
}

// ---- element types ----
template <class T>
struct complex : std::complex<T> {
  using std::complex<T>::complex;
  constexpr complex(const std::complex<T>& c) : std::complex<T>(c) {}
};
// Half and BFloat16: 16 bits in `x`; arithmetic is that of float, rounded.
#define SCONCE_TORCH_FLOAT16(Name)                                       \
  struct Name {                                                          \
    uint16_t x;                                                          \
    struct from_bits_t {};                                               \
    static constexpr from_bits_t from_bits() { return {}; }              \
    Name() = default;                                                    \
    constexpr Name(uint16_t bits, from_bits_t) : x(bits) {}              \
    Name(float f) : x(sconce::Name(f).bits) {}                           \
    explicit Name(sconce::Name h) : x(h.bits) {}                         \
    operator float() const {                                             \
      sconce::Name h;                                                    \
      h.bits = x;                                                        \
      return h;                                                          \
    }                                                                    \
  };                                                                     \
  inline Name operator-(Name a) { return Name(-static_cast<float>(a)); } \
  inline std::ostream& operator<<(std::ostream& os, Name a) {            \
    return os << static_cast<float>(a);                                  \
  }                                                                      \
  SCONCE_TORCH_FLOAT16_OPERATOR(Name, +)                                 \
  SCONCE_TORCH_FLOAT16_OPERATOR(Name, -)                                 \
  SCONCE_TORCH_FLOAT16_OPERATOR(Name, *)                                 \
  SCONCE_TORCH_FLOAT16_OPERATOR(Name, /)
#define SCONCE_TORCH_FLOAT16_OPERATOR(Name, op)                                           \
  inline float operator op(Name a, float b) { return static_cast<float>(a) op b; }        \
  inline float operator op(float a, Name b) { return a op static_cast<float>(b); }        \
  inline Name operator op(Name a, Name b) { return Name(static_cast<float>(a) op b); }    \
  inline double operator op(Name a, double b) { return static_cast<double>(a) op b; }     \
  inline double operator op(double a, Name b) { return a op static_cast<double>(b); }     \
  inline Name operator op(Name a, int b) { return a op Name(static_cast<float>(b)); }     \
  inline Name operator op(int a, Name b) { return Name(static_cast<float>(a)) op b; }     \
  inline Name operator op(Name a, int64_t b) { return a op Name(static_cast<float>(b)); } \
  inline Name operator op(int64_t a, Name b) { return Name(static_cast<float>(a)) op b; } \
  inline Name& operator op##=(Name& a, Name b) { return a = a op b; }                     \
  inline float& operator op##=(float& a, Name b) { return a = a op static_cast<float>(b); }
SCONCE_TORCH_FLOAT16(Half)
SCONCE_TORCH_FLOAT16(BFloat16)
#undef SCONCE_TORCH_FLOAT16
#undef SCONCE_TORCH_FLOAT16_OPERATOR
template <int Tag, class T>
struct quantized_integer {
  T val_;
};
using qint8 = quantized_integer<0, int8_t>;
using quint8 = quantized_integer<1, uint8_t>;
using qint32 = quantized_integer<2, int32_t>;

using ScalarType = sconce::ScalarType;
// clang-format off
#define SCONCE_TORCH_DTYPES(X) \
  X(uint8_t, Byte) X(int8_t, Char) X(int16_t, Short) X(int, Int) X(int64_t, Long) \
  X(c10::Half, Half) X(float, Float) X(double, Double) X(c10::complex<float>, ComplexFloat) \
  X(c10::complex<double>, ComplexDouble) X(bool, Bool) X(c10::BFloat16, BFloat16) \
  X(c10::qint8, QInt8) X(c10::quint8, QUInt8) X(c10::qint32, QInt32) X(uint16_t, UInt16) \
  X(uint32_t, UInt32) X(uint64_t, UInt64)
// clang-format on
#define SCONCE_TORCH_CONSTANT(T, Name) constexpr ScalarType k##Name = ScalarType::Name;
SCONCE_TORCH_DTYPES(SCONCE_TORCH_CONSTANT)
#undef SCONCE_TORCH_CONSTANT
constexpr ScalarType kComplexHalf = ScalarType::ComplexHalf, kBits8 = ScalarType::Bits8,
                     kBits16 = ScalarType::Bits16, kFloat8_e5m2 = ScalarType::Float8_e5m2,
                     kFloat8_e4m3fn = ScalarType::Float8_e4m3fn;
// The dtype of a C++ type; no member for a type that tensors don't have.
template <class T>
struct CppTypeToScalarType {};
#define SCONCE_TORCH_OF(T, Name) \
  template <>                    \
  struct CppTypeToScalarType<T> : std::integral_constant<ScalarType, ScalarType::Name> {};
SCONCE_TORCH_DTYPES(SCONCE_TORCH_OF)
#undef SCONCE_TORCH_OF
template <>
struct CppTypeToScalarType<sconce::Half> : std::integral_constant<ScalarType, ScalarType::Half> {};
template <>
struct CppTypeToScalarType<sconce::BFloat16>
    : std::integral_constant<ScalarType, ScalarType::BFloat16> {};
template <>
struct CppTypeToScalarType<std::complex<float>>
    : std::integral_constant<ScalarType, ScalarType::ComplexFloat> {};
template <>
struct CppTypeToScalarType<std::complex<double>>
    : std::integral_constant<ScalarType, ScalarType::ComplexDouble> {};

template <class T>
std::ostream& operator<<(std::ostream& os, CppTypeToScalarType<T>) {
  return os << sconce::scalar_type_name(CppTypeToScalarType<T>::value);
}

inline const char* toString(ScalarType t) { return sconce::scalar_type_name(t); }
inline size_t elementSize(ScalarType t) { return sconce::element_size(t); }
inline bool isIntegralType(ScalarType t, bool with_bool) {
  return sconce::is_integral(t, with_bool);
}
inline bool isFloatingType(ScalarType t) { return sconce::is_floating(t); }
inline bool isComplexType(ScalarType t) { return sconce::is_complex(t); }
inline bool isQIntType(ScalarType t) { return sconce::is_quantized(t); }
inline bool isSignedType(ScalarType t) {
  return !(t == kByte || t == kBool || (t >= kUInt16 && t <= kUInt64));
}
inline ScalarType toQIntType(ScalarType t) {
  return t == kByte ? kQUInt8 : t == kChar ? kQInt8 : t == kInt ? kQInt32 : t;
}
inline ScalarType toUnderlying(ScalarType t) {
  return t == kQUInt8 ? kByte : t == kQInt8 ? kChar : t == kQInt32 ? kInt : t;
}
inline ScalarType promoteTypes(ScalarType a, ScalarType b) { return sconce::promote_types(a, b); }
}  // namespace c10

namespace std {
template <>
struct hash<c10::Device> {
  size_t operator()(c10::Device d) const noexcept {
    return static_cast<size_t>(d.type()) << 16 | static_cast<uint8_t>(d.index());
  }
};
#define SCONCE_TORCH_LIMITS(Name, digits_, min_, max_, lowest_, epsilon_, infinity_, nan_, least_) \
  template <>                                                                                      \
  struct numeric_limits<c10::Name> : numeric_limits<float> {                                       \
    static constexpr int digits = digits_;                                                         \
    static constexpr c10::Name of(uint16_t bits) { return {bits, c10::Name::from_bits()}; }        \
    static constexpr c10::Name min() { return of(min_); }                                          \
    static constexpr c10::Name max() { return of(max_); }                                          \
    static constexpr c10::Name lowest() { return of(lowest_); }                                    \
    static constexpr c10::Name epsilon() { return of(epsilon_); }                                  \
    static constexpr c10::Name infinity() { return of(infinity_); }                                \
    static constexpr c10::Name quiet_NaN() { return of(nan_); }                                    \
    static constexpr c10::Name denorm_min() { return of(least_); }                                 \
  };
SCONCE_TORCH_LIMITS(Half, 11, 0x0400, 0x7bff, 0xfbff, 0x1400, 0x7c00, 0x7e00, 0x0001)
SCONCE_TORCH_LIMITS(BFloat16, 8, 0x0080, 0x7f7f, 0xff7f, 0x3c00, 0x7f80, 0x7fc0, 0x0001)
#undef SCONCE_TORCH_LIMITS
}  // namespace std

namespace sconce {
inline std::ostream& operator<<(std::ostream& os, ScalarType t) {
  return os << scalar_type_name(t);
}
}  // namespace sconce

namespace caffe2 {
// A dtype as Tensor::dtype() gives it; it prints as its C++ type.
class TypeMeta final {
 public:
  TypeMeta() = default;
  explicit TypeMeta(c10::ScalarType t) : type_(t) {}
  static TypeMeta fromScalarType(c10::ScalarType t) { return TypeMeta(t); }
  template <class T>
  static TypeMeta Make() {
    return TypeMeta(c10::CppTypeToScalarType<T>::value);
  }
  template <class T>
  static size_t ItemSize() {
    return sizeof(T);
  }
  c10::ScalarType toScalarType() const {
    if (type_ == c10::ScalarType::Undefined)
      sconce::raise<c10::Error>("Unsupported TypeMeta in ATen: nullptr (uninitialized)");
    return type_;
  }
  bool isScalarType() const { return type_ != c10::ScalarType::Undefined; }
  bool isScalarType(c10::ScalarType t) const { return type_ == t; }
  size_t itemsize() const { return sconce::element_size(type_); }
  c10::string_view name() const { return sconce::libtorch::cpp_type_name(type_); }
  template <class T>
  bool Match() const {
    return type_ == c10::CppTypeToScalarType<T>::value;
  }
  TypeMeta& operator=(c10::ScalarType t) {
    type_ = t;
    return *this;
  }
  friend bool operator==(TypeMeta a, TypeMeta b) { return a.type_ == b.type_; }
  friend bool operator!=(TypeMeta a, TypeMeta b) { return a.type_ != b.type_; }
  friend bool operator==(TypeMeta a, c10::ScalarType b) { return a.type_ == b; }
  friend bool operator!=(TypeMeta a, c10::ScalarType b) { return a.type_ != b; }
  friend bool operator==(c10::ScalarType a, TypeMeta b) { return a == b.type_; }
  friend bool operator!=(c10::ScalarType a, TypeMeta b) { return a != b.type_; }
  friend std::ostream& operator<<(std::ostream& os, TypeMeta t) { return os << t.name(); }

 private:
  c10::ScalarType type_ = c10::ScalarType::Undefined;
};
}  // namespace caffe2

namespace c10 {
inline ScalarType typeMetaToScalarType(caffe2::TypeMeta t) { return t.toScalarType(); }
inline caffe2::TypeMeta scalarTypeToTypeMeta(ScalarType t) { return caffe2::TypeMeta(t); }
inline ScalarType get_default_dtype_as_scalartype() { return sconce::libtorch::default_dtype(); }
inline caffe2::TypeMeta get_default_dtype() {
  return caffe2::TypeMeta(get_default_dtype_as_scalartype());
}

namespace detail {
inline std::ostream& write_all(std::ostream& os) { return os; }
template <class T, class... A>
std::ostream& write_all(std::ostream& os, const T& a, const A&... rest) {
  os << a;
  return write_all(os, rest...);
}
}  // namespace detail
// The arguments written one after another.
template <class... A>
std::string str(const A&... a) {
  std::ostringstream os;
  detail::write_all(os, a...);
  return os.str();
}
namespace detail {
template <class E = Error, class... A>
[[noreturn]] void check_failed_with(const char* condition, const A&... a) {
  if constexpr (sizeof...(A) == 0)
    throw E("Expected " + std::string(condition) +
            " to be true, but got false.  (Could this error message be improved?  If so, please "
            "report an enhancement request to PyTorch.)");
  else
    throw E(c10::str(a...));
}
}  // namespace detail

// ---- numbers ----
// One number: a double, an integer, a bool or a complex number.
class Scalar {
 public:
  Scalar() : Scalar(int64_t(0)) {}
#define SCONCE_TORCH_SCALAR(T) \
  Scalar(T v) : kind_(Kind::Int) { v_.i = static_cast<int64_t>(v); }
  SCONCE_TORCH_SCALAR(signed char)
  SCONCE_TORCH_SCALAR(unsigned char)
  SCONCE_TORCH_SCALAR(short)
  SCONCE_TORCH_SCALAR(unsigned short)
  SCONCE_TORCH_SCALAR(int)
  SCONCE_TORCH_SCALAR(unsigned int)
  SCONCE_TORCH_SCALAR(long)
  SCONCE_TORCH_SCALAR(long long)
#undef SCONCE_TORCH_SCALAR
  Scalar(unsigned long v) : Scalar(static_cast<unsigned long long>(v)) {}
  Scalar(unsigned long long v) : kind_(Kind::Int) {
    if (v > static_cast<unsigned long long>(std::numeric_limits<int64_t>::max()))
      sconce::raise<Error>("numbers above 2**63 are not supported");
    v_.i = static_cast<int64_t>(v);
  }
  Scalar(double v) : kind_(Kind::Double) { v_.d = v; }
  Scalar(float v) : Scalar(static_cast<double>(v)) {}
  Scalar(Half v) : Scalar(static_cast<double>(static_cast<float>(v))) {}
  Scalar(BFloat16 v) : Scalar(static_cast<double>(static_cast<float>(v))) {}
  template <class T, std::enable_if_t<std::is_same<T, bool>::value, bool>* = nullptr>
  Scalar(T v) : kind_(Kind::Bool) {
    v_.i = v;
  }
  template <class T>
  Scalar(complex<T> v) : kind_(Kind::Complex), imag_(static_cast<double>(v.imag())) {
    v_.d = static_cast<double>(v.real());
  }
  template <class T>
  Scalar(std::complex<T> v) : Scalar(complex<T>(v)) {}
  // A tensor's only element: LibTorch's deprecated form is not here.

  bool isFloatingPoint() const { return kind_ == Kind::Double; }
  bool isIntegral(bool with_bool) const {
    return kind_ == Kind::Int || (with_bool && kind_ == Kind::Bool);
  }
  bool isComplex() const { return kind_ == Kind::Complex; }
  bool isBoolean() const { return kind_ == Kind::Bool; }
  bool isSymbolic() const { return false; }
  ScalarType type() const {
    switch (kind_) {
      case Kind::Double: return ScalarType::Double;
      case Kind::Int: return ScalarType::Long;
      case Kind::Bool: return ScalarType::Bool;
      default: return ScalarType::ComplexDouble;
    }
  }
  // Throws Error when the number isn't representable as a T.
  template <class T>
  T to() const {
    if constexpr (std::is_same<T, Scalar>::value) {
      return *this;
    } else if constexpr (is_complex<T>::value) {
      using P = typename T::value_type;
      return kind_ == Kind::Int || kind_ == Kind::Bool
                 ? T(std::complex<P>(static_cast<P>(v_.i), P(0)))
                 : T(std::complex<P>(static_cast<P>(v_.d), static_cast<P>(imag_)));
    } else if constexpr (std::is_same<T, bool>::value) {
      return kind_ == Kind::Int || kind_ == Kind::Bool ? v_.i != 0 : v_.d != 0 || imag_ != 0;
    } else if constexpr (std::is_same<T, Half>::value || std::is_same<T, BFloat16>::value) {
      return T(static_cast<float>(to<double>()));
    } else if constexpr (std::is_floating_point<T>::value) {
      return static_cast<T>(real_part());
    } else {
      if (kind_ == Kind::Int || kind_ == Kind::Bool) {
        bool fits = sizeof(T) == 8
                        ? (std::is_signed<T>::value || v_.i >= 0)
                        : (v_.i >= static_cast<int64_t>(std::numeric_limits<T>::lowest()) &&
                           v_.i <= static_cast<int64_t>(std::numeric_limits<T>::max()));
        // Negative numbers wrap into unsigned types, as they do in LibTorch.
        if (!fits && std::is_unsigned<T>::value && v_.i < 0)
          fits = sizeof(T) == 8 || -v_.i <= static_cast<int64_t>(std::numeric_limits<T>::max());
        if (!fits) overflow();
        return static_cast<T>(v_.i);
      }
      const double d = real_part();
      // The next number beyond each end is a double.
      if (!(d >= static_cast<double>(std::numeric_limits<T>::lowest()) &&
            d < 2.0 * static_cast<double>(std::numeric_limits<T>::max() / 2 + 1)))
        overflow();
      return static_cast<T>(d);
    }
  }
  double toDouble() const { return to<double>(); }
  float toFloat() const { return to<float>(); }
  Half toHalf() const { return to<Half>(); }
  BFloat16 toBFloat16() const { return to<BFloat16>(); }
  int64_t toLong() const { return to<int64_t>(); }
  int toInt() const { return to<int>(); }
  int16_t toShort() const { return to<int16_t>(); }
  int8_t toChar() const { return to<int8_t>(); }
  uint8_t toByte() const { return to<uint8_t>(); }
  uint16_t toUInt16() const { return to<uint16_t>(); }
  uint32_t toUInt32() const { return to<uint32_t>(); }
  uint64_t toUInt64() const { return to<uint64_t>(); }
  bool toBool() const { return to<bool>(); }
  complex<double> toComplexDouble() const { return to<complex<double>>(); }
  complex<float> toComplexFloat() const { return to<complex<float>>(); }
  Scalar operator-() const {
    Scalar r = *this;
    switch (kind_) {
      case Kind::Bool:
        sconce::raise<Error>("torch boolean negative, the `-` operator, is not supported.");
      case Kind::Int: r.v_.i = -v_.i; break;
      default: r.v_.d = -v_.d, r.imag_ = -imag_;
    }
    return r;
  }
  Scalar conj() const {
    Scalar r = *this;
    r.imag_ = -imag_;
    return r;
  }
  template <class T>
  bool equal(T n) const {
    switch (kind_) {
      case Kind::Complex: return imag_ == 0 && v_.d == static_cast<double>(n);
      case Kind::Double: return v_.d == static_cast<double>(n);
      default: return static_cast<double>(v_.i) == static_cast<double>(n);
    }
  }
  bool equal(bool n) const { return kind_ == Kind::Bool && (v_.i != 0) == n; }

 private:
  template <class T>
  struct is_complex : std::false_type {};
  template <class T>
  struct is_complex<complex<T>> : std::true_type {};
  template <class T>
  struct is_complex<std::complex<T>> : std::true_type {};
  double real_part() const {
    if (kind_ == Kind::Int || kind_ == Kind::Bool) return static_cast<double>(v_.i);
    if (imag_ != 0) overflow();
    return v_.d;
  }
  [[noreturn]] static void overflow() {
    throw std::runtime_error("value cannot be converted to type without overflow");
  }
  enum class Kind : uint8_t { Int, Double, Bool, Complex } kind_;
  union {
    int64_t i;
    double d;
  } v_;
  double imag_ = 0;
};
inline std::ostream& operator<<(std::ostream& os, const Scalar& s) {
  if (s.isFloatingPoint()) return os << s.toDouble();
  if (s.isComplex()) return os << static_cast<std::complex<double>>(s.toComplexDouble());
  if (s.isBoolean()) return os << (s.toBool() ? "true" : "false");
  return os << s.toLong();
}
inline std::string toString(const Scalar& s) { return str(s); }

}  // namespace c10

namespace at {
using c10::Device;
using c10::DeviceType;
using c10::Scalar;
using c10::ScalarType;
using caffe2::TypeMeta;
namespace Reduction {
enum Reduction { None, Mean, Sum, END };
}
}  // namespace at

namespace torch {
using Dtype = at::ScalarType;
constexpr auto kU8 = at::kByte, kI8 = at::kChar, kI16 = at::kShort, kI32 = at::kInt,
               kI64 = at::kLong, kF16 = at::kHalf, kF32 = at::kFloat, kF64 = at::kDouble,
               kUInt8 = at::kByte, kInt8 = at::kChar, kInt16 = at::kShort, kInt32 = at::kInt,
               kInt64 = at::kLong, kFloat16 = at::kHalf, kFloat32 = at::kFloat,
               kFloat64 = at::kDouble;
using std::nullopt;
using std::optional;
}  // namespace torch

#define TORCH_CHECK(condition, ...)                                                \
  do {                                                                             \
    if (!(condition)) ::c10::detail::check_failed_with(#condition, ##__VA_ARGS__); \
  } while (false)
#define TORCH_CHECK_WITH(Name, condition, ...)                                                  \
  do {                                                                                          \
    if (!(condition)) ::c10::detail::check_failed_with<::c10::Name>(#condition, ##__VA_ARGS__); \
  } while (false)
#define TORCH_CHECK_INDEX(condition, ...) TORCH_CHECK_WITH(IndexError, condition, ##__VA_ARGS__)
#define TORCH_CHECK_VALUE(condition, ...) TORCH_CHECK_WITH(ValueError, condition, ##__VA_ARGS__)
#define TORCH_CHECK_TYPE(condition, ...) TORCH_CHECK_WITH(TypeError, condition, ##__VA_ARGS__)
#define TORCH_CHECK_NOT_IMPLEMENTED(condition, ...) \
  TORCH_CHECK_WITH(NotImplementedError, condition, ##__VA_ARGS__)
#define TORCH_INTERNAL_ASSERT(condition, ...) TORCH_CHECK(condition, ##__VA_ARGS__)
#define TORCH_INTERNAL_ASSERT_DEBUG_ONLY(condition, ...) \
  do {                                                   \
  } while (false)
#define AT_ASSERT(condition, ...) TORCH_CHECK(condition, ##__VA_ARGS__)
#define AT_ASSERTM(condition, ...) TORCH_CHECK(condition, ##__VA_ARGS__)
#define AT_ERROR(...) ::c10::detail::check_failed_with("", ##__VA_ARGS__)
#define C10_THROW_ERROR(Name, text) throw ::c10::Name({__func__, __FILE__, __LINE__}, text)
