// SPDX-License-Identifier: Apache-2.0
#include "loader/script/native_classes.h"

namespace sconce::script {

namespace {

struct Row {
  const char *name, *methods;
};

#define SCONCE_CONV_METHODS(N)                             \
  "def unpack(self) -> Tuple[Tensor, Optional[Tensor]]:\n" \
  "  return ops.quantized.conv" N                          \
  "_unpack(self)\n"                                        \
  "def weight(self) -> Tensor:\n"                          \
  "  return (ops.quantized.conv" N                         \
  "_unpack(self))[0]\n"                                    \
  "def bias(self) -> Optional[Tensor]:\n"                  \
  "  return (ops.quantized.conv" N                         \
  "_unpack(self))[1]\n"                                    \
  "def stride(self) -> List[int]:\n"                       \
  "  return ops.quantized.conv" N                          \
  "_stride(self)\n"                                        \
  "def padding(self) -> List[int]:\n"                      \
  "  return ops.quantized.conv" N                          \
  "_padding(self)\n"                                       \
  "def output_padding(self) -> List[int]:\n"               \
  "  return ops.quantized.conv" N                          \
  "_output_padding(self)\n"                                \
  "def dilation(self) -> List[int]:\n"                     \
  "  return ops.quantized.conv" N                          \
  "_dilation(self)\n"                                      \
  "def groups(self) -> int:\n"                             \
  "  return ops.quantized.conv" N                          \
  "_groups(self)\n"                                        \
  "def transpose(self) -> bool:\n"                         \
  "  return torch.ne(ops.quantized.conv" N "_transpose(self), 0)\n"

constexpr Row kRows[] = {
    {"quantized.LinearPackedParamsBase",
     "def unpack(self) -> Tuple[Tensor, Optional[Tensor]]:\n"
     "  return ops.quantized.linear_unpack(self)\n"
     "def bias(self) -> Optional[Tensor]:\n"
     "  return (ops.quantized.linear_unpack(self))[1]\n"},
    {"quantized.Conv2dPackedParamsBase", SCONCE_CONV_METHODS("2d")},
    {"quantized.Conv3dPackedParamsBase", SCONCE_CONV_METHODS("3d")},
    {"quantized.EmbeddingPackedParamsBase",
     "def unpack(self) -> Tensor:\n"
     "  return ops.quantized.embedding_bag_unpack(self)\n"
     // quint8 is the number 13; quint4x2 and quint2x4 are 16 and 17.
     "def bit_rate(self) -> int:\n"
     "  t = ops.prim.dtype(ops.quantized.embedding_bag_unpack(self))\n"
     "  if torch.eq(t, 13):\n"
     "    bits = 8\n"
     "  else:\n"
     "    if torch.eq(t, 16):\n"
     "      bits = 4\n"
     "    else:\n"
     "      bits = 2\n"
     "  return bits\n"
     "def version(self) -> int:\n"
     "  return 1\n"},
    {"rnn.CellParamsBase", ""},
    {"xnnpack.LinearOpContext", ""},
    {"xnnpack.Conv2dOpContext", ""},
    {"xnnpack.TransposeConv2dOpContext", ""},
    // Android's accelerator: modules that use it load, and say so when they reach it.
    {"_nnapi.Compilation",
     "def __init__(self) -> None:\n"
     "  pass\n"
     "def init(self, serialized: Tensor, weights: List[Tensor]) -> None:\n"
     "  raise RuntimeError(\"NNAPI is not available\")\n"
     "def init2(self, serialized: Tensor, weights: List[Tensor], preference: int, relax: bool) -> "
     "None:\n"
     "  raise RuntimeError(\"NNAPI is not available\")\n"
     "def run(self, inputs: List[Tensor], outputs: List[Tensor]) -> None:\n"
     "  raise RuntimeError(\"NNAPI is not available\")\n"},
    {"profiler._RecordFunction", ""},
};

}  // namespace

const char* native_methods(std::string_view name) {
  for (const Row& r : kRows)
    if (name == r.name) return r.methods;
  return nullptr;
}

}  // namespace sconce::script
