// Rebuilds one whole optimisation step from golden files and prints the largest relative errors.
//
//   check_golden [--device cpu|cuda] [--scalar f64|f32|bf16] FILE...
#include "check_golden.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>

int main(int argc, char** argv) {
  CLI::App app(
      "Runs the optimisation step of golden files and prints the largest relative error of each kind of tensor");
  std::string scalar = "f64", device = "cpu";
  std::vector<std::string> files;
  app.add_option("--scalar", scalar, "Type of the computation")
      ->check(CLI::IsMember({"f64", "f32", "bf16"}))
      ->capture_default_str();
  app.add_option("--device", device, "Where it runs")->check(CLI::IsMember({"cpu", "cuda"}))->capture_default_str();
  app.add_option("FILE", files, "Golden files")->required();
  CLI11_PARSE(app, argc, argv);
  try {
    bool good = true;
    for (const std::string& file : files)
      good &= device == "cuda" ? check_golden_cuda(scalar, file) : check_golden_cpu(scalar, file);
    return good ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

#if !defined(VITRAL_HAS_CUDA)
bool check_golden_cuda(const std::string&, const std::string&) {
  throw std::runtime_error(
      "this program was built without CUDA: install the CUDA Toolkit and build again, or use --device cpu");
}
#endif
