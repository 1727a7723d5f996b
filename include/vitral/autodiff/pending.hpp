// Pending: the result of an operation on parameters alone. It has its value at once; a tape that it meets later, beside
// a variable, records the operation then, so that the gradient reaches the parameters.
#pragma once

#include <vitral/autodiff/tape.hpp>

#include <memory>
#include <utility>

namespace vitral { inline namespace VITRAL_ABI {

/// How a tape that comes later records an operation: a function of the tape that gives the result's slot, or nothing.
class LateRecord {
 public:
  LateRecord() = default;
  template <class F>
  explicit LateRecord(F record)
      : kept_(std::make_shared<const F>(std::move(record))),
        run_([](const void* kept, Tape& tape) { return (*static_cast<const F*>(kept))(tape); }) {}

  explicit operator bool() const { return kept_ != nullptr; }
  Slot operator()(Tape& tape) const { return run_(kept_.get(), tape); }

 private:
  std::shared_ptr<const void> kept_;
  Slot (*run_)(const void*, Tape&) = nullptr;
};

/// The result of an operation on parameters alone. As a parameter does, it takes the scalar type of what it meets; each
/// time it meets a variable, the operation is recorded. `Rows`: it comes from rows that an index picked (an embedding).
template <class T, class S, class B, bool Rows>
struct Pending {
  using scalar = T;
  using shape_type = S;
  using backend = B;
  static constexpr bool weak = true, recorded = false;

  Tensor<T, S, B> value;
  LateRecord record{};  ///< empty where none of the parameters is trainable

  [[nodiscard]] const S& shape() const { return value.shape(); }
  [[nodiscard]] int extent(int axis) const { return value.extent(axis); }
  [[nodiscard]] T item() const { return value.item(); }
  [[nodiscard]] Slot slot_on(Tape& tape) const { return record ? record(tape) : Slot{}; }
};

template <class X>
inline constexpr bool is_pending = false;
template <class T, class S, class B, bool Rows>
inline constexpr bool is_pending<Pending<T, S, B, Rows>> = true;
template <class T, class S, class B, bool Rows>
inline constexpr bool is_of_parameters<Pending<T, S, B, Rows>> = true;

template <int R, class T, class S, class B, bool Rows>
LeafPlan<T, R> lower(const Pending<T, S, B, Rows>& x) {
  return lower<R>(x.value);
}

/// The value alone.
template <class T, class S, class B, bool Rows>
[[nodiscard]] Tensor<T, S, B> detach(const Pending<T, S, B, Rows>& x) {
  return x.value;
}

namespace detail {

template <class X>
inline constexpr bool has_picked_rows = false;
template <class T, class S, class B>
inline constexpr bool has_picked_rows<Pending<T, S, B, true>> = true;
template <class Op, class... A>
inline constexpr bool has_picked_rows<Expr<Op, A...>> = (has_picked_rows<A> || ...);

/// A Pending that has met a tape, in an expression that is recorded there.
template <class T, class S, class B>
struct Met {
  using scalar = T;
  using shape_type = S;
  using backend = B;
  static constexpr bool weak = true, recorded = true;
  Tensor<T, S, B> value;
  Slot on_tape;

  [[nodiscard]] const S& shape() const { return value.shape(); }
  [[nodiscard]] Slot slot() const { return on_tape; }
};

}  // namespace detail

template <int R, class T, class S, class B>
LeafPlan<T, R> lower(const detail::Met<T, S, B>& x) {
  return lower<R>(x.value);
}

}}  // namespace vitral
