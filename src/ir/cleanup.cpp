// SPDX-License-Identifier: Apache-2.0
// Dead code, tuples, constants, canonical order: serialized-language.md section 13.
#include "ir/cleanup.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/aliases.h"
#include "ir/alias.h"
#include "ir/torch_alias.h"
#include "support/stack.h"

namespace sconce {

void inline_block_before(Node* n, Block* b) {
  for (Node* m : b->nodes()) m->move_before(n);
}

namespace {
// Whether gradients are computed, whether numbers are cast: PyTorch asks at run time.
bool asks_for_state(const Node* n) {
  static constexpr const char* kNames[] = {"aten::is_grad_enabled", "aten::is_autocast_enabled",
                                           "aten::is_autocast_cpu_enabled",
                                           "aten::get_autocast_dtype"};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [&](const char* name) { return n->kind.view() == name; });
}
}  // namespace

// What PyTorch's operators say of themselves, most of them by a schema without a return: it keeps
// them where their results aren't used.
bool has_side_effects(const Node* n) {
  Symbol k = n->kind;
  if (k == prim::Print || k == prim::RaiseException || k == prim::AddStatValue ||
      k == prim::TimePoint || k == prim::CallFunction || k == prim::CallMethod ||
      k == prim::Enter || k == prim::Exit)
    return true;
  if (is_unknown_operator(n)) return true;
  // What else would the host, or we, have it for?
  if (n->op && (n->op->custom || k.view().substr(0, 8) == "sconce::") &&
      n->op->schema().returns.empty())
    return true;
  std::string_view name = k.unqualified();
  if (k.is_aten())
    return name == "warn" || name == "save" || name == "manual_seed" || name == "wait" ||
           name == "backward" || name == "set_grad_enabled" || name == "grad" ||
           name == "_get_cpu_capability" || asks_for_state(n);
  return k.view().substr(0, 10) == "profiler::" ||
         (k.view().substr(0, 6) == "cuda::" &&
          (name == "synchronize" || name == "set_stream" || name == "_set_device" ||
           name == "_current_device" || name == "_exchange_device" ||
           name == "_maybe_exchange_device"));
}

bool is_nondeterministic(const Node* n) {
  static constexpr const char* kNames[] = {
      "dropout",         "_fused_dropout",   "_standard_gamma",
      "bernoulli",       "multinomial",      "native_dropout",
      "normal",          "poisson",          "binomial",
      "rrelu",           "rrelu_with_noise", "rand",
      "rand_like",       "randint",          "randint_like",
      "randn",           "randn_like",       "randperm",
      "bernoulli_",      "uniform_",         "normal_",
      "exponential_",    "random_",          "cauchy_",
      "geometric_",      "log_normal_",      "empty",
      "empty_like",      "empty_strided",    "new_empty",
      "feature_dropout", "alpha_dropout",    "feature_alpha_dropout"};
  if (!n->kind.is_aten()) return false;
  std::string_view name = n->kind.unqualified();
  for (const char* x : kNames)
    if (name == x) {
      if (name != "dropout" || n->inputs.size() < 3) return true;
      auto train = constant_value(n->inputs[2]);
      return !train || !train->isBool() || train->toBool();
    }
  return false;
}

// ---- dead code ----

namespace {

// What is asked of writes: ours, PyTorch's analysis, none (each write is an effect), or not even
// that.
enum class Writes { Analyzed, AsTorch, Effects, Ignored };

class DeadCode {
 public:
  DeadCode(Graph& g, Writes writes, NodeLog log = nullptr)
      : graph_(g), writes_(writes), log_(std::move(log)) {
    if (writes == Writes::Analyzed) alias_.emplace(g);
    if (writes == Writes::AsTorch) torch_alias_.emplace(g);
  }

  bool run() { return run(graph_.block(), true); }
  bool run(Block* b, bool recurse) {
    fork_inputs(b, recurse);
    mark(b->ret);
    mark_block(b);
    sweep(b, recurse);
    return changed_;
  }

