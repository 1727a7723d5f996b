// Reads pickles as torch.save writes them, without running anything: an opcode or a name that makes no plain value of
// pickle_value.hpp is an error. Protocols 2 to 5, see Python's pickletools.py.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/io/legible.hpp>
#include <vitral/io/pickle_check.hpp>
#include <vitral/io/pickle_globals.hpp>
#include <vitral/io/pickle_make.hpp>
#include <vitral/io/pickle_value.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// The pickle's stack machine. Every opcode reads at least a byte and adds at most one node, so that memory goes with
/// the pickle's length, and there is a limit of opcodes.
class Unpickler {
 public:
  Unpickler(std::span<const std::uint8_t> bytes, std::size_t begin, std::string_view where)
      : bytes_(bytes), at_(begin), where_(where) {}

  PickleTree read() {
    do {
      opcode_at_ = at_;
      spend(1);
    } while (step(static_cast<unsigned char>(take(1)[0])));
    if (stack_.size() != 1 || !marks_.empty()) broken("the pickle ends with ", stack_.size(), " values, expected one");
    tree_.root = stack_[0];
    PickleCheck(where_).check(tree_.root);
    tree_.end = at_;
    return std::move(tree_);
  }

 private:
  static constexpr std::size_t most_operations = std::size_t{1} << 22;  // a network of 10000 tensors takes 2^19

  template <class... Parts>
  [[noreturn]] void broken(const Parts&... parts) const {
    fail(where_, ", byte ", opcode_at_, ": ", parts...);
  }

