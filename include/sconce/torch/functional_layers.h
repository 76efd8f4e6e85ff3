// SPDX-License-Identifier: Apache-2.0
// torch::nn::functional: activations, normalisations, transposed convolutions and what moves
// pixels.
#pragma once
#include "sconce/torch/functional.h"

namespace torch::nn::functional {

// ---- activations ----
class ELUFuncOptions {
  SCONCE_TORCH_OPTION(ELUFuncOptions, double, alpha, = 1)
  SCONCE_TORCH_OPTION(ELUFuncOptions, bool, inplace, = false)
};
inline Tensor elu(Tensor t, const ELUFuncOptions& o = {}) {
  return o.inplace() ? at::elu_(t, o.alpha()) : at::elu(t, o.alpha());
}
class CELUFuncOptions {
  SCONCE_TORCH_OPTION(CELUFuncOptions, double, alpha, = 1)
  SCONCE_TORCH_OPTION(CELUFuncOptions, bool, inplace, = false)
};
inline Tensor celu(Tensor t, const CELUFuncOptions& o = {}) {
  return o.inplace() ? at::celu_(t, o.alpha()) : at::celu(t, o.alpha());
}
using SELUFuncOptions = ReLUFuncOptions;
inline Tensor selu(Tensor t, const SELUFuncOptions& o = {}) {
  return o.inplace() ? at::selu_(t) : at::selu(t);
}
class HardtanhFuncOptions {
  SCONCE_TORCH_OPTION(HardtanhFuncOptions, double, min_val, = -1)
  SCONCE_TORCH_OPTION(HardtanhFuncOptions, double, max_val, = 1)
  SCONCE_TORCH_OPTION(HardtanhFuncOptions, bool, inplace, = false)
};
inline Tensor hardtanh(Tensor t, const HardtanhFuncOptions& o = {}) {
  return o.inplace() ? at::hardtanh_(t, o.min_val(), o.max_val())
                     : at::hardtanh(t, o.min_val(), o.max_val());
}
class SoftplusFuncOptions {
  SCONCE_TORCH_OPTION(SoftplusFuncOptions, double, beta, = 1)
  SCONCE_TORCH_OPTION(SoftplusFuncOptions, double, threshold, = 20)
};
inline Tensor softplus(const Tensor& t, const SoftplusFuncOptions& o = {}) {
  return at::softplus(t, o.beta(), o.threshold());
}
class GLUFuncOptions {
 public:
  GLUFuncOptions(int64_t dim = -1) : dim_(dim) {}
  SCONCE_TORCH_OPTION(GLUFuncOptions, int64_t, dim, )
};
inline Tensor glu(const Tensor& t, const GLUFuncOptions& o = {}) { return at::glu(t, o.dim()); }
class SoftshrinkFuncOptions {
 public:
  SoftshrinkFuncOptions(double lambda = 0.5) : lambda_(lambda) {}
  SCONCE_TORCH_OPTION(SoftshrinkFuncOptions, double, lambda, )
};
using HardshrinkFuncOptions = SoftshrinkFuncOptions;
inline Tensor softshrink(const Tensor& t, const SoftshrinkFuncOptions& o = {}) {
  return at::softshrink(t, o.lambda());
}
inline Tensor hardshrink(const Tensor& t, const HardshrinkFuncOptions& o = {}) {
  return at::hardshrink(t, o.lambda());
}
class ThresholdFuncOptions {
 public:
  ThresholdFuncOptions(double threshold, double value) : threshold_(threshold), value_(value) {}
  SCONCE_TORCH_OPTION(ThresholdFuncOptions, double, threshold, )
  SCONCE_TORCH_OPTION(ThresholdFuncOptions, double, value, )
  SCONCE_TORCH_OPTION(ThresholdFuncOptions, bool, inplace, = false)
};
inline Tensor threshold(Tensor t, const ThresholdFuncOptions& o) {
  return o.inplace() ? at::threshold_(t, o.threshold(), o.value())
                     : at::threshold(t, o.threshold(), o.value());
}
inline Tensor prelu(const Tensor& t, const Tensor& weight) { return at::prelu(t, weight); }
inline Tensor bilinear(const Tensor& a, const Tensor& b, const Tensor& w, const Tensor& bias = {}) {
  return at::bilinear(a, b, w, bias);
}
class AlphaDropoutFuncOptions {
  SCONCE_TORCH_OPTION(AlphaDropoutFuncOptions, double, p, = 0.5)
  SCONCE_TORCH_OPTION(AlphaDropoutFuncOptions, bool, training, = false)
  SCONCE_TORCH_OPTION(AlphaDropoutFuncOptions, bool, inplace, = false)
};
inline Tensor alpha_dropout(Tensor t, const AlphaDropoutFuncOptions& o = {}) {
  return o.inplace() ? at::alpha_dropout_(t, o.p(), o.training())
                     : at::alpha_dropout(t, o.p(), o.training());
}
using Dropout2dFuncOptions = DropoutFuncOptions;
using Dropout3dFuncOptions = DropoutFuncOptions;
inline Tensor dropout2d(Tensor t, const Dropout2dFuncOptions& o = {}) {
  return o.inplace() ? at::feature_dropout_(t, o.p(), o.training())
                     : at::feature_dropout(t, o.p(), o.training());
}
inline Tensor dropout3d(Tensor t, const Dropout3dFuncOptions& o = {}) {
  return dropout2d(std::move(t), o);
}

// ---- normalisations ----
class BatchNormFuncOptions {
  SCONCE_TORCH_OPTION(BatchNormFuncOptions, Tensor, weight, )
  SCONCE_TORCH_OPTION(BatchNormFuncOptions, Tensor, bias, )
  SCONCE_TORCH_OPTION(BatchNormFuncOptions, bool, training, = false)
  SCONCE_TORCH_OPTION(BatchNormFuncOptions, std::optional<double>, momentum, = 0.1)
  SCONCE_TORCH_OPTION(BatchNormFuncOptions, double, eps, = 1e-5)
};
inline Tensor batch_norm(const Tensor& t, const Tensor& mean, const Tensor& variance,
                         const BatchNormFuncOptions& o = {}) {
  return at::batch_norm(t, o.weight(), o.bias(), mean, variance, o.training(),
                        o.momentum().value_or(0), o.eps(), false);
}
class InstanceNormFuncOptions {
  SCONCE_TORCH_OPTION(InstanceNormFuncOptions, Tensor, running_mean, )
  SCONCE_TORCH_OPTION(InstanceNormFuncOptions, Tensor, running_var, )
  SCONCE_TORCH_OPTION(InstanceNormFuncOptions, Tensor, weight, )
  SCONCE_TORCH_OPTION(InstanceNormFuncOptions, Tensor, bias, )
  SCONCE_TORCH_OPTION(InstanceNormFuncOptions, bool, use_input_stats, = true)
  SCONCE_TORCH_OPTION(InstanceNormFuncOptions, double, momentum, = 0.1)
  SCONCE_TORCH_OPTION(InstanceNormFuncOptions, double, eps, = 1e-5)
};
inline Tensor instance_norm(const Tensor& t, const InstanceNormFuncOptions& o = {}) {
  return at::instance_norm(t, o.weight(), o.bias(), o.running_mean(), o.running_var(),
                           o.use_input_stats(), o.momentum(), o.eps(), false);
}
class GroupNormFuncOptions {
 public:
  GroupNormFuncOptions(int64_t groups) : num_groups_(groups) {}
  SCONCE_TORCH_OPTION(GroupNormFuncOptions, int64_t, num_groups, )
  SCONCE_TORCH_OPTION(GroupNormFuncOptions, Tensor, weight, )
  SCONCE_TORCH_OPTION(GroupNormFuncOptions, Tensor, bias, )
  SCONCE_TORCH_OPTION(GroupNormFuncOptions, double, eps, = 1e-5)
};
inline Tensor group_norm(const Tensor& t, const GroupNormFuncOptions& o) {
  return at::group_norm(t, o.num_groups(), o.weight(), o.bias(), o.eps());
}

// ---- convolutions back, maxima with their places ----
#define SCONCE_TORCH_TRANSPOSED(N)                                                               \
  class ConvTranspose##N##dFuncOptions {                                                         \
    SCONCE_TORCH_OPTION(ConvTranspose##N##dFuncOptions, Tensor, bias, )                          \
    SCONCE_TORCH_OPTION(ConvTranspose##N##dFuncOptions, ExpandingArray<N>, stride, = 1)          \
    SCONCE_TORCH_OPTION(ConvTranspose##N##dFuncOptions, ExpandingArray<N>, padding, = 0)         \
    SCONCE_TORCH_OPTION(ConvTranspose##N##dFuncOptions, ExpandingArray<N>, output_padding, = 0)  \
    SCONCE_TORCH_OPTION(ConvTranspose##N##dFuncOptions, int64_t, groups, = 1)                    \
    SCONCE_TORCH_OPTION(ConvTranspose##N##dFuncOptions, ExpandingArray<N>, dilation, = 1)        \
  };                                                                                             \
  inline Tensor conv_transpose##N##d(const Tensor& t, const Tensor& w,                           \
                                     const ConvTranspose##N##dFuncOptions& o = {}) {             \
    return at::conv_transpose##N##d(t, w, o.bias(), o.stride(), o.padding(), o.output_padding(), \
                                    o.groups(), o.dilation());                                   \
  }                                                                                              \
  inline std::tuple<Tensor, Tensor> max_pool##N##d_with_indices(                                 \
      const Tensor& t, const MaxPool##N##dFuncOptions& o) {                                      \
    return at::max_pool##N##d_with_indices(t, o.kernel_size(), o.stride(), o.padding(),          \
                                           o.dilation(), o.ceil_mode());                         \
  }                                                                                              \
  using AdaptiveMaxPool##N##dFuncOptions = AdaptiveAvgPool##N##dFuncOptions;                     \
  inline std::tuple<Tensor, Tensor> adaptive_max_pool##N##d_with_indices(                        \
      const Tensor& t, const AdaptiveMaxPool##N##dFuncOptions& o) {                              \
    return at::adaptive_max_pool##N##d(t, o.output_size());                                      \
  }                                                                                              \
  inline Tensor adaptive_max_pool##N##d(const Tensor& t,                                         \
                                        const AdaptiveMaxPool##N##dFuncOptions& o) {             \
    return std::get<0>(at::adaptive_max_pool##N##d(t, o.output_size()));                         \
  }
SCONCE_TORCH_TRANSPOSED(1)
SCONCE_TORCH_TRANSPOSED(2)
SCONCE_TORCH_TRANSPOSED(3)
#undef SCONCE_TORCH_TRANSPOSED

// ---- pixels and words moved ----
class PixelShuffleFuncOptions {
 public:
  PixelShuffleFuncOptions(int64_t factor) : upscale_factor_(factor) {}
  SCONCE_TORCH_OPTION(PixelShuffleFuncOptions, int64_t, upscale_factor, )
};
inline Tensor pixel_shuffle(const Tensor& t, const PixelShuffleFuncOptions& o) {
  return at::pixel_shuffle(t, o.upscale_factor());
}
class PixelUnshuffleFuncOptions {
 public:
  PixelUnshuffleFuncOptions(int64_t factor) : downscale_factor_(factor) {}
  SCONCE_TORCH_OPTION(PixelUnshuffleFuncOptions, int64_t, downscale_factor, )
};
inline Tensor pixel_unshuffle(const Tensor& t, const PixelUnshuffleFuncOptions& o) {
  return at::pixel_unshuffle(t, o.downscale_factor());
}
class UnfoldFuncOptions {
 public:
  UnfoldFuncOptions(ExpandingArray<2> kernel) : kernel_size_(kernel) {}
  SCONCE_TORCH_OPTION(UnfoldFuncOptions, ExpandingArray<2>, kernel_size, )
  SCONCE_TORCH_OPTION(UnfoldFuncOptions, ExpandingArray<2>, dilation, = 1)
  SCONCE_TORCH_OPTION(UnfoldFuncOptions, ExpandingArray<2>, padding, = 0)
  SCONCE_TORCH_OPTION(UnfoldFuncOptions, ExpandingArray<2>, stride, = 1)
};
inline Tensor unfold(const Tensor& t, const UnfoldFuncOptions& o) {
  if (t.dim() != 4)
    throw c10::Error(c10::str(
        "Input Error: Only unbatched (3D) or batched (4D) image-like tensors are supported (got ",
        t.dim(), "D)"));
  return at::im2col(t, o.kernel_size(), o.dilation(), o.padding(), o.stride());
}
class FoldFuncOptions {
 public:
  FoldFuncOptions(ExpandingArray<2> size, ExpandingArray<2> kernel)
      : output_size_(size), kernel_size_(kernel) {}
  SCONCE_TORCH_OPTION(FoldFuncOptions, ExpandingArray<2>, output_size, )
  SCONCE_TORCH_OPTION(FoldFuncOptions, ExpandingArray<2>, kernel_size, )
  SCONCE_TORCH_OPTION(FoldFuncOptions, ExpandingArray<2>, dilation, = 1)
  SCONCE_TORCH_OPTION(FoldFuncOptions, ExpandingArray<2>, padding, = 0)
  SCONCE_TORCH_OPTION(FoldFuncOptions, ExpandingArray<2>, stride, = 1)
};
inline Tensor fold(const Tensor& t, const FoldFuncOptions& o) {
  if (t.dim() != 3)
    throw c10::Error(
        c10::str("Input Error: Only 3D input Tensors are supported (got ", t.dim(), "D)"));
  return at::col2im(t, o.output_size(), o.kernel_size(), o.dilation(), o.padding(), o.stride());
}
class EmbeddingFuncOptions {
  SCONCE_TORCH_OPTION(EmbeddingFuncOptions, std::optional<int64_t>, padding_idx, )
};
inline Tensor embedding(const Tensor& ids, const Tensor& weight,
                        const EmbeddingFuncOptions& o = {}) {
  int64_t padding = o.padding_idx().value_or(-1);
  if (o.padding_idx() && padding < 0) padding += weight.size(0);
  return at::embedding(weight, ids, padding);
}
class PairwiseDistanceFuncOptions {
  SCONCE_TORCH_OPTION(PairwiseDistanceFuncOptions, double, p, = 2)
  SCONCE_TORCH_OPTION(PairwiseDistanceFuncOptions, double, eps, = 1e-6)
  SCONCE_TORCH_OPTION(PairwiseDistanceFuncOptions, bool, keepdim, = false)
};
inline Tensor pairwise_distance(const Tensor& a, const Tensor& b,
                                const PairwiseDistanceFuncOptions& o = {}) {
  return at::pairwise_distance(a, b, o.p(), o.eps(), o.keepdim());
}
using at::pdist;

}  // namespace torch::nn::functional
