// SPDX-License-Identifier: Apache-2.0
// Early returns, breaks and continues as data flow: an exit becomes a flag and values that travel
// to its target block; statements after a possible exit go into an If on the flag. Same shape as
// PyTorch's exit transformation.
#include "loader/script/exits.h"
#include "support/stack.h"

namespace sconce::script {

namespace {

enum class Status { Will, Might, Wont, Throws };

struct ExitPair {
  Value* flag;
  std::vector<Value*> values;
};

class ExitTransformer {
 public:
  explicit ExitTransformer(Graph& g) : g_(g) {
    InsertPoint at(g_, g_.block()->first());
    SourceRange saved = g_.current_range;
    g_.current_range = {};
    true_ = g_.insert_constant(true);
    false_ = g_.insert_constant(false);
    g_.current_range = saved;
    throws_ = unit(types::boolean());
  }
  void run(Symbol kind) {
    kind_ = kind;
    block(g_.block());
  }

 private:
  Status status(const ExitPair& p) const {
    return p.flag == true_     ? Status::Will
           : p.flag == false_  ? Status::Wont
           : p.flag == throws_ ? Status::Throws
                               : Status::Might;
  }
  ExitPair wont() { return {false_, {}}; }

  Value* unit(TypePtr t) {
    Value*& v = units_[t];
    if (!v) v = g_.create_uninitialized(t)->insert_after(g_.block()->param)->output();
    return v;
  }
  std::vector<Value*> units_like(const std::vector<Value*>& vs) {
    std::vector<Value*> r;
    for (Value* v : vs) r.push_back(unit(v->type));
    return r;
  }
  void add_if_outputs(Node* n, const std::vector<Value*>& t, const std::vector<Value*>& f) {
    for (Value* v : t) n->blocks[0]->register_output(v);
    for (Value* v : f) n->blocks[1]->register_output(v);
    for (size_t i = 0; i < t.size(); ++i)
      n->add_output(unify_types(t[i]->type, f[i]->type, *g_.types, true));
  }
  static std::vector<Value*> tail(const std::vector<Value*>& v, size_t n) {
    return std::vector<Value*>(v.end() - static_cast<ptrdiff_t>(n), v.end());
  }

  ExitPair loop(Node* n) {
    Block* body = n->blocks[0];
    ExitPair p = block(body);
    if (status(p) == Status::Wont || status(p) == Status::Throws) return wont();
    {
      InsertPoint at(g_, body);
      Node* i = g_.insert_node(g_.create(prim::If, 0));
      i->add_input(p.flag);
      i->add_block()->register_output(false_);
      i->add_block()->register_output(body->outputs()[0]);
      Value* cond = i->add_output(types::boolean());
      body->ret->replace_input(0, cond);
    }
    n->add_input(false_);
    body->add_input()->type = types::boolean();
    body->register_output(p.flag);
    Value* flag = n->add_output(types::boolean());
    for (Value* v : p.values) {
      n->add_input(unit(v->type));
      n->add_output(v->type);
      body->add_input()->type = v->type;
      body->register_output(v);
    }
    return {flag, tail(n->outputs, p.values.size())};
  }

  static Status join(Status a, Status b) {
    if (a == Status::Throws) return b;
    if (b == Status::Throws) return a;
    if (a == b && (a == Status::Wont || a == Status::Will)) return a;
    return Status::Might;
  }

  ExitPair branch(Node* n) {
    ExitPair t = block(n->blocks[0]), f = block(n->blocks[1]);
    Status ts = status(t), fs = status(f), s = join(ts, fs);
    if (s == Status::Throws) return {throws_, {}};
    if (s == Status::Wont) return wont();
    if (ts == Status::Wont || ts == Status::Throws)
      t.values = units_like(f.values);
    else if (fs == Status::Wont || fs == Status::Throws)
      f.values = units_like(t.values);
    Value* flag;
    if (s == Status::Will) {
      flag = true_;
    } else {
      add_if_outputs(n, {t.flag}, {f.flag});
      flag = n->outputs.back();
    }
    add_if_outputs(n, t.values, f.values);
    return {flag, tail(n->outputs, t.values.size())};
  }

  // The rest of the block, from `from` on, runs only when the flag is not set.
  ExitPair guard(Block* b, const ExitPair& p, Node* from) {
    Node* i = g_.create(prim::If, 0)->insert_before(from);
    i->range = {};
    i->add_input(p.flag);
    Block *exit = i->add_block(), *rest = i->add_block();
    for (Node* n = from; n != b->ret;) {
      Node* next = n->next;
      n->move_before(rest->ret);
      n = next;
    }
    auto units = units_like(b->outputs());
    std::vector<Value*> outs = b->outputs();
    for (size_t k = 0; k < outs.size(); ++k) {
      exit->register_output(units[k]);
      rest->register_output(outs[k]);
      i->add_output(outs[k]->type);
    }
    b->ret->remove_all_inputs();
    for (Value* v : i->outputs) b->register_output(v);
    Node* e = g_.create(kind_, p.values, 0)->insert_before(exit->ret);
    e->range = {};
    return branch(i);
  }

  void destroy_after_exit(Node* n) {
    for (Value* v : n->outputs)
      if (v->has_uses()) v->replace_all_uses_with(unit(v->type));
    n->destroy();
  }
  void delete_rest(Block* b, Node* from) {
    if (from == b->ret) return;
    for (Node* n = b->last();;) {
      Node* before = n->prev;
      bool done = n == from;
      destroy_after_exit(n);
      if (done) break;
      n = before;
    }
  }

