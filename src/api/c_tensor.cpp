// SPDX-License-Identifier: Apache-2.0
// The C API: tensors, and their exchange by DLPack (the structs of version 0.x of its interface).
#include <cstring>

#include "api/c_api.h"
#include "api/runtime.h"
#include "core/sizes.h"

// Names and layout are DLPack's.
struct DLManagedTensor {
  struct {
    void* data;
    struct {
      int32_t device_type, device_id;
    } device;
    int32_t ndim;
    struct {
      uint8_t code, bits;
      uint16_t lanes;
    } dtype;
    int64_t* shape;
    int64_t* strides;  // in elements; null: C-contiguous
    uint64_t byte_offset;
  } dl_tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor*);
};

namespace sconce::c {

namespace {

ScalarType dtype_argument(int32_t dtype) {
  if (dtype < 0 || dtype > 126 || !element_size(static_cast<ScalarType>(dtype)))
    raise<InvalidArgument>("dtype ", dtype, " is not known");
  ScalarType t = static_cast<ScalarType>(dtype);
  if (is_quantized(t)) raise<InvalidArgument>("a quantised dtype needs a scale");
  return t;
}
IntArrayRef sizes_argument(const int64_t* sizes, size_t dim) {
  if (dim > 64) raise<InvalidArgument>("more than 64 dims");
  if (dim) required(sizes, "sizes");
  return IntArrayRef(sizes, dim);
}

// Calls the deleter when the last storage that uses the memory goes.
class Deleter {
 public:
  Deleter(sconce_deleter f, void* user) : f_(f), user_(user) {}
  Deleter(const Deleter&) = delete;
  ~Deleter() {
    if (armed_ && f_) f_(user_);
  }
  void arm() { armed_ = true; }

 private:
  sconce_deleter f_;
  void* user_;
  bool armed_ = false;  // until all has succeeded, the memory is still the caller's
};

Tensor borrowed(void* data, ScalarType dtype, IntArrayRef sizes, IntArrayRef strides,
                std::shared_ptr<const void> owner) {
  const int64_t bytes = check_form(sizes, strides, 0, dtype);
  if (bytes && !data) raise<InvalidArgument>("data is NULL");
  auto impl = make_ref<TensorImpl>();
  impl->sizes = sizes;
  impl->strides = strides;
  impl->dtype = dtype;
  impl->storage = Storage::borrow(data, static_cast<size_t>(bytes), std::move(owner));
  return Tensor(std::move(impl));
}

const Tensor& host_tensor(const sconce_value* v) {
  const Tensor& t = tensor_of(v);
  if (t.device().type != DeviceType::CPU)
    raise<InvalidArgument>("the tensor is on ", t.device().str(),
                           "; sconce_tensor_copy_to() or sconce_tensor_to() bring it here");
  return t;
}

struct Numbering {
  ScalarType dtype;
  uint8_t code, bits;
};
constexpr Numbering kDLTypes[] = {{kChar, 0, 8},
                                  {kShort, 0, 16},
                                  {kInt, 0, 32},
                                  {kLong, 0, 64},
                                  {kByte, 1, 8},
                                  {ScalarType::UInt16, 1, 16},
                                  {ScalarType::UInt32, 1, 32},
                                  {ScalarType::UInt64, 1, 64},
                                  {kHalf, 2, 16},
                                  {kFloat, 2, 32},
                                  {kDouble, 2, 64},
                                  {kBFloat16, 4, 16},
                                  {kComplexFloat, 5, 64},
                                  {kComplexDouble, 5, 128},
                                  {kBool, 6, 8}};

struct Exported {
  DLManagedTensor tensor;
  Tensor keep;
};

}  // namespace
}  // namespace sconce::c

using namespace sconce;
using namespace sconce::c;

