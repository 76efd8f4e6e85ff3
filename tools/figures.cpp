// SPDX-License-Identifier: Apache-2.0
#include "figures.h"

#include <cmath>
#include <complex>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sconce/sconce.h"
#include "support/stack.h"

namespace sconce::tool {

namespace {

using Json = nlohmann::ordered_json;

// Floating point numbers of one format in their order as integers: neighbours differ by 1, and both
// zeros are 0.
template <class Bits>
int64_t ordinal(Bits bits) {
  constexpr Bits kSign = Bits{1} << (8 * sizeof(Bits) - 1);
  const auto magnitude = static_cast<int64_t>(bits & static_cast<Bits>(~kSign));
  return bits & kSign ? -magnitude : magnitude;
}
template <class Bits>
uint64_t ulps(const void* a, const void* b) {
  Bits x, y;
  std::memcpy(&x, a, sizeof x);
  std::memcpy(&y, b, sizeof y);
  const int64_t p = ordinal(x), q = ordinal(y);
  return p > q ? static_cast<uint64_t>(p) - static_cast<uint64_t>(q)
               : static_cast<uint64_t>(q) - static_cast<uint64_t>(p);
}
// Null where a dtype has no such distance.
using Ulps = uint64_t (*)(const void*, const void*);
Ulps ulps_of(ScalarType t) {
  switch (t) {
    case kDouble:
    case kComplexDouble: return ulps<uint64_t>;
    case kFloat:
    case kComplexFloat: return ulps<uint32_t>;
    case kHalf:
    case kBFloat16: return ulps<uint16_t>;
    default: return nullptr;
  }
}

void add_pair(Figures& f, double a, double e) {
  f.nan.actual += std::isnan(a);
  f.nan.expected += std::isnan(e);
  f.inf.actual += std::isinf(a);
  f.inf.expected += std::isinf(e);
  if (!std::isfinite(a) || !std::isfinite(e)) return;
  const double d = std::fabs(a - e);
  f.max_abs = std::max(f.max_abs, d);
  if (e != 0) f.max_rel = std::max(f.max_rel, d / std::fabs(e));
}
void add_ulps(Figures& f, uint64_t n) { f.max_ulp = std::max(f.max_ulp.value_or(0), n); }

void add_whole_numbers(Figures& f, const Tensor& a, const Tensor& e) {
  const Tensor x = a.to(kLong).contiguous(), y = e.to(kLong).contiguous();
  const auto *p = static_cast<const int64_t*>(x.const_raw_data()),
             *q = static_cast<const int64_t*>(y.const_raw_data());
  for (int64_t i = 0; i < f.elements; ++i) {
    f.out += p[i] != q[i];
    add_pair(f, static_cast<double>(p[i]), static_cast<double>(q[i]));
  }
}

void add_tensor(Figures& f, const Tensor& actual, const Tensor& expected, const Tolerance& tol) {
  const ScalarType t = expected.dtype();
  f.elements = expected.numel();
  if (!is_complex(t) && !is_floating(t) && !is_quantized(t))
    return add_whole_numbers(f, actual, expected);
  const Tensor a = actual.contiguous(), e = expected.contiguous();
  const ScalarType wide = is_complex(t) ? kComplexDouble : kDouble;
  const Tensor x = a.to(wide).contiguous(), y = e.to(wide).contiguous();
  const auto *p = static_cast<const double*>(x.const_raw_data()),
             *q = static_cast<const double*>(y.const_raw_data());
  const int64_t parts = is_complex(t) ? 2 : 1;
  const Ulps distance = ulps_of(t);
  const auto size = static_cast<int64_t>(element_size(t)) / parts;
  const auto *r = static_cast<const char*>(a.const_raw_data()),
             *s = static_cast<const char*>(e.const_raw_data());
  for (int64_t i = 0; i < f.elements; ++i) {
    bool inside = true;
    for (int64_t k = i * parts; k < (i + 1) * parts; ++k) {
      inside &= within(tol, p[k], q[k]);
      add_pair(f, p[k], q[k]);
      if (distance && std::isfinite(p[k]) && std::isfinite(q[k]))
        add_ulps(f, distance(r + k * size, s + k * size));
    }
    f.out += !inside;
  }
}

void add_part(Figures& f, double a, double e) {
  add_pair(f, a, e);
  if (std::isfinite(a) && std::isfinite(e)) add_ulps(f, ulps<uint64_t>(&a, &e));
}
// Python's, of one kind.
void add_number(Figures& f, const IValue& a, const IValue& e) {
  if (a.isComplexDouble()) {
    add_part(f, a.toComplexDouble().real(), e.toComplexDouble().real());
    add_part(f, a.toComplexDouble().imag(), e.toComplexDouble().imag());
  } else if (a.isDouble()) {
    add_part(f, a.toDouble(), e.toDouble());
  } else {
    add_pair(f, static_cast<double>(a.toInt()), static_cast<double>(e.toInt()));
  }
}

std::string tensor_text(const Tensor& t) {
  if (!t.defined()) return "undefined tensor";
  std::ostringstream s;
  s << dtype_name(t.dtype()) << " " << t.sizes();
  return s.str();
}

class Walk {
 public:
  explicit Walk(const Tolerance& tol) : tol_(tol) {}

  void value(const IValue& given, const IValue& e, const std::string& where) {
    check_stack();
    IValue a = given;
    if (a.isTensor() && a.toTensorRef().defined()) a = IValue(a.toTensorRef().cpu());
    if (a.isList() && e.isList())
      return sequence(a, e, a.toListRef().items, e.toListRef().items, where);
    if (a.isTuple() && e.isTuple())
      return sequence(a, e, a.toTupleRef().items, e.toTupleRef().items, where);
    if (a.isDict() && e.isDict() && dict(a.toDictRef(), e.toDictRef(), where)) return;
    if (a.isObject() && e.isDict() && object(a.toObjectRef(), e.toDictRef(), where)) return;
    leaf(a, e, where);
  }
  std::vector<Figures> take() { return std::move(all_); }

