// SPDX-License-Identifier: Apache-2.0
// Types of tensors from the types of the graph's inputs, unknown sizes as symbols:
//
//   graph(%x : Float(*, 3), %y : Float(5, 3)):        graph(%x : Float(SS(-1), 3), %y : Float(5,
//   3)):
//     %a : Tensor = aten::relu(%x)               =>     %a : Float(SS(-1), 3) = aten::relu(%x)
//     %l : Tensor[] = prim::ListConstruct(%a, %y)       %l : Tensor[] = prim::ListConstruct(%a, %y)
//     %c : Tensor = aten::cat(%l, %zero)                %c : Float(SS(-2), 3) = aten::cat(%l,
//     %zero)
//
// Every operator runs, on tensors without elements (without_elements.h), once in each of a few
// worlds that give the symbols different numbers (shape_values.h); so there are no rules of sizes
// here. Where an operator refuses a size that is a symbol, because only some numbers fit (%x :
// Float(*, *) times a [3, 4]), it is asked with those that are near: with each other size that it
// sees, with one, and with products; what all that it takes have in common holds. If and Loop join
// what their blocks make, a loop until nothing changes. PyTorch's counterparts are
// propagate_shapes_on_graph (PropagateInputShapes) and the symbolic shape analysis
// (PropagateShapesOnGraph); both have rules, and give less.
//
// Must hold: what is known of a value stays known however its memory is written; a value whose
// sizes may change in place (resize_, unsqueeze_, out=) stays a plain Tensor, and so do elements of
// lists that are written. Entry: propagate_shapes(). Order: after inlining and freezing; attributes
// and calls are plain Tensors.
#include "passes/shape_propagation.h"

#include <algorithm>

#include "core/budget.h"
#include "ir/alias.h"
#include "ir/cleanup.h"
#include "passes/shape_values.h"
#include "support/lasting.h"
#include "support/stack.h"

namespace sconce {

using namespace shapes;

namespace {

constexpr int kRounds = 6;                   // of one loop before what still changes is given up
constexpr size_t kMostRemembered = 200'000;  // of a graph whose values are remembered
constexpr size_t kMostVisits = 64;           // of each node on average
constexpr size_t kMostAttempts = 48;         // to find sizes that an operator takes
constexpr int64_t kMostNumber = 10000;       // of a symbol beside which others are named
constexpr int64_t kMostAttemptedSize = int64_t{1} << 20;

// What would tell of strides and memory that a type doesn't have.
bool asks_for_layout(std::string_view kind) {
  static const Lasting kinds(new std::unordered_set<std::string_view>{
      "aten::stride", "aten::is_contiguous", "aten::storage_offset", "aten::data_ptr",
      "aten::is_non_overlapping_and_dense", "aten::is_set_to", "aten::_version",
      "prim::requires_grad", "aten::requires_grad", "prim::is_leaf", "aten::is_leaf",
      "aten::sym_stride", "aten::_is_view"});
  return kinds->count(kind) != 0;
}
// Operators that give a tensor that exists another form, those of out= aside.
bool changes_form(std::string_view name) {
  static const Lasting names(new std::unordered_set<std::string_view>{
      "resize_", "resize_as_", "set_", "set_data", "t_", "transpose_", "swapaxes_", "swapdims_",
      "squeeze_", "unsqueeze_", "as_strided_", "resize_as_sparse_", "_resize_output_", "rename_",
      "movedim_", "moveaxis_"});
  return names->count(name) != 0;
}
// A part of a container, whole: where that is the same in all worlds it is certain.
bool selects(std::string_view kind) {
  return kind == "aten::__getitem__" || kind == "aten::slice" || kind == "aten::add" ||
         kind == "aten::list" || kind == "aten::copy" || kind == "aten::len";
}

class Propagation {
 public:
  Propagation(Graph& g, PassContext& c, int64_t first_free)
      : graph_(g), context_(c), symbols_(first_free), outer_(context().budget) {
    count(g.block());
  }

