// SPDX-License-Identifier: Apache-2.0
// Values from the host: arguments of methods and attributes, against what LibTorch's C++ boundary
// accepts (fixtures/boundary.txt, which scripts/record_boundary.py records).
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "api/runtime.h"
#include "sconce/sconce.h"

using namespace sconce;
using Catch::Matchers::Contains;

namespace {

std::string fixture(const std::string& name) { return std::string(SCONCE_FIXTURES) + "/" + name; }

struct Row {
  std::string name, type;
  std::string declaration, calls, fields;  // of parameters: '=' for each argument that is accepted
};
struct Table {
  std::vector<Row> arguments, parameters;
  std::map<std::string, std::string> errors;
};

Table read_table() {
  Table t;
  std::ifstream in(fixture("boundary.txt"));
  auto parameter = [&](const std::string& name) -> Row& {
    for (auto& p : t.parameters)
      if (p.name == name) return p;
    t.parameters.emplace_back().name = name;
    return t.parameters.back();
  };
  for (std::string line; std::getline(in, line);) {
    std::vector<std::string> parts;
    std::stringstream cells(line);
    for (std::string cell; std::getline(cells, cell, '|');) parts.push_back(cell);
    if (parts[0] == "argument") t.arguments.push_back({parts[1], parts[2], "", "", ""});
    if (parts[0] == "parameter") {
      parameter(parts[1]).type = parts[2];
      parameter(parts[1]).declaration = parts[3];
    }
    if (parts[0] == "call") parameter(parts[1]).calls = parts[2];
    if (parts[0] == "field") parameter(parts[1]).fields = parts[2];
    if (parts[0] == "error") t.errors[parts[1]] = parts[2];
  }
  return t;
}

// What only a host can make, as record_boundary.cpp makes it.
IValue host_argument(const Module& m, const std::string& name) {
  auto any_dict = make_ref<DictBox>(types::any(), types::any());
  if (name == "host_undefined") return Tensor();
  if (name == "host_generator") return make_ref<Generator>();
  if (name == "host_int_vector") return std::vector<int64_t>{1, 2};
  if (name == "host_tensor_vector") return std::vector<Tensor>{ones({1}), Tensor()};
  if (name == "host_tuple")
    return make_ref<TupleBox>(std::vector<IValue>{IValue(1), IValue(ones({1}))});
  if (name == "host_list_any")
    return make_ref<ListBox>(types::any(), std::vector<IValue>{IValue(1)});
  if (name == "host_empty_list_any") return make_ref<ListBox>(types::any());
  if (name == "host_dict_any") any_dict->set("a", ones({1}));
  if (name == "host_dict_any" || name == "host_empty_dict_any") return any_dict;
  if (name == "host_module") return m.impl()->object;
  return m.run_method("make_" + name, {});
}

LoadOptions in_mode(Mode mode) {
  LoadOptions o;
  o.mode = mode;
  return o;
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    std::string line = e.what();
    for (size_t at; (at = line.find('\n')) != std::string::npos;) line.replace(at, 1, "\\n");
    return line;
  }
  return "none";
}

// Containers without types of their own: sconce gives them the declared ones, LibTorch refuses
// them.
bool is_generic(const std::string& name) {
  return name == "host_list_any" || name == "host_empty_list_any" || name == "host_dict_any" ||
         name == "host_empty_dict_any";
}

IValue list_of(TypePtr type, std::vector<IValue> items) {
  return make_ref<ListBox>(type, std::move(items));
}

}  // namespace

