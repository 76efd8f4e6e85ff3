// SPDX-License-Identifier: Apache-2.0
// ArrayRef: a borrowed contiguous range. SmallVec: a vector of trivially copyable items with inline
// room for N.
#pragma once
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <ostream>
#include <type_traits>
#include <utility>
#include <vector>

// Builds with the address sanitizer look at each index.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SCONCE_CHECK_INDICES 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SCONCE_CHECK_INDICES 1
#endif
#ifdef SCONCE_CHECK_INDICES
#define SCONCE_CHECK_INDEX(i, size) ((i) < (size) ? (void)0 : __builtin_trap())
#else
#define SCONCE_CHECK_INDEX(i, size) ((void)0)
#endif

namespace sconce {

template <class T>
class ArrayRef {
 public:
  constexpr ArrayRef() = default;
  constexpr ArrayRef(const T* data, size_t size) : data_(data), size_(size) {}
  ArrayRef(const std::vector<T>& v) : data_(v.data()), size_(v.size()) {}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winit-list-lifetime"
#endif
  // Valid for the full expression only, as PyTorch's.
  constexpr ArrayRef(const std::initializer_list<T>& v) : data_(v.begin()), size_(v.size()) {}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  const T& operator[](size_t i) const {
    SCONCE_CHECK_INDEX(i, size_);
    return data_[i];
  }
  const T& back() const { return (*this)[size_ - 1]; }
  const T& front() const { return (*this)[0]; }
  ArrayRef slice(size_t from, size_t n) const { return {data_ + from, n}; }
  ArrayRef slice(size_t from) const { return {data_ + from, size_ - from}; }
  std::vector<T> vec() const { return std::vector<T>(begin(), end()); }
  bool operator==(ArrayRef o) const {
    if (size_ != o.size_) return false;
    for (size_t i = 0; i < size_; ++i)
      if (!(data_[i] == o.data_[i])) return false;
    return true;
  }
  bool operator!=(ArrayRef o) const { return !(*this == o); }

 private:
  const T* data_ = nullptr;
  size_t size_ = 0;
};

using IntArrayRef = ArrayRef<int64_t>;

// Prints as LibTorch prints sizes: [2, 3].
template <class T>
std::ostream& operator<<(std::ostream& os, ArrayRef<T> a) {
  os << "[";
  for (size_t i = 0; i < a.size(); ++i) os << (i ? ", " : "") << a[i];
  return os << "]";
}

template <class T, size_t N = 6>
class SmallVec {
  static_assert(std::is_trivially_copyable<T>::value, "SmallVec holds plain data");

 public:
  SmallVec() = default;
  explicit SmallVec(size_t n, T v = T()) { assign(n, v); }
  SmallVec(std::initializer_list<T> v) { assign(v.begin(), v.end()); }
  SmallVec(ArrayRef<T> v) { assign(v.begin(), v.end()); }
  SmallVec(const std::vector<T>& v) { assign(v.data(), v.data() + v.size()); }
  template <class It>
  SmallVec(It b, It e) {
    for (; b != e; ++b) push_back(*b);
  }
  SmallVec(const SmallVec& o) { assign(o.begin(), o.end()); }
  SmallVec(SmallVec&& o) noexcept { steal(o); }
  SmallVec& operator=(const SmallVec& o) {
    if (this != &o) assign(o.begin(), o.end());
    return *this;
  }
  SmallVec& operator=(SmallVec&& o) noexcept {
    if (this != &o) {
      if (heap_) delete[] heap_;
      heap_ = nullptr;
      cap_ = N;
      steal(o);
    }
    return *this;
  }
  ~SmallVec() {
    if (heap_) delete[] heap_;
  }
  T* data() { return heap_ ? heap_ : inline_; }
  const T* data() const { return heap_ ? heap_ : inline_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  T& operator[](size_t i) {
    SCONCE_CHECK_INDEX(i, size_);
    return data()[i];
  }
  const T& operator[](size_t i) const {
    SCONCE_CHECK_INDEX(i, size_);
    return data()[i];
  }
  T& back() { return (*this)[size_ - 1]; }
  const T& back() const { return (*this)[size_ - 1]; }
  void clear() { size_ = 0; }
  void reserve(size_t n) {
    if (n <= cap_) return;
    size_t cap = n < 2 * static_cast<size_t>(cap_) ? 2 * static_cast<size_t>(cap_) : n;
    T* fresh = new T[cap];
    std::memcpy(static_cast<void*>(fresh), data(), size_ * sizeof(T));
    if (heap_) delete[] heap_;
    heap_ = fresh;
    cap_ = static_cast<uint32_t>(cap);
  }
  void resize(size_t n, T v = T()) {
    reserve(n);
    for (size_t i = size_; i < n; ++i) data()[i] = v;
    size_ = static_cast<uint32_t>(n);
  }
  void push_back(T v) {
    reserve(size_ + 1);
    data()[size_++] = v;
  }
  void pop_back() {
    SCONCE_CHECK_INDEX(0u, size_);
    --size_;
  }
  void assign(size_t n, T v) {
    size_ = 0;
    resize(n, v);
  }
  void assign(const T* b, const T* e) {
    size_ = 0;
    reserve(static_cast<size_t>(e - b));
    if (b != e) std::memmove(static_cast<void*>(data()), b, static_cast<size_t>(e - b) * sizeof(T));
    size_ = static_cast<uint32_t>(e - b);
  }
  void insert(size_t at, T v) {
    push_back(v);
    for (size_t i = size_ - 1; i > at; --i) std::swap(data()[i], data()[i - 1]);
  }
  void erase(size_t at) {
    for (size_t i = at; i + 1 < size_; ++i) data()[i] = data()[i + 1];
    --size_;
  }
  operator ArrayRef<T>() const { return {data(), size_}; }
  std::vector<T> vec() const { return std::vector<T>(begin(), end()); }
  bool operator==(const SmallVec& o) const { return ArrayRef<T>(*this) == ArrayRef<T>(o); }
  bool operator!=(const SmallVec& o) const { return !(*this == o); }

 private:
  void steal(SmallVec& o) {
    size_ = o.size_;
    if (o.heap_) {
      heap_ = o.heap_;
      cap_ = o.cap_;
      o.heap_ = nullptr;
      o.cap_ = N;
    } else {
      std::memcpy(static_cast<void*>(inline_), o.inline_, sizeof(T) * size_);
    }
    o.size_ = 0;
  }
  uint32_t size_ = 0, cap_ = N;
  T* heap_ = nullptr;
  T inline_[N];
};

using DimVector = SmallVec<int64_t, 6>;

}  // namespace sconce
