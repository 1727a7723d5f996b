// What evaluate, embed, propagate and finetune compute on a GPU. nvcc compiles it (on_cuda.cu, finetune/cuda.cu), and
// each compiler has its own copy of all that Vitral defines (core/config.hpp says why), so what passes is made of the
// standard library's types alone. Programs that are built without CUDA have without_cuda.cpp in its place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

/// Fails at once where there is no GPU. Gives the functions that allocate and release page-locked memory.
std::pair<void* (*)(std::size_t), void (*)(void*)> page_locked_memory_on_cuda();

/// A function of normalised images [count, 3, height, width].
using FunctionOfImages = std::function<std::vector<float>(const float* images, int count, int height, int width)>;

/// The first `layers` blocks of a checkpoint's network, of its teacher or its student: the class tokens of each layer,
/// as ViT::layers gives them, [layers, count, width]; and all_tokens of the last, [count, tokens, width].
std::pair<FunctionOfImages, FunctionOfImages> network_on_cuda(const std::string& checkpoint, bool teacher, int heads,
                                                              int layers);

/// nearest_host_rows: similarities and places.
std::pair<std::vector<float>, std::vector<int>> nearest_rows_on_cuda(std::span<const float> known,
                                                                     std::span<const float> asked, int width, int k);

/// The features of a layer: its numbers [images, width], the ScalarType they have, images, width, labels, classes.
using PlainFeatures = std::tuple<const std::byte*, int, int, int, std::span<const int>, int>;

/// train_sweeps: of each layer the weights of all rates, one after the other.
std::vector<std::vector<float>> sweeps_on_cuda(const std::vector<PlainFeatures>& layers, const std::vector<long>& rows,
                                               const std::vector<double>& rates, int epochs, int batch, double momentum,
                                               std::uint64_t seed, const std::function<void(int)>& epoch_done);

/// A run of finetune (finetune/cuda.cu): of its options as JSON text, what finetune.json says, as text. Fails at once
/// where there is no GPU.
std::string finetune_on_cuda(const std::string& options);
