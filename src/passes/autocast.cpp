// SPDX-License-Identifier: Apache-2.0
// What PyTorch's executor does with `with torch.autocast(...)`: inputs of some operators are cast.
//
//   %a = prim::CreateObject()                      %a = prim::CreateObject()
//    = prim::SetAttr[name="_enabled"](%a, %on)      = prim::SetAttr[name="_enabled"](%a, %on)
//    = prim::SetAttr[name="device"](%a, %cpu)       = prim::SetAttr[name="device"](%a, %cpu)
//    = prim::SetAttr[name="fast_dtype"](%a, %t)     = prim::SetAttr[name="fast_dtype"](%a, %t)
//   %b = prim::Enter(%a)                       =>  %c = aten::_autocast_to_reduced_precision(%x,
//   %y = aten::mm(%x, %x)                                   %false, %on, %half, %t)
//   %e = prim::Exit(%a)                            %y = aten::mm(%c, %c)
//
// The scope is what stands between Enter and Exit, nested blocks included; tasks and calls that
// stay calls are outside of it, as in PyTorch. Where PyTorch wants constants, any value will do
// here. Order: after inlining, so that __init__ is seen; before anything is folded.
#include <algorithm>
#include <iterator>
#include <string_view>

#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

enum class Policy : uint8_t {
  None,
  Reduced,          // float32 tensors become the fast dtype
  Full,             // tensors of half precision become float32
  FullUnlessDtype,  // the same, when the dtype of the result isn't given
  Widest            // the same, when some tensor may be float32
};
struct Row {
  std::string_view name;
  Policy policy;
};
// PyTorch 2.13's lists, by name; forms that write in place are left alone.
constexpr Row kRows[] = {
    // clang-format off
    {"_convolution", Policy::Reduced}, {"_thnn_fused_gru_cell", Policy::Reduced}, {"_thnn_fused_lstm_cell", Policy::Reduced},
    {"addbmm", Policy::Reduced}, {"addmm", Policy::Reduced}, {"addmv", Policy::Reduced}, {"addr", Policy::Reduced}, {"baddbmm", Policy::Reduced},
    {"bmm", Policy::Reduced}, {"conv1d", Policy::Reduced}, {"conv2d", Policy::Reduced}, {"conv3d", Policy::Reduced}, {"conv_tbc", Policy::Reduced},
    {"conv_transpose1d", Policy::Reduced}, {"convolution", Policy::Reduced}, {"cudnn_convolution", Policy::Reduced},
    {"cudnn_convolution_transpose", Policy::Reduced}, {"gru_cell", Policy::Reduced}, {"linear", Policy::Reduced}, {"lstm_cell", Policy::Reduced},
    {"matmul", Policy::Reduced}, {"mm", Policy::Reduced}, {"mv", Policy::Reduced}, {"prelu", Policy::Reduced}, {"rnn_relu_cell", Policy::Reduced},
    {"rnn_tanh_cell", Policy::Reduced},
    {"acos", Policy::Full}, {"asin", Policy::Full}, {"binary_cross_entropy_with_logits", Policy::Full}, {"cdist", Policy::Full}, {"cosh", Policy::Full},
    {"cosine_embedding_loss", Policy::Full}, {"cosine_similarity", Policy::Full}, {"dist", Policy::Full}, {"erfinv", Policy::Full}, {"exp", Policy::Full},
    {"expm1", Policy::Full}, {"frobenius_norm", Policy::Full}, {"gelu", Policy::Full}, {"group_norm", Policy::Full}, {"hinge_embedding_loss", Policy::Full},
    {"kl_div", Policy::Full}, {"l1_loss", Policy::Full}, {"layer_norm", Policy::Full}, {"log", Policy::Full}, {"log10", Policy::Full}, {"log1p", Policy::Full},
    {"log2", Policy::Full}, {"logsumexp", Policy::Full}, {"margin_ranking_loss", Policy::Full}, {"mse_loss", Policy::Full}, {"multi_margin_loss", Policy::Full},
    {"multilabel_margin_loss", Policy::Full}, {"native_layer_norm", Policy::Full}, {"nll_loss", Policy::Full}, {"nll_loss2d", Policy::Full},
    {"nuclear_norm", Policy::Full}, {"pdist", Policy::Full}, {"pow", Policy::Full}, {"reciprocal", Policy::Full}, {"renorm", Policy::Full}, {"rsqrt", Policy::Full},
    {"sinh", Policy::Full}, {"smooth_l1_loss", Policy::Full}, {"soft_margin_loss", Policy::Full}, {"softplus", Policy::Full}, {"tan", Policy::Full},
    {"triplet_margin_loss", Policy::Full},
    {"cumprod", Policy::FullUnlessDtype}, {"cumsum", Policy::FullUnlessDtype}, {"log_softmax", Policy::FullUnlessDtype}, {"prod", Policy::FullUnlessDtype},
    {"sum", Policy::FullUnlessDtype},
    {"add", Policy::Widest}, {"addcdiv", Policy::Widest}, {"addcmul", Policy::Widest}, {"atan2", Policy::Widest}, {"bilinear", Policy::Widest},
    {"cat", Policy::Widest}, {"cross", Policy::Widest}, {"div", Policy::Widest}, {"dot", Policy::Widest}, {"equal", Policy::Widest},
    {"index_put", Policy::Widest}, {"mul", Policy::Widest}, {"stack", Policy::Widest}, {"sub", Policy::Widest}, {"tensordot", Policy::Widest},
    // clang-format on
};
Policy policy_of(const Node* n) {
  if (!n->kind.is_aten() || !n->op || n->op->schema().is_mutable()) return Policy::None;
  auto row = std::find_if(std::begin(kRows), std::end(kRows),
                          [&](const Row& r) { return r.name == n->kind.unqualified(); });
  return row == std::end(kRows) ? Policy::None : row->policy;
}

