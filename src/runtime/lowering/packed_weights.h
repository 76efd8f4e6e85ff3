// SPDX-License-Identifier: Apache-2.0
// Constants in the form that kernels want them, made once and shared by a method's plans.
#pragma once
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>

#include "runtime/lowering/planned.h"

namespace sconce {

// The bytes that a packed weight was made from are as they were, and nobody can change them unseen.
// trusted: the host has promised not to write through pointers that it holds.
bool packed_weight_holds(const PackedWeight& w, bool trusted);

// Any number of threads. Bytes that were found changed twice are not packed again.
class PackedWeights {
 public:
  explicit PackedWeights(bool trusted) : trusted_(trusted) {}
  bool trusted() const { return trusted_; }
  // The packed form of `source`; key tells it from other forms of the same storage. make fills the
  // memory, from the source's bytes: deferred ones are looked at in passing and stay deferred.
  // Null: the bytes can't be taken for constant.
  std::shared_ptr<const PackedWeight> get(
      const Ref<Storage>& source, const std::string& key, size_t nbytes,
      const std::function<void(const void* bytes, void* memory)>& make);
  // Nothing is packed until the next recording: gives back what it needed besides.
  void rest();

 private:
  struct Forms {
    Ref<Storage> source;  // so that the address stays its own
    std::unordered_map<std::string, std::shared_ptr<const PackedWeight>> forms;
    int changes = 0;
  };
  std::shared_ptr<unsigned char> allocate(size_t nbytes);

  const bool trusted_;
  // Weights lie side by side in blocks of large pages; a block lives as long as one of them.
  struct Block {
    std::weak_ptr<unsigned char> bytes;
    size_t size, used;
  };
  std::vector<Block> blocks_;
  std::shared_ptr<unsigned char> scratch_;  // for deferred bytes
  size_t scratch_size_ = 0;
  std::mutex mutex_;
  std::unordered_map<const Storage*, Forms> weights_;
};

}  // namespace sconce
