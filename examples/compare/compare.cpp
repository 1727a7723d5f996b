// Evaluations of several runs side by side: every layer's accuracy, what an early exit costs, and what
// self-distillation gains. Runs that differ in the seed alone are averaged. Writes comparison.json, CSV and Markdown
// tables, charts as SVG and a report that a browser shows.
//
//   compare evaluation/sd-byol-1 evaluation/sd-byol-2 evaluation/byol-1 evaluation/byol-2 --out comparison
#include "common/chart.hpp"
#include "common/command_line.hpp"
#include "common/output.hpp"
#include "common/page.hpp"
#include "compare/comparison.hpp"

#include <cstdio>

using namespace vitral::programs;
using namespace comparison;
using report::number;
using report::Table;

namespace {

struct Options {
  std::vector<std::string> runs;
  std::string out = "comparison";
};

Options parse(int argc, char** argv) {
  Options o;
  CLI::App app{"Compares what `evaluate` has found about several runs."};
  app.add_option("RUNS", o.runs, "Directories that `evaluate --out` has written")->required();
  app.add_option("--out", o.out, "Directory for comparison.json, tables, charts and report.html")
      ->capture_default_str();
  parse_command_line(app, argc, argv, "compare");
  return o;
}

/// A part of the report: a chart (none where it has no curves), a table and a sentence about them.
struct Section {
  std::string title, note, file;  // file: the chart's name, without its ending
  report::Chart chart;
  Table table;
};

/// The first self-distilled group of a base takes its style, the base's line being broken where its own is full; every
/// other group has a style of its own.
bool has_own_style(const std::vector<Group>& groups, std::size_t i) {
  const auto end = groups.begin() + static_cast<std::ptrdiff_t>(i);
  return groups[i].rival < 0 ||
         std::any_of(groups.begin(), end, [&](const Group& g) { return g.rival == groups[i].rival; });
}
int style_of(const std::vector<Group>& groups, std::size_t i) {
  const std::size_t owner = has_own_style(groups, i) ? i : static_cast<std::size_t>(groups[i].rival);
  int style = 0;
  for (std::size_t before = 0; before < owner; ++before) style += has_own_style(groups, before);
  return style;
}
bool is_rival(const std::vector<Group>& groups, std::size_t i) {
  return std::any_of(groups.begin(), groups.end(), [&](const Group& g) { return g.rival == static_cast<int>(i); });
}

report::Curve curve(const std::vector<Group>& groups, std::size_t i, std::vector<double> x, const Spread& y) {
  report::Curve out{groups[i].name, std::move(x), y.mean};
  if (groups[i].runs.size() > 1) out.low = y.least, out.high = y.most;
  out.style = style_of(groups, i);
  out.dashed = is_rival(groups, i);
  return out;
}

std::vector<double> layer_numbers(const Group& group) {
  std::vector<double> out;
  for (int layer = 1; layer <= group.depth(); ++layer) out.push_back(layer);
  return out;
}

/// A mean, with the least and the most where there are several runs.
std::string cell(const Group& group, const Spread& s, std::size_t i) {
  return group.runs.size() == 1 ? number("%.2f", s.mean[i])
                                : report::with_range("%.2f", s.mean[i], s.least[i], s.most[i]);
}

/// A row for each layer, a column for each group; groups with fewer layers end in dashes.
template <class Cell>
Table layer_rows(const std::vector<Group>& groups, const Cell& cell_of) {
  Table table{{"layer"}};
  int depth = 0;
  for (const Group& group : groups) {
    table[0].push_back(group.name);
    depth = std::max(depth, group.depth());
  }
  for (int layer = 0; layer < depth; ++layer) {
    table.push_back({std::to_string(layer + 1)});
    for (const Group& group : groups)
      table.back().push_back(layer < group.depth() ? cell_of(group, static_cast<std::size_t>(layer)) : "-");
  }
  return table;
}

const char* const spread_note = "Means over seeds; in brackets and as bands the smallest and the largest.";

Section by_layer(const std::vector<Group>& groups, const Measure& measure) {
  Section out{"Accuracy by layer: " + measure.title,
              "",
              measure.file,
              {"layer", measure.title + ": accuracy (%)", {}, true, "%.2f"},
              {}};
  for (std::size_t i = 0; i < groups.size(); ++i)
    out.chart.curves.push_back(curve(groups, i, layer_numbers(groups[i]), accuracy(groups[i], measure)));
  out.table =
      layer_rows(groups, [&](const Group& g, std::size_t layer) { return cell(g, accuracy(g, measure), layer); });
  out.note = vitral::join(measure.mean_per_class ? "Mean of the classes' accuracies" : "Top-1 accuracy",
                          " in percent. ", spread_note);
  return out;
}

/// Points of accuracy that are lost where all images leave after a layer.
Section early_exit(const std::vector<Group>& groups, const Measure& measure) {
  Section out{"Early exit: " + measure.title,
              "",
              "exit_" + measure.file,
              {"million multiply-adds per image", measure.title + ": accuracy (%)", {}, false, "%.2f"},
              {}};
  for (std::size_t i = 0; i < groups.size(); ++i) {
    std::vector<double> cost;
    for (const vitral::LayerEvaluation& layer : groups[i].runs[0].results.layers)
      cost.push_back(layer.cost->multiply_adds / 1e6);
    out.chart.curves.push_back(curve(groups, i, cost, accuracy(groups[i], measure)));
  }
  out.table = layer_rows(groups, [&](const Group& g, std::size_t layer) {
    return cell(g,
                spread(g, static_cast<std::size_t>(g.depth()),
                       [&](const Run& run, std::size_t at) {
                         const auto& layers = run.results.layers;
                         return measure.of(layers.back()) - measure.of(layers[at]);
                       }),
                layer);
  });
  out.note = vitral::join("Points of accuracy lost where the network ends after a layer, not its last. ", spread_note);
  return out;
}

/// Images leave where their layer's logistic regression is sure.
Section adaptive_exit(const std::vector<Group>& groups) {
  Section out{"Adaptive exit",
              "",
              "adaptive_exit",
              {"million multiply-adds per image, on average", "logistic regression: accuracy (%)", {}, false, "%.2f"},
              {{"confidence"}}};
  for (const vitral::AdaptiveExit& exit : groups[0].runs[0].results.adaptive_exit)
    out.table.push_back({number("%.2f", exit.confidence)});
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const Group& group = groups[i];
    const auto of = [&](double vitral::AdaptiveExit::*number, double scale) {
      return spread(group, group.runs[0].results.adaptive_exit.size(),
                    [&](const Run& run, std::size_t at) { return scale * (run.results.adaptive_exit[at].*number); });
    };
    const Spread right = of(&vitral::AdaptiveExit::accuracy, 100),
                 cost = of(&vitral::AdaptiveExit::multiply_adds, 1e-6);
    report::Curve line = curve(groups, i, cost.mean, right);
    line.low.clear();  // the runs of a group differ in both axes: a band would say too much
    line.high.clear();
    out.chart.curves.push_back(line);
    out.table[0].push_back(group.name);
    for (std::size_t at = 0; at + 1 < out.table.size(); ++at)
      out.table[at + 1].push_back(number("%.2f", right.mean.at(at)) + " at " + number("%.1f", cost.mean.at(at)));
  }
  out.note = "Each image leaves after the first layer whose logistic regression gives a class a probability of the "
             "confidence or more. Accuracy in percent at million multiply-adds, means over seeds.";
  return out;
}

