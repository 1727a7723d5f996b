// Projector and predictor heads (Chen et al. 2020; Grill et al. 2020): layers of Linear without bias, BatchNorm, ReLU.
#pragma once

#include <vitral/nn/linear.hpp>
#include <vitral/nn/norm.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// Whether a BatchNorm without scale and shift ends the head (SimCLR and MoCo v3), or a Linear (BYOL).
enum class LastNorm { yes, no };

/// [rows, in] -> [rows, out]: `depth` layers of `hidden` units, the last of `out` and without ReLU. Parts are numbered
/// as in the equivalent torch.nn.Sequential: Linear 0, BatchNorm 1, ReLU 2, Linear 3 and so on. The weights start as
/// that one's do, uniformly within 1 / sqrt(fan-in): the published code of all three methods leaves them there.
template <class P = float, class B = Cpu>
struct Head {
  using Layer = Linear<dyn, dyn, P, B, Bias::no>;
  std::vector<Layer> linears;
  std::vector<BatchNorm1d<dyn, P, B>> norms;
  std::vector<BatchNorm1d<dyn, P, B, Affine::no>> last_norm;  // one or none

  Head(int depth, int in, int hidden, int out, LastNorm last, Initializer& init) {
    check(depth >= 1, "Head: the depth must be 1 or more, not ", depth);
    check(in >= 1 && hidden >= 1 && out >= 1, "Head: widths must be 1 or more, not ", in, ", ", hidden, ", ", out);
    for (int i = 0; i < depth; ++i) {
      const bool is_last = i == depth - 1;
      linears.emplace_back(i == 0 ? in : hidden, is_last ? out : hidden, init, LinearStart::pytorch);
      if (!is_last) norms.emplace_back(hidden);
    }
    if (last == LastNorm::yes) last_norm.emplace_back(out);
  }

  template <class Mode = Evaluation>
  [[nodiscard]] auto operator()(const Operand auto& x, const Mode& mode = {}) const {
    auto h = linears[0](x);
    for (std::size_t i = 1; i < linears.size(); ++i)
      h = linears[i](norms[i - 1].template apply<Activation::relu>(h, mode));
    if (!last_norm.empty()) h = last_norm[0](h, mode);
    return h;
  }

  static void visit(auto& self, auto&& f) {
    for (std::size_t i = 0; i < self.linears.size(); ++i) {
      f(std::to_string(3 * i), self.linears[i]);
      if (i < self.norms.size())
        f(std::to_string(3 * i + 1), self.norms[i]);
      else if (!self.last_norm.empty())
        f(std::to_string(3 * i + 1), self.last_norm[0]);
    }
  }
};

}}  // namespace vitral
