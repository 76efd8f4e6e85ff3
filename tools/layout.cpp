// SPDX-License-Identifier: Apache-2.0
// The program and not its library: one process for all groups of a picture, ended when it takes too
// long, and nothing to link. Its "plain" form is lines of numbers
// (https://graphviz.org/docs/outputs/plain/).
#include "layout.h"

#include <algorithm>
#include <locale>
#include <sstream>

#include "program.h"

namespace sconce::tool {

namespace {

constexpr double kInch = 72;  // pixels
constexpr size_t kMostOutput = 256 << 20;

// The page writes in a font of this width; titles in bold, notes a little smaller.
double text_width(const std::string& s) {
  size_t characters = 0;
  for (unsigned char c : s) characters += (c & 0xc0) != 0x80;
  return 7.4 * static_cast<double>(characters);
}

Layout::Box size_of(const Picture::Box& b) {
  const bool port = b.kind == Picture::Box::Kind::Inputs || b.kind == Picture::Box::Kind::Outputs;
  // A closed group has a sign before its title.
  const double sign = b.kind == Picture::Box::Kind::Group ? 22 : 0;
  const double width = std::max(text_width(b.title), 0.92 * text_width(b.note)) + sign + 20;
  return {0, 0, std::max(width, 56.0), port ? 22.0 : b.note.empty() ? 28.0 : 42.0};
}

std::string dot_text(const Picture::Group& g, Layout& l) {
  std::ostringstream os;
  os.imbue(std::locale::classic());
  os << "digraph { graph [nodesep=0.28 ranksep=0.36]; node [shape=box fixedsize=true label=\"\"]; "
        "edge [dir=none];\n";
  for (size_t i = 0; i < g.boxes.size(); ++i) {
    const Layout::Box& b = l.boxes.emplace_back(size_of(g.boxes[i]));
    os << i << " [width=" << b.width / kInch << " height=" << b.height / kInch << "];\n";
  }
  // Where values come in is above everything, where they leave below.
  for (auto [kind, rank] : {std::pair{Picture::Box::Kind::Inputs, "source"},
                            std::pair{Picture::Box::Kind::Outputs, "sink"}}) {
    os << "{ rank=" << rank << ";";
    for (size_t i = 0; i < g.boxes.size(); ++i)
      if (g.boxes[i].kind == kind) os << " " << i << ";";
    os << " }\n";
  }
  for (auto& e : g.edges) os << e.from << " -> " << e.to << ";\n";
  os << "}\n";
  return os.str();
}

// The lines of one group, up to "stop". False when they end before.
bool read_layout(std::istream& in, const Picture::Group& g, Layout& l) {
  l.edges.resize(g.edges.size());
  // Edges come grouped by where they start: their ends say which they are.
  std::vector<std::vector<std::pair<size_t, size_t>>> leaving(g.boxes.size());
  for (size_t i = 0; i < g.edges.size(); ++i)
    leaving[g.edges[i].from].emplace_back(g.edges[i].to, i);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    words.imbue(std::locale::classic());
    std::string word;
    words >> word;
    if (word == "stop") return true;
    if (word == "graph") {
      double scale;
      words >> scale >> l.width >> l.height;
      l.width *= kInch;
      l.height *= kInch;
    } else if (word == "node") {
      size_t i;
      double x, y;
      if (!(words >> i >> x >> y) || i >= l.boxes.size()) return false;
      l.boxes[i].x = x * kInch;
      l.boxes[i].y = l.height - y * kInch;
    } else if (word == "edge") {
      size_t from, to, points;
      if (!(words >> from >> to >> points) || from >= leaving.size() || points > 100'000)
        return false;
      std::vector<Layout::Point> path(points);
      for (auto& p : path) {
        if (!(words >> p.x >> p.y)) return false;
        p = {p.x * kInch, l.height - p.y * kInch};
      }
      for (auto [end, i] : leaving[from])
        if (end == to) l.edges[i] = std::move(path);
    }
  }
  return false;
}

}  // namespace

Layouts lay_out(const Picture& p, int seconds) {
  Layouts r;
  r.groups.resize(p.groups.size());
  r.missing = p.not_drawn;
  if (!p.not_drawn.empty()) return r;
  std::vector<Layout> made(p.groups.size());
  std::string text;
  for (size_t i = 0; i < p.groups.size(); ++i) text += dot_text(p.groups[i], made[i]);
  const ProgramAnswer answer = ask_program({"dot", "-Tplain"}, text, seconds, kMostOutput);
  if (!answer.found) {
    r.missing = "Graphviz is not installed where this page was made (its program dot wasn't found)";
    return r;
  }
  std::istringstream in(answer.output);
  for (size_t i = 0; i < made.size(); ++i) {
    if (!read_layout(in, p.groups[i], made[i])) {
      r.missing = "Graphviz did not finish within " + std::to_string(seconds) + " seconds";
      break;
    }
    r.groups[i] = std::move(made[i]);
  }
  return r;
}

}  // namespace sconce::tool
