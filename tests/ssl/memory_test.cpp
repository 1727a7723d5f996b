// What a training step takes from the system: no memory for tensors once two steps have shown what is needed.
#include "../random_tensor.hpp"

#include <vitral/models/vit.hpp>
#include <vitral/optim/optimizers.hpp>
#include <vitral/ssl/method.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

template <class T>
void check_pool(Recompute recompute) {
  using Encoder = ViT<Cpu, T>;
  const auto method = self_distilled(
      MoCoV3(Encoder(ViTSize{8, 4, 16, 3, 2}, Seed{1}, {.recompute = recompute}), {.hidden = 16, .out = 8}));
  auto optimizer = make_optimizer(AdamW{}, method);
  const auto view1 = normal<float>(Shape<dyn, 3, dyn, dyn>{6, 8, 8}, 1), view2 = normal<float>(view1.shape(), 2);
  Tape tape;
  const auto step = [&] {
    tape.zero_grad();
    tape.backward(method.loss(tape, view1, view2, Training{}));
    optimizer.step(tape, method, 0.99);
  };
  step();
  step();
  auto& pool = detail::Pool<Cpu>::instance();
  const std::size_t held = pool.held();
  for (int i = 0; i < 3; ++i) step();
  CHECK(pool.held() == held);
}

}  // namespace

TEST_CASE("after the second step no step allocates memory for tensors") {
  check_pool<float>(Recompute::nothing);
  check_pool<bf16>(Recompute::nothing);
  check_pool<float>(Recompute::block);
}