TEST_CASE("arguments are accepted and refused as by LibTorch") {
  Table t = read_table();
  REQUIRE(t.parameters.size() * t.arguments.size() > 1000);
  for (Mode mode : {Mode::Interpret, Mode::Optimized}) {
    Module m = load(fixture("boundary.pt"), in_mode(mode));
    for (const Row& p : t.parameters) {
      if (p.calls.empty()) continue;
      for (size_t i = 0; i < t.arguments.size(); ++i) {
        const Row& a = t.arguments[i];
        if (is_generic(a.name)) continue;
        INFO(a.name << " for " << p.name);
        // LibTorch lets an empty dict pass for every type.
        bool empty_dict = a.name == "empty_dict_str_tensor";
        bool refused =
            p.calls[i] != '=' || (empty_dict && p.type.rfind("Dict", 0) != 0 && p.type != "Any");
        IValue given = host_argument(m, a.name), answer;
        std::string error = error_of([&] { answer = m.run_method("take_" + p.name, {given}); });
        if (!refused) {
          CHECK(error == "none");
          CHECK((ivalue_is(answer, given) || (empty_dict && answer.isDict())));
        } else if (a.name == "host_undefined") {
          CHECK_THAT(error, Contains("undefined"));  // LibTorch fails as it writes its message
        } else {
          CHECK(error == "take_" + p.name + "() Expected a value of type '" + p.type +
                             "' for argument 'a' but instead found type '" + a.type +
                             "'.\\nPosition: 1\\nDeclaration: " + p.declaration);
        }
      }
    }
  }
}

TEST_CASE("the first call of a method knows its parameters") {
  for (Mode mode : {Mode::Interpret, Mode::Optimized}) {
    Module m = load(fixture("boundary.pt"), in_mode(mode));
    CHECK_THAT(error_of([&] { m.forward({}); }), Contains("missing value for argument 'x'"));
    CHECK(m.forward({ones({2})}).isTensor());  // k has a default
  }
}

TEST_CASE("attributes are set and refused as by LibTorch") {
  Table t = read_table();
  Module m = load(fixture("boundary.pt"));
  int fields = 0;
  for (const Row& p : t.parameters) {
    if (p.fields.empty()) continue;
    ++fields;
    for (size_t i = 0; i < t.arguments.size(); ++i) {
      const Row& a = t.arguments[i];
      if (is_generic(a.name)) continue;
      INFO(a.name << " as " << p.name);
      bool empty_dict = a.name == "empty_dict_str_tensor" && p.type.rfind("Dict", 0) == 0;
      IValue given = host_argument(m, a.name);
      std::string error = error_of([&] { m.setattr("field_" + p.name, given); });
      if (p.fields[i] == '=' || empty_dict) {
        CHECK(error == "none");
        CHECK((ivalue_is(m.attr("field_" + p.name), given) || empty_dict));
      } else if (a.name == "host_undefined") {
        CHECK_THAT(error, Contains("undefined"));
      } else {
        CHECK(error == "Expected a value of type '" + p.type + "' for field 'field_" + p.name +
                           "', but found '" + a.type + "'");
      }
    }
  }
  CHECK(fields > 25);
}

TEST_CASE("arguments are counted, named and completed") {
  Table t = read_table();
  for (Mode mode : {Mode::Interpret, Mode::Optimized}) {
    Module m = load(fixture("boundary.pt"), in_mode(mode));
    Tensor x = ones({1});
    auto number = [](const IValue& v) { return v.toTensor().item<double>(); };
    CHECK(number(m.forward({x})) == 1.5);
    CHECK(number(m.forward({x, 2.0})) == 3);
    CHECK(number(m.forward({x}, {{"k", 2.0}})) == 3);
    CHECK(number(m.get_method("forward")({}, {{"k", 2.0}, {"x", x}})) == 3);
    auto error = [&](std::vector<IValue> inputs, const Kwargs& kwargs) {
      return error_of([&] { m.forward(inputs, kwargs); });
    };
    CHECK(error({}, {}) == t.errors["missing"]);
    CHECK(error({x}, {{"k", "text"}}) == t.errors["wrong keyword"]);
    CHECK_THAT(error({x, 1.5, 3}, {}), Contains("at most 2 argument(s)") &&
                                           Contains("received 3 argument(s) beside self") &&
                                           Contains("forward(__torch__.Boundary self, Tensor x, "
                                                    "float k=0.5) -> Tensor"));
    CHECK_THAT(error({x}, {{"q", 1.5}}), Contains("Unknown keyword argument 'q'"));
    CHECK_THAT(error({x}, {{"self", 1.5}}), Contains("Unknown keyword argument 'self'"));
    CHECK_THAT(error({x, 1.5}, {{"k", 1.5}}), Contains("'k' specified both as positional"));
    CHECK_THAT(error({x, 3}, {}), Contains("type 'float' for argument 'k'") &&
                                      Contains("found type 'int'") && Contains("Position: 2"));
  }
  Module m = load(fixture("boundary.pt"));
  CHECK_THROWS_WITH(m.setattr("absent", 1), Contains("has no attribute 'absent'"));
  CHECK_THROWS_WITH(m.run_method("absent", {}), Contains("Method 'absent' is not defined"));
}

