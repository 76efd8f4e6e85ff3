// SPDX-License-Identifier: Apache-2.0
// sconce verify --bisect: which operator of a recorded call is the first whose value is out of
// tolerance. Entry: bisect().
//
// The reference is the interpreter on the CPU, or a recorded trace (trace_file.h), of PyTorch or of
// sconce somewhere else; under test is what --mode and --device say. Two looks are taken:
//
// 1. Values: both sides run with every node telling its values (api/value_trace.h), loops and
//    branches included, and the values are compared as they come. Such a run is interpreted, so it
//    shows what kernels and devices do.
// 2. Prefixes, in Mode::Optimized, when the answers differ and no value did: the method cut off
//    after a node is prepared and run as every method is (folded, planned, lowered), by binary
//    search over the nodes outside of inner blocks. From the node found the search goes back to
//    what it takes, until a node is out of tolerance and nothing that it takes is.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/value_trace.h"
#include "trace_file.h"
#include "verify.h"

namespace sconce::tool {

// A value that is out of tolerance.
struct WrongValue {
  TracePoint point;
  int64_t occurrence = 0;           // in loops: the how manieth value of this node
  std::vector<std::string> inputs;  // "%x: float32 [2, 3]"
  std::vector<Figures> figures;
  std::string why;
};

struct BisectResult {
  enum class Outcome { Agree, Operator, Unexplained };
  Outcome outcome = Outcome::Agree;
  int64_t cases = 0, values = 0;  // that were compared
  size_t failed_case = 0;
  std::string method, look;           // "values" or "prefixes"
  std::string answer;                 // how the call's answer differs; empty: it doesn't
  std::optional<WrongValue> finding;  // of Outcome::Operator
};

struct BisectSides {
  // A fresh module each time.
  std::function<Module()> reference, tested;
  const TraceFile* recorded = nullptr;  // instead of reference
  bool optimized = true;                // tested runs in Mode::Optimized
  int repeat = 1;                       // calls of each prefix
};
// only: this case, else all in their order until one differs. trace (may be null) gets the values
// under test.
BisectResult bisect_cases(const BisectSides& sides, const std::vector<Case>& cases,
                          std::optional<size_t> only, TraceFile* trace);

// The command: 0 when all agree, 1 when not.
int bisect(const Options& o);

}  // namespace sconce::tool
