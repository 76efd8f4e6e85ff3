// SPDX-License-Identifier: Apache-2.0
#include "passes/without_elements.h"

#include <cstring>

#include "core/budget.h"
#include "core/device.h"
#include "support/lasting.h"
#include "support/platform.h"

namespace sconce {

namespace {
constexpr size_t kFewBytes = 4096;
// Addresses that one tensor may have; the less where the system gives no more. Few where they are
// of 32 bits, and memory.
constexpr bool kPlenty = sizeof(size_t) > 4;
constexpr size_t kMostBytes = size_t{1} << (kPlenty ? 46 : 26),
                 kLeastBytes = size_t{1} << (kPlenty ? 32 : 26);
constexpr uint64_t kMostSteps = 20'000;  // of one operator that is written in others

// Kernels that compute the same in every run and read nothing but their views.
bool is_plain(std::string_view slot) {
  static const Lasting plain(new std::unordered_set<std::string_view>{
      "fill", "copy", "unary", "binary", "ternary", "reduce", "arg_reduce", "scan", "gather",
      "scatter", "index", "sequence", "sort", "nonzero"});
  return plain->count(slot) != 0;
}
}  // namespace

WithoutElements::WithoutElements()
    : context_(context()), before_(context_.allocator), generator_(make_ref<Generator>()) {
  if (context_.device) context_.kernels = context_.host_kernels;
  context_.device = nullptr;
  context_.allocator = {allocate, deallocate, this};
  context_.generator = generator_.get();
  context_.out = context_.warnings = nullptr;
  context_.pool = nullptr;
  context_.num_threads = 1;
  context_.budget = nullptr;
  context_.recorder = this;
  scope_.emplace(&context_);
}
WithoutElements::~WithoutElements() {
  scope_.reset();
  if (addresses_) release_addresses(addresses_, reserved_);
}

void* WithoutElements::allocate(void* self, size_t nbytes) {
  auto* w = static_cast<WithoutElements*>(self);
  if (nbytes <= kFewBytes) {
    void* p = w->before_.allocate(w->before_.self, nbytes);
    std::memset(p, 0, nbytes);
    return p;
  }
  for (size_t n = kMostBytes; !w->addresses_ && n >= kLeastBytes; n >>= 2)
    if ((w->addresses_ = reserve_addresses(n))) w->reserved_ = n;
  if (nbytes > w->reserved_) raise<OutOfMemory>("no addresses for ", nbytes, " bytes");
  return w->addresses_;
}
void WithoutElements::deallocate(void* self, void* p, size_t nbytes) {
  auto* w = static_cast<WithoutElements*>(self);
  if (p != w->addresses_) w->before_.deallocate(w->before_.self, p, nbytes);
}

Tensor WithoutElements::tensor(IntArrayRef sizes, ScalarType dtype) {
  return tensor(sizes, contiguous_strides(sizes), dtype);
}
Tensor WithoutElements::tensor(IntArrayRef sizes, IntArrayRef strides, ScalarType dtype) {
  Tensor t = empty_strided(sizes, strides, dtype);
  fresh_.erase(t.impl()->storage.get());
  return t;
}
Tensor WithoutElements::like(const Tensor& t) {
  const TensorImpl& from = *t.impl();
  const Extent e =
      extent_of(from.sizes.data(), from.strides.data(), static_cast<int64_t>(from.sizes.size()));
  const size_t es = element_size(from.dtype);
  const size_t bytes = static_cast<size_t>(e.end - e.begin) * es;
  Ref<Storage> s = Storage::allocate(bytes);
  fresh_.erase(s.get());
  const bool host = !from.storage->device() && from.device.type == DeviceType::CPU;
  if (host && bytes <= kFewBytes) {
    if (bytes)
      std::memcpy(s->address(),
                  static_cast<const char*>(t.const_raw_data()) + e.begin * static_cast<int64_t>(es),
                  bytes);
    known_.insert(s.get());
  }
  return with_storage(t, std::move(s), -e.begin);
}
Tensor WithoutElements::alias_of(const Tensor& t) {
  const TensorImpl& from = *t.impl();
  return with_storage(t, from.storage, from.offset);
}

std::optional<std::vector<IValue>> WithoutElements::run(const Operator& op,
                                                        std::vector<IValue> inputs,
                                                        std::string* why) {
  wanted_elements_ = false;
  if (op.custom || !op.kernel) {
    *why = "the operator isn't known";
    return std::nullopt;
  }
  Limits limits;
  limits.steps = kMostSteps;
  Budget budget(limits, nullptr);
  context_.budget = &budget;
  std::optional<std::vector<IValue>> r;
  try {
    r = run_operator(op, std::move(inputs));
  } catch (const Error& e) {
    *why = wanted_elements_ ? "it depends on elements" : e.what();
  }
  context_.budget = nullptr;
  return r;
}

void WithoutElements::allocated(const Ref<Storage>& s) {
  known_.erase(s.get());
  fresh_.erase(s.get());
  if (s->nbytes() <= kFewBytes) fresh_.insert(s.get());
}
void WithoutElements::called(const SlotCall& c) {
  const auto* views = static_cast<const TensorView*>(c.args);
  bool runs = context_.kernels && is_plain(c.name);
  for (uint32_t i = 0; i < c.n_views && runs; ++i)
    if (views[i].data)
      runs = known_.count(views[i].storage) ||
             ((c.written >> i & 1) && fresh_.count(views[i].storage));
  if (runs) run_slot(c);
  for (uint32_t i = 0; i < c.n_views; ++i)
    if (views[i].data && (c.written >> i & 1)) {
      fresh_.erase(views[i].storage);
      if (runs)
        known_.insert(views[i].storage);
      else
        known_.erase(views[i].storage);
    }
}
void WithoutElements::host_read(const Storage* s) {
  if (known_.count(s)) return;
  wanted_elements_ = true;
  raise<OpError>("elements are wanted where only sizes are known");
}

}  // namespace sconce
