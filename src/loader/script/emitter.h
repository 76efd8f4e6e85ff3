// SPDX-License-Identifier: Apache-2.0
// From syntax tree to SSA: names are resolved, operators chosen, values typed; then the rewrites
// that PyTorch's compiler runs (ssa.h). Follows PyTorch's frontend step by step, because the graph
// has to be PyTorch's to the node.
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <unordered_set>

#include "loader/script/compilation_unit.h"

namespace sconce::script {

struct Sugared;
using SugaredPtr = std::shared_ptr<Sugared>;

// An argument at a call.
struct Arg {
  Value* value;
  std::string name;  // keyword, or empty
};

// What an expression denotes before it is forced to be a graph value.
struct Sugared {
  enum class Kind : uint8_t {
    Simple,
    None,
    Builtin,
    Cast,
    Magic,
    SpecialForm,
    Print,
    Exception,
    ExceptionMessage,
    Method,
    Function,
    Class,
    EnumClass,
    NamedTuple,
    OpNamespace,
    Ops,
    Constants,
    ClassNamespace,
    Range,
    Iterables,
    TupleOfSugared,
    Closure,
    TensorCast,
    Slice
  };
  Kind kind;
  Value* value = nullptr;  // Simple; Method: self; Builtin: self or null; Closure
  std::string name;        // Builtin: qualified operator; Method; Magic; Exception; namespaces
  SugaredPtr base;         // Magic
  TypePtr type = nullptr;  // Cast, Class, EnumClass, NamedTuple
  Symbol form;             // SpecialForm
  sconce::Function* function = nullptr;
  std::vector<SugaredPtr> children;                         // Iterables, TupleOfSugared
  Value *start = nullptr, *end = nullptr, *step = nullptr;  // Range
  bool only_end = false;
  std::optional<int64_t> static_len;  // Range, Iterables: unrolled when known
  int64_t dtype = 0;                  // TensorCast
};

struct Refinement {
  std::string name;
  TypePtr type;
};
struct RefinementSet {
  std::vector<Refinement> when_true, when_false;
  RefinementSet And(const RefinementSet& r) const;
  RefinementSet Or(const RefinementSet& r) const;
  RefinementSet Not() const { return {when_false, when_true}; }
};
struct Cond {
  Value* value;
  RefinementSet refinements;
  std::optional<bool> static_if;
};

// One lexical block: variables are stored by name; graph values through Store/Load until SSA
// conversion.
struct Environment {
  Block* block;
  std::shared_ptr<Environment> next;
  std::map<std::string, SugaredPtr> values;
  std::map<std::string, TypePtr> types;
  std::map<std::string, std::string> errors;
};
using EnvironmentPtr = std::shared_ptr<Environment>;

class Emitter {
 public:
  Emitter(CompilationUnit& cu, Function& f) : cu_(cu), fn_(f), types_(cu.types()) {}
  // Compiles def into f.graph and completes f.schema.
  void run(const Tree& def);
  // A default value or class constant: compiles the expression and reads the folded constant.
  IValue constant(const TreeRef& expr, TypePtr type);

 private:
  // environment (emit_scope.cpp)
  EnvironmentPtr push_frame(Block* b, bool starts_def = false);
  EnvironmentPtr pop_frame(bool ends_def = false);
  SugaredPtr find_in_frame(Environment& e, const std::string& name);
  SugaredPtr find(const EnvironmentPtr& from, const std::string& name);
  void set_var(const std::string& name, Value* v) { set_sugared(name, simple(v), nullptr); }
  void set_sugared(const std::string& name, const SugaredPtr& v, TypePtr annotated);
  SugaredPtr get_sugared(const std::string& name);
  Value* get_var(const std::string& name) { return as_value(get_sugared(name)); }
  void remove_var(const std::string& name);
  SugaredPtr resolve_global(const std::string& name);

