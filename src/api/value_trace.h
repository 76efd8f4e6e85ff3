// SPDX-License-Identifier: Apache-2.0
// Looks at the values that the nodes of a method make while it runs, and cuts a method off after
// one of them. Both are edits of the graph (graph_edit.h): what runs is prepared as every method
// is.
//
// A value is named by its function, by the number of its node in the inlined graph (PyTorch's
// inlined_graph: `sconce graph --inlined`) in the order of the text, blocks included, and by which
// output it is. A loop makes it again in each turn.
#pragma once
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/graph_edit.h"

namespace sconce {

struct TracePoint {
  std::string function;  // its qualified name
  int64_t node = 0, output = 0;
  std::string kind, text, module_path;  // text: the node's line, without its comment
  std::vector<std::string> input_names;
  // Numbers of the nodes whose values it takes, of those that are no constants: (node, output).
  std::vector<std::pair<int64_t, int64_t>> takes;
  SourceRange range;
  bool nested = false;  // it stands in a block of another node
  bool random = false;  // its value may be another one each time
};

// Every node that makes tensors, numbers or lists of them tells its inputs before it runs and its
// outputs after. A graph that is traced has effects, so the interpreter runs it, also in
// Mode::Optimized: no shape plan, and nothing is fused or folded over a value that is looked at.
class ValueTrace final : public GraphEdit {
 public:
  // inputs: of the node, described in words ("float32 [2, 3]", "3"); value: as it is at this
  // moment.
  using Sink = std::function<void(const TracePoint& point, const std::vector<std::string>& inputs,
                                  const IValue& value)>;
  void edit(Graph& g, const Function& f) override;
  // Where values go until the next call of this; null: nowhere.
  void send_to(Sink sink) { sink_ = std::move(sink); }

 private:
  friend struct TraceKernels;
  void instrument(Block* b, const std::unordered_map<const Node*, size_t>& numbers,
                  const std::vector<std::string>& lines, const Function& f, bool nested);
  Sink sink_;
  std::deque<TracePoint> points_;
  std::vector<std::string> inputs_;  // of the node that runs
};

// The method returns the value of one of its nodes, of those in no inner block, and what comes
// after that node is gone. Prepared without a trace: folded, planned and lowered as far as the part
// allows it.
class PrefixEdit final : public GraphEdit {
 public:
  PrefixEdit(std::string function, int64_t node, int64_t output)
      : function_(std::move(function)), node_(node), output_(output) {}
  void edit(Graph& g, const Function& f) override;

 private:
  std::string function_;
  int64_t node_, output_;
};

}  // namespace sconce
