// TapeHandle: names a tape and knows whether it still lives, so that a variable which outlives its tape is an error.
#pragma once

#include <vitral/core/error.hpp>

#include <mutex>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

class Tape;

/// Names a tape for as long as anybody asks, and knows whether it still exists.
class TapeHandle {
 public:
  /// The tape; throws where it has been destroyed.
  [[nodiscard]] Tape& get() const {
    check(place_->number == number_,
          "a variable was used after its tape was destroyed; keep the Tape for as long as its variables, or keep "
          "x.value() alone");
    return *place_->tape;
  }

 private:
  friend class TapeRegistration;

  /// One living tape. A place serves many tapes one after the other, and is never freed: handles may outlive them all.
  struct Place {
    Tape* tape = nullptr;
    unsigned long number = 0;
  };

  const Place* place_ = nullptr;
  unsigned long number_ = 0;
};

/// A tape's place among the living, taken and given back with it.
class TapeRegistration {
 public:
  explicit TapeRegistration(Tape& tape) {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    if (all.free.empty()) {
      all.free.reserve(++all.places);  // so that giving one back needs no memory
      all.free.push_back(new TapeHandle::Place);
    }
    place_ = all.free.back();
    all.free.pop_back();
    *place_ = {&tape, ++all.numbers};
  }
  TapeRegistration(const TapeRegistration&) = delete;
  TapeRegistration& operator=(const TapeRegistration&) = delete;
  ~TapeRegistration() {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    *place_ = {};
    all.free.push_back(place_);
  }

  [[nodiscard]] TapeHandle handle() const {
    TapeHandle out;
    out.place_ = place_;
    out.number_ = place_->number;
    return out;
  }

 private:
  struct Registry {
    std::mutex mutex;
    std::vector<TapeHandle::Place*> free;
    std::size_t places = 0;
    unsigned long numbers = 0;
  };
  static Registry& registry() {
    static Registry& all = *new Registry;  // never destroyed: a tape may be of static storage duration
    return all;
  }

  TapeHandle::Place* place_;
};

}}  // namespace vitral
