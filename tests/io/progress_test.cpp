#include <vitral/io/progress.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

using namespace vitral;

namespace {

std::string text_of(std::FILE* file) {
  std::string text;
  std::rewind(file);
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  return text;
}

}  // namespace

TEST_CASE("times read like a clock") {
  CHECK(clock_time(0) == "0:00");
  CHECK(clock_time(59.6) == "1:00");
  CHECK(clock_time(754) == "12:34");
  CHECK(clock_time(3723) == "1:02:03");
  CHECK(clock_time(std::numeric_limits<double>::infinity()) == "-:--");
  CHECK(clock_time(std::numeric_limits<double>::quiet_NaN()) == "-:--");
}

TEST_CASE("a progress line shows label, bar, percent, loss, speed and time left") {
  const ProgressState state{"epoch 1/2", 0.5, 1.25, 400, 61};
  CHECK(progress_line(state, 0) == "epoch 1/2   50 %  loss 1.2500  400 images/s  1:01 left");
  CHECK(progress_line(state, 69) == "epoch 1/2  [#####.....]   50 %  loss 1.2500  400 images/s  1:01 left");
}

TEST_CASE("a progress line never fills the terminal's width") {
  const ProgressState state{"epoch 1/2", 1.0, 1.25, 400, 0};
  for (int columns = 1; columns < 200; ++columns)
    CHECK(progress_line(state, columns).size() < static_cast<std::size_t>(columns));
}

TEST_CASE("what is not known is not shown") {
  CHECK(progress_line({"x", 0.0, std::nan(""), 0, std::nan("")}, 0) == "x    0 %  -:-- left");
}

TEST_CASE("a file gets a plain line for every tenth and no control characters") {
  std::FILE* const file = std::tmpfile();
  {
    Progress progress("epoch 1/1", 200, 64, 0, file);
    for (long step = 1; step <= 200; ++step) progress.update(step, 2.0);
    progress.note("saved");
    progress.finish();
  }
  const std::string text = text_of(file);
  std::fclose(file);
  CHECK(std::count(text.begin(), text.end(), '\n') == 11);
  CHECK(std::none_of(text.begin(), text.end(), [](char c) { return c != '\n' && (c < ' ' || c > '~'); }));
  CHECK(text.starts_with("epoch 1/1   10 %  loss 2.0000"));
  CHECK(text.find("100 %") != std::string::npos);
  CHECK(text.ends_with("saved\n"));
}

TEST_CASE("a file gets a line as soon as the last one is too long ago") {
  std::FILE* const file = std::tmpfile();
  {
    Progress progress("x", 1000, 1, 0, file, /*patience=*/0);
    for (long step = 1; step <= 5; ++step) progress.update(step, 1.0);
  }
  const std::string text = text_of(file);
  std::fclose(file);
  CHECK(std::count(text.begin(), text.end(), '\n') == 5);
}

TEST_CASE("a label and a note of any bytes stay printable, in one line, and are never cut inside a character") {
  CHECK(progress_line({"a\n\x1b\xff", 0.0, std::nan(""), 0, std::nan("")}, 0) == "a\\n\\x1b\\xff    0 %  -:-- left");
  CHECK(progress_line({"\xc3\xa9\xc3\xa9", 0.0, std::nan(""), 0, std::nan("")}, 4) == "\xc3\xa9");
  std::FILE* const file = std::tmpfile();
  Progress("x", 1, 1, 0, file).note("caf\xe9\n");
  CHECK(text_of(file) == "caf\\xe9\\n\n");
  std::fclose(file);
}

TEST_CASE("a resumed loop prints no tenths that were done before") {
  std::FILE* const file = std::tmpfile();
  {
    Progress progress("x", 100, 1, 55, file);
    for (long step = 56; step <= 100; ++step) progress.update(step, 1.0);
  }
  const std::string text = text_of(file);
  std::fclose(file);
  CHECK(std::count(text.begin(), text.end(), '\n') == 5);
  CHECK(text.find(" 50 %") == std::string::npos);
}
