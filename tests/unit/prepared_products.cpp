// SPDX-License-Identifier: Apache-2.0
// Products and convolutions with packed weights, of every instruction set that this machine has,
// against plain loops in double. Numbers are small multiples of 1/8: sums are exact whatever their
// order.
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

struct Numbers {
  uint32_t state = 1;
  uint32_t next() { return (state = state * 1664525u + 1013904223u) >> 10; }
  float eighth() { return (static_cast<float>(next() % 15) - 7) / 8; }
  std::vector<float> eighths(int64_t n) {
    std::vector<float> v(static_cast<size_t>(n));
    for (float& x : v) x = eighth();
    return v;
  }
};

// 64-byte aligned floats.
struct Packed {
  explicit Packed(size_t bytes)
      : p(static_cast<float*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64 + 64))) {}
  ~Packed() { std::free(p); }
  float* p;
};

bool exact(Activation a) {
  return a == Activation::none || a == Activation::relu || a == Activation::clamp;
}

enum class With { nothing, bias, residual, both, in_place };
const With kWith[] = {With::nothing, With::bias, With::residual, With::both, With::in_place};

// The first element that isn't what it should be.
struct Mismatch {
  std::string text;
  void look(const std::string& where, float got, double expected, bool bits) {
    if (!text.empty()) return;
    const double allowed = bits ? 0 : 3e-6 * std::max(1.0, std::fabs(expected));
    if (std::isnan(expected) ? std::isnan(got) : std::fabs(got - expected) <= allowed) return;
    text = where + ": " + std::to_string(got) + " instead of " + std::to_string(expected);
  }
};

struct Product {
  int64_t m, k, n;
  With with = With::nothing;
  Epilogue then;
  bool stored = false;  // weights as [N, K]
};
std::string describe(const Product& p) {
  return std::to_string(p.m) + "x" + std::to_string(p.k) + "x" + std::to_string(p.n) + " with " +
         std::to_string(static_cast<int>(p.with)) + " act " +
         std::to_string(static_cast<int>(p.then.act));
}

// Rows have pitches of their own; what lies between them stays.
std::string check_product(const Kernels& kernels, const Product& p) {
  Numbers numbers;
  const int64_t lda = p.k + 3, ldo = p.n + 5, ldr = p.with == With::in_place ? ldo : p.n + 1;
  const auto a = numbers.eighths(p.m * lda + 1), b = numbers.eighths(p.k * p.n),
             bias = numbers.eighths(p.n);
  auto residual = numbers.eighths(p.m * ldr);
  std::vector<float> out(static_cast<size_t>(p.m * ldo), kPoison);
  if (p.with == With::in_place) out = residual;
  const int64_t o_size[] = {p.m, p.n}, o_step[] = {ldo, 1}, a_size[] = {p.m, p.k},
                a_step[] = {lda, 1}, r_step[] = {ldr, 1}, b_size[] = {p.k, p.n},
                b_step[] = {p.stored ? 1 : p.n, p.stored ? p.k : 1}, v_size[] = {p.n},
                v_step[] = {1};
  auto view = [](const float* data, const int64_t* size, const int64_t* step, int32_t dims) {
    return TensorView{const_cast<float*>(data), size, step, dims, kFloat, nullptr};
  };
  Packed packed(kernels.packed_linear_bytes(p.k, p.n));
  kernels.pack_linear(view(b.data(), b_size, b_step, 2), packed.p);
  LinearArgs args{};
  args.out = view(out.data(), o_size, o_step, 2);
  args.a = view(a.data() + 1, a_size, a_step, 2);  // not aligned
  args.weight = view(packed.p, b_size, b_step, 2);
  args.then = p.then;
  const bool has_bias = p.with == With::bias || p.with == With::both;
  if (has_bias) args.bias = view(bias.data(), v_size, v_step, 1);
  if (p.with == With::residual || p.with == With::both)
    args.residual = view(residual.data(), o_size, r_step, 2);
  if (p.with == With::in_place) args.residual = args.out;
  kernels.linear(args);
  Mismatch wrong;
  for (int64_t i = 0; i < p.m; ++i)
    for (int64_t j = 0; j < ldo; ++j) {
      const std::string where = describe(p) + " at " + std::to_string(i) + ", " + std::to_string(j);
      const float got = out[static_cast<size_t>(i * ldo + j)];
      if (j >= p.n) {
        wrong.look(where, got,
                   p.with == With::in_place ? residual[static_cast<size_t>(i * ldr + j)] : kPoison,
                   true);
        continue;
      }
      double x = has_bias ? bias[static_cast<size_t>(j)] : 0;
      for (int64_t t = 0; t < p.k; ++t)
        x += static_cast<double>(a[static_cast<size_t>(i * lda + t + 1)]) *
             b[static_cast<size_t>(t * b_step[0] + j * b_step[1])];
      wrong.look(
          where, got,
          test::epilogue(p.then, x,
                         args.residual.data ? residual[static_cast<size_t>(i * ldr + j)] : 0),
          exact(p.then.act));
    }
  return wrong.text;
}

