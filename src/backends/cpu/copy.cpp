// SPDX-License-Identifier: Apache-2.0
// Copies that move elements as they are: transposes square by square, rows, strided elements.
#include <algorithm>
#include <cstring>

#include "backends/cpu/parallel.h"
#include "backends/cpu/transpose.h"
#include "backends/ivdep.h"
#include "backends/tiles.h"

namespace sconce::SCONCE_ISA {

bool move_elements(const CopyArgs& a);  // for the copy slot

namespace {

// Nanoseconds of a byte that is read and written.
constexpr double kByte = 0.03;

// Columns [from, to) of `length` rows, each to a row of its own. Squares, so that each cache line
// is read once.
template <class T>
void transpose_block(const T* in, int64_t in_step, T* out, int64_t out_step, int64_t rows,
                     int64_t from, int64_t to, Interrupt& interrupt) {
  constexpr int64_t kBlock = std::max<int64_t>(square_of<T>(), 8);
  for (int64_t i0 = from; i0 < to; i0 += kBlock) {
    interrupt.passed(rows * kBlock);
    for (int64_t r0 = 0; r0 < rows; r0 += kBlock) {
      if constexpr (sizeof(T) == 4 || sizeof(T) == 8) {
        constexpr int64_t kSide = square_of<T>();
        if (r0 + kBlock <= rows && i0 + kBlock <= to) {
          for (int64_t i = i0; i < i0 + kBlock; i += kSide)
            for (int64_t r = r0; r < r0 + kBlock; r += kSide)
              transpose_square(in + i * in_step + r, in_step, out + r * out_step + i, out_step);
          continue;
        }
      }
      for (int64_t r = r0; r < std::min(rows, r0 + kBlock); ++r)
        for (int64_t i = i0; i < std::min(to, i0 + kBlock); ++i)
          out[r * out_step + i] = in[i * in_step + r];
    }
  }
}

// A copy whose result is dense in one dim and whose source is in another. False for other forms.
bool transpose(const Loops<2>& loops, int64_t e) {
  const int row = loops.nd - 1;
  int column = row - 1;
  while (column >= 0 && loops.strides[1][column] != e) --column;
  if (column < 0 || loops.strides[0][row] != e || loops.strides[1][row] == e || e > 8) return false;
  const int64_t rows = loops.sizes[column], length = loops.sizes[row];
  const int64_t to_step = loops.strides[0][column] / e, from_step = loops.strides[1][row] / e;
  if (rows < 8 || length < 8) return false;
  Loops<2> outer = loops;
  outer.sizes[column] = outer.sizes[row] = 1;
  const Interrupt interrupt(context());
  visit_element_size(static_cast<size_t>(e), [&](auto tag) {
    using T = decltype(tag);
    auto each = [&](const Loops<2>& part, int64_t from, int64_t to) {
      Interrupt mine = interrupt;
      part.whole_rows([&](char** p, const int64_t*, int64_t) {
        transpose_block(reinterpret_cast<const T*>(p[1]), from_step, reinterpret_cast<T*>(p[0]),
                        to_step, rows, from, to, mine);
      });
    };
    int64_t planes = 1;
    for (int d = 0; d < outer.nd; ++d) planes *= outer.sizes[d];
    const double plane = static_cast<double>(rows * length * e) * kByte;
    if (planes >= 8)
      parallel_loops(outer, plane, [&](const Loops<2>& part) { each(part, 0, length); });
    else
      parallel_for(
          length, plane * static_cast<double>(planes) / static_cast<double>(length),
          [&](int64_t from, int64_t to) { each(outer, from, to); }, 16);
  });
  return true;
}

// move(to, from, count as a constant) for every `count` rows of `length` elements of e bytes;
// outer: the loops around them.
template <class Move>
void move_woven(const Loops<2>& outer, int64_t e, int64_t count, int64_t length, Move move) {
  const double nanoseconds = static_cast<double>(count * length * e) * kByte;
  visit_element_size(static_cast<size_t>(e), [&](auto tag) {
    using T = decltype(tag);
    if constexpr (std::is_integral_v<T>)
      parallel_loops(outer, nanoseconds, [&](const Loops<2>& part) {
        Interrupt interrupt;
        part.whole_rows([&](char** p, const int64_t*, int64_t) {
          auto* out = reinterpret_cast<T*>(p[0]);
          auto* in = reinterpret_cast<const T*>(p[1]);
          if (count == 2)
            move(out, in, std::integral_constant<int64_t, 2>{});
          else if (count == 3)
            move(out, in, std::integral_constant<int64_t, 3>{});
          else
            move(out, in, std::integral_constant<int64_t, 4>{});
          interrupt.passed(count * length);
        });
      });
  });
}

// Two to four dense rows of source woven into one of the result, as a pixel shuffle does or a
// picture whose channels become the last; one row woven with itself repeats each element. False for
// other forms.
bool weave(const Loops<2>& loops, int64_t e) {
  const int row = loops.nd - 1;
  const int64_t count = loops.sizes[row], from_step = loops.strides[1][row] / e;
  int column = row - 1;
  while (column >= 0 && (loops.strides[1][column] != e || loops.strides[0][column] != count * e))
    --column;
  if (e > 8 || count < 2 || count > 4 || column < 0 || loops.strides[0][row] != e) return false;
  const int64_t length = loops.sizes[column];
  if (length < 8) return false;
  Loops<2> outer = loops;
  outer.sizes[column] = outer.sizes[row] = 1;
  move_woven(outer, e, count, length, [=](auto* out, const auto* in, auto rows) {
    constexpr int64_t kRows = decltype(rows)::value;
    SCONCE_IVDEP
    for (int64_t i = 0; i < length; ++i)
      for (int64_t r = 0; r < kRows; ++r) out[i * kRows + r] = in[r * from_step + i];
  });
  return true;
}

// The other way: two to four dense rows of the result, whose elements are neighbours in the source.
bool unweave(const Loops<2>& loops, int64_t e) {
  const int row = loops.nd - 1;
  const int64_t count = loops.strides[1][row] / e, length = loops.sizes[row];
  int column = row - 1;
  while (column >= 0 && (loops.strides[1][column] != e || loops.sizes[column] != count)) --column;
  if (e > 8 || count < 2 || count > 4 || column < 0 || loops.strides[0][row] != e || length < 8)
    return false;
  const int64_t to_step = loops.strides[0][column] / e;
  Loops<2> outer = loops;
  outer.sizes[column] = outer.sizes[row] = 1;
  move_woven(outer, e, count, length, [=](auto* out, const auto* in, auto rows) {
    constexpr int64_t kRows = decltype(rows)::value;
    SCONCE_IVDEP
    for (int64_t i = 0; i < length; ++i)
      for (int64_t r = 0; r < kRows; ++r) out[r * to_step + i] = in[i * kRows + r];
  });
  return true;
}

// Bytes that may overlap. Short ones of whole vectors are read before any is written.
void move_bytes(char* to, const char* from, int64_t bytes) {
  typedef char V __attribute__((vector_size(kVectorBytes), aligned(1), may_alias));
  constexpr int64_t kMost = 4;
  const int64_t vectors = bytes / kVectorBytes;
  if (vectors > kMost || vectors * kVectorBytes != bytes) {
    std::memmove(to, from, static_cast<size_t>(bytes));
    return;
  }
  V v[kMost];
#pragma GCC unroll 4
  for (int64_t i = 0; i < kMost; ++i)
    if (i < vectors) v[i] = *reinterpret_cast<const V*>(from + i * kVectorBytes);
#pragma GCC unroll 4
  for (int64_t i = 0; i < kMost; ++i)
    if (i < vectors) *reinterpret_cast<V*>(to + i * kVectorBytes) = v[i];
}

void move_strided(char* to, int64_t to_step, const char* from, int64_t from_step, int64_t n,
                  int64_t e) {
  visit_element_size(static_cast<size_t>(e), [&](auto tag) {
    using T = decltype(tag);
    auto* out = reinterpret_cast<T*>(to);
    auto* in = reinterpret_cast<const T*>(from);
    const int64_t x = to_step / e, y = from_step / e;
    if (x == 1 && y == -1)
      for (int64_t i = 0; i < n; ++i) out[i] = in[-i];
    else if (x == 1 && y == 0)
      std::fill(out, out + n, *in);
    else if (x == 1)
      for (int64_t i = 0; i < n; ++i) out[i] = in[i * y];
    else
      for (int64_t i = 0; i < n; ++i) out[i * x] = in[i * y];
  });
}

}  // namespace

bool move_elements(const CopyArgs& a) {
  if (a.out.dtype != a.in.dtype) return false;
  const auto e = static_cast<int64_t>(element_size(a.out.dtype));
  if (e == 0) return false;
  const TensorView* v[] = {&a.out, &a.in};
  const Loops<2> loops(v);
  for (int d = 0; d < loops.nd; ++d)
    if (loops.sizes[d] == 0) return true;
  if (transpose(loops, e) || weave(loops, e) || unweave(loops, e)) return true;
  parallel_loops(loops, static_cast<double>(e) * kByte, [&](const Loops<2>& part) {
    part.rows([&](char** p, const int64_t* st, int64_t n) {
      if (st[0] == e && st[1] == e)
        move_bytes(p[0], p[1], n * e);
      else
        move_strided(p[0], st[0], p[1], st[1], n, e);
    });
  });
  return true;
}

}  // namespace sconce::SCONCE_ISA
