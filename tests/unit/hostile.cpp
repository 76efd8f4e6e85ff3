// SPDX-License-Identifier: Apache-2.0
// Inputs that mean harm: what nests deeper than a stack of 512 KB holds, values that aren't of the
// type that the code believes, sizes that overflow.
#include <pthread.h>

#include <catch2/catch.hpp>
#include <functional>

#include "api/runtime.h"
#include "ir/graph.h"
#include "sconce/sconce.h"
#include "zip_files.h"

using namespace sconce;

namespace {

std::string text(const std::string& s) { return "X" + little_endian(s.size(), 4) + s; }
// The pickle of a module M with attributes: (name, pickle) pairs.
std::string module_pickle(const std::vector<std::pair<std::string, std::string>>& attributes) {
  std::string p =
      "\x80\x02"
      "c__torch__\nM\n)\x81}(";
  for (auto& [name, value] : attributes) p += text(name) + value;
  return p + "ub.";
}
std::string archive(const std::string& code, const std::string& data = module_pickle({})) {
  return zip_of({{"a/version", "3\n"},
                 {"a/constants.pkl", "\x80\x02)."},
                 {"a/data.pkl", data},
                 {"a/code/__torch__.py", code}});
}
Module load_bytes(const std::string& bytes) { return load(bytes.data(), bytes.size()); }

const std::string kModule = "class M(Module):\n  __parameters__ = []\n  __buffers__ = []\n";

// What f throws, on a thread with 512 KB of stack; "" when it returns.
std::string on_small_stack(const std::function<void()>& f) {
  struct Task {
    const std::function<void()>& f;
    std::string error;
  } task{f, ""};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 512 << 10);
  pthread_t thread;
  REQUIRE(pthread_create(
              &thread, &attributes,
              [](void* p) -> void* {
                auto& t = *static_cast<Task*>(p);
                try {
                  t.f();
                } catch (const Error& e) {
                  t.error = e.what();
                }
                return nullptr;
              },
              &task) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  return task.error;
}
std::string repeat(const std::string& s, int n) {
  std::string r;
  for (int i = 0; i < n; ++i) r += s;
  return r;
}
std::string number(int i) { return std::to_string(i); }

bool too_deep(const std::string& error) {
  return error.find("nested too deeply") != std::string::npos ||
         error.find("nested more than") != std::string::npos ||
         error.find("within each other") != std::string::npos;
}
bool refused(const std::string& error) {
  return error.find("expected a value of type") != std::string::npos ||
         error.find("can't hold") != std::string::npos;
}

std::string run_error(const std::string& source, std::vector<IValue> inputs) {
  try {
    compile(source).run_method("f", std::move(inputs));
  } catch (const Error& e) {
    return e.what();
  }
  return "answered";
}
std::string load_error(const std::string& bytes) {
  try {
    Module m = load_bytes(bytes);
    m.compile_all();
  } catch (const Error& e) {
    return e.what();
  }
  return "loaded";
}

}  // namespace

// ---- depth ----

TEST_CASE("values as deep as a program likes are destroyed") {
  CHECK(on_small_stack([] {
          IValue v = int64_t{0};
          for (int i = 0; i < 300000; ++i)
            v = i % 2 ? IValue(make_ref<TupleBox>(std::vector<IValue>{std::move(v)}))
                      : IValue(make_ref<ListBox>(types::any(), std::vector<IValue>{std::move(v)}));
        }) == "");
  CHECK(on_small_stack([] {
          compile(
              "class Node:\n"
              "  next : Optional[Node]\n"
              "  def __init__(self, n: Optional[Node]) -> None:\n"
              "    self.next = n\n"
              "def f(n: int) -> int:\n"
              "  head : Optional[Node] = None\n"
              "  for i in range(n):\n"
              "    head = Node(head)\n"
              "  return 1\n")
              .run_method("f", {int64_t{200000}});
        }) == "");
}

