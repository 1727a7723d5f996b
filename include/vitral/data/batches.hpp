// Batches of arrays in memory: a source for a trainer where the data are tensors already.
#pragma once

#include <vitral/data/batch.hpp>
#include <vitral/data/epoch.hpp>
#include <vitral/data/order.hpp>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <type_traits>

namespace vitral { inline namespace VITRAL_ABI {

/// How Batches cuts arrays up.
struct BatchesOptions {
  int batch = 256;
  bool shuffle = true;  ///< each epoch has an order of its own, by the seed; false: the arrays' order
  std::uint64_t seed = 0;
  bool drop_last = true;  ///< leave out the rows that do not fill a batch
};

/// Stands for the targets of arrays that have none.
struct NoTargets {};

/// Rows of two arrays: row i of `y` is the target of row i of `x`. X is a tensor whose first extent is dyn; so is Y, or
/// it is NoTargets.
template <class X, class Y>
struct ArrayBatch {
  long epoch = 0;
  long index = 0;  ///< number in the epoch: 0 ... batches() - 1
  X x;
  Y y;
  std::vector<long> places;  ///< the rows' numbers in the arrays

  [[nodiscard]] int size() const { return static_cast<int>(places.size()); }
};

/// No targets, on any backend.
template <class B>
[[nodiscard]] NoTargets to_backend(NoTargets none) {
  return none;
}

/// The batch with its tensors on backend B; what is copied is queued, as for a tensor.
template <class B, class X, class Y>
[[nodiscard]] auto to_backend(const ArrayBatch<X, Y>& batch) {
  auto x = to_backend<B>(batch.x);
  auto y = to_backend<B>(batch.y);
  return ArrayBatch<decltype(x), decltype(y)>{batch.epoch, batch.index, std::move(x), std::move(y), batch.places};
}

namespace detail {

/// The type of some of the rows of a tensor.
template <class X>
struct batch_rows {
  static_assert(shape_of<X>::rank >= 1, "vitral: Batches(x, y): the first extents of x and y count the rows");
  using type = Tensor<scalar_of<X>, replace_extent<shape_of<X>, 0, dyn>, Cpu>;
};
template <>
struct batch_rows<NoTargets> {
  using type = NoTargets;
};
template <class X>
using chosen_rows = typename batch_rows<X>::type;

inline void choose_rows(NoTargets, const std::vector<long>&, NoTargets&) {}
/// Rows `places` of `from`.
template <class X>
void choose_rows(const X& from, const std::vector<long>& places, chosen_rows<X>& to) {
  auto extents = from.shape().all();
  extents[0] = static_cast<int>(places.size());
  make_room(to, shape_of<chosen_rows<X>>(extents));
  const long row = from.size() / std::max(1, from.extent(0));
  for (std::size_t i = 0; i < places.size(); ++i)
    std::copy_n(from.data() + places[i] * row, row, to.data() + static_cast<long>(i) * row);
}

}  // namespace detail

/// Batches of the rows of x [n, ...] with their targets y [n, ...], both in host memory: for classes y is
/// Tensor<int, Shape<dyn>>, else a tensor of any shape. Both may hold numbers of any type. y may be left out. Throws
/// Error where the two differ in their rows, or have fewer of them than a batch.
///
///   Batches data(x, y, {.batch = 128, .seed = 1});
///   for (const auto& batch : data.epoch(0)) learn(batch.x, batch.y);
template <class X, class Y = NoTargets>
class Batches {
 public:
  using batch_type = ArrayBatch<detail::chosen_rows<X>, detail::chosen_rows<Y>>;

  Batches(const X& x, const Y& y, const BatchesOptions& options = {}) : x_(x), y_(y), options_(options) {
    if constexpr (!std::is_same_v<Y, NoTargets>)
      check(x.extent(0) == y.extent(0), "Batches: x of shape ", x.shape(), " and y of shape ", y.shape(),
            " differ in their first extent, the number of rows");
    check(options.batch >= 1, "Batches: batch must be 1 or more, not ", options.batch);
    check(options.batch <= rows() || !options.drop_last, "Batches: a batch of ", options.batch,
          " rows is larger than x, which has ", rows(), "; use a smaller batch, or drop_last = false");
    stop();
  }
  explicit Batches(const X& x, const BatchesOptions& options = {}) requires std::is_same_v<Y, NoTargets>
      : Batches(x, NoTargets{}, options) {}

  [[nodiscard]] long batches() const {
    return options_.drop_last ? rows() / options_.batch : (rows() + options_.batch - 1) / options_.batch;
  }

  /// Begins an epoch (0 ... 2^24 - 1) at its batch `first_batch`.
  void start(long epoch, long first_batch = 0) {
    check_start(epoch, first_batch, batches());
    order_.resize(static_cast<std::size_t>(rows()));
    std::iota(order_.begin(), order_.end(), 0);
    if (options_.shuffle) order_ = shuffled(rows(), options_.seed, epoch);
    epoch_ = epoch;
    next_ = first_batch;
  }

  /// The next batch; false after the epoch's last, after stop() and before start(). Memory that somebody holds stays as
  /// it is; else the next batch takes that of this one.
  bool next(batch_type& batch) {
    if (next_ == batches()) return false;
    const long first = next_ * options_.batch, count = std::min<long>(options_.batch, rows() - first);
    batch.epoch = epoch_;
    batch.index = next_++;
    batch.places.assign(order_.begin() + first, order_.begin() + first + count);
    detail::choose_rows(x_, batch.places, batch.x);
    detail::choose_rows(y_, batch.places, batch.y);
    return true;
  }

  /// Ends the epoch.
  void stop() { next_ = batches(); }

  /// An epoch as a range.
  [[nodiscard]] Epoch<Batches> epoch(long number, long first_batch = 0) { return {*this, number, first_batch}; }

 private:
  [[nodiscard]] long rows() const { return x_.extent(0); }

  X x_;
  Y y_;
  BatchesOptions options_;
  std::vector<std::uint32_t> order_;
  long epoch_ = 0;
  long next_ = 0;  // the batch that next() returns
};

}}  // namespace vitral
