// The block as one node: held against the same block from single operations, in value and in every gradient.
#include "../random_tensor.hpp"

#include <vitral/autodiff/gradcheck.hpp>
#include <vitral/nn/transformer_block.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

constexpr int images = 24, tokens = 65, width = 32;  // several lanes of gradients, several pieces in each

template <class P>
TransformerBlock<dyn, P> random_block(double drop_path = 0, bool scaled = false) {
  TransformerBlock<dyn, P> block(width, 2, Seed{3}, drop_path);
  if (scaled) block.scale_branches(0.5);
  std::uint64_t stream = 100;
  for_each_parameter(block, [&](const std::string&, const auto& p) {
    assign(p.value, p.value + P(0.1) * normal<P>(p.shape(), ++stream));
  });
  return block;
}

/// The result and all gradients of `run(x)`, x used twice so that gradients meet.
template <class T, class M, class F>
std::vector<std::vector<double>> outcome(const M& block, F&& run) {
  const auto x = normal<T>(Dyn<3>{images, tokens, width}, 1);
  Tape tape;
  const auto vx = tape.watch(x);
  const auto y = run(vx);
  tape.backward(mean(square(cast<float>(eval(y * 2.0 + vx * y)))));
  std::vector<std::vector<double>> out{doubles(y.value()), doubles(tape.grad(x))};
  for_each_parameter(block, [&](const std::string&, const auto& p) { out.push_back(doubles(tape.grad(p))); });
  return out;
}

void check_close(const std::vector<std::vector<double>>& a, const std::vector<std::vector<double>>& b,
                 double tolerance) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i);
    CHECK(distance(a[i], b[i]) < tolerance);
  }
}

template <class T>
void check_against_composition(double tolerance) {
  for (const auto& choice : {std::pair(0.0, false), std::pair(0.4, false), std::pair(0.4, true)}) {
    const double drop = choice.first;
    const bool scaled = choice.second;
    CAPTURE(drop);
    CAPTURE(scaled);
    const auto block = random_block<compute_t<T>>(drop, scaled);
    const Training mode(Random{8, 0, 0}), same_mode(Random{8, 0, 0});
    const auto fused = outcome<T>(block, [&](const auto& x) { return block(x, mode); });
    const auto composed = outcome<T>(block, [&](const auto& x) { return block.composed(x, same_mode); });
    check_close(fused, composed, tolerance);
  }
}

}  // namespace

TEST_CASE("a block as one node is the composition of its operations, in double") {
  check_against_composition<double>(1e-12);
}
TEST_CASE("a block as one node is the composition of its operations, in float") {
  check_against_composition<float>(2e-5);
}
// Both round to bf16 in many places, and not in the same ones: 2^-8 each.
TEST_CASE("a block as one node is the composition of its operations, in bf16") {
  check_against_composition<bf16>(4e-2);
}

TEST_CASE("a block that is computed again in the backward pass gives the same bits") {
  auto block = random_block<float>(0.4, true);
  const auto run = [&] {
    const Training mode(Random{8, 0, 0});
    return outcome<float>(block, [&](const auto& x) { return block(x, mode); });
  };
  const auto kept = run();
  block.recompute = Recompute::block;
  CHECK(run() == kept);
}

TEST_CASE("a block of single operations that is computed again gives the same bits, and so do blocks after it") {
  auto block = random_block<float>(0.4, true);
  block.mlp.gelu = GeluForm::quick;
  const auto next = random_block<float>(0.4);
  const auto run = [&] {
    const Training mode(Random{8, 0, 0});
    return outcome<float>(block, [&](const auto& x) {
      const auto y = block.composed(x, block.norm1(x), mode, next.norm1.beside_value());
      return eval(next.composed(y.value, y.normalized, mode, next.norm2.beside_value()).normalized + y.value);
    });
  };
  const auto kept = run();
  block.recompute = Recompute::block;
  CHECK(run() == kept);
}

TEST_CASE("a block that wants no gradient is not computed again") {
  auto block = random_block<float>();
  set_trainable(block, false);
  block.recompute = Recompute::block;
  Tape tape;
  static_cast<void>(block.composed(tape.constant(normal<float>(Dyn<3>{images, tokens, width}, 1))));
  CHECK(tape.recorded_nodes() == 0);
}

