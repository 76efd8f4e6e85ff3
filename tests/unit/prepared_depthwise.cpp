// SPDX-License-Identifier: Apache-2.0
// Depthwise convolutions with packed weights, of every instruction set that this machine has,
// against plain loops in double.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernel_tables.h"

using namespace sconce;

namespace {

constexpr float kPoison = -12345.0f;

using test::tables;

struct Case {
  int64_t N, C, H, W, m, kh, kw, sh, sw, ph, pw, dh, dw;
  Epilogue then{};
  bool bias = true, residual = false;
  int64_t oh() const { return (H + 2 * ph - dh * (kh - 1) - 1) / sh + 1; }
  int64_t ow() const { return (W + 2 * pw - dw * (kw - 1) - 1) / sw + 1; }
};
Case square(int64_t C, int64_t H, int64_t W, int64_t k, int64_t s) {
  return {1, C, H, W, 1, k, k, s, s, k / 2, k / 2, 1, 1};
}

std::vector<float> numbers(int64_t n, uint32_t seed) {
  std::vector<float> v(static_cast<size_t>(n));
  for (float& x : v) {
    seed = seed * 1664525u + 1013904223u;
    x = static_cast<float>(static_cast<int32_t>(seed >> 8) % 1000) / 500.0f - 1.0f;
  }
  return v;
}

struct Result {
  std::vector<float> out;
  std::string wrong;
};
// Runs the case; what is wrong with it. The output stands amid poison, and no view is aligned.
Result run(const Kernels& k, const Case& c, float special = 0) {
  const int64_t O = c.C * c.m, oh = c.oh(), ow = c.ow(), outs = c.N * O * oh * ow;
  auto in = numbers(c.N * c.C * c.H * c.W + 1, 1), w = numbers(O * c.kh * c.kw, 2),
       bias = numbers(O + 1, 3), residual = numbers(outs + 1, 4);
  if (special != 0) in[static_cast<size_t>((c.H / 2 * c.W + c.W / 2) * c.C + 1)] = special;
  Result r;
  r.out.assign(static_cast<size_t>(outs + 33), kPoison);
  const int64_t o_size[] = {c.N, O, oh, ow}, o_step[] = {oh * ow * O, 1, ow * O, O},
                i_size[] = {c.N, c.C, c.H, c.W}, i_step[] = {c.H * c.W * c.C, 1, c.W * c.C, c.C},
                w_size[] = {O, 1, c.kh, c.kw}, w_step[] = {c.kh * c.kw, c.kh * c.kw, c.kw, 1},
                one[] = {1};
  auto view = [](float* p, const int64_t* size, const int64_t* step, int32_t nd) {
    return TensorView{p, size, step, nd, kFloat, nullptr};
  };
  PreparedConvArgs a{};
  a.out = view(r.out.data() + 1, o_size, o_step, 4);
  a.in = view(in.data() + 1, i_size, i_step, 4);
  a.weight = view(w.data(), w_size, w_step, 4);
  if (c.bias) a.bias = view(bias.data() + 1, &O, one, 1);
  if (c.residual) a.residual = view(residual.data() + 1, o_size, o_step, 4);
  a.stride[0] = c.sh, a.stride[1] = c.sw, a.padding[0] = c.ph, a.padding[1] = c.pw;
  a.dilation[0] = c.dh, a.dilation[1] = c.dw, a.groups = c.C, a.then = c.then;
  const ConvChoice choice = k.choose_conv(a);
  if (choice.algorithm < 0) return {{}, "not chosen"};
  a.algorithm = choice.algorithm;
  std::unique_ptr<void, void (*)(void*)> packed(
      std::aligned_alloc(64, (choice.packed_bytes + 127) / 64 * 64), std::free);
  std::memset(packed.get(), 0xff, choice.packed_bytes + 64);
  k.pack_conv(a, packed.get());
  a.weight.data = packed.get();
  k.prepared_conv(a);
  for (size_t i = 0; i < r.out.size() && r.wrong.empty(); ++i)
    if ((i == 0 || i > static_cast<size_t>(outs)) && r.out[i] != kPoison)
      r.wrong = "written beyond";
  for (int64_t n = 0; n < c.N; ++n)
    for (int64_t o = 0; o < O; ++o)
      for (int64_t y = 0; y < oh; ++y)
        for (int64_t x = 0; x < ow; ++x) {
          double s = c.bias ? static_cast<double>(bias[static_cast<size_t>(o + 1)]) : 0;
          for (int64_t i = 0; i < c.kh; ++i)
            for (int64_t j = 0; j < c.kw; ++j) {
              const int64_t u = y * c.sh - c.ph + i * c.dh, v = x * c.sw - c.pw + j * c.dw;
              if (u < 0 || u >= c.H || v < 0 || v >= c.W) continue;
              s += static_cast<double>(w[static_cast<size_t>((o * c.kh + i) * c.kw + j)]) *
                   static_cast<double>(
                       in[static_cast<size_t>(((n * c.H + u) * c.W + v) * c.C + o / c.m + 1)]);
            }
          const auto at = static_cast<size_t>(((n * oh + y) * ow + x) * O + o + 1);
          const double want =
              test::epilogue(c.then, s, c.residual ? static_cast<double>(residual[at]) : 0.0);
          const float got = r.out[at];
          if (!r.wrong.empty() ||
              (std::isnan(want) ? std::isnan(got)
                                : static_cast<double>(got) == want ||
                                      std::fabs(static_cast<double>(got) - want) <= 1e-5))
            continue;
          r.wrong = "channel " + std::to_string(o) + " at " + std::to_string(y) + ", " +
                    std::to_string(x) + ": " + std::to_string(got) + " for " + std::to_string(want);
        }
  r.out.erase(r.out.begin());
  r.out.resize(static_cast<size_t>(outs));
  return r;
}

}  // namespace

