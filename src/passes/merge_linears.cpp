// SPDX-License-Identifier: Apache-2.0
// Products of one input with several constant weights (queries, keys, values) become one:
//
//   %q = aten::linear(%x, %wq, %bq)
//   %k = aten::linear(%x, %wk, %bk)
//   %v = aten::linear(%x, %wv, %bv)
//   =>
//   %y = aten::linear(%x, cat(%wq, %wk, %wv), cat(%bq, %bk, %bv))
//   %s = aten::split_with_sizes(%y, [nq, nk, nv], -1)
//   %q, %k, %v = prim::ListUnpack(%s)
//
// and so for matmul(%x, %w), mm, and addmm(%b, %x, %w) with both factors 1. Weights have two dims
// and one dtype; biases are there for all or for none. The products stand in one block, and nothing
// writes %x between them. The results are views of one tensor, parts that don't overlap: what is
// written to one isn't seen in the others. Where the layout may be seen (it is handed on, or viewed
// by sizes that don't just split its last dim), contiguous makes it a tensor of its own. Each
// weight is in memory twice afterwards, unless the module frees its own. Answers may differ in the
// last bit, as products are added in another order. No counterpart in PyTorch for frozen graphs but
// in its CUDA compiler. Order: after freezing and constant propagation (weights and their
// transposes are constants), before layout passes.
#include <algorithm>
#include <map>

#include "ir/alias.h"
#include "ir/cleanup.h"
#include "passes/passes.h"
#include "passes/reshaping.h"
#include "support/lasting.h"
#include "support/stack.h"

namespace sconce {

namespace {

constexpr const char* kLinears = "linears";
constexpr size_t kMostMerged = 64;

struct Product {
  Node* node;
  size_t input, weight;  // which inputs of the node
  int bias;              // -1: it takes none
  int columns;           // the dim of the weight that becomes the result's last
  size_t place = 0;      // in its block
};

std::optional<Product> product(Node* n) {
  if (!n->op || n->outputs.size() != 1) return std::nullopt;
  const std::string_view name = n->op->full_name();
  if (name == "aten::linear") return Product{n, 0, 1, 2, 0};
  if (name == "aten::matmul" || name == "aten::mm") return Product{n, 0, 1, -1, 1};
  if (name == "aten::addmm") {
    auto one = [&](size_t i) {
      auto c = constant_value(n->inputs[i]);
      return c && ((c->isInt() && c->toInt() == 1) || (c->isDouble() && c->toDouble() == 1));
    };
    if (one(3) && one(4)) return Product{n, 1, 2, 0, 1};
  }
  return std::nullopt;
}
Tensor weight_tensor(const Value* v) {
  auto c = constant_value(v);
  return c && c->isTensor() && c->toTensorRef().defined() ? c->toTensor() : Tensor();
}

class Merge {
 public:
  Merge(Graph& g, PassContext& c) : graph_(g), context_(c), alias_(g) {}
  bool run() {
    resized_ = any_changes_form(graph_.block());
    block(graph_.block());
    if (changed_) context_.assumptions ? remove_unused(graph_) : eliminate_dead_code(graph_);
    return changed_;
  }

