// Everything of train/: the trainer, what it trains, and the methods that are known by name. Needs vitral::tools.
#pragma once

#include <vitral/train/checkpoint.hpp>
#include <vitral/train/methods.hpp>
#include <vitral/train/schedule.hpp>
#include <vitral/train/step_report.hpp>
#include <vitral/train/supervised.hpp>
#include <vitral/train/task.hpp>
#include <vitral/train/trainer.hpp>
