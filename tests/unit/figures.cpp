// SPDX-License-Identifier: Apache-2.0
// What verify tells of each output, and how it says it to machines.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <cmath>
#include <fstream>
#include <limits>

#include "verify.h"

using namespace sconce;
using namespace sconce::tool;

namespace {
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

Tensor floats(const std::vector<float>& v) {
  Tensor t = empty({static_cast<int64_t>(v.size())}, kFloat);
  std::copy(v.begin(), v.end(), t.data_ptr<float>());
  return t;
}
Figures one(const IValue& a, const IValue& e, const Tolerance& tol = {}) {
  auto all = figures_of(a, e, tol, "output");
  REQUIRE(all.size() == 1);
  return all[0];
}
}  // namespace

TEST_CASE("figures: largest differences of finite elements, and what isn't finite") {
  const Figures f = one(floats({1.5f, 0.0f, kNan, kInf, -kInf, 4.0f, kNan}),
                        floats({1.0f, 0.25f, kNan, kInf, kInf, 4.0f, 2.0f}));
  CHECK(f.elements == 7);
  CHECK(f.out == 4);
  CHECK(f.max_abs == 0.5);
  CHECK(f.max_rel == 1.0);
  CHECK(f.nan.actual == 2);
  CHECK(f.nan.expected == 1);
  CHECK(f.inf.actual == 2);
  CHECK(f.inf.expected == 2);
  CHECK(f.difference == "output[0]: 1.5, expected 1");
}
TEST_CASE("figures: ulps count the numbers of the dtype between two") {
  const float next = std::nextafterf(1.0f, 2.0f);
  CHECK(one(floats({next}), floats({1.0f})).max_ulp == 1u);
  CHECK(one(floats({-0.0f}), floats({0.0f})).max_ulp == 0u);
  const float least = std::numeric_limits<float>::denorm_min();
  CHECK(one(floats({-least}), floats({least})).max_ulp == 2u);
  CHECK(one(floats({next}).to(kDouble), floats({1.0f}).to(kDouble)).max_ulp == uint64_t{1} << 29);
  CHECK(one(floats({1.0078125f}).to(kBFloat16), floats({1.0f}).to(kBFloat16)).max_ulp == 1u);
  CHECK(one(floats({1.0009765625f}).to(kHalf), floats({1.0f}).to(kHalf)).max_ulp == 1u);
  CHECK_FALSE(one(floats({1}).to(kLong), floats({2}).to(kLong)).max_ulp);
  CHECK(one(IValue(1.0), IValue(std::nextafter(1.0, 2.0))).max_ulp == 1u);
}
TEST_CASE("figures: whole numbers are compared as such") {
  Tensor a = empty({2}, kLong), b = empty({2}, kLong);
  a.data_ptr<int64_t>()[0] = b.data_ptr<int64_t>()[0] = 1;
  a.data_ptr<int64_t>()[1] = (int64_t{1} << 60) + 1;
  b.data_ptr<int64_t>()[1] = int64_t{1} << 60;
  CHECK(one(a, b).out == 1);
  CHECK(one(a, a).out == 0);
}
TEST_CASE("figures: a leaf each, by its path") {
  auto dict = make_ref<DictBox>(types::any(), types::any());
  dict->set(IValue("boxes"), floats({1, 2}));
  dict->set(IValue(int64_t{3}), IValue(true));
  const IValue v(make_ref<TupleBox>(std::vector<IValue>{IValue(dict), IValue("text"), IValue()}));
  const auto all = figures_of(v, v, {}, "output");
  REQUIRE(all.size() == 4);
  CHECK(all[0].where == "output[0][\"boxes\"]");
  CHECK(all[1].where == "output[0][3]");
  CHECK(all[2].where == "output[1]");
  CHECK(figures_text(all[0]) == "output[0][\"boxes\"]: float32 [2]: max abs 0, rel 0, 0 ulp");
}
TEST_CASE("figures: values that don't fit each other") {
  CHECK_FALSE(one(floats({1}), floats({1, 2})).compared);
  CHECK(one(floats({1}), IValue(1.0)).out == 1);
  CHECK(figures_text(one(floats({1}), floats({1, 2}))) ==
        "output: float32 [2]: shape [1], expected [2]");
  CHECK(figures_text(one(IValue(int64_t{2}), IValue(int64_t{3}))) ==
        "output: int: max abs 1, rel 0.333; 1 of 1 out of tolerance: 2, expected 3");
  // Only shapes are compared.
  Tolerance meta;
  meta.check = "meta";
  CHECK_FALSE(one(floats({1}), floats({2}), meta).compared);
  CHECK(one(floats({1}), floats({2}), meta).difference.empty());
}
TEST_CASE("figures: through JSON and back") {
  Figures f = one(floats({1.5f, kNan}), floats({1.0f, kInf}));
  const Figures g = figures_from_json(to_json(f));
  CHECK(figures_text(f) == figures_text(g));
  CHECK(g.max_ulp == f.max_ulp);
}

TEST_CASE("GitHub's commands are escaped") {
  CHECK(github_error("a,b:c.pt", 7, "50%\nless", "x: 1, y\r\n100%") ==
        "::error file=a%2Cb%3Ac.pt,line=7,title=50%25%0Aless::x: 1, y\\x0d%0A100%25");
  CHECK(github_error("", 0, "t", "m") == "::error title=t::m");
}
TEST_CASE("JUnit's XML: a suite a file, a test case a call, and no byte that XML can't hold") {
  std::vector<Job> jobs(3);
  jobs[0].archive = "a<&\"'>.pt";
  jobs[1].archive = "broken.pt";
  jobs[2].archive = "late.pt";
  std::vector<Result> results(3);
  results[0].cases = {{"forward", CaseResult::Outcome::Passed, 0.25, "", {}},
                      {"f", CaseResult::Outcome::Failed, 0.5, "bad \x01 ]]> \xff", {}},
                      {"g", CaseResult::Outcome::Skipped, 0, "", {}}};
  results[0].failed = results[0].passed = results[0].skipped = 1;
  results[1].failed = 1;
  results[1].error = "no zip archive";
  Result total;
  const std::string path = "junit_test.xml";
  write_junit(path, {jobs, results, {true, true, false}, total});
  const std::string text = read_file(path);
  std::remove(path.c_str());
  auto has = [&](const char* part) { return text.find(part) != std::string::npos; };
  CHECK(
      has("<testsuites name=\"sconce verify\" tests=\"5\" failures=\"1\" errors=\"1\" "
          "skipped=\"2\""));
  CHECK(has("<testsuite name=\"a&lt;&amp;&quot;&apos;&gt;.pt\" tests=\"3\" failures=\"1\""));
  CHECK(has("name=\"forward #0\""));
  CHECK(has("time=\"0.250000\"/>"));
  CHECK(has("<failure message=\"bad \\x01 ]]&gt; \\xff\""));
  CHECK(has("<skipped message=\"not started"));
  CHECK(has("<error message=\"no zip archive\""));
}
