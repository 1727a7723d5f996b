// The methods with a toy encoder: who shares what, what the loss is made of, what moves and what does not.
#include "../random_tensor.hpp"

#include <vitral/optim/optimizers.hpp>
#include <vitral/ssl/method.hpp>

#include <doctest/doctest.h>

#include <set>

using namespace vitral_tests;

namespace {

/// Layers, two unless told otherwise, and a shift that is not trained, on images of 2 x 2 pixels.
struct Toy {
  using scalar = double;
  using activation = double;
  using backend = Cpu;
  std::vector<Linear<dyn, dyn, double>> blocks;
  Parameter<double, Shape<dyn>> shift{normal(Dyn<1>{6}, 50), false};

  explicit Toy(int depth = 2) {
    Initializer init(Seed{1});
    for (int i = 0; i < depth; ++i) blocks.emplace_back(i == 0 ? 12 : 6, 6, init);
  }
  template <class Mode>
  auto layers(const Operand auto& images, const Mode&) const {
    std::vector out{eval(tanh(blocks[0](reshape(images, Dyn<2>{images.extent(0), 12}))) + shift)};
    for (std::size_t i = 1; i < blocks.size(); ++i) out.push_back(eval(tanh(blocks[i](out.back()))));
    return out;
  }
  template <class Mode>
  auto operator()(const Operand auto& images, const Mode& mode) const {
    return layers(images, mode).back();
  }
  int depth() const { return static_cast<int>(blocks.size()); }
  int width() const { return 6; }
  VITRAL_MEMBERS(blocks, shift)
};

const auto view1 = normal(Dyn<4>{5, 3, 2, 2}, 1), view2 = normal(Dyn<4>{5, 3, 2, 2}, 2);
const MethodOptions options{.hidden = 8, .out = 4};
const Training mode;

template <class M>
double loss_of(const M& method) {
  Tape tape;
  return method.loss(tape, view1, view2, mode).item();
}

using Values = std::vector<std::vector<double>>;
template <class M>
Values parameters_of(const M& module) {
  Values out;
  for_each_parameter(module, [&](const std::string&, const auto& p) { out.push_back(p.value.to_vector()); });
  return out;
}
/// Running statistics: what is no parameter.
template <class M>
Values states_of(const M& module) {
  Values out;
  for_each_tensor(module, [&](const std::string&, const auto& member) {
    if constexpr (is_state<std::remove_cvref_t<decltype(member)>>) out.push_back(member.value.to_vector());
  });
  return out;
}

/// A step that changes no parameter but the averages.
template <class M>
void move_averages(const M& method) {
  Tape tape;
  tape.backward(method.loss(tape, view1, view2, mode));
  make_optimizer(Sgd{.lr = 0}, method).step(tape, method);
}

/// Moves every parameter, each by other amounts.
template <class M>
void disturb(const M& module) {
  std::uint64_t stream = 200;
  for_each_parameter(
      module, [&](const std::string&, const auto& p) { assign(p.value, p.value + 0.1 * normal(p.shape(), ++stream)); });
}

bool is_zero(const auto& tensor) {
  for (const double v : tensor.to_vector())
    if (v != 0) return false;
  return true;
}

using Block = Tensor<double, Dyn<2>>;
/// Projections and predictions of a view by a branch, without a tape.
std::vector<Block> projections(const Branch<Toy>& branch, const auto& view) {
  return branch.project(branch.features(view, mode), mode);
}
std::vector<Block> predictions(const Branch<Toy>& branch, const auto& view) {
  std::vector<Block> out;
  for (const Block& z : projections(branch, view)) out.push_back(branch.predictor[out.size()](z, mode));
  return out;
}

/// The loss of a method with a teacher, put together from criterion, projections and predictions of the layers with
/// heads, which all learn from the teacher's final one.
double assembled(const auto& method, double ratio, bool detached_term = true) {
  const auto t1 = projections(method.teacher, view1)[0], t2 = projections(method.teacher, view2)[0];
  auto q1 = predictions(method.student, view1), q2 = predictions(method.student, view2);
  const auto c = [&](const std::vector<Block>& of_view2, const std::vector<Block>& of_view1) {
    return method.criterion(of_view2, t1).item() + method.criterion(of_view1, t2).item();
  };
  double out = c({q2.back()}, {q1.back()});
  if (detached_term) out += static_cast<double>(q1.size()) * c(q2, q1);
  q1.pop_back(), q2.pop_back();
  return q1.empty() ? out : out + ratio * c(q2, q1);
}

/// The gradient of each parameter below `module`, all zero where none reached it.
Values gradients_of(const Tape& tape, const auto& module) {
  Values out;
  for_each_parameter(module, [&](const std::string&, const auto& p) {
    out.push_back(tape.has_grad(p.value.data()) ? tape.grad(p).to_vector()
                                                : std::vector<double>(static_cast<std::size_t>(p.value.size())));
  });
  return out;
}
Values sum_of(const Values& a, const Values& b) {
  Values out = a;
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t k = 0; k < a[i].size(); ++k) out[i][k] += b[i][k];
  return out;
}
bool close(const Values& a, const Values& b) {
  double worst = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) worst = std::max(worst, distance(a[i], b[i]));
  return worst < 1e-12;
}

}  // namespace

