// SimCLR, BYOL and MoCo v3 as tasks for a trainer, and self-distillation of each (SDSSL, arXiv 2111.12958): besides the
// usual loss every layer learns from the final one by the same criterion, through heads of its own.
#pragma once

#include <vitral/ssl/branch.hpp>
#include <vitral/ssl/criteria.hpp>
#include <vitral/ssl/local_views.hpp>
#include <vitral/ssl/self_distillation.hpp>
#include <vitral/ssl/sum_over_layers.hpp>

#include <optional>
#include <span>
#include <type_traits>

namespace vitral { inline namespace VITRAL_ABI {

/// Options common to all methods. `temperature` is unused by BYOL, `momentum` by SimCLR.
struct MethodOptions {
  int hidden = 4096;
  int out = 256;
  double temperature = 0.2;
  Seed seed{0};
  double momentum = 0.996;  ///< of the teacher at the start; it rises to 1 along a cosine
};

namespace detail {

/// The heads' sizes.
inline HeadOptions head_options(const MethodOptions& o, const std::optional<SelfDistillation>& distillation) {
  return {o.hidden, o.out, distillation ? distillation->heads : LowerHeads{}};
}

/// Rows of two views of `batch` images, the second view first.
auto views_exchanged(const auto& rows, int batch) {
  return concat<0>(slice<0>(rows, batch, batch), slice<0>(rows, 0, batch));
}

/// What an encoder is given for two tensors of images, one after the other: their patches, where it takes them.
template <class Encoder, class X>
auto input_of(const Encoder& encoder, const X& first, const X& second) {
  if constexpr (requires { encoder.patches(first, second); })
    return encoder.patches(first, second);
  else
    return concat<0>(first, second);
}

}  // namespace detail

/// A method without a teacher: both views go through the student as one batch.
template <class Encoder, class Criterion>
struct TeacherlessMethod {
  using scalar = scalar_of_module<Encoder>;
  using activation = typename Encoder::activation;
  using backend = backend_of_module<Encoder>;

  Branch<Encoder> student;
  Criterion criterion;
  MethodOptions options;
  std::optional<SelfDistillation> distillation;
  double ratio = distillation ? distillation->ratio : 0;  ///< the weight of the lower layers' loss now
  std::optional<Encoder> local_encoder = {};  ///< the student's encoder for local views, whose parameters it shares

  /// The loss of two views [batch, 3, image, image] of the same images, on the tape. Local views, [batch, 3, side,
  /// side] as local_encoder takes them, are queries alone (local_views.hpp): each is told by the two views, through
  /// which no gradient flows then, from those of the other images. BatchNorm sees the local views as one batch, as it
  /// does the two.
  template <class T, class S>
  [[nodiscard]] auto loss(Tape& tape, const Tensor<T, S, backend>& view1, const Tensor<T, S, backend>& view2,
                          const Training& mode,
                          std::type_identity_t<std::span<const Tensor<T, S, backend>>> local = {}) const {
    const auto input = tape.constant(detail::input_of(student.encoder, view1, view2));
    const auto z = student.project(student.features(input, mode), mode);
    auto total = eval(criterion.against(z.back())(z.back()));
    if (student.lower.empty() && local.empty()) return total;
    const auto loss_of = criterion.against(detach(z.back()));
    const auto add_lower = [&](auto& sum, const auto& projected, const auto& loss_of_rows) {
      const auto lower = sum_over_layers(projected.size() - 1, [&](std::size_t i) {
        return loss_of_rows(projected[detail::raised(i, projected.size(), distillation)]);
      });
      sum = eval(sum + lower * (ratio / static_cast<double>(projected.size() - 1)));
    };
    if (!student.lower.empty()) add_lower(total, z, loss_of);
    if (local.empty()) return total;
    const auto of_local = detail::loss_of_local(loss_of, local.size());
    const auto queries = student.project(
        student.features(*local_encoder, tape.constant(detail::input_of_local(*local_encoder, local)), mode), mode);
    auto sum = of_local(queries.back());
    if (!student.lower.empty()) add_lower(sum, queries, of_local);
    return detail::mean_with_local(total, sum, local.size());
  }

