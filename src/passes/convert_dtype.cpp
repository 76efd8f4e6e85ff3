// SPDX-License-Identifier: Apache-2.0
// A frozen graph in half precision (to=bfloat16 or half), some operators kept in float
// (keep=[layer_norm,softmax]):
//
//   graph(%x):
//     %w : Float(4, 3) = prim::Constant[...]()
//     %y = aten::linear(%x, %w, %b)
//     %z = aten::softmax(%y, %dim, %none)
//     return (%z)
//   =>
//   graph(%x):
//     %w' : BFloat16(4, 3) = prim::Constant[...]()
//     %h = aten::_autocast_to_reduced_precision(%x, ...)
//     %y = aten::linear(%h, %w', %b')
//     %f = aten::_autocast_to_full_precision(%y, ...)
//     %z = aten::softmax(%f, %dim, %none)
//     return (%z)
//
// The two operators are those of PyTorch's autocast: they cast float32 tensors down, or half
// precision up, and leave all others as they are; so ids and masks stay what they are though the
// graph doesn't say which inputs these are.
// - Inputs are cast where the graph begins, weights once and for all; one that is written is cast
//   where it is used instead.
// - A weight that half precision can't hold (a mask of -1e9) stays as it is.
// - Operators that want one dtype (products, convolutions, recurrent nets) get theirs reduced where
//   that isn't sure already; what is scattered or put gets the dtype of what it goes into.
// - Kept ones, calls and operators of other namespaces read float; between two of them nothing is
//   cast. Those that half precision doesn't have at all (fft, linalg, quantization) are kept
//   always.
// - Results are float again, unless outputs=keep.
// What autocast doesn't do: weights are cast once, everything between runs in half precision, and
// there is no mode to set. Order: after freezing and constant propagation; dce afterwards takes the
// old weights away.
#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "core/op_table.h"
#include "ir/alias.h"
#include "ir/cleanup.h"
#include "passes/passes.h"
#include "passes/reshaping.h"
#include "support/lasting.h"
#include "support/stack.h"

