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

constexpr NativeClass kClasses[] = {{"quantized.LinearPackedParamsBase", nullptr},
                                    {"quantized.Conv2dPackedParamsBase", nullptr},
                                    {"quantized.Conv3dPackedParamsBase", nullptr},
                                    {"quantized.EmbeddingPackedParamsBase", nullptr},
                                    {"rnn.CellParamsBase", nullptr},
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
