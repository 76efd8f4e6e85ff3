// SPDX-License-Identifier: Apache-2.0
// Dims of 2^40 cost nothing where a tensor is expanded or has no element. What operators make on
// the host for each of them does, and the limits are asked before.
#include <catch2/catch.hpp>
#include <algorithm>
#include <limits>

#include "limited_calls.h"

using namespace sconce;
using namespace sconce::test;
using Catch::Contains;

namespace {

constexpr int64_t kHuge = int64_t{1} << 40;

Tensor hollow(std::vector<int64_t> sizes, ScalarType t = ScalarType::Float) {
  (void)op_table();
  return empty(sizes, t);
}
IValue list(std::vector<Tensor> v) {
  auto l = make_ref<ListBox>(types::tensor());
  for (auto& t : v) l->items.emplace_back(std::move(t));
  return l;
}
const char* const kMemory = "the limit of 67108864 bytes of memory is reached";

}  // namespace

TEST_CASE("lists of views are charged before they are made") {
  Tensor x = wide(1, kHuge), h = hollow({kHuge, 0});
  Limited limited;
  CHECK_THROWS_WITH(call("aten::unbind.int", {x, int64_t{0}}), Contains(kMemory));
  CHECK_THROWS_WITH(call("aten::unbind.int", {h, int64_t{0}}), Contains(kMemory));
  CHECK_THROWS_WITH(call("aten::split.Tensor", {x, int64_t{1}, int64_t{0}}), Contains(kMemory));
  CHECK_THROWS_WITH(call("aten::chunk", {x, kHuge, int64_t{0}}), Contains(kMemory));
  CHECK(call("aten::split.Tensor", {x, kHuge / 2 + 1, int64_t{0}}).at(0).toListRef().items.size() ==
        2);
  CHECK(call("aten::split.Tensor", {x, kHuge, int64_t{0}}).at(0).toListRef().items.size() == 1);
}

TEST_CASE("making lists of views is interrupted") {
  Tensor x = wide(1, int64_t{1} << 19);
  Cancelled limited(kAnyMemory);
  CHECK_THROWS_WITH(call("aten::unbind.int", {x, int64_t{0}}), "cancelled");
  CHECK_THROWS_WITH(call("aten::split.Tensor", {x, int64_t{1}, int64_t{0}}), "cancelled");
}

TEST_CASE("copies of numbers on the host are charged before they are made") {
  Tensor h = hollow({kHuge, 0}), once = filled({1}, 1, ScalarType::Long);
  Limited limited;
  CHECK_THROWS_WITH(call("aten::repeat_interleave.self_Tensor", {h, once, int64_t{0}, IValue()}),
                    Contains(kMemory));
  Tensor q = filled({1, 2}, 1), k = ops::expand_to(q, {kHuge, 2});
  CHECK_THROWS_WITH(
      call("aten::scaled_dot_product_attention", {q, k, k, IValue(), 0.0, false, IValue(), false}),
      Contains(kMemory));
}

TEST_CASE("the sums of repeats are checked") {
  const int64_t half = int64_t{1} << 62;
  Tensor x = filled({2}, 1), repeats = ops::expand_to(filled({1}, 0, ScalarType::Long), {2});
  repeats = ops::contiguous(repeats);
  for (int64_t i = 0; i < 2; ++i) repeats.data_ptr<int64_t>()[i] = half;
  CHECK_THROWS_WITH(call("aten::repeat_interleave.self_Tensor", {x, repeats, int64_t{0}, IValue()}),
                    Contains("overflow"));
}

TEST_CASE("recurrent networks over steps of nothing end with the limits") {
  auto rnn = [&](const char* name, IValue hidden) {
    return call(name,
                {hollow({kHuge, 0, 3}), std::move(hidden), list({hollow({0, 3}), hollow({0, 0})}),
                 false, int64_t{1}, 0.0, false, false, false});
  };
  Tensor h = hollow({1, 0, 0});
  {
    Limited limited;
    CHECK_THROWS_WITH(rnn("aten::rnn_tanh.input", h), Contains(kMemory));
  }
  Cancelled limited(kAnyMemory);
  CHECK_THROWS_WITH(rnn("aten::lstm.input", list({h, h})), "cancelled");
}

