// One of two files that include every header; see two.cpp.
#define VITRAL_CHECKED 0
#include <everything.hpp>

float product_in_one(float value) {
  using namespace vitral;
  const auto a = eval(Tensor<float, Shape<2, 3>>{} + value);
  const auto b = eval(Tensor<float, Shape<3, 2>>{} + 1.0f);
  return eval(matmul(a, b) + 1.0f)(0, 0);
}
