// Checkpoints: every parameter and state of a module, by name, to and from safetensors files.
#pragma once

#include <vitral/io/safetensors.hpp>
#include <vitral/io/state_dict.hpp>
