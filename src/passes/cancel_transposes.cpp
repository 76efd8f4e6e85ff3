// SPDX-License-Identifier: Apache-2.0
// Permutations of dims that undo each other go, and those that don't become one:
//
//   aten::t(aten::t(%x))                                         =>  %x
//   aten::transpose(aten::transpose(%x, 1, 2), 1, 2)             =>  %x
//   aten::permute(aten::permute(%x, [0, 2, 1]), [1, 0, 2])       =>  aten::permute(%x, [2, 0, 1])
//   aten::permute(%x, [0, 1, 2])                                 =>  %x
//   %c = aten::contiguous(aten::transpose(%x, 1, 2), 0)
//   aten::transpose(%c, 1, 2)                                    =>  %x
//
// All of them are views, so the merged one is the same memory; putting %x in the place of a view of
// it wants that nothing changes sizes in place, and that only operators read the result, which hand
// no tensor on. Across contiguous, whose result is a copy, it is also wanted that neither side is
// written, and that nobody asks for strides or takes another view by them. The inner permutation
// goes with dce when nothing else reads it. PyTorch's peephole knows t of t only. Order: after
// constant propagation, which makes dims constants; then dce.
#include <algorithm>
#include <numeric>

#include "ir/alias.h"
#include "ir/cleanup.h"
#include "passes/node_query.h"
#include "passes/passes.h"
#include "passes/reshaping.h"
#include "support/lasting.h"
#include "support/stack.h"

namespace sconce {

namespace {

constexpr const char* kTranspose = "transpose";
constexpr size_t kMostDims = 64;

// dims[i] is the dim of the argument that becomes dim i. Of transpose and t the number of dims may
// be unknown: then the two dims that change places, as they are written.
struct Permutation {
  std::vector<int64_t> dims;
  int64_t a = 0, b = 0;
  bool known() const { return !dims.empty(); }
  bool swaps_the_same(const Permutation& o) const {
    return (a == o.a && b == o.b) || (a == o.b && b == o.a);
  }
};

std::optional<size_t> rank_of(const Value* v) {
  const TensorInfo* t = v->type->tensor.get();
  return t && t->has_rank ? std::optional(t->sizes.size()) : std::nullopt;
}
std::optional<std::vector<int64_t>> constant_ints(const Value* v) {
  std::vector<int64_t> r;
  if (v->node->kind == prim::ListConstruct) {
    for (const Value* e : v->node->inputs) {
      auto i = constant_int(e);
      if (!i) return std::nullopt;
      r.push_back(*i);
    }
    return r;
  }
  auto c = constant_value(v);
  if (!c || !c->isList()) return std::nullopt;
  for (const IValue& e : c->toListRef().items) {
    if (!e.isInt()) return std::nullopt;
    r.push_back(e.toInt());
  }
  return r;
}

class Cancel {
 public:
  Cancel(Graph& g, PassContext& c) : graph_(g), context_(c), alias_(g) {}
  bool run() {
    resized_ = any_changes_form(graph_.block());
    block(graph_.block());
    if (changed_ && !context_.assumptions) eliminate_dead_code(graph_);
    return changed_;
  }

 private:
  void block(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) block(inner);
      if (auto p = permutation(n)) node(n, *p);
    }
  }

  // Nothing: n doesn't permute, or not by constants.
  std::optional<Permutation> permutation(const Node* n) const {
    if (!n->op || n->outputs.size() != 1 || n->inputs.empty()) return std::nullopt;
    const std::string_view name = n->op->full_name();
    Permutation p;
    if (name == "aten::t") {
      p.a = 0, p.b = 1;
      p.dims = {1, 0};  // of two dims; of fewer it changes nothing, see pair()
      if (auto rank = rank_of(n->input()); rank && *rank < 2) {
        p.dims.resize(*rank);
        std::iota(p.dims.begin(), p.dims.end(), int64_t{0});
      }
      return p;
    }
    if (name == "aten::transpose.int" || name == "aten::swapaxes" || name == "aten::swapdims") {
      auto a = constant_int(n->input(1)), b = constant_int(n->input(2));
      if (!a || !b) return std::nullopt;
      p.a = *a, p.b = *b;
      if (auto rank = rank_of(n->input())) swap_in(p, *rank);
      return p;
    }
    if (name == "aten::mT") {
      p.a = -2, p.b = -1;
      if (auto rank = rank_of(n->input())) swap_in(p, *rank);
      return p;
    }
    if (name == "aten::permute") {
      auto dims = constant_ints(n->input(1));
      if (!dims || dims->empty() || dims->size() > kMostDims) return std::nullopt;
      if (n->input(1)->node->kind == prim::ListConstruct && alias_.has_writers_itself(n->input(1)))
        return std::nullopt;
      std::vector<bool> seen(dims->size());
      for (int64_t& d : *dims) {
        if (d < 0) d += static_cast<int64_t>(dims->size());
        if (d < 0 || d >= static_cast<int64_t>(dims->size()) || seen[static_cast<size_t>(d)])
          return std::nullopt;  // it raises
        seen[static_cast<size_t>(d)] = true;
      }
      p.dims = std::move(*dims);
      return p;
    }
    return std::nullopt;
  }
  // dims of a swap of p.a and p.b among so many; none where these aren't there.
  static void swap_in(Permutation& p, size_t rank) {
    const auto n = static_cast<int64_t>(rank);
    const int64_t a = p.a < 0 ? p.a + n : p.a, b = p.b < 0 ? p.b + n : p.b;
    if (a < 0 || b < 0 || a >= n || b >= n || rank > kMostDims) return;
    p.dims.resize(rank);
    std::iota(p.dims.begin(), p.dims.end(), int64_t{0});
    std::swap(p.dims[static_cast<size_t>(a)], p.dims[static_cast<size_t>(b)]);
  }
  static bool is_identity(const std::vector<int64_t>& dims) {
    for (size_t i = 0; i < dims.size(); ++i)
      if (dims[i] != static_cast<int64_t>(i)) return false;
    return true;
  }

