// SPDX-License-Identifier: Apache-2.0
#include "arrays.h"

#include <cstdlib>
#include <cstring>
#include <memory>

#include "dlpack.h"
#include "gil.h"
#include "numpy.h"

namespace sconce::python {

namespace {

// ---- what a tensor borrows from ----

struct LentBuffer {
  Py_buffer view{};
  ~LentBuffer() {
    if (!view.obj) return;
    if (HoldsLock::known()) {
      PyBuffer_Release(&view);
      return;
    }
    let_go({[](Kept& k) {
              std::unique_ptr<Py_buffer> view(static_cast<Py_buffer*>(k.object));
              PyBuffer_Release(view.get());
            },
            new Py_buffer(view)});
  }
};

// ---- strided memory ----

struct Layout {
  void* data = nullptr;
  DimVector sizes, strides;  // strides in elements
  ScalarType dtype = kFloat;
  bool writable = true;
};

int64_t count(const DimVector& sizes) {
  int64_t n = 1;
  for (int64_t s : sizes) n *= s;
  return n;
}

// Bytes from the first element to the end of the last.
size_t extent(IntArrayRef sizes, IntArrayRef strides, ScalarType dtype) {
  int64_t last = 0;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == 0) return 0;
    last += (sizes[d] - 1) * strides[d];
  }
  return static_cast<size_t>(last + 1) * element_size(dtype);
}

Tensor lend(Layout&& l, std::shared_ptr<const void> owner, Incoming& in) {
  const size_t nbytes = extent(l.sizes, l.strides, l.dtype);
  auto impl = make_ref<TensorImpl>();
  impl->storage = Storage::borrow(l.data, nbytes, std::move(owner), l.writable);
  if (!l.writable) impl->storage = impl->storage->share();
  impl->sizes = std::move(l.sizes);
  impl->strides = std::move(l.strides);
  impl->dtype = l.dtype;
  Tensor t(std::move(impl));
  if (!l.writable && in.lasting) t = t.clone();
  return t;
}

// Elements that lie as no tensor can are copied one by one; strides in bytes.
Tensor copied(const char* data, const DimVector& sizes, const std::vector<int64_t>& bytes,
              ScalarType dtype, bool swapped) {
  Tensor t = empty(sizes, dtype);
  const size_t item = element_size(dtype);
  // The parts of a complex number are turned around each.
  const size_t part = is_complex(dtype) ? item / 2 : item;
  char* to = static_cast<char*>(t.element_address());
  std::vector<int64_t> at(sizes.size());
  for (int64_t n = count(sizes); n > 0; --n) {
    std::memcpy(to, data, item);
    if (swapped)
      for (size_t p = 0; p < item; p += part)
        for (size_t i = 0; i < part / 2; ++i) std::swap(to[p + i], to[p + part - 1 - i]);
    to += item;
    for (size_t d = sizes.size(); d-- > 0;) {
      data += bytes[d];
      if (++at[d] < sizes[d]) break;
      data -= bytes[d] * sizes[d];
      at[d] = 0;
    }
  }
  return t;
}

// ---- the buffer protocol ----

// struct's codes for one element. False for other formats.
bool dtype_of_format(const char* format, Py_ssize_t itemsize, ScalarType& dtype, bool& swapped) {
  swapped = false;
  if (!format) format = "B";
  if (*format == '>' || *format == '!') {
    swapped = itemsize > 1;
    ++format;
  } else if (*format == '@' || *format == '=' || *format == '<' || *format == '^') {
    ++format;
  }
  const bool complex = *format == 'Z';
  if (complex) ++format;
  if (!format[0] || format[1]) return false;
  auto of_size = [&](ScalarType one, ScalarType two, ScalarType four, ScalarType eight) {
    dtype = itemsize == 1 ? one : itemsize == 2 ? two : itemsize == 4 ? four : eight;
    return itemsize == 1 || itemsize == 2 || itemsize == 4 || itemsize == 8;
  };
  if (complex) {
    dtype = itemsize == 8 ? kComplexFloat : kComplexDouble;
    return (*format == 'f' && itemsize == 8) || (*format == 'd' && itemsize == 16);
  }
  switch (*format) {
    case '?': dtype = kBool; return itemsize == 1;
    case 'b':
    case 'h':
    case 'i':
    case 'l':
    case 'q':
    case 'n': return of_size(kChar, kShort, kInt, kLong);
    case 'B':
    case 'H':
    case 'I':
    case 'L':
    case 'Q':
    case 'N': return of_size(kByte, ScalarType::UInt16, ScalarType::UInt32, ScalarType::UInt64);
    case 'e': dtype = kHalf; return itemsize == 2;
    case 'f': dtype = kFloat; return itemsize == 4;
    case 'd': dtype = kDouble; return itemsize == 8;
    default: return false;
  }
}