 private:
  void block(Block* b) {
    check_stack();
    // By input, kind, whether there is a bias, dtype and rows of the weight; in order.
    using Key = std::tuple<Value*, Symbol, bool, ScalarType, int64_t>;
    struct Less {
      bool operator()(const Key& x, const Key& y) const {
        auto key = [](const Key& k) {
          return std::tuple(std::get<0>(k), std::get<1>(k).id(), std::get<2>(k), std::get<3>(k),
                            std::get<4>(k));
        };
        return key(x) < key(y);
      }
    };
    std::map<Key, std::vector<Product>, Less> open;
    std::vector<std::vector<Product>> groups;
    size_t place = 0;
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) block(inner);
      // Whatever is written in inner blocks is written here.
      if (!n->blocks.empty() || !alias_.written(n).empty()) {
        for (auto it = open.begin(); it != open.end();) {
          if (!may_write(n, std::get<0>(it->first))) {
            ++it;
            continue;
          }
          if (it->second.size() > 1) groups.push_back(std::move(it->second));
          it = open.erase(it);
        }
      }
      auto p = product(n);
      if (!p) continue;
      p->place = ++place;
      const Tensor w = weight_tensor(n->inputs[p->weight]);
      if (const char* why = obstacle(*p, w)) {
        if (*why && shared(*p)) context_.missed(n, kLinears, why);
        continue;
      }
      auto& group =
          open[{n->inputs[p->input], n->kind, has_bias(*p), w.dtype(), w.size(1 - p->columns)}];
      group.push_back(*p);
      if (group.size() == kMostMerged) groups.push_back(std::move(group)), group.clear();
    }
    for (auto& [key, group] : open)
      if (group.size() > 1) groups.push_back(std::move(group));
    std::sort(groups.begin(), groups.end(),
              [](auto& x, auto& y) { return x[0].place < y[0].place; });
    for (auto& group : groups) merge(group);
  }
  bool may_write(const Node* n, const Value* v) const {
    if (alias_.writes_to_alias(n, {v})) return true;
    for (const Block* b : n->blocks)
      for (const Node* m = b->first(); m != b->ret; m = m->next)
        if (may_write(m, v)) return true;
    return false;
  }
  static bool has_bias(const Product& p) {
    return p.bias >= 0 && p.node->inputs[static_cast<size_t>(p.bias)]->type->kind != TypeKind::None;
  }
  // Another product of the same input: a candidate.
  static bool shared(const Product& p) {
    const Value* x = p.node->inputs[p.input];
    return std::any_of(x->uses.begin(), x->uses.end(), [&](const Use& u) {
      return u.user != p.node && u.user->kind == p.node->kind && u.offset == p.input &&
             u.user->owner == p.node->owner;
    });
  }
  const char* obstacle(const Product& p, const Tensor& w) const {
    if (!w.defined()) return "the weight isn't a constant";
    if (w.dim() != 2 || is_quantized(w.dtype()) || w.numel() == 0)
      return "the weight isn't a matrix";
    if (alias_.has_writers(p.node->inputs[p.weight])) return "the weight is written";
    if (resized_) return "the graph changes the sizes of tensors in place";
    if (!has_bias(p)) return nullptr;
    const Value* b = p.node->inputs[static_cast<size_t>(p.bias)];
    const Tensor bias = weight_tensor(b);
    if (!bias.defined() || bias.dim() != 1 || bias.size(0) != w.size(p.columns) ||
        bias.dtype() != w.dtype() || alias_.has_writers(b))
      return "the bias isn't a constant of the weight's size";
    return nullptr;
  }

  // ---- one group ----

  Tensor joined(const std::vector<Tensor>& parts, int64_t dim) const {
    return run_operator(*context_.ops->find_overload("aten::cat"), {IValue(parts), dim})
        .at(0)
        .toTensor();
  }
  void merge(const std::vector<Product>& group) {
    const Product& first = group[0];
    std::vector<Tensor> weights, biases;
    std::vector<IValue> sizes;
    for (const Product& p : group) {
      weights.push_back(weight_tensor(p.node->inputs[p.weight]));
      sizes.emplace_back(weights.back().size(p.columns));
      if (has_bias(p)) biases.push_back(weight_tensor(p.node->inputs[static_cast<size_t>(p.bias)]));
    }
    std::optional<Folding> folding;
    if (context_.assumptions) folding.emplace(*context_.assumptions);
    const Tensor w = joined(weights, first.columns);
    const Tensor b = biases.empty() ? Tensor() : joined(biases, 0);
    if (folding && !folding->succeeded())
      return context_.missed(first.node, kLinears, "a weight may change");
    folding.reset();
    for (const Product& p : group) context_.applied(p.node, kLinears);
    changed_ = true;

    InsertPoint at(graph_, first.node);
    std::vector<Value*> in = first.node->inputs;
    in[first.weight] = graph_.insert_constant(w);
    if (b.defined()) in[static_cast<size_t>(first.bias)] = graph_.insert_constant(b);
    Node* all = graph_.insert_node(graph_.create(first.node->kind, in, 1));
    all->op = first.node->op;
    all->range = first.node->range;
    Value* list =
        graph_.insert_constant(IValue(make_ref<ListBox>(types::integer(), std::move(sizes))),
                               types::list(types::integer()));
    Value* last = graph_.insert_constant(IValue(int64_t{-1}));
    Node* split =
        insert("aten::split_with_sizes", {all->output(), list, last}, types::list(types::tensor()));
    Node* parts = graph_.insert_node(graph_.create(prim::ListUnpack, {split->output()}, 0));
    parts->range = first.node->range;
    for (size_t i = 0; i < group.size(); ++i) {
      Value* old = group[i].node->output();
      Value* part = parts->add_output(types::tensor());
      if (!splits_only(old, weights[i].size(group[i].columns))) {
        Value* format = graph_.insert_constant(IValue(int64_t{0}));
        part = insert("aten::contiguous", {part, format}, types::tensor())->output();
      }
      part->type = unlaid(old->type);
      old->replace_all_uses_with(part);
    }
    for (const Product& p : group) p.node->destroy();
  }
  Node* insert(const char* name, const std::vector<Value*>& in, TypePtr type) {
    Node* n = graph_.insert_node(graph_.create(Symbol(name), in, 1));
    n->op = context_.ops->find_overload(name);
    n->output()->type = type;
    return n;
  }
  // The type without what it says of strides.
  static TypePtr unlaid(TypePtr t) {
    if (!t->tensor) return t;
    TensorInfo info = *t->tensor;
    info.strides.clear();
    return TypeTable::global().tensor_with(std::move(info));
  }

