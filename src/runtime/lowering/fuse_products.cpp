// SPDX-License-Identifier: Apache-2.0
// Products and convolutions with constant weights, and what follows them element by element.
//
//   gemm(out: s, a: x, b: constant W, bias)      ->   linear(out: y, a: x, bias, residual: r,
//   unary(out: t, in: s, gelu)                               weight: packed W, then: gelu, + r)
//   binary(out: y, a: t, b: r, add)
//
//   index(out: x, in: rows of W, i)              ->   packed_embedding(out: x, i, weight: packed W)
//
// The weights are packed once for all plans of a method. A step of the chain moves into the product
// when it is the only reader of what the product wrote (or overwrites it in place), takes all of it
// in the same order, and nothing that the product reads is written in between. The fused call
// stands where its last part stood.
//
// Sums are added in another order than PyTorch adds them (a product's result is rounded once, with
// its bias): within the tolerance of any two machines.
#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "runtime/lowering/lower.h"

namespace sconce {

namespace {

bool float_view(const PlannedView& v) { return v.dtype == ScalarType::Float; }

// What a fused step does to the product's result.
struct Step {
  enum Kind { Activate, Residual, Bias } kind;
  Activation act = Activation::none;
  double p = 0, q = 0;
  size_t operand = 0;  // the view that is the residual or bias
};

std::optional<Step> activation_of(const UnaryArgs& u) {
  Step s{Step::Activate};
  s.p = u.p, s.q = u.q;
  switch (u.op) {
    case Unary::relu: s.act = Activation::relu; break;
    case Unary::clamp:
      if (!(u.p <= u.q)) return std::nullopt;
      s.act = Activation::clamp;
      break;
    case Unary::leaky_relu: s.act = Activation::leaky_relu; break;
    case Unary::sigmoid: s.act = Activation::sigmoid; break;
    case Unary::silu: s.act = Activation::silu; break;
    case Unary::tanh: s.act = Activation::tanh; break;
    case Unary::gelu: s.act = Activation::gelu; break;
    case Unary::gelu_tanh: s.act = Activation::gelu_tanh; break;
    case Unary::hardswish: s.act = Activation::hardswish; break;
    case Unary::hardsigmoid: s.act = Activation::hardsigmoid; break;
    default: return std::nullopt;
  }
  return s;
}

class Fusion {
 public:
  Fusion(PlannedProgram& p, PackedWeights& weights) : p_(p), weights_(weights), touches_(p) {
    for (size_t i = 0; i < p.calls.size(); ++i) {
      const PlannedCall& c = p.calls[i];
      if (c.is<GemmArgs>() || c.is<ConvArgs>() || c.is<QuantizedConvArgs>()) continue;
      if (is_embedding(c)) {
        embeddings_[c.views[1].place.index].push_back(i);
        continue;
      }
      for (const PlannedView& v : c.views)
        if (v.place.kind == Place::Constant) read_plainly_.insert(v.place.index);
    }
  }

  void fuse_floats() {
    // The largest first, while little else is packed: they are read from the file as a whole.
    for (PlannedCall& c : p_.calls)
      if (c.is<GemmArgs>() && embeddings_.count(c.views[2].place.index) &&
          c.views[2].place.kind == Place::Constant)
        make_linear(c);
    weights_.rest();
    for (size_t i = 0; i < p_.calls.size(); ++i) {
      PlannedCall& c = p_.calls[i];
      if (!c.run) continue;
      if (c.is<LinearArgs>() || (c.is<GemmArgs>() && make_linear(c)))
        extend<LinearArgs>(i);
      else if (c.is<ConvArgs>() && make_conv(c))
        extend<PreparedConvArgs>(i);
    }
    p_.drop_removed_calls();
  }
  void pack_bytes() {
    for (PlannedCall& c : p_.calls)
      if (c.is<QuantizedConvArgs>()) pack_quantized(c);
  }

