// One epoch of a source of batches as a range: for (const auto& batch : loader.epoch(3)) ...
#pragma once

#include <vitral/core/config.hpp>

#include <concepts>

namespace vitral { inline namespace VITRAL_ABI {

/// What a trainer takes batches from. `batches()` of them make an epoch; start(epoch, first_batch) begins one, and
/// next(batch) hands out its batches one by one, until it is false; stop() ends an epoch early.
template <class S>
concept BatchSource = requires(S& source, typename S::batch_type& batch, long number) {
  source.batches();
  source.start(number, number);
  { source.next(batch) } -> std::same_as<bool>;
  source.stop();
};

/// Made by `epoch(number)` of a source, which it refers to: the batches of one epoch, to be walked once. A batch that
/// is copied shares its tensors' memory with the original; the source leaves that memory alone from then on.
template <class Source>
class Epoch {
 public:
  Epoch(Source& source, long epoch, long first_batch) : source_(source) {
    source_.start(epoch, first_batch);
    advance();
  }

  struct End {};
  /// The batch that the range-for looks at.
  struct Iterator {
    Epoch* epoch;
    const typename Source::batch_type& operator*() const { return epoch->batch_; }
    Iterator& operator++() {
      epoch->advance();
      return *this;
    }
    bool operator==(End) const { return !epoch->more_; }
  };
  [[nodiscard]] Iterator begin() { return {this}; }
  [[nodiscard]] End end() const { return {}; }

 private:
  void advance() { more_ = source_.next(batch_); }

  Source& source_;
  typename Source::batch_type batch_;
  bool more_ = false;
};

}}  // namespace vitral
