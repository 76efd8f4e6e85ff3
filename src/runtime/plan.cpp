// SPDX-License-Identifier: Apache-2.0
// From graph to plan.
#include "runtime/plan.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "ir/cleanup.h"
#include "support/stack.h"

namespace sconce {

namespace {

struct ScalarRow {
  const char* kind;
  TypeKind a, b;
  Op op;
};
constexpr TypeKind I = TypeKind::Int, F = TypeKind::Float;
// The scalar operators with an opcode of their own; all others go through their kernels.
constexpr ScalarRow kScalars[] = {{"aten::add", I, I, Op::AddInt},
                                  {"aten::sub", I, I, Op::SubInt},
                                  {"aten::mul", I, I, Op::MulInt},
                                  {"aten::remainder", I, I, Op::RemInt},
                                  {"aten::floordiv", I, I, Op::FloorDivInt},
                                  {"aten::__and__", I, I, Op::AndInt},
                                  {"aten::__or__", I, I, Op::OrInt},
                                  {"aten::__xor__", I, I, Op::XorInt},
                                  {"aten::eq", I, I, Op::EqInt},
                                  {"aten::ne", I, I, Op::NeInt},
                                  {"aten::lt", I, I, Op::LtInt},
                                  {"aten::le", I, I, Op::LeInt},
                                  {"aten::gt", I, I, Op::GtInt},
                                  {"aten::ge", I, I, Op::GeInt},
                                  {"aten::add", F, F, Op::AddFloat},
                                  {"aten::sub", F, F, Op::SubFloat},
                                  {"aten::mul", F, F, Op::MulFloat},
                                  {"aten::div", F, F, Op::DivFloat},
                                  {"aten::lt", F, F, Op::LtFloat},
                                  {"aten::le", F, F, Op::LeFloat},
                                  {"aten::gt", F, F, Op::GtFloat},
                                  {"aten::ge", F, F, Op::GeFloat}};

// A comparison and the jump on its result, in one.
struct FusedRow {
  Op compare, jump;
};
constexpr FusedRow kFused[] = {
    {Op::EqInt, Op::JumpIfNotEqInt},     {Op::NeInt, Op::JumpIfNotNeInt},
    {Op::LtInt, Op::JumpIfNotLtInt},     {Op::LeInt, Op::JumpIfNotLeInt},
    {Op::GtInt, Op::JumpIfNotGtInt},     {Op::GeInt, Op::JumpIfNotGeInt},
    {Op::LtFloat, Op::JumpIfNotLtFloat}, {Op::LeFloat, Op::JumpIfNotLeFloat},
    {Op::GtFloat, Op::JumpIfNotGtFloat}, {Op::GeFloat, Op::JumpIfNotGeFloat}};

struct OpcodeRow {
  const char* name;
  std::string_view operands;
  bool scalar;
};
constexpr OpcodeRow kOpcodes[] = {
#define SCONCE_SCALAR(name, operands, effect) {#name, operands, true},
#define SCONCE_OP(name, operands, effect) {#name, operands, false},
#include "runtime/opcodes.def"
#undef SCONCE_OP
};
const OpcodeRow& opcode(Op op) { return kOpcodes[static_cast<size_t>(op)]; }

bool counted(TypeKind kind) {
  switch (kind) {
    case TypeKind::Int:
    case TypeKind::Float:
    case TypeKind::Bool:
    case TypeKind::None:
    case TypeKind::Device: return false;
    default: return true;
  }
}

class Planner {
 public:
  Planner(Plan& p, const OpTable& ops) : p_(p), ops_(ops) {}

  void run() {
    Block* b = p_.graph->block();
    for (Value* v : b->inputs()) slot(v);
    p_.n_inputs = static_cast<uint32_t>(b->inputs().size());
    while (find_loose(b)) {
    }
    find_last_uses(b);
    block(b);
    for (Value* v : b->outputs()) p_.loose_result |= loose_.count(v) != 0;
    site(nullptr, b->outputs(), {});
    emit(Op::Return, last_site());
    place_numbers();
    p_.n_slots = next_;
  }

