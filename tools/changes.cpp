// SPDX-License-Identifier: Apache-2.0
// The table of kinds of change (at the end). A new kind is its places, its steps and a row.
#include "changes.h"
#include "support/stack.h"

#include <algorithm>
#include <cmath>

namespace sconce::tool {

namespace {

using Path = std::vector<std::string>;

// ---- the program's own functions ----

const char* const kHostFunctions = R"(
def fill(t: Tensor, v: float) -> None:
    t.fill_(v)
def copy(t: Tensor, u: Tensor) -> None:
    t.copy_(u)
def add_one(t: Tensor) -> None:
    t.add_(1)
def scale(t: Tensor) -> None:
    t.mul_(0.75).add_(0.0625)
def flip(t: Tensor) -> None:
    t.logical_not_()
def transpose(t: Tensor) -> None:
    t.transpose_(0, 1)
def unsqueeze(t: Tensor) -> None:
    t.unsqueeze_(0)
def squeeze(t: Tensor) -> None:
    t.squeeze_(0)
def set_source(t: Tensor, u: Tensor) -> None:
    t.set_(u)
def resize(t: Tensor, sizes: List[int]) -> None:
    t.resize_(sizes)
def as_strided(t: Tensor, sizes: List[int], strides: List[int], offset: int) -> None:
    t.as_strided_(sizes, strides, offset)
def require(t: Tensor, on: bool) -> None:
    t.requires_grad_(on)
def doubled(t: Tensor) -> Tensor:
    return torch.cat([t, t], 0)
def row(t: Tensor, i: int) -> Tensor:
    return torch.stack([t, t * 0, t])[i]
def rows(t: Tensor) -> Tensor:
    return torch.stack([t, t])
def permuted(t: Tensor) -> Tensor:
    return t.transpose(0, -1).contiguous().transpose(0, -1)
def gapped(t: Tensor) -> Tensor:
    return torch.stack([t, t * 0], -1).select(-1, 0)
def stretched(t: Tensor) -> Tensor:
    return t.narrow(0, 0, 1).expand(t.size())
def ramp(start: float, rows: int, columns: int) -> Tensor:
    return (torch.arange(rows * columns) * 0.125 + start).reshape(rows, columns)
def none_of(t: Tensor) -> Tensor:
    return t.narrow(0, 0, 0)
)";

// The functions of source, compiled once a mode.
const Module& compiled(Mode mode, const std::string& source) {
  static std::map<std::pair<Mode, std::string>, Module> modules;
  Module& m = modules[{mode, source}];
  if (!m.defined()) {
    LoadOptions o;
    o.mode = mode;
    m = compile(source, o);
  }
  return m;
}

IValue list_call(const Side& s, TypePtr e, const std::string& function, std::vector<IValue> in) {
  std::string t = e->annotation_str(), head = "(l: List[" + t + "], v: " + t + ") -> None:\n";
  return compiled(s.mode,
                  "def append" + head + "    l.append(v)\ndef put" + head + "    l[0] = v\n")
      .run_method(function, std::move(in));
}
void dict_put(const Side& s, TypePtr k, TypePtr v, std::vector<IValue> in) {
  std::string key = k->annotation_str(), value = v->annotation_str();
  compiled(s.mode, "def put(d: Dict[" + key + ", " + value + "], k: " + key + ", v: " + value +
                       ") -> None:\n    d[k] = v\n")
      .run_method("put", std::move(in));
}

bool plain(const Tensor& t) {
  return t.defined() && t.impl()->storage && t.numel() > 0 && element_size(t.dtype()) > 0 &&
         t.device().type == DeviceType::CPU && !t.impl()->nested_rows;
}

template <class T, class F>
void each(const Tensor& t, void* p, F f) {
  T* q = static_cast<T*>(p);
  // Behind a pointer a program finds elements in order only when they lie so.
  int64_t n = t.is_contiguous() ? t.numel() : 1;
  for (int64_t i = 0; i < n; ++i) q[i] = f(q[i], i);
}

}  // namespace

IValue host_call(const Side& s, const std::string& function, std::vector<IValue> inputs) {
  return compiled(s.mode, kHostFunctions).run_method(function, std::move(inputs));
}