 private:
  void fork_inputs(Block* b, bool recurse) {
    check_stack();
    for (Node* n : b->nodes()) {
      if (recurse)
        for (Block* inner : n->blocks) fork_inputs(inner, true);
      if (n->kind != prim::fork && n->kind != prim::awaitable) continue;
      Graph& sub = *subgraph(n);
      for (size_t i = 0; i < sub.inputs().size();) {
        if (sub.inputs()[i]->has_uses()) {
          ++i;
          continue;
        }
        sub.block()->erase_input(i);
        n->remove_input(i);
      }
    }
  }
  bool effects(Node* n) {
    check_stack();
    auto it = effects_.find(n);
    if (it != effects_.end()) return it->second;
    bool e = alias_ ? has_side_effects(n) : torch_side_effects(n);
    for (Block* b : n->blocks)
      for (Node* m : b->nodes()) e |= effects(m);
    if (alias_)
      e |= alias_->writes_to_wildcard(n);
    else if (torch_alias_)
      e |= torch_alias_->writes_to_wildcard(n);
    else
      e |= n->op && n->op->schema().is_mutable();
    return effects_[n] = e;
  }
  bool mark(Node* n) {
    check_stack();
    if (!marked_.insert(n).second) return false;
    for (Node* up = n; up && up->owner; up = up->owner->owning_node)
      if (up != n) mark(up);
    for (Value* v : n->inputs) live_.insert(v);
    return true;
  }
  bool mark_return(Node* ret) {
    if (marked_.count(ret)) return false;
    Node* outer = ret->owner->owning_node;
    if (!outer) return mark(ret);
    if (outer->kind == prim::Loop) {
      Block* b = outer->blocks[0];
      for (size_t i = 0; i < outer->outputs.size(); ++i)
        if (live_.count(outer->outputs[i]) || b->inputs()[i + 1]->has_uses())
          live_.insert(b->outputs()[i + 1]);
      live_.insert(b->outputs()[0]);
    } else {
      for (size_t i = 0; i < outer->outputs.size() && i < ret->inputs.size(); ++i)
        if (live_.count(outer->outputs[i])) live_.insert(ret->inputs[i]);
    }
    marked_.insert(ret);
    return true;
  }
  bool mark_block(Block* b) {
    check_stack();
    bool any = false;
    if (writes_ != Writes::Ignored)
      for (Node* n : b->nodes())
        if (effects(n)) any |= mark(n);
    any |= mark_return(b->ret);
    for (Node* n = b->last(); n != b->param; n = n->prev) {
      if (n->kind == prim::Loop) {
        while (mark_block(n->blocks[0])) any = true;
      } else {
        for (Block* inner : n->blocks) any |= mark_block(inner);
      }
      any |= mark_if_live(n);
    }
    return any;
  }
  bool mark_if_live(Node* n) {
    for (Value* o : n->outputs)
      if (live_.count(o)) return mark(n);
    if (marked_.count(n)) return false;
    if (alias_) return alias_->writes_to_alias(n, live_) && mark(n);
    return torch_alias_ && torch_alias_->writes_to_alias(n, live_) && mark(n);
  }
  void sweep(Block* b, bool recurse) {
    check_stack();
    for (Node* n = b->last(); n != b->param;) {
      Node* before = n->prev;
      if (n->kind == prim::If) {
        for (size_t i = n->outputs.size(); i-- > 0;)
          if (!n->outputs[i]->has_uses()) {
            n->erase_output(i);
            for (Block* inner : n->blocks) inner->erase_output(i);
          }
      } else if (n->kind == prim::Loop) {
        Block* body = n->blocks[0];
        for (size_t i = n->outputs.size(); i-- > 0;)
          if (!n->outputs[i]->has_uses() && !body->inputs()[i + 1]->has_uses()) {
            n->erase_output(i);
            n->remove_input(i + 2);
            body->erase_input(i + 1);
            body->erase_output(i + 1);
          }
      }
      if (recurse)
        for (Block* inner : n->blocks) sweep(inner, true);
      if (!marked_.count(n) && !n->has_uses()) {
        if (log_) log_(n, nullptr);
        n->destroy();
        changed_ = true;
      }
      n = before;
    }
  }

