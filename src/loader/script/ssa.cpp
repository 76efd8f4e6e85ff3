// SPDX-License-Identifier: Apache-2.0
// SSA conversion: loads and stores on control flow, loop conditions, closures
// (serialized-language.md section 11).
#include "loader/script/ssa.h"

#include <limits>
#include <map>
#include <set>

#include "loader/script/emitter.h"
#include "loader/script/exits.h"
#include "support/stack.h"

namespace sconce::script {

namespace {

const Symbol& name_attr() {
  static const Symbol s("name");
  return s;
}

template <class T>
struct Frame {
  std::map<std::string, T> vars;
  std::shared_ptr<Frame> next;
  T* find(const std::string& n) {
    for (Frame* f = this; f; f = f->next.get())
      if (auto it = f->vars.find(n); it != f->vars.end()) return &it->second;
    return nullptr;
  }
};

// Adds loads and stores around If and Loop for every variable that they change.
class ControlFlow {
 public:
  explicit ControlFlow(Graph& g) : g_(g) {}
  std::shared_ptr<Frame<TypePtr>> block(Block* b) {
    check_stack();
    auto f = std::make_shared<Frame<TypePtr>>();
    f->next = env_;
    env_ = f;
    for (Node* n : b->nodes()) {
      if (n->kind == prim::If)
        branch(n);
      else if (n->kind == prim::Loop)
        loop(n);
      else if (n->kind == prim::Closure || n->kind == prim::ComprehensionScope)
        for (Block* inner : n->blocks) block(inner);
      else if (n->kind == prim::Store)
        env_->vars[n->s(name_attr())] = n->inputs[0]->type;
    }
    env_ = f->next;
    return f;
  }

 private:
  void block_output(Block* b, TypePtr t, const std::string& name) {
    Node* load = g_.create_load(name, t)->insert_before(b->ret);
    b->register_output(load->output());
  }
  void node_output(Node* n, TypePtr t, const std::string& name) {
    Value* out = n->add_output(t);
    if (meaningful_name(name)) out->set_name(name);
    g_.create_store(name, out)->insert_after(n);
    // Later nodes of this block see it.
    env_->vars[name] = t;
  }
  void branch(Node* n) {
    auto t = block(n->blocks[0]), f = block(n->blocks[1]);
    std::set<std::string> mutated;
    for (auto& kv : t->vars)
      if (f->find(kv.first)) mutated.insert(kv.first);
    for (auto& kv : f->vars)
      if (t->find(kv.first)) mutated.insert(kv.first);
    for (auto& x : mutated) {
      TypePtr a = *t->find(x), b = *f->find(x);
      TypePtr u = unify_types(a, b, *g_.types, true);
      block_output(n->blocks[0], a, x);
      block_output(n->blocks[1], b, x);
      node_output(n, u, x);
    }
  }
  void loop(Node* n) {
    Block* body = n->blocks[0];
    auto vars = block(body);
    for (auto& kv : vars->vars) {
      TypePtr* outer = env_->find(kv.first);
      if (!outer) continue;
      TypePtr parent = *outer, inner = kv.second;
      TypePtr u = unify_types(parent, inner, *g_.types);
      if (!u) u = g_.types->union_of({parent, inner});
      n->add_input(g_.create_load(kv.first, parent)->insert_before(n)->output());
      Value* in = body->add_input(meaningful_name(kv.first) ? kv.first : "");
      in->type = u;
      g_.create_store(kv.first, in)->insert_after(body->param);
      block_output(body, inner, kv.first);
      node_output(n, u, kv.first);
    }
  }
  Graph& g_;
  std::shared_ptr<Frame<TypePtr>> env_;
};

// break and continue become LoopContinuation(condition, carried...).
class Continuations {
 public:
  explicit Continuations(Graph& g) : g_(g) {}
  void run(Block* b) {
    Node* c = g_.create_constant(false);
    c->insert_before(b->first());
    false_ = c->output();
    block(b);
  }