TEST_CASE("functions of source text check their arguments") {
  Module m = compile("def f(n: int, k: float = 0.5) -> float:\n    return n + k\n");
  CHECK(m.run_method("f", {1, 2.5}).toDouble() == 3.5);
  CHECK(m.run_method("f", {1}, {{"k", 2.5}}).toDouble() == 3.5);
  CHECK_THROWS_WITH(
      m.run_method("f", {1.5, 2.5}),
      Contains("f() Expected a value of type 'int' for argument 'n' but instead found "
               "type 'float'.\nPosition: 0\nDeclaration: f(int n, float k=0.5) -> float"));
  CHECK_THROWS_WITH(m.run_method("f", {1, 2.5, 3}),
                    Contains("at most 2 argument(s)") && !Contains("self"));
}

TEST_CASE("containers without types get the declared ones when their elements fit") {
  Module m = compile(
      "def total(x: List[int]) -> int:\n"
      "    x.append(5)\n"
      "    return sum(x)\n"
      "def nested(x: Dict[str, List[Optional[int]]]) -> int:\n"
      "    return len(x['a'])\n"
      "def pair(x: Tuple[List[int], float]) -> int:\n"
      "    return len(x[0])\n"
      "def either(x: Union[List[str], List[int]]) -> bool:\n"
      "    return isinstance(x, List[int])\n"
      "def anything(x: Any) -> bool:\n"
      "    return isinstance(x, List[int])\n"
      "def same(x: List[List[int]], y: List[int]) -> bool:\n"
      "    return x[0] is y\n");
  // A missing type is filled in: the host sees what the method does.
  auto untyped = make_ref<ListBox>(nullptr, std::vector<IValue>{1, 2});
  CHECK(m.run_method("total", {untyped}).toInt() == 8);
  CHECK(untyped->items.size() == 3);
  CHECK(untyped->elem_type == types::integer());
  // What was seen as another type stays as it was.
  auto any = make_ref<ListBox>(types::any(), std::vector<IValue>{1, 2});
  CHECK(m.run_method("total", {any}).toInt() == 8);
  CHECK(any->items.size() == 2);
  CHECK(any->elem_type == types::any());
  // A type that the elements contradict counts for nothing.
  CHECK(m.run_method("total", {list_of(types::tensor(), {1, 2})}).toInt() == 8);
  CHECK(m.run_method("total", {list_of(types::any(), {})}).toInt() == 5);
  CHECK_THROWS_WITH(m.run_method("total", {list_of(types::tensor(), {})}),
                    Contains("found type 'List[Tensor]'."));
  CHECK_THROWS_WITH(m.run_method("total", {list_of(types::integer(), {1, 1.5})}),
                    Contains("found type 'List[int]' with a value of type 'float' at [1]."));
  CHECK_THROWS_WITH(m.run_method("total", {list_of(nullptr, {1, "a"})}),
                    Contains("found type 'List[?]' with a value of type 'str' at [1]."));

  auto dict = make_ref<DictBox>(nullptr, nullptr);
  dict->set("a", list_of(types::any(), {1, IValue()}));
  CHECK(m.run_method("nested", {dict}).toInt() == 2);
  dict->set("b", list_of(types::any(), {1, 2.5}));
  CHECK_THROWS_WITH(m.run_method("nested", {dict}),
                    Contains("with a value of type 'float' at [\"b\"][1]."));
  auto numbered = make_ref<DictBox>(nullptr, nullptr);
  numbered->set(1, list_of(types::any(), {}));
  CHECK_THROWS_WITH(m.run_method("nested", {numbered}),
                    Contains("with a value of type 'int' at key 0"));

  auto tuple = make_ref<TupleBox>(std::vector<IValue>{list_of(nullptr, {1, 2, 3}), 0.5});
  CHECK(m.run_method("pair", {tuple}).toInt() == 3);
  CHECK(!tuple->items[0].toListRef().elem_type);  // the method had a copy
  CHECK(m.run_method("either", {list_of(nullptr, {1})}).toBool());
  CHECK(!m.run_method("either", {list_of(nullptr, {"a"})}).toBool());
  CHECK_THROWS_WITH(m.run_method("either", {list_of(nullptr, {"a", 1})}),
                    Contains("'Union[List[str], List[int]]'") && Contains("found type 'List[?]'."));
  CHECK(m.run_method("anything", {list_of(nullptr, {1, 2})}).toBool());
  CHECK(!m.run_method("anything", {list_of(nullptr, {1, "a"})}).toBool());
  CHECK(!m.run_method("anything", {list_of(types::integer(), {"a"})}).toBool());
  // One container in two arguments stays one.
  IValue shared = list_of(types::any(), {1});
  CHECK(m.run_method("same", {list_of(types::any(), {shared}), shared}).toBool());
}

