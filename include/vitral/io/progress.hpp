// A progress line for long loops: label, bar, percent, loss, images/s, time left.
// Relies on POSIX isatty. In a terminal it rewrites one line; in a file or pipe it prints a plain line every tenth, and
// every minute in between.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/core/escape.hpp>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

namespace vitral { inline namespace VITRAL_ABI {

/// Seconds as 0:07, 12:34 or 1:02:03.
[[nodiscard]] inline std::string clock_time(double seconds) {
  if (!(seconds >= 0 && seconds < 1e8)) return "-:--";
  const long all = std::lround(seconds);
  char text[32];
  if (all >= 3600)
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", all / 3600, all / 60 % 60, all % 60);
  else
    std::snprintf(text, sizeof text, "%ld:%02ld", all / 60, all % 60);
  return text;
}

/// What a progress line shows.
struct ProgressState {
  std::string label;
  double fraction = 0;           // done, 0 to 1
  double loss = 0;               // not shown if NaN
  double images_per_second = 0;  // not shown if 0
  double seconds_left = 0;
};

/// The line for a terminal of `columns` columns, at least one column shorter; without a bar where `columns` is 0.
[[nodiscard]] inline std::string progress_line(const ProgressState& state, int columns) {
  char percent[16], loss[32] = "", rate[32] = "";
  std::snprintf(percent, sizeof percent, "%3d %%", static_cast<int>(100 * state.fraction));
  if (!std::isnan(state.loss)) std::snprintf(loss, sizeof loss, "  loss %.4f", state.loss);
  if (state.images_per_second > 0) std::snprintf(rate, sizeof rate, "  %.0f images/s", state.images_per_second);
  const std::string tail = join(percent, loss, rate, "  ", clock_time(state.seconds_left), " left");
  const std::string label = escape_text(state.label);
  if (columns <= 0) return label + "  " + tail;
  const int room = columns - 1 - static_cast<int>(label.size() + tail.size()) - 6;
  std::string bar;
  if (room >= 5) {
    const int width = std::min(room, 40), full = static_cast<int>(state.fraction * width);
    bar.assign(static_cast<std::size_t>(full), '#');
    bar = "[" + bar + std::string(static_cast<std::size_t>(width - full), '.') + "]  ";
  }
  const std::string line = label + "  " + bar + tail;
  std::size_t end = std::min(line.size(), static_cast<std::size_t>(columns - 1));
  while (end > 0 && end < line.size() && (line[end] & 0xc0) == 0x80) --end;  // never a part of a character
  return line.substr(0, end);
}

/// A progress bar on a terminal, lines in a file.
class Progress {
 public:
  /// `total` steps of `images_per_step` images, of which `first` were done before this run. An `out` that is no
  /// terminal gets a line after `patience` seconds at the latest.
  Progress(std::string label, long total, long images_per_step, long first = 0, std::FILE* out = stderr,
           double patience = 60)
      : out_(out),
        terminal_(::isatty(::fileno(out)) == 1),
        total_(std::max(total, 1L)),
        images_(images_per_step),
        first_(first),
        tenth_(10 * first / total_),
        patience_(patience) {
    state_.label = std::move(label);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { end_line(); }  // so that a message after an exception starts on a line of its own

  void set_label(std::string label) { state_.label = std::move(label); }

  /// To be called after each step with the number of steps done so far, `first` included.
  void update(long done, double loss) {
    const Clock::time_point now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const double steps_per_second = seconds > 0 ? static_cast<double>(done - first_) / seconds : 0;
    state_.fraction = std::clamp(static_cast<double>(done) / static_cast<double>(total_), 0.0, 1.0);
    state_.loss = loss;
    state_.images_per_second = steps_per_second * static_cast<double>(images_);
    state_.seconds_left = static_cast<double>(std::max(total_ - done, 0L)) / steps_per_second;
    if (terminal_) {
      if (!drawn_ || now - last_drawn_ >= std::chrono::milliseconds(100)) draw(now);
    } else if (const long tenth = 10 * done / total_; tenth > tenth_ || now - last_drawn_ >= patience_) {
      tenth_ = tenth;
      last_drawn_ = now;
      std::fprintf(out_, "%s\n", progress_line(state_, 0).c_str());
      std::fflush(out_);
    }
  }

  /// Does work that is no step: its time counts for none.
  template <class Work>
  void aside(Work&& work) {
    const Clock::time_point begin = Clock::now();
    work();
    start_ += Clock::now() - begin;
  }

  /// Prints a line of text above the progress line.
  void note(std::string_view text) {
    if (drawn_) std::fputs("\r\x1b[K", out_);
    std::fprintf(out_, "%s\n", escape_text(text).c_str());
    if (drawn_) draw(Clock::now());
    std::fflush(out_);
  }

  /// Shows the last state and ends the line.
  void finish() {
    if (terminal_ && drawn_) draw(Clock::now());
    end_line();
  }

 private:
  using Clock = std::chrono::steady_clock;

  void draw(Clock::time_point now) {
    winsize size{};
    const bool known = ::ioctl(::fileno(out_), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    std::fprintf(out_, "\r%s\x1b[K", progress_line(state_, known ? size.ws_col : 80).c_str());
    std::fflush(out_);
    drawn_ = true;
    last_drawn_ = now;
  }

  void end_line() {
    if (std::exchange(drawn_, false)) std::fputc('\n', out_);
  }

  std::FILE* out_;
  bool terminal_, drawn_ = false;
  long total_, images_, first_, tenth_;
  std::chrono::duration<double> patience_;
  Clock::time_point start_ = Clock::now(), last_drawn_ = start_;
  ProgressState state_;
};

}}  // namespace vitral
