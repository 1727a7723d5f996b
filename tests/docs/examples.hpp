// What the examples in the headers' comments take as given. lessons.sh compiles each of them behind these.
#pragma once

#include <vitral/data.hpp>
#include <vitral/eval.hpp>
#include <vitral/io.hpp>
#include <vitral/train.hpp>
#include <vitral/vitral.hpp>

using namespace vitral;

inline Linear<32, 10> net;                     // a network for x
inline const Tensor<float, Shape<dyn, 32>> x;  // inputs
inline const Tensor<int, Shape<dyn>> y;        // their classes
inline const Tensor<float, Shape<8>> p, m, g;  // a parameter, its momentum and its gradient
inline const Training mode;
inline Tape tape;
inline auto optimizer = make_optimizer(AdamW{}, net);

inline ViT<Cpu, float> encoder(vit_tiny_32);
inline const Tensor<float, Shape<dyn, 3, dyn, dyn>> images;
inline const Dataset train = Cifar10("data"), test = train;

inline const std::vector<Features> known, asked;  // of the layers, for training and test images
inline const Features features;
inline const int classes = 10;
inline const std::vector<PatchFeatures> frames;
inline const PatchLabels labels;

void learn(const auto& inputs, const auto& targets);
void show(const auto& found);