 private:
  void carried(Node* n) {
    for (Value* out : loop_->blocks[0]->outputs()) {
      Node* load = g_.create_clone(out->node, [](Value* v) { return v; });
      load->insert_before(n);
      n->add_input(load->output());
    }
  }
  void block(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      if (n->kind == prim::If || n->kind == prim::ComprehensionScope) {
        for (Block* inner : n->blocks) block(inner);
      } else if (n->kind == prim::Closure) {
        Continuations(g_).run(n->blocks[0]);
      } else if (n->kind == prim::Loop) {
        Node* saved = loop_;
        loop_ = n;
        block(n->blocks[0]);
        loop_ = saved;
      } else if (n->kind == prim::ContinueStmt) {
        Node* c = g_.create(prim::LoopContinuation, 0)->insert_after(n);
        Block* header = c->add_block();
        header->clone_from(loop_->blocks[1], [](Value* v) { return v; });
        inline_block_before(n, header);
        c->add_input(header->outputs()[0]);
        c->erase_block(0);
        carried(c);
        n->destroy();
      } else if (n->kind == prim::BreakStmt) {
        Node* c = g_.create(prim::LoopContinuation, 0)->insert_after(n);
        c->add_input(false_);
        carried(c);
        n->destroy();
      }
    }
  }
  Graph& g_;
  Value* false_ = nullptr;
  Node* loop_ = nullptr;
};

void inline_conditions(Graph& g, Block* b) {
  check_stack();
  for (Node* n : b->nodes()) {
    for (size_t i = 0; i < n->blocks.size(); ++i) inline_conditions(g, n->blocks[i]);
    if (n->kind != prim::Loop) continue;
    Block *body = n->blocks[0], *header = n->blocks[1];
    Block* copy = n->add_block();
    copy->clone_from(header, [](Value* v) { return v; });
    inline_block_before(n, copy);
    n->insert_input(1, copy->outputs()[0]);
    n->erase_block(2);
    inline_block_before(body->ret, header);
    body->insert_output(0, header->outputs()[0]);
    n->erase_block(1);
  }
}

class EraseLoadStores {
 public:
  void block(Block* b) {
    check_stack();
    auto f = std::make_shared<Frame<Value*>>();
    f->next = env_;
    env_ = f;
    for (Node* n : b->nodes()) {
      if (n->kind == prim::Store) {
        env_->vars[n->s(name_attr())] = n->inputs[0];
        n->destroy();
      } else if (n->kind == prim::Load) {
        Value** v = env_->find(n->s(name_attr()));
        if (!v) raise<ScriptError>("variable ", n->s(name_attr()), " is not set on every path");
        n->output()->replace_all_uses_with(*v);
        n->destroy();
      } else if (n->kind == prim::ComprehensionScope) {
        Block* body = n->blocks[0];
        block(body);
        inline_block_before(n, body);
        n->destroy();
      } else {
        for (Block* inner : n->blocks) block(inner);
      }
    }
    env_ = f->next;
  }

 private:
  std::shared_ptr<Frame<Value*>> env_;
};

// forkClosure(Closure) becomes fork with the captured values as inputs.
void lift_forks(Graph& g, Block* b, const OpTable& ops, int64_t& warnings) {
  check_stack();
  for (Node* n : b->nodes()) {
    if (n->kind == prim::forkClosure || n->kind == prim::awaitableClosure) {
      Node* closure = n->inputs[0]->node;
      auto sub = std::make_shared<Graph>();
      sub->types = g.types;
      sub->owner = g.owner;
      sub->op_version = g.op_version;
      Node* fork =
          g.create(n->kind == prim::forkClosure ? prim::fork : prim::awaitable, 1)->insert_after(n);
      fork->range = n->range;
      std::unordered_map<Value*, Value*> captured;
      sub->block()->clone_from(closure->blocks[0], [&](Value* v) -> Value* {
        Value*& in = captured[v];
        if (!in) {
          fork->add_input(v);
          in = sub->add_input();
          in->type = v->type;
          if (!v->name.empty()) in->set_name(v->name);
        }
        return in;
      });
      fork->output()->type = n->output()->type;
      if (!n->output()->name.empty()) fork->output()->set_name(n->output()->name);
      n->output()->replace_all_uses_with(fork->output());
      fork->set(Symbol("Subgraph"), Attribute::Kind::Graph).graph = sub;
      n->destroy();
      if (!closure->has_uses()) closure->destroy();
      clean_up(*sub, ops, warnings);
      // PyTorch cleans it twice: as a closure and as a task. Each pooling turns constants round.
      constant_pooling(*sub);
    } else {
      for (Block* inner : n->blocks) lift_forks(g, inner, ops, warnings);
    }
  }
}

void erase_list_literals(Graph& g, Block* b) {
  check_stack();
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) erase_list_literals(g, inner);
    if (n->kind != prim::EmptyListLiteral) continue;
    if (n->has_uses()) {
      Node* l = g.create_list(types::tensor(), {})->insert_before(n);
      l->range = n->range;
      n->replace_all_uses_with(l);
    }
    n->destroy();
  }
}

