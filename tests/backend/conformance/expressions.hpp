// Cases of expressions: evaluation, reductions, gradients, assignments of many tensors.
#pragma once

#include "reference.hpp"

#include <vitral/autodiff/record.hpp>
#include <vitral/nn/linear.hpp>
#include <vitral/nn/rounded_weights.hpp>
#include <vitral/tensor/layout.hpp>
#include <vitral/tensor/reduce.hpp>

namespace conformance {

TEST_CASE_TEMPLATE_DEFINE("a backend evaluates, reduces and differentiates broadcast expressions", X, expression_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  constexpr int rows = 70, cols = 300;  // several pieces and tasks of any implementation
  const Numbers x = normal<T>(rows * cols, 17), row = normal<T>(cols, 18), column = normal<T>(rows, 19);
  const auto tensor = [](const Numbers& numbers, auto shape) {
    return Tensor<T, decltype(shape), B>(put<B, T>(numbers).buffer(), shape);
  };
  const auto a = tensor(x, Shape<dyn, cols>{rows});
  const auto b = tensor(row, Shape<cols>{});
  const auto c = tensor(column, Shape<rows, 1>{});

  Numbers expected(x.size());
  const auto value = [&](std::size_t i, std::size_t j) { return gelu_of(x[i * cols + j] * row[j] + column[i]) * 0.5; };
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < cols; ++j) expected[i * cols + j] = value(i, j);
  const auto y = eval(gelu(a * b + c) * 0.5f);
  CHECK(gap(take(y), expected) < tolerance<T>());

  // Two assignments, of which the second reads what the first wrote; and a strided operand.
  const auto first = clone(a), second = clone(a);
  assign_together(into(first, first + 1), into(second, first * 2));
  Numbers doubled = x;
  for (double& number : doubled) number = 2 * (number + 1);
  CHECK(gap(take(second), doubled) < tolerance<T>());
  CHECK(take(eval(transpose_view<1, 0>(a) * 1.0f)) == transposed_of(x, rows, cols));

  Numbers sums(cols), means(rows), places(rows);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < cols; ++j) {
      sums[j] += x[i * cols + j];
      means[i] += x[i * cols + j] * x[i * cols + j] / cols;
      if (x[i * cols + j] > x[i * cols + static_cast<std::size_t>(places[i])]) places[i] = static_cast<double>(j);
    }
  CHECK(gap(take(sum<0>(a)), sums) < tolerance<T>());
  CHECK(gap(take(mean<1>(square(a))), means) < tolerance<T>());
  CHECK(take(argmax<1>(a)) == places);

  // d sum(y up), where the gradients of b and c are sums over the axes along which they are repeated.
  const Numbers up = normal<T>(rows * cols, 20);
  Numbers da(x.size()), db(cols), dc(rows);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < cols; ++j) {
      const double z = x[i * cols + j] * row[j] + column[i];
      const double phi = std::exp(-0.5 * z * z) / std::sqrt(2 * std::acos(-1.0));
      const double g = up[i * cols + j] * 0.5 * (0.5 * (1 + std::erf(z / std::sqrt(2.0))) + z * phi);
      da[i * cols + j] = g * row[j];
      db[j] += g * x[i * cols + j];
      dc[i] += g;
    }
  Tape tape;
  const auto va = tape.watch(a);
  const auto vb = tape.watch(b);
  const auto vc = tape.watch(c);
  for (const double passes : {1.0, 2.0}) {  // the second pass adds
    const auto vy = eval(gelu(va * vb + vc) * 0.5f);
    tape.backward(vy, tensor(up, Shape<rows, cols>{}));
    const auto scaled = [&](Numbers numbers) {
      for (double& number : numbers) number *= passes;
      return numbers;
    };
    CHECK(gap(take(va.grad()), scaled(da)) < tolerance<T>());
    CHECK(gap(take(vb.grad()), scaled(db)) < tolerance<T>());
    CHECK(gap(take(vc.grad()), scaled(dc)) < tolerance<T>());
  }
}

