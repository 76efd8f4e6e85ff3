// SPDX-License-Identifier: Apache-2.0
// The items of dicts (sconce/numbered_items.h): erased from anywhere, kept in order, moved seldom.
#include "sconce/numbered_items.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "sconce/sconce.h"

using namespace sconce;

namespace {
int64_t moves = 0;
struct Moved {
  Moved() = default;
  explicit Moved(int n) : value(n) {}
  Moved(Moved&& o) noexcept : value(o.value) { ++moves; }
  Moved& operator=(Moved&& o) noexcept {
    value = o.value;
    ++moves;
    return *this;
  }
  int value = -1;
};
}  // namespace

TEST_CASE("items keep their order and numbers, whatever is erased") {
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    NumberedItems<std::string> items;
    std::map<uint64_t, std::string> expected;
    for (int step = 0; step < 300; ++step) {
      const auto draw = static_cast<uint64_t>(random());
      if (expected.empty() || draw % 5 < (step < 150 ? 3u : 1u)) {
        const std::string text = "item " + std::to_string(step);
        expected[items.push_back(text)] = text;
      } else {
        auto it = expected.begin();
        if (round % 3) std::advance(it, draw / 8 % expected.size());
        CHECK(items.erase(it->first) == it->second);
        expected.erase(it);
      }
      REQUIRE(items.size() == expected.size());
      if (step % 7) continue;
      size_t i = 0, place = items.first_place();
      auto at = items.begin();
      for (auto& [number, text] : expected) {
        REQUIRE(at != items.end());
        CHECK(*at++ == text);
        CHECK(items[i++] == text);
        CHECK(items.at_place(place) == text);
        place = items.next_place(place);
        CHECK(items.with_number(number) == text);
      }
      CHECK(at == items.end());
      CHECK(place == items.places());
      if (!expected.empty()) CHECK(items.front() == expected.begin()->second);
    }
    CHECK_THROWS_AS(items.at(items.size()), std::out_of_range);
    items.clear();
    CHECK(items.empty());
    CHECK(items.begin() == items.end());
    items.push_back("again");
    CHECK(items[0] == "again");
  }
}

TEST_CASE("erasing moves few items") {
  constexpr int kItems = 10000;
  for (int order = 0; order < 3; ++order) {
    NumberedItems<Moved> items;
    items.reserve(kItems);
    for (int i = 0; i < kItems; ++i) items.push_back(Moved(i));
    moves = 0;
    for (int i = 0; i < kItems; ++i) {
      const int which = order == 0 ? i : order == 1 ? kItems - 1 - i : (i * 7919) % kItems;
      CHECK(items.erase(static_cast<uint64_t>(which)).value == which);
    }
    CHECK(items.empty());
    CHECK(moves < 6 * kItems);
  }
  // One in, one out.
  NumberedItems<Moved> queue;
  queue.reserve(2 * kItems);
  for (int i = 0; i < 100; ++i) queue.push_back(Moved(i));
  moves = 0;
  for (int i = 0; i < kItems; ++i) {
    queue.push_back(Moved(100 + i));
    CHECK(queue.erase(static_cast<uint64_t>(i)).value == i);
    CHECK(queue.front().value == i + 1);
  }
  CHECK(moves < 8 * kItems);
}

TEST_CASE("a dict with holes") {
  Module m = compile(
      "def f(n: int) -> Tuple[List[int], int, int, List[int]]:\n"
      "  d : Dict[int, int] = {}\n"
      "  for i in range(n):\n"
      "    d[i] = i * i\n"
      "  for i in range(0, n, 2):\n"
      "    del d[i]\n"
      "  first = d.popitem()\n"
      "  d[0] = -1\n"
      "  same : Dict[int, int] = {}\n"
      "  for k, v in d.items():\n"
      "    same[k] = v\n"
      "  left = d.copy()\n"
      "  left.pop(3)\n"
      "  return (list(d.keys()), first[1], same[0] + len(same), list(left.values()))\n");
  IValue out = m.run_method("f", {int64_t{10}});
  const auto& r = out.toTupleRef().items;
  auto ints = [](const IValue& v) {
    std::vector<int64_t> n;
    for (auto& x : v.toListRef().items) n.push_back(x.toInt());
    return n;
  };
  CHECK(ints(r[0]) == std::vector<int64_t>{3, 5, 7, 9, 0});
  CHECK(r[1].toInt() == 1);
  CHECK(r[2].toInt() == 4);
  CHECK(ints(r[3]) == std::vector<int64_t>{25, 49, 81, -1});
}
