// SPDX-License-Identifier: Apache-2.0
#include "api/value_trace.h"

#include <algorithm>
#include <sstream>

#include "api/runtime.h"
#include "core/device.h"
#include "ir/cleanup.h"
#include "support/stack.h"

namespace sconce {

thread_local GraphEdit* GraphEdit::current_ = nullptr;
GraphEdit* GraphEdit::current() { return current_; }
GraphEditScope::GraphEditScope(GraphEdit& e) : outer_(GraphEdit::current_) {
  GraphEdit::current_ = &e;
}
GraphEditScope::~GraphEditScope() { GraphEdit::current_ = outer_; }

namespace {

// Types whose values can be compared.
bool comparable(TypePtr t) {
  check_stack();
  switch (t->kind) {
    case TypeKind::Tensor:
    case TypeKind::Int:
    case TypeKind::Float:
    case TypeKind::Bool:
    case TypeKind::Complex:
    case TypeKind::Number: return true;
    case TypeKind::List:
    case TypeKind::Tuple:
    case TypeKind::Optional:
      return !t->elems.empty() && std::all_of(t->elems.begin(), t->elems.end(), comparable);
    default: return false;
  }
}

// A node that only puts values together, or names what is there.
bool makes_nothing(const Node* n) {
  static const Symbol kKinds[] = {prim::Constant,       prim::GetAttr,       prim::ListConstruct,
                                  prim::TupleConstruct, prim::DictConstruct, prim::CreateObject,
                                  prim::Uninitialized};
  return std::find(std::begin(kKinds), std::end(kKinds), n->kind) != std::end(kKinds);
}

void number_nodes(Block* b, std::unordered_map<const Node*, size_t>& numbers) {
  check_stack();
  for (Node* n : b->nodes()) {
    numbers.emplace(n, numbers.size());
    for (Block* inner : n->blocks) number_nodes(inner, numbers);
  }
}

// The graph as PyTorch inlines it, and the number of each node in it.
std::unordered_map<const Node*, size_t> inlined(Graph& g) {
  PassContext c{&op_table(), nullptr};
  inline_as_pytorch(g, c);
  std::unordered_map<const Node*, size_t> numbers;
  number_nodes(g.block(), numbers);
  return numbers;
}

std::vector<std::string> node_lines(const Graph& g,
                                    const std::unordered_map<const Node*, size_t>& numbers) {
  std::vector<std::pair<const Node*, size_t>> at;
  const std::string text = print_graph(g, false, at);
  std::vector<std::string> lines(numbers.size());
  for (auto& [n, begin] : at) {
    auto number = numbers.find(n);
    if (number == numbers.end()) continue;
    const size_t first = text.find_first_not_of(' ', begin);
    lines[number->second] = text.substr(first, text.find('\n', begin) - first);
  }
  return lines;
}

std::string describe(const IValue& v) {
  check_stack();
  std::ostringstream s;
  if (v.isTensor()) {
    const Tensor& t = v.toTensorRef();
    if (!t.defined()) return "an undefined tensor";
    s << dtype_name(t.dtype()) << " " << t.sizes();
    if (t.device().type != DeviceType::CPU) s << " on " << t.device().str();
    return s.str();
  }
  if (v.isList() || v.isTuple()) {
    const auto& items = v.isList() ? v.toListRef().items : v.toTupleRef().items;
    s << (v.isList() ? "[" : "(");
    for (size_t i = 0; i < items.size() && i < 8; ++i) s << (i ? ", " : "") << describe(items[i]);
    if (items.size() > 8) s << ", ... " << items.size() << " in all";
    s << (v.isList() ? "]" : ")");
    return s.str();
  }
  if (v.isNone() || v.isScalar() || v.isDevice()) return ivalue_str(v);
  if (v.isString()) return "\"" + v.toStringRef().substr(0, 40) + "\"";
  if (v.isObject()) return "an object of " + v.toObjectRef().type->name;
  return std::string("a ") + v.tag_name();
}

}  // namespace

struct TraceKernels {
  static ValueTrace* tracing() { return dynamic_cast<ValueTrace*>(GraphEdit::current()); }
  static void inputs(Call& c) {
    ValueTrace* t = tracing();
    if (!t || !t->sink_) return;
    t->inputs_.clear();
    for (uint32_t i = 0; i < c.n_in(); ++i) t->inputs_.push_back(describe(c.in(i)));
  }
  static void value(Call& c) {
    ValueTrace* t = tracing();
    if (!t || !t->sink_) return;
    DeviceScope on_cpu(nullptr);  // whoever looks works there
    t->sink_(t->points_[static_cast<size_t>(c.in(0).toInt())], t->inputs_, c.in(1));
  }
  static const Operator& op(bool value) {
    static const Operator* ops = [] {
      auto* o = new Operator[2];
      o[0].set_text("sconce::trace_inputs(...) -> ()"), o[0].kernel = inputs;
      o[1].set_text("sconce::trace_value(int point, ...) -> ()"), o[1].kernel = TraceKernels::value;
      return o;
    }();
    return ops[value];
  }
};

namespace {
Node* insert_traced(Graph& g, bool value, const std::vector<Value*>& inputs) {
  const Operator& op = TraceKernels::op(value);
  Node* n = g.create(Symbol(op.name()), inputs, 0);
  n->op = &op;
  return g.insert_node(n);
}
}  // namespace

void ValueTrace::edit(Graph& g, const Function& f) {
  const auto numbers = inlined(g);
  const auto lines = node_lines(g, numbers);
  // What PyTorch drops before a graph runs may raise, and isn't looked at either.
  eliminate_dead_code(g);
  instrument(g.block(), numbers, lines, f, false);
}

void ValueTrace::instrument(Block* b, const std::unordered_map<const Node*, size_t>& numbers,
                            const std::vector<std::string>& lines, const Function& f, bool nested) {
  check_stack();
  Graph& g = *b->graph;
  for (Node* n : b->nodes()) {
    Node* const next = n->next;
    for (Block* inner : n->blocks) instrument(inner, numbers, lines, f, true);
    auto number = numbers.find(n);
    if (number == numbers.end() || makes_nothing(n)) continue;
    TracePoint p;
    p.function = f.qualified_name;
    p.node = static_cast<int64_t>(number->second);
    p.kind = n->overload().empty() ? n->kind.str() : n->overload();
    p.text = lines[number->second];
    p.module_path = n->module_path.str();
    p.range = n->range;
    p.nested = nested;
    p.random = is_nondeterministic(n);
    for (Value* v : n->inputs) {
      p.input_names.push_back("%" + (v->name.empty() ? std::to_string(v->id) : v->name));
      if (auto maker = numbers.find(v->node); maker != numbers.end())
        p.takes.emplace_back(static_cast<int64_t>(maker->second), static_cast<int64_t>(v->offset));
    }
    bool told = false;
    for (Value* v : n->outputs) {
      if (!comparable(v->type)) continue;
      if (!told && n->blocks.empty()) {
        g.set_insert_point(n);
        insert_traced(g, false, n->inputs);
      }
      told = true;
      p.output = static_cast<int64_t>(v->offset);
      g.set_insert_point(next);
      Value* id = g.insert_constant(static_cast<int64_t>(points_.size()));
      insert_traced(g, true, {id, v});
      points_.push_back(p);
    }
  }
}

void PrefixEdit::edit(Graph& g, const Function& f) {
  if (f.qualified_name != function_) return;
  const auto numbers = inlined(g);
  Node* last = nullptr;
  for (Node* n : g.block()->nodes())
    if (numbers.at(n) == static_cast<size_t>(node_)) last = n;
  if (!last) raise<Error>(function_, " has no node ", node_, " outside of its inner blocks");
  while (!g.outputs().empty()) g.block()->erase_output(g.outputs().size() - 1);
  g.block()->register_output(last->outputs.at(static_cast<size_t>(output_)));
  while (g.block()->last() != last) g.block()->last()->destroy();
}

}  // namespace sconce
