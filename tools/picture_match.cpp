// SPDX-License-Identifier: Apache-2.0
// Nodes are matched in four steps, each for what the steps before left over, the first three in the
// program's order: by their whole line; by the line without names of values (another numbering is
// no change) and the module; by kind and the name of what they make (an attribute or type changed);
// by their whole line at any place (a constant moved). Two matched nodes are unchanged when their
// lines without names are equal and their inputs come from matched outputs, or stand for the same
// constants.
#include "picture_match.h"

#include <unordered_map>

#include "differences.h"

namespace sconce::tool {

namespace {

constexpr size_t kNone = Picture::kNone;

// "%y.1 : Tensor = aten::relu(%x)" becomes "% : Tensor = aten::relu(%)"; texts in quotes stay.
std::string without_names(const std::string& line) {
  std::string r;
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    r += c;
    if (c == '"') quoted = !quoted;
    if (quoted && c == '\\' && i + 1 < line.size()) r += line[++i];
    if (quoted || c != '%') continue;
    while (i + 1 < line.size() && (std::isalnum(static_cast<unsigned char>(line[i + 1])) ||
                                   line[i + 1] == '_' || line[i + 1] == '.' || line[i + 1] == '-'))
      ++i;
  }
  return r;
}

class Matcher {
 public:
  Matcher(const Picture& before, const Picture& after) : a_(before), b_(after) {
    r_.before.assign(a_.nodes.size(), kNone);
    r_.after.assign(b_.nodes.size(), kNone);
  }

  Matching run() {
    using Node = Picture::Node;
    in_order([](const Picture&, const Node& n) { return n.line; });
    in_order([](const Picture&, const Node& n) { return n.module + "\n" + without_names(n.line); });
    in_order([](const Picture& p, const Node& n) {
      return n.outputs.empty() ? "" : n.kind + "\n" + p.values[n.outputs[0]].name;
    });
    anywhere();
    changes();
    return std::move(r_);
  }

 private:
  // Aligns what is left between each two neighbours among those matched so far. No text: not to be
  // matched.
  template <class Text>
  void in_order(Text text) {
    std::unordered_map<std::string, uint32_t> numbers;
    uint32_t fresh = 0;
    auto tokens = [&](const Picture& p, size_t begin, size_t end, const std::vector<size_t>& done,
                      std::vector<size_t>& places) {
      std::vector<uint32_t> r;
      for (size_t i = begin; i < end; ++i) {
        if (done[i] != kNone) continue;
        std::string s = text(p, p.nodes[i]);
        // Numbers of texts are even, those of what has no text odd and never the same.
        r.push_back(s.empty()
                        ? 2 * fresh++ + 1
                        : 2 * numbers.emplace(std::move(s), static_cast<uint32_t>(numbers.size()))
                                  .first->second);
        places.push_back(i);
      }
      return r;
    };
    size_t begin_a = 0, begin_b = 0;
    const std::vector<size_t> done_a = r_.before, done_b = r_.after;
    for (size_t i = 0; i <= a_.nodes.size(); ++i) {
      const bool last = i == a_.nodes.size();
      const size_t j = last ? b_.nodes.size() : done_a[i];
      if (j == kNone || j < begin_b) continue;
      std::vector<size_t> places_a, places_b;
      const auto tokens_a = tokens(a_, begin_a, i, done_a, places_a);
      const auto tokens_b = tokens(b_, begin_b, j, done_b, places_b);
      for (auto [x, y] : align(tokens_a, tokens_b)) pair(places_a[x], places_b[y]);
      begin_a = i + 1;
      begin_b = j + 1;
    }
  }

  void anywhere() {
    std::unordered_map<std::string, std::vector<size_t>> left;
    for (size_t j = b_.nodes.size(); j-- > 0;)
      if (r_.after[j] == kNone) left[b_.nodes[j].line].push_back(j);
    for (size_t i = 0; i < a_.nodes.size(); ++i) {
      if (r_.before[i] != kNone) continue;
      auto it = left.find(a_.nodes[i].line);
      if (it == left.end() || it->second.empty()) continue;
      pair(i, it->second.back());
      it->second.pop_back();
    }
  }

  void pair(size_t i, size_t j) {
    r_.before[i] = j;
    r_.after[j] = i;
  }

  void changes() {
    r_.changed_before.assign(a_.nodes.size(), false);
    r_.changed_after.assign(b_.nodes.size(), false);
    same(a_.inputs, b_.inputs);
    for (size_t i = 0; i < a_.nodes.size(); ++i) {
      if (r_.before[i] == kNone) continue;
      auto &x = a_.nodes[i], &y = b_.nodes[r_.before[i]];
      same(x.outputs, y.outputs);
      for (size_t k = 0; k < x.blocks.size() && k < y.blocks.size(); ++k)
        same(x.blocks[k].inputs, y.blocks[k].inputs);
    }
    for (size_t i = 0; i < a_.nodes.size(); ++i) {
      if (r_.before[i] == kNone) {
        ++r_.removed;
        continue;
      }
      const size_t j = r_.before[i];
      auto &x = a_.nodes[i], &y = b_.nodes[j];
      bool equal = x.blocks.size() == y.blocks.size() &&
                   without_names(x.line) == without_names(y.line) && are_same(x.inputs, y.inputs);
      for (size_t k = 0; equal && k < x.blocks.size(); ++k)
        equal = are_same(x.blocks[k].outputs, y.blocks[k].outputs);
      if (equal) continue;
      ++r_.changed;
      r_.changed_before[i] = r_.changed_after[j] = true;
    }
    for (size_t i : r_.after) r_.added += i == kNone;
  }
  void same(const std::vector<size_t>& x, const std::vector<size_t>& y) {
    for (size_t k = 0; k < x.size() && k < y.size(); ++k) values_[x[k]] = y[k];
  }
  bool are_same(const std::vector<size_t>& x, const std::vector<size_t>& y) const {
    if (x.size() != y.size()) return false;
    for (size_t k = 0; k < x.size(); ++k)
      if (auto it = values_.find(x[k]);
          (it == values_.end() || it->second != y[k]) && !are_equal_constants(x[k], y[k], 0))
        return false;
    return true;
  }
  // Which of several equal constants a node reads, and whether it is an attribute or the constant
  // that it became, is no change of the node.
  bool are_equal_constants(size_t x, size_t y, int depth) const {
    auto &v = a_.values[x], &w = b_.values[y];
    if (v.node == kNone || w.node == kNone || depth > 8) return false;
    auto &n = a_.nodes[v.node], &m = b_.nodes[w.node];
    if (!n.hidden || !m.hidden) return false;
    if (!v.identity.empty() || !w.identity.empty()) return v.identity == w.identity;
    if (n.inputs.size() != m.inputs.size() || without_names(n.line) != without_names(m.line))
      return false;
    for (size_t k = 0; k < n.inputs.size(); ++k)
      if (!are_equal_constants(n.inputs[k], m.inputs[k], depth + 1)) return false;
    return true;
  }

  const Picture &a_, &b_;
  Matching r_;
  std::unordered_map<size_t, size_t> values_;  // before to after
};

}  // namespace

Matching match(const Picture& before, const Picture& after) { return Matcher(before, after).run(); }

}  // namespace sconce::tool
