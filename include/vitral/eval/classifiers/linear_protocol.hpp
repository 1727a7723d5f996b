// Linear classification on a frozen ViT by published protocols, which augment the training images anew in every epoch:
// MoCo v3's (main_lincls.py at the rate that its CONFIG.md has for ViT) and DINO's (eval_linear.py).
#pragma once

#include <vitral/data/loader.hpp>
#include <vitral/data/views.hpp>
#include <vitral/eval/classifiers/accuracy.hpp>
#include <vitral/eval/classifiers/rate_sweep.hpp>
#include <vitral/eval/encoder.hpp>
#include <vitral/io/nearest.hpp>
#include <vitral/train/trainer.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// How a linear classifier is trained: SGD without weight decay, whose rate falls to zero along a cosine from epoch to
/// epoch, on random crops and flips. Its weights start as N(0, 0.01), its bias as zero.
struct LinearProtocol {
  std::string_view name;
  std::vector<double> rates;    ///< base learning rates, for steps of 256 images; each trains a classifier of its own
  int epochs, batch;            ///< batch: images of a step; all of them where they are fewer
  int last_blocks;              ///< the features are the class tokens of so many blocks, one beside the other ...
  bool average_pool;            ///< ... and the mean of the last block's patch tokens
  Interpolation interpolation;  ///< by which test images are resized
  double momentum = 0.9;
  double crop_min = 0.08;  ///< smallest crop as a part of the image's area
};

/// MoCo v3's protocol for ViT.
[[nodiscard]] inline LinearProtocol moco_v3_linear(const ViTSize&) {
  return {"moco-v3", {3}, 90, 1024, 1, false, Interpolation::bilinear};
}

/// DINO's protocol: four blocks, or from ViT-B's width on the last block and the average pool. A step's 1024 images are
/// its eight processes' 128. Its rate is 0.001, of which its authors say that it should be tuned: those around it are
/// tried as well.
[[nodiscard]] inline LinearProtocol dino_linear(const ViTSize& size) {
  const bool wide = size.width >= vit_base_224.width;
  return {"dino",
          {1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1},
          100,
          1024,
          wide ? 1 : std::min(4, size.depth),
          wide,
          Interpolation::bicubic};
}

/// A line of the table: the protocol for a network of this size.
struct KnownLinearProtocol {
  std::string_view name;
  LinearProtocol (*of)(const ViTSize& size);
};

/// The table.
inline constexpr KnownLinearProtocol known_linear_protocols[] = {{"moco-v3", moco_v3_linear}, {"dino", dino_linear}};

/// The names in the table, in its order.
[[nodiscard]] inline std::vector<std::string> linear_protocol_names() { return names_in(known_linear_protocols); }

/// The protocol of that name for a network of this size; Error, which lists the names, where there is none.
[[nodiscard]] inline LinearProtocol known_linear_protocol(std::string_view name, const ViTSize& size) {
  return line_of(known_linear_protocols, "linear protocol", name).of(size);
}

/// What the classifiers of all rates reached after an epoch.
struct LinearEpoch {
  long epoch = 0;              ///< from 1 on
  double loss = 0;             ///< mean over the steps and rates
  std::vector<TopCount> test;  ///< of each rate
};

/// What the protocols leave open.
struct LinearOptions {
  CenterView view{.size = 0};  ///< how test images are prepared; size 0: the network's size.image
  Seed seed{0};
  int workers = 2;                                       ///< threads that read and augment images
  std::function<void(const StepReport&)> step_done{};    ///< called after each step ...
  std::function<void(const LinearEpoch&)> epoch_done{};  ///< ... and after each epoch
};

namespace detail {

/// Of each of the features that stand side by side: a layer's, or with average_pool single tokens.
template <VisionTransformer Network>
int width_of_parts(const Network& encoder, const LinearProtocol& protocol) {
  return protocol.average_pool ? encoder.size.width : encoder.width();
}

/// The protocol's features of images [batch, 3, side, side], each row with a 1 for the bias behind it, as RateSweep
/// takes them: raw LayerNorm outputs, [batch, parts * width + 1].
template <VisionTransformer Network>
auto frozen_inputs(const Network& encoder, const LinearProtocol& protocol, const auto& images) {
  const int width = width_of_parts(encoder, protocol);
  using B = typename Network::backend;
  const auto x = Tensor<float, Shape<dyn, dyn>, B>::uninitialized(
      {images.extent(0), (protocol.last_blocks + protocol.average_pool) * width + 1});
  B::fill(x.data(), x.size(), 1.0f);
  int column = 0;
  const auto add = [&](const auto& features) {
    assign_view(slice_view<1>(x, column, width), cast<float>(features));
    column += width;
  };
  const auto first = encoder.blocks.size() - static_cast<std::size_t>(protocol.last_blocks);
  if (!protocol.average_pool) {
    const auto layers = encoder.layers(images);
    std::for_each(layers.begin() + static_cast<std::ptrdiff_t>(first), layers.end(), add);
  } else {
    auto tokens = encoder.tokens(images);
    for (std::size_t i = 0; i < encoder.blocks.size(); ++i) {
      tokens = encoder.blocks[i](tokens);
      if (i >= first) add(encoder.normalized(select<1>(tokens, 0)));
    }
    const int grid = encoder.size.image / encoder.size.patch, patches = grid * grid;
    add(mean<1>(encoder.normalized(slice<1, dyn>(tokens, tokens.extent(1) - patches, patches))));
  }
  return x;
}

/// The task of training a classifier for each rate on what a frozen encoder makes of a batch's first view.
template <VisionTransformer Network>
struct LinearTask {
  const Network& encoder;
  const LinearProtocol& protocol;
  RateSweep<typename Network::backend> sweep;
  VITRAL_MEMBERS(sweep)

