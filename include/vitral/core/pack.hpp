// Pack: an aggregate list of values, for CUDA kernels too (libstdc++'s std::tuple is not trivially copyable).
#pragma once

#include <vitral/core/config.hpp>

#include <utility>

namespace vitral { inline namespace VITRAL_ABI {

/// A list of values of different types. Kernels can take it: unlike std::tuple it is trivially copyable.
template <class... T>
struct Pack {};
/// At least one value.
template <class H, class... T>
struct Pack<H, T...> {
  H head;
  Pack<T...> tail;
};

/// Element I of a pack.
template <int I, class H, class... T>
VITRAL_HD constexpr auto& get(Pack<H, T...>& pack) {
  if constexpr (I == 0)
    return pack.head;
  else
    return get<I - 1>(pack.tail);
}
/// Element I of a pack.
template <int I, class H, class... T>
VITRAL_HD constexpr const auto& get(const Pack<H, T...>& pack) {
  if constexpr (I == 0)
    return pack.head;
  else
    return get<I - 1>(pack.tail);
}

/// A pack of values: pack(1, 2.0f).
VITRAL_HD constexpr Pack<> pack() { return {}; }
/// A pack of values: pack(1, 2.0f).
template <class H, class... T>
VITRAL_HD constexpr Pack<H, T...> pack(H head, T... tail) {
  return {head, pack(tail...)};
}

/// The same for handles to memory, which no kernel may copy.
inline Pack<> pack_handles() { return {}; }
/// The same for handles to memory, which no kernel may copy.
template <class H, class... T>
Pack<H, T...> pack_handles(H head, T... tail) {
  return {std::move(head), pack_handles(std::move(tail)...)};
}

/// Calls `f(element...)` with all elements of the packs' first, then `f` on the second, and so on.
template <class F>
constexpr void for_each(const Pack<>&, F&&) {}
/// Calls f(element) for each element in turn.
template <class H, class... T, class F>
constexpr void for_each(Pack<H, T...>& pack, F&& f) {
  f(pack.head);
  for_each(pack.tail, f);
}
/// Calls f(element) for each element in turn.
template <class H, class... T, class F>
constexpr void for_each(const Pack<H, T...>& pack, F&& f) {
  f(pack.head);
  for_each(pack.tail, f);
}

}}  // namespace vitral