struct Conv {
  int64_t images, channels, height, width, out, kh, kw, stride = 1, padding = 0, dilation = 1,
                                                        groups = 1;
};
struct ConvData {
  Conv c;
  int64_t oh, ow, cg;
  std::vector<float> in, weight, bias, residual;  // in: [N, C, H, W], residual: [N, OH, OW, O]
  explicit ConvData(const Conv& conv) : c(conv), cg(conv.channels / conv.groups) {
    auto size = [&](int64_t in, int64_t k) {
      return (in + 2 * (in == 1 ? 0 : c.padding) - c.dilation * (k - 1) - 1) / c.stride + 1;
    };
    oh = size(c.height, c.kh);
    ow = size(c.width, c.kw);
    Numbers numbers;
    in = numbers.eighths(c.images * c.channels * c.height * c.width);
    weight = numbers.eighths(c.out * cg * c.kh * c.kw);
    bias = numbers.eighths(c.out);
    residual = numbers.eighths(c.images * oh * ow * c.out);
  }
};

// The call over an input of either layout; empty when the table leaves such convolutions alone.
std::vector<float> run_conv(const Kernels& kernels, const ConvData& d, With with,
                            const Epilogue& then, bool plain) {
  const Conv& c = d.c;
  const int64_t h = c.height, w = c.width, area = h * w;
  const int64_t in_size[] = {c.images, c.channels, h, w},
                in_step[] = {c.channels * area, plain ? area : 1, plain ? w : w * c.channels,
                             plain ? 1 : c.channels},
                out_size[] = {c.images, c.out, d.oh, d.ow},
                out_step[] = {d.oh * d.ow * c.out, 1, d.ow * c.out, c.out},
                w_size[] = {c.out, d.cg, c.kh, c.kw},
                w_step[] = {d.cg * c.kh * c.kw, c.kh * c.kw, c.kw, 1}, v_size[] = {c.out},
                v_step[] = {1};
  std::vector<float> in(d.in), out(d.residual.size() + 16, kPoison);
  if (!plain)
    for (int64_t n = 0; n < c.images; ++n)
      for (int64_t ch = 0; ch < c.channels; ++ch)
        for (int64_t i = 0; i < area; ++i)
          in[static_cast<size_t>((n * area + i) * c.channels + ch)] =
              d.in[static_cast<size_t>((n * c.channels + ch) * area + i)];
  if (with == With::in_place) std::copy(d.residual.begin(), d.residual.end(), out.begin());
  auto view = [](const float* data, const int64_t* size, const int64_t* step, int32_t dims) {
    return TensorView{const_cast<float*>(data), size, step, dims, kFloat, nullptr};
  };
  PreparedConvArgs args{};
  args.out = view(out.data(), out_size, out_step, 4);
  args.in = view(in.data(), in_size, in_step, 4);
  args.weight = view(d.weight.data(), w_size, w_step, 4);
  if (with == With::bias || with == With::both) args.bias = view(d.bias.data(), v_size, v_step, 1);
  if (with == With::residual || with == With::both)
    args.residual = view(d.residual.data(), out_size, out_step, 4);
  if (with == With::in_place) args.residual = args.out;
  for (int i = 0; i < 2; ++i) {
    args.stride[i] = c.stride;
    args.padding[i] = (i == 0 ? h : w) == 1 ? 0 : c.padding;
    args.dilation[i] = c.dilation;
  }
  args.groups = c.groups;
  args.then = then;
  const ConvChoice choice = kernels.choose_conv(args);
  if (choice.algorithm < 0 || (plain && !choice.plain_input)) return {};
  Packed packed(choice.packed_bytes);
  args.algorithm = choice.algorithm;
  kernels.pack_conv(args, packed.p);
  args.weight.data = packed.p;
  kernels.prepared_conv(args);
  for (size_t i = d.residual.size(); i < out.size(); ++i) CHECK(out[i] == kPoison);
  out.resize(d.residual.size());
  return out;
}