/// Whether the ordering of the paper shows: no layer of the self-distilled network worse, and more gained below.
std::string reading(const Gain& gain, const Group& group) {
  if (const std::string why = unjudged(group.runs[0].settings); !why.empty()) return why;
  const bool every = gain.not_worse == gain.layers, below = gain.lower > gain.upper;
  if (every && below) return "shows";
  return every ? "at every layer, not more below" : below ? "more below, not at every layer" : "does not show";
}

Section gains(const std::vector<Group>& groups, const std::vector<Measure>& all) {
  Section out{"What self-distillation gains",
              "Points of accuracy, means over seeds. The paper (Jang et al., WACV 2023) "
              "finds the self-distilled network ahead at every layer, and most in the lower ones.",
              "",
              {},
              {}};
  out.table = {{"network", "classifier", "layers not worse", "gain, lower half", "gain, upper half", "gain, last layer",
                "the paper's ordering"}};
  for (const Group& group : groups) {
    if (group.rival < 0) continue;
    const Group& base = groups[static_cast<std::size_t>(group.rival)];
    for (const Measure& measure : all) {
      const Gain g = gain(accuracy(base, measure).mean, accuracy(group, measure).mean);
      out.table.push_back({group.name, measure.title, std::to_string(g.not_worse) + " of " + std::to_string(g.layers),
                           number("%+.2f", g.lower), number("%+.2f", g.upper), number("%+.2f", g.last),
                           reading(g, group)});
    }
  }
  return out;
}

