// SPDX-License-Identifier: Apache-2.0
// The typed SSA graph: Graph owns Blocks, Nodes and Values. Names and structure are PyTorch's.
//
// For the authors of passes (sconce/pass.h), and unstable: a program that includes this must be
// compiled again for every version of sconce. A graph and what is in it belong to one thread at a
// time; types live as long as the graph.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sconce/export.h"
#include "sconce/ivalue.h"

namespace sconce {

struct Function;
struct Operator;
struct Source;
class OpTable;

// An interned name such as "aten::add". Equality is one comparison.
class SCONCE_API Symbol {
 public:
  Symbol() = default;
  explicit Symbol(std::string_view text);
  // For the kinds below only: text is known to the intern table.
  struct Known {
    const char* text;
  };
  constexpr explicit Symbol(Known k) : text_(k.text) {}
  const char* str() const { return text_ ? text_ : ""; }
  std::string_view view() const { return str(); }
  bool operator==(Symbol o) const { return text_ == o.text_; }
  bool operator!=(Symbol o) const { return text_ != o.text_; }
  explicit operator bool() const { return text_ != nullptr; }
  const void* id() const { return text_; }
  bool is_prim() const { return view().substr(0, 6) == "prim::"; }
  bool is_aten() const { return view().substr(0, 6) == "aten::"; }
  // "add" of "aten::add"
  std::string_view unqualified() const;

