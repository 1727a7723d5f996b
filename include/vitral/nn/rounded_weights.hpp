// RoundedWeights: bf16 copies of a module's weights and biases, made in one pass instead of at each use.
#pragma once

#include <vitral/nn/module.hpp>
#include <vitral/tensor/evaluate.hpp>
#include <vitral/tensor/layout.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// While it lives, linear layers that compute in bf16 use the copies. End it before parameters change: the copies do
/// not follow. A tape keeps the copies it has recorded. The module must outlive it.
///
///   {
///     const RoundedWeights rounded(net);
///     tape.backward(mean(cross_entropy(net(tape.constant(x)), y)));
///   }
///   optimizer.step(tape);
template <class M>
class RoundedWeights {
 public:
  explicit RoundedWeights(M& module) : module_(module) {
    using B = backend_of_module<M>;
    std::vector<Tensor<scalar_of_module<M>, Shape<dyn>, B>> values;
    std::vector<Tensor<bf16, Shape<dyn>, B>> copies;
    for_each_rounded([&](auto& p) {
      values.push_back(flat(p.value));
      copies.push_back(Tensor<bf16, Shape<dyn>, B>::uninitialized(values.back().shape()));
      p.rounded.elements = copies.back().buffer();
    });
    assign_each<B>(copies.size(), [&](std::size_t i) { return pack_handles(into(copies[i], cast<bf16>(values[i]))); });
  }
  RoundedWeights(const RoundedWeights&) = delete;
  RoundedWeights& operator=(const RoundedWeights&) = delete;
  ~RoundedWeights() {
    for_each_rounded([](auto& p) { p.rounded.elements = Buffer(); });
  }

 private:
  template <class F>
  void for_each_rounded(F&& f) {
    for_each_parameter(module_, [&](const std::string&, auto& p) {
      if constexpr (shape_of<decltype(p)>::rank <= 2) f(p);
    });
  }

  M& module_;
};

}}  // namespace vitral
