// SPDX-License-Identifier: Apache-2.0
// Reads a graph into a picture's nodes and values; picture_boxes.cpp makes the boxes of them.
#include "picture.h"

#include <algorithm>
#include <sstream>
#include <unordered_map>

#include "core/op_table.h"
#include "ir/source.h"
#include "module_tree.h"
#include "picture_boxes.h"
#include "positions.h"
#include "support/stack.h"

namespace sconce::tool {

namespace {

// Source texts that a page may hold, together and each.
constexpr size_t kMostSource = 4 << 20, kLongestSource = 64 << 10;

class Reader {
 public:
  Reader(const Graph& g, const Object* module) : graph_(g), module_(module) {}

  Picture read() {
    std::vector<std::pair<const sconce::Node*, size_t>> lines;
    p_.text = print_graph(graph_, false, lines);
    if (lines.size() > Picture::kMostNodes)
      raise<LimitError>("the graph has ", lines.size(), " nodes, and a page shows ",
                        Picture::kMostNodes, " at most: use --format text");
    for (auto& [n, begin] : lines) {
      if (!index_.emplace(n, nodes_.size()).second) continue;  // two nodes have one subgraph
      nodes_.push_back(n);
      p_.line_begins.push_back(begin);
    }
    p_.nodes.resize(nodes_.size());
    blocks_.resize(nodes_.size());
    for (const sconce::Value* v : graph_.inputs()) p_.inputs.push_back(value(v));
    if (!p_.inputs.empty() && graph_.inputs()[0]->type->kind == TypeKind::Class)
      self_ = graph_.inputs()[0];
    for (size_t i = 0; i < nodes_.size(); ++i) node(i);
    p_.outputs = all(graph_.outputs());
    paths();
    classes();
    make_boxes(p_, nodes_of(graph_.block()), blocks_);
    return std::move(p_);
  }

 private:
  size_t value(const sconce::Value* v) {
    auto [it, fresh] = values_.emplace(v, p_.values.size());
    if (fresh) {
      Picture::Value made;
      made.name = "%" + value_name(v);
      made.type = v->type->str();
      p_.values.push_back(std::move(made));
    }
    return it->second;
  }
  std::vector<size_t> all(const std::vector<sconce::Value*>& vs) {
    std::vector<size_t> r;
    for (const sconce::Value* v : vs) r.push_back(value(v));
    return r;
  }
  BlockNodes nodes_of(const Block* b) {
    BlockNodes r;
    for (const sconce::Node* n = b->first(); n != b->ret; n = n->next)
      r.nodes.push_back(index_.at(n));
    r.inputs = all(b->inputs());
    r.outputs = all(b->outputs());
    return r;
  }

  void node(size_t i) {
    const sconce::Node* n = nodes_[i];
    Picture::Node& r = p_.nodes[i];
    r.kind = n->kind.str();
    if (n->op) {
      r.schema = n->op->text();
      for (auto& a : n->op->schema().arguments) r.arguments.push_back(a.name);
    }
    r.inputs = all(n->inputs);
    r.outputs = all(n->outputs);
    for (size_t v : r.outputs) p_.values[v].node = i;
    const size_t begin = p_.text.find_first_not_of(' ', p_.line_begins[i]);
    const size_t next = i + 1 < nodes_.size() ? p_.line_begins[i + 1] : p_.text.size();
    // Up to the line's end; what a text in quotes holds is escaped there.
    r.line = p_.text.substr(begin, std::min(p_.text.find('\n', begin), next) - begin);
    for (const Attribute& a : n->attributes) {
      if (a.kind == Attribute::Kind::Graph)
        blocks_[i].push_back(nodes_of(a.graph->block()));
      else
        r.attributes.emplace_back(a.name.str(), attribute_text(a, n));
    }
    for (const Block* b : n->blocks) blocks_[i].push_back(nodes_of(b));
    for (const BlockNodes& b : blocks_[i]) r.blocks.push_back({b.inputs, b.outputs});
    r.hidden = hidden(n);
    if (n->kind == prim::Constant || n->kind == prim::GetAttr)
      content(n);
    else if (r.hidden && n->kind == prim::ListConstruct)
      list_identity(r);
    origin(n, r);
  }

