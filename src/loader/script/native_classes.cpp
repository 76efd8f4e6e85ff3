// SPDX-License-Identifier: Apache-2.0
#include "loader/script/native_classes.h"

namespace sconce::script {

namespace {

// Android's accelerator: modules that use it load, and say so when they reach it.
constexpr char kNnapi[] = R"py(
def __init__(self) -> None:
  pass
def init(self, serialized: Tensor, weights: List[Tensor]) -> None:
  raise RuntimeError("NNAPI is not available")
def init2(self, serialized: Tensor, weights: List[Tensor], preference: int, relax: bool) -> None:
  raise RuntimeError("NNAPI is not available")
def run(self, inputs: List[Tensor], outputs: List[Tensor]) -> None:
  raise RuntimeError("NNAPI is not available")
)py";

constexpr char kLinear[] = R"py(
def unpack(self) -> Tuple[Tensor, Optional[Tensor]]:
  return ops.quantized.linear_unpack(self)
def bias(self) -> Optional[Tensor]:
  return (ops.quantized.linear_unpack(self))[1]
)py";
constexpr char kConv2d[] = R"py(
def unpack(self) -> Tuple[Tensor, Optional[Tensor]]:
  return ops.quantized.conv2d_unpack(self)
def weight(self) -> Tensor:
  return (ops.quantized.conv2d_unpack(self))[0]
def bias(self) -> Optional[Tensor]:
  return (ops.quantized.conv2d_unpack(self))[1]
def stride(self) -> List[int]:
  return ops.quantized.conv2d_stride(self)
def padding(self) -> List[int]:
  return ops.quantized.conv2d_padding(self)
def output_padding(self) -> List[int]:
  return ops.quantized.conv2d_output_padding(self)
def dilation(self) -> List[int]:
  return ops.quantized.conv2d_dilation(self)
def groups(self) -> int:
  return ops.quantized.conv2d_groups(self)
def transpose(self) -> bool:
  return torch.ne(ops.quantized.conv2d_transpose(self), 0)
)py";
constexpr char kConv3d[] = R"py(
def unpack(self) -> Tuple[Tensor, Optional[Tensor]]:
  return ops.quantized.conv3d_unpack(self)
def weight(self) -> Tensor:
  return (ops.quantized.conv3d_unpack(self))[0]
def bias(self) -> Optional[Tensor]:
  return (ops.quantized.conv3d_unpack(self))[1]
def stride(self) -> List[int]:
  return ops.quantized.conv3d_stride(self)
def padding(self) -> List[int]:
  return ops.quantized.conv3d_padding(self)
def output_padding(self) -> List[int]:
  return ops.quantized.conv3d_output_padding(self)
def dilation(self) -> List[int]:
  return ops.quantized.conv3d_dilation(self)
def groups(self) -> int:
  return ops.quantized.conv3d_groups(self)
def transpose(self) -> bool:
  return torch.ne(ops.quantized.conv3d_transpose(self), 0)
)py";
// The number of quint8 is 13, of quint4x2 16.
constexpr char kEmbedding[] = R"py(
def unpack(self) -> Tensor:
  return ops.quantized.embedding_bag_unpack(self)
def bit_rate(self) -> int:
  t = ops.prim.dtype(ops.quantized.embedding_bag_unpack(self))
  if torch.eq(t, 13):
    bits = 8
  else:
    if torch.eq(t, 16):
      bits = 4
    else:
      bits = 2
  return bits
def version(self) -> int:
  return 1
)py";

// A device's work is one queue here, so streams need not wait for each other.
constexpr char kCudaStream[] = R"py(
def __init__(self, device: Optional[Device]=None, priority: int=0) -> None:
  self.state = ops.cuda._current_device()
  if device is not None:
    self.state = ops.cuda.device_index(device)
def query(self) -> bool:
  self.synchronize()
  return True
def record_event(self, event: __torch__.torch.classes.cuda.Event) -> __torch__.torch.classes.cuda.Event:
  event.record(self)
  return event
def synchronize(self) -> None:
  ops.cuda.synchronize(self.device_index())
def wait_event(self, event: __torch__.torch.classes.cuda.Event) -> None:
  pass
def wait_stream(self, stream: __torch__.torch.classes.cuda.Stream) -> None:
  pass
def device_index(self) -> int:
  state = self.state
  if isinstance(state, int):
    return state
  return 0
def device_getter(self) -> Device:
  return torch.device("cuda", self.device_index())
def id(self) -> int:
  return 0
)py";
constexpr char kCudaEvent[] = R"py(
def __init__(self, enable_timing: bool=False, blocking: bool=False, interprocess: bool=False) -> None:
  self.state = None
def elapsed_time(self, end: __torch__.torch.classes.cuda.Event) -> float:
  raise RuntimeError("events take no times in sconce")
def query(self) -> bool:
  self.synchronize()
  return True
def record(self, stream: __torch__.torch.classes.cuda.Stream) -> None:
  self.state = stream.device_index()
def synchronize(self) -> None:
  state = self.state
  if isinstance(state, int):
    ops.cuda.synchronize(state)
def wait(self, stream: __torch__.torch.classes.cuda.Stream) -> None:
  pass
)py";

constexpr NativeClass kClasses[] = {{"quantized.LinearPackedParamsBase", kLinear},
                                    {"quantized.Conv2dPackedParamsBase", kConv2d},
                                    {"quantized.Conv3dPackedParamsBase", kConv3d},
                                    {"quantized.EmbeddingPackedParamsBase", kEmbedding},
                                    {"rnn.CellParamsBase", nullptr},
                                    {"xnnpack.LinearOpContext", nullptr},
                                    {"xnnpack.Conv2dOpContext", nullptr},
                                    {"xnnpack.TransposeConv2dOpContext", nullptr},
                                    {"_nnapi.Compilation", kNnapi},
                                    {"profiler._RecordFunction", nullptr},
                                    {"cuda.Stream", kCudaStream},
                                    {"cuda.Event", kCudaEvent}};

}  // namespace

const NativeClass* find_native_class(std::string_view qualified_name) {
  constexpr std::string_view kPrefix = "__torch__.torch.classes.";
  if (qualified_name.substr(0, kPrefix.size()) != kPrefix) return nullptr;
  for (const NativeClass& c : kClasses)
    if (qualified_name.substr(kPrefix.size()) == c.name) return &c;
  return nullptr;
}

}  // namespace sconce::script