 private:
  // Scalar instructions read slots alone: the constants among their operands get some.
  void place_numbers() {
    std::unordered_map<uint32_t, uint32_t> placed;
    auto place = [&](uint32_t& o) {
      if (!(o & kConstant)) return;
      auto [it, added] = placed.emplace(o, next_);
      if (added) {
        p_.numbers.push_back(p_.constants[o & kIndex]);
        ++next_;
      }
      o = it->second;
    };
    for (Instruction& x : p_.code)
      if (opcode(x.op).scalar) place(x.a), place(x.b), place(x.c);
  }
  uint32_t slot(const Value* v) {
    auto it = slots_.find(v);
    if (it != slots_.end()) return it->second;
    return slots_[v] = next_++;
  }
  uint32_t constant(IValue v) {
    p_.constants.push_back(std::move(v));
    return static_cast<uint32_t>(p_.constants.size() - 1) | kConstant;
  }
  // ---- floats that may be complex numbers ----

  // Operators of two Scalars answer a float, their schemas say, and a complex number when one of
  // the Scalars is one. Such a value, and what carries it on within this plan, is used by kernels
  // alone, which look at what they are given.
  TypeKind kind(const Value* v) const { return loose_.count(v) ? TypeKind::Number : v->type->kind; }
  bool may_be_complex(const Value* v) const {
    return kind(v) == TypeKind::Number || kind(v) == TypeKind::Complex;
  }
  bool answers_loosely(const Node* n) const {
    if (n->outputs.size() != 1 || n->outputs[0]->type->kind != TypeKind::Float) return false;
    if (std::none_of(n->inputs.begin(), n->inputs.end(),
                     [&](const Value* v) { return may_be_complex(v); }))
      return false;
    const Operator* op = n->op ? n->op : resolve_operator(n, ops_);
    if (!op) return false;
    for (const Value* v : n->inputs)
      if (loose_.count(v)) return true;
    const auto& arguments = op->schema().arguments;
    for (size_t i = 0; i < arguments.size() && i < n->inputs.size(); ++i)
      if (arguments[i].type->kind == TypeKind::Number && may_be_complex(n->inputs[i])) return true;
    return false;
  }
  // Numbers, and tuples that hold some.
  static bool carries(const Node* n) {
    return n->kind == prim::TupleConstruct || n->kind == prim::TupleUnpack ||
           n->kind == prim::TupleIndex || n->kind == prim::TupleSlice ||
           n->kind == prim::unchecked_cast || n->kind == prim::unchecked_unwrap_optional;
  }
  // True when something was added.
  bool find_loose(Block* b) {
    check_stack();
    bool changed = false;
    auto add = [&](const Value* v) { changed |= loose_.insert(v).second; };
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) changed |= find_loose(inner);
      if (n->kind == prim::If) {
        for (Block* inner : n->blocks)
          for (size_t i = 0; i < n->outputs.size(); ++i)
            if (loose_.count(inner->outputs()[i])) add(n->outputs[i]);
      } else if (n->kind == prim::Loop) {
        Block* body = n->blocks[0];
        for (size_t i = 0; i < n->outputs.size(); ++i)
          if (loose_.count(n->inputs[i + 2]) || loose_.count(body->outputs()[i + 1])) {
            add(n->outputs[i]);
            add(body->inputs()[i + 1]);
          }
      } else if (carries(n)) {
        for (const Value* v : n->inputs)
          if (loose_.count(v))
            for (const Value* o : n->outputs) add(o);
      } else if (answers_loosely(n)) {
        add(n->outputs[0]);
      }
    }
    return changed;
  }
  // What n does with its inputs believes their types.
  bool believes(const Node* n) const {
    if (std::none_of(n->inputs.begin(), n->inputs.end(),
                     [&](const Value* v) { return loose_.count(v) != 0; }))
      return false;
    if (carries(n) || n->kind == prim::If || n->kind == prim::Loop || n->kind == prim::isinstance ||
        n->kind == prim::Print)
      return false;
    const Operator* op = n->op ? n->op : resolve_operator(n, ops_);
    return !op || !op->kernel || op->custom;
  }

