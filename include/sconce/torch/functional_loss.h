// SPDX-License-Identifier: Apache-2.0
// torch::nn::functional: losses, as programs that evaluate a network use them.
#pragma once
#include "sconce/torch/functional_layers.h"

namespace torch::nn::functional {
namespace detail {
inline int64_t reduction(const Mode& m) {
  return m == "none" ? 0 : m == "mean" ? 1 : m == "sum" ? 2 : throw c10::Error("no such reduction");
}
}  // namespace detail

#define SCONCE_TORCH_PLAIN_LOSS(Class, name)                                                    \
  class Class##FuncOptions {                                                                    \
   public:                                                                                      \
    Class##FuncOptions() = default;                                                             \
    Class##FuncOptions(Mode m) : reduction_(m) {}                                               \
    SCONCE_TORCH_OPTION(Class##FuncOptions, Mode, reduction, = kMean)                           \
  };                                                                                            \
  inline Tensor name(const Tensor& t, const Tensor& target, const Class##FuncOptions& o = {}) { \
    return at::name(t, target, detail::reduction(o.reduction()));                               \
  }
SCONCE_TORCH_PLAIN_LOSS(MSELoss, mse_loss)
SCONCE_TORCH_PLAIN_LOSS(L1Loss, l1_loss)
SCONCE_TORCH_PLAIN_LOSS(SoftMarginLoss, soft_margin_loss)
#undef SCONCE_TORCH_PLAIN_LOSS

class SmoothL1LossFuncOptions {
 public:
  SmoothL1LossFuncOptions() = default;
  SmoothL1LossFuncOptions(Mode m) : reduction_(m) {}
  SCONCE_TORCH_OPTION(SmoothL1LossFuncOptions, Mode, reduction, = kMean)
  SCONCE_TORCH_OPTION(SmoothL1LossFuncOptions, std::optional<double>, beta, )
};
inline Tensor smooth_l1_loss(const Tensor& t, const Tensor& target,
                             const SmoothL1LossFuncOptions& o = {}) {
  return at::smooth_l1_loss(t, target, detail::reduction(o.reduction()), o.beta().value_or(1));
}
class HuberLossFuncOptions {
 public:
  HuberLossFuncOptions() = default;
  HuberLossFuncOptions(Mode m) : reduction_(m) {}
  SCONCE_TORCH_OPTION(HuberLossFuncOptions, Mode, reduction, = kMean)
  SCONCE_TORCH_OPTION(HuberLossFuncOptions, double, delta, = 1)
};
inline Tensor huber_loss(const Tensor& t, const Tensor& target,
                         const HuberLossFuncOptions& o = {}) {
  return at::huber_loss(t, target, detail::reduction(o.reduction()), o.delta());
}
class KLDivFuncOptions {
 public:
  KLDivFuncOptions() = default;
  KLDivFuncOptions(Mode m) : reduction_(m) {}
  SCONCE_TORCH_OPTION(KLDivFuncOptions, Mode, reduction, = kMean)
  SCONCE_TORCH_OPTION(KLDivFuncOptions, bool, log_target, = false)
};
inline Tensor kl_div(const Tensor& t, const Tensor& target, const KLDivFuncOptions& o = {}) {
  if (o.reduction() == "batchmean") return at::kl_div(t, target, 2, o.log_target()) / t.size(0);
  return at::kl_div(t, target, detail::reduction(o.reduction()), o.log_target());
}
class NLLLossFuncOptions {
  SCONCE_TORCH_OPTION(NLLLossFuncOptions, Tensor, weight, )
  SCONCE_TORCH_OPTION(NLLLossFuncOptions, int64_t, ignore_index, = -100)
  SCONCE_TORCH_OPTION(NLLLossFuncOptions, Mode, reduction, = kMean)
};
inline Tensor nll_loss(const Tensor& t, const Tensor& target, const NLLLossFuncOptions& o = {}) {
  return at::nll_loss_nd(t, target, o.weight(), detail::reduction(o.reduction()), o.ignore_index());
}
class CrossEntropyFuncOptions {
  SCONCE_TORCH_OPTION(CrossEntropyFuncOptions, Tensor, weight, )
  SCONCE_TORCH_OPTION(CrossEntropyFuncOptions, int64_t, ignore_index, = -100)
  SCONCE_TORCH_OPTION(CrossEntropyFuncOptions, Mode, reduction, = kMean)
  SCONCE_TORCH_OPTION(CrossEntropyFuncOptions, double, label_smoothing, = 0)
};
inline Tensor cross_entropy(const Tensor& t, const Tensor& target,
                            const CrossEntropyFuncOptions& o = {}) {
  return at::cross_entropy_loss(t, target, o.weight(), detail::reduction(o.reduction()),
                                o.ignore_index(), o.label_smoothing());
}
class BinaryCrossEntropyFuncOptions {
  SCONCE_TORCH_OPTION(BinaryCrossEntropyFuncOptions, Tensor, weight, )
  SCONCE_TORCH_OPTION(BinaryCrossEntropyFuncOptions, Mode, reduction, = kMean)
};
inline Tensor binary_cross_entropy(const Tensor& t, const Tensor& target,
                                   const BinaryCrossEntropyFuncOptions& o = {}) {
  return at::binary_cross_entropy(t, target, o.weight(), detail::reduction(o.reduction()));
}
class BinaryCrossEntropyWithLogitsFuncOptions {
  SCONCE_TORCH_OPTION(BinaryCrossEntropyWithLogitsFuncOptions, Tensor, weight, )
  SCONCE_TORCH_OPTION(BinaryCrossEntropyWithLogitsFuncOptions, Mode, reduction, = kMean)
  SCONCE_TORCH_OPTION(BinaryCrossEntropyWithLogitsFuncOptions, Tensor, pos_weight, )
};
inline Tensor binary_cross_entropy_with_logits(
    const Tensor& t, const Tensor& target, const BinaryCrossEntropyWithLogitsFuncOptions& o = {}) {
  return at::binary_cross_entropy_with_logits(t, target, o.weight(), o.pos_weight(),
                                              detail::reduction(o.reduction()));
}
class CosineEmbeddingLossFuncOptions {
  SCONCE_TORCH_OPTION(CosineEmbeddingLossFuncOptions, double, margin, = 0)
  SCONCE_TORCH_OPTION(CosineEmbeddingLossFuncOptions, Mode, reduction, = kMean)
};
inline Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& target,
                                    const CosineEmbeddingLossFuncOptions& o = {}) {
  return at::cosine_embedding_loss(a, b, target, o.margin(), detail::reduction(o.reduction()));
}
class TripletMarginLossFuncOptions {
  SCONCE_TORCH_OPTION(TripletMarginLossFuncOptions, double, margin, = 1)
  SCONCE_TORCH_OPTION(TripletMarginLossFuncOptions, double, p, = 2)
  SCONCE_TORCH_OPTION(TripletMarginLossFuncOptions, double, eps, = 1e-6)
  SCONCE_TORCH_OPTION(TripletMarginLossFuncOptions, bool, swap, = false)
  SCONCE_TORCH_OPTION(TripletMarginLossFuncOptions, Mode, reduction, = kMean)
};
inline Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive,
                                  const Tensor& negative,
                                  const TripletMarginLossFuncOptions& o = {}) {
  return at::triplet_margin_loss(anchor, positive, negative, o.margin(), o.p(), o.eps(), o.swap(),
                                 detail::reduction(o.reduction()));
}

}  // namespace torch::nn::functional