// Of dimensions with less than two elements a buffer of NumPy's tells other strides than the array
// has, which are what a model sees.
const Py_ssize_t* strides_of(const Py_buffer& view) {
  for (int d = 0; d < view.ndim && view.shape; ++d)
    if (view.shape[d] < 2) {
      const Py_ssize_t* own = numpy_strides(view.obj, view.ndim);
      return own ? own : view.strides;
    }
  return view.strides;
}

Tensor tensor_of_buffer(std::shared_ptr<LentBuffer> lent, const ScalarType* known, Incoming& in) {
  const Py_buffer& view = lent->view;
  Layout l;
  bool swapped = false;
  if (known)
    l.dtype = *known;
  else if (!dtype_of_format(view.format, view.itemsize, l.dtype, swapped))
    raise<Error>("an array with elements of format '", view.format ? view.format : "B", "' and ",
                 view.itemsize, " bytes is no tensor");
  l.data = view.buf;
  l.writable = !view.readonly;
  const Py_ssize_t* strides = strides_of(view);
  bool fits = !swapped && reinterpret_cast<uintptr_t>(view.buf) %
                                  static_cast<size_t>(is_complex(l.dtype) ? view.itemsize / 2
                                                                          : view.itemsize) ==
                              0;
  std::vector<int64_t> bytes;
  for (int d = 0; d < view.ndim; ++d) {
    l.sizes.push_back(view.shape ? view.shape[d] : view.len / view.itemsize);
    const int64_t stride = strides ? strides[d] : view.itemsize;
    if (l.sizes.back() > 1 && (stride < 0 || stride % view.itemsize)) fits = false;
    bytes.push_back(stride);
    l.strides.push_back(stride < 0 ? 0 : stride / view.itemsize);
  }
  if (!fits && count(l.sizes) > 0)
    return copied(static_cast<const char*>(view.buf), l.sizes, bytes, l.dtype, swapped);
  return lend(std::move(l), std::move(lent), in);
}

bool get_buffer(nb::handle o, std::shared_ptr<LentBuffer>& lent) {
  lent = std::make_shared<LentBuffer>();
  if (PyObject_GetBuffer(o.ptr(), &lent->view, PyBUF_RECORDS_RO) == 0) return true;
  PyErr_Clear();
  lent->view.obj = nullptr;
  return false;
}

// ---- DLPack ----

struct LentCapsule {
  void* managed = nullptr;
  void (*deleter)(void*) = nullptr;
  static void end(Kept& k) {
    std::unique_ptr<LentCapsule> l(static_cast<LentCapsule*>(k.object));
    if (l->deleter) l->deleter(l->managed);
  }
};

Tensor tensor_of_dlpack(const dlpack::Tensor& d, bool writable, std::shared_ptr<const void> owner,
                        Incoming& in) {
  if (d.device.type != dlpack::kCpu && d.device.type != dlpack::kCudaHost)
    raise<Error>("a tensor on another device than the CPU can't be lent: move it there first");
  Layout l;
  if (!dlpack::dtype_from(d.dtype, l.dtype))
    raise<Error>("DLPack's dtype (code ", int{d.dtype.code}, ", ", int{d.dtype.bits}, " bits, ",
                 d.dtype.lanes, " lanes) is no tensor's");
  l.data = static_cast<char*>(d.data) + d.byte_offset;
  l.writable = writable;
  std::vector<int64_t> bytes;
  const int64_t item = static_cast<int64_t>(element_size(l.dtype));
  l.sizes = DimVector(d.shape, d.shape + d.ndim);
  l.strides = d.strides ? DimVector(d.strides, d.strides + d.ndim) : contiguous_strides(l.sizes);
  if (!d.data && count(l.sizes) > 0) raise<Error>("the tensor has no memory");
  bool fits = true;
  for (size_t i = 0; i < l.sizes.size(); ++i) {
    bytes.push_back(l.strides[i] * item);
    if (l.sizes[i] > 1 && l.strides[i] < 0) fits = false;
    if (l.strides[i] < 0) l.strides[i] = 0;
  }
  if (!fits && count(l.sizes) > 0)
    return copied(static_cast<const char*>(l.data), l.sizes, bytes, l.dtype, false);
  return lend(std::move(l), std::move(owner), in);
}

