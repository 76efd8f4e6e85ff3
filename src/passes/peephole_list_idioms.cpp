// SPDX-License-Identifier: Apache-2.0
// Lists and dicts that are made in the graph and that nothing writes:
//
//   %n = aten::len(%list_construct)             =>   its number of elements
//   %x = aten::__getitem__(%list_construct, 1)  =>   the element
//   %a, %b = prim::ListUnpack(%list_construct)  =>   the elements
//   %l = aten::add(%list_construct, %another)   =>   one literal, and of slices
//   %x = aten::__getitem__(%dict_construct, "a") =>  the value; len too
//
// and with refine_list_len=true the length of any list where a comparison has decided it:
// if len(x) == 3: ... len(x) is 3 there. PyTorch's _jit_pass_peephole_list_idioms, and a part of
// its peephole pass. Order: after inlining.
#include <algorithm>
#include <limits>
#include <unordered_map>

#include "ir/torch_alias.h"
#include "passes/node_query.h"
#include "passes/peephole_parts.h"
#include "passes/refinement.h"
#include "support/stack.h"

namespace sconce {

namespace {

// Values of one kind that something writes.
class Written {
 public:
  Written(Graph& g, TypeKind kind) : kind_(kind), alias_(g) {}
  bool count(const Value* v) {
    // Values made since the analysis are known by mark.
    if (fresh_.count(v)) return fresh_written_.count(v) != 0;
    return v->type->kind == kind_ && alias_.has_writers(v);
  }
  void made(const Value* v, bool written) {
    fresh_.insert(v);
    if (written) fresh_written_.insert(v);
  }

 private:
  TypeKind kind_;
  TorchAliasDb alias_;
  std::unordered_set<const Value*> fresh_, fresh_written_;
};

class Lists {
 public:
  Lists(Graph& g, PassContext& c) : graph_(g), context_(c), written_(g, TypeKind::List) {}
  bool run(bool refine_lengths) {
    bool changed = block(graph_.block());
    if (refine_lengths) changed |= refine();
    return changed;
  }