TEST_CASE("a method trains the caller's encoder, not a copy") {
  const Toy encoder;
  const MoCoV3 method(encoder, options);
  const SimCLR simclr(encoder, options);
  CHECK(method.encoder().blocks[0].weight.value.data() == encoder.blocks[0].weight.value.data());
  CHECK(simclr.encoder().blocks[0].weight.value.data() == encoder.blocks[0].weight.value.data());
  CHECK(self_distilled(method).encoder().blocks[1].bias.value.data() == encoder.blocks[1].bias.value.data());
}

TEST_CASE("the teacher starts as a copy of the student in memory of its own") {
  const auto method = self_distilled(MoCoV3(Toy(), options));
  CHECK(parameters_of(method.teacher.encoder) == parameters_of(method.student.encoder));
  CHECK(method.teacher.projector.size() == 1);
  CHECK(method.teacher.predictor.empty());
  CHECK(parameters_of(method.teacher.projector[0]) == parameters_of(method.student.projector[1]));
  std::set<const void*> students;
  for_each_tensor(method.student,
                  [&](const std::string&, const auto& member) { students.insert(member.value.data()); });
  for_each_tensor(method.teacher, [&](const std::string& name, const auto& member) {
    CAPTURE(name);
    CHECK(!students.contains(member.value.data()));
  });
}

TEST_CASE("the student's trainable parameters get gradients, the teacher's none") {
  const auto method = self_distilled(MoCoV3(Toy(), options));
  Tape tape;
  tape.backward(method.loss(tape, view1, view2, mode));
  for_each_parameter(method.student, [&](const std::string& name, const auto& p) {
    CAPTURE(name);
    CHECK(tape.has_grad(p.value.data()) == p.trainable);
    CHECK(p.trainable == (name != "encoder.shift"));
  });
  CHECK(count_parameters(method.teacher, true) == 0);
  for_each_parameter(method.teacher, [&](const std::string& name, const auto& p) {
    CAPTURE(name);
    CHECK(!tape.has_grad(p.value.data()));
  });
}

TEST_CASE("the teacher's encoder and projector move by one minus the momentum, and no running statistic") {
  auto method = self_distilled(MoCoV3(Toy(), options));
  disturb(method.student);
  static_cast<void>(loss_of(method));  // moves the running statistics apart
  const auto before = parameters_of(method.teacher), statistics = states_of(method.student);
  method.momentum = 0.75;
  move_averages(method);
  CHECK(states_of(method.student) != statistics);
  for (const auto& state : states_of(method.teacher))
    for (const auto& other : states_of(method.student)) CHECK(state != other);
  auto source = parameters_of(method.student.encoder);
  const auto head = parameters_of(method.student.projector.back());
  source.insert(source.end(), head.begin(), head.end());
  const auto after = parameters_of(method.teacher);
  REQUIRE(after.size() == source.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    std::vector<double> expected;
    for (std::size_t k = 0; k < after[i].size(); ++k) expected.push_back(0.75 * before[i][k] + 0.25 * source[i][k]);
    CHECK(distance(after[i], expected) < 1e-14);
    CHECK(after[i] != before[i]);
  }
  method.momentum = 1;
  move_averages(method);
  CHECK(parameters_of(method.teacher) == after);
}

TEST_CASE("without self-distillation there is one head and the loss is the criterion in both directions") {
  const MoCoV3 method(Toy(), options);
  disturb(method.student);
  CHECK(method.student.projector.size() == 1);
  CHECK(method.student.predictor.size() == 1);
  const auto t1 = projections(method.teacher, view1), t2 = projections(method.teacher, view2);
  const double expected = method.criterion(predictions(method.student, view2), t1[0]).item() +
                          method.criterion(predictions(method.student, view1), t2[0]).item();
  CHECK(loss_of(method) == doctest::Approx(expected).epsilon(1e-12));
}

