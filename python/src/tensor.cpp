// SPDX-License-Identifier: Apache-2.0
// sconce.Tensor: a tensor as the library holds it.
#include <nanobind/stl/pair.h>

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
  if (!is_dtype) device = Device::parse(nb::cast<std::string>(nb::str(target)));
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
    const auto* c = static_cast<const std::complex<double>*>(
        t.to(kComplexDouble).contiguous().const_raw_data());
    return nb::steal(PyComplex_FromDoubles(c->real(), c->imag()));
  }
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
            if (!dtype.is_none()) return nb::object(a.attr("astype")(dtype));
            if (!copy.is_none() && nb::cast<bool>(copy)) return nb::object(a.attr("copy")());
            return a;
          },
          nb::arg("dtype") = nb::none(), nb::arg("copy") = nb::none(),
          nb::sig("def __array__(self, dtype: typing.Any = None, copy: bool | None = None) -> "
                  "typing.Any"))
      .def(
          "__dlpack__",
          [](const PyTensor& s, nb::object, nb::object max_version, nb::object, nb::object copy) {
            const bool versioned = !max_version.is_none() && nb::cast<int>(max_version[0]) >= 1;
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
               throw nb::index_error();
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
  m.def("_is_whole_memory", [](const PyTensor& t) { return is_whole_memory(t.tensor); });
  m.def("_dtype_number", [](nb::handle o) { return static_cast<int>(dtype_argument(o)); });
  m.def("_dtype_name", [](int n) { return std::string(dtype_name(static_cast<ScalarType>(n))); });
}

}  // namespace sconce::python