 private:
  // ---- the product itself ----

  // View v of a constant in the form that `make` writes; false: it stays as it is.
  bool pack(const PlannedView& v, const std::string& form, size_t nbytes, PlannedView& to,
            const std::function<void(const TensorView&, void*)>& make) {
    const Ref<Storage>& source = p_.constants[v.place.index];
    // One number may stand for many, by strides of 0.
    if (nbytes > 8 * source->nbytes() + (64 << 10)) return false;
    std::string key = form + '@' + std::to_string(v.place.offset);
    for (size_t d = 0; d < v.sizes.size(); ++d)
      key += ',' + std::to_string(v.sizes[d]) + ':' + std::to_string(v.strides[d]);
    if (read_plainly_.count(v.place.index)) source->fetch();  // it is in memory anyhow
    TensorView plain;
    plain.sizes = v.sizes.data(), plain.strides = v.strides.data();
    plain.ndim = static_cast<int32_t>(v.sizes.size());
    plain.dtype = v.dtype;
    auto packed = weights_.get(source, key, nbytes, [&](const void* bytes, void* memory) {
      plain.data = static_cast<char*>(const_cast<void*>(bytes)) + v.place.offset;
      make(plain, memory);
    });
    if (!packed) return false;
    to = v;
    to.place = {Place::Packed, static_cast<uint32_t>(p_.packed.size()), 0};
    p_.packed.push_back(std::move(packed));
    return true;
  }

  // A matrix of a batch of one, its rows dense.
  static bool matrix(const PlannedView& v, PlannedView& to) {
    if (v.sizes.size() != 3 || v.sizes[0] != 1 || !float_view(v)) return false;
    if (v.strides[2] != 1 && v.sizes[2] != 1) return false;
    to = v;
    to.sizes = {v.sizes[1], v.sizes[2]};
    to.strides = {v.sizes[1] == 1 ? v.sizes[2] : v.strides[1], 1};
    return to.strides[0] >= to.sizes[1];
  }
  // Packing a large matrix for few rows buys nothing: it is read once a call anyhow. By the sizes
  // alone, so that a call's bits don't go by those before it.
  static bool worth_packing(int64_t rows, int64_t elements) {
    return rows > 4 || elements <= (16 << 10);
  }

  bool make_linear(PlannedCall& c) {
    const Kernels& k = *context().kernels;
    if (!k.linear) return false;
    const GemmArgs& g = c.as<GemmArgs>();
    const PlannedView &out = c.views[0], &a = c.views[1], &b = c.views[2], &bias = c.views[3];
    if (g.alpha != 1 || g.beta != 0 || b.place.kind != Place::Constant || !float_view(b))
      return false;
    if (out.place.same_storage(a.place) || out.numel() == 0 || a.numel() == 0) return false;
    PlannedCall n = planned_call(LinearArgs{});
    if (!matrix(out, n.views[0]) || !matrix(a, n.views[1]) || b.sizes.size() != 3) return false;
    if (!bias.absent()) {
      if (!dense_vector(bias)) return false;
      n.views[3] = bias;
    }
    PlannedView w = b;
    w.sizes = {b.sizes[1], b.sizes[2]};
    w.strides = {b.strides[1], b.strides[2]};
    if (!worth_packing(n.views[0].sizes[0], w.numel())) return false;
    if (!pack(w, "linear", k.packed_linear_bytes(w.sizes[0], w.sizes[1]), n.views[4],
              [&](const TensorView& plain, void* memory) { k.pack_linear(plain, memory); }))
      return false;
    n.node = c.node;
    read_packed(w, n.views[4]);
    c = std::move(n);
    return true;
  }

