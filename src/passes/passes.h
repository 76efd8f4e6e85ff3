// SPDX-License-Identifier: Apache-2.0
// The passes of the table in pipeline.cpp. What a pass is and what it is given: sconce/pass.h.
#pragma once
#include <unordered_set>
#include <vector>

#include "core/assumptions.h"
#include "core/op_table.h"
#include "ir/function.h"
#include "sconce/pass.h"

namespace sconce {

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
// The rules of the file that the argument names.
bool rewrite_by_file(Graph&, PassContext&);
bool constant_propagation_pass(Graph&, PassContext&);
bool constant_pooling_pass(Graph&, PassContext&);
bool freeze_attributes(Graph&, PassContext&);
bool fold_frozen_conv_bn(Graph&, PassContext&);

// Without a counterpart in PyTorch.
bool shape_propagation(Graph&, PassContext&);
bool loop_invariant_code_motion(Graph&, PassContext&);
bool list_dict_simplification(Graph&, PassContext&);
bool dead_arguments(Graph&, PassContext&);
bool remove_dropout(Graph&, PassContext&);
bool remove_detach(Graph&, PassContext&);
bool device_remap(Graph&, PassContext&);
bool convert_dtype(Graph&, PassContext&);
bool cancel_transposes(Graph&, PassContext&);
bool merge_linears(Graph&, PassContext&);

// The storages of the module's parameters that a frozen graph still reads as attributes, because
// the analysis couldn't prove that nothing writes them.
std::unordered_set<const Storage*> parameters_not_frozen(Graph& frozen, Object& module);

}  // namespace sconce
