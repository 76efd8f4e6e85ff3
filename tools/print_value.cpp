// SPDX-License-Identifier: Apache-2.0
#include "print_value.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iostream>
#include <limits>
#include <set>

#include "text.h"

namespace sconce::tool {

namespace {

constexpr int64_t kWhole = 1000;  // numpy's and PyTorch's threshold
constexpr int64_t kEdge = 3;      // places shown at each end of a dim
constexpr size_t kInline = 100;   // characters of a list of plain values on one line
constexpr int kDeepest = 100;

template <class... A>
std::string text(const char* form, A... a) {
  char buffer[128];
  std::snprintf(buffer, sizeof buffer, form, a...);
  return buffer;
}

std::string sizes_text(const Tensor& t) { return detail::concat(t.sizes()); }
std::string type_text(const Tensor& t) {
  std::string name = dtype_name(t.dtype());
  if (t.device().type != DeviceType::CPU) name = t.device().str() + " " + name;
  return name + " " + sizes_text(t);
}

// A piece at a time, so that a large tensor isn't copied whole.
template <class F>
void for_each_number(const Tensor& t, F f) {
  constexpr int64_t kPiece = 1 << 20;
  Tensor flat = t.reshape({-1});
  for (int64_t at = 0; at < flat.size(0); at += kPiece) {
    Tensor piece = flat.slice(0, at, std::min(at + kPiece, flat.size(0))).to(kDouble).contiguous();
    const double* p = piece.data_ptr<double>();
    for (int64_t i = 0; i < piece.numel(); ++i) f(p[i]);
  }
}

// How the numbers of a tensor's corners are written: PyTorch's rules for its Python form.
class NumberFormat {
 public:
  explicit NumberFormat(const std::vector<double>& shown) {
    double largest = 0, smallest = std::numeric_limits<double>::infinity();
    for (double x : shown) {
      if (!std::isfinite(x)) continue;
      integral_ &= x == std::floor(x);
      largest = std::max(largest, std::fabs(x));
      if (x != 0) smallest = std::min(smallest, std::fabs(x));
    }
    scientific_ = largest >= 1e8 ||
                  (!integral_ && (largest / smallest > 1000 || smallest < 1e-4) && largest > 0);
  }
  std::string operator()(double x) const {
    if (!std::isfinite(x)) return std::isnan(x) ? "nan" : x > 0 ? "inf" : "-inf";
    return text(scientific_ ? "%.4e" : integral_ ? "%.0f." : "%.4f", x);
  }

 private:
  bool integral_ = true, scientific_ = false;
};

// The places of a dim that are shown; -1 for those left out.
std::vector<int64_t> places(int64_t size) {
  std::vector<int64_t> r;
  for (int64_t i = 0; i < size; ++i) {
    if (size > 2 * kEdge && i == kEdge) {
      r.push_back(-1);
      i = size - kEdge;
    }
    r.push_back(i);
  }
  return r;
}

// The texts of all shown elements, in order.
std::vector<std::string> element_texts(const Tensor& t) {
  std::vector<int64_t> flat;
  std::function<void(int64_t, int64_t)> walk = [&](int64_t d, int64_t offset) {
    if (d == t.dim()) return flat.push_back(offset);
    for (int64_t i : places(t.size(d)))
      if (i >= 0) walk(d + 1, offset * t.size(d) + i);
  };
  walk(0, 0);
  Tensor all = t.reshape({-1});
  auto at = [&](int64_t i) { return all.slice(0, i, i + 1); };
  std::vector<std::string> out;
  if (is_complex(t.dtype())) {
    for (int64_t i : flat) {
      Tensor x = at(i).to(kComplexDouble);
      const double* p = static_cast<const double*>(x.const_raw_data());
      out.push_back(text("%.4f%+.4fj", p[0], p[1]));
    }
  } else if (t.dtype() == kBool) {
    for (int64_t i : flat) out.push_back(at(i).item<int64_t>() ? "True" : "False");
  } else if (is_integral(t.dtype(), false)) {
    for (int64_t i : flat) out.push_back(std::to_string(at(i).item<int64_t>()));
  } else {
    std::vector<double> shown;
    for (int64_t i : flat) shown.push_back(at(i).to(kDouble).item<double>());
    NumberFormat form(shown);
    for (double x : shown) out.push_back(form(x));
  }
  return out;
}

bool is_plain(const IValue& v) {
  return v.isNone() || v.isScalar() || v.isString() || v.isDevice() || v.isEnum();
}

// Writes values as a tree: a line for each, what it holds below it.
class TreePrinter {
 public:
  TreePrinter(std::ostream& os, bool full) : os_(os), full_(full) {}

  void value(const std::string& label, const IValue& v, size_t indent) {
    std::string start(indent, ' ');
    start += label.empty() ? "" : label + " ";
    if (v.isTensor()) return tensor(start, v.toTensorRef(), indent + (label.empty() ? 0 : 4));
    bool nested = v.isTuple() || v.isList() || v.isDict() || v.isObject();
    if (!nested || ++depth_ > kDeepest) {
      os_ << start << ivalue_str(v) << "\n";
      return;
    }
    container(start, v, indent + 2);
    --depth_;
  }

 private:
  void tensor(const std::string& start, const Tensor& t, size_t indent) {
    if (t.defined() && t.numel() > kWhole && !full_) {
      os_ << start << describe_tensor(t) << "\n";
      lines(tensor_corners(t.cpu()), indent);
      return;
    }
    std::ostringstream whole;
    whole << t;
    if (indent == 0 && start.empty()) {
      os_ << whole.str() << "\n";
      return;
    }
    if (t.defined() && t.numel() == 1 && t.dim() == 0) {
      std::string one = whole.str();
      std::replace(one.begin(), one.end(), '\n', ' ');
      os_ << start << one << "\n";
      return;
    }
    os_ << start << (t.defined() ? type_text(t) : "") << "\n";
    lines(whole.str(), indent);
  }