TEST_CASE("what is undefined, null or without end is an error, not a crash") {
  for (Mode mode : {Mode::Interpret, Mode::Optimized}) {
    Module m = compile(
        "def joined(x: List[Tensor]) -> Tensor:\n"
        "    return torch.cat(x)\n"
        "def added(x: Tensor) -> Tensor:\n"
        "    return x + 1\n"
        "def sized(x: Tensor) -> int:\n"
        "    return x.size(0)\n"
        "def anything(x: Any) -> Any:\n"
        "    return x\n"
        "def text(x: str) -> str:\n"
        "    return x\n"
        "def deep(x: List[Any]) -> int:\n"
        "    return len(x)\n",
        in_mode(mode));
    for (int call = 0; call < 3; ++call) {
      CHECK_THROWS_AS(m.run_method("joined", {std::vector<Tensor>{ones({1}), Tensor()}}), Error);
      CHECK_THROWS_AS(m.run_method("added", {Tensor()}), Error);
      CHECK_THROWS_AS(m.run_method("sized", {Tensor()}), Error);
      m.run_method("added", {ones({2})});
    }
    CHECK_THROWS_WITH(m.run_method("text", {IValue(Ref<StringBox>())}), Contains("'str (null)'"));
    CHECK_THROWS_WITH(m.run_method("deep", {IValue(Ref<ListBox>())}), Contains("'List (null)'"));
    for (IValue v : {IValue(Ref<ListBox>()), IValue(Ref<DictBox>()), IValue(Ref<TupleBox>()),
                     IValue(Ref<Object>()), IValue(Ref<EnumBox>()), IValue(Ref<Generator>()),
                     IValue(make_ref<EnumBox>(nullptr, "A", IValue(1))),
                     IValue(make_ref<FutureBox>(nullptr))}) {
      CHECK_THROWS_AS(m.run_method("anything", {v}), OpError);
      CHECK_THROWS_AS(m.run_method("deep", {list_of(types::any(), {v})}), OpError);
    }
    // A list in itself.
    auto cycle = make_ref<ListBox>(types::any());
    cycle->items.push_back(cycle);
    CHECK_THROWS_WITH(m.run_method("deep", {cycle}), Contains("contain itself"));
    CHECK_THROWS_WITH(m.run_method("anything", {cycle}), Contains("contain itself"));
    CHECK_THROWS_AS(m.run_method("joined", {cycle}), OpError);
    cycle->items.clear();
    // Twice in itself at each of many levels: quick all the same.
    IValue level = list_of(nullptr, {1});
    for (int i = 0; i < 60; ++i) level = list_of(i % 2 ? nullptr : types::any(), {level, level});
    CHECK(m.run_method("deep", {level}).toInt() == 2);
    CHECK(m.run_method("anything", {level}).toListRef().items.size() == 2);
  }
}

