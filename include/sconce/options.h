// SPDX-License-Identifier: Apache-2.0
// Options of load and of calls.
#pragma once
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sconce/limits.h"
#include "sconce/scalar_type.h"

namespace sconce {

enum class Mode {
  Interpret,  // tier 0: PyTorch's graph with its run-time rewrite, nothing else
  Optimized   // attributes that nothing writes are folded in; straight-line graphs get a shape plan
};

// Which bits the answers of Mode::Optimized may have. Whatever is chosen, the number of threads
// changes none of them.
enum class Numerics {
  Fast,   // those of a call may differ in their last bits from the operators' one by one: sums in
          // another order, batch norms folded into weights, Winograd's convolutions
  Strict  // those of Mode::Interpret: only what changes no bit is fused and folded. An infinity or
          // a NaN reaches the elements that PyTorch's do
};

struct LoadOptions {
  // Records of extra/ to return: name -> content. An empty value is filled when the record exists.
  std::map<std::string, std::string>* extra_files = nullptr;
  Mode mode = Mode::Optimized;
  Numerics numerics = Numerics::Fast;
  // Where a model's print goes; null: std::cout is not touched, the text is dropped.
  std::ostream* out = nullptr;
  std::ostream* warnings = nullptr;
  // Where the module goes once it is read (Module::to). Unset: where the archive's tensors were if
  // that device is there, else the CPU.
  std::optional<Device> device;
  // On another device than the CPU: a kernel that the device lacks is an error, not a copy.
  bool strict_device = false;
  // For loading, and for each call that is given none of its own.
  Limits limits;
  // The older name of limits.steps; the smaller of the two holds. 0: no limit.
  uint64_t max_loop_steps = 0;
  // Threads that share the work of one operator, the caller's included. Answers don't depend on it.
  int num_threads = 1;
  // Operators that the file's code may use; empty: all. "aten::add" stands for all overloads,
  // "aten::add.Tensor" for one, "quantized::*" for what begins so. What the language itself is made
  // of (prim::) is allowed. PolicyError names another operator and its place: at load, where the
  // code is reached from the root object's types, else when a method is compiled.
  std::vector<std::string> allowed_ops;
  // Operators that it may not use, spelled the same way; prim:: too ("prim::Print"). These win.
  std::vector<std::string> denied_ops;
  // False: load() runs nothing of the file. A file with an object that is restored by its code's
  // __setstate__, or with a constant that an operator makes, is a PolicyError.
  bool allow_setstate = true;
  // False: of an archive of 32 MB or more, weights are read when they are first needed, through the
  // file as it was opened, so that weights which are kept in another form only are in memory once.
  // Removing or replacing the file changes nothing; where it was written in place meanwhile, what
  // is read of it is checked, and FormatError tells of a difference. True: all is read by load().
  bool read_all = false;
  // True: a file is mapped, not read. Loading is quicker and weights that are never used cost no
  // memory, but whoever cuts the file or writes into it while the module lives ends the process or
  // changes the weights. Replacing the file by another of its name does neither.
  bool map_file = false;
};

}  // namespace sconce
