// SPDX-License-Identifier: Apache-2.0
#include "api/needed_operators.h"

#include "api/runtime.h"
#include "core/operator_use.h"
#include "ir/cleanup.h"
#include "ops/aliases.h"
#include "passes/passes.h"
#include "sconce/sconce.h"
#include "support/stack.h"

namespace sconce {

namespace {

// What api/ itself calls by name: tensors that are filled, texts of values.
constexpr const char* kOperatorsOfApi[] = {"aten::copy_", "aten::str"};

class Collector {
 public:
  Collector() {
    (void)op_table();  // making it asks for all
    note_operator_use(&use_);
  }
  ~Collector() { note_operator_use(nullptr); }

  void add_module(const std::string& file) {
    for (Mode mode : {Mode::Interpret, Mode::Optimized}) {
      LoadOptions options;
      options.mode = mode;
      Module m = load(file, options);
      ModuleImpl& impl = *m.impl();
      CallScope scope(impl);
      std::lock_guard<std::recursive_mutex> lock(impl.archive.cu->mutex());
      // By index: compiling a function may define others.
      for (size_t i = 0; i < impl.functions().size(); ++i) {
        Function& f = *impl.functions()[i];
        add_graph(f.ensure_graph());
        add_graph(*impl.plan_of(f)->graph);
      }
      for (auto& [name, f] : impl.object->type->methods)
        add_graph(*impl.prepared(name)->plan->graph);
    }
  }

  NeededOperators finish() {
    note_operator_use(nullptr);
    for (const char* name : operators_of_preparing()) add(name);
    for (const char* name : kOperatorsOfApi) add(name);
    for (const std::string& name : use_.run) add(name);
    for (const std::string& name : use_.asked)
      if (!op_table().find(name.substr(0, name.find('.'))).empty()) found_.names.insert(name);
    return std::move(found_);
  }

 private:
  void add_graph(Graph& g) { add_block(g.block()); }
  void add_block(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) add_block(inner);
      if (Graph* sub = subgraph(n)) add_graph(*sub);
      if (n->op && !n->op->custom) add(*n->op);
    }
  }
  void add(std::string_view name) {
    if (const Operator* op = op_table().find_overload(name)) add(*op);
  }
  void add(const Operator& op) {
    if (!found_.names.emplace(op.full_name()).second) return;
    if (op.base) add(*op.base);
    if (std::string_view target = ops::alias_target(op.full_name()); !target.empty()) add(target);
    if (const Graph* g = composite_graph(op)) {
      found_.composites = true;
      add_block(const_cast<Graph*>(g)->block());
    }
  }

  OperatorUse use_;
  NeededOperators found_;
};

}  // namespace

NeededOperators needed_operators(const std::vector<std::string>& files) {
  Collector c;
  for (const std::string& file : files) c.add_module(file);
  return c.finish();
}

}  // namespace sconce
