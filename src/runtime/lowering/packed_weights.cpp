// SPDX-License-Identifier: Apache-2.0
#include "runtime/lowering/packed_weights.h"

#include <algorithm>

#include "support/platform.h"

namespace sconce {

bool packed_weight_holds(const PackedWeight& w, bool trusted) {
  return w.source->version() == w.version && (trusted || !w.source->exposed());
}

std::shared_ptr<unsigned char> PackedWeights::allocate(size_t nbytes) {
  constexpr size_t kFirst = size_t{64} << 10, kMost = size_t{16} << 20;
  if (!block_ || block_size_ - used_ < nbytes) {
    // Each is twice as large as the one before, so that a small network takes little room.
    block_size_ = std::max(nbytes, block_ ? std::min(2 * block_size_, kMost) : kFirst);
    block_ = allocate_pages(block_size_);
    used_ = 0;
  }
  std::shared_ptr<unsigned char> p(block_, block_.get() + used_);
  used_ = std::min(block_size_, (used_ + nbytes + 63) / 64 * 64);
  return p;
}

std::shared_ptr<const PackedWeight> PackedWeights::get(const Ref<Storage>& source,
                                                       const std::string& key, size_t nbytes,
                                                       const std::function<void(void*)>& make) {
  std::lock_guard<std::mutex> lock(mutex_);
  Forms& f = weights_[source.get()];
  if (!f.source) f.source = source;
  for (auto it = f.forms.begin(); it != f.forms.end();) {
    if (packed_weight_holds(*it->second, trusted_)) {
      ++it;
      continue;
    }
    it = f.forms.erase(it);
    if (f.forms.empty()) ++f.changes;
  }
  if (auto known = f.forms.find(key); known != f.forms.end()) return known->second;
  if (f.changes > 1 || (!trusted_ && source->exposed())) return nullptr;
  auto w = std::make_shared<PackedWeight>();
  w->source = source;
  w->version = source->observe();
  w->bytes = allocate(nbytes);
  make(w->bytes.get());
  // Written or handed out meanwhile, by another thread.
  if (!packed_weight_holds(*w, trusted_)) return nullptr;
  f.forms.emplace(key, w);
  return w;
}

}  // namespace sconce
