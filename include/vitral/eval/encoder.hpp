// What eval asks of a network: the features of its layers or all tokens of its last one, and how large the images are
// that it takes.
#pragma once

#include <vitral/data/augment.hpp>
#include <vitral/data/loader.hpp>
#include <vitral/models/vit.hpp>

#include <concepts>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// Normalised images [batch, 3, side, side].
template <class B>
using ImagesOn = Tensor<float, Shape<dyn, 3, dyn, dyn>, B>;

}  // namespace detail

/// A network on any backend whose features can be evaluated: for normalised images [batch, 3, side, side], `layers`
/// gives a tensor [batch, width()] for each of its depth() layers.
///
///   struct Layers {
///     using backend = Cpu;
///     int width() const;
///     int depth() const;
///     std::vector<Tensor<float, Shape<dyn, dyn>>> layers(const Operand auto& images) const;
///   };
template <class E>
concept FeatureEncoder = requires(const E& encoder, const detail::ImagesOn<typename E::backend>& images) {
  { encoder.width() } -> std::convertible_to<int>;
  { encoder.depth() } -> std::convertible_to<int>;
  encoder.layers(images)[0].extent(1);
};

/// A network on any backend that gives all tokens of images of any size in whole patches of size.patch pixels, as a ViT
/// does: `all_tokens(encoder, images)` is [batch, tokens, size.width], the class token first, the patches last.
template <class E>
concept TokenEncoder = requires(const E& encoder, const detail::ImagesOn<typename E::backend>& images) {
  { encoder.size.width } -> std::convertible_to<int>;
  { encoder.size.patch } -> std::convertible_to<int>;
  all_tokens(encoder, images).extent(2);
};

namespace detail {

template <class B, class T, ViTSize Size>
void is_vit(const ViT<B, T, Size>&);

}  // namespace detail

/// A ViT of any size: what its layers cost and how far its heads look is known, too.
template <class E>
concept VisionTransformer = requires(const E& encoder) {
  detail::is_vit(encoder);
};

/// `view` for the encoder: of view.size pixels a side, or where that is 0 of the encoder's own size.image. Throws Error
/// where neither says.
template <class E>
[[nodiscard]] CenterView view_for(const E& encoder, CenterView view) {
  if constexpr (requires { encoder.size.image; })
    if (view.size == 0) view.size = encoder.size.image;
  check(view.size > 0, "features: the encoder takes images of ", view.size,
        " pixels a side; give it a member size.image, or say it in EvaluationOptions::view");
  return view;
}

/// Images of a data set as the encoder sees them in evaluation: scaled, cut to their centre and normalised.
template <class E>
[[nodiscard]] detail::ImagesOn<typename E::backend> images_for(const E& encoder, const Dataset& data,
                                                               const std::vector<long>& places,
                                                               const CenterView& asked = {.size = 0}) {
  const CenterView view = view_for(encoder, asked);
  const int side = view.size;
  HostVector<float> pixels(places.size() * 3 * static_cast<std::size_t>(side) * static_cast<std::size_t>(side));
  float* to = pixels.data();
  for (const long place : places) {
    view(readable_image(data, place), to);
    to += 3l * side * side;
  }
  return detail::ImagesOn<typename E::backend>::from(pixels, {static_cast<int>(places.size()), side, side});
}

}}  // namespace vitral
