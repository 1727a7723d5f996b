#include "../temporary.hpp"

#include <vitral/io/plots.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace fs = std::filesystem;
using namespace vitral;

namespace {

std::string failure(const fs::path& path, const TrainingCurves& curves) {
  try {
    write_training_plot(path, curves);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

/// Width of a PNG: big-endian at byte 16.
int png_width(const std::string& bytes) {
  int width = 0;
  for (std::size_t i = 16; i < 20; ++i) width = width * 256 + static_cast<unsigned char>(bytes.at(i));
  return width;
}

const TrainingCurves curves{"it's a_run\n\xff\x1b", {0.5, 1}, {3, 2}, {0.5, 0.4}, {0.6, 0.7}};

}  // namespace

TEST_CASE("the moving average is symmetric and keeps constants and lines") {
  CHECK(detail::moving_average({1, 2, 3, 4, 5}, 2) == std::vector<double>{1, 2, 3, 4, 5});
  CHECK(detail::moving_average({0, 9, 0}, 1) == std::vector<double>{0, 3, 0});
  CHECK(detail::moving_average({}, 1).empty());
}

TEST_CASE("of a deep network the course of four layers is drawn, the teacher's beside the student's") {
  const std::string panel =
      detail::course_panel(std::vector<AccuracyAt>{{1, {0.1, 0.2, 0.3, 0.4, 0.5}, {0, 0, 0, 0, 0.25}}});
  for (const char* data :
       {"$student1 << EOD\n1 10\n", "$student2 ", "$student3 ", "$student5 ", "$teacher5 << EOD\n1 25\n"})
    CHECK(panel.find(data) != std::string::npos);
  CHECK(panel.find("$student4") == std::string::npos);
  CHECK(detail::course_panel(std::vector<AccuracyAt>{{1, {0.5}, {}}}).find("teacher") == std::string::npos);
  const std::string similarity = detail::course_panel(std::vector<SimilarityAt>{{1, {0.75}, {0.25}}});
  CHECK(similarity.find("$positive1 << EOD\n1 0.75\n") != std::string::npos);
  CHECK(similarity.find("$negative1 << EOD\n1 0.25\n") != std::string::npos);
  CHECK(similarity.find("title 'negative'") != std::string::npos);
}

TEST_CASE("a program that is not installed is not found") {
  CHECK(detail::find_program("sh").ends_with("/sh"));
  CHECK(detail::find_program("no such program") == "");
}

TEST_CASE("without gnuplot the error names the package and the old image stays") {
  const testing::TemporaryFolder directory;
  std::ofstream(directory.path / "a.png") << "old";
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", directory.path.c_str(), 1);
  const std::string message = failure(directory.path / "a.png", curves);
  ::setenv("PATH", path.c_str(), 1);
  CHECK(message.find("gnuplot-nox") != std::string::npos);
  CHECK(testing::bytes_of(directory.path / "a.png") == "old");
}

TEST_CASE("a gnuplot that fails at once is an error and the old image stays") {
  const testing::TemporaryFolder directory;
  std::ofstream(directory.path / "a.png") << "old";
  std::ofstream(directory.path / "gnuplot") << "#!/bin/sh\nexit 3\n";
  fs::permissions(directory.path / "gnuplot", fs::perms::owner_all);
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", (directory.path.string() + ":" + path).c_str(), 1);
  const std::string message = failure(directory.path / "a.png", curves);
  ::setenv("PATH", path.c_str(), 1);
  CHECK(message.find("gnuplot could not") != std::string::npos);
  CHECK(testing::bytes_of(directory.path / "a.png") == "old");
  CHECK(std::distance(fs::directory_iterator(directory.path), {}) == 2);
}

TEST_CASE("the image is a PNG with a panel for each part that has data") {
  if (detail::find_program("gnuplot").empty()) {
    MESSAGE("gnuplot is not installed (package gnuplot-nox): no plot is drawn");
    return;
  }
  const testing::TemporaryFolder directory;
  const fs::path path = directory.path / "it's a\nimage \xff.png";
  write_training_plot(path, curves);
  CHECK(testing::bytes_of(path).starts_with("\x89PNG"));
  CHECK(png_width(testing::bytes_of(path)) == 1240);
  write_training_plot(path, {"loss alone", {1, 2}, {3, 2}, {}, {}});
  CHECK(png_width(testing::bytes_of(path)) == 620);
  TrainingCurves whole = curves;
  whole.during = {{1, {0.4, 0.5, 0.6, 0.6, 0.7}, {0.4, 0.5, 0.5, 0.6, 0.6}}, {2, {0.4, 0.5, 0.6, 0.7, 0.8}, {}}};
  write_training_plot(path, whole);
  CHECK(png_width(testing::bytes_of(path)) == 1860);
  whole.similarity = {{1, {0.9, 0.8}, {0.5, 0.4}}, {2, {0.9, 0.7}, {0.3, 0.2}}};
  write_training_plot(path, whole);
  CHECK(png_width(testing::bytes_of(path)) == 2480);
  CHECK(std::distance(fs::directory_iterator(directory.path), {}) == 1);
}

TEST_CASE("curves that cannot be drawn are refused") {
  const testing::TemporaryFolder directory;
  const TrainingCurves uneven{"", {1}, {1, 2}, {}, {}};
  CHECK(failure(directory.path / "a.png", uneven).find("1 epochs for 2 losses") != std::string::npos);
  const TrainingCurves other_depths{"", {1}, {1}, {}, {}, {{1, {0.5, 0.5}, {}}, {2, {0.5}, {}}}};
  CHECK(failure(directory.path / "a.png", other_depths).find("k-NN of 1 layers after epoch 2") != std::string::npos);
  TrainingCurves other_similarities = uneven;
  other_similarities.epochs = {1, 2};
  other_similarities.similarity = {{1, {0.5, 0.5}, {0, 0}}, {2, {0.5}, {0}}};
  CHECK(failure(directory.path / "a.png", other_similarities).find("similarities of 1 layers after epoch 2") !=
        std::string::npos);
  CHECK(failure(directory.path / "a.png", {}).find("nothing to draw") != std::string::npos);
  if (!detail::find_program("gnuplot").empty())
    CHECK(failure(directory.path / "none" / "a.png", curves).find("No such file") != std::string::npos);
}
