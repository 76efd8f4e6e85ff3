// SPDX-License-Identifier: Apache-2.0
// The list of passes, and pipelines as text.
#include <algorithm>
#include <chrono>
#include <mutex>
#include <utility>

#include "core/budget.h"
#include "ir/source.h"
#include "passes/passes.h"

namespace sconce {

namespace {
constexpr bool kChangesBits = true;  // of a row: Pass::changes_bits
std::deque<Pass>& table() {
  static std::deque<Pass> table{
  // clang-format off
#ifndef SCONCE_NO_PASSES  // else only those that prepare a method for its run (api/runtime.cpp)
      {"inline",               "calls of known functions and methods are replaced by their bodies",        inline_as_pytorch},
      // From here on: one function; calls are left for interfaces only.
      {"peephole",             "checks of None, lengths of list literals, casts that change nothing",      peephole, "disable_shape_peepholes", true, kChangesBits},  // x + 0 of -0
#endif
      {"scalar_rewrite",       "constant 0-dim operands of add, sub, mul, div become scalars, as PyTorch's executor has it", scalar_rewrite},
      {"autocast",             "inputs are cast inside `with torch.autocast`, as PyTorch's executor has it", autocast},
      {"drop_profiling",       "marks for PyTorch's profiler are removed",                                 drop_profiling},
      // From here on: folding may make constants without changing a dtype.
      {"freeze_attributes",    "attributes that nothing assigns become constants",                         freeze_attributes},
      {"constant_propagation", "nodes whose inputs are constants are run once",                            constant_propagation_pass},
      {"constant_pooling",     "equal constants are kept once",                                            constant_pooling_pass},
      {"dce",                  "nodes without effects whose results are unused are removed",               dce},
#ifndef SCONCE_NO_PASSES
      // PyTorch's, of which each looks at a few nodes.
      {"batch_mm",             "sums of matrix products, and many products with one matrix, become one", batch_mm, "", true, kChangesBits},
      {"canonicalize",         "values are numbered anew",                                             canonicalize, "keep_unique_names"},
      {"canonicalize_graph_fuser_ops", "0-dim constants become scalars, chunks that are unpacked one node", canonicalize_graph_fuser_ops, "", false, kChangesBits},
      {"constant_propagation_immutable_types", "constant_propagation of what nothing can write",       constant_propagation_immutable_types},
      {"cse",                  "what is computed twice is computed once",                              cse},
      {"dce_allow_deleting_nodes_with_side_effects", "what the results don't need is removed, effects too", dce_allow_deleting_nodes_with_side_effects},
      {"decompose_ops",        "addmm without factors is a product and a sum",                         decompose_ops, "", true, kChangesBits},
      {"erase_number_types",   "numbers become tensors, for exporters",                                erase_number_types, "", false, kChangesBits},
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
      {"run_decompositions",   "operators become those that PyTorch decomposes them into",                 run_decompositions, "", true, kChangesBits},
      {"fuse_linear",          "products with a transposed matrix become linear layers",                   fuse_linear, "", true, kChangesBits},
      {"fuse_addmm",           "a product of matrices and a sum become addmm",                             fuse_addmm, "", true, kChangesBits},
      {"fuse_add_relu",        "a sum and its rectification become _add_relu",                             fuse_add_relu},

      // PyTorch's, of frozen modules.
      {"freeze",               "the module's code is inlined, its attributes become constants, the rest is removed", freeze, "preserved_attrs optimize_numerics", true, kChangesBits},
#endif
      {"fold_frozen_conv_bn",  "a batch norm after a convolution with constant weights is folded into it", fold_frozen_conv_bn, "", true, kChangesBits},
      {"fold_transposed_conv_bn", "a batch norm after a transposed convolution with constant weights is folded into it", fold_transposed_conv_bn, "", true, kChangesBits},
#ifndef SCONCE_NO_PASSES
      {"fold_frozen_conv_add_or_sub", "a constant added to a convolution with constant weights goes into its bias", fold_frozen_conv_add_or_sub, "", true, kChangesBits},
      {"fold_frozen_conv_mul_or_div", "a constant factor of a convolution with constant weights goes into them", fold_frozen_conv_mul_or_div, "", true, kChangesBits},
      {"fold_frozen_linear_bn", "a batch norm after a linear layer with constant weights is folded into it", fold_frozen_linear_bn, "", true, kChangesBits},

      // Without a counterpart in PyTorch.
      {"rewrite",              "rules that a file gives (docs/rewrite-rules.md)",                          rewrite_by_file, "rules", true, kChangesBits},
      {"shape_propagation",    "tensors get the types that follow from the inputs'; unknown sizes are symbols", shape_propagation, "inputs"},
      {"loop_invariant_code_motion", "what a loop computes anew though nothing of it changes is computed before it", loop_invariant_code_motion},
      {"list_dict_simplification", "reads of lists, dicts and tuples that are built in sight and not written", list_dict_simplification},
      {"dead_arguments",       "values that blocks and subgraphs hand on though nobody needs them",        dead_arguments},
      {"remove_dropout",       "dropout that drops nothing",                                               remove_dropout},
      {"remove_detach",        "detach that nobody can see",                                               remove_detach, "no_grad"},
      {"device_remap",         "devices baked into a graph follow a device",                               device_remap, "device"},
      {"convert_dtype",        "a frozen graph runs in bfloat16 or half, some operators kept in float",    convert_dtype, "to keep outputs", true, kChangesBits},
      {"cancel_transposes",    "permutations of dims that undo each other go, others become one",          cancel_transposes, "", true, kChangesBits},
      {"merge_linears",        "products of one input with several constant weights become one",           merge_linears, "", true, kChangesBits},
#endif

      // clang-format on
  };
  return table;
}
}  // namespace

const std::deque<Pass>& all_passes() { return table(); }

void register_pass(const Pass& pass) {
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  const std::string_view name = pass.name;
  if (name.empty() || name == "fixpoint" || name == "default" ||
      !std::all_of(name.begin(), name.end(),
                   [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }))
    raise<Error>("a pass can't be called '", name, "'");
  for (const Pass& p : table())
    if (name == p.name) raise<Error>("there is a pass called '", name, "' already");
  table().push_back(pass);
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
  Remark r{pass, applied, rewrite, reason, n->kind.str(), "", "", n->module_path.str()};
  if (n->range.source) {
    r.position = n->range.source->position(n->range.start);
    r.line = n->range.source->line(n->range.start);
  }
  remark(r);
}

const std::string& default_pipeline() {
  static const std::string text(
      "freeze,fold_transposed_conv_bn,fixpoint(peephole,constant_propagation,dce),constant_pooling,"
      "dce");
  return text;
}

const std::vector<const char*>& operators_of_preparing() {
  static const std::vector<const char*> names{
      // fold_frozen_conv_bn, fold_transposed_conv_bn
      "aten::rsqrt",      "aten::neg",         "aten::reshape",
      "aten::add.Scalar", "aten::add.Tensor",  "aten::sub.Tensor",
      "aten::mul.Tensor", "aten::mul_.Tensor", "aten::expand"};
  return names;
}

namespace {

// Runs one pass with its arguments, inside of c's own.
bool run_one(const Pass& p, Graph& g, PassContext& c, PassArguments arguments) {
  if (Budget* b = context().budget) b->pass();
  const Pass* outer = std::exchange(c.pass, &p);
  PassArguments saved = std::exchange(c.arguments, std::move(arguments));
  const bool changed = p.run(g, c);
  c.pass = outer;
  c.arguments = std::move(saved);
  return changed;
}

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
      constexpr int kDeepest = 16;
      if (++depth_ > kDeepest) raise<Error>("pipeline: fixpoint is nested too deep");
      for (int i = 0; i < 16; ++i) {
        at_ = start;
        if (!list()) break;
        changed = true;
      }
      if (at_ >= t_.size() || t_[at_] != ')') raise<Error>("pipeline: ')' is missing");
      ++at_;
      --depth_;
      return changed;
    }
    if (name == "default") return Pipeline(g_, c_, default_pipeline()).run();
    for (const Pass& p : all_passes())
      if (name == p.name) {
        if (c_.portable_only && !p.portable)
          raise<Error>("pipeline: what ", name, " leaves is not TorchScript");
        PassArguments given = arguments(p);
        if (c_.keeps_bits && p.changes_bits) return false;
        if (c_.before_pass && !c_.before_pass(p, given, g_)) return false;
        auto start = std::chrono::steady_clock::now();
        bool changed = run_one(p, g_, c_, std::move(given));
        std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        verify_graph(g_);
        if (c_.after_pass) c_.after_pass(p, g_, changed, taken.count());
        return changed;
      }
#ifdef SCONCE_NO_PASSES
    raise<Error>("pipeline: no pass is called '", name,
                 "' in this build of sconce (SCONCE_PASSES=OFF)");
#else
    raise<Error>("pipeline: no pass is called '", name, "'");
#endif
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
  int depth_ = 0;  // of fixpoints
};

}  // namespace

bool run_pipeline(Graph& g, PassContext& c, const std::string& text) {
  verify_graph(g);
  return Pipeline(g, c, text).run();
}

std::vector<std::string> pipeline_items(const std::string& text) {
  std::vector<std::string> items;
  std::string item;
  int depth = 0;
  auto end = [&] {
    if (!item.empty()) items.push_back(item);
    item.clear();
  };
  for (char ch : text) {
    depth += (ch == '(' || ch == '[') - (ch == ')' || ch == ']');
    if (ch == ',' && depth == 0)
      end();
    else
      item += ch;
  }
  end();
  return items;
}

bool run_known_pass(Graph& g, PassContext& c, const char* name) {
  for (const Pass& p : all_passes())
    if (std::string_view(name) == p.name) return run_one(p, g, c, {});
  raise<Error>("no pass is called '", name, "'");
}

}  // namespace sconce
