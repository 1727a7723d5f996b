// What all programs do alike: they read their command lines, and end with a message where something is wrong.
#pragma once

#include "common/advice.hpp"
#include "common/polite.hpp"
#include "common/standard_streams.hpp"

#include <vitral/backend/cpu/threads.hpp>
#include <vitral/core/error.hpp>
#include <vitral/core/escape.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <new>
#include <set>
#include <string>
#include <type_traits>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// The options of this program, "--out"; parse_command_line notes them for the messages of exit_status.
inline std::set<std::string> program_options;

/// Reads the command line into the variables of the app's options. --help is answered and ends the program; a mistake
/// is an Error that says where the options are explained.
inline void parse_command_line(CLI::App& app, int argc, const char* const* argv, const char* program) {
  for (const CLI::Option* const option : app.get_options()) program_options.insert(option->get_name());
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) std::exit(status_after_output(app.exit(error)));
    vitral::fail(error.what(), " (", program, " --help explains every option)");
  }
}

/// Does the work of a program and returns the exit status: what `work()` returns, or 0 where that is void. Where it
/// throws, one sentence is printed and the status is 1, as where something could not be printed.
template <class Work>
int exit_status(Work&& work) {
  open_standard_streams();
  std::string what;
  int status = 0;
  try {
    if constexpr (std::is_void_v<decltype(work())>)
      work();
    else
      status = work();
    return status_after_output(status);
  } catch (const std::bad_alloc&) {
    what = "vitral: the memory does not suffice; ask for less at a time, or free some";
  } catch (const std::filesystem::filesystem_error& error) {
    what = vitral::join("vitral: ", vitral::escape_text(error.path1().native()), ": ", error.code().message());
  } catch (const std::exception& error) {
    what = in_options(error.what(), program_options);
  }
  std::fprintf(stderr, "%s\n", vitral::escape_text(what, "\n").c_str());
  return status_after_output(1);
}

/// The whole of a program that computes: waits politely, reads its options by `parse(argc, argv)`, sets their
/// `threads` (0: all cores) and does `work(options)`. Returns the exit status.
template <class Parse, class Work>
int run_program(int argc, char** argv, Parse&& parse, Work&& work) {
  wait_politely(argv);
  return exit_status([&] {
    const auto options = parse(argc, argv);
    if (options.threads > 0) cpu::set_threads(options.threads);
    return work(options);
  });
}

}}}  // namespace vitral::programs
