// SPDX-License-Identifier: Apache-2.0
// Dtypes of the graph's inputs tell dtypes of what operators make of them:
//
//   graph(%x : Float(2, 3), %y : Long(2, 3)):
//     %z : Tensor = aten::add(%x, %y, %one)     =>   %z : FloatTensor = aten::add(...)
//
// Layers that keep their first input's dtype do so when all tensors have it. Any other operator is
// tried on tensors of the same dtypes and ranks whose dimensions are 1; what it makes tells. One
// that wants more than tensors, ints and floats is left. Throws Error for loops, calls, lists of
// tensors and results of conditions. PyTorch's _jit_pass_propagate_dtype. Order: after inlining and
// freezing.
#include <algorithm>
#include <cstring>

#include "passes/node_query.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

bool keeps_first_dtype(const Node* n) {
  static const auto* names =
      new std::unordered_set<std::string_view>{"aten::batch_norm",
                                               "aten::conv1d",
                                               "aten::conv2d",
                                               "aten::conv3d",
                                               "aten::conv_tbc",
                                               "aten::conv_transpose1d",
                                               "aten::convolution",
                                               "aten::conv_transpose2d.input",
                                               "aten::_convolution",
                                               "aten::conv_transpose3d.input",
                                               "aten::avg_pool1d",
                                               "aten::_convolution.deprecated",
                                               "aten::avg_pool2d",
                                               "aten::adaptive_avg_pool1d",
                                               "aten::avg_pool3d",
                                               "aten::adaptive_avg_pool2d",
                                               "aten::max_pool1d",
                                               "aten::adaptive_avg_pool3d",
                                               "aten::max_pool2d",
                                               "aten::max_pool3d",
                                               "aten::max_unpool2d",
                                               "aten::max_unpool3d",
                                               "aten::reflection_pad1d",
                                               "aten::reflection_pad2d",
                                               "aten::reflection_pad3d",
                                               "aten::replication_pad1d",
                                               "aten::replication_pad2d",
                                               "aten::replication_pad3d",
                                               "aten::prelu",
                                               "aten::upsample_bilinear2d",
                                               "aten::hardswish",
                                               "aten::upsample_linear1d",
                                               "aten::hardswish_",
                                               "aten::upsample_nearest1d",
                                               "aten::flatten.using_ints",
                                               "aten::upsample_nearest2d",
                                               "aten::upsample_nearest3d",
                                               "aten::upsample_trilinear3d"};
  return n->op && names->count(n->op->full_name());
}

bool is_tensor(const Value* v) { return v->type->kind == TypeKind::Tensor; }

[[noreturn]] void unsupported(const Node* n) {
  raise<Error>("propagate_dtype: ", n->kind.str(), " is not supported");
}

class Dtypes {
 public:
  explicit Dtypes(PassContext& c) : context_(c) {}
  bool block(Block* b) {
    check_stack();
    bool changed = false;
    for (Node* n : b->nodes()) changed |= node(n);
    return changed;
  }

 private:
  bool node(Node* n) {
    if (n->kind == prim::If) {
      bool changed = block(n->blocks[0]);
      changed |= block(n->blocks[1]);
      if (!n->outputs.empty())
        raise<Error>("propagate_dtype: results of conditions are not supported");
      return changed;
    }
    if (n->kind == prim::Loop || n->kind == prim::CallMethod || n->kind == prim::CallFunction)
      unsupported(n);
    if (std::none_of(n->outputs.begin(), n->outputs.end(), is_tensor) || n->is_constant())
      return false;
    if (!n->kind.is_aten()) unsupported(n);
    if (!n->op) {
      context_.missed(n, "dtype", "the operator isn't known");
      return false;
    }
    std::optional<ScalarType> dtype = keeps_first_dtype(n) ? common(n) : tried(n);
    if (!dtype) {
      context_.missed(n, "dtype", "the inputs' types don't tell");
      return false;
    }
    bool changed = false;
    for (Value* v : n->outputs)
      if (is_tensor(v)) changed |= set(v, *dtype);
    if (changed) context_.applied(n, "dtype");
    return changed;
  }
  static bool set(Value* v, ScalarType dtype) {
    const TensorInfo* old = v->type->tensor.get();
    if (old && old->has_dtype) {
      if (old->dtype != dtype)
        raise<Error>("propagate_dtype: a value has another dtype than its operator makes");
      return false;
    }
    TensorInfo info = old ? *old : TensorInfo();
    info.has_dtype = true;
    info.dtype = dtype;
    v->type = TypeTable::global().tensor_with(std::move(info));
    return true;
  }
  // The dtype that all tensors among the inputs have.
  static std::optional<ScalarType> common(const Node* n) {
    if (n->inputs.empty()) return std::nullopt;
    const TensorInfo* first = info_with_dtype(n->inputs[0]);
    if (!first) return std::nullopt;
    for (const Value* v : n->inputs) {
      if (!is_tensor(v)) continue;
      const TensorInfo* t = info_with_dtype(v);
      if (!t || t->dtype != first->dtype) return std::nullopt;
    }
    return first->dtype;
  }
  std::optional<ScalarType> tried(const Node* n) {
    if (n->outputs.size() != 1 || !n->op->kernel || n->op->custom) return std::nullopt;
    std::vector<IValue> in;
    for (const Value* v : n->inputs) {
      if (is_tensor(v)) {
        const TensorInfo* t = info_with_dtype(v);
        constexpr size_t kMostDims = 64;
        if (!t || !t->has_rank || t->sizes.size() > kMostDims) return std::nullopt;
        in.emplace_back(zeros(std::vector<int64_t>(t->sizes.size(), 1), t->dtype));
      } else if (v->type->kind == TypeKind::Float) {
        in.emplace_back(1.0);
      } else if (v->type->kind == TypeKind::Int) {
        in.emplace_back(int64_t{1});
      } else {
        return std::nullopt;
      }
    }
    try {
      auto out = run_operator(*n->op, std::move(in));
      if (out.size() != 1 || !out[0].isTensor() || !out[0].box()) return std::nullopt;
      return out[0].toTensorRef().dtype();
    } catch (const Error&) {
      return std::nullopt;
    }
  }
  static Tensor zeros(const std::vector<int64_t>& sizes, ScalarType dtype) {
    Tensor t = empty(sizes, dtype);
    std::memset(t.element_address(), 0, element_size(dtype));
    return t;
  }

  PassContext& context_;
};

}  // namespace

bool propagate_dtype(Graph& g, PassContext& c) { return Dtypes(c).block(g.block()); }

}  // namespace sconce