void write_through(const Tensor& t, void* p) {
  auto real = [](auto x, int64_t i) {
    return static_cast<decltype(x)>(static_cast<float>(x) * 0.75f +
                                    0.01f * static_cast<float>(i % 7));
  };
  auto whole = [](auto x, int64_t) { return static_cast<decltype(x)>(x + 1); };
  switch (t.dtype()) {
    case kFloat: return each<float>(t, p, real);
    case kDouble: return each<double>(t, p, real);
    case kHalf: return each<Half>(t, p, real);
    case kBFloat16: return each<BFloat16>(t, p, real);
    case kComplexFloat:
      return each<std::complex<float>>(t, p, [](auto x, int64_t) { return x * 0.75f; });
    case kComplexDouble:
      return each<std::complex<double>>(t, p, [](auto x, int64_t) { return x * 0.75; });
    case kBool: return each<bool>(t, p, [](bool x, int64_t) { return !x; });
    case kLong: return each<int64_t>(t, p, whole);
    case kInt:
    case ScalarType::QInt32: return each<int32_t>(t, p, whole);
    case kShort: return each<int16_t>(t, p, whole);
    default:
      if (element_size(t.dtype()) == 1) each<uint8_t>(t, p, whole);
  }
}

namespace {

void* pointer_of(const Tensor& t) {
  switch (t.dtype()) {
    case kFloat: return t.data_ptr<float>();
    case kDouble: return t.data_ptr<double>();
    case kLong: return t.data_ptr<int64_t>();
    case kInt: return t.data_ptr<int32_t>();
    case kBool: return t.data_ptr<bool>();
    case kByte: return t.data_ptr<uint8_t>();
    default: return t.raw_data();
  }
}

// Written by an operator where one can: memory that a pointer was given to is never relied on.
Tensor changed_tensor(const Tensor& t) {
  Side s;
  s.mode = Mode::Interpret;
  Tensor u = t.clone();
  write_into(s, u);
  if (is_quantized(u.dtype())) write_through(u, u.raw_data());
  return u;
}

}  // namespace

std::optional<IValue> changed_value(const IValue& v) {
  check_stack();
  auto all = [](const std::vector<IValue>& items, std::vector<IValue>& out) {
    bool any = false;
    for (auto& e : items) {
      auto c = changed_value(e);
      any |= c.has_value();
      out.push_back(c ? *c : e);
    }
    return any;
  };
  switch (v.tag()) {
    case Tag::Tensor:
      if (!plain(v.toTensorRef())) return {};
      return IValue(changed_tensor(v.toTensorRef()));
    case Tag::Double: return IValue(v.toDouble() * 1.5 + 0.25);
    case Tag::Int: return IValue(v.toInt() + 1);
    case Tag::Bool: return IValue(!v.toBool());
    case Tag::String: return IValue(v.toStringRef() + "_");
    case Tag::List: {
      std::vector<IValue> items;
      if (!all(v.toListRef().items, items)) return {};
      return IValue(make_ref<ListBox>(v.toListRef().elem_type, std::move(items)));
    }
    case Tag::Tuple: {
      std::vector<IValue> items;
      if (!all(v.toTupleRef().items, items)) return {};
      return IValue(make_ref<TupleBox>(std::move(items), v.toTupleRef().type));
    }
    case Tag::Dict: {
      const DictBox& d = v.toDictRef();
      auto fresh = make_ref<DictBox>(d.key_type, d.value_type);
      bool any = false;
      for (auto& kv : d.items) {
        auto c = changed_value(kv.second);
        any |= c.has_value();
        fresh->set(kv.first, c ? *c : kv.second);
      }
      if (!any) return {};
      return IValue(fresh);
    }
    default: return {};
  }
}

void write_into(const Side& s, const IValue& v) {
  switch (v.tag()) {
    case Tag::Tensor: {
      Tensor t = v.toTensor();
      if (!plain(t)) return;
      if (is_floating(t.dtype()))
        host_call(s, "scale", {t});
      else if (t.dtype() == kBool)
        host_call(s, "flip", {t});
      else if (is_integral(t.dtype()))
        host_call(s, "add_one", {t});
      return;
    }
    case Tag::Tuple:
      for (auto& e : v.toTupleRef().items) write_into(s, e);
      return;
    case Tag::List: {
      std::vector<IValue> items = v.toListRef().items;
      for (auto& e : items) write_into(s, e);
      if (!items.empty() && !v.toListRef().elem_type->mentions_class)
        list_call(s, v.toListRef().elem_type, "append", {v, items[0]});
      return;
    }
    case Tag::Dict: {
      auto items = v.toDictRef().items;
      for (auto& kv : items) write_into(s, kv.second);
      if (items.size() > 1 && !v.toDictRef().value_type->mentions_class)
        dict_put(s, v.toDictRef().key_type, v.toDictRef().value_type,
                 {v, items[0].first, items[1].second});
      return;
    }
    default: return;
  }
}

