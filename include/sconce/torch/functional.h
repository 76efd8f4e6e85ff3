// SPDX-License-Identifier: Apache-2.0
// torch::nn::functional as inference uses it, with its FuncOptions, and
// data::transforms::Normalize.
#pragma once
#include "sconce/torch/indexing.h"
#include "sconce/torch/linalg.h"

namespace torch {

// Names of modes; each is of a type of its own.
namespace enumtype {
// clang-format off
#define SCONCE_TORCH_MODES(X) \
  X(Linear, "linear") X(Constant, "constant") X(Reflect, "reflect") \
  X(Replicate, "replicate") X(Circular, "circular") X(Nearest, "nearest") \
  X(Bilinear, "bilinear") X(Bicubic, "bicubic") X(Trilinear, "trilinear") X(Area, "area") \
  X(NearestExact, "nearest-exact") X(Sum, "sum") X(Mean, "mean") X(Max, "max") \
  X(None, "none") X(BatchMean, "batchmean") X(Zeros, "zeros") X(Border, "border") \
  X(Reflection, "reflection") X(Valid, "valid") X(Same, "same") \
  X(ReLU, "relu") X(LeakyReLU, "leaky_relu") X(GELU, "gelu") X(SiLU, "silu") X(Mish, "mish") \
  X(Tanh, "tanh") X(Sigmoid, "sigmoid") X(FanIn, "fan_in") X(FanOut, "fan_out")
// clang-format on
#define X(name, text)                          \
  struct k##name {                             \
    static constexpr const char* value = text; \
  };
SCONCE_TORCH_MODES(X)
#undef X
}  // namespace enumtype
#define X(name, text) constexpr enumtype::k##name k##name{};
SCONCE_TORCH_MODES(X)
#undef X

// N numbers, or one for all of them.
template <size_t N, class T = int64_t>
class ExpandingArray {
 public:
  ExpandingArray(std::initializer_list<T> v) : ExpandingArray(at::ArrayRef<T>(v)) {}
  ExpandingArray(const std::vector<T>& v) : ExpandingArray(at::ArrayRef<T>(v)) {}
  ExpandingArray(at::ArrayRef<T> v) {
    if (v.size() != N)
      throw c10::Error(c10::str("Expected ", N, " values, but instead got ", v.size()));
    std::copy(v.begin(), v.end(), values_.begin());
  }
  ExpandingArray(T one) { values_.fill(one); }
  operator at::ArrayRef<T>() const { return values_; }
  at::ArrayRef<T> ref() const { return values_; }

 private:
  std::array<T, N> values_;
};

namespace nn {
namespace functional {

// One of some enumtypes.
class Mode {
 public:
  template <class E, class = decltype(E::value)>
  Mode(E) : text_(E::value) {}
  operator c10::string_view() const { return text_; }
  bool operator==(const char* o) const { return c10::string_view(text_) == o; }