namespace sconce {

namespace {

using Names = std::unordered_set<std::string_view>;

// Their tensors have one dtype.
bool is_strict(std::string_view name) {
  static const Lasting names(new Names{"linear",
                                       "matmul",
                                       "mm",
                                       "bmm",
                                       "addmm",
                                       "baddbmm",
                                       "addbmm",
                                       "addmv",
                                       "addr",
                                       "mv",
                                       "dot",
                                       "inner",
                                       "outer",
                                       "vdot",
                                       "tensordot",
                                       "einsum",
                                       "bilinear",
                                       "prelu",
                                       "conv1d",
                                       "conv2d",
                                       "conv3d",
                                       "_convolution",
                                       "convolution",
                                       "conv_tbc",
                                       "_convolution_mode",
                                       "_grouped_mm",
                                       "conv_transpose1d",
                                       "conv_transpose2d",
                                       "conv_transpose3d",
                                       "lstm",
                                       "gru",
                                       "rnn_tanh",
                                       "rnn_relu",
                                       "lstm_cell",
                                       "gru_cell",
                                       "rnn_tanh_cell",
                                       "rnn_relu_cell",
                                       "batch_norm",
                                       "group_norm",
                                       "layer_norm",
                                       "instance_norm",
                                       "native_layer_norm",
                                       "native_batch_norm",
                                       "scaled_dot_product_attention",
                                       "embedding_bag",
                                       "grid_sampler",
                                       "chain_matmul",
                                       "addcmul",
                                       "addcdiv",
                                       "native_group_norm"});
  return names->count(name) != 0;
}
// What goes into the first tensor has its dtype.
bool goes_into(std::string_view name) {
  if (!name.empty() && name.back() == '_') name.remove_suffix(1);
  static const Lasting names(new Names{"scatter", "scatter_add", "scatter_reduce", "index_add",
                                       "index_copy", "index_put", "_index_put_impl",
                                       "masked_scatter", "lerp", "index_fill", "slice_scatter",
                                       "select_scatter", "index_reduce", "diagonal_scatter"});
  return names->count(name) != 0;
}
// Reduced tensors and numbers in, reduced tensors out.
bool keeps_dtype(std::string_view name) {
  static const Lasting names(new Names{"relu",
                                       "relu_",
                                       "relu6",
                                       "gelu",
                                       "silu",
                                       "silu_",
                                       "sigmoid",
                                       "sigmoid_",
                                       "tanh",
                                       "tanh_",
                                       "hardtanh",
                                       "hardtanh_",
                                       "hardswish",
                                       "hardswish_",
                                       "hardsigmoid",
                                       "leaky_relu",
                                       "leaky_relu_",
                                       "elu",
                                       "mish",
                                       "neg",
                                       "abs",
                                       "clamp",
                                       "dropout",
                                       "add",
                                       "add_",
                                       "sub",
                                       "mul",
                                       "mul_",
                                       "view",
                                       "reshape",
                                       "permute",
                                       "transpose",
                                       "t",
                                       "flatten",
                                       "squeeze",
                                       "unsqueeze",
                                       "expand",
                                       "contiguous",
                                       "slice",
                                       "select",
                                       "cat",
                                       "stack",
                                       "max_pool1d",
                                       "max_pool2d",
                                       "max_pool3d",
                                       "avg_pool1d",
                                       "avg_pool2d",
                                       "avg_pool3d",
                                       "adaptive_avg_pool1d",
                                       "adaptive_avg_pool2d",
                                       "adaptive_max_pool2d",
                                       "chunk",
                                       "split",
                                       "split_with_sizes",
                                       "unbind",
                                       "repeat",
                                       "upsample_nearest2d",
                                       "upsample_bilinear2d",
                                       "pixel_shuffle",
                                       "clone",
                                       "narrow",
                                       "constant_pad_nd"});
  return names->count(name) != 0;
}
bool never_reduced(std::string_view name) {
  static const Lasting names(new Names{"quantize_per_tensor",
                                       "quantize_per_channel",
                                       "quantize_per_tensor_dynamic",
                                       "stft",
                                       "istft",
                                       "complex",
                                       "polar",
                                       "view_as_complex",
                                       "svd",
                                       "cholesky",
                                       "inverse",
                                       "pinverse",
                                       "det",
                                       "logdet",
                                       "slogdet",
                                       "qr",
                                       "lu_solve",
                                       "histc",
                                       "cdist",
                                       "pdist",
                                       "bincount",
                                       "searchsorted",
                                       "bucketize",
                                       "fake_quantize_per_tensor_affine",
                                       "fake_quantize_per_channel_affine"});
  return names->count(name) || name.substr(0, 4) == "fft_" || name.substr(0, 7) == "linalg_";
}
constexpr const char* kKept[] = {"layer_norm",    "native_layer_norm",
                                 "group_norm",    "batch_norm",
                                 "instance_norm", "softmax",
                                 "log_softmax",   "exp",
                                 "expm1",         "log",
                                 "log1p",         "pow",
                                 "norm",          "logsumexp",
                                 "cumsum",        "cumprod",
                                 "var",           "std",
                                 "softplus",      "sinh",
                                 "cosh",          "tan",
                                 "erfinv"};

class Conversion {
 public:
  Conversion(Graph& g, PassContext& c)
      : graph_(g),
        context_(c),
        alias_(std::make_unique<AliasDb>(g)),
        down_(c.ops->find_overload("aten::_autocast_to_reduced_precision")),
        up_(c.ops->find_overload("aten::_autocast_to_full_precision")),
        type_as_(c.ops->find_overload("aten::type_as")) {
    const std::string to = c.arguments.text("to", "bfloat16");
    if (to != "bfloat16" && to != "half" && to != "float16")
      raise<Error>("pipeline: to is bfloat16 or half, not '", to, "'");
    dtype_ = to == "bfloat16" ? kBFloat16 : kHalf;
    const std::string outputs = c.arguments.text("outputs", "float");
    if (outputs != "float" && outputs != "keep")
      raise<Error>("pipeline: outputs is float or keep, not '", outputs, "'");
    outputs_ = outputs == "float";
    for (const std::string& k : c.arguments.list("keep")) kept_.insert(k);
    if (!c.arguments.has("keep")) kept_.insert(std::begin(kKept), std::end(kKept));
  }