TEST_CASE("the self-distilled loss is the sum of its three terms") {
  for (const double ratio : {0.0, 0.5, 2.0}) {
    CAPTURE(ratio);
    const auto moco = self_distilled(MoCoV3(Toy(), options), {ratio});
    disturb(moco.student);
    CHECK(loss_of(moco) == doctest::Approx(assembled(moco, ratio)).epsilon(1e-12));
    const auto byol = self_distilled(BYOL(Toy(), options), {ratio});
    disturb(byol.student);
    CHECK(loss_of(byol) == doctest::Approx(assembled(byol, ratio)).epsilon(1e-12));
  }
}

TEST_CASE("layers may learn from the teacher's same layer, whose projectors then follow the student's") {
  auto method = self_distilled(BYOL(Toy(), options), {.ratio = 0.5, .target = LowerTarget::same_layer});
  REQUIRE(method.teacher.projector.size() == 2);
  CHECK(parameters_of(method.teacher.projector) == parameters_of(method.student.projector));
  disturb(method.student);
  const auto t1 = projections(method.teacher, view1), t2 = projections(method.teacher, view2);
  const auto q1 = predictions(method.student, view1), q2 = predictions(method.student, view2);
  const auto c = [&](std::size_t i) {
    return method.criterion(std::vector{q2[i]}, t1[i]).item() + method.criterion(std::vector{q1[i]}, t2[i]).item();
  };
  CHECK(loss_of(method) == doctest::Approx(c(1) + 0.5 * c(0)).epsilon(1e-12));
  method.momentum = 0;
  move_averages(method);
  CHECK(parameters_of(method.teacher.projector) == parameters_of(method.student.projector));
}

TEST_CASE("up leaves the lowest layers without a loss of their own") {
  const auto method = self_distilled(MoCoV3(Toy(), options), {.ratio = 0.5, .up = 1});
  Tape tape;
  tape.backward(method.loss(tape, view1, view2, mode));
  CHECK(!tape.has_grad(method.student.projector[0].linears[0].weight.value.data()));
  for (const auto& predictor : method.student.predictor) CHECK(!is_zero(tape.grad(predictor.linears[0].weight)));
}

TEST_CASE("the layers that are named have heads and learn, the others have none") {
  const auto method = self_distilled(MoCoV3(Toy(4), options), {.ratio = 0.5, .layers = {1, 3}});
  disturb(method.student);
  REQUIRE(method.student.projector.size() == 3);
  REQUIRE(method.student.predictor.size() == 3);
  CHECK(loss_of(method) == doctest::Approx(assembled(method, 0.5)).epsilon(1e-12));
  const auto all = method.encoder().layers(view1, mode);
  const auto with_heads = method.student.features(view1, mode);
  REQUIRE(with_heads.size() == 3);
  for (const auto& [i, layer] : {std::pair{0u, 0u}, {1u, 2u}, {2u, 3u}})
    CHECK(with_heads[i].to_vector() == all[layer].to_vector());
  Tape tape;
  tape.backward(method.loss(tape, view1, view2, mode));
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(!is_zero(tape.grad(method.student.projector[i].linears[0].weight)));
    CHECK(!is_zero(tape.grad(method.student.predictor[i].linears[0].weight)));
  }
  const auto same = self_distilled(BYOL(Toy(4), options), {.target = LowerTarget::same_layer, .layers = {2}});
  CHECK(same.teacher.projector.size() == 2);
  CHECK(self_distilled(SimCLR(Toy(4), options), {.layers = {2}}).student.projector.size() == 2);
}