  bool run(const std::vector<TypePtr>& inputs) {
    if (nodes_ > kMostRemembered) return false;
    size_t i = 0;
    for (Value* v : graph_.inputs()) {
      if (v->type->kind == TypeKind::Tensor && i < inputs.size())
        if (TypePtr t = inputs[i++]; t && t != v->type) {
          v->type = t;
          changed_ = true;
        }
      known_[v] = stable(v) ? from_type(v->type, v, symbols_, run_)
                            : nothing("its sizes may change in place");
    }
    block(graph_.block());
    for (Value* v : graph_.inputs())
      if (known_[v]) give_type(v);
    give_types(graph_.block());
    return changed_;
  }

 private:
  // ---- what the graph may do to forms ----

  void count(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      ++nodes_;
      if (n->op)
        for (size_t i = 0; i < n->inputs.size() && i < n->op->schema().arguments.size(); ++i) {
          const Argument& a = n->op->schema().arguments[i];
          if ((a.alias.is_write || a.element_alias.is_write) &&
              (changes_form(n->kind.unqualified()) || a.kwarg_only))
            reformed_.push_back(n->inputs[i]);
        }
      for (Value* v : n->outputs)
        if (v->type->kind == TypeKind::List) lists_ = true;
      for (Block* inner : n->blocks) count(inner);
    }
    if (!b->owning_node && (lists_ || !reformed_.empty())) alias_.emplace(graph_);
  }
  bool stable(const Value* v) const {
    if (!alias_ || !AliasDb::is_mutable_type(v->type)) return true;
    for (const Value* r : reformed_)
      if (alias_->may_alias(v, r)) return false;
    return v->type->kind == TypeKind::Tensor || v->type->kind == TypeKind::Tuple ||
           !alias_->has_writers_itself(v);
  }

  // ---- blocks ----

  void block(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      if (outer_) outer_->pass();
      if (++visits_ > kMostVisits * nodes_) {
        for (Value* o : n->outputs) known_[o] = nothing("the graph's loops are nested too deep");
        continue;
      }
      node(n);
    }
  }
  const Known& of(const Value* v) {
    static const Lasting none(new Known(nothing("nothing is known of it")));
    auto it = known_.find(v);
    return it == known_.end() ? *none : it->second;
  }
  void set(Value* v, Known k) {
    if (!stable(v)) k = nothing("it may change in place");
    if (!k && v->type->kind == TypeKind::Int) k = unknown_int(v, symbols_);
    known_[v] = std::move(k);
  }

  void node(Node* n) {
    const Symbol k = n->kind;
    if (k == prim::If) return if_node(n);
    if (k == prim::Loop) return loop(n);
    if (k == prim::Constant) return set(n->output(), constant_node(n));
    if (k == prim::ListConstruct || k == prim::TupleConstruct) {
      Known r;
      r.kind = Known::Kind::Parts;
      r.list = k == prim::ListConstruct;
      r.type = r.list                                ? n->output()->type->elem()
               : n->output()->type->is_named_tuple() ? n->output()->type
                                                     : nullptr;
      for (const Value* v : n->inputs) r.parts.push_back(of(v));
      return set(n->output(), std::move(r));
    }
    if (k == prim::TupleUnpack || k == prim::ListUnpack) {
      const Known from = of(n->input());
      for (size_t i = 0; i < n->outputs.size(); ++i)
        set(n->outputs[i], from.kind == Known::Kind::Parts && from.parts.size() == n->outputs.size()
                               ? from.parts[i]
                               : nothing("the elements aren't known"));
      return;
    }
    if (k == prim::TupleIndex) {
      const Known from = of(n->input());
      auto i = constant_value(n->input(1));
      Known r = nothing("the elements aren't known");
      if (from.kind == Known::Kind::Parts && i && i->isInt()) {
        const auto size = static_cast<int64_t>(from.parts.size());
        const int64_t at = i->toInt() < 0 ? i->toInt() + size : i->toInt();
        if (at >= 0 && at < size) r = from.parts[static_cast<size_t>(at)];
      }
      return set(n->output(), std::move(r));
    }
    if (k == prim::unchecked_cast || k == prim::unchecked_unwrap_optional)
      return set(n->output(), Known(of(n->input())));
    if (!n->blocks.empty() || !n->op || has_side_effects(n)) {
      for (Block* b : n->blocks) block(b);
      for (Value* o : n->outputs) set(o, nothing("what it runs isn't seen"));
      return;
    }
    operation(n);
  }

