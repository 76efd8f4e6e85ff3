// SPDX-License-Identifier: Apache-2.0
// Graph structure: nodes in linked lists, values with use lists, names unique per graph.
#include "ir/graph.h"
#include "support/stack.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <unordered_set>

#include "core/budget.h"
#include "core/op_table.h"
#include "core/selection.h"
#include "ir/alias.h"
#include "ir/cleanup.h"
#include "support/lasting.h"

namespace sconce {

namespace {
const char* intern(std::string_view text) {
  struct Table {
    std::mutex mutex;
    std::unordered_map<std::string_view, const char*> known;
    std::deque<std::string> texts;
    Table() {
#define X(n) known.emplace(prim::n##_text, prim::n##_text);
      SCONCE_PRIM_KINDS(X)
#undef X
    }
  };
  static const Lasting table(new Table);
  std::lock_guard<std::mutex> lock(table->mutex);
  auto it = table->known.find(text);
  if (it != table->known.end()) return it->second;
  const std::string& copy = table->texts.emplace_back(text);
  table->known.emplace(copy, copy.c_str());
  return copy.c_str();
}
}  // namespace

Symbol::Symbol(std::string_view text) : text_(intern(text)) {}
std::string_view Symbol::unqualified() const {
  std::string_view v = view();
  size_t c = v.find("::");
  return c == std::string_view::npos ? v : v.substr(c + 2);
}

// ---- values ----

Graph* Value::graph() const { return node->graph; }

Value* Value::set_name(const std::string& wanted) {
  Graph* g = graph();
  const std::string n = wanted;  // may be the name of a value that loses it here
  if (!name.empty()) {
    auto it = g->names.find(name);
    if (it != g->names.end() && it->second == this) g->names.erase(it);
  }
  name.clear();
  if (n.empty()) return this;
  auto old = g->names.find(n);
  if (old != g->names.end()) {
    // The new owner gets the plain name, the earlier one is renamed base.N.
    std::string base = n;
    size_t suffix = 1;
    size_t dot = n.rfind('.');
    if (dot != std::string::npos && dot + 1 < n.size() &&
        n.find_first_not_of("0123456789", dot + 1) == std::string::npos && n.size() - dot < 10) {
      suffix = std::stoull(n.substr(dot + 1)) + 1;
      base = n.substr(0, dot);
    }
    auto known = g->name_suffix.find(base);
    if (known != g->name_suffix.end()) suffix = std::max(suffix, known->second);
    std::string fresh;
    do {
      fresh = base + "." + std::to_string(suffix++);
    } while (g->names.count(fresh));
    g->name_suffix[base] = suffix;
    Value* earlier = old->second;
    earlier->name = fresh;
    g->names.erase(old);
    g->names[fresh] = earlier;
  }
  name = n;
  g->names[n] = this;
  return this;
}

void Value::replace_all_uses_with(Value* v) {
  if (v == this) return;
  for (Use u : uses) {
    u.user->inputs[u.offset] = v;
    v->uses.push_back(u);
  }
  uses.clear();
}

namespace {
void drop_use(Value* v, Node* user, size_t offset) {
  for (auto it = v->uses.begin(); it != v->uses.end(); ++it)
    if (it->user == user && it->offset == offset) {
      v->uses.erase(it);
      return;
    }
}
void shift_uses(Node* n, size_t from, int by) {
  for (size_t i = from; i < n->inputs.size(); ++i)
    for (Use& u : n->inputs[i]->uses)
      if (u.user == n && u.offset == i + static_cast<size_t>(-by)) {
        u.offset = i;
        break;
      }
}
}  // namespace

// ---- nodes ----

Value* Node::add_output(TypePtr t) {
  Value* v = graph->new_value(this, outputs.size(), t);
  outputs.push_back(v);
  return v;
}
Value* Node::insert_output(size_t i, TypePtr t) {
  Value* v = graph->new_value(this, i, t);
  outputs.insert(outputs.begin() + static_cast<ptrdiff_t>(i), v);
  for (size_t k = i; k < outputs.size(); ++k) outputs[k]->offset = k;
  return v;
}
void Node::erase_output(size_t i) {
  graph->free_value(outputs[i]);
  outputs.erase(outputs.begin() + static_cast<ptrdiff_t>(i));
  for (size_t k = i; k < outputs.size(); ++k) outputs[k]->offset = k;
}
void Node::add_input(Value* v) {
  v->uses.push_back({this, inputs.size()});
  inputs.push_back(v);
}
void Node::insert_input(size_t i, Value* v) {
  // Uses after i move up by one: highest first, so that no two uses share an offset for long.
  for (size_t k = inputs.size(); k-- > i;)
    for (Use& u : inputs[k]->uses)
      if (u.user == this && u.offset == k) {
        u.offset = k + 1;
        break;
      }
  inputs.insert(inputs.begin() + static_cast<ptrdiff_t>(i), v);
  v->uses.push_back({this, i});
}
void Node::replace_input(size_t i, Value* v) {
  drop_use(inputs[i], this, i);
  inputs[i] = v;
  v->uses.push_back({this, i});
}
void Node::remove_input(size_t i) {
  drop_use(inputs[i], this, i);
  inputs.erase(inputs.begin() + static_cast<ptrdiff_t>(i));
  shift_uses(this, i, -1);
}
void Node::remove_all_inputs() {
  for (size_t i = 0; i < inputs.size(); ++i) drop_use(inputs[i], this, i);
  inputs.clear();
}
Block* Node::add_block() {
  Block* b = graph->new_block(this);
  blocks.push_back(b);
  return b;
}
void Node::erase_block(size_t i) {
  Block* b = blocks[i];
  b->ret->remove_all_inputs();
  for (Node* n = b->last(); n != b->param;) {
    Node* before = n->prev;
    n->destroy();
    n = before;
  }
  blocks.erase(blocks.begin() + static_cast<ptrdiff_t>(i));
}

namespace {
void link_before(Node* n, Node* at) {
  n->prev = at->prev;
  n->next = at;
  at->prev->next = n;
  at->prev = n;
  n->owner = at->owner;
}
void unlink(Node* n) {
  n->prev->next = n->next;
  n->next->prev = n->prev;
  n->owner = nullptr;
}
}  // namespace

Node* Node::insert_before(Node* n) {
  link_before(this, n);
  if (!module_path) module_path = n->module_path;
  return this;
}
Node* Node::insert_after(Node* n) {
  if (!module_path) module_path = n->module_path;
  return insert_before(n->next);
}
void Node::move_before(Node* n) {
  if (n == this) return;
  unlink(this);
  link_before(this, n);
}
void Node::move_after(Node* n) { move_before(n->next == this ? next : n->next); }
bool Node::has_uses() const {
  for (Value* v : outputs)
    if (v->has_uses()) return true;
  return false;
}
void Node::destroy() {
  while (!blocks.empty()) erase_block(blocks.size() - 1);
  remove_all_inputs();
  while (!outputs.empty()) erase_output(outputs.size() - 1);
  if (owner) unlink(this);
  attributes.clear();
}
void Node::replace_all_uses_with(Node* n) {
  for (size_t i = 0; i < outputs.size(); ++i) outputs[i]->replace_all_uses_with(n->outputs[i]);
}
const Attribute* Node::find(Symbol name) const {
  for (auto& a : attributes)
    if (a.name == name) return &a;
  return nullptr;
}
Attribute& Node::set(Symbol name, Attribute::Kind k) {
  for (auto& a : attributes)
    if (a.name == name) {
      a.kind = k;
      return a;
    }
  attributes.emplace_back();
  attributes.back().name = name;
  attributes.back().kind = k;
  return attributes.back();
}
Node* Node::set_s(Symbol name, const std::string& v) {
  set(name, Attribute::Kind::String).value = v;
  return this;
}
Node* Node::set_i(Symbol name, int64_t v) {
  set(name, Attribute::Kind::Int).value = v;
  return this;
}
std::string Node::overload() const { return op ? std::string(op->full_name()) : ""; }
bool Node::has_effects() const {
  check_stack();
  const bool writes = op && op->schema().is_mutable();
  if (kind == prim::SetAttr || writes || writes_statistics(this) || has_side_effects(this))
    return true;
  for (Block* b : blocks)
    for (const Node* n : b->nodes())
      if (n->has_effects()) return true;
  return false;
}
bool Node::must_be_none() const {
  if (kind == prim::Constant) {
    auto v = constant_value(outputs[0]);
    return v && v->isNone();
  }
  return outputs.size() == 1 && outputs[0]->type && outputs[0]->type->kind == TypeKind::None;
}

// ---- blocks and graph ----

Value* Block::add_input(const std::string& name) {
  Value* v = param->add_output(types::tensor());
  if (!name.empty()) v->set_name(name);
  return v;
}

Graph::Graph() {
  block_ = new_block(nullptr);
  insert_before_ = block_->ret;
}
Graph::~Graph() = default;

Block* Graph::new_block(Node* owner) {
  all_blocks_.push_back(std::make_unique<Block>());
  Block* b = all_blocks_.back().get();
  b->graph = this;
  b->owning_node = owner;
  b->param = create(prim::Param, 0);
  b->ret = create(prim::Return, 0);
  b->param->owner = b->ret->owner = b;
  b->param->next = b->ret;
  b->ret->prev = b->param;
  b->param->prev = b->ret;
  b->ret->next = b->param;
  return b;
}
Value* Graph::new_value(Node* n, size_t offset, TypePtr t) {
  all_values_.push_back(std::make_unique<Value>());
  Value* v = all_values_.back().get();
  v->node = n;
  v->offset = offset;
  v->type = t ? t : types::tensor();
  v->id = next_id++;
  return v;
}
void Graph::free_value(Value* v) {
  auto it = names.find(v->name);
  if (it != names.end() && it->second == v) names.erase(it);
  v->name.clear();
}
void Graph::grown() {
  if (all_nodes_.size() > kMaxNodes)
    raise<LimitError>("the limit of ", kMaxNodes, " nodes in a graph is reached");
  Budget* b = context().budget;
  if (!b) return;
  b->pass();
  if (!b->memory()) return;
  // With what the heap adds, and lists of inputs and uses.
  constexpr size_t kNode = sizeof(Node) + 64, kValue = sizeof(Value) + 48;
  charge_.set(*b->memory(), all_nodes_.size() * kNode + all_values_.size() * kValue);
}
Node* Graph::create(Symbol kind, size_t num_outputs) {
  if (all_nodes_.size() % 256 == 255) grown();
  all_nodes_.push_back(std::make_unique<Node>());
  Node* n = all_nodes_.back().get();
  n->kind = kind;
  n->graph = this;
  n->range = current_range;
  for (size_t i = 0; i < num_outputs; ++i) n->add_output();
  return n;
}
Node* Graph::create(Symbol kind, const std::vector<Value*>& inputs, size_t num_outputs) {
  Node* n = create(kind, num_outputs);
  for (Value* v : inputs) n->add_input(v);
  return n;
}
Node* Graph::create_constant(IValue v, TypePtr type) {
  Node* n = create(prim::Constant, 1);
  n->outputs[0]->type = type ? type : ivalue_type(v);
  if (!v.isNone()) n->set(Symbol("value"), Attribute::Kind::Value).value = std::move(v);
  return n;
}
Value* Graph::insert_constant(IValue v, TypePtr type) {
  return insert_node(create_constant(std::move(v), type))->output();
}
Node* Graph::create_uninitialized(TypePtr t) {
  Node* n = create(prim::Uninitialized, 1);
  n->outputs[0]->type = t;
  return n;
}
Node* Graph::create_list(TypePtr elem, const std::vector<Value*>& values) {
  Node* n = create(prim::ListConstruct, values, 1);
  n->outputs[0]->type = types->list(elem);
  return n;
}
Node* Graph::create_tuple(const std::vector<Value*>& values, TypePtr named) {
  Node* n = create(prim::TupleConstruct, values, 1);
  std::vector<TypePtr> e;
  for (Value* v : values) e.push_back(v->type);
  n->outputs[0]->type = named ? named : types->tuple(std::move(e));
  return n;
}
Node* Graph::create_tuple_unpack(Value* v) {
  Node* n = create(prim::TupleUnpack, {v}, 0);
  for (TypePtr t : v->type->elems) n->add_output(t);
  return n;
}
Node* Graph::create_load(const std::string& name, TypePtr t) {
  Node* n = create(prim::Load, 1);
  n->set_s(Symbol("name"), name);
  n->outputs[0]->type = t;
  return n;
}
Node* Graph::create_store(const std::string& name, Value* v) {
  Node* n = create(prim::Store, {v}, 0);
  n->set_s(Symbol("name"), name);
  return n;
}
std::shared_ptr<Graph> Graph::copy() const {
  auto g = std::make_shared<Graph>();
  g->types = types;
  g->owner = owner;
  g->op_version = op_version;
  g->block()->clone_from(block_, [](Value* v) -> Value* {
    raise<Error>("copy: value %", v->name, " is not in the graph");
  });
  return g;
}

std::optional<IValue> constant_value(const Value* v) {
  if (v->node->kind != prim::Constant || v->type->kind == TypeKind::Function) return std::nullopt;
  static const Symbol value("value");
  const Attribute* a = v->node->find(value);
  if (a && a->kind == Attribute::Kind::Text) return std::nullopt;
  return a ? a->value : IValue();
}

std::vector<Value*> unpack_tuple(Value* v) {
  if (v->node->kind == prim::TupleConstruct) return v->node->inputs;
  Graph* g = v->graph();
  return g->insert_node(g->create_tuple_unpack(v))->outputs;
}

Value* Clones::of(Value* v) const {
  auto it = made_.find(v);
  return it != made_.end() ? it->second : outer_(v);
}
Node* Graph::create_clone(Node* n, Clones& clones) {
  Node* r = create(n->kind, 0);
  r->range = n->range;
  r->scope = n->scope;
  r->module_path = n->module_path;
  r->op = n->op;
  r->function = n->function;
  r->attributes = n->attributes;
  for (Value* o : n->outputs) {
    Value* c = r->add_output(o->type);
    if (!o->name.empty()) c->set_name(o->name);
  }
  for (Value* i : n->inputs) r->add_input(clones.of(i));
  for (Block* b : n->blocks) r->add_block()->clone_from(b, clones);
  return r;
}
void Block::clone_from(Block* src, Clones& clones) {
  InsertPoint at(*graph, this);
  for (Value* in : src->inputs()) {
    Value* c = add_input();
    c->type = in->type;
    if (!in->name.empty()) c->set_name(in->name);
    clones.add(in, c);
  }
  for (Node* n = src->first(); n != src->ret; n = n->next) {
    Node* c = graph->insert_node(graph->create_clone(n, clones));
    for (size_t i = 0; i < n->outputs.size(); ++i) clones.add(n->outputs[i], c->outputs[i]);
  }
  for (Value* o : src->outputs()) register_output(clones.of(o));
}

std::vector<Value*> insert_graph(Graph& g, Graph& callee, const std::vector<Value*>& inputs) {
  Clones clones(
      [](Value* v) -> Value* { raise<Error>("copy: value %", v->name, " is not in the graph"); });
  for (size_t i = 0; i < inputs.size(); ++i) clones.add(callee.inputs()[i], inputs[i]);
  for (Node* n : callee.block()->nodes()) {
    Node* c = g.insert_node(g.create_clone(n, clones));
    for (size_t i = 0; i < n->outputs.size(); ++i) clones.add(n->outputs[i], c->outputs[i]);
  }
  std::vector<Value*> out;
  for (Value* v : callee.outputs()) out.push_back(clones.of(v));
  return out;
}

namespace {
size_t depth(Node* n) {
  size_t d = 0;
  for (Block* b = n->owner; b && b->owning_node; b = b->owning_node->owner) ++d;
  return d;
}
// In one block: walk both ways at once.
bool before_in_block(Node* a, Node* b) {
  if (a == b) return false;
  if (b == b->owner->ret || a == a->owner->param) return true;
  if (a == a->owner->ret || b == b->owner->param) return false;
  for (Node *f = a->next, *r = b->next;;) {
    if (f == b) return true;
    if (r == a) return false;
    if (f == a->owner->ret) return false;
    if (r == a->owner->ret) return true;
    f = f->next;
    r = r->next;
  }
}
}  // namespace

bool is_before(Node* a, Node* b) {
  size_t da = depth(a), db = depth(b);
  Node *x = a, *y = b;
  for (; da > db; --da) {
    x = x->owner->owning_node;
    if (x == b) return false;
  }
  for (; db > da; --db) {
    y = y->owner->owning_node;
    if (y == a) return true;
  }
  while (x->owner != y->owner) {
    Node *px = x->owner->owning_node, *py = y->owner->owning_node;
    if (px == py) {
      auto index = [&](Block* blk) {
        return std::find(px->blocks.begin(), px->blocks.end(), blk) - px->blocks.begin();
      };
      return index(x->owner) < index(y->owner);
    }
    x = px;
    y = py;
  }
  return before_in_block(x, y);
}

namespace {
// What passes and the plan take for granted of the compiler's own kinds; null: all right.
const char* wrong_shape(const Node* n) {
  struct Rule {
    Symbol kind;
    size_t inputs, outputs;
    const char* attribute;
    TypeKind output;
  };
  constexpr size_t kAny = ~size_t{0};
  constexpr TypeKind kAnyType = TypeKind::Any;
  static const std::vector<Rule> rules{
      {prim::Constant, 0, 1, nullptr, kAnyType},
      {prim::Uninitialized, 0, 1, nullptr, kAnyType},
      {prim::ListConstruct, kAny, 1, nullptr, TypeKind::List},
      {prim::TupleConstruct, kAny, 1, nullptr, TypeKind::Tuple},
      {prim::DictConstruct, kAny, 1, nullptr, TypeKind::Dict},
      {prim::TupleUnpack, 1, kAny, nullptr, kAnyType},
      {prim::ListUnpack, 1, kAny, nullptr, kAnyType},
      {prim::TupleIndex, 2, 1, nullptr, kAnyType},
      {prim::GetAttr, 1, 1, "name", kAnyType},
      {prim::SetAttr, 2, 0, "name", kAnyType},
      {prim::isinstance, 1, 1, "types", kAnyType},
      {prim::unchecked_cast, 1, 1, nullptr, kAnyType},
      {prim::EnumName, 1, 1, nullptr, kAnyType},
      {prim::EnumValue, 1, 1, nullptr, kAnyType},
  };
  if (n->kind == prim::If && n->inputs.size() != 1) return "If: one condition is wanted";
  if (n->kind == prim::Loop && n->blocks[0]->inputs().size() != n->inputs.size() - 1)
    return "Loop: a count, a condition and the carried values are wanted";
  if (n->kind == prim::CallMethod && (n->inputs.empty() || !n->find(Symbol("name"))))
    return "CallMethod: an object and a name are wanted";
  if (n->kind == prim::CallFunction && n->inputs.empty()) return "CallFunction: no function";
  for (const Rule& r : rules) {
    if (n->kind != r.kind) continue;
    if ((r.inputs != kAny && n->inputs.size() != r.inputs) ||
        (r.outputs != kAny && n->outputs.size() != r.outputs))
      return "wrong number of inputs or outputs";
    if (r.attribute && !n->find(Symbol(r.attribute))) return "an attribute is missing";
    if (r.output != kAnyType && n->outputs[0]->type->kind != r.output)
      return "the type of the output does not fit";
  }
  return nullptr;
}

// The uses that values list, looked up; each list is gone through once.
class ListedUses {
 public:
  bool has(const Value* v, const Node* n, size_t i) {
    constexpr size_t kFew = 16;
    if (v->uses.size() <= kFew)
      return std::any_of(v->uses.begin(), v->uses.end(),
                         [&](const Use& u) { return u.user == n && u.offset == i; });
    auto [users, fresh] = many_.try_emplace(v);
    if (fresh)
      for (const Use& u : v->uses) users->second.emplace(u.user, u.offset);
    return users->second.count({n, i}) != 0;
  }

