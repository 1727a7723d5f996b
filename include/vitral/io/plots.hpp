// Plots of a training run, drawn by gnuplot.
// Relies on the program gnuplot (Debian: gnuplot-nox), run through a pipe with the data inline; POSIX.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/core/escape.hpp>
#include <vitral/io/atomic_file.hpp>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Accuracy of each layer, 0 to 1, after some epochs. `teacher` is empty where there is none.
struct AccuracyAt {
  double epoch;
  std::vector<double> student, teacher;
};

/// Mean cosine similarity, after some epochs, of the two views of an image and of views of two images, by layer.
struct SimilarityAt {
  double epoch;
  std::vector<double> positive, negative;
};

/// What write_training_plot draws. A part that is empty gets no panel.
struct TrainingCurves {
  std::string title;
  std::vector<double> epochs, loss;        // the loss at fractions of epochs, such as 0.25
  std::vector<double> untrained, trained;  // k-NN accuracy of each layer, 0 to 1
  std::vector<AccuracyAt> during{};        // k-NN accuracy in the course of the training
  std::vector<SimilarityAt> similarity{};  // of views, likewise
};

namespace detail {

/// Full path of a program, or "" if the directories of PATH do not hold it.
inline std::string find_program(std::string_view name) {
  const char* const variable = std::getenv("PATH");
  std::string_view directories = variable ? variable : "/usr/bin:/bin";
  while (!directories.empty()) {
    const std::size_t end = std::min(directories.find(':'), directories.size());
    std::string candidate = std::string(directories.substr(0, end)) + "/" + std::string(name);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    directories.remove_prefix(std::min(end + 1, directories.size()));
  }
  return "";
}

/// What all of our charts look like: two axes and a pale grid.
inline constexpr const char* gnuplot_style =
    "set border 3 lc rgb '#555555'\nset tics nomirror out\nset grid lc rgb '#dddddd' lt 1\n";

/// An inline data block `$name` of two columns.
inline std::string gnuplot_data(std::string_view name, const std::vector<double>& x, const std::vector<double>& y) {
  std::string out = join("$", name, " << EOD\n");
  for (std::size_t i = 0; i < y.size(); ++i) {
    char line[64];
    std::snprintf(line, sizeof line, "%.10g %.10g\n", x[i], y[i]);
    out += line;
  }
  return out + "EOD\n";
}

/// Mean of each number and its neighbours, `radius` to either side; fewer at the ends, never lopsided.
inline std::vector<double> moving_average(const std::vector<double>& numbers, std::size_t radius) {
  std::vector<double> out(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::size_t reach = std::min({radius, i, numbers.size() - 1 - i});
    double sum = 0;
    for (std::size_t j = i - reach; j <= i + reach; ++j) sum += numbers[j];
    out[i] = sum / static_cast<double>(2 * reach + 1);
  }
  return out;
}

inline std::string loss_panel(const TrainingCurves& curves) {
  // A long curve of single steps is noisy: it is drawn pale, with its moving average over it.
  const bool noisy = curves.loss.size() >= 100;
  const std::string average = std::to_string(2 * (curves.loss.size() / 60) + 1) + "-step mean";
  std::string out = gnuplot_data("loss", curves.epochs, curves.loss);
  if (noisy) out += gnuplot_data("average", curves.epochs, moving_average(curves.loss, curves.loss.size() / 60));
  out += "set xlabel 'epoch'\nset ylabel 'loss (per step)'\nset xrange [*:*]\nset yrange [*:*]\nset xtics autofreq\n";
  out += noisy ? "plot $loss with lines lw 1 lc rgb '#9ecae1' title 'each step', "
                 "$average with lines lw 2.5 lc rgb '#0072b2' title " +
                     escape_gnuplot(average) + "\n"
               : "plot $loss with linespoints pt 7 ps 0.8 lw 2.5 lc rgb '#0072b2' title 'loss'\n";
  return out;
}

inline std::string accuracy_panel(const TrainingCurves& curves) {
  const auto percent = [](std::vector<double> numbers) {
    for (double& number : numbers) number *= 100;
    return numbers;
  };
  const std::size_t depth = std::max(curves.untrained.size(), curves.trained.size());
  std::vector<double> layers(depth);
  for (std::size_t i = 0; i < depth; ++i) layers[i] = static_cast<double>(i + 1);
  std::string out = gnuplot_data("untrained", layers, percent(curves.untrained)) +
                    gnuplot_data("trained", layers, percent(curves.trained));
  out += "set xlabel 'layer (block)'\nset ylabel 'k-NN accuracy (%)'\nset yrange [*:*]\n";
  out += join("set xrange [0.5:", static_cast<double>(depth) + 0.5, "]\nset xtics ", depth > 16 ? 2 : 1, "\n");
  std::string plots;
  if (!curves.untrained.empty())
    plots += "$untrained with linespoints pt 4 ps 1.1 lw 2.5 dt 2 lc rgb '#d55e00' title 'untrained'";
  if (!curves.trained.empty())
    plots += std::string(plots.empty() ? "" : ", ") +
             "$trained with linespoints pt 7 ps 1.1 lw 2.5 lc rgb '#0072b2' title 'trained'";
  return out + "plot " + plots + "\n";
}

/// What two members of `during`, named `solid_name` and `dashed_name`, say of up to four layers over the epochs: the
/// second is dashed in the colour of the first, and may be empty.
template <class At>
std::string course_panel(const std::vector<At>& during, std::vector<double> At::*solid, std::string_view solid_name,
                         std::vector<double> At::*dashed, std::string_view dashed_name, double scale,
                         std::string_view y_axis) {
  static constexpr const char* colors[] = {"#56b4e9", "#009e73", "#e69f00", "#0072b2"};
  const std::size_t depth = (during[0].*solid).size(), shown = std::min<std::size_t>(depth, 4);
  std::string data, plots;
  const auto add = [&](std::vector<double> At::*which, std::string_view of, std::size_t layer,
                       const std::string& style) {
    std::vector<double> epochs, numbers;
    for (const At& at : during)
      if (layer < (at.*which).size()) {
        epochs.push_back(at.epoch);
        numbers.push_back(scale * (at.*which)[layer]);
      }
    if (epochs.empty()) return;
    const std::string name = join(of, layer + 1);
    data += gnuplot_data(name, epochs, numbers);
    plots += join(plots.empty() ? "" : ", ", "$", name, " with linespoints pt 7 ps 0.7 lw 2 ", style);
  };
  for (std::size_t i = 0; i < shown; ++i) {
    const std::size_t layer = (i + 1) * depth / shown - 1;
    add(solid, solid_name, layer, join("lc rgb '", colors[i], "' title 'layer ", layer + 1, "'"));
    add(dashed, dashed_name, layer,
        join("dt 2 lc rgb '", colors[i], "' ", i + 1 == shown ? join("title '", dashed_name, "'") : "notitle"));
  }
  return join(data, "set xlabel 'epoch'\nset ylabel '", y_axis,
              "'\nset xrange [*:*]\nset yrange [*:*]\nset xtics autofreq\nplot ", plots, "\n");
}
inline std::string course_panel(const std::vector<AccuracyAt>& during) {
  return course_panel(during, &AccuracyAt::student, "student", &AccuracyAt::teacher, "teacher", 100,
                      "k-NN accuracy (%)");
}
inline std::string course_panel(const std::vector<SimilarityAt>& during) {
  return course_panel(during, &SimilarityAt::positive, "positive", &SimilarityAt::negative, "negative", 1,
                      "similarity of views (cosine)");
}

/// Has gnuplot draw what `commands` say for its output `terminal` into the file `path`. Error, with the old image
/// kept, if the file cannot be written or gnuplot is missing.
inline void draw_with_gnuplot(const std::filesystem::path& path, const std::string& terminal,
                              const std::string& commands) {
  const std::string gnuplot = find_program("gnuplot");
  check(!gnuplot.empty(), path.native(), ": the image needs gnuplot; install the package gnuplot-nox");
  AtomicFile file(path);
  const std::string script = join("set terminal ", terminal, "\n", commands, "unset output\n");
  // A gnuplot that dies early must become an Error, not a SIGPIPE that ends the program.
  const auto previous = std::signal(SIGPIPE, SIG_IGN);
  const std::string command = escape_shell(gnuplot) + " >" + escape_shell(file.temporary().native());
  std::FILE* const pipe = ::popen(command.c_str(), "we");
  const bool sent = pipe && std::fwrite(script.data(), 1, script.size(), pipe) == script.size();
  const int status = pipe ? ::pclose(pipe) : -1;
  std::signal(SIGPIPE, previous);
  check(sent && status == 0, path.native(), ": gnuplot could not draw the image (see its message above)");
  std::error_code error;
  check(std::filesystem::file_size(file.temporary(), error) > 0 && !error, path.native(), ": gnuplot drew nothing");
  file.commit();
}

}  // namespace detail

