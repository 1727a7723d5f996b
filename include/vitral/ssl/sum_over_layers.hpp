// sum_over_layers: one loss from those of several layers.
#pragma once

#include <vitral/autodiff/record.hpp>
#include <vitral/core/lanes.hpp>

#include <cstddef>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// loss_of(0) + loss_of(1) + ... + loss_of(layers - 1), for 1 layer or more. Each term is one number computed from
/// variables; on a GPU each runs in a lane of its own, so that the many small kernels of the heads fill the device.
///
///   const auto layers = encoder.layers(tape.constant(images));
///   const auto target = detach(layers.back());
///   tape.backward(sum_over_layers(layers.size() - 1, [&](std::size_t i) { return mse(layers[i], target); }));
template <class F>
[[nodiscard]] auto sum_over_layers(std::size_t layers, F&& loss_of) {
  using Loss = decltype(eval(loss_of(0)));
  check(layers > 0, "sum_over_layers: there must be 1 layer or more");
  std::vector<Loss> terms;
  in_lanes<backend_of<Loss>>(layers, [&](std::size_t i) { terms.push_back(eval(loss_of(i))); });
  auto total = terms[0];
  std::size_t i = 1;
  for (; i + 4 <= layers; i += 4) total = eval(total + terms[i] + terms[i + 1] + terms[i + 2] + terms[i + 3]);
  for (; i < layers; ++i) total = eval(total + terms[i]);
  return total;
}

}}  // namespace vitral