  Known constant_node(const Node* n) {
    auto v = constant_value(n->output());
    if (!v) return from_type(n->output()->type, n->output(), symbols_, run_);
    if (v->isTensor()) {
      const Tensor t = v->toTensor();
      if (!t.defined()) return from_type(n->output()->type, n->output(), symbols_, run_);
      if (t.impl()->nested_rows) return nothing("a nested tensor");
      try {
        Known k = constant(IValue(run_.like(t)));
        k.strides = true;
        k.device = t.device();
        k.no_grad = !t.requires_grad();
        return k;
      } catch (const Error& e) {
        return nothing(e.what());
      }
    }
    if (v->isList() || v->isTuple()) return parts_of(constant(*v), n->output()->type);
    if (v->isObject() || v->isFuture() || v->isFunction() || v->isDict() || v->isGenerator())
      return nothing("an object");
    return constant(*v);
  }

  void if_node(Node* n) {
    for (Block* b : n->blocks) block(b);
    const Known& c = of(n->input());
    const bool decided =
        c && !varies(c, false) && c.kind == Known::Kind::Value && c.in[0]->isBool();
    for (size_t i = 0; i < n->outputs.size(); ++i) {
      const Known &a = of(n->blocks[0]->outputs()[i]), &b = of(n->blocks[1]->outputs()[i]);
      if (decided)
        set(n->outputs[i], Known(c.in[0]->toBool() ? a : b));
      else
        set(n->outputs[i], join(a, b, n->outputs[i], symbols_, run_));
    }
  }

  void loop(Node* n) {
    Block* b = n->blocks[0];
    set(b->inputs()[0], unknown_int(b->inputs()[0], symbols_));
    std::vector<Known> carried;
    for (size_t i = 2; i < n->inputs.size(); ++i) carried.push_back(of(n->inputs[i]));
    for (int round = 0;; ++round) {
      for (size_t i = 0; i < carried.size(); ++i) set(b->inputs()[i + 1], carried[i]);
      block(b);
      bool more = false;
      for (size_t i = 0; i < carried.size(); ++i) {
        Known next = join(carried[i], of(b->outputs()[i + 1]), b->inputs()[i + 1], symbols_, run_);
        if (same(next, carried[i])) continue;
        more = true;
        carried[i] = round < kRounds ? std::move(next) : nothing("it changes in the loop");
      }
      if (!more) break;
    }
    for (size_t i = 0; i < n->outputs.size(); ++i)
      set(n->outputs[i],
          join(of(n->inputs[i + 2]), of(b->outputs()[i + 1]), n->outputs[i], symbols_, run_));
  }

  // ---- operators ----

  struct Attempt {
    std::array<std::optional<std::vector<IValue>>, kWorlds> results;
    bool ok() const {
      for (size_t w = 0; w < kNeeded; ++w)
        if (!results[w]) return false;
      return true;
    }
  };
  using Inputs = std::array<std::optional<std::vector<IValue>>, kWorlds>;

