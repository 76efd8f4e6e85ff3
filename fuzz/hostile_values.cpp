// SPDX-License-Identifier: Apache-2.0
#include "hostile_values.h"

#include <cmath>
#include <limits>

namespace sconce::fuzz {

namespace {

constexpr int64_t kMin = std::numeric_limits<int64_t>::min(),
                  kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kPlausible[] = {0, 1, 2, 3, 4, -1, 10, 5};
constexpr int64_t kHostile[] = {
    0,         1,         -1,           2,        3,   -2,      7,         64,
    kMax,      kMin,      kMax - 1,     kMin + 1, 100, 1 << 20, 1LL << 31, -(1LL << 31),
    1LL << 32, 1LL << 62, kMax / 2 + 1, kMax / 3};
const double kDoubles[] = {0.0,       1.0,   -1.0,   0.5,
                           1e-300,    1e300, -0.0,   INFINITY,
                           -INFINITY, NAN,   9.3e18, std::numeric_limits<double>::denorm_min()};
const char* const kStrings[] = {"",      "a",     "mean",   "none",    "cpu",   "%d %s", "reflect",
                                "floor", "ij,jk", "linear", "cuda:99", "trunc", "{}{}"};
constexpr ScalarType kDtypes[] = {kFloat,        kLong, kBool,  kDouble,
                                  kByte,         kInt,  kHalf,  kBFloat16,
                                  kComplexFloat, kChar, kShort, kComplexDouble};
const std::vector<int64_t> kSizes[] = {
    {2, 3}, {2, 32},   {1, 3, 32, 32},  {4},      {},     {1, 10}, {0},      {3, 0, 2},
    {1},    {2, 3, 4}, {1, 2, 3, 4, 5}, {16, 16}, {1, 1}, {2, 2},  {5, 1, 7}};

Tensor tensor(Draw& draw, bool hostile) {
  const auto& sizes = kSizes[draw.below(hostile ? std::size(kSizes) : 6)];
  const ScalarType dtype = kDtypes[draw.below(hostile ? std::size(kDtypes) : 2)];
  Tensor t =
      hostile && draw.below(4) == 0
          ? full(sizes, dtype == kBool ? 1 : static_cast<double>(draw.below(100)) - 50, dtype)
          : ones(sizes, dtype);
  if (!hostile) return t;
  switch (draw.below(8)) {
    case 0: return t.dim() > 1 ? t.transpose(0, 1) : t;
    case 1: return t.dim() ? t.slice(0, 0, t.size(0), 2) : t;
    case 2: {  // every row is the same one
      if (dtype == kBool) return t;
      auto wide = t.sizes().vec(), strides = t.strides().vec();
      wide.insert(wide.begin(), 3);
      strides.insert(strides.begin(), 0);
      Tensor rows = empty_strided(wide, strides, dtype);
      rows.fill_(0);
      return rows;
    }
    case 3: return draw.below(8) == 0 ? Tensor() : t;
    default: return t;
  }
}

IValue value(TypePtr t, Draw& draw, bool hostile, int depth) {
  switch (t->kind) {
    case TypeKind::Tensor: return tensor(draw, hostile);
    case TypeKind::Int:
      return hostile ? kHostile[draw.below(std::size(kHostile))]
                     : kPlausible[draw.below(std::size(kPlausible))];
    case TypeKind::Float: return kDoubles[draw.below(hostile ? std::size(kDoubles) : 4)];
    case TypeKind::Bool: return draw.below(2) == 1;
    case TypeKind::Complex: return std::complex<double>(kDoubles[draw.below(4)], 1.0);
    case TypeKind::Number:
      if (draw.below(2)) return value(types::integer(), draw, hostile, depth);
      return value(types::floating(), draw, hostile, depth);
    case TypeKind::String: return std::string(kStrings[draw.below(std::size(kStrings))]);
    case TypeKind::Device: return Device{};
    case TypeKind::Optional:
      if (draw.below(2)) return IValue();
      return value(t->elems[0], draw, hostile, depth);
    case TypeKind::Union:
      return t->elems.empty() ? IValue()
                              : value(t->elems[draw.below(t->elems.size())], draw, hostile, depth);
    case TypeKind::List: {
      auto list = make_ref<ListBox>(t->elems[0]);
      if (depth < 4)
        for (uint64_t n = draw.below(5); n > 0; --n)
          list->items.push_back(value(t->elems[0], draw, hostile, depth + 1));
      return list;
    }
    case TypeKind::Dict: {
      auto dict = make_ref<DictBox>(t->elems[0], t->elems[1]);
      if (depth < 4)
        for (uint64_t n = draw.below(4); n > 0; --n) {
          IValue key = value(t->elems[0], draw, hostile, depth + 1);
          if (key.isInt() || key.isString())
            dict->set(std::move(key), value(t->elems[1], draw, hostile, depth + 1));
        }
      return dict;
    }
    case TypeKind::Tuple: {
      std::vector<IValue> items;
      for (TypePtr e : t->elems) items.push_back(value(e, draw, hostile, depth + 1));
      return make_ref<TupleBox>(std::move(items), t->is_named_tuple() ? t : nullptr);
    }
    case TypeKind::Any:
    case TypeKind::Var: return value(types::integer(), draw, hostile, depth);
    default: return IValue();
  }
}

}  // namespace

IValue plausible_value(TypePtr t, Draw& draw) { return value(t, draw, false, 0); }
IValue hostile_value(TypePtr t, Draw& draw) { return value(t, draw, true, 0); }

}  // namespace sconce::fuzz
