// Expressions: every operation against the standard library, broadcasting, assignments, lifetimes, threads.
#include "../random_tensor.hpp"

#include <vitral/tensor/layout.hpp>
#include <vitral/tensor/reduce.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <type_traits>

using namespace vitral_tests;
using doctest::Contains;

namespace {

const Shape<dyn, dyn> extents{7, 83};  // no piece of 256 divides it

/// Relative errors: of one rounding of the result and, for float, of the approximations of core/math.hpp.
template <class T>
constexpr double tolerance = std::is_same_v<T, double>  ? 1e-14
                             : std::is_same_v<T, float> ? 5e-7
                                                        : 0x1p-8;

/// The largest |got - wanted| / |wanted| of op(x...) where `wanted` computes in double; differences below 2e-7 (float)
/// or 1e-15 (double), which erf may have near the zeros of what is made of it, do not count.
template <class T, class Op, class Wanted, class... X>
double error_of(Op&& operation, Wanted&& wanted, const X&... x) {
  const auto y = eval(operation(x...));
  static_assert(std::is_same_v<scalar_of<decltype(y)>, T>, "an operation keeps the scalar type");
  const double least = std::is_same_v<T, double> ? 1e-15 : 2e-7;
  double worst = 0;
  for (long i = 0; i < y.size(); ++i) {
    const double got = static_cast<compute_t<T>>(y.data()[i]);
    const double reference = wanted(static_cast<double>(static_cast<compute_t<T>>(x.data()[i]))...);
    if (!(std::abs(got - reference) <= least)) worst = std::max(worst, std::abs(got - reference) / std::abs(reference));
    if (std::isnan(got) != std::isnan(reference)) return std::numeric_limits<double>::infinity();
  }
  return worst;
}

/// exp(x): positive numbers from about 0.03 to 30.
template <class T>
auto positive(std::uint64_t stream) {
  return eval(exp(normal<T>(extents, stream)));
}

/// Numbers among -2, -1, 0, 1, 2: arithmetic on them is exact, and many are equal.
template <class T = float, class S>
auto whole_numbers(const S& shape, std::uint64_t stream) {
  std::vector<T> values(static_cast<std::size_t>(shape.size()));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<T>(static_cast<compute_t<T>>(static_cast<int>(Random{5, stream, 0}.below(i, 5)) - 2));
  return Tensor<T, S>::from(values, shape);
}

/// What `value_at` says, element by element: the specification of `eval`.
template <class E>
std::vector<double> specified(const E& e) {
  const auto shape = e.shape();
  constexpr int R = detail::axes_of<shape_of<E>>;
  const auto plan = lower<R>(e);
  std::vector<double> out;
  for (long flat_index = 0; flat_index < shape.size(); ++flat_index) {
    long index[R] = {}, rest = flat_index;
    for (int axis = shape.rank - 1; axis >= 0; rest /= shape[axis--]) index[axis] = rest % shape[axis];
    out.push_back(static_cast<double>(value_at(plan, index, R)));
  }
  return out;
}

/// a - 2 b, evaluated and specified, for operands of the two shapes.
template <class A, class B>
bool broadcasts(const A& a, const B& b) {
  const auto x = whole_numbers(a, 1);
  const auto y = whole_numbers(b, 2);
  const auto e = x - 2 * y;
  const auto other_order = y * 2 - x;
  return doubles(eval(e)) == specified(e) && doubles(eval(other_order)) == specified(other_order) &&
         doubles(eval(-other_order)) == specified(e);
}

auto made_in_a_function() {
  const auto a = Tensor<float, Dyn<1>>::from({1, 2, 3}, {3});
  const auto b = Tensor<float, Dyn<1>>::from({10, 20, 30}, {3});
  auto e = a + b;
  return e;
}

using Plan = decltype(lower<2>(tanh(normal<float>(extents, 1) * 2 + view(normal<bf16>(extents, 2))) *
                               (uniform(Random{}, extents) < 0.5)));
static_assert(std::is_trivially_copyable_v<Plan> && std::is_standard_layout_v<Plan>);
static_assert(std::is_trivially_copyable_v<Space<3>> && std::is_trivially_copyable_v<GradientPlan<float, 2>>);
static_assert(std::is_trivially_copyable_v<Pack<Plan, Plan>>);

template <class L, class R>
using Sum = scalar_of<decltype(std::declval<L>() + std::declval<R>())>;
using F = Tensor<float, Dyn<1>>;
using D = Tensor<double, Dyn<1>>;
using H = Tensor<bf16, Dyn<1>>;
using I = Tensor<int, Dyn<1>>;
static_assert(std::is_same_v<Sum<F, double>, float> && std::is_same_v<Sum<int, D>, double>, "numbers adapt");
static_assert(std::is_same_v<Sum<H, H>, bf16> && std::is_same_v<Sum<H, float>, bf16>);
static_assert(std::is_same_v<Sum<H, F>, float> && std::is_same_v<Sum<I, D>, double>, "the wider type wins");
static_assert(std::is_same_v<Sum<I, F>, float> && std::is_same_v<Sum<I, double>, float>, "integers give way");
static_assert(std::is_same_v<scalar_of<decltype(cast<double>(std::declval<H>()))>, double>);

}  // namespace