  void operation(Node* n) {
    const std::string_view kind = n->kind.view();
    auto fail = [&](const std::string& why) {
      for (Value* o : n->outputs) set(o, nothing(why));
    };
    if (asks_for_layout(kind)) return fail("strides aren't known");
    const FunctionSchema& schema = n->op->schema();
    Traits traits;
    bool numbers_vary = false, tensors_vary = false;
    for (size_t i = 0; i < n->inputs.size(); ++i) {
      const Known& k = of(n->inputs[i]);
      if (!k) return fail(k.why.empty() ? "an input isn't known" : k.why);
      look(k, traits);
      numbers_vary |= varies(k, false);
      tensors_vary |= varies(k, true);
    }
    if (device_question(n, traits)) return;
    const bool writes = schema.is_mutable();
    Inputs in;
    std::optional<Device> device = traits.device;
    for (size_t w = 0; w < kWorlds; ++w) {
      std::vector<IValue> values;
      for (size_t i = 0; i < n->inputs.size(); ++i) {
        auto v = materialize(of(n->inputs[i]), w);
        if (!v) break;
        if (v->isDevice()) {
          device = v->toDevice();
          v = IValue(Device{});
        }
        if (writes && v->isTensor() && v->toTensorRef().defined())
          v = IValue(WithoutElements::alias_of(v->toTensorRef()));
        values.push_back(std::move(*v));
      }
      if (values.size() == n->inputs.size()) in[w] = std::move(values);
    }
    for (size_t w = 0; w < kNeeded; ++w)
      if (!in[w]) return fail("a part of an input isn't known");
    // A factory that isn't told makes its tensors on the CPU.
    if (!traits.tensors && !device && schema.argument_index("device") >= 0) device = Device{};
    std::string why;
    Attempt first = attempt(*n->op, in, &why);
    if (first.ok()) {
      for (size_t o = 0; o < n->outputs.size(); ++o) {
        Known k = collect(first, o, n->outputs[o]->type);
        annotate(k, traits, device);
        set(n->outputs[o], certain(std::move(k), n, numbers_vary, tensors_vary, n->outputs[o]));
      }
      return;
    }
    if (!run_.wanted_elements() && n->op->kernel && !n->op->custom && tensors_vary &&
        attempt_near(n, in, traits, device))
      return;
    fail(why);
  }

  // What all tensors among the inputs have.
  struct Traits {
    bool tensors = false, strides = true, no_grad = true;
    std::optional<Device> device;
    bool devices_differ = false;
  };
  static void look(const Known& k, Traits& t) {
    check_stack();
    for (const Known& p : k.parts) look(p, t);
    if (!k.is_tensor() || !k.in[0]->toTensorRef().defined()) return;
    t.strides &= k.strides;
    t.no_grad &= k.no_grad;
    if (t.tensors && t.device != k.device) t.devices_differ = true;
    t.tensors = true;
    t.device = t.devices_differ ? std::nullopt : k.device;
  }
  static void annotate(Known& k, const Traits& t, const std::optional<Device>& device) {
    check_stack();
    for (Known& p : k.parts) annotate(p, t, device);
    if (!k.is_tensor()) return;
    k.strides = t.strides;
    k.no_grad = t.tensors && t.no_grad;
    k.device = device;
  }

  bool device_question(Node* n, const Traits& t) {
    const std::string_view kind = n->kind.view();
    if (kind == "prim::device") {
      set(n->output(), t.device ? constant(IValue(*t.device)) : nothing("the device isn't known"));
      return true;
    }
    if (kind == "prim::is_cuda" || kind == "prim::is_cpu") {
      set(n->output(),
          t.device ? constant(IValue(t.device->type == (kind == "prim::is_cuda" ? DeviceType::CUDA
                                                                                : DeviceType::CPU)))
                   : nothing("the device isn't known"));
      return true;
    }
    return false;
  }

  Attempt attempt(const Operator& op, const Inputs& in, std::string* why) {
    Attempt a;
    bool elements = false;
    for (size_t w = 0; w < kWorlds; ++w) {
      if (w == kNeeded && !a.ok()) break;
      if (!in[w]) continue;
      std::string ignored;
      a.results[w] = run_.run(op, *in[w], w < kNeeded ? why : &ignored);
      elements |= run_.wanted_elements();
      if (w < kNeeded && !a.results[w]) break;
    }
    elements_ = elements;
    return a;
  }

