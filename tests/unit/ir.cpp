// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "api/alias_audit.h"
#include "api/runtime.h"
#include "ir/alias.h"
#include "ir/graph.h"
#include "passes/passes.h"
#include "runtime/plan.h"
#include "sconce/sconce.h"

using namespace sconce;

namespace {
std::shared_ptr<Graph> parse(const std::string& text) { return parse_graph(text, &op_table()); }
void round_trip(const std::string& text) { CHECK(print_graph(*parse(text)) == text); }
std::string error_of(const std::string& text) {
  try {
    parse(text);
  } catch (const ScriptError& e) {
    return e.what();
  }
  return "";
}
}  // namespace

TEST_CASE("graph text is read and printed again, names and comments and all") {
  round_trip(R"(graph(%self : __torch__.a.___torch_mangle_0.B,
      %x.1 : Tensor,
      %o : Float(2, *, strides=[3, 1], requires_grad=0, device=cpu)?):
  %3 : NoneType = prim::Constant() # a file.py:3:11
  %4 : int = prim::Constant[value=-1]()
  %b : bool = prim::Constant[value=1]()
  %s : str = prim::Constant[value="a\n\"b\" # \001%x"]()
  %d : Device = prim::Constant[value="cuda:1"]()
  %c : complex = prim::Constant[value=1.-2.5j]()
  %f : float = prim::Constant[value=-0.]()
  %g : float = prim::Constant[value=-inf]()
  %l : int[] = prim::Constant[value=[1, 2]]()
  %e : str[] = prim::Constant[value=annotate(List[str], [])]()
  %t : (int, (str, float)) = prim::Constant[value=(1, ("x", 0.5))]()
  %w : Tensor = prim::Constant[value= 1  2 [ CPULongType{2} ]]()
  %q : Tensor = prim::Constant[value=<Tensor>]()
  %k : Enum<__torch__.E> = prim::Constant[value=__torch__.E.A]()
  %5 : Tensor = aten::add(%x.1, %x.1, %4), scope: __module.a/__module.a.b # a file.py:3:4
  %6 : Tensor, %7 : Dict(str, Future(int)) = prim::If(%b)
    block0():
      %9 : Tensor = aten::relu(%5)
      -> (%9, %5)
    block1():
      -> (%5, %5)
   = prim::Print(%6)
  %i : bool = prim::isinstance[types=[int, Tensor[], NamedTuple(x : Tensor, y : int)]](%o)
  %u : Future[Tensor] = prim::fork_0(%6)
  %block1-0 : InterfaceType<I> = prim::GetAttr[name="block1-0"](%self)
  return (%6)
with prim::fork_0 = graph(%x : Tensor):
  %1 : Future[Tensor] = prim::fork_0(%x)
  %2 : Tensor = aten::wait(%1)
  return (%2)
with prim::fork_0 = graph(%x : Tensor):
  return (%x)
)");
}

TEST_CASE("graph text in the spelling of parse_ir") {
  auto g = parse(
      "graph(%a, %b: Tensor): # comment\n %1 = aten::mul(%a,%b)\n prim::Print(%1)\n return (%1)");
  CHECK(print_graph(*g) ==
        "graph(%a : Tensor,\n      %b : Tensor):\n  %1 : Tensor = aten::mul(%a, %b)\n"
        "   = prim::Print(%1)\n  return (%1)\n");
  REQUIRE(g->block()->first()->op);
  CHECK(g->block()->first()->op->full_name() == "aten::mul.Tensor");
}

TEST_CASE("broken graph text is an error with its place") {
  CHECK(error_of("graph(%a : Tensor):\n  return (%b)\n")
            .find(":2:11: error: no value is called %b") != std::string::npos);
  CHECK(error_of("graph(%a : Tensor):\n  %b : Tensor = aten::relu(%a\n")
            .find("error: expected ')'") != std::string::npos);
  CHECK(error_of("").find("expected a graph") != std::string::npos);
  CHECK(error_of("graph(%a : Tensor):\n  return (%a)\nmore").find("the end of the text") !=
        std::string::npos);
  CHECK(
      error_of("graph():\n  %a : int = prim::Constant[value=99999999999999999999]()\n  return ()\n")
          .find("out of range") != std::string::npos);
  std::string deep = "graph(%x : " + std::string(5000, '(') + "):";
  CHECK(error_of(deep).find("expected a type") != std::string::npos);
  deep = "graph():\n %a : int[] = prim::Constant[value=" + std::string(5000, '[');
  CHECK(error_of(deep).find("less nesting") != std::string::npos);
}

