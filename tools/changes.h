// SPDX-License-Identifier: Apache-2.0
// What a program can do to a module between two calls, as a table of kinds, and what it can see of
// the module afterwards. A change is made to one Side; made alike to a prepared module and to a
// fresh one that interprets, it must leave both with the same answers, the same state and the same
// sharing of memory between everything that the program holds.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compare.h"
#include "sconce/sconce.h"

namespace sconce::tool {

// Where a change is made: an attribute (path of names from the root), an element of it when it is a
// container, and two numbers whose meaning is the kind's (case, argument).
struct Place {
  std::vector<std::string> path, other;
  int64_t element = -1, call = -1, argument = -1;
  std::string str() const;
};

// An attribute slot: every one of every object that is reached through attributes, each object
// once, in order of declaration.
struct Slot {
  std::vector<std::string> path;
  TypePtr type;
  IValue value;
  bool parameter, buffer;
};
std::vector<Slot> slots_of(const Module& m);
IValue get_slot(const Module& m, const std::vector<std::string>& path);
void set_slot(Module& m, const std::vector<std::string>& path, IValue v);

// A module with all that a program holds of it.
struct Side {
  Module module, other;
  Mode mode = Mode::Optimized;
  std::vector<std::vector<IValue>> inputs;  // of each call
  std::vector<IValue> answers;              // None where it raised
  std::vector<bool> raised;
  // What a kind keeps from one step to the next: a tensor, a pointer into one and the memory that
  // it points to, and what stood at a place.
  std::vector<Tensor> tensors;
  Tensor pointed;
  Ref<Storage> memory;
  size_t memory_bytes = 0;
  void* pointer = nullptr;
  std::map<std::string, std::vector<IValue>> replaced;
};

// Calls made in the step after a change get their inputs from here.
using ChangeInputs = void (*)(Side&, const Place&, std::vector<IValue>& inputs);

struct Kind {
  const char* name;
  std::vector<Place> (*places)(const Module& m, const std::vector<Case>& cases);
  // Null, or made before the first call.
  void (*before)(Side&, const Place&);
  // Made one after another, with calls after each; the last may be null.
  void (*first)(Side&, const Place&);
  void (*second)(Side&, const Place&);
  // Null, or applied to the inputs of the calls between first and second.
  ChangeInputs inputs;
  // Works on answers or inputs of earlier calls, so that it means nothing before a call.
  bool needs_calls;
};
const std::vector<Kind>& kinds_of_change();

// A function of the program's own, in the side's mode: "fill_", "scale_" ... (changes.cpp).
IValue host_call(const Side& s, const std::string& function, std::vector<IValue> inputs);
// The value changed a little, in memory of its own; nothing for what has no other value. Numbers
// move, tensors are scaled element by element, containers are rebuilt.
std::optional<IValue> changed_value(const IValue& v);
// Writes the elements behind a pointer that data_ptr() gave.
void write_through(const Tensor& t, void* p);
// Writes every tensor in the value in place, and makes its lists and dicts longer.
void write_into(const Side& s, const IValue& v);

// Where two sides differ in what shares memory or identity with what, among answers, inputs and
// state; nothing when they are alike.
std::optional<std::string> sharing_difference(const Side& actual, const Side& expected);
// The first attribute whose value differs.
std::optional<std::string> state_difference(const Module& actual, const Module& expected,
                                            const Tolerance& tol);
// tol with atol raised to the size of the values, so that rounding of a sum is no difference; of
// bits, tol.
Tolerance scaled(Tolerance tol, const IValue& expected);

}  // namespace sconce::tool