  // The parts of a list or tuple, one by one. A world in which a list of tensors has another length
  // is left aside.
  Known parts_of(Known k, TypePtr t) {
    check_stack();
    if (k.kind != Known::Kind::Value) return k;
    const bool list = k.in[0]->isList();
    if (!list && !k.in[0]->isTuple()) return k;
    auto items = [&](const IValue& v) -> const std::vector<IValue>& {
      return list ? v.toListRef().items : v.toTupleRef().items;
    };
    const size_t size = items(*k.in[0]).size();
    for (size_t w = 0; w < kWorlds; ++w) {
      if (!k.in[w] || items(*k.in[w]).size() == size) continue;
      if (w < kNeeded) return nothing("the length isn't known");
      k.in[w].reset();
    }
    Known r;
    r.kind = Known::Kind::Parts;
    r.list = list;
    r.type = list ? k.in[0]->toListRef().elem_type : k.in[0]->toTupleRef().type;
    for (size_t i = 0; i < size; ++i) {
      Known part;
      part.kind = Known::Kind::Value;
      for (size_t w = 0; w < kWorlds; ++w)
        if (k.in[w]) part.in[w] = items(*k.in[w])[i];
      const TypePtr e = t->elems.empty() ? t : t->elems[list || i >= t->elems.size() ? 0 : i];
      r.parts.push_back(parts_of(checked(std::move(part)), e));
    }
    return r;
  }
  // A value that is of one kind in all worlds.
  static Known checked(Known k) {
    for (size_t w = 1; w < kWorlds; ++w) {
      if (!k.in[w]) continue;
      bool fits = k.in[w]->tag() == k.in[0]->tag();
      if (fits && k.in[0]->isTensor()) {
        const Tensor &a = k.in[0]->toTensorRef(), &b = k.in[w]->toTensorRef();
        fits = a.defined() == b.defined() &&
               (!a.defined() || (a.dtype() == b.dtype() && a.dim() == b.dim()));
      }
      if (fits) continue;
      if (w < kNeeded) return nothing("it differs with the sizes");
      k.in[w].reset();
    }
    return k;
  }
  Known collect(const Attempt& a, size_t output, TypePtr type) {
    Known k;
    k.kind = Known::Kind::Value;
    for (size_t w = 0; w < kWorlds; ++w)
      if (a.results[w] && output < a.results[w]->size()) k.in[w] = (*a.results[w])[output];
    if (!k.in[0] || !k.in[1]) return nothing("the operator has no such result");
    return parts_of(checked(std::move(k)), type);
  }
  // Numbers that come of unknown sizes are themselves unknown, though they are the same in all
  // worlds: min(s, 2) is.
  Known certain(Known k, const Node* n, bool numbers_vary, bool tensors_vary, const Value* v) {
    if (k.kind != Known::Kind::Value || k.in[0]->isTensor() || selects(n->kind.view())) return k;
    if (k.in[0]->isInt()) return numbers_vary && !varies(k, false) ? unknown_int(v, symbols_) : k;
    if (numbers_vary || tensors_vary) return nothing("it depends on unknown sizes");
    return k;
  }

  // ---- sizes that an operator takes ----

