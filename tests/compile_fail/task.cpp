// A task without a loss for the source's batches.
// expect: vitral: Trainer::fit: a task offers loss\(tape, batch, mode\)
#include <vitral/data/batches.hpp>
#include <vitral/train/trainer.hpp>
#include <vitral/vitral.hpp>

struct Net {
  vitral::Linear<2, 2> fc;
  VITRAL_MEMBERS(fc)
};

int main() {
  const vitral::Tensor<float, vitral::Shape<4, 2>> x;
  vitral::Trainer(Net{}, vitral::Sgd{}, {.epochs = 1}).fit(vitral::Batches(x, x, {.batch = 2}));
}
