// SPDX-License-Identifier: Apache-2.0
// Small things of c10 that programs use: macros, SmallVector, texts, products of sizes.
#pragma once
#include <algorithm>
#include <sstream>

#include "sconce/torch/array_ref.h"

#define C10_CONCATENATE_IMPL(a, b) a##b
#define C10_CONCATENATE(a, b) C10_CONCATENATE_IMPL(a, b)
#define C10_STRINGIZE_IMPL(a) #a
#define C10_STRINGIZE(a) C10_STRINGIZE_IMPL(a)
#define C10_UID __COUNTER__
#define C10_ANONYMOUS_VARIABLE(a) C10_CONCATENATE(a, __COUNTER__)
#define C10_NODISCARD [[nodiscard]]
#define C10_UNUSED [[maybe_unused]]
#define C10_FALLTHROUGH [[fallthrough]]
#define C10_HOST_DEVICE
#define C10_HOST
#define C10_DEVICE
// Whatever a program's own declarations are marked with.
#define C10_EXPORT
#define C10_IMPORT
#define C10_HIDDEN
#define C10_API
#define TORCH_API
#define TORCH_PYTHON_API
#define TORCH_CUDA_CU_API
#define TORCH_CUDA_CPP_API
#if defined(__GNUC__)
#define C10_LIKELY(condition) (__builtin_expect(static_cast<bool>(condition), 1))
#define C10_UNLIKELY(condition) (__builtin_expect(static_cast<bool>(condition), 0))
#define C10_ALWAYS_INLINE __attribute__((__always_inline__)) inline
#define C10_NOINLINE __attribute__((noinline))
#define C10_RESTRICT __restrict
#else
#define C10_LIKELY(condition) (condition)
#define C10_UNLIKELY(condition) (condition)
#define C10_ALWAYS_INLINE inline
#define C10_NOINLINE
#define C10_RESTRICT
#endif

namespace c10 {

// A vector: room for N elements inside of it is not kept.
template <class T, unsigned N>
class SmallVector : public std::vector<T> {
 public:
  using std::vector<T>::vector;
  SmallVector() = default;
  template <class C,
            class = std::enable_if_t<std::is_convertible<
                decltype(std::declval<const C&>().begin() != std::declval<const C&>().end()),
                bool>::value>>
  explicit SmallVector(const C& c) : std::vector<T>(c.begin(), c.end()) {}
  template <class It>
  void append(It begin, It end) {
    this->insert(this->end(), begin, end);
  }
};
constexpr size_t kDimVectorStaticSize = 5;
using DimVector = SmallVector<int64_t, kDimVectorStaticSize>;

// The elements' texts with the delimiter between them.
template <class C>
std::string Join(const std::string& delimiter, const C& c) {
  std::ostringstream os;
  for (auto it = c.begin(); it != c.end();) {
    os << *it;
    if (++it != c.end()) os << delimiter;
  }
  return os.str();
}
// The number of places where `from` was.
inline size_t ReplaceAll(std::string& s, string_view from, string_view to) {
  size_t n = 0;
  for (size_t at = 0; !from.empty() && (at = s.find(from, at)) != std::string::npos; ++n) {
    s.replace(at, from.size(), to);
    at += to.size();
  }
  return n;
}

template <class It>
int64_t sum_integers(It begin, It end) {
  int64_t r = 0;
  for (; begin != end; ++begin) r += *begin;
  return r;
}
template <class C>
int64_t sum_integers(const C& c) {
  return sum_integers(c.begin(), c.end());
}
template <class It>
int64_t multiply_integers(It begin, It end) {
  int64_t r = 1;
  for (; begin != end; ++begin) r *= *begin;
  return r;
}
template <class C>
int64_t multiply_integers(const C& c) {
  return multiply_integers(c.begin(), c.end());
}
// Products of some of the sizes: from dimension k on, before it, between k and l.
template <class C>
int64_t numelements_from_dim(int k, const C& sizes) {
  return k > static_cast<int>(sizes.size()) ? 1 : multiply_integers(sizes.begin() + k, sizes.end());
}
template <class C>
int64_t numelements_to_dim(int k, const C& sizes) {
  return multiply_integers(sizes.begin(), sizes.begin() + k);
}
template <class C>
int64_t numelements_between_dim(int k, int l, const C& sizes) {
  return multiply_integers(sizes.begin() + std::min(k, l), sizes.begin() + std::max(k, l));
}

}  // namespace c10

namespace at {
using c10::DimVector;
}
