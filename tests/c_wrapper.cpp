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
