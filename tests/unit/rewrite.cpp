// SPDX-License-Identifier: Apache-2.0
// The subgraph rewriter from C++: matches, conditions, why it leaves a match, messages. What rules
// make of graphs is data: tests/passes/rewrite.
#include <catch2/catch.hpp>

#include "api/runtime.h"
#include "passes/rewrite.h"

using namespace sconce;
using Catch::Contains;

namespace {

std::shared_ptr<Graph> parsed(const std::string& text) { return parse_graph(text, &op_table()); }

struct Rewritten {
  std::string text;
  std::vector<std::string> remarks;  // "name: applied", "name: why not"
  bool changed = false;
};
Rewritten rewritten(const std::string& graph, const std::vector<RewriteRule>& rules) {
  auto g = parsed(graph);
  Rewritten r;
  PassContext c{&op_table()};
  c.remark = [&](const Remark& x) {
    r.remarks.push_back(x.rewrite + ": " + (x.applied ? "applied" : x.reason));
  };
  r.changed = rewrite_subgraphs(*g, c, rules);
  verify_graph(*g);
  r.text = print_graph(*g);
  return r;
}

RewriteRule silu() {
  RewriteRule r;
  r.name = "silu";
  r.pattern = "graph(%x):\n  %s = aten::sigmoid(%x)\n  %y = aten::mul(%x, %s)\n  return (%y)";
  r.replacement = "graph(%x):\n  %y : Tensor = aten::silu(%x)\n  return (%y)";
  return r;
}

const char* kSilu = R"(graph(%x : Tensor):
  %s : Tensor = aten::sigmoid(%x)
  %y : Tensor = aten::mul(%x, %s)
  return (%y))";

}  // namespace

TEST_CASE("a rule from C++ may refuse a match") {
  RewriteRule r = silu();
  std::string seen;
  r.refuse = [&](const PatternMatch& m) {
    seen = pattern_name(m.value("x")) + m.anchor->kind.str();
    CHECK_THROWS_WITH(m.value("z"), Contains("no value %z"));
    return std::string("not today");
  };
  Rewritten left = rewritten(kSilu, {r});
  CHECK_FALSE(left.changed);
  CHECK(seen == "%xaten::mul");
  CHECK(left.remarks == std::vector<std::string>{"silu: not today"});
  Rewritten done = rewritten(kSilu, {silu()});
  CHECK(done.changed);
  CHECK(done.remarks == std::vector<std::string>{"silu: applied"});
  CHECK_THAT(done.text, Contains("aten::silu(%x)") && !Contains("sigmoid"));
}

TEST_CASE("operands fit in both orders only where the rule says so") {
  const char* swapped = R"(graph(%x : Tensor):
  %s : Tensor = aten::sigmoid(%x)
  %y : Tensor = aten::mul(%s, %x)
  return (%y))";
  CHECK_FALSE(rewritten(swapped, {silu()}).changed);
  RewriteRule r = silu();
  r.commutative = true;
  CHECK(rewritten(swapped, {r}).changed);
  CHECK(rewritten(kSilu, {r}).changed);
}

