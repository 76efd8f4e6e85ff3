// SPDX-License-Identifier: Apache-2.0
// Elements that are moved by place: gather, scatter, advanced indexing, padding, sequences,
// triangles. An index out of range sets the device's fault, which the host raises when it next
// looks.
#include "backends/cuda/gpu.h"

namespace sconce::cuda {

namespace {

// f(a value of a type of es bytes); false for the widest, complex doubles.
template <class F>
bool visit_size(size_t es, F f) {
  switch (es) {
    case 1: return f(uint8_t{});
    case 2: return f(uint16_t{});
    case 4: return f(uint32_t{});
    case 8: return f(uint64_t{});
    default: return false;
  }
}
// A view of any dtype, whose elements are only moved.
bool moved(const TensorView& v, View& out) {
  TensorView plain = v;
  switch (element_size(v.dtype)) {
    case 1: plain.dtype = kByte; break;
    case 2: plain.dtype = kShort; break;
    case 4: plain.dtype = kInt; break;
    case 8: plain.dtype = kLong; break;
    default: return false;
  }
  return view(plain, out);
}
bool is_index(const TensorView& v) { return v.dtype == kLong || v.dtype == kInt; }

SCONCE_GPU int64_t checked(int64_t k, int64_t n, int* fault) {
  if (k >= 0 && k < n) return k;
  *fault = Gpu::IndexRange;
  return 0;
}

// The place of an element in a view whose dim `dim` is replaced.
struct Along {
  View index;  // gives the sizes
  int dim;
  int64_t n;  // positions along dim
  int* fault;
  // Offsets of element i in a view by the index's own coordinates, and in one where dim has place
  // k.
  SCONCE_GPU void offsets(int64_t i, const View& data, const View& other, int64_t& in_data,
                          int64_t& in_other) const {
    int64_t at = 0, in_index = 0;
    in_other = 0;
    index.coordinates(i, [&](int d, int64_t c) {
      in_index += c * index.strides[d];
      if (other) in_other += c * other.strides[d];
      if (d != dim) at += c * data.strides[d];
    });
    const int64_t k = checked(index.get<int64_t>(in_index), n, fault);
    in_data = at + (data.nd ? k * data.strides[dim] : 0);
  }
};
bool along(int index, const TensorView& ix, int64_t dim, const TensorView& data, Along& a) {
  if (!is_index(ix) || !view(ix, a.index) || ix.ndim != data.ndim) return false;
  a.dim = static_cast<int>(dim);
  a.n = data.ndim ? data.sizes[dim] : 1;
  a.fault = reachable(gpu(index).fault());
  return true;
}

template <class T>
struct Gather {
  Along a;
  View in, out;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t from, to;
    a.offsets(i, in, out, from, to);
    *reinterpret_cast<T*>(out.data + to) = *reinterpret_cast<const T*>(in.data + from);
  }
};
bool gather(int index, const GatherArgs& args) {
  Along a;
  View in, out;
  if (!along(index, args.index, args.dim, args.in, a) || !moved(args.in, in) ||
      !moved(args.out, out) || args.out.ndim != args.index.ndim)
    return false;
  return visit_size(element_size(args.out.dtype), [&](auto tag) {
    for_each(gpu(index), args.index.numel(), Gather<decltype(tag)>{a, in, out});
    return true;
  });
}

template <class T>
SCONCE_GPU void add_at(T* p, T v) {
#ifdef __CUDACC__
  if constexpr (std::is_integral_v<T> && sizeof(T) == 8)
    atomicAdd(reinterpret_cast<unsigned long long*>(p), static_cast<unsigned long long>(v));
  else
    atomicAdd(p, v);
#else
  *p = *p + v;
#endif
}

template <class T>
struct ScatterSet {
  Along a;
  View out, src;
  T value;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t to, from;
    a.offsets(i, out, src, to, from);
    out.set<T>(to, src ? src.get<T>(from) : value);
  }
};
template <class T>
struct ScatterAdd {
  Along a;
  View out, src;
  T value;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t to, from;
    a.offsets(i, out, src, to, from);
    add_at(reinterpret_cast<T*>(out.data + to), src ? src.get<T>(from) : value);
  }
};
bool scatter(int index, const ScatterArgs& args) {
  Along a;
  View out, src;
  if ((args.mode != ScatterMode::set && args.mode != ScatterMode::add) ||
      !along(index, args.index, args.dim, args.out, a) || !view(args.out, out) ||
      !view(args.src, src))
    return false;
  Gpu& g = gpu(index);
  const int64_t n = args.index.numel();
  if (args.mode == ScatterMode::set) {
    if (is_integral(args.out.dtype, true))
      for_each(g, n, ScatterSet<int64_t>{a, out, src, args.value.i});
    else if (args.out.dtype == kDouble)
      for_each(g, n, ScatterSet<double>{a, out, src, args.value.d});
    else
      for_each(g, n, ScatterSet<float>{a, out, src, static_cast<float>(args.value.d)});
    return true;
  }
  switch (args.out.dtype) {
    case kFloat:
      for_each(g, n, ScatterAdd<float>{a, out, src, static_cast<float>(args.value.d)});
      return true;
    case kDouble: for_each(g, n, ScatterAdd<double>{a, out, src, args.value.d}); return true;
    case kLong: for_each(g, n, ScatterAdd<int64_t>{a, out, src, args.value.i}); return true;
    default: return false;
  }
}

