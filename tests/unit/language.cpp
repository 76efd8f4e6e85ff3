// SPDX-License-Identifier: Apache-2.0
// What models write: autocast scopes, sorted objects, lines of text, devices that aren't there.
#include <catch2/catch.hpp>
#include <cmath>

#include "api/runtime.h"
#include "ir/alias.h"
#include "ir/cleanup.h"
#include "passes/passes.h"
#include "sconce/sconce.h"

using namespace sconce;

namespace {
IValue run(const std::string& text, std::vector<IValue> inputs) {
  return compile(text).run_method("f", std::move(inputs));
}
std::string after_autocast(const std::string& body) {
  auto g = parse_graph(body, &op_table());
  PassContext c{&op_table(), nullptr};
  autocast(*g, c);
  verify_graph(*g);
  return print_graph(*g);
}
}  // namespace

TEST_CASE("objects are sorted by their __lt__") {
  const char* const text = R"(
class P:
    k: int
    n: int
    def __init__(self, k: int, n: int) -> None:
        self.k = k
        self.n = n
    def __lt__(self, other: P) -> bool:
        return self.k < other.k
def f(keys: List[int], down: bool) -> List[int]:
    items = [P(keys[i], i) for i in range(len(keys))]
    items.sort(down)
    return [p.n for p in items]
)";
  auto keys = IValue(std::vector<int64_t>{3, 1, 2, 1});
  CHECK(run(text, {keys, false}).toIntVector() == std::vector<int64_t>{1, 3, 2, 0});
  CHECK(run(text, {keys, true}).toIntVector() == std::vector<int64_t>{0, 2, 1, 3});
}

TEST_CASE("lines end at bytes") {
  auto lines = [](const std::string& s, bool keep) {
    std::string r;
    IValue list = run("def f(s: str, keep: bool) -> List[str]:\n  return s.splitlines(keep)\n",
                      {IValue(s), keep});
    for (auto& l : list.toListRef().items) r += "[" + l.toStringRef() + "]";
    return r;
  };
  CHECK(lines("a\r\nb\n", false) == "[a][][b]");
  CHECK(lines("a\nb", true) == "[a][\n][b]");
  CHECK(lines("a\x1d"
              "b\x0c",
              false) == "[a][b]");
  CHECK(lines("x\xe2\x80\xa8y", false) == "[x][][][y]");
  CHECK(lines("", true).empty());
}

TEST_CASE("devices keep their names") {
  for (const char* name : {"mps:0", "xla", "hpu:1", "xpu:0", "ipu", "lazy:0", "privateuseone:3"})
    CHECK(Device::parse(name).str() == name);
  CHECK(Device::parse("ort").str() == "maia");
  CHECK_THROWS_AS(Device::parse("toaster"), Error);
}

TEST_CASE("streams and events load, and need a device only where they are reached") {
  Module m = compile(R"(
def f(x: Tensor) -> Tensor:
    if x.is_cuda:
        e = __torch__.torch.classes.cuda.Event.__new__(__torch__.torch.classes.cuda.Event)
        e.__init__(False, False, False)
        s = torch.ops.cuda.current_stream(x.device)
        e.record(s)
        e.synchronize()
    return x + 1
)");
  CHECK(m.run_method("f", {ones({2})}).toTensor().data_ptr<float>()[0] == 2.f);
}

TEST_CASE("constants: a NaN equals nothing, memory of tensors outlives the graph") {
  auto g = parse_graph(R"(graph(%x : Tensor):
  %a : float = prim::Constant[value=nan]()
  %b : float = prim::Constant[value=nan]()
  %c : float = prim::Constant[value=0.]()
  %d : float = prim::Constant[value=-0.]()
   = prim::Print(%a, %b, %c, %d)
  return (%x)
)",
                       &op_table());
  constant_pooling(*g);
  size_t constants = 0;
  for (Node* n : g->block()->nodes()) constants += n->kind == prim::Constant;
  CHECK(constants == 3);

  auto w = std::make_shared<Graph>();
  Value* x = w->add_input("x");
  x->type = types::tensor();
  InsertPoint at(*w, w->block());
  Value* k = w->insert_constant(IValue(ones({2})), types::tensor());
  Node* write = w->insert_node(w->create(Symbol("aten::relu_"), {k}, 1));
  write->output()->type = types::tensor();
  write->op = op_table().find_overload("aten::relu_");
  w->block()->register_output(x);
  CHECK(AliasDb(*w).writes_to_wildcard(write));
  eliminate_dead_code(*w);
  CHECK(print_graph(*w).find("relu_") != std::string::npos);
}

