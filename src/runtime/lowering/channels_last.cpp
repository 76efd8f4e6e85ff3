// SPDX-License-Identifier: Apache-2.0
// Pictures get their channels last where prepared convolutions make or take them.
//
//   conv(out: a[N, C, H, W])                       a's elements lie as [N, H, W, C]:
//   pool(out: b, in: a)                      ->    every view of a keeps its sizes and gets other
//   conv(out: c, in: b)                            strides, and so does every view of b
//
// Kernels take any strides, so a layout is nothing but the strides of all views of a storage. A
// storage can have its channels last when each of its views can be said so: as steps along images,
// channels and pixels. An answer keeps the layout that was recorded, and so do inputs and whatever
// is looked at across these dims; a copy stands between such a storage and a convolution. A view of
// channels (a concatenation's part, a split's) is a view of channels in either layout.
#include <algorithm>
#include <optional>

#include "runtime/lowering/lower.h"

namespace sconce {

namespace {

// A storage as images, channels and pixels.
struct Base {
  int64_t images = 0, channels = 0, pixels = 0;
  int64_t numel() const { return images * channels * pixels; }
  bool operator==(const Base& o) const {
    return images == o.images && channels == o.channels && pixels == o.pixels;
  }
  // Both layouts are one.
  bool same_in_both() const { return channels == 1 || pixels == 1; }
};

constexpr int64_t kFloat32 = 4;

// What view v is in the other layout; nullopt: it can't be said.
std::optional<PlannedView> with_channels_last(const PlannedView& v, const Base& b) {
  if (v.dtype != ScalarType::Float || v.place.offset % kFloat32 != 0) return std::nullopt;
  const int64_t unit[3] = {b.channels * b.pixels, b.pixels, 1};
  const int64_t size[3] = {b.images, b.channels, b.pixels};
  const int64_t to[3] = {b.channels * b.pixels, 1, b.channels};
  int64_t first = v.place.offset / kFloat32, last[3], offset = 0;
  if (first < 0 || first >= b.numel()) return std::nullopt;
  for (int d = 0; d < 3; ++d) {
    last[d] = first / unit[d];
    first %= unit[d];
    offset += last[d] * to[d];
  }
  PlannedView w = v;
  for (size_t i = 0; i < v.sizes.size(); ++i) {
    const int64_t stride = v.strides[i];
    if (v.sizes[i] == 1 || stride == 0) continue;
    if (stride < 0) return std::nullopt;
    const int d = stride % unit[0] == 0 ? 0 : stride % unit[1] == 0 ? 1 : 2;
    const int64_t step = stride / unit[d];
    last[d] += step * (v.sizes[i] - 1);
    w.strides[i] = step * to[d];
  }
  for (int d = 0; d < 3; ++d)
    if (last[d] >= size[d]) return std::nullopt;
  w.place.offset = offset * kFloat32;
  return w;
}

// What a storage of `nbytes` is when v is all of it, or some channels of all its pixels, in the
// order of the dims.
std::optional<Base> base_of(const PlannedView& v, size_t nbytes) {
  if (v.sizes.size() < 3 || v.sizes.size() > 5 || v.dtype != ScalarType::Float) return std::nullopt;
  Base b{v.sizes[0], 0, 1};
  for (size_t d = v.sizes.size(); d-- > 2;) {
    if (v.sizes[d] != 1 && v.strides[d] != b.pixels) return std::nullopt;
    b.pixels *= v.sizes[d];
  }
  const int64_t image = b.images * b.pixels;
  if (image == 0 || static_cast<int64_t>(nbytes) % (image * kFloat32) != 0) return std::nullopt;
  b.channels = static_cast<int64_t>(nbytes) / (image * kFloat32);
  if ((v.sizes[1] != 1 && v.strides[1] != b.pixels) ||
      (b.images != 1 && v.strides[0] != b.channels * b.pixels))
    return std::nullopt;
  return b;
}

// Strides of [N, C, H, W] with channels last.
DimVector last_strides(const DimVector& s) { return {s[1] * s[2] * s[3], 1, s[1] * s[3], s[1]}; }
bool has_channels_last(const PlannedView& v) {
  const DimVector strides = last_strides(v.sizes);
  for (size_t d = 0; d < 4; ++d)
    if (v.sizes[d] != 1 && v.strides[d] != strides[d]) return false;
  return true;
}

// Calls that are as quick in either layout, and give the layout of what they read to what they
// make.
bool passes_layout_on(const PlannedCall& c) {
  return c.is<UnaryArgs>() || c.is<BinaryArgs>() || c.is<TernaryArgs>() || c.is<PoolArgs>() ||
         c.is<BatchNormArgs>() || c.is<ResizeArgs>() || c.is<CopyArgs>() ||
         c.is<PreparedConvArgs>();
}
bool takes_either(const PlannedCall& c) {
  return passes_layout_on(c) || c.is<ReduceArgs>() || c.is<PadArgs>() || c.is<FillArgs>();
}

class Layouts {
 public:
  explicit Layouts(PlannedProgram& p)
      : p_(p), touches_(p), bases_(p.storages.size()), seen_(p.storages.size()) {}

