// What a program prints is there, line by line, or the exit status says that it is not.
// Relies on POSIX.
#pragma once

#include <vitral/core/config.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <initializer_list>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// Call this first. A standard stream that is closed is opened as one that cannot be written, so that no file of the
/// program gets its number. Each line is printed as it ends, to files too. A reader that went away makes a write fail
/// instead of ending the program.
inline void open_standard_streams() {
  int file = -1;
  do file = ::open("/dev/null", O_RDONLY);
  while (file >= 0 && file <= STDERR_FILENO);
  if (file >= 0) ::close(file);
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  std::signal(SIGPIPE, SIG_IGN);
}

/// The exit status for a program that would end with `status`: 1 instead of 0 where something could not be printed.
inline int status_after_output(int status) {
  bool lost = false;
  for (std::FILE* const stream : {stdout, stderr}) lost |= std::fflush(stream) != 0 || std::ferror(stream) != 0;
  if (lost) std::fputs("some output could not be written: the disk is full, or nobody reads it any more\n", stderr);
  return status == 0 && lost ? 1 : status;
}

}}}  // namespace vitral::programs