std::string check_conv(const ConvData& d, const std::vector<float>& got, With with,
                       const Epilogue& then) {
  const Conv& c = d.c;
  Mismatch wrong;
  const int64_t og = c.out / c.groups;
  const int64_t pad_h = c.height == 1 ? 0 : c.padding, pad_w = c.width == 1 ? 0 : c.padding;
  for (int64_t n = 0; n < c.images; ++n)
    for (int64_t oy = 0; oy < d.oh; ++oy)
      for (int64_t ox = 0; ox < d.ow; ++ox)
        for (int64_t o = 0; o < c.out; ++o) {
          const auto at = static_cast<size_t>(((n * d.oh + oy) * d.ow + ox) * c.out + o);
          double x = with == With::bias || with == With::both ? d.bias[static_cast<size_t>(o)] : 0;
          for (int64_t ch = 0; ch < d.cg; ++ch)
            for (int64_t ky = 0; ky < c.kh; ++ky)
              for (int64_t kx = 0; kx < c.kw; ++kx) {
                const int64_t y = oy * c.stride - pad_h + ky * c.dilation,
                              z = ox * c.stride - pad_w + kx * c.dilation;
                if (y < 0 || y >= c.height || z < 0 || z >= c.width) continue;
                x += static_cast<double>(d.in[static_cast<size_t>(
                         ((n * c.channels + o / og * d.cg + ch) * c.height + y) * c.width + z)]) *
                     d.weight[static_cast<size_t>(((o * d.cg + ch) * c.kh + ky) * c.kw + kx)];
              }
          const bool more = with == With::residual || with == With::both || with == With::in_place;
          wrong.look("pixel " + std::to_string(n) + ", " + std::to_string(oy) + ", " +
                         std::to_string(ox) + " channel " + std::to_string(o),
                     got[at], test::epilogue(then, x, more ? d.residual[at] : 0), exact(then.act));
        }
  return wrong.text;
}

Epilogue relu() {
  Epilogue e;
  e.act = Activation::relu;
  return e;
}

}  // namespace

TEST_CASE("packed products over tails of every dimension", "[prepared_products]") {
  for (const Kernels* k : tables()) {
    INFO(k->name);
    for (const int64_t m : {1, 2, 3, 5, 6, 7, 12, 13, 17, 25})
      for (const int64_t n : {1, 7, 8, 15, 16, 17, 31, 33, 48, 63, 64, 65, 100, 129})
        for (const int64_t depth : {1, 2, 3, 4, 5, 31}) {
          Product p{m, depth, n, kWith[(m + n + depth) % 5], relu(), (m + n) % 2 == 0};
          CHECK(check_product(*k, p) == "");
        }
    for (const int64_t depth : {0, 255, 256, 257, 511, 512, 515, 768, 1030, 2049})
      CHECK(check_product(*k, {7, depth, 70, With::both, relu(), depth % 2 == 0}) == "");
    // A panel larger than the cache.
    CHECK(check_product(*k, {14, 9001, 72, With::bias, {}, true}) == "");
    CHECK(check_product(*k, {1500, 40, 24, With::both, relu(), true}) == "");
    CHECK(check_product(*k, {700, 600, 17, With::both, relu(), false}) == "");
  }
}

TEST_CASE("epilogues of packed products", "[prepared_products]") {
  for (const Kernels* k : tables()) {
    INFO(k->name);
    for (int act = 0; act <= static_cast<int>(Activation::hardsigmoid); ++act)
      for (const bool last : {false, true})
        for (const With with : kWith)
          for (const int64_t n : {5, 16, 40, 64, 83}) {
            Product p{9, 20, n, with, {}, false};
            p.then.act = static_cast<Activation>(act);
            p.then.residual_last = last;
            p.then.p = p.then.act == Activation::clamp ? -0.5 : 0.125;
            p.then.q = 0.75;
            CHECK(check_product(*k, p) == "");
          }
  }
}

