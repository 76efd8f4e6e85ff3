// SPDX-License-Identifier: Apache-2.0
// A recorded run as a list of kernel calls over storages, before its memory is placed: what the
// lowering passes rewrite. Every shape is known here, and each storage that the run made is seen
// whole: who writes it, who reads it, whether it is part of the answer.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/kernels.h"
#include "sconce/tensor.h"

namespace sconce {

// Where a view's bytes are.
struct Place {
  // Arena: a storage that the run made (an answer's too). Input: of the call. Constant: of the
  // code. Packed: weights that a lowering has packed.
  enum Kind : uint8_t { Absent, Arena, Input, Constant, Packed } kind = Absent;
  uint32_t index = 0;  // storage, input, constant or packed weight
  int64_t offset = 0;  // bytes from the storage's start; of an input from its first element
  bool same_storage(const Place& o) const { return kind == o.kind && index == o.index; }
  bool operator==(const Place& o) const { return same_storage(o) && offset == o.offset; }
};

struct PlannedView {
  Place place;
  DimVector sizes, strides;  // strides in elements
  ScalarType dtype = ScalarType::Undefined;
  bool absent() const { return place.kind == Place::Absent; }
  int64_t numel() const {
    int64_t n = 1;
    for (int64_t s : sizes) n *= s;
    return n;
  }
  // The elements lie side by side, in the order of the dims.
  bool contiguous() const;
};

// The function that runs a call whose arguments are an A.
template <class A>
constexpr auto slot_runner = &detail::SlotOf<A>::run;
namespace detail {
struct PreparedSlots {
  static void linear(const void* a) {
    context().kernels->linear(*static_cast<const LinearArgs*>(a));
  }
  static void embedding(const void* a) {
    context().kernels->packed_embedding(*static_cast<const PackedEmbeddingArgs*>(a));
  }
  static void conv(const void* a) {
    context().kernels->prepared_conv(*static_cast<const PreparedConvArgs*>(a));
  }
  static void pointwise(const void* a) {
    context().kernels->pointwise(*static_cast<const PointwiseArgs*>(a));
  }
};
}  // namespace detail
template <>
inline constexpr auto slot_runner<LinearArgs> = &detail::PreparedSlots::linear;
template <>
inline constexpr auto slot_runner<PackedEmbeddingArgs> = &detail::PreparedSlots::embedding;
template <>
inline constexpr auto slot_runner<PreparedConvArgs> = &detail::PreparedSlots::conv;
template <>
inline constexpr auto slot_runner<PointwiseArgs> = &detail::PreparedSlots::pointwise;

struct PlannedCall {
  void (*run)(const void*) = nullptr;  // null: the call was removed
  uint32_t written = 0;                // bit i: view i is written
  std::vector<unsigned char> args;     // the views in it say nothing, `views` do
  std::vector<PlannedView> views;
  const Node* node = nullptr;  // that it comes from, of several the one with most work
  bool made = false;  // when it was recorded: the host may look at what follows from sizes alone
  bool plain_input = false;  // a prepared convolution that takes its picture in the dims' order too

  template <class A>
  bool is() const {
    return run == slot_runner<A>;
  }
  template <class A>
  A& as() {
    return *reinterpret_cast<A*>(args.data());
  }
  template <class A>
  const A& as() const {
    return *reinterpret_cast<const A*>(args.data());
  }
  bool writes(size_t i) const { return written >> i & 1; }
};
template <class A>
PlannedCall planned_call(const A& args) {
  PlannedCall c;
  c.run = slot_runner<A>;
  c.written = written_views(args);
  c.args.assign(reinterpret_cast<const unsigned char*>(&args),
                reinterpret_cast<const unsigned char*>(&args) + sizeof(A));
  c.views.resize(A::kViews);
  return c;
}

// It writes what a fill, a copy or arithmetic on floats gives, whatever its operands hold.
bool never_raises(const PlannedCall& c);

struct PlannedStorage {
  size_t nbytes = 0;
  int64_t output = -1;  // it is part of the answer, as this output
};

// What a packed weight was made from, and its bytes.
struct PackedWeight {
  std::shared_ptr<unsigned char> bytes;
  Ref<Storage> source;
  uint64_t version = 0;  // of the source, when it was read
};

struct PlannedProgram {
  std::vector<PlannedCall> calls;
  std::vector<PlannedStorage> storages;
  std::vector<Ref<Storage>> constants;
  std::vector<std::shared_ptr<const PackedWeight>> packed;
  // Arrays that arguments point to (PointwiseArgs::steps), kept with the plan.
  std::vector<std::shared_ptr<const void>> tables;

  uint32_t add_storage(size_t nbytes) {
    storages.push_back({nbytes});
    return static_cast<uint32_t>(storages.size() - 1);
  }
  // A call in [from, to) that is still there writes the storage of a view that `call` reads.
  bool operands_change(const PlannedCall& call, size_t from, size_t to) const;
  void drop_removed_calls();
  // One call a line: name, views as place[sizes:strides], written ones first.
  std::string text() const;
  // Where each of them comes from, as "file:line:column"; "" where nobody knows.
  std::vector<std::string> places() const;
};

// The calls that touch each storage of the run, in their order. Calls that were removed since are
// passed over.
class Touches {
 public:
  explicit Touches(const PlannedProgram& p);
  const std::vector<uint32_t>& of(uint32_t storage) const { return lists_[storage]; }
  // The next call after `at` that touches what v names, a storage of the run.
  std::optional<size_t> next(const PlannedView& v, size_t at) const;
  // Nobody needs v's storage after call `at`: it is touched no more, and no part of the answer.
  bool last(const PlannedView& v, size_t at) const {
    return p_.storages[v.place.index].output < 0 && !next(v, at);
  }
  // Call `at` was replaced by one that touches other storages.
  void replaced(size_t at);

 private:
  const PlannedProgram& p_;
  std::vector<std::vector<uint32_t>> lists_;
};

}  // namespace sconce
