// SGD, AdamW and LARS. Each step is one fused pass over a parameter, its gradient, its state and, where a teacher
// follows it, its moving average.
#pragma once

#include <vitral/autodiff/tape.hpp>
#include <vitral/optim/moving_average.hpp>
#include <vitral/optim/parameters.hpp>
#include <vitral/tensor/evaluate.hpp>

#include <algorithm>
#include <variant>

namespace vitral { inline namespace VITRAL_ABI {

/// Settings of one optimiser each; `lr` and `weight_decay` may be changed from step to step by a schedule.
struct AdamW {
  double lr = 1e-3, weight_decay = 0.01;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
};
/// Stochastic gradient descent with momentum, as in PyTorch.
struct Sgd {
  double lr = 0.1, weight_decay = 0, momentum = 0.9;
};
/// LARS (You, Gitman and Ginsburg 2017): SGD whose rate is scaled for each tensor.
struct Lars {
  double lr = 0.3, weight_decay = 1e-6, momentum = 0.9, trust = 0.001;
};

namespace detail {

/// One parameter in one step. Each optimiser's `changes` are the assignments to its state and value, in their order,
/// and those that come after.
template <class P, class B>
struct Update {
  const ParameterRef<P, B>& parameter;
  const Flat<P, B> gradient;
  const std::vector<Flat<P, B>>& state;
  long t;  // steps, this one included

  [[nodiscard]] double lr(const auto& settings) const { return settings.lr * parameter.rate; }
  [[nodiscard]] double decay(const auto& settings) const { return parameter.decays() ? settings.weight_decay : 0; }
};

/// Loshchilov and Hutter 2019, algorithm 2, in PyTorch's form: decoupled weight decay, bias-corrected moments.
template <class P, class B>
auto changes(const AdamW& o, const Update<P, B>& u, const auto&... after) {
  const Flat<P, B>&p = u.parameter.value, &g = u.gradient, &m = u.state[0], &v = u.state[1];
  const double c1 = 1 - std::pow(o.beta1, static_cast<double>(u.t));
  const double c2 = std::sqrt(1 - std::pow(o.beta2, static_cast<double>(u.t))), lr = u.lr(o);
  return pack_handles(into(m, m * o.beta1 + g * (1 - o.beta1)),          //
                      into(v, v * o.beta2 + square(g) * (1 - o.beta2)),  //
                      into(p, p * (1 - lr * u.decay(o)) - m * (lr / c1) / (sqrt(v) * (1 / c2) + o.eps)), after...);
}

/// PyTorch's form: the momentum buffer starts as the first gradient; weight decay is part of the gradient.
template <class P, class B>
auto changes(const Sgd& o, const Update<P, B>& u, const auto&... after) {
  const Flat<P, B>&p = u.parameter.value, &g = u.gradient, &m = u.state[0];
  return pack_handles(into(m, m * (u.t == 1 ? 0.0 : o.momentum) + (g + p * u.decay(o))),  //
                      into(p, p - m * u.lr(o)), after...);
}

/// You, Gitman and Ginsburg 2017, as MoCo v3 uses it: weights (two dimensions or more) move by a trust ratio
/// trust * |p| / |g + decay p|; biases and scales move like plain SGD without decay.
template <class P, class B>
auto changes(const Lars& o, const Update<P, B>& u, const auto&... after) {
  const Flat<P, B>&p = u.parameter.value, &g = u.gradient, &m = u.state[0];
  auto ratio = Tensor<P, Shape<>, B>::uninitialized({});
  if (u.parameter.decays()) {
    const auto weight_norm = sqrt(sum(square(p))), update_norm = sqrt(sum(square(g + p * u.decay(o))));
    assign(ratio, select(weight_norm * update_norm > 0, o.trust * weight_norm / update_norm, 1));
  } else {
    B::fill(ratio.data(), 1, P(1));
  }
  return pack_handles(into(m, m * (u.t == 1 ? 0.0 : o.momentum) + (g + p * u.decay(o)) * ratio),  //
                      into(p, p - m * u.lr(o)), after...);
}

}  // namespace detail

/// The settings of any optimiser, chosen at run time.
using OptimizerSettings = std::variant<AdamW, Sgd, Lars>;

/// An optimiser's settings with the state of every parameter.
template <class P, class B>
class Optimizer {
 public:
  Optimizer(const OptimizerSettings& settings, std::vector<ParameterRef<P, B>> parameters)
      : settings_(settings), parameters_(std::move(parameters)) {
    const int states = std::holds_alternative<AdamW>(settings) ? 2 : 1;
    for (const auto& p : parameters_) {
      p.value.buffer().mark_trained();
      state_.emplace_back();
      for (int i = 0; i < states; ++i) state_.back().push_back(Flat<P, B>(p.value.shape()));
    }
  }

