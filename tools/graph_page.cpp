// SPDX-License-Identifier: Apache-2.0
// Whatever comes from a model is data here: text of the page is escaped, the script's data are JSON
// without a "<", and the page's policy allows the one script whose hash it names.
#include "graph_page.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <unordered_set>

#include "page_files.h"
#include "picture_match.h"
#include "text.h"

namespace sconce::tool {

namespace {

using Json = nlohmann::ordered_json;
constexpr size_t kNoPlace = Picture::kNone;
// Longer ones of a file's texts are cut.
constexpr size_t kLongestLine = 4000, kLongestAttribute = 2000;
constexpr int kSecondsOfLayout = 30;

std::string escape_html(std::string_view s) {
  std::string r;
  for (char c : s) switch (c) {
      case '<': r += "&lt;"; break;
      case '>': r += "&gt;"; break;
      case '&': r += "&amp;"; break;
      case '"': r += "&quot;"; break;
      case '\'': r += "&#39;"; break;
      default: r += c;
    }
  return r;
}

// Bytes that are no UTF-8 and control characters as people can read them.
std::string shown(const std::string& s, size_t most) {
  std::string r = printable(s.size() > most ? s.substr(0, most) : s);
  if (s.size() > most) r += "... (" + with_commas(static_cast<int64_t>(s.size())) + " characters)";
  return r;
}

// "{{name}}" of the text is replaced by its value, once: what a value holds is no place.
std::string fill(std::string_view text,
                 const std::unordered_map<std::string, std::string>& values) {
  std::string r;
  for (size_t done = 0;;) {
    const size_t begin = text.find("{{", done), end = text.find("}}", begin);
    if (begin == std::string_view::npos) return r.append(text.substr(done));
    r.append(text.substr(done, begin - done));
    r += values.at(std::string(text.substr(begin + 2, end - begin - 2)));
    done = end + 2;
  }
}

// ---- the text ----

class TextPane {
 public:
  TextPane(const Picture& p, size_t side, const std::vector<const char*>& states)
      : p_(p), side_(std::to_string(side)), states_(states) {}
  std::string html() {
    std::string out;
    size_t node = 0;
    for (size_t begin = 0; begin < p_.text.size();) {
      const size_t end = std::min(p_.text.find('\n', begin), p_.text.size());
      const std::string line = colored(shown(p_.text.substr(begin, end - begin), kLongestLine));
      while (node < p_.line_begins.size() && p_.line_begins[node] < begin) ++node;
      if (node < p_.line_begins.size() && p_.line_begins[node] == begin) {
        out += "<span class=\"line " + std::string(states_[node]) + "\" id=\"n" + side_ + "-" +
               std::to_string(node) + "\">" + line;
        if (const std::string& c = p_.nodes[node].comment; !c.empty())
          out += "<span class=\"comment\"> # " + escape_html(shown(c, 500)) + "</span>";
        out += "</span>\n";
      } else {
        out += line + "\n";
      }
      begin = end + 1;
    }
    return out;
  }

 private:
  static bool name_char(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-';
  }
  // Names of values are links to their definitions, which stand before their uses; kinds and texts
  // are coloured.
  std::string colored(const std::string& line) {
    std::string out;
    size_t plain = 0, i = 0;
    auto flush = [&](size_t to) {
      out += escape_html(std::string_view(line).substr(plain, to - plain));
    };
    while (i < line.size()) {
      size_t end = i + 1;
      if (line[i] == '"') {
        while (end < line.size() && line[end] != '"') end += line[end] == '\\' ? 2 : 1;
        end = std::min(end + 1, line.size());
        flush(i);
        out += "<span class=\"string\">" + escape_html(line.substr(i, end - i)) + "</span>";
      } else if (line[i] == '%') {
        while (end < line.size() && name_char(line[end])) ++end;
        flush(i);
        const std::string name = line.substr(i + 1, end - i - 1), id = "v" + side_ + "-" + name;
        out += "<a class=\"value\" " +
               (defined_.insert(name).second ? "id=\"" + id : "href=\"#" + id) + "\">%" + name +
               "</a>";
      } else if (line.compare(i, 3, " = ") == 0) {
        end = i + 3;
        const size_t kind = end;
        while (end < line.size() && (name_char(line[end]) || line[end] == ':')) ++end;
        flush(kind);
        out += "<span class=\"kind\">" + escape_html(line.substr(kind, end - kind)) + "</span>";
      } else {
        i = end;
        continue;
      }
      i = plain = end;
    }
    flush(line.size());
    return out;
  }

