// Pack: an aggregate list of values. std::tuple is not trivially copyable in libstdc++, so it cannot go to a CUDA kernel.
#pragma once

#include <vitral/core/config.hpp>

#include <type_traits>

namespace vitral::inline VITRAL_ABI {

template <class... T>
struct Pack {};
template <class H, class... T>
struct Pack<H, T...> {
  H head;
  Pack<T...> tail;
};

template <int I, class H, class... T>
VITRAL_HD constexpr auto& get(Pack<H, T...>& pack) {
  if constexpr (I == 0)
    return pack.head;
  else
    return get<I - 1>(pack.tail);
}
template <int I, class H, class... T>
VITRAL_HD constexpr const auto& get(const Pack<H, T...>& pack) {
  if constexpr (I == 0)
    return pack.head;
  else
    return get<I - 1>(pack.tail);
}

template <class... T>
VITRAL_HD constexpr Pack<T...> pack(T... values) {
  if constexpr (sizeof...(T) == 0) {
    return {};
  } else {
    return [](auto head, auto... tail) { return Pack<T...>{head, pack(tail...)}; }(values...);
  }
}

/// Calls `f(element...)` with all elements of the packs' first, then `f` on the second, and so on.
template <class F>
VITRAL_HD constexpr void for_each(const Pack<>&, F&&) {}
template <class H, class... T, class F>
VITRAL_HD constexpr void for_each(Pack<H, T...>& pack, F&& f) {
  f(pack.head);
  for_each(pack.tail, f);
}
template <class H, class... T, class F>
VITRAL_HD constexpr void for_each(const Pack<H, T...>& pack, F&& f) {
  f(pack.head);
  for_each(pack.tail, f);
}

}  // namespace vitral::inline VITRAL_ABI
