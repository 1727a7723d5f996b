// What a pickle of PyTorch holds, as a tree of plain values; the elements of its tensors lie in storages elsewhere.
// pickle.hpp reads pickles. A list that a pickle names twice is one list of the tree, too.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/io/scalar_type.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

struct PickleList;
struct PickleDictionary;
struct StoredTensor;

/// Python's `bytes`; text is a std::string_view.
struct PickleBytes {
  std::string_view bytes;
};

namespace detail {

/// Parts of which tensors and numbers are made while a pickle is read: the tree that unpickle returns holds none.
struct StoredStorage;
struct PickleGlobal;
struct NumpyType {
  char kind;         // f, i, u or b
  std::size_t size;  // bytes
};

template <class T>
concept PickleNode = std::same_as<T, PickleList> || std::same_as<T, PickleDictionary> || std::same_as<T, StoredTensor>;

}  // namespace detail

/// None (std::monostate), a truth value, a number, text, or a node of the tree. It is valid as long as the tree and the
/// bytes of the pickle are.
///
///   const TorchFile file = read_torch("checkpoint.pth");
///   if (const PickleValue* epoch = file.root().find("epoch"))
///     if (const long* number = epoch->as<long>()) std::printf("%ld epochs\n", *number);
struct PickleValue {
  std::variant<std::monostate, bool, long, double, std::string_view, PickleBytes, PickleList*, PickleDictionary*,
               StoredTensor*, detail::StoredStorage*, const detail::PickleGlobal*, detail::NumpyType>
      held;

  /// What is held if it is a T (bool, long, double, std::string_view, PickleBytes, PickleList, PickleDictionary or
  /// StoredTensor), else nullptr.
  template <class T>
  [[nodiscard]] const T* as() const {
    if constexpr (detail::PickleNode<T>) {
      T* const* const node = std::get_if<T*>(&held);
      return node != nullptr ? *node : nullptr;
    } else {
      return std::get_if<T>(&held);
    }
  }

  /// The value of a key; nullptr where there is none, or where this is no dictionary.
  [[nodiscard]] const PickleValue* find(std::string_view key) const;
};

/// A list, a tuple or a set.
struct PickleList {
  std::vector<PickleValue> items;
  bool is_tuple = false;
};

/// A dictionary of any class, or an argparse.Namespace, whose keys are the names of its attributes. Keys that are text
/// or whole numbers stand once.
struct PickleDictionary {
  std::vector<std::pair<PickleValue, PickleValue>> items;
  bool is_namespace = false;
};

/// A tensor: element (i, j) is number `offset + i * strides[0] + j * strides[1]` of its storage. All of them lie within
/// the storage, and strides are not negative.
struct StoredTensor {
  const detail::StoredStorage* storage;
  long offset;
  std::vector<long> shape, strides;
};

namespace detail {

/// Elements side by side, which several tensors may share.
struct StoredStorage {
  ScalarType type;
  std::string_view key;     // its name in the file
  long count;               // elements
  std::uint64_t place = 0;  // where its bytes are: for whoever reads the file
};

}  // namespace detail

/// The nodes of a tree, which point to each other, and its root.
struct PickleTree {
  PickleTree() = default;
  PickleTree(PickleTree&&) = default;  // the nodes stay where they are
  PickleTree& operator=(PickleTree&&) = default;
  ~PickleTree() = default;

  PickleValue root;
  std::size_t end = 0;  ///< where the pickle ends in the bytes that it was read from

  std::deque<PickleList> lists;
  std::deque<PickleDictionary> dictionaries;
  std::deque<StoredTensor> tensors;
  std::deque<detail::StoredStorage> storages;
  std::deque<std::string> texts;  ///< those that do not stand in the pickle as they are
};

inline const PickleValue* PickleValue::find(std::string_view key) const {
  if (const auto* dictionary = as<PickleDictionary>())
    for (const auto& [name, value] : dictionary->items)
      if (const auto* text = name.as<std::string_view>(); text != nullptr && *text == key) return &value;
  return nullptr;
}

}}  // namespace vitral
