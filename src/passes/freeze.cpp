// SPDX-License-Identifier: Apache-2.0
// The frozen module, as torch.jit.freeze makes it (freeze_module.cpp and
// frozen_graph_optimizations.cpp of PyTorch):
//
//   %sub : Sub = prim::GetAttr[name="sub"](%self)
//   %w : Tensor = prim::GetAttr[name="weight"](%sub)     =>   %self.sub.weight : Float(2, 3, ...) =
//                                                                 prim::Constant[value=<Tensor>]()
//
// forward and the preserved methods are inlined, calls through interfaces too. An attribute that
// some of them assigns or writes in place stays one, and so does everything that shares memory with
// it; all others become constants of the graphs. What no graph reads any more goes out of the
// classes, with the methods that were not to be preserved. So it works on a module whose classes
// nothing else has (OwnModule).
//
// A module that is training keeps its parameters and buffers as attributes.
#include "passes/freeze.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "core/device.h"
#include "ir/alias.h"
#include "ir/cleanup.h"
#include "support/stack.h"

namespace sconce {

namespace {

Symbol name_attribute() {
  static const Symbol s("name");
  return s;
}

// Something that may be shared: the storage of a tensor, or the box of a container. Null: a plain
// value.
const void* identity(const IValue& v) {
  if (v.isTensor())
    return v.toTensorRef().defined() ? v.toTensorRef().impl()->storage.get() : v.box();
  if (v.isString() || v.isEnum() || v.isComplexDouble()) return nullptr;
  return v.box();
}
using Identities = std::unordered_set<const void*>;

// The identities of v and of what it holds.
void collect_identities(const IValue& v, Identities& out) {
  check_stack();
  const void* id = identity(v);
  if (!id || !out.insert(id).second) return;
  auto all = [&](const std::vector<IValue>& items) {
    for (auto& x : items) collect_identities(x, out);
  };
  if (v.isList()) all(v.toListRef().items);
  if (v.isTuple()) all(v.toTupleRef().items);
  if (v.isObject()) all(v.toObjectRef().slots());
  if (v.isDict())
    for (auto& kv : v.toDictRef().items) {
      collect_identities(kv.first, out);
      collect_identities(kv.second, out);
    }
}

bool is_mutable(const IValue& v) {
  if (v.isTuple())
    return std::any_of(v.toTupleRef().items.begin(), v.toTupleRef().items.end(), is_mutable);
  return v.isTensor() || v.isList() || v.isDict() || v.isObject() || v.isFuture();
}

bool is_module(const IValue& v) { return v.isObject() && v.toObjectRef().type->is_module; }

// The value without gradients, containers in place.
IValue without_gradients(const IValue& v) {
  check_stack();
  if (v.isTensor()) {
    const Tensor& t = v.toTensorRef();
    if (!t.defined() || !t.requires_grad()) return v;
    Tensor detached = with_storage(t, t.impl()->storage, t.impl()->offset);
    detached.mutable_impl()->requires_grad = false;
    return detached;
  }
  if (v.isTuple()) {
    std::vector<IValue> items = v.toTupleRef().items;
    for (auto& x : items) x = without_gradients(x);
    return IValue(make_ref<TupleBox>(std::move(items), v.toTupleRef().type));
  }
  if (v.isList())
    for (auto& x : v.toListRef().items) x = without_gradients(x);
  // As PyTorch has it: lists in a dict are changed, tensors in it stay, and then it stays as well.
  if (v.isDict())
    for (auto& kv : v.toDictRef().items) without_gradients(kv.second);
  return v;
}

// A graph may have it for a constant.
bool fits_constant(const IValue& v) {
  check_stack();
  auto all = [](const std::vector<IValue>& items) {
    return std::all_of(items.begin(), items.end(), fits_constant);
  };
  switch (v.tag()) {
    case Tag::Tensor: return v.toTensorRef().defined() && !v.toTensorRef().requires_grad();
    case Tag::List: return all(v.toListRef().items);
    case Tag::Tuple: return all(v.toTupleRef().items);
    case Tag::Dict:
      for (auto& kv : v.toDictRef().items)
        if (!fits_constant(kv.first) || !fits_constant(kv.second)) return false;
      return true;
    case Tag::Object: return !v.toObjectRef().type->is_module;
    case Tag::Future:
    case Tag::Function:
    case Tag::Generator: return false;
    default: return true;
  }
}

// f(node) for every node, outer blocks first.
template <class F>
void each_node(Graph& g, const F& f) {
  std::vector<Block*> blocks{g.block()};
  while (!blocks.empty()) {
    Block* b = blocks.back();
    blocks.pop_back();
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) blocks.push_back(inner);
      f(n);
    }
  }
}
// f(graph) for the graph, and then for the subgraphs of its tasks.
template <class F>
void each_graph(Graph& g, const F& f) {
  check_stack();
  f(g);
  each_node(g, [&](Node* n) {
    if (n->kind == prim::fork) each_graph(*subgraph(n), f);
  });
}

