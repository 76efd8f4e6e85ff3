// SPDX-License-Identifier: Apache-2.0
// The library's side of sconce/torch.h: operators called from outside of a model, tensors over the
// host's memory, names, threads.
#include "sconce/libtorch.h"
#include "sconce/torch/error.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <numeric>

#include "api/libtorch_threads.h"
#include "api/runtime.h"
#include "core/device.h"
#include "core/selection.h"

namespace sconce::libtorch {

// ---- names ----
namespace {
struct DeviceName {
  const char *upper, *lower;
};
// By number.
constexpr DeviceName kDevices[] = {
    {"CPU", "cpu"},       {"CUDA", "cuda"},     {"MKLDNN", "mkldnn"},
    {"OPENGL", "opengl"}, {"OPENCL", "opencl"}, {"IDEEP", "ideep"},
    {"HIP", "hip"},       {"FPGA", "fpga"},     {"MAIA", "maia"},
    {"XLA", "xla"},       {"VULKAN", "vulkan"}, {"METAL", "metal"},
    {"XPU", "xpu"},       {"MPS", "mps"},       {"META", "meta"},
    {"HPU", "hpu"},       {"VE", "ve"},         {"LAZY", "lazy"},
    {"IPU", "ipu"},       {"MTIA", "mtia"},     {"PRIVATEUSEONE", "privateuseone"}};
std::atomic<ScalarType> default_type{ScalarType::Float};
}  // namespace

std::string device_type_name(int type, bool lower_case) {
  if (type < 0 || type >= static_cast<int>(std::size(kDevices)))
    raise<Error>("Unknown device: ", type);
  return lower_case ? kDevices[type].lower : kDevices[type].upper;
}
void parse_device(const std::string& text, int* type, int* index) {
  const size_t colon = std::min(text.find(':'), text.size());
  const std::string name = text.substr(0, colon),
                    number = text.substr(std::min(colon + 1, text.size()));
  bool ok = colon == text.size() ||
            (!number.empty() && number.size() < 4 && (number.size() == 1 || number[0] != '0'));
  for (unsigned char c : number) ok = ok && std::isdigit(c);
  if (!ok) raise<Error>("Invalid device string: '", text, "'");
  for (int i = 0; i < static_cast<int>(std::size(kDevices)); ++i)
    if (name == kDevices[i].lower) {
      *type = i;
      *index = number.empty() ? -1 : std::atoi(number.c_str());
      if (*index > 127) raise<Error>("Device index is out of range: ", *index);
      return;
    }
  raise<Error>(
      "Expected one of cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, fpga, "
      "maia, xla, lazy, vulkan, mps, meta, hpu, mtia, privateuseone device type at start "
      "of device string: ",
      text);
}
const char* cpp_type_name(ScalarType t) {
  switch (t) {
    case ScalarType::Byte: return "unsigned char";
    case ScalarType::Char: return "signed char";
    case ScalarType::Short: return "short int";
    case ScalarType::Int: return "int";
    case ScalarType::Long: return "long int";
    case ScalarType::Half: return "c10::Half";
    case ScalarType::Float: return "float";
    case ScalarType::Double: return "double";
    case ScalarType::ComplexHalf: return "c10::complex<c10::Half>";
    case ScalarType::ComplexFloat: return "c10::complex<float>";
    case ScalarType::ComplexDouble: return "c10::complex<double>";
    case ScalarType::Bool: return "bool";
    case ScalarType::QInt8: return "c10::qint8";
    case ScalarType::QUInt8: return "c10::quint8";
    case ScalarType::QInt32: return "c10::qint32";
    case ScalarType::BFloat16: return "c10::BFloat16";
    case ScalarType::UInt16: return "short unsigned int";
    case ScalarType::UInt32: return "unsigned int";
    case ScalarType::UInt64: return "long unsigned int";
    case ScalarType::Undefined: return "nullptr (uninitialized)";
    default: return scalar_type_name(t);
  }
}
ErrorKind error_kind(const std::string& text) {
  auto has = [&](const char* part) { return text.find(part) != std::string::npos; };
  // An index of a list of indices names no dimension; gather's does, and is a plain error.
  if (has("Dimension out of range (") || has("select(): index ") ||
      has("is out of bounds for dimension with size"))
    return ErrorKind::Index;
  if (has("expected a non-empty list of Tensors")) return ErrorKind::Value;
  if (has("\" not implemented for '")) return ErrorKind::NotImplemented;
  return ErrorKind::Plain;
}
ScalarType default_dtype() { return default_type.load(std::memory_order_relaxed); }
void set_default_dtype(ScalarType t) {
  if (t != ScalarType::Float)
    raise<Error>("sconce's default dtype is float; set_default_dtype takes no other");
  default_type = t;
}
const char* tag_text(Tag t) {
  static const char* const names[] = {"None",        "Tensor",      "Double",        "Int",
                                      "Bool",        "Device",      "ComplexDouble", "String",
                                      "GenericList", "GenericDict", "Tuple",         "Object",
                                      "Enum",        "Future",      "Function",      "Generator"};
  return names[static_cast<size_t>(t)];
}

// ---- operators ----
namespace {

IValue number_list(const Arg& a, bool real) {
  auto box = make_ref<ListBox>(real ? types::floating() : types::integer());
  box->items.reserve(a.n);
  for (size_t i = 0; i < a.n; ++i) {
    if (a.kind == Arg::Kind::Ints) {
      const int64_t v = static_cast<const int64_t*>(a.p)[i];
      box->items.push_back(real ? IValue(static_cast<double>(v)) : IValue(v));
    } else {
      box->items.push_back(static_cast<const double*>(a.p)[i]);
    }
  }
  return IValue(std::move(box));
}

// The argument as a value of the type that the schema declares.
IValue value_of(const Arg& a, const Argument& declared) {
  const TypePtr t = unwrap_optional(declared.type);
  switch (a.kind) {
    case Arg::Kind::None:
      // An undefined tensor stands for no tensor.
      return IValue();
    case Arg::Kind::Tensor: {
      const Tensor& v = *static_cast<const Tensor*>(a.p);
      if (!v.defined() && is_optional(declared.type)) return IValue();
      if (!v.defined())
        raise<OpError>(
            "Expected a proper Tensor but got None (or an undefined Tensor in C++) for "
            "argument '",
            declared.name, "'");
      return IValue(v);
    }
    case Arg::Kind::Tensors: {
      auto box = make_ref<ListBox>(types::tensor());
      const Tensor* v = static_cast<const Tensor*>(a.p);
      for (size_t i = 0; i < a.n; ++i) {
        if (!v[i].defined())
          raise<OpError>(
              "Expected a proper Tensor but got None (or an undefined Tensor in C++) "
              "for argument '",
              declared.name, "' at position ", i);
        box->items.push_back(v[i]);
      }
      return IValue(std::move(box));
    }
    case Arg::Kind::Value: return *static_cast<const IValue*>(a.p);
    case Arg::Kind::List:
      return IValue(Ref<ListBox>(const_cast<ListBox*>(static_cast<const ListBox*>(a.p))));
    case Arg::Kind::Int:
      if (t->kind == TypeKind::Float) return IValue(static_cast<double>(a.i));
      return IValue(a.i);
    case Arg::Kind::Double: return IValue(a.d);
    case Arg::Kind::Bool: return IValue(a.i != 0);
    case Arg::Kind::Complex: return IValue(std::complex<double>(a.d, a.imag));
    case Arg::Kind::Ints:
    case Arg::Kind::Doubles: {
      const bool real = t->kind == TypeKind::List && t->elem()->kind == TypeKind::Float;
      // int[2]: one number stands for both.
      if (a.n == 1 && declared.n > 1) {
        IValue one = number_list(a, real);
        auto& items = one.toListRef().items;
        const IValue first = items[0];
        items.resize(static_cast<size_t>(declared.n), first);
        return one;
      }
      return number_list(a, real);
    }
    case Arg::Kind::Bools: {
      auto box = make_ref<ListBox>(types::boolean());
      for (size_t i = 0; i < a.n; ++i) box->items.push_back(static_cast<const bool*>(a.p)[i]);
      return IValue(std::move(box));
    }
    case Arg::Kind::Numbers: {
      auto box = make_ref<ListBox>(types::number());
      const Argument plain;
      Argument element = plain;
      element.type = types::number();
      for (size_t i = 0; i < a.n; ++i)
        box->items.push_back(value_of(static_cast<const Arg*>(a.p)[i], element));
      return IValue(std::move(box));
    }
    case Arg::Kind::Text: return IValue(std::string(static_cast<const char*>(a.p), a.n));
    case Arg::Kind::Device:
      return IValue(
          sconce::Device{static_cast<DeviceType>(a.i / 256), static_cast<int8_t>(a.i % 256 - 1)});
  }
  return IValue();
}

void call_here(const char* name, const Arg* args, size_t n, IValue* out, size_t n_out) {
  const Operator* op = op_table().find_overload(name);
  if (!op) raise<MissingOp>(missing_operator_text(name, " is not known to sconce"));
  const FunctionSchema& schema = op->schema();
  if (schema.arguments.size() != n)
    raise<Error>(name, " takes ", schema.arguments.size(), " arguments but got ", n,
                 ": sconce/torch.h is of another version than the library");
  std::vector<IValue> inputs;
  inputs.reserve(n);
  for (size_t i = 0; i < n; ++i) inputs.push_back(value_of(args[i], schema.arguments[i]));
  const std::shared_ptr<ThreadPool> pool = shared_pool();
  Context c = context();
  c.pool = pool.get();
  c.num_threads = pool ? pool->size() : 1;
  ContextScope scope(&c);
  std::vector<IValue> results = run_operator(*op, std::move(inputs));
  for (size_t i = 0; i < results.size() && i < n_out; ++i) out[i] = std::move(results[i]);
}

}  // namespace

void call(const char* op, const Arg* args, size_t n, IValue* out, size_t n_out) {
  out_of_memory_told([&] { call_here(op, args, n, out, n_out); });
}

// ---- tensors ----
Tensor from_blob(void* data, const int64_t* sizes, size_t ndim, const int64_t* strides,
                 std::function<void(void*)> deleter, ScalarType dtype, Device device) {
  if (device.type != DeviceType::CPU)
    raise<Error>("from_blob: only the CPU's memory can be borrowed");
  std::shared_ptr<const void> owner;
  if (deleter)
    owner = std::shared_ptr<const void>(
        data, [deleter = std::move(deleter)](const void* p) { deleter(const_cast<void*>(p)); });
  DimVector shape(sizes, sizes + ndim), steps;
  for (int64_t s : shape)
    if (s < 0) raise<Error>("from_blob: a size is negative");
  if (strides)
    steps = DimVector(strides, strides + ndim);
  else
    steps = contiguous_strides(shape);
  int64_t last = 0;
  bool empty = false;
  for (size_t d = 0; d < ndim; ++d) {
    if (shape[d] == 0) empty = true;
    if (steps[d] < 0) raise<Error>("from_blob: a stride is negative");
    last += std::max<int64_t>(shape[d] - 1, 0) * steps[d];
  }
  auto impl = make_ref<TensorImpl>();
  const size_t nbytes = empty ? 0 : static_cast<size_t>(last + 1) * element_size(dtype);
  impl->storage = Storage::borrow(data, nbytes, std::move(owner));
  impl->sizes = shape;
  impl->strides = steps;
  impl->dtype = dtype;
  return Tensor(std::move(impl));
}
std::string type_text(const Tensor& t) {
  std::string device = device_type_name(static_cast<int>(t.device().type), false);
  return (t.quantizer() ? "Quantized" : "") + device + scalar_type_name(t.dtype()) + "Type";
}

namespace {
// Dimensions from the innermost out.
std::vector<size_t> order_of(int format, size_t ndim) {
  if (format == 2 && ndim == 4) return {1, 3, 2, 0};
  if (format == 3 && ndim == 5) return {1, 4, 3, 2, 0};
  return {};
}
}  // namespace

bool is_contiguous(const Tensor& t, int format) {
  if (format < 2) return t.is_contiguous();
  const std::vector<size_t> order = order_of(format, t.sizes().size());
  if (order.empty()) return false;
  int64_t expected = 1;
  for (size_t d : order) {
    if (t.sizes()[d] == 1) continue;
    if (t.strides()[d] != expected) return false;
    expected *= t.sizes()[d];
  }
  return true;
}
bool is_strides_like(const Tensor& t, int format) {
  const std::vector<size_t> order = order_of(format, t.sizes().size());
  if (order.empty() || t.strides()[1] == 0) return false;
  int64_t least = 0;
  for (size_t d : order) {
    if (t.sizes()[d] == 0 || t.strides()[d] < least) return false;
    // Where the strides fit both orders, it is the other one.
    if (d == 0 && least == t.strides()[1]) return false;
    least = t.strides()[d];
    if (t.sizes()[d] > 1) least *= t.sizes()[d];
  }
  return true;
}
bool is_dense(const Tensor& t) {
  std::vector<size_t> order(t.sizes().size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (t.sizes()[a] < 2 || t.sizes()[b] < 2) return t.sizes()[a] >= 2 && t.sizes()[b] < 2;
    return t.strides()[a] < t.strides()[b];
  });
  int64_t expected = 1;
  for (size_t d : order) {
    if (t.sizes()[d] < 2) break;
    if (t.strides()[d] != expected) return false;
    expected *= t.sizes()[d];
  }
  return true;
}

// ---- threads and devices ----
namespace {
struct Threads {
  std::mutex mutex;
  int n = std::max(1, std::min(static_cast<int>(std::thread::hardware_concurrency()), 256));
  std::shared_ptr<ThreadPool> pool;
};
Threads& threads() {
  static const Lasting made(new Threads);
  return *made;
}
}  // namespace

std::shared_ptr<ThreadPool> shared_pool() {
  Threads& t = threads();
  std::lock_guard<std::mutex> lock(t.mutex);
  if (t.n > 1 && !t.pool) t.pool = std::make_shared<ThreadPool>(t.n);
  return t.pool;
}
void set_num_threads(int n) {
  if (n < 1) raise<Error>("Expected positive number of threads");
  Threads& t = threads();
  std::lock_guard<std::mutex> lock(t.mutex);
  t.n = std::min(n, 256);
  t.pool = nullptr;
}
int get_num_threads() {
  Threads& t = threads();
  std::lock_guard<std::mutex> lock(t.mutex);
  return t.n;
}
void synchronize(int index) {
  op_table();
  if (const DeviceRuntime* d =
          find_device({DeviceType::CUDA, static_cast<int8_t>(index < 0 ? 0 : index)}))
    d->synchronize();
}

}  // namespace sconce::libtorch
