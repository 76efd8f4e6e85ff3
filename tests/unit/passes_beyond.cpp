// SPDX-License-Identifier: Apache-2.0
// Passes that PyTorch lacks: what they answer must be what the graph answered before.
#include <catch2/catch.hpp>

#include "api/runtime.h"
#include "ir/cleanup.h"
#include "passes/passes.h"
#include "passes/shape_propagation.h"
#include "passes/without_elements.h"
#include "runtime/interpreter.h"
#include "runtime/plan.h"
#include "sconce/sconce.h"

using namespace sconce;

namespace {

std::shared_ptr<Graph> parse(const std::string& text) { return parse_graph(text, &op_table()); }
std::vector<IValue> run(const std::shared_ptr<Graph>& g, std::vector<IValue> inputs) {
  Context c = default_context();
  ContextScope scope(&c);
  Engine engine;
  engine.ops = &op_table();
  return run_plan(*make_plan(g, op_table(), "f"), std::move(inputs), engine);
}
bool optimize(Graph& g, const std::string& pipeline, std::vector<Remark>* remarks = nullptr) {
  Context ctx = default_context();
  ContextScope scope(&ctx);
  PassContext c{&op_table(), nullptr};
  if (remarks) c.remark = [=](const Remark& r) { remarks->push_back(r); };
  return run_pipeline(g, c, pipeline);
}
double distance(const IValue& a, const IValue& b) {
  const Tensor x = a.toTensor().to(kFloat), y = b.toTensor().to(kFloat);
  REQUIRE(x.sizes() == y.sizes());
  double d = 0;
  const Tensor fx = x.contiguous(), fy = y.contiguous();
  for (int64_t i = 0; i < fx.numel(); ++i)
    d = std::max(d, std::abs(static_cast<double>(fx.const_data_ptr<float>()[i]) -
                             static_cast<double>(fy.const_data_ptr<float>()[i])));
  return d;
}

const char* const kAttention = R"(graph(%x : Tensor):
  %wq : Tensor = prim::Constant[value= 1  2  3  4 [ CPUFloatType{2,2} ]]()
  %wk : Tensor = prim::Constant[value= 5  6  1  2 [ CPUFloatType{2,2} ]]()
  %wv : Tensor = prim::Constant[value=-1  2  0  1 [ CPUFloatType{2,2} ]]()
  %b : Tensor = prim::Constant[value= 1 -2 [ CPUFloatType{2} ]]()
  %none : NoneType = prim::Constant()
  %m1 : int = prim::Constant[value=-1]()
  %m2 : int = prim::Constant[value=-2]()
  %c : float = prim::Constant[value=0.125]()
  %q : Tensor = aten::linear(%x, %wq, %b)
  %k : Tensor = aten::linear(%x, %wk, %b)
  %v : Tensor = aten::linear(%x, %wv, %b)
  %kt : Tensor = aten::transpose(%k, %m2, %m1)
  %s : Tensor = aten::matmul(%q, %kt)
  %n : Tensor = aten::mul(%s, %c)
  %p : Tensor = aten::softmax(%n, %m1, %none)
  %o : Tensor = aten::matmul(%p, %v)
  return (%o, %v)
)";

}  // namespace

TEST_CASE("products of one input become one with the same answers") {
  manual_seed(3);
  const Tensor x = randn({2, 5, 2});
  auto before = run(parse(kAttention), {IValue(x)});
  auto g = parse(kAttention);
  std::vector<Remark> remarks;
  REQUIRE(optimize(*g, "merge_linears", &remarks));
  CHECK(remarks.size() == 3);
  CHECK(remarks[0].rewrite == "linears");
  auto after = run(g, {IValue(x)});
  CHECK(distance(before[0], after[0]) < 1e-5);
  CHECK(distance(before[1], after[1]) < 1e-5);
  // What is returned is a tensor of its own.
  CHECK(after[1].toTensor().is_contiguous());
}

TEST_CASE("a graph in half precision answers floats that are close") {
  manual_seed(3);
  const Tensor x = randn({2, 5, 2});
  auto before = run(parse(kAttention), {IValue(x)});
  for (const char* pipeline :
       {"convert_dtype", "convert_dtype(to=half)", "convert_dtype(to=bfloat16,keep=[])",
        "merge_linears,convert_dtype(half),constant_pooling,dce"}) {
    auto g = parse(kAttention);
    REQUIRE(optimize(*g, pipeline));
    auto after = run(g, {IValue(x)});
    CHECK(after[0].toTensor().dtype() == kFloat);
    CHECK(distance(before[0], after[0]) < 0.1);
    CHECK(distance(before[1], after[1]) < 0.1);
  }
  auto g = parse(kAttention);
  REQUIRE(optimize(*g, "convert_dtype(outputs=keep)"));
  CHECK(run(g, {IValue(x)})[0].toTensor().dtype() == kBFloat16);
  CHECK_THROWS_AS(optimize(*parse(kAttention), "convert_dtype(to=int8)"), Error);
}

TEST_CASE("what leaves a loop is computed only when the loop runs") {
  const char* text = R"(graph(%x : Tensor, %a : Tensor, %n : int):
  %true : bool = prim::Constant[value=1]()
  %one : int = prim::Constant[value=1]()
  %r : Tensor = prim::Loop(%n, %true, %x)
    block0(%i : int, %y : Tensor):
      %w : Tensor = aten::matmul(%a, %a)
      %z : Tensor = aten::add(%y, %w, %one)
      -> (%true, %z)
  return (%r)
)";
  auto g = parse(text);
  REQUIRE(optimize(*g, "loop_invariant_code_motion"));
  CHECK(!optimize(*g, "loop_invariant_code_motion"));
  const Tensor square = ones({2, 2}), wrong = ones({2, 3});
  CHECK(distance(run(g, {IValue(square), IValue(square), IValue(3)})[0],
                 run(parse(text), {IValue(square), IValue(square), IValue(3)})[0]) == 0);
  // It would raise, but no iteration comes to it.
  CHECK(distance(run(g, {IValue(square), IValue(wrong), IValue(0)})[0], IValue(square)) == 0);
  CHECK_THROWS_AS(run(g, {IValue(square), IValue(wrong), IValue(1)}), Error);
}

