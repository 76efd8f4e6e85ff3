// SPDX-License-Identifier: Apache-2.0
// The parts of the command that stand alone: the grammar of inputs, how answers are shown,
// progress.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <iostream>
#include <sstream>
#include <thread>

#include "api/runtime.h"
#include "inputs.h"
#include "module_tree.h"
#include "print_value.h"
#include "progress.h"
#include "text.h"
#include "usage.h"

using namespace sconce;
using namespace sconce::tool;

namespace {
std::string shown(const std::string& input) { return ivalue_str(parse_input(input)); }
std::string printed(const IValue& v, bool full = false) {
  std::ostringstream os;
  print_value(os, v, full);
  return os.str();
}
}  // namespace

TEST_CASE("inputs are Python's literals and JSON") {
  CHECK(parse_input("None").isNone());
  CHECK(parse_input(" null ").isNone());
  CHECK(parse_input("-3").toInt() == -3);
  CHECK(parse_input("1e-3").toDouble() == 1e-3);
  CHECK(parse_input("-inf").toDouble() < -1e300);
  CHECK(parse_input("1-2j").toComplexDouble() == std::complex<double>(1, -2));
  CHECK(parse_input("true").isBool());
  CHECK(parse_input("False").toBool() == false);
  CHECK(parse_input("'it\\'s \\u00e9\\n'").toStringRef() == "it's \xc3\xa9\n");
  CHECK(parse_input("\"\\ud83d\\ude00\"").toStringRef() == "\xf0\x9f\x98\x80");
  CHECK(shown("(1,)") == "(1,)");
  CHECK(parse_input("(1)").isInt());
  CHECK(shown("[1, (2, [3.5, None]), {}]") == "[1, (2, [3.5, None]), {}]");
  CHECK(shown("{\"a\": 1, 'b': [True], 3: ()}") == "{a: 1, b: [True], 3: ()}");
  CHECK(parse_input("device('cpu')").isDevice());
}

TEST_CASE("inputs may be generated tensors") {
  Tensor t = parse_input("arange(2, 8, 2):float64").toTensor();
  REQUIRE((t.dtype() == kDouble && t.numel() == 3));
  CHECK(t.data_ptr<double>()[2] == 6);
  CHECK(parse_input("zeros((2,3)):long").toTensorRef().dtype() == kLong);
  CHECK(parse_input("torch.ones()").toTensorRef().dim() == 0);
  CHECK(parse_input("full([2], True)").toTensorRef().dtype() == kBool);
  CHECK(parse_input("tensor([[1, 2.5]])").toTensorRef().sizes().vec() ==
        std::vector<int64_t>{1, 2});
  CHECK(parse_input("tensor([])").toTensorRef().numel() == 0);
  CHECK(parse_input("randint(3, 4, (2,2))").toTensorRef().data_ptr<int64_t>()[3] == 3);
}