// Tasks get subgraphs that no other graph has.
void own_subgraphs(Block* b) {
  check_stack();
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) own_subgraphs(inner);
    for (Attribute& a : n->attributes) {
      if (!a.graph) continue;
      a.graph = a.graph->copy();
      own_subgraphs(a.graph->block());
    }
  }
}

void forget_shapes(Block* b) {
  check_stack();
  auto forget = [](Value* v) {
    if (v->type->kind == TypeKind::Tensor) v->type = types::tensor();
  };
  for (Value* v : b->inputs()) forget(v);
  for (Node* n : b->nodes()) {
    for (Value* v : n->outputs) forget(v);
    for (Block* inner : n->blocks) forget_shapes(inner);
  }
}

bool any_node(Block* b, const std::function<bool(Node*)>& f) {
  check_stack();
  for (Node* n : b->nodes()) {
    if (f(n)) return true;
    for (Block* inner : n->blocks)
      if (any_node(inner, f)) return true;
  }
  return false;
}

// aten::detach is nothing where there are no gradients, unless somebody asks whether two tensors
// are one.
void drop_detach(Graph& g) {
  static const Symbol is("aten::__is__"), isnot("aten::__isnot__"), detach("aten::detach");
  for (Node* n : g.block()->nodes())
    if ((n->kind == is || n->kind == isnot) &&
        std::all_of(n->inputs.begin(), n->inputs.end(),
                    [](Value* v) { return v->type->kind == TypeKind::Tensor; }))
      return;
  bool changed = false;
  any_node(g.block(), [&](Node* n) {
    if (n->kind != detach) return false;
    n->output()->replace_all_uses_with(n->inputs[0]);
    return !(changed = true);
  });
  if (changed) eliminate_dead_code(g);
}

// What PyTorch's executor runs on a graph before it looks at gradients, loops of a known length
// unrolled.
void run_optimizations(Graph& g, PassContext& c) {
  auto run = [&](const char* name) { return run_known_pass(g, c, name); };
  eliminate_dead_code(g);
  run("cse");
  run("peephole");
  constant_propagation(g, *c.ops);
  constant_pooling(g);
  if (run("constant_loop_unrolling")) {
    remove_list_mutation(g, c);
    run("peephole");
    constant_propagation(g, *c.ops);
  }
  run("cse");
}

class Freezer {
 public:
  Freezer(OwnModule& m, const FreezeOptions& o, PassContext& c) : own_(m), module_(m.root), c_(c) {
    if (Function* f = module_->type->find_method("forward")) preserve(f);
    for (auto& name : o.preserved)
      if (!preserve(name)) raise<Error>("Unknown name: ", name);
    for (auto* hooks : {&module_->type->forward_pre_hooks, &module_->type->forward_hooks})
      for (Function* f : *hooks) preserve(f);
  }

  void run() {
    each_method([&](Graph& g) {
      each_graph(g, [&](Graph& part) {
        inline_as_pytorch(part, c_);
        own_subgraphs(part.block());
        drop_profiling(part, c_);
        forget_shapes(part.block());
      });
      inline_interfaces(g);
    });
    for (auto& [object, names] : interfaces_)
      for (auto& name : names) {
        auto& a = attribute(*object, name);
        a.type = object->getattr(name).toObjectRef().type;
      }
    each_method([&](Graph& g) { record_written(g); });
    each_method([&](Graph& g) {
      propagate(g);
      each_graph(g, [&](Graph& part) {
        autocast(part, c_);
        run_optimizations(part, c_);
        drop_detach(part);
        lower_simple_tuples(part);
      });
    });
    clean_up();
  }

