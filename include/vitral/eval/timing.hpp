// What images cost in a network that ends early: matrix products, and times of which others on the machine disturb few.
#pragma once

#include <vitral/eval/classifiers/early_exit.hpp>
#include <vitral/eval/encoder.hpp>
#include <vitral/eval/progress.hpp>
#include <vitral/eval/results.hpp>
#include <vitral/models/first_layers.hpp>

#include <algorithm>
#include <chrono>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// The median of some numbers and the quartiles beside it.
inline Timing timing_of(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  const std::size_t count = numbers.size(), quarter = count / 4;
  return {numbers[count / 2], numbers[quarter], numbers[count - 1 - quarter], static_cast<int>(count)};
}

/// Milliseconds of one batch through the network.
template <class Network, class Images>
double milliseconds(const Network& network, const Images& images) {
  const auto begin = std::chrono::steady_clock::now();
  const auto token = network(images);
  typename Network::activation last;
  Network::backend::copy_to_host(token.data() + token.size() - 1, &last, 1);  // waits for a device
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

/// The same of several networks: result[network] holds all runs. The networks take turns, so that what disturbs the
/// machine for a while disturbs a few runs of each and not all of one. In a turn the first run prepares, the others
/// count: 6 for each network, and up to 30 while these take less than a second for each.
template <class Network>
std::vector<std::vector<double>> milliseconds_in_turns(const std::vector<Network>& networks, int batch) {
  const int side = networks[0].size.image;
  const ImagesOn<typename Network::backend> images({batch, side, side});
  std::vector<std::vector<double>> out(networks.size());
  double sum = 0;
  for (int turn = 0; turn < 3 || (turn < 15 && sum < 1000 * static_cast<double>(networks.size())); ++turn)
    for (std::size_t i = 0; i < networks.size(); ++i)
      for (int run = 0; run < 3; ++run) {
        const double time = milliseconds(networks[i], images);
        sum += time;
        if (run > 0) out[i].push_back(time);
      }
  return out;
}

}  // namespace detail

/// What images cost in the networks that end after each of the blocks `layers`, numbered from 1 on, alone and in
/// batches of `batch`. Progress is told as "speed".
template <VisionTransformer Network>
[[nodiscard]] std::vector<LayerCost> layer_costs(const Network& network, const std::vector<int>& layers, int batch,
                                                 const EvaluationProgress& progress = {}) {
  std::vector<Network> shorter;
  for (const int layer : layers) shorter.push_back(first_layers(network, layer));
  detail::report(progress, {"speed", 0, 2, 0});
  const auto alone = detail::milliseconds_in_turns(shorter, 1);
  detail::report(progress, {"speed", 1, 2, 0});
  auto rates = detail::milliseconds_in_turns(shorter, batch);
  std::vector<LayerCost> out;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    for (double& time : rates[i]) time = 1000 * batch / time;
    out.push_back(
        {multiply_adds(shorter[i].size, layers[i]), detail::timing_of(alone[i]), detail::timing_of(rates[i])});
  }
  detail::report(progress, {"speed", 2, 2, 0});
  return out;
}

}}  // namespace vitral
