// expect: inner_extents_match<384, 192>
#include <vitral/vitral.hpp>

int main() {
  using namespace vitral;
  Linear<192, 768> layer;
  Tensor<float, Shape<dyn, 384>> x({2});
  auto y = layer(x);
}