 private:
  void new_list(Node* at, const std::vector<Value*>& items) {
    InsertPoint point(graph_, at);
    Node* made = graph_.insert_node(graph_.create(prim::ListConstruct, items));
    made->output()->type = at->output()->type;
    written_.made(made->output(), written_.count(at->output()));
    at->output()->replace_all_uses_with(made->output());
  }
  bool block(Block* b) {
    check_stack();
    bool changed = false;
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) changed |= block(inner);
      if (n->inputs.empty() || n->inputs[0]->type->kind != TypeKind::List) continue;
      Value* list = n->inputs[0];
      if (list->node->kind != prim::ListConstruct) continue;
      const bool candidate = is_kind(n, "aten::len") || is_kind(n, "aten::__getitem__") ||
                             n->kind == prim::ListUnpack || is_kind(n, "aten::add") ||
                             is_kind(n, "aten::slice");
      if (!candidate) continue;
      if (written_.count(list)) {
        context_.missed(n, "list", "the list may be written");
      } else if (rewrite(n, list->node->inputs)) {
        context_.applied(n, "list");
        changed = true;
      }
    }
    return changed;
  }
  bool rewrite(Node* n, const std::vector<Value*>& items) {
    auto size = static_cast<int64_t>(items.size());
    if (is_kind(n, "aten::len")) {
      replace_by_constant(n, n->output(), IValue(size));
      return true;
    }
    if (is_kind(n, "aten::__getitem__")) {
      auto i = constant_int(n->inputs[1]);
      if (!i) return false;
      int64_t at = *i < 0 ? *i + size : *i;
      if (at < 0 || at >= size) return false;
      n->output()->replace_all_uses_with(items[static_cast<size_t>(at)]);
      return true;
    }
    if (n->kind == prim::ListUnpack) {
      if (items.size() != n->outputs.size()) return false;
      for (size_t i = 0; i < items.size(); ++i) n->outputs[i]->replace_all_uses_with(items[i]);
      return !items.empty();
    }
    if (is_kind(n, "aten::slice")) return slice(n, items);
    if (n->inputs.size() != 2) return false;
    Value* second = n->inputs[1];
    if (second->node->kind != prim::ListConstruct || written_.count(second)) return false;
    std::vector<Value*> all(items.begin(), items.end());
    all.insert(all.end(), second->node->inputs.begin(), second->node->inputs.end());
    new_list(n, all);
    return true;
  }
  bool slice(Node* n, const std::vector<Value*>& items) {
    if (n->inputs.size() != 4) return false;
    auto a = constant_value(n->inputs[1]), e = constant_value(n->inputs[2]),
         s = constant_value(n->inputs[3]);
    if (!a || !e || !s) return false;
    auto size = static_cast<int64_t>(items.size());
    constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
    int64_t step = s->isInt() ? s->toInt() : 1;
    if (step == 0) return false;
    step = std::clamp(step, -size - 1, size + 1);  // beyond the ends is beyond the ends
    int64_t start = a->isInt() ? a->toInt() : kNone;
    int64_t end = e->isInt() ? e->toInt() : kNone;
    // None, for which PyTorch takes the largest number too, is the end from which the step leads
    // away.
    if (start == kNone && step > 0) start = 0;
    if (end == kNone && step < 0) end = -size - 1;
    auto clip = [&](int64_t v) {
      if (v < 0) return std::max<int64_t>(v + size, step < 0 ? -1 : 0);
      return std::min(v, step < 0 ? size - 1 : size);
    };
    start = clip(start);
    end = clip(end);
    std::vector<Value*> kept;
    for (int64_t i = start; step > 0 ? i < end : i > end; i += step)
      kept.push_back(items[static_cast<size_t>(i)]);
    new_list(n, kept);
    return true;
  }

  // ---- lengths that comparisons decide ----

  bool refine() {
    std::unordered_set<const Value*> once;
    collect(graph_.block(), once);
    if (!lists_.empty()) lengths(graph_.block(), {});
    return refined_;
  }
  // Lists whose length is asked twice.
  void collect(Block* b, std::unordered_set<const Value*>& once) {
    check_stack();
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) collect(inner, once);
      if (!is_kind(n, "aten::len") || n->inputs.empty()) continue;
      const Value* list = n->inputs[0];
      if (list->type->kind == TypeKind::List && !written_.count(list) && !once.insert(list).second)
        lists_.insert(list);
    }
  }
  void compared(Node* n) {
    for (size_t i : {size_t{0}, size_t{1}}) {
      auto k = constant_int(n->inputs[i]);
      const Node* len = n->inputs[1 - i]->node;
      if (!k || !is_overload(len, "aten::len.t") || !lists_.count(len->inputs[0])) continue;
      BoolRefinement r;
      (is_kind(n, "aten::eq") ? r.if_true : r.if_false)[len->inputs[0]] = *k;
      bools_.of(n->output()) = std::move(r);
    }
  }
  Refinement lengths(Block* b, Refinement here) {
    check_stack();
    active_.push_back(&here);
    for (Node* n : b->nodes()) {
      if (is_overload(n, "aten::eq.int") || is_overload(n, "aten::ne.int")) {
        compared(n);
      } else if (is_kind(n, "aten::len") && !n->inputs.empty()) {
        for (const Refinement* r : active_)
          if (auto it = r->find(n->inputs[0]); it != r->end()) {
            context_.applied(n, "length");
            replace_by_constant(n, n->output(), IValue(it->second));
            refined_ = true;
            break;
          }
      } else if (n->kind == prim::If) {
        const Value* condition = n->inputs[0];
        const bool known = bools_.known(condition);
        Refinement then =
            lengths(n->blocks[0], known ? bools_.of(condition).if_true : Refinement());
        Refinement otherwise =
            lengths(n->blocks[1], known ? bools_.of(condition).if_false : Refinement());
        bools_.join(n, here, then, otherwise);
      } else {
        bools_.common(n);
      }
    }
    active_.pop_back();
    return here;
  }

  Graph& graph_;
  PassContext& context_;
  Written written_;
  std::unordered_set<const Value*> lists_;
  std::vector<const Refinement*> active_;
  Refinements bools_;
  bool refined_ = false;
};

