// expect: vitral: batch_norm applies a ReLU or nothing
// expect: vitral: a product's epilogue applies none, relu or gelu; apply other functions to its result
#include <vitral/vitral.hpp>

int main() {
  using namespace vitral;
  Tensor<float, Shape<dyn, 192>> x({2});
  auto y = BatchNorm1d<192>().apply<Activation::gelu>(x);
  auto z = Linear<192, 384>().apply<static_cast<Activation>(3)>(x);
}