  void node(Node* n, Permutation p) {
    Node* from = n->input()->node;
    const bool copied = from->op && from->op->full_name() == "aten::contiguous";
    Node* inner = copied ? from->input()->node : from;
    auto q = permutation(inner);
    if (!q) {
      // By itself: one that changes nothing. In a graph that is made to run it may have to raise.
      if (p.known() && is_identity(p.dims) && n->kind != Symbol("aten::t") &&
          (!context_.assumptions || rank_of(n->input())))
        replace(n, n->input(), false);
      return;
    }
    // One of the two may say how many dims there are.
    const bool inner_t = inner->kind == Symbol("aten::t"), outer_t = n->kind == Symbol("aten::t");
    // (t takes two at most, transpose of two dims that differ has as many.)
    if (!p.known() && q->known()) swap_in(p, q->dims.size());
    if (!q->known() && p.known()) swap_in(*q, p.dims.size());
    const bool undone =
        (inner_t && outer_t) ||
        (p.known() && q->known() && p.dims.size() == q->dims.size() &&
         is_identity(composed(q->dims, p.dims))) ||
        ((inner->kind != Symbol("aten::permute") && n->kind != Symbol("aten::permute")) &&
         p.swaps_the_same(*q));
    if (undone) return replace(n, inner->input(), copied);
    if (copied || inner_t || outer_t) return;
    if (!p.known() || !q->known() || p.dims.size() != q->dims.size()) {
      context_.missed(n, kTranspose, "the number of dims isn't known");
      return;
    }
    // Where the inner one stays, a chain is only shorter.
    if (inner->output()->uses.size() == 1) merge(n, inner, composed(q->dims, p.dims));
  }
  // First q, then p.
  static std::vector<int64_t> composed(const std::vector<int64_t>& q,
                                       const std::vector<int64_t>& p) {
    std::vector<int64_t> r;
    for (int64_t d : p) r.push_back(q[static_cast<size_t>(d)]);
    return r;
  }

  void merge(Node* n, Node* inner, const std::vector<int64_t>& dims) {
    const Operator* permute = context_.ops->find_overload("aten::permute");
    if (!permute) return;
    context_.applied(n, kTranspose);
    changed_ = true;
    InsertPoint at(graph_, n);
    std::vector<Value*> items;
    for (int64_t d : dims) items.push_back(graph_.insert_constant(IValue(d)));
    Value* list = graph_.insert_node(graph_.create_list(types::integer(), items))->output();
    Node* r = graph_.insert_node(graph_.create(Symbol("aten::permute"), {inner->input(), list}, 1));
    r->op = permute;
    r->range = n->range;
    r->output()->type = n->output()->type;
    n->output()->replace_all_uses_with(r->output());
    n->destroy();
  }

  // Only what reads elements in whatever order of memory.
  static bool ignores_strides(const Value* v) {
    static const Lasting views(new std::unordered_set<std::string_view>{
        "aten::view", "aten::as_strided", "aten::view_as", "aten::unfold", "aten::contiguous",
        "aten::to", "aten::clone", "aten::detach", "aten::alias"});
    return std::none_of(v->uses.begin(), v->uses.end(),
                        [&](const Use& u) { return views->count(u.user->kind.view()) != 0; });
  }
  void replace(Node* n, Value* by, bool copied) {
    Value* v = n->output();
    const char* why = resized_            ? "the graph changes the sizes of tensors in place"
                      : !elements_only(v) ? "the result is handed on"
                      : copied && (alias_.has_writers(v) || alias_.has_writers(by))
                          ? "the copy between them is written, or what is copied is"
                      : copied && !ignores_strides(v)
                          ? "the layout of the copy between them may be seen"
                          : nullptr;
    if (why) return context_.missed(n, kTranspose, why);
    context_.applied(n, kTranspose);
    changed_ = true;
    v->replace_all_uses_with(by);
  }

  Graph& graph_;
  PassContext& context_;
  AliasDb alias_;
  bool resized_ = false, changed_ = false;
};

}  // namespace

bool cancel_transposes(Graph& g, PassContext& c) { return Cancel(g, c).run(); }

}  // namespace sconce
