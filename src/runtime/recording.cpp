// SPDX-License-Identifier: Apache-2.0
#include "runtime/recording.h"

#include <algorithm>
#include <cstring>

#include "core/context.h"
#include "core/op_table.h"
#include "support/stack.h"

namespace sconce {

namespace {
bool plain(const IValue& v) {
  return v.isNone() || v.isInt() || v.isDouble() || v.isBool() || v.isString() || v.isDevice();
}
}  // namespace

Recording::Recording(const std::vector<IValue>& inputs, bool layout)
    : plan_(std::make_unique<ShapePlan>()) {
  plan_->layout = layout;
  for (size_t i = 1; i < inputs.size(); ++i) {
    const IValue& v = inputs[i];
    Key k;
    kept_.push_back(v);
    input_storages_.emplace_back();
    if (v.isTensor() && v.box() && !plan_->device)
      plan_->device = v.toTensorRef().impl()->storage->device();
    if (v.isTensor() && v.box() && !v.toTensorRef().quantizer()) {
      const TensorImpl& t = *v.toTensorRef().impl();
      input_storages_.back() = t.storage;
      k.tensor = true;
      k.device = t.device;
      k.dtype = t.dtype, k.sizes = t.sizes, k.strides = t.strides;
      k.offset = t.offset, k.nbytes = t.storage->nbytes();
      k.same = ShapePlan::first_same(inputs, static_cast<uint32_t>(i));
      widen(k, extent_of(t.sizes.data(), t.strides.data(), static_cast<int64_t>(t.sizes.size())), 0,
            t.dtype);
      auto [first, added] = inputs_.emplace(t.storage.get(), static_cast<uint32_t>(i));
      if (added) {
        input_bytes_[t.storage.get()] = t.offset * static_cast<int64_t>(element_size(t.dtype));
      } else {
        k.shares = first->second;
        k.distance = ShapePlan::between(inputs[first->second].toTensorRef(), v.toTensorRef());
      }
    } else if (plain(v)) {
      k.value = v;
    } else {
      give_up();
    }
    plan_->key.push_back(std::move(k));
  }
}

void Recording::allocated(const Ref<Storage>& s) {
  index_[s.get()] = program_.add_storage(s->nbytes());
  storages_.push_back({s});
}
void Recording::host_read(const Storage* s) {
  auto known = index_.find(s);
  if (known == index_.end() || !storages_[known->second].plain) give_up();
}
bool Recording::awaited(const Storage* s) const {
  auto known = index_.find(s);
  return known != index_.end() && !storages_[known->second].plain;
}
void Recording::operator_begins(const Operator& op, const Node* node) {
  node_ = node;
  if (op.custom) give_up();
}
void Recording::called(const SlotCall& c) {
  if (!given_up_) {
    if (context().device == plan_->device) {
      if (record(c) && !program_.calls.back().made) return;
    } else {
      pass_by(c);
    }
  }
  run_slot(c);
}
void Recording::make_calls() {
  std::vector<unsigned char> args;
  while (made_ < program_.calls.size()) {
    const size_t at = made_++;
    const PlannedCall& c = program_.calls[at];
    if (c.made) continue;
    args = c.args;
    std::vector<Storage*> written;
    for (size_t i = 0; i < c.views.size(); ++i) {
      const PlannedView& view = c.views[i];
      if (view.absent()) continue;
      const Place& p = view.place;
      Storage* s = p.kind == Place::Arena   ? storages_[p.index].storage.get()
                   : p.kind == Place::Input ? input_storages_[p.index - 1].get()
                                            : program_.constants[p.index].get();
      int64_t offset = p.offset;
      if (p.kind == Place::Input) offset += input_bytes_[s];
      TensorView v;
      v.data = static_cast<char*>(s->address()) + offset;
      v.sizes = view.sizes.data(), v.strides = view.strides.data();
      v.ndim = static_cast<int32_t>(view.sizes.size());
      v.dtype = view.dtype;
      std::memcpy(args.data() + i * sizeof(TensorView), &v, sizeof v);
      if (c.writes(i)) written.push_back(s);
    }
    struct Written {
      const std::vector<Storage*>& storages;
      ~Written() {
        for (Storage* s : storages) s->note_write();
      }
    } note{written};
    c.run(args.data());
  }
}
std::unique_ptr<ShapePlan> Recording::finish(const IValue& out,
                                             const std::unordered_set<const Storage*>& constants,
                                             PlannedProgram* program) {
  for (auto& kv : inputs_)
    if (constants.count(kv.first)) give_up();
  for (auto& [s, index] : foreign_) {
    if (!constants.count(s)) give_up();
    plan_->constants.emplace_back(s, s->base());
  }
  // unsqueeze_ and its like change the input itself.
  for (size_t i = 0; i < kept_.size(); ++i)
    if (!plan_->key[i].matches(kept_[i], layout())) give_up();
  // Without a tensor or a kernel there is nothing to plan: it would only remember an answer.
  if (program_.calls.empty() &&
      std::none_of(plan_->key.begin(), plan_->key.end(), [](const Key& k) { return k.tensor; }))
    give_up();
  if (given_up_ || !describe(out, plan_->result) || given_up_) {
    give_up();
    return nullptr;
  }
  for (size_t i = 0; i < storages_.size(); ++i)
    program_.storages[i].nbytes = storages_[i].storage->nbytes();
  *program = program_;
  return std::move(plan_);
}

Place Recording::locate(const void* data, const Storage* s) {
  Place p;
  if (!data) return p;
  if (!s) {
    give_up();
    return p;
  }
  p.offset = static_cast<const char*>(data) - static_cast<const char*>(s->base());
  if (auto i = index_.find(s); i != index_.end()) {
    p.kind = Place::Arena, p.index = i->second;
  } else if (auto in = inputs_.find(s); in != inputs_.end()) {
    p.kind = Place::Input, p.index = in->second, p.offset -= input_bytes_[s];
  } else {
    auto [it, added] = foreign_.emplace(s, static_cast<uint32_t>(program_.constants.size()));
    if (added) program_.constants.push_back(Ref<Storage>(const_cast<Storage*>(s)));
    p.kind = Place::Constant, p.index = it->second;
  }
  return p;
}

// Whether all that a call reads is plain; what it writes is then plain as well.
bool Recording::reads_plain(const SlotCall& c) {
  auto* views = static_cast<const TensorView*>(c.args);
  bool all = true;
  for (uint16_t i = 0; i < c.n_views; ++i) {
    if (!views[i].data || (c.written >> i & 1)) continue;
    auto known = index_.find(views[i].storage);
    all = all && known != index_.end() && storages_[known->second].plain;
  }
  return all;
}
// A call elsewhere than on the plan's device: what the host works out from sizes is done once.
void Recording::pass_by(const SlotCall& c) {
  if (std::strcmp(c.name, "random") == 0 || !reads_plain(c)) return give_up();
  auto* views = static_cast<const TensorView*>(c.args);
  for (uint16_t i = 0; i < c.n_views; ++i) {
    if (!views[i].data || !(c.written >> i & 1)) continue;
    auto known = index_.find(views[i].storage);
    if (known == index_.end() || !storages_[known->second].plain) return give_up();
    storages_[known->second].passed_by = true;
  }
}

bool Recording::record(const SlotCall& c) {
  if (std::strcmp(c.name, "random") == 0) {
    give_up();
    return false;
  }
  const bool plain = reads_plain(c);
  bool stays_plain = plain;
  PlannedCall call;
  call.run = c.run;
  call.written = c.written;
  call.node = node_;
  call.args.assign(static_cast<const unsigned char*>(c.args),
                   static_cast<const unsigned char*>(c.args) + c.args_size);
  auto* views = static_cast<const TensorView*>(c.args);
  for (uint16_t i = 0; i < c.n_views; ++i) {
    const TensorView& v = views[i];
    PlannedView& view = call.views.emplace_back();
    const Place p = locate(v.data, v.storage);
    if (p.kind == Place::Absent) continue;
    if (v.storage->device() != plan_->device) {
      give_up();
      return false;
    }
    view.place = p;
    view.dtype = v.dtype;
    const auto n = static_cast<size_t>(v.ndim);
    view.sizes = DimVector(IntArrayRef(v.sizes, n));
    view.strides = DimVector(IntArrayRef(v.strides, n));
    const bool output = c.written >> i & 1;
    if (p.kind == Place::Arena) {
      Life& l = storages_[p.index];
      // Read before any slot wrote it: the host filled it.
      if (l.passed_by || (!output && !l.written)) give_up();
      l.written |= output;
      if (output) stays_plain &= l.plain = l.plain && plain;
    }
    if (output && p.kind == Place::Constant) give_up();
    stays_plain &= !output || p.kind == Place::Arena;
    if (p.kind == Place::Input) {
      widen(plan_->key[p.index - 1], extent_of(v.sizes, v.strides, v.ndim), p.offset, v.dtype);
      auto& written = plan_->written_inputs;
      if (output && std::find(written.begin(), written.end(), p.index) == written.end())
        written.push_back(p.index);
    }
  }
  if (given_up_) return false;
  call.made = plan_->device || stays_plain;
  program_.calls.push_back(std::move(call));
  return true;
}
bool Recording::describe(const IValue& v, Result& r) {
  check_stack();
  if (v.isTensor()) {
    if (!v.box() || v.toTensorRef().quantizer()) return false;
    const TensorImpl& t = *v.toTensorRef().impl();
    Storage* s = t.storage.get();
    r.kind = Result::TensorResult;
    if (auto known = described_.find(&t); known != described_.end()) {
      r.again = known->second;
      return true;
    }
    r.dtype = t.dtype, r.sizes = t.sizes, r.strides = t.strides, r.offset = t.offset;
    if (t.requires_grad) return false;
    int64_t byte = t.offset * static_cast<int64_t>(element_size(t.dtype));
    if (auto i = index_.find(s); i != index_.end()) {
      Life& l = storages_[i->second];
      if (l.passed_by || (!l.written && s->nbytes())) return false;
      if (l.output < 0) {
        l.output = static_cast<int64_t>(plan_->output_bytes.size());
        plan_->output_bytes.push_back(s->nbytes());
        program_.storages[i->second].output = l.output;
      }
      r.place = {Place::Arena, i->second, 0};
      r.output = l.output;
    } else if (auto in = inputs_.find(s); in != inputs_.end()) {
      r.place = {Place::Input, in->second, byte - input_bytes_[s]};
      // A result may span more than any slot has touched (resize_).
      widen(plan_->key[in->second - 1],
            extent_of(t.sizes.data(), t.strides.data(), static_cast<int64_t>(t.sizes.size())),
            r.place.offset, t.dtype);
      for (size_t i = 0; i < kept_.size(); ++i)
        if (kept_[i].box() == v.box()) {  // the input itself
          r.place.index = static_cast<uint32_t>(i + 1);
          r.itself = true;
          return true;
        }
    } else {
      return false;  // a constant that escapes may be written outside
    }
    described_.emplace(&t, static_cast<int64_t>(described_.size()));
    return true;
  }
  if (v.isTuple() || v.isList()) {
    r.kind = v.isTuple() ? Result::Tuple : Result::List;
    r.type = v.isTuple() ? v.toTupleRef().type : v.toListRef().elem_type;
    for (auto& e : v.isTuple() ? v.toTupleRef().items : v.toListRef().items)
      if (!describe(e, r.items.emplace_back())) return false;
    return true;
  }
  r.plain = v;
  return plain(v);
}

}  // namespace sconce
