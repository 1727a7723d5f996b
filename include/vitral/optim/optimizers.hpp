// Optimizer: AdamW, Adam, SGD or LARS (update_rules.hpp) for all parameters of a module. A step is one fused pass over
// each parameter, its gradient, its state and, where another parameter follows it, that moving average.
#pragma once

#include <vitral/autodiff/tape.hpp>
#include <vitral/optim/moving_average.hpp>
#include <vitral/optim/update_rules.hpp>

#include <algorithm>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// A parameter that follows another, and whether this step has moved it.
template <class P, class B>
struct Average {
  Flat<P, B> value, source;
  double momentum;
  bool done;
};
/// Of one type for all modules (nn/module.hpp).
template <class P, class B>
auto pair_noter(std::vector<Average<P, B>>& averages, double momentum) {
  return [&averages, momentum](const std::string&, const auto& average, const auto& source) {
    averages.push_back({flat(average.value), flat(source.value), momentum, false});
  };
}

}  // namespace detail

/// An optimiser's settings with the state of every parameter.
template <class P, class B>
class Optimizer {
 public:
  Optimizer(const OptimizerSettings& settings, std::vector<ParameterRef<P, B>> parameters)
      : settings_(settings), parameters_(std::move(parameters)) {
    const int states = std::visit([](const auto& chosen) { return chosen.states; }, settings);
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
    run(tape);
  }

  /// The same, and then moves the averages of a task in the same pass over memory. The task's for_each_average(f) calls
  /// f(average, source, momentum) with two modules of one type: each parameter of the first moves towards its partner
  /// in the second (moving_average). States, such as a BatchNorm's statistics, stay each module's own. A task without
  /// for_each_average has no averages.
  template <class Task>
  void step(const Tape& tape, const Task& task) {
    averages_.clear();
    const auto note = [this](const auto& average, const auto& source, double momentum) {
      for_each_pair(average, source, detail::pair_noter(averages_, momentum));
    };
    if constexpr (requires { task.for_each_average(note); }) task.for_each_average(note);
    std::ranges::sort(averages_, {}, [](const Average& a) { return a.source.data(); });
    run(tape);
  }

  /// What a schedule changes from step to step.
  void set_lr(double lr) {
    std::visit([lr](auto& settings) { settings.lr = lr; }, settings_);
  }
  void set_weight_decay(double weight_decay) {
    std::visit([weight_decay](auto& settings) { settings.weight_decay = weight_decay; }, settings_);
  }

  [[nodiscard]] const OptimizerSettings& settings() const { return settings_; }
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
  using Average = detail::Average<P, B>;
  /// A parameter that this step changes, and the average that follows it.
  struct Job {
    std::size_t parameter, average;
  };

  /// One pass for the parameters with an average, one for those without, and one for the averages of what the step left
  /// alone: frozen parameters, and those that no gradient reached.
  void run(const Tape& tape);

  void check_gradients(const Tape& tape) const {
    check(std::ranges::any_of(parameters_, [&](const auto& p) { return tape.has_grad(p.value.data()); }),
          "step: none of the optimiser's ", parameters_.size(),
          " parameters has a gradient on this tape; call backward on this tape first, for a loss that depends on them");
    tape.for_each_parameter_with_gradient([](const Buffer& value, long elements) {
      check(value.trained(), "step: a parameter of ", elements,
            " elements has a gradient, but no optimiser trains it: its module's VITRAL_MEMBERS lacks it, or its "
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

// Outside of the class, so that a program of several source files can have it compiled in one: `extern template`.
template <class P, class B>
void Optimizer<P, B>::run(const Tape& tape) {
  check_gradients(tape);
  ++steps_;
  followed_.clear();
  alone_.clear();
  rest_.clear();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto* const data = parameters_[i].value.data();
    if (!tape.has_grad(data)) continue;
    const auto found = std::ranges::lower_bound(averages_, data, {}, [](const Average& a) { return a.source.data(); });
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
    return into(a.value, moving_average(a.value, a.source, a.momentum));
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

/// The optimiser of a module's trainable parameters. A Trainer makes one; in a loop of your own:
///
///   auto optimizer = make_optimizer(AdamW{.lr = 1e-3}, net);
///   for (const auto& batch : Batches(x, y, {.batch = 64}).epoch(0)) {
///     Tape tape;
///     tape.backward(mean(cross_entropy(net(tape.constant(batch.x)), batch.y)));
///     optimizer.step(tape);
///   }
template <class M>
[[nodiscard]] auto make_optimizer(const OptimizerSettings& settings, const M& module) {
  return Optimizer<scalar_of_module<M>, backend_of_module<M>>(settings, trainable_parameters(module));
}

}}  // namespace vitral
