// SPDX-License-Identifier: Apache-2.0
// Passes of writes, loops and calls: a graph answers the same before and after, and a pass says why
// it left something.
#include <catch2/catch.hpp>

#include "api/runtime.h"
#include "ir/graph.h"
#include "passes/passes.h"
#include "runtime/interpreter.h"
#include "runtime/plan.h"
#include "sconce/sconce.h"

using namespace sconce;

namespace {

std::shared_ptr<Graph> parse(const std::string& text) { return parse_graph(text, &op_table()); }

struct Ran {
  std::string text;
  std::vector<std::string> applied, missed;  // "rewrite", "rewrite: reason"
};
Ran run(Graph& g, const std::string& passes) {
  Ran r;
  PassContext c{&op_table(), nullptr};
  c.remark = [&](const Remark& m) {
    if (m.applied)
      r.applied.push_back(m.rewrite);
    else
      r.missed.push_back(m.rewrite + ": " + m.reason);
  };
  run_pipeline(g, c, passes);
  r.text = print_graph(g);
  return r;
}

std::string answer(std::shared_ptr<Graph> g, const std::vector<IValue>& inputs) {
  Context c = default_context();
  ContextScope scope(&c);
  auto plan = make_plan(std::move(g), op_table(), "f");
  std::string shown;
  for (const IValue& v : run_plan(*plan, inputs, Engine{})) shown += ivalue_str(v) + "\n";
  return shown;
}

// The same answers of the graph and of what the passes leave of it.
void check_answers(const std::string& text, const std::string& passes,
                   const std::function<std::vector<IValue>()>& inputs) {
  auto changed = parse(text);
  run(*changed, passes);
  CHECK(answer(parse(text), inputs()) == answer(changed, inputs()));
}

// 0, 1, 2, ...
Tensor ramp(IntArrayRef sizes = {2, 3}) {
  Tensor t = zeros(sizes);
  for (int64_t i = 0; i < t.numel(); ++i) t.data_ptr<float>()[i] = static_cast<float>(i);
  return t;
}

}  // namespace

TEST_CASE("unrolled loops run as often") {
  const std::string text = R"(graph(%x : Tensor, %n : int):
  %true : bool = prim::Constant[value=1]()
  %one : int = prim::Constant[value=1]()
  %r : Tensor, %k : int = prim::Loop(%n, %true, %x, %one)
    block0(%i : int, %a : Tensor, %s : int):
      %b : Tensor = aten::add(%a, %i, %s)
      %t : int = aten::add(%s, %i)
      -> (%true, %b, %t)
  %y : Tensor = aten::add(%r, %k, %one)
  return (%y)
)";
  for (int64_t n : {-1, 0, 1, 7, 8, 9, 30})
    check_answers(text, "loop_unrolling", [n] { return std::vector<IValue>{ramp(), n}; });
  for (const char* n : {"-3", "0", "5", "64", "70"}) {
    std::string known = text;
    known.insert(known.find("  %r :"),
                 "  %c : int = prim::Constant[value=" + std::string(n) + "]()\n");
    known.replace(known.find("Loop(%n"), 7, "Loop(%c");
    for (const char* pass : {"loop_unrolling", "constant_loop_unrolling"})
      check_answers(known, pass, [] { return std::vector<IValue>{ramp(), int64_t{0}}; });
  }
}

TEST_CASE("writes are removed where the answer stays") {
  const std::string text = R"(graph(%x : Tensor, %c : bool):
  %one : int = prim::Constant[value=1]()
  %half : float = prim::Constant[value=0.5]()
  %a : Tensor = aten::mul(%x, %x)
  %view : Tensor = aten::t(%a)
  %b : Tensor = aten::add_(%a, %one, %one)
  %i : Tensor = prim::If(%c)
    block0():
      %p : Tensor = aten::cos(%x)
      -> (%p)
    block1():
      %q : Tensor = aten::sin(%x)
      -> (%q)
  %r : Tensor = aten::relu_(%i)
  %s : Tensor = aten::mul_(%i, %half)
  %l : Tensor[] = prim::ListConstruct(%a)
  %m : Tensor[] = aten::append(%l, %i)
  %y : Tensor = aten::cat(%l, %one)
  %z : (Tensor, Tensor) = prim::TupleConstruct(%y, %view)
  return (%z)
)";
  for (const char* passes : {"remove_mutation", "inplace_to_functional_activation",
                             "remove_mutation,functional_to_inplace_activation"})
    for (bool c : {false, true})
      check_answers(text, passes, [c] { return std::vector<IValue>{ramp(), c}; });
  auto g = parse(text);
  Ran r = run(*g, "remove_mutation");
  CHECK(r.applied == std::vector<std::string>{"list", "tensor", "tensor"});
  CHECK(r.missed.size() == 1);
  CHECK(r.text.find("aten::add_") != std::string::npos);
}

TEST_CASE("decompositions and products answer as before") {
  check_answers(R"(graph(%x : Tensor, %w : Tensor, %b : Tensor):
  %one : int = prim::Constant[value=1]()
  %true : bool = prim::Constant[value=1]()
  %none : NoneType = prim::Constant()
  %t : Tensor = aten::t(%w)
  %y : Tensor = aten::addmm(%b, %x, %t, %one, %one)
  %z : Tensor = aten::matmul(%x, %t)
  %s : Tensor = aten::add(%y, %z, %one)
  %r : Tensor = aten::relu(%s)
  %dim : int[] = prim::ListConstruct(%one)
  %v : Tensor = aten::var(%r, %dim, %one, %true)
  %u : Tensor = aten::var(%r, %true)
  %a : (Tensor, Tensor, Tensor) = prim::TupleConstruct(%r, %v, %u)
  return (%a)
)",
                "fuse_linear,fuse_add_relu,run_decompositions", [] {
                  return std::vector<IValue>{ramp(), ramp(), ramp({2})};
                });
}

TEST_CASE("passes say why they left something") {
  auto g = parse(R"(graph(%x : Tensor, %n : int, %go : bool):
  %true : bool = prim::Constant[value=1]()
  %r : Tensor = prim::Loop(%n, %true, %x)
    block0(%i : int, %a : Tensor):
      -> (%go, %a)
  %m : Tensor = aten::matmul(%x, %r)
  return (%m)
)");
  CHECK(run(*g, "loop_unrolling").missed ==
        std::vector<std::string>{"loop: a condition may end it"});
  CHECK(run(*g, "fuse_linear").missed ==
        std::vector<std::string>{"matmul: the matrix isn't a transpose"});
}

TEST_CASE("a task that forks another runs in place") {
  auto g = parse(R"(graph(%x : Tensor):
  %f : Future[Tensor] = prim::fork_0(%x)
  %y : Tensor = aten::wait(%f)
  return (%y)
with prim::fork_0 = graph(%a : Tensor):
  %h : Future[Tensor] = prim::fork_0(%a)
  %b : Tensor = aten::wait(%h)
  return (%b)
with prim::fork_0 = graph(%a : Tensor):
  %b : Tensor = aten::relu(%a)
  return (%b)
)");
  CHECK(run(*g, "inline_fork_wait").applied.size() == 4);
  CHECK(print_graph(*g).find("fork") == std::string::npos);
  CHECK(answer(g, {ramp()}) == ivalue_str(ramp()) + "\n");
}
