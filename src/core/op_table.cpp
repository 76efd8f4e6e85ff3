// SPDX-License-Identifier: Apache-2.0
#include "core/op_table.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "core/budget.h"
#include "core/method_call.h"
#include "core/operator_use.h"
#include "core/selection.h"

namespace sconce {

void Operator::set_text(const char* schema) {
  text_ = schema;
  name_size_ = static_cast<uint32_t>(std::strcspn(schema, ".("));
  full_size_ = name_size_ + static_cast<uint32_t>(std::strcspn(schema + name_size_, "("));
}
const FunctionSchema& Operator::schema() const {
  std::call_once(once_,
                 [&] { schema_ = std::make_unique<const FunctionSchema>(parse_schema(text_)); });
  return *schema_;
}

namespace {
bool has_tensor_argument(const char* text) {
  std::string_view args(text);
  args = args.substr(0, args.rfind(") -> "));
  for (size_t at = args.find("Tensor"); at != std::string_view::npos;
       at = args.find("Tensor", at + 1)) {
    char next = at + 6 < args.size() ? args[at + 6] : ' ';
    if (next == ' ' || next == '(' || next == '?') return true;
  }
  return false;
}
}  // namespace

OpTable::OpTable(const char* const* schemas, size_t count, const std::vector<RowList>& rows)
    : ops_(new Operator[count]), count_(count) {
  for (size_t i = 0; i < count; ++i) ops_[i].set_text(schemas[i]);
  for (const RowList& list : rows)
    for (size_t i = 0; i < list.count; ++i) {
      std::string_view name = list.rows[i].name;
      if (name.size() > 2 && name.substr(name.size() - 2) == ".*") continue;
      auto* op = const_cast<Operator*>(find_overload(name));
      if (op)
        op->kernel = list.rows[i].kernel;
      else
        unmatched_.push_back(list.rows[i].name);
    }
  // "aten::len.*": every overload without a tensor argument that has no kernel of its own.
  for (const RowList& list : rows)
    for (size_t i = 0; i < list.count; ++i) {
      std::string_view name = list.rows[i].name;
      if (name.size() <= 2 || name.substr(name.size() - 2) != ".*") continue;
      Range range = find(name.substr(0, name.size() - 2));
      if (range.empty()) unmatched_.push_back(list.rows[i].name);
      for (const Operator& o : range)
        if (!o.kernel && !has_tensor_argument(o.text()))
          const_cast<Operator&>(o).kernel = list.rows[i].kernel;
    }
  for (size_t i = 0; i < count; ++i)
    if (!ops_[i].kernel) derive(ops_[i]);
}

void OpTable::wrap(std::string_view name, Kernel outer) {
  for (const Operator& o : find(name)) {
    auto& op = const_cast<Operator&>(o);
    if (!op.kernel || op.plain) continue;
    op.plain = op.kernel;
    op.kernel = outer;
  }
}

Checks* OpTable::check(std::string_view full_name, Kernel check) {
  auto* op = const_cast<Operator*>(find_overload(full_name));
  if (!op || !op->kernel) return nullptr;
  if (!op->unchecked) {
    op->unchecked = op->kernel;
    op->kernel = check;
  }
  return &op->checks;
}

namespace {
std::atomic<OperatorUse*> operator_use{nullptr};

void note(std::set<std::string> OperatorUse::*which, std::string_view name) {
  OperatorUse* use = operator_use.load(std::memory_order_acquire);
  if (!use) return;
  std::lock_guard<std::mutex> lock(use->mutex);
  (use->*which).emplace(name);
}
}  // namespace

void note_operator_use(OperatorUse* use) { operator_use.store(use, std::memory_order_release); }

OpTable::Range OpTable::find(std::string_view name) const {
  note(&OperatorUse::asked, name);
  const Operator* b = ops_.get();
  const Operator* e = b + count_;
  auto lo = std::lower_bound(b, e, name,
                             [](const Operator& o, std::string_view n) { return o.name() < n; });
  auto hi = lo;
  while (hi != e && hi->name() == name) ++hi;
  if (lo == hi) {
    std::shared_lock<std::shared_mutex> lock(custom_mutex_);
    auto it = custom_.find(name);
    if (it != custom_.end()) return it->second;
  }
  return {lo, hi};
}

bool OpTable::has_namespace(std::string_view ns) const {
  std::string prefix = std::string(ns) + "::";
  const Operator* b = ops_.get();
  auto lo = std::lower_bound(b, b + count_, std::string_view(prefix),
                             [](const Operator& o, std::string_view n) { return o.name() < n; });
  if (lo != b + count_ && lo->name().substr(0, prefix.size()) == prefix) return true;
  std::shared_lock<std::shared_mutex> lock(custom_mutex_);
  auto it = custom_.lower_bound(prefix);
  return it != custom_.end() && it->first.compare(0, prefix.size(), prefix) == 0;
}

void OpTable::add(const CustomOp* rows, size_t count) {
  std::map<std::string, std::vector<const CustomOp*>> by_name;
  for (size_t i = 0; i < count; ++i) {
    FunctionSchema s = parse_schema(rows[i].schema);
    if (s.name.find("::") == std::string::npos)
      raise<ScriptError>("schema: '", rows[i].schema, "' names no namespace");
    for (const CustomOp* other : by_name[s.name])
      if (parse_schema(other->schema).overload == s.overload)
        raise<Error>("operator ", s.name, " is registered twice");
    by_name[s.name].push_back(&rows[i]);
  }
  std::unique_lock<std::shared_mutex> lock(custom_mutex_);
  for (auto& [name, list] : by_name) {
    const Operator* b = ops_.get();
    auto lo = std::lower_bound(b, b + count_, std::string_view(name),
                               [](const Operator& o, std::string_view n) { return o.name() < n; });
    if ((lo != b + count_ && lo->name() == name) || custom_.count(name))
      raise<Error>("operator ", name, " exists already");
  }
  for (auto& [name, list] : by_name) {
    auto ops = std::make_unique<Operator[]>(list.size());
    for (size_t i = 0; i < list.size(); ++i) {
      ops[i].set_text(list[i]->schema);
      ops[i].kernel = list[i]->kernel;
      ops[i].custom = true;
    }
    custom_[name] = {ops.get(), ops.get() + list.size()};
    custom_ops_.push_back(std::move(ops));
  }
}
std::vector<const Operator*> OpTable::custom() const {
  std::shared_lock<std::shared_mutex> lock(custom_mutex_);
  std::vector<const Operator*> r;
  for (auto& kv : custom_)
    for (const Operator& o : kv.second) r.push_back(&o);
  return r;
}

const Operator* OpTable::find_overload(std::string_view full_name) const {
  for (const Operator& o : find(full_name.substr(0, full_name.find('.'))))
    if (o.full_name() == full_name) return &o;
  return nullptr;
}

const Operator& OpTable::require(std::string_view full_name) const {
  if (const Operator* op = find_overload(full_name)) return *op;
  raise<MissingOp>(missing_operator_text(full_name));
}

namespace {
// The parameter list with alias marks, out arguments and "*, " removed: what a functional form and
// its variants share.
std::string parameters(const char* text, bool drop_out) {
  const char* p = std::strchr(text, '(') + 1;
  std::string r;
  int depth = 0;
  std::string item;
  auto flush = [&] {
    while (!item.empty() && item[0] == ' ') item.erase(0, 1);
    bool out = drop_out && item.find("!)") != std::string::npos;
    // alias marks: "(a!)", "(a)"
    for (size_t b; (b = item.find('(')) != std::string::npos;)
      item.erase(b, item.find(')', b) - b + 1);
    if (!out && item != "*" && !item.empty()) r += item + ";";
    item.clear();
  };
  for (; *p && !(depth == 0 && *p == ')'); ++p) {
    if (*p == '(' || *p == '[') ++depth;
    if (*p == ')' || *p == ']') --depth;
    if (*p == ',' && depth == 0)
      flush();
    else
      item += *p;
  }
  flush();
  return r;
}
}  // namespace

namespace {
// Without the options of factories, which their out= forms take from the tensor.
std::string without_options(std::string list) {
  static constexpr std::string_view kOptions =
      "Layout? layout=None;Device? device=None;bool? pin_memory=None;";
  const size_t at = list.find(kOptions);
  if (at == std::string::npos) return list;
  const size_t dtype = list.rfind("ScalarType? dtype=", at);
  if (dtype == std::string::npos || list.find(';', dtype) + 1 != at) return list;
  return list.erase(dtype, at - dtype + kOptions.size());
}
}  // namespace

void OpTable::derive(Operator& op) {
  std::string_view name = op.name();
  if (name.size() < 8 || name.substr(0, 6) != "aten::") return;
  bool in_place = name.back() == '_' && name[name.size() - 2] != '_';
  // Written arguments that are given by name.
  const char* named = std::strstr(op.text(), "*, ");
  bool out = std::strstr(op.text(), "!) out") || (named && !in_place && std::strstr(named, "!) "));
  if (!in_place && !out) return;
  std::string wanted = parameters(op.text(), out);
  for (const Operator& base : find(in_place ? name.substr(0, name.size() - 1) : name)) {
    if (!base.kernel || base.base || &base == &op || std::strstr(base.text(), "!)")) continue;
    const std::string has = parameters(base.text(), false);
    if (has != wanted && !(out && without_options(has) == wanted)) continue;
    op.base = &base;
    op.kernel = in_place ? derived_in_place : derived_out;
    return;
  }
}

MethodCaller& method_caller() {
  thread_local MethodCaller caller;
  return caller;
}

std::string missing_operator_text(std::string_view name, [[maybe_unused]] std::string_view why) {
#ifdef SCONCE_REDUCED
  why =
      " isn't in this build of sconce (made from "
#include "sconce_selected_from.inc"
      ")";
#endif
  return std::string("operator ").append(name).append(why);
}

std::vector<IValue> run_operator(const Operator& op, std::vector<IValue> inputs) {
  if (!op.kernel) raise<MissingOp>(missing_operator_text(op.full_name()));
  note(&OperatorUse::run, op.full_name());
  size_t n_out = op.schema().returns.size();
  std::vector<IValue> outputs(n_out);
  std::vector<IValue*> in, out;
  for (auto& v : inputs) in.push_back(&v);
  for (auto& v : outputs) out.push_back(&v);
  Call c(&op, in.data(), nullptr, static_cast<uint32_t>(in.size()), out.data(),
         static_cast<uint32_t>(n_out));
  if (Budget* b = context().budget)
    run_kernel(*b, op.kernel, c);
  else
    run_kernel(op.kernel, c);
  return outputs;
}

}  // namespace sconce
