// expect: success
// The same calls as in the other files of this folder with extents that fit: those fail for their shapes alone.
#include <vitral/vitral.hpp>

int main() {
  using namespace vitral;
  Tensor<float, Shape<dyn, 192>> x({2});
  Tensor<float, Shape<192>> bias, gamma, beta;
  Tensor<float, Shape<192, 768>> w;
  Tensor<float, Shape<4, 192>> fixed;
  Linear<192, 768> layer;
  auto sum = eval(x + bias);
  auto product = matmul(x, w);
  auto split = reshape<Shape<4, 3, 64>>(fixed);
  auto both = concat<0>(x, x);
  auto hidden = layer(x);
  auto normal = layer_norm(x, gamma, beta, 1e-6f);
}
