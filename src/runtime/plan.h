// SPDX-License-Identifier: Apache-2.0
// A plan: one flat array of instructions over slots. If and Loop are jumps, constants are
// preloaded, last uses move.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/op_table.h"
#include "ir/function.h"

namespace sconce {

enum class Op : uint16_t {
#define SCONCE_OP(name, operands, effect) name,
#include "runtime/opcodes.def"
#undef SCONCE_OP
};

struct Instruction {
  Op op;
  uint16_t flags = 0;
  uint32_t a = 0, b = 0, c = 0;
};

// An operand: index of a slot, or of a constant when kConstant is set; kLast: its last use.
constexpr uint32_t kConstant = 1u << 31, kLast = 1u << 30, kIndex = kLast - 1;

struct CallSite {
  const Operator* op = nullptr;
  Kernel kernel = nullptr;
  uint32_t first_in = 0, n_in = 0;  // into Plan::operands
  uint32_t first_out = 0, n_out = 0;
  bool plain_output = false;   // one output, of a type whose values nobody looks at again
  const Node* node = nullptr;  // types, names, source range; owned by the plan's graph
};

class Plan {
 public:
  std::vector<Instruction> code;
  std::vector<CallSite> sites;
  std::vector<uint32_t> operands;
  std::vector<IValue> constants;
  std::vector<const Node*> origin;  // per instruction, for messages
  std::vector<IValue> numbers;      // constants that a frame keeps in its last slots
  uint32_t n_slots = 0;             // with those
  uint32_t n_inputs = 0;
  bool loose_result = false;     // a float that it answers may be a complex number
  bool writes_state = false;     // may write what its module reaches (runtime/state_lock.h)
  std::shared_ptr<Graph> graph;  // what it was made from
  std::string name;
  std::vector<std::shared_ptr<Plan>> subplans;  // fork bodies, indexed by CallSite order
};

// Lowers a graph. The graph must live as long as the plan, which keeps it.
std::shared_ptr<Plan> make_plan(std::shared_ptr<Graph> g, const OpTable& ops, std::string name);
// Text of a plan, one instruction a line.
std::string print_plan(const Plan& p);

}  // namespace sconce
