// SPDX-License-Identifier: Apache-2.0
#include "api/own_module.h"

#include <unordered_set>

#include "api/clone_copy.h"
#include "ir/remap_types.h"
#include "support/stack.h"

namespace sconce {

namespace {

class Copier {
 public:
  explicit Copier(ModuleImpl& m)
      : m_(m), cu_(*m.archive.cu), remap_(cu_.types()), code_(std::make_shared<OwnCode>()) {
    code_->archive = m.archive.cu;
  }

  OwnModule run(Graph* g, const std::string& method) {
    declare(*m_.object);
    for (auto& [from, to] : classes_) declare_attributes(*from, *to);
    CloneCopy copy(
        [this](const Object& o) -> std::pair<const ClassType*, std::shared_ptr<const void>> {
          auto known = own_.find(o.type);
          if (known == own_.end()) return {o.type, o.owner};
          return {known->second, code_};
        });
    values_ = &copy;
    OwnModule r;
    r.code = code_;
    const IValue root = copy.copy(IValue(m_.object));
    r.root = Ref<Object>(&root.toObjectRef());
    for (auto& [from, to] : classes_) {
      for (auto& [name, f] : from->methods) {
        Graph* given = from == m_.object->type && name == method ? g : nullptr;
        to->methods.emplace_back(name, function(*f, *to, given));
      }
      for (Function* f : from->forward_pre_hooks)
        to->forward_pre_hooks.push_back(function(*f, *to, nullptr));
      for (Function* f : from->forward_hooks)
        to->forward_hooks.push_back(function(*f, *to, nullptr));
    }
    return r;
  }

 private:
  // Classes of modules in the order in which PyTorch copies them: as objects are first met.
  void declare(Object& o) {
    check_stack();
    if (!seen_.insert(&o).second) return;
    if (!own_.count(o.type)) {
      ClassType* fresh = cu_.create_class(cu_.mangle(o.type->name), true);
      own_[o.type] = fresh;
      remap_.add(o.type, fresh);
      classes_.emplace_back(o.type, fresh);
      code_->classes.push_back(fresh);
    }
    for (const IValue& v : o.slots())
      if (v.isObject() && v.toObjectRef().type->is_module) declare(v.toObjectRef());
  }
  void declare_attributes(const ClassType& from, ClassType& to) {
    for (ClassType::Attribute a : from.attributes) {
      a.type = remap_(a.type);
      to.add_attribute(std::move(a));
    }
    to.constants = from.constants;
  }
  Function* function(Function& f, ClassType& cls, Graph* given) {
    auto& known = functions_[&f];
    if (known) return known;
    code_->functions.push_back(std::make_unique<Function>());
    Function* own = known = code_->functions.back().get();
    own->name = f.name;
    own->qualified_name = cls.name + "." + f.name;
    own->self = &cls;
    try {
      own->graph = given ? given->shared_from_this() : f.ensure_graph().copy();
    } catch (const LimitError&) {
      throw;
    } catch (const Error&) {
      own->compile = [why = std::current_exception()](Function&) { std::rethrow_exception(why); };
    }
    if (own->graph) {
      remap_.apply(*own->graph);
      copy_constants(own->graph->block());
    }
    own->schema = remap_(f.schema);
    own->schema_ready = f.schema_ready;
    return own;
  }
  // What is written in one module is not written in the other.
  void copy_constants(Block* b) {
    check_stack();
    static const Symbol value("value");
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) copy_constants(inner);
      for (Attribute& a : n->attributes) {
        if (a.graph) copy_constants(a.graph->block());
        if (a.kind == Attribute::Kind::Value && a.name == value) a.value = values_->copy(a.value);
      }
    }
  }

  ModuleImpl& m_;
  script::CompilationUnit& cu_;
  TypeRemap remap_;
  std::shared_ptr<OwnCode> code_;
  CloneCopy* values_ = nullptr;
  std::unordered_set<const Object*> seen_;
  std::unordered_map<const ClassType*, ClassType*> own_;
  std::vector<std::pair<const ClassType*, ClassType*>> classes_;
  std::unordered_map<const Function*, Function*> functions_;
};

}  // namespace

OwnModule own_copy(ModuleImpl& m, Graph* g, const std::string& method) {
  return Copier(m).run(g, method);
}

void offer_own_module(PassContext& c, ModuleImpl& m, const std::string& method) {
  c.own_module = [&m, method, own = std::make_shared<OwnModule>()](Graph& g) -> OwnModule& {
    if (!own->root) *own = own_copy(m, &g, method);
    return *own;
  };
}

}  // namespace sconce
