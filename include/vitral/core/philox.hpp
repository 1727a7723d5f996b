// Counter-based random numbers: a pure function of (seed, stream, step, index), equal on any backend and thread count.
// Philox4x32-10 by Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
#pragma once

#include <vitral/core/config.hpp>

#include <cmath>
#include <cstdint>

namespace vitral { inline namespace VITRAL_ABI {

/// What makes one run differ from another. A type of its own, so that a seed is never mistaken for a size.
struct Seed {
  std::uint64_t value = 0;
};

/// The block cipher itself: 128 bits of counter and 64 bits of key give 128 random bits.
struct Philox {
  /// An array that kernels can read.
  template <int N>
  struct Words {
    std::uint32_t word[N];
    VITRAL_HD constexpr std::uint32_t operator[](int i) const { return word[i]; }
    constexpr bool operator==(const Words&) const = default;
  };
  using Counter = Words<4>;
  using Key = Words<2>;

  VITRAL_HD static constexpr Counter block(Counter counter, Key key) {
    std::uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    std::uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t p0 = 0xd2511f53ull * c0;
      const std::uint64_t p1 = 0xcd9e8d57ull * c2;
      const std::uint32_t next0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
      const std::uint32_t next2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
      c1 = static_cast<std::uint32_t>(p1);
      c3 = static_cast<std::uint32_t>(p0);
      c0 = next0;
      c2 = next2;
      k0 += 0x9e3779b9u;  // the golden ratio
      k1 += 0xbb67ae85u;  // sqrt(3) - 1
    }
    return Counter{c0, c1, c2, c3};
  }
};

/// A family of random numbers, one for each 64-bit index, without state.
/// The seed is the cipher's key; the counter is [index low, index high, stream, step] where stream and step
/// count modulo 2^32. Each index owns one 128-bit block, whose first words all of the functions below share: draw
/// independent quantities from different indices or streams.
struct Random {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
  std::uint64_t step = 0;

  VITRAL_HD constexpr Philox::Counter block(std::uint64_t index) const {
    return Philox::block({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                          static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(step)},
                         {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  }

  /// 32 random bits.
  VITRAL_HD constexpr std::uint32_t bits(std::uint64_t index) const { return block(index)[0]; }

  /// Uniform in [0, 1) with 53 random bits.
  VITRAL_HD constexpr double uniform(std::uint64_t index) const {
    const Philox::Counter word = block(index);
    return unit(word[0], word[1]);
  }

  /// Uniform in [0, 1) with 24 random bits.
  VITRAL_HD constexpr float uniform_float(std::uint64_t index) const {
    return static_cast<float>(bits(index) >> 8) * 0x1p-24f;
  }

  /// Standard normal (Box and Muller, 1958: the cosine branch).
  VITRAL_HD double normal(std::uint64_t index) const {
    const Philox::Counter word = block(index);
    const double radius = std::sqrt(-2.0 * std::log(1.0 - unit(word[0], word[1])));
    return radius * std::cos(6.283185307179586477 * unit(word[2], word[3]));
  }

  /// Uniform in 0 ... n-1 for n >= 1; the bias is below n / 2^64.
  VITRAL_HD constexpr std::uint32_t below(std::uint64_t index, std::uint32_t n) const {
    const Philox::Counter word = block(index);
    const std::uint64_t low = (std::uint64_t{word[1]} * n) >> 32;
    return static_cast<std::uint32_t>((std::uint64_t{word[0]} * n + low) >> 32);
  }

 private:
  VITRAL_HD static constexpr double unit(std::uint32_t high, std::uint32_t low) {
    const std::uint64_t wide = (std::uint64_t{high} << 32 | low) >> 11;
    return static_cast<double>(wide) * 0x1p-53;
  }
};

}}  // namespace vitral
