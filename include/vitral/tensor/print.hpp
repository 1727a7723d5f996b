// A tensor as text, laid out as NumPy does, and << for any stream that takes strings.
#pragma once

#include <vitral/tensor/evaluate.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// Brackets around brackets. Of an axis that is cut short, the first and last three places are shown.
class TextOfElements {
 public:
  explicit TextOfElements(std::vector<int> extents) : extents_(std::move(extents)) {
    for (const int extent : extents_) size_ *= extent;
  }

  /// Calls f(place) for each element that is shown, in order; its place counts row by row.
  template <class F>
  void for_each_shown(F&& f, std::size_t axis = 0, long begin = 0) const {
    if (axis == extents_.size()) return f(begin);
    for (int i = 0; i < extents_[axis]; i = next(i, axis)) for_each_shown(f, axis + 1, begin * extents_[axis] + i);
  }

  /// `numbers` are those of the elements that are shown, in order.
  [[nodiscard]] std::string with(const std::vector<std::string>& numbers) const {
    std::size_t width = 0;
    for (const std::string& number : numbers) width = std::max(width, number.size());
    std::string out;
    auto number = numbers.begin();
    append(out, number, width, 0);
    return out;
  }

 private:
  static constexpr long whole = 1000;  // tensors of more elements are cut short
  static constexpr int shown = 3;

  [[nodiscard]] bool cut(std::size_t axis) const { return size_ > whole && extents_[axis] > 2 * shown; }
  [[nodiscard]] int next(int i, std::size_t axis) const {
    return cut(axis) && i == shown - 1 ? extents_[axis] - shown : i + 1;
  }

  void append(std::string& out, std::vector<std::string>::const_iterator& number, std::size_t width,
              std::size_t axis) const {
    if (axis == extents_.size()) {
      out += std::string(width - number->size(), ' ') + *number;
      ++number;
      return;
    }
    const std::size_t inner = extents_.size() - axis - 1;  // axes
    const std::string separator = inner == 0 ? ", " : "," + std::string(inner, '\n') + std::string(axis + 1, ' ');
    out += '[';
    for (int i = 0; i < extents_[axis]; i = next(i, axis)) {
      if (i > 0) out += separator;
      if (cut(axis) && i == extents_[axis] - shown) out += "..." + separator;
      append(out, number, width, axis + 1);
    }
    out += ']';
  }

  std::vector<int> extents_;
  long size_ = 1;
};

}  // namespace detail

/// The type, the shape and the elements of a tensor, view or expression, copied to the host: six digits of each number,
/// the first and last three along an axis where there are more than 1000. text_of(x) of x [2, 2] is
///   f32 [2, 2]
///   [[1, 2],
///    [3, 4]]
template <detail::Untracked X>
[[nodiscard]] std::string text_of(const X& x) {
  const auto shape = x.shape();
  const auto extents = shape.all();
  const detail::TextOfElements text(std::vector<int>(extents.begin(), extents.end()));
  const auto values = eval(x).to_vector();
  std::vector<std::string> numbers;
  text.for_each_shown([&](long place) {
    numbers.push_back(join(static_cast<compute_t<scalar_of<X>>>(values[static_cast<std::size_t>(place)])));
  });
  return join(scalar_name<scalar_of<X>>, " ", shape, "\n", text.with(numbers));
}

/// std::cout << x; any stream that takes a std::string will do.
template <class Stream, detail::Untracked X>
  requires requires(Stream& out, const std::string& text) { out << text; }
Stream& operator<<(Stream& out, const X& x) {
  out << text_of(x);
  return out;
}

}}  // namespace vitral
