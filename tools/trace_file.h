// SPDX-License-Identifier: Apache-2.0
// NAME.trace.pt: the values that the nodes of recorded calls made, of PyTorch (python -m
// sconce.record --trace) or of sconce (verify --bisect --write-trace). A torch.save file of tuples:
//
//   ("sconce.trace", 1, "torch 2.13.0", (call, ...))
//   call = (number of the case, method, kinds, steps)
//   kinds = ("prim::Constant", "aten::add", ...)   of the nodes of the inlined graph, by number
//   steps = ((node, output, value), ...)           in the order in which they were made
//
// Values are tensors, numbers, None and tuples of them (lists too).
#pragma once
#include <string>
#include <vector>

#include "sconce/sconce.h"

namespace sconce::tool {

struct TraceStep {
  int64_t node = 0, output = 0;
  IValue value;
};
struct TracedCall {
  int64_t number = 0;
  std::string method;
  std::vector<std::string> kinds;
  std::vector<TraceStep> steps;
};
struct TraceFile {
  std::string made_by;
  std::vector<TracedCall> calls;
  const TracedCall* find(int64_t number) const;
};

// Throws FormatError for a file of another form.
TraceFile read_trace(const std::string& path);
void write_trace_file(const std::string& path, const TraceFile& t);
// A copy in the CPU's memory that nobody writes; lists become tuples.
IValue kept_value(const IValue& v);

}  // namespace sconce::tool
