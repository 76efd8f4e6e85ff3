// SPDX-License-Identifier: Apache-2.0
// Products with packed weights: panels of columns that stay in the caches while the rows pass, rows
// of a that are read where they lie, sums and epilogue in registers (Goto & van de Geijn 2008;
// performance-design 4 and 5).
#include <algorithm>

#include "backends/cpu/packed_tile.h"
#include "backends/cpu/parallel.h"
#include "backends/cpu/transpose.h"
#include "backends/cpu/vector_math.h"
#include "core/thread_pool.h"

namespace sconce::SCONCE_ISA {

namespace {

constexpr int64_t kCacheBytes = int64_t{1} << 19;  // half of a second-level cache
constexpr int64_t kSharedWeights = int64_t{1} << 21;
// Sums of about so many products are added up: the error doesn't grow with K.
constexpr int64_t kRun = 256;

void activate(const Epilogue& then, float* x, int64_t n) {
  const auto p = static_cast<float>(then.p);
  auto map = [=](auto f) { map_floats(x, x, n, f); };
  auto to_six = [](Floats y) { return at_most(at_least(y + 3.0f, Floats{}), Floats{} + 6.0f); };
  switch (then.act) {
    case Activation::leaky_relu: return map([=](Floats y) { return y > 0.0f ? y : y * p; });
    case Activation::sigmoid: return map([](Floats y) { return vsigmoid(y); });
    case Activation::silu: return map([](Floats y) { return vsilu(y); });
    case Activation::tanh: return map([](Floats y) { return vtanh(y); });
    case Activation::gelu: return map([](Floats y) { return vgelu(y); });
    case Activation::gelu_tanh: return map([](Floats y) { return vgelu_tanh(y); });
    case Activation::hardswish: return map([=](Floats y) { return y * to_six(y) / 6.0f; });
    case Activation::hardsigmoid: return map([=](Floats y) { return to_six(y) / 6.0f; });
    default: break;
  }
}

// The panel's columns from j on.
int64_t panel_width(int64_t n, int64_t j) {
  return std::min(kPanelColumns, (n - j + L - 1) / L * L);
}

void pack_panel(int64_t k, int64_t columns, int64_t width, const float* b, int64_t s0, int64_t s1,
                float* to) {
  constexpr int64_t kSide = square_of<float>();
  int64_t p = 0;
  if (s0 == 1 && columns % kSide == 0)
    for (; p + kSide <= k; p += kSide)
      for (int64_t c = 0; c < columns; c += kSide)
        transpose_square(b + c * s1 + p, s1, to + p * width + c, width);
  for (; p < k; ++p)
    for (int64_t c = 0; c < columns; ++c) to[p * width + c] = b[p * s0 + c * s1];
  for (int64_t i = 0; i < k && columns < width; ++i)
    std::fill(to + i * width + columns, to + (i + 1) * width, 0.0f);
}

// How K = taps * k is summed: in steps of whole taps, or of a part of one, of about kRun products.
struct Steps {
  int64_t taps, k;
  int64_t taps_each = 1, k_each, parts;  // of a tap
  Steps(int64_t taps, int64_t k) : taps(taps), k(k), k_each(k), parts(1) {
    if (k >= 2 * kRun) {
      k_each = (k / (k / kRun) + 3) / 4 * 4;
      parts = (k + k_each - 1) / k_each;
    } else {
      const int64_t groups = std::max<int64_t>(1, (taps * k + kRun / 2) / kRun);
      taps_each = std::max<int64_t>(1, (taps + groups - 1) / groups);
    }
  }
  int64_t count() const { return (taps + taps_each - 1) / taps_each * parts; }
  // The products before step i.
  int64_t before(int64_t i) const { return i / parts * taps_each * k + i % parts * k_each; }
};

// Columns [j, j + width) at a time: a panel, or several whole ones for one or two rows.
struct Pass {
  int64_t j, width;
  const TileShape* shape;
};

// All rows through a pass's panels.
void pass_rows(const RowsProduct& p, const Steps& steps, const Pass& pass, TileCall& c,
               Interrupt& interrupt) {
  const int64_t count = steps.count(), K = p.taps * p.k, j = pass.j,
                panel = std::min(pass.width, kPanelColumns), most = pass.shape->most_rows;
  // Blocks as equal as can be: 49 rows are 4 times 6 and 5 times 5.
  const int64_t blocks = (p.m + most - 1) / most, small = p.m / blocks, large = p.m % blocks;
  // What of the panel stays in the cache while all rows pass.
  const int64_t stages = blocks > 1 ? std::max<int64_t>(1, K * panel * 4 / kCacheBytes) : 1,
                steps_each = std::max<int64_t>(1, (count + stages - 1) / stages);
  // Sums of one block, or of all when they wait for the next stage.
  const int64_t sums = steps_each < count ? most * pass.width : 0;
  float* scratch =
      thread_scratch<float, 7>().get(static_cast<size_t>(sums ? sums * blocks : most * pass.width));
  c.tail = std::min(L, p.n - j - (pass.width - L));
  // The next panel comes to the cache while this one is used.
  const float* next = p.b + (j + pass.width) * K;
  const float* end = p.b + packed_floats(K, std::min(p.n_to, j + pass.width + kPanelColumns));
  for (int64_t s0 = 0; s0 < count; s0 += steps_each) {
    const int64_t s1 = std::min(count, s0 + steps_each);
    for (int64_t block = 0, i = 0; block < blocks; ++block) {
      const int64_t rows = small + (block < large);
      const Tile tile = pass.shape->tile[static_cast<size_t>(rows - 1)];
      c.sums = scratch + block * sums;
      c.bias = p.bias ? p.bias + j : nullptr;
      c.residual = p.residual ? p.residual + i * p.residual_pitch + j : nullptr;
      c.out = p.out + i * p.out_pitch + j;
      c.ahead = next < end ? next : p.b;
      c.ahead_step = next < end ? 16 : 0;
      for (int64_t s = s0; s < s1; ++s) {
        const int64_t tap = s / steps.parts * steps.taps_each, part = s % steps.parts;
        c.taps = std::min(steps.taps_each, p.taps - tap);
        c.k = std::min(steps.k_each, p.k - part * steps.k_each);
        c.rows = p.rows + tap * p.rows_pitch + i;
        c.from = p.from + part * steps.k_each;
        c.b = p.b + j * K + steps.before(s) * panel;
        c.first = s == 0;
        c.last = s + 1 == count;
        tile(c);
      }
      if (next < end) next = c.ahead;
      interrupt.passed(rows * pass.width / L * steps.before(s1 - s0));
      i += rows;
    }
  }
}

}  // namespace

void pack_panels(int64_t k, int64_t n, const float* b, int64_t s0, int64_t s1, float* to) {
  const int64_t panels = (n + kPanelColumns - 1) / kPanelColumns;
  auto pack = [&](int64_t i) {
    const int64_t j = i * kPanelColumns;
    pack_panel(k, std::min(kPanelColumns, n - j), panel_width(n, j), b + j * s1, s0, s1,
               to + j * k);
  };
  ThreadPool* pool = context().pool;
  if (pool && k * n > 1 << 18)
    pool->run(panels, pack);
  else
    for (int64_t i = 0; i < panels; ++i) pack(i);
}

void rows_product(const RowsProduct& p, Interrupt& interrupt) {
  if (p.m <= 0) return;
  const Steps steps(p.taps, p.k);
  TileCall c;
  c.rows_pitch = p.rows_pitch;
  c.residual_pitch = p.residual_pitch;
  c.out_pitch = p.out_pitch;
  c.then = p.then;
  c.next_panel = p.taps * p.k * kPanelColumns;
  for (int64_t j = p.n_from; j < p.n_to;) {
    const int64_t left = (p.n_to - j + L - 1) / L * L, wide = (p.m == 1   ? kPanelsOfRow
                                                               : p.m == 2 ? kPanelsOfTwoRows
                                                                          : 1) *
                                                              kPanelColumns;
    const Pass pass =
        left >= wide
            ? Pass{j, wide,
                   p.m == 1   ? &kRowShape
                   : p.m == 2 ? &kTwoRowsShape
                              : &kTileShapes[kPanelVectors - 1]}
            : Pass{j, std::min(left, kPanelColumns),
                   &kTileShapes[static_cast<size_t>(std::min(left, kPanelColumns) / L - 1)]};
    pass_rows(p, steps, pass, c, interrupt);
    j += pass.width;
  }
}

void share_out(const Share& s, const void* self, ShareWork work) {
  if (s.rows <= 0 || s.n <= 0) return;
  const int64_t panels = (s.n + s.unit - 1) / s.unit, weights = s.weight_floats * 4,
                inputs = s.rows * s.row_floats * 4;
  // Rows whose part of a stays in the cache while all panels pass, unless it takes less to read all
  // of a for each panel.
  int64_t chunk = s.rows;
  if (inputs > kCacheBytes) {
    const int64_t fit = std::max<int64_t>(24, kCacheBytes / std::max<int64_t>(4, s.row_floats * 4)),
                  chunks = (s.rows + fit - 1) / fit;
    if (weights <= kCacheBytes || inputs + weights * chunks < weights + inputs * panels)
      chunk = fit;
  }
  chunk = std::min(chunk, s.most_rows);
  // The rows before part i of count.
  auto cut = [&](int64_t rows, int64_t i, int64_t count) {
    const int64_t at = rows * i / count;
    return i < count && rows / count > s.row_unit ? at / s.row_unit * s.row_unit : at;
  };
  auto part = [&](int64_t row_from, int64_t row_to, int64_t n_from, int64_t n_to,
                  Interrupt interrupt) {
    // Equal chunks.
    const int64_t rows = row_to - row_from, chunks = (rows + chunk - 1) / chunk;
    for (int64_t i = 0; i < chunks; ++i)
      work(self, row_from + cut(rows, i, chunks), row_from + cut(rows, i + 1, chunks), n_from, n_to,
           interrupt);
  };
  const Interrupt limits(context());
  ThreadPool* pool = context().pool;
  constexpr double kWorthIt = 2e6;  // multiplications
  const double work_all =
      static_cast<double>(s.rows) * static_cast<double>(s.n) * static_cast<double>(s.row_work);
  const int64_t threads = pool ? pool->size() : 1;
  if (threads < 2 || work_all < kWorthIt) return part(0, s.rows, 0, s.n, limits);
  // Each thread reads its own weights, or its own rows, whichever is more; but weights that a cache
  // holds are read by all of them rather than that the rows, which the next kernel shares too, lie
  // in pieces in the caches of all. More parts than threads let the quicker ones do more, but parts
  // of few rows read the weights too often.
  const bool even = panels >= 4 * threads || panels % threads == 0,
             few_weights = weights <= kSharedWeights && s.rows >= 20 * threads,
             by_panels = s.rows < 8 * threads || (even && weights > inputs && !few_weights);
  const int64_t of = by_panels ? panels : s.rows,
                most = by_panels ? panels : std::max(threads, s.rows / 96),
                wanted =
                    work_all > 16 * kWorthIt * static_cast<double>(threads) ? 4 * threads : threads,
                count = std::min({wanted, most, of});
  pool->run(count, [&](int64_t i) {
    if (by_panels)
      part(0, s.rows, of * i / count * s.unit, std::min(s.n, of * (i + 1) / count * s.unit),
           limits);
    else
      part(cut(of, i, count), cut(of, i + 1, count), 0, s.n, limits);
  });
}

namespace {

// Rows [from, to) of a plain product.
void plain_rows(const void* self, int64_t from, int64_t to, int64_t n_from, int64_t n_to,
                Interrupt& interrupt) {
  const auto& p = *static_cast<const PanelProduct*>(self);
  const float** rows = thread_scratch<const float*, 0>().get(static_cast<size_t>(to - from));
  for (int64_t i = from; i < to; ++i) rows[i - from] = p.a + i * p.a_pitch;
  rows_product({to - from, p.n, 1, p.k, rows, 0, 0, p.b, n_from, n_to, p.out + from * p.out_pitch,
                p.out_pitch, p.bias, p.residual ? p.residual + from * p.residual_pitch : nullptr,
                p.residual_pitch, p.then},
               interrupt);
}
Share share_of(const PanelProduct& p) {
  Share s;
  s.rows = p.m;
  s.n = p.n;
  s.row_work = s.row_floats = p.k;
  s.weight_floats = p.k * p.n;
  return s;
}

void linear(const LinearArgs& a) {
  const PanelProduct p{a.out.sizes[0],
                       a.out.sizes[1],
                       a.a.sizes[1],
                       a.a.ptr<const float>(),
                       a.a.strides[0],
                       a.weight.ptr<const float>(),
                       a.out.ptr<float>(),
                       a.out.strides[0],
                       a.bias.ptr<const float>(),
                       a.residual.ptr<const float>(),
                       a.residual.data ? a.residual.strides[0] : 0,
                       a.then};
  share_out(share_of(p), &p, plain_rows);
}
size_t packed_linear_bytes(int64_t k, int64_t n) {
  return static_cast<size_t>(packed_floats(k, n)) * sizeof(float);
}
void pack_linear(const TensorView& b, void* to) {
  pack_panels(b.sizes[0], b.sizes[1], b.ptr<const float>(), b.strides[0], b.strides[1],
              static_cast<float*>(to));
}

void packed_embedding(const PackedEmbeddingArgs& a) {
  const int64_t k = a.weight.sizes[0], n = a.weight.sizes[1], step = a.index.strides[0];
  const bool longs = a.index.dtype == ScalarType::Long;
  const float* b = a.weight.ptr<const float>();
  const Interrupt limits(context());
  parallel_for(a.out.sizes[0], static_cast<double>(k), [&](int64_t from, int64_t to) {
    Interrupt interrupt = limits;
    for (int64_t i = from; i < to; ++i) {
      const int64_t at = longs ? a.index.ptr<const int64_t>()[i * step]
                               : int64_t{a.index.ptr<const int32_t>()[i * step]};
      if (at < 0 || at >= n)
        raise<OpError>("index ", at, " is out of bounds for dimension with size ", n);
      const int64_t j = at / kPanelColumns * kPanelColumns, width = panel_width(n, j);
      const float* column = b + j * k + (at - j);
      float* row = a.out.ptr<float>() + i * k;
      for (int64_t p = 0; p < k; ++p) row[p] = column[p * width];
      interrupt.passed(k);
    }
  });
}

}  // namespace

void panel_product(const PanelProduct& p) {
  Interrupt interrupt;
  for (int64_t i = 0; i < p.m; i += 512)
    plain_rows(&p, i, std::min(p.m, i + 512), 0, p.n, interrupt);
}

void apply_epilogue_tile(int64_t rows, int64_t columns, const float* tile, int64_t tile_pitch,
                         const float* bias, const float* residual, int64_t residual_pitch,
                         const Epilogue& then, float* to, int64_t to_pitch) {
  constexpr int64_t kColumns = 256;
  alignas(64) float x[kColumns];
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < columns; j += kColumns) {
      const int64_t n = std::min(kColumns, columns - j);
      const float* in = tile + r * tile_pitch + j;
      const float* more = residual ? residual + r * residual_pitch + j : nullptr;
      float* out = to + r * to_pitch + j;
      for (int64_t i = 0; i < n; ++i) x[i] = in[i];
      if (bias)
        for (int64_t i = 0; i < n; ++i) x[i] += bias[j + i];
      if (more && !then.residual_last)
        for (int64_t i = 0; i < n; ++i) x[i] += more[i];
      if (then.act == Activation::relu || then.act == Activation::clamp) {
        const bool relu = then.act == Activation::relu;
        const float low = relu ? 0.0f : static_cast<float>(then.p),
                    high = relu ? INFINITY : static_cast<float>(then.q);
        for (int64_t i = 0; i < n; ++i) {
          const float y = x[i] < low ? low : x[i];  // NaN stays
          x[i] = y > high ? high : y;
        }
      } else {
        activate(then, x, n);
      }
      if (more && then.residual_last)
        for (int64_t i = 0; i < n; ++i) x[i] += more[i];
      for (int64_t i = 0; i < n; ++i) out[i] = x[i];
    }
}

void set_linear(Kernels& k) {
  k.linear = linear;
  k.packed_linear_bytes = packed_linear_bytes;
  k.pack_linear = pack_linear;
  k.packed_embedding = packed_embedding;
}

}  // namespace sconce::SCONCE_ISA