  bool run() {
    if (!down_ || !up_ || !type_as_) return false;
    Block* b = graph_.block();
    // A graph that has half precision of its own answers as it does.
    outputs_ &= !has_reduced(b);
    for (Value* v : graph_.inputs()) input(v);
    block(b);
    if (outputs_)
      for (size_t i = 0; i < b->outputs().size(); ++i) {
        Value* v = restored(b->outputs()[i], b->ret);
        if (v != b->outputs()[i]) b->ret->replace_input(i, v);
      }
    return changed_;
  }

 private:
  static bool has_reduced(const Block* b) {
    check_stack();
    for (const Node* n = b->first(); n != b->ret; n = n->next) {
      if (n->kind == prim::Constant)
        if (auto c = constant_value(n->output()); c && c->isTensor() && c->box())
          if (c->toTensorRef().dtype() == kHalf || c->toTensorRef().dtype() == kBFloat16)
            return true;
      for (const Block* inner : n->blocks)
        if (has_reduced(inner)) return true;
    }
    return false;
  }
  static bool is_tensor(const Value* v) { return v->type->kind == TypeKind::Tensor; }
  static bool is_tensors(const Value* v) {
    return v->type->kind == TypeKind::List && v->type->elem()->kind == TypeKind::Tensor;
  }
  // A type that says that it isn't float32.
  static bool other_dtype(const Value* v) {
    const TensorInfo* t = v->type->tensor.get();
    return t && t->has_dtype && t->dtype != kFloat;
  }
  bool is_kept(const Node* n) const {
    if (n->kind == prim::CallMethod || n->kind == prim::CallFunction) return true;
    if (!n->op && !is_unknown_operator(n)) return false;
    if (!n->kind.is_aten()) return !n->kind.is_prim();
    return kept_.count(std::string(n->kind.unqualified())) ||
           never_reduced(n->kind.unqualified()) ||
           (!n->op->schema().is_mutable() && has_large_number(n));
  }
  // masked_fill with the least float32, say.
  bool has_large_number(const Node* n) const {
    const double most = dtype_ == kHalf ? 65504.0 : 3.3895e38;
    return std::any_of(n->inputs.begin(), n->inputs.end(), [&](const Value* v) {
      auto c = constant_value(v);
      double d = 0;
      if (c && c->isDouble()) d = c->toDouble();
      if (c && c->isTensor() && c->toTensorRef().defined() && c->toTensorRef().dim() == 0 &&
          c->toTensorRef().dtype() == kFloat)
        d = c->toTensorRef().item<double>();
      return std::isfinite(d) && std::abs(d) > most;
    });
  }

  // ---- casts ----

  Value* insert(const Operator* op, const std::vector<Value*>& in, const Node* range) {
    Node* n = graph_of(in[0]).insert_node(graph_of(in[0]).create(Symbol(op->name()), in, 1));
    n->op = op;
    if (range) n->range = range->range;
    changed_ = true;
    return n->output();
  }
  static Graph& graph_of(const Value* v) { return *v->graph(); }
  Value* reduce(Value* v, Node* before) {
    Graph& g = graph_of(v);
    InsertPoint at(g, before);
    Value* yes = g.insert_constant(IValue(true));
    Value* dtype = g.insert_constant(IValue(static_cast<int64_t>(dtype_)));
    Value* r = insert(down_, {v, yes, yes, dtype, dtype}, before);
    reduced_.insert(r);
    return r;
  }
  Value* restore(Value* v, Node* before) {
    Graph& g = graph_of(v);
    InsertPoint at(g, before);
    Value* yes = g.insert_constant(IValue(true));
    return insert(up_, {v, yes, yes}, before);
  }
  // The cast that stands before this one in its block, when nothing writes the value meanwhile.
  Value* cast(Value* v, Node* before, bool down) {
    auto& known = (down ? down_casts_ : up_casts_)[v];
    if (known && known->node->owner == before->owner && !alias_->has_writers(v)) return known;
    return known = down ? reduce(v, before) : restore(v, before);
  }

  // ---- inputs and weights ----

