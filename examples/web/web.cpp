// SPDX-License-Identifier: Apache-2.0
// What the page calls: open, run, compare. Each answers a JSON text, {"error": ...} among others,
// that lives until the next call.
#include <emscripten/emscripten.h>
#include <sconce/sconce.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace {

using sconce::IValue;
using sconce::Module;
using sconce::Tensor;

// ---- JSON ----

std::string quoted(const std::string& s) {
  std::string r = "\"";
  for (const char c : s) {
    const auto u = static_cast<unsigned char>(c);
    if (u < 0x20 || c == '"' || c == '\\') {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", u);
      r += code;
    } else {
      r += c;
    }
  }
  return r + "\"";
}
template <class Items, class Text>
std::string list(const Items& items, Text text) {
  std::string r = "[";
  for (auto& item : items) r += (r.size() > 1 ? "," : "") + text(item);
  return r + "]";
}

// What f writes, or the error that it throws.
template <class F>
const char* answer(F f) {
  static std::string text;
  try {
    text = f();
  } catch (const std::bad_alloc&) {
    text = "{\"error\":\"out of memory\"}";
  } catch (const std::exception& e) {
    text = "{\"error\":" + quoted(e.what()) + "}";
  }
  return text.c_str();
}

// ---- values ----

std::string shown(const Tensor& t) {
  std::ostringstream os;
  if (t.numel() <= 1000) {
    os << t;
    return os.str();
  }
  os << sconce::scalar_type_name(t.scalar_type()) << " " << t.sizes();
  const Tensor d = t.to(sconce::kDouble).contiguous();
  double least = INFINITY, most = -INFINITY, sum = 0;
  for (int64_t i = 0; i < d.numel(); ++i) {
    const double x = d.data_ptr<double>()[i];
    least = std::fmin(least, x), most = std::fmax(most, x), sum += x;
  }
  os << ", from " << least << " to " << most << ", mean " << sum / static_cast<double>(d.numel());
  return os.str();
}
std::string shown(const IValue& v, int depth = 0) {
  const auto inside = [&](const std::vector<IValue>& items, char open, char close) {
    std::string r(1, open);
    for (auto& item : items) {
      if (r.size() > 1) r += ",\n ";
      if (r.size() > 100'000) return r + "...";
      r += shown(item, depth + 1);
    }
    return r + close;
  };
  if (depth > 50) return "...";
  std::ostringstream os;
  if (v.isTensor()) return shown(v.toTensor());
  if (v.isTuple()) return inside(v.toTupleRef().items, '(', ')');
  if (v.isList()) return inside(v.toListRef().items, '[', ']');
  if (v.isDict()) {
    std::vector<IValue> both;
    for (auto& entry : v.toDictRef().items) {
      both.push_back(entry.first);
      both.push_back(entry.second);
    }
    return "keys and values, in turn: " + inside(both, '{', '}');
  }
  if (v.isString()) return quoted(v.toStringRef());
  if (v.isBool()) return v.toBool() ? "True" : "False";
  if (v.isInt()) os << v.toInt();
  if (v.isDouble()) os << v.toDouble();
  return v.isNone() ? "None" : os.str().empty() ? "(a value that has no text here)" : os.str();
}

// The largest difference of two answers of numbers; infinity when they are of different forms.
double difference(const IValue& a, const IValue& b) {
  const auto all = [](const std::vector<IValue>& x, const std::vector<IValue>& y) {
    double most = x.size() == y.size() ? 0 : INFINITY;
    for (size_t i = 0; i < x.size() && i < y.size(); ++i)
      most = std::fmax(most, difference(x[i], y[i]));
    return most;
  };
  if (a.isTensor() && b.isTensor()) {
    const Tensor x = a.toTensor(), y = b.toTensor();
    if (x.scalar_type() != y.scalar_type() || !(x.sizes() == y.sizes())) return INFINITY;
    const Tensor p = x.to(sconce::kDouble).contiguous(), q = y.to(sconce::kDouble).contiguous();
    double most = 0;
    for (int64_t i = 0; i < p.numel(); ++i) {
      const double u = p.data_ptr<double>()[i], v = q.data_ptr<double>()[i];
      if (u != v && !(u != u && v != v)) {
        const double d = std::fabs(u - v) / std::fmax(1, std::fabs(v));
        most = d == d ? std::fmax(most, d) : INFINITY;
      }
    }
    return most;
  }
  if (a.isTuple() && b.isTuple()) return all(a.toTupleRef().items, b.toTupleRef().items);
  if (a.isList() && b.isList()) return all(a.toListRef().items, b.toListRef().items);
  if (a.isDouble() && b.isDouble()) return std::fabs(a.toDouble() - b.toDouble());
  return shown(a) == shown(b) ? 0 : INFINITY;
}

// The places of the five largest numbers, when it is a row of them.
std::string best(const IValue& v) {
  if (!v.isTensor()) return "[]";
  const Tensor t = v.toTensor();
  if (t.scalar_type() != sconce::kFloat || t.dim() != 2 || t.size(0) != 1 || t.size(1) < 2)
    return "[]";
  const Tensor row = t.contiguous();
  const float* p = row.data_ptr<float>();
  double sum = 0;
  std::vector<int64_t> places;
  for (int64_t i = 0; i < row.numel(); ++i) {
    sum += std::exp(static_cast<double>(p[i]));
    auto at = places.begin();
    while (at != places.end() && !(p[i] > p[*at])) ++at;
    if (places.size() < 5 || at != places.end()) places.insert(at, i);
    if (places.size() > 5) places.pop_back();
  }
  return list(places, [&](int64_t i) {
    std::ostringstream os;
    const double share = std::exp(static_cast<double>(p[i])) / sum;
    os << "[" << i << "," << (share == share ? share : 0) << "]";
    return os.str();
  });
}

// ---- the module ----

std::optional<Module> g_module;
std::ostringstream g_printed;

// An input that may fit: of the size that the first weight takes.
std::string guess(const Module& m, size_t arguments) {
  std::ostringstream os;
  os << "torch.randn([1, 3, 224, 224])";
  for (auto& p : m.named_parameters()) {
    const Tensor w = p.value;
    if (w.dim() != 2 && w.dim() != 4) continue;
    os.str("");
    os << "torch.randn([1, " << w.size(1) << (w.dim() == 4 ? ", 224, 224])" : "])");
    break;
  }
  std::string all;
  for (size_t i = 0; i < arguments; ++i) all += (i ? ", " : "") + os.str();
  return all;
}

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace

extern "C" {

// {"class", "parameters", "labels", "methods": [{"name", "arguments", "graph", "inlined",
// "guess"}]}
EMSCRIPTEN_KEEPALIVE const char* sconce_web_open(const unsigned char* data, size_t size) {
  return answer([&] {
    g_module.reset();
    sconce::LoadOptions options;
    options.limits = sconce::Limits::untrusted();
    options.out = &g_printed;
    std::map<std::string, std::string> extra{{"labels.txt", ""}};
    options.extra_files = &extra;
    const Module m = sconce::load(data, size, options);
    int64_t count = 0;
    for (auto& p : m.named_parameters()) count += p.value.numel();
    std::string r = "{\"class\":" + quoted(m.class_name()) +
                    ",\"parameters\":" + std::to_string(count) +
                    ",\"labels\":" + quoted(extra["labels.txt"]) + ",\"methods\":";
    r += list(m.method_names(), [&](const std::string& name) {
      const auto arguments = m.argument_names(name);
      std::string graph, inlined;
      try {
        graph = m.graph_text(name);
        inlined = m.inlined_graph_text(name);
      } catch (const sconce::Error& e) {
        graph = e.what();
      }
      return "{\"name\":" + quoted(name) + ",\"arguments\":" + list(arguments, quoted) +
             ",\"graph\":" + quoted(graph) + ",\"inlined\":" + quoted(inlined) +
             ",\"guess\":" + quoted(guess(m, arguments.size())) + "}";
    });
    g_module = m;
    return r + "}";
  });
}

// inputs: TorchScript, values with commas between; `picture` in it is the picture's float32 [1, 3,
// height, width], 0 to 1.
// {"answer", "milliseconds", "best": [[place, share]], "printed"}
EMSCRIPTEN_KEEPALIVE const char* sconce_web_run(const char* method, const char* inputs,
                                                const float* picture, int height, int width) {
  return answer([&] {
    if (!g_module) sconce::raise<sconce::Error>("no model is open");
    g_printed.str("");
    Tensor image = sconce::empty({1, 3, height, width});
    for (int64_t i = 0; i < image.numel(); ++i) image.data_ptr<float>()[i] = picture[i];
    std::vector<IValue> arguments;
    if (std::string(inputs).find_first_not_of(" \t\r\n") != std::string::npos) {
      sconce::LoadOptions options;
      options.limits = sconce::Limits::untrusted();
      const Module m = sconce::compile(
          "def inputs(picture: Tensor):\n    return (" + std::string(inputs) + ",)\n", options);
      arguments = m.run_method("inputs", {IValue(image)}).toTupleRef().items;
    }
    const auto start = std::chrono::steady_clock::now();
    const IValue result = g_module->run_method(method, arguments);
    const double milliseconds = milliseconds_since(start);
    return "{\"answer\":" + quoted(shown(result)) +
           ",\"milliseconds\":" + std::to_string(milliseconds) + ",\"best\":" + best(result) +
           ",\"printed\":" + quoted(g_printed.str()) + "}";
  });
}

// path: a file with recorded calls, of the form that docs/verify.md describes. {"cases", "equal",
// "largest"}
EMSCRIPTEN_KEEPALIVE const char* sconce_web_compare(const char* path) {
  return answer([&] {
    if (!g_module) sconce::raise<sconce::Error>("no model is open");
    const IValue root = sconce::load_pickle(path);
    const IValue* cases = root.isDict() ? root.toDictRef().find("cases") : nullptr;
    if (!cases || !cases->isList())
      sconce::raise<sconce::FormatError>("no recorded calls are in this file");
    int64_t equal = 0, count = 0;
    double largest = 0;
    for (auto& item : cases->toListRef().items) {
      auto& c = item.toDictRef();
      const IValue *in = c.find("inputs"), *out = c.find("output"), *method = c.find("method");
      if (!in || !out) continue;
      ++count;
      const IValue result =
          g_module->run_method(method ? method->toStringRef() : "forward",
                               in->isTuple() ? in->toTupleRef().items : in->toListRef().items);
      const double d = difference(result, *out);
      equal += d <= 1e-4;
      largest = std::fmax(largest, d);
    }
    std::ostringstream os;
    os << "{\"cases\":" << count << ",\"equal\":" << equal
       << ",\"largest\":" << (std::isinf(largest) ? 1e300 : largest) << "}";
    return os.str();
  });
}

EMSCRIPTEN_KEEPALIVE const char* sconce_web_version() { return SCONCE_VERSION; }
}
