// SPDX-License-Identifier: Apache-2.0
// Resizing by tables of taps that the host makes, and quantisation.
#include <vector>

#include "backends/cuda/gpu.h"
#include "backends/resize_taps.h"

namespace sconce::cuda {

void copy_bytes(int index, void* to, const void* from, size_t nbytes, int kind);

namespace {

// The taps of one dim: those of output o are [first[o], first[o + 1]).
struct Table {
  const int64_t* first;
  const int64_t* at;
  const double* weight;
};
// A table in device memory.
class DeviceTable {
 public:
  DeviceTable(int index, const std::vector<std::vector<Tap>>& taps)
      : taps_(count(taps)),
        outputs_(static_cast<int64_t>(taps.size())),
        memory_(gpu(index), (outputs_ + 1 + taps_) * 8 + taps_ * 8) {
    if (!memory_) return;
    std::vector<int64_t> first{0}, at;
    std::vector<double> weight;
    for (auto& t : taps) {
      for (const Tap& tap : t) {
        at.push_back(tap.at);
        weight.push_back(tap.weight);
      }
      first.push_back(static_cast<int64_t>(at.size()));
    }
    char* p = memory_.get();
    copy_bytes(index, p, first.data(), first.size() * 8, 0);
    copy_bytes(index, p + first.size() * 8, at.data(), at.size() * 8, 0);
    copy_bytes(index, p + (first.size() + at.size()) * 8, weight.data(), weight.size() * 8, 0);
  }
  explicit operator bool() const { return static_cast<bool>(memory_); }
  Table table() const {
    char* p = reachable(memory_.get());
    return {reinterpret_cast<const int64_t*>(p), reinterpret_cast<const int64_t*>(p) + outputs_ + 1,
            reinterpret_cast<const double*>(p) + outputs_ + 1 + taps_};
  }

 private:
  static int64_t count(const std::vector<std::vector<Tap>>& taps) {
    int64_t n = 0;
    for (auto& t : taps) n += static_cast<int64_t>(t.size());
    return n;
  }
  int64_t taps_, outputs_;
  Temporary<char> memory_;
};

// Spatial dims are three; missing ones come first and have one element.
struct Planes {
  View out, in;
  Table table[3];
  int64_t channels, size[3], out_step[3], in_step[3];
  // Splits the number of an output; its offset, and that of its plane in in.
  SCONCE_GPU void place(int64_t i, int64_t (&o)[3], int64_t& to, int64_t& plane) const {
    to = 0;
    for (int d = 2; d >= 0; --d) {
      o[d] = i % size[d];
      i /= size[d];
      to += o[d] * out_step[d];
    }
    const int64_t c = i % channels, n = i / channels;
    to += n * out.strides[0] + c * out.strides[1];
    plane = n * in.strides[0] + c * in.strides[1];
  }
};
template <class T>
struct ResizeNearest {
  Planes p;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t o[3], to, from;
    p.place(i, o, to, from);
    for (int d = 0; d < 3; ++d) from += p.table[d].at[o[d]] * p.in_step[d];
    *reinterpret_cast<T*>(p.out.data + to) = *reinterpret_cast<const T*>(p.in.data + from);
  }
};
// Along the rows first, as the CPU does.
template <class C>
struct ResizeMix {
  Planes p;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t o[3], to, plane;
    p.place(i, o, to, plane);
    const Table &x = p.table[0], &y = p.table[1], &z = p.table[2];
    C sum = 0;
    for (int64_t a = x.first[o[0]]; a < x.first[o[0] + 1]; ++a) {
      C slice = 0;
      for (int64_t b = y.first[o[1]]; b < y.first[o[1] + 1]; ++b) {
        C row = 0;
        for (int64_t c = z.first[o[2]]; c < z.first[o[2] + 1]; ++c)
          row += static_cast<C>(z.weight[c]) *
                 p.in.get<C>(plane + x.at[a] * p.in_step[0] + y.at[b] * p.in_step[1] +
                             z.at[c] * p.in_step[2]);
        slice += static_cast<C>(y.weight[b]) * row;
      }
      sum += static_cast<C>(x.weight[a]) * slice;
    }
    p.out.set<C>(to, sum);
  }
};
bool resize(int index, const ResizeArgs& a) {
  const int nd = a.in.ndim - 2;
  const bool nearest = a.op == Resize::nearest || a.op == Resize::nearest_exact;
  // Integers are mixed in fixed point, on the CPU.
  if (nd < 1 || nd > 3 || (!nearest && !is_floating(a.in.dtype)) || a.in.dtype != a.out.dtype)
    return false;
  if (a.out.numel() == 0) return true;
  Planes p;
  if (!view(a.out, p.out) || !view(a.in, p.in)) return false;
  std::vector<std::vector<Tap>> taps[3];
  for (int e = 0; e < 3; ++e) {
    const int d = e + nd - 3;
    const bool has = d >= 0;
    p.size[e] = has ? a.out.sizes[d + 2] : 1;
    p.out_step[e] = has ? p.out.strides[d + 2] : 0;
    p.in_step[e] = has ? p.in.strides[d + 2] : 0;
    if (has)
      taps[e] = resize_taps(a, a.in.sizes[d + 2], a.out.sizes[d + 2], a.scale[d]);
    else
      taps[e] = {{{0, 1.0}}};
  }
  p.channels = a.in.sizes[1];
  DeviceTable tables[3] = {{index, taps[0]}, {index, taps[1]}, {index, taps[2]}};
  for (int e = 0; e < 3; ++e) {
    if (!tables[e]) return true;
    p.table[e] = tables[e].table();
  }
  Gpu& g = gpu(index);
  const int64_t n = a.out.numel();
  if (nearest) switch (element_size(a.out.dtype)) {
      case 1: for_each(g, n, ResizeNearest<uint8_t>{p}); return true;
      case 2: for_each(g, n, ResizeNearest<uint16_t>{p}); return true;
      case 4: for_each(g, n, ResizeNearest<uint32_t>{p}); return true;
      default: for_each(g, n, ResizeNearest<uint64_t>{p}); return true;
    }
  if (a.in.dtype == kDouble)
    for_each(g, n, ResizeMix<double>{p});
  else
    for_each(g, n, ResizeMix<float>{p});
  return true;
}

