// StepReport: what one optimisation step did.
#pragma once

#include <vitral/core/error.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// A number with a name, beside the loss.
struct NamedNumber {
  std::string name;
  double value;
};

/// What a trainer says about a step.
struct StepReport {
  long step = 0, steps = 0;  ///< of the whole run; step counts from 0
  double epoch = 0;          ///< epochs done after this step
  double loss = 0, lr = 0;   ///< the loss is the mean over the step's batches
  std::vector<NamedNumber>
      numbers{};  ///< what the task names (its for_each_number): of the step, or means over its batches

  /// One of `numbers`; throws Error, with those that there are, where it is none of them.
  [[nodiscard]] double operator[](std::string_view name) const {
    std::string names;
    for (const NamedNumber& number : numbers) {
      if (number.name == name) return number.value;
      names += (names.empty() ? "" : ", ") + number.name;
    }
    fail("StepReport: the task names no number ", name, "; it names ", names.empty() ? "none" : names);
  }
};

}}  // namespace vitral
