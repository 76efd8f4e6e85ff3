// SPDX-License-Identifier: Apache-2.0
// Boxes within boxes. A run of nodes with the same next part in their module's path is a group, so
// that edges between groups follow the program's order and never make a cycle; a module that is
// called twice is drawn twice. Blocks are groups inside of their node's. What would be a long list
// is cut into parts, so that every drawing is small.
//
//   conv1   bn1   layer1.0.conv1  layer1.0.bn1  layer1.1.conv1  relu       the nodes' modules
//   conv1   bn1   layer1 ( 0 (conv1 bn1)  1 (conv1) )           relu       boxes
//
// An edge leads from a definition to a use. Where they stand in different groups it passes through
// ports: a box Outputs of each group that it leaves, a box Inputs of each that it enters.
#include "picture_boxes.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "support/stack.h"

namespace sconce::tool {

namespace {

using Box = Picture::Box;
constexpr size_t kNoBox = Picture::kNone;
constexpr size_t kMostBoxes = 100, kPart = 50;  // of one drawing; of one part
constexpr size_t kMostPorts = 6;                // more values share one
constexpr size_t kMostEdges = 200'000;          // of all drawings

// Until the shape is known, boxes own what is inside of them.
struct Tree {
  std::string title, note;
  std::string owner = {};  // the groups that had nothing but this
  size_t node = kNoBox;    // the node itself, or whose blocks are inside
  bool module = false;
  std::vector<const BlockNodes*> blocks = {};  // whose inputs and outputs come in and leave here
  std::vector<Tree> inside = {};
};

std::string cut(const std::string& s, size_t most) {
  if (s.size() <= most) return s;
  size_t end = most;
  while (end > 0 && (s[end] & 0xc0) == 0x80) --end;  // whole characters of UTF-8
  return s.substr(0, end) + "...";
}

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> r;
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    r.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return r;
}

std::string joined(const std::vector<std::string>& path, size_t parts) {
  std::string r;
  for (size_t i = 0; i < parts; ++i) r += (i ? "." : "") + path[i];
  return r;
}

class TreeMaker {
 public:
  TreeMaker(const Picture& p, const std::vector<std::vector<BlockNodes>>& blocks)
      : p_(p), blocks_(blocks) {
    for (auto& n : p.nodes) paths_.push_back(parts_of(n.module));
  }
  Tree all(const BlockNodes& top) {
    Tree r;
    r.blocks = {&top};
    r.inside = block(top, 0);
    return r;
  }

 private:
  std::vector<Tree> block(const BlockNodes& b, size_t depth) {
    std::vector<size_t> drawn;
    for (size_t n : b.nodes)
      if (!p_.nodes[n].hidden && (placed_.size() <= n || !placed_[n])) drawn.push_back(n);
    placed_.resize(p_.nodes.size());
    for (size_t n : drawn) placed_[n] = true;
    return run(drawn.data(), drawn.data() + drawn.size(), depth);
  }

  // depth: how many parts of the path are those of the groups around.
  std::vector<Tree> run(const size_t* begin, const size_t* end, size_t depth) {
    check_stack();
    std::vector<Tree> r;
    std::unordered_map<std::string, size_t> visits;
    while (begin != end) {
      const auto& path = paths_[*begin];
      if (path.size() <= depth) {
        r.push_back(node(*begin++, depth));
        continue;
      }
      const size_t* stop = begin;
      while (stop != end && paths_[*stop].size() > depth && paths_[*stop][depth] == path[depth])
        ++stop;
      Tree module;
      const size_t visit = ++visits[path[depth]];
      module.title = cut(path[depth], 40) + (visit > 1 ? ", call " + std::to_string(visit) : "");
      if (auto it = p_.classes.find(joined(path, depth + 1)); it != p_.classes.end())
        module.note = cut(it->second, 40);
      module.module = true;
      module.inside = run(begin, stop, depth + 1);
      begin = stop;
      r.push_back(simpler(std::move(module)));
    }
    return in_parts(std::move(r));
  }

  // A group of one box is that box.
  static Tree simpler(Tree module) {
    if (module.inside.size() != 1) return module;
    Tree only = std::move(module.inside[0]);
    if (only.module)
      only.title = cut(module.title + "." + only.title, 60);
    else
      only.owner = module.title + (only.owner.empty() ? "" : "." + only.owner);
    return only;
  }

