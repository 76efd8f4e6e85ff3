// SPDX-License-Identifier: Apache-2.0
// The list of operator tables.
#include "ops/all_ops.h"

#include "core/selection.h"
#include "ops/aliases.h"
#include "ops/composites.h"

namespace sconce {

namespace ops {
// clang-format off
#define SCONCE_OP_TABLES(X)                                                                       \
  X(kScalarOps)                                                                                   \
  X(kContainerOps)                                                                                \
  X(kStringOps)                                                                                   \
  X(kPointwiseOps) X(kShapeOps) X(kConvertOps) X(kReduceOps) X(kFactoryOps) X(kIndexOps) X(kMatmulOps) X(kNnOps) X(kLossOps) X(kEmbeddingOps) \
      X(kRnnOps) X(kFftOps) X(kLinalgOps) X(kSpecialOps) X(kQuantizedOps) X(kPrepackedOps) X(kImageOps) X(kAudioOps) X(kStreamOps)
// clang-format on
void add_quantized_forms(OpTable& table);
void refuse(OpTable& table);
#define X(t) extern const OpTable::RowList t;
SCONCE_OP_TABLES(X)
#undef X
}  // namespace ops

namespace {
constexpr const char* kAllSchemas[] = {
#include "ops/schemas.inc"
};
constexpr auto& kSchemas = kRowsInBuild<kAllSchemas>;
}  // namespace

std::vector<OpTable::RowList> op_rows() {
#define X(t) ops::t,
  return {SCONCE_OP_TABLES(X)};
#undef X
}

const OpTable* make_op_table() {
  auto& composites = ops::composite_rows();
#define X(t) ops::t,
  std::vector<OpTable::RowList> rows{{composites.data(), composites.size()}, SCONCE_OP_TABLES(X)};
#undef X
  rows.push_back(ops::alias_rows(kSchemas.data(), kSchemas.size(), rows));
  auto* table = new OpTable(kSchemas.data(), kSchemas.size(), rows);
  ops::set_alias_table(*table);
  ops::refuse(*table);
  // Of a build without an operator that makes quantized tensors, nothing is quantized.
  if constexpr (family_in_build("aten::quantize_per") || family_in_build("quantized::"))
    ops::add_quantized_forms(*table);
  return table;
}

}  // namespace sconce