 private:
  void preserve(Function* f) {
    if (std::find(methods_.begin(), methods_.end(), f) == methods_.end()) methods_.push_back(f);
  }
  // "sub.method_a": an attribute or a method of a module below.
  bool preserve(const std::string& name) {
    Ref<Object> at = module_;
    std::vector<std::pair<Object*, std::string>> above;
    size_t begin = 0;
    for (size_t dot; (dot = name.find('.', begin)) != std::string::npos; begin = dot + 1) {
      std::string part = name.substr(begin, dot - begin);
      if (at->type->find_attribute(part) < 0) return false;
      IValue v = at->getattr(part);
      if (!is_module(v)) return false;
      above.emplace_back(at.get(), part);
      at = Ref<Object>(&v.toObjectRef());
    }
    const std::string last = name.substr(begin);
    if (at->type->find_attribute(last) >= 0) {
      IValue v = at->getattr(last);
      if (is_module(v)) whole_.insert(v.box());
      keep(*at, last, v);
    } else if (Function* f = at->type->find_method(last)) {
      preserve(f);
      of_[f] = at;
    } else {
      return false;
    }
    for (auto& [object, part] : above) asked_for_[object].insert(part);
    return true;
  }

  template <class F>
  void each_method(const F& f) {
    for (Function* m : methods_) {
      auto below = of_.find(m);
      module_ = below == of_.end() ? own_.root : below->second;
      f(m->ensure_graph());
      module_ = own_.root;
    }
  }

  static ClassType::Attribute& attribute(Object& o, const std::string& name) {
    auto* cls = const_cast<ClassType*>(o.type);  // the module's own
    return cls->attributes[static_cast<size_t>(cls->find_attribute(name))];
  }

  void keep(Object& o, const std::string& name, const IValue& v) {
    if (is_mutable(v))
      kept_.insert({identity(v), v});
    else
      kept_plain_[&o].insert(name);
  }
  bool is_kept(const IValue& v) const {
    const void* id = identity(v);
    return id && kept_.count(id);
  }

  // The names that lead from the graph's self to v; false when something else than attributes
  // does.
  bool path_of(Value* v, Graph& g, std::deque<std::string>& names) const {
    names.clear();
    if (g.inputs().empty()) return false;
    TypePtr self = g.inputs()[0]->type;
    Node* n = v->node;
    while (n->outputs[0]->type != self) {
      if (n->kind != prim::GetAttr) return false;
      names.push_front(n->s(name_attribute()));
      n = n->inputs[0]->node;
    }
    return true;
  }
  // The module that v is, when nothing can put another in its place.
  Object* module_of(Value* v, Graph& g, std::deque<std::string>& names) {
    if (v->type->kind != TypeKind::Interface &&
        (v->type->kind != TypeKind::Class || !static_cast<const ClassType*>(v->type)->is_module))
      return nullptr;
    if (!path_of(v, g, names)) return nullptr;
    Object* at = module_.get();
    for (auto& name : names) {
      if (at->type->find_attribute(name) < 0) return nullptr;
      IValue next = at->getattr(name);
      if (is_kept(next) || !is_module(next)) return nullptr;
      at = &next.toObjectRef();
    }
    return at;
  }
  // The same, for the attribute of that name: it can be taken for constant.
  Object* constant_attribute(Value* v, Graph& g, const std::string& name,
                             std::deque<std::string>& names) {
    Object* o = module_of(v, g, names);
    if (!o || o->type->find_attribute(name) < 0) return nullptr;
    IValue value = o->getattr(name);
    if (!is_mutable(value)) {
      auto it = kept_plain_.find(o);
      return it == kept_plain_.end() || !it->second.count(name) ? o : nullptr;
    }
    if (is_kept(value)) return nullptr;
    if (!value.isObject()) {
      Identities own;
      collect_identities(value, own);
      for (auto& [id, other] : kept_)
        if (!other.isObject() && overlap(other, own)) return nullptr;
    }
    return o;
  }
  bool overlap(const IValue& v, const Identities& own) const {
    Identities theirs;
    collect_identities(v, theirs);
    return std::any_of(theirs.begin(), theirs.end(), [&](const void* x) { return own.count(x); });
  }