  Graph& graph_;
  Writes writes_;
  std::optional<AliasDb> alias_;
  std::optional<TorchAliasDb> torch_alias_;
  std::unordered_set<const Node*> marked_;
  std::unordered_set<const Value*> live_;
  std::unordered_map<const Node*, bool> effects_;
  NodeLog log_;
  bool changed_ = false;
};

void lower_tuples(Block* b) {
  check_stack();
  for (Node* n : b->nodes()) {
    if ((n->kind == prim::TupleUnpack || n->kind == prim::TupleIndex) &&
        n->inputs[0]->node->kind == prim::TupleConstruct) {
      auto& parts = n->inputs[0]->node->inputs;
      if (n->kind == prim::TupleUnpack) {
        for (size_t i = 0; i < n->outputs.size(); ++i)
          n->outputs[i]->replace_all_uses_with(parts[i]);
      } else if (auto c = constant_value(n->inputs[1])) {
        int64_t i = c->toInt(), size = static_cast<int64_t>(parts.size());
        if (i < 0) i += size;
        if (i >= 0 && i < size) n->outputs[0]->replace_all_uses_with(parts[static_cast<size_t>(i)]);
      }
    }
    for (Block* inner : n->blocks) lower_tuples(inner);
  }
}

}  // namespace

bool eliminate_dead_code(Graph& g, bool analyze, const NodeLog& log) {
  return DeadCode(g, analyze ? Writes::Analyzed : Writes::Effects, log).run();
}
bool eliminate_dead_code_as_torch(Graph& g) { return DeadCode(g, Writes::AsTorch).run(); }
bool eliminate_dead_code_and_effects(Graph& g) { return DeadCode(g, Writes::Ignored).run(); }
bool eliminate_dead_code_of(Block& b) { return DeadCode(*b.graph, Writes::Effects).run(&b, false); }

namespace {
bool remove_unused(Block* b) {
  check_stack();
  static const std::unordered_set<std::string_view> kinds{
      "prim::Constant",       "prim::GetAttr",       "prim::ListConstruct",
      "prim::TupleConstruct", "prim::DictConstruct", "prim::Uninitialized",
      "prim::unchecked_cast", "prim::isinstance",    "prim::ModuleContainerIndex"};
  bool changed = false;
  for (Node* n = b->last(); n != b->param;) {
    Node* before = n->prev;
    for (Block* inner : n->blocks) changed |= remove_unused(inner);
    if (!n->has_uses() && kinds.count(n->kind.view())) {
      n->destroy();
      changed = true;
    }
    n = before;
  }
  return changed;
}
}  // namespace

bool remove_unused(Graph& g) { return remove_unused(g.block()); }

void lower_simple_tuples(Graph& g) {
  lower_tuples(g.block());
  eliminate_dead_code(g);
}

// ---- constants ----