/// All heads of the lower layers get the weights of one, so that the two methods compute the same numbers.
template <class Method>
void check_shared_heads(const Method& plain) {
  const bool predicts = !plain.student.predictor.empty();
  const SelfDistillation own{.ratio = 0.5},
      shares{.ratio = 0.5, .heads = {.shared_projector = true, .shared_predictor = predicts}};
  const auto each = self_distilled(plain, own), shared = self_distilled(plain, shares);
  REQUIRE(shared.student.projector.size() == 2);
  REQUIRE(shared.student.predictor.size() == (predicts ? 2 : 0));
  const auto copy = [](const auto& from, const auto& to) {
    for_each_pair(from, to, [](const std::string&, const auto& p, const auto& q) { assign(q.value, p.value); });
  };
  const auto copy_heads = [&](const auto& from, const auto& to) {
    for (std::size_t i = 0; i < to.size(); ++i) copy(from[i + 1 == to.size() ? 1 : 0], to[i]);
  };
  copy_heads(shared.student.projector, each.student.projector);
  copy_heads(shared.student.predictor, each.student.predictor);
  if constexpr (requires { each.teacher; }) copy(shared.teacher, each.teacher);

  Tape of_each, of_shared;
  const auto loss = each.loss(of_each, view1, view2, mode), loss_shared = shared.loss(of_shared, view1, view2, mode);
  CHECK(loss_shared.item() == doctest::Approx(loss.item()).epsilon(1e-12));
  of_each.backward(loss);
  of_shared.backward(loss_shared);
  const auto check_heads = [&](const auto& one, const auto& many) {
    CHECK(close(gradients_of(of_shared, one[1]), gradients_of(of_each, many[3])));
    const Values two = sum_of(gradients_of(of_each, many[0]), gradients_of(of_each, many[1]));
    CHECK(close(gradients_of(of_shared, one[0]), sum_of(two, gradients_of(of_each, many[2]))));
    CHECK(!close(gradients_of(of_shared, one[0]), two));
  };
  check_heads(shared.student.projector, each.student.projector);
  if (predicts) check_heads(shared.student.predictor, each.student.predictor);
}

TEST_CASE("a projector and a predictor that all lower layers share get the sum of the layers' gradients") {
  check_shared_heads(MoCoV3(Toy(4), options));
  check_shared_heads(SimCLR(Toy(4), options));
  const auto projector = self_distilled(BYOL(Toy(4), options), {.heads = {.shared_projector = true}});
  CHECK(projector.student.projector.size() == 2);
  CHECK(projector.student.predictor.size() == 4);
  const auto predictor = self_distilled(BYOL(Toy(4), options), {.heads = {.shared_predictor = true}});
  CHECK(predictor.student.projector.size() == 4);
  CHECK(predictor.student.predictor.size() == 2);
}

TEST_CASE("the running statistics of a shared projector follow one layer after the other") {
  const auto method = self_distilled(SimCLR(Toy(4), options), {.heads = {.shared_projector = true}});
  const auto in_turn = clone_module(method.student.projector[0]);
  const auto layers = method.encoder().layers(concat<0>(view1, view2), mode);
  for (std::size_t i = 0; i < 3; ++i) static_cast<void>(in_turn(layers[i], mode));
  static_cast<void>(loss_of(method));
  CHECK(close(states_of(method.student.projector[0]), states_of(in_turn)));
}

TEST_CASE("the lower layers' projectors have the width and depth that they are given") {
  const auto sizes = [](const auto& head) {
    std::vector<int> out;
    for (const auto& linear : head.linears) out.push_back(linear.weight.value.extent(0));
    return out;
  };
  const auto method = self_distilled(MoCoV3(Toy(3), options), {.heads = {.hidden = 5, .depth = 2}});
  CHECK(sizes(method.student.projector[0]) == std::vector<int>{5, 4});
  CHECK(sizes(method.student.projector[2]) == std::vector<int>{8, 8, 4});
  CHECK(sizes(method.student.predictor[0]) == std::vector<int>{8, 4});
  CHECK(sizes(self_distilled(SimCLR(Toy(3), options), {.heads = {.depth = 1}}).student.projector[1]) ==
        std::vector<int>{4});
  CHECK(std::isfinite(loss_of(method)));
}

TEST_CASE("without the detached term a predictor learns with its layer alone") {
  for (const double ratio : {0.0, 0.5}) {
    CAPTURE(ratio);
    const auto method = self_distilled(MoCoV3(Toy(3), options), {.ratio = ratio, .detached_term = false});
    disturb(method.student);
    Tape tape;
    const auto loss = method.loss(tape, view1, view2, mode);
    CHECK(loss.item() == doctest::Approx(assembled(method, ratio, false)).epsilon(1e-12));
    tape.backward(loss);
    CHECK(is_zero(tape.grad(method.student.predictor[0].linears[0].weight)) == (ratio == 0));
    CHECK(!is_zero(tape.grad(method.student.predictor[2].linears[0].weight)));
  }
}

