// The methods that are known by name: a line of one table each, which programs, help texts and messages read.
#pragma once

#include <vitral/io/nearest.hpp>
#include <vitral/ssl/method.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// A line of the table: a method, which is a template over the encoder.
template <template <class> class Method>
struct KnownMethod {
  std::string_view name;  ///< of the plain form; "sd-" before it names the self-distilled one
  double ratio = 1;       ///< SelfDistillation::ratio of the self-distilled form, as published
};

/// The table. A method of your own is a header with a template as SimCLR is one, and a line here.
inline constexpr std::tuple known_methods{
    KnownMethod<SimCLR>{"simclr", 0.8},
    KnownMethod<BYOL>{"byol", 0.8},
    KnownMethod<MoCoV3>{"moco-v3"},
};

/// Whether the name is that of a self-distilled form: "sd-byol".
[[nodiscard]] constexpr bool is_self_distilled(std::string_view name) { return name.starts_with("sd-"); }

/// The name of the plain form: "byol" of "byol" and of "sd-byol".
[[nodiscard]] constexpr std::string_view plain_name(std::string_view name) {
  return is_self_distilled(name) ? name.substr(3) : name;
}

/// All names: those of the plain forms in the table's order, then those of the self-distilled ones.
[[nodiscard]] inline std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const char* prefix : {"", "sd-"})
    std::apply([&](const auto&... known) { (names.push_back(join(prefix, known.name)), ...); }, known_methods);
  return names;
}

/// f(the line of that name, of either form), for programs that choose a method at run time; Error, which lists the
/// names, where there is none. f returns the same type for all of them:
///
///   with_method("sd-byol", [&]<template <class> class Method>(const KnownMethod<Method>&) {
///     Trainer trainer(self_distilled(Method(encoder)), AdamW{.lr = 1e-3}, Schedule{.epochs = 5});
///     return trainer.fit(Loader(train, two_views(byol_augmentation(32)), {.batch = 128})).back();
///   });
template <class F>
auto with_method(std::string_view name, F&& f) {
  std::optional<decltype(f(std::get<0>(known_methods)))> result;
  const auto take = [&](const auto& known) {
    if (plain_name(name) == known.name) result = f(known);
  };
  std::apply([&](const auto&... known) { (take(known), ...); }, known_methods);
  if (!result) fail_unknown("method", name, method_names());
  return std::move(*result);
}

}}  // namespace vitral
