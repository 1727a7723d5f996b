// fuzz FOLDER SECONDS [SEED [FORMAT RUN]], FOLDER that of this file: reads changed files of every format for so long. A
// reader may refuse them with an Error that a person can read; whatever else it does, or a minute of silence, is a
// finding, which is printed with the words that repeat it. Runs are numbered: the same number changes the same file in
// the same way.
#include "formats.hpp"
#include "mutate.hpp"

#include <sanitizer/common_interface_defs.h>

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

std::string running;  // what repeats the run that is under way
std::string refusal;  // the last Error's message

void report() { std::fprintf(stderr, "\nFINDING: repeat it with: %s\n", running.c_str()); }

[[noreturn]] void finding(const char* what, std::string_view message) {
  std::fprintf(stderr, "%s: %s\n", what, vitral::legible(message, 400).c_str());
  report();
  fuzz::remove_folder();
  std::_Exit(1);
}

/// Whether the bytes were read, not refused.
bool read(const fuzz::Format& format, const fuzz::Bytes& bytes) {
  ::alarm(60);
  try {
    format.read(bytes);
    return true;
  } catch (const vitral::Error& error) {
    const std::string_view what = refusal = error.what();
    for (const char* raw :
         {"json.exception", "stoi", "stol", "bad_alloc", "filesystem error", "basic_string", "vector::"})
      if (what.find(raw) != what.npos) finding("a message that no person can read", what);
    if (what.size() > 2000) finding("a message that is too long", what);
    return false;
  } catch (const std::exception& error) {
    finding("another exception than Error", error.what());
  }
}

struct Count {
  long runs = 0, refused = 0;
};

void run(const fuzz::Format& format, unsigned long seed, long number, Count& count) {
  running = "bash tests/fuzz/run.sh COMPILER FLAGS_FILE 0 " + std::to_string(seed) + " '" + format.name + "' " +
            std::to_string(number);
  fuzz::Draw draw(seed + 0x100000001b3ul * static_cast<unsigned long>(number));
  fuzz::Bytes bytes = fuzz::mutated(draw, format.files);
  if (format.repair && draw.below(4) > 0) format.repair(bytes);
  ++count.runs;
  count.refused += !read(format, bytes);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4 && argc != 6) {
    std::fprintf(stderr, "usage: fuzz FOLDER SECONDS [SEED [FORMAT RUN]]\n");
    return 2;
  }
  const double seconds = std::atof(argv[2]);
  const unsigned long seed = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 1;
  __sanitizer_set_death_callback(report);
  std::signal(SIGALRM, [](int) {
    report();
    std::abort();
  });
  const std::vector<fuzz::Format> formats = fuzz::formats(argv[1]);
  for (const fuzz::Format& format : formats) {
    Count count;
    if (argc == 6) {
      if (format.name != argv[4]) continue;
      run(format, seed, std::strtol(argv[5], nullptr, 10), count);
    } else {
      for (const fuzz::Bytes& good : format.files) {
        running = "reading the good files of " + format.name;
        if (!read(format, good)) finding("a good file is refused", refusal);
      }
      const auto begin = std::chrono::steady_clock::now();
      const std::chrono::duration<double> share(seconds / static_cast<double>(formats.size()));
      while (count.runs < 100 || std::chrono::steady_clock::now() - begin < share) run(format, seed, count.runs, count);
      if (count.refused == 0 || count.refused == count.runs) finding("changes make no difference to", format.name);
    }
    std::printf("%-14s %7ld files, %7ld refused\n", format.name.c_str(), count.runs, count.refused);
    std::fflush(stdout);
  }
  fuzz::remove_folder();
}
