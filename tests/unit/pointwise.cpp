// SPDX-License-Identifier: Apache-2.0
// Chains of elementwise operators against the separate slots: the same bits, whatever the layouts,
// the place of an element or the number of threads.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "backends/kernels.h"
#include "core/thread_pool.h"

using namespace sconce;

namespace {

constexpr float kPoison = -12345.678f;
constexpr uint8_t kNumber = PointwiseStep::kNumber;
using Dims = std::vector<int64_t>;

// Memory and a view of it.
struct Operand {
  Dims sizes, strides;
  std::vector<float> memory;
  std::vector<uint8_t> bytes;  // of a view of bools instead
  size_t offset = 0;
  TensorView view() {
    TensorView v;
    v.data = bytes.empty() ? static_cast<void*>(memory.data() + offset) : bytes.data() + offset;
    v.sizes = sizes.data(), v.strides = strides.data();
    v.ndim = static_cast<int32_t>(sizes.size());
    v.dtype = bytes.empty() ? kFloat : kBool;
    return v;
  }
};

int64_t count(const Dims& sizes) {
  int64_t n = 1;
  for (int64_t s : sizes) n *= s;
  return n;
}
Operand dense(Dims sizes) {
  Operand o{sizes, sizes, {}, {}};
  int64_t step = 1;
  for (size_t d = sizes.size(); d-- > 0; step *= sizes[d]) o.strides[d] = step;
  o.memory.assign(static_cast<size_t>(step) + 1, kPoison);
  return o;
}

bool same_bits(float a, float b) {
  return std::memcmp(&a, &b, sizeof a) == 0 || (std::isnan(a) && std::isnan(b));
}
// The first element that differs, or -1.
int64_t difference(Operand& a, Operand& b) {
  Dims index(a.sizes.size(), 0);
  for (int64_t i = 0; i < count(a.sizes); ++i) {
    int64_t rest = i;
    size_t x = a.offset, y = b.offset;
    for (size_t d = a.sizes.size(); d-- > 0; rest /= a.sizes[d]) {
      x += static_cast<size_t>(rest % a.sizes[d] * a.strides[d]);
      y += static_cast<size_t>(rest % a.sizes[d] * b.strides[d]);
    }
    if (!same_bits(a.memory[x], b.memory[y])) return i;
  }
  return -1;
}

class Source {
 public:
  explicit Source(uint32_t seed) : engine_(seed) {}
  int64_t below(int64_t n) { return static_cast<int64_t>(engine_() % static_cast<uint32_t>(n)); }
  bool one_in(int64_t n) { return below(n) == 0; }
  template <class T, size_t N>
  T of(const T (&all)[N]) {
    return all[below(N)];
  }
  // Mostly ordinary, some that are edges of functions.
  float number() {
    static const float kOdd[] = {0.0f,   -0.0f,   1.0f,    -1.0f,   INFINITY, -INFINITY,
                                 NAN,    1e-40f,  1e38f,   -1e38f,  1e9f,     -30.0f,
                                 88.75f, 89.0f,   -87.4f,  -104.5f, 0.625f,   0.34f,
                                 20.5f,  8191.5f, 8192.5f, -1e-30f, 3.0f,     2.5f};
    if (one_in(16)) return of(kOdd);
    const float u = static_cast<float>(below(1 << 24)) / static_cast<float>(1 << 23) - 1.0f;
    return one_in(8) ? u * 50.0f : u * 3.0f;
  }
  Dims sizes() {
    static const int64_t kSizes[] = {1, 1, 2, 3, 5, 8, 17, 33, 64, 100, 257, 511, 513, 1500};
    Dims s(static_cast<size_t>(below(5)));
    do
      for (int64_t& n : s) n = one_in(64) ? 0 : of(kSizes);
    while (count(s) > 12000);
    return s;
  }
  // Any order of the dims, gaps between rows, a begin that isn't aligned; of an input also repeats.
  Operand layout(const Dims& sizes, bool input) {
    Operand o{sizes, sizes, {}, {}};
    std::vector<size_t> order(sizes.size());
    for (size_t d = 0; d < order.size(); ++d) order[d] = order.size() - 1 - d;
    if (one_in(3)) std::shuffle(order.begin(), order.end(), engine_);
    const bool repeats = input && one_in(3), gaps = one_in(4);
    int64_t step = gaps && one_in(2) ? 2 : 1;
    for (size_t d : order) {
      const bool repeated = repeats && one_in(2);
      o.strides[d] = repeated ? 0 : step;
      if (!repeated) step *= std::max<int64_t>(1, sizes[d]);
      if (gaps) step += below(3);
    }
    o.offset = static_cast<size_t>(below(3));
    if (input && one_in(8)) {
      o.bytes.resize(static_cast<size_t>(step) + o.offset);
      for (uint8_t& b : o.bytes) b = static_cast<uint8_t>(one_in(2));
      return o;
    }
    o.memory.assign(static_cast<size_t>(step) + o.offset, kPoison);
    if (input)
      for (float& x : o.memory) x = number();
    return o;
  }

