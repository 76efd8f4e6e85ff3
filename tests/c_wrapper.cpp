// SPDX-License-Identifier: Apache-2.0
// The C++ wrapper of the C API: load, call, an error with its line.
#include <cstdio>
#include <sconce/c.hpp>

using sconce::c::Failure;
using sconce::c::Module;
using sconce::c::Value;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  Module m = Module::load(argv[1]);
  std::vector<float> pixels(3 * 32 * 32, 0.5f);
  Value y = m({Value::tensor(pixels.data(), {1, 3, 32, 32})});
  bool ok = y.sizes() == std::vector<int64_t>{1, 10} && y.elements<float>().size() == 10;
  Value again = m.clone().call("forward", {Value::tensor(pixels.data(), {1, 3, 32, 32})});
  ok = ok && again.elements<float>() == y.elements<float>();
  Value list = Value::list({1, 2, 3}, "int");
  ok = ok && list.size() == 3 && list[2].to_int() == 3 && list.text() == "[1, 2, 3]";
  Value dict = Value::dict({{"a", 1}, {"b", 2}}, "str", "int");
  dict.insert("c", 3);
  ok = ok && dict.size() == 3 && dict.at("b").to_int() == 2 && !dict.contains("d") &&
       dict.entry(2).first.to_string() == "c";
  int freed = 0;
  {
    Value borrowed = Value::borrow(pixels.data(), {1, 3, 32, 32}, {}, [&] { ++freed; });
    std::vector<float> scores(10);
    m.call("forward", {}, {{m.arguments()[0].name, borrowed}}, nullptr,
           {Value::borrow(scores.data(), {1, 10})});
    ok = ok && scores == y.elements<float>() && freed == 0;
  }
  ok = ok && freed == 1;
  std::string bytes;
  m.save(
      [&](const void* p, size_t n) { return bytes.append(static_cast<const char*>(p), n), true; });
  size_t at = 0;
  Module copy = Module::load([&](void* to, size_t n) {
    n = bytes.copy(static_cast<char*>(to), n, at);
    at += n;
    return static_cast<int64_t>(n);
  });
  ok = ok && copy({Value::tensor(pixels.data(), {1, 3, 32, 32})}).elements<float>() ==
                 y.elements<float>();
  sconce::c::Cancel cancel;
  cancel.set();
  sconce_limits limits = SCONCE_LIMITS_INIT;
  limits.cancel = cancel.handle();
  try {
    m.call("forward", {Value::tensor(pixels.data(), {1, 3, 32, 32})}, {}, &limits);
    ok = false;
  } catch (const Failure& e) {
    ok = ok && e.status() == SCONCE_LIMIT_EXCEEDED;
  }
  try {
    m({Value("no tensor")});
    ok = false;
  } catch (const Failure& e) {
    ok = ok && e.status() == SCONCE_OPERATOR_ERROR &&
         std::string(e.what()).find("forward") != std::string::npos;
  }
  std::puts(ok ? "ok" : "failed");
  return ok ? 0 : 1;
}