  // Operand for reading v at node n.
  uint32_t operand(const Value* v, const Node* user) {
    if (v->node->kind == prim::Constant) {
      auto it = constants_.find(v);
      if (it != constants_.end()) return it->second;
      IValue c;
      if (v->node->function)
        c = IValue(make_ref<FunctionBox>(v->node->function));
      else if (auto known = constant_value(v))
        c = *known;
      else
        raise<Error>("the graph can't run: the value of the constant ", v->type->str(),
                     " isn't in its text");
      return constants_[v] = constant(std::move(c));
    }
    if (v->node->kind == prim::Uninitialized)
      return constants_.emplace(v, constant(IValue())).first->second;
    uint32_t s = slot(v);
    auto it = last_use_.find(v);
    bool last = user && it != last_use_.end() && it->second == user;
    return last && counted(kind(v)) ? s | kLast : s;
  }

  // The last use counts where it stands in the value's own block; a use inside a nested block
  // belongs to its owner.
  void find_last_uses(Block* b) {
    check_stack();
    auto visit = [&](const std::vector<Value*>& values) {
      for (Value* v : values) {
        Node* last = nullptr;
        for (const Use& u : v->uses) {
          Node* n = u.user;
          while (n->owner != b && n->owner->owning_node) n = n->owner->owning_node;
          if (n->owner != b) continue;
          if (!last || (n != last && is_before(last, n))) last = n;
        }
        if (last) last_use_[v] = last, ends_[last].push_back(v);
      }
    };
    visit(b->inputs());
    for (Node* n : b->nodes()) {
      visit(n->outputs);
      for (Block* inner : n->blocks) find_last_uses(inner);
    }
  }

  size_t emit(Op op, uint32_t a = 0, uint32_t b = 0, uint32_t c = 0) {
    p_.code.push_back({op, 0, a, b, c});
    p_.origin.push_back(current_);
    return p_.code.size() - 1;
  }
  uint32_t here() const { return static_cast<uint32_t>(p_.code.size()); }
  uint32_t last_site() const { return static_cast<uint32_t>(p_.sites.size() - 1); }
  CallSite& site(const Node* n, const std::vector<Value*>& in, const std::vector<Value*>& out) {
    CallSite s;
    s.node = n;
    s.first_in = static_cast<uint32_t>(p_.operands.size());
    s.n_in = static_cast<uint32_t>(in.size());
    std::vector<uint32_t> list;
    for (size_t i = 0; i < in.size(); ++i) {
      uint32_t o = operand(in[i], n);
      // The same value twice: only the last operand moves.
      if (o & kLast)
        for (size_t k = i + 1; k < in.size(); ++k)
          if (in[k] == in[i]) {
            o &= ~kLast;
            break;
          }
      list.push_back(o);
    }
    for (uint32_t o : list) p_.operands.push_back(o);
    s.first_out = static_cast<uint32_t>(p_.operands.size());
    s.n_out = static_cast<uint32_t>(out.size());
    for (Value* v : out) p_.operands.push_back(slot(v));
    p_.sites.push_back(s);
    return p_.sites.back();
  }
  CallSite& site(const Node* n) { return site(n, n->inputs, n->outputs); }