  struct Change {
    Sizes from, to;
  };
  static IValue changed(const IValue& v, int64_t from, int64_t to, WithoutElements& run) {
    check_stack();
    if (v.isInt()) return v.toInt() == from ? IValue(to) : v;
    if (v.isTensor()) {
      const Tensor& t = v.toTensorRef();
      if (!t.defined()) return v;
      std::vector<int64_t> sizes = t.sizes().vec();
      if (std::find(sizes.begin(), sizes.end(), from) == sizes.end()) return v;
      std::replace(sizes.begin(), sizes.end(), from, to);
      return IValue(run.tensor(sizes, t.dtype()));
    }
    if (v.isList()) {
      std::vector<IValue> items;
      for (auto& e : v.toListRef().items) items.push_back(changed(e, from, to, run));
      return IValue(make_ref<ListBox>(v.toListRef().elem_type, std::move(items)));
    }
    return v;
  }
  // Sizes and numbers of the inputs: unknown ones, and constants.
  void sizes_in(const Known& k, std::vector<Sizes>& unknown, std::vector<int64_t>& fixed) {
    check_stack();
    auto add = [&](const Sizes& s) {
      if (s[0] == s[1]) {
        if (s[0] > 1 && s[0] < kMostAttemptedSize &&
            std::find(fixed.begin(), fixed.end(), s[0]) == fixed.end())
          fixed.push_back(s[0]);
      } else if (std::find(unknown.begin(), unknown.end(), s) == unknown.end()) {
        unknown.push_back(s);
      }
    };
    for (const Known& p : k.parts) sizes_in(p, unknown, fixed);
    if (k.kind != Known::Kind::Value) return;
    if (k.is_tensor()) {
      const Tensor& t = k.in[0]->toTensorRef();
      for (size_t d = 0; t.defined() && d < static_cast<size_t>(t.dim()); ++d) add(sizes_of(k, d));
    } else if (k.in[0]->isInt()) {
      Sizes s;
      for (size_t w = 0; w < kWorlds; ++w) s[w] = k.in[w] ? k.in[w]->toInt() : kAbsent;
      add(s);
    }
  }
  // One unknown size set to a constant or to another unknown one.
  std::vector<Change> changes(Node* n) {
    std::vector<Sizes> unknown;
    std::vector<int64_t> fixed;
    for (const Value* v : n->inputs) sizes_in(of(v), unknown, fixed);
    int64_t product = 1;
    for (int64_t f : fixed)
      if (product < kMostAttemptedSize) product *= f;
    if (product > 1 && product < kMostAttemptedSize)
      fixed.insert(fixed.end(), {product, 2 * product});
    fixed.insert(fixed.begin(), 1);
    std::vector<Change> r;
    for (const Sizes& u : unknown) {
      for (const Sizes& other : unknown)
        if (&other != &u) r.push_back({u, other});
      for (int64_t f : fixed) {
        Sizes to;
        to.fill(f);
        r.push_back({u, to});
      }
      if (r.size() > kMostAttempts) break;
    }
    if (r.size() > kMostAttempts) r.resize(kMostAttempts);
    return r;
  }
  // What all attempts that succeed agree on. A size that isn't in the result of every one of them,
  // or that was changed, is unknown.
  bool attempt_near(Node* n, const Inputs& in, const Traits& traits,
                    const std::optional<Device>& device) {
    std::vector<std::optional<Known>> agreed(n->outputs.size());
    bool any = false;
    for (const Change& c : changes(n)) {
      Inputs near;
      try {
        for (size_t w = 0; w < kNeeded; ++w) {
          near[w].emplace();
          for (const IValue& v : *in[w]) near[w]->push_back(changed(v, c.from[w], c.to[w], run_));
        }
      } catch (const Error&) {
        continue;
      }
      std::string why;
      Attempt a = attempt(*n->op, near, &why);
      if (elements_) return false;
      if (!a.ok()) continue;
      any = true;
      for (size_t o = 0; o < n->outputs.size(); ++o) {
        Known k = collect(a, o, n->outputs[o]->type);
        if (!k.is_tensor()) k = nothing("it depends on unknown sizes");
        if (k) k = forget(k, c, n->outputs[o]);
        agreed[o] = agreed[o] ? join(*agreed[o], k, n->outputs[o], symbols_, run_) : k;
      }
    }
    if (!any) return false;
    for (size_t o = 0; o < n->outputs.size(); ++o) {
      annotate(*agreed[o], traits, device);
      if (agreed[o]->is_tensor()) agreed[o]->strides = false;
      set(n->outputs[o], std::move(*agreed[o]));
    }
    return true;
  }
  // Sizes that are those of the unknown one that another one was taken for.
  Known forget(const Known& k, const Change& c, const Value* key) {
    const Tensor& t = k.in[0]->toTensorRef();
    if (!t.defined()) return nothing("an undefined tensor");
    std::vector<Sizes> sizes;
    for (size_t d = 0; d < static_cast<size_t>(t.dim()); ++d) {
      Sizes s = sizes_of(k, d);
      const bool other = c.to[0] != c.to[1] && s[0] == c.to[0] && s[1] == c.to[1];
      if (other) s = symbols_.fresh({key, d});
      // The worlds that weren't asked.
      for (size_t w = kNeeded; w < kWorlds && !other; ++w) s[w] = s[0] == s[1] ? s[0] : kAbsent;
      sizes.push_back(s);
    }
    return tensors(sizes, t.dtype(), run_);
  }

  // ---- types ----

