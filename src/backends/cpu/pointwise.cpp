// SPDX-License-Identifier: Apache-2.0
// Chains of elementwise operators in one pass over memory: a register program that is run tile by
// tile, so that what lies between the operators stays in the first cache.
//
// The elements are walked in the order of the first output's memory, dims merged where all views
// allow it. A tile is a piece of a long row or some whole short ones. An operand that is dense over
// the tile is read where it stands, and a result that is goes where it belongs at once; others pass
// through a register: repeated, gathered, scattered. A step costs one call through a pointer, which
// is chosen once.
//
// An input and an output may be the same elements in the same order; else no output overlaps with
// anything. Rounding: each step gives the bits of the slot of that operator. Sums, products and
// quotients round once; all else is float_tiles.h. Nothing is contracted across steps.
#include "backends/cpu/cpu.h"
#include "backends/cpu/float_tiles.h"
#include "backends/cpu/vectors.h"
#include "backends/loops.h"
#include "core/thread_pool.h"

namespace sconce::SCONCE_ISA {

namespace {

constexpr int64_t kRegister = 512;          // floats
constexpr int64_t kPitch = kRegister + 32;  // so that registers begin at different places of a page
constexpr int kOutputs = PointwiseArgs::kOutputs, kInputs = PointwiseArgs::kViews - kOutputs;
constexpr int kViews = kOutputs + kInputs;
constexpr int kMostSteps = PointwiseStep::kMostSteps;

// A step whose operands are places: a view's (0 to kViews - 1, outputs first), or kViews + the
// number of a register.
struct Op {
  void (*run)(const Op&, float* to, const float* a, const float* b, const float* c, int64_t n);
  const PointwiseStep* step;
  uint16_t to, a, b, c;
};
constexpr int kMostPlaces = kViews + 256 + 2 * kMostSteps;

// ---- steps ----

struct Add {
  static Floats of(Floats a, Floats b) { return a + b; }
};
struct Sub {
  static Floats of(Floats a, Floats b) { return a - b; }
};
struct Mul {
  static Floats of(Floats a, Floats b) { return a * b; }
};
struct Div {
  static Floats of(Floats a, Floats b) { return a / b; }
};

// One of the operands may be the step's number.
enum class Numbers { none, first, second };
template <class F, Numbers numbers>
void simple(const Op& op, float* to, const float* a, const float* b, const float*, int64_t n) {
  const Floats number = op.step->x - Floats{};  // -0 stays
  auto x = [&](auto get, int64_t i) { return numbers == Numbers::first ? number : get(a + i); };
  auto y = [&](auto get, int64_t i) { return numbers == Numbers::second ? number : get(b + i); };
  int64_t i = 0;
#pragma GCC unroll 4
  for (; i + kFloats <= n; i += kFloats) store(to + i, F::of(x(load, i), y(load, i)));
  if (i == n) return;
  auto part = [&](const float* p) { return load_part(p, n - i); };
  store_part(to + i, n - i, F::of(x(part, i), y(part, i)));
}

void any_unary(const Op& op, float* to, const float* a, const float*, const float*, int64_t n) {
  const PointwiseStep& s = *op.step;
  unary_floats(static_cast<Unary>(s.op), s.x, s.y, s.z, a, to, n);
}
void any_binary(const Op& op, float* to, const float* a, const float* b, const float*, int64_t n) {
  binary_floats(static_cast<Binary>(op.step->op), op.step->y, a, b, to, n);
}
void any_ternary(const Op& op, float* to, const float* a, const float* b, const float* c,
                 int64_t n) {
  ternary_floats(static_cast<Ternary>(op.step->op), op.step->x, a, b, c, to, n);
}
void copy(const Op&, float* to, const float* a, const float*, const float*, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = a[i];
}

template <class F>
auto simple_step(const PointwiseStep& s) {
  return s.a == PointwiseStep::kNumber   ? simple<F, Numbers::first>
         : s.b == PointwiseStep::kNumber ? simple<F, Numbers::second>
                                         : simple<F, Numbers::none>;
}
// Null: not one of the simple ones.
auto simple_step_of(const PointwiseStep& s) -> decltype(Op::run) {
  if (s.kind != PointwiseStep::binary) return nullptr;
  switch (static_cast<Binary>(s.op)) {
    case Binary::add: return s.y == 1 ? simple_step<Add>(s) : nullptr;
    case Binary::sub: return s.y == 1 ? simple_step<Sub>(s) : nullptr;
    case Binary::mul: return simple_step<Mul>(s);
    case Binary::div: return simple_step<Div>(s);
    default: return nullptr;
  }
}

// Nanoseconds for an element, by order of magnitude.
double cost(const PointwiseStep& s) {
  constexpr double kMoves = 0.04, kVector = 0.5, kLibrary = 8;
  if (s.kind == PointwiseStep::ternary) return kMoves;
  if (s.kind == PointwiseStep::binary) {
    const auto op = static_cast<Binary>(s.op);
    const bool moves = op <= Binary::minimum || op == Binary::div || op == Binary::fmax ||
                       op == Binary::fmin || op == Binary::prelu || op == Binary::mse;
    return moves ? kMoves : kLibrary;
  }
  switch (static_cast<Unary>(s.op)) {
    case Unary::exp:
    case Unary::expm1:
    case Unary::log:
    case Unary::log2:
    case Unary::log1p:
    case Unary::sin:
    case Unary::cos:
    case Unary::tanh:
    case Unary::sigmoid:
    case Unary::silu:
    case Unary::erf:
    case Unary::gelu:
    case Unary::gelu_tanh:
    case Unary::softplus:
    case Unary::logsigmoid:
    case Unary::mish:
    case Unary::elu: return kVector;
    case Unary::abs:
    case Unary::neg:
    case Unary::sign:
    case Unary::square:
    case Unary::relu:
    case Unary::clamp_min:
    case Unary::clamp_max:
    case Unary::clamp:
    case Unary::logical_not:
    case Unary::identity:
    case Unary::threshold:
    case Unary::sqrt:
    case Unary::rsqrt:
    case Unary::reciprocal:
    case Unary::hardswish:
    case Unary::hardsigmoid:
    case Unary::leaky_relu:
    case Unary::floor:
    case Unary::ceil:
    case Unary::trunc: return kMoves;
    default: return kLibrary;
  }
}

// ---- the walk ----

struct View {
  enum Kind : uint8_t {
    absent,
    direct,  // dense over every tile: used where it stands
    fixed,   // the same in every tile: loaded once
    row,     // one element for each row, of which a tile is a part
    loaded   // gathered for every tile, or, an output, scattered
  } kind = absent;
  bool truth = false;  // bytes that are zero or not
  char* base = nullptr;
  int64_t strides[kMaxDims];  // in bytes
};

struct Chain {
  View views[kViews];
  int8_t present[kViews];  // the numbers of those that are there
  int n_present = 0;
  int nd = 0;
  int64_t sizes[kMaxDims];
  // A tile: `rows` rows of `columns` elements (the last one of a row or of all may be less).
  int64_t length, total_rows, rows, columns, tiles_of_row, tiles;

