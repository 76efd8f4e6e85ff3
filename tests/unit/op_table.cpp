// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <regex>

#include "api/runtime.h"
#include "ops/all_ops.h"
#include "ops/composites.h"

using namespace sconce;

TEST_CASE("operators written in TorchScript compile and fit their schemas") {
  REQUIRE_NOTHROW(compile_composites());
  for (auto& row : ops::composite_rows()) {
    INFO(row.name);
    REQUIRE(op_table().find_overload(row.name) != nullptr);
  }
}

TEST_CASE("every row names a known operator") {
  for (auto& name : op_table().unmatched()) FAIL_CHECK(name);
  SUCCEED();
}

TEST_CASE("every schema parses and prints itself") {
  const OpTable& t = op_table();
  size_t implemented = 0;
  for (size_t i = 0; i < t.size(); ++i) {
    REQUIRE_NOTHROW(t.at(i).schema());
    implemented += t.at(i).kernel != nullptr;
  }
  CHECK(implemented > 1000);
}

TEST_CASE("promotion, broadcasting and views") {
  Tensor a = full({2, 1}, 3, kInt), b = full({1, 4}, 0.5);
  Tensor c = a * b;
  CHECK(c.sizes() == IntArrayRef({2, 4}));
  CHECK(c.dtype() == kFloat);
  CHECK(c[1][3].item<float>() == 1.5f);
  Tensor d = zeros({3, 4});
  d.select(0, 1).slice(0, 1, 3).fill_(7);
  CHECK(d.sum().item<float>() == 14);
  CHECK((a / a).dtype() == kFloat);
}

TEST_CASE("the generator draws PyTorch's numbers") {
  manual_seed(0);
  Tensor t = rand({2});
  CHECK(t[0].item<float>() == Approx(0.4962565899f));
  CHECK(t[1].item<float>() == Approx(0.7682217956f));
}