TEST_CASE("a rewrite says why it left a match") {
  auto why = [](const std::string& graph, const std::vector<RewriteRule>& rules) {
    Rewritten r = rewritten(graph, rules);
    CHECK_FALSE(r.changed);
    REQUIRE(r.remarks.size() == 1);
    return r.remarks[0];
  };
  CHECK_THAT(why(R"(graph(%x : Tensor):
  %s : Tensor = aten::sigmoid(%x)
  %y : Tensor = aten::mul(%x, %s)
  %z : Tensor = aten::neg(%s)
  return (%y, %z))",
                 {silu()}),
             Contains("%s (%s of the pattern) is used by aten::neg too"));
  CHECK_THAT(why(R"(graph(%x : Tensor, %one : int):
  %s : Tensor = aten::sigmoid(%x)
  %w : Tensor = aten::add_(%x, %one, %one)
  %y : Tensor = aten::mul(%x, %s)
  return (%y))",
                 {silu()}),
             Contains("%w = aten::add_ stands between"));
  RewriteRule typed = silu();
  typed.conditions = {"%x is constant"};
  CHECK_THAT(why(kSilu, {typed}), Contains("not so: %x is constant"));
  RewriteRule other = silu();
  other.replacement = "graph(%x):\n  %y : int = aten::dim(%x)\n  return (%y)";
  CHECK_THAT(why(kSilu, {other}), Contains("its result would be int instead of Tensor"));
  // Random numbers keep their order.
  RewriteRule drop;
  drop.name = "drop";
  drop.pattern =
      "graph(%x, %p, %t):\n  %d = aten::dropout(%x, %p, %t)\n  %n = aten::neg(%d)\n  return (%n)";
  drop.replacement =
      "graph(%x, %p, %t):\n  %n : Tensor = aten::neg(%x)\n  %d : Tensor = aten::dropout(%n, %p, "
      "%t)\n  return (%d)";
  CHECK_THAT(why(R"(graph(%x : Tensor, %p : float, %t : bool):
  %d : Tensor = aten::dropout(%x, %p, %t)
  %e : Tensor = aten::dropout(%x, %p, %t)
  %n : Tensor = aten::neg(%d)
  return (%n, %e))",
                 {drop}),
             Contains("%e = aten::dropout stands between"));
}

TEST_CASE("several results: an inner one may be used elsewhere") {
  RewriteRule r;
  r.name = "both";
  r.pattern = "graph(%x):\n  %a = aten::sin(%x)\n  %b = aten::neg(%a)\n  return (%b, %a)";
  r.replacement =
      "graph(%x):\n  %a : Tensor = aten::cos(%x)\n  %b : Tensor = aten::abs(%a)\n  return (%b, %a)";
  Rewritten done = rewritten(R"(graph(%x : Tensor):
  %a : Tensor = aten::sin(%x)
  %c : Tensor = aten::exp(%a)
  %b : Tensor = aten::neg(%a)
  return (%b, %c))",
                             {r});
  CHECK(done.changed);
  CHECK_THAT(done.text, Contains("aten::cos") && Contains("aten::abs") && !Contains("aten::sin"));
}

TEST_CASE("attributes: strings are regular expressions, others are equal") {
  RewriteRule r;
  r.name = "op";
  r.pattern = "graph(%x):\n  %y = my::op[name=\"conv.*\", k=2](%x)\n  return (%y)";
  r.replacement = "graph(%x):\n  %y = my::other(%x)\n  return (%y)";
  auto graph = [](const char* attributes) {
    return "graph(%x : Tensor):\n  %y : int = my::op[" + std::string(attributes) +
           "](%x)\n  return (%y)";
  };
  Rewritten done = rewritten(graph("name=\"conv2d\", k=2"), {r});
  CHECK(done.changed);
  CHECK_THAT(done.text, Contains(" : int = my::other(%x)"));  // the type is the old result's
  CHECK_FALSE(rewritten(graph("name=\"linear\", k=2"), {r}).changed);
  CHECK_FALSE(rewritten(graph("name=\"conv2d\", k=3"), {r}).changed);
  CHECK_FALSE(rewritten(graph("name=\"conv2d\""), {r}).changed);
}