// PyTorch counts through the process, here each archive counts for itself.
void number_warnings(Block* b, int64_t& next) {
  check_stack();
  static const Symbol warn("aten::warn"), id("warn_id");
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) number_warnings(inner, next);
    if (n->kind == warn) n->set_i(id, next++);
  }
}

void canonicalize_loop(Graph& g, Node* n) {
  Block* body = n->blocks[0];
  auto in_cond = constant_value(n->inputs[1]), next_cond = constant_value(body->outputs()[0]);
  bool constant_true = in_cond && in_cond->toBool() && next_cond && next_cond->toBool();
  auto trip = constant_value(n->inputs[0]);
  bool unbounded = trip && trip->toInt() == std::numeric_limits<int64_t>::max();
  if (constant_true || unbounded) return;  // a for or a while loop
  InsertPoint at(g, n);
  SourceRange saved = g.current_range;
  g.current_range = n->range;
  Value *zero = g.insert_constant(int64_t{0}), *one = g.insert_constant(int64_t{1});
  Value* max = n->inputs[0];
  auto op = [&](const char* kind, Value* a, Value* b, TypePtr t) {
    Node* x = g.insert_node(g.create(Symbol(kind), {a, b}, 1));
    x->output()->type = t;
    return x->output();
  };
  Value* cond = op("aten::gt", max, zero, types::boolean());
  n->replace_input(0, g.insert_constant(std::numeric_limits<int64_t>::max()));
  if (!in_cond || !in_cond->toBool())
    cond = op("aten::__and__", cond, n->inputs[1], types::boolean());
  n->replace_input(1, cond);
  n->add_output(types::integer());
  {
    InsertPoint inner(g, body);
    n->add_input(zero);
    Value* iter = body->add_input();
    iter->type = types::integer();
    body->inputs()[0]->set_name("");
    body->inputs()[0]->replace_all_uses_with(iter);
    Value* next = op("aten::add", iter, one, types::integer());
    body->register_output(next);
    Value* less = op("aten::lt", next, max, types::boolean());
    Value* go = op("aten::__and__", less, body->outputs()[0], types::boolean());
    body->ret->replace_input(0, go);
  }
  g.current_range = saved;
}

void canonicalize_loops(Graph& g, Block* b) {
  check_stack();
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) canonicalize_loops(g, inner);
    if (n->kind == prim::Loop) canonicalize_loop(g, n);
  }
}

void resolve_missing(Block* b, const OpTable& ops) {
  check_stack();
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) resolve_missing(inner, ops);
    if (!n->op && n->kind.is_aten()) n->op = resolve_operator(n, ops);
  }
}

}  // namespace

void convert_to_ssa(Graph& g) {
  ControlFlow(g).block(g.block());
  Continuations(g).run(g.block());
  inline_conditions(g, g.block());
  EraseLoadStores().block(g.block());
  transform_exits(g);
}

void canonicalize_modified_loops(Graph& g) { canonicalize_loops(g, g.block()); }

void clean_up(Graph& g, const OpTable& ops, int64_t& warnings) {
  resolve_missing(g.block(), ops);
  lift_forks(g, g.block(), ops, warnings);
  erase_list_literals(g, g.block());
  lower_simple_tuples(g);
  constant_propagation_immutable(g, ops);
  constant_pooling(g);
  canonicalize_outputs(g);
  number_warnings(g.block(), warnings);
}

}  // namespace sconce::script