  void lines(const std::string& s, size_t indent) {
    std::stringstream in(s);
    for (std::string line; std::getline(in, line);)
      os_ << (line.empty() ? "" : std::string(indent, ' ')) << line << "\n";
  }

  // Plain values on one line where they fit; true when that is done.
  bool on_one_line(const std::string& start, const IValue& v, const std::vector<IValue>& items) {
    if (!std::all_of(items.begin(), items.end(), is_plain)) return false;
    std::string whole = ivalue_str(v);
    if (whole.size() > kInline && v.isTuple()) return false;
    if (whole.size() > kInline && !full_) {
      os_ << start << "list of " << items.size() << ": ";
      for (int64_t i : places(static_cast<int64_t>(items.size())))
        os_ << (i < 0 ? "..., "
                      : ivalue_str(items[static_cast<size_t>(i)]) +
                            (i + 1 == static_cast<int64_t>(items.size()) ? "" : ", "));
      os_ << "\n";
      return true;
    }
    os_ << start << whole << "\n";
    return true;
  }

  void sequence(const std::string& start, const IValue& v, size_t indent) {
    const auto& items = v.isTuple() ? v.toTupleRef().items : v.toListRef().items;
    TypePtr named = v.isTuple() ? v.toTupleRef().type : nullptr;
    if (!named && on_one_line(start, v, items)) return;
    std::string kind = v.isTuple() ? "tuple" : "list";
    if (named) kind = named->name.substr(named->name.rfind('.') + 1) + ": tuple";
    os_ << start << kind << " of " << items.size() << "\n";
    for (size_t i = 0; i < items.size(); ++i)
      value(named && i < named->fields.size() ? "." + named->fields[i]
                                              : "[" + std::to_string(i) + "]",
            items[i], indent);
  }

  void container(const std::string& start, const IValue& v, size_t indent) {
    if (v.isTuple() || v.isList()) return sequence(start, v, indent);
    if (v.isDict()) {
      const auto& items = v.toDictRef().items;
      os_ << start << (items.empty() ? "{}" : "dict of " + std::to_string(items.size())) << "\n";
      for (auto& kv : items)
        value("[" + (kv.first.isString() ? quoted(kv.first.toStringRef()) : ivalue_str(kv.first)) +
                  "]",
              kv.second, indent);
      return;
    }
    Object& o = v.toObjectRef();
    os_ << start << o.type->name << "\n";
    if (!seen_.insert(&o).second) return;
    const std::vector<IValue> slots = o.slots();
    for (size_t i = 0; i < slots.size() && i < o.type->attributes.size(); ++i)
      value("." + o.type->attributes[i].name, slots[i], indent);
  }

  static std::string quoted(const std::string& s) {
    std::string r = "\"";
    for (char c : s) (r += c == '"' || c == '\\' ? "\\" : "") += c;
    return r + "\"";
  }

  std::ostream& os_;
  bool full_;
  int depth_ = 0;
  std::set<const Object*> seen_;
};

}  // namespace

std::string describe_tensor(const Tensor& original) {
  if (!original.defined()) return "undefined tensor";
  std::string s = type_text(original);
  const Tensor t = original.cpu();
  if (t.numel() == 0 || is_complex(t.dtype())) return s;
  double least = std::numeric_limits<double>::infinity(), most = -least, sum = 0;
  int64_t nan = 0, infinite = 0, finite = 0;
  for_each_number(t, [&](double x) {
    if (std::isnan(x)) {
      ++nan;
      return;
    }
    least = std::min(least, x);
    most = std::max(most, x);
    if (std::isinf(x)) {
      ++infinite;
    } else {
      ++finite;
      sum += x;
    }
  });
  if (t.dtype() == kBool)
    return s + ", " + with_commas(static_cast<int64_t>(sum)) + " of " + with_commas(t.numel()) +
           " true";
  if (finite + infinite) s += text(", from %.6g to %.6g", least, most);
  if (finite) s += text(", mean %.6g", sum / static_cast<double>(finite));
  if (nan) s += ", " + with_commas(nan) + " nan";
  if (infinite) s += ", " + with_commas(infinite) + " infinite";
  return s;
}

std::string tensor_corners(const Tensor& t) {
  if (t.numel() == 0) return "[]";
  std::vector<std::string> elements = element_texts(t);
  size_t width = 0, next = 0;
  for (auto& e : elements) width = std::max(width, e.size());
  std::function<std::string(int64_t)> rows = [&](int64_t d) -> std::string {
    if (d == t.dim()) {
      const std::string& e = elements[next++];
      return std::string(width - e.size(), ' ') + e;
    }
    bool last = d + 1 == t.dim();
    // Between rows: a line end for each bracket that closes, then the indent of those still open.
    std::string gap = last ? " "
                           : std::string(static_cast<size_t>(t.dim() - d - 1), '\n') +
                                 std::string(static_cast<size_t>(d + 1), ' ');
    std::string s = "[", separator;
    for (int64_t i : places(t.size(d))) {
      s += separator + (i < 0 ? "..." : rows(d + 1));
      separator = "," + gap;
    }
    return s + "]";
  };
  return rows(0);
}

void print_value(std::ostream& os, const IValue& v, bool full) {
  TreePrinter(os, full).value("", v, 0);
}

}  // namespace sconce::tool
