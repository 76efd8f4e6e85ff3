// SPDX-License-Identifier: Apache-2.0
// The list of passes, and pipelines as text.
#include <algorithm>
#include <chrono>

#include "core/budget.h"
#include "ir/source.h"
#include "passes/passes.h"

namespace sconce {

const std::vector<Pass>& all_passes() {
  static const auto* table = new std::vector<Pass>{
      // clang-format off
      {"inline",               "calls of known functions and methods are replaced by their bodies",        inline_as_pytorch},
      // From here on: one function; calls are left for interfaces only.
      {"peephole",             "checks of None, lengths of list literals, casts that change nothing",      peephole, "disable_shape_peepholes"},
      {"scalar_rewrite",       "constant 0-dim operands of add, sub, mul, div become scalars, as PyTorch's executor has it", scalar_rewrite},
      {"autocast",             "inputs are cast inside `with torch.autocast`, as PyTorch's executor has it", autocast},
      {"drop_profiling",       "marks for PyTorch's profiler are removed",                                 drop_profiling},
      // From here on: folding may make constants without changing a dtype.
      {"freeze",               "attributes that nothing assigns become constants",                         freeze_attributes, "preserved_attrs optimize_numerics"},
      {"constant_propagation", "nodes whose inputs are constants are run once",                            constant_propagation_pass},
      {"fold_frozen_conv_bn",  "a batch norm after a convolution with constant weights is folded into it", fold_frozen_conv_bn},
      {"constant_pooling",     "equal constants are kept once",                                            constant_pooling_pass},
      {"dce",                  "nodes without effects whose results are unused are removed",               dce},
      // PyTorch's, of which each looks at a few nodes.
      {"batch_mm",             "sums of matrix products, and many products with one matrix, become one", batch_mm},
      {"canonicalize",         "values are numbered anew",                                             canonicalize, "keep_unique_names"},
      {"canonicalize_graph_fuser_ops", "0-dim constants become scalars, chunks that are unpacked one node", canonicalize_graph_fuser_ops, "", false},
      {"constant_propagation_immutable_types", "constant_propagation of what nothing can write",       constant_propagation_immutable_types},
      {"cse",                  "what is computed twice is computed once",                              cse},
      {"dce_allow_deleting_nodes_with_side_effects", "what the results don't need is removed, effects too", dce_allow_deleting_nodes_with_side_effects},
      {"decompose_ops",        "addmm without factors is a product and a sum",                         decompose_ops},
      {"erase_number_types",   "numbers become tensors, for exporters",                                erase_number_types, "", false},
      {"erase_shape_information", "types of tensors forget sizes, dtypes and devices",                 erase_shape_information},
      {"lower_all_tuples",     "tuples become their elements, the graph's inputs and outputs too",     lower_all_tuples, "", false},
      {"peephole_list_idioms", "elements, slices and lengths of lists that nothing writes",            peephole_list_idioms, "refine_list_len"},
      {"propagate_dtype",      "dtypes of inputs tell dtypes of results",                              propagate_dtype},
      {"refine_integer_values", "integers are constants where a comparison says so",                   refine_integer_values},
      {"refine_tuple_types",   "types of tuples know what their elements' types know",                 refine_tuple_types},
      {"remove_expands",       "implicit expansions are left to the operators",                        remove_expands},
      {"specialize_autogradzero", "gradients that are known to be zero or not",                        specialize_autogradzero, "", false},

      // PyTorch's, of writes, loops and calls.
      {"inline_fork_wait",     "forked tasks run where they are forked",                                   inline_fork_wait},
      {"loop_unrolling",       "loops over small bodies run eight bodies a round; short ones aren't loops", loop_unrolling},
      {"constant_loop_unrolling", "the same of loops whose number of rounds is constant, of any size",     constant_loop_unrolling},
      {"remove_mutation",      "writes that nobody can see become new values",                             remove_mutation},
      {"remove_inplace_ops",   "arithmetic in place becomes arithmetic, though aliases may see it",        remove_inplace_ops},
      {"inplace_to_functional_activation", "activations in place that nobody can see make new tensors",    inplace_to_functional_activation},
      {"functional_to_inplace_activation", "activations write their inputs where nobody can see it",       functional_to_inplace_activation},
      {"run_decompositions",   "operators become those that PyTorch decomposes them into",                 run_decompositions},
      {"fuse_linear",          "products with a transposed matrix become linear layers",                   fuse_linear},
      {"fuse_addmm",           "a product of matrices and a sum become addmm",                             fuse_addmm},
      {"fuse_add_relu",        "a sum and its rectification become _add_relu",                             fuse_add_relu},

      // PyTorch's, of frozen modules.

      // Without a counterpart in PyTorch.

      // clang-format on
  };
  return *table;
}

bool PassArguments::flag(std::string_view name, bool fallback) const {
  std::string s = text(name, fallback ? "true" : "false");
  if (s != "true" && s != "false")
    raise<Error>("pipeline: ", name, " is true or false, not '", s, "'");
  return s == "true";
}
std::vector<std::string> PassArguments::list(std::string_view name) const {
  auto it = values_.find(std::string(name));
  return it == values_.end() ? std::vector<std::string>{} : it->second;
}
std::string PassArguments::text(std::string_view name, const std::string& fallback) const {
  auto it = values_.find(std::string(name));
  if (it == values_.end()) return fallback;
  if (it->second.size() != 1) raise<Error>("pipeline: ", name, " is one value");
  return it->second[0];
}

void PassContext::report(const Node* n, bool applied, const char* rewrite,
                         const std::string& reason) const {
  Remark r{pass, applied, rewrite, reason, n->kind.str(), ""};
  if (n->range.source) r.position = n->range.source->position(n->range.start);
  remark(r);
}

namespace {

class Pipeline {
 public:
  Pipeline(Graph& g, PassContext& c, const std::string& text) : g_(g), c_(c), t_(text) {}
  bool run() {
    bool changed = list();
    if (at_ != t_.size()) raise<Error>("pipeline: unexpected '", t_.substr(at_), "'");
    return changed;
  }