 private:
  // One node may have all uses.
  struct Hash {
    size_t operator()(const std::pair<const Node*, size_t>& use) const {
      return std::hash<const Node*>()(use.first) +
             static_cast<size_t>(use.second * uint64_t{0x9e3779b97f4a7c15});
    }
  };
  std::unordered_map<const Value*, std::unordered_set<std::pair<const Node*, size_t>, Hash>> many_;
};

// seen: what is defined where b stands; as before when it returns.
void verify_block(const Block* b, std::unordered_set<const Value*>& seen, ListedUses& uses) {
  check_stack();
  auto fail = [](const char* what, const Node* n) {
    raise<Error>("graph verifier: ", what, " at node ", n->kind.str());
  };
  for (Value* v : b->inputs()) seen.insert(v);
  auto check_inputs = [&](const Node* n) {
    for (size_t i = 0; i < n->inputs.size(); ++i) {
      if (!seen.count(n->inputs[i])) fail("an input is used before its definition", n);
      if (!uses.has(n->inputs[i], n, i)) fail("a use is not in its value's list", n);
    }
  };
  for (const Node* n = b->first(); n != b->ret; n = n->next) {
    if (n->owner != b || n->next->prev != n) fail("broken list", n);
    check_inputs(n);
    for (Block* inner : n->blocks) verify_block(inner, seen, uses);
    if (n->kind == prim::If &&
        (n->blocks.size() != 2 || n->blocks[0]->outputs().size() != n->outputs.size() ||
         n->blocks[1]->outputs().size() != n->outputs.size()))
      fail("If: outputs do not agree with its blocks", n);
    if (n->kind == prim::Loop &&
        (n->blocks.size() != 1 || n->blocks[0]->outputs().size() != n->outputs.size() + 1 ||
         n->inputs.size() != n->outputs.size() + 2))
      fail("Loop: carried values do not agree", n);
    if (const char* wrong = wrong_shape(n)) fail(wrong, n);
    if ((n->kind == prim::fork || n->kind == prim::awaitable) && !n->find(Symbol("Subgraph")))
      fail("a task without its Subgraph", n);
    for (size_t i = 0; i < n->outputs.size(); ++i) {
      if (n->outputs[i]->offset != i || n->outputs[i]->node != n)
        fail("an output does not know its node", n);
      seen.insert(n->outputs[i]);
    }
  }
  check_inputs(b->ret);
  for (Value* v : b->inputs()) seen.erase(v);
  for (const Node* n = b->first(); n != b->ret; n = n->next)
    for (Value* v : n->outputs) seen.erase(v);
}
}  // namespace

void verify_graph(const Graph& g) {
  std::unordered_set<const Value*> seen;
  ListedUses uses;
  verify_block(g.block(), seen, uses);
}

std::string unknown_call_text(std::string_view kind) {
  const size_t at = kind.rfind("::");
  if (kind.substr(0, 10) != "__torch__." || at == std::string_view::npos)
    return missing_operator_text(kind, " is not registered");
  const std::string cls(kind.substr(0, at)), method(kind.substr(at + 2));
  return "class " + cls + " belongs to a library that is not here: " +
         (method == "__new__" ? "an object can't be made"
                              : "its method " + method + " can't be called");
}

}  // namespace sconce
