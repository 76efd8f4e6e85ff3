// SPDX-License-Identifier: Apache-2.0
// c10::ArrayRef and OptionalArrayRef: borrowed ranges with LibTorch's conversions.
#pragma once
#include <array>
#include <initializer_list>
#include <iterator>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "sconce/array_ref.h"
#include "sconce/torch/error.h"

namespace c10 {

using std::in_place;
using std::make_optional;
using std::nullopt;
using std::nullopt_t;
using std::optional;

// Borrowed: the range that it was made of must outlive it. Made of a list in braces it is valid for
// the full expression only.
template <class T>
class ArrayRef final {
 public:
  using iterator = const T*;
  using const_iterator = const T*;
  using size_type = size_t;
  using value_type = T;
  using reverse_iterator = std::reverse_iterator<iterator>;

  constexpr ArrayRef() = default;
  constexpr ArrayRef(const T& one) : data_(&one), size_(1) {}
  constexpr ArrayRef(const T* data, size_t size) : data_(data), size_(size) {}
  constexpr ArrayRef(const T* begin, const T* end)
      : data_(begin), size_(static_cast<size_t>(end - begin)) {}
  template <
      class C,
      class = std::enable_if_t<
          std::is_same<std::remove_const_t<decltype(std::declval<const C&>().data())>,
                       const T*>::value ||
          std::is_same<std::remove_const_t<decltype(std::declval<const C&>().data())>, T*>::value>>
  ArrayRef(const C& c) : data_(c.data()), size_(static_cast<size_t>(c.size())) {}
  template <class A>
  ArrayRef(const std::vector<T, A>& v) : data_(v.data()), size_(v.size()) {
    static_assert(!std::is_same<T, bool>::value, "a vector of bool has no elements to refer to");
  }
  template <size_t N>
  constexpr ArrayRef(const std::array<T, N>& a) : data_(a.data()), size_(N) {}
  template <size_t N>
  constexpr ArrayRef(const T (&a)[N]) : data_(a), size_(N) {}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winit-list-lifetime"
#endif
  constexpr ArrayRef(const std::initializer_list<T>& v)
      : data_(v.begin() == v.end() ? nullptr : v.begin()), size_(v.size()) {}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

  constexpr const T* data() const { return data_; }
  constexpr size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr iterator begin() const { return data_; }
  constexpr iterator end() const { return data_ + size_; }
  constexpr iterator cbegin() const { return data_; }
  constexpr iterator cend() const { return data_ + size_; }
  reverse_iterator rbegin() const { return reverse_iterator(end()); }
  reverse_iterator rend() const { return reverse_iterator(begin()); }
  constexpr const T& operator[](size_t i) const { return data_[i]; }
  const T& at(size_t i) const {
    if (i >= size_)
      sconce::raise<Error>("ArrayRef: invalid index Index = ", i, "; Length = ", size_);
    return data_[i];
  }
  const T& front() const { return at(0); }
  const T& back() const {
    if (!size_) sconce::raise<Error>("ArrayRef: attempted to access back() of empty list");
    return data_[size_ - 1];
  }
  ArrayRef slice(size_t from, size_t n) const {
    if (from + n > size_)
      sconce::raise<Error>("ArrayRef: invalid slice, N = ", from, "; M = ", n, "; size = ", size_);
    return ArrayRef(data_ + from, n);
  }
  ArrayRef slice(size_t from) const { return slice(from, size_ - from); }
  template <class F>
  bool allMatch(const F& f) const {
    for (const T& e : *this)
      if (!f(e)) return false;
    return true;
  }
  bool equals(ArrayRef o) const { return *this == o; }
  std::vector<T> vec() const { return std::vector<T>(begin(), end()); }
  operator sconce::ArrayRef<T>() const { return {data_, size_}; }
  // A temporary on the right would be gone at once.
  template <class U>
  std::enable_if_t<std::is_same<U, T>::value, ArrayRef>& operator=(U&&) = delete;

