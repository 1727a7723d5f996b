#include <vitral/train/methods.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace vitral;

TEST_CASE("each method of the table has its plain and its self-distilled name, and no name stands twice") {
  CHECK(method_names() == std::vector<std::string>{"simclr", "byol", "moco-v3", "sd-simclr", "sd-byol", "sd-moco-v3"});
  CHECK(is_self_distilled("sd-byol"));
  CHECK_FALSE(is_self_distilled("byol"));
  CHECK(plain_name("sd-byol") == "byol");
  for (const std::string& name : method_names())
    CHECK(with_method(name, [](const auto& known) { return std::string(known.name); }) == plain_name(name));
}

TEST_CASE("a name gives the method as a template") {
  const auto is_byol = [](std::string_view name) {
    return with_method(name, []<template <class> class Method>(const KnownMethod<Method>&) {
      return std::is_same_v<KnownMethod<Method>, KnownMethod<BYOL>>;
    });
  };
  CHECK(is_byol("byol"));
  CHECK(is_byol("sd-byol"));
  CHECK_FALSE(is_byol("sd-simclr"));
}

TEST_CASE("a method that is not known is named with the nearest and with all that are") {
  CHECK_THROWS_WITH_AS(
      with_method("sd-moco", [](const auto&) { return 0; }),
      "vitral: unknown method \"sd-moco\" (did you mean sd-moco-v3? known: simclr, byol, moco-v3, sd-simclr, "
      "sd-byol, sd-moco-v3)",
      Error);
}
