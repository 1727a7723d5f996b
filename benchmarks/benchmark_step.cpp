// Times whole optimisation steps of one method on random images, as benchmarks/step_time.py does in PyTorch, and prints
// the same line. `--state FILE` starts from the networks and views of a safetensors file and prints the step's loss,
// which PyTorch's on the same file must equal: then both do the same work.
#include <vitral/io/checkpoint.hpp>
#include <vitral/vitral.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include <sys/resource.h>

using namespace vitral;

struct StepOptions {
  int width = 192, depth = 12, heads = 3, image = 32, patch = 4, batch = 64, hidden = 1024, out = 256;
  int threads = 2, steps = 5;
  std::string dtype = "fp32", method = "moco", recompute = "nothing", state;
};

StepOptions parse(int argc, char** argv) {
  StepOptions o;
  CLI::App app("Times optimisation steps of self-distilled pretraining");
  const auto number = [&](const char* name, int& value, const char* what) {
    app.add_option(name, value, what)->check(CLI::PositiveNumber)->capture_default_str();
  };
  number("--width", o.width, "Channels of a token");
  number("--depth", o.depth, "Blocks");
  number("--heads", o.heads, "Attention heads");
  number("--image", o.image, "Pixels of a side");
  number("--patch", o.patch, "Pixels of a patch's side");
  number("--batch", o.batch, "Images in a step; each gives two views");
  number("--hidden", o.hidden, "Hidden units of the last projector and of predictors");
  number("--out", o.out, "Outputs of projectors and predictors");
  number("--threads", o.threads, "Threads");
  number("--steps", o.steps, "Timed steps, after two that are not");
  app.add_option("--dtype", o.dtype, "Precision")->check(CLI::IsMember({"fp32", "bf16"}))->capture_default_str();
  app.add_option("--method", o.method, "Method, always with self-distillation")
      ->check(CLI::IsMember({"moco", "byol", "simclr"}))
      ->capture_default_str();
  app.add_option("--recompute", o.recompute, "What the backward pass computes again instead of keeping it")
      ->check(CLI::IsMember({"nothing", "block"}))
      ->capture_default_str();
  app.add_option("--state", o.state, "Safetensors file of networks and views to start from")->check(CLI::ExistingFile);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  return o;
}

/// Floating-point operations of one step of the method as it is written down: two for each multiply-add of the
/// networks' matrix products. Element-wise work and the criteria, a percent or so, are not counted.
double arithmetic(const StepOptions& o) {
  const double D = o.width, H = o.hidden, P = o.out, L = o.depth, images = 2.0 * o.batch;  // in two views
  const double patches = std::pow(o.image / o.patch, 2), tokens = patches + 1;
  const double embedding = patches * 2 * 3 * o.patch * o.patch * D;  // frozen: it has no backward
  const double blocks = L * tokens * (24 * D * D + 4 * tokens * D);  // backward costs twice the forward
  const auto projector = [&](double h) { return 2 * (D * h + h * h + h * P); };
  const double projectors = (L - 1) * projector(std::floor(H / 2)) + projector(H);
  if (o.method == "simclr") return images * (embedding + 3 * (blocks + projectors));
  const double layer = 2 * P * H, predictors = L * 2 * layer;
  const double student = embedding + 3 * (blocks + projectors + predictors);
  const double detached = 3 * predictors - L * layer;  // predictors on sg(z): no gradient for their input
  const double teacher = embedding + blocks + projector(H);
  return images * (student + detached + teacher);
}

template <class T, template <class> class Method>
void time_steps(const StepOptions& o) {
  const ViTSize size{o.image, o.patch, o.width, o.depth, o.heads};
  const ViTOptions encoder_options{.recompute = o.recompute == "block" ? Recompute::block : Recompute::nothing};
  Method<ViT<Cpu, T>> method(ViT<Cpu, T>(size, Seed{0}, encoder_options), {o.hidden, o.out, 0.2},
                             SelfDistillation{o.method == "simclr" ? 0.8 : 1.0});
  using Images = Tensor<float, Shape<dyn, 3, dyn, dyn>>;
  const Random random{7, 0, 0};
  const auto view = [&](std::uint64_t first) {
    Images x({o.batch, o.image, o.image});
    for (long i = 0; i < x.size(); ++i)
      x.data()[i] = static_cast<float>(random.normal(first + static_cast<std::uint64_t>(i)));
    return x;
  };
  const Images view1 = view(0), view2 = view(1ull << 32);
  if (!o.state.empty()) {
    const SafetensorsFile file(o.state);
    load_module(file, method);
    load_tensor(file, "view1", view1);
    load_tensor(file, "view2", view2);
  }

  auto optimizer = make_optimizer(AdamW{.lr = 1e-4, .weight_decay = 0.1}, method);
  Tape tape;
  const auto step = [&] {
    tape.zero_grad();
    const auto loss = method.loss(tape, view1, view2, Training{});
    tape.backward(loss);
    optimizer.step(tape, method);
    return static_cast<double>(loss.item());
  };
  const double first_loss = step();
  step();
  std::vector<double> seconds;
  for (int i = 0; i < o.steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    step();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("vitral %s %s batch %d: median %.1f ms/step, %.1f images/s, peak RSS %.0f MiB\n", o.method.c_str(),
              o.dtype.c_str(), o.batch, median * 1e3, o.batch / median, static_cast<double>(usage.ru_maxrss) / 1024);
  std::printf("arithmetic of the plain method: %.2f GFLOP/step\n", arithmetic(o) / 1e9);
  if (!o.state.empty()) std::printf("first loss %.7g\n", first_loss);
}

template <class T>
void time_method(const StepOptions& o) {
  if (o.method == "simclr") return time_steps<T, SimCLR>(o);
  if (o.method == "byol") return time_steps<T, BYOL>(o);
  time_steps<T, MoCoV3>(o);
}

int main(int argc, char** argv) {
  const StepOptions options = parse(argc, argv);
  try {
    cpu::set_threads(options.threads);
    options.dtype == "bf16" ? time_method<bf16>(options) : time_method<float>(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