#define VITRAL_UNARY(expression, reference, numbers)                                                         \
  CHECK(error_of<T>([](const auto& x) { return expression; }, [](double x) { return reference; }, numbers) < \
        tolerance<T>)
#define VITRAL_BINARY(expression, reference, first, second)                  \
  CHECK(error_of<T>([](const auto& x, const auto& y) { return expression; }, \
                    [](double x, double y) { return reference; }, first, second) < tolerance<T>)

TEST_CASE_TEMPLATE("functions of one operand agree with the standard library", T, float, double, bf16) {
  const auto any = normal<T>(extents, 1), above = positive<T>(2);
  VITRAL_UNARY(-x, -x, any);
  VITRAL_UNARY(square(x), x * x, any);
  VITRAL_UNARY(exp(x), std::exp(x), any);
  VITRAL_UNARY(log(x), std::log(x), above);
  VITRAL_UNARY(log1p(x), std::log1p(x), above);
  VITRAL_UNARY(sqrt(x), std::sqrt(x), above);
  VITRAL_UNARY(rsqrt(x), 1 / std::sqrt(x), above);
  VITRAL_UNARY(sin(x), std::sin(x), any);
  VITRAL_UNARY(cos(x), std::cos(x), any);
  VITRAL_UNARY(tanh(x), std::tanh(x), any);
  VITRAL_UNARY(erf(x), std::erf(x), any);
  VITRAL_UNARY(gelu(x), 0.5 * x * std::erfc(-x / std::sqrt(2.0)), any);
  VITRAL_UNARY(sigmoid(x), 1 / (1 + std::exp(-x)), any);
  VITRAL_UNARY(silu(x), x / (1 + std::exp(-x)), any);
  VITRAL_UNARY(softplus(x), std::log1p(std::exp(x)), any);
  VITRAL_UNARY(relu(x), std::max(x, 0.0), any);
  VITRAL_UNARY(abs(x), std::abs(x), any);
}

TEST_CASE_TEMPLATE("operations of two operands agree with the standard library", T, float, double, bf16) {
  const auto a = normal<T>(extents, 1), b = normal<T>(extents, 2), above = positive<T>(3);
  VITRAL_BINARY(x + y, x + y, a, b);
  VITRAL_BINARY(x - y, x - y, a, b);
  VITRAL_BINARY(x * y, x * y, a, b);
  VITRAL_BINARY(x / y, x / y, a, above);
  VITRAL_BINARY(pow(x, y), std::pow(x, y), above, b);
  VITRAL_BINARY(minimum(x, y), std::min(x, y), a, b);
  VITRAL_BINARY(maximum(x, y), std::max(x, y), a, b);
}

TEST_CASE_TEMPLATE("comparisons are 1 or 0, also between equal numbers", T, float, double, bf16) {
  const auto a = whole_numbers<T>(extents, 1), b = whole_numbers<T>(extents, 2);
  VITRAL_BINARY(x < y, x < y, a, b);
  VITRAL_BINARY(x <= y, x <= y, a, b);
  VITRAL_BINARY(x > y, x > y, a, b);
  VITRAL_BINARY(x >= y, x >= y, a, b);
  VITRAL_BINARY(equal(x, y), x == y, a, b);
  VITRAL_BINARY(not_equal(x, y), x != y, a, b);
}