 private:
  const char* text_;
};

#define SCONCE_TORCH_OPTION(Class, T, name, initial) \
 public:                                             \
  Class& name(const T& v) {                          \
    name##_ = v;                                     \
    return *this;                                    \
  }                                                  \
  const T& name() const { return name##_; }          \
  T& name() { return name##_; }                      \
                                                     \
 private:                                            \
  T name##_ initial;

// What a convolution puts around its input: numbers, kValid or kSame.
template <size_t N>
class ConvPadding {
 public:
  ConvPadding(enumtype::kValid) : mode_("valid") {}
  ConvPadding(enumtype::kSame) : mode_("same") {}
  template <class V, class = std::enable_if_t<std::is_constructible<ExpandingArray<N>, V>::value>>
  ConvPadding(const V& v) : numbers_(v) {}
  ConvPadding(std::initializer_list<int64_t> v) : numbers_(v) {}
  const char* mode() const { return mode_; }
  at::IntArrayRef numbers() const { return numbers_.ref(); }

 private:
  const char* mode_ = nullptr;
  ExpandingArray<N> numbers_ = 0;
};

class SoftmaxFuncOptions {
 public:
  SoftmaxFuncOptions(int64_t dim) : dim_(dim) {}
  SCONCE_TORCH_OPTION(SoftmaxFuncOptions, int64_t, dim, )
  SCONCE_TORCH_OPTION(SoftmaxFuncOptions, std::optional<at::ScalarType>, dtype, )
};
using SoftminFuncOptions = SoftmaxFuncOptions;
using LogSoftmaxFuncOptions = SoftmaxFuncOptions;
inline Tensor softmax(const Tensor& t, const SoftmaxFuncOptions& o) {
  return at::softmax(t, o.dim(), o.dtype());
}
inline Tensor softmin(const Tensor& t, const SoftmaxFuncOptions& o) {
  return at::softmax(-t, o.dim(), o.dtype());
}
inline Tensor log_softmax(const Tensor& t, const SoftmaxFuncOptions& o) {
  return at::log_softmax(t, o.dim(), o.dtype());
}

class NormalizeFuncOptions {
  SCONCE_TORCH_OPTION(NormalizeFuncOptions, double, p, = 2)
  SCONCE_TORCH_OPTION(NormalizeFuncOptions, double, eps, = 1e-12)
  SCONCE_TORCH_OPTION(NormalizeFuncOptions, int64_t, dim, = 1)
};
inline Tensor normalize(const Tensor& t, NormalizeFuncOptions o = {}) {
  return t / t.norm(at::Scalar(o.p()), {o.dim()}, true).clamp_min(o.eps()).expand_as(t);
}

class PadFuncOptions {
 public:
  PadFuncOptions(std::vector<int64_t> pad) : pad_(std::move(pad)) {}
  SCONCE_TORCH_OPTION(PadFuncOptions, std::vector<int64_t>, pad, )
  SCONCE_TORCH_OPTION(PadFuncOptions, Mode, mode, = kConstant)
  SCONCE_TORCH_OPTION(PadFuncOptions, double, value, = 0)
};
inline Tensor pad(const Tensor& t, const PadFuncOptions& o) {
  return at::pad(t, o.pad(), o.mode(),
                 o.mode() == "constant" ? std::optional<double>(o.value()) : std::nullopt);
}

class InterpolateFuncOptions {
  using Sizes = std::optional<std::vector<int64_t>>;
  using Scales = std::optional<std::vector<double>>;
  SCONCE_TORCH_OPTION(InterpolateFuncOptions, Sizes, size, )
  SCONCE_TORCH_OPTION(InterpolateFuncOptions, Scales, scale_factor, )
  SCONCE_TORCH_OPTION(InterpolateFuncOptions, Mode, mode, = kNearest)
  SCONCE_TORCH_OPTION(InterpolateFuncOptions, std::optional<bool>, align_corners, )
  SCONCE_TORCH_OPTION(InterpolateFuncOptions, std::optional<bool>, recompute_scale_factor, )
  SCONCE_TORCH_OPTION(InterpolateFuncOptions, bool, antialias, = false)
};
inline Tensor interpolate(const Tensor& t, const InterpolateFuncOptions& o = {}) {
  const int64_t n = t.dim() - 2;
  const std::string mode{c10::string_view(o.mode())};
  if (n < 1 || n > 3)
    throw c10::Error(c10::str("Input Error: Only 3D, 4D and 5D input Tensors supported (got ",
                              t.dim(),
                              "D) for the modes: nearest | linear | bilinear | bicubic | trilinear "
                              "(got k",
                              mode, ")"));
  const bool smooth =
      mode == "linear" || mode == "bilinear" || mode == "bicubic" || mode == "trilinear";
  if (!smooth && mode != "nearest-exact" && o.align_corners())
    throw c10::Error(
        "align_corners option can only be set with the interpolating modes: linear | bilinear | "
        "bicubic | trilinear");
  if (!o.size() && !o.scale_factor())
    throw c10::Error("either size or scale_factor should be defined");
  if (o.size() && o.scale_factor())
    throw c10::Error("only one of size or scale_factor should be defined");
  if (o.antialias() && !(n == 2 && (mode == "bilinear" || mode == "bicubic")))
    throw c10::Error("Anti-alias option is only supported for bilinear and bicubic modes");
  std::vector<int64_t> size;
  std::vector<std::optional<double>> scales(static_cast<size_t>(n));
  if (o.size()) {
    size = *o.size();
  } else {
    const std::vector<double>& f = *o.scale_factor();
    if (static_cast<int64_t>(f.size()) != n)
      throw c10::Error(c10::str("scale_factor shape must match input shape. Input is ", n,
                                "D, scale_factor size is ", at::ArrayRef<double>(f)));
    for (int64_t d = 0; d < n; ++d) {
      const double s = f[static_cast<size_t>(d)];
      size.push_back(static_cast<int64_t>(std::floor(static_cast<double>(t.size(d + 2)) * s)));
      if (!o.recompute_scale_factor().value_or(false)) scales[static_cast<size_t>(d)] = s;
    }
  }
  const bool corners = o.align_corners().value_or(false);
  if (n == 1 && mode == "nearest") return at::upsample_nearest1d(t, size, scales[0]);
  if (n == 2 && mode == "nearest") return at::upsample_nearest2d(t, size, scales[0], scales[1]);
  if (n == 3 && mode == "nearest")
    return at::upsample_nearest3d(t, size, scales[0], scales[1], scales[2]);
  if (n == 1 && mode == "nearest-exact") return at::_upsample_nearest_exact1d(t, size, scales[0]);
  if (n == 2 && mode == "nearest-exact")
    return at::_upsample_nearest_exact2d(t, size, scales[0], scales[1]);
  if (n == 3 && mode == "nearest-exact")
    return at::_upsample_nearest_exact3d(t, size, scales[0], scales[1], scales[2]);
  if (n == 1 && mode == "area") return at::adaptive_avg_pool1d(t, size);
  if (n == 2 && mode == "area") return at::adaptive_avg_pool2d(t, size);
  if (n == 3 && mode == "area") return at::adaptive_avg_pool3d(t, size);
  if (n == 1 && mode == "linear") return at::upsample_linear1d(t, size, corners, scales[0]);
  if (n == 2 && mode == "bilinear" && o.antialias())
    return at::_upsample_bilinear2d_aa(t, size, corners, scales[0], scales[1]);
  if (n == 2 && mode == "bilinear")
    return at::upsample_bilinear2d(t, size, corners, scales[0], scales[1]);
  if (n == 2 && mode == "bicubic" && o.antialias())
    return at::_upsample_bicubic2d_aa(t, size, corners, scales[0], scales[1]);
  if (n == 2 && mode == "bicubic")
    return at::upsample_bicubic2d(t, size, corners, scales[0], scales[1]);
  if (n == 3 && mode == "trilinear")
    return at::upsample_trilinear3d(t, size, corners, scales[0], scales[1], scales[2]);
  throw c10::Error(c10::str("Got ", t.dim(), "D input, but ", mode, " mode needs another"));
}

class GridSampleFuncOptions {
  SCONCE_TORCH_OPTION(GridSampleFuncOptions, Mode, mode, = kBilinear)
  SCONCE_TORCH_OPTION(GridSampleFuncOptions, Mode, padding_mode, = kZeros)
  SCONCE_TORCH_OPTION(GridSampleFuncOptions, std::optional<bool>, align_corners, )
};
inline Tensor grid_sample(const Tensor& t, const Tensor& grid,
                          const GridSampleFuncOptions& o = {}) {
  const int64_t mode = o.mode() == "bilinear" ? 0 : o.mode() == "nearest" ? 1 : 2;
  const int64_t padding = o.padding_mode() == "zeros" ? 0 : o.padding_mode() == "border" ? 1 : 2;
  return at::grid_sampler(t, grid, mode, padding, o.align_corners().value_or(false));
}
inline Tensor affine_grid(const Tensor& theta, at::IntArrayRef size, bool align_corners = false) {
  return at::affine_grid_generator(theta, size, align_corners);
}

#define SCONCE_TORCH_CONV(N)                                                                  \
  class Conv##N##dFuncOptions {                                                               \
    SCONCE_TORCH_OPTION(Conv##N##dFuncOptions, Tensor, bias, )                                \
    SCONCE_TORCH_OPTION(Conv##N##dFuncOptions, ExpandingArray<N>, stride, = 1)                \
    SCONCE_TORCH_OPTION(Conv##N##dFuncOptions, ConvPadding<N>, padding, = 0)                  \
    SCONCE_TORCH_OPTION(Conv##N##dFuncOptions, ExpandingArray<N>, dilation, = 1)              \
    SCONCE_TORCH_OPTION(Conv##N##dFuncOptions, int64_t, groups, = 1)                          \
  };                                                                                          \
  inline Tensor conv##N##d(const Tensor& t, const Tensor& w,                                  \
                           const Conv##N##dFuncOptions& o = {}) {                             \
    if (const char* mode = o.padding().mode())                                                \
      return at::conv##N##d(t, w, o.bias(), o.stride(), c10::string_view(mode), o.dilation(), \
                            o.groups());                                                      \
    return at::conv##N##d(t, w, o.bias(), o.stride(), o.padding().numbers(), o.dilation(),    \
                          o.groups());                                                        \
  }                                                                                           \
  class MaxPool##N##dFuncOptions {                                                            \
   public:                                                                                    \
    MaxPool##N##dFuncOptions(ExpandingArray<N> k) : kernel_size_(k), stride_(k) {}            \
    SCONCE_TORCH_OPTION(MaxPool##N##dFuncOptions, ExpandingArray<N>, kernel_size, )           \
    SCONCE_TORCH_OPTION(MaxPool##N##dFuncOptions, ExpandingArray<N>, stride, )                \
    SCONCE_TORCH_OPTION(MaxPool##N##dFuncOptions, ExpandingArray<N>, padding, = 0)            \
    SCONCE_TORCH_OPTION(MaxPool##N##dFuncOptions, ExpandingArray<N>, dilation, = 1)           \
    SCONCE_TORCH_OPTION(MaxPool##N##dFuncOptions, bool, ceil_mode, = false)                   \
  };                                                                                          \
  inline Tensor max_pool##N##d(const Tensor& t, const MaxPool##N##dFuncOptions& o) {          \
    return at::max_pool##N##d(t, o.kernel_size(), o.stride(), o.padding(), o.dilation(),      \
                              o.ceil_mode());                                                 \
  }                                                                                           \
  class AvgPool##N##dFuncOptions {                                                            \
   public:                                                                                    \
    AvgPool##N##dFuncOptions(ExpandingArray<N> k) : kernel_size_(k), stride_(k) {}            \
    SCONCE_TORCH_OPTION(AvgPool##N##dFuncOptions, ExpandingArray<N>, kernel_size, )           \
    SCONCE_TORCH_OPTION(AvgPool##N##dFuncOptions, ExpandingArray<N>, stride, )                \
    SCONCE_TORCH_OPTION(AvgPool##N##dFuncOptions, ExpandingArray<N>, padding, = 0)            \
    SCONCE_TORCH_OPTION(AvgPool##N##dFuncOptions, bool, ceil_mode, = false)                   \
    SCONCE_TORCH_OPTION(AvgPool##N##dFuncOptions, bool, count_include_pad, = true)            \
    SCONCE_TORCH_OPTION(AvgPool##N##dFuncOptions, std::optional<int64_t>, divisor_override, ) \
  };                                                                                          \
  inline Tensor avg_pool##N##d(const Tensor& t, const AvgPool##N##dFuncOptions& o) {          \
    return at::avg_pool##N##d(t, o.kernel_size(), o.stride(), o.padding(), o.ceil_mode(),     \
                              o.count_include_pad());                                         \
  }                                                                                           \
  class AdaptiveAvgPool##N##dFuncOptions {                                                    \
   public:                                                                                    \
    AdaptiveAvgPool##N##dFuncOptions(ExpandingArray<N> size) : output_size_(size) {}          \
    SCONCE_TORCH_OPTION(AdaptiveAvgPool##N##dFuncOptions, ExpandingArray<N>, output_size, )   \
  };                                                                                          \
  inline Tensor adaptive_avg_pool##N##d(const Tensor& t,                                      \
                                        const AdaptiveAvgPool##N##dFuncOptions& o) {          \
    return at::adaptive_avg_pool##N##d(t, o.output_size());                                   \
  }
SCONCE_TORCH_CONV(1)
SCONCE_TORCH_CONV(2)
SCONCE_TORCH_CONV(3)
#undef SCONCE_TORCH_CONV

class LayerNormFuncOptions {
 public:
  LayerNormFuncOptions(std::vector<int64_t> shape) : normalized_shape_(std::move(shape)) {}
  SCONCE_TORCH_OPTION(LayerNormFuncOptions, std::vector<int64_t>, normalized_shape, )
  SCONCE_TORCH_OPTION(LayerNormFuncOptions, Tensor, weight, )
  SCONCE_TORCH_OPTION(LayerNormFuncOptions, Tensor, bias, )
  SCONCE_TORCH_OPTION(LayerNormFuncOptions, double, eps, = 1e-5)
};
inline Tensor layer_norm(const Tensor& t, const LayerNormFuncOptions& o) {
  return at::layer_norm(t, o.normalized_shape(), o.weight(), o.bias(), o.eps());
}
class CosineSimilarityFuncOptions {
  SCONCE_TORCH_OPTION(CosineSimilarityFuncOptions, int64_t, dim, = 1)
  SCONCE_TORCH_OPTION(CosineSimilarityFuncOptions, double, eps, = 1e-8)
};
inline Tensor cosine_similarity(const Tensor& a, const Tensor& b,
                                const CosineSimilarityFuncOptions& o = {}) {
  return at::cosine_similarity(a, b, o.dim(), o.eps());
}
class LeakyReLUFuncOptions {
  SCONCE_TORCH_OPTION(LeakyReLUFuncOptions, double, negative_slope, = 0.01)
  SCONCE_TORCH_OPTION(LeakyReLUFuncOptions, bool, inplace, = false)
};
inline Tensor leaky_relu(Tensor t, const LeakyReLUFuncOptions& o = {}) {
  return o.inplace() ? at::leaky_relu_(t, o.negative_slope())
                     : at::leaky_relu(t, o.negative_slope());
}
class ReLUFuncOptions {
 public:
  ReLUFuncOptions(bool inplace = false) : inplace_(inplace) {}
  SCONCE_TORCH_OPTION(ReLUFuncOptions, bool, inplace, )
};
using ReLU6FuncOptions = ReLUFuncOptions;
inline Tensor relu(Tensor t, const ReLUFuncOptions& o = {}) {
  return o.inplace() ? t.relu_() : t.relu();
}
inline Tensor relu6(Tensor t, const ReLU6FuncOptions& o = {}) {
  return o.inplace() ? t.clamp_(0, 6) : at::relu6(t);
}
class DropoutFuncOptions {
  SCONCE_TORCH_OPTION(DropoutFuncOptions, double, p, = 0.5)
  SCONCE_TORCH_OPTION(DropoutFuncOptions, bool, training, = false)
  SCONCE_TORCH_OPTION(DropoutFuncOptions, bool, inplace, = false)
};
inline Tensor dropout(Tensor t, const DropoutFuncOptions& o = {}) {
  return o.inplace() ? at::dropout_(t, o.p(), o.training()) : at::dropout(t, o.p(), o.training());
}
class GELUFuncOptions {
 public:
  SCONCE_TORCH_OPTION(GELUFuncOptions, std::string, approximate, = "none")
};
inline Tensor gelu(const Tensor& t, const GELUFuncOptions& o = {}) {
  return at::gelu(t, o.approximate());
}
inline Tensor silu(const Tensor& t) { return at::silu(t); }
inline Tensor mish(const Tensor& t) { return at::mish(t); }
inline Tensor softsign(const Tensor& t) { return t / (t.abs() + 1); }
inline Tensor tanhshrink(const Tensor& t) { return t - t.tanh(); }
inline Tensor logsigmoid(const Tensor& t) { return at::log_sigmoid(t); }
inline Tensor linear(const Tensor& t, const Tensor& w, const Tensor& bias = {}) {
  return at::linear(t, w, bias);
}
inline Tensor one_hot(const Tensor& t, int64_t num_classes = -1) {
  return at::one_hot(t, num_classes);
}
using at::pixel_shuffle;

}  // namespace functional
}  // namespace nn

namespace data {
template <class Data = Tensor, class Target = Tensor>
struct Example {
  Example() = default;
  Example(Data d, Target t) : data(std::move(d)), target(std::move(t)) {}
  Data data;
  Target target;
};
}  // namespace data

namespace data::transforms {
// Of an example's data.
template <class Target = Tensor>
struct TensorTransform {
  virtual ~TensorTransform() = default;
  virtual Tensor operator()(Tensor t) = 0;
  Example<Tensor, Target> apply(Example<Tensor, Target> e) {
    e.data = (*this)(std::move(e.data));
    return e;
  }
};
template <class Target = Tensor>
struct TensorLambda : TensorTransform<Target> {
  explicit TensorLambda(std::function<Tensor(Tensor)> f) : f_(std::move(f)) {}
  Tensor operator()(Tensor t) override { return f_(std::move(t)); }

 private:
  std::function<Tensor(Tensor)> f_;
};
// (input - mean) / deviation, for each channel of [C, H, W].
template <class Target = Tensor>
struct Normalize : TensorTransform<Target> {
  Normalize(at::ArrayRef<double> mean_, at::ArrayRef<double> stddev_)
      : mean(channels(mean_)), stddev(channels(stddev_)) {}
  Tensor operator()(Tensor t) override { return t.sub(mean).div(stddev); }
  Tensor mean, stddev;

 private:
  static Tensor channels(at::ArrayRef<double> v) {
    return torch::tensor(v, torch::kFloat32).unsqueeze(1).unsqueeze(2);
  }
};
}  // namespace data::transforms

}  // namespace torch