std::optional<std::vector<IValue>> fold_node(Node* n) {
  std::vector<IValue> in;
  for (Value* v : n->inputs) {
    auto c = constant_value(v);
    if (!c) return std::nullopt;
    in.push_back(*c);
  }
  Symbol k = n->kind;
  if (k == prim::TupleConstruct)
    return std::vector<IValue>{make_ref<TupleBox>(
        std::move(in), n->output()->type->is_named_tuple() ? n->output()->type : nullptr)};
  if (k == prim::ListConstruct)
    return std::vector<IValue>{make_ref<ListBox>(n->output()->type->elems[0], std::move(in))};
  if (k == prim::TupleUnpack)
    return in[0].isTuple() ? std::optional<std::vector<IValue>>(in[0].toTupleRef().items)
                           : std::nullopt;
  if (k == prim::TupleIndex) {
    if (!in[0].isTuple()) return std::nullopt;
    auto& items = in[0].toTupleRef().items;
    int64_t i = in[1].toInt(), size = static_cast<int64_t>(items.size());
    if (i < 0) i += size;
    if (i < 0 || i >= size) return std::nullopt;
    return std::vector<IValue>{items[static_cast<size_t>(i)]};
  }
  if (k == prim::isinstance) {
    for (TypePtr t : n->find(Symbol("types"))->types)
      if (ivalue_matches(in[0], t)) return std::vector<IValue>{true};
    return std::vector<IValue>{false};
  }
  if (k == prim::unchecked_cast)
    return ivalue_matches(in[0], n->output()->type) ? std::optional(in) : std::nullopt;
  if (k == prim::EnumName) return std::vector<IValue>{in[0].toEnumRef().name};
  if (k == prim::EnumValue) return std::vector<IValue>{in[0].toEnumRef().value};
  if (!n->op || !n->op->kernel || n->op->custom || n->op->schema().is_vararg) return std::nullopt;
  try {
    auto out = run_operator(*n->op, std::move(in));
    // Numbers are used without a look at what they are.
    for (size_t i = 0; i < out.size() && i < n->outputs.size(); ++i) {
      const TypeKind k = n->outputs[i]->type->kind;
      if ((k == TypeKind::Int || k == TypeKind::Float || k == TypeKind::Bool) && out[i].box())
        return std::nullopt;
    }
    return out;
  } catch (const Error&) {
    return std::nullopt;
  }
}

namespace {

// All that a tensor tells: "Float(2, 3, strides=[3, 1], requires_grad=0, device=cpu)".
TypePtr type_of_tensor(const Tensor& t) {
  if (!t.defined()) return types::tensor();
  TensorInfo info;
  info.has_dtype = info.has_rank = info.has_requires_grad = info.has_device = true;
  info.dtype = t.dtype();
  info.sizes.assign(t.sizes().begin(), t.sizes().end());
  info.strides.assign(t.strides().begin(), t.strides().end());
  info.requires_grad = t.requires_grad();
  info.device = t.device();
  return TypeTable::global().tensor_with(std::move(info));
}

}  // namespace

TypePtr constant_type(const IValue& v, TypeTable& table) {
  check_stack();
  if (v.isTensor() && v.box()) return type_of_tensor(v.toTensorRef());
  if (!v.isTuple() || v.toTupleRef().type) return ivalue_type(v);
  std::vector<TypePtr> parts;
  for (const IValue& e : v.toTupleRef().items) parts.push_back(constant_type(e, table));
  return table.tuple(std::move(parts));
}
Value* insert_plain_constant(Graph& g, IValue v, TypePtr declared) {
  declared = unwrap_optional(declared);
  // What mentions a class is of the graph's types.
  const bool container = v.isList() || v.isDict() || v.isTuple();
  TypePtr t = container && declared->mentions_class ? declared : constant_type(v, *g.types);
  return g.insert_constant(std::move(v), t);
}

