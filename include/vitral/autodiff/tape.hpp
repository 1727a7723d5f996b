// Tape: the record of a computation, walked backwards to get gradients. It is explicit (several can live side by side)
// and type-erased: a node is a function pointer and a payload in an arena.
#pragma once

#include <vitral/autodiff/arena.hpp>
#include <vitral/autodiff/variable.hpp>

#include <unordered_map>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Records operations on its variables. `backward` frees each node, what it saved and its result's gradient as soon as
/// they were used; gradients of leaves stay and accumulate until `zero_grad`.
///
///   Tape tape;
///   const auto v = tape.watch(x);
///   tape.backward(mean(square(v)));
///   const auto slope = v.grad();  // 2 x / n, of the shape of x
class Tape {
 public:
  Tape() : registration_(*this) {}
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;
  ~Tape() { clear(); }

  /// The tensor or parameter as a variable whose gradient is kept. A tensor's memory has one gradient, however often it
  /// is watched.
  template <class T, class S, class B>
  [[nodiscard]] Variable<T, S, B> watch(const Tensor<T, S, B>& x) {
    return {x, *this, leaf_slot(x, false)};
  }
  template <class T, class S, class B>
  [[nodiscard]] Variable<T, S, B> watch(const Parameter<T, S, B>& x) {
    return {x.value, *this, slot_of(x)};
  }
  /// The value of any operand as a variable without a gradient, such as the images that a network is given, an
  /// expression of tensors, or what was computed on another tape.
  template <Operand X>
  [[nodiscard]] auto constant(const X& x) {
    return Variable<scalar_of<X>, shape_of<X>, backend_of<X>>(value_of(x), *this, {});
  }

  /// Computes the gradients of all leaves that y came from, given that of y, which has y's shape, and adds them to what
  /// earlier passes left. That ends the record: variables computed so far keep their values, but cannot be computed
  /// with.
  template <class T, class S, class B>
  void backward(const Variable<T, S, B>& y, const Tensor<T, S, B>& upstream) {
    check(&y.tape() == this, "backward: the variable was recorded on another tape");
    check(lane_place<B>() == LanePlace{}, "backward: in a lane; leave the lanes first");
    check(static_cast<bool>(y.slot()),
          "backward: no gradient is wanted for anything that this variable was computed from; watch a tensor, or use a "
          "parameter that is trainable");
    check(upstream.shape() == y.shape(), "backward: a gradient of shape ", upstream.shape(),
          " was given for a variable of shape ", y.shape(), "; the two must be equal");
    check_current(y);
    const auto g = gradient<T, B>(y.slot(), y.shape());
    check(!g.add, "backward: the variable already has a gradient; pass an operation's result, not a watched tensor");
    B::copy(upstream.data(), g.tensor.data(), g.tensor.size());
    run();
  }
  /// The same for a loss, which must be one number and whose gradient is 1. An expression is evaluated, and recorded,
  /// first.
  template <Operand Loss>
  void backward(const Loss& loss) {
    if constexpr (is_variable<Loss>) {
      check(loss.value().size() == 1, "backward: the loss has shape ", loss.shape(),
            "; reduce it to one number with mean or sum, or give the upstream gradient");
      auto one = Tensor<scalar_of<Loss>, shape_of<Loss>, backend_of<Loss>>::uninitialized(loss.shape());
      backend_of<Loss>::fill(one.data(), 1, scalar_of<Loss>(1.0f));
      backward(loss, one);
    } else {
      static_assert(is_recorded<Loss>, "vitral: backward: the loss was computed from no variable of a tape");
      backward(eval(loss));
    }
  }

