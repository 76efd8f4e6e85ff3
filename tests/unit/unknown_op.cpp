// SPDX-License-Identifier: Apache-2.0
// Operators that nobody has registered: they may write what they are given.
#include <catch2/catch.hpp>

#include "api/runtime.h"
#include "ir/alias.h"
#include "ir/cleanup.h"
#include "passes/passes.h"
#include "sconce/sconce.h"

using namespace sconce;

namespace {
Module module_with(const std::string& methods, Mode mode) {
  LoadOptions options;
  options.mode = mode;
  Module m = compile(methods, options);
  return m;
}
}  // namespace

TEST_CASE("an unknown operator is reached even when its result isn't used") {
  const char* const text = R"(
def in_place(x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    torch.ops.mylib.fill_(y)
    return x + y
def no_tensor(x: Tensor) -> Tensor:
    torch.ops.mylib.configure(3)
    return x
def in_branch(x: Tensor, on: bool) -> Tensor:
    y = torch.zeros_like(x)
    if on:
        torch.ops.mylib.fill_(y)
    return x + y
)";
  for (Mode mode : {Mode::Interpret, Mode::Optimized}) {
    Module m = module_with(text, mode);
    Tensor x = ones({2});
    CHECK_THROWS_AS(m.run_method("in_place", {x}), MissingOp);
    CHECK_THROWS_AS(m.run_method("no_tensor", {x}), MissingOp);
    CHECK_THROWS_AS(m.run_method("in_branch", {x, true}), MissingOp);
    CHECK(m.run_method("in_branch", {x, false}).toTensor().data_ptr<float>()[1] == 1.f);
  }
}

TEST_CASE("an unknown operator may write its arguments and what they hold") {
  auto g = parse_graph(R"(graph(%x : Tensor):
  %y : Tensor = aten::mul(%x, %x)
  %z : Tensor = aten::mul(%x, %x)
  %w : Tensor = aten::t(%y)
  %l : Tensor[] = prim::ListConstruct(%w)
  %r : Tensor = mylib::f(%l)
  return (%z)
)",
                       &op_table());
  AliasDb db(*g);
  auto value = [&](const char* name) { return g->names.at(name); };
  CHECK(db.has_writers(value("l")));
  CHECK(db.has_writers(value("w")));
  CHECK(db.has_writers(value("y")));
  CHECK(db.has_writers(value("r")));
  CHECK_FALSE(db.has_writers(value("z")));
  CHECK(db.may_alias(value("r"), value("y")));
  CHECK_FALSE(db.may_alias(value("r"), value("z")));
  eliminate_dead_code(*g);
  CHECK(print_graph(*g).find("mylib::f") != std::string::npos);
}

TEST_CASE("a custom operator writes what its schema says") {
  auto fill = [](Call& c) { c.out(0, c.in(0)); };
  register_operators({{"test_unknown::fill_(Tensor(a!) x) -> Tensor(a!)", +fill},
                      {"test_unknown::look(Tensor x) -> Tensor", +fill}});
  auto g = parse_graph(R"(graph(%x : Tensor):
  %y : Tensor = aten::mul(%x, %x)
  %z : Tensor = aten::mul(%x, %x)
  %a : Tensor = test_unknown::fill_(%y)
  %b : Tensor = test_unknown::look(%z)
  return (%y)
)",
                       &op_table());
  AliasDb db(*g);
  CHECK(db.has_writers(g->names.at("y")));
  CHECK_FALSE(db.has_writers(g->names.at("z")));
  eliminate_dead_code(*g);
  CHECK(print_graph(*g).find("fill_") != std::string::npos);
  CHECK(print_graph(*g).find("look") == std::string::npos);
}
