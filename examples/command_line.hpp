// What all programs do alike: they read their command lines, and end with a message where something is wrong.
#pragma once

#include <vitral/core/error.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace vitral::inline VITRAL_ABI::programs {

/// Sets what the app's options stand for. --help is answered and ends the program; a mistake is an Error that says where
/// the options are explained.
inline void parse_command_line(CLI::App& app, int argc, const char* const* argv, const char* program) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) std::exit(app.exit(error));
    vitral::fail(error.what(), " (", program, " --help explains every option)");
  }
}

/// Does the work of a program; its exit status, which is 1, after the message, where the work throws.
template <class Work>
int exit_status(Work&& work) {
  try {
    work();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

}  // namespace vitral::inline VITRAL_ABI::programs