  // Nobody can tell that v, whose last dim has this size, is part of a wider tensor.
  static bool splits_only(const Value* v, int64_t size) {
    return std::all_of(v->uses.begin(), v->uses.end(), [&](const Use& u) {
      const Node* n = u.user;
      if (!uses_elements_only(n)) return false;
      const std::string_view name = n->kind.unqualified();
      if (name == "view")
        return u.offset == 0 && splits_last(n, size) && layout_ignored(n->output());
      if (takes_strides(name)) return false;
      return !is_view(name) || layout_ignored_by_all(n);
    });
  }
  static bool layout_ignored_by_all(const Node* n) {
    return std::all_of(n->outputs.begin(), n->outputs.end(),
                       [](const Value* o) { return layout_ignored(o); });
  }
  // Of a view of it: the same, but no view by sizes any more.
  static bool layout_ignored(const Value* v) {
    check_stack();
    return std::all_of(v->uses.begin(), v->uses.end(), [](const Use& u) {
      const Node* n = u.user;
      if (n->kind == prim::ListUnpack) return layout_ignored_by_all(n);
      if (!uses_elements_only(n) || takes_strides(n->kind.unqualified()) ||
          n->kind == Symbol("aten::view"))
        return false;
      return !is_view(n->kind.unqualified()) || layout_ignored_by_all(n);
    });
  }
  static bool takes_strides(std::string_view name) {
    static const Lasting names(new std::unordered_set<std::string_view>{
        "as_strided", "view_as", "view_as_complex", "unflatten", "unfold", "view_as_real",
        "numpy_T", "_reshape_alias", "clone", "empty_like", "zeros_like", "ones_like"});
    return names->count(name) != 0;
  }
  static bool is_view(std::string_view name) {
    static const Lasting names(new std::unordered_set<std::string_view>{
        "transpose", "permute",  "t",       "select",      "slice",    "unsqueeze",
        "squeeze",   "expand",   "chunk",   "split",       "unbind",   "split_with_sizes",
        "narrow",    "detach",   "alias",   "reshape",     "flatten",  "contiguous",
        "to",        "swapaxes", "movedim", "__getitem__", "expand_as"});
    return names->count(name) != 0;
  }
  // view(v, [..., a, b]) with a * b the size of v's last dim: the others are viewed as they were.
  static bool splits_last(const Node* n, int64_t size) {
    const Value* sizes = n->input(1);
    std::vector<std::optional<int64_t>> dims;
    if (sizes->node->kind == prim::ListConstruct) {
      for (const Value* e : sizes->node->inputs) {
        auto c = constant_value(e);
        dims.push_back(c && c->isInt() ? std::optional(c->toInt()) : std::nullopt);
      }
    } else if (auto c = constant_value(sizes); c && c->isList()) {
      for (const IValue& e : c->toListRef().items)
        dims.push_back(e.isInt() ? std::optional(e.toInt()) : std::nullopt);
    }
    int64_t product = 1;
    for (size_t i = dims.size(); i-- > 0;) {
      if (!dims[i] || *dims[i] <= 0 || *dims[i] > size) return false;
      product *= *dims[i];
      if (product == size) return true;
      if (product > size) return false;
    }
    return false;
  }

  Graph& graph_;
  PassContext& context_;
  AliasDb alias_;
  bool resized_ = false, changed_ = false;
};

}  // namespace

bool merge_linears(Graph& g, PassContext& c) { return Merge(g, c).run(); }

}  // namespace sconce
