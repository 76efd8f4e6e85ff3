// SPDX-License-Identifier: Apache-2.0
#include "bisect.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "api/runtime.h"
#include "commands.h"
#include "ir/source.h"
#include "positions.h"
#include "text.h"
#include "usage.h"

namespace sconce::tool {

namespace {

using Json = nlohmann::ordered_json;
using Key = std::tuple<std::string, int64_t, int64_t>;  // function, node, output
using Outcome = BisectResult::Outcome;

Key key_of(const TracePoint& p) { return {p.function, p.node, p.output}; }

// ---- one value ----

double largest(const Tensor& t) {
  const Tensor x = t.to(kDouble).contiguous();
  const auto* p = static_cast<const double*>(x.const_raw_data());
  double most = 0;
  for (int64_t i = 0; i < x.numel(); ++i)
    if (std::isfinite(p[i])) most = std::max(most, std::fabs(p[i]));
  return most;
}

// Of a value on the way, elements are compared beside the tensor's largest: what comes of a sum of
// large terms that cancel has the error of the terms.
std::optional<std::string> value_difference(const IValue& a, const IValue& e,
                                            const Tolerance& tol) {
  if (a.isTuple() && e.isTuple()) {
    const auto &x = a.toTupleRef().items, &y = e.toTupleRef().items;
    for (size_t i = 0; x.size() == y.size() && i < x.size(); ++i)
      if (auto d = value_difference(x[i], y[i], tol)) return d;
    if (x.size() == y.size()) return {};
  }
  Tolerance wide = tol;
  if (a.isTensor() && e.isTensor() && e.toTensorRef().defined() &&
      (is_floating(e.toTensorRef().dtype()) || is_quantized(e.toTensorRef().dtype())))
    wide.atol += tol.rtol * largest(e.toTensorRef());
  return difference(a, e, wide, "value");
}

// ---- the reference ----

struct Recorded {
  Key key;
  IValue value;
};

// What one call made on the reference's side.
class Reference {
 public:
  void add(Key key, IValue value) {
    by_key_[key].push_back(all_.size());
    all_.push_back({std::move(key), std::move(value)});
  }
  // The occurrence-th value of a node, from 0; null: there was none.
  const IValue* find(const Key& key, size_t occurrence) const {
    auto at = by_key_.find(key);
    return at == by_key_.end() || occurrence >= at->second.size()
               ? nullptr
               : &all_[at->second[occurrence]].value;
  }
  bool knows(const Key& key) const { return by_key_.count(key) != 0; }

 private:
  std::vector<Recorded> all_;
  std::map<Key, std::vector<size_t>> by_key_;
};

// ---- calls ----

struct Call {
  std::optional<IValue> output;  // none: it raised, or was said to raise
  std::string error;
};

std::string drop_printed(void*) { return ""; }

Call call(const Module& m, const Case& c) {
  Call r;
  Answer answer;
  try {
    // The difference to PyTorch is another question.
    const auto told = run_case(m, c, drop_printed, nullptr, &answer);
    r.output = std::move(answer.output);
    if (!r.output) r.error = told.value_or("it raises");
  } catch (const std::exception& e) {
    r.error = e.what();
  }
  return r;
}

Function& function_of(const Module& m, const Case& c) {
  return m.impl()->method(c.method == "__call__" ? "forward" : c.method);
}

// A module whose calls tell their values.
class Traced {
 public:
  explicit Traced(Module m) : m_(std::move(m)) {}
  Call run(const Case& c, ValueTrace::Sink sink) {
    GraphEditScope scope(trace_);
    trace_.send_to(std::move(sink));
    Call r = call(m_, c);
    trace_.send_to(nullptr);
    return r;
  }
  const Module& module() const { return m_; }

 private:
  ValueTrace trace_;
  Module m_;
};

std::vector<std::string> named(const TracePoint& p, const std::vector<std::string>& inputs) {
  std::vector<std::string> r;
  for (size_t i = 0; i < inputs.size() && i < p.input_names.size(); ++i)
    r.push_back(p.input_names[i] + ": " + inputs[i]);
  return r;
}

// Compares what comes with the reference; keeps the first of each kind of difference.
class Comparison {
 public:
  // seeded: random numbers are the reference's; without, nothing is compared from the first on.
  Comparison(const Reference& reference, const Tolerance& tol, bool seeded)
      : reference_(reference), tol_(tol), seeded_(seeded) {}