  // statements (emit_statement.cpp)
  void emit_def(const Tree& def, Block* block, bool is_closure);
  void statements(const Tree& list);
  void statement(const TreeRef& s);
  void if_statement(const Tree& s);
  void if_blocks(const Cond& cond, const TreeRef& yes, const TreeRef& no);
  void loop(const std::function<void()>& body, const SugaredPtr& iter, const TreeRef& targets,
            const TreeRef& cond);
  void for_loop(const TreeRef& targets, const TreeRef& iter, const std::function<void()>& body);
  void with(const Tree& s);
  void return_statement(const TreeRef& expr);
  void raise_statement(const TreeRef& expr);
  void assert_statement(const Tree& s);
  void del(const Tree& s);
  void assignment(const Tree& s);
  void assign(const TreeRef& lhs, const TreeRef& rhs, TypePtr type);
  void assign_tuple(const Tree& lhs, const SugaredPtr& rhs);
  void assign_each(const std::vector<TreeRef>& lhs, const std::vector<SugaredPtr>& rhs,
                   size_t n_binders);
  size_t binders(const std::vector<TreeRef>& lhs);
  void subscript_assign(const Tree& lhs, Value* rhs);
  void aug_assign(const Tree& s);
  Value* aug_value(const Tree& s, Value* lhs);
  std::string aug_op(const Tree& s, TypePtr t);
  void closure_def(const Tree& def);
  SugaredPtr closure(const std::function<void(Block*)>& body);
  void set_attr(const SugaredPtr& object, const std::string& name, Value* v);

  // conditions (emit_condition.cpp)
  Cond condition(const TreeRef& e);
  Cond short_circuit(const TreeRef& a, const TreeRef& b, bool is_or);
  Cond is_instance(const TreeRef& obj, const TreeRef& classes);
  Cond has_attr_condition(const TreeRef& obj, const TreeRef& name);
  Cond constant_condition(bool v, RefinementSet r = {});
  Value* if_expression(const Cond& c, const std::function<Value*()>& yes,
                       const std::function<Value*()>& no);
  Value* ternary(const Tree& e, TypePtr hint);
  Value* to_bool(Value* v);
  void insert_refinements(const std::vector<Refinement>& r);

  // expressions (emit_expression.cpp)
  Value* expression(const TreeRef& e, TypePtr hint = nullptr);
  SugaredPtr sugared(const TreeRef& e, TypePtr hint = nullptr);
  Value* simple_expression(const TreeRef& e, TypePtr hint);
  SugaredPtr apply(const Tree& e, TypePtr hint);
  SugaredPtr apply_special(const Tree& e, Symbol form, const SugaredPtr& callee, TypePtr hint);
  SugaredPtr subscript(const Tree& e, TypePtr hint);
  // For what PyTorch emits once more and doesn't use: the graph is to be its to the node. Within
  // itself as often as is not too much: it doubles what is within. value: takes its value, if it is
  // emitted.
  void repeat(const TreeRef& e, Value** value = nullptr);
  Value* binary(const Tree& e);
  Value* unary(const Tree& e, const char* magic, const char* op);
  Value* number(const Tree& e);
  Value* list_literal(const Tree& e, TypePtr hint);
  Value* dict_literal(const Tree& e, TypePtr hint);
  Value* list_comprehension(const TreeRef& elt, const TreeRef& target, const TreeRef& iter,
                            TypePtr hint);
  Value* dict_comprehension(const TreeRef& key, const TreeRef& value, const TreeRef& target,
                            const TreeRef& iter, TypePtr hint);
  SugaredPtr list_call(const Tree& e, TypePtr hint);
  SugaredPtr dict_call(const Tree& e, TypePtr hint);
  SugaredPtr fork(const Tree& e, bool awaitable);
  SugaredPtr enumerate(const Tree& e);
  std::pair<Value*, std::vector<Value*>> int_and_slice_indexing(Value* v, const Tree& subs);
  Value* multi_index(Value* v, const Tree& subs);
  Value* slice(Value* v, Value* dim, const Tree& s);
  Value* tuple_index(Value* tup, Value* idx);
  Value* tuple_slice(Value* tup, Value* start, Value* end, Value* step);
  std::vector<Value*> values(const std::vector<TreeRef>& list, bool unpack);
  std::vector<Arg> args(const Tree& list);
  std::vector<Arg> kwargs(const Tree& list);
  TypePtr refine_hint(TypePtr hint, TypeKind wanted);

