// SPDX-License-Identifier: Apache-2.0
// Factorisations and solvers of batches of matrices, in double precision by LAPACK.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "backends/ref/lapack.h"
#include "backends/ref/ref.h"
#include "backends/tiles.h"
#include "core/sizes.h"

namespace sconce::ref {

namespace {

using lapack::Cd;

template <class T>
constexpr bool kComplex = !std::is_floating_point_v<T>;

// One matrix of a batch [b, m, n] (or vector [b, n]), column by column.
template <class T>
struct Matrix {
  int64_t m = 0, n = 0;
  std::vector<T> a;
  Matrix() = default;
  // One column more of complex numbers: of a row that it multiplies with, OpenBLAS 0.3.21's zgemv
  // loads (and doesn't use) the element after the last.
  Matrix(int64_t rows, int64_t cols)
      : m(rows),
        n(cols),
        a(counted(checked_mul(rows, kComplex<T> && cols > 0 ? cols + 1 : cols))) {}
  static size_t counted(int64_t elements) {
    expect_memory(static_cast<double>(elements) * sizeof(T));
    return static_cast<size_t>(std::max<int64_t>(elements, 1));
  }
  T& at(int64_t i, int64_t j) { return a[static_cast<size_t>(i + j * m)]; }
  T* data() { return a.data(); }
};
char* element(const TensorView& v, int64_t b, int64_t i, int64_t j) {
  int64_t at = b * v.strides[0] + i * v.strides[1] + (v.ndim > 2 ? j * v.strides[2] : 0);
  return static_cast<char*>(v.data) + at * static_cast<int64_t>(element_size(v.dtype));
}
template <class T>
Matrix<T> load(const TensorView& v, int64_t b) {
  Matrix<T> x(v.sizes[1], v.ndim > 2 ? v.sizes[2] : 1);
  const int64_t step = v.strides[1] * static_cast<int64_t>(element_size(v.dtype));
  for (int64_t j = 0; j < x.n && x.m > 0; ++j)
    load_tile(v.dtype, element(v, b, 0, j), step, x.m, &x.at(0, j));
  return x;
}
template <class T>
void store(const TensorView& v, int64_t b, Matrix<T>& x) {
  if (!v.data) return;
  int64_t m = v.sizes[1], n = v.ndim > 2 ? v.sizes[2] : 1;
  const int64_t step = v.strides[1] * static_cast<int64_t>(element_size(v.dtype));
  for (int64_t j = 0; j < n && m > 0; ++j)
    store_tile(v.dtype, element(v, b, 0, j), step, m, &x.at(0, j));
}
template <class T>
void store_vector(const TensorView& v, int64_t b, const std::vector<T>& x) {
  if (!v.data) return;
  for (int64_t i = 0; i < v.sizes[1]; ++i)
    store_tile(v.dtype, element(v, b, i, 0), 0, 1, &x[static_cast<size_t>(i)]);
}
void store_info(const TensorView& v, int64_t b, int info) {
  if (v.data) v.ptr<int32_t>()[b * v.strides[0]] = info;
}
// LAPACK counts in 32 bits: rows, columns, and the elements of its workspace.
int as_int(int64_t v) {
  if (v > std::numeric_limits<int>::max())
    raise<OpError>("a matrix with ", v, " rows or columns is too large for LAPACK");
  return static_cast<int>(v);
}
// elements: what a routine computes in 32 bits and then believes.
void check_workspace(double elements) {
  if (elements > std::numeric_limits<int>::max())
    raise<OpError>("a matrix whose decomposition takes room for ", elements,
                   " elements is too large for LAPACK");
}
int workspace(double elements) {
  check_workspace(elements);
  return std::max(1, static_cast<int>(elements));
}
size_t z(int64_t v) { return static_cast<size_t>(v); }

// Names of the double and complex routine.
template <class T, class... A>
void call(const char* real, const char* complex, A... args) {
  lapack::call(kComplex<T> ? complex : real, args...);
}
// Runs f(work, lwork) once for the size of the workspace and once for the work.
template <class T, class F>
void with_workspace(F f) {
  T best{};
  int query = -1;
  f(&best, &query);
  int n = workspace(std::real(best));
  expect_memory(static_cast<double>(n) * sizeof(T));
  std::vector<T> work(z(n));
  f(work.data(), &n);
}

// Small matrices are done before LAPACK has looked at its arguments.
constexpr int64_t kSmall = 16;

// As dgetrf: the factors in place, pivots from 1; 0, or the first column from 1 without a pivot.
template <class T>
int small_lu(Matrix<T>& x, std::vector<int>& pivots) {
  int info = 0;
  auto size = [](T v) { return std::fabs(std::real(v)) + std::fabs(std::imag(v)); };
  for (int64_t k = 0; k < std::min(x.m, x.n); ++k) {
    int64_t p = k;
    for (int64_t i = k + 1; i < x.m; ++i)
      if (size(x.at(i, k)) > size(x.at(p, k))) p = i;
    pivots[z(k)] = static_cast<int>(p + 1);
    if (x.at(p, k) == T(0)) {
      if (info == 0) info = static_cast<int>(k + 1);
      continue;
    }
    for (int64_t j = 0; j < x.n && p != k; ++j) std::swap(x.at(k, j), x.at(p, j));
    for (int64_t i = k + 1; i < x.m; ++i) x.at(i, k) /= x.at(k, k);
    for (int64_t j = k + 1; j < x.n; ++j)
      for (int64_t i = k + 1; i < x.m; ++i) x.at(i, j) -= x.at(i, k) * x.at(k, j);
  }
  return info;
}
// r = x^-1 r, column by column of x.
template <class T>
void substitute(Matrix<T>& x, bool upper, bool unit, Matrix<T>& r) {
  Interrupt interrupt;
  for (int64_t c = 0; c < r.n; ++c)
    for (int64_t k = 0; k < x.n; ++k) {
      const int64_t j = upper ? x.n - 1 - k : k, from = upper ? 0 : j + 1, to = upper ? j : x.n;
      if (!unit) r.at(j, c) /= x.at(j, j);
      const T v = r.at(j, c);
      const T* column = x.data() + j * x.m;
      T* y = r.data() + c * r.m;
      interrupt.passed(to - from + 1);
      for (int64_t i = from; i < to; ++i) y[i] -= column[i] * v;
    }
}
// The lower factor in place, of the lower triangle. False when there is none.
template <class T>
bool small_cholesky(Matrix<T>& x) {
  for (int64_t j = 0; j < x.n; ++j) {
    double d = std::real(x.at(j, j));
    for (int64_t k = 0; k < j; ++k) d -= std::norm(x.at(j, k));
    if (!(d > 0)) return false;
    d = std::sqrt(d);
    x.at(j, j) = T(d);
    for (int64_t i = j + 1; i < x.n; ++i) {
      T s = x.at(i, j);
      for (int64_t k = 0; k < j; ++k) {
        if constexpr (kComplex<T>)
          s -= x.at(i, k) * std::conj(x.at(j, k));
        else
          s -= x.at(i, k) * x.at(j, k);
      }
      x.at(i, j) = s / d;
    }
  }
  return true;
}

template <class T>
struct Solver {
  const LinalgArgs& a;