  Tree node(size_t i, size_t depth) {
    const Picture::Node& n = p_.nodes[i];
    Tree r;
    r.node = i;
    r.title = title_of(n.kind);
    r.note = note_of(n);
    std::vector<Tree> inner;
    for (size_t k = 0; k < blocks_[i].size(); ++k) {
      Tree b;
      const bool branch = n.kind == "prim::If";
      b.title = branch ? (k ? "else" : "then") : "block " + std::to_string(k);
      b.blocks = {&blocks_[i][k]};
      b.inside = block(blocks_[i][k], depth);
      if (!b.inside.empty()) inner.push_back(std::move(b));
    }
    if (inner.size() == 1) {  // nothing between a loop and its body
      if (blocks_[i].size() > 1) r.title += " " + inner[0].title;
      r.blocks = std::move(inner[0].blocks);
      r.inside = std::move(inner[0].inside);
    } else {
      r.inside = std::move(inner);
    }
    return r;
  }

  static std::string title_of(const std::string& kind) {
    for (const char* space : {"aten::", "prim::"})
      if (kind.rfind(space, 0) == 0) return cut(kind.substr(6), 40);
    return cut(kind, 40);
  }
  // The sizes of the first parameter, or which method is called.
  std::string note_of(const Picture::Node& n) const {
    if (n.kind == "prim::CallMethod")
      for (auto& [name, text] : n.attributes)
        if (name == "name") return cut(text, 40);
    for (size_t v : n.inputs)
      if (const std::string& s = p_.values[v].content;
          !s.empty() && s.find("[]") == std::string::npos)
        return cut(s.substr(std::min(s.find('['), s.size())), 40);
    return "";
  }

  static std::vector<Tree> in_parts(std::vector<Tree> all) {
    while (all.size() > kMostBoxes) {
      std::vector<Tree> parts;
      for (size_t begin = 0; begin < all.size(); begin += kPart) {
        const size_t end = std::min(begin + kPart, all.size());
        Tree part;
        part.title = "part " + std::to_string(parts.size() + 1);
        part.inside.assign(std::make_move_iterator(all.begin() + static_cast<ptrdiff_t>(begin)),
                           std::make_move_iterator(all.begin() + static_cast<ptrdiff_t>(end)));
        parts.push_back(std::move(part));
      }
      all = std::move(parts);
    }
    return all;
  }

  const Picture& p_;
  const std::vector<std::vector<BlockNodes>>& blocks_;
  std::vector<std::vector<std::string>> paths_;
  std::vector<bool> placed_;
};

class Boxes {
 public:
  explicit Boxes(Picture& p) : p_(p) {}

  void make(Tree&& root) {
    p_.groups.emplace_back();
    ports_.emplace_back();
    edges_.emplace_back();
    fill(0, std::move(root));
    for (auto& [group, block] : blocks_) {
      for (size_t v : block->inputs) defined_[v] = {group, kNoBox};  // a port once it is used
    }
    for (size_t n = 0; n < p_.nodes.size(); ++n)
      for (size_t v : p_.nodes[n].outputs)
        if (p_.nodes[n].group != kNoBox) defined_[v] = {p_.nodes[n].group, at_[n]};
    for (size_t n = 0; n < p_.nodes.size(); ++n)
      if (p_.nodes[n].group != kNoBox)
        for (size_t v : p_.nodes[n].inputs) connect(v, {p_.nodes[n].group, at_[n]});
    for (auto& [group, block] : blocks_)
      for (size_t v : block->outputs)
        if (defined_.count(v)) connect(v, {group, port(group, Box::Kind::Outputs, v)});
    for (auto& g : p_.groups)
      for (Box& b : g.boxes)
        if (b.kind == Box::Kind::Inputs || b.kind == Box::Kind::Outputs) name_port(b);
  }

 private:
  struct Place {
    size_t group, box;
  };

  static std::string note_of(const Tree& t) {
    return t.owner + (t.owner.empty() || t.note.empty() ? "" : "  ") + t.note;
  }