Tensor tensor_of_capsule(nb::handle capsule, Incoming& in) {
  auto lent = std::make_unique<LentCapsule>();
  const dlpack::Tensor* d = nullptr;
  bool writable = true;
  if (PyCapsule_IsValid(capsule.ptr(), "dltensor_versioned")) {
    auto* m = static_cast<dlpack::ManagedVersioned*>(
        PyCapsule_GetPointer(capsule.ptr(), "dltensor_versioned"));
    if (m->version.major != 1) raise<Error>("DLPack version ", m->version.major, " is not known");
    writable = !(m->flags & dlpack::kReadOnly);
    d = &m->tensor;
    lent->managed = m;
    lent->deleter = [](void* p) {
      auto* m = static_cast<dlpack::ManagedVersioned*>(p);
      if (m->deleter) m->deleter(m);
    };
    PyCapsule_SetName(capsule.ptr(), "used_dltensor_versioned");
  } else if (PyCapsule_IsValid(capsule.ptr(), "dltensor")) {
    auto* m = static_cast<dlpack::Managed*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
    d = &m->tensor;
    lent->managed = m;
    lent->deleter = [](void* p) {
      auto* m = static_cast<dlpack::Managed*>(p);
      if (m->deleter) m->deleter(m);
    };
    PyCapsule_SetName(capsule.ptr(), "used_dltensor");
  } else {
    raise<Error>("the capsule is not of DLPack, or was used before");
  }
  std::shared_ptr<const void> owner(lent.release(), [](const void* p) {
    let_go({LentCapsule::end, const_cast<void*>(p)});
  });
  return tensor_of_dlpack(*d, writable, std::move(owner), in);
}

// ---- PyTorch, where it is loaded ----

struct Torch {
  nb::object tensor_type, dtype_type, to_capsule, from_capsule;
};
// Null until somebody imported torch, or import is asked for.
Torch* torch_of_process(bool import_it) {
  static Torch* known = nullptr;
  if (known) return known;
  nb::object torch;
  if (import_it) {
    torch = nb::module_::import_("torch");
  } else {
    nb::object modules = nb::module_::import_("sys").attr("modules");
    torch = nb::borrow(PyDict_GetItemString(modules.ptr(), "torch"));
    if (!torch.is_valid() || !nb::hasattr(torch, "Tensor")) return nullptr;
    if (!nb::hasattr(torch, "utils") || !nb::hasattr(torch.attr("utils"), "dlpack"))
      return nullptr;  // its import is not over
  }
  nb::object c = torch.attr("_C"), dlpack = torch.attr("utils").attr("dlpack");
  auto t = std::make_unique<Torch>();
  t->tensor_type = torch.attr("Tensor");
  t->dtype_type = torch.attr("dtype");
  t->to_capsule = dlpack.attr("to_dlpack");
  t->from_capsule = nb::hasattr(c, "_from_dlpack") ? nb::object(c.attr("_from_dlpack"))
                                                   : nb::object(dlpack.attr("from_dlpack"));
  return known = t.release();
}

bool is_torch_tensor(nb::handle o) {
  Torch* torch = torch_of_process(false);
  return torch && PyObject_IsInstance(o.ptr(), torch->tensor_type.ptr()) == 1;
}

// The tensor with all of the memory that it is a view of, and its own strides: DLPack hands over
// the elements alone, and a model may look at more.
Tensor with_its_memory(Tensor x, nb::handle t, Incoming& in) {
  const auto offset = nb::cast<int64_t>(t.attr("storage_offset")());
  const auto nbytes = nb::cast<size_t>(t.attr("untyped_storage")().attr("nbytes")());
  TensorImpl* impl = x.mutable_impl();
  if (offset || nbytes > impl->storage->nbytes()) {
    const auto all = static_cast<int64_t>(nbytes / element_size(x.dtype()));
    nb::object whole = t.attr("as_strided")(nb::make_tuple(all), nb::make_tuple(1), 0);
    impl->storage =
        tensor_of_capsule(torch_of_process(false)->to_capsule(whole), in).impl()->storage;
    impl->offset = offset;
  }
  bool short_ones = false;
  for (int64_t s : x.sizes()) short_ones |= s < 2;
  if (short_ones) {
    size_t d = 0;
    for (nb::handle stride : t.attr("stride")()) impl->strides[d++] = nb::cast<int64_t>(stride);
  }
  return x;
}

