// SPDX-License-Identifier: Apache-2.0
#include "runtime/state_lock.h"

#include "core/op_table.h"
#include "ir/alias.h"
#include "support/stack.h"

namespace sconce {

namespace {

thread_local StateUse* innermost = nullptr;

Graph* subgraph(const Node* n) {
  static const Symbol name("Subgraph");
  const Attribute* sub = n->find(name);
  return sub ? sub->graph.get() : nullptr;
}

// Nodes that write something, of which the analysis says what.
bool may_write(const Node* n) {
  return n->kind == prim::SetAttr || (n->op && n->op->schema().is_mutable()) ||
         writes_statistics(n) || is_unknown_operator(n);
}
bool any_may_write(Block* b) {
  check_stack();
  for (Node* n : b->nodes()) {
    if (may_write(n)) return true;
    for (Block* inner : n->blocks)
      if (any_may_write(inner)) return true;
  }
  return false;
}

bool writes_elements(const Node* n) {
  if (!n->op) return false;
  for (auto& a : n->op->schema().arguments)
    if (a.element_alias.is_write) return true;
  return false;
}
bool writes(const AliasDb& db, Block* b) {
  check_stack();
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks)
      if (writes(db, inner)) return true;
    if (!may_write(n)) continue;
    if (db.writes_to_wildcard(n)) return true;
    if (writes_elements(n))
      for (const Value* v : db.written(n))
        if (db.may_escape(v)) return true;
  }
  return false;
}

bool subgraphs_write(Block* b) {
  check_stack();
  for (Node* n : b->nodes()) {
    if (Graph* sub = subgraph(n); sub && writes_state(*sub, false, false)) return true;
    for (Block* inner : n->blocks)
      if (subgraphs_write(inner)) return true;
  }
  return false;
}

}  // namespace

bool writes_state(Graph& g, bool has_self, bool own_inputs) {
  check_stack();
  if (subgraphs_write(g.block())) return true;
  if (!any_may_write(g.block())) return false;
  if (!own_inputs) return writes(AliasDb(g), g.block());
  // What the caller gives is as good as made here.
  std::shared_ptr<Graph> copy = g.copy();
  copy->set_insert_point(copy->block()->first());
  for (size_t i = has_self ? 1 : 0; i < copy->inputs().size(); ++i) {
    Value* given = copy->inputs()[i];
    Node* made = copy->insert_node(copy->create(prim::Uninitialized, {}, 1));
    made->output()->type = given->type;
    given->replace_all_uses_with(made->output());
  }
  return writes(AliasDb(*copy), copy->block());
}

void StateLock::share() {
  if (writer_waits_.load(std::memory_order_relaxed)) std::lock_guard<std::mutex> behind(gate_);
  mutex_.lock_shared();
}
void StateLock::take() {
  std::lock_guard<std::mutex> next(gate_);
  writer_waits_.store(true, std::memory_order_relaxed);
  mutex_.lock();
  writer_waits_.store(false, std::memory_order_relaxed);
}

StateUse::StateUse(StateLock& lock) : lock_(lock), outer_(innermost) {
  for (StateUse* u = outer_; u; u = u->outer_)
    if (&u->lock_ == &lock) {
      holder_ = u->holder_;
      break;
    }
  if (holder_ == this) lock_.share();
  innermost = this;
}
StateUse::~StateUse() {
  innermost = outer_;
  if (holder_ != this) return;
  if (alone_)
    lock_.mutex_.unlock();
  else
    lock_.mutex_.unlock_shared();
}
bool StateUse::write() {
  if (holder_->alone_) return false;
  lock_.mutex_.unlock_shared();
  lock_.take();
  return holder_->alone_ = true;
}
void StateUse::write(StateLock& lock) {
  for (StateUse* u = innermost; u; u = u->outer_)
    if (&u->lock_ == &lock) {
      u->write();
      return;
    }
}

}  // namespace sconce
