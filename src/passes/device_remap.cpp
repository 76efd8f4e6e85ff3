// SPDX-License-Identifier: Apache-2.0
// Devices that were baked into a graph follow a device (device=cpu):
//
//   %d : Device = prim::Constant[value="cuda:0"]()
//   %w : Float(2, device=cuda:0) = prim::Constant[value=<Tensor>]()
//   %y : Tensor = aten::cuda(%x)
//   =>
//   %d : Device = prim::Constant[value="cpu"]()
//   %w : Float(2, device=cpu) = prim::Constant[value=<Tensor>]()     the tensor, moved there
//   %y : Tensor = aten::to(%x, %d, ...)
//
// A trace says where it ran in constants of type Device, in the arguments of aten::to and of
// factories, in tensors among its constants, in lists of such and in the types of values. Strings
// that become devices (aten::device) follow too. Meta tensors and devices stay. Memory is moved,
// not shared: afterwards a constant is this graph's own where it was elsewhere before. Order: any;
// after freezing the weights are constants, and move too.
#include <unordered_map>

#include "core/device.h"
#include "ir/cleanup.h"
#include "passes/passes.h"
#include "passes/reshaping.h"
#include "support/stack.h"

namespace sconce {

namespace {

class Remap {
 public:
  explicit Remap(PassContext& c)
      : context_(c), device_(Device::parse(c.arguments.text("device", "cpu"))) {}
  bool run(Graph& g) {
    for (Value* v : g.inputs()) type(v);
    block(g.block());
    return changed_;
  }

 private:
  bool elsewhere(Device d) const { return d.type != DeviceType::Meta && d != device_; }

  void block(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) {
        for (Value* v : inner->inputs()) type(v);
        block(inner);
      }
      if (Graph* sub = own_subgraph(n)) run(*sub);
      for (Value* v : n->outputs) type(v);
      if (n->kind == prim::Constant)
        constant(n);
      else if (n->kind == Symbol("aten::device") && n->inputs.size() == 1)
        from_text(n);
      else if (n->kind == Symbol("aten::cuda") || n->kind == Symbol("aten::cpu"))
        moved(n);
      else if (n->kind.view().substr(0, 6) == "cuda::")
        context_.missed(n, "device", "it asks or tells CUDA itself");
    }
  }
  void said(Node* n) {
    context_.applied(n, "device");
    changed_ = true;
  }

  void constant(Node* n) {
    static const Symbol value("value");
    for (Attribute& a : n->attributes) {
      if (a.name != value || a.kind == Attribute::Kind::Text) continue;
      bool moved = false;
      IValue v = followed(a.value, &moved);
      if (!moved) continue;
      said(n);
      a.value = std::move(v);
    }
  }
  // The value with its devices and tensors there. Containers are copied where something in them is
  // elsewhere.
  IValue followed(const IValue& v, bool* moved) {
    check_stack();
    if (v.isDevice() && elsewhere(v.toDevice())) {
      *moved = true;
      return IValue(device_);
    }
    if (v.isTensor() && v.box()) {
      const Tensor& t = v.toTensorRef();
      if (!elsewhere(t.device())) return v;
      *moved = true;
      Tensor& known = tensors_[t.impl()];
      if (!known.defined()) {
        known = copy_extent(t, find_device(device_));
        // A tensor whose text alone said that it was elsewhere.
        if (known.device() != device_ && !find_device(device_)) {
          known = with_storage(known, known.impl()->storage, known.storage_offset());
          known.mutable_impl()->device = device_;
        }
      }
      return IValue(known);
    }
    if (!v.isList() && !v.isTuple()) return v;
    std::vector<IValue> items;
    bool any = false;
    for (const IValue& e : v.isList() ? v.toListRef().items : v.toTupleRef().items)
      items.push_back(followed(e, &any));
    if (!any) return v;
    *moved = true;
    if (v.isList()) return IValue(make_ref<ListBox>(v.toListRef().elem_type, std::move(items)));
    return IValue(make_ref<TupleBox>(std::move(items), v.toTupleRef().type));
  }

  // torch.device("cuda"): a constant from here on.
  void from_text(Node* n) {
    auto text = constant_value(n->input());
    if (!text || !text->isString()) {
      context_.missed(n, "device", "the text isn't a constant");
      return;
    }
    Device d;
    try {
      d = Device::parse(text->toStringRef());
    } catch (const Error&) {
      return;  // it raises
    }
    if (!elsewhere(d)) return;
    said(n);
    InsertPoint at(*n->graph, n);
    n->output()->replace_all_uses_with(n->graph->insert_constant(IValue(device_)));
    n->destroy();
  }
  // x.cuda(), x.cpu().
  void moved(Node* n) {
    const bool right = (n->kind == Symbol("aten::cpu")) == (device_.type == DeviceType::CPU);
    if (right || n->inputs.size() != 1 || n->outputs.size() != 1) return;
    const Operator* to = context_.ops->find_overload("aten::to.prim_Device");
    if (!to) return;
    said(n);
    Graph& g = *n->graph;
    InsertPoint at(g, n);
    Value* d = g.insert_constant(IValue(device_));
    Value* none = g.insert_constant(IValue());
    Value* no = g.insert_constant(IValue(false));
    Node* r = g.insert_node(g.create(Symbol("aten::to"), {n->input(), d, none, no, no}, 1));
    r->op = to;
    r->range = n->range;
    r->output()->type = n->output()->type;
    n->output()->replace_all_uses_with(r->output());
    n->destroy();
  }

  void type(Value* v) {
    const TensorInfo* t = v->type->tensor.get();
    if (!t || !t->has_device || !elsewhere(t->device)) return;
    TensorInfo moved = *t;
    moved.device = device_;
    v->type = TypeTable::global().tensor_with(std::move(moved));
    changed_ = true;
  }

  PassContext& context_;
  const Device device_;
  std::unordered_map<const TensorImpl*, Tensor> tensors_;  // one stays one
  bool changed_ = false;
};

}  // namespace

bool device_remap(Graph& g, PassContext& c) { return Remap(c).run(g); }

}  // namespace sconce
