// Trainer: runs a task over a source of batches, with schedules, an optimiser, moving averages and checkpoints. It
// knows no method: what a task is says train/task.hpp.
#pragma once

#include <vitral/data/batch.hpp>
#include <vitral/data/epoch.hpp>
#include <vitral/io/state_dict.hpp>
#include <vitral/nn/rounded_weights.hpp>
#include <vitral/optim/optimizers.hpp>
#include <vitral/optim/schedule.hpp>
#include <vitral/train/schedule.hpp>
#include <vitral/train/step_report.hpp>
#include <vitral/train/task.hpp>

#include <array>
#include <charconv>
#include <cstdio>
#include <deque>
#include <functional>

namespace vitral { inline namespace VITRAL_ABI {

/// The number of steps that a run had done when Trainer::save wrote the file.
[[nodiscard]] inline long saved_steps(const TensorFile& file) {
  const std::string& text = file.metadata("step");
  const char* const last = text.data() + text.size();
  long steps = -1;
  const auto [end, error] = std::from_chars(text.data(), last, steps);
  check(error == std::errc() && end == last && steps >= 0, file.path(),
        ": its step count is no number: ", legible(text));
  return steps;
}

/// Notes in a file's metadata how many steps its run has done.
inline void note_steps(Metadata& metadata, long steps) { metadata["step"] = std::to_string(steps); }

namespace detail {

/// What a task sees of a batch: its tensors on backend B. A batch of a type that to_backend does not know is handed on
/// as it is.
template <class B, class Batch>
decltype(auto) batch_on(const Batch& batch) {
  if constexpr (requires { to_backend<B>(batch); })
    return to_backend<B>(batch);
  else
    return (batch);
}
template <class Task, class Source>
using batch_for = std::remove_cvref_t<decltype(batch_on<backend_of_module<Task>>(
    std::declval<const typename std::remove_cvref_t<Source>::batch_type&>()))>;

template <class Task>
concept ComputesInBf16 = std::same_as<typename Task::activation, bf16>;

}  // namespace detail

/// Trains a task. What comes out depends on the seed alone: not on threads, workers, or interruptions.
///
///   Trainer trainer(Supervised(net), AdamW{.lr = 1e-3}, Schedule{.epochs = 5}, Seed{1});
///   const auto losses = trainer.fit(Batches(x, y, {.batch = 128}));  // of each epoch
template <class Task>
class Trainer {
 public:
  using scalar = scalar_of_module<Task>;
  using backend = backend_of_module<Task>;

  /// The optimiser's learning rate is the highest one (see scaled_learning_rate).
  Trainer(const Task& task, const OptimizerSettings& settings, const Schedule& schedule, Seed seed = Seed{0})
      : Trainer(task, make_optimizer(settings, task), schedule, seed) {}

  /// With an optimiser of the task's parameters, or of some of them, whose rates may differ (see decay_rates).
  Trainer(const Task& task, Optimizer<scalar, backend> optimizer, const Schedule& schedule, Seed seed = Seed{0})
      : task_(task), optimizer_(std::move(optimizer)), schedule_(schedule), seed_(seed) {
    std::visit([this](const auto& s) { lr_ = s.lr, weight_decay_ = s.weight_decay; }, optimizer_.settings());
    check(schedule.epochs >= 1 && schedule.warmup_epochs >= 0 && schedule.warmup_epochs <= schedule.epochs,
          "Trainer: ", schedule.warmup_epochs, " warm-up epochs of ", schedule.epochs,
          " epochs; the warm-up must fit into the run");
    check(schedule.milestones.empty() || schedule.min_lr == 0, "Trainer: Schedule::min_lr, ", schedule.min_lr,
          ", is the end of the cosine, which milestones replace; leave one of them out");
    check(schedule.max_epochs >= 0 && schedule.max_epochs <= schedule.epochs, "Trainer: max_epochs ",
          schedule.max_epochs, " of ", schedule.epochs, " epochs; expected 0 (all of them) to ", schedule.epochs);
    check(schedule.accumulate >= 1, "Trainer: accumulate must be 1 or more, not ", schedule.accumulate);
  }

