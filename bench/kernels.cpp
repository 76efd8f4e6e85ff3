// SPDX-License-Identifier: Apache-2.0
// The kernels of prepared calls beside the machine's peak of fused multiply-adds, measured in the
// same seconds: GFLOP/s of each shape, and the median of what it is of the peak.
// usage: sconce_kernel_bench [WORD: only rows whose name holds it] [THREADS]
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "backends/kernels.h"
#include "core/thread_pool.h"

using namespace sconce;

namespace {

double now(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}
clockid_t clock_id = CLOCK_THREAD_CPUTIME_ID;

#ifdef __aarch64__
#define SCONCE_VECTOR_REGISTER "w"
#define SCONCE_CHAINS 24  // as many as four units take
#else
#define SCONCE_VECTOR_REGISTER "x"
#define SCONCE_CHAINS 12
#endif
// Multiply-adds in registers, by the instructions that the kernels use.
#define SCONCE_PEAK(name, lanes)                                                       \
  double name() {                                                                      \
    typedef float V __attribute__((vector_size(lanes * 4)));                           \
    constexpr int kChains = SCONCE_CHAINS, kTimes = 20000;                             \
    V a[kChains] = {}, x{}, y{};                                                       \
    for (int i = 0; i < lanes; ++i) x[i] = 0.999f, y[i] = 0.001f;                      \
    const double start = now(CLOCK_THREAD_CPUTIME_ID);                                 \
    for (int i = 0; i < kTimes; ++i) {                                                 \
      _Pragma("GCC unroll 24") for (int j = 0; j < kChains; ++j) a[j] = a[j] * x + y;  \
      asm volatile("" : "+" SCONCE_VECTOR_REGISTER(x), "+" SCONCE_VECTOR_REGISTER(y)); \
    }                                                                                  \
    const double time = now(CLOCK_THREAD_CPUTIME_ID) - start;                          \
    for (int j = 1; j < kChains; ++j) a[0] += a[j];                                    \
    asm volatile("" ::SCONCE_VECTOR_REGISTER(a[0]));                                   \
    return 2.0 * kTimes * kChains * lanes / time / 1e9;                                \
  }
#ifdef __x86_64__
__attribute__((target("avx512f,fma"))) SCONCE_PEAK(peak_avx512, 16)
    __attribute__((target("avx2,fma"))) SCONCE_PEAK(peak_avx2, 8)
#endif
        SCONCE_PEAK(peak_base, 4) double peak() {
#ifdef __x86_64__
  if (!std::strcmp(cpu_kernels().name, "cpu-avx512")) return peak_avx512();
  if (!std::strcmp(cpu_kernels().name, "cpu-avx2")) return peak_avx2();
#endif
  return peak_base();
}

const char* only = "";
int threads = 1;
// Time-weighted sums of rows: "the FLOP-weighted share of the peak".
struct Total {
  double flops = 0, at_peak = 0, time = 0;
};

void row(const std::string& name, double flops, Total* total, const std::function<void()>& f) {
  if (name.find(only) == std::string::npos) return;
  f();
  const double start = now(clock_id);
  f();
  const int times = static_cast<int>(std::clamp(2e-3 / (now(clock_id) - start), 1.0, 1e5));
  std::vector<double> share, speed;
  for (int rep = 0; rep < 15; ++rep) {
    const double before = peak();
    const double t = now(clock_id);
    for (int i = 0; i < times; ++i) f();
    speed.push_back(flops * times / (now(clock_id) - t) / 1e9);
    share.push_back(speed.back() / (threads * 0.5 * (before + peak())));
  }
  std::sort(share.begin(), share.end());
  std::sort(speed.begin(), speed.end());
  const double s = share[share.size() / 2], g = speed[speed.size() / 2];
  std::printf("%-44s %8.2f us %8.1f GFLOP/s %6.1f %% of the peak\n", name.c_str(), flops / g / 1e3,
              g, 100 * s);
  if (total) total->flops += flops, total->time += flops / g, total->at_peak += flops / g * s;
}

struct Floats {
  explicit Floats(size_t n, bool random = true)
      : data(static_cast<float*>(std::aligned_alloc(64, (n * 4 + 63) / 64 * 64))) {
    uint32_t x = 12345;
    for (size_t i = 0; i < n; ++i)
      data[i] =
          random ? static_cast<float>((x = x * 1664525u + 1013904223u) >> 8) * 0x1p-23f - 1 : 0;
  }
  ~Floats() { std::free(data); }
  float* data;
};
template <size_t N>
TensorView view(const Floats& f, const int64_t (&sizes)[N], const int64_t (&strides)[N]) {
  return {f.data, sizes, strides, static_cast<int32_t>(N), kFloat, nullptr};
}

void product(int64_t m, int64_t k, int64_t n, Total* total, Activation act = Activation::none) {
  const Kernels& kernels = cpu_kernels();
  if (!kernels.linear) return;
  const int64_t a_size[] = {m, k}, a_step[] = {k, 1}, b_size[] = {k, n}, b_step[] = {1, k},
                o_size[] = {m, n}, o_step[] = {n, 1}, v_size[] = {n}, v_step[] = {1};
  Floats a(static_cast<size_t>(m * k)), b(static_cast<size_t>(k * n)),
      out(static_cast<size_t>(m * n), false), bias(static_cast<size_t>(n)),
      packed(kernels.packed_linear_bytes(k, n) / 4, false);
  kernels.pack_linear(view(b, b_size, b_step), packed.data);
  LinearArgs args{};
  args.out = view(out, o_size, o_step);
  args.a = view(a, a_size, a_step);
  args.bias = view(bias, v_size, v_step);
  args.weight = view(packed, b_size, b_step);
  args.then.act = act;
  const std::string shape =
      std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n) +
      (act == Activation::none ? "" : " act " + std::to_string(static_cast<int>(act)));
  row("linear " + shape, 2.0 * static_cast<double>(m * k * n), total,
      [&] { kernels.linear(args); });
  // Weights from memory: as many of them as no cache holds.
  if (k * n * 4 > 1 << 22 && act == Activation::none) {
    const size_t each = kernels.packed_linear_bytes(k, n) / 4,
                 copies = (size_t{1} << 25) / each + 1;
    Floats many(each * copies);
    size_t i = 0;
    row("linear from memory " + shape, 2.0 * static_cast<double>(m * k * n), nullptr, [&] {
      args.weight.data = many.data + each * (i++ % copies);
      kernels.linear(args);
    });
  }
  if (m > 4 && m * k * n > 1 << 27) return;
  GemmArgs g{};
  const int64_t b3[] = {1, k, n}, b3s[] = {0, 1, k}, a3[] = {1, m, k}, a3s[] = {0, k, 1},
                o3[] = {1, m, n}, o3s[] = {0, n, 1};
  g.out = view(out, o3, o3s);
  g.a = view(a, a3, a3s);
  g.b = view(b, b3, b3s);
  g.bias = view(bias, v_size, v_step);
  g.alpha = 1;
  row("gemm, not packed " + shape, 2.0 * static_cast<double>(m * k * n), nullptr,
      [&] { kernels.gemm(g); });
}

