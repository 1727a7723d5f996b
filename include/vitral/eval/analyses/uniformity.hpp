// Alignment: how close two views of an image lie. Uniformity: how evenly images spread over the unit sphere (Wang and
// Isola 2020). Tolerance: how alike images of a class stay (Wang and Liu, "Understanding the Behaviour of Contrastive
// Loss", 2021). Rows of features must have unit length.
#pragma once

#include <vitral/backend/cpu/matmul.hpp>
#include <vitral/core/math.hpp>
#include <vitral/eval/analyses/pairs.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <vector>

VITRAL_KERNELS_BEGIN
namespace vitral { inline namespace VITRAL_ABI {

/// The mean of |x - y|^alpha over the rows x and y of two views of the same images; smaller is better aligned.
[[nodiscard]] inline double alignment(const Features& x, const Features& y, double alpha = 2) {
  detail::check_views(x, y);
  double sum = 0;
  for (std::size_t i = 0; i < x.rows.size();) {
    double squares = 0;
    for (const std::size_t end = i + static_cast<std::size_t>(x.width); i < end; ++i) {
      const double difference = static_cast<double>(x.rows[i]) - static_cast<double>(y.rows[i]);
      squares += difference * difference;
    }
    sum += std::pow(squares, alpha / 2);
  }
  return sum / x.images();
}

/// log of the mean of exp(-t |x_i - x_j|^2) over all pairs i < j of rows; smaller is more uniform. All pairs are looked
/// at; distances are held for one block of rows against another at a time.
[[nodiscard]] inline double uniformity(const Features& x, double t = 2) {
  check_analysable(x);
  const long images = x.images(), width = x.width;
  constexpr long most_rows = 512, most_columns = 2048;
  std::vector<float> squares(static_cast<std::size_t>(images)),
      block(static_cast<std::size_t>(std::min(most_rows, images) * std::min(most_columns, images)));
  std::vector<double> sums(static_cast<std::size_t>(images));
  const float* const rows = x.rows.data();
  for (long i = 0; i < images; ++i)
    squares[static_cast<std::size_t>(i)] = static_cast<float>(detail::dot(rows + i * width, rows + i * width, width));
  const float scale = static_cast<float>(t);
  for (long row = 0; row < images; row += most_rows) {
    const long count = std::min(most_rows, images - row);
    for (long column = row; column < images; column += most_columns) {
      const long across = std::min(most_columns, images - column);
      cpu::matmul<float, float, float>(row_major(rows + row * width, count, width),
                                       transposed(row_major(rows + column * width, across, width)),
                                       row_major(block.data(), count, across), false);
      cpu::parallel_for(count, [&](long i) {
        const float own = squares[static_cast<std::size_t>(row + i)], *const other = squares.data() + column,
                    *const product = block.data() + i * across;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (long j = std::max(0L, row + i + 1 - column); j < across; ++j) {
          const float distance = own + other[j] - 2 * product[j];
          sum += math::exp(-scale * (distance > 0 ? distance : 0));
        }
        sums[static_cast<std::size_t>(row + i)] += static_cast<double>(sum);
      });
    }
  }
  const double pairs = static_cast<double>(images) * static_cast<double>(images - 1) / 2;
  return std::log(std::accumulate(sums.begin(), sums.end(), 0.0) / pairs);
}

/// The mean cosine similarity of two images of the same class, over all such pairs; larger is more tolerant of what
/// differs within a class. None where no class has two images. Takes time in proportion to the images: a class's
/// similarities add up to the square of the sum of its rows. Features need labels; Error otherwise.
[[nodiscard]] inline std::optional<double> tolerance(const Features& x) {
  check_analysable(x);
  check(std::ssize(x.labels) == x.images(), "tolerance: ", x.labels.size(), " labels of ", x.images(),
        " images; expected one for each");
  const auto width = static_cast<std::size_t>(x.width);
  std::vector<double> sums(static_cast<std::size_t>(x.classes) * width), own(static_cast<std::size_t>(x.classes));
  std::vector<long> counts(static_cast<std::size_t>(x.classes));
  for (std::size_t i = 0; i < x.labels.size(); ++i) {
    const float* const row = x.rows.data() + i * width;
    const auto label = static_cast<std::size_t>(x.labels[i]);
    for (std::size_t c = 0; c < width; ++c) sums[label * width + c] += static_cast<double>(row[c]);
    own[label] += detail::dot(row, row, x.width);
    ++counts[label];
  }
  double all = 0, pairs = 0;
  for (std::size_t label = 0; label < counts.size(); ++label) {
    if (counts[label] < 2) continue;
    const double *const sum = sums.data() + label * width, count = static_cast<double>(counts[label]);
    all += std::inner_product(sum, sum + width, sum, 0.0) - own[label];
    pairs += count * (count - 1);
  }
  return pairs > 0 ? std::optional(all / pairs) : std::nullopt;
}

}}  // namespace vitral
VITRAL_KERNELS_END