  [[nodiscard]] auto loss(Tape& tape, const auto& batch, const Training&) const {
    return sweep.add_losses(tape.constant(Tensor<float, Shape<>, typename Network::backend>()),
                            frozen_inputs(encoder, protocol, batch.views[0]), batch.labels);
  }
};

}  // namespace detail

/// Trains the protocol's classifiers on the images of `train`, tries them on those of `test` after each epoch, and
/// returns them as they are after the last. The encoder is in evaluation mode and stays as it is; all is computed on
/// its backend. Throws Error where the protocol does not fit the network, or an image has no label.
///
///   const auto classifiers = linear_classification(encoder, moco_v3_linear(encoder.size), train, test, {.epoch_done =
///       [](const LinearEpoch& e) { std::printf("%ld: %.1f %%\n", e.epoch, 100 * e.test[0].top1()); }});
template <VisionTransformer Network>
RateSweep<typename Network::backend> linear_classification(const Network& encoder, const LinearProtocol& protocol,
                                                           const Dataset& train, const Dataset& test,
                                                           const LinearOptions& options = {}) {
  using B = typename Network::backend;
  const auto classes = static_cast<int>(train.classes().size());
  check(classes > 0 && train.classes().size() == test.classes().size(), "linear classification: ", train.name(),
        " has ", classes, " classes to learn and ", test.name(), " ", test.classes().size(),
        " to test; expected the same ones");
  check(!protocol.rates.empty() && protocol.last_blocks >= 1 && protocol.last_blocks <= encoder.depth(),
        "linear classification: ", protocol.rates.size(), " rates and class tokens of ", protocol.last_blocks,
        " blocks of a network of ", encoder.depth(), "; expected 1 or more, and blocks that there are");
  const CenterView view = view_for(encoder, options.view);
  Augmentation crops = crop_and_flip(view.size);
  crops.crop_min = protocol.crop_min;
  const int batch = static_cast<int>(std::min<long>(protocol.batch, train.size()));
  Loader loader(train, {crops},
                {.batch = batch, .seed = options.seed.value, .workers = options.workers, .drop_last = false}),
      tests(test, {view}, in_order(test, 256, options.workers));
  const int features = (protocol.last_blocks + protocol.average_pool) * detail::width_of_parts(encoder, protocol);
  detail::LinearTask<Network> task{encoder, protocol,
                                   RateSweep<B>(protocol.rates.size(), classes, features, options.seed)};
  auto parameters = trainable_parameters(task);
  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].rate = protocol.rates[i];
  const Sgd sgd{.lr = scaled_learning_rate(1, batch), .momentum = protocol.momentum};
  Trainer trainer(task, Optimizer<float, B>(sgd, parameters), {.epochs = protocol.epochs, .by_epoch = true},
                  options.seed);
  const long per_epoch = trainer.steps_per_epoch(loader);
  double sum = 0;  // of the epoch's losses
  trainer.fit(loader, [&](const StepReport& report) {
    if (options.step_done) options.step_done(report);
    sum += report.loss;
    if ((report.step + 1) % per_epoch != 0 || !options.epoch_done) return true;
    LinearEpoch reached{(report.step + 1) / per_epoch,
                        std::exchange(sum, 0) / static_cast<double>(per_epoch * std::ssize(protocol.rates)),
                        std::vector<TopCount>(protocol.rates.size())};
    for (const Batch& part : tests.epoch(0))
      task.sweep.count(detail::frozen_inputs(encoder, protocol, to_backend<B>(part.views[0])), part.labels.data(),
                       reached.test);
    check(reached.test[0].images > 0, "linear classification: none of the images of ", test.name(), " can be read");
    options.epoch_done(reached);
    return true;
  });
  return task.sweep;
}

}}  // namespace vitral
