// JSON from any source, read with limits, and as text.
// Relies on nlohmann::json, whose exceptions do not get past this header.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/io/legible.hpp>
#include <vitral/io/read_bytes.hpp>

#include <nlohmann/json.hpp>

#include <cerrno>
#include <concepts>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// A value of nlohmann's as text, which is always UTF-8: bytes of strings that are none become U+FFFD.
template <class Json>
[[nodiscard]] std::string json_text(const Json& value, int indent = -1) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

namespace detail {

/// Builds a value from the parser's events, without recursion; a key takes the same time however many there are.
class JsonBuilder {
 public:
  using Json = nlohmann::ordered_json;
  explicit JsonBuilder(std::string_view where) : where_(where) {}

  bool null() { return put(nullptr); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(Json::number_integer_t value) { return put(value); }
  bool number_unsigned(Json::number_unsigned_t value) { return put(value); }
  bool number_float(Json::number_float_t value, const std::string&) { return put(value); }
  bool string(std::string& value) { return put(std::move(value)); }
  bool binary(Json::binary_t&) { return false; }  // not in text
  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    check(open_.back().keys.insert(name).second, where_, " holds the key \"", legible(name), "\" twice in one object");
    key_ = std::move(name);
    return true;
  }
  template <class Exception>
  bool parse_error(std::size_t, const std::string&, const Exception& error) {
    std::string_view why = error.what();
    why.remove_prefix(why.find("] ") + 2);  // the exception's name
    fail(where_, " is no valid JSON (", legible(why, 200), ")");
  }

  Json root;

 private:
  struct Open {
    Json* value;
    std::unordered_set<std::string> keys;
  };

  bool put(Json value) {
    (void)add(std::move(value));
    return true;
  }
  bool open(Json value) {
    constexpr std::size_t deepest = 64;
    check(open_.size() < deepest, where_, " is JSON nested more than ", deepest, " deep, as no file of ours is");
    open_.push_back({add(std::move(value)), {}});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }
  Json* add(Json value) {
    if (open_.empty()) return &(root = std::move(value));
    Json& parent = *open_.back().value;
    if (parent.is_array()) return &parent.get_ref<Json::array_t&>().emplace_back(std::move(value));
    // Not operator[], which looks at all keys.
    return &parent.get_ref<Json::object_t&>().emplace_back(std::move(key_), std::move(value)).second;
  }

  std::string where_, key_;
  std::vector<Open> open_;
};

}  // namespace detail

/// The value that `text` stands for. Error, beginning with `where` ("FILE: its header"), unless it is JSON of at most
/// 64 levels without a key twice in one object.
[[nodiscard]] inline nlohmann::ordered_json parse_json(std::string_view text, std::string_view where) {
  detail::JsonBuilder builder(where);
  nlohmann::ordered_json::sax_parse(text, &builder);
  return std::move(builder.root);
}

/// The same of a file, or of a pipe, of at most 256 MiB. Errors begin with `name`.
[[nodiscard]] inline nlohmann::ordered_json read_json(const std::filesystem::path& path, std::string_view name) {
  constexpr std::size_t most = std::size_t{1} << 28, step = std::size_t{1} << 16;
  std::error_code ignored;
  const bool folder = std::filesystem::is_directory(path, ignored);
  const detail::FileHandle file(folder ? nullptr : std::fopen(path.c_str(), "rb"));
  check(file != nullptr, name, " cannot be read (", folder ? "it is a directory" : std::strerror(errno), ")");
  std::string text;
  for (std::size_t got = step; got == step;) {
    const std::size_t size = text.size();
    check(size < most, name, " is longer than the ", most, " bytes that a JSON file may have here");
    text.resize(size + step);
    got = std::fread(text.data() + size, 1, step, file.get());
    text.resize(size + got);
  }
  check(std::ferror(file.get()) == 0, name, " cannot be read to its end (", std::strerror(errno), ")");
  return parse_json(text, name);
}
/// The JSON of a file; Error where it is none, or breaks the limits above.
[[nodiscard]] inline nlohmann::ordered_json read_json(const std::filesystem::path& path) {
  return read_json(path, path.native());
}

/// A value as a message shows it. (A template, so that no text is converted to JSON.)
template <std::same_as<nlohmann::ordered_json> Json>
[[nodiscard]] std::string legible(const Json& value) {
  return legible(json_text(value));
}

}}  // namespace vitral