/// left * right + left * keep for matrices [5, width] and a column `keep`, and its gradients.
template <class B, class T>
void check_width(int width) {
  const Shape<dyn, dyn> shape{5, width};
  const Numbers a = normal<T>(shape.size(), 30), b = normal<T>(shape.size(), 31), up = normal<T>(shape.size(), 32);
  const Numbers factor = normal<T>(5, 33);
  const auto tensor = [](const Numbers& numbers, auto extents) {
    return Tensor<T, decltype(extents), B>(put<B, T>(numbers).buffer(), extents);
  };
  const auto keep = tensor(factor, Shape<dyn, 1>{5});
  Tape tape;
  const auto left = tape.watch(tensor(a, shape)), right = tape.watch(tensor(b, shape));
  const auto y = eval(left * right + left * keep);
  Numbers value(a.size()), left_slope = up, right_slope = up;
  for (std::size_t i = 0; i < up.size(); ++i) {
    const double k = factor[i / at(width)];
    value[i] = a[i] * b[i] + a[i] * k;
    left_slope[i] *= b[i] + k;
    right_slope[i] *= a[i];
  }
  CHECK(gap(take(y.value()), value) < tolerance<T>());
  for (const double passes : {1.0, 2.0}) {  // the second pass adds
    tape.backward(eval(left * right + left * keep), tensor(up, shape));
    const auto scaled = [&](Numbers numbers) {
      for (double& number : numbers) number *= passes;
      return numbers;
    };
    CHECK(gap(take(left.grad()), scaled(left_slope)) < tolerance<T>());
    CHECK(gap(take(right.grad()), scaled(right_slope)) < tolerance<T>());
  }
}

TEST_CASE_TEMPLATE_DEFINE("a backend evaluates and differentiates rows of odd widths, of fours and of eights", X,
                          widths_) {
  for (const int width : {7, 12, 16}) {
    CAPTURE(width);
    check_width<typename X::Backend_, typename X::Scalar>(width);
  }
}

TEST_CASE_TEMPLATE_DEFINE("a backend assigns many tensors at once, each by a factor made for it alone", X,
                          assign_each_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  std::vector<Memory<B, T>> tensors;
  for (const int size : {1, 40, 3, 300}) tensors.push_back(put<B, T>(Numbers(at(size), 1.0)));
  assign_each<B>(tensors.size(), [&](std::size_t i) {
    const auto factor = eval(put<B, T>({static_cast<double>(i)}) + 1);
    return pack_handles(into(tensors[i], tensors[i] * factor));
  });
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    CAPTURE(i);
    CHECK(take(tensors[i]) == Numbers(at(tensors[i].size()), static_cast<double>(i + 1)));
  }
}

template <class B_>
struct TwoMatrices {
  Linear<dyn, dyn, float, B_> even, odd;  // one that is read in quads, one that is not
  explicit TwoMatrices(Initializer init = Initializer(Seed{1})) : even(16, 24, init), odd(24, 7, init) {
    init.fill_normal(even.bias, 1);
  }
  VITRAL_MEMBERS(even, odd)
};

TEST_CASE_TEMPLATE_DEFINE("a backend rounds all weights in one pass as it rounds each", X, rounded_weights_) {
  using B = typename X::Backend_;
  TwoMatrices<B> net;
  const auto numbers = put<B, bf16>(normal<bf16>(9 * 16, 1));
  const Tensor<bf16, Shape<dyn, dyn>, B> x(numbers.buffer(), {9, 16});
  const auto result = [&] { return take(net.odd(net.even(x))); };
  const Numbers expected = result();
  const RoundedWeights rounded(net);
  B::fill(net.even.weight.value.data(), 16 * 24, 0.0f);            // so that only the copies can say what it was
  if (!B::on_host) B::fill(net.even.bias.value.data(), 24, 9.0f);  // a device adds the rounded one, the CPU this one
  CHECK(result() == expected);
}

}  // namespace conformance
