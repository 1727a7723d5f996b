// What Python's classes and functions of pickle_globals.hpp make of their arguments.
// As in torch/_utils.py and torch/serialization.py of PyTorch, and numpy.core.multiarray.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/io/legible.hpp>
#include <vitral/io/pickle_globals.hpp>
#include <vitral/io/pickle_value.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace detail {

/// What a call is given. Each function that makes a value sets `out` and returns "", or says what is wrong with them.
using PickleArguments = std::vector<PickleValue>;

/// The whole numbers of a tuple; false where it is something else or has more axes than any tensor of a network.
inline bool read_extents(const PickleValue& value, std::vector<long>& out) {
  const auto* list = value.as<PickleList>();
  if (list == nullptr || list->items.size() > 8) return false;
  for (const PickleValue& item : list->items) {
    const long* number = item.as<long>();
    if (number == nullptr || *number < 0) return false;
    out.push_back(*number);
  }
  return true;
}

/// One more than the last element's place in its storage, 0 for a tensor without elements, -1 if that overflows.
inline long elements_spanned(const StoredTensor& tensor) {
  const auto count = element_count(tensor.shape, scalar_type_size(tensor.storage->type));
  if (!count) return -1;
  if (*count == 0) return 0;
  long last = tensor.offset;
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    long step = 0;
    if (__builtin_mul_overflow(tensor.shape[i] - 1, tensor.strides[i], &step) ||
        __builtin_add_overflow(last, step, &last))
      return -1;
  }
  return last < std::numeric_limits<long>::max() ? last + 1 : -1;
}

/// (storage, offset, shape, strides, ...): what follows is of use to training alone.
inline std::string make_tensor(PickleTree& tree, const PickleArguments& arguments, PickleValue& out) {
  if (arguments.size() < 4) return "a tensor needs a storage, an offset, a shape and strides";
  const auto* storage = std::get_if<StoredStorage*>(&arguments[0].held);
  const long* offset = arguments[1].as<long>();
  StoredTensor tensor{storage != nullptr ? *storage : nullptr, offset != nullptr ? *offset : -1, {}, {}};
  if (storage == nullptr || tensor.offset < 0 || !read_extents(arguments[2], tensor.shape) ||
      !read_extents(arguments[3], tensor.strides) || tensor.shape.size() != tensor.strides.size())
    return "a tensor needs a storage, an offset, and at most 8 extents with as many strides, none of them negative";
  const long spanned = elements_spanned(tensor);
  if (spanned < 0 || spanned > tensor.storage->count)
    return join("a tensor reaches beyond its storage \"", legible(tensor.storage->key), "\" of ", tensor.storage->count,
                " elements");
  out.held = &tree.tensors.emplace_back(std::move(tensor));
  return "";
}

/// ("storage", type, key, device, elements, view): what a pickle says of elements that lie outside of it.
inline std::string make_storage(PickleTree& tree, const PickleArguments& arguments, PickleValue& out) {
  const auto* kind = arguments.empty() ? nullptr : arguments[0].as<std::string_view>();
  if (kind != nullptr && *kind == "module")
    return "it holds a whole module, which only Python code can make; in Python: torch.save(module.state_dict(), path)";
  const auto* type = arguments.size() > 4 ? std::get_if<const PickleGlobal*>(&arguments[1].held) : nullptr;
  const auto* key = arguments.size() > 4 ? arguments[2].as<std::string_view>() : nullptr;
  const long* count = arguments.size() > 4 ? arguments[4].as<long>() : nullptr;
  if (kind == nullptr || *kind != "storage" || type == nullptr || (*type)->role != PickleRole::storage ||
      key == nullptr || count == nullptr || !element_count({*count}, scalar_type_size((*type)->type)))
    return "a storage needs a type of elements, a key, a device and the number of elements";
  if (arguments.size() > 5 && arguments[5].as<std::monostate>() == nullptr)
    return "a storage is part of another, as PyTorch before 0.4 wrote it; in Python: torch.save(torch.load(path), "
           "path)";
  out.held = &tree.storages.emplace_back(StoredStorage{(*type)->type, *key, *count});
  return "";
}

