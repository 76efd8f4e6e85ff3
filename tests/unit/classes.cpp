// SPDX-License-Identifier: Apache-2.0
// Scores as names and bars, and the forms of label files.
#include "classes.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <sstream>

#include "sconce/sconce.h"

using namespace sconce;
using namespace sconce::tool;

namespace {
Tensor floats(std::vector<int64_t> sizes, std::vector<float> values) {
  Tensor t = sconce::empty(sizes);
  std::copy(values.begin(), values.end(), t.data_ptr<float>());
  return t;
}
std::string shown(const IValue& answer, int top, const std::string& labels = "") {
  std::ostringstream os;
  ClassOptions o;
  o.top = top;
  print_classes(os, answer, o, labels);
  return os.str();
}
std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}
}  // namespace

TEST_CASE("scores become shares by softmax, the best first", "[classes]") {
  // e^0 : e^log(3) : e^log(4) are 1 : 3 : 4.
  IValue y(floats({1, 3}, {0, std::log(3.0f), std::log(4.0f)}));
  auto l = lines(shown(y, 3, "ant\nbee\nécureuil\n"));
  REQUIRE(l.size() == 3);
  CHECK(l[0] == "  écureuil  50.0 %  ███████████████");
  CHECK(l[1] == "  bee       37.5 %  ███████████▎");
  CHECK(l[2] == "  ant       12.5 %  ███▊");
  CHECK(lines(shown(y, 1)) == std::vector<std::string>{"  class 2  50.0 %  ███████████████"});
}

TEST_CASE("probabilities are shown as they are, and what is no number comes last", "[classes]") {
  CHECK(lines(shown(IValue(floats({2}, {0.25f, 0.75f})), 5))[0] ==
        "  class 1  75.0 %  ██████████████████████▌");
  CHECK(lines(shown(IValue(floats({2}, {0.25f, 0.75f}).to(kDouble)), 5))[1] ==
        "  class 0  25.0 %  ███████▌");
  auto l = lines(shown(IValue(floats({3}, {NAN, 1, 2})), 3));
  CHECK(l[0].find("class 2") != std::string::npos);
  CHECK(l[2].find("class 0") != std::string::npos);
}

TEST_CASE("scores are found in tuples and dicts, rows have numbers", "[classes]") {
  Tensor a = floats({2, 2}, {0, 9, 9, 0});
  auto l = lines(
      shown(IValue(make_ref<TupleBox>(std::vector<IValue>{IValue(1), IValue(a)})), 1, "no\nyes"));
  CHECK(l == std::vector<std::string>{"0:", "  yes 100.0 %  ██████████████████████████████",
                                      "1:", "  no 100.0 %  ██████████████████████████████"});
  CHECK_THROWS_AS(shown(IValue(int64_t{3}), 1), Error);
  CHECK_THROWS_AS(shown(IValue(floats({1, 2, 2}, {0, 0, 0, 0})), 1), Error);
  CHECK_THROWS_WITH(shown(IValue(a), 1, "one\ntwo\nthree"), "there are 2 classes, but 3 names");
}

TEST_CASE("label files: lines and the usual JSON", "[classes]") {
  using Names = std::vector<std::string>;
  CHECK(parse_labels("tench\r\ngreat white  \n\nray\n\n", "x") ==
        Names{"tench", "great white", "", "ray"});
  CHECK(parse_labels("[\"a\", \"b\"]", "x") == Names{"a", "b"});
  CHECK(parse_labels("{\"1\": [\"n2\", \"b\"], \"0\": [\"n1\", \"a\"]}", "x") == Names{"a", "b"});
  CHECK(parse_labels("{\"model\": 3, \"id2label\": {\"0\": \"a\", \"1\": \"b\"}}", "x") ==
        Names{"a", "b"});
  CHECK(parse_labels("a\x1b[2J", "x") == Names{"a\\x1b[2J"});
  for (const char* bad :
       {"", "\n", "[", "{\"0\": \"a\", \"2\": \"c\"}", "[3]", "{\"id2label\": 3}"})
    CHECK_THROWS_AS(parse_labels(bad, "x"), FormatError);
}
