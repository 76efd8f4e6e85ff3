// SPDX-License-Identifier: Apache-2.0
// The matcher of texts: each directive holds and fails, and messages are LLVM's.
#include "file_check.h"

#include <catch2/catch.hpp>

#include "sconce/error.h"

using Catch::Contains;
using sconce::tool::file_check;

namespace {
std::string check(const std::string& expectations, const std::string& input) {
  return file_check(expectations, "e", input, "i");
}
const char* kInput =
    "graph(%x):\n"
    "  %1 = aten::conv2d(%x)\n"
    "  %2 = aten::relu(%1)\n"
    "  %3 = aten::relu(%2)\n"
    "  return (%3)\n";
}  // namespace

TEST_CASE("plain, next, same") {
  CHECK(check("# CHECK: conv2d\n# CHECK: relu(%2)\n", kInput) == "");
  CHECK(check("CHECK: conv2d\nCHECK-SAME: (%x)\nCHECK-NEXT: relu(%1)\nCHECK-NEXT: relu(%2)",
              kInput) == "");
  CHECK(check("CHECK: graph(%x)\nCHECK:   %1   =  aten", kInput) == "");  // blanks
  CHECK_THAT(check("CHECK: relu(%2)\nCHECK: conv2d", kInput),
             Contains("e:2:8: error: CHECK: expected string not found in input\nCHECK: conv2d\n") &&
                 Contains("i:5:1: note: scanning from here\n return (%3)\n^\n"));
  CHECK_THAT(check("CHECK: conv2d\nCHECK-NEXT: relu(%2)", kInput),
             Contains("CHECK-NEXT: is not on the line after the previous match"));
  CHECK_THAT(check("CHECK: conv2d\nCHECK-NEXT: (%x)", kInput),
             Contains("CHECK-NEXT: is on the same line as previous match"));
  CHECK_THAT(check("CHECK: conv2d\nCHECK-SAME: relu", kInput),
             Contains("CHECK-SAME: is not on the same line as previous match"));
}

TEST_CASE("not: between the matches around it") {
  CHECK(check("CHECK: conv2d\nCHECK-NOT: conv2d\nCHECK: relu\nCHECK-NOT: conv2d", kInput) == "");
  CHECK(check("CHECK-NOT: relu\nCHECK: conv2d", kInput) == "");
  CHECK_THAT(check("CHECK: conv2d\nCHECK-NOT: relu(%1)\nCHECK: relu(%2)", kInput),
             Contains("e:2:12: error: CHECK-NOT: excluded string found in input") &&
                 Contains("i:3:") && Contains("note: found here"));
  CHECK_THAT(check("CHECK: conv2d\nCHECK-NOT: return", kInput), Contains("excluded"));
}

TEST_CASE("dag: any order, no shared place") {
  CHECK(check("CHECK-DAG: relu(%2)\nCHECK-DAG: conv2d\nCHECK: return", kInput) == "");
  CHECK(check("CHECK-DAG: aten::relu\nCHECK-DAG: aten::relu\nCHECK: return", kInput) == "");
  CHECK_THAT(check("CHECK-DAG: relu\nCHECK-DAG: relu\nCHECK-DAG: relu", kInput),
             Contains("not found"));
  CHECK_THAT(check("CHECK-DAG: relu(%2)\nCHECK-DAG: conv2d\nCHECK: relu(%1)", kInput),
             Contains("not found"));
}

TEST_CASE("count, exactly") {
  CHECK(check("CHECK-COUNT-2: relu", kInput) == "");
  CHECK(check("CHECK-COUNT-1: relu", kInput) == "");
  CHECK(check("CHECK-COUNT-2-EXACTLY: relu\nCHECK: return", kInput) == "");
  CHECK(check("CHECK-COUNT-0: tanh", kInput) == "");
  CHECK_THAT(check("CHECK-COUNT-3: relu", kInput), Contains("(found 2 of 3)"));
  CHECK_THAT(check("CHECK-COUNT-1-EXACTLY: relu", kInput), Contains("excluded string found"));
}

TEST_CASE("labels bound what stands between them") {
  const char* two = "graph(a):\n  relu\ngraph(b):\n  neg\n";
  CHECK(check("CHECK-LABEL: graph(a)\nCHECK: relu\nCHECK-LABEL: graph(b)\nCHECK: neg", two) == "");
  CHECK_THAT(check("CHECK-LABEL: graph(a)\nCHECK: neg\nCHECK-LABEL: graph(b)", two),
             Contains("expected string not found"));
  CHECK(check("CHECK-LABEL: graph(a)\nCHECK-NOT: neg\nCHECK-LABEL: graph(b)", two) == "");
}

TEST_CASE("variables and regular expressions") {
  CHECK(check("CHECK: [[R:%[0-9]+]] = aten::relu\nCHECK: aten::relu([[R]])", kInput) == "");
  CHECK(check("CHECK: %{{[0-9]}} = aten::{{conv(1|2)d}}(%x)", kInput) == "");
  CHECK(check("CHECK: [[A:[a-z]]][[A]]", "ab\naa\n") == "");
  CHECK(check("CHECK: {{x{2}}}y", "xy\nxxy\n") == "");
  CHECK_THAT(check("CHECK: [[R:%[0-9]+]] = aten::conv2d\nCHECK: return ([[R]])", kInput),
             Contains("expected string not found"));
  CHECK_THROWS_AS(check("CHECK: [[Q]]", kInput), sconce::Error);
  CHECK_THROWS_AS(check("CHECK: {{(}}", kInput), sconce::Error);
}

TEST_CASE("expectations that can't be understood") {
  CHECK_THROWS_WITH(check("nothing", kInput), Contains("there is no 'CHECK:'"));
  CHECK_THROWS_WITH(check("CHECK-NEVER: x", kInput), Contains("CHECK-NEVER is no directive"));
  CHECK_THROWS_WITH(check("CHECK-COUNT-x: x", kInput), Contains("is no directive"));
  CHECK_THROWS_WITH(check("CHECK:  \n", kInput), Contains("says nothing to look for"));
  CHECK_THROWS_WITH(check("CHECK-NEXT: x", kInput), Contains("needs a match before it"));
  CHECK_THROWS_WITH(check("MYCHECK: x", kInput), Contains("there is no"));
  CHECK(file_check("OUR: relu\nCHECK: tanh", "e", kInput, "i", "OUR") == "");
}

TEST_CASE("the nearest line is told") {
  CHECK_THAT(check("CHECK: %2 = aten::rellu(%1)", kInput),
             Contains("i:3:2: note: possible intended match here\n %2 = aten::relu(%1)\n ^\n"));
}