  void see(const TracePoint& p, const std::vector<std::string>& inputs, const IValue& given) {
    const Key key = key_of(p);
    const size_t occurrence = counts_[key]++;
    drawn_ |= p.random && !seeded_;
    if (!p.nested && !drawn_) tops_.emplace_back(p, named(p, inputs));
    if (found_ || drawn_ || !reference_.knows(key)) return;
    const IValue value = kept_value(given);
    const IValue* expected = reference_.find(key, occurrence);
    if (!expected) {
      found_ = finding(p, inputs, occurrence, value, nullptr,
                       "the reference doesn't come here a " + std::to_string(occurrence + 1) +
                           ". time: a condition before it differs");
      return;
    }
    ++values_;
    if (auto d = value_difference(value, *expected, tol_))
      found_ = finding(p, inputs, occurrence, value, expected, *d);
    else if (!narrow_)
      if (auto e = difference(value, *expected, tol_, "value"))
        narrow_ = finding(p, inputs, occurrence, value, expected, *e);
  }
  // Beside the largest element of a tensor; else, when elements are asked, by each alone.
  const std::optional<WrongValue>& found() const { return found_; }
  const std::optional<WrongValue>& narrow() const { return narrow_; }
  int64_t values() const { return values_; }
  // Those outside of inner blocks, in the order in which they ran.
  const std::vector<std::pair<TracePoint, std::vector<std::string>>>& tops() const { return tops_; }

 private:
  WrongValue finding(const TracePoint& p, const std::vector<std::string>& inputs, size_t occurrence,
                     const IValue& value, const IValue* expected, std::string why) const {
    WrongValue f{p, static_cast<int64_t>(occurrence), named(p, inputs), {}, std::move(why)};
    if (expected) f.figures = figures_of(value, *expected, tol_, "value");
    return f;
  }
  const Reference& reference_;
  const Tolerance& tol_;
  bool seeded_, drawn_ = false;
  std::map<Key, size_t> counts_;
  std::optional<WrongValue> found_, narrow_;
  std::vector<std::pair<TracePoint, std::vector<std::string>>> tops_;
  int64_t values_ = 0;
};

// ---- prefixes ----

class PrefixSearch {
 public:
  PrefixSearch(const BisectSides& sides, const std::vector<Case>& cases, size_t number,
               const Reference& reference,
               const std::vector<std::pair<TracePoint, std::vector<std::string>>>& tops,
               const std::string& function)
      : sides_(sides), cases_(cases), number_(number), reference_(reference) {
    for (auto& [p, inputs] : tops)
      if (p.function == function && reference.knows(key_of(p))) points_.emplace_back(p, inputs);
  }

  // Nothing when no part differs.
  std::optional<WrongValue> run() {
    if (points_.empty() || !differs(points_.size() - 1)) return {};
    size_t low = 0, high = points_.size() - 1;  // high differs
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (differs(middle))
        high = middle;
      else
        low = middle + 1;
    }
    // What lies before may differ too, where later operators hide it.
    for (bool moved = true; moved;) {
      moved = false;
      for (auto& [node, output] : points_[high].first.takes)
        for (size_t i = 0; i < high && !moved; ++i)
          if (points_[i].first.node == node && points_[i].first.output == output && differs(i)) {
            high = i;
            moved = true;
          }
    }
    differs(high);  // its figures
    return last_;
  }

 private:
  bool differs(size_t at) {
    const TracePoint& p = points_[at].first;
    Module m = sides_.tested();
    for (size_t i = 0; i < number_; ++i)
      if (!cases_[i].skip) (void)call(m, cases_[i]);
    m.impl()->invalidate();
    PrefixEdit edit(p.function, p.node, p.output);
    GraphEditScope scope(edit);
    Case c = cases_[number_];
    if (!sides_.recorded && !c.seed) c.seed = 0;
    if (c.method == "__call__") c.method = "forward";
    Call r;
    for (int i = 0; i < std::max(1, sides_.repeat); ++i) r = call(m, c);
    const IValue& expected = *reference_.find(key_of(p), 0);
    const IValue value = r.output ? kept_value(*r.output) : IValue();
    auto d = r.output ? value_difference(value, expected, c.tolerance)
                      : std::optional<std::string>("raises: " + r.error);
    if (!d) return false;
    last_ = WrongValue{p, 0, points_[at].second, {}, *d};
    if (r.output) last_->figures = figures_of(value, expected, c.tolerance, "value");
    return true;
  }

