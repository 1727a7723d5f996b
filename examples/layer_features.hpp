// Features as they pass between parts of a program that different compilers made.
#pragma once

#include <vector>

/// One layer's features of labelled images; a row of `width` for each.
struct LayerFeatures {
  std::vector<float> rows;
  int width;
  std::vector<int> labels;
  int classes;
};
