// What all charts of the programs have in common: axes with round numbers, a pale grid, a key, and SVG that reads on
// white paper as on dark pages (page.hpp), where `color` of a class may be another.
#pragma once

#include "common/table.hpp"

#include <vitral/core/error.hpp>
#include <vitral/core/escape.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs::report {

/// A range of numbers and where its ticks are.
struct Axis {
  double low, high, first_tick, step;

  /// A number's place between the ends: 0 at `low`, 1 at `high`.
  [[nodiscard]] double share(double value) const { return (value - low) / (high - low); }
  [[nodiscard]] std::vector<double> ticks() const {
    std::vector<double> out;
    for (double at = first_tick; at <= high + 1e-6 * step; at += step)
      out.push_back(std::round(at / step) * step + 0.0);
    return out;
  }
};

/// An axis over these numbers that begins and ends with a tick, five of them or so, at round numbers.
inline Axis round_axis(double least, double most) {
  if (most - least < 1e-9 * std::max(1.0, std::abs(most))) {
    const double more = most == 0 ? 1 : std::abs(most) / 10;
    least -= more;
    most += more;
  }
  const double rough = (most - least) / 5, ten = std::pow(10.0, std::floor(std::log10(rough)));
  const double step = ten * (rough <= ten ? 1 : rough <= 2 * ten ? 2 : rough <= 5 * ten ? 5 : 10);
  const double low = std::floor(least / step + 1e-6) * step;
  return {low, std::ceil(most / step - 1e-6) * step, low, step};
}

/// An axis of whole numbers, such as layers: a tick for each, or of many for every second, third, ...
inline Axis whole_axis(double least, double most) {
  return {least - 0.5, most + 0.5, least, std::ceil((most - least + 1) / 16)};
}

/// A symbol, drawn around the origin, and what it stands for.
struct KeyEntry {
  std::string symbol, title;
};

inline constexpr int chart_width = 520, plot_left = 64, plot_right = 508;

/// The key above a chart, where it hides nothing: as many entries side by side as there is room for.
struct Key {
  std::vector<KeyEntry> entries;

  [[nodiscard]] int columns() const {
    std::size_t longest = 1;
    for (const KeyEntry& entry : entries) longest = std::max(longest, entry.title.size());
    const int room = (chart_width - 24) / (44 + 7 * static_cast<int>(std::min<std::size_t>(longest, 60)));
    return std::clamp(room, 1, std::max(1, static_cast<int>(entries.size())));
  }
  [[nodiscard]] int height() const { return 20 * ((static_cast<int>(entries.size()) + columns() - 1) / columns()); }
  [[nodiscard]] std::string svg() const {
    std::string out;
    const int across = columns();
    for (int i = 0; i < static_cast<int>(entries.size()); ++i) {
      const auto& [symbol, title] = entries[static_cast<std::size_t>(i)];
      out += vitral::join("<g transform=\"translate(", 32 + i % across * (chart_width - 24) / across, " ",
                          16 + 20 * (i / across), ")\">", symbol, "<text x=\"20\" y=\"4.5\">",
                          vitral::escape_html(title), "</text></g>\n");
    }
    return out;
  }
};

/// A chart's rectangle in SVG: where numbers of both axes lie in it.
struct Frame {
  Axis x, y;
  int top, height;

  [[nodiscard]] int bottom() const { return top + height; }
  [[nodiscard]] double across(double value) const { return plot_left + x.share(value) * (plot_right - plot_left); }
  [[nodiscard]] double down(double value) const { return bottom() - y.share(value) * height; }
};

/// A place in SVG: "12.3 45.6".
inline std::string place(double across, double down) { return number("%.1f ", across) + number("%.1f", down); }

/// Axes, grid and titles. `numbers`: whether those at the ticks mean something.
inline std::string axes(const Frame& frame, const std::string& x_title, const std::string& y_title,
                        bool numbers = true) {
  std::string lines, labels;
  for (const double tick : frame.x.ticks()) {
    lines += "M" + place(frame.across(tick), frame.top) + vitral::join("v", frame.height);
    labels += vitral::join("<text text-anchor=\"middle\" x=\"", number("%.1f", frame.across(tick)), "\" y=\"",
                           frame.bottom() + 18, "\">", number("%.10g", tick), "</text>");
  }
  for (const double tick : frame.y.ticks()) {
    lines += "M" + place(plot_left, frame.down(tick)) + vitral::join("h", plot_right - plot_left);
    labels += vitral::join("<text text-anchor=\"end\" x=\"", plot_left - 7, "\" y=\"",
                           number("%.1f", frame.down(tick) + 4.5), "\">", number("%.10g", tick), "</text>");
  }
  const int middle = (plot_left + plot_right) / 2, half = frame.top + frame.height / 2;
  return vitral::join("<path fill=\"none\" stroke=\"#888\" stroke-opacity=\"0.25\" d=\"", lines, "\"/>\n",
                      "<path fill=\"none\" stroke=\"#888\" d=\"M", plot_left, " ", frame.top, "V", frame.bottom(), "H",
                      plot_right, "\"/>\n", numbers ? labels : "", "\n<text text-anchor=\"middle\" x=\"", middle,
                      "\" y=\"", frame.bottom() + (numbers ? 38 : 22), "\">", vitral::escape_html(x_title),
                      "</text>\n<text text-anchor=\"middle\" transform=\"translate(16 ", half, ") rotate(-90)\">",
                      vitral::escape_html(y_title), "</text>\n");
}

/// The SVG element around what was drawn. `what`: the chart in words, for those who do not see it.
inline std::string svg_element(int height, const std::string& what, const std::string& drawn) {
  return vitral::join("<svg class=\"chart\" role=\"img\" aria-label=\"", vitral::escape_html(what), "\" viewBox=\"0 0 ",
                      chart_width, " ", height, "\" width=\"", chart_width, "\" height=\"", height,
                      "\" font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#1c2024\">\n"
                      "<rect class=\"ground\" width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
                      drawn, "</svg>\n");
}

/// An SVG file of an element.
inline std::string svg_file(const std::string& element) {
  return "<svg xmlns=\"http://www.w3.org/2000/svg\"" + element.substr(element.find(' '));
}

/// An attribute that a page shows where the pointer is.
inline std::string tip(const std::string& text) { return " data-tip=\"" + vitral::escape_html(text) + "\""; }

}}}  // namespace vitral::programs::report
