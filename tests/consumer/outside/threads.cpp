// A network from its file serves two threads at once, with the bits that one thread computes.
#include <vitral/models/load_vit.hpp>

#include <future>
#include <iostream>

using namespace vitral;

// data
Tensor<float, Shape<dyn, 3, dyn, dyn>> noise(int images, Random random) {
  return eval(uniform(random, Shape<dyn, 3, dyn, dyn>{images, 16, 16}));
}
// end of data

int main() {
  save_vit("threads.safetensors", ViT<Cpu, float, ViTSize{16, 4, 32, 2, 2}>(Seed{1}));
  const auto encoder = load_vit<Cpu, float>("threads.safetensors");
  const auto first = noise(256, {1}), second = noise(256, {2});
  const auto features = [&](const auto& images) { return encoder(images).to_vector(); };
  const auto alone = std::pair(features(first), features(second));
  auto one = std::async(std::launch::async, features, first), other = std::async(std::launch::async, features, second);
  const bool same = std::pair(one.get(), other.get()) == alone;
  std::cout << "threads: two threads at once give " << (same ? "the same bits\n" : "other bits\n");
  return same && alone.first != alone.second ? 0 : 1;
}
