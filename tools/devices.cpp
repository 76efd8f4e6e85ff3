// SPDX-License-Identifier: Apache-2.0
// sconce devices: where models can run, or why they can't.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "backends/kernels.h"
#include "commands.h"
#include "sconce/sconce.h"

namespace sconce::tool {

namespace {

int devices() {
  std::printf("cpu: kernels for %s\n", cpu_kernels().name);
  const int n = cuda_device_count();
  for (int i = 0; i < n; ++i) {
    CudaDevice d = cuda_device(i);
    std::printf("cuda:%d: %s; %.1f of %.1f GiB are free\n", i, d.description.c_str(),
                static_cast<double>(d.free_bytes) / (1 << 30),
                static_cast<double>(d.total_bytes) / (1 << 30));
  }
  if (n > 0) return kDone;
  try {
    cuda_device(0);
  } catch (const Error& e) {
    std::printf("%s\n", e.what());
  }
  return kDone;
}

}  // namespace

Command add_devices(CLI::App& app) {
  auto* c = app.add_subcommand("devices", "where models can run, or why they can't");
  c->footer("Examples:\n  sconce devices");
  return [] { return devices(); };
}

}  // namespace sconce::tool