TEST_CASE("values too deep to be walked are an error") {
  auto deep = [] {
    IValue v = int64_t{0};
    for (int i = 0; i < 100000; ++i) v = make_ref<TupleBox>(std::vector<IValue>{std::move(v)});
    return v;
  };
  CHECK(too_deep(on_small_stack([&] { ivalue_str(deep()); })));
  CHECK(too_deep(on_small_stack([&] { ivalue_hash(deep()); })));
  CHECK(too_deep(on_small_stack([&] { ivalue_equal(deep(), deep()); })));
  CHECK(too_deep(on_small_stack([&] { ivalue_type(deep()); })));
  const char* const wraps =
      "def f(n: int) -> Any:\n"
      "  x : Any = 0\n"
      "  for i in range(n):\n"
      "    x = (x, )\n";
  CHECK(too_deep(on_small_stack([&] {
    compile(wraps + std::string("  return '{}'.format(x)\n")).run_method("f", {int64_t{20000}});
  })));
  CHECK(on_small_stack([&] {
          compile(wraps + std::string("  return x\n")).run_method("f", {int64_t{20000}});
        }) == "");
}

TEST_CASE("types are as deep as they may be") {
  auto annotated = [](const std::string& type) {
    return archive(kModule + "  a : " + type +
                       "\n  def forward(self: __torch__.M) -> int:\n"
                       "    return 1\n",
                   module_pickle({{"a", "N"}}));
  };
  for (int n : {150, 390, 5000}) {
    const std::string type = repeat("Optional[List[", n / 2) + "int" + repeat("]]", n / 2);
    CHECK(too_deep(on_small_stack([&] { load_bytes(annotated(type)); })));
  }
  // 2^100 parts.
  CHECK_THAT(on_small_stack([&] {
               TypePtr t = types::integer();
               for (int i = 0; i < 100; ++i) t = TypeTable::global().tuple({t, t});
             }),
             Catch::Contains("parts"));
  for (const char* form : {"Optional[", "List[", "Tuple[", "Dict[int, "})
    CHECK(on_small_stack([&] {
            parse_graph("graph(%x : " + repeat(form, 20000) + "int" + repeat("]", 20000) +
                            "):\n  return (%x)\n",
                        nullptr);
          }) != "");
  CHECK(on_small_stack([&] {
          parse_graph("graph(%x : int" + repeat("[]", 20000) + "):\n  return (%x)\n", nullptr);
        }) != "");
}

TEST_CASE("classes, interfaces and calls that lead to each other end") {
  std::string chain = kModule + "  a : Optional[__torch__.C0]\n";
  for (int i = 0; i < 3000; ++i)
    chain += "class C" + number(i) + ":\n  a : Optional[__torch__.C" + number(i + 1) + "]\n";
  chain += "class C3000:\n  a : int\n";
  CHECK(too_deep(on_small_stack([&] { load_bytes(archive(chain, module_pickle({{"a", "N"}}))); })));

  // An interface whose method takes a class whose method takes the interface.
  const std::string subtype =
      kModule +
      "  def forward(self: __torch__.M, x: Tensor) -> Tensor:\n"
      "    c = __torch__.C.__new__(__torch__.C)\n"
      "    return __torch__.use(c, x, )\n"
      "class I(Interface):\n  def foo(self, x: __torch__.C) -> NoneType:\n    pass\n"
      "class C:\n  a : int\n"
      "  def foo(self: __torch__.C, x: __torch__.I) -> NoneType:\n    return None\n"
      "def use(i: __torch__.I, x: Tensor) -> Tensor:\n  return x\n";
  CHECK(on_small_stack([&] { load_bytes(archive(subtype)).forward({ones({2})}); }) == "");
  // Interfaces in a chain, each method taking the next.
  std::string links = kModule +
                      "  def forward(self: __torch__.M) -> int:\n    return 1\n"
                      "  def g(self: __torch__.M, x: __torch__.J0) -> int:\n"
                      "    return self.h(x)\n"
                      "  def h(self: __torch__.M, x: __torch__.I0) -> int:\n"
                      "    return 1\n";
  for (const char* name : {"I", "J"})
    for (int i = 0; i < 3000; ++i)
      links += "class " + std::string(name) + number(i) +
               "(Interface):\n  def foo(self, x: __torch__." + (name[0] == 'I' ? "J" : "I") +
               number(i + 1) + ") -> NoneType:\n    pass\n";
  for (const char* name : {"I", "J"})
    links += "class " + std::string(name) + "3000(Interface):\n  def bar(self) -> int:\n    pass\n";
  CHECK(on_small_stack([&] { load_bytes(archive(links)).compile_all(); }) != "");

  const std::string enters =
      "class C:\n"
      "  o : Optional[C]\n"
      "  def __init__(self) -> None:\n    self.o = None\n"
      "  def __enter__(self) -> int:\n"
      "    o = self.o\n"
      "    if o is not None:\n"
      "      with o:\n        pass\n"
      "    return 1\n"
      "  def __exit__(self, a: Any, b: Any, c: Any) -> None:\n    return None\n"
      "def f(x: int) -> int:\n"
      "  c = C()\n"
      "  c.o = c\n"
      "  with c:\n    pass\n"
      "  return x\n";
  CHECK(too_deep(on_small_stack([&] { compile(enters).run_method("f", {int64_t{1}}); })));
  const std::string sorts =
      "class C:\n"
      "  k : int\n"
      "  def __init__(self) -> None:\n    self.k = 0\n"
      "  def __lt__(self, o: C) -> bool:\n"
      "    l = [self, o]\n"
      "    l.sort()\n"
      "    return l[0].k == 0\n"
      "def f(x: int) -> int:\n"
      "  l = [C(), C()]\n"
      "  l.sort()\n"
      "  return l[0].k\n";
  CHECK(too_deep(on_small_stack([&] { compile(sorts).run_method("f", {int64_t{1}}); })));
}

