// Charts of the analyses that are no curves: how alike layers are, and images as points of a plane.
#pragma once

#include "common/frame.hpp"

#include <vitral/eval/results.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs::evaluation {

using vitral::join;

/// The colour of a similarity between 0 and 1, from dark blue over gray to yellow, ever lighter (after cividis).
inline std::string similarity_colour(double share) {
  static constexpr std::array<std::array<int, 3>, 5> stops{
      {{0, 34, 78}, {64, 76, 107}, {124, 123, 120}, {188, 174, 108}, {254, 232, 56}}};
  const double at = 4 * std::clamp(share, 0.0, 1.0);
  const auto low = static_cast<std::size_t>(std::min(at, 3.0));
  std::string out = "rgb(";
  for (std::size_t c = 0; c < 3; ++c)
    out += join(c ? "," : "",
                std::lround(stops[low][c] + (at - static_cast<double>(low)) * (stops[low + 1][c] - stops[low][c])));
  return out + ")";
}

/// A table of similarities between 0 and 1 of layers (rows, from below) with layers (columns), by their numbers.
inline std::string heat_map(const std::vector<std::vector<double>>& table, const std::string& rows,
                            const std::string& columns, const std::vector<int>& row_layers,
                            const std::vector<int>& column_layers) {
  constexpr int left = 56, side = 372, top = 12;
  const std::size_t down = table.size(), across = table[0].size();
  const double width = side / static_cast<double>(across), height = side / static_cast<double>(down);
  std::string out;
  const auto text = [&](double x, double y, const std::string& what, const char* more = "") {
    out += join("<text text-anchor=\"middle\" x=\"", report::number("%.1f", x), "\" y=\"", report::number("%.1f", y),
                "\"", more, ">", what, "</text>");
  };
  const auto box = [&](double x, double y, double w, double h, double share, const std::string& tip = "") {
    out += join("<rect x=\"", report::number("%.2f", x), "\" y=\"", report::number("%.2f", y), "\" width=\"",
                report::number("%.2f", w + 0.3), "\" height=\"", report::number("%.2f", h + 0.3), "\" fill=\"",
                similarity_colour(share), "\"", tip, "/>");
  };
  const auto labelled = [](std::size_t i, std::size_t count) { return count <= 16 || i % 2 == 0; };
  for (std::size_t i = 0; i < down; ++i) {
    const double y = top + side - static_cast<double>(i + 1) * height;
    if (labelled(i, down)) text(left - 14, y + height / 2 + 4.5, join(row_layers[i]));
    for (std::size_t j = 0; j < across; ++j) {
      const double share = table[i][j], x = left + static_cast<double>(j) * width;
      box(x, y, width, height, share,
          report::tip(join(rows, " ", row_layers[i], ", ", columns, " ", column_layers[j], ": ",
                           report::number("%.4f", share))));
      if (std::max(down, across) <= 12)  // there is room for numbers
        text(x + width / 2, y + height / 2 + 3.5, report::number("%.2f", share),
             share < 0.6 ? " font-size=\"10\" fill=\"#fff\" pointer-events=\"none\""
                         : " font-size=\"10\" fill=\"#000\" pointer-events=\"none\"");
    }
    out += "\n";
  }
  for (std::size_t j = 0; j < across; ++j)
    if (labelled(j, across))
      text(left + (static_cast<double>(j) + 0.5) * width, top + side + 18, join(column_layers[j]));
  for (int i = 0; i < 31; ++i) box(left + side + 16, top + side - 12 * (i + 1), 14, 12, i / 30.0);
  for (const double share : {0.0, 0.5, 1.0})
    text(left + side + 44, top + side - share * (side - 8) + 1, report::number("%.1f", share));
  text(left + side / 2.0, top + side + 38, vitral::escape_html(columns));
  out += join("<text text-anchor=\"middle\" transform=\"translate(16 ", top + side / 2, ") rotate(-90)\">",
              vitral::escape_html(rows), "</text>\n");
  return report::svg_element(top + side + 48, "linear CKA: " + rows + " by " + columns, out);
}

/// Images as points of the plane [images, 2], coloured by class. Twenty classes have a colour and a marker of their own
/// and stand in the key; of more the first nine, and the others are gray. `numbers`: whether coordinates mean
/// something.
inline std::string class_map(const std::vector<float>& points, const vitral::Analyses& analyses,
                             const std::string& x_axis, const std::string& y_axis, bool numbers) {
  static const char* const colours[] = {"#332288", "#88ccee", "#44aa99", "#117733", "#999933",   // Tol's muted scheme
                                        "#ddcc77", "#cc6677", "#882255", "#aa4499", "#000000"};  // and black
  const std::vector<std::string>& classes = analyses.classes;
  const std::size_t named = classes.size() <= 20 ? classes.size() : 9;
  const auto symbol = [&](std::size_t label, const std::string& more, const std::string& where) {
    const std::string colour = label < named ? join("class=\"k", label % 10, "\" color=\"", colours[label % 10], "\"")
                                             : "class=\"other\" color=\"#999\"";
    return join("<path ", colour, " fill=\"currentColor\"", more, " d=\"M", where,
                label < named && label >= 10 ? "m0-3.4l3 5.6h-6z" : "m-2.8 0a2.8 2.8 0 1 0 5.6 0a2.8 2.8 0 1 0-5.6 0z",
                "\"/>");
  };
  report::Key key;
  for (std::size_t c = 0; c <= named && c < classes.size(); ++c)
    key.entries.push_back({symbol(c, "", "0 0"), c < named ? classes[c] : "other classes"});
  std::array<float, 2> least{points[0], points[1]}, most = least;
  for (std::size_t i = 0; i < points.size(); ++i) {
    least[i % 2] = std::min(least[i % 2], points[i]);
    most[i % 2] = std::max(most[i % 2], points[i]);
  }
  const report::Frame frame{report::round_axis(static_cast<double>(least[0]), static_cast<double>(most[0])),
                            report::round_axis(static_cast<double>(least[1]), static_cast<double>(most[1])),
                            14 + key.height(), 380};
  // In the images' order, so that no class lies on top of the others, but for those that have a name.
  std::string others, marks;
  for (std::size_t i = 0; i < analyses.labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(analyses.labels[i]);
    (label < named ? marks : others) += symbol(label, report::tip(classes[label]),
                                               report::place(frame.across(static_cast<double>(points[2 * i])),
                                                             frame.down(static_cast<double>(points[2 * i + 1])))) +
                                        "\n";
  }
  return report::svg_element(frame.bottom() + (numbers ? 48 : 32), "images by class: " + y_axis + " by " + x_axis,
                             key.svg() + report::axes(frame, x_axis, y_axis, numbers) + others + marks);
}

}}}  // namespace vitral::programs::evaluation