  bool is_plain(const Value* v) const {
    const TypeKind k = kind(v);
    return k == TypeKind::Int || k == TypeKind::Float || k == TypeKind::Bool;
  }
  // dst[i] = src[i] at once, although a source may be another's destination.
  // plain[i]: the type is a number's or bool's.
  void parallel_move(const std::vector<uint32_t>& dst, const std::vector<uint32_t>& src,
                     const std::vector<bool>& plain) {
    struct Pair {
      uint32_t d, s;
      bool plain;
    };
    std::vector<Pair> todo;
    for (size_t i = 0; i < dst.size(); ++i)
      if (dst[i] != (src[i] & ~kLast)) todo.push_back({dst[i], src[i], plain[i]});
    while (!todo.empty()) {
      bool progress = false;
      for (size_t i = 0; i < todo.size(); ++i) {
        bool read_later = false;
        for (size_t k = 0; k < todo.size(); ++k)
          read_later |= k != i && !(todo[k].s & kConstant) && (todo[k].s & kIndex) == todo[i].d;
        if (read_later) continue;
        emit(todo[i].plain ? Op::MovePlain : Op::Move, todo[i].d, todo[i].s & ~kLast, 0);
        todo.erase(todo.begin() + static_cast<ptrdiff_t>(i));
        progress = true;
        break;
      }
      if (progress) continue;
      // A cycle: save one destination's old value.
      uint32_t temp = next_++;
      emit(Op::Move, temp, todo[0].d, 0);
      for (auto& t : todo)
        if (!(t.s & kConstant) && (t.s & kIndex) == todo[0].d) t.s = temp;
    }
  }

  void block(Block* b) {
    for (Node* n : b->nodes()) {
      current_ = n;
      node(n);
      drops(n);
    }
  }
  // Frees what is not needed after n and was not moved by it.
  void drops(Node* n) {
    for (Value* v : n->outputs)
      if (!v->has_uses() && counted(kind(v)) && slots_.count(v)) emit(Op::Drop, slot(v));
    if (n->blocks.empty()) return;
    for (auto& v : pending_drops_[n]) emit(Op::Drop, slot(v));
  }
  void nested(Node* n) {
    // Values whose last use is inside n's blocks (or as n's input) die after n.
    for (const Value* v : ends_[n])
      if (counted(kind(v)) && slots_.count(v)) pending_drops_[n].push_back(v);
  }