TEST_CASE("source and graph text that nests") {
  auto body = [](const std::string& s) { return "def f(x: int) -> int:\n" + s + "  return x\n"; };
  for (int n : {90, 350, 3000}) {
    std::string ifs;
    for (int i = 1; i <= n; ++i) ifs += repeat(" ", i + 1) + "if x > 0:\n";
    ifs += repeat(" ", n + 2) + "x = 1\n";
    for (const std::string& source :
         {body("  x = " + repeat("(", n) + "x" + repeat(")", n) + "\n"),
          body("  x = " + repeat("-", n) + "x\n"), body("  x = x" + repeat(" + x", n) + "\n"),
          body("  x = x" + repeat(" if x > 0 else x", n) + "\n"), body(ifs),
          body("  y = " + repeat("[", n) + "x" + repeat("]", n) + "\n")})
      on_small_stack([&] { compile(source).run_method("f", {int64_t{1}}); });
  }
  for (int n : {150, 5000}) {
    std::string blocks = "graph(%c : bool, %x : int):\n", ends;
    for (int i = 0; i < n; ++i) {
      blocks += "  %r" + number(i) + " : int = prim::If(%c)\n    block0():\n";
      ends = "      -> (" + (i + 1 < n ? "%r" + number(i + 1) : std::string("%x")) +
             ")\n    block1():\n      -> (%x)\n" + ends;
    }
    on_small_stack([&] {
      auto g = parse_graph(blocks + ends + "  return (%r0)\n", &op_table());
      PassContext c{&op_table(), nullptr};
      inline_calls(*g, c);
      print_graph(*g);
    });
  }
  // Calls in calls: what is inlined nests more deeply than any source.
  std::string calls = "def f0(x: int) -> int:\n  return x\n";
  for (int i = 1; i < 200; ++i) {
    calls += "def f" + number(i) + "(x: int) -> int:\n";
    for (int k = 0; k < 20; ++k) calls += repeat(" ", k + 2) + "if x > " + number(k) + ":\n";
    calls += repeat(" ", 22) + "x = f" + number(i - 1) + "(x)\n  return x\n";
  }
  calls += "def f(x: int) -> int:\n  return f199(x)\n";
  on_small_stack([&] { compile(calls).run_method("f", {int64_t{1}}); });
}

TEST_CASE("model.json that nests") {
  auto old = [](const std::string& json) { return zip_of({{"a/model.json", json}}); };
  for (const std::string& json :
       {"{\"protoVersion\": " + repeat("[", 100000) + repeat("]", 100000) + "}",
        "{\"tensors\": " + repeat("[", 100000) + repeat("]", 100000) + "}",
        "{\"mainModule\": " + repeat("{\"name\": \"a\", \"submodules\": [", 20000) +
            repeat("]}", 20000) + "}"})
    CHECK(on_small_stack([&] { load_bytes(old(json)); }) != "");
}

// ---- types ----

