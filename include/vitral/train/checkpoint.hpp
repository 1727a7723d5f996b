// What Trainer::save writes and Trainer::load reads, with the format of the files, which train/trainer.hpp leaves out.
#pragma once

#include <vitral/io/checkpoint.hpp>
#include <vitral/train/trainer.hpp>