Tensor tensor_of_torch(nb::handle o, Incoming& in) {
  in.torch = true;
  nb::object t = nb::borrow(o);
  try {
    // What is conjugated or negated when it is read is not what lies in memory.
    if (nb::cast<bool>(t.attr("is_conj")())) t = t.attr("resolve_conj")();
    if (nb::cast<bool>(t.attr("is_neg")())) t = t.attr("resolve_neg")();
    if (nb::cast<bool>(t.attr("requires_grad"))) t = t.attr("detach")();
    return with_its_memory(tensor_of_capsule(torch_of_process(false)->to_capsule(t), in), t, in);
  } catch (nb::python_error& e) {
    if (!e.matches(PyExc_RuntimeError) && !e.matches(PyExc_BufferError)) throw;
    // A layout or a dtype that DLPack doesn't have, a tensor without memory.
    raise<Error>("PyTorch doesn't hand it over: ", nb::str(e.value()).c_str());
  }
}

// ---- tensors for Python ----

// An owner for Python: holds the tensor until it is collected.
nb::object holder(const Tensor& t) {
  TensorImpl* impl = t.mutable_impl();
  PyObject* capsule = PyCapsule_New(impl, "sconce tensor", [](PyObject* c) {
    HoldsLock holds;
    static_cast<TensorImpl*>(PyCapsule_GetPointer(c, "sconce tensor"))->release();
  });
  if (!capsule) throw nb::python_error();
  impl->retain();
  return nb::steal(capsule);
}

bool is_strided_host_memory(const Tensor& t) {
  return t.device().type == DeviceType::CPU && t.impl()->storage && !t.impl()->nested_rows &&
         !t.impl()->storage->device();
}

}  // namespace

bool tensor_from(nb::handle o, Tensor& out, Incoming& in) {
  if (nb::isinstance<PyTensor>(o)) {
    out = nb::cast<const PyTensor&>(o).tensor;
    return true;
  }
  if (PyObject_CheckBuffer(o.ptr()) && !PyBytes_Check(o.ptr())) {
    std::shared_ptr<LentBuffer> lent;
    if (get_buffer(o, lent)) {
      // Dates of NumPy show their bytes alone.
      if (lent->view.format && !std::strcmp(lent->view.format, "B") && nb::hasattr(o, "dtype") &&
          nb::cast<Py_ssize_t>(o.attr("dtype").attr("itemsize")) != lent->view.itemsize)
        raise<Error>("an array of ", nb::repr(nb::object(o.attr("dtype"))).c_str(),
                     " is no tensor");
      out = tensor_of_buffer(std::move(lent), nullptr, in);
    } else {
      // A dtype that came to NumPy later: its name tells, and its bits can be seen as integers.
      ScalarType dtype;
      if (!nb::hasattr(o, "dtype") || !dtype_from(o.attr("dtype"), dtype))
        raise<Error>("an array of ", nb::repr(nb::object(o.attr("dtype"))).c_str(),
                     " is no tensor");
      nb::object bits = o.attr("view")(element_size(dtype) == 2 ? "u2" : "u1");
      if (!get_buffer(bits, lent)) raise<Error>("the array gives no buffer");
      out = tensor_of_buffer(std::move(lent), &dtype, in);
    }
  } else if (is_torch_tensor(o)) {
    out = tensor_of_torch(o, in);
  } else if (nb::hasattr(o, "__dlpack__")) {
    out = tensor_of_capsule(o.attr("__dlpack__")(), in);
  } else if (PyCapsule_CheckExact(o.ptr())) {
    out = tensor_of_capsule(o, in);
  } else {
    return false;
  }
  in.lent.emplace_back(o, out);
  return true;
}

LentArray::LentArray(nb::handle o, const Tensor& t)
    : array(nb::borrow(o)),
      tensor(t),
      sizes(t.sizes()),
      strides(t.strides()),
      offset(t.storage_offset()),
      storage(t.impl()->storage.get()) {}

bool LentArray::has_other_form() const {
  return tensor.impl()->storage.get() != storage || tensor.storage_offset() != offset ||
         tensor.sizes() != IntArrayRef(sizes) || tensor.strides() != IntArrayRef(strides);
}

bool is_whole_memory(const Tensor& t) {
  return t.impl()->storage && t.storage_offset() == 0 &&
         extent(t.sizes(), t.strides(), t.dtype()) == t.impl()->storage->nbytes();
}

nb::object to_numpy(const Tensor& t, bool writable) {
  const int type = numpy_type(t.dtype());
  if (type < 0 || !is_strided_host_memory(t)) return {};
  const Numpy& n = numpy();
  if (t.dim() > n.most_dims) return {};
  constexpr int kAligned = 0x0100, kWriteable = 0x0400;
  void* data = writable ? t.raw_data() : const_cast<void*>(t.const_raw_data());
  const Py_ssize_t item = static_cast<Py_ssize_t>(element_size(t.dtype()));
  SmallVec<Py_ssize_t, 6> sizes, strides;
  for (int64_t s : t.sizes()) sizes.push_back(s);
  for (int64_t s : t.strides()) strides.push_back(s * item);
  void* descr = n.descr_from_type(type);  // new_from_descr takes it over
  if (!descr) throw nb::python_error();
  PyObject* array =
      n.new_from_descr(n.array_type, descr, static_cast<int>(sizes.size()), sizes.data(),
                       strides.data(), data, kAligned | (writable ? kWriteable : 0), nullptr);
  if (!array) throw nb::python_error();
  nb::object result = nb::steal(array);
  if (data && n.set_base(array, holder(t).release().ptr()) < 0) throw nb::python_error();
  return result;
}

