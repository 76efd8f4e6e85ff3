// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "graph_file.h"
#include "support/stack.h"

namespace sconce::tool {

namespace {
class Dot {
 public:
  std::string text(const Graph& g) {
    out_ = "digraph graph_ {\n  node [shape=box, fontname=\"monospace\"];\n";
    inputs(g.block(), "  ");
    block(g.block(), "  ");
    returns(g.outputs(), "return", "  ");
    return out_ + edges_ + "}\n";
  }

 private:
  static std::string quoted(const std::string& s) {
    std::string r = "\"";
    for (char c : s) {
      if (c == '"' || c == '\\') r += '\\';
      r += c;
    }
    return r + "\"";
  }
  std::string fresh() { return "n" + std::to_string(next_++); }
  void inputs(const Block* b, const std::string& pad) {
    for (const Value* v : b->inputs()) {
      std::string id = at_[v] = fresh();
      out_ += pad + id +
              " [shape=ellipse, label=" + quoted("%" + value_name(v) + " : " + v->type->str()) +
              "];\n";
    }
  }
  void returns(const std::vector<Value*>& vs, const std::string& label, const std::string& pad) {
    std::string id = fresh();
    out_ += pad + id + " [shape=ellipse, label=" + quoted(label) + "];\n";
    for (const Value* v : vs) edge(v, id);
  }
  void edge(const Value* from, const std::string& to) {
    edges_ += "  " + at_[from] + " -> " + to + " [label=" + quoted("%" + value_name(from)) + "];\n";
  }
  void block(const Block* b, const std::string& pad) {
    check_stack();
    for (const Node* n = b->first(); n != b->ret; n = n->next) {
      std::string id = fresh(), label = n->kind.str();
      for (auto& a : n->attributes)
        label += "\n" + std::string(a.name.str()) + "=" + attribute_text(a, n).substr(0, 60);
      out_ += pad + id + " [label=" + quoted(label) + "];\n";
      for (const Value* v : n->inputs) edge(v, id);
      for (const Value* v : n->outputs) at_[v] = id;
      for (size_t i = 0; i < n->blocks.size(); ++i) {
        out_ += pad + "subgraph cluster_" + fresh() + " {\n";
        out_ += pad +
                "  label=" + quoted(std::string(n->kind.str()) + " block" + std::to_string(i)) +
                ";\n";
        inputs(n->blocks[i], pad + "  ");
        block(n->blocks[i], pad + "  ");
        returns(n->blocks[i]->outputs(), "->", pad + "  ");
        out_ += pad + "}\n";
      }
    }
  }
  std::string out_, edges_;
  std::map<const Value*, std::string> at_;
  size_t next_ = 0;
};
}  // namespace

std::string graph_dot(const Graph& g) { return Dot().text(g); }

}  // namespace sconce::tool
