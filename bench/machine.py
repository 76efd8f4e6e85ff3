# SPDX-License-Identifier: Apache-2.0
"""What the machine gives at the moment: peak of multiply-adds, of reads from memory and of reads of what another processor wrote. Entries: Rates, describe()."""
import os
import pathlib
import platform
import subprocess
import sys

# Holds sconce and PyTorch to AVX2.
AVX2 = {"SCONCE_ISA": "avx2", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
SOURCE = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#ifndef LANES
#define LANES 4
#endif
typedef float vec __attribute__((vector_size(4 * LANES)));
enum { ACCUMULATORS = LANES == 16 ? 24 : 12 };
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}
static int threads;
static size_t length;
static float* data;
static double flops[64], bytes[64], handed;
static volatile float sink;
static pthread_barrier_t together;
static int by_size(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}
static void* work(void* argument) {
  long me = (long)argument;
  vec a[ACCUMULATORS], x, y;
  for (int i = 0; i < ACCUMULATORS; ++i) a[i] = (vec){0} + (float)i;
  x = (vec){0} + 0.999f;
  y = (vec){0} + 0.001f;
  for (int turn = 0; turn < 12; ++turn) {
    pthread_barrier_wait(&together);
    double start = now();
    for (int k = 0; k < 250000; ++k)
#pragma GCC unroll 24
      for (int i = 0; i < ACCUMULATORS; ++i) a[i] = a[i] * x + y;
    double rate = 2.0 * LANES * ACCUMULATORS * 250000 / (now() - start);
    if (rate > flops[me]) flops[me] = rate;
    for (int i = 0; i < ACCUMULATORS; ++i) sink += a[i][0];
  }
  size_t mine = length / threads / (8 * LANES) * (8 * LANES);
  float* p = data + me * mine;
  for (size_t i = 0; i < mine; ++i) p[i] = 1;
  for (int turn = 0; turn < 6; ++turn) {
    pthread_barrier_wait(&together);
    vec s[8] = {{0}};
    double start = now();
    for (size_t i = 0; i < mine; i += 8 * LANES)
#pragma GCC unroll 8
      for (int j = 0; j < 8; ++j) s[j] += *(vec*)(p + i + j * LANES);
    double rate = 4.0 * mine / (now() - start);
    if (rate > bytes[me]) bytes[me] = rate;
    for (int j = 0; j < 8; ++j) sink += s[j][0];
  }
  // What the second thread wrote is read by the first: the two may share a cache or not.
  enum { FLOATS = 48 << 10, TURNS = 61 };
  double took[TURNS];
  for (int turn = 0; turn < TURNS && threads > 1; ++turn) {
    pthread_barrier_wait(&together);
    for (int i = 0; me == 1 && i < FLOATS; ++i) data[i] += 1;
    pthread_barrier_wait(&together);
    if (me != 0) continue;
    vec s[8] = {{0}};
    double start = now();
    for (int i = 0; i < FLOATS; i += 8 * LANES)
#pragma GCC unroll 8
      for (int j = 0; j < 8; ++j) s[j] += *(vec*)(data + i + j * LANES);
    took[turn] = now() - start;
    for (int j = 0; j < 8; ++j) sink += s[j][0];
  }
  if (me == 0 && threads > 1) {
    qsort(took, TURNS, sizeof *took, by_size);
    handed = 4.0 * FLOATS / took[TURNS / 2];
  }
  return 0;
}
int main(int argc, char** argv) {
  threads = argc > 1 ? atoi(argv[1]) : 1;
  length = (size_t)24 << 20;
  data = aligned_alloc(64, 4 * length);
  pthread_barrier_init(&together, 0, threads);
  pthread_t others[64];
  for (long i = 1; i < threads; ++i) pthread_create(others + i, 0, work, (void*)i);
  work(0);
  double f = flops[0], b = bytes[0];
  for (int i = 1; i < threads; ++i) pthread_join(others[i], 0), f += flops[i], b += bytes[i];
  printf("%g %g %g\n", f / 1e9, b / 1e9, handed / 1e9);
}
"""


def flags():
    try:
        return next(line.split(":")[1].split() for line in open("/proc/cpuinfo") if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return []


class Rates:
    """The best of some milliseconds, in GFLOP/s and GB/s of all threads together, and the median GB/s from one thread to another (0: there is one)."""

    def __init__(self, folder, isa):
        kinds = {"avx512": (["-mavx512f", "-mfma", "-mprefer-vector-width=512"], 16), "avx2": (["-mavx2", "-mfma"], 8), "base": ([], 4)}
        has = flags()
        kind = isa or ("avx512" if "avx512f" in has else "avx2" if "avx2" in has else "base")
        options, lanes = kinds[kind]
        self.program = pathlib.Path(folder) / f"rates-{kind}"
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-ffp-contract=fast", *options, f"-DLANES={lanes}", "-x", "c", "-", "-o", self.program, "-lpthread"],
                       input=SOURCE, text=True, check=True)

    def measure(self, threads, cores):
        out = subprocess.run([self.program, str(threads)], capture_output=True, text=True, check=True, preexec_fn=lambda: os.sched_setaffinity(0, cores))
        return [float(x) for x in out.stdout.split()]


def describe():
    model = platform.processor()
    try:
        model = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    wanted = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "asimd")
    return {"model": model, "flags": [f for f in wanted if f in flags()], "processors": len(os.sched_getaffinity(0)), "system": platform.platform()}


def onednn_isa():
    """What oneDNN says it uses in this environment; None without PyTorch."""
    code = ("import torch\nwith torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):\n"
            "    torch.nn.functional.conv2d(torch.ones(1, 64, 56, 56), torch.ones(64, 64, 3, 3))")
    out = subprocess.run([sys.executable, "-c", code], env={**os.environ, "ONEDNN_VERBOSE": "1"}, capture_output=True, text=True, check=False)
    return next((line.split("isa:")[1].strip() for line in out.stdout.splitlines() if "isa:" in line), None)
