// Holds operations against tests/fixtures/operations.safetensors, PyTorch's values and gradients in double.
// Three test programs share the file; the lists below say which of them answers for which case.
#pragma once

#include "../random_tensor.hpp"

#include <vitral/autodiff/record.hpp>
#include <vitral/io/checkpoint.hpp>

#include <doctest/doctest.h>

#include <set>

#ifndef VITRAL_TESTS_DIR
#define VITRAL_TESTS_DIR "tests"
#endif

namespace vitral_tests::pytorch {

using Names = std::set<std::string>;

/// fixture_test.cpp
inline const Names elementwise_cases{"log1p",        "log1p.extreme",
                                     "sin",          "cos",
                                     "silu",         "silu.extreme",
                                     "softplus",     "softplus.extreme",
                                     "add",          "sub",
                                     "mul",          "div",
                                     "add.outer",    "mul.outer",
                                     "sub.leading",  "min",
                                     "max",          "max.broadcast",
                                     "neg",          "square",
                                     "exp",          "log",
                                     "sqrt",         "rsqrt",
                                     "tanh",         "erf",
                                     "gelu",         "sigmoid",
                                     "relu",         "abs",
                                     "clamp",        "pow",
                                     "pow.integer",  "pow.negative",
                                     "tanh.extreme", "erf.extreme",
                                     "gelu.extreme", "sigmoid.extreme",
                                     "select",       "tanh_gelu",
                                     "silu_affine",  "normalise",
                                     "reused_leaf",  "mean_squared_error",
                                     "cast.bf16"};

/// fixture_operations_test.cpp
inline const Names operation_cases{"sum.axis0",
                                   "sum.axis1",
                                   "sum.axis2",
                                   "mean.axis0",
                                   "mean.axis1",
                                   "mean.axis2",
                                   "reduce_max.axis0",
                                   "reduce_max.axis1",
                                   "reduce_max.axis2",
                                   "variance.axis0",
                                   "variance.axis1",
                                   "variance.axis2",
                                   "logsumexp.axis0",
                                   "logsumexp.axis1",
                                   "logsumexp.axis2",
                                   "argmax.axis0",
                                   "argmax.axis1",
                                   "argmax.axis2",
                                   "sum.all",
                                   "mean.all",
                                   "variance.shifted",
                                   "logsumexp.large",
                                   "mean_of_product",
                                   "matmul",
                                   "matmul.transposed",
                                   "matmul.rank3",
                                   "batched_matmul",
                                   "batched_matmul.transposed",
                                   "linear",
                                   "linear.no_bias",
                                   "linear.relu",
                                   "linear.gelu",
                                   "linear.rank3",
                                   "gather",
                                   "concat.axis0",
                                   "concat.axis1",
                                   "concat.class_token",
                                   "slice",
                                   "slice.first_token",
                                   "transpose",
                                   "permute",
                                   "permute.heads",
                                   "reshape"};

/// fixture_layers_test.cpp
inline const Names layer_cases{"softmax",
                               "log_softmax",
                               "softmax.large",
                               "log_softmax.large",
                               "cross_entropy",
                               "cross_entropy.masked",
                               "layer_norm",
                               "layer_norm.shifted",
                               "layer_norm.matrix",
                               "batch_norm.train",
                               "batch_norm.train_plain",
                               "batch_norm.eval",
                               "batch_norm.eval_plain",
                               "l2_normalize",
                               "attention",
                               "attention.one_head",
                               "mlp",
                               "block",
                               "head.projector",
                               "head.projector_no_last_norm",
                               "head.predictor",
                               "patch_embed",
                               "patch_embed.patch3",
                               "position.grid2",
                               "position.grid3",
                               "position.grid7",
                               "info_nce.blocks1",
                               "info_nce.blocks3",
                               "info_nce.temperature",
                               "cosine_distance.blocks1",
                               "cosine_distance.blocks3",
                               "nt_xent.blocks1",
                               "nt_xent.blocks3",
                               "nt_xent.self"};

/// losses_test.cpp
inline const Names loss_cases{"mse", "l1", "huber", "huber.delta", "bce_with_logits", "bce_with_logits.extreme"};

/// tests/eval/classifiers/knn_test.cpp
inline const Names evaluation_cases{"knn"};

inline const SafetensorsFile& operations_file() {
  static const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/operations.safetensors");
  return file;
}

/// |actual - expected| / |expected|; infinity where the sizes differ or a number is NaN.
inline double relative_error(const std::vector<double>& actual, const std::vector<double>& expected) {
  if (actual.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double difference = 0, scale = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    scale += expected[i] * expected[i];
  }
  const double error = difference == 0 ? 0 : std::sqrt(difference / scale);
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
}

/// One case of the file. What is compared is noted, so that `finish` can tell what was forgotten.
class Fixture {
 public:
  explicit Fixture(std::string name) : name_(std::move(name)) {}

