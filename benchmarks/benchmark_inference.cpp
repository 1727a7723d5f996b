// Times the inference of a ViT on images of 224 x 224 pixels, as benchmarks/inference_time.py does in PyTorch and
// benchmarks/onnxruntime.cjs in ONNX Runtime. `--state FILE` takes weights and images from a safetensors file and
// prints the beginning of image 0's features, which must be the same everywhere.
#include <vitral/io/checkpoint.hpp>
#include <vitral/vitral.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>

using namespace vitral;

const std::map<std::string, ViTSize> sizes{{"tiny", vit_tiny_224}, {"small", vit_small_224}, {"base", vit_base_224}};

struct InferenceOptions {
  std::string model = "tiny", dtype = "fp32", state;
  int batch = 1, threads = 2, runs = 20;
};

InferenceOptions parse(int argc, char** argv) {
  InferenceOptions o;
  CLI::App app("Times the inference of a vision transformer");
  app.add_option("--model", o.model, "Size of the network, with patches of 16 x 16 pixels")
      ->check(CLI::IsMember({"tiny", "small", "base"}))
      ->capture_default_str();
  app.add_option("--batch", o.batch, "Images at a time")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--threads", o.threads, "Threads")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--runs", o.runs, "Timed runs, after two that are not")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--dtype", o.dtype, "Precision")->check(CLI::IsMember({"fp32", "bf16"}))->capture_default_str();
  app.add_option("--state", o.state, "Safetensors file of weights and images")->check(CLI::ExistingFile);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  return o;
}

template <class T>
void time_inference(const InferenceOptions& o) {
  ViT<Cpu, T> encoder(sizes.at(o.model));
  const int pixels = encoder.size.image;
  const Tensor<float, Shape<dyn, 3, dyn, dyn>> images({o.batch, pixels, pixels});
  if (o.state.empty()) {
    const Random random{7, 0, 0};
    for (long i = 0; i < images.size(); ++i)
      images.data()[i] = static_cast<float>(random.normal(static_cast<std::uint64_t>(i)));
  } else {
    const SafetensorsFile file(o.state);
    load_module(file, encoder);
    const auto stored = file.values<float>("images");
    check(static_cast<long>(stored.size()) >= images.size(), o.state, " has fewer than ", o.batch, " images");
    std::copy_n(stored.begin(), images.size(), images.data());
  }

  auto features = eval(encoder(images));
  features = eval(encoder(images));
  std::vector<double> milliseconds;
  for (int i = 0; i < o.runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    features = eval(encoder(images));
    milliseconds.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  const double median = milliseconds[milliseconds.size() / 2];
  std::printf("vitral vit_%s %s batch %d: median %.2f ms, %.1f images/s\n", o.model.c_str(), o.dtype.c_str(), o.batch,
              median, 1e3 * o.batch / median);
  if (o.state.empty()) return;
  auto first = features.to_vector();
  first.resize(static_cast<std::size_t>(encoder.width()));
  double square = 0;
  for (const T x : first) square += std::pow(static_cast<double>(x), 2);
  std::printf("features");
  for (int i = 0; i < 4; ++i) std::printf(" %.6g", static_cast<double>(first[static_cast<std::size_t>(i)]));
  std::printf(", norm %.6g\n", std::sqrt(square));
}

int main(int argc, char** argv) {
  const InferenceOptions options = parse(argc, argv);
  try {
    cpu::set_threads(options.threads);
    options.dtype == "bf16" ? time_inference<bf16>(options) : time_inference<float>(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
