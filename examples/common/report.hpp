// What the programs' reports are made of: tables as CSV, HTML and Markdown, charts as SVG, and a page that needs no
// network. Charts need gnuplot (io/plots.hpp); their colours are Okabe and Ito's, which colour-blind eyes tell apart.
#pragma once

#include "common/output.hpp"

#include <vitral/io/plots.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs::report {

/// A table as rows of text, the first its header.
using Table = std::vector<std::vector<std::string>>;

inline std::string number(const char* format, double value) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

inline std::string csv(const Table& table) {
  std::string out;
  for (const auto& row : table)
    for (std::size_t i = 0; i < row.size(); ++i) out += vitral::escape_csv(row[i]) + (i + 1 < row.size() ? "," : "\n");
  return out;
}

inline std::string html(const Table& table) {
  std::string out = "<table>\n";
  for (std::size_t r = 0; r < table.size(); ++r) {
    out += "<tr>";
    for (const std::string& cell : table[r]) out += (r == 0 ? "<th>" : "<td>") + vitral::escape_html(cell);
    out += "\n";
  }
  return out + "</table>\n";
}

inline std::string markdown(const Table& table) {
  std::string out;
  for (std::size_t r = 0; r < table.size(); ++r) {
    for (const std::string& cell : table[r]) out += "| " + vitral::escape_markdown(cell) + " ";
    out += "|\n";
    if (r > 0) continue;
    for (std::size_t i = 0; i < table[0].size(); ++i) out += i ? "| ---: " : "| --- ";
    out += "|\n";
  }
  return out;
}

/// Columns for a terminal.
inline std::string text(Table table) {
  for (auto& row : table)
    for (std::string& cell : row) cell = vitral::escape_text(cell);
  std::string out;
  for (const auto& row : table) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::size_t width = 0;
      for (const auto& other : table) width = std::max(width, other[i].size());
      out += std::string(2 + width - row[i].size(), ' ') + row[i];
    }
    out += '\n';
  }
  return out;
}

/// Numbers y over x, and a pale band between `low` and `high` where these are given.
struct Curve {
  std::string title;
  std::vector<double> x, y, low = {}, high = {};
  int style = -1;       // a colour and a marker, below most_styles; -1: the curve's place in the chart
  bool dashed = false;  // a broken line and hollow markers: a second curve of this style
};

struct Chart {
  std::string x_axis, y_axis;  // titles, with units
  std::vector<Curve> curves;
  bool whole = false;  // x are whole numbers
};

inline constexpr std::size_t most_styles = 8;

/// Has gnuplot draw an SVG file of so many pixels, on a white ground, so that it reads on dark pages, too.
inline void draw(const std::filesystem::path& file, int width, int height, const std::string& commands) {
  vitral::detail::draw_with_gnuplot(
      file,
      vitral::join("svg noenhanced size ", width, ",", height, " dynamic font 'sans-serif,14' background '#ffffff'"),
      commands);
}

/// The key's rows: two curves stand side by side unless a title is too long for half of a chart.
inline int key_rows(const Chart& chart) {
  bool narrow = true;
  for (const Curve& curve : chart.curves) narrow = narrow && curve.title.size() <= 24;
  const int curves = static_cast<int>(chart.curves.size());
  return narrow ? (curves + 1) / 2 : curves;
}

/// gnuplot's commands for a chart, with the key above it, where it hides nothing.
inline std::string commands_of(const Chart& chart) {
  using vitral::detail::gnuplot_data, vitral::join;
  static const char* const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                        "#e69f00", "#56b4e9", "#000000", "#f0e442"};
  static const int markers[] = {7, 5, 9, 13, 11, 15, 7, 5};  // gnuplot's filled ones; one less is the hollow form
  std::string data, bands, lines;
  for (std::size_t i = 0; i < chart.curves.size(); ++i) {
    const Curve& curve = chart.curves[i];
    const std::string name = "curve" + std::to_string(i);
    const std::size_t style = (curve.style < 0 ? i : static_cast<std::size_t>(curve.style)) % most_styles;
    const std::string colour = join(" lc rgb '", colours[style], "'");
    data += gnuplot_data(name, curve.x, curve.y);
    if (!curve.low.empty()) {  // there along the lower edge, back along the upper one
      std::vector<double> x = curve.x, edge = curve.low;
      x.insert(x.end(), curve.x.rbegin(), curve.x.rend());
      edge.insert(edge.end(), curve.high.rbegin(), curve.high.rend());
      data += gnuplot_data(name + "band", x, edge);
      bands += join("$", name, "band with filledcurves closed fs transparent solid 0.2 noborder", colour, " notitle, ");
    }
    lines += join(i ? ", $" : "$", name, " with linespoints pt ", markers[style] - curve.dashed, " ps 0.6 lw 2",
                  curve.dashed ? " dt 2" : "", colour, " title ", vitral::escape_gnuplot(curve.title));
  }
  return join(data, "set xlabel ", vitral::escape_gnuplot(chart.x_axis), "\nset ylabel ",
              vitral::escape_gnuplot(chart.y_axis), "\n", chart.whole ? "set xtics 1\n" : "",
              vitral::detail::gnuplot_style, "set key above vertical maxrows ", key_rows(chart), "\nplot ", bands,
              lines, "\n");
}
inline int height_of(const Chart& chart) { return 400 + 20 * key_rows(chart); }

/// Draws a chart as a file.
inline void draw(const std::filesystem::path& file, const Chart& chart) {
  draw(file, 640, height_of(chart), commands_of(chart));
}

/// A file's bytes.
inline std::string read(const std::filesystem::path& file) {
  std::stringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

/// The SVG element of a file, to stand in a page.
inline std::string svg(const std::filesystem::path& file) {
  const std::string text = read(file);
  return text.substr(text.find("<svg"));
}

/// A chart as an SVG element, drawn by way of a file in the folder that is removed again.
inline std::string svg(const std::filesystem::path& folder, int width, int height, const std::string& commands) {
  const auto file = folder / ".chart.svg";
  draw(file, width, height, commands);
  const std::string element = svg(file);
  std::filesystem::remove(file);
  return element;
}
inline std::string svg(const std::filesystem::path& folder, const Chart& chart) {
  return svg(folder, 640, height_of(chart), commands_of(chart));
}

/// A page that needs no other file. `body` is HTML, `title` text.
inline std::string page(const std::string& title, const std::string& body) {
  return "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>" + vitral::escape_html(title) +
         "</title>\n<style>\n:root { color-scheme: light dark; font-family: sans-serif; }\n"
         "body { max-width: 70em; margin: 2em auto; padding: 0 1em; }\n"
         "table { border-collapse: collapse; font-variant-numeric: tabular-nums; }\n"
         "th, td { padding: 0.2em 0.6em; text-align: right; border-bottom: 1px solid #8884; }\n"
         "svg { max-width: 40em; border-radius: 6px; }\nimg { max-width: 100%; border-radius: 6px; }\n</style>\n<h1>" +
         vitral::escape_html(title) + "</h1>\n" + body + "</html>\n";
}

}}}  // namespace vitral::programs::report