/// Text whose characters are the bytes' values: so older protocols write bytes. At most 16, a NumPy number's.
inline std::string make_bytes(PickleTree& tree, const PickleArguments& arguments, PickleValue& out) {
  const auto* text = arguments.size() == 2 ? arguments[0].as<std::string_view>() : nullptr;
  const auto* code = arguments.size() == 2 ? arguments[1].as<std::string_view>() : nullptr;
  if (text == nullptr || code == nullptr || *code != "latin1") return "bytes are expected as text in latin1";
  std::string bytes;
  for (std::size_t i = 0; i < text->size(); ++i) {
    const auto at = [&](std::size_t j) { return static_cast<unsigned char>((*text)[j]); };
    const bool two = at(i) >= 0xc2 && at(i) <= 0xc3 && i + 1 < text->size() && at(i + 1) >> 6 == 2;
    if ((at(i) >= 0x80 && !two) || bytes.size() == 16) return "bytes are expected as at most 16 characters of latin1";
    bytes += static_cast<char>(two ? (at(i) & 3) << 6 | (at(i + 1) & 0x3f) : at(i));
    i += two;
  }
  out.held = PickleBytes{tree.texts.emplace_back(std::move(bytes))};
  return "";
}

/// ("f8", False, True): a number's type in NumPy.
inline std::string make_numpy_type(const PickleArguments& arguments, PickleValue& out) {
  constexpr std::string_view known[] = {"f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1"};
  const auto* text = arguments.empty() ? nullptr : arguments[0].as<std::string_view>();
  if (text == nullptr || std::find(std::begin(known), std::end(known), *text) == std::end(known))
    return "it holds a NumPy type that is no number's; save numbers and tensors alone";
  out.held = NumpyType{(*text)[0], static_cast<std::size_t>((*text)[1] - '0')};
  return "";
}

/// (type, bytes): a number of NumPy.
inline std::string make_numpy_number(const PickleArguments& arguments, PickleValue& out) {
  const auto* type = arguments.size() == 2 ? arguments[0].as<NumpyType>() : nullptr;
  const auto* bytes = arguments.size() == 2 ? arguments[1].as<PickleBytes>() : nullptr;
  if (type == nullptr || bytes == nullptr || bytes->bytes.size() != type->size)
    return "a NumPy number needs its type and as many bytes as that has";
  std::uint64_t word = 0;
  std::memcpy(&word, bytes->bytes.data(), type->size);
  const auto unused = 64 - 8 * static_cast<int>(type->size);
  const auto number = static_cast<long>(word << unused) >> unused;  // its sign in front
  if (type->kind == 'b')
    out.held = word != 0;
  else if (type->kind == 'i' || (type->kind == 'u' && type->size < 8))
    out.held = type->kind == 'i' ? number : static_cast<long>(word);
  else if (type->kind == 'u')
    out.held = static_cast<double>(word);
  else if (type->size == 8)
    out.held = std::bit_cast<double>(word);
  else if (type->size == 4)
    out.held = static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(word)));
  else
    out.held = static_cast<double>(float_from_f16(static_cast<std::uint16_t>(word)));
  return "";
}

/// A new dictionary for a call without arguments or with what makes missing values, else the dictionary given.
inline std::string make_dictionary(PickleTree& tree, const PickleArguments& arguments, bool is_namespace,
                                   PickleValue& out) {
  if (arguments.size() == 1 && arguments[0].as<PickleDictionary>() != nullptr) {
    out = arguments[0];
    return "";
  }
  for (const PickleValue& argument : arguments)
    if (!std::holds_alternative<const PickleGlobal*>(argument.held) && argument.as<std::monostate>() == nullptr)
      return "it makes a dictionary of something else than a dictionary";
  out.held = &tree.dictionaries.emplace_back(PickleDictionary{{}, is_namespace});
  return "";
}

/// What calling `global` makes.
inline std::string make_value(PickleTree& tree, const PickleGlobal& global, const PickleArguments& arguments,
                              PickleValue& out) {
  const auto first_is = [&]<class T>(const T*) { return !arguments.empty() && arguments[0].as<T>() != nullptr; };
  bool fits = false;
  switch (global.role) {
    case PickleRole::dictionary: return make_dictionary(tree, arguments, false, out);
    case PickleRole::name_space: return make_dictionary(tree, arguments, true, out);
    case PickleRole::tensor: return make_tensor(tree, arguments, out);
    case PickleRole::bytes: return make_bytes(tree, arguments, out);
    case PickleRole::numpy_type: return make_numpy_type(arguments, out);
    case PickleRole::numpy_number: return make_numpy_number(arguments, out);
    case PickleRole::parameter: fits = first_is(static_cast<const StoredTensor*>(nullptr)); break;
    case PickleRole::list:
    case PickleRole::tuple: fits = first_is(static_cast<const PickleList*>(nullptr)); break;
    case PickleRole::device: fits = first_is(static_cast<const std::string_view*>(nullptr)); break;
    case PickleRole::name:
    case PickleRole::storage: break;
  }
  if (!fits) return join("it calls ", global.path, " with arguments that it does not take");
  out = arguments[0];
  return "";
}

}}}  // namespace vitral::detail