  ExitPair block(Block* b) {
    check_stack();
    Block* saved = target_;
    Node* owner = b->owning_node;
    if (owner && owner->kind == prim::Loop && kind_ == prim::LoopContinuation)
      target_ = b;
    else if ((!owner || owner->kind == prim::Closure) && kind_ == prim::ReturnStmt)
      target_ = b;
    ExitPair p = wont();
    for (Node* n = b->first(); n != b->ret;) {
      Node* next = n->next;
      if (n->kind == prim::RaiseException) {
        p = {throws_, {}};
      } else if (n->kind == kind_) {
        p = {true_, n->inputs};
        n->destroy();
      } else if (n->kind == prim::If) {
        p = branch(n);
      } else if (n->kind == prim::With) {
        p = block(n->blocks[0]);
      } else if (n->kind == prim::Closure) {
        block(n->blocks[0]);
      } else if (n->kind == prim::Loop) {
        p = loop(n);
      }
      Status s = status(p);
      if (s == Status::Will || s == Status::Throws) {
        delete_rest(b, next);
        break;
      }
      if (s == Status::Might) {
        if (next != b->ret) p = guard(b, p, next);
        break;
      }
      n = next;
    }
    if (target_ == b) {
      if (status(p) == Status::Might) {
        Node* i = g_.create(prim::If, 0)->insert_before(b->ret);
        i->add_block();
        i->add_block();
        i->add_input(p.flag);
        add_if_outputs(i, p.values, b->outputs());
        b->ret->remove_all_inputs();
        for (Value* v : i->outputs) b->register_output(v);
      } else if (status(p) == Status::Will) {
        b->ret->remove_all_inputs();
        for (Value* v : p.values) b->register_output(v);
      }
      p = wont();
    }
    target_ = saved;
    return p;
  }

  Graph& g_;
  Symbol kind_;
  Value *true_, *false_, *throws_;
  Block* target_ = nullptr;
  std::unordered_map<TypePtr, Value*> units_;
};

// An If directly after an If whose flag it tests: one If.
bool merge_ifs(Node* first) {
  if (first->kind != prim::If || first->next->kind != prim::If) return false;
  Node* second = first->next;
  if (second->inputs[0]->node != first) return false;
  size_t at = second->inputs[0]->offset;
  auto t = constant_value(first->blocks[0]->outputs()[at]),
       f = constant_value(first->blocks[1]->outputs()[at]);
  if (!t || !f || t->toBool() == f->toBool()) return false;
  for (size_t i = 0; i < 2; ++i) {
    Block* into = first->blocks[i];
    Block* from = second->blocks[(i == 0 ? *t : *f).toBool() ? 0 : 1];
    into->clone_from(from,
                     [&](Value* v) { return v->node == first ? into->outputs()[v->offset] : v; });
  }
  for (Value* o : second->outputs) {
    Value* n = first->add_output(o->type);
    if (!o->name.empty()) {
      std::string name = o->name;
      n->set_name(name);
    }
    o->replace_all_uses_with(n);
  }
  second->destroy();
  return true;
}
void merge_ifs(Block* b) {
  check_stack();
  for (Node* n = b->first(); n != b->ret;) {
    for (Block* inner : n->blocks) merge_ifs(inner);
    if (!merge_ifs(n)) n = n->next;
  }
}

void collect(Block* b, std::vector<Node*>& stack, std::vector<std::pair<Node*, Node*>>& pairs) {
  check_stack();
  for (Node* n : b->nodes()) {
    if (n->kind == prim::Enter) {
      stack.push_back(n);
    } else if (n->kind == prim::Exit && !stack.empty()) {
      pairs.emplace_back(stack.back(), n);
      stack.pop_back();
    }
    for (Block* inner : n->blocks) collect(inner, stack, pairs);
  }
}
void with_blocks(Graph& g) {
  std::vector<Node*> stack;
  std::vector<std::pair<Node*, Node*>> pairs;
  collect(g.block(), stack, pairs);
  for (auto& [enter, exit] : pairs) {
    Node* with = g.create(prim::With, 0);
    Block *body = with->add_block(), *tail = with->add_block();
    for (Node* n = enter->next; n != exit;) {
      Node* next = n->next;
      n->move_before(body->ret);
      n = next;
    }
    exit->move_before(tail->ret);
    with->insert_after(enter);
  }
}
void collect_with(Block* b, std::vector<Node*>& out) {
  check_stack();
  for (Node* n : b->nodes()) {
    if (n->kind == prim::With) out.push_back(n);
    for (Block* inner : n->blocks) collect_with(inner, out);
  }
}
void without_blocks(Graph& g) {
  std::vector<Node*> withs;
  collect_with(g.block(), withs);
  for (Node* w : withs) {
    for (Block* b : w->blocks)
      for (Node* n : b->nodes()) n->move_before(w);
    w->destroy();
  }
}

}  // namespace

void transform_exits(Graph& g) {
  with_blocks(g);
  ExitTransformer(g).run(prim::LoopContinuation);
  ExitTransformer(g).run(prim::ReturnStmt);
  merge_ifs(g.block());
  without_blocks(g);
}

}  // namespace sconce::script
