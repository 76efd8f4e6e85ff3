// SPDX-License-Identifier: Apache-2.0
// Passes from outside, what they are written with, and the hooks of a pipeline.
#include <catch2/catch.hpp>

#include "api/runtime.h"
#include "pass_manager.h"

using namespace sconce;
using Catch::Contains;

namespace {

std::shared_ptr<Graph> parsed(const std::string& text) { return parse_graph(text, &op_table()); }

int calls = 0;
bool count_calls(Graph&, PassContext& c) {
  calls += c.arguments.has("by") ? std::stoi(c.arguments.text("by", "1")) : 1;
  return false;
}
bool break_graph(Graph& g, PassContext&) {
  // A use that stands before the value that it uses.
  Node *first = g.block()->first(), *last = g.block()->last();
  last->move_before(first);
  return true;
}

const char* kTwo = R"(graph(%x : Tensor):
  %a : Tensor = aten::neg(%x)
  %b : Tensor = aten::abs(%a)
  return (%b))";

}  // namespace

TEST_CASE("registered passes run in pipelines, with arguments") {
  register_pass({"test_count_calls", "counts its runs", count_calls, "by"});
  auto g = parsed(kTwo);
  PassContext c{&op_table()};
  calls = 0;
  run_pipeline(*g, c, "test_count_calls,test_count_calls(by=10),test_count_calls(100)");
  CHECK(calls == 111);
  CHECK_THROWS_WITH(register_pass({"test_count_calls", "", count_calls}), Contains("already"));
  CHECK_THROWS_WITH(register_pass({"dce", "", count_calls}), Contains("already"));
  for (const char* name : {"", "a,b", "fixpoint", "default", "a b"})
    CHECK_THROWS_WITH(register_pass({name, "", count_calls}), Contains("can't be called"));
}

TEST_CASE("a pass may be held back, and each is told when it has run") {
  auto g = parsed(kTwo);
  PassContext c{&op_table()};
  std::vector<std::string> ran;
  c.before_pass = [](const Pass& p, const PassArguments&, Graph&) {
    return std::string(p.name) != "dce";
  };
  c.after_pass = [&](const Pass& p, Graph&, bool, double) { ran.push_back(p.name); };
  run_pipeline(*g, c, "peephole,fixpoint(dce,constant_pooling),dce");
  CHECK(ran == std::vector<std::string>{"peephole", "constant_pooling"});
}

TEST_CASE("a pipeline nests fixpoints to a depth") {
  auto g = parsed(kTwo);
  PassContext c{&op_table()};
  auto nested = [](size_t n) {
    std::string s = "dce";
    for (size_t i = 0; i < n; ++i) s = "fixpoint(" + s + ")";
    return s;
  };
  run_pipeline(*g, c, nested(16));
  run_pipeline(*g, c, "fixpoint(" + nested(15) + "," + nested(15) + ")," + nested(16));
  CHECK_THROWS_WITH(run_pipeline(*g, c, nested(17)), "pipeline: fixpoint is nested too deep");
  std::string deep;
  for (int i = 0; i < 1000000; ++i) deep += "fixpoint(";
  CHECK_THROWS_WITH(run_pipeline(*g, c, deep), "pipeline: fixpoint is nested too deep");
}

TEST_CASE("the pass that leaves no graph is told, with a file that repeats it") {
  register_pass({"test_break_graph", "moves the last node to the front", break_graph});
  tool::GraphFile f;
  f.graph = parsed(kTwo);
  f.context.ops = &op_table();
  tool::PassOptions o;
  char folder[] = "/tmp/sconce_pass_XXXXXX";
  REQUIRE(mkdtemp(folder));
  o.reproducer = std::string(folder) + "/r.ir";
  o.origin = "sconce opt some.ir";
  tool::PassManager manager(o);
  CHECK_THROWS_WITH(manager.run(f, "dce,test_break_graph,dce"),
                    Contains("pass test_break_graph: ") && Contains(o.reproducer));
  const std::string text = [&] {
    FILE* file = fopen(o.reproducer.c_str(), "r");
    REQUIRE(file);
    std::string r(4096, 0);
    r.resize(fread(&r[0], 1, r.size(), file));
    fclose(file);
    return r;
  }();
  CHECK(tool::header_values(text, "passes") == std::vector<std::string>{"test_break_graph"});
  CHECK_THAT(text, Contains("# of: sconce opt some.ir --passes 'dce,test_break_graph'"));
  CHECK(print_graph(*parsed(text)) == print_graph(*parsed(kTwo)));
  remove(o.reproducer.c_str());
  remove(folder);
}