 private:
  std::mt19937 engine_;
};

const Unary kUnaries[] = {
#define SCONCE_UNARY_ALL(n, e) Unary::n,
#define SCONCE_UNARY_REAL(n, e) Unary::n,
#define SCONCE_UNARY_HOST(n, e)
#define SCONCE_UNARY_INT(n, e)
#include "backends/unary.def"
#undef SCONCE_UNARY_ALL
#undef SCONCE_UNARY_REAL
#undef SCONCE_UNARY_INT
    Unary::pow_scalar};
const Binary kBinaries[] = {
#define SCONCE_BINARY_ALL(n, e) Binary::n,
#define SCONCE_BINARY_ORD(n, e) Binary::n,
#define SCONCE_BINARY_REAL(n, e) Binary::n,
#define SCONCE_BINARY_HOST(n, e)
#define SCONCE_BINARY_INT(n, e)
#include "backends/binary.def"
#undef SCONCE_BINARY_ALL
#undef SCONCE_BINARY_ORD
#undef SCONCE_BINARY_REAL
#undef SCONCE_BINARY_INT
    Binary::pow};
const Ternary kTernaries[] = {Ternary::where, Ternary::addcmul, Ternary::addcdiv, Ternary::lerp,
                              Ternary::clamp};
// What models are made of, more often.
const Unary kCommonUnaries[] = {Unary::relu, Unary::sigmoid, Unary::tanh, Unary::exp,
                                Unary::neg,  Unary::gelu,    Unary::sqrt, Unary::clamp};
const Binary kCommonBinaries[] = {Binary::add, Binary::sub, Binary::mul, Binary::div};

// The step by the slot of its operator.
Operand separately(const PointwiseStep& s, std::vector<Operand>& registers, const Dims& sizes) {
  const Kernels& k = cpu_kernels();
  Operand out = dense(sizes);
  auto operand = [&](uint8_t r) { return r == kNumber ? TensorView{} : registers[r].view(); };
  if (s.kind == PointwiseStep::unary) {
    k.unary({out.view(), operand(s.a), static_cast<Unary>(s.op), Compute::F32, s.x, s.y, s.z});
  } else if (s.kind == PointwiseStep::binary) {
    Number scalar, alpha;
    scalar.d = s.x, alpha.d = s.y;
    k.binary({out.view(), operand(s.a), operand(s.b), static_cast<Binary>(s.op), Compute::F32,
              scalar, alpha});
  } else {
    Number value, b, c;
    value.d = s.x, b.d = s.y, c.d = s.z;
    TensorView first = operand(s.a);
    Operand truth = dense(sizes);
    if (s.op == static_cast<uint8_t>(Ternary::where) && first.dtype != kBool) {
      truth.bytes.resize(truth.memory.size());
      k.copy({truth.view(), first});
      first = truth.view();
    }
    k.ternary({out.view(), first, operand(s.b), operand(s.c), static_cast<Ternary>(s.op),
               Compute::F32, value, b, c});
  }
  return out;
}

struct Program {
  Dims sizes;
  std::vector<Operand> inputs, outputs;
  std::vector<PointwiseStep> steps;
  uint8_t registers = 0, result[4] = {};

