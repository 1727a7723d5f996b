// The CPU is a backend.
#include "conformance/conformance.hpp"

#include <vitral/backend/cpu/cpu.hpp>

CONFORMANCE_OF(vitral::Cpu);

static_assert(vitral::OffersBlocks<vitral::Cpu>);