  /// The full name of an entry.
  [[nodiscard]] std::string path(const std::string& entry) const { return name_ + "/" + entry; }

  template <class S>
  [[nodiscard]] Tensor<double, S> read(const std::string& entry) const {
    const auto& shape = operations_file().tensor(path(entry)).shape;
    check(shape.size() == S::rank, path(entry), " has ", shape.size(), " extents, the test expects ", S::rank);
    std::array<int, S::rank> extents{};
    for (std::size_t i = 0; i < shape.size(); ++i) extents[i] = static_cast<int>(shape[i]);
    return Tensor<double, S>::from(operations_file().values<double>(path(entry)), S(extents));
  }
  template <int Rank>
  [[nodiscard]] Tensor<double, Dyn<Rank>> tensor(const std::string& entry) const {
    return read<Dyn<Rank>>(entry);
  }
  [[nodiscard]] double number(const std::string& entry) const {
    return operations_file().values<double>(path(entry)).at(0);
  }
  [[nodiscard]] std::vector<int> integers(const std::string& entry) const {
    const auto values = operations_file().values<std::int32_t>(path(entry));
    return {values.begin(), values.end()};
  }

  /// Compares a result with an entry, the shapes too.
  template <class S>
  void equals(const std::string& entry, const Tensor<double, S>& actual, double tolerance = 1e-10) {
    CAPTURE(path(entry));
    CHECK(to_string(actual.shape()) == to_string(read<S>(entry).shape()));
    CHECK(relative_error(actual.to_vector(), operations_file().values<double>(path(entry))) <= tolerance);
    compared_.insert(entry);
  }
  void equals(const std::string& entry, const std::vector<double>& actual) {
    CAPTURE(path(entry));
    CHECK(actual == operations_file().values<double>(path(entry)));
    compared_.insert(entry);
  }
  void equals(const std::string& entry, const std::vector<int>& actual) {
    CAPTURE(path(entry));
    CHECK(actual == integers(entry));
    compared_.insert(entry);
  }

  /// Compares f's value for the entries named, and its gradients for the file's upstream gradient. Rank: each entry's.
  template <int... Rank, class F, class... Name>
  void agrees(F&& f, const Name&... names) {
    static_assert(sizeof...(Rank) == sizeof...(Name));
    Tape tape;
    const auto run = [&](const Tensor<double, Dyn<Rank>>&... x) {
      walk_back(tape, f(tape.watch(x)...));
      (equals(std::string("d") + names, tape.grad(x)), ...);
    };
    run(tensor<Rank>(names)...);
  }

  /// As agrees, for f(x) of a network whose parameters are in the file under their own names.
  template <int Rank, class M, class F>
  void network_agrees(M& module, F&& f) {
    for_each_parameter(
        module, [&](const std::string& name, const auto& p) { load_tensor(operations_file(), path(name), p.value); });
    Tape tape;
    const auto x = tensor<Rank>("x");
    walk_back(tape, f(tape.watch(x)));
    equals("dx", tape.grad(x));
    for_each_parameter(module, [&](const std::string& name, const auto& p) { equals("d" + name, tape.grad(p)); });
  }

  /// Every result that the file has for this case must have been compared.
  void finish() const {
    int results = 0;
    for (const std::string& name : operations_file().names()) {
      if (name.rfind(name_ + "/", 0) != 0) continue;
      const std::string entry = name.substr(name_.size() + 1);
      const bool gradient = entry[0] == 'd' && operations_file().contains(path(entry.substr(1))) && entry != "dy";
      if (entry != "y" && !gradient && entry.find("_after") == std::string::npos) continue;
      ++results;
      CAPTURE(name);
      CHECK(compared_.contains(entry));
    }
    CHECK(results > 0);
  }

 private:
  template <class Y>
  void walk_back(Tape& tape, const Y& result) {
    const auto y = eval(result);
    equals("y", y.value());
    tape.backward(y, read<shape_of<decltype(y)>>("dy"));
  }

  std::string name_;
  Names compared_;
};

struct Case {
  std::string name;
  void (*run)(Fixture&);
};

/// Runs all cases, which must be those of the list.
inline void run_cases(const std::vector<Case>& cases, const Names& list) {
  Names done;
  for (const Case& c : cases) {
    CAPTURE(c.name);
    CHECK(done.insert(c.name).second);
    Fixture fixture(c.name);
    c.run(fixture);
    fixture.finish();
  }
  CHECK(done == list);
}

}  // namespace vitral_tests::pytorch
