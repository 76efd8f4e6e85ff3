// SPDX-License-Identifier: Apache-2.0
// Recording: a run with a Recorder sees every allocation and every slot call. The calls, their
// views relocated, are the plan. What can't be replayed gives up the recording, never the answer: a
// host read of elements, a random slot, memory that was written by no slot, a storage that is
// resized. Source of the placement: greedy by size (Pisarchyk & Lee 2020, "Efficient memory
// management for deep neural nets").
#include "runtime/shape_plan.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "core/assumptions.h"
#include "core/context.h"
#include "core/device.h"
#include "core/op_table.h"
#include "ir/cleanup.h"
#include "support/stack.h"

namespace sconce {

namespace {

// Where a view's bytes are.
struct Place {
  enum Kind : uint8_t { Absent, Arena, Input, Output, Constant } kind = Absent;
  uint32_t index = 0;  // storage, input or output
  int64_t offset = 0;  // bytes from the storage's start
};

struct Fixup {
  size_t at;  // of the TensorView in the argument bytes
  Place place;
};

// One input of the key: a tensor's form, or a plain value.
struct Key {
  bool tensor = false;
  Device device;
  ScalarType dtype = ScalarType::Undefined;
  DimVector sizes, strides;
  int64_t offset = 0;  // this and the length of the storage: where the graph asks for them
  size_t nbytes = 0;
  int64_t low = 0, high = 0;  // the bytes that views of it span, from its first element
  // An earlier input whose storage it shares, and the bytes between their first elements.
  uint32_t shares = 0;
  int64_t distance = 0;
  uint32_t same = 0;  // an earlier input that it is
  IValue value;
  bool matches(const IValue& v, bool layout) const {
    if (!tensor) return !v.isTensor() && identical(v, value);
    if (!v.isTensor() || !v.box()) return false;
    const TensorImpl& t = *v.toTensorRef().impl();
    if (t.dtype != dtype || t.device != device || device.type == DeviceType::Meta || t.quantizer ||
        t.nested_rows || t.sizes != sizes || t.strides != strides)
      return false;
    if (layout && (t.offset != offset || t.storage->nbytes() != nbytes)) return false;
    const int64_t first = t.offset * static_cast<int64_t>(element_size(dtype));
    return first + low >= 0 && first + high <= static_cast<int64_t>(t.storage->nbytes());
  }
};
size_t mix(size_t h, size_t v) { return (h ^ v) * 0x9e3779b97f4a7c15ull + (h >> 31); }
// Of what Key::matches compares, sizes and plain values alone.
size_t hash_of(const std::vector<IValue>& inputs) {
  size_t h = inputs.size();
  for (size_t i = 1; i < inputs.size(); ++i) {
    const IValue& v = inputs[i];
    h = mix(h, static_cast<size_t>(v.tag()));
    if (v.isTensor() && v.box()) {
      for (int64_t n : v.toTensorRef().sizes()) h = mix(h, static_cast<size_t>(n));
    } else if (v.isInt() || v.isBool() || v.isDouble() || v.isString()) {
      h = mix(h, ivalue_hash(v));
    }
  }
  return h;
}

// The form of the result.
struct Result {
  enum Kind : uint8_t { Plain, TensorResult, Tuple, List } kind = Plain;
  IValue plain;
  Place place;  // Input, Output or Constant
  ScalarType dtype = ScalarType::Undefined;
  DimVector sizes, strides;
  int64_t offset = 0;
  bool itself = false;  // the very tensor that was given
  int64_t again = -1;   // the very tensor that stands in the result already, as its n-th
  TypePtr type = nullptr;
  std::vector<Result> items;
};

struct RecordedCall {
  void (*run)(const void*);
  size_t args;
};

bool plain(const IValue& v) {
  return v.isNone() || v.isInt() || v.isDouble() || v.isBool() || v.isString() || v.isDevice();
}

}  // namespace

// One set of shapes: calls, their argument bytes, the places of their views.
class ShapePlan {
 public:
  std::vector<Key> key;
  std::vector<RecordedCall> calls;
  std::vector<unsigned char> args;               // patched copies of this belong to instances
  std::vector<std::unique_ptr<int64_t[]>> dims;  // sizes and strides that the views point to
  std::vector<Fixup> instance_fixups;            // arena
  std::vector<Fixup> run_fixups;                 // inputs and outputs
  std::vector<size_t> output_bytes;
  std::vector<uint32_t> written_inputs;
  size_t arena_bytes = 0;
  // The key has the inputs' offsets, the lengths of their storages, and which are one tensor.
  bool layout = false;
  const DeviceRuntime* device = nullptr;  // of all of its memory; null: the CPU
  Result result;
  std::atomic<uint64_t> last_used{0};

