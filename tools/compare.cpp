// SPDX-License-Identifier: Apache-2.0
#include "compare.h"

#include <cmath>
#include <cstring>
#include <set>
#include <complex>
#include <map>
#include <unordered_map>

#include "api/convert.h"
#include "api/device_copy.h"
#include "api/runtime.h"
#include "support/stack.h"

namespace sconce::tool {

bool within(const Tolerance& tol, double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (std::isinf(a) || std::isinf(b)) return a == b;
  if (tol.check == "bits") return a == b && std::signbit(a) == std::signbit(b);
  if (tol.check == "exact") return a == b;
  return std::fabs(a - b) <= tol.atol + tol.rtol * std::fabs(b);
}

namespace {

using Difference = std::optional<std::string>;

template <class... A>
Difference differ(const A&... a) {
  std::ostringstream os;
  os.precision(9);
  (os << ... << a);
  return os.str();
}

bool close(double a, double b, const Tolerance& tol) { return within(tol, a, b); }
bool close(std::complex<double> a, std::complex<double> b, const Tolerance& tol) {
  check_stack();
  return close(a.real(), b.real(), tol) && close(a.imag(), b.imag(), tol);
}
bool close(int64_t a, int64_t b, const Tolerance&) { return a == b; }

std::string position(const Tensor& t, int64_t flat) {
  std::vector<int64_t> at(static_cast<size_t>(t.dim()));
  for (int64_t d = t.dim() - 1; d >= 0; --d) {
    at[static_cast<size_t>(d)] = flat % t.size(d);
    flat /= t.size(d);
  }
  std::string s;
  for (int64_t i : at) s += "[" + std::to_string(i) + "]";
  return s;
}

template <class T>
Difference compare_elements(const Tensor& a, const Tensor& e, ScalarType as, const Tolerance& tol,
                            const std::string& where) {
  Tensor x = a.to(as).contiguous(), y = e.to(as).contiguous();
  const T *p = static_cast<const T*>(x.const_raw_data()),
          *q = static_cast<const T*>(y.const_raw_data());
  for (int64_t i = 0, n = x.numel(); i < n; ++i)
    if (!close(p[i], q[i], tol))
      return differ(where, position(x, i), ": ", p[i], ", expected ", q[i]);
  return {};
}

Difference compare_tensors(const Tensor& a, const Tensor& e, const Tolerance& tol,
                           const std::string& where) {
  if (!a.defined() || !e.defined()) {
    if (a.defined() == e.defined()) return {};
    return differ(where, ": ", a.defined() ? "a tensor" : "undefined", ", expected ",
                  e.defined() ? "a tensor" : "undefined");
  }
  if (a.dtype() != e.dtype())
    return differ(where, ": dtype ", scalar_type_name(a.dtype()), ", expected ",
                  scalar_type_name(e.dtype()));
  if (a.sizes() != e.sizes()) return differ(where, ": shape ", a.sizes(), ", expected ", e.sizes());
  if (tol.check == "meta") return {};
  if (is_quantized(a.dtype())) {
    const Quantizer *p = a.quantizer(), *q = e.quantizer();
    if (!p || !q || p->per_channel != q->per_channel)
      return differ(where, ": another kind of quantization");
    if (!p->per_channel && (!close(p->scale, q->scale, tol) || p->zero_point != q->zero_point))
      return differ(where, ": scale ", p->scale, " zero point ", p->zero_point, ", expected ",
                    q->scale, " and ", q->zero_point);
    return compare_elements<double>(a, e, kDouble, tol, where);
  }
  if (is_complex(a.dtype()))
    return compare_elements<std::complex<double>>(a, e, kComplexDouble, tol, where);
  if (is_floating(a.dtype())) return compare_elements<double>(a, e, kDouble, tol, where);
  return compare_elements<int64_t>(a, e, kLong, tol, where);
}

Difference compare_sequences(const std::vector<IValue>& a, const std::vector<IValue>& e,
                             const Tolerance& tol, const std::string& where) {
  if (a.size() != e.size()) return differ(where, ": length ", a.size(), ", expected ", e.size());
  for (size_t i = 0; i < a.size(); ++i)
    if (auto d = difference(a[i], e[i], tol, where + "[" + std::to_string(i) + "]")) return d;
  return {};
}

Difference compare_object(Object& a, DictBox& e, const Tolerance& tol, const std::string& where) {
  for (auto& kv : e.items) {
    const std::string& key = kv.first.toStringRef();
    if (key == "__class__") {
      if (kv.second.toStringRef() != a.type->name)
        return differ(where, ": class ", a.type->name, ", expected ", kv.second.toStringRef());
      continue;
    }
    if (a.type->find_attribute(key) < 0) return differ(where, ": no attribute ", key);
    if (auto d = difference(a.getattr(key), kv.second, tol, where + "." + key)) return d;
  }
  return {};
}

Difference compare_dicts(DictBox& a, DictBox& e, const Tolerance& tol, const std::string& where) {
  if (a.items.size() != e.items.size())
    return differ(where, ": ", a.items.size(), " entries, expected ", e.items.size());
  for (size_t i = 0; i < e.items.size(); ++i) {
    auto& kv = e.items[i];
    std::string at = where + "[" + ivalue_str(kv.first) + "]";
    const IValue* found = a.find(kv.first);
    // Tensors are keys by identity: they can only be compared in order.
    if (!found && kv.first.isTensor()) {
      if (auto d = difference(a.items[i].first, kv.first, tol, where + ".keys()")) return d;
      found = &a.items[i].second;
    }
    if (!found) return differ(at, ": missing");
    if (auto d = difference(*found, kv.second, tol, at)) return d;
  }
  return {};
}

// Of two modules or of two clones; an object that leads to itself is compared once.
Difference compare_objects(const Object& a, const Object& e, const Tolerance& tol,
                           const std::string& where) {
  static thread_local std::set<std::pair<const Object*, const Object*>> open;
  if (a.type->name != e.type->name)
    return differ(where, ": a ", a.type->name, ", expected a ", e.type->name);
  if (!open.insert({&a, &e}).second) return {};
  Difference d = compare_sequences(a.slots(), e.slots(), tol, where);
  open.erase({&a, &e});
  return d;
}

}  // namespace

Difference difference(const IValue& a, const IValue& e, const Tolerance& tol,
                      const std::string& where) {
  check_stack();
  if (a.isEnum())
    return difference(a.toEnumRef().value, e.isEnum() ? e.toEnumRef().value : e, tol, where);
  if (a.isObject() && e.isDict()) return compare_object(a.toObjectRef(), e.toDictRef(), tol, where);
  if (a.isNone() && e.isTensor() && !e.toTensorRef().defined()) return {};
  if (e.isNone() && a.isTensor() && !a.toTensorRef().defined()) return {};
  if (a.tag() != e.tag()) return differ(where, ": ", a.tag_name(), ", expected ", e.tag_name());
  switch (a.tag()) {
    case Tag::None: return {};
    case Tag::Tensor:
      return compare_tensors(a.toTensorRef().defined() ? a.toTensorRef().cpu() : a.toTensorRef(),
                             e.toTensorRef(), tol, where);
    case Tag::Double:
      if (tol.check == "meta" || close(a.toDouble(), e.toDouble(), tol)) return {};
      return differ(where, ": ", a.toDouble(), ", expected ", e.toDouble());
    case Tag::ComplexDouble:
      if (tol.check == "meta" || close(a.toComplexDouble(), e.toComplexDouble(), tol)) return {};
      return differ(where, ": ", a.toComplexDouble(), ", expected ", e.toComplexDouble());
    case Tag::Int:
    case Tag::Bool:
      if (tol.check == "meta" || a.toInt() == e.toInt()) return {};
      return differ(where, ": ", a.toInt(), ", expected ", e.toInt());
    case Tag::String:
      if (a.toStringRef() == e.toStringRef()) return {};
      return differ(where, ": \"", a.toStringRef(), "\", expected \"", e.toStringRef(), "\"");
    case Tag::Device:
      if (a.toDevice().str() == e.toDevice().str()) return {};
      return differ(where, ": ", a.toDevice().str(), ", expected ", e.toDevice().str());
    case Tag::List: return compare_sequences(a.toListRef().items, e.toListRef().items, tol, where);
    case Tag::Tuple:
      return compare_sequences(a.toTupleRef().items, e.toTupleRef().items, tol, where);
    case Tag::Dict: return compare_dicts(a.toDictRef(), e.toDictRef(), tol, where);
    case Tag::Object: return compare_objects(a.toObjectRef(), e.toObjectRef(), tol, where);
    default: return differ(where, ": a ", a.tag_name(), " can't be compared");
  }
}

std::vector<Case> read_cases(const std::string& path) {
  IValue root = load_pickle(path);
  if (!root.isDict() || !root.toDictRef().find("cases"))
    raise<FormatError>(path, ": no list of cases");
  std::vector<Case> cases;
  for (auto& item : root.toDictRef().find("cases")->toListRef().items) {
    DictBox& d = item.toDictRef();
    Case c;
    auto text = [&](const char* key, std::optional<std::string>& to) {
      if (IValue* v = d.find(key)) to = v->toStringRef();
    };
    auto number = [&](const char* key, double& to) {
      if (IValue* v = d.find(key)) to = v->toDouble();
    };
    if (IValue* v = d.find("method")) c.method = v->toStringRef();
    if (IValue* v = d.find("inputs"))
      c.inputs = v->isTuple() ? v->toTupleRef().items : v->toListRef().items;
    if (IValue* v = d.find("output")) c.output = *v;
    if (IValue* v = d.find("inputs_after")) c.inputs_after = *v;
    if (IValue* v = d.find("same_seed")) c.seed = v->toInt();
    if (IValue* v = d.find("check")) c.tolerance.check = v->toStringRef();
    if (IValue* v = d.find("skip")) c.skip = !v->isNone() && !(v->isBool() && !v->toBool());
    text("raises", c.raises);
    text("stdout", c.stdout_text);
    number("rtol", c.tolerance.rtol);
    number("atol", c.tolerance.atol);
    if (c.tolerance.check != "close" && c.tolerance.check != "exact" && c.tolerance.check != "meta")
      raise<FormatError>(path, ": unknown check '", c.tolerance.check, "'");
    if (!c.output && !c.raises) raise<FormatError>(path, ": a case has neither output nor raises");
    cases.push_back(std::move(c));
  }
  return cases;
}

namespace {
class Copier {
 public:
  IValue copy(const IValue& v) {
    check_stack();
    switch (v.tag()) {
      case Tag::Tensor: return v.toTensorRef().defined() ? IValue(copy_tensor(v.toTensorRef())) : v;
      case Tag::List: {
        auto l = make_ref<ListBox>(v.toListRef().elem_type);
        for (auto& e : v.toListRef().items) l->items.push_back(copy(e));
        return IValue(l);
      }
      case Tag::Tuple: {
        std::vector<IValue> items;
        for (auto& e : v.toTupleRef().items) items.push_back(copy(e));
        return IValue(make_ref<TupleBox>(std::move(items), v.toTupleRef().type));
      }
      case Tag::Dict: {
        auto d = make_ref<DictBox>(v.toDictRef().key_type, v.toDictRef().value_type);
        for (auto& kv : v.toDictRef().items) d->set(copy(kv.first), copy(kv.second));
        return IValue(d);
      }
      default: return v;
    }
  }