  /// Changes every parameter that has a gradient on the tape. Weight decay applies to weights of two dimensions or
  /// more. Throws where none has one, and where the tape has a gradient for a parameter that no optimiser trains.
  void step(const Tape& tape) {
    averages_.clear();
    run(tape, 0);
  }

  /// Does what step(tape) and then method.update_teacher(momentum) do, bit for bit, in one pass over memory.
  template <class Method>
  void step(const Tape& tape, const Method& method, double momentum) {
    averages_.clear();
    method.for_each_average([&](const auto& average, const auto& source) {
      averages_.push_back({average, source, false});
    });
    std::ranges::sort(averages_, {}, [](const Average& a) { return a.source.data(); });
    run(tape, momentum);
  }

  /// What a schedule changes from step to step.
  void set_lr(double lr) {
    std::visit([lr](auto& settings) { settings.lr = lr; }, settings_);
  }
  void set_weight_decay(double weight_decay) {
    std::visit([weight_decay](auto& settings) { settings.weight_decay = weight_decay; }, settings_);
  }

  [[nodiscard]] const std::vector<ParameterRef<P, B>>& parameters() const { return parameters_; }
  [[nodiscard]] long steps() const { return steps_; }
  void set_steps(long steps) { steps_ = steps; }

  /// Calls f(name, tensor) for the state of every parameter, "0.student.encoder.norm.weight".
  template <class F>
  void for_each_state(F&& f) const {
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      for (std::size_t k = 0; k < state_[i].size(); ++k) f(std::to_string(k) + "." + parameters_[i].name, state_[i][k]);
  }

 private:
  struct Average {
    Flat<P, B> value, source;
    bool done;
  };
  /// A parameter that this step changes, and the average that follows it.
  struct Job {
    std::size_t parameter, average;
  };

  /// One pass for the parameters with an average, one for those without, and one for the averages of what the step left
  /// alone: frozen parameters, and those that no gradient reached.
  void run(const Tape& tape, double momentum) {
    check_gradients(tape);
    ++steps_;
    followed_.clear();
    alone_.clear();
    rest_.clear();
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const auto* const data = parameters_[i].value.data();
      if (!tape.has_grad(data)) continue;
      const auto found =
          std::ranges::lower_bound(averages_, data, {}, [](const Average& a) { return a.source.data(); });
      if (found != averages_.end() && found->source.data() == data) {
        found->done = true;
        followed_.push_back({i, static_cast<std::size_t>(found - averages_.begin())});
      } else {
        alone_.push_back({i, 0});
      }
    }
    for (std::size_t i = 0; i < averages_.size(); ++i)
      if (!averages_[i].done) rest_.push_back({0, i});

    const auto moved = [&](const Job& job) {
      const Average& a = averages_[job.average];
      return into(a.value, moving_average(a.value, a.source, momentum));
    };
    std::visit(
        [&](const auto& settings) {
          const auto update = [&](const Job& job) {
            const auto& p = parameters_[job.parameter];
            return detail::Update<P, B>{p, tape.grad(p.value), state_[job.parameter], steps_};
          };
          assign_each<B>(followed_.size(), [&](std::size_t i) {
            return detail::changes(settings, update(followed_[i]), moved(followed_[i]));
          });
          assign_each<B>(alone_.size(), [&](std::size_t i) { return detail::changes(settings, update(alone_[i])); });
        },
        settings_);
    assign_each<B>(rest_.size(), [&](std::size_t i) { return pack_handles(moved(rest_[i])); });
  }

  void check_gradients(const Tape& tape) const {
    check(std::ranges::any_of(parameters_, [&](const auto& p) { return tape.has_grad(p.value.data()); }),
          "step: none of the optimiser's ", parameters_.size(),
          " parameters has a gradient on this tape; call backward on this tape first, for a loss that depends on them");
    tape.for_each_parameter_with_gradient([](const Buffer& value, long elements) {
      check(value.trained(), "step: a parameter of ", elements,
            " elements has a gradient, but no optimiser trains it: its module's `visit` does not name it, or its "
            "`value` was assigned anew after make_optimizer (use assign(parameter.value, ...)), or it belongs to a "
            "module that should be frozen (set_trainable(module, false))");
    });
  }

  OptimizerSettings settings_;
  std::vector<ParameterRef<P, B>> parameters_;
  std::vector<std::vector<Flat<P, B>>> state_;
  // Of the step at work, kept for their memory; the averages by their sources' addresses.
  std::vector<Average> averages_;
  std::vector<Job> followed_, alone_, rest_;
  long steps_ = 0;
};

/// The optimiser of a module's trainable parameters.
template <class M>
[[nodiscard]] auto make_optimizer(const OptimizerSettings& settings, const M& module) {
  return Optimizer<scalar_of_module<M>, backend_of_module<M>>(settings, trainable_parameters(module));
}

}}  // namespace vitral