  // func for the subgraph of a task, whose first input may be a module below.
  template <class F>
  void with_subgraph(Node* n, Graph& g, const F& func) {
    check_stack();
    Ref<Object> outer = module_;
    if (!n->inputs.empty()) {
      Node* first = n->inputs[0]->node;
      if (first->kind == prim::GetAttr && first->output()->type->kind == TypeKind::Class) {
        std::deque<std::string> names;
        const std::string& name = first->s(name_attribute());
        Object* o = constant_attribute(first->inputs[0], g, name, names);
        if (!o || !is_module(o->getattr(name))) return;
        module_ = Ref<Object>(&o->getattr(name).toObjectRef());
      }
    }
    func(*subgraph(n));
    module_ = outer;
  }

  // Attributes whose declared type is an interface: what stands in them is known, and its methods
  // are inlined.
  void inline_interfaces(Graph& g) {
    check_stack();
    for (bool again = true; again;) {
      again = false;
      each_node(g, [&](Node* n) {
        std::deque<std::string> names;
        if (n->kind == prim::GetAttr && n->output()->type->kind == TypeKind::Interface) {
          const std::string& name = n->s(name_attribute());
          Object* o = constant_attribute(n->inputs[0], g, name, names);
          if (!o) raise<NotApplicable>("failed to freeze interface attribute '", name, "'");
          IValue v = o->getattr(name);
          if (!is_module(v))
            raise<NotApplicable>("failed to freeze interface attribute '", name, "'");
          n->output()->type = v.toObjectRef().type;
          interfaces_[o].insert(name);
          again = true;
        } else if (n->kind == prim::SetAttr) {
          const std::string& name = n->s(name_attribute());
          Object* o = module_of(n->inputs[0], g, names);
          if (o && o->type->find_attribute(name) >= 0 &&
              attribute(*o, name).type->kind == TypeKind::Interface)
            raise<NotApplicable>(
                "Freezing does not support SetAttr on an interface type. SetAttr is "
                "attempted on '",
                name, "'");
        }
      });
      // Their calls are those of known classes now.
      if (again) inline_as_pytorch(g, c_);
    }
    own_subgraphs(g.block());
    each_node(g, [&](Node* n) {
      if (n->kind == prim::fork) with_subgraph(n, g, [&](Graph& sub) { inline_interfaces(sub); });
    });
  }

  // What is assigned or written in place.
  void record_written(Graph& g) {
    AliasDb db(g, true);
    each_node(g, [&](Node* n) {
      if (n->kind == prim::ModuleContainerIndex)
        raise<NotApplicable>(
            "Freezing modules containing prim::ModuleContainerIndex is not supported");
      if (n->kind == prim::fork)
        return with_subgraph(n, g, [&](Graph& sub) { record_written(sub); });
      if (n->kind != prim::SetAttr && n->kind != prim::GetAttr) return;
      std::deque<std::string> names;
      const std::string& name = n->s(name_attribute());
      Object* o = constant_attribute(n->inputs[0], g, name, names);
      if (!o) return;
      IValue v = o->getattr(name);
      if (n->kind == prim::GetAttr) {
        if (v.isObject() || !is_mutable(v)) return;
        used_.insert({identity(v), v});
      }
      if (n->kind == prim::SetAttr || db.has_writers_itself(n->output())) keep(*o, name, v);
    });
    // A list and, of its own, a tensor in it: a write of one would not be seen in the other.
    Identities seen;
    for (auto& [id, v] : used_) {
      Identities own;
      collect_identities(v, own);
      for (const void* x : own)
        if (seen.count(x))
          raise<NotApplicable>("module contains attributes values that overlaps ", ivalue_str(v));
      seen.insert(own.begin(), own.end());
    }
  }

