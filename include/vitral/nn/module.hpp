// Modules: plain structs whose members are parameters, states, other modules and lists of them. A module names its
// members once; everything that walks parameters (optimisers, averages, checkpoints) uses that.
#pragma once

#include <vitral/autodiff/operation.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// A function for `visit` that does nothing. (nvcc takes no lambda in a concept.)
struct VisitNothing {
  void operator()(std::string_view, auto&) const {}
};

template <class... M>
Pack<M*...> addresses_of(M&... members) {
  return pack_handles(&members...);
}
/// Calls f(name, member) for each member; `names` is what the preprocessor makes of a list: "fc1, fc2".
template <class... M, class F>
void visit_members(std::string_view names, const Pack<M*...>& members, F&& f) {
  for_each(members, [&](auto* member) {
    const std::size_t end = names.find(',');
    f(names.substr(0, end), *member);
    names.remove_prefix(std::min(names.size(), names.find_first_not_of(", ", end)));
  });
}

}  // namespace detail

/// Makes a struct a module. The names are those of checkpoints. Where names differ from the members' (a list that is
/// named otherwise, a member that may be absent), write what it stands for: `static void visit(auto& self, auto&& f)`,
/// which calls f(name, member) for each member.
///
///   struct Net {
///     Linear<784, 256> hidden;
///     Linear<256, 10> out;
///     VITRAL_MEMBERS(hidden, out)
///     auto operator()(const Operand auto& x) const { return out(relu(hidden(x))); }
///   };
#define VITRAL_MEMBERS(...)                                                                \
  auto vitral_members() { return ::vitral::detail::addresses_of(__VA_ARGS__); }            \
  auto vitral_members() const { return ::vitral::detail::addresses_of(__VA_ARGS__); }      \
  static void visit(auto& vitral_self, auto&& vitral_f) {                                  \
    ::vitral::detail::visit_members(#__VA_ARGS__, vitral_self.vitral_members(), vitral_f); \
  }

template <class M>
concept Module = requires(M& m) {
  M::visit(m, detail::VisitNothing{});
};

namespace detail {

template <class M>
concept SaysParameters = requires {
  typename M::scalar;
  typename M::backend;
};

template <class M>
constexpr auto first_parameter();

constexpr std::type_identity<None> first_parameter_among(const Pack<>*) { return {}; }
template <class First, class... Rest>
constexpr auto first_parameter_among(const Pack<First*, Rest*...>*) {
  constexpr auto found = first_parameter<First>();
  if constexpr (std::is_same_v<decltype(found), const std::type_identity<None>>)
    return first_parameter_among(static_cast<const Pack<Rest*...>*>(nullptr));
  else
    return found;
}

/// The type of the first parameter of a member: a parameter, a module, or a list of either; None where it has none.
template <class M>
constexpr auto first_parameter() {
  if constexpr (is_parameter<M>)
    return std::type_identity<M>{};
  else if constexpr (Module<M> && SaysParameters<M>)
    return std::type_identity<Parameter<typename M::scalar, Shape<>, typename M::backend>>{};
  else if constexpr (requires(M & m) { m.vitral_members(); })
    return first_parameter_among(static_cast<decltype(std::declval<M&>().vitral_members())*>(nullptr));
  else if constexpr (requires { typename M::value_type; })
    return first_parameter<typename M::value_type>();
  else
    return std::type_identity<None>{};
}

template <class M>
struct parameter_of_module {
  using type = typename decltype(first_parameter<std::remove_cvref_t<M>>())::type;
  static_assert(Module<std::remove_cvref_t<M>> || is_parameter<std::remove_cvref_t<M>>,
                "vitral: this struct is no module; name its members by VITRAL_MEMBERS(first, second)");
  static_assert(is_parameter<type>,
                "vitral: the type of this module's parameters is unknown: it has none, or a `visit` of its own without "
                "`using scalar = float; using backend = Cpu;`");
};

}  // namespace detail

/// The scalar type and the backend of a module's parameters: those of the first one. A module with a `visit` of its own
/// says them itself, as `scalar` and `backend`. A parameter alone will do, too: make_optimizer(Adam{}, parameter).
template <class M>
using scalar_of_module = scalar_of<typename detail::parameter_of_module<M>::type>;
/// See scalar_of_module.
template <class M>
using backend_of_module = backend_of<typename detail::parameter_of_module<M>::type>;

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
                  "vitral: a member of a module must be a parameter, a state, a module or a list of them; a struct "
                  "becomes a module by VITRAL_MEMBERS(its, members)");
  }
}

// What the functions below do at each member. They make it outside of the templates over the module, so that its type
// is the same for every module: modules that have members of one type share the code that walks these.