  const BisectSides& sides_;
  const std::vector<Case>& cases_;
  size_t number_;
  const Reference& reference_;
  std::vector<std::pair<TracePoint, std::vector<std::string>>> points_;
  std::optional<WrongValue> last_;
};

// ---- all of it ----

void number_kinds(Block* b, std::vector<std::string>& kinds) {
  for (Node* n : b->nodes()) {
    kinds.push_back(n->kind.str());
    for (Block* inner : n->blocks) number_kinds(inner, kinds);
  }
}
// Of the nodes of the inlined graph.
std::vector<std::string> kinds_of(const Module& m, Function& f) {
  CallScope scope(*m.impl());
  std::lock_guard<std::recursive_mutex> lock(m.impl()->archive.cu->mutex());
  auto g = f.ensure_graph().copy();
  PassContext c{&op_table(), nullptr};
  inline_as_pytorch(*g, c);
  std::vector<std::string> kinds;
  number_kinds(g->block(), kinds);
  return kinds;
}

class Bisection {
 public:
  Bisection(const BisectSides& sides, const std::vector<Case>& cases, TraceFile* written)
      : sides_(sides),
        cases_(cases),
        written_(written),
        plain_(sides.tested()),
        traced_(sides.tested()) {
    if (!sides.recorded) reference_.emplace(sides.reference());
  }

  // False: r has what differs.
  bool look(size_t number, bool compared, BisectResult& r) {
    Case c = cases_[number];
    // Two runs of sconce draw the same numbers.
    if (reference_ && !c.seed) c.seed = 0;
    Function& f = function_of(plain_, c);
    Reference values;
    Call expected;
    if (reference_) {
      expected = reference_->run(
          c, [&](const TracePoint& p, const std::vector<std::string>&, const IValue& v) {
            if (compared) values.add(key_of(p), kept_value(v));
          });
    } else {
      const TracedCall* t = sides_.recorded->find(static_cast<int64_t>(number));
      compared = compared && t != nullptr;
      if (compared) check(*t, f);
      if (compared)
        for (auto& s : t->steps) values.add({f.qualified_name, s.node, s.output}, s.value);
      expected.output = c.output;
    }
    TracedCall told{static_cast<int64_t>(number), c.method, {}, {}};
    const Call answer = call(plain_, c);
    Comparison comparison(values, c.tolerance, c.seed.has_value());
    const Call again = traced_.run(
        c, [&](const TracePoint& p, const std::vector<std::string>& inputs, const IValue& v) {
          if (written_ && p.function == f.qualified_name)
            told.steps.push_back({p.node, p.output, kept_value(v)});
          if (compared) comparison.see(p, inputs, v);
        });
    if (written_) {
      told.kinds = kinds_of(plain_, f);
      written_->calls.push_back(std::move(told));
    }
    if (!compared) return true;
    ++r.cases;
    r.values += comparison.values();
    r.failed_case = number;
    r.method = c.method;
    r.answer = answer_difference(answer, expected, c);
    if (!again.output && answer.output)
      raise<Error>("the call raises when its values are looked at: ", again.error);
    r.finding = comparison.found();
    r.look = "values";
    if (!r.finding && !r.answer.empty() && sides_.optimized) {
      r.finding =
          PrefixSearch(sides_, cases_, number, values, comparison.tops(), f.qualified_name).run();
      if (r.finding) r.look = "prefixes";
    }
    // Elements that are small beside others.
    if (!r.finding && !r.answer.empty()) r.finding = comparison.narrow();
    if (r.finding)
      r.outcome = Outcome::Operator;
    else if (!r.answer.empty())
      r.outcome = Outcome::Unexplained;
    return r.outcome == Outcome::Agree;
  }

