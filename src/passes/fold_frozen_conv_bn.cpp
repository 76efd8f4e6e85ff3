// SPDX-License-Identifier: Apache-2.0
//   %y = aten::conv2d(%x, %w, %b, ...)                  %z = aten::conv2d(%x, %w', %b', ...)
//   %z = aten::batch_norm(%y, %g, %h, %m, %v,      =>
//                         False, _, eps, _)             w' = w * g / sqrt(v + eps)
//                                                       b' = (b - m) * g / sqrt(v + eps) + h
//
// when all weights are constants and %y has no other use.
//
// PyTorch: _jit_pass_fold_frozen_conv_bn. Order: after freeze. Without a bias, b' has the dtype of
// the statistics, but for weights of half precision: theirs.
#include <cstring>
#include <utility>

#include "core/device.h"
#include "core/unrecorded.h"
#include "passes/frozen_folding.h"

namespace sconce {

namespace {

// w * scale, when somebody looks at it. Most preparations only pack it.
class ScaledWeight final : public BytesSource {
 public:
  ScaledWeight(const OpTable& ops, Tensor w, Tensor scale)
      : ops_(ops), w_(std::move(w)), scale_(std::move(scale)) {}
  static bool suits(const Tensor& w) {
    constexpr size_t kFew = 64 << 10;
    const TensorImpl& i = *w.impl();
    const size_t n = static_cast<size_t>(w.numel()) * element_size(w.dtype());
    return n >= kFew && !i.storage->device() && !i.offset && i.storage->nbytes() == n &&
           w.is_contiguous() && !w.quantizer();
  }
  void produce(void* to) const override {
    Unrecorded unrecorded;
    Storage& from = *w_.impl()->storage;
    const void* bytes = from.read_once([&](size_t) { return to; });
    if (bytes != to) std::memcpy(to, bytes, from.nbytes());
    const Tensor w = plain(Storage::borrow(to, from.nbytes(), nullptr));
    const Arithmetic op(ops_);
    op("aten::mul_.Tensor", {w, scale_});
  }

  // A tensor of the weight's form over other bytes.
  Tensor plain(Ref<Storage> bytes) const {
    Tensor t = with_storage(w_, std::move(bytes), 0);
    t.mutable_impl()->requires_grad = false;
    return t;
  }

 private:
  const OpTable& ops_;
  const Tensor w_, scale_;
};

// A factor a channel in the form that multiplies the weight: [out, 1, 1], or, of a transposed one
// (weight [in, out / groups, ...]), [1, out, 1], [in, out / groups, 1].
Tensor scale_of_weight(const Arithmetic& op, const Tensor& scale, const Tensor& w, int64_t groups) {
  std::vector<int64_t> shape(static_cast<size_t>(w.dim()), 1);
  if (groups <= 1) {
    shape[groups == 0 ? 0 : 1] = scale.size(0);
    return op("aten::reshape", {scale, shape});
  }
  shape[0] = w.size(0), shape[1] = w.size(1);
  const Tensor by_group = op("aten::reshape", {scale, std::vector<int64_t>{groups, 1, w.size(1)}});
  const std::vector<int64_t> rows{groups, w.size(0) / groups, w.size(1)};
  return op("aten::reshape", {op("aten::expand", {by_group, rows, false}), shape});
}

}  // namespace

const char* fold_conv_norm(Node* conv, Node* norm, PassContext& c, const AliasDb& alias) {
  // As PyTorch does it, a convolution isn't asked for its form.
  const bool asked = transposed_groups(conv) > 0;
  if (const char* why = why_not_foldable(conv, norm, alias, asked)) return why;
  FrozenNorm bn;
  if (const char* why = bn.read(norm)) return why;
  const Tensor w = constant_tensor(conv->inputs[1]), bias = constant_tensor(conv->inputs[2]);
  const int64_t channels = channels_of(conv, w);
  if (bn.mean.size(0) != channels) return "the norm has another number of channels";
  if (const int64_t groups = transposed_groups(conv); groups > 1 && w.size(0) % groups != 0)
    return "the weight can't be split into the layer's groups";
  // Unasked, answers stay those of the unfolded graph: products of half precision would be
  // rounded in other places.
  if (c.assumptions && (element_size(w.dtype()) < 4 || w.dtype() != bn.mean.dtype()))
    return "rounding would show in the answers";
  if (promote_types(w.dtype(), bn.mean.dtype()) != w.dtype() && element_size(w.dtype()) >= 4)
    return "the norm changes the result's dtype";
  std::optional<Folding> folding;
  if (c.assumptions) folding.emplace(*c.assumptions);
  Arithmetic op(*c.ops);
  const Tensor scale = scale_of_weight(op, bn.scale(op), w, transposed_groups(conv));
  Tensor w2;
  if (c.assumptions && ScaledWeight::suits(w)) {
    // Read later, but assumed from now on.
    context().recorder->host_read(w.impl()->storage.get());
    auto scaled = std::make_shared<const ScaledWeight>(*c.ops, w, scale);
    w2 = scaled->plain(Storage::defer(w.impl()->storage->nbytes(), scaled));
    c.assumptions->made(w2.impl()->storage);
  } else {
    w2 = op("aten::mul.Tensor", {w, scale}).to(w.dtype());
  }
  const ScalarType dtype = bias.defined()                ? bias.dtype()
                           : element_size(w.dtype()) < 4 ? w.dtype()
                                                         : bn.mean.dtype();
  const Tensor b2 = bn.fold_bias(op, bias, dtype);
  if (folding && !folding->succeeded()) return "a parameter may be written";
  replace_parameter(conv, 1, w2, "bn");
  replace_parameter(conv, 2, b2, "bn");
  return nullptr;
}

bool fold_frozen_conv_bn(Graph& g, PassContext& c) {
  return fold_layers(g, c, {"conv+bn", is_foldable_conv, is_batch_norm, fold_conv_norm});
}

}  // namespace sconce
