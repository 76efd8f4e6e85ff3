// SPDX-License-Identifier: Apache-2.0
// Bags of embeddings: rows of a table, summed, averaged or maximised bag by bag.
#include "ops/host_memory.h"
#include "ops/tensor_ops.h"

namespace sconce::ops {

namespace {

size_t z(int64_t i) { return static_cast<size_t>(i); }

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
  int64_t n = idx.numel(), bags = static_cast<int64_t>(off.size()) - (last ? 1 : 0);
  if (!last) off.push_back(n);
  Tensor rows = index_select(w, 0, idx);
  if (psw) rows = mul(rows, unsqueeze(*psw, 1));
  auto ids = host_ints(idx);
  Tensor out = empty({bags, w.size(1)}, w.dtype());
  fill(out, Scalar(0));
  Interrupt interrupt;
  for (int64_t b = 0; b < bags; ++b) {
    interrupt.passed(64);
    ExpectViews views(off[z(b + 1)] - off[z(b)]);
    std::vector<int64_t> keep;
    for (int64_t i = off[z(b)]; i < off[z(b + 1)]; ++i)
      if (!padding || ids[z(i)] != (*padding < 0 ? *padding + w.size(0) : *padding))
        keep.push_back(i);
    if (keep.empty()) continue;
    TensorList parts;
    for (int64_t i : keep) {
      views.passed();
      parts.push_back(narrow(rows, 0, i, 1));
    }
    Tensor bag = cat(parts, 0);
    Tensor r = mode == 2   ? reduce(Reduce::max, bag, {0}, false, w.dtype(), w.dtype())
               : mode == 1 ? mean_dim(bag, OptInts(IntVec{0}), false, {})
                           : sum_dim(bag, OptInts(IntVec{0}), false, {});
    copy_to(select(out, 0, b), r);
  }
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