namespace {

// ---- places ----

using Places = std::vector<Place>;
using Cases = std::vector<Case>;

Place at(const Path& path, int64_t element = -1) {
  Place p;
  p.path = path;
  p.element = element;
  return p;
}

const std::vector<IValue>* items_of(const IValue& v) {
  return v.isList() ? &v.toListRef().items : v.isTuple() ? &v.toTupleRef().items : nullptr;
}

Tensor tensor_at(const Module& m, const Place& p) {
  IValue v = get_slot(m, p.path);
  if (p.element < 0) return v.toTensor();
  if (v.isDict()) return v.toDictRef().items.at(static_cast<size_t>(p.element)).second.toTensor();
  return items_of(v)->at(static_cast<size_t>(p.element)).toTensor();
}

template <class F>
Places tensors_where(const Module& m, F wanted) {
  Places out;
  auto add = [&](const IValue& v, const Path& path, int64_t element) {
    if (v.isTensor() && plain(v.toTensorRef()) && wanted(v.toTensorRef()))
      out.push_back(at(path, element));
  };
  for (auto& s : slots_of(m)) {
    add(s.value, s.path, -1);
    if (const auto* items = items_of(s.value))
      for (size_t i = 0; i < items->size(); ++i) add((*items)[i], s.path, static_cast<int64_t>(i));
    if (s.value.isDict())
      for (size_t i = 0; i < s.value.toDictRef().items.size(); ++i)
        add(s.value.toDictRef().items[i].second, s.path, static_cast<int64_t>(i));
  }
  return out;
}
Places tensors(const Module& m, const Cases&) {
  return tensors_where(m, [](const Tensor&) { return true; });
}
Places float_tensors(const Module& m, const Cases&) {
  return tensors_where(m, [](const Tensor& t) { return is_floating(t.dtype()); });
}
Places matrices(const Module& m, const Cases&) {
  return tensors_where(m, [](const Tensor& t) { return t.dim() >= 2; });
}
Places whole_tensors(const Module& m, const Cases&) {
  return tensors_where(m, [](const Tensor& t) {
    return t.is_contiguous() && t.dim() >= 1 && !is_float8(t.dtype()) && !is_quantized(t.dtype());
  });
}

template <class F>
Places slots_where(const Module& m, F wanted) {
  Places out;
  for (auto& s : slots_of(m))
    if (wanted(s)) out.push_back(at(s.path));
  return out;
}
Places tensor_slots(const Module& m, const Cases&) {
  return slots_where(
      m, [](const Slot& s) { return s.value.isTensor() && plain(s.value.toTensorRef()); });
}
Places number_slots(const Module& m, const Cases&) {
  return slots_where(
      m, [](const Slot& s) { return s.value.isInt() || s.value.isDouble() || s.value.isString(); });
}
Places bool_slots(const Module& m, const Cases&) {
  return slots_where(m, [](const Slot& s) { return s.value.isBool(); });
}
Places container_slots(const Module& m, const Cases&) {
  return slots_where(m, [](const Slot& s) {
    return (s.value.isList() || s.value.isDict() || s.value.isTuple()) &&
           changed_value(s.value).has_value();
  });
}
Places optional_slots(const Module& m, const Cases&) {
  return slots_where(m, [](const Slot& s) { return can_hold_none(s.type) && !s.value.isNone(); });
}
Places filled_containers(const Module& m, const Cases&) {
  return slots_where(m, [](const Slot& s) {
    return (s.value.isList() && !s.value.toListRef().items.empty() &&
            !s.value.toListRef().elem_type->mentions_class) ||
           (s.value.isDict() && s.value.toDictRef().items.size() > 1 &&
            !s.value.toDictRef().value_type->mentions_class);
  });
}

// Two slots that one value can fill: each slot with the first later one.
template <class F>
Places pairs(const Module& m, F fit) {
  Places out;
  auto slots = slots_of(m);
  for (size_t i = 0; i < slots.size(); ++i)
    for (size_t k = i + 1; k < slots.size(); ++k) {
      if (!fit(slots[i], slots[k]) || ivalue_is(slots[i].value, slots[k].value)) continue;
      Place p = at(slots[i].path);
      p.other = slots[k].path;
      out.push_back(p);
      break;
    }
  return out;
}
Places tensor_pairs(const Module& m, const Cases&) {
  return pairs(m, [](const Slot& a, const Slot& b) {
    if (!a.value.isTensor() || !b.value.isTensor()) return false;
    const Tensor &x = a.value.toTensorRef(), &y = b.value.toTensorRef();
    return plain(x) && plain(y) && x.dtype() == y.dtype() && x.sizes() == y.sizes();
  });
}
Places object_pairs(const Module& m, const Cases&) {
  return pairs(m, [](const Slot& a, const Slot& b) {
    return a.value.isObject() && b.value.isObject() &&
           a.value.toObjectRef().type == b.value.toObjectRef().type;
  });
}

Places everywhere(const Module&, const Cases&) { return {Place{}}; }
Places with_training(const Module& m, const Cases&) {
  return m.hasattr("training") ? Places{Place{}} : Places{};
}

bool tensor_input(const IValue& v) { return v.isTensor() && plain(v.toTensorRef()); }
template <class F>
Places inputs_where(const Cases& cases, F wanted) {
  Places out;
  for (size_t c = 0; c < cases.size(); ++c)
    for (size_t i = 0; i < cases[c].inputs.size(); ++i) {
      const IValue& v = cases[c].inputs[i];
      if (!tensor_input(v) || !wanted(v.toTensorRef())) continue;
      Place p;
      p.call = static_cast<int64_t>(c), p.argument = static_cast<int64_t>(i);
      out.push_back(p);
    }
  return out;
}
Places inputs(const Module&, const Cases& c) {
  return inputs_where(c, [](const Tensor&) { return true; });
}
Places input_rows(const Module&, const Cases& c) {
  return inputs_where(c, [](const Tensor& t) { return t.dim() >= 1; });
}
// A recorded input and an attribute of its dtype, of its sizes where there is one.
Places inputs_and_attributes(const Module& m, const Cases& cases) {
  Places out;
  auto slots = slots_of(m);
  for (Place& p : inputs(m, cases)) {
    const Tensor& x =
        cases[static_cast<size_t>(p.call)].inputs[static_cast<size_t>(p.argument)].toTensorRef();
    for (bool same : {true, false}) {
      for (auto& s : slots) {
        if (!s.value.isTensor() || !plain(s.value.toTensorRef())) continue;
        const Tensor& t = s.value.toTensorRef();
        if (t.dtype() != x.dtype() || (same ? t.sizes() != x.sizes() : t.dim() != x.dim()))
          continue;
        p.path = s.path;
        out.push_back(p);
        break;
      }
      if (!p.path.empty()) break;
    }
  }
  return out;
}
Places input_pairs(const Module&, const Cases& cases) {
  Places out;
  for (size_t c = 0; c < cases.size(); ++c) {
    auto& in = cases[c].inputs;
    for (size_t i = 0; i < in.size(); ++i)
      for (size_t k = i + 1; k < in.size(); ++k)
        if (tensor_input(in[i]) && tensor_input(in[k]) &&
            in[i].toTensorRef().dtype() == in[k].toTensorRef().dtype()) {
          Place p;
          p.call = static_cast<int64_t>(c), p.argument = static_cast<int64_t>(i);
          p.element = static_cast<int64_t>(k);
          out.push_back(p);
        }
  }
  return out;
}

bool is_name(const std::string& s) {
  auto letter = [](char ch) { return std::isalpha(static_cast<unsigned char>(ch)) || ch == '_'; };
  return !s.empty() && letter(s[0]) && std::all_of(s.begin(), s.end(), [&](char ch) {
    return letter(ch) || std::isdigit(static_cast<unsigned char>(ch));
  });
}
// A path as source that a method may write: self.a, getattr(self.a, "0").
std::string source_of(const Path& path) {
  std::string s = "self";
  for (auto& part : path) {
    s = is_name(part) ? s + "." + part : "getattr(" + s + ", \"" + part + "\")";
  }
  return s;
}
Places named_float_slots(const Module& m, const Cases&) {
  Places out;
  for (Place& p : slots_where(m, [](const Slot& s) {
         return s.type->kind == TypeKind::Tensor && s.value.isTensor() &&
                plain(s.value.toTensorRef());
       })) {
    if (is_name(p.path.back()) && is_floating(tensor_at(m, p).dtype()) &&
        !m.has_method("host_writes"))
      out.push_back(p);
  }
  return out;
}

// ---- steps ----

void fill(Side& s, const Place& p) { host_call(s, "fill", {tensor_at(s.module, p), 0.03}); }
void fill_by_host(Side& s, const Place& p) { tensor_at(s.module, p).fill_(0.04); }
void write_in_place(Side& s, const Place& p) { write_into(s, tensor_at(s.module, p)); }
void copy_over(Side& s, const Place& p) {
  Tensor t = tensor_at(s.module, p);
  host_call(s, "copy", {t, changed_tensor(t)});
}

void take_pointer(Side& s, const Place& p) {
  s.pointed = tensor_at(s.module, p);
  s.memory = s.pointed.impl()->storage;
  s.memory_bytes = s.memory->nbytes();
  s.pointer = pointer_of(s.pointed);
}
void write_by_pointer(Side& s, const Place&) {
  // Memory that was given another size lies elsewhere.
  if (s.pointer && s.pointed.impl()->storage == s.memory && s.memory->nbytes() == s.memory_bytes &&
      plain(s.pointed))
    write_through(s.pointed, s.pointer);
}
void take_and_write(Side& s, const Place& p) {
  take_pointer(s, p);
  write_by_pointer(s, p);
}
void keep_tensor(Side& s, const Place& p) { s.tensors.assign(1, tensor_at(s.module, p)); }
void write_kept(Side& s, const Place&) { write_into(s, s.tensors.at(0)); }
// A view taken before the first call, written after it.
void keep_view(Side& s, const Place& p) {
  s.tensors.assign(1, tensor_at(s.module, p).select(0, 0));
}

void replace(Side& s, const Place& p) {
  IValue old = get_slot(s.module, p.path);
  set_slot(s.module, p.path, changed_value(old).value());
  s.replaced[p.str()] = {old};
}
void put_back(Side& s, const Place& p) {
  auto it = s.replaced.find(p.str());
  if (it != s.replaced.end() && it->second.size() == 1) set_slot(s.module, p.path, it->second[0]);
}
void write_replaced(Side& s, const Place& p) { write_into(s, get_slot(s.module, p.path)); }
void replace_by_none(Side& s, const Place& p) {
  s.replaced[p.str()] = {get_slot(s.module, p.path)};
  set_slot(s.module, p.path, IValue());
}
void tie(Side& s, const Place& p) { set_slot(s.module, p.path, get_slot(s.module, p.other)); }
void write_tied(Side& s, const Place& p) { write_into(s, get_slot(s.module, p.other)); }
void exchange(Side& s, const Place& p) {
  IValue a = get_slot(s.module, p.path), b = get_slot(s.module, p.other);
  set_slot(s.module, p.path, b);
  set_slot(s.module, p.other, a);
}

void transpose(Side& s, const Place& p) { host_call(s, "transpose", {tensor_at(s.module, p)}); }
void unsqueeze(Side& s, const Place& p) { host_call(s, "unsqueeze", {tensor_at(s.module, p)}); }
void squeeze(Side& s, const Place& p) { host_call(s, "squeeze", {tensor_at(s.module, p)}); }
void set_source(Side& s, const Place& p) {
  Tensor t = tensor_at(s.module, p);
  s.tensors.assign(1, changed_tensor(t));
  host_call(s, "set_source", {t, s.tensors[0]});
}
void write_source(Side& s, const Place&) { write_into(s, s.tensors.at(0)); }
void resize(Side& s, const Place& p) {
  Tensor t = tensor_at(s.module, p);
  std::vector<int64_t> sizes = t.sizes().vec();
  ++sizes[0];
  host_call(s, "resize", {t, IValue(sizes)});
  host_call(s, "fill", {t, 1.0});
}
void resize_back(Side& s, const Place& p) {
  Tensor t = tensor_at(s.module, p);
  std::vector<int64_t> sizes = t.sizes().vec();
  --sizes[0];
  host_call(s, "resize", {t, IValue(sizes)});
}
void stretch(Side& s, const Place& p) {
  Tensor t = tensor_at(s.module, p);
  std::vector<int64_t> sizes = t.sizes().vec(), strides = t.strides().vec();
  std::vector<IValue> form = {IValue(sizes), IValue(strides), IValue(t.storage_offset())};
  strides[0] = 0;
  host_call(s, "as_strided", {t, form[0], IValue(strides), form[2]});
  s.replaced[p.str()] = form;
}
void stretch_back(Side& s, const Place& p) {
  auto it = s.replaced.find(p.str());
  if (it == s.replaced.end() || it->second.size() != 3) return;
  auto& form = it->second;
  host_call(s, "as_strided", {tensor_at(s.module, p), form[0], form[1], form[2]});
}
void want_gradient(Side& s, const Place& p) {
  host_call(s, "require", {tensor_at(s.module, p), true});
}
void want_no_gradient(Side& s, const Place& p) {
  host_call(s, "require", {tensor_at(s.module, p), false});
}

void other_training(Side& s, const Place&) { s.module.train(!s.module.is_training()); }

void define_write(Side& s, const Place& p) {
  s.module.define("def host_writes(self) -> None:\n    " + source_of(p.path) +
                  ".mul_(0.75).add_(0.0625)\n");
  s.module.run_method("host_writes", {});
}
void call_defined(Side& s, const Place&) { s.module.run_method("host_writes", {}); }
void define_assignment(Side& s, const Place& p) {
  s.module.define("def host_writes(self) -> None:\n    " + source_of(p.path) + " = " +
                  source_of(p.path) + " * 0.75 + 0.0625\n");
  s.module.run_method("host_writes", {});
}
void define_early(Side& s, const Place& p) {
  s.module.define("def host_writes(self) -> None:\n    " + source_of(p.path) +
                  ".mul_(0.75).add_(0.0625)\n");
}
void define_form(Side& s, const Place& p) {
  s.module.define("def host_writes(self) -> None:\n    " + source_of(p.path) + ".unsqueeze_(0)\n");
  s.module.run_method("host_writes", {});
}
void define_setter(Side& s, const Place& p) {
  s.module.define("def host_writes(self, t: Tensor) -> None:\n    " + source_of(p.path) + " = t\n");
  s.tensors.assign(1, changed_tensor(tensor_at(s.module, p)));
  s.module.run_method("host_writes", {s.tensors[0]});
}

void write_answers(Side& s, const Place&) {
  std::vector<IValue> answers = s.answers;
  for (auto& a : answers) write_into(s, a);
}
void write_inputs(Side& s, const Place&) {
  for (auto& in : s.inputs)
    for (auto& v : in) write_into(s, v);
}
void append_to(Side& s, const Place& p) {
  IValue v = get_slot(s.module, p.path);
  if (v.isList())
    list_call(s, v.toListRef().elem_type, "append", {v, v.toListRef().items[0]});
  else
    dict_put(s, v.toDictRef().key_type, v.toDictRef().value_type,
             {v, v.toDictRef().items[0].first, v.toDictRef().items[1].second});
}
void put_first(Side& s, const Place& p) {
  IValue v = get_slot(s.module, p.path);
  if (v.isDict()) return write_into(s, v);
  auto c = changed_value(v.toListRef().items[0]);
  if (c) list_call(s, v.toListRef().elem_type, "put", {v, *c});
}

void nothing(Side&, const Place&) {}

// ---- the whole module ----

void to_double(Side& s, const Place&) { s.module.to(kDouble); }
void to_float(Side& s, const Place&) { s.module.to(kFloat); }
void round_to_half(Side& s, const Place&) {
  s.module.to(kHalf);
  s.module.to(kFloat);
}
void write_all(const Side& s, const Module& m) {
  for (auto& slot : slots_of(m))
    if (slot.value.isTensor()) write_into(s, slot.value);
}
void take_clone(Side& s, const Place&) { s.other = s.module.clone(); }
void write_clone(Side& s, const Place&) {
  if (!s.other.defined()) s.other = s.module.clone();
  write_all(s, s.other);
}
void write_cloned(Side& s, const Place& p) {
  if (!s.other.defined()) take_clone(s, p);
  write_all(s, s.module);
}
// The calls that follow are the clone's.
void become_clone(Side& s, const Place& p) {
  if (!s.other.defined()) take_clone(s, p);
  std::swap(s.module, s.other);
}
void load_changed(Side& s, const Place&) {
  std::vector<Named<Tensor>> state = s.module.state_dict();
  for (auto& t : state)
    if (plain(t.value)) t.value = changed_tensor(t.value);
  s.module.load_state_dict(state);
}
void write_state(Side& s, const Place&) {
  for (auto& t : s.module.state_dict()) write_into(s, t.value);
}

// ---- inputs ----

IValue& input(std::vector<IValue>& in, const Place& p) {
  return in.at(static_cast<size_t>(p.argument));
}
template <class F>
void view_of_input(Side&, const Place& p, std::vector<IValue>& in, F f) {
  IValue& v = input(in, p);
  v = f(v.toTensor());
}
void give_attribute(Side& s, const Place& p, std::vector<IValue>& in) {
  input(in, p) = get_slot(s.module, p.path);
}
void give_twice(Side&, const Place& p, std::vector<IValue>& in) {
  in.at(static_cast<size_t>(p.element)) = input(in, p);
}
// Two views of one tensor.
void give_views(Side& s, const Place& p, std::vector<IValue>& in) {
  Tensor both = host_call(s, "rows", {input(in, p)}).toTensor();
  input(in, p) = both.select(0, 0);
  in.at(static_cast<size_t>(p.element)) = both.select(0, 1);
}
void give_row_one(Side& s, const Place& p, std::vector<IValue>& in) {
  input(in, p) = host_call(s, "row", {input(in, p), int64_t{0}});
}
void give_row_two(Side& s, const Place& p, std::vector<IValue>& in) {
  input(in, p) = host_call(s, "row", {input(in, p), int64_t{2}});
}
void give_permuted(Side& s, const Place& p, std::vector<IValue>& in) {
  input(in, p) = host_call(s, "permuted", {input(in, p)});
}
void give_gapped(Side& s, const Place& p, std::vector<IValue>& in) {
  input(in, p) = host_call(s, "gapped", {input(in, p)});
}
void give_stretched(Side& s, const Place& p, std::vector<IValue>& in) {
  input(in, p) = host_call(s, "stretched", {input(in, p)});
}
void give_none(Side& s, const Place& p, std::vector<IValue>& in) {
  input(in, p) = host_call(s, "none_of", {input(in, p)});
}
void give_doubled(Side& s, const Place&, std::vector<IValue>& in) {
  for (auto& v : in)
    if (tensor_input(v) && v.toTensorRef().dim() > 0) v = host_call(s, "doubled", {v});
}
void give_double(Side&, const Place&, std::vector<IValue>& in) {
  for (auto& v : in)
    if (tensor_input(v) && is_floating(v.toTensorRef().dtype())) v = v.toTensorRef().to(kDouble);
}
void give_last_answer(Side& s, const Place& p, std::vector<IValue>& in) {
  for (size_t i = s.answers.size(); i-- > 0;)
    if (s.answers[i].isTensor()) {
      input(in, p) = s.answers[i];
      return;
    }
}

}  // namespace

