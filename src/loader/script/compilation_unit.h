// SPDX-License-Identifier: Apache-2.0
// The types and functions of one archive, compiled on demand from its sources.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "core/op_table.h"
#include "ir/function.h"
#include "loader/script/ast.h"
#include "loader/script/policy.h"

namespace sconce::script {

class CompilationUnit : public std::enable_shared_from_this<CompilationUnit> {
 public:
  // The text of "__torch__.a.b", or null.
  using SourceLoader = std::function<std::shared_ptr<const Source>(const std::string& qualifier)>;

  CompilationUnit(const OpTable& ops, SourceLoader loader, uint64_t version);

  const OpTable& ops() const { return ops_; }
  TypeTable& types() { return types_; }
  uint64_t version() const { return version_; }
  std::recursive_mutex& mutex() { return mutex_; }
  std::vector<IValue> constants;         // CONSTANTS.cN
  std::shared_ptr<const Policy> policy;  // null: everything is permitted
  // Operators of namespaces that nobody registered and methods of absent classes, as they were met.
  std::vector<std::pair<std::string, SourceRange>> unknown_operators;
  uint64_t next_mangle = 0;  // number of the next mangled name
  int64_t next_warning = 0;  // number of the next aten::warn that is compiled

  // Null when there is no such type / function.
  TypePtr find_type(const std::string& qualified_name);
  Function* find_function(const std::string& qualified_name);
  // A type annotation. Throws ScriptError.
  TypePtr parse_type(const TreeRef& expr);
  TypePtr parse_type_text(const std::string& text);
  // "List", "Dict", ... and plain names; null when text names no type.
  TypePtr plain_type(const std::string& name);
  // Adds the definitions of a source; functions get prefix. self: they are methods of it.
  void define(const std::vector<TreeRef>& defs, const std::string& prefix, ClassType* self);
  // The same from text; source_name stands in messages. Throws ScriptError.
  void define_text(const std::string& text, const std::string& source_name,
                   const std::string& prefix = "", ClassType* self = nullptr);
  ClassType* create_class(const std::string& qualified_name, bool is_module);
  // A name that no type has: "a.B" is "a.___torch_mangle_0.B", the next number each time.
  std::string mangle(const std::string& qualified_name);
  // The class of __torch__.torch.classes; one that isn't known comes without methods (is_absent).
  ClassType* native_class(const std::string& qualified_name);

  void ensure_schema(Function& f);
  void compile(Function& f);
  // Every function and method that has been met so far.
  const std::vector<std::unique_ptr<Function>>& functions() const { return functions_; }
  void set_types_known(const std::string& qualified_name, TypePtr t) { named_[qualified_name] = t; }

 private:
  void load_source(const std::string& qualifier);
  void import_type(const std::string& qualified_name, const Tree& cls);
  void import_class(const std::string& qualified_name, const Tree& cls, bool is_module);
  void import_enum(const std::string& qualified_name, const Tree& cls);
  void import_named_tuple(const std::string& qualified_name, const Tree& cls);
  void import_interface(const std::string& qualified_name, const Tree& cls, bool is_module);
  Function* add_function(const TreeRef& def, const std::string& prefix, ClassType* self);
  FunctionSchema schema_of(const Tree& def, ClassType* self, bool skip_self);
  void drop_conv_parameters(Block* b);
  IValue constant_expression(const TreeRef& expr, TypePtr type);

  const OpTable& ops_;
  SourceLoader loader_;
  uint64_t version_;
  TypeTable types_;
  std::recursive_mutex mutex_;
  std::unordered_set<std::string> loaded_;
  std::unordered_map<std::string, TreeRef> pending_;  // parsed, not yet imported
  std::unordered_map<std::string, TypePtr> named_;
  std::vector<std::unique_ptr<Type>> owned_types_;
  std::unordered_map<std::string, Function*> function_names_;
  std::vector<std::unique_ptr<Function>> functions_;
  std::unordered_map<const Function*, TreeRef> defs_;
};

// Functions that PyTorch itself writes in TorchScript and inlines where they are called
// ("aten::_pair", ...).
const std::vector<Function*>& builtin_functions(const OpTable& ops, std::string_view name);

}  // namespace sconce::script