  void node(Node* n) {
    Symbol k = n->kind;
    if (k == prim::Constant || k == prim::Uninitialized) return;
    if (!loose_.empty() && believes(n)) {
      site(n, n->inputs, {});
      emit(Op::Expect, last_site());
    }
    if (k == prim::If) return branch(n);
    if (k == prim::Loop) return loop(n);
    if (n->inputs.size() == 2 && n->outputs.size() == 1 && k.is_aten()) {
      for (auto& r : kScalars)
        if (r.a == kind(n->inputs[0]) && r.b == kind(n->inputs[1]) && k.view() == r.kind) {
          emit(r.op, slot(n->outputs[0]), operand(n->inputs[0], nullptr),
               operand(n->inputs[1], nullptr));
          return;
        }
      std::string_view name = k.unqualified();
      if (name == "__getitem__" && n->inputs[0]->type->kind == TypeKind::List) {
        emit(Op::GetItem, slot(n->outputs[0]), operand(n->inputs[0], nullptr),
             operand(n->inputs[1], nullptr));
        free_inputs(n);
        return;
      }
      if ((name == "__is__" || name == "__isnot__") && n->inputs[1]->type->kind == TypeKind::None) {
        emit(Op::IsNone, slot(n->outputs[0]), operand(n->inputs[0], nullptr), name == "__isnot__");
        free_inputs(n);
        return;
      }
    }
    if (n->inputs.size() == 1 && n->outputs.size() == 1 && k.is_aten()) {
      TypeKind of = kind(n->inputs[0]);
      bool negates = k.unqualified() == "neg" && (of == I || of == F);
      if (negates || (k.unqualified() == "__not__" && of == TypeKind::Bool)) {
        emit(!negates  ? Op::Not
             : of == I ? Op::NegInt
                       : Op::NegFloat,
             slot(n->outputs[0]), operand(n->inputs[0], nullptr));
        return;
      }
      if (k.unqualified() == "len" && n->inputs[0]->type->kind == TypeKind::List) {
        emit(Op::Len, slot(n->outputs[0]), operand(n->inputs[0], nullptr));
        free_inputs(n);
        return;
      }
    }
    struct Row {
      Symbol kind;
      Op op;
    };
    static const Row kRows[] = {{prim::ListConstruct, Op::List},
                                {prim::TupleConstruct, Op::Tuple},
                                {prim::DictConstruct, Op::Dict},
                                {prim::TupleUnpack, Op::Unpack},
                                {prim::ListUnpack, Op::Unpack},
                                {prim::TupleIndex, Op::TupleIndex},
                                {prim::TupleSlice, Op::TupleSlice},
                                {prim::CreateObject, Op::Create},
                                {prim::isinstance, Op::IsInstance},
                                {prim::RaiseException, Op::Raise},
                                {prim::Print, Op::Print},
                                {Symbol("aten::warn"), Op::Warn},
                                {prim::CallMethod, Op::CallMethod},
                                {prim::CallFunction, Op::CallFunction},
                                {Symbol("aten::wait"), Op::Wait},
                                {prim::awaitable_wait, Op::Wait},
                                {prim::awaitable_nowait, Op::AwaitNow},
                                {prim::Enter, Op::Enter},
                                {prim::Exit, Op::Exit},
                                {prim::ModuleContainerIndex, Op::ContainerIndex}};
    for (auto& r : kRows)
      if (k == r.kind) {
        site(n);
        emit(r.op, last_site());
        return;
      }
    if (k == prim::fork || k == prim::awaitable) {
      site(n);
      uint32_t at = last_site();
      auto sub = n->find(Symbol("Subgraph"))->graph;
      p_.subplans.resize(p_.sites.size());
      p_.subplans[at] = make_plan(sub, ops_, p_.name + ".<fork>");
      emit(k == prim::fork ? Op::Fork : Op::Awaitable, at);
      return;
    }
    if (k == prim::unchecked_cast && believed(n->inputs[0]->type, n->output()->type)) {
      site(n);
      emit(Op::Cast, last_site());
      return;
    }
    if (k == prim::unchecked_cast || k == prim::unchecked_unwrap_optional) {
      uint32_t o = operand(n->inputs[0], n);
      emit(Op::Move, slot(n->outputs[0]), o & ~kLast, (o & kLast) ? 1 : 0);
      return;
    }
    if (k == prim::GetAttr || k == prim::SetAttr) return attribute(n);
    if (k == prim::EnumName || k == prim::EnumValue) {
      emit(k == prim::EnumName ? Op::EnumName : Op::EnumValue, slot(n->outputs[0]),
           operand(n->inputs[0], nullptr));
      return;
    }
    const Operator* op = n->op ? n->op : resolve_operator(n, ops_);
    CallSite& s = site(n);
    s.op = op;
    s.kernel = op ? op->kernel : nullptr;
    s.plain_output = n->outputs.size() == 1 && is_plain(n->outputs[0]);
    emit(s.kernel ? Op::Call : Op::Missing, last_site());
    // Its kernel only looks whether the device is there.
    if (s.kernel && (k == Symbol("cuda::current_stream") || k == Symbol("cuda::default_stream"))) {
      site(n, {}, n->outputs);
      emit(Op::Create, last_site());
    }
  }
  // Whether instructions rely on a value of type `to`, and its being of type `from` doesn't tell.
  static bool believed(TypePtr from, TypePtr to) {
    switch (to->kind) {
      case TypeKind::Any:
      case TypeKind::Tensor:
      case TypeKind::String:
      case TypeKind::Device:
      case TypeKind::None: return false;  // whoever takes it looks at the tag
      default: break;
    }
    return !from->is_subtype_of(to) && !(from->kind == TypeKind::Optional && from->elem() == to);
  }
  void free_inputs(Node* n) {
    for (size_t i = 0; i < n->inputs.size(); ++i) {
      Value* v = n->inputs[i];
      bool again = false;
      for (size_t k = i + 1; k < n->inputs.size(); ++k) again |= n->inputs[k] == v;
      if (!again && (operand(v, n) & kLast) && !(operand(v, n) & kConstant))
        emit(Op::Drop, slot(v));
    }
  }

