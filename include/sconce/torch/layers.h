// SPDX-License-Identifier: Apache-2.0
// torch::nn's layers without weights, as programs use them around a model:
// torch::nn::Softmax(1)(x). Each is a function of torch::nn::functional with its options. What
// holds weights or is to be trained isn't here.
#pragma once
#include "sconce/torch/functional_loss.h"

namespace torch::nn {

// A shared pointer to a layer, which calls it. Empty when made of nullptr: then any use throws.
template <class Contained>
class ModuleHolder {
 public:
  ModuleHolder() : p_(std::make_shared<Contained>()) {}
  ModuleHolder(std::nullptr_t) {}
  ModuleHolder(std::shared_ptr<Contained> p) : p_(std::move(p)) {}
  template <class Head, class... Tail,
            class = std::enable_if_t<!std::is_base_of<ModuleHolder, std::decay_t<Head>>::value &&
                                     std::is_constructible<Contained, Head&&, Tail&&...>::value>>
  explicit ModuleHolder(Head&& head, Tail&&... tail)
      : p_(std::make_shared<Contained>(std::forward<Head>(head), std::forward<Tail>(tail)...)) {}
  Contained* get() const {
    if (!p_) throw c10::Error("Accessing empty ModuleHolder");
    return p_.get();
  }
  Contained* operator->() const { return get(); }
  Contained& operator*() const { return *get(); }
  const std::shared_ptr<Contained>& ptr() const { return get(), p_; }
  bool is_empty() const noexcept { return !p_; }
  explicit operator bool() const noexcept { return !is_empty(); }
  template <class... A>
  auto operator()(A&&... a) const {
    return get()->forward(std::forward<A>(a)...);
  }

 private:
  std::shared_ptr<Contained> p_;
};

namespace detail {
// None of these layers works otherwise in training, and none has anything to move.
struct Layer {
  void eval() { training_ = false; }
  void train(bool on = true) { training_ = on; }
  bool is_training() const noexcept { return training_; }
  void to(Device, bool = false) {}
  void to(ScalarType, bool = false) {}
  void to(Device, ScalarType, bool = false) {}
  void zero_grad(bool = true) {}

 private:
  bool training_ = true;
};
}  // namespace detail

#define SCONCE_TORCH_LAYER(Name, FuncOptions, call, parameters)                              \
  using Name##Options = FuncOptions;                                                         \
  struct Name##Impl : detail::Layer {                                                        \
    template <class... A,                                                                    \
              class = std::enable_if_t<std::is_constructible<Name##Options, A&&...>::value>> \
    explicit Name##Impl(A&&... a) : options(std::forward<A>(a)...) {}                        \
    Tensor forward parameters const { return call; }                                         \
    Name##Options options;                                                                   \
  };                                                                                         \
  using Name = ModuleHolder<Name##Impl>;
#define SCONCE_TORCH_UNARY_LAYER(Name, FuncOptions, function)                         \
  SCONCE_TORCH_LAYER(Name, functional::FuncOptions, functional::function(x, options), \
                     (const Tensor& x))
#define SCONCE_TORCH_BINARY_LAYER(Name, FuncOptions, function)                           \
  SCONCE_TORCH_LAYER(Name, functional::FuncOptions, functional::function(a, b, options), \
                     (const Tensor& a, const Tensor& b))
#define SCONCE_TORCH_PLAIN_LAYER(Name, expression)               \
  struct Name##Impl : detail::Layer {                            \
    Tensor forward(const Tensor& x) const { return expression; } \
  };                                                             \
  using Name = ModuleHolder<Name##Impl>;