int64_t numpy_most_dims() { return numpy().most_dims; }

std::pair<int, int> dlpack_device(const Tensor& t) {
  const Device d = t.device();
  if (d.type == DeviceType::CUDA) return {dlpack::kCuda, d.index < 0 ? 0 : d.index};
  return {dlpack::kCpu, 0};
}

nb::object to_dlpack(const Tensor& t, bool writable, bool versioned) {
  dlpack::Type type;
  if (!dlpack::dtype_to(t.dtype(), type) || t.impl()->nested_rows)
    raise<Error>("DLPack has no dtype for ", dtype_name(t.dtype()));
  struct Loan {
    Tensor tensor;
    DimVector sizes, strides;
    dlpack::Managed plain;
    dlpack::ManagedVersioned with_version;
  };
  auto lent = std::make_unique<Loan>();
  lent->tensor = t;
  lent->sizes = DimVector(t.sizes());
  lent->strides = DimVector(t.strides());
  auto [device, index] = dlpack_device(t);
  dlpack::Tensor d{};
  d.data = writable ? t.raw_data() : const_cast<void*>(t.const_raw_data());
  d.device = {device, index};
  d.ndim = static_cast<int32_t>(lent->sizes.size());
  d.dtype = type;
  d.shape = lent->sizes.data();
  d.strides = lent->strides.data();
  PyObject* capsule;
  if (versioned) {
    lent->with_version = {
        {1, 0},
        lent.get(),
        [](dlpack::ManagedVersioned* m) { delete static_cast<Loan*>(m->context); },
        writable ? uint64_t{0} : dlpack::kReadOnly,
        d};
    capsule = PyCapsule_New(&lent->with_version, "dltensor_versioned", [](PyObject* c) {
      HoldsLock holds;
      if (!PyCapsule_IsValid(c, "dltensor_versioned")) return;  // somebody else has it now
      auto* m =
          static_cast<dlpack::ManagedVersioned*>(PyCapsule_GetPointer(c, "dltensor_versioned"));
      m->deleter(m);
    });
  } else {
    lent->plain = {d, lent.get(),
                   [](dlpack::Managed* m) { delete static_cast<Loan*>(m->context); }};
    capsule = PyCapsule_New(&lent->plain, "dltensor", [](PyObject* c) {
      HoldsLock holds;
      if (!PyCapsule_IsValid(c, "dltensor")) return;
      auto* m = static_cast<dlpack::Managed*>(PyCapsule_GetPointer(c, "dltensor"));
      m->deleter(m);
    });
  }
  if (!capsule) throw nb::python_error();
  (void)lent.release();
  return nb::steal(capsule);
}

nb::object to_torch(const Tensor& t) {
  Torch* torch = torch_of_process(true);
  return torch->from_capsule(to_dlpack(t, true, false));
}

bool dtype_from(nb::handle o, ScalarType& out) {
  std::string name;
  if (PyUnicode_Check(o.ptr()))
    name = nb::cast<std::string>(o);
  else if (nb::hasattr(o, "name") && nb::hasattr(o, "itemsize"))  // NumPy's
    name = nb::cast<std::string>(nb::str(o.attr("name")));
  else if (Torch* torch = torch_of_process(false);
           torch && PyObject_IsInstance(o.ptr(), torch->dtype_type.ptr()) == 1)
    name = nb::cast<std::string>(nb::str(o)).substr(6);  // "torch.float32"
  else if (PyType_Check(o.ptr()) && nb::cast<std::string>(nb::str(o.attr("__module__"))) == "numpy")
    name = nb::cast<std::string>(nb::str(o.attr("__name__")));  // numpy.float32
  else
    return false;
  if (!name.empty() && name.back() == '_') name.pop_back();  // bool_, of NumPy 1
  for (int i = 0; i <= static_cast<int>(ScalarType::UInt64); ++i) {
    out = static_cast<ScalarType>(i);
    if (element_size(out) && name == dtype_name(out)) return true;
  }
  return false;
}

}  // namespace sconce::python
