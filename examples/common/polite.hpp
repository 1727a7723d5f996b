// How OpenMP's threads wait for each other: asleep. By default they spin; on a machine with other work the thread that
// all wait for may then have no processor, because the others spin on it. Relies on POSIX and /proc.
#pragma once

#include <vitral/core/config.hpp>

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// Call this first in main: it has OpenMP's threads sleep while they wait. Their library reads the environment before
/// main (libgomp: GOMP_SPINCOUNT, LLVM's: KMP_BLOCKTIME), so the program sets that and starts itself anew, once, as the
/// same process with the same arguments and files. Nothing happens where the user has set how threads wait, and where
/// the program cannot be started again (without /proc, or under valgrind, which would be left behind).
inline void wait_politely(char** argv) {
  constexpr const char* spins = "0";  // benchmarks/busy_machine.sh: to spin for a while first was no faster
  for (const char* name : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"})
    if (std::getenv(name) != nullptr) return;  // the user's, or our own
  if (const char* const preloaded = std::getenv("LD_PRELOAD"); preloaded && std::strstr(preloaded, "vgpreload")) return;
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error || ::setenv("GOMP_SPINCOUNT", spins, 1) != 0 || ::setenv("KMP_BLOCKTIME", "0", 1) != 0) return;
  ::execv(program.c_str(), argv);
  ::unsetenv("GOMP_SPINCOUNT");  // it goes on as it is
  ::unsetenv("KMP_BLOCKTIME");
}

}}}  // namespace vitral::programs