// ---- activations ----
SCONCE_TORCH_UNARY_LAYER(ReLU, ReLUFuncOptions, relu)
SCONCE_TORCH_UNARY_LAYER(ReLU6, ReLU6FuncOptions, relu6)
SCONCE_TORCH_UNARY_LAYER(LeakyReLU, LeakyReLUFuncOptions, leaky_relu)
SCONCE_TORCH_UNARY_LAYER(ELU, ELUFuncOptions, elu)
SCONCE_TORCH_UNARY_LAYER(CELU, CELUFuncOptions, celu)
SCONCE_TORCH_UNARY_LAYER(SELU, SELUFuncOptions, selu)
SCONCE_TORCH_UNARY_LAYER(GELU, GELUFuncOptions, gelu)
SCONCE_TORCH_UNARY_LAYER(GLU, GLUFuncOptions, glu)
SCONCE_TORCH_UNARY_LAYER(Hardtanh, HardtanhFuncOptions, hardtanh)
SCONCE_TORCH_UNARY_LAYER(Hardshrink, HardshrinkFuncOptions, hardshrink)
SCONCE_TORCH_UNARY_LAYER(Softshrink, SoftshrinkFuncOptions, softshrink)
SCONCE_TORCH_UNARY_LAYER(Softplus, SoftplusFuncOptions, softplus)
SCONCE_TORCH_UNARY_LAYER(Softmax, SoftmaxFuncOptions, softmax)
SCONCE_TORCH_UNARY_LAYER(Softmin, SoftminFuncOptions, softmin)
SCONCE_TORCH_UNARY_LAYER(LogSoftmax, LogSoftmaxFuncOptions, log_softmax)
SCONCE_TORCH_PLAIN_LAYER(Sigmoid, at::sigmoid(x))
SCONCE_TORCH_PLAIN_LAYER(Tanh, at::tanh(x))
SCONCE_TORCH_PLAIN_LAYER(SiLU, functional::silu(x))
SCONCE_TORCH_PLAIN_LAYER(Mish, functional::mish(x))
SCONCE_TORCH_PLAIN_LAYER(LogSigmoid, functional::logsigmoid(x))
SCONCE_TORCH_PLAIN_LAYER(Softsign, functional::softsign(x))
SCONCE_TORCH_PLAIN_LAYER(Tanhshrink, functional::tanhshrink(x))
SCONCE_TORCH_PLAIN_LAYER(Identity, x)

// ---- pixels ----
SCONCE_TORCH_UNARY_LAYER(Upsample, InterpolateFuncOptions, interpolate)
SCONCE_TORCH_UNARY_LAYER(PixelShuffle, PixelShuffleFuncOptions, pixel_shuffle)
SCONCE_TORCH_UNARY_LAYER(PixelUnshuffle, PixelUnshuffleFuncOptions, pixel_unshuffle)
SCONCE_TORCH_UNARY_LAYER(Fold, FoldFuncOptions, fold)
SCONCE_TORCH_UNARY_LAYER(Unfold, UnfoldFuncOptions, unfold)
class FlattenOptions {
  SCONCE_TORCH_OPTION(FlattenOptions, int64_t, start_dim, = 1)
  SCONCE_TORCH_OPTION(FlattenOptions, int64_t, end_dim, = -1)
};
struct FlattenImpl : detail::Layer {
  FlattenImpl(const FlattenOptions& o = {}) : options(o) {}
  Tensor forward(const Tensor& x) const {
    return x.flatten(options.start_dim(), options.end_dim());
  }
  FlattenOptions options;
};
using Flatten = ModuleHolder<FlattenImpl>;