  void propagate(Graph& g) {
    const bool eval = !is_training();
    std::map<std::pair<Object*, std::string>, Value*> made;
    std::vector<Node*> folded;
    InsertPoint at(g, g.block()->first());
    each_node(g, [&](Node* n) {
      if (n->kind == prim::fork) return with_subgraph(n, g, [&](Graph& sub) { propagate(sub); });
      if (n->kind != prim::GetAttr) return;
      std::deque<std::string> names;
      const std::string& name = n->s(name_attribute());
      Object* o = constant_attribute(n->inputs[0], g, name, names);
      if (!o) return;
      Value*& k = made[{o, name}];
      if (!k) {
        const ClassType::Attribute& a = attribute(*o, name);
        IValue v = o->getattr(name);
        if (!eval && (a.is_parameter || a.is_buffer || name == "training" ||
                      (v.isObject() && !is_module(v))))
          return;
        v = without_gradients(v);
        if (!fits_constant(v)) return;
        k = insert_plain_constant(g, v, n->output()->type);
        std::string full = "self.";
        for (auto& part : names) full += part + ".";
        k->set_name(full + name);
      }
      n->output()->replace_all_uses_with(k);
      folded.push_back(n);
    });
    for (Node* n : folded) n->remove_all_inputs();
    for (Node* n : folded)
      if (n != g.insert_point()) n->destroy();
    if (std::find(folded.begin(), folded.end(), g.insert_point()) != folded.end()) {
      Node* first = g.insert_point();
      g.set_insert_point(first->next);
      first->destroy();
    }
  }
  bool is_training() const {
    return module_->type->find_attribute("training") >= 0 &&
           module_->getattr("training").isBool() && module_->getattr("training").toBool();
  }

  // ---- what is left ----

  void clean_up() {
    each_method([&](Graph& g) {
      std::set<Object*> modules{own_.root.get(), module_.get()};
      record_referenced(g, modules);
      for (auto& [o, names] : asked_for_)
        for (auto& name : names) keep(*o, name, o->getattr(name));
      keep_of_class(*own_.root, g);
      remove_waits(g.block());
    });
    remove_unused();
  }

  // Attributes that are still read. Every module of the class may be the one that is meant.
  void record_referenced(Graph& g, std::set<Object*>& modules) {
    check_stack();
    each_node(g, [&](Node* n) {
      if (Graph* sub = subgraph(n)) return record_referenced(*sub, modules);
      if (n->kind != prim::GetAttr && n->kind != prim::SetAttr) return;
      const std::string& name = n->s(name_attribute());
      std::vector<Object*> at(modules.begin(), modules.end());
      for (Object* o : at) {
        if (o->type != n->inputs[0]->type || o->type->find_attribute(name) < 0) continue;
        IValue v = o->getattr(name);
        keep(*o, name, v);
        if (is_module(v)) modules.insert(&v.toObjectRef());
      }
    });
  }

  bool escapes(Object& o, Graph& g) {
    for (Value* v : g.outputs())
      if (TypePtr(o.type)->is_subtype_of(v->type)) return true;
    return whole_.count(&o) != 0;
  }
  // Collects the attributes to keep of each class. Sizes beyond the last: all of them.
  void keep_of_class(Object& o, Graph& g) {
    check_stack();
    const ClassType* cls = o.type;
    if (escapes(o, g)) {
      slots_[cls].all = true;
      return;
    }
    Kept& kept = slots_[cls];
    kept.objects.insert(&o);
    auto plain = kept_plain_.find(&o);
    for (size_t i = 0; i < cls->attributes.size(); ++i) {
      const std::string& name = cls->attributes[i].name;
      IValue v = o.getattr(name);
      const bool wanted =
          is_mutable(v) ? is_kept(v) : plain != kept_plain_.end() && plain->second.count(name) != 0;
      if (!wanted) continue;
      slots_[cls].attributes.insert(i);
      if (is_module(v)) keep_of_class(v.toObjectRef(), g);
    }
  }