  void input(Value* v) {
    if (!is_tensor(v) || other_dtype(v) || !v->has_uses()) return;
    if (alias_->has_writers(v)) {
      context_.missed(v->node, "input", "the graph writes it");
      return;
    }
    replace_uses(v, [&] { return reduce(v, graph_.block()->first()); });
  }
  // Where it is neither handed back nor read in float, v is replaced by what make() gives.
  template <class Make>
  void replace_uses(Value* v, Make make) {
    std::vector<Use> uses;
    for (const Use& u : v->uses)
      if (u.user->owner && u.user != graph_.block()->ret && !is_kept(u.user) &&
          u.user->kind != prim::Return)
        uses.push_back(u);
    if (uses.empty()) return;
    Value* r = make();
    for (const Use& u : uses) u.user->replace_input(u.offset, r);
  }
  void weight(Node* n) {
    Value* v = n->output();
    auto c = constant_value(v);
    if (!c || !c->isTensor() || !c->toTensorRef().defined()) return;
    const Tensor t = c->toTensor();
    if (t.dtype() != kFloat || t.dim() == 0 || t.device().type == DeviceType::Meta) return;
    if (alias_->has_writers(v)) return context_.missed(n, "weight", "the graph writes it");
    std::optional<Folding> folding;
    if (context_.assumptions) folding.emplace(*context_.assumptions);
    const Tensor half = converted(t);
    if (!half.defined()) return context_.missed(n, "weight", "half precision can't hold it");
    if (folding && !folding->succeeded()) return context_.missed(n, "weight", "it may change");
    replace_uses(v, [&] {
      context_.applied(n, "weight");
      Graph& g = graph_of(v);
      InsertPoint at(g, n->next);
      TypePtr type = types::tensor();
      if (v->type->tensor) {
        TensorInfo info = *v->type->tensor;
        info.dtype = dtype_;
        type = TypeTable::global().tensor_with(std::move(info));
      }
      changed_ = true;
      Value* r = g.insert_constant(half, type);
      reduced_.insert(r);
      originals_[r] = v;
      return r;
    });
  }
  // Undefined where finite elements would become infinite.
  Tensor converted(const Tensor& t) const {
    auto run = [&](const char* op, std::vector<IValue> in) {
      return run_operator(*context_.ops->find_overload(op), std::move(in)).at(0).toTensor();
    };
    const Tensor half =
        run("aten::to.dtype", {t, static_cast<int64_t>(dtype_), false, false, IValue()});
    auto infinite = [&](const Tensor& x) {
      return run("aten::any", {run("aten::isinf", {x})}).item<int64_t>() != 0;
    };
    return infinite(half) && !infinite(t) ? Tensor() : half;
  }

  // ---- nodes ----

