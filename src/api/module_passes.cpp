// SPDX-License-Identifier: Apache-2.0
// Passes on modules: a copy with classes and code of its own is made, and what its methods are goes
// through the pipeline.
#include "api/module_passes.h"

#include <algorithm>

#include "api/own_module.h"
#include "passes/freeze.h"

namespace sconce {

namespace {

// "freeze", or "freeze(...)": works on all of the module.
bool is_freeze(const std::string& item) {
  return item == "freeze" || item.rfind("freeze(", 0) == 0;
}

// What a method takes and gives is the schema's business.
void check_signature(const Function& f, const std::string& item) {
  if (f.graph->inputs().size() != f.schema.arguments.size() || f.graph->outputs().size() != 1)
    raise<NotApplicable>("pipeline: ", item, " changes what ", f.name, " takes or gives");
}

class ModulePipeline {
 public:
  // frozen: "default" freezes.
  ModulePipeline(OwnModule& m, bool frozen, const PassContext& hooks)
      : own_(m), frozen_(frozen), hooks_(hooks) {}
  void run(const std::string& pipeline) {
    for (auto& item : pipeline_items(pipeline)) {
      if (item == "default")
        run_default();
      else
        run_item(item);
    }
  }

 private:
  void run_item(const std::string& item) {
    if (is_freeze(item))
      freeze_all(item);
    else
      each_method(item);
    for (auto& f : own_.code->functions) f->optimized = f->inlined = nullptr;
  }
  // All methods stay callable. What can't be frozen is inlined.
  void run_default() {
    std::string methods;
    for (auto& [name, f] : own_.root->type->methods)
      if (f->graph) methods += (methods.empty() ? "" : ",") + name;
    for (auto& item : pipeline_items(default_pipeline())) {
      if (item == "freeze")
        run_item(frozen_ ? "freeze(preserved_attrs=[" + methods + "])" : "inline");
      else
        run_item(item);
    }
  }
  PassContext context_of(const Function& f) const {
    PassContext c{&op_table(), nullptr};
    c.portable_only = true;
    c.before_pass = hooks_.before_pass;
    c.after_pass = hooks_.after_pass;
    c.remark = hooks_.remark;
    // Which of several objects of a class below self is isn't known.
    if (f.self == own_.root->type) c.module = own_.root.get();
    return c;
  }
  void each_method(const std::string& item) {
    for (size_t i = 0; i < own_.code->functions.size(); ++i) {
      Function& f = *own_.code->functions[i];
      if (!f.graph) continue;
      PassContext c = context_of(f);
      c.own_module = [](Graph&) -> OwnModule& {
        raise<Error>("pipeline: freeze works on all methods at once and can't stand in a fixpoint");
      };
      run_pipeline(*f.graph, c, item);
      check_signature(f, item);
    }
  }
  // The pass asks for the module, and finds this one.
  void freeze_all(const std::string& item) {
    Function* f = own_.root->type->find_method("forward");
    if (!f && !own_.root->type->methods.empty()) f = own_.root->type->methods[0].second;
    if (!f) return;
    PassContext c = context_of(*f);
    c.own_module = [this](Graph&) -> OwnModule& { return own_; };
    // The graph may go away with its method.
    std::shared_ptr<Graph> g = f->ensure_graph().shared_from_this();
    run_pipeline(*g, c, item);
    for (auto& left : own_.code->functions)
      if (left->graph) verify_graph(*left->graph);
  }

  OwnModule& own_;
  bool frozen_;
  const PassContext& hooks_;
};

}  // namespace

Module optimize_module(ModuleImpl& m, const std::string& pipeline, const PassContext& hooks) {
  CallScope scope(m);
  std::lock_guard<std::recursive_mutex> lock(m.archive.cu->mutex());
  OwnModule own = own_copy(m);
  try {
    ModulePipeline(own, true, hooks).run(pipeline);
  } catch (const NotApplicable&) {
    const auto items = pipeline_items(pipeline);
    if (std::find(items.begin(), items.end(), "default") == items.end()) throw;
    own = own_copy(m);
    ModulePipeline(own, false, hooks).run(pipeline);
  }
  return with_object(m, own.root, own.code);
}

Module Module::optimize(const std::string& pipeline) const {
  return optimize_module(*impl_.operator->(), pipeline);
}

Module Module::freeze(const std::vector<std::string>& preserved, bool numerics) const {
  if (attr("training", false).toBool())  // one that was frozen has no such attribute
    raise<Error>(
        "Freezing is currently only implemented for modules in eval mode. Please call .eval() on "
        "your module before freezing.");
  std::string names;
  for (auto& p : preserved) names += (names.empty() ? "" : ",") + p;
  return optimize(std::string("freeze(preserved_attrs=[") + names +
                  "],optimize_numerics=" + (numerics ? "true)" : "false)"));
}

}  // namespace sconce
