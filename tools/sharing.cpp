// SPDX-License-Identifier: Apache-2.0
// What a program can see of a module: its slots, its values, and which of them are one.
#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

#include "api/runtime.h"
#include "changes.h"
#include "support/stack.h"

namespace sconce::tool {

std::string Place::str() const {
  auto joined = [](const std::vector<std::string>& p) {
    std::string s;
    for (auto& part : p) s += (s.empty() ? "" : ".") + part;
    return s;
  };
  std::string s = joined(path);
  if (element >= 0) s += "[" + std::to_string(element) + "]";
  if (!other.empty()) s += (s.empty() ? "" : ", ") + joined(other);
  if (call >= 0) s += (s.empty() ? "case " : ", case ") + std::to_string(call);
  if (argument >= 0) s += " argument " + std::to_string(argument);
  return s;
}

namespace {
void walk(const ClassType& type, const std::function<IValue(const std::string&)>& get,
          std::vector<std::string>& path, std::set<const void*>& seen, std::vector<Slot>& out) {
  check_stack();
  for (auto& a : type.attributes) {
    path.push_back(a.name);
    IValue v = get(a.name);
    out.push_back({path, a.type, v, a.is_parameter, a.is_buffer});
    if (v.isObject() && seen.insert(&v.toObjectRef()).second && !v.toObjectRef().type->is_native) {
      const Object& o = v.toObjectRef();
      walk(
          *o.type, [&o](const std::string& n) { return o.getattr(n); }, path, seen, out);
    }
    path.pop_back();
  }
}
}  // namespace

std::vector<Slot> slots_of(const Module& m) {
  std::vector<Slot> out;
  std::vector<std::string> path;
  const Object& root = *m.impl()->object;
  std::set<const void*> seen{&root};
  walk(
      *root.type, [&m](const std::string& n) { return m.attr(n); }, path, seen, out);
  return out;
}

IValue get_slot(const Module& m, const std::vector<std::string>& path) {
  IValue v = m.attr(path.at(0));
  for (size_t i = 1; i < path.size(); ++i) v = v.toObjectRef().getattr(path[i]);
  return v;
}

void set_slot(Module& m, const std::vector<std::string>& path, IValue v) {
  if (path.size() == 1) return m.setattr(path[0], std::move(v));
  IValue owner = get_slot(m, {path.begin(), path.end() - 1});
  owner.toObjectRef().setattr(path.back(), std::move(v));
}

namespace {

// A thing with an identity, and the memory that it lies in.
struct Leaf {
  std::string name;
  const void *thing, *memory;
};

void leaves(const IValue& v, const std::string& name, std::vector<Leaf>& out) {
  auto each = [&](const std::vector<IValue>& items) {
    for (size_t i = 0; i < items.size(); ++i)
      leaves(items[i], name + "[" + std::to_string(i) + "]", out);
  };
  switch (v.tag()) {
    case Tag::Tensor: {
      const Tensor& t = v.toTensorRef();
      if (!t.defined()) return;
      // Memory without bytes is nobody's.
      const Storage* s = t.impl()->storage.get();
      out.push_back({name, t.impl(), s && s->nbytes() ? s : nullptr});
      return;
    }
    case Tag::List: out.push_back({name, v.box(), nullptr}); return each(v.toListRef().items);
    case Tag::Tuple: return each(v.toTupleRef().items);
    case Tag::Dict:
      out.push_back({name, v.box(), nullptr});
      for (auto& kv : v.toDictRef().items) {
        std::string at = name + "[" + ivalue_str(kv.first) + "]";
        leaves(kv.first, at + ".key", out);
        leaves(kv.second, at, out);
      }
      return;
    case Tag::Object: out.push_back({name, v.box(), nullptr}); return;
    default: return;
  }
}

std::vector<Leaf> leaves_of(const Side& s) {
  std::vector<Leaf> out;
  for (auto& slot : slots_of(s.module)) {
    std::string name = "attribute ";
    for (auto& part : slot.path) name += (&part == slot.path.data() ? "" : ".") + part;
    leaves(slot.value, name, out);
  }
  for (size_t i = 0; i < s.answers.size(); ++i) {
    for (size_t k = 0; k < s.inputs[i].size(); ++k)
      leaves(s.inputs[i][k], "input " + std::to_string(k) + " of call " + std::to_string(i), out);
    leaves(s.answers[i], "answer " + std::to_string(i), out);
  }
  return out;
}

// For each leaf the first leaf that is the same.
std::vector<size_t> firsts(const std::vector<Leaf>& l, const void* Leaf::*what) {
  std::unordered_map<const void*, size_t> first;
  std::vector<size_t> out;
  for (size_t i = 0; i < l.size(); ++i)
    out.push_back(l[i].*what ? first.emplace(l[i].*what, i).first->second : i);
  return out;
}

double largest(const IValue& v) {
  double r = 0;
  switch (v.tag()) {
    case Tag::Double: r = std::fabs(v.toDouble()); break;
    case Tag::Tensor: {
      const Tensor& t = v.toTensorRef();
      if (!t.defined() || !is_floating(t.dtype()) || !t.impl()->storage) return 0;
      Tensor d = t.to(kDouble).contiguous();
      const double* p = d.data_ptr<const double>();
      for (int64_t i = 0, n = d.numel(); i < n; ++i)
        if (std::isfinite(p[i])) r = std::max(r, std::fabs(p[i]));
      break;
    }
    case Tag::List:
      for (auto& e : v.toListRef().items) r = std::max(r, largest(e));
      break;
    case Tag::Tuple:
      for (auto& e : v.toTupleRef().items) r = std::max(r, largest(e));
      break;
    case Tag::Dict:
      for (auto& e : v.toDictRef().items) r = std::max(r, largest(e.second));
      break;
    default: break;
  }
  return std::isfinite(r) ? r : 0;
}

}  // namespace

Tolerance scaled(Tolerance tol, const IValue& expected) {
  if (tol.check == "meta" || tol.check == "bits") return tol;
  tol.check = "close";
  tol.rtol = std::max(tol.rtol, 1e-4);
  tol.atol = std::max(tol.atol, 2e-5 * largest(expected));
  return tol;
}

std::optional<std::string> sharing_difference(const Side& actual, const Side& expected) {
  std::vector<Leaf> a = leaves_of(actual), e = leaves_of(expected);
  for (size_t i = 0; i < std::max(a.size(), e.size()); ++i)
    if (i >= a.size() || i >= e.size() || a[i].name != e[i].name)
      return "sharing: " + (i < a.size() ? a[i].name : "nothing") + ", expected " +
             (i < e.size() ? e[i].name : "nothing");
  for (auto [what, verb] : {std::pair{&Leaf::memory, " shares memory with "},
                            std::pair{&Leaf::thing, " is the same as "}}) {
    std::vector<size_t> x = firsts(a, what), y = firsts(e, what);
    for (size_t i = 0; i < x.size(); ++i) {
      if (x[i] == y[i]) continue;
      auto text = [&](size_t first) {
        return first == i ? std::string("nothing before it") : a[first].name;
      };
      return "sharing: " + a[i].name + verb + text(x[i]) + ", expected " + text(y[i]);
    }
  }
  return {};
}

std::optional<std::string> state_difference(const Module& actual, const Module& expected,
                                            const Tolerance& tol) {
  std::vector<Slot> a = slots_of(actual), e = slots_of(expected);
  if (a.size() != e.size()) return "state: another number of attributes";
  for (size_t i = 0; i < a.size(); ++i) {
    std::string name = "attribute";
    for (auto& part : a[i].path) name += (name == "attribute" ? " " : ".") + part;
    const IValue &x = a[i].value, &y = e[i].value;
    if (x.isObject() && y.isObject()) continue;
    if (x.tag() > Tag::Dict && x.tag() != Tag::Tuple) continue;  // no values to compare
    if (auto d = difference(x, y, scaled(tol, y), name)) return d;
  }
  return {};
}

}  // namespace sconce::tool
