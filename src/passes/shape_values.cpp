// SPDX-License-Identifier: Apache-2.0
#include "passes/shape_values.h"

#include <algorithm>

#include "support/stack.h"

namespace sconce::shapes {

// ---- symbols ----

namespace {
bool is_prime(int64_t n) {
  for (int64_t d = 2; d * d <= n; ++d)
    if (n % d == 0) return false;
  return n > 1;
}
int64_t prime_from(int64_t n) {
  while (!is_prime(n)) ++n;
  return n;
}
}  // namespace

const Sizes& Symbols::make(int64_t number) {
  const auto k = static_cast<int64_t>(all_.size());
  // An eighth apart, so that sizes stay different after some halvings; from the 24th on closer.
  constexpr int64_t kFar = 24;
  const int64_t step = k < kFar ? k : kFar, more = k < kFar ? 0 : k - kFar;
  Sizes s{prime_from(1009 + 139 * step + 11 * more), prime_from(2003 + 263 * step + 17 * more),
          prime_from(2 + k), prime_from(100003 + 12511 * step + 13 * more)};
  // Two of a world must differ.
  while (!all_.empty() && by_sizes_.count({s[0], s[1]})) s[0] = prime_from(s[0] + 1);
  if (!all_.empty()) s[2] = std::max(s[2], prime_from(all_.back().sizes[2] + 1));
  by_sizes_[{s[0], s[1]}].push_back(all_.size());
  all_.push_back({s, number});
  return all_.back().sizes;
}
const Sizes& Symbols::fresh(Key key) {
  auto [it, added] = by_key_.try_emplace(key, all_.size());
  if (added) make(0);
  return all_[it->second].sizes;
}
const Sizes& Symbols::numbered(int64_t number) {
  auto [it, added] = by_number_.try_emplace(number, all_.size());
  if (added) make(number);
  return all_[it->second].sizes;
}
int64_t Symbols::number_of(const Sizes& s) {
  auto& candidates = by_sizes_[{s[0], s[1]}];
  for (size_t i : candidates) {
    Symbol& c = all_[i];
    bool fits = true;
    for (size_t w = kNeeded; w < kWorlds; ++w)
      fits &= s[w] == c.sizes[w] || s[w] == kAbsent || c.sizes[w] == kAbsent;
    if (!fits) continue;
    if (!c.number) c.number = next_++;
    return c.number;
  }
  candidates.push_back(all_.size());
  all_.push_back({s, next_++});
  return all_.back().number;
}

// ---- values ----

Known nothing(std::string why) {
  Known k;
  k.why = std::move(why);
  return k;
}
Known constant(const IValue& v) {
  Known k;
  k.kind = Known::Kind::Value;
  k.in.fill(v);
  return k;
}

std::optional<IValue> materialize(const Known& k, size_t world) {
  check_stack();
  if (k.kind == Known::Kind::Value) return k.in[world];
  if (k.kind == Known::Kind::Nothing) return std::nullopt;
  std::vector<IValue> items;
  for (const Known& p : k.parts) {
    auto v = materialize(p, world);
    if (!v) return std::nullopt;
    items.push_back(std::move(*v));
  }
  if (k.list) return IValue(make_ref<ListBox>(k.type, std::move(items)));
  return IValue(make_ref<TupleBox>(std::move(items), k.type));
}

namespace {
bool equal_plain(const IValue& a, const IValue& b) {
  if (a.tag() != b.tag()) return false;
  if (a.isTensor()) return a.box() == b.box();
  if (a.isDouble()) return a.toDouble() == b.toDouble();
  if (a.isObject() || a.isFuture() || a.isFunction() || a.isGenerator()) return a.box() == b.box();
  return ivalue_equal(a, b);
}
bool same_form(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.sizes() == b.sizes();
}
}  // namespace

bool varies(const Known& k, bool tensors) {
  check_stack();
  if (k.kind == Known::Kind::Parts)
    return std::any_of(k.parts.begin(), k.parts.end(),
                       [&](const Known& p) { return varies(p, tensors); });
  if (k.kind == Known::Kind::Nothing) return true;
  if (k.in[0]->isTensor()) {
    const Tensor& first = k.in[0]->toTensorRef();
    if (!tensors || !first.defined()) return false;
    for (const auto& v : k.in)
      if (!v || !same_form(first, v->toTensorRef())) return true;
    return false;
  }
  for (const auto& v : k.in)
    if (!v || !equal_plain(*k.in[0], *v)) return true;
  return false;
}

bool same(const Known& a, const Known& b) {
  check_stack();
  if (a.kind != b.kind || a.dtype != b.dtype) return false;
  if (a.kind == Known::Kind::Nothing) return true;
  if (a.kind == Known::Kind::Parts) {
    if (a.parts.size() != b.parts.size() || a.list != b.list) return false;
    for (size_t i = 0; i < a.parts.size(); ++i)
      if (!same(a.parts[i], b.parts[i])) return false;
    return true;
  }
  if (a.strides != b.strides || a.device != b.device || a.no_grad != b.no_grad) return false;
  for (size_t w = 0; w < kWorlds; ++w) {
    if (a.in[w].has_value() != b.in[w].has_value()) return false;
    if (!a.in[w]) continue;
    if (a.in[w]->isTensor() && b.in[w]->isTensor()) {
      const Tensor &s = a.in[w]->toTensorRef(), &t = b.in[w]->toTensorRef();
      if (s.defined() != t.defined()) return false;
      if (s.defined() && (!same_form(s, t) || s.strides() != t.strides())) return false;
    } else if (!equal_plain(*a.in[w], *b.in[w])) {
      return false;
    }
  }
  return true;
}

Sizes sizes_of(const Known& t, size_t d) {
  Sizes s;
  for (size_t w = 0; w < kWorlds; ++w) s[w] = t.in[w] ? t.in[w]->toTensorRef().sizes()[d] : kAbsent;
  return s;
}

Known tensors(const std::vector<Sizes>& sizes, ScalarType dtype, WithoutElements& run) {
  Known k;
  k.kind = Known::Kind::Value;
  for (size_t w = 0; w < kWorlds; ++w) {
    std::vector<int64_t> dims;
    for (const Sizes& s : sizes) dims.push_back(s[w]);
    if (std::find(dims.begin(), dims.end(), kAbsent) != dims.end()) continue;
    try {
      k.in[w] = IValue(run.tensor(dims, dtype));
    } catch (const Error& e) {
      if (w < kNeeded) return nothing(e.what());
    }
  }
  return k;
}

Known unknown_int(const Value* key, Symbols& symbols) {
  Known k;
  k.kind = Known::Kind::Value;
  const Sizes& s = symbols.fresh({key, ~size_t{0}});
  for (size_t w = 0; w < kWorlds; ++w) k.in[w] = IValue(s[w]);
  return k;
}

namespace {
Known join_tensors(const Known& a, const Known& b, const Value* key, size_t& place,
                   Symbols& symbols, WithoutElements& run) {
  const Tensor &x = a.in[0]->toTensorRef(), &y = b.in[0]->toTensorRef();
  if (!x.defined() || !y.defined()) return nothing("a tensor may be undefined");
  if (x.dtype() != y.dtype()) return nothing("the dtypes of two paths differ");
  Known r = nothing("the numbers of dims of two paths differ");
  r.dtype = x.dtype();
  if (x.dim() != y.dim() || is_quantized(x.dtype())) return r;
  std::vector<Sizes> sizes;
  for (size_t d = 0; d < static_cast<size_t>(x.dim()); ++d) {
    const Sizes s = sizes_of(a, d), t = sizes_of(b, d);
    sizes.push_back(s == t ? s : symbols.fresh({key, place}));
    ++place;
  }
  r = tensors(sizes, x.dtype(), run);
  r.device = a.device == b.device ? a.device : std::nullopt;
  r.no_grad = a.no_grad && b.no_grad;
  if (a.strides && b.strides && !varies(a, true) && !varies(b, true) && x.sizes() == y.sizes() &&
      x.strides() == y.strides()) {
    r.strides = true;
    for (auto& v : r.in)
      if (v) v = IValue(run.tensor(x.sizes(), x.strides(), x.dtype()));
  }
  return r;
}
Known join_at(const Known& a, const Known& b, const Value* key, size_t& place, Symbols& symbols,
              WithoutElements& run) {
  check_stack();
  if (!a) return a;
  if (!b) return b;
  if (a.kind != b.kind) return nothing("two paths make different values");
  if (a.kind == Known::Kind::Parts) {
    if (a.parts.size() != b.parts.size() || a.list != b.list)
      return nothing("the lengths of two paths differ");
    Known r;
    r.kind = a.kind;
    r.type = a.type;
    r.list = a.list;
    for (size_t i = 0; i < a.parts.size(); ++i)
      r.parts.push_back(join_at(a.parts[i], b.parts[i], key, place, symbols, run));
    return r;
  }
  if (a.in[0]->tag() != b.in[0]->tag()) return nothing("two paths make different values");
  if (a.in[0]->isTensor()) return join_tensors(a, b, key, place, symbols, run);
  const size_t at = place++;
  if (same(a, b)) return a;
  if (!a.in[0]->isInt()) return nothing("two paths make different values");
  Known r;
  r.kind = Known::Kind::Value;
  const Sizes& s = symbols.fresh({key, at});
  for (size_t w = 0; w < kWorlds; ++w) r.in[w] = IValue(s[w]);
  return r;
}
}  // namespace

Known join(const Known& a, const Known& b, const Value* key, Symbols& symbols,
           WithoutElements& run) {
  size_t place = 0;
  return join_at(a, b, key, place, symbols, run);
}

// ---- types ----

Known from_type(TypePtr t, const Value* key, Symbols& symbols, WithoutElements& run) {
  if (t->kind == TypeKind::Int) return unknown_int(key, symbols);
  if (t->kind == TypeKind::None) return constant(IValue());
  if (t->kind != TypeKind::Tensor || !t->tensor || !t->tensor->has_dtype ||
      is_quantized(t->tensor->dtype) || !element_size(t->tensor->dtype))
    return nothing("its type isn't known");
  const TensorInfo& info = *t->tensor;
  Known k = nothing("its number of dims isn't known");
  if (info.has_rank) {
    std::vector<Sizes> sizes;
    bool known = true;
    for (size_t d = 0; d < info.sizes.size(); ++d) {
      Sizes s;
      const int64_t size = info.sizes[d];
      if (size >= 0)
        s.fill(size);
      else
        s = size == -1 ? symbols.fresh({key, d}) : symbols.numbered(-1 - size);
      known &= size >= 0;
      sizes.push_back(s);
    }
    k = tensors(sizes, info.dtype, run);
    if (k && known && info.strides.size() == info.sizes.size()) {
      try {
        const IValue v(run.tensor(info.sizes, info.strides, info.dtype));
        for (auto& w : k.in)
          if (w) w = v;
        k.strides = true;
      } catch (const Error&) {
        // Strides that no memory can have.
      }
    }
  }
  k.dtype = info.dtype;
  if (info.has_device) k.device = info.device;
  k.no_grad = info.has_requires_grad && !info.requires_grad;
  return k;
}

TypePtr type_of(const Known& k, Symbols& symbols) {
  TensorInfo info;
  if (k.is_tensor()) {
    const Tensor& first = k.in[0]->toTensorRef();
    if (!first.defined() || is_quantized(first.dtype())) return types::tensor();
    info.has_dtype = info.has_rank = true;
    info.dtype = first.dtype();
    bool known = true;
    for (size_t d = 0; d < static_cast<size_t>(first.dim()); ++d) {
      const Sizes s = sizes_of(k, d);
      bool constant = true;
      for (int64_t n : s) constant &= n == s[0] || n == kAbsent;
      known &= constant;
      info.sizes.push_back(constant ? s[0] : -1 - symbols.number_of(s));
    }
    if (known && k.strides) info.strides.assign(first.strides().begin(), first.strides().end());
    if (k.no_grad) info.has_requires_grad = true;
    if (k.device) {
      info.has_device = true;
      info.device = *k.device;
    }
  } else if (k.dtype != ScalarType::Undefined) {
    info.has_dtype = true;
    info.dtype = k.dtype;
  }
  return TypeTable::global().tensor_with(std::move(info));
}

}  // namespace sconce::shapes
