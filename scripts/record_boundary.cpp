// SPDX-License-Identifier: Apache-2.0
// Calls every take_NAME of boundary.pt with every argument and sets every field_NAME to it, through
// LibTorch's C++ API, and prints which are accepted (see record_boundary.py, which compiles this).
// usage: record boundary.pt NAME,NAME,...
#include <torch/script.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <iostream>

namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> r;
  std::stringstream in(text);
  for (std::string part; std::getline(in, part, ',');) r.push_back(part);
  return r;
}

std::string escaped(const std::string& s) {
  std::string r;
  for (char c : s) r += c == '\n' ? std::string("\\n") : std::string(1, c);
  return r;
}

// LibTorch has no type for an undefined tensor: asking throws.
std::string type_of(const c10::IValue& v) {
  try {
    return v.type()->repr_str();
  } catch (const c10::Error&) {
    return "none";
  }
}

using Named = std::pair<std::string, c10::IValue>;

// What only a host can make.
std::vector<Named> host_arguments() {
  c10::impl::GenericList any_ints(c10::AnyType::get());
  any_ints.push_back(1);
  c10::impl::GenericDict any_dict(c10::AnyType::get(), c10::AnyType::get());
  any_dict.insert("a", torch::ones({1}));
  std::vector<Named> r;
  r.emplace_back("host_undefined", at::Tensor());
  r.emplace_back("host_generator", at::Generator(at::detail::getDefaultCPUGenerator()));
  r.emplace_back("host_int_vector", std::vector<int64_t>{1, 2});
  r.emplace_back("host_tensor_vector", std::vector<at::Tensor>{torch::ones({1}), at::Tensor()});
  r.emplace_back("host_tuple",
                 c10::ivalue::Tuple::create({c10::IValue(1), c10::IValue(torch::ones({1}))}));
  r.emplace_back("host_list_any", any_ints);
  r.emplace_back("host_empty_list_any", c10::impl::GenericList(c10::AnyType::get()));
  r.emplace_back("host_dict_any", any_dict);
  r.emplace_back("host_empty_dict_any",
                 c10::impl::GenericDict(c10::AnyType::get(), c10::AnyType::get()));
  return r;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  torch::jit::setGraphExecutorOptimize(false);
  auto module = torch::jit::load(argv[1]);
  std::vector<Named> arguments;
  std::vector<std::string> parameters, fields;
  for (auto& name : split(argv[2])) {
    if (module.find_method("make_" + name))
      arguments.emplace_back(name, module.get_method("make_" + name)({}));
    if (module.find_method("take_" + name)) parameters.push_back(name);
    if (module.hasattr("field_" + name)) fields.push_back(name);
  }
  for (auto& a : host_arguments()) arguments.push_back(a);
  arguments.emplace_back("host_module", module._ivalue());

  for (auto& a : arguments) std::cout << "argument|" << a.first << "|" << type_of(a.second) << "\n";
  for (auto& name : parameters) {
    auto& schema = module.get_method("take_" + name).function().getSchema();
    std::cout << "parameter|" << name << "|" << schema.arguments()[1].type()->repr_str() << "|"
              << schema << "\n";
    // '=': accepted, the value is the one given. '.': refused with the usual message. '!': another
    // error, printed below.
    std::string row, notes;
    for (auto& a : arguments) {
      std::ostringstream usual;
      usual << "take_" << name << "() Expected a value of type '"
            << schema.arguments()[1].type()->repr_str()
            << "' for argument 'a' but instead found type '" << type_of(a.second)
            << "'.\nPosition: 1\nDeclaration: " << schema;
      try {
        c10::IValue r = module.get_method("take_" + name)({a.second});
        row += r.is(a.second) ? '=' : '~';
      } catch (const c10::Error& e) {
        std::string text = e.what_without_backtrace();
        row += text == usual.str() ? '.' : '!';
        if (text != usual.str())
          notes += "note|" + name + "|" + a.first + "|" + escaped(text) + "\n";
      }
    }
    std::cout << "call|" << name << "|" << row << "\n" << notes;
  }
  for (auto& name : fields) {
    std::string field = "field_" + name, row, notes;
    std::string type = module.type()->getAttribute(field)->repr_str();
    for (auto& a : arguments) {
      std::string usual = "Expected a value of type '" + type + "' for field '" + field +
                          "', but found '" + type_of(a.second) + "'";
      try {
        module.setattr(field, a.second);
        row += module.attr(field).is(a.second) ? '=' : '~';
      } catch (const c10::Error& e) {
        std::string text = e.what_without_backtrace();
        row += text == usual ? '.' : '!';
        if (text != usual) notes += "note|" + field + "|" + a.first + "|" + escaped(text) + "\n";
      }
    }
    std::cout << "field|" << name << "|" << row << "\n" << notes;
  }
  // Counts, names and absent things.
  auto error = [](const char* what, auto f) {
    try {
      f();
      std::cout << "error|" << what << "|none\n";
    } catch (const c10::Error& e) {
      std::cout << "error|" << what << "|" << escaped(e.what_without_backtrace()) << "\n";
    } catch (const std::exception& e) {
      std::cout << "error|" << what << "|" << escaped(e.what()) << "\n";
    }
  };
  auto x = torch::ones({1});
  error("too many", [&] { module.forward({x, 1.5, 3}); });
  error("missing", [&] { module.forward({}); });
  error("default", [&] { module.forward({x}); });
  error("keyword", [&] { module.forward({x}, {{"k", 1.5}}); });
  error("only keywords", [&] { module.forward({}, {{"k", 1.5}, {"x", x}}); });
  error("wrong keyword", [&] { module.forward({x}, {{"k", "text"}}); });
  error("unknown keyword", [&] { module.forward({x}, {{"q", 1.5}}); });
  error("keyword twice", [&] { module.forward({x, 1.5}, {{"k", 1.5}}); });
  error("hooks", [&] { module({x, 1.5}); });
  error("hooks given an int", [&] { module({x, 3}); });
  error("hooks given too few", [&] { module({x}); });
  error("absent method", [&] { module.get_method("absent"); });
  error("absent attribute", [&] { module.attr("absent"); });
  error("absent attribute set", [&] { module.setattr("absent", 1); });
  error("empty module", [&] { torch::jit::Module().forward({}); });
}