  // sugared values (sugar.cpp)
  static SugaredPtr simple(Value* v);
  static SugaredPtr make(Sugared::Kind k, const std::string& name = "");
  static SugaredPtr special(Symbol form);
  Value* as_value(const SugaredPtr& s);
  SugaredPtr attr(const SugaredPtr& s, const std::string& name);
  SugaredPtr value_attr(Value* v, const std::string& name);
  bool has_attr(const SugaredPtr& s, const std::string& name);
  SugaredPtr call(const SugaredPtr& s, std::vector<Arg> args, std::vector<Arg> kwargs);
  SugaredPtr call_method(Value* self, const std::string& name, std::vector<Arg> args,
                         std::vector<Arg> kwargs);
  std::vector<SugaredPtr> as_tuple(const SugaredPtr& s, std::optional<size_t> size_hint);
  SugaredPtr iter(const SugaredPtr& s);
  Value* len(const SugaredPtr& s);
  SugaredPtr getitem(const SugaredPtr& s, Value* idx, TypePtr hint = nullptr);
  static std::optional<int64_t> static_len(const SugaredPtr& s);
  SugaredPtr range(const std::vector<Value*>& inputs, std::optional<int64_t> len);
  void base_iterables(const SugaredPtr& s, std::vector<SugaredPtr>& out);
  std::string kind_name(const SugaredPtr& s);

  // schema matching (match.cpp)
  struct Match {
    std::vector<Value*> inputs;
    std::vector<TypePtr> returns;
    std::vector<std::string> fields;  // all returns have names
  };
  std::optional<Match> try_match(const FunctionSchema& s, const std::vector<Arg>& args,
                                 const std::vector<Arg>& kwargs, Value* self, std::string* why,
                                 bool conversions);
  TypePtr with_classes(TypePtr t);
  Value* try_match_argument(const Argument& a, Value* v, std::string* why, bool conversions,
                            TypeEnv& env);
  Match match(const FunctionSchema& s, const std::vector<Arg>& args, const std::vector<Arg>& kwargs,
              Value* self);
  Value* try_convert(TypePtr wanted, Value* v, bool conversions);
  // A call of what isn't here: an operator of the user's own that nobody registered, a method of an
  // absent class. It raises when it is reached. What it returns isn't known; tensors are the
  // likeliest, as many as the statement wants, unless result says better.
  Value* unknown_call(const std::string& name, Value* self, const std::vector<Arg>& args,
                      const std::vector<Arg>& kwargs, TypePtr result);
  Value* builtin_call(const std::string& name, const std::vector<Arg>& args,
                      const std::vector<Arg>& kwargs = {}, Value* self = nullptr);
  Value* builtin(const std::string& name, const std::vector<Value*>& inputs);
  bool builtin_exists(const std::string& name, Value* self);
  bool convertible_to_list(TypePtr t, TypePtr list) const;
  Value* pack(const std::vector<Value*>& outs, const std::vector<std::string>& fields);

  template <class... A>
  [[noreturn]] void error(const A&... parts) {
    script_error(graph_->current_range, parts...);
  }
  Value* insert_constant(IValue v, TypePtr t = nullptr) {
    return graph_->insert_constant(std::move(v), t);
  }
  Value* front_constant(IValue v);
  // Throws PolicyError when the host doesn't let the file's code use the operator.
  void check_policy(std::string_view name, std::string_view overload) {
    if (cu_.policy) refuse_by_policy(name, overload);
  }
  void refuse_by_policy(std::string_view name, std::string_view overload);
  Node* insert(Symbol kind, const std::vector<Value*>& in, size_t n_out = 1) {
    if (kind.is_prim()) check_policy(kind.view(), kind.view());
    return graph_->insert_node(graph_->create(kind, in, n_out));
  }
  Value* unchecked_cast(Value* v, TypePtr t);

  CompilationUnit& cu_;
  Function& fn_;
  size_t wanted_outputs_ = 1;  // of the call that is assigned to a list of names
  TypeTable& types_;
  Graph* graph_ = nullptr;
  EnvironmentPtr env_;
  std::unordered_set<Block*> exit_blocks_;
  struct DefContext {
    TypePtr declared = nullptr, merged = nullptr;
  };
  std::deque<DefContext> defs_;  // references stay while inner functions come and go
  enum class LoopStatus { None, Loop, Unrolled } loop_ = LoopStatus::None;
  std::map<int64_t, Value*> ints_;
  std::map<std::pair<double, uint64_t>, Value*> floats_;
  std::map<std::pair<double, double>, Value*> complexes_;
  int temp_ = 0;
  int repeating_ = 0;    // repeat() within repeat()
  size_t repeated_ = 0;  // expressions that were emitted there
};

bool meaningful_name(const std::string& name);
bool is_tensor(TypePtr t);

// Sets the expression's range as the current one for its lifetime.
struct RangeScope {
  RangeScope(Graph& g, const SourceRange& r) : g_(g), saved_(g.current_range) {
    g.current_range = r;
  }
  ~RangeScope() { g_.current_range = saved_; }
  Graph& g_;
  SourceRange saved_;
};

}  // namespace sconce::script