TEST_CASE("autocast: inputs are cast between Enter and Exit") {
  std::string text = after_autocast(R"(graph(%x : Tensor):
  %on : bool = prim::Constant[value=1]()
  %cpu : str = prim::Constant[value="cpu"]()
  %t : int = prim::Constant[value=15]()
  %a : __torch__.torch.amp.autocast_mode.autocast = prim::CreateObject()
   = prim::SetAttr[name="_enabled"](%a, %on)
   = prim::SetAttr[name="device"](%a, %cpu)
   = prim::SetAttr[name="fast_dtype"](%a, %t)
  %b : __torch__.torch.amp.autocast_mode.autocast = prim::Enter(%a)
  %y : Tensor = aten::mm(%x, %x)
  %z : Tensor = aten::exp(%y)
  %e : Tensor = prim::Exit(%a)
  %w : Tensor = aten::mm(%x, %x)
  return (%z, %w)
)");
  CHECK(text.find("prim::Enter") == std::string::npos);
  CHECK(text.find("prim::Exit") == std::string::npos);
  size_t reduced = text.find("_autocast_to_reduced_precision(%x"),
         full = text.find("_autocast_to_full_precision(%y");
  CHECK(reduced != std::string::npos);
  CHECK(full != std::string::npos);
  CHECK(text.find("_autocast_to", full + 1) == std::string::npos);
  CHECK(text.find("aten::mm(%x, %x)") != std::string::npos);
}

TEST_CASE("the lesser of two is the second where one is a NaN; parts behind the end raise") {
  const double nan = std::nan("");
  const char* const least = "def f(a: float, b: float) -> float:\n  return min(a, b)\n";
  CHECK(run(least, {nan, 1.0}).toDouble() == 1.0);
  CHECK(std::isnan(run(least, {1.0, nan}).toDouble()));
  const char* const find = "def f(s: str, i: int, j: int) -> int:\n  return s.find('x', i, j)\n";
  CHECK(run(find, {IValue("abc"), int64_t{5}, int64_t{-1}}).toInt() == -1);
  CHECK_THROWS_AS(run(find, {IValue("abc"), int64_t{5}, int64_t{7}}), OpError);
}

TEST_CASE("an If on a flag becomes one with the If that set it only where an exit made the flag") {
  auto ifs = [](const char* body) {
    const std::string text = compile(std::string("def f(x: int) -> int:\n") + body).graph_text("f");
    int64_t n = 0;
    for (size_t at = 0; (at = text.find("prim::If", at)) != std::string::npos; ++at) ++n;
    return n;
  };
  CHECK(ifs("    if x == 4:\n        y = True\n    else:\n        y = False\n"
            "    if y:\n        x += 1\n    return x\n") == 2);
  CHECK(ifs("    for i in range(9):\n        if i == 4:\n            break\n        x += 1\n"
            "    return x\n") == 1);
}

TEST_CASE("hashes of strings and floats are PyTorch's, whatever the platform") {
  const char* const strings = "def f(s: str) -> int:\n  return hash(s)\n";
  CHECK(run(strings, {IValue("abcdefghijk")}).toInt() == 3672398144843267301);
  const char* const floats = "def f(x: float) -> int:\n  return hash(x)\n";
  CHECK(run(floats, {1.5}).toInt() == 4982507072649106663);
  CHECK(run(floats, {-1.5}).toInt() == -2746942162646482499);
  CHECK(run(floats, {-0.0}).toInt() == 0);
}
