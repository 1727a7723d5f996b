// What walks a module: names, counts, copies, switches.
#include "../random_tensor.hpp"

#include <vitral/nn/linear.hpp>
#include <vitral/nn/norm.hpp>

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

using Names = std::vector<std::string>;

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