 private:
  bool list() {
    bool changed = false;
    for (;;) {
      changed |= item();
      if (at_ >= t_.size() || t_[at_] != ',') return changed;
      ++at_;
    }
  }
  bool item() {
    size_t b = at_;
    while (at_ < t_.size() && (std::isalnum(static_cast<unsigned char>(t_[at_])) || t_[at_] == '_'))
      ++at_;
    std::string name = t_.substr(b, at_ - b);
    if (name == "fixpoint" && at_ < t_.size() && t_[at_] == '(') {
      size_t start = ++at_;
      bool changed = false;
      for (int i = 0; i < 16; ++i) {
        at_ = start;
        if (!list()) break;
        changed = true;
      }
      if (at_ >= t_.size() || t_[at_] != ')') raise<Error>("pipeline: ')' is missing");
      ++at_;
      return changed;
    }
    for (const Pass& p : all_passes())
      if (name == p.name) {
        if (Budget* b = context().budget) b->pass();
        c_.pass = &p;
        c_.arguments = arguments(p);
        auto start = std::chrono::steady_clock::now();
        bool changed = p.run(g_, c_);
        std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        verify_graph(g_);
        if (c_.after_pass) c_.after_pass(p, g_, changed, taken.count());
        return changed;
      }
    raise<Error>("pipeline: no pass is called '", name, "'");
  }
  // "(name=value,name=[a,b],value)", or nothing.
  PassArguments arguments(const Pass& p) {
    PassArguments r;
    if (at_ >= t_.size() || t_[at_] != '(') return r;
    do {
      ++at_;
      std::string name = word();
      std::vector<std::string> values;
      if (at_ < t_.size() && t_[at_] == '=') {
        ++at_;
        values = value();
      } else {
        values = {name};
        name = std::string(p.parameters).substr(0, std::string(p.parameters).find(' '));
      }
      if (name.empty() ||
          (" " + std::string(p.parameters) + " ").find(" " + name + " ") == std::string::npos)
        raise<Error>("pipeline: ", p.name, " has no argument '", name, "'");
      r.set(name, std::move(values));
    } while (at_ < t_.size() && t_[at_] == ',');
    if (at_ >= t_.size() || t_[at_] != ')') raise<Error>("pipeline: ')' is missing");
    ++at_;
    return r;
  }
  std::vector<std::string> value() {
    if (at_ >= t_.size() || t_[at_] != '[') return {word()};
    std::vector<std::string> values;
    ++at_;
    while (at_ < t_.size() && t_[at_] != ']') {
      values.push_back(word());
      if (at_ < t_.size() && t_[at_] == ',') ++at_;
    }
    if (at_ >= t_.size()) raise<Error>("pipeline: ']' is missing");
    ++at_;
    return values;
  }
  std::string word() {
    size_t b = at_;
    at_ = std::min(t_.find_first_of(",()[]=", at_), t_.size());
    return t_.substr(b, at_ - b);
  }
  Graph& g_;
  PassContext& c_;
  const std::string& t_;
  size_t at_ = 0;
};

}  // namespace

bool run_pipeline(Graph& g, PassContext& c, const std::string& text) {
  verify_graph(g);
  return Pipeline(g, c, text).run();
}

}  // namespace sconce