// "__torch__.torch.amp.autocast_mode.___torch_mangle_3.autocast"
bool is_autocast(TypePtr t) {
  if (t->kind != TypeKind::Class) return false;
  std::string name;
  for (size_t at = 0; at <= t->name.size();) {
    size_t dot = std::min(t->name.find('.', at), t->name.size());
    std::string part = t->name.substr(at, dot - at);
    if (part.rfind("___torch_mangle_", 0) != 0) name += (name.empty() ? "" : ".") + part;
    at = dot + 1;
  }
  for (const char* known : {"amp.autocast_mode.autocast", "autocast_mode.autocast",
                            "cpu.amp.autocast_mode.autocast", "cuda.amp.autocast_mode.autocast"})
    if (name == std::string("__torch__.torch.") + known) return true;
  return false;
}

// What holds at a node; a null flag is off. The device with a flag has a dtype.
struct State {
  Value *cuda = nullptr, *cpu = nullptr;
  Value *cuda_dtype = nullptr, *cpu_dtype = nullptr;
  explicit operator bool() const { return cuda || cpu; }
};

class Autocast {
 public:
  Autocast(Graph& g, const OpTable& ops) : g_(g), ops_(ops) {}
  bool run() {
    block(g_.block(), State());
    return changed_;
  }

 private:
  void block(Block* b, const State& outside) {
    check_stack();
    std::vector<State> scopes{outside};
    for (Node* n : b->nodes()) {
      if (n->kind == prim::Enter && is_autocast(n->inputs[0]->type)) {
        scopes.push_back(entered(n, scopes.back()));
        continue;
      }
      if (n->kind == prim::Exit && is_autocast(n->inputs[0]->type)) {
        if (scopes.size() > 1) scopes.pop_back();
        leave(n);
        continue;
      }
      for (Block* inner : n->blocks) block(inner, scopes.back());
      if (scopes.back()) cast_inputs(n, scopes.back());
    }
  }

