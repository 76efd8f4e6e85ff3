// SPDX-License-Identifier: Apache-2.0
// What the host lets a file's code use: LoadOptions::allowed_ops, denied_ops, allow_setstate.
#include <catch2/catch.hpp>

#include "sconce/sconce.h"

using namespace sconce;

namespace {

std::string malformed(const std::string& name) {
  return std::string(SCONCE_FIXTURES) + "/../tests/malformed/scan/" + name;
}

std::string refusal(const std::function<void()>& f) {
  try {
    f();
  } catch (const PolicyError& e) {
    return e.what();
  }
  return "";
}

Module compiled(const std::string& source, std::vector<std::string> allowed,
                std::vector<std::string> denied) {
  LoadOptions o;
  o.allowed_ops = std::move(allowed);
  o.denied_ops = std::move(denied);
  return compile(source, o);
}

const char* const kSource = R"(
def f(x: Tensor, n: int) -> Tensor:
    y = torch.add(x, 1)
    if n > 2:
        print(n)
    return y.relu()
)";

}  // namespace

TEST_CASE("an operator outside the policy is an error with its name and place") {
  CHECK(refusal([] { compiled(kSource, {}, {"aten::relu"}); }) ==
        "<source>:6:12: error: the operator aten::relu is not among those that the host lets files "
        "use\n        return y.relu()\n               ^~~~~~~~");
  CHECK(refusal([] { compiled(kSource, {}, {"aten::add.Scalar"}); }).find("aten::add.Scalar") !=
        std::string::npos);
  CHECK(refusal([] { compiled(kSource, {}, {"aten::r*"}); }).find("aten::relu") !=
        std::string::npos);
  CHECK(refusal([] { compiled(kSource, {}, {"prim::Print"}); }).find("prim::Print") !=
        std::string::npos);
  CHECK(refusal([] { compiled(kSource, {"aten::add"}, {}); }).find("aten::gt") !=
        std::string::npos);
}

TEST_CASE("code within the policy runs") {
  Module m = compiled(kSource, {"aten::add", "aten::gt", "aten::relu"},
                      {"aten::add.Tensor", "aten::relu_", "quantized::*"});
  CHECK(m.run_method("f", {ones({2}), int64_t{3}}).toTensor().data_ptr<float>()[1] == 2.f);
  // What sconce itself writes an operator with isn't the file's.
  Module pair = compiled("def f(x: List[int]) -> List[int]:\n    return torch._pair(x)\n",
                         {"aten::_pair"}, {});
  CHECK(pair.defined());
}

TEST_CASE("an archive is looked at when it is loaded") {
  LoadOptions o;
  o.denied_ops = {"aten::add"};
  CHECK(refusal([&] { load(malformed("plain.pt"), o); }).find("code/__torch__.py:8:12") !=
        std::string::npos);
  o.denied_ops = {"aten::mul"};
  CHECK(load(malformed("plain.pt"), o).defined());
  // Before its __setstate__ runs.
  CHECK(refusal([&] { load(malformed("setstate.pt"), o); }).find("aten::mul") != std::string::npos);
  o.denied_ops = {"mylib::*"};
  CHECK(refusal([&] { load(malformed("operator.pt"), o); }).find("mylib::add") !=
        std::string::npos);
}

TEST_CASE("without allow_setstate nothing of the file runs at load") {
  CHECK(load(malformed("setstate.pt")).attr("w").toTensor().data_ptr<float>()[3] == 8.f);
  LoadOptions o;
  o.allow_setstate = false;
  CHECK(refusal([&] { load(malformed("setstate.pt"), o); }) ==
        malformed("setstate.pt") +
            ": __torch__.M.__setstate__ would run when the file is loaded, which the host refuses "
            "(allow_setstate is false)");
  CHECK(refusal([&] { load(malformed("constant.pt"), o); }).find("aten::zeros") !=
        std::string::npos);
  CHECK(load(malformed("plain.pt"), o).defined());
}
