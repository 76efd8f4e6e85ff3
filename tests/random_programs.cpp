// SPDX-License-Identifier: Apache-2.0
// Random programs and random changes between their calls: Mode::Optimized against Mode::Interpret.
//
//     sconce_random_programs [--steps N] [--seed S] [--length N] [--threads N] [--no-plans]
//                            [--strict]
//
// A program is some methods defined on fixtures/state.pt and a sequence of operations of the host:
// calls, and the changes that `sconce verify --changes` knows (tools/changes.h). A difference is
// made smaller and printed, and ends the run with code 1.
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "changes.h"
#include "child.h"
#include "random_source.h"

using namespace sconce;
using namespace sconce::tool;
using sconce::random::MethodSource;
using sconce::random::random_method;
using sconce::random::Rng;
using sconce::random::Statement;

namespace {

using Difference = std::optional<std::string>;

// Of a call that only the interpreter refuses, or that both refuse for different reasons: what the
// interpreter refuses may be dead code, which the other mode drops. Such a program ends there.
const char* const kRaisesNothing = "raises nothing";
const char* const kRaisesElsewhere = "raises elsewhere";
bool by_dead_code(const std::string& sort) {
  return sort == kRaisesNothing || sort == kRaisesElsewhere;
}

// What is drawn for an operation comes from its own number, so that dropping another leaves it.
struct Operation {
  enum class What { Call, Change, Define } what;
  uint64_t draw;
};
struct Program {
  std::vector<MethodSource> methods;  // the last is defined by an operation
  std::vector<Operation> operations;
};

Program random_program(uint64_t seed, int length) {
  Rng rng(seed);
  Program p;
  for (int64_t i = 0, n = 2 + rng.below(3); i < n; ++i)
    p.methods.push_back(random_method(rng, "m" + std::to_string(i), p.methods));
  for (int i = 0; i < length; ++i)
    p.operations.push_back({rng.one_in(40)     ? Operation::What::Define
                            : rng.below(5) < 3 ? Operation::What::Call
                                               : Operation::What::Change,
                            rng.next()});
  return p;
}

class Runner {
 public:
  // Both as loaded: a run happens in a child process.
  // threads: of the tested side. plans: its straight-line methods are replayed as plans. strict:
  // its answers have the other side's bits.
  Runner(int threads, bool plans, bool strict) : tol_{strict ? "bits" : "close"} {
    for (Side* s : {&tested_, &expected_}) {
      s->mode = s == &tested_ ? Mode::Optimized : Mode::Interpret;
      LoadOptions o;
      o.mode = s->mode;
      if (s == &tested_) o.num_threads = threads;
      if (strict) o.numerics = Numerics::Strict;
      // Under limits straight-line graphs run in the interpreter.
      if (s == &tested_ && !plans) o.limits.steps = uint64_t{1} << 60;
      s->module = load(std::string(SCONCE_FIXTURES) + "/state.pt", o);
      s->module.compile_all();
      host_call(*s, "ramp", {0.5, int64_t{2}, int64_t{3}});
    }
  }

  Difference run(const Program& p) {
    std::string source;
    for (size_t i = 0; i + 1 < p.methods.size(); ++i) source += p.methods[i].text();
    for (Side* s : {&tested_, &expected_}) {
      try {
        s->module.define(source);
      } catch (const ScriptError& e) {
        if (verbose) std::cout << e.what() << "\n" << source;
        return {};  // made so by dropping a statement
      }
    }
    for (size_t i = 0; i < p.operations.size(); ++i) {
      if (auto d = step(p, p.operations[i], i)) return "step " + std::to_string(i) + ": " + *d;
      if (i % 8 == 7)
        if (auto d = held()) return "after step " + std::to_string(i) + ": " + *d;
    }
    if (auto d = held()) return "at the end: " + *d;
    return {};
  }
  // What the operations do, as far as the modules are what they were when it ran.
  std::string log;
  bool verbose = false;

 private:
  Difference held() {
    for (size_t i = 0; i < tested_.answers.size(); ++i)
      if (auto d =
              difference(tested_.answers[i], expected_.answers[i],
                         scaled(tol_, expected_.answers[i]), "kept answer " + std::to_string(i)))
        return d;
    if (auto d = state_difference(tested_.module, expected_.module, tol_)) return d;
    return sharing_difference(tested_, expected_);
  }

  // The message of an operator, behind where it was called.
  static std::string last_line(const std::string& error) {
    size_t end = error.find_last_not_of('\n'), start = error.rfind('\n', end);
    return error.substr(start == std::string::npos ? 0 : start + 1, end);
  }
  static Difference guarded(const std::function<void()>& f) {
    try {
      f();
    } catch (const std::exception& e) {
      return std::string(e.what());
    }
    return {};
  }
  Difference on_both(const std::function<void(Side&)>& f, const std::string& what) {
    Difference a = guarded([&] { f(tested_); }), e = guarded([&] { f(expected_); });
    if (verbose) std::cout << what << (e ? " raises " + *e : "") << std::endl;
    if (a && e && last_line(*a) != last_line(*e))
      return what + ": " + kRaisesElsewhere + ": " + *a + ", expected " + *e;
    if (a.has_value() == e.has_value()) return {};
    return what + (a ? ": raises " + *a : ": raises nothing, expected " + *e);
  }

