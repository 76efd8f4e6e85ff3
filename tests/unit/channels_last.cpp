// SPDX-License-Identifier: Apache-2.0
// Slots on images with channels last give what they give on dense copies, to the bit.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "kernel_tables.h"

using namespace sconce;

namespace {

constexpr float kPoison = -12345.0f;

using test::tables;

enum class Layout { dense, channels_last, slice };  // slice: of more channels
// An image [N, C, H, W] of floats, in the middle of poison.
struct Image {
  std::vector<float> data;
  int64_t size[4], step[4];
  int32_t nd = 4;
  Image(Layout l, int64_t N, int64_t C, int64_t H, int64_t W) : size{N, C, H, W} {
    const int64_t pixel = l == Layout::slice ? C + 5 : C;
    if (l == Layout::dense) {
      const int64_t s[] = {C * H * W, H * W, W, 1};
      std::copy_n(s, 4, step);
    } else {
      const int64_t s[] = {pixel * H * W, 1, pixel * W, pixel};
      std::copy_n(s, 4, step);
    }
    data.assign(static_cast<size_t>(N * pixel * H * W + 2), kPoison);
  }
  float& at(int64_t n, int64_t c, int64_t y, int64_t x) {
    return data[static_cast<size_t>(1 + n * step[0] + c * step[1] + y * step[2] + x * step[3])];
  }
  template <class F>
  void each(F f) {
    for (int64_t n = 0; n < size[0]; ++n)
      for (int64_t c = 0; c < size[1]; ++c)
        for (int64_t y = 0; y < size[2]; ++y)
          for (int64_t x = 0; x < size[3]; ++x) f(at(n, c, y, x));
  }
  Image& random(uint32_t seed, float special = 0) {
    int64_t i = 0;
    each([&](float& v) {
      seed = seed * 1664525u + 1013904223u;
      v = static_cast<float>(static_cast<int32_t>(seed >> 8) % 2000) / 700.0f - 1.4f;
      if (special != 0 && ++i % 7 == 0) v = i % 2 ? special : -0.0f;
    });
    return *this;
  }
  TensorView view() { return {data.data() + 1, size, step, nd, kFloat, nullptr}; }
};
// Where they differ; what isn't the image must be poison.
std::string differ(Image& a, Image& b) {
  std::vector<float> x, y;
  a.each([&](float& v) { x.push_back(std::exchange(v, kPoison)); });
  b.each([&](float& v) { y.push_back(v); });
  for (float v : a.data)
    if (v != kPoison) return "written beyond";
  for (size_t i = 0; i < x.size(); ++i)
    if (std::memcmp(&x[i], &y[i], 4) != 0 && !(std::isnan(x[i]) && std::isnan(y[i])))
      return std::to_string(i) + ": " + std::to_string(x[i]) + " for " + std::to_string(y[i]);
  return "";
}

struct Shape {
  int64_t N, C, H, W;
};
const Shape kShapes[] = {{1, 2, 5, 6},   {2, 7, 6, 5},   {1, 16, 9, 4}, {1, 21, 7, 7},
                         {1, 70, 8, 11}, {2, 133, 3, 5}, {1, 24, 1, 9}};
const Layout kLast[] = {Layout::channels_last, Layout::slice};
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Enough of it that threads share the work.
const Shape kShared[] = {{1, 70, 39, 41}, {3, 24, 50, 31}, {1, 33, 120, 40}};

// call(out, in) on each layout, by one thread and by three, against dense images of the same
// numbers.
void compare(const Shape& s, int64_t oh, int64_t ow, float special,
             const std::function<void(const Kernels&, Image&, Image&)>& call) {
  for (const Kernels* k : tables())
    for (Layout l : kLast) {
      Image in(l, s.N, s.C, s.H, s.W), out(l, s.N, s.C, oh, ow),
          dense(Layout::dense, s.N, s.C, s.H, s.W), want(Layout::dense, s.N, s.C, oh, ow);
      in.random(5, special);
      dense.random(5, special);
      call(*k, want, dense);
      Image shared = out;
      call(*k, out, in);
      test::with_threads(3, [&] { call(*k, shared, in); });
      INFO(k->name << " layout " << static_cast<int>(l) << " of " << s.N << "x" << s.C << "x" << s.H
                   << "x" << s.W << " to " << oh << "x" << ow);
      CHECK(differ(shared, want) == "");
      CHECK(differ(out, want) == "");
    }
}

}  // namespace

