// SPDX-License-Identifier: Apache-2.0
// The pass table: every pass once, by PyTorch's name where PyTorch has it.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/assumptions.h"
#include "core/op_table.h"
#include "ir/function.h"

namespace sconce {

struct Pass;
struct OwnModule;

// What the pipeline's text says in parentheses after a pass: "freeze(preserved_attrs=[a,b.c])".
class PassArguments {
 public:
  void set(const std::string& name, std::vector<std::string> values) {
    values_[name] = std::move(values);
  }
  bool has(std::string_view name) const { return values_.count(std::string(name)) != 0; }
  // "true" or "false"; fallback when it isn't given. Throws Error for another word.
  bool flag(std::string_view name, bool fallback) const;
  // Empty when it isn't given.
  std::vector<std::string> list(std::string_view name) const;
  std::string text(std::string_view name, const std::string& fallback) const;
  const std::map<std::string, std::vector<std::string>>& all() const { return values_; }

 private:
  std::map<std::string, std::vector<std::string>> values_;
};

// What a pass says of one place: that it rewrote it, or why it didn't.
struct Remark {
  const Pass* pass = nullptr;
  bool applied = false;
  std::string rewrite;   // which of the pass's rewrites: "conv+bn"
  std::string reason;    // of a rewrite that didn't happen: "the weight isn't constant"
  std::string node;      // the node's kind
  std::string position;  // "model.py:12:8" of the model's Python where that is known; may be empty
};

struct PassContext {
  const OpTable* ops = nullptr;
  Object* module = nullptr;  // the object that the graph's self stands for; may be null
  // Of a graph that is made to run: what passes take for constant is noted here, and nothing that
  // may leave the graph is made before it runs. Null: a pass runs for its text.
  Assumptions* assumptions = nullptr;
  // For passes that work on all of a module: makes the one that g belongs to a module of its own,
  // with g the graph of one of its methods. Empty: there is no module.
  std::function<OwnModule&(Graph& g)> own_module = nullptr;
  // Called after every pass of a pipeline; may be empty.
  std::function<void(const Pass&, Graph&, bool changed, double seconds)> after_pass = nullptr;
  // Hears what passes say of single places (--explain, statistics); may be empty.
  std::function<void(const Remark&)> remark = nullptr;
  bool portable_only = false;    // others are refused
  const Pass* pass = nullptr;    // the one that runs
  PassArguments arguments = {};  // its own

  // For passes: n was rewritten / was a candidate and wasn't rewritten. Call before n is destroyed.
  void applied(const Node* n, const char* rewrite) const {
    if (remark) report(n, true, rewrite, "");
  }
  void missed(const Node* n, const char* rewrite, const std::string& reason) const {
    if (remark) report(n, false, rewrite, reason);
  }

 private:
  void report(const Node* n, bool applied, const char* rewrite, const std::string& reason) const;
};

struct Pass {
  const char* name;
  const char* summary;
  bool (*run)(Graph&, PassContext&);
  // Names of the arguments that it takes, separated by spaces; the first may stand without its
  // name.
  const char* parameters = "";
  // What it leaves is TorchScript that PyTorch runs too; else it is never written to an archive.
  bool portable = true;
};

const std::vector<Pass>& all_passes();
// "inline,fixpoint(constant_propagation,dce)", "freeze(preserved_attrs=[a,b.c])". Throws Error for
// an unknown name.
bool run_pipeline(Graph& g, PassContext& c, const std::string& text);
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
// For passes that are made of others: the one of that name without arguments, inside of c's own.
// False where there is none.
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
bool scalar_rewrite(Graph&, PassContext&);
bool autocast(Graph&, PassContext&);
bool drop_profiling(Graph&, PassContext&);
bool dce(Graph&, PassContext&);
bool constant_propagation_pass(Graph&, PassContext&);
bool constant_pooling_pass(Graph&, PassContext&);
bool freeze_attributes(Graph&, PassContext&);
bool freeze(Graph&, PassContext&);
bool fold_frozen_conv_bn(Graph&, PassContext&);
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

// The storages of the module's parameters that a frozen graph still reads as attributes, because
// the analysis couldn't prove that nothing writes them.
std::unordered_set<const Storage*> parameters_not_frozen(Graph& frozen, Object& module);

}  // namespace sconce
