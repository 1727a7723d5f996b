// expect: [^_]extents_match<(192, 384|384, 192)>
#include <vitral/vitral.hpp>

int main() {
  using namespace vitral;
  Tensor<float, Shape<dyn, 192>> x({2});
  Tensor<float, Shape<384>> gamma, beta;
  auto y = layer_norm(x, gamma, beta, 1e-6f);
}
