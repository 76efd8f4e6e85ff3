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
  blocks_.erase(std::remove_if(blocks_.begin(), blocks_.end(),
                               [](const Block& b) { return b.bytes.expired(); }),
                blocks_.end());
  // The fullest that has room: a page that was touched is paid for.
  Block* fits = nullptr;
  for (Block& b : blocks_)
    if (b.size - b.used >= nbytes && (!fits || b.size - b.used < fits->size - fits->used))
      fits = &b;
  std::shared_ptr<unsigned char> bytes;
  if (fits) bytes = fits->bytes.lock();
  if (!bytes) {
    // Each is twice as large as the one before, so that a small network takes little room.
    const size_t size =
        std::max(nbytes, blocks_.empty() ? kFirst : std::min(2 * blocks_.back().size, kMost));
    bytes = allocate_pages(size);
    fits = &blocks_.emplace_back(Block{bytes, size, 0});
  }
  std::shared_ptr<unsigned char> p(bytes, bytes.get() + fits->used);
  fits->used = std::min(fits->size, (fits->used + nbytes + 63) / 64 * 64);
  return p;
}

std::shared_ptr<const PackedWeight> PackedWeights::get(
    const Ref<Storage>& source, const std::string& key, size_t nbytes,
    const std::function<void(const void*, void*)>& make) {
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
  make(source->read_once([&](size_t n) {
    if (n > scratch_size_) scratch_.reset(), scratch_ = allocate_pages(n), scratch_size_ = n;
    return scratch_.get();
  }),
       w->bytes.get());
  // Written or handed out meanwhile, by another thread.
  if (!packed_weight_holds(*w, trusted_)) return nullptr;
  f.forms.emplace(key, w);
  return w;
}

void PackedWeights::rest() {
  std::lock_guard<std::mutex> lock(mutex_);
  scratch_.reset();
  scratch_size_ = 0;
}

}  // namespace sconce