/// Writes one PNG of up to four panels: the loss over the epochs, the k-NN accuracy by layer, untrained and trained,
/// and over the epochs, and the similarity of views over the epochs. Error, with the old image kept, if the file cannot
/// be written or gnuplot is missing.
inline void write_training_plot(const std::filesystem::path& path, const TrainingCurves& curves) {
  check(curves.epochs.size() == curves.loss.size(), path.native(), ": ", curves.epochs.size(), " epochs for ",
        curves.loss.size(), " losses");
  const bool accuracies = !curves.untrained.empty() || !curves.trained.empty();
  for (const AccuracyAt& at : curves.during)
    check(!at.student.empty() && at.student.size() == curves.during[0].student.size(), path.native(), ": the k-NN of ",
          at.student.size(), " layers after epoch ", at.epoch, "; expected that of ", curves.during[0].student.size());
  check(accuracies || !curves.loss.empty(), path.native(), ": there is nothing to draw");
  for (const SimilarityAt& at : curves.similarity)
    check(!at.positive.empty() && at.positive.size() == curves.similarity[0].positive.size(), path.native(),
          ": the similarities of ", at.positive.size(), " layers after epoch ", at.epoch, "; expected those of ",
          curves.similarity[0].positive.size());
  // The key stands above its panel, where it hides no data.
  const int panels = !curves.loss.empty() + accuracies + !curves.during.empty() + !curves.similarity.empty();
  std::string script =
      join("set multiplot layout 1,", panels, " title ", escape_gnuplot(curves.title), " margins ",
           panels == 1   ? 0.15
           : panels == 2 ? 0.085
           : panels == 3 ? 0.06
                         : 0.045,
           ",0.97,0.16,0.83 spacing ",
           panels == 4   ? 0.05
           : panels == 3 ? 0.06
                         : 0.09,
           "\n", detail::gnuplot_style, "set key at graph 0.5,1.09 center horizontal Left reverse samplen 3\n");
  if (!curves.loss.empty()) script += detail::loss_panel(curves);
  if (accuracies) script += detail::accuracy_panel(curves);
  if (!curves.during.empty()) script += detail::course_panel(curves.during);
  if (!curves.similarity.empty()) script += detail::course_panel(curves.similarity);
  detail::draw_with_gnuplot(path, join("pngcairo noenhanced size ", 620 * panels, ",460 font 'Sans,12'"),
                            script + "unset multiplot\n");
}

}}  // namespace vitral