TEST_CASE("layers may learn from the student's own final layer, which learns nothing from them") {
  const auto final_gradient = [](double ratio) {
    const auto method = self_distilled(BYOL(Toy(3), options), {.ratio = ratio, .target = LowerTarget::student_final});
    REQUIRE(method.teacher.projector.size() == 1);
    disturb(method.student);
    const auto t1 = projections(method.teacher, view1), t2 = projections(method.teacher, view2);
    const auto z1 = projections(method.student, view1), z2 = projections(method.student, view2);
    const auto q1 = predictions(method.student, view1), q2 = predictions(method.student, view2);
    const auto c = [&](std::size_t i, const Block& of_view1, const Block& of_view2) {
      return method.criterion(std::vector{q2[i]}, of_view1).item() +
             method.criterion(std::vector{q1[i]}, of_view2).item();
    };
    const double lower = c(0, z1[2], z2[2]) + c(1, z1[2], z2[2]);
    Tape tape;
    const auto loss = method.loss(tape, view1, view2, mode);
    CHECK(loss.item() == doctest::Approx(2 * c(2, t1[0], t2[0]) + (ratio / 2 + 1) * lower).epsilon(1e-12));
    tape.backward(loss);
    CHECK(is_zero(tape.grad(method.student.projector[0].linears[0].weight)) == (ratio == 0));
    return gradients_of(tape, method.student.projector[2]);
  };
  CHECK(final_gradient(0) == final_gradient(3));
}

/// Three local views, and the student by another form of its encoder: all parameters are shared but one that is not
/// trained, as a ViT's positions are for smaller images.
const std::vector local{normal(Dyn<4>{5, 3, 2, 2}, 3), normal(Dyn<4>{5, 3, 2, 2}, 4), normal(Dyn<4>{5, 3, 2, 2}, 5)};
Branch<Toy> local_student(auto& method) {
  method.local_encoder = method.student.encoder;
  method.local_encoder->shift.value = normal(Dyn<1>{6}, 51);
  Branch<Toy> out = method.student;
  out.encoder = *method.local_encoder;
  return out;
}
template <class M>
double loss_with_local(const M& method) {
  Tape tape;
  return method.loss(tape, view1, view2, mode, local).item();
}

/// What `assembled` says, with local views: the mean over all pairs of a query and a target, times those of two views.
double assembled_with_local(const auto& method, const Branch<Toy>& small, double ratio, bool detached_term) {
  const auto t1 = projections(method.teacher, view1)[0], t2 = projections(method.teacher, view2)[0];
  double sum = assembled(method, ratio, detached_term);
  for (const auto& view : local) {
    auto q = predictions(small, view);
    const auto c = [&](const std::vector<Block>& of_layers) {
      return method.criterion(of_layers, t1).item() + method.criterion(of_layers, t2).item();
    };
    sum += c({q.back()}) + (detached_term ? static_cast<double>(q.size()) * c(q) : 0);
    q.pop_back();
    if (!q.empty()) sum += ratio * c(q);
  }
  return sum / 4;
}

/// The largest difference between the gradient of the loss with local views and finite differences of `loss`, over some
/// elements of each parameter that is trained.
template <class M, class F>
double gradient_error(const M& method, F&& loss) {
  Tape tape;
  tape.backward(method.loss(tape, view1, view2, mode, local));
  double worst = 0;
  for_each_parameter(method.student, [&](const std::string&, const auto& p) {
    if (!p.trainable) return;
    const auto gradient = tape.grad(p).to_vector();
    for (const std::size_t i : {std::size_t{0}, gradient.size() - 1}) {
      double& element = p.value.data()[i];
      const double before = element, h = 1e-5;
      element = before + h;
      const double above = loss();
      element = before - h;
      const double below = loss();
      element = before;
      worst = std::max(worst, std::abs(gradient[i] - (above - below) / (2 * h)));
    }
  });
  return worst;
}