  Op ops[kMostSteps + kOutputs];
  int n_ops = 0;
  uint16_t n_registers = 0;
  uint16_t load_to[kViews];  // registers of inputs that aren't direct
  struct {
    float value;
    uint16_t place;
  } numbers[2 * kMostSteps];
  int n_numbers = 0;
  struct {
    uint8_t view;
    uint16_t place;
  } scattered[kOutputs];
  int n_scattered = 0;

  void walk_dims(const PointwiseArgs& a);
  void choose_tiles();
  void resolve(const PointwiseArgs& a);
  View::Kind kind_of(const View& v) const;
  bool read_after(const PointwiseArgs& a, int input, int step) const;
  void run(int64_t first, int64_t end, Interrupt interrupt) const;
};

// Dims in the order of the first output's strides, merged where all views allow it.
void Chain::walk_dims(const PointwiseArgs& a) {
  const TensorView* all = a.out;
  for (int k = 0; k < kViews; ++k) {
    if (!all[k].data) continue;
    present[n_present++] = static_cast<int8_t>(k);
    views[k].base = static_cast<char*>(all[k].data);
    views[k].truth = all[k].dtype == kBool;
  }
  int order[kMaxDims], n = 0;
  const TensorView& o = a.out[0];
  for (int d = 0; d < o.ndim; ++d) {
    if (o.sizes[d] == 1) continue;
    int at = n++;
    for (; at > 0 && std::abs(o.strides[order[at - 1]]) < std::abs(o.strides[d]); --at)
      order[at] = order[at - 1];
    order[at] = d;
  }
  for (int i = 0; i < n; ++i) {
    const int d = order[i];
    const int64_t size = o.sizes[d];
    bool merge = nd > 0;
    for (int p = 0; p < n_present; ++p) {
      const int k = present[p];
      const int64_t step = all[k].strides[d] * (views[k].truth ? 1 : 4);
      views[k].strides[nd] = step;
      merge = merge && views[k].strides[nd - 1] == step * size;
    }
    if (!merge) {
      sizes[nd++] = size;
      continue;
    }
    sizes[nd - 1] *= size;
    for (int p = 0; p < n_present; ++p) {
      View& v = views[present[p]];
      v.strides[nd - 1] = v.strides[nd];
    }
  }
  if (nd == 0) {
    sizes[nd++] = 1;
    for (int p = 0; p < n_present; ++p)
      views[present[p]].strides[0] = views[present[p]].truth ? 1 : 4;
  }
}

View::Kind Chain::kind_of(const View& v) const {
  const int64_t inner = v.strides[nd - 1];
  bool still = true, flat = inner == 4 && !v.truth;  // over rows
  int64_t step = length * 4;
  for (int d = nd - 2; d >= 0; --d) {
    still = still && v.strides[d] == 0;
    flat = flat && v.strides[d] == step;
    step *= sizes[d];
  }
  if (tiles_of_row == 1)
    return flat ? View::direct : still && tiles > 1 ? View::fixed : View::loaded;
  if (inner == 4 && !v.truth) return View::direct;
  return inner != 0 ? View::loaded : still ? View::fixed : View::row;
}

void Chain::choose_tiles() {
  length = sizes[nd - 1];
  total_rows = 1;
  for (int d = 0; d < nd - 1; ++d) total_rows *= sizes[d];
  if (length > kRegister) {
    const int64_t parts = (length + kRegister - 1) / kRegister;
    rows = 1;
    columns = ((length + parts - 1) / parts + 15) / 16 * 16;
    tiles_of_row = (length + columns - 1) / columns;
    tiles = total_rows * tiles_of_row;
  } else {
    rows = kRegister / std::max<int64_t>(1, length);
    columns = length;
    tiles_of_row = 1;
    tiles = (total_rows + rows - 1) / rows;
  }
  for (int p = 0; p < n_present; ++p) {
    View& v = views[present[p]];
    v.kind = kind_of(v);
    if (present[p] < kOutputs && v.kind != View::direct) v.kind = View::loaded;
  }
}

// Whether a later step than this reads the register that the input came in.
bool Chain::read_after(const PointwiseArgs& a, int input, int step) const {
  for (int s = 0; s < a.n_steps; ++s) {
    const PointwiseStep& t = a.steps[s];
    const bool reads = t.a == input || (t.kind != PointwiseStep::unary && t.b == input) ||
                       (t.kind == PointwiseStep::ternary && t.c == input);
    if (s > step && reads) return true;
    if (t.to == input) return false;
  }
  return true;
}

void Chain::resolve(const PointwiseArgs& a) {
  constexpr uint16_t kNowhere = UINT16_MAX;
  uint16_t at[256], own[256];  // where a register's value is; the memory that it has for itself
  int16_t last_write[256];
  for (int r = 0; r < a.n_registers; ++r) at[r] = own[r] = kNowhere, last_write[r] = -1;
  auto fresh = [&] { return static_cast<uint16_t>(kViews + n_registers++); };
  for (int i = 0; i < kInputs; ++i) {
    const View& v = views[kOutputs + i];
    if (v.kind == View::absent) continue;
    at[i] = static_cast<uint16_t>(kOutputs + i);
    if (v.kind != View::direct) at[i] = own[i] = load_to[kOutputs + i] = fresh();
    // Loaded once: not to be written over.
    if (v.kind == View::fixed || v.kind == View::row) own[i] = kNowhere;
  }
  for (int s = 0; s < a.n_steps; ++s) last_write[a.steps[s].to] = static_cast<int16_t>(s);
  // The output that a step may write at once: what stands there is not needed any more.
  auto output_of = [&](int s) -> uint16_t {
    const uint8_t to = a.steps[s].to;
    for (int k = 0; k < kOutputs && last_write[to] == s; ++k) {
      if (views[k].kind != View::direct || a.result[k] != to) continue;
      bool free = true;
      for (int i = 0; i < kInputs; ++i)
        if (const View& v = views[kOutputs + i]; v.kind == View::direct && v.base == views[k].base)
          free = free && !read_after(a, i, s);
      if (free) return static_cast<uint16_t>(k);
    }
    return kNowhere;
  };
  for (int s = 0; s < a.n_steps; ++s) {
    const PointwiseStep& step = a.steps[s];
    Op& op = ops[n_ops++];
    op.step = &step;
    op.run = simple_step_of(step);
    const bool simple = op.run;
    if (!simple)
      op.run = step.kind == PointwiseStep::unary    ? any_unary
               : step.kind == PointwiseStep::binary ? any_binary
                                                    : any_ternary;
    auto operand = [&](uint8_t r, float number) {
      if (r != PointwiseStep::kNumber) return at[r];
      if (simple) return uint16_t{0};
      for (int i = 0; i < n_numbers; ++i)
        if (std::memcmp(&numbers[i].value, &number, sizeof number) == 0) return numbers[i].place;
      numbers[n_numbers++] = {number, fresh()};
      return numbers[n_numbers - 1].place;
    };
    const bool ternary = step.kind == PointwiseStep::ternary;
    op.a = operand(step.a, step.x);
    op.b = step.kind == PointwiseStep::unary ? op.a : operand(step.b, ternary ? step.y : step.x);
    op.c = ternary ? operand(step.c, step.z) : op.a;
    op.to = output_of(s);
    if (op.to == kNowhere) {
      if (own[step.to] == kNowhere) own[step.to] = fresh();
      op.to = own[step.to];
    }
    at[step.to] = op.to;
  }
  for (uint8_t k = 0; k < kOutputs; ++k) {
    const uint16_t from = at[a.result[k]];
    if (views[k].kind == View::direct && from != k)
      ops[n_ops++] = {copy, nullptr, k, from, from, from};
    else if (views[k].kind == View::loaded)
      scattered[n_scattered++] = {k, from};
  }
}

// ---- running ----

void load_row(const View& v, const char* from, int64_t n, float* to, int64_t step) {
  if (v.truth) {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i * step] != 0 ? 1.0f : 0.0f;
    return;
  }
  auto* p = reinterpret_cast<const float*>(from);
  step /= 4;
  if (step == 1) {
    for (int64_t i = 0; i < n; ++i) to[i] = p[i];
  } else if (step == 0) {
    const float x = *p;
    for (int64_t i = 0; i < n; ++i) to[i] = x;
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = p[i * step];
  }
}
void store_row(char* to, int64_t n, const float* from, int64_t step) {
  auto* p = reinterpret_cast<float*>(to);
  step /= 4;
  if (step == 1)
    for (int64_t i = 0; i < n; ++i) p[i] = from[i];
  else
    for (int64_t i = 0; i < n; ++i) p[i * step] = from[i];
}

// Where the current row of each view begins.
struct Rows {
  int64_t index[kMaxDims];
  char* at[kViews];
  void seek(const Chain& c, int64_t row) {
    for (int p = 0; p < c.n_present; ++p) at[c.present[p]] = c.views[c.present[p]].base;
    for (int d = c.nd - 2; d >= 0; --d) {
      index[d] = row % c.sizes[d];
      row /= c.sizes[d];
      for (int p = 0; p < c.n_present; ++p)
        at[c.present[p]] += index[d] * c.views[c.present[p]].strides[d];
    }
  }
  void next(const Chain& c) {
    for (int d = c.nd - 2; d >= 0; --d) {
      for (int p = 0; p < c.n_present; ++p) at[c.present[p]] += c.views[c.present[p]].strides[d];
      if (++index[d] < c.sizes[d]) return;
      index[d] = 0;
      for (int p = 0; p < c.n_present; ++p)
        at[c.present[p]] -= c.views[c.present[p]].strides[d] * c.sizes[d];
    }
  }
};

void Chain::run(int64_t first, int64_t end, Interrupt interrupt) const {
  float* place[kMostPlaces];
  float* registers = thread_scratch<float, 7>().get(static_cast<size_t>(n_registers * kPitch));
  for (int r = 0; r < n_registers; ++r) place[kViews + r] = registers + r * kPitch;
  const int64_t most = std::min(kRegister, columns * std::min(rows, total_rows));
  for (int i = 0; i < n_numbers; ++i) {
    float* p = place[numbers[i].place];
    for (int64_t k = 0; k < most; ++k) p[k] = numbers[i].value;
  }
  // Views by what a tile does with them.
  int8_t direct[kViews], loaded[kInputs], of_row[kInputs];
  int n_direct = 0, n_loaded = 0, n_of_row = 0;
  for (int p = 0; p < n_present; ++p) {
    const int8_t k = present[p];
    const View& v = views[k];
    if (v.kind == View::direct) direct[n_direct++] = k;
    if (k < kOutputs) continue;
    if (v.kind == View::loaded) loaded[n_loaded++] = k;
    if (v.kind == View::row) of_row[n_of_row++] = k;
    if (v.kind == View::fixed)
      for (int64_t r = 0; r < rows && r < total_rows; ++r)
        load_row(v, v.base, columns, place[load_to[k]] + r * columns, v.strides[nd - 1]);
  }
  Rows at;
  at.seek(*this, tiles_of_row == 1 ? first * rows : first / tiles_of_row);
  const bool walks = n_loaded || n_scattered;
  int64_t row = first * rows, column = tiles_of_row == 1 ? 0 : first % tiles_of_row * columns;
  bool new_row = true;
  for (int64_t t = first; t < end; ++t) {
    const int64_t some = tiles_of_row == 1 ? std::min(rows, total_rows - row) : 1;
    const int64_t width = std::min(columns, length - column), n = some * width;
    for (int i = 0; i < n_direct; ++i)
      place[direct[i]] = reinterpret_cast<float*>(at.at[direct[i]]) + column;
    Rows begin;
    if (tiles_of_row > 1) {
      for (int i = 0; i < n_of_row && new_row; ++i) {
        const View& v = views[of_row[i]];
        load_row(v, at.at[of_row[i]], most, place[load_to[of_row[i]]], 0);
      }
      for (int i = 0; i < n_loaded; ++i) {
        const View& v = views[loaded[i]];
        const int64_t step = v.strides[nd - 1];
        load_row(v, at.at[loaded[i]] + column * step, width, place[load_to[loaded[i]]], step);
      }
      if (n_scattered) begin = at;
    } else if (walks) {
      begin = at;
      for (int64_t r = 0; r < some; ++r) {
        for (int i = 0; i < n_loaded; ++i) {
          const View& v = views[loaded[i]];
          load_row(v, at.at[loaded[i]], width, place[load_to[loaded[i]]] + r * width,
                   v.strides[nd - 1]);
        }
        at.next(*this);
      }
    } else {
      for (int i = 0; i < n_direct; ++i) at.at[direct[i]] += n * 4;
    }
    for (const Op *op = ops, *last = ops + n_ops; op != last; ++op)
      op->run(*op, place[op->to], place[op->a], place[op->b], place[op->c], n);
    for (int64_t r = 0; r < some && n_scattered; ++r) {
      for (int i = 0; i < n_scattered; ++i) {
        const int k = scattered[i].view;
        const int64_t step = views[k].strides[nd - 1];
        store_row(begin.at[k] + column * step, width, place[scattered[i].place] + r * width, step);
      }
      begin.next(*this);
    }
    row += some;
    if (tiles_of_row > 1) {
      column += columns;
      new_row = column >= length;
      if (new_row) {
        column = 0;
        at.next(*this);
      }
    }
    interrupt.passed(n);
  }
}

void pointwise(const PointwiseArgs& a) {
  if (a.n_steps > kMostSteps) raise<OpError>("a chain of ", a.n_steps, " elementwise steps");
  const int64_t n = a.out[0].numel();
  if (n == 0) return;
  Chain chain;
  chain.walk_dims(a);
  chain.choose_tiles();
  chain.resolve(a);
  ThreadPool* pool = context().pool;
  constexpr double kWorthIt = 20e3;  // nanoseconds
  int64_t parts = 1;
  if (pool && pool->size() > 1 && chain.tiles > 1) {
    double each = 0.05 * chain.n_present;
    for (int s = 0; s < a.n_steps; ++s) each += cost(a.steps[s]);
    if (each * static_cast<double>(n) > kWorthIt)
      parts = std::min<int64_t>(chain.tiles, 2 * pool->size());
  }
  if (parts == 1) return chain.run(0, chain.tiles, Interrupt());
  const Interrupt interrupt(context());
  pool->run(parts, [&](int64_t i) {
    chain.run(chain.tiles * i / parts, chain.tiles * (i + 1) / parts, interrupt);
  });
}

}  // namespace

SCONCE_KERNEL(pointwise)

}  // namespace sconce::SCONCE_ISA