TEST_CASE("shapes as arguments say them") {
  std::vector<std::string> symbols;
  CHECK(parse_shape("float:batch:3", symbols)->str() == "Float(SS(-1), 3)");
  CHECK(parse_shape("int64:seq:batch:*", symbols)->str() == "Long(SS(-2), SS(-1), *)");
  CHECK(parse_shape("Half", symbols)->str() == "HalfTensor");
  CHECK(parse_shape("bool:", symbols)->str() == "Bool()");
  CHECK_THROWS_AS(parse_shape("floaty:3", symbols), Error);
  CHECK_THROWS_AS(parse_shape("float:3::4", symbols), Error);
  CHECK_THROWS_AS(parse_shape("float:99999999999999999999", symbols), Error);
  auto g = parse("graph(%x : Tensor):\n  %y : Tensor = aten::relu(%x)\n  return (%y)\n");
  Context ctx = default_context();
  ContextScope scope(&ctx);
  PassContext c{&op_table(), nullptr};
  CHECK(propagate_shapes(*g, {parse_shape("float:batch:3", symbols)}, c));
  CHECK(g->outputs()[0]->type->str() == "Float(SS(-1), 3)");
  CHECK(!propagate_shapes(*g, {}, c));
}

TEST_CASE("operators run without elements") {
  op_table();
  Context ctx = default_context();
  ContextScope scope(&ctx);
  const Tensor real = ones({3});
  {
    WithoutElements w;
    std::string why;
    // Far more than there is memory.
    const Tensor x = w.tensor({1000, 1000, 1000}, kFloat);
    auto r = w.run(*op_table().find_overload("aten::relu"), {IValue(x)}, &why);
    REQUIRE(r);
    CHECK((*r)[0].toTensor().sizes() == IntArrayRef({1000, 1000, 1000}));
    CHECK(!w.run(*op_table().find_overload("aten::nonzero"), {IValue(x)}, &why));
    CHECK(w.wanted_elements());
    // Few elements that are known are elements, and a write to their copy isn't one to the
    // original.
    const Tensor copy = w.like(real);
    REQUIRE(w.run(*op_table().find_overload("aten::mul_.Scalar"), {IValue(copy), IValue(2)}, &why));
    auto total = w.run(*op_table().find_overload("aten::sum"), {IValue(copy), IValue()}, &why);
    REQUIRE(total);
    auto item = w.run(*op_table().find_overload("aten::item"), {(*total)[0]}, &why);
    REQUIRE(item);
    CHECK((*item)[0].toDouble() == 6);
  }
  CHECK(real.sum().item<double>() == 3);
}

TEST_CASE("a batch norm after a transposed convolution goes into its weights") {
  for (int64_t groups : {1, 2})
    for (const char* bias : {"%b", "%none"}) {
      // Weight [4, 6 / groups, 3]: six channels.
      const std::string text = std::string(
                                   "graph(%x : Tensor, %w : Tensor, %b : Tensor, %m : "
                                   "Tensor, %v : Tensor, %g : Tensor):\n") +
                               "  %none : NoneType = prim::Constant()\n"
                               "  %false : bool = prim::Constant[value=0]()\n"
                               "  %eps : float = prim::Constant[value=0.25]()\n"
                               "  %one : int[] = prim::Constant[value=[1]]()\n"
                               "  %two : int[] = prim::Constant[value=[2]]()\n"
                               "  %n : int = prim::Constant[value=" +
                               std::to_string(groups) +
                               "]()\n"
                               "  %y : Tensor = aten::conv_transpose1d(%x, %w, " +
                               bias +
                               ", %two, %one, %one, %n, %one)\n"
                               "  %d : int = aten::dim(%y)\n"
                               "  %z : Tensor = aten::batch_norm(%y, %g, %none, %m, %v, %false, "
                               "%eps, %eps, %false)\n"
                               "  return (%z, %d)\n";
      auto g = parse(text);
      Tensor x = randn({2, 4, 5}), w = randn({4, 6 / groups, 3}), b = randn({6}), m = randn({6}),
             v = full({6}, 2), gamma = randn({6});
      const std::vector<IValue> inputs{x, w, b, m, v, gamma};
      const auto expected = run(g, inputs);
      // Weights that aren't constants stay.
      std::vector<Remark> said;
      CHECK(!optimize(*g, "fold_transposed_conv_bn", &said));
      REQUIRE(said.size() == 1);
      CHECK(said[0].reason == "the weight isn't a constant");
      while (g->inputs().size() > 1) {
        const size_t last = g->inputs().size() - 1;
        InsertPoint at(*g, g->block()->first());
        Value* constant = insert_plain_constant(*g, inputs[last], types::tensor());
        g->inputs()[last]->replace_all_uses_with(constant);
        g->block()->erase_input(last);
      }
      CHECK(optimize(*g, "fold_transposed_conv_bn"));
      CHECK(print_graph(*g).find("batch_norm") == std::string::npos);
      const auto now = run(g, {x});
      CHECK(distance(now.at(0), expected.at(0)) < 1e-5);
      CHECK(now.at(1).toInt() == 3);
    }
}