  // Constants, and lists of them; attributes of self, and of what they hold.
  bool hidden(const sconce::Node* n) const {
    auto is_hidden = [&](const sconce::Value* v) {
      auto it = index_.find(v->node);
      return v == self_ || (it != index_.end() && p_.nodes[it->second].hidden);
    };
    if (n->kind == prim::Constant || n->kind == prim::Uninitialized) return true;
    if (n->kind == prim::GetAttr || n->kind == prim::ListConstruct ||
        n->kind == prim::TupleConstruct)
      return std::all_of(n->inputs.begin(), n->inputs.end(), is_hidden) &&
             !(n->inputs.empty() && n->kind == prim::ListConstruct);
    return false;
  }

  // What the parameter or constant is, as far as types don't say.
  void content(const sconce::Node* n) {
    std::optional<IValue> v;
    if (n->kind == prim::Constant)
      v = constant_value(n->output());
    else if (module_)
      v = attribute(n);
    if (!v) return;
    Picture::Value& shown = p_.values[value(n->output())];
    if (v->isTensor() && v->toTensorRef().defined()) {
      shown.content = value_outline(*v);
      const Tensor& t = v->toTensorRef();
      std::ostringstream memory;
      if (t.impl()->storage) memory << shown.content << " at " << t.const_raw_data();
      shown.identity = memory.str();
    } else if (v->isNone() || v->isBool() || v->isInt() || v->isDouble() || v->isString()) {
      shown.identity = print_constant(*v, n->output()->type);
      if (n->kind == prim::GetAttr) shown.content = shown.identity;
    } else if (v->isList() && n->kind == prim::Constant) {
      shown.identity = print_constant(*v, n->output()->type);
    }
    if (v->isObject()) objects_[n->output()] = *v;
  }
  // As the constant that the list may become is printed.
  void list_identity(const Picture::Node& n) {
    std::string s;
    for (size_t v : n.inputs) {
      if (p_.values[v].identity.empty() || p_.values[v].type == "Tensor") return;
      s += (s.empty() ? "" : ", ") + p_.values[v].identity;
    }
    p_.values[n.outputs[0]].identity = "[" + s + "]";
  }
  std::optional<IValue> attribute(const sconce::Node* n) const {
    const Object* o = nullptr;
    if (n->input() == self_)
      o = module_;
    else if (auto it = objects_.find(n->input()); it != objects_.end())
      o = &it->second.toObjectRef();
    static const Symbol name("name");
    if (!o) return std::nullopt;
    try {
      return o->getattr(n->s(name));
    } catch (const Error&) {  // the graph is of another class than its module
      return std::nullopt;
    }
  }

  void origin(const sconce::Node* n, Picture::Node& r) {
    if (!n->range.source) return;
    const Source& s = *n->range.source;
    r.comment = short_position(n->range);
    const OriginalRange* o = s.find_original(n->range.start);
    if (o && !o->file_name().empty()) {
      r.origin.python = r.comment;
      r.origin.source = source(*o);
      const std::string& own = o->source();
      r.origin.source_line = static_cast<size_t>(
          std::count(own.begin(), own.begin() + std::min<size_t>(o->start, own.size()), '\n'));
    }
    if (s.text.empty()) return;
    auto [line, column] = s.line_col(n->range.start);
    r.origin.script =
        without_folders(s.name + ":" + std::to_string(line) + ":" + std::to_string(column));
    const size_t begin = n->range.start - column;
    if (begin < s.text.size())
      r.origin.script_line =
          s.text.substr(begin, std::min<size_t>(s.text.find('\n', begin) - begin, 500));
  }
  size_t source(const OriginalRange& o) {
    auto [it, fresh] = sources_.emplace(o.text.get(), Picture::kNone);
    if (!fresh || !o.text || o.text->size() > kLongestSource ||
        source_bytes_ + o.text->size() > kMostSource)
      return it->second;
    source_bytes_ += o.text->size();
    it->second = p_.sources.size();
    p_.sources.push_back({without_folders(o.file_name()), frames_without_folders(*o.text), o.line});
    return it->second;
  }
  // The source of a trace is a list of frames, "/home/me/net.py(12): forward".
  static std::string frames_without_folders(const std::string& text) {
    std::string out;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
      const std::string line = text.substr(begin, end - begin);
      const size_t path_end =
          line.find("): ") == std::string::npos ? 0 : line.rfind('(', line.find("): "));
      out += path_end != 0 && path_end != std::string::npos
                 ? without_folders(line.substr(0, path_end)) + line.substr(path_end)
                 : line;
      begin = end;
    }
    return out;
  }

