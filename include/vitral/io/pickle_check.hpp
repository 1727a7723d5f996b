// Whether the tree of a pickle is one: it ends, is not too deep, and no key stands twice.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/io/legible.hpp>
#include <vitral/io/pickle_globals.hpp>
#include <vitral/io/pickle_value.hpp>

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>

namespace vitral { inline namespace VITRAL_ABI { namespace detail {

/// Checks a tree whose nodes may be named by several others, each of them once. Classes become their names.
class PickleCheck {
 public:
  explicit PickleCheck(std::string_view where) : where_(where) {}

  void check(PickleValue& root) { (void)levels_of(root, 0); }

 private:
  static constexpr int deepest = 64, under_way = -1;

  template <class... Parts>
  [[noreturn]] void broken(const Parts&... parts) const {
    fail(where_, ": the pickle holds ", parts...);
  }

  /// How many levels begin at a value that is `depth` levels below the root.
  int levels_of(PickleValue& value, int depth) {
    if (const auto* global = std::get_if<const PickleGlobal*>(&value.held)) value.held = (*global)->path;
    if (std::holds_alternative<StoredStorage*>(value.held) || std::holds_alternative<NumpyType>(value.held))
      broken("a storage or a NumPy type by itself; save tensors and numbers");
    PickleList* const* list = std::get_if<PickleList*>(&value.held);
    PickleDictionary* const* dictionary = std::get_if<PickleDictionary*>(&value.held);
    if (list == nullptr && dictionary == nullptr) return 0;
    const void* const node = list != nullptr ? static_cast<const void*>(*list) : *dictionary;
    const auto [known, added] = levels_.emplace(node, under_way);
    if (!added && known->second == under_way) broken("a list or dictionary that contains itself");
    if (!added && depth + known->second <= deepest) return known->second;
    if (!added || depth >= deepest) broken("what is nested more than ", deepest, " deep");
    int levels = 0;
    if (list != nullptr)
      for (PickleValue& item : (*list)->items) levels = std::max(levels, levels_of(item, depth + 1));
    else
      levels = levels_of_items(**dictionary, depth + 1);
    return levels_[node] = levels + 1;
  }

  int levels_of_items(PickleDictionary& dictionary, int depth) {
    std::unordered_set<std::string_view> texts;
    std::unordered_set<long> numbers;
    int levels = 0;
    for (auto& [key, value] : dictionary.items) {
      levels = std::max({levels, levels_of(key, depth), levels_of(value, depth)});
      const auto* text = key.as<std::string_view>();
      const long* number = key.as<long>();
      if (text != nullptr && !texts.insert(*text).second) broken("the key \"", legible(*text), "\" twice");
      if (number != nullptr && !numbers.insert(*number).second) broken("the key ", *number, " twice");
    }
    return levels;
  }

  std::string_view where_;
  std::unordered_map<const void*, int> levels_;
};

}}}  // namespace vitral::detail
