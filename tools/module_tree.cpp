// SPDX-License-Identifier: Apache-2.0
#include "module_tree.h"

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "text.h"
#include "support/stack.h"

namespace sconce::tool {

namespace {

constexpr size_t kLines = 40;
constexpr size_t kDeepest = 200;

std::string tensor_outline(const Tensor& t) {
  return t.defined() ? detail::concat(dtype_name(t.dtype()), " ", t.sizes()) : "undefined";
}

// The tensors below a module, each once: tied ones, and views that other attributes hold, share
// their memory. A parameter stays one whatever else holds it.
class Holdings {
 public:
  void add(const ModuleNode::Own& own) {
    const Tensor& t = own.value;
    put({t.impl()->storage->base(), t.storage_offset()}, own);
  }
  void take(const Holdings& below) {
    for (auto& [place, own] : below.places_) put(place, own);
  }
  TensorCount count(const std::string& kind) const {
    TensorCount c;
    for (auto& [place, own] : places_) {
      if (own.kind != kind) continue;
      ++c.tensors;
      c.elements += own.value.numel();
      c.bytes += static_cast<uint64_t>(own.value.numel()) * element_size(own.value.dtype());
    }
    return c;
  }

 private:
  using Place = std::pair<const void*, int64_t>;
  static int rank(const std::string& kind) {
    return kind == "parameter" ? 0 : kind == "buffer" ? 1 : 2;
  }
  void put(const Place& place, const ModuleNode::Own& own) {
    auto [at, fresh] = places_.emplace(place, own);
    if (!fresh && rank(own.kind) < rank(at->second.kind)) at->second = own;
  }
  std::map<Place, ModuleNode::Own> places_;
};

// Once the own tensors and the children stand in n: the counts and the shape.
void finish(ModuleNode& n, Holdings& all) {
  for (auto& own : n.tensors) all.add(own);
  n.parameters = all.count("parameter");
  n.buffers = all.count("buffer");
  n.others = all.count("tensor");
  n.shape = n.class_name + "{";
  for (auto& t : n.tensors) n.shape += t.name + ":" + tensor_outline(t.value) + ",";
  for (auto& c : n.children) n.shape += c.name + "=" + c.shape + ",";
  n.shape += "}";
}

// Tensors in containers and in objects that are no modules, named by where they are.
class Collector {
 public:
  explicit Collector(std::vector<ModuleNode::Own>& out) : out_(out) {}
  void collect(const std::string& name, const IValue& v) {
    check_stack();
    if (v.isTensor()) {
      if (v.toTensorRef().defined()) out_.push_back({name, "tensor", v.toTensor()});
      return;
    }
    if (!v.box() || !seen_.insert(v.box()).second || seen_.size() > 100'000) return;
    if (v.isTuple() || v.isList()) {
      auto& items = v.isTuple() ? v.toTupleRef().items : v.toListRef().items;
      for (size_t i = 0; i < items.size(); ++i)
        collect(name + "[" + std::to_string(i) + "]", items[i]);
    } else if (v.isDict()) {
      for (auto& kv : v.toDictRef().items)
        collect(name + "[" + ivalue_str(kv.first) + "]", kv.second);
    } else if (v.isObject()) {
      Object& o = v.toObjectRef();
      const std::vector<IValue> slots = o.slots();
      for (size_t i = 0; i < slots.size(); ++i)
        collect(i < o.type->attributes.size() ? name + "." + o.type->attributes[i].name : name,
                slots[i]);
    }
  }

 private:
  std::vector<ModuleNode::Own>& out_;
  std::set<const void*> seen_;
};

class ModuleReader {
 public:
  ModuleNode read(const std::string& name, const Object& o, Holdings& all) {
    check_stack();
    ModuleNode n;
    n.name = name;
    n.class_name = short_class_name(o.type->name);
    if (open_.size() >= kDeepest || !open_.insert(&o).second) return n;  // it holds itself
    const std::vector<IValue> slots = o.slots();
    for (size_t i = 0; i < o.type->attributes.size() && i < slots.size(); ++i) {
      auto& a = o.type->attributes[i];
      const IValue& v = slots[i];
      if (v.isObject() && v.toObjectRef().type->is_module) {
        Holdings below;
        n.children.push_back(read(a.name, v.toObjectRef(), below));
        all.take(below);
      } else if (v.isTensor() && v.toTensorRef().defined()) {
        n.tensors.push_back({a.name,
                             a.is_parameter ? "parameter"
                             : a.is_buffer  ? "buffer"
                                            : "tensor",
                             v.toTensor()});
      } else {
        Collector(n.tensors).collect(a.name, v);
      }
    }
    open_.erase(&o);
    finish(n, all);
    return n;
  }