namespace {

// any_container: dicts and lists of anything may become constants too.
bool insertable(const IValue& v, bool any_container) {
  check_stack();
  auto all = [&](const std::vector<IValue>& items) {
    return std::all_of(items.begin(), items.end(),
                       [&](const IValue& e) { return insertable(e, any_container); });
  };
  if (v.isObject() || v.isFuture() || v.isFunction()) return false;
  if (v.isTensor()) return v.box() && !v.toTensorRef().requires_grad();
  if (v.isTuple()) return all(v.toTupleRef().items);
  if (v.isList()) {
    TypeKind k = v.toListRef().elem_type->kind;
    bool plain = k == TypeKind::Int || k == TypeKind::Float || k == TypeKind::Bool ||
                 k == TypeKind::Complex || k == TypeKind::String || k == TypeKind::Tensor ||
                 k == TypeKind::Enum || k == TypeKind::Tuple || k == TypeKind::List ||
                 k == TypeKind::Device;
    return (plain || any_container) && all(v.toListRef().items);
  }
  if (v.isDict())
    return any_container && std::all_of(v.toDictRef().items.begin(), v.toDictRef().items.end(),
                                        [&](auto& e) { return insertable(e.second, true); });
  return true;
}

bool same_constant(const Value* a, const Value* b) {
  if (a->type != b->type) return false;
  const Node *x = a->node, *y = b->node;
  if (x->function || y->function) return x->function == y->function;
  auto p = constant_value(a), q = constant_value(b);
  if (!p || !q || p->tag() != q->tag()) return false;
  if (p->isEnum()) return false;  // PyTorch compares the objects
  // As numbers, which PyTorch has it: a NaN equals nothing, the zeros are one.
  if (p->isDouble()) return p->toDouble() == q->toDouble();
  if (p->isTensor()) {
    if (p->box() == q->box()) return true;
    const Tensor &s = p->toTensorRef(), &t = q->toTensorRef();
    if (!s.defined() || !t.defined() || s.dtype() != t.dtype() || s.sizes() != t.sizes() ||
        s.strides() != t.strides() || s.device() != t.device() ||
        s.device().type == DeviceType::Meta || s.impl()->storage->device())
      return false;
    return s.is_contiguous() && s.requires_grad() == t.requires_grad() &&
           std::memcmp(s.const_raw_data(), t.const_raw_data(),
                       static_cast<size_t>(s.numel()) * element_size(s.dtype())) == 0;
  }
  return ivalue_equal(*p, *q);
}

// The same as far as a run can tell.
bool same_to_run(const Value* a, const Value* b) {
  auto x = constant_value(a), y = constant_value(b);
  if (x && y && x->isDouble() && y->isDouble()) return identical(*x, *y);
  if (!AliasDb::is_mutable_type(a->type)) return same_constant(a, b);
  return a->type == b->type && x && y && x->tag() == y->tag() && x->box() && x->box() == y->box();
}

class ConstantPropagator {
 public:
  ConstantPropagator(Graph& g, bool aliasing, Assumptions* assumptions = nullptr,
                     NodeLog log = nullptr)
      : g_(g), aliasing_(aliasing), assumptions_(assumptions), log_(std::move(log)) {}
  bool run() {
    block(g_.block());
    if (!changed_) return false;
    if (assumptions_)
      remove_unused(g_);
    else if (as_torch())
      eliminate_dead_code_as_torch(g_);
    else
      eliminate_dead_code(g_);
    return changed_;
  }