TEST_CASE("classes, enums and members of an enum are looked at") {
  Module m = load(fixture("boundary.pt")), other = load(fixture("boundary.pt"));
  // Two archives have two classes.
  CHECK_THROWS_AS(m.run_method("take_point", {other.run_method("make_point", {})}), OpError);
  CHECK_THROWS_AS(m.run_method("take_color", {other.run_method("make_color", {})}), OpError);
  IValue red = m.run_method("make_color", {});
  TypePtr color = red.toEnumRef().type;
  CHECK(m.run_method("take_color", {make_ref<EnumBox>(color, "RED", IValue(1))}).isEnum());
  CHECK_THROWS_AS(m.run_method("take_color", {make_ref<EnumBox>(color, "RED", IValue("x"))}),
                  OpError);
  CHECK_THROWS_AS(m.run_method("take_list_point", {list_of(nullptr, {red})}), OpError);
  auto points = make_ref<ListBox>(nullptr, std::vector<IValue>{m.run_method("make_point", {})});
  CHECK(m.run_method("take_list_point", {points}).toListRef().items.size() == 1);
  CHECK(!points->elem_type);  // a class lives as long as its archive only
  Object& point = points->items[0].toObjectRef();
  point.setattr("x", 9);
  CHECK(point.getattr("x").toInt() == 9);
  CHECK_THROWS_WITH(point.setattr("x", 1.5),
                    Contains("type 'int' for field 'x', but found 'float'"));
  CHECK_THROWS_WITH(point.setattr("y", 1), Contains("has no attribute 'y'"));
}

TEST_CASE("hooks check what they are given") {
  Table t = read_table();
  Module m = load(fixture("boundary.pt"));
  CHECK(m({ones({1}), 1.5}).toTensor().item<double>() == 7);
  CHECK(error_of([&] { m({ones({1}), 3}); }) == t.errors["hooks given an int"]);
  CHECK(error_of([&] { m({ones({1})}); }) == t.errors["hooks given too few"]);
}

TEST_CASE("an empty module says so") {
  Module m;
  CHECK(!m.defined());
  const std::vector<std::function<void()>> calls{
      [&] { m.forward({}); },
      [&] { m.forward({}, {}); },
      [&] { m.run_method("f", {}); },
      [&] { m({}); },
      [&] { m.get_method("f"); },
      [&] { m.has_method("f"); },
      [&] { m.method_names(); },
      [&] { m.function_names(); },
      [&] { m.define(""); },
      [&] { m.argument_names("f"); },
      [&] { m.train(); },
      [&] { m.eval(); },
      [&] { m.is_training(); },
      [&] { m.to(Device()); },
      [&] { m.attr("a"); },
      [&] { m.attr("a", 1); },
      [&] { m.hasattr("a"); },
      [&] { m.setattr("a", 1); },
      [&] { m.named_parameters(); },
      [&] { m.named_buffers(); },
      [&] { m.named_attributes(); },
      [&] { m.parameters(); },
      [&] { m.class_name(); },
      [&] { m.graph_text(); },
      [&] { m.inlined_graph_text(); },
      [&] { m.plan_text(); },
      [&] { m.compile_all(); },
      [&] { m.missing_operators(); },
  };
  for (size_t i = 0; i < calls.size(); ++i) {
    INFO("call " << i);
    CHECK_THROWS_WITH(calls[i](), Contains("Module is empty"));
  }
}

TEST_CASE("a million numbers are looked at in passing") {
  Module m = compile(
      "def last(x: List[int]) -> int:\n"
      "    return x[-1]\n");
  auto numbers = make_ref<ListBox>(types::integer(), std::vector<IValue>(1 << 20, IValue(7)));
  CHECK(m.run_method("last", {numbers}).toInt() == 7);
  numbers->items.back() = 1.5;
  CHECK_THROWS_WITH(m.run_method("last", {numbers}),
                    Contains("with a value of type 'float' at [1048575]"));
}

TEST_CASE("threads may give one list without types") {
  Module m = compile(
      "def total(x: List[int]) -> int:\n"
      "    return sum(x)\n");
  auto untyped = make_ref<ListBox>(nullptr, std::vector<IValue>{1, 2, 3});
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) wrong += m.run_method("total", {untyped}).toInt() != 6;
    });
  for (auto& t : threads) t.join();
  CHECK(wrong == 0);
}