// A kind is worth a row when a program can do it and no other row does it the same way.
// clang-format off
const std::vector<Kind>& kinds_of_change() {
  static const std::vector<Kind> kinds = {
      // name                  places                 before        first              second            inputs            needs_calls
      {"nothing",              everywhere,            nullptr,      nothing,           nullptr,          nullptr,          false},
      {"fill_",                float_tensors,         nullptr,      fill,              write_in_place,   nullptr,          false},
      {"fill_ by host",        float_tensors,         nullptr,      fill_by_host,      nullptr,          nullptr,          false},
      {"in place",             tensors,               nullptr,      write_in_place,    write_in_place,   nullptr,          false},
      {"copy_",                tensors,               nullptr,      copy_over,         nullptr,          nullptr,          false},
      {"pointer before",       tensors,               take_pointer, write_by_pointer,  write_by_pointer, nullptr,          false},
      {"pointer after",        tensors,               nullptr,      take_and_write,    write_by_pointer, nullptr,          false},
      {"tensor kept",          tensors,               keep_tensor,  write_kept,        write_kept,       nullptr,          false},
      {"view kept",            matrices,              keep_view,    write_kept,        write_kept,       nullptr,          false},
      {"setattr tensor",       tensor_slots,          nullptr,      replace,           write_replaced,   nullptr,          false},
      {"setattr and back",     tensor_slots,          nullptr,      replace,           put_back,         nullptr,          false},
      {"setattr number",       number_slots,          nullptr,      replace,           put_back,         nullptr,          false},
      {"setattr bool",         bool_slots,            nullptr,      replace,           put_back,         nullptr,          false},
      {"setattr container",    container_slots,       nullptr,      replace,           put_back,         nullptr,          false},
      {"setattr None",         optional_slots,        nullptr,      replace_by_none,   put_back,         nullptr,          false},
      {"tied",                 tensor_pairs,          nullptr,      tie,               write_tied,       nullptr,          false},
      {"objects exchanged",    object_pairs,          nullptr,      exchange,          exchange,         nullptr,          false},
      {"transpose_",           matrices,              nullptr,      transpose,         transpose,        nullptr,          false},
      {"unsqueeze_",           tensors,               nullptr,      unsqueeze,         squeeze,          nullptr,          false},
      {"set_",                 tensors,               nullptr,      set_source,        write_source,     nullptr,          false},
      {"resize_",              whole_tensors,         nullptr,      resize,            resize_back,      nullptr,          false},
      {"as_strided_",          whole_tensors,         nullptr,      stretch,           stretch_back,     nullptr,          false},
      {"requires_grad_",       float_tensors,         nullptr,      want_gradient,     want_no_gradient, nullptr,          false},
      {"train",                with_training,         nullptr,      other_training,    other_training,   nullptr,          false},
      {"define writes",        named_float_slots,     nullptr,      define_write,      call_defined,     nullptr,          false},
      {"define before",        named_float_slots,     define_early, call_defined,      call_defined,     nullptr,          false},
      {"define assigns",       named_float_slots,     nullptr,      define_assignment, call_defined,     nullptr,          false},
      {"define sets",          named_float_slots,     nullptr,      define_setter,     write_source,     nullptr,          false},
      {"define reshapes",      named_float_slots,     nullptr,      define_form,       squeeze,          nullptr,          false},
      {"container grows",      filled_containers,     nullptr,      append_to,         put_first,        nullptr,          false},
      {"answers written",      everywhere,            nullptr,      write_answers,     write_answers,    nullptr,          true},
      {"inputs written",       everywhere,            nullptr,      write_inputs,      write_inputs,     nullptr,          true},
      {"attribute given",      inputs_and_attributes, nullptr,      nothing,           nothing,          give_attribute,   false},
      {"answer given",         inputs,                nullptr,      nothing,           write_answers,    give_last_answer, true},
      {"one tensor twice",     input_pairs,           nullptr,      nothing,           nothing,          give_twice,       false},
      {"two views of one",     input_pairs,           nullptr,      nothing,           nothing,          give_views,       false},
      {"row of a bigger",      inputs,                nullptr,      nothing,           nothing,          give_row_two,     false},
      {"first of a bigger",    inputs,                nullptr,      nothing,           nothing,          give_row_one,     false},
      {"permuted",             input_rows,            nullptr,      nothing,           nothing,          give_permuted,    false},
      {"gapped",               inputs,                nullptr,      nothing,           nothing,          give_gapped,      false},
      {"stretched",            input_rows,            nullptr,      nothing,           nothing,          give_stretched,   false},
      {"no rows",              input_rows,            nullptr,      nothing,           nothing,          give_none,        false},
      {"to double",            everywhere,            nullptr,      to_double,         to_float,         give_double,      false},
      {"to half and back",     everywhere,            nullptr,      round_to_half,     nullptr,          nullptr,          false},
      {"clone written",        everywhere,            nullptr,      write_clone,       become_clone,     nullptr,          false},
      {"cloned written",       everywhere,            take_clone,   write_cloned,      become_clone,     nullptr,          false},
      {"clone called",         everywhere,            nullptr,      become_clone,      write_cloned,     nullptr,          false},
      {"load_state_dict",      everywhere,            nullptr,      load_changed,      write_state,      nullptr,          false},
      {"batch doubled",        inputs,                nullptr,      nothing,           nothing,          give_doubled,     false},
  };
  return kinds;
}
// clang-format on

}  // namespace sconce::tool
