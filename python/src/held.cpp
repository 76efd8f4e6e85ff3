// SPDX-License-Identifier: Apache-2.0
// Values of the library without a form of their own in Python: held, looked at, given back.
#include <nanobind/stl/vector.h>

#include "gil.h"
#include "module.h"

namespace sconce::python {

namespace {
Outgoing outgoing(const std::shared_ptr<Loaded>& loaded) {
  Outgoing out;
  out.loaded = loaded;
  if (loaded && loaded->returns != Returns::Auto) out.returns = loaded->returns;
  return out;
}
}  // namespace

void bind_values(nb::module_& m) {
  nb::class_<PyObjectValue>(m, "Object", "An instance of a TorchScript class.")
      .def_prop_ro("class_name",
                   [](const PyObjectValue& s) { return s.value.toObjectRef().type->name; })
      .def(
          "__getattr__",
          [](const PyObjectValue& s, const std::string& name) {
            const Object& o = s.value.toObjectRef();
            if (o.type->find_attribute(name) < 0)
              throw nb::attribute_error(
                  (o.type->name + " has no attribute '" + name + "'").c_str());
            return to_python(o.getattr(name), outgoing(s.loaded));
          },
          nb::sig("def __getattr__(self, name: str) -> typing.Any"))
      .def(
          "attributes",
          [](const PyObjectValue& s) {
            nb::dict d;
            const Object& o = s.value.toObjectRef();
            for (const auto& a : o.type->attributes)
              d[nb::str(a.name.c_str())] = to_python(o.getattr(a.name), outgoing(s.loaded));
            return d;
          },
          nb::sig("def attributes(self) -> dict[str, typing.Any]"))
      .def("__repr__", [](const PyObjectValue& s) {
        return "<sconce.Object " + s.value.toObjectRef().type->name + ">";
      });
  nb::class_<PyEnum>(m, "Enum", "A member of a TorchScript enum.")
      .def_prop_ro("class_name", [](const PyEnum& s) { return s.value.toEnumRef().type->name; })
      .def_prop_ro("name", [](const PyEnum& s) { return s.value.toEnumRef().name; })
      .def_prop_ro(
          "value",
          [](const PyEnum& s) { return to_python(s.value.toEnumRef().value, outgoing(s.loaded)); },
          nb::sig("def value(self) -> typing.Any"))
      .def("__eq__",
           [](const PyEnum& s, nb::handle o) {
             return nb::isinstance<PyEnum>(o) &&
                    ivalue_equal(s.value, nb::cast<const PyEnum&>(o).value);
           })
      .def("__hash__",
           [](const PyEnum& s) { return nb::hash(nb::str(s.value.toEnumRef().name.c_str())); })
      .def("__repr__", [](const PyEnum& s) {
        const EnumBox& e = s.value.toEnumRef();
        return "<sconce.Enum " + e.type->name + "." + e.name + ">";
      });
  nb::class_<PyFuture>(m, "Future", "What torch.jit.fork returned.")
      .def(
          "wait",
          [](const PyFuture& s) {
            IValue v;
            {
              Released released;
              v = libtorch::wait(s.value.toFutureRef());
            }
            return to_python(v, outgoing(s.loaded));
          },
          nb::sig("def wait(self) -> typing.Any"), "Its value, once it is there.")
      .def("done", [](const PyFuture& s) {
        FutureBox& f = s.value.toFutureRef();
        std::lock_guard<std::mutex> lock(f.mutex);
        return f.done;
      });
  nb::class_<PyOpaque>(m, "Opaque",
                       "A value that can only be handed back: a function, a generator.")
      .def("__repr__", [](const PyOpaque& s) {
        return std::string("<sconce.Opaque ") + s.value.tag_name() + ">";
      });
  m.def(
      "manual_seed",
      [](nb::int_ seed) {
        // As PyTorch: from -2^63 to 2^64 - 1, negative ones from the end.
        const bool negative = seed < nb::int_(0);
        manual_seed(negative ? static_cast<uint64_t>(nb::cast<int64_t>(seed))
                             : nb::cast<uint64_t>(seed));
      },
      nb::arg("seed"), "Seeds the random numbers of models that are given no generator.");
  m.def("_deep_copy", [](nb::handle o) {
    // What shares memory shares it in the copy.
    HoldsLock holds;
    Incoming in;
    Outgoing out;
    out.returns = Returns::Tensor;
    return to_python(libtorch::deep_copy(from_python(o, nullptr, in)), out);
  });
  m.def("_round_trip", [](nb::handle o) {
    // For tests: into a value of the library and back.
    HoldsLock holds;
    Incoming in;
    return to_python(from_python(o, nullptr, in), {});
  });
}

}  // namespace sconce::python
