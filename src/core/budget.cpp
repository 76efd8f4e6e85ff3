// SPDX-License-Identifier: Apache-2.0
#include "core/budget.h"

#include <algorithm>

#include "sconce/error.h"

namespace sconce {

Limits Limits::untrusted() {
  Limits l;
  l.memory = uint64_t{1} << 30;
  l.steps = 100'000'000;
  l.operator_work = 100'000'000'000;
  l.depth = 1000;
  l.seconds = 30;
  return l;
}

void MemoryAccount::refuse(uint64_t n) const {
  raise<LimitError>("the limit of ", most_, " bytes of memory is reached: ", held(),
                    " are held, and ", n, " more are asked for");
}
void MemoryAccount::add(uint64_t n) {
  uint64_t held = held_.load(std::memory_order_relaxed);
  do {
    if (n > most_ || held > most_ - n) refuse(n);
  } while (!held_.compare_exchange_weak(held, held + n, std::memory_order_relaxed));
}
void MemoryAccount::expect(uint64_t n) const {
  if (n > most_ || held() > most_ - n) refuse(n);
}

void Charge::set(MemoryAccount& account, uint64_t n) {
  MemoryAccount* charged = account_.load(std::memory_order_acquire);
  if (!charged) {
    account.retain();
    if (account_.compare_exchange_strong(charged, &account, std::memory_order_acq_rel))
      charged = &account;
    else
      account.release();
  }
  const uint64_t before = bytes();
  if (n > before) charged->add(n - before);
  const uint64_t replaced = bytes_.exchange(n, std::memory_order_relaxed);
  if (n < before) charged->remove(before - n);
  // Another thread was between: the account has what is held now.
  charged->remove(replaced - before);
}
void Charge::release(MemoryAccount& a) noexcept {
  a.remove(bytes());
  a.release();
}

namespace {
constexpr int64_t kPeriod = 1024, kPasses = 16;
constexpr double kElements = 1e6;  // of kernels between two looks at the clock
constexpr double kCall = 64;       // elements that a kernel takes as long for as its call does
}  // namespace

Budget::Budget(const Limits& l, Ref<MemoryAccount> memory)
    : countdown(0),
      max_steps_(l.steps),
      depth_(l.depth),
      max_work_(static_cast<double>(l.operator_work)),
      seconds_(l.seconds),
      cancel_(l.cancel),
      memory_(std::move(memory)) {
  if (seconds_ > 0)
    end_ = std::chrono::steady_clock::now() +
           std::chrono::duration_cast<std::chrono::steady_clock::duration>(
               std::chrono::duration<double>(std::min(seconds_, 1e9)));
}

void Budget::look() {
  steps_ += static_cast<uint64_t>(period_);
  period_ = 0;
  if (max_steps_ && steps_ >= max_steps_)
    raise<LimitError>("the limit of ", max_steps_, " steps is reached");
  look_from_any_thread();
  period_ = kPeriod;
  if (max_steps_) period_ = static_cast<int64_t>(std::min<uint64_t>(kPeriod, max_steps_ - steps_));
  countdown = period_ - 1;
}
void Budget::look_at_clock() {
  look_from_any_thread();
  passes_ = kPasses;
  elements_ = 0;
}
void Budget::look_from_any_thread() const {
  if (cancel_ && cancel_->load(std::memory_order_relaxed)) raise<LimitError>("cancelled");
  if (seconds_ > 0 && std::chrono::steady_clock::now() >= end_)
    raise<LimitError>("the limit of ", seconds_, " seconds is reached");
}
void Budget::work(double elements, const char* slot) {
  if (max_work_ > 0 && elements > max_work_)
    raise<LimitError>("the limit of ", max_work_,
                      " elements' work in one operator is reached: ", slot, " would take ",
                      elements);
  elements_ += elements + kCall;
  if (elements_ > kElements) look_at_clock();
}

namespace {
constexpr uint64_t kBox = 80;  // a box and what the heap adds to it
uint64_t size_of(const std::vector<IValue>& items) {
  return kBox + items.capacity() * sizeof(IValue);
}
void charge_value(MemoryAccount& account, const IValue& v, int depth) {
  auto items = [&](const std::vector<IValue>& list) {
    if (depth < 2)
      for (const IValue& e : list) charge_value(account, e, depth + 1);
  };
  switch (v.tag()) {
    case Tag::String: {
      auto& s = *static_cast<StringBox*>(v.box());
      s.charge.set(account, kBox + s.value.capacity());
      break;
    }
    case Tag::List: {
      ListBox& l = v.toListRef();
      const bool fresh = !l.charge.bytes();
      l.charge.set(account, size_of(l.items));
      if (fresh) items(l.items);
      break;
    }
    case Tag::Tuple: {
      TupleBox& t = v.toTupleRef();
      if (t.charge.bytes()) break;
      t.charge.set(account, size_of(t.items));
      items(t.items);
      break;
    }
    case Tag::Dict: {
      DictBox& d = v.toDictRef();
      constexpr uint64_t kIndexed = 64;  // an entry of the index
      d.charge.set(account,
                   kBox + d.items.capacity() * 2 * sizeof(IValue) + d.items.size() * kIndexed);
      break;
    }
    case Tag::Object: {
      Object& o = v.toObjectRef();
      if (!o.charge.bytes()) o.charge.set(account, 2 * kBox + o.size() * sizeof(IValue));
      break;
    }
    default: break;
  }
}
}  // namespace

void charge_value(MemoryAccount& account, const IValue& v) { charge_value(account, v, 0); }

}  // namespace sconce