 private:
  const T* data_ = nullptr;
  size_t size_ = 0;
};

template <class T>
bool operator==(ArrayRef<T> a, ArrayRef<T> b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (!(a[i] == b[i])) return false;
  return true;
}
template <class T>
bool operator!=(ArrayRef<T> a, ArrayRef<T> b) {
  return !(a == b);
}
template <class T>
bool operator==(const std::vector<T>& a, ArrayRef<T> b) {
  return ArrayRef<T>(a) == b;
}
template <class T>
bool operator!=(const std::vector<T>& a, ArrayRef<T> b) {
  return !(a == b);
}
template <class T>
bool operator==(ArrayRef<T> a, const std::vector<T>& b) {
  return a == ArrayRef<T>(b);
}
template <class T>
bool operator!=(ArrayRef<T> a, const std::vector<T>& b) {
  return !(a == b);
}
template <class T>
std::ostream& operator<<(std::ostream& os, ArrayRef<T> a) {
  os << "[";
  for (size_t i = 0; i < a.size(); ++i) os << (i ? ", " : "") << a[i];
  return os << "]";
}
template <class T>
ArrayRef<T> makeArrayRef(const std::vector<T>& v) {
  return v;
}
template <class T>
ArrayRef<T> makeArrayRef(const T* p, size_t n) {
  return {p, n};
}

using IntArrayRef = ArrayRef<int64_t>;
using IntList [[deprecated("use IntArrayRef")]] = ArrayRef<int64_t>;
// Sizes are never symbolic here.
using SymInt = int64_t;
using SymIntArrayRef = IntArrayRef;

// optional<ArrayRef> that takes what an ArrayRef takes.
template <class T>
class OptionalArrayRef final {
 public:
  constexpr OptionalArrayRef() = default;
  constexpr OptionalArrayRef(std::nullopt_t) {}
  constexpr OptionalArrayRef(const OptionalArrayRef&) = default;
  constexpr OptionalArrayRef& operator=(const OptionalArrayRef&) = default;
  constexpr OptionalArrayRef(const std::optional<ArrayRef<T>>& o) : wrapped_(o) {}
  template <class U = ArrayRef<T>,
            class = std::enable_if_t<!std::is_same<std::decay_t<U>, OptionalArrayRef>::value &&
                                     !std::is_same<std::decay_t<U>, std::in_place_t>::value &&
                                     std::is_constructible<ArrayRef<T>, U&&>::value &&
                                     std::is_convertible<U&&, ArrayRef<T>>::value &&
                                     !std::is_convertible<U&&, T>::value>>
  constexpr OptionalArrayRef(U&& v) : wrapped_(ArrayRef<T>(std::forward<U>(v))) {}
  constexpr OptionalArrayRef(const T& one) : wrapped_(ArrayRef<T>(one)) {}
  constexpr OptionalArrayRef(const std::initializer_list<T>& v) : wrapped_(ArrayRef<T>(v)) {}

  constexpr bool has_value() const { return wrapped_.has_value(); }
  constexpr explicit operator bool() const { return has_value(); }
  constexpr const ArrayRef<T>& value() const { return wrapped_.value(); }
  constexpr const ArrayRef<T>& operator*() const { return *wrapped_; }
  constexpr const ArrayRef<T>* operator->() const { return &*wrapped_; }
  template <class U>
  constexpr ArrayRef<T> value_or(U&& d) const {
    return wrapped_.value_or(std::forward<U>(d));
  }

 private:
  std::optional<ArrayRef<T>> wrapped_;
};
using OptionalIntArrayRef = OptionalArrayRef<int64_t>;

// Strings and string_views, as LibTorch spells them.
using string_view = std::string_view;

// For for (auto i : c10::irange(begin, end)).
namespace detail {
template <class I>
struct integer_iterator {
  I value;
  I operator*() const { return value; }
  integer_iterator& operator++() {
    ++value;
    return *this;
  }
  bool operator==(const integer_iterator& o) const { return value == o.value; }
  bool operator!=(const integer_iterator& o) const { return value < o.value; }
};
}  // namespace detail
template <class I>
struct integer_range {
  I from, to;
  detail::integer_iterator<I> begin() const { return {from}; }
  detail::integer_iterator<I> end() const { return {to < from ? from : to}; }
};
template <class A, class B>
integer_range<B> irange(A begin, B end) {
  return {static_cast<B>(begin), end};
}
template <class I>
integer_range<I> irange(I end) {
  return {I(), end};
}

}  // namespace c10

// The containers that LibTorch's logging prints: elements apart by spaces, 100 at most.
namespace std {
template <class A, class B>
std::ostream& operator<<(std::ostream& os, const std::pair<A, B>& p);
}
namespace c10 {
template <class It>
void PrintSequence(std::ostream& os, It begin, It end) {
  for (int i = 0; begin != end && i < 100; ++i, ++begin) {
    if (i > 0) os << ' ';
    os << *begin;
  }
  if (begin != end) os << " ...";
}
}  // namespace c10
namespace std {
template <class... T>
std::ostream& operator<<(std::ostream& os, const std::vector<T...>& v) {
  c10::PrintSequence(os, v.begin(), v.end());
  return os;
}
template <class... T>
std::ostream& operator<<(std::ostream& os, const std::map<T...>& v) {
  c10::PrintSequence(os, v.begin(), v.end());
  return os;
}
template <class... T>
std::ostream& operator<<(std::ostream& os, const std::set<T...>& v) {
  c10::PrintSequence(os, v.begin(), v.end());
  return os;
}
template <class A, class B>
std::ostream& operator<<(std::ostream& os, const std::pair<A, B>& p) {
  return os << '(' << p.first << ", " << p.second << ')';
}
}  // namespace std
