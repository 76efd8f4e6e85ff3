// SPDX-License-Identifier: Apache-2.0
// Operators that a program registers by LibTorch's names (sconce/torch/library.h). A row of the
// operator table is made when one is defined; its kernel is looked up when it is called, since
// LibTorch lets definitions and implementations come in any order.
#include <array>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>

#include "api/runtime.h"
#include "core/op_table.h"
#include "sconce/libtorch.h"

namespace sconce::libtorch {
namespace {

struct OwnOperator {
  std::array<std::shared_ptr<const OwnKernel>, 5> kernels;
};
struct OwnOperators {
  std::shared_mutex mutex;
  std::map<std::string, OwnOperator, std::less<>> by_name;
  std::set<std::string> texts;  // schemas, whose addresses the operator table keeps
};
OwnOperators& own_operators() {
  static auto* all = new OwnOperators;  // for as long as the table lives
  return *all;
}

// Where the first tensor of the arguments is.
KernelPlace place_of(const Call& c) {
  for (uint32_t i = 0; i < c.n_in(); ++i) {
    const IValue& v = c.in(i);
    const Tensor* t = v.isTensor() ? &v.toTensorRef() : nullptr;
    if (!t && v.isList())
      for (const IValue& e : v.toListRef().items)
        if (e.isTensor() && !t) t = &e.toTensorRef();
    if (t && t->defined())
      return t->device().type == DeviceType::CUDA ? KernelPlace::Cuda : KernelPlace::Cpu;
  }
  return KernelPlace::Cpu;
}

void run_own(Call& c) {
  std::shared_ptr<const OwnKernel> kernel;
  {
    OwnOperators& all = own_operators();
    std::shared_lock<std::shared_mutex> lock(all.mutex);
    auto found = all.by_name.find(c.op()->full_name());
    if (found != all.by_name.end())
      for (KernelPlace p :
           {place_of(c), KernelPlace::Explicit, KernelPlace::Implicit, KernelPlace::Autograd})
        if (!kernel) kernel = found->second.kernels[static_cast<size_t>(p)];
  }
  if (!kernel)
    raise<MissingOp>("Could not run '", c.op()->full_name(),
                     "': the program has registered no kernel for the device of its arguments");
  (*kernel)(c);
}

}  // namespace

void define_operators(const std::vector<std::string>& schemas) {
  std::vector<CustomOp> rows;
  OwnOperators& all = own_operators();
  for (const std::string& text : schemas) {
    const FunctionSchema s = parse_schema(text);
    const auto there = op_table().find(s.name);
    if (!there.empty() && !there.begin()->custom) continue;
    std::unique_lock<std::shared_mutex> lock(all.mutex);
    rows.push_back({all.texts.insert(text).first->c_str(), run_own});
  }
  register_operators(rows.data(), rows.size());
}
void implement_operator(const std::string& name, KernelPlace place, OwnKernel kernel) {
  const std::string_view base = std::string_view(name).substr(0, name.find('.'));
  if (base.substr(0, 6) == "aten::" || base.substr(0, 6) == "prim::")
    raise<Error>(name, ": sconce's own kernels can't be replaced");
  OwnOperators& all = own_operators();
  std::unique_lock<std::shared_mutex> lock(all.mutex);
  all.by_name[name].kernels[static_cast<size_t>(place)] =
      std::make_shared<const OwnKernel>(std::move(kernel));
}

}  // namespace sconce::libtorch