  void block(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) block(inner);
      if (Graph* sub = own_subgraph(n)) {
        auto outer = std::exchange(alias_, std::make_unique<AliasDb>(*sub));
        block(sub->block());
        alias_ = std::move(outer);
      }
      if (n->op == down_ || n->op == up_) continue;
      if (n->kind == prim::Constant)
        weight(n);
      else if (is_kept(n))
        keep(n);
      else if (n->op)
        operation(n);
    }
  }
  void operation(Node* n) {
    const std::string_view name = n->kind.unqualified();
    if (is_strict(name) && has_opaque_list(n)) {
      keep(n);
      return;
    }
    if (is_strict(name)) {
      bool any = false;
      for (size_t i = 0; i < n->inputs.size(); ++i) any |= reduce_input(n, i);
      if (any) context_.applied(n, "operator");
    } else if (goes_into(name)) {
      same_dtype(n);
    }
    if (name == "embedding" && surely_reduced(n->input())) reduced_.insert(n->output());
    if ((!is_strict(name) && !keeps_dtype(name)) || asks_for_dtype(n)) return;
    bool all = false;
    for (const Value* v : n->inputs) {
      if (!is_tensor(v) && !is_tensors(v)) continue;
      if (!surely_reduced(v)) return;
      all = true;
    }
    if (all)
      for (Value* o : n->outputs)
        if (is_tensor(o) || is_tensors(o)) reduced_.insert(o);
  }
  bool surely_reduced(const Value* v) const {
    if (reduced_.count(v)) return true;
    const auto& parts = v->node->inputs;
    if (v->node->kind == prim::ListConstruct)
      return !parts.empty() && !alias_->has_writers_itself(v) &&
             std::all_of(parts.begin(), parts.end(),
                         [&](const Value* e) { return reduced_.count(e) != 0; });
    return v->node->kind == prim::ListUnpack && reduced_.count(v->node->input());
  }
  static bool asks_for_dtype(const Node* n) {
    const int i = n->op->schema().argument_index("dtype");
    return i >= 0 && n->inputs[static_cast<size_t>(i)]->type->kind != TypeKind::None;
  }
  bool reduce_input(Node* n, size_t i) {
    Value* v = n->inputs[i];
    if (surely_reduced(v) || other_dtype(v)) return false;
    if (is_tensor(v)) {
      // Statistics that are written stay where they are.
      if (writes_statistics(n) && (i == 3 || i == 4)) return false;
      n->replace_input(i, cast(v, n, true));
      return true;
    }
    if (is_optional(v->type) && v->type->elem()->kind == TypeKind::Tensor) {
      n->replace_input(i, cast_optional(v, n, true));
      return true;
    }
    return is_tensors(v) && cast_list(n, i, true);
  }
  // None stays None.
  Value* cast_optional(Value* v, Node* before, bool down) {
    Graph& g = graph_of(v);
    InsertPoint at(g, before);
    Value* none = g.insert_constant(IValue());
    Node* is_none = g.insert_node(g.create(Symbol("aten::__is__"), {v, none}, 1));
    is_none->output()->type = types::boolean();
    is_none->op = resolve_operator(is_none, *context_.ops);
    Node* branch = g.insert_node(g.create(prim::If, {is_none->output()}, 1));
    branch->output()->type = v->type;
    branch->add_block()->register_output(none);
    Block* there = branch->add_block();
    g.set_insert_point(there);
    Node* tensor = g.insert_node(g.create(prim::unchecked_cast, {v}, 1));
    tensor->output()->type = types::tensor();
    there->register_output(down ? reduce(tensor->output(), there->ret)
                                : restore(tensor->output(), there->ret));
    return branch->output();
  }
  // Lists whose parts are seen, part by part: literals that nothing writes, and constants.
  bool cast_list(Node* n, size_t i, bool down) {
    Value* v = n->inputs[i];
    Graph& g = graph_of(v);
    InsertPoint at(g, n);
    std::vector<Value*> items;
    auto c = constant_value(v);
    if (c && c->isList()) {
      if (!down) return true;  // it is as it was
      for (const IValue& e : c->toListRef().items) {
        if (!e.isTensor()) return false;
        const Tensor& t = e.toTensorRef();
        const bool reducible = t.defined() && t.dtype() == kFloat;
        const Tensor half = reducible ? converted(t) : t;
        items.push_back(g.insert_constant(half.defined() ? half : t));
      }
    } else if (v->node->kind == prim::ListConstruct && !alias_->has_writers_itself(v)) {
      for (Value* e : v->node->inputs)
        items.push_back(down ? (surely_reduced(e) ? e : cast(e, n, true))
                             : (full_.count(e) ? e : cast(e, n, false)));
    } else {
      context_.missed(n, "operator", "the elements of a list aren't seen");
      return false;
    }
    Node* list = g.create_list(v->type->elem(), items);
    list->output()->type = v->type;
    n->replace_input(i, g.insert_node(list)->output());
    changed_ = true;
    return true;
  }
  // A list among the inputs whose elements aren't seen: they are what they were.
  bool has_opaque_list(const Node* n) const {
    return std::any_of(n->inputs.begin(), n->inputs.end(), [&](const Value* v) {
      return is_tensors(v) && !constant_value(v) &&
             (v->node->kind != prim::ListConstruct || alias_->has_writers_itself(v));
    });
  }
  void same_dtype(Node* n) {
    static const Lasting given(new Names{"src", "source", "values", "value", "end"});
    const auto& arguments = n->op->schema().arguments;
    for (size_t i = 1; i < n->inputs.size() && i < arguments.size(); ++i) {
      if (!given->count(arguments[i].name) || !is_tensor(n->inputs[i])) continue;
      if (reduced_.count(n->inputs[i]) && reduced_.count(n->inputs[0])) continue;
      InsertPoint at(graph_of(n->inputs[0]), n);
      n->replace_input(i, insert(type_as_, {n->inputs[i], n->inputs[0]}, n));
      context_.applied(n, "operator");
    }
  }
  // Reads float, and what isn't read by another kept one is reduced again.
  void keep(Node* n) {
    for (size_t i = 0; i < n->inputs.size(); ++i) {
      Value* v = n->inputs[i];
      if (is_tensors(v) && v->node->kind == prim::ListConstruct) cast_list(n, i, false);
      if (!is_tensor(v) || v->node->kind == prim::Constant || full_.count(v) || other_dtype(v))
        continue;
      if (n->op && writes_input(n, i)) {
        context_.missed(n, "keep", "it writes its input");
        return;
      }
      n->replace_input(i, cast(v, n, false));
    }
    context_.applied(n, "keep");
    for (Value* o : n->outputs) {
      if (!is_tensor(o) || other_dtype(o)) continue;
      full_.insert(o);
      replace_uses(o, [&] { return reduce(o, n->next); });
    }
  }
  static bool writes_input(const Node* n, size_t i) {
    const auto& a = n->op->schema().arguments;
    return i < a.size() && (a[i].alias.is_write || a[i].element_alias.is_write);
  }

