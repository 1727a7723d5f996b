// The first layers of a pretrained network as a checkpoint of its own, for whoever reads those of `pretrain`.
//
//   truncate out/checkpoint.safetensors --layers 6 --out first6.safetensors
#include "common/command_line.hpp"
#include "common/trained_network.hpp"

#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/io/json.hpp>

#include <cstdio>

using namespace vitral;
using namespace vitral::programs;

namespace {

struct Options {
  std::string checkpoint, out;
  int layers = 0;
};

Options parse(int argc, char** argv) {
  Options o;
  CLI::App app{"Writes the network that ends after one of a checkpoint's layers."};
  app.add_option("CHECKPOINT", o.checkpoint, "The network: checkpoint.safetensors of a run")->required();
  app.add_option("--layers", o.layers, "Blocks to keep")->required();
  app.add_option("--out", o.out, "File to write, one that does not exist")->required();
  parse_command_line(app, argc, argv, "truncate");
  return o;
}

/// Every layer ends in the network's one final norm, so what stays is the encoder's tensors but those of later blocks.
/// Teacher, heads and optimiser state go: they belong to the whole network.
void truncate(const Options& o) {
  const SafetensorsFile file(o.checkpoint);
  PretrainOptions run = run_of(file);
  check(o.layers >= 1 && o.layers <= run.depth, "--layers ", o.layers, ": ", o.checkpoint, " has ", run.depth,
        " layers; choose 1 to ", run.depth);
  check(!std::filesystem::exists(o.out), "--out ", o.out, " exists already; name another file, or remove it first");
  const int depth = run.depth;
  run.depth = o.layers;
  const auto cut = network<Cpu>(file, run);  // what cannot be read is not written
  std::vector<NamedTensor> kept;
  for_each_tensor(
      cut,
      [&](const std::string& name, const auto&) {
        kept.push_back({name, file.tensor(name)});
      },
      "student.encoder");
  Metadata metadata{{"options", json_text(to_json(run))}, {"truncated", join("from ", depth)}};
  for (const char* earlier : {"finetuned", "truncated"})
    if (const auto found = file.metadata().find(earlier); found != file.metadata().end())
      metadata[earlier] = found->second;
  write_safetensors(o.out, kept, metadata);
  std::printf("wrote %s: layers 1 to %d of %d\n", escape_text(o.out).c_str(), o.layers, depth);
}

}  // namespace

int main(int argc, char** argv) {
  return exit_status([&] { truncate(parse(argc, argv)); });
}
