// SPDX-License-Identifier: Apache-2.0
// Loads an archive and prints the best class of a random image.
#include <sconce/sconce.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: classify MODEL\n";
    return 2;
  }
  try {
    auto m = sconce::load(argv[1]);
    m.eval();
    auto y = m.forward({sconce::randn({1, 3, 32, 32})}).toTensor();
    std::cout << y.sizes() << " " << y.argmax(1).item<int64_t>() << "\n";
  } catch (const sconce::Error& e) {
    std::cerr << e.what() << "\n";
    return 3;
  }
}