  // Rows of a constant matrix, dense, by one index that may not be negative.
  static bool is_embedding(const PlannedCall& c) {
    if (!c.is<IndexArgs>() || !context().kernels->packed_embedding) return false;
    const IndexArgs& a = c.as<IndexArgs>();
    const PlannedView &out = c.views[0], &row = c.views[1], &index = c.views[2];
    return !a.put && a.no_negative && a.n_index == 1 && row.place.kind == Place::Constant &&
           float_view(row) && float_view(out) && row.sizes.size() == 1 && row.contiguous() &&
           a.step[0] == row.sizes[0] && out.contiguous() && index.contiguous() &&
           out.numel() == index.numel() * row.sizes[0] && !out.place.same_storage(index.place);
  }
  // An embedding that is a layer's weight too is read from the packed form, so that it is in memory
  // once: w, packed as `packed`, has its rows as columns.
  void read_packed(const PlannedView& w, const PlannedView& packed) {
    const auto found = embeddings_.find(w.place.index);
    if (found == embeddings_.end() || read_plainly_.count(w.place.index)) return;
    for (size_t i : found->second) {
      PlannedCall& c = p_.calls[i];
      if (!c.is<IndexArgs>()) continue;
      const PlannedView &row = c.views[1], &index = c.views[2];
      if (!(row.place == w.place) || row.sizes[0] != w.sizes[0] || w.strides[0] != 1 ||
          w.strides[1] != w.sizes[0] || c.as<IndexArgs>().size[0] != w.sizes[1])
        continue;
      PlannedCall n = planned_call(PackedEmbeddingArgs{});
      n.views[0] = c.views[0];
      n.views[0].sizes = {index.numel(), row.sizes[0]};
      n.views[0].strides = {row.sizes[0], 1};
      n.views[1] = index;
      n.views[1].sizes = {index.numel()};
      n.views[1].strides = {1};
      n.views[2] = packed;
      n.node = c.node;
      c = std::move(n);
    }
  }
  static bool dense_vector(const PlannedView& v) {
    return float_view(v) && v.sizes.size() == 1 && (v.strides[0] == 1 || v.sizes[0] == 1);
  }

  void pack_quantized(PlannedCall& c) {
    const Kernels& k = *context().kernels;
    const PlannedView& weight = c.views[2];
    if (!k.pack_quantized || weight.place.kind != Place::Constant) return;
    QuantizedConvArgs args = c.as<QuantizedConvArgs>();
    auto sizes_only = [](const PlannedView& v, TensorView& to) {
      to.sizes = v.sizes.data(), to.strides = v.strides.data();
      to.ndim = static_cast<int32_t>(v.sizes.size());
      to.dtype = v.dtype;
    };
    sizes_only(c.views[0], args.out);
    sizes_only(c.views[1], args.in);
    sizes_only(weight, args.weight);
    PlannedView packed;
    if (pack(weight, "quantized/" + std::to_string(args.groups), k.packed_quantized_bytes(args),
             packed, [&](const TensorView& plain, void* memory) {
               QuantizedConvArgs with = args;
               with.weight = plain;
               k.pack_quantized(with, memory);
             }))
      c.views[6] = packed;
  }

  // [N, C, L] is [N, C, 1, L].
  static PlannedView picture(const PlannedView& v) {
    PlannedView to = v;
    if (v.sizes.size() == 3) {
      to.sizes = {v.sizes[0], v.sizes[1], 1, v.sizes[2]};
      to.strides = {v.strides[0], v.strides[1], v.sizes[2] * v.strides[2], v.strides[2]};
    }
    return to;
  }