TEST_CASE("packed products keep nan and infinity", "[prepared_products]") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = INFINITY;
  for (const Kernels* k : tables()) {
    INFO(k->name);
    const int64_t M = 8, K = 3, N = 20, o_size[] = {M, N}, o_step[] = {N, 1}, a_size[] = {M, K},
                  a_step[] = {K, 1}, b_size[] = {K, N}, b_step[] = {N, 1};
    std::vector<float> a(M * K, 1.0f), b(K * N, 1.0f), out(M * N);
    a[0 * K + 1] = nan;
    a[2 * K + 2] = inf;
    a[4 * K] = -inf;
    a[6 * K] = inf, a[6 * K + 1] = -inf;
    Packed packed(k->packed_linear_bytes(K, N));
    k->pack_linear({b.data(), b_size, b_step, 2, kFloat, nullptr}, packed.p);
    for (const Activation act :
         {Activation::none, Activation::relu, Activation::clamp, Activation::leaky_relu,
          Activation::sigmoid, Activation::silu, Activation::tanh, Activation::gelu,
          Activation::gelu_tanh, Activation::hardswish, Activation::hardsigmoid}) {
      LinearArgs args{};
      args.out = {out.data(), o_size, o_step, 2, kFloat, nullptr};
      args.a = {a.data(), a_size, a_step, 2, kFloat, nullptr};
      args.weight = {packed.p, b_size, b_step, 2, kFloat, nullptr};
      args.then.act = act;
      args.then.p = -2, args.then.q = 2;
      k->linear(args);
      INFO("activation " << static_cast<int>(act));
      for (int64_t j = 0; j < N; ++j) {
        CHECK(std::isnan(out[static_cast<size_t>(j)]));
        CHECK(std::isnan(out[static_cast<size_t>(6 * N + j)]));
        for (const int64_t row : {1, 3, 5, 7})
          CHECK(std::isfinite(out[static_cast<size_t>(row * N + j)]));
        const bool bounded = act == Activation::clamp || act == Activation::sigmoid ||
                             act == Activation::tanh || act == Activation::hardsigmoid;
        CHECK(std::isinf(out[static_cast<size_t>(2 * N + j)]) == !bounded);
        if (act == Activation::relu || act == Activation::sigmoid)
          CHECK(out[static_cast<size_t>(4 * N + j)] == 0);
      }
    }
  }
}

