// SPDX-License-Identifier: Apache-2.0
// A call of a method: arguments by their declared types, the run without the interpreter's lock,
// the answer.
#include "gil.h"
#include "module.h"

namespace sconce::python {

std::string MethodInfo::text() const {
  std::string s = name + "(";
  const auto& args = signature.arguments;
  for (size_t i = first; i < args.size(); ++i) {
    if (i > first) s += ", ";
    s += args[i].name + ": " + args[i].type->annotation_str();
    if (args[i].has_default) s += " = " + ivalue_str(args[i].default_value);
  }
  s += ")";
  if (!signature.returns.empty()) s += " -> " + signature.returns[0].type->annotation_str();
  return s;
}

namespace {

[[noreturn]] void refuse(const MethodInfo& info, const std::string& why) {
  raise<ArgumentError>(info.name, "(): ", why, "\n  ", info.text());
}

IValue argument(const MethodInfo& info, size_t i, nb::handle o, Incoming& in) {
  const libtorch::Parameter& p = info.signature.arguments[i];
  try {
    return from_python(o, p.type, in);
  } catch (const ArgumentError& e) {
    refuse(info, "argument '" + p.name + "' " + e.what());
  } catch (nb::python_error& e) {
    if (!e.matches(PyExc_OverflowError)) throw;
    const std::string text =
        info.name + "(): argument '" + p.name + "': " + nb::str(e.value()).c_str();
    PyErr_SetString(PyExc_OverflowError, text.c_str());
    throw nb::python_error();
  }
}

struct Arguments {
  std::vector<IValue> positional;
  Kwargs named;
};

Arguments arguments(const MethodInfo& info, nb::args args, nb::kwargs kwargs, Incoming& in) {
  const auto& parameters = info.signature.arguments;
  const size_t n = parameters.size() - info.first, given = args.size();
  if (given > n)
    refuse(info, "takes " + std::to_string(n) + " arguments, not " + std::to_string(given));
  Arguments a;
  a.positional.reserve(n + 1);  // room for self
  for (size_t i = 0; i < given; ++i)
    a.positional.push_back(argument(info, i + info.first, args[i], in));
  if (size_t left = kwargs.size()) {
    // What follows without a gap needs no name.
    for (size_t i = given; i < n && left; ++i) {
      const std::string& name = parameters[i + info.first].name;
      nb::handle o = PyDict_GetItemString(kwargs.ptr(), name.c_str());
      if (!o.is_valid()) continue;
      --left;
      IValue v = argument(info, i + info.first, o, in);
      if (a.positional.size() == i)
        a.positional.push_back(std::move(v));
      else
        a.named.emplace(name, std::move(v));
    }
    if (left)
      for (auto [key, value] : kwargs) {
        const std::string name = nb::cast<std::string>(key);
        for (size_t i = 0; i < given; ++i)
          if (parameters[i + info.first].name == name)
            refuse(info, "argument '" + name + "' is given twice");
        bool known = false;
        for (size_t i = given; i < n; ++i) known |= parameters[i + info.first].name == name;
        if (!known) refuse(info, "has no argument '" + name + "'");
      }
  }
  for (size_t i = a.positional.size(); i < n; ++i) {
    const libtorch::Parameter& p = parameters[i + info.first];
    if (!p.has_default && !a.named.count(p.name))
      refuse(info, "argument '" + p.name + "' is missing");
  }
  if (info.hooks && !a.named.empty())
    refuse(info, "hooks take arguments by place: none can be left out in between");
  return a;
}

}  // namespace

nb::object call_method(const Module& m, const std::shared_ptr<Loaded>& loaded,
                       const MethodInfo& info, const Limits* given, nb::args args,
                       nb::kwargs kwargs) {
  HoldsLock holds;
  // Last to go, under the lock: what the arguments borrow from.
  Incoming in;
  IValue result;
  {
    Arguments a = arguments(info, args, kwargs, in);
    if (info.hooks) {
      Released released;
      result = m(std::move(a.positional));
    } else if (!given && !loaded->options.limits.any()) {
      Released released;
      result = a.named.empty() ? m.run_method(info.name, std::move(a.positional))
                               : m.run_method(info.name, std::move(a.positional), a.named);
    } else {
      Limits limits = given ? *given : loaded->options.limits;
      // The module's account of memory goes on, unless the call has one of its own.
      if (!given) limits.memory = 0;
      InterruptScope interrupt(limits);
      try {
        Released released;
        result = m.run_method(info.name, std::move(a.positional), a.named, limits);
      } catch (const LimitError&) {
        if (interrupt.pressed()) interrupt.raise_python();
        throw;
      }
    }
  }
  loaded->out_buffer.rethrow();
  if (std::string text = loaded->warn_buffer.take(); !text.empty())
    nb::module_::import_("sconce._values").attr("warn")(text, 2);
  for (const LentArray& lent : in.lent)
    if (lent.has_other_form())
      nb::module_::import_("sconce._values")
          .attr("warn_of_form")(lent.array, nb::cast(PyTensor{lent.tensor, true}));
  Outgoing out{loaded, &m, loaded->returns, true};
  if (out.returns == Returns::Auto) out.returns = in.torch ? Returns::Torch : Returns::Numpy;
  nb::object r = to_python(result, out);
  result = IValue();
  in = Incoming();
  let_go_all();
  return r;
}

}  // namespace sconce::python
