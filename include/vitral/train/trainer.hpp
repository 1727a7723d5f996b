// Trainer: batches, schedules, optimiser, teacher and checkpoints of one pretraining run.
#pragma once

#include <vitral/data/loader.hpp>
#include <vitral/io/checkpoint.hpp>
#include <vitral/nn/rounded_weights.hpp>
#include <vitral/optim/optimizers.hpp>
#include <vitral/optim/schedule.hpp>
#include <vitral/ssl/method.hpp>

#include <array>
#include <charconv>
#include <cstdio>
#include <deque>

namespace vitral { inline namespace VITRAL_ABI {

/// How a run changes over time, as in the published code: the learning rate rises linearly over the warm-up and falls
/// along a cosine; weight decay, teacher momentum and ratio follow a cosine from the first step on.
struct Schedule {
  int epochs = 100;
  int warmup_epochs = 10;
  double min_lr = 0;
  double weight_decay_end = -1;  // negative: as at the start
  double momentum = 0.996;       // of the teacher; rises to 1
  bool ratio_rises = false;      // self-distillation's ratio: from 0 to its value instead of constant
  int accumulate = 1;            // batches whose gradients make one step
  double clip_grad = 0;          // largest norm of the gradient; 0: no limit
};

/// What one optimisation step did.
struct StepReport {
  long step, steps;  // of the whole run; step counts from 0
  double epoch;      // epochs done after this step
  double loss, lr, momentum, ratio;
};

/// The number of steps that a run had done when Trainer::save wrote the file.
[[nodiscard]] inline long saved_steps(const SafetensorsFile& file) {
  const std::string& text = file.metadata("step");
  const char* const last = text.data() + text.size();
  long steps = -1;
  const auto [end, error] = std::from_chars(text.data(), last, steps);
  check(error == std::errc() && end == last && steps >= 0, file.path(),
        ": its step count is no number: ", legible(text));
  return steps;
}

/// Runs a method. Everything it does depends on the seed alone: not on threads, workers, or interruptions.
template <class Method>
class Trainer {
 public:
  using scalar = typename Method::scalar;
  using backend = typename Method::backend;

  /// The optimiser's learning rate is the highest one (see scaled_learning_rate).
  Trainer(const Method& method, const OptimizerSettings& settings, const Schedule& schedule, Seed seed = Seed{0})
      : method_(method),
        optimizer_(make_optimizer(settings, method_)),
        schedule_(schedule),
        seed_(seed),
        ratio_(method_.distillation ? method_.distillation->ratio : 0) {
    std::visit([this](const auto& s) { lr_ = s.lr, weight_decay_ = s.weight_decay; }, settings);
    check(schedule.epochs >= 1 && schedule.warmup_epochs >= 0 && schedule.warmup_epochs <= schedule.epochs,
          "Trainer: ", schedule.warmup_epochs, " warm-up epochs of ", schedule.epochs,
          " epochs; the warm-up must fit into the run");
    check(schedule.accumulate >= 1, "Trainer: accumulate must be 1 or more, not ", schedule.accumulate);
  }

  [[nodiscard]] const Method& method() const { return method_; }
  [[nodiscard]] long steps_done() const { return optimizer_.steps(); }
  /// What the backend queues steps with.
  [[nodiscard]] const typename backend::Steps& runs() const { return steps_; }

  /// Optimisation steps in an epoch of this loader; batches that do not fill a step are left out.
  template <class Source>
  [[nodiscard]] long steps_per_epoch(const Source& loader) const {
    const long steps = loader.batches() / schedule_.accumulate;
    check(steps > 0, "Trainer: ", loader.batches(), " batches in an epoch are fewer than the ", schedule_.accumulate,
          " that make a step; use a smaller batch or accumulate less");
    return steps;
  }

  /// Trains from where the run stands to its end. `report(StepReport)` is called after every step and returns whether
  /// to go on. On a device that works beside the host it may be a step behind: steps_done() and save() then speak of
  /// the step after the reported one. Source: Loader, or what offers the same.
  template <class Source, class Report>
  void fit(Source& loader, Report&& report) {
    check(loader.views().size() == 2, "Trainer: the loader makes ", loader.views().size(),
          " views of an image; expected two_views(...)");
    if constexpr (!backend::on_host) need_page_locked_memory();
    const long per_epoch = steps_per_epoch(loader), steps = per_epoch * schedule_.epochs;
    check(steps_done() <= steps, "Trainer: ", steps_done(), " steps are done, but ", schedule_.epochs, " epochs of ",
          per_epoch, " steps are ", steps, "; the checkpoint belongs to a longer run or to more images");
    std::array<InFlight<typename Source::batch_type>, 2> batches;
    losses_.resize(static_cast<std::size_t>(2 * schedule_.accumulate));
    bool wanted = true;
    for (long epoch = steps_done() / per_epoch; wanted && epoch < schedule_.epochs; ++epoch) {
      const long first = steps_done() % per_epoch;
      loader.start(epoch, first * schedule_.accumulate);
      for (long i = first; wanted && i < per_epoch; ++i) {
        queue_step(loader, batches, per_epoch, steps);
        if (static_cast<long>(queued_.size()) > backend::Steps::ahead) wanted = report(finish_step());
      }
    }
    loader.stop();
    while (!queued_.empty()) report(finish_step());
  }
  void fit(Loader loader) {
    fit(loader, [](const StepReport&) { return true; });
  }

