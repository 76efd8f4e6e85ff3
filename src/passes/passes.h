// SPDX-License-Identifier: Apache-2.0
// The pass table: every pass once, by PyTorch's name where PyTorch has it.
#pragma once
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/assumptions.h"
#include "core/op_table.h"
#include "ir/function.h"

namespace sconce {

struct Pass;

struct PassContext {
  const OpTable* ops = nullptr;
  Object* module = nullptr;  // the object that the graph's self stands for; may be null
  // Of a graph that is made to run: what passes take for constant is noted here, and nothing that
  // may leave the graph is made before it runs. Null: a pass runs for its text.
  Assumptions* assumptions = nullptr;
  // Called after every pass of a pipeline; may be empty.
  std::function<void(const Pass&, Graph&, bool changed, double seconds)> after_pass = nullptr;
};

struct Pass {
  const char* name;
  const char* summary;
  bool (*run)(Graph&, PassContext&);
};

const std::vector<Pass>& all_passes();
// "inline,fixpoint(constant_propagation,dce)". Throws Error for an unknown name.
bool run_pipeline(Graph& g, PassContext& c, const std::string& text);

// Values that a prepared graph may write besides those that it makes: its inputs, and attributes
// that stayed attributes. When a program makes one of them the same memory as something that the
// preparation relies on, this call runs unprepared.
struct WriteGuard {
  struct Attribute {
    Ref<Object> object;
    int attribute;  // -1: everything that the object leads to
  };
  bool needed = false;
  std::vector<Attribute> values;
  // inputs: self first.
  bool may_break(const Assumptions& a, const std::vector<IValue>& inputs) const;
};
WriteGuard write_guard(Graph& prepared, PassContext& c);

bool inline_calls(Graph&, PassContext&);
// PyTorch's inlined_graph: callees are cleaned up (peephole, constants) before they are copied in.
bool inline_as_pytorch(Graph&, PassContext&);
bool peephole(Graph&, PassContext&);
bool scalar_rewrite(Graph&, PassContext&);
bool autocast(Graph&, PassContext&);
bool drop_profiling(Graph&, PassContext&);
bool dce(Graph&, PassContext&);
bool constant_propagation_pass(Graph&, PassContext&);
bool constant_pooling_pass(Graph&, PassContext&);
bool freeze_attributes(Graph&, PassContext&);
bool fold_frozen_conv_bn(Graph&, PassContext&);

// The storages of the module's parameters that a frozen graph still reads as attributes, because
// the analysis couldn't prove that nothing writes them.
std::unordered_set<const Storage*> parameters_not_frozen(Graph& frozen, Object& module);

}  // namespace sconce
