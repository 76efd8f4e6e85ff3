// SPDX-License-Identifier: Apache-2.0
// Graphs and types to source text in the form in which PyTorch prints them, so that compiling the
// text gives the graph again. Entry: SourceFile::add().
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/op_table.h"
#include "ir/function.h"
#include "writer/names.h"
#include "writer/text.h"

namespace sconce::writer {

// What the printed text needs besides: constants, types and functions; and what it asks of its
// readers.
class Needs {
 public:
  // graph_of compiles a function where that wasn't done yet.
  Needs(Names& names, const OpTable& ops, std::function<Graph&(Function&)> graph_of)
      : names(names), ops(ops), graph_of(std::move(graph_of)) {}
  Names& names;
  const OpTable& ops;
  std::function<Graph&(Function&)> graph_of;
  std::optional<Device> device;   // what devices among the constants become
  uint64_t version = 3;           // the lowest that gives the operators their meaning
  std::string version_operator;   // that needs it
  std::vector<IValue> constants;  // CONSTANTS.cN

  // A class, enum, interface or NamedTuple, or a function: exactly one is set.
  struct Item {
    TypePtr type = nullptr;
    Function* function = nullptr;
  };
  std::vector<Item> items;  // in the order in which they were needed
  void add(TypePtr t);      // all named types in it
  void add(Function* f);
  std::string constant(const IValue& v);  // "CONSTANTS.c3"
  void uses(const Operator& op);

 private:
  static std::string form_of(const Tensor& t);
  std::unordered_set<const void*> seen_;
  std::unordered_map<const void*, size_t> known_;         // boxes that are constants
  std::unordered_multimap<std::string, size_t> tensors_;  // by their form and first bytes
  std::unordered_map<std::string, size_t> texts_;
  std::vector<IValue> keep_;  // so that no address is used twice
};

// Of each name, the number that the next one made of it gets. They go on through a file.
using NameNumbers = std::unordered_map<std::string, size_t>;

// The source file of one qualifier.
class SourceFile {
 public:
  explicit SourceFile(Needs& needs) : needs_(needs) {}
  // Throws Error for what has no source text.
  void add(const Needs::Item& item);
  // A class with functions as its methods.
  void add_class(const ClassType& t, const std::vector<Function*>& functions);
  const Text& text() const { return text_; }

 private:
  void line(size_t level, const std::string& s) {
    text_.add(std::string(2 * level, ' ') + s + "\n", Place());
  }
  void function(Function& f, size_t level, TypePtr self = nullptr);
  void named_tuple(TypePtr t);
  void interface(const InterfaceType& t);
  void enumeration(const EnumType& t);
  Needs& needs_;
  Text text_;
  NameNumbers numbers_;
};

// A literal, or an entry of CONSTANTS. Throws Error for a value that has neither.
std::string constant_text(const IValue& v, TypePtr type, Needs& needs);

// The body of one function.
class BodyPrinter {
 public:
  BodyPrinter(Needs& needs, Text& out, NameNumbers& numbers, size_t level,
              const std::string& function)
      : needs_(needs), out_(out), numbers_(numbers), level_(level), function_(function) {}
  // A name for a parameter, and what stands for it in the body.
  std::string parameter(Value* v, const std::string& wanted);
  void reserve(const std::string& name) { used_.insert(name); }
  void body(Block* b);

 private:
  [[noreturn]] void refuse(const Node* n, const std::string& why) const;

  // ---- which values are written where they are used (inline.cpp) ----
  bool can_inline(const Value* v) const;
  Node* scan_value(Node* point, Value* v, size_t depth);
  Node* scan_node(Node* n, size_t depth);
  void scan_block(Block* b);

  // ---- names ----
  std::string fresh_name(const std::string& wanted);
  std::string name_for(const Value* v);
  void name_all(const std::vector<Value*>& values);

  // ---- statements ----
  Text use(const Value* v) const;
  void put(std::string_view s) { out_.add(s, place()); }
  void indent() { put(std::string(2 * level_, ' ')); }
  void list(Text& t, const std::vector<Value*>& values, size_t from = 0) const;
  void block(Block* b, bool others);
  void statement(Node* n);
  void constants_of(Block* b, std::vector<Node*>& out);
  bool is_annotated(const Value* left, const Value* right);
  void assign(const std::vector<Value*>& left, const std::vector<Value*>& right, bool separately);
  void define(Node* n, const Text& right);
  void split(Value* v);
  void print_if(Node* n);
  void print_loop(Node* n);
  void print_counted_while(Node* n);
  void print_fork(Node* n);
  void print_enter(Node* n);
  void print_exit(Node* n);
  bool is_long(const Text& t) const { return t.str().size() + 2 * level_ >= 40; }

  // ---- expressions (expression.cpp) ----
  Text expression(Node* n);
  void call(Text& t, Node* n);
  void container(Text& t, Node* n);
  std::string annotation(TypePtr type);
  const Place& place() const { return places_.back(); }
  void add(Text& t, std::string_view s) const { t.add(s, place()); }

  Needs& needs_;
  Text& out_;
  NameNumbers& numbers_;
  size_t level_;
  const std::string& function_;
  std::vector<Place> places_{Place()};
  std::unordered_set<const Node*> inline_;
  std::unordered_set<const Node*> seen_constants_;
  std::unordered_map<const Node*, int64_t> split_;  // uses of an inline node that were looked at
  std::unordered_map<const Value*, std::string> names_;
  std::unordered_map<const Value*, Text> texts_;
  std::unordered_set<std::string> used_;
  std::unordered_set<const Value*> annotated_;
  std::vector<std::vector<Value*>> entered_{{}};  // by block
};

}  // namespace sconce::writer
