// SPDX-License-Identifier: Apache-2.0
// The pickle dialect of archive-format.md sections 4 to 6 and 9.
#include "loader/pickle.h"

#include <cstring>
#include <unordered_map>

#include "support/byte_reader.h"

namespace sconce {

namespace {

// What stands on the unpickler's stack: a value, or something that only the next opcodes
// understand.
struct Item {
  enum class Kind : uint8_t { Value, Global, Storage, NewObject, Mark } kind = Kind::Value;
  IValue value;
  std::string module, name;  // Global
  Ref<Storage> storage;      // Storage
  ScalarType dtype = ScalarType::Undefined;
  Device device;
  int64_t numel = 0;
  bool untyped = false;
  const ClassType* cls = nullptr;  // NewObject
};

constexpr size_t kMaxDepth = 2000;

class Unpickler {
 public:
  Unpickler(const Bytes& b, const PickleOptions& o)
      : r_(b.data, b.size, o.what.c_str()), o_(o), bytes_(b.size) {}

  IValue run() {
    if (r_.u8() != 0x80) fail("the pickle does not begin with PROTO");
    int proto = r_.u8();
    if (proto != 2 && !(o_.torch_save && proto >= 2 && proto <= 5))
      fail("only pickle protocol 2 is supported");
    for (;;) {
      uint8_t op = r_.u8();
      if (op == '.') break;
      step(op);
    }
    if (!marks_.empty() || stack_.size() != 1 || stack_[0].kind != Item::Kind::Value)
      fail("the pickle does not leave one value");
    return std::move(stack_[0].value);
  }

 private:
  [[noreturn]] void fail(const std::string& what) {
    raise<FormatError>(o_.what, ": ", what, " (byte ", r_.position(), ")");
  }

  void push(IValue v) {
    Item i;
    i.value = std::move(v);
    stack_.push_back(std::move(i));
  }
  Item pop() {
    if (stack_.empty() || (!marks_.empty() && stack_.size() <= marks_.back()))
      fail("the pickle's stack is empty");
    Item i = std::move(stack_.back());
    stack_.pop_back();
    return i;
  }
  IValue pop_value() {
    Item i = pop();
    return value_of(i);
  }
  IValue value_of(Item& i) {
    if (i.kind == Item::Kind::Value) return std::move(i.value);
    if (i.kind == Item::Kind::Global) {
      if (i.module == "torch" && o_.torch_save) {
        std::string m = i.name;
        for (int t = 0; t < 30; ++t)
          if (m == dtype_name(static_cast<ScalarType>(t))) return IValue(static_cast<int64_t>(t));
      }
      fail("the global " + i.module + " " + i.name + " is no value");
    }
    fail("a storage or class stands where a value is needed");
  }
  Item& top() {
    if (stack_.empty() || (!marks_.empty() && stack_.size() <= marks_.back()))
      fail("the pickle's stack is empty");
    return stack_.back();
  }
  std::vector<Item> pop_mark() {
    if (marks_.empty()) fail("no MARK on the stack");
    size_t at = marks_.back();
    marks_.pop_back();
    std::vector<Item> items;
    for (size_t i = at; i < stack_.size(); ++i) items.push_back(std::move(stack_[i]));
    stack_.resize(at);
    return items;
  }
  std::vector<IValue> values(std::vector<Item> items) {
    std::vector<IValue> v;
    v.reserve(items.size());
    for (auto& i : items) v.push_back(value_of(i));
    return v;
  }
  std::string text(uint64_t n) {
    auto* p = r_.take(n);
    return std::string(reinterpret_cast<const char*>(p), static_cast<size_t>(n));
  }
  void memo_put(uint64_t at) {
    if (at > bytes_ + 16) fail("memo index out of bounds");
    memo_[at] = top();
  }
  void memo_get(uint64_t at) {
    auto it = memo_.find(at);
    if (it == memo_.end()) fail("memo entry " + std::to_string(at) + " was never set");
    stack_.push_back(it->second);
  }
  void push_tuple(std::vector<Item> items) {
    // A persistent id's tuple holds a GLOBAL: kept aside for BINPERSID.
    bool plain = true;
    for (auto& i : items)
      plain &= i.kind == Item::Kind::Value ||
               (i.kind == Item::Kind::Global && i.module == "torch" && is_dtype(i.name));
    if (plain) {
      push(make_ref<TupleBox>(values(std::move(items))));
      check_depth(stack_.back().value);
      return;
    }
    Item t;
    t.value = IValue(make_ref<TupleBox>(std::vector<IValue>{}));
    mixed_[t.value.box()] = std::move(items);
    keep_.push_back(t.value);
    stack_.push_back(std::move(t));
  }
  bool is_dtype(const std::string& name) const {
    if (!o_.torch_save) return false;
    for (int t = 0; t < 30; ++t)
      if (name == dtype_name(static_cast<ScalarType>(t))) return true;
    return false;
  }
  // Depth of containers, so that nothing later has to recurse without a bound.
  void check_depth(const IValue& v) {
    size_t d = 0;
    auto depth_of = [&](const IValue& x) {
      auto it = depth_.find(x.box());
      return x.box() && it != depth_.end() ? it->second : 0;
    };
    if (v.isTuple())
      for (auto& e : v.toTupleRef().items) d = std::max(d, depth_of(e));
    if (v.isList())
      for (auto& e : v.toListRef().items) d = std::max(d, depth_of(e));
    if (v.isDict())
      for (auto& e : v.toDictRef().items) d = std::max(d, depth_of(e.second));
    if (d + 1 > kMaxDepth) fail("values are nested too deeply");
    depth_[v.box()] = d + 1;
    keep_.push_back(v);
  }

