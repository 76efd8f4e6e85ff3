// SPDX-License-Identifier: Apache-2.0
// Kernels for bytes, on every instruction set: exact sums, whatever the sizes, layouts, groups,
// zero points and numbers of threads; and the layers that use them.
#include <catch2/catch.hpp>
#include <cmath>

#include "api/runtime.h"
#include "kernel_tables.h"
#include "sconce/sconce.h"

using namespace sconce;
using namespace sconce::test;

namespace {

// Bytes with a margin that nothing may be written to.
struct Bytes8 {
  Bytes8(std::vector<int64_t> s, ScalarType t, bool channels_last = false)
      : sizes(std::move(s)), strides(sizes.size()), dtype(t) {
    int64_t n = 1;
    std::vector<size_t> order;
    for (size_t d = 0; d < sizes.size(); ++d) order.push_back(d);
    if (channels_last && sizes.size() > 1) {
      order.erase(order.begin() + 1);
      order.push_back(1);
    }
    for (size_t i = order.size(); i-- > 0; n *= sizes[order[i]]) strides[order[i]] = n;
    data.assign(static_cast<size_t>(n) + 2 * kMargin, 77);
  }
  int64_t numel() const {
    int64_t n = 1;
    for (int64_t s : sizes) n *= s;
    return n;
  }
  uint8_t& raw(const std::vector<int64_t>& at) {
    int64_t place = 0;
    for (size_t d = 0; d < at.size(); ++d) place += at[d] * strides[d];
    return data[static_cast<size_t>(place) + kMargin];
  }
  int value(const std::vector<int64_t>& at) {
    return dtype == ScalarType::QInt8 ? static_cast<int8_t>(raw(at)) : raw(at);
  }
  void random(Numbers& next) {
    for (size_t i = kMargin; i + kMargin < data.size(); ++i)
      data[i] = static_cast<uint8_t>(static_cast<int>((next() + 1) * 128));
  }
  TensorView view() {
    TensorView v;
    v.data = data.data() + kMargin;
    v.sizes = sizes.data(), v.strides = strides.data();
    v.ndim = static_cast<int32_t>(sizes.size());
    v.dtype = dtype;
    return v;
  }
  bool intact() const {
    for (size_t i = 0; i < kMargin; ++i)
      if (data[i] != 77 || data[data.size() - 1 - i] != 77) return false;
    return true;
  }
  static constexpr size_t kMargin = 3;
  std::vector<int64_t> sizes, strides;
  ScalarType dtype;
  std::vector<uint8_t> data;
};

struct Case {
  std::vector<int64_t> in, weight;  // [N, C, ...], [O, C / groups, ...]
  int64_t groups = 1, stride = 1, padding = 0, dilation = 1;
  bool last = false;  // the input's channels side by side
  bool out_last = true;
  ScalarType type = ScalarType::QUInt8, weight_type = ScalarType::QInt8;
  bool by_channel = false, zeros = false, relu = false, is_float = false;
};

void check(const Case& c) {
  Numbers next;
  const size_t n = c.in.size() - 2;
  std::vector<int64_t> out{c.in[0], c.weight[0]};
  for (size_t d = 0; d < n; ++d)
    out.push_back(
        (c.in[d + 2] + 2 * c.padding - c.dilation * (c.weight[d + 2] - 1) - 1) / c.stride + 1);
  Bytes8 x(c.in, c.type, c.last), w(c.weight, c.weight_type);
  x.random(next), w.random(next);
  std::vector<double> scales, zeros, bias;
  const int middle = c.weight_type == ScalarType::QUInt8 ? 128 : 0;
  for (int64_t o = 0; o < c.weight[0]; ++o) {
    scales.push_back(0.001 * (1 + static_cast<double>(o % 7)));
    zeros.push_back(middle + (c.zeros ? static_cast<double>(o % 5 - 2) : 0));
    bias.push_back(static_cast<double>(next()));
  }
  int64_t channels[1] = {c.weight[0]}, one[1] = {1};
  auto numbers = [&](std::vector<double>& v) {
    TensorView t;
    t.data = v.data(), t.sizes = channels, t.strides = one, t.ndim = 1, t.dtype = kDouble;
    return t;
  };
  QuantizedConvArgs a{};
  a.in = x.view(), a.weight = w.view(), a.bias = numbers(bias);
  if (c.by_channel) a.scales = numbers(scales);
  if (c.by_channel) a.zeros = numbers(zeros);
  a.in_scale = 0.05, a.weight_scale = 0.002, a.out_scale = 0.3;
  a.in_zero = c.type == ScalarType::QInt8 ? -3 : 117;
  a.weight_zero = middle + (c.zeros && !c.by_channel ? 2 : 0), a.out_zero = 5;
  for (size_t d = 0; d < n; ++d)
    a.stride[d] = c.stride, a.padding[d] = c.padding, a.dilation[d] = c.dilation;
  a.groups = c.groups, a.relu = c.relu;

  // In the order of the sizes.
  std::vector<float> expected;
  std::vector<std::vector<int64_t>> places;
  int64_t answers = 1, taps = 1;
  for (int64_t s : out) answers *= s;
  for (size_t d = 2; d < c.weight.size(); ++d) taps *= c.weight[d];
  for (int64_t i = 0; i < answers; ++i) {
    std::vector<int64_t> at(out.size());
    for (size_t d = out.size(), rest = static_cast<size_t>(i); d-- > 0;
         rest /= static_cast<size_t>(out[d]))
      at[d] = static_cast<int64_t>(rest % static_cast<size_t>(out[d]));
    const int64_t o = at[1], group = o / (c.weight[0] / c.groups);
    const auto zero = static_cast<int64_t>(c.by_channel ? zeros[static_cast<size_t>(o)]
                                                        : static_cast<double>(a.weight_zero));
    int64_t sum = 0;
    for (int64_t ch = 0; ch < c.weight[1]; ++ch)
      for (int64_t t = 0; t < taps; ++t) {
        std::vector<int64_t> xi{at[0], group * c.weight[1] + ch}, wi{o, ch};
        bool inside = true;
        std::vector<int64_t> tap(n);
        for (size_t d = n, rest = static_cast<size_t>(t); d-- > 0;
             rest /= static_cast<size_t>(c.weight[d + 2]))
          tap[d] = static_cast<int64_t>(rest % static_cast<size_t>(c.weight[d + 2]));
        for (size_t d = 0; d < n; ++d) {
          const int64_t p = at[d + 2] * c.stride - c.padding + tap[d] * c.dilation;
          inside = inside && p >= 0 && p < c.in[d + 2];
          xi.push_back(p), wi.push_back(tap[d]);
        }
        if (inside) sum += (x.value(xi) - a.in_zero) * (w.value(wi) - zero);
      }
    const double scale = c.by_channel ? scales[static_cast<size_t>(o)] : a.weight_scale;
    auto y = static_cast<float>(static_cast<double>(sum) * (scale * a.in_scale) +
                                bias[static_cast<size_t>(o)]);
    expected.push_back(c.relu && y < 0 ? 0 : y);
    places.push_back(at);
  }
  const float low = c.type == ScalarType::QInt8 ? -128 : 0, high = low + 255;
  std::vector<std::vector<uint8_t>> all;
  for (const Kernels* k : tables())
    for (int threads : {1, 3})
      for (bool packed : {false, true}) {
        INFO(k->name << ", " << threads << " threads, packed " << packed);
        Bytes8 q(out, c.type, c.out_last);
        Floats f(out);
        a.out = c.is_float ? f.view() : q.view();
        a.packed = {};
        std::vector<uint8_t> memory;
        if (packed) {
          memory.resize(k->packed_quantized_bytes(a) + 64);
          void* to = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64);
          k->pack_quantized(a, to);
          a.packed.data = to;
        }
        with_threads(threads, [&] { k->quantized_conv(a); });
        REQUIRE(q.intact());
        for (size_t i = 0; i < expected.size(); ++i) {
          if (c.is_float) {
            REQUIRE(f.at(static_cast<int64_t>(i)) ==
                    Approx(expected[i]).margin(1e-6).epsilon(1e-6));
            continue;
          }
          const float steps = expected[i] * (1.0f / static_cast<float>(a.out_scale));
          const float y = std::min(std::max(std::nearbyint(steps) + 5, low), high);
          const bool tie = std::abs(std::abs(steps - std::floor(steps)) - 0.5f) < 1e-4f;
          REQUIRE(std::abs(q.value(places[i]) - y) <= (tie ? 1 : 0));
        }
        if (!c.is_float) all.push_back(q.data);
      }
  // The same bytes from every instruction set, but for ties.
  for (auto& one_of : all) CHECK(one_of.size() == all[0].size());
}

}  // namespace

