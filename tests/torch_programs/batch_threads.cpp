// SPDX-License-Identifier: Apache-2.0
// A queue of requests served by threads that share one module.
#include <torch/script.h>

#include <atomic>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto module = std::make_shared<torch::jit::Module>(
      torch::jit::load(std::string(argv[1]) + "/small_cnn.pt"));
  at::set_num_threads(1);
  std::mutex mutex;
  std::map<int, int64_t> results;
  std::atomic<int> next{0};
  auto work = [&] {
    torch::NoGradGuard no_grad;
    for (int i; (i = next++) < 12;) {
      auto input = torch::full({1, 3, 16, 16}, 0.1f * i);
      auto out = module->forward({input}).toTensor();
      std::lock_guard<std::mutex> lock(mutex);
      results[i] = out.argmax(1).item<int64_t>();
    }
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) threads.emplace_back(work);
  for (auto& t : threads) t.join();
  for (auto& r : results) std::cout << r.first << "=" << r.second << " ";
  std::future<at::Tensor> later = std::async(std::launch::async, [=] {
    return module->forward({torch::ones({2, 3, 8, 8})}).toTensor();
  });
  std::cout << later.get().sizes() << std::endl;
  return 0;
}
