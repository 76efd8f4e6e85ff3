// SPDX-License-Identifier: Apache-2.0
// cuda:: operators: devices and streams as models name them. A device has one queue of work, so
// choosing streams changes nothing; all that asks for a device raises where there is none.
#include "ops/tensor_ops.h"
#include "sconce/device.h"

namespace sconce::ops {

namespace {

// Of an index or a device; None is the current one.
Device cuda_device(const IValue& v) {
  Device d = v.isDevice() ? v.toDevice() : Device{};
  if (v.isDevice() && d.type != DeviceType::CUDA)
    raise<OpError>("Expected a cuda device, but got: ", d.str());
  d.type = DeviceType::CUDA;
  if (v.isInt()) d.index = static_cast<int8_t>(v.toInt());
  if (d.index < 0) d.index = 0;
  return d;
}
void synchronize(Call& c) {
  find_device(cuda_device(c.n_in() ? c.in(0) : IValue()))->synchronize();
}
// The plan makes the object.
void stream(Call& c) {
  find_device(cuda_device(c.in(0)));
  c.out(0, IValue());
}
void current_device(Call& c) {
  find_device(cuda_device(IValue()));
  c.out(0, int64_t{0});
}
void device_count(Call& c) { c.out(0, int64_t{cuda_device_count()}); }
void device_index(Call& c) { c.out(0, static_cast<int64_t>(cuda_device(c.in(0)).index)); }
// Gives the device that was current before.
void exchange_device(Call& c) {
  if (c.in(0).toInt() >= 0) find_device(cuda_device(c.in(0)));
  c.out(0, int64_t{c.in(0).toInt() < 0 ? -1 : 0});
}
void set_device(Call& c) {
  if (c.in(0).toInt() >= 0) find_device(cuda_device(c.in(0)));
}
void set_stream(Call&) {}

constexpr OpDef kOps[] = {
    // clang-format off
    raw("cuda::synchronize", synchronize), raw("cuda::synchronize.device", synchronize), raw("cuda::synchronize.int", synchronize),
    raw("cuda::current_stream.device", stream), raw("cuda::current_stream.int", stream), raw("cuda::default_stream.device", stream), raw("cuda::default_stream.int", stream),
    raw("cuda::_current_device", current_device), raw("cuda::device_count", device_count), raw("cuda::device_index", device_index),
    raw("cuda::_exchange_device", exchange_device), raw("cuda::_maybe_exchange_device", exchange_device), raw("cuda::_set_device", set_device), raw("cuda::set_stream", set_stream),
    // clang-format on
};

}  // namespace

extern const OpTable::RowList kStreamOps;
const OpTable::RowList kStreamOps = rows_in_build<kOps>();

}  // namespace sconce::ops