  bool make_conv(PlannedCall& c) {
    const Kernels& k = *context().kernels;
    if (!k.prepared_conv || !k.choose_conv) return false;
    const ConvArgs& a = c.as<ConvArgs>();
    const size_t nd = c.views[1].sizes.size();
    if (a.transposed || (nd != 3 && nd != 4)) return false;
    const PlannedView& weight = c.views[2];
    for (size_t i = 0; i < 4; ++i)
      if (!c.views[i].absent() && !float_view(c.views[i])) return false;
    if (weight.place.kind != Place::Constant || !weight.contiguous()) return false;
    if (!c.views[3].absent() && !dense_vector(c.views[3])) return false;
    if (c.views[0].numel() == 0 || c.views[1].numel() == 0) return false;
    if (c.views[0].place.same_storage(c.views[1].place)) return false;

    PreparedConvArgs args{};
    PlannedCall n = planned_call(args);
    n.views[0] = picture(c.views[0]);
    n.views[1] = picture(c.views[1]);
    n.views[3] = c.views[3];
    PlannedView w = picture(weight);
    for (int d = 0; d < 2; ++d) {
      const int from = nd == 4 ? d : d - 1;
      args.stride[d] = from < 0 ? 1 : a.stride[from];
      args.padding[d] = from < 0 ? 0 : a.padding[from];
      args.dilation[d] = from < 0 ? 1 : a.dilation[from];
    }
    args.groups = a.groups;
    // The kernel's choice goes by the sizes.
    auto sizes_only = [](const PlannedView& v, TensorView& to) {
      to.sizes = v.sizes.data(), to.strides = v.strides.data();
      to.ndim = 4;
      to.dtype = v.dtype;
    };
    sizes_only(n.views[0], args.out);
    sizes_only(n.views[1], args.in);
    sizes_only(w, args.weight);
    const ConvChoice choice = k.choose_conv(args);
    if (choice.algorithm < 0) return false;
    args.algorithm = choice.algorithm;
    std::string form = "conv" + std::to_string(choice.algorithm) + '/' +
                       std::to_string(args.groups) + '/' + std::to_string(choice.packed_bytes);
    if (!pack(w, form, choice.packed_bytes, n.views[4], [&](const TensorView& plain, void* memory) {
          PreparedConvArgs with = args;
          with.weight = plain;
          k.pack_conv(with, memory);
        }))
      return false;
    auto& made = n.as<PreparedConvArgs>();
    std::copy(args.stride, args.stride + 2, made.stride);
    std::copy(args.padding, args.padding + 2, made.padding);
    std::copy(args.dilation, args.dilation + 2, made.dilation);
    made.groups = args.groups;
    made.algorithm = args.algorithm;
    n.plain_input = choice.plain_input;
    n.node = c.node;
    c = std::move(n);
    return true;
  }

  // ---- what follows ----

  // Both take all of one memory in one order.
  static bool same_elements(const PlannedView& a, const PlannedView& b) {
    if (!(a.place == b.place) || a.dtype != b.dtype || a.numel() != b.numel()) return false;
    if (a.contiguous() && b.contiguous()) return true;
    return a.sizes == b.sizes && a.strides == b.strides;
  }
  // b, beside a product's result of the same form as `like`.
  static bool same_form(const PlannedView& b, const PlannedView& like) {
    if (b.absent() || !float_view(b) || b.numel() != like.numel()) return false;
    return (b.contiguous() && like.contiguous()) ||
           (b.sizes == like.sizes && b.strides == like.strides);
  }

  // The step that call c is, of which view `from` is the product's result.
  std::optional<Step> step_of(const PlannedCall& c, const PlannedView& result) const {
    if (c.is<UnaryArgs>()) {
      if (!same_elements(c.views[1], result) || !same_form(c.views[0], c.views[1]))
        return std::nullopt;
      return activation_of(c.as<UnaryArgs>());
    }
    if (!c.is<BinaryArgs>()) return std::nullopt;
    const BinaryArgs& b = c.as<BinaryArgs>();
    if (b.op != Binary::add || b.scale.d != 1 || b.compute != Compute::F32) return std::nullopt;
    for (size_t i : {1, 2}) {
      const size_t other = 3 - i;
      if (c.views[other].absent() || !same_elements(c.views[i], result)) continue;
      if (!same_form(c.views[0], c.views[i])) continue;
      if (c.views[other].place.same_storage(result.place)) continue;
      Step s{Step::Residual};
      s.operand = other;
      if (same_form(c.views[other], c.views[i])) return s;
      // A vector for all rows.
      const PlannedView& v = c.views[other];
      s.kind = Step::Bias;
      bool vector = float_view(v) && v.sizes == c.views[i].sizes && !v.sizes.empty() &&
                    v.strides.back() == 1 && v.sizes.back() == result.sizes.back();
      for (size_t d = 0; vector && d + 1 < v.sizes.size(); ++d)
        vector = v.strides[d] == 0 || v.sizes[d] == 1;
      if (vector) return s;
    }
    return std::nullopt;
  }