 private:
  void block(Block* b) {
    for (Node* n : b->nodes()) node(n);
  }
  void node(Node* n) {
    bool constant_inputs = std::all_of(n->inputs.begin(), n->inputs.end(),
                                       [](Value* v) { return constant_value(v).has_value(); });
    if (n->kind == prim::If) {
      if (constant_inputs) {
        Block* live = n->blocks[constant_value(n->inputs[0])->toBool() ? 0 : 1];
        block(live);
        inline_block_before(n, live);
        for (size_t i = 0; i < n->outputs.size(); ++i)
          n->outputs[i]->replace_all_uses_with(live->outputs()[i]);
        if (log_) log_(n, nullptr);
        n->destroy();
        changed_ = true;
      } else {
        for (Block* b : n->blocks) block(b);
        if_outputs(n);
      }
    } else if (n->kind == prim::Loop) {
      auto trip = constant_value(n->inputs[0]), start = constant_value(n->inputs[1]);
      bool may_run = (!start || start->toBool()) && (!trip || trip->toInt() > 0);
      if (!may_run) {
        for (size_t i = 0; i < n->outputs.size(); ++i)
          n->outputs[i]->replace_all_uses_with(n->inputs[i + 2]);
        if (log_) log_(n, nullptr);
        n->destroy();
        changed_ = true;
      } else {
        block(n->blocks[0]);
        loop_outputs(n);
      }
    } else if (constant_inputs && supported(n)) {
      fold(n);
    } else {
      if (log_ && constant_inputs && n->blocks.empty() && n->kind != prim::Constant &&
          !n->inputs.empty())
        log_(n,
             "its kind isn't folded, or what it reads or makes may be written or leaves the graph");
      for (Block* b : n->blocks) block(b);
    }
  }
  // The pass of PyTorch's name, for a graph that isn't made to run.
  bool as_torch() const { return aliasing_ && !assumptions_; }
  bool supported(Node* n) {
    Symbol k = n->kind;
    if (!n->blocks.empty() || k == prim::Constant || k == prim::Uninitialized ||
        k == prim::Closure || k == prim::unchecked_unwrap_optional ||
        k == Symbol("aten::dequantize") || k == prim::CreateObject || k == prim::fork ||
        k == prim::awaitable)
      return false;
    if (as_torch()) {
      if (torch_side_effects(n) || torch_nondeterministic(n)) return false;
      if (!torch_alias_) torch_alias_.emplace(g_);
      return !torch_alias_->has_writers(n);
    }
    // That state never changes here, so only the graphs that are compared with PyTorch's keep the
    // question.
    if ((has_side_effects(n) && !(aliasing_ && asks_for_state(n))) || is_nondeterministic(n))
      return false;
    if (aliasing_) {
      if (!alias_) alias_ = std::make_unique<AliasDb>(g_);
      if (n->op && n->op->schema().is_mutable()) return false;
      for (Value* v : n->inputs)
        if (alias_->has_writers(v)) return false;
      for (Value* v : n->outputs)
        if (alias_->has_writers(v) || (assumptions_ && alias_->may_escape(v))) return false;
      return true;
    }
    auto immutable = [](Value* v) { return !AliasDb::is_mutable_type(v->type); };
    return std::all_of(n->inputs.begin(), n->inputs.end(), immutable) &&
           std::all_of(n->outputs.begin(), n->outputs.end(), immutable);
  }
  static std::optional<std::vector<IValue>> fold_dict(const Node* n) {
    const auto& parts = n->output()->type->elems;
    auto dict = make_ref<DictBox>(parts[0], parts[1]);
    for (size_t i = 0; i + 1 < n->inputs.size(); i += 2) {
      auto key = constant_value(n->inputs[i]), value = constant_value(n->inputs[i + 1]);
      if (!key || !value || !(key->isInt() || key->isDouble() || key->isBool() || key->isString()))
        return std::nullopt;
      dict->set(*key, *value);
    }
    return std::vector<IValue>{dict};
  }
  void fold(Node* n) {
    std::optional<Folding> folding;
    if (assumptions_) folding.emplace(*assumptions_);
    auto r = as_torch() && n->kind == prim::DictConstruct ? fold_dict(n) : fold_node(n);
    if (!r || (folding && !folding->succeeded())) {
      if (log_) log_(n, r ? "what it reads may change" : "it can't be run before the graph runs");
      return;
    }
    if (log_ && n->has_uses()) log_(n, nullptr);
    InsertPoint at(g_, n);
    SourceRange saved = g_.current_range;
    g_.current_range = n->range;
    for (size_t i = 0; i < r->size() && i < n->outputs.size(); ++i) {
      const IValue& v = (*r)[i];
      if (!insertable(v, as_torch())) continue;
      TypePtr t = v.isNone() || v.isEnum() ? n->outputs[i]->type : ivalue_type(v);
      if (v.isTuple() || v.isList()) t = n->outputs[i]->type;
      if (as_torch() && ((v.isTuple() && !v.toTupleRef().type) || n->kind == prim::unchecked_cast))
        t = constant_type(v, *g_.types);
      if (v.isTensor()) t = type_of_tensor(v.toTensorRef());
      n->outputs[i]->replace_all_uses_with(g_.insert_constant(v, t));
      changed_ = true;
    }
    g_.current_range = saved;
    // No dead code to others, or folded: it can't raise.
    if (asks_for_state(n) || (assumptions_ && !n->has_uses())) n->destroy();
  }
  void if_outputs(Node* n) {
    Block *t = n->blocks[0], *f = n->blocks[1];
    auto drop = [&](size_t i, Value* v) {
      n->outputs[i]->replace_all_uses_with(v);
      n->erase_output(i);
      t->erase_output(i);
      f->erase_output(i);
      changed_ = true;
    };
    for (size_t i = 0; i < t->outputs().size();) {
      Value *a = t->outputs()[i], *b = f->outputs()[i];
      if (a == b) {
        drop(i, a);
      } else if (a->node->kind == prim::Constant && b->node->kind == prim::Constant &&
                 constant_value(a) && (assumptions_ ? same_to_run(a, b) : same_constant(a, b))) {
        InsertPoint at(g_, n);
        drop(i, g_.insert_constant(*constant_value(a), a->type));
      } else {
        ++i;
      }
    }
  }
  void loop_outputs(Node* n) {
    Block* b = n->blocks[0];
    for (size_t i = n->outputs.size(); i-- > 0;)
      if (b->inputs()[i + 1] == b->outputs()[i + 1]) {
        Value* in = n->inputs[i + 2];
        n->outputs[i]->replace_all_uses_with(in);
        b->inputs()[i + 1]->replace_all_uses_with(in);
        n->erase_output(i);
        n->remove_input(i + 2);
        b->erase_output(i + 1);
        b->erase_input(i + 1);
        changed_ = true;
      }
  }

