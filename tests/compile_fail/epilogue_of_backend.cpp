// expect: vitral: the CPU's epilogues do not know this activation
#include <vitral/backend/cpu/matmul.hpp>

int main() { return static_cast<int>(vitral::cpu::detail::activate<static_cast<vitral::Activation>(3)>(1.0f)); }
