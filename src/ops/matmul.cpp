// SPDX-License-Identifier: Apache-2.0
// Products: mm, bmm, matmul, linear, einsum, attention.
#include <algorithm>
#include <cmath>

#include "ops/host_memory.h"
#include "ops/tensor_ops.h"

namespace sconce::ops {

namespace {

void same_type(const Tensor& a, const Tensor& b, const char* op) {
  if (a.dtype() != b.dtype())
    raise<OpError>(op, ": expected m1 and m2 to have the same dtype, but got: ",
                   scalar_type_name(a.dtype()), " != ", scalar_type_name(b.dtype()));
}
// out = alpha a @ b + beta out; 3-d.
void product(const Tensor& out, const Tensor& a, const Tensor& b, const Tensor* bias, double alpha,
             double beta) {
  if (out.numel() == 0) return;
  call_slot(GemmArgs{view_of(out), view_of(a), view_of(b), view_of(bias), alpha, beta});
}
Tensor mm(const Tensor& a, const Tensor& b) {
  if (a.dim() != 2 || b.dim() != 2)
    raise<OpError>("mat1 and mat2 must be matrices, got ", a.dim(), "-D and ", b.dim(),
                   "-D tensors");
  if (a.size(1) != b.size(0))
    raise<OpError>("mat1 and mat2 shapes cannot be multiplied (", a.size(0), "x", a.size(1),
                   " and ", b.size(0), "x", b.size(1), ")");
  same_type(a, b, "mm");
  Tensor r = empty({a.size(0), b.size(1)}, a.dtype());
  product(unsqueeze(r, 0), unsqueeze(a, 0), unsqueeze(b, 0), nullptr, 1, 0);
  return r;
}
Tensor bmm(const Tensor& a, const Tensor& b) {
  if (a.dim() != 3 || b.dim() != 3) raise<OpError>("batch1 and batch2 must be 3D tensors");
  if (a.size(0) != b.size(0) || a.size(2) != b.size(1))
    raise<OpError>("Expected size for first two dimensions of batch2 tensor to be: [", a.size(0),
                   ", ", a.size(2), "] but got: [", b.size(0), ", ", b.size(1), "].");
  same_type(a, b, "bmm");
  Tensor r = empty({a.size(0), a.size(1), b.size(2)}, a.dtype());
  product(r, a, b, nullptr, 1, 0);
  return r;
}
Tensor mv(const Tensor& a, const Tensor& v) {
  if (a.dim() != 2 || v.dim() != 1 || a.size(1) != v.size(0))
    raise<OpError>("size mismatch, got input (", a.sizes(), "), vec (", v.sizes(), ")");
  return squeeze_dim(mm(a, unsqueeze(v, 1)), 1);
}
Tensor dot(const Tensor& a, const Tensor& b) {
  if (a.dim() != 1 || b.dim() != 1)
    raise<OpError>("1D tensors expected, but got ", a.dim(), "D and ", b.dim(), "D tensors");
  if (a.numel() != b.numel())
    raise<OpError>("inconsistent tensor size, expected tensor ", a.sizes(), " and src ", b.sizes(),
                   " to have the same number of elements");
  same_type(a, b, "dot");
  return reshape(mm(unsqueeze(a, 0), unsqueeze(b, 1)), {});
}
Tensor vdot(const Tensor& a, const Tensor& b) {
  return dot(is_complex(a.dtype()) ? unary(Unary::conj, a, a.dtype()) : a, b);
}
Tensor outer(const Tensor& a, const Tensor& b) {
  if (a.dim() != 1 || b.dim() != 1) raise<OpError>("outer: Expected 1-D arguments");
  return mul(unsqueeze(a, 1), unsqueeze(b, 0));
}
// beta * self + alpha * r; self is ignored when beta is 0.
Tensor combine(const Tensor& self, const Tensor& r, const Scalar& beta, const Scalar& alpha) {
  // Integers are scaled by integers.
  auto scaled = [](const Tensor& t, const Scalar& by) {
    if (by.d == 1 && by.im == 0) return t;
    return mul_scalar(t, is_integral(t.dtype(), true) ? Scalar(by.i) : by);
  };
  Tensor x = cast(scaled(r, alpha), r.dtype());
  if (beta.d == 0 && beta.im == 0) {
    (void)broadcast(self.sizes(), r.sizes());
    return x;
  }
  Tensor s = expand_to(self, r.sizes());
  if (s.dtype() != r.dtype())
    raise<OpError>("expected input of dtype ", scalar_type_name(r.dtype()), " but got ",
                   scalar_type_name(s.dtype()));
  return add(cast(scaled(s, beta), s.dtype()), x, Scalar(1));
}
Tensor addmm(const Tensor& s, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  return combine(s, mm(a, b), beta, alpha);
}
Tensor addmv(const Tensor& s, const Tensor& a, const Tensor& v, Scalar beta, Scalar alpha) {
  return combine(s, mv(a, v), beta, alpha);
}
Tensor addr(const Tensor& s, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  Tensor r = outer(a, b);
  ScalarType t = result_type(s, r);
  if (is_integral(t, true) && (beta.is_floating() || alpha.is_floating()))
    raise<OpError>("For integral input tensors, argument ", beta.is_floating() ? "beta" : "alpha",
                   " must not be a floating point number.");
  if (t == kBool) {
    bool use_self = beta.i != 0, use_outer = alpha.i != 0;
    Tensor x = expand_to(s, r.sizes());
    if (!use_outer) r = zeros_like_of(r);
    return use_self ? binary(Binary::logical_or, x, r, kBool, kBool) : r;
  }
  return combine(cast(s, t), cast(r, t), beta, alpha);
}
Tensor baddbmm(const Tensor& s, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  return combine(s, bmm(a, b), beta, alpha);
}
Tensor addbmm(const Tensor& s, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  return combine(s, cast(sum_dim(bmm(a, b), OptInts(IntVec{0}), false, {}), a.dtype()), beta,
                 alpha);
}
Tensor product_of(const TensorList& l) {
  Tensor r = l[0];
  for (size_t i = 1; i < l.size(); ++i) r = matmul(r, l[i]);
  return r;
}
Tensor chain_matmul(TensorList l) {
  if (l.empty()) raise<OpError>("chain_matmul(): Expected one or more matrices");
  for (const Tensor& t : l)
    if (t.dim() != 2) raise<OpError>("Tensor dimension is ", t.dim(), ", expected 2 instead.");
  return product_of(l);
}
// The first and the last may be vectors.
Tensor multi_dot(TensorList l) {
  if (l.size() < 2) raise<OpError>("multi_dot(): expected at least 2 tensors but got ", l.size());
  for (size_t i = 0; i < l.size(); ++i) {
    const bool end = i == 0 || i + 1 == l.size();
    if (l[i].dim() != 2 && !(end && l[i].dim() == 1))
      raise<OpError>("multi_dot(): tensor ", i, " must be ", end ? "1D or " : "", "2D but got ",
                     l[i].dim(), "D");
    if (l[i].dtype() != l[0].dtype())
      raise<OpError>("multi_dot(): all tensors must have be the same dtype but tensor 0 is ",
                     scalar_type_name(l[0].dtype()), " and tensor ", i, " ",
                     scalar_type_name(l[i].dtype()));
  }
  return product_of(l);
}
Tensor inner(const Tensor& a, const Tensor& b) {
  if (a.dim() == 0 || b.dim() == 0) return mul(a, b);
  if (a.size(-1) != b.size(-1))
    raise<OpError>("inner() the last dimension must match on both input tensors but got shapes ",
                   a.sizes(), " and ", b.sizes());
  IntVec s(a.sizes());
  s.pop_back();
  for (int64_t i = 0; i + 1 < b.dim(); ++i) s.push_back(b.size(i));
  auto rows = [](const Tensor& t) {
    int64_t n = 1;
    for (int64_t i = 0; i + 1 < t.dim(); ++i) n *= t.size(i);
    return reshape(t, {n, t.size(-1)});
  };
  return reshape(mm(rows(a), transpose(rows(b), 0, 1)), s);
}
Tensor kron(const Tensor& a, const Tensor& b) {
  int64_t n = std::max(a.dim(), b.dim());
  IntVec as(static_cast<size_t>(2 * n), 1), bs(static_cast<size_t>(2 * n), 1),
      out(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    int64_t x = i + a.dim() >= n ? a.size(i + a.dim() - n) : 1,
            y = i + b.dim() >= n ? b.size(i + b.dim() - n) : 1;
    as[static_cast<size_t>(2 * i)] = x;
    bs[static_cast<size_t>(2 * i + 1)] = y;
    out[static_cast<size_t>(i)] = x * y;
  }
  return reshape(mul(reshape(a, as), reshape(b, bs)), out);
}
Tensor cross(const Tensor& a0, const Tensor& b0, int64_t dim) {
  if (a0.dim() != b0.dim())
    raise<OpError>("linalg.cross: inputs must have the same number of dimensions.");
  if (a0.size(dim) != 3 || b0.size(dim) != 3)
    raise<OpError>("linalg.cross: inputs dimension ", dim, " must have length 3. Got ",
                   a0.size(dim), " and ", b0.size(dim));
  IntVec s = broadcast(a0.sizes(), b0.sizes());
  Tensor a = expand_to(a0, s), b = expand_to(b0, s);
  int64_t d = wrap_dim(dim, a.dim());
  if (a.size(d) != 3) raise<OpError>("linalg.cross: inputs dimension ", dim, " must have length 3");
  auto at = [&](const Tensor& t, int64_t i) { return select(t, d, i); };
  TensorList r;
  for (int64_t i = 0; i < 3; ++i) {
    int64_t j = (i + 1) % 3, k = (i + 2) % 3;
    r.push_back(sub(mul(at(a, j), at(b, k)), mul(at(a, k), at(b, j)), Scalar(1)));
  }
  return stack(r, d);
}
Tensor cross_default(const Tensor& a, const Tensor& b, OptInt dim) {
  int64_t d = dim.value_or(-100);
  if (!dim)
    for (int64_t i = 0; i < a.dim(); ++i)
      if (a.size(i) == 3) {
        d = i;
        break;
      }
  if (d == -100) raise<OpError>("no dimension of size 3 in input");
  return cross(a, b, d);
}
Tensor tensordot(const Tensor& a, const Tensor& b, IntVec da, IntVec db) {
  if (da.size() != db.size()) raise<OpError>("both dimension lists should have same length");
  IntVec pa, pb, out, ka, kb;
  for (auto& d : da) d = wrap_dim(d, a.dim());
  for (auto& d : db) d = wrap_dim(d, b.dim());
  // A contracted dim of size 1 is broadcast: the other side is summed over it.
  for (size_t i = 0; i < da.size(); ++i) {
    int64_t x = a.size(da[i]), y = b.size(db[i]);
    if (x == y || (x != 1 && y != 1)) continue;
    const Tensor& t = x == 1 ? b : a;
    Tensor s = cast(sum_dim(t, OptInts(IntVec{x == 1 ? db[i] : da[i]}), true, {}), t.dtype());
    return x == 1 ? tensordot(a, s, da, db) : tensordot(s, b, da, db);
  }
  int64_t k = 1;
  for (int64_t i = 0; i < a.dim(); ++i)
    if (std::find(da.begin(), da.end(), i) == da.end()) {
      pa.push_back(i);
      out.push_back(a.size(i));
    }
  for (size_t i = 0; i < da.size(); ++i) {
    if (a.size(da[i]) != b.size(db[i]))
      raise<OpError>("contracted dimensions need to match, but first has size ", a.size(da[i]),
                     " in dim ", da[i], " and second has size ", b.size(db[i]), " in dim ", db[i]);
    pa.push_back(da[i]);
    pb.push_back(db[i]);
    k *= a.size(da[i]);
  }
  for (int64_t i = 0; i < b.dim(); ++i)
    if (std::find(db.begin(), db.end(), i) == db.end()) {
      pb.push_back(i);
      out.push_back(b.size(i));
    }
  return reshape(mm(reshape(permute(a, pa), {a.numel() / std::max<int64_t>(k, 1), k}),
                    reshape(permute(b, pb), {k, b.numel() / std::max<int64_t>(k, 1)})),
                 out);
}

// ---- einsum ----

Tensor einsum(const std::string& eq, TensorList ops, OptInts) {
  std::string text;
  for (char c : eq)
    if (c != ' ') text += c;
  size_t arrow = text.find("->");
  std::string lhs = text.substr(0, arrow);
  std::vector<std::string> terms{""};
  for (char c : lhs) {
    if (c == ',')
      terms.emplace_back();
    else
      terms.back() += c;
  }
  if (terms.size() != ops.size())
    raise<OpError>(
        "einsum(): the number of operands in the equation does not match the number given");
  // Labels: letters, and the dims of the ellipsis as numbers counted from the right.
  int64_t ell = 0;
  for (size_t i = 0; i < terms.size(); ++i) {
    auto letters = static_cast<int64_t>(terms[i].size());
    if (terms[i].find("...") != std::string::npos)
      ell = std::max(ell, ops[i].dim() - (letters - 3));
    else if (letters != ops[i].dim())
      raise<OpError>("einsum(): the number of subscripts in the equation (", letters,
                     ") does not match the number of dimensions (", ops[i].dim(), ") for operand ",
                     i);
  }
  auto labels_of = [&](const std::string& t, int64_t dims) {
    std::vector<int> r;
    for (size_t k = 0; k < t.size(); ++k) {
      if (t.compare(k, 3, "...") == 0) {
        int64_t n = dims < 0 ? ell : dims - (static_cast<int64_t>(t.size()) - 3);
        for (int64_t e = n; e > 0; --e) r.push_back(static_cast<int>(-e));
        k += 2;
      } else {
        if (!std::isalpha(static_cast<unsigned char>(t[k])))
          raise<OpError>("einsum(): invalid subscript given: ", t[k]);
        r.push_back(t[k]);
      }
    }
    return r;
  };
  std::vector<int> out;
  std::vector<std::vector<int>> in;
  for (size_t i = 0; i < terms.size(); ++i) in.push_back(labels_of(terms[i], ops[i].dim()));
  if (arrow != std::string::npos) {
    out = labels_of(text.substr(arrow + 2), -1);
  } else {
    for (int64_t e = ell; e > 0; --e) out.push_back(static_cast<int>(-e));
    std::vector<int> all;
    for (auto& l : in) all.insert(all.end(), l.begin(), l.end());
    std::sort(all.begin(), all.end());
    for (size_t i = 0; i < all.size(); ++i)
      if (all[i] > 0 && std::count(all.begin(), all.end(), all[i]) == 1) out.push_back(all[i]);
  }
  // All labels: the output's, then the summed ones.
  std::vector<int> order = out;
  for (auto& l : in)
    for (int x : l)
      if (std::find(order.begin(), order.end(), x) == order.end()) order.push_back(x);
  auto align = [&](Tensor t, std::vector<int> l) {
    // Repeated labels take the diagonal.
    for (size_t i = 0; i < l.size(); ++i)
      for (size_t k = i + 1; k < l.size();) {
        if (l[i] != l[k]) {
          ++k;
          continue;
        }
        if (t.size(static_cast<int64_t>(i)) != t.size(static_cast<int64_t>(k)))
          raise<OpError>(
              "einsum(): subscript is repeated for an operand but the sizes don't match");
        IntVec sz(t.sizes()), st(t.strides());
        st[i] += st[k];
        sz.erase(k);
        st.erase(k);
        t = make_view(t, sz, st, t.storage_offset());
        l.erase(l.begin() + static_cast<ptrdiff_t>(k));
      }
    IntVec sz, st;
    for (int x : order) {
      auto it = std::find(l.begin(), l.end(), x);
      if (it == l.end()) {
        sz.push_back(1);
        st.push_back(0);
      } else {
        sz.push_back(t.sizes()[static_cast<size_t>(it - l.begin())]);
        st.push_back(t.strides()[static_cast<size_t>(it - l.begin())]);
      }
    }
    return make_view(t, sz, st, t.storage_offset());
  };
  Tensor acc = align(ops[0], in[0]);
  for (size_t i = 1; i < ops.size(); ++i) {
    Tensor b = align(ops[i], in[i]);
    // A label that no later operand and not the output has is summed by the product.
    IntVec batch, left, right, contract;
    for (size_t d = 0; d < order.size(); ++d) {
      bool needed = d < out.size();
      for (size_t k = i + 1; k < ops.size(); ++k)
        needed |= std::find(in[k].begin(), in[k].end(), order[d]) != in[k].end();
      int64_t x = acc.sizes()[d], y = b.sizes()[d];
      if (x != y && x != 1 && y != 1)
        raise<OpError>("einsum(): operands do not broadcast with remapped shapes: ", acc.sizes(),
                       " and ", b.sizes());
      if (x != 1 && y != 1)
        (needed ? batch : contract).push_back(static_cast<int64_t>(d));
      else if (y == 1)
        left.push_back(static_cast<int64_t>(d));
      else
        right.push_back(static_cast<int64_t>(d));
    }
    auto part = [&](const Tensor& t, const IntVec& a, const IntVec& c, const IntVec& e,
                    int64_t* n) {
      IntVec p;
      int64_t s[3] = {1, 1, 1};
      int k = 0;
      for (const IntVec* g : {&a, &c, &e}) {
        for (int64_t d : *g) {
          p.push_back(d);
          s[k] *= t.size(d);
        }
        ++k;
      }
      // The dims of size 1 that belong to the other side go last.
      for (int64_t d = 0; d < t.dim(); ++d)
        if (std::find(p.begin(), p.end(), d) == p.end()) p.push_back(d);
      *n = s[0];
      return reshape(permute(t, p), {s[0], s[1], s[2]});
    };
    int64_t nb;
    ScalarType t = result_type(acc, b);
    Tensor m = bmm(part(cast(acc, t), batch, left, contract, &nb),
                   part(cast(b, t), batch, contract, right, &nb));
    IntVec shape, perm(order.size());
    size_t next = 0;
    for (const IntVec* g : {&batch, &left, &right})
      for (int64_t d : *g) {
        shape.push_back(std::max(acc.size(d), b.size(d)) == 0 || acc.size(d) == 0 || b.size(d) == 0
                            ? 0
                            : std::max(acc.size(d), b.size(d)));
        perm[static_cast<size_t>(d)] = static_cast<int64_t>(next++);
      }
    for (int64_t d : contract) {
      shape.push_back(1);
      perm[static_cast<size_t>(d)] = static_cast<int64_t>(next++);
    }
    acc = permute(reshape(m, shape), perm);
  }
  IntVec sum_over;
  for (size_t d = out.size(); d < order.size(); ++d) sum_over.push_back(static_cast<int64_t>(d));
  // What a product has summed is left as dims of one element.
  IntVec sizes, strides, rest;
  for (size_t d = 0; d < order.size(); ++d) {
    bool summed = d >= out.size();
    if (summed && ops.size() > 1 && acc.sizes()[d] == 1) continue;
    if (summed) rest.push_back(static_cast<int64_t>(sizes.size()));
    sizes.push_back(acc.sizes()[d]);
    strides.push_back(acc.strides()[d]);
  }
  acc = make_view(acc, sizes, strides, acc.storage_offset());
  sum_over = rest;
  if (sum_over.empty()) return acc;
  if (ops.size() == 1) return sum_dim(acc, OptInts(sum_over), false, {});
  return reduce(Reduce::sum, acc, sum_over, false, acc.dtype(), acc.dtype());
}
// Operands with their subscripts as numbers, the result's at the end or not at all.
void einsum_sublists(Call& c) {
  auto letters = [](const IValue& list) {
    std::string s;
    for (int64_t i : to_ints(list)) {
      if (i < 0 || i >= 52)
        raise<OpError>("einsum(): subscripts in a list must be in [0, 52), got ", i);
      s += static_cast<char>(i < 26 ? 'A' + i : 'a' + (i - 26));
    }
    return s;
  };
  std::string equation;
  TensorList operands;
  uint32_t i = 0;
  for (; i + 1 < c.n_in(); i += 2) {
    equation += (i ? "," : "") + letters(c.in(i + 1));
    operands.push_back(tensor_of(c.in(i)));
  }
  if (i < c.n_in()) equation += "->" + letters(c.in(i));
  c.out(0, einsum(equation, operands, {}));
}

// ---- attention ----

Tensor attention_math(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor* mask,
                      double scale, bool causal) {
  IntVec batch(q.sizes());
  batch.pop_back();
  batch.pop_back();
  auto lead = [](const Tensor& t) {
    IntVec s(t.sizes());
    s.pop_back();
    s.pop_back();
    return s;
  };
  batch = broadcast(broadcast(batch, lead(k)), lead(v));
  const int64_t L = q.size(-2), E = q.size(-1), S = k.size(-2), D = v.size(-1);
  IntVec out = batch;
  out.push_back(L);
  out.push_back(D);
  // PyTorch's fused kernel gives the query's layout, its other ways a contiguous result.
  auto fused = [&](const Tensor& t) {
    return t.dim() == 4 && t.size(3) == E && t.size(0) == q.size(0) && t.size(1) == q.size(1) &&
           (t.stride(3) == 1 || E == 1);
  };
  const bool as_query = fused(q) && fused(k) && fused(v) && q.numel() && k.numel();
  Tensor r = as_query ? empty_like(q) : empty(out, q.dtype());
  if (!r.numel()) return r;
  // The CPU's kernel takes heads wherever they lie; others want one dim of them.
  const bool device = context().device != nullptr;
  int64_t B = 1;
  for (int64_t b : batch) B *= b;
  auto heads = [&](const Tensor& t, int64_t rows, int64_t columns) {
    IntVec s = batch;
    s.push_back(rows);
    s.push_back(columns);
    const Tensor all = expand_to(t, s);
    return device ? reshape(all, {B, rows, columns}) : all;
  };
  Tensor m;
  if (mask) {
    m = *mask;
    if (m.dtype() == kBool)
      m = where(m, scalar_tensor(Scalar(0.0), q.dtype()),
                scalar_tensor(Scalar(-INFINITY), q.dtype()));
    m = heads(m, L, S);
  }
  const Tensor fq = heads(q, L, E), fk = heads(k, S, E), fv = heads(v, S, D);
  const Tensor fr = device ? empty({B, L, D}, q.dtype()) : r;
  expect_memory(2 * static_cast<double>(S) * sizeof(double));  // a row of scores and of the mask
  call_slot(AttentionArgs{view_of(fr), view_of(fq), view_of(fk), view_of(fv), view_of(m), scale,
                          causal, false});
  if (device) {
    if (!as_query) return reshape(fr, out);
    copy_to(r, reshape(fr, out));
  }
  return r;
}
Tensor sdpa(const Tensor& q, const Tensor& k0, const Tensor& v0, const Tensor* mask, double p,
            bool causal, OptDouble scale, bool gqa) {
  if (q.dtype() != k0.dtype() || q.dtype() != v0.dtype())
    raise<OpError>("Expected query, key, and value to have the same dtype");
  if (q.dim() < 2 || k0.dim() < 2 || v0.dim() < 2)
    raise<OpError>("Expected query, key, and value to all be  at least 2 dimensional");
  if (mask && causal) raise<OpError>("Explicit attn_mask should not be set when is_causal=True");
  if (q.size(-1) != k0.size(-1) || k0.size(-2) != v0.size(-2))
    raise<OpError>("scaled_dot_product_attention: the sizes of query ", q.sizes(), ", key ",
                   k0.sizes(), " and value ", v0.sizes(), " do not fit");
  if (p > 0 && (q.dtype() == kHalf || q.dtype() == kBFloat16)) {  // rounded once, at the end
    Tensor m = mask && mask->dtype() != kBool ? cast(*mask, kFloat) : mask ? *mask : Tensor();
    return cast(sdpa(cast(q, kFloat), cast(k0, kFloat), cast(v0, kFloat), mask ? &m : nullptr, p,
                     causal, scale, gqa),
                q.dtype());
  }
  Tensor k = k0, v = v0;
  if (gqa) {
    auto spread = [&](const Tensor& t) {
      const int64_t heads = t.size(-3), n = heads ? q.size(-3) / heads : 1;
      IntVec s(t.sizes()), o(t.sizes());
      s.insert(static_cast<size_t>(t.dim() - 2), n);
      o[static_cast<size_t>(t.dim() - 3)] *= n;
      return reshape(expand_to(unsqueeze(t, t.dim() - 2), s), o);
    };
    k = spread(k);
    v = spread(v);
  }
  if (p > 0) {
    // With dropout the weights are needed themselves.
    double s = std::sqrt(scale.value_or(1 / std::sqrt(static_cast<double>(q.size(-1)))));
    Tensor w = matmul(mul_scalar(q, Scalar(s)), transpose(mul_scalar(k, Scalar(s)), -2, -1));
    Tensor hidden;
    if (causal) {
      hidden = empty({q.size(-2), k.size(-2)}, kBool);
      fill(hidden, Scalar(true));
      hidden = unary(Unary::logical_not, triangle(hidden, 0, false), kBool);
    } else if (mask && mask->dtype() == kBool) {
      hidden = unary(Unary::logical_not, *mask, kBool);
    } else if (mask) {
      w = add(w, *mask, Scalar(1));
    }
    if (hidden.defined()) w = masked_fill(w, hidden, Scalar(-INFINITY));
    return matmul(dropout(softmax_impl(w, -1, w.dtype(), false), p, true), v);
  }
  return attention_math(q, k, v, mask,
                        scale.value_or(1 / std::sqrt(static_cast<double>(q.size(-1)))), causal);
}

// The packed projection of self-attention: [N, L, E] -> three of [N, H, L, E/H].
struct Heads {
  Tensor q, k, v;
};
Heads project(const Tensor& x, const Tensor& w, const Tensor* b, int64_t heads) {
  if (x.dim() != 3) raise<OpError>("expected 3-D `query`, got ", x.dim(), "-D tensor");
  if (heads <= 0 || x.size(2) % heads != 0)
    raise<OpError>("the embedding of ", x.size(2), " can't be split into ", heads, " heads");
  int64_t N = x.size(0), L = x.size(1), E = x.size(2);
  Tensor p = linear(x, w, b);  // [N, L, 3E]
  auto part = [&](int64_t i) {
    return transpose(reshape(narrow(p, 2, i * E, E), {N, L, heads, E / heads}), 1, 2);
  };
  return {part(0), part(1), part(2)};
}
Tensor merge_heads(const Tensor& t) {
  return reshape(transpose(t, 1, 2), {t.size(0), t.size(2), t.size(1) * t.size(3)});
}
// type 0: [L, L] attention mask, 1: [N, L] padding mask, 2: both, [N, H, L, L]. True hides.
Tensor mask_for(const Tensor& mask, OptInt type, int64_t N, int64_t H, int64_t L, ScalarType t) {
  Tensor m = mask;
  if (m.dtype() == kBool)
    m = where(m, scalar_tensor(Scalar(-INFINITY), t), scalar_tensor(Scalar(0.0), t));
  if (type.value_or(-1) == 1 ||
      (m.dim() == 2 && type.value_or(-1) != 0 && m.size(0) == N && N != L))
    return expand_to(reshape(m, {N, 1, 1, L}), IntVec{N, H, L, L});
  return expand_to(m, IntVec{N, H, L, L});
}

// ---- nested tensors, as far as encoders make them of a padding mask ----

// The true elements of each row of a mask, which must come first: nothing where they don't.
std::optional<std::vector<int64_t>> left_aligned(const Tensor& t, const Tensor& mask) {
  if (mask.dtype() != kBool) raise<OpError>("Expected mask to be of ScalarType Bool");
  if (mask.dim() != 2 || t.dim() != 3)
    raise<OpError>("Padding mask should be 2D and the input 3D, got ", mask.sizes(), " and ",
                   t.sizes());
  if (t.size(0) != mask.size(0) || t.size(1) != mask.size(1))
    raise<OpError>("Expected the sizes of the input and of its mask to agree, got ", t.sizes(),
                   " and ", mask.sizes());
  auto given = host_ints(cast(mask, kLong));
  const auto rows = static_cast<size_t>(mask.size(0)), n = static_cast<size_t>(mask.size(1));
  auto r = host_vector<int64_t>(mask.size(0));
  bool aligned = true;
  Interrupt interrupt;
  for (size_t i = 0; i < rows; ++i) {
    interrupt.passed(mask.size(1) + 16);
    for (size_t k = 0; k < n; ++k) {
      if (!given[i * n + k]) continue;
      aligned = aligned && r[i] == static_cast<int64_t>(k);
      ++r[i];
    }
  }
  if (!aligned) return std::nullopt;
  return r;
}
bool nested_left_aligned(const Tensor& t, const Tensor& mask) {
  return left_aligned(t, mask).has_value();
}
Tensor nested_from_mask(const Tensor& t, const Tensor& mask, bool) {
  auto rows = left_aligned(t, mask);
  if (!rows) raise<OpError>("Mask must be left-aligned without gaps");
  Tensor r = clone(t);
  r.mutable_impl()->nested_rows = std::make_shared<const std::vector<int64_t>>(std::move(*rows));
  return r;
}
// True where a row is padding, [batch, rows].
Tensor padding_of(const Tensor& t) {
  const auto& rows = *t.impl()->nested_rows;
  Tensor m = empty({t.size(0), t.size(1)}, kBool);
  fill(m, Scalar(false));
  for (int64_t i = 0; i < t.size(0); ++i) {
    const int64_t n = rows[static_cast<size_t>(i)];
    if (n < t.size(1)) fill(narrow(select(m, 0, i), 0, n, t.size(1) - n), Scalar(true));
  }
  return m;
}
Tensor to_padded_tensor(const Tensor& t, double padding, OptInts size) {
  if (!t.impl()->nested_rows)
    raise<OpError>("to_padded_tensor expects a nested tensor, got a dense one of sizes ",
                   t.sizes());
  const auto& rows = *t.impl()->nested_rows;
  int64_t longest = 0;
  for (int64_t n : rows) longest = std::max(longest, n);
  IntVec s{t.size(0), longest, t.size(2)};
  if (size) {
    s = *size;
    if (s.size() != 3 || s[0] < t.size(0) || s[1] < longest || s[2] < t.size(2))
      raise<OpError>(
          "Value in output_size is less than NestedTensor padded size. Truncation is not "
          "supported.");
  }
  Tensor r = empty(s, t.dtype());
  fill(r, Scalar(padding));
  for (int64_t i = 0; i < t.size(0); ++i) {
    const int64_t n = rows[static_cast<size_t>(i)];
    if (n)
      copy_to(narrow(narrow(select(r, 0, i), 0, 0, n), 1, 0, t.size(2)),
              narrow(select(t, 0, i), 0, 0, n));
  }
  return r;
}

Tensor encoder_layer(const Tensor& src, int64_t, int64_t heads, const Tensor& qkv_w,
                     const Tensor& qkv_b, const Tensor& proj_w, const Tensor& proj_b, bool use_gelu,
                     bool norm_first, double eps, const Tensor& n1w, const Tensor& n1b,
                     const Tensor& n2w, const Tensor& n2b, const Tensor& w1, const Tensor& b1,
                     const Tensor& w2, const Tensor& b2, const Tensor* mask, OptInt mask_type) {
  if (src.dim() != 3 || heads <= 0 || src.size(2) % heads != 0)
    raise<OpError>("_transformer_encoder_layer_fwd: ", src.sizes(), " can't be split into ", heads,
                   " heads");
  int64_t N = src.size(0), L = src.size(1), E = src.size(2);
  auto attend = [&](const Tensor& x) {
    Heads h = project(x, qkv_w, &qkv_b, heads);
    Tensor m;
    if (mask) m = mask_for(*mask, mask_type, N, heads, L, x.dtype());
    Tensor a = attention_math(h.q, h.k, h.v, mask ? &m : nullptr,
                              1 / std::sqrt(static_cast<double>(E / heads)), false);
    return linear(merge_heads(a), proj_w, &proj_b);
  };
  auto feed = [&](const Tensor& x) {
    Tensor y = linear(x, w1, &b1);
    y = unary(use_gelu ? Unary::gelu : Unary::relu, y, y.dtype());
    return linear(y, w2, &b2);
  };
  auto norm = [&](const Tensor& x, const Tensor& w, const Tensor& b) {
    return layer_norm(x, {E}, &w, &b, eps, true);
  };
  Tensor x = src;
  if (norm_first) {
    x = add(x, attend(norm(x, n1w, n1b)), Scalar(1));
    return add(x, feed(norm(x, n2w, n2b)), Scalar(1));
  }
  x = norm(add(x, attend(x), Scalar(1)), n1w, n1b);
  return norm(add(x, feed(x), Scalar(1)), n2w, n2b);
}
void encoder_layer_op(Call& c) {
  auto t = [&](uint32_t i) -> const Tensor& { return tensor_in(c, i); };
  const Tensor* mask = detail::Arg<const Tensor*>::from(c.in(18));
  OptInt mask_type = c.in(19).isNone() ? OptInt() : OptInt(c.in(19).toInt());
  const auto rows = t(0).impl()->nested_rows;
  Tensor padding;
  if (rows) {
    if (mask) raise<OpError>("MHA with a mask is not supported for nested tensors");
    padding = padding_of(t(0));
    mask = &padding;
    mask_type = 1;  // of keys
  }
  Tensor r = encoder_layer(t(0), c.in(1).toInt(), c.in(2).toInt(), t(3), t(4), t(5), t(6),
                           c.in(7).toBool(), c.in(8).toBool(), c.in(9).toDouble(), t(10), t(11),
                           t(12), t(13), t(14), t(15), t(16), t(17), mask, mask_type);
  if (rows) r.mutable_impl()->nested_rows = rows;
  c.out(0, r);
}
std::tuple<Tensor, Tensor> native_mha(const Tensor& q, const Tensor& k, const Tensor& v, int64_t E,
                                      int64_t heads, const Tensor& w, const Tensor& b,
                                      const Tensor& pw, const Tensor& pb, const Tensor* mask,
                                      bool need, bool average, OptInt type) {
  for (const Tensor* t : {&q, &k, &v})
    if (t->dim() != 3 || t->size(2) != E)
      raise<OpError>("_native_multi_head_attention: expected [N, L, ", E, "], got ", t->sizes());
  if (heads <= 0 || E % heads != 0)
    raise<OpError>("the embedding of ", E, " can't be split into ", heads, " heads");
  int64_t N = q.size(0), L = q.size(1), S = k.size(1);
  Heads h;
  if (q.is_same(k) && k.is_same(v)) {
    h = project(q, w, &b, heads);
  } else {
    auto one = [&](const Tensor& x, int64_t i) {
      Tensor wi = narrow(w, 0, i * E, E), bi = narrow(b, 0, i * E, E);
      return transpose(reshape(linear(x, wi, &bi), {N, x.size(1), heads, E / heads}), 1, 2);
    };
    h = {one(q, 0), one(k, 1), one(v, 2)};
  }
  double scale = 1 / std::sqrt(static_cast<double>(E / heads));
  Tensor m;
  if (mask) m = mask_for(*mask, type, N, heads, S, q.dtype());
  Tensor a = attention_math(h.q, h.k, h.v, mask ? &m : nullptr, scale, false);
  Tensor out = linear(merge_heads(a), pw, &pb), weights;
  if (need) {
    Tensor s = mul_scalar(matmul(h.q, transpose(h.k, -2, -1)), Scalar(scale));
    if (mask) s = add(s, m, Scalar(1));
    weights = softmax_impl(s, -1, s.dtype(), false);
    if (average) weights = mean_dim(weights, OptInts(IntVec{1}), false, {});
  }
  (void)L;
  return {out, weights};
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  if (a.dim() == 0 || b.dim() == 0)
    raise<OpError>("both arguments to matmul need to be at least 1D, but they are ", a.dim(),
                   "D and ", b.dim(), "D");
  same_type(a, b, "matmul");
  if (a.dim() == 1 && b.dim() == 1) return dot(a, b);
  if (a.dim() == 2 && b.dim() == 1) return mv(a, b);
  if (a.dim() == 1 && b.dim() == 2) return squeeze_dim(mm(unsqueeze(a, 0), b), 0);
  if (a.dim() == 2 && b.dim() == 2) return mm(a, b);
  Tensor x = a.dim() == 1 ? unsqueeze(a, 0) : a, y = b.dim() == 1 ? unsqueeze(b, 1) : b;
  if (x.size(-1) != y.size(-2))
    raise<OpError>("mat1 and mat2 shapes cannot be multiplied (", a.sizes(), " and ", b.sizes(),
                   ")");
  IntVec out;
  if (y.dim() == 2) {
    // One product of all rows.
    out = IntVec(x.sizes());
    out[out.size() - 1] = y.size(1);
    int64_t rows = 1;
    for (int64_t d = 0; d + 1 < x.dim(); ++d) rows *= x.size(d);
    Tensor r = reshape(mm(reshape(x, {rows, x.size(-1)}), y), out);
    return b.dim() == 1 ? squeeze_dim(r, -1) : r;
  }
  IntVec bx(x.sizes()), by(y.sizes());
  bx.pop_back();
  bx.pop_back();
  by.pop_back();
  by.pop_back();
  IntVec batch = broadcast(bx, by);
  int64_t n = 1;
  for (int64_t d : batch) n *= d;
  auto flat = [&](const Tensor& t) {
    IntVec s = batch;
    s.push_back(t.size(-2));
    s.push_back(t.size(-1));
    return reshape(expand_to(t, s), {n, t.size(-2), t.size(-1)});
  };
  Tensor r = bmm(flat(x), flat(y));
  out = batch;
  if (a.dim() > 1) out.push_back(x.size(-2));
  if (b.dim() > 1) out.push_back(y.size(-1));
  return reshape(r, out);
}
Tensor linear(const Tensor& x, const Tensor& w, const Tensor* b) {
  if (w.dim() > 2 || w.dim() == 0)
    raise<OpError>("linear: the weight must have 1 or 2 dims, got ", w.dim());
  if (w.dim() == 1) {
    Tensor r = matmul(x, w);
    return b ? add(r, *b, Scalar(1)) : r;
  }
  if (x.dim() == 0 || x.size(-1) != w.size(1))
    raise<OpError>("mat1 and mat2 shapes cannot be multiplied (", x.sizes(), " and ", w.size(1),
                   "x", w.size(0), ")");
  same_type(x, w, "linear");
  if (b && b->dtype() != x.dtype())
    raise<OpError>("linear: input and bias must have the same dtype");
  IntVec out(x.sizes());
  out[out.size() - 1] = w.size(0);
  Tensor r = empty(out, x.dtype());
  if (r.numel() == 0) return r;
  // Also of no features: a sum of nothing.
  const int64_t n = r.numel() / w.size(0);
  Tensor rows = reshape(x, {1, n, x.size(-1)}), wt = unsqueeze(transpose(w, 0, 1), 0),
         r3 = view(r, {1, n, w.size(0)});
  bool plain_bias = b && b->dim() == 1 && b->size(0) == w.size(0);
  product(r3, rows, wt, plain_bias ? b : nullptr, 1, 0);
  return b && !plain_bias ? add(r, *b, Scalar(1)) : r;
}

namespace {

constexpr OpDef kOps[] = {
    // clang-format off
    op<mm>("aten::mm"), op<bmm>("aten::bmm"), op<mv>("aten::mv"), op<dot>("aten::dot"), op<vdot>("aten::vdot"), op<outer>("aten::outer"), op<matmul>("aten::matmul"), op<linear>("aten::linear"), op<addmm>("aten::addmm"), op<addmv>("aten::addmv"), op<addr>("aten::addr"),
    op<baddbmm>("aten::baddbmm"), op<addbmm>("aten::addbmm"), op<chain_matmul>("aten::chain_matmul"), op<multi_dot>("aten::linalg_multi_dot"), op<inner>("aten::inner"), op<kron>("aten::kron"), op<cross>("aten::linalg_cross"), op<cross_default>("aten::cross"), op<tensordot>("aten::tensordot"), op<einsum>("aten::einsum"), raw("aten::einsum.sublist", einsum_sublists),
    op<sdpa>("aten::scaled_dot_product_attention"), raw("aten::_transformer_encoder_layer_fwd", encoder_layer_op), op<nested_left_aligned>("aten::_nested_tensor_from_mask_left_aligned"), op<nested_from_mask>("aten::_nested_tensor_from_mask"), op<to_padded_tensor>("aten::to_padded_tensor"), op<to_padded_tensor>("aten::nested_to_padded_tensor"),
    op<native_mha>("aten::_native_multi_head_attention"),
    // clang-format on
};

}  // namespace

extern const OpTable::RowList kMatmulOps;
const OpTable::RowList kMatmulOps = rows_in_build<kOps>();

}  // namespace sconce::ops