constexpr int kIndices = 6;
template <class T>
struct Index {
  View in, out;  // in: over the rest dims, which are out's last
  View index[kIndices];
  int64_t size[kIndices], step[kIndices];  // in bytes
  int n_index, index_nd;
  bool put, accumulate, no_negative;
  int* fault;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t to = 0, from = 0, ix[kIndices] = {0};
    out.coordinates(i, [&](int d, int64_t c) {
      to += c * out.strides[d];
      if (d >= index_nd)
        from += c * in.strides[d - index_nd];
      else
        for (int j = 0; j < n_index; ++j) ix[j] += c * index[j].strides[d];
    });
    for (int j = 0; j < n_index; ++j) {
      int64_t k = index[j].get<int64_t>(ix[j]);
      if (k < 0 && !no_negative) k += size[j];
      from += checked(k, size[j], fault) * step[j];
    }
    T *p = reinterpret_cast<T*>(in.data + from), *q = reinterpret_cast<T*>(out.data + to);
    if (!put)
      *q = *p;
    else if (!accumulate)
      *p = *q;
    else if constexpr (std::is_arithmetic_v<T> && sizeof(T) >= 4)
      add_at(p, *q);
  }
};
bool index(int device, const IndexArgs& a) {
  const bool adds = a.put && a.accumulate;
  if (a.n_index > kIndices || a.out.ndim > kDims) return false;
  auto run = [&](auto tag) {
    using T = decltype(tag);
    Index<T> f;
    if (!moved(a.in, f.in) || !moved(a.out, f.out)) return false;
    for (int j = 0; j < a.n_index; ++j) {
      if (!is_index(a.index[j]) || !view(a.index[j], f.index[j])) return false;
      f.size[j] = a.size[j];
      f.step[j] = a.step[j] * static_cast<int64_t>(element_size(a.in.dtype));
    }
    f.n_index = a.n_index;
    f.index_nd = a.index_ndim;
    f.put = a.put;
    f.accumulate = a.accumulate;
    f.no_negative = a.no_negative;
    f.fault = reachable(gpu(device).fault());
    for_each(gpu(device), a.out.numel(), f);
    return true;
  };
  if (adds) switch (a.out.dtype) {
      case kFloat: return run(float{});
      case kDouble: return run(double{});
      case kLong: return run(int64_t{});
      default: return false;
    }
  return visit_size(element_size(a.out.dtype), run);
}

template <class T>
struct Pad {
  View in, out;
  int64_t before[kDims];
  int mode;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t to = 0, from = 0;
    out.coordinates(i, [&](int d, int64_t c) {
      const int64_t s = in.sizes[d];
      int64_t k = c - before[d];
      if (mode == 1)
        k = k < 0 ? -k : k >= s ? 2 * (s - 1) - k : k;
      else if (mode == 2)
        k = k < 0 ? 0 : k >= s ? s - 1 : k;
      else
        k = ((k % s) + s) % s;
      to += c * out.strides[d];
      from += k * in.strides[d];
    });
    *reinterpret_cast<T*>(out.data + to) = *reinterpret_cast<const T*>(in.data + from);
  }
};
bool pad(int index, const PadArgs& a) {
  if (a.out.ndim > 8) return false;
  return visit_size(element_size(a.out.dtype), [&](auto tag) {
    Pad<decltype(tag)> f;
    if (!moved(a.in, f.in) || !moved(a.out, f.out)) return false;
    for (int d = 0; d < a.out.ndim; ++d) f.before[d] = a.before[d];
    f.mode = a.mode;
    for_each(gpu(index), a.out.numel(), f);
    return true;
  });
}