TEST_CASE("products of bytes") {
  for (int64_t m : {1, 3, 5, 6, 13, 100})
    for (int64_t n : {1, 16, 63, 130})
      for (int64_t k : {1, 4, 31, 64, 100})
        check({.in = {m, k},
               .weight = {n, k},
               .by_channel = n % 2 == 0,
               .relu = m == 5,
               .is_float = k == 31});
}

TEST_CASE("convolutions of bytes") {
  for (bool last : {false, true})
    for (bool by_channel : {false, true}) {
      check({.in = {2, 3, 9, 10},
             .weight = {10, 3, 3, 3},
             .stride = 2,
             .padding = 1,
             .last = last,
             .by_channel = by_channel});
      check({.in = {1, 20, 7, 19},
             .weight = {70, 20, 1, 1},
             .last = last,
             .by_channel = by_channel,
             .relu = true});
      check({.in = {1, 32, 6, 6},
             .weight = {17, 32, 3, 3},
             .padding = 2,
             .dilation = 2,
             .last = last,
             .out_last = false,
             .by_channel = by_channel,
             .zeros = true});
      check({.in = {2, 12, 5, 7},
             .weight = {8, 3, 3, 2},
             .groups = 4,
             .padding = 1,
             .last = last,
             .by_channel = by_channel,
             .is_float = true});
      check({.in = {1, 70, 8, 9},
             .weight = {70, 1, 3, 3},
             .groups = 70,
             .padding = 1,
             .last = last,
             .by_channel = by_channel});
      check({.in = {1, 4, 5, 6, 7},
             .weight = {9, 4, 2, 3, 3},
             .padding = 1,
             .last = last,
             .type = ScalarType::QInt8,
             .by_channel = by_channel});
      check({.in = {2, 5, 40},
             .weight = {3, 5, 5},
             .stride = 3,
             .padding = 2,
             .last = last,
             .type = ScalarType::QInt8,
             .weight_type = ScalarType::QUInt8,
             .by_channel = by_channel,
             .zeros = true});
    }
}

