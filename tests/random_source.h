// SPDX-License-Identifier: Apache-2.0
// Random methods for the module of fixtures/state.pt: loops, branches, views, in-place writes,
// attributes assigned and shared, containers with tensors, returned constants. A method is a tree
// of statements, so that a failing one can be made smaller.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace sconce::random {

// Splitmix64.
class Rng {
 public:
  explicit Rng(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  int64_t below(int64_t n) { return static_cast<int64_t>(next() % static_cast<uint64_t>(n)); }
  bool one_in(int64_t n) { return below(n) == 0; }

 private:
  uint64_t state_;
};

// A line, or the head of a block ("if ...:", "for ...:") with what stands in it.
struct Statement {
  std::string text;
  std::vector<Statement> body, otherwise;
};

struct MethodSource {
  std::string name;
  std::vector<Statement> statements;
  std::vector<std::string> returned, types;  // of the tuple that it returns
  // def name(self, x: Tensor, y: Tensor, k: int) -> Tuple[...]; x and y are [2, 3].
  std::string text() const;
};

// Drops assignments to variables that nothing reads: PyTorch's compilers drop them too, and with
// them what they would raise.
void drop_dead(MethodSource& m);
// earlier: methods that it may call.
MethodSource random_method(Rng& rng, const std::string& name,
                           const std::vector<MethodSource>& earlier);

}  // namespace sconce::random
