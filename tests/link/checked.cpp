// x(i, j) with checks, in one program with one.cpp and two.cpp, which have none: each keeps what it was built with.
#define VITRAL_CHECKED 1
#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/tensor/tensor.hpp>

bool finds_wrong_index() {
  const vitral::Tensor<float, vitral::Shape<2, 3>> x;
  try {
    return x(0, 5) != 0;
  } catch (const vitral::Error&) {
    return true;
  }
}
