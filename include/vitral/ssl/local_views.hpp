// Local views in a method's loss: multi-crop (Caron et al. 2020, SwAV; 2021, DINO). The two global views make targets;
// local ones, smaller views of small parts of the image, are queries alone, each held against both. All pairs of query
// and target weigh the same: with N local views the loss is (two-view loss + their terms) / (1 + N).
#pragma once

#include <vitral/autodiff/layout.hpp>
#include <vitral/autodiff/record.hpp>

#include <cstddef>
#include <span>

namespace vitral { inline namespace VITRAL_ABI { namespace detail {

/// The views after the first two, of which there may be some where the method has an encoder for them.
template <class Views>
auto local_views_of(const Views& views, bool has_encoder) {
  check(views.size() == 2 || (views.size() > 2 && has_encoder), "loss: the batch holds ", views.size(),
        " views of each image; the method compares two: let the loader make two_views(...), or give the method a "
        "local_encoder for further ones, as multi_crop(...) makes them");
  return std::span(views).subspan(2);
}

/// What an encoder is given for local views, one after the other: their patches, where it takes them.
template <class Encoder, class X>
auto input_of_local(const Encoder& encoder, std::span<const X> local) {
  auto extents = local[0].shape().all();
  const int batch = extents[0];
  extents[0] = times(batch, static_cast<int>(local.size()));
  const auto all = X::uninitialized(shape_of<X>(extents));
  int begin = 0;
  for (const X& view : local) {
    check(view.shape() == local[0].shape(), "loss: local views of shapes ", local[0].shape(), " and ", view.shape(),
          "; expected all of one size");
    assign_view(slice_view<0>(all, begin, batch), view);
    begin += batch;
  }
  if constexpr (requires { encoder.patches(all); })
    return encoder.patches(all);
  else
    return all;
}

/// The sum over `views` of what their queries, [views * batch, width], lose by the targets of both global views, whose
/// loss `loss_of` is: that of each view's rows, once for each target.
template <class Loss>
auto loss_of_local(const Loss& loss_of, std::size_t views) {
  return [&loss_of, views = static_cast<int>(views)](const auto& queries) {
    const int batch = queries.extent(0) / views;
    const auto term = [&](int view) {
      const auto rows = slice<0>(queries, view * batch, batch);
      return eval(loss_of(concat<0>(rows, rows)));
    };
    auto sum = term(0);
    for (int view = 1; view < views; ++view) sum = eval(sum + term(view));
    return sum;
  };
}

/// The loss from that of the two global views and the sum of those of `views` local ones.
auto mean_with_local(const auto& two, const auto& local, std::size_t views) {
  return eval((two + local) * (1 / (1 + static_cast<double>(views))));
}

}}}  // namespace vitral::detail
