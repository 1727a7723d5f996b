// Expressions as single nodes: broadcasting, repeated leaves, long expressions, many elements.
#include "../random_tensor.hpp"

#include <vitral/autodiff/gradcheck.hpp>
#include <vitral/autodiff/matmul.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

const auto product = [](const auto& a, const auto& b) { return a * b + tanh(b) * exp(a); };

template <class A, class B>
double error_with_shapes(const A& a, const B& b) {
  return gradcheck(product, normal(a, 1), normal(b, 2));
}

}  // namespace

TEST_CASE("gradients of broadcast operands are summed over the broadcast axes") {
  CHECK(error_with_shapes(Dyn<3>{2, 3, 4}, Dyn<1>{4}) < gradient_tolerance);
  CHECK(error_with_shapes(Dyn<3>{2, 3, 4}, Dyn<3>{2, 1, 4}) < gradient_tolerance);
  CHECK(error_with_shapes(Dyn<2>{3, 4}, Dyn<2>{3, 1}) < gradient_tolerance);
  CHECK(error_with_shapes(Dyn<2>{3, 1}, Dyn<2>{1, 4}) < gradient_tolerance);
  CHECK(error_with_shapes(Dyn<3>{2, 1, 4}, Dyn<2>{3, 1}) < gradient_tolerance);
}

TEST_CASE("a scalar and a leading operand get summed gradients") {
  CHECK(error_with_shapes(Dyn<2>{3, 4}, Shape<>{}) < gradient_tolerance);
  CHECK(error_with_shapes(Dyn<1>{4}, Dyn<3>{2, 3, 4}) < gradient_tolerance);
  CHECK(error_with_shapes(Dyn<2>{1, 1}, Dyn<2>{3, 4}) < gradient_tolerance);
}

TEST_CASE("static extents give the same gradients") {
  CHECK(error_with_shapes(Shape<2, 3, 4>{}, Shape<4>{}) < gradient_tolerance);
  CHECK(error_with_shapes(Shape<dyn, 1, 4>{2}, Shape<3, 1>{}) < gradient_tolerance);
}

TEST_CASE("a leaf that occurs several times gets one gradient, the sum") {
  const auto f = [](const auto& x) { return x * exp(-x) + x / (1 + x * x); };
  CHECK(gradcheck(f, normal(Dyn<2>{3, 4}, 1)) < gradient_tolerance);
}

TEST_CASE("a leaf that occurs whole and broadcast gets one gradient") {
  const auto f = [](const auto& x, const auto& w) {
    const auto h = matmul(x, w);  // [1, 4]
    return (h + w) * h * w;       // w [4, 4] beside h
  };
  CHECK(gradcheck(f, normal(Dyn<2>{1, 4}, 1), normal(Dyn<2>{4, 4}, 2)) < gradient_tolerance);
}

TEST_CASE("a variable that several nodes use gets the sum of their gradients") {
  const auto f = [](const auto& x, const auto& w) {
    const auto h = eval(tanh(matmul(x, w)));
    const auto a = eval(exp(h)), b = eval(h * h), c = matmul(h, w);
    return eval(a + b) * c + h;
  };
  CHECK(gradcheck(f, normal(Dyn<2>{3, 4}, 1), normal(Dyn<2>{4, 4}, 2)) < gradient_tolerance);
}

TEST_CASE("an expression is one node whatever its size") {
  Tape tape;
  const auto x = tape.watch(normal(Dyn<2>{3, 4}, 1));
  const auto y = eval(0.5 * x * (1 + tanh(0.797 * (x + 0.0447 * x * x * x))) + sigmoid(x) * square(x));
  CHECK(tape.recorded_nodes() == 1);
  CHECK(y.extent(1) == 4);
}

TEST_CASE("a gradient over several tasks and pieces is that of the elements") {
  // 3 x 9001 elements: more than one task (8192), and rows that no piece (256) divides.
  const int rows = 3, columns = 9001;
  const auto x = normal(Dyn<2>{rows, columns}, 1);
  const auto b = normal(Dyn<1>{columns}, 2);
  const auto c = normal(Dyn<2>{rows, 1}, 3);
  Tape tape;
  const auto vx = tape.watch(x), vc = tape.watch(c);
  const auto vb = tape.watch(b);
  tape.backward(sum(vx * vb * vc));
  std::vector<double> dx(static_cast<std::size_t>(rows * columns)), db(static_cast<std::size_t>(columns)), dc(3);
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < columns; ++j) {
      dx[static_cast<std::size_t>(i * columns + j)] = b(j) * c(i, 0);
      db[static_cast<std::size_t>(j)] += x(i, j) * c(i, 0);
      dc[static_cast<std::size_t>(i)] += x(i, j) * b(j);
    }
  CHECK(distance(doubles(vx.grad()), dx) < 1e-15);
  CHECK(distance(doubles(vb.grad()), db) < 1e-15);
  CHECK(distance(doubles(vc.grad()), dc) < 1e-13);  // sums of 9001 in another order
}

TEST_CASE("gradients are the same bits with one thread and with two") {
  const auto x = normal<float>(Dyn<2>{130, 257}, 1);
  const auto b = normal<float>(Dyn<1>{257}, 2);
  const auto gradients = [&](int count) {
    cpu::set_threads(count);
    Tape tape;
    const auto vx = tape.watch(x);
    const auto vb = tape.watch(b);
    tape.backward(mean(gelu(vx * vb) + vb));
    auto out = vx.grad().to_vector();
    for (const float g : vb.grad().to_vector()) out.push_back(g);
    return out;
  };
  const auto one = gradients(1), two = gradients(2);
  CHECK(one == two);
}
