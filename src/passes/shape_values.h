// SPDX-License-Identifier: Apache-2.0
// What shape propagation knows of a value: what it would be in several worlds, each of which gives
// every unknown size a number of its own.
//
//   x : Float(SS(-1), 3)          world      0     1     2       3
//                                 SS(-1)  1009  2003     2  100003
//   y = cat([x, x])               y: [2018, 3] [4006, 3] [4, 3] [200006, 3]  =>  Float(SS(-2), 3)
//
// A size that is one number in all worlds is that number; one that has a symbol's numbers is that
// symbol; any other gets a symbol of its own, so that equal unknown sizes have equal symbols.
// Worlds 0 and 1 tell sizes apart, primes that are far from each other after division too. World 2
// is small and world 3 large: what clips a size (x[:, :5]) shows there. Either of these two may be
// absent where an operator refuses its sizes.
#pragma once
#include <array>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "ir/graph.h"
#include "passes/without_elements.h"

namespace sconce::shapes {

constexpr size_t kWorlds = 4, kNeeded = 2;  // the first two are always there
using Sizes = std::array<int64_t, kWorlds>;
constexpr int64_t kAbsent = -1;

// Unknown sizes, by number from 1.
class Symbols {
 public:
  explicit Symbols(int64_t first_free) : next_(first_free) {}
  // The sizes of the symbol that key stands for, made at the first call.
  struct Key {
    const void* value;
    size_t place;
    bool operator<(const Key& o) const {
      return value != o.value ? value < o.value : place < o.place;
    }
  };
  const Sizes& fresh(Key key);
  // The symbol with this number, which an input's type has.
  const Sizes& numbered(int64_t number);
  // The symbol whose sizes these are as far as they are there; 0: none, and it gets one.
  int64_t number_of(const Sizes& s);

 private:
  const Sizes& make(int64_t number);
  struct Symbol {
    Sizes sizes;
    int64_t number;  // 0: not printed yet
  };
  std::map<std::pair<int64_t, int64_t>, std::vector<size_t>> by_sizes_;  // of worlds 0 and 1
  std::deque<Symbol> all_;  // their sizes stay where they are
  std::map<Key, size_t> by_key_;
  std::map<int64_t, size_t> by_number_;
  int64_t next_;
};

// Unknown; a value in every world that is there; or the parts of a tuple or list, of which each is
// one of these.
struct Known {
  enum class Kind { Nothing, Value, Parts };
  Kind kind = Kind::Nothing;
  std::array<std::optional<IValue>, kWorlds> in;
  std::vector<Known> parts;
  TypePtr type = nullptr;  // of a list's elements, or the named tuple
  bool list = false;
  // Of a tensor.
  bool strides = false;                      // they are known too
  std::optional<Device> device;              // where that is known
  bool no_grad = false;                      // it surely doesn't require a gradient
  std::string why;                           // nothing is known
  ScalarType dtype = ScalarType::Undefined;  // where only that is known

  explicit operator bool() const { return kind != Kind::Nothing; }
  bool is_tensor() const { return kind == Kind::Value && in[0]->isTensor(); }
};

Known nothing(std::string why);
// The same in all worlds.
Known constant(const IValue& v);
// The value in a world; nothing when a part isn't there.
std::optional<IValue> materialize(const Known& k, size_t world);
// Some number in it differs between worlds. tensors: their sizes count.
bool varies(const Known& k, bool tensors);
bool same(const Known& a, const Known& b);
// Holds of a and of b. What differs gets a symbol that belongs to key.
Known join(const Known& a, const Known& b, const Value* key, Symbols& symbols,
           WithoutElements& run);
// A size that nobody knows.
Known unknown_int(const Value* key, Symbols& symbols);
// Tensors with these sizes, one a world.
Known tensors(const std::vector<Sizes>& sizes, ScalarType dtype, WithoutElements& run);
// The sizes of dim d in all worlds.
Sizes sizes_of(const Known& tensor, size_t d);

// Between a type and what is known.
Known from_type(TypePtr t, const Value* key, Symbols& symbols, WithoutElements& run);
TypePtr type_of(const Known& k, Symbols& symbols);

}  // namespace sconce::shapes