  /// The gradient of a watched tensor; zeros where none arrived. Throws where the tensor was never watched.
  template <class T, class S, class B>
  [[nodiscard]] Tensor<T, S, B> grad(const Tensor<T, S, B>& x) const {
    const Leaf* const leaf = leaf_named(x.data());
    check(leaf, "grad: the tape has never watched this tensor of shape ", x.shape(),
          "; watch it before the computation");
    return gradient_or_zeros(leaf, x);
  }
  /// The gradient of a parameter; zeros where it met no variable of this tape, or none arrived.
  template <class T, class S, class B>
  [[nodiscard]] Tensor<T, S, B> grad(const Parameter<T, S, B>& x) const {
    return gradient_or_zeros(leaf_named(x.value.data()), x.value);
  }
  [[nodiscard]] bool has_grad(const void* data) const {
    const Leaf* const leaf = leaf_named(data);
    return leaf && leaf->gradient;
  }
  /// Calls f(buffer, elements) for every parameter with a gradient.
  template <class F>
  void for_each_parameter_with_gradient(F&& f) const {
    for (const Leaf& leaf : leaves_)
      if (leaf.parameter && leaf.gradient) f(leaf.value, leaf.elements);
  }

  /// Forgets the gradients of the leaves.
  void zero_grad() {
    for (Leaf& leaf : leaves_) leaf.gradient = Buffer();
  }
  /// Forgets what was recorded and not yet walked, for instance after an exception, and the leaves that nobody else
  /// holds any more.
  void clear() {
    while (!nodes_.empty()) drop_last();
    ++record_;
    last_user_.clear();
    arena_.rewind();
    drop_unheld_leaves();
  }
  [[nodiscard]] std::size_t recorded_nodes() const { return nodes_.size(); }

  // ---- for operations -----------------------------------------------------------------------------------------------

  [[nodiscard]] TapeHandle handle() const { return registration_.handle(); }

  /// Throws where a variable cannot be computed with: what it came from was walked and freed, or it was moved from.
  template <class T, class S, class B>
  void check_current(const Variable<T, S, B>& x) const {
    check(x.slot().kind != Slot::Kind::inner || x.slot().record == record_, "a variable of shape ", x.shape(),
          " was used after backward (or clear) had freed what it was computed from; "
          "compute it anew, add losses up before one backward, or pass detach(x) where its value alone is meant");
    check(static_cast<bool>(x.value()), "a variable of shape ", x.shape(), " was used after it was moved from");
  }

  template <class T, class S, class B>
  [[nodiscard]] Slot slot_of(const Parameter<T, S, B>& x) {
    return x.trainable ? leaf_slot(x.value, true) : Slot{};
  }

  /// Adds a node whose payload offers `backend` and `run(Tape&, Slot)`, and gives the slot of its result. Its backward
  /// runs in the lane in which it is recorded. What `run` itself records is walked next.
  template <class Payload>
  [[nodiscard]] Slot record(Payload payload) {
    static_assert(sizeof(Payload) <= Arena::block_size,
                  "vitral: this expression is too large to record; eval a part of it");
    void* place = arena_.allocate(sizeof(Payload), alignof(Payload));
    auto* stored = ::new (place) Payload(std::move(payload));
    nodes_.push_back({[](void* p, Tape& tape, Slot result) { static_cast<Payload*>(p)->run(tape, result); },
                      [](void* p) { static_cast<Payload*>(p)->~Payload(); }, stored,
                      Lane::here<typename Payload::backend>()});
    inner_.emplace_back();
    return {Slot::Kind::inner, static_cast<int>(nodes_.size()) - 1, record_};
  }

