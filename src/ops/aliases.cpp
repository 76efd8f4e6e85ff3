// SPDX-License-Identifier: Apache-2.0
// Operators that are another one under a second name (core/aliases.h). A compiled graph calls the
// first name; the second is called by hosts (sconce/torch.h) and by graphs that came as text.
#include "ops/aliases.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "core/aliases.h"
#include "support/lasting.h"

namespace sconce::ops {

namespace {

std::string_view full_name_of(std::string_view schema) {
  return schema.substr(0, schema.find('('));
}
std::string_view without_overload(std::string_view full) { return full.substr(0, full.find('.')); }

// "Tensor,Scalar,*,Tensor(a!)": the types of a schema's arguments, without names and defaults.
std::string types_of(std::string_view schema) {
  const size_t open = schema.find('('), close = schema.rfind(") ->");
  std::string types;
  int depth = 0;
  size_t begin = open + 1;
  for (size_t i = begin; i <= close; ++i) {
    const char c = schema[i];
    if (c == '(' || c == '[') ++depth;
    if (i < close && (c == ')' || c == ']')) --depth;
    if (i < close && (c != ',' || depth)) continue;
    std::string_view argument = schema.substr(begin, i - begin);
    argument.remove_prefix(std::min(argument.find_first_not_of(' '), argument.size()));
    // "Tensor(a) self", "int? dim=None": the name follows the last blank before a default.
    const size_t name = argument.substr(0, argument.find('=')).rfind(' ');
    types += std::string(argument.substr(0, name)) + ",";
    begin = i + 1;
  }
  return types;
}

struct Rows {
  std::vector<std::string> names;  // what the rows point to
  std::vector<OpDef> rows;
  std::unordered_map<std::string_view, std::string> targets;  // full names
};
const Rows* made_rows = nullptr;
const OpTable* made_table = nullptr;

void forward(Call& c) {
  const std::string& target = made_rows->targets.at(c.op()->full_name());
  const Operator* op = made_table->find_overload(target);
  if (!op || !op->kernel)
    raise<MissingOp>("operator ", c.op()->full_name(), " is ", target,
                     ", which is not implemented in sconce");
  std::vector<IValue> in;
  for (uint32_t i = 0; i < c.n_in(); ++i) in.push_back(c.in(i));
  std::vector<IValue> out = run_operator(*op, std::move(in));
  for (uint32_t i = 0; i < c.n_out() && i < out.size(); ++i) c.out(i, std::move(out[i]));
}

}  // namespace

OpTable::RowList alias_rows(const char* const* schemas, size_t count,
                            const std::vector<OpTable::RowList>& others) {
  static const Lasting<const Rows> rows([&] {
    auto* r = new Rows;
    std::unordered_set<std::string_view> known;
    for (const OpTable::RowList& list : others)
      for (size_t i = 0; i < list.count; ++i) known.insert(list.rows[i].name);
    std::unordered_map<std::string_view, std::vector<std::string_view>> by_name;
    for (size_t i = 0; i < count; ++i)
      by_name[without_overload(full_name_of(schemas[i]))].push_back(schemas[i]);
    for (const OpAlias& alias : kOpAliases) {
      const std::string from = std::string("aten::") + alias.from,
                        to = std::string("aten::") + alias.to;
      auto mine = by_name.find(from), theirs = by_name.find(to);
      if (mine == by_name.end() || theirs == by_name.end()) continue;
      for (std::string_view schema : mine->second) {
        if (known.count(full_name_of(schema))) continue;
        const std::string types = types_of(schema);
        for (std::string_view target : theirs->second)
          if (types_of(target) == types) {
            r->names.emplace_back(full_name_of(schema));
            r->targets.emplace(full_name_of(schema), full_name_of(target));
            break;
          }
      }
    }
    for (const std::string& name : r->names) r->rows.push_back({name.c_str(), forward, nullptr});
    return r;
  }());
  made_rows = &*rows;
  return {rows->rows.data(), rows->rows.size()};
}

std::string_view alias_target(std::string_view full_name) {
  const auto found = made_rows->targets.find(full_name);
  return found == made_rows->targets.end() ? std::string_view() : found->second;
}

void set_alias_table(const OpTable& table) { made_table = &table; }

}  // namespace sconce::ops
