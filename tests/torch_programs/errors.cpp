// SPDX-License-Identifier: Apache-2.0
// What goes wrong is caught where programs catch it.
#include <torch/script.h>

#include <cstring>
#include <iostream>

template <class F>
static void attempt(const char* what, F f) {
  try {
    f();
    std::cout << what << ": fine\n";
  } catch (const c10::IndexError& e) {
    std::cout << what << ": index error\n";
  } catch (const c10::Error& e) {
    std::cout << what << ": c10 " << (std::strlen(e.what()) > 0) << !e.msg().empty() << "\n";
  } catch (const std::exception& e) {
    std::cout << what << ": other\n";
  }
}
int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  auto m = torch::jit::load(folder + "/small_cnn.pt");
  attempt("absent file", [&] { torch::jit::load(folder + "/absent.pt"); });
  attempt("no archive", [&] { torch::jit::load(folder + "/picture.jpg"); });
  attempt("method", [&] { m.get_method("absent"); });
  attempt("shape", [] { torch::ones({2, 3}).matmul(torch::ones({2, 3})); });
  attempt("dtype", [] { torch::ones({2}).data_ptr<double>(); });
  attempt("rank", [] {
    auto t = torch::ones({2});
    t.accessor<float, 2>();
  });
  attempt("item", [] { torch::ones({2}).item<float>(); });
  attempt("index", [] { torch::ones({2})[5]; });
  attempt("cat", [] { torch::cat(std::vector<torch::Tensor>{}); });
  attempt("undefined", [] {
    torch::Tensor t;
    t.sum();
  });
  attempt("kind", [&] { m.forward({torch::ones({1, 3, 8, 8})}).toTuple(); });
  attempt("check", [] { TORCH_CHECK(1 + 1 == 3, "arithmetic"); });
  attempt("device", [] { torch::Device("nowhere"); });
  attempt("fine", [&] { m.forward({torch::ones({1, 3, 8, 8})}); });
  try {
    AT_ERROR("own ", 1);
  } catch (const c10::Error& e) {
    std::cout << e.msg() << std::endl;
  }
  return 0;
}
