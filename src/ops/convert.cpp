// SPDX-License-Identifier: Apache-2.0
// The same elements as another dtype, in another memory order, on another device.
#include "ops/channels_last.h"

namespace sconce::ops {

namespace {

Tensor contiguous_format(const Tensor& t, int64_t format) {
  if (format == 2) {
    if (t.dim() != 4) raise<OpError>("required rank 4 tensor to use channels_last format");
    if (t.is_channels_last()) return t;
    auto s = t.sizes();
    Tensor r = empty_strided(s, channels_last_strides(s), t.dtype());
    copy_to(r, t);
    return r;
  }
  if (format == 1 && !t.is_contiguous())
    raise<OpError>("preserve memory format is unsupported by the contiguous operator");
  return contiguous(t);
}

}  // namespace

Tensor clone_format(const Tensor& t, OptInt format) {
  if (!format || *format == 1) return clone(t);
  Tensor r = *format == 2 ? contiguous_format(t, 2) : contiguous(t);
  return r.is_same(t) ? clone(t) : r;
}
Tensor on_device(const Tensor& t, const DeviceRuntime* device) {
  const DeviceRuntime* from = t.impl()->storage->device();
  if (from == device) return t;
  DeviceScope scope(from);
  return copy_extent(is_dense(t) ? t : contiguous(t), device);
}

namespace {

bool is_contiguous(const Tensor& t) { return t.is_contiguous(); }
bool is_contiguous_format(const Tensor& t, int64_t f) {
  return f == 2 ? t.is_channels_last() : t.is_contiguous();
}
Tensor to_impl(const Tensor& t, OptInt dtype, bool copy, OptInt format) {
  ScalarType d = dtype_or(dtype, t.dtype());
  Tensor r = cast(t, d);
  if (format && *format == 2) r = contiguous_format(r, 2);
  if (format && *format == 0) r = contiguous(r);
  return copy && r.is_same(t) ? clone(r) : r;
}
// Every overload of aten::to: the arguments by their kinds.
void to(Call& c) {
  const Tensor& t = tensor_in(c, 0);
  const FunctionSchema& s = c.op()->schema();
  OptInt dtype, format;
  bool copy = false;
  const DeviceRuntime* device = t.impl()->storage->device();
  for (uint32_t i = 1; i < c.n_in(); ++i) {
    const std::string& n = s.arguments[i].name;
    const IValue& v = c.in(i);
    if (v.isNone()) continue;
    if (n == "dtype" && v.isInt()) dtype = v.toInt();
    if (n == "device") device = find_device(v.toDevice());
    if (n == "copy") copy = v.toBool();
    if (n == "memory_format") format = v.toInt();
    if (n == "other" && v.isTensor()) {
      dtype = static_cast<int64_t>(tensor_of(v).dtype());
      device = tensor_of(v).impl()->storage->device();
    }
  }
  Tensor there = on_device(t, device);
  DeviceScope scope(device);
  c.out(0, to_impl(there, dtype, copy && there.is_same(t), format));
}
Tensor type_as(const Tensor& t, const Tensor& o) {
  const DeviceRuntime* device = o.impl()->storage->device();
  Tensor there = on_device(t, device);
  DeviceScope scope(device);
  return cast(there, o.dtype());
}
Tensor to_cpu(const Tensor& t) { return on_device(t, nullptr); }
Tensor to_cuda(const Tensor& t) { return on_device(t, find_device({DeviceType::CUDA, 0})); }

// What the autocast pass inserts: the flag and the dtype of the tensor's device count.
Tensor to_reduced_precision(const Tensor& t, bool cuda_enabled, bool cpu_enabled,
                            int64_t cuda_dtype, int64_t cpu_dtype) {
  bool cuda = t.device().type == DeviceType::CUDA, cpu = t.device().type == DeviceType::CPU;
  if (t.dtype() != kFloat || !((cuda && cuda_enabled) || (cpu && cpu_enabled))) return t;
  return cast(t, to_scalar_type(cuda ? cuda_dtype : cpu_dtype));
}
Tensor to_full_precision(const Tensor& t, bool cuda_enabled, bool cpu_enabled) {
  bool cuda = t.device().type == DeviceType::CUDA, cpu = t.device().type == DeviceType::CPU;
  bool half = t.dtype() == kHalf || t.dtype() == kBFloat16;
  return half && ((cuda && cuda_enabled) || (cpu && cpu_enabled)) ? cast(t, kFloat) : t;
}
// The dtype that a device's operators are cast to when nobody says which.
int64_t autocast_dtype(const std::string& device) {
  std::string kind = device.substr(0, device.find(':'));
  Device::parse(kind);
  for (const char* half : {"cuda", "mps", "xpu", "ipu", "mtia", "privateuseone"})
    if (kind == half) return static_cast<int64_t>(kHalf);
  for (const char* brain : {"cpu", "xla", "hpu", "maia"})
    if (kind == brain) return static_cast<int64_t>(kBFloat16);
  return 46;  // PyTorch's number of no dtype
}

constexpr OpDef kOps[] = {
    // clang-format off
    op<to_reduced_precision>("aten::_autocast_to_reduced_precision"), op<to_full_precision>("aten::_autocast_to_full_precision"), op<autocast_dtype>("aten::get_autocast_dtype"),
    op<contiguous_format>("aten::contiguous"), op<clone_format>("aten::clone"), op<is_contiguous>("aten::is_contiguous"), op<is_contiguous_format>("aten::is_contiguous.memory_format"),
    op<to_cpu>("aten::cpu"), op<to_cuda>("aten::cuda"),
    raw("aten::to.dtype", to), raw("aten::to.dtype_layout", to), raw("aten::to.device", to), raw("aten::to.other", to), raw("aten::to.prim_Device", to), raw("aten::to.prim_dtype", to), raw("aten::to.prim_other", to), raw("aten::_to_copy", to), op<type_as>("aten::type_as"),
    // clang-format on
};

}  // namespace

extern const OpTable::RowList kConvertOps;
const OpTable::RowList kConvertOps = rows_in_build<kOps>();

}  // namespace sconce::ops
