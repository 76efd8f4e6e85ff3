// SPDX-License-Identifier: Apache-2.0
// Replaces calls of known functions and methods by their bodies, innermost first:
//
//   %y : Tensor = prim::CallMethod[name="forward"](%m, %x)    =>    the nodes of m's forward
//
// inline_as_pytorch is the pass of PyTorch's name: a body is cleaned up (peephole, constants)
// before it is copied, tasks keep their calls, and so do the constants that name functions.
// inline_calls is the runtime's: bodies as they are but for dead code, tasks too.
// Interface calls stay: their target is known at run time only. So do calls beyond a graph's
// budget, which the interpreter makes: a function that calls two others, each of which calls two,
// and so on, is as large as its text and not as what it would be with all bodies copied in.
#include <unordered_set>

#include "ir/cleanup.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

// What happens to a callee's own copy before it is copied in.
enum class Callee { AsIs, Optimized };

Function* callee_of(const Node* n) {
  if (n->kind == prim::CallFunction) return n->inputs[0]->node->function;
  if (n->kind == prim::CallMethod && n->inputs[0]->type->kind == TypeKind::Class)
    return static_cast<const ClassType*>(n->inputs[0]->type)->find_method(n->s(Symbol("name")));
  return nullptr;
}

size_t count_nodes(Block* b) {
  check_stack();
  size_t n = 0;
  for (Node* x : b->nodes()) {
    ++n;
    for (Block* inner : x->blocks) n += count_nodes(inner);
  }
  return n;
}

// What may be copied into one graph: many times the code of all functions that it reaches.
class Allowance {
 public:
  explicit Allowance(Block* b) { reach(b); }
  size_t nodes() const { return 20'000 + 16 * code_; }

 private:
  void reach(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      ++code_;
      for (Block* inner : n->blocks) reach(inner);
      if (Graph* sub = subgraph(n)) reach(sub->block());
      Function* f = callee_of(n);
      if (!f || f->compiling || (f->self && f->self->is_native) || !seen_.insert(f).second)
        continue;
      // Only those that inlining reaches: the depth of calls is bounded there.
      if (seen_.size() < 100'000 && depth_ < 500) {
        ++depth_;
        reach(f->ensure_graph().block());
        --depth_;
      }
    }
  }
  std::unordered_set<Function*> seen_;
  size_t code_ = 0;
  int depth_ = 0;
};

// ---- whose body a copied node was (Node::module_path) ----

// Longer paths aren't made: names are as long as a file likes, and there is a path for each module.
constexpr size_t kLongestPath = 500;

// "a.b" for self.a.b; "" for self, and for objects that aren't reached from self by attributes.
std::string path_from_self(const Value* v) {
  static const Symbol name("name");
  std::string path;
  for (; v->node->kind == prim::GetAttr; v = v->node->input()) {
    const std::string& s = v->node->s(name);
    if (path.size() + s.size() > kLongestPath) return "";
    path.insert(0, path.empty() ? s : s + ".");
  }
  return v->node == v->graph()->block()->param && v->offset == 0 ? path : "";
}

// Paths that were relative to the callee become relative to the caller.
class Paths {
 public:
  explicit Paths(std::string prefix) : prefix_(std::move(prefix)) {}
  void extend(Node* first, const Node* end) {
    if (prefix_.empty()) return;
    check_stack();
    for (Node* n = first; n != end; n = n->next) {
      n->module_path = joined(n->module_path);
      for (Block* b : n->blocks) extend(b->first(), b->ret);
    }
  }

 private:
  Symbol joined(Symbol own) {
    if (made_ && own == last_own_) return last_;
    made_ = true;
    last_own_ = own;
    if (!own) return last_ = Symbol(prefix_);
    return last_ =
               Symbol(prefix_.size() + own.view().size() < kLongestPath ? prefix_ + "." + own.str()
                                                                        : prefix_);
  }
  std::string prefix_;
  Symbol last_own_, last_;  // neighbours have mostly the same path
  bool made_ = false;
};

// inlined: the nodes that were copied into the graph so far.
bool inline_block(Block* b, PassContext& c, Callee how, int depth, size_t& inlined, size_t most) {
  check_stack();
  if (depth > 500) raise<LimitError>("calls are nested too deeply to be inlined");
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= inline_block(inner, c, how, depth, inlined, most);
    const Attribute* sub = n->find(Symbol("Subgraph"));
    if (sub && how == Callee::AsIs) {
      // Subgraphs are shared with the function's own graph: work on a copy.
      auto copy = sub->graph->copy();
      changed |= inline_block(copy->block(), c, how, depth, inlined, most);
      n->set(Symbol("Subgraph"), Attribute::Kind::Graph).graph = copy;
    }
    Function* callee = callee_of(n);
    if (!callee) {
      if (n->kind == prim::CallMethod || n->kind == prim::CallFunction)
        c.missed(n, "call", "what it calls isn't known before it runs");
      continue;
    }
    // PyTorch has these methods in C++ and keeps the calls.
    if (how == Callee::Optimized && callee->self && callee->self->is_native) {
      c.missed(n, "call", "the method isn't TorchScript");
      continue;
    }
    if (callee->compiling) raise<ScriptError>("function ", callee->name, " is called recursively");
    // All callers copy the same two forms.
    auto& body = how == Callee::Optimized ? callee->optimized : callee->inlined;
    if (!body) {
      auto made = callee->ensure_graph().copy();
      size_t within = 0;
      inline_block(made->block(), c, how, depth + 1, within, most);
      if (how == Callee::Optimized) {
        PassContext own = c;
        own.arguments = {};
        own.arguments.set("disable_shape_peepholes", {"true"});
        own.remark = nullptr;
        peephole(*made, own);
        constant_propagation_immutable(*made, *c.ops);
        constant_pooling(*made);
      } else {
        // A call whose result is unused must not double what its callers copy.
        eliminate_dead_code(*made);
      }
      body = made;
    }
    const size_t size = count_nodes(body->block());
    if (inlined + size > most) {
      c.missed(n, "call", "the graph would become too large");
      continue;
    }
    c.applied(n, "call");
    inlined += size;
    std::vector<Value*> in(n->inputs.begin() + (n->kind == prim::CallFunction ? 1 : 0),
                           n->inputs.end());
    InsertPoint at(*n->graph, n);
    Node* const before = n->prev;
    auto out = insert_graph(*n->graph, *body, in);
    if (n->kind == prim::CallMethod) Paths(path_from_self(n->inputs[0])).extend(before->next, n);
    for (size_t i = 0; i < out.size(); ++i) {
      if (!n->outputs[i]->name.empty()) {
        std::string name = n->outputs[i]->name;
        n->outputs[i]->set_name("");
        out[i]->set_name(name);
      }
      n->outputs[i]->replace_all_uses_with(out[i]);
    }
    Node* constant = n->kind == prim::CallFunction ? n->inputs[0]->node : nullptr;
    n->destroy();
    if (how == Callee::AsIs && constant && !constant->has_uses()) constant->destroy();
    changed = true;
  }
  return changed;
}

}  // namespace

bool inline_calls(Graph& g, PassContext& c) {
  size_t inlined = 0;
  return inline_block(g.block(), c, Callee::AsIs, 0, inlined, Allowance(g.block()).nodes());
}
bool inline_as_pytorch(Graph& g, PassContext& c) {
  size_t inlined = 0;
  return inline_block(g.block(), c, Callee::Optimized, 0, inlined, Allowance(g.block()).nodes());
}

}  // namespace sconce
