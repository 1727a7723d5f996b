// Sequential: layers one after the other, numbered as in torch.nn.Sequential.
#pragma once

#include <vitral/autodiff/operation.hpp>
#include <vitral/nn/activation.hpp>
#include <vitral/nn/mode.hpp>
#include <vitral/nn/module.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// Modules, element-wise operations and functions without state, one after the other. The parameters of this one are
/// "0.weight", "0.bias", "1.weight" and so on; "3.weight" is the last layer's.
///
///   Sequential net(Linear<784, 256>(), BatchNorm1d<256>(), op::Relu{}, Linear<256, 10>());
template <class... L>
struct Sequential {
  static_assert(((Module<L> || std::is_empty_v<L>)&&...),
                "vitral: Sequential: a layer that has members names them by VITRAL_MEMBERS; a function keeps nothing");
  Pack<L...> layers;

  Sequential() requires(sizeof...(L) > 0) = default;
  Sequential(L... all) : layers(pack_handles(std::move(all)...)) {}

  /// Each layer's result is the next one's input; the mode goes to the layers that take one.
  template <class Mode = Evaluation>
  [[nodiscard]] auto operator()(const Operand auto& x, const Mode& mode = {}) const {
    return through(layers, x, mode);
  }

  auto vitral_members() { return addresses(std::make_integer_sequence<int, sizeof...(L)>{}); }
  static void visit(auto& self, auto&& f) {
    int number = 0;
    for_each(self.layers, [&](auto& layer) {
      const std::string name = std::to_string(number++);
      if constexpr (Module<std::remove_reference_t<decltype(layer)>>) f(name, layer);
    });
  }

 private:
  template <int... I>
  auto addresses(std::integer_sequence<int, I...>) {
    return detail::addresses_of(get<I>(layers)...);
  }

  static auto through(const Pack<>&, const auto& x, const auto&) { return eval(x); }
  /// Element-wise operations in a row are one pass; other layers are given values.
  template <class First, class... Rest>
  static auto through(const Pack<First, Rest...>& l, const auto& x, const auto& mode) {
    if constexpr (ElementwiseOperation<First>)
      return through(l.tail, express<First>(x), mode);
    else if constexpr (requires { l.head(eval(x), mode); })
      return through(l.tail, l.head(eval(x), mode), mode);
    else
      return through(l.tail, l.head(eval(x)), mode);
  }
};

}}  // namespace vitral