  // A wait for what was never a task.
  void remove_waits(Block* b) {
    check_stack();
    static const Symbol wait("aten::wait");
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) remove_waits(inner);
      if (n->kind != wait || n->inputs[0]->type->kind == TypeKind::Future) continue;
      n->output()->replace_all_uses_with(n->inputs[0]);
      n->destroy();
    }
  }

  void remove_unused() {
    std::unordered_set<const Function*> wanted(methods_.begin(), methods_.end());
    for (auto& [type, kept] : slots_) {
      if (kept.all) continue;
      auto* cls = const_cast<ClassType*>(type);
      std::vector<ClassType::Attribute> attributes;
      std::vector<size_t> from;
      for (size_t i = 0; i < cls->attributes.size(); ++i)
        if (kept.attributes.count(i)) {
          attributes.push_back(cls->attributes[i]);
          from.push_back(i);
        }
      for (Object* o : kept.objects) {
        std::vector<IValue> slots = o->slots(), left;
        for (size_t i : from) left.push_back(slots[i]);
        o->set_slots(std::move(left));
      }
      cls->attributes.clear();
      cls->attribute_index.clear();
      for (auto& a : attributes) cls->add_attribute(std::move(a));
      std::erase_if(cls->methods, [&](auto& m) { return !wanted.count(m.second); });
    }
    // Classes that no object of the module has any more, and the code that nothing calls.
    for (ClassType* cls : own_.code->classes) {
      if (!slots_.count(cls) && !reachable(cls)) cls->methods.clear();
      if (cls == own_.root->type) continue;
      cls->forward_hooks.clear();
      cls->forward_pre_hooks.clear();
    }
    std::unordered_set<const Function*> named;
    for (ClassType* cls : own_.code->classes) {
      for (auto& m : cls->methods) named.insert(m.second);
      named.insert(cls->forward_hooks.begin(), cls->forward_hooks.end());
      named.insert(cls->forward_pre_hooks.begin(), cls->forward_pre_hooks.end());
    }
    std::erase_if(own_.code->functions, [&](auto& f) { return !named.count(f.get()); });
  }
  bool reachable(const ClassType* cls) {
    if (reached_.empty()) {
      std::vector<Object*> work{own_.root.get()};
      std::unordered_set<Object*> seen;
      while (!work.empty()) {
        Object* o = work.back();
        work.pop_back();
        if (!seen.insert(o).second) continue;
        reached_.insert(o->type);
        for (auto& v : o->slots())
          if (is_module(v)) work.push_back(&v.toObjectRef());
      }
    }
    return reached_.count(cls) != 0;
  }

  struct Kept {
    bool all = false;
    std::set<size_t> attributes;
    std::set<Object*> objects;
  };
  OwnModule& own_;
  Ref<Object> module_;  // that self stands for; of a task's subgraph, one below
  PassContext& c_;
  std::vector<Function*> methods_;
  std::unordered_map<Function*, Ref<Object>> of_;  // of methods of modules below
  std::unordered_map<const void*, IValue> kept_;   // by identity
  std::unordered_map<Object*, std::unordered_set<std::string>> kept_plain_, asked_for_;
  std::map<Object*, std::set<std::string>> interfaces_;
  std::unordered_map<const void*, IValue> used_;
  std::unordered_set<const void*> whole_;  // modules that are preserved with all that they have
  std::unordered_map<const ClassType*, Kept> slots_;
  std::unordered_set<const ClassType*> reached_;
};

void check_returns_self(OwnModule& m) {
  Function* f = m.root->type->find_method("forward");
  if (!f) return;
  for (Value* v : f->ensure_graph().outputs())
    if (v->type == m.root->type)
      raise<NotApplicable>("attempted to freeze a module that returns itself");
}

// Only forward and methods of the module itself, as PyTorch has it.
void optimize_frozen(OwnModule& m, const FreezeOptions& o, PassContext& c) {
  std::vector<std::string> names{"forward"};
  names.insert(names.end(), o.preserved.begin(), o.preserved.end());
  for (auto& name : names) {
    Function* f = m.root->type->find_method(name);
    if (!f) continue;
    Graph& g = f->ensure_graph();
    run_known_pass(g, c, "remove_dropout");
    for (bool more = o.numerics; more;) {
      more = false;
      for (const char* fold : {"fold_frozen_conv_bn", "fold_frozen_conv_add_or_sub",
                               "fold_frozen_conv_mul_or_div", "fold_frozen_linear_bn"})
        more |= run_known_pass(g, c, fold);
    }
  }
}

}  // namespace

void freeze_module(OwnModule& m, const FreezeOptions& o, PassContext& c) {
  check_returns_self(m);
  Freezer(m, o, c).run();
  optimize_frozen(m, o, c);
}

FreezeOptions freeze_options(const PassArguments& a) {
  return {a.list("preserved_attrs"), a.flag("optimize_numerics", true)};
}

bool freeze(Graph& g, PassContext& c) {
  if (!c.own_module) raise<Error>("freeze: this graph is of no module");
  OwnModule& m = c.own_module(g);
  freeze_module(m, freeze_options(c.arguments), c);
  c.module = m.root.get();
  return true;
}

}  // namespace sconce