  void attribute(Node* n) {
    auto* cls = static_cast<const ClassType*>(n->inputs[0]->type);
    int i = cls->find_attribute(n->s(Symbol("name")));
    if (n->inputs[0]->type->kind != TypeKind::Class || i < 0)
      raise<Error>("attribute ", n->s(Symbol("name")), " does not exist");
    if (n->kind == prim::GetAttr)
      emit(Op::GetAttr, slot(n->outputs[0]), operand(n->inputs[0], nullptr),
           static_cast<uint32_t>(i));
    else
      emit(Op::SetAttr, operand(n->inputs[0], nullptr), operand(n->inputs[1], nullptr),
           static_cast<uint32_t>(i));
    free_inputs(n);
  }

  // The jump to a target that set_target tells later. A comparison that was made for this jump
  // alone becomes part of it.
  size_t jump_if_not(const Value* v) {
    uint32_t cond = operand(v, nullptr);
    if (!(cond & kConstant) && v->uses.size() == 1 && v->node->blocks.empty() && !p_.code.empty() &&
        p_.code.back().a == cond)
      for (const FusedRow& r : kFused)
        if (Instruction& x = p_.code.back(); x.op == r.compare) {
          x = {r.jump, 0, x.b, x.c, 0};
          return p_.code.size() - 1;
        }
    return emit(Op::JumpIfNot, cond);
  }
  void set_target(size_t jump, uint32_t target) {
    Instruction& x = p_.code[jump];
    (x.op == Op::JumpIfNot ? x.b : x.c) = target;
  }

  void branch(Node* n) {
    nested(n);
    size_t jump = jump_if_not(n->inputs[0]);
    std::vector<uint32_t> dst;
    std::vector<bool> plain;
    for (Value* v : n->outputs) {
      dst.push_back(slot(v));
      plain.push_back(is_plain(v));
    }
    auto arm = [&](Block* b) {
      // A number that is made here for this output alone is made in its place.
      for (size_t k = 0; k < dst.size(); ++k) {
        Value* v = b->outputs()[k];
        if (plain[k] && is_plain(v) && v->uses.size() == 1 && v->node->owner == b &&
            v->node != b->param && v->node->blocks.empty() && v->node->kind != prim::Constant &&
            v->node->kind != prim::Uninitialized)
          slots_[v] = dst[k];
      }
      block(b);
      current_ = n;
      std::vector<uint32_t> src;
      for (Value* v : b->outputs()) src.push_back(operand(v, nullptr));
      parallel_move(dst, src, plain);
    };
    arm(n->blocks[0]);
    size_t over = emit(Op::Jump, 0);
    set_target(jump, here());
    arm(n->blocks[1]);
    p_.code[over].a = here();
  }

