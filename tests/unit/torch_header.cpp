// SPDX-License-Identifier: Apache-2.0
// sconce/torch.h where a wrong meaning would compile: writes through views, exact types, empty and
// undefined things, lifetimes. What it prints is compared with LibTorch by record_torch_uses.py.
#include "sconce/torch.h"

#include <catch2/catch.hpp>

namespace {
const std::string kFixtures = SCONCE_FIXTURES;
}

TEST_CASE("assigning to an element writes into the tensor", "[torch_header]") {
  at::Tensor t = torch::zeros({2, 3});
  t[0] = 4.0;
  t[1][2] = torch::tensor(7.f);
  const float* p = t.const_data_ptr<float>();
  CHECK(std::vector<float>(p, p + 6) == std::vector<float>{4, 4, 4, 0, 0, 7});
  // A name is another handle, not the elements.
  at::Tensor row = t[0];
  row = torch::ones({3});
  CHECK(t[0][0].item<float>() == 4);
  CHECK(row[0].item<float>() == 1);
  t.index({torch::indexing::Slice(), 1}) = 5;
  CHECK(t[1][1].item<float>() == 5);
}

TEST_CASE("pointers are of exactly the tensor's type", "[torch_header]") {
  const at::Tensor t = torch::ones({2}), i = torch::ones({2}, torch::kInt);
  CHECK_THROWS_AS(t.data_ptr<int>(), c10::Error);
  CHECK_THROWS_AS(t.data_ptr<double>(), c10::Error);
  CHECK_THROWS_AS(i.data_ptr<int64_t>(), c10::Error);
  CHECK_THROWS_AS(i.data_ptr<float>(), c10::Error);
  CHECK(i.data_ptr<int>()[1] == 1);
  CHECK_THROWS_AS((t.accessor<float, 2>()), c10::Error);
}

TEST_CASE("undefined tensors and empty modules throw", "[torch_header]") {
  const at::Tensor u;
  CHECK_FALSE(u.defined());
  CHECK_THROWS_AS(u.sizes(), c10::Error);
  CHECK_THROWS_AS(u.dtype(), c10::Error);
  CHECK_THROWS_AS(u.sum(), c10::Error);
  CHECK_THROWS_AS(u[0], c10::Error);
  CHECK_THROWS_AS(u + 1, c10::Error);
  CHECK_THROWS_AS(torch::ones({1}) + u, c10::Error);
  CHECK_THROWS_AS(u.index({0}), c10::Error);
  CHECK_THROWS_AS(u.storage(), c10::Error);
  CHECK_THROWS_AS(u.to(torch::kCPU), c10::Error);
  CHECK_THROWS_AS(torch::cat({u, u}), c10::Error);
  torch::jit::Module m;
  CHECK_THROWS_AS(m.forward({}), c10::Error);
  CHECK_THROWS_AS(m.eval(), c10::Error);
  CHECK_THROWS_AS(m.attr("x"), c10::Error);
  CHECK_THROWS_AS(m.named_parameters(), c10::Error);
  CHECK_THROWS_AS(m.named_modules(), c10::Error);
  CHECK_THROWS_AS(m.get_methods(), c10::Error);
  CHECK_THROWS_AS(m.clone(), c10::Error);
  CHECK_THROWS_AS(m.copy(), c10::Error);
  CHECK_THROWS_AS(m.type(), c10::Error);
}

TEST_CASE("values are of their kind only", "[torch_header]") {
  CHECK_THROWS_AS(c10::IValue(1).toDouble(), c10::Error);
  CHECK_THROWS_AS(c10::IValue(1.0).toInt(), c10::Error);
  CHECK_THROWS_AS(c10::IValue().toTensor(), c10::Error);
  CHECK_THROWS_AS(c10::IValue("s").toTuple(), c10::Error);
  CHECK_THROWS_AS(c10::IValue(std::vector<int64_t>{1}).toTensorList(), c10::Error);
  CHECK_THROWS_AS(c10::IValue(1).toModule(), c10::Error);
  CHECK_THROWS_AS(c10::List<int64_t>().get(0), std::out_of_range);
  CHECK_THROWS_AS((c10::Dict<std::string, int64_t>().at("a")), std::out_of_range);
}

TEST_CASE("elements of a tuple live as long as a value of it", "[torch_header]") {
  const c10::IValue v(c10::ivalue::Tuple::create({1, 2.5, "text"}));
  const auto& elements = v.toTuple()->elements();
  CHECK(elements.size() == 3);
  CHECK(elements[2].toStringRef() == "text");
  for (const c10::IValue& e : v.toTuple()->elements()) CHECK_FALSE(e.isNone());
}

TEST_CASE("borrowed memory is given back once", "[torch_header]") {
  float numbers[6] = {1, 2, 3, 4, 5, 6};
  int freed = 0;
  {
    at::Tensor t = torch::from_blob(numbers, {2, 3}, [&](void* p) { freed += p == numbers; });
    at::Tensor view = t.t();
    t.reset();
    view[2][0] = 9;
    CHECK(freed == 0);
  }
  CHECK(freed == 1);
  CHECK(numbers[2] == 9);
  const at::Tensor columns = torch::from_blob(numbers, {3, 2}, {1, 3});
  CHECK(columns[1][1].item<float>() == 5);
  CHECK_THROWS_AS(torch::from_blob(numbers, {2}, torch::kCUDA), c10::Error);
}

TEST_CASE("modules within modules share their weights and outlive the one they came from",
          "[torch_header]") {
  torch::jit::Module below;
  {
    torch::jit::Module m = torch::jit::load(kFixtures + "/small_cnn.pt");
    below = m.attr("classifier").toModule();
    const at::Tensor w = (*below.parameters().begin());
    bool same = false;
    for (const auto& p : m.named_parameters())
      same = same || (p.value.is_same(w) && p.name.rfind("classifier.", 0) == 0);
    CHECK(same);
    CHECK(m.attr("classifier").toModule() == below);
    torch::jit::Function& f = m.get_method("forward").function();
    CHECK(f.getSchema().arguments().size() == 2);
    CHECK(&f == &m.get_method("forward").function());
    const at::Tensor x = torch::ones({1, 3, 32, 32});
    const at::Tensor features = m.attr("features").toModule().forward({x}).toTensor();
    CHECK(torch::allclose(below.forward({features.mean({2, 3})}).toTensor(),
                          m.forward({x}).toTensor(), 1e-4, 1e-5));
  }
  CHECK(below.named_parameters().size() == 2);
}

TEST_CASE("what a model raises is told apart from what is refused", "[torch_header]") {
  auto unit = torch::jit::compile(
      "def raises(x):\n  if True:\n    raise ValueError('no')\n  return x\n"
      "def refuses(x):\n  return x.view([7])\n");
  CHECK_THROWS_AS(unit->run_method("raises", torch::ones({1})), torch::jit::JITException);
  CHECK_THROWS_AS(unit->run_method("refuses", torch::ones({1})), c10::Error);
  CHECK_THROWS_AS(torch::jit::load("nothing.pt"), c10::Error);
}