TEST_CASE("floats to bytes and back") {
  std::vector<float> x;
  for (int i = -300; i < 300; ++i) x.push_back(static_cast<float>(i) * 0.25f);
  x.insert(x.end(), {1e30f, -1e30f, INFINITY, -INFINITY, 0.0f, -0.0f});
  int64_t sizes[1] = {static_cast<int64_t>(x.size())}, strides[1] = {1};
  auto view = [&](void* data, ScalarType t) {
    TensorView v;
    v.data = data, v.sizes = sizes, v.strides = strides, v.ndim = 1, v.dtype = t;
    return v;
  };
  for (const Kernels* k : tables())
    for (ScalarType t : {ScalarType::QUInt8, ScalarType::QInt8}) {
      std::vector<uint8_t> q(x.size());
      std::vector<float> back(x.size());
      QuantizeArgs a{};
      a.out = view(q.data(), t), a.in = view(x.data(), kFloat);
      a.scale = 0.5, a.zero_point = 3;
      k->quantize(a);
      a.out = view(back.data(), kFloat), a.in = view(q.data(), t);
      a.dequantize = true;
      k->quantize(a);
      const double low = t == ScalarType::QInt8 ? -128 : 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double y =
            std::min(std::max(std::nearbyint(static_cast<double>(x[i]) / 0.5 + 3), low), low + 255);
        REQUIRE((t == ScalarType::QInt8 ? static_cast<int8_t>(q[i]) : q[i]) == y);
        REQUIRE(back[i] == static_cast<float>((y - 3) * 0.5));
      }
    }
}