  void loop(Node* n) {
    Block* body = n->blocks[0];
    nested(n);
    uint32_t i = slot(body->inputs()[0]);
    emit(Op::SetInt, i, 0);
    std::vector<uint32_t> carried, start;
    std::vector<bool> plain;
    for (size_t k = 0; k < n->outputs.size(); ++k) {
      carried.push_back(slot(n->outputs[k]));
      start.push_back(operand(n->inputs[k + 2], nullptr));
      plain.push_back(is_plain(n->outputs[k]) && is_plain(n->inputs[k + 2]) &&
                      is_plain(body->outputs()[k + 1]));
    }
    parallel_move(carried, start, plain);
    // A block input shares the slot of its output: the value is carried in place.
    for (size_t k = 0; k < n->outputs.size(); ++k) slots_[body->inputs()[k + 1]] = carried[k];
    // A for loop's condition is always true and needs no slot.
    auto always = [](const Value* v) {
      auto c = constant_value(v);
      return c && c->isBool() && c->toBool();
    };
    bool counted_only = always(n->inputs[1]) && always(body->outputs()[0]);
    uint32_t cond = counted_only ? 0 : next_++;
    if (!counted_only) emit(Op::MovePlain, cond, operand(n->inputs[1], nullptr));
    uint32_t trip = operand(n->inputs[0], nullptr);
    std::vector<size_t> exits{emit(Op::LoopTest, i, trip)};
    if (!counted_only) exits.push_back(emit(Op::JumpIfNot, cond));
    uint32_t head = here();
    block(body);
    current_ = n;
    std::vector<uint32_t> dst, src;
    if (!counted_only) {
      dst.push_back(cond);
      src.push_back(operand(body->outputs()[0], nullptr));
      plain.insert(plain.begin(), true);
    }
    for (size_t k = 0; k < n->outputs.size(); ++k) {
      dst.push_back(carried[k]);
      src.push_back(operand(body->outputs()[k + 1], nullptr));
    }
    parallel_move(dst, src, plain);
    if (!counted_only) exits.push_back(emit(Op::JumpIfNot, cond));
    emit(Op::LoopNext, i, trip, head);
    for (size_t x : exits) set_target(x, here());
  }

  Plan& p_;
  const OpTable& ops_;
  std::unordered_map<const Value*, uint32_t> slots_, constants_;
  std::unordered_set<const Value*> loose_;
  std::unordered_map<const Value*, const Node*> last_use_;
  std::unordered_map<const Node*, std::vector<const Value*>> ends_;  // whose last use it is
  std::unordered_map<const Node*, std::vector<const Value*>> pending_drops_;
  uint32_t next_ = 0;
  const Node* current_ = nullptr;
};

}  // namespace

std::shared_ptr<Plan> make_plan(std::shared_ptr<Graph> g, const OpTable& ops, std::string name) {
  auto p = std::make_shared<Plan>();
  p->graph = std::move(g);
  p->name = std::move(name);
  Planner(*p, ops).run();
  return p;
}

std::string print_plan(const Plan& p) {
  std::string out;
  const uint32_t first_number = p.n_slots - static_cast<uint32_t>(p.numbers.size());
  for (size_t i = 0; i < p.numbers.size(); ++i)
    out += "s" + std::to_string(first_number + i) + " = " + ivalue_str(p.numbers[i]) + "\n";
  auto show = [](uint32_t o) {
    return (o & kConstant ? "c" : "s") + std::to_string(o & kIndex) + (o & kLast ? "!" : "");
  };
  for (size_t i = 0; i < p.code.size(); ++i) {
    const Instruction& x = p.code[i];
    std::string_view operands = opcode(x.op).operands;
    out += std::to_string(i) + " " + opcode(x.op).name;
    if (operands == "a=call site") {
      const CallSite& s = p.sites[x.a];
      if (s.op) out += " " + std::string(s.op->full_name());
      for (uint32_t k = 0; k < s.n_in; ++k) out += " " + show(p.operands[s.first_in + k]);
      out += " ->";
      for (uint32_t k = 0; k < s.n_out; ++k) out += " " + show(p.operands[s.first_out + k]);
    } else {
      // "a=dst b c=target": a slot or constant but where the name says otherwise.
      const uint32_t values[] = {x.a, x.b, x.c};
      while (!operands.empty()) {
        std::string_view name = operands.substr(0, operands.find(' '));
        operands.remove_prefix(std::min(name.size() + 1, operands.size()));
        uint32_t v = values[name[0] - 'a'];
        name.remove_prefix(std::min<size_t>(2, name.size()));
        if (name == "target" || name == "exit" || name == "body")
          out += " -> " + std::to_string(v);
        else if (name == "value" || name == "negate" || name == "attribute" || name == "last_use")
          out += " " + std::to_string(v);
        else
          out += " " + show(v);
      }
    }
    out += "\n";
  }
  return out;
}

}  // namespace sconce
