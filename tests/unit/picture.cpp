// SPDX-License-Identifier: Apache-2.0
// Graphs as people see them: boxes, what changed, positions without folders, and the program that
// lays boxes out.
#include "picture.h"

#include <catch2/catch.hpp>

#include "api/runtime.h"
#include "differences.h"
#include "layout.h"
#include "picture_match.h"
#include "positions.h"
#include "program.h"

using namespace sconce;
using namespace sconce::tool;

namespace {
Picture picture(const std::string& text) {
  return picture_of(*parse_graph(text, &op_table()), nullptr);
}
// "relu(a) [0 [add -> mul]]": what is in a group, and edges between nodes and groups in it.
std::string boxes(const Picture& p, size_t group = 0) {
  std::string r;
  for (auto& b : p.groups[group].boxes) {
    if (b.kind == Picture::Box::Kind::Inputs || b.kind == Picture::Box::Kind::Outputs) continue;
    r += (r.empty() ? "" : " ") + b.title;
    if (b.kind == Picture::Box::Kind::Group) r += "[" + boxes(p, b.index) + "]";
    if (b.kind == Picture::Box::Kind::Node && !b.note.empty()) r += "(" + b.note + ")";
  }
  return r;
}
std::string edges(const Picture& p, size_t group = 0) {
  std::string r;
  auto& g = p.groups[group];
  for (auto& e : g.edges)
    r += (r.empty() ? "" : " ") + g.boxes[e.from].title + ">" + g.boxes[e.to].title;
  return r;
}
std::string changes(const std::string& before, const std::string& after) {
  const Matching m = match(picture(before), picture(after));
  return std::to_string(m.removed) + " " + std::to_string(m.added) + " " +
         std::to_string(m.changed);
}
}  // namespace

TEST_CASE("boxes are grouped by runs of one module") {
  const Picture p = picture(R"(graph(%x : Tensor):
  %1 : int = prim::Constant[value=1]()
  %a : Tensor = aten::relu(%x), scope: __module.first
  %b : Tensor = aten::relu(%a), scope: __module.m/__module.m.0
  %c : Tensor = aten::add(%b, %a, %1), scope: __module.m/__module.m.1
  %d : Tensor = aten::mul(%c, %c), scope: __module.m/__module.m.1
  %e : Tensor = aten::tanh(%d)
  %f : Tensor = aten::relu(%e), scope: __module.m/__module.m.0
  return (%f)
)");
  CHECK(boxes(p) == "relu(first) m[relu(0) 1[add mul]] tanh relu(m, call 2.0)");
  CHECK(edges(p) == "%x>relu relu>m m>tanh tanh>relu relu>%f");
  CHECK(edges(p, 1) == "%a>relu relu>1 %a>1 1>%d");
  CHECK(p.nodes[0].hidden);
}

TEST_CASE("blocks are groups, of which empty ones are left out") {
  const Picture p = picture(R"(graph(%x : Tensor, %n : int, %c : bool):
  %t : bool = prim::Constant[value=1]()
  %y : Tensor = prim::Loop(%n, %t, %x)
    block0(%i : int, %v : Tensor):
      %w : Tensor = prim::If(%c)
        block0():
          %r : Tensor = aten::relu(%v)
          -> (%r)
        block1():
          -> (%v)
      -> (%t, %w)
  %z : Tensor = prim::If(%c)
    block0():
      %p : Tensor = aten::relu(%y)
      -> (%p)
    block1():
      %q : Tensor = aten::tanh(%y)
      -> (%q)
  return (%z)
)");
  CHECK(boxes(p) == "Loop[If then[relu]] If[then[relu] else[tanh]]");
  CHECK(edges(p, 1) == "%c>If then %v>If then If then>%w");
}

TEST_CASE("long lists are cut into parts, and many values share ports") {
  std::string text = "graph(%x : Tensor):\n", sum = "%x";
  for (int i = 0; i < 250; ++i) text += "  %y" + std::to_string(i) + " : Tensor = aten::relu(%x)\n";
  for (int i = 0; i < 250; ++i) sum += ", %y" + std::to_string(i);
  text += "  %l : Tensor[] = prim::ListConstruct(" + sum + ")\n  return (%l)\n";
  const Picture p = picture(text);
  REQUIRE(p.groups.size() == 7);
  for (auto& g : p.groups) CHECK(g.boxes.size() < 70);
  for (auto& g : p.groups)
    for (auto& e : g.edges) CHECK(e.from != e.to);
}

TEST_CASE("modules are known by the attributes that nodes read") {
  const Picture p = picture(R"(graph(%self : __torch__.M, %x : Tensor):
  %n : __torch__.torch.nn.modules.linear.___torch_mangle_1.Linear = prim::GetAttr[name="n"](%self)
  %w : Tensor = prim::GetAttr[name="weight"](%n)
  %b : Tensor = prim::GetAttr[name="bias"](%n)
  %y : Tensor = aten::linear(%x, %w, %b)
  %z : Tensor = aten::add_(%y, %b, %x)
  return (%z)
)");
  CHECK(p.nodes[3].module == "n");
  CHECK(boxes(p) == "n[linear add_]");
  CHECK(p.classes.at("n") == "Linear");
}

TEST_CASE("subgraphs are drawn, one that two nodes have once") {
  const Picture p = picture(R"(graph(%x : Tensor):
  %f : Future(Tensor) = prim::fork_0(%x)
  %y : Tensor = aten::wait(%f)
  return (%y)
with prim::fork_0 = graph(%a : Tensor):
  %b : Tensor = aten::relu(%a)
  return (%b)
)");
  CHECK(boxes(p) == "fork[relu] wait");
}

