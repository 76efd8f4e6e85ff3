// SPDX-License-Identifier: Apache-2.0
// A pole on a cart, balanced by an LSTM that sees place and angle fifty times a second. Every five
// seconds somebody pushes the pole. Prints how it went and how long the network took each time.
// usage: balance POLICY.pt [SECONDS]     the seconds are simulated, not waited for
#include <sconce/sconce.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>

namespace {

constexpr double kStep = 0.02;  // seconds

// A. Barto, R. Sutton, C. Anderson, Neuronlike adaptive elements, 1983.
struct CartPole {
  double place = 0.3, speed = 0, angle = 0.1, turn = 0;

  void move(double force) {
    constexpr double gravity = 9.8, cart = 1.0, pole = 0.1, half = 0.5;
    const double sin = std::sin(angle), cos = std::cos(angle);
    const double push = (force + pole * half * turn * turn * sin) / (cart + pole);
    const double turning =
        (gravity * sin - cos * push) / (half * (4.0 / 3 - pole * cos * cos / (cart + pole)));
    const double sliding = push - pole * half * turning * cos / (cart + pole);
    speed += kStep * sliding, turn += kStep * turning;
    place += kStep * speed, angle += kStep * turn;
  }
};

// Microseconds in classes that grow by half: a line for each that isn't empty.
void print_histogram(std::vector<double> us) {
  std::sort(us.begin(), us.end());
  auto at = [&](double part) {
    return us[static_cast<size_t>(part * static_cast<double>(us.size() - 1))];
  };
  std::printf("latency in us: p50 %.1f, p90 %.1f, p99 %.1f, p99.9 %.1f, longest %.1f\n", at(0.5),
              at(0.9), at(0.99), at(0.999), us.back());
  auto from = us.begin();
  for (double high = 1; from != us.end(); high *= 1.5) {
    auto to = std::upper_bound(from, us.end(), high);
    if (to != from) {
      const auto n = static_cast<double>(to - from);
      const int bar = static_cast<int>(std::ceil(50 * n / static_cast<double>(us.size())));
      std::printf("  to %8.1f us %7.0f  %s\n", high, n,
                  std::string(static_cast<size_t>(bar), '#').c_str());
    }
    from = to;
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2 || argc > 3) {
    std::cerr << "usage: balance POLICY.pt [SECONDS]\n";
    return 2;
  }
  const int steps = static_cast<int>((argc > 2 ? std::atof(argv[2]) : 60) / kStep);
  auto policy = sconce::load(argv[1]);
  const sconce::IValue start = policy.run_method("start", {});
  auto seen = sconce::zeros({1, 2});
  // The first calls of a method compile and prepare it: not in the loop.
  for (int i = 0; i < 5; ++i) policy.forward({seen, start});

  CartPole cart;
  sconce::IValue state = start;
  double worst = 0;
  std::vector<double> us;
  for (int i = 0; i < steps; ++i) {
    // A tensor of its own in every step: the state may keep what it was given.
    seen = sconce::empty({1, 2});
    seen.data_ptr<float>()[0] = static_cast<float>(cart.place);
    seen.data_ptr<float>()[1] = static_cast<float>(cart.angle);
    const auto begun = std::chrono::steady_clock::now();
    const sconce::IValue answer = policy.forward({seen, state});
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begun;
    us.push_back(took.count());
    state = answer.toTupleRef().items[1];
    cart.move(answer.toTupleRef().items[0].toTensor().item<double>());
    if (i % 250 == 249) cart.turn += 0.5;
    worst = std::max(worst, std::abs(cart.angle));
    if (std::abs(cart.angle) > 0.8) {
      std::printf("fell after %.2f s\n", i * kStep);
      return 1;
    }
  }
  std::printf("%d steps, %.0f s: never more than %.3f rad from upright, the cart is at %.2f m\n",
              steps, steps * kStep, worst, cart.place);
  print_histogram(std::move(us));
} catch (const std::exception& e) {  // sconce::Error is one
  std::cerr << e.what() << "\n";
  return 3;
}