/// What the report says first, of means over seeds: the best network, what self-distillation gains, and what it costs
/// to end after half of the layers.
std::vector<report::Tile> summary(const std::vector<Group>& groups, const std::vector<Measure>& all) {
  std::vector<report::Tile> out;
  for (const Measure& measure : all) {
    report::Tile best{"Best by " + measure.title, "", ""};
    double most = -1;
    for (const Group& group : groups) {
      const std::vector<double> mean = accuracy(group, measure).mean;
      const auto found = std::max_element(mean.begin(), mean.end());
      if (*found <= most) continue;
      most = *found;
      best.value = number("%.2f", most) + " %";
      best.note = vitral::join(group.name, ", after layer ", found - mean.begin() + 1, " of ", mean.size());
    }
    out.push_back(best);
  }
  const Measure& judge = all[0];
  for (const Group& group : groups) {
    const std::vector<double> mean = accuracy(group, judge).mean;
    if (group.rival >= 0) {
      const Group& base = groups[static_cast<std::size_t>(group.rival)];
      const Gain g = gain(accuracy(base, judge).mean, mean);
      out.push_back({group.name + " over " + base.name, number("%+.2f", g.lower) + " points",
                     vitral::join("in the lower half of the layers, ", number("%+.2f", g.upper), " in the upper, ",
                                  number("%+.2f", g.last), " after the last, by ", judge.title, "; not worse at ",
                                  g.not_worse, " of ", g.layers, " layers")});
    }
    if (mean.size() > 1)
      out.push_back({group.name + " ended after half of its layers",
                     number("%+.2f", mean[mean.size() / 2 - 1] - mean.back()) + " points",
                     vitral::join("after layer ", mean.size() / 2, " against the last, by ", judge.title)});
  }
  return out;
}

/// Everything that the tables and charts show, with all digits.
Json numbers(const std::vector<Group>& groups, const std::vector<Measure>& all) {
  Json out;
  for (const char* key : {"dataset", "train_images", "test_images"}) out[key] = groups[0].runs[0].conditions[key];
  for (const Group& group : groups) {
    Json entry{{"name", group.name}, {"settings", group.runs[0].settings}};
    for (const Run& run : group.runs) entry["runs"].push_back({{"path", run.path}, {"seed", run.seed}});
    for (const Measure& measure : all) {
      const Spread s = accuracy(group, measure);
      entry["accuracy"][measure.title] = {{"mean", s.mean}, {"least", s.least}, {"most", s.most}};
    }
    if (group.rival >= 0) {
      const Group& base = groups[static_cast<std::size_t>(group.rival)];
      entry["rival"] = base.name;
      for (const Measure& measure : all) {
        const Gain g = gain(accuracy(base, measure).mean, accuracy(group, measure).mean);
        entry["gain"][measure.title] = {
            {"layers", g.layers}, {"not_worse", g.not_worse}, {"lower", g.lower}, {"upper", g.upper}, {"last", g.last}};
      }
    }
    out["groups"].push_back(entry);
  }
  return out;
}