// The arithmetic of the CPU's arange: blocks of `block` numbers share a base.
struct Arange {
  View out;
  bool whole;
  int64_t start, step;
  double dstart, dstep;
  int64_t block, blocks_end;
  SCONCE_GPU void operator()(int64_t i) const {
    if (whole) return out.set<int64_t>(out.at(i), start + i * step);
    double v;
    if (i < blocks_end) {
      double base = std::fma(dstep, static_cast<double>(i / block * block), dstart);
      if (out.dtype == ScalarType::Float) base = static_cast<double>(static_cast<float>(base));
      v = std::fma(static_cast<double>(i % block), dstep, base);
    } else {
      v = std::fma(dstep, static_cast<double>(i), dstart);
    }
    out.set<double>(out.at(i), v);
  }
};
// The arithmetic of the CPU's linspace: from the nearer end. logspace: powers of base.
template <class C>
struct Linspace {
  View out;
  C start, end, step;
  int64_t n;
  bool log;
  double base;
  SCONCE_GPU void operator()(int64_t i) const {
    C v = i < n / 2 || n == 1 ? std::fma(step, static_cast<C>(i), start)
                              : std::fma(-step, static_cast<C>(n - 1 - i), end);
    if (log) v = static_cast<C>(std::pow(base, static_cast<double>(v)));
    out.set<C>(out.at(i), v);
  }
};
struct Eye {
  View out;
  SCONCE_GPU void operator()(int64_t i) const {
    out.set<int64_t>(out.at(i), i / out.sizes[1] == i % out.sizes[1]);
  }
};
template <class T>
struct Triangle {
  View in, out;
  int64_t diagonal;
  bool lower;
  SCONCE_GPU void operator()(int64_t i) const {
    const int64_t columns = out.sizes[out.nd - 1], rows = out.sizes[out.nd - 2];
    const int64_t column = i % columns, row = i / columns % rows;
    const bool kept = lower ? column - row <= diagonal : column - row >= diagonal;
    T zero{};
    *reinterpret_cast<T*>(out.data + out.at(i)) =
        kept ? *reinterpret_cast<const T*>(in.data + in.at(i)) : zero;
  }
};
bool sequence(int index, const SequenceArgs& a) {
  Gpu& g = gpu(index);
  const int64_t n = a.out.numel();
  switch (a.op) {
    case Sequence::iota:
    case Sequence::arange: {
      Arange f;
      if (a.out.ndim > 1 || !view(a.out, f.out)) return false;
      const bool wide = a.out.dtype == kDouble;
      f.whole = is_integral(a.out.dtype, true);
      f.start = a.start.i;
      f.step = a.step.i;
      f.dstart = a.start.d;
      f.dstep = a.step.d;
      f.block = wide ? 4 : 8;
      f.blocks_end = wide || a.out.dtype == kFloat ? n / f.block * f.block : 0;
      for_each(g, n, f);
      return true;
    }
    case Sequence::linspace:
    case Sequence::logspace: {
      auto run = [&](auto tag) {
        using C = decltype(tag);
        // Powers for integers are between integers.
        const bool log = a.op == Sequence::logspace;
        const bool whole = log && is_integral(a.out.dtype, true);
        Linspace<C> f;
        if (a.out.ndim > 1 || !view(a.out, f.out)) return false;
        f.start = static_cast<C>(whole ? std::trunc(a.start.d) : a.start.d);
        f.end = static_cast<C>(whole ? std::trunc(a.end.d) : a.end.d);
        f.step = n > 1 ? (f.end - f.start) / static_cast<C>(n - 1) : C(0);
        f.n = n;
        f.log = log;
        f.base = a.step.d;
        for_each(g, n, f);
        return true;
      };
      return a.out.dtype == kFloat ? run(float{}) : run(double{});
    }
    case Sequence::eye: {
      Eye f;
      if (!view(a.out, f.out)) return false;
      for_each(g, n, f);
      return true;
    }
    case Sequence::tril:
    case Sequence::triu: {
      // Far diagonals would overflow.
      const int64_t far = int64_t{1} << 40;
      const int64_t diagonal = a.start.i > far ? far : a.start.i < -far ? -far : a.start.i;
      return visit_size(element_size(a.out.dtype), [&](auto tag) {
        Triangle<decltype(tag)> f;
        if (!moved(a.in, f.in) || !moved(a.out, f.out)) return false;
        f.diagonal = diagonal;
        f.lower = a.op == Sequence::tril;
        for_each(g, n, f);
        return true;
      });
    }
    default: return false;
  }
}

}  // namespace

void add_index(DevicePlugin& p) {
  p.gather = gather;
  p.scatter = scatter;
  p.index = index;
  p.pad = pad;
  p.sequence = sequence;
}

}  // namespace sconce::cuda
