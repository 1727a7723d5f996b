// A whole transformer block as one node of the tape, for backends with OffersBlocks. Elsewhere nn/transformer_block.hpp
// computes the same by single operations.
#pragma once

#include <vitral/autodiff/operation.hpp>
#include <vitral/backend/backend.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// What a block computes again in its backward pass: nothing, as all that it needs is kept, or the whole block from its
/// input, which alone is kept (Chen et al., arXiv 1604.06174).
enum class Recompute { nothing, block };

namespace detail {

template <class T, class B>
struct TransformerBlock {
  using P = compute_t<T>;
  using Vector = Tensor<P, Shape<dyn>, B>;
  using Activations = Tensor<T, Shape<dyn, dyn>, B>;
  static constexpr int keeps_inputs = every_input;
  static constexpr bool keeps_result = false, is_layer = true;

  BlockSize size;
  Recompute recompute;
  Vector keep1, keep2;  // [images], empty where nothing is dropped
  Activations qkv{}, attended{}, middle{}, hidden{};
  Vector statistics{}, logsumexp{};

  template <bool Recorded, class X, class... Parameters>
  auto forward(std::bool_constant<Recorded>, const X& x, const Parameters&... parameters) {
    auto y = X::uninitialized(x.shape());
    const bool traced = Recorded && recompute == Recompute::nothing;
    if (traced) {
      const long rows = long{size.images} * size.tokens;
      qkv = Activations::uninitialized({rows, 3L * size.width});
      attended = Activations::uninitialized({rows, size.width});
      middle = Activations::uninitialized({rows, size.width});
      hidden = Activations::uninitialized({rows, size.hidden});
      statistics = Vector::uninitialized({4 * rows});
      logsumexp = Vector::uninitialized({rows * size.heads});
    }
    const BlockTrace<T> kept = trace();
    const T* const from = x.data();
    B::block_forward(from, y.data(), BlockParameters<const P>{parameters.data()...}, factors(keep1), factors(keep2),
                     traced ? &kept : static_cast<const BlockTrace<T>*>(nullptr), size);
    return y;
  }

  template <class DY, class Y, class X, class... Parameters>
  void backward(const DY& dy, const Y&, const X& x, const Parameters&... parameters) {
    T* dx = nullptr;
    bool add_dx = false;
    if (x.wants_gradient()) {
      const auto g = x.gradient();
      dx = g.tensor.data();
      add_dx = g.add;
    }
    std::array<bool, BlockParameters<P>::count> add{};
    std::size_t number = 0;
    const auto place = [&](const auto& parameter) -> P* {
      bool& adds = add[number++];
      if (!parameter.wants_gradient()) return nullptr;
      const auto g = parameter.gradient();
      adds = g.add;
      return g.tensor.data();
    };
    const BlockParameters<P> gradients{place(parameters)...};  // braces: from left to right
    const BlockTrace<T> kept = trace();
    const T *const from = x.value.data(), *const up = dy.data();
    B::block_backward(from, up, dx, add_dx, BlockParameters<const P>{parameters.value.data()...}, gradients, add,
                      factors(keep1), factors(keep2), qkv ? &kept : static_cast<const BlockTrace<T>*>(nullptr), size);
  }

 private:
  static const P* factors(const Vector& keep) { return keep ? keep.data() : nullptr; }

  BlockTrace<T> trace() const {
    if (!qkv) return {};
    const long rows = static_cast<long>(size.images) * size.tokens;
    P* const s = statistics.data();
    return {qkv.data(), attended.data(), middle.data(), hidden.data(),   s,
            s + rows,   s + 2 * rows,    s + 3 * rows,  logsumexp.data()};
  }
};

}  // namespace detail

/// y = m + keep2 mlp(norm2(m)), m = x + keep1 attention(norm1(x)) for x [images, tokens, D]. The parameters are those
/// of BlockParameters, in its order; keep1 and keep2 [images] scale each image's branches (empty: 1).
template <Operand X, class P, class B, class... Parameters>
[[nodiscard]] auto transformer_block(const X& x, int heads, int hidden, double eps1, double eps2,
                                     const Tensor<P, Shape<dyn>, B>& keep1, const Tensor<P, Shape<dyn>, B>& keep2,
                                     Recompute recompute, const Parameters&... parameters) {
  static_assert(sizeof...(Parameters) == BlockParameters<P>::count);
  const BlockSize size{x.extent(0), x.extent(1), x.extent(2), hidden, heads, eps1, eps2};
  return apply(detail::TransformerBlock<scalar_of<X>, B>{size, recompute, keep1, keep2}, x, parameters...);
}

}}  // namespace vitral