TEST_CASE("prepared convolutions of many forms", "[prepared_products]") {
  const Conv forms[] = {{1, 16, 5, 6, 16, 1, 1},
                        {2, 24, 7, 5, 40, 1, 1},
                        {1, 17, 9, 9, 19, 1, 1, 2},
                        {2, 32, 8, 8, 72, 1, 1, 2, 1},
                        {1, 16, 7, 7, 16, 3, 3, 1, 1},
                        {2, 20, 9, 6, 33, 3, 3, 2, 1},
                        {1, 64, 6, 7, 70, 3, 3, 1, 1},
                        {1, 18, 12, 11, 9, 3, 3, 1, 2, 2},
                        {1, 19, 5, 5, 8, 5, 5, 1, 2},
                        {1, 16, 4, 4, 16, 7, 7, 1, 3},
                        {1, 300, 3, 4, 20, 3, 2, 1, 1},
                        {1, 520, 4, 3, 66, 2, 2, 1, 0},
                        {1, 16, 1, 40, 24, 1, 3, 1, 1},
                        {2, 33, 1, 21, 65, 1, 4, 2, 2},
                        {1, 16, 1, 30, 16, 1, 3, 1, 3, 3},
                        {1, 3, 13, 14, 20, 7, 7, 2, 3},
                        {2, 3, 9, 9, 8, 3, 3, 2, 1},
                        {1, 1, 8, 9, 6, 5, 5, 1, 0},
                        {2, 1, 1, 300, 70, 1, 16, 8, 0},
                        {1, 4, 7, 7, 65, 3, 3, 1, 1},
                        {1, 2, 6, 6, 5, 1, 1, 1, 0},
                        {1, 3, 6, 6, 17, 1, 1, 2, 0},
                        {2, 12, 6, 7, 18, 3, 3, 1, 1},
                        {1, 7, 9, 8, 16, 3, 3, 2, 1},
                        {1, 5, 6, 6, 16, 4, 4, 4, 0},
                        {1, 32, 6, 6, 32, 3, 3, 1, 1, 1, 2},
                        {2, 40, 5, 7, 90, 3, 3, 2, 1, 1, 5},
                        {1, 64, 4, 5, 48, 1, 1, 1, 0, 1, 4},
                        {1, 16, 3, 3, 16, 3, 3, 1, 4},
                        {1, 3, 2, 2, 8, 3, 3, 1, 3},
                        {1, 24, 10, 9, 2, 1, 1},
                        {1, 16, 31, 33, 16, 3, 3, 1, 1},
                        {1, 16, 2, 600, 8, 1, 1},
                        {1, 9, 6, 6, 12, 3, 3, 1, 2, 2}};
  for (const Kernels* k : tables()) {
    size_t form = 0, done = 0;
    for (const Conv& c : forms) {
      INFO(k->name << " form " << form);
      const ConvData d(c);
      for (const bool plain : {false, true}) {
        const With with = kWith[form++ % 5];
        Epilogue then;
        then.act = form % 3 == 0   ? Activation::none
                   : form % 3 == 1 ? Activation::relu
                                   : Activation::silu;
        then.residual_last = form % 2 == 0;
        const auto got = run_conv(*k, d, with, then, plain);
        if (got.empty()) {
          if (!plain) WARN("left as it is: " << form / 2);
          continue;
        }
        ++done;
        CHECK(check_conv(d, got, with, then) == "");
      }
    }
    CHECK(done > 40);
  }
}

TEST_CASE("prepared convolutions with every epilogue", "[prepared_products]") {
  for (const Kernels* k : tables())
    for (const Conv& c : {Conv{1, 16, 5, 5, 37, 3, 3, 1, 1}, Conv{1, 3, 5, 5, 37, 3, 3, 1, 1}}) {
      const ConvData d(c);
      for (int act = 0; act <= static_cast<int>(Activation::hardsigmoid); ++act)
        for (const With with : kWith) {
          INFO(k->name << " activation " << act << " with " << static_cast<int>(with));
          Epilogue then;
          then.act = static_cast<Activation>(act);
          then.p = then.act == Activation::clamp ? -0.5 : 0.125;
          then.q = 0.75;
          then.residual_last = act % 2 == 0;
          CHECK(check_conv(d, run_conv(*k, d, with, then, false), with, then) == "");
        }
    }
}

TEST_CASE("prepared convolutions refuse what isn't done well", "[prepared_products]") {
  for (const Kernels* k : tables()) {
    // Groups of a few channels.
    CHECK(run_conv(*k, ConvData({1, 16, 8, 8, 16, 3, 3, 1, 1, 1, 4}), With::nothing, {}, false)
              .empty());
    // More than a few channels in the order of the dims.
    CHECK(run_conv(*k, ConvData({1, 16, 8, 8, 16, 3, 3, 1, 1}), With::nothing, {}, true).empty());
  }
}