TEST_CASE("local views are queries: each learns from the targets of both global views, and makes none") {
  MoCoV3 plain(Toy(), options);
  auto moco = self_distilled(plain, {0.5});
  auto byol = self_distilled(BYOL(Toy(3), options), {.ratio = 0.5, .detached_term = false});
  const auto small_plain = local_student(plain), small_moco = local_student(moco), small_byol = local_student(byol);
  disturb(plain.student), disturb(moco.student), disturb(byol.student);
  const auto of_plain = [&] { return assembled_with_local(plain, small_plain, 0, false); };
  CHECK(loss_with_local(plain) == doctest::Approx(of_plain()).epsilon(1e-12));
  CHECK(loss_with_local(moco) == doctest::Approx(assembled_with_local(moco, small_moco, 0.5, true)).epsilon(1e-12));
  CHECK(loss_with_local(byol) == doctest::Approx(assembled_with_local(byol, small_byol, 0.5, false)).epsilon(1e-12));
  CHECK(gradient_error(plain, of_plain) < 1e-7);
  CHECK(gradient_error(byol, [&] { return assembled_with_local(byol, small_byol, 0.5, false); }) < 1e-7);
}

TEST_CASE("SimCLR's local views are told by the global ones, through which no gradient of theirs flows") {
  auto method = self_distilled(SimCLR(Toy(), options), {0.5});
  const auto small = local_student(method);
  disturb(method.student);
  const Block anchors = projections(method.student, concat<0>(view1, view2))[1];
  const auto assemble = [&] {
    const auto z = projections(method.student, concat<0>(view1, view2));
    const auto q = projections(small, concat<0>(local[0], local[1], local[2]));
    double sum =
        method.criterion(std::vector{z[1]}, z[1]).item() + 0.5 * method.criterion(std::vector{z[0]}, anchors).item();
    for (const double weight : {0.5, 1.0})
      for (int view = 0; view < 3; ++view) {
        const auto rows = slice<0>(q[weight == 1 ? 1 : 0], 5 * view, 5);
        sum += weight * method.criterion(std::vector{concat<0>(rows, rows)}, anchors).item();
      }
    return sum / 4;
  };
  CHECK(loss_with_local(method) == doctest::Approx(assemble()).epsilon(1e-12));
  CHECK(gradient_error(method, assemble) < 1e-7);
}

TEST_CASE("a batch's views after the first two are local; without any the loss is that of two views") {
  struct {
    std::vector<Tensor<double, Dyn<4>>> views{view1, view2};
  } batch;
  MoCoV3 method(Toy(), options);
  const auto loss = [&] {
    Tape tape;
    return method.loss(tape, batch, mode).item();
  };
  const double two = loss_of(method);
  static_cast<void>(local_student(method));
  CHECK(loss() == two);
  CHECK(self_distilled(method).local_encoder.has_value());
  batch.views.insert(batch.views.end(), local.begin(), local.end());
  CHECK(loss() == loss_with_local(method));
  batch.views.back() = normal(Dyn<4>{5, 3, 1, 1}, 6);
  CHECK_THROWS_WITH_AS(loss(), doctest::Contains("local views of shapes [5, 3, 2, 2] and [5, 3, 1, 1]"), Error);
  method.local_encoder.reset();
  CHECK_THROWS_WITH_AS(loss(), doctest::Contains("5 views of each image; the method compares two"), Error);
}

TEST_CASE("self-distillation that a method or a network cannot do is refused") {
  const auto refused = [](const auto& method, const SelfDistillation& distillation, const char* message) {
    CHECK_THROWS_WITH_AS(static_cast<void>(self_distilled(method, distillation)), doctest::Contains(message), Error);
  };
  refused(MoCoV3(Toy(), options), {.ratio = -1}, "the ratio must be 0 or more, not -1");
  refused(MoCoV3(Toy(), options), {.up = 2}, "up is 2, expected 0 to 1 for a network of 2 layers");
  refused(SimCLR(Toy(), options), {.up = -1}, "up is -1, expected 0 to 1");
  refused(SimCLR(Toy(), options), {.target = LowerTarget::same_layer}, "same_layer asks for a teacher");
  refused(SimCLR(Toy(), options), {.heads = {.shared_predictor = true}}, "shared_predictor asks for predictors");
  refused(SimCLR(Toy(), options), {.detached_term = false}, "detached_term is a term of predictors");
  refused(MoCoV3(Toy(4), options), {.layers = {1, 4}}, "layers names 4, expected 1 to 3, those below the final one");
  refused(MoCoV3(Toy(4), options), {.layers = {0}}, "layers names 0, expected 1 to 3");
  refused(MoCoV3(Toy(4), options), {.layers = {2, 2}}, "layers names 2 after 2");
  refused(MoCoV3(Toy(4), options), {.up = 1, .layers = {2}}, "layers and up both say which layers learn");
  refused(MoCoV3(Toy(4), options), {.heads = {.depth = 0}}, "0 linear layers of 0 units");
}