TEST_CASE("no cut of a graph text crashes the parser or the passes") {
  const std::string text = load(std::string(SCONCE_FIXTURES) + "/router.pt").graph_text();
  // Without its last parenthesis, whatever the length (the text names the archive's path), none is
  // whole.
  const size_t whole = text.rfind(')');
  for (size_t n = 0; n <= whole; n += 7) CHECK_THROWS_AS(parse(text.substr(0, n)), Error);
  CHECK_THROWS_AS(parse(text.substr(0, whole)), Error);
  PassContext c{&op_table(), nullptr};
  // A line less: often a graph that doesn't fit together.
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    std::string less = text.substr(0, at) + text.substr(text.find('\n', at) + 1);
    try {
      auto g = parse(less);
      run_pipeline(*g, c, "peephole,constant_propagation,constant_pooling,dce");
    } catch (const Error&) {
      // the usual outcome
    }
  }
}

TEST_CASE("alias queries") {
  auto g = parse(R"(graph(%x : Tensor, %l : Tensor[], %n : int):
  %1 : int = prim::Constant[value=1]()
  %y : Tensor = aten::mul(%x, %x)
  %v : Tensor = aten::t(%y)
  %z : Tensor = aten::mul(%x, %x)
  %w : Tensor = aten::add_(%v, %1, %1)
  %e : Tensor = aten::__getitem__(%l, %n)
  %m : Tensor[] = prim::ListConstruct(%z)
  return (%m)
)");
  AliasDb db(*g);
  auto value = [&](const char* name) { return g->names.at(name); };
  CHECK(db.has_writers(value("y")));
  CHECK(db.has_writers(value("v")));
  CHECK_FALSE(db.has_writers(value("z")));
  CHECK_FALSE(db.has_writers(value("x")));
  CHECK(db.may_alias(value("y"), value("v")));
  CHECK_FALSE(db.may_alias(value("y"), value("z")));
  CHECK(db.may_alias(value("e"), value("x")));
  CHECK(db.may_contain_alias(value("m"), value("z")));
  CHECK_FALSE(db.may_alias(value("m"), value("z")));
  auto norm = parse(R"(graph(%x : Tensor, %m : Tensor, %v : Tensor):
  %n : NoneType = prim::Constant()
  %on : bool = prim::Constant[value=1]()
  %eps : float = prim::Constant[value=0.1]()
  %y : Tensor = aten::batch_norm(%x, %n, %n, %m, %v, %on, %eps, %eps, %on)
  return (%y)
)");
  AliasDb stats(*norm);
  CHECK(stats.has_writers(norm->names.at("m")));
}

TEST_CASE("the alias audit finds a write that the analysis was not told of") {
  // An operator whose schema hides that it writes.
  Operator sneaky;
  sneaky.set_text("test::sneaky(Tensor x) -> ()");
  sneaky.kernel = [](Call& c) { *static_cast<float*>(c.in(0).toTensorRef().raw_data()) += 1; };
  auto g = parse(
      "graph(%x : Tensor):\n  %y : Tensor = aten::relu(%x)\n   = test::sneaky(%y)\n  return "
      "(%y)\n");
  g->block()->first()->next->op = &sneaky;
  AliasAudit audit;
  instrument_alias_audit(*g);
  Context c = default_context();
  ContextScope scope(&c);
  Engine engine;
  auto plan = make_plan(g, op_table(), "f");
  run_plan(*plan, {IValue(ones({2}))}, engine);
  REQUIRE(audit.findings.size() == 1);
  CHECK(audit.findings[0].find("%y of aten::relu") != std::string::npos);
}
