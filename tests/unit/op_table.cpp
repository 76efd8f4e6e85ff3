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

namespace {
// How a C++ parameter spells what the schema declares.
std::string spelled(TypePtr t) {
  switch (t->kind) {
    case TypeKind::Optional: {
      std::string inner = spelled(t->elems[0]);
      return inner == "any" || inner == "Generator?" ? inner : inner + "?";
    }
    case TypeKind::List: {
      TypePtr e = t->elems[0];
      if (e->kind == TypeKind::Optional) e = e->elems[0];
      std::string inner = spelled(e);
      return inner == "any" ? "any" : inner + "[]";
    }
    case TypeKind::Tensor: return "Tensor";
    case TypeKind::Int: return "int";
    case TypeKind::Float: return "float";
    case TypeKind::Bool: return "bool";
    case TypeKind::String: return "str";
    case TypeKind::Number: return "Scalar";
    case TypeKind::Device: return "Device";
    case TypeKind::Generator: return "Generator?";
    default: return "any";
  }
}
std::vector<std::string> split(const std::string& s) {
  std::vector<std::string> r;
  for (size_t at = 0; at < s.size();) {
    size_t comma = std::min(s.find(", ", at), s.size());
    r.push_back(s.substr(at, comma - at));
    at = comma + 2;
  }
  return r;
}
}  // namespace

TEST_CASE("the parameters of operator functions are their schemas'") {
  for (auto& list : op_rows())
    for (size_t i = 0; i < list.count; ++i) {
      const OpDef& row = list.rows[i];
      const Operator* op = op_table().find_overload(row.name);
      if (!row.signature || !op) continue;
      auto given = split(row.signature());
      auto& args = op->schema().arguments;
      INFO(op->text() << " against (" << row.signature() << ")");
      CHECK(given.size() <= args.size());
      for (size_t k = 0; k < given.size() && k < args.size(); ++k) {
        std::string wanted = spelled(args[k].type);
        // An optional parameter takes what is always there as well, a Scalar any number.
        bool fits = given[k] == "any" || wanted == "any" || given[k] == wanted ||
                    given[k] == wanted + "?" || given[k] == "Scalar";
        if (!fits) CHECK(given[k] == wanted);
      }
    }
}

TEST_CASE("an operator's second name does what its first does") {
  auto call = [](const char* name, std::vector<IValue> in) {
    const Operator* op = op_table().find_overload(name);
    REQUIRE(op);
    REQUIRE(op->kernel);
    return run_operator(*op, std::move(in)).at(0).toTensor();
  };
  const Tensor x = full({2, 3}, -2);
  CHECK(call("aten::swapaxes", {x, int64_t{0}, int64_t{1}}).sizes() == IntArrayRef({3, 2}));
  CHECK(call("aten::absolute", {x}).sum().item<double>() == 12);
  CHECK(call("aten::multiply.Tensor", {x, x}).sum().item<double>() == 24);
  CHECK(call("aten::greater.Scalar", {x, -3.0}).dtype() == ScalarType::Bool);
  CHECK(call("aten::clip", {x, -1.0, IValue()}).sum().item<double>() == -6);
  CHECK(call("aten::true_divide.Tensor", {x, x}).sum().item<double>() == 6);
  auto pair = make_ref<ListBox>(types::tensor());
  pair->items = {x, x};
  for (const char* name : {"aten::concat", "aten::concatenate"})
    CHECK(call(name, {IValue(pair), int64_t{1}}).sizes() == IntArrayRef({2, 6}));
  // In place it is the tensor itself.
  const Tensor y = full({4}, -1);
  CHECK(call("aten::absolute_", {y}).is_same(y));
  CHECK(y.sum().item<double>() == 4);
  const Tensor out = zeros({4});
  CHECK(call("aten::negative.out", {y, out}).is_same(out));
  CHECK(out.sum().item<double>() == -4);
}