struct Conv {
  int64_t channels, size, out, taps, stride, padding, groups = 1;
};
void conv(const Conv& c, int times, Total* total) {
  const Kernels& kernels = cpu_kernels();
  if (!kernels.choose_conv) return;
  const int64_t to = (c.size + 2 * c.padding - c.taps) / c.stride + 1, cg = c.channels / c.groups;
  const int64_t in_size[] = {1, c.channels, c.size, c.size}, out_size[] = {1, c.out, to, to},
                w_size[] = {c.out, cg, c.taps, c.taps},
                w_step[] = {cg * c.taps * c.taps, c.taps * c.taps, c.taps, 1}, v_size[] = {c.out},
                v_step[] = {1};
  const bool plain = c.channels <= 4;
  const int64_t last_in[] = {c.size * c.size * c.channels, 1, c.size * c.channels, c.channels},
                plain_in[] = {c.size * c.size * c.channels, c.size * c.size, c.size, 1},
                out_step[] = {to * to * c.out, 1, to * c.out, c.out};
  Floats in(static_cast<size_t>(c.size * c.size * c.channels)),
      w(static_cast<size_t>(c.out * cg * c.taps * c.taps)),
      out(static_cast<size_t>(to * to * c.out), false), bias(static_cast<size_t>(c.out));
  PreparedConvArgs args{};
  args.out = view(out, out_size, out_step);
  args.in = plain ? view(in, in_size, plain_in) : view(in, in_size, last_in);
  args.weight = view(w, w_size, w_step);
  args.bias = view(bias, v_size, v_step);
  args.then.act = Activation::relu;
  args.groups = c.groups;
  for (int d = 0; d < 2; ++d) {
    args.stride[d] = c.stride;
    args.padding[d] = c.padding;
    args.dilation[d] = 1;
  }
  const std::string name = "conv " + std::to_string(c.taps) + "x" + std::to_string(c.taps) + " s" +
                           std::to_string(c.stride) + (c.groups > 1 ? " g" : "") +
                           (c.groups > 1 ? std::to_string(c.groups) : "") + " " +
                           std::to_string(c.channels) + "x" + std::to_string(c.size) + "x" +
                           std::to_string(c.size) + " -> " + std::to_string(c.out);
  const ConvChoice choice = kernels.choose_conv(args);
  if (choice.algorithm < 0) {
    if (name.find(only) != std::string::npos) std::printf("%-44s left as it is\n", name.c_str());
    return;
  }
  Floats packed(choice.packed_bytes / 4, false);
  args.algorithm = choice.algorithm;
  kernels.pack_conv(args, packed.data);
  args.weight.data = packed.data;
  const double flops = 2.0 * static_cast<double>(to * to * c.out * cg * c.taps * c.taps);
  Total one;
  row(name, flops, &one, [&] { kernels.prepared_conv(args); });
  if (total) {
    total->flops += times * one.flops;
    total->time += times * one.time;
    total->at_peak += times * one.at_peak;
  }
}
void print(const char* name, const Total& t) {
  if (t.time > 0) std::printf("%-44s %33.1f %% of the peak\n", name, 100 * t.at_peak / t.time);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) only = argv[1];
  if (argc > 2) threads = std::atoi(argv[2]);
  ThreadPool pool(threads);
  if (threads > 1) {
    context().pool = &pool;
    clock_id = CLOCK_MONOTONIC;
  }
  std::printf("kernels %s, threads %d\n", cpu_kernels().name, threads);
  const int64_t products[][3] = {
      {128, 768, 768}, {128, 768, 3072}, {128, 3072, 768}, {197, 768, 768}, {49, 512, 512},
      {1024, 64, 64},  {3136, 64, 256},  {100, 27, 24},    {1, 768, 768},   {1, 768, 3072},
      {1, 4096, 4096}, {2, 768, 3072},   {4, 768, 3072},   {1, 64, 64},     {8, 768, 768}};
  for (const auto& p : products) product(p[0], p[1], p[2], nullptr);

  for (const Activation act : {Activation::gelu, Activation::silu, Activation::hardswish}) {
    product(128, 768, 3072, nullptr, act);
  }
  // ResNet-50, and how often it has each.
  const std::pair<Conv, int> resnet[] = {
      {{3, 224, 64, 7, 2, 3}, 1},    {{64, 56, 64, 1, 1, 0}, 1},     {{64, 56, 256, 1, 1, 0}, 4},
      {{256, 56, 64, 1, 1, 0}, 2},   {{64, 56, 64, 3, 1, 1}, 3},     {{256, 56, 128, 1, 1, 0}, 1},
      {{128, 56, 128, 3, 2, 1}, 1},  {{256, 56, 512, 1, 2, 0}, 1},   {{128, 28, 512, 1, 1, 0}, 4},
      {{512, 28, 128, 1, 1, 0}, 3},  {{128, 28, 128, 3, 1, 1}, 3},   {{512, 28, 256, 1, 1, 0}, 1},
      {{256, 28, 256, 3, 2, 1}, 1},  {{512, 28, 1024, 1, 2, 0}, 1},  {{256, 14, 1024, 1, 1, 0}, 6},
      {{1024, 14, 256, 1, 1, 0}, 5}, {{256, 14, 256, 3, 1, 1}, 5},   {{1024, 14, 512, 1, 1, 0}, 1},
      {{512, 14, 512, 3, 2, 1}, 1},  {{1024, 14, 2048, 1, 2, 0}, 1}, {{512, 7, 2048, 1, 1, 0}, 3},
      {{2048, 7, 512, 1, 1, 0}, 2},  {{512, 7, 512, 3, 1, 1}, 2}};
  Total all;
  for (const auto& [c, times] : resnet) conv(c, times, &all);
  print("ResNet-50's convolutions", all);
  const Conv others[] = {
      {3, 224, 32, 3, 2, 1},      {32, 112, 32, 3, 1, 1, 32}, {16, 112, 96, 1, 1, 0},
      {144, 56, 24, 1, 1, 0},     {24, 56, 144, 1, 1, 0},     {192, 28, 32, 1, 1, 0},
      {32, 28, 192, 1, 1, 0},     {64, 14, 384, 1, 1, 0},     {576, 14, 96, 1, 1, 0},
      {960, 7, 160, 1, 1, 0},     {12, 64, 12, 3, 1, 1},      {4, 64, 64, 3, 1, 1},
      {256, 28, 256, 3, 1, 1, 8}, {128, 56, 128, 3, 1, 1, 32}};
  for (const Conv& c : others) conv(c, 1, nullptr);
}
