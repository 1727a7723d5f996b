// What the library's messages advise, in a program's words: they name fields and arguments, which a program's options
// set.
#pragma once

#include <vitral/core/config.hpp>

#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// The library's words, and what a program with the option that stands in them says instead.
inline constexpr std::pair<std::string_view, std::string_view> advice_in_options[] = {
    {"LoaderOptions::batch", "--batch"},
    {"LoaderOptions::workers", "--workers"},
    {"LoaderOptions::unreadable", "--unreadable"},
    {"the optimiser's lr", "--lr"},
    {"Schedule::clip_grad", "--clip-grad"},
    {"TarImages' ending", "--tar-image"},
    {"the data set's path", "--data DIR"},
    {"compute on Cpu", "use --device cpu"},
    {"a smaller k ", "a smaller --k "},
    {"more training features", "more training features (--knn-train)"},
    {"more training features", "more training features (--train)"},
    {"none can be held out to test on", "none can be held out to test on (--knn-train 0 leaves k-NN out)"},
};

/// The message in the words of a program that has these options ("--batch").
[[nodiscard]] inline std::string in_options(std::string message, const std::set<std::string>& options) {
  for (const auto& [words, instead] : advice_in_options) {
    const std::string_view from_option = instead.substr(instead.find("--"));
    const auto end = from_option.find_first_not_of("-abcdefghijklmnopqrstuvwxyz");
    if (!options.contains(std::string(from_option.substr(0, end)))) continue;
    for (std::size_t at = 0; (at = message.find(words, at)) != std::string::npos; at += instead.size())
      message.replace(at, words.size(), instead);
  }
  return message;
}

}}}  // namespace vitral::programs