 private:
  const char* text_ = nullptr;
};

// Kinds that the compiler itself knows.
namespace prim {
// clang-format off
#define SCONCE_PRIM_KINDS(X)                                                                     \
  X(Constant)                                                                                    \
  X(If)                                                                                          \
  X(Loop)                                                                                        \
  X(ListConstruct) X(ListUnpack) X(TupleConstruct) X(TupleUnpack) X(TupleIndex) X(TupleSlice)    \
      X(DictConstruct) X(GetAttr) X(SetAttr) X(CallMethod) X(CallFunction) X(CreateObject)       \
          X(isinstance) X(unchecked_cast) X(Uninitialized) X(RaiseException) X(Print) X(Enter)   \
              X(Exit) X(fork) X(awaitable) X(awaitable_wait) X(awaitable_nowait) X(tolist)       \
                  X(NumToTensor) X(EnumName) X(EnumValue) X(ModuleContainerIndex) X(Closure)     \
                      X(forkClosure) X(awaitableClosure) X(ReturnStmt) X(BreakStmt)              \
                          X(ContinueStmt) X(LoopContinuation) X(ComprehensionScope)              \
                              X(EmptyListLiteral) X(With) X(Store) X(Load) X(Param) X(Return)    \
                                  X(annotate) X(min) X(max) X(abs) X(dtype) X(device) X(HasAttr) \
                                      X(range) X(enumerate) X(zip) X(list) X(dict) X(rangelist)  \
                                          X(id) X(unchecked_unwrap_optional) X(TimePoint)        \
                                              X(AddStatValue)
// clang-format on
#define X(n)                                      \
  inline constexpr char n##_text[] = "prim::" #n; \
  inline constexpr Symbol n{Symbol::Known{n##_text}};
SCONCE_PRIM_KINDS(X)
#undef X
}  // namespace prim

struct SourceRange {
  std::shared_ptr<const Source> source;
  uint32_t start = 0, end = 0;
};

struct Attribute {
  enum class Kind : uint8_t {
    Int,
    Float,
    Complex,
    String,
    Ints,
    Floats,
    Strings,
    Type,
    Types,
    Graph,
    Value,
    Text  // of a constant that graph text doesn't tell whole; value is the text
  };
  Symbol name;
  Kind kind = Kind::Value;
  IValue value;  // Int, Float, Complex, String and lists of them; any constant for Value
  std::vector<TypePtr> types;  // Type, Types
  std::shared_ptr<struct Graph> graph;
};

struct Node;
struct Block;
struct Graph;
struct Value;

struct Use {
  Node* user;
  size_t offset;
};

struct SCONCE_API Value {
  Node* node = nullptr;  // the node that makes it; a block's inputs belong to its param node
  size_t offset = 0;     // which output
  TypePtr type = nullptr;
  std::string name;  // debug name; empty: print the number
  uint32_t id = 0;
  std::vector<Use> uses;

  bool has_uses() const { return !uses.empty(); }
  Value* set_type(TypePtr t) {
    type = t;
    return this;
  }
  Value* set_name(const std::string& n);
  void replace_all_uses_with(Value* v);
  Graph* graph() const;
};

struct SCONCE_API Node {
  Symbol kind;
  Graph* graph = nullptr;
  Block* owner = nullptr;  // the block it stands in; null while detached
  Node *prev = nullptr, *next = nullptr;
  std::vector<Value*> inputs;
  std::vector<Value*> outputs;
  std::vector<Block*> blocks;
  std::vector<Attribute> attributes;
  SourceRange range;
  Symbol scope;        // where a trace made it: "__module.a/__module.a.b"; mostly empty
  Symbol module_path;  // whose method's body it was before inlining, from self: "a.b"; not printed
  const Operator* op = nullptr;  // the schema that overload resolution chose
  Function* function = nullptr;  // CallFunction's constant: the callee

  Value* input(size_t i = 0) const { return inputs[i]; }
  Value* output(size_t i = 0) const { return outputs[i]; }
  Value* add_output(TypePtr t = nullptr);
  Value* insert_output(size_t i, TypePtr t = nullptr);
  void erase_output(size_t i);
  void add_input(Value* v);
  void insert_input(size_t i, Value* v);
  void replace_input(size_t i, Value* v);
  void remove_input(size_t i);
  void remove_all_inputs();
  Block* add_block();
  void erase_block(size_t i);

  // A node without a module_path is given its neighbour's.
  Node* insert_before(Node* n);
  Node* insert_after(Node* n);
  void move_before(Node* n);
  void move_after(Node* n);
  bool has_uses() const;
  // Removes it from its block and frees it; its outputs must be unused.
  void destroy();
  void replace_all_uses_with(Node* n);

  const Attribute* find(Symbol name) const;
  Attribute& set(Symbol name, Attribute::Kind k);
  Node* set_s(Symbol name, const std::string& v);
  Node* set_i(Symbol name, int64_t v);
  const std::string& s(Symbol name) const { return find(name)->value.toStringRef(); }
  bool is_constant() const { return kind == prim::Constant; }
  bool must_be_none() const;
  // "aten::add.Tensor" of the overload that it runs; empty where there is none.
  std::string overload() const;
  // Something besides its outputs comes of it: it writes, prints, raises on purpose, or calls code
  // that may.
  bool has_effects() const;
};

// The copies of values, while nodes are copied: of those made so far, and, asked of the given
// function, of those outside.
class SCONCE_API Clones {
 public:
  explicit Clones(std::function<Value*(Value*)> outer) : outer_(std::move(outer)) {}
  void add(Value* v, Value* copy) { made_[v] = copy; }
  Value* of(Value* v) const;

 private:
  std::unordered_map<Value*, Value*> made_;
  std::function<Value*(Value*)> outer_;
};

struct SCONCE_API Block {
  Graph* graph = nullptr;
  Node* owning_node = nullptr;  // null: the top block
  Node* param = nullptr;        // outputs are the block's inputs; also the list's head
  Node* ret = nullptr;          // inputs are the block's outputs; also the list's tail

  std::vector<Value*>& inputs() const { return param->outputs; }
  std::vector<Value*>& outputs() const { return ret->inputs; }
  Node* first() const { return param->next; }
  Node* last() const { return ret->prev; }
  bool empty() const { return param->next == ret; }
  Value* add_input(const std::string& name = "");
  Value* insert_input(size_t i) { return param->insert_output(i); }
  void erase_input(size_t i) { param->erase_output(i); }
  void register_output(Value* v) { ret->add_input(v); }
  void insert_output(size_t i, Value* v) { ret->insert_input(i, v); }
  void erase_output(size_t i) { ret->remove_input(i); }
  // Appends copies of src's nodes and outputs; map gives the copy of an outer value.
  template <class F>
  void clone_from(Block* src, F map);
  void clone_from(Block* src, Clones& clones);

  // for (Node* n : block->nodes()): the current node may be removed or moved.
  struct Iterator {
    Node *at, *next;
    Node* operator*() const { return at; }
    Iterator& operator++() {
      at = next;
      next = at->next;
      return *this;
    }
    bool operator!=(const Iterator& o) const { return at != o.at; }
  };
  struct Range {
    Block* b;
    Iterator begin() const { return {b->param->next, b->param->next->next}; }
    Iterator end() const { return {b->ret, nullptr}; }
  };
  Range nodes() { return {this}; }
};

struct SCONCE_API Graph : std::enable_shared_from_this<Graph> {
  Graph();
  ~Graph();
  Graph(const Graph&) = delete;

  Block* block() const { return block_; }
  std::vector<Value*>& inputs() const { return block_->inputs(); }
  std::vector<Value*>& outputs() const { return block_->outputs(); }
  Value* add_input(const std::string& name = "") { return block_->add_input(name); }

  // The most nodes that a graph may ever have had.
  static constexpr size_t kMaxNodes = 2'000'000;
  // Throws LimitError where that is reached, or a limit of the call that compiles it is.
  Node* create(Symbol kind, size_t num_outputs = 1);
  Node* create(Symbol kind, const std::vector<Value*>& inputs, size_t num_outputs = 1);
  Node* insert_node(Node* n) { return n->insert_before(insert_before_); }
  Node* insert_point() const { return insert_before_; }
  void set_insert_point(Node* before) { insert_before_ = before; }
  void set_insert_point(Block* at_end) { insert_before_ = at_end->ret; }

  Node* create_constant(IValue v, TypePtr type = nullptr);
  Value* insert_constant(IValue v, TypePtr type = nullptr);
  Node* create_uninitialized(TypePtr t);
  Node* create_list(TypePtr elem, const std::vector<Value*>& values);
  Node* create_tuple(const std::vector<Value*>& values, TypePtr named = nullptr);
  Node* create_tuple_unpack(Value* v);
  Node* create_load(const std::string& name, TypePtr t);
  Node* create_store(const std::string& name, Value* v);
  template <class F>
  Node* create_clone(Node* n, F map);
  Node* create_clone(Node* n, Clones& clones);
  std::shared_ptr<Graph> copy() const;

  TypeTable* types = &TypeTable::global();  // the archive's
  std::shared_ptr<const void> owner;        // keeps class types alive
  uint64_t op_version = ~uint64_t{0};       // archive version for upgraders; ~0: current

  SourceRange current_range;  // given to nodes as they are created
  // Number given to a value; names in use.
  uint32_t next_id = 0;
  std::unordered_map<std::string, Value*> names;
  std::unordered_map<std::string, size_t> name_suffix;

 private:
  friend struct Node;
  friend struct Block;
  void grown();
  Block* new_block(Node* owner);
  Value* new_value(Node* n, size_t offset, TypePtr t);
  void free_value(Value* v);
  Block* block_ = nullptr;
  Node* insert_before_ = nullptr;
  std::vector<std::unique_ptr<Node>> all_nodes_;
  std::vector<std::unique_ptr<Value>> all_values_;
  std::vector<std::unique_ptr<Block>> all_blocks_;
  Charge charge_;
};

class InsertPoint {
 public:
  InsertPoint(Graph& g, Node* before) : g_(g), saved_(g.insert_point()) {
    g.set_insert_point(before);
  }
  InsertPoint(Graph& g, Block* at_end) : InsertPoint(g, at_end->ret) {}
  ~InsertPoint() { g_.set_insert_point(saved_); }

 private:
  Graph& g_;
  Node* saved_;
};

// The constant's value, or nothing when v is no constant. Function constants, and those that a text
// doesn't tell whole, have no value.
SCONCE_API std::optional<IValue> constant_value(const Value* v);
// The outputs of an unpacked tuple; the inputs themselves when v was just constructed.
SCONCE_API std::vector<Value*> unpack_tuple(Value* v);
// Copies callee's nodes before the insert point; returns the copies of its outputs.
SCONCE_API std::vector<Value*> insert_graph(Graph& g, Graph& callee,
                                            const std::vector<Value*>& inputs);
// True when a stands before b in the printed text; both in one graph.
SCONCE_API bool is_before(Node* a, Node* b);

// str(graph) as PyTorch prints it.
SCONCE_API std::string print_graph(const Graph& g, bool comments = true);
// The same; lines: every node in the order of the text, with the offset of its line's first byte.
SCONCE_API std::string print_graph(const Graph& g, bool comments,
                                   std::vector<std::pair<const Node*, size_t>>& lines);
SCONCE_API std::string print_constant(const IValue& v, TypePtr type);
// Reads what print_graph and PyTorch's str(graph) write, and what PyTorch's parse_ir takes. Types
// of classes are known by name only; tensors that the text doesn't tell are Attribute::Kind::Text.
// ops (may be null) finds the operators of nodes; the graph isn't
// verified. name: for messages. Throws ScriptError with line,
// column and a caret.
SCONCE_API std::shared_ptr<Graph> parse_graph(const std::string& text, const OpTable* ops,
                                              const std::string& name = "<graph>");
SCONCE_API std::string quote_string(const std::string& s);
// Why a node of this kind can't run: "operator mylib::f is not registered", or what is absent of
// the class that "__torch__.torch.classes.mylib.Thing::run" names.
std::string unknown_call_text(std::string_view kind);
// Throws Error when the graph breaks a rule of its structure.
SCONCE_API void verify_graph(const Graph& g);

template <class F>
Node* Graph::create_clone(Node* n, F map) {
  Clones clones(map);
  return create_clone(n, clones);
}
template <class F>
void Block::clone_from(Block* src, F outer) {
  Clones clones(outer);
  clone_from(src, clones);
}

}  // namespace sconce

template <>
struct std::hash<sconce::Symbol> {
  size_t operator()(sconce::Symbol s) const { return std::hash<const void*>()(s.id()); }
};