TEST_CASE("inputs that can't be understood are refused with their place") {
  for (const char* text : {"",
                           "nonsense",
                           "nonsense(1)",
                           "[1, 2",
                           "(1 2)",
                           "{[1]: 2}",
                           "{1}",
                           "\"open",
                           "1 2",
                           "99999999999999999999",
                           "zeros(-1)",
                           "zeros(99999999999,99999999999)",
                           "zeros(2):nothing",
                           "tensor([[1],[2,3]])",
                           "tensor([[1],2])",
                           "tensor('a')",
                           "randint(3, 3, (1))",
                           "arange(1,2,0)",
                           "file(3)",
                           "'\\q'"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_input(text), UsageError);
  }
  CHECK_THROWS_AS(parse_input(std::string(100'000, '[')), UsageError);
  CHECK_THROWS_AS(parse_input("absent.npy"), FormatError);
  CHECK_THROWS_WITH(parse_input("[1, oh]"), Catch::Contains("at character 5"));
}

TEST_CASE("large answers are told by range, mean and corners") {
  Tensor t = parse_input("arange(2000)").toTensor();
  CHECK(printed(IValue(t)) ==
        "int64 [2000], from 0 to 1999, mean 999.5\n"
        "[   0,    1,    2, ..., 1997, 1998, 1999]\n");
  CHECK(printed(IValue(t), true).size() > 2000 * 5);
  CHECK(printed(IValue(parse_input("ones(2,2)"))) == " 1  1\n 1  1\n[ CPUFloatType{2,2} ]\n");
  CHECK(tensor_corners(t.view({2, 1000})) ==
        "[[   0,    1,    2, ...,  997,  998,  999],\n [1000, 1001, 1002, ..., 1997, 1998, 1999]]");
  CHECK(tensor_corners(parse_input("tensor([0.5, -2, 1e9])").toTensor()) ==
        "[ 5.0000e-01, -2.0000e+00,  1.0000e+09]");
  CHECK(describe_tensor(parse_input("tensor([0.5, inf, nan])").toTensor()) ==
        "float32 [3], from 0.5 to inf, mean 0.5, 1 nan, 1 infinite");
}

TEST_CASE("nested answers are trees") {
  CHECK(printed(parse_input("(1, {'a': [zeros(1), 'b'], 2: None})")) ==
        "tuple of 2\n"
        "  [0] 1\n"
        "  [1] dict of 2\n"
        "    [\"a\"] list of 2\n"
        "      [0] float32 [1]\n"
        "           0\n"
        "          [ CPUFloatType{1} ]\n"
        "      [1] b\n"
        "    [2] None\n");
}

TEST_CASE("numbers and foreign text for people") {
  CHECK(with_commas(-1234567) == "-1,234,567");
  CHECK(with_commas(999) == "999");
  CHECK(byte_text(1023) == "1023 B");
  CHECK(byte_text(437'900'000) == "417.6 MiB");
  CHECK(printable("a\x1b[31m\xc3\xa9\xff\n") == "a\\x1b[31m\xc3\xa9\\xff\n");
  // What the runner of a CI service would obey.
  CHECK(printable("a\n::error::b") == "a\n\\x3a:error::b");
  CHECK(printable("a\n \xc2\xa0\t::b\n##[c") == "a\n \xc2\xa0\t\\x3a:b\n\\x23#[c");
  CHECK(printable("aten::add\na ::b\n# c") == "aten::add\na ::b\n# c");
  CHECK(printable_line("a\n  findings\tnone\x1b") == "a\\n  findings\\tnone\\x1b");
}

TEST_CASE("a tree folds numbered neighbours and counts tied tensors once") {
  ModuleNode root = module_tree(*load(SCONCE_FIXTURES "/many_layers.pt").impl()->object);
  CHECK(root.parameters.elements == 4 * 4 + 4 + 12 * (16 + 4 + 4 + 4) + 4);
  std::string text = tree_text(root, false);
  CHECK_THAT(text, Catch::Contains("0-11 (12 x Layer)"));
  CHECK_THAT(text, !Catch::Contains("weight"));
  CHECK_THAT(tree_text(root, true), Catch::Contains("11 (Layer)"));
  CHECK_THAT(tree_text(root, true), Catch::Contains("weight  float32 [4, 4]"));
}

TEST_CASE("a progress line fits its width") {
  using Unit = Progress::Unit;
  CHECK(progress_line("verify", 1, 4, Unit::Items, 10, 80, "a.pt") ==
        "verify [#######.......................] 1/4, 30 s left  a.pt");
  CHECK(progress_line("reading", 512 << 20, uint64_t{1} << 30, Unit::Bytes, 90, 80, "") ==
        "reading [###############...............] 0.5/1.0 GiB, 1:30 left");
  CHECK(progress_line("passes", 3, 0, Unit::Items, 10, 80, "dce") == "passes 3  dce");
  for (size_t width = 0; width < 80; ++width)
    CHECK(progress_line("verify", 3, 40, Unit::Items, 5000, width, "archive.pt").size() <= width);
}

TEST_CASE("progress on a terminal is drawn by several threads and leaves nothing behind") {
  int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) return;  // none here
  int other = open(ptsname(terminal), O_RDWR | O_NOCTTY);
  REQUIRE(other >= 0);
  struct winsize size {};
  size.ws_row = 24, size.ws_col = 40;
  REQUIRE(ioctl(other, TIOCSWINSZ, &size) == 0);
  const char* term = getenv("TERM");
  std::string before = term ? term : "";
  setenv("TERM", "xterm", 1);
  int saved = dup(STDERR_FILENO);
  dup2(other, STDERR_FILENO);
  std::ostringstream lines;
  {
    Progress progress("work", 400);
    std::vector<std::thread> threads;
    for (int k = 0; k < 4; ++k)
      threads.emplace_back([&] {
        for (int i = 0; i < 100; ++i) {
          progress.advance(1, "label");
          if (i % 50 == 0) progress.print(lines, "a line\n");
        }
      });
    for (auto& t : threads) t.join();
  }
  dup2(saved, STDERR_FILENO);
  close(saved);
  close(other);
  if (term) setenv("TERM", before.c_str(), 1);
  char buffer[4096];
  std::string drawn, erase = "\r\033[K";
  for (ssize_t n; (n = read(terminal, buffer, sizeof buffer)) > 0;)
    drawn.append(buffer, static_cast<size_t>(n));
  close(terminal);
  REQUIRE(drawn.size() > erase.size());
  CHECK(drawn.compare(0, erase.size(), erase) == 0);
  CHECK(drawn.compare(drawn.size() - erase.size(), erase.size(), erase) == 0);
  for (size_t at = 0, next; at < drawn.size(); at = next) {
    next = std::min(drawn.find(erase, at + erase.size()), drawn.size());
    CHECK(next - at - erase.size() < 40);
  }
  CHECK(lines.str() == "a line\na line\na line\na line\na line\na line\na line\na line\n");
}
