// SPDX-License-Identifier: Apache-2.0
// Gather, scatter, advanced indexing, nonzero.
#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "backends/ref/ref.h"
#include "backends/tiles.h"

namespace sconce::ref {

namespace {

// Of a longer row a part at a time: the limits are looked at between.
constexpr int64_t kLongRow = int64_t{1} << 20;

// f(index tuple) over all positions.
template <class F>
void positions(const TensorView& v, F f) {
  int64_t n = v.numel();
  int64_t idx[kMaxDims] = {0};
  Interrupt interrupt;
  for (int64_t i = 0; i < n; ++i) {
    f(idx);
    interrupt.passed(8);
    for (int d = v.ndim - 1; d >= 0; --d) {
      if (++idx[d] < v.sizes[d]) break;
      idx[d] = 0;
    }
  }
}
int64_t offset(const TensorView& v, const int64_t* idx) {
  int64_t at = 0;
  for (int d = 0; d < v.ndim; ++d) at += idx[d] * v.strides[d];
  return at;
}
char* address(const TensorView& v, int64_t at) {
  return static_cast<char*>(v.data) + at * static_cast<int64_t>(element_size(v.dtype));
}
int64_t index_value(const TensorView& v, int64_t at) {
  return v.dtype == kLong ? v.ptr<int64_t>()[at] : v.ptr<int32_t>()[at];
}
// k, which must be one of the n positions along dim.
int64_t checked_index(int64_t k, int64_t dim, int64_t n) {
  if (k < 0 || k >= n)
    raise<OpError>("index ", k, " is out of bounds for dimension ", dim, " with size ", n);
  return k;
}
int64_t checked_index(const TensorView& index, int64_t at, int64_t dim, int64_t n) {
  return checked_index(index_value(index, at), dim, n);
}
// A row of a gather or scatter: f(position along dim, i) for each index. All of them are looked at
// first, so that neither loop has a branch.
template <class F>
void indexed_row(const TensorView& index, int64_t at, int64_t step, int64_t count, int64_t dim,
                 int64_t n, F f) {
  auto run = [=](const auto* ix, int64_t st) __attribute__((always_inline)) {
    int64_t outside = 0;  // negative when one is
    for (int64_t i = 0; i < count; ++i) {
      const auto k = static_cast<int64_t>(ix[i * st]);
      outside |= k | static_cast<int64_t>(static_cast<uint64_t>(n) - 1 - static_cast<uint64_t>(k));
    }
    for (int64_t i = 0; outside < 0 && i < count; ++i)
      checked_index(static_cast<int64_t>(ix[i * st]), dim, n);
    for (int64_t i = 0; i < count; ++i) f(static_cast<int64_t>(ix[i * st]), i);
  };
  if (index.dtype == kLong)
    step == 1 ? run(index.ptr<int64_t>() + at, 1) : run(index.ptr<int64_t>() + at, step);
  else
    run(index.ptr<int32_t>() + at, step);
}

// The inner rows of a gather or scatter, long ones in parts: f(element offsets of data without its
// dim, of index, of other; their steps along the row; its length). index and other have the same
// sizes; other may be absent. Rows are of the last dim, or of the longest where that is short:
// what meets in one element of data differs along dim alone, and is met in its order either way.
template <class F>
void rows_without(const TensorView& data, const TensorView& index, const TensorView& other,
                  int64_t dim, F f) {
  int64_t total = index.numel();
  if (total == 0) return;
  constexpr int64_t kShort = 16;
  int last = index.ndim - 1;
  if (last > 0 && index.sizes[last] < kShort)
    last = static_cast<int>(std::max_element(index.sizes, index.sizes + last + 1) - index.sizes);
  int64_t count = last < 0 ? 1 : index.sizes[last];
  auto step = [&](int d, int64_t* st) {
    st[0] = d < 0 || d == dim ? 0 : data.strides[d];
    st[1] = d < 0 ? 0 : index.strides[d];
    st[2] = d < 0 || !other.data ? 0 : other.strides[d];
  };
  int64_t inner[3], idx[kMaxDims] = {0}, at[3] = {0, 0, 0};
  step(last, inner);
  Interrupt interrupt;
  for (int64_t done = 0; done < total; done += count) {
    for (int64_t i = 0; i < count; i += kLongRow) {
      const int64_t n = std::min(kLongRow, count - i);
      f(at[0] + i * inner[0], at[1] + i * inner[1], at[2] + i * inner[2], inner, n);
      interrupt.passed(n + 8);
    }
    for (int d = index.ndim - 1; d >= 0; --d) {
      if (d == last) continue;
      int64_t st[3];
      step(d, st);
      for (int k = 0; k < 3; ++k) at[k] += st[k];
      if (++idx[d] < index.sizes[d]) break;
      for (int k = 0; k < 3; ++k) at[k] -= st[k] * index.sizes[d];
      idx[d] = 0;
    }
  }
}

void gather(const GatherArgs& a) {
  size_t es = element_size(a.out.dtype);
  int64_t n = a.in.ndim ? a.in.sizes[a.dim] : 1;
  int64_t along = a.in.ndim ? a.in.strides[a.dim] : 0;
  rows_without(a.in, a.index, a.out, a.dim,
               [&](int64_t in, int64_t ix, int64_t out, const int64_t* st, int64_t count) {
                 auto run = [&](auto tag) {
                   using T = decltype(tag);
                   const T* from = static_cast<const T*>(a.in.data) + in;
                   T* to = static_cast<T*>(a.out.data) + out;
                   const int64_t x = st[0], y = st[2], step = along;
                   if (st[1] == 0 && x == 1 && y == 1) {  // one index for the row
                     from += checked_index(a.index, ix, a.dim, n) * step;
                     std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
                   } else if (x == 0 && y == 1 && step == 1) {
                     indexed_row(a.index, ix, st[1], count, a.dim, n,
                                 [=](int64_t k, int64_t i) { to[i] = from[k]; });
                   } else {
                     indexed_row(a.index, ix, st[1], count, a.dim, n,
                                 [=](int64_t k, int64_t i) { to[i * y] = from[i * x + k * step]; });
                   }
                 };
                 visit_element_size(es, run);
               });
}

// The value of a call without a source, as elements of out.
void store_value(const ScatterArgs& a, char* to) {
  auto store = [&](auto tag) {
    const auto v = number_as<decltype(tag)>(a.value);
    store_tile(a.out.dtype, to, 0, 1, &v);
  };
  if (is_integral(a.out.dtype, true))
    store(int64_t{});
  else if (is_complex(a.out.dtype))
    store(std::complex<double>{});
  else
    store(double{});
}

// What becomes of old where v is put. nan is greater and less than all, integers wrap around.
template <ScatterMode mode, class T>
inline T combine(T old, T v) {
  if constexpr (mode == ScatterMode::add) return old + v;
  if constexpr (mode == ScatterMode::prod) return old * v;
  if constexpr (mode == ScatterMode::amax) return v > old || v != v ? v : old;
  if constexpr (mode == ScatterMode::amin) return v < old || v != v ? v : old;
  return v;
}
// A call whose source, or one number in its place, has out's elements.
template <ScatterMode mode, class T>
void scatter_elements(const ScatterArgs& a, const T* source) {
  const int64_t n = a.out.ndim ? a.out.sizes[a.dim] : 1,
                along = a.out.ndim ? a.out.strides[a.dim] : 0;
  rows_without(a.out, a.index, a.src, a.dim,
               [&](int64_t out, int64_t ix, int64_t src, const int64_t* st, int64_t count) {
                 const T* from = source + src;
                 T* to = static_cast<T*>(a.out.data) + out;
                 const int64_t x = st[0], y = st[2];
                 auto put = [](T& o, T v) { o = combine<mode>(o, v); };
                 if (st[1] == 0 && x == 1 && y <= 1) {  // one index for the row
                   to += checked_index(a.index, ix, a.dim, n) * along;
                   if (y == 0) {
                     const T v = *from;
                     for (int64_t i = 0; i < count; ++i) put(to[i], v);
                   } else if (mode == ScatterMode::set) {
                     std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
                   } else {
                     for (int64_t i = 0; i < count; ++i) put(to[i], from[i]);
                   }
                 } else if (x == 0 && along == 1 && y == 1) {
                   indexed_row(a.index, ix, st[1], count, a.dim, n,
                               [=](int64_t k, int64_t i) { put(to[k], from[i]); });
                 } else if (y == 0) {
                   const T v = *from;
                   indexed_row(a.index, ix, st[1], count, a.dim, n,
                               [=](int64_t k, int64_t i) { put(to[i * x + k * along], v); });
                 } else {
                   indexed_row(a.index, ix, st[1], count, a.dim, n, [=](int64_t k, int64_t i) {
                     put(to[i * x + k * along], from[i * y]);
                   });
                 }
               });
}

void scatter(const ScatterArgs& a) {
  const int64_t n = a.out.ndim ? a.out.sizes[a.dim] : 1;
  const ScalarType t = a.out.dtype;
  const bool moves = a.mode == ScatterMode::set;
  if ((!a.src.data || a.src.dtype == t) && (moves || t == kFloat || t == kDouble || t == kLong)) {
    alignas(16) char value[16];
    if (!a.src.data) store_value(a, value);
    const void* source = a.src.data ? a.src.data : value;
    auto run = [&](auto tag) {
      using T = decltype(tag);
      const T* from = static_cast<const T*>(source);
      using U = Wrapping<T>;
      const auto* wrapping = reinterpret_cast<const U*>(from);
      switch (a.mode) {
        case ScatterMode::add: return scatter_elements<ScatterMode::add, U>(a, wrapping);
        case ScatterMode::prod: return scatter_elements<ScatterMode::prod, U>(a, wrapping);
        case ScatterMode::amax: return scatter_elements<ScatterMode::amax>(a, from);
        default: return scatter_elements<ScatterMode::amin>(a, from);
      }
    };
    if (moves)
      visit_element_size(element_size(t), [&](auto tag) {
        scatter_elements<ScatterMode::set>(a, static_cast<const decltype(tag)*>(source));
      });
    else if (t == kFloat)
      run(float{});
    else if (t == kDouble)
      run(double{});
    else
      run(int64_t{});
    return;
  }
  auto run = [&](auto tag) {
    using C = decltype(tag);
    C fixed = number_as<C>(a.value);
    positions(a.index, [&](const int64_t* idx) {
      int64_t k = checked_index(a.index, offset(a.index, idx), a.dim, n);
      int64_t at = 0;
      for (int d = 0; d < a.out.ndim; ++d) at += (d == a.dim ? k : idx[d]) * a.out.strides[d];
      C v = fixed;
      if (a.src.data) load_tile(a.src.dtype, address(a.src, offset(a.src, idx)), 0, 1, &v);
      char* o = address(a.out, at);
      if (a.mode != ScatterMode::set) {
        C old;
        load_tile(a.out.dtype, o, 0, 1, &old);
        if constexpr (std::is_same_v<C, int64_t>) {
          // Integers wrap around.
          auto x = static_cast<uint64_t>(old), y = static_cast<uint64_t>(v);
          if (a.mode == ScatterMode::add) v = static_cast<int64_t>(x + y);
          if (a.mode == ScatterMode::prod) v = static_cast<int64_t>(x * y);
        } else {
          if (a.mode == ScatterMode::add) v = old + v;
          if (a.mode == ScatterMode::prod) v = old * v;
        }
        if constexpr (std::is_arithmetic_v<C>) {
          bool nan = v != v || old != old;
          if (a.mode == ScatterMode::amax) v = nan ? (v != v ? v : old) : std::max(old, v);
          if (a.mode == ScatterMode::amin) v = nan ? (v != v ? v : old) : std::min(old, v);
        }
      }
      store_tile(a.out.dtype, o, 0, 1, &v);
    });
  };
  if (is_integral(a.out.dtype, true))
    run(int64_t{});
  else if (a.out.dtype == kDouble)
    run(double{});
  else if (is_complex(a.out.dtype))
    run(std::complex<double>{});
  else
    run(float{});
}

void index(const IndexArgs& a) {
  // out: [index dims, rest dims]; in: its view over the rest dims.
  int64_t n = 1, rest = 1;
  for (int d = 0; d < a.index_ndim; ++d) n *= a.out.sizes[d];
  for (int d = a.index_ndim; d < a.out.ndim; ++d) rest *= a.out.sizes[d];
  size_t es = element_size(a.out.dtype);
  int64_t idx[kMaxDims] = {0};
  int rest_nd = a.out.ndim - a.index_ndim;
  const int64_t *rsz = a.out.sizes + a.index_ndim, *rst = a.out.strides + a.index_ndim;
  bool dense = true;
  int64_t run = 1;
  for (int d = rest_nd - 1; d >= 0; --d) {
    dense = dense && (rsz[d] == 1 || (rst[d] == run && a.in.strides[d] == run));
    run *= rsz[d];
  }
  if (rest == 0) return;
  Interrupt interrupt;
  // f(offsets in elements of in and of out) for each element of the rest.
  auto each_of_rest = [&](auto f) {
    int64_t r[kMaxDims] = {0}, x = 0, y = 0;
    for (int64_t k = 0; k < rest; ++k) {
      f(x, y);
      for (int d = rest_nd - 1; d >= 0; --d) {
        x += a.in.strides[d];
        y += rst[d];
        if (++r[d] < rsz[d]) break;
        x -= a.in.strides[d] * rsz[d];
        y -= rst[d] * rsz[d];
        r[d] = 0;
      }
    }
  };
  auto add = [](auto* p, const auto* q, int64_t count) {
    using T = std::remove_cvref_t<decltype(*p)>;
    for (int64_t c = 0; c < count; ++c) {
      T& o = p[c];
      const T v = q[c];
      if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>)
        o = T(static_cast<float>(o) + static_cast<float>(v));
      else if constexpr (std::is_same_v<T, bool>)
        o = o || v;
      else if constexpr (std::is_integral_v<T>)  // wraps around
        o = static_cast<T>(static_cast<uint64_t>(o) + static_cast<uint64_t>(v));
      else
        o = static_cast<T>(o + v);
    }
  };
  // Some places of a row of indices at once: where their elements are in both tensors.
  constexpr int64_t kPart = 256;
  int64_t from[kPart], to[kPart];
  const int inner = a.index_ndim - 1;
  const int64_t length = inner < 0 ? 1 : a.out.sizes[inner],
                bytes = rest * static_cast<int64_t>(es);
  const bool row = inner >= 0 && a.out.strides[inner] == 1;  // of the result
  auto move = [&](int64_t m) {
    if (a.put && a.accumulate) {
      visit_dtype(a.out.dtype, [&](auto tag) {
        using T = decltype(tag);
        T* in = static_cast<T*>(a.in.data);
        const T* out = static_cast<const T*>(a.out.data);
        for (int64_t i = 0; i < m; ++i) {
          interrupt.passed(std::min(rest, kLongRow));
          if (dense)
            add(in + from[i], out + to[i], rest);
          else
            each_of_rest([&](int64_t x, int64_t y) { add(in + from[i] + x, out + to[i] + y, 1); });
        }
      });
    } else if (dense && bytes >= 64) {
      for (int64_t i = 0; i < m; ++i) {
        interrupt.passed(std::min(rest, kLongRow));
        char *p = address(a.in, from[i]), *q = address(a.out, to[i]);
        a.put ? std::memcpy(p, q, static_cast<size_t>(bytes))
              : std::memcpy(q, p, static_cast<size_t>(bytes));
      }
    } else if (dense && bytes % 16 == 0) {
      interrupt.passed(m * rest);
      for (int64_t i = 0; i < m; ++i) {
        char *p = address(a.in, from[i]), *q = address(a.out, to[i]);
        if (a.put) std::swap(p, q);
        for (int64_t b = 0; b < bytes; b += 16) std::memcpy(q + b, p + b, 16);
      }
    } else {
      visit_element_size(es, [&](auto tag) {
        using T = decltype(tag);
        auto* in = static_cast<T*>(a.in.data);
        auto* out = static_cast<T*>(a.out.data);
        each_of_rest([&](int64_t x, int64_t y) {
          interrupt.passed(m);
          if (a.put)
            for (int64_t i = 0; i < m; ++i) in[from[i] + x] = out[to[i] + y];
          else if (row)
            for (int64_t i = 0; i < m; ++i) out[to[0] + y + i] = in[from[i] + x];
          else
            for (int64_t i = 0; i < m; ++i) out[to[i] + y] = in[from[i] + x];
        });
      });
    }
  };
  auto read = [&](const auto* index, int64_t st, int64_t m, int j) {
    const int64_t size = a.size[j], least = a.no_negative ? 0 : -size, step = a.step[j];
    for (int64_t i = 0; i < m; ++i) {
      const auto k = static_cast<int64_t>(index[i * st]);
      if (k < least || k >= size)
        raise<OpError>("index ", k, " is out of bounds for dimension with size ", size);
      from[i] += (k < 0 ? k + size : k) * step;
    }
  };
  // By one index: elements of a dense row, or dense rows. All are looked at, then moved in one go.
  const int64_t span = a.size[0];
  auto by_one = [&](const auto* index, int64_t st, int64_t m, int64_t at) {
    int64_t outside = 0;  // negative when one is
    for (int64_t i = 0; i < m; ++i) {
      const auto u = static_cast<uint64_t>(index[i * st]), size = static_cast<uint64_t>(span);
      outside |= static_cast<int64_t>((a.no_negative ? u : u + size) | (size - 1 - u));
    }
    if (outside < 0) return false;
    auto place = [ =, along = a.step[0] ](int64_t i) __attribute__((always_inline)) {
      const auto k = static_cast<int64_t>(index[i * st]);
      return (k < 0 ? k + span : k) * along;
    };
    if (rest == 1) {
      visit_element_size(es, [&, m, index](auto tag) {  // what is stored can't change them
        using T = decltype(tag);
        const T* in = static_cast<const T*>(a.in.data);
        T* out = static_cast<T*>(a.out.data) + at;
        if (a.no_negative && a.step[0] == 1 && st == 1)
#pragma GCC unroll 4
          for (int64_t i = 0; i < m; ++i) out[i] = in[index[i]];
        else
          for (int64_t i = 0; i < m; ++i) out[i] = in[place(i)];
      });
      return true;
    }
    const auto width = static_cast<int64_t>(es);
    const int64_t step = a.out.strides[inner] * width;
    char* to_row = address(a.out, at);
    const char* table = static_cast<const char*>(a.in.data);
    auto rows = [=](auto size) {
      for (int64_t i = 0; i < m; ++i)
        std::memcpy(to_row + i * step, table + place(i) * width, size());
    };
    switch (bytes) {
      case 8: rows(std::integral_constant<size_t, 8>{}); break;
      case 16: rows(std::integral_constant<size_t, 16>{}); break;
      case 32: rows(std::integral_constant<size_t, 32>{}); break;
      default: rows([bytes] { return static_cast<size_t>(bytes); });
    }
    interrupt.passed(m * std::min(rest, kLongRow));
    return true;
  };
  const bool single = !a.put && a.n_index == 1 && inner >= 0 && dense && (rest > 1 || row);
  for (int64_t done = 0; done < n; done += length) {
    for (int64_t first = 0; first < length; first += kPart) {
      const int64_t m = std::min(kPart, length - first);
      interrupt.passed(m * a.n_index);
      auto start = [&](const TensorView& v) {
        int64_t at = inner < 0 ? 0 : first * v.strides[inner];
        for (int d = 0; d < inner; ++d) at += idx[d] * v.strides[d];
        return at;
      };
      const int64_t out_step = inner < 0 ? 0 : a.out.strides[inner], out_start = start(a.out);
      if (single) {
        const TensorView& v = a.index[0];
        const int64_t at = start(v), st = v.strides[inner];
        if (v.dtype == kLong ? by_one(v.ptr<int64_t>() + at, st, m, out_start)
                             : by_one(v.ptr<int32_t>() + at, st, m, out_start))
          continue;
      }
      for (int64_t i = 0; i < m; ++i) {
        from[i] = 0;
        to[i] = out_start + i * out_step;
      }
      for (int j = 0; j < a.n_index; ++j) {
        const TensorView& v = a.index[j];
        const int64_t at = start(v), st = inner < 0 ? 0 : v.strides[inner];
        v.dtype == kLong ? read(v.ptr<int64_t>() + at, st, m, j)
                         : read(v.ptr<int32_t>() + at, st, m, j);
      }
      move(m);
    }
    for (int d = inner - 1; d >= 0; --d) {
      if (++idx[d] < a.out.sizes[d]) break;
      idx[d] = 0;
    }
  }
}

void nonzero(const NonzeroArgs& a) {
  int64_t row = 0;
  if (a.in.dtype == kBool || a.in.dtype == kByte) {
    // Rows of bytes: their places without a walk for each.
    int last = a.in.ndim - 1;
    int64_t count = last < 0 ? 1 : a.in.sizes[last], step = last < 0 ? 0 : a.in.strides[last];
    int64_t idx[kMaxDims] = {0}, at = 0, total = a.in.numel();
    Interrupt interrupt;
    for (int64_t done = 0; done < total; done += count) {
      const uint8_t* p = a.in.ptr<uint8_t>() + at;
      constexpr int64_t kBlock = 256;
      interrupt.passed(8);
      for (int64_t i0 = 0; i0 < count; i0 += kBlock) {
        interrupt.passed(kBlock / 4);
        // Places are written whether they count or not: no branch to guess.
        int64_t found[kBlock], m = 0;
        for (int64_t i = i0; i < std::min(count, i0 + kBlock); ++i) {
          found[m] = i;
          m += p[i * step] != 0;
        }
        for (int64_t k = 0; k < m && row < a.out.sizes[0]; ++k) {
          int64_t* o = a.out.ptr<int64_t>() + row++ * a.out.strides[0];
          for (int d = 0; d < last; ++d) o[d * a.out.strides[1]] = idx[d];
          if (last >= 0) o[last * a.out.strides[1]] = found[k];
        }
      }
      for (int d = last - 1; d >= 0; --d) {
        at += a.in.strides[d];
        if (++idx[d] < a.in.sizes[d]) break;
        at -= a.in.strides[d] * a.in.sizes[d];
        idx[d] = 0;
      }
    }
    return;
  }
  positions(a.in, [&](const int64_t* idx) {
    bool v;
    load_tile(a.in.dtype, address(a.in, offset(a.in, idx)), 0, 1, &v);
    if (!v || row >= a.out.sizes[0]) return;
    for (int d = 0; d < a.in.ndim; ++d)
      a.out.ptr<int64_t>()[row * a.out.strides[0] + d * a.out.strides[1]] = idx[d];
    ++row;
  });
}

}  // namespace

SCONCE_KERNEL(gather)
SCONCE_KERNEL(scatter)
SCONCE_KERNEL(index)
SCONCE_KERNEL(nonzero)

}  // namespace sconce::ref