class Dicts {
 public:
  Dicts(Graph& g, PassContext& c) : graph_(g), context_(c), written_(g, TypeKind::Dict) {}
  bool run() { return block(graph_.block()); }

 private:
  // The constant keys of a dict literal, when they are constants and differ.
  struct Keys {
    bool known = true;
    std::unordered_map<int64_t, size_t> ints;
    std::unordered_map<std::string, size_t> strings;
    std::unordered_map<double, size_t> floats;
    bool add(const IValue& k, size_t at) {
      if (k.isInt()) return ints.emplace(k.toInt(), at).second;
      if (k.isString()) return strings.emplace(k.toStringRef(), at).second;
      return k.isDouble() && floats.emplace(k.toDouble(), at).second;
    }
    std::optional<size_t> find(const IValue& k) const {
      auto in = [](const auto& map, const auto& key) {
        auto it = map.find(key);
        return it == map.end() ? std::nullopt : std::optional<size_t>(it->second);
      };
      if (k.isInt()) return in(ints, k.toInt());
      if (k.isString()) return in(strings, k.toStringRef());
      return k.isDouble() ? in(floats, k.toDouble()) : std::nullopt;
    }
  };
  const Keys& keys_of(const Node* n) {
    auto [it, added] = keys_.try_emplace(n);
    for (size_t i = 0; added && it->second.known && i + 1 < n->inputs.size(); i += 2) {
      auto k = constant_value(n->inputs[i]);
      it->second.known = k && it->second.add(*k, i + 1);
    }
    return it->second;
  }
  bool block(Block* b) {
    check_stack();
    bool changed = false;
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) changed |= block(inner);
      if (n->inputs.empty() || n->inputs[0]->type->kind != TypeKind::Dict) continue;
      const Node* made = n->inputs[0]->node;
      const bool len = is_kind(n, "aten::len");
      if (made->kind != prim::DictConstruct || (!len && !is_kind(n, "aten::__getitem__"))) continue;
      if (written_.count(n->inputs[0])) {
        context_.missed(n, "dict", "the dict may be written");
        continue;
      }
      const TypeKind key = n->inputs[0]->type->elems[0]->kind;
      const Keys& keys = keys_of(made);
      if (!keys.known ||
          (key != TypeKind::Int && key != TypeKind::Float && key != TypeKind::String)) {
        context_.missed(n, "dict", "a key is no constant, or stands twice");
        continue;
      }
      if (len) {
        context_.applied(n, "dict");
        replace_by_constant(n, n->output(), IValue(static_cast<int64_t>(made->inputs.size() / 2)));
        changed = true;
      } else if (auto wanted = constant_value(n->inputs[1])) {
        auto at = keys.find(*wanted);
        if (!at) continue;
        context_.applied(n, "dict");
        n->output()->replace_all_uses_with(made->inputs[*at]);
        changed = true;
      }
    }
    return changed;
  }

  Graph& graph_;
  PassContext& context_;
  Written written_;
  std::unordered_map<const Node*, Keys> keys_;
};

}  // namespace

bool list_idioms(Graph& g, PassContext& c, bool refine_lengths) {
  return Lists(g, c).run(refine_lengths);
}
bool dict_idioms(Graph& g, PassContext& c) { return Dicts(g, c).run(); }

bool peephole_list_idioms(Graph& g, PassContext& c) {
  return list_idioms(g, c, c.arguments.flag("refine_list_len", false));
}

}  // namespace sconce
