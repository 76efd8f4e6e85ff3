// SPDX-License-Identifier: Apache-2.0
// Attention that was written by hand becomes one call, and every attention writes where its result
// is wanted.
//
//   gemm(out: s[B, L, S], a: q, b: k transposed)
//   binary(out: t, in: s, mul or div by a number)     ->   attention(out: o, q, k, v, mask, scale)
//   binary(out: u, a: t, b: mask, add)
//   softmax(out: p, in: u)
//   gemm(out: o[B, L, D], a: p, b: v)
//
//   attention(out: o); copy(out: c, in: o permuted)   ->   attention(out: c)
//
// Scale and mask may be missing. Each of s, t, u, p is read by the next step alone, and nothing
// that the steps read is written among them. The order of the sums differs from separate products'.
#include <algorithm>
#include <optional>

#include "runtime/lowering/lower.h"

namespace sconce {

namespace {

class Attention {
 public:
  explicit Attention(PlannedProgram& p) : p_(p), touches_(p) {}
  void fuse_all() {
    if (!context().kernels->attention) return;
    for (size_t i = 0; i < p_.calls.size(); ++i)
      if (p_.calls[i].is<SoftmaxArgs>()) fuse(i);
    p_.drop_removed_calls();
  }
  void take_copies() {
    if (!context().kernels->attention) return;
    for (size_t i = 0; i < p_.calls.size(); ++i)
      if (p_.calls[i].is<AttentionArgs>()) take_copy(i);
    p_.drop_removed_calls();
  }

 private:
  // The call that made what `reader` reads as v, when it made all of it and only `reader` needs it.
  std::optional<size_t> maker(const PlannedView& v, size_t reader) const {
    if (v.place.kind != Place::Arena) return std::nullopt;
    std::optional<size_t> before;
    for (uint32_t at : touches_.of(v.place.index)) {
      if (!p_.calls[at].run) continue;
      if (at < reader) before = at;
      // Overwritten by the reader itself, it is another value.
      if (at > reader && !same_place(p_.calls[reader].views[0], v)) return std::nullopt;
    }
    if (!before || p_.storages[v.place.index].output >= 0) return std::nullopt;
    const PlannedView& made = p_.calls[*before].views[0];
    if (!same_place(made, v) || made.numel() != v.numel() || !made.contiguous() || !v.contiguous())
      return std::nullopt;
    return before;
  }
  static bool same_place(const PlannedView& a, const PlannedView& b) { return a.place == b.place; }

  static bool product(const PlannedCall& c) {
    if (!c.is<GemmArgs>()) return false;
    const GemmArgs& g = c.as<GemmArgs>();
    return g.beta == 0 && c.views[3].absent() && c.views[0].dtype == ScalarType::Float;
  }

  // Dims before the last two as one.
  static std::optional<PlannedView> as_batch(const PlannedView& v) {
    const size_t n = v.sizes.size();
    if (n < 2) return std::nullopt;
    PlannedView to = v;
    int64_t size = 1, stride = 0;
    for (size_t d = n - 2; d-- > 0;) {
      if (v.sizes[d] == 1) continue;
      if (size == 1)
        stride = v.strides[d];
      else if (v.strides[d] != stride * size)
        return std::nullopt;
      size *= v.sizes[d];
    }
    to.sizes = {size, v.sizes[n - 2], v.sizes[n - 1]};
    to.strides = {stride, v.strides[n - 2], v.strides[n - 1]};
    return to;
  }