  void run() {
    PointwiseArgs a{};
    for (size_t i = 0; i < outputs.size(); ++i) a.out[i] = outputs[i].view();
    for (size_t i = 0; i < inputs.size(); ++i) a.in[i] = inputs[i].view();
    a.steps = steps.data(), a.n_steps = static_cast<int32_t>(steps.size());
    a.n_registers = registers;
    std::copy(result, result + 4, a.result);
    cpu_kernels().pointwise(a);
  }
  // What the outputs should be.
  std::vector<Operand> expected() {
    std::vector<Operand> r = inputs, out;
    r.resize(registers);
    for (const PointwiseStep& s : steps) r[s.to] = separately(s, r, sizes);
    for (size_t i = 0; i < outputs.size(); ++i) out.push_back(r[result[i]]);
    return out;
  }
};

Program random_program(Source& random) {
  Program p;
  p.sizes = random.sizes();
  const int64_t n_in = 1 + random.below(random.one_in(4) ? 8 : 3);
  for (int64_t i = 0; i < n_in; ++i) p.inputs.push_back(random.layout(p.sizes, true));
  p.registers = static_cast<uint8_t>(n_in + 1 + random.below(6));
  std::vector<bool> filled(p.registers, false);
  for (int64_t i = 0; i < n_in; ++i) filled[static_cast<size_t>(i)] = true;
  auto any = [&] {
    for (;;)
      if (auto r = static_cast<size_t>(random.below(p.registers)); filled[r])
        return static_cast<uint8_t>(r);
  };
  const int64_t n = 1 + random.below(random.one_in(10) ? 64 : 9);
  for (int64_t i = 0; i < n; ++i) {
    PointwiseStep s{};
    s.to = static_cast<uint8_t>(random.below(p.registers));
    s.a = any(), s.b = any(), s.c = any();
    s.x = random.number(), s.y = random.number(), s.z = random.number();
    const int64_t kind = random.below(10);
    if (kind < 4) {
      s.kind = PointwiseStep::unary;
      s.op =
          static_cast<uint8_t>(random.one_in(2) ? random.of(kUnaries) : random.of(kCommonUnaries));
    } else if (kind < 8) {
      s.kind = PointwiseStep::binary;
      s.op = static_cast<uint8_t>(random.one_in(4) ? random.of(kBinaries)
                                                   : random.of(kCommonBinaries));
      if (random.one_in(3)) (random.one_in(3) ? s.a : s.b) = kNumber;
      if (!random.one_in(4)) s.y = 1;
    } else {
      s.kind = PointwiseStep::ternary;
      s.op = static_cast<uint8_t>(random.of(kTernaries));
      if (random.one_in(4)) s.b = kNumber;
      if (random.one_in(4)) s.c = kNumber;
    }
    p.steps.push_back(s);
    filled[s.to] = true;
  }
  const int64_t n_out = random.one_in(2) ? 1 : 1 + random.below(4);
  for (int64_t i = 0; i < n_out; ++i) {
    p.outputs.push_back(random.layout(p.sizes, false));
    p.result[i] = any();
  }
  return p;
}

void check(Program& p) {
  std::vector<Operand> expected = p.expected();
  p.run();
  for (size_t i = 0; i < p.outputs.size(); ++i) {
    Operand &o = p.outputs[i], &e = expected[i];
    if (!e.bytes.empty()) continue;  // an input of bools itself
    const int64_t at = difference(o, e);
    CAPTURE(i, at, p.sizes, p.steps.size());
    CHECK(at == -1);
    size_t poisoned = 0;
    for (float x : o.memory) poisoned += x == kPoison;
    CHECK(poisoned + static_cast<size_t>(count(p.sizes)) >= o.memory.size());
  }
}

}  // namespace

TEST_CASE("an elementwise function's result depends on its operands alone", "[pointwise]") {
  Source random(1);
  const Dims sizes = {1200};
  for (int round = 0; round < 3; ++round) {
    std::vector<Operand> all(3, dense(sizes)), one(3, dense({1}));
    for (Operand& o : all)
      for (float& x : o.memory) x = random.number();
    auto each = [&](PointwiseStep::Kind kind, uint8_t op) {
      PointwiseStep s{};
      s.kind = kind, s.op = op;
      s.b = 1, s.c = 2;
      s.x = random.number(), s.y = random.number(), s.z = random.number();
      Operand together = separately(s, all, sizes);
      for (int64_t i = 0; i < sizes[0]; i += 1 + random.below(5)) {
        const auto at = static_cast<size_t>(i);
        for (size_t k = 0; k < 3; ++k) one[k].memory[0] = all[k].memory[at];
        const float alone = separately(s, one, {1}).memory[0];
        CAPTURE(int{s.kind}, int{s.op}, i, all[0].memory[at], all[1].memory[at], all[2].memory[at],
                s.x, s.y, s.z, alone, together.memory[at]);
        if (!same_bits(alone, together.memory[at])) {
          CHECK(same_bits(alone, together.memory[at]));
          break;
        }
      }
    };
    for (Unary op : kUnaries) each(PointwiseStep::unary, static_cast<uint8_t>(op));
    for (Binary op : kBinaries) each(PointwiseStep::binary, static_cast<uint8_t>(op));
    for (Ternary op : kTernaries) each(PointwiseStep::ternary, static_cast<uint8_t>(op));
  }
}

TEST_CASE("random chains give the bits of the separate slots", "[pointwise]") {
  Source random(2);
  for (int i = 0; i < 400; ++i) {
    CAPTURE(i);
    Program p = random_program(random);
    check(p);
  }
}