  Difference step(const Program& p, const Operation& o, size_t at) {
    Rng rng(o.draw);
    switch (o.what) {
      case Operation::What::Define:
        if (defined_) return {};
        defined_ = true;
        return on_both([&](Side& s) { s.module.define(p.methods.back().text()); },
                       std::to_string(at) + ": define " + p.methods.back().name);
      case Operation::What::Call: return call(p, rng, at);
      default: return change(rng, at);
    }
  }

  Difference change(Rng& rng, size_t at) {
    auto& kinds = kinds_of_change();
    for (int attempt = 0; attempt < 4; ++attempt) {
      auto& k = kinds[static_cast<size_t>(rng.below(static_cast<int64_t>(kinds.size())))];
      std::vector<Place> places = k.places(expected_.module, cases_);
      if (places.empty() || k.inputs) continue;
      const Place place =
          places[static_cast<size_t>(rng.below(static_cast<int64_t>(places.size())))];
      using Step = void (*)(Side&, const Place&);
      Step steps[] = {k.before, k.first, k.second};
      Step f = steps[rng.below(3)];
      if (!f) f = k.first;
      return on_both([&](Side& s) { f(s, place); }, std::to_string(at) + ": " + k.name + " at " +
                                                        place.str() +
                                                        (f == k.second   ? " (second step)"
                                                         : f == k.before ? " (before)"
                                                                         : ""));
    }
    return {};
  }

  Difference call(const Program& p, Rng& rng, size_t at) {
    int64_t methods = static_cast<int64_t>(p.methods.size()) - !defined_;
    int64_t method = rng.below(methods + 1);
    bool own = method < methods;
    std::string name = own ? p.methods[static_cast<size_t>(method)].name : "forward";
    double start = 0.125 * static_cast<double>(rng.below(16)) - 1;
    int64_t rows = rng.one_in(12) ? 4 : 2, k = rng.below(4);
    bool same = rng.one_in(8);
    const Kind* given = nullptr;
    Place place;
    if (rng.one_in(3)) {
      auto& kinds = kinds_of_change();
      for (int attempt = 0; attempt < 20 && !given; ++attempt) {
        auto& one = kinds[static_cast<size_t>(rng.below(static_cast<int64_t>(kinds.size())))];
        if (!one.inputs) continue;
        auto places = one.places(expected_.module, cases_);
        if (places.empty()) continue;
        place = places[static_cast<size_t>(rng.below(static_cast<int64_t>(places.size())))];
        given = &one;
      }
    }
    std::string what = std::to_string(at) + ": call " + name + " of " + std::to_string(start) +
                       ", " + std::to_string(k) +
                       (given ? std::string(" with ") + given->name + " at " + place.str() : "");
    auto d = on_both(
        [&](Side& s) {
          std::vector<IValue> in{host_call(s, "ramp", {start, rows, int64_t{3}}),
                                 host_call(s, "ramp", {start + 1, rows, int64_t{3}}), k};
          if (same && !s.inputs.empty()) in[0] = s.inputs.back()[0];
          s.inputs.push_back(in);
          s.answers.emplace_back();
          if (given) given->inputs(s, place, in);
          if (!own) in.resize(1);
          s.inputs.back() = in;
          s.answers.back() = s.module.run_method(name, in);
        },
        what);
    if (d) return d;
    const IValue& e = expected_.answers.back();
    if (auto x = difference(tested_.answers.back(), e, scaled(tol_, e), "answer"))
      return what + ": " + *x;
    for (size_t i = 0; i < expected_.inputs.back().size(); ++i) {
      const IValue& v = expected_.inputs.back()[i];
      if (auto x = difference(tested_.inputs.back()[i], v, scaled(tol_, v),
                              "input " + std::to_string(i)))
        return what + ": " + *x;
    }
    return {};
  }

  Side tested_, expected_;
  bool defined_ = false;  // the last method
  const Tolerance tol_;
  // For places among inputs: a call of two tensors.
  std::vector<Case> cases_{[] {
    Case c;
    c.inputs = {zeros({2, 3}), zeros({2, 3}), int64_t{1}};
    return c;
  }()};
};

// Differences of one sort probably have one cause.
std::string sort_of(const std::string& difference) {
  for (const char* sort : {"crashed", "takes too long", kRaisesNothing, kRaisesElsewhere, "raises",
                           "is the same as", "shares memory", "kept answer", "attribute"})
    if (difference.find(sort) != std::string::npos) return sort;
  return "value";
}

// Smaller programs that still differ, until none is found.
class Shrinker {
 public:
  // sort: what sort_of() says of the difference to keep.
  Shrinker(Runner& runner, Program p, std::string sort)
      : runner_(runner), best_(std::move(p)), sort_(std::move(sort)) {}
  Program shrink() {
    for (bool smaller = true; smaller && tries_ < 3000;) {
      smaller = false;
      for (size_t n = std::max<size_t>(best_.operations.size() / 2, 1);; n /= 2) {
        for (size_t at = best_.operations.size(); at-- > 0;) {
          Program p = best_;
          auto from = p.operations.begin() + static_cast<long>(at);
          p.operations.erase(from, from + static_cast<long>(std::min(n, p.operations.size() - at)));
          smaller |= keep(p);
          at = std::min(at, best_.operations.size());
        }
        if (n <= 1) break;
      }
      for (size_t m = 0; m < best_.methods.size(); ++m) smaller |= statements(m);
      for (size_t m = 0; m < best_.methods.size(); ++m)
        for (size_t i = best_.methods[m].returned.size(); i-- > 0;) {
          Program p = best_;
          if (p.methods[m].returned.size() < 2) break;
          p.methods[m].returned.erase(p.methods[m].returned.begin() + static_cast<long>(i));
          p.methods[m].types.erase(p.methods[m].types.begin() + static_cast<long>(i));
          smaller |= keep(p);
        }
    }
    return best_;
  }