  void lu(int64_t b) {
    auto x = load<T>(a.in[0], b);
    int m = as_int(x.m), n = as_int(x.n), lda = std::max(1, m), info = 0;
    std::vector<int> pivots(z(std::max<int64_t>(1, std::min(x.m, x.n))));
    if (x.m <= kSmall && x.n <= kSmall)
      info = small_lu(x, pivots);
    else
      call<T>("dgetrf_", "zgetrf_", &m, &n, x.data(), &lda, pivots.data(), &info);
    store(a.out[0], b, x);
    store_vector(a.out[1], b, pivots);
    store_info(a.out[2], b, info);
  }
  // in: LU, pivots, B; flag: 0 A x = B, 1 A^T x = B, 2 A^H x = B.
  void lu_solve(int64_t b) {
    auto x = load<T>(a.in[0], b), r = load<T>(a.in[2], b);
    std::vector<int> pivots(z(x.n) + 1);
    for (int64_t i = 0; i < x.n; ++i)
      load_tile(a.in[1].dtype, element(a.in[1], b, i, 0), 0, 1, &pivots[z(i)]);
    for (int64_t i = 0; i < x.n; ++i)
      if (pivots[z(i)] < 1 || pivots[z(i)] > x.n)
        raise<OpError>("lu_solve: pivots given are out of range");
    int n = as_int(x.n), k = as_int(r.n), ld = std::max(1, n), info = 0;
    const char* how = a.flag == 0 ? "N" : a.flag == 1 ? "T" : "C";
    if (a.flag == 0 && x.n <= kSmall) {
      for (int64_t i = 0; i < x.n; ++i)
        for (int64_t c = 0; c < r.n; ++c) std::swap(r.at(i, c), r.at(pivots[z(i)] - 1, c));
      substitute(x, false, true, r);
      substitute(x, true, false, r);
    } else if (n && k)
      call<T>("dgetrs_", "zgetrs_", how, &n, &k, x.data(), &ld, pivots.data(), r.data(), &ld, &info,
              size_t{1});
    store(a.out[0], b, r);
  }
  // flag: upper
  void cholesky(int64_t b) {
    auto x = load<T>(a.in[0], b);
    int n = as_int(x.n), ld = std::max(1, n), info = 0;
    if (a.flag || x.n > kSmall || !small_cholesky(x)) {
      if (!a.flag && x.n <= kSmall) x = load<T>(a.in[0], b);
      if (n) call<T>("dpotrf_", "zpotrf_", a.flag ? "U" : "L", &n, x.data(), &ld, &info, size_t{1});
    }
    for (int64_t j = 0; j < x.n; ++j)
      for (int64_t i = 0; i < x.n; ++i)
        if (a.flag ? i > j : i < j) x.at(i, j) = T(0);
    store(a.out[0], b, x);
    store_info(a.out[1], b, info);
  }
  void geqrf(int64_t b) {
    auto x = load<T>(a.in[0], b);
    int m = as_int(x.m), n = as_int(x.n), ld = std::max(1, m), info = 0;
    std::vector<T> tau(z(std::max<int64_t>(1, std::min(x.m, x.n))));
    if (m && n)
      with_workspace<T>([&](T* work, int* lwork) {
        call<T>("dgeqrf_", "zgeqrf_", &m, &n, x.data(), &ld, tau.data(), work, lwork, &info);
      });
    store(a.out[0], b, x);
    store_vector(a.out[1], b, tau);
  }
  // in: reflectors [m, k], tau [k]; out: [m, n], n >= k
  void householder(int64_t b) {
    auto v = load<T>(a.in[0], b), t = load<T>(a.in[1], b);
    Matrix<T> q(a.out[0].sizes[1], a.out[0].sizes[2]);
    for (int64_t j = 0; j < std::min(v.n, q.n); ++j)
      for (int64_t i = 0; i < v.m; ++i) q.at(i, j) = v.at(i, j);
    int m = as_int(q.m), n = as_int(q.n), k = as_int(t.m), ld = std::max(1, m), info = 0;
    if (m && n)
      with_workspace<T>([&](T* work, int* lwork) {
        call<T>("dorgqr_", "zungqr_", &m, &n, &k, q.data(), &ld, t.data(), work, lwork, &info);
      });
    store(a.out[0], b, q);
  }
  // out: U, S, Vh, info; flag: full matrices. U and Vh may be absent.
  void svd(int64_t b) {
    auto x = load<T>(a.in[0], b);
    for (T v : x.a)
      if (!std::isfinite(std::real(v)) || !std::isfinite(std::imag(v))) {
        store_info(a.out[3], b, 1);
        return;
      }
    int m = as_int(x.m), n = as_int(x.n), k = std::min(m, n), info = 0;
    bool vectors = a.out[0].data != nullptr;
    bool full = a.flag != 0;
    Matrix<T> u(m, full ? m : k), vh(full ? n : k, n);
    std::vector<double> s(z(std::max(1, k)));
    int lda = std::max(1, m), ldv = std::max(1, as_int(vh.m));
    const double kd = k, larger = std::max(m, n);
    check_workspace(4 * kd * kd + 7 * kd + larger);
    const double reals =
        kComplex<T> ? std::max(5 * kd * kd + 5 * kd, 2 * larger * kd + 2 * kd * kd + kd) + 1 : 1;
    expect_memory(reals * sizeof(double) + 8 * kd * sizeof(int));
    std::vector<int> iwork(8 * z(std::max(1, k)));
    std::vector<double> rwork(static_cast<size_t>(reals));
    const char* job = !vectors ? "N" : full ? "A" : "S";
    if (m && n) {
      with_workspace<T>([&](T* work, int* lwork) {
        if constexpr (kComplex<T>)
          lapack::call("zgesdd_", job, &m, &n, x.data(), &lda, s.data(), u.data(), &lda, vh.data(),
                       &ldv, work, lwork, rwork.data(), iwork.data(), &info, size_t{1});
        else
          lapack::call("dgesdd_", job, &m, &n, x.data(), &lda, s.data(), u.data(), &lda, vh.data(),
                       &ldv, work, lwork, iwork.data(), &info, size_t{1});
      });
    } else if (full) {
      for (int64_t i = 0; i < u.m; ++i) u.at(i, i) = T(1);
      for (int64_t i = 0; i < vh.m; ++i) vh.at(i, i) = T(1);
    }
    if (vectors) {
      store(a.out[0], b, u);
      store(a.out[2], b, vh);
    }
    store_vector(a.out[1], b, s);
    store_info(a.out[3], b, info);
  }
  // out: w, V (may be absent), info; flag: upper triangle
  void eigh(int64_t b) {
    auto x = load<T>(a.in[0], b);
    int n = as_int(x.n), ld = std::max(1, n), info = 0;
    std::vector<double> w(z(std::max(1, n)));
    const char *job = a.out[1].data ? "V" : "N", *uplo = a.flag ? "U" : "L";
    if (n) {
      check_workspace(1 + 6.0 * n + 2.0 * n * n);
      double rbest = 0;
      int ibest = 0, query = -1;
      T best{};
      auto run = [&](T* work, int* lwork, double* rwork, int* lrwork, int* iwork, int* liwork) {
        if constexpr (kComplex<T>)
          lapack::call("zheevd_", job, uplo, &n, x.data(), &ld, w.data(), work, lwork, rwork,
                       lrwork, iwork, liwork, &info, size_t{1}, size_t{1});
        else
          lapack::call("dsyevd_", job, uplo, &n, x.data(), &ld, w.data(), work, lwork, iwork,
                       liwork, &info, size_t{1}, size_t{1});
      };
      run(&best, &query, &rbest, &query, &ibest, &query);
      int lwork = workspace(std::real(best)), lrwork = workspace(rbest);
      expect_memory(static_cast<double>(lwork) * sizeof(T) +
                    static_cast<double>(lrwork) * sizeof(double));
      std::vector<T> work(z(lwork));
      std::vector<double> rwork(z(lrwork));
      std::vector<int> iwork(z(std::max(1, ibest)));
      run(work.data(), &lwork, rwork.data(), &lrwork, iwork.data(), &ibest);
    }
    store_vector(a.out[0], b, w);
    store(a.out[1], b, x);
    store_info(a.out[2], b, info);
  }
  // out: w, V (complex; V may be absent), info
  void eig(int64_t b) {
    auto x = load<T>(a.in[0], b);
    int n = as_int(x.n), ld = std::max(1, n), one = 1, info = 0;
    std::vector<Cd> w(z(std::max(1, n)));
    Matrix<Cd> v(n, n);
    const char* job = a.out[1].data ? "V" : "N";
    T none{};
    if (n) {
      if constexpr (kComplex<T>) {
        std::vector<double> rwork(z(2 * n));
        with_workspace<T>([&](T* work, int* lwork) {
          lapack::call("zgeev_", "N", job, &n, x.data(), &ld, w.data(), &none, &one, v.data(), &ld,
                       work, lwork, rwork.data(), &info, size_t{1}, size_t{1});
        });
      } else {
        std::vector<double> re(z(n)), im(z(n));
        Matrix<T> r(n, n);
        with_workspace<T>([&](T* work, int* lwork) {
          lapack::call("dgeev_", "N", job, &n, x.data(), &ld, re.data(), im.data(), &none, &one,
                       r.data(), &ld, work, lwork, &info, size_t{1}, size_t{1});
        });
        for (int64_t j = 0; j < n; ++j) {
          w[z(j)] = {re[z(j)], im[z(j)]};
          // A pair of conjugate eigenvectors stands in two columns: real part, imaginary part.
          bool first = im[z(j)] > 0 && j + 1 < n, second = im[z(j)] < 0 && j > 0;
          for (int64_t i = 0; i < n; ++i)
            v.at(i, j) = first    ? Cd(r.at(i, j), r.at(i, j + 1))
                         : second ? Cd(r.at(i, j - 1), -r.at(i, j))
                                  : Cd(r.at(i, j));
        }
      }
    }
    store_vector(a.out[0], b, w);
    store(a.out[1], b, v);
    store_info(a.out[2], b, info);
  }
  // out: LD, pivots, info; flag: hermitian
  void ldl(int64_t b) {
    auto x = load<T>(a.in[0], b);
    int n = as_int(x.n), ld = std::max(1, n), info = 0;
    std::vector<int> pivots(z(std::max(1, n)));
    if (n)
      with_workspace<T>([&](T* work, int* lwork) {
        call<T>("dsytrf_", a.flag ? "zhetrf_" : "zsytrf_", "L", &n, x.data(), &ld, pivots.data(),
                work, lwork, &info, size_t{1});
      });
    for (int64_t j = 0; j < x.n; ++j)
      for (int64_t i = 0; i < j; ++i) x.at(i, j) = T(0);
    store(a.out[0], b, x);
    store_vector(a.out[1], b, pivots);
    store_info(a.out[2], b, info);
  }
  void ldl_solve(int64_t b) {
    auto x = load<T>(a.in[0], b), r = load<T>(a.in[2], b);
    std::vector<int> pivots(z(x.n) + 1);
    for (int64_t i = 0; i < x.n; ++i) {
      load_tile(a.in[1].dtype, element(a.in[1], b, i, 0), 0, 1, &pivots[z(i)]);
      if (pivots[z(i)] == 0 || pivots[z(i)] < -x.n || pivots[z(i)] > x.n)
        raise<OpError>("ldl_solve: pivots given are out of range");
    }
    for (size_t i = 0; i < z(x.n); ++i)  // blocks of two have two negative ones; [n] is 0
      if (pivots[i] < 0 && pivots[++i] >= 0)
        raise<OpError>("ldl_solve: a negative pivot at position ", i - 1, " stands alone");
    int n = as_int(x.n), k = as_int(r.n), ld = std::max(1, n), info = 0;
    if (n && k)
      call<T>("dsytrs_", a.flag ? "zhetrs_" : "zsytrs_", "L", &n, &k, x.data(), &ld, pivots.data(),
              r.data(), &ld, &info, size_t{1});
    store(a.out[0], b, r);
  }
  // in: A, B; out: X; flag: 1 upper, 2 unit diagonal. A X = B by substitution.
  void triangular(int64_t b) {
    auto x = load<T>(a.in[0], b), r = load<T>(a.in[2], b);
    substitute(x, a.flag & 1, a.flag & 2, r);
    store(a.out[0], b, r);
  }
  // in: A, -, B; out: X [n, k], singular values, -, rank; value: rcond
  void lstsq(int64_t b) {
    auto x = load<T>(a.in[0], b), rhs = load<T>(a.in[2], b);
    for (const auto* v : {&x.a, &rhs.a})  // LAPACK would refuse it too, on the standard output
      if (std::any_of(v->begin(), v->end(), [](T e) { return e != e; }))
        raise<OpError>("torch.linalg.lstsq: the least squares solution of nan is not defined");
    int m = as_int(x.m), n = as_int(x.n), k = as_int(rhs.n), rank = 0, info = 0;
    int big = std::max({1, m, n}), ld = std::max(1, m);
    Matrix<T> r(big, k);
    for (int64_t j = 0; j < k; ++j)
      for (int64_t i = 0; i < m; ++i) r.at(i, j) = rhs.at(i, j);
    std::vector<double> s(z(std::max(1, std::min(m, n))));
    double rcond = a.value;
    if (m && n && k) {
      // Of the workspace it counts products of the smaller side with itself and with the columns.
      const double least = std::min(m, n);
      check_workspace(least * (26 * 26 + least + k));
      T best{};
      double rbest = 0;
      int ibest = 0, query = -1;
      auto run = [&](T* work, int* lwork, double* rwork, int* iwork) {
        if constexpr (kComplex<T>)
          lapack::call("zgelsd_", &m, &n, &k, x.data(), &ld, r.data(), &big, s.data(), &rcond,
                       &rank, work, lwork, rwork, iwork, &info);
        else
          lapack::call("dgelsd_", &m, &n, &k, x.data(), &ld, r.data(), &big, s.data(), &rcond,
                       &rank, work, lwork, iwork, &info);
      };
      run(&best, &query, &rbest, &ibest);
      int lwork = workspace(std::real(best)), lrwork = workspace(rbest);
      expect_memory(static_cast<double>(lwork) * sizeof(T) +
                    static_cast<double>(lrwork) * sizeof(double));
      std::vector<T> work(z(lwork));
      std::vector<double> rwork(z(lrwork));
      std::vector<int> iwork(z(std::max(1, ibest)));
      run(work.data(), &lwork, rwork.data(), iwork.data());
    }
    store(a.out[0], b, r);
    store_vector(a.out[1], b, s);
    if (a.out[3].data) a.out[3].ptr<int64_t>()[b * a.out[3].strides[0]] = rank;
  }
  // in: pivots [k]; out: the permutation of m rows that they stand for
  void permutation(int64_t b) {
    int64_t m = a.out[0].sizes[1];
    expect_memory(static_cast<double>(m) * sizeof(int64_t));
    std::vector<int64_t> p(z(m));
    for (int64_t i = 0; i < m; ++i) p[z(i)] = i;
    for (int64_t i = 0; i < a.in[0].sizes[1]; ++i) {
      int64_t k = 0;
      load_tile(a.in[0].dtype, element(a.in[0], b, i, 0), 0, 1, &k);
      if (k < 1 || k > m || i >= m)
        raise<OpError>("lu_unpack: pivots are expected to be from 1 to ", m);
      std::swap(p[z(i)], p[z(k - 1)]);
    }
    store_vector(a.out[0], b, p);
  }

  void run(int64_t b) {
    switch (a.op) {
      case Linalg::lu: return lu(b);
      case Linalg::lu_solve: return lu_solve(b);
      case Linalg::cholesky: return cholesky(b);
      case Linalg::geqrf: return geqrf(b);
      case Linalg::householder: return householder(b);
      case Linalg::svd: return svd(b);
      case Linalg::eigh: return eigh(b);
      case Linalg::eig: return eig(b);
      case Linalg::ldl: return ldl(b);
      case Linalg::ldl_solve: return ldl_solve(b);
      case Linalg::triangular: return triangular(b);
      case Linalg::lstsq: return lstsq(b);
      case Linalg::permutation: return permutation(b);
    }
  }
};

void linalg(const LinalgArgs& a) {
  int64_t batches = a.in[0].sizes[0];
  for (int64_t b = 0; b < batches; ++b) {
    if (is_complex(a.in[0].dtype))
      Solver<Cd>{a}.run(b);
    else
      Solver<double>{a}.run(b);
  }
}

}  // namespace

SCONCE_KERNEL(linalg)

}  // namespace sconce::ref