  // The object's attribute: what was set where it was made, else what it holds now.
  Value* attribute(Value* object, const char* name, TypePtr type) {
    static const Symbol attr("name");
    if (object->node->kind == prim::CreateObject)
      for (const Use& u : object->uses)
        if (u.user->kind == prim::SetAttr && u.offset == 0 && u.user->s(attr) == name)
          return u.user->inputs[1];
    Node* get = g_.insert_node(g_.create(prim::GetAttr, {object}, 1));
    get->set_s(attr, name);
    get->output()->type = type;
    return get->output();
  }
  static std::optional<std::string> constant_text(Value* v) {
    while (v->node->kind == prim::unchecked_cast) v = v->node->inputs[0];
    auto c = constant_value(v);
    return c && c->isString() ? std::optional<std::string>(c->toString()) : std::nullopt;
  }
  State entered(Node* enter, const State& outside) {
    InsertPoint at(g_, enter->next);
    Value* object = enter->inputs[0];
    Value* enabled = attribute(object, "_enabled", types::boolean());
    Value* dtype = attribute(object, "fast_dtype", types::integer());
    Value* device = attribute(object, "device", types::string());
    // The object itself does nothing when it is entered.
    enter->output()->replace_all_uses_with(object);
    enter->destroy();
    changed_ = true;
    State s = outside;
    auto kind = constant_text(device);
    auto set = [&](const char* name, Value*& flag, Value*& fast) {
      if (kind && *kind != name) return;
      if (kind) {
        flag = enabled;
        fast = dtype;
        return;
      }
      Node* same =
          g_.insert_node(g_.create(Symbol("aten::eq"), {device, g_.insert_constant(name)}, 1));
      same->op = &ops_.require("aten::eq.str");
      same->output()->type = types::boolean();
      Value* off = flag ? flag : g_.insert_constant(false);
      Value* any = fast ? fast : dtype;
      flag = choose(same->output(), enabled, off);
      fast = choose(same->output(), dtype, any);
    };
    set("cuda", s.cuda, s.cuda_dtype);
    set("cpu", s.cpu, s.cpu_dtype);
    return s;
  }
  Value* choose(Value* condition, Value* yes, Value* no) {
    if (yes == no) return yes;
    Node* n = g_.insert_node(g_.create(prim::If, {condition}, 1));
    n->add_block()->register_output(yes);
    n->add_block()->register_output(no);
    n->output()->type = yes->type;
    return n->output();
  }
  void leave(Node* exit) {
    InsertPoint at(g_, exit);
    if (exit->has_uses()) exit->output()->replace_all_uses_with(g_.insert_constant(IValue()));
    exit->destroy();
    changed_ = true;
  }

  void cast_inputs(Node* n, const State& s) {
    Policy p = policy_of(n);
    if (p == Policy::None || (p == Policy::FullUnlessDtype && has_dtype(n))) return;
    auto may_be_float = [](Value* v) {
      return v->type->kind == TypeKind::Tensor &&
             (!v->type->tensor || !v->type->tensor->has_dtype || v->type->tensor->dtype == kFloat);
    };
    if (p == Policy::Widest && std::none_of(n->inputs.begin(), n->inputs.end(), may_be_float))
      return;
    const Operator* op = &ops_.require(p == Policy::Reduced ? "aten::_autocast_to_reduced_precision"
                                                            : "aten::_autocast_to_full_precision");
    for (size_t i = 0; i < n->inputs.size(); ++i) {
      Value* v = n->inputs[i];
      if (v->type->kind != TypeKind::Tensor || v->node->op == op) continue;
      Value* c = cast(n, v, op, s);
      for (size_t k = i; k < n->inputs.size(); ++k)
        if (n->inputs[k] == v) n->replace_input(k, c);
    }
  }
  static bool has_dtype(const Node* n) {
    int i = n->op->schema().argument_index("dtype");
    return i >= 0 && n->inputs[static_cast<size_t>(i)]->type->kind != TypeKind::None;
  }
  Value* cast(Node* before, Value* v, const Operator* op, const State& s) {
    const bool in_reduced_precision = op->name() == "aten::_autocast_to_reduced_precision";
    InsertPoint at(g_, before);
    auto flag = [&](Value* f) { return f ? f : g_.insert_constant(false); };
    auto dtype = [&](Value* d, ScalarType otherwise) {
      return d ? d : g_.insert_constant(static_cast<int64_t>(otherwise));
    };
    std::vector<Value*> in{v, flag(s.cuda), flag(s.cpu)};
    if (in_reduced_precision) {
      in.push_back(dtype(s.cuda_dtype, kHalf));
      in.push_back(dtype(s.cpu_dtype, kBFloat16));
    }
    Node* n = g_.insert_node(g_.create(Symbol(op->name()), in, 1));
    n->range = before->range;
    n->op = op;
    n->output()->type = types::tensor();
    changed_ = true;
    return n->output();
  }

  Graph& g_;
  const OpTable& ops_;
  bool changed_ = false;
};

}  // namespace

bool autocast(Graph& g, PassContext& c) { return Autocast(g, *c.ops).run(); }

}  // namespace sconce