  /// Names of the trainable parameters that no gradient reached in the last step.
  [[nodiscard]] std::vector<std::string> without_gradient() const {
    std::vector<std::string> names;
    for (const auto& p : optimizer_.parameters())
      if (!tape_.has_grad(p.value.data())) names.push_back(p.name);
    return names;
  }

  /// Everything that a run needs to go on: method, optimiser state and step count. The file replaces an older one
  /// whole; Error, and the older one stays, where a number of these is not finite.
  void save(const std::filesystem::path& path, Metadata metadata = {}) const {
    StateDict state;
    state.add_module(method_);
    optimizer_.for_each_state([&](const std::string& name, const auto& x) { state.add("optimizer." + name, x); });
    metadata["step"] = std::to_string(steps_done());
    state.write(path, metadata);
  }
  void load(const SafetensorsFile& file) {
    const long steps = saved_steps(file);
    optimizer_.for_each_state(
        [&](const std::string& name, const auto& x) { load_tensor(file, "optimizer." + name, x); });
    load_module(file, method_);
    optimizer_.set_steps(steps);
  }

 private:
  /// A batch that a run may still read.
  template <class B>
  struct InFlight {
    B batch;
    long run = -1;
  };
  /// A step of which the device may not be done.
  struct Queued {
    StepReport report;
    long run;
  };
  enum Kind : std::size_t { first_part, further_part, update };  // of runs

  template <class Source, class Batches>
  void queue_step(Source& loader, Batches& batches, long per_epoch, long steps) {
    const long now = steps_done();
    const auto cosine = [&](double base, double final) { return CosineSchedule{base, final, steps}.at(now); };
    StepReport out{now, steps, static_cast<double>(now + 1) / static_cast<double>(per_epoch), 0, 0, 0, 0};
    out.lr = CosineSchedule{lr_, schedule_.min_lr, steps, schedule_.warmup_epochs * per_epoch}.at(now);
    out.momentum = cosine(schedule_.momentum, 1);
    out.ratio = schedule_.ratio_rises ? cosine(0, ratio_) : ratio_;
    if (method_.distillation) method_.distillation->ratio = out.ratio;

    for (int part = 0; part < schedule_.accumulate; ++part) {
      const long number = now * schedule_.accumulate + part;
      auto& in_flight = batches[static_cast<std::size_t>(number) % 2];
      auto& batch = in_flight.batch;
      if (in_flight.run >= 0) steps_.wait(in_flight.run);
      check(loader.next(batch), "Trainer: the loader ended in the middle of an epoch");
      const Training mode{Random{seed_.value, training_stream, static_cast<std::uint64_t>(number)}};
      in_flight.run = steps_.run(part == 0 ? first_part : further_part, [&] {
        if (part == 0) tape_.zero_grad();
        const auto here = to_backend<backend>(batch);
        const auto loss = loss_of(here.views[0], here.views[1], mode);
        backend::queue_copy_to_host(loss.value().data(), losses_.data() + loss_index(now, part), 1);
        if constexpr (backend::on_host) check_loss(out, static_cast<double>(losses_[loss_index(now, part)]));
        tape_.backward(eval(loss * (1.0 / schedule_.accumulate)));
      });
    }
    const long run = steps_.run(update, [&] {
      if (schedule_.clip_grad > 0) (void)clip_grad_norm(optimizer_.parameters(), tape_, schedule_.clip_grad);
      optimizer_.set_lr(out.lr);
      optimizer_.set_weight_decay(schedule_.weight_decay_end < 0 ? weight_decay_
                                                                 : cosine(weight_decay_, schedule_.weight_decay_end));
      optimizer_.step(tape_, method_, out.momentum);
    });
    if (!std::exchange(told_of_gradients_, true)) tell_of_gradients();
    queued_.push_back({out, run});
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

  /// A device rounds all weights at once: a kernel for each costs more than its work. The host rounds them as it packs
  /// them.
  template <class View>
  auto loss_of(const View& view1, const View& view2, const Training& mode) {
    if constexpr (std::is_same_v<typename Method::activation, bf16> && !backend::on_host) {
      const RoundedWeights rounded(method_);
      return method_.loss(tape_, view1, view2, mode);
    } else {
      return method_.loss(tape_, view1, view2, mode);
    }
  }

  /// Waits for the oldest queued step.
  StepReport finish_step() {
    const Queued queued = queued_.front();
    queued_.pop_front();
    steps_.wait(queued.run);
    StepReport out = queued.report;
    for (int part = 0; part < schedule_.accumulate; ++part) {
      const auto value = static_cast<double>(losses_[loss_index(out.step, part)]);
      check_loss(out, value);
      out.loss += value / schedule_.accumulate;
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

  /// Where the loss of a part stands: a step's beside those of the step that may still be under way.
  [[nodiscard]] std::size_t loss_index(long step, int part) const {
    return static_cast<std::size_t>(step % 2 * schedule_.accumulate + part);
  }

  static constexpr std::uint64_t training_stream = 0x20000000;  // apart from the loader's streams

  Method method_;
  Optimizer<scalar, backend> optimizer_;
  Schedule schedule_;
  Seed seed_;
  double ratio_, lr_ = 0, weight_decay_ = 0;
  bool told_of_gradients_ = false;
  Tape tape_;
  typename backend::Steps steps_;
  std::deque<Queued> queued_;
  HostVector<scalar> losses_;
};

}}  // namespace vitral
