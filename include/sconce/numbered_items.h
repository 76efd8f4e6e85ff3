// SPDX-License-Identifier: Apache-2.0
// NumberedItems: a sequence that is appended to at its end and erased from anywhere, each in
// constant time on average. What is erased leaves a hole, which iterators step over; when there are
// more holes than items, they are closed. Each item has a number, which rises with its place and
// stays the same. Reading changes nothing: several threads may.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <stdexcept>
#include <utility>
#include <vector>

namespace sconce {

template <class T>
class NumberedItems {
  static constexpr uint64_t kHole = uint64_t{1} << 63;
  struct Place {
    T item;
    uint64_t number;  // and kHole
    bool hole() const { return number >= kHole; }
  };

  template <class P, class V>
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = V*;
    using reference = V&;
    Iterator() = default;
    Iterator(P* at, P* end) : at_(at), end_(end) {}
    operator Iterator<const P, const V>() const { return {at_, end_}; }
    V& operator*() const { return at_->item; }
    V* operator->() const { return &at_->item; }
    Iterator& operator++() {
      do ++at_;
      while (at_ != end_ && at_->hole());
      return *this;
    }
    Iterator operator++(int) {
      Iterator old = *this;
      ++*this;
      return old;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }
    friend bool operator!=(const Iterator& a, const Iterator& b) { return a.at_ != b.at_; }

   private:
    P *at_ = nullptr, *end_ = nullptr;
  };

 public:
  using value_type = T;
  using iterator = Iterator<Place, T>;
  using const_iterator = Iterator<const Place, const T>;

  size_t size() const { return places_.size() - holes_; }
  bool empty() const { return size() == 0; }
  size_t capacity() const { return places_.capacity(); }
  void reserve(size_t n) { places_.reserve(n + holes_); }
  iterator begin() { return {places_.data() + first_, places_.data() + places_.size()}; }
  iterator end() { return {places_.data() + places_.size(), places_.data() + places_.size()}; }
  const_iterator begin() const {
    return {places_.data() + first_, places_.data() + places_.size()};
  }
  const_iterator end() const {
    return {places_.data() + places_.size(), places_.data() + places_.size()};
  }
  // Of the item at position i: constant time without holes, else as long as to walk there.
  T& operator[](size_t i) { return places_[place_of(i)].item; }
  const T& operator[](size_t i) const { return places_[place_of(i)].item; }
  // Throws std::out_of_range.
  const T& at(size_t i) const {
    if (i >= size()) throw std::out_of_range("there is no such item");
    return (*this)[i];
  }
  T& front() { return places_[first_].item; }
  const T& front() const { return places_[first_].item; }

  // The places of items, in their order: from first_place() by next_place() to places().
  size_t first_place() const { return first_; }
  size_t next_place(size_t p) const {
    do ++p;
    while (p < places_.size() && places_[p].hole());
    return p;
  }
  size_t places() const { return places_.size(); }
  T& at_place(size_t p) { return places_[p].item; }
  const T& at_place(size_t p) const { return places_[p].item; }

  // The item's number.
  uint64_t push_back(T item) {
    places_.push_back({std::move(item), next_});
    return next_++;
  }
  // The item of a number that is there.
  T& with_number(uint64_t n) { return places_[place_with(n)].item; }
  // Takes out the item of a number that is there; places change.
  T erase(uint64_t n) {
    const size_t p = place_with(n);
    T item = std::exchange(places_[p].item, T());
    places_[p].number |= kHole;
    ++holes_;
    if (p == first_) first_ = next_place(p);
    if (holes_ > size()) close();
    return item;
  }
  void clear() {
    places_.clear();
    first_ = holes_ = 0;
  }

 private:
  size_t place_of(size_t i) const {
    if (holes_ == 0) return i;
    if (first_ == holes_) return first_ + i;
    size_t p = first_;
    for (; i > 0; --i) p = next_place(p);
    return p;
  }
  // Unless holes were closed, the numbers have no gaps.
  size_t place_with(uint64_t n) const {
    const uint64_t first = places_.front().number & ~kHole, last = places_.back().number & ~kHole;
    if (last - first < places_.size()) return static_cast<size_t>(n - first);
    auto before = [](const Place& p, uint64_t number) { return (p.number & ~kHole) < number; };
    return static_cast<size_t>(std::lower_bound(places_.begin(), places_.end(), n, before) -
                               places_.begin());
  }
  void close() {
    places_.erase(
        std::remove_if(places_.begin(), places_.end(), [](const Place& p) { return p.hole(); }),
        places_.end());
    first_ = holes_ = 0;
  }

  std::vector<Place> places_;
  size_t first_ = 0, holes_ = 0;  // the first item's place
  uint64_t next_ = 0;
};

}  // namespace sconce
