// SPDX-License-Identifier: Apache-2.0
// Recorded cases (conformance README): running one and comparing with PyTorch's answer.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "sconce/sconce.h"

namespace sconce::tool {

struct Tolerance {
  // "close", "exact", "meta", and, of no recorded case, "bits": exact, and -0 isn't 0.
  std::string check = "close";
  double rtol = 1e-5, atol = 1e-6;
};

// Of two elements, or of real or imaginary parts: NaN equals NaN, infinities of one sign are equal.
bool within(const Tolerance& tol, double actual, double expected);

// The first difference, e.g. "output[0][2]: 0.5, expected 0.25"; nothing when the values agree.
std::optional<std::string> difference(const IValue& actual, const IValue& expected,
                                      const Tolerance& tol, const std::string& where);

struct Case {
  std::string method = "forward";
  std::vector<IValue> inputs;
  std::optional<IValue> output, inputs_after;
  std::optional<std::string> raises, stdout_text;
  std::optional<int64_t> seed;
  Tolerance tolerance;
  bool skip = false;
};

// Throws FormatError when the file is not of the form.
std::vector<Case> read_cases(const std::string& path);
// Deep copy that keeps what shares storage sharing.
std::vector<IValue> copy_values(const std::vector<IValue>& values);
// Copies their tensors to a device, in place in containers.
void move_values(std::vector<IValue>& values, const std::string& device);
// Inputs as the method declares them, as PyTorch's Python binding converts them; what can't be
// converted stays as it is.
std::vector<IValue> convert_inputs(const Module& m, const std::string& method,
                                   const std::vector<IValue>& inputs);

// What a call gave: output is absent when it raised.
struct Answer {
  std::optional<IValue> output;
  std::vector<IValue> inputs_after;
};
// Runs cases on one module; out collects what the model prints (the module was loaded with it).
// The first difference, or nothing. answer may be null.
std::optional<std::string> run_case(const Module& m, const Case& c,
                                    std::string (*take_stdout)(void*), void* self,
                                    Answer* answer = nullptr);

// Graph texts with values renamed in order and without comments and scopes.
std::string normalized_graph(const std::string& text);

}  // namespace sconce::tool