TEST_CASE_TEMPLATE("numbers stand on either side", T, float, double, bf16) {
  const auto any = whole_numbers<T>(extents, 1), above = positive<T>(2);
  VITRAL_UNARY(x + 2, x + 2, any);
  VITRAL_UNARY(2 - x, 2 - x, any);
  VITRAL_UNARY(x - 2, x - 2, any);
  VITRAL_UNARY(0.5 * x, 0.5 * x, any);
  VITRAL_UNARY(3 / x, 3 / x, above);
  VITRAL_UNARY(x / 4, x / 4, any);
  VITRAL_UNARY(pow(x, 3), x * x * x, above);
  VITRAL_UNARY(pow(2, x), std::exp2(x), any);
  VITRAL_UNARY(maximum(x, 1), std::max(x, 1.0), any);
  VITRAL_UNARY(minimum(1, x), std::min(x, 1.0), any);
  VITRAL_UNARY(1 < x, 1 < x, any);
  VITRAL_UNARY(x >= 1, x >= 1, any);
  VITRAL_UNARY(equal(x, 2), x == 2, any);
  VITRAL_UNARY(clamp(x, -1, 1), std::clamp(x, -1.0, 1.0), any);
  VITRAL_UNARY(select(x, 3, x - 1), x != 0 ? 3 : x - 1, any);
}

TEST_CASE_TEMPLATE("select and clamp take operands everywhere", T, float, double, bf16) {
  const auto a = whole_numbers<T>(extents, 1), b = whole_numbers<T>(extents, 2);
  VITRAL_BINARY(select(x < y, x, y), std::min(x, y), a, b);
  VITRAL_BINARY(select(x, y, 7), x != 0 ? y : 7, a, b);
  VITRAL_BINARY(clamp(x, y, y + 1), std::clamp(x, y, y + 1), a, b);
}

TEST_CASE("cast changes the scalar type: bf16 rounds, int drops the fraction") {
  const auto x = F::from({1.00390625f, -2.75f, 3.0f, 0.1f}, {4});
  CHECK(eval(cast<int>(x)).to_vector() == std::vector<int>{1, -2, 3, 0});
  CHECK(doubles(eval(cast<bf16>(x))) == std::vector<double>{1, -2.75, 3, 0.10009765625});
  CHECK(eval(cast<double>(x) * 3).to_vector()[3] == 3 * static_cast<double>(0.1f));
  CHECK(eval(cast<float>(Tensor<int, Dyn<1>>::from({1, 2}, {2})) * 0.5).to_vector() == std::vector<float>{0.5f, 1.0f});
}

TEST_CASE("an expression of bf16 is computed in float and rounded once") {
  const auto x = H::from(std::vector<bf16>(1, 1.0f), {1});
  CHECK(static_cast<float>(eval((x + 0x1p-9) + 0x1p-9 + 0x1p-8).item()) == 1 + 0x1p-7f);  // each alone would be lost
  CHECK(static_cast<float>(eval(eval(x + 0x1p-9) + 0x1p-9).item()) == 1);
}

TEST_CASE("operands broadcast as the specification says") {
  CHECK(broadcasts(Dyn<3>{4, 5, 6}, Dyn<3>{4, 1, 6}));
  CHECK(broadcasts(Dyn<2>{5, 6}, Dyn<2>{5, 1}));
  CHECK(broadcasts(Dyn<2>{5, 6}, Dyn<2>{1, 6}));
  CHECK(broadcasts(Dyn<2>{5, 6}, Shape<>{}));
  CHECK(broadcasts(Dyn<2>{5, 6}, Dyn<2>{1, 1}));
  CHECK(broadcasts(Dyn<3>{4, 5, 6}, Dyn<1>{6}));
  CHECK(broadcasts(Dyn<3>{4, 5, 6}, Dyn<2>{5, 6}));
  CHECK(broadcasts(Dyn<4>{2, 3, 4, 5}, Dyn<4>{2, 1, 4, 1}));
  CHECK(broadcasts(Shape<>{}, Shape<>{}));
  CHECK(broadcasts(Shape<dyn, 1, 6>{4}, Shape<5, 6>{}));
}

TEST_CASE("both operands broadcast") {
  CHECK(broadcasts(Dyn<2>{5, 1}, Dyn<2>{1, 6}));
  CHECK(broadcasts(Dyn<3>{4, 1, 6}, Dyn<2>{5, 1}));
  CHECK(broadcasts(Dyn<3>{1, 5, 1}, Dyn<3>{4, 1, 6}));
  CHECK(broadcasts(Shape<5, 1>{}, Shape<6>{}));
}