  size_t bytes() const {
    return sizeof *this + arena_bytes + 2 * args.size() + calls.size() * sizeof(RecordedCall) +
           dims.size() * 64 + (instance_fixups.size() + run_fixups.size()) * sizeof(Fixup);
  }

  // What one running thread needs; some are kept for the next calls.
  struct Instance {
    Ref<Storage> arena;
    std::vector<unsigned char> args;
    std::vector<Ref<Storage>> outputs;
    // On a device: all calls as one graph over copies of the inputs, or what was said to it.
    uint32_t runs = 0;
    enum class Kept { NotYet, Never, Yes } kept = Kept::NotYet;
    DeviceRuntime::Graph graph;
    std::vector<std::pair<uint32_t, Ref<Storage>>> graph_inputs;
    std::vector<Ref<Storage>> graph_outputs;
  };
  static constexpr int kSpares = 4;
  std::atomic<Instance*> spares[kSpares] = {};
  ~ShapePlan() {
    for (auto& s : spares) delete s.load();
  }
  std::unique_ptr<Instance> take() {
    for (auto& s : spares)
      if (s.load(std::memory_order_relaxed))
        if (Instance* in = s.exchange(nullptr, std::memory_order_acquire))
          return std::unique_ptr<Instance>(in);
    return make_instance();
  }
  void put_back(std::unique_ptr<Instance> in) {
    for (auto& s : spares) {
      Instance* none = nullptr;
      if (!s.load(std::memory_order_relaxed) &&
          s.compare_exchange_strong(none, in.get(), std::memory_order_release,
                                    std::memory_order_relaxed)) {
        in.release();
        return;
      }
    }
  }

  // The constants' memory, and when it was last seen to be where it was.
  std::vector<std::pair<const Storage*, const void*>> constants;
  mutable std::atomic<uint64_t> epoch{memory_epoch()};
  bool stale() const {
    const uint64_t now = memory_epoch();
    if (epoch.load(std::memory_order_relaxed) == now) return false;
    for (auto& [storage, address] : constants)
      if (storage->data() != address) return true;
    epoch.store(now, std::memory_order_relaxed);
    return false;
  }
  bool matches(const std::vector<IValue>& inputs) const {
    if (stale() || inputs.size() != key.size() + 1) return false;
    for (size_t i = 0; i < key.size(); ++i) {
      const Key& k = key[i];
      if (!k.matches(inputs[i + 1], layout)) return false;
      if (layout && k.same != first_same(inputs, static_cast<uint32_t>(i + 1))) return false;
      if (!k.shares) continue;
      const Tensor &t = inputs[i + 1].toTensorRef(), &other = inputs[k.shares].toTensorRef();
      if (t.impl()->storage != other.impl()->storage || between(other, t) != k.distance)
        return false;
    }
    // What overlaps a written input is written in an order that the plan doesn't know.
    for (uint32_t w : written_inputs)
      for (uint32_t i = 1; i < inputs.size(); ++i)
        if (i != w && key[i - 1].tensor && root(i) != root(w) && overlap(w, i, inputs))
          return false;
    return true;
  }
  static uint32_t first_same(const std::vector<IValue>& inputs, uint32_t i) {
    for (uint32_t k = 1; k < i && inputs[i].isTensor(); ++k)
      if (inputs[k].isTensor() && inputs[k].box() == inputs[i].box()) return k;
    return 0;
  }
  // Bytes from a's first element to b's.
  static int64_t between(const Tensor& a, const Tensor& b) {
    return static_cast<const char*>(b.const_raw_data()) -
           static_cast<const char*>(a.const_raw_data());
  }

