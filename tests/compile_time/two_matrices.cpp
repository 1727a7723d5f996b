// What a first program costs to compile.
#include <vitral/vitral.hpp>

int main() {
  using namespace vitral;
  Tensor<float, Shape<dyn, 192>> x({64});
  Tensor<float, Shape<192, 384>> w;
  return matmul(x, w).extent(1) == 384 ? 0 : 1;
}
