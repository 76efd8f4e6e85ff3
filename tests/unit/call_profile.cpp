// SPDX-License-Identifier: Apache-2.0
#include "call_profile.h"

#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "backends/kernels.h"
#include "runtime/lowering/planned.h"

using namespace sconce;

namespace {

float memory[1];
struct View {
  std::vector<int64_t> sizes, strides;
  TensorView view() const {
    TensorView v;
    v.data = memory;  // nobody looks
    v.sizes = sizes.data(), v.strides = strides.data();
    v.ndim = static_cast<int32_t>(sizes.size());
    v.dtype = ScalarType::Float;
    return v;
  }
};
View dense(std::vector<int64_t> sizes) {
  std::vector<int64_t> strides(sizes.size(), 1);
  for (size_t d = sizes.size(); d-- > 1;) strides[d - 1] = strides[d] * sizes[d];
  return {sizes, strides};
}
template <class A>
CallCost cost(const A& a) {
  return cost_of(slot_runner<A>, &a);
}

}  // namespace

TEST_CASE("costs of kernel calls", "[profile]") {
  const View m235 = dense({2, 3, 5}), m254 = dense({2, 5, 4}), m234 = dense({2, 3, 4});
  GemmArgs product{};
  product.out = m234.view(), product.a = m235.view(), product.b = m254.view();
  CHECK(cost(product).name == std::string("gemm"));
  CHECK(cost(product).flops == 2 * 24 * 5);
  CHECK(cost(product).bytes == 4 * (24 + 30 + 40));

  // [1, 6, 4, 4], two groups of three channels.
  const View picture = dense({1, 6, 4, 4}), weight = dense({8, 3, 3, 3}), out = dense({1, 8, 2, 2});
  ConvArgs conv{};
  conv.out = out.view(), conv.in = picture.view(), conv.weight = weight.view();
  conv.groups = 2;
  CHECK(cost(conv).flops == 2 * 32 * 27);
  const View back = dense({8, 3, 3, 3}), small = dense({1, 8, 2, 2});
  conv.in = small.view(), conv.out = picture.view(), conv.weight = back.view();
  conv.transposed = true;
  CHECK(cost(conv).flops == 2 * 32 * 27);
  PreparedConvArgs prepared{};
  prepared.out = out.view(), prepared.in = picture.view(), prepared.weight = weight.view();
  CHECK(cost(prepared).name == std::string("prepared_conv"));
  CHECK(cost(prepared).flops == 2 * 32 * 27);

  // A row that is broadcast is read once; it has no products.
  const View row{{3, 4}, {0, 1}}, rows = dense({3, 4});
  BinaryArgs sum{};
  sum.out = rows.view(), sum.a = rows.view(), sum.b = row.view();
  CHECK(cost(sum).flops == 0);
  CHECK(cost(sum).bytes == 4 * (12 + 12 + 4));

  CHECK(cost_of([](const void*) {}, nullptr).name == std::string());
}

TEST_CASE("profiles of a replayed call and of its operators", "[profile]") {
  Module m = load(SCONCE_FIXTURES "/small_cnn.pt");
  const std::vector<IValue> inputs{zeros({1, 3, 32, 32})};
  tool::PlanWatch watch;
  (void)m.run_method("forward", inputs);
  const auto calls = watch.calls(m, "forward", inputs, 2);
  REQUIRE_FALSE(calls.empty());
  double flops = 0;
  for (size_t i = 0; i < calls.size(); ++i) {
    CHECK(calls[i].text.rfind(calls[i].cost.name, 0) == 0);
    if (i) CHECK(calls[i].start >= calls[i - 1].start);
    flops += calls[i].cost.flops;
  }
  // Three convolutions over 32, 16 and 8 squared, and a product.
  CHECK(flops == 2.0 * (8 * 1024 * 27 + 16 * 256 * 72 + 16 * 64 * 144 + 160));

  Profile profile;
  double seconds = 0;
  tool::profile_operators(m, "forward", inputs, profile, seconds);
  double same = 0;
  for (auto& op : profile.rows())
    for (auto& slot : op.slots) same += slot.flops;
  CHECK(same == flops);
  CHECK(profile.events().size() > calls.size());  // operators and their slots

  const std::string path = "call_profile_trace.json";
  for (auto& written : {calls, tool::calls_of(profile)}) {
    tool::write_trace(path, written);
    auto trace = nlohmann::json::parse(std::ifstream(path));
    CHECK(trace["traceEvents"].size() == written.size());
    CHECK(trace["traceEvents"][0]["ph"] == "X");
  }
  std::remove(path.c_str());
  CHECK_THROWS_AS(tool::write_trace("no/such/folder/trace.json", calls), Error);
}