extern "C" {

sconce_status sconce_tensor_new(int32_t dtype, const int64_t* sizes, size_t dim,
                                sconce_value** out) {
  return guarded([&] {
    Tensor t = zeros(sizes_argument(sizes, dim), dtype_argument(dtype));
    required(out, "out") = new_value(IValue(std::move(t)));
  });
}
sconce_status sconce_tensor_borrow(void* data, int32_t dtype, const int64_t* sizes,
                                   const int64_t* strides, size_t dim, sconce_deleter deleter,
                                   void* user, sconce_value** out) {
  return guarded([&] {
    required(out, "out");
    IntArrayRef size = sizes_argument(sizes, dim);
    ScalarType t = dtype_argument(dtype);
    checked_numel(size);
    DimVector stride = strides ? DimVector(IntArrayRef(strides, dim)) : contiguous_strides(size);
    auto owner = std::make_shared<Deleter>(deleter, user);
    *out = new_value(IValue(borrowed(data, t, size, stride, owner)));
    owner->arm();
  });
}
sconce_status sconce_tensor_copy_from(const void* data, int32_t dtype, const int64_t* sizes,
                                      size_t dim, sconce_value** out) {
  return guarded([&] {
    required(out, "out");
    Tensor t = empty(sizes_argument(sizes, dim), dtype_argument(dtype));
    if (t.numel()) {
      if (!data) raise<InvalidArgument>("data is NULL");
      std::memcpy(t.element_address(), data,
                  static_cast<size_t>(t.numel()) * element_size(t.dtype()));
    }
    *out = new_value(IValue(std::move(t)));
  });
}

sconce_status sconce_tensor_dtype(const sconce_value* tensor, int32_t* out) {
  return guarded([&] { required(out, "out") = static_cast<int32_t>(tensor_of(tensor).dtype()); });
}
sconce_status sconce_tensor_dim(const sconce_value* tensor, size_t* out) {
  return guarded([&] { required(out, "out") = static_cast<size_t>(tensor_of(tensor).dim()); });
}
sconce_status sconce_tensor_sizes(const sconce_value* tensor, const int64_t** out) {
  return guarded([&] { required(out, "out") = tensor_of(tensor).sizes().data(); });
}
sconce_status sconce_tensor_strides(const sconce_value* tensor, const int64_t** out) {
  return guarded([&] { required(out, "out") = tensor_of(tensor).strides().data(); });
}
sconce_status sconce_tensor_numel(const sconce_value* tensor, int64_t* out) {
  return guarded([&] { required(out, "out") = tensor_of(tensor).numel(); });
}
sconce_status sconce_tensor_device(const sconce_value* tensor, char** out) {
  return guarded([&] { required(out, "out") = new_string(tensor_of(tensor).device().str()); });
}
sconce_status sconce_tensor_data(const sconce_value* tensor, const void** out) {
  return guarded([&] { required(out, "out") = host_tensor(tensor).const_raw_data(); });
}
sconce_status sconce_tensor_mutable_data(sconce_value* tensor, void** out) {
  return guarded([&] { required(out, "out") = host_tensor(tensor).raw_data(); });
}
sconce_status sconce_tensor_copy_to(const sconce_value* tensor, void* buffer, size_t size) {
  return guarded([&] {
    const Tensor& t = tensor_of(tensor);
    if (is_quantized(t.dtype())) raise<InvalidArgument>("the tensor is quantised");
    const size_t bytes = static_cast<size_t>(t.numel()) * element_size(t.dtype());
    if (size != bytes)
      raise<InvalidArgument>("the buffer has ", size, " bytes, the elements have ", bytes);
    if (!bytes) return;
    if (!buffer) raise<InvalidArgument>("buffer is NULL");
    Tensor to = borrowed(buffer, t.dtype(), t.sizes(), contiguous_strides(t.sizes()), nullptr);
    run_named("aten::copy_", {IValue(to), IValue(t), IValue(false)});
  });
}
sconce_status sconce_tensor_to(const sconce_value* tensor, int32_t dtype, const char* device,
                               sconce_value** out) {
  return guarded([&] {
    required(out, "out");
    Tensor t = tensor_of(tensor);
    if (device) t = t.to(Device::parse(device));
    if (dtype >= 0) t = t.to(dtype_argument(dtype));
    *out = new_value(IValue(t.contiguous()));
  });
}

sconce_status sconce_tensor_to_dlpack(const sconce_value* tensor, struct DLManagedTensor** out) {
  return guarded([&] {
    required(out, "out");
    const Tensor& t = host_tensor(tensor);
    const Numbering* number = nullptr;
    for (auto& n : kDLTypes)
      if (n.dtype == t.dtype()) number = &n;
    if (!number) raise<InvalidArgument>("DLPack has no ", dtype_name(t.dtype()));
    auto e = std::make_unique<Exported>();
    e->keep = t;
    auto& d = e->tensor.dl_tensor;
    d.data = t.raw_data();
    d.device = {1, 0};  // the CPU
    d.ndim = static_cast<int32_t>(t.dim());
    d.dtype.code = number->code, d.dtype.bits = number->bits, d.dtype.lanes = 1;
    // A copy of the form: the tensor may be given another one in place.
    auto* dims = new int64_t[static_cast<size_t>(t.dim()) * 2 + 1];
    std::copy(t.sizes().begin(), t.sizes().end(), dims);
    std::copy(t.strides().begin(), t.strides().end(), dims + t.dim());
    d.shape = dims, d.strides = dims + t.dim();
    d.byte_offset = 0;
    e->tensor.manager_ctx = e.get();
    e->tensor.deleter = [](DLManagedTensor* m) {
      delete[] m->dl_tensor.shape;
      delete static_cast<Exported*>(m->manager_ctx);
    };
    *out = &e.release()->tensor;
  });
}
sconce_status sconce_tensor_from_dlpack(struct DLManagedTensor* tensor, sconce_value** out) {
  return guarded([&] {
    required(out, "out");
    DLManagedTensor& m = required(tensor, "tensor");
    auto& d = m.dl_tensor;
    if (d.device.device_type != 1 && d.device.device_type != 3)  // the CPU, or pinned memory of it
      raise<InvalidArgument>("the DLPack tensor isn't in the CPU's memory");
    if (d.ndim < 0) raise<InvalidArgument>("the DLPack tensor has a negative number of dims");
    ScalarType dtype = ScalarType::Undefined;
    for (auto& n : kDLTypes)
      if (n.code == d.dtype.code && n.bits == d.dtype.bits && d.dtype.lanes == 1) dtype = n.dtype;
    if (dtype == ScalarType::Undefined)
      raise<InvalidArgument>("the DLPack tensor's dtype is not known here");
    IntArrayRef size = sizes_argument(d.shape, static_cast<size_t>(d.ndim));
    checked_numel(size);
    DimVector stride =
        d.strides ? DimVector(IntArrayRef(d.strides, size.size())) : contiguous_strides(size);
    auto owner = std::make_shared<Deleter>(
        [](void* p) {
          auto* managed = static_cast<DLManagedTensor*>(p);
          if (managed->deleter) managed->deleter(managed);
        },
        tensor);
    void* data = d.data ? static_cast<char*>(d.data) + d.byte_offset : nullptr;
    *out = new_value(IValue(borrowed(data, dtype, size, stride, owner)));
    owner->arm();
  });
}

sconce_status sconce_manual_seed(uint64_t seed) {
  return guarded([&] { manual_seed(seed); });
}

}  // extern "C"
