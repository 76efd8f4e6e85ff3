// SPDX-License-Identifier: Apache-2.0
// Statements of a function's body. Names are those of the source where the graph has kept them;
// what has none and can't stand where it is used is called _0, _1, ...
#include <algorithm>

#include "support/stack.h"
#include "writer/printer.h"

namespace sconce::writer {

namespace {

// Names of the language, and of what the reader knows already.
constexpr std::string_view kReserved[] = {
    "_",        "aten",      "attribute",      "CONSTANTS",  "fork",  "getattr",       "inf",
    "nan",      "infj",      "nanj",           "ops",        "torch", "uninitialized", "__torch__",
    "annotate", "awaitable", "unchecked_cast", "int",        "float", "bool",          "str",
    "complex",  "print",     "sorted",         "isinstance", "range", "rangelist",     "super"};
bool is_reserved(const std::string& name) {
  return (is_identifier(name) && !is_plain_name(name)) ||
         std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved);
}

// "x" of "x.12"
std::string_view base_of(std::string_view name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot + 1 == name.size()) return name;
  for (char c : name.substr(dot + 1))
    if (c < '0' || c > '9') return name;
  return name.substr(0, dot);
}

bool is_constant_bool(const Value* v, bool wanted) {
  auto c = constant_value(v);
  return c && c->isBool() && c->toBool() == wanted;
}

}  // namespace

void BodyPrinter::refuse(const Node* n, const std::string& why) const {
  raise<Error>("cannot save ", function_, ": ", n->kind.str(), ": ", why,
               n->range.source ? " (" + n->range.source->position(n->range.start) + ")" : "");
}

// ---- names ----

std::string BodyPrinter::fresh_name(const std::string& wanted) {
  std::string name = wanted;
  while (used_.count(name) || is_reserved(name)) name = wanted + std::to_string(numbers_[name]++);
  used_.insert(name);
  return name;
}
std::string BodyPrinter::name_for(const Value* v) {
  return fresh_name(v->name.empty() ? "_" : to_identifier(base_of(v->name)));
}
void BodyPrinter::name_all(const std::vector<Value*>& values) {
  for (const Value* v : values) names_[v] = name_for(v);
}
std::string BodyPrinter::parameter(Value* v, const std::string& wanted) {
  return names_[v] = fresh_name(wanted);
}

Text BodyPrinter::use(const Value* v) const {
  if (auto it = names_.find(v); it != names_.end()) {
    Text t;
    add(t, it->second);
    return t;
  }
  auto it = texts_.find(v);
  if (it == texts_.end()) refuse(v->node, "a value is used before it is made");
  return it->second;
}
void BodyPrinter::list(Text& t, const std::vector<Value*>& values, size_t from) const {
  for (size_t i = from; i < values.size(); ++i) {
    if (i > from) add(t, ", ");
    t.add(use(values[i]));
  }
}

// ---- statements ----

void BodyPrinter::constants_of(Block* b, std::vector<Node*>& out) {
  check_stack();
  auto of = [&](Node* n) {
    for (Value* v : n->inputs)
      if (v->node->kind == prim::Constant && seen_constants_.insert(v->node).second)
        out.push_back(v->node);
  };
  for (Node* n : b->nodes()) {
    of(n);
    for (Block* inner : n->blocks) constants_of(inner, out);
  }
  of(b->ret);
}

void BodyPrinter::body(Block* b) {
  check_stack();
  std::vector<Node*> constants;
  constants_of(b, constants);
  scan_block(b);
  ++level_;
  // Most are written where they are used, but long ones have a line of their own here.
  for (Node* n : constants) {
    if (names_.count(n->output())) continue;  // of the function around
    places_.push_back(Place(n->range));
    Text t = expression(n);
    if (is_long(t))
      define(n, t);
    else
      texts_[n->output()] = std::move(t);
    places_.pop_back();
  }
  block(b, !b->outputs().empty());
  if (b->outputs().size() != 1)
    refuse(b->ret,
           "a function returns one value, this graph " + std::to_string(b->outputs().size()));
  places_.push_back(Place(b->ret->range));
  indent();
  put("return ");
  list(out_, b->outputs());
  put("\n");
  places_.pop_back();
  --level_;
}

void BodyPrinter::block(Block* b, bool others) {
  check_stack();
  entered_.emplace_back();
  if (!others && b->empty()) {
    indent();
    put("pass\n");
  }
  for (Node* n : b->nodes()) statement(n);
  if (!entered_.back().empty())
    refuse(entered_.back().back()->node, "a with statement isn't left where it was entered");
  entered_.pop_back();
}

bool BodyPrinter::is_annotated(const Value* left, const Value* right) {
  const TypeKind k = left->type->kind;
  if (k == TypeKind::Union || k == TypeKind::Optional) return annotated_.insert(left).second;
  return left->type->str() != right->type->str();
}