TEST_CASE("what the code says of a value is looked at") {
  const Tensor x = ones({2});
  CHECK(refused(run_error("def f(x: Tensor) -> int:\n  return unchecked_cast(int, x) + 1\n", {x})));
  CHECK(
      refused(run_error("def f(x: Tensor) -> int:\n  return unchecked_cast(int, 'a') + 1\n", {x})));
  CHECK(refused(run_error(
      "def f(x: Tensor) -> int:\n  return unchecked_cast(List[int], [x])[0] + 1\n", {x})));
  CHECK(refused(
      run_error("def f(x: Tensor) -> int:\n  return unchecked_cast(Tuple[int, int], (x, x))[0] + "
                "1\n",
                {x})));
  // A type variable that Any fits.
  for (const char* fill :
       {"l.append(x)", "l.insert(0, x)", "l.extend([x])", "l[0] = x", "l += [x]"})
    CHECK_THAT(run_error("def f(x: Any) -> int:\n  l : List[int] = [1]\n  " + std::string(fill) +
                             "\n  return l[-1] + 1\n",
                         {x}),
               !Catch::Contains("answered"));
  for (const char* fill : {"d['a'] = x", "d.setdefault('b', x)", "d.update({'a': x})"})
    CHECK_THAT(run_error("def f(x: Any) -> int:\n  d : Dict[str, int] = {}\n  " +
                             std::string(fill) + "\n  return d.popitem()[1] + 1\n",
                         {x}),
               !Catch::Contains("answered"));
}

TEST_CASE("a float that is a complex number is never taken for one") {
  const std::complex<double> c(3, 4);
  auto answer = [&](const std::string& body) {
    return compile(
               "def g(x: complex) -> float:\n  y : number = x\n  return y / 2\n"
               "def f(x: complex, n: int) -> float:\n  y : number = x\n  q = y / 2\n" +
               body)
        .run_method("f", {c, int64_t{3}});
  };
  CHECK(answer("  return q\n").toComplexDouble() == c / 2.0);
  CHECK(answer("  return q + 1.5\n").toComplexDouble() == c / 2.0 + 1.5);
  CHECK(answer("  for i in range(n):\n    q = q * 2.\n  return q\n").toComplexDouble() == c * 4.0);
  CHECK(answer("  if n > 5:\n    q = 1.5\n  t = (q, 1)\n  return -t[0]\n").toComplexDouble() ==
        -c / 2.0);
  for (const char* body :
       {"  l = [q]\n  return l[0] + 1.5\n", "  l = [0.5]\n  l.append(q)\n  return l[1] + 1.5\n",
        "  d = {'a': q}\n  return d['a'] + 1.5\n", "  return 1.5 if q < 2. else 2.5\n"}) {
    bool number = false;
    try {
      number = answer(body).isDouble();
    } catch (const OpError&) {
    }
    CHECK(!number);
  }
}

TEST_CASE("what an archive holds is of the declared types") {
  const std::string forward = "  def forward(self: __torch__.M) -> int:\n    return 1\n";
  // An object of a class without the interface's method.
  const std::string interface =
      kModule + "  i : __torch__.I\n" + forward +
      "class I(Interface):\n  def foo(self, x: int) -> int:\n    pass\n"
      "class C:\n  a : int\n  def foo(self: __torch__.C, x: Tensor) -> int:\n    return 1\n";
  CHECK_THAT(
      load_error(archive(interface,
                         module_pickle({{"i", "c__torch__\nC\n)\x81}(" + text("a") + "K\x01ub"}}))),
      Catch::Contains("is declared __torch__.I"));
  // One list under two types.
  const std::string shared = kModule + "  a : List[Any]\n  b : List[int]\n" + forward;
  CHECK_THAT(load_error(archive(shared, module_pickle({{"a",
                                                        "]q\x01K\x01"
                                                        "a"},
                                                       {"b", "h\x01"}}))),
             Catch::Contains("is declared List[int]"));
  // A list that grows after it was said to be one of ints.
  const std::string any = kModule + "  a : Any\n" + forward;
  CHECK_THAT(
      load_error(archive(any, module_pickle({{"a",
                                              "ctorch.jit._pickle\nbuild_intlist\n]q\x01K\x01"
                                              "aR0h\x01" +
                                                  text("s") + "a"}}))),
      !Catch::Contains("loaded"));
}

// ---- sizes ----