  void fuse(size_t softmax) {
    const PlannedCall& sm = p_.calls[softmax];
    if (sm.as<SoftmaxArgs>().log || sm.views[0].dtype != ScalarType::Float) return;
    // Forward: the product with v.
    const PlannedView& probabilities = sm.views[0];
    if (probabilities.place.kind != Place::Arena) return;
    const std::optional<size_t> next = touches_.next(probabilities, softmax);
    if (!next) return;
    const size_t last = *next;
    const PlannedCall& second = p_.calls[last];
    if (!product(second) || second.as<GemmArgs>().alpha != 1 ||
        !same_place(second.views[1], probabilities) || maker(second.views[1], last) != softmax)
      return;
    // Backward: mask, scale, the product of q and k.
    PlannedCall fused = planned_call(AttentionArgs{});
    double scale = 1;
    bool scaled = false;
    const PlannedView* value = &sm.views[1];
    std::vector<size_t> gone{softmax, last};
    std::optional<size_t> at = maker(*value, softmax);
    while (at && p_.calls[*at].is<BinaryArgs>()) {
      const PlannedCall& c = p_.calls[*at];
      const BinaryArgs& b = c.as<BinaryArgs>();
      if (b.compute != Compute::F32) return;
      const bool number = c.views[2].absent();
      const PlannedView* operand = &c.views[1];
      if (number && b.op == Binary::mul) {
        scale *= b.scalar.d, scaled = true;
      } else if (number && b.op == Binary::div && b.scalar.d != 0) {
        scale /= b.scalar.d, scaled = true;
      } else if (b.op == Binary::add && b.scale.d == 1 && !number && !scaled &&
                 !c.views[1].absent() && fused.views[4].absent()) {
        // Whichever operand is a value of the chain, the other one is the mask.
        const PlannedView* mask = &c.views[2];
        if (!maker(*operand, *at) || !c.views[1].contiguous()) std::swap(operand, mask);
        if (mask->dtype != ScalarType::Float || mask->sizes != c.views[0].sizes) return;
        std::optional<PlannedView> m = as_batch(*mask);
        if (!m) return;
        fused.views[4] = *m;
      } else {
        return;
      }
      if (operand->absent()) return;
      gone.push_back(*at);
      value = operand;
      at = maker(*value, *at);
    }
    if (!at || !product(p_.calls[*at])) return;
    const PlannedCall& first = p_.calls[*at];
    gone.push_back(*at);
    scale *= first.as<GemmArgs>().alpha;

    const PlannedView &q = first.views[1], &kt = first.views[2], &v = second.views[2];
    fused.node = second.node;
    fused.views[0] = second.views[0];
    fused.views[1] = q;
    fused.views[2] = kt;
    fused.views[2].sizes = {kt.sizes[0], kt.sizes[2], kt.sizes[1]};
    fused.views[2].strides = {kt.strides[0], kt.strides[2], kt.strides[1]};
    fused.views[3] = v;
    PlannedView& mask = fused.views[4];
    if (!mask.absent() && mask.sizes[0] == 1) mask.sizes[0] = q.sizes[0];
    const DimVector scores{q.sizes[0], q.sizes[1], kt.sizes[2]};
    if ((!mask.absent() && mask.sizes != scores) || second.views[1].sizes != scores ||
        second.views[0].place.kind != Place::Arena)
      return;
    // The softmax went over keys.
    if (sm.views[1].sizes.empty() || sm.views[1].sizes.back() != scores[2]) return;
    auto& args = fused.as<AttentionArgs>();
    args.scale = scale;
    args.plain_softmax = true;
    if (p_.operands_change(fused, *at, last)) return;
    for (size_t i = 1; i < fused.views.size(); ++i)
      if (fused.views[i].place.same_storage(fused.views[0].place)) return;
    for (size_t k : gone) p_.calls[k] = PlannedCall{};
    p_.calls[last] = std::move(fused);
    touches_.replaced(last);
  }

  // The copy that takes all of an attention's result in another order of dims.
  void take_copy(size_t at) {
    PlannedCall& c = p_.calls[at];
    const PlannedView out = c.views[0];
    if (out.place.kind != Place::Arena || out.sizes.size() != 3 || !out.contiguous()) return;
    const std::optional<size_t> next = touches_.next(out, at);
    if (!next || !p_.calls[*next].is<CopyArgs>() || !touches_.last(out, *next)) return;
    const size_t copy = *next;
    const PlannedView &to = p_.calls[copy].views[0], &from = p_.calls[copy].views[1];
    if (!same_place(from, out) || from.numel() != out.numel() || to.dtype != out.dtype ||
        from.sizes != to.sizes)
      return;
    // Which of the copy's dims are batch, rows and columns.
    PlannedView direct = out;
    direct.place = to.place;
    size_t matched = 0;
    for (size_t d = 0; d < from.sizes.size(); ++d) {
      if (from.sizes[d] == 1) continue;
      size_t k = 0;
      while (k < 3 && !(out.strides[k] == from.strides[d] && out.sizes[k] == from.sizes[d])) ++k;
      if (k == 3) return;
      direct.strides[k] = to.strides[d];
      ++matched;
    }
    for (int64_t n : out.sizes) matched += n == 1;
    if (matched != 3 || (direct.strides[2] != 1 && direct.sizes[2] != 1)) return;
    if (p_.operands_change(c, at + 1, copy)) return;
    for (size_t i = 1; i < c.views.size(); ++i)
      if (c.views[i].place.same_storage(to.place)) return;
    PlannedCall moved = std::move(c);
    moved.views[0] = direct;
    p_.calls[at] = PlannedCall{};
    p_.calls[copy] = std::move(moved);
    touches_.replaced(copy);
  }

  PlannedProgram& p_;
  Touches touches_;
};

}  // namespace

void fuse_attention(PlannedProgram& p, PackedWeights&) { Attention(p).fuse_all(); }
void place_attention(PlannedProgram& p, PackedWeights&) { Attention(p).take_copies(); }

}  // namespace sconce