 private:
  // The trace is of this program.
  void check(const TracedCall& t, Function& f) const {
    const std::vector<std::string> kinds = kinds_of(plain_, f);
    for (size_t i = 0; i < std::max(kinds.size(), t.kinds.size()); ++i)
      if (i >= kinds.size() || i >= t.kinds.size() || kinds[i] != t.kinds[i])
        raise<FormatError>("the trace is of another program: node ", i, " of ", f.name, " is ",
                           i < kinds.size() ? kinds[i] : "none", ", in the trace ",
                           i < t.kinds.size() ? t.kinds[i] : "none");
  }
  static std::string answer_difference(const Call& answer, const Call& expected, const Case& c) {
    if (!expected.output) return answer.output ? "returned, the reference raises" : "";
    if (!answer.output) return "raises: " + answer.error;
    return difference(*answer.output, *expected.output, c.tolerance, "output").value_or("");
  }

  const BisectSides& sides_;
  const std::vector<Case>& cases_;
  TraceFile* written_;
  Module plain_;
  Traced traced_;
  std::optional<Traced> reference_;
};

}  // namespace

BisectResult bisect_cases(const BisectSides& sides, const std::vector<Case>& cases,
                          std::optional<size_t> only, TraceFile* trace) {
  Bisection b(sides, cases, trace);
  BisectResult r;
  for (size_t i = 0; i < cases.size() && (!only || i <= *only); ++i) {
    if (cases[i].skip) continue;
    if (!b.look(i, !only || i == *only, r)) break;
  }
  return r;
}

namespace {

struct Place {
  std::string file, line_text, shown;
  int64_t line = 0;
};
Place python_place(const SourceRange& range) {
  Place p;
  if (!range.source) return p;
  p.shown = short_position(range);
  p.line_text = range.source->line(range.start);
  // file:line:column
  const size_t column = p.shown.rfind(':');
  const size_t line = column == std::string::npos ? column : p.shown.rfind(':', column - 1);
  if (line == std::string::npos) return p;
  p.file = p.shown.substr(0, line);
  p.line = std::atoll(p.shown.c_str() + line + 1);
  return p;
}

std::string finding_text(const BisectResult& r, const WrongValue& f) {
  const Place place = python_place(f.point.range);
  std::string t = "the first operator out of tolerance: " + f.point.kind + ", node " +
                  std::to_string(f.point.node) + " of " + f.point.function + "\n  " + f.point.text +
                  "\n";
  if (!place.shown.empty()) t += "  at " + place.shown + "\n";
  if (!place.line_text.empty()) t += "    " + place.line_text + "\n";
  if (!f.point.module_path.empty()) t += "  in the module " + f.point.module_path + "\n";
  if (f.occurrence) t += "  when it ran for the " + std::to_string(f.occurrence + 1) + ". time\n";
  for (auto& i : f.inputs) t += "  takes " + i + "\n";
  if (f.figures.empty()) t += "  " + f.why + "\n";
  for (auto& g : f.figures) t += "  " + figures_text(g) + "\n";
  if (r.look == "prefixes")
    t += "  found in the method cut off after this node: alone, the operator's value is right;\n"
         "  together with what it is folded, fused or planned with it isn't\n";
  return t;
}

void write_report(const Options& o, const std::string& model, const std::string& what,
                  const BisectResult& r) {
  Json j{{"model", model},
         {"compared", what},
         {"agree", r.outcome == Outcome::Agree},
         {"cases", r.cases},
         {"values", r.values}};
  if (r.outcome != Outcome::Agree) {
    j["case"] = r.failed_case;
    j["method"] = r.method;
    j["answer"] = r.answer.empty() ? Json() : Json(r.answer);
  }
  if (r.finding) {
    const WrongValue& f = *r.finding;
    const Place place = python_place(f.point.range);
    Json figures = Json::array();
    for (auto& g : f.figures) figures.push_back(to_json(g));
    j["found"] = {{"look", r.look},
                  {"operator", f.point.kind},
                  {"function", f.point.function},
                  {"node", f.point.node},
                  {"output", f.point.output},
                  {"text", f.point.text},
                  {"module", f.point.module_path},
                  {"file", place.file},
                  {"line", place.line},
                  {"source", place.line_text},
                  {"occurrence", f.occurrence},
                  {"inputs", f.inputs},
                  {"why", f.why},
                  {"figures", figures}};
  }
  std::ofstream out(o.json);
  out << j.dump(1, ' ', false, Json::error_handler_t::replace) << "\n";
  if (!out.flush()) raise<Error>(o.json, ": can't be written");
}

}  // namespace

