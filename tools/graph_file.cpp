// SPDX-License-Identifier: Apache-2.0
#include "graph_file.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "api/own_module.h"
#include "api/runtime.h"
#include "backends/kernels.h"
#include "ir/source.h"
#include "ir/verify.h"
#include "progress.h"
#include "support/stack.h"

namespace sconce::tool {

namespace {

std::string escape_html(const std::string& s) {
  std::string r;
  for (char c : s) {
    if (c == '<')
      r += "&lt;";
    else if (c == '>')
      r += "&gt;";
    else if (c == '&')
      r += "&amp;";
    else if (c == '"')
      r += "&quot;";
    else
      r += c;
  }
  return r;
}

std::string name_of(const Value* v) { return v->name.empty() ? std::to_string(v->id) : v->name; }

std::string attribute_text(const Attribute& a, const Node* n) {
  switch (a.kind) {
    case Attribute::Kind::Type:
    case Attribute::Kind::Types: {
      std::string s;
      for (TypePtr t : a.types) s += (s.empty() ? "" : ", ") + t->str();
      return a.kind == Attribute::Kind::Types ? "[" + s + "]" : s;
    }
    case Attribute::Kind::Graph: return "<Graph>";
    case Attribute::Kind::Text: return a.value.toStringRef();
    default:
      return print_constant(a.value, n->kind == prim::Constant ? n->output()->type : nullptr);
  }
}

}  // namespace

GraphFile open_graph(const std::string& path, const std::string& method) {
  std::ifstream in(path, std::ios::binary);
  if (!in) raise<FormatError>(path, ": can't be opened");
  char magic[2] = {};
  in.read(magic, 2);
  GraphFile f;
  f.context.ops = &op_table();
  if (in.gcount() == 2 && magic[0] == 'P' && magic[1] == 'K') {
    read_ahead(path);
    f.module = load(path);
    std::lock_guard<std::recursive_mutex> lock(f.module.impl()->archive.cu->mutex());
    f.graph = f.module.impl()->method(method).ensure_graph().copy();
    f.context.module = f.module.impl()->object.get();
    offer_own_module(f.context, *f.module.impl(), method);
    return f;
  }
  in.clear();
  in.seekg(0);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  f.graph = parse_graph(text, &op_table(), path);
  verify_graph(*f.graph);
  verify_types(*f.graph);
  return f;
}

void run_passes(GraphFile& f, const std::string& pipeline) {
  if (pipeline.empty()) return;
  Context c = default_context();
  c.kernels = &cpu_kernels();
  ContextScope scope(&c);
  run_pipeline(*f.graph, f.context, pipeline);
}

// ---- Graphviz ----

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
              " [shape=ellipse, label=" + quoted("%" + name_of(v) + " : " + v->type->str()) +
              "];\n";
    }
  }
  void returns(const std::vector<Value*>& vs, const std::string& label, const std::string& pad) {
    std::string id = fresh();
    out_ += pad + id + " [shape=ellipse, label=" + quoted(label) + "];\n";
    for (const Value* v : vs) edge(v, id);
  }
  void edge(const Value* from, const std::string& to) {
    edges_ += "  " + at_[from] + " -> " + to + " [label=" + quoted("%" + name_of(from)) + "];\n";
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

// ---- HTML ----

std::string graph_html(const Graph& g, const std::string& title) {
  std::string text = print_graph(g), out;
  out += "<!doctype html>\n<html><head><meta charset=\"utf-8\"><title>" + escape_html(title) +
         "</title>\n<style>\nbody { font-family: sans-serif; }\npre { line-height: 1.35; }\n"
         ".kind { color: #0b57d0; }\n.comment { color: #777; }\na { color: inherit; "
         "text-decoration: none; }\n"
         "a:hover, a:target, .same { background: #ffec99; }\n</style></head>\n<body><h1>" +
         escape_html(title) + "</h1>\n<pre>";
  // The text is coloured as it stands: the first mention of a name is its definition.
  std::set<std::string> seen;
  auto name_char = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
  };
  bool quoted = false;
  for (size_t i = 0; i < text.size();) {
    char c = text[i];
    if (c == '"') quoted = !quoted;
    if (quoted && c == '\\' && i + 1 < text.size()) {
      out += escape_html(text.substr(i, 2));
      i += 2;
    } else if (!quoted && c == '%') {
      size_t e = i + 1;
      while (e < text.size() && name_char(text[e])) ++e;
      std::string name = escape_html(text.substr(i + 1, e - i - 1));
      bool first = seen.insert(name).second;
      out += std::string("<a ") + (first ? "id" : "href") + "=\"" + (first ? "" : "#") + "v-" +
             name + "\" class=\"value\">%" + name + "</a>";
      i = e;
    } else if (!quoted && text.compare(i, 3, " # ") == 0) {
      size_t e = std::min(text.find('\n', i), text.size());
      out += "<span class=\"comment\">" + escape_html(text.substr(i, e - i)) + "</span>";
      i = e;
    } else if (!quoted && text.compare(i, 2, "::") == 0) {
      size_t b = out.size();
      while (b > 0 && name_char(out[b - 1])) --b;
      size_t e = i + 2;
      while (e < text.size() && name_char(text[e])) ++e;
      out.insert(b, "<span class=\"kind\">");
      out += text.substr(i, e - i) + "</span>";
      i = e;
    } else {
      out += escape_html(std::string(1, c));
      ++i;
    }
  }
  out +=
      "</pre>\n<script>\nfor (const a of document.querySelectorAll('.value'))\n"
      "  for (const [event, on] of [['mouseenter', true], ['mouseleave', false]])\n"
      "    a.addEventListener(event, () => {\n"
      "      for (const b of document.querySelectorAll('.value'))\n"
      "        if (b.textContent === a.textContent) b.classList.toggle('same', on);\n    });\n"
      "</script>\n</body></html>\n";
  return out;
}

