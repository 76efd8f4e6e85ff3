// SPDX-License-Identifier: Apache-2.0
// Chains of elementwise calls become one pass over memory.
//
//   unary(out: a, in: x, sigmoid)
//   binary(out: b, a: a, b: x, mul)         ->   pointwise(out: y, in: x, r, {sigmoid, mul, add})
//   binary(out: y, a: b, b: r, add)              nobody else reads a and b: they are never written
//
// A group is a set of calls over the same elements that will run where its last call stands. Each
// elementwise call is a group at first, and takes in the groups that made what it reads, when
//   - no call between that isn't of the group reads or writes what the group's calls write, or
//     writes what they read: so moving them down changes nothing. Each call is checked against each
//     call that it is moved past, hence groups may overlap;
//   - all views can be said over one set of sizes, and what the group writes is seen in it in one
//     way: the same elements in the same order;
//   - the program fits: inputs, results, steps, registers.
// What is read after the group, or is part of the answer, is a result; all else stays in registers.
//
// Bits: those of the separate calls (backends/cpu/pointwise.cpp).
#include <algorithm>
#include <optional>

#include "runtime/lowering/lower.h"

namespace sconce {

namespace {

constexpr size_t kOutputs = PointwiseArgs::kOutputs, kInputs = PointwiseArgs::kViews - kOutputs;
constexpr size_t kMostSteps = PointwiseStep::kMostSteps, kMostRegisters = kInputs + 16;
// Past so many calls nothing is moved: it bounds the work of planning.
constexpr size_t kMostBetween = 200;

bool truth(const PlannedView& v) { return v.dtype == ScalarType::Bool; }
bool number(const PlannedView& v) { return v.dtype == ScalarType::Float || truth(v); }

bool gives_truth(Unary op) {
  switch (op) {
    case Unary::logical_not:
    case Unary::signbit:
    case Unary::isnan:
    case Unary::isinf:
    case Unary::isfinite:
    case Unary::isposinf:
    case Unary::isneginf: return true;
    default: return false;
  }
}
bool gives_truth(Binary op) {
  switch (op) {
    case Binary::eq:
    case Binary::ne:
    case Binary::lt:
    case Binary::le:
    case Binary::gt:
    case Binary::ge:
    case Binary::logical_and:
    case Binary::logical_or:
    case Binary::logical_xor: return true;
    default: return false;
  }
}

// The form of a step, operands and result yet to be named; nullopt: the call can't be one. A copy
// has no step: its result is its operand.
struct Form {
  bool copy = false;
  size_t operands = 0;  // views 1 to this
  PointwiseStep step{};
};
std::optional<Form> form_of(const PlannedCall& c) {
  Form f;
  PointwiseStep& s = f.step;
  bool truth_result = false;
  if (c.is<UnaryArgs>()) {
    const UnaryArgs& a = c.as<UnaryArgs>();
    if (a.compute != Compute::F32 || a.op == Unary::bitwise_not ||
        (a.op >= Unary::conj && a.op != Unary::pow_scalar))
      return std::nullopt;
    s.kind = PointwiseStep::unary, s.op = static_cast<uint8_t>(a.op);
    s.x = static_cast<float>(a.p), s.y = static_cast<float>(a.q), s.z = static_cast<float>(a.r);
    f.operands = 1;
    truth_result = gives_truth(a.op);
  } else if (c.is<BinaryArgs>()) {
    const BinaryArgs& a = c.as<BinaryArgs>();
    if (a.compute != Compute::F32 || a.op == Binary::complex_of) return std::nullopt;
    s.kind = PointwiseStep::binary, s.op = static_cast<uint8_t>(a.op);
    s.x = static_cast<float>(a.scalar.d), s.y = static_cast<float>(a.scale.d);
    f.operands = 2;
    truth_result = gives_truth(a.op);
    if (c.views[1].absent() && c.views[2].absent()) return std::nullopt;
  } else if (c.is<TernaryArgs>()) {
    const TernaryArgs& a = c.as<TernaryArgs>();
    if (a.compute != Compute::F32 || c.views[1].absent()) return std::nullopt;
    s.kind = PointwiseStep::ternary, s.op = static_cast<uint8_t>(a.op);
    s.x = static_cast<float>(a.value.d);
    s.y = static_cast<float>(a.scalar_b.d), s.z = static_cast<float>(a.scalar_c.d);
    f.operands = 3;
  } else if (c.is<CopyArgs>()) {
    f.copy = true;
    f.operands = 1;
  } else {
    return std::nullopt;
  }
  const PlannedView& out = c.views[0];
  if (truth(out) ? !truth_result : !number(out)) return std::nullopt;
  if (out.numel() == 0) return std::nullopt;
  for (size_t i = 1; i <= f.operands; ++i)
    if (!c.views[i].absent() && (!number(c.views[i]) || c.views[i].sizes != out.sizes))
      return std::nullopt;
  // A transposing copy has a way of its own.
  for (size_t d = 0; f.copy && d < out.sizes.size(); ++d)
    if (out.sizes[d] != 1 && out.strides[d] == 1 && c.views[1].strides[d] > 1) return std::nullopt;
  return f;
}

// The strides that say a view of `sizes` over other sizes of as many elements; false: there are
// none.
bool strides_over(const DimVector& sizes, const DimVector& strides, const DimVector& other,
                  DimVector& to) {
  to = other;
  size_t i = sizes.size(), k = other.size();
  for (;;) {
    while (i > 0 && sizes[i - 1] == 1) --i;
    while (k > 0 && other[k - 1] == 1) to[--k] = 0;
    if (i == 0 || k == 0) return i == k;
    // The fewest dims of both, from the last on, that have as many elements.
    int64_t have = sizes[--i], want = 1;
    const int64_t stride = strides[i];
    while (want < have) {
      if (k == 0) return false;
      --k;
      to[k] = other[k] == 1 ? 0 : stride * want;
      want *= other[k];
      while (have < want) {
        if (i == 0) return false;
        --i;
        if (sizes[i] != 1 && strides[i] != stride * have) return false;
        have *= sizes[i];
      }
    }
  }
}

// The elements that a view names, over a group's sizes.
struct Value {
  Place place;
  DimVector strides;
  ScalarType dtype;
  bool operator==(const Value& o) const {
    return place == o.place && strides == o.strides && dtype == o.dtype;
  }
};

struct Program {
  std::vector<PointwiseStep> steps;
  std::vector<PlannedView> inputs, outputs;
  std::vector<uint8_t> results;
  size_t registers = 0;
};

class Chains {
 public:
  explicit Chains(PlannedProgram& p)
      : p_(p), touches_(p), forms_(p.calls.size()), group_of_(p.calls.size(), kNone) {}

