// SPDX-License-Identifier: Apache-2.0
// The lists that reduced builds are made from.
#include "api/needed_operators.h"

#include <catch2/catch.hpp>

#include "api/runtime.h"
#include "core/operator_use.h"
#include "core/selection.h"
#include "passes/passes.h"
#include "sconce/sconce.h"

using namespace sconce;

namespace {
std::set<std::string> needed(const std::string& name) {
  return needed_operators({std::string(SCONCE_FIXTURES) + "/" + name}).names;
}
}  // namespace

TEST_CASE("A list has what graphs call and what passes make of it", "[needed_operators]") {
  const std::set<std::string> names = needed("narrow_resnet.pt");
  for (const char* name : {"aten::conv2d", "aten::batch_norm", "aten::relu", "aten::linear"})
    CHECK(names.count(name));
  // `x += y` is written in place; its functional form does the work.
  CHECK(names.count("aten::relu_"));
  // Folding a batch norm.
  for (const char* name : operators_of_preparing()) CHECK(names.count(name));
  CHECK(!names.count("aten::lstm.input"));
}

TEST_CASE("A list has what is in loops and branches", "[needed_operators]") {
  const std::set<std::string> names = needed("lstm_loop.pt");
  CHECK(names.count("aten::lstm.input"));
  CHECK(names.count("aten::append.t"));
}

TEST_CASE("What folding a batch norm runs is in every list", "[needed_operators]") {
  const Module m = load(std::string(SCONCE_FIXTURES) + "/narrow_resnet.pt");
  OperatorUse use;
  note_operator_use(&use);
  (void)m.optimize("freeze,fold_frozen_conv_bn");
  note_operator_use(nullptr);
  REQUIRE(use.run.count("aten::rsqrt"));
  // What the graph calls itself may be run to fold it.
  const std::set<std::string> listed = needed("narrow_resnet.pt");
  for (const std::string& name : use.run) CHECK(listed.count(name));
}

TEST_CASE("The whole library has every row", "[needed_operators]") {
  static_assert(!kReduced);
  CHECK(in_build("aten::lstm.input"));
  CHECK(missing_operator_text("aten::foo") == "operator aten::foo is not implemented in sconce");
  CHECK_THROWS_AS(op_table().require("aten::no_such_operator"), MissingOp);
}
