// SPDX-License-Identifier: Apache-2.0
// Factorisations and solvers; what is made of them stands in ops/torchscript/linalg.inc.
#include <algorithm>
#include <cstring>

#include "ops/tensor_ops.h"

namespace sconce::ops {

namespace {

void check_matrix(const Tensor& t, const char* op) {
  if (t.dim() < 2)
    raise<OpError>(op, ": The input tensor A must have at least 2 dimensions, got ", t.dim());
  if (t.dtype() != kFloat && t.dtype() != kDouble && t.dtype() != kComplexFloat &&
      t.dtype() != kComplexDouble)
    raise<OpError>(op, ": Expected a floating point or complex tensor as input. Got ",
                   scalar_type_name(t.dtype()));
}
void check_square(const Tensor& t, const char* op) {
  check_matrix(t, op);
  if (t.size(-1) != t.size(-2))
    raise<OpError>(op, ": A must be batches of square matrices, but they are ", t.size(-2), " by ",
                   t.size(-1), " matrices");
}
// The dims before the last n.
IntVec lead(const Tensor& t, int64_t n) {
  IntVec s(t.sizes());
  for (int64_t i = 0; i < n; ++i) s.pop_back();
  return s;
}
IntVec with(IntVec s, std::initializer_list<int64_t> tail) {
  for (int64_t d : tail) s.push_back(d);
  return s;
}
int64_t count(const IntVec& s) {
  int64_t n = 1;
  for (int64_t d : s) n *= d;
  return n;
}
// [b, m, n] of [..., m, n].
Tensor batch(const Tensor& t) {
  return reshape(contiguous(t), {count(lead(t, 2)), t.size(-2), t.size(-1)});
}
Tensor batch_vector(const Tensor& t) {
  return reshape(contiguous(t), {count(lead(t, 1)), t.size(-1)});
}
IntVec drop_last(const Tensor& t) { return lead(t, 1); }
// Runs op over batches; outputs may be absent.
void solve(Linalg op, std::initializer_list<const Tensor*> outs, std::vector<Tensor> in,
           int32_t flag = 0, double value = 0) {
  const int64_t batches = in[0].size(0);
  for (const Tensor& t : in)
    if (t.defined() && t.size(0) != batches)
      raise<OpError>("linear algebra: batches of ", batches, " and ", t.size(0), " matrices");
  if (batches == 0) return;
  LinalgArgs a{};
  size_t i = 0;
  for (const Tensor* t : outs) {
    if (t && t->defined()) a.out[i] = view_of(*t);
    ++i;
  }
  for (i = 0; i < in.size(); ++i)
    if (in[i].defined()) a.in[i] = view_of(in[i]);
  a.op = op;
  a.flag = flag;
  a.value = value;
  call_slot(a);
}

std::tuple<Tensor, Tensor, Tensor> lu_factor_ex(const Tensor& A, bool pivot, bool check) {
  check_matrix(A, "torch.lu_factor");
  if (!pivot) raise<OpError>("linalg.lu_factor: LU without pivoting is not implemented on the CPU");
  IntVec l = lead(A, 2);
  int64_t m = A.size(-2), n = A.size(-1);
  Tensor lu = empty(A.sizes(), A.dtype()), p = empty(with(l, {std::min(m, n)}), kInt),
         info = empty(l, kInt);
  Tensor x = batch(A), lu3 = view(lu, {x.size(0), m, n}), p2 = view(p, {x.size(0), std::min(m, n)}),
         i1 = view(info, {x.size(0)});
  solve(Linalg::lu, {&lu3, &p2, &i1}, {x});
  if (check)
    for (int64_t v : host_ints(info))
      if (v < 0) raise<OpError>("torch.linalg.lu_factor: an argument is invalid");
  return {lu, p, info};
}

// LU [.., n, n], pivots [.., n], B [.., n, k], broadcast. how: 0 A, 1 A^T, 2 A^H.
Tensor solve_lu(const Tensor& LU, const Tensor& pivots, const Tensor& B, int how) {
  check_square(LU, "torch.linalg.lu_solve");
  if (B.dim() < 2 || B.size(-2) != LU.size(-1) || B.dtype() != LU.dtype())
    raise<OpError>("linalg.lu_solve: Incompatible shapes or dtypes of LU ", LU.sizes(), " and B ",
                   B.sizes());
  if (pivots.dtype() != kInt) raise<OpError>("linalg.lu_solve: pivots should be of type Int");
  if (pivots.dim() < 1 || pivots.size(-1) != LU.size(-1))
    raise<OpError>("linalg.lu_solve: Number of pivots per batch should be same as the dimension");
  IntVec l = broadcast(lead(LU, 2), lead(B, 2));
  int64_t n = LU.size(-1), k = B.size(-1);
  Tensor a = batch(expand_to(LU, with(l, {n, n}))),
         p = batch_vector(expand_to(pivots, with(l, {n}))),
         b = batch(expand_to(B, with(l, {n, k})));
  Tensor r = empty({b.size(0), n, k}, B.dtype());
  if (r.numel()) solve(Linalg::lu_solve, {&r}, {a, p, b}, how);
  return view(r, with(l, {n, k}));
}
Tensor transposed(const Tensor& t) { return transpose(t, -2, -1); }
Tensor linalg_lu_solve(const Tensor& LU, const Tensor& pivots, const Tensor& B, bool left,
                       bool adjoint) {
  if (left) return solve_lu(LU, pivots, B, adjoint ? 2 : 0);
  // X A = B is A^T X^T = B^T; X A^H = B is conj(A) X^T = B^T.
  if (!adjoint) return transposed(solve_lu(LU, pivots, transposed(B), 1));
  auto conj = [](const Tensor& t) {
    return is_complex(t.dtype()) ? unary(Unary::conj, t, t.dtype()) : t;
  };
  return transposed(conj(solve_lu(LU, pivots, conj(transposed(B)), 0)));
}

std::tuple<Tensor, Tensor, Tensor> lu_unpack(const Tensor& LU, const Tensor& pivots, bool data,
                                             bool unpack_pivots) {
  if (LU.dim() < 2) raise<OpError>("torch.lu_unpack: Expected tensor with 2 or more dimensions");
  if (unpack_pivots && pivots.dtype() != kInt)
    raise<OpError>(
        "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of "
        "torch.int32 dtype.");
  IntVec l = lead(LU, 2);
  int64_t m = LU.size(-2), n = LU.size(-1), k = std::min(m, n), b = count(l);
  if (unpack_pivots) {
    IntVec expected = l;
    expected.push_back(k);
    if (pivots.sizes() != IntArrayRef(expected))
      raise<OpError>("torch.lu_unpack: expected LU_pivots of sizes ", IntArrayRef(expected),
                     ", got ", pivots.sizes());
  }
  Tensor P = empty({0}, LU.dtype()), L = empty({0}, LU.dtype()), U = empty({0}, LU.dtype());
  if (data) {
    L = triangle(contiguous(narrow(LU, -1, 0, k)), -1, false);
    Tensor eye = empty({m, k}, LU.dtype());
    if (eye.numel()) call_slot(SequenceArgs{view_of(eye), {}, Sequence::eye, {}, {}, {}});
    L = add(L, eye, Scalar(1));
    U = triangle(contiguous(narrow(LU, -2, 0, k)), 0, true);
  }
  if (unpack_pivots) {
    Tensor perm = empty({b, m}, kLong);
    Tensor p = batch_vector(pivots);
    if (perm.numel()) solve(Linalg::permutation, {&perm}, {p});
    // Row i of the product is row perm[i]: P has a one at (perm[i], i).
    Tensor rows = empty({m}, kLong);
    if (m)
      call_slot(SequenceArgs{
          view_of(rows), {}, Sequence::arange, number(Scalar(0)), {}, number(Scalar(1))});
    Tensor hit = eq_tensor(unsqueeze(perm, 1), reshape(rows, {1, m, 1}));
    P = view(contiguous(cast(hit, LU.dtype())), with(l, {m, m}));
  }
  return {P, L, U};
}

std::tuple<Tensor, Tensor> cholesky_ex(const Tensor& A, bool upper, bool check) {
  check_square(A, "linalg.cholesky");
  IntVec l = lead(A, 2);
  Tensor r = empty(A.sizes(), A.dtype()), info = empty(l, kInt), x = batch(A);
  Tensor r3 = view(r, IntVec(x.sizes())), i1 = view(info, {x.size(0)});
  solve(Linalg::cholesky, {&r3, &i1}, {x}, upper);
  if (check)
    for (int64_t v : host_ints(info))
      if (v)
        raise<OpError>(
            "linalg.cholesky: The factorization could not be completed because the "
            "input is not positive-definite (the leading minor of order ",
            v, " is not positive-definite).");
  return {r, info};
}

std::tuple<Tensor, Tensor> geqrf(const Tensor& A) {
  check_matrix(A, "torch.geqrf");
  IntVec l = lead(A, 2);
  Tensor x = batch(A);
  int64_t k = std::min(x.size(1), x.size(2));
  Tensor r = empty(A.sizes(), A.dtype()), tau = empty(with(l, {k}), A.dtype());
  Tensor r3 = view(r, IntVec(x.sizes())), t2 = view(tau, {x.size(0), k});
  solve(Linalg::geqrf, {&r3, &t2}, {x});
  return {r, tau};
}
Tensor householder_columns(const Tensor& v, const Tensor& tau, int64_t columns) {
  Tensor x = batch(v), t = batch_vector(tau);
  Tensor q = empty({x.size(0), x.size(1), columns}, v.dtype());
  solve(Linalg::householder, {&q}, {x, t});
  return view(q, with(lead(v, 2), {v.size(-2), columns}));
}
Tensor householder_product(const Tensor& v, const Tensor& tau) {
  check_matrix(v, "torch.linalg.householder_product");
  if (v.size(-2) < v.size(-1) || tau.size(-1) > v.size(-1) || tau.dtype() != v.dtype() ||
      tau.dim() != v.dim() - 1)
    raise<OpError>("torch.linalg.householder_product: input ", v.sizes(), " and tau ", tau.sizes(),
                   " do not fit");
  return householder_columns(v, tau, v.size(-1));
}
std::tuple<Tensor, Tensor> linalg_qr(const Tensor& A, const std::string& mode) {
  check_matrix(A, "linalg.qr");
  if (mode != "reduced" && mode != "complete" && mode != "r")
    raise<OpError>("qr received unrecognized mode '", mode,
                   "' but expected one of 'reduced' (default), 'r', or 'complete'");
  auto [v, tau] = geqrf(A);
  int64_t m = A.size(-2), n = A.size(-1), k = std::min(m, n);
  int64_t rows = mode == "complete" ? m : k;
  Tensor r = triangle(v, 0, true);
  r = contiguous(narrow(r, -2, 0, rows));
  if (mode == "r") return {empty({0}, A.dtype()), r};
  Tensor q = householder_columns(contiguous(narrow(v, -1, 0, k)), tau, mode == "complete" ? m : k);
  return {q, r};
}

std::tuple<Tensor, Tensor, Tensor> linalg_svd(const Tensor& A, bool full, bool vectors,
                                              std::optional<std::string>) {
  check_matrix(A, "linalg.svd");
  Tensor x = batch(A);
  int64_t b = x.size(0), m = x.size(1), n = x.size(2), k = std::min(m, n);
  IntVec l = lead(A, 2);
  Tensor u = vectors ? empty({b, m, full ? m : k}, A.dtype()) : Tensor(),
         s = empty({b, k}, real_of(A.dtype())),
         v = vectors ? empty({b, full ? n : k, n}, A.dtype()) : Tensor(), info = empty({b}, kInt);
  solve(Linalg::svd, {&u, &s, &v, &info}, {x}, full);
  for (int64_t e : b ? host_ints(info) : std::vector<int64_t>())
    if (e)
      raise<OpError>(
          "linalg.svd: The algorithm failed to converge because the input matrix contained "
          "non-finite values.");
  s = view(s, with(l, {k}));
  if (!vectors) return {empty({0}, A.dtype()), s, empty({0}, A.dtype())};
  return {view(u, with(l, {m, full ? m : k})), s, view(v, with(l, {full ? n : k, n}))};
}
std::tuple<Tensor, Tensor> eigh_impl(const Tensor& A, const std::string& uplo, bool vectors) {
  check_square(A, "linalg.eigh");
  if (uplo.size() != 1 || !std::strchr("LUlu", uplo[0]))
    raise<OpError>("Expected UPLO argument to be 'L' or 'U', but got ", uplo);
  Tensor x = batch(A);
  int64_t b = x.size(0), n = x.size(1);
  IntVec l = lead(A, 2);
  Tensor w = empty({b, n}, real_of(A.dtype())),
         v = vectors ? empty({b, n, n}, A.dtype()) : Tensor(), info = empty({b}, kInt);
  solve(Linalg::eigh, {&w, &v, &info}, {x}, uplo[0] == 'U' || uplo[0] == 'u');
  for (int64_t e : b ? host_ints(info) : std::vector<int64_t>())
    if (e)
      raise<OpError>(
          "linalg.eigh: The algorithm failed to converge because the input matrix is "
          "ill-conditioned or has too many repeated eigenvalues.");
  return {view(w, with(l, {n})), vectors ? view(v, with(l, {n, n})) : empty({0}, A.dtype())};
}
std::tuple<Tensor, Tensor> linalg_eigh(const Tensor& A, const std::string& uplo) {
  return eigh_impl(A, uplo, true);
}
std::tuple<Tensor, Tensor> eig_impl(const Tensor& A, bool vectors) {
  check_square(A, "linalg.eig");
  ScalarType c = A.dtype() == kFloat    ? kComplexFloat
                 : A.dtype() == kDouble ? kComplexDouble
                                        : A.dtype();
  Tensor finite = unary(Unary::isfinite, A, kBool);
  Tensor all =
      reduce(Reduce::all, finite, reduce_dims(OptInts(), finite.dim()), false, kBool, kBool);
  if (A.numel() && !bool_of(all))
    raise<OpError>("torch.linalg.eig: input tensor should not contain infs or NaNs.");
  Tensor x = batch(A);
  int64_t b = x.size(0), n = x.size(1);
  IntVec l = lead(A, 2);
  Tensor w = empty({b, n}, c), v = vectors ? empty({b, n, n}, c) : Tensor(),
         info = empty({b}, kInt);
  solve(Linalg::eig, {&w, &v, &info}, {x});
  return {view(w, with(l, {n})), vectors ? view(v, with(l, {n, n})) : Tensor()};
}
std::tuple<Tensor, Tensor> linalg_eig(const Tensor& A) { return eig_impl(A, true); }
Tensor linalg_eigvals(const Tensor& A) { return std::get<0>(eig_impl(A, false)); }

std::tuple<Tensor, Tensor, Tensor> ldl_factor_ex(const Tensor& A, bool hermitian, bool) {
  check_square(A, "torch.linalg.ldl_factor_ex");
  Tensor x = batch(A);
  int64_t n = x.size(1);
  IntVec l = lead(A, 2);
  Tensor r = empty(A.sizes(), A.dtype()), p = empty(with(l, {n}), kInt), info = empty(l, kInt);
  Tensor r3 = view(r, IntVec(x.sizes())), p2 = view(p, {x.size(0), n}),
         i1 = view(info, {x.size(0)});
  solve(Linalg::ldl, {&r3, &p2, &i1}, {x}, hermitian);
  return {r, p, info};
}
Tensor ldl_solve(const Tensor& LD, const Tensor& pivots, const Tensor& B, bool hermitian) {
  check_square(LD, "torch.linalg.ldl_solve");
  if (B.dim() < 2 || B.size(-2) != LD.size(-1) || B.dtype() != LD.dtype())
    raise<OpError>("torch.linalg.ldl_solve: B ", B.sizes(), " does not fit LD ", LD.sizes());
  IntVec l = broadcast(lead(LD, 2), lead(B, 2));
  int64_t n = LD.size(-1), k = B.size(-1);
  Tensor a = batch(expand_to(LD, with(l, {n, n}))),
         p = batch_vector(expand_to(pivots, with(l, {n}))),
         b = batch(expand_to(B, with(l, {n, k})));
  Tensor r = empty({b.size(0), n, k}, B.dtype());
  if (r.numel()) solve(Linalg::ldl_solve, {&r}, {a, p, b}, hermitian);
  return view(r, with(l, {n, k}));
}

Tensor solve_triangular(const Tensor& A0, const Tensor& B0, bool upper, bool left, bool unit) {
  check_square(A0, "linalg.solve_triangular");
  if (B0.dim() < 2 || B0.dtype() != A0.dtype() || B0.size(left ? -2 : -1) != A0.size(-1))
    raise<OpError>("linalg.solve_triangular: Incompatible shapes or dtypes of A ", A0.sizes(),
                   " and B ", B0.sizes(), " for the equation ", left ? "AX = B" : "XA = B");
  if (!left)
    return transposed(solve_triangular(transposed(A0), transposed(B0), !upper, true, unit));
  IntVec l = broadcast(lead(A0, 2), lead(B0, 2));
  int64_t n = A0.size(-1), k = B0.size(-1);
  Tensor a = batch(expand_to(A0, with(l, {n, n}))), b = batch(expand_to(B0, with(l, {n, k})));
  Tensor r = empty({b.size(0), n, k}, B0.dtype());
  if (r.numel())
    solve(Linalg::triangular, {&r}, {a, Tensor(), b}, (upper ? 1 : 0) | (unit ? 2 : 0));
  return view(r, with(l, {n, k}));
}

std::tuple<Tensor, Tensor, Tensor, Tensor> lstsq(const Tensor& A, const Tensor& b0, OptDouble rcond,
                                                 std::optional<std::string> driver) {
  check_matrix(A, "torch.linalg.lstsq");
  std::string how = driver.value_or("gelsy");
  if (how != "gels" && how != "gelsy" && how != "gelsd" && how != "gelss")
    raise<OpError>(
        "torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, "
        "gelss)");
  if (b0.dtype() != A.dtype() || b0.dim() < 1)
    raise<OpError>("torch.linalg.lstsq: input.dtype() and other.dtype() must be the same");
  bool vector = A.dim() - 1 == b0.dim() && IntVec(b0.sizes()) == drop_last(A);
  Tensor b = vector ? unsqueeze(b0, -1) : b0;
  if (b.dim() < 2 || b.size(-2) != A.size(-2))
    raise<OpError>("torch.linalg.lstsq: input.size(-2) should match other.size(-2)");
  IntVec l = broadcast(lead(A, 2), lead(b, 2));
  int64_t m = A.size(-2), n = A.size(-1), k = b.size(-1);
  Tensor a3 = batch(expand_to(A, with(l, {m, n}))), b3 = batch(expand_to(b, with(l, {m, k})));
  int64_t batches = a3.size(0);
  double eps = real_of(A.dtype()) == kDouble ? 2.220446049250313e-16 : 1.1920928955078125e-07;
  Tensor x = empty({batches, n, k}, A.dtype()),
         s = empty({batches, std::min(m, n)}, real_of(A.dtype())), rank = empty({batches}, kLong);
  solve(Linalg::lstsq, {&x, &s, nullptr, &rank}, {a3, Tensor(), b3}, 0,
        how == "gels" ? -1 : rcond.value_or(eps * static_cast<double>(std::max(m, n))));
  ScalarType real = real_of(A.dtype());
  Tensor residuals = empty({0}, real);
  bool full = m > n && how != "gelsy";
  if (full)
    for (int64_t r : host_ints(rank)) full &= r == n;
  if (full) {
    Tensor d = sub(matmul(a3, x), b3, Scalar(1));
    Tensor sq = is_complex(d.dtype()) ? unary(Unary::complex_abs, d, real) : d;
    residuals = sum_dim(mul(sq, sq), OptInts(IntVec{1}), false, {});
    residuals = vector ? reshape(residuals, l) : reshape(residuals, with(l, {k}));
  }
  Tensor solution = view(x, with(l, {n, k}));
  if (vector) solution = squeeze_dim(solution, -1);
  return {solution, residuals, how == "gels" ? empty({0}, kLong) : view(rank, l),
          how == "gelsd" || how == "gelss" ? view(s, with(l, {std::min(m, n)})) : empty({0}, real)};
}

constexpr OpDef kOps[] = {
    // clang-format off
    op<lu_factor_ex>("aten::linalg_lu_factor_ex"), op<linalg_lu_solve>("aten::linalg_lu_solve"), op<lu_unpack>("aten::lu_unpack"), op<cholesky_ex>("aten::linalg_cholesky_ex"), op<geqrf>("aten::geqrf"), op<householder_product>("aten::linalg_householder_product"), op<householder_product>("aten::orgqr"), op<linalg_qr>("aten::linalg_qr"),
    op<linalg_svd>("aten::_linalg_svd"), op<eigh_impl>("aten::_linalg_eigh"), op<linalg_eigh>("aten::linalg_eigh"), op<linalg_eig>("aten::linalg_eig"), op<linalg_eigvals>("aten::linalg_eigvals"), op<linalg_eigvals>("aten::_linalg_eigvals"), op<ldl_factor_ex>("aten::linalg_ldl_factor_ex"), op<ldl_solve>("aten::linalg_ldl_solve"),
    op<solve_triangular>("aten::linalg_solve_triangular"), op<lstsq>("aten::linalg_lstsq"),
    // clang-format on
};

}  // namespace

extern const OpTable::RowList kLinalgOps;
const OpTable::RowList kLinalgOps = rows_in_build<kOps>();

}  // namespace sconce::ops