  /// The same for a batch of a loader, whose views after the first two are local.
  [[nodiscard]] auto loss(Tape& tape, const auto& batch, const Training& mode) const {
    const auto local = detail::local_views_of(batch.views, local_encoder.has_value());
    return loss(tape, batch.views[0], batch.views[1], mode, local);
  }

  /// What changes while a run goes on: `progress` is the share of its steps that is done.
  void schedule(double progress) {
    if (distillation) ratio = distillation->at(progress);
  }
  /// Calls f(name, number) for what a report names beside the loss.
  void for_each_number(auto&& f) const { f("ratio", ratio); }
  [[nodiscard]] const Encoder& encoder() const { return student.encoder; }

  VITRAL_MEMBERS(student)
};

/// A method in which the student predicts what a slowly moving teacher makes of the other view.
template <class Encoder, class Criterion>
struct TeacherMethod {
  using scalar = scalar_of_module<Encoder>;
  using activation = typename Encoder::activation;
  using backend = backend_of_module<Encoder>;

  Branch<Encoder> student, teacher;
  Criterion criterion;
  MethodOptions options;
  std::optional<SelfDistillation> distillation;
  double ratio = distillation ? distillation->ratio : 0;  ///< the weight of the lower layers' loss now
  double momentum = options.momentum;                     ///< of the teacher now
  std::optional<Encoder> local_encoder = {};  ///< the student's encoder for local views, whose parameters it shares

