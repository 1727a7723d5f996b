// Everything of train/: the trainer and the methods that are known by name. Needs vitral::tools.
#pragma once

#include <vitral/train/methods.hpp>
#include <vitral/train/trainer.hpp>
