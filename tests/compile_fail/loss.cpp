// expect: equal_shapes<.*Shape<-1, 1>.*Shape<8>
// expect: the two shapes named in equal_shapes<A, B> must be equal; reshape one of them
#include <vitral/vitral.hpp>

int main() {
  using namespace vitral;
  Tensor<float, Shape<dyn, 1>> prediction({8});
  Tensor<float, Shape<8>> target;
  auto loss = mse(prediction, target);
}
