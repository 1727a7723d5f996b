// The options that change self-distillation: which layers learn, from what, and through which heads.
#pragma once

#include "pretrain/rows.hpp"

#include <vitral/train/methods.hpp>

#include <algorithm>
#include <charconv>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// What is other than in the published method; the defaults are that.
struct AblationOptions {
  std::string layers_distilled = "all", target = "final", shared_heads = "none", detached_term = "on";
  int up = 0, lower_hidden = 0, lower_depth = 3;
  bool dis_token = false;

  bool operator==(const AblationOptions&) const = default;
};

namespace options_detail {

// clang-format off
/// Calls visit(row, member) for every option.
template <class Options, class Visit>
void for_each_ablation_option(Options& o, Visit&& visit) {
  visit(Row{.name = "layers-distilled",
            .help = "Layers below the final one that learn from it: all, even, odd, or a list such as 3,6,9 or 1-4,8"},
        o.layers_distilled);
  visit(Row{.name = "up", .help = "Lowest layers that do not learn; those above take their heads' places (sd- methods)",
            .least = 0}, o.up);
  visit(Row{.name = "target",
            .help = "What a lower layer learns from: the final layer (the teacher's, where there is one), the "
                    "student's final layer, or the same layer of the teacher (sd-byol)",
            .choices = {"final", "student", "same"}}, o.target);
  visit(Row{.name = "shared-heads", .help = "Heads that all lower layers share, instead of one each",
            .choices = {"none", "projector", "predictor", "both"}}, o.shared_heads);
  visit(Row{.name = "lower-hidden", .help = "Hidden width of the lower layers' projectors; 0 = half of --hidden",
            .least = 0}, o.lower_hidden);
  visit(Row{.name = "lower-depth", .help = "Linear layers of the lower layers' projectors", .least = 1, .most = 100},
        o.lower_depth);
  visit(Row{.name = "detached-term", .help = "Whether predictors learn from detached projections, too",
            .choices = {"on", "off"}}, o.detached_term);
  visit(Row{.name = "dis-token", .help = "A distillation token carries the lower layers' loss, not the class token"},
        o.dis_token);
}
// clang-format on

/// The layers that --layers-distilled names, from 1 and rising, of a network of `depth` layers; none for all.
inline std::vector<int> named_layers(const std::string& text, int depth) {
  const std::string where = "--layers-distilled " + vitral::legible(text);
  if (text == "all") return {};
  std::set<int> layers;
  const auto add = [&](int layer) {
    vitral::check(layer != depth, where, " names layer ", layer, ", the final one of --depth ", depth,
                  ", from which the others learn; choose from 1 to ", depth - 1);
    vitral::check(layer >= 1 && layer < depth, where, " names layer ", layer, ", and --depth ", depth,
                  " has none; choose from 1 to ", depth - 1);
    layers.insert(layer);
  };
  if (text == "even" || text == "odd") {
    for (int layer = text == "odd" ? 1 : 2; layer < depth; layer += 2) add(layer);
    vitral::check(!layers.empty(), where, " names no layer below the final one of --depth ", depth);
    return {layers.begin(), layers.end()};
  }
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view item = std::string_view(text).substr(begin, end - begin);
    int first = 0, last = 0;
    const char* const stop = item.data() + item.size();
    auto read = std::from_chars(item.data(), stop, first);
    last = first;
    if (read.ec == std::errc() && read.ptr != stop && *read.ptr == '-')
      read = std::from_chars(read.ptr + 1, stop, last);
    vitral::check(read.ec == std::errc() && read.ptr == stop && first <= last, where, ": ",
                  vitral::legible(std::string(item)),
                  " is no layer, such as 3, and no range, such as 1-4; or use one of all, even, odd");
    for (int layer = first; layer <= last; ++layer) add(layer);
    begin = end + 1;
  }
  return {layers.begin(), layers.end()};
}

/// Fails where options contradict each other, the method or the network.
inline void check_ablations(const AblationOptions& o, const std::string& method, int depth) {
  using vitral::check;
  if (!vitral::is_self_distilled(method)) {
    const AblationOptions published;
    Json usual;
    for_each_ablation_option(published, [&](const Row& row, const auto& value) { usual[row.name] = value; });
    for_each_ablation_option(o, [&]<class T>(const Row& row, const T& value) {
      const std::string shown = std::is_same_v<T, bool> ? "" : " " + vitral::legible(vitral::join(value));
      check(usual[row.name] == value, "--", row.name, shown, " is for self-distilled methods; with --method ", method,
            " no lower layer learns");
    });
    return;
  }
  check(o.up < depth, "--up ", o.up, " leaves no layer of --depth ", depth, " to learn; choose fewer");
  check(o.up == 0 || o.layers_distilled == "all", "--up ", o.up, " and --layers-distilled ",
        vitral::legible(o.layers_distilled), " both say which layers learn; leave one of them out");
  static_cast<void>(named_layers(o.layers_distilled, depth));
  check(o.target != "same" || method == "sd-byol",
        "--target same is for --method sd-byol, as in the published code, not for ", method);
  const bool predicts = vitral::plain_name(method) != "simclr";
  check(predicts || o.shared_heads == "none" || o.shared_heads == "projector", "--shared-heads ", o.shared_heads,
        ": --method ", method, " has no predictors; use none or projector");
  check(predicts || o.detached_term == "on", "--detached-term ", o.detached_term,
        " leaves out a term of predictors, and --method ", method, " has none");
}

}  // namespace options_detail

/// The self-distillation that the options ask for in a network of `depth` layers.
inline SelfDistillation self_distillation(const AblationOptions& o, int depth, double ratio, bool rises) {
  const auto shares = [&](const char* head) { return o.shared_heads == head || o.shared_heads == "both"; };
  return {.ratio = ratio,
          .rises = rises,
          .up = o.up,
          .target = o.target == "same"      ? LowerTarget::same_layer
                    : o.target == "student" ? LowerTarget::student_final
                                            : LowerTarget::final_layer,
          .layers = options_detail::named_layers(o.layers_distilled, depth),
          .heads = {o.lower_hidden, o.lower_depth, shares("projector"), shares("predictor")},
          .detached_term = o.detached_term == "on"};
}

}}}  // namespace vitral::programs
