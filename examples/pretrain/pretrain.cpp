// Pretrains a vision transformer without labels by a method of train/methods.hpp, and shows by k-NN what every layer
// has learnt. `pretrain --help` explains the options; run.hpp does the work.
#include "common/without_cuda.hpp"
#include "pretrain/run.hpp"
#include "pretrain/saved_run.hpp"

#include <vitral/backend/cpu/threads.hpp>

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <string_view>

using namespace vitral;
using namespace vitral::programs;

template class vitral::Optimizer<float, Cpu>;

volatile std::sig_atomic_t interrupted = 0;

namespace {

std::atomic<long> first_signal = 0;  // when it came, in nanoseconds

/// The first signal lets the run end after its step; another Ctrl-C or TERM ends it at once. (A tenth of a second has
/// to lie between: programs such as `timeout` send a signal twice. HUP comes from the terminal and from the shell.)
void interrupt(int signal) {
  timespec clock;
  ::clock_gettime(CLOCK_MONOTONIC, &clock);
  const long now = 1'000'000'000l * clock.tv_sec + clock.tv_nsec;
  if (interrupted == 0) {
    first_signal = now;  // before the next line: another thread may be handling a second signal
    interrupted = signal;
    constexpr std::string_view text = "\ninterrupted: the run ends after its step, saved; once more ends it at once\n";
    const int error = errno;
    if (::write(STDERR_FILENO, text.data(), text.size()) < 0) errno = error;
  } else if (signal != SIGHUP && now - first_signal > 100'000'000) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);  // arrives when this function returns
  }
}

void catch_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const auto before = std::signal(signal, interrupt);
    if (signal == SIGHUP && before == SIG_IGN) std::signal(signal, SIG_IGN);  // as nohup wants it
  }
}

PretrainOptions options_of(int argc, char** argv) {
  const GivenOptions given = read_command_line(argc, argv);
  if (!given.options.resume) return new_run(given.options);
  const auto checkpoint = std::filesystem::path(given.options.out) / "checkpoint.safetensors";
  std::error_code ignored;
  check(
      std::filesystem::exists(checkpoint, ignored), checkpoint.native(),
      " cannot be resumed: there is no such file; --out names the directory of the run, and a run that has not come to "
      "its first checkpoint begins again with --overwrite");
  const SafetensorsFile file(checkpoint);
  const PretrainOptions run = run_of(file);
  check_projector(file, run);
  return resumed_run(run, given);
}

}  // namespace

int main(int argc, char** argv) {
  wait_politely(argv);
  return exit_status([&] {
    catch_signals();
    const PretrainOptions options = options_of(argc, argv);
    check_out(options);
    if (options.threads > 0) cpu::set_threads(options.threads);
    if (options.device == "cuda") return pretrain_cuda(all_to_json(options));
    return run<Cpu>(options, options.precision == "bf16" ? bf16_trainer : fp32_trainer);
  });
}

#if !defined(VITRAL_HAS_CUDA)
int pretrain_cuda(const nlohmann::ordered_json&) { fail_without_cuda(); }
#endif
