// SPDX-License-Identifier: Apache-2.0
// Loops of a known kind repeat less often. A `for`, which nothing but its count ends, of n rounds:
//
//   %r = prim::Loop(%n, %true, %x)               %m = __round_to_zero_floordiv(%n, 8)
//     block0(%i, %a):                            %k = sub(%n, mul(%m, 8))
//       %b = aten::add(%a, %i, %one)             %c, %s = prim::Loop(%m, %true, %zero, %x)
//       -> (%true, %b)                     =>      block0(%_, %j, %a):  the body eight times
//                                                %d, %r = prim::Loop(%k, %true, %c, %s)
//                                                  block0(%_, %j, %a):  the body once
//
// A constant count below 64 leaves no loop at all, only as many bodies. Where the body uses the
// count, it becomes a value that the loop carries, which the two loops can share.
// loop_unrolling takes loops with a body of at most 32 nodes; constant_loop_unrolling (PyTorch's
// names) those whose count is a constant, however large the body. Inner loops come first. Then dead
// code goes. Order: after constant propagation, which makes counts and conditions constants.
#include "ir/cleanup.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

constexpr int64_t kUnrollFactor = 8;
constexpr int64_t kLargestBody = 32;
constexpr int64_t kMostRepeats = 64;

bool is_true(const Value* v) {
  auto c = constant_value(v);
  return c && c->isBool() && c->toBool();
}
bool is_for(const Node* n) {
  return n->kind == prim::Loop && is_true(n->inputs[1]) && is_true(n->blocks[0]->outputs()[0]);
}

// Nodes that run, the ends of blocks among them; counts no further than limit.
int64_t size_of(const Block* b, int64_t limit) {
  check_stack();
  int64_t size = 0;
  for (const Node* n = b->first(); size < limit; n = n->next) {
    for (const Block* inner : n->blocks) size += size_of(inner, limit - size);
    if (!n->is_constant()) ++size;
    if (n == b->ret) return size;
  }
  return limit;
}

// Copies b's nodes before the insert point, with values for its inputs; returns its outputs.
std::vector<Value*> copy_body(Graph& g, Block* b, const std::vector<Value*>& inputs) {
  Clones clones([](Value* v) { return v; });
  for (size_t i = 0; i < inputs.size(); ++i) clones.add(b->inputs()[i], inputs[i]);
  for (Node* n = b->first(); n != b->ret; n = n->next) {
    Node* c = g.insert_node(g.create_clone(n, clones));
    for (size_t i = 0; i < n->outputs.size(); ++i) clones.add(n->outputs[i], c->outputs[i]);
  }
  std::vector<Value*> out;
  for (Value* v : b->outputs()) out.push_back(clones.of(v));
  return out;
}

class Unroller {
 public:
  Unroller(Graph& g, PassContext& c, bool constant_only)
      : g_(g), c_(c), constant_only_(constant_only) {}
  bool run(Block* b) {
    check_stack();
    bool changed = false;
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) changed |= run(inner);
      if (n->kind != prim::Loop) continue;
      if (const char* reason = why_not(n)) {
        c_.missed(n, "loop", reason);
        continue;
      }
      c_.applied(n, "loop");
      unroll(n);
      changed = true;
    }
    return changed;
  }

 private:
  const char* why_not(const Node* n) const {
    if (!is_for(n)) return "a condition may end it";
    if (constant_only_)
      return n->inputs[0]->node->is_constant() ? nullptr : "its count isn't constant";
    return size_of(n->blocks[0], kLargestBody + 1) <= kLargestBody ? nullptr
                                                                   : "its body is too large";
  }

  Value* math(const char* kind, Value* a, Value* b) {
    Node* n = g_.insert_node(g_.create(Symbol(kind), {a, b}));
    n->output()->set_type(types::integer());
    n->op = resolve_operator(n, *c_.ops);
    return n->output();
  }
  Value* math(const char* kind, Value* a, int64_t b) {
    return math(kind, a, g_.insert_constant(b));
  }

  void carry_count(Node* loop) {
    Block* body = loop->blocks[0];
    InsertPoint at(g_, loop);
    loop->insert_input(2, g_.insert_constant(int64_t{0}));
    loop->insert_output(0, types::integer());
    Value* count = body->insert_input(1)->set_type(types::integer());
    body->inputs()[0]->replace_all_uses_with(count);
    g_.set_insert_point(body);
    body->insert_output(1, math("aten::add", count, 1));
  }

  // Makes the body times bodies in a row.
  void repeat(Node* loop, int64_t times) {
    Block *body = loop->blocks[0], *longer = loop->add_block();
    InsertPoint at(g_, longer);
    for (Value* v : body->inputs()) {
      Value* in = longer->add_input()->set_type(v->type);
      if (!v->name.empty()) in->set_name(std::string(v->name));
    }
    std::vector<Value*> values = longer->inputs();
    for (int64_t i = 0; i < times; ++i) {
      values[0] = body->inputs()[0];  // not used
      values = copy_body(g_, body, values);
    }
    for (Value* v : values) longer->register_output(v);
    // Else what is dead, such as copies of the condition, would count as the outer loop's size.
    eliminate_dead_code_of(*longer);
    loop->erase_block(0);
  }

  void unroll(Node* loop) {
    Block* body = loop->blocks[0];
    if (body->inputs()[0]->has_uses()) carry_count(loop);
    Value* count = loop->inputs[0];
    auto known = constant_value(count);
    if (known && known->isInt() && known->toInt() < kMostRepeats)
      return straighten(loop, known->toInt());

    Node* rest = g_.create_clone(loop, [](Value* v) { return v; })->insert_after(loop);
    for (size_t i = 0; i < loop->outputs.size(); ++i) {
      loop->outputs[i]->replace_all_uses_with(rest->outputs[i]);
      rest->replace_input(i + 2, loop->outputs[i]);
    }
    repeat(loop, kUnrollFactor);
    InsertPoint at(g_, loop);
    Value* rounds = math("aten::__round_to_zero_floordiv", count, kUnrollFactor);
    loop->replace_input(0, rounds);
    rest->replace_input(0, math("aten::sub", count, math("aten::mul", rounds, kUnrollFactor)));
  }

  // The loop runs times times: no loop is left.
  void straighten(Node* loop, int64_t times) {
    if (times <= 0) {
      for (size_t i = 0; i < loop->outputs.size(); ++i)
        loop->outputs[i]->replace_all_uses_with(loop->inputs[i + 2]);
      loop->destroy();
      return;
    }
    repeat(loop, times);
    Block* body = loop->blocks[0];
    InsertPoint at(g_, loop);
    std::vector<Value*> values(loop->inputs.begin() + 1, loop->inputs.end());
    values[0] = body->inputs()[0];  // not used
    values = copy_body(g_, body, values);
    for (size_t i = 0; i < loop->outputs.size(); ++i)
      loop->outputs[i]->replace_all_uses_with(values[i + 1]);
    loop->destroy();
  }

  Graph& g_;
  PassContext& c_;
  bool constant_only_;
};

bool unroll(Graph& g, PassContext& c, bool constant_only) {
  if (!Unroller(g, c, constant_only).run(g.block())) return false;
  eliminate_dead_code_as_torch(g);
  return true;
}

}  // namespace

bool loop_unrolling(Graph& g, PassContext& c) { return unroll(g, c, false); }
bool constant_loop_unrolling(Graph& g, PassContext& c) { return unroll(g, c, true); }

}  // namespace sconce
