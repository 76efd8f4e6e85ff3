// SPDX-License-Identifier: Apache-2.0
// sconce.Tensor: a tensor as the library holds it.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <sstream>

#include "gil.h"
#include "module.h"

namespace sconce::python {

namespace {

Tensor host(const Tensor& t) {
  if (t.device().type == DeviceType::CPU) return t;
  Released released;
  return t.cpu();
}

nb::object shape_of(const DimVector& v) {
  nb::list l;
  for (int64_t s : v) l.append(nb::int_(s));
  return nb::tuple(l);
}

nb::object numpy_of(const PyTensor& self) {
  const bool here = self.tensor.device().type == DeviceType::CPU;
  Tensor t = host(self.tensor);
  nb::object a = to_numpy(t, self.writable || !here);
  if (a.is_valid()) return a;
  if (t.dim() > numpy_most_dims())
    raise<ArgumentError>("an array of NumPy has at most ", numpy_most_dims(),
                         " dimensions, the tensor has ", t.dim(),
                         ": reshape it, or hand it on by DLPack");
  // A dtype that a package gives to NumPy.
  const ScalarType d = t.dtype();
  if (d == kBFloat16 || is_float8(d)) {
    nb::object dtype = nb::module_::import_("sconce._values").attr("extra_dtype")(dtype_name(d));
    if (!dtype.is_none()) {
      auto bits = make_ref<TensorImpl>();
      bits->storage = t.impl()->storage;
      bits->sizes = t.impl()->sizes;
      bits->strides = t.impl()->strides;
      bits->offset = t.impl()->offset;
      bits->dtype = d == kBFloat16 ? ScalarType::UInt16 : kByte;
      return to_numpy(Tensor(std::move(bits)), self.writable || !here).attr("view")(dtype);
    }
  }
  raise<ArgumentError>("NumPy has no dtype for a tensor of ", dtype_name(d),
                       ": convert it with to(), or hand it on by DLPack");
}

ScalarType dtype_argument(nb::handle o) {
  ScalarType d;
  if (dtype_from(o, d)) return d;
  if (PyLong_Check(o.ptr())) return static_cast<ScalarType>(nb::cast<int>(o));
  raise<ArgumentError>("dtype must be a name such as 'float32' or a dtype, not ", kind_of(o));
}

PyTensor to(const PyTensor& self, nb::handle target) {
  Tensor t = self.tensor;
  ScalarType d;
  const bool is_dtype = dtype_from(target, d);
  Device device;
  if (!is_dtype) device = device_argument(target);
  {
    Released released;
    t = is_dtype ? t.to(d) : t.to(device);
  }
  return {t, self.writable || !t.is_same(self.tensor)};
}

nb::object item(const PyTensor& self) {
  Tensor t = host(self.tensor);
  if (t.numel() != 1) raise<ArgumentError>("item(): the tensor has ", t.numel(), " elements");
  if (t.dtype() == kBool) return nb::bool_(t.item<bool>());
  if (is_complex(t.dtype())) {
    const Tensor wide = t.to(kComplexDouble);
    const auto* c = static_cast<const std::complex<double>*>(wide.const_raw_data());
    return nb::steal(PyComplex_FromDoubles(c->real(), c->imag()));
  }
  if (t.dtype() == ScalarType::UInt64)
    return nb::int_(*static_cast<const uint64_t*>(t.const_raw_data()));
  if (is_integral(t.dtype())) return nb::int_(t.item<int64_t>());
  return nb::float_(t.item<double>());
}

nb::object list_of(const Tensor& t) {
  if (t.dim() == 0) return item({t, true});
  nb::list l;
  for (int64_t i = 0; i < t.size(0); ++i) l.append(list_of(t.select(0, i)));
  return l;
}

}  // namespace

Device device_argument(nb::handle o) {
  if (!PyUnicode_Check(o.ptr()) && kind_of(o) != "torch.device")
    raise<ArgumentError>("a dtype or a device is wanted, not ", kind_of(o));
  return Device::parse(nb::cast<std::string>(nb::str(o)));
}

PyTensor::~PyTensor() {
  HoldsLock holds;
  tensor = Tensor();
}

void bind_tensor(nb::module_& m) {
  nb::class_<PyTensor>(m, "Tensor", nb::is_weak_referenceable(),
                       "A tensor as sconce holds it: what has no form of NumPy's (bfloat16, "
                       "quantised, on another device) comes as one. It shares its memory by "
                       "numpy(), torch() and DLPack.")
      .def(
          "__init__",
          [](PyTensor* self, nb::object array) {
            HoldsLock holds;
            Incoming in;
            in.lasting = true;
            Tensor t;
            if (!tensor_from(array, t, in))
              raise<ArgumentError>("an array is wanted, not ", kind_of(array));
            new (self) PyTensor{t, true};
          },
          nb::arg("array"), "The tensor over the memory of an array.")
      .def_prop_ro(
          "shape", [](const PyTensor& s) { return shape_of(s.tensor.sizes()); },
          nb::sig("def shape(self) -> tuple[int, ...]"))
      .def_prop_ro(
          "strides", [](const PyTensor& s) { return shape_of(s.tensor.strides()); },
          nb::sig("def strides(self) -> tuple[int, ...]"), "In elements.")
      .def_prop_ro(
          "storage_offset", [](const PyTensor& s) { return s.tensor.storage_offset(); },
          "Where in the memory that it shares the first element lies, in elements.")
      .def_prop_ro("ndim", [](const PyTensor& s) { return s.tensor.dim(); })
      .def_prop_ro("size", [](const PyTensor& s) { return s.tensor.numel(); })
      .def_prop_ro("dtype",
                   [](const PyTensor& s) { return std::string(dtype_name(s.tensor.dtype())); })
      .def_prop_ro("device", [](const PyTensor& s) { return s.tensor.device().str(); })
      .def_prop_ro(
          "quantization",
          [](const PyTensor& s) -> nb::object {
            const Quantizer* q = s.tensor.quantizer();
            if (!q) return nb::none();
            nb::dict d;
            if (q->per_channel) {
              nb::list scales, zeros;
              for (double x : q->scales) scales.append(x);
              for (double x : q->zero_points) zeros.append(x);
              d["scales"] = scales;
              d["zero_points"] = zeros;
              d["axis"] = q->axis;
            } else {
              d["scale"] = q->scale;
              d["zero_point"] = q->zero_point;
            }
            return d;
          },
          nb::sig("def quantization(self) -> dict | None"),
          "Scale and zero point, or those of each channel; None for ordinary tensors.")
      .def("numpy", &numpy_of, nb::sig("def numpy(self) -> typing.Any"),
           "An array over the same memory (of another device: a copy of it). bfloat16 and float8 "
           "need the package ml_dtypes.")
      .def(
          "torch", [](const PyTensor& s) { return to_torch(s.tensor); },
          nb::sig("def torch(self) -> typing.Any"), "PyTorch's tensor over the same memory.")
      .def("to", &to, nb::arg("target"),
           "With another dtype ('float32', a dtype of NumPy or PyTorch) or on another device "
           "('cpu', 'cuda:0').")
      .def("item", &item, nb::sig("def item(self) -> bool | int | float | complex"))
      .def(
          "tolist", [](const PyTensor& s) { return list_of(host(s.tensor)); },
          nb::sig("def tolist(self) -> typing.Any"))
      .def(
          "copy",
          [](const PyTensor& s) {
            return PyTensor{s.tensor.clone(), true};
          },
          "A tensor of its own.")
      .def(
          "__array__",
          [](const PyTensor& s, nb::object dtype, nb::object copy) {
            nb::object a = numpy_of(s);
            const int copies = copy.is_none() ? -1 : PyObject_IsTrue(copy.ptr());
            const bool other = !dtype.is_none() && !a.attr("dtype").equal(dtype);
            if (copies == 0 && (other || s.tensor.device().type != DeviceType::CPU))
              throw nb::value_error("an array of it takes a copy");
            if (other) return nb::object(a.attr("astype")(dtype));
            if (copies == 1) return nb::object(a.attr("copy")());
            return a;
          },
          nb::arg("dtype") = nb::none(), nb::arg("copy") = nb::none(),
          nb::sig("def __array__(self, dtype: typing.Any = None, copy: bool | None = None) -> "
                  "typing.Any"))
      .def(
          "__dlpack__",
          [](const PyTensor& s, nb::object, std::optional<std::pair<int, int>> max_version,
             std::optional<std::pair<int, int>> device, nb::object copy) {
            const bool versioned = max_version && max_version->first >= 1;
            if (device && *device != dlpack_device(s.tensor))
              throw nb::buffer_error("the tensor is on another device: move it with to()");
            if (s.tensor.device().type == DeviceType::CUDA) {
              Released released;
              libtorch::synchronize(s.tensor.device().index);
            }
            const bool copies = !copy.is_none() && nb::cast<bool>(copy);
            return to_dlpack(copies ? s.tensor.clone() : s.tensor, s.writable || copies, versioned);
          },
          nb::kw_only(), nb::arg("stream") = nb::none(), nb::arg("max_version") = nb::none(),
          nb::arg("dl_device") = nb::none(), nb::arg("copy") = nb::none(),
          nb::sig("def __dlpack__(self, *, stream: typing.Any = None, max_version: "
                  "tuple[int, int] | None = None, dl_device: tuple[int, int] | None = None, "
                  "copy: bool | None = None) -> typing.Any"))
      .def("__reduce__",
           [](const PyTensor& s) {
             Tensor t = host(s.tensor);
             if (t.quantizer() || t.impl()->nested_rows)
               raise<ArgumentError>("only ordinary tensors can be pickled");
             {
               Released released;
               t = t.contiguous();
             }
             const size_t n = static_cast<size_t>(t.numel()) * element_size(t.dtype());
             nb::bytes bytes(static_cast<const char*>(t.const_raw_data()), n);
             return nb::make_tuple(
                 nb::module_::import_("sconce._values").attr("tensor_of_bytes"),
                 nb::make_tuple(dtype_name(t.dtype()), shape_of(DimVector(t.sizes())), bytes));
           })
      .def("__dlpack_device__", [](const PyTensor& s) { return dlpack_device(s.tensor); })
      .def("__len__",
           [](const PyTensor& s) {
             if (s.tensor.dim() == 0)
               raise<ArgumentError>("a tensor of no dimensions has no len()");
             return s.tensor.size(0);
           })
      .def("__getitem__",
           [](const PyTensor& s, int64_t i) {
             if (s.tensor.dim() == 0 || i >= s.tensor.size(0) || i < -s.tensor.size(0))
               throw nb::index_error("the tensor hasn't that many elements");
             return PyTensor{s.tensor.select(0, i), s.writable};
           })
      .def("__float__", [](const PyTensor& s) { return nb::float_(item(s)); })
      .def("__int__", [](const PyTensor& s) { return nb::int_(item(s)); })
      .def("__bool__", [](const PyTensor& s) { return nb::cast<bool>(nb::bool_(item(s))); })
      .def("__eq__",
           [](const PyTensor& s, nb::handle o) {
             return nb::isinstance<PyTensor>(o) &&
                    s.tensor.is_same(nb::cast<const PyTensor&>(o).tensor);
           })
      .def("__hash__",
           [](const PyTensor& s) { return reinterpret_cast<intptr_t>(s.tensor.impl()) >> 4; })
      .def("__repr__", [](const PyTensor& s) {
        std::ostringstream os;
        os << "sconce.Tensor(shape=" << IntArrayRef(s.tensor.sizes())
           << ", dtype=" << dtype_name(s.tensor.dtype()) << ", device=" << s.tensor.device().str()
           << ")";
        return os.str();
      });
  m.def("_tensor_of_bytes",
        [](const std::string& dtype, const std::vector<int64_t>& shape, nb::bytes bytes) {
          ScalarType d;
          if (!dtype_from(nb::str(dtype.c_str()), d))
            raise<ArgumentError>("there is no dtype ", dtype);
          size_t n = element_size(d);
          for (int64_t s : shape)
            if (s < 0 || __builtin_mul_overflow(n, static_cast<size_t>(s), &n))
              raise<ArgumentError>("no such shape");
          if (n != bytes.size())
            raise<ArgumentError>("the bytes are not those of a tensor of that shape");
          Tensor t = empty(IntArrayRef(shape), d);
          if (n) std::memcpy(t.element_address(), bytes.c_str(), n);
          return PyTensor{t, true};
        });
  m.def("_is_whole_memory", [](const PyTensor& t) { return is_whole_memory(t.tensor); });
  m.def("_dtype_number", [](nb::handle o) { return static_cast<int>(dtype_argument(o)); });
  m.def("_dtype_name", [](int n) { return std::string(dtype_name(static_cast<ScalarType>(n))); });
}

}  // namespace sconce::python