TEST_CASE("options of the pass manager") {
  tool::GraphFile f;
  f.context.ops = &op_table();
  const char* dead = R"(graph(%x : Tensor):
  %t : Tensor = aten::tanh(%x)
  %c : int = prim::Constant[value=1]()
  %d : int = prim::Constant[value=1]()
  %a : Tensor = aten::add(%x, %c, %d)
  return (%a))";
  auto run = [&](tool::PassOptions o, const std::string& pipeline) {
    f.graph = parsed(dead);
    tool::PassManager manager(o);
    manager.run(f, pipeline);
    return manager.changes();
  };
  tool::PassOptions o;
  o.count_changes = true;
  CHECK(run(o, "peephole,constant_pooling,dce,dce") ==
        std::vector<std::string>{"constant_pooling", "dce"});
  o.bisect_limit = 1;
  run(o, "peephole,constant_pooling,dce");
  CHECK_THAT(print_graph(*f.graph), Contains("tanh") && !Contains("%d : int"));
  o.bisect_limit = 0;
  run(o, "constant_pooling,dce");
  CHECK_THAT(print_graph(*f.graph), Contains("tanh") && Contains("%d : int"));
  tool::PassOptions stop;
  stop.stop_after = "dce";
  run(stop, "dce,constant_pooling");
  CHECK_THAT(print_graph(*f.graph), !Contains("tanh") && Contains("%d : int"));
  for (const char* bad : {"nothing", "dce:", "dce:x"}) {
    stop.stop_after = bad;
    CHECK_THROWS_AS(run(stop, "dce"), Error);
  }
  tool::PassOptions list;
  list.print_after = "dce,nothing";
  CHECK_THROWS_WITH(run(list, "dce"), Contains("no pass is called 'nothing'"));
}

TEST_CASE("headers of texts") {
  const std::string text = "# RUN: a,b\n\n# other\n# RUN:  c(x=1) \ngraph():\n# RUN: late\n";
  CHECK(tool::header_values(text, "RUN") == std::vector<std::string>{"a,b", "c(x=1)"});
  PassArguments arguments;
  arguments.set("x", {"1"});
  arguments.set("y", {"a", "b.c"});
  CHECK(tool::pass_text(all_passes()[0], arguments) == "inline(x=1,y=[a,b.c])");
}

TEST_CASE("what passes are written with") {
  auto g = parsed(R"(graph(%x : Tensor, %one : int):
  %a : Tensor = aten::neg(%x)
  %b : Tensor = aten::neg(%x)
  %v : Tensor = aten::t(%b)
  %w : Tensor = aten::add_(%v, %one, %one)
  %l : Tensor[] = prim::ListConstruct(%a)
  return (%w))");
  std::map<std::string, Value*> at;
  for (Node* n : g->block()->nodes()) at[n->output()->name] = n->output();
  Aliasing aliasing(*g);
  CHECK(aliasing.may_alias(at["b"], at["v"]));
  CHECK_FALSE(aliasing.may_alias(at["a"], at["b"]));
  CHECK(aliasing.may_alias(at["l"], at["a"]));
  CHECK(aliasing.has_writers(at["b"]));
  CHECK_FALSE(aliasing.has_writers(at["a"]));
  CHECK(aliasing.writes(at["w"]->node, at["b"]));
  CHECK_FALSE(aliasing.writes(at["w"]->node, at["a"]));
  CHECK(aliasing.may_escape(at["b"]));
  CHECK_FALSE(aliasing.may_replace(at["a"], at["b"]));
  CHECK(aliasing.may_replace(at["a"], at["a"]));
  CHECK(at["w"]->node->has_effects());
  CHECK_FALSE(at["a"]->node->has_effects());
  CHECK(at["w"]->node->overload() == "aten::add_.Scalar");
  CHECK(at["l"]->node->overload().empty());

  PassContext c{&op_table()};
  Node* n = c.insert_operator(at["l"]->node, "aten::mul", {at["a"], at["a"]});
  CHECK(n->overload() == "aten::mul.Tensor");
  CHECK(n->output()->type->str() == "Tensor");
  n = c.insert_operator(at["l"]->node, "aten::size", {at["a"]});
  CHECK(n->output()->type->str() == "int[]");
  CHECK_THROWS_WITH(c.insert_operator(n, "aten::mul", {at["l"], at["a"]}),
                    Contains("no overload of aten::mul takes (Tensor[], Tensor)"));
  verify_graph(*g);
  CHECK(c.remove_dead_code(*g));
  CHECK_THAT(print_graph(*g), !Contains("mul") && !Contains("ListConstruct") && Contains("add_"));
}