  void run() {
    for (size_t i = 0; i < p_.calls.size(); ++i) {
      forms_[i] = form_of(p_.calls[i]);
      if (!forms_[i]) continue;
      group_of_[i] = groups_.size();
      groups_.push_back({{i}, {}});
      take_in_makers(group_of_[i]);
    }
    for (Group& g : groups_)
      if (g.calls.size() > 1 && !g.program.steps.empty()) replace(g);
    p_.drop_removed_calls();
  }

 private:
  static constexpr size_t kNone = SIZE_MAX;
  struct Group {
    std::vector<size_t> calls;  // rising; it runs where the last one stands. Empty: taken in.
    Program program;
  };

  // Takes into group g, one after the other, those that made what its calls read.
  void take_in_makers(size_t g) {
    std::vector<size_t> refused;
    for (bool more = true; more;) {
      more = false;
      for (size_t c : groups_[g].calls) {
        const size_t maker = a_maker(g, c, refused);
        if (maker == kNone) continue;
        if (take_in(g, maker))
          refused.clear();
        else
          refused.push_back(maker);
        more = true;
        break;
      }
    }
  }
  // A group that wrote, last before call c, something that c reads.
  size_t a_maker(size_t g, size_t c, const std::vector<size_t>& refused) const {
    for (size_t i = 1; i <= forms_[c]->operands; ++i) {
      const PlannedView& v = p_.calls[c].views[i];
      if (v.place.kind != Place::Arena) continue;
      size_t writer = kNone;
      for (uint32_t t : touches_.of(v.place.index)) {
        if (t >= c) break;
        if (writes(t, v.place)) writer = t;
      }
      const size_t maker = writer == kNone ? kNone : group_of_[writer];
      if (maker != kNone && maker != g &&
          std::find(refused.begin(), refused.end(), maker) == refused.end())
        return maker;
    }
    return kNone;
  }
  bool writes(size_t call, const Place& place) const {
    const PlannedCall& c = p_.calls[call];
    for (size_t i = 0; i < c.views.size(); ++i)
      if (c.writes(i) && c.views[i].place.same_storage(place)) return true;
    return false;
  }

  bool take_in(size_t g, size_t maker) {
    Group& to = groups_[g];
    const Group& from = groups_[maker];
    if (to.calls.size() + from.calls.size() > 2 * kMostSteps) return false;
    std::vector<size_t> all;
    std::merge(to.calls.begin(), to.calls.end(), from.calls.begin(), from.calls.end(),
               std::back_inserter(all));
    if (!may_move(from, all)) return false;
    std::optional<Program> program = program_of(all);
    if (!program) return false;
    for (size_t c : from.calls) group_of_[c] = g;
    to.calls = std::move(all);
    to.program = std::move(*program);
    groups_[maker].calls.clear();
    return true;
  }