  /// Where to write a gradient. Memory that another slot reads is copied before it is added to.
  template <class T, class B, class S>
  [[nodiscard]] Gradient<T, S, B> gradient(Slot slot, const S& shape) {
    Buffer& buffer = at(slot);
    const bool add = static_cast<bool>(buffer);
    const auto fresh = [&] { return Tensor<T, S, B>::uninitialized(shape); };
    if (!add) {
      buffer = fresh().buffer();
    } else if (slot.kind == Slot::Kind::inner && std::exchange(inner_at(slot).lent, false) && buffer.shared()) {
      if constexpr (HasLanes<B>) order_lanes<B>(buffer.data());
      const auto own = fresh();
      B::copy(static_cast<const T*>(buffer.data()), own.data(), own.size());
      buffer = own.buffer();
    }
    if constexpr (HasLanes<B>) order_lanes<B>(buffer.data());
    return {Tensor<T, S, B>(buffer, shape), add};
  }
  /// The gradient that has arrived at a node's result. To be read only: other slots may hold the same memory.
  template <class T, class B, class S>
  [[nodiscard]] Tensor<T, S, B> gradient_of_result(Slot slot, const S& shape) {
    if constexpr (HasLanes<B>) order_lanes<B>(at(slot).data());
    return {at(slot), shape};
  }
  /// Lets a slot that has no gradient yet share that of the result of the node at work, instead of a copy. Gives false,
  /// and does nothing, for a leaf, whose gradient outlives the pass and is changed by others.
  [[nodiscard]] bool lend(Slot result, Slot slot) {
    if (slot.kind != Slot::Kind::inner || at(slot)) return false;
    inner_at(slot) = {at(result), true};
    return true;
  }

 private:
  /// Where a node was recorded, and how to go back there.
  struct Lane {
    int number = 0;
    void (*enter)(int) = nullptr;

    template <class B>
    static Lane here() {
      if constexpr (HasLanes<B>)
        return {lane_place<B>().lane, B::Lanes::enter};
      else
        return {};
    }
  };

  struct Node {
    void (*run)(void*, Tape&, Slot);
    void (*destroy)(void*);
    void* payload;
    Lane lane;
  };

  /// The gradient of a node's result. `lent`: it may be the memory of other slots, too.
  struct Inner {
    Buffer gradient;
    bool lent = false;
  };
  /// A watched tensor, which is kept alive so that its address names it, and its gradient.
  struct Leaf {
    Buffer value, gradient;
    long elements = 0;
    bool parameter = false;
  };

