// A quadtree over points of a plane. A distant cell stands for all points in it, so that forces among N points take
// N log N time (Barnes and Hut 1986; van der Maaten 2014). One walk through the tree collects what all points of a leaf
// see; a vector loop then sums it for each of them.
#pragma once

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace detail {

/// The cells of the tree; each stands before those inside it. The points of a cell stand side by side.
class Quadtree {
 public:
  struct Cell {
    float x, y, width;  ///< centre of mass, and side of the square
    int begin, end;     ///< its points are those from begin to end - 1
    int after;          ///< number of the next cell that is not inside it
    bool leaf;
  };
  static constexpr int leaf_size = 16;

  /// points: [count, 2]
  explicit Quadtree(const std::vector<float>& points) : order(points.size() / 2), x(order.size()), y(order.size()) {
    std::iota(order.begin(), order.end(), 0);
    float low[2] = {points[0], points[1]}, high[2] = {points[0], points[1]};
    for (std::size_t i = 0; i < order.size(); ++i) {
      x[i] = points[2 * i];
      y[i] = points[2 * i + 1];
      low[0] = std::min(low[0], x[i]);
      low[1] = std::min(low[1], y[i]);
      high[0] = std::max(high[0], x[i]);
      high[1] = std::max(high[1], y[i]);
    }
    const float width = std::max(high[0] - low[0], high[1] - low[1]);
    spare_ = {std::vector<float>(x.size()), std::vector<float>(x.size()), std::vector<int>(x.size())};
    add(0, static_cast<int>(order.size()), low[0], low[1], width, 0);
  }

  std::vector<Cell> cells;
  std::vector<int> order;   ///< numbers of the points, cell by cell
  std::vector<float> x, y;  ///< coordinates in this order

 private:
  struct Spare {
    std::vector<float> x, y;
    std::vector<int> order;
  };

  /// Adds the cell of the points from begin to end, whose square begins at (left, below), and those inside it; returns
  /// its number.
  std::size_t add(int begin, int end, float left, float below, float width, int depth) {
    const std::size_t at = cells.size();
    cells.push_back({0, 0, width, begin, end, 0, end - begin <= leaf_size || depth == 24});
    double sum_x = 0, sum_y = 0;
    if (cells[at].leaf) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
        sum_x += static_cast<double>(x[i]);
        sum_y += static_cast<double>(y[i]);
      }
    } else {
      const float half = width / 2, middle_x = left + half, middle_y = below + half;
      const std::array<int, 5> cut = part(begin, end, middle_x, middle_y);
      for (std::size_t quarter = 0; quarter < 4; ++quarter) {
        if (cut[quarter] == cut[quarter + 1]) continue;
        const std::size_t inner = add(cut[quarter], cut[quarter + 1], quarter & 1 ? middle_x : left,
                                      quarter & 2 ? middle_y : below, half, depth + 1);
        const double count = cells[inner].end - cells[inner].begin;
        sum_x += count * static_cast<double>(cells[inner].x);
        sum_y += count * static_cast<double>(cells[inner].y);
      }
    }
    Cell& cell = cells[at];
    cell.x = static_cast<float>(sum_x / (end - begin));
    cell.y = static_cast<float>(sum_y / (end - begin));
    cell.after = static_cast<int>(cells.size());
    return at;
  }

  /// Sorts the points from begin to end by the quarter in which they lie; returns where each quarter begins, and `end`.
  std::array<int, 5> part(int begin, int end, float middle_x, float middle_y) {
    std::array<int, 5> cut{begin, 0, 0, 0, 0};
    const auto first = static_cast<std::size_t>(begin), last = static_cast<std::size_t>(end);
    const auto quarter = [&](std::size_t i) {
      return static_cast<std::size_t>(x[i] >= middle_x) + 2 * static_cast<std::size_t>(y[i] >= middle_y);
    };
    for (std::size_t i = first; i < last; ++i) ++cut[quarter(i) + 1];
    std::partial_sum(cut.begin(), cut.end(), cut.begin());
    std::array<int, 5> next = cut;
    for (std::size_t i = first; i < last; ++i) {
      const auto to = static_cast<std::size_t>(next[quarter(i)]++);
      spare_.x[to] = x[i];
      spare_.y[to] = y[i];
      spare_.order[to] = order[i];
    }
    std::copy(spare_.x.begin() + begin, spare_.x.begin() + end, x.begin() + begin);
    std::copy(spare_.y.begin() + begin, spare_.y.begin() + end, y.begin() + begin);
    std::copy(spare_.order.begin() + begin, spare_.order.begin() + end, order.begin() + begin);
    return cut;
  }

  Spare spare_;
};

/// What a point sees of the others: points of mass 1, and cells, whose mass is the number of their points.
struct Bodies {
  std::vector<float> x, y, mass;

  void clear() {
    x.clear();
    y.clear();
    mass.clear();
  }
  void add(float at_x, float at_y, float heavy) {
    x.push_back(at_x);
    y.push_back(at_y);
    mass.push_back(heavy);
  }
};

/// Collects what the points of `leaf` see. A cell is seen as one where its width is less than theta times its distance
/// from the box around these points; leaves nearer by are seen point by point.
inline void collect(const Quadtree& tree, const Quadtree::Cell& leaf, float theta, Bodies& bodies) {
  bodies.clear();
  const auto [left, right] = std::minmax_element(tree.x.begin() + leaf.begin, tree.x.begin() + leaf.end);
  const auto [below, above] = std::minmax_element(tree.y.begin() + leaf.begin, tree.y.begin() + leaf.end);
  for (std::size_t at = 0; at < tree.cells.size();) {
    const Quadtree::Cell& cell = tree.cells[at];
    const float across = std::max({*left - cell.x, cell.x - *right, 0.0f}),
                along = std::max({*below - cell.y, cell.y - *above, 0.0f});
    const bool around = cell.begin <= leaf.begin && leaf.end <= cell.end;
    if (!around && cell.width * cell.width < theta * theta * (across * across + along * along)) {
      bodies.add(cell.x, cell.y, static_cast<float>(cell.end - cell.begin));
    } else if (cell.leaf) {
      for (auto i = static_cast<std::size_t>(cell.begin); i < static_cast<std::size_t>(cell.end); ++i)
        bodies.add(tree.x[i], tree.y[i], 1);
    } else {
      ++at;
      continue;
    }
    at = static_cast<std::size_t>(cell.after);
  }
}

}  // namespace detail

}}  // namespace vitral
