// Modules: plain structs whose members are parameters, states and other modules. Each names its members once, in
// `visit`; everything that walks parameters (optimisers, averages, checkpoints) uses that.
#pragma once

#include <vitral/autodiff/operation.hpp>

#include <atomic>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// A function for `visit` that does nothing. (nvcc takes no lambda in a concept.)
struct VisitNothing {
  void operator()(std::string_view, auto&) const {}
};

}  // namespace detail

/// A module offers `static void visit(auto& self, auto&& f)`, which calls f(name, member) for each member.
template <class M>
concept Module = requires(M& m) {
  M::visit(m, detail::VisitNothing{});
};

/// Evaluation mode: running statistics, nothing dropped.
struct Evaluation {};

/// Training mode: batch statistics; each layer that drops something draws from a stream of its own.
struct Training {
  Random random{};
  int views = 1;              ///< equal blocks of rows, one after the other, that a BatchNorm normalises apart
  int statistics_passes = 1;  ///< how often running statistics follow the batch's, as if it had been seen so often

  Training() = default;
  explicit Training(const Random& random) : random(random) {}

  /// The same mode for rows of several views.
  [[nodiscard]] Training of_views(int count, int passes = 1) const {
    Training out = *this;
    out.views = count;
    out.statistics_passes = passes;
    return out;
  }

  [[nodiscard]] Random draw() const {
    Random next = random;
    next.stream += streams_drawn_++;
    return next;
  }

 private:
  mutable std::uint64_t streams_drawn_ = 0;
};

/// The seed of a layer that is given none: another one each time, the same in each run of a program that makes its
/// layers in one order. The high bit keeps it apart from the small numbers that people choose.
[[nodiscard]] inline Seed next_seed() {
  static std::atomic<std::uint64_t> layers{0};
  return Seed{(std::uint64_t{1} << 63) + layers++};
}

/// Hands each parameter a stream of random numbers of its own, in the order of construction.
class Initializer {
 public:
  explicit Initializer(Seed seed) : seed_(seed) {}

  /// Uniform in [-bound, bound).
  template <class T, class S, class B>
  void fill_uniform(const Parameter<T, S, B>& p, double bound) {
    fill(p, [bound](const Random& random, std::uint64_t i) { return bound * (2 * random.uniform(i) - 1); });
  }
  template <class T, class S, class B>
  void fill_normal(const Parameter<T, S, B>& p, double deviation) {
    fill(p, [deviation](const Random& random, std::uint64_t i) { return deviation * random.normal(i); });
  }

 private:
  template <class T, class S, class B, class F>
  void fill(const Parameter<T, S, B>& p, F&& number) {
    const Random random{seed_.value, streams_++, 0};
    std::vector<T> values(static_cast<std::size_t>(p.value.size()));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(number(random, i));
    B::copy_from_host(values.data(), p.value.data(), p.value.size());
  }

  Seed seed_;
  std::uint64_t streams_ = 0;
};

namespace detail {

/// `path` grows and shrinks in place: a walk needs memory for its longest name alone.
template <class M, class F>
void walk(std::string& path, M& member, F&& f) {
  using Bare = std::remove_const_t<M>;
  const auto below = [&](std::string_view name, auto& inner) {
    const std::size_t length = path.size();
    if (length) path += '.';
    path += name;
    walk(path, inner, f);
    path.resize(length);
  };
  if constexpr (is_parameter<Bare> || is_state<Bare>) {
    f(std::as_const(path), member);
  } else if constexpr (Module<M>) {
    Bare::visit(member, below);
  } else if constexpr (requires { member.begin(); }) {
    int i = 0;
    for (auto& inner : member) below(std::to_string(i++), inner);
  } else {
    static_assert(std::is_same_v<Bare, None>,
                  "vitral: visit: a member must be a parameter, a state, a module or a list of them");
  }
}

}  // namespace detail

/// Calls f(path, parameter or state) for everything below a module; paths are timm's, "blocks.0.attn.qkv.weight".
template <class M, class F>
void for_each_tensor(M& module, F&& f, std::string prefix = "") {
  prefix.reserve(64);
  detail::walk(prefix, module, f);
}
template <class M, class F>
void for_each_parameter(M& module, F&& f, std::string prefix = "") {
  prefix.reserve(64);
  detail::walk(prefix, module, [&](const std::string& path, auto& member) {
    if constexpr (is_parameter<std::remove_cvref_t<decltype(member)>>) f(path, member);
  });
}

/// The number of parameters' elements, or of the trainable ones.
template <class M>
[[nodiscard]] long count_parameters(const M& module, bool trainable_only = false) {
  long count = 0;
  for_each_parameter(module, [&](const std::string&, const auto& p) {
    if (p.trainable || !trainable_only) count += p.value.size();
  });
  return count;
}

/// Gives every parameter and state of a copied module memory of its own; what members share they share in the copy.
template <class M>
[[nodiscard]] M clone_module(M module) {
  std::unordered_map<const void*, std::pair<Buffer, long>> copies;
  for_each_tensor(module, [&](const std::string& name, auto& member) {
    auto& [copy, elements] = copies[member.value.data()];
    if (!copy) copy = clone(member.value).buffer(), elements = member.value.size();
    check(elements == member.value.size(), "clone_module: ", name, " has ", member.value.size(),
          " elements in the memory of a member that has ", elements, "; give it memory of its own (clone)");
    member.value = {copy, member.value.shape()};
  });
  return module;
}

/// Switches gradients for everything below a module on or off.
template <class M>
void set_trainable(M& module, bool trainable) {
  for_each_parameter(module, [&](const std::string&, auto& p) { p.trainable = trainable; });
}

/// Puts a tensor on the tape of x, without a gradient, or leaves it as it is where x is on none.
template <class X, class T, class S, class B>
[[nodiscard]] auto constant_beside(const X& x, const Tensor<T, S, B>& value) {
  if constexpr (is_recorded<X>)
    return x.tape().constant(value);
  else
    return value;
}
/// A parameter as an operand of operations that shape it: watched by the tape of x where x is on one.
template <class X, class T, class S, class B>
[[nodiscard]] auto watched_beside(const X& x, const Parameter<T, S, B>& parameter) {
  if constexpr (is_recorded<X>)
    return x.tape().watch(parameter);
  else
    return parameter.value;
}

}}  // namespace vitral
