// SPDX-License-Identifier: Apache-2.0
// Elements that stand once on both sides anchor the alignment (the longest rising chain of them),
// and the gaps between anchors are aligned in turn: "patience" diff, after Bram Cohen.
#include "differences.h"

#include <algorithm>
#include <sstream>
#include <unordered_map>

#include "support/stack.h"

namespace sconce::tool {

namespace {

class Aligner {
 public:
  Aligner(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b) : a_(a), b_(b) {}
  Pairs run() {
    gap({0, a_.size()}, {0, b_.size()});
    std::sort(pairs_.begin(), pairs_.end());
    return std::move(pairs_);
  }

 private:
  struct Range {
    size_t begin, end;
    size_t size() const { return end - begin; }
  };
  static constexpr size_t kLargestTable = 4'000'000;

  void gap(Range a, Range b) {
    check_stack();
    while (a.size() && b.size() && a_[a.begin] == b_[b.begin])
      pairs_.emplace_back(a.begin++, b.begin++);
    while (a.size() && b.size() && a_[a.end - 1] == b_[b.end - 1])
      pairs_.emplace_back(--a.end, --b.end);
    if (!a.size() || !b.size()) return;
    const Pairs anchors = rising(unique(a, b));
    if (anchors.empty()) return subsequence(a, b);
    for (auto [i, j] : anchors) {
      pairs_.emplace_back(i, j);
      gap({a.begin, i}, {b.begin, j});
      a.begin = i + 1;
      b.begin = j + 1;
    }
    gap(a, b);
  }

  // What stands exactly once in each, in the order of a.
  Pairs unique(Range a, Range b) const {
    struct Seen {
      size_t in_a = 0, in_b = 0, at = 0;
    };
    std::unordered_map<uint32_t, Seen> seen;
    for (size_t i = a.begin; i < a.end; ++i) ++seen[a_[i]].in_a;
    for (size_t j = b.begin; j < b.end; ++j) {
      Seen& s = seen[b_[j]];
      ++s.in_b;
      s.at = j;
    }
    Pairs r;
    for (size_t i = a.begin; i < a.end; ++i)
      if (const Seen& s = seen[a_[i]]; s.in_a == 1 && s.in_b == 1) r.emplace_back(i, s.at);
    return r;
  }

  // The longest chain that rises in b too.
  static Pairs rising(const Pairs& p) {
    std::vector<size_t> ends;  // of the best chain of each length: its last pair
    std::vector<size_t> before(p.size());
    for (size_t k = 0; k < p.size(); ++k) {
      auto it = std::lower_bound(ends.begin(), ends.end(), k,
                                 [&](size_t x, size_t y) { return p[x].second < p[y].second; });
      before[k] = it == ends.begin() ? p.size() : *(it - 1);
      if (it == ends.end())
        ends.push_back(k);
      else
        *it = k;
    }
    Pairs r;
    for (size_t k = ends.empty() ? p.size() : ends.back(); k < p.size(); k = before[k])
      r.push_back(p[k]);
    std::reverse(r.begin(), r.end());
    return r;
  }

  // Longest common subsequence by dynamic programming, from the end.
  void subsequence(Range a, Range b) {
    const size_t n = a.size(), m = b.size();
    if ((n + 1) > kLargestTable / (m + 1)) return;
    std::vector<uint32_t> best((n + 1) * (m + 1), 0);
    auto at = [&](size_t i, size_t j) -> uint32_t& { return best[i * (m + 1) + j]; };
    auto equal = [&](size_t i, size_t j) { return a_[a.begin + i] == b_[b.begin + j]; };
    for (size_t i = n; i-- > 0;)
      for (size_t j = m; j-- > 0;)
        at(i, j) = equal(i, j) ? at(i + 1, j + 1) + 1 : std::max(at(i + 1, j), at(i, j + 1));
    for (size_t i = 0, j = 0; i < n && j < m;)
      if (equal(i, j))
        pairs_.emplace_back(a.begin + i++, b.begin + j++);
      else if (at(i + 1, j) >= at(i, j + 1))
        ++i;
      else
        ++j;
  }

  const std::vector<uint32_t>&a_, &b_;
  Pairs pairs_;
};

}  // namespace

Pairs align(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b) {
  return Aligner(a, b).run();
}

std::string text_diff(const std::string& before, const std::string& after) {
  std::unordered_map<std::string, uint32_t> numbers;
  std::vector<std::string> lines[2];
  std::vector<uint32_t> tokens[2];
  for (int side = 0; side < 2; ++side) {
    std::istringstream in(side ? after : before);
    for (std::string l; std::getline(in, l);) {
      tokens[side].push_back(numbers.emplace(l, numbers.size()).first->second);
      lines[side].push_back(std::move(l));
    }
  }
  Pairs common = align(tokens[0], tokens[1]);
  if (common.size() == lines[0].size() && common.size() == lines[1].size()) return "";
  common.emplace_back(lines[0].size(), lines[1].size());
  std::string out;
  auto put = [&](char mark, const std::string& l) { out += mark + (" " + l) + "\n"; };
  size_t i = 0, j = 0;
  size_t hidden = 0;  // common lines since the last one that is shown
  for (auto [next_i, next_j] : common) {
    const bool differs = i < next_i || j < next_j;
    if (differs && hidden > 1 && !out.empty()) put(' ', "...");
    if (differs && hidden > 0) put(' ', lines[0][i - 1]);
    while (i < next_i) put('-', lines[0][i++]);
    while (j < next_j) put('+', lines[1][j++]);
    if (i == lines[0].size()) break;
    hidden = differs ? 0 : hidden + 1;
    if (differs) put(' ', lines[0][i]);
    ++i, ++j;
  }
  return out;
}

}  // namespace sconce::tool
