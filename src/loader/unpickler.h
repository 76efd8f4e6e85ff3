// SPDX-License-Identifier: Apache-2.0
// The machine behind unpickle(): a stack of items, a memo, and a closed list of what may be called.
// The opcodes are in pickle.cpp, what JIT archives call in pickle_globals.cpp, what torch.save
// files call besides in torch_save_globals.cpp. Nothing recurses by the input's will: containers
// have a bounded depth.
#pragma once
#include <algorithm>
#include <map>
#include <memory>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "loader/pickle.h"
#include "support/byte_reader.h"

namespace sconce {

// A numpy dtype: plain numbers alone.
struct NumpyType {
  ScalarType type = ScalarType::Undefined;
  bool swapped = false;  // big-endian
};

// What stands on the unpickler's stack: a value, or something that only the next opcodes
// understand.
struct PickleItem {
  enum class Kind : uint8_t { Value, Global, Storage, NewObject, NumpyType };
  struct Name {
    std::string module, name;
    std::string full() const { return module + "." + name; }
  };
  IValue value;
  // Small, for an opcode of one byte makes one.
  std::shared_ptr<const Name> global;  // Global
  Ref<Storage> storage;                // Storage
  const ClassType* cls = nullptr;      // NewObject
  std::shared_ptr<NumpyType> numpy;    // NumpyType
  Device device;
  Kind kind = Kind::Value;
  ScalarType dtype = ScalarType::Undefined;
  bool untyped = false;

  PickleItem() = default;
  PickleItem(IValue v) : value(std::move(v)) {}
  bool is_value() const { return kind == Kind::Value; }
  bool is(const char* module, const char* name) const {
    return kind == Kind::Global && global->module == module && global->name == name;
  }
};

class Unpickler {
 public:
  using Item = PickleItem;
  using Items = std::vector<Item>;

  Unpickler(const Bytes& b, const PickleOptions& o)
      : r_(b.data, b.size, o.what.c_str()),
        o_(o),
        bytes_(b.size),
        worth_(std::min<uint64_t>(b.size, kFree + 16 * (o.file_size ? o.file_size : b.size))) {}
  IValue run();

 private:
  [[noreturn]] void fail(const std::string& what) const;

  // ---- stack and memo (pickle.cpp) ----
  void push(Item i) { stack_.push_back(std::move(i)); }
  Item pop();
  IValue pop_value();
  Item& top();
  Items pop_mark();
  // The value of an item; fails for what isn't one.
  IValue value_of(Item& i);
  std::vector<IValue> values(Items items);
  std::string text(uint64_t n);
  void memo_put(uint64_t at);
  void memo_get(uint64_t at);
  void push_tuple(Items items);
  // Every element passes here before its container has it: bounds the depth, and closes the
  // element. A container that was put into another can't change any more (open() throws), so depths
  // stay true and nothing is cyclic. Pickles of acyclic values have it so.
  void hold(const IValue& container, const IValue& element);
  void open(const IValue& container) const;
  // Now and then: the limits of the call that loads.
  void look();
  // The container changes no more.
  void seal(const IValue& container) {
    if (sealed_.insert(container.box()).second) keep_.push_back(container);
  }
  // Counts elements and bytes that the unpickler copies: a pickle must not unfold to much more than
  // its size.
  void spend(uint64_t n);
  // The same of elements that it looks at; all that is in a container, as it unfolds.
  void visit(uint64_t n);
  void visit_all(const IValue& v);
  // The elements of a tuple, of no more than at_most; null when the item is none.
  std::optional<Items> elements(const Item& tuple, size_t at_most);

  // ---- opcodes (pickle.cpp) ----
  void step(uint8_t op);
  bool step_torch_save(uint8_t op);
  void integer_of(uint64_t n);
  IValue list_of(std::vector<IValue> v);
  void append(IValue& list, std::vector<IValue> v);
  void set_items(IValue& dict, std::vector<IValue> v);
  void new_object(const Item& g, const Item& args);
  void build();
  void reduce();

  // ---- what JIT archives call (pickle_globals.cpp) ----
  Item call(const Item& g, Items& a, int depth);
  IValue enum_member(const EnumType& t, const IValue& value);
  IValue list_of_kind(const Item& g, IValue list);
  IValue old_class(const Item& g, const IValue& state);
  void need(const Items& a, size_t at_least, size_t at_most, const Item& g) const;
  IValue& arg(Items& a, size_t i) const;
  int64_t integer(Items& a, size_t i) const;
  DimVector dims(const IValue& v) const;
  int64_t bytes_of(const TensorImpl& t) const;
  void tag_type(IValue& v, TypePtr t);
  IValue device(Items& a);
  IValue rebuild_tensor(const Item& g, Items& a);
  void apply_math_bits(Item& item, TensorImpl& t);
  std::shared_ptr<const Quantizer> quantizer(Items& a);
  void storage();

  // ---- what torch.save files call besides (torch_save_globals.cpp) ----
  std::optional<Item> torch_save_call(const Item& g, Items& a);
  std::optional<Item> torch_save_new(const Item& g, Items& a);
  bool torch_save_build(Item& target, Item& state);
  std::optional<int64_t> number_of_global(const Item::Name& g) const;
  Item numpy_type(Items& a);
  IValue numpy_scalar(Items& a);
  void build_array(TensorImpl& t, Items& a);
  IValue meta_tensor(Items& a);
  std::string latin1(const std::string& utf8) const;
  [[noreturn]] void refuse(const Item& g, bool is_class) const;

  // A deflated pickle may have that many opcodes, and some for every byte of the file.
  static constexpr uint64_t kFree = 1 << 19;

  ByteReader r_;
  const PickleOptions& o_;
  uint64_t bytes_, worth_, steps_ = 0, spent_ = 0, visited_ = 0, text_ = 0;
  Charge charge_;  // of stack, memo and what stands there
  Items stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, Item> memo_;
  // Tuples that hold something else than values: their items. Their boxes are empty until a value
  // is wanted.
  std::unordered_map<RefCounted*, Items> mixed_;
  std::unordered_map<RefCounted*, size_t> mixed_depth_;
  // Of containers in containers: how deep, and how many elements there are when what is shared is
  // counted each time that it is met, as printing and comparing meet it.
  struct Nested {
    size_t depth = 1;
    uint64_t unfolded = 0;
  };
  std::unordered_map<RefCounted*, Nested> nested_;
  std::unordered_set<RefCounted*> sealed_;
  std::unordered_map<RefCounted*, TypePtr> tags_;  // of restore_type_tag, by the text's box
  std::vector<IValue> keep_;                       // what these name by address
  std::unordered_map<std::string, Ref<Storage>> storages_;  // by key
  std::unordered_map<std::string, ScalarType> storage_types_;
  // Storages with math bits applied, by storage, bits and dtype; the originals stay alive.
  std::map<std::tuple<const Storage*, bool, bool, ScalarType>, Ref<Storage>> flipped_;
  std::vector<Ref<Storage>> keep_storages_;
  std::unordered_set<RefCounted*> arrays_;   // numpy arrays that BUILD has yet to fill
  std::unordered_set<RefCounted*> records_;  // dicts that stand for objects whose state is a dict
};

}  // namespace sconce
