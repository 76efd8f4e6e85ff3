// SPDX-License-Identifier: Apache-2.0
// Passes of your own: a function over a graph, and a row that gives it its name in pipelines.
//
//     bool drop_double_neg(sconce::Graph& g, sconce::PassContext& c);   // true: it changed
//     something sconce::register_pass({"drop_double_neg", "neg(neg(x)) is x", drop_double_neg});
//
// A shared library gives its passes by SCONCE_PASSES; `sconce --plugin FILE.so opt ...` runs them.
// docs/write-a-pass.md makes one step by step. Unstable, as sconce/ir.h is: compile again for every
// version of sconce.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sconce/export.h"
#include "sconce/ir.h"

namespace sconce {

class AliasDb;
class Assumptions;
class OpTable;
struct OwnModule;
struct Pass;

// What the pipeline's text says in parentheses after a pass: "freeze(preserved_attrs=[a,b.c])".
class SCONCE_API PassArguments {
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
  std::string line;      // that line, without the blanks around it; may be empty
  std::string module;    // of an inlined node: whose method it was, "layer1.0.bn1"; may be empty
};

struct SCONCE_API PassContext {
  const OpTable* ops = nullptr;
  Object* module = nullptr;  // the object that the graph's self stands for; may be null
  // Of a graph that is made to run: what passes take for constant is noted here, and nothing that
  // may leave the graph is made before it runs. Null: a pass runs for its text.
  Assumptions* assumptions = nullptr;
  // For passes that work on all of a module: makes the one that g belongs to a module of its own,
  // with g the graph of one of its methods. Empty: there is no module.
  std::function<OwnModule&(Graph& g)> own_module = nullptr;
  // Called before every pass of a pipeline; false: the pass isn't run. May be empty.
  std::function<bool(const Pass&, const PassArguments&, Graph&)> before_pass = nullptr;
  // Called after every pass of a pipeline; may be empty.
  std::function<void(const Pass&, Graph&, bool changed, double seconds)> after_pass = nullptr;
  // Hears what passes say of single places (--explain, statistics); may be empty.
  std::function<void(const Remark&)> remark = nullptr;
  bool portable_only = false;    // others are refused
  bool keeps_bits = false;       // those that change bits are left out
  const Pass* pass = nullptr;    // the one that runs
  PassArguments arguments = {};  // its own

  // For passes: n was rewritten / was a candidate and wasn't rewritten. Call before n is destroyed.
  void applied(const Node* n, const char* rewrite) const {
    if (remark) report(n, true, rewrite, "");
  }
  void missed(const Node* n, const char* rewrite, const std::string& reason) const {
    if (remark) report(n, false, rewrite, reason);
  }

  // Inserts a call of the overload of kind ("aten::silu") that takes inputs, with the types of its
  // results, before the node. Throws Error when there is none.
  Node* insert_operator(Node* before, const std::string& kind,
                        const std::vector<Value*>& inputs) const;
  // Removes what nothing needs, as the pass dce does. True when there was something.
  bool remove_dead_code(Graph& g) const;

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
  // What it leaves may round differently, or may be done by kernels that sum in another order: left
  // out of what is prepared for Numerics::Strict.
  bool changes_bits = false;
};

// The table's passes, then those that were registered.
SCONCE_API const std::deque<Pass>& all_passes();
// Makes a pass known to every pipeline of this process. name, summary and parameters must live as
// long as the process. Before pipelines run: it waits for none of them. Throws Error for a name
// that is taken or isn't made of letters, digits and '_'.
SCONCE_API void register_pass(const Pass& pass);
// "inline,fixpoint(constant_propagation,dce)", "freeze(preserved_attrs=[a,b.c])". Throws Error for
// an unknown name.
SCONCE_API bool run_pipeline(Graph& g, PassContext& c, const std::string& text);

// ---- what passes are written with ----

// Which values may be the same memory, and what may write it, in g as it was when this was made.
class SCONCE_API Aliasing {
 public:
  explicit Aliasing(const Graph& g);
  ~Aliasing();
  Aliasing(const Aliasing&) = delete;
  // a, or something in it, may be the same memory as b, or something in it.
  bool may_alias(const Value* a, const Value* b) const;
  // Some node may write memory that v, or something in it, refers to.
  bool has_writers(const Value* v) const;
  // n, or a node in its blocks, may write what v, or something in it, refers to.
  bool writes(const Node* n, const Value* v) const;
  // v is returned, stored in an attribute or handed to a call, or came from there.
  bool may_escape(const Value* v) const;
  // Uses of y may become uses of x, which has the same elements: nothing writes either, and not
  // both are seen from outside.
  bool may_replace(const Value* y, const Value* x) const;

 private:
  std::unique_ptr<AliasDb> db_;
};

// ---- rewrites that are text (docs/rewrite-rules.md) ----

// A place that a pattern fits.
struct SCONCE_API PatternMatch {
  const Graph* pattern = nullptr;
  Node* anchor = nullptr;                           // makes the pattern's first result
  std::unordered_map<const Node*, Node*> nodes;     // of the pattern's nodes
  std::unordered_map<const Value*, Value*> values;  // of the pattern's values
  // What the pattern's %name stands for. Throws Error when it has none.
  Value* value(std::string_view name) const;
};

struct RewriteRule {
  std::string name;                          // in remarks: "mul+sigmoid"
  std::string pattern;                       // graph(%x): ... return (%y)
  std::string replacement;                   // the same inputs and results
  std::vector<std::string> conditions = {};  // "%w is constant", "%x : Tensor"
  // For what text can't say: why the match isn't taken; empty: it is. May be empty.
  std::function<std::string(const PatternMatch&)> refuse = nullptr;
  bool commutative = false;  // operands of add, mul, eq and the like fit in both orders
};
// One sweep for each rule, in their order. Matches that overlap an earlier one of the same rule are
// left. True when something was rewritten. Throws ScriptError for a pattern that is no graph text,
// Error for one that can't be matched.
SCONCE_API bool rewrite_subgraphs(Graph& g, PassContext& c, const std::vector<RewriteRule>& rules);
// Rules from text; name: for messages. Throws ScriptError.
SCONCE_API std::vector<RewriteRule> parse_rewrite_rules(const std::string& text,
                                                        const std::string& name);

// ---- plug-ins ----

// What a plug-in's sconce_passes() returns.
struct PassPlugin {
  uint64_t abi;  // kPassAbi of the headers that it was built with
  const Pass* passes;
  size_t count;
};
// The version, and the sizes of what both sides look into.
constexpr uint64_t kPassAbi = 1'000'000'000 + sizeof(Graph) * 1'000'000 +
                              (sizeof(Node) + sizeof(Value) + sizeof(Block)) * 1000 +
                              sizeof(PassContext) + sizeof(Pass) + sizeof(Remark);

}  // namespace sconce

// At file scope of a plug-in: const sconce::Pass kPasses[] = {...}; SCONCE_PASSES(kPasses)
#define SCONCE_PASSES(rows_)                                                                      \
  extern "C" __attribute__((visibility("default"))) const ::sconce::PassPlugin* sconce_passes() { \
    static const ::sconce::PassPlugin plugin{::sconce::kPassAbi, rows_,                           \
                                             sizeof(rows_) / sizeof(rows_[0])};                   \
    return &plugin;                                                                               \
  }
