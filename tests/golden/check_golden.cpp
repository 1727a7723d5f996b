// Rebuilds one whole optimisation step from golden files and holds every tensor of it against the file's.
//
//   check_golden [--device cpu|cuda] [--scalar f64|f32|bf16] FILE...
#include "check_golden.hpp"
#include "common/command_line.hpp"
#include "common/without_cuda.hpp"

#include <vitral/io/safetensors.hpp>

#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>

using namespace vitral;
using namespace vitral::programs;

namespace {

using Values = std::vector<double>;
using Step = std::function<GoldenTensors(const std::string& scalar, const std::string& path, int disturbance)>;

constexpr double unit = 0x1p-8;     // of bf16's rounding
constexpr double times_spread = 8;  // how far bf16 may be off, in errors of disturbed steps
constexpr double nothing = 1e-10;   // of the norm of all tensors: below it there is but rounding, in f64 too
constexpr const char* about =
    R"(Runs the optimisation step of golden files and prints, of each kind of tensor, the one whose error is closest to
its limit. Errors are norms of differences, relative to the norm of the tensor. In f64 and f32 their limits are fixed.

In bf16 each tensor has a limit of its own, because some gradients of these small networks turn on the last bits of
their inputs: a change of the weights and pixels by 2^-8, bf16's rounding, moves them by more than their size, in
exact arithmetic as well. So the step runs in f64 with eight random changes of that size, and the limit is 8 times the
root mean square of the errors that these make: a step in bf16 rounds some four times as many numbers, the activations
and their gradients, each as much, which is twice the error, and four times that is beyond chance. (On CUDA, GELU in
bf16 has its tanh form, within 5e-4 of the exact one: less than the rounding.))";

double norm(const Values& x) {
  double squares = 0;
  for (const double v : x) squares += v * v;
  return std::sqrt(squares);
}
double distance(const Values& a, const Values& b) {
  check(a.size() == b.size(), "tensors of ", a.size(), " and ", b.size(), " elements");
  Values difference(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - b[i];
  return norm(difference);
}

/// The file's tensors whose names begin with `prefix`.
GoldenTensors tensors_of(const SafetensorsFile& file, const std::string& prefix) {
  GoldenTensors out;
  for (const std::string& name : file.names())
    if (name.starts_with(prefix)) out[name] = file.values<double>(name);
  return out;
}
double norm_of_all(const GoldenTensors& tensors) {
  Values norms;
  for (const auto& [name, values] : tensors) norms.push_back(norm(values));
  return norm(norms);
}

/// The root mean square of each element's difference from `expected`.
Values spread(const std::vector<GoldenTensors>& disturbed, const std::string& name, const Values& expected) {
  Values out(expected.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    Values differences;
    for (const GoldenTensors& step : disturbed) differences.push_back(step.at(name).at(i) - expected[i]);
    out[i] = norm(differences) / std::sqrt(static_cast<double>(std::max<std::size_t>(1, disturbed.size())));
  }
  return out;
}

/// AdamW's first step is lr g / (|g| + eps). Where an element's gradient is nothing but rounding, the step magnifies
/// the rounding, by up to lr / eps; that much of a difference after the step says nothing new, and is taken out of
/// `step`.
void leave_out_magnified(GoldenTensors& step, const SafetensorsFile& file, const GoldenTensors& gradients,
                         const GoldenTensors& rounding) {
  const double lr = std::stod(file.metadata("lr")), eps = std::stod(file.metadata("eps"));
  for (const auto& [name, expected] : gradients) {
    const std::string parameter = "after." + name.substr(5);
    const Values &gradient = step.at(name), expected_after = file.values<double>(parameter);
    Values& after = step.at(parameter);
    for (std::size_t i = 0; i < after.size(); ++i) {
      if (std::abs(expected[i]) >= rounding.at(name)[i]) continue;
      const double excused = lr * std::min(std::abs(gradient[i] - expected[i]) / eps, 2.0);
      after[i] -= std::clamp(after[i] - expected_after[i], -excused, excused);
    }
  }
}

bool check_file(const Step& run, const std::string& scalar, const std::string& path) {
  const SafetensorsFile file(path);
  GoldenTensors got = run(scalar, path, 0);
  std::vector<GoldenTensors> disturbed;
  for (int i = 1; scalar == "bf16" && i <= 8; ++i) disturbed.push_back(run("f64", path, i));

  const auto gradients = tensors_of(file, "grad.");
  GoldenTensors rounding = gradients;
  for (auto& [name, values] : rounding) {
    values = spread(disturbed, name, values);
    for (double& v : values) v = std::max(times_spread * v, nothing * norm_of_all(gradients));
  }
  leave_out_magnified(got, file, gradients, rounding);
  for (GoldenTensors& step : disturbed) leave_out_magnified(step, file, gradients, rounding);

  std::printf("%s: %s, %s, loss %.9g\n", path.c_str(), file.metadata("method").c_str(), scalar.c_str(),
              got.at("loss")[0]);
  bool good = true;
  for (const std::string kind : {"features", "loss", "grad", "after"}) {
    const auto tensors = tensors_of(file, kind);
    const double all = norm_of_all(tensors);
    std::string worst;
    double worst_error = 0, worst_limit = 1, worst_share = -1;
    for (const auto& [name, expected] : tensors) {
      // Some tensors are zero but for rounding, because a BatchNorm or a softmax takes out what they would add (the
      // final norm's bias, a predictor's running mean): those are held against the norm of all tensors of their kind.
      const bool is_nothing = norm(expected) < nothing * all;
      const double size = is_nothing ? all : norm(expected);
      const double error = distance(got.at(name), expected) / size;
      double limit = scalar == "f64" ? 1e-9 : kind == "features" || kind == "loss" ? 1e-4 : 2e-3;
      if (scalar == "bf16") {  // not below f32's, in which parameters and their gradients are kept
        const double of_disturbances = norm(spread(disturbed, name, expected)) / size;
        limit = std::max(limit, times_spread * (is_nothing ? unit : of_disturbances));
      }
      const double share = std::isnan(error / limit) ? std::numeric_limits<double>::infinity() : error / limit;
      if (share > worst_share) worst = name, worst_error = error, worst_limit = limit, worst_share = share;
    }
    const bool within = worst_share <= 1;
    good &= within;
    std::printf("  %-9s %.3e  limit %.1e  %s%s\n", kind.c_str(), worst_error, worst_limit, worst.c_str(),
                within ? "" : "  TOO LARGE");
  }
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  wait_politely(argv);
  return exit_status([&] {
    CLI::App app(about);
    std::string scalar = "f64", device = "cpu";
    std::vector<std::string> files;
    app.add_option("--scalar", scalar, "Type of the computation")
        ->check(CLI::IsMember({"f64", "f32", "bf16"}))
        ->capture_default_str();
    app.add_option("--device", device, "Where it runs")->check(CLI::IsMember({"cpu", "cuda"}))->capture_default_str();
    app.add_option("FILE", files, "Golden files")->required();
    parse_command_line(app, argc, argv, "check_golden");
    bool good = true;
    for (const std::string& file : files)
      good &= check_file(device == "cuda" ? golden_step_cuda : golden_step_cpu, scalar, file);
    return good ? 0 : 1;
  });
}

#if !defined(VITRAL_HAS_CUDA)
GoldenTensors golden_step_cuda(const std::string&, const std::string&, int) { fail_without_cuda(); }
#endif