  void run() {
    for (PlannedCall& c : p_.calls)
      if (c.is<PreparedConvArgs>())
        for (size_t i : {0, 1, 2}) propose(c.views[i]);
    // The layout spreads through what lies between convolutions.
    while (!work_.empty()) {
      const uint32_t s = work_.back();
      work_.pop_back();
      for (uint32_t at : touches_.of(s))
        if (passes_layout_on(p_.calls[at]))
          for (const PlannedView& v : p_.calls[at].views) propose(v);
    }
    for (PlannedCall& c : p_.calls)
      for (PlannedView& v : c.views)
        if (chosen(v)) v = *with_channels_last(v, *bases_[v.place.index]);
    give_convolutions_what_they_take();
  }

 private:
  bool chosen(const PlannedView& v) const {
    return v.place.kind == Place::Arena && v.place.index < bases_.size() && bases_[v.place.index];
  }
  // v's storage gets its channels last, if it can.
  void propose(const PlannedView& v) {
    if (v.place.kind != Place::Arena || seen_[v.place.index]) return;
    const uint32_t s = v.place.index;
    const PlannedStorage& storage = p_.storages[s];
    if (storage.output >= 0) return;
    const std::optional<Base> b = base_of(v, storage.nbytes);
    if (!b) return;  // another view of it may tell
    seen_[s] = true;
    if (b->same_in_both()) return;
    for (uint32_t at : touches_.of(s)) {
      const PlannedCall& c = p_.calls[at];
      for (const PlannedView& w : c.views)
        if (w.place.same_storage(v.place) && !(takes_either(c) && with_channels_last(w, *b)))
          return;
    }
    bases_[s] = b;
    work_.push_back(s);
  }

  PlannedCall copy(const PlannedView& to, const PlannedView& from) {
    PlannedCall c = planned_call(CopyArgs{});
    c.views[0] = to;
    c.views[1] = from;
    return c;
  }
  PlannedView fresh(const PlannedView& like) {
    PlannedView v = like;
    v.place = {Place::Arena, p_.add_storage(static_cast<size_t>(like.numel()) * sizeof(float)), 0};
    v.strides = last_strides(like.sizes);
    return v;
  }

  void give_convolutions_what_they_take() {
    std::vector<PlannedCall> calls;
    calls.reserve(p_.calls.size());
    for (PlannedCall& c : p_.calls) {
      if (!c.is<PreparedConvArgs>()) {
        calls.push_back(std::move(c));
        continue;
      }
      std::optional<PlannedCall> after;
      for (size_t i : {1, 2, 0}) {
        PlannedView& v = c.views[i];
        if (v.absent()) continue;
        if (has_channels_last(v)) {
          v.strides = last_strides(v.sizes);
          continue;
        }
        if (i == 1 && c.plain_input && v.contiguous()) continue;
        PlannedView instead = fresh(v);
        if (i == 0)
          after = copy(v, instead);
        else
          calls.push_back(copy(instead, v));
        v = instead;
      }
      calls.push_back(std::move(c));
      if (after) calls.push_back(std::move(*after));
    }
    p_.calls = std::move(calls);
  }

  PlannedProgram& p_;
  const Touches touches_;
  std::vector<std::optional<Base>> bases_;
  std::vector<bool> seen_;
  std::vector<uint32_t> work_;
};

}  // namespace

void channels_last(PlannedProgram& p, PackedWeights&) { Layouts(p).run(); }

}  // namespace sconce