  // ---- modules ----
  void paths() {
    bool known = false;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      p_.nodes[i].module = nodes_[i]->module_path ? nodes_[i]->module_path.str()
                                                  : path_of_scope(nodes_[i]->scope.str());
      known |= !p_.nodes[i].module.empty();
    }
    // Text that was inlined elsewhere tells the module by the attributes that a node reads.
    for (size_t i = 0; i < nodes_.size() && !known; ++i) {
      const sconce::Node* n = nodes_[i];
      if (p_.nodes[i].hidden) continue;
      for (const sconce::Value* v : n->inputs) {
        const bool object = v->type->kind == TypeKind::Class;
        std::string path =
            v->node->kind == prim::GetAttr ? attribute_path(object ? v : v->node->input()) : "";
        if (path.size() > p_.nodes[i].module.size()) p_.nodes[i].module = std::move(path);
      }
    }
  }
  void classes() {
    for (const sconce::Node* n : nodes_)
      if (n->kind == prim::GetAttr && n->output()->type->kind == TypeKind::Class)
        p_.classes.emplace(attribute_path(n->output()), short_class_name(n->output()->type->str()));
    if (module_) classes_below(*module_, "", 0);
  }
  // Frozen graphs don't name their modules any more. Modules that hold each other end by depth.
  void classes_below(const Object& o, const std::string& path, int depth) {
    check_stack();
    const auto& attributes = o.type->attributes;
    for (size_t i = 0; i < attributes.size() && i < o.size(); ++i) {
      if (attributes[i].type->kind != TypeKind::Class || p_.classes.size() > Picture::kMostNodes ||
          depth > 100)
        continue;
      const IValue v = o.slot(i);
      if (!v.isObject()) continue;
      const std::string inner = path.empty() ? attributes[i].name : path + "." + attributes[i].name;
      if (inner.size() > 500) continue;
      p_.classes[inner] = short_class_name(attributes[i].type->str());
      classes_below(v.toObjectRef(), inner, depth + 1);
    }
  }
  std::string attribute_path(const sconce::Value* v) const {
    static const Symbol name("name");
    std::string path;
    for (; v->node->kind == prim::GetAttr && path.size() < 500; v = v->node->input())
      path.insert(0, path.empty() ? v->node->s(name) : v->node->s(name) + ".");
    return v == self_ ? path : "";
  }
  // "__module.a/__module.a.b" is a.b.
  static std::string path_of_scope(const std::string& scope) {
    std::string last = scope.substr(scope.rfind('/') + 1);
    for (const char* root : {"__module.", "__module"})
      if (last.rfind(root, 0) == 0) return last.substr(std::char_traits<char>::length(root));
    return last;
  }

  const Graph& graph_;
  const Object* module_;
  const sconce::Value* self_ = nullptr;
  Picture p_;
  std::vector<const sconce::Node*> nodes_;
  std::unordered_map<const sconce::Node*, size_t> index_;
  std::unordered_map<const sconce::Value*, size_t> values_;
  std::unordered_map<const sconce::Value*, IValue> objects_;
  std::vector<std::vector<BlockNodes>> blocks_;
  std::unordered_map<const std::string*, size_t> sources_;
  size_t source_bytes_ = 0;
};

}  // namespace

Picture picture_of(const Graph& g, const Object* module) { return Reader(g, module).read(); }

}  // namespace sconce::tool