TEST_CASE("nodes are matched by what they are, not by names of values") {
  const std::string before = R"(graph(%x : Tensor):
  %1 : int = prim::Constant[value=1]()
  %a : Tensor = aten::relu(%x)
  %b : Tensor = aten::add(%a, %x, %1)
  %c : Tensor = aten::relu(%b)
  return (%c)
)";
  CHECK(changes(before, before) == "0 0 0");
  CHECK(changes(before, R"(graph(%0 : Tensor):
  %7 : int = prim::Constant[value=1]()
  %8 : Tensor = aten::relu(%0)
  %9 : Tensor = aten::add(%8, %0, %7)
  %10 : Tensor = aten::relu(%9)
  return (%10)
)") == "0 0 0");
  // One less: who read it reads another.
  CHECK(changes(before, R"(graph(%x : Tensor):
  %1 : int = prim::Constant[value=1]()
  %a : Tensor = aten::relu(%x)
  %c : Tensor = aten::relu(%a)
  return (%c)
)") == "1 0 1");
  // Another constant, or the same at another place, or twice.
  CHECK(changes(before, R"(graph(%x : Tensor):
  %1 : int = prim::Constant[value=2]()
  %a : Tensor = aten::relu(%x)
  %b : Tensor = aten::add(%a, %x, %1)
  %c : Tensor = aten::relu(%b)
  return (%c)
)") == "0 0 1");
  CHECK(changes(before, R"(graph(%x : Tensor):
  %a : Tensor = aten::relu(%x)
  %1 : int = prim::Constant[value=1]()
  %b : Tensor = aten::add(%a, %x, %1)
  %c : Tensor = aten::relu(%b)
  return (%c)
)") == "0 0 0");
  // Another type.
  CHECK(changes(before, R"(graph(%x : Tensor):
  %1 : int = prim::Constant[value=1]()
  %a : Float(2, 3) = aten::relu(%x)
  %b : Tensor = aten::add(%a, %x, %1)
  %c : Tensor = aten::relu(%b)
  return (%c)
)") == "0 0 1");
}

TEST_CASE("sequences are aligned by what stands once, then by the longest subsequence") {
  CHECK(align({}, {}).empty());
  CHECK(align({1, 2, 3}, {1, 2, 3}).size() == 3);
  CHECK(align({1, 2, 3, 4}, {1, 9, 3, 4}) == Pairs{{0, 0}, {2, 2}, {3, 3}});
  CHECK(align({5, 5, 1, 5}, {5, 1, 5, 5}).size() == 3);
  CHECK(align({1, 2}, {2, 1}).size() == 1);
  CHECK(text_diff("a\nb\nc\n", "a\nb\nc\n").empty());
  CHECK(text_diff("a\nb\nc\nd\ne\n", "a\nb\nx\nd\ne\n") == "  b\n- c\n+ x\n  d\n");
  CHECK(text_diff("", "a\n") == "+ a\n");
  CHECK(text_diff("a\n1\n2\n3\n4\nb\n", "1\n2\n3\n4\nc\n") == "- a\n  1\n  ...\n  4\n- b\n+ c\n");
}

TEST_CASE("positions name no folder of a machine") {
  CHECK(without_folders("/home/me/net.py:3:4") == "net.py:3:4");
  CHECK(without_folders("C:\\Users\\me\\net.py") == "net.py");
  CHECK(without_folders("/usr/lib/python3/dist-packages/torch/nn/a.py") == "torch/nn/a.py");
  CHECK(without_folders("models/net.py") == "models/net.py");
  CHECK(without_folders("./../net.py") == "net.py");
  CHECK(without_folders("/tmp/x/model.pt:code/__torch__/a.py:1:2") ==
        "model.pt:code/__torch__/a.py:1:2");
  CHECK(without_folders("") == "");
  CHECK(without_folders("/x/site-packages") == "site-packages");
}

TEST_CASE("a program is asked, and ended when it takes too long or says too much") {
  const std::string text(300'000, 'x');
  ProgramAnswer a = ask_program({"cat"}, text, 30, 1 << 20);
  CHECK((a.found && a.finished && a.output == text));
  CHECK(!ask_program({"sconce-has-no-such-program"}, "", 30, 100).found);
  CHECK(!ask_program({"false"}, "", 30, 100).finished);
  a = ask_program({"sleep", "100"}, "", 1, 100);
  CHECK((a.found && !a.finished));
  a = ask_program({"yes"}, "", 30, 100'000);
  CHECK((a.found && !a.finished && a.output.size() > 100'000));
}

TEST_CASE("boxes are laid out where Graphviz is installed") {
  const Picture p = picture(R"(graph(%x : Tensor):
  %y : Tensor = aten::relu(%x)
  %z : Tensor = aten::add(%y, %x, %x)
  return (%z)
)");
  const Layouts l = lay_out(p, 30);
  REQUIRE(l.groups.size() == 1);
  if (!l.groups[0]) {
    CHECK_THAT(l.missing, Catch::Contains("Graphviz"));
    return;
  }
  CHECK(l.missing.empty());
  auto& boxes = l.groups[0]->boxes;
  REQUIRE(boxes.size() == 4);
  CHECK(boxes[0].y < boxes[1].y);  // relu above add
  CHECK(boxes[2].y < boxes[0].y);  // %x above both
  for (auto& e : l.groups[0]->edges) CHECK(e.size() % 3 == 1);
}
