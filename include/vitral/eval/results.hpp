// What `evaluate` finds about a network, as plain numbers: every table, chart and file is made from this struct alone.
#pragma once

#include <vitral/eval/classifiers/early_exit.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Shares of the test images, from 0 to 1, whose label is a classifier's first guess, or among its first five (or all,
/// where there are fewer classes).
struct Accuracy {
  double top1 = 0, top5 = 0;
  std::optional<double> mean_per_class{};  ///< the mean of the classes' own top1, where that was asked for

  /// The number by which networks are compared: the mean over classes where there is one, else top1.
  [[nodiscard]] double benchmark() const { return mean_per_class.value_or(top1); }
};

/// What the linear classifier of one learning rate reached.
struct RateAccuracy {
  double rate = 0;
  double held_out_top1 = 0;  ///< on the training images that choose the rate
  Accuracy test;
};

/// Linear classifiers by SGD: the rate that was best on the images held out, and the whole sweep.
struct SgdAccuracy {
  double rate = 0;
  Accuracy test;
  std::vector<RateAccuracy> rates;
};

/// A number that was measured `runs` times: the median and the quartiles beside it, between which half of the runs lie.
/// Of older results the median alone is known, and `runs` is 0.
struct Timing {
  double median = 0, lower = 0, upper = 0;
  int runs = 0;
};

/// What an image costs in a network that ends after a layer.
struct LayerCost {
  double multiply_adds = 0;  ///< of matrix products, for one image
  Timing milliseconds;       ///< for one image alone
  Timing images_per_second;  ///< in batches of EvaluationResults::speed_batch
};

/// How good the features after one layer are, by the classifiers that were asked for.
struct LayerEvaluation {
  int layer = 0;                     ///< its number, from 1 on
  std::map<int, Accuracy> knn;       ///< by the number of neighbours
  std::optional<Accuracy> logistic;  ///< logistic regression
  std::optional<SgdAccuracy> sgd;    ///< linear classifier by SGD
  std::optional<LayerCost> cost;     ///< of a ViT
};

/// What the features after one layer are like.
struct LayerAnalysis {
  int layer = 0;                           ///< its number, from 1 on
  double alignment = 0;                    ///< mean squared distance of two views of an image
  double uniformity = 0;                   ///< log of the mean of exp(-2 squared distance) over pairs of images
  double positive_cosine = 0;              ///< mean similarity of two views of an image
  double negative_cosine = 0;              ///< mean similarity of views of two images
  double effective_rank = 0;               ///< how many directions the features fill
  std::vector<double> explained_variance;  ///< the share of variance along each principal axis: [width]
  std::vector<double> attention_distance;  ///< mean distance of attention of each head, in pixels; of a ViT
  std::optional<double> tolerance{};       ///< mean similarity of images of a class; none if no class has two
};

/// A training image that is near to a test image: its number in the data set, its label, and the cosine similarity.
struct NearImage {
  long image = 0;
  int label = 0;
  float similarity = 0;
};

/// A test image and the training images that are nearest to it, nearest first.
struct NearestImages {
  long image = 0;
  int label = 0;
  std::vector<NearImage> nearest;
};

/// What the features of the layers that were asked for are like, of `images` test images.
struct Analyses {
  long images = 0, attention_distance_images = 0;
  std::vector<LayerAnalysis> layers;
  std::vector<std::vector<double>> cka;           ///< similarity of each layer (row) with each
  std::vector<std::vector<double>> cka_against;   ///< with each layer of another network; empty without one
  std::vector<std::string> classes;               ///< names
  std::vector<int> labels;                        ///< of the images
  std::vector<float> pca, tsne;                   ///< the last layer's features as points of a plane: [images, 2]
  std::map<int, std::vector<float>> tsne_layers;  ///< the same of the other layers that were asked for, by number
  double perplexity = 0;                          ///< of t-SNE
  std::vector<long> attention_images;     ///< numbers of test images to show attention of, of the first four classes
  std::vector<NearestImages> neighbours;  ///< by the last layer, of a test image of each of the first ten classes
  std::string against;                    ///< what a report calls the other network
};

/// Everything that `evaluate` finds.
struct EvaluationResults {
  std::string dataset;  ///< name
  int train_images = 0, test_images = 0, classes = 0;
  double temperature = 0;  ///< of k-NN
  double logistic_c = 0;   ///< inverse regularisation of logistic regression
  int sgd_epochs = 0;
  int speed_batch = 0, threads = 0;  ///< with which times were measured
  std::vector<LayerEvaluation> layers;
  std::vector<AdaptiveExit> adaptive_exit;  ///< by logistic regression; of a ViT
  std::optional<Analyses> analyses;
};

}}  // namespace vitral