 private:
  Tensor copy_tensor(const Tensor& t) {
    auto& s = storages_[t.impl()->storage.get()];
    if (!s) {
      s = Storage::allocate(t.impl()->storage->nbytes());
      if (s->nbytes()) std::memcpy(s->address(), t.impl()->storage->data(), s->nbytes());
    }
    return with_storage(t, s, t.storage_offset());
  }
  std::unordered_map<Storage*, Ref<Storage>> storages_;
};
}  // namespace

std::vector<IValue> copy_values(const std::vector<IValue>& values) {
  Copier c;
  std::vector<IValue> out;
  for (auto& v : values) out.push_back(c.copy(v));
  return out;
}

void move_values(std::vector<IValue>& values, const std::string& device) {
  DeviceCopy copy(find_device(Device::parse(device)));
  for (IValue& v : values) copy.move(v);
}

std::vector<IValue> convert_inputs(const Module& m, const std::string& method,
                                   const std::vector<IValue>& inputs) {
  Function& f = m.impl()->method(method == "__call__" ? "forward" : method);
  m.impl()->archive.cu->ensure_schema(f);
  auto& args = f.schema.arguments;
  const size_t self = f.self ? 1 : 0;
  std::vector<IValue> out = inputs;
  for (size_t i = 0; i < out.size() && i + self < args.size(); ++i) {
    try {
      out[i] = convert_argument(inputs[i], args[i + self].type);
    } catch (const OpError&) {
      // The call says what is wrong with it.
    }
  }
  return out;
}

Difference run_case(const Module& m, const Case& c, std::string (*take_stdout)(void*), void* self,
                    Answer* answer) {
  take_stdout(self);
  std::vector<IValue> given = copy_values(c.inputs);
  if (m.impl()->device) move_values(given, m.impl()->device->str());
  IValue out;
  try {
    std::vector<IValue> inputs = convert_inputs(m, c.method, given);
    if (c.seed) manual_seed(static_cast<uint64_t>(*c.seed));
    out = c.method == "__call__" ? m(std::move(inputs)) : m.run_method(c.method, std::move(inputs));
    // What a device finds out later is an error of the call.
    if (m.impl()->device)
      if (const DeviceRuntime* device = find_device(*m.impl()->device)) device->synchronize();
    if (answer) *answer = {out, given};
  } catch (const MissingOp& e) {
    // What sconce lacks is never an answer; what the archive's user has to register is unknown to
    // PyTorch too.
    if (c.raises)
      for (auto& unknown : m.impl()->archive.cu->unknown_operators)
        if (std::strstr(e.what(), unknown.first.c_str())) return {};
    throw;
  } catch (const ScriptError&) {
    throw;
  } catch (const Error& e) {
    if (c.raises) return {};
    return std::string(e.what());
  }
  if (c.raises) return "returned, expected " + *c.raises;
  std::string printed = take_stdout(self);
  if (auto d = difference(out, *c.output, c.tolerance, "output")) return d;
  if (c.inputs_after) {
    const auto& after = c.inputs_after->isTuple() ? c.inputs_after->toTupleRef().items
                                                  : c.inputs_after->toListRef().items;
    if (auto d = compare_sequences(given, after, c.tolerance, "inputs_after")) return d;
  }
  if (c.stdout_text && printed != *c.stdout_text)
    return "stdout: " +
           ivalue_str(IValue(make_ref<ListBox>(
               types::string(), std::vector<IValue>{IValue(printed), IValue(*c.stdout_text)})));
  return {};
}

namespace {
// Texts to "1", "2", ... in the order in which they come.
class Numbers {
 public:
  const std::string& of(const std::string& text) {
    auto& n = known_[text];
    if (n.empty()) n = std::to_string(known_.size());
    return n;
  }
  void clear() { known_.clear(); }

