// SPDX-License-Identifier: Apache-2.0
// Passes on modules: the result is a module of its own, and answers as before.
#include <catch2/catch.hpp>

#include "api/own_module.h"
#include "api/runtime.h"
#include "compare.h"
#include "passes/passes.h"
#include "sconce/sconce.h"

using namespace sconce;

namespace {

std::string fixture(const std::string& name) { return std::string(SCONCE_FIXTURES) + "/" + name; }
std::string frozen_case(const std::string& name) {
  return fixture("../tests/passes/freeze/" + name + ".pt");
}
bool close(const Tensor& a, const Tensor& b) {
  return !tool::difference(a, b, {"close", 1e-4, 1e-4}, "answer");
}
bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the default pipeline leaves no batch norm and the same answers") {
  for (Mode mode : {Mode::Interpret, Mode::Optimized}) {
    LoadOptions options;
    options.mode = mode;
    Module m = load(fixture("small_cnn.pt"), options);
    const std::string before = m.graph_text();
    Module fast = m.optimize();
    CHECK(!has(fast.graph_text(), "aten::batch_norm"));
    CHECK(!has(fast.graph_text(), "prim::GetAttr"));
    CHECK(fast.named_parameters().empty());
    CHECK(m.graph_text() == before);
    CHECK(m.class_name() == "__torch__.SmallCnn");
    CHECK(fast.class_name() == "__torch__.___torch_mangle_0.SmallCnn");
    CHECK(m.optimize("inline").class_name() != m.class_name());
    Tensor x = randn({1, 3, 32, 32});
    CHECK(close(fast.forward({x}).toTensor(), m.forward({x}).toTensor()));
    CHECK(close(fast.clone().forward({x}).toTensor(), m.forward({x}).toTensor()));
  }
}

TEST_CASE("an optimized module has its own state") {
  Module m = load(frozen_case("written"));
  const Tensor begin = m.attr("count").toTensor().clone();
  const float first = begin.item<float>();
  Module own = m.optimize("inline,dce");
  Module frozen = m.freeze();
  for (int i = 1; i <= 3; ++i) {
    // x * scale + count + calls
    const Tensor expected = full({2}, 2. * i + first);
    CHECK(close(own.forward({zeros({2})}).toTensor(), expected));
    CHECK(close(frozen.forward({zeros({2})}).toTensor(), expected));
    CHECK(own.attr("calls").toInt() == i);
    CHECK(frozen.attr("calls").toInt() == i);
  }
  CHECK(m.attr("calls").toInt() == 0);
  CHECK(close(m.attr("count").toTensor(), begin));
  // The factor is constant, the counters are not.
  CHECK(!frozen.hasattr("scale"));
  CHECK(frozen.hasattr("count"));
}

TEST_CASE("what freeze preserves") {
  Module m = load(frozen_case("preserved"));
  Module plain = m.freeze();
  CHECK(plain.method_names() == std::vector<std::string>{"forward"});
  CHECK(!plain.hasattr("version"));
  Module kept = m.freeze({"version", "sub.twice", "other"});
  CHECK(kept.attr("version").toInt() == 1);
  CHECK(kept.has_method("other"));
  CHECK(!kept.has_method("gone"));
  CHECK(kept.hasattr("sub"));
  Tensor x = ones({1, 2});
  CHECK(close(kept.run_method("other", {x}).toTensor(), m.run_method("other", {x}).toTensor()));
  kept.setattr("version", 5);
  m.setattr("version", 5);
  CHECK(close(kept.forward({x}).toTensor(), m.forward({x}).toTensor()));
  CHECK_THROWS_WITH(m.freeze({"none"}), Catch::Contains("Unknown name: none"));
  m.train();
  CHECK_THROWS_WITH(m.freeze(), Catch::Contains("eval mode"));
  // As a pass it takes a module that is training, and leaves the parameters then.
  CHECK(!m.optimize("freeze").named_parameters().empty());
}

TEST_CASE("pipelines of a module") {
  Module m = load(fixture("small_cnn.pt"));
  CHECK_THROWS_AS(m.optimize("no_such_pass"), Error);
  CHECK_THROWS_AS(m.optimize("fixpoint(freeze)"), Error);
  CHECK(m.optimize("").graph_text().size() > 0);
  // A frozen module can be frozen again.
  const Tensor x = randn({1, 3, 32, 32});
  CHECK(close(m.freeze().freeze().forward({x}).toTensor(), m.forward({x}).toTensor()));
  CHECK(has(m.graph_text("forward", "freeze"), "prim::Constant[value=<Tensor>]"));
  CHECK(!has(m.graph_text("forward", "freeze"), "aten::batch_norm"));
  CHECK(has(m.graph_text("forward", "freeze(optimize_numerics=false)"), "aten::batch_norm"));
}

TEST_CASE("folds say what they did and why not") {
  auto remarks = [](const std::string& name, const std::string& pipeline) {
    Module m = load(fixture("../tests/passes/" + name));
    std::vector<Remark> said;
    CallScope scope(*m.impl());
    auto g = m.impl()->method("forward").ensure_graph().copy();
    PassContext c{&op_table(), m.impl()->object.get()};
    offer_own_module(c, *m.impl(), "forward");
    c.remark = [&](const Remark& r) {
      if (r.rewrite == "conv+bn") said.push_back(r);
    };
    run_pipeline(*g, c, pipeline);
    return said;
  };
  const std::string frozen = "freeze(optimize_numerics=false),";
  auto said = remarks("fold_frozen_conv_bn/conv2d_bias.pt", frozen + "fold_frozen_conv_bn");
  REQUIRE(said.size() == 1);
  CHECK(said[0].applied);
  CHECK(said[0].rewrite == "conv+bn");
  said = remarks("fold_frozen_conv_bn/used_twice.pt", frozen + "fold_frozen_conv_bn");
  REQUIRE(said.size() == 1);
  CHECK(!said[0].applied);
  CHECK(said[0].reason == "the layer's result is used elsewhere");
  said = remarks("fold_frozen_conv_bn/conv2d_bias.pt", "inline,fold_frozen_conv_bn");
  REQUIRE(said.size() == 1);
  CHECK(said[0].reason == "the weight isn't a constant");
}
