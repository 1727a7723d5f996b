// What walks a module: names, counts, copies, pairs, switches. Sequential, whose layers are named by number.
#include "../random_tensor.hpp"

#include <vitral/autodiff/reduce.hpp>
#include <vitral/nn/drop.hpp>
#include <vitral/nn/linear.hpp>
#include <vitral/nn/norm.hpp>
#include <vitral/nn/sequential.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

/// A module of everything that a module may have.
struct Net {
  Linear<dyn, dyn, double> first;
  std::vector<Linear<dyn, dyn, double, Cpu, Bias::no>> list;
  BatchNorm1d<dyn, double> norm;
  Parameter<double, Shape<2, 2>> scale;

  explicit Net(Seed seed = Seed{1}) : Net(Initializer(seed)) {}
  explicit Net(Initializer init) : first(3, 4, init), norm(4) {
    list.emplace_back(4, 2, init);
    list.emplace_back(4, 2, init);
    init.fill_normal(scale, 1);
  }
  VITRAL_MEMBERS(first, list, norm, scale)
};

/// One whose members are layers alone is made from their seeds.
struct Two {
  Linear<4, 6, double> first;
  Linear<6, 2, double> second;
  VITRAL_MEMBERS(first, second)
};
/// No parameter but through a list, behind a state and a layer without any.
struct Late {
  BatchNorm1d<2, double, Cpu, Affine::no> norm;
  Dropout dropout;
  std::vector<Two> list;
  VITRAL_MEMBERS(norm, dropout, list)
};
/// A visit of its own says its types itself.
struct Named {
  using scalar = float;
  using backend = Cpu;
  Linear<4, 6> inner;
  static void visit(auto& self, auto&& f) { f("outer", self.inner); }
};
static_assert(std::is_same_v<scalar_of_module<const Late&>, double> && std::is_same_v<backend_of_module<Late>, Cpu>);
static_assert(std::is_same_v<scalar_of_module<Named>, float>);
static_assert(std::is_same_v<scalar_of_module<Sequential<op::Relu, Two>>, double>);
static_assert(Module<Two> && !Module<op::Relu>);

using Names = std::vector<std::string>;
Names names_of(const auto& module) {
  Names names;
  for_each_tensor(module, [&](const std::string& name, const auto&) { names.push_back(name); });
  return names;
}

std::vector<std::vector<double>> values_of(const Net& net) {
  std::vector<std::vector<double>> out;
  for_each_tensor(net, [&](const std::string&, const auto& member) { out.push_back(member.value.to_vector()); });
  return out;
}

}  // namespace

TEST_CASE("tensors are visited in order under dotted paths, lists by number, absent members not at all") {
  Names names;
  const Net net;
  for_each_tensor(net, [&](const std::string& name, const auto&) { names.push_back(name); });
  CHECK(names == Names{"first.weight", "first.bias", "list.0.weight", "list.1.weight", "norm.weight", "norm.bias",
                       "norm.running_mean", "norm.running_var", "scale"});
}

TEST_CASE("parameters are visited without states, under a prefix if one is given") {
  Names names;
  const Net net;
  for_each_parameter(
      net, [&](const std::string& name, const auto&) { names.push_back(name); }, "net");
  CHECK(names == Names{"net.first.weight", "net.first.bias", "net.list.0.weight", "net.list.1.weight",
                       "net.norm.weight", "net.norm.bias", "net.scale"});
}

TEST_CASE("count_parameters counts elements, on request the trainable ones alone") {
  Net net;
  const long all = 12 + 4 + 8 + 8 + 4 + 4 + 4;
  CHECK(count_parameters(net) == all);
  net.list[1].weight.trainable = false;
  CHECK(count_parameters(net) == all);
  CHECK(count_parameters(net, true) == all - 8);
}

TEST_CASE("set_trainable switches every parameter") {
  Net net;
  set_trainable(net, false);
  CHECK(count_parameters(net, true) == 0);
  set_trainable(net.list[0], true);
  CHECK(count_parameters(net, true) == 8);
  set_trainable(net, true);
  CHECK(count_parameters(net, true) == count_parameters(net));
}

TEST_CASE("a copied module shares its tensors; a cloned one has its own, equal in value") {
  const Net net;
  const Net copy = net, other = clone_module(net);
  const auto before = values_of(net);
  CHECK(values_of(other) == before);
  for_each_tensor(net, [](const std::string&, const auto& member) {
    for (long i = 0; i < member.value.size(); ++i) member.value.data()[i] += 1;
  });
  CHECK(values_of(net) != before);
  CHECK(values_of(copy) == values_of(net));
  CHECK(values_of(other) == before);
}

TEST_CASE("a clone keeps what is frozen") {
  Net net;
  net.first.weight.trainable = false;
  CHECK(!clone_module(net).first.weight.trainable);
  CHECK(clone_module(net).first.bias.trainable);
}

TEST_CASE("a seed determines a module's start; parameters of one module differ") {
  CHECK(values_of(Net(Seed{1})) == values_of(Net(Seed{1})));
  CHECK(values_of(Net(Seed{1})) != values_of(Net(Seed{2})));
  const Net net;
  CHECK(net.list[0].weight.value.to_vector() != net.list[1].weight.value.to_vector());
}