  /// The loss of two views [batch, 3, image, image] of the same images, on the tape. With L layers that have heads,
  /// projections z, their predictions q and the teacher's final projection t of the other view:
  ///   C([q_L], t) + ratio * C([q_1 .. q_(L-1)], t) + L * C(predict(stop_gradient(z)), t), for both directions;
  /// the last two terms with self-distillation only, the last one training the predictors alone. Since C is a mean over
  /// layers this is sum (a_i + 1) C([q_i], t) with a_L = 1 and a_i = ratio / (L - 1), of which only the part a_i flows
  /// on into z: the predictors run once instead of twice. Without the last term it is sum a_i C([q_i], t). A lower
  /// layer may have another target in t's place (LowerTarget). Local views, [batch, 3, side, side] as local_encoder
  /// takes them, have the same terms with the targets of both views, and make none (local_views.hpp).
  template <class T, class S>
  [[nodiscard]] auto loss(Tape& tape, const Tensor<T, S, backend>& view1, const Tensor<T, S, backend>& view2,
                          const Training& mode,
                          std::type_identity_t<std::span<const Tensor<T, S, backend>>> local = {}) const {
    // The encoders treat images one by one, the heads' BatchNorm view by view, in the order of the published code: the
    // teacher's view 1 first, the student's view 2.
    const int batch = view1.extent(0);
    const auto input = detail::input_of(student.encoder, view2, view1);
    auto tokens = teacher.features(input, Evaluation{});  // nothing is dropped from a target
    for (auto& x : tokens) x = detail::views_exchanged(x, batch);
    const auto targets = teacher.project(tokens, mode.of_views(2));
    const auto features = student.features(tape.constant(input), mode);
    const std::size_t layers = features.size();
    // A layer's head and loss run in a lane of their own, unless layers share what is in them.
    const LowerTarget target = distillation ? distillation->target : LowerTarget::final_layer;
    const bool shares_projector = student.projector.size() < layers,
               shares_predictor = student.predictor.size() < layers;
    const bool projects_first = shares_projector || shares_predictor || target == LowerTarget::student_final ||
                                (distillation && distillation->up > 0);
    using Features = std::remove_const_t<decltype(features)>;
    const auto projection = [&](const Features& of, std::size_t i, int views) {
      return student.projector_of(i)(of[i], mode.of_views(views));
    };
    using Projections = std::vector<decltype(projection(features, 0, 2))>;
    const auto project = [&](const Features& of, int views) {
      return projects_first ? student.project(of, mode.of_views(views)) : Projections{};
    };
    const Projections projected = project(features, 2);

    std::vector<decltype(criterion.against(targets[0], 2))> loss_of;  // the lower layers', one or one each; the final's
    if (target == LowerTarget::student_final)
      loss_of.push_back(criterion.against(detail::views_exchanged(value_of(projected.back()), batch), 2));
    for (std::size_t i = 0; i < targets.size(); ++i)
      loss_of.push_back(criterion.against(targets[detail::raised(i, targets.size(), distillation)], 2));

    const bool detached_term = distillation && distillation->detached_term && target != LowerTarget::same_layer;
    const auto weight = [&](std::size_t i) { return i + 1 == layers ? 1.0 : ratio / static_cast<double>(layers - 1); };
    // What all layers lose with so many views; loss_with(loss, q): what a layer's predictions lose by its targets.
    const auto sum_of = [&](const Features& of, const Projections& first, int views, const auto& loss_with) {
      const auto prediction = [&](std::size_t i) {
        const auto z = projects_first ? first[detail::raised(i, layers, distillation)] : projection(of, i, views);
        const double a = weight(i);
        const auto& predictor = student.predictor_of(i);
        if (!detached_term) return predictor(z, mode.of_views(views));
        return predictor(scale_gradient(z, a / (a + 1)), mode.of_views(views, 2));
      };
      std::vector<decltype(prediction(0))> predicted;
      for (std::size_t i = 0; i < layers && shares_predictor; ++i) predicted.push_back(prediction(i));
      return sum_over_layers(layers, [&](std::size_t i) {
        const auto q = shares_predictor ? predicted[i] : prediction(i);
        return eval(loss_with(loss_of[detail::place_of_layer(i, layers, loss_of.size())], q) *
                    (2 * (weight(i) + (detached_term ? 1 : 0))));
      });
    };
    const auto total = sum_of(features, projected, 2, [](const auto& loss, const auto& q) { return loss(q); });
    if (local.empty()) return total;
    const auto small =
        student.features(*local_encoder, tape.constant(detail::input_of_local(*local_encoder, local)), mode);
    const int views = static_cast<int>(local.size());
    const auto sum = sum_of(small, project(small, views), views, [&](const auto& loss, const auto& q) {
      return detail::loss_of_local(loss, local.size())(q);
    });
    return detail::mean_with_local(total, sum, local.size());
  }

  /// The same for a batch of a loader, whose views after the first two are local.
  [[nodiscard]] auto loss(Tape& tape, const auto& batch, const Training& mode) const {
    const auto local = detail::local_views_of(batch.views, local_encoder.has_value());
    return loss(tape, batch.views[0], batch.views[1], mode, local);
  }

  /// What changes while a run goes on: `progress` is the share of its steps that is done.
  void schedule(double progress) {
    if (distillation) ratio = distillation->at(progress);
    momentum = cosine_between(options.momentum, 1, progress);
  }
  /// The teacher's encoder and projectors follow the student's (Optimizer::step).
  void for_each_average(auto&& f) const {
    f(teacher.encoder, student.encoder, momentum);
    const std::size_t first =
        student.projector.size() - teacher.projector.size();  // the teacher may have the last alone
    for (std::size_t i = 0; i < teacher.projector.size(); ++i)
      f(teacher.projector[i], student.projector[first + i], momentum);
  }
  /// Calls f(name, number) for what a report names beside the loss.
  void for_each_number(auto&& f) const {
    f("momentum", momentum);
    f("ratio", ratio);
  }
  [[nodiscard]] const Encoder& encoder() const { return student.encoder; }

