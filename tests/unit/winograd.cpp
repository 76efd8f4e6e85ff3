// SPDX-License-Identifier: Apache-2.0
// Convolutions that choose_conv may do Winograd's way, of every instruction set that this machine
// has, against plain loops in double.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "kernel_tables.h"

using namespace sconce;

namespace {

constexpr float kPoison = -12345.0f;

using test::tables;

std::vector<float> numbers(int64_t n, uint32_t seed) {
  std::vector<float> v(static_cast<size_t>(n));
  for (float& x : v) {
    seed = seed * 1664525u + 1013904223u;
    x = static_cast<float>(static_cast<int32_t>(seed >> 8) % 1000) / 500.0f - 1.0f;
  }
  return v;
}

struct Case {
  int64_t N, C, H, W, O, pad_h, pad_w;
  Epilogue then{};
  bool bias = false, residual = false;
};
struct Result {
  std::vector<float> out;
  double error = 0;  // in norm
  bool poison_kept = true;
  bool transformed;  // weights of more numbers than the kernels have
};
Result run(const Kernels& k, const Case& c) {
  const int64_t oh = c.H + 2 * c.pad_h - 2, ow = c.W + 2 * c.pad_w - 2, outs = c.N * c.O * oh * ow;
  auto in = numbers(c.N * c.C * c.H * c.W + 1, 1), w = numbers(c.O * c.C * 9, 2),
       bias = numbers(c.O + 1, 3), residual = numbers(outs + 1, 4);
  Result r;
  r.out.assign(static_cast<size_t>(outs + 33), kPoison);
  const int64_t o_size[] = {c.N, c.O, oh, ow}, o_step[] = {oh * ow * c.O, 1, ow * c.O, c.O},
                i_size[] = {c.N, c.C, c.H, c.W}, i_step[] = {c.H * c.W * c.C, 1, c.W * c.C, c.C},
                w_size[] = {c.O, c.C, 3, 3}, w_step[] = {c.C * 9, 9, 3, 1}, one[] = {1};
  auto view = [](float* p, const int64_t* size, const int64_t* step, int32_t nd) {
    return TensorView{p, size, step, nd, kFloat, nullptr};
  };
  PreparedConvArgs a{};
  a.out = view(r.out.data() + 1, o_size, o_step, 4);
  a.in = view(in.data() + 1, i_size, i_step, 4);
  a.weight = view(w.data(), w_size, w_step, 4);
  if (c.bias) a.bias = view(bias.data() + 1, &c.O, one, 1);
  if (c.residual) a.residual = view(residual.data() + 1, o_size, o_step, 4);
  a.stride[0] = a.stride[1] = a.dilation[0] = a.dilation[1] = a.groups = 1;
  a.padding[0] = c.pad_h, a.padding[1] = c.pad_w, a.then = c.then;
  const ConvChoice choice = k.choose_conv(a);
  REQUIRE(choice.algorithm >= 0);
  a.algorithm = choice.algorithm;
  r.transformed = choice.packed_bytes >= static_cast<size_t>(16 * c.C * c.O) * sizeof(float);
  std::unique_ptr<void, void (*)(void*)> packed(
      std::aligned_alloc(64, (choice.packed_bytes + 127) / 64 * 64), std::free);
  k.pack_conv(a, packed.get());
  a.weight.data = packed.get();
  k.prepared_conv(a);
  for (size_t i = 0; i < r.out.size(); ++i)
    if (i == 0 || i > static_cast<size_t>(outs)) r.poison_kept &= r.out[i] == kPoison;
  double wrong = 0, norm = 0;
  for (int64_t n = 0; n < c.N; ++n)
    for (int64_t y = 0; y < oh; ++y)
      for (int64_t x = 0; x < ow; ++x)
        for (int64_t o = 0; o < c.O; ++o) {
          double s = c.bias ? static_cast<double>(bias[static_cast<size_t>(o + 1)]) : 0;
          for (int64_t i = 0; i < 3; ++i)
            for (int64_t j = 0; j < 3; ++j) {
              const int64_t u = y - c.pad_h + i, v = x - c.pad_w + j;
              if (u < 0 || u >= c.H || v < 0 || v >= c.W) continue;
              const float *p = in.data() + ((n * c.H + u) * c.W + v) * c.C + 1,
                          *q = w.data() + o * c.C * 9 + i * 3 + j;
              for (int64_t d = 0; d < c.C; ++d)
                s += static_cast<double>(p[d]) * static_cast<double>(q[d * 9]);
            }
          const auto at = static_cast<size_t>(((n * oh + y) * ow + x) * c.O + o + 1);
          const double more = c.residual ? static_cast<double>(residual[at]) : 0;
          if (!c.then.residual_last) s += more;
          switch (c.then.act) {
            case Activation::relu: s = std::max(s, 0.0); break;
            case Activation::clamp: s = std::min(std::max(s, c.then.p), c.then.q); break;
            case Activation::silu: s = s / (1 + std::exp(-s)); break;
            default: break;
          }
          if (c.then.residual_last) s += more;
          wrong += (static_cast<double>(r.out[at]) - s) * (static_cast<double>(r.out[at]) - s);
          norm += s * s;
        }
  r.error = std::sqrt(wrong / norm);
  r.out.erase(r.out.begin());
  r.out.resize(static_cast<size_t>(outs));
  return r;
}

}  // namespace

TEST_CASE("3x3 convolutions: odd sizes, paddings, images", "[winograd]") {
  const Case cases[] = {{1, 32, 13, 14, 48, 1, 1}, {2, 48, 9, 10, 32, 1, 1},
                        {1, 64, 16, 16, 64, 0, 0}, {1, 32, 11, 7, 32, 2, 0},
                        {1, 40, 12, 12, 40, 1, 1}, {1, 64, 28, 27, 96, 1, 1},
                        {1, 256, 14, 14, 64, 1, 1}};
  for (const Kernels* k : tables()) {
    int transformed = 0;
    for (size_t i = 0; i < std::size(cases); ++i) {
      const Result r = run(*k, cases[i]);
      INFO(k->name << " case " << i);
      CHECK(r.error < 2e-6);
      CHECK(r.poison_kept);
      transformed += r.transformed;
    }
    CHECK(transformed >= 2);
  }
}

TEST_CASE("3x3 convolutions: what follows the sum", "[winograd]") {
  for (const Kernels* k : tables())
    for (auto act : {Activation::none, Activation::relu, Activation::clamp, Activation::silu})
      for (int form = 0; form < 8; ++form) {
        Case c{1, 32, 15, 13, 32, 1, 1};
        c.bias = form & 1;
        c.residual = form & 2;
        c.then.act = act;
        c.then.residual_last = form & 4;
        c.then.p = -1;
        c.then.q = 2;
        const Result r = run(*k, c);
        INFO(k->name << " activation " << static_cast<int>(act) << " form " << form);
        CHECK(r.error < 2e-6);
        CHECK(r.poison_kept);
      }
}

TEST_CASE("3x3 convolutions: the same bits for any number of threads", "[winograd]") {
  for (const Kernels* k : tables()) {
    const Case c{1, 64, 30, 29, 64, 1, 1};
    const auto alone = run(*k, c).out;
    for (int threads : {2, 7}) {
      ThreadPool pool(threads);
      Context own = context();
      own.pool = &pool;
      ContextScope scope(&own);
      CHECK(!std::memcmp(run(*k, c).out.data(), alone.data(), alone.size() * sizeof(float)));
    }
  }
}
