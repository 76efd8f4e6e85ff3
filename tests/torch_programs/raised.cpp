// SPDX-License-Identifier: Apache-2.0
// Errors that a model raises itself.
#include <torch/csrc/jit/runtime/jit_exception.h>
#include <torch/script.h>

#include <iostream>

int main() {
  auto unit = torch::jit::compile(R"(
def checked(x: int) -> int:
  assert x <= 2, "too large"
  assert x >= 0, "negative"
  return x
)");
  std::cout << unit->run_method("checked", 1).toInt() << std::endl;
  for (int x : {3, -1}) {
    try {
      unit->run_method("checked", x);
    } catch (const torch::jit::JITException& e) {
      std::cout << "raised "
                << (std::string(e.what()).find(x > 2 ? "too large" : "negative") !=
                    std::string::npos)
                << std::endl;
    } catch (const std::exception& e) {
      std::cout << "other" << std::endl;
    }
  }
  try {
    unit->run_method("checked", "text");
  } catch (const std::exception&) {
    std::cout << "refused" << std::endl;
  }
  std::cout << unit->run_method("checked", 2).toInt() << std::endl;
  return 0;
}