int bisect(const Options& o) {
  if (o.paths.size() != 1 || std::filesystem::is_directory(o.paths[0]))
    throw UsageError("--bisect", "looks into one archive");
  if (o.changes || o.passes || o.round_trip || o.resave || o.resave_changed || o.audit_alias ||
      !o.with_passes.empty())
    throw UsageError("--bisect", "stands alone");
  const std::string& model = o.paths[0];
  const std::string io = with_suffix(model, ".io.pt").string();
  std::vector<Case> cases = read_cases(io);
  for (Case& c : cases) {
    c.tolerance.rtol = std::max(c.tolerance.rtol, o.rtol);
    c.tolerance.atol = std::max(c.tolerance.atol, o.atol);
  }
  std::optional<size_t> only;
  if (o.only_case >= 0) {
    only = static_cast<size_t>(o.only_case);
    if (*only >= cases.size())
      throw UsageError("--case", io + " has " + std::to_string(cases.size()) + " cases");
  }
  std::string trace = o.trace;
  const std::string beside = with_suffix(model, ".trace.pt").string();
  if (trace.empty() && std::filesystem::exists(beside)) trace = beside;
  std::optional<TraceFile> recorded;
  if (!trace.empty() && trace != "none") recorded = read_trace(trace);

  BisectSides sides;
  sides.tested = [&] {
    LoadOptions l;
    l.mode = o.mode == "interpret" ? Mode::Interpret : Mode::Optimized;
    if (!o.device.empty()) l.device = Device::parse(o.device);
    l.strict_device = o.strict;
    l.numerics = o.numerics;
    return load(model, l);
  };
  sides.reference = [&] {
    LoadOptions l;
    l.mode = Mode::Interpret;
    return load(model, l);
  };
  if (recorded) sides.recorded = &*recorded;
  sides.optimized = o.mode != "interpret";
  sides.repeat = o.repeat;
  TraceFile written;
  written.made_by = "sconce " SCONCE_VERSION;
  const BisectResult r =
      bisect_cases(sides, cases, only, o.write_trace.empty() ? nullptr : &written);
  if (!o.write_trace.empty()) write_trace_file(o.write_trace, written);

  const std::string tested = o.mode + (o.device.empty() ? "" : " on " + o.device);
  const std::string what =
      tested + " against " + (recorded ? "the trace of " + recorded->made_by : "interpret");
  std::string told;
  if (r.outcome == Outcome::Agree) {
    told = "calls compared: " + std::to_string(r.cases) + ", with " + std::to_string(r.values) +
           " values of operators: all agree\n";
  } else {
    told =
        r.method + " #" + std::to_string(r.failed_case) + ": " +
        (r.answer.empty() ? "the answer agrees, a value on the way doesn't" : one_line(r.answer)) +
        "\n";
    told += r.finding ? finding_text(r, *r.finding)
                      : "no operator's value is out of tolerance, and no part of the method is\n";
  }
  std::cout << printable(model) << ": " << printable(what) << "\n" << printable(told);
  if (!o.json.empty()) write_report(o, model, what, r);
  if (o.github && r.outcome != Outcome::Agree) {
    const Place place = r.finding ? python_place(r.finding->point.range) : Place{};
    std::cout << github_error(place.file.empty() ? model : place.file, place.line,
                              "sconce verify --bisect: " + model, told)
              << "\n";
  }
  if (r.outcome == Outcome::Agree && r.cases == 0) {
    std::cout << "nothing was compared\n";
    return kAnswerIsNo;
  }
  return r.outcome == Outcome::Agree ? kDone : kAnswerIsNo;
}

}  // namespace sconce::tool