TEST_CASE("depthwise: kernels, strides, tails of channels, rows and columns", "[depthwise]") {
  for (const Kernels* k : tables())
    for (int64_t kernel : {3, 5, 7})
      for (int64_t stride : {1, 2})
        for (int64_t C : {2, 7, 16, 21, 40})
          for (int64_t H : {1, 4, 9}) {
            const Case c = square(C, H, 13 - H, kernel, stride);
            INFO(k->name << " kernel " << kernel << " stride " << stride << " C " << C << " H "
                         << H);
            CHECK(run(*k, c).wrong == "");
          }
}

TEST_CASE("depthwise: any kernel", "[depthwise]") {
  const Case cases[] = {
      {2, 19, 1, 50, 1, 1, 9, 1, 1, 0, 4, 1, 1},  // one dim
      {1, 32, 1, 64, 1, 1, 31, 1, 1, 0, 15, 1, 1},
      {1, 17, 1, 40, 1, 1, 3, 1, 2, 0, 2, 1, 2},  // dilated
      {1, 18, 12, 11, 1, 3, 3, 1, 1, 2, 2, 2, 2},
      {1, 20, 9, 8, 1, 3, 3, 3, 3, 1, 1, 1, 1},  // other strides
      {1, 16, 9, 8, 1, 2, 4, 1, 2, 0, 1, 1, 1},
      {1, 16, 5, 5, 1, 1, 1, 1, 1, 0, 0, 1, 1},
      {2, 6, 7, 8, 3, 3, 3, 1, 1, 1, 1, 1, 1},  // several outputs of a channel
      {1, 5, 7, 8, 2, 5, 5, 2, 2, 2, 2, 1, 1},
      {1, 24, 2, 2, 1, 7, 7, 1, 1, 3, 3, 1, 1},   // mostly padding
      {3, 33, 6, 10, 1, 3, 3, 1, 1, 0, 0, 1, 1},  // none
  };
  for (const Kernels* k : tables())
    for (size_t i = 0; i < std::size(cases); ++i) {
      INFO(k->name << " case " << i);
      CHECK(run(*k, cases[i]).wrong == "");
    }
}

TEST_CASE("depthwise: what follows the sum", "[depthwise]") {
  for (const Kernels* k : tables())
    for (int act = 0; act <= static_cast<int>(Activation::hardsigmoid); ++act)
      for (int form = 0; form < 8; ++form)
        for (int64_t C : {5, 16, 22}) {
          Case c = square(C, 5, 6, 3, 1);
          c.bias = form & 1;
          c.residual = form & 2;
          c.then.act = static_cast<Activation>(act);
          c.then.residual_last = form & 4;
          c.then.p = c.then.act == Activation::leaky_relu ? 0.1 : -0.25;
          c.then.q = 0.5;
          INFO(k->name << " activation " << act << " form " << form << " C " << C);
          CHECK(run(*k, c).wrong == "");
        }
}

TEST_CASE("depthwise: NaN and inf", "[depthwise]") {
  for (const Kernels* k : tables())
    for (float special :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
      for (auto act : {Activation::none, Activation::relu, Activation::clamp}) {
        Case c = square(20, 6, 6, 3, 1);
        c.then.act = act;
        c.then.p = -1;
        c.then.q = 6;
        CHECK(run(*k, c, special).wrong == "");
      }
}

TEST_CASE("depthwise: the same bits for any number of threads", "[depthwise]") {
  for (const Kernels* k : tables())
    for (const Case& c : {square(200, 31, 33, 3, 1), square(130, 31, 33, 5, 2),
                          Case{1, 96, 1, 900, 1, 1, 31, 1, 1, 0, 15, 1, 1}}) {
      const auto alone = run(*k, c).out;
      for (int threads : {2, 7}) {
        ThreadPool pool(threads);
        Context own = context();
        own.pool = &pool;
        ContextScope scope(&own);
        const auto shared = run(*k, c);
        CHECK(shared.wrong == "");
        CHECK(!std::memcmp(shared.out.data(), alone.data(), alone.size() * sizeof(float)));
      }
    }
}
