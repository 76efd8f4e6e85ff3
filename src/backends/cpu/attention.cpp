// SPDX-License-Identifier: Apache-2.0
// Attention: blocks of query rows against all keys, their scores in a tile that stays in the L2
// cache; exponentials are not divided by their sum, the rows of the result are.
#include <algorithm>
#include <vector>

#include "backends/cpu/parallel.h"
#include "backends/cpu/register_tiles.h"
#include "backends/cpu/rows.h"

namespace sconce::SCONCE_ISA {

namespace {

constexpr int64_t kFewRows = 4;             // queries from which on packing the keys pays
constexpr int64_t kTileFloats = 96 * 1024;  // of a tile of scores

// A matrix of dense rows.
struct Rows {
  float* data;
  int64_t step;
};

// Rows cut into panels of kPanel columns, the last one as narrow as can be; columns beyond are
// zero.
void pack_panels(const float* from, int64_t from_step, int64_t rows, int64_t columns, float* to) {
  for (int64_t j = 0; j < columns; j += kPanel) {
    const int64_t width = std::min(columns - j, kPanel), step = padded(width);
    pack_rows(from + j, from_step, rows, width, to, step);
    to += rows * step;
  }
}

// One head, its operands as dense rows of floats.
struct Head {
  int64_t queries, keys, width, values;  // L, S, E, D
  Rows q, k, v, out;
  bool keys_beside;  // k has the keys of one column beside each other: its rows are columns of keys
  const char* mask;  // null, or rows and columns at these distances in bytes
  int64_t mask_row, mask_column;
  ScalarType mask_dtype;
  float scale;
  bool causal;
  bool zeros;  // a row that is masked throughout gives zeros
};

// What a thread keeps for one head: keys in panels, values.
struct Packed {
  const float* keys = nullptr;  // null: as they stand
  Rows values{};
};

Packed pack(const Head& h) {
  Packed p;
  if (h.queries > kFewRows || h.keys_beside) {
    float* keys = thread_scratch<float, 20>().get(static_cast<size_t>(padded(h.keys) * h.width));
    if (h.keys_beside)
      pack_panels(h.k.data, h.k.step, h.width, h.keys, keys);
    else
      pack_transposed(h.k.data, h.k.step, h.keys, h.width, keys);
    p.keys = keys;
  }
  p.values = h.v;
  // Rows far apart share few sets of the cache; and tiles read whole vectors.
  const bool ragged = h.values % kFloats != 0;
  if (ragged || (h.queries > kFewRows && h.v.step != h.values)) {
    const int64_t step = padded(h.values);
    float* values = thread_scratch<float, 21>().get(static_cast<size_t>(h.keys * step));
    pack_rows(h.v.data, h.v.step, h.keys, h.values, values, step);
    p.values = {values, step};
  }
  return p;
}

// Adds the mask's row to the scores.
void add_mask(const Head& h, int64_t row, float* scores, int64_t n) {
  const char* mask = h.mask + row * h.mask_row;
  if (h.mask_column == 0 && h.mask_dtype == kFloat) {
    const float m = *reinterpret_cast<const float*>(mask);
    return map_floats(scores, scores, n, [=](Floats s) { return s + m; });
  }
  const float* m = reinterpret_cast<const float*>(mask);
  if (h.mask_dtype != kFloat || h.mask_column != 4) {
    float* copy = thread_scratch<float, 22>().get(static_cast<size_t>(n));
    load_tile(h.mask_dtype, mask, h.mask_column, n, copy);
    m = copy;
  }
  int64_t i = 0;
  for (; i + kFloats <= n; i += kFloats) store(scores + i, load(scores + i) + load(m + i));
  if (i < n) store_part(scores + i, n - i, load_part(scores + i, n - i) + load_part(m + i, n - i));
}

// A row's scores become exponentials; returns what its products are to be multiplied by. A row that
// is masked throughout gives zeros.
float exponentials(const Head& h, int64_t row, float* scores, int64_t n) {
  if (n == 0) return 0.0f;
  if (h.mask) add_mask(h, row, scores, n);
  const float max = largest(scores, n);
  if (h.zeros && max == -std::numeric_limits<float>::infinity() &&
      std::all_of(scores, scores + n, [=](float s) { return s == max; })) {
    std::fill(scores, scores + n, 0.0f);
    return 0.0f;
  }
  return 1.0f / exp_sum(scores, scores, n, max);
}

// The queries [from, to).
void attend(const Head& h, const Packed& packed, int64_t from, int64_t to) {
  const int64_t rows = to - from, step = padded(h.keys) + kFloats;
  float* scores = thread_scratch<float, 23>().get(static_cast<size_t>(rows * step));
  const int64_t keys = h.causal ? std::min(h.keys, to) : h.keys;
  const float* q = h.q.data + from * h.q.step;
  if (packed.keys) {
    TileResult scaled;
    scaled.scale = h.scale;
    const float* panel = packed.keys;
    for (int64_t j = 0; j < keys; j += kPanel) {
      const int64_t width = std::min(padded(h.keys - j), kPanel);
      panel_product(rows, width, h.width, q, h.q.step, panel, width, scores + j, step, scaled);
      panel += width * h.width;
    }
  } else {
    gemm_f32(rows, keys, h.width, h.scale, q, h.q.step, 1, h.k.data, 1, h.k.step, 0, scores, step);
  }
  constexpr int64_t kMost = 128;
  float factors[kMost];
  for (int64_t r = 0; r < rows; ++r) {
    float* row = scores + r * step;
    const int64_t seen = h.causal ? std::min(h.keys, from + r + 1) : h.keys;
    factors[r] = exponentials(h, from + r, row, seen);
    std::fill(row + seen, row + keys, 0.0f);
  }
  TileResult divided;
  divided.row_scales = factors;
  for (int64_t d = 0; d < h.values; d += kPanel)
    panel_product(rows, std::min(h.values - d, kPanel), keys, scores, step, packed.values.data + d,
                  packed.values.step, h.out.data + from * h.out.step + d, h.out.step, divided);
}

// Rows of queries whose scores fill a tile, in whole register tiles.
int64_t block_rows(int64_t keys) {
  constexpr int64_t kUnit = 12;
  return std::clamp<int64_t>(kTileFloats / (padded(keys) + kFloats) / kUnit, 1, 8) * kUnit;
}

// A matrix as dense rows of floats: where it stands, or loaded.
template <int number>
Rows dense(const TensorView& v, int64_t at) {
  const int lead = v.ndim - 2;
  const int64_t rows = v.sizes[lead], columns = v.sizes[lead + 1];
  if (v.dtype == kFloat && (v.strides[lead + 1] == 1 || columns == 1))
    return {v.ptr<float>() + at, v.strides[lead]};
  float* copy = thread_scratch<float, number>().get(static_cast<size_t>(rows * columns));
  for (int64_t r = 0; r < rows; ++r)
    load_tile(v.dtype, address(v, at + r * v.strides[lead]), step(v, lead + 1), columns,
              copy + r * columns);
  return {copy, columns};
}

void attention_float(const AttentionArgs& a) {
  const int lead = a.out.ndim - 2;
  const int64_t heads = count_rows(a.out, lead);
  Head shape{};
  shape.queries = a.q.sizes[lead];
  shape.width = a.q.sizes[lead + 1];
  shape.keys = a.k.sizes[lead];
  shape.values = a.v.sizes[lead + 1];
  shape.scale = static_cast<float>(a.scale);
  shape.causal = a.causal;
  shape.zeros = (a.mask.data || a.causal) && !a.plain_softmax;
  if (a.mask.data) {
    shape.mask_row = step(a.mask, lead);
    shape.mask_column = step(a.mask, lead + 1);
    shape.mask_dtype = a.mask.dtype;
  }
  const bool direct = a.out.dtype == kFloat && (a.out.strides[lead + 1] == 1 || shape.values == 1);
  const int64_t block = block_rows(shape.keys), blocks = (shape.queries + block - 1) / block;
  const double products = static_cast<double>(std::min(block, shape.queries)) *
                          static_cast<double>(shape.keys) *
                          static_cast<double>(shape.width + shape.values);
  const Interrupt interrupt(context());
  // Blocks of all heads in a row. The other operands of a head are loaded once by each thread.
  parallel_for(heads * blocks, products / 50, [&](int64_t first, int64_t last) {
    Interrupt mine = interrupt;
    for (int64_t i = first; i < last;) {
      const int64_t head = i / blocks, end = std::min(last, (head + 1) * blocks);
      const TensorView* v[] = {&a.out, &a.q, &a.k, &a.v, &a.mask};
      for_rows<5>(v, lead, head, head + 1, [&](const int64_t* at) {
        Head h = shape;
        h.q = dense<24>(a.q, at[1]);
        h.keys_beside = a.k.dtype == kFloat && a.k.strides[lead] == 1 && h.width > 1 &&
                        a.k.strides[lead + 1] != 1;
        h.k = h.keys_beside ? Rows{a.k.ptr<float>() + at[2], a.k.strides[lead + 1]}
                            : dense<25>(a.k, at[2]);
        h.v = dense<26>(a.v, at[3]);
        h.out =
            direct
                ? Rows{a.out.ptr<float>() + at[0], a.out.strides[lead]}
                : Rows{thread_scratch<float, 27>().get(static_cast<size_t>(h.queries * h.values)),
                       h.values};
        h.mask = a.mask.data ? address(a.mask, at[4]) : nullptr;
        const Packed packed = pack(h);
        for (; i < end; ++i) {
          const int64_t from = (i - head * blocks) * block, to = std::min(h.queries, from + block);
          attend(h, packed, from, to);
          mine.passed((to - from) * h.keys * (h.width + h.values) / 8);
          if (direct) continue;
          for (int64_t r = from; r < to; ++r)
            store_tile(a.out.dtype, address(a.out, at[0] + r * a.out.strides[lead]),
                       step(a.out, lead + 1), h.values, h.out.data + r * h.values);
        }
      });
    }
  });
}

// In double, one row after the other.
void attention_double(const AttentionArgs& a) {
  const int lead = a.out.ndim - 2;
  const int64_t L = a.q.sizes[lead], E = a.q.sizes[lead + 1], S = a.k.sizes[lead],
                D = a.v.sizes[lead + 1];
  constexpr double kHidden = -std::numeric_limits<double>::infinity();
  auto load = [&](const TensorView& t, int64_t at) {
    const int64_t rows = t.sizes[lead], columns = t.sizes[lead + 1];
    expect_memory(static_cast<double>(rows) * static_cast<double>(columns) * sizeof(double));
    std::vector<double> copy(static_cast<size_t>(rows * columns));
    for (int64_t r = 0; r < rows; ++r)
      load_tile(t.dtype, address(t, at + r * t.strides[lead]), step(t, lead + 1), columns,
                copy.data() + r * columns);
    return copy;
  };
  std::vector<double> s(static_cast<size_t>(S)), m(static_cast<size_t>(S)),
      o(static_cast<size_t>(D));
  Interrupt interrupt;
  const TensorView* views[] = {&a.out, &a.q, &a.k, &a.v, &a.mask};
  for_rows<5>(views, lead, 0, count_rows(a.out, lead), [&](const int64_t* at) {
    const auto q = load(a.q, at[1]), k = load(a.k, at[2]), v = load(a.v, at[3]);
    for (int64_t i = 0; i < L; ++i) {
      interrupt.passed(S * (E + D));
      if (a.mask.data)
        load_tile(a.mask.dtype, address(a.mask, at[4] + i * a.mask.strides[lead]),
                  step(a.mask, lead + 1), S, m.data());
      double max = kHidden;
      bool hidden = (a.mask.data || a.causal) && !a.plain_softmax;
      for (int64_t j = 0; j < S; ++j) {
        double d = 0;
        for (int64_t e = 0; e < E; ++e) d += q.data()[i * E + e] * k.data()[j * E + e];
        d = a.causal && j > i ? kHidden : d * a.scale + m.data()[j];
        s.data()[j] = d;
        max = d > max ? d : max;
        hidden &= d == kHidden;
      }
      double sum = 0;
      for (int64_t j = 0; j < S; ++j) sum += s.data()[j] = hidden ? 0 : std::exp(s.data()[j] - max);
      std::fill(o.begin(), o.end(), 0.0);
      for (int64_t j = 0; j < S; ++j)
        for (int64_t d = 0; d < D; ++d) o.data()[d] += s.data()[j] * v.data()[j * D + d];
      for (double& x : o) x = hidden ? x * 0 : x / sum;
      store_tile(a.out.dtype, address(a.out, at[0] + i * a.out.strides[lead]),
                 step(a.out, lead + 1), D, o.data());
    }
  });
}

void attention(const AttentionArgs& a) {
  if (a.out.numel() == 0) return;
  if (a.q.dtype == kDouble)
    attention_double(a);
  else
    attention_float(a);
}

}  // namespace

SCONCE_KERNEL(attention)

}  // namespace sconce::SCONCE_ISA