  void spend(std::size_t operations) {
    operations_ += operations;
    if (operations_ > most_operations) broken("the pickle has more than ", most_operations, " opcodes and copies");
  }

  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - at_)
      broken("the pickle is cut short: ", count, " bytes should follow, and ", bytes_.size() - at_,
             " are there. Copy or write the file again.");
    const auto* begin = reinterpret_cast<const char*>(bytes_.data() + at_);
    at_ += static_cast<std::size_t>(count);
    return {begin, static_cast<std::size_t>(count)};
  }
  /// A number of `size` bytes, the least first.
  std::uint64_t number(std::size_t size) {
    std::uint64_t out = 0;
    const std::string_view bytes = take(size);
    for (std::size_t i = 0; i < size; ++i) out |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << 8 * i;
    return out;
  }
  std::string_view line() {
    const std::size_t begin = at_;
    while (take(1)[0] != '\n') {
    }
    return {reinterpret_cast<const char*>(bytes_.data() + begin), at_ - begin - 1};
  }

  template <class T>
  void push(T value) {
    stack_.push_back({std::move(value)});
  }
  PickleValue& top() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) broken("the pickle takes a value that is not there");
    return stack_.back();
  }
  PickleValue pop() {
    PickleValue value = top();
    stack_.pop_back();
    return value;
  }
  std::vector<PickleValue> last(std::size_t count) {
    if (stack_.size() - (marks_.empty() ? 0 : marks_.back()) < count)
      broken("the pickle takes ", count, " values, and fewer are there");
    std::vector<PickleValue> out(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return out;
  }
  std::vector<PickleValue> from_mark() {
    if (marks_.empty()) broken("the pickle goes back to a mark that is not there");
    std::vector<PickleValue> out = last(stack_.size() - marks_.back());
    marks_.pop_back();
    return out;
  }

  /// A whole number of any length; one of more than 64 bits becomes the nearest double.
  void push_long(std::uint64_t size) {
    if (size > 32) broken("a whole number of ", size, " bytes, and 32 are the most");
    const std::string_view bytes = take(size);
    const bool negative = !bytes.empty() && static_cast<unsigned char>(bytes.back()) >= 0x80;
    std::uint64_t word = negative ? ~std::uint64_t{0} : 0;
    double rounded = negative ? -std::ldexp(1.0, static_cast<int>(8 * size)) : 0.0;
    for (std::size_t i = bytes.size(); i-- > 0;) {
      const auto byte = static_cast<unsigned char>(bytes[i]);
      word = word << 8 | byte;
      rounded += std::ldexp(static_cast<double>(byte), static_cast<int>(8 * i));
    }
    if (size <= 8)
      push(static_cast<long>(word));
    else
      push(rounded);
  }
  void push_list(std::vector<PickleValue> items, bool is_tuple) {
    push(&tree_.lists.emplace_back(PickleList{std::move(items), is_tuple}));
  }

  void append(const std::vector<PickleValue>& items) {
    PickleList* const* list = std::get_if<PickleList*>(&top().held);
    if (list == nullptr || (*list)->is_tuple) broken("the pickle appends to what is no list");
    (*list)->items.insert((*list)->items.end(), items.begin(), items.end());
  }
  void set_items(const std::vector<PickleValue>& items) {
    PickleDictionary* const* dictionary = std::get_if<PickleDictionary*>(&top().held);
    if (dictionary == nullptr || items.size() % 2 != 0) broken("the pickle sets items of what is no dictionary");
    for (std::size_t i = 0; i < items.size(); i += 2) (*dictionary)->items.emplace_back(items[i], items[i + 1]);
  }

  void push_global(std::string_view module, std::string_view name) {
    constexpr std::size_t longest = 200;
    const std::string path = module.size() + name.size() < longest ? global_path(module, name) : "";
    if (const PickleGlobal* known = find_global(path)) return push(known);
    if (is_callback(path)) return push(std::string_view(tree_.texts.emplace_back(path)));
    broken("it names ", legible(module), ".", legible(name), ", which is not read: a file may hold tensors, plain ",
           "containers, numbers and text. In Python, load it and save its dictionary of tensors alone, such as ",
           "network.state_dict()");
  }

  void call() {
    const PickleValue arguments = pop(), function = pop();
    const auto* list = arguments.as<PickleList>();
    const auto* global = std::get_if<const PickleGlobal*>(&function.held);
    if (list == nullptr || global == nullptr) broken("the pickle calls what is no function");
    finish_call(make_value(tree_, **global, list->items, stack_.emplace_back()));
  }
  void finish_call(const std::string& wrong) const {
    if (!wrong.empty()) broken(wrong);
  }
  /// The attributes of an object: a namespace keeps them; those of a dictionary tell nothing of its items.
  void build() {
    const PickleValue state = pop();
    if (const auto* type = top().as<NumpyType>()) {
      const auto* tuple = state.as<PickleList>();
      const auto* order =
          tuple != nullptr && tuple->items.size() > 1 ? tuple->items[1].as<std::string_view>() : nullptr;
      if (order == nullptr || *order == ">") broken("a NumPy type of ", type->size, " bytes is not little-endian");
      return;
    }
    PickleDictionary* const* object = std::get_if<PickleDictionary*>(&top().held);
    const auto* attributes = state.as<PickleDictionary>();
    if (object == nullptr || attributes == nullptr || attributes == *object)
      broken("the pickle gives attributes to what is no dictionary and no Namespace");
    if (!(*object)->is_namespace) return;
    spend(attributes->items.size());
    (*object)->items.insert((*object)->items.end(), attributes->items.begin(), attributes->items.end());
  }
  /// A storage; one that is named again is the same.
  void push_storage() {
    const PickleValue id = pop();
    const auto* list = id.as<PickleList>();
    if (list == nullptr) broken("what lies outside of the pickle is no storage");
    PickleValue made;
    finish_call(make_storage(tree_, list->items, made));
    auto* const storage = std::get<StoredStorage*>(made.held);
    const auto [known, added] = storages_.emplace(storage->key, storage);
    if (!added) tree_.storages.pop_back();
    if (known->second->type != storage_type_of(list->items) || known->second->count != *list->items[4].as<long>())
      broken("storage \"", legible(known->first), "\" has two types or sizes");
    push(known->second);
  }
  static ScalarType storage_type_of(const std::vector<PickleValue>& id) {
    return std::get<const PickleGlobal*>(id[1].held)->type;
  }

  void remember(std::uint64_t index) { memo_[index] = top(); }
  void recall(std::uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) broken("the pickle recalls value ", index, ", which it has not kept");
    stack_.push_back(found->second);
  }

  /// False at the end of the pickle.
  bool step(unsigned char opcode) {
    switch (opcode) {
      case 0x80: {  // PROTO
        const std::uint64_t protocol = number(1);
        if (protocol < 2 || protocol > 5) broken("a pickle of protocol ", protocol, ", expected 2 to 5");
        break;
      }
      case 0x95: number(8); break;  // FRAME
      case '.': return false;       // STOP
      case '(': marks_.push_back(stack_.size()); break;
      case 'N': push(std::monostate{}); break;
      case 0x88: push(true); break;
      case 0x89: push(false); break;
      case 'K': push(static_cast<long>(number(1))); break;                         // BININT1
      case 'M': push(static_cast<long>(number(2))); break;                         // BININT2
      case 'J': push(long{static_cast<std::int32_t>(number(4))}); break;           // BININT
      case 0x8a: push_long(number(1)); break;                                      // LONG1
      case 0x8b: push_long(number(4)); break;                                      // LONG4
      case 'G': push(std::bit_cast<double>(__builtin_bswap64(number(8)))); break;  // BINFLOAT
      case 'X': push(take(number(4))); break;                                      // BINUNICODE
      case 0x8c: push(take(number(1))); break;                                     // SHORT_BINUNICODE
      case 0x8d: push(take(number(8))); break;                                     // BINUNICODE8
      case 'C': push(PickleBytes{take(number(1))}); break;                         // SHORT_BINBYTES
      case 'B': push(PickleBytes{take(number(4))}); break;                         // BINBYTES
      case 0x8e: push(PickleBytes{take(number(8))}); break;                        // BINBYTES8
      case ')': push_list({}, true); break;                                        // EMPTY_TUPLE
      case 0x85: push_list(last(1), true); break;                                  // TUPLE1
      case 0x86: push_list(last(2), true); break;                                  // TUPLE2
      case 0x87: push_list(last(3), true); break;                                  // TUPLE3
      case 't': push_list(from_mark(), true); break;                               // TUPLE
      case ']':                                                                    // EMPTY_LIST
      case 0x8f: push_list({}, false); break;                                      // EMPTY_SET
      case 'a': append(last(1)); break;                                            // APPEND
      case 'e':                                                                    // APPENDS
      case 0x90: append(from_mark()); break;                                       // ADDITEMS
      case '}': push(&tree_.dictionaries.emplace_back()); break;                   // EMPTY_DICT
      case 's': set_items(last(2)); break;                                         // SETITEM
      case 'u': set_items(from_mark()); break;                                     // SETITEMS
      case 'q': remember(number(1)); break;                                        // BINPUT
      case 'r': remember(number(4)); break;                                        // LONG_BINPUT
      case 0x94: remember(memo_.size()); break;                                    // MEMOIZE
      case 'h': recall(number(1)); break;                                          // BINGET
      case 'j': recall(number(4)); break;                                          // LONG_BINGET
      case 'c': {                                                                  // GLOBAL
        const std::string_view module = line(), name = line();
        push_global(module, name);
        break;
      }
      case 0x93: {  // STACK_GLOBAL
        const PickleValue name = pop(), module = pop();
        if (name.as<std::string_view>() == nullptr || module.as<std::string_view>() == nullptr)
          broken("the pickle names a class by what is no text");
        push_global(*module.as<std::string_view>(), *name.as<std::string_view>());
        break;
      }
      case 'R':                         // REDUCE
      case 0x81: call(); break;         // NEWOBJ
      case 'b': build(); break;         // BUILD
      case 'Q': push_storage(); break;  // BINPERSID
      default: broken("opcode ", int{opcode}, " of the pickle is none that torch.save writes for plain values");
    }
    return true;
  }

  std::span<const std::uint8_t> bytes_;
  std::size_t at_, opcode_at_ = 0, operations_ = 0;
  std::string_view where_;
  std::vector<PickleValue> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, PickleValue> memo_;
  std::unordered_map<std::string_view, StoredStorage*> storages_;
  PickleTree tree_;
};

}  // namespace detail

/// Reads the pickle that begins at byte `begin`; the tree refers to `bytes`, which the caller keeps. Throws Error that
/// starts with `where`, and mostly says at which byte, for whatever is no plain value: other classes and functions by
/// name, what is cut short, nested more than 64 deep or contains itself, and keys that stand twice.
[[nodiscard]] inline PickleTree unpickle(std::span<const std::uint8_t> bytes, std::size_t begin,
                                         std::string_view where) {
  return detail::Unpickler(bytes, begin, where).read();
}

}}  // namespace vitral