  const Picture& p_;
  const std::string side_;
  const std::vector<const char*>& states_;
  std::unordered_set<std::string> defined_;
};

// ---- the data of the script ----

double rounded(double x) { return std::round(x * 10) / 10; }

Json node_json(const Picture::Node& n) {
  Json j = {{"kind", shown(n.kind, 200)}, {"in", n.inputs}, {"out", n.outputs}};
  if (!n.module.empty()) j["module"] = shown(n.module, 500);
  if (n.hidden) j["hidden"] = true;
  if (n.group != kNoPlace) j["group"] = n.group;
  for (auto& [name, text] : n.attributes)
    j["attributes"].push_back({shown(name, 200), shown(text, kLongestAttribute)});
  if (!n.origin.python.empty()) j["python"] = shown(n.origin.python, 500);
  if (n.origin.source != kNoPlace) j["source"] = {n.origin.source, n.origin.source_line};
  if (!n.origin.script.empty())
    j["script"] = {shown(n.origin.script, 500), shown(n.origin.script_line, 500)};
  return j;
}

Json group_json(const Picture::Group& g, const std::optional<Layout>& l) {
  Json boxes = Json::array(), edges = Json::array();
  for (size_t i = 0; i < g.boxes.size(); ++i) {
    const Picture::Box& b = g.boxes[i];
    Json j;
    switch (b.kind) {
      case Picture::Box::Kind::Node: j["node"] = b.index; break;
      case Picture::Box::Kind::Group: j["group"] = b.index; break;
      case Picture::Box::Kind::Inputs: j["inputs"] = b.values; break;
      case Picture::Box::Kind::Outputs: j["outputs"] = b.values; break;
    }
    j["title"] = shown(b.title, 200);
    if (!b.note.empty()) j["note"] = shown(b.note, 200);
    if (l)
      j["at"] = {rounded(l->boxes[i].x), rounded(l->boxes[i].y), rounded(l->boxes[i].width),
                 rounded(l->boxes[i].height)};
    boxes.push_back(std::move(j));
  }
  for (size_t i = 0; l && i < g.edges.size(); ++i) {
    Json path = Json::array();
    for (auto& p : l->edges[i]) {
      path.push_back(rounded(p.x));
      path.push_back(rounded(p.y));
    }
    edges.push_back({{"from", g.edges[i].from},
                     {"to", g.edges[i].to},
                     {"values", g.edges[i].values},
                     {"path", std::move(path)}});
  }
  Json j = {
      {"title", shown(g.title, 200)}, {"boxes", std::move(boxes)}, {"edges", std::move(edges)}};
  if (!g.note.empty()) j["note"] = shown(g.note, 200);
  if (g.node != kNoPlace) j["node"] = g.node;
  if (g.parent != kNoPlace) j["parent"] = g.parent;
  if (l) j["size"] = {rounded(l->width), rounded(l->height)};
  return j;
}

Json picture_json(const PageGraph& g, const Layouts& layouts) {
  const Picture& p = g.picture;
  Json j = {{"name", g.name}, {"inputs", p.inputs}, {"outputs", p.outputs}};
  Json values = Json::array(), nodes = Json::array(), groups = Json::array(),
       schemas = Json::array(), sources = Json::array();
  for (auto& v : p.values) {
    Json one = {{"name", shown(v.name, 200)}, {"type", shown(v.type, 1000)}};
    if (!v.content.empty()) one["content"] = shown(v.content, 500);
    if (v.node != kNoPlace) one["node"] = v.node;
    values.push_back(std::move(one));
  }
  std::unordered_map<std::string, size_t> known;
  for (auto& n : p.nodes) {
    nodes.push_back(node_json(n));
    if (n.schema.empty()) continue;
    auto [it, fresh] = known.emplace(n.schema, schemas.size());
    if (fresh)
      schemas.push_back({{"text", shown(n.schema, kLongestAttribute)}, {"arguments", n.arguments}});
    nodes.back()["schema"] = it->second;
  }
  for (size_t i = 0; i < p.groups.size(); ++i)
    groups.push_back(group_json(p.groups[i], layouts.groups[i]));
  for (auto& s : p.sources)
    sources.push_back(
        {{"name", shown(s.name, 500)}, {"text", printable(s.text)}, {"first", s.first_line}});
  j["missing"] = layouts.missing;
  j["values"] = std::move(values);
  j["nodes"] = std::move(nodes);
  j["groups"] = std::move(groups);
  j["schemas"] = std::move(schemas);
  j["sources"] = std::move(sources);
  return j;
}

std::string data_text(const Json& j) {
  const std::string s = j.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string r;
  for (char c : s) c == '<' ? r += "\\u003c" : r += c;
  return r;
}

const char* state_of(const std::vector<size_t>& counterparts, const std::vector<bool>& changed,
                     size_t i, const char* alone) {
  return counterparts[i] == kNoPlace ? alone : changed[i] ? "changed" : "";
}

std::string count(size_t n, const char* what) {
  return with_commas(static_cast<int64_t>(n)) + " " + what;
}

}  // namespace

std::string graph_page(const std::string& title, const std::vector<PageGraph>& graphs) {
  std::vector<std::vector<const char*>> states;
  for (auto& g : graphs) states.emplace_back(g.picture.nodes.size(), "");
  Json data = {{"graphs", Json::array()}};
  std::string summary, sides;
  for (auto& g : graphs) {
    const Layouts layouts = lay_out(g.picture, kSecondsOfLayout);
    data["graphs"].push_back(picture_json(g, layouts));
    summary += (summary.empty() ? "" : ", then ") + count(g.picture.nodes.size(), "nodes");
  }
  if (graphs.size() == 2) {
    const Matching m = match(graphs[0].picture, graphs[1].picture);
    for (size_t side = 0; side < 2; ++side) {
      const auto& counterparts = side ? m.after : m.before;
      for (size_t i = 0; i < counterparts.size(); ++i) {
        states[side][i] = state_of(counterparts, side ? m.changed_after : m.changed_before, i,
                                   side ? "added" : "removed");
        Json& node = data["graphs"][side]["nodes"][i];
        if (*states[side][i]) node["state"] = states[side][i];
        if (counterparts[i] != kNoPlace) node["match"] = counterparts[i];
      }
    }
    summary += ": " + count(m.removed, "removed") + ", " + count(m.added, "added") + ", " +
               count(m.changed, "changed");
  }
  for (size_t side = 0; side < graphs.size(); ++side) {
    const std::string& missing = data["graphs"][side]["missing"].get_ref<const std::string&>();
    sides += "<section class=\"side\">";
    if (const std::string name = escape_html(printable(graphs[side].name)); !name.empty())
      sides += "<h2 title=\"" + name + "\">" + name + "</h2>";
    if (!missing.empty())
      sides += "<p class=\"missing\">No drawing" +
               std::string(graphs[side].picture.not_drawn.empty() ? " of all parts" : "") + ": " +
               escape_html(printable(missing)) + ".</p>";
    sides += "<div class=\"drawing\"></div><div class=\"tree\"></div><pre class=\"text\">" +
             TextPane(graphs[side].picture, side, states[side]).html() + "</pre></section>\n";
  }
  return fill(page::graph_html, {{"title", escape_html(printable(title))},
                                 {"summary", escape_html(summary)},
                                 {"style", page::graph_css},
                                 {"style_hash", page::graph_css_hash},
                                 {"script", page::graph_js},
                                 {"script_hash", page::graph_js_hash},
                                 {"sides", sides},
                                 {"data", data_text(data)}});
}

}  // namespace sconce::tool
