// SPDX-License-Identifier: Apache-2.0
#include "runtime/interpreter.h"

#include <algorithm>
#include <limits>
#include <mutex>
#include <utility>

#include "core/budget.h"
#include "core/method_call.h"
#include "core/recorder.h"
#include "core/selection.h"
#include "core/value_check.h"
#include "ir/source.h"
#include "support/stack.h"

namespace sconce {

namespace {

struct Frame {
  const Plan* plan = nullptr;
  std::shared_ptr<Plan> keep;
  std::vector<IValue> slots;
  size_t pc = 0;
  uint32_t result_slot = 0;  // in the caller
  bool wants_result = false;
  std::vector<IValue> entered;
};

// Where a message points: the original Python line when the archive tells it.
std::string location(const Node* n) {
  if (!n || !n->range.source) return "";
  const Source& s = *n->range.source;
  std::string line;
  std::string text = "  File \"" + s.name + "\"";
  if (const OriginalRange* o = s.find_original(n->range.start); o && !o->file_name().empty()) {
    const std::string& own = o->source();
    text = "  File \"" + o->file_name() + "\", line ";
    uint32_t number = o->line;
    size_t bol = 0;
    for (uint32_t i = 0; i < o->start && i < own.size(); ++i)
      if (own[i] == '\n') ++number, bol = i + 1;
    size_t eol = own.find('\n', bol);
    line = own.substr(bol, eol == std::string::npos ? eol : eol - bol);
    text += std::to_string(number);
  } else {
    auto [row, col] = s.line_col(n->range.start);
    text += ", line " + std::to_string(row);
    size_t bol = n->range.start - col, eol = s.text.find('\n', bol);
    line = s.text.substr(bol, eol == std::string::npos ? eol : eol - bol);
  }
  size_t first = line.find_first_not_of(" \t");
  return text + "\n    " + (first == std::string::npos ? line : line.substr(first)) + "\n";
}

std::string trace(const std::vector<Frame>& stack) {
  std::string t = "Traceback of TorchScript (most recent call last):\n";
  for (const Frame& f : stack) {
    size_t at = f.pc ? f.pc - 1 : 0;
    if (at < f.plan->origin.size()) t += location(f.plan->origin[at]);
  }
  return t;
}

// A stream may be that of several modules on several threads, and has no lock of its own. What it
// writes to may call a model that prints.
void write_line(std::ostream& to, const std::string& line) {
  static std::recursive_mutex mutex;
  std::lock_guard<std::recursive_mutex> lock(mutex);
  to << line << '\n';
}

// The divisor is not zero.
int64_t remainder_int(int64_t a, int64_t b) {
  if (b == -1) return 0;
  int64_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
int64_t floordiv_int(int64_t a, int64_t b) {
  if (b == -1) return static_cast<int64_t>(-static_cast<uint64_t>(a));
  int64_t q = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
}

class Interpreter {
 public:
  explicit Interpreter(const Engine& e)
      : engine_(e),
        context_(context()),
        budget_(context_.budget),
        countdown_(budget_ ? budget_->countdown : unlimited_),
        outer_(std::exchange(method_caller(), {call_method, &e})),
        around_(std::exchange(innermost, this)) {
    if (around_) nested_ = around_->nested_ + 1, depth_ = around_->depth_ + around_->stack_.size();
  }
  ~Interpreter() {
    method_caller() = outer_;
    innermost = around_;
  }
  Interpreter(const Interpreter&) = delete;

  std::vector<IValue> run(const Plan& plan, std::vector<IValue> inputs) {
    // Each of these is on the native stack, with what called it.
    if (nested_ > kMaxNested)
      raise<LimitError>("more than ", kMaxNested,
                        " calls of __enter__, fork and their like within each other");
    check_stack();  // what an operator, a fork or an __enter__ calls is a run in this run
    push(plan, nullptr);
    for (size_t i = 0; i < inputs.size(); ++i) stack_.back().slots[i] = std::move(inputs[i]);
    try {
      loop();
    } catch (RaisedError& e) {
      unwind();
      if (std::string(e.what()).rfind("Traceback", 0) == 0) throw;
      std::string t = trace(failed_);
      throw RaisedError(t + e.what(), e.message(), e.class_name());
    } catch (const OpError& e) {
      unwind();
      if (std::string(e.what()).find("Traceback") != std::string::npos) throw;
      throw OpError(trace(failed_) + e.what());
    } catch (const Error&) {
      unwind();
      throw;
    } catch (const std::bad_alloc&) {
      unwind();
      throw OutOfMemory(trace(failed_) + "out of memory");
    } catch (const std::exception& e) {
      // What an operator asked of a container that is too short: bad arguments, said badly.
      unwind();
      throw OpError(trace(failed_) + "bad arguments: " + e.what());
    } catch (...) {
      unwind();
      throw;
    }
    return std::move(results_);
  }

 private:
  void push(const Plan& plan, std::shared_ptr<Plan> keep) {
    if (depth_ + stack_.size() >= context_.max_depth)
      raise<LimitError>("more than ", context_.max_depth, " nested calls");
    if (--countdown_ < 0) look();
    if (plan.writes_state && engine_.state) StateUse::write(*engine_.state);
    if (MemoryAccount* m = account()) frames_.set(*m, frames_.bytes() + frame_bytes(plan));
    stack_.emplace_back();
    Frame& f = stack_.back();
    f.plan = &plan;
    f.keep = std::move(keep);
    f.slots.resize(plan.n_slots);
    std::copy(plan.numbers.begin(), plan.numbers.end(),
              f.slots.end() - static_cast<ptrdiff_t>(plan.numbers.size()));
  }

  static uint64_t frame_bytes(const Plan& p) { return sizeof(Frame) + p.n_slots * sizeof(IValue); }
  MemoryAccount* account() const { return budget_ ? budget_->memory() : nullptr; }
  // countdown_ is used up.
  void look() {
    if (budget_)
      budget_->look();
    else
      unlimited_ = kUnlimited;
  }

  // Runs __exit__ of everything that was entered, innermost first; their errors are dropped.
  void unwind() {
    failed_.swap(stack_);
    for (size_t i = failed_.size(); i-- > 0;)
      while (!failed_[i].entered.empty()) {
        IValue o = std::move(failed_[i].entered.back());
        failed_[i].entered.pop_back();
        try {
          call_now(o, "__exit__", {o, IValue(), IValue(), IValue()});
        } catch (const Error&) {
        }
      }
  }

  IValue call_now(const IValue& object, const std::string& method, std::vector<IValue> args) {
    return call_method(&engine_, object, method, std::move(args));
  }
  static IValue call_method(const void* e, const IValue& object, const std::string& method,
                            std::vector<IValue> args) {
    const Engine& engine = *static_cast<const Engine*>(e);
    Function* f = object.toObjectRef().type->find_method(method);
    if (!f) raise<Error>("class ", object.toObjectRef().type->name, " has no method ", method);
    auto plan = engine.plan_of(*f);
    return checked_result(*plan, run_plan(*plan, std::move(args), engine).at(0));
  }
  // Code that is handed a result believes its type; the host looks.
  static IValue checked_result(const Plan& plan, IValue v) {
    if (plan.loose_result) check_type(v, plan.graph->outputs()[0]->type);
    return v;
  }

  IValue& at(Frame& f, uint32_t o) {
    return o & kConstant ? const_cast<IValue&>(f.plan->constants[o & kIndex]) : f.slots[o & kIndex];
  }
  IValue take(Frame& f, uint32_t o) {
    IValue& v = at(f, o);
    return o & kLast ? std::move(v) : v;
  }
  std::vector<IValue> take_inputs(Frame& f, const CallSite& s) {
    std::vector<IValue> v;
    v.reserve(s.n_in);
    for (uint32_t i = 0; i < s.n_in; ++i) v.push_back(take(f, f.plan->operands[s.first_in + i]));
    return v;
  }
  void set_output(Frame& f, const CallSite& s, size_t i, IValue v) {
    if (MemoryAccount* m = account()) charge_value(*m, v);
    if (i < s.n_out) f.slots[f.plan->operands[s.first_out + i]] = std::move(v);
  }

  void run_site(const CallSite& s, Call& c) {
    if (budget_)
      run_kernel(*budget_, s.kernel, c);
    else
      run_kernel(s.kernel, c);
  }
  void call_recorded(Recorder& r, const CallSite& s, Call& c) {
    struct Ends {
      Recorder& recorder;
      ~Ends() { recorder.operator_ends(); }
    };
    r.operator_begins(*s.op, s.node);
    Ends ends{r};
    run_site(s, c);
  }
  void call_kernel(Frame& f, const CallSite& s) {
    constexpr uint32_t kInline = 24;
    IValue* in_small[kInline];
    IValue* out_small[8];
    uint8_t last_small[kInline];
    std::vector<IValue*> in_big, out_big;
    std::vector<uint8_t> last_big;
    IValue **in = in_small, **out = out_small;
    uint8_t* last = last_small;
    if (s.n_in > kInline) {
      in_big.resize(s.n_in);
      last_big.resize(s.n_in);
      in = in_big.data();
      last = last_big.data();
    }
    if (s.n_out > 8) {
      out_big.resize(s.n_out);
      out = out_big.data();
    }
    const uint32_t* o = f.plan->operands.data();
    for (uint32_t i = 0; i < s.n_in; ++i) {
      uint32_t x = o[s.first_in + i];
      in[i] = &at(f, x);
      last[i] = (x & kLast) != 0;
    }
    for (uint32_t i = 0; i < s.n_out; ++i) out[i] = &f.slots[o[s.first_out + i]];
    Call c(s.op, in, last, s.n_in, out, s.n_out);
    if (context_.recorder)
      call_recorded(*context_.recorder, s, c);
    else
      run_site(s, c);
    if (s.plain_output && out[0]->box())
      raise<OpError>("the operator answers a ", out[0]->tag_name(), " where its schema says ",
                     s.node->output()->type->annotation_str());
    for (uint32_t i = 0; i < s.n_in; ++i)
      if (last[i]) {
        bool is_output = false;
        for (uint32_t k = 0; k < s.n_out; ++k) is_output |= out[k] == in[i];
        if (!is_output) *in[i] = IValue();
      }
  }

  void loop() {
    while (!stack_.empty()) {
      if (step()) return;
    }
  }

  void get_item(Frame& f, const Instruction& x) {
    auto& items = at(f, x.b).toListRef().items;
    int64_t i = at(f, x.c).int_unchecked(), n = static_cast<int64_t>(items.size());
    if (i < 0) i += n;
    if (i < 0 || i >= n) raise<OpError>("list index out of range");
    f.slots[x.a] = items[static_cast<size_t>(i)];
  }
  void get_attribute(Frame& f, const Instruction& x) {
    f.slots[x.a] = at(f, x.b).toObjectRef().slot(x.c);
  }
  void set_attribute(Frame& f, const Instruction& x) {
    at(f, x.a).toObjectRef().set_slot(x.c, at(f, x.b));
  }

  // Runs the top frame until a call or a return. True when the last frame has returned.
  // Threaded code (Bell 1973): every handler jumps to the next one itself, so that the processor
  // predicts each of these jumps by what precedes it. Scalar instructions read and write slots
  // and nothing else; whatever may raise or run other code first writes its place into the frame.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
  bool step() {
    static const void* const kHandlers[] = {
#define SCONCE_RARE(name, operands, effect) &&on_rare,
#define SCONCE_OP(name, operands, effect) &&on_##name,
#include "runtime/opcodes.def"
#undef SCONCE_OP
    };
    Frame& f = stack_.back();
    const Instruction* const code = f.plan->code.data();
    IValue* const slots = f.slots.data();
    int64_t& countdown = countdown_;
    const Instruction *next = code + f.pc, *x;
#define SCONCE_NEXT()                            \
  do {                                           \
    x = next++;                                  \
    goto* kHandlers[static_cast<size_t>(x->op)]; \
  } while (false)
#define SCONCE_I(o) slots[x->o].int_unchecked()
#define SCONCE_F(o) slots[x->o].double_unchecked()
#define SCONCE_SET(name, type, value)                    \
  on_##name : slots[x->a].set_##type##_unchecked(value); \
  SCONCE_NEXT()
#define SCONCE_JUMP_UNLESS(name, condition)         \
  on_##name : if (!(condition)) next = code + x->c; \
  SCONCE_NEXT()
// Sums and products of int64 wrap.
#define SCONCE_WRAP(op) \
  static_cast<int64_t>(static_cast<uint64_t>(SCONCE_I(b)) op static_cast<uint64_t>(SCONCE_I(c)))
// An instruction that may raise.
#define SCONCE_SLOW(name, ...)                         \
  on_##name : f.pc = static_cast<size_t>(next - code); \
  __VA_ARGS__;                                         \
  SCONCE_NEXT()

    SCONCE_NEXT();
    SCONCE_SET(MovePlain, plain, slots[x->b]);
  on_Jump:
    next = code + x->a;
    SCONCE_NEXT();
  on_JumpIfNot:
    if (!SCONCE_I(a)) next = code + x->b;
    SCONCE_NEXT();
    SCONCE_JUMP_UNLESS(JumpIfNotEqInt, SCONCE_I(a) == SCONCE_I(b));
    SCONCE_JUMP_UNLESS(JumpIfNotNeInt, SCONCE_I(a) != SCONCE_I(b));
    SCONCE_JUMP_UNLESS(JumpIfNotLtInt, SCONCE_I(a) < SCONCE_I(b));
    SCONCE_JUMP_UNLESS(JumpIfNotLeInt, SCONCE_I(a) <= SCONCE_I(b));
    SCONCE_JUMP_UNLESS(JumpIfNotGtInt, SCONCE_I(a) > SCONCE_I(b));
    SCONCE_JUMP_UNLESS(JumpIfNotGeInt, SCONCE_I(a) >= SCONCE_I(b));
    SCONCE_JUMP_UNLESS(JumpIfNotLtFloat, SCONCE_F(a) < SCONCE_F(b));
    SCONCE_JUMP_UNLESS(JumpIfNotLeFloat, SCONCE_F(a) <= SCONCE_F(b));
    SCONCE_JUMP_UNLESS(JumpIfNotGtFloat, SCONCE_F(a) > SCONCE_F(b));
    SCONCE_JUMP_UNLESS(JumpIfNotGeFloat, SCONCE_F(a) >= SCONCE_F(b));
    SCONCE_JUMP_UNLESS(LoopTest, SCONCE_I(a) < SCONCE_I(b));
  on_LoopNext : {
    int64_t i = SCONCE_I(a) + 1;
    slots[x->a].set_int_unchecked(i);
    if (i < SCONCE_I(b)) {
      if (--countdown < 0) {
        f.pc = static_cast<size_t>(next - code);
        look();
      }
      next = code + x->c;
    }
    SCONCE_NEXT();
  }
    SCONCE_SET(SetInt, int, static_cast<int64_t>(x->b));
    SCONCE_SET(AddInt, int, SCONCE_WRAP(+));
    SCONCE_SET(SubInt, int, SCONCE_WRAP(-));
    SCONCE_SET(MulInt, int, SCONCE_WRAP(*));
  on_RemInt:
    if (!SCONCE_I(c)) {
      f.pc = static_cast<size_t>(next - code);
      raise<OpError>("ZeroDivisionError: integer modulo by zero");
    }
    slots[x->a].set_int_unchecked(remainder_int(SCONCE_I(b), SCONCE_I(c)));
    SCONCE_NEXT();
  on_FloorDivInt:
    if (!SCONCE_I(c)) {
      f.pc = static_cast<size_t>(next - code);
      raise<OpError>("division by 0");
    }
    slots[x->a].set_int_unchecked(floordiv_int(SCONCE_I(b), SCONCE_I(c)));
    SCONCE_NEXT();
    SCONCE_SET(AndInt, int, SCONCE_I(b) & SCONCE_I(c));
    SCONCE_SET(OrInt, int, SCONCE_I(b) | SCONCE_I(c));
    SCONCE_SET(XorInt, int, SCONCE_I(b) ^ SCONCE_I(c));
    SCONCE_SET(EqInt, bool, SCONCE_I(b) == SCONCE_I(c));
    SCONCE_SET(NeInt, bool, SCONCE_I(b) != SCONCE_I(c));
    SCONCE_SET(LtInt, bool, SCONCE_I(b) < SCONCE_I(c));
    SCONCE_SET(LeInt, bool, SCONCE_I(b) <= SCONCE_I(c));
    SCONCE_SET(GtInt, bool, SCONCE_I(b) > SCONCE_I(c));
    SCONCE_SET(GeInt, bool, SCONCE_I(b) >= SCONCE_I(c));
    SCONCE_SET(AddFloat, double, SCONCE_F(b) + SCONCE_F(c));
    SCONCE_SET(SubFloat, double, SCONCE_F(b) - SCONCE_F(c));
    SCONCE_SET(MulFloat, double, SCONCE_F(b) * SCONCE_F(c));
    SCONCE_SET(DivFloat, double, SCONCE_F(b) / SCONCE_F(c));
    SCONCE_SET(LtFloat, bool, SCONCE_F(b) < SCONCE_F(c));
    SCONCE_SET(LeFloat, bool, SCONCE_F(b) <= SCONCE_F(c));
    SCONCE_SET(GtFloat, bool, SCONCE_F(b) > SCONCE_F(c));
    SCONCE_SET(GeFloat, bool, SCONCE_F(b) >= SCONCE_F(c));
    SCONCE_SET(NegInt, int, static_cast<int64_t>(-static_cast<uint64_t>(SCONCE_I(b))));
    SCONCE_SET(NegFloat, double, -SCONCE_F(b));
    SCONCE_SET(Not, bool, !SCONCE_I(b));

    SCONCE_SLOW(Call, call_kernel(f, f.plan->sites[x->a]));
    SCONCE_SLOW(Missing, missing(f.plan->sites[x->a]));
    SCONCE_SLOW(Move, move(f, *x));
    SCONCE_SLOW(Drop, slots[x->a] = IValue());
    SCONCE_SLOW(IsNone, slots[x->a].set_bool_unchecked(at(f, x->b).isNone() != (x->c != 0)));
    SCONCE_SLOW(GetItem, get_item(f, *x));
    SCONCE_SLOW(Len, slots[x->a].set_int_unchecked(
                         static_cast<int64_t>(at(f, x->b).toListRef().items.size())));
    SCONCE_SLOW(GetAttr, get_attribute(f, *x));
    SCONCE_SLOW(SetAttr, set_attribute(f, *x));
    SCONCE_SLOW(EnumName, slots[x->a] = at(f, x->b).toEnumRef().name);
    SCONCE_SLOW(EnumValue, slots[x->a] = at(f, x->b).toEnumRef().value);
    SCONCE_SLOW(rare, rare(f, *x, f.plan->sites[x->a]));
  on_CallMethod:
  on_CallFunction:
    f.pc = static_cast<size_t>(next - code);
    call(f, *x);
    return false;
  on_Return:
    f.pc = static_cast<size_t>(next - code);
    return leave(f, f.plan->sites[x->a]);
#undef SCONCE_NEXT
#undef SCONCE_I
#undef SCONCE_F
#undef SCONCE_SET
#undef SCONCE_JUMP_UNLESS
#undef SCONCE_WRAP
#undef SCONCE_SLOW
  }
#pragma GCC diagnostic pop

  [[noreturn, gnu::noinline, gnu::cold]] void missing(const CallSite& s) {
    const std::string_view kind = s.node->kind.view();
    if (!s.op && kind.substr(0, 10) == "__torch__.")
      raise<MissingOp>(trace(stack_), unknown_call_text(kind));
    raise<MissingOp>(trace(stack_), missing_operator_text(s.op ? s.op->full_name() : kind));
  }
  void move(Frame& f, const Instruction& x) {
    if (x.c)
      f.slots[x.a] = std::move(f.slots[x.b]);
    else
      f.slots[x.a] = at(f, x.b);
  }

  void call(Frame& f, const Instruction& x) {
    const CallSite& s = f.plan->sites[x.a];
    std::vector<IValue> in = take_inputs(f, s);
    Function* fn;
    if (x.op == Op::CallFunction) {
      fn = in[0].toFunctionRef().function;
      in.erase(in.begin());
    } else {
      const std::string& name = s.node->s(Symbol("name"));
      fn = in[0].toObjectRef().type->find_method(name);
      if (!fn) raise<Error>("class ", in[0].toObjectRef().type->name, " has no method ", name);
    }
    auto plan = engine_.plan_of(*fn);
    bool wants = s.n_out > 0;
    uint32_t slot = wants ? f.plan->operands[s.first_out] : 0;
    push(*plan, plan);
    Frame& callee = stack_.back();
    callee.wants_result = wants;
    callee.result_slot = slot;
    if (in.size() != callee.plan->n_inputs)
      raise<Error>(fn->qualified_name, " expects ", callee.plan->n_inputs, " arguments but got ",
                   in.size());
    for (size_t i = 0; i < in.size(); ++i) callee.slots[i] = std::move(in[i]);
  }

  bool leave(Frame& f, const CallSite& s) {
    std::vector<IValue> out;
    for (uint32_t i = 0; i < s.n_in; ++i) out.push_back(at(f, f.plan->operands[s.first_in + i]));
    bool wants = f.wants_result;
    uint32_t slot = f.result_slot;
    if (MemoryAccount* m = account()) frames_.set(*m, frames_.bytes() - frame_bytes(*f.plan));
    if (f.plan->loose_result && stack_.size() > 1 && !out.empty())
      check_type(out[0], f.plan->graph->outputs()[0]->type);
    stack_.pop_back();
    if (stack_.empty()) {
      results_ = std::move(out);
      return true;
    }
    if (wants && !out.empty()) stack_.back().slots[slot] = std::move(out[0]);
    return false;
  }

  // What the code says of a value, and the compiler can't know.
  static void check_type(const IValue& v, TypePtr t) {
    if (!ivalue_matches(v, t))
      raise<OpError>("expected a value of type ", t->annotation_str(), " but found ",
                     value_type_str(v));
  }

  void rare(Frame& f, const Instruction& x, const CallSite& s) {
    TypePtr out_type = s.node && !s.node->outputs.empty() ? s.node->outputs[0]->type : nullptr;
    switch (x.op) {
      case Op::List:
        set_output(f, s, 0, make_ref<ListBox>(out_type->elems[0], take_inputs(f, s)));
        break;
      case Op::Tuple:
        set_output(
            f, s, 0,
            make_ref<TupleBox>(take_inputs(f, s), out_type->is_named_tuple() ? out_type : nullptr));
        break;
      case Op::Dict: {
        auto in = take_inputs(f, s);
        auto d = make_ref<DictBox>(out_type->elems[0], out_type->elems[1]);
        for (size_t i = 0; i + 1 < in.size(); i += 2)
          d->set(std::move(in[i]), std::move(in[i + 1]));
        set_output(f, s, 0, IValue(d));
        break;
      }
      case Op::Unpack: {
        IValue v = take(f, f.plan->operands[s.first_in]);
        auto& items = v.isTuple() ? v.toTupleRef().items : v.toListRef().items;
        if (items.size() != s.n_out)
          raise<OpError>("Expected ", s.n_out, " elements in a list but found ", items.size());
        for (size_t i = 0; i < items.size(); ++i) set_output(f, s, i, items[i]);
        break;
      }
      case Op::TupleIndex: {
        auto in = take_inputs(f, s);
        auto& items = in[0].toTupleRef().items;
        int64_t i = in[1].toInt(), n = static_cast<int64_t>(items.size());
        if (i < 0) i += n;
        if (i < 0 || i >= n) raise<OpError>("Tuple index out of range");
        set_output(f, s, 0, items[static_cast<size_t>(i)]);
        break;
      }
      case Op::TupleSlice: {
        auto in = take_inputs(f, s);
        auto& items = in[0].toTupleRef().items;
        int64_t b = s.node->find(Symbol("beg"))->value.toInt(),
                e = s.node->find(Symbol("end"))->value.toInt();
        std::vector<IValue> part;
        for (int64_t i = b; i < e && i < static_cast<int64_t>(items.size()); ++i)
          part.push_back(items[static_cast<size_t>(i)]);
        set_output(f, s, 0, make_ref<TupleBox>(std::move(part)));
        break;
      }
      case Op::Create:
        set_output(f, s, 0,
                   make_ref<Object>(static_cast<const ClassType*>(out_type), f.plan->graph->owner));
        break;
      case Op::Expect:
        for (uint32_t i = 0; i < s.n_in; ++i)
          check_type(at(f, f.plan->operands[s.first_in + i]), s.node->inputs[i]->type);
        break;
      case Op::Cast: {
        IValue v = take(f, f.plan->operands[s.first_in]);
        check_type(v, out_type);
        set_output(f, s, 0, std::move(v));
        break;
      }
      case Op::IsInstance: {
        IValue v = take(f, f.plan->operands[s.first_in]);
        bool yes = false;
        for (TypePtr t : s.node->find(Symbol("types"))->types) yes |= ivalue_matches(v, t);
        set_output(f, s, 0, yes);
        break;
      }
      case Op::Raise: {
        auto in = take_inputs(f, s);
        std::string cls = in.size() > 1 && in[1].isString() ? in[1].toString() : "";
        std::string msg = in[0].toString();
        throw RaisedError((cls.empty() ? "torch.jit.Error" : cls) + ": " + msg, msg, cls);
      }
      case Op::Print: {
        auto in = take_inputs(f, s);
        if (!context_.out) break;
        std::string line;
        for (size_t i = 0; i < in.size(); ++i) line += (i ? " " : "") + ivalue_str(in[i]);
        write_line(*context_.out, line);
        break;
      }
      case Op::Warn: {
        auto in = take_inputs(f, s);
        if (context_.warnings) write_line(*context_.warnings, "warning: " + in[0].toString());
        break;
      }
      case Op::Fork:
      case Op::Awaitable: {
        auto plan = f.plan->subplans[x.a];
        auto in = take_inputs(f, s);
        auto fut = make_ref<FutureBox>(out_type->elems[0]);
        FutureBox* raw = fut.get();
        const Engine& engine = engine_;
        auto task = [raw, plan, in, &engine] {
          try {
            raw->complete(checked_result(*plan, run_plan(*plan, in, engine).at(0)));
          } catch (...) {
            raw->fail(std::current_exception());
          }
        };
        if (x.op == Op::Fork)
          task();
        else
          fut->deferred = task;
        set_output(f, s, 0, IValue(fut));
        break;
      }
      case Op::Wait: {
        IValue v = take(f, f.plan->operands[s.first_in]);
        set_output(f, s, 0, wait_future(v.toFutureRef()));
        break;
      }
      case Op::AwaitNow: {
        auto fut = make_ref<FutureBox>(out_type->elems[0]);
        fut->complete(take(f, f.plan->operands[s.first_in]));
        set_output(f, s, 0, IValue(fut));
        break;
      }
      case Op::Enter: {
        IValue o = at(f, f.plan->operands[s.first_in]);
        IValue r = call_now(o, "__enter__", {o});
        f.entered.push_back(o);
        set_output(f, s, 0, std::move(r));
        break;
      }
      case Op::Exit: {
        IValue o = at(f, f.plan->operands[s.first_in]);
        if (!f.entered.empty()) f.entered.pop_back();
        set_output(f, s, 0, call_now(o, "__exit__", {o, IValue(), IValue(), IValue()}));
        break;
      }
      case Op::ContainerIndex: {
        auto in = take_inputs(f, s);
        Object& o = in[0].toObjectRef();
        std::string key;
        if (in[1].isInt()) {
          int64_t n = 0;
          for (auto& a : o.type->attributes)
            n += a.name.find_first_not_of("0123456789") == std::string::npos;
          int64_t i = in[1].toInt();
          if (i < 0 || i >= n) raise<OpError>("list index out of range");
          key = std::to_string(i);
        } else {
          key = in[1].toString();
        }
        int at_index = o.type->find_attribute(key);
        if (at_index < 0) raise<OpError>("KeyError: ", key);
        IValue v = o.slot(static_cast<size_t>(at_index));
        check_type(v, out_type);
        set_output(f, s, 0, std::move(v));
        break;
      }
      default: raise<Error>("instruction not known");
    }
  }

  // How often interpreters may run within each other on one native stack.
  static constexpr int kMaxNested = 100;
  static constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();
  static thread_local Interpreter* innermost;

  const Engine& engine_;
  Context& context_;
  Budget* const budget_;
  int64_t unlimited_ = kUnlimited;
  int64_t& countdown_;  // of the steps until look()
  Charge frames_;
  MethodCaller outer_;   // whose plan called this one
  Interpreter* around_;  // that called this one, on this thread
  int nested_ = 0;
  size_t depth_ = 0;  // frames of those around
  std::vector<Frame> stack_, failed_;
  std::vector<IValue> results_;
};
thread_local Interpreter* Interpreter::innermost = nullptr;

}  // namespace

std::vector<IValue> run_plan(const Plan& plan, std::vector<IValue> inputs, const Engine& engine) {
  if (inputs.size() != plan.n_inputs)
    raise<OpError>(plan.name, " expects ", plan.n_inputs, " arguments but got ", inputs.size());
  return Interpreter(engine).run(plan, std::move(inputs));
}

IValue wait_future(FutureBox& f) {
  std::function<void()> deferred;
  {
    std::lock_guard<std::mutex> lock(f.mutex);
    deferred.swap(f.deferred);
  }
  if (deferred) deferred();
  std::unique_lock<std::mutex> lock(f.mutex);
  f.ready.wait(lock, [&] { return f.done; });
  if (f.error) std::rethrow_exception(f.error);
  return f.value;
}

}  // namespace sconce
