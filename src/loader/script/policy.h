// SPDX-License-Identifier: Apache-2.0
// What the host lets the code of a file use (LoadOptions::allowed_ops, denied_ops, allow_setstate).
// The emitter asks for every operator that a source names, by the name that it stands for there.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace sconce::script {

struct Policy {
  std::vector<std::string> allowed_ops, denied_ops;
  bool run_at_load = true;

  bool limits_operators() const { return !allowed_ops.empty() || !denied_ops.empty(); }
  // name: "aten::add"; overload: "aten::add.Tensor", or the name again.
  bool permits(std::string_view name, std::string_view overload) const {
    for (auto& p : denied_ops)
      if (matches(p, name, overload)) return false;
    if (allowed_ops.empty() || name.substr(0, 6) == "prim::") return true;
    for (auto& p : allowed_ops)
      if (matches(p, name, overload)) return true;
    return false;
  }

 private:
  static bool matches(std::string_view pattern, std::string_view name, std::string_view overload) {
    if (!pattern.empty() && pattern.back() == '*')
      return overload.substr(0, pattern.size() - 1) == pattern.substr(0, pattern.size() - 1);
    return pattern == name || pattern == overload;
  }
};

}  // namespace sconce::script
