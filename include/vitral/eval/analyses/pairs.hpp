// How alike the features of two views are: of the same image, and of different images. Needs no library, so that what
// is compiled for a GPU can include it.
#pragma once

#include <vitral/eval/analyses/centred.hpp>

#include <vector>

VITRAL_KERNELS_BEGIN
namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

inline double dot(const float* a, const float* b, long width) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (long c = 0; c < width; ++c) sum += static_cast<double>(a[c]) * static_cast<double>(b[c]);
  return sum;
}

inline void check_views(const Features& x, const Features& y) {
  check_analysable(x);
  check_analysable(y);
  check(x.width == y.width && x.rows.size() == y.rows.size(), "two views: features [", x.images(), ", ", x.width,
        "] and [", y.images(), ", ", y.width, "]; both must be of the same images and layer");
}

}  // namespace detail

/// Mean cosine similarities of pairs of views.
struct PairSimilarity {
  double positive;  ///< of the two views of an image
  double negative;  ///< of any views of two different images
};

/// The similarities for rows x and y of two views of the same images. Takes time in proportion to the images: the four
/// products of the views of images i and j add up to (x_i + y_i) (x_j + y_j), and the sum of these over all pairs
/// follows from the square of the sum of all x_i + y_i.
[[nodiscard]] inline PairSimilarity pair_similarity(const Features& x, const Features& y) {
  detail::check_views(x, y);
  const long images = x.images(), width = x.width;
  double positive = 0, own = 0, all = 0;
  std::vector<double> total(static_cast<std::size_t>(width));
  for (long i = 0; i < images; ++i) {
    const float *const a = x.rows.data() + i * width, *const b = y.rows.data() + i * width;
    positive += detail::dot(a, b, width);
    for (long c = 0; c < width; ++c) {
      const double both = static_cast<double>(a[c]) + static_cast<double>(b[c]);
      own += both * both;
      total[static_cast<std::size_t>(c)] += both;
    }
  }
  for (const double sum : total) all += sum * sum;
  const double count = static_cast<double>(images);
  return {positive / count, (all - own) / (4 * count * (count - 1))};
}

}}  // namespace vitral
VITRAL_KERNELS_END