TEST_CASE("threads leave the bits as they are", "[prepared_products]") {
  ThreadPool two(2), seven(7);
  auto on = [](ThreadPool* pool, const std::function<std::vector<float>()>& f) {
    Context c = context();
    c.pool = pool;
    ContextScope scope(&c);
    return f();
  };
  auto same = [&](const std::function<std::vector<float>()>& f) {
    const auto one = on(nullptr, f);
    for (ThreadPool* pool : {&two, &seven}) {
      const auto more = on(pool, f);
      REQUIRE(one.size() == more.size());
      CHECK(std::memcmp(one.data(), more.data(), one.size() * sizeof(float)) == 0);
    }
  };
  Numbers numbers;
  for (const Kernels* k : tables()) {
    INFO(k->name);
    const int64_t shapes[][3] = {{1, 1700, 1500}, {97, 300, 100}, {33, 515, 640}, {800, 70, 65}};
    for (const auto& s : shapes) {
      const int64_t M = s[0], K = s[1], N = s[2], o_size[] = {M, N}, o_step[] = {N, 1},
                    a_size[] = {M, K}, a_step[] = {K, 1}, b_size[] = {K, N}, b_step[] = {1, K};
      std::vector<float> a(static_cast<size_t>(M * K)), b(static_cast<size_t>(K * N));
      for (float& x : a) x = static_cast<float>(numbers.next() % 10007) / 10007 - 0.5f;
      for (float& x : b) x = static_cast<float>(numbers.next() % 10007) / 10007 - 0.5f;
      same([&] {
        std::vector<float> out(static_cast<size_t>(M * N), kPoison);
        Packed packed(k->packed_linear_bytes(K, N));
        k->pack_linear({b.data(), b_size, b_step, 2, kFloat, nullptr}, packed.p);
        LinearArgs args{};
        args.out = {out.data(), o_size, o_step, 2, kFloat, nullptr};
        args.a = {a.data(), a_size, a_step, 2, kFloat, nullptr};
        args.weight = {packed.p, b_size, b_step, 2, kFloat, nullptr};
        args.then.act = Activation::gelu;
        k->linear(args);
        return out;
      });
    }
    for (const Conv& c :
         {Conv{1, 64, 20, 20, 96, 3, 3, 1, 1}, Conv{1, 256, 6, 6, 300, 3, 3, 1, 1},
          Conv{1, 3, 60, 60, 64, 7, 7, 2, 3}, Conv{2, 64, 20, 20, 64, 3, 3, 1, 1, 1, 2},
          Conv{1, 130, 40, 40, 20, 1, 1}}) {
      ConvData d(c);
      for (float& x : d.in) x = static_cast<float>(numbers.next() % 10007) / 10007 - 0.5f;
      same([&] { return run_conv(*k, d, With::both, relu(), false); });
    }
  }
}

TEST_CASE("rows of an embedding are read from a product's packed weights", "[prepared]") {
  for (const Kernels* kernels : test::tables())
    for (int64_t n : {1, 15, 16, 17, 63, 64, 65, 70, 130})
      for (bool longs : {true, false}) {
        INFO(kernels->name << " of " << n);
        const int64_t k = 37;
        Numbers numbers;
        const auto table = numbers.eighths(n * k);  // [n, k]
        const int64_t w_size[] = {k, n}, w_step[] = {1, k}, o_size[] = {2 * n, k},
                      o_step[] = {k, 1}, i_size[] = {2 * n}, i_step[] = {1};
        TensorView w{const_cast<float*>(table.data()), w_size, w_step, 2, kFloat, nullptr};
        Packed packed(kernels->packed_linear_bytes(k, n));
        kernels->pack_linear(w, packed.p);
        w.data = packed.p;
        std::vector<int64_t> at(static_cast<size_t>(2 * n));
        std::vector<int32_t> narrow(at.size());
        for (size_t i = 0; i < at.size(); ++i)
          narrow[i] = static_cast<int32_t>(at[i] = static_cast<int64_t>(i) * 7 % n);
        std::vector<float> out(static_cast<size_t>(2 * n * k), kPoison);
        PackedEmbeddingArgs args{};
        args.out = {out.data(), o_size, o_step, 2, kFloat, nullptr};
        args.index = {longs ? static_cast<void*>(at.data()) : narrow.data(),
                      i_size,
                      i_step,
                      1,
                      longs ? kLong : kInt,
                      nullptr};
        args.weight = w;
        kernels->packed_embedding(args);
        int64_t wrong = 0;
        for (int64_t i = 0; i < 2 * n * k; ++i)
          wrong += out[static_cast<size_t>(i)] !=
                   table[static_cast<size_t>(at[static_cast<size_t>(i / k)] * k + i % k)];
        CHECK(wrong == 0);
        for (int64_t bad : {int64_t{-1}, n, n + 60}) {
          at[0] = bad;
          narrow[0] = static_cast<int32_t>(bad);
          CHECK_THROWS_WITH(kernels->packed_embedding(args),
                            Catch::Contains("is out of bounds for dimension with size"));
        }
      }
}
