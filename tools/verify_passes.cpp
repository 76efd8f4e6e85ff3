// SPDX-License-Identifier: Apache-2.0
// sconce verify --with-passes: answers must be the same after a pipeline of passes.
#include <set>

#include "api/runtime.h"
#include "commands.h"
#include "passes/passes.h"
#include "verify.h"

namespace sconce::tool {

namespace {

// Without the numbers that copies of classes have in their names.
std::string without_marks(const std::string& s) {
  static const std::string mark = "___torch_mangle_";
  std::string out;
  for (size_t at = 0; at < s.size();) {
    if (s.compare(at, mark.size(), mark) != 0) {
      out += s[at++];
      continue;
    }
    at = std::min(s.find_first_not_of("0123456789", at + mark.size()), s.size());
    if (at < s.size() && s[at] == '.') ++at;
  }
  return out;
}

// All graphs of a module with functions of its own.
std::string all_graphs(const Module& m) {
  std::string text;
  for (auto& f : m.impl()->functions())
    if (f->graph)
      text += without_marks(f->qualified_name) + "\n" +
              without_marks(normalized_graph(print_graph(*f->graph, false)));
  return text;
}

}  // namespace

std::optional<Module> with_passes(const Module& m, const std::vector<Case>& cases,
                                  const Options& o) {
  std::set<std::string> methods;
  for (auto& c : cases)
    if (c.method != "forward" && c.method != "__call__") methods.insert(c.method);
  std::string kept;
  for (auto& name : methods) kept += (kept.empty() ? "" : ",") + name;
  auto with_methods = [&](const std::string& pipeline) {
    std::string text;
    for (std::string item : pipeline_items(pipeline)) {
      if (item == "freeze")
        item = "freeze(preserved_attrs=[" + kept + "])";
      else if (item.rfind("freeze(", 0) == 0 && item.find("preserved_attrs") == std::string::npos)
        item.insert(7, "preserved_attrs=[" + kept + "],");
      text += (text.empty() ? "" : ",") + item;
    }
    return text;
  };
  const std::string before = with_methods(o.passes_before), passes = with_methods(o.with_passes);
  Module changed = m.optimize(before.empty() ? passes : before + "," + passes);
  if (all_graphs(changed) == all_graphs(m.optimize(before))) return std::nullopt;
  return changed;
}

}  // namespace sconce::tool
