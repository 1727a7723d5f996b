// What a trainer trains: any module that offers a loss. Methods (ssl/) and Supervised are tasks, and so is a struct of
// yours; docs/training.md shows one.
#pragma once

#include <vitral/autodiff/operation.hpp>
#include <vitral/nn/mode.hpp>
#include <vitral/nn/module.hpp>

#include <string_view>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// A function for for_each_number that does nothing. (nvcc takes no lambda in a concept.)
struct IgnoreNumber {
  void operator()(std::string_view, const auto&) const {}
};

}  // namespace detail

/// A task is a module with
///   loss(tape, batch, mode)       one number, computed from variables of the tape, for a batch whose tensors are on
///                                 the task's backend; an expression will do. `mode` is a Training, for layers that
///                                 ask.
/// It may also offer
///   schedule(progress)            called before each step with the share of the run's steps that is done, from 0 on:
///                                 sets what changes over time;
///   for_each_average(f)           calls f(average, source, momentum) for two modules of which the first follows the
///                                 second by a moving average, as a teacher does (Optimizer::step);
///   for_each_number(f)            calls f(name, number) for what StepReport is to hold beside the loss: a number, or a
///                                 tensor of one element that `loss` has left in the task.
/// On a device steps are queued while it works on those before: nothing in a task may ask a tensor for its elements.
template <class T, class Batch>
concept TaskFor = Module<T> && requires(T& task, Tape& tape, const Batch& batch, const Training& mode) {
  requires is_recorded<decltype(eval(task.loss(tape, batch, mode)))>;
};

template <class T>
concept HasSchedule = requires(T& task, double progress) {
  task.schedule(progress);
};
template <class T>
concept HasNumbers = requires(const T& task) {
  task.for_each_number(detail::IgnoreNumber{});
};

}}  // namespace vitral
