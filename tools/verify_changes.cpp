// SPDX-License-Identifier: Apache-2.0
// sconce verify --changes: what a program changes between two calls. A module in the mode under
// test is called, changed and called again, in step with a freshly loaded one that interprets and
// sees the same calls and changes; where calls leave no trace in the module, a third is changed
// before any call. Answers, inputs, state and sharing of memory must be the same.
//
// Every try runs in a child process, forked from one that has loaded the archive (and, for kinds
// that do nothing before the first call, has called it), so that a try costs its own calls only and
// a crash ends that try alone.
#include <algorithm>
#include <set>

#include "api/runtime.h"
#include "changes.h"
#include "child.h"
#include "verify.h"

namespace sconce::tool {

namespace {

using Difference = std::optional<std::string>;

// Splitmix64 over a hash of text: the same choice on every machine.
class Choice {
 public:
  Choice(const std::string& text, uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ull) {
    for (unsigned char c : text) state_ = (state_ ^ c) * 0x100000001b3ull;
  }
  size_t below(size_t n) { return static_cast<size_t>(next() % n); }

 private:
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  uint64_t state_;
};

// At most `most` of the cases: one of each method first, then in order.
std::vector<Case> chosen_cases(const std::vector<Case>& all, size_t most) {
  std::vector<Case> out;
  std::set<std::string> methods;
  std::vector<bool> taken(all.size());
  for (bool fresh : {true, false})
    for (size_t i = 0; i < all.size() && out.size() < most; ++i) {
      if (all[i].skip || taken[i] || (fresh && !methods.insert(all[i].method).second)) continue;
      taken[i] = true;
      out.push_back(all[i]);
    }
  return out;
}

constexpr size_t kMostCases = 3;

class Trial {
 public:
  // tol: of what isn't the answer of a case.
  Trial(const std::string& archive, Mode mode, Numerics numerics, const Tolerance& tol,
        const std::vector<Case>& cases)
      : cases_(cases), tol_(tol) {
    auto fresh = [&](Mode m) {
      LoadOptions o;
      o.mode = m;
      o.numerics = numerics;
      Side s;
      s.module = load(archive, o);
      s.mode = m;
      return s;
    };
    tested_ = fresh(mode);
    expected_ = fresh(Mode::Interpret);
    early_ = fresh(Mode::Interpret);
    for (Side* s : {&tested_, &expected_, &early_}) {
      try {
        s->module.compile_all();
      } catch (const Error&) {
        // a call that reaches it says so
      }
    }
  }
  const Module& untouched() const { return early_.module; }

  // Every case twice, so that what a second call remembers is there.
  Difference call_unchanged() {
    std::vector<IValue> held = state(), before = copy_values(held);
    const auto versions = storage_versions(held);
    Difference d = calls(nullptr, Place{}, false);
    std::vector<IValue> after = state();
    // Constants of the code may be written too, and a buffer written there and back.
    stateless_ = before.size() == after.size() && versions == storage_versions(held);
    for (size_t i = 0; stateless_ && i < after.size(); ++i)
      if (!ivalue_is(after[i], held[i]) ||
          (after[i].tag() <= Tag::Tuple && difference(after[i], before[i], {"exact", 0, 0}, "")))
        stateless_ = false;
    return d;
  }

  Difference run(const Kind& k, const Place& p) {
    if (k.before) {
      if (auto d = step(k.before, p, false)) return d;
      if (auto d = call_unchanged()) return d;
    }
    bool early = stateless_ && !k.needs_calls;
    if (early && k.before)
      if (auto d = step_of(early_, k.before, p)) return "before any call: " + *d;
    if (auto d = step(k.first, p, early)) return d;
    if (auto d = calls(k.inputs, p, early)) return d;
    if (k.second) {
      if (auto d = step(k.second, p, early)) return d;
      if (auto d = calls(nullptr, p, early)) return d;
    }
    return held(early);
  }

  // Everything that the program holds in the end.
  Difference held(bool early) {
    const Tolerance& tol = tol_;
    for (size_t i = 0; i < tested_.answers.size(); ++i) {
      if (comparable(expected_.answers[i]))
        if (auto d =
                difference(tested_.answers[i], expected_.answers[i],
                           scaled(tol, expected_.answers[i]), "kept answer " + std::to_string(i)))
          return d;
    }
    if (auto d = state_difference(tested_.module, expected_.module, tol)) return d;
    if (early)
      if (auto d = state_difference(early_.module, expected_.module, tol))
        return "changed before any call: " + *d;
    return sharing_difference(tested_, expected_);
  }

 private:
  static bool comparable(const IValue& v) {
    switch (v.tag()) {
      case Tag::List:
        return std::all_of(v.toListRef().items.begin(), v.toListRef().items.end(), comparable);
      case Tag::Tuple:
        return std::all_of(v.toTupleRef().items.begin(), v.toTupleRef().items.end(), comparable);
      case Tag::Dict:
        for (auto& kv : v.toDictRef().items)
          if (!comparable(kv.second)) return false;
        return true;
      case Tag::Object:
      case Tag::Future:
      case Tag::Function:
      case Tag::Generator: return false;
      default: return true;
    }
  }
  // Of the tensors of the module and of its code.
  std::vector<uint64_t> storage_versions(const std::vector<IValue>& values) const {
    std::vector<uint64_t> out;
    auto add = [&](const IValue& v) {
      if (v.isTensor() && v.toTensorRef().defined())
        out.push_back(v.toTensorRef().impl()->storage->version());
    };
    for (auto& v : values) add(v);
    for (auto& v : expected_.module.impl()->archive.cu->constants) add(v);
    return out;
  }
  std::vector<IValue> state() const {
    std::vector<IValue> out;
    for (auto& s : slots_of(expected_.module)) out.push_back(s.value);
    return out;
  }