TEST_CASE("a block's result and gradients have the same bits with any number of threads") {
  const auto block = random_block<float>();
  const auto run = [&](int threads) {
    const int before = cpu::threads();
    cpu::set_threads(threads);
    auto out = outcome<float>(block, [&](const auto& x) { return block(x); });
    cpu::set_threads(before);
    return out;
  };
  const auto alone = run(1);
  CHECK(run(2) == alone);
  CHECK(run(3) == alone);
}

TEST_CASE("a block that is given norm1 of its input and ends with the next block's norm gives the same bits") {
  const auto block = random_block<float>(0.4);
  const auto next = random_block<float>().norm2;
  const Training mode(Random{8, 0, 0}), same_mode(Random{8, 0, 0});
  const auto chained = outcome<float>(block, [&](const auto& x) {
    const auto y = block.composed(x, block.norm1(x), mode, next.beside_value());
    return eval(y.value * y.normalized);
  });
  const auto apart = outcome<float>(block, [&](const auto& x) {
    const auto y = block.composed(x, same_mode);
    return eval(y * next(y));
  });
  CHECK(chained == apart);
  const auto x = normal<float>(Dyn<3>{images, tokens, width}, 1);
  CHECK(block.first_token(x, block.norm1(x), Evaluation{}).to_vector() == block.first_token(x).to_vector());
}

TEST_CASE("the first token alone is what the whole block makes of it") {
  const auto block = random_block<double>(0.4);
  const auto x = normal(Dyn<3>{images, tokens, width}, 1);
  const auto gradients = [&](auto&& run) {
    Tape tape;
    const auto y = run(tape.watch(x));
    tape.backward(mean(square(y) + y));
    std::vector<std::vector<double>> out{doubles(y.value()), doubles(tape.grad(x))};
    for_each_parameter(block, [&](const std::string&, const auto& p) { out.push_back(doubles(tape.grad(p))); });
    return out;
  };
  const Training mode(Random{8, 0, 0}), same_mode(Random{8, 0, 0});
  check_close(gradients([&](const auto& v) { return block.first_token(v, mode); }),
              gradients([&](const auto& v) { return select<1>(block(v, same_mode), 0); }), 1e-12);
}

TEST_CASE("LayerScale multiplies what each branch adds, channel by channel") {
  auto scaled = random_block<double>(0, true);
  auto plain = scaled;
  plain.ls1.clear(), plain.ls2.clear();
  const auto x = normal(Dyn<3>{2, 5, width}, 1);
  const auto middle = eval(x + scaled.ls1[0].gamma * plain.attn(plain.norm1(x)));
  const auto expected = eval(middle + scaled.ls2[0].gamma * plain.mlp(plain.norm2(middle)));
  CHECK(distance(scaled(x).to_vector(), expected.to_vector()) < 1e-13);
  CHECK(distance(plain(x).to_vector(), expected.to_vector()) > 0.1);
}

TEST_CASE("a frozen parameter of a block gets no gradient, the others the same as before") {
  auto block = random_block<double>();
  const auto run = [&] { return outcome<double>(block, [&](const auto& x) { return block(x); }); };
  const auto before = run();
  block.attn.qkv.weight.trainable = false;
  const auto after = run();
  CHECK(after[1] == before[1]);
  CHECK(after[4] == std::vector<double>(before[4].size(), 0.0));  // qkv.weight, the third parameter
  CHECK(after[5] == before[5]);
}

TEST_CASE("attention with queries of its own agrees with finite differences") {
  const auto f = [](const auto& q, const auto& kv) { return attention(q, kv, 2); };
  CHECK(gradcheck(f, normal(Dyn<3>{2, 1, 4}, 1), normal(Dyn<3>{2, 3, 8}, 2)) < gradient_tolerance);
  CHECK(gradcheck(f, normal(Dyn<3>{1, 2, 4}, 3), normal(Dyn<3>{1, 5, 8}, 4)) < gradient_tolerance);
}

TEST_CASE("attention names the shapes that do not fit") {
  CHECK_THROWS_WITH_AS(static_cast<void>(attention(normal(Dyn<3>{2, 1, 4}, 1), normal(Dyn<3>{2, 3, 12}, 2), 2)),
                       doctest::Contains("queries [2, 1, 4] with keys and values [2, 3, 12]"), Error);
}
