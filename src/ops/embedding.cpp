// SPDX-License-Identifier: Apache-2.0
// Bags of embeddings: rows of a table, summed, averaged or maximised bag by bag.
#include <cmath>

#include "ops/host_memory.h"
#include "ops/tensor_ops.h"

namespace sconce::ops {

namespace {

std::tuple<Tensor, Tensor, Tensor, Tensor> embedding_bag_full(const Tensor& w, const Tensor& idx,
                                                              const Tensor& offsets, int64_t mode,
                                                              const Tensor* psw, bool last,
                                                              OptInt padding) {
  if (w.dim() != 2) raise<OpError>("embedding_bag: weight has to be a 2D Tensor, got ", w.sizes());
  if (idx.dim() != 1 || offsets.dim() != 1)
    raise<OpError>(
        "embedding_bag: input and offsets have to be 1D Tensors, but got Tensors of dimension ",
        idx.dim(), " and ", offsets.dim());
  if ((idx.dtype() != kLong && idx.dtype() != kInt) ||
      (offsets.dtype() != kLong && offsets.dtype() != kInt))
    raise<OpError>("embedding_bag: indices and offsets have to be int32 or int64");
  if (mode < 0 || mode > 2) raise<OpError>("embedding_bag: mode ", mode, " is not known");
  auto off = host_ints(offsets);
  if (last && off.empty())
    raise<OpError>("include_last_offset: number of offsets should be at least 1");
  for (size_t i = 0; i < off.size(); ++i)
    if (off[i] < (i ? off[i - 1] : 0) || off[i] > idx.numel() || (i == 0 && off[i] != 0))
      raise<OpError>("embedding_bag: offsets have to rise from 0 and end within the ", idx.numel(),
                     " indices, got ", off[i], " at position ", i);
  const int64_t bags = static_cast<int64_t>(off.size()) - (last ? 1 : 0),
                n = last ? off.back() : idx.numel();
  const ScalarType t = w.dtype(), wide = t == kHalf || t == kBFloat16 ? kFloat : t;
  Tensor out = empty({bags, w.size(1)}, wide), count = empty({bags}, kLong);
  fill(out, Scalar(mode == 2 ? -INFINITY : 0.0));
  fill(count, Scalar(0));
  if (n > 0 && bags > 0) {
    // The bag of each index: the last that begins there or before.
    Tensor at = arange_ints(n, kLong), bag = empty({n}, kLong), kept = narrow(idx, 0, 0, n),
           weights = psw ? narrow(*psw, 0, 0, n) : Tensor();
    Tensor starts = cast(narrow(offsets, 0, 0, bags), kLong);
    Tensor b = unsqueeze(starts, 0), v = unsqueeze(at, 0), o = unsqueeze(bag, 0);
    call_slot(SearchArgs{view_of(o), view_of(b), view_of(v), true});
    bag = add_scalar(bag, Scalar(-1), Scalar(1));
    if (padding) {
      const int64_t p = *padding < 0 ? *padding + w.size(0) : *padding;
      Tensor stay =
          select(nonzero(binary_scalar(Binary::ne, kept, Scalar(p), kept.dtype(), kBool)), 1, 0);
      kept = index_select(kept, 0, stay);
      bag = index_select(bag, 0, stay);
      if (psw) weights = index_select(weights, 0, stay);
    }
    if (kept.numel() > 0) {
      Tensor rows = index_select(w, 0, kept), none;
      if (psw) rows = mul(rows, unsqueeze(weights, 1));
      rows = cast(rows, wide);
      Tensor to = expand_to(unsqueeze(bag, 1), rows.sizes());
      if (rows.numel() > 0)
        call_slot(ScatterArgs{view_of(out),
                              view_of(to),
                              view_of(rows),
                              0,
                              mode == 2 ? ScatterMode::amax : ScatterMode::add,
                              {}});
      call_slot(ScatterArgs{view_of(count), view_of(bag), view_of(none), 0, ScatterMode::add,
                            number(Scalar(1))});
    }
  }
  if (mode == 1) out = div(out, unsqueeze(cast(unary(Unary::clamp_min, count, kLong, 1), wide), 1));
  if (mode == 2)
    out = masked_fill(out, unsqueeze(binary_scalar(Binary::eq, count, Scalar(0), kLong, kBool), 1),
                      Scalar(0.0));
  out = cast(out, t);
  Tensor none = empty({0}, kLong);
  return {out, none, none, none};
}
std::tuple<Tensor, Tensor, Tensor, Tensor> embedding_bag(const Tensor& w, const Tensor& i,
                                                         const Tensor& o, bool, int64_t mode, bool,
                                                         const Tensor* psw, bool last) {
  return embedding_bag_full(w, i, o, mode, psw, last, {});
}
std::tuple<Tensor, Tensor, Tensor, Tensor> embedding_bag_padding(const Tensor& w, const Tensor& i,
                                                                 const Tensor& o, bool,
                                                                 int64_t mode, bool,
                                                                 const Tensor* psw, bool last,
                                                                 OptInt p) {
  return embedding_bag_full(w, i, o, mode, psw, last, p);
}

}  // namespace

std::tuple<Tensor, Tensor, Tensor, Tensor> bag_of_embeddings(const Tensor& w, const Tensor& i,
                                                             const Tensor& o, int64_t mode,
                                                             const Tensor* weights, bool last) {
  return embedding_bag_full(w, i, o, mode, weights, last, {});
}

namespace {
constexpr OpDef kOps[] = {
    op<embedding_bag>("aten::embedding_bag"),
    op<embedding_bag_padding>("aten::embedding_bag.padding_idx"),
};
}  // namespace

extern const OpTable::RowList kEmbeddingOps;
const OpTable::RowList kEmbeddingOps = rows_in_build<kOps>();

}  // namespace sconce::ops