// separately: each in a line of its own, with its type.
void BodyPrinter::assign(const std::vector<Value*>& left, const std::vector<Value*>& right,
                         bool separately) {
  if (left.empty()) return;
  if (left.size() > 1 && separately) {
    for (size_t i = 0; i < left.size(); ++i) assign({left[i]}, {right[i]}, true);
    return;
  }
  indent();
  list(out_, left);
  if (left.size() == 1 &&
      (left[0]->type->kind == TypeKind::Union || left[0]->type->kind == TypeKind::Optional ||
       separately) &&
      annotated_.insert(left[0]).second) {
    put(" : " + annotation(left[0]->type));
  }
  put(" = ");
  list(out_, right);
  put("\n");
}

void BodyPrinter::define(Node* n, const Text& right) {
  name_all(n->outputs);
  indent();
  if (!n->outputs.empty()) {
    list(out_, n->outputs);
    put(" = ");
  }
  out_.add(right);
  put("\n");
}

// A long expression isn't written into the one that uses it, and then neither is anything that runs
// before it.
void BodyPrinter::split(Value* v) {
  std::vector<Value*> found;
  Node* user = v->uses[0].user;
  auto offset = static_cast<int64_t>(v->uses[0].offset);
  for (;;) {
    auto [at, fresh] = split_.emplace(user, offset);
    for (int64_t i = offset; i > (fresh ? -1 : at->second); --i) {
      Value* before = user->inputs[static_cast<size_t>(i)];
      if (before->node->kind != prim::Constant && inline_.count(before->node))
        found.push_back(before);
    }
    at->second = offset;
    if (!fresh || !inline_.count(user)) break;
    // The one that is being written can't be split.
    offset = static_cast<int64_t>(user->output()->uses[0].offset) - 1;
    user = user->output()->uses[0].user;
  }
  for (size_t i = found.size(); i-- > 0;) {
    const Text right = use(found[i]);
    define(found[i]->node, right);
  }
}

void BodyPrinter::print_if(Node* n) {
  name_all(n->outputs);
  // Without types a reader would find others than the outputs have.
  bool typed = false;
  for (size_t i = 0; i < n->outputs.size() && !typed; ++i)
    typed = unify_types(n->blocks[0]->outputs()[i]->type, n->blocks[1]->outputs()[i]->type,
                        *n->graph->types) != n->outputs[i]->type &&
            n->outputs[i]->type->kind != TypeKind::Tensor;
  for (size_t i = 0; i < 2; ++i) {
    indent();
    if (i == 0) {
      put("if ");
      out_.add(use(n->input()));
      put(":\n");
    } else {
      put("else:\n");
    }
    ++level_;
    block(n->blocks[i], !n->outputs.empty());
    assign(n->outputs, n->blocks[i]->outputs(), typed);
    --level_;
  }
}

// For: the condition is always true. While: the number of rounds is without limit and nobody looks
// at it. What passes make of loops may be neither.
void BodyPrinter::print_loop(Node* n) {
  Block* body = n->blocks[0];
  const bool is_for =
      is_constant_bool(n->input(1), true) && is_constant_bool(body->outputs()[0], true);
  auto rounds = constant_value(n->input(0));
  const bool is_while = !is_for && rounds && rounds->isInt() && rounds->toInt() == INT64_MAX &&
                        !body->inputs()[0]->has_uses();
  name_all(n->outputs);
  for (size_t i = 0; i < n->outputs.size(); ++i) {
    names_[body->inputs()[i + 1]] = names_[n->outputs[i]];
    annotated_.insert(body->inputs()[i + 1]);  // its type is told before the loop
  }
  for (size_t i = 0; i < n->outputs.size(); ++i) {
    indent();
    out_.add(use(n->outputs[i]));
    if (is_annotated(n->outputs[i], n->inputs[i + 2])) put(": " + annotation(n->outputs[i]->type));
    put(" = ");
    out_.add(use(n->inputs[i + 2]));
    put("\n");
  }
  // Of a while loop the number of the round stands for the condition.
  Value* round = body->inputs()[0];
  names_[round] = name_for(round);
  std::vector<Value*> carried, next;
  if (is_for) {
    indent();
    put("for " + names_[round] + " in range(");
    out_.add(use(n->input(0)));
    put("):\n");
  } else if (!is_while) {
    return print_counted_while(n);
  } else {
    assign({round}, {n->input(1)}, false);
    indent();
    put("while " + names_[round] + ":\n");
    carried.push_back(round);
    next.push_back(body->outputs()[0]);
  }
  carried.insert(carried.end(), body->inputs().begin() + 1, body->inputs().end());
  next.insert(next.end(), body->outputs().begin() + 1, body->outputs().end());
  ++level_;
  block(body, !carried.empty());
  assign(carried, next, false);
  --level_;
}