// ---- JSON ----

namespace {
using Json = nlohmann::ordered_json;

Json json_of(const Graph& g);
Json definitions(const std::vector<Value*>& vs) {
  Json j = Json::array();
  for (const Value* v : vs) j.push_back({{"name", name_of(v)}, {"type", v->type->str()}});
  return j;
}
Json references(const std::vector<Value*>& vs) {
  Json j = Json::array();
  for (const Value* v : vs) j.push_back(name_of(v));
  return j;
}
Json block_json(const Block* b) {
  check_stack();
  Json nodes = Json::array();
  for (const Node* n = b->first(); n != b->ret; n = n->next) {
    Json attributes = Json::object(), blocks = Json::array();
    for (auto& a : n->attributes)
      attributes[a.name.str()] =
          a.kind == Attribute::Kind::Graph ? json_of(*a.graph) : Json(attribute_text(a, n));
    for (const Block* inner : n->blocks) blocks.push_back(block_json(inner));
    nodes.push_back(
        {{"kind", n->kind.str()},
         {"schema", n->op ? Json(std::string(n->op->full_name())) : Json()},
         {"inputs", references(n->inputs)},
         {"outputs", definitions(n->outputs)},
         {"attributes", std::move(attributes)},
         {"blocks", std::move(blocks)},
         {"source", n->range.source ? Json(n->range.source->position(n->range.start)) : Json()}});
  }
  return {{"inputs", definitions(b->inputs())},
          {"nodes", std::move(nodes)},
          {"outputs", references(b->outputs())}};
}
Json json_of(const Graph& g) { return block_json(g.block()); }
}  // namespace

std::string graph_json(const Graph& g) {
  return json_of(g).dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// ---- differences ----

std::string text_diff(const std::string& before, const std::string& after) {
  auto lines = [](const std::string& s) {
    std::vector<std::string> r;
    std::istringstream in(s);
    for (std::string l; std::getline(in, l);) r.push_back(l);
    return r;
  };
  std::vector<std::string> a = lines(before), b = lines(after);
  size_t head = 0, tail = 0;
  while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
  while (tail + head < a.size() && tail + head < b.size() &&
         a[a.size() - 1 - tail] == b[b.size() - 1 - tail])
    ++tail;
  size_t n = a.size() - head - tail, m = b.size() - head - tail;
  if (n + m == 0) return "";
  std::string out;
  auto put = [&](char mark, const std::string& l) { out += mark + (" " + l) + "\n"; };
  if (head) put(' ', a[head - 1]);
  if (n * m > 16000000) {  // too long for the table below: all of it
    for (size_t i = 0; i < n; ++i) put('-', a[head + i]);
    for (size_t i = 0; i < m; ++i) put('+', b[head + i]);
  } else {
    // Longest common subsequence by dynamic programming, from the end.
    std::vector<uint32_t> best((n + 1) * (m + 1), 0);
    auto at = [&](size_t i, size_t j) -> uint32_t& { return best[i * (m + 1) + j]; };
    for (size_t i = n; i-- > 0;)
      for (size_t j = m; j-- > 0;)
        at(i, j) = a[head + i] == b[head + j] ? at(i + 1, j + 1) + 1
                                              : std::max(at(i + 1, j), at(i, j + 1));
    bool skipped = false;
    for (size_t i = 0, j = 0; i < n || j < m;) {
      if (i < n && j < m && a[head + i] == b[head + j]) {
        if (!skipped) put(' ', "...");
        skipped = true;
        ++i, ++j;
        continue;
      }
      skipped = false;
      if (j == m || (i < n && at(i + 1, j) >= at(i, j + 1)))
        put('-', a[head + i++]);
      else
        put('+', b[head + j++]);
    }
  }
  if (tail) put(' ', a[a.size() - tail]);
  return out;
}

}  // namespace sconce::tool