TEST_CASE("broadcasting holds over many pieces and tasks") {
  CHECK(broadcasts(Dyn<3>{3, 1, 1001}, Dyn<2>{7, 1}));
  CHECK(broadcasts(Dyn<2>{300, 90}, Dyn<1>{90}));
  CHECK(broadcasts(Dyn<2>{9000, 3}, Dyn<2>{9000, 1}));
}

TEST_CASE("an expression of strided views is what the specification says") {
  const auto x = whole_numbers(Dyn<2>{41, 300}, 1), y = whole_numbers(Dyn<2>{300, 41}, 2);
  const auto e = transpose_view<1, 0>(x) * y - slice_view<1>(slice_view<0>(y, 299, 1), 0, 41);
  CHECK(doubles(eval(e)) == specified(e));
}

TEST_CASE("an expression keeps what it reads alive") {
  const auto e = made_in_a_function();
  const auto others = {F({3}), F({3}), F({3})};  // would get the memory of a and b if it were free
  for (const F& other : others) assign(other, other + 99);
  CHECK(eval(e).to_vector() == std::vector<float>{11, 22, 33});
}

TEST_CASE("an expression is computed when it is evaluated, and evaluating a tensor gives the tensor") {
  const auto x = F::from({1, 2}, {2});
  const auto e = x * 10;
  x(0) = 5;
  CHECK(eval(e).to_vector() == std::vector<float>{50, 20});
  CHECK(eval(x).data() == x.data());
  CHECK(eval(view(x)).data() != x.data());
}

TEST_CASE("shapes that do not broadcast are named when the expression is evaluated") {
  const auto a = whole_numbers(Dyn<2>{2, 3}, 1), b = whole_numbers(Dyn<2>{2, 4}, 2);
  CHECK_THROWS_WITH_AS(static_cast<void>(eval(a + b)), Contains("cannot broadcast [2, 3] with [2, 4]"), Error);
}

TEST_CASE("assign writes into the tensor, may read it, and broadcasts to it") {
  const auto x = whole_numbers(Dyn<2>{50, 400}, 1);
  const auto before = doubles(x);
  const float* const memory = x.data();
  assign(x, 3 * x + x * x);
  auto wanted = before;
  for (double& v : wanted) v = 3 * v + v * v;
  CHECK(doubles(x) == wanted);
  CHECK(x.data() == memory);
  assign(x, F::from(std::vector<float>(400, 2), {400}));
  CHECK(doubles(x) == std::vector<double>(20000, 2));
  assign(x, Tensor<float, Shape<>>::from({0.1f}, {}) + x);
  CHECK(x(49, 399) == 2.1f);
}

TEST_CASE("assign refuses an expression larger than the tensor or of another shape") {
  const auto matrix = whole_numbers(Dyn<2>{2, 3}, 1);
  const F row({3});
  CHECK_THROWS_WITH_AS(assign(row, matrix + 1),
                       Contains("assign: an expression of shape [2, 3] does not fit a tensor of shape [3]"), Error);
  const Tensor<float, Dyn<2>> one({1, 3});
  CHECK_THROWS_WITH_AS(assign(one, matrix), Contains("does not fit a tensor of shape [1, 3]"), Error);
  CHECK_THROWS_WITH_AS(assign(matrix, F({2})), Contains("cannot broadcast [2, 3] with [2]"), Error);
  CHECK(doubles(one) == std::vector<double>(3, 0));
}

TEST_CASE("of assignments made together, the second reads what the first wrote") {
  const Shape<dyn> many{20001};
  const auto x = whole_numbers(many, 1), y = whole_numbers(many, 2);
  const auto x0 = doubles(x), y0 = doubles(y);
  const auto z = Tensor<double, Dyn<1>>(many);
  assign_together(into(x, x + y), into(y, 10 * x), into(z, y - x));
  bool agree = true;
  const auto x1 = doubles(x), y1 = doubles(y), z1 = doubles(z);
  for (std::size_t i = 0; i < x0.size(); ++i)
    agree = agree && x1[i] == x0[i] + y0[i] && y1[i] == 10 * x1[i] && z1[i] == y1[i] - x1[i];
  CHECK(agree);
}

