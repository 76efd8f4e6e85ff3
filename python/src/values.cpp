// SPDX-License-Identifier: Apache-2.0
#include "values.h"

#include "module.h"

namespace sconce::python {

namespace {

// Objects of the package's own Python files, by name, found once.
nb::object& helper(const char* module, const char* name) {
  static auto* known = new std::unordered_map<std::string, nb::object>;
  nb::object& o = (*known)[std::string(module) + "." + name];
  if (!o.is_valid()) o = nb::module_::import_(module).attr(name);
  return o;
}
nb::object& device_class() { return helper("sconce._values", "Device"); }

class Depth {
 public:
  Depth() {
    if (Py_EnterRecursiveCall(" in a value for sconce")) throw nb::python_error();
  }
  ~Depth() { Py_LeaveRecursiveCall(); }
};

[[noreturn]] void refuse(nb::handle o, TypePtr t) {
  raise<ArgumentError>("must be ", t ? t->annotation_str() : "a value that TorchScript knows",
                       ", not ", kind_of(o));
}

std::string text_of(nb::handle o) {
  Py_ssize_t n = 0;
  if (const char* s = PyUnicode_AsUTF8AndSize(o.ptr(), &n)) return {s, static_cast<size_t>(n)};
  PyErr_Clear();  // bytes that were no UTF-8 when the model gave them
  nb::object bytes = nb::steal(PyUnicode_AsEncodedString(o.ptr(), "utf-8", "surrogateescape"));
  if (!bytes.is_valid()) throw nb::python_error();
  char* s = nullptr;
  if (PyBytes_AsStringAndSize(bytes.ptr(), &s, &n) < 0) throw nb::python_error();
  return {s, static_cast<size_t>(n)};
}

int64_t int_of(nb::handle o) {
  const long long v = PyLong_AsLongLong(o.ptr());
  if (v == -1 && PyErr_Occurred()) throw nb::python_error();
  return v;
}
std::complex<double> complex_of(nb::handle o) {
  const double re = PyComplex_RealAsDouble(o.ptr()), im = PyComplex_ImagAsDouble(o.ptr());
  if (PyErr_Occurred()) throw nb::python_error();
  return {re, im};
}

bool tensor_of(nb::handle o, Tensor& t, Incoming& in) {
  try {
    return tensor_from(o, t, in);
  } catch (const ArgumentError&) {
    throw;
  } catch (const Error& e) {
    throw ArgumentError(std::string("can't be lent: ") + e.what());
  }
}

// A tensor, array or number of NumPy with one element, where a number is declared. Of PyTorch's
// tensors PyTorch takes more: a fraction for an int.
bool number_of(nb::handle o, TypePtr t, IValue& out) {
  Tensor x;
  Incoming own;
  if (!tensor_of(o, x, own) || x.numel() != 1) return false;
  switch (t->kind) {
    case TypeKind::Int:
      if (!is_integral(x.dtype(), true) && (!own.torch || is_complex(x.dtype()))) return false;
      out = IValue(x.to(kLong).item<int64_t>());
      return true;
    case TypeKind::Float:
      if (is_complex(x.dtype())) return false;
      out = IValue(x.item<double>());
      return true;
    case TypeKind::Bool:
      if (is_complex(x.dtype())) return false;
      out = IValue(x.to(kBool).item<bool>());
      return true;
    case TypeKind::Complex:
      x = x.to(kComplexDouble);
      out = IValue(*static_cast<const std::complex<double>*>(x.const_raw_data()));
      return true;
    default: return false;
  }
}

bool is_numpy_number(nb::handle o) {
  // Numbers of NumPy are no arrays, yet have buffers of no dimensions.
  if (!nb::hasattr(o, "item") || nb::hasattr(o, "__dlpack__")) return false;
  nb::object module = o.type().attr("__module__");
  return PyUnicode_Check(module.ptr()) && nb::cast<std::string>(module) == "numpy";
}

// Lists, tuples and dicts whose types nobody declares: what their elements have in common.
TypePtr join(TypePtr sum, const IValue& x) {
  static TypeTable* table = new TypeTable;
  TypePtr t = ivalue_type(x);
  t = t->kind == TypeKind::Tensor ? types::tensor() : t;
  if (!sum || sum == t) return t;
  TypePtr u = unify_types(sum, t, *table);
  return u ? u : types::any();
}

IValue list_of(nb::handle o, TypePtr elem, Incoming& in) {
  Depth depth;
  nb::object items = nb::steal(PySequence_Fast(o.ptr(), "a sequence is wanted"));
  if (!items.is_valid()) throw nb::python_error();
  const size_t n = nb::len(items);
  auto list = make_ref<ListBox>(elem);
  list->items.reserve(n);
  TypePtr common = nullptr;
  for (size_t i = 0; i < n; ++i) {
    try {
      list->items.push_back(from_python(items[i], elem, in));
    } catch (const ArgumentError& e) {
      raise<ArgumentError>("element ", i, " ", e.what());
    }
    if (!elem) common = join(common, list->items.back());
  }
  if (!elem) list->elem_type = common ? common : types::any();
  return IValue(list);
}

IValue dict_of(nb::handle o, TypePtr key, TypePtr value, Incoming& in) {
  Depth depth;
  nb::object items = nb::steal(PyMapping_Items(o.ptr()));
  if (!items.is_valid()) throw nb::python_error();
  auto dict = make_ref<DictBox>(key, value);
  TypePtr keys = nullptr, values = nullptr;
  for (nb::handle item : items) {
    nb::object k = item[0], v = item[1];
    try {
      IValue name = from_python(k, key, in), content = from_python(v, value, in);
      if (!key) keys = join(keys, name);
      if (!value) values = join(values, content);
      dict->set(std::move(name), std::move(content));
    } catch (const ArgumentError& e) {
      raise<ArgumentError>("[", nb::repr(k).c_str(), "] ", e.what());
    }
  }
  if (!key) dict->key_type = keys ? keys : types::any();
  if (!value) dict->value_type = values ? values : types::any();
  return IValue(dict);
}

IValue tuple_of(nb::handle o, TypePtr t, Incoming& in) {
  Depth depth;
  nb::object items = nb::steal(PySequence_Fast(o.ptr(), "a sequence is wanted"));
  if (!items.is_valid()) throw nb::python_error();
  const size_t n = nb::len(items);
  if (t && t->elems.size() != n)
    raise<ArgumentError>("must be ", t->annotation_str(), ", not a tuple of ", n);
  std::vector<IValue> values;
  values.reserve(n);
  for (size_t i = 0; i < n; ++i) {
    try {
      values.push_back(from_python(items[i], t ? t->elems[i] : nullptr, in));
    } catch (const ArgumentError& e) {
      raise<ArgumentError>("element ", i, " ", e.what());
    }
  }
  return IValue(make_ref<TupleBox>(std::move(values), t && t->is_named_tuple() ? t : nullptr));
}

// Held values of the library: objects, enums, futures.
bool held_value(nb::handle o, IValue& out) {
  if (nb::isinstance<PyModule>(o))
    out = libtorch::object_of(nb::cast<PyModule&>(o).module);
  else if (nb::isinstance<PyObjectValue>(o))
    out = nb::cast<PyObjectValue&>(o).value;
  else if (nb::isinstance<PyEnum>(o))
    out = nb::cast<PyEnum&>(o).value;
  else if (nb::isinstance<PyFuture>(o))
    out = nb::cast<PyFuture&>(o).value;
  else if (nb::isinstance<PyOpaque>(o))
    out = nb::cast<PyOpaque&>(o).value;
  else
    return false;
  return true;
}

// A member of a Python enum.Enum whose class has the name of the model's.
IValue enum_of(nb::handle o, TypePtr t) {
  if (!nb::hasattr(o, "name") || !nb::hasattr(o, "value")) refuse(o, t);
  const std::string cls = nb::cast<std::string>(nb::str(o.type().attr("__name__"))),
                    name = nb::cast<std::string>(nb::str(o.attr("name")));
  if (t->name.substr(t->name.rfind('.') + 1) == cls)
    for (const IValue& m : static_cast<const EnumType&>(*t).members)
      if (m.toEnumRef().name == name) return m;
  refuse(o, t);
}

bool has_kind(nb::handle o, TypeKind kind) {
  PyObject* p = o.ptr();
  switch (kind) {
    case TypeKind::None: return o.is_none();
    case TypeKind::Bool: return PyBool_Check(p);
    case TypeKind::Int: return PyLong_CheckExact(p);
    case TypeKind::Float: return PyFloat_Check(p);
    case TypeKind::Complex: return PyComplex_Check(p);
    case TypeKind::String: return PyUnicode_Check(p);
    case TypeKind::List: return PyList_Check(p);
    case TypeKind::Dict: return PyDict_Check(p);
    case TypeKind::Tuple: return PyTuple_Check(p);
    case TypeKind::Tensor: return nb::isinstance<PyTensor>(o) || nb::hasattr(o, "__dlpack__");
    default: return false;
  }
}

IValue untyped(nb::handle o, Incoming& in) {
  PyObject* p = o.ptr();
  if (o.is_none()) return {};
  if (PyBool_Check(p)) return IValue(p == Py_True);
  if (PyLong_Check(p)) return IValue(int_of(o));
  if (PyFloat_Check(p)) return IValue(PyFloat_AsDouble(p));
  if (PyComplex_Check(p)) return IValue(complex_of(o));
  if (PyUnicode_Check(p)) {
    if (nb::isinstance(o, device_class())) return IValue(Device::parse(text_of(o)));
    return IValue(text_of(o));
  }
  if (PyList_Check(p)) return list_of(o, nullptr, in);
  if (PyTuple_Check(p)) return tuple_of(o, nullptr, in);
  if (PyDict_Check(p)) return dict_of(o, nullptr, nullptr, in);
  IValue v;
  if (held_value(o, v)) return v;
  if (is_numpy_number(o)) {
    // A date or a text is none.
    const auto kind = nb::cast<std::string>(nb::str(o.attr("dtype").attr("kind")));
    if (std::string("biufc").find(kind) == std::string::npos) refuse(o, nullptr);
    return untyped(o.attr("item")(), in);
  }
  Tensor t;
  if (tensor_of(o, t, in)) return IValue(std::move(t));
  if (ScalarType dtype; dtype_from(o, dtype)) return IValue(static_cast<int64_t>(dtype));
  if (kind_of(o) == "torch.device") return IValue(Device::parse(nb::str(o).c_str()));
  refuse(o, nullptr);
}

bool is_number(TypePtr t) {
  return t->kind == TypeKind::Int || t->kind == TypeKind::Float || t->kind == TypeKind::Bool;
}
// What PyTorch takes for a list of numbers too: ranges, sets, arrays of one dimension.
bool holds_numbers(nb::handle o) {
  PyObject* p = o.ptr();
  if (PyUnicode_Check(p) || PyBytes_Check(p) || PyDict_Check(p)) return false;
  if (PyAnySet_Check(p)) return true;
  if (!PySequence_Check(p) || nb::isinstance<PyTensor>(o)) return false;
  return !nb::hasattr(o, "ndim") || nb::cast<int>(o.attr("ndim")) == 1;
}

IValue union_of(nb::handle o, TypePtr t, Incoming& in) {
  for (bool exact : {true, false})
    for (TypePtr e : t->elems) {
      if (exact && !has_kind(o, e->kind)) continue;
      try {
        return from_python(o, e, in);
      } catch (const ArgumentError&) {
        continue;  // the next member may fit
      }
    }
  refuse(o, t);
}

}  // namespace

std::string kind_of(nb::handle o) {
  if (o.is_none()) return "None";
  const std::string name = nb::cast<std::string>(nb::str(o.type().attr("__qualname__"))),
                    module = nb::cast<std::string>(nb::str(o.type().attr("__module__")));
  return module == "builtins" ? name : module + "." + name;
}

IValue from_python(nb::handle o, TypePtr t, Incoming& in) {
  PyObject* p = o.ptr();
  if (!t) return untyped(o, in);
  IValue v;
  switch (t->kind) {
    case TypeKind::Tensor: {
      Tensor x;
      if (!tensor_of(o, x, in)) refuse(o, t);
      return IValue(std::move(x));
    }
    case TypeKind::Optional: return o.is_none() ? IValue() : from_python(o, t->elem(), in);
    case TypeKind::None:
      if (o.is_none()) return {};
      break;
    case TypeKind::Union: return union_of(o, t, in);
    case TypeKind::Bool:
      if (PyBool_Check(p)) return IValue(p == Py_True);
      if (PyLong_Check(p)) return IValue(PyObject_IsTrue(p) == 1);
      if (PyFloat_Check(p)) return IValue(PyFloat_AsDouble(p) != 0);
      if (number_of(o, t, v)) return v;
      break;
    case TypeKind::Int:
      if (PyLong_Check(p)) return IValue(int_of(o));
      if (number_of(o, t, v)) return v;
      if (ScalarType dtype; !PyUnicode_Check(p) && dtype_from(o, dtype))
        return IValue(static_cast<int64_t>(dtype));
      if (PyIndex_Check(p)) {
        nb::object i = nb::steal(PyNumber_Index(p));
        if (!i.is_valid()) throw nb::python_error();
        return IValue(int_of(i));
      }
      break;
    case TypeKind::Float:
      if (PyFloat_Check(p) || PyLong_Check(p)) {
        const double d = PyFloat_AsDouble(p);
        if (d == -1 && PyErr_Occurred()) throw nb::python_error();
        return IValue(d);
      }
      if (number_of(o, t, v)) return v;
      break;
    case TypeKind::Complex:
      if (PyComplex_Check(p) || PyFloat_Check(p) || PyLong_Check(p)) return IValue(complex_of(o));
      if (number_of(o, t, v)) return v;
      break;
    case TypeKind::Number:
      if (PyLong_Check(p)) return IValue(int_of(o));
      if (PyFloat_Check(p)) return IValue(PyFloat_AsDouble(p));
      if (PyComplex_Check(p)) return IValue(complex_of(o));
      if (is_numpy_number(o)) return from_python(o.attr("item")(), t, in);
      break;
    case TypeKind::String:
      if (PyUnicode_Check(p)) return IValue(text_of(o));
      break;
    case TypeKind::Device:
      if (PyUnicode_Check(p)) return IValue(Device::parse(text_of(o)));
      if (kind_of(o) == "torch.device") return IValue(Device::parse(nb::str(o).c_str()));
      break;
    case TypeKind::List:
      if (PyList_Check(p) || PyTuple_Check(p)) return list_of(o, t->elem(), in);
      if (is_number(t->elem()) && holds_numbers(o)) return list_of(o, t->elem(), in);
      break;
    case TypeKind::Dict:
      if (PyDict_Check(p) || (nb::hasattr(o, "keys") && PyMapping_Check(p)))
        return dict_of(o, t->elem(0), t->elem(1), in);
      break;
    case TypeKind::Tuple:
      if (PyTuple_Check(p) || PyList_Check(p)) return tuple_of(o, t, in);
      break;
    case TypeKind::Enum:
      if (held_value(o, v)) return v;
      return enum_of(o, t);
    case TypeKind::Class:
    case TypeKind::Interface:
    case TypeKind::Future:
    case TypeKind::Generator:
    case TypeKind::Function:
    case TypeKind::Await:
      if (held_value(o, v)) return v;
      break;
    default: return untyped(o, in);
  }
  refuse(o, t);
}

nb::object tensor_to_python(const Tensor& t, const Outgoing& out) {
  if (!t.defined()) return nb::none();
  if (out.returns == Returns::Torch && t.device().type == DeviceType::CPU && !t.quantizer())
    return to_torch(t);
  if (out.returns == Returns::Numpy || out.returns == Returns::Auto) {
    nb::object array = to_numpy(t, out.writable);
    if (array.is_valid()) return array;
  }
  return nb::cast(PyTensor{t, out.writable});
}

nb::object to_python(const IValue& v, const Outgoing& out) {
  switch (v.tag()) {
    case Tag::None: return nb::none();
    case Tag::Tensor: return tensor_to_python(v.toTensorRef(), out);
    case Tag::Bool: return nb::bool_(v.toBool());
    case Tag::Int: return nb::int_(v.toInt());
    case Tag::Double: return nb::float_(v.toDouble());
    case Tag::ComplexDouble: {
      const std::complex<double> c = v.toComplexDouble();
      return nb::steal(PyComplex_FromDoubles(c.real(), c.imag()));
    }
    case Tag::String: {
      const std::string& s = v.toStringRef();
      nb::object text = nb::steal(
          PyUnicode_DecodeUTF8(s.data(), static_cast<Py_ssize_t>(s.size()), "surrogateescape"));
      if (!text.is_valid()) throw nb::python_error();
      return text;
    }
    case Tag::Device: return device_class()(v.toDevice().str());
    case Tag::List: {
      Depth depth;
      nb::list list;
      for (const IValue& e : v.toListRef().items) list.append(to_python(e, out));
      return list;
    }
    case Tag::Tuple: {
      Depth depth;
      const TupleBox& box = v.toTupleRef();
      nb::list items;
      for (const IValue& e : box.items) items.append(to_python(e, out));
      if (!box.type || !box.type->is_named_tuple()) return nb::tuple(items);
      nb::list fields;
      for (const std::string& f : box.type->fields) fields.append(f);
      return helper("sconce._values", "named_tuple")(box.type->name, nb::tuple(fields))(*items);
    }
    case Tag::Dict: {
      Depth depth;
      nb::dict dict;
      Outgoing keys = out;  // arrays have no hash
      keys.returns = Returns::Tensor;
      for (const auto& kv : v.toDictRef().items)
        dict[to_python(kv.first, keys)] = to_python(kv.second, out);
      return dict;
    }
    case Tag::Object:
      if (v.toObjectRef().type->is_module && out.loaded && out.parent) {
        PyModule m;
        m.module = libtorch::module_of(*out.parent, v);
        m.loaded = out.loaded;
        m.root = false;
        return nb::cast(std::move(m));
      }
      return nb::cast(PyObjectValue{v, out.loaded});
    case Tag::Enum: return nb::cast(PyEnum{v, out.loaded});
    case Tag::Future: return nb::cast(PyFuture{v, out.loaded});
    default: return nb::cast(PyOpaque{v, out.loaded});
  }
}

}  // namespace sconce::python
