// The first layers of a network as a checkpoint of its own.
//
//   truncate out/checkpoint.safetensors --layers 6 --out first6.safetensors
#include "common/command_line.hpp"
#include "common/trained_network.hpp"

#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/models/first_layers.hpp>
#include <vitral/models/load_vit.hpp>

#include <cstdio>

using namespace vitral;
using namespace vitral::programs;

namespace {

struct Options {
  std::string checkpoint, branch, out;
  int heads = 0, layers = 0;
};

Options parse(int argc, char** argv) {
  Options o;
  CLI::App app{"Writes the network that ends after one of a checkpoint's layers."};
  add_network_options(app, o.checkpoint, o.branch, o.heads);
  app.add_option("--layers", o.layers, "Blocks to keep")->required();
  app.add_option("--out", o.out, "File to write, one that does not exist")->required();
  parse_command_line(app, argc, argv, "truncate");
  return o;
}

/// The other branch, heads and optimiser state are left out: they belong to the whole network.
void truncate(const Options& o) {
  const NetworkFile file = open_network(o.checkpoint, o.heads);
  const auto whole = load_vit<Cpu, float>(file, {}, chosen_branch(file, o.branch));
  const int depth = whole.depth();
  check(o.layers >= 1 && o.layers <= depth, "--layers ", o.layers, ": ", o.checkpoint, " has ", depth,
        " layers; choose 1 to ", depth);
  check(!std::filesystem::exists(o.out), "--out ", o.out, " exists already; name another file, or remove it first");
  Metadata metadata = history_of(file);
  if (auto run = saved_options(file); !run.empty()) {
    run["depth"] = o.layers;
    metadata["options"] = json_text(run);
  }
  metadata.try_emplace("truncated", join("from ", depth));  // a cut of a cut is from the first network
  save_vit(o.out, first_layers(whole, o.layers), metadata);
  std::printf("wrote %s: layers 1 to %d of %d\n", escape_text(o.out).c_str(), o.layers, depth);
}

}  // namespace

int main(int argc, char** argv) {
  return exit_status([&] { truncate(parse(argc, argv)); });
}
