// SPDX-License-Identifier: Apache-2.0
// Where the host's values become arguments of a method: they are counted, named, checked against
// the schema (core/value_check.h) and completed with defaults. Made once for a prepared method; a
// call whose arguments are plain costs one comparison each. Entry: Boundary::admit().
#pragma once
#include <unordered_map>

#include "ir/function.h"
#include "sconce/module.h"

namespace sconce {

// inputs: the arguments after self, which is neither counted nor checked. Throws OpError, whose
// text names the method, the argument, its type and what came; inputs are unspecified then.
void admit_arguments(const Function& f, std::vector<IValue>& inputs, const Kwargs* kwargs);

class Boundary {
 public:
  Boundary() = default;
  // The function's schema must be complete; it must outlive this.
  explicit Boundary(const Function& f);
  bool takes_self() const { return function_->self != nullptr; }
  // As admit_arguments().
  void admit(std::vector<IValue>& inputs, const Kwargs* kwargs) const {
    if (inputs.size() == tags_.size() && !kwargs) {
      uint32_t fits = 1;
      for (size_t i = 0; i < inputs.size(); ++i)
        fits &= tags_[i] >> static_cast<int>(inputs[i].tag());
      if (fits & 1) return;
    }
    admit_arguments(*function_, inputs, kwargs);
  }

 private:
  const Function* function_ = nullptr;
  std::vector<uint32_t> tags_;  // of each argument: the tags that fit with no look inside, as bits
};

}  // namespace sconce
