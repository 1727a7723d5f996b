// What all programs do alike: they read their command lines, and end with a message where something is wrong.
#pragma once

#include "standard_streams.hpp"

#include <vitral/core/error.hpp>
#include <vitral/io/escape.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <type_traits>

/// Sets what the app's options stand for. --help is answered and ends the program; a mistake is an Error that says where
/// the options are explained.
inline void parse_command_line(CLI::App& app, int argc, const char* const* argv, const char* program) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) std::exit(vitral::status_after_output(app.exit(error)));
    vitral::fail(error.what(), " (", program, " --help explains every option)");
  }
}

/// Does the work of a program; its exit status, which the work may return. It is 1, after the message, where the work
/// throws, and where what it printed got lost.
template <class Work>
int exit_status(Work&& work) {
  vitral::open_standard_streams();
  int status = 0;
  try {
    if constexpr (std::is_void_v<decltype(work())>)
      work();
    else
      status = work();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", vitral::escape_text(error.what(), "\n").c_str());
    status = 1;
  }
  return vitral::status_after_output(status);
}
