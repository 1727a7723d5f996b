// Charts of curves as SVG. Their colours are Okabe and Ito's, which colour-blind eyes tell apart, and each has a marker
// of its own.
#pragma once

#include "common/frame.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs::report {

/// Numbers y over x, and a pale band between `low` and `high` where these are given.
struct Curve {
  std::string title;
  std::vector<double> x, y, low = {}, high = {};
  int style = -1;       // a colour and a marker, below most_styles; -1: the curve's place in the chart
  bool dashed = false;  // a broken line and hollow markers: a second curve of this style
  bool line = true, markers = true;
};

struct Chart {
  std::string x_axis, y_axis;  // titles, with units
  std::vector<Curve> curves;
  bool whole = false;           // x are whole numbers
  const char* digits = "%.3f";  // of the numbers y, where the pointer asks for them
};

inline constexpr std::size_t most_styles = 8;

/// A curve's marker at a place.
inline std::string marker(std::size_t style, bool hollow, const std::string& where, const std::string& tip = "") {
  static const char* const outlines[] = {"m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z",
                                         "m-3-3h6v6h-6z",
                                         "m0-4l4 7h-8z",
                                         "m0-4.5l4 4.5l-4 4.5l-4-4.5z",
                                         "m0 4l4-7h-8z",
                                         "m-4-1.3h2.7v-2.7h2.6v2.7h2.7v2.6h-2.7v2.7h-2.6v-2.7h-2.7z"};
  return vitral::join("<path", hollow ? " class=\"hollow\" fill=\"#fff\"" : " fill=\"currentColor\"",
                      " stroke=\"currentColor\" stroke-width=\"1.4\"", tip, " d=\"M", where, outlines[style % 6],
                      "\"/>");
}

/// A curve without its band.
inline std::string drawn(const Curve& curve, std::size_t style, const Chart& chart, const Frame& frame) {
  std::string line, markers;
  for (std::size_t i = 0; i < curve.y.size(); ++i) {
    const std::string where = place(frame.across(curve.x[i]), frame.down(curve.y[i]));
    line += (i ? "L" : "M") + where;
    if (!curve.markers) continue;
    const std::string value = curve.low.empty() ? number(chart.digits, curve.y[i])
                                                : with_range(chart.digits, curve.y[i], curve.low[i], curve.high[i]);
    markers += marker(style, curve.dashed, where,
                      tip(curve.title + (curve.title.empty() ? "" : ", ") + chart.x_axis + " " +
                          number(chart.whole ? "%.0f" : "%.5g", curve.x[i]) + ": " + value)) +
               "\n";
  }
  if (!curve.line) return markers;
  return vitral::join("<path fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\"",
                      curve.dashed ? " stroke-dasharray=\"6 4\"" : "", " d=\"", line, "\"/>\n", markers);
}

/// The band between a curve's `low` and `high`: there along the lower edge, back along the upper one.
inline std::string band(const Curve& curve, const Frame& frame) {
  std::string edge;
  for (std::size_t i = 0; i < curve.low.size(); ++i)
    edge += (i ? "L" : "M") + place(frame.across(curve.x[i]), frame.down(curve.low[i]));
  for (std::size_t i = curve.high.size(); i-- > 0;)
    edge += "L" + place(frame.across(curve.x[i]), frame.down(curve.high[i]));
  return edge.empty() ? "" : "<path fill=\"currentColor\" fill-opacity=\"0.2\" d=\"" + edge + "Z\"/>\n";
}

/// A chart as an SVG element.
inline std::string svg(const Chart& chart) {
  static const char* const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                        "#e69f00", "#56b4e9", "#000000", "#f0e442"};
  constexpr double none = std::numeric_limits<double>::infinity();
  double left = none, right = -none, least = none, most = -none;
  Key key;
  std::string what = chart.y_axis + " by " + chart.x_axis;
  const auto style_of = [&](std::size_t i) {
    const int style = chart.curves[i].style;
    return (style < 0 ? i : static_cast<std::size_t>(style)) % most_styles;
  };
  const auto coloured = [&](std::size_t i, const std::string& drawn) {
    const std::size_t style = style_of(i);
    return vitral::join("<g class=\"c", style, "\" color=\"", colours[style], "\">", drawn, "</g>\n");
  };
  for (std::size_t i = 0; i < chart.curves.size(); ++i) {
    const Curve& curve = chart.curves[i];
    for (const double x : curve.x) left = std::min(left, x), right = std::max(right, x);
    for (const auto* numbers : {&curve.y, &curve.low, &curve.high})
      for (const double y : *numbers) least = std::min(least, y), most = std::max(most, y);
    if (curve.title.empty()) continue;
    what += (i ? ", " : ": ") + curve.title;
    key.entries.push_back(
        {coloured(i, (curve.line ? vitral::join("<path stroke=\"currentColor\" stroke-width=\"2\"",
                                                curve.dashed ? " stroke-dasharray=\"6 4\"" : "", " d=\"M-14 0h28\"/>")
                                 : "") +
                         (curve.markers ? marker(style_of(i), curve.dashed, "0 0") : "")),
         curve.title});
  }
  const Frame frame{chart.whole ? whole_axis(left, right) : round_axis(left, right), round_axis(least, most),
                    14 + key.height(), 270};
  std::string bands, lines;
  for (std::size_t i = 0; i < chart.curves.size(); ++i) {
    bands += coloured(i, band(chart.curves[i], frame));
    lines += coloured(i, drawn(chart.curves[i], style_of(i), chart, frame));
  }
  return svg_element(frame.bottom() + 48, what, key.svg() + axes(frame, chart.x_axis, chart.y_axis) + bands + lines);
}

}}}  // namespace vitral::programs::report