  // Whether the calls of `from` may run where the last of `all` stands.
  bool may_move(const Group& from, const std::vector<size_t>& all) const {
    const size_t begin = from.calls.back() + 1, end = all.back();
    if (end - begin > kMostBetween) return false;
    for (size_t k = begin; k < end; ++k) {
      if (std::binary_search(all.begin(), all.end(), k)) continue;
      for (size_t c : from.calls)
        if (conflict(p_.calls[c], p_.calls[k])) return false;
    }
    return true;
  }
  // One writes what the other one reads or writes. Inputs may be one memory.
  static bool conflict(const PlannedCall& a, const PlannedCall& b) {
    for (size_t i = 0; i < a.views.size(); ++i)
      for (size_t k = 0; k < b.views.size(); ++k) {
        const PlannedView &x = a.views[i], &y = b.views[k];
        if (x.absent() || y.absent() || !(a.writes(i) || b.writes(k))) continue;
        if (x.place.same_storage(y.place) ||
            (x.place.kind == Place::Input && y.place.kind == Place::Input))
          return true;
      }
    return false;
  }

  // ---- the program of a group ----

  std::optional<Program> program_of(const std::vector<size_t>& calls) const {
    std::vector<DimVector> tried;
    for (size_t i = calls.size(); i-- > 0;) {
      const DimVector& sizes = p_.calls[calls[i]].views[0].sizes;
      if (std::find(tried.begin(), tried.end(), sizes) != tried.end()) continue;
      tried.push_back(sizes);
      if (tried.size() > 3) return std::nullopt;
      if (std::optional<Program> made = Builder(*this, calls, sizes).build()) return made;
    }
    return std::nullopt;
  }

  class Builder {
   public:
    Builder(const Chains& chains, const std::vector<size_t>& calls, const DimVector& sizes)
        : chains_(chains), calls_(calls), sizes_(sizes) {}

    std::optional<Program> build() {
      for (size_t c : calls_)
        if (!add(chains_.p_.calls[c], *chains_.forms_[c])) return std::nullopt;
      if (!seen_in_one_way() || !find_results()) return std::nullopt;
      if (made_.empty() || made_.size() > kMostSteps || results_.empty()) return std::nullopt;
      return assemble();
    }

   private:
    // An operand is an input, or what a step made; kNumber: a number.
    static constexpr int kANumber = -1;
    struct Step {
      PointwiseStep step;
      int operands[3];  // values: inputs first, as kStep + n the n-th step's
    };
    static constexpr int kStep = 1 << 20;
    struct Named {
      Value value;
      int now;  // what it holds
    };

    bool value_of(const PlannedView& v, Value& to) const {
      to.place = v.place, to.dtype = v.dtype;
      if (!strides_over(v.sizes, v.strides, sizes_, to.strides)) return false;
      return true;
    }
    bool add(const PlannedCall& c, const Form& form) {
      Step s{form.step, {kANumber, kANumber, kANumber}};
      for (size_t i = 1; i <= form.operands; ++i) {
        if (c.views[i].absent()) continue;
        Value v;
        if (!value_of(c.views[i], v)) return false;
        s.operands[i - 1] = held(v);
      }
      Value out;
      if (!value_of(c.views[0], out)) return false;
      for (size_t d = 0; d < sizes_.size(); ++d)
        if (sizes_[d] != 1 && out.strides[d] == 0) return false;
      int result = s.operands[0];
      if (!form.copy) {
        result = kStep + static_cast<int>(made_.size());
        made_.push_back(s);
      }
      for (Named& w : written_)
        if (w.value == out) {
          w.now = result;
          return true;
        }
      written_.push_back({out, result});
      return true;
    }
    int held(const Value& v) {
      for (const Named& w : written_)
        if (w.value == v) return w.now;
      for (size_t i = 0; i < inputs_.size(); ++i)
        if (inputs_[i] == v) return static_cast<int>(i);
      inputs_.push_back(v);
      return static_cast<int>(inputs_.size()) - 1;
    }
    bool seen_in_one_way() const {
      if (inputs_.size() > kInputs) return false;
      for (const Named& w : written_) {
        auto other_way = [&](const Value& v) {
          return !(v == w.value) &&
                 (v.place.same_storage(w.value.place) ||
                  (v.place.kind == Place::Input && w.value.place.kind == Place::Input));
        };
        for (const Value& in : inputs_)
          if (other_way(in)) return false;
        for (const Named& o : written_)
          if (other_way(o.value)) return false;
      }
      return true;
    }
    // What outlives the group.
    bool find_results() {
      for (Named& w : written_) {
        if (!outlives(w.value.place)) continue;
        if (w.value.dtype != ScalarType::Float || results_.size() == kOutputs) return false;
        if (w.now < kStep) {  // a copy of an input
          Step s{{}, {w.now, kANumber, kANumber}};
          s.step.kind = PointwiseStep::unary;
          s.step.op = static_cast<uint8_t>(Unary::identity);
          w.now = kStep + static_cast<int>(made_.size());
          made_.push_back(s);
        }
        results_.push_back(&w);
      }
      return true;
    }
    bool outlives(const Place& place) const {
      if (place.kind != Place::Arena || chains_.p_.storages[place.index].output >= 0) return true;
      const auto& touches = chains_.touches_.of(place.index);
      for (auto it = touches.rbegin(); it != touches.rend() && *it > calls_.front(); ++it)
        if (!std::binary_search(calls_.begin(), calls_.end(), size_t{*it})) return true;
      return false;
    }