  void prepare() { put_back(make_instance()); }
  std::vector<IValue> run(const std::vector<IValue>& inputs) {
    DeviceScope scope(device);
    std::unique_ptr<Instance> in = take();
    if (device && runs_as_graph(*in)) {
      run_graph(*in, inputs);
      return finish(std::move(in), inputs);
    }
    for (uint32_t i : written_inputs) inputs[i].toTensorRef().impl()->storage->make_unique();
    for (size_t i = 0; i < output_bytes.size(); ++i)
      in->outputs[i] = Storage::allocate(output_bytes[i]);
    for (const Fixup& f : run_fixups) {
      char* base;
      if (f.place.kind == Place::Output) {
        base = static_cast<char*>(in->outputs[f.place.index]->address());
      } else {
        base = static_cast<char*>(inputs[f.place.index].toTensorRef().element_address());
      }
      patch(*in, f.at, base + f.place.offset);
    }
    {
      struct Written {
        const ShapePlan& plan;
        const std::vector<IValue>& inputs;
        ~Written() {
          for (uint32_t i : plan.written_inputs)
            inputs[i].toTensorRef().impl()->storage->note_write();
        }
      } written{*this, inputs};
      for (const RecordedCall& c : calls) c.run(in->args.data() + c.args);
    }
    return finish(std::move(in), inputs);
  }

 private:
  std::vector<IValue> finish(std::unique_ptr<Instance> in, const std::vector<IValue>& inputs) {
    std::vector<IValue> tensors, out{build(result, *in, inputs, tensors)};
    for (auto& o : in->outputs) o = Ref<Storage>();
    put_back(std::move(in));
    return out;
  }

  // ---- as a graph of the device ----

  // From the second run on: the first may still find out what libraries do at first use.
  bool runs_as_graph(Instance& in) const {
    if (in.kept == Instance::Kept::Yes) return true;
    if (in.kept == Instance::Kept::Never || in.runs++ == 0) return false;
    in.kept = Instance::Kept::Never;
    if (written_inputs.empty()) keep_as_graph(in);
    return in.kept == Instance::Kept::Yes;
  }
  void keep_as_graph(Instance& in) const {
    std::vector<char*> base(key.size() + 1, nullptr);
    for (const Fixup& f : run_fixups) {
      if (f.place.kind != Place::Input || base[f.place.index]) continue;
      const Key& k = key[f.place.index - 1];
      Ref<Storage> copy = Storage::allocate(static_cast<size_t>(k.high - k.low));
      base[f.place.index] = static_cast<char*>(copy->address()) - k.low;
      in.graph_inputs.emplace_back(f.place.index, std::move(copy));
    }
    for (size_t n : output_bytes) in.graph_outputs.push_back(Storage::allocate(n));
    for (const Fixup& f : run_fixups)
      patch(in, f.at,
            f.place.offset + (f.place.kind == Place::Output
                                  ? static_cast<char*>(in.graph_outputs[f.place.index]->address())
                                  : base[f.place.index]));
    in.graph = device->capture([&] {
      for (const RecordedCall& c : calls) c.run(in.args.data() + c.args);
    });
    if (in.graph) {
      in.kept = Instance::Kept::Yes;
    } else {
      in.graph_inputs.clear();
      in.graph_outputs.clear();
    }
  }
  void run_graph(Instance& in, const std::vector<IValue>& inputs) const {
    constexpr auto within = DeviceRuntime::Copy::Within;
    for (auto& [i, copy] : in.graph_inputs)
      device->copy(copy->address(),
                   static_cast<char*>(inputs[i].toTensorRef().element_address()) + key[i - 1].low,
                   copy->nbytes(), within);
    device->launch(in.graph);
    for (size_t i = 0; i < output_bytes.size(); ++i) {
      in.outputs[i] = Storage::allocate(output_bytes[i]);
      device->copy(in.outputs[i]->address(), in.graph_outputs[i]->address(), output_bytes[i],
                   within);
    }
  }

