// SPDX-License-Identifier: Apache-2.0
// A shape plan as it is replayed: calls whose argument bytes are ready but for the addresses of
// arena, inputs and outputs.
#pragma once
#include <atomic>
#include <memory>
#include <vector>

#include "core/assumptions.h"
#include "core/device.h"
#include "core/recorder.h"
#include "runtime/attribute_reads.h"
#include "runtime/call_cost.h"
#include "runtime/lowering/packed_weights.h"
#include "sconce/ivalue.h"
#include "support/stack.h"

namespace sconce {

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
// The form of the result.
struct Result {
  enum Kind : uint8_t { Plain, TensorResult, Tuple, List } kind = Plain;
  IValue plain;
  Place place;  // Input; Arena: the storage of an output
  int64_t output = -1;
  ScalarType dtype = ScalarType::Undefined;
  DimVector sizes, strides;
  int64_t offset = 0;
  bool itself = false;  // the very tensor that was given
  int64_t again = -1;   // the very tensor that stands in the result already, as its n-th
  TypePtr type = nullptr;
  std::vector<Result> items;
};

// Where one view of the calls' argument bytes gets its address from.
struct Fixup {
  enum Base : uint8_t { Arena, Input, Output } base;
  uint32_t index;  // input or output
  int64_t offset;  // bytes
  size_t at;       // of the TensorView in the argument bytes
};
struct RecordedCall {
  void (*run)(const void*);
  size_t args;
};

// Seconds that the calls of replayed plans take, summed over runs: one thread's tool.
struct PlanTimer {
  std::vector<double> seconds;  // of each call of the plan that ran last
  std::vector<double> starts;   // of the last run, from its begin
  std::vector<CallCost> costs;
  int runs = 0;
  void run(const std::vector<RecordedCall>& calls, const unsigned char* args);
};
extern std::atomic<PlanTimer*> plan_timer;

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
  // Weights in another form, and when their sources were last seen to be what they were.
  std::vector<std::shared_ptr<const PackedWeight>> packed;
  std::vector<std::shared_ptr<const void>> tables;
  bool trusted = false;
  mutable std::atomic<uint64_t> contents_epoch{0};
  bool stale() const { return moved() || (!packed.empty() && rewritten()); }
  bool moved() const {
    const uint64_t now = memory_epoch();
    if (epoch.load(std::memory_order_relaxed) == now) return false;
    for (auto& [storage, address] : constants)
      if (storage->base() != address) return true;
    epoch.store(now, std::memory_order_relaxed);
    return false;
  }
  bool rewritten() const {
    const uint64_t now = observed_epoch();
    if (contents_epoch.load(std::memory_order_relaxed) == now) return false;
    for (auto& w : packed)
      if (!packed_weight_holds(*w, trusted)) return true;
    contents_epoch.store(now, std::memory_order_relaxed);
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
      if (is_constant(inputs[w].toTensorRef().impl()->storage.get())) return false;
    for (uint32_t w : written_inputs)
      for (uint32_t i = 1; i < inputs.size(); ++i)
        if (i != w && key[i - 1].tensor && root(i) != root(w) && overlap(w, i, inputs))
          return false;
    return true;
  }
  // What the graph read from its module when it was recorded.
  std::vector<AttributeForm> attributes;
  bool attributes_match(const std::vector<IValue>& now) const {
    if (now.size() != attributes.size()) return false;
    for (size_t i = 0; i < now.size(); ++i)
      if (!attributes[i].matches(now[i])) return false;
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
    for (const Fixup& f : run_fixups)
      patch(*in, f.at,
            f.offset + static_cast<char*>(f.base == Fixup::Output
                                              ? in->outputs[f.index]->address()
                                              : inputs[f.index].toTensorRef().element_address()));
    {
      struct Written {
        const ShapePlan& plan;
        const std::vector<IValue>& inputs;
        ~Written() {
          for (uint32_t i : plan.written_inputs)
            inputs[i].toTensorRef().impl()->storage->note_write();
        }
      } written{*this, inputs};
      if (PlanTimer* timer = plan_timer.load(std::memory_order_acquire))
        timer->run(calls, in->args.data());
      else
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
      if (f.base != Fixup::Input || base[f.index]) continue;
      const Key& k = key[f.index - 1];
      Ref<Storage> copy = Storage::allocate(static_cast<size_t>(k.high - k.low));
      base[f.index] = static_cast<char*>(copy->address()) - k.low;
      in.graph_inputs.emplace_back(f.index, std::move(copy));
    }
    for (size_t n : output_bytes) in.graph_outputs.push_back(Storage::allocate(n));
    for (const Fixup& f : run_fixups)
      patch(in, f.at,
            f.offset + (f.base == Fixup::Output
                            ? static_cast<char*>(in.graph_outputs[f.index]->address())
                            : base[f.index]));
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

  bool is_constant(const Storage* s) const {
    for (auto& c : constants)
      if (c.first == s) return true;
    for (auto& w : packed)
      if (w->source.get() == s) return true;
    return false;
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
      patch(*in, f.at, static_cast<char*>(in->arena->address()) + f.offset);
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
      if (r.place.kind == Place::Arena) {
        t->storage = in.outputs[static_cast<size_t>(r.output)];
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

// Gives the storages of p their places, the largest first, each at the lowest that is free during
// its life, and writes the calls into plan. Source: greedy by size (Pisarchyk & Lee 2020,
// "Efficient memory management for deep neural nets").
void place_calls(PlannedProgram& p, ShapePlan& plan);

}  // namespace sconce