TEST_CASE("sizes that overflow are errors") {
  for (const char* e : {
           "torch.zeros([4]).reshape([4611686018427387905, 4])",
           "torch.zeros([4]).view([4611686018427387905, 4])",
           "torch.zeros([1]).resize_([4611686018427387904])",
           "torch.zeros([2, 2, 4611686018427387904])",
           "torch.zeros([1]).expand([4294967296, 4294967296]).view([8589934592, 2147483648])",
           "torch.zeros([1]).expand([4294967296, 2147483648])",
           "torch.zeros([4611686018427387904], out=torch.zeros([1]))",
           "torch.empty_strided([100, 101], [-100, 100])",
           "torch.empty_strided([2, 2], [1])",
           "torch.as_strided(torch.zeros([4]), [2], [4611686018427387904])",
           "torch.as_strided(torch.zeros([4]), [5], [1])",
           "torch.as_strided(torch.zeros([4]), [1], [1], -1)",
           "torch.as_strided(torch.zeros([4]), [1], [1], 4)",
           "torch.zeros([0, 4611686018427387904, 4])",
           "torch.zeros([2]).repeat([4611686018427387904, 4])",
       })
    CHECK_THAT(
        run_error("def f(x: Tensor) -> Tensor:\n  return " + std::string(e) + "\n", {ones({2})}),
        !Catch::Contains("answered"));
  for (const char* e : {"x[::9223372036854775807]", "x[1::4611686018427387904]"})
    CHECK(compile("def f(x: Tensor) -> Tensor:\n  return " + std::string(e) + "\n")
              .run_method("f", {ones({4, 2})})
              .toTensor()
              .size(0) == 1);
  auto list = [](const std::string& e) {
    return compile("def f(x: List[int]) -> List[int]:\n  return " + e + "\n")
        .run_method("f", {IValue(std::vector<int64_t>{1, 2, 3})})
        .toIntVector();
  };
  CHECK(list("x[::9223372036854775807]") == std::vector<int64_t>{1});
  CHECK(list("x[1::9223372036854775807]") == std::vector<int64_t>{2});
  CHECK(list("x[::-9223372036854775807]") == std::vector<int64_t>{3});
  CHECK(list("x[::-2]") == std::vector<int64_t>{3, 1});
  CHECK(list("x[0:3:2]") == std::vector<int64_t>{1, 3});
}

TEST_CASE("no slot is given memory outside of a storage") {
  Tensor t = ones({4});
  t.mutable_impl()->sizes = {5};
  CHECK_THROWS_AS(t.sum(), OpError);
  t.mutable_impl()->sizes = {4};
  t.mutable_impl()->offset = 1;
  CHECK_THROWS_AS(t.clone(), OpError);
}

TEST_CASE("a plan is not replayed where its views leave the storage") {
  for (const char* body : {"  y = torch.as_strided(x, [40], [1])\n  return y + 1\n",
                           "  return torch.detach(x).resize_([40])\n",
                           "  y = torch.detach(x).resize_([40])\n  y.add_(1)\n  return y + 1\n"}) {
    Module m = compile("def f(x: Tensor) -> Tensor:\n" + std::string(body));
    Tensor all = ones({10, 4});
    for (int i = 0; i < 3; ++i) m.run_method("f", {all.select(0, 0)});
    try {
      IValue r = m.run_method("f", {all.select(0, 9)});
      const TensorImpl& t = *r.toTensorRef().impl();
      CHECK((t.offset + 40) * 4 <= static_cast<int64_t>(t.storage->nbytes()));
    } catch (const OpError&) {
    }
  }
}

TEST_CASE("meta tensors have no text") {
  CHECK_THAT(run_error("def f(x: Tensor) -> int:\n"
                       "  print(torch.zeros([4], device='meta'))\n  return 1\n",
                       {ones({2})}),
             !Catch::Contains("answered"));
}

TEST_CASE("views as other numbers keep their place") {
  IValue r = compile(
                 "def f(x: Tensor) -> Tensor:\n"
                 "  c = torch.complex(x, x + 10)\n"
                 "  return torch.view_as_real(c[1])\n")
                 .run_method("f", {ones({2, 3})});
  CHECK(r.toTensor().sizes() == IntArrayRef{3, 2});
  CHECK(r.toTensor().select(1, 1).sum().item<double>() == 33);
}
