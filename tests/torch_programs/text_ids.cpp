// SPDX-License-Identifier: Apache-2.0
// Words become numbers by a table from an extra file of the archive.
#include <torch/script.h>

#include <iostream>
#include <map>
#include <sstream>
#include <string>

int main() {
  torch::jit::Module made("Classifier");
  made.register_parameter("emb", torch::linspace(0, 1, 15).view({5, 3}), false);
  made.define("def forward(self, ids):\n  return torch.embedding(self.emb, ids).mean(1)\n");
  std::stringstream file;
  made.save(file, {{"vocab.txt", "the\ncat\nsat\n"}, {"config.json", "{\"pad\": 0}"}});
  torch::jit::ExtraFilesMap extra{{"vocab.txt", ""}, {"config.json", ""}, {"absent", ""}};
  torch::jit::script::Module module = torch::jit::load(file, torch::kCPU, extra);
  std::map<std::string, int> vocabulary;
  std::istringstream lines(extra.at("vocab.txt"));
  for (std::string word; std::getline(lines, word);)
    vocabulary.emplace(word, int(vocabulary.size()) + 1);
  std::cout << extra["config.json"] << extra["absent"].empty() << vocabulary.size() << std::endl;
  std::istringstream text("the cat saw the dog");
  std::vector<int64_t> ids;
  for (std::string w; text >> w;) ids.push_back(vocabulary.count(w) ? vocabulary[w] : 0);
  auto tensor = torch::tensor(ids).view({1, -1});
  std::cout << tensor << module.forward({tensor}).toTensor() << std::endl;
  return 0;
}