  Graph& g_;
  bool aliasing_;
  Assumptions* assumptions_;
  NodeLog log_;
  std::unique_ptr<AliasDb> alias_;
  std::optional<TorchAliasDb> torch_alias_;  // of what isn't made to run
  bool changed_ = false;
};

bool pool(Block* b, Graph& g, bool to_run, const NodeLog& log,
          std::unordered_multimap<size_t, Node*>& seen) {
  check_stack();
  bool changed = false;
  for (Node* n : b->nodes()) {
    if (!n->blocks.empty()) {
      for (Block* inner : n->blocks) changed |= pool(inner, g, to_run, log, seen);
      continue;
    }
    if (n->kind != prim::Constant) continue;
    size_t h = std::hash<const void*>()(n->output()->type);
    if (auto v = constant_value(n->output()); v && (v->isInt() || v->isDouble() || v->isString()))
      h = h * 31 + ivalue_hash(*v);
    Node* existing = nullptr;
    auto range = seen.equal_range(h);
    for (auto it = range.first; it != range.second; ++it)
      if (to_run ? same_to_run(it->second->output(), n->output())
                 : same_constant(it->second->output(), n->output()))
        existing = it->second;
    if (existing) {
      if (log) log(n, nullptr);
      n->replace_all_uses_with(existing);
      n->destroy();
      changed = true;
      continue;
    }
    seen.emplace(h, n);
    Node* first = g.block()->first();
    if (n != first) n->move_before(first);
  }
  return changed;
}

}  // namespace

bool constant_propagation_immutable(Graph& g, const OpTable&) {
  return ConstantPropagator(g, false).run();
}
bool constant_propagation(Graph& g, const OpTable&, Assumptions* assumptions, const NodeLog& log) {
  return ConstantPropagator(g, true, assumptions, log).run();
}

bool constant_pooling(Graph& g, bool to_run, const NodeLog& log) {
  std::unordered_multimap<size_t, Node*> seen;
  return pool(g.block(), g, to_run, log, seen);
}

// ---- order of outputs ----