  VITRAL_MEMBERS(student, teacher)
};

namespace detail {

template <class Encoder, class Criterion>
TeacherlessMethod<Encoder, Criterion> make_teacherless(const Encoder& encoder, const MethodOptions& o,
                                                       Criterion criterion,
                                                       std::optional<SelfDistillation> distillation) {
  if (distillation) check_distillation(*distillation, encoder.depth(), false);
  Initializer init(Seed{o.seed.value + 0x5eed});
  return {Branch<Encoder>(encoder, head_options(o, distillation), LastNorm::yes, false,
                          lower_layers(distillation, encoder.depth()), init),
          criterion, o, distillation};
}

/// The teacher starts as a copy of the student's encoder and of the projectors that make targets.
template <class Encoder, class Criterion>
TeacherMethod<Encoder, Criterion> make_with_teacher(const Encoder& encoder, const MethodOptions& o, Criterion criterion,
                                                    LastNorm last, std::optional<SelfDistillation> distillation) {
  if (distillation) check_distillation(*distillation, encoder.depth(), true);
  Initializer init(Seed{o.seed.value + 0x5eed});
  const HeadOptions heads = head_options(o, distillation);
  const std::vector<int> lower = lower_layers(distillation, encoder.depth());
  Branch<Encoder> student(encoder, heads, last, true, lower, init);
  const bool same_layer = distillation && distillation->target == LowerTarget::same_layer;
  Branch<Encoder> teacher(clone_module(encoder), heads, last, false, same_layer ? lower : std::vector<int>{}, init);
  const std::size_t first = student.projector.size() - teacher.projector.size();
  for (std::size_t i = 0; i < teacher.projector.size(); ++i)
    teacher.projector[i] = clone_module(student.projector[first + i]);
  set_trainable(teacher, false);
  return {std::move(student), std::move(teacher), criterion, o, distillation};
}

}  // namespace detail

/// Each method is a task to hand to a trainer. The encoder's parameters are shared with the caller's encoder, which is
/// thus trained in place. With a local_encoder a method learns from multi-crop, too:
///
///   MoCoV3 method(encoder);
///   method.local_encoder = at_resolution(encoder, 16);
///   Loader loader(train, multi_crop(dino_multi_crop(32, 16, 6)), {.batch = 64});
template <class Encoder>
struct SimCLR : TeacherlessMethod<Encoder, NtXent> {
  explicit SimCLR(const Encoder& encoder, const MethodOptions& o = {},
                  std::optional<SelfDistillation> distillation = {})
      : TeacherlessMethod<Encoder, NtXent>(detail::make_teacherless(encoder, o, NtXent{o.temperature}, distillation)) {}
};
/// BYOL (Grill et al. 2020, arXiv 2006.07733).
template <class Encoder>
struct BYOL : TeacherMethod<Encoder, CosineDistance> {
  explicit BYOL(const Encoder& encoder, const MethodOptions& o = {}, std::optional<SelfDistillation> distillation = {})
      : TeacherMethod<Encoder, CosineDistance>(
            detail::make_with_teacher(encoder, o, CosineDistance{}, LastNorm::no, distillation)) {}
};
/// MoCo v3 (Chen, Xie and He 2021, arXiv 2104.02057).
template <class Encoder>
struct MoCoV3 : TeacherMethod<Encoder, InfoNce> {
  explicit MoCoV3(const Encoder& encoder, const MethodOptions& o = {},
                  std::optional<SelfDistillation> distillation = {})
      : TeacherMethod<Encoder, InfoNce>(
            detail::make_with_teacher(encoder, o, InfoNce{o.temperature}, LastNorm::yes, distillation)) {}
};

/// The same method with self-distillation: lower layers have heads, too, and learn from the final one.
///
///   const auto method = self_distilled(MoCoV3(encoder, {.hidden = 256, .out = 64}), {.ratio = 1.0});
///   const auto ablated = self_distilled(method, {.layers = {3, 6, 9}, .heads = {.shared_projector = true}});
template <template <class> class Method, class Encoder>
[[nodiscard]] Method<Encoder> self_distilled(const Method<Encoder>& method, const SelfDistillation& distillation = {}) {
  Method<Encoder> out(method.student.encoder, method.options, distillation);
  out.local_encoder = method.local_encoder;
  return out;
}

}}  // namespace vitral
