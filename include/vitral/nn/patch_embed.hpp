// PatchEmbed: an image cut into square patches, each projected to a token; and the fixed 2-D sin-cos positions.
#pragma once

#include <vitral/autodiff/layout.hpp>
#include <vitral/core/host_memory.hpp>
#include <vitral/nn/linear.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// Tokens of an image's patches: `PatchEmbed<192, 4>(seed)`, or `PatchEmbed(192, 4, seed)` for sizes known at run time.
/// It is a convolution whose stride is its size, computed as a matrix product; the weight has timm's shape [Width, 3,
/// Patch, Patch].
template <int Width, int Patch, class P = float, class B = Cpu>
struct PatchEmbed {
  static constexpr int channels = 3;

  /// The convolution's parameters.
  struct Projection {
    Parameter<P, Shape<Width, channels, Patch, Patch>, B> weight;
    Parameter<P, Shape<Width>, B> bias;
    VITRAL_MEMBERS(weight, bias)
  } proj;
  int patch;

  PatchEmbed(Seed seed = next_seed()) requires(Width != dyn && Patch != dyn)
      : PatchEmbed(Width, Patch, true, Initializer(seed).self()) {}
  PatchEmbed(int width, int patch, Seed seed = next_seed()) : PatchEmbed(width, patch, true, Initializer(seed).self()) {
    static_assert(Width == dyn && Patch == dyn,
                  "vitral: PatchEmbed<Width, Patch> has its sizes in its type: give it a seed alone; or leave them to "
                  "run time, PatchEmbed(width, patch, seed)");
  }
  /// Inside a module that starts from one seed. Frozen where `trainable` is false: MoCo v3 found that random patch
  /// projections make training stable.
  PatchEmbed(int width, int patch, bool trainable, Initializer& init) : patch(patch) {
    detail::checked_width("PatchEmbed: Width", Width, width);
    detail::checked_width("PatchEmbed: Patch", Patch, patch);
    using Weight = Shape<Width, channels, Patch, Patch>;
    proj.weight = {Tensor<P, Weight, B>(Weight(std::array<int, 4>{width, channels, patch, patch})), trainable};
    proj.bias = {Tensor<P, Shape<Width>, B>(Shape<Width>(std::array<int, 1>{width})), trainable};
    init.fill_uniform(proj.weight, std::sqrt(6.0 / (static_cast<double>(values_of(patch)) + width)));
  }

  /// images [batch, 3, height, width] -> tokens [batch, patches, Width] of scalar type T, row by row.
  template <class T>
  [[nodiscard]] auto apply(const Operand auto& images) const {
    return project(patches<T>(images));
  }

  /// images [batch, 3, height, width], of one tensor or more, one after the other -> [all images, patches, 3 p p]: each
  /// image cut into patches of p x p pixels, row by row, as scalars of type T.
  template <class T, class First, class... Rest>
  [[nodiscard]] auto patches(const First& images, const Rest&... more) const {
    check_size(images);
    if constexpr (is_variable<First>) {
      static_assert(sizeof...(Rest) == 0, "vitral: patches: images on a tape are cut one tensor at a time");
      if (!images.slot()) return images.tape().constant(patches<T>(images.value()));
      return reshape(eval(cast<T>(transpose<0, 2, 4, 1, 3, 5>(reshape(images, grid_of(images))))), rows_of(images));
    } else if constexpr (!is_tensor<First>) {
      return patches<T>(eval(images), more...);
    } else {
      check(((more.shape()[2] == images.extent(2) && more.shape()[3] == images.extent(3)) && ...),
            "PatchEmbed: images of different sizes cannot be cut into the same number of patches");
      const int all = (images.extent(0) + ... + more.extent(0));
      auto grid = grid_of(images).all();
      using Cut = Shape<dyn, dyn, dyn, channels, Patch, Patch>;
      const auto out =
          Tensor<T, Cut, B>::uninitialized(Cut(std::array<int, 6>{all, grid[2], grid[4], channels, patch, patch}));
      int begin = 0;
      const auto cut = [&](const auto& part) {
        const auto window = slice_view<0>(out, begin, part.extent(0));
        detail::assign_view(window, cast<T>(transpose_view<0, 2, 4, 1, 3, 5>(reshape_tensor(part, grid_of(part)))));
        begin += part.extent(0);
      };
      cut(images);
      (cut(more), ...);
      auto rows = rows_of(images).all();
      rows[0] = all;
      return reshape_tensor(out, Rows(rows));
    }
  }
  /// patches [batch, patches, 3 p p] -> tokens [batch, patches, Width].
  [[nodiscard]] auto project(const Operand auto& patches) const {
    const auto weight = reshape(watched_beside(patches, proj.weight),
                                Shape<Width, values>(std::array<int, 2>{proj.bias.shape()[0], values_of(patch)}));
    return linear(patches, weight, proj.bias);
  }
  [[nodiscard]] auto operator()(const Operand auto& images) const { return apply<P>(images); }

  VITRAL_MEMBERS(proj)

 private:
  /// The number of values of one patch.
  static constexpr int values_of(int patch) { return times(channels, times(patch, patch)); }
  static constexpr int values = times(channels, times(Patch, Patch));
  using Rows = Shape<dyn, dyn, values>;

  void check_size(const auto& images) const {
    const auto& s = images.shape();
    check(s[1] == channels && s[2] % patch == 0 && s[3] % patch == 0, "PatchEmbed: images of shape ", s,
          " cannot be cut into patches of 3 x ", patch, " x ", patch,
          "; choose an image size that the patch size divides");
  }
  auto grid_of(const auto& images) const {
    const auto& s = images.shape();
    return Shape<dyn, channels, dyn, Patch, dyn, Patch>(
        std::array<int, 6>{s[0], channels, s[2] / patch, patch, s[3] / patch, patch});
  }
  Rows rows_of(const auto& images) const {
    const auto& s = images.shape();
    return Rows(std::array<int, 3>{s[0], times(s[2] / patch, s[3] / patch), values_of(patch)});
  }
};
PatchEmbed(int, int, Seed = {})->PatchEmbed<dyn, dyn>;

/// Positions [prefix + grid * grid, width] in two dimensions, as MoCo v3's published code makes them: zero for the
/// first `prefix` tokens; patch p has [sin(x w), cos(x w), sin(y w), cos(y w)] for its row x = p / grid, its column
/// y = p % grid and frequencies w = 10000^(-i / (width / 4)), i = 0 .. width / 4 - 1. Frequencies and angles are
/// floats, as there.
[[nodiscard]] inline HostVector<double> sincos_positions(int grid, int width, int prefix = 1) {
  check(width % 4 == 0, "sin-cos positions need a width that 4 divides, not ", width);
  const int quarter = width / 4;
  const Shape<dyn, dyn> shape{plus(prefix, times(grid, grid)), width};  // throws where the table cannot be
  HostVector<double> table(static_cast<std::size_t>(shape.size()));
  for (int p = 0; p < grid * grid; ++p) {
    for (int i = 0; i < quarter; ++i) {
      const float omega = 1.0f / std::pow(10000.0f, static_cast<float>(i) / static_cast<float>(quarter));
      const float a = static_cast<float>(p / grid) * omega, b = static_cast<float>(p % grid) * omega;
      double* row = table.data() + static_cast<std::ptrdiff_t>(prefix + p) * width + i;
      row[0] = std::sin(a);
      row[quarter] = std::cos(a);
      row[2 * quarter] = std::sin(b);
      row[3 * quarter] = std::cos(b);
    }
  }
  return table;
}

}}  // namespace vitral