  uint32_t root(uint32_t i) const { return key[i - 1].shares ? key[i - 1].shares : i; }
  bool overlap(uint32_t a, uint32_t b, const std::vector<IValue>& inputs) const {
    auto begin = [&](uint32_t i) {
      return static_cast<const char*>(inputs[i].toTensorRef().const_raw_data()) + key[i - 1].low;
    };
    auto end = [&](uint32_t i) { return begin(i) + (key[i - 1].high - key[i - 1].low); };
    return begin(a) < end(b) && begin(b) < end(a);
  }
  static void patch(Instance& in, size_t at, void* data) {
    std::memcpy(in.args.data() + at + offsetof(TensorView, data), &data, sizeof data);
  }
  std::unique_ptr<Instance> make_instance() const {
    DeviceScope scope(device);
    auto in = std::make_unique<Instance>();
    in->arena = Storage::allocate(arena_bytes);
    // Its pages are there before they are needed.
    if (!device) std::memset(in->arena->address(), 0, arena_bytes);
    in->args = args;
    in->outputs.resize(output_bytes.size());
    for (const Fixup& f : instance_fixups)
      patch(*in, f.at, static_cast<char*>(in->arena->address()) + f.place.offset);
    return in;
  }
  // tensors: those that were built so far.
  IValue build(const Result& r, const Instance& in, const std::vector<IValue>& inputs,
               std::vector<IValue>& tensors) const {
    check_stack();
    if (r.kind == Result::Plain) return r.plain;
    if (r.kind == Result::TensorResult) {
      if (r.itself) return inputs[r.place.index];
      if (r.again >= 0) return tensors[static_cast<size_t>(r.again)];
      auto t = make_ref<TensorImpl>();
      t->sizes = r.sizes;
      t->strides = r.strides;
      t->dtype = r.dtype;
      t->offset = r.offset;
      if (device) t->device = device->device;
      if (r.place.kind == Place::Output) {
        t->storage = in.outputs[r.place.index];
      } else {
        const TensorImpl& base = *inputs[r.place.index].toTensorRef().impl();
        t->storage = base.storage;
        t->device = base.device;
        t->offset =
            (base.offset * static_cast<int64_t>(element_size(base.dtype)) + r.place.offset) /
            static_cast<int64_t>(element_size(r.dtype));
      }
      return tensors.emplace_back(Tensor(t));
    }
    std::vector<IValue> items;
    for (auto& e : r.items) items.push_back(build(e, in, inputs, tensors));
    if (r.kind == Result::Tuple) return IValue(make_ref<TupleBox>(std::move(items), r.type));
    return IValue(make_ref<ListBox>(r.type, std::move(items)));
  }
};

namespace {

class Recording final : public Recorder {
 public:
  // layout: the graph asks for the layout of storages.
  Recording(const std::vector<IValue>& inputs, bool layout) : plan_(std::make_unique<ShapePlan>()) {
    plan_->layout = layout;
    for (size_t i = 1; i < inputs.size(); ++i) {
      const IValue& v = inputs[i];
      Key k;
      kept_.push_back(v);
      if (v.isTensor() && v.box() && !plan_->device)
        plan_->device = v.toTensorRef().impl()->storage->device();
      if (v.isTensor() && v.box() && !v.toTensorRef().quantizer()) {
        const TensorImpl& t = *v.toTensorRef().impl();
        k.tensor = true;
        k.device = t.device;
        k.dtype = t.dtype, k.sizes = t.sizes, k.strides = t.strides;
        k.offset = t.offset, k.nbytes = t.storage->nbytes();
        k.same = ShapePlan::first_same(inputs, static_cast<uint32_t>(i));
        widen(k, extent_of(t.sizes.data(), t.strides.data(), static_cast<int64_t>(t.sizes.size())),
              0, t.dtype);
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

  void allocated(const Ref<Storage>& s) override {
    index_[s.get()] = static_cast<uint32_t>(storages_.size());
    storages_.push_back({s});
  }
  void host_read(const Storage* s) override {
    auto known = index_.find(s);
    if (known == index_.end() || !storages_[known->second].plain) give_up();
  }
  void ran_on_host(const char*) override { give_up(); }
  void operator_begins(const Operator& op) override {
    if (op.custom) give_up();
  }
  void called(const SlotCall& c) override {
    if (!given_up_ && context().device == plan_->device)
      record(c);
    else if (!given_up_)
      pass_by(c);
    c.run(c.args);
  }
  bool given_up() const { return given_up_; }

  // The plan, or null. constants: storages of the code's own constants.
  std::unique_ptr<ShapePlan> finish(const IValue& out,
                                    const std::unordered_set<const Storage*>& constants) {
    for (auto& kv : inputs_)
      if (constants.count(kv.first)) give_up();
    for (const Storage* s : foreign_) {
      if (!constants.count(s)) give_up();
      plan_->constants.emplace_back(s, s->data());
    }
    // unsqueeze_ and its like change the input itself.
    for (size_t i = 0; i < kept_.size(); ++i)
      if (!plan_->key[i].matches(kept_[i], layout())) give_up();
    // Without a tensor or a kernel there is nothing to plan: it would only remember an answer.
    if (plan_->calls.empty() &&
        std::none_of(plan_->key.begin(), plan_->key.end(), [](const Key& k) { return k.tensor; }))
      give_up();
    if (given_up_ || !describe(out, plan_->result)) return nullptr;
    place();
    return given_up_ ? nullptr : std::move(plan_);
  }

 private:
  struct Life {
    Ref<Storage> storage;
    size_t first = SIZE_MAX, last = 0;
    bool written = false;
    // Its elements follow from the key alone, as those of NumToTensor(size) do: the host may look.
    bool plain = true;
    bool passed_by = false;  // written by calls that are no part of the plan
    int64_t output = -1;     // escapes as this output
    int64_t offset = 0;      // in the arena
  };

  void give_up() { given_up_ = true; }
  bool layout() const { return plan_->layout; }
  // The bytes that a view of input k spans, whose first element lies at `at` from k's.
  static void widen(Key& k, Extent e, int64_t at, ScalarType dtype) {
    const auto bytes = static_cast<int64_t>(element_size(dtype));
    k.low = std::min(k.low, at + e.begin * bytes);
    k.high = std::max(k.high, at + e.end * bytes);
  }

  Place locate(const void* data, const Storage* s) {
    Place p;
    if (!data) return p;
    if (!s) {
      give_up();
      return p;
    }
    p.offset = static_cast<const char*>(data) - static_cast<const char*>(s->data());
    if (auto i = index_.find(s); i != index_.end()) {
      p.kind = Place::Arena, p.index = i->second;
    } else if (auto in = inputs_.find(s); in != inputs_.end()) {
      p.kind = Place::Input, p.index = in->second, p.offset -= input_bytes_[s];
    } else {
      p.kind = Place::Constant;
      foreign_.insert(s);
    }
    return p;
  }

  // Whether all that a call reads is plain; what it writes is then plain as well.
  bool reads_plain(const SlotCall& c) {
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
  void pass_by(const SlotCall& c) {
    if (std::strcmp(c.name, "random") == 0 || !reads_plain(c)) return give_up();
    auto* views = static_cast<const TensorView*>(c.args);
    for (uint16_t i = 0; i < c.n_views; ++i) {
      if (!views[i].data || !(c.written >> i & 1)) continue;
      auto known = index_.find(views[i].storage);
      if (known == index_.end() || !storages_[known->second].plain) return give_up();
      storages_[known->second].passed_by = true;
    }
  }

  void record(const SlotCall& c) {
    if (std::strcmp(c.name, "random") == 0) return give_up();
    const bool plain = reads_plain(c);
    auto& args = plan_->args;
    args.resize((args.size() + 15) / 16 * 16);
    size_t at = args.size();
    args.insert(args.end(), static_cast<const unsigned char*>(c.args),
                static_cast<const unsigned char*>(c.args) + c.args_size);
    for (uint16_t i = 0; i < c.n_views; ++i) {
      TensorView v;
      size_t where = at + i * sizeof(TensorView);
      std::memcpy(&v, args.data() + where, sizeof v);
      Place p = locate(v.data, v.storage);
      if (p.kind == Place::Absent) continue;
      if (v.storage->device() != plan_->device) return give_up();
      auto n = static_cast<size_t>(v.ndim);
      auto dims = std::make_unique<int64_t[]>(2 * n + 1);
      std::copy(v.sizes, v.sizes + n, dims.get());
      std::copy(v.strides, v.strides + n, dims.get() + n);
      v.sizes = dims.get(), v.strides = dims.get() + n, v.storage = nullptr;
      plan_->dims.push_back(std::move(dims));
      std::memcpy(args.data() + where, &v, sizeof v);
      const bool output = c.written >> i & 1;
      if (p.kind == Place::Arena) {
        Life& l = storages_[p.index];
        // Read before any slot wrote it: the host filled it.
        if (l.passed_by || (!output && !l.written)) give_up();
        l.written |= output;
        if (output) l.plain = l.plain && plain;
        l.first = std::min(l.first, plan_->calls.size());
        l.last = std::max(l.last, plan_->calls.size());
      }
      if (output && p.kind == Place::Constant) give_up();
      if (p.kind == Place::Input) {
        widen(plan_->key[p.index - 1], extent_of(v.sizes, v.strides, v.ndim), p.offset, v.dtype);
        auto& written = plan_->written_inputs;
        if (output && std::find(written.begin(), written.end(), p.index) == written.end())
          written.push_back(p.index);
      }
      if (p.kind != Place::Constant) fixups_.push_back({where, p});
    }
    plan_->calls.push_back({c.run, at});
  }

  bool describe(const IValue& v, Result& r) {
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
        }
        r.place = {Place::Output, static_cast<uint32_t>(l.output), 0};
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

  // Offsets in the arena: the largest first, each at the lowest place that is free during its life.
  void place() {
    std::vector<Life*> order;
    for (Life& l : storages_)
      if (l.output < 0 && l.first != SIZE_MAX) order.push_back(&l);
    std::stable_sort(order.begin(), order.end(), [](const Life* a, const Life* b) {
      return a->storage->nbytes() > b->storage->nbytes();
    });
    std::vector<Life*> placed;
    auto end = [](const Life* l) {
      return l->offset + static_cast<int64_t>((l->storage->nbytes() + 63) / 64 * 64);
    };
    for (Life* l : order) {
      int64_t offset = 0, size = static_cast<int64_t>((l->storage->nbytes() + 63) / 64 * 64);
      for (Life* p : placed) {  // sorted by offset
        if (p->last < l->first || p->first > l->last) continue;
        if (offset + size <= p->offset) break;
        offset = std::max(offset, end(p));
      }
      l->offset = offset;
      placed.insert(
          std::upper_bound(placed.begin(), placed.end(), l,
                           [](const Life* a, const Life* b) { return a->offset < b->offset; }),
          l);
      plan_->arena_bytes = std::max(plan_->arena_bytes, static_cast<size_t>(end(l)));
    }
    for (Fixup f : fixups_) {
      if (f.place.kind != Place::Arena) {
        plan_->run_fixups.push_back(f);
        continue;
      }
      const Life& l = storages_[f.place.index];
      if (l.output >= 0) {
        f.place = {Place::Output, static_cast<uint32_t>(l.output), f.place.offset};
        plan_->run_fixups.push_back(f);
      } else {
        f.place.offset += l.offset;
        plan_->instance_fixups.push_back(f);
      }
    }
  }

  std::unique_ptr<ShapePlan> plan_;
  std::vector<IValue> kept_;
  bool given_up_ = false;
  std::vector<Life> storages_;  // kept alive, so that no address is used twice
  std::unordered_map<const Storage*, uint32_t> index_, inputs_;
  std::unordered_map<const Storage*, int64_t> input_bytes_;
  std::unordered_map<const TensorImpl*, int64_t> described_;  // tensors of the result
  std::unordered_set<const Storage*> foreign_;
  std::vector<Fixup> fixups_;
};

void collect_storages(const IValue& v, std::unordered_set<const Storage*>& out) {
  check_stack();
  if (v.isTensor() && v.box()) out.insert(v.toTensorRef().impl()->storage.get());
  if (v.isList())
    for (auto& e : v.toListRef().items) collect_storages(e, out);
  if (v.isTuple())
    for (auto& e : v.toTupleRef().items) collect_storages(e, out);
  if (v.isDict())
    for (auto& e : v.toDictRef().items) collect_storages(e.second, out);
}

bool block_suits(Block* b) {
  check_stack();
  for (const Node* n : b->nodes()) {
    Symbol k = n->kind;
    if (k == prim::RaiseException) continue;  // a recording that raises is dropped
    if (k == prim::GetAttr || k == prim::SetAttr || k == prim::fork || has_side_effects(n) ||
        is_nondeterministic(n) || subgraph(n))
      return false;
    for (Block* inner : n->blocks)
      if (!block_suits(inner)) return false;
  }
  return true;
}
// The graph asks where in its storage a tensor lies, or whether two tensors are one.
bool asks_for_layout(Block* b) {
  check_stack();
  for (const Node* n : b->nodes()) {
    std::string_view name = n->kind.unqualified();
    const bool identity = (name == "__is__" || name == "__isnot__") && n->inputs.size() == 2 &&
                          n->inputs[0]->type->kind == TypeKind::Tensor &&
                          n->inputs[1]->type->kind == TypeKind::Tensor;
    if (identity || name.substr(0, 10) == "as_strided" || name == "storage_offset" ||
        name == "set_")
      return true;
    for (Block* inner : n->blocks)
      if (asks_for_layout(inner)) return true;
  }
  return false;
}

}  // namespace

struct ShapePlanCache::State {
  std::mutex mutex;  // of the next three
  std::unordered_multimap<size_t, std::shared_ptr<ShapePlan>> plans;
  size_t bytes = 0;
  // Graphs that can't be recorded: each failure doubles the calls until the next try.
  uint32_t failures = 0, skip = 0;
  std::atomic<uint64_t> clock{0};
  size_t limit = size_t{16} << 20;
  bool layout = false;
  std::unordered_set<const Storage*> constants;

  std::shared_ptr<ShapePlan> find(size_t hash, const std::vector<IValue>& inputs) {
    std::lock_guard<std::mutex> lock(mutex);
    auto range = plans.equal_range(hash);
    for (auto it = range.first; it != range.second; ++it)
      if (it->second->matches(inputs)) return it->second;
    return nullptr;
  }
  // Whether to record this call.
  bool attempt() {
    std::lock_guard<std::mutex> lock(mutex);
    if (!skip) return true;
    --skip;
    return false;
  }
  void failed() {
    std::lock_guard<std::mutex> lock(mutex);
    failures = std::min(failures + 1, 12u);
    skip = (1u << failures) - 1;
  }
  void add(size_t hash, std::shared_ptr<ShapePlan> plan) {
    std::vector<std::shared_ptr<ShapePlan>> dropped;  // freed after the lock
    std::lock_guard<std::mutex> lock(mutex);
    failures = 0;
    for (auto it = plans.begin(); it != plans.end();) {
      const bool stale = it->second->stale();
      if (stale) bytes -= it->second->bytes(), dropped.push_back(std::move(it->second));
      it = stale ? plans.erase(it) : std::next(it);
    }
    bytes += plan->bytes();
    plans.emplace(hash, std::move(plan));
    while (bytes > limit && plans.size() > 1) {
      auto oldest = plans.begin();
      for (auto it = plans.begin(); it != plans.end(); ++it)
        if (it->second->last_used.load(std::memory_order_relaxed) <
            oldest->second->last_used.load(std::memory_order_relaxed))
          oldest = it;
      bytes -= oldest->second->bytes();
      dropped.push_back(std::move(oldest->second));
      plans.erase(oldest);
    }
  }
};

ShapePlanCache::ShapePlanCache(std::shared_ptr<const Plan> plan)
    : plan_(std::move(plan)), state_(std::make_unique<State>()) {
  for (auto& c : plan_->constants) collect_storages(c, state_->constants);
  size_t weights = 0;
  for (const Storage* s : state_->constants) weights += s->nbytes();
  state_->limit = std::max(state_->limit, weights / 8);
  state_->layout = asks_for_layout(plan_->graph->block());
}
ShapePlanCache::~ShapePlanCache() = default;

std::vector<IValue> ShapePlanCache::run(std::vector<IValue> inputs, const Engine& engine,
                                        std::vector<IValue>* again) {
  Context& c = context();
  if (inputs.size() != plan_->n_inputs || c.recorder || c.budget)
    return run_plan(*plan_, std::move(inputs), engine);
  const size_t hash = hash_of(inputs);
  auto used = [&](ShapePlan& p) {
    p.last_used.store(state_->clock.fetch_add(1, std::memory_order_relaxed),
                      std::memory_order_relaxed);
  };
  if (auto plan = state_->find(hash, inputs)) {
    used(*plan);
    return plan->run(inputs);
  }
  if (!state_->attempt()) return run_plan(*plan_, std::move(inputs), engine);
  Recording recording(inputs, state_->layout);
  std::vector<IValue> given = inputs;
  std::vector<IValue> out;
  if (recording.given_up()) return run_plan(*plan_, std::move(inputs), engine);
  c.recorder = &recording;
  try {
    out = run_plan(*plan_, std::move(inputs), engine);
  } catch (...) {
    c.recorder = nullptr;
    throw;
  }
  c.recorder = nullptr;
  std::shared_ptr<ShapePlan> fresh = recording.finish(out.at(0), state_->constants);
  if (!fresh) {
    state_->failed();
    return out;
  }
  // The arena is made here, so that the next call finds all the memory that it needs.
  fresh->prepare();
  constexpr size_t kSmall = 64 << 10;
  // One that writes what it did not make must not run a second time.
  bool pure = fresh->written_inputs.empty();
  if (again && pure && fresh->arena_bytes <= kSmall && fresh->matches(given)) *again = given;
  used(*fresh);
  state_->add(hash, std::move(fresh));
  return out;
}

bool ShapePlanCache::suits(const Graph& g) {
  if (g.inputs().empty() || !g.inputs()[0]->uses.empty()) return false;
  return block_suits(g.block());
}

}  // namespace sconce