TEST_CASE("channels last: threads share the work", "[channels_last][threads]") {
  for (const Shape& s : kShared) {
    for (Pool op : {Pool::max, Pool::avg})
      for (int64_t side : {int64_t{0}, int64_t{1}, int64_t{7}}) {  // 0: windows of 3, steps of 2
        const int64_t oh = side ? side : (s.H - 3) / 2 + 1, ow = side ? side : (s.W - 3) / 2 + 1;
        compare(s, oh, ow, 0, [&, op = op](const Kernels& k, Image& out, Image& in) {
          PoolArgs a{};
          a.out = out.view();
          a.in = in.view();
          a.op = op;
          a.adaptive = side > 0;
          for (int d = 0; d < 3; ++d) a.kernel[d] = 3, a.stride[d] = 2, a.dilation[d] = 1;
          k.pool(a);
        });
      }
    std::vector<float> factors(static_cast<size_t>(s.N * s.C));
    for (size_t i = 0; i < factors.size(); ++i) factors[i] = 0.1f * static_cast<float>(i % 23) + 1;
    const int64_t one[] = {1}, step[] = {s.C, 1, 0, 0};
    compare(s, s.H, s.W, kNan, [&](const Kernels& k, Image& out, Image& in) {
      BinaryArgs a{};
      a.out = out.view();
      a.a = in.view();
      a.b = {factors.data(), in.size, step, 4, kFloat, nullptr};
      a.op = Binary::mul;
      a.compute = Compute::F32;
      a.scale = {1, 1, 0};
      k.binary(a);
    });
    compare(s, s.H, s.W, 0, [&](const Kernels& k, Image& out, Image& in) {
      BatchNormArgs a{};
      a.out = out.view();
      a.in = in.view();
      a.mean = a.var = a.weight = a.bias = {factors.data(), &s.C, one, 1, kFloat, nullptr};
      a.eps = 1e-5;
      k.batch_norm(a);
    });
  }
}

TEST_CASE("channels last: pooling", "[channels_last]") {
  struct Form {
    int64_t kernel, stride, padding, dilation;
    bool include_pad;
    int64_t divisor;
  };
  for (const Form& f :
       {Form{3, 2, 1, 1, true, 0}, Form{2, 2, 0, 1, true, 0}, Form{3, 1, 1, 1, false, 0},
        Form{2, 1, 1, 2, true, 0}, Form{3, 3, 1, 1, true, 5}})
    for (const Shape& s : kShapes)
      for (Pool op : {Pool::max, Pool::avg})
        for (float special : {0.0f, kNan, HUGE_VALF}) {
          if (op == Pool::avg && f.dilation > 1) continue;
          auto size = [&](int64_t in) {
            return (in + 2 * f.padding - f.dilation * (f.kernel - 1) - 1) / f.stride + 1;
          };
          if (size(s.H) < 1 || s.H + 2 * f.padding < f.dilation * (f.kernel - 1) + 1) continue;
          compare(s, size(s.H), size(s.W), special, [&](const Kernels& k, Image& out, Image& in) {
            PoolArgs a{};
            a.out = out.view();
            a.in = in.view();
            a.op = op;
            for (int d = 0; d < 3; ++d) {
              a.kernel[d] = f.kernel, a.stride[d] = f.stride, a.padding[d] = f.padding;
              a.dilation[d] = f.dilation;
            }
            a.count_include_pad = f.include_pad;
            a.divisor = f.divisor;
            k.pool(a);
          });
        }
}

TEST_CASE("channels last: adaptive pooling", "[channels_last]") {
  std::vector<Shape> shapes(std::begin(kShapes), std::end(kShapes));
  shapes.push_back({1, 18, 47, 50});  // sums in double
  for (const Shape& s : shapes)
    for (auto [oh, ow] : {std::pair<int64_t, int64_t>{1, 1}, {3, 1}, {2, 3}, {7, 7}})
      for (Pool op : {Pool::max, Pool::avg})
        compare(s, oh, ow, 0, [&, op = op](const Kernels& k, Image& out, Image& in) {
          PoolArgs a{};
          a.out = out.view();
          a.in = in.view();
          a.op = op;
          a.adaptive = true;
          k.pool(a);
        });
}