// A while that counts its rounds:
//   r = 0
//   _1 = torch.__and__(torch.lt(0, n), c)
//   while _1:
//     ...
//     _2 = torch.add(r, 1)
//     _1, r, x = torch.__and__(torch.lt(_2, n), c0), _2, x0
void BodyPrinter::print_counted_while(Node* n) {
  Block* body = n->blocks[0];
  const std::string round = names_[body->inputs()[0]], most = fresh_name("_"),
                    go_on = fresh_name("_"), next = fresh_name("_");
  indent();
  put(most + " = ");
  out_.add(use(n->input(0)));
  put("\n");
  indent();
  put(go_on + " = torch.__and__(torch.lt(0, " + most + "), ");
  out_.add(use(n->input(1)));
  put(")\n");
  indent();
  put(round + " = 0\n");
  indent();
  put("while " + go_on + ":\n");
  ++level_;
  block(body, true);
  indent();
  put(next + " = torch.add(" + round + ", 1)\n");
  indent();
  put(go_on + ", " + round);
  for (size_t i = 1; i < body->inputs().size(); ++i) {
    put(", ");
    out_.add(use(body->inputs()[i]));
  }
  put(" = torch.__and__(torch.lt(" + next + ", " + most + "), ");
  list(out_, {body->outputs()[0]});
  put("), " + next);
  for (size_t i = 1; i < body->outputs().size(); ++i) {
    put(", ");
    out_.add(use(body->outputs()[i]));
  }
  put("\n");
  --level_;
}

void BodyPrinter::print_fork(Node* n) {
  const std::string name =
      fresh_name(n->kind == prim::fork ? "__forked_function" : "__awaitable_function");
  Graph* sub = subgraph(n);
  if (!sub || sub->inputs().size() != n->inputs.size()) refuse(n, "it has no body");
  indent();
  put("def " + name + "():\n");
  for (size_t i = 0; i < n->inputs.size(); ++i) {
    const Value* outer = n->inputs[i];
    if (auto it = names_.find(outer); it != names_.end())
      names_[sub->inputs()[i]] = it->second;
    else
      texts_[sub->inputs()[i]] = use(outer);
  }
  body(sub->block());
  Text t;
  add(t, (n->kind == prim::fork ? "fork(" : "awaitable(") + name + ")");
  define(n, t);
}

void BodyPrinter::print_enter(Node* n) {
  indent();
  put("with ");
  out_.add(use(n->input()));
  if (!n->outputs.empty() && n->output()->has_uses()) {
    name_all({n->output()});
    put(" as " + names_[n->output()]);
  }
  put(":\n");
  ++level_;
  entered_.back().push_back(n->input());
}

void BodyPrinter::print_exit(Node* n) {
  if (entered_.back().empty() || entered_.back().back() != n->input())
    refuse(n, "a with statement isn't left where it was entered");
  if (n->prev->kind == prim::Enter) {
    indent();
    put("pass\n");
  }
  entered_.back().pop_back();
  --level_;
}

void BodyPrinter::statement(Node* n) {
  if (n->kind == prim::Constant) return;
  places_.push_back(Place(n->range));
  for (const Value* v : n->inputs) needs_.add(v->type);
  for (const Value* v : n->outputs) needs_.add(v->type);
  if (n->kind == prim::If) {
    print_if(n);
  } else if (n->kind == prim::Loop) {
    print_loop(n);
  } else if (!n->blocks.empty()) {
    refuse(n, "it is made by a pass and has no source text");
  } else if (n->kind == prim::TupleUnpack || n->kind == prim::ListUnpack) {
    name_all(n->outputs);
    indent();
    if (!n->outputs.empty()) {
      list(out_, n->outputs);
      put(", = ");
    }
    out_.add(use(n->input()));
    put("\n");
  } else if (n->kind == prim::SetAttr) {
    static const Symbol name("name");
    if (!is_plain_name(n->s(name))) refuse(n, "the attribute's name can't be written");
    indent();
    out_.add(use(n->input(0)));
    put("." + n->s(name) + " = ");
    out_.add(use(n->input(1)));
    put("\n");
  } else if (n->kind == prim::fork || n->kind == prim::awaitable) {
    print_fork(n);
  } else if (n->kind == prim::Enter) {
    print_enter(n);
  } else if (n->kind == prim::Exit) {
    print_exit(n);
  } else if (n->kind == prim::ModuleContainerIndex) {
    name_all(n->outputs);
    indent();
    put(names_[n->output()] + " : " + annotation(n->output()->type) + " = ");
    out_.add(use(n->input(0)));
    put("[");
    out_.add(use(n->input(1)));
    put("]\n");
  } else {
    Text t = expression(n);
    if (inline_.count(n)) {
      const bool long_line = is_long(t);
      texts_[n->output()] = std::move(t);
      if (long_line) split(n->output());
    } else {
      define(n, t);
    }
  }
  places_.pop_back();
}

}  // namespace sconce::writer