TEST_CASE("differences of nothing are interrupted") {
  Tensor h = hollow({0, kHuge});
  Cancelled limited(kAnyMemory);
  CHECK_THROWS_WITH(call("aten::diff", {h, kHuge, int64_t{1}, IValue(), IValue()}), "cancelled");
}

TEST_CASE("whole numbers from the greatest on are none") {
  Tensor x = filled({2}, 0, ScalarType::Double);
  const int64_t most = std::numeric_limits<int64_t>::max();
  CHECK_THROWS_WITH(call("aten::random_.from", {x, most, IValue(), IValue()}),
                    Contains("expects 'from'"));
}

TEST_CASE("matrices that LAPACK can't count are refused") {
  Tensor many = hollow({(int64_t{1} << 32) + 1, 0});
  CHECK_THROWS_WITH(call("aten::linalg_lstsq", {many, hollow({(int64_t{1} << 32) + 1, 0}), IValue(),
                                                std::string("gelsd")}),
                    Contains("too large for LAPACK"));
}

TEST_CASE("a pad that cuts off all of a line and more before it adds") {
  Module m = compile("def f(x):\n    return torch.replication_pad1d(x, [-4, 6])\n");
  const float numbers[3] = {0, 1, 2};
  Tensor x = zeros({1, 3});
  std::copy(numbers, numbers + 3, x.data_ptr<float>());
  const Tensor y = m.run_method("f", {x}).toTensor();
  REQUIRE(y.numel() == 5);
  for (int64_t i = 0; i < 5; ++i) CHECK(y.const_data_ptr<float>()[i] == 2);
}

TEST_CASE("a Fourier transform of no points is an error") {
  Module m = compile("def f(x):\n    return torch._fft_r2c(x, [1], 0, True)\n");
  CHECK_THROWS_AS(m.run_method("f", {zeros({2, 0})}), Error);
}

TEST_CASE("what refuses a call leaves its arguments as they were") {
  const Tensor t = filled({3, 4}, 1), source = filled({2}, 1);
  {
    Limited limited;
    CHECK_THROWS_AS(
        call("aten::set_.source_Tensor_storage_offset",
             {t, source, int64_t{0}, std::vector<int64_t>{kHuge}, std::vector<int64_t>{1}}),
        Error);
  }
  CHECK(t.sizes() == std::vector<int64_t>{3, 4});
  CHECK(t.impl()->storage->nbytes() >= 12 * sizeof(float));
}

TEST_CASE("reflections and factors of other numbers of matrices") {
  CHECK_THROWS_AS(call("aten::orgqr", {filled({4, 3, 3}, 1), filled({2, 3}, 1)}), OpError);
}

TEST_CASE("the mean of quantised numbers with a dtype and a place for the answer") {
  const Tensor x = call("aten::quantize_per_tensor", {filled({2, 2}, 1), 0.5, int64_t{0},
                                                      static_cast<int64_t>(ScalarType::QUInt8)})
                       .at(0)
                       .toTensor();
  const Tensor place = call("aten::mean", {x, IValue()}).at(0).toTensor();
  const Tensor mean = call("aten::mean.dtype_out", {x, IValue(), place}).at(0).toTensor();
  CHECK(ops::item(mean).d == 1);
}

TEST_CASE("means of quantised numbers over windows of nothing") {
  const Tensor x = call("aten::quantize_per_tensor", {filled({3, 1, 1, 4}, 1), 0.5, int64_t{0},
                                                      static_cast<int64_t>(ScalarType::QInt8)})
                       .at(0)
                       .toTensor();
  auto sizes = make_ref<ListBox>(types::integer());
  for (int64_t n : {kHuge, int64_t{0}}) sizes->items.emplace_back(n);
  Limited limited;
  const Tensor y = call("aten::adaptive_avg_pool2d", {x, IValue(sizes)}).at(0).toTensor();
  CHECK(y.numel() == 0);
  CHECK(y.size(2) == kHuge);
}