    std::optional<Program> assemble() {
      Program p;
      auto view = [&](const Value& v) {
        PlannedView to;
        to.place = v.place, to.sizes = sizes_, to.strides = v.strides, to.dtype = v.dtype;
        return to;
      };
      for (const Value& v : inputs_) p.inputs.push_back(view(v));
      // Each step's register is free again after its last reader.
      std::vector<size_t> last(made_.size(), 0);
      for (size_t s = 0; s < made_.size(); ++s)
        for (int o : made_[s].operands)
          if (o >= kStep) last[static_cast<size_t>(o - kStep)] = s;
      for (const Named* r : results_) last[static_cast<size_t>(r->now - kStep)] = made_.size();
      std::vector<uint8_t> in_register(made_.size()), free;
      p.registers = inputs_.size();
      auto named = [&](int o) -> uint8_t {
        if (o == kANumber) return PointwiseStep::kNumber;
        return o < kStep ? static_cast<uint8_t>(o) : in_register[static_cast<size_t>(o - kStep)];
      };
      for (size_t s = 0; s < made_.size(); ++s) {
        PointwiseStep step = made_[s].step;
        step.a = named(made_[s].operands[0]);
        step.b = named(made_[s].operands[1]);
        step.c = named(made_[s].operands[2]);
        if (free.empty()) {
          if (p.registers == kMostRegisters) return std::nullopt;
          free.push_back(static_cast<uint8_t>(p.registers++));
        }
        step.to = in_register[s] = free.back();
        free.pop_back();
        for (size_t k = 0; k <= s; ++k)
          if (last[k] == s || (k == s && last[k] < s)) free.push_back(in_register[k]);
        p.steps.push_back(step);
      }
      for (const Named* r : results_) {
        p.outputs.push_back(view(r->value));
        p.results.push_back(in_register[static_cast<size_t>(r->now - kStep)]);
      }
      return p;
    }

    const Chains& chains_;
    const std::vector<size_t>& calls_;
    const DimVector& sizes_;
    std::vector<Value> inputs_;
    std::vector<Named> written_;
    std::vector<Step> made_;
    std::vector<const Named*> results_;
  };

  void replace(const Group& g) {
    const Program& program = g.program;
    auto steps = std::make_shared<std::vector<PointwiseStep>>(program.steps);
    PointwiseArgs args{};
    args.steps = steps->data();
    args.n_steps = static_cast<int32_t>(steps->size());
    args.n_registers = static_cast<uint8_t>(program.registers);
    std::copy(program.results.begin(), program.results.end(), args.result);
    p_.tables.push_back(std::move(steps));
    PlannedCall fused = planned_call(args);
    std::copy(program.outputs.begin(), program.outputs.end(), fused.views.begin());
    std::copy(program.inputs.begin(), program.inputs.end(), fused.views.begin() + kOutputs);
    fused.node = p_.calls[g.calls.front()].node;
    for (size_t c : g.calls) p_.calls[c] = PlannedCall{};
    p_.calls[g.calls.back()] = std::move(fused);
  }

  PlannedProgram& p_;
  const Touches touches_;
  std::vector<std::optional<Form>> forms_;
  std::vector<size_t> group_of_;
  std::vector<Group> groups_;
};

}  // namespace

void fuse_pointwise(PlannedProgram& p, PackedWeights&) {
  if (context().kernels->pointwise) Chains(p).run();
}

}  // namespace sconce
