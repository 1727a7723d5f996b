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

/// To be called first. A standard stream that is closed becomes one that cannot be written, so that no file gets its
/// number; lines go out as they end, to files too; a reader that went away is a failed write, not the program's end.
inline void open_standard_streams() {
  int file = -1;
  do file = ::open("/dev/null", O_RDONLY);
  while (file >= 0 && file <= STDERR_FILENO);
  if (file >= 0) ::close(file);
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  std::signal(SIGPIPE, SIG_IGN);
}

/// The exit status of a program that would end with `status`: 1 instead of 0 where something was printed in vain.
inline int status_after_output(int status) {
  bool lost = false;
  for (std::FILE* const stream : {stdout, stderr}) lost |= std::fflush(stream) != 0 || std::ferror(stream) != 0;
  if (lost) std::fputs("some output could not be written: the disk is full, or nobody reads it any more\n", stderr);
  return status == 0 && lost ? 1 : status;
}

}}}  // namespace vitral::programs
