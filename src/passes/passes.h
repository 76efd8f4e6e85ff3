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

// A pass doesn't take this module or graph: nothing is wrong with either.
class NotApplicable : public Error {
 public:
  using Error::Error;
};
// The items of a pipeline's outer list.
std::vector<std::string> pipeline_items(const std::string& text);
// What "default" stands for: passes that change no answer beyond rounding, and are worth it for
// every model. Freezing comes first: all else finds constants then.
const std::string& default_pipeline();
// The operators that passes which prepare a method for its run (api/runtime.cpp) run, whichever the
// graph has. What they put into graphs (autocast) is seen there.
const std::vector<const char*>& operators_of_preparing();
// For passes that are made of others: the one of that name without arguments, inside of c's own.
bool run_known_pass(Graph& g, PassContext& c, const char* name);

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
bool peephole_without_shapes(Graph&, PassContext&);
bool scalar_rewrite(Graph&, PassContext&);
bool autocast(Graph&, PassContext&);
bool drop_profiling(Graph&, PassContext&);
bool dce(Graph&, PassContext&);
// The rules of the file that the argument names.
bool rewrite_by_file(Graph&, PassContext&);
bool constant_propagation_pass(Graph&, PassContext&);
bool constant_pooling_pass(Graph&, PassContext&);
bool freeze_attributes(Graph&, PassContext&);
bool freeze(Graph&, PassContext&);
bool fold_frozen_conv_bn(Graph&, PassContext&);
bool fold_transposed_conv_bn(Graph&, PassContext&);
bool fold_frozen_conv_add_or_sub(Graph&, PassContext&);
bool fold_frozen_conv_mul_or_div(Graph&, PassContext&);
bool fold_frozen_linear_bn(Graph&, PassContext&);
bool inline_fork_wait(Graph&, PassContext&);
bool loop_unrolling(Graph&, PassContext&);
bool constant_loop_unrolling(Graph&, PassContext&);
bool remove_mutation(Graph&, PassContext&);
bool remove_list_mutation(Graph&, PassContext&);  // the first half of it
bool remove_inplace_ops(Graph&, PassContext&);
bool inplace_to_functional_activation(Graph&, PassContext&);
bool functional_to_inplace_activation(Graph&, PassContext&);
bool run_decompositions(Graph&, PassContext&);
bool fuse_linear(Graph&, PassContext&);
bool fuse_addmm(Graph&, PassContext&);
bool fuse_add_relu(Graph&, PassContext&);

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
// PyTorch's, of which each looks at a few nodes.
bool batch_mm(Graph&, PassContext&);
bool canonicalize(Graph&, PassContext&);
bool canonicalize_graph_fuser_ops(Graph&, PassContext&);
bool constant_propagation_immutable_types(Graph&, PassContext&);
bool cse(Graph&, PassContext&);
bool dce_allow_deleting_nodes_with_side_effects(Graph&, PassContext&);
bool decompose_ops(Graph&, PassContext&);
bool erase_number_types(Graph&, PassContext&);
bool erase_shape_information(Graph&, PassContext&);
bool lower_all_tuples(Graph&, PassContext&);
bool peephole_list_idioms(Graph&, PassContext&);
bool propagate_dtype(Graph&, PassContext&);
bool refine_integer_values(Graph&, PassContext&);
bool refine_tuple_types(Graph&, PassContext&);
bool remove_expands(Graph&, PassContext&);
bool specialize_autogradzero(Graph&, PassContext&);

// The storages of the module's parameters that a frozen graph still reads as attributes, because
// the analysis couldn't prove that nothing writes them.
std::unordered_set<const Storage*> parameters_not_frozen(Graph& frozen, Object& module);

}  // namespace sconce
