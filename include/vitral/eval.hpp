// Everything of eval/: features of every layer, what classifies them and what they are like. Needs vitral::tools.
#pragma once

#include <vitral/eval/accuracy.hpp>
#include <vitral/eval/affinities.hpp>
#include <vitral/eval/attention.hpp>
#include <vitral/eval/centred.hpp>
#include <vitral/eval/cka.hpp>
#include <vitral/eval/early_exit.hpp>
#include <vitral/eval/features.hpp>
#include <vitral/eval/knn.hpp>
#include <vitral/eval/lbfgs.hpp>
#include <vitral/eval/linear.hpp>
#include <vitral/eval/principal.hpp>
#include <vitral/eval/probe.hpp>
#include <vitral/eval/propagation.hpp>
#include <vitral/eval/quadtree.hpp>
#include <vitral/eval/retrieval.hpp>
#include <vitral/eval/segmentation.hpp>
#include <vitral/eval/tsne.hpp>
#include <vitral/eval/uniformity.hpp>