/// f at parameters alone.
template <class F>
auto at_parameters(F& f) {
  return [&f](const std::string& path, auto& member) {
    if constexpr (is_parameter<std::remove_cvref_t<decltype(member)>>) f(path, member);
  };
}
inline auto hash_names(std::vector<std::pair<std::size_t, const void*>>& out) {
  return [&out](const std::string& path, const auto& p) { out.emplace_back(std::hash<std::string_view>{}(path), &p); };
}
inline auto count_elements(long& count, bool trainable_only) {
  return [&count, trainable_only](const std::string&, const auto& p) {
    if (p.trainable || !trainable_only) count += p.value.size();
  };
}
inline auto copy_memory(std::unordered_map<const void*, std::pair<Buffer, long>>& copies) {
  return [&copies](const std::string& name, auto& member) {
    auto& [copy, elements] = copies[member.value.data()];
    if (!copy) copy = clone(member.value).buffer(), elements = member.value.size();
    check(elements == member.value.size(), "clone_module: ", name, " has ", member.value.size(),
          " elements in the memory of a member that has ", elements, "; give it memory of its own (clone)");
    member.value = {copy, member.value.shape()};
  };
}
inline auto make_trainable(bool trainable) {
  return [trainable](const std::string&, auto& p) { p.trainable = trainable; };
}

}  // namespace detail

/// Calls f(path, member) for each parameter and state below a module, in the order in which members are named. Paths
/// join names by dots and number the elements of lists, as PyTorch does: "blocks.0.attn.qkv.weight".
///
///   for_each_tensor(net, [](const std::string& path, const auto& member) {
///     std::printf("%s %s\n", path.c_str(), to_string(member.value.shape()).c_str());
///   });
template <class M, class F>
void for_each_tensor(M& module, F&& f, std::string prefix = "") {
  prefix.reserve(64);
  detail::walk(prefix, module, f);
}
/// The same for parameters alone.
template <class M, class F>
void for_each_parameter(M& module, F&& f, std::string prefix = "") {
  for_each_tensor(module, detail::at_parameters(f), std::move(prefix));
}

/// Calls f(path, parameter, partner) for each parameter of a module and the one of the same path in another module of
/// this type. Throws Error at the first parameter that one of them has not, or has in another shape.
template <class M, class F>
void for_each_pair(const M& module, const M& other, F&& f) {
  const std::hash<std::string_view> hash;
  std::vector<std::pair<std::size_t, const void*>> partners;  // by the hash of their paths
  for_each_parameter(other, detail::hash_names(partners));
  std::size_t i = 0;
  for_each_parameter(module, [&]<class P>(const std::string& path, const P& p) {
    check(i < partners.size() && partners[i].first == hash(path), "for_each_pair: the first module has ", path,
          " where the second has another parameter, or none");
    const P& partner = *static_cast<const P*>(partners[i++].second);  // one path is one member of M, thus of one type
    check(partner.shape() == p.shape(), "for_each_pair: ", path, " has the shape ", p.shape(), " in one module and ",
          partner.shape(), " in the other");
    f(path, p, partner);
  });
  check(i == partners.size(), "for_each_pair: the second module has ", partners.size() - i, " parameters more");
}

/// The number of parameters' elements, or of the trainable ones.
template <class M>
[[nodiscard]] long count_parameters(const M& module, bool trainable_only = false) {
  long count = 0;
  for_each_parameter(module, detail::count_elements(count, trainable_only));
  return count;
}

/// A copy whose parameters and states have memory of their own; what members share they share in the copy.
template <class M>
[[nodiscard]] M clone_module(M module) {
  std::unordered_map<const void*, std::pair<Buffer, long>> copies;
  for_each_tensor(module, detail::copy_memory(copies));
  return module;
}

/// Freezes everything below a module, or has it trained again.
template <class M>
void set_trainable(M& module, bool trainable) {
  for_each_parameter(module, detail::make_trainable(trainable));
}

/// `value` as a constant on the tape of x, or as it is where x is on none.
template <class X, class T, class S, class B>
[[nodiscard]] auto constant_beside(const X& x, const Tensor<T, S, B>& value) {
  if constexpr (is_recorded<X>)
    return x.tape().constant(value);
  else
    return value;
}
/// A parameter for operations that shape it (slice, reshape): watched by the tape of x, or its value where x is on
/// none.
template <class X, class T, class S, class B>
[[nodiscard]] auto watched_beside(const X& x, const Parameter<T, S, B>& parameter) {
  if constexpr (is_recorded<X>)
    return x.tape().watch(parameter);
  else
    return parameter.value;
}

}}  // namespace vitral