 private:
  void sequence(const IValue& a, const IValue& e, const std::vector<IValue>& x,
                const std::vector<IValue>& y, const std::string& where) {
    // A list of many numbers is one leaf.
    constexpr size_t kMany = 16;
    const bool numbers = x.size() > kMany && x[0].isScalar();
    if (x.size() != y.size() || numbers) return leaf(a, e, where);
    for (size_t i = 0; i < x.size(); ++i) value(x[i], y[i], where + "[" + std::to_string(i) + "]");
  }
  bool dict(DictBox& a, DictBox& e, const std::string& where) {
    if (a.items.size() != e.items.size()) return false;
    for (auto& kv : e.items)
      if (!a.find(kv.first)) return false;
    for (auto& kv : e.items) value(*a.find(kv.first), kv.second, where + "[" + key(kv.first) + "]");
    return true;
  }
  static std::string key(const IValue& k) {
    return k.isString() ? Json(k.toStringRef()).dump(-1, ' ', false, Json::error_handler_t::replace)
                        : ivalue_str(k);
  }
  bool object(Object& a, DictBox& e, const std::string& where) {
    for (auto& kv : e.items) {
      const std::string& name = kv.first.toStringRef();
      if (name == "__class__" ? kv.second.toStringRef() != a.type->name
                              : a.type->find_attribute(name) < 0)
        return false;
    }
    for (auto& kv : e.items)
      if (const std::string& name = kv.first.toStringRef(); name != "__class__")
        value(a.getattr(name), kv.second, where + "." + name);
    return true;
  }
  void leaf(const IValue& a, const IValue& e, const std::string& where) {
    Figures f;
    f.where = where;
    if (auto d = difference(a, e, tol_, where)) f.difference = *d;
    f.what = e.isTensor() ? tensor_text(e.toTensorRef()) : e.tag_name();
    if (tol_.check == "meta") {
      f.compared = false;
      f.out = !f.difference.empty();
    } else if (a.isTensor() && e.isTensor() && a.toTensorRef().defined() &&
               e.toTensorRef().defined() && a.toTensorRef().dtype() == e.toTensorRef().dtype() &&
               a.toTensorRef().sizes() == e.toTensorRef().sizes()) {
      add_tensor(f, a.toTensorRef(), e.toTensorRef(), tol_);
    } else if (a.tag() == e.tag() && a.isScalar()) {
      f.elements = 1;
      f.out = !f.difference.empty();
      add_number(f, a, e);
    } else {
      f.compared = false;
      f.elements = 1;
      f.out = !f.difference.empty();
    }
    all_.push_back(std::move(f));
  }

  const Tolerance& tol_;
  std::vector<Figures> all_;
};

}  // namespace

std::vector<Figures> figures_of(const IValue& actual, const IValue& expected, const Tolerance& tol,
                                const std::string& where) {
  Walk w(tol);
  w.value(actual, expected, where);
  return w.take();
}

std::string figures_text(const Figures& f) {
  std::ostringstream s;
  s.precision(3);
  s << f.where << ": " << f.what;
  if (f.compared) {
    s << ": max abs " << f.max_abs << ", rel " << f.max_rel;
    if (f.max_ulp) s << ", " << *f.max_ulp << " ulp";
    if (f.nan.actual || f.nan.expected)
      s << "; " << f.nan.actual << " NaN, expected " << f.nan.expected;
    if (f.inf.actual || f.inf.expected)
      s << "; " << f.inf.actual << " inf, expected " << f.inf.expected;
  }
  if (f.difference.empty()) return s.str();
  if (f.compared) s << "; " << f.out << " of " << f.elements << " out of tolerance";
  // What it is of is told already.
  std::string rest =
      f.difference.rfind(f.where, 0) == 0 ? f.difference.substr(f.where.size()) : f.difference;
  const bool place = rest.rfind("[", 0) == 0;
  if (rest.rfind(": ", 0) == 0) rest.erase(0, 2);
  s << (!f.compared ? ": " : place ? ", the first at " : ": ") << rest;
  return s.str();
}

Json to_json(const Figures& f) {
  Json j{
      {"output", f.where}, {"what", f.what}, {"elements", f.elements}, {"out_of_tolerance", f.out}};
  if (f.compared) {
    j["max_abs"] = f.max_abs;
    j["max_rel"] = f.max_rel;
    if (f.max_ulp) j["max_ulp"] = *f.max_ulp;
    j["nan"] = {f.nan.actual, f.nan.expected};
    j["inf"] = {f.inf.actual, f.inf.expected};
  }
  j["difference"] = f.difference.empty() ? Json() : Json(f.difference);
  return j;
}

Figures figures_from_json(const Json& j) {
  Figures f;
  f.where = j["output"], f.what = j["what"], f.elements = j["elements"];
  f.out = j["out_of_tolerance"];
  f.compared = j.contains("max_abs");
  if (f.compared) {
    f.max_abs = j["max_abs"], f.max_rel = j["max_rel"];
    if (j.contains("max_ulp")) f.max_ulp = j["max_ulp"].get<uint64_t>();
    f.nan = {j["nan"][0], j["nan"][1]};
    f.inf = {j["inf"][0], j["inf"][1]};
  }
  if (!j["difference"].is_null()) f.difference = j["difference"];
  return f;
}

}  // namespace sconce::tool
