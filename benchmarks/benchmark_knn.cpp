// Seconds that the 20 nearest of 50,000 features take for 10,000 queries of width 384, and a sum over what was found.
#include <vitral/eval/classifiers/knn.hpp>

#include <chrono>
#include <cstdio>

using namespace vitral;

namespace {

/// The numbers that knn_time.py makes, too: the 24 bits of a linear congruential generator (Numerical Recipes'
/// numbers).
Features features(int count, std::uint32_t seed) {
  Features out{{}, 384, {}, 0};
  for (long i = 0; i < long{count} * out.width; ++i) {
    seed = seed * 1664525u + 1013904223u;
    out.rows.push_back(static_cast<float>(seed >> 8) * 0x1p-23f - 1);
  }
  for (int i = 0; i < count; ++i) {
    float* const row = out.rows.data() + static_cast<long>(i) * out.width;
    double squares = 0;
    for (int c = 0; c < out.width; ++c) squares += static_cast<double>(row[c]) * static_cast<double>(row[c]);
    for (int c = 0; c < out.width; ++c) row[c] = static_cast<float>(static_cast<double>(row[c]) / std::sqrt(squares));
  }
  return out;
}

}  // namespace

int main() {
  const Features train = features(50000, 1), test = features(10000, 2);
  for (int round = 0; round < 3; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    const Neighbours found = nearest_neighbours(train, test, 20);
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    std::uint64_t sum = 0;
    for (const int place : found.place) sum += static_cast<std::uint64_t>(place);
    std::printf("vitral k-NN: %.3f s, sum of places %llu\n", time.count(), static_cast<unsigned long long>(sum));
  }
}