 private:
  std::set<const Object*> open_;
};

// A tree of dotted names.
struct Names {
  std::string name;
  std::vector<Names> below;
  std::vector<ModuleNode::Own> tensors;

  void add(const std::string& path, const Tensor& t) {
    Names* at = this;
    size_t from = 0;
    for (size_t depth = 0; depth < kDeepest; ++depth) {
      const size_t dot = path.find('.', from);
      if (dot == std::string::npos || dot + 1 == path.size()) break;
      at = &at->child(path.substr(from, dot - from));
      from = dot + 1;
    }
    at->tensors.push_back({path.substr(from), "tensor", t});
  }
  Names& child(const std::string& wanted) {
    for (auto& c : below)
      if (c.name == wanted) return c;
    below.emplace_back();
    below.back().name = wanted;
    return below.back();
  }
  ModuleNode node(Holdings& all) const {
    ModuleNode n;
    n.name = name;
    n.tensors = tensors;
    for (auto& c : below) {
      Holdings of_child;
      n.children.push_back(c.node(of_child));
      all.take(of_child);
    }
    finish(n, all);
    return n;
  }
};

void collect_names(Names& names, const IValue& v, const std::string& prefix, size_t depth) {
  check_stack();
  if (!v.isDict() || depth > kDeepest) return;
  for (auto& kv : v.toDictRef().items) {
    std::string name =
        prefix + (kv.first.isString() ? kv.first.toStringRef() : ivalue_str(kv.first));
    if (kv.second.isTensor() && kv.second.toTensorRef().defined())
      names.add(name, kv.second.toTensor());
    else
      collect_names(names, kv.second, name + ".", depth + 1);
  }
}

// The letters before a number at the end, and the number; -1 when there is none.
std::pair<std::string, int64_t> numbered(const std::string& name) {
  size_t digits = name.size();
  while (digits > 0 && std::isdigit(static_cast<unsigned char>(name[digits - 1]))) --digits;
  if (digits == name.size() || name.size() - digits > 9) return {name, -1};
  return {name.substr(0, digits), std::stoll(name.substr(digits))};
}

void add(TensorCount& to, const TensorCount& c) {
  to.tensors += c.tensors, to.elements += c.elements, to.bytes += c.bytes;
}

// Neighbours of one class whose names are numbered one after another become one node, which has
// children only when all are built alike.
ModuleNode merged(const ModuleNode& n) {
  check_stack();
  ModuleNode r = n;
  r.children.clear();
  for (size_t i = 0; i < n.children.size();) {
    const ModuleNode& first = n.children[i];
    auto [prefix, number] = numbered(first.name);
    size_t end = i + 1;
    while (number >= 0 && end < n.children.size() &&
           n.children[end].class_name == first.class_name &&
           numbered(n.children[end].name) ==
               std::make_pair(prefix, number + static_cast<int64_t>(end - i)))
      ++end;
    ModuleNode m = merged(first);
    m.copies = static_cast<int64_t>(end - i);
    // Dotted names tell no class: only what is built alike is one kind.
    bool alike = std::all_of(n.children.begin() + static_cast<long>(i),
                             n.children.begin() + static_cast<long>(end),
                             [&](const ModuleNode& c) { return c.shape == first.shape; });
    if (m.copies > 1 && (alike || !first.class_name.empty())) {
      m.name = first.name + "-" + std::to_string(number + m.copies - 1);
      for (size_t k = i + 1; k < end; ++k) {
        add(m.parameters, n.children[k].parameters);
        add(m.buffers, n.children[k].buffers);
        add(m.others, n.children[k].others);
      }
      if (!alike) m.children.clear();
    } else {
      m.copies = 1;
      end = i + 1;
    }
    r.children.push_back(std::move(m));
    i = end;
  }
  return r;
}

struct Line {
  std::string text, elements, bytes;
};

void lines_of(const ModuleNode& n, size_t depth, size_t deepest, bool tensors,
              std::vector<Line>& out) {
  check_stack();
  std::string indent(2 * depth, ' ');
  std::string kind = n.copies > 1 ? std::to_string(n.copies) + " x " + n.class_name : n.class_name;
  while (!kind.empty() && kind.back() == ' ') kind.pop_back();
  if (n.name.empty() && kind.empty()) kind = "all";
  std::string text = n.name.empty() ? kind : kind.empty() ? n.name : n.name + " (" + kind + ")";
  int64_t elements = n.parameters.elements;
  if (n.class_name.empty()) elements = n.others.elements;  // a torch.save file tells no kinds
  out.push_back({indent + text, elements ? with_commas(elements) : "",
                 n.bytes() ? byte_text(n.bytes()) : ""});
  if (tensors)
    for (auto& t : n.tensors)
      out.push_back({indent + "  " + t.name + "  " + tensor_outline(t.value) +
                         (t.kind == "buffer" ? ", buffer" : ""),
                     "", ""});
  if (depth < deepest)
    for (auto& c : n.children) lines_of(c, depth + 1, deepest, tensors, out);
}

}  // namespace

ModuleNode module_tree(const Object& root) {
  Holdings all;
  return ModuleReader().read("", root, all);
}

ModuleNode state_tree(const IValue& state) {
  Names names;
  collect_names(names, state, "", 0);
  Holdings all;
  return names.node(all);
}

std::string tree_text(const ModuleNode& root, bool all) {
  std::vector<Line> lines;
  lines_of(root, 0, kDeepest, true, lines);
  bool merges = false;
  if (!all && lines.size() > kLines) {
    ModuleNode small = merged(root);
    std::vector<Line> chosen;
    for (size_t depth = 1; depth <= kDeepest; ++depth) {
      std::vector<Line> tried;
      lines_of(small, 0, depth, false, tried);
      if (depth > 1 && (tried.size() > kLines || tried.size() == chosen.size())) break;
      chosen = std::move(tried);
    }
    lines = std::move(chosen);
    std::function<bool(const ModuleNode&)> opened = [&](const ModuleNode& n) {
      if (n.copies > 1 && !n.children.empty()) return true;
      return std::any_of(n.children.begin(), n.children.end(), opened);
    };
    merges = opened(small);
  }
  lines.insert(lines.begin(), {root.class_name.empty() ? "names" : "modules",
                               root.class_name.empty() ? "numbers" : "parameters", "bytes"});
  size_t width = 0, elements = 0, bytes = 0;
  for (auto& l : lines) {
    if (!l.bytes.empty() || !l.elements.empty()) width = std::max(width, l.text.size());
    elements = std::max(elements, l.elements.size());
    bytes = std::max(bytes, l.bytes.size());
  }
  std::string s;
  for (auto& l : lines) {
    s += printable_line(l.text);
    if (!l.elements.empty() || !l.bytes.empty())
      s += std::string(width - l.text.size() + 2 + elements - l.elements.size(), ' ') + l.elements +
           std::string(2 + bytes - l.bytes.size(), ' ') + l.bytes;
    s += "\n";
  }
  if (merges) s += "(below a line of several modules: what each of them holds; --all shows all)\n";
  return s;
}

nlohmann::ordered_json tree_json(const ModuleNode& n) {
  check_stack();
  nlohmann::ordered_json j{{"name", n.name},
                           {"class", n.class_name},
                           {"parameters", n.parameters.elements},
                           {"bytes", n.bytes()},
                           {"children", nlohmann::ordered_json::array()}};
  for (auto& c : n.children) j["children"].push_back(tree_json(c));
  return j;
}

std::string short_class_name(const std::string& qualified) {
  return qualified.substr(qualified.rfind('.') + 1);
}

std::string value_outline(const IValue& v) {
  check_stack();
  std::string s, separator;
  auto join = [&](const std::string& text) {
    s += separator + text;
    separator = ", ";
  };
  if (v.isTensor()) return tensor_outline(v.toTensorRef());
  if (v.isTuple() || v.isList()) {
    auto& items = v.isTuple() ? v.toTupleRef().items : v.toListRef().items;
    for (auto& e : items) join(value_outline(e));
    return (v.isTuple() ? "(" : "[") + s + (v.isTuple() ? ")" : "]");
  }
  if (v.isDict()) {
    for (auto& kv : v.toDictRef().items)
      join(ivalue_str(kv.first) + ": " + value_outline(kv.second));
    return "{" + s + "}";
  }
  return ivalue_type(v)->annotation_str();
}

}  // namespace sconce::tool