TEST_CASE("channels last: batch norm", "[channels_last]") {
  for (const Shape& s : kShapes) {
    std::vector<float> p(static_cast<size_t>(4 * s.C));
    for (size_t i = 0; i < p.size(); ++i) p[i] = 0.3f + 0.01f * static_cast<float>(i * 7 % 50);
    const int64_t one[] = {1};
    auto vec = [&](int64_t i) {
      return TensorView{p.data() + i * s.C, &s.C, one, 1, kFloat, nullptr};
    };
    compare(s, s.H, s.W, 0, [&](const Kernels& k, Image& out, Image& in) {
      BatchNormArgs a{};
      a.out = out.view();
      a.in = in.view();
      a.mean = vec(0);
      a.var = vec(1);
      a.weight = vec(2);
      a.bias = vec(3);
      a.eps = 1e-5;
      k.batch_norm(a);
    });
  }
}

TEST_CASE("channels last: resizing", "[channels_last]") {
  for (const Shape& s : kShapes)
    for (auto [oh, ow] : {std::pair<int64_t, int64_t>{10, 12}, {3, 4}, {9, 5}, {1, 1}})
      for (Resize op : {Resize::nearest, Resize::nearest_exact, Resize::linear, Resize::cubic})
        for (int form = 0; form < 3; ++form)
          compare(s, oh, ow, 0, [&, op = op](const Kernels& k, Image& out, Image& in) {
            ResizeArgs a{};
            a.out = out.view();
            a.in = in.view();
            a.op = op;
            a.align_corners = form == 1 && op >= Resize::linear;
            a.antialias = form == 2 && op >= Resize::linear;
            k.resize(a);
          });
}

TEST_CASE("channels last: padding", "[channels_last]") {
  for (const Shape& s : kShapes)
    for (int32_t mode : {1, 2, 3}) {
      const int64_t top = std::min<int64_t>(2, s.H - 1), left = 3;
      compare(s, s.H + top, s.W + left + 1, 0, [&](const Kernels& k, Image& out, Image& in) {
        PadArgs a{};
        a.out = out.view();
        a.in = in.view();
        a.before[2] = top;
        a.before[3] = left;
        a.mode = mode;
        k.pad(a);
      });
    }
}

TEST_CASE("channels last: a factor for each channel", "[channels_last]") {
  for (const Shape& s : kShapes)
    for (bool first : {false, true})
      for (Binary op : {Binary::mul, Binary::sub, Binary::div}) {
        std::vector<float> factor(static_cast<size_t>(s.N * s.C));
        for (size_t i = 0; i < factor.size(); ++i)
          factor[i] = 0.1f * static_cast<float>(i % 23) - 1;
        const int64_t step[] = {s.C, 1, 0, 0};
        compare(s, s.H, s.W, kNan, [&](const Kernels& k, Image& out, Image& in) {
          BinaryArgs a{};
          const TensorView f{factor.data(), in.size, step, 4, kFloat, nullptr};
          a.out = out.view();
          a.a = first ? f : in.view();
          a.b = first ? in.view() : f;
          a.op = op;
          a.compute = Compute::F32;
          a.scale = {1, 1, 0};
          k.binary(a);
        });
      }
}

TEST_CASE("channels last: sums over pixels", "[channels_last]") {
  std::vector<Shape> shapes(std::begin(kShapes), std::end(kShapes));
  shapes.push_back({1, 300, 13, 7});
  for (const Kernels* k : tables())
    for (const Shape& s : shapes)
      for (Layout l : kLast)
        for (Reduce op : {Reduce::sum, Reduce::mean}) {
          Image in(l, s.N, s.C, s.H, s.W);
          in.random(9);
          std::vector<float> out(static_cast<size_t>(s.N * s.C + 1), kPoison);
          const int64_t step[] = {s.C, 1};
          ReduceArgs a{};
          a.out = {out.data(), in.size, step, 2, kFloat, nullptr};
          a.in = in.view();
          a.op = op;
          a.compute = Compute::F32;
          k->reduce(a);
          CHECK(out.back() == kPoison);
          double worst = 0;
          for (int64_t n = 0; n < s.N; ++n)
            for (int64_t c = 0; c < s.C; ++c) {
              double sum = 0, magnitude = 0;
              for (int64_t y = 0; y < s.H; ++y)
                for (int64_t x = 0; x < s.W; ++x) {
                  const auto v = static_cast<double>(in.at(n, c, y, x));
                  sum += v;
                  magnitude += std::fabs(v);
                }
              const auto count = op == Reduce::mean ? static_cast<double>(s.H * s.W) : 1.0;
              const double got = static_cast<double>(out[static_cast<size_t>(n * s.C + c)]);
              worst = std::max(worst, std::fabs(got - sum / count) * count / magnitude);
            }
          INFO(k->name << " C " << s.C);
          CHECK(worst < 1e-6);
        }
}