TEST_CASE("rules that can't be matched are refused") {
  auto rule = [](const char* pattern, const char* replacement) {
    RewriteRule r;
    r.name = "bad", r.pattern = pattern, r.replacement = replacement;
    return r;
  };
  const char* one = "graph(%x):\n  %y = aten::neg(%x)\n  return (%y)";
  auto message = [&](const RewriteRule& r) -> std::string {
    try {
      rewritten(kSilu, {r});
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  CHECK_THAT(message(rule("graph(%x:", one)), Contains("expected"));
  CHECK_THAT(message(rule(one, "graph(%x, %z):\n  return (%x)")),
             Contains("the pattern has 1 inputs"));
  CHECK_THAT(message(rule(one, "graph(%x):\n  return (%x, %x)")),
             Contains("the pattern has 1 results"));
  CHECK_THAT(message(rule("graph(%x):\n  return (%x)", one)),
             Contains("which no node of it makes"));
  CHECK_THAT(message(rule("graph(%x, %z):\n  %y = aten::neg(%x)\n  return (%y)",
                          "graph(%x, %z):\n  return (%x)")),
             Contains("nothing of the pattern uses %z"));
  CHECK_THAT(
      message(rule("graph(%x):\n  %y = aten::neg(%x)\n  %z = aten::abs(%x)\n  return (%y, %z)",
                   "graph(%x):\n  return (%x, %x)")),
      Contains("aten::abs of the pattern isn't reached"));
  for (const char* condition : {"", "x is constant", "%x is", "%x is odd", "%x has uses",
                                "%x has 1 friend", "%x =", "%x : nonsense(", "%q is constant"}) {
    RewriteRule r = silu();
    r.conditions = {condition};
    INFO(condition);
    CHECK(message(r) != "");
  }
}

TEST_CASE("regular expressions of a pattern have an end") {
  auto rewritten = [](const std::string& expression, const std::string& name) {
    auto g = parse_graph("graph(%x : Tensor):\n  %y : Tensor = test::named[name=\"" + name +
                             "\"](%x)\n  return (%y)",
                         &op_table(), "graph");
    RewriteRule r;
    r.name = "named";
    r.pattern = "graph(%x):\n  %y = test::named[name=\"" + expression + "\"](%x)\n  return (%y)";
    r.replacement = "graph(%x):\n  %y : Tensor = aten::neg(%x)\n  return (%y)";
    PassContext c{&op_table()};
    return rewrite_subgraphs(*g, c, {r});
  };
  CHECK(rewritten("conv.*", "conv1"));
  CHECK_FALSE(rewritten("conv.*", "linear"));
  // Backtracking would take 2^1000 steps, and a frame of the stack for each character.
  CHECK_FALSE(rewritten("(a*)*b", std::string(1000, 'a')));
  CHECK_FALSE(rewritten("a.*", std::string(200000, 'a')));
  CHECK_THROWS_WITH(rewritten(std::string(100000, '('), "a"), Contains("is too long"));
  CHECK_THROWS_WITH(rewritten("(", "a"), Contains("is no regular expression"));
}

TEST_CASE("many rules in many lines are refused before they fill the memory") {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "rule a\n=>\n";
  CHECK_THROWS_WITH(parse_rewrite_rules(text, "some.rules"), Contains("is too long"));
}

TEST_CASE("files of rules tell the line of a mistake") {
  auto message = [](const std::string& text) -> std::string {
    try {
      for (auto& r : parse_rewrite_rules(text, "some.rules")) CompiledRule(r, &op_table());
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  const std::string pattern = "graph(%x):\n  %y = aten::neg(%x)\n  return (%y)\n";
  const std::string good = "# a rule\nrule a commutative\n" + pattern + "=>\n" + pattern +
                           "where %x : Tensor\n\nrule b\n" + pattern + "=>\n" + pattern;
  CHECK(message(good) == "");
  auto rules = parse_rewrite_rules(good, "some.rules");
  REQUIRE(rules.size() == 2);
  CHECK(rules[0].commutative);
  CHECK(rules[0].conditions == std::vector<std::string>{"%x : Tensor"});
  CHECK_FALSE(rules[1].commutative);
  CHECK_THAT(message("nonsense"), Contains("some.rules:1: a rule begins with"));
  CHECK_THAT(message("rule a\n" + pattern), Contains("rule a has no '=>'"));
  CHECK_THAT(message("rule a quickly\n"), Contains("'quickly' is no option"));
  CHECK_THAT(message("=>\n"), Contains("stands between"));
  CHECK_THAT(message("rule a\nwhere %x is None\n"), Contains("some.rules:2: 'where' follows"));
  CHECK_THAT(message("rule a\n" + pattern + "=>\n\ngraph(%x):\n  %y = neg(\n"),
             Contains("9:1: error"));
}
