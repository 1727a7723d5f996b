// What the heads of a ViT look at: the weights of attention, how far they reach, and what the class token sees.
// Attention as networks compute it keeps no weights, so they are computed here from each block's queries and keys.
#pragma once

#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/eval/encoder.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// softmax(q k^T / sqrt(width of a head)) of one block. The class token and others that are no patches come first.
struct AttentionWeights {
  int images = 0, heads = 0, tokens = 0;
  std::vector<float> rows;  ///< [images, heads, queries, keys]; each row sums to 1

  [[nodiscard]] const float* row(int image, int head, int query) const {
    return rows.data() + ((long{image} * heads + head) * tokens + query) * tokens;
  }
};

namespace detail {

inline void check_weights(const AttentionWeights& weights) {
  const long square = long{weights.tokens} * weights.tokens, expected = long{weights.images} * weights.heads * square;
  check(weights.images >= 1 && weights.heads >= 1 && weights.tokens >= 1 && std::ssize(weights.rows) == expected,
        "attention weights: ", weights.rows.size(), " numbers for ", weights.images, " images, ", weights.heads,
        " heads and ", weights.tokens, " tokens");
}

}  // namespace detail

/// The weights from a block's packed queries, keys and values [images, tokens, 3 * width] in host memory, in timm's
/// order (autodiff/attention.hpp).
[[nodiscard]] inline AttentionWeights attention_weights(const float* qkv, int images, int heads, int tokens,
                                                        int width) {
  check(images >= 1 && tokens >= 1 && heads >= 1 && width >= heads && width % heads == 0, "attention weights of ",
        images, " images, ", tokens, " tokens and ", heads, " heads for a width of ", width);
  AttentionWeights out{images, heads, tokens, {}};
  const long square = long{tokens} * tokens, narrow = width / heads;
  out.rows.resize(static_cast<std::size_t>(long{images} * heads * square));
  const auto part = [&](long from) {
    return MatrixBatch<const float>{{qkv + from, tokens, narrow, 3l * width, 1}, images, 3l * tokens * width};
  };
  for (int head = 0; head < heads; ++head) {
    MatrixBatch<const float> keys = part(width + head * narrow);
    keys.first = transposed(keys.first);
    cpu::batched_matmul<float, float, float>(
        part(head * narrow), keys, {row_major(out.rows.data() + head * square, tokens, tokens), images, heads * square},
        false);
  }
  const float scale = 1 / std::sqrt(static_cast<float>(narrow));
  for (float& product : out.rows) product *= scale;
  Cpu::softmax_forward(static_cast<const float*>(out.rows.data()), out.rows.data(), long{images} * heads * tokens,
                       long{tokens});
  return out;
}

/// The weights of every block for normalised images [batch, 3, side, side] (images_for). In the last block the network
/// itself uses the class token's row only.
template <VisionTransformer Network>
[[nodiscard]] std::vector<AttentionWeights> attention_weights(const Network& encoder, const Operand auto& images) {
  std::vector<AttentionWeights> out;
  std::vector<float> host;
  auto x = encoder.tokens(images);
  for (const auto& block : encoder.blocks) {
    const auto qkv = eval(cast<float>(block.attn.qkv(block.norm1(x))));
    host.resize(static_cast<std::size_t>(qkv.size()));
    Network::backend::copy_to_host(qkv.data(), host.data(), qkv.size());
    out.push_back(attention_weights(host.data(), qkv.extent(0), block.attn.heads, qkv.extent(1), x.extent(2)));
    if (out.size() < encoder.blocks.size()) x = block(x);
  }
  return out;
}

/// Mean attention distance of each head in pixels (Dosovitskiy et al. 2021, appendix D.7, figure 11): the distance from
/// the centre of the patch that asks to that of the patch it looks at, averaged by weight, then over patches and
/// images. The class token is left out, and a row's other weights are divided by their sum. `patch`: side of a patch in
/// pixels.
[[nodiscard]] inline std::vector<double> mean_attention_distance(const AttentionWeights& weights, int patch) {
  detail::check_weights(weights);
  const int grid = static_cast<int>(std::sqrt(weights.tokens)), patches = grid * grid, first = weights.tokens - patches;
  std::vector<double> mean(static_cast<std::size_t>(weights.heads));
  for (int head = 0; head < weights.heads; ++head) {
    double sum = 0;
    for (int image = 0; image < weights.images; ++image)
      for (int query = 0; query < patches; ++query) {
        const float* const row = weights.row(image, head, first + query) + first;
        double reach = 0, whole = 0;
        for (int key = 0; key < patches; ++key) {
          const int down = key / grid - query / grid, across = key % grid - query % grid;
          reach += row[key] * std::sqrt(static_cast<double>(down * down + across * across));
          whole += row[key];
        }
        sum += whole > 0 ? reach / whole : 0;
      }
    mean[static_cast<std::size_t>(head)] = patch * sum / (static_cast<double>(weights.images) * patches);
  }
  return mean;
}

/// The weights that the class token gives to the patches of one image: [heads, grid * grid], the maps of Caron et al.
/// 2021. A head's weights sum to 1 less what it gives to the class token itself.
[[nodiscard]] inline std::vector<float> class_attention(const AttentionWeights& weights, int image) {
  detail::check_weights(weights);
  check(image >= 0 && image < weights.images, "attention weights: image ", image, " of ", weights.images);
  const int grid = static_cast<int>(std::sqrt(weights.tokens)), patches = grid * grid, first = weights.tokens - patches;
  std::vector<float> out;
  for (int head = 0; head < weights.heads; ++head) {
    const float* const row = weights.row(image, head, 0) + first;
    out.insert(out.end(), row, row + patches);
  }
  return out;
}

}}  // namespace vitral
