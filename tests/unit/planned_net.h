// SPDX-License-Identifier: Apache-2.0
// A method in a module that runs plans and in one that interprets, called side by side.
#pragma once
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "runtime/lowering/lower.h"
#include "sconce/sconce.h"

namespace sconce::test {

// Every element's bits, and the form; a NaN is a NaN.
inline bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.sizes() != b.sizes() || a.strides() != b.strides() || a.scalar_type() != b.scalar_type())
    return false;
  const Tensor x = a.contiguous(), y = b.contiguous();
  if (a.scalar_type() != kFloat)
    return std::memcmp(x.const_raw_data(), y.const_raw_data(),
                       static_cast<size_t>(x.numel()) * element_size(x.scalar_type())) == 0;
  const float *p = x.const_data_ptr<float>(), *q = y.const_data_ptr<float>();
  for (int64_t i = 0; i < x.numel(); ++i)
    if (std::memcmp(p + i, q + i, sizeof(float)) != 0 && !(std::isnan(p[i]) && std::isnan(q[i])))
      return false;
  return true;
}
inline bool same_bits(const IValue& a, const IValue& b) {
  if (!a.isTuple()) return same_bits(a.toTensorRef(), b.toTensorRef());
  for (size_t i = 0; i < a.toTupleRef().items.size(); ++i)
    if (!same_bits(a.toTupleRef().items[i], b.toTupleRef().items[i])) return false;
  return true;
}

// fixtures/state.pt, with a method `net`; it has five tensors to be weights: w, b, buf, h, z.
struct PlannedNet {
  Module planned, plain;
  std::string before, text;         // the calls of the last recording, as recorded and lowered
  std::vector<std::string> places;  // of the latter

  // options: of the planned one.
  explicit PlannedNet(const std::string& method, const LoadOptions& options = {}) {
    LoadOptions interpret;
    interpret.mode = Mode::Interpret;
    const std::string file = std::string(SCONCE_FIXTURES) + "/state.pt";
    planned = load(file, options);
    plain = load(file, interpret);
    for (Module* m : {&planned, &plain}) m->define(method);
  }
  void with(const char* name, const Tensor& t) {
    planned.setattr(name, t.clone());
    plain.setattr(name, t.clone());
  }
  // The first call is recorded, the others are replayed. same(got, want) is asked of each answer
  // and of each input as the call left it, until it says no; whether it never did.
  template <class Same>
  bool each_call(int calls, const std::vector<Tensor>& inputs, Same same) {
    observe_plans([this](const std::string& b, const std::string& a,
                         const std::vector<std::string>& p) { before = b, text = a, places = p; });
    bool all = true;
    for (int call = 0; call < calls && all; ++call) {
      auto copies = [&] {
        std::vector<IValue> v;
        for (const Tensor& t : inputs) v.emplace_back(t.clone());
        return v;
      };
      std::vector<IValue> given = copies(), expected = copies();
      all = same(planned.run_method("net", given), plain.run_method("net", expected));
      for (size_t i = 0; i < given.size(); ++i) all = all && same(given[i], expected[i]);
    }
    observe_plans({});
    return all;
  }
};

}  // namespace sconce::test