TEST_CASE("numbers are drawn with the deviation or within the bound asked for") {
  Initializer init(Seed{1});
  const Parameter<double, Shape<100, 100>> p;
  init.fill_normal(p, 0.5);
  double sum = 0, squares = 0;
  for (const double v : p.value.to_vector()) sum += v, squares += v * v;
  CHECK(std::abs(sum / 1e4) < 0.02);
  CHECK(std::sqrt(squares / 1e4) == doctest::Approx(0.5).epsilon(0.03));
  init.fill_uniform(p, 0.5);
  const auto values = p.value.to_vector();
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  CHECK((*low >= -0.5 && *low < -0.499));
  CHECK((*high < 0.5 && *high > 0.499));
}

TEST_CASE("each draw of a training mode is a stream of its own, a new mode starts again") {
  const Training mode(Random{3, 10, 7});
  const Random first = mode.draw(), second = mode.draw();
  CHECK(first.stream == 10);
  CHECK(second.stream == 11);
  CHECK((first.seed == 3 && first.step == 7 && second.seed == 3 && second.step == 7));
  CHECK(Training(Random{3, 10, 7}).draw().stream == 10);
}

TEST_CASE("members are named as they are written, and a module of layers is made from their seeds") {
  CHECK(names_of(Two{}) == Names{"first.weight", "first.bias", "second.weight", "second.bias"});
  CHECK(names_of(Late{{}, {}, std::vector<Two>(1)})[2] == "list.0.first.weight");
  CHECK(names_of(Named{}) == Names{"outer.weight", "outer.bias"});
  const Two net{Seed{1}, Seed{2}};
  CHECK(net.second.weight.value.to_vector() == Linear<6, 2, double>(Seed{2}).weight.value.to_vector());
}

TEST_CASE("for_each_pair meets each parameter with the other module's of the same name") {
  Net net, other = clone_module(net);
  std::vector<std::string> names;
  for_each_pair(net, other, [&](const std::string& name, const auto& mine, const auto& its) {
    names.push_back(name);
    CHECK(mine.value.to_vector() == its.value.to_vector());
    CHECK(mine.value.data() != its.value.data());
  });
  CHECK(names ==
        Names{"first.weight", "first.bias", "list.0.weight", "list.1.weight", "norm.weight", "norm.bias", "scale"});
  const auto nothing = [](const std::string&, const auto&, const auto&) {};
  other.list.pop_back();
  CHECK_THROWS_WITH_AS(for_each_pair(net, other, nothing), doctest::Contains("the first module has list.1.weight"),
                       Error);
  CHECK_THROWS_WITH_AS(for_each_pair(other, net, nothing), doctest::Contains("the first module has norm.weight"),
                       Error);
  CHECK_THROWS_WITH_AS(for_each_pair(Late{}, Late{{}, {}, std::vector<Two>(1)}, nothing),
                       doctest::Contains("has 4 parameters more"), Error);
  other = Net();
  other.list[1] = {4, 3, Seed{1}};
  CHECK_THROWS_WITH_AS(for_each_pair(net, other, nothing),
                       doctest::Contains("list.1.weight has the shape [2, 4] in one module and [3, 4]"), Error);
}

TEST_CASE("Sequential calls its layers in order and names them by number; functions have a number and no name") {
  const Sequential net(
      Linear<4, 6, double>(), BatchNorm1d<6, double>(), op::Relu{}, [](const auto& x) { return x * 2; },
      Sequential(op::Tanh{}, Linear<6, 2, double>()));
  CHECK(names_of(net) ==
        Names{"0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "4.1.weight", "4.1.bias"});
  const auto x = normal(Shape<dyn, 4>{5}, 1);
  const auto& norm = get<1>(net.layers);
  const auto expected = [&](const auto& mode) {
    const auto hidden = norm(get<0>(net.layers)(x), mode);
    return get<1>(get<4>(net.layers).layers)(tanh(relu(hidden) * 2));
  };
  CHECK(doubles(net(x)) == doubles(expected(Evaluation{})));
  CHECK(norm.running_mean.value.to_vector() == std::vector<double>(6));
  CHECK(doubles(net(x, Training{})) == doubles(expected(Training{})));
  CHECK(norm.running_mean.value.to_vector() != std::vector<double>(6));

  Tape tape;
  tape.backward(mean(square(net(tape.constant(x), Training{}))));
  for_each_parameter(net, [&](const std::string& name, const auto& p) {
    CAPTURE(name);
    CHECK(tape.has_grad(p.value.data()));
  });
}

TEST_CASE("Sequential hands the mode on to layers that take one") {
  const Sequential net(Dropout{0.5}, op::Relu{});
  const auto x = eval(square(normal(Dyn<2>{8, 8}, 1)) + 1);
  CHECK(doubles(net(x)) == doubles(x));
  CHECK(doubles(net(x, Training(Random{1, 0, 0}))) == doubles(Dropout{0.5}(x, Training(Random{1, 0, 0}))));
  CHECK(doubles(net(x, Training(Random{1, 0, 0}))) != doubles(x));
}
