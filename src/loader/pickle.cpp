// SPDX-License-Identifier: Apache-2.0
// The pickle dialect of archive-format.md sections 4 to 6 and 9: the opcodes.
#include "loader/pickle.h"

#include <cstdio>
#include <cstring>

#include "core/budget.h"
#include "loader/unpickler.h"

namespace sconce {

namespace {
constexpr size_t kMaxDepth = 2000;
constexpr uint64_t kMaxUnfolded = uint64_t{1} << 24;
constexpr size_t kMaxName = 4096;   // of a module or class
constexpr uint64_t kMaxKey = 4096;  // parts of a dict's key
// Tuples that hold more than values are looked into recursively.
constexpr size_t kMaxMixedDepth = 100;
}  // namespace

IValue Unpickler::run() {
  if (r_.u8() != 0x80) fail("the pickle does not begin with PROTO");
  int proto = r_.u8();
  if (proto != 2 && !(o_.torch_save && proto >= 2 && proto <= 5))
    fail("only pickle protocol 2 is supported");
  for (;;) {
    uint8_t op = r_.u8();
    if (op == '.') break;
    if (++steps_ > worth_) fail("the pickle unfolds to far more than its file holds");
    if (steps_ % 1024 == 0) look();
    step(op);
  }
  if (!marks_.empty() || stack_.size() != 1) fail("the pickle does not leave one value");
  if (!o_.torch_save && !stack_[0].is_value()) fail("the pickle does not leave one value");
  return value_of(stack_[0]);
}

void Unpickler::look() {
  Budget* b = context().budget;
  if (!b) return;
  b->pass();
  constexpr uint64_t kStep = sizeof(Item) + 80;  // an item and the box that it has at most
  if (b->memory()) charge_.set(*b->memory(), steps_ * kStep + text_);
}

void Unpickler::fail(const std::string& what) const {
  raise<FormatError>(o_.what, ": ", what, " (byte ", r_.position(), ")");
}

// ---- stack and memo ----

PickleItem Unpickler::pop() {
  if (stack_.empty() || (!marks_.empty() && stack_.size() <= marks_.back()))
    fail("the pickle's stack is empty");
  Item i = std::move(stack_.back());
  stack_.pop_back();
  return i;
}
IValue Unpickler::pop_value() {
  Item i = pop();
  return value_of(i);
}
IValue Unpickler::value_of(Item& i) {
  switch (i.kind) {
    case Item::Kind::Value: break;
    case Item::Kind::Global:
      if (o_.torch_save)
        if (auto n = number_of_global(*i.global)) return IValue(*n);
      fail("the global " + i.global->module + " " + i.global->name + " is no value");
    case Item::Kind::Storage: {
      if (!o_.torch_save) fail("a storage or class stands where a value is needed");
      // A storage by itself: its elements as a tensor of one dim.
      auto t = make_ref<TensorImpl>();
      t->storage = i.storage;
      t->dtype = i.dtype;
      t->device = i.device;
      t->sizes.push_back(static_cast<int64_t>(i.storage->nbytes() / element_size(i.dtype)));
      t->strides.push_back(1);
      return Tensor(std::move(t));
    }
    case Item::Kind::NumpyType: return static_cast<int64_t>(i.numpy->type);
    case Item::Kind::NewObject: fail("a storage or class stands where a value is needed");
  }
  if (i.value.isTuple() && i.value.toTupleRef().items.empty())
    if (auto it = mixed_.find(i.value.box()); it != mixed_.end()) {
      auto v = values(it->second);
      for (auto& x : v) hold(i.value, x);
      i.value.toTupleRef().items = std::move(v);  // once: the box is shared
    }
  return std::move(i.value);
}
PickleItem& Unpickler::top() {
  if (stack_.empty() || (!marks_.empty() && stack_.size() <= marks_.back()))
    fail("the pickle's stack is empty");
  return stack_.back();
}
Unpickler::Items Unpickler::pop_mark() {
  if (marks_.empty()) fail("no MARK on the stack");
  size_t at = marks_.back();
  marks_.pop_back();
  Items items;
  for (size_t i = at; i < stack_.size(); ++i) items.push_back(std::move(stack_[i]));
  stack_.resize(at);
  return items;
}
std::vector<IValue> Unpickler::values(Items items) {
  std::vector<IValue> v;
  v.reserve(items.size());
  for (auto& i : items) v.push_back(value_of(i));
  return v;
}
std::string Unpickler::text(uint64_t n) {
  auto* p = r_.take(n);
  text_ += n;
  return std::string(reinterpret_cast<const char*>(p), static_cast<size_t>(n));
}
void Unpickler::memo_put(uint64_t at) {
  if (at > bytes_ + 16) fail("memo index out of bounds");
  memo_[at] = top();
}
void Unpickler::memo_get(uint64_t at) {
  auto it = memo_.find(at);
  if (it == memo_.end()) fail("memo entry " + std::to_string(at) + " was never set");
  stack_.push_back(it->second);
}
void Unpickler::push_tuple(Items items) {
  // A persistent id's tuple holds a GLOBAL: kept aside for BINPERSID.
  bool plain = true;
  size_t mixed_depth = 0;
  for (auto& i : items) {
    auto it = i.is_value() ? mixed_depth_.find(i.value.box()) : mixed_depth_.end();
    plain &= i.is_value() && it == mixed_depth_.end();
    if (it != mixed_depth_.end()) mixed_depth = std::max(mixed_depth, it->second);
  }
  Item t(make_ref<TupleBox>(std::vector<IValue>{}));
  if (plain) {
    for (auto& i : items) hold(t.value, i.value);
    t.value.toTupleRef().items = values(std::move(items));
  } else {
    if (mixed_depth + 1 > kMaxMixedDepth) fail("values are nested too deeply");
    keep_.push_back(t.value);
    mixed_depth_[t.value.box()] = mixed_depth + 1;
    mixed_[t.value.box()] = std::move(items);
  }
  push(std::move(t));
}
void Unpickler::hold(const IValue& container, const IValue& element) {
  if (!element.isTuple() && !element.isList() && !element.isDict()) return;
  if (element.box() == container.box())
    fail(element.isList() ? "a list contains itself" : "a dict contains itself");
  auto inner = nested_.find(element.box());
  const Nested e = inner == nested_.end() ? Nested() : inner->second;
  if (e.depth + 1 > kMaxDepth) fail("values are nested too deeply");
  const size_t own = element.isTuple()  ? element.toTupleRef().items.size()
                     : element.isList() ? element.toListRef().items.size()
                                        : 2 * element.toDictRef().items.size();
  if (!element.isTuple() && sealed_.insert(element.box()).second) keep_.push_back(element);
  auto [at, fresh] = nested_.emplace(container.box(), Nested());
  if (fresh) keep_.push_back(container);
  at->second.depth = std::max(at->second.depth, e.depth + 1);
  at->second.unfolded += e.unfolded + own + 1;
  if (at->second.unfolded > std::max(kMaxUnfolded, 16 * worth_))
    fail("the pickle unfolds to far more than it holds");
}
void Unpickler::open(const IValue& container) const {
  if (sealed_.count(container.box())) fail("a container changes after it was put into another");
}
void Unpickler::spend(uint64_t n) {
  spent_ += n;
  if (spent_ > 16 * worth_ + 4096) fail("the pickle unfolds to far more than it holds");
}
void Unpickler::visit(uint64_t n) {
  visited_ += n;
  if (visited_ > 16 * worth_ + kMaxUnfolded) fail("the pickle unfolds to far more than it holds");
}
void Unpickler::visit_all(const IValue& v) {
  auto it = nested_.find(v.box());
  if (it != nested_.end()) visit(it->second.unfolded);
  if (v.isList()) visit(v.toListRef().items.size());
  if (v.isDict()) visit(v.toDictRef().items.size());
}
std::optional<Unpickler::Items> Unpickler::elements(const Item& t, size_t at_most) {
  if (!t.is_value() || !t.value.isTuple()) return std::nullopt;
  Items out;
  if (auto it = mixed_.find(t.value.box()); it != mixed_.end()) {
    if (it->second.size() > at_most) fail("a tuple has too many elements");
    out = it->second;
  } else {
    auto& items = t.value.toTupleRef().items;
    if (items.size() > at_most) fail("a tuple has too many elements");
    for (auto& v : items) out.emplace_back(v);
  }
  spend(out.size());
  return out;
}

// ---- opcodes ----

void Unpickler::step(uint8_t op) {
  switch (op) {
    case 'c': {  // GLOBAL
      Item g;
      g.kind = Item::Kind::Global;
      std::string module = r_.line(), name = r_.line();
      if (module.size() > kMaxName || name.size() > kMaxName) fail("a global's name is too long");
      g.global = std::make_shared<const Item::Name>(Item::Name{std::move(module), std::move(name)});
      push(std::move(g));
      break;
    }
    case ')': push(IValue(make_ref<TupleBox>(std::vector<IValue>{}))); break;
    case 't': push_tuple(pop_mark()); break;
    case 0x85:
    case 0x86:
    case 0x87: {
      Items items(op - 0x84u);
      for (size_t i = items.size(); i-- > 0;) items[i] = pop();
      push_tuple(std::move(items));
      break;
    }
    case ']': push(IValue(make_ref<ListBox>(types::any()))); break;
    case 'l': push(list_of(values(pop_mark()))); break;
    case 'a': {
      IValue v = pop_value();
      append(top().value, {std::move(v)});
      break;
    }
    case 'e': {
      auto v = values(pop_mark());
      append(top().value, std::move(v));
      break;
    }
    case '}': push(IValue(make_ref<DictBox>(types::any(), types::any()))); break;
    case 'd': {
      auto v = values(pop_mark());
      push(IValue(make_ref<DictBox>(types::any(), types::any())));
      set_items(top().value, std::move(v));
      break;
    }
    case 's': {
      IValue v = pop_value(), k = pop_value();
      set_items(top().value, {std::move(k), std::move(v)});
      break;
    }
    case 'u': {
      auto v = values(pop_mark());
      set_items(top().value, std::move(v));
      break;
    }
    case '(': marks_.push_back(stack_.size()); break;
    case 0x81: {  // NEWOBJ
      Item args = pop(), g = pop();
      if (g.kind != Item::Kind::Global) fail("NEWOBJ without a class");
      new_object(g, args);
      break;
    }
    case 'b': build(); break;
    case 'R': reduce(); break;
    case 'Q': storage(); break;
    case 'N': push(IValue()); break;
    case 0x88: push(IValue(true)); break;
    case 0x89: push(IValue(false)); break;
    case 'K': push(IValue(static_cast<int64_t>(r_.u8()))); break;
    case 'M': push(IValue(static_cast<int64_t>(r_.little<uint16_t>()))); break;
    case 'J': push(IValue(static_cast<int64_t>(r_.little<int32_t>()))); break;
    case 0x8a: {
      uint8_t n = r_.u8();
      if (n != 8 && !o_.torch_save) fail("LONG1 of " + std::to_string(n) + " bytes");
      integer_of(n);
      break;
    }
    case 'G': {
      const unsigned char* p = r_.take(8);
      uint64_t v = 0;
      for (int i = 0; i < 8; ++i) v = v << 8 | p[i];
      double d;
      std::memcpy(&d, &v, 8);
      push(IValue(d));
      break;
    }
    case 'X': push(IValue(text(r_.little<uint32_t>()))); break;
    case 0x8d: push(IValue(text(r_.little<uint64_t>()))); break;
    case 'q': memo_put(r_.u8()); break;
    case 'r': memo_put(r_.little<uint32_t>()); break;
    case 'h': memo_get(r_.u8()); break;
    case 'j': memo_get(r_.little<uint32_t>()); break;
    default:
      if (o_.torch_save && step_torch_save(op)) break;
      char hex[8];
      std::snprintf(hex, sizeof hex, "0x%02x", op);
      fail(std::string("pickle opcode ") + hex + " is not supported");
  }
}
// What Python's pickler writes beyond the dialect. Bytes become text, sets become lists.
bool Unpickler::step_torch_save(uint8_t op) {
  switch (op) {
    case 0x8c:                                                              // SHORT_BINUNICODE
    case 'U':                                                               // SHORT_BINSTRING
    case 'C': push(IValue(text(r_.u8()))); return true;                     // SHORT_BINBYTES
    case 'T':                                                               // BINSTRING
    case 'B': push(IValue(text(r_.little<uint32_t>()))); return true;       // BINBYTES
    case 0x8e:                                                              // BINBYTES8
    case 0x96: push(IValue(text(r_.little<uint64_t>()))); return true;      // BYTEARRAY8
    case 0x8b: integer_of(r_.little<uint32_t>()); return true;              // LONG4
    case 0x8f: push(IValue(make_ref<ListBox>(types::any()))); return true;  // EMPTY_SET
    case 0x94: memo_put(memo_.size()); return true;                         // MEMOIZE
    case 0x95: r_.take(8); return true;                                     // FRAME
    case 0x90: {                                                            // ADDITEMS
      auto v = values(pop_mark());
      append(top().value, std::move(v));
      return true;
    }
    case 0x91: push(list_of(values(pop_mark()))); return true;  // FROZENSET
    case 0x93: {                                                // STACK_GLOBAL
      Item g;
      g.kind = Item::Kind::Global;
      IValue name = pop_value(), module = pop_value();
      if (!name.isString() || !module.isString()) fail("a global has no name");
      if (name.toStringRef().size() > kMaxName || module.toStringRef().size() > kMaxName)
        fail("a global's name is too long");
      g.global = std::make_shared<const Item::Name>(Item::Name{module.toString(), name.toString()});
      spend(g.global->module.size() + g.global->name.size());
      push(std::move(g));
      return true;
    }
    default: return false;
  }
}
// A little-endian number in two's complement.
void Unpickler::integer_of(uint64_t n) {
  const unsigned char* p = r_.take(n);
  uint64_t v = n && (p[n - 1] & 0x80) ? ~uint64_t{0} : 0;
  for (uint64_t i = 8; i < n; ++i)
    if (p[i] != (v & 0xff)) fail("an integer has more than 64 bits");
  if (n > 8 && ((p[7] & 0x80) != 0) != (v != 0)) fail("an integer has more than 64 bits");
  std::memcpy(&v, p, static_cast<size_t>(std::min<uint64_t>(n, 8)));
  push(IValue(static_cast<int64_t>(v)));
}

IValue Unpickler::list_of(std::vector<IValue> v) {
  IValue list(make_ref<ListBox>(types::any()));
  append(list, std::move(v));
  return list;
}
void Unpickler::append(IValue& list, std::vector<IValue> v) {
  if (!list.isList()) fail("APPEND to something that is no list");
  open(list);
  for (auto& x : v) {
    hold(list, x);
    list.toListRef().items.push_back(std::move(x));
  }
}
void Unpickler::set_items(IValue& dict, std::vector<IValue> v) {
  if (!dict.isDict()) fail("SETITEMS on something that is no dict");
  open(dict);
  if (v.size() % 2) fail("SETITEMS with an odd count");
  for (size_t i = 0; i < v.size(); i += 2) {
    if (v[i].isList() || v[i].isDict() || v[i].isObject())
      fail("a dict key of this kind is not possible");
    if (auto it = nested_.find(v[i].box()); v[i].isTuple() && it != nested_.end())
      if (it->second.unfolded > kMaxKey) fail("a dict key has too many parts");
    hold(dict, v[i]);
    hold(dict, v[i + 1]);
    dict.toDictRef().set(std::move(v[i]), std::move(v[i + 1]));
  }
}

void Unpickler::new_object(const Item& g, const Item& args) {
  if (o_.torch_save) {
    auto a = elements(args, 16);
    if (!a) fail("NEWOBJ without arguments");
    auto made = torch_save_new(g, *a);
    if (!made) refuse(g, true);
    push(std::move(*made));
    return;
  }
  Item o;
  o.kind = Item::Kind::NewObject;
  if (g.global->module == "__main__") {  // torch 1.1: BUILD says what it holds
    o.global = g.global;
    push(std::move(o));
    return;
  }
  TypePtr t = o_.resolve_type ? o_.resolve_type(g.global->full()) : nullptr;
  if (!t || t->kind != TypeKind::Class) fail("unknown class " + g.global->full());
  o.cls = static_cast<const ClassType*>(t);
  push(std::move(o));
}

void Unpickler::build() {
  Item state = pop();
  Item& target = top();
  if (target.kind == Item::Kind::NewObject) {
    IValue v = value_of(state);
    target = Item(target.cls ? o_.build_object(target.cls, std::move(v)) : old_class(target, v));
    return;
  }
  if (o_.torch_save && torch_save_build(target, state)) return;
  fail("BUILD on something that is no object");
}

void Unpickler::reduce() {
  Item args = pop(), g = pop();
  if (g.kind != Item::Kind::Global) fail("REDUCE without a callable");
  // An enum: class applied to its raw value.
  auto a = elements(args, 64);
  if (!a) a = Items{std::move(args)};
  push(call(g, *a, 0));
}

IValue unpickle(const Bytes& bytes, const PickleOptions& options) {
  return Unpickler(bytes, options).run();
}

// Opcodes by their arguments: what the pickle's length depends on.
size_t pickle_size(const Bytes& bytes, const std::string& what) {
  ByteReader r(bytes.data, bytes.size, what.c_str());
  for (;;) {
    const uint8_t op = r.u8();
    switch (op) {
      case '.': return r.position();
      case 'c':
        r.line();
        r.line();
        break;
      case 0x80:
      case 'K':
      case 'q':
      case 'h': r.take(1); break;
      case 'M': r.take(2); break;
      case 'J':
      case 'r':
      case 'j': r.take(4); break;
      case 'G':
      case 0x95: r.take(8); break;
      case 0x8a:
      case 0x8c:
      case 'U':
      case 'C': r.take(r.u8()); break;
      case 0x8b:
      case 'X':
      case 'T':
      case 'B': r.take(r.little<uint32_t>()); break;
      case 0x8d:
      case 0x8e:
      case 0x96: r.take(r.little<uint64_t>()); break;
      default: break;  // no argument; unpickle() refuses what it doesn't know
    }
  }
}

}  // namespace sconce
