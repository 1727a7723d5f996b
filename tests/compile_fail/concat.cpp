// expect: [^_]extents_match<192, 384>
#include <vitral/vitral.hpp>

int main() {
  using namespace vitral;
  Tensor<float, Shape<dyn, 192>> a({2});
  Tensor<float, Shape<dyn, 384>> b({2});
  auto y = concat<0>(a, b);
}