  void step(uint8_t op) {
    switch (op) {
      case 'c': {  // GLOBAL
        Item g;
        g.kind = Item::Kind::Global;
        g.module = r_.line();
        g.name = r_.line();
        stack_.push_back(std::move(g));
        break;
      }
      case ')': push(make_ref<TupleBox>(std::vector<IValue>{})); break;
      case 't': push_tuple(pop_mark()); break;
      case 0x85:
      case 0x86:
      case 0x87: {
        std::vector<Item> items(op - 0x84u);
        for (size_t i = items.size(); i-- > 0;) items[i] = pop();
        push_tuple(std::move(items));
        break;
      }
      case ']': push(make_ref<ListBox>(types::any())); break;
      case 'l':
        push(make_ref<ListBox>(types::any(), values(pop_mark())));
        check_depth(stack_.back().value);
        break;
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
      case '}': push(make_ref<DictBox>(types::any(), types::any())); break;
      case 'd': {
        auto v = values(pop_mark());
        push(make_ref<DictBox>(types::any(), types::any()));
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
        pop_value();
        Item g = pop();
        if (g.kind != Item::Kind::Global) fail("NEWOBJ without a class");
        new_object(g);
        break;
      }
      case 'b': build(); break;
      case 'R': reduce(); break;
      case 'Q': storage(); break;
      case 'N': push(IValue()); break;
      case 0x88: push(true); break;
      case 0x89: push(false); break;
      case 'K': push(static_cast<int64_t>(r_.u8())); break;
      case 'M': push(static_cast<int64_t>(r_.little<uint16_t>())); break;
      case 'J': push(static_cast<int64_t>(r_.little<int32_t>())); break;
      case 0x8a: {
        uint8_t n = r_.u8();
        if (n > 8 || (n != 8 && !o_.torch_save)) fail("LONG1 of " + std::to_string(n) + " bytes");
        const unsigned char* p = r_.take(n);
        uint64_t v = n && (p[n - 1] & 0x80) ? ~uint64_t{0} : 0;
        std::memcpy(&v, p, n);
        push(static_cast<int64_t>(v));
        break;
      }
      case 'G': {
        const unsigned char* p = r_.take(8);
        uint64_t v = 0;
        for (int i = 0; i < 8; ++i) v = v << 8 | p[i];
        double d;
        std::memcpy(&d, &v, 8);
        push(d);
        break;
      }
      case 'X': push(text(r_.little<uint32_t>())); break;
      case 0x8d: push(text(r_.little<uint64_t>())); break;
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
  // What Python's pickler writes beyond the dialect.
  bool step_torch_save(uint8_t op) {
    switch (op) {
      case 0x8c: push(text(r_.u8())); return true;     // SHORT_BINUNICODE
      case 0x94: memo_put(memo_.size()); return true;  // MEMOIZE
      case 0x95: r_.take(8); return true;              // FRAME
      case 0x93: {                                     // STACK_GLOBAL
        Item g;
        g.kind = Item::Kind::Global;
        g.name = pop_value().toString();
        g.module = pop_value().toString();
        stack_.push_back(std::move(g));
        return true;
      }
      default: return false;
    }
  }

  void append(IValue& list, std::vector<IValue> v) {
    if (!list.isList()) fail("APPEND to something that is no list");
    for (auto& x : v) {
      if (x.box() && x.box() == list.box()) fail("a list contains itself");
      list.toListRef().items.push_back(std::move(x));
    }
    check_depth(list);
  }
  void set_items(IValue& dict, std::vector<IValue> v) {
    if (!dict.isDict()) fail("SETITEMS on something that is no dict");
    if (v.size() % 2) fail("SETITEMS with an odd count");
    for (size_t i = 0; i < v.size(); i += 2) {
      if (v[i].isList() || v[i].isDict() || v[i].isObject())
        fail("a dict key of this kind is not possible");
      if (v[i + 1].box() && v[i + 1].box() == dict.box()) fail("a dict contains itself");
      dict.toDictRef().set(std::move(v[i]), std::move(v[i + 1]));
    }
    check_depth(dict);
  }

  void new_object(const Item& g) {
    Item o;
    o.kind = Item::Kind::NewObject;
    TypePtr t = o_.resolve_type ? o_.resolve_type(g.module + "." + g.name) : nullptr;
    if (!t || t->kind != TypeKind::Class) fail("unknown class " + g.module + "." + g.name);
    o.cls = static_cast<const ClassType*>(t);
    stack_.push_back(std::move(o));
  }

  void build() {
    IValue state = pop_value();
    Item& target = top();
    if (target.kind == Item::Kind::NewObject) {
      const ClassType* cls = target.cls;
      IValue obj = o_.build_object(cls, std::move(state));
      target = Item();
      target.value = std::move(obj);
      return;
    }
    if (o_.torch_save && target.kind == Item::Kind::Value && target.value.isDict())
      return;  // OrderedDict's _metadata
    fail("BUILD on something that is no object");
  }

  static bool is(const Item& g, const char* module, const char* name) {
    return g.module == module && g.name == name;
  }

  void reduce() {
    Item args_item = pop();
    Item g = pop();
    if (g.kind != Item::Kind::Global) fail("REDUCE without a callable");
    std::vector<Item> args;
    if (args_item.kind != Item::Kind::Value || !args_item.value.isTuple()) {
      // An enum: class applied to its raw value.
      args.push_back(std::move(args_item));
    } else if (auto it = mixed_.find(args_item.value.box()); it != mixed_.end()) {
      args = it->second;
    } else {
      for (auto& v : args_item.value.toTupleRef().items) {
        Item i;
        i.value = v;
        args.push_back(std::move(i));
      }
    }
    push(call(g, args));
    if (stack_.back().value.isList() || stack_.back().value.isDict() ||
        stack_.back().value.isTuple())
      check_depth(stack_.back().value);
  }

  void need(const std::vector<Item>& a, size_t at_least, size_t at_most, const Item& g) {
    if (a.size() < at_least || a.size() > at_most)
      fail(g.module + "." + g.name + ": wrong number of arguments");
  }
  IValue& arg(std::vector<Item>& a, size_t i) {
    if (a[i].kind != Item::Kind::Value) fail("an argument is no value");
    return a[i].value;
  }

  IValue call(const Item& g, std::vector<Item>& a) {
    auto tagged = [&](TypePtr e, auto ok) {
      need(a, 1, 1, g);
      IValue v = arg(a, 0);
      if (!v.isList()) fail(g.name + ": not a list");
      for (auto& x : v.toListRef().items)
        if (!ok(x)) fail(g.name + ": an element has the wrong kind");
      v.toListRef().elem_type = e;
      return v;
    };
    if (is(g, "torch.jit._pickle", "build_intlist") || is(g, "__main__", "IntList"))
      return tagged(types::integer(), [](const IValue& x) { return x.isInt(); });
    if (is(g, "torch.jit._pickle", "build_tensor_from_id") && o_.tensor_table) {
      need(a, 1, 1, g);
      IValue id = arg(a, 0);
      if (!id.isInt() || id.toInt() < 0 ||
          id.toInt() >= static_cast<int64_t>(o_.tensor_table->size()))
        fail("build_tensor_from_id: no such tensor");
      return (*o_.tensor_table)[static_cast<size_t>(id.toInt())];
    }
    if (is(g, "torch.jit._pickle", "build_doublelist"))
      return tagged(types::floating(), [](const IValue& x) { return x.isDouble(); });
    if (is(g, "torch.jit._pickle", "build_boollist"))
      return tagged(types::boolean(), [](const IValue& x) { return x.isBool(); });
    if (is(g, "torch.jit._pickle", "build_tensorlist"))
      return tagged(types::tensor(), [](const IValue& x) { return x.isTensor(); });
    if (is(g, "torch.jit._pickle", "restore_type_tag")) {
      need(a, 2, 2, g);
      if (!arg(a, 1).isString() || !o_.parse_type) fail("restore_type_tag: no type");
      TypePtr t = o_.parse_type(arg(a, 1).toStringRef());
      IValue v = arg(a, 0);
      tag_type(v, t);
      return v;
    }
    if ((is(g, "builtins", "complex") || (o_.torch_save && is(g, "__builtin__", "complex")))) {
      need(a, 2, 2, g);
      if (!arg(a, 0).isDouble() || !arg(a, 1).isDouble()) fail("complex: parts must be floats");
      return std::complex<double>(arg(a, 0).toDouble(), arg(a, 1).toDouble());
    }
    if (is(g, "torch", "device")) {
      need(a, 1, 2, g);
      if (!arg(a, 0).isString()) fail("device: no text");
      try {
        std::string text = arg(a, 0).toString();
        if (a.size() == 2 && arg(a, 1).isInt()) text += ":" + std::to_string(arg(a, 1).toInt());
        return Device::parse(text);
      } catch (const Error& e) {
        fail(e.what());
      }
    }
    if (is(g, "collections", "OrderedDict")) {
      auto d = make_ref<DictBox>(types::any(), types::any());
      if (a.size() == 1 && arg(a, 0).isList())
        for (auto& kv : arg(a, 0).toListRef().items)
          if (kv.isTuple() && kv.toTupleRef().items.size() == 2)
            d->set(kv.toTupleRef().items[0], kv.toTupleRef().items[1]);
      return d;
    }
    if (is(g, "torch._utils", "_rebuild_tensor_v2") || is(g, "torch._utils", "_rebuild_qtensor") ||
        (o_.torch_save &&
         (is(g, "torch._utils", "_rebuild_tensor_v3") || is(g, "torch._utils", "_rebuild_tensor"))))
      return rebuild_tensor(g, a);
    if (is(g, "torch._utils", "_rebuild_parameter")) {
      need(a, 2, 3, g);
      IValue t = arg(a, 0);
      if (!t.isTensor() || !arg(a, 1).isBool()) fail("_rebuild_parameter: wrong arguments");
      t.toTensor().mutable_impl()->requires_grad = arg(a, 1).toBool();
      return t;
    }
    if (is(g, "torch._tensor", "_rebuild_from_type_v2")) {
      need(a, 4, 4, g);
      if (a[0].kind != Item::Kind::Global) fail("_rebuild_from_type_v2: no function");
      std::vector<Item> inner;
      if (auto it = mixed_.find(arg(a, 2).box()); it != mixed_.end()) {
        inner = it->second;
      } else if (arg(a, 2).isTuple()) {
        for (auto& v : arg(a, 2).toTupleRef().items) {
          inner.emplace_back();
          inner.back().value = v;
        }
      }
      return call(a[0], inner);
    }
    if (o_.torch_save && is(g, "torch", "Size")) {
      need(a, 1, 1, g);
      auto l = make_ref<ListBox>(types::integer());
      if (!arg(a, 0).isTuple()) fail("torch.Size: no tuple");
      l->items = arg(a, 0).toTupleRef().items;
      return l;
    }
    if (o_.torch_save && is(g, "_codecs", "encode")) {
      need(a, 1, 2, g);
      return arg(a, 0);
    }
    if (o_.torch_save && (is(g, "torch.serialization", "_get_layout"))) return int64_t{0};
    if (o_.torch_save && is(g, "__builtin__", "set")) {
      need(a, 0, 1, g);
      return a.empty() ? IValue(make_ref<ListBox>(types::any())) : arg(a, 0);
    }
    // An enum member by value.
    TypePtr t = o_.resolve_type ? o_.resolve_type(g.module + "." + g.name) : nullptr;
    if (t && t->kind == TypeKind::Enum) {
      need(a, 1, 1, g);
      for (auto& m : static_cast<const EnumType*>(t)->members)
        if (ivalue_equal(m.toEnumRef().value, arg(a, 0))) return m;
      fail("enum " + t->name + " has no member of this value");
    }
    fail("the global " + g.module + "." + g.name + " is not known");
  }

  void tag_type(IValue& v, TypePtr t) {
    if (v.isList() && t->kind == TypeKind::List) {
      v.toListRef().elem_type = t->elems[0];
    } else if (v.isDict() && t->kind == TypeKind::Dict) {
      v.toDictRef().key_type = t->elems[0];
      v.toDictRef().value_type = t->elems[1];
    } else {
      fail("restore_type_tag: the value is no " + t->annotation_str());
    }
  }

  int64_t integer(std::vector<Item>& a, size_t i) {
    if (!arg(a, i).isInt()) fail("a number is expected");
    return arg(a, i).toInt();
  }
  DimVector dims(const IValue& v) {
    if (!v.isTuple() && !v.isList()) fail("a size or stride is no tuple");
    DimVector d;
    for (auto& x : v.isTuple() ? v.toTupleRef().items : v.toListRef().items) {
      if (!x.isInt() || x.toInt() < 0) fail("a size or stride is negative or no number");
      d.push_back(x.toInt());
    }
    if (d.size() > 128) fail("a tensor has more than 128 dims");
    return d;
  }

  // {"conj": True}, {"neg": True}: the storage holds the conjugated or negated numbers. The tensor
  // gets a storage of its own with what it means.
  void apply_math_bits(Item& item, TensorImpl& t) {
    if (item.kind != Item::Kind::Value || !item.value.isDict()) return;
    auto set = [&](const char* key) {
      IValue* v = item.value.toDictRef().find(IValue(std::string(key)));
      return v && v->isBool() && v->toBool();
    };
    bool conj = set("conj") && is_complex(t.dtype), neg = set("neg");
    if (!conj && !neg) return;
    Ref<Storage> own = Storage::allocate(t.storage->nbytes());
    std::memcpy(own->address(), t.storage->data(), t.storage->nbytes());
    auto flip = [&](auto* p, size_t n) {
      for (size_t i = 0; i < n; ++i) {
        bool imaginary = is_complex(t.dtype) && i % 2 == 1;
        if (neg != (conj && imaginary)) p[i] = -p[i];
      }
    };
    if (t.dtype == ScalarType::Float || t.dtype == ScalarType::ComplexFloat)
      flip(static_cast<float*>(own->address()), own->nbytes() / sizeof(float));
    else if (t.dtype == ScalarType::Double || t.dtype == ScalarType::ComplexDouble)
      flip(static_cast<double*>(own->address()), own->nbytes() / sizeof(double));
    else
      fail("a conjugated or negated tensor has an unexpected type");
    t.storage = own;
  }

  IValue rebuild_tensor(const Item& g, std::vector<Item>& a) {
    bool q = g.name == "_rebuild_qtensor", v3 = g.name == "_rebuild_tensor_v3",
         v1 = g.name == "_rebuild_tensor";
    need(a, q ? 6 : v3 ? 7 : v1 ? 4 : 5, 8, g);
    if (a[0].kind != Item::Kind::Storage) fail(g.name + ": no storage");
    Item& st = a[0];
    auto impl = make_ref<TensorImpl>();
    impl->storage = st.storage;
    impl->dtype = st.dtype;
    impl->device = st.device;
    impl->offset = integer(a, 1);
    impl->sizes = dims(arg(a, 2));
    impl->strides = dims(arg(a, 3));
    if (impl->sizes.size() != impl->strides.size()) fail("sizes and strides differ in length");
    if (v3) {
      IValue d = value_of(a[6]);
      impl->dtype = static_cast<ScalarType>(d.toInt());
    }
    if (st.untyped && !v3) fail("an untyped storage needs a dtype");
    int64_t extent = impl->offset;
    bool empty = false;
    for (size_t i = 0; i < impl->sizes.size(); ++i) {
      int64_t step;
      empty |= impl->sizes[i] == 0;
      if (impl->sizes[i] > 0 &&
          (__builtin_mul_overflow(impl->sizes[i] - 1, impl->strides[i], &step) ||
           __builtin_add_overflow(extent, step, &extent)))
        fail("a tensor's extent overflows");
    }
    int64_t bytes;
    if (impl->offset < 0 || __builtin_add_overflow(extent, empty ? 0 : 1, &extent) ||
        __builtin_mul_overflow(extent, static_cast<int64_t>(element_size(impl->dtype)), &bytes))
      fail("a tensor's extent overflows");
    if (impl->device.type != DeviceType::Meta && !o_.allow_short_storage && !empty &&
        static_cast<uint64_t>(bytes) > impl->storage->nbytes())
      fail("a tensor of sizes " + detail::concat(IntArrayRef(impl->sizes)) +
           " lies outside of its storage");
    if (impl->device.type == DeviceType::Meta ||
        (o_.allow_short_storage && static_cast<uint64_t>(bytes) > impl->storage->nbytes())) {
      // The numbers are not in the file: shape only, no memory.
      impl->device.type = DeviceType::Meta;
    } else {
      impl->device = Device{};
    }
    if (!q && !v1 && !v3 && a.size() > 6 && impl->device.type == DeviceType::CPU)
      apply_math_bits(a[6], *impl);
    if (q) {
      impl->quantizer = quantizer(a[4]);
      const Quantizer& z = *impl->quantizer;
      if (z.per_channel &&
          (z.axis < 0 || z.axis >= static_cast<int64_t>(impl->sizes.size()) ||
           static_cast<int64_t>(z.scales.size()) != impl->sizes[static_cast<size_t>(z.axis)]))
        fail("a quantiser's axis and scales don't fit the tensor");
    } else if (!v1) {
      if (!arg(a, 4).isBool()) fail("requires_grad is no bool");
      impl->requires_grad = arg(a, 4).toBool();
      if (impl->requires_grad && !is_floating(impl->dtype) && !is_complex(impl->dtype))
        fail("only floating point tensors can require gradients");
    }
    return Tensor(std::move(impl));
  }

  std::shared_ptr<const Quantizer> quantizer(Item& item) {
    std::vector<Item> parts;
    if (item.kind == Item::Kind::Value && item.value.isTuple()) {
      auto it = mixed_.find(item.value.box());
      if (it != mixed_.end()) parts = it->second;
    }
    if (parts.size() < 3 || parts[0].kind != Item::Kind::Global) fail("a quantiser is malformed");
    auto q = std::make_shared<Quantizer>();
    if (parts[0].name == "per_tensor_affine") {
      if (!arg(parts, 1).isDouble() || !arg(parts, 2).isInt()) fail("a quantiser is malformed");
      q->scale = arg(parts, 1).toDouble();
      q->zero_point = arg(parts, 2).toInt();
      return q;
    }
    if ((parts[0].name != "per_channel_affine" &&
         parts[0].name != "per_channel_affine_float_qparams") ||
        parts.size() != 4)
      fail("quantiser " + parts[0].name + " is not known");
    q->per_channel = true;
    q->float_qparams = parts[0].name == "per_channel_affine_float_qparams";
    q->axis = integer(parts, 3);
    auto numbers = [&](const IValue& v) {
      if (!v.isTensor() || !v.toTensorRef().is_contiguous())
        fail("a quantiser's scales are no tensor");
      const Tensor& t = v.toTensorRef();
      std::vector<double> r;
      for (int64_t i = 0; i < t.numel(); ++i) {
        if (t.dtype() == kDouble)
          r.push_back(t.const_data_ptr<double>()[i]);
        else if (t.dtype() == kFloat)
          r.push_back(static_cast<double>(t.const_data_ptr<float>()[i]));
        else if (t.dtype() == kLong)
          r.push_back(static_cast<double>(t.const_data_ptr<int64_t>()[i]));
        else
          fail("a quantiser's scales have the wrong type");
      }
      return r;
    };
    q->scales = numbers(arg(parts, 1));
    q->zero_points = numbers(arg(parts, 2));
    if (q->scales.size() != q->zero_points.size())
      fail("a quantiser's scales and zero points differ in number");
    return q;
  }

  // BINPERSID: ('storage', class, key, location, numel)
  void storage() {
    Item t = pop();
    auto it = t.kind == Item::Kind::Value ? mixed_.find(t.value.box()) : mixed_.end();
    if (it == mixed_.end() || it->second.size() < 5) fail("a persistent id is malformed");
    std::vector<Item> p = it->second;
    if (!arg(p, 0).isString() || arg(p, 0).toStringRef() != "storage" ||
        p[1].kind != Item::Kind::Global || !arg(p, 2).isString() || !arg(p, 3).isString() ||
        !arg(p, 4).isInt() || arg(p, 4).toInt() < 0)
      fail("a persistent id is malformed");
    Item s;
    s.kind = Item::Kind::Storage;
    std::string cls = p[1].name;
    if (cls == "UntypedStorage" && o_.torch_save) {
      s.untyped = true;
      s.dtype = ScalarType::Byte;
    } else if (cls.size() < 8 || cls.compare(cls.size() - 7, 7, "Storage") != 0 ||
               !scalar_type_from_name(cls.substr(0, cls.size() - 7), &s.dtype)) {
      fail("storage class " + p[1].module + "." + cls + " is not known");
    }
    try {
      s.device = Device::parse(arg(p, 3).toStringRef());
    } catch (const Error& e) {
      fail(e.what());
    }
    if (s.device.type != DeviceType::Meta) {
      if (s.device.type != DeviceType::CPU && o_.saved_on) *o_.saved_on = s.device;
      s.device = Device{};
    }
    s.numel = arg(p, 4).toInt();
    const std::string& key = arg(p, 2).toStringRef();
    int64_t bytes;
    if (__builtin_mul_overflow(s.numel, static_cast<int64_t>(element_size(s.dtype)), &bytes))
      fail("a storage's size overflows");
    if (o_.torch_save) {
      auto known = storages_.find(key);
      if (known != storages_.end()) {
        s.storage = known->second;
        stack_.push_back(std::move(s));
        return;
      }
    }
    if (bytes == 0 || s.device.type == DeviceType::Meta) {
      s.storage = Storage::borrow(nullptr, 0, nullptr, false);
    } else {
      Bytes b = o_.read_storage(key);
      if (b.size < static_cast<uint64_t>(bytes) && !o_.allow_short_storage)
        fail("storage " + key + " has " + std::to_string(b.size) + " bytes where " +
             std::to_string(bytes) + " are needed");
      size_t n = std::min(b.size, static_cast<size_t>(bytes));
      if (!b.writable || reinterpret_cast<uintptr_t>(b.data) % 16 != 0) {
        s.storage = Storage::allocate(n);
        if (n) std::memcpy(s.storage->address(), b.data, n);
      } else {
        s.storage = Storage::borrow(const_cast<unsigned char*>(b.data), n, b.owner, false);
      }
    }
    if (o_.torch_save) storages_[key] = s.storage;
    stack_.push_back(std::move(s));
  }

  ByteReader r_;
  const PickleOptions& o_;
  uint64_t bytes_;
  std::vector<Item> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, Item> memo_;
  std::unordered_map<RefCounted*, std::vector<Item>>
      mixed_;  // tuples that hold globals or storages
  std::unordered_map<RefCounted*, size_t> depth_;
  std::vector<IValue> keep_;  // what mixed_ and depth_ name by address
  std::unordered_map<std::string, Ref<Storage>> storages_;
};

}  // namespace

IValue unpickle(const Bytes& bytes, const PickleOptions& options) {
  return Unpickler(bytes, options).run();
}

}  // namespace sconce