  void give_types(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) {
        for (Value* v : inner->inputs()) give_type(v);
        give_types(inner);
      }
      if (n->kind == prim::Constant) continue;
      const bool before = changed_;
      changed_ = false;
      for (Value* v : n->outputs)
        if (v->type->kind == TypeKind::Tensor) {
          give_type(v);
          if (!v->type->tensor) context_.missed(n, "shape", of(v).why);
        }
      if (changed_) context_.applied(n, "shape");
      changed_ |= before;
    }
  }
  void give_type(Value* v) {
    if (v->type->kind != TypeKind::Tensor) return;
    TypePtr t = type_of(of(v), symbols_);
    if (t == v->type) return;
    v->type = t;
    changed_ = true;
  }

  Graph& graph_;
  PassContext& context_;
  Symbols symbols_;
  Budget* outer_;
  WithoutElements run_;
  std::unordered_map<const Value*, Known> known_;  // goes before run_ does
  std::optional<AliasDb> alias_;
  std::vector<const Value*> reformed_;  // given other sizes in place
  size_t nodes_ = 16, visits_ = 0;
  bool lists_ = false, changed_ = false, elements_ = false;
};

// The highest number of a symbol in a type.
int64_t highest_symbol(TypePtr t) {
  int64_t r = 0;
  if (t && t->tensor)
    for (int64_t s : t->tensor->sizes) r = std::max(r, -1 - s);
  return r;
}

// "Float", "float" or Python's "float32".
bool dtype_of(const std::string& name, ScalarType* t) {
  std::string capital = name;
  if (!capital.empty())
    capital[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(capital[0])));
  if (capital == "Bfloat16") capital = "BFloat16";
  if (scalar_type_from_name(capital, t)) return true;
  for (int i = 0; i <= static_cast<int>(ScalarType::UInt64); ++i)
    if (name == dtype_name(static_cast<ScalarType>(i))) {
      *t = static_cast<ScalarType>(i);
      return true;
    }
  return false;
}

}  // namespace

TypePtr parse_shape(const std::string& text, std::vector<std::string>& symbols) {
  TensorInfo info;
  info.has_dtype = true;
  size_t at = text.find(':');
  if (!dtype_of(text.substr(0, at), &info.dtype))
    raise<Error>("shape: '", text.substr(0, at), "' is no dtype");
  info.has_rank = at != std::string::npos;
  while (at != std::string::npos && at + 1 < text.size()) {
    const size_t end = text.find(':', at + 1);
    const std::string dim = text.substr(at + 1, end == std::string::npos ? end : end - at - 1);
    at = end;
    if (dim.empty()) raise<Error>("shape: '", text, "' has a dim without its size");
    if (dim == "*") {
      info.sizes.push_back(-1);
    } else if (dim.find_first_not_of("0123456789") == std::string::npos) {
      constexpr size_t kMostDigits = 12;
      if (dim.size() > kMostDigits) raise<Error>("shape: ", dim, " is too large");
      info.sizes.push_back(std::stoll(dim));
    } else {
      auto it = std::find(symbols.begin(), symbols.end(), dim);
      if (it == symbols.end()) it = symbols.insert(it, dim);
      info.sizes.push_back(-2 - (it - symbols.begin()));
    }
  }
  return TypeTable::global().tensor_with(std::move(info));
}

bool propagate_shapes(Graph& g, const std::vector<TypePtr>& inputs, PassContext& c) {
  int64_t highest = 0;
  for (const Value* v : g.inputs()) highest = std::max(highest, highest_symbol(v->type));
  for (TypePtr t : inputs) highest = std::max(highest, highest_symbol(t));
  return Propagation(g, c, highest + 1).run(inputs);
}

bool shape_propagation(Graph& g, PassContext& c) {
  std::vector<TypePtr> inputs;
  // Names get the numbers that the graph's own symbols leave.
  int64_t highest = 0;
  for (const Value* v : g.inputs()) highest = std::max(highest, highest_symbol(v->type));
  if (highest > kMostNumber) raise<Error>("shape: a symbol's number is too high");
  std::vector<std::string> symbols(static_cast<size_t>(highest));
  for (const std::string& text : c.arguments.list("inputs"))
    inputs.push_back(text == "_" ? nullptr : parse_shape(text, symbols));
  return propagate_shapes(g, inputs, c);
}

}  // namespace sconce