  [[nodiscard]] const Task& task() const { return task_; }
  [[nodiscard]] long steps_done() const { return optimizer_.steps(); }
  /// What the backend queues steps with.
  [[nodiscard]] const typename backend::Steps& runs() const { return steps_; }

  /// Optimisation steps in an epoch of this source; batches that do not fill a step are left out.
  template <class Source>
  [[nodiscard]] long steps_per_epoch(const Source& source) const {
    const long steps = source.batches() / schedule_.accumulate;
    check(steps > 0, "Trainer: ", source.batches(), " batches in an epoch are fewer than the ", schedule_.accumulate,
          " that make a step; use a smaller batch or accumulate less");
    return steps;
  }

  /// `f(tape, step)` is called in each step when the gradients are on the tape, before they are clipped and used.
  void before_step(std::function<void(const Tape&, long)> f) { before_step_ = std::move(f); }
  /// `f(step)` is called in each step when the parameters and averages have changed. What either hook computes is part
  /// of the step: on a device it is queued, so it must not ask a tensor for its elements, and does the same in each
  /// step.
  void after_step(std::function<void(long)> f) { after_step_ = std::move(f); }

  /// Trains from where the run stands to its end, and returns the mean loss of each epoch that this call trained, or
  /// trained a part of. `report(StepReport)` is called after every step and returns whether to go on. On a device that
  /// works beside the host it may be a step behind: steps_done() and save() then speak of the step after the reported
  /// one, but for an epoch's last step. Source: Loader, CudaLoader, Batches, or what offers the same (BatchSource).
  template <class Source, class Report>
  std::vector<double> fit(Source&& source, Report&& report) {
    static_assert(BatchSource<std::remove_cvref_t<Source>>,
                  "vitral: Trainer::fit: a source of batches offers batches(), start(epoch, first_batch), next(batch), "
                  "stop() and the type batch_type, as Loader and Batches do");
    static_assert(TaskFor<Task, detail::batch_for<Task, Source>>,
                  "vitral: Trainer::fit: a task offers loss(tape, batch, mode) for batches of this source, which "
                  "computes one number from variables of the tape; see docs/training.md");
    if constexpr (!backend::on_host) need_page_locked_memory();
    const long per_epoch = steps_per_epoch(source), steps = per_epoch * schedule_.epochs;
    check(steps_done() <= steps, "Trainer: ", steps_done(), " steps are done, but ", schedule_.epochs, " epochs of ",
          per_epoch, " steps are ", steps, "; the checkpoint belongs to a longer run or to more images");
    std::array<InFlight<typename std::remove_cvref_t<Source>::batch_type>, 2> batches;
    values_.resize(2 * static_cast<std::size_t>(schedule_.accumulate) * values_per_part);
    std::vector<double> losses;
    long steps_of_epoch = 0;  // whose losses are in losses.back()
    const auto finish = [&] {
      const StepReport done = finish_step();
      if (losses.empty() || done.step % per_epoch == 0) losses.push_back(0), steps_of_epoch = 0;
      losses.back() += (done.loss - losses.back()) / static_cast<double>(++steps_of_epoch);
      return report(done);
    };
    bool wanted = true;
    const int end = schedule_.max_epochs > 0 ? schedule_.max_epochs : schedule_.epochs;
    for (long epoch = steps_done() / per_epoch; wanted && epoch < end; ++epoch) {
      const long first = steps_done() % per_epoch;
      source.start(epoch, first * schedule_.accumulate);
      for (long i = first; wanted && i < per_epoch; ++i) {
        queue_step(source, batches, per_epoch, steps);
        if (static_cast<long>(queued_.size()) > backend::Steps::ahead) wanted = finish();
      }
      while (!queued_.empty()) wanted = finish() && wanted;
    }
    source.stop();
    return losses;
  }
  template <class Source>
  std::vector<double> fit(Source&& source) {
    return fit(source, [](const StepReport&) { return true; });
  }

  /// Names of the trainable parameters that no gradient reached in the last step.
  [[nodiscard]] std::vector<std::string> without_gradient() const {
    std::vector<std::string> names;
    for (const auto& p : optimizer_.parameters())
      if (!tape_.has_grad(p.value.data())) names.push_back(p.name);
    return names;
  }