TEST_CASE("a chain may write over what it reads", "[pointwise]") {
  // y = relu(x) * 2 over x, and x + y beside it, which needs the old x.
  for (int64_t n : {1, 15, 16, 17, 511, 512, 513, 5000}) {
    Program p;
    p.sizes = {n};
    p.inputs.push_back(dense(p.sizes));
    for (int64_t i = 0; i < n; ++i)
      p.inputs[0].memory[static_cast<size_t>(i)] = static_cast<float>(i % 7 - 3);
    p.outputs = {dense(p.sizes), dense(p.sizes)};
    p.registers = 3;
    p.steps = {
        {PointwiseStep::unary, static_cast<uint8_t>(Unary::relu), 1, 0, 0, 0, 0, 0, 0},
        {PointwiseStep::binary, static_cast<uint8_t>(Binary::mul), 1, 1, kNumber, 0, 2, 1, 0},
        {PointwiseStep::binary, static_cast<uint8_t>(Binary::add), 2, 0, 1, 0, 0, 1, 0}};
    p.result[0] = 1, p.result[1] = 2;
    std::vector<Operand> expected = p.expected();
    PointwiseArgs a{};
    a.out[0] = a.in[0] = p.inputs[0].view();
    a.out[1] = p.outputs[1].view();
    a.steps = p.steps.data(), a.n_steps = 3, a.n_registers = 3;
    a.result[0] = 1, a.result[1] = 2;
    cpu_kernels().pointwise(a);
    CHECK(difference(p.inputs[0], expected[0]) == -1);
    CHECK(difference(p.outputs[1], expected[1]) == -1);
  }
}

TEST_CASE("chains over broadcast operands of every form", "[pointwise]") {
  Source random(3);
  const uint8_t mul = static_cast<uint8_t>(Binary::mul), add = static_cast<uint8_t>(Binary::add);
  for (const Dims& sizes :
       std::vector<Dims>{{2, 24, 7, 7}, {2, 600, 3}, {3, 5, 700}, {1, 1, 1}, {40, 3}})
    for (int repeated = 0; repeated < 1 << sizes.size(); ++repeated)
      for (bool last : {false, true}) {
        Program p;
        p.sizes = sizes;
        p.inputs = {dense(sizes), dense(sizes)};
        p.outputs = {dense(sizes)};
        if (last && sizes.size() == 4)  // channels last
          p.inputs[0].strides = p.outputs[0].strides = {sizes[1] * sizes[2] * sizes[3], 1,
                                                        sizes[1] * sizes[3], sizes[1]};
        for (size_t d = 0; d < sizes.size(); ++d)
          if (repeated >> d & 1) p.inputs[1].strides[d] = 0;
        for (Operand& o : p.inputs)
          for (float& x : o.memory) x = random.number();
        p.registers = 3;
        p.steps = {{PointwiseStep::binary, mul, 2, 0, 1, 0, 0, 1, 0},
                   {PointwiseStep::binary, add, 2, 1, 2, 0, 0, 0.3f, 0}};
        p.result[0] = 2;
        check(p);
      }
}

TEST_CASE("chains give the same bits on any number of threads", "[pointwise]") {
  Source random(4);
  ThreadPool pool(3);
  for (const Dims& sizes : std::vector<Dims>{{40000}, {300, 70, 3}, {64, 56, 33}}) {
    Program p;
    p.sizes = sizes;
    for (int i = 0; i < 3; ++i) p.inputs.push_back(random.layout(sizes, false));
    for (Operand& o : p.inputs)
      for (float& x : o.memory) x = random.number();
    p.inputs[2].strides.assign(sizes.size(), 0);
    p.outputs = {random.layout(sizes, false)};
    p.registers = 4;
    for (Unary op : {Unary::tanh, Unary::sin, Unary::elu, Unary::gelu})
      p.steps.push_back({PointwiseStep::unary, static_cast<uint8_t>(op), 3,
                         static_cast<uint8_t>(p.steps.empty() ? 0 : 3), 0, 0, 1, 1, 1});
    p.steps.push_back(
        {PointwiseStep::binary, static_cast<uint8_t>(Binary::add), 3, 3, 1, 0, 0, 1, 0});
    p.steps.push_back(
        {PointwiseStep::binary, static_cast<uint8_t>(Binary::div), 3, 3, 2, 0, 0, 1, 0});
    p.result[0] = 3;
    check(p);
    Context c = context();
    c.pool = &pool;
    ContextScope scope(&c);
    std::vector<Operand> alone = {p.outputs[0]};
    std::fill(p.outputs[0].memory.begin(), p.outputs[0].memory.end(), kPoison);
    p.run();
    CHECK(difference(p.outputs[0], alone[0]) == -1);
  }
}