  // What the side throws, or nothing.
  static Difference step_of(Side& s, void (*f)(Side&, const Place&), const Place& p) {
    try {
      f(s, p);
    } catch (const std::exception& e) {
      return std::string(e.what());
    }
    return {};
  }
  static Difference both(const Difference& a, const Difference& e, const std::string& where) {
    if (a.has_value() == e.has_value()) return {};
    return where + (a ? ": raises " + *a : ": raises nothing, expected " + *e);
  }
  Difference step(void (*f)(Side&, const Place&), const Place& p, bool early) {
    Difference a = step_of(tested_, f, p), e = step_of(expected_, f, p);
    if (auto d = both(a, e, "the change")) return d;
    if (!early) return {};
    return both(step_of(early_, f, p), e, "the change before any call");
  }

  static Difference call(Side& s, const Case& c, ChangeInputs change, const Place& p) {
    std::vector<IValue> in = copy_values(c.inputs);
    Difference raised;
    IValue out;
    try {
      if (change) change(s, p, in);
      std::vector<IValue> given = convert_inputs(s.module, c.method, in);
      in = given;
      manual_seed(c.seed ? static_cast<uint64_t>(*c.seed) : 5);
      out = c.method == "__call__" ? s.module(std::move(given))
                                   : s.module.run_method(c.method, std::move(given));
    } catch (const std::exception& e) {
      raised = e.what();
    }
    s.inputs.push_back(std::move(in));
    s.answers.push_back(std::move(out));
    return raised;
  }
  Difference same(const Side& a, const std::string& where, const Case& c) const {
    const IValue &x = a.answers.back(), &y = expected_.answers.back();
    if (comparable(y))
      if (auto d = difference(x, y, scaled(c.tolerance, y), where + ": answer")) return d;
    for (size_t i = 0; i < expected_.inputs.back().size(); ++i) {
      const IValue& e = expected_.inputs.back()[i];
      if (!comparable(e)) continue;
      if (auto d = difference(a.inputs.back()[i], e, scaled(c.tolerance, e),
                              where + ": input " + std::to_string(i)))
        return d;
    }
    return {};
  }
  Difference calls(ChangeInputs change, const Place& p, bool early) {
    for (size_t i = 0; i < cases_.size(); ++i)
      for (int turn = 0; turn < 2; ++turn) {
        const Case& c = cases_[i];
        ChangeInputs here = p.call < 0 || p.call == static_cast<int64_t>(i) ? change : nullptr;
        std::string where = "call " + std::to_string(tested_.answers.size()) + " " + c.method;
        Difference a = call(tested_, c, here, p), e = call(expected_, c, here, p);
        if (auto d = both(a, e, where)) return d;
        if (auto d = same(tested_, where, c)) return d;
        if (!early) continue;
        where = "changed before any call: " + where;
        if (auto d = both(call(early_, c, here, p), e, where)) return d;
        if (auto d = same(early_, where, c)) return d;
      }
    return {};
  }

  const std::vector<Case>& cases_;
  const Tolerance tol_;
  Side tested_, expected_, early_;
  bool stateless_ = false;
};

}  // namespace

Result check_changes(const std::filesystem::path& archive, const Options& o) {
  Result r;
  std::vector<Case> cases =
      chosen_cases(read_cases(with_suffix(archive, ".io.pt").string()), kMostCases);
  if (cases.empty()) return r;
  Tolerance tol;
  if (o.numerics == Numerics::Strict) {
    tol = {"bits", 0, 0};
    for (Case& c : cases)
      if (c.tolerance.check != "meta") c.tolerance = tol;
  }
  for (std::string mode : {"interpret", "optimized"}) {
    if (o.modes != "both" && o.modes != mode) continue;
    Trial trial(archive.string(), mode == "interpret" ? Mode::Interpret : Mode::Optimized,
                o.numerics, tol, cases);
    std::string control;
    auto report = [&](const std::string& kind, const std::string& place, const Difference& d) {
      auto& count = r.changes[kind];
      ++count.first;
      // What differs without a change too is counted once, with "nothing".
      if (!d || (kind != "nothing" && *d == control)) {
        ++r.passed;
        return;
      }
      ++count.second;
      ++r.failed;
      r.failures.push_back(mode + ": " + kind + (place.empty() ? "" : " at " + place) + ": " + *d);
      if (kind == "nothing") control = *d;
    };
    // Kinds that act before the first call go before it.
    for (bool before : {true, false}) {
      if (!before) {
        // Its differences are those of "nothing", which tells them.
        try {
          trial.call_unchanged();
        } catch (const Error&) {
        }
      }
      for (auto& k : kinds_of_change()) {
        if ((k.before != nullptr) != before) continue;
        if (!o.kind.empty() && o.kind != k.name) continue;
        std::vector<Place> places = k.places(trial.untouched(), cases);
        Choice choice(archive.stem().string() + k.name, o.seed);
        size_t n = o.all ? places.size() : std::min<size_t>(places.size(), o.per_kind);
        for (size_t i = 0; i < n; ++i) {
          if (!o.all) std::swap(places[i], places[i + choice.below(places.size() - i)]);
          report(k.name, places[i].str(),
                 in_child(o.timeout, [&] { return trial.run(k, places[i]); }));
        }
      }
    }
  }
  return r;
}

}  // namespace sconce::tool