  /// Everything that a run needs to go on but the step count: the task and the optimiser's state.
  [[nodiscard]] StateDict state() const {
    StateDict state;
    state.add_module(task_);
    optimizer_.for_each_state([&](const std::string& name, const auto& x) { state.add("optimizer." + name, x); });
    return state;
  }
  /// Writes that and the step count. The file replaces an older one whole; Error, and the older one stays, where a
  /// number of these is not finite. train/checkpoint.hpp has to be included; train.hpp does.
  void save(const std::filesystem::path& path, Metadata metadata = {}) const {
    note_steps(metadata, steps_done());
    state().write(path, metadata);
  }
  void load(const TensorFile& file) {
    const long steps = saved_steps(file);
    optimizer_.for_each_state(
        [&](const std::string& name, const auto& x) { load_tensor(file, "optimizer." + name, x); });
    load_module(file, task_);
    optimizer_.set_steps(steps);
  }

 private:
  /// A batch that a run may still read.
  template <class B>
  struct InFlight {
    B batch;
    long run = -1;
  };
  /// A step of which the device may not be done. The last of its report's numbers, `measured` of them, are tensors'.
  struct Queued {
    StepReport report;
    std::size_t measured = 0;
    long run = -1;
  };
  enum Kind : std::size_t { first_part, further_part, update };  // of runs

  template <class Source, class InFlightBatches>
  void queue_step(Source& source, InFlightBatches& batches, long per_epoch, long steps) {
    const long now = steps_done();
    Queued out{{.step = now, .steps = steps, .epoch = static_cast<double>(now + 1) / static_cast<double>(per_epoch)}};
    out.report.lr = schedule_.lr_at(now, lr_, per_epoch);
    if constexpr (HasSchedule<Task>) task_.schedule(static_cast<double>(now) / static_cast<double>(steps));

    for (int part = 0; part < schedule_.accumulate; ++part) {
      const long number = now * schedule_.accumulate + part;
      auto& in_flight = batches[static_cast<std::size_t>(number) % 2];
      if (in_flight.run >= 0) steps_.wait(in_flight.run);
      check(source.next(in_flight.batch), "Trainer: the source ended in the middle of an epoch");
      const Training mode{Random{seed_.value, training_stream, static_cast<std::uint64_t>(number)}};
      in_flight.run = steps_.run(part == 0 ? first_part : further_part, [&] {
        if (part == 0) tape_.zero_grad();
        const auto loss = loss_of(detail::batch_on<backend>(in_flight.batch), mode);
        static_assert(std::is_same_v<scalar_of<decltype(loss)>, scalar>,
                      "vitral: Trainer: a loss has the type of the parameters; use cast<...>");
        scalar* const values = values_of(now, part);
        backend::queue_copy_to_host(loss.value().data(), values, 1);
        if constexpr (HasNumbers<Task>) queue_numbers(out, part, values + 1);
        if constexpr (backend::on_host) check_loss(out.report, static_cast<double>(values[0]));
        tape_.backward(eval(loss * (1.0 / schedule_.accumulate)));
      });
    }
    out.run = steps_.run(update, [&] {
      if (before_step_) before_step_(tape_, now);
      if (schedule_.clip_grad > 0) (void)clip_grad_norm(optimizer_.parameters(), tape_, schedule_.clip_grad);
      optimizer_.set_lr(out.report.lr);
      optimizer_.set_weight_decay(schedule_.weight_decay_end < 0
                                      ? weight_decay_
                                      : CosineSchedule{weight_decay_, schedule_.weight_decay_end, steps}.at(now));
      optimizer_.step(tape_, task_);
      if (after_step_) after_step_(now);
    });
    if (!std::exchange(told_of_gradients_, true)) tell_of_gradients();
    queued_.push_back(std::move(out));
  }