 private:
  bool keep(Program p) {
    ++tries_;
    for (auto& m : p.methods) drop_dead(m);
    auto d = in_child(20, [&] { return runner_.run(p); });
    if (!d || sort_of(*d) != sort_) return false;
    best_ = p;
    return true;
  }
  // Paths of the statements of a method: which to drop is a number in the order of a walk.
  static size_t count(const std::vector<Statement>& list) {
    size_t n = 0;
    for (auto& s : list) n += 1 + count(s.body) + count(s.otherwise);
    return n;
  }
  // Drops the n-th statement, or puts its body in its place.
  static bool change(std::vector<Statement>& list, size_t& n, bool open) {
    for (size_t i = 0; i < list.size(); ++i) {
      if (n-- == 0) {
        std::vector<Statement> body = std::move(list[i].body);
        list.erase(list.begin() + static_cast<long>(i));
        if (open) list.insert(list.begin() + static_cast<long>(i), body.begin(), body.end());
        return true;
      }
      if (change(list[i].body, n, open) || change(list[i].otherwise, n, open)) return true;
    }
    return false;
  }
  bool statements(size_t m) {
    bool smaller = false;
    for (bool open : {false, true})
      for (size_t n = count(best_.methods[m].statements); n-- > 0;) {
        Program p = best_;
        size_t at = n;
        if (change(p.methods[m].statements, at, open) &&
            (!open || count(p.methods[m].statements) < count(best_.methods[m].statements)))
          smaller |= keep(p);
      }
    return smaller;
  }
  Runner& runner_;
  Program best_;
  std::string sort_;
  int tries_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  int64_t steps = 10000, length = 50, differences = 1;
  uint64_t seed = 1;
  bool verbose = false, plans = true, strict = false;
  int threads = 1;
  std::string sort;
  for (int i = 1; i < argc; ++i) {
    std::string a = argv[i];
    auto number = [&] { return i + 1 < argc ? std::strtoll(argv[++i], nullptr, 10) : 0; };
    if (a == "--steps")
      steps = number();
    else if (a == "--seed")
      seed = static_cast<uint64_t>(number());
    else if (a == "--length")
      length = number();
    else if (a == "--threads")
      threads = static_cast<int>(number());
    else if (a == "--no-plans")
      plans = false;
    else if (a == "--strict")
      strict = true;
    else if (a == "--differences")
      differences = number();
    else if (a == "--sort" && i + 1 < argc)
      sort = argv[++i];
    else if (a == "--verbose")
      verbose = true;
    else {
      std::cerr << "usage: sconce_random_programs [--steps N] [--seed S] [--length OPERATIONS]\n"
                   "                              [--threads N] [--no-plans] [--strict]\n"
                   "                              [--differences MOST] [--sort SORT] [--verbose]\n";
      return 2;
    }
  }
  Runner runner(threads, plans, strict);
  runner.verbose = verbose;
  int64_t done = 0, found = 0, ended = 0;
  for (uint64_t program = 0; done < steps; ++program, done += length) {
    Program p = random_program(seed + 1000003 * program, static_cast<int>(length));
    auto d = in_child(60, [&] { return runner.run(p); });
    if (d && !by_dead_code(sort) && by_dead_code(sort_of(*d))) {
      ++ended;
      continue;
    }
    if (!d || (!sort.empty() && sort_of(*d) != sort)) continue;
    ++found;
    std::cout << "program " << program << " of seed " << seed << ": " << *d << "\n";
    if (found <= differences) {
      p = Shrinker(runner, p, sort_of(*d)).shrink();
      for (auto& m : p.methods) std::cout << m.text();
      std::cout.flush();
      runner.verbose = true;
      d = in_child(60, [&] {
        auto x = runner.run(p);
        std::cout.flush();
        return x;
      });
      runner.verbose = verbose;
      std::cout << (d ? *d : "no difference") << "\n\n" << std::flush;
    }
    if (found >= differences) break;
  }
  std::cout << done << " steps, " << found << " differences; " << ended
            << " programs ended early, by what only the interpreter refuses\n";
  return found ? 1 : 0;
}
