// Everything of eval/: features of every layer, what classifies them and what they are like. Needs vitral::tools.
#pragma once

#include <vitral/eval/analyses/affinities.hpp>
#include <vitral/eval/analyses/analyse.hpp>
#include <vitral/eval/analyses/attention_maps.hpp>
#include <vitral/eval/analyses/centred.hpp>
#include <vitral/eval/analyses/cka.hpp>
#include <vitral/eval/analyses/principal.hpp>
#include <vitral/eval/analyses/quadtree.hpp>
#include <vitral/eval/analyses/tsne.hpp>
#include <vitral/eval/analyses/uniformity.hpp>
#include <vitral/eval/classifiers/accuracy.hpp>
#include <vitral/eval/classifiers/early_exit.hpp>
#include <vitral/eval/classifiers/knn.hpp>
#include <vitral/eval/classifiers/lbfgs.hpp>
#include <vitral/eval/classifiers/logistic_regression.hpp>
#include <vitral/eval/classifiers/probe.hpp>
#include <vitral/eval/encoder.hpp>
#include <vitral/eval/evaluate.hpp>
#include <vitral/eval/features.hpp>
#include <vitral/eval/progress.hpp>
#include <vitral/eval/results.hpp>
#include <vitral/eval/results_from_json.hpp>
#include <vitral/eval/results_to_json.hpp>
#include <vitral/eval/retrieval/retrieval.hpp>
#include <vitral/eval/video/propagation.hpp>
#include <vitral/eval/video/segmentation.hpp>