  void fill(size_t g, Tree&& t) {
    check_stack();
    p_.groups[g].title = t.title;
    p_.groups[g].note = note_of(t);
    p_.groups[g].node = t.node;
    for (const BlockNodes* b : t.blocks) blocks_.emplace_back(g, b);
    for (Tree& inner : t.inside) {
      const size_t at = p_.groups[g].boxes.size();
      p_.groups[g].boxes.emplace_back();
      Box box;
      box.title = inner.title;
      box.note = note_of(inner);
      if (inner.node != kNoBox) {
        p_.nodes[inner.node].group = g;
        at_[inner.node] = at;
      }
      if (inner.inside.empty()) {
        box.index = inner.node;
      } else {
        const size_t made = p_.groups.size();
        box.kind = Box::Kind::Group;
        box.index = made;
        p_.groups.emplace_back();
        ports_.emplace_back();
        edges_.emplace_back();
        p_.groups[made].parent = g;
        p_.groups[made].at = at;
        p_.groups[made].depth = p_.groups[g].depth + 1;
        fill(made, std::move(inner));
      }
      p_.groups[g].boxes[at] = std::move(box);
    }
  }

  // The box of g by which v comes in or leaves.
  size_t port(size_t g, Box::Kind kind, size_t v) {
    auto& ports = ports_[g];
    auto [it, fresh] = ports.where.emplace(std::make_pair(kind, v), kNoBox);
    if (!fresh) return it->second;
    auto& made = ports.made[kind == Box::Kind::Outputs];
    if (made.size() == kMostPorts) {
      it->second = made.back();
    } else {
      it->second = p_.groups[g].boxes.size();
      made.push_back(it->second);
      p_.groups[g].boxes.emplace_back();
      p_.groups[g].boxes.back().kind = kind;
    }
    p_.groups[g].boxes[it->second].values.push_back(v);
    return it->second;
  }

  void connect(size_t v, Place to) {
    auto it = defined_.find(v);
    if (it == defined_.end()) return;  // of a constant, or of an attribute
    Place from = it->second;
    if (from.box == kNoBox) from.box = port(from.group, Box::Kind::Inputs, v);
    while (from.group != to.group) {
      auto &f = p_.groups[from.group], &t = p_.groups[to.group];
      if (f.depth > t.depth) {
        edge(from.group, from.box, port(from.group, Box::Kind::Outputs, v), v);
        from = {p_.groups[from.group].parent, p_.groups[from.group].at};
      } else {
        edge(to.group, port(to.group, Box::Kind::Inputs, v), to.box, v);
        to = {p_.groups[to.group].parent, p_.groups[to.group].at};
      }
    }
    edge(from.group, from.box, to.box, v);
  }

  void edge(size_t g, size_t from, size_t to, size_t v) {
    if (from == to) return;
    if (++count_ > kMostEdges) raise<LimitError>("more than ", kMostEdges, " edges");
    auto [it, fresh] = edges_[g].emplace(std::make_pair(from, to), p_.groups[g].edges.size());
    if (fresh) p_.groups[g].edges.push_back({from, to, {}});
    auto& values = p_.groups[g].edges[it->second].values;
    if (values.empty() || (values.back() != v && values.size() < 100 &&
                           std::find(values.begin(), values.end(), v) == values.end()))
      values.push_back(v);
  }

  void name_port(Box& b) const {
    for (size_t i = 0; i < b.values.size() && i < 3; ++i)
      b.title += (i ? ", " : "") + p_.values[b.values[i]].name;
    if (b.values.size() > 3) b.title += " and " + std::to_string(b.values.size() - 3) + " more";
    b.title = cut(b.title, 40);
  }

  struct Ports {
    std::map<std::pair<Box::Kind, size_t>, size_t> where;
    std::vector<size_t> made[2];  // boxes
  };
  Picture& p_;
  std::vector<Ports> ports_;                                        // by group
  std::vector<std::map<std::pair<size_t, size_t>, size_t>> edges_;  // by group
  std::vector<std::pair<size_t, const BlockNodes*>> blocks_;        // and their groups
  std::unordered_map<size_t, size_t> at_;                           // a node's box in its group
  std::unordered_map<size_t, Place> defined_;                       // values
  size_t count_ = 0;
};

}  // namespace

void make_boxes(Picture& p, const BlockNodes& top,
                const std::vector<std::vector<BlockNodes>>& blocks) {
  try {
    Boxes(p).make(TreeMaker(p, blocks).all(top));
  } catch (const LimitError& e) {
    p.not_drawn = std::string("too large to be drawn: ") + e.what();
    for (auto& g : p.groups) g.edges.clear();
  }
}

}  // namespace sconce::tool