#define SCONCE_TORCH_POOLS(N)                                                               \
  SCONCE_TORCH_UNARY_LAYER(MaxPool##N##d, MaxPool##N##dFuncOptions, max_pool##N##d)         \
  SCONCE_TORCH_UNARY_LAYER(AvgPool##N##d, AvgPool##N##dFuncOptions, avg_pool##N##d)         \
  SCONCE_TORCH_UNARY_LAYER(AdaptiveAvgPool##N##d, AdaptiveAvgPool##N##dFuncOptions,         \
                           adaptive_avg_pool##N##d)                                         \
  SCONCE_TORCH_UNARY_LAYER(AdaptiveMaxPool##N##d, AdaptiveMaxPool##N##dFuncOptions,         \
                           adaptive_max_pool##N##d)                                         \
  class ReflectionPad##N##dOptions {                                                        \
   public:                                                                                  \
    ReflectionPad##N##dOptions(ExpandingArray<N * 2> p) : padding_(p) {}                    \
    SCONCE_TORCH_OPTION(ReflectionPad##N##dOptions, ExpandingArray<N * 2>, padding, )       \
  };                                                                                        \
  class ConstantPad##N##dOptions {                                                          \
   public:                                                                                  \
    ConstantPad##N##dOptions(ExpandingArray<N * 2> p, double v) : padding_(p), value_(v) {} \
    SCONCE_TORCH_OPTION(ConstantPad##N##dOptions, ExpandingArray<N * 2>, padding, )         \
    SCONCE_TORCH_OPTION(ConstantPad##N##dOptions, double, value, )                          \
  };                                                                                        \
  SCONCE_TORCH_PAD(N, ReflectionPad, ReflectionPad##N##dOptions, "reflect", 0)              \
  SCONCE_TORCH_PAD(N, ReplicationPad, ReflectionPad##N##dOptions, "replicate", 0)           \
  SCONCE_TORCH_PAD(N, ZeroPad, ReflectionPad##N##dOptions, "constant", 0)                   \
  SCONCE_TORCH_PAD(N, ConstantPad, ConstantPad##N##dOptions, "constant", options.value())
#define SCONCE_TORCH_PAD(N, Name, PadOptions, mode, filler)                               \
  struct Name##N##dImpl : detail::Layer {                                                 \
    template <class... A,                                                                 \
              class = std::enable_if_t<std::is_constructible<PadOptions, A&&...>::value>> \
    explicit Name##N##dImpl(A&&... a) : options(std::forward<A>(a)...) {}                 \
    Tensor forward(const Tensor& x) const {                                               \
      return at::pad(x, options.padding().ref(), mode, std::optional<double>(filler));    \
    }                                                                                     \
    PadOptions options;                                                                   \
  };                                                                                      \
  using Name##N##d = ModuleHolder<Name##N##dImpl>;
SCONCE_TORCH_POOLS(1)
SCONCE_TORCH_POOLS(2)
SCONCE_TORCH_POOLS(3)
#undef SCONCE_TORCH_POOLS
#undef SCONCE_TORCH_PAD
using ReplicationPad1dOptions = ReflectionPad1dOptions;
using ReplicationPad2dOptions = ReflectionPad2dOptions;
using ReplicationPad3dOptions = ReflectionPad3dOptions;
using ZeroPad1dOptions = ReflectionPad1dOptions;
using ZeroPad2dOptions = ReflectionPad2dOptions;
using ZeroPad3dOptions = ReflectionPad3dOptions;

// ---- distances and losses ----
SCONCE_TORCH_BINARY_LAYER(CosineSimilarity, CosineSimilarityFuncOptions, cosine_similarity)
SCONCE_TORCH_BINARY_LAYER(PairwiseDistance, PairwiseDistanceFuncOptions, pairwise_distance)
SCONCE_TORCH_BINARY_LAYER(MSELoss, MSELossFuncOptions, mse_loss)
SCONCE_TORCH_BINARY_LAYER(L1Loss, L1LossFuncOptions, l1_loss)
SCONCE_TORCH_BINARY_LAYER(SmoothL1Loss, SmoothL1LossFuncOptions, smooth_l1_loss)
SCONCE_TORCH_BINARY_LAYER(KLDivLoss, KLDivFuncOptions, kl_div)
SCONCE_TORCH_BINARY_LAYER(NLLLoss, NLLLossFuncOptions, nll_loss)
SCONCE_TORCH_BINARY_LAYER(CrossEntropyLoss, CrossEntropyFuncOptions, cross_entropy)
SCONCE_TORCH_BINARY_LAYER(BCELoss, BinaryCrossEntropyFuncOptions, binary_cross_entropy)
SCONCE_TORCH_BINARY_LAYER(BCEWithLogitsLoss, BinaryCrossEntropyWithLogitsFuncOptions,
                          binary_cross_entropy_with_logits)
#undef SCONCE_TORCH_OPTION
#undef SCONCE_TORCH_LAYER
#undef SCONCE_TORCH_UNARY_LAYER
#undef SCONCE_TORCH_BINARY_LAYER
#undef SCONCE_TORCH_PLAIN_LAYER

}  // namespace torch::nn