 private:
  std::unordered_map<std::string, std::string> known_;
};
}  // namespace

std::string normalized_graph(const std::string& text) {
  // Names of values begin anew in each subgraph; warnings and addresses count through the process
  // that made the text.
  Numbers names, objects;
  std::string out;
  size_t i = 0;
  auto word = [&](const char* more) {
    size_t b = i;
    while (i < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[i])) || std::strchr(more, text[i])))
      ++i;
    return text.substr(b, i - b);
  };
  auto at = [&](const char* s) { return text.compare(i, std::strlen(s), s) == 0; };
  bool quoted = false;
  while (i < text.size()) {
    char ch = text[i];
    if (quoted) {
      out += ch;
      if (ch == '\\' && i + 1 < text.size())
        out += text[++i];
      else if (ch == '"')
        quoted = false;
      ++i;
      continue;
    }
    if (ch == '"') quoted = true;
    if (ch == '#' || at(", scope: ")) {
      while (i < text.size() && text[i] != '\n') ++i;
      while (!out.empty() && out.back() == ' ') out.pop_back();
    } else if (ch == '%') {
      ++i;
      out += "%" + names.of(word("_."));
    } else if (at("warn_id=")) {
      i += 8;
      word("");
    } else if (at("object(0x")) {
      i += 7;
      out += "object(" + objects.of(word(""));
    } else {
      if (at("\nwith prim::")) names.clear();
      out += ch;
      ++i;
    }
  }
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  return out;
}

}  // namespace sconce::tool
