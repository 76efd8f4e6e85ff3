// SPDX-License-Identifier: Apache-2.0
// What tests/unload.cpp opens: loads and runs a module on several threads and catches what sconce
// throws.
#include <string>
#include <thread>
#include <vector>

#include "sconce/sconce.h"

namespace {
std::string use(const char* path) {
  try {
    sconce::load(std::string(path) + ".absent");
    return "a file that isn't there was loaded";
  } catch (const sconce::FormatError&) {
  }
  sconce::LoadOptions options;
  options.num_threads = 3;
  sconce::Module m = sconce::load(path, options);
  try {
    m.forward({int64_t{1}});
    return "a wrong argument was taken";
  } catch (const sconce::OpError&) {
  }
  sconce::Tensor big = sconce::ones({256, 256});
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) m.forward({sconce::ones({1, 3, 16, 16})});
    });
  for (auto& t : threads) t.join();
  sconce::Module c = sconce::compile("def f(x):\n  return x @ x\n", options);
  if (c.run_method("f", {big}).toTensor().data_ptr<const float>()[0] != 256) return "wrong product";
  return "";
}
}  // namespace

extern "C" __attribute__((visibility("default"))) const char* use_sconce(const char* path) {
  static std::string wrong;
  try {
    wrong = use(path);
  } catch (const std::exception& e) {
    wrong = e.what();
  }
  return wrong.c_str();
}