TEST_CASE("with a ratio of zero every predictor still learns, the lower layers' projectors do not") {
  const auto method = self_distilled(MoCoV3(Toy(), options), {0});
  Tape tape;
  tape.backward(method.loss(tape, view1, view2, mode));
  for (const auto& predictor : method.student.predictor) CHECK(!is_zero(tape.grad(predictor.linears[0].weight)));
  CHECK(is_zero(tape.grad(method.student.projector[0].linears[0].weight)));
  CHECK(!is_zero(tape.grad(method.student.projector[1].linears[0].weight)));
}

TEST_CASE("lower layers' projectors have half the hidden units; BYOL's heads end without a norm") {
  const auto moco = self_distilled(MoCoV3(Toy(), options));
  REQUIRE(moco.student.projector.size() == 2);
  const auto hidden_units = [](const auto& head) { return head.linears[0].weight.shape()[0]; };
  CHECK(hidden_units(moco.student.projector[0]) == 4);
  CHECK(hidden_units(moco.student.projector[1]) == 8);
  CHECK(hidden_units(moco.student.predictor[0]) == 8);
  CHECK(moco.student.predictor[1].last_norm.size() == 1);
  const BYOL byol(Toy(), options);
  CHECK(byol.student.projector[0].last_norm.empty());
  CHECK(byol.student.predictor[0].last_norm.empty());
  CHECK(byol.teacher.projector[0].last_norm.empty());
}

TEST_CASE("SimCLR has neither teacher nor predictors, and its loss is that of the two stacked views") {
  auto method = self_distilled(SimCLR(Toy(), options), {0.5});
  for_each_tensor(method, [](const std::string& name, const auto&) {
    CAPTURE(name);
    CHECK((name.starts_with("student.encoder.") || name.starts_with("student.projector.")));
  });
  const auto z = projections(method.student, concat<0>(view1, view2));
  const double expected =
      method.criterion(std::vector{z[1]}, z[1]).item() + 0.5 * method.criterion(std::vector{z[0]}, z[1]).item();
  CHECK(loss_of(method) == doctest::Approx(expected).epsilon(1e-12));
  const auto before = parameters_of(method);
  move_averages(method);
  CHECK(parameters_of(method) == before);
}

TEST_CASE("SimCLR's lower layers learn from the final one, which learns nothing from them") {
  const auto gradient = [](double ratio) {
    const auto method = self_distilled(SimCLR(Toy(), options), {ratio});
    Tape tape;
    tape.backward(method.loss(tape, view1, view2, mode));
    CHECK(is_zero(tape.grad(method.student.projector[0].linears[0].weight)) == (ratio == 0));
    return tape.grad(method.student.projector[1].linears[0].weight).to_vector();
  };
  CHECK(gradient(0) == gradient(3));
}

TEST_CASE("a loss moves the running statistics of both branches") {
  const auto method = self_distilled(MoCoV3(Toy(), options));
  const auto student = states_of(method.student), teacher = states_of(method.teacher);
  static_cast<void>(loss_of(method));
  const auto moved = [](const Values& before, const Values& after) {
    REQUIRE((before.size() == after.size() && !before.empty()));
    for (std::size_t i = 0; i < before.size(); ++i) CHECK(before[i] != after[i]);
  };
  moved(student, states_of(method.student));
  moved(teacher, states_of(method.teacher));
}

TEST_CASE("a schedule moves momentum and ratio along cosines, and a constant ratio not at all") {
  auto method = self_distilled(MoCoV3(Toy(), {.hidden = 8, .out = 4, .momentum = 0.8}), {.ratio = 0.5, .rises = true});
  CHECK(method.momentum == 0.8);
  CHECK(method.ratio == 0.5);
  method.schedule(0);
  CHECK(method.ratio == 0);
  method.schedule(0.5);
  CHECK(method.momentum == doctest::Approx(0.9));
  CHECK(method.ratio == doctest::Approx(0.25));
  auto constant = self_distilled(SimCLR(Toy(), options), {.ratio = 0.5});
  constant.schedule(0.25);
  CHECK(constant.ratio == 0.5);
}

TEST_CASE("a negative ratio is an error") {
  CHECK_THROWS_WITH_AS(static_cast<void>(self_distilled(SimCLR(Toy(), options), {-1})),
                       doctest::Contains("the ratio must be 0 or more, not -1"), Error);
}
