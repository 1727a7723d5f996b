// The rows of a table that are nearest to others, found by any backend; tables and results lie in host memory.
// Relies on a backend's nearest_rows.
#pragma once

#include <vitral/backend/backend.hpp>
#include <vitral/tensor/tensor.hpp>

#include <span>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// The k training rows that are nearest to each query, nearest first.
struct Neighbours {
  int k = 0;
  std::vector<float> similarity;  ///< [queries, k]
  std::vector<int> place;         ///< [queries, k], numbers of training rows

  [[nodiscard]] int queries() const { return k ? static_cast<int>(place.size()) / k : 0; }
};

/// The k rows of `known` [rows, width] of the largest inner product with each row of `asked` [queries, width], exactly,
/// found by backend B. Of equal products the earlier row counts as nearer. However many rows there are, products are
/// held for a block of them at a time. `leave_one_out`: both are the same rows, and none is its own neighbour. Needs k
/// rows, 1 or more; a query whose products are no numbers has places below 0.
template <OffersNearestRows B>
[[nodiscard]] Neighbours nearest_host_rows(std::span<const float> known, std::span<const float> asked, int width, int k,
                                           bool leave_one_out) {
  const auto count = [&](std::span<const float> table) {
    return static_cast<int>(table.size() / static_cast<std::size_t>(width));
  };
  const int rows = count(known), queries = count(asked);
  Neighbours out{k, {}, {}};
  if constexpr (B::on_host) {
    out.place.resize(static_cast<std::size_t>(queries) * static_cast<std::size_t>(k));
    out.similarity.resize(out.place.size());
    B::nearest_rows(row_major(known.data(), rows, width), row_major(asked.data(), queries, width), k, leave_one_out,
                    out.similarity.data(), out.place.data());
  } else {
    using Numbers = Tensor<float, Shape<dyn, dyn>, B>;
    const auto there = [](std::span<const float> numbers, const Shape<dyn, dyn>& shape) {
      const auto copy = Numbers::uninitialized(shape);
      B::copy_from_host(numbers.data(), copy.data(), copy.size());
      return copy;
    };
    const auto table = there(known, {rows, width}), wanted = there(asked, {queries, width});
    const auto products = Numbers::uninitialized({queries, k});
    const auto places = Tensor<int, Shape<dyn, dyn>, B>::uninitialized({queries, k});
    B::nearest_rows(row_major(table.data(), rows, width), row_major(wanted.data(), queries, width), k, leave_one_out,
                    products.data(), places.data());
    out.similarity = products.to_vector();
    out.place = places.to_vector();
  }
  return out;
}

}}  // namespace vitral
