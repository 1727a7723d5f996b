// How parameters start: seeds of layers, and a stream of random numbers for each parameter.
#pragma once

#include <vitral/autodiff/parameter.hpp>
#include <vitral/core/philox.hpp>

#include <atomic>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// The seed of a layer that is given none: another one each time, the same in each run of a program that makes its
/// layers in one order. The high bit keeps it apart from the small numbers that people choose.
[[nodiscard]] inline Seed next_seed() {
  static std::atomic<std::uint64_t> layers{0};
  return Seed{(std::uint64_t{1} << 63) + layers++};
}

/// Fills parameters with random numbers. Each has a stream of its own, in the order in which they are filled, so that
/// one seed determines a whole network.
class Initializer {
 public:
  explicit Initializer(Seed seed) : seed_(seed) {}

  /// Uniform in [-bound, bound).
  template <class T, class S, class B>
  void fill_uniform(const Parameter<T, S, B>& p, double bound) {
    fill(p, [bound](const Random& random, std::uint64_t i) { return bound * (2 * random.uniform(i) - 1); });
  }
  /// Normal with mean 0.
  template <class T, class S, class B>
  void fill_normal(const Parameter<T, S, B>& p, double deviation) {
    fill(p, [deviation](const Random& random, std::uint64_t i) { return deviation * random.normal(i); });
  }

  /// Lets a constructor hand a temporary on: `Linear(in, out, Initializer(seed).self())`.
  [[nodiscard]] Initializer& self() { return *this; }

 private:
  template <class T, class S, class B, class F>
  void fill(const Parameter<T, S, B>& p, F&& number) {
    const Random random{seed_.value, streams_++, 0};
    std::vector<T> values(static_cast<std::size_t>(p.value.size()));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(number(random, i));
    B::copy_from_host(values.data(), p.value.data(), p.value.size());
  }

  Seed seed_;
  std::uint64_t streams_ = 0;
};

namespace detail {

/// `given`: a module made of layers hands them widths that may be in their types as well.
inline int checked_width(const char* what, int in_type, int given) {
  check(in_type == dyn || in_type == given, what, " is ", in_type, " in the type, and ", given,
        " was given to the constructor");
  return given;
}

/// A vector with all elements equal.
template <class P, int D, class B>
Tensor<P, Shape<D>, B> constant_vector(int width, P value) {
  auto out = Tensor<P, Shape<D>, B>::uninitialized(Shape<D>(std::array<int, 1>{width}));
  B::fill(out.data(), width, value);
  return out;
}

}  // namespace detail

}}  // namespace vitral