namespace {

bool use_before(const Use& a, const Use& b) {
  return a.user == b.user ? a.offset < b.offset : is_before(a.user, b.user);
}

std::vector<size_t> order_by_first_use(const std::vector<Value*>& values) {
  std::vector<std::optional<Use>> first(values.size());
  for (size_t i = 0; i < values.size(); ++i)
    for (const Use& u : values[i]->uses)
      if (!first[i] || use_before(u, *first[i])) first[i] = u;
  std::vector<size_t> idx(values.size());
  std::iota(idx.begin(), idx.end(), size_t{0});
  std::sort(idx.begin(), idx.end(), [&](size_t a, size_t b) {
    if (!first[a] && !first[b]) return a < b;
    if (!first[a] || !first[b]) return first[a].has_value();
    return use_before(*first[a], *first[b]);
  });
  return idx;
}

template <class T>
void permute(std::vector<T>& v, size_t from, const std::vector<size_t>& idx) {
  std::vector<T> old(v.begin() + static_cast<ptrdiff_t>(from), v.end());
  for (size_t i = 0; i < idx.size(); ++i) v[from + i] = old[idx[i]];
}
void permute_inputs(Node* n, size_t from, const std::vector<size_t>& idx) {
  std::vector<Value*> in = n->inputs;
  permute(in, from, idx);
  n->remove_all_inputs();
  for (Value* v : in) n->add_input(v);
}
void permute_outputs(Node* n, size_t from, const std::vector<size_t>& idx) {
  permute(n->outputs, from, idx);
  for (size_t i = 0; i < n->outputs.size(); ++i) n->outputs[i]->offset = i;
}

void canonicalize_block(Block* b) {
  check_stack();
  for (Node* n = b->last(); n != b->param; n = n->prev) {
    if (n->kind == prim::If) {
      auto idx = order_by_first_use(n->outputs);
      permute_outputs(n, 0, idx);
      for (Block* inner : n->blocks) permute_inputs(inner->ret, 0, idx);
    } else if (n->kind == prim::Loop) {
      auto idx = order_by_first_use(n->outputs);
      permute_outputs(n, 0, idx);
      permute_inputs(n, 2, idx);
      permute_outputs(n->blocks[0]->param, 1, idx);
      permute_inputs(n->blocks[0]->ret, 1, idx);
    }
    for (Block* inner : n->blocks) canonicalize_block(inner);
  }
}

}  // namespace

void canonicalize_outputs(Graph& g) { canonicalize_block(g.block()); }

// ---- operators ----

const Operator* resolve_operator(const Node* n, const OpTable& ops) {
  for (const Operator& op : ops.find(n->kind.view())) {
    const FunctionSchema& s = op.schema();
    if (s.is_vararg ? n->inputs.size() < s.arguments.size()
                    : n->inputs.size() != s.arguments.size())
      continue;
    TypeEnv env;
    bool fits = true;
    for (size_t i = 0; i < s.arguments.size() && fits; ++i) {
      TypePtr actual = n->inputs[i]->type;
      fits = match_type_variables(s.arguments[i].type, actual, env, *n->graph->types, nullptr);
      if (!fits) break;
      TypePtr concrete = eval_type_variables(s.arguments[i].type, env, *n->graph->types);
      fits = concrete && (actual->is_subtype_of(concrete) ||
                          (concrete->kind == TypeKind::Var && concrete->name == actual->name));
    }
    if (fits) return &op;
  }
  return nullptr;
}

namespace {
void normalize_block(Block* b, const OpTable& ops) {
  check_stack();
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) normalize_block(inner, ops);
    auto rename = [&](const char* to) {
      n->kind = Symbol(to);
      const Operator* old = n->op;
      n->op = nullptr;
      if (old) {
        std::string_view full = old->full_name();
        size_t dot = full.find('.');
        n->op = ops.find_overload(
            std::string(to) + (dot == std::string_view::npos ? "" : std::string(full.substr(dot))));
      }
      if (!n->op || n->op->schema().arguments.size() != n->inputs.size())
        n->op = resolve_operator(n, ops);
    };
    if (n->op && n->op->full_name() == "aten::rsub.Tensor") {
      Value *x = n->inputs[0], *y = n->inputs[1];
      n->replace_input(0, y);
      n->replace_input(1, x);
      rename("aten::sub");
      continue;
    }
    if (n->kind.is_aten()) {
      for (auto& a : kOpAliases)
        if (n->kind.unqualified() == a.from) {
          rename((std::string("aten::") + a.to).c_str());
          break;
        }
      if (n->inputs.size() == 2 && n->inputs[0]->type->kind == TypeKind::Bool &&
          n->inputs[1]->type->kind == TypeKind::Bool) {
        if (n->kind.unqualified() == "__is__") rename("aten::eq");
        if (n->kind.unqualified() == "__isnot__") rename("aten::ne");
      }
    }
  }
}
}  // namespace

void normalize_ops(Graph& g, const OpTable& ops) { normalize_block(g.block(), ops); }

}  // namespace sconce