  /// A device rounds all weights at once: a kernel for each costs more than its work. The host rounds them as it packs
  /// them.
  template <class Batch>
  auto loss_of(const Batch& batch, const Training& mode) {
    if constexpr (detail::ComputesInBf16<Task> && !backend::on_host) {
      const RoundedWeights rounded(task_);
      return eval(task_.loss(tape_, batch, mode));
    } else {
      return eval(task_.loss(tape_, batch, mode));
    }
  }

  /// Notes the task's numbers in the step's report: numbers at once, in its first part; tensors when they arrive in
  /// `values`.
  void queue_numbers(Queued& out, int part, scalar* values) {
    std::size_t measured = 0;
    std::vector<NamedNumber> arriving;
    task_.for_each_number([&](std::string_view name, const auto& x) {
      if constexpr (Operand<std::remove_cvref_t<decltype(x)>>) {
        const auto value = eval(cast<scalar>(x));
        check(value.size() == 1 && measured < most_numbers, "Trainer: the number ", name, " of the task has shape ",
              value.shape(), "; expected one element, and at most ", most_numbers, " such numbers");
        backend::queue_copy_to_host(value.data(), values + measured++, 1);
        arriving.push_back({std::string(name), 0});
      } else {
        if (part == 0) out.report.numbers.push_back({std::string(name), static_cast<double>(x)});
      }
    });
    if (part == 0) out.report.numbers.insert(out.report.numbers.end(), arriving.begin(), arriving.end());
    out.measured = measured;
  }

  /// Waits for the oldest queued step.
  StepReport finish_step() {
    const Queued queued = std::move(queued_.front());
    queued_.pop_front();
    steps_.wait(queued.run);
    StepReport out = queued.report;
    NamedNumber* const measured = out.numbers.data() + (out.numbers.size() - queued.measured);
    for (int part = 0; part < schedule_.accumulate; ++part) {
      const scalar* const values = values_of(out.step, part);
      check_loss(out, static_cast<double>(values[0]));
      out.loss += static_cast<double>(values[0]) / schedule_.accumulate;
      for (std::size_t k = 0; k < queued.measured; ++k)
        measured[k].value += static_cast<double>(values[1 + k]) / schedule_.accumulate;
    }
    return out;
  }

  void check_loss(const StepReport& at, double value) {
    if (std::isfinite(value)) return;
    tape_.clear();
    queued_.clear();
    fail("the loss became ", std::isnan(value) ? "NaN" : "infinite", " at step ", at.step, " (epoch ", at.epoch,
         "); training stops. Go on from the last checkpoint, or begin again, with a lower learning rate "
         "(the optimiser's lr), a longer warm-up or clipped gradients (Schedule::clip_grad)");
  }

  void tell_of_gradients() const {
    const std::vector<std::string> names = without_gradient();
    if (names.empty()) return;
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
    std::fprintf(stderr, "Trainer: no gradient reaches %zu trainable parameters, which stay as they are: %s\n",
                 names.size(), list.c_str());
  }

  /// Losses and batches of a step that is queued as a whole are copied while the host goes on.
  static void need_page_locked_memory() {
    if (host_memory.page_locked || backend::Steps::eager) return;
    std::fputs("Trainer: host memory is not page-locked, so every kernel is queued by itself, which is slower; call "
               "use_pinned_memory() first\n",
               stderr);
    backend::Steps::eager = true;
  }

  /// Where the loss of a part arrives, and then its numbers: a step's beside those of the step that may still be under
  /// way.
  [[nodiscard]] scalar* values_of(long step, int part) {
    return values_.data() + static_cast<std::size_t>(step % 2 * schedule_.accumulate + part) * values_per_part;
  }

  static constexpr std::uint64_t training_stream = 0x20000000;  // apart from the loader's streams
  static constexpr std::size_t most_numbers = 15, values_per_part = 1 + most_numbers;

  Task task_;
  Optimizer<scalar, backend> optimizer_;
  Schedule schedule_;
  Seed seed_;
  std::function<void(const Tape&, long)> before_step_;
  std::function<void(long)> after_step_;
  double lr_ = 0, weight_decay_ = 0;
  bool told_of_gradients_ = false;
  Tape tape_;
  typename backend::Steps steps_;
  std::deque<Queued> queued_;
  HostVector<scalar> values_;
};

}}  // namespace vitral
