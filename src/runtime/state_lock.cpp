// SPDX-License-Identifier: Apache-2.0
#include "runtime/state_lock.h"

#include "core/op_table.h"
#include "ir/alias.h"
#include "support/stack.h"

namespace sconce {

namespace {

thread_local StateUse* innermost = nullptr;

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

// Who finds a writer goes back and waits until there is none.
void StateLock::wait_to_share() {
  unshare();
  std::unique_lock<std::mutex> lock(waiting_);
  ++turned_away_;
  // The next writer doesn't come before these have gone in.
  changed_.wait(lock, [&] { return users_.load(std::memory_order_acquire) < kWriter; });
  users_.fetch_add(1, std::memory_order_acquire);
  if (--turned_away_ == 0) changed_.notify_all();
}
void StateLock::take() {
  writers_.lock();
  std::unique_lock<std::mutex> lock(waiting_);
  changed_.wait(lock, [&] { return turned_away_ == 0; });
  users_.fetch_add(kWriter, std::memory_order_acquire);
  changed_.wait(lock, [&] { return users_.load(std::memory_order_acquire) == kWriter; });
}
void StateLock::give_back() {
  users_.fetch_sub(kWriter, std::memory_order_release);
  writers_.unlock();
  tell();
}
// The lock lies between a waiter's look and its sleep.
void StateLock::tell() {
  { std::lock_guard<std::mutex> lock(waiting_); }
  changed_.notify_all();
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
    lock_.give_back();
  else
    lock_.unshare();
}
bool StateUse::write() {
  if (holder_->alone_) return false;
  lock_.unshare();
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
