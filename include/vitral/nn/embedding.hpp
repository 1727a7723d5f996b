// Embedding: a learned vector for each word of a vocabulary.
#pragma once

#include <vitral/autodiff/layout.hpp>
#include <vitral/nn/initializer.hpp>
#include <vitral/nn/module.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// A table weight [Vocabulary, Width] whose rows are asked for by number: `Embedding<50257, 768>(seed)`, or
/// `Embedding(words, width, seed)` for sizes known at run time. It starts normally with deviation 1, as PyTorch's does.
///
///   const Embedding<27, 32> letters(Seed{1});
///   const auto rows = letters(tape.constant(y));  // of numbers y [n]: [n, 32]
template <int Vocabulary, int Width, class P = float, class B = Cpu>
struct Embedding {
  Parameter<P, Shape<Vocabulary, Width>, B> weight;

  Embedding(Seed seed = next_seed()) requires(Vocabulary != dyn && Width != dyn)
      : Embedding(Vocabulary, Width, Initializer(seed).self()) {}
  Embedding(int vocabulary, int width, Seed seed = next_seed())
      : Embedding(vocabulary, width, Initializer(seed).self()) {
    static_assert(Vocabulary == dyn && Width == dyn,
                  "vitral: Embedding<Vocabulary, Width> has its sizes in its type: give it a seed alone; or leave them "
                  "to run time, Embedding(vocabulary, width, seed)");
  }
  /// Inside a module that starts from one seed.
  Embedding(int vocabulary, int width, Initializer& init) {
    detail::checked_width("Embedding: Vocabulary", Vocabulary, vocabulary);
    detail::checked_width("Embedding: Width", Width, width);
    using Table = Shape<Vocabulary, Width>;
    weight.value = Tensor<P, Table, B>(Table(std::array<int, 2>{vocabulary, width}));
    init.fill_normal(weight, 1);
  }

  /// ids [...] of type int, each 0 to Vocabulary - 1 -> [..., Width]. The table is trained where the ids are on a tape:
  /// `embedding(tape.constant(ids))`.
  template <Operand Ids>
  [[nodiscard]] auto operator()(const Ids& ids) const {
    static_assert(std::is_same_v<scalar_of<Ids>, int>, "vitral: Embedding: the numbers of words are of type int");
    const auto& words = ids.shape();
    const auto rows = rows_of(reshape(ids, Shape<dyn>{static_cast<int>(words.size())}));
    return [&]<int... E>(const Shape<E...>& s) {
      std::array<int, sizeof...(E) + 1> extents{};
      for (int i = 0; i < s.rank; ++i) extents[static_cast<std::size_t>(i)] = s[i];
      extents.back() = weight.shape()[1];
      return reshape(rows, Shape<E..., Width>(extents));
    }
    (words);
  }

  VITRAL_MEMBERS(weight)

 private:
  auto rows_of(const auto& ids) const {
    if constexpr (is_recorded<decltype(ids)>)
      return gather(weight, ids);
    else
      return gather(weight.value, ids);
  }
};
Embedding(int, int, Seed = {})->Embedding<dyn, dyn>;

}}  // namespace vitral