  // ---- results ----

  Value* restored(Value* v, Node* before) {
    check_stack();
    if (is_tensor(v)) {
      if (auto known = originals_.find(v); known != originals_.end()) return known->second;
      // Reduced for others only.
      if (v->node->op == down_ && full_.count(v->node->input())) return v->node->input();
      const bool original =
          (v->node->kind == prim::Param || v->node->kind == prim::Constant) && !reduced_.count(v);
      return original || full_.count(v) || other_dtype(v) ? v : cast(v, before, false);
    }
    // A tuple that something else makes has so many parts.
    if (v->type->kind == TypeKind::Tuple && v->node->kind != prim::TupleConstruct) {
      bool tensors = false;
      for (TypePtr e : v->type->elems) tensors |= AliasDb::is_mutable_type(e);
      if (!tensors || v->node->kind == prim::Param) return v;
      InsertPoint at(graph_, before);
      std::vector<Value*> parts;
      for (Value* p : graph_.insert_node(graph_.create_tuple_unpack(v))->outputs)
        parts.push_back(restored(p, before));
      return graph_.insert_node(graph_.create_tuple(parts, v->type))->output();
    }
    if (is_optional(v->type) && v->type->elem()->kind == TypeKind::Tensor)
      return cast_optional(v, before, false);
    const Symbol k = v->node->kind;
    if ((k != prim::TupleConstruct && k != prim::ListConstruct && k != prim::DictConstruct) ||
        alias_->has_writers_itself(v)) {
      if (AliasDb::is_mutable_type(v->type) && v->type->kind != TypeKind::Class)
        context_.missed(v->node, "output", "its parts aren't seen");
      return v;
    }
    std::vector<Value*> parts;
    bool any = false;
    for (Value* p : v->node->inputs) {
      parts.push_back(restored(p, before));
      any |= parts.back() != p;
    }
    if (!any) return v;
    InsertPoint at(graph_, before);
    Node* n = graph_.create(k, parts, 1);
    n->output()->type = v->type;
    return graph_.insert_node(n)->output();
  }

  Graph& graph_;
  PassContext& context_;
  std::unique_ptr<AliasDb> alias_;  // of the graph or subgraph that is looked at
  const Operator *down_, *up_, *type_as_;
  ScalarType dtype_;
  bool outputs_, changed_ = false;
  std::unordered_set<std::string> kept_;
  std::unordered_set<const Value*> reduced_, full_;
  std::unordered_map<const Value*, Value*> down_casts_, up_casts_;
  std::unordered_map<const Value*, Value*> originals_;  // of reduced weights
};

}  // namespace

bool convert_dtype(Graph& g, PassContext& c) { return Conversion(g, c).run(); }

}  // namespace sconce
