// SPDX-License-Identifier: Apache-2.0
// What sentences want, one in each line of the standard input: the best class and its share. The
// tokenizer is TorchScript and comes with the archive.
// usage: intent MODEL.pt
#include <sconce/sconce.h>

#include <cstdio>
#include <iostream>
#include <sstream>

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::cerr << "usage: intent MODEL.pt < SENTENCES\n";
    return 2;
  }
  std::map<std::string, std::string> extra{{"labels.txt", ""}};
  sconce::LoadOptions options;
  options.extra_files = &extra;
  auto model = sconce::load(argv[1], options);
  std::vector<std::string> names;
  std::istringstream labels(extra["labels.txt"]);
  for (std::string name; std::getline(labels, name);) names.push_back(name);

  for (std::string sentence; std::getline(std::cin, sentence);) {
    auto share = model.forward({sentence}).toTensor().softmax(0);
    auto best = static_cast<size_t>(share.argmax().item<int64_t>());
    std::printf("%-9s %3.0f %%  %s\n", names.at(best).c_str(), 100 * share.max().item<double>(),
                sentence.c_str());
  }
} catch (const std::exception& e) {  // sconce::Error is one
  std::cerr << e.what() << "\n";
  return 3;
}
