// An empty batch through every operation, forwards and backwards: results of the right shape, and no element touched.
#include "../random_tensor.hpp"

#include <vitral/vitral.hpp>

#include <doctest/doctest.h>

#include <cmath>

using namespace vitral_tests;

namespace {

/// f of empty images on a tape: the shape of the result, after a backward pass through its sum.
template <class S, class F>
auto through(const S& shape, F&& f) {
  Tape tape;
  const auto x = tape.watch(Tensor<float, S>(shape));
  const auto y = f(x);
  const auto value = y.value();
  tape.backward(sum(y * 2));
  CHECK(x.grad().size() == 0);
  return value.shape();
}

}  // namespace

TEST_CASE("an empty batch goes through element-wise operations and reductions") {
  using M = Shape<dyn, 3>;
  const M none{0};
  CHECK(through(none, [](const auto& x) { return eval(relu(x) + gelu(x) * exp(x)); }) == none);
  CHECK(through(none, [](const auto& x) { return eval(x + Tensor<float, Shape<3>>{}); }) == none);
  CHECK(through(none, [](const auto& x) { return sum<1>(x); }) == Shape<dyn>{0});
  CHECK(through(none, [](const auto& x) { return max<1>(x); }) == Shape<dyn>{0});
  CHECK(through(none, [](const auto& x) { return logsumexp<1>(x); }) == Shape<dyn>{0});
  CHECK(through(none, [](const auto& x) { return variance<1>(x); }) == Shape<dyn>{0});
  CHECK(through(none, [](const auto& x) { return sum<0>(x); }) == Shape<3>{});
  CHECK(std::isnan(mean(Tensor<float, M>(none)).item()));
  CHECK(std::isnan(mean<0>(Tensor<float, M>(none))(2)));
  CHECK(sum(Tensor<float, M>(none)).item() == 0);
  CHECK(sum(Tensor<int, M>(none)).item() == 0);
  CHECK_THROWS_WITH_AS(static_cast<void>(max(Tensor<float, M>(none))), doctest::Contains("is empty"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(argmax<0>(Tensor<float, M>(none))), doctest::Contains("is empty"), Error);
}

TEST_CASE("an empty batch goes through rows, norms and products") {
  using M = Shape<dyn, 4>;
  const M none{0};
  const auto w = normal<float>(Shape<5, 4>{}, 1);
  const auto b = normal<float>(Shape<5>{}, 2);
  const Shape<dyn, 5> out{0};
  CHECK(through(none, [](const auto& x) { return softmax(x); }) == none);
  CHECK(through(none, [](const auto& x) { return log_softmax(x); }) == none);
  CHECK(through(none, [](const auto& x) { return l2_normalize(x); }) == none);
  CHECK(through(none, [](const auto& x) { return layer_norm(x); }) == none);
  const Tensor<int, Shape<dyn>> targets({0});
  CHECK(through(none, [&](const auto& x) { return cross_entropy(x, targets); }) == Shape<dyn>{0});
  CHECK(through(none, [&](const auto& x) { return cross_entropy(x, targets, 0.1); }) == Shape<dyn>{0});
  CHECK(through(none, [&](const auto& x) { return linear(x, w, b); }) == out);
  CHECK(through(none, [&](const auto& x) { return linear<Activation::relu>(x, w, b); }) == out);
  CHECK(through(none, [&](const auto& x) { return linear<Activation::gelu>(x, w, b); }) == out);
  CHECK(through(none, [&](const auto& x) { return mlp(x, w, b, transpose<1, 0>(w), None{}); }) == none);
  const Tensor<float, Shape<dyn, dyn>> no_rows({0, 2});
  CHECK(through(Shape<dyn, dyn>{3, 0}, [&](const auto& x) { return matmul(x, no_rows); }) == Shape<3, 2>{});
  CHECK(through(none, [&](const auto& x) { return gather(x, targets); }) == none);
  CHECK(through(none, [&](const auto& x) { return concat<0>(x, x); }) == none);
  CHECK(through(none, [&](const auto& x) { return transpose<1, 0>(x); }) == Shape<4, 0>{});
  CHECK(through(none, [&](const auto& x) { return slice<1, 2>(x, 1); }) == Shape<0, 2>{});
  CHECK(through(none, [&](const auto& x) { return reshape(x, Shape<dyn, 2>{0}); }) == Shape<0, 2>{});
  const Tensor<float, Shape<4>> ones(Shape<4>{});
  CHECK_THROWS_WITH_AS(through(none, [&](const auto& x) { return batch_norm_train(x, ones, ones, ones, ones); }),
                       doctest::Contains("needs 2 or more rows"), Error);
  CHECK(through(none, [&](const auto& x) { return batch_norm_eval(x, ones, ones, ones, ones); }) == none);
}

TEST_CASE("an empty batch goes through attention and a vision transformer") {
  const auto packed = [](int batch, int tokens) { return Shape<dyn, dyn, 12>{batch, tokens}; };
  CHECK(through(packed(0, 5), [](const auto& x) { return attention(x, 2); }) == Shape<0, 5, 4>{});
  CHECK_THROWS_WITH_AS(through(packed(2, 0), [](const auto& x) { return attention(x, 2); }),
                       doctest::Contains("1 or more keys"), Error);
  ViT<Cpu, float, ViTSize{8, 4, 8, 2, 2}> encoder(Seed{0});
  CHECK(through(Shape<dyn, 3, 8, 8>{0}, [&](const auto& x) { return encoder(x); }) == Shape<0, 8>{});
  encoder.blocks.clear();
  const Tensor<float, Shape<dyn, 3, 8, 8>> images({1});
  CHECK_THROWS_WITH_AS(static_cast<void>(encoder(images)), doctest::Contains("without blocks"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(encoder.layers(images)), doctest::Contains("without blocks"), Error);
}

TEST_CASE("an empty batch goes through layers") {
  using M = Shape<dyn, 4>;
  const M none{0};
  Linear<4, 3> layer;
  LayerNorm<4> norm;
  BatchNorm1d<4> batch_norm;
  CHECK(through(none, [&](const auto& x) { return norm(x); }) == none);
  CHECK(through(none, [&](const auto& x) { return layer(x); }) == Shape<0, 3>{});
  CHECK(through(none, [&](const auto& x) { return batch_norm(x); }) == none);
}
