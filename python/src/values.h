// SPDX-License-Identifier: Apache-2.0
// Python values as values of the library, by the type that is declared for them, and back.
// Entries: from_python(), to_python().
#pragma once
#include <nanobind/nanobind.h>
#include <sconce/libtorch.h>
#include <sconce/sconce.h>

#include <memory>
#include <string>

#include "arrays.h"

namespace sconce::python {

struct Loaded;

// An argument that doesn't fit; TypeError in Python. Its text says what was wanted and what came.
class ArgumentError : public Error {
 public:
  using Error::Error;
};

// Values of the library that have no form of their own in Python: they are held, and given back.
struct PyObjectValue {  // an instance of a script class
  IValue value;
  std::shared_ptr<Loaded> loaded;
};
struct PyEnum {
  IValue value;
  std::shared_ptr<Loaded> loaded;
};
struct PyFuture {
  IValue value;
  std::shared_ptr<Loaded> loaded;
};
struct PyOpaque {  // a function or a generator
  IValue value;
  std::shared_ptr<Loaded> loaded;
};

// What tensors are in Python.
enum class Returns : uint8_t { Auto, Numpy, Torch, Tensor };

struct Outgoing {
  std::shared_ptr<Loaded> loaded;  // may be null
  const Module* parent = nullptr;  // whose code modules in the value run; may be null
  Returns returns = Returns::Numpy;
  bool writable = true;
};

// o as a value of type t (null: the type that o itself has), as PyTorch's Python binding converts
// arguments: ints become floats, containers get the declared types. Throws ArgumentError.
IValue from_python(nb::handle o, TypePtr t, Incoming& in);
nb::object to_python(const IValue& v, const Outgoing& out);
nb::object tensor_to_python(const Tensor& t, const Outgoing& out);
// What a message calls o.
std::string kind_of(nb::handle o);

}  // namespace sconce::python