  template <class T, class S, class B>
  static Tensor<T, S, B> gradient_or_zeros(const Leaf* leaf, const Tensor<T, S, B>& x) {
    if (!leaf || !leaf->gradient) return Tensor<T, S, B>(x.shape());
    check(leaf->elements == x.size(), "grad: a tensor of shape ", x.shape(),
          " shares the memory of one that was watched with ", leaf->elements, " elements");
    return {leaf->gradient, x.shape()};
  }
  /// Null where the tensor was never watched.
  const Leaf* leaf_named(const void* data) const {
    const auto found = leaf_of_.find(data);
    return found == leaf_of_.end() ? nullptr : &leaves_[static_cast<std::size_t>(found->second)];
  }
  template <class T, class S, class B>
  Slot leaf_slot(const Tensor<T, S, B>& x, bool parameter) {
    check(static_cast<bool>(x), "a tensor of shape ", x.shape(),
          " without elements was watched; it was never assigned, or moved from");
    const auto [place, is_new] =
        leaf_of_.try_emplace(x.data(), free_leaves_.empty() ? static_cast<int>(leaves_.size()) : free_leaves_.back());
    if (is_new) {
      if (free_leaves_.empty()) {
        leaves_.emplace_back();
        free_leaves_.reserve(leaves_.size());  // so that dropping them needs no memory
      } else {
        free_leaves_.pop_back();
      }
      leaves_[static_cast<std::size_t>(place->second)] = {x.buffer(), {}, x.size(), parameter};
    }
    Leaf& leaf = leaves_[static_cast<std::size_t>(place->second)];
    check(leaf.elements == x.size(), "a tensor of shape ", x.shape(),
          " shares the memory of one that the tape watches with ", leaf.elements,
          " elements; one memory has one gradient: clone the tensor");
    leaf.parameter |= parameter;
    return {Slot::Kind::leaf, place->second};
  }
  /// Forgets the leaves that no variable and no other tensor holds any more. Called when no node is left.
  void drop_unheld_leaves() {
    for (std::size_t i = 0; i < leaves_.size(); ++i) {
      if (!leaves_[i].value || leaves_[i].value.shared()) continue;
      leaf_of_.erase(leaves_[i].value.data());
      leaves_[i] = {};
      free_leaves_.push_back(static_cast<int>(i));
    }
  }
  Buffer& at(Slot slot) {
    return slot.kind == Slot::Kind::leaf ? leaves_[static_cast<std::size_t>(slot.index)].gradient
                                         : inner_at(slot).gradient;
  }
  Inner& inner_at(Slot slot) { return inner_[static_cast<std::size_t>(slot.index)]; }
  void drop_last() {
    nodes_.back().destroy(nodes_.back().payload);
    nodes_.pop_back();
    inner_.pop_back();
  }
  void go_to(const Lane& lane) {
    const Lane before = std::exchange(lane_, lane);
    if (before.number != lane.number) (lane.enter ? lane : before).enter(lane.number);
  }
  /// Makes the lane at work wait for what another one did to this gradient. Called before a node reads or writes it.
  template <class B>
  void order_lanes(const void* gradient) {
    const LanePlace here = lane_place<B>();
    if (here.lane == 0) return;
    LanePlace& last = last_user_[gradient];
    if (last.region == here.region && last.lane != here.lane) {
      B::Lanes::enter(0);
      B::Lanes::enter(here.lane);
    }
    last = lane_place<B>();
  }
  void run() {
    struct Return {
      Tape& tape;
      ~Return() {
        try {
          tape.go_to({});
        } catch (...) {  // another exception is on its way
        }
        tape.clear();
      }
    } on_return{*this};
    while (!nodes_.empty()) {
      const Slot result{Slot::Kind::inner, static_cast<int>(nodes_.size()) - 1, record_};
      if (at(result)) {
        const Node node = nodes_.back();
        go_to(node.lane);
        node.run(node.payload, *this, result);
        at(result) = Buffer();
        if (result.index + 1 < static_cast<int>(nodes_.size())) continue;  // it comes again without a gradient
      }
      drop_last();
    }
    go_to({});
  }

  TapeRegistration registration_;
  unsigned record_ = 1;
  std::vector<Node> nodes_;
  std::vector<Inner> inner_;
  std::vector<Leaf> leaves_;
  std::vector<int> free_leaves_;  // places in leaves_
  std::unordered_map<const void*, int> leaf_of_;
  std::unordered_map<const void*, LanePlace> last_user_;  // of the gradients that lanes have used
  Lane lane_;                                             // of the node that runs
  Arena arena_;
};

template <class T, class S, class B>
Variable<T, S, B>::Variable(Tensor<T, S, B> value, const Tape& tape, Slot slot)
    : value_(std::move(value)), tape_(tape.handle()), slot_(slot) {}

template <class T, class S, class B>
Tensor<T, S, B> Variable<T, S, B>::grad() const {
  const Tape& on = tape();
  check(slot_.kind == Slot::Kind::leaf, "grad: a variable of shape ", shape(),
        slot_ ? " is an operation's result, whose gradient is not kept; ask a watched tensor for its own"
              : " is a constant, which has no gradient; watch the tensor instead");
  return on.grad(value_);
}

/// The same value, through which no gradient flows back. A variable stays one, so that the layers after it are
/// recorded; value_of(x) leaves the tape.
template <class T, class S, class B>
[[nodiscard]] Variable<T, S, B> detach(const Variable<T, S, B>& x) {
  return {x.value(), x.tape(), {}};
}
/// A tensor as it is.
template <class T, class S, class B>
[[nodiscard]] Tensor<T, S, B> detach(const Tensor<T, S, B>& x) {
  return x;
}
/// A parameter's value.
template <class T, class S, class B>
[[nodiscard]] Tensor<T, S, B> detach(const Parameter<T, S, B>& x) {
  return x.value;
}

}}  // namespace vitral
