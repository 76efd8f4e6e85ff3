// SPDX-License-Identifier: Apache-2.0
// verify must notice every kind of change of an answer.
#include <catch2/catch.hpp>

#include "compare.h"

using namespace sconce;
using namespace sconce::tool;

namespace {

struct Fixture {
  std::ostringstream printed;
  Module m;
  std::vector<Case> cases;
  explicit Fixture(const std::string& name) {
    LoadOptions o;
    o.out = &printed;
    m = load(std::string(SCONCE_FIXTURES) + "/" + name + ".pt", o);
    cases = read_cases(std::string(SCONCE_FIXTURES) + "/" + name + ".io.pt");
  }
  static std::string take(void* self) {
    auto& s = *static_cast<std::ostringstream*>(self);
    std::string t = s.str();
    s.str("");
    return t;
  }
  std::optional<std::string> run(const Case& c) { return run_case(m, c, take, &printed); }
};

}  // namespace

TEST_CASE("the untouched cases pass") {
  Fixture cnn("small_cnn"), counter("counter");
  CHECK(!cnn.run(cnn.cases[0]));
  CHECK(!counter.run(counter.cases[0]));
}
TEST_CASE("a changed number is named") {
  Fixture f("small_cnn");
  Case c = f.cases[0];
  Tensor t = c.output->toTensor().clone();
  t.data_ptr<float>()[7] += 1;
  c.output = IValue(t);
  auto d = f.run(c);
  REQUIRE(d);
  CHECK(d->find("output[0][7]: ") == 0);
}
TEST_CASE("a changed dtype is noticed") {
  Fixture f("small_cnn");
  Case c = f.cases[0];
  c.output = IValue(c.output->toTensor().to(kDouble));
  auto d = f.run(c);
  REQUIRE(d);
  CHECK(d->find("dtype") != std::string::npos);
}
TEST_CASE("a changed shape is noticed") {
  Fixture f("small_cnn");
  Case c = f.cases[0];
  c.output = IValue(c.output->toTensor().view({10, 1}));
  auto d = f.run(c);
  REQUIRE(d);
  CHECK(d->find("shape [1, 10], expected [10, 1]") != std::string::npos);
}
TEST_CASE("a changed element of inputs_after is named") {
  Fixture f("counter");
  Case c = f.cases[0];
  REQUIRE(c.inputs_after);
  Tensor t = c.inputs_after->toTupleRef().items[0].toTensor().clone();
  t.data_ptr<float>()[1] += 1;
  c.inputs_after = IValue(make_ref<TupleBox>(std::vector<IValue>{IValue(t)}));
  auto d = f.run(c);
  REQUIRE(d);
  CHECK(d->find("inputs_after[0][0][1]: ") == 0);
}
TEST_CASE("a changed letter of stdout is noticed") {
  Fixture f("counter");
  Case c = f.cases[0];
  REQUIRE(c.stdout_text);
  (*c.stdout_text)[0] = 'C';
  auto d = f.run(c);
  REQUIRE(d);
  CHECK(d->find("stdout") == 0);
}
TEST_CASE("an answer where an error is expected is noticed") {
  Fixture f("small_cnn");
  Case c = f.cases[0];
  c.raises = "RuntimeError: no";
  auto d = f.run(c);
  REQUIRE(d);
  CHECK(d->find("returned, expected") == 0);
}
TEST_CASE("graph texts are compared without names and comments") {
  CHECK(normalized_graph("%a.1 : int = aten::add(%b, %b) # x.py:1:2\n") ==
        normalized_graph("%0 : int = aten::add(%q, %q)"));
  CHECK(normalized_graph("%a = aten::add(%b, %b)") != normalized_graph("%a = aten::add(%b, %c)"));
  CHECK(normalized_graph("= prim::Constant[value=\"# %a\"]()") !=
        normalized_graph("= prim::Constant[value=\"# %b\"]()"));
}
