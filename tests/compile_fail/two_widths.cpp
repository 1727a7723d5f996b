// expect: Linear<In, Out> has its widths in its type
#include <vitral/vitral.hpp>

int main() { vitral::Linear<192, 768> layer(192, 768); }