/// A row for each layer of each group and measure.
Table long_table(const std::vector<Group>& groups, const std::vector<Measure>& all) {
  Table table{{"network", "seeds", "classifier", "layer", "mean %", "least %", "most %"}};
  for (const Group& group : groups)
    for (const Measure& measure : all) {
      const Spread s = accuracy(group, measure);
      for (std::size_t i = 0; i < s.mean.size(); ++i)
        table.push_back({group.name, std::to_string(group.runs.size()), measure.title, std::to_string(i + 1),
                         number("%.2f", s.mean[i]), number("%.2f", s.least[i]), number("%.2f", s.most[i])});
    }
  return table;
}

/// What the groups are: their seeds, and a warning where the networks differ in more than the method.
std::string introduction(const std::vector<Group>& groups) {
  const vitral::EvaluationResults& results = groups[0].runs[0].results;
  std::string out = vitral::join("On ", results.dataset, ": ", results.train_images, " images to learn from, ",
                                 results.test_images, " to classify.");
  bool differ = false;
  for (const Group& group : groups) {
    out += " " + group.name + (group.runs.size() > 1 ? ": seeds" : ": seed");
    for (std::size_t i = 0; i < group.runs.size(); ++i) out += (i ? ", " : " ") + std::to_string(group.runs[i].seed);
    out += ".";
    const auto bare = [](const Group& of) {
      Json settings = of.runs[0].settings;
      settings.erase("method");
      if (of.published_ratio()) settings.erase("ratio");
      return settings;
    };
    differ = differ || bare(group) != bare(groups[0]);
  }
  if (differ) out += " The networks differ in more than method and seed; their names say in what.";
  return out;
}

void compare(const Options& o) {
  std::vector<Run> runs;
  for (const std::string& folder : o.runs) runs.push_back(read_run(folder));
  const std::vector<Group> groups = grouped(runs);
  vitral::check(groups.size() <= report::most_styles, "a chart tells ", report::most_styles,
                " networks apart, and these are ", groups.size(), "; compare fewer");
  const std::vector<Measure> all = measures(runs);
  std::vector<Section> sections;
  for (const Measure& measure : all) sections.push_back(by_layer(groups, measure));
  if (Section section = gains(groups, all); section.table.size() > 1) sections.push_back(section);
  for (const Measure& measure : all) sections.push_back(early_exit(groups, measure));
  sections.push_back(adaptive_exit(groups));

  const std::filesystem::path out = o.out;
  make_folder(out);
  write_text(out / "comparison.json", vitral::json_text(numbers(groups, all), 2) + "\n");
  write_text(out / "layers.csv", report::csv(long_table(groups, all)));
  std::string parts, document = vitral::escape_markdown(introduction(groups)) + "\n";
  for (const Section& s : sections) {
    std::string figure, note = vitral::escape_html(s.note);
    document += "\n## " + vitral::escape_markdown(s.title) + "\n\n";
    if (!s.chart.curves.empty()) {
      const std::string drawn = report::svg(s.chart);
      write_text(out / (s.file + ".svg"), report::svg_file(drawn));
      figure = report::figure(s.title, drawn, note);
      document += "![" + vitral::escape_markdown(s.title) + "](" + s.file + ".svg)\n\n";
    } else
      figure = "<p class=\"wide\">" + note + "</p>\n";
    parts += report::grid(figure + report::html(s.table, s.title));
    document += s.note + "\n\n" + report::markdown(s.table);
  }
  write_text(out / "comparison.md", document);
  write_text(out / "report.html", report::page("Runs side by side", vitral::escape_html(introduction(groups)),
                                               report::section("Summary", report::tiles(summary(groups, all))) +
                                                   report::section("Results", parts)));
  for (const Section& s : sections)
    if (s.file.find("exit") == std::string::npos)
      std::printf("%s\n%s\n", vitral::escape_text(s.title).c_str(), report::text(s.table).c_str());
  std::printf("wrote comparison.json, layers.csv, comparison.md, charts and report.html in %s\n",
              vitral::escape_text(o.out).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return exit_status([&] { compare(parse(argc, argv)); });
}
