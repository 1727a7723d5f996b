// The same functions as in one.cpp, in another object file: whatever is not inline makes the linker fail.
#define VITRAL_CHECKED 0
#include <everything.hpp>

float product_in_one(float value);
bool finds_wrong_index();  // checked.cpp

bool finds_wrong_index_unchecked() {
  const vitral::Tensor<float, vitral::Shape<2, 3>> x;
  return x(0, 5) != 0;  // that is x(1, 2)
}

float product_in_two(float value) {
  using namespace vitral;
  const auto a = eval(Tensor<float, Shape<2, 3>>{} + value);
  const auto b = eval(Tensor<float, Shape<3, 2>>{} + 1.0f);
  return eval(matmul(a, b) + 1.0f)(0, 0);
}

int main() {
  return product_in_one(2.0f) == 7.0f && product_in_two(3.0f) == 10.0f && finds_wrong_index() &&
                 !finds_wrong_index_unchecked()
             ? 0
             : 1;
}
