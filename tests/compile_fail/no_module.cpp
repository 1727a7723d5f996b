// expect: this struct is no module; name its members by VITRAL_MEMBERS
#include <vitral/vitral.hpp>

struct Net {
  vitral::Linear<4, 4> layer;
};

int main() { auto optimizer = vitral::make_optimizer(vitral::Sgd{}, Net{}); }