  template <class A>
  void extend(size_t at) {
    while (std::optional<size_t> next = fuse_next<A>(at)) at = *next;
  }

  // Takes the next call that touches the product's result into it; where the product then stands.
  template <class A>
  std::optional<size_t> fuse_next(size_t at) {
    constexpr size_t kResidual = 2, kBias = 3;
    PlannedCall& product = p_.calls[at];
    const PlannedView result = product.views[0];
    if (result.place.kind != Place::Arena) return std::nullopt;
    const std::optional<size_t> found = touches_.next(result, at);
    if (!found) return std::nullopt;
    const size_t next = *found;
    PlannedCall& c = p_.calls[next];
    std::optional<Step> step = step_of(c, result);
    if (!step) return std::nullopt;

    const PlannedView& out = c.views[0];
    const bool in_place = out.place == result.place;
    if (!in_place && out.place.same_storage(result.place)) return std::nullopt;
    // Nobody else may need what the product wrote.
    if (!in_place && !touches_.last(result, next)) return std::nullopt;
    Epilogue& then = product.as<A>().then;
    switch (step->kind) {
      case Step::Activate:
        if (then.act != Activation::none || then.residual_last) return std::nullopt;
        break;
      case Step::Residual:
        if (!product.views[kResidual].absent()) return std::nullopt;
        break;
      case Step::Bias:
        if (!std::is_same_v<A, LinearArgs> || !product.views[kBias].absent() ||
            !product.views[kResidual].absent() || then.act != Activation::none)
          return std::nullopt;
    }
    // The product now runs at `next`, and writes out.
    if (p_.operands_change(product, at + 1, next)) return std::nullopt;
    for (size_t i = 1; i < product.views.size(); ++i)
      if (product.views[i].place.same_storage(out.place) && !product.views[i].absent() &&
          !(i == kResidual && product.views[i].place == out.place))
        return std::nullopt;

    PlannedCall fused = std::move(product);
    Epilogue& f = fused.as<A>().then;
    switch (step->kind) {
      case Step::Activate: f.act = step->act, f.p = step->p, f.q = step->q; break;
      case Step::Residual: {
        f.residual_last = f.act != Activation::none;
        PlannedView& r = fused.views[kResidual];
        r = fused.views[0];
        r.place = c.views[step->operand].place;
        break;
      }
      case Step::Bias: {
        PlannedView& b = fused.views[kBias];
        const PlannedView& v = c.views[step->operand];
        b.place = v.place, b.dtype = v.dtype;
        b.sizes = {v.sizes.back()};
        b.strides = {1};
      }
    }
    fused.views[0].place = out.place;
    p_.calls[at] = PlannedCall{};
    p_.calls[next] = std::move(fused);
    touches_.replaced(next);
    return next;
  }

  PlannedProgram& p_;
  PackedWeights& weights_;
  Touches touches_;
  std::unordered_set<uint32_t> read_plainly_;  // constants
  // Of a constant: the calls that read its rows.
  std::unordered_map<uint32_t, std::vector<size_t>> embeddings_;
};

}  // namespace

void fuse_products(PlannedProgram& p, PackedWeights& weights) { Fusion(p, weights).fuse_floats(); }
void pack_quantized(PlannedProgram& p, PackedWeights& weights) { Fusion(p, weights).pack_bytes(); }

}  // namespace sconce
