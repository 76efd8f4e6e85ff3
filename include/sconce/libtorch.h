// SPDX-License-Identifier: Apache-2.0
// What sconce/torch.h needs of the library; no interface of its own, and no stable one.
#pragma once
#include <cstdint>
#include <functional>
#include <istream>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sconce/ivalue.h"
#include "sconce/module.h"
#include "sconce/op.h"

namespace sconce {
struct Graph;
}

namespace sconce::libtorch {

// ---- names ----
SCONCE_API std::string device_type_name(int type, bool lower_case);
// Throws Error for a text that names no device.
SCONCE_API void parse_device(const std::string& text, int* type, int* index);
// "float", "c10::Half", "nullptr (uninitialized)".
SCONCE_API const char* cpp_type_name(ScalarType t);
SCONCE_API ScalarType default_dtype();
SCONCE_API void set_default_dtype(ScalarType t);

// ---- operators ----
// One argument of an operator: it refers to what the caller holds.
struct Arg {
  enum class Kind : uint8_t {
    None,
    Tensor,   // p: a Tensor
    Tensors,  // p: n of them
    Value,    // p: an IValue
    List,     // p: a ListBox
    Int,
    Double,
    Bool,
    Complex,  // d and imag
    Ints,
    Doubles,
    Bools,
    Numbers,  // p: n Args
    Text,     // p: n characters
    Device    // i: type * 256 + index + 1
  };
  Kind kind = Kind::None;
  union {
    const void* p;
    int64_t i;
    double d;
  };
  union {
    size_t n;
    double imag;
  };
  Arg() : p(nullptr), n(0) {}
};
// Calls the operator of that full name ("aten::add.Tensor") with all of its arguments, which become
// what its schema declares. Results go to out[0 .. n_out). Throws MissingOp when there is none.
SCONCE_API void call(const char* op, const Arg* args, size_t n, IValue* out, size_t n_out);

// Operators that a program defines by LibTorch's names. A call takes the kernel for the device of
// its first tensor, else the first that there is of the others.
enum class KernelPlace { Cpu, Cuda, Explicit, Implicit, Autograd };
using OwnKernel = std::function<void(Call&)>;
// Makes known what the schemas say; overloads of a name come together. Throws ScriptError for a
// broken schema, Error for one that the program has defined already; what sconce has itself stays
// sconce's.
SCONCE_API void define_operators(const std::vector<std::string>& schemas);
// "ns::f" or "ns::f.overload", defined before or later. Throws Error for an operator of PyTorch.
SCONCE_API void implement_operator(const std::string& name, KernelPlace place, OwnKernel kernel);

// ---- tensors ----
// Where and how a tensor's elements lie outside of an operator.
SCONCE_API Tensor from_blob(void* data, const int64_t* sizes, size_t ndim, const int64_t* strides,
                            std::function<void(void*)> deleter, ScalarType dtype, Device device);
// "[ CPUFloatType{2,3} ]" without the brackets: CPUFloatType.
SCONCE_API std::string type_text(const Tensor& t);
// In the order of memory that LibTorch's MemoryFormat of that number names.
SCONCE_API bool is_contiguous(const Tensor& t, int format);
// By its strides alone, which may have gaps and be those of a size of 1.
SCONCE_API bool is_strides_like(const Tensor& t, int format);
SCONCE_API bool is_dense(const Tensor& t);

// ---- threads and devices ----
SCONCE_API void set_num_threads(int n);
SCONCE_API int get_num_threads();
// Waits for all that was started on the device; on CUDA's current one for -1.
SCONCE_API void synchronize(int index);

// ---- modules ----
SCONCE_API Module load(const std::string& path, const LoadOptions& options);
SCONCE_API Module load(std::istream& in, const LoadOptions& options);
SCONCE_API Module new_module(const std::string& class_name);
// The module whose root is that object. parent (may be empty) lends it its code.
SCONCE_API Module module_of(const Module& parent, const IValue& object);
SCONCE_API IValue object_of(const Module& m);
SCONCE_API IValue attribute(const Module& m, const std::string& name);
struct Slot {
  std::string name;
  IValue value;
  bool is_parameter, is_buffer, is_module;
};
// Attributes, in their order.
SCONCE_API std::vector<Slot> slots(const Module& m);
SCONCE_API Module shallow_copy(const Module& m);
// What a program keeps with the module, by name.
SCONCE_API void* attached(const Module& m, const std::string& key,
                          const std::function<std::shared_ptr<void>()>& make);
// LibTorch's text of a module: parameters, attributes, methods, submodules.
SCONCE_API std::string dump(const Module& m, bool bodies, bool attributes, bool parameters);
enum class SlotKind { Attribute, Parameter, Buffer };
// Adds an attribute to the class of the module, or gives it the value when it is there. Throws
// Error when the value isn't of the type.
SCONCE_API void add_slot(const Module& m, const std::string& name, TypePtr type, IValue value,
                         SlotKind kind);
struct Parameter {
  std::string name;
  TypePtr type;
  int n;
  bool has_default, kwarg_only;
  IValue default_value;
};
struct Signature {
  std::string name, text;
  std::vector<Parameter> arguments, returns;
};
// Of a method, self included.
SCONCE_API Signature signature(const Module& m, const std::string& method);
// Operators of namespaces that nobody registered, as far as methods are compiled: PyTorch doesn't
// have them either.
SCONCE_API std::vector<std::string> unregistered_operators(const Module& m);
// The method's graph as a pass would get it; it lives as long as it is held.
SCONCE_API std::shared_ptr<Graph> graph(const Module& m, const std::string& method, bool inlined);
SCONCE_API std::string graph_text(const Graph& g);

// ---- values ----
// "Tensor", "Int", ... of a value's kind.
SCONCE_API const char* tag_text(Tag t);
SCONCE_API IValue deep_copy(const IValue& v);
// The future's value once it is there; throws what it failed with.
SCONCE_API IValue wait(FutureBox& f);
// Throws Error unless each element is of that type.
SCONCE_API void check_elements(const ListBox& list, TypePtr wanted);
// What torch.save wrote, from memory.
SCONCE_API IValue unpickle(const char* data, size_t size);
SCONCE_API std::vector<char> pickle(const IValue& v);

// ---- records of an archive ----
struct Records;
SCONCE_API std::shared_ptr<const Records> open_records(const std::string& path);
SCONCE_API std::shared_ptr<const Records> records_of(std::string bytes);
SCONCE_API bool has_record(const Records& r, const std::string& name);
SCONCE_API std::vector<std::string> record_names(const Records& r);
SCONCE_API std::pair<std::shared_ptr<const void>, size_t> read_record(const Records& r,
                                                                      const std::string& name);

}  // namespace sconce::libtorch