TEST_CASE("assignments made together need one shape") {
  const F a({3}), b({4});
  CHECK_THROWS_WITH_AS(assign_together(into(a, a + 1), into(b, b + 1)),
                       Contains("assign_together: shapes differ: [4] = [4] beside [3]"), Error);
  CHECK_THROWS_WITH_AS(assign_together(into(a, F({1}) + 1)), Contains("assign_together: shapes differ: [3] = [1]"),
                       Error);
  CHECK(doubles(a) == std::vector<double>(3, 0));
}

TEST_CASE("uniform numbers are a function of the place: the same again, in [0, 1), other for other streams") {
  const Random random{3, 4, 5};
  const Shape<dyn, dyn> shape{30, 1000};
  const Tensor<float, Dyn<2>> a(shape), b(shape), c(shape);
  assign(a, uniform(random, shape));
  assign(b, uniform(random, shape));
  assign(c, uniform(Random{3, 5, 5}, shape));
  CHECK(a.to_vector() == b.to_vector());
  CHECK(a.to_vector() != c.to_vector());
  bool in_range = true, by_place = true;
  double sum = 0;
  for (long i = 0; i < a.size(); ++i) {
    const float value = a.data()[i];
    in_range = in_range && value >= 0 && value < 1;
    by_place = by_place && value == random.uniform_float(static_cast<std::uint64_t>(i));
    sum += static_cast<double>(value);
  }
  CHECK(in_range);
  CHECK(by_place);
  CHECK(sum / 30000 == doctest::Approx(0.5).epsilon(0.02));  // six standard deviations of the mean
}

TEST_CASE("random numbers alone become a tensor on the CPU; normal ones are those of Random, by place") {
  const Random random{3, 4, 5};
  const Shape<dyn, 7> shape{30};
  const Tensor<float, Shape<dyn, 7>, Cpu> a = eval(normal(random, shape)), b = eval(uniform(random, shape));
  const auto shifted = eval(1 + 2 * normal(random, shape));
  bool by_place = true;
  for (long i = 0; i < a.size(); ++i) {
    const auto place = static_cast<std::uint64_t>(i);
    by_place = by_place && a.data()[i] == static_cast<float>(random.normal(place)) &&
               b.data()[i] == random.uniform_float(place) && shifted.data()[i] == 1 + 2 * a.data()[i];
  }
  CHECK(by_place);
}

TEST_CASE("uniform numbers broadcast: one for each row drops whole rows") {
  const Shape<dyn, 1> rows{200};
  const auto x = Tensor<bf16, Dyn<2>>::from(std::vector<bf16>(200 * 300, 1.0f), {200, 300});
  const auto e = x * (uniform(Random{1, 2, 3}, rows) < 0.5);
  static_assert(std::is_same_v<scalar_of<decltype(e)>, bf16>, "random numbers take the type of what they meet");
  const auto y = eval(e);
  CHECK(doubles(y) == specified(e));
  int kept = 0;
  bool whole = true;
  for (int i = 0; i < 200; ++i) {
    kept += static_cast<float>(y(i, 0)) == 1.0f;
    for (int j = 0; j < 300; ++j) whole = whole && y(i, j).bits == y(i, 0).bits;
  }
  CHECK(whole);
  CHECK((kept > 60 && kept < 140));
}

TEST_CASE("expressions give the same bits on one thread and on two") {
  const auto x = normal<float>(Dyn<2>{300, 101}, 1), row = normal<float>(Dyn<2>{1, 101}, 2);
  const auto e = gelu(x * row + uniform(Random{7, 7, 7}, x.shape())) / (1 + exp(-x));
  const int threads = cpu::threads();
  cpu::set_threads(1);
  const auto one = eval(e).to_vector();
  cpu::set_threads(2);
  const auto two = eval(e).to_vector();
  cpu::set_threads(threads);
  CHECK(one == two);
}