// ---- quantisation ----

struct Quantize {
  View out, in, scales, zero_points;  // per channel when scales is given
  double scale, zero_point, lo, hi;
  int axis;
  bool dequantize;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t to = 0, from = 0, channel = 0;
    out.coordinates(i, [&](int d, int64_t k) {
      to += k * out.strides[d];
      from += k * in.strides[d];
      if (d == axis) channel = k;
    });
    double s = scale, zp = zero_point;
    if (scales) {
      s = scales.get<double>(channel * scales.strides[0]);
      zp = zero_points.get<double>(channel * zero_points.strides[0]);
    }
    double v = in.get<double>(from);
    if (dequantize) {
      v = static_cast<double>(static_cast<float>(v - zp) * static_cast<float>(s));
    } else {
      v = static_cast<double>(
              std::nearbyint(static_cast<float>(v) * (1.0f / static_cast<float>(s)))) +
          zp;
      v = v < lo ? lo : v > hi ? hi : v;
    }
    out.set<double>(to, v);
  }
};
// A view of what quantised numbers are stored as.
bool stored(const TensorView& v, View& out) {
  TensorView plain = v;
  if (v.dtype == ScalarType::QUInt8) plain.dtype = kByte;
  if (v.dtype == ScalarType::QInt8) plain.dtype = kChar;
  if (v.dtype == ScalarType::QInt32) plain.dtype = kInt;
  return view(plain, out);
}
bool quantize(int index, const QuantizeArgs& a) {
  Quantize f;
  if (!stored(a.out, f.out) || !stored(a.in, f.in) || !view(a.scales, f.scales) ||
      !view(a.zero_points, f.zero_points))
    return false;
  const ScalarType q = a.dequantize ? a.in.dtype : a.out.dtype;
  f.scale = a.scale;
  f.zero_point = static_cast<double>(a.zero_point);
  f.lo = q == ScalarType::QUInt8 ? 0 : q == ScalarType::QInt8 ? -128 : -2147483648.0;
  f.hi = q == ScalarType::QUInt8 ? 255 : q == ScalarType::QInt8 ? 127 : 2147483647.0;
  f.axis = static_cast<int>(a.axis);
  f.dequantize = a.dequantize;
  for_each(gpu(index), a.out.numel(), f);
  return true;
}

}  // namespace

void add_image(DevicePlugin& p) {
  p.resize = resize;
  p.quantize = quantize;
}

}  // namespace sconce::cuda
