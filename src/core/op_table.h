// SPDX-License-Identifier: Apache-2.0
// The operator table: every known schema in PyTorch's registration order, and the kernels that
// sconce has.
#pragma once
#include <memory>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/device.h"
#include "core/schema.h"
#include "sconce/op.h"

namespace sconce {

// A row of an operator file: "aten::add.Tensor" and its function. The schema stands once, in
// schemas.inc.
struct OpDef {
  const char* name;
  Kernel kernel;
  // Spelling of the C++ parameters, for the test that compares them with the schema; null for
  // generic kernels.
  std::string (*signature)() = nullptr;
};

class Call;

// A tensor that an operator writes into, and what it may not lie over.
struct WriteCheck {
  const char* name;        // the operator
  uint32_t argument;       // the written one
  bool internal;           // its elements may not share memory
  bool exact_dtype;        // an out= form that takes the result's dtype only
  uint32_t partial, full;  // bit n: argument n may not share its memory in part, or not at all
};

// What is refused before a kernel runs.
struct Checks {
  uint32_t refused_dtypes = 0;  // bit n: the dtype with number n
  void (*limits)(const Call& c) = nullptr;
  const WriteCheck* writes = nullptr;
  uint32_t n_writes = 0;
};

struct Operator {
  const char* text() const { return text_; }  // the schema
  Kernel kernel = nullptr;                    // null: not implemented
  Kernel plain = nullptr;      // what a wrapper around the kernel calls; null: no wrapper
  Kernel unchecked = nullptr;  // what the checks stand in front of; null: no checks
  Checks checks;
  bool custom = false;             // registered by the host: may look at elements itself
  const Operator* base = nullptr;  // for derived in-place and out= forms: the functional operator
  std::string_view full_name() const { return {text_, full_size_}; }  // "aten::add.Tensor"
  std::string_view name() const { return {text_, name_size_}; }       // "aten::add"
  const FunctionSchema& schema() const;
  void call(Call& c) const { run_kernel(kernel, c); }

  void set_text(const char* schema);  // which lives as long as the operator

 private:
  friend class OpTable;
  const char* text_ = nullptr;
  uint32_t name_size_ = 0, full_size_ = 0;
  mutable std::once_flag once_;
  mutable std::unique_ptr<const FunctionSchema> schema_;
};

class OpTable {
 public:
  struct Range {
    const Operator *first, *last;
    const Operator* begin() const { return first; }
    const Operator* end() const { return last; }
    bool empty() const { return first == last; }
    size_t size() const { return static_cast<size_t>(last - first); }
  };
  struct RowList {
    const OpDef* rows;
    size_t count;
  };
  // schemas: sorted by name, overloads in registration order.
  OpTable(const char* const* schemas, size_t count, const std::vector<RowList>& rows);
  // All overloads of "aten::add" in the order in which they are tried.
  Range find(std::string_view name) const;
  // "aten::add.Tensor"; null when unknown.
  const Operator* find_overload(std::string_view full_name) const;
  // One that has to be there: throws MissingOp when it isn't in this build.
  const Operator& require(std::string_view full_name) const;
  // Some operator is called "ns::...".
  bool has_namespace(std::string_view ns) const;
  // Adds operators of the host; their addresses stay. Throws Error for a name that is known,
  // ScriptError for a broken schema; then nothing is added.
  void add(const CustomOp* rows, size_t count);
  // Puts outer around the kernel of every overload of "aten::relu" that has one.
  void wrap(std::string_view name, Kernel outer);
  // Puts check in front of the kernel of "aten::add.Tensor", and gives the checks to fill in; null
  // when there is no kernel.
  Checks* check(std::string_view full_name, Kernel check);
  // Without those of the host.
  size_t size() const { return count_; }
  const Operator& at(size_t i) const { return ops_[i]; }
  std::vector<const Operator*> custom() const;
  // Rows whose name no schema has; a test wants this empty.
  const std::vector<std::string>& unmatched() const { return unmatched_; }

 private:
  void derive(Operator& op);
  std::unique_ptr<Operator[]> ops_;
  size_t count_;
  std::vector<std::string> unmatched_;
  mutable std::shared_mutex custom_mutex_;
  std::vector<std::unique_ptr<Operator[]>> custom_ops_;
  std::map<std::string, Range, std::less<>> custom_;  // by name
};

// Runs op on plain values; results in order. Throws what the kernel throws, MissingOp when there is
// none.
std::vector<IValue> run_operator(const Operator& op, std::vector<IValue> inputs);

// Kernels of derived forms; set by ops.
void derived_in_place(Call& c);
void derived_out(Call& c);

}  // namespace sconce
