// expect: vitral: cannot broadcast
// expect: broadcast_rule<.*-1, 192>.*384>
#include <vitral/vitral.hpp>

int main() {
  using namespace vitral;
  Tensor<float, Shape<dyn, 192>> x({2});
  Tensor<float, Shape<384>> bias;
  auto y = eval(x + bias);
}