TEST_CASE_TEMPLATE("functions hand a NaN on", T, float, double, bf16) {
  const double nan = std::nan("");
  const auto tensor = [](std::vector<double> values) {
    const int n = static_cast<int>(values.size());
    std::vector<T> out;
    for (const double value : values) out.push_back(static_cast<T>(static_cast<compute_t<T>>(value)));
    return Tensor<T, Dyn<1>>::from(out, {n});
  };
  const auto x = tensor({nan, 2, nan}), y = tensor({1, nan, nan});
  const auto places = [](const auto& expression) {
    std::vector<bool> out;
    for (const double value : doubles(eval(expression))) out.push_back(std::isnan(value));
    return out;
  };
  const std::vector<bool> of_x{true, false, true}, all(3, true);
  CHECK(places(relu(x)) == of_x);
  CHECK(places(abs(x)) == of_x);
  CHECK(places(silu(x)) == of_x);
  CHECK(places(softplus(x)) == of_x);
  CHECK(places(log1p(x)) == of_x);
  CHECK(places(sin(x) + cos(x)) == of_x);
  CHECK(places(clamp(x, -1, 1)) == of_x);
  CHECK(places(clamp(x, y, 3)) == all);
  CHECK(places(clamp(1, x, y)) == all);
  CHECK(places(maximum(x, y)) == all);
  CHECK(places(minimum(x, y)) == all);
  CHECK(places(maximum(x, 1)) == of_x);
  CHECK(places(minimum(1, x)) == of_x);
  CHECK_THROWS_WITH_AS(static_cast<void>(clamp(x, nan, 1)), doctest::Contains("clamp: a bound is NaN"), Error);
  CHECK(doubles(eval(clamp(tensor({-2, 0, 2}), 1, -1))) == std::vector<double>{-1, -1, -1});
}

TEST_CASE("integers become floats where a result may not be an integer") {
  const auto x = I::from({1, 2, -7}, {3});
  const auto f = Tensor<float, Dyn<1>>::from({0.5f, 0.25f, 1}, {3});
  static_assert(std::is_same_v<scalar_of<decltype(x + 1)>, int>);
  static_assert(std::is_same_v<scalar_of<decltype(f * 0.1)>, float>, "a number takes the tensor's type");
  CHECK(eval(x * 0.5).to_vector() == std::vector<float>{0.5f, 1, -3.5f});
  CHECK(eval(x / 2).to_vector() == std::vector<float>{0.5f, 1, -3.5f});
  CHECK(eval(1 / x).to_vector() == std::vector<float>{1, 0.5f, 1.0f / -7});
  CHECK(eval(x * f).to_vector() == std::vector<float>{0.5f, 0.5f, -7});
  CHECK(eval(x / cast<double>(x)).to_vector() == std::vector<double>{1, 1, 1});
  CHECK(eval(x < 1.5).to_vector() == std::vector<float>{1, 0, 1});
  CHECK(eval(exp(x * 0)).to_vector() == std::vector<float>{1, 1, 1});
  CHECK(eval(cos(x * 0) + silu(x * 0) + log1p(x * 0)).to_vector() == std::vector<float>{1, 1, 1});
  CHECK(mean(I::from({1, 2}, {2})).item() == 1.5f);
  CHECK(mean(I::from({2'000'000'000, 2'000'000'000}, {2})).item() == 2e9f);
  CHECK(sum(I::from({2'000'000'000, 2'000'000'000}, {2})).item() == 4'000'000'000);
  const auto bytes = Tensor<unsigned char, Dyn<2>>::from({1, 2, 4, 255}, {2, 2});
  CHECK(mean<0>(bytes).to_vector() == std::vector<float>{2.5f, 128.5f});
}

TEST_CASE("integers wrap around and convert to the nearest integer; division by zero is infinite") {
  constexpr int least = std::numeric_limits<int>::min(), most = std::numeric_limits<int>::max();
  const auto x = I::from({least, most}, {2});
  CHECK(eval(x - 1).to_vector() == std::vector<int>{most, most - 1});
  CHECK(eval(x + x).to_vector() == std::vector<int>{0, -2});
  CHECK(eval(x * 2).to_vector() == std::vector<int>{0, -2});
  CHECK(eval(-x).to_vector() == std::vector<int>{least, -most});
  CHECK(eval(abs(x)).to_vector() == std::vector<int>{least, most});
  CHECK(eval(square(x)).to_vector() == std::vector<int>{0, 1});
  CHECK(eval(x / -1).to_vector() == std::vector<float>{2147483648.0f, -2147483648.0f});
  CHECK(std::isinf(eval(x / 0)(0)));
  CHECK(std::isnan(eval(I({1}) / I({1})).item()));
  const auto f = Tensor<float, Dyn<1>>::from({-3e9f, 3e9f, std::nanf(""), -2.7f, INFINITY}, {5});
  CHECK(eval(cast<int>(f)).to_vector() == std::vector<int>{least, most, least, -2, most});
  CHECK(eval(cast<unsigned char>(f)).to_vector() == std::vector<unsigned char>{0, 255, 0, 0, 255});
}
